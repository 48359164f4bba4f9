package migrate_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/mailhaul/mailhaul/internal/imap"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
)

// TestTwinAfterRenumbering guards that mail which is the same as some that was brought before the server numbered the
// mailbox anew does not count as that: it is brought too, unless somebody else has.
func TestTwinAfterRenumbering(t *testing.T) {
	twin := trial.Mail()[:2]
	for _, tc := range []struct {
		why      string
		theirs   [][]byte // come before the second run
		repair   bool
		archived [][]byte
		appended int
	}{
		{"brought by us", nil, false, twin, 2},
		{"of one there is another", twin[:1], false, twin, 1},
		{"a mended copy", nil, true, trial.Mail()[10:11], 1},
	} {
		trouble := postoffice.Trouble{}
		if tc.repair {
			trouble = strict()
		}
		acct, srv := office(t, trouble)
		p := push{dir: filled(t, tc.archived...), dst: client(srv), pause: noWait, repair: tc.repair}
		if rep, err := p.run(t.Context()); err != nil || rep.Appended != len(tc.archived) {
			t.Errorf("%s: %+v, %v", tc.why, rep, err)
		}
		acct.Renumber(mail.Inbox, 77)
		deliver(acct, tc.theirs...)
		fill(t, p.dir, 10, nil, tc.archived...)
		p.dst = client(srv)
		rep, err := p.run(t.Context())
		if n := len(shown(acct)); err != nil || rep.Appended != tc.appended || n != 2*len(tc.archived) {
			t.Errorf("%s, then: %+v, %v; %d there", tc.why, rep, err, n)
		}
	}
}

// TestIntentOfATwinAfterRenumbering guards the same for what was about to be sent when the mailbox was numbered anew.
func TestIntentOfATwinAfterRenumbering(t *testing.T) {
	twin := trial.Mail()[:2]
	acct, srv := office(t, postoffice.Trouble{})
	p := push{dir: filled(t, twin...), dst: client(srv), pause: noWait}
	if _, err := p.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	fill(t, p.dir, 10, nil, twin...)
	for n := 1; ; n++ { // until it stops at the first APPEND
		w := &world{stopAt: n}
		p.world, p.dst = w, mortal{client(srv), w}
		if p.run(t.Context()); w.stopped == "APPEND" {
			break
		}
	}
	acct.Renumber(mail.Inbox, 77)
	p.world, p.dst = nil, client(srv)
	rep, err := p.run(t.Context())
	if n := len(shown(acct)); err != nil || n != 4 || rep.Known+rep.Appended != 4 {
		t.Errorf("%+v, %v; %d there", rep, err, n)
	}
}

// A mute destination does not let the trial's first message be read.
type mute struct{ *imap.Client }

func (m mute) Fetch(ctx context.Context, items []mail.Item, fn func(mail.Item, io.Reader) error) error {
	return m.Client.Fetch(ctx, items, func(it mail.Item, body io.Reader) error {
		octets, err := io.ReadAll(body)
		if bytes.Equal(octets, trial.Mail()[0]) {
			err = &mail.Error{Op: "read", Scope: mail.ScopeMessage, Cause: mail.CauseRefused, Err: errors.New("the server says: cannot")}
			octets = nil
		}
		return fn(it, io.MultiReader(bytes.NewReader(octets), iotest.ErrReader(cmp.Or(err, io.EOF))))
	})
}

// TestUnreadable guards that a message which the server has, and does not let us read, is not called one it has not kept.
func TestUnreadable(t *testing.T) {
	for _, without := range [][]string{nil, {"UIDPLUS"}} {
		_, srv := office(t, postoffice.Trouble{Without: without})
		rep, err := push{dir: filled(t, trial.Mail()...), dst: mute{client(srv)}, pause: noWait}.run(t.Context())
		if err != nil || rep.Appended != len(trial.Mail()) || rep.Refused > 0 {
			t.Errorf("without %v: %+v, %v", without, rep, err)
		}
	}
}
