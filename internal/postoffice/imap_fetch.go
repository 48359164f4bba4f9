package postoffice

import (
	"bytes"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// each calls fn with the messages of the set that the client knows of, and their numbers.
func (s *session) each(set imap.NumSet, fn func(n uint32, m *stored)) {
	switch set := set.(type) {
	case imap.SeqSet:
		static := staticSeq(set, uint32(len(s.view)))
		for i, m := range s.view {
			if static.Contains(uint32(i) + 1) {
				fn(uint32(i)+1, m)
			}
		}
	case imap.UIDSet:
		var last uint32
		if len(s.view) > 0 {
			last = s.view[len(s.view)-1].UID
		}
		static := staticUID(set, imap.UID(last))
		for i, m := range s.view {
			if static.Contains(imap.UID(m.UID)) {
				fn(uint32(i)+1, m)
			}
		}
	}
}

// staticUID puts the last UID for "*". A range to it holds the last message even when it starts after it
// (RFC 3501 §9, seq-range).
func staticUID(set imap.UIDSet, last imap.UID) imap.UIDSet {
	var static imap.UIDSet
	for _, r := range set {
		static.AddRange(orLast(r.Start, last), orLast(r.Stop, last))
	}
	return static
}

func staticSeq(set imap.SeqSet, last uint32) imap.SeqSet {
	var static imap.SeqSet
	for _, r := range set {
		static.AddRange(orLast(r.Start, last), orLast(r.Stop, last))
	}
	return static
}

func orLast[N ~uint32](n, last N) N {
	if n == 0 {
		return last
	}
	return n
}

func (s *session) Fetch(w *imapserver.FetchWriter, set imap.NumSet, options *imap.FetchOptions) error {
	if options.Envelope || options.BodyStructure != nil || len(options.BinarySection)+len(options.BinarySectionSize) > 0 {
		return no(imap.ResponseCodeCannot, "mail is not parsed here")
	}
	for _, section := range options.BodySection {
		if len(section.Part) > 0 || section.Specifier == imap.PartSpecifierMIME {
			return no(imap.ResponseCodeCannot, "mail is not parsed here")
		}
	}
	var asked []numbered
	hide := s.now().Hide
	s.each(set, func(n uint32, m *stored) {
		if s.changed(m) && (hide == nil || !hide(m.Message)) {
			asked = append(asked, numbered{n, m})
		}
	})
	asked, rest := s.answeredFor(asked)
	return s.fetchAll(w, asked, options, rest)
}

func (s *session) changed(m *stored) bool {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	return m.modSeq > s.since
}

// fetchAll shows the messages up to one because of which something befalls the command.
func (s *session) fetchAll(w *imapserver.FetchWriter, asked []numbered, options *imap.FetchOptions, rest string) error {
	befallen := func(m *stored, early bool) bool {
		if len(options.BodySection) > 0 && s.withheld == nil {
			s.withheld = s.faultOf(s.verb, early, &m.Message)
		}
		return s.withheld != nil
	}
	if slices.ContainsFunc(asked, func(one numbered) bool { return befallen(one.m, true) }) {
		return nil
	}
	for _, one := range asked {
		if befallen(one.m, false) {
			return nil
		}
		if err := s.fetch(w, one, options); err != nil {
			return err
		}
	}
	if rest != "" {
		s.withheld = &Fault{Say: rest}
	}
	return nil
}

func (s *session) fetch(w *imapserver.FetchWriter, one numbered, options *imap.FetchOptions) error {
	m, trouble := one.m, s.now()
	if trouble.Unasked {
		unasked := w.CreateMessage(one.n)
		unasked.WriteUID(imap.UID(m.UID))
		unasked.WriteFlags(s.flagsOf(m))
		if err := unasked.Close(); err != nil {
			return err
		}
	}
	read := s.markRead(m, options)
	s.row, s.hollow = m, trouble.Hollow != nil && trouble.Hollow(m.Message)
	row := w.CreateMessage(one.n)
	if !trouble.BodyFirst {
		s.writeItems(row, m, options, read)
	}
	for _, section := range options.BodySection {
		octets := part(m.Octets, section)
		literal := row.WriteBodySection(section, int64(len(octets)))
		literal.Write(octets)
		literal.Close()
	}
	if trouble.BodyFirst {
		s.writeItems(row, m, options, read)
	}
	return row.Close()
}

func (s *session) writeItems(w *imapserver.FetchResponseWriter, m *stored, options *imap.FetchOptions, read bool) {
	if options.UID {
		w.WriteUID(imap.UID(m.UID))
	}
	if options.Flags || read {
		w.WriteFlags(s.flagsOf(m))
	}
	if options.InternalDate {
		w.WriteInternalDate(m.Received)
	}
	if options.RFC822Size {
		w.WriteRFC822Size(int64(len(m.Octets)))
	}
}

// markRead sets \Seen where a body is asked for without PEEK, and reports whether it was not set before.
func (s *session) markRead(m *stored, options *imap.FetchOptions) bool {
	peeks := func(section *imap.FetchItemBodySection) bool { return section.Peek }
	if s.readOnly || !slices.ContainsFunc(options.BodySection, func(b *imap.FetchItemBodySection) bool { return !peeks(b) }) {
		return false
	}
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	if m.has(imap.FlagSeen) {
		return false
	}
	m.Flags, m.modSeq = append(slices.Clone(m.Flags), string(imap.FlagSeen)), s.account.change(s.mailbox)
	return true
}

func (s *session) flagsOf(m *stored) []imap.Flag {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	var flags []imap.Flag
	for _, f := range m.Flags {
		flags = append(flags, imap.Flag(f))
	}
	return flags
}

// part returns the octets of a section (RFC 3501 §6.4.5), without a look at what they mean.
func part(octets []byte, section *imap.FetchItemBodySection) []byte {
	head := header(octets)
	switch {
	case len(section.HeaderFields) > 0:
		octets = fields(head, section.HeaderFields, true)
	case len(section.HeaderFieldsNot) > 0:
		octets = fields(head, section.HeaderFieldsNot, false)
	case section.Specifier == imap.PartSpecifierHeader:
		octets = head
	case section.Specifier == imap.PartSpecifierText:
		octets = octets[len(head):]
	}
	if p := section.Partial; p != nil {
		start := min(p.Offset, int64(len(octets)))
		octets = octets[start : start+min(p.Size, int64(len(octets))-start)]
	}
	return octets
}

// fields returns the fields of a header that are named, or those that are not, and an empty line.
func fields(head []byte, names []string, named bool) []byte {
	var out []byte
	wanted := false
	for line := range bytes.Lines(head) {
		if len(bytes.Trim(line, "\r\n")) == 0 {
			break
		}
		if line[0] != ' ' && line[0] != '\t' {
			name, _, isField := bytes.Cut(line, []byte(":"))
			is := slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, string(bytes.TrimRight(name, " \t"))) })
			wanted = isField && is == named
		}
		if wanted {
			out = append(out, line...)
		}
	}
	return append(out, "\r\n"...)
}
