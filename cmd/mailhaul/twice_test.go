package main

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
)

// TestTwoAtOnce has two migrations, of two accounts with an archive each, bring mail to one account at the same time.
// Neither knows of the other: mail that only one of them has must be there as often as at its source, and mail that
// both have at least so often, and at most as often as at both sources together.
func TestTwoAtOnce(t *testing.T) {
	bin := program(t)
	for _, without := range [][]string{nil, {"UIDPLUS"}} {
		a, b := newRig(t, append(trial.Mail(), numbered("a", 150)...)), newRig(t, append(trial.Mail(), numbered("b", 150)...))
		b.dest = a.dest
		a.dst.SetTrouble(postoffice.Trouble{Without: without})
		runs := []*process{newProcess(bin, a.migrate()...), newProcess(bin, b.migrate()...)}
		for _, p := range runs {
			if err := p.start(); err != nil {
				t.Fatal(err)
			}
		}
		for _, p := range runs {
			if status, err := p.wait(); err != nil || status != exitDone {
				t.Errorf("without %v it ended with %d, %v:\n%s%s", without, status, err, &p.out, &p.err)
			}
		}
		twice := checkBoth(t, a, b)
		t.Logf("without %v: %d and %d messages made %d, %d of them because both brought them", without,
			len(octets(a.from, mail.Inbox)), len(octets(b.from, mail.Inbox)), len(octets(a.to, mail.Inbox)), twice)

		appends := a.dst.Count("APPEND")
		for _, r := range []*rig{a, b} {
			p := newProcess(bin, r.migrate()...)
			if status, err := p.finish(); err != nil || status != exitDone || a.dst.Count("APPEND") > appends {
				t.Errorf("a further run ended with %d, %v, after %d APPENDs", status, err, a.dst.Count("APPEND")-appends)
			}
		}
	}
}

func numbered(by string, n int) (all [][]byte) {
	for i := range n {
		all = append(all, fmt.Appendf(nil, "Message-ID: <%d@%s.example>\r\nSubject: %d\r\n\r\nMessage %d of %s.\r\n", i, by, i, i, by))
	}
	return all
}

// checkBoth checks what two rigs have brought to the destination of the first, and returns how many messages are
// there twice because both had them.
func checkBoth(t *testing.T, a, b *rig) (twice int) {
	t.Helper()
	inA, inB, there := histogram(octets(a.from, mail.Inbox)), histogram(octets(b.from, mail.Inbox)), histogram(octets(a.to, mail.Inbox))
	for _, in := range []map[[32]byte]int{inA, inB} {
		for d := range in {
			if least, most := max(inA[d], inB[d]), inA[d]+inB[d]; there[d] < least || there[d] > most {
				t.Errorf("a message is there %d times, want %d to %d", there[d], least, most)
			}
		}
	}
	for d, n := range there {
		if inA[d]+inB[d] == 0 {
			t.Error("a message is there that nobody sent")
		}
		twice += n - max(inA[d], inB[d])
	}
	return twice
}

// histogram counts messages by what POP3 makes of them: with a last line end.
func histogram(messages [][]byte) map[[32]byte]int {
	n := map[[32]byte]int{}
	for _, m := range messages {
		if m[len(m)-1] != '\n' {
			m = append(m[:len(m):len(m)], "\r\n"...)
		}
		n[sha256.Sum256(m)]++
	}
	return n
}
