package imap

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/mailhaul/mailhaul/backup"
	"github.com/mailhaul/mailhaul/backup/sourcetest"
	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/dovecot"
)

var (
	_ backup.Stateful = (*Source)(nil)
	_ backup.Headed   = (*Source)(nil)
)

// source returns a Source of the script, as client does.
func (s *script) source(t testing.TB) *Source {
	t.Helper()
	src := NewSource(s.server(), mail.Login{User: "me", Password: password})
	t.Cleanup(func() {
		src.Close()
		s.running.Wait()
	})
	return src
}

// sourceInOffice returns a Source for an account in a postoffice, and its server.
func sourceInOffice(t testing.TB, trouble postoffice.Trouble, messages ...[]byte) (*Source, *postoffice.Server, *postoffice.Account) {
	t.Helper()
	office := postoffice.New()
	me := office.Account("me", canary)
	for _, octets := range messages {
		me.Deliver(mail.Inbox, postoffice.Message{Octets: octets})
	}
	server := office.IMAP(trouble)
	t.Cleanup(func() { server.Close() })
	s := NewSource(dial.Server{Host: "imap.example.org", Port: 143, Plain: true, Dialer: server.Dial},
		mail.Login{User: "me", Password: password})
	t.Cleanup(func() { s.Close() })
	return s, server, me
}

// troubles are what a source has to live with.
var troubles = map[string]postoffice.Trouble{
	"all there is":          {With: []string{"CONDSTORE", "OBJECTID", "ID"}},
	"as it was":             {},
	"Gmail":                 {With: []string{"CONDSTORE", "X-GM-EXT-1", "XLIST"}},
	"bare":                  {Without: []string{"LIST-EXTENDED", "LIST-STATUS", "SPECIAL-USE", "NAMESPACE", "CHILDREN", "STATUS=SIZE", "ESEARCH"}},
	"XLIST":                 {Without: []string{"LIST-EXTENDED", "SPECIAL-USE"}, With: []string{"XLIST"}},
	"body first":            {BodyFirst: true},
	"unasked":               {Unasked: true, With: []string{"CONDSTORE"}},
	"three at once":         {AtOnce: 3},
	"three by the book":     {With: []string{"MESSAGELIMIT=3"}},
	"no UIDNEXT":            {Rewrite: postoffice.NoUIDNEXT},
	"no dates":              {Rewrite: postoffice.Replace("UID FETCH", `INTERNALDATE "[^"]*"`, `INTERNALDATE "00-Jan-0000 00:00:00 +0000"`)},
	"wrong sizes":           {Rewrite: postoffice.Replace("UID FETCH", `RFC822.SIZE ([1-9]\d*)`, "RFC822.SIZE ${1}9")},
	"in two rows":           {Rewrite: inTwoRows},
	"numbers that are none": {Rewrite: postoffice.Replace("UID FETCH", `^\* \d+ FETCH`, "* 1 FETCH")},
	"NO to RETURN":          {Rewrite: refuseReturn},
}

var itemRow = regexp.MustCompile(`^(\* \d+ FETCH \(UID \d+) (FLAGS \([^)]*\)) ([^{]*\))$`)

// inTwoRows tells the flags of a message in a row of their own, behind.
func inTwoRows(_, line string) []string {
	if m := itemRow.FindStringSubmatch(line); m != nil {
		return []string{m[1] + " " + m[3], m[1] + " " + m[2] + ")"}
	}
	return []string{line}
}

// refuseReturn is a server that announces what it does not do.
func refuseReturn(command, line string) []string {
	switch {
	case !strings.Contains(command, "RETURN"):
		return []string{line}
	case strings.HasPrefix(line, "*"):
		return nil
	}
	tag, _, _ := strings.Cut(line, " ")
	return []string{tag + " BAD what is RETURN?"}
}

func TestSource(t *testing.T) {
	for name, trouble := range troubles {
		t.Run(name, func(t *testing.T) {
			var servers []*postoffice.Server
			sourcetest.Test(t, func(t *testing.T, messages [][]byte) sourcetest.Account {
				s, server, me := sourceInOffice(t, trouble, messages...)
				servers = append(servers, server)
				return sourcetest.Account{Source: s, State: func() any { return me.Messages(mail.Inbox) }}
			})
			for _, server := range servers {
				wantOnlyReading(t, server)
			}
		})
	}
}

// wantOnlyReading: nothing was said that could change anything.
func wantOnlyReading(t *testing.T, server *postoffice.Server) {
	t.Helper()
	harmless := []string{"CAPABILITY", "LOGIN", "ID", "LIST", "LSUB", "XLIST", "NAMESPACE", "STATUS", "EXAMINE", "NOOP", "FETCH", "UID FETCH", "LOGOUT"}
	for _, command := range server.Commands() {
		if !slices.ContainsFunc(harmless, func(verb string) bool { return verbOf(command) == verb }) {
			t.Errorf("the source said %q", command)
		}
	}
}

func TestSourceOverSTARTTLS(t *testing.T) {
	sourcetest.Test(t, func(t *testing.T, messages [][]byte) sourcetest.Account {
		_, server, me := sourceInOffice(t, postoffice.Trouble{}, messages...)
		s := NewSource(overSTARTTLS(t, server), mail.Login{User: "me", Password: password})
		t.Cleanup(func() { s.Close() })
		return sourcetest.Account{Source: s, State: func() any { return me.Messages(mail.Inbox) }}
	})
}

func TestSourceAtDovecot(t *testing.T) {
	server := dovecot.Shared(t)
	for name, how := range map[string]dial.Server{
		"TLS":      {Host: dovecot.Host, Port: server.IMAPS, CAFile: server.CAFile},
		"STARTTLS": {Host: dovecot.Host, Port: server.IMAP, CAFile: server.CAFile, StartTLS: dial.STARTTLS},
	} {
		t.Run(name, func(t *testing.T) { testSourceAtDovecot(t, server, how) })
	}
}

func testSourceAtDovecot(t *testing.T, server *dovecot.Server, how dial.Server) {
	sourcetest.Test(t, func(t *testing.T, messages [][]byte) sourcetest.Account {
		user := newUser()
		for _, octets := range messages {
			server.Deliver(t, user, mail.Inbox, octets, nil, time.Now())
		}
		s := NewSource(how, mail.Login{User: user, Password: func(context.Context) (string, error) { return dovecot.Password, nil }})
		t.Cleanup(func() { s.Close() })
		return sourcetest.Account{Source: s, State: func() any {
			var all []string // without the UIDs, which the first look gives
			for _, m := range server.Messages(t, user, mail.Inbox) {
				all = append(all, fmt.Sprintf("%s\x00%s\x00%v", m.Octets, m.Flags, m.Received))
			}
			return strings.Join(all, "\x00\x00")
		}}
	})
}

func verbOf(command string) string {
	fields := strings.Fields(command)
	if fields[0] == "UID" {
		return strings.Join(fields[:2], " ")
	}
	return fields[0]
}

var users atomic.Int64

// newUser is the name of somebody whom the shared Dovecot does not know yet.
func newUser() string { return fmt.Sprintf("user%d", users.Add(1)) }

// At Dovecot, what Changes tells is what another client did, and an unchanged mailbox is known by its Status.
func TestChangesAtDovecot(t *testing.T) {
	server, user := dovecot.Shared(t), newUser()
	for i := range 30 {
		server.Deliver(t, user, mail.Inbox, fmt.Appendf(nil, "Subject: %d\r\n\r\nx\r\n", i), mail.MakeFlags(`\Seen`), time.Unix(1_700_000_000+int64(i), 0))
	}
	s := NewSource(dial.Server{Host: dovecot.Host, Port: server.IMAPS, CAFile: server.CAFile},
		mail.Login{User: user, Password: func(context.Context) (string, error) { return dovecot.Password, nil }})
	defer s.Close()
	other := clientAt(t, server, user)
	for _, do := range []*imapclient.Command{other.Create("Work/deep/down", nil), other.Subscribe("Work/deep/down"), other.Create("Büro & Co", nil)} {
		if err := do.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	boxes, err := s.Mailboxes(t.Context())
	if got := strings.Join(slices.Sorted(slices.Values(told(boxes))), " "); err != nil || got != "(Work) (Work/deep) B&APw-ro &- Co INBOX/inbox Work/deep/down+" {
		t.Errorf("Mailboxes = %s, %v", got, err)
	}
	first := mustChange(t, s, mail.Status{})
	if len(first.New) != 30 || first.Partial != "" || first.Status.ModSeq == 0 || !first.New[7].Received.Equal(time.Unix(1_700_000_007, 0)) {
		t.Fatalf("%s, status %+v", tale(first), first.Status)
	}
	s.Close()
	s.Mailboxes(t.Context())
	statuses, err := s.Statuses(t.Context(), boxes)
	if err != nil || statuses[mail.Inbox] != first.Status || len(statuses) != 3 {
		t.Errorf("Statuses = %+v, %v; want %+v for the INBOX", statuses, err, first.Status)
	}
	if got := tale(mustChange(t, s, first.Status)); got != "new, flags, 30 messages" {
		t.Errorf("nothing changed: %s", got)
	}
	if _, err := other.Select(mail.Inbox, nil).Wait(); err != nil {
		t.Fatal(err)
	}
	other.Store(imap.UIDSetNum(3, 5), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagFlagged, "work"}}, nil).Close()
	other.Store(imap.UIDSetNum(1, 30), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}}, nil).Close()
	other.Expunge().Close()
	other.Copy(imap.UIDSetNum(2), mail.Inbox).Wait()
	ch := mustChange(t, s, first.Status)
	left := make([]uint32, 0, 28)
	for uid := uint32(2); uid < 30; uid++ {
		left = append(left, uid)
	}
	if want := fmt.Sprintf(`new 31[\Seen], flags 3[\Flagged \Seen work] 5[\Flagged \Seen work], left %v, 29 messages`, left); tale(ch) != want {
		t.Errorf("%s\nwant %s", tale(ch), want)
	}
	if err := other.Delete("Work/deep/down").Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Changes(t.Context(), "Work/deep/down", mail.Status{}); !strings.HasPrefix(describe(err), "mailbox vanished: ") {
		t.Errorf("a mailbox that is gone: %s", describe(err))
	}
}

// At Dovecot, which ends all commands together, none comes twice for being asked for ahead.
func TestFetchAheadAtDovecot(t *testing.T) {
	server, user := dovecot.Shared(t), newUser()
	const n, size = 500, 2000
	for range n {
		server.Deliver(t, user, mail.Inbox, []byte("Subject: x\r\n\r\n"+strings.Repeat("x", size)+"\r\n"), nil, time.Now())
	}
	var meter dial.Meter
	s := NewSource(dial.Server{Host: dovecot.Host, Port: server.IMAPS, CAFile: server.CAFile, Meter: &meter},
		mail.Login{User: user, Password: func(context.Context) (string, error) { return dovecot.Password, nil }})
	defer s.Close()
	items, err := s.List(t.Context(), mail.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	came, given, breaks := persist(t, items, func(items []mail.Item, fn func(mail.Item, io.Reader) error) error {
		return s.Fetch(t.Context(), items, fn)
	})
	if len(came) != n || len(given) > 0 || breaks > 0 || s.session.guard.known().outOfTurn {
		t.Errorf("%d messages came, %v given up, %d breaks", len(came), given, breaks)
	}
	if octets := meter.Read(); octets > n*(size+300) {
		t.Errorf("%d octets came, of messages of %d", octets, n*size)
	}
}

// clientAt is another client of the account.
func clientAt(t *testing.T, server *dovecot.Server, user string) *imapclient.Client {
	t.Helper()
	pem, err := os.ReadFile(server.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	c, err := imapclient.DialTLS(net.JoinHostPort(dovecot.Host, fmt.Sprint(server.IMAPS)), &imapclient.Options{TLSConfig: &tls.Config{RootCAs: roots}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Login(user, dovecot.Password).Wait(); err != nil {
		t.Fatal(err)
	}
	return c
}
