package account

import "github.com/mailhaul/mailhaul/internal/mail"

// An Allowance is how many octets a provider lets go over the wire in a day, from an account and to it; 0: as many
// as one likes, or nobody knows.
type Allowance struct{ Down, Up int64 }

// allowances are what providers have said of themselves. An account that is over is locked, for a day perhaps.
var allowances = []struct {
	domain, protocol string // of the host
	Allowance
}{
	// Google Workspace Admin Help, "Gmail bandwidth limits", as quoted by efolder's knowledge base on 2016-05-23 and
	// by imapsync's FAQ.Gmail.txt in 2024-08. Those of other accounts than Workspace's are not published.
	{"gmail.com", IMAP, Allowance{Down: 2500e6, Up: 500e6}},
	{"googlemail.com", IMAP, Allowance{Down: 2500e6, Up: 500e6}},
	{"gmail.com", POP3, Allowance{Down: 1250e6}},
	{"googlemail.com", POP3, Allowance{Down: 1250e6}},
}

// Allowance returns what is known of the account's provider.
func (a Account) Allowance() Allowance {
	for _, row := range allowances {
		if a.Protocol == row.protocol && mail.InDomain(a.Host, row.domain) {
			return row.Allowance
		}
	}
	return Allowance{}
}
