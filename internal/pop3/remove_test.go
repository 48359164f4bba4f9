package pop3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/backup"
	"github.com/mailhaul/mailhaul/backup/removertest"
	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/dovecot"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
)

var _ backup.Remover = (*Remover)(nil)

func TestRemover(t *testing.T) {
	for name, trouble := range map[string]postoffice.Trouble{
		"pipelining": {}, "one by one": {Without: []string{"PIPELINING"}}, "no CAPA": {Without: []string{"CAPA"}},
	} {
		t.Run(name, func(t *testing.T) {
			removertest.Test(t, func(t *testing.T, messages [][]byte) removertest.Account {
				s, _, me := inOffice(t, trouble, messages...)
				return removertest.Account{Remover: &Remover{Source: s}, Mail: func() (all [][]byte) {
					for _, m := range me.Messages(mail.Inbox) {
						all = append(all, m.Octets)
					}
					return all
				}}
			})
		})
	}
}

func TestRemoverAtDovecot(t *testing.T) {
	server := dovecot.Start(t, dovecot.Options{})
	users := 0
	removertest.Test(t, func(t *testing.T, messages [][]byte) removertest.Account {
		users++
		user := fmt.Sprintf("remove%d", users)
		for _, octets := range messages {
			server.Deliver(t, user, mail.Inbox, octets, nil, time.Now())
		}
		r := NewRemover(dial.Server{Host: dovecot.Host, Port: server.POP3S, CAFile: server.CAFile}, login(user, dovecot.Password))
		t.Cleanup(func() { r.Close() })
		return removertest.Account{Remover: r, Mail: func() (all [][]byte) {
			for _, m := range server.Messages(t, user, mail.Inbox) {
				all = append(all, m.Octets)
			}
			return all
		}}
	})
}

// A removed is what Remove has told of the messages, by number from 1 on.
type removed struct{ gone, unsure, stay, shown, unseen []string }

// removeAll asks for everything to be removed and returns what was told.
func removeAll(t *testing.T, r *Remover) (got removed, err error) {
	t.Helper()
	items, err := r.List(t.Context(), mail.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	err = r.Remove(t.Context(), mail.Inbox, items, mail.Removing{
		Same: func(it mail.Item, header io.Reader) (bool, error) {
			if header == nil {
				got.unseen = append(got.unseen, it.Ref.UID)
			} else {
				got.shown = append(got.shown, it.Ref.UID)
			}
			return true, nil
		},
		Intend: func([]mail.Item) error { return nil },
		Done: func(it mail.Item, err error) {
			var e *mail.Error
			switch {
			case err == nil:
				got.gone = append(got.gone, it.Ref.UID)
			case errors.As(err, &e) && e.Unsure:
				got.unsure = append(got.unsure, it.Ref.UID)
			default:
				got.stay = append(got.stay, it.Ref.UID)
			}
		},
	})
	return got, err
}

func left(me *postoffice.Account) int { return len(me.Messages(mail.Inbox)) }

// TestRemoveTrouble is what servers do instead: what became of a message is said as far as it is known, and no further.
func TestRemoveTrouble(t *testing.T) {
	n := len(trial.Mail())
	for name, c := range map[string]struct {
		trouble postoffice.Trouble
		want    [5]int // gone, unsure, stay, shown, unseen
		left    int
		fails   string
	}{
		"no TOP":                    {postoffice.Trouble{Without: []string{"TOP"}}, [5]int{n, 0, 0, 0, n}, 0, ""},
		"QUIT is done, and cut":     {postoffice.Trouble{On: postoffice.Only(2), Faults: []postoffice.Fault{{Verb: "QUIT", Do: postoffice.Done, End: postoffice.RST}}}, [5]int{0, n, 0, n, 0}, 0, "hung up"},
		"QUIT is not done, and cut": {postoffice.Trouble{On: postoffice.Only(2), Faults: []postoffice.Fault{{Verb: "QUIT", End: postoffice.RST}}}, [5]int{0, n, 0, n, 0}, n, "hung up"},
		"QUIT is refused":           {postoffice.Trouble{On: postoffice.Only(2), Faults: []postoffice.Fault{{Verb: "QUIT", Say: "-ERR some deleted messages not removed"}}}, [5]int{0, n, 0, n, 0}, n, "not removed"},
		"a DELE is refused":         {postoffice.Trouble{Faults: []postoffice.Fault{{Verb: "DELE", At: 3, Times: 1, Say: "-ERR not this one"}}}, [5]int{n - 1, 0, 1, n, 0}, 1, ""},
		"cut in the DELEs":          {postoffice.Trouble{On: postoffice.Only(2), Faults: []postoffice.Fault{{Verb: "DELE", At: 5, Times: 1, Do: postoffice.Done, End: postoffice.FIN}}}, [5]int{0, n, 0, n, 0}, n, "hung up"},
		"a TOP is refused":          {postoffice.Trouble{Faults: []postoffice.Fault{{Verb: "TOP", At: 2, Times: 1, Say: "-ERR [SYS/TEMP] later"}}}, [5]int{n - 1, 0, 1, n - 1, 0}, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, me := inOffice(t, c.trouble, trial.Mail()...)
			got, err := removeAll(t, &Remover{Source: s})
			if is := [5]int{len(got.gone), len(got.unsure), len(got.stay), len(got.shown), len(got.unseen)}; is != c.want || left(me) != c.left {
				t.Errorf("gone, unsure, stay, shown, unseen: %v, %d left; want %v, %d", is, left(me), c.want, c.left)
			}
			if (err == nil) != (c.fails == "") || err != nil && !strings.Contains(err.Error(), c.fails) {
				t.Errorf("Remove = %v, want %q", err, c.fails)
			}
		})
	}
}

// TestRemoveWithoutUIDL guards that nothing is removed by number where the server has no UIDLs.
func TestRemoveWithoutUIDL(t *testing.T) {
	s, server, me := inOffice(t, postoffice.Trouble{Without: []string{"UIDL"}}, trial.Mail()...)
	r := &Remover{Source: s}
	var e *mail.Error
	if _, err := r.Able(t.Context(), mail.Inbox); !errors.As(err, &e) || e.Scope != mail.ScopeMailbox || !strings.Contains(err.Error(), "no UIDL") {
		t.Errorf("Able = %v, want an error that names UIDL", err)
	}
	if got, err := removeAll(t, r); err == nil || len(got.shown)+len(got.gone)+len(got.unsure) > 0 {
		t.Errorf("Remove: %+v, %v", got, err)
	}
	if left(me) != len(trial.Mail()) || server.Count("DELE") > 0 {
		t.Errorf("%d messages are left after %d DELE", left(me), server.Count("DELE"))
	}
}

// TestRemoveFreshNumbers guards that a message is asked to go by the number that it has in the session that removes: another client
// has taken the first ones away since the listing.
func TestRemoveFreshNumbers(t *testing.T) {
	s, _, me := inOffice(t, postoffice.Trouble{}, trial.Mail()...)
	r := &Remover{Source: s}
	items, err := r.List(t.Context(), mail.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	r.End(t.Context())
	all := me.Messages(mail.Inbox)
	me.Expunge(mail.Inbox, all[0].UID)
	me.Expunge(mail.Inbox, all[2].UID)
	err = r.Remove(t.Context(), mail.Inbox, items[4:5], mail.Removing{
		Same:   func(mail.Item, io.Reader) (bool, error) { return true, nil },
		Intend: func([]mail.Item) error { return nil },
		Done: func(_ mail.Item, err error) {
			if err != nil {
				t.Error(err)
			}
		},
	})
	there := func(want postoffice.Message) bool {
		return slices.ContainsFunc(me.Messages(mail.Inbox), func(m postoffice.Message) bool { return m.UIDL == want.UIDL })
	}
	if err != nil || there(all[4]) || left(me) != len(all)-3 {
		t.Errorf("Remove = %v; the message is there: %v, %d are left", err, there(all[4]), left(me))
	}
}

// TestRemovalNotes guards that a person hears what a server does with mail by itself.
func TestRemovalNotes(t *testing.T) {
	for expire, want := range map[string]string{"NEVER": "", "0": "EXPIRE 0", "30 USER": "30 days after", "": "", "soon": ""} {
		s, _, _ := inOffice(t, postoffice.Trouble{Rewrite: func(command, line string) []string {
			return []string{strings.Replace(line, "EXPIRE NEVER", "EXPIRE "+expire, 1)}
		}}, trial.Mail()...)
		r := &Remover{Source: s}
		for range 2 {
			if _, err := r.Able(t.Context(), mail.Inbox); err != nil {
				t.Fatal(err)
			}
		}
		if notes := r.Notes(); len(notes) > 1 || (want == "") != (len(notes) == 0) || len(notes) == 1 && !strings.Contains(notes[0], want) {
			t.Errorf("EXPIRE %s: %q, want %q", expire, notes, want)
		}
	}
	for host, want := range map[string]bool{"pop.gmail.com": true, "pop.example.org": false} {
		if got := ownDeletion(host) != ""; got != want {
			t.Errorf("%s: explained %v, want %v", host, got, want)
		}
	}
}

// TestRemoveCancelledBefore says nothing at all.
func TestRemoveCancelledBefore(t *testing.T) {
	s, server, _ := inOffice(t, postoffice.Trouble{}, trial.Mail()...)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	err := (&Remover{Source: s}).Remove(ctx, mail.Inbox, []mail.Item{{Ref: mail.Ref{Mailbox: mail.Inbox, UID: "x"}}}, mail.Removing{})
	if !errors.Is(err, context.Canceled) || len(server.Commands()) > 0 {
		t.Errorf("Remove = %v after %v", err, server.Commands())
	}
}
