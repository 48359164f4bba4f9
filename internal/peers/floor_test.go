//go:build unix

package peers

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// A floor is a client that does what has to be done and nothing else: it trusts the server, keeps no record, and parses
// only what it must to find the end of a message. It runs as a process of its own, as what it is compared with does.
type floor struct {
	addr, user string
	dir        string // of the messages, to write or to read
	synced     int    // how many files are synced at a time; 0: none is
	ahead      int    // how many commands are in flight
}

// runFloor is the main of a floor's process.
func runFloor(args []string) error {
	var f floor
	flags := flag.NewFlagSet("floor", flag.ContinueOnError)
	flags.StringVar(&f.addr, "addr", "", "")
	flags.StringVar(&f.user, "user", "", "")
	flags.StringVar(&f.dir, "dir", "", "")
	flags.IntVar(&f.synced, "synced", 0, "")
	flags.IntVar(&f.ahead, "ahead", 100, "")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	does := map[string]func() error{
		"pop3": f.pop3, "imap": f.imap, "append": f.append, "multiappend": f.multiappend, "uidl": f.uidl, "examine": f.examine,
		"imap tree": f.imapTree, "append tree": f.appendTree,
	}[args[0]]
	if does == nil {
		return fmt.Errorf("there is no floor %q", args[0])
	}
	return does()
}

// pop3 retrieves all messages into files.
func (f floor) pop3() error {
	w, messages, err := loginPOP3(f.addr, f.user)
	if err != nil {
		return err
	}
	sink := f.sink()
	asked := 0
	var m []byte
	for n := range messages {
		if asked-n <= f.ahead/2 {
			for ; asked < messages && asked-n < f.ahead; asked++ {
				fmt.Fprintf(w.w, "RETR %d\r\n", asked+1)
			}
			if err := w.w.Flush(); err != nil {
				return err
			}
		}
		if _, err := w.ok(); err != nil {
			return err
		}
		m = m[:0]
		if err := w.lines(func(l []byte) { m = append(m, l...) }); err != nil {
			return err
		}
		sink.put(m)
	}
	if err := w.say("QUIT\r\n"); err != nil {
		return err
	}
	w.ok()
	return sink.close()
}

// imap fetches the INBOX into files.
func (f floor) imap() error {
	w, err := loginIMAP(f.addr, f.user)
	if err != nil {
		return err
	}
	sink := f.sink()
	if err := w.fetchAll("INBOX", sink.put); err != nil {
		return err
	}
	if err := w.say("d LOGOUT\r\n"); err != nil {
		return err
	}
	if err := w.until("d", nil); err != nil {
		return err
	}
	return sink.close()
}

// imapTree fetches every mailbox into files of a directory of its own.
func (f floor) imapTree() error {
	w, err := loginIMAP(f.addr, f.user)
	if err != nil {
		return err
	}
	names, err := w.mailboxes()
	if err != nil {
		return err
	}
	for _, name := range names {
		in := f
		in.dir = filepath.Join(f.dir, strings.ReplaceAll(name, "/", "."))
		sink := in.sink()
		if err := w.fetchAll(name, sink.put); err != nil {
			return err
		}
		if err := sink.close(); err != nil {
			return err
		}
	}
	return nil
}

// uidl is what it takes to learn over POP3 that nothing is new.
func (f floor) uidl() error {
	w, _, err := loginPOP3(f.addr, f.user)
	if err != nil {
		return err
	}
	if err := w.say("UIDL\r\nQUIT\r\n"); err != nil {
		return err
	}
	if _, err := w.ok(); err != nil {
		return err
	}
	if err := w.lines(func([]byte) {}); err != nil {
		return err
	}
	_, err = w.ok()
	return err
}

// examine is what it takes to learn over IMAP that nothing is new.
func (f floor) examine() error {
	w, err := loginIMAP(f.addr, f.user)
	if err != nil {
		return err
	}
	if err := w.say("b EXAMINE INBOX\r\nc LOGOUT\r\n"); err != nil {
		return err
	}
	return w.until("c", nil)
}

// append sends the messages by non-synchronizing literals (RFC 7888), each with a command of its own.
func (f floor) append() error { return f.send(1, f.ahead) }

// multiappend sends as many messages with one command (RFC 3502) as append has commands in flight.
func (f floor) multiappend() error { return f.send(f.ahead, f.ahead) }

func (f floor) send(perCommand, ahead int) error {
	w, err := loginIMAP(f.addr, f.user)
	if err != nil {
		return err
	}
	return f.sendTo(w, "INBOX", perCommand, ahead)
}

// appendTree makes a mailbox of every folder of the Maildir++, and sends its messages there.
func (f floor) appendTree() error {
	dirs, err := filepath.Glob(filepath.Join(f.dir, ".*"))
	if err != nil {
		return err
	}
	w, err := loginIMAP(f.addr, f.user)
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		name := strings.ReplaceAll(filepath.Base(dir)[1:], ".", "/")
		if err := w.say("c CREATE \"%s\"\r\ns SUBSCRIBE \"%[1]s\"\r\n", name); err != nil {
			return err
		}
		if err := w.until("c", nil); err != nil {
			return err
		}
		if err := w.until("s", nil); err != nil {
			return err
		}
		in := f
		in.dir = dir
		if err := in.sendTo(w, `"`+name+`"`, 1, f.ahead); err != nil {
			return err
		}
	}
	return nil
}

func (f floor) sendTo(w *wire, mailbox string, perCommand, ahead int) error {
	files, err := filepath.Glob(filepath.Join(f.dir, "cur", "*"))
	if err != nil {
		return err
	}
	inFlight := make(chan int, ahead)
	answered := make(chan error, 1)
	go func() {
		var err error
		for tag := range inFlight {
			if err == nil {
				err = w.until("t"+strconv.Itoa(tag), nil)
			}
		}
		answered <- err
	}()
	for i := 0; i < len(files); i += perCommand {
		fmt.Fprintf(w.w, "t%d APPEND %s", i, mailbox)
		for _, file := range files[i:min(i+perCommand, len(files))] {
			octets, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			octets = bytes.ReplaceAll(octets, []byte("\n"), []byte("\r\n")) // all corpora have LF line ends
			fmt.Fprintf(w.w, " (\\Seen) {%d+}\r\n", len(octets))
			w.w.Write(octets)
		}
		w.w.WriteString("\r\n")
		if perCommand > 1 || len(inFlight) >= ahead-1 { // before it waits, all must be on its way
			if err := w.w.Flush(); err != nil {
				return err
			}
		}
		inFlight <- i
	}
	if err := w.w.Flush(); err != nil {
		return err
	}
	close(inFlight)
	return <-answered
}

// A sink writes messages into the Maildir of a floor.
type sink struct {
	floor
	next   int
	queue  chan job // to those who sync; nil where nothing is synced
	queued sync.WaitGroup
	failed error
	once   sync.Once
}

type job struct {
	name   string
	octets []byte
}

func (f floor) sink() *sink {
	s := &sink{floor: f}
	for _, dir := range []string{"cur", "new", "tmp"} {
		s.note(os.MkdirAll(filepath.Join(f.dir, dir), 0o755))
	}
	if f.synced > 0 {
		s.queue = make(chan job, f.synced)
	}
	for range f.synced {
		s.queued.Go(func() {
			for j := range s.queue {
				s.note(s.write(j))
			}
		})
	}
	return s
}

// note keeps the first error for close.
func (s *sink) note(err error) {
	if err != nil {
		s.once.Do(func() { s.failed = err })
	}
}

func (s *sink) put(octets []byte) {
	s.next++
	j := job{strconv.Itoa(s.next) + ".floor:2,", octets}
	if s.queue == nil {
		s.note(s.write(j))
		return
	}
	j.octets = bytes.Clone(octets)
	s.queue <- j
}

func (s *sink) write(j job) error {
	tmp := filepath.Join(s.dir, "tmp", j.name)
	file, err := os.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Write(j.octets); err != nil {
		return err
	}
	if s.synced > 0 {
		if err := file.Sync(); err != nil {
			return err
		}
	}
	return os.Rename(tmp, filepath.Join(s.dir, "cur", j.name))
}

func (s *sink) close() error {
	if s.queue == nil {
		return s.failed
	}
	close(s.queue)
	s.queued.Wait()
	dir, err := os.Open(filepath.Join(s.dir, "cur"))
	if err != nil {
		return err
	}
	defer dir.Close()
	s.note(dir.Sync())
	return s.failed
}
