package archive

import (
	"io"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// maxSimilar bounds how many entries are shown that look like one message.
const maxSimilar = 1000

// Similar returns the sound entries of any mailbox, gone or not, that have so many octets in canonical form and,
// unless received is zero, were received at that second; the oldest first, and not more than a thousand.
func (a *Archive) Similar(octets int64, received time.Time) ([]Entry, error) {
	if some, err := a.looks.may(a.ledger, lookOf(octets, received)); !some {
		return nil, err
	}
	if received.IsZero() {
		return a.entries("where e.octets = ? and e.state = 0 order by e.id limit ?", octets, maxSimilar)
	}
	return a.entries("where e.octets = ? and e.received = ? and e.state = 0 order by e.id limit ?",
		octets, received.Unix(), maxSimilar)
}

// Identical returns the sound entries of the message that the source vouches for to be this one, those that are not
// gone first, and not more than a thousand.
func (a *Archive) Identical(identity string) ([]Entry, error) {
	if some, err := a.looks.may(a.ledger, lookOfIdentity(identity)); !some {
		return nil, err
	}
	return a.entries("where e.identity = ? and e.identity <> '' and e.state = 0 order by e.gone, e.id limit ?", identity, maxSimilar)
}

// HeadDigest returns the digest of the message's header, levelled, as mail.Sum has it of the header alone. Nothing
// behind the header is read.
func (a *Archive) HeadDigest(e Entry) (mail.Digest, error) {
	f, err := a.openEntry(&e)
	if err != nil {
		return mail.Digest{}, err
	}
	defer f.Close()
	s := mail.NewPartSummer()
	for chunk := make([]byte, headChunk); !s.HeadDone(); {
		n, err := f.Read(chunk)
		s.Write(chunk[:n])
		if err == io.EOF {
			break
		}
		if err != nil {
			return mail.Digest{}, diskError("read", e.Path, err)
		}
	}
	return s.Sum().HeadDigest, nil
}

const headChunk = 8 << 10
