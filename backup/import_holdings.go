package backup

import (
	"errors"
	"hash/maphash"
	"io"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Body is the octets of a message.
type Body = io.ReadCloser

// holdings are the messages that the account has brought into one mailbox: each stands for one of the pile.
type holdings struct {
	byMatch map[[16]byte][]int64 // entries
	byID    map[uint64][]int64   // by their Message-IDs
	claimed map[int64]bool
}

var idSeed = maphash.MakeSeed()

// holdingsOf returns what the archive has of a mailbox.
func (m *importing) holdingsOf(mailbox string) (*holdings, error) {
	if h := m.holds[mailbox]; h != nil {
		return h, nil
	}
	h := &holdings{byMatch: map[[16]byte][]int64{}, byID: map[uint64][]int64{}, claimed: map[int64]bool{}}
	err := m.Archive.EachOfAccount(mailbox, func(one archive.Holding) {
		match := [16]byte(one.Match[:16])
		h.byMatch[match] = append(h.byMatch[match], one.Entry)
		if one.MessageID != "" {
			id := maphash.String(idSeed, one.MessageID)
			h.byID[id] = append(h.byID[id], one.Entry)
		}
	})
	m.holds[mailbox] = h
	return h, err
}

// claim reports whether a message of the account is this one, and gives it away. Its octets say so; or, where a
// program has written into the header, Message-ID and body.
func (h *holdings) claim(a *archive.Archive, f Found) (bool, error) {
	for _, id := range h.byMatch[[16]byte(f.Sum.Match[:16])] {
		if !h.claimed[id] {
			h.claimed[id] = true
			return true, nil
		}
	}
	if f.Sum.Header.MessageID == "" {
		return false, nil
	}
	for _, id := range h.byID[maphash.String(idSeed, f.Sum.Header.MessageID)] {
		if h.claimed[id] {
			continue
		}
		same, err := sameBody(a, id, f)
		if err != nil {
			return false, err
		}
		if same {
			h.claimed[id] = true
			return true, nil
		}
	}
	return false, nil
}

// sameBody compares octets. An entry whose file is damaged is the same as nothing.
func sameBody(a *archive.Archive, id int64, f Found) (bool, error) {
	e, err := a.Entry(id)
	if err != nil {
		return false, err
	}
	if e.Header.MessageID != f.Sum.Header.MessageID {
		return false, nil
	}
	ours, err := sumOf(func() (Body, error) { return a.OpenMessage(e) })
	if err != nil {
		return false, passDamage(err)
	}
	theirs, err := sumOf(f.Open)
	return err == nil && ours.BodyDigest == theirs.BodyDigest, err
}

func sumOf(open func() (Body, error)) (mail.Sum, error) {
	r, err := open()
	if err != nil {
		return mail.Sum{}, err
	}
	sum, err := mail.SumOf(r)
	return sum, errors.Join(err, r.Close())
}
