package imap

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// takingAll reads an APPEND with all its messages, and answers.
func takingAll(answer string) func(*talk, string) {
	return func(s *talk, cmd string) {
		for strings.HasSuffix(cmd, "+}") {
			size, _ := announced(cmd)
			io.CopyN(io.Discard, s.br, int64(size))
			line, _ := s.br.ReadString('\n')
			cmd = strings.TrimSpace(line)
		}
		s.say(s.tag + " " + answer)
	}
}

// TestBundleAnswers guards what is made of the answer to three messages sent with one command, after which a server is
// asked for nothing but what is new.
func TestBundleAnswers(t *testing.T) {
	unnamed := []string{"0 uid 0", "1 uid 0", "2 uid 0", "ok"}
	for answer, want := range map[string][]string{
		"OK [APPENDUID 7 11:13] done":           {"0 uid 11", "1 uid 12", "2 uid 13", "ok"},
		"OK [APPENDUID 7 11,15:16] done":        {"0 uid 11", "1 uid 15", "2 uid 16", "ok"},
		"OK [APPENDUID 7 16:15,11] done":        {"0 uid 15", "1 uid 16", "2 uid 11", "ok"},
		"OK [APPENDUID 7 11,11,12] done":        {"0 uid 11", "1 uid 0", "2 uid 12", "ok"},
		"OK [APPENDUID 7 9:11] done":            {"0 uid 0", "1 uid 10", "2 uid 11", "ok"},
		"OK [APPENDUID 8 11:13] done":           unnamed,
		"OK [APPENDUID 7 11:12] done":           unnamed,
		"OK [APPENDUID 7 11:14] done":           unnamed,
		"OK [APPENDUID 7 11] done":              unnamed,
		"OK [APPENDUID 7 11:*] done":            unnamed,
		"OK [APPENDUID 7 1:4294967294] done":    unnamed,
		"OK [APPENDUID 7 4294967293:*] done":    unnamed,
		"OK [APPENDUID 7 11:13,] done":          unnamed,
		"OK [APPENDUID 7 ] done":                unnamed,
		"OK [APPENDUID 11:13 7] done":           unnamed,
		"OK done":                               unnamed,
		"NO [OVERQUOTA] not so many":            unnamed, // one by one they are taken
		"BAD what is that":                      unnamed,
		"NO [UNAVAILABLE] try again in an hour": unnamed,
	} {
		s := &script{caps: "IMAP4rev1 LITERAL+ UIDPLUS MULTIAPPEND", answer: onAppend(1, takingAll(answer))}
		if got := appendAll(t, s, three()...); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", answer, got, want)
		}
		appends := 0
		for _, cmd := range s.log() {
			if strings.HasPrefix(cmd, "APPEND") {
				appends++
			}
		}
		if want := map[bool]int{true: 1, false: 4}[strings.HasPrefix(answer, "OK")]; appends != want {
			t.Errorf("%s: %d APPENDs, want %d", answer, appends, want)
		}
	}
}

// TestBundleNeeds guards that messages go together only where all of that is there which it takes to find out what became
// of each, and not at a server that refuses it again and again.
func TestBundleNeeds(t *testing.T) {
	all := "LITERAL+ UIDPLUS MULTIAPPEND"
	for _, lacking := range append(strings.Fields(all), "nothing") {
		s := &script{caps: "IMAP4rev1 " + strings.Replace(all, lacking, "", 1)}
		if lacking == "nothing" {
			s.answer = onAppend(1, takingAll("OK done"))
		}
		got := appendAll(t, s, three()...)
		if want := "[0 uid 0 1 uid 0 2 uid 0 ok]"; fmt.Sprint(got) != want {
			t.Errorf("without %s: %v, want %s", lacking, got, want)
		}
		n := 0
		for _, cmd := range s.log() {
			if strings.HasPrefix(cmd, "APPEND") {
				n++
			}
		}
		if want := map[bool]int{true: 1, false: 3}[lacking == "nothing"]; n != want {
			t.Errorf("without %s: %d commands, want %d", lacking, n, want)
		}
	}
}
