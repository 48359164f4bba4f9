package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice/dovecot"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
)

// TestDovecotImported imports a Maildir that a real server has written, and a Takeout, and restores both to an account of
// that server: octets, flags, keywords, times and folders are those of the files. All of it again brings nothing.
func TestDovecotImported(t *testing.T) {
	s := dovecot.Shared(t)
	const desk, attic = "desk@haul.example", "attic@haul.example"
	folders := []string{mail.Inbox, "Work", mail.EncodeUTF7("Work/Übung")}
	for i, m := range trial.Mail() {
		if len(m) > 0 { // which Dovecot takes from nobody
			s.Deliver(t, desk, folders[i%3], m, mail.MakeFlags([]string{`\Seen`, `\Flagged`, "urgent"}[:i%4]...), time.Unix(int64(1_000_000_000+i), 0))
		}
	}
	dir := t.TempDir()
	from := filepath.Join(dir, "All mail Including Spam and Trash.mbox")
	letter := "From 1@xxx Mon Apr 07 14:31:02 +0000 2025\nX-GM-THRID: 1\nX-Gmail-Labels: =?UTF-8?Q?Ungelesen,Markiert,\"A,_B\",Gesch=C3=A4ft/2025?=\nMessage-ID: <1@trial.example>\nSubject: x\n\n>From x\n\n"
	if err := os.WriteFile(from, []byte(letter), 0o600); err != nil {
		t.Fatal(err)
	}
	bin, ar := program(t), filepath.Join(dir, "mail")
	run := func(args ...string) report {
		t.Helper()
		p := newProcess(bin, append(args, "--json")...)
		p.cmd.Env = append(p.cmd.Env, "MAILHAUL_PASSWORD="+dovecot.Password)
		if status, err := p.finish(); err != nil || status != exitDone {
			t.Fatalf("%q ended with %d, %v:\n%s%s", args, status, err, &p.out, &p.err)
		}
		return finalReport(t, p.out.Bytes())
	}
	to := fmt.Sprintf("imaps://%s@localhost:%d?ca=%s", attic, s.IMAPS, s.CAFile)
	for pass, appended := range []int{len(trial.Mail()) - emptyOnes() + 2, 0} {
		run("import", s.MailDir(desk), ar)
		run("import", from, ar)
		if rep := run("restore", ar, to); rep.Destination.Appended != appended {
			t.Errorf("pass %d: %+v, want %d appended", pass, rep.Destination, appended)
		}
	}
	for _, name := range folders {
		got, want := s.Messages(t, attic, name), s.Messages(t, desk, name)
		for _, w := range want {
			same := func(g dovecot.Message) bool {
				return sumOf(t, g.Octets).Match == sumOf(t, w.Octets).Match && g.Flags.Equal(w.Flags) && g.Received.Equal(w.Received)
			}
			if !slices.ContainsFunc(got, same) {
				t.Errorf("%s: %.60q with %v is not there", name, w.Octets, w.Flags)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d messages, want %d", name, len(got), len(want))
		}
	}
	for _, name := range []string{"A, B", mail.EncodeUTF7("Geschäft/2025")} {
		got := s.Messages(t, attic, name)
		if len(got) != 1 || string(got[0].Octets) != "Message-ID: <1@trial.example>\r\nSubject: x\r\n\r\nFrom x\r\n" || !got[0].Flags.Equal(mail.MakeFlags(`\Flagged`)) ||
			!got[0].Received.Equal(time.Date(2025, 4, 7, 14, 31, 2, 0, time.UTC)) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func emptyOnes() (n int) {
	for _, m := range trial.Mail() {
		if len(m) == 0 {
			n++
		}
	}
	return n
}
