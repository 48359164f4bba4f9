package backup

import (
	"strings"
	"time"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// proofLife is how long a message counts as seen at a destination: whoever uses it may delete mail there.
const proofLife = 7 * 24 * time.Hour

// learnProofs reads what was found of the entries at the accounts that count.
func (b *freeBox) learnProofs() error {
	at, err := b.Archive.Proofs(b.Account, b.Name)
	if err != nil {
		return err
	}
	b.read = map[int64]bool{}
	for id, p := range at {
		b.read[id] = p.Verdict == archive.ProvedPresent && !p.Read.IsZero()
	}
	for _, dest := range b.Delivered {
		proved, err := b.provedAt(dest)
		if err != nil {
			return err
		}
		b.proved = append(b.proved, proved)
	}
	return nil
}

// provedAt returns the entries that were seen at a destination lately. Where that may be the very account that mail is to go
// from, read by another protocol or under another name, only what was brought there counts: anything else that is there
// may be the message itself.
func (b *freeBox) provedAt(dest mail.Account) (map[int64]bool, error) {
	found, err := b.Archive.Proofs(dest, b.Name)
	if err != nil {
		return nil, err
	}
	proved := make(map[int64]bool, len(found))
	for id, p := range found {
		proved[id] = p.Verdict == archive.ProvedPresent && b.Now.Sub(p.At) <= proofLife
	}
	if !MaySame(b.Account, dest) {
		return proved, nil
	}
	fates, err := b.Archive.Fates(dest, archive.Wanted{Gone: true}, b.Name)
	for _, o := range fates {
		proved[o.Entry] = proved[o.Entry] && o.State == archive.Done
	}
	return proved, err
}

// MaySame reports whether two accounts may be one: the same user at the same host, or at hosts of one domain. Many servers
// know a user with the domain and without.
func MaySame(a, b mail.Account) bool {
	user, at, _ := strings.Cut(strings.ToLower(a.User), "@")
	other, where, _ := strings.Cut(strings.ToLower(b.User), "@")
	return user == other && (at == where || at == "" || where == "") && domainOf(a.Host) == domainOf(b.Host)
}

// domainOf leaves off the first label of a host that has more than two: pop.example.org and imap.example.org are of one.
func domainOf(host string) string {
	if _, domain, is := strings.Cut(host, "."); is && strings.Contains(domain, ".") && strings.Trim(host, "0123456789.:") != "" {
		return domain
	}
	return host
}
