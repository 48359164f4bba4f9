package sasl

import (
	"strings"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Refusal is what a server answered to a login, or to the first command after it.
type Refusal struct {
	POP3  bool // over POP3; otherwise over IMAP
	Host  string
	Code  string // the response code (RFC 5530, RFC 3206), in capitals, without brackets
	Text  string
	Token bool // it was a token that was refused, not a password
}

// Remedy returns what the person can do, in a sentence or two and, where the provider has a page for it, with the link:
// by what the server says, or else by what people of this provider mostly do wrong, or else in general. It is never to
// lower the guard of an account.
func (r Refusal) Remedy() string {
	if hint := r.Known(); hint != "" {
		return hint
	}
	if hint := r.in(habits); hint != "" {
		return hint
	}
	if r.Token {
		return "get a new token, for this user and with a scope for mail"
	}
	protocol := "IMAP"
	if r.POP3 {
		protocol = "POP3"
	}
	return "check user name and password; the user name is often the whole e-mail address, and some providers want an app password or " +
		protocol + " switched on in their settings"
}

// Known returns the remedy if the words or the code of the answer tell what it means; else "".
func (r Refusal) Known() string { return r.in(answers) }

// Shuts reports whether the answer, to a command after the login, says that there is no way in after all.
func (r Refusal) Shuts() bool {
	return speaks(r, "user is authenticated but not connected|unsafe login|not enabled for pop|not enabled for imap")
}

func (r Refusal) in(table []remedy) string {
	for _, row := range table {
		if row.fits(r) {
			return row.hint
		}
	}
	return ""
}

// A remedy belongs to the answers that fit all of what it names.
type remedy struct {
	hosts string // domains, apart by spaces; "": all
	only  string // "POP3", "token" or "password"
	code  string
	says  string // words in lower case, several apart by "|", of which one is enough
	hint  string
}

func (row remedy) fits(r Refusal) bool {
	switch {
	case row.only == "POP3" && !r.POP3, row.only == "token" && !r.Token, row.only == "password" && r.Token:
		return false
	case row.code != "" && row.code != r.Code:
		return false
	}
	return at(r.Host, row.hosts) && (row.says == "" || speaks(r, row.says))
}

// speaks reports whether one of the words is in the answer; there are servers that put them where the code goes.
func speaks(r Refusal, words string) bool {
	text := strings.ToLower(r.Code + " " + r.Text)
	for w := range strings.SplitSeq(words, "|") {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}

// at reports whether the host is in one of the domains.
func at(host, domains string) bool {
	for d := range strings.FieldsSeq(domains) {
		if mail.InDomain(host, d) {
			return true
		}
	}
	return domains == ""
}
