package postoffice

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (p *pop3) doCAPA(string) {
	p.status("+OK capabilities follow")
	for _, c := range []string{"USER", "TOP", "UIDL", "UTF8", "PIPELINING", "RESP-CODES", "AUTH-RESP-CODE", "EXPIRE NEVER"} {
		if p.has(c) {
			p.say(c)
		}
	}
	if names := p.mechanisms(); len(names) > 0 {
		p.say("SASL " + strings.Join(names, " "))
	}
	p.say(".")
}

// doAUTH is RFC 5034.
func (p *pop3) doAUTH(arg string) {
	mechanism, initial, given := strings.Cut(arg, " ")
	mechanism = strings.ToUpper(mechanism)
	if !slices.Contains(p.mechanisms(), mechanism) || given && p.at.TwoStep || !given && p.at.OneStep {
		p.status("-ERR Protocol error.")
		return
	}
	var account *Account
	server := p.srv.office.sasl(mechanism, func(a *Account) { account = a })
	var response []byte
	var err error
	if given {
		response, err = base64.StdEncoding.DecodeString(initial)
	}
	for err == nil {
		var challenge []byte
		var done bool
		if challenge, done, err = server.Next(response); done || err != nil {
			break
		}
		response, err = p.challenge(challenge)
	}
	if err != nil || account == nil {
		p.status("-ERR [AUTH] not so")
		return
	}
	p.admit(account)
}

// challenge says it and returns the answer.
func (p *pop3) challenge(challenge []byte) ([]byte, error) {
	p.say("+ " + base64.StdEncoding.EncodeToString(challenge))
	p.out.Flush()
	line, err := p.in.ReadString('\n')
	if err != nil {
		return nil, err
	}
	response, err := base64.StdEncoding.DecodeString(strings.TrimRight(line, "\r\n")) // "*" is none
	if response == nil {
		response = []byte{}
	}
	return response, err
}

func (p *pop3) doUTF8(string) {
	p.utf8 = true
	p.status("+OK UTF8 enabled")
}

func (p *pop3) doUSER(name string) {
	p.user = name
	p.status("+OK send PASS")
}

// patience is how long a login waits for another session to let the maildrop go. The session of a client that has
// just closed its connection needs a moment to end.
const patience = 100 * time.Millisecond

func (p *pop3) doPASS(password string) {
	account := p.srv.office.login(p.user, password)
	if account == nil {
		p.status("-ERR [AUTH] wrong user or password")
		return
	}
	p.admit(account)
}

// admit opens the maildrop.
func (p *pop3) admit(account *Account) {
	wait := time.NewTimer(patience)
	defer wait.Stop()
	select {
	case account.lock <- struct{}{}:
	case <-wait.C:
		p.status("-ERR [IN-USE] the maildrop is locked by another session")
		return
	}
	p.account, p.drop = account, account.maildrop(p.now().Window)
	p.status("+OK %d messages", len(p.drop))
}

// maildrop returns what a POP3 session is shown: the INBOX, or a window's worth of what was not popped yet.
func (a *Account) maildrop(window int) []*entry {
	a.mu.Lock()
	defer a.mu.Unlock()
	var drop []*entry
	for _, s := range a.mailbox(Inbox).mail {
		if window > 0 && (s.popped || len(drop) == window) {
			continue
		}
		drop = append(drop, &entry{stored: s})
	}
	return drop
}

// entry returns the message of that number, nil if there is none or it is marked deleted.
func (p *pop3) entry(arg string) *entry {
	arg, _, _ = strings.Cut(arg, " ")
	n, err := strconv.Atoi(arg)
	if err != nil || n < 1 || n > len(p.drop) || p.drop[n-1].deleted {
		return nil
	}
	return p.drop[n-1]
}

func (p *pop3) doSTAT(string) {
	count, octets := 0, 0
	for _, e := range p.drop {
		if !e.deleted {
			count++
			octets += p.size(e)
		}
	}
	p.status("+OK %d %d", count, octets)
}

func (p *pop3) doLIST(arg string) {
	p.listing(arg, func(e *entry) string { return strconv.Itoa(p.size(e)) })
}

func (p *pop3) doUIDL(arg string) { p.listing(arg, func(e *entry) string { return e.UIDL }) }

func (p *pop3) listing(arg string, about func(*entry) string) {
	if arg != "" {
		if e := p.entry(arg); e != nil {
			p.status("+OK %s %s", arg, about(e))
			return
		}
		p.status("-ERR no such message")
		return
	}
	p.status("+OK listing follows")
	for i, e := range p.drop {
		if !e.deleted {
			p.say(fmt.Sprintf("%d %s", i+1, about(e)))
		}
	}
	p.say(".")
}

func (p *pop3) doRETR(arg string) {
	e := p.entry(arg)
	if e == nil {
		p.status("-ERR no such message")
		return
	}
	e.retrieved = true
	p.status("+OK %d octets", p.size(e))
	p.body(p.shown(e))
}

func (p *pop3) doTOP(arg string) {
	_, count, _ := strings.Cut(arg, " ")
	e := p.entry(arg)
	n, err := strconv.Atoi(count)
	if e == nil || err != nil || n < 0 {
		p.status("-ERR no such message")
		return
	}
	p.status("+OK top of message follows")
	p.body(top(p.shown(e), n))
}

func (p *pop3) doDELE(arg string) {
	e := p.entry(arg)
	if e == nil {
		p.status("-ERR no such message")
		return
	}
	e.deleted = true
	p.status("+OK marked deleted")
}

func (p *pop3) doRSET(string) {
	for _, e := range p.drop {
		e.deleted = false
	}
	p.status("+OK")
}

func (p *pop3) doNOOP(string) { p.status("+OK") }

func (p *pop3) doQUIT(string) {
	if p.account != nil {
		p.account.update(p.drop)
	}
	p.over = true
	p.status("+OK bye")
}

// update is the UPDATE state (RFC 1939 §6).
func (a *Account) update(drop []*entry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	gone := make(map[*stored]bool)
	for _, e := range drop {
		e.popped = e.popped || e.retrieved
		gone[e.stored] = e.deleted
	}
	a.remove(a.mailbox(Inbox), func(s *stored) bool { return gone[s] })
}
