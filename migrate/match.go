package migrate

import (
	"cmp"
	"slices"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A likeness is by what two messages are known to be one, the surest last.
type likeness int

const (
	unlike     likeness = iota
	fieldsBody          // Date, From, To and Subject, and the digest of the body
	idBody              // Message-ID, and the digest of the body
	levelled            // every octet but runs of CR and the last line end
	identical           // every octet
)

// compare judges by content: keys only made the two candidates. Servers add and rewrite header fields, but the
// body they keep.
func compare(ours, shown mail.Sum) likeness {
	switch {
	case ours.Digest == shown.Digest:
		return identical
	case ours.Match == shown.Match:
		return levelled
	case ours.BodyDigest != shown.BodyDigest:
		return unlike
	}
	a, b := ours.Header.Keys(), shown.Header.Keys()
	switch {
	case len(a) == 0 || len(b) == 0:
		return unlike
	case ours.Header.MessageID != "" && a[0] == b[0]:
		return idBody
	case ours.Header.Date == "" && ours.Header.MessageID != "" && shown.Header.MessageID != "":
		return unlike // Exchange gives a message another Message-ID, but to say that it did so takes more than a Subject
	case a[len(a)-1] == b[len(b)-1]:
		return fieldsBody
	}
	return unlike
}

// assign pairs messages of ours with messages shown, one to one: like(i, j) says how alike ours i and shown j are.
// The surest pairs are made first, so that of two messages with one Message-ID each finds its own. pair[i] is
// what ours i got, or -1.
func assign(ours, shown int, like func(i, j int) likeness) (pair []int) {
	type match struct {
		i, j int
		by   likeness
	}
	var matches []match
	for i := range ours {
		for j := range shown {
			if by := like(i, j); by > unlike {
				matches = append(matches, match{i, j, by})
			}
		}
	}
	slices.SortStableFunc(matches, func(a, b match) int { return cmp.Compare(b.by, a.by) })
	pair = slices.Repeat([]int{-1}, ours)
	taken := make([]bool, shown)
	for _, m := range matches {
		if pair[m.i] < 0 && !taken[m.j] {
			pair[m.i], taken[m.j] = m.j, true
		}
	}
	return pair
}
