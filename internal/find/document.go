package find

import (
	"errors"
	"io"
	"strings"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/parts"
)

const (
	maxText = 2 << 20   // octets of a message's texts that are indexed
	maxHead = 128 << 10 // octets of its names and subjects
)

// A document is the words of one message, each with a blank behind it.
type document struct {
	sender, recipient, copied, subject, files, text []byte
	attachments                                     int
}

// read reads a message. What is broken in it does not matter; an error is the reader's.
func read(m io.Reader) (document, error) {
	var d document
	left := int64(maxText)
	err := parts.Walk(m, func(p parts.Part, body io.Reader) error {
		if p.Number == "" || strings.HasSuffix(p.Number, ".") {
			d.head(p)
			return nil
		}
		if p.Name != "" {
			d.files = appendHead(d.files, p.Name)
		}
		if p.Attached && !isDecoration(p) {
			d.attachments++
		}
		if !p.IsText() || left <= 0 {
			return nil
		}
		text, err := parts.ReadText(p, body, left, false)
		if errors.Is(err, parts.ErrBinary) {
			return nil
		}
		left -= int64(len(text))
		d.text = appendWords(d.text, text, true)
		return err
	})
	if err == nil {
		_, err = io.Copy(io.Discard, m) // the last octets tell whether they were the message's
	}
	return d, err
}

// isDecoration is for pictures that stand in the text.
func isDecoration(p parts.Part) bool {
	disposition := strings.ToLower(p.Header.Get("Content-Disposition"))
	return strings.HasPrefix(p.Type, "image/") && p.Header.Get("Content-ID") != "" && !strings.HasPrefix(disposition, "attachment")
}

// head takes the header of the message, or of one that is in it, whose names and subject count as text.
func (d *document) head(p parts.Part) {
	sender, recipient, copied, subject := &d.sender, &d.recipient, &d.copied, &d.subject
	if p.Number != "" {
		sender, recipient, copied, subject = &d.text, &d.text, &d.text, &d.text
	}
	*sender = appendHead(*sender, p.Header.All("From"))
	if on := p.Header.Get("Sender"); on != "" {
		*sender = appendHead(*sender, on)
	}
	*recipient = appendHead(*recipient, p.Header.All("To"))
	*copied = appendHead(*copied, p.Header.All("Cc"))
	*copied = appendHead(*copied, p.Header.All("Bcc"))
	*subject = appendHead(*subject, p.Header.Get("Subject"))
}

// appendHead appends the words of a field; a long one is cut.
func appendHead(words []byte, s string) []byte {
	if len(words) > maxHead {
		return words
	}
	if len(s) > maxHead {
		s = strings.ToValidUTF8(s[:maxHead], "")
	}
	return appendWords(words, s, true)
}

// fromHeader is the document of a message that cannot be read: what the ledger knows of it.
func fromHeader(h mail.Header) document {
	var d document
	d.sender = appendHead(nil, parts.DecodeField(h.From))
	d.recipient = appendHead(nil, parts.DecodeField(h.To))
	d.subject = appendHead(nil, parts.DecodeField(h.Subject))
	return d
}
