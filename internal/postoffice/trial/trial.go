// Package trial holds what the tests that stop, cut and kill share: a mailbox of everything that is easily lost,
// doubled or altered, and the judge who compares both ends without a line of the code under test in between.
package trial

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
)

// Mail returns twelve messages, 16 KB at most in all: two that are equal, two different ones with one Message-ID,
// some without one, and octets of every kind that is easily changed.
func Mail() [][]byte {
	equal := text("<equal@trial.example>", "the same", "Sent twice by its author, and to be kept twice.\r\n")
	return [][]byte{
		text("<plain@trial.example>", "plain", strings.Repeat("A line like any other.\r\n", 12)),
		equal,
		text("<shared@trial.example>", "one id", "The first of two with one Message-ID.\r\n"),
		bytes.Clone(equal),
		text("<shared@trial.example>", "one id", "The second of two with one Message-ID.\r\n"),
		[]byte("From: nobody@trial.example\r\nSubject: no id\r\n\r\nNo Message-ID, no Date.\r\n"),
		text("<dots@trial.example>", "dots", ".\r\n..\r\n.leading\r\n\r\n...\r\n"),
		text("<odd@trial.example>", "odd octets", "lone\rCR, NUL \x00, \xff\xfe and 8-bit \xc3\xa4\r\n"),
		text("<eol@trial.example>", "no last line end", "It ends here"),
		[]byte("Message-ID: <head@trial.example>\r\nSubject: only a header\r\n\r\n"),
		[]byte("not a header line\r\nFrom the start it is no mail\r\n\r\n\r\nbut octets\r\n"),
		text("<long@trial.example>", "longer", strings.Repeat("0123456789abcdef", 400)+"\r\n"),
	}
}

func text(id, subject, body string) []byte {
	return fmt.Appendf(nil, "Received: by mx.trial.example; Tue, 5 Mar 2024 10:%02d:00 +0100\r\n"+
		"From: a@trial.example\r\nTo: b@trial.example\r\nDate: Tue, 5 Mar 2024 10:00:00 +0100\r\n"+
		"Message-ID: %s\r\nSubject: %s\r\n\r\n%s", len(body)%60, id, subject, body)
}

// A Verdict counts what went wrong between two ends.
type Verdict struct{ Lost, Doubled, Altered int }

func (v Verdict) String() string {
	return fmt.Sprintf("lost %d, doubled %d, altered %d", v.Lost, v.Doubled, v.Altered)
}

// Add adds another verdict.
func (v *Verdict) Add(o Verdict) {
	v.Lost += o.Lost
	v.Doubled += o.Doubled
	v.Altered += o.Altered
}

// Judge compares what was sent with what is shown, by octets with line ends in CRLF and a last one added, which is
// what POP3 itself makes of mail. A message that is shown and was never sent was altered on its way, so that one of
// those missing is not lost.
func Judge(sent, shown [][]byte) Verdict {
	count, known := map[[32]byte]int{}, map[[32]byte]bool{}
	for _, m := range sent {
		count[digest(m)]++
		known[digest(m)] = true
	}
	var v Verdict
	for _, m := range shown {
		d := digest(m)
		switch count[d]--; {
		case !known[d]:
			v.Altered++
		case count[d] < 0:
			v.Doubled++
		}
	}
	for d, n := range count {
		if known[d] {
			v.Lost += max(n, 0)
		}
	}
	v.Lost = max(v.Lost-v.Altered, 0)
	return v
}

func digest(m []byte) [32]byte {
	var b bytes.Buffer
	for i, c := range m {
		if c == '\n' && (i == 0 || m[i-1] != '\r') {
			b.WriteByte('\r')
		}
		b.WriteByte(c)
	}
	if !bytes.HasSuffix(m, []byte("\n")) {
		b.WriteString("\r\n")
	}
	return sha256.Sum256(b.Bytes())
}
