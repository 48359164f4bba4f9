package imap

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
)

// A removal is what one Remove was seen to do: everything in the order it was told.
type removal struct {
	intended, gone, unsure []string // UIDs
	told                   []string // "UID: what was reported", but for those that are gone
}

func (o *removal) removing() mail.Removing {
	return mail.Removing{
		Same: func(_ mail.Item, header io.Reader) (bool, error) {
			_, err := io.Copy(io.Discard, header)
			return true, err
		},
		Intend: func(items []mail.Item) error {
			for _, it := range items {
				o.intended = append(o.intended, it.Ref.UID)
			}
			return nil
		},
		Done: func(it mail.Item, err error) {
			if err == nil {
				o.gone = append(o.gone, it.Ref.UID)
				return
			}
			o.told = append(o.told, it.Ref.UID+": "+describe(err))
			if err.(*mail.Error).Unsure {
				o.unsure = append(o.unsure, it.Ref.UID)
			}
		},
	}
}

// inBox is what is in a mailbox, with a ! behind what is marked \Deleted.
func inBox(me *postoffice.Account, mailbox string) string {
	var all []string
	for _, m := range me.Messages(mailbox) {
		mark := ""
		if mail.MakeFlags(m.Flags...).Has(mail.Deleted) {
			mark = "!"
		}
		all = append(all, fmt.Sprint(m.UID, mark))
	}
	return strings.Join(all, " ")
}

func mustList(t *testing.T, r *Remover) []mail.Item {
	t.Helper()
	items, err := r.List(t.Context(), mail.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	return items
}

// Of ten messages 1 to 6 are to go, of which somebody else has marked the second as deleted, and the eighth too. Whatever the
// server does, what goes is among the six, and what stays bears no mark of ours.
func TestRemoveTrouble(t *testing.T) {
	const most = "2! 7 8! 9 10"
	onExpunge := func(f postoffice.Fault) postoffice.Trouble {
		f.Verb = "UID EXPUNGE"
		return postoffice.Trouble{Faults: []postoffice.Fault{f}}
	}
	const other = "2: message refused: remove mail from INBOX: another mail program has marked it as deleted, and it is left to that"
	for name, test := range map[string]struct {
		trouble postoffice.Trouble
		err     string // of Remove
		told    string // of a message, that with UID 1 or the only one
		left    string // in the INBOX, in the end
		trash   string
	}{
		"none":                   {postoffice.Trouble{}, "ok", other, most, ""},
		"MOVE":                   {postoffice.Trouble{Without: []string{"UIDPLUS"}, With: []string{"MOVE"}}, "ok", other, most, "1 2 3 4 5"},
		"Gmail":                  {postoffice.Trouble{Labels: true, With: []string{"MOVE", "X-GM-EXT-1"}}, "ok", other, most, "1 2 3 4 5"},
		"says OK, does nothing":  {onExpunge(postoffice.Fault{Say: "OK done"}), "mailbox protocol: remove mail from INBOX: the server says that the message is gone, and still shows it", "1: message refused: remove mail from INBOX: the server says that the message is gone, and still shows it", "1 2! 3 4 5 6 7 8! 9 10", ""},
		"may not":                {onExpunge(postoffice.Fault{Say: "NO [NOPERM] no right to expunge"}), "mailbox refused: remove mail from INBOX: the server says: no right to expunge", "1: message refused: remove mail from INBOX: the server says: no right to expunge", "1 2! 3 4 5 6 7 8! 9 10", ""},
		"says NO, and does it":   {onExpunge(postoffice.Fault{Do: postoffice.Done, Say: "NO oops"}), "ok", other, most, ""},
		"is busy":                {onExpunge(postoffice.Fault{Say: "NO [INUSE] locked"}), "session network later 1m0s: remove mail from INBOX: the server says: locked", "1: message refused unsure: remove mail from INBOX: the server says: locked", "1 2! 3 4 5 6 7 8! 9 10", ""},
		"marks nothing":          {postoffice.Trouble{Faults: []postoffice.Fault{{Verb: "UID STORE", Holds: "+FLAGS", Say: "NO no"}}}, "mailbox refused: remove mail from INBOX: the server says: no", "1: message refused: remove mail from INBOX: the server says: no", "1 2! 3 4 5 6 7 8! 9 10", ""},
		"marks, and says NO":     {postoffice.Trouble{Faults: []postoffice.Fault{{Verb: "UID STORE", Holds: "+FLAGS", Do: postoffice.Done, Say: "NO no"}}}, "mailbox refused: remove mail from INBOX: the server says: no", "1: message refused: remove mail from INBOX: the server says: no", "1 2! 3 4 5 6 7 8! 9 10", ""},
		"trash is full":          {postoffice.Trouble{Without: []string{"UIDPLUS"}, With: []string{"MOVE"}, Faults: []postoffice.Fault{{Verb: "UID MOVE", Say: "NO [OVERQUOTA] full"}}}, "account quota: remove mail from INBOX: the server says: full", "1: message refused: remove mail from INBOX: the server says: full", "1 2! 3 4 5 6 7 8! 9 10", ""},
		"done, the answer lost":  {onExpunge(postoffice.Fault{Do: postoffice.Done, End: postoffice.FIN}), "session network later 1s: remove mail from INBOX: imap.example.org hung up", "1: message network unsure: remove mail from INBOX: the answer was lost: imap.example.org hung up", most, ""},
		"not done, nor answered": {onExpunge(postoffice.Fault{End: postoffice.RST}), "session network later 1s: remove mail from INBOX: imap.example.org hung up", "1: message network unsure: remove mail from INBOX: the answer was lost: imap.example.org hung up", "1 2! 3 4 5 6 7 8! 9 10", ""},
		"read only":              {postoffice.Trouble{Rewrite: postoffice.Replace("SELECT", "READ-WRITE", "READ-ONLY")}, "mailbox refused: remove mail from INBOX: the server opens the folder for reading only", "", "1 2! 3 4 5 6 7 8! 9 10", ""},
		"no mark can be kept":    {postoffice.Trouble{Rewrite: postoffice.Replace("SELECT", `PERMANENTFLAGS \(.*\)`, `PERMANENTFLAGS (\Seen)`)}, `mailbox refused: remove mail from INBOX: the server lets no mail be marked \Deleted in the folder`, "", "1 2! 3 4 5 6 7 8! 9 10", ""},
		"no way":                 {postoffice.Trouble{Without: []string{"UIDPLUS"}}, "mailbox refused: remove mail from INBOX: the server gives no safe way: neither UIDPLUS, nor MOVE and a trash folder; EXPUNGE alone would also take what others have marked as deleted", "", "1 2! 3 4 5 6 7 8! 9 10", ""},
		"takes more": {postoffice.Trouble{Greedy: true},
			"mailbox protocol: remove mail from INBOX: mail is gone that was to stay (UID 2, 8; 2 marked as deleted before): another program removed it, or the server takes more than it is told; nothing more is removed", other, "7 9 10", ""},
		"takes more, and does not tell": {postoffice.Trouble{Greedy: true, Rewrite: postoffice.Drop("UID EXPUNGE", `EXPUNGE$`)},
			"mailbox protocol: remove mail from INBOX: mail is gone that was to stay (UID 2, 8; 2 marked as deleted before): another program removed it, or the server takes more than it is told; nothing more is removed", other, "7 9 10", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, server, me := removerInOffice(t, postoffice.Trouble{})
			for i := range 10 {
				me.Deliver(mail.Inbox, postoffice.Message{Octets: fmt.Appendf(nil, "Subject: %d\r\n\r\n%d\r\n", i, i)})
			}
			me.SetFlags(mail.Inbox, 2, `\Deleted`)
			me.SetFlags(mail.Inbox, 8, `\Deleted`)
			items := mustList(t, r)
			r.Close()
			server.SetTrouble(test.trouble)
			var did removal
			err := r.Remove(t.Context(), mail.Inbox, items[:6], did.removing())
			if got := describe(err); got != test.err {
				t.Errorf("Remove: %s\nwant %s", got, test.err)
			}
			told := slices.DeleteFunc(slices.Clone(did.told), func(s string) bool { return strings.HasPrefix(test.told, "1: ") && !strings.HasPrefix(s, "1: ") })
			if got := strings.Join(told, "|"); got != test.told {
				t.Errorf("reported %s\nwant %s", got, test.told)
			}
			server.SetTrouble(postoffice.Trouble{Without: test.trouble.Without, With: test.trouble.With})
			if len(did.unsure) > 0 { // as whoever keeps the contract does
				settle(t, r, &did)
			}
			if got := inBox(me, mail.Inbox); got != test.left {
				t.Errorf("left: %s, want %s", got, test.left)
			}
			if got := inBox(me, "Trash"); got != test.trash {
				t.Errorf("in the trash: %s, want %s", got, test.trash)
			}
			wantLicensed(t, server)
		})
	}
}

// settle lists again and takes the marks off what nobody knew the outcome of and is still there.
func settle(t *testing.T, r *Remover, did *removal) {
	t.Helper()
	var left []mail.Item
	for _, it := range mustList(t, r) {
		if slices.Contains(did.unsure, it.Ref.UID) && it.Flags.Has(mail.Deleted) {
			left = append(left, it)
		}
	}
	if err := r.Unmark(t.Context(), mail.Inbox, left); err != nil {
		t.Error(err)
	}
}

// wantLicensed: nothing was said that takes away more than single messages.
func wantLicensed(t *testing.T, server *postoffice.Server) {
	t.Helper()
	for _, command := range server.Commands() {
		switch verbOf(command) {
		case "EXPUNGE", "CLOSE", "STORE", "MOVE", "COPY", "UID COPY", "APPEND", "DELETE", "RENAME":
			t.Errorf("it said %q", command)
		}
	}
}

// What somebody else does at the same time is left alone: mail that is marked, that goes, that comes, at every step.
func TestRemoveAmongOthers(t *testing.T) {
	for _, step := range []string{"SELECT", "UID FETCH 1:4 INTERNALDATE", "UID FETCH 1:4 HEADER", "UID STORE", "NOOP", "UID EXPUNGE"} {
		r, server, me := removerInOffice(t, postoffice.Trouble{})
		fill(me, 8)
		items := mustList(t, r)[:4]
		verb, about, _ := strings.Cut(step, "1:4 ")
		once := false
		server.SetTrouble(postoffice.Trouble{OnCommand: func(_ int, command string) {
			if !once && strings.HasPrefix(command, verb) && strings.Contains(command, about) {
				once = true
				me.SetFlags(mail.Inbox, 6, `\Deleted`)
				me.Expunge(mail.Inbox, 7)
				me.Deliver(mail.Inbox, postoffice.Message{Octets: []byte("Subject: new\r\n\r\n"), Flags: []string{`\Deleted`}})
			}
		}})
		var did removal
		err := r.Remove(t.Context(), mail.Inbox, items, did.removing())
		if got, want := inBox(me, mail.Inbox), "5 6! 8 9!"; got != want || !once {
			t.Errorf("at %s: left %s, want %s (happened: %v)", step, got, want, once)
		}
		if len(did.gone) != 4 {
			t.Errorf("at %s: %v are gone; %v", step, did.gone, did.told)
		}
		// In the middle of the command that removes, nobody can tell who it was.
		if err != nil && step != "UID EXPUNGE" {
			t.Errorf("at %s: %v", step, err)
		}
	}
}

// What is in the mailbox is listed once, however often some of it is removed, and mail comes and goes between; and all the same
// a server that begins to take more is found out.
func TestRemoveOften(t *testing.T) {
	r, server, me := removerInOffice(t, postoffice.Trouble{})
	fill(me, 500)
	me.SetFlags(mail.Inbox, 499, `\Deleted`)
	items := mustList(t, r)
	before := server.Traffic()[0].ToClient
	var did removal
	for i, part := range slices.Collect(slices.Chunk(items[:400], 100)) {
		if i == 3 {
			server.SetTrouble(postoffice.Trouble{Greedy: true})
		}
		err := r.Remove(t.Context(), mail.Inbox, part, did.removing())
		if got := causeOf(err) == mail.CauseProtocol; got != (i == 3) {
			t.Errorf("Remove %d: %v", i, err)
		}
		me.Deliver(mail.Inbox, postoffice.Message{Octets: []byte("Subject: new\r\n\r\n")})
	}
	if len(did.gone) != 400 {
		t.Errorf("%d are gone", len(did.gone))
	}
	if whole := strings.Count(strings.Join(server.Commands(), "\n"), "UID FETCH 1:500 "); whole != 1 {
		t.Errorf("%d times all was listed: %q", whole, server.Commands())
	}
	t.Logf("%d octets came to remove 400 of 500 messages", server.Traffic()[0].ToClient-before)
}

// A mailbox that was numbered anew holds other messages under these UIDs.
func TestRemoveRenumbered(t *testing.T) {
	r, _, me := removerInOffice(t, postoffice.Trouble{})
	fill(me, 4)
	items := mustList(t, r)
	me.Renumber(mail.Inbox, 77)
	var did removal
	for what, err := range map[string]error{
		"Remove": r.Remove(t.Context(), mail.Inbox, items, did.removing()),
		"Unmark": r.Unmark(t.Context(), mail.Inbox, items),
	} {
		if scopeOf(err) != mail.ScopeMailbox || causeOf(err) != mail.CauseVanished {
			t.Errorf("%s: %s", what, describe(err))
		}
	}
	if len(did.intended) > 0 || inBox(me, mail.Inbox) != "1 2 3 4" {
		t.Errorf("intended %v, left %s", did.intended, inBox(me, mail.Inbox))
	}
}

// What a session left marked because it broke is unmarked before the next Remove of the same Remover looks for anything, and
// goes then.
func TestRemoveAfterBreak(t *testing.T) {
	r, server, me := removerInOffice(t, postoffice.Trouble{})
	fill(me, 4)
	items := mustList(t, r)
	server.SetTrouble(postoffice.Trouble{Faults: []postoffice.Fault{{Verb: "UID EXPUNGE", Times: 1, End: postoffice.FIN}}})
	var first, second removal
	if err := r.Remove(t.Context(), mail.Inbox, items[:3], first.removing()); scopeOf(err) != mail.ScopeSession {
		t.Errorf("Remove: %v", err)
	}
	if got := inBox(me, mail.Inbox); got != "1! 2! 3! 4" || len(first.unsure) != 3 {
		t.Errorf("left %s, unsure %v", got, first.unsure)
	}
	if err := r.Remove(t.Context(), mail.Inbox, items[1:2], second.removing()); err != nil {
		t.Error(err)
	}
	if got := inBox(me, mail.Inbox); got != "1 3 4" {
		t.Errorf("left %s; %v", got, second.told)
	}
}

// The line is cut at every third octet of a session that removes, in both directions. What is gone was to go and is reported as gone
// or unsure, what was said to be gone is; and what another mail program has marked is as it was.
func TestRemoveCut(t *testing.T) {
	cuts, unsure := 0, 0
	for _, trouble := range []postoffice.Trouble{{}, {Without: []string{"UIDPLUS"}, With: []string{"MOVE"}}} {
		all, _ := removeOver(t, trouble)
		for way, octets := range map[postoffice.Way]int64{postoffice.FromClient: all.FromClient, postoffice.ToClient: all.ToClient} {
			for at := int64(1); at < octets; at += 3 {
				cuts++
				trouble.On, trouble.Cut = postoffice.Only(1), postoffice.Cut{Way: way, At: at, How: postoffice.FIN}
				_, n := removeOver(t, trouble)
				unsure += n
			}
		}
	}
	t.Logf("%d cuts, %d messages unsure, none removed wrongly", cuts, unsure)
}

func removeOver(t *testing.T, trouble postoffice.Trouble) (postoffice.Traffic, int) {
	t.Helper()
	r, server, me := removerInOffice(t, trouble)
	defer server.Close()
	fill(me, 5)
	me.SetFlags(mail.Inbox, 5, `\Deleted`)
	validity := me.Validity(mail.Inbox)
	var items []mail.Item
	for _, uid := range []string{"1", "2", "4"} {
		items = append(items, mail.Item{Ref: mail.Ref{Mailbox: mail.Inbox, Validity: validity, UID: uid}})
	}
	var did removal
	err := r.Remove(t.Context(), mail.Inbox, items, did.removing())
	wantHouse(t, err)
	there := make(map[string]bool)
	for _, m := range me.Messages(mail.Inbox) {
		there[fmt.Sprint(m.UID)] = true
	}
	for uid := 1; uid <= 5; uid++ {
		uid := fmt.Sprint(uid)
		intended, gone, unsure := slices.Contains(did.intended, uid), slices.Contains(did.gone, uid), slices.Contains(did.unsure, uid)
		switch {
		case !there[uid] && (!intended || !gone && !unsure):
			t.Errorf("%+v: %s is gone; intended %v, reported %v", trouble.Cut, uid, did.intended, did)
		case there[uid] && gone:
			t.Errorf("%+v: %s was said to be gone", trouble.Cut, uid)
		case intended && !gone && !slices.ContainsFunc(did.told, func(s string) bool { return strings.HasPrefix(s, uid+":") }):
			t.Errorf("%+v: %s was intended and not reported: %v", trouble.Cut, uid, did)
		case err == nil && !gone && slices.ContainsFunc(items, func(it mail.Item) bool { return it.Ref.UID == uid }):
			t.Errorf("%+v: %s is not gone: %v", trouble.Cut, uid, did)
		}
	}
	traffic := server.Traffic()[0]
	server.SetTrouble(postoffice.Trouble{Without: trouble.Without, With: trouble.With})
	settle(t, r, &did)
	if got := inBox(me, mail.Inbox); strings.Count(got, "!") != 1 || !strings.HasSuffix(got, "5!") {
		t.Errorf("%+v: left %s", trouble.Cut, got)
	}
	return traffic, len(did.unsure)
}

// Nothing is said that could take mail away but by Remove, and by it nothing but by UID: the command never leaves.
func TestLicence(t *testing.T) {
	for _, test := range []struct {
		command  string
		licences []licence
	}{
		{"UID FETCH 1:* (UID BODY.PEEK[])", []licence{toRead, toWrite, toRemove}},
		{"UID FETCH 1:* (UID BODY[])", nil},
		{"EXAMINE INBOX", []licence{toRead, toWrite, toRemove}},
		{"UNSELECT", []licence{toRead, toWrite, toRemove}},
		{"SELECT INBOX", []licence{toWrite, toRemove}},
		{"APPEND INBOX {0}", []licence{toWrite}},
		{`UID STORE 1 +FLAGS.SILENT (\Seen)`, []licence{toWrite}},
		{`UID STORE 1 FLAGS.SILENT ()`, nil},
		{`UID STORE 1 -FLAGS.SILENT (\Seen)`, nil},
		{`UID STORE 1 +FLAGS.SILENT (\Deleted)`, []licence{toRemove}},
		{`UID STORE 1 -FLAGS.SILENT (\Deleted)`, []licence{toRemove}},
		{`STORE 1 +FLAGS.SILENT (\Deleted)`, nil},
		{"UID EXPUNGE 1", []licence{toRemove}},
		{"EXPUNGE", nil},
		{"CLOSE", nil},
		{"UID MOVE 1 Trash", []licence{toRemove}},
		{"MOVE 1 Trash", nil},
		{"UID COPY 1 Trash", nil},
		{"DELETE INBOX", nil},
		{"RENAME a b", nil},
	} {
		for _, l := range []licence{toRead, toWrite, toRemove} {
			var sent strings.Builder
			g := newGuard(writer{&octets{Reader: strings.NewReader("")}, &sent})
			g.licence = l
			fmt.Fprintf(g, "T1 %s\r\n", strings.TrimSuffix(test.command, " {0}"))
			may := slices.Contains(test.licences, l)
			if (sent.Len() > 0) != may || (g.trouble() == nil) != may {
				t.Errorf("licence %d: %q was sent: %q; %v", l, test.command, sent.String(), g.trouble())
			}
		}
	}
}

// Where the server tells the account's rights, it is known before anything is done whether they suffice.
func TestRemoveRights(t *testing.T) {
	for rights, want := range map[string]string{
		"lrswipkxte": "ok", "lrte": "ok", "lrswipcda": "ok", "": "ok",
		"lrs":  `mailbox refused: remove mail from INBOX: the account lacks the right 't' in INBOX (RFC 4314): it has "lrs"`,
		"lrst": `mailbox refused: remove mail from INBOX: the account lacks the right 'e' in INBOX (RFC 4314): it has "lrst"`,
	} {
		s := &script{caps: "IMAP4rev1 UIDPLUS ACL", answer: on("MYRIGHTS", saying(`* MYRIGHTS INBOX "`+rights+`"`, "TAG OK done"))}
		r := NewRemover(s.server(), mail.Login{User: "me", Password: password})
		how, err := r.Able(t.Context(), mail.Inbox)
		if got := describe(err); got != want || err == nil && how != mail.RemovalExpunge {
			t.Errorf("rights %q: %v, %s\nwant %s", rights, how, got, want)
		}
		r.Close()
		s.running.Wait()
	}
}

// How mail leaves, and from where.
func TestAble(t *testing.T) {
	gmail := []string{"X-GM-EXT-1", "MOVE"}
	for _, test := range []struct {
		trouble postoffice.Trouble
		trash   string
		mailbox string
		want    string
	}{
		{postoffice.Trouble{}, "Trash", mail.Inbox, "2 ok"},
		{postoffice.Trouble{With: []string{"MOVE"}}, "Trash", mail.Inbox, "2 ok"},
		{postoffice.Trouble{Without: []string{"UIDPLUS"}, With: []string{"MOVE"}}, "Trash", mail.Inbox, "3 ok"},
		{postoffice.Trouble{Without: []string{"UIDPLUS"}, With: []string{"MOVE"}}, "Trash", "Trash", "0 mailbox refused: remove mail from Trash: the server gives no safe way"},
		{postoffice.Trouble{Without: []string{"UIDPLUS"}, With: []string{"MOVE"}}, "", mail.Inbox, "0 mailbox refused: remove mail from INBOX: the server gives no safe way"},
		{postoffice.Trouble{With: gmail}, "[Gmail]/Bin", mail.Inbox, "4 ok"},
		{postoffice.Trouble{With: gmail}, "[Gmail]/Bin", "[Gmail]/Bin", "2 ok"},
		{postoffice.Trouble{With: gmail}, "", mail.Inbox, "0 mailbox refused: remove mail from INBOX: the server gives no safe way: it shows no trash folder"},
	} {
		office := postoffice.New()
		me := office.Account("me", canary)
		if test.trash != "" {
			me.CreateMailbox(test.trash, `\Trash`)
		}
		server := office.IMAP(test.trouble)
		r := NewRemover(dial.Server{Host: "imap.example.org", Port: 143, Plain: true, Dialer: server.Dial}, mail.Login{User: "me", Password: password})
		how, err := r.Able(t.Context(), test.mailbox)
		if got := fmt.Sprint(int(how), " ", describe(err)); !strings.HasPrefix(got, test.want) {
			t.Errorf("%s at %+v: %s\nwant %s", test.mailbox, test.trouble, got, test.want)
		}
		wantOnlyReading(t, server)
		r.Close()
		server.Close()
	}
}
