package pop3

import (
	"context"
	"strings"
	"sync"

	"github.com/knadh/go-pop3"

	"github.com/mailhaul/mailhaul/internal/dial"
)

// maxAhead is how many commands are on their way at most before their answers have been read. While a server
// sends a message it reads nothing, so that all of them must find room in the buffers between: they are some 1,500
// octets, a packet's worth. Three quarters of them keep a line of 100 Mbit/s busy for a round trip of 100 ms from
// 13 KB a message on.
const maxAhead = 128

// A session is one connection from the greeting to the end.
type session struct {
	life context.Context
	cut  context.CancelCauseFunc // ends life, and with it the connection

	host string
	conn *dial.Conn // nil: not connected yet
	gate *gate
	pop  *pop3.Conn

	queue chan string // of the pipeline at work, whose sender alone may write

	greeting string
	before   caps // the login
	caps     caps

	numbers  map[string]int // the message number of each key, once the maildrop is listed
	topped   bool           // TOP was answered once
	degraded bool           // the keys are not UIDLs
}

// newSession returns a session whose life does not end with ctx: ctx is one call's, and a session outlives many.
func newSession(ctx context.Context) *session {
	c := new(session)
	c.life, c.cut = context.WithCancelCause(context.WithoutCancel(ctx))
	return c
}

func (c *session) abort() {
	if c.conn != nil {
		c.conn.Abort()
	}
	c.cut(nil)
}

// ask sends a command and returns the first line of its answer. An error means that the session is broken.
func (c *session) ask(verb string, args ...any) (status, error) {
	if err := c.gate.quiet(); err != nil {
		return status{}, err
	}
	_, err := c.pop.Cmd(verb, false, args...)
	return c.gate.taken(err)
}

// answer returns the first line of the answer to a command that was sent before.
func (c *session) answer() (status, error) {
	_, err := c.pop.ReadOne()
	return c.gate.taken(err)
}

// ahead is how many commands may be on their way at once (PIPELINING, RFC 2449 §6.6).
func (c *session) ahead() int {
	if c.caps.has("PIPELINING") {
		return maxAhead
	}
	return 1
}

// pipeline sends n commands, as many ahead as the server allows, and has read read the answer to each in turn, all
// of it; alone says that no other answer is to come before the next command. A goroutine of its own sends, for
// a server may not read while it is not read from. An error of read ends it, and the connection with it.
func (c *session) pipeline(n int, command func(i int) string, read func(i int, alone bool) error) error {
	if err := c.gate.quiet(); err != nil {
		return err
	}
	window := min(n, c.ahead())
	c.queue = make(chan string, window+1) // room for a NOOP: putting a command into it never blocks
	var sender sync.WaitGroup
	sender.Go(func() { c.send(c.queue) })
	defer sender.Wait()
	defer close(c.queue)
	sent := 0
	for i := range n {
		if sent-i <= window-window/4 { // top up by quarters: several commands fit in a packet
			for ; sent < n && sent-i < window; sent++ {
				c.queue <- command(sent)
			}
		}
		if err := read(i, sent == i+1); err != nil {
			c.abort()
			return err
		}
	}
	return c.gate.quiet()
}

// send sends the commands of the queue, together what is there together. If that fails, whoever waits for the
// answers learns why.
func (c *session) send(queue <-chan string) {
	for command := range queue {
		lines := []string{command}
		for range len(queue) {
			lines = append(lines, <-queue)
		}
		if c.pop.Send(strings.Join(lines, "\r\n")) != nil {
			return
		}
	}
}
