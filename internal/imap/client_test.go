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
