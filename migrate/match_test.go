package migrate

import (
	"slices"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
)

func sum(t *testing.T, octets string) mail.Sum {
	t.Helper()
	s, err := mail.SumOf(strings.NewReader(octets))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCompare(t *testing.T) {
	const head = "Message-ID: <a@b>\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nSubject: x\r\n"
	const noID = "Date: Mon, 1 Jan 2024 00:00:00 +0000\r\nSubject: x\r\n"
	for _, tc := range []struct {
		why, ours, shown string
		want             likeness
	}{
		{"the same octets", head + "\r\nbody\r\n", head + "\r\nbody\r\n", identical},
		{"another line end form is the same octets in canonical form", head + "\r\nbody\r\n", strings.ReplaceAll(head+"\r\nbody\r\n", "\r\n", "\n"), identical},
		{"a final line end added", head + "\r\nbody", head + "\r\nbody\r\n", levelled},
		{"runs of CR", head + "\r\nbody\r\r\n", head + "\r\nbody\r\n", levelled},
		{"a header field added", head + "\r\nbody\r\n", "X-UID: 7\r\n" + head + "\r\nbody\r\n", idBody},
		{"8-bit made X in the Message-ID", "Message-ID: <Ž@b>\r\n\r\nbody\r\n", "Message-ID: <XX@b>\r\n\r\nbody\r\n", idBody},
		{"without a Message-ID by the other fields", noID + "\r\nbody\r\n", "Status: RO\r\n" + noID + "\r\nbody\r\n", fieldsBody},
		{"the Message-ID rewritten, the other fields kept", head + "\r\nbody\r\n", strings.Replace(head, "a@b", "new@srv", 1) + "\r\nbody\r\n", fieldsBody},
		{"another Message-ID, and no Date", "Message-ID: <a@b>\r\nSubject: x\r\n\r\n", "Message-ID: <c@d>\r\nSubject: x\r\n\r\n", unlike},
		{"one Message-ID, another body", head + "\r\nbody\r\n", head + "\r\nother\r\n", unlike},
		{"another Message-ID and Subject, the same body", head + "\r\nbody\r\n", "Message-ID: <c@d>\r\nSubject: y\r\n\r\nbody\r\n", unlike},
		{"no fields at all, the same body", "X: 1\r\n\r\nbody\r\n", "X: 2\r\n\r\nbody\r\n", unlike},
		{"no header, the same octets", "\r\nbody\r\n", "\r\nbody\r\n", identical},
		{"lone CR dropped", head + "\r\nbo\rdy\r\n", head + "\r\nbody\r\n", unlike},
	} {
		if got := compare(sum(t, tc.ours), sum(t, tc.shown)); got != tc.want {
			t.Errorf("%s: compare = %d, want %d", tc.why, got, tc.want)
		}
	}
}

func TestAssignIsOneToOneAndSurestFirst(t *testing.T) {
	for _, tc := range []struct {
		why  string
		like [][]likeness // of ours (rows) and shown (columns)
		want []int
	}{
		{"nothing there", [][]likeness{{}, {}}, []int{-1, -1}},
		{"two equal ones, one there", [][]likeness{{identical}, {identical}}, []int{0, -1}},
		{"two equal ones, both there", [][]likeness{{identical, identical}, {identical, identical}}, []int{0, 1}},
		{"one Message-ID, two messages: each finds its own", [][]likeness{{idBody, identical}, {identical, idBody}}, []int{1, 0}},
		{"the surer pair takes it from the first in line", [][]likeness{{idBody}, {levelled}}, []int{-1, 0}},
	} {
		got := assign(len(tc.like), len(tc.like[0]), func(i, j int) likeness { return tc.like[i][j] })
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: assign = %v, want %v", tc.why, got, tc.want)
		}
	}
}
