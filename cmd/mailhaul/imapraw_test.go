package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice/dovecot"
)

// An imapLine speaks IMAP with a Dovecot in a few lines of its own: what it shows is what the program's client is
// measured by.
type imapLine struct {
	t  *testing.T
	c  net.Conn
	in *bufio.Reader
	n  int
}

func openLine(t *testing.T, s *dovecot.Server, user string) *imapLine {
	t.Helper()
	c, err := net.Dial("tcp", net.JoinHostPort(dovecot.Host, strconv.Itoa(s.IMAP)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	l := &imapLine{t: t, c: c, in: bufio.NewReaderSize(c, 1<<20)}
	l.line()
	l.do("LOGIN " + user + " " + dovecot.Password)
	return l
}

// line reads a line with the literals in it, each in the place of its announcement.
func (l *imapLine) line() (text string, literals [][]byte) {
	l.t.Helper()
	for {
		part, err := l.in.ReadString('\n')
		if err != nil {
			l.t.Fatal(err)
		}
		part = strings.TrimRight(part, "\r\n")
		found := announced.FindStringSubmatch(part)
		if found == nil {
			return text + part, literals
		}
		n, _ := strconv.Atoi(found[1])
		octets := make([]byte, n)
		if _, err := io.ReadFull(l.in, octets); err != nil {
			l.t.Fatal(err)
		}
		text += strings.TrimSuffix(part, found[0]) + fmt.Sprintf("literal#%d", len(literals))
		literals = append(literals, octets)
	}
}

var announced = regexp.MustCompile(`\{(\d+)\}$`)

// A reply is one untagged line.
type reply struct {
	text     string
	literals [][]byte
}

// do sends a command and returns what is said before its OK.
func (l *imapLine) do(command string) []reply {
	l.t.Helper()
	replies, last := l.try(command)
	if !strings.HasPrefix(last, "OK") {
		l.t.Fatalf("%.200s: %s", command, last)
	}
	return replies
}

func (l *imapLine) try(command string) (replies []reply, last string) {
	l.t.Helper()
	l.n++
	tag := fmt.Sprintf("x%d ", l.n)
	if _, err := io.WriteString(l.c, tag+command+"\r\n"); err != nil {
		l.t.Fatal(err)
	}
	for {
		text, literals := l.line()
		if rest, ok := strings.CutPrefix(text, tag); ok {
			return replies, rest
		}
		replies = append(replies, reply{text, literals})
	}
}

// A letterTo is a message for a folder.
type letterTo struct {
	folder   string
	octets   []byte
	flags    []string
	received time.Time
}

const internalDate = "_2-Jan-2006 15:04:05 -0700"

func (m letterTo) command() string {
	return fmt.Sprintf("APPEND %s (%s) \"%s\" {%d+}\r\n%s", quoted(m.folder), strings.Join(m.flags, " "),
		m.received.Format(internalDate), len(m.octets), m.octets)
}

// append stores the messages, many commands ahead of their answers, and returns those that the server would not have.
func (l *imapLine) append(letters []letterTo) (refused int) {
	l.t.Helper()
	first := l.n + 1
	go func() {
		w := bufio.NewWriterSize(l.c, 1<<20)
		for i, m := range letters {
			fmt.Fprintf(w, "x%d %s\r\n", first+i, m.command())
		}
		w.Flush()
	}()
	for range letters {
		l.n++
		for {
			text, _ := l.line()
			if rest, ok := strings.CutPrefix(text, fmt.Sprintf("x%d ", l.n)); ok {
				if !strings.HasPrefix(rest, "OK") {
					refused++
					l.t.Logf("refused: %s", rest)
				}
				break
			}
		}
	}
	return refused
}

func quoted(name string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
}

var listedName = regexp.MustCompile(`^\* L(?:IST|SUB) \(([^)]*)\) \S+ (.*)$`)

// names returns what LIST or LSUB show of mailboxes, with their attributes.
func (l *imapLine) names(verb string) map[string]string {
	l.t.Helper()
	all := map[string]string{}
	for _, r := range l.do(verb + ` "" "*"`) {
		if found := listedName.FindStringSubmatch(r.text); found != nil {
			all[r.name(found[2])] = found[1]
		}
	}
	return all
}

// name reads an astring of the reply.
func (r reply) name(text string) string {
	if n, ok := strings.CutPrefix(text, "literal#"); ok {
		i, _ := strconv.Atoi(n)
		return string(r.literals[i])
	}
	if strings.HasPrefix(text, `"`) {
		return strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(strings.Trim(text, `"`))
	}
	return text
}

// A seen message is one as a server shows it.
type seen struct {
	uid      string
	octets   []byte
	flags    string // in order, without \Recent
	received string // in UTC
}

var (
	ofUID   = regexp.MustCompile(`UID (\d+)`)
	ofFlags = regexp.MustCompile(`FLAGS \(([^)]*)\)`)
	ofDate  = regexp.MustCompile(`INTERNALDATE "([^"]*)"`)
)

// messages reads a mailbox without a trace.
func (l *imapLine) messages(mailbox string) (all []seen) {
	l.t.Helper()
	l.do("EXAMINE " + quoted(mailbox))
	for _, r := range l.do("UID FETCH 1:* (UID FLAGS INTERNALDATE BODY.PEEK[])") {
		if len(r.literals) == 0 {
			continue
		}
		received, err := time.Parse(internalDate, ofDate.FindStringSubmatch(r.text)[1])
		if err != nil {
			l.t.Fatal(err)
		}
		flags := mail.MakeFlags(strings.Fields(ofFlags.FindStringSubmatch(r.text)[1])...)
		all = append(all, seen{ofUID.FindStringSubmatch(r.text)[1], r.literals[len(r.literals)-1], fmt.Sprint(flags), received.UTC().String()})
	}
	return all
}

// uids returns the UIDs of a mailbox, which is selected afterwards.
func (l *imapLine) uids(mailbox string) (all []string) {
	l.t.Helper()
	l.do("SELECT " + quoted(mailbox))
	for _, r := range l.do("UID FETCH 1:* UID") {
		if found := ofUID.FindStringSubmatch(r.text); found != nil {
			all = append(all, found[1])
		}
	}
	return all
}

// A wiretap hands octets on to a port in clear, and keeps what the client says.
type wiretap struct {
	addr string
	said chan string
}

// tag is how commands begin; messages hold no line like it.
var tag = regexp.MustCompile(`^T(\d+) (UID )?([A-Z]+)`)

func newWiretap(t *testing.T, port int) *wiretap {
	t.Helper()
	w := &wiretap{said: make(chan string, 1<<20)}
	w.addr = between(t, port, new(net.Dialer).DialContext, func(s, c net.Conn) {
		go w.listen(s, c)
		go hand(c, s, io.Discard)
	})
	return w
}

func (w *wiretap) listen(to, from net.Conn) {
	defer to.Close()
	in := bufio.NewReaderSize(from, 1<<20)
	for {
		line, err := in.ReadString('\n')
		if tag.MatchString(line) {
			w.said <- strings.TrimRight(line, "\r\n")
		}
		if _, werr := io.WriteString(to, line); err != nil || werr != nil {
			return
		}
	}
}

func (w *wiretap) url(user string) string {
	return "imap://" + user + "@" + w.addr + "?tls=none"
}

// A talk is what was said in one run.
type talk struct {
	commands int
	verbs    map[string]int
	bodies   int // asked for
}

var bodiesOf = regexp.MustCompile(`UID FETCH (\S+) .*BODY\.PEEK\[\]`)

// take returns what has been said since it was called before.
func (w *wiretap) take() (said talk) {
	said.verbs = map[string]int{}
	for {
		select {
		case line := <-w.said:
			found := tag.FindStringSubmatch(line)
			said.commands++
			said.verbs[found[2]+found[3]]++
			if asked := bodiesOf.FindStringSubmatch(line); asked != nil {
				said.bodies += numbersIn(asked[1])
			}
		default:
			return said
		}
	}
}

// numbersIn counts what a set names.
func numbersIn(set string) (n int) {
	for part := range strings.SplitSeq(set, ",") {
		from, to, isRange := strings.Cut(part, ":")
		first, _ := strconv.Atoi(from)
		last, _ := strconv.Atoi(to)
		if n++; isRange {
			n += max(first, last) - min(first, last)
		}
	}
	return n
}

func (s talk) String() string {
	var verbs []string
	for verb, n := range s.verbs {
		verbs = append(verbs, fmt.Sprintf("%d %s", n, verb))
	}
	slices.Sort(verbs)
	return fmt.Sprintf("%d commands (%s), %d bodies", s.commands, strings.Join(verbs, ", "), s.bodies)
}
