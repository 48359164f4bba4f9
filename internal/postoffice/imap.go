package postoffice

import (
	"bufio"
	"fmt"
	"net"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// IMAP returns an IMAP4rev1 server (RFC 3501). The protocol is go-imap's imapserver, mail and mailboxes are the
// office's own: go-imap's memory server parses mail and reads odd messages back empty. Between imapserver and the
// wire stands a relay that says what imapserver cannot.
//
// The capabilities a Trouble can take away are LITERAL+ (which leaves LITERAL-), LITERAL-, UIDPLUS, NAMESPACE,
// SPECIAL-USE, CREATE-SPECIAL-USE, CHILDREN, LIST-EXTENDED, LIST-STATUS, STATUS=SIZE, ESEARCH and STARTTLS; others are only no
// longer announced. Parts, ENVELOPE and BODYSTRUCTURE are not served: they would need mail to be parsed.
func (o *Office) IMAP(t Trouble) *Server { return newServer(o, t, imapPorch, talkIMAP) }

func talkIMAP(c *conn) {
	r := &relay{
		conn: c, in: bufio.NewReader(c.wire), out: bufio.NewWriterSize(c.wire, 64<<10),
		verb: "GREETING", command: "GREETING", tag: "*", over: make(chan struct{}),
	}
	if c.crowd {
		fmt.Fprint(r.out, imapPorch.crowd, "\r\n")
		r.out.Flush()
		return
	}
	if c.at.Endless == "GREETING" {
		r.endless()
		return
	}
	if r.withheld = new(Fault); !c.greeted { // or nothing is said
		r.withheld = c.fault("GREETING", false, 0, nil)
	}
	server := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			r.session = &session{relay: r}
			return r.session, nil, nil
		},
		Caps:         capabilities(c),
		Logger:       quiet{},
		InsecureAuth: !c.at.LoginDisabled,
	})
	server.Serve(&single{line: r})
	<-r.over
}

func capabilities(c *conn) imap.CapSet {
	set := imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapLiteralPlus: {}} // the relay sees to literals
	for _, capability := range []imap.Cap{
		imap.CapUIDPlus, imap.CapNamespace, imap.CapSpecialUse, imap.CapCreateSpecialUse, imap.CapChildren,
		imap.CapListExtended, imap.CapListStatus, imap.CapStatusSize, imap.CapESearch,
	} {
		if c.has(string(capability)) {
			set[capability] = struct{}{}
		}
	}
	return set
}

// A single is a listener for one connection: imapserver has no other way to be given one.
type single struct{ line net.Conn }

func (l *single) Accept() (net.Conn, error) {
	line := l.line
	l.line = nil
	if line == nil {
		return nil, net.ErrClosed
	}
	return line, nil
}

func (l *single) Close() error   { return nil }
func (l *single) Addr() net.Addr { return nil }

// quiet keeps imapserver from telling of connections that end as they were meant to. A panic of ours is not
// swallowed with them.
type quiet struct{}

func (quiet) Printf(format string, args ...any) {
	if strings.HasPrefix(format, "panic") {
		panic(fmt.Sprintf(format, args...))
	}
}
