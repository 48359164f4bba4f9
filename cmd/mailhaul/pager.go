package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/term"
)

// page has fn write what was asked for: on a terminal through the pager, of which one can leave at any line, else as it is.
// fn is told how many columns there are; 0: it is no terminal, and who reads it is a program.
func (t *terminal) page(fn func(out io.Writer, columns int) error) error {
	f, ok := t.out.(*os.File)
	if !ok || t.json || !term.IsTerminal(int(f.Fd())) {
		out := bufio.NewWriter(t.out)
		return errors.Join(fn(out, 0), out.Flush())
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil || columns <= 0 {
		columns = usual
	}
	pager := pagerCommand(f)
	if pager == nil {
		return fn(f, columns)
	}
	in, err := pager.StdinPipe()
	if err == nil {
		err = pager.Start()
	}
	if err != nil {
		return fn(f, columns)
	}
	out := bufio.NewWriter(in)
	err = fn(out, columns)
	if flushed := out.Flush(); err == nil {
		err = flushed
	}
	in.Close()
	pager.Wait() // what it makes of its own end is not ours
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, os.ErrClosed) {
		return nil // the person has seen enough
	}
	return err
}

// pagerCommand returns the pager to start, nil if there is none, or none is wanted.
func pagerCommand(out *os.File) *exec.Cmd {
	line, set := os.LookupEnv("PAGER")
	if !set {
		line = "less"
	}
	if words := strings.Fields(line); len(words) == 0 || words[0] == "cat" || os.Getenv("TERM") == "dumb" {
		return nil
	} else if _, err := exec.LookPath(words[0]); err != nil {
		return nil
	}
	pager := exec.Command(strings.Fields(line)[0], strings.Fields(line)[1:]...)
	if sh, err := exec.LookPath("sh"); err == nil {
		pager = exec.Command(sh, "-c", line)
	}
	pager.Stdout, pager.Stderr = out, os.Stderr
	pager.Env = os.Environ()
	if _, set := os.LookupEnv("LESS"); !set {
		pager.Env = append(pager.Env, "LESS=FX") // what fits on the screen stays there, without a key
	}
	return pager
}
