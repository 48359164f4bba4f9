package imap

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice/dovecot"
)

// fillAt delivers messages with the subjects 1 to n.
func fillAt(t *testing.T, server *dovecot.Server, user, mailbox string, n int) {
	for i := range n {
		server.Deliver(t, user, mailbox, fmt.Appendf(nil, "Subject: %d\r\n\r\n%d\r\n", i+1, i+1), nil, time.Unix(1_700_000_000+int64(i), 0))
	}
}

// subjectsAt is what is in a mailbox by subject, with a ! behind what is marked \Deleted.
func subjectsAt(t *testing.T, server *dovecot.Server, user, mailbox string) string {
	var all []string
	for _, m := range server.Messages(t, user, mailbox) {
		subject, _, _ := strings.Cut(strings.TrimPrefix(string(m.Octets), "Subject: "), "\r\n")
		if m.Flags.Has(mail.Deleted) {
			subject += "!"
		}
		all = append(all, subject)
	}
	return strings.Join(all, " ")
}

// At Dovecot another client marks mail and has some delivered before and while mail is removed: all of it stays.
func TestRemoveAmongOthersAtDovecot(t *testing.T) {
	server, user := dovecot.Shared(t), newUser()
	fillAt(t, server, user, mail.Inbox, 600)
	r := removerAt(t, server, user)
	items, err := r.List(t.Context(), mail.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	other := clientAt(t, server, user)
	if _, err := other.Select(mail.Inbox, nil).Wait(); err != nil {
		t.Fatal(err)
	}
	marks := func(uids ...imap.UID) {
		set := imap.UIDSetNum(uids...)
		if err := other.Store(set, &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagDeleted}}, nil).Close(); err != nil {
			t.Error(err)
		}
	}
	marks(2, 595)
	var did removal
	how, n := did.removing(), 0
	how.Same = func(it mail.Item, header io.Reader) (bool, error) {
		octets, err := io.ReadAll(header)
		if want := "Subject: " + it.Ref.UID + "\r\n\r\n"; string(octets) != want {
			t.Errorf("UID %s has the header %q", it.Ref.UID, octets)
		}
		if n++; n == 300 { // in the second batch, whose flags are known already
			marks(596)
			server.Deliver(t, user, mail.Inbox, []byte("Subject: new\r\n\r\nnew\r\n"), nil, time.Now())
		}
		return true, err
	}
	if err := r.Remove(t.Context(), mail.Inbox, items[:590], how); err != nil {
		t.Error(err)
	}
	if got, want := subjectsAt(t, server, user, mail.Inbox), "2! 591 592 593 594 595! 596! 597 598 599 600 new"; got != want {
		t.Errorf("left: %s, want %s", got, want)
	}
	if len(did.gone) != 589 || len(did.told) != 1 || !strings.HasPrefix(did.told[0], "2: message refused: ") {
		t.Errorf("%d gone, told %v", len(did.gone), did.told)
	}
	if r.session.mailbox != "" || !r.session.readOnly {
		t.Errorf("the session has %q open", r.session.mailbox)
	}
	// Our session's end expunges nothing.
	r.Close()
	if got := subjectsAt(t, server, user, mail.Inbox); strings.Count(got, "!") != 3 {
		t.Errorf("after LOGOUT: %s", got)
	}
}

// At a Dovecot in which the account has not all rights, that is known before anything is done.
func TestRemoveRightsAtDovecot(t *testing.T) {
	server := dovecot.Start(t, dovecot.Options{Rights: "Kept owner lrst\nSeen owner lr\nFree owner lrste"})
	user := newUser()
	for _, mailbox := range []string{"Kept", "Seen", "Free"} {
		fillAt(t, server, user, mailbox, 3)
	}
	r := removerAt(t, server, user)
	for mailbox, want := range map[string]string{
		"Kept": `mailbox refused: remove mail from Kept: the account lacks the right 'e' in Kept (RFC 4314): it has "lrstd"`,
		"Seen": `mailbox refused: remove mail from Seen: the account lacks the right 't' in Seen (RFC 4314): it has "lr"`,
		"Free": "ok",
	} {
		_, able := r.Able(t.Context(), mailbox)
		items, err := r.List(t.Context(), mailbox)
		if err != nil {
			t.Fatal(err)
		}
		var did removal
		err = r.Remove(t.Context(), mailbox, items[:2], did.removing())
		left := "1 2 3"
		if want == "ok" {
			left = "3"
		}
		if describe(able) != want || describe(err) != want || subjectsAt(t, server, user, mailbox) != left {
			t.Errorf("%s: Able: %s\nRemove: %s\nwant %s; left %s", mailbox, describe(able), describe(err), want, subjectsAt(t, server, user, mailbox))
		}
	}
	// And where it is not told: Dovecot says OK to an EXPUNGE that does nothing.
	r.Close()
	items, err := r.List(t.Context(), "Kept")
	if err != nil {
		t.Fatal(err)
	}
	delete(r.session.caps, "ACL")
	var did removal
	err = r.Remove(t.Context(), "Kept", items[:2], did.removing())
	if want := "mailbox protocol: remove mail from Kept: the server says that the message is gone, and still shows it"; describe(err) != want {
		t.Errorf("Remove: %s\nwant %s", describe(err), want)
	}
	if got := subjectsAt(t, server, user, "Kept"); got != "1 2 3" || len(did.told) != 2 {
		t.Errorf("left %s, told %v", got, did.told)
	}
}

// What a session has left marked at Dovecot is unmarked, and nothing else is.
func TestUnmarkAtDovecot(t *testing.T) {
	server, user := dovecot.Shared(t), newUser()
	fillAt(t, server, user, mail.Inbox, 5)
	other := clientAt(t, server, user)
	if _, err := other.Select(mail.Inbox, nil).Wait(); err != nil {
		t.Fatal(err)
	}
	other.Store(imap.UIDSetNum(1, 2, 3), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted, imap.FlagSeen}}, nil).Close()
	r := removerAt(t, server, user)
	items, err := r.List(t.Context(), mail.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	stranger := items[0]
	stranger.Ref.UID = "77"
	if err := r.Unmark(t.Context(), mail.Inbox, slices.Concat(items[1:4], []mail.Item{stranger})); err != nil {
		t.Error(err)
	}
	if got := subjectsAt(t, server, user, mail.Inbox); got != "1! 2 3 4 5" {
		t.Errorf("left: %s", got)
	}
}
