//go:build unix

package peers

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/mailhaul/mailhaul/internal/postoffice/dovecot"
)

// A wire is a connection to a server without anything between the socket and who speaks: the floors use it, and the
// judge who looks at what has arrived.
type wire struct {
	net.Conn
	r *bufio.Reader
	w *bufio.Writer
}

// dialWire connects and reads the greeting.
func dialWire(addr string) (*wire, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	w := &wire{c, bufio.NewReaderSize(c, 1<<20), bufio.NewWriterSize(c, 1<<18)}
	_, err = w.line()
	return w, err
}

// line returns the next line with its line end, good until the next call.
func (w *wire) line() ([]byte, error) { return w.r.ReadSlice('\n') }

func (w *wire) say(format string, args ...any) error {
	fmt.Fprintf(w.w, format, args...)
	return w.w.Flush()
}

// ok reads a POP3 answer of one line.
func (w *wire) ok() ([]byte, error) {
	l, err := w.line()
	if err == nil && !bytes.HasPrefix(l, []byte("+OK")) {
		err = fmt.Errorf("the server said %q", l)
	}
	return l, err
}

// lines gives fn every line of a POP3 answer, unstuffed.
func (w *wire) lines(fn func([]byte)) error {
	for {
		l, err := w.line()
		if err != nil {
			return err
		}
		if l[0] == '.' {
			if len(l) == 3 {
				return nil
			}
			l = l[1:]
		}
		fn(l)
	}
}

// loginPOP3 returns how many messages there are.
func loginPOP3(addr, user string) (w *wire, messages int, err error) {
	if w, err = dialWire(addr); err != nil {
		return nil, 0, err
	}
	if err := w.say("USER %s\r\nPASS %s\r\nSTAT\r\n", user, dovecot.Password); err != nil {
		return nil, 0, err
	}
	var stat []byte
	for range 3 {
		if stat, err = w.ok(); err != nil {
			return nil, 0, err
		}
	}
	_, err = fmt.Sscanf(string(stat), "+OK %d", &messages)
	return w, messages, err
}

func loginIMAP(addr, user string) (*wire, error) {
	w, err := dialWire(addr)
	if err != nil {
		return nil, err
	}
	if err := w.say("a LOGIN %s %s\r\n", user, dovecot.Password); err != nil {
		return nil, err
	}
	return w, w.until("a", nil)
}

// until reads up to the OK with the tag. fn is given every other line, and the literal that follows it, if there is
// one; both are good until it returns.
func (w *wire) until(tag string, fn func(line, literal []byte)) error {
	tagged := []byte(tag + " ")
	var literal []byte
	for {
		l, err := w.line()
		if err != nil {
			return err
		}
		if bytes.HasPrefix(l, tagged) {
			if !bytes.HasPrefix(l[len(tagged):], []byte("OK")) {
				return fmt.Errorf("the server said %q", l)
			}
			return nil
		}
		size, follows := literalSize(l)
		if fn == nil && !follows {
			continue
		}
		if cap(literal) < size {
			literal = make([]byte, size)
		}
		line := l
		if size > 0 {
			line = bytes.Clone(l) // what is read next may push it out of the buffer
		}
		if _, err := io.ReadFull(w.r, literal[:size]); err != nil {
			return err
		}
		if fn != nil {
			fn(line, literal[:size])
		}
	}
}

// literalSize returns what the {n} at the end of the line announces.
func literalSize(line []byte) (n int, ok bool) {
	line = bytes.TrimRight(line, "\r\n")
	open := bytes.LastIndexByte(line, '{')
	if open < 0 || line[len(line)-1] != '}' {
		return 0, false
	}
	n, err := strconv.Atoi(string(line[open+1 : len(line)-1]))
	return n, err == nil && n >= 0
}

// fetchAll gives fn every message of a mailbox, by one command, and then by none.
func (w *wire) fetchAll(mailbox string, fn func(octets []byte)) error {
	if err := w.say("b EXAMINE \"%s\"\r\nc UID FETCH 1:* (UID FLAGS INTERNALDATE BODY.PEEK[])\r\n", mailbox); err != nil {
		return err
	}
	if err := w.until("b", nil); err != nil {
		return err
	}
	return w.until("c", func(line, literal []byte) {
		if _, message := literalSize(line); message {
			fn(literal)
		}
	})
}

// mailboxes returns the names of all that can be selected.
func (w *wire) mailboxes() (names []string, err error) {
	if err := w.say("l LIST \"\" *\r\n"); err != nil {
		return nil, err
	}
	err = w.until("l", func(line, _ []byte) {
		if bytes.Contains(bytes.ToLower(line), []byte(`\noselect`)) {
			return
		}
		// * LIST (\HasNoChildren) "/" "Folder 1/Sub", or an atom at the end
		_, name, _ := strings.Cut(string(bytes.TrimSpace(line)), `"/" `)
		names = append(names, strings.Trim(name, `"`))
	})
	return names, err
}
