package dial

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"strings"
)

// A Pin names a server's public key: the SHA-256 of its SubjectPublicKeyInfo (RFC 7469 §2.4), so that a certificate
// that is renewed with the same key keeps its pin. The zero Pin is none.
type Pin [sha256.Size]byte

const pinPrefix = "sha256/"

// ParsePin reads sha256/BASE64, and sha256//BASE64 as curl writes it.
func ParsePin(s string) (Pin, error) {
	text, found := strings.CutPrefix(s, pinPrefix)
	text = strings.TrimRight(text, "=")
	if digits := base64.RawStdEncoding.EncodedLen(len(Pin{})); len(text) == digits+1 {
		text = strings.TrimPrefix(text, "/")
	}
	octets, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if !found || err != nil || len(octets) != len(Pin{}) {
		return Pin{}, errors.New("a pin is sha256/ and 44 characters of base64")
	}
	p := Pin(octets)
	if p == (Pin{}) {
		return Pin{}, errors.New("no key has this pin")
	}
	return p, nil
}

// PinOf returns the pin of the certificate's key.
func PinOf(c *x509.Certificate) Pin { return sha256.Sum256(c.RawSubjectPublicKeyInfo) }

// String returns the pin as ParsePin reads it.
func (p Pin) String() string { return pinPrefix + base64.StdEncoding.EncodeToString(p[:]) }

// verify is for tls.Config. Only the server's own key counts, which the handshake proves that it has: of the other
// certificates it sends, anybody could send a copy.
func (p Pin) verify(state tls.ConnectionState) error {
	if seen := PinOf(state.PeerCertificates[0]); seen != p {
		return otherKey{seen}
	}
	return nil
}

// An otherKey is the pin of a key that is not the one pinned.
type otherKey struct{ seen Pin }

func (otherKey) Error() string { return "the key is not the one pinned" }
