package pop3

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// maxCapabilities is more than any server has.
const maxCapabilities = 1000

// caps are the capabilities of a server (RFC 2449): the names in capitals and what follows each.
type caps map[string]string

// capa asks for them; a server that knows no CAPA has none.
func (c *session) capa() (caps, error) {
	st, err := c.ask("CAPA")
	if err != nil || !st.ok {
		return nil, err
	}
	return c.readCaps()
}

// readCapa reads the answer to a CAPA after the login, which may have changed them.
func (c *session) readCapa(*drop) error {
	st, err := c.answer()
	if err != nil || !st.ok {
		return err
	}
	c.caps, err = c.readCaps()
	return err
}

func (c *session) readCaps() (caps, error) {
	all := caps{}
	for range maxCapabilities {
		line, more, err := c.gate.line()
		if err != nil || !more {
			return all, err
		}
		name, args, _ := strings.Cut(string(line), " ")
		all[strings.ToUpper(name)] = strings.TrimSpace(args)
	}
	return nil, outOfStep("CAPA names more than %d capabilities", maxCapabilities)
}

func (all caps) has(name string) bool {
	_, ok := all[name]
	return ok
}

// loginDelay is the pause between logins that the server asks for (RFC 2449 §6.5), 0 if it asks for none.
func (all caps) loginDelay() time.Duration {
	args := strings.Fields(all["LOGIN-DELAY"])
	if len(args) == 0 {
		return 0
	}
	n, err := strconv.ParseUint(args[0], 10, 24)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}

// list returns the capabilities as the server wrote them, sorted, fit for a person.
func (all caps) list() []string {
	var lines []string
	for name, args := range all {
		lines = append(lines, mail.Printable(strings.TrimSpace(name+" "+args)))
	}
	slices.Sort(lines)
	return lines
}

// expiry says how long the server keeps mail that was read, if it removes it by itself (EXPIRE, RFC 2449 §6.7).
func (all caps) expiry() string {
	args := strings.Fields(all["EXPIRE"])
	if len(args) == 0 {
		return ""
	}
	switch days, err := strconv.ParseUint(args[0], 10, 24); {
	case err != nil: // NEVER
		return ""
	case days == 0:
		return "the server removes mail by itself as soon as it was read (EXPIRE 0)"
	default:
		return "the server may remove mail by itself " + strconv.FormatUint(days, 10) + " days after it was read or came in (EXPIRE)"
	}
}
