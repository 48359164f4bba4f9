package postoffice

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

func (s *session) Search(kind imapserver.NumKind, criteria *imap.SearchCriteria, _ *imap.SearchOptions) (*imap.SearchData, error) {
	if !criteria.SentSince.IsZero() || !criteria.SentBefore.IsZero() {
		return nil, no(imap.ResponseCodeCannot, "mail is not parsed here")
	}
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	var found []uint32
	for i, m := range s.view {
		n := uint32(i) + 1
		if !s.meets(n, m, criteria) {
			continue
		}
		if kind == imapserver.NumKindUID {
			n = m.UID
		}
		found = append(found, n)
	}
	return searchData(kind, found), nil
}

func searchData(kind imapserver.NumKind, found []uint32) *imap.SearchData {
	data := &imap.SearchData{Count: uint32(len(found))}
	var uids imap.UIDSet
	for _, n := range found {
		uids.AddNum(imap.UID(n))
	}
	data.All = uids
	if kind == imapserver.NumKindSeq {
		data.All = imap.SeqSetNum(found...)
	}
	if len(found) > 0 {
		data.Min, data.Max = found[0], found[len(found)-1]
	}
	return data
}

// meets reports whether a message meets the criteria (RFC 3501 §6.4.4), as far as octets can tell.
func (s *session) meets(n uint32, m *stored, c *imap.SearchCriteria) bool {
	return s.inSets(n, m, c) && m.meetsFlags(c) && m.meetsDates(c) && m.meetsTexts(c) &&
		(c.Larger == 0 || int64(len(m.Octets)) > c.Larger) &&
		(c.Smaller == 0 || int64(len(m.Octets)) < c.Smaller) &&
		!slices.ContainsFunc(c.Not, func(not imap.SearchCriteria) bool { return s.meets(n, m, &not) }) &&
		!slices.ContainsFunc(c.Or, func(or [2]imap.SearchCriteria) bool {
			return !s.meets(n, m, &or[0]) && !s.meets(n, m, &or[1])
		})
}

func (s *session) inSets(n uint32, m *stored, c *imap.SearchCriteria) bool {
	last := s.view[len(s.view)-1].UID
	for _, set := range c.SeqNum {
		if static := staticSeq(set, uint32(len(s.view))); !static.Contains(n) {
			return false
		}
	}
	for _, set := range c.UID {
		if !staticUID(set, imap.UID(last)).Contains(imap.UID(m.UID)) {
			return false
		}
	}
	return true
}

func (m *stored) meetsFlags(c *imap.SearchCriteria) bool {
	return !slices.ContainsFunc(c.Flag, func(f imap.Flag) bool { return !m.has(f) }) &&
		!slices.ContainsFunc(c.NotFlag, m.has)
}

// meetsDates disregards time and zone, as the RFC says.
func (m *stored) meetsDates(c *imap.SearchCriteria) bool {
	y, month, d := m.Received.Date()
	day := time.Date(y, month, d, 0, 0, 0, 0, time.UTC)
	return (c.Since.IsZero() || !day.Before(c.Since)) && (c.Before.IsZero() || day.Before(c.Before))
}

func (m *stored) meetsTexts(c *imap.SearchCriteria) bool {
	head := header(m.Octets)
	for _, field := range c.Header {
		_, value, there := bytes.Cut(fields(head, []string{field.Key}, true), []byte(":"))
		if !there || !holds(value, field.Value) {
			return false
		}
	}
	return !slices.ContainsFunc(c.Body, func(s string) bool { return !holds(m.Octets[len(head):], s) }) &&
		!slices.ContainsFunc(c.Text, func(s string) bool { return !holds(m.Octets, s) })
}

func holds(octets []byte, s string) bool {
	return strings.Contains(strings.ToLower(string(octets)), strings.ToLower(s))
}
