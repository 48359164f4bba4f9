package imap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/mailhaul/mailhaul/internal/mail"
)

const (
	// maxInFlight and maxInFlightOctets bound what is sent without an answer, and so what is unsure after a cut; of bundles
	// there may be more messages (maxBundled), not more octets.
	maxInFlight       = 128
	maxInFlightOctets = 16 << 20
	// maxDoubts is how many messages in a row may be refused for a reason that may be the server's until nothing more is
	// sent for now.
	maxDoubts = 3
	// maxBalked is how many messages of a mailbox have to be sent twice for their flags until the rest is spared it.
	maxBalked = 3
)

const appendTo = "append to"

// Append sends a batch; see migrate.Destination. Where the server announces LITERAL+ (RFC 7888) many messages are
// under way at once; elsewhere each is announced while the one before waits for its answer.
//
// Flags are sent as far as the mailbox can keep them, \Deleted never, and fewer of them to a server that refuses a
// message for their sake. A message that was turned away for a reason that lies not in it, a quota or a busy server,
// is not reported, as if it had not been sent, and nothing more is sent; that reason is what Append returns. One that
// the server itself may be to blame for is reported with an error that says to try later, and after some in a row
// nothing more is sent either. A message that cannot be read here is reported with the error of reading it, which is
// no *mail.Error; the server has stored nothing of it.
//
// Outcomes are held against what Select told last: a mailbox that has got a new UIDVALIDITY since is an error of
// ScopeMailbox.
func (c *Client) Append(ctx context.Context, mailbox string, batch []mail.Outgoing, done func(i int, got mail.Stored, err error)) error {
	a := &appending{mailbox: mailbox, batch: batch, done: done, uids: make(map[uint32]bool)}
	for {
		a.clean = false
		err := c.with(ctx, appendTo, mailbox, func(s *session) error {
			a.session = s
			return a.run(c.opened)
		})
		// After a refusal some servers hang up, and after a message that cannot be read we do; that is the end
		// of a session, not of the batch.
		if a.gone == nil || !a.clean || a.stop != nil || ctx.Err() != nil {
			return err
		}
		if a.next == len(batch) && len(a.again) == 0 {
			return nil
		}
	}
}

// appending is one Append, over as many sessions as it takes.
type appending struct {
	*session
	mailbox string
	opened  mail.Status // what the UIDs are held against
	batch   []mail.Outgoing
	done    func(i int, got mail.Stored, err error)
	next    int             // of batch, to be sent
	flying  []flight        // sent and not answered, in order
	again   []attempt       // refused, and to be sent with fewer flags
	split   []attempt       // refused in bundles
	uids    map[uint32]bool // named so far
	gone    error           // why the session is over
	stop    error           // why nothing more may be sent
	doubts  int             // messages refused in a row for what the server may be to blame for
	clean   bool            // the session ended, if it did, with a message that was refused or cannot be read
}

// An attempt is to send one message of the batch.
type attempt struct {
	i       int
	reduced int
}

type flight struct {
	attempt
	letter *letter
	cmd    *imapclient.AppendCommand
	lacks  mail.Flags // what is not sent with it
}

func (a *appending) run(opened map[string]mail.Status) error {
	a.gone = nil
	if err := a.enter(opened); err != nil {
		return err
	}
	for {
		next, more := a.upNext()
		switch {
		case more && a.gone == nil && a.stop == nil && a.broken():
			a.gone = a.explain(a.guard.trouble())
		case more && a.gone == nil && a.stop == nil && a.mayFly(next):
			a.send(next)
		case len(a.flying) > 0:
			a.land()
		case len(a.split) > 0:
			a.resolve()
		default:
			return cmp.Or(a.stop, a.gone) // what it has said, before it hung up
		}
	}
}

// enter selects the mailbox if need be and makes sure that it is the one that was opened.
func (a *appending) enter(opened map[string]mail.Status) error {
	err := a.reopen(a.mailbox, opened)
	a.opened = opened[a.mailbox]
	return err
}

// reopen selects the mailbox if need be; it is an error if it is not the one that was opened before.
func (s *session) reopen(mailbox string, opened map[string]mail.Status) error {
	if s.mailbox != mailbox {
		if err := s.open(mailbox); err != nil {
			return err
		}
	}
	if _, ok := opened[mailbox]; !ok {
		opened[mailbox] = s.status
	}
	if opened[mailbox].Validity != s.status.Validity {
		return strange("the server has given the folder a new UIDVALIDITY since it was opened")
	}
	return nil
}

func (a *appending) upNext() (next attempt, more bool) {
	if len(a.again) > 0 {
		return a.again[0], true
	}
	return attempt{a.next, a.reduced}, a.next < len(a.batch)
}

// mayFly reports whether a message can be sent now. One that has to ask for consent is announced while the one before has
// no answer yet, so that the way there and back is made once for both; but not to a server that sends "+" before its
// time: it is not known then what that was for.
func (a *appending) mayFly(next attempt) bool {
	octets, messages := a.batch[next.i].Octets, 0
	if len(a.split) > 0 {
		return false
	}
	if len(a.flying) == 0 {
		return true
	}
	for _, f := range a.flying {
		octets += f.letter.total
		messages += f.messages()
	}
	last := a.flying[len(a.flying)-1]
	limit := 1 // what has been refused is to be known before much more is sent
	switch {
	case last.letter.hurry && a.guard.mayHurry(a.batch[next.i].Octets):
		limit = maxInFlight
		if a.mayBundle() {
			limit = maxBundled
		}
	case !a.alone && !a.guard.known().early:
		limit = 2
	}
	return messages < limit && octets <= maxInFlightOctets
}

func (a *appending) send(next attempt) {
	if len(a.again) > 0 {
		a.again = a.again[1:]
	} else {
		a.next++
	}
	m := a.batch[next.i]
	if limit := a.caps.appendLimit(); limit > 0 && m.Octets > limit {
		a.report(next.i, fmt.Errorf("the server takes messages of up to %d octets", limit))
		return
	}
	l, err := openLetter(m, a.guard.mayHurry(m.Octets))
	if err != nil {
		a.unread(next.i, err)
		return
	}
	if l.hurry && m.Octets <= small && a.mayBundle() {
		a.enclose(l)
	}
	a.guard.post(l)
	flags := a.storable(m.Flags, next.reduced)
	cmd := a.imap.Append(alias(a.mailbox), 0, &imap.AppendOptions{Flags: onWire(flags), Time: internalDate(m.Received)})
	cmd.Close() // what goes wrong here, the wait for the answer will tell
	l.close()
	l.source, l.octets = nil, nil
	a.flying = append(a.flying, flight{next, l, cmd, m.Flags.Without(flags)})
	if l.err != nil {
		a.gone = l.err
	}
}

// land takes the answer to the message that was sent first.
func (a *appending) land() {
	f := a.flying[0]
	a.flying = a.flying[1:]
	if f.letter.err != nil { // it is the last one: the server waits for octets that will never come
		a.guard.Close()
	}
	data, err := f.cmd.Wait()
	var no *imap.Error
	switch {
	case f.letter.err != nil:
		a.unread(f.i, f.letter.err)
	case err == nil && f.messages() > 1:
		a.storedAll(f, f.letter.validity, f.letter.uids)
	case err == nil:
		a.stored(f, data)
	case errors.As(err, &no) && no.Type != imap.StatusResponseTypeBye && f.messages() > 1:
		a.quarrel(f)
	case errors.As(err, &no) && no.Type != imap.StatusResponseTypeBye:
		a.refused(f, no)
	default:
		for _, one := range f.each() {
			a.lost(one, err)
		}
	}
}

func (a *appending) stored(f flight, data *imap.AppendData) {
	a.clean, a.doubts = false, 0
	if f.reduced > a.reduced {
		if a.balked++; a.balked >= maxBalked {
			a.reduced = f.reduced
		}
	}
	uid := uint32(data.UID)
	if data.UIDValidity != a.opened.Validity || uid < a.opened.Next || a.uids[uid] {
		uid = 0
	}
	a.uids[uid] = true
	a.done(f.i, mail.Stored{UID: uid, Lacks: f.lacks}, nil)
}

// refused deals with a definite no: the message is not stored (RFC 3501 §6.3.11).
func (a *appending) refused(f flight, no *imap.Error) {
	a.clean = true
	less, reducible := a.reducible(a.batch[f.i].Flags, f.reduced)
	switch err := a.refusal(no); {
	case reducible && aboutSyntax(no):
		a.again = append(a.again, attempt{f.i, less})
	case mayBeServer[no.Code]:
		a.doubt(f.i, err)
	case isWhole(no), err.Cause != mail.CauseRefused:
		a.stop = cmp.Or(a.stop, error(err))
	default:
		a.report(f.i, answer(no))
	}
}

// aboutSyntax reports whether a refusal may be about the flags: Mailutils says BAD to every keyword, and a limit may
// be one of their number. A BAD may as well be that of a server that is busy.
func aboutSyntax(no *imap.Error) bool {
	switch no.Code {
	case imap.ResponseCodeLimit, imap.ResponseCodeCannot, imap.ResponseCodeParse, imap.ResponseCodeClientBug:
		return true
	}
	words := strings.ToLower(no.Text)
	return no.Code == "" && strings.Contains(words, "flag") || no.Code == "" && strings.Contains(words, "keyword") ||
		no.Type == imap.StatusResponseTypeBad && limitIn(no) == nil
}

// mayBeServer are codes of a no that may be about this message or about all of them.
var mayBeServer = map[imap.ResponseCode]bool{imap.ResponseCodeServerBug: true, imap.ResponseCodeLimit: true}

// doubt leaves a message for later. When it goes on like this, it is not the messages.
func (a *appending) doubt(i int, err *mail.Error) {
	a.doubts++
	if a.doubts >= maxDoubts {
		a.stop = cmp.Or(a.stop, error(err))
	}
	a.done(i, mail.Stored{}, &mail.Error{Op: appendTo, Mailbox: mail.Printable(a.mailbox), Scope: mail.ScopeMessage, Cause: err.Cause, Later: err.Later, Err: err.Err})
}

// lost deals with a message that will not be answered any more.
func (a *appending) lost(f flight, err error) {
	err = a.explain(err)
	a.gone = err // what reading ran into tells more than what sending did
	if !f.letter.started {
		a.again = append(a.again, f.attempt)
		return
	}
	a.unsure(f.i, err)
}

// unsure tells of a message that may be stored or not, and ends the session.
func (a *appending) unsure(i int, err error) {
	a.gone = err
	a.clean = false
	var e *mail.Error
	errors.As(at(err, appendTo, a.mailbox), &e)
	e.Scope, e.Unsure = mail.ScopeSession, true
	a.done(i, mail.Stored{}, e)
}

// report tells of a message the server has refused.
func (a *appending) report(i int, err error) {
	a.clean = true
	a.done(i, mail.Stored{}, &mail.Error{Op: appendTo, Mailbox: mail.Printable(a.mailbox), Scope: mail.ScopeMessage, Cause: mail.CauseRefused, Err: err})
}

// unread tells of a message that could not be read here.
func (a *appending) unread(i int, err error) {
	a.clean = true
	a.done(i, mail.Stored{}, err)
}
