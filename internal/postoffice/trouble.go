package postoffice

import "time"

// A Trouble is what a server does wrong. The zero value makes none. It befalls connections and commands that begin
// after it was set; Cut, Trickle and Without hold for the whole of a connection.
type Trouble struct {
	// On says which connections it befalls, counted from 1 over the server's life; nil: every one. See Only.
	On func(conn int) bool

	Cut     Cut
	Trickle Trickle

	// Faults befall single commands; of several that are due the first in the list does.
	Faults []Fault

	// Rewrite, where set, changes what the server says.
	Rewrite Rewrite

	// OnCommand is called when a command has arrived and nothing is done about it yet; the password is replaced.
	// It may block. It must not call Close.
	OnCommand func(conn int, command string)

	// Without names capabilities the server does not have: it neither announces nor does them.
	Without []string

	// With names capabilities an IMAP server has beside the ordinary ones: CONDSTORE (RFC 7162), OBJECTID (RFC 8474),
	// X-GM-EXT-1 (of which X-GM-MSGID), XLIST, ID (RFC 2971), MESSAGELIMIT=n (RFC 9738), MOVE (RFC 6851), MULTIAPPEND
	// (RFC 3502), and the mechanisms of SASL AUTH=LOGIN, AUTH=CRAM-MD5, AUTH=XOAUTH2 and AUTH=OAUTHBEARER. Others are only
	// announced.
	With []string

	// MaxConns is how many connections there may be at once; 0: any number.
	MaxConns int

	// Keep is what an IMAP server keeps of a message appended; false: it says OK and keeps nothing.
	// See KeepNothing, KeepEmpty and Rewriting.
	Keep func(Message) (Message, bool)

	// Hide, over IMAP, has messages counted and never shown. Servers do it whose indexes are broken.
	Hide func(Message) bool

	// Hollow, over IMAP, has BODY[] of messages answered by NIL.
	Hollow func(Message) bool

	// AtOnce, over IMAP, has a FETCH answered for so many messages only, the first of those it asks for, as if there
	// were no others; 0: for all. MESSAGELIMIT=n in With does the same by the book: the last of them, and says so.
	AtOnce int

	// BodyFirst has FETCH show UID and all else behind the message. Exchange does it.
	BodyFirst bool

	// Unasked has FETCH show the flags of each message in a row of their own before, as servers do when another
	// client has changed them.
	Unasked bool

	// Greedy, over IMAP, has UID EXPUNGE take away everything that is marked \Deleted, whatever UIDs it names.
	Greedy bool

	// Labels, over IMAP, has mailboxes be labels, as Gmail's are: what is marked \Deleted is gone from its mailbox at once, but
	// where it has come to the trash or the spam, and what is moved to the trash is gone from all mailboxes that hold the same
	// octets.
	Labels bool

	// LoginDisabled has IMAP announce LOGINDISABLED and refuse every login.
	LoginDisabled bool

	// OneStep and TwoStep, over POP3, have AUTH taken only with the client's first message on its line, or only
	// without it, as Microsoft does.
	OneStep, TwoStep bool

	// Window, over POP3, has each session list only so many messages, the oldest that were not handed over yet in
	// a session that ended with QUIT. Gmail does it.
	Window int

	// BareLF, over POP3, has line ends within mail sent as they are, and dots doubled after CRLF only, so that mail
	// may hold what looks like its end to a lenient reader.
	BareLF bool

	// Substitute, over POP3, has mail with 8-bit octets in its header replaced by a notice unless the client said
	// UTF8 (RFC 6856) before the login. Courier does it.
	Substitute bool

	// Endless names a command, or GREETING, that is answered by a line that never ends.
	Endless string
}

// Only returns an On for these connections.
func Only(conns ...int) func(int) bool {
	return func(conn int) bool {
		for _, c := range conns {
			if c == conn {
				return true
			}
		}
		return false
	}
}

// A Way is a direction on the wire.
type Way int

// The directions.
const (
	FromClient Way = iota + 1
	ToClient
)

// An End is how a line ends.
type End int

// The ends. FIN and RST are the same over net.Pipe. A cut is not a farewell: over TLS there is no close_notify.
const (
	Stay    End = iota // it does not
	FIN                // the other end reads the end of the stream
	RST                // the other end gets "connection reset"
	Silence            // nothing passes any more, and neither end is told; the server lets go when the client closes
)

// A Cut ends the line as soon as At octets have passed in one direction, over TLS octets of plaintext. The zero
// value does not.
type Cut struct {
	Way Way
	At  int64
	How End
}

// A Trickle is a speed in octets per second; 0 is as fast as it goes.
type Trickle struct {
	FromClient, ToClient int
}

// A Deed says what is done about a command that is not answered as it should be.
type Deed int

// The deeds.
const (
	Nothing   Deed = iota // it is not done
	Done                  // it is done, only not answered
	Late                  // an APPEND is stored when Fault.After has passed
	AfterLook             // an APPEND is stored when a later connection has looked for it, by FETCH or SEARCH
	Partly                // of an APPEND of several messages those are stored that stand before the one it befalls
)

// A Fault befalls commands of one kind.
type Fault struct {
	// Verb is the command in capitals, as "RETR" or "UID FETCH"; "GREETING" is what stands for the greeting, and
	// "" for any command.
	Verb string
	// At is the first of them it befalls, counted over all connections since the trouble was set; 0 is 1.
	At int
	// Times is how many in a row it befalls; 0: all.
	Times int

	// Larger and Match, where set, count only messages larger than so many octets, and those that match. They go
	// with APPEND, RETR and TOP, and with FETCH of bodies: then the fault befalls the command when it comes to that
	// message. In an APPEND the message has no UID yet.
	Larger int64
	Match  func(Message) bool

	// Holds, over IMAP, counts only commands in which this stands. It goes with all but APPEND and FETCH of bodies.
	Holds string

	// Early refuses an APPEND instead of asking for its literal; Match is not asked then. A FETCH it befalls before
	// anything is shown, as it does in servers that put an answer together before they send it.
	Early bool

	// Do is what is done about the command all the same.
	Do    Deed
	After time.Duration

	// Say is said instead of the answer: over POP3 the status line, over IMAP what follows the tag, or an untagged
	// line if it begins with "*". "" is nothing.
	Say string
	// End is what becomes of the line then.
	End End
}

func (f *Fault) fits(verb string, early bool, size int64, m *Message) bool {
	return (f.Verb == verb || f.Verb == "" && verb != "GREETING") &&
		f.Early == early && (f.Larger == 0 || size > f.Larger) &&
		(f.Match == nil || early && m == nil && verb == "APPEND" || m != nil && f.Match(*m))
}

// counts reports whether the fault befalls the n-th command that fits it.
func (f *Fault) counts(n int) bool {
	first := max(f.At, 1)
	return n >= first && (f.Times == 0 || n < first+f.Times)
}
