package imap

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/dovecot"
)

// LIST answers of real servers, and what becomes of them; every name goes back as it came.
func TestMailboxes(t *testing.T) {
	s := &script{answer: func(s *talk, cmd string) bool {
		return on("LIST", saying(
			`* LIST (\HasNoChildren) "/" "inbox"`, `* LIST (\HasNoChildren) "/" INBOX`,
			`* LIST (\HasChildren \Noselect) "/" "[Gmail]"`, `* LIST (\All \HasNoChildren) "/" "[Gmail]/All Mail"`,
			`* LIST (\HasNoChildren \sent) "/" "[Gmail]/Sent Mail"`, `* LIST (\NonExistent) "/" gone`,
			`* LIST (\Junk) "." INBOX.Spam`, `* LIST (\AllMail) "/" all`, `* LIST (\Marked \spam) "/" bulk`, `* LIST () NIL "Entw&APw-rfe"`, `* LIST () "/" "Entwürfe"`, `* LIST () "/" "R & D"`,
			"* LIST () \"\\\\\" \"Lat\xefn\"", `* LIST () "/" "a\"b\\c"`, `* LIST () "/" Trash*`, "* LIST () \"/\" {3}\r\nlit", "TAG OK done"))(s, cmd)
	}}
	c := s.client(t)
	got, err := c.Mailboxes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []mail.Mailbox{
		{Name: mail.Inbox, Delim: '/', Role: mail.RoleInbox}, {Name: "[Gmail]/All Mail", Delim: '/', Role: mail.RoleAll},
		{Name: "[Gmail]/Sent Mail", Delim: '/', Role: mail.RoleSent}, {Name: "INBOX.Spam", Delim: '.', Role: mail.RoleJunk},
		{Name: "all", Delim: '/', Role: mail.RoleAll}, {Name: "bulk", Delim: '/', Role: mail.RoleJunk},
		{Name: "Entw&APw-rfe"}, {Name: "Entwürfe", Delim: '/'}, {Name: "R & D", Delim: '/'}, {Name: "Lat\xefn", Delim: '\\'},
		{Name: `a"b\c`, Delim: '/'}, {Name: "Trash*", Delim: '/'}, {Name: "lit", Delim: '/'},
	}
	if !slices.Equal(got, want) {
		t.Errorf("Mailboxes = %+v\nwant %+v", got, want)
	}
	for _, mb := range want {
		if _, err := c.Select(t.Context(), mb.Name); err != nil {
			t.Errorf("Select(%q): %v", mb.Name, err)
		}
		sent := "SELECT " + quote(mb.Name)
		if mb.Name == mail.Inbox {
			sent = "SELECT INBOX"
		}
		if log := s.log(); log[len(log)-1] != sent {
			t.Errorf("the server got %q, want %q", log[len(log)-1], sent)
		}
	}
}

func TestUnsayableNames(t *testing.T) {
	c := (&script{}).client(t)
	for _, name := range []string{"", "a\r\nb", "a\x00", strings.Repeat("x", maxName+1)} {
		_, err := c.Select(t.Context(), name)
		if got := describe(err); !strings.HasPrefix(got, "mailbox usage: ") {
			t.Errorf("Select(%.20q): %s", name, got)
		}
		err = c.Create(t.Context(), mail.Mailbox{Name: name})
		if got := describe(err); !strings.HasPrefix(got, "mailbox usage: ") {
			t.Errorf("Create(%.20q): %s", name, got)
		}
	}
}

func TestCreate(t *testing.T) {
	const sub = `SUBSCRIBE "a/b/c"`
	for name, test := range map[string]struct {
		caps   string
		answer func(s *talk, cmd string) bool
		want   []string // commands
		err    string
	}{
		"made":           {"", nil, []string{`CREATE "a/b/c"`, sub}, "ok"},
		"special use":    {"CREATE-SPECIAL-USE", nil, []string{`CREATE "a/b/c" (USE (\Sent))`, sub}, "ok"},
		"no special use": {"CREATE-SPECIAL-USE", on(`CREATE "a/b/c" (USE`, saying("TAG NO [USEATTR] no")), []string{`CREATE "a/b/c" (USE (\Sent))`, `CREATE "a/b/c"`, sub}, "ok"},
		"there already": {"", func(s *talk, cmd string) bool {
			return on("CREATE", saying("TAG NO Mailbox already exists"))(s, cmd) ||
				on("LIST", saying(`* LIST () "/" "a/b/x"`, `* LIST () "/" "a/b/c"`, "TAG OK done"))(s, cmd)
		}, []string{`CREATE "a/b/c"`, `LIST "" "a/b/c"`, sub}, "ok"},
		"parents first": {"", func() func(*talk, string) bool {
			made := 0
			return func(s *talk, cmd string) bool {
				if strings.HasPrefix(cmd, `CREATE "a/b/c"`) {
					if made++; made == 1 {
						s.say(s.tag + " NO parent missing")
						return true
					}
				}
				return false
			}
		}(), []string{`CREATE "a/b/c"`, `LIST "" "a/b/c"`, `CREATE "a"`, `CREATE "a/b"`, `CREATE "a/b/c"`, sub}, "ok"},
		"refused": {"", on("CREATE", saying("TAG NO [CANNOT] no dots here")), []string{`CREATE "a/b/c"`, `LIST "" "a/b/c"`, `CREATE "a"`, `CREATE "a/b"`, `CREATE "a/b/c"`, `LIST "" "a/b/c"`},
			"mailbox refused: create a/b/c: the server says: no dots here"},
		"over quota": {"", on("CREATE", saying("TAG NO [OVERQUOTA] full")), []string{`CREATE "a/b/c"`, `LIST "" "a/b/c"`},
			"mailbox quota: create a/b/c: the server says: full"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &script{caps: "IMAP4rev1 " + test.caps, answer: test.answer}
			err := s.client(t).Create(t.Context(), mail.Mailbox{Name: "a/b/c", Delim: '/', Role: mail.RoleSent, Subscribed: true})
			got := slices.DeleteFunc(s.log(), func(cmd string) bool { return cmd == "CAPABILITY" || strings.HasPrefix(cmd, "LOGIN") })
			if describe(err) != test.err || !slices.Equal(got, test.want) {
				t.Errorf("Create: %s, by %q\nwant %s, by %q", describe(err), got, test.err, test.want)
			}
		})
	}
}

func TestCreateSubscribes(t *testing.T) {
	for _, test := range []struct {
		mb   mail.Mailbox
		want []string
	}{
		{mail.Mailbox{Name: "a"}, []string{`CREATE "a"`, `UNSUBSCRIBE "a"`}},
		{mail.Mailbox{Name: "a", Subscribed: true}, []string{`CREATE "a"`, `SUBSCRIBE "a"`}},
		{mail.Mailbox{Name: "INBOX", Subscribed: true}, []string{`SUBSCRIBE INBOX`}},
	} {
		s := &script{answer: on("SUBSCRIBE", saying("TAG NO not here"))}
		err := s.client(t).Create(t.Context(), test.mb)
		got := slices.DeleteFunc(s.log(), func(cmd string) bool { return cmd == "CAPABILITY" || strings.HasPrefix(cmd, "LOGIN") })
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("Create(%+v): %v, by %q, want %q", test.mb, err, got, test.want)
		}
	}
}

func TestCheck(t *testing.T) {
	office := postoffice.New()
	me := office.Account("me", canary)
	me.CreateMailbox("Sent", `\Sent`)
	me.Deliver(mail.Inbox, postoffice.Message{Octets: []byte("a: b\r\n\r\nc\r\n")})
	server := office.IMAP(postoffice.Trouble{})
	defer server.Close()
	c := New(dial.Server{Host: "x", Plain: true, Dialer: server.Dial}, mail.Login{User: "me", Password: password})
	defer c.Close()
	r, err := c.Check(t.Context())
	if err != nil || r.Greeting == "" || !r.UIDPlus || r.Literal != "LITERAL+" || len(r.Before) == 0 || len(r.After) <= len(r.Before) {
		t.Errorf("Check = %+v, %v", r, err)
	}
	if got := fmt.Sprint(r.Mailboxes); got != "[{{INBOX 47 inbox false false} 1 11 0} {{Sent 47 sent false false} 0 0 0}]" {
		t.Errorf("mailboxes %s", got)
	}
	for _, verb := range []string{"SELECT", "APPEND", "CREATE", "SUBSCRIBE", "STORE"} {
		if server.Count(verb) > 0 {
			t.Errorf("Check says %s", verb)
		}
	}
}

func TestCheckQuota(t *testing.T) {
	s := &script{caps: "IMAP4rev1 QUOTA APPENDLIMIT", answer: func(s *talk, cmd string) bool {
		return on("GETQUOTAROOT", saying(`* QUOTAROOT INBOX "User quota"`, `* QUOTA "User quota" (STORAGE 10 512 MESSAGE 1 9)`, "TAG OK done"))(s, cmd) ||
			on("STATUS", saying("* STATUS inbox (MESSAGES 1 APPENDLIMIT 99)", "* OK [ALERT] Disk \x1b[31mfull soon", "", "TAG OK done"))(s, cmd)
	}}
	r, err := s.client(t).Check(t.Context())
	if err != nil || fmt.Sprint(r.Quotas) != "[{User quota MESSAGE 1 9} {User quota STORAGE 10 512}]" || r.Mailboxes[0].AppendLimit != 99 || r.Mailboxes[0].Octets != -1 {
		t.Errorf("Check = %+v, %v", r, err)
	}
	if !slices.Equal(r.Said, []string{`Disk \x1b[31mfull soon`}) || !slices.Equal(r.Notes, []string{"sends empty lines"}) {
		t.Errorf("the server said %q, and is noted for %q", r.Said, r.Notes)
	}
}

func TestQuotaAtDovecot(t *testing.T) {
	server := dovecot.Start(t, dovecot.Options{Quota: 10_000})
	c := New(dial.Server{Host: dovecot.Host, Port: server.IMAPS, CAFile: server.CAFile},
		mail.Login{User: "me", Password: func(context.Context) (string, error) { return dovecot.Password, nil }})
	defer c.Close()
	big := message("Subject: big\r\n\r\n" + strings.Repeat("x", 5984))
	var got outcomes
	err := c.Append(t.Context(), mail.Inbox, []mail.Outgoing{big, big, big}, got.done)
	if len(got) != 1 || !strings.HasPrefix(got[0], "0 uid ") || !strings.HasPrefix(describe(err), "account quota: append to INBOX: the server says: ") {
		t.Errorf("Append = %q, %s", got, describe(err))
	}
	if n := len(server.Messages(t, "me", mail.Inbox)); n != 1 {
		t.Errorf("%d messages stored", n)
	}
}
