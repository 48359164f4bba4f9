package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice/dovecot"
)

var freeEveryStep = flag.Bool("free-every-step", false, "kill and cut free at every kind of step, not only where it removes")

// A trap stands between the program and a Dovecot, in clear, and strikes once: when the client has said a command for the n-th
// time, before the server hears it or when the server has answered and the client has not heard that.
type trap struct {
	mu     sync.Mutex
	verb   string // "": it does not strike
	nth    int
	after  bool
	strike func()
	struck bool
	seen   int
}

func (p *trap) set(verb string, nth int, after bool, strike func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.verb, p.nth, p.after, p.strike, p.struck, p.seen = verb, nth, after, strike, false, 0
}

// springs reports whether this is the command.
func (p *trap) springs(line string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.verb == "" || p.struck || !strings.Contains(line, p.verb) {
		return false
	}
	p.seen++
	p.struck = p.seen == p.nth
	return p.struck
}

// between hands lines on, and springs.
func (p *trap) between(server, client net.Conn) {
	deaf := make(chan bool, 1) // what the server says is not handed on any more
	go func() {
		answers := bufio.NewReader(server)
		for {
			line, err := answers.ReadBytes('\n')
			select {
			case <-deaf:
				p.strike()
				server.Close()
				client.Close()
				return
			default:
			}
			if _, werr := client.Write(line); err != nil || werr != nil {
				server.Close()
				client.Close()
				return
			}
		}
	}()
	commands := bufio.NewReader(client)
	for {
		line, err := commands.ReadString('\n')
		if p.springs(line) {
			if !p.after {
				p.strike()
				server.Close()
				client.Close()
				return
			}
			deaf <- true
		}
		if _, werr := io.WriteString(server, line); err != nil || werr != nil {
			return
		}
	}
}

// A full is an account at a Dovecot that is full, its archive, and the account that it was brought to, at another Dovecot.
type full struct {
	*testing.T
	bin           string
	old, there    *dovecot.Server
	user          string
	source, dest  string // URLs
	archive       string
	trap          *trap
	first         [][]byte // what was there at first, the oldest first
	later, harmed [][]byte // what must not go: it came later, or its copy was damaged
	kills, cuts   int
	wrongly       int // removed, in all
	marked        int // as deleted, when it was last looked
}

const (
	fullMessages = 1000
	fullTarget   = 600_000
)

func newFull(t *testing.T, protocol string, there *dovecot.Server) *full {
	f := &full{T: t, bin: program(t), old: dovecot.Shared(t), there: there, user: "full-" + protocol, archive: filepath.Join(t.TempDir(), "mail"), trap: new(trap)}
	port := map[string]int{"pop3": f.old.POP3, "imap": f.old.IMAP}[protocol]
	f.source = protocol + "://" + f.user + "@" + between(t, port, new(net.Dialer).DialContext, func(s, c net.Conn) { go f.trap.between(s, c) }) + "?tls=none"
	f.dest = "imap://safe-" + protocol + "@" + net.JoinHostPort(dovecot.Host, strconv.Itoa(there.IMAP)) + "?tls=none"
	for i := range fullMessages {
		f.first = append(f.first, fmt.Appendf(nil, "Received: by mx.trial.example; Tue, 5 Mar 2024 %02d:%02d:%02d +0100\r\nFrom: a@trial.example\r\n"+
			"Message-ID: <full-%d@trial.example>\r\nSubject: message %d\r\n\r\n%s", 1+i/3600, i/60%60, i%60, i, i, strings.Repeat("The room that it takes.\r\n", 20+i%60)))
	}
	f.deliver(f.first...)
	return f
}

func (f *full) deliver(all ...[]byte) {
	f.Helper()
	for i, m := range all {
		f.old.Deliver(f.T, f.user, mail.Inbox, m, nil, time.Unix(1_000_000_000+int64(i), 0))
	}
}

// run runs the program and returns how it ended.
func (f *full) run(args ...string) (*process, int) {
	f.Helper()
	p := f.process(args...)
	status, err := p.finish()
	if err != nil {
		f.Fatal(err)
	}
	return p, status
}

func (f *full) process(args ...string) *process {
	p := newProcess(f.bin, args...)
	p.cmd.Env = append(p.cmd.Env, "MAILHAUL_PASSWORD="+dovecot.Password)
	return p
}

func (f *full) must(want int, args ...string) report {
	f.Helper()
	p, status := f.run(append(args, "--json")...)
	if status != want {
		f.Fatalf("%v ended with %d, want %d:\n%s%.2000s", args, status, want, &p.err, &p.out)
	}
	return finalReport(f.T, p.out.Bytes())
}

// prepare brings all to safety, damages five of the copies that would be the first to go, and has twenty messages come.
func (f *full) prepare() {
	f.Helper()
	f.must(exitDone, "migrate", f.source, f.dest, "--archive", f.archive)
	f.must(exitDone, "verify", f.archive, "--against", f.dest)
	for n := 3; n < 40; n += 8 {
		f.harmed = append(f.harmed, f.first[n])
		path := f.fileOf(fmt.Sprintf("Subject: message %d\n", n))
		octets, err := os.ReadFile(path)
		octets[len(octets)-4] ^= 1
		if err == nil {
			err = os.WriteFile(path, octets, 0o600)
		}
		if err != nil {
			f.Fatal(err)
		}
	}
	for i := range 20 {
		f.later = append(f.later, fmt.Appendf(nil, "Message-ID: <later-%d@trial.example>\r\nSubject: later %d\r\n\r\nnew\r\n", i, i))
	}
	f.deliver(f.later...)
}

// files returns what lies in the archive, by path.
func (f *full) files() map[string][]byte {
	f.Helper()
	all := map[string][]byte{}
	paths, _ := filepath.Glob(filepath.Join(f.archive, "cur", "*"))
	for _, path := range paths {
		octets, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		all[path] = octets
	}
	return all
}

func (f *full) fileOf(text string) string {
	f.Helper()
	for path, octets := range f.files() {
		if bytes.Contains(octets, []byte(text)) {
			return path
		}
	}
	f.Fatalf("no file holds %q", text)
	return ""
}

// judge says which messages are gone, and how many of them wrongly: what is gone must lie in the archive and in the account that
// it was brought to, octet by octet. It looks into the Maildirs, past both servers and the program.
func (f *full) judge(what string) (gone []int) {
	f.Helper()
	f.marked = 0
	there, safe, brought := map[string]int{}, map[string]int{}, map[string]int{}
	for _, m := range f.old.Messages(f.T, f.user, mail.Inbox) {
		there[canonicalText(m.Octets)]++
		if m.Flags.Has(mail.Deleted) {
			f.marked++
		}
	}
	for _, octets := range f.files() {
		safe[canonicalText(octets)]++
	}
	for _, m := range f.there.Messages(f.T, strings.Replace(f.user, "full", "safe", 1), mail.Inbox) {
		brought[canonicalText(m.Octets)]++
	}
	wrongly := 0
	for i, m := range f.first {
		text := canonicalText(m)
		if there[text] > 0 {
			continue
		}
		gone = append(gone, i)
		if safe[text] == 0 || brought[text] == 0 {
			wrongly++
		}
	}
	for _, m := range slices.Concat(f.later, f.harmed) {
		if there[canonicalText(m)] == 0 {
			wrongly++
		}
	}
	if f.wrongly += wrongly; wrongly > 0 {
		f.Errorf("%s: %d of %d were removed wrongly", what, wrongly, len(gone))
	}
	return gone
}

func canonicalText(octets []byte) string {
	return strings.ReplaceAll(strings.ReplaceAll(string(octets), "\r\n", "\n"), "\n", "\r\n")
}

// room returns how many octets the account holds.
func (f *full) room() (octets int) {
	f.Helper()
	for _, m := range f.old.Messages(f.T, f.user, mail.Inbox) {
		octets += len(canonicalText(m.Octets))
	}
	return octets
}

// TestFreeKillAtDovecot frees a mailbox of 1,000 messages, brought from one Dovecot to another, and is killed or cut off where it
// removes (with -free-every-step: at every kind of step), each time going on with what is left. Only what is safe goes, the oldest first, until the box is below the target.
func TestFreeKillAtDovecot(t *testing.T) {
	there := dovecot.Start(t, dovecot.Options{})
	for protocol, steps := range map[string][]string{
		"pop3": {"DELE 20", "QUIT 2", "CAPA", "UIDL", "TOP", "TOP 40", "DELE", "QUIT", "QUIT 3"},
		"imap": {"UID STORE", "UID EXPUNGE", "LIST", "EXAMINE", "SELECT", "BODY.PEEK[HEADER]", "UNSELECT", "LOGOUT"},
	} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			f := newFull(t, protocol, there)
			f.prepare()
			f.plan()
			for i, step := range steps {
				verb, nth := step, 1
				if at := strings.LastIndexByte(step, ' '); at > 0 {
					if n, err := strconv.Atoi(step[at+1:]); err == nil {
						verb, nth = step[:at], n
					}
				}
				if i == 2 && !*freeEveryStep {
					break
				}
				for _, after := range []bool{false, true} {
					f.killed(verb, nth, after)
					if after || *freeEveryStep { // it has to wait for a server that does not know yet
						f.cutOff(verb, nth, after)
					}
				}
			}
			f.end()
		})
	}
}

func (f *full) args(more ...string) []string {
	return append([]string{"free", f.source, f.archive, "--keep-days", "0", "--target", strconv.Itoa(fullTarget) + "B"}, more...)
}

// plan is the dry run.
func (f *full) plan() {
	f.Helper()
	rep := f.must(exitIncomplete, f.args("--max", "100%")...)
	if gone := f.judge("a dry run"); len(gone) > 0 || rep.Free.Gone > 0 || rep.Free.Goes < 500 || rep.Free.Stays["damaged"] != 5 || rep.Free.Stays["not_archived"] != 20 {
		f.Errorf("%d are gone in a dry run: %+v", len(gone), rep.Free)
	}
}

// killed has a run killed with SIGKILL.
func (f *full) killed(verb string, nth int, after bool) {
	f.Helper()
	p := f.process(f.args("--max", "30", "--yes", "--json")...)
	f.trap.set(verb, nth, after, p.kill)
	if _, err := p.finish(); err != nil {
		f.Fatal(err)
	}
	f.trap.set("", 0, false, nil)
	if p.killed() {
		f.kills++
	}
	f.judge(fmt.Sprintf("killed at %s %d, after it %v", verb, nth, after))
}

// cutOff has a run lose its line once.
func (f *full) cutOff(verb string, nth int, after bool) {
	f.Helper()
	cut := false
	f.trap.set(verb, nth, after, func() { cut = true })
	p, status := f.run(f.args("--max", "30", "--yes", "--json")...)
	f.trap.set("", 0, false, nil)
	if cut {
		f.cuts++
	}
	if status != exitIncomplete {
		f.Errorf("cut off at %s %d, after it %v: it ended with %d, want 3 for the damaged ones:\n%s", verb, nth, after, status, &p.err)
	}
	f.judge(fmt.Sprintf("cut off at %s %d, after it %v", verb, nth, after))
	if f.marked > 0 {
		f.Errorf("cut off at %s %d, after it %v: %d are marked as deleted, and there", verb, nth, after, f.marked)
	}
}

// end lets it run to the end, and once more; then what went is brought back, into another account.
func (f *full) end() {
	f.Helper()
	rep := f.must(exitIncomplete, f.args("--max", "100%", "--yes")...)
	gone := f.judge("the end")
	last := gone[len(gone)-1]
	if want := last + 1 - len(f.harmed); len(gone) != want {
		f.Errorf("%d are gone, up to number %d: want the oldest, but for the %d that are damaged", len(gone), last, len(f.harmed))
	}
	room := f.room()
	if size := len(canonicalText(f.first[last])); room >= fullTarget || room+size < fullTarget {
		f.Errorf("%d octets are left, and the last that went had %d: want just below %d", room, size, fullTarget)
	}
	if again := f.must(exitIncomplete, f.args("--max", "100%", "--yes")...); again.Free.Gone != 0 || len(f.judge("again")) != len(gone) {
		f.Errorf("again: %+v", again.Free)
	}
	f.must(exitDone, "backup", f.source, f.archive)
	back := f.must(exitDone, "restore", f.archive, strings.Replace(f.dest, "safe-", "back-", 1))
	if d := back.Destination; d.Appended != fullMessages+len(f.later) || d.Gone != 0 {
		f.Errorf("restored: %+v, want all", d)
	}
	f.Logf("%d kills and %d cuts; %d of %d messages went (%d in the last run), %d octets are left, %d came meanwhile, %d stay because their copies were damaged; wrongly removed: %d",
		f.kills, f.cuts, len(gone), fullMessages, rep.Free.Gone, room, len(f.later), len(f.harmed), f.wrongly)
}
