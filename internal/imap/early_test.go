package imap

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// What is new is asked for before the mailbox is open. It counts if the mailbox is what it was thought to be, and is asked
// for again if it is numbered anew, if that FETCH is refused, or if it shows too much to be kept.
func TestChangesEarly(t *testing.T) {
	row := func(uid int) string {
		return fmt.Sprintf(`* %d FETCH (UID %d FLAGS () INTERNALDATE "17-Jul-1996 02:44:25 -0700" RFC822.SIZE 9)`, min(uid, 3), uid)
	}
	flood := make([]string, maxEarly+1)
	for i := range flood {
		flood[i] = "* 3 FETCH (FLAGS ())"
	}
	since := mail.Status{Validity: 7, Next: 9, Messages: 2}
	for name, test := range map[string]struct {
		since    mail.Status
		early    []string // what the first FETCH is answered
		commands []string // FETCHes in all
		want     string
	}{
		"new":  {mail.Status{}, []string{row(4), row(8), row(9), "TAG OK"}, []string{"1:*"}, "new 4[] 8[] 9[], flags, 3 messages"},
		"more": {since, []string{row(9), "TAG OK"}, []string{"9:*", "1:8"}, "new 9[], flags 4[] 8[], 3 messages"},
		"renumbered": {mail.Status{Validity: 6, Next: 9, Messages: 2}, []string{row(9), "TAG OK"}, []string{"9:*", "1:*"},
			"new 4[] 8[] 9[], flags, 3 messages"},
		"refused":  {mail.Status{}, []string{"TAG NO not today"}, []string{"1:*", "1:*"}, "new 4[] 8[] 9[], flags, 3 messages"},
		"too much": {mail.Status{}, append(flood, "TAG OK"), []string{"1:*", "1:*"}, "new 4[] 8[] 9[], flags, 3 messages"},
	} {
		t.Run(name, func(t *testing.T) {
			var examine string // not answered before the first FETCH has come
			var asked []string
			s := &script{caps: "IMAP4rev1 LIST-EXTENDED LIST-STATUS", answer: func(s *talk, cmd string) bool {
				verb, args, _ := strings.Cut(cmd, " ")
				switch {
				case verb == "LIST":
					s.say(`* LIST () "/" INBOX`, "* STATUS INBOX (MESSAGES 3 UIDNEXT 10 UIDVALIDITY 7)", s.tag+" OK done")
				case verb == "EXAMINE":
					examine = s.tag
				case strings.HasPrefix(args, "FETCH"):
					set := strings.Fields(args)[1]
					asked = append(asked, set)
					answer := test.early
					if len(asked) > 1 {
						answer = map[string][]string{"1:*": {row(4), row(8), row(9), "TAG OK"}, "1:8": {row(4), row(8), "TAG OK"}}[set]
					} else {
						s.say("* 3 EXISTS", "* OK [UIDVALIDITY 7] v", "* OK [UIDNEXT 10] n", examine+" OK done")
					}
					saying(answer...)(s, cmd)
				default:
					return false
				}
				return true
			}}
			src := s.source(t)
			if _, err := src.Mailboxes(t.Context()); err != nil {
				t.Fatal(err)
			}
			ch, err := src.Changes(t.Context(), mail.Inbox, test.since)
			if err != nil || tale(ch) != test.want || !slices.Equal(asked, test.commands) {
				t.Errorf("%s, %v, by %q\nwant %s, by %q", tale(ch), err, asked, test.want, test.commands)
			}
		})
	}
}
