package parts

import (
	"bufio"
	"bytes"
	"strings"
)

const (
	maxFields = 1000
	maxField  = 32 << 10 // octets of a field that are kept
	maxHeader = 512 << 10
)

// A Field is one field of a header, unfolded and as it is on the wire.
type Field struct{ Name, Value string }

// A Header is the fields of a message or a part, in their order.
type Header []Field

// Get returns the first field of that name, in any case, decoded (RFC 2047) and on one line; "" if there is none.
func (h Header) Get(name string) string {
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			return f.Text()
		}
	}
	return ""
}

// All returns all fields of that name, decoded, with a comma between them.
func (h Header) All(name string) string {
	var all []string
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			all = append(all, f.Text())
		}
	}
	return strings.Join(all, ", ")
}

// Text returns the field's value, decoded.
func (f Field) Text() string { return DecodeField(f.Value) }

// raw returns the first field of that name as it is.
func (h Header) raw(name string) string {
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// readHeader reads up to the empty line. Lines that are no fields are passed over.
func readHeader(in *bufio.Reader) Header {
	var h Header
	var field []byte
	total := 0
	end := func() {
		name, value, found := bytes.Cut(field, []byte{':'})
		name = bytes.TrimRight(name, " \t")
		if found && len(name) > 0 && !bytes.ContainsAny(name, " \t") && len(h) < maxFields {
			h = append(h, Field{string(name), string(bytes.TrimSpace(value))})
		}
		field = field[:0]
	}
	for inLine := false; ; {
		line, err := in.ReadSlice('\n')
		content := bytes.TrimRight(line, "\r\n")
		if !inLine && len(content) == 0 {
			break
		}
		if !inLine && content[0] != ' ' && content[0] != '\t' {
			end()
		}
		if !inLine && len(field) > 0 {
			content = append([]byte{' '}, bytes.TrimLeft(content, " \t")...)
		}
		content = content[:min(len(content), max(0, maxField-len(field)), max(0, maxHeader-total))]
		field, total = append(field, content...), total+len(content)
		inLine = err == bufio.ErrBufferFull
		if err != nil && !inLine {
			break
		}
	}
	end()
	return h
}

// makePart reads what a header says of a part; without is its type if nothing is said.
func makePart(h Header, without string) Part {
	p := Part{Header: h, Type: without, encoding: strings.ToLower(strings.TrimSpace(h.raw("Content-Transfer-Encoding")))}
	kind, params := parseParams(h.raw("Content-Type"))
	if strings.Count(kind, "/") == 1 && !strings.ContainsAny(kind, " \t") {
		p.Type = kind
	} else if kind == "text" { // as it was before MIME, and some write today
		p.Type = "text/plain"
	}
	disposition, more := parseParams(h.raw("Content-Disposition"))
	p.Charset, p.boundary = params["charset"], strings.TrimRight(params["boundary"], " \t")
	p.Name = oneLine(more["filename"])
	if p.Name == "" {
		p.Name = oneLine(params["name"])
	}
	p.Attached = disposition == "attachment" || p.Name != ""
	return p
}

func oneLine(s string) string {
	name := strings.Join(strings.Fields(s), " ")
	if len(name) > 1000 {
		name = strings.ToValidUTF8(name[:1000], "")
	}
	return name
}
