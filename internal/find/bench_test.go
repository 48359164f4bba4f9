package find

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// benchMessages is how many messages the benchmarks look through: a mailbox of many years.
const benchMessages = 20_000

// library is mail of 3 KB, of words as often as in a language, one in ten in another script; one in a hundred is about "needle".
func library(b *testing.B) *shelf {
	s := newShelf(b)
	random := rand.New(rand.NewPCG(1, 2))
	words := make([]string, 20_000)
	for i := range words {
		words[i] = wordOf(random, 'a', 26, 3+random.IntN(8))
	}
	zipf := rand.NewZipf(random, 1.07, 2, uint64(len(words)-1))
	var page []string
	for n := range benchMessages {
		var text strings.Builder
		for text.Len() < 2600 {
			text.WriteString(words[zipf.Uint64()])
			text.WriteByte(" \n"[min(1, random.IntN(12)/11)])
		}
		switch n % 10 {
		case 0:
			for range 40 {
				text.WriteString(wordOf(random, 0x4e00, 2000, 2+random.IntN(30)) + "。")
			}
		case 1:
			for range 80 {
				text.WriteString(wordOf(random, 'а', 32, 3+random.IntN(8)) + " ")
			}
		}
		if n%100 == 0 {
			text.WriteString(" needle in 干草堆里的针 ")
		}
		page = append(page, fmt.Sprintf("From: Person %d <p%d@example.org>\r\nTo: me@example.net\r\nSubject: %s %s\r\nDate: Fri, 15 Mar 2024 12:00:00 +0000\r\nMessage-ID: <%d@example.org>\r\n"+
			"Content-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n", n%500, n%500, words[zipf.Uint64()], words[zipf.Uint64()], n, text.String()))
		if len(page) == 500 {
			s.put([]string{"INBOX", "Work", "Sent", "Lists"}[n/500%4], nil, march.AddDate(0, 0, -n/10), page...)
			page = nil
		}
	}
	return s
}

func wordOf(random *rand.Rand, from rune, of, length int) string {
	w := make([]rune, length)
	for i := range w {
		w[i] = from + rune(random.IntN(of))
	}
	return string(w)
}

// BenchmarkSearch asks an archive of 20,000 messages what a person may ask, each time from the beginning, as a command does
// it: open the index, compare it with the ledger, ask, sort. Beside it stands what the index costs.
func BenchmarkSearch(b *testing.B) {
	s := library(b)
	began := time.Now()
	s.ask("needle")
	took := time.Since(began)
	info, err := os.Stat(filepath.Join(s.dir, "mailhaul", fileName))
	mustDo(b, err)
	for _, query := range []string{
		"needle", "干草", "干草堆里的针", "needle from:p100", "needle folder:Work after:2020", `"in 干草堆里"`, "need*", "针",
		"from:person", "-needle", "needle OR has:attachment", "from:p7 -folder:Sent before:2022",
	} {
		b.Run(strings.ReplaceAll(query, "/", "|"), func(b *testing.B) {
			found := 0
			for b.Loop() {
				found = len(s.ask(query))
			}
			b.ReportMetric(float64(found), "found")
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/op")
		})
	}
	b.Run("build", func(b *testing.B) {
		for b.Loop() {
			_ = 0
		}
		b.ReportMetric(benchMessages/took.Seconds(), "messages/s")
		b.ReportMetric(float64(info.Size())/benchMessages, "octets/message")
	})
}

// BenchmarkRead reads a message into words, without the index: what is left of the building is FTS5's.
func BenchmarkRead(b *testing.B) {
	text := strings.Repeat("The quick brown fox jumps over the lazy dog. Съешь же ещё этих мягких французских булок. ", 30)
	message := letterOf("bench", "text/plain; charset=utf-8", text)
	b.SetBytes(int64(len(message)))
	for b.Loop() {
		if _, err := read(strings.NewReader(message)); err != nil {
			b.Fatal(err)
		}
	}
}
