package imap

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
)

// persist fetches as backup does: again after each break of a session, without the message at which it broke twice.
// It returns what came, by UID, what was given up, and how often the session broke.
func persist(t *testing.T, items []mail.Item, fetch func([]mail.Item, func(mail.Item, io.Reader) error) error) (came map[string]string, given []string, breaks int) {
	t.Helper()
	came = map[string]string{}
	broke := map[mail.Ref]int{}
	for len(items) > 0 {
		taken := 0
		err := fetch(items, func(it mail.Item, r io.Reader) error {
			if it.Ref != items[taken].Ref {
				t.Fatalf("%v comes before its turn, which is %v's", it.Ref, items[taken].Ref)
			}
			octets, err := io.ReadAll(r)
			var e *mail.Error
			switch {
			case errors.As(err, &e) && e.Scope == mail.ScopeMessage:
				octets = []byte("<" + e.Err.Error() + ">")
			case err != nil:
				return err
			}
			taken++
			came[it.Ref.UID] = string(octets)
			return nil
		})
		items = items[taken:]
		if err == nil {
			continue
		}
		if scopeOf(err) != mail.ScopeSession || len(items) == 0 {
			t.Fatalf("Fetch: %v", err)
		}
		breaks++
		if broke[items[0].Ref]++; broke[items[0].Ref] == 2 {
			given = append(given, items[0].Ref.UID)
			items = items[1:]
		}
	}
	return came, given, breaks
}

// A message that breaks every session, however the server comes to break it, is found, given up alone, and costs few
// sessions.
func TestIsolate(t *testing.T) {
	is := func(uids ...uint32) func(postoffice.Message) bool {
		return func(m postoffice.Message) bool { return slices.Contains(uids, m.UID) }
	}
	deep := strings.Repeat("(", 2*maxNesting)
	for name, test := range map[string]struct {
		trouble postoffice.Trouble
		given   []string
	}{
		"when it is its turn":     {postoffice.Trouble{Faults: []postoffice.Fault{{Verb: "UID FETCH", Match: is(90), End: postoffice.FIN}}}, []string{"90"}},
		"before all others":       {postoffice.Trouble{Faults: []postoffice.Fault{{Verb: "UID FETCH", Match: is(90), Early: true, End: postoffice.RST}}}, []string{"90"}},
		"with a BYE":              {postoffice.Trouble{Faults: []postoffice.Fault{{Verb: "UID FETCH", Match: is(90), Say: "* BYE internal error", Early: true, End: postoffice.FIN}}}, []string{"90"}},
		"the first and the last":  {postoffice.Trouble{Faults: []postoffice.Fault{{Verb: "UID FETCH", Match: is(1, 200), Early: true, End: postoffice.FIN}}}, []string{"1", "200"}},
		"two that are neighbours": {postoffice.Trouble{Faults: []postoffice.Fault{{Verb: "UID FETCH", Match: is(64, 65), Early: true, End: postoffice.FIN}}}, []string{"64", "65"}},
		"before its first octet":  {postoffice.Trouble{Rewrite: postoffice.Replace("UID FETCH", `^\* 90 FETCH \(UID`, "* 90 FETCH (X "+deep+" UID")}, []string{"90"}},
		"what stands behind it":   {postoffice.Trouble{Rewrite: behindBody(90, " X "+deep)}, []string{"90"}},
		"none":                    {postoffice.Trouble{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s, server, me := sourceInOffice(t, postoffice.Trouble{})
			fill(me, 200)
			items := mustChange(t, s, mail.Status{}).New
			server.SetTrouble(test.trouble)
			for what, fetch := range map[string]func([]mail.Item, func(mail.Item, io.Reader) error) error{
				"Fetch": func(items []mail.Item, fn func(mail.Item, io.Reader) error) error {
					return s.Fetch(t.Context(), items, fn)
				},
				"Heads": func(items []mail.Item, fn func(mail.Item, io.Reader) error) error {
					return s.Heads(t.Context(), items, fn)
				},
			} {
				came, given, breaks := persist(t, items, fetch)
				if !slices.Equal(given, test.given) || len(came) != 200-len(given) || breaks > 10*len(given) {
					t.Errorf("%s: %d messages came, %v given up after %d breaks; want all but %v", what, len(came), given, breaks, test.given)
				}
				for i, m := range me.Messages(mail.Inbox) {
					if got, ok := came[items[i].Ref.UID]; ok && (!strings.HasPrefix(string(m.Octets), got) || what == "Fetch" && got != string(m.Octets)) {
						t.Errorf("%s: UID %d is %q, want %q", what, m.UID, got, m.Octets)
					}
				}
			}
		})
	}
}

// behindBody puts more behind the body of a message.
func behindBody(n int, more string) postoffice.Rewrite {
	mine := false
	return func(command, line string) []string {
		switch {
		case strings.HasPrefix(line, fmt.Sprintf("* %d FETCH (", n)):
			mine = true
		case mine:
			mine = false
			return []string{more + line}
		}
		return []string{line}
	}
}

// Messages that went between the listing and the reading are reported one by one, each in its turn, and cost little.
func TestFetchGone(t *testing.T) {
	s, server, me := sourceInOffice(t, postoffice.Trouble{})
	for range 600 {
		me.Deliver(mail.Inbox, postoffice.Message{Octets: []byte("Subject: x\r\n\r\n" + strings.Repeat("x", 2000))})
	}
	items := mustChange(t, s, mail.Status{}).New
	s.Close()
	for uid := uint32(100); uid < 300; uid++ {
		me.Expunge(mail.Inbox, uid)
	}
	me.Expunge(mail.Inbox, 450)
	came, given, breaks := persist(t, items, func(items []mail.Item, fn func(mail.Item, io.Reader) error) error {
		return s.Fetch(t.Context(), items, fn)
	})
	gone := 0
	for uid, octets := range came {
		if strings.HasPrefix(octets, "<") {
			gone++
		} else if len(octets) != 2014 {
			t.Errorf("UID %s is %q", uid, octets)
		}
	}
	if len(came) != 600 || gone != 201 || len(given) > 0 || breaks > 0 {
		t.Errorf("%d messages came and %d were gone, %v given up, %d breaks", len(came)-gone, gone, given, breaks)
	}
	traffic := server.Traffic()
	if octets := traffic[len(traffic)-1].ToClient; octets > 2*399*2100 {
		t.Errorf("%d octets came, of messages that have %d", octets, 399*2014)
	}
}

// What Exchange shows is known only behind the octets: the messages are asked for one by one, many at a time, and none
// comes twice.
func TestFetchExchange(t *testing.T) {
	greeting := postoffice.Replace("GREETING", ` IMAP server ready`, " The Microsoft Exchange IMAP4 service is ready.")
	for name, test := range map[string]struct {
		rewrite  postoffice.Rewrite
		most     int64 // messages that come in all
		commands int
	}{"told by its greeting": {greeting, 200, 200}, "found out": {nil, 400, 204}} {
		s, server, me := sourceInOffice(t, postoffice.Trouble{BodyFirst: true, Rewrite: test.rewrite})
		for range 200 {
			me.Deliver(mail.Inbox, postoffice.Message{Octets: []byte("Subject: x\r\n\r\n" + strings.Repeat("x", 2000))})
		}
		items := mustChange(t, s, mail.Status{}).New
		before := server.Count("UID FETCH")
		came, given, breaks := persist(t, items, func(items []mail.Item, fn func(mail.Item, io.Reader) error) error {
			return s.Fetch(t.Context(), items, fn)
		})
		for uid, octets := range came {
			if len(octets) != 2014 {
				t.Errorf("%s: UID %s is %q", name, uid, octets)
			}
		}
		if len(came) != 200 || len(given) > 0 || breaks > 0 {
			t.Errorf("%s: %d messages came, %v given up, %d breaks", name, len(came), given, breaks)
		}
		if octets := server.Traffic()[0].ToClient; octets > test.most*2300 {
			t.Errorf("%s: %d octets came", name, octets)
		}
		if commands := server.Count("UID FETCH") - before; commands > test.commands {
			t.Errorf("%s: %d commands", name, commands)
		}
	}
}

// What a server shows before its turn is held, as much as there is room for; the rest is asked for again, and nothing
// ahead any more.
func TestFetchOutOfTurn(t *testing.T) {
	for size, test := range map[int]struct {
		outOfTurn bool
		commands  int
	}{3: {false, 3}, 80_000: {true, 14}} {
		var held []string
		s := &script{}
		s.answer = on("UID FETCH", func(s *talk, cmd string) {
			held = append(held, s.tag+" "+strings.Fields(cmd)[2])
			if len(held) > 2 { // by then the client may have learnt
				held = held[2:]
			} else if len(held) < 2 {
				return
			} else {
				slices.Reverse(held)
			}
			for _, command := range held {
				tag, set, _ := strings.Cut(command, " ")
				for _, uid := range uidsIn(set) {
					s.say(fmt.Sprintf("* %d FETCH (UID %d BODY[] {%d}\r\n%0*d)", uid, uid, size, size, uid))
				}
				s.say(tag + " OK done")
			}
			held = make([]string, 2)
		})
		var items []mail.Item
		for uid := range uint32(3 * fetchBatch) {
			items = append(items, item(uid+1))
		}
		src := s.source(t)
		n := 0
		err := src.Fetch(t.Context(), items, func(it mail.Item, r io.Reader) error {
			octets, err := io.ReadAll(r)
			if n++; string(octets) != fmt.Sprintf("%0*d", size, n) || it.Ref != items[n-1].Ref {
				t.Fatalf("message %d is %v, %.40q", n, it.Ref, octets)
			}
			return err
		})
		commands := 0
		for _, cmd := range s.log() {
			if strings.HasPrefix(cmd, "UID FETCH") {
				commands++
			}
		}
		if err != nil || n != len(items) || src.session.guard.known().outOfTurn != test.outOfTurn || commands > test.commands {
			t.Errorf("messages of %d octets: %d by %d commands, %v", size, n, commands, err)
		}
	}
}

// Several commands are under way at once: a server that waits for two gets them, and one that shows only one message at
// a time, for four. It may answer each when it is done, or all of them in the end, as Dovecot does.
func TestFetchAhead(t *testing.T) {
	for name, row := range map[string]func(uid int) string{
		"UID first": body3, "UID last": func(uid int) string { return fmt.Sprintf("BODY[] {3}\r\n%03d UID %d", uid, uid) },
	} {
		for _, together := range []bool{false, true} {
			t.Run(fmt.Sprint(name, together), func(t *testing.T) {
				singly := name == "UID last"
				var items []mail.Item
				for uid := range uint32(map[bool]int{false: 2 * fetchBatch, true: 16}[singly]) {
					items = append(items, item(uid+1))
				}
				s := holding(map[bool]int{false: 2, true: 4}[singly], together, row)
				if singly {
					s.greeting = "* OK The Microsoft Exchange IMAP4 service is ready."
				}
				n := 0
				err := s.source(t).Fetch(t.Context(), items, func(_ mail.Item, r io.Reader) error {
					octets, err := io.ReadAll(r)
					if n++; string(octets) != fmt.Sprintf("%03d", n) {
						t.Errorf("message %d is %q", n, octets)
					}
					return err
				})
				if fetches := slices.DeleteFunc(s.log(), func(cmd string) bool { return !strings.HasPrefix(cmd, "UID FETCH") }); err != nil || n != len(items) || len(fetches) != len(items)/map[bool]int{false: fetchBatch, true: 1}[singly] {
					t.Errorf("%d messages by %d commands, %v", n, len(fetches), err)
				}
			})
		}
	}
}

// holding is a server that answers n UID FETCHes when it has got them, and ends them one by one or together.
func holding(n int, together bool, row func(uid int) string) *script {
	var held, ends []string
	return &script{answer: on("UID FETCH", func(s *talk, cmd string) {
		if held = append(held, s.tag+" "+strings.Fields(cmd)[2]); len(held) < n {
			return
		}
		for _, command := range held {
			tag, set, _ := strings.Cut(command, " ")
			for _, uid := range uidsIn(set) {
				s.say(fmt.Sprintf("* %d FETCH (%s)", uid, row(uid)))
			}
			if ends = append(ends, tag+" OK done"); !together || len(ends) == n {
				s.say(ends...)
				ends = nil
			}
		}
		held = nil
	})}
}

// What is not UID of any message has vanished, and nothing else is asked for in its place.
func TestFetchNoUID(t *testing.T) {
	s, server, me := sourceInOffice(t, postoffice.Trouble{})
	fill(me, 3)
	it := mustChange(t, s, mail.Status{}).New[0]
	for _, uid := range []string{"0", "*", "", "1:3", "4294967295", "x"} {
		it.Ref.UID = uid
		came, _, _ := persist(t, []mail.Item{it}, func(items []mail.Item, fn func(mail.Item, io.Reader) error) error {
			return s.Fetch(t.Context(), items, fn)
		})
		if came[uid] != "<the server does not show the message any more>" {
			t.Errorf("%q: %q", uid, came[uid])
		}
	}
	for _, command := range server.Commands() {
		if strings.Contains(command, "*") && strings.Contains(command, "BODY") {
			t.Errorf("said %q", command)
		}
	}
}
