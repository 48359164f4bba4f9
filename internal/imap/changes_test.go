package imap

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
)

// tale is Changes in short: "new 4 5[\Seen], flags 2[], left 1 2, 3 messages".
func tale(ch mail.Changes) string {
	var b strings.Builder
	for name, items := range map[string][]mail.Item{"new": ch.New} {
		fmt.Fprintf(&b, "%s%s, ", name, listed(items))
	}
	fmt.Fprintf(&b, "flags%s, ", listed(ch.Flags))
	if ch.Left != nil {
		fmt.Fprintf(&b, "left %v, ", ch.Left)
	}
	if ch.Partial != "" {
		fmt.Fprintf(&b, "partial: %s, ", ch.Partial)
	}
	fmt.Fprintf(&b, "%d messages", ch.Status.Messages)
	return b.String()
}

func listed(items []mail.Item) string {
	var b strings.Builder
	for _, it := range items {
		fmt.Fprintf(&b, " %s%v", it.Ref.UID, it.Flags)
	}
	return b.String()
}

func mustChange(t *testing.T, s *Source, since mail.Status) mail.Changes {
	t.Helper()
	ch, err := s.Changes(t.Context(), mail.Inbox, since)
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// fill puts n messages of different sizes into the INBOX.
func fill(me *postoffice.Account, n int) {
	for i := range n {
		me.Deliver(mail.Inbox, postoffice.Message{Octets: fmt.Appendf(nil, "Subject: %d\r\n\r\n%s\r\n", i, strings.Repeat("x", i%7)),
			Received: time.Unix(1_700_000_000+int64(i), 0).In(mailZone)})
	}
}

// What is told of a mailbox of five that has been looked at to the end, with CONDSTORE and without, and with how many
// commands.
func TestChanges(t *testing.T) {
	for _, test := range []struct {
		name             string
		change           func(me *postoffice.Account)
		want             string
		plain            string // without CONDSTORE, if that differs
		commands, plains int
	}{
		{"nothing", func(*postoffice.Account) {}, "new, flags, 5 messages", "new, flags 1[] 2[] 3[] 4[] 5[], 5 messages", 2, 3},
		{"two new", func(me *postoffice.Account) {
			fill(me, 1)
			me.Deliver(mail.Inbox, postoffice.Message{Octets: []byte("x"), Flags: []string{"work"}})
		},
			`new 6[] 7[work], flags, 7 messages`, `new 6[] 7[work], flags 1[] 2[] 3[] 4[] 5[], 7 messages`, 3, 3},
		{"flags", func(me *postoffice.Account) { me.SetFlags(mail.Inbox, 2, `\Seen`, "$x") }, `new, flags 2[$x \Seen], 5 messages`, `new, flags 1[] 2[$x \Seen] 3[] 4[] 5[], 5 messages`, 3, 3},
		{"two gone", func(me *postoffice.Account) { me.Expunge(mail.Inbox, 1); me.Expunge(mail.Inbox, 4) },
			"new, flags, left [2 3 5], 3 messages", "new, flags 2[] 3[] 5[], left [2 3 5], 3 messages", 4, 3},
		{"the last gone", func(me *postoffice.Account) { me.Expunge(mail.Inbox, 5) }, "new, flags, left [1 2 3 4], 4 messages", "new, flags 1[] 2[] 3[] 4[], left [1 2 3 4], 4 messages", 4, 3},
		{"all gone", func(me *postoffice.Account) {
			for uid := range uint32(5) {
				me.Expunge(mail.Inbox, uid+1)
			}
		}, "new, flags, left [], 0 messages", "", 1, 1},
		{"one gone, one new", func(me *postoffice.Account) { me.Expunge(mail.Inbox, 3); fill(me, 1) },
			"new 6[], flags, left [1 2 4 5], 5 messages", "new 6[], flags 1[] 2[] 4[] 5[], left [1 2 4 5], 5 messages", 4, 3},
		{"one came and went", func(me *postoffice.Account) { fill(me, 1); me.Expunge(mail.Inbox, 6) }, "new, flags, 5 messages", "new, flags 1[] 2[] 3[] 4[] 5[], 5 messages", 3, 3},
		{"numbered anew", func(me *postoffice.Account) { me.Renumber(mail.Inbox, 9) }, "new 1[] 2[] 3[] 4[] 5[], flags, 5 messages", "", 2, 2},
		{"numbered anew in secret", func(me *postoffice.Account) {
			me.Expunge(mail.Inbox, 1)
			me.Renumber(mail.Inbox, me.Validity(mail.Inbox))
		},
			"new 1[] 2[] 3[] 4[], flags, 4 messages", "", 2, 2},
	} {
		for _, with := range [][]string{{"CONDSTORE"}, nil} {
			t.Run(fmt.Sprint(test.name, with), func(t *testing.T) {
				s, server, me := sourceInOffice(t, postoffice.Trouble{With: with})
				fill(me, 5)
				since := mustChange(t, s, mail.Status{}).Status
				test.change(me)
				before := len(server.Commands())
				want, commands := test.want, test.commands
				if with == nil {
					want, commands = or(test.plain, test.want), test.plains
				}
				if got := tale(mustChange(t, s, since)); got != want {
					t.Errorf("%s\nwant %s", got, want)
				}
				if said := server.Commands()[before:]; len(said) != commands {
					t.Errorf("%d commands, want %d: %q", len(said), commands, said)
				}
				wantOnlyReading(t, server)
			})
		}
	}
}

// An Item has everything the server tells of a message.
func TestChangesItems(t *testing.T) {
	s, _, me := sourceInOffice(t, postoffice.Trouble{With: []string{"OBJECTID", "CONDSTORE"}})
	at := time.Date(1996, 7, 17, 2, 44, 25, 0, time.FixedZone("", -7*3600))
	octets := []byte("Subject: x\r\n\r\nx\r\n")
	me.Deliver(mail.Inbox, postoffice.Message{Octets: octets, Flags: []string{`\Seen`, "$Forwarded"}, Received: at})
	me.Deliver(mail.Inbox, postoffice.Message{Octets: octets})
	ch := mustChange(t, s, mail.Status{})
	it := ch.New[0]
	if it.Ref != (mail.Ref{Mailbox: mail.Inbox, Validity: 1, UID: "1"}) || it.Size != int64(len(octets)) ||
		!it.Flags.Equal(mail.MakeFlags(`\Seen`, "$Forwarded")) || it.Received.Format(time.RFC3339) != at.Format(time.RFC3339) {
		t.Errorf("%+v", it)
	}
	if !strings.HasPrefix(it.Identity, "EMAILID:M") || it.Identity != ch.New[1].Identity {
		t.Errorf("identities %q and %q, want the same", it.Identity, ch.New[1].Identity)
	}
	if want := (mail.Status{Validity: 1, Next: 3, Messages: 2, ModSeq: 3, ID: "F1"}); ch.Status != want {
		t.Errorf("status %+v, want %+v", ch.Status, want)
	}
	s, _, me = sourceInOffice(t, postoffice.Trouble{With: []string{"X-GM-EXT-1"}})
	me.Deliver(mail.Inbox, postoffice.Message{Octets: octets})
	if got := mustChange(t, s, mail.Status{}).New[0].Identity; !strings.HasPrefix(got, "X-GM-MSGID:") {
		t.Errorf("identity %q", got)
	}
}

// What Changes and Statuses tell of a mailbox is the same, so that it is known not to have changed.
func TestStatusesAgree(t *testing.T) {
	for name, trouble := range troubles {
		s, server, me := sourceInOffice(t, trouble)
		me.CreateMailbox("Work/2024", "")
		fill(me, 3)
		boxes, err := s.Mailboxes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		told, err := s.Statuses(t.Context(), boxes)
		if err != nil {
			t.Fatal(err)
		}
		ch := mustChange(t, s, mail.Status{})
		again, err := s.Statuses(t.Context(), boxes) // with the mailbox selected
		if err != nil {
			t.Fatal(err)
		}
		if name == "no UIDNEXT" {
			if len(told) > 0 {
				t.Errorf("%s: %+v", name, told)
			}
			continue
		}
		if told[mail.Inbox] != ch.Status || again[mail.Inbox] != ch.Status || len(told) != 2 || told["Work/2024"].Validity != 2 {
			t.Errorf("%s: Statuses = %+v and %+v, Changes %+v", name, told, again, ch.Status)
		}
		for _, command := range server.Commands() {
			if command == "STATUS INBOX" && name == "all there is" {
				t.Errorf("%s: the server was asked %q", name, command)
			}
		}
	}
}

// Items tells of messages by their UIDs, however many a server shows at once.
func TestItems(t *testing.T) {
	for name, trouble := range troubles {
		s, _, me := sourceInOffice(t, trouble)
		fill(me, 300)
		me.Expunge(mail.Inbox, 7)
		uids := []uint32{299, 7, 1, 1, 1000, 4294967295, 0}
		want := []string{"1", "299"}
		for uid := uint32(20); uid < 280; uid += 2 {
			uids = append(uids, uid)
			want = slices.Insert(want, len(want)-1, fmt.Sprint(uid))
		}
		items, err := s.Items(t.Context(), mail.Inbox, uids)
		var got []string
		for _, it := range items {
			got = append(got, it.Ref.UID)
			if it.Size == 0 || it.Received.IsZero() && name != "no dates" {
				t.Errorf("%s: %+v", name, it)
			}
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: Items = %v, %v; want %v", name, got, err, want)
		}
	}
}

// A mailbox that is not there any more, or cannot be opened, or has no UIDVALIDITY.
func TestChangesRefused(t *testing.T) {
	for name, test := range map[string]struct {
		answer func(*talk, string) bool
		want   string
	}{
		"no code": {on("EXAMINE", saying("TAG NO what?")), "mailbox vanished: list gone: the folder is not there any more: the server says: what?"},
		"code":    {on("EXAMINE", saying("TAG NO [NONEXISTENT] no")), "mailbox vanished: list gone: the folder is not there any more: the server says: no"},
		"there": {func(s *talk, cmd string) bool {
			return on("EXAMINE", saying("TAG NO [NOPERM] not yours"))(s, cmd) || on("LIST", saying(`* LIST () "/" gone`, "TAG OK done"))(s, cmd)
		}, "mailbox refused: list gone: the server says: not yours"},
		"busy":          {on("EXAMINE", saying("TAG NO [INUSE] wait 2 minutes")), "session network later 2m0s: list gone: the server says: wait 2 minutes"},
		"BYE":           {on("EXAMINE", func(s *talk, _ string) { s.say("* BYE shutting down"); s.conn.Close() }), "session network later 1s: list gone: the server ended the session: shutting down"},
		"UIDVALIDITY 0": {on("EXAMINE", saying("* 3 EXISTS", "* OK [UIDVALIDITY 0] v", "* OK [UIDNEXT 10] n", "TAG OK done")), "mailbox protocol: list gone: the server gives the folder no UIDVALIDITY, so that its messages have no lasting names"},
	} {
		s := (&script{answer: test.answer}).source(t)
		_, err := s.Changes(t.Context(), "gone", mail.Status{})
		if got := describe(err); got != test.want {
			t.Errorf("%s: %s\nwant %s", name, got, test.want)
		}
	}
	s := (&script{}).source(t)
	_, err := s.Changes(t.Context(), "a\r\nb", mail.Status{})
	if got := describe(err); !strings.HasPrefix(got, "mailbox usage: ") {
		t.Errorf("a name that cannot be said: %s", got)
	}
}

// A server that does not know EXAMINE (CONDSTORE) although it says so is asked without.
func TestCondStoreRefused(t *testing.T) {
	s, _, me := sourceInOffice(t, postoffice.Trouble{With: []string{"CONDSTORE"}, Faults: []postoffice.Fault{{Verb: "EXAMINE", Times: 1, Say: "BAD what?"}}})
	fill(me, 2)
	if got := tale(mustChange(t, s, mail.Status{})); got != "new 1[] 2[], flags, 2 messages" {
		t.Error(got)
	}
}

// How many commands an account of 40 folders costs of which nothing has changed, and how many a mailbox that has.
func TestCommands(t *testing.T) {
	for name, test := range map[string]struct {
		trouble            postoffice.Trouble
		unchanged, changed int
	}{
		"LIST-STATUS, CONDSTORE": {postoffice.Trouble{With: []string{"CONDSTORE", "OBJECTID"}}, 3, 3},
		"CONDSTORE":              {postoffice.Trouble{With: []string{"CONDSTORE"}, Without: []string{"LIST-STATUS"}}, 3 + 40, 3},
		"LIST-STATUS":            {postoffice.Trouble{}, 3, 3},
		"neither":                {postoffice.Trouble{Without: []string{"LIST-STATUS", "LIST-EXTENDED"}}, 4 + 40, 3},
	} {
		s, server, me := sourceInOffice(t, test.trouble)
		for i := range 39 {
			me.CreateMailbox(fmt.Sprintf("folder %d", i), "")
		}
		fill(me, 10)
		since := mustChange(t, s, mail.Status{}).Status
		s.Close()
		before := len(server.Commands())
		boxes, err := s.Mailboxes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		statuses, err := s.Statuses(t.Context(), boxes)
		if err != nil || statuses[mail.Inbox] != since || len(statuses) != 40 {
			t.Errorf("%s: %d statuses, %v", name, len(statuses), err)
		}
		said := slices.DeleteFunc(server.Commands()[before:], func(cmd string) bool { return cmd == "LOGOUT" }) // of the session before
		if len(said) != test.unchanged {
			t.Errorf("%s: %d commands, want %d: %.200q", name, len(said), test.unchanged, said)
		}
		fill(me, 1)
		me.SetFlags(mail.Inbox, 3, `\Flagged`)
		before = len(server.Commands())
		mustChange(t, s, since)
		if said := server.Commands()[before:]; len(said) != test.changed {
			t.Errorf("%s: %d commands, want %d: %q", name, len(said), test.changed, said)
		}
	}
}
