package mail

import "testing"

func TestInDomain(t *testing.T) {
	for _, tt := range []struct {
		host, domain string
		want         bool
	}{
		{"gmail.com", "gmail.com", true}, {"imap.gmail.com", "gmail.com", true}, {"IMAP.Gmail.COM.", "gmail.com", true},
		{"notgmail.com", "gmail.com", false}, {"gmail.com.example.org", "gmail.com", false}, {"com", "gmail.com", false},
		{"", "gmail.com", false}, {"mail.yahoo.com", "mail.me.com", false}, {"imap.mail.me.com", "mail.me.com", true},
	} {
		if got := InDomain(tt.host, tt.domain); got != tt.want {
			t.Errorf("InDomain(%q, %q) = %v, want %v", tt.host, tt.domain, got, tt.want)
		}
	}
}
