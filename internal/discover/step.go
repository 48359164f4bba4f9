package discover

import "github.com/mailhaul/mailhaul/internal/mail"

// A Step is one thing that was asked on the way to the servers, and what came of it. Its texts are fit for a terminal.
type Step struct {
	Asked string `json:"asked"` // "https://autoconfig.example.org/mail/config-v1.1.xml"
	Found string `json:"found"` // "imap at imap.example.org:993 with TLS", or why nothing was
	Good  bool   `json:"good"`  // it led to servers
}

// found tells of the servers, or why there are none.
func (s *search) found(asked string, servers []Server, why string) {
	text := ""
	for _, server := range servers {
		if text != "" {
			text += ", "
		}
		text += server.Protocol + " at " + server.place()
	}
	if text == "" {
		text = why
	}
	if s.Watch != nil {
		s.Watch(Step{Asked: mail.Printable(asked), Found: mail.Printable(text), Good: len(servers) > 0})
	}
}
