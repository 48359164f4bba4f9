package mbox

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// An EMLX is what a file of Apple Mail says of the message in it.
type EMLX struct {
	Start, Octets int64 // where the message lies in the file
	Flags         mail.Flags
	Deleted       bool
	Received      time.Time // zero: it does not say
}

const maxPlist = 1 << 20

// Bits of "flags" in the property list.
const (
	appleRead      = 1 << 0
	appleDeleted   = 1 << 1
	appleAnswered  = 1 << 2
	appleFlagged   = 1 << 4
	appleDraft     = 1 << 6
	appleForwarded = 1 << 8
)

// ReadEMLX reads a file of Apple Mail: a line with the number of octets, the message, and a property list. Without a list
// that can be read, it says nothing of the message, which is there all the same.
func ReadEMLX(r io.Reader, size int64) (EMLX, error) {
	var e EMLX
	in := bufio.NewReader(r)
	line, err := in.ReadSlice('\n')
	if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
		return e, err
	}
	e.Start = int64(len(line))
	e.Octets, err = strconv.ParseInt(strings.TrimSpace(string(line)), 10, 64)
	if err != nil || e.Octets < 0 || e.Start > 64 {
		return e, errors.New("it does not begin with the number of octets of the message")
	}
	if e.Octets > size-e.Start {
		return e, fmt.Errorf("it says that the message has %d octets, and only %d are there", e.Octets, size-e.Start)
	}
	if _, err := io.CopyN(io.Discard, in, e.Octets); err != nil {
		return e, err
	}
	e.list(io.LimitReader(in, maxPlist))
	return e, nil
}

// list reads the property list as far as it can be read.
func (e *EMLX) list(r io.Reader) {
	d := xml.NewDecoder(r)
	d.Strict = false
	var key, text string
	depth := 0
	for {
		t, err := d.RawToken()
		if err != nil {
			return
		}
		switch t := t.(type) {
		case xml.StartElement:
			text = ""
			if t.Name.Local == "dict" || t.Name.Local == "array" {
				depth++
			}
		case xml.CharData:
			text += string(t[:min(len(t), 100)])
			text = text[:min(len(text), 200)]
		case xml.EndElement:
			switch t.Name.Local {
			case "dict", "array":
				depth--
			case "key":
				key = strings.TrimSpace(text)
			default:
				if depth == 1 {
					e.take(key, strings.TrimSpace(text))
				}
				key = ""
			}
		}
	}
}

func (e *EMLX) take(key, value string) {
	n, err := strconv.ParseFloat(value, 64)
	if err != nil || n < 0 || n >= 1<<62 {
		return
	}
	switch key {
	case "date-received":
		e.Received = time.Unix(int64(n), 0).UTC()
	case "flags":
		e.setFlags(int64(n))
	}
}

func (e *EMLX) setFlags(bits int64) {
	var names []string
	for _, f := range []struct {
		bit  int64
		flag mail.Flag
	}{{appleRead, mail.Seen}, {appleAnswered, mail.Answered}, {appleFlagged, mail.Flagged}, {appleDraft, mail.Draft},
		{appleForwarded, mail.Forwarded}} {
		if bits&f.bit != 0 {
			names = append(names, string(f.flag))
		}
	}
	e.Flags = mail.MakeFlags(names...)
	e.Deleted = bits&appleDeleted != 0
}
