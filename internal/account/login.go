package account

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/sasl"
)

// setMechanism takes auth=MECHANISM, in any case. USER is the command of POP3, and LOGIN that of IMAP where it is allowed.
func (a *Account) setMechanism(name string) error {
	known := sasl.Names()
	if a.Protocol == POP3 {
		known = append(known, "USER")
	}
	a.Mechanism = strings.ToUpper(name)
	if !slices.Contains(known, a.Mechanism) {
		return wrong("there are "+strings.Join(known, ", "), "auth=%s is no way to log in over %s", mail.Printable(name), strings.ToUpper(a.Protocol))
	}
	return nil
}

// setOwner takes as=USER: whose mail is wanted.
func (a *Account) setOwner(name string) error {
	if name == "" || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return wrong("write as=USER, the owner of the mailbox", "as= names nobody")
	}
	a.Owner = name
	return nil
}

// owner returns whose mail it is: that of as=, or, where an administrator logs in as OWNER*ADMIN (Dovecot, Cyrus), what
// stands before the star.
func (a Account) owner() string {
	if a.Owner != "" {
		return a.Owner
	}
	if star := strings.LastIndexByte(a.User, '*'); star > 0 && star < len(a.User)-1 {
		return a.User[:star]
	}
	return a.User
}

// Login returns who logs in, with a password from s.
func (a Account) Login(s Secrets) mail.Login {
	return mail.Login{User: a.User, Password: s.Get, Authorize: a.Owner, Mechanism: a.Mechanism}
}

// LoginKey returns who logs in where: what a secret is kept under, which is not the owner's but that user's.
func (a Account) LoginKey() mail.Account {
	key := a.Key()
	key.User = a.User
	return key
}
