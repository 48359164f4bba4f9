package migrate_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/migrate"
)

func counted(migrate.Step) string { return "3 messages, 12 kB" }

// TestPlanRoundTrip guards that a plan file obeyed as it was written does what it says, between all known servers.
func TestPlanRoundTrip(t *testing.T) {
	for _, name := range listingFiles(t) {
		l := readListing(t, name)
		source := l.tree(t)
		for _, m := range l.maps {
			destination := readListing(t, m.to).tree(t)
			steps, err := migrate.Map(source, destination, rulesOf(t, m.args))
			if err != nil {
				continue // such a plan wants an edit first
			}
			text := migrate.WritePlan("Test", steps, counted)
			plan, err := migrate.ReadPlan("plan.toml", text)
			if err != nil {
				t.Fatalf("%s -> %s: %v\n%s", name, m.to, err, text)
			}
			again, err := migrate.Map(source, destination, migrate.Rules{Plan: plan})
			if err != nil {
				t.Errorf("%s -> %s: %v", name, m.to, err)
			}
			for i, s := range steps {
				if g := again[i]; g.To.Name != s.To.Name || g.LeftOut != s.LeftOut || g.Rest != s.Rest {
					t.Errorf("%s -> %s: %s\nbecame %s", name, m.to, row(s), row(g))
				}
			}
		}
	}
}

// An edited plan: two folders merged, one left out, one renamed, and one taken out of the file.
func TestPlanIsObeyed(t *testing.T) {
	source := readListing(t, "made/gmail.txt").tree(t)
	destination := readListing(t, "dovecot-inbox.txt").tree(t)
	plan, err := migrate.ReadPlan("plan.toml", []byte(`
[[folder]]
from = "Family"
to = "INBOX.Home"
[[folder]]
from = "Family/Photos"
to = "INBOX.Home"
[[folder]]
from = "Receipts"
leave_out = true
[[folder]]
from = "B&APw-cher"
to = "Books/Read"
[[folder]]
from = "[Gmail]/Starred"
to = "Drafts"
`))
	if err != nil {
		t.Fatal(err)
	}
	steps, err := migrate.Map(source, destination, migrate.Rules{Plan: plan})
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, s := range steps {
		got[mail.NameText(s.From.Name)] = row(s)
	}
	for from, want := range map[string]string{
		"Family":          "Family => (new) INBOX.Home : the plan, line 2",
		"Family/Photos":   "Family/Photos => (new) INBOX.Home : the plan, line 5",
		"Receipts":        "Receipts => (left out) : the plan, line 8",
		"Bücher":          "Bücher => (new) INBOX.Books.Read : the plan, line 11",
		"[Gmail]/Starred": "[Gmail]/Starred => INBOX.Drafts : the plan, line 14",
		"example.com":     `example.com => (new) INBOX.example_com : the same name; '.' separates folders there: "example.com" becomes "example_com"`,
	} {
		if got[from] != want {
			t.Errorf("%s\nwant %s", got[from], want)
		}
	}
}

func TestPlanIsStrict(t *testing.T) {
	source := readListing(t, "made/gmail.txt").tree(t)
	for _, tc := range []struct{ why, text, want string }{
		{"an unknown key", "[[folder]]\nfrom = \"INBOX\"\n# where to\ninto = \"x\"", `p.toml, line 4: there is no "into" in a plan: a [[folder]] has from, to and leave_out`},
		{"an unknown key at the top", "\ncolour = 1\n[[folder]]\nfrom = \"INBOX\"\nto = \"x\"", `p.toml, line 2: there is no "colour" in a plan: a [[folder]] has from, to and leave_out`},
		{"an unknown table", "[[folder]]\nfrom = \"INBOX\"\nto = \"x\"\n[[mailbox]]\nfrom = \"a\"", `p.toml, line 4: there is no "mailbox" in a plan: a [[folder]] has from, to and leave_out`},
		{"twice", "[[folder]]\nfrom = \"INBOX\"\nto = \"x\"\n\n[[folder]]\nfrom = \"INBOX\"\nto = \"y\"", `p.toml, line 6: the folder "INBOX" stands in line 1 already`},
		{"twice, once on the wire", "[[folder]]\nfrom = \"Bücher\"\nto = \"x\"\n\n[[folder]]\nfrom = \"B&APw-cher\"\nto = \"y\"", `p.toml, line 5: the folder "B&APw-cher" stands in line 1 already`},
		{"no such folder", "[[folder]]\nfrom = \"Inbox2\"\nto = \"x\"", `p.toml, line 1: the source has no folder "Inbox2"`},
		{"nothing said", "[[folder]]\nfrom = \"INBOX\"\n", `p.toml, line 1: the folder "INBOX" needs a line with to or with leave_out = true`},
		{"an empty name", "[[folder]]\nfrom = \"INBOX\"\nto = \"\"", `p.toml, line 1: the folder "INBOX" needs a line with to or with leave_out = true`},
		{"both said", "[[folder]]\nfrom = \"INBOX\"\nleave_out = true\nto = \"x\"", `p.toml, line 4: the folder "INBOX" is left out and goes to "x": one of the two must go`},
		{"no from", "[[folder]]\nto = \"x\"", `p.toml, line 1: the [[folder]] does not say from which folder`},
		{"a number for a name", "[[folder]]\nfrom = \"INBOX\"\nto = 7", `p.toml, line 3: `},
		{"no TOML", "[[folder]]\nfrom = \"INBOX\"\nto = x", `p.toml, line 3: `},
		{"a key twice", "[[folder]]\nfrom = \"INBOX\"\nto = \"x\"\nto = \"y\"", `p.toml, line 4: `},
	} {
		plan, err := migrate.ReadPlan("p.toml", []byte(tc.text))
		if err == nil {
			_, err = migrate.Map(source, source, migrate.Rules{Plan: plan})
		}
		var e *mail.Error
		if !errors.As(err, &e) || e.Cause != mail.CauseUsage || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %s", tc.why, err, tc.want)
		}
	}
}

// More may come: then a plan may name what is not there yet.
func TestPlanOfWhatIsToCome(t *testing.T) {
	plan, err := migrate.ReadPlan("p.toml", []byte("[[folder]]\nfrom = \"Later\"\nto = \"x\""))
	if err != nil {
		t.Fatal(err)
	}
	source := readListing(t, "made/empty.txt").tree(t)
	source.Partial = true
	if _, err := migrate.Map(source, source, migrate.Rules{Plan: plan}); err != nil {
		t.Error(err)
	}
}

// Mailboxes that would fall into one: the file does what is safe, and wants an edit for the rest.
func TestPlanOfAClash(t *testing.T) {
	source := readListing(t, "made/clash.txt").tree(t)
	destination := readListing(t, "dovecot-inbox.txt").tree(t)
	steps, err := migrate.Map(source, destination, migrate.Rules{})
	if err == nil {
		t.Fatal("no clash")
	}
	text := string(migrate.WritePlan("Test", steps, counted))
	_, err = migrate.ReadPlan("p.toml", []byte(text))
	if err == nil || !strings.Contains(err.Error(), `the folder "Sent" needs a line with to`) {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, line := range []string{"# Sent Items goes there as well: take the # away to put them together, or choose another name", `# to = "INBOX.Sent"`, `from = "R & D"`, `from = "R &- D"`} {
		if !slices.Contains(strings.Split(text, "\n"), line) {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
	edited := strings.ReplaceAll(text, "# to = ", "to = ")
	plan, err := migrate.ReadPlan("p.toml", []byte(edited))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := migrate.Map(source, destination, migrate.Rules{Plan: plan}); err != nil {
		t.Errorf("put together by hand, and still: %v", err)
	}
}

func TestParseRule(t *testing.T) {
	for _, tc := range []struct{ rule, err string }{
		{"Sent=Sent Items", ""}, {"Work/*=*", ""}, {"/^a(.*)$/=b$1", ""}, {"a==b", ""},
		{"Sent", "--map 'Sent' does not say from where to where"},
		{"=x", "--map '=x' does not say from where to where"},
		{"Sent=", "--map 'Sent=' does not say where to"},
		{"a/*=*/*", "--map 'a/*=*/*' has more * after the = than before it"},
		{"/(/=x", "--map '/(/=x': error parsing regexp"},
	} {
		_, err := migrate.ParseRule(tc.rule)
		if (err == nil) != (tc.err == "") || err != nil && !strings.HasPrefix(err.Error(), tc.err) {
			t.Errorf("ParseRule(%q): %v, want %q", tc.rule, err, tc.err)
		}
	}
}

// FuzzMap guards what holds for any listing: no panic, no name that cannot be said or falls apart, no two folders in
// one unless that is an error, and a plan that does what the map does.
func FuzzMap(f *testing.F) {
	f.Add("INBOX\nINBOX.Sent\nINBOX.a/b", "INBOX\nSent", "", byte('.'), byte('/'), byte(0))
	f.Add("INBOX\n[Gmail]/Sent Mail\na  b\nx^y\n[Gmail]", "INBOX\n[Gmail]/All Mail", "", byte('/'), byte('/'), byte(1))
	f.Add("Files\nsent\nSENT\n \n//\nEntw&APw-rfe\nEntw\xfcrfe\nR&D\nR&-D", "INBOX", "INBOX.", byte('/'), byte('.'), byte(2))
	f.Add("a/b\n日本語/&ZeVnLIqe-", "INBOX", "", byte('/'), byte('-'), byte(0))
	f.Add("a\x00b\na\rb\n&AA0ACg-", "x", "x&", byte(0), byte('&'), byte(3))
	f.Add("a/b\na_b\na/b/c", "INBOX", "", byte('/'), byte(0), byte(0))
	hosts := []string{"", "imap.gmail.com", "outlook.office365.com", "imap.proton.me"}
	f.Fuzz(func(t *testing.T, from, to, prefix string, delim, delim2, host byte) {
		source := migrate.Tree{Mailboxes: boxesOf(from, delim)}
		destination := migrate.Tree{Host: hosts[int(host)%len(hosts)], Mailboxes: boxesOf(to, delim2)}
		if prefix != "" {
			destination.Namespace = mail.Namespace{Prefix: prefix, Delim: rune(delim2 & 0x7f)}
		}
		steps, err := migrate.Map(source, destination, migrate.Rules{})
		if len(steps) != len(source.Mailboxes) {
			t.Fatalf("%d steps for %d mailboxes", len(steps), len(source.Mailboxes))
		}
		checkSteps(t, steps, destination, err)
		checkPlan(t, steps, source, destination, err)
	})
}

func boxesOf(names string, delim byte) (boxes []mail.Mailbox) {
	seen := make(map[string]bool)
	for name := range strings.SplitSeq(names, "\n") {
		mb := mail.Mailbox{Name: name, Delim: rune(delim & 0x7f)}
		if mail.IsInbox(name) {
			mb.Name, mb.Role = mail.Inbox, mail.RoleInbox
		}
		if name != "" && !seen[mb.Name] {
			boxes = append(boxes, mb)
		}
		seen[mb.Name] = true
	}
	return boxes
}

func checkSteps(t *testing.T, steps []migrate.Step, destination migrate.Tree, err error) {
	there := make(map[string]bool)
	for _, mb := range destination.Mailboxes {
		there[mb.Name] = true
	}
	into := make(map[string]string)
	for _, s := range steps {
		if s.LeftOut || s.Rest {
			continue
		}
		name := s.To.Name
		if other, taken := into[name]; taken && err == nil {
			t.Errorf("%q and %q fall into %q, and nothing is said", other, s.From.Name, name)
		}
		into[name] = s.From.Name
		if there[name] {
			continue // the server's own name
		}
		if name == "" || strings.ContainsAny(name, "\r\n\x00") {
			t.Errorf("%q becomes %q", s.From.Name, name)
		}
		own := strings.TrimPrefix(name, destination.Namespace.Prefix)
		if !strings.HasSuffix(destination.Namespace.Prefix, string(s.To.Delim)) {
			own = strings.TrimPrefix(own, string(s.To.Delim))
		}
		if s.To.Delim != 0 && slices.Contains(strings.Split(own, string(s.To.Delim)), "") {
			t.Errorf("%q becomes %q, which has a level without a name", s.From.Name, name)
		}
	}
}

func checkPlan(t *testing.T, steps []migrate.Step, source, destination migrate.Tree, err error) {
	text := migrate.WritePlan("fuzz", steps, func(migrate.Step) string { return "x" })
	plan, perr := migrate.ReadPlan("plan.toml", text)
	if err != nil {
		return // a person must edit it
	}
	if perr != nil {
		t.Fatalf("%v\n%s", perr, text)
	}
	again, err := migrate.Map(source, destination, migrate.Rules{Plan: plan})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for i, s := range steps {
		if g := again[i]; g.To.Name != s.To.Name || g.LeftOut != s.LeftOut || g.Rest != s.Rest {
			t.Errorf("%s\nbecame %s by\n%s", fmt.Sprintf("%+v", s), fmt.Sprintf("%+v", g), text)
		}
	}
}
