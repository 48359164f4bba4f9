//go:build unix

package peers

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/mailhaul/mailhaul/internal/postoffice/dovecot"
)

// A contender does what a scenario asks for, in its way.
type contender struct {
	name    string
	program string // that must be installed
	kind    kind   // what it does, if not the same as the scenario
	first   int    // it brings only so many messages of the corpus, being slow; 0: all
	adds    string // a header field that it is known to add to messages
	// command writes what the contender wants to have beside it into the directory of the errand.
	command func(*bench, errand) (command, error)
}

// slowed returns the contender with the first n messages as its task.
func (c contender) slowed(n int) contender {
	c.first = n
	return c
}

const (
	theFloor = "floor"
	ours     = "mailhaul"
)

func floorOf(name, mode string, ahead int) contender {
	return contender{name: name, command: func(b *bench, e errand) (command, error) {
		addr, user, dir := e.imap, e.user, e.target()
		switch mode {
		case "pop3", "uidl":
			addr = e.pop3
		case "append", "multiappend", "append tree":
			addr, user, dir = e.dest, e.to, b.mail(e.corpus)
		}
		c := command{Args: []string{b.self, "floor", mode, "-addr", addr, "-user", user, "-dir", dir, "-ahead", strconv.Itoa(ahead)}}
		if e.disk {
			c.Args = append(c.Args, "-synced", "8")
		}
		return c, nil
	}}
}

// mailhaul is the contender that all this is about.
var mailhaul = contender{name: ours, command: runMailhaul}

func runMailhaul(b *bench, e errand) (command, error) {
	c := command{Env: []string{"HOME=" + e.dir, "MAILHAUL_PASSWORD=" + dovecot.Password}}
	source, destination := fmt.Sprintf("imap://%s@%s?tls=none", e.user, e.imap), fmt.Sprintf("imap://%s@%s?tls=none", e.to, e.dest)
	switch e.kind {
	case pullPOP3:
		c.Args = []string{b.mailhaul, "backup", fmt.Sprintf("pop3://%s@%s?tls=none", e.user, e.pop3), e.target()}
	case pullIMAP:
		c.Args = []string{b.mailhaul, "backup", source, e.target()}
	case migration:
		c.Args = []string{b.mailhaul, "migrate", source, destination, "--archive", e.target()}
	case restoring:
		archive, err := b.archive(e.corpus, e.disk)
		if err != nil {
			return c, err
		}
		if err := hardLinks(archive, e.target(), "mailhaul"); err != nil {
			return c, err
		}
		c.Args = []string{b.mailhaul, "restore", e.target(), destination}
		if e.plain {
			c.Args = append(c.Args, "--max-connections", strconv.Itoa(sessions))
		}
	}
	c.Args = append(c.Args, "--quiet")
	return c, nil
}

// half is one half of a migration, alone.
func half(name string, k kind) contender {
	c := mailhaul
	c.name, c.kind = name, k
	return c
}

var mpop = contender{name: "mpop", program: "mpop", command: func(b *bench, e errand) (command, error) {
	host, port, _ := strings.Cut(e.pop3, ":")
	return command{Args: []string{"mpop", "-C", e.file("rc"), "-Q", "x"}}, e.write("rc", `account x
host %s
port %s
user %s
password %s
auth user
tls off
keep on
received_header off
delivery maildir %s
uidls_file %s
`, host, port, e.user, dovecot.Password, e.maildir(), e.file("uidls"))
}}

// getmail6 refuses to deliver as root. It has a process for every message, and of one that ends at once it may not learn
// (6.18): then it waits for the timeout, of 180 seconds if nothing is said, and gives up. The table says so.
var getmail6 = contender{name: "getmail6", program: "getmail", command: func(b *bench, e errand) (command, error) {
	host, port, _ := strings.Cut(e.pop3, ":")
	c := command{Args: []string{"getmail", "--getmaildir=" + e.dir, "--rcfile=" + e.file("rc")}, Env: []string{"HOME=" + e.dir, "TMPDIR=" + e.dir}}
	err := e.write("rc", `[retriever]
type = SimplePOP3Retriever
server = %s
port = %s
username = %s
password = %s
timeout = 20
[destination]
type = Maildir
path = %s/
[options]
read_all = false
delete = false
delivered_to = false
received = false
verbose = 0
`, host, port, e.user, dovecot.Password, e.maildir())
	if err != nil || os.Geteuid() != 0 {
		return c, err
	}
	c.UID, c.GID, err = e.giveAway()
	return c, err
}}

// fetchmail leaves it to another program to deliver; here it is the least that there is.
var fetchmail = contender{name: "fetchmail", program: "fetchmail", adds: "Received", command: func(b *bench, e errand) (command, error) {
	host, port, _ := strings.Cut(e.pop3, ":")
	c := command{Args: []string{"fetchmail", "--silent", "--nosyslog", "-f", e.file("rc")}, Env: []string{"HOME=" + e.dir}}
	return c, e.write("rc", `set idfile "%[1]s/ids"
set pidfile "%[1]s/pid"
set no bouncemail
poll %[2]s service %[3]s protocol POP3 uidl no dns auth password
  user "%[4]s" password "%[5]s" keep no rewrite sslproto ''
  mda "exec cat >'%[6]s/new/'$$"
`, e.dir, host, port, e.user, dovecot.Password, e.maildir())
}}

// mbsync marks what it copies, to find it again.
var mbsync = contender{name: "mbsync", program: "mbsync", adds: "X-TUID", command: func(b *bench, e errand) (command, error) {
	var rc strings.Builder
	account := func(store, addr, user string) {
		host, port, _ := strings.Cut(addr, ":")
		fmt.Fprintf(&rc, "IMAPAccount %[1]s\nHost %[2]s\nPort %[3]s\nUser %[4]s\nPass %[5]s\nAuthMechs LOGIN\n%[6]s None\n\nIMAPStore %[1]s\nAccount %[1]s\n\n",
			store, host, port, user, dovecot.Password, mbsyncTLS())
	}
	local := func() { fmt.Fprintf(&rc, "MaildirStore md\nInbox %s\nPath %s/\n\n", e.maildir(), e.file("sub")) }
	far, near, direction := "src", "md", "Pull\nCreate Near"
	switch e.kind {
	case pullIMAP:
		account("src", e.imap, e.user)
		local()
	case migration:
		account("src", e.imap, e.user)
		account("dst", e.dest, e.to)
		near = "dst"
	case restoring:
		account("dst", e.dest, e.to)
		local()
		far, direction = "dst", "Push\nCreate Far"
		if err := hardLinks(b.mail(e.corpus), e.target(), ""); err != nil {
			return command{}, err
		}
	}
	fmt.Fprintf(&rc, "Channel c\nSyncState %s/\nCopyArrivalDate yes\nExpunge None\nFar :%s:\nNear :%s:\nSync %s\n", e.file("state"), far, near, direction)
	for _, dir := range []string{"state", "sub"} {
		if err := os.MkdirAll(e.file(dir), 0o700); err != nil {
			return command{}, err
		}
	}
	return command{Args: []string{"mbsync", "-q", "-c", e.file("rc"), "c"}}, e.write("rc", "%s", rc.String())
}}

// mbsyncTLS is how this mbsync calls the option that its later versions call TLSType.
func mbsyncTLS() string {
	if strings.HasPrefix(version("mbsync"), "isync 1.4") {
		return "SSLType"
	}
	return "TLSType"
}

var offlineimap = contender{name: "offlineimap3", program: "offlineimap", command: func(b *bench, e errand) (command, error) {
	host, port, _ := strings.Cut(e.imap, ":")
	if err := os.MkdirAll(e.target(), 0o700); err != nil {
		return command{}, err
	}
	c := command{Args: []string{"offlineimap", "-c", e.file("rc"), "-o", "-u", "quiet"}, Env: []string{"HOME=" + e.dir}}
	return c, e.write("rc", `[general]
accounts = x
metadata = %s
ui = quiet
[Account x]
localrepository = l
remoterepository = r
[Repository l]
type = Maildir
localfolders = %s
utime_from_header = no
[Repository r]
type = IMAP
remotehost = %s
remoteport = %s
remoteuser = %s
remotepass = %s
ssl = no
starttls = no
auth_mechanisms = LOGIN
maxconnections = 2
expunge = no
`, e.file("meta"), e.target(), host, port, e.user, dovecot.Password)
}}

var interimap = contender{name: "interimap", program: "interimap", command: func(b *bench, e errand) (command, error) {
	end := func(addr, user string) string {
		host, port, _ := strings.Cut(addr, ":")
		return fmt.Sprintf("type = imap\nhost = %s\nport = %s\nusername = %s\npassword = %s\nSTARTTLS = NO\n", host, port, user, dovecot.Password)
	}
	c := command{Args: []string{"interimap", "--config=" + e.file("rc"), "--quiet"},
		Env: []string{"HOME=" + e.dir, "XDG_CONFIG_HOME=" + e.dir, "XDG_DATA_HOME=" + e.dir}}
	return c, e.write("rc", "database = %s\nlist-mailbox = INBOX\n[local]\n%s[remote]\n%s", e.file("db"), end(e.imap, e.user), end(e.dest, e.to))
}}
