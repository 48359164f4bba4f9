package pop3

import (
	"strings"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// What servers say where a response code is missing, and what reading does at some. All of it may be wrong one
// day without harm: it only chooses words and pauses.

// maildropLocked: RFC 1939 has no response code, and its own example says "-ERR maildrop already locked".
func maildropLocked(st status) bool {
	text := strings.ToLower(st.text)
	return st.code == "" && strings.Contains(text, "maildrop") && strings.Contains(text, "lock")
}

// overLimit: Gmail, as [SYS/TEMP], for up to a day: "Account exceeded command or bandwidth limits".
func overLimit(st status) bool {
	return !st.ok && strings.Contains(strings.ToLower(st.text), "bandwidth limit")
}

// noSuchMessage: RFC 1939 §5, "-ERR no such message"; Dovecot, of a message that another session expunged,
// "-ERR Message not found".
func noSuchMessage(st status) bool {
	text := strings.ToLower(st.text)
	return strings.Contains(text, "no such message") || strings.Contains(text, "message not found")
}

// trace is what reading leaves behind, though nothing is deleted (P4).
func trace(host, greeting string) string {
	switch {
	case mail.InDomain(host, "gmail.com"), mail.InDomain(host, "googlemail.com"):
		return "Gmail takes what was read for delivered: it shows it over POP3 no more, and archives or deletes it if its settings say so; IMAP leaves no trace"
	case strings.Contains(greeting, "Dovecot"):
		return `Dovecot marks what was read as \Seen, unless it was told not to (pop3_no_flag_updates)`
	}
	return "the server may mark what was read as seen"
}

// ownDeletion is what DELE does where it is not what RFC 1939 has it do; "" for all we know.
func ownDeletion(host string) string {
	if mail.InDomain(host, "gmail.com") || mail.InDomain(host, "googlemail.com") {
		return `at Gmail the setting "when messages are accessed with POP" decides what becomes of mail that is deleted over POP: it may stay in the account and take up room as before; IMAP deletes it`
	}
	return ""
}
