package main

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice/dovecot"
)

// TestAddressesAtDovecot moves real mail between two addresses of a domain whose DNS names a Dovecot, over POP3 and
// IMAP, both with TLS that begins with a command.
func TestAddressesAtDovecot(t *testing.T) {
	s := dovecot.Start(t, dovecot.Options{TLSRequired: true})
	pin := pinShown(t, program(t), fmt.Sprintf("imap://old@haul.example@127.0.0.1:%d?ca=%s", s.IMAP, s.CAFile))
	p := newProvince(t)
	t.Setenv("MAILHAUL_PASSWORD", dovecot.Password)
	p.Host("mail.haul.example")
	p.Service("imap", "haul.example", "mail.haul.example", uint16(s.IMAP))
	p.Service("pop3", "haul.example", "mail.haul.example", uint16(s.POP3))
	all := realMail(t)
	for _, m := range all {
		s.Deliver(t, "old@haul.example", mail.Inbox, m, nil, time.Unix(1_000_000_000, 0))
	}
	status, out, said := tell("migrate", "pop3:old@haul.example?pin="+pin, "new@haul.example?pin="+pin, "--archive", filepath.Join(t.TempDir(), "mail"))
	if status != exitDone {
		t.Fatalf("it ended with %d and said:\n%s%s", status, out, said)
	}
	var shown [][]byte
	for _, m := range s.Messages(t, "new@haul.example", mail.Inbox) {
		shown = append(shown, m.Octets)
	}
	t.Logf("%d messages; %s", len(all), compareMail(t, all, shown))
}
