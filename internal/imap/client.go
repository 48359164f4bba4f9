package imap

import (
	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Client is an IMAP account to write to: a migrate.Destination. It connects when it must and keeps the session
// until an error spoils it or Close ends it. It is used by one goroutine at a time. All errors are *mail.Error, but
// for that of a Fetch whose fn failed.
type Client struct {
	account
	opened map[string]mail.Status // what Select has told, by mailbox
}

// New returns a Client without connecting. Close must be called in the end.
func New(server dial.Server, login mail.Login) *Client {
	return &Client{account: account{server: server, login: login}, opened: make(map[string]mail.Status)}
}

// Serial reports whether the server takes one message after the other, because it has to be asked before each: it has no
// LITERAL+ (RFC 7888). It is known when there is a session.
func (c *Client) Serial() bool { return c.session != nil && !c.session.caps.has("LITERAL+") }

// NewViewer returns a Client that opens mailboxes with EXAMINE and says nothing that could change anything, as long as
// nothing is appended, created or marked.
func NewViewer(server dial.Server, login mail.Login) *Client {
	c := New(server, login)
	c.readOnly = true
	return c
}
