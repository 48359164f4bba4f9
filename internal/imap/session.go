package imap

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// farewell is how long the server may take to answer LOGOUT.
const farewell = 5 * time.Second

// A session is a connection that is logged in. It has one owner and runs one command after the other, but for
// APPENDs.
type session struct {
	imap   *imapclient.Client
	guard  *guard
	cancel context.CancelCauseFunc // closes the connection at once

	host   string
	tls    string       // the version, "" if there is none
	before capabilities // of before the login
	caps   capabilities
	alone  bool // a message that waits for "+" is sent when all before it have their answers
	singly bool // it does not show many messages in answer to one command

	readOnly  bool                         // mailboxes are opened with EXAMINE
	spaces    *imapclient.NamespaceCommand // asked, and the answer not taken yet
	told      map[string]mail.Status       // of the mailboxes, the last time that was asked
	mailbox   string                       // selected; "" if none
	status    mail.Status
	guessed   bool       // its Next is a guess: the server does not tell
	permanent mail.Flags // what can be stored with a message in it
	keywords  bool       // so can any keyword
	spurned   mail.Flags // refused all the same, each by itself
	reduced   int        // how little of the flags it takes: allFlags, systemFlags or noFlags
	balked    int        // how many messages it refused for their flags
	quarrels  int        // how many bundles it refused
}

// openSession connects and logs in. The session outlives ctx.
func openSession(ctx context.Context, server dial.Server, login func(*session) error) (*session, error) {
	own, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	defer stop()
	conn, err := server.Dial(own)
	if err != nil {
		cancel(err)
		return nil, refusedInClear(err)
	}
	g := newGuard(conn)
	s := &session{imap: imapclient.New(g, nil), guard: g, cancel: cancel, host: server.Host}
	if state := conn.TLS(); state != nil {
		s.tls = tls.VersionName(state.Version)
	}
	if err := s.enter(login); err != nil {
		err = turnedAway(s.explain(err))
		s.abort(err)
		return nil, err
	}
	return s, nil
}

// turnedAway explains a line that ends before the login is done: some servers say in no other way that there are too
// many sessions.
func turnedAway(err error) error {
	var e *mail.Error
	if !errors.As(err, &e) || !errors.Is(err, io.ErrUnexpectedEOF) || e.Scope != mail.ScopeSession {
		return err
	}
	hinted := *e
	hinted.Later = max(e.Later, afterTurnedAway)
	hinted.Hint = "the account may have as many sessions as it may: close other mail programs, or run again later"
	return &hinted
}

// enter takes the session from the greeting to where commands can be given.
func (s *session) enter(login func(*session) error) error {
	if err := s.imap.WaitGreeting(); err != nil {
		return err
	}
	var err error
	if s.before, err = s.askCaps(); err != nil {
		return err
	}
	if s.imap.State() == imap.ConnStateNotAuthenticated { // not after PREAUTH
		s.guard.learn(func(f *facts) { f.caps = nil }) // the login may change them
		if err := login(s); err != nil {
			return err
		}
	}
	if isApple(s.host) {
		s.guard.learn(func(f *facts) { f.caps = nil })
	}
	if s.caps, err = s.askCaps(); err != nil {
		return err
	}
	s.singly = isExchange(s.guard.known().greeting)
	s.guard.speak(func(d *dialect) { d.identity, d.mailboxID = s.caps.identity(), s.caps.has("OBJECTID") })
	s.introduce()
	return nil
}

// askCaps returns the capabilities as the server has announced them, or asks for them.
func (s *session) askCaps() (capabilities, error) {
	if caps := s.guard.known().caps; caps != nil {
		return caps, nil
	}
	if _, err := s.imap.Capability().Wait(); err != nil {
		return nil, err
	}
	if caps := s.guard.known().caps; caps != nil {
		return caps, nil
	}
	return nil, wireError("the server does not name its capabilities")
}

// introduce tells the server who we are where it wants to know (RFC 2971): some in China open no mailbox before. What
// it answers is not waited for; the next command is behind it.
func (s *session) introduce() {
	if s.caps.has("ID") {
		s.imap.ID(&imap.IDData{Name: "mailhaul"})
	}
}

// sessionOnly passes over a server's no.
func sessionOnly(err error) error {
	var no *imap.Error
	if errors.As(err, &no) {
		return nil
	}
	return err
}

// broken reports whether the session is of no use any more.
func (s *session) broken() bool { return s.guard.trouble() != nil }

// awaitEnd waits until go-imap reads no more. It is called after an error of reading a literal, which is an error of
// the connection: go-imap then goes on at once, and whoever drains the literal afterwards reads into its own reading.
func (s *session) awaitEnd() {
	s.guard.Close()
	<-s.imap.Closed()
}

// abort closes the connection at once and waits until go-imap is done with it. Whatever go-imap has handed out must
// be drained by then.
func (s *session) abort(cause error) {
	if cause == nil {
		cause = context.Canceled
	}
	s.cancel(cause)
	s.guard.Close()
	s.imap.Close()
}

// logout ends the session politely, or not at all politely after a while. Whoever has only read need not wait for the
// answer.
func (s *session) logout() {
	timer := time.AfterFunc(farewell, func() { s.cancel(context.DeadlineExceeded) })
	defer timer.Stop()
	if goodbye := s.imap.Logout(); s.readOnly {
		s.guard.Close()
	} else {
		goodbye.Wait()
	}
	s.abort(nil)
}
