package pop3

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
)

// readHeads returns what Heads hands over; what a header cannot be had for stands in its place, in angle brackets.
func readHeads(t *testing.T, s *Source, items []mail.Item) (got []string, err error) {
	t.Helper()
	err = s.Heads(t.Context(), items, func(it mail.Item, r io.Reader) error {
		if want := items[len(got)].Ref; it.Ref != want {
			t.Errorf("Heads hands over %v, want %v", it.Ref, want)
		}
		octets, err := io.ReadAll(r)
		if err != nil {
			octets = fmt.Appendf(nil, "<%v>", err)
		}
		got = append(got, string(octets))
		return nil
	})
	return got, err
}

// TestHeads: headers as the server shows them, with as many commands ahead as for whole messages, and nothing is read.
func TestHeads(t *testing.T) {
	for _, without := range [][]string{nil, {"PIPELINING"}, {"CAPA"}} {
		s, server, _ := inOffice(t, postoffice.Trouble{Without: without},
			[]byte("A: 1\r\n\r\nbody\r\n"), []byte("..B: 2\r\n\r\n"), []byte("no header\r\n"))
		items, err := s.List(t.Context(), mail.Inbox)
		if err != nil {
			t.Fatal(err)
		}
		gone := items[0]
		gone.Ref.UID = "elsewhere"
		got, err := readHeads(t, s, []mail.Item{items[1], gone, items[0], items[2]})
		want := []string{"..B: 2\r\n\r\n", "<fetch INBOX: it is not in the maildrop any more>", "A: 1\r\n\r\n", "no header\r\n"}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("without %v: Heads = %q, %v; want %q", without, got, err, want)
		}
		if server.Count("RETR") > 0 || server.Count("TOP") != 3 {
			t.Errorf("said %q", server.Commands())
		}
	}
}

func TestHeadsRefused(t *testing.T) {
	const one = "+OK\r\nA: b\r\n\r\n.\r\n"
	for name, test := range map[string]struct {
		answers map[string]string
		want    []string
		err     string
	}{
		"no TOP":               {map[string]string{"TOP": "-ERR unknown command\r\n"}, nil, "fetch INBOX: the server has no TOP (unknown command): headers alone cannot be had of it"},
		"one refused":          {map[string]string{"TOP 1 0": one, "TOP 2 0": "-ERR damaged\r\n", "TOP 3 0": one}, []string{"A: b\r\n\r\n", "<fetch INBOX: the server does not hand it over: damaged>", "A: b\r\n\r\n"}, ""},
		"the first, announced": {map[string]string{"CAPA": "+OK\r\nTOP\r\n.\r\n", "TOP 1 0": "-ERR damaged\r\n", "TOP": one}, []string{"<fetch INBOX: the server does not hand it over: damaged>", "A: b\r\n\r\n", "A: b\r\n\r\n"}, ""},
		"the first is gone":    {map[string]string{"TOP 1 0": "-ERR no such message\r\n", "TOP": one}, []string{"<fetch INBOX: it is not in the maildrop any more>", "A: b\r\n\r\n", "A: b\r\n\r\n"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := scripted(t, with(holding("1\r\n", "2\r\n", "3\r\n"), test.answers))
			items, err := s.List(t.Context(), mail.Inbox)
			if err != nil {
				t.Fatal(err)
			}
			got, err := readHeads(t, s, items)
			if !slices.Equal(got, test.want) {
				t.Errorf("Heads = %q, want %q", got, test.want)
			}
			if test.err == "" && err != nil {
				t.Errorf("Heads: %v", err)
			}
			if test.err != "" {
				wantError(t, err, mail.ScopeMailbox, mail.CauseProtocol, test.err)
			}
		})
	}
}

// TestHeadsCut: a header is whole or an error, wherever the line breaks.
func TestHeadsCut(t *testing.T) {
	heads := func(cut postoffice.Cut) (got []string, octets int64, err error) {
		s, server, _ := inOffice(t, postoffice.Trouble{Cut: cut}, []byte("A: 1\r\n\r\nx\r\n"), []byte("B: 2\r\n\r\ny\r\n"))
		items, err := s.List(t.Context(), mail.Inbox)
		if err != nil {
			return nil, 0, err
		}
		got, err = readHeads(t, s, items)
		return got, server.Traffic()[0].ToClient, err
	}
	want, end, err := heads(postoffice.Cut{})
	if err != nil || len(want) != 2 {
		t.Fatalf("Heads = %q, %v", want, err)
	}
	for at := range end {
		got, _, err := heads(postoffice.Cut{Way: postoffice.ToClient, At: at, How: postoffice.FIN})
		got = slices.DeleteFunc(got, func(head string) bool { return strings.HasPrefix(head, "<") })
		if err == nil || !slices.Equal(got, want[:len(got)]) {
			t.Errorf("cut at %d: %q, %v", at, got, err)
		}
	}
}
