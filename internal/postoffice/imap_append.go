package postoffice

import (
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
)

// Append stores a message, if nothing befalls it. It takes the octets and flags from the relay, for imapserver
// gives some keywords a case of its own.
func (s *session) Append(name string, r imap.LiteralReader, options *imap.AppendOptions) (*imap.AppendData, error) {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return nil, err
	}
	m := Message{
		Octets:   s.literals[len(s.literals)-1],
		Flags:    flagList(s.command),
		Received: options.Time,
	}
	all := s.messages(m)
	f, at := s.faultAt(all)
	if f == nil {
		return s.append(name, all...)
	}
	s.withheld = f
	switch f.Do {
	case Done:
		return s.append(name, all...)
	case Partly:
		return s.append(name, all[:at]...)
	case Late:
		s.srv.after(f.After, func() { s.append(name, all...) })
	case AfterLook:
		s.srv.afterLook(s.n, func() { s.append(name, all...) })
	}
	return nil, nil
}

// faultAt returns what befalls the command, and because of which of its messages.
func (s *session) faultAt(all []Message) (befalls *Fault, at int) {
	for i := range all {
		if f := s.fault("APPEND", false, int64(len(all[i].Octets)), &all[i]); befalls == nil && f != nil {
			befalls, at = f, i
		}
	}
	return befalls, at
}

// append stores messages and returns the UID of the first.
func (s *session) append(name string, all ...Message) (first *imap.AppendData, err error) {
	for _, m := range all {
		data, err := s.appendOne(name, m)
		if err != nil {
			return nil, err
		}
		if first == nil && data != nil {
			first, s.appended = data, uint32(data.UID)
		}
	}
	return first, nil
}

func (s *session) appendOne(name string, m Message) (*imap.AppendData, error) {
	kept := true
	if keep := s.now().Keep; keep != nil {
		m, kept = keep(m)
	}
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	mb, err := s.find(name)
	if err != nil {
		return nil, no(imap.ResponseCodeTryCreate, "no such mailbox")
	}
	data := &imap.AppendData{UIDValidity: mb.validity, UID: imap.UID(mb.next)}
	if kept {
		s.account.deliver(mb, m)
	} else {
		mb.next++
	}
	if !s.has("UIDPLUS") {
		return nil, nil
	}
	return data, nil
}

var parentheses = regexp.MustCompile(`\(([^()]*)\)`)

// flagList returns the flags in an APPEND as the client wrote them.
func flagList(command string) []string {
	args := command[min(len("APPEND "), len(command)):]
	args = args[astring(args):] // a mailbox name may hold parentheses
	if found := parentheses.FindStringSubmatch(args); found != nil {
		return strings.Fields(found[1])
	}
	return nil
}

// after does something when so much time has passed, unless the server is closed before.
func (s *Server) after(d time.Duration, do func()) {
	s.running.Go(func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			do()
		case <-s.quit:
		}
	})
}

type look struct {
	conn int // the connection that does not count
	do   func()
}

// afterLook does something when another connection has looked into a mailbox.
func (s *Server) afterLook(conn int, do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looks = append(s.looks, look{conn, do})
}

// looked is called when a command has been done.
func (r *relay) looked() {
	if !strings.HasSuffix(r.verb, "FETCH") && !strings.HasSuffix(r.verb, "SEARCH") {
		return
	}
	r.srv.mu.Lock()
	var due, rest []look
	for _, l := range r.srv.looks {
		if l.conn == r.n {
			rest = append(rest, l)
		} else {
			due = append(due, l)
		}
	}
	r.srv.looks = rest
	r.srv.mu.Unlock()
	for _, l := range due {
		l.do()
	}
}
