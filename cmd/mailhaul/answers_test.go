package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/backup"
	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/imap"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/pop3"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
	"github.com/mailhaul/mailhaul/internal/progress"
	"github.com/mailhaul/mailhaul/migrate"
)

// An answerRow is one thing a server may say, and what comes of it with twelve messages to carry.
type answerRow struct {
	at    string // the command that is answered so
	nth   int    // from the n-th of them on
	times int    // so often; 0: always
	say   string
	end   postoffice.End

	wait  string // "5m0s": between that and four times that; "": none
	waits int    // how often
	exit  int
	state string // what the ledger says then: "done 4 pending 8"
	hint  string // in what a person can do
}

// answersOfDestinations: twelve messages are brought, and the fifth APPEND is the one that is answered so. Nothing is
// sent ahead.
var answersOfDestinations = []answerRow{
	// There is no room, and no more for now: at once, and with nothing more sent.
	{"APPEND", 5, 0, "NO [OVERQUOTA] Quota exceeded (mailbox for user is full)", 0, "", 0, exitQuota, "done 4 pending 8", "make room"},
	{"APPEND", 5, 0, "NO Over quota", 0, "", 0, exitQuota, "done 4 pending 8", "make room"},
	{"APPEND", 5, 0, "NO [OVERQUOTA] full, and good bye", postoffice.FIN, "", 0, exitQuota, "done 4 pending 8", "make room"},
	{"APPEND", 5, 0, "NO [OVERQUOTA] Account exceeded command or bandwidth limits.", 0, "", 0, exitQuota, "done 4 pending 8", "run the same command again after"},
	{"APPEND", 5, 0, "* BYE Account exceeded command or bandwidth limits", postoffice.FIN, "", 0, exitQuota, "done 4 intended 1 pending 7", "run the same command again after"},
	{"APPEND", 5, 0, "NO [THROTTLED] come back in 3 hours", 0, "", 0, exitTemporary, "done 4 pending 8", "run the same command again after"},
	{"APPEND", 5, 0, "NO [CONTACTADMIN] call us", 0, "", 0, exitFailed, "done 4 pending 8", "ask the provider"},

	// It is busy: waited for as long as it says, and given up if it goes on so.
	{"APPEND", 5, 1, "BAD Request is throttled. Suggested Backoff Time: 299961 milliseconds", postoffice.FIN, "4m59s", 1, exitDone, "done 12", ""},
	{"APPEND", 5, 1, "NO Request is throttled. Suggested Backoff Time: 299961 milliseconds", 0, "4m59s", 1, exitDone, "done 12", ""},
	{"APPEND", 5, 0, "NO [THROTTLED] slow down", 0, "1m", 3, exitTemporary, "done 4 pending 8", "run the same command again"},
	{"APPEND", 5, 1, "NO [UNAVAILABLE] wait 90 seconds", 0, "1m30s", 1, exitDone, "done 12", ""},
	{"APPEND", 5, 1, "NO [INUSE] Mailbox in use", 0, "1m", 1, exitDone, "done 12", ""},
	{"APPEND", 5, 1, "NO [EXPUNGEISSUED] somebody has", 0, "5s", 1, exitDone, "done 12", ""},
	{"APPEND", 5, 1, "NO Please try again later", 0, "1m", 1, exitDone, "done 12", ""},
	{"APPEND", 5, 1, "* BYE Server Unavailable. 15", postoffice.FIN, "1m", 1, exitDone, "done 12", ""},
	{"APPEND", 5, 1, "* BYE Session expired, please login again.", postoffice.FIN, "1m", 1, exitDone, "done 12", ""},
	{"APPEND", 5, 0, "* BYE Session expired, please login again.", postoffice.FIN, "1m", 3, exitQuota, "", "tomorrow"},

	// It may be the message, or the server: the others go on, until it is too many.
	{"APPEND", 5, 1, "NO [SERVERBUG] Internal error occurred", 0, "", 0, exitIncomplete, "done 11 pending 1", ""},
	{"APPEND", 5, 1, "NO [LIMIT] too many lines in it", 0, "", 0, exitIncomplete, "done 11 pending 1", ""},
	{"APPEND", 5, 0, "NO [SERVERBUG] Internal error occurred", 0, "1m", 2, exitIncomplete, "done 4 pending 8", ""},

	// It is the message.
	{"APPEND", 5, 1, "NO [TOOBIG] over quota size", 0, "", 0, exitIncomplete, "done 11 refused 1", ""},
	{"APPEND", 5, 1, "NO Maximum size of appendable message has been exceeded.", 0, "", 0, exitIncomplete, "done 11 refused 1", ""},
	{"APPEND", 5, 1, "NO [CANNOT] never", 0, "", 0, exitIncomplete, "done 11 refused 1", ""},
	{"APPEND", 5, 1, "NO [UNKNOWN-CTE] what encoding is that", 0, "", 0, exitIncomplete, "done 11 refused 1", ""},
	{"APPEND", 5, 1, "NO [ALREADYEXISTS] it is there", 0, "", 0, exitIncomplete, "done 11 refused 1", ""},
	{"APPEND", 5, 1, "NO message rejected: virus found, try again without it", 0, "", 0, exitIncomplete, "done 11 refused 1", ""},
	{"APPEND", 5, 1, "NO 5.7.1 rejected by policy, temporarily or not", 0, "", 0, exitIncomplete, "done 11 refused 1", ""},
	{"APPEND", 5, 1, "NO Message contains NUL, remove it and try again", 0, "", 0, exitIncomplete, "done 11 refused 1", ""},
	{"APPEND", 5, 1, "BAD [PARSE] invalid header", 0, "", 0, exitIncomplete, "done 11 refused 1", ""},
	{"APPEND", 5, 1, "BAD [CLIENTBUG] Additional arguments", 0, "", 0, exitIncomplete, "done 11 refused 1", ""},
	{"APPEND", 5, 3, "BAD Command received in Invalid state.", postoffice.FIN, "", 0, exitIncomplete, "done 9 refused 3", ""},

	// It is the folder.
	{"APPEND", 5, 0, "NO [NOPERM] not yours", 0, "", 0, exitIncomplete, "done 4 pending 8", "may not do that in this folder"},
	{"APPEND", 5, 0, "NO [READ-ONLY] look, do not touch", 0, "", 0, exitIncomplete, "done 4 pending 8", ""},
	{"APPEND", 5, 0, "NO [CORRUPTION] the index is broken", 0, "", 0, exitIncomplete, "done 4 pending 8", ""},
	{"APPEND", 5, 1, "NO [TRYCREATE] gone", 0, "", 0, exitDone, "done 12", ""},
	{"APPEND", 5, 1, "NO [NONEXISTENT] gone", 0, "", 0, exitDone, "done 12", ""},
	{"APPEND", 5, 0, "NO [TRYCREATE] gone for good", 0, "", 0, exitIncomplete, "done 4 pending 8", ""},
	{"SELECT", 1, 0, "NO [NOPERM] not yours", 0, "", 0, exitIncomplete, "pending 12", ""},
	{"SELECT", 1, 1, "NO [UNAVAILABLE] later", 0, "1m", 1, exitDone, "done 12", ""},
	{"SELECT", 1, 0, "NO SELECT Unsafe Login. Please contact kefu@188.com for help", 0, "", 0, exitLogin, "pending 12", "authorization code"},

	// The account, before anything is brought.
	{"GREETING", 1, 1, "* BYE Too many connections from your address", postoffice.FIN, "1m", 1, exitDone, "done 12", ""},
	{"GREETING", 1, 0, "* BYE Maximum number of connections from user+IP exceeded", postoffice.FIN, "1m", 1, exitTemporary, "pending 12", "run the same command again"},
	{"LOGIN", 1, 1, "NO [ALERT] Too many simultaneous connections. (Failure)", 0, "1m", 1, exitDone, "done 12", ""},
	{"LOGIN", 1, 1, "NO [UNAVAILABLE] Temporary authentication failure", 0, "1m", 1, exitDone, "done 12", ""},
	{"LOGIN", 1, 0, "NO [UNAVAILABLE] Temporary authentication failure", 0, "1m", 1, exitTemporary, "pending 12", "run the same command again"},
	{"LOGIN", 1, 1, "NO [LIMIT] connections", 0, "1m", 1, exitDone, "done 12", ""},
	{"LOGIN", 1, 1, "", postoffice.FIN, "10s", 1, exitDone, "done 12", ""},
	{"LOGIN", 1, 0, "", postoffice.FIN, "10s", 1, exitTemporary, "pending 12", "close other mail programs"},
	{"LOGIN", 1, 0, "NO [OVERQUOTA] Account exceeded command or bandwidth limits.", 0, "", 0, exitQuota, "pending 12", "run the same command again after"},
	{"LOGIN", 1, 0, "NO [AUTHENTICATIONFAILED] Invalid credentials", 0, "", 0, exitLogin, "pending 12", "check user name and password"},
	{"LOGIN", 1, 0, "NO [AUTHORIZATIONFAILED] not you", 0, "", 0, exitLogin, "pending 12", "may not read this account"},
	{"LOGIN", 1, 0, "NO [EXPIRED] too old", 0, "", 0, exitLogin, "pending 12", "has expired"},
	{"LOGIN", 1, 0, "NO [PRIVACYREQUIRED] not in the clear", 0, "", 0, exitLogin, "pending 12", "imaps://"},
	{"LOGIN", 1, 0, "NO [CONTACTADMIN] call us", 0, "", 0, exitLogin, "pending 12", "ask the provider"},
	{"LIST", 1, 0, "NO User is authenticated but not connected.", 0, "", 0, exitLogin, "pending 12", "Microsoft"},
}

// answersOfIMAPSources: twelve messages are fetched from an IMAP account.
var answersOfIMAPSources = []answerRow{
	{"LIST", 1, 0, "NO [UNAVAILABLE] later", 0, "1m", 1, exitTemporary, "archived 0", "run the same command again"},
	{"LIST", 1, 0, "NO [CONTACTADMIN] call us", 0, "", 0, exitFailed, "archived 0", "ask the provider"},
	{"EXAMINE", 1, 1, "NO [INUSE] in use", 0, "1m", 1, exitDone, "archived 12", ""},
	{"UID FETCH", 2, 1, "NO [THROTTLED] slow down", 0, "1m", 1, exitDone, "archived 12", ""},
	{"UID FETCH", 2, 1, "BAD Request is throttled. Suggested Backoff Time: 299961 milliseconds", postoffice.FIN, "4m59s", 1, exitDone, "archived 12", ""},
	{"UID FETCH", 2, 0, "* BYE Account exceeded command or bandwidth limits", postoffice.FIN, "", 0, exitQuota, "archived 0", "run the same command again after"},
	{"UID FETCH", 2, 1, "* BYE Session expired, please login again.", postoffice.FIN, "1m", 1, exitDone, "archived 12", ""},
	{"LOGIN", 1, 1, "NO [UNAVAILABLE] Temporary authentication failure", 0, "1m", 1, exitDone, "archived 12", ""},
	{"LOGIN", 1, 0, "NO [AUTHENTICATIONFAILED] Invalid credentials", 0, "", 0, exitLogin, "archived 0", "check user name and password"},
	{"GREETING", 1, 1, "* BYE Too many connections from your address", postoffice.FIN, "1m", 1, exitDone, "archived 12", ""},
}

// answersOfPOP3Sources: the same over POP3.
var answersOfPOP3Sources = []answerRow{
	{"GREETING", 1, 1, "-ERR [SYS/TEMP] too many connections", postoffice.FIN, "1m", 1, exitDone, "archived 12", ""},
	{"PASS", 1, 1, "-ERR [IN-USE] the maildrop is locked", 0, "10s", 1, exitDone, "archived 12", ""},
	{"PASS", 1, 0, "-ERR [IN-USE] the maildrop is locked", 0, "10s", 1, exitTemporary, "archived 0", "close other mail programs"},
	{"PASS", 1, 1, "-ERR [LOGIN-DELAY] wait", 0, "1m", 1, exitDone, "archived 12", ""},
	{"PASS", 1, 1, "-ERR [SYS/TEMP] disk trouble", 0, "1m", 1, exitDone, "archived 12", ""},
	{"PASS", 1, 0, "-ERR [SYS/PERM] account broken", 0, "", 0, exitFailed, "archived 0", "must repair the account"},
	{"PASS", 1, 0, "-ERR [AUTH] wrong user or password", 0, "", 0, exitLogin, "archived 0", "check user name and password"},
	{"PASS", 1, 0, "-ERR [SYS/TEMP] Account exceeded command or bandwidth limits.", 0, "", 0, exitQuota, "archived 0", "run the same command again after"},
	{"UIDL", 1, 1, "-ERR [SYS/TEMP] not now", 0, "1m", 1, exitDone, "archived 12", ""},
	{"RETR", 5, 1, "-ERR [SYS/TEMP] not this one now", 0, "", 0, exitIncomplete, "archived 11", ""},
	{"RETR", 5, 1, "-ERR [SYS/PERM] broken for good", 0, "", 0, exitIncomplete, "archived 11", ""},
	{"RETR", 5, 1, "-ERR no such message", 0, "", 0, exitDone, "archived 11", ""},
}

// TestAnswers guards what becomes of everything that servers are known to say: how long is waited and how often, what
// the program ends with, what the ledger knows then, and that the server's own words reach the person.
func TestAnswers(t *testing.T) {
	rows := 0
	for _, half := range []struct {
		name string
		rows []answerRow
		run  func(*answering, *testing.T, postoffice.Trouble) error
	}{
		{"destination", answersOfDestinations, (*answering).bring},
		{"IMAP source", answersOfIMAPSources, (*answering).fetchIMAP},
		{"POP3 source", answersOfPOP3Sources, (*answering).fetchPOP3},
	} {
		for _, row := range half.rows {
			rows++
			t.Run(fmt.Sprintf("%s/%s %d %s", half.name, row.at, row.times, row.say), func(t *testing.T) {
				t.Parallel()
				a := newAnswering(t)
				err := half.run(a, t, postoffice.Trouble{Without: []string{"LITERAL+", "LITERAL-"},
					Faults: []postoffice.Fault{{Verb: row.at, At: row.nth, Times: row.times, Say: row.say, End: row.end}}})
				a.check(t, row, err)
			})
		}
	}
	t.Logf("%d rows", rows)
}

// TestFolderDeletedMeanwhile guards that a folder that somebody deletes while mail is brought into it is made again, and
// that this is said; and once only.
func TestFolderDeletedMeanwhile(t *testing.T) {
	for times, want := range map[int]string{1: "done 12", 2: "done 4 pending 8"} {
		a := newAnswering(t)
		appends, again := 0, false
		a.meddle = func(to *postoffice.Account, command string) {
			if strings.HasPrefix(command, "CREATE") {
				again = times == 2 && appends > 0
			}
			if !strings.HasPrefix(command, "APPEND") {
				return
			}
			if appends++; appends == 5 || again {
				to.DeleteMailbox("Work")
				again = false
			}
		}
		err := a.bring(t, postoffice.Trouble{Without: []string{"LITERAL+", "LITERAL-"}})
		if got := a.state(t); got != want || (err == nil) != (times == 1) {
			t.Errorf("deleted %d times, the ledger says %q: %v", times, got, err)
		}
		if said := a.said.String(); !strings.Contains(said, "Work has been deleted there meanwhile, and is made again; 4 messages") {
			t.Errorf("deleted %d times, it says %q", times, said)
		}
	}
}

// answering is one row at work.
type answering struct {
	archive *archive.Archive
	srv     *postoffice.Server
	rep     *report
	waited  []time.Duration
	said    bytes.Buffer
	meddle  func(to *postoffice.Account, command string) // what another client does meanwhile
}

func newAnswering(t *testing.T) *answering {
	a, err := archive.Open(t.TempDir(), archive.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return &answering{archive: a, rep: newReport("migrate")}
}

func (a *answering) watch(e progress.Event) {
	switch e := e.(type) {
	case progress.Waiting:
		if !strings.Contains(e.Why, "may still be storing") {
			a.waited = append(a.waited, e.For)
			fmt.Fprintln(&a.said, e.Why)
		}
	case progress.Note:
		fmt.Fprintln(&a.said, e.Text)
	}
}

// noPause is a clock that has passed already.
func noPause(ctx context.Context, _ time.Duration) error { return ctx.Err() }

func answeringLogin() mail.Login {
	return mail.Login{User: "me", Password: func(context.Context) (string, error) { return "secret", nil }}
}

func (a *answering) at() dial.Server {
	return dial.Server{Host: "mail.example", Port: 1, Plain: true, Dialer: a.srv.Dial}
}

func (a *answering) bring(t *testing.T, trouble postoffice.Trouble) error {
	if err := a.archive.Bind(mail.Account{Protocol: "imap", Host: "old.example", User: "me"}, false); err != nil {
		t.Fatal(err)
	}
	b := a.archive.NewBatch()
	for i, m := range trial.Mail() {
		it := mail.Item{Ref: mail.Ref{Mailbox: "Work", Validity: 1, UID: fmt.Sprint(i + 1)}, Size: int64(len(m))}
		if _, err := b.Put(it, mail.Mailbox{Name: "Work", Delim: '/'}, bytes.NewReader(m)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	office := postoffice.New()
	to := office.Account("me", "secret")
	if a.meddle != nil {
		trouble.OnCommand = func(_ int, command string) { a.meddle(to, command) }
	}
	a.srv = office.IMAP(trouble)
	t.Cleanup(func() { a.srv.Close() })
	c := imap.New(a.at(), answeringLogin())
	defer c.Close()
	key := mail.Account{Protocol: "imap", Host: "mail.example", User: "me"}
	rep, err := migrate.Job{Archive: a.archive, Destination: c, Account: key, Watch: a.watch, Pause: noPause}.Run(t.Context())
	a.rep.addDestination(rep)
	var there [][]byte
	for _, m := range to.Messages("Work") {
		there = append(there, m.Octets)
	}
	if v := trial.Judge(trial.Mail(), there); v.Doubled+v.Altered > 0 {
		t.Errorf("there is %v", v)
	}
	return err
}

func (a *answering) source(t *testing.T) *postoffice.Office {
	office := postoffice.New()
	for _, m := range trial.Mail() {
		office.Account("me", "secret").Deliver("INBOX", postoffice.Message{Octets: m})
	}
	return office
}

func (a *answering) fetchIMAP(t *testing.T, trouble postoffice.Trouble) error {
	a.srv = a.source(t).IMAP(trouble)
	s := imap.NewSource(a.at(), answeringLogin())
	return a.fetch(t, "imap", s)
}

func (a *answering) fetchPOP3(t *testing.T, trouble postoffice.Trouble) error {
	a.srv = a.source(t).POP3(trouble)
	return a.fetch(t, "pop3", pop3.New(a.at(), answeringLogin()))
}

func (a *answering) fetch(t *testing.T, protocol string, s source) error {
	t.Cleanup(func() { a.srv.Close() })
	defer s.Close()
	if err := a.archive.Bind(mail.Account{Protocol: protocol, Host: "mail.example", User: "me"}, false); err != nil {
		t.Fatal(err)
	}
	rep, err := backup.Job{Source: s, Archive: a.archive, Watch: a.watch, Pause: noPause}.Run(t.Context())
	a.rep.addSource(rep)
	return err
}

func (a *answering) check(t *testing.T, row answerRow, err error) {
	t.Helper()
	quiet := &terminal{out: io.Discard, err: io.Discard}
	if got := exitStatus(quiet.conclude(a.rep, time.Now(), false, "", err)); got != row.exit {
		t.Errorf("it ends with %d, want %d: %v", got, row.exit, err)
	}
	if len(a.waited) != row.waits {
		t.Errorf("it waits %v, want %d waits", a.waited, row.waits)
	}
	if least, _ := time.ParseDuration(cmp.Or(row.wait, "0s")); len(a.waited) > 0 && (a.waited[0] < least || a.waited[0] > 2*least) {
		t.Errorf("it waits %v at first, want %v", a.waited[0], least)
	}
	if got := a.state(t); row.state != "" && got != row.state {
		t.Errorf("the ledger says %q, want %q", got, row.state)
	}
	if hint := hintFor(err); !strings.Contains(hint, row.hint) {
		t.Errorf("the hint is %q, want %q in it", hint, row.hint)
	}
	if words := serverWords(row.say); row.exit+row.waits > 0 && !strings.Contains(a.words(err), words) {
		t.Errorf("nobody hears %q: %s", words, a.words(err))
	}
	a.checkStorm(t, row)
}

// state is what the ledger knows, in the order of its states; of a source, how much is archived.
func (a *answering) state(t *testing.T) string {
	counts, err := a.archive.Counts(mail.Account{Protocol: "imap", Host: "mail.example", User: "me"})
	if err != nil {
		t.Fatal(err)
	}
	if a.rep.Source != nil {
		return fmt.Sprint("archived ", counts[archive.Pending])
	}
	names := map[archive.State]string{archive.Done: "done", archive.Intended: "intended", archive.Pending: "pending", archive.Refused: "refused"}
	order := []archive.State{archive.Done, archive.Intended, archive.Pending, archive.Refused}
	var some []string
	for _, s := range order {
		if counts[s] > 0 {
			some = append(some, fmt.Sprint(names[s], " ", counts[s]))
		}
		delete(counts, s)
	}
	for _, s := range slices.Sorted(maps.Keys(counts)) {
		if counts[s] > 0 {
			some = append(some, fmt.Sprint("state ", s, " ", counts[s]))
		}
	}
	return strings.Join(some, " ")
}

// serverWords are what of an answer a person must be able to read.
func serverWords(say string) string {
	words := strings.TrimSpace(strings.TrimLeft(say, "* "))
	for _, status := range []string{"NO ", "BAD ", "BYE ", "-ERR "} {
		words = strings.TrimPrefix(words, status)
	}
	if strings.HasPrefix(words, "[") {
		_, words, _ = strings.Cut(words, "] ")
	}
	return words
}

// words are all that is said of a run.
func (a *answering) words(err error) string {
	b := a.said.String()
	for _, f := range a.rep.Failures {
		b += f.Reason + "\n"
	}
	return b + fmt.Sprint(errors.Join(err))
}

// checkStorm guards that nobody is asked more often than the waits allow, nor sent on what was refused for all.
func (a *answering) checkStorm(t *testing.T, row answerRow) {
	t.Helper()
	logins := a.srv.Count("LOGIN") + a.srv.Count("PASS")
	most := row.waits + 1
	if a.srv.Count("UIDL") > 0 {
		most++ // over POP3 another session looks whether there is more
	}
	if row.end != postoffice.Stay && row.at == "APPEND" {
		most += max(row.times, 1) // who hangs up after a no is called again for the next message
	}
	if strings.Contains(row.say, "OVERQUOTA") && a.srv.Count("APPEND") > 6 { // the next is announced already
		t.Errorf("%d APPENDs to who is full", a.srv.Count("APPEND"))
	}
	if row.exit == exitLogin {
		most = 1
	}
	if logins > most {
		t.Errorf("%d logins, want %d at most", logins, most)
	}
}
