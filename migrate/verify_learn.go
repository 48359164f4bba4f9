package migrate

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// What servers do to mail that they are given.
const (
	lineEnds  = "line ends changed"
	eightBits = "8-bit octets of header fields shown as X" // Cyrus does it
)

// lessons are what reading has taught about the server. What it does to most of the mail it could do it to is its way;
// what is otherwise so of single messages is not.
type lessons struct {
	seen   map[string]*tally // by mailbox
	doubts []doubt           // messages that are right if this is the server's way
}

// A tally counts what was read of a mailbox.
type tally struct {
	read      int
	eightBits int // of those: intact, with 8-bit octets in their headers
	howOften  map[string]int
}

type doubt struct {
	proof archive.Proof
	kinds []string
}

func newLessons() *lessons { return &lessons{seen: map[string]*tally{}} }

func (l *lessons) of(mailbox string) *tally {
	if l.seen[mailbox] == nil {
		l.seen[mailbox] = &tally{howOften: map[string]int{}}
	}
	return l.seen[mailbox]
}

func (l *lessons) forget(mailbox string) {
	delete(l.seen, mailbox)
	l.doubts = slices.DeleteFunc(l.doubts, func(d doubt) bool { return d.proof.Mailbox == mailbox })
}

// intact takes a message that is there octet by octet.
func (l *lessons) intact(mailbox string, head []byte) {
	t := l.of(mailbox)
	t.read++
	if bytes.ContainsFunc(head, func(r rune) bool { return r >= 0x80 }) {
		t.eightBits++
	}
}

const doubtPrefix = "the server's way: "

// doubt takes one that differs in these ways, and returns what is to be said of it as long as it counts as right.
func (l *lessons) doubt(p archive.Proof, kinds []string) string {
	t := l.of(p.Mailbox)
	t.read++
	for _, k := range kinds {
		t.howOften[k]++
	}
	p.Why = doubtPrefix + strings.Join(kinds, "; ")
	l.doubts = append(l.doubts, doubt{p, kinds})
	return p.Why
}

// again takes what was read before the verification was broken off.
func (l *lessons) again(p archive.Proof) {
	kinds, doubted := strings.CutPrefix(p.Why, doubtPrefix)
	switch {
	case doubted:
		l.doubt(p, strings.Split(kinds, "; "))
	case p.Verdict == archive.ProvedPresent:
		l.intact(p.Mailbox, nil)
	}
}

// isWay reports whether the server treats mail so.
func (l *lessons) isWay(kind string) bool {
	did, could := 0, 0
	for _, t := range l.seen {
		did += t.howOften[kind]
		if kind == eightBits {
			could += t.howOften[kind] + t.eightBits
		} else {
			could += t.read
		}
	}
	return kind == lineEnds || did*2 > could
}

// unknown names those of the ways that are not the server's.
func (l *lessons) unknown(kinds []string) string {
	var strange []string
	for _, k := range kinds {
		if !l.isWay(k) {
			strange = append(strange, k)
		}
	}
	return strings.Join(strange, "; ")
}

// said returns what the server's ways are, with how many messages they were seen on.
func (l *lessons) said() (all []string) {
	counts := map[string]int{}
	for _, t := range l.seen {
		for k, n := range t.howOften {
			counts[k] += n
		}
	}
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		if l.isWay(k) {
			all = append(all, fmt.Sprintf("%s (%d messages)", k, counts[k]))
		}
	}
	return all
}

// compareForms says how two forms of a message differ. A body that is not the same, line ends apart, is altered whatever
// the server does.
func compareForms(ours, shown reading) (kinds []string, altered string, err error) {
	switch {
	case ours.Match == shown.Match:
		return []string{lineEnds}, "", nil
	case ours.BodyDigest != shown.BodyDigest:
		return nil, fmt.Sprintf("its body is not the one that was sent (%d octets instead of %d)", shown.Octets, ours.Octets), nil
	}
	kinds = compareHeads(ours.head, shown.head)
	if len(kinds) == 0 {
		kinds = []string{"header fields in another order"}
	}
	return kinds, "", nil
}

// cutHead returns what stands before the first empty line.
func cutHead(text []byte) []byte {
	for i := 0; i < len(text); {
		end := bytes.IndexByte(text[i:], '\n')
		if end < 0 {
			break
		}
		if len(bytes.TrimRight(text[i:i+end], "\r")) == 0 {
			return bytes.Clone(text[:i])
		}
		i += end + 1
	}
	return bytes.Clone(text)
}

// compareHeads names what is otherwise in a header, field by field.
func compareHeads(ours, shown []byte) (kinds []string) {
	mine, theirs := fieldsOf(ours), fieldsOf(shown)
	left := map[string]int{}
	for _, f := range theirs {
		left[f]++
	}
	var lost []string
	for _, f := range mine {
		switch x := mail.ASCIIOnly(f); {
		case left[f] > 0:
			left[f]--
		case left[x] > 0:
			left[x]--
			kinds = append(kinds, eightBits)
		default:
			lost = append(lost, nameOf(f))
		}
	}
	var added []string
	for _, f := range theirs {
		if left[f] > 0 {
			left[f]--
			added = append(added, nameOf(f))
		}
	}
	for _, name := range lost {
		if i := slices.Index(added, name); i >= 0 {
			added = slices.Delete(added, i, i+1)
			kinds = append(kinds, "field "+name+" changed")
		} else {
			kinds = append(kinds, "field "+name+" missing")
		}
	}
	for _, name := range added {
		kinds = append(kinds, "field "+name+" added")
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// fieldsOf parts a header into fields, folded lines with them and line ends levelled.
func fieldsOf(head []byte) (fields []string) {
	for line := range strings.SplitSeq(strings.TrimSuffix(string(head), "\n"), "\n") {
		line = strings.TrimRight(line, "\r")
		if n := len(fields); n > 0 && line != "" && (line[0] == ' ' || line[0] == '\t') {
			fields[n-1] += "\n" + line
			continue
		}
		fields = append(fields, line)
	}
	return fields
}

// nameOf returns a field's name, fit to be compared and to be said; "; " never stands in it.
func nameOf(f string) string {
	name, _, is := strings.Cut(f, ":")
	name = strings.TrimSpace(name)
	if !is || name == "" || len(name) > 64 || strings.ContainsAny(name, " ;\n") {
		return "without a name"
	}
	return name
}
