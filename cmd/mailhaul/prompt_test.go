//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// TestPrompt guards that a password is asked for on the terminal and not shown there.
func TestPrompt(t *testing.T) {
	t.Parallel()
	w, tty := ask(t)
	tty.press(t, canary+"\n")
	if status := tty.end(t); status != exitDone || strings.Contains(tty.shown.String(), canary) {
		t.Errorf("it ended with %d and showed:\n%s", status, &tty.shown)
	}
	if !tty.echoes(t) {
		t.Error("the terminal is left without echo")
	}
	if kept, _ := inCur(w.work + "/mail"); len(kept) != 12 {
		t.Errorf("%d messages were archived", len(kept))
	}
}

// TestPromptInterrupted guards that Ctrl-C at the prompt ends the program at once and gives the echo back.
func TestPromptInterrupted(t *testing.T) {
	t.Parallel()
	_, tty := ask(t)
	tty.press(t, canary+"\x03")
	if status := tty.end(t); status != exitInterrupted {
		t.Errorf("it ended with %d and showed:\n%s", status, &tty.shown)
	}
	if !tty.echoes(t) {
		t.Error("the terminal is left without echo")
	}
	if strings.Contains(tty.shown.String(), "batch") {
		t.Errorf("it speaks of a batch, and there is none:\n%s", &tty.shown)
	}
}

// ask runs a backup on a terminal up to the moment at which it waits for the password.
func ask(t *testing.T) (*town, *tty) {
	w, err := newTown(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	tty := openTTY(t)
	tty.cmd = exec.Command("mailhaul", "backup", w.urls["pop3"], w.work+"/mail")
	tty.cmd.Env = append(os.Environ(), "MAILHAUL_KEYRING=file", "XDG_STATE_HOME="+w.work)
	tty.run(t)
	tty.until(t, func() bool {
		return strings.Contains(tty.shown.String(), "password of "+townUser+" at 127.0.0.1: ") && !tty.echoes(t)
	})
	return w, tty
}

// A tty is a terminal with somebody at it.
type tty struct {
	master, slave *os.File
	shown         said
	cmd           *exec.Cmd
}

func openTTY(t *testing.T) *tty {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	var n, unlock int32
	control(t, master, syscall.TIOCGPTN, unsafe.Pointer(&n))
	control(t, master, syscall.TIOCSPTLCK, unsafe.Pointer(&unlock))
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close(); slave.Close() })
	terminal := &tty{master: master, slave: slave, shown: said{more: make(chan struct{}, 1)}}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			terminal.shown.Write(buf[:n])
			if err != nil {
				return
			}
		}
	}()
	return terminal
}

// run starts the terminal's command, as its shell would.
func (tty *tty) run(t *testing.T) {
	t.Helper()
	tty.cmd.Stdin, tty.cmd.Stdout, tty.cmd.Stderr = tty.slave, tty.slave, tty.slave
	tty.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := tty.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.cmd.Process.Kill() })
}

func control(t *testing.T, f *os.File, request uintptr, arg unsafe.Pointer) {
	t.Helper()
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(arg)); errno != 0 {
		t.Fatal(errno)
	}
}

// echoes reports whether what is typed is shown.
func (tty *tty) echoes(t *testing.T) bool {
	var state syscall.Termios
	control(t, tty.slave, syscall.TCGETS, unsafe.Pointer(&state))
	return state.Lflag&syscall.ECHO != 0
}

func (tty *tty) press(t *testing.T, keys string) {
	if _, err := tty.master.WriteString(keys); err != nil {
		t.Fatal(err)
	}
}

// until looks again and again: nobody tells when a terminal stops to echo.
func (tty *tty) until(t *testing.T, done func() bool) {
	deadline := time.Now().Add(time.Minute)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("it never came to that; it showed:\n%s", &tty.shown)
		}
		time.Sleep(time.Millisecond)
	}
}

// end waits for the end of the run, and returns its exit status.
func (tty *tty) end(t *testing.T) int {
	ended := make(chan struct{})
	go func() {
		tty.cmd.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatalf("it never ended; it showed:\n%s", &tty.shown)
	}
	return tty.cmd.ProcessState.ExitCode()
}
