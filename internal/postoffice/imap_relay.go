package postoffice

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
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
	session *session
	in      *bufio.Reader
	out     *bufio.Writer

	// The command under way.
	tag     string
	verb    string
	command string // without its tag, with the password replaced
	beyond
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
		holds := func(f *Fault) bool { return strings.Contains(r.command, f.Holds) }
		if f := r.faultAmong(r.verb, false, 0, nil, holds); f != nil && f.Do == Nothing {
			return r.answer(f)
		} else if f != nil {
			r.withheld = f
		}
	}
	r.answered = false
	r.toServer = complete
	return nil
}

// largest is how many octets a literal may have: what is on its way is held in memory.
const largest = 1 << 30

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
			line = r.understood(line)
		} else if !r.encloses() {
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
		if r.encloses() {
			r.enclosed = append(r.enclosed, enclosed{strings.TrimSuffix(line, found[0]), literal})
			continue
		}
		if first {
			r.named = nameLiterals(r.command, found[0])
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
	if size > largest {
		return true, r.answer(&Fault{Say: "NO [TOOBIG] nobody writes so much", End: FIN})
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
