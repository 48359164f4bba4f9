package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/testdata"
)

var importOctets = flag.Int64("import-octets", 48<<20, "TestImportMemory imports an mbox of `n` octets")

// takeout writes a Takeout of n messages, of which every third is in two folders.
func takeout(t testing.TB, name string, n int) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	out := bufio.NewWriter(f)
	for i := range n {
		labels := "Inbox,Opened"
		if i%3 == 0 {
			labels += ",Work"
		}
		fmt.Fprintf(out, "From %d@xxx Mon Apr 07 14:%02d:%02d +0000 2025\nX-GM-THRID: %d\nX-Gmail-Labels: %s\nMessage-ID: <%d@trial.example>\nSubject: message %d\n\n%s\n",
			i, i/60%60, i%60, i, labels, i, i, strings.Repeat(fmt.Sprintf("This is message %d.\n", i), 5+i%40))
	}
	if err := errors.Join(out.Flush(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// holds checks what is in an archive that the Takeout of n messages was imported into: everything once, and whole.
func holds(t testing.TB, dir string, n int) {
	t.Helper()
	a, err := archive.View(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for mailbox, want := range map[string]int{"INBOX": n, "Work": (n + 2) / 3} {
		subjects := map[string]bool{}
		entries, err := a.Page(mailbox, 0, 2*n)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			subjects[e.Header.Subject] = true
			in, err := a.OpenMessage(e)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, in); err != nil {
				t.Errorf("%s: %v", e.Path, err)
			}
			in.Close()
		}
		if len(entries) != want || len(subjects) != want {
			t.Errorf("%s: %d messages, %d different ones, want %d", mailbox, len(entries), len(subjects), want)
		}
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "tmp")); len(left) > 0 {
		t.Errorf("%d files are left in tmp/", len(left))
	}
}

// inMemory returns a directory that costs no fsync, where there is one.
func inMemory(t testing.TB) string {
	if dir, err := os.MkdirTemp("/dev/shm", "mailhaul-test-"); err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		return dir
	}
	return t.TempDir()
}

// killWhen kills the process as soon as it has come so far, and reports whether it had not ended before.
func killWhen(p *process, far func() bool) bool {
	for {
		select {
		case <-p.exited:
			return false
		default:
		}
		if far() {
			p.kill()
			return p.killed()
		}
		time.Sleep(time.Millisecond)
	}
}

func count(dir string) (n int) {
	entries, _ := os.ReadDir(dir)
	return len(entries)
}

// TestImportKill kills an import wherever it is; the next one brings the rest.
func TestImportKill(t *testing.T) {
	const n = 600
	bin, dir := program(t), inMemory(t)
	from := filepath.Join(dir, "All mail Including Spam and Trash.mbox")
	takeout(t, from, n)
	killed := 0
	for at := 1; at < n; at += 190 {
		ar := filepath.Join(dir, fmt.Sprint("mail", at))
		for _, far := range []func() bool{ // files of a batch in tmp/, and in their places
			func() bool { return count(filepath.Join(ar, "tmp"))+count(filepath.Join(ar, "cur")) >= at },
			func() bool { return count(filepath.Join(ar, ".Work", "cur")) >= at/3 },
		} {
			p := newProcess(bin, "import", "-q", from, ar)
			if err := p.start(); err != nil {
				t.Fatal(err)
			}
			if killWhen(p, far) {
				killed++
			}
		}
		for _, want := range []string{" listed: ", " listed: 800 known "} {
			p := newProcess(bin, "import", from, ar)
			if status, err := p.finish(); err != nil || status != exitDone || !strings.Contains(p.out.String(), want) {
				t.Fatalf("killed with %d files there, and again, it ended with %d, %v:\n%s%s", at, status, err, &p.out, &p.err)
			}
		}
		holds(t, ar, n)
		os.RemoveAll(ar)
	}
	t.Logf("killed %d times", killed)
	if killed < 3 {
		t.Error("it was hardly ever killed")
	}
}

// importedArchive makes an archive of the test mail and some more.
func importedArchive(t testing.TB, bin, dir string, n int) string {
	t.Helper()
	from, ar := filepath.Join(dir, "All mail Including Spam and Trash.mbox"), filepath.Join(dir, "mail")
	takeout(t, from, n)
	eml := filepath.Join(dir, "eml")
	os.Mkdir(eml, 0o700)
	for _, m := range testdata.Messages() {
		if err := os.WriteFile(filepath.Join(eml, m.Name), m.Octets, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, what := range []string{from, eml} {
		p := newProcess(bin, "import", "-q", what, ar)
		if status, err := p.finish(); err != nil || status != exitDone {
			t.Fatalf("it ended with %d, %v:\n%s", status, err, &p.err)
		}
	}
	return ar
}

// comesBack checks that an export has the messages of the archive, and no others.
func comesBack(t testing.TB, bin, target, ar string) {
	t.Helper()
	back := filepath.Join(t.TempDir(), "back")
	p := newProcess(bin, "import", "-q", target, back)
	if status, err := p.finish(); err != nil || status != exitDone {
		t.Fatalf("%s: it ended with %d, %v:\n%s", target, status, err, &p.err)
	}
	got, want := digestsIn(t, back), digestsIn(t, ar)
	for d, n := range want {
		if got[d] != n {
			t.Errorf("%s: %s came back %d times, want %d", target, d, got[d], n)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d different messages came back, want %d", target, len(got), len(want))
	}
}

func digestsIn(t testing.TB, dir string) map[mail.Digest]int {
	t.Helper()
	a, err := archive.View(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	boxes, err := a.Mailboxes()
	if err != nil {
		t.Fatal(err)
	}
	digests := map[mail.Digest]int{}
	for _, mb := range boxes {
		entries, err := a.Page(mb.Name, 0, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			digests[e.Digest]++
		}
	}
	return digests
}

// octetsIn returns how much has been written of what has a name like that.
func octetsIn(pattern string) (n int64) {
	names, _ := filepath.Glob(pattern)
	for _, name := range names {
		filepath.WalkDir(name, func(_ string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
				n += info.Size()
			}
			return nil
		})
	}
	return n
}

// TestExportKill kills an export wherever it is: nothing is in the place of the target until all of it is.
func TestExportKill(t *testing.T) {
	bin, dir := program(t), inMemory(t)
	ar, killed := importedArchive(t, bin, dir, 300), 0
	for _, tt := range []struct{ name, format string }{{"tree", "mboxrd"}, {"eml", "eml"}, {"out.zip", "zip"}, {"out.mbox", "mboxrd"}} {
		target := filepath.Join(dir, tt.name)
		for at := int64(1); at < 600_000; at += 200_000 {
			p := newProcess(bin, "export", "-q", ar, "-o", target, "--format", tt.format)
			if err := p.start(); err != nil {
				t.Fatal(err)
			}
			if killWhen(p, func() bool { return octetsIn(target+".part-*") >= at }) {
				killed++
				if _, err := os.Lstat(target); err == nil {
					comesBack(t, bin, target, ar) // it was killed after it had its name
				}
			}
			os.RemoveAll(target)
		}
		p := newProcess(bin, "export", ar, "-o", target, "--format", tt.format)
		if status, err := p.finish(); err != nil || status != exitDone || !strings.Contains(p.err.String(), "is left of an export that was broken off") {
			t.Fatalf("%s: it ended with %d, %v:\n%s", tt.name, status, err, &p.err)
		}
		comesBack(t, bin, target, ar)
	}
	t.Logf("killed %d times", killed)
	if killed < 8 {
		t.Error("it was hardly ever killed")
	}
}

// TestImportMemory imports a large mbox, with a message that is larger than all the memory it may take.
func TestImportMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	if testing.Short() {
		t.Skip("writes a large file")
	}
	bin, dir := program(t), t.TempDir()
	from := filepath.Join(dir, "large.mbox")
	messages := writeLarge(t, from, *importOctets)
	for _, want := range []string{fmt.Sprintf(" listed: %d fetched ", messages), fmt.Sprintf(" listed: %d known ", messages)} {
		p := newProcess(bin, "import", from, filepath.Join(dir, "mail"))
		began := time.Now()
		if err := p.start(); err != nil {
			t.Fatal(err)
		}
		peak := 0
		for alive := true; alive; {
			select {
			case <-p.exited:
				alive = false
			case <-time.After(5 * time.Millisecond):
				peak = max(peak, highWater(p.cmd.Process.Pid))
			}
		}
		if !strings.Contains(p.out.String(), want) {
			t.Errorf("it said\n%s%s", &p.out, &p.err)
		}
		t.Logf("%d octets in %d messages in %.1fs: VmHWM %d kB", *importOctets, messages, time.Since(began).Seconds(), peak)
		if peak == 0 || peak > maxMemory {
			t.Errorf("VmHWM %d kB, want %d at most", peak, maxMemory)
		}
	}
}

// highWater returns the most memory that a process has held so far, in kB.
func highWater(pid int) (kB int) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if _, after, ok := bytes.Cut(status, []byte("VmHWM:")); ok {
		fmt.Sscan(string(after), &kB)
	}
	return kB
}

// writeLarge writes an mbox of about so many octets, a third of them in one message, and returns how many it has.
func writeLarge(t testing.TB, name string, octets int64) (messages int) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	out := bufio.NewWriterSize(f, 1<<20)
	line := strings.Repeat("0123456789 ", 6) + "\n"
	for written := int64(0); written < octets; messages++ {
		size := int64(2000 + messages*7919%30_000)
		if messages == 3 {
			size = octets / 3
		}
		n, _ := fmt.Fprintf(out, "From a@b Mon Apr  7 14:31:02 2025\nMessage-ID: <%d@trial.example>\nDate: Mon, 7 Apr 2025 14:31:02 +0000\n\n", messages)
		for written += int64(n); size > 0; size -= int64(len(line)) {
			n, _ = out.WriteString(line)
			written += int64(n)
		}
		out.WriteString("\n")
	}
	if err := errors.Join(out.Flush(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return messages
}

// TestExportOpens guards that who has not written an mbox counts what is in it: by its separators, as all programs do, and
// mutt, where it is installed.
func TestExportOpens(t *testing.T) {
	counts := map[string]func(testing.TB, string) string{"one": separators}
	if _, err := exec.LookPath("mutt"); err == nil && runtime.GOOS == "linux" {
		counts["mutt"] = muttCounts
	} else {
		t.Log("mutt is not asked: it is not installed")
	}
	bin, dir := program(t), t.TempDir()
	ar := importedArchive(t, bin, dir, 50)
	p := newProcess(bin, "export", ar, "-o", filepath.Join(dir, "out"))
	if status, err := p.finish(); err != nil || status != exitDone {
		t.Fatalf("it ended with %d, %v:\n%s", status, err, &p.err)
	}
	for name, want := range map[string]int{"INBOX": 50, "Work": 17, "eml": len(testdata.Messages())} {
		for who, count := range counts {
			if got := count(t, filepath.Join(dir, "out", name+".mbox")); got != fmt.Sprint(want) {
				t.Errorf("%s counts %q messages in %s, want %d", who, got, name, want)
			}
		}
	}
}

// separator is how a message begins in an mbox (RFC 4155, appendix A): at the beginning, or behind an empty line.
var separator = regexp.MustCompile(`(?:\A|\n\r?\n)From \S+ [A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-3]\d `)

func separators(t testing.TB, mbox string) string {
	t.Helper()
	octets, err := os.ReadFile(mbox)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(len(separator.FindAllIndex(octets, -1)))
}

var muttCount = regexp.MustCompile(`COUNT (\d+)\.`)

func muttCounts(t testing.TB, mbox string) string {
	t.Helper()
	home := t.TempDir()
	cmd := exec.Command("script", "-qec", fmt.Sprintf(`mutt -n -R -F /dev/null -f '%s' -e 'set folder=%s' -e 'set status_format="COUNT %%m."' -e 'push q'`, mbox, home), "/dev/null")
	cmd.Env = append(os.Environ(), "HOME="+home, "TERM=xterm")
	out, err := cmd.Output()
	if found := muttCount.FindAllSubmatch(out, -1); err == nil && len(found) > 0 {
		return string(found[len(found)-1][1])
	}
	t.Logf("%v: %.500q", err, out)
	return ""
}
