package account

import "testing"

func TestAllowance(t *testing.T) {
	for typed, want := range map[string]Allowance{
		"imaps://me@imap.gmail.com":               {Down: 2500e6, Up: 500e6},
		"imaps://me@IMAP.gmail.com.":              {Down: 2500e6, Up: 500e6},
		"imaps://me@work.example@imap.gmail.com":  {Down: 2500e6, Up: 500e6},
		"imaps://me@imap.googlemail.com":          {Down: 2500e6, Up: 500e6},
		"pop3s://me@pop.gmail.com":                {Down: 1250e6},
		"pop3s://recent:me@pop.gmail.com":         {},
		"imaps://me@gmail.com@mail.example.org":   {},
		"imaps://me@imap.notgmail.com":            {},
		"imaps://me@imap.gmail.com.example.org":   {},
		"imap://me@localhost?tls=none":            {},
		"pop3s://recent%3Ame@pop.googlemail.com.": {Down: 1250e6},
	} {
		a, _ := Parse(typed, false)
		if got := a.Allowance(); got != want {
			t.Errorf("%s: Allowance = %v, want %v", typed, got, want)
		}
	}
}
