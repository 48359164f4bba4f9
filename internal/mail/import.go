package mail

import (
	"encoding/hex"
	"strconv"
	"strings"
)

// importMark begins the UID of every message that came from a file. A NUL stands in no UID and no UIDL.
const importMark = "import\x00"

// ImportRef names a message that came from a file by what it is, not by where it lay: the nth of its content, from 1 on,
// in the mailbox. So a file that has grown, was compacted or has another name shows nothing anew. What it is says the
// digest of the levelled form, of what does not change when somebody reads the message: a program that has added a missing
// last line end, or a Status field, has not made another message of it.
func ImportRef(mailbox string, identity Digest, nth int) Ref {
	uid := importMark + hex.EncodeToString(identity[:16])
	if nth > 1 {
		uid += "\x00" + strconv.Itoa(nth)
	}
	return Ref{Mailbox: mailbox, UID: uid}
}

// LostImportRef is the Ref of an imported message of which no more is known than that it was imported.
func LostImportRef(mailbox string) Ref { return Ref{Mailbox: mailbox, UID: importMark} }

// Imported reports whether the message came from a file rather than from an account.
func (r Ref) Imported() bool { return r.Validity == 0 && strings.HasPrefix(r.UID, importMark) }
