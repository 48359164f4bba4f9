package imap

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// Whatever a server answers, a client neither panics nor hangs, and all errors are of the house.
func FuzzClient(f *testing.F) {
	for _, seed := range []string{
		"* LIST () \"/\" a\r\nT3 OK done\r\n", "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 4] x\r\nT4 OK done\r\n",
		"* 1 FETCH (UID 1 FLAGS (\\Seen) BODY[HEADER.FIELDS (DATE)] {3}\r\na\r\n)\r\nT5 OK done\r\n", "+ go\r\nT4 NO [OVERQUOTA] x\r\n",
		"* 1 FETCH (BODY[] {3}\r\nabc UID 1)\r\nT5 OK done\r\n", "* BYE x\r\n", "T4 OK [APPENDUID 7 4] x\r\nT5 OK\r\nT6 OK\r\n",
	} {
		for verb := range byte(4) {
			f.Add(seed, verb)
		}
	}
	f.Fuzz(func(t *testing.T, answer string, verb byte) {
		verbs := []string{"LIST", "SELECT", "UID FETCH", "APPEND"}
		s := &script{caps: "IMAP4rev1 LITERAL+", answer: on(verbs[int(verb)%len(verbs)], func(s *talk, _ string) {
			drained := make(chan bool)
			go func() { io.Copy(io.Discard, s.conn); close(drained) }()
			s.raw(answer)
			s.conn.Close()
			<-drained
		})}
		c := s.client(t)
		_, err := c.Mailboxes(t.Context())
		wantHouse(t, err)
		wantHouse(t, everything(t.Context(), c))
		wantHouse(t, c.Fetch(t.Context(), []mail.Item{item(1), item(2)}, func(_ mail.Item, r io.Reader) error {
			_, err := io.Copy(io.Discard, r)
			wantHouse(t, err)
			return err
		}))
	})
}

func wantHouse(t *testing.T, err error) {
	t.Helper()
	var e *mail.Error
	if err != nil && !errors.As(err, &e) || err != nil && strings.Contains(err.Error(), canary) {
		t.Errorf("the error is %v", err)
	}
}

// The same of a source: whatever it is told, what it returns without an error is in order and is of this mailbox.
func FuzzSource(f *testing.F) {
	for _, seed := range []string{
		"* LIST (\\Noselect) \"/\" a\r\n* STATUS a (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 3 HIGHESTMODSEQ 4 MAILBOXID (F1))\r\nTAG OK done\r\n",
		"* NAMESPACE ((\"INBOX.\" \".\")) NIL ((\"\" \".\" \"X\" (\"a\")))\r\nTAG OK done\r\n",
		"* 2 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 4] x\r\n* OK [HIGHESTMODSEQ 9] x\r\n* OK [MAILBOXID (F2)] x\r\nTAG OK done\r\n",
		"* 1 FETCH (UID 2 FLAGS (\\Seen a]b) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 3 EMAILID (M1))\r\n* 2 FETCH (FLAGS () UID 3)\r\n* 3 EXPUNGE\r\nTAG OK [MESSAGELIMIT 1 2] done\r\n",
		"* 3 FETCH (BODY[HEADER] {5}\r\nA: b\n UID 3)\r\n* 2 FETCH (UID 2 BODY[] {3}\r\nabc)\r\nTAG OK done\r\n", "TAG NO [NONEXISTENT] x\r\n",
	} {
		for verb := range byte(6) {
			f.Add(seed, verb)
		}
	}
	f.Fuzz(func(t *testing.T, answer string, verb byte) {
		verbs := []string{"LIST", "NAMESPACE", "STATUS", "EXAMINE", "UID FETCH", "FETCH"}
		s := &script{caps: "IMAP4rev1 LIST-EXTENDED NAMESPACE CONDSTORE OBJECTID", answer: on(verbs[int(verb)%len(verbs)], func(s *talk, _ string) {
			s.raw(strings.ReplaceAll(answer, "TAG", s.tag))
			s.conn.Close()
		})}
		src := s.source(t)
		boxes, err := src.Mailboxes(t.Context())
		wantHouse(t, err)
		_, err = src.Statuses(t.Context(), boxes)
		wantHouse(t, err)
		ch, err := src.Changes(t.Context(), mail.Inbox, mail.Status{Validity: 7, Next: 2, Messages: 1, ModSeq: 3})
		wantHouse(t, err)
		for _, items := range [][]mail.Item{ch.New, ch.Flags} {
			for i, it := range items {
				if it.Ref.Validity != ch.Status.Validity || uidOf(it) == 0 || i > 0 && uidOf(it) <= uidOf(items[i-1]) {
					t.Errorf("listed %+v", items)
				}
			}
		}
		_, err = src.Items(t.Context(), mail.Inbox, []uint32{2, 3})
		wantHouse(t, err)
		wantHouse(t, src.Heads(t.Context(), []mail.Item{item(2), item(3)}, func(_ mail.Item, r io.Reader) error {
			_, err := io.Copy(io.Discard, r)
			wantHouse(t, err)
			return err
		}))
	})
}

// The same of a remover: whatever it is told, what it means to remove it reports once.
func FuzzRemover(f *testing.F) {
	for _, seed := range []string{
		"* MYRIGHTS INBOX lrste\r\nTAG OK done\r\n", "* MYRIGHTS {5}\r\nINBOX \"\"\r\nTAG NO x\r\n",
		"* 2 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 4] x\r\n* OK [PERMANENTFLAGS (\\Deleted)] x\r\nTAG OK [READ-ONLY] done\r\n",
		"* 1 FETCH (UID 2 FLAGS (\\Deleted) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 3)\r\n* 2 FETCH (UID 3 BODY[HEADER] {5}\r\nA: b\n)\r\nTAG OK done\r\n",
		"* 1 EXPUNGE\r\n* 1 EXPUNGE\r\n* VANISHED 1:9\r\n* 0 EXISTS\r\nTAG NO [EXPUNGEISSUED] x\r\n", "TAG OK [COPYUID 1 2,3 *] x\r\n", "* BYE x\r\n",
	} {
		for verb := range byte(7) {
			f.Add(seed, verb)
		}
	}
	f.Fuzz(func(t *testing.T, answer string, verb byte) {
		verbs := []string{"SELECT", "UID FETCH", "UID STORE", "NOOP", "UID EXPUNGE", "UNSELECT", "MYRIGHTS"}
		s := &script{caps: "IMAP4rev1 UIDPLUS UNSELECT ACL", answer: func(s *talk, cmd string) bool {
			switch {
			case strings.HasPrefix(cmd, verbs[int(verb)%len(verbs)]):
				s.raw(strings.ReplaceAll(answer, "TAG", s.tag))
				s.conn.Close()
				return true
			case strings.HasPrefix(cmd, "SELECT"):
				s.say("* 2 EXISTS", `* OK [PERMANENTFLAGS (\Deleted)] kept`, "* OK [UIDVALIDITY 7] v", "* OK [UIDNEXT 4] n")
			case strings.Contains(cmd, "HEADER"):
				s.say("* 1 FETCH (UID 2 BODY[HEADER] {2}\r\n\r\n)", "* 2 FETCH (UID 3 BODY[HEADER] {2}\r\n\r\n)")
			case strings.HasPrefix(cmd, "UID FETCH"):
				s.say(`* 1 FETCH (UID 2 FLAGS () INTERNALDATE "17-Jul-1996 02:44:25 -0700" RFC822.SIZE 2)`, `* 2 FETCH (UID 3 FLAGS () RFC822.SIZE 2)`)
			default:
				return false
			}
			s.say(s.tag + " OK done")
			return true
		}}
		r := NewRemover(s.server(), mail.Login{User: "me", Password: password})
		defer s.running.Wait()
		defer r.Close()
		var did removal
		err := r.Remove(t.Context(), mail.Inbox, []mail.Item{item(2), item(3)}, did.removing())
		wantHouse(t, err)
		for _, uid := range did.intended {
			told := 0
			for _, s := range append(did.gone, did.told...) {
				if s == uid || strings.HasPrefix(s, uid+": ") {
					told++
				}
			}
			if told != 1 {
				t.Errorf("%s was intended and reported %d times: %+v", uid, told, did)
			}
		}
		wantHouse(t, r.Unmark(t.Context(), mail.Inbox, []mail.Item{item(2)}))
	})
}
