package main

import (
	"errors"
	"io"
	"strings"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/parts"
)

// A shownMessage is a message and what is in it.
type shownMessage struct {
	messageRow
	Headers []shownField `json:"headers"`
	Parts   []shownPart  `json:"parts"`
}

type shownField struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type shownPart struct {
	Number  string `json:"number"`
	Type    string `json:"type"`
	Name    string `json:"name,omitempty"`
	Charset string `json:"charset,omitempty"`
	Octets  int64  `json:"octets"` // without transfer encoding
	Text    string `json:"text,omitempty"`
}

func (t *terminal) showJSON(e archive.Entry, m io.Reader) error {
	shown := shownMessage{messageRow: newMessageRow(e)}
	left := int64(maxShown)
	err := parts.Walk(m, func(p parts.Part, body io.Reader) error {
		if p.Number == "" {
			for _, f := range p.Header {
				shown.Headers = append(shown.Headers, shownField{f.Name, f.Text()})
			}
		}
		if p.Number == "" || strings.HasSuffix(p.Number, ".") || p.IsMessage() {
			return nil
		}
		octets := &tally{r: body}
		part := shownPart{Number: p.Number, Type: p.Type, Name: p.Name, Charset: p.Charset}
		var err error
		if p.IsText() && left > 0 {
			part.Text, err = parts.ReadText(p, octets, left, true)
			left -= int64(len(part.Text))
			if errors.Is(err, parts.ErrBinary) {
				err = nil
			}
		}
		if err == nil {
			_, err = io.Copy(io.Discard, octets)
		}
		part.Octets = octets.n
		shown.Parts = append(shown.Parts, part)
		return err
	})
	if err != nil {
		return err
	}
	return writeJSON(t.out, shown)
}

// A tally counts what is read.
type tally struct {
	r io.Reader
	n int64
}

func (c *tally) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
