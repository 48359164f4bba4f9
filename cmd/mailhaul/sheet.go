package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/width"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/parts"
)

// A messageRow is one message of the archive.
type messageRow struct {
	Event     string     `json:"event"` // "message"
	Number    int64      `json:"number"`
	Received  string     `json:"received"`
	From      string     `json:"from"`
	To        string     `json:"to"`
	Subject   string     `json:"subject"`
	Folder    string     `json:"folder"`
	Octets    int64      `json:"octets"`
	Flags     mail.Flags `json:"flags"`
	Gone      bool       `json:"gone"`
	MessageID string     `json:"message_id"`
	Path      string     `json:"path"`
	received  time.Time
}

func newMessageRow(e archive.Entry) messageRow {
	return messageRow{
		Event: "message", Number: e.ID, Received: e.Received.Format(time.RFC3339), received: e.Received,
		From: parts.DecodeField(e.Header.From), To: parts.DecodeField(e.Header.To), Subject: parts.DecodeField(e.Header.Subject),
		Folder: mail.NameText(e.Mailbox), Octets: e.Octets, Flags: append(mail.Flags{}, e.Flags...), Gone: e.Gone,
		MessageID: e.Header.MessageID, Path: e.Path,
	}
}

// sender is who the mail is from as people call them.
func (r messageRow) sender() string {
	name, address, found := strings.Cut(r.From, "<")
	name = strings.Trim(name, " \t\"")
	if !found || name == "" {
		name = strings.Trim(r.From, "<> ")
	}
	if name == "" && found {
		name = address
	}
	return name
}

// A sheet is how wide the columns are; zero: as wide as what is in them.
type sheet struct{ number, sender, subject, folder int }

// sheetFor returns the sheet for a terminal, of which the subject takes what is left.
func sheetFor(columns int, ids []int64) sheet {
	if columns == 0 {
		return sheet{}
	}
	s := sheet{sender: 20, folder: 14}
	for _, id := range ids {
		s.number = max(s.number, len(strconv.FormatInt(id, 10)))
	}
	if columns < 90 {
		s.sender, s.folder = 16, 10
	}
	// Between the columns stand two blanks; the date takes 10, the size 8, and the last column stays free.
	s.subject = max(10, columns-1-s.number-10-s.sender-s.folder-8-5*2)
	return s
}

func (s sheet) line(r messageRow) string {
	number, sender, subject, folder := strconv.FormatInt(r.Number, 10), mail.Printable(r.sender()), mail.Printable(r.Subject), mail.Printable(r.Folder)
	when := r.received.In(time.Local)
	if s == (sheet{}) {
		return strings.Join([]string{number, when.Format("2006-01-02 15:04"), sender, subject, folder, strconv.FormatInt(r.Octets, 10)}, "\t") + "\n"
	}
	return fmt.Sprintf("%*s  %s  %s  %s  %s  %8s\n", s.number, number, when.Format(time.DateOnly),
		fit(sender, s.sender), fit(subject, s.subject), fit(folder, s.folder), size(r.Octets))
}

// fit cuts or fills a text, which is printable, so that it takes so many columns.
func fit(s string, columns int) string {
	taken, whole := 0, 0 // whole is how much fits with an ellipsis behind it
	for i, r := range s {
		n := columnsOf(r)
		if taken+n > columns {
			return s[:whole] + "…" + strings.Repeat(" ", columns-1-columnsIn(s[:whole]))
		}
		if taken += n; taken < columns {
			whole = i + len(string(r))
		}
	}
	return s + strings.Repeat(" ", columns-taken)
}

func columnsIn(s string) (n int) {
	for _, r := range s {
		n += columnsOf(r)
	}
	return n
}

// columnsOf returns how many columns of a terminal a character takes.
func columnsOf(r rune) int {
	if r < 0x300 {
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
		return 2
	}
	return 1
}
