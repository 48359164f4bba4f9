package postoffice

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A relay stands between imapserver, to which it is the connection, and the wire. From the client it hands on whole
// commands, literals and all, unless something befalls them. From the server it hands on lines and literals, unless
// they are withheld or rewritten.
//
// It reads and writes in imapserver's goroutine only: imapserver finishes one command before it reads the next.
type relay struct {
	*conn
	in  *bufio.Reader
	out *bufio.Writer

	// The command under way.
	tag      string
	verb     string
	command  string // without its tag, with the password replaced
	literals [][]byte
	answered bool
	withheld *Fault // befell it: its answer is not sent
	toServer []byte // of it, what imapserver has not read yet

	// What the server is saying.
	line    []byte
	literal int64 // octets of a literal still to come

	sessionOver bool
	over        chan struct{} // closed when imapserver is done with the connection
}

// Close is what imapserver does last, when it has closed the session.
func (r *relay) Close() error {
	r.wire.Close()
	if r.sessionOver {
		r.sessionOver = false
		close(r.over)
	}
	return nil
}

// Read hands imapserver the next command, or the next line while it waits for one to go on with a command
// (IDLE, AUTHENTICATE).
func (r *relay) Read(p []byte) (int, error) {
	for len(r.toServer) == 0 {
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.toServer)
	r.toServer = r.toServer[n:]
	return n, nil
}

func (r *relay) next() error {
	if !r.answered {
		line, err := r.in.ReadBytes('\n')
		r.toServer = line
		return err
	}
	complete, err := r.readCommand()
	if err != nil || complete == nil {
		return err
	}
	r.heard(r.command)
	if e := r.now().Endless; e != "" && e == r.verb {
		return r.endless()
	}
	if r.verb != "APPEND" { // whose message the session must see first
		if f := r.fault(r.verb, false, 0, nil); f != nil && f.Do == Nothing {
			return r.answer(f)
		} else if f != nil {
			r.withheld = f
		}
	}
	r.answered = false
	r.toServer = complete
	return nil
}

// marker is the announcement of a literal at the end of a line (RFC 7888).
var marker = regexp.MustCompile(`\{(\d+)(\+?)\}\r?\n$`)

// readCommand returns a whole command as imapserver shall see it: mailbox names made harmless and every literal
// non-synchronizing. It returns nil for one that was refused on the way.
func (r *relay) readCommand() ([]byte, error) {
	var complete []byte
	r.literals = nil
	for first := true; ; first = false {
		line, err := r.in.ReadString('\n')
		if err != nil {
			return nil, err
		}
		if first {
			r.begin(line)
		} else {
			r.command += strings.TrimRight(line, "\r\n")
		}
		found := marker.FindStringSubmatch(line)
		if found == nil {
			r.command = redacted(r.verb, r.command)
			return append(complete, r.harmless(line, first)...), nil
		}
		size, _ := strconv.ParseInt(found[1], 10, 64)
		if refused, err := r.refuse(size, found[2] == "+"); refused {
			return nil, err
		}
		literal := make([]byte, size)
		if _, err := io.ReadFull(r.in, literal); err != nil {
			return nil, err
		}
		r.literals = append(r.literals, literal)
		complete = append(complete, r.harmless(strings.TrimSuffix(line, found[0]), first)...)
		if r.verb != "APPEND" {
			literal = []byte(r.harmless(string(literal), false))
		}
		complete = append(complete, fmt.Sprintf("{%d+}\r\n", len(literal))...)
		complete = append(complete, literal...)
	}
}

func (r *relay) begin(line string) {
	r.tag, r.command, _ = strings.Cut(strings.TrimRight(line, "\r\n"), " ")
	r.verb = verbOf(r.command)
}

// refuse reports whether the literal announced is not taken; if it is, the client was told to go on.
func (r *relay) refuse(size int64, plus bool) (bool, error) {
	if f := r.fault(r.verb, true, size, nil); f != nil {
		r.heard(redacted(r.verb, r.command))
		if plus {
			if err := r.discard(size); err != nil {
				return true, err
			}
		}
		return true, r.answer(f)
	}
	switch {
	case !plus:
		r.say("+ go ahead")
		return false, r.out.Flush()
	case r.has("LITERAL+"), r.has("LITERAL-") && size <= 4096:
		return false, nil
	}
	// What follows would be taken for commands.
	return true, r.answer(&Fault{Say: "BAD no such literals here", End: FIN})
}

// discard reads to the end of a command whose client does not wait to be told that it is not wanted.
func (r *relay) discard(literal int64) error {
	for {
		if _, err := io.CopyN(io.Discard, r.in, literal); err != nil {
			return err
		}
		line, err := r.in.ReadString('\n')
		if err != nil {
			return err
		}
		found := marker.FindStringSubmatch(line)
		if found == nil {
			return nil
		}
		literal, _ = strconv.ParseInt(found[1], 10, 64)
	}
}

func redacted(verb, command string) string {
	switch verb {
	case "LOGIN":
		user, _, _ := strings.Cut(command[len(verb):], " ")
		if args := strings.Fields(command); len(args) > 1 {
			user = args[1]
		}
		return "LOGIN " + user + " ***"
	case "AUTHENTICATE":
		if args := strings.Fields(command); len(args) > 2 {
			return "AUTHENTICATE " + args[1] + " ***"
		}
	}
	return command
}

// imapserver takes mailbox names apart and puts them together again, so that only well-formed modified UTF-7
// survives. Accounts have names of any octets. So & becomes &- on the way in, an 8-bit octet a rune for private
// use, and on the way out names travel in hexadecimal.

const octetRunes = 0xF700

var namesMailbox = []string{
	"SELECT", "EXAMINE", "CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE", "LIST", "LSUB", "STATUS",
	"COPY", "UID COPY",
}

func (r *relay) harmless(s string, first bool) string {
	if r.verb == "APPEND" && first {
		end := len(r.tag) + len(" APPEND ")
		end = min(len(s), end+astring(s[min(end, len(s)):]))
		return escape(s[:end]) + s[end:]
	}
	if slices.Contains(namesMailbox, r.verb) {
		return escape(s)
	}
	return s
}

// astring returns the length of the quoted string or atom that s begins with.
func astring(s string) int {
	if !strings.HasPrefix(s, `"`) {
		n := strings.IndexAny(s, " \r\n")
		return max(n, 0)
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}

func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == '&':
			b.WriteString("&-")
		case c >= 0x80:
			b.WriteRune(octetRunes + rune(c))
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// wireName undoes escape after imapserver has decoded the name.
func wireName(s string) string {
	var b strings.Builder
	for _, c := range s {
		if c >= octetRunes+0x80 && c <= octetRunes+0xFF {
			b.WriteByte(byte(c - octetRunes))
		} else {
			b.WriteRune(c)
		}
	}
	return b.String()
}

const inHex = "mailbox-"

// outName is how a session gives imapserver a mailbox name to say.
func outName(name string) string { return inHex + hex.EncodeToString([]byte(name)) }

var hexName = regexp.MustCompile(`"` + inHex + `([0-9a-f]*)"`)

func sayNames(line string) string {
	return hexName.ReplaceAllStringFunc(line, func(found string) string {
		name, _ := hex.DecodeString(hexName.FindStringSubmatch(found)[1])
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(string(name)) + `"`
	})
}

// Write takes what imapserver says.
func (r *relay) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		if r.literal > 0 {
			n := min(int64(len(rest)), r.literal)
			if r.withheld == nil {
				r.out.Write(rest[:n])
			}
			r.literal -= n
			rest = rest[n:]
			continue
		}
		end := bytes.IndexByte(rest, '\n') + 1
		if end == 0 {
			r.line = append(r.line, rest...)
			break
		}
		line := string(append(r.line, rest[:end]...))
		r.line, rest = r.line[:0], rest[end:]
		if err := r.fromServer(line); err != nil {
			return 0, err
		}
	}
	return len(p), r.out.Flush()
}

// fromServer takes one whole line.
func (r *relay) fromServer(line string) error {
	if found := marker.FindStringSubmatch(line); found != nil {
		r.literal, _ = strconv.ParseInt(found[1], 10, 64)
	}
	line = strings.TrimRight(line, "\r\n")
	last := strings.HasPrefix(line, r.tag+" ")
	if last {
		r.answered = true
		r.looked()
	}
	if f := r.withheld; f != nil {
		if !last {
			return nil
		}
		r.withheld = nil
		return r.answer(f)
	}
	r.say(line)
	return nil
}

// answer says what a fault has to say and ends the line if it does.
func (r *relay) answer(f *Fault) error {
	switch {
	case strings.HasPrefix(f.Say, "*"):
		r.say(f.Say)
	case f.Say != "":
		r.say(r.tag + " " + f.Say)
	}
	r.answered = true
	err := r.out.Flush()
	r.end(f.End)
	return err
}

func (r *relay) endless() error {
	r.out.WriteString("* OK ")
	for {
		if _, err := r.out.WriteString("and so on "); err != nil || r.ending() {
			return io.EOF
		}
	}
}

func (r *relay) say(line string) {
	for _, prefix := range []string{"* LIST ", "* LSUB ", "* STATUS "} {
		if strings.HasPrefix(line, prefix) {
			line = sayNames(line)
		}
	}
	for _, line := range r.rewritten(r.command, r.announced(line)) {
		r.out.WriteString(line + "\r\n")
	}
}

var capabilityList = regexp.MustCompile(`CAPABILITY [^\]]*`)

// announced takes out of a line the capabilities that the server does not have.
func (r *relay) announced(line string) string {
	if !strings.HasPrefix(line, "* CAPABILITY") && !strings.Contains(line, " [CAPABILITY ") {
		return line
	}
	return capabilityList.ReplaceAllStringFunc(line, func(list string) string {
		return strings.Join(slices.DeleteFunc(strings.Split(list, " "), r.hides), " ")
	})
}

func (r *relay) hides(capability string) bool {
	switch {
	case !r.has(capability):
		return true
	case capability == "LITERAL-":
		return r.has("LITERAL+")
	}
	// Names are the octets on the wire here, whatever was enabled; the limit on APPEND is imapserver's largest.
	return capability == "UTF8=ACCEPT" || strings.HasPrefix(capability, "APPENDLIMIT")
}
