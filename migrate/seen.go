package migrate

import (
	"strconv"
	"strings"
	"time"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// Seen says what of POP3 mail, which has no flags, is brought as read where its own Status field does not tell. The zero
// value: everything until a run has come to its end, and nothing from then on, so that old mail does not look new and
// new mail does.
type Seen struct {
	all, none bool
	olderThan time.Duration
}

// ParseSeen reads "all", "none", or "older-than" and an age in days, weeks or years: "older-than 30d". Errors are
// *mail.Error.
func ParseSeen(s string) (Seen, error) {
	switch s {
	case "":
		return Seen{}, nil
	case "all":
		return Seen{all: true}, nil
	case "none":
		return Seen{none: true}, nil
	}
	age, ok := strings.CutPrefix(s, "older-than")
	age = strings.TrimLeft(age, " =:")
	units := map[string]int{"d": 1, "w": 7, "y": 365}
	days, known := units[age[max(len(age)-1, 0):]]
	if ok && known {
		if n, err := strconv.ParseUint(age[:len(age)-1], 10, 16); err == nil {
			return Seen{olderThan: time.Duration(n) * time.Duration(days) * 24 * time.Hour}, nil
		}
	}
	return Seen{}, usage("write all, none, or an age in days, weeks or years: --seen 'older-than 30d'", "--seen '%s' says nothing", s)
}

// flagsOf returns the flags that an entry is brought with. Those it has in the archive count, and over POP3, which tells
// none, what the message itself says, or else Seen.
func (r *run) flagsOf(e archive.Entry) mail.Flags {
	if !r.flagless || len(e.Flags) > 0 || e.Ref.Imported() { // who imported mail has said what was read
		return e.Flags
	}
	if own, ok := r.ownStatus(e); ok {
		return own
	}
	seen := r.Seen.all
	switch {
	case r.Seen.olderThan > 0:
		seen = time.Since(e.Received) > r.Seen.olderThan
	case !r.Seen.all && !r.Seen.none:
		seen = !r.ranBefore
	}
	if seen {
		return mail.MakeFlags(string(mail.Seen))
	}
	return nil
}

// ownStatus returns what the message says of itself. One that cannot be read says nothing; why, sending it will tell.
func (r *run) ownStatus(e archive.Entry) (mail.Flags, bool) {
	f, err := r.open(e)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	return mail.ReadStatus(f)
}
