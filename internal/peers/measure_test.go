//go:build unix

package peers

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// A command is what a contender runs.
type command struct {
	Args []string
	Env  []string // beside the environment
	Dir  string
	// UID and GID are whom it runs as, if not 0: some refuse to deliver as root.
	UID, GID uint32
	Limit    time.Duration
}

// A cost is what a command took.
type cost struct {
	Wall, User, Sys float64 // seconds
	RSS             float64 // MB of 10^6 octets, at the peak, of the largest of its processes
	Failed          string  // how it ended, if not well
}

// measure runs the command by way of a process that is small: the peak of memory that a system reports of a child
// includes what its parent held when it made it.
func measure(self string, c command) (cost, error) {
	order, err := json.Marshal(c)
	if err != nil {
		return cost{}, err
	}
	m := exec.Command(self, "measure", string(order))
	alive, err := m.StdinPipe() // closed when we are gone, however that comes about
	if err != nil {
		return cost{}, err
	}
	defer alive.Close()
	m.Stderr = os.Stderr
	out, err := m.Output()
	if err != nil {
		return cost{}, fmt.Errorf("measure %s: %w", c.Args[0], err)
	}
	var took cost
	return took, json.Unmarshal(out, &took)
}

// runMeasure is the main of that process.
func runMeasure(args []string) error {
	var c command
	if err := json.Unmarshal([]byte(args[0]), &c); err != nil {
		return err
	}
	took, err := c.run()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(took)
}

func (c command) run() (cost, error) {
	output, err := os.CreateTemp("", "output-")
	if err != nil {
		return cost{}, err
	}
	defer os.Remove(output.Name())
	defer output.Close()
	cmd := exec.Command(c.Args[0], c.Args[1:]...)
	cmd.Dir, cmd.Env = c.Dir, append(os.Environ(), c.Env...)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if c.UID != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: c.UID, Gid: c.GID}
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return cost{Failed: err.Error()}, nil
	}
	over := time.AfterFunc(c.Limit, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	go func() {
		io.Copy(io.Discard, os.Stdin)
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}()
	err = cmd.Wait()
	took := cost{Wall: time.Since(start).Seconds()}
	if !over.Stop() {
		took.Failed = fmt.Sprintf("not done after %s", c.Limit)
	} else if err != nil {
		took.Failed = fmt.Sprintf("%v: %s", err, end(output))
	}
	took.add(cmd.ProcessState)
	return took, nil
}

func (t *cost) add(p *os.ProcessState) {
	t.User, t.Sys = p.UserTime().Seconds(), p.SystemTime().Seconds()
	if usage, ok := p.SysUsage().(*syscall.Rusage); ok {
		octets := float64(usage.Maxrss)
		if runtime.GOOS == "linux" {
			octets *= 1024
		}
		t.RSS = octets / 1e6
	}
}

// end returns the last words of the output.
func end(output *os.File) string {
	all, err := os.ReadFile(output.Name())
	if err != nil {
		return err.Error()
	}
	const enough = 300
	return strings.Join(strings.Fields(string(all[max(0, len(all)-enough):])), " ")
}

// side is the main of the processes that the test binary is beside being one of tests.
func side(args []string) (done bool, err error) {
	if len(args) < 2 {
		return false, nil
	}
	switch args[0] {
	case "floor":
		return true, runFloor(args[1:])
	case "measure":
		return true, runMeasure(args[1:])
	}
	return false, nil
}

func longAgo() time.Time { return time.Now().Add(-time.Hour) }

// hardLinks makes a copy of a directory whose files are the same, but for those in a directory named real, which are
// copied: what changes only names may have it, and 100,000 files are there at once. Its directories look as if nobody
// had been there for an hour, for mbsync waits for a second with a Maildir that may still be changing.
func hardLinks(from, to, real string) error {
	var dirs []string
	defer func() {
		for _, dir := range dirs {
			os.Chtimes(dir, longAgo(), longAgo())
		}
	}()
	return filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		at := filepath.Join(to, rel)
		switch {
		case d.IsDir():
			dirs = append(dirs, at)
			return os.MkdirAll(at, 0o755)
		case strings.HasPrefix(d.Name(), "dovecot"), d.Name() == "maildirfolder":
			return nil // the server's own
		case filepath.Base(filepath.Dir(path)) != real:
			return os.Link(path, at)
		}
		octets, err := os.ReadFile(path)
		return errors.Join(err, os.WriteFile(at, octets, 0o600))
	})
}
