package imap

import (
	"errors"
	"io"
	"testing"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
)

// The line is cut at every octet of a session that reads, in both directions. What is returned without an error is
// whole, and so is every message that ends.
func TestSourceCut(t *testing.T) {
	office := postoffice.New()
	me := office.Account("me", canary)
	me.CreateMailbox("Work", "")
	fill(me, 4)
	since := mail.Status{}
	cuts, broken := 0, 0
	for _, with := range [][]string{{"CONDSTORE", "OBJECTID"}, nil} {
		read := func(cut postoffice.Cut) (postoffice.Traffic, error) {
			server := office.IMAP(postoffice.Trouble{With: with, Cut: cut})
			defer server.Close()
			s := NewSource(dial.Server{Host: "imap.example.org", Port: 143, Plain: true, Dialer: server.Dial}, mail.Login{User: "me", Password: password})
			defer s.Close()
			err := readEverything(t, s, me, since)
			return server.Traffic()[0], err
		}
		all, err := read(postoffice.Cut{})
		if err != nil {
			t.Fatal(err)
		}
		for way, octets := range map[postoffice.Way]int64{postoffice.FromClient: all.FromClient, postoffice.ToClient: all.ToClient} {
			for at := int64(1); at < octets; at++ {
				cuts++
				if _, err := read(postoffice.Cut{Way: way, At: at, How: postoffice.FIN}); err != nil {
					broken++
					wantHouse(t, err)
				}
			}
		}
	}
	t.Logf("%d cuts, %d of which were felt, nothing short", cuts, broken)
}

// readEverything reads as backup does and checks what it gets.
func readEverything(t *testing.T, s *Source, me *postoffice.Account, since mail.Status) error {
	t.Helper()
	boxes, err := s.Mailboxes(t.Context())
	if err != nil {
		return err
	}
	statuses, err := s.Statuses(t.Context(), boxes)
	if err != nil {
		return err
	}
	if len(boxes) != 2 || len(statuses) != 2 {
		t.Errorf("%d mailboxes, %d statuses", len(boxes), len(statuses))
	}
	ch, err := s.Changes(t.Context(), mail.Inbox, since)
	if err != nil {
		return err
	}
	messages := me.Messages(mail.Inbox)
	if len(ch.New) != len(messages) || ch.Partial != "" || ch.Status.Validity == 0 || ch.Status.Messages != uint32(len(messages)) {
		t.Errorf("%s", tale(ch))
	}
	for i, it := range ch.New {
		if it.Size != int64(len(messages[i].Octets)) || !it.Received.Equal(messages[i].Received) {
			t.Errorf("listed %+v, want %+v", it, messages[i])
		}
	}
	n := 0
	err = s.Fetch(t.Context(), ch.New, func(_ mail.Item, r io.Reader) error {
		octets, err := io.ReadAll(r)
		if err == nil && string(octets) != string(messages[n].Octets) {
			t.Errorf("message %d is %q, want %q", n, octets, messages[n].Octets)
		}
		if e := new(mail.Error); errors.As(err, &e) && e.Scope == mail.ScopeMessage {
			t.Errorf("message %d: %v", n, err)
		}
		n++
		return err
	})
	if err != nil {
		return err
	}
	if n != len(messages) {
		t.Errorf("%d messages came, want %d", n, len(messages))
	}
	return s.Heads(t.Context(), ch.New[2:3], func(_ mail.Item, r io.Reader) error {
		octets, err := io.ReadAll(r)
		if err == nil && string(octets) != "Subject: 2\r\n\r\n" {
			t.Errorf("the header is %q", octets)
		}
		return err
	})
}
