package find

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
)

func mustDo(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A shelf is an archive that mail is put into.
type shelf struct {
	testing.TB
	*archive.Archive
	dir string
	n   int
}

func newShelf(t testing.TB) *shelf {
	s := &shelf{TB: t, dir: filepath.Join(t.TempDir(), "mail")}
	s.open()
	mustDo(t, s.Bind(mail.Account{Protocol: "imap", Host: "mail.example", User: "me"}, false))
	t.Cleanup(func() { s.Close() })
	return s
}

func (s *shelf) open() {
	a, err := archive.Open(s.dir, archive.Options{Create: true})
	mustDo(s, err)
	s.Archive = a
}

// put archives messages in a folder, and returns their IDs.
func (s *shelf) put(folder string, flags mail.Flags, received time.Time, messages ...string) (ids []int64) {
	s.Helper()
	b := s.NewBatch()
	for _, m := range messages {
		s.n++
		item := mail.Item{Ref: mail.Ref{Mailbox: folder, Validity: 1, UID: fmt.Sprint(s.n)}, Flags: flags, Received: received, Size: int64(len(m))}
		_, err := b.Put(item, mail.Mailbox{Name: folder, Delim: '/'}, strings.NewReader(m))
		mustDo(s, err)
	}
	entries, err := b.Commit()
	mustDo(s, err)
	for _, e := range entries {
		ids = append(ids, e.ID)
	}
	return ids
}

// ask returns the IDs that a query finds, in order.
func (s *shelf) ask(query string) []int64 {
	s.Helper()
	q, err := Parse(query)
	mustDo(s, err)
	x := New(s.Archive)
	defer x.Close()
	ids, err := x.IDs(context.Background(), q)
	mustDo(s, err)
	return ids
}

func letterOf(subject, kind, body string) string {
	return "From: Alice Smith <alice@example.org>\r\nTo: bob@example.net\r\nCc: carol@example.com\r\nSubject: " + subject + "\r\nMessage-ID: <" + strings.ReplaceAll(subject, " ", ".") +
		"@example.org>\r\nContent-Type: " + kind + "\r\n\r\n" + body
}

var march = time.Date(2024, 3, 15, 12, 0, 0, 0, time.Local)

// TestFields guards that each term of a query asks for what it says, and for nothing else.
func TestFields(t *testing.T) {
	s := newShelf(t)
	s.put("INBOX", mail.MakeFlags(`\Seen`, `\Flagged`), march, letterOf("annual report", "text/plain", "The budget is fine.\r\n"))                                    // 1
	s.put("Sent Items", mail.MakeFlags(`$Junk`), march.AddDate(0, 1, 0), letterOf("re: annual", "text/plain", "report follows, alice\r\n"))                           // 2
	s.put("Work/2024", nil, march.AddDate(-1, 0, 0), letterOf("files", `multipart/mixed; boundary=b`, "--b\r\n\r\nsee attached\r\n--b\r\nContent-Type: text/csv\r\n"+ // 3
		"Content-Disposition: attachment; filename=\"Numbers 7.csv\"\r\n\r\nzebra,12\r\n--b--\r\n"+strings.Repeat("x", 3000)))
	for query, want := range map[string][]int64{
		"":                                 {2, 1, 3},
		"budget":                           {1},
		"annual report":                    {2, 1},
		`"annual report"`:                  {1},
		`“annual report”`:                  {1},
		"report annual":                    {2, 1},
		`"report annual"`:                  nil,
		"budg*":                            {1},
		"budg":                             nil,
		"subject:report":                   {1},
		"from:alice":                       {2, 1, 3},
		"from:alice@example.org":           {2, 1, 3},
		"from:example.org":                 {2, 1, 3},
		"from:bob":                         nil,
		"to:bob -from:bob":                 {2, 1, 3},
		"to:carol":                         {2, 1, 3},
		"cc:bob":                           nil,
		"alice budget":                     {1},
		"zebra":                            {3},
		"file:numbers":                     {3},
		"file:*.csv":                       {3},
		`file:"Numbers 7"`:                 {3},
		"has:attachment":                   {3},
		"-has:attachment":                  {2, 1},
		"budget OR zebra":                  {1, 3},
		"budget OR zebra folder:inbox":     {1},
		"budget OR (zebra folder:inbox)":   {1},
		"zebra OR (budget folder:inbox)":   {1, 3},
		"-(budget OR zebra)":               {2},
		"NOT budget":                       {2, 3},
		"annual AND NOT budget":            {2},
		"folder:Work/2024":                 {3},
		"folder:work*":                     {3},
		`folder:"sent items"`:              {2},
		"-folder:inbox":                    {2, 3},
		"after:2024":                       {2, 1},
		"before:2024":                      {3},
		"after:2024-03-15":                 {2, 1},
		"after:2024-03-16":                 {2},
		"before:2024/03/15":                {3},
		"date:2024-03":                     {1},
		"date:2024-03-15":                  {1},
		"date:2024":                        {2, 1},
		"after:2024-03 before:2024-04":     {1},
		"larger:2K":                        {3},
		"smaller:2k":                       {2, 1},
		"larger:1M":                        nil,
		"is:read":                          {1},
		"is:unread":                        {2, 3},
		"is:flagged":                       {1},
		"is:gone":                          nil,
		"keyword:$junk":                    {2},
		"id:annual.report@example.org":     {1},
		"id:<annual.report@example.org>":   {1},
		"number:3":                         {3},
		"https://example.org/budget":       nil,
		"budget -subject:annual":           nil,
		"subject:annual text OR follows":   {2},
		"ALICE Smith":                      {2, 1, 3},
		`subject:"annual" follows, alice@`: {2},
	} {
		if got := s.ask(query); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
}

// TestQueryErrors guards that what is wrong with a query is said with the word that it is about, and a remedy.
func TestQueryErrors(t *testing.T) {
	for query, word := range map[string]string{
		"foo:bar": "foo:bar", "from:": "from:", `"open`: `"open`, "(a": "(", "a)": ")", "()": "()", "a OR": "", "OR a": "", "-": "-", "NOT": "",
		"after:yesterday": "after:yesterday", "date:2024-13": "date:2024-13", "larger:big": "larger:big", "larger:-1": "larger:-1", "is:lost": "is:lost",
		"has:tail": "has:tail", "number:x": "number:x", "!!!": "!!!", "from:...": "from:...", `"ab cd"*`: `"ab cd"*`, strings.Repeat("a ", 600): "",
		strings.Repeat("(", 100): "", strings.Repeat("-", 100) + "a": "", strings.Repeat("a", 20_000): "", "larger:99999999999999999999": "larger:99999999999999999999",
	} {
		_, err := Parse(query)
		e, ok := err.(*QueryError)
		if !ok || e.Word != word || e.Why == "" || e.Remedy == "" {
			t.Errorf("%.50s: %#v, want the word %q", query, err, word)
		}
	}
	s := newShelf(t)
	q, err := Parse("folder:Work")
	mustDo(t, err)
	if _, err := New(s.Archive).IDs(context.Background(), q); err == nil || !strings.Contains(err.Error(), "folder:Work") {
		t.Errorf("a folder that is not there: %v", err)
	}
}
