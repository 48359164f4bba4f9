package mail

import (
	"slices"
	"strings"
)

// A Flag is a system flag (RFC 9051 §2.3.2) in the RFC's spelling, or a keyword in the server's.
type Flag string

// The system flags a client may set, and the keyword that Maildir has a letter for.
const (
	Seen      Flag = `\Seen`
	Answered  Flag = `\Answered`
	Flagged   Flag = `\Flagged`
	Deleted   Flag = `\Deleted`
	Draft     Flag = `\Draft`
	Forwarded Flag = `$Forwarded`
)

// Flags is a set in a fixed order: no flag stands in it twice, and \Recent, which no client may set, never.
type Flags []Flag

var maildirLetters = []struct {
	letter byte
	flag   Flag
}{ // in ASCII order, as Maildir wants them
	{'D', Draft}, {'F', Flagged}, {'P', Forwarded}, {'R', Answered}, {'S', Seen}, {'T', Deleted},
}

// MakeFlags returns the set of names: system flags in the RFC's spelling whatever the case, keywords as given,
// both without repetition; \Recent is left out.
func MakeFlags(names ...string) Flags {
	var set Flags
	for _, name := range names {
		f := canonicalFlag(name)
		if f == "" || f == `\Recent` || slices.ContainsFunc(set, f.Is) {
			continue
		}
		set = append(set, f)
	}
	slices.Sort(set)
	return set
}

func canonicalFlag(name string) Flag {
	for _, f := range []Flag{Seen, Answered, Flagged, Deleted, Draft, Forwarded, `\Recent`} {
		if strings.EqualFold(name, string(f)) {
			return f
		}
	}
	return Flag(name)
}

// Is reports whether two flags are the same; flags are compared without regard to case (RFC 9051 §2.3.2).
func (f Flag) Is(other Flag) bool { return strings.EqualFold(string(f), string(other)) }

// System reports whether f is a system flag rather than a keyword.
func (f Flag) System() bool { return strings.HasPrefix(string(f), `\`) }

// Has reports whether f is in the set.
func (s Flags) Has(f Flag) bool { return slices.ContainsFunc(s, f.Is) }

// Without returns the flags of the set that others does not hold.
func (s Flags) Without(others Flags) Flags {
	var rest Flags
	for _, f := range s {
		if !others.Has(f) {
			rest = append(rest, f)
		}
	}
	return rest
}

// Equal reports whether both sets hold the same flags.
func (s Flags) Equal(other Flags) bool {
	return len(s) == len(other) && !slices.ContainsFunc(s, func(f Flag) bool { return !other.Has(f) })
}

// Maildir returns the letters of a Maildir file name for the flags that have one, in ASCII order.
func (s Flags) Maildir() string {
	var b strings.Builder
	for _, l := range maildirLetters {
		if s.Has(l.flag) {
			b.WriteByte(l.letter)
		}
	}
	return b.String()
}

// Keywords returns the flags that have no Maildir letter.
func (s Flags) Keywords() Flags {
	var k Flags
	for _, f := range s {
		if !slices.ContainsFunc(maildirLetters, func(l struct {
			letter byte
			flag   Flag
		}) bool {
			return l.flag.Is(f)
		}) {
			k = append(k, f)
		}
	}
	return k
}

// MaildirFlags returns the flags that the letters of a Maildir file name stand for; unknown letters say nothing.
func MaildirFlags(letters string) Flags {
	var names []string
	for _, l := range maildirLetters {
		if strings.IndexByte(letters, l.letter) >= 0 {
			names = append(names, string(l.flag))
		}
	}
	return MakeFlags(names...)
}
