package desttest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
	"github.com/mailhaul/mailhaul/testdata"
)

var received = time.Date(2001, 9, 9, 3, 46, 40, 0, time.FixedZone("", 2*3600))

// outgoing is the message as an archive would send it: in canonical form.
func outgoing(octets []byte) mail.Outgoing {
	canon, err := io.ReadAll(mail.Canonical(bytes.NewReader(octets)))
	if err != nil {
		panic(err) // reading from memory does not fail
	}
	return mail.Outgoing{Received: received, Octets: int64(len(canon)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(canon)), nil }}
}

func octets(bodies ...string) [][]byte {
	var all [][]byte
	for i, body := range bodies {
		all = append(all, fmt.Appendf(nil, "Message-ID: <%d@dest.example>\r\nSubject: %s\r\n\r\n%s\r\n", i, body, body))
	}
	return all
}

// An answer is one call of done.
type answer struct {
	uid   uint32
	lacks mail.Flags
	err   error
}

// appendTo appends to the INBOX and returns the answers by message; one that is missing was not reported.
func appendTo(t *testing.T, a Account, batch []mail.Outgoing) (map[int]answer, error) {
	t.Helper()
	answers := make(map[int]answer)
	err := a.Destination.Append(t.Context(), mail.Inbox, batch, func(i int, got mail.Stored, err error) {
		if _, twice := answers[i]; twice || i < 0 || i >= len(batch) {
			t.Errorf("the outcome of message %d of %d is reported twice, or not one of them", i, len(batch))
		}
		answers[i] = answer{got.UID, got.Lacks, err}
	})
	return answers, err
}

// mustAppend appends messages to the INBOX, all of which must be taken, and returns their UIDs.
func mustAppend(t *testing.T, a Account, messages [][]byte) []uint32 {
	t.Helper()
	var batch []mail.Outgoing
	for _, m := range messages {
		batch = append(batch, outgoing(m))
	}
	return mustSend(t, a, batch)
}

func mustSend(t *testing.T, a Account, batch []mail.Outgoing) []uint32 {
	t.Helper()
	answers, err := appendTo(t, a, batch)
	if err != nil {
		t.Fatal(err)
	}
	uids := make([]uint32, len(batch))
	for i := range batch {
		got, told := answers[i]
		if !told || got.err != nil {
			t.Fatalf("message %d of %d: told %v, %v", i, len(batch), told, got.err)
		}
		uids[i] = got.uid
	}
	return uids
}

// wantInbox: the INBOX holds these messages and no other, in this order, octet by octet.
func wantInbox(t *testing.T, a Account, messages [][]byte) []Message {
	t.Helper()
	stored := a.Messages(mail.Inbox)
	if len(stored) != len(messages) {
		t.Fatalf("%d messages in the INBOX, want %d", len(stored), len(messages))
	}
	for i, m := range stored {
		if !same(m.Octets, messages[i]) {
			t.Errorf("message %d is %.80q, want %.80q", i, m.Octets, messages[i])
		}
	}
	return stored
}

// same: Dovecot drops a CR before CRLF and at the end, and shows NUL as 0x80; every other octet counts.
func same(got, want []byte) bool {
	a, b := sum(got), sum(want)
	changes := bytes.Contains(want, []byte("\r\r\n")) || bytes.HasSuffix(want, []byte("\r")) || bytes.IndexByte(want, 0) >= 0
	return a.Digest == b.Digest || changes && a.Match == b.Match
}

func sum(octets []byte) mail.Sum {
	s, err := mail.SumOf(bytes.NewReader(octets))
	if err != nil {
		panic(err) // reading from memory does not fail
	}
	return s
}

// odd is mail of all the kinds that are easily changed.
func odd() [][]byte {
	return append(trial.Mail(),
		[]byte("Subject: bare LF\n\nin\nhere\n"),
		[]byte("Subject: lone CR\r\n\r\na\rb\r\n"),
		[]byte("Subject: CR CR LF\r\n\r\na\r\r\nb\r\n"),
		[]byte("Subject: NUL\r\n\r\na\x00b\r\n"),
		[]byte("Subject: \xe4\xf6\xfc\r\n\r\n8-bit header\r\n"),
		[]byte("no colon\r\n\r\nat all\r\n"),
		[]byte("From me@dest.example Sun Sep  9 01:46:40 2001\r\nSubject: mbox\r\n\r\nx\r\n"),
		[]byte("Subject: no end"),
		[]byte("Subject: commands\r\n\r\n{5}\r\nT1 NOOP\r\n* BYE\r\n)\r\n"),
		[]byte("\r\n"),
		[]byte("x"),
		[]byte("Subject: large\r\n\r\n"+strings.Repeat("0123456789abcdef", 5<<16)+"\r\n"),
		[]byte("Subject: small after large\r\n\r\n.\r\n"),
	)
}

// appendOdd: every octet arrives, in the order they were sent, and a UID that is named is right.
func appendOdd(t *testing.T, a Account) {
	status := mustSelect(t, a)
	messages := odd()
	uids := mustAppend(t, a, messages)
	for i, m := range wantInbox(t, a, messages) {
		if m.UID < status.Next || uids[i] != 0 && uids[i] != m.UID {
			t.Errorf("message %d has UID %d and is said to have %d; UIDNEXT was %d", i, m.UID, uids[i], status.Next)
		}
	}
}

func appendReal(t *testing.T, a Account) {
	var messages [][]byte
	for _, m := range testdata.Messages() {
		if len(m.Octets) > 0 {
			messages = append(messages, m.Octets)
		}
	}
	mustAppend(t, a, messages)
	wantInbox(t, a, messages)
}

// flags: those that a client may set arrive, keywords among them; \Deleted does not.
func flags(t *testing.T, a Account) {
	sets := [][]string{nil, {`\Seen`}, {`\Seen`, `\Answered`, `\Flagged`, `\Draft`}, {"$Forwarded", "work", "$Label1"}, {`\Deleted`, `\Seen`}, {"two words", `\Flagged`}}
	want := [][]string{nil, sets[1], sets[2], sets[3], {`\Seen`}, {`\Flagged`}}
	var batch []mail.Outgoing
	for _, set := range sets {
		m := outgoing(octets("flags")[0])
		m.Flags = mail.MakeFlags(set...)
		batch = append(batch, m)
	}
	answers, err := appendTo(t, a, batch)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range a.Messages(mail.Inbox) {
		if !m.Flags.Equal(mail.MakeFlags(want[i]...)) {
			t.Errorf("message %d has the flags %v, want %v", i, m.Flags, want[i])
		}
		if lacks := batch[i].Flags.Without(m.Flags); answers[i].err != nil || !answers[i].lacks.Equal(lacks) {
			t.Errorf("message %d is said to lack %v, %v; want %v", i, answers[i].lacks, answers[i].err, lacks)
		}
	}
}

// mark: flags are added, beside those there are, and those that cannot be are told; \Deleted never is. What is not
// there harms nobody.
func mark(t *testing.T, a Account) {
	first := outgoing(octets("flags")[0])
	first.Flags = mail.MakeFlags(`\Seen`)
	mustSend(t, a, []mail.Outgoing{first, outgoing(octets("x", "y")[1])})
	there := a.Messages(mail.Inbox)
	for range 2 {
		dropped, err := a.Destination.Mark(t.Context(), mail.Inbox, []mail.Marking{
			{UID: there[1].UID, Flags: mail.MakeFlags("work", `\Flagged`)},
			{UID: there[0].UID, Flags: mail.MakeFlags("two words", `\Deleted`, `\Flagged`, "work")},
			{UID: 4000000000, Flags: mail.MakeFlags("work")},
		})
		if err != nil || len(dropped) != 3 || len(dropped[0]) > 0 || !dropped[1].Equal(mail.MakeFlags(`\Deleted`, "two words")) {
			t.Errorf("Mark = %q, %v", dropped, err)
		}
	}
	for i, want := range [][]string{{`\Flagged`, `\Seen`, "work"}, {`\Flagged`, "work"}} {
		if m := a.Messages(mail.Inbox)[i]; !m.Flags.Equal(mail.MakeFlags(want...)) {
			t.Errorf("message %d has the flags %v, want %v", i, m.Flags, want)
		}
	}
}

// dates: the moment of arrival is kept, whatever zone it was told in.
func dates(t *testing.T, a Account) {
	times := []time.Time{received, received.UTC(), time.Date(1996, 7, 17, 2, 44, 25, 0, time.FixedZone("", -7*3600)),
		time.Date(2024, 2, 29, 23, 59, 59, 0, time.FixedZone("", 5*3600+1800)), time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC)}
	var batch []mail.Outgoing
	for _, at := range times {
		m := outgoing(octets("dates")[0])
		m.Received = at
		batch = append(batch, m)
	}
	mustSend(t, a, batch)
	for i, m := range a.Messages(mail.Inbox) {
		if !m.Received.Equal(times[i]) {
			t.Errorf("message %d arrived at %v, want %v", i, m.Received, times[i])
		}
	}
}

// duplicates: equal messages stay as many as they are.
func duplicates(t *testing.T, a Account) {
	m := octets("twice")[0]
	mustAppend(t, a, [][]byte{m, m})
	mustAppend(t, a, [][]byte{m})
	wantInbox(t, a, [][]byte{m, m, m})
}

// refused: a message the server does not want is its own affair.
func refused(t *testing.T, a Account) {
	messages := octets("before", "after")
	batch := []mail.Outgoing{outgoing(messages[0]), outgoing(nil), outgoing(messages[1]), outgoing(nil)}
	answers, err := appendTo(t, a, batch)
	if err != nil || len(answers) != 4 || answers[0].err != nil || answers[2].err != nil {
		t.Fatalf("Append: %v, %v", answers, err)
	}
	for _, i := range []int{1, 3} {
		var e *mail.Error
		if !errors.As(answers[i].err, &e) || e.Scope != mail.ScopeMessage || e.Cause != mail.CauseRefused || e.Unsure {
			t.Errorf("a message that is refused: %#v", answers[i].err)
		}
	}
	wantInbox(t, a, messages)
}

// unreadable: a message that cannot be read here, at once or half way, never arrives in any form.
func unreadable(t *testing.T, a Account) {
	messages := octets("before", "between", "after")
	broken := errors.New("input/output error")
	gone, half := outgoing(messages[0]), outgoing(bytes.Repeat([]byte("x\r\n"), 1<<20))
	gone.Open = func() (io.ReadCloser, error) { return nil, broken }
	whole := half.Open
	half.Open = func() (io.ReadCloser, error) {
		r, err := whole()
		return io.NopCloser(io.MultiReader(io.LimitReader(r, 2<<20), failing{broken})), err
	}
	batch := []mail.Outgoing{outgoing(messages[0]), gone, outgoing(messages[1]), half, outgoing(messages[2])}
	answers, err := appendTo(t, a, batch)
	if err != nil || len(answers) != 5 || !errors.Is(answers[1].err, broken) || !errors.Is(answers[3].err, broken) {
		t.Fatalf("Append: %v, %v", answers, err)
	}
	wantInbox(t, a, messages)
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
