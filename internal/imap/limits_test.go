package imap

import (
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

func TestLimitOf(t *testing.T) {
	for answer, want := range map[string]string{ // code|text
		"|Request is throttled. Suggested Backoff Time: 299961 milliseconds": "session network later 4m59.961s",
		"|Suggested Backoff Time: 90 seconds, slow down":                     "session network later 1m30s",
		"UNAVAILABLE|Temporary authentication failure":                       "session network later 1m0s",
		"THROTTLED|":                     "session network later 1m0s",
		"THROTTLED|wait 999999999 hours": "session network later 24h0m0s",
		"INUSE|Mailbox in use":           "session network later 1m0s",
		"LIMIT|Rate limit hit":           "session network later 1m0s",
		"SERVERBUG|":                     "session network later 1m0s",
		"EXPUNGEISSUED|":                 "session network later 5s",
		"ALERT|Too many simultaneous connections. (Failure)":                                    "session network later 1m0s",
		"|Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)": "session network later 1m0s",
		"|Server Unavailable. 15":                                 "session network later 1m0s",
		"|Session expired, please login again.":                   "session quota later 1m0s",
		"OVERQUOTA|Account exceeded command or bandwidth limits.": "account quota later 1h0m0s",
		"|Account exceeded command or bandwidth limits, 5 hours":  "account quota later 5h0m0s",
		"OVERQUOTA|":  "account quota",
		"|Over quota": "account quota",
		"|552 5.2.2 The mailbox cannot take more": "account quota",
		"CONTACTADMIN|":          "account other",
		"TOOBIG|over quota size": "",
		"|5.7.1 message rejected: virus, do not try again":      "",
		"|Message contains NUL, try again without":              "",
		"|Maximum size of appendable message has been exceeded": "",
		"CANNOT|":        "",
		"NONEXISTENT|":   "",
		"ALREADYEXISTS|": "",
		"|max 15 sizes":  "",
	} {
		code, text, _ := strings.Cut(answer, "|")
		got := ""
		if e := limitOf(code, text); e != nil {
			e.Err = errString("")
			got, _, _ = strings.Cut(describe(e), ": ")
		}
		if got != want {
			t.Errorf("limitOf(%q) = %q, want %q", answer, got, want)
		}
	}
}

type errString string

func (e errString) Error() string { return string(e) }

// A server that refuses one message after the other for what may be its own fault is not sent all of them.
func TestAppendDoubts(t *testing.T) {
	sent := 0
	s := &script{answer: func(s *talk, cmd string) bool {
		if !strings.HasPrefix(cmd, "APPEND") {
			return false
		}
		if sent++; sent == 3 {
			taking("OK done")(s, cmd)
		} else {
			taking("NO [SERVERBUG] oops")(s, cmd)
		}
		return true
	}}
	var batch []mail.Outgoing
	for range 20 {
		batch = append(batch, message("a: b\r\n\r\nc"))
	}
	got := appendAll(t, s, batch...)
	if sent != 7 || !strings.HasPrefix(got[len(got)-1], "session network later 1m0s: ") || len(got) != 8 {
		t.Errorf("%d messages sent: %q", sent, got)
	}
}

// A refusal of the account, at the login or after it, is not asked for again, whichever of its sessions got it.
func TestShutOut(t *testing.T) {
	for name, test := range map[string]struct {
		verb, answer, hint, host string
	}{
		"expired":       {"LOGIN", "NO [EXPIRED] too old", "has expired", ""},
		"privacy":       {"LOGIN", "NO [PRIVACYREQUIRED] not so", "imaps://", ""},
		"authorization": {"LOGIN", "NO [AUTHORIZATIONFAILED] not you", "may not read this account", ""},
		"support":       {"LOGIN", "NO [CONTACTADMIN] call us", "support", ""},
		"Exchange":      {"LIST", "NO User is authenticated but not connected.", "Microsoft", ""},
		"163.com":       {"SELECT", "NO SELECT Unsafe Login. Please contact kefu@188.com for help", "authorization code", ""},
		"Gmail": {"LIST", "NO [ALERT] Your account is not enabled for IMAP use. Please visit your Gmail settings page and enable your account for IMAP access. (Failure)",
			"switch it on in Gmail's settings", "imap.gmail.com"},
	} {
		s := &script{answer: on(test.verb, saying("TAG "+test.answer))}
		c := s.client(t)
		c.server.Host = or(test.host, c.server.Host)
		for range 3 {
			_, err := c.Mailboxes(t.Context())
			if err == nil {
				_, err = c.Select(t.Context(), mail.Inbox)
			}
			e, ok := err.(*mail.Error)
			if !ok || e.Cause != mail.CauseLogin || e.Scope != mail.ScopeAccount || !strings.Contains(e.Hint, test.hint) {
				t.Errorf("%s: %s", name, describe(err))
			}
		}
		if s.conns != 1 {
			t.Errorf("%s: %d logins", name, s.conns)
		}
	}
}

// UID STORE goes in windows; of flags refused together each is tried once, and one refused once never again.
func TestMark(t *testing.T) {
	s := &script{answer: func(s *talk, cmd string) bool {
		if !strings.HasPrefix(cmd, "UID STORE") {
			return false
		}
		if strings.Contains(cmd, "bad") {
			s.say(s.tag + " NO [LIMIT] no more keywords")
		} else {
			s.say(`* 1 FETCH (FLAGS (\Seen))`, s.tag+" OK done")
		}
		return true
	}}
	var marks []mail.Marking
	for i := range 600 {
		flags := mail.MakeFlags("bad", "good", `\Deleted`, `\Draft`)
		if i >= 300 {
			flags = mail.MakeFlags("good", "bad")
		}
		marks = append(marks, mail.Marking{UID: uint32(10 + i), Flags: flags})
	}
	dropped, err := s.client(t).Mark(t.Context(), mail.Inbox, marks)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range map[int]mail.Flags{0: mail.MakeFlags("bad", `\Deleted`, `\Draft`), 299: mail.MakeFlags("bad", `\Deleted`, `\Draft`),
		300: mail.MakeFlags("bad"), 599: mail.MakeFlags("bad")} {
		if !mail.Flags(dropped[i]).Equal(want) {
			t.Errorf("mark %d drops %v, want %v", i, dropped[i], want)
		}
	}
	var stores []string
	for _, cmd := range s.log() {
		if strings.HasPrefix(cmd, "UID STORE") {
			stores = append(stores, strings.TrimPrefix(cmd, "UID STORE "))
		}
	}
	want := "10:259 +FLAGS.SILENT (bad good)|10:259 +FLAGS.SILENT (bad)|10:259 +FLAGS.SILENT (good)|" +
		"260:509 +FLAGS.SILENT (good)|510:609 +FLAGS.SILENT (good)"
	if got := strings.Join(stores, "|"); got != want {
		t.Errorf("commands %s", got)
	}
}

// A busy server is not a no to flags.
func TestMarkBusy(t *testing.T) {
	s := &script{answer: on("UID STORE", saying("TAG NO [UNAVAILABLE] wait 20 seconds"))}
	_, err := s.client(t).Mark(t.Context(), mail.Inbox, []mail.Marking{{UID: 10, Flags: mail.MakeFlags("x")}})
	if e, ok := err.(*mail.Error); !ok || e.Scope != mail.ScopeSession || e.Later != 20*time.Second {
		t.Errorf("Mark: %s", describe(err))
	}
}
