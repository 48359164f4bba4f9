package postoffice

import "bytes"

// body sends a message in lines, dots doubled, and its end.
func (p *pop3) body(shown []byte) {
	if p.muted {
		return
	}
	if bytes.HasPrefix(shown, []byte(".")) {
		p.out.WriteByte('.')
	}
	for {
		before, after, found := bytes.Cut(shown, []byte("\r\n."))
		p.out.Write(before)
		if !found {
			break
		}
		p.out.WriteString("\r\n..")
		shown = after
	}
	p.out.WriteString(".\r\n")
}

func (p *pop3) size(e *entry) int { return len(inLines(e.Octets, p.now().BareLF)) }

func (p *pop3) shown(e *entry) []byte {
	t := p.now()
	if t.Substitute && !p.utf8 && has8Bit(header(e.Octets)) {
		return substitute(e.Octets)
	}
	return inLines(e.Octets, t.BareLF)
}

// inLines returns a message as POP3 shows it: every line ends in CRLF, the last one too, and nothing else changes.
// With bareLF, line ends within stay as they are.
func inLines(octets []byte, bareLF bool) []byte {
	if !bareLF {
		octets = toCRLF(octets)
	}
	if len(octets) > 0 && !bytes.HasSuffix(octets, []byte("\r\n")) {
		octets = append(bytes.Clone(octets), "\r\n"...)
	}
	return octets
}

// top returns the header of a message in lines, the empty line, and n lines of the body.
func top(shown []byte, n int) []byte {
	end := len(header(shown))
	for ; n > 0 && end < len(shown); n-- {
		line := bytes.IndexByte(shown[end:], '\n')
		if line < 0 {
			return shown
		}
		end += line + 1
	}
	return shown[:end]
}

// substitute is what Courier hands over instead of mail that a client could not show.
func substitute(octets []byte) []byte {
	notice := "From: Mail Delivery Subsystem <postmaster@localhost>\r\n" +
		"Subject: Cannot display Unicode content\r\n" +
		"MIME-Version: 1.0\r\n" +
		"Content-Type: message/global\r\n\r\n"
	return inLines(append([]byte(notice), octets...), false)
}
