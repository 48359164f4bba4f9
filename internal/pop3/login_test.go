package pop3

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
)

func TestLoginErrors(t *testing.T) {
	for _, tt := range []struct {
		answer string
		scope  mail.Scope
		cause  mail.Cause
		later  time.Duration
		text   string
	}{
		{"-ERR [AUTH] bad login", mail.ScopeAccount, mail.CauseLogin, 0, "log in: pop.example.org refused the login of me: [AUTH] bad login"},
		{"-ERR", mail.ScopeAccount, mail.CauseLogin, 0, "refused the login of me: it gave no reason"},
		{"-ERR account locked", mail.ScopeAccount, mail.CauseLogin, 0, "account locked"},
		{"-ERR [SOMETHING/ELSE] no", mail.ScopeAccount, mail.CauseLogin, 0, "[SOMETHING/ELSE] no"},
		{"-ERR xIN-USE] here", mail.ScopeAccount, mail.CauseLogin, 0, "xIN-USE] here"},
		{"-ERR no [IN-USE] here", mail.ScopeAccount, mail.CauseLogin, 0, "no [IN-USE] here"},
		{"-ERR [SYS/PERM] mailbox is damaged", mail.ScopeAccount, mail.CauseOther, 0, "mailbox is damaged"},
		{"-ERR [IN-USE] busy", mail.ScopeSession, mail.CauseNetwork, afterInUse, "another session has the maildrop: [IN-USE] busy"},
		{"-ERR[in-use]busy", mail.ScopeSession, mail.CauseNetwork, afterInUse, "another session has the maildrop"},
		{"-ERR maildrop already locked", mail.ScopeSession, mail.CauseNetwork, afterInUse, "maildrop already locked"},
		{"-ERR [LOGIN-DELAY] not so fast", mail.ScopeSession, mail.CauseNetwork, 15 * time.Minute, "a pause between logins"},
		{"-err [sys/temp] try later", mail.ScopeSession, mail.CauseNetwork, afterTrouble, "trouble for now: [sys/temp] try later"},
		{"-ERR [SYS/TEMP] Account exceeded command or bandwidth limits.", mail.ScopeAccount, mail.CauseQuota, afterQuota, "a limit of the provider is reached"},
	} {
		for _, verb := range []string{"USER", "PASS"} {
			s, p := scripted(t, map[string]string{verb: tt.answer + "\r\n", "CAPA": "+OK\r\nLOGIN-DELAY 900\r\n.\r\n"})
			_, err := s.List(t.Context(), mail.Inbox)
			e := wantError(t, err, tt.scope, tt.cause, tt.text)
			if e.Later != tt.later || e.Op != "log in" {
				t.Errorf("%q: later %s, op %q; want %s", tt.answer, e.Later, e.Op, tt.later)
			}
			if (e.Hint == "") != (strings.Contains(tt.text, "pause") || strings.Contains(tt.text, "trouble")) {
				t.Errorf("%q: hint %q", tt.answer, e.Hint)
			}
			_, again := s.List(t.Context(), mail.Inbox)
			dials := 2
			if tt.cause == mail.CauseLogin || tt.cause == mail.CauseOther {
				dials = 1 // an account is locked soon by those who try again
				if again != err {
					t.Errorf("%q: then %v", tt.answer, again)
				}
			}
			if p.sessions() != dials || strings.Contains(p.said(), "QUIT") {
				t.Errorf("%q: %d sessions, want %d; said %q", tt.answer, p.sessions(), dials, p.said())
			}
		}
	}
}

func TestGreetingSaysNo(t *testing.T) {
	for answer, text := range map[string]string{
		"-ERR [SYS/TEMP] overloaded": "trouble for now", "-ERR too many connections": "takes no session: too many connections", "-ERR": "gave no reason",
	} {
		s, _ := scripted(t, map[string]string{"": answer + "\r\n"})
		_, err := s.List(t.Context(), mail.Inbox)
		if e := wantError(t, err, mail.ScopeSession, mail.CauseNetwork, text); e.Later == 0 {
			t.Errorf("%q: not worth another try", answer)
		}
	}
}

// TestPasswordStaysSecret: not even a server that repeats it gets it into an error.
func TestPasswordStaysSecret(t *testing.T) {
	for _, verb := range []string{"", "CAPA", "USER", "PASS", "STAT", "UIDL", "LIST", "RETR", "TOP", "QUIT"} {
		for _, form := range []string{"-ERR you said PASS %s\r\n", "-ERR [AUTH] %s\r\n", "-ERR [IN-USE] %s\r\n", "-ERR [%s] x\r\n"} {
			s, _ := scripted(t, map[string]string{verb: fmt.Sprintf(form, canary)})
			_, err := readAll(t, s)
			if err == nil {
				err = s.End(t.Context())
			}
			var e *mail.Error
			if errors.As(err, &e) {
				wantError(t, err, e.Scope, e.Cause, "")
			}
		}
		s, _ := scripted(t, map[string]string{verb: "PASS " + canary + "\r\n"})
		if _, err := readAll(t, s); err != nil && strings.Contains(fmt.Sprintf("%v %+v", err, err), canary) {
			t.Errorf("the password is in %q", err)
		}
	}
}

// TestPasswordIsAskedOnce: over all sessions, and before anybody is called.
func TestPasswordIsAskedOnce(t *testing.T) {
	p, asked := new(script), 0
	s := New(dial.Server{Host: "pop.example.org", Plain: true, Dialer: p.dial}, mail.Login{User: "me", Password: func(context.Context) (string, error) {
		if asked++; asked == 1 {
			return "", errors.New("the keyring is locked")
		}
		return canary, nil
	}})
	_, err := s.List(t.Context(), mail.Inbox)
	wantError(t, err, mail.ScopeAccount, mail.CauseLogin, "get the password: the keyring is locked")
	if p.sessions() != 0 {
		t.Error("connected without a password")
	}
	for range 3 {
		if _, err := s.List(t.Context(), mail.Inbox); err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
	p.running.Wait()
	if asked != 2 {
		t.Errorf("asked %d times for the password, want once and once more after it failed", asked)
	}
}

// TestLoginOrder: capabilities before and after, UTF8 only where it is offered, and nothing ahead of an answer.
func TestLoginOrder(t *testing.T) {
	for capa, want := range map[string]string{
		"-ERR\r\n": "CAPA USER PASS CAPA STAT UIDL LIST",
		"+OK\r\nUTF8 USER\r\nPIPELINING\r\n.\r\n": "CAPA UTF8 USER PASS CAPA STAT UIDL LIST",
	} {
		s, p := scripted(t, map[string]string{"CAPA": capa, "UTF8": "-ERR not today\r\n"})
		if _, err := s.List(t.Context(), mail.Inbox); err != nil {
			t.Fatal(err)
		}
		var verbs []string
		for _, command := range strings.Split(p.said(), "\n") {
			verb, _, _ := strings.Cut(command, " ")
			verbs = append(verbs, verb)
		}
		if got := strings.Join(verbs, " "); got != want {
			t.Errorf("said %q, want %q", got, want)
		}
	}
}

// TestUTF8: Courier hands over a substitute for 8-bit mail to those who did not say it.
func TestUTF8(t *testing.T) {
	m := "Subject: Grüße\r\n\r\nx\r\n"
	s, _, _ := inOffice(t, postoffice.Trouble{Substitute: true}, []byte(m))
	if whole, err := readAll(t, s); err != nil || whole[0] != m {
		t.Errorf("read %q, %v; want the mail itself", whole, err)
	}
}

func TestLateCapabilities(t *testing.T) {
	calls := 0
	trouble := postoffice.Trouble{Rewrite: func(command, line string) []string {
		if command == "CAPA" && line == "PIPELINING" {
			if calls++; calls == 1 {
				return nil // before the login Gmail names a few only
			}
		}
		return []string{line}
	}}
	s, _, _ := inOffice(t, trouble, []byte("A: b\r\n\r\n"))
	r, err := s.Check(t.Context())
	if err != nil || !r.Pipelining || len(r.After) != len(r.Before)+1 {
		t.Errorf("Check = %+v, %v; want PIPELINING among the later capabilities", r, err)
	}
}
