package sasl

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
)

const canary = "CANARY-7f3a"

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// TestExchange: what is said to which challenges, by the letter of the RFCs and of Google's page.
func TestExchange(t *testing.T) {
	ann := Credential{User: "ann@example.org", Password: "pässwörd \\\"%", Host: "imap.example.org", Port: 993}
	tim := Credential{User: "tim", Password: "tanstaaftanstaaf"}
	token := Credential{User: "someuser@example.com", Token: "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg", Host: "server.example.com", Port: 143}
	odd := Credential{User: "a=b,c", Token: "t", Host: "h", Port: 1}
	shared := Credential{User: "ann", Authorize: "office", Password: "p"}
	sharedToken := Credential{User: "ann", Authorize: "office", Token: "t"}
	gmail := `{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}`
	for name, tt := range map[string]struct {
		c         Credential
		mechanism string
		says      []string // challenge, answer, …; answers in clear, but for "*"
		complaint string
		err       string
	}{
		"PLAIN":             {ann, "PLAIN", []string{"", "\x00ann@example.org\x00pässwörd \\\"%"}, "", ""},
		"PLAIN, chatty":     {ann, "PLAIN", []string{"go ahead!", "\x00ann@example.org\x00pässwörd \\\"%"}, "", ""},
		"PLAIN for another": {shared, "PLAIN", []string{"", "office\x00ann\x00p"}, "", ""},
		"PLAIN, again":      {tim, "PLAIN", []string{"", "\x00tim\x00tanstaaftanstaaf", "", "*"}, "", "the server asks for more than PLAIN has to say"},
		"LOGIN":             {ann, "LOGIN", []string{b64("Username:"), "ann@example.org", b64("Password:"), "pässwörd \\\"%"}, "", ""},
		"LOGIN, in clear":   {tim, "LOGIN", []string{"User Name", "tim", "", "tanstaaftanstaaf"}, "", ""},
		"LOGIN, again":      {tim, "LOGIN", []string{"", "tim", "", "tanstaaftanstaaf", "", "*", "", "*"}, "", "more than LOGIN"},
		// RFC 2195 §2
		"CRAM-MD5":        {tim, "CRAM-MD5", []string{"PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+", "tim b913a602c7eda7a495b4e6e7334d3890"}, "", ""},
		"CRAM-MD5, wrong": {tim, "CRAM-MD5", []string{"!!", "*"}, "", "challenge for CRAM-MD5 is not base64"},
		// developers.google.com, XOAUTH2
		"XOAUTH2": {token, "XOAUTH2", []string{"", "user=someuser@example.com\x01auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\x01\x01"}, "", ""},
		"XOAUTH2 refused": {token, "XOAUTH2", []string{"", "user=someuser@example.com\x01auth=Bearer " + token.Token + "\x01\x01", b64(gmail), ""},
			"status 400, it must be good for https://mail.google.com/", ""},
		"XOAUTH2 for another": {sharedToken, "XOAUTH2", []string{"", "user=office\x01auth=Bearer t\x01\x01"}, "", ""},
		"XOAUTH2, again":      {sharedToken, "XOAUTH2", []string{"", "user=office\x01auth=Bearer t\x01\x01", "eA==", "", "", "*"}, "x", "more than XOAUTH2"},
		// RFC 7628 §4.1, §4.3
		"OAUTHBEARER": {token, "OAUTHBEARER", []string{"", "n,a=someuser@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer " + token.Token + "\x01\x01"}, "", ""},
		"OAUTHBEARER refused": {odd, "OAUTHBEARER", []string{"", "n,a=a=3Db=2Cc,\x01host=h\x01port=1\x01auth=Bearer t\x01\x01",
			b64(`{"status":"invalid_token","scope":"example_scope","openid-configuration":"https://example.com"}`), "\x01"},
			"status invalid_token, it must be good for example_scope", ""},
		"OAUTHBEARER refused oddly": {odd, "OAUTHBEARER", []string{"", "n,a=a=3Db=2Cc,\x01host=h\x01port=1\x01auth=Bearer t\x01\x01", "no\x1b[2J", "\x01"}, `no\x1b[2J`, ""},
	} {
		x := tt.c.Exchange(tt.mechanism)
		for i := 0; i < len(tt.says); i += 2 {
			want := tt.says[i+1]
			if want != "*" {
				want = b64(want)
			}
			if got := x.Answer(tt.says[i]); got != want {
				clear, _ := base64.StdEncoding.DecodeString(got)
				t.Errorf("%s: answers %q with %q (%q), want %q", name, tt.says[i], got, clear, tt.says[i+1])
			}
		}
		if x.Complaint() != tt.complaint || (x.Err() == nil) != (tt.err == "") || x.Err() != nil && !strings.Contains(x.Err().Error(), tt.err) {
			t.Errorf("%s: complaint %q, error %v", name, x.Complaint(), x.Err())
		}
	}
}

// TestFirst: what goes with the command is not said again, and nothing goes that is too long.
func TestFirst(t *testing.T) {
	c := Credential{User: "u", Password: "p", Token: strings.Repeat("t", 1000)}
	for mechanism, ok := range map[string]bool{"PLAIN": true, "XOAUTH2": false, "LOGIN": false, "CRAM-MD5": false} {
		x := c.Exchange(mechanism)
		first, got := x.First(900)
		if got != ok || ok && first != b64("\x00u\x00p") {
			t.Errorf("%s: First = %q, %v", mechanism, first, got)
		}
		if _, again := x.First(900); again {
			t.Errorf("%s: a second first message", mechanism)
		}
		if ok && x.Answer("") != "*" {
			t.Errorf("%s: it is said again", mechanism)
		}
	}
}

func TestAsk(t *testing.T) {
	word := func(s string) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { return s, nil }
	}
	token := func(s string) func(context.Context, string) (string, error) {
		return func(_ context.Context, refused string) (string, error) { return s + refused, nil }
	}
	for name, tt := range map[string]struct {
		login mail.Login
		want  Credential
		err   string
	}{
		"password":          {mail.Login{User: "u", Password: word(" p ")}, Credential{User: "u", Password: " p "}, ""},
		"token":             {mail.Login{User: "u", Token: token("t-"), Password: word("p")}, Credential{User: "u", Token: "t-old"}, ""},
		"password is token": {mail.Login{User: "u", Mechanism: "xoauth2", Password: word("t")}, Credential{User: "u", Mechanism: "XOAUTH2", Token: "t"}, ""},
		"for another":       {mail.Login{User: "u", Authorize: "o", Password: word("p")}, Credential{User: "u", Authorize: "o", Password: "p"}, ""},
		"user":              {mail.Login{User: "u\r\nA1 LOGOUT", Password: word("p")}, Credential{}, "the user name holds a line end or NUL"},
		"owner":             {mail.Login{User: "u", Authorize: "a\x01b", Password: word("p")}, Credential{}, "the user name holds"},
		"line end":          {mail.Login{User: "u", Password: word(canary + "\n")}, Credential{}, "the password holds a line end or NUL"},
		"blank token":       {mail.Login{User: "u", Token: token(canary + " x")}, Credential{}, "the access token is none"},
		"token in UTF-8":    {mail.Login{User: "u", Token: token(canary + "ä")}, Credential{}, "the access token is none"},
		"token with ^A":     {mail.Login{User: "u", Token: token(canary + "\x01")}, Credential{}, "the access token is none"},
		"no token":          {mail.Login{User: "u", Token: func(context.Context, string) (string, error) { return "", errors.New("gone") }}, Credential{}, "get the password: gone"},
	} {
		got, err := Ask(t.Context(), tt.login, "old")
		if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %+v, %v", name, got.User, err)
		}
		if e := new(mail.Error); err != nil && !errors.As(err, &e) {
			t.Errorf("%s: %T", name, err)
		}
		if strings.Contains(fmt.Sprint(err, got), canary) {
			t.Errorf("%s: %v tells the secret", name, err)
		}
	}
}

func TestChoose(t *testing.T) {
	all := Offer{Mechanisms: []string{"PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER"}, Command: "LOGIN", Unicode: true}
	disabled := Offer{Mechanisms: all.Mechanisms}
	bare := Offer{Command: "USER"}
	with := func(o Offer, names ...string) Offer { o.Mechanisms = names; return o }
	password, umlaut := Credential{User: "u", Password: "p"}, Credential{User: "u", Password: "ü"}
	token, another := Credential{User: "u", Token: "t"}, Credential{User: "u", Authorize: "o", Password: "p"}
	told := func(c Credential, mechanism string) Credential { c.Mechanism = mechanism; return c }
	for name, tt := range map[string]struct {
		c    Credential
		o    Offer
		want string // the mechanism, "" the command, or the error
	}{
		"password by the command":        {password, all, ""},
		"nothing announced":              {password, bare, ""},
		"LOGINDISABLED":                  {password, disabled, "PLAIN"},
		"LOGINDISABLED, LOGIN":           {password, with(disabled, "LOGIN", "CRAM-MD5"), "LOGIN"},
		"LOGINDISABLED, CRAM-MD5":        {password, with(disabled, "CRAM-MD5"), "takes no password here (LOGINDISABLED)"},
		"LOGINDISABLED, tokens only":     {password, with(disabled, "XOAUTH2"), "takes no password here"},
		"umlaut":                         {umlaut, all, "PLAIN"},
		"umlaut by the command":          {umlaut, Offer{Command: "LOGIN", Unicode: true}, ""},
		"umlaut by LOGIN":                {umlaut, with(bare, "LOGIN"), "LOGIN"},
		"umlaut, no way":                 {umlaut, bare, "not in ASCII, and h has no way to say that"},
		"token":                          {token, all, "OAUTHBEARER"},
		"token at Microsoft":             {token, with(all, "PLAIN", "XOAUTH2"), "XOAUTH2"},
		"token, LOGINDISABLED":           {token, disabled, "OAUTHBEARER"},
		"token never as a password":      {token, with(all, "PLAIN", "LOGIN"), "takes no OAuth2 token here"},
		"token, nothing announced":       {token, bare, "takes no OAuth2 token here"},
		"for another":                    {another, all, "PLAIN"},
		"for another, no PLAIN":          {another, with(all, "LOGIN"), "takes no login for another"},
		"told LOGIN":                     {told(password, "LOGIN"), all, ""},
		"told LOGIN, disabled":           {told(password, "LOGIN"), disabled, "LOGIN"},
		"told LOGIN, disabled, no LOGIN": {told(password, "LOGIN"), with(disabled, "PLAIN"), "takes no password here (LOGINDISABLED)"},
		"told LOGIN over POP3":           {told(password, "LOGIN"), bare, "LOGIN"},
		"told USER":                      {told(password, "USER"), with(bare, "PLAIN"), ""},
		"told USER over IMAP":            {told(password, "USER"), all, "auth=USER is not for this protocol"},
		"told PLAIN":                     {told(password, "PLAIN"), bare, "PLAIN"},
		"told CRAM-MD5":                  {told(password, "CRAM-MD5"), all, "CRAM-MD5"},
		"told XOAUTH2":                   {told(token, "XOAUTH2"), all, "XOAUTH2"},
		"told PLAIN with a token":        {told(token, "PLAIN"), all, "auth=PLAIN does not fit"},
		"told LOGIN with a token":        {told(token, "LOGIN"), all, "auth=LOGIN does not fit"},
		"told LOGIN for another":         {told(another, "LOGIN"), all, "auth=LOGIN cannot say whose mail is wanted"},
		"told CRAM-MD5 for another":      {told(another, "CRAM-MD5"), all, "auth=CRAM-MD5 cannot say whose mail is wanted"},
	} {
		tt.c.Host = "h"
		got, err := tt.c.Choose(tt.o)
		var e *mail.Error
		switch {
		case err == nil && got != tt.want:
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		case err != nil && (!errors.As(err, &e) || !strings.Contains(err.Error(), tt.want) || tt.want == "" || e.Hint == "" || e.Scope != mail.ScopeAccount):
			t.Errorf("%s: %v (%+v), want %q", name, err, e, tt.want)
		}
	}
}

// TestRedact: secrets as servers may repeat them.
func TestRedact(t *testing.T) {
	long := "ya29." + strings.Repeat("Zx9_-", 60)
	c := Credential{User: "ann@example.org", Password: canary + ` "q\`, Host: "h"}
	tok := Credential{User: "ann@example.org", Token: long}
	short := Credential{User: "me", Password: "pw"}
	said := func(c Credential, mechanism string, challenges ...string) (line string) {
		x := c.Exchange(mechanism)
		for _, challenge := range append(challenges, "") {
			line = x.Answer(challenge)
		}
		return line
	}
	for _, tt := range []struct {
		c    Credential
		text string
		want string
	}{
		{c, `what is LOGIN ann@example.org ` + canary + ` "q\?`, `what is LOGIN ann@example.org ***?`},
		{c, `what is LOGIN "ann@example.org" "` + canary + ` \"q\\"?`, `what is LOGIN "ann@example.org" "***"?`},
		{c, "bad: " + said(c, "PLAIN"), "bad: ***"},
		{c, "bad: " + said(c, "PLAIN")[:38], "bad: ***"},
		{c, "bad: " + said(c, "LOGIN", ""), "bad: ***"},
		{c, "bad: " + said(c, "CRAM-MD5"), "bad: ***"},
		{tok, "bad: " + long + " sir", "bad: *** sir"},
		{tok, "bad: " + long[:40], "bad: ***"},
		{tok, "bad: " + said(tok, "XOAUTH2"), "bad: ***"},
		{tok, "bad: " + said(tok, "XOAUTH2")[:90], "bad: ***"},
		{tok, "bad: " + said(tok, "OAUTHBEARER"), "bad: ***"},
		{short, "PASS pw", "PASS ***"},
		{short, said(short, "PLAIN"), "***"},
		{short, b64("pw12345"), b64("pw12345")},
		{c, "Application-specific password required: https://support.google.com/accounts/answer/185833 (Failure)",
			"Application-specific password required: https://support.google.com/accounts/answer/185833 (Failure)"},
		{Credential{User: "u"}, "nothing to hide", "nothing to hide"},
	} {
		if got := tt.c.Redact(tt.text); got != tt.want {
			t.Errorf("Redact(%q) = %q, want %q", tt.text, got, tt.want)
		}
		text := fmt.Sprintf("%v %+v %#v %s %q", tt.c, tt.c, tt.c, tt.c, &tt.c)
		if tt.c.Password != "" && strings.Contains(text, tt.c.Password) || tt.c.Token != "" && strings.Contains(text, tt.c.Token) {
			t.Errorf("a credential prints as %s", text)
		}
	}
}

// FuzzExchange: whatever a server says, an exchange ends, and its complaint is fit for a terminal.
func FuzzExchange(f *testing.F) {
	for _, s := range []string{"", "*", b64(`{"status":"400"}`), b64("\x1b[2J"), b64(`{"status":"a\r\nb"}`), "====", b64(`{"scope":1}`)} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		c := Credential{User: "u", Password: "p", Token: "t"}
		for _, name := range Names() {
			x := c.Exchange(name)
			for _, challenge := range []string{one, two, one, two} {
				if line := x.Answer(challenge); strings.ContainsAny(line, "\r\n") {
					t.Errorf("%s answers %q", name, line)
				}
			}
			if x.Err() == nil || strings.ContainsAny(x.Complaint()+x.Err().Error(), "\r\n\x1b\x00") {
				t.Errorf("%s: %q, %v", name, x.Complaint(), x.Err())
			}
		}
		c.Redact(one + two)
	})
}
