package imap

import (
	"cmp"
	"context"
	"slices"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Report is what Check finds out. Its texts are the server's, made printable.
type Report struct {
	Greeting      string   // "" if the server said it before TLS began
	TLS           string   // the version, or "" without TLS
	Before, After []string // the capabilities before and after the login
	AppendLimit   int64    // octets of the largest message the server takes (RFC 7889); 0: not said
	UIDPlus       bool     // it names the UID of what is appended (RFC 4315)
	Literal       string   // "LITERAL+", "LITERAL-" (RFC 7888) or "": how fast it can be appended to
	Mailboxes     []MailboxReport
	Quotas        []Quota
	Said          []string // alerts
	Notes         []string // what is strange about the server
}

// A MailboxReport is one mailbox as STATUS shows it, without opening it.
type MailboxReport struct {
	mail.Mailbox
	Messages    int64 // -1: the server does not say
	Octets      int64 // of all messages (RFC 8438); -1: the server does not say
	AppendLimit int64 // as that of the server; 0: not said
}

// A Quota is one limit (RFC 9208 §5): STORAGE counts units of 1024 octets, MESSAGE messages.
type Quota struct {
	Root, Resource string
	Used, Limit    int64
}

// Check logs in and looks around. It writes nothing and opens no mailbox.
func (a *account) Check(ctx context.Context) (report Report, err error) {
	err = a.with(ctx, "check", "", func(s *session) error {
		report = Report{TLS: s.tls, Before: s.before.list(), After: s.caps.list(),
			AppendLimit: s.caps.appendLimit(), UIDPlus: s.caps.has("UIDPLUS"), Literal: s.literals()}
		if report.Mailboxes, err = s.mailboxReports(); err != nil {
			return wholeAccount(s.explain(err))
		}
		report.Quotas, err = s.quotas()
		known := s.guard.known()
		report.Greeting, report.Said, report.Notes = known.greeting, known.said, known.notes
		for i := range report.Said { // known has copied them
			report.Said[i] = a.secret.Redact(report.Said[i])
		}
		return err
	})
	return report, err
}

func (s *session) literals() string {
	for _, name := range []string{"LITERAL+", "LITERAL-"} {
		if s.caps.has(name) {
			return name
		}
	}
	return ""
}

// mailboxReports asks for the STATUS of many mailboxes at once.
func (s *session) mailboxReports() ([]MailboxReport, error) {
	mailboxes, err := s.mailboxes()
	if err != nil {
		return nil, err
	}
	const together = 32
	var reports []MailboxReport
	for part := range slices.Chunk(mailboxes, together) {
		var cmds []*imapclient.StatusCommand
		for _, mb := range part {
			cmds = append(cmds, s.imap.Status(alias(mb.Name), s.statusItems()))
		}
		for i, cmd := range cmds {
			data, err := cmd.Wait()
			if sessionOnly(err) != nil {
				return nil, err
			}
			reports = append(reports, mailboxReport(part[i], data))
		}
	}
	return reports, nil
}

func (s *session) statusItems() *imap.StatusOptions {
	return &imap.StatusOptions{
		NumMessages: true,
		Size:        s.caps.has("STATUS=SIZE") || s.caps.has("IMAP4REV2"),
		AppendLimit: s.caps.has("APPENDLIMIT"),
	}
}

func mailboxReport(mb mail.Mailbox, data *imap.StatusData) MailboxReport {
	r := MailboxReport{Mailbox: mb, Messages: -1, Octets: -1}
	if data.NumMessages != nil {
		r.Messages = int64(*data.NumMessages)
	}
	if data.Size != nil {
		r.Octets = *data.Size
	}
	if data.AppendLimit != nil {
		r.AppendLimit = int64(*data.AppendLimit)
	}
	return r
}

// quotas returns the limits of the INBOX, which are those of the account nearly everywhere.
func (s *session) quotas() ([]Quota, error) {
	if !s.caps.has("QUOTA") {
		return nil, nil
	}
	roots, err := s.imap.GetQuotaRoot(mail.Inbox).Wait()
	var quotas []Quota
	for _, root := range roots {
		for resource, data := range root.Resources {
			quotas = append(quotas, Quota{Root: mail.Printable(root.Root), Resource: string(resource), Used: data.Usage, Limit: data.Limit})
		}
	}
	slices.SortFunc(quotas, func(a, b Quota) int {
		return cmp.Or(cmp.Compare(a.Root, b.Root), cmp.Compare(a.Resource, b.Resource))
	})
	return quotas, sessionOnly(err)
}
