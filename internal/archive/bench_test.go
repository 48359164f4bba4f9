package archive

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

const benchBatch = 256

func benchBody(i int) string {
	return fmt.Sprintf("Received: from a by b; Tue, 3 Mar 2020 10:00:00 +0100\r\nMessage-ID: <%d@example.org>\r\n"+
		"Date: Tue, 3 Mar 2020 10:00:00 +0100\r\nFrom: Ann <ann@example.org>\r\nTo: Bob <bob@example.org>\r\n"+
		"Subject: the message number %d\r\n\r\n", i, i) + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 38)
}

// BenchmarkCommit archives 3 KB messages in batches, and in the same run writes the same files with nothing but
// an fsync each, as many at a time: the floor. It reports how many times the floor's time and CPU an archive costs.
func BenchmarkCommit(b *testing.B) {
	for _, place := range []struct {
		name string
		dir  func(testing.TB) string
	}{{"disk", func(t testing.TB) string { return t.TempDir() }}, {"memory", ramDir}} {
		b.Run(place.name, func(b *testing.B) {
			a := open(b, place.dir(b))
			defer shut(b, a)
			floor := place.dir(b)
			var ours, theirs, ourCPU, theirCPU time.Duration
			for i := 0; i < b.N; i += benchBatch {
				t, c := time.Now(), cpu()
				takeBench(b, a, i)
				ours, ourCPU = ours+time.Since(t), ourCPU+cpu()-c
				t, c = time.Now(), cpu()
				writeFloor(b, floor, i)
				theirs, theirCPU = theirs+time.Since(t), theirCPU+cpu()-c
			}
			n := (b.N + benchBatch - 1) / benchBatch * benchBatch
			b.ReportMetric(float64(ours)/float64(theirs), "times-floor")
			b.ReportMetric(float64(ourCPU-theirCPU)/float64(n)/1e3, "µs-cpu-beyond")
			b.ReportMetric(float64(n)/ours.Seconds(), "msg/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func takeBench(b *testing.B, a *Archive, from int) {
	batch := a.NewBatch()
	for i := from; i < from+benchBatch; i++ {
		item := mail.Item{Ref: mail.Ref{Mailbox: "INBOX", Validity: 1, UID: fmt.Sprint(i)}, Received: then}
		if _, err := batch.Put(item, inbox, strings.NewReader(benchBody(i))); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := batch.Commit(); err != nil {
		b.Fatal(err)
	}
}

func writeFloor(b *testing.B, dir string, from int) {
	slots := make(chan struct{}, maxSyncs)
	var group sync.WaitGroup
	for i := from; i < from+benchBatch; i++ {
		f, err := os.Create(filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := f.WriteString(benchBody(i)); err != nil {
			b.Fatal(err)
		}
		slots <- struct{}{}
		group.Go(func() {
			if err := f.Sync(); err != nil {
				b.Error(err)
			}
			f.Close()
			<-slots
		})
	}
	group.Wait()
}

// bigArchive returns an archive that knows 100,000 messages. Their files are not there: nobody opens them.
func bigArchive(b *testing.B) (string, int) {
	b.Helper()
	const n = 100_000
	dir := ramDir(b)
	a := open(b, dir)
	var arrivals []arrival
	for i := range n {
		ref := mail.Ref{Mailbox: "INBOX", Validity: 1, UID: fmt.Sprint(i)}
		name := fileName{received: then.Unix(), key: keyOf(source, ref), stored: 3000, octets: 3040, info: ":2,S"}
		arrivals = append(arrivals, arrival{folder: a.folders.inbox(), name: name, known: true,
			entry: Entry{Ref: ref, Received: then, Octets: 3040, Header: mail.Header{MessageID: fmt.Sprintf("<%d@x>", i)}}})
	}
	if _, err := a.enter(arrivals); err != nil {
		b.Fatal(err)
	}
	shut(b, a)
	return dir, n
}

// BenchmarkNoOp opens an archive of 100,000 messages, asks for each, and closes it: a run with nothing new.
func BenchmarkNoOp(b *testing.B) {
	dir, n := bigArchive(b)
	for b.Loop() {
		a := open(b, dir)
		for i := range n {
			if !a.Has(mail.Ref{Mailbox: "INBOX", Validity: 1, UID: fmt.Sprint(i)}) {
				b.Fatal(i)
			}
		}
		shut(b, a)
	}
}

// BenchmarkHas asks for one message of 100,000.
func BenchmarkHas(b *testing.B) {
	dir, n := bigArchive(b)
	a := open(b, dir)
	defer shut(b, a)
	ref := mail.Ref{Mailbox: "INBOX", Validity: 1, UID: fmt.Sprint(n / 2)}
	for b.Loop() {
		a.Has(ref)
	}
}

// BenchmarkScan opens an archive of real files that was not closed in order.
func BenchmarkScan(b *testing.B) {
	dir, n := ramDir(b), 20*benchBatch
	a := open(b, dir)
	for i := 0; i < n; i += benchBatch {
		takeBench(b, a, i)
	}
	a.shut()
	runtime.GC()
	for b.Loop() {
		a := open(b, dir)
		a.shut()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/file")
}

// BenchmarkRebuild makes the ledger of the same archive again.
func BenchmarkRebuild(b *testing.B) {
	dir, n := ramDir(b), 20*benchBatch
	a := open(b, dir)
	for i := 0; i < n; i += benchBatch {
		takeBench(b, a, i)
	}
	shut(b, a)
	for b.Loop() {
		if err := os.Remove(filepath.Join(dir, ledgerFile)); err != nil {
			b.Fatal(err)
		}
		shut(b, open(b, dir))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n)/1e3, "µs/file")
}

// benchArchive returns an archive of n real messages, in pages of a batch each, open.
func benchArchive(b *testing.B, n int) *Archive {
	b.Helper()
	a := open(b, ramDir(b))
	for i := 0; i < n; i += benchBatch {
		takeBench(b, a, i)
	}
	return a
}

// BenchmarkLooked takes over 1,000 changes of flags in a folder of 5,120 messages, keywords among them.
func BenchmarkLooked(b *testing.B) {
	a := benchArchive(b, 20*benchBatch)
	defer shut(b, a)
	n := uint64(0)
	for b.Loop() {
		n++
		l := Look{Complete: true, Changes: mail.Changes{Status: mail.Status{Validity: 1, Next: 9999, ModSeq: n}}}
		l.Since = l.Status
		for i := range 1000 {
			flags := []mail.Flags{mail.MakeFlags(`\Seen`, "work"), mail.MakeFlags(`\Flagged`)}[n%2]
			l.Flags = append(l.Flags, mail.Item{Ref: mail.Ref{Mailbox: "INBOX", Validity: 1, UID: fmt.Sprint(i)}, Flags: flags})
		}
		if _, flagged, err := a.Looked("INBOX", l); err != nil || flagged != 1000 {
			b.Fatal(flagged, err)
		}
	}
}

// BenchmarkLookedSame compares a listing of the flags of 100,000 messages of which none has changed, as servers without
// CONDSTORE have it in every run.
func BenchmarkLookedSame(b *testing.B) {
	dir, n := bigArchive(b)
	a := open(b, dir)
	defer shut(b, a)
	l := Look{Complete: true, Changes: mail.Changes{Status: mail.Status{Validity: 1, Next: uint32(n), Messages: uint32(n)}}}
	for i := range n {
		l.New = append(l.New, mail.Item{Ref: mail.Ref{Mailbox: "INBOX", Validity: 1, UID: fmt.Sprint(i)}})
	}
	for b.Loop() {
		if _, _, err := a.Looked("INBOX", l); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRekey moves 5,120 messages to another folder, and back.
func BenchmarkRekey(b *testing.B) {
	const n = 20 * benchBatch
	a := benchArchive(b, n)
	defer shut(b, a)
	boxes := []mail.Mailbox{inbox, work}
	for turn := 1; b.Loop(); turn++ {
		var moves []Move
		for i := range n {
			moves = append(moves, moveTo(int64(i+1), boxes[turn%2], 1, i))
		}
		if err := a.Rekey(moves); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n/1e3, "µs/message")
}

// BenchmarkSimilar looks for one message of 100,000, of which a hundred have its length and ten its time too.
func BenchmarkSimilar(b *testing.B) {
	a := open(b, ramDir(b))
	defer shut(b, a)
	var arrivals []arrival
	for i := range 100_000 {
		ref := mail.Ref{Mailbox: "INBOX", Validity: 1, UID: fmt.Sprint(i)}
		name := fileName{received: then.Unix() + int64(i%10_000), key: keyOf(source, ref), stored: 3000, octets: int64(i % 1000)}
		arrivals = append(arrivals, arrival{folder: a.folders.inbox(), name: name, known: true,
			entry: Entry{Ref: ref, Received: then, Identity: fmt.Sprint("EMAILID ", i)}})
	}
	if _, err := a.enter(arrivals); err != nil {
		b.Fatal(err)
	}
	i := 0
	for b.Loop() {
		i = (i + 7919) % 100_000
		if found, err := a.Similar(int64(i%1000), then.Add(time.Duration(i%10_000)*time.Second)); err != nil || len(found) != 10 {
			b.Fatal(len(found), err)
		}
	}
}
