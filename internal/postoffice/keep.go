package postoffice

import "bytes"

// KeepNothing, as a Trouble's Keep, has an APPEND that was OK leave no message behind.
func KeepNothing(m Message) (Message, bool) { return m, false }

// KeepEmpty, as a Trouble's Keep, has messages read back empty. Servers that parse mail do it with mail they cannot.
func KeepEmpty(m Message) (Message, bool) {
	m.Octets = nil
	return m, true
}

// Rewriting returns a Keep of a server that changes what it is given.
func Rewriting(changes ...func([]byte) []byte) func(Message) (Message, bool) {
	return func(m Message) (Message, bool) {
		for _, change := range changes {
			m.Octets = change(m.Octets)
		}
		return m, true
	}
}

// AddField returns a change for Rewriting that puts a field before all others, as Gluon does with X-Pm-Gluon-Id.
func AddField(field string) func([]byte) []byte {
	return func(octets []byte) []byte { return append([]byte(field+"\r\n"), octets...) }
}

// XFor8Bit is a change for Rewriting: every 8-bit octet of the header becomes X, in the Message-ID too. Cyrus does it.
func XFor8Bit(octets []byte) []byte {
	changed := bytes.Clone(octets)
	for i := range header(changed) {
		if changed[i] >= 0x80 {
			changed[i] = 'X'
		}
	}
	return changed
}

// CRLF is a change for Rewriting: a bare LF becomes CRLF.
func CRLF(octets []byte) []byte { return toCRLF(octets) }

// DropLoneCR is a change for Rewriting: a CR without LF behind it is dropped. Courier does it.
func DropLoneCR(octets []byte) []byte {
	var out []byte
	for i, c := range octets {
		if c != '\r' || i+1 < len(octets) && octets[i+1] == '\n' {
			out = append(out, c)
		}
	}
	return out
}
