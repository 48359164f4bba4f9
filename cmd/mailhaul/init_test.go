//go:build linux

package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A newcomer is somebody at a terminal who knows two accounts, and runs mailhaul init.
type newcomer struct {
	*tty
	town *town
	file string
	said int // how much of what was shown has been read
}

func newNewcomer(t *testing.T) *newcomer {
	w, err := newTown(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	return &newcomer{town: w, file: filepath.Join(w.work, "home", "mailhaul", "config.toml")}
}

// begin starts init on a terminal.
func (n *newcomer) begin(t *testing.T) {
	n.tty, n.said = openTTY(t), 0
	n.cmd = exec.Command("mailhaul", "init", "--config", n.file)
	n.cmd.Env = append(os.Environ(), "HOME="+n.town.work, "XDG_STATE_HOME="+filepath.Join(n.town.work, "state"), "MAILHAUL_KEYRING=file")
	n.run(t)
}

// reads waits until a question is shown, and answers it. One for a password is answered when there is no echo.
func (n *newcomer) reads(t *testing.T, question, answer string) {
	t.Helper()
	n.until(t, func() bool {
		rest := n.shown.String()[n.said:]
		at := strings.Index(rest, question)
		if at < 0 || !strings.HasSuffix(rest, "> ") && !strings.HasSuffix(rest, "] ") && !(strings.HasSuffix(rest, ": ") && !n.echoes(t)) {
			return false
		}
		n.said += at + len(question)
		return true
	})
	n.press(t, answer)
}

const (
	whose    = "whose mail is it?"
	brought  = "to which account is it to be brought?"
	password = "password of " + townUser
	where    = "where is the archive to be?"
	write    = "write it?"
)

// TestInit guards the newcomer's way: a wrong password is asked for again, what is written runs.
func TestInit(t *testing.T) {
	t.Parallel()
	n := newNewcomer(t)
	n.begin(t)
	n.reads(t, whose, "nonsense\n")
	n.reads(t, whose, n.town.urls["pop3"]+"\n")
	n.reads(t, password, "wrong\n")
	n.reads(t, password, canary+"\n")
	n.reads(t, brought, n.town.urls["imap"]+"\n")
	n.reads(t, password, canary+"\n")
	n.reads(t, where, "mail\n")
	n.reads(t, where, "~/mail/mine\n")
	n.reads(t, write, "y\n")
	if status := n.end(t); status != exitDone {
		t.Fatalf("it ended with %d and showed:\n%s", status, &n.shown)
	}
	n.until(t, func() bool { return strings.Contains(n.shown.String(), "the README has both") })
	shown := n.shown.String()
	for _, want := range []string{"refused the login of " + townUser, "12 messages", "mail is not the same place from everywhere", "Next: mailhaul run town-to-town-2 --config", "17 3 * * * mailhaul run --quiet"} {
		if !strings.Contains(shown, want) {
			t.Errorf("it does not say %q:\n%s", want, shown)
		}
	}
	written, err := os.ReadFile(n.file)
	if err != nil || strings.Contains(string(written)+shown, canary) {
		t.Fatalf("%v, and it wrote:\n%s", err, written)
	}
	if info, _ := os.Stat(n.file); info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %o", info.Mode().Perm())
	}
	run := exec.Command("mailhaul", "run", "--all", "--config", n.file)
	run.Env = append(os.Environ(), "HOME="+n.town.work, "MAILHAUL_PASSWORD="+canary)
	if out, err := run.CombinedOutput(); err != nil {
		t.Errorf("run: %v\n%s", err, out)
	}
	if kept, _ := inCur(n.town.work + "/mail/mine"); len(kept) != 12 {
		t.Errorf("%d messages were archived", len(kept))
	}

	// Once more, for the same account: what is there stays as it is, and the account is not written twice.
	n.begin(t)
	n.reads(t, whose, n.town.urls["pop3"]+"\n")
	n.reads(t, password, canary+"\n")
	n.reads(t, brought, "\n")
	n.reads(t, where, "\n")
	n.reads(t, write, "y\n")
	if status := n.end(t); status != exitDone {
		t.Fatalf("it ended with %d and showed:\n%s", status, &n.shown)
	}
	again, _ := os.ReadFile(n.file)
	if added, ok := strings.CutPrefix(string(again), string(written)); !ok || !strings.Contains(added, "[jobs.town]") || strings.Contains(added, "[accounts.") {
		t.Errorf("the file is now:\n%s", again)
	}
}

// TestInitFails guards that each trouble of a newcomer ends in one error and one hint, and that nothing is written.
func TestInitFails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		server, certificate string
		passwords           []string
		status              int
		want                string
	}{
		"wrong password":      {"imap", "sound", []string{"wrong-1\n", "wrong-2\n", "wrong-3\n"}, exitLogin, "refused the login"},
		"another name":        {"imap", "other-name", []string{canary + "\n"}, exitFailed, "mail.other.example"},
		"unknown authority":   {"pop3", "stranger", []string{canary + "\n"}, exitFailed, "certificate"},
		"IMAP switched off":   {"imap", "off", []string{canary + "\n", canary + "\n", canary + "\n"}, exitLogin, "not enabled for IMAP"},
		"Ctrl-C at the login": {"pop3", "sound", []string{"\x03"}, exitInterrupted, "interrupted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNewcomer(t)
			url, err := n.town.listen(tt.server, tt.certificate)
			if tt.certificate == "off" {
				url = switchedOff(t, n.town)
			}
			if err != nil {
				t.Fatal(err)
			}
			n.begin(t)
			n.reads(t, whose, url+"\n")
			for _, typed := range tt.passwords {
				n.reads(t, password, typed)
			}
			if status := n.end(t); status != tt.status {
				t.Errorf("it ended with %d, want %d", status, tt.status)
			}
			errs := max(len(tt.passwords), 1)
			if tt.status == exitInterrupted {
				errs = 0
			}
			n.until(t, func() bool {
				return strings.Contains(n.shown.String(), tt.want) && strings.Count(n.shown.String(), " hint: ") >= errs
			})
			shown := n.shown.String()
			if !strings.Contains(shown, tt.want) || strings.Count(shown, " error: ") != errs || strings.Count(shown, " hint: ") != errs {
				t.Errorf("it showed:\n%s", shown)
			}
			if _, err := os.Stat(filepath.Dir(n.file)); err == nil {
				t.Error("something was written")
			}
		})
	}
}

// switchedOff is the URL of a server that lets nobody in, as Gmail does where IMAP is switched off.
func switchedOff(t *testing.T, w *town) string {
	l, err := tls.Listen("tcp", "127.0.0.1:0", w.ca.Server("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				fmt.Fprint(conn, "* OK [CAPABILITY IMAP4rev1] ready\r\n")
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					tag, command, _ := strings.Cut(lines.Text(), " ")
					switch {
					case strings.HasPrefix(command, "CAPABILITY"):
						fmt.Fprintf(conn, "* CAPABILITY IMAP4rev1\r\n%s OK done\r\n", tag)
					case strings.HasPrefix(command, "LOGOUT"):
						fmt.Fprintf(conn, "* BYE bye\r\n%s OK done\r\n", tag)
					default:
						fmt.Fprintf(conn, "%s NO [ALERT] Your account is not enabled for IMAP use. Please visit your Gmail settings page and enable your account for IMAP access. (Failure)\r\n", tag)
					}
				}
			}()
		}
	}()
	return "imaps://" + townUser + "@" + l.Addr().String() + "?ca=" + w.work + "/ca.pem"
}

// TestInitLeft guards that a no, and an interrupt at any question, leave nothing.
func TestInitLeft(t *testing.T) {
	t.Parallel()
	for _, last := range []string{"n\n", "\n", "\x03", "\x04"} {
		n := newNewcomer(t)
		n.begin(t)
		n.reads(t, whose, n.town.urls["pop3"]+"\n")
		n.reads(t, password, canary+"\n")
		n.reads(t, brought, "\n")
		n.reads(t, where, "\n")
		n.reads(t, write, last)
		n.end(t)
		if _, err := os.Stat(filepath.Dir(n.file)); err == nil {
			t.Errorf("after %q something was written:\n%s", last, &n.shown)
		}
	}
}
