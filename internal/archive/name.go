package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A key is what a message is known by in the archive, for good.
type key [16]byte

// imported reports whether it is the key of a message that came from a file. Such a key begins with four zero octets:
// it stands in the file's name, and is what the ledger can be made of again.
func (k key) imported() bool { return k[0]|k[1]|k[2]|k[3] == 0 }

// keyOf returns the key of a message of the account. What came from a file is of none, and has the same key whatever
// account the archive is bound to, or will be.
func keyOf(account mail.Account, ref mail.Ref) key {
	b := make([]byte, 0, 256)
	if ref.Imported() {
		account = mail.Account{}
	}
	b = append(append(b, account.String()...), 0)
	b = append(append(b, ref.Mailbox...), 0)
	b = append(strconv.AppendUint(b, uint64(ref.Validity), 10), 0)
	b = append(b, ref.UID...)
	sum := sha256.Sum256(b)
	k := key(sum[:len(key{})])
	if ref.Imported() {
		k[0], k[1], k[2], k[3] = 0, 0, 0, 0
	}
	return k
}

// infoSep stands between a message's name and its flags. Windows has no colon in file names.
var infoSep = map[bool]string{true: ";", false: ":"}[runtime.GOOS == "windows"]

// A fileName is what the name of one of our files says.
type fileName struct {
	received int64 // Unix seconds
	key      key
	nth      int   // how many files of this key were there before it
	stored   int64 // S=: octets on disk
	octets   int64 // W=: octets of the canonical form, as Maildir++ counts them
	info     string
}

const ourMark = "mailhaul"

// base returns the part that no other program changes.
func (n fileName) base() string {
	mark := ourMark
	if n.nth > 0 {
		mark += "-" + strconv.Itoa(n.nth)
	}
	return fmt.Sprintf("%d.%x.%s,S=%d,W=%d", n.received, n.key[:], mark, n.stored, n.octets)
}

func (n fileName) String() string { return n.base() + n.info }

// sameFile reports whether both are names of one file, whatever its flags.
func (n fileName) sameFile(m fileName) bool {
	n.info, m.info = "", ""
	return n == m
}

// infoLetters returns the letters that stand behind a message's name.
func infoLetters(info string) string {
	if len(info) < 3 || info[1:3] != "2," {
		return ""
	}
	return info[3:]
}

// flagsIn returns the flags that stand behind a message's name, but those whose letters are the folder's own.
func flagsIn(info string) mail.Flags { return mail.MaildirFlags(infoLetters(info)) }

// parseName reads a file's name; false means that it is none of ours.
func parseName(s string) (n fileName, ours bool) {
	if i := strings.IndexAny(s, ":;"); i >= 0 {
		s, n.info = s[:i], s[i:]
	}
	parts := strings.Split(s, ".")
	if len(parts) != 3 || len(parts[1]) != hex.EncodedLen(len(n.key)) {
		return fileName{}, false
	}
	if _, err := hex.Decode(n.key[:], []byte(parts[1])); err != nil {
		return fileName{}, false
	}
	fields := strings.Split(parts[2], ",")
	if len(fields) != 3 {
		return fileName{}, false
	}
	var errs [4]error
	n.received, errs[0] = strconv.ParseInt(parts[0], 10, 64)
	n.stored, errs[1] = strconv.ParseInt(strings.TrimPrefix(fields[1], "S="), 10, 64)
	n.octets, errs[2] = strconv.ParseInt(strings.TrimPrefix(fields[2], "W="), 10, 64)
	if nth, counted := strings.CutPrefix(fields[0], ourMark+"-"); counted {
		n.nth, errs[3] = strconv.Atoi(nth)
	}
	// A name that would not be written again as it is, is none of ours.
	return n, errs == [4]error{} && n.base() == s
}
