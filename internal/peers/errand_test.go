//go:build unix

package peers

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/mailhaul/mailhaul/internal/postoffice/dovecot"
)

// An errand is a scenario as one contender is sent on it: with a directory of its own, addresses, and users.
type errand struct {
	scenario
	dir              string
	pop3, imap, dest string
	user, to         string
}

func (e errand) file(name string) string { return filepath.Join(e.dir, name) }

// target is where the mail goes, or the archive it comes from.
func (e errand) target() string { return e.file("md") }

// maildir is the target, made for those who want a Maildir to be there.
func (e errand) maildir() string {
	for _, dir := range []string{"cur", "new", "tmp"} {
		dir = filepath.Join(e.target(), dir)
		os.MkdirAll(dir, 0o700) // what cannot be made will be missed
		os.Chtimes(dir, longAgo(), longAgo())
	}
	return e.target()
}

func (e errand) write(name, format string, args ...any) error {
	return os.WriteFile(e.file(name), fmt.Appendf(nil, format, args...), 0o600)
}

// giveAway gives all there is to somebody who is not root.
func (e errand) giveAway() (uid, gid uint32, err error) {
	const nobody = 65534
	err = filepath.WalkDir(e.dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, nobody, nobody)
	})
	return nobody, nobody, err
}

// errand makes all ready for a contender.
func (b *bench) errand(s scenario, c contender) errand {
	s.corpus = s.corpus.first(c.first)
	if c.kind != "" {
		s.kind = c.kind
	}
	b.write(s.corpus)
	in := b.memory
	if s.disk {
		in = b.disk
	}
	dir, err := os.MkdirTemp(in, "peer-")
	b.must(err)
	b.must(os.Chmod(dir, 0o755))
	b.served++
	return errand{scenario: s, dir: dir, user: s.corpus.user(), to: fmt.Sprint("d", b.served),
		pop3: b.way(b.from.POP3, s.rtt, false), imap: b.way(b.from.IMAP, s.rtt, false), dest: b.way(b.taker(s.corpus).IMAP, s.rtt, s.plain)}
}

// way returns the address of a port at a distance.
func (b *bench) way(port int, rtt time.Duration, plain bool) string {
	d := distance{net.JoinHostPort(dovecot.Host, strconv.Itoa(port)), rtt, plain}
	if rtt == 0 && !plain {
		return d.to
	}
	if _, there := b.ways[d]; !there {
		b.ways[d] = d.listen(b.tb)
	}
	return b.ways[d]
}

// try has the contender do its errand once, and adds what it cost to o, if there is one. It returns what was wrong.
func (b *bench) try(c contender, e errand, o *outcome) string {
	command, err := c.command(b, e)
	if err != nil {
		return err.Error()
	}
	command.Dir, command.Limit = e.dir, b.limit
	if b.peers {
		exec.Command("sync").Run() // nobody pays for what another has written
	}
	took, err := measure(b.self, command)
	b.must(err)
	if took.Failed != "" {
		return took.Failed
	}
	if o != nil {
		o.costs = append(o.costs, took)
	}
	if o != nil && len(o.costs) > 1 && !e.again {
		return "" // the first has been looked at
	}
	if err := b.arrived(c, e); err != nil {
		return err.Error()
	}
	return ""
}

// arrived checks that the messages have come to where the errand was to bring them.
func (b *bench) arrived(c contender, e errand) error {
	key := e.corpus.name + "/" + c.adds
	want, known := b.tallies[key]
	if !known {
		var err error
		if want, err = tallyMaildirs(b.mail(e.corpus), c.adds); err != nil {
			return err
		}
		b.tallies[key] = want
	}
	if e.again && c.name == theFloor {
		return nil // it has looked, and that is all
	}
	var got tally
	var err error
	switch e.kind {
	case pullPOP3, pullIMAP:
		got, err = tallyMaildirs(e.target(), c.adds)
	default:
		got, err = tallyAccount(b.way(b.taker(e.corpus).IMAP, 0, false), e.to, c.adds)
	}
	if err != nil {
		return err
	}
	return check(got, want)
}

// note writes the last run down.
func (b *bench) note(s scenario, c contender, n int, o *outcome) {
	line := struct {
		Scenario  string  `json:"scenario"`
		Contender string  `json:"contender"`
		Run       int     `json:"run"`
		Messages  int     `json:"messages"`
		Wall      float64 `json:"wall"`
		User      float64 `json:"user"`
		Sys       float64 `json:"sys"`
		RSS       float64 `json:"rss_mb"`
		Wrong     string  `json:"wrong,omitempty"`
	}{Scenario: s.name(), Contender: c.name, Run: n + 1, Messages: o.messages, Wrong: o.wrong}
	if len(o.costs) > 0 {
		last := o.costs[len(o.costs)-1]
		line.Wall, line.User, line.Sys, line.RSS = last.Wall, last.User, last.Sys, last.RSS
	}
	b.must(json.NewEncoder(b.runsFile).Encode(line))
	fmt.Fprintf(b.log, "    %-22s %8.3f s  CPU %7.3f s  %6.1f MB  %s\n", c.name, line.Wall, line.User+line.Sys, line.RSS, o.wrong)
}

// taker is the server mail is brought to. Where there are many folders it is one that keeps them as Maildirs: with another
// store Dovecot takes, for one more among 1,000, 40 ms and more.
func (b *bench) taker(c corpus) *dovecot.Server {
	if c.folders > 0 {
		return b.from
	}
	return b.to
}

// tidy removes what an errand has left.
func (b *bench) tidy(e errand) {
	b.must(os.RemoveAll(e.dir))
	b.must(os.RemoveAll(b.taker(e.corpus).MailDir(e.to)))
}
