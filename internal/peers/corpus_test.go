//go:build unix

package peers

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A corpus is the mail of one account. The same name and sizes give the same octets on every machine.
type corpus struct {
	name    string
	sizes   []int // of the messages of each mailbox, in octets, roughly
	folders int   // beside the INBOX, which is empty then; 0: all is in the INBOX
}

// messages returns how many there are in all.
func (c corpus) messages() int { return len(c.sizes) * max(1, c.folders) }

// user is whose mail it is at the server.
func (c corpus) user() string { return strings.ToLower(c.name) }

// first is the corpus that has the first n messages only, for tools that nobody wants to wait for.
func (c corpus) first(n int) corpus {
	if n == 0 || n >= len(c.sizes) {
		return c
	}
	return corpus{name: fmt.Sprintf("%s-%d", c.name, n), sizes: c.sizes[:n], folders: c.folders}
}

func (c corpus) mailboxes() (names []string) {
	if c.folders == 0 {
		return []string{"INBOX"}
	}
	for i := range c.folders {
		names = append(names, fmt.Sprintf("Folder %d/Sub", i))
	}
	return names
}

// The corpora, before they are scaled. Exactly 10,000 or 100,000 messages are what some providers show of more, and
// mailhaul says so with its exit status.
var (
	corpusA   = func(scale float64) corpus { return corpus{name: "A", sizes: realSizes(scaled(2_000, scale))} }
	corpusB   = func(scale float64) corpus { return corpus{name: "B", sizes: around(3_000, scaled(10_001, scale))} }
	corpusBig = func(scale float64) corpus { return corpus{name: "100MiB", sizes: []int{scaled(100<<20, scale)}} }
	corpusC   = func(scale float64) corpus { return corpus{name: "C", sizes: around(2_000, scaled(100_010, scale))} }
	tenthOfC  = func(scale float64) corpus { c := corpusC(scale); return c.first(len(c.sizes) / 10) }
	nothing   = func(float64) corpus { return corpus{name: "empty"} }
	folders   = func(n int) func(float64) corpus {
		return func(scale float64) corpus {
			return corpus{name: fmt.Sprint(n, "x10"), sizes: around(3_000, 10), folders: scaled(n, scale)}
		}
	}
)

func scaled(n int, scale float64) int { return max(1, int(math.Round(float64(n)*scale))) }

// around gives n sizes, spread evenly from two thirds of the middle to four thirds.
func around(middle, n int) []int {
	sizes := make([]int, n)
	for i := range sizes {
		sizes[i] = int(float64(middle) * (2 + 2*(float64(i)+0.5)/float64(n)) / 3)
	}
	return shuffled(sizes)
}

// realSizes gives n sizes as accounts have them: of 2,000 the median is 24 KB and the largest 18.5 MB, 187 MB in all.
func realSizes(n int) []int {
	sizes := make([]int, n)
	for i := range sizes {
		sizes[i] = int(quantile((float64(i) + 0.5) / float64(n)))
	}
	return shuffled(sizes)
}

// quantile is the size that a share u of real messages are smaller than: notes and short replies, then newsletters
// and small attachments, then the few that fill the account.
func quantile(u float64) float64 {
	const notes, letters = 0.28, 0.708
	switch {
	case u < notes:
		return 2_000 + 3_000*u/notes
	case u < notes+letters:
		normal := math.Sqrt2 * math.Erfinv(2*(u-notes)/letters-1)
		return min(3e6, 40_000*math.Exp(1.05*normal))
	}
	return 68_000 * math.Pow(307, (u-notes-letters)/(1-notes-letters))
}

func shuffled(sizes []int) []int {
	r := rand.New(rand.NewPCG(1, uint64(len(sizes))))
	r.Shuffle(len(sizes), func(i, j int) { sizes[i], sizes[j] = sizes[j], sizes[i] })
	return sizes
}

// octets returns the n-th message, with LF line ends as files have them.
func (c corpus) octets(n int) []byte {
	size := c.sizes[n%len(c.sizes)]
	name, _, _ := strings.Cut(c.name, "-")
	r := rand.New(rand.NewPCG(uint64(n), uint64(name[0])))
	var b bytes.Buffer
	b.Grow(size + 1_000)
	writeHeader(&b, r, name, n)
	if room := size - b.Len(); room < 8_000 {
		b.WriteString("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n")
		writeLines(&b, r, text(), max(room, 200))
	} else {
		writeParts(&b, r, room)
	}
	return b.Bytes()
}

func writeHeader(b *bytes.Buffer, r *rand.Rand, corpus string, n int) {
	date := received(n).Format(time.RFC1123Z)
	fmt.Fprintf(b, "Return-Path: <sender%d@example.net>\n", n%97)
	for hop := range 1 + r.IntN(4) {
		fmt.Fprintf(b, "Received: from mx%d.example.net (mx%d.example.net [192.0.2.%d])\n\tby relay%d.example.org (Postfix) with ESMTPS id %010X\n"+
			"\tfor <user@example.org>; %s\n", hop, hop, r.IntN(255), hop, r.Uint32(), date)
	}
	fmt.Fprintf(b, "Date: %s\nFrom: \"Sender %d\" <sender%d@example.net>\nTo: user@example.org\n", date, n%97, n%97)
	fmt.Fprintf(b, "Message-ID: <%08x.%s.%d@bench.example.net>\n", r.Uint32(), corpus, n)
	if n%5 == 0 {
		fmt.Fprintf(b, "Subject: =?utf-8?B?%s?=\n", base64.StdEncoding.EncodeToString(fmt.Append(nil, "Übersicht № ", n)))
	} else {
		fmt.Fprintf(b, "Subject: report %d of the budget meeting\n", n)
	}
	b.WriteString("MIME-Version: 1.0\n")
}

func writeParts(b *bytes.Buffer, r *rand.Rand, room int) {
	boundary := fmt.Sprintf("=_%016x", r.Uint64())
	words := min(room/4, 6_000)
	fmt.Fprintf(b, "Content-Type: multipart/mixed; boundary=\"%s\"\n\nThis is a message in several parts.\n--%s\n"+
		"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n", boundary, boundary)
	writeLines(b, r, text(), words)
	fmt.Fprintf(b, "--%s\nContent-Type: application/pdf; name=\"file.pdf\"\nContent-Transfer-Encoding: base64\n\n", boundary)
	writeLines(b, r, attachment(), room-words)
	fmt.Fprintf(b, "--%s--\n", boundary)
}

// writeLines writes about n octets of whole lines of the stock, from anywhere in it on.
func writeLines(b *bytes.Buffer, r *rand.Rand, stock []byte, n int) {
	from := stock[r.IntN(len(stock)/2):]
	from = from[bytes.IndexByte(from, '\n')+1:]
	for end := b.Len() + n; b.Len() < end; from = stock {
		if left := end - b.Len(); left < len(from) {
			from = from[:left+bytes.IndexByte(from[left:], '\n')+1]
		}
		b.Write(from)
	}
}

// text is a stock of prose; some of its lines begin with a dot, which POP3 doubles.
var text = sync.OnceValue(func() []byte {
	words := strings.Fields("the of and to in that project meeting invoice report budget review please find attached schedule customer order " +
		"delivery Grüße Änderung größer café naïve résumé mañana привет документ отчёт 会議 資料 報告 thanks regards monday contract")
	r := rand.New(rand.NewPCG(2, 0))
	var b bytes.Buffer
	for b.Len() < 256<<10 {
		if r.IntN(200) == 0 {
			b.WriteString(".\n..two dots\n")
		}
		for line := b.Len(); b.Len() < line+70; {
			b.WriteString(words[r.IntN(len(words))] + " ")
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
})

// attachment is a stock of lines of base64.
var attachment = sync.OnceValue(func() []byte {
	var seed [32]byte
	octets := make([]byte, 1<<20/77*57)
	rand.NewChaCha8(seed).Read(octets)
	var b bytes.Buffer
	for line := range slices.Chunk(octets, 57) {
		b.WriteString(base64.StdEncoding.EncodeToString(line) + "\n")
	}
	return b.Bytes()
})

func received(n int) time.Time { return time.Unix(1_420_000_000+int64(n)*1_600, 0).UTC() }

// writeInto writes the part'th mailbox of the corpus into a Maildir of a server, under names as Dovecot gives them: they
// have the sizes, so that no client pays for finding them out. The files stay ours; to rename them is enough for
// Dovecot.
func (c corpus) writeInto(maildir string, part int) error {
	flags := []string{"S", "S", "RS", "S", "FS", ""}
	for i := range c.sizes {
		n := part*len(c.sizes) + i
		octets := c.octets(n)
		name := fmt.Sprintf("%d.M%dP1Q%d.bench,S=%d,W=%d:2,%s", received(n).Unix(), n, n, len(octets), len(octets)+bytes.Count(octets, []byte("\n")), flags[n%len(flags)])
		file := filepath.Join(maildir, "cur", name)
		if err := os.WriteFile(file, octets, 0o644); err != nil {
			return err
		}
		if err := os.Chtimes(file, received(n), received(n)); err != nil {
			return err
		}
	}
	return nil
}

// TestCorpus guards what the scenarios say of the corpora, and that they are the same everywhere.
func TestCorpus(t *testing.T) {
	a := corpusA(1)
	sorted := slices.Sorted(slices.Values(a.sizes))
	sum := 0
	for _, size := range sorted {
		sum += size
	}
	if median := sorted[len(sorted)/2]; len(sorted) != 2_000 || sum/1e6 != 187 || median/1e2 != 238 || sorted[1_999]/1e5 != 185 {
		t.Errorf("A has %d messages, %d octets, a median of %d and a largest of %d", len(sorted), sum, median, sorted[1_999])
	}
	for n := range 50 {
		size, octets := a.sizes[n], a.octets(n)
		if !bytes.Equal(octets, a.first(500).octets(n)) {
			t.Errorf("message %d of the first 500 is another one", n)
		}
		if len(octets) < size-100 || len(octets) > size+1_000 || octets[len(octets)-1] != '\n' {
			t.Errorf("message %d has %d octets, want about %d", n, len(octets), size)
		}
	}
	if got := fmt.Sprintf("%.8x", digestOf(a.octets(7))); got != "22210d4045c252ab" {
		t.Errorf("message 7 has the digest %s", got)
	}
}
