package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestAgree guards that a server which a stranger has named is shown on a terminal, and used after a yes only.
func TestAgree(t *testing.T) {
	for answer, want := range map[string]int{"y\n": exitDone, "yes\n": exitDone, "n\n": exitUsage, "\n": exitUsage, "imap\n": exitUsage} {
		p := newProvince(t)
		p.Service("imaps", "example.org", "imap.hoster.example", p.office("imap.hoster.example", "me@example.org"))
		tty := openTTY(t)
		ended := make(chan int)
		go func() {
			ended <- run([]string{"check", "me@example.org?ca=" + p.ca}, tty.slave, tty.slave, tty.slave)
		}()
		tty.until(t, func() bool {
			return strings.Contains(tty.shown.String(), "but imap.hoster.example is not of example.org. Use it? [y/N] ")
		})
		if !strings.Contains(tty.shown.String(), "may be imaps://me@example.org@imap.hoster.example:") {
			t.Errorf("the server is not shown:\n%s", &tty.shown)
		}
		tty.press(t, answer)
		if status := <-ended; status != want {
			t.Errorf("after %q it ended with %d and showed:\n%s", answer, status, &tty.shown)
		}
	}
}

// TestShownBeforePassword guards that the server which was found for an address is shown before a password is asked for.
func TestShownBeforePassword(t *testing.T) {
	p := newProvince(t)
	t.Setenv("MAILHAUL_PASSWORD", "")
	t.Setenv("MAILHAUL_KEYRING", "file")
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	p.Service("imaps", "example.org", "imap.example.org", p.office("imap.example.org", "me@example.org"))
	tty := openTTY(t)
	ended := make(chan int)
	go func() {
		ended <- run([]string{"backup", "me@example.org?ca=" + p.ca, filepath.Join(t.TempDir(), "mail")}, tty.slave, tty.slave, tty.slave)
	}()
	var before string
	tty.until(t, func() (asked bool) {
		before, _, asked = strings.Cut(tty.shown.String(), "password of me@example.org at imap.example.org: ")
		return asked && !tty.echoes(t)
	})
	if !strings.Contains(before, "me@example.org is imaps://me@example.org@imap.example.org:") {
		t.Errorf("before the password it showed:\n%s", before)
	}
	tty.press(t, canary+"\n")
	if status := <-ended; status != exitDone {
		t.Errorf("it ended with %d and showed:\n%s", status, &tty.shown)
	}
}
