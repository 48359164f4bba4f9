package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/identity"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
)

// TestMain makes this test binary the program, where it is called mailhaul: scripts run it as a process. As
// mailhaul-tomorrow it is the program a day later.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mailhaul": main, "mailhaul-tomorrow": tomorrow, "mailhaul-browser": browse})
}

func tomorrow() {
	clock = func() time.Time { return time.Now().Add(24*time.Hour + time.Minute) }
	main()
}

// TestScripts runs testdata/script/*.txtar. Each guards one promise, which its first line names. Besides what
// testscript knows, scripts have the commands of townCommands, and these variables:
//
//	POP3, IMAP         the URLs of an account full of mail, and of an empty one
//	PASSWORD           of both; MAILHAUL_PASSWORD has it too
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("..", "..", "testdata", "script"),
		Setup:               settle,
		Cmds:                townCommands,
		Condition:           inThisTown,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

const (
	townUser = "me@town.example"
	// canary is the password of every account. It is to be found nowhere but in files named *.secret.
	canary = "CANARY-7f3a"
	// slip is what scripts write where a password does not belong. It is not to be repeated either.
	slip = "SLIP-9b1c"
)

// A town is what one script has: an account to fetch from, one to bring to, and their servers.
type town struct {
	from, to *postoffice.Account
	servers  map[string]*postoffice.Server // pop3 and imap
	urls     map[string]string
	ca       *postoffice.CA
	pin      string // of the last certificate a server was given
	work     string // the script's directory

	heard   map[string]int // how many commands each server had heard when the last run began
	holding *hold
	run     *started

	identity *identity.Provider // after the command identity

	mu   sync.Mutex
	argv string // a command line that shows a password; "" if none was seen
}

type townKey struct{}

// inThisTown knows the condition readonly: whether the command of that name can do it here.
func inThisTown(condition string) (bool, error) {
	if condition != "readonly" {
		return false, errors.New("unknown condition " + condition)
	}
	dir, err := os.MkdirTemp("", "mailhaul-readonly-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	undo, err := makeReadOnly(dir)
	if err != nil {
		return false, nil
	}
	defer undo()
	return os.Mkdir(filepath.Join(dir, "x"), 0o700) != nil, nil
}

// settle makes the town of a script.
func settle(env *testscript.Env) error {
	w, err := newTown(env.WorkDir)
	if err != nil {
		return err
	}
	env.Values[townKey{}] = w
	env.Defer(func() { w.leave(env.T()) })
	for name := range w.servers {
		env.Setenv(strings.ToUpper(name), w.urls[name])
	}
	env.Setenv("PASSWORD", canary)
	env.Setenv("MAILHAUL_PASSWORD", canary)
	env.Setenv("MAILHAUL_KEYRING", "file") // that of whoever runs the tests is left alone
	env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, "state"))
	return nil
}

// newTown makes a town that has work as its directory. Its source holds trial.Mail.
func newTown(work string) (*town, error) {
	here, there := postoffice.New(), postoffice.New()
	w := &town{
		from: here.Account(townUser, canary), to: there.Account(townUser, canary),
		ca: postoffice.NewCA(), work: work, heard: map[string]int{}, urls: map[string]string{},
	}
	w.servers = map[string]*postoffice.Server{"pop3": here.POP3(w.trouble()), "imap": there.IMAP(w.trouble())}
	for _, m := range trial.Mail() {
		w.from.Deliver(mail.Inbox, postoffice.Message{Octets: m})
	}
	if err := os.WriteFile(filepath.Join(work, "ca.pem"), w.ca.PEM(), 0o600); err != nil {
		return nil, err
	}
	for name := range w.servers {
		url, err := w.listen(name, "sound")
		if err != nil {
			return nil, err
		}
		w.urls[name] = url
	}
	return w, nil
}

// listen has a server listen on one more port, with a certificate of that kind, and returns the URL.
func (w *town) listen(name, certificate string) (string, error) {
	scheme, query := name+"s", "?ca="+url.PathEscape(filepath.Join(w.work, "ca.pem"))
	config, listen := w.ca.Server("127.0.0.1", "localhost"), w.servers[name].Listen
	switch certificate {
	case "expired":
		config = w.ca.Expired("127.0.0.1", "localhost")
	case "other-name":
		config = w.ca.Server("mail.other.example")
	case "stranger":
		config = postoffice.NewCA().Server("127.0.0.1", "localhost")
	case "none":
		config = nil
	case "self-signed":
		config, query = postoffice.SelfSigned("mail.other.example"), ""
	case "plain":
		config, scheme, query = nil, name, "?tls=none"
	case "starttls":
		listen, scheme = w.servers[name].ListenStartTLS, name
	}
	if config != nil {
		leaf, err := x509.ParseCertificate(config.Certificates[0].Certificate[0])
		if err != nil {
			return "", err
		}
		pin := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
		w.pin = "sha256/" + base64.StdEncoding.EncodeToString(pin[:])
	}
	addr, err := listen(config)
	return scheme + "://" + townUser + "@" + addr + query, err
}

// trouble is a Trouble that makes none, and watches over the password.
func (w *town) trouble() postoffice.Trouble {
	t := postoffice.Trouble{OnCommand: func(_ int, command string) {
		for _, verb := range []string{"PASS ", "LOGIN ", "AUTH ", "AUTHENTICATE "} {
			if strings.HasPrefix(command, verb) {
				w.lookAtArgv()
			}
		}
	}}
	if w.identity != nil {
		t.With = []string{"AUTH=XOAUTH2"}
	}
	return t
}

// lookAtArgv looks at what everybody can see of the processes that run now.
func (w *town) lookAtArgv() {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	seen := runtime.GOOS != "linux"
	found := ""
	for _, file := range files {
		line, err := os.ReadFile(file)
		name, _, _ := bytes.Cut(line, []byte{0})
		if err != nil || !strings.HasPrefix(filepath.Base(string(name)), "mailhaul") {
			continue
		}
		seen = true
		line = bytes.ReplaceAll(line, []byte(slip), nil) // the person's own, in a script that runs beside this one
		if w.secretIn(line) {
			found = string(line)
		}
	}
	if !seen {
		found = "no mailhaul is running, so that nothing can be said of its arguments"
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if found != "" {
		w.argv = found
	}
}

func (w *town) close() {
	w.release()
	if w.identity != nil {
		w.identity.Close()
	}
	for _, srv := range w.servers {
		srv.Close()
	}
}

// secretIn reports whether there is a secret in what everybody may read, as it is or in base64, wherever in it it begins.
func (w *town) secretIn(octets []byte) bool {
	secrets := []string{"CANARY-", "Q0FOQVJZL", "NBTkFSWS", "DQU5BUlkt", slip}
	if w.identity != nil {
		secrets = append(secrets, w.identity.Secrets()...)
	}
	return slices.ContainsFunc(secrets, func(s string) bool { return bytes.Contains(octets, []byte(s)) })
}

// leave closes the town and looks for passwords that were left behind in it.
func (w *town) leave(t testscript.T) {
	w.close()
	if w.argv != "" {
		t.Fatal("the command line: " + w.argv)
	}
	err := filepath.WalkDir(w.work, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.Contains(path, ".secret") {
			return err
		}
		octets, err := os.ReadFile(path)
		if w.secretIn(octets) {
			t.Fatal("a password stands in " + path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
