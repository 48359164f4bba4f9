package imap

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// maxName is the longest mailbox name anyone is believed to have, in octets.
const maxName = 1024

// go-imap reads mailbox names from modified UTF-7 and writes them back as such: a server's raw "Entwürfe", a lone
// "&" or an octet of Latin-1 ends its session or becomes another name. So it never sees one. It is given a name in
// hexadecimal digits, which the guard makes the server's own again on the way out.
const aliasPrefix = "mailbox."

// alias is the name under which go-imap knows a mailbox.
func alias(name string) string {
	if mail.IsInbox(name) {
		return mail.Inbox
	}
	return aliasPrefix + hex.EncodeToString([]byte(name))
}

// unalias returns the name on the wire.
func unalias(s string) string {
	digits, ok := strings.CutPrefix(s, aliasPrefix)
	name, err := hex.DecodeString(digits)
	if !ok || err != nil {
		return s
	}
	return string(name)
}

// unaliasLine gives the mailboxes in a command their names on the wire, as quoted strings: that is how servers list
// them, those with octets RFC 3501 does not allow in one among them.
func unaliasLine(line string) string {
	const open = `"` + aliasPrefix
	var b strings.Builder
	for {
		before, after, found := strings.Cut(line, open)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		digits, rest, _ := strings.Cut(after, `"`)
		b.WriteString(quote(unalias(aliasPrefix + digits)))
		line = rest
	}
}

var quoting = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

func quote(s string) string { return `"` + quoting.Replace(s) + `"` }

// checkName refuses a name that cannot be said on one line.
func checkName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("a folder must have a name")
	case strings.ContainsAny(name, "\r\n\x00"):
		return fmt.Errorf("the folder name %q holds a line end or NUL", name)
	case len(name) > maxName:
		return fmt.Errorf("the folder name is longer than %d octets", maxName)
	}
	return nil
}
