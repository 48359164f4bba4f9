package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
)

// townCommands are the commands of scripts:
//
//	exits STATUS mailhaul ARGUMENT...   run it; whatever it prints is checked by checkSaid
//	trouble pop3|imap NAME              have the server make trouble, from now on; see troubles
//	certificate pop3|imap KIND          listen with another certificate, and set POP3 or IMAP, and PIN; see town.listen
//	deliver pop3|imap WHAT...           put mail into the account: numbers of trial.Mail from 1 on, or names of letters
//	post FOLDER DAY FILE [FLAG...]      put the mail of a file into a folder of the account of imap, received on that day
//	holds FOLDER N                      so many messages are in a folder of that account
//	count pop3|imap VERB N              the last run has sent so many of these commands
//	arrived N|all                       so many messages are at the destination, each sent once, none altered
//	archived DIR N|all                  the same of cur/ in the archive
//	report KEY VALUE                    the report of --json says so; KEY is as source.fetched
//	lastline REGEXP VARIABLE            the last line of what was printed matches; keep the submatch
//	identity [WHAT]                     have a provider of identities, whose tokens all servers take; see identities
//	granted GRANTTYPE N                 so many tokens were asked for that way
//	hold pop3|imap VERB N, release      let the server wait with the answer to the N-th of these commands
//	wreck DIR                           delete a message of cur/ in the archive, cut one, change a bit of one
//	readonly DIR                        let nobody write there, by the means there are
//	subst FROM TO                       write a file, with the variables in it, but for passwords, replaced
//	start mailhaul ARGUMENT...          run it in the background, up to the server's hold if there is one
//	interrupt REGEXP                    send it SIGINT, and wait until it says so
//	finish STATUS                       wait for its end; stdout and stderr are its
var townCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"exits":       inTown(-1, (*town).exits),
	"trouble":     inTown(2, (*town).makeTrouble),
	"certificate": inTown(2, (*town).certificate),
	"deliver":     inTown(-1, (*town).deliver),
	"post":        inTown(-1, (*town).post),
	"holds":       inTown(2, (*town).holds),
	"count":       inTown(3, (*town).count),
	"arrived":     inTown(1, (*town).arrived),
	"archived":    inTown(2, (*town).archived),
	"report":      inTown(2, (*town).report),
	"identity":    inTown(-1, (*town).identify),
	"granted":     inTown(2, (*town).granted),
	"hold":        inTown(3, (*town).hold),
	"release":     inTown(0, func(w *town, _ *testscript.TestScript, _ []string) { w.release() }),
	"wreck":       inTown(1, (*town).wreck),
	"readonly":    inTown(1, (*town).readonly),
	"lastline":    inTown(2, (*town).lastline),
	"subst":       inTown(2, (*town).subst),
	"start":       inTown(-1, (*town).start),
	"interrupt":   inTown(1, (*town).interrupt),
	"finish":      inTown(1, (*town).finish),
}

func inTown(args int, do func(*town, *testscript.TestScript, []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, given []string) {
		if neg || args >= 0 && len(given) != args {
			ts.Fatalf("wrong use of a command of the town")
		}
		do(ts.Value(townKey{}).(*town), ts, given)
	}
}

func (w *town) exits(ts *testscript.TestScript, args []string) {
	want := number(ts, args[0])
	w.begin()
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	got := 0
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
	checkSaid(ts, "stdout")
	checkSaid(ts, "stderr")
	for _, arg := range args {
		if arg == "--json" {
			checkJSON(ts, got)
		}
	}
}

// begin remembers what the servers have heard before a run.
func (w *town) begin() {
	for name, srv := range w.servers {
		w.heard[name] = len(srv.Commands())
	}
}

// goSpeak is what no mail user should have to read.
var goSpeak = regexp.MustCompile(`%!|0x[0-9a-f]{6}|\*[a-z]+\.[A-Z]|goroutine |panic|\bEOF\b|i/o timeout|x509:|tls: |dial tcp|<nil>|strconv\.|context (canceled|deadline)|errno`)

// checkSaid checks what holds for all that is printed: no password, nothing a terminal would obey, no Go-speak.
func checkSaid(ts *testscript.TestScript, name string) {
	said := ts.ReadFile(name)
	if ts.Value(townKey{}).(*town).secretIn([]byte(said)) {
		ts.Fatalf("a password is in %s", name)
	}
	if !utf8.ValidString(said) {
		ts.Fatalf("%s is no UTF-8", name)
	}
	// A tab is between the columns of a list, and joiners are part of how Persian is written.
	odd := func(r rune) bool { return !strings.ContainsRune("\n\t\u200c", r) && !unicode.IsPrint(r) }
	if i := strings.IndexFunc(said, odd); i >= 0 && !strings.HasPrefix(said, "# bash completion") {
		ts.Fatalf("%s holds %q", name, said[i:min(i+20, len(said))])
	}
	if found := goSpeak.FindString(said); found != "" {
		ts.Fatalf("%s speaks Go: %s", name, found)
	}
	if again := twice(said); again != "" {
		ts.Fatalf("%s says this twice: %s", name, again)
	}
}

// twice returns a line of an error or a hint that stands there twice.
func twice(said string) string {
	seen := map[string]bool{}
	for line := range strings.SplitSeq(said, "\n") {
		if seen[line] && (strings.HasPrefix(line, "mailhaul: error: ") || strings.HasPrefix(line, "mailhaul: hint: ")) {
			return line
		}
		seen[line] = true
	}
	return ""
}

// checkJSON checks that every line is JSON, and that the report's sums hold.
func checkJSON(ts *testscript.TestScript, status int) {
	lines := strings.Split(strings.TrimSuffix(ts.ReadFile("stdout"), "\n"), "\n")
	for _, line := range lines {
		if !json.Valid([]byte(line)) {
			ts.Fatalf("this is no JSON: %s", line)
		}
	}
	var r report
	json.Unmarshal([]byte(lines[len(lines)-1]), &r)
	if r.Event == "summary" && r.Exit == status { // of run
		return
	}
	if r.Event != "report" && status == 0 { // status and check have another result
		return
	}
	if r.Event != "report" || r.Exit != status {
		ts.Fatalf("the last line is no report of exit status %d: %s", status, lines[len(lines)-1])
	}
	if s := r.Source; s != nil && s.Listed != s.Known+s.Fetched+s.Linked+s.Vanished+s.Failed {
		ts.Fatalf("the source's sum does not hold: %+v", *s)
	}
	if d := r.Destination; d != nil && d.Archived != d.Known+d.Appended+d.Present+d.Merged+d.Refused+d.Failed+d.LeftOut+d.Gone {
		ts.Fatalf("the destination's sum does not hold: %+v", *d)
	}
}

func (w *town) report(ts *testscript.TestScript, args []string) {
	lines := strings.Split(strings.TrimSpace(ts.ReadFile("stdout")), "\n")
	var at any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &at); err != nil {
		ts.Fatalf("the last line: %v", err)
	}
	for key := range strings.SplitSeq(args[0], ".") {
		switch o := at.(type) {
		case map[string]any:
			at = o[key]
		case []any:
			at = o[number(ts, key)]
		}
	}
	if got := fmt.Sprint(at); got != args[1] {
		ts.Fatalf("%s is %s, want %s", args[0], got, args[1])
	}
}

func (w *town) lastline(ts *testscript.TestScript, args []string) {
	lines := strings.Split(strings.TrimSpace(ts.ReadFile("stdout")), "\n")
	match := regexp.MustCompile(args[0]).FindStringSubmatch(lines[len(lines)-1])
	if len(match) < 2 {
		ts.Fatalf("the last line is: %s", lines[len(lines)-1])
	}
	ts.Setenv(args[1], match[1])
}

// subst leaves $PASSWORD to the shell that is to have it.
func (w *town) subst(ts *testscript.TestScript, args []string) {
	text := strings.NewReplacer("$POP3", ts.Getenv("POP3"), "$IMAP", ts.Getenv("IMAP")).Replace(ts.ReadFile(args[0]))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o600))
}

func (w *town) certificate(ts *testscript.TestScript, args []string) {
	url, err := w.listen(args[0], args[1])
	ts.Check(err)
	ts.Setenv(strings.ToUpper(args[0]), url)
	ts.Setenv("PIN", w.pin)
}

func (w *town) deliver(ts *testscript.TestScript, args []string) {
	to := map[string]*postoffice.Account{"pop3": w.from, "imap": w.to}[args[0]]
	for _, what := range args[1:] {
		if m, ok := letters[what]; ok {
			to.Deliver(mail.Inbox, m)
			continue
		}
		to.Deliver(mail.Inbox, postoffice.Message{Octets: trial.Mail()[number(ts, what)-1]})
	}
}

func (w *town) post(ts *testscript.TestScript, args []string) {
	day, err := time.ParseInLocation(time.DateOnly, args[1], time.Local)
	ts.Check(err)
	octets := strings.ReplaceAll(ts.ReadFile(args[2]), "\n", "\r\n")
	w.to.CreateMailbox(args[0], map[string]string{"Trash": `\Trash`}[args[0]])
	w.to.Deliver(args[0], postoffice.Message{Octets: []byte(octets), Received: day.Add(12 * time.Hour), Flags: args[3:]})
}

func (w *town) holds(ts *testscript.TestScript, args []string) {
	if got := len(w.to.Messages(args[0])); got != number(ts, args[1]) {
		ts.Fatalf("%d messages are in %s, want %s", got, args[0], args[1])
	}
}

func (w *town) count(ts *testscript.TestScript, args []string) {
	got := 0
	for _, command := range w.servers[args[0]].Commands()[w.heard[args[0]]:] {
		if command == args[1] || strings.HasPrefix(command, args[1]+" ") {
			got++
		}
	}
	if got != number(ts, args[2]) {
		ts.Fatalf("%s has heard %d × %s, want %s", args[0], got, args[1], args[2])
	}
}

func (w *town) arrived(ts *testscript.TestScript, args []string) {
	w.judge(ts, args[0], inInbox(w.to))
}

func (w *town) archived(ts *testscript.TestScript, args []string) {
	kept, err := inCur(ts.MkAbs(args[0]))
	ts.Check(err)
	w.judge(ts, args[1], kept)
}

// inInbox returns the octets of the messages of an account.
func inInbox(a *postoffice.Account) (all [][]byte) {
	for _, m := range a.Messages(mail.Inbox) {
		all = append(all, m.Octets)
	}
	return all
}

// inCur returns the octets of the files in cur/ of an archive.
func inCur(dir string) (all [][]byte, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "cur", "*"))
	for _, file := range files {
		octets, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		all = append(all, octets)
	}
	return all, err
}

func (w *town) judge(ts *testscript.TestScript, want string, shown [][]byte) {
	sent := inInbox(w.from)
	n := len(sent)
	if want != "all" {
		n = number(ts, want)
	}
	if v := trial.Judge(sent, shown); len(shown) != n || v != (trial.Verdict{Lost: len(sent) - n}) {
		ts.Fatalf("%d of %d are there, want %d: %v", len(shown), len(sent), n, v)
	}
}

func number(ts *testscript.TestScript, s string) int {
	n, err := strconv.Atoi(s)
	ts.Check(err)
	return n
}

// terminalOrders are what a terminal would obey, or be deceived by.
const terminalOrders = "\x1b]0;owned\x07\x1b[2J\u009b31m\u202eevil\u202c\x7f"

// letters are messages with a name.
var letters = map[string]postoffice.Message{
	"hostile": {
		Octets: []byte("Message-ID: <" + terminalOrders + "@hostile.example>\r\nSubject: one\r\n\ttwo\x1b[31m\r\n\r\nhostile\r\n"),
		UIDL:   "\x1b]0;owned\x07",
	},
	"large": {Octets: append([]byte("Message-ID: <large@letters.example>\r\n\r\n"), bytes.Repeat([]byte("large\r\n"), 20_000)...)},
}

func (w *town) wreck(ts *testscript.TestScript, args []string) {
	files, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "cur", "*"))
	ts.Check(err)
	text, err := os.ReadFile(files[2])
	ts.Check(err)
	text[len(text)/2] ^= 1
	ts.Check(os.WriteFile(files[2], text, 0o600))
	ts.Check(os.Remove(files[0]))
	ts.Check(os.Truncate(files[1], 3))
}
