//go:build unix

package peers

import (
	"fmt"
	"os"
	"path/filepath"
)

// write puts a corpus where the server has it, and has the server learn what it wants to know of it.
func (b *bench) write(c corpus) {
	if _, there := b.written[c.name]; there {
		return
	}
	b.written[c.name] = c
	for i, mailbox := range c.mailboxes() {
		b.must(c.writeInto(b.from.Mailbox(b.tb, c.user(), mailbox), i))
	}
	w, messages, err := loginPOP3(b.way(b.from.POP3, 0, false), c.user())
	b.must(err)
	defer w.Close()
	for n := range messages {
		b.must(w.say("RETR %d\r\n", n+1)) // which marks it, for good
		_, err := w.ok()
		b.must(err)
		b.must(w.lines(func([]byte) {}))
	}
	b.must(w.say("QUIT\r\n"))
	_, err = w.ok()
	b.must(err)
	_, err = tallyAccount(b.way(b.from.IMAP, 0, false), c.user(), "")
	b.must(err)
}

// mail returns where the corpus lies.
func (b *bench) mail(c corpus) string { return b.from.MailDir(c.user()) }

// archive returns an archive of the corpus, on the disk or not, which mailhaul has made of the IMAP account.
func (b *bench) archive(c corpus, disk bool) (string, error) {
	at := place{c.name, disk}
	if dir, there := b.archives[at]; there {
		return dir, nil
	}
	maker := contender{name: ours, command: runMailhaul}
	e := b.errand(scenario{kind: pullIMAP, corpus: c, disk: disk}, maker)
	if wrong := b.try(maker, e, nil); wrong != "" {
		return "", fmt.Errorf("the archive of %s: %s", c.name, wrong)
	}
	b.archives[at] = e.target()
	return e.target(), nil
}

// forget removes the corpora that nobody needs any more, and their archives.
func (b *bench) forget(rest []scenario) {
	needed := map[string]bool{}
	for _, s := range rest {
		for _, c := range s.contenders {
			needed[s.corpus.first(c.first).name] = true
		}
	}
	for name, c := range b.written {
		if needed[name] {
			continue
		}
		b.must(os.RemoveAll(b.mail(c)))
		delete(b.written, name)
		for _, disk := range []bool{false, true} {
			if dir, there := b.archives[place{name, disk}]; there {
				b.must(os.RemoveAll(filepath.Dir(dir)))
				delete(b.archives, place{name, disk})
			}
		}
	}
}
