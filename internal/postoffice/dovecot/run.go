package dovecot

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// A run is Dovecot's master process and the watch that outlives us.
type run struct {
	exited chan struct{} // closed when the master process has ended
	watch  *exec.Cmd
	alive  io.Closer // our end of the pipe that tells the watch that we are there
}

// watchScript ends Dovecot and sweeps up when the other end of its standard input is closed; the kernel sees to
// that when this process dies of whatever.
const watchScript = `trap '' HUP INT QUIT TERM
cat >/dev/null
kill "$1" 2>/dev/null
n=0
while kill -0 "$1" 2>/dev/null && [ $n -lt 200 ]; do n=$((n+1)); sleep 0.05; done
kill -9 "$1" 2>/dev/null
rm -rf "$2"
`

// runDovecot returns when the server answers, or with the reason why it never will; then the directory of s is
// gone.
func runDovecot(bin string, s *Server) (*run, error) {
	master := exec.Command(bin, "-F", "-c", s.path("dovecot.conf"))
	master.Dir = s.dir
	r := &run{exited: make(chan struct{})}
	if err := r.begin(master, s.dir); err != nil {
		os.RemoveAll(s.dir)
		return nil, err
	}
	if err := r.ready(s); err != nil {
		err = fmt.Errorf("start Dovecot: %w\n%s", err, s.log())
		r.stop()
		return nil, err
	}
	return r, nil
}

func (r *run) begin(master *exec.Cmd, dir string) error {
	stderr, err := os.OpenFile(dir+"/dovecot.log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer stderr.Close()
	master.Stderr = stderr
	if err := master.Start(); err != nil {
		return err
	}
	go func() {
		master.Wait()
		close(r.exited)
	}()
	r.watch = exec.Command("/bin/sh", "-c", watchScript, "sh", strconv.Itoa(master.Process.Pid), dir)
	if r.alive, err = r.watch.StdinPipe(); err == nil {
		err = r.watch.Start()
	}
	if err != nil {
		master.Process.Kill()
		<-r.exited
	}
	return err
}

// ready waits for the greeting of s, and of no other server, on its IMAP port.
func (r *run) ready(s *Server) error {
	const patience = 20 * time.Second
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(patience)
	for {
		select {
		case <-r.exited:
			return errors.New("it ended at once")
		case <-timeout:
			return fmt.Errorf("no greeting within %s", patience)
		case <-tick.C:
			if greets(s.IMAP, s.greeting()) && greets(s.POP3, s.greeting()) {
				return nil
			}
		}
	}
}

func greets(port int, greeting string) bool {
	c, err := net.DialTimeout("tcp", net.JoinHostPort(Host, strconv.Itoa(port)), time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	line, _ := bufio.NewReader(c).ReadString('\n')
	return strings.Contains(line, greeting)
}

// stop ends Dovecot and returns when it is gone, with its directory.
func (r *run) stop() {
	r.alive.Close()
	<-r.exited
	r.watch.Wait()
}
