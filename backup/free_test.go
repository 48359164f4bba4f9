package backup_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/backup"
	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
)

// TestFree guards that what is safe can go, that it is written down, and that neither a second run nor the next backup
// makes anything of it.
func TestFree(t *testing.T) {
	for name, overIMAP := range protocols {
		t.Run(name, func(t *testing.T) {
			m := newRoom(t, overIMAP, trial.Mail()...)
			n := len(m.first)
			got, err := m.free(t.Context(), nil)
			if err != nil || got.Gone.Messages != n || got.Left == nil || *got.Left != (archive.Amount{}) || len(m.there()) != 0 || m.wrongly() > 0 {
				t.Errorf("free: %+v, %v; %d are left, %d went wrongly", got, err, len(m.there()), m.wrongly())
			}
			m.recorded("free", true)
			again, err := m.free(t.Context(), nil)
			if err != nil || again.Listed.Messages != 0 || again.Gone.Messages != 0 {
				t.Errorf("free again: %+v, %v", again, err)
			}
			if rep := m.backup(); rep.Listed != 0 || len(rep.Failures) > 0 {
				t.Errorf("backup after it: %+v", rep)
			}
			a, _ := m.open(nil)
			defer a.Close()
			if n, _, err := a.ToBring(mail.Account{Protocol: "imap", Host: "new.example"}, archive.Wanted{}); err != nil || n != len(m.first) {
				t.Errorf("%d are to be brought to a new account, %v; want all: nobody has deleted them but free", n, err)
			}
		})
	}
}

// stays returns how many stay for which reason.
func stays(f *backup.Freed) map[backup.Stay]int {
	all := map[backup.Stay]int{}
	for s, n := range f.Stays {
		all[s] = n.Messages
	}
	return all
}

// TestFreeStays is why mail stays, of letters 0 to 19 that are archived and two that are not.
func TestFreeStays(t *testing.T) {
	dest := mail.Account{Protocol: "imap", Host: "new.example", User: "me"}
	prove := func(m *room, account mail.Account, entries int, p archive.Proof) {
		a, _ := m.open(nil)
		defer a.Close()
		for id := range entries {
			p.Entry = int64(id + 1)
			if err := a.Prove(account, []archive.Proof{p}); err != nil {
				m.t.Fatal(err)
			}
		}
	}
	present := archive.Proof{Verdict: archive.ProvedPresent, At: time.Now(), Mailbox: "Archive", Validity: 1, UID: 1}
	old := present
	old.At = time.Now().Add(-8 * 24 * time.Hour)
	missing := present
	missing.Verdict = archive.ProvedMissing
	sum := func(octets ...[]byte) (n int64) {
		for _, o := range octets {
			n += int64(len(o))
		}
		return n
	}
	for name, c := range map[string]struct {
		set  func(m *room)
		want map[backup.Stay]int
		gone []int
	}{
		"young":               {func(m *room) { m.job.KeepDays = 30 }, map[backup.Stay]int{backup.StayYoung: 20}, nil},
		"old enough":          {func(m *room) { m.job.KeepDays, m.job.Now = 30, time.Now().Add(32*24*time.Hour) }, nil, numbers(0, 20)},
		"small":               {func(m *room) { m.job.LargerThan = int64(len(letter(9).Octets)) }, map[backup.Stay]int{backup.StaySmall: 10}, numbers(10, 20)},
		"the oldest first":    {func(m *room) { m.job.Max = backup.Ceiling{N: 5} }, map[backup.Stay]int{backup.StayCeiling: 15}, numbers(0, 5)},
		"a tenth":             {func(m *room) { m.job.Max = backup.Ceiling{N: 10, Percent: true} }, map[backup.Stay]int{backup.StayCeiling: 17}, numbers(0, 3)},
		"the largest first":   {func(m *room) { m.job.LargestFirst, m.job.Max = true, backup.Ceiling{N: 5} }, map[backup.Stay]int{backup.StayCeiling: 15}, numbers(15, 20)},
		"below the target":    {func(m *room) { m.job.Target = sum(append(letters(20)[3:], trial.Mail()[:2]...)...) + 1 }, map[backup.Stay]int{backup.StayBelow: 17}, numbers(0, 3)},
		"not quite below":     {func(m *room) { m.job.Target = sum(append(letters(20)[3:], trial.Mail()[:2]...)...) }, map[backup.Stay]int{backup.StayBelow: 16}, numbers(0, 4)},
		"below already":       {func(m *room) { m.job.Target = 1 << 30 }, map[backup.Stay]int{backup.StayBelow: 20}, nil},
		"never seen there":    {func(m *room) { m.job.Delivered = []mail.Account{dest} }, map[backup.Stay]int{backup.StayUndelivered: 20}, nil},
		"seen there":          {func(m *room) { m.job.Delivered = []mail.Account{dest}; prove(m, dest, 4, present) }, map[backup.Stay]int{backup.StayUndelivered: 16}, numbers(0, 4)},
		"seen there long ago": {func(m *room) { m.job.Delivered = []mail.Account{dest}; prove(m, dest, 20, old) }, map[backup.Stay]int{backup.StayUndelivered: 20}, nil},
		"missed there":        {func(m *room) { m.job.Delivered = []mail.Account{dest}; prove(m, dest, 20, missing) }, map[backup.Stay]int{backup.StayUndelivered: 20}, nil},
		"seen at one of two": {func(m *room) {
			m.job.Delivered = []mail.Account{dest, {Protocol: "imap", Host: "third.example"}}
			prove(m, dest, 20, present)
		},
			map[backup.Stay]int{backup.StayUndelivered: 20}, nil},
		"seen in what may be the same account": {func(m *room) {
			same := mail.Account{Protocol: "imap", Host: "pop.example", User: user}
			m.job.Delivered = []mail.Account{same}
			prove(m, same, 20, present)
			a, _ := m.open(nil)
			defer a.Close()
			a.Settle(same, []archive.Outcome{{Entry: 1, State: archive.Present, Mailbox: "INBOX", Validity: 1, UID: 1}, {Entry: 2, State: archive.Done, Mailbox: "INBOX", Validity: 1, UID: 22}})
		}, map[backup.Stay]int{backup.StayUndelivered: 19}, []int{1}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newRoom(t, false, letters(20)...)
			m.deliver(trial.Mail()[:2]...)
			c.set(m)
			got, err := m.free(t.Context(), nil)
			want := map[backup.Stay]int{backup.StayNew: 2}
			for s, n := range c.want {
				want[s] = n
			}
			if err != nil || !reflect.DeepEqual(stays(got), want) || !slices.Equal(m.gone(), c.gone) || m.wrongly() > 0 {
				t.Errorf("%v, %v stay for %v, %d wrongly; want %v, %v", err, m.gone(), stays(got), m.wrongly(), c.gone, want)
			}
			if got.Incomplete() {
				t.Errorf("these are no doubts: %+v", got.Doubts)
			}
			m.recorded(name, true)
		})
	}
}

func numbers(from, to int) (all []int) {
	for n := from; n < to; n++ {
		all = append(all, n)
	}
	return all
}

// TestFreeDoubts guards that a message whose copy is not sound, or that may be another one, stays while the others go:
// whether that shows when it is planned, or only just before it goes.
func TestFreeDoubts(t *testing.T) {
	wreck := map[string]func(path string) error{
		"Subject: letter 3\n": os.Remove,
		"Subject: letter 4\n": func(path string) error { return os.Truncate(path, 20) },
		"Subject: letter 5\n": func(path string) error {
			octets, err := os.ReadFile(path)
			octets[len(octets)-3] ^= 1
			return errors.Join(err, os.WriteFile(path, octets, 0o600))
		},
	}
	for name, overIMAP := range protocols {
		for when := range 2 {
			t.Run(fmt.Sprint(name, when), func(t *testing.T) {
				m := newRoom(t, overIMAP, letters(20)...)
				harm := func() {
					for text, do := range wreck {
						if err := do(m.fileOf(text)); err != nil {
							t.Fatal(err)
						}
					}
				}
				between := harm
				if when == 0 {
					harm()
					between = func() {}
				}
				got, err := m.freeBetween(t.Context(), nil, between)
				want := map[backup.Stay]int{backup.StayDamaged: 3}
				if err != nil || !reflect.DeepEqual(stays(got), want) || len(m.gone()) != 17 || m.wrongly() > 0 || !got.Incomplete() || len(got.Doubts) != 3 {
					t.Errorf("%v, %d are gone, %d wrongly, %v stay; want %v; %+v", err, len(m.gone()), m.wrongly(), stays(got), want, got.Doubts)
				}
				// And once more, when the ledger knows.
				if got, err = m.free(t.Context(), nil); err != nil || !reflect.DeepEqual(stays(got), want) || m.wrongly() > 0 {
					t.Errorf("again: %v, %v stay", err, stays(got))
				}
				if rep := m.backup(); rep.Fetched != 3 {
					t.Errorf("backup: %+v, want the three fetched again", rep)
				}
				if got, err = m.free(t.Context(), nil); err != nil || got.Gone.Messages != 3 || len(m.there()) > 0 || m.wrongly() > 0 {
					t.Errorf("after that: %+v, %v, %d wrongly", got, err, m.wrongly())
				}
			})
		}
	}
}

// TestFreeOthers guards that messages which are others by now stay: a UIDL that was given to another message, one that two
// have, and a size that is not the archived one.
func TestFreeOthers(t *testing.T) {
	replace := func(m *room, n int, octets []byte) {
		m.acct.Expunge(mail.Inbox, m.first[n].UID)
		m.acct.Deliver(mail.Inbox, postoffice.Message{Octets: octets, UIDL: m.first[n].UIDL})
		m.first[n].Octets = octets
	}
	for name, c := range map[string]struct {
		set  func(m *room)
		want int
	}{
		"another header": {func(m *room) {
			replace(m, 7, bytes.Replace(m.first[7].Octets, []byte("letter 7"), []byte("Letter 7"), 1))
		}, 1},
		"another size": {func(m *room) { replace(m, 7, append(m.first[7].Octets, "and more\r\n"...)) }, 1},
		"a UIDL of two": {func(m *room) {
			m.acct.Deliver(mail.Inbox, postoffice.Message{Octets: m.first[7].Octets, UIDL: m.first[7].UIDL})
			m.backup()
		}, 2},
		"a UIDL that two had": {func(m *room) {
			m.acct.Deliver(mail.Inbox, postoffice.Message{Octets: letter(99).Octets, UIDL: m.first[7].UIDL})
			m.backup()
			m.acct.Expunge(mail.Inbox, m.first[7].UID) // the second is called like the first now
			m.first[7].Octets = letter(99).Octets
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			m := newRoom(t, false, letters(20)...)
			c.set(m)
			got, err := m.free(t.Context(), nil)
			if err != nil || stays(got)[backup.StayUnsure] != c.want || len(m.gone()) != 19 || m.wrongly() > 0 || !got.Incomplete() {
				t.Errorf("%v; %v stay, %d are gone, %d wrongly; want %d doubts: %+v", err, stays(got), len(m.gone()), m.wrongly(), c.want, got.Doubts)
			}
		})
	}
}

// TestFreeBetween guards that what comes between the plan and its execution stays, and what goes is no failure.
func TestFreeBetween(t *testing.T) {
	for name, overIMAP := range protocols {
		t.Run(name, func(t *testing.T) {
			m := newRoom(t, overIMAP, letters(20)...)
			got, err := m.freeBetween(t.Context(), nil, func() {
				m.deliver(trial.Mail()...)
				m.acct.Expunge(mail.Inbox, m.first[3].UID)
			})
			if err != nil || got.Gone.Messages != 19 || stays(got)[backup.StayVanished] != 1 || got.Incomplete() || m.wrongly() > 0 ||
				len(m.there()) != len(trial.Mail()) || got.Left.Messages != len(trial.Mail()) {
				t.Errorf("%+v, %v; %d are there, %d wrongly", got, err, len(m.there()), m.wrongly())
			}
		})
	}
}

// TestFreeLostAnswer guards that the next session decides what became of mail whose removal was not answered: in the same run
// where that can be, else in the next.
func TestFreeLostAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		fault postoffice.Fault
		dead  bool // nobody gets through after it
	}{
		"done":               {postoffice.Fault{Verb: "QUIT", At: 2, Times: 1, Do: postoffice.Done, End: postoffice.RST}, false},
		"not done":           {postoffice.Fault{Verb: "QUIT", At: 2, Times: 1, End: postoffice.RST}, false},
		"done, and dead":     {postoffice.Fault{Verb: "QUIT", At: 2, Times: 1, Do: postoffice.Done, End: postoffice.RST}, true},
		"not done, and dead": {postoffice.Fault{Verb: "QUIT", At: 2, Times: 1, End: postoffice.RST}, true},
		"a lie":              {postoffice.Fault{Verb: "QUIT", At: 2, Times: 1, Say: "+OK all gone", End: postoffice.FIN}, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := newRoom(t, false, letters(20)...)
			trouble := postoffice.Trouble{Faults: []postoffice.Fault{c.fault}}
			if c.dead {
				trouble.Faults = append(trouble.Faults, postoffice.Fault{Verb: "GREETING", At: 3, Say: "-ERR not now"})
			}
			m.srv.SetTrouble(trouble)
			got, err := m.free(t.Context(), nil)
			if m.wrongly() > 0 || (err != nil) != c.dead {
				t.Errorf("%+v, %v; %d wrongly", got, err, m.wrongly())
			}
			if c.dead && stays(got)[backup.StayUnknown] != 20 {
				t.Errorf("%v stay, want all unknown", stays(got))
			}
			if name == "a lie" && stays(got)[backup.StayRefused] != 20 {
				t.Errorf("%v stay, want all refused", stays(got))
			}
			m.recorded(name, !c.dead)
			m.srv.SetTrouble(postoffice.Trouble{})
			if c.dead {
				m.backup() // which must not take anything for deleted by the owner, and settles nothing
			}
			again, err := m.free(t.Context(), nil)
			if err != nil || len(m.there()) > 0 || m.wrongly() > 0 || again.Settled.Messages+again.Gone.Messages+got.Gone.Messages != 20 {
				t.Errorf("again: %+v, %v; %d are there, %d wrongly", again, err, len(m.there()), m.wrongly())
			}
			m.recorded(name+", again", true)
		})
	}
}

// TestFreeWithoutTOP guards that a UIDL alone is enough only for who says so.
func TestFreeWithoutTOP(t *testing.T) {
	m := newRoom(t, false, letters(20)...)
	m.srv.SetTrouble(postoffice.Trouble{Without: []string{"TOP"}})
	got, err := m.free(t.Context(), nil)
	if err != nil || stays(got)[backup.StayUnsure] != 20 || len(m.gone()) > 0 || !strings.Contains(got.Doubts[0].Reason, "TOP") {
		t.Errorf("%+v, %v", got, err)
	}
	m.job.TrustUIDL = true
	if got, err = m.free(t.Context(), nil); err != nil || len(m.gone()) != 20 || m.wrongly() > 0 {
		t.Errorf("with TrustUIDL: %+v, %v", got, err)
	}
}

// TestFreeLinked guards that what was taken for the same as another message goes only when its octets were read.
func TestFreeLinked(t *testing.T) {
	m := newRoom(t, true, letters(4)...)
	m.acct.Deliver("Copies", postoffice.Message{Octets: m.first[0].Octets, Received: m.first[0].Received})
	if rep := m.backup(); rep.Linked != 1 {
		t.Fatalf("%+v, want one linked", rep)
	}
	m.job.Wanted = func(mb mail.Mailbox) bool { return mb.Name == "Copies" }
	got, err := m.free(t.Context(), nil)
	if err != nil || !reflect.DeepEqual(stays(got), map[backup.Stay]int{backup.StayUnread: 1}) {
		t.Errorf("%+v, %v", got, err)
	}
	a, _ := m.open(nil)
	err = a.Prove(m.account(), []archive.Proof{{Entry: 5, Verdict: archive.ProvedPresent, At: time.Now(), Read: time.Now(), Mailbox: "Copies"}})
	a.Close()
	if got, ferr := m.free(t.Context(), nil); err != nil || ferr != nil || got.Gone.Messages != 1 || len(m.acct.Messages("Copies")) > 0 || len(m.there()) != 4 {
		t.Errorf("after it was read: %+v, %v", got, ferr)
	}
	if got, err := m.free(t.Context(), nil); err != nil || got.Listed.Messages != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	m.job.Wanted = func(mb mail.Mailbox) bool { return mb.Name == "Nowhere" }
	if _, err := m.free(t.Context(), nil); !errors.Is(err, backup.ErrNoMailbox) {
		t.Errorf("%v, want ErrNoMailbox", err)
	}
}

// TestFreeComesBack guards that a message that was put back into the account is recognised, and not archived a second time,
// nor brought twice.
func TestFreeComesBack(t *testing.T) {
	m := newRoom(t, true, letters(4)...)
	if _, err := m.free(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	m.backup()
	for _, was := range m.first {
		m.acct.Deliver(mail.Inbox, postoffice.Message{Octets: was.Octets, Received: was.Received})
	}
	rep := m.backup()
	a, _ := m.open(nil)
	defer a.Close()
	n, _, err := a.ToBring(mail.Account{}, archive.Wanted{Gone: true})
	if rep.Fetched+rep.Linked != 0 || rep.Known != 4 || n != 4 || err != nil {
		t.Errorf("%+v; %d entries, %v; want the four, known", rep, n, err)
	}
	if amounts, err := a.FreedAmounts(); err != nil || len(amounts) > 0 {
		t.Errorf("%+v are said to be gone, %v", amounts, err)
	}
}

func TestMaySame(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"pop.example.org", "pop.example.org", true}, {"pop.example.org", "imap.example.org", true}, {"pop.example.org", "imap.example.net", false},
		{"example.org", "example.net", false}, {"example.org", "imap.example.org", true}, {"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "10.0.0.1", false}, {"::1", "::1", true}, {"localhost", "localhost", true},
	} {
		for user, want := range map[string]bool{"me@example.org": c.want, "ME@EXAMPLE.ORG": c.want, "me": c.want, "me@other.example": false} {
			if got := backup.MaySame(mail.Account{Host: c.a, User: user}, mail.Account{Host: c.b, User: "me@example.org"}); got != want {
				t.Errorf("MaySame(%s at %s, me@example.org at %s) = %v, want %v", user, c.a, c.b, got, want)
			}
		}
		got := backup.MaySame(mail.Account{Protocol: "pop3", Host: c.a, User: "Me"}, mail.Account{Protocol: "imap", Host: c.b, User: "me"})
		if got != c.want || backup.MaySame(mail.Account{Host: c.a, User: "me"}, mail.Account{Host: c.b, User: "you"}) {
			t.Errorf("MaySame(%s, %s) = %v, want %v, and never for two users", c.a, c.b, got, c.want)
		}
	}
}

// TestFreeUIDLAgain guards that mail is archived also where the server gives it the UIDLs of what free has removed; and that
// a message which comes back under its UIDL is known.
func TestFreeUIDLAgain(t *testing.T) {
	m := newRoom(t, false, letters(4)...)
	if _, err := m.free(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	other := letter(99).Octets
	m.acct.Deliver(mail.Inbox, postoffice.Message{Octets: m.first[0].Octets, UIDL: m.first[0].UIDL})
	m.acct.Deliver(mail.Inbox, postoffice.Message{Octets: other, UIDL: m.first[1].UIDL})
	for i, want := range []int{1, 0} {
		if rep := m.backup(); rep.Listed != 2 || rep.Fetched != want || rep.Known != 2-want {
			t.Errorf("backup %d: %+v, want %d fetched", i, rep, want)
		}
	}
	if v := trial.Judge(append(letters(4), other), held(t, m.dir)); v != (trial.Verdict{}) {
		t.Errorf("the archive: %v", v)
	}
	got, err := m.free(t.Context(), nil)
	if err != nil || got.Gone.Messages != 2 || len(m.there()) != 0 {
		t.Errorf("free: %+v, %v", got, err)
	}
}
