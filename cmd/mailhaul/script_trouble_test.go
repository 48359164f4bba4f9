package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mailhaul/mailhaul/internal/postoffice"
)

// troubles are what scripts can have a server do.
var troubles = map[string]map[string]func(*postoffice.Trouble){
	"pop3": {
		"none":   func(*postoffice.Trouble) {},
		"in-use": fault(postoffice.Fault{Verb: "PASS", Times: 1, Say: "-ERR [IN-USE] maildrop already locked"}),
		"echo":   fault(postoffice.Fault{Verb: "PASS", Say: "-ERR [AUTH] wrong password " + canary + " for " + townUser}),
		"cut": func(t *postoffice.Trouble) {
			t.Cut = postoffice.Cut{Way: postoffice.ToClient, At: 6000, How: postoffice.RST}
		},
		"slow":      func(t *postoffice.Trouble) { t.Trickle.ToClient = 100_000 },
		"window":    func(t *postoffice.Trouble) { t.Window = 5 },
		"refuses":   fault(postoffice.Fault{Verb: "RETR", Match: dots, Say: "-ERR the message is being moved"}),
		"hostile":   fault(postoffice.Fault{Verb: "RETR", Match: dots, Say: "-ERR " + terminalOrders}),
		"stripped":  func(t *postoffice.Trouble) { t.Without = []string{"STLS"} },
		"says-no":   fault(postoffice.Fault{Verb: "STLS", Say: "-ERR " + terminalOrders}),
		"busy":      fault(postoffice.Fault{Verb: "GREETING", Say: "-ERR [SYS/TEMP] too many sessions", End: postoffice.FIN}),
		"turns-off": fault(postoffice.Fault{Verb: "GREETING", Say: "-ERR " + terminalOrders}),
	},
	"imap": {
		"none": func(*postoffice.Trouble) {},
		"echo": fault(postoffice.Fault{Verb: "LOGIN", Say: "NO [AUTHENTICATIONFAILED] wrong password " + canary}),
		"cut": func(t *postoffice.Trouble) {
			t.Cut = postoffice.Cut{Way: postoffice.FromClient, At: 4000, How: postoffice.RST}
		},
		"stripped":      func(t *postoffice.Trouble) { t.Without = []string{"STARTTLS"} },
		"says-no":       fault(postoffice.Fault{Verb: "STARTTLS", Say: "NO " + terminalOrders}),
		"preauth":       fault(postoffice.Fault{Verb: "GREETING", Say: "* PREAUTH welcome back"}),
		"busy":          fault(postoffice.Fault{Verb: "GREETING", Say: "* BYE Too many connections", End: postoffice.FIN}),
		"refuses":       fault(postoffice.Fault{Verb: "APPEND", Match: dots, Say: "NO we do not like dots"}),
		"hostile":       fault(postoffice.Fault{Verb: "APPEND", Match: hostile, Say: "NO " + terminalOrders}),
		"over-quota":    fault(postoffice.Fault{Verb: "APPEND", At: 5, Say: "NO [OVERQUOTA] the mailbox is full"}),
		"too-big":       fault(postoffice.Fault{Verb: "APPEND", Larger: 5000, Say: "NO [TOOBIG] that is too much"}),
		"strict":        func(t *postoffice.Trouble) { t.Faults = postoffice.Strict() },
		"liar":          func(t *postoffice.Trouble) { t.Keep = postoffice.KeepNothing },
		"hides":         func(t *postoffice.Trouble) { t.Hide = dots },
		"breaks":        fault(postoffice.Fault{Verb: "UID FETCH", Match: dots, End: postoffice.FIN}),
		"alters":        func(t *postoffice.Trouble) { t.Keep = postoffice.Rewriting(upperDots) },
		"greedy":        func(t *postoffice.Trouble) { t.Greedy = true },
		"moves":         func(t *postoffice.Trouble) { t.Without, t.With = []string{"UIDPLUS"}, []string{"MOVE"} },
		"no-expunge":    func(t *postoffice.Trouble) { t.Without = []string{"UIDPLUS"} },
		"loses-expunge": fault(postoffice.Fault{Verb: "UID EXPUNGE", Do: postoffice.Done, End: postoffice.FIN}),
		"bye":           fault(postoffice.Fault{Verb: "LOGIN", Times: 1, Say: "* BYE try again in 1 second", End: postoffice.FIN}),
	},
}

func fault(f postoffice.Fault) func(*postoffice.Trouble) {
	return func(t *postoffice.Trouble) { t.Faults = []postoffice.Fault{f} }
}

func dots(m postoffice.Message) bool { return bytes.Contains(m.Octets, []byte("<dots@")) }

func hostile(m postoffice.Message) bool { return bytes.Contains(m.Octets, []byte("hostile")) }

// upperDots changes the body of the first message.
func upperDots(octets []byte) []byte {
	return bytes.ReplaceAll(octets, []byte("A line like any"), []byte("A LINE LIKE ANY"))
}

// makeTrouble has the server make trouble; what cuts lines cuts the next connection only.
func (w *town) makeTrouble(ts *testscript.TestScript, args []string) {
	srv, set := w.servers[args[0]], troubles[args[0]][args[1]]
	if set == nil {
		ts.Fatalf("there is no trouble %s for %s", args[1], args[0])
	}
	t := w.trouble()
	set(&t)
	if t.Cut.How != postoffice.Stay {
		t.On = postoffice.Only(len(srv.Traffic()) + 1)
	}
	srv.SetTrouble(t)
}

// readonly lets nobody write into the directory.
func (w *town) readonly(ts *testscript.TestScript, args []string) {
	undo, err := makeReadOnly(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Defer(undo)
}

// closeTree lets nobody write into the directory and those in it, by their modes; undo gives it back.
func closeTree(dir string) (undo func(), err error) {
	chmod := func(mode fs.FileMode) error {
		return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				err = os.Chmod(path, mode)
			}
			return err
		})
	}
	return func() { chmod(0o700) }, chmod(0o500)
}
