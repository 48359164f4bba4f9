package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/parts"
)

// A showing is one message on its way to a person.
type showing struct {
	out     io.Writer
	entry   archive.Entry
	headers bool
	shown   map[string]bool // by Part.Among: one of the alternatives was shown
}

func (s *showing) message(m io.Reader) error {
	s.shown = map[string]bool{}
	err := parts.Walk(m, func(p parts.Part, body io.Reader) error {
		if p.Number == "" || strings.HasSuffix(p.Number, ".") {
			return s.head(p)
		}
		if s.headers {
			return nil
		}
		return s.part(p, body)
	})
	if err == nil {
		_, err = io.Copy(io.Discard, m)
	}
	return err
}

// head prints who wrote to whom about what, or all fields there are.
func (s *showing) head(p parts.Part) error {
	if s.headers && p.Number != "" {
		return nil
	}
	var b strings.Builder
	if s.headers {
		for _, f := range p.Header {
			field(&b, f.Name, f.Text())
		}
		return writeText(s.out, b.String())
	}
	for _, name := range []string{"From", "To", "Cc", "Bcc", "Reply-To", "Date", "Subject"} {
		if value := p.Header.All(name); value != "" {
			field(&b, name, value)
		}
	}
	if p.Number == "" {
		field(&b, "Archive", s.place())
	}
	return writeText(s.out, b.String()+"\n")
}

// field writes one field, whatever stands in it, on one line.
func field(b *strings.Builder, name, value string) {
	fmt.Fprintf(b, "%s: %s\n", mail.Printable(name), strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		return r
	}, value))
}

// place says where the message is, and how it stands.
func (s *showing) place() string {
	e := s.entry
	text := fmt.Sprintf("number %d in %s, %s, received %s", e.ID, mail.NameText(e.Mailbox), size(e.Octets), e.Received.In(time.Local).Format("2006-01-02 15:04"))
	for _, f := range e.Flags {
		text += ", " + strings.ToLower(strings.TrimLeft(string(f), `\$`))
	}
	if e.Gone {
		text += ", gone from the source"
	}
	return text
}

// part prints a text, or a line that names what is none. Of several alternatives the first that can be read is enough.
func (s *showing) part(p parts.Part, body io.Reader) error {
	if p.IsMessage() {
		return s.marker(p, -1, "a message")
	}
	attached := p.Attached && p.Number != "1"
	if !p.IsText() || attached && p.Type != "text/plain" || p.Nth > 1 && s.shown[p.Among] {
		n, err := io.Copy(io.Discard, body)
		if err != nil {
			return err
		}
		why := ""
		if p.Nth > 1 && p.IsText() {
			why = "the same in another form"
		}
		return s.marker(p, n, why)
	}
	text, err := parts.ReadText(p, body, maxShown, true)
	if errors.Is(err, parts.ErrBinary) {
		return s.marker(p, -1, err.Error())
	}
	if err == nil && attached {
		err = s.marker(p, -1, "")
	}
	if err != nil {
		return err
	}
	text = strings.TrimLeft(strings.TrimRight(text, " \t\n"), "\n")
	if text == "" {
		return nil
	}
	if p.Nth > 0 {
		s.shown[p.Among] = true
	}
	if err := writeText(s.out, text+"\n\n"); err != nil {
		return err
	}
	if n, err := io.Copy(io.Discard, body); err != nil || n == 0 {
		return err
	}
	return writeText(s.out, "[part "+p.Number+" is longer; --part "+p.Number+" -o FILE writes all of it]\n\n")
}

// marker names a part.
func (s *showing) marker(p parts.Part, octets int64, why string) error {
	text := "[part " + p.Number + ": "
	if p.Name != "" {
		text += mail.Printable(p.Name) + ", "
	}
	text += mail.Printable(p.Type)
	if octets >= 0 {
		text += ", " + size(octets)
	}
	if why != "" {
		text += ", " + why
	}
	return writeText(s.out, text+"]\n\n")
}

// writeText writes foreign text as it can be shown.
func writeText(out io.Writer, text string) error {
	_, err := io.WriteString(out, mail.PrintableText(text))
	return err
}
