package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
)

// The tests of this file's rig run the real program as a process of its own: what they say of kills, memory and exit
// statuses holds for what people run.

// program returns the program, built once for the test process and swept up when that ends, however it ends.
func program(t testing.TB) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("needs SIGKILL, and sh to sweep up")
	}
	bin, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

var alive io.Closer // open as long as this process lives: the kernel sees to that

var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "mailhaul-program-")
	if err != nil {
		return "", err
	}
	sweep := exec.Command("/bin/sh", "-c", `trap '' HUP INT QUIT TERM; cat >/dev/null; rm -rf "$1"`, "sh", dir)
	if alive, err = sweep.StdinPipe(); err != nil {
		return "", err
	}
	if err := sweep.Start(); err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "mailhaul")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return bin, nil
})

const (
	rigUser     = "me@trial.example"
	rigPassword = "correct horse"
)

// A rig is an account that is full, an IMAP account that is empty, their servers over TLS, and an archive.
type rig struct {
	from, to *postoffice.Account
	src, dst *postoffice.Server
	source   string // URLs
	dest     string
	archive  string
	folders  []string // of the source
}

// newRig makes a rig whose source is a POP3 account that holds the messages.
func newRig(t testing.TB, messages [][]byte) *rig {
	t.Helper()
	r := rigWith(t, "pop3s", func(o *postoffice.Office) *postoffice.Server { return o.POP3(postoffice.Trouble{}) })
	for _, m := range messages {
		r.from.Deliver(mail.Inbox, postoffice.Message{Octets: m})
	}
	return r
}

// newFolderRig makes a rig whose source is an IMAP account that holds the messages in several folders, and some of them
// twice.
func newFolderRig(t testing.TB, messages [][]byte) *rig {
	t.Helper()
	r := rigWith(t, "imaps", func(o *postoffice.Office) *postoffice.Server { return o.IMAP(postoffice.Trouble{}) })
	r.folders = []string{mail.Inbox, "Work", "Copies"}
	received := time.Date(2024, 3, 5, 10, 0, 0, 0, time.UTC)
	for i, m := range messages {
		letter := postoffice.Message{Octets: m, Received: received.Add(time.Duration(i) * time.Second)}
		r.from.Deliver(r.folders[i%2], letter)
		if i%5 == 0 {
			r.from.Deliver("Copies", letter)
		}
	}
	return r
}

func rigWith(t testing.TB, scheme string, source func(*postoffice.Office) *postoffice.Server) *rig {
	t.Helper()
	here, there := postoffice.New(), postoffice.New()
	r := &rig{
		from: here.Account(rigUser, rigPassword), to: there.Account(rigUser, rigPassword),
		src: source(here), dst: there.IMAP(postoffice.Trouble{}),
		archive: filepath.Join(t.TempDir(), "mail"), folders: []string{mail.Inbox},
	}
	t.Cleanup(func() { r.src.Close(); r.dst.Close() })
	ca := postoffice.NewCA()
	caFile := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(caFile, ca.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	listen := func(scheme string, srv *postoffice.Server) string {
		addr, err := srv.Listen(ca.Server("localhost", "127.0.0.1"))
		if err != nil {
			t.Fatal(err)
		}
		return scheme + "://" + rigUser + "@" + addr + "?ca=" + caFile
	}
	r.source, r.dest = listen(scheme, r.src), listen("imaps", r.dst)
	return r
}

// migrate returns the arguments of a migration from end to end.
func (r *rig) migrate(more ...string) []string {
	return append([]string{"migrate", r.source, r.dest, "--archive", r.archive}, more...)
}

// octets returns what an account's folder holds.
func octets(acct *postoffice.Account, folder string) (all [][]byte) {
	for _, m := range acct.Messages(folder) {
		all = append(all, m.Octets)
	}
	return all
}

// maildir returns the directory of a folder in the archive.
func maildir(archive, folder string) string {
	if folder == mail.Inbox {
		return filepath.Join(archive, "cur")
	}
	return filepath.Join(archive, "."+folder, "cur")
}

// inMaildir returns the octets of every file in the folder's cur/ of the archive.
func inMaildir(archive, folder string) (all [][]byte, err error) {
	files, err := os.ReadDir(maildir(archive, folder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, f := range files {
		octets, err := os.ReadFile(filepath.Join(maildir(archive, folder), f.Name()))
		if err != nil {
			return nil, err
		}
		all = append(all, octets)
	}
	return all, nil
}

// held returns how many messages lie in the archive, and at the destination.
func (r *rig) held() (archived, arrived int, err error) {
	for _, folder := range r.folders {
		kept, err := inMaildir(r.archive, folder)
		if err != nil {
			return 0, 0, err
		}
		archived += len(kept)
		arrived += len(r.to.Messages(folder))
	}
	return archived, arrived, nil
}

// judge compares the archive and the destination with what the source holds, folder by folder.
func (r *rig) judge() (v trial.Verdict, err error) {
	for _, folder := range r.folders {
		sent := octets(r.from, folder)
		v.Add(trial.Judge(sent, octets(r.to, folder)))
		kept, err := inMaildir(r.archive, folder)
		if err != nil {
			return v, err
		}
		v.Add(trial.Judge(sent, kept))
	}
	return v, nil
}

// fetches returns how many commands have asked the source for messages.
func (r *rig) fetches() int {
	n := r.src.Count("RETR")
	for _, c := range r.src.Commands() {
		if strings.Contains(c, "BODY.PEEK[]") {
			n++
		}
	}
	return n
}

// A process is one run of the program.
type process struct {
	cmd      *exec.Cmd
	out, err bytes.Buffer
	started  chan struct{} // closed when it has a pid
	exited   chan struct{} // closed when it has been waited for
}

// newProcess makes a run that start starts; hooks of servers may know of it before.
func newProcess(bin string, args ...string) *process {
	p := &process{cmd: exec.Command(bin, args...), started: make(chan struct{}), exited: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "MAILHAUL_PASSWORD="+rigPassword)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	return p
}

func (p *process) start() error {
	if err := p.cmd.Start(); err != nil {
		return err
	}
	close(p.started)
	go func() {
		p.cmd.Wait()
		close(p.exited)
	}()
	return nil
}

// kill kills the run with SIGKILL and returns when it is dead.
func (p *process) kill() {
	<-p.started
	p.cmd.Process.Kill()
	<-p.exited
}

// killed reports whether SIGKILL is what ended it.
func (p *process) killed() bool {
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// patience is how long a run may take before it counts as hung.
const patience = 2 * time.Minute

// finish starts the run, waits for its end and returns its exit status; -1 after a kill.
func (p *process) finish() (status int, err error) {
	if err := p.start(); err != nil {
		return 0, err
	}
	return p.wait()
}

func (p *process) wait() (status int, err error) {
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.kill()
		return 0, fmt.Errorf("it hung; it said\n%s%s", &p.out, &p.err)
	}
	return p.cmd.ProcessState.ExitCode(), nil
}
