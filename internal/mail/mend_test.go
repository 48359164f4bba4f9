package mail

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime/quotedprintable"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/mailhaul/mailhaul/testdata"
)

func mend(t testing.TB, message string) (string, []string) {
	t.Helper()
	m := Mend(strings.NewReader(message))
	got, err := io.ReadAll(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(got), m.Mended()
}

func TestMend(t *testing.T) {
	long, spaces := strings.Repeat("x", 998), strings.Repeat(" ", 2000)
	const head = "Subject: s\r\n\r\n"
	for _, tc := range []struct {
		in, want string
		what     []string
	}{
		{"", "", nil},
		{"\r\n", "\r\n", nil},
		{"Subject: s\n\nbody", head + "body", nil},
		{"Subject: ö\r\n folded\r\n \r\n\t too\r\n\r\n.\r\n", "Subject: ö\r\n folded\r\n \r\n\t too\r\n\r\n.\r\n", nil},
		{"Subject: " + long[9:] + "\r\n\r\n" + long + "\r\n", "Subject: " + long[9:] + "\r\n\r\n" + long + "\r\n", nil},

		{"Sub\x00ject: s\r\n\r\na\x00\x00b", head + "ab", []string{"3 NUL octets left out"}},
		{head + "a\r\x00\nb", head + "a\r\nb", []string{"1 NUL octet left out"}},
		{head + "a\rb\r\rc", head + "a\r\nb\r\n\r\nc", []string{"3 lone CRs made line ends"}},
		{head + "a\r", head + "a\r\n", []string{"1 lone CR made a line end"}},
		{head + "a\r\r\r\nb\r\r\n", head + "a\r\nb\r\n", []string{"3 CRs too many before line ends left out"}},
		{"Subject: s\rBcc: x\r y\n\n", "Subject: s\r\n Bcc: x\r\n y\r\n\r\n", []string{"2 lone CRs made line ends"}},
		{"Subject: s\n\r\rx\n\n", "Subject: s\r\n x\r\n\r\n", []string{"2 lone CRs made line ends"}},
		{"Subject: s\rTo: t\r\rbody\r", "Subject: s\r\nTo: t\r\n\r\nbody\r\n", []string{"4 lone CRs made line ends"}},

		{"From a@b Mon\n" + head, head, []string{"an mbox From line left out"}},
		{">From a@b\nFrom " + spaces + long + spaces + spaces + "\n" + head, head, []string{"2 mbox From lines left out"}},
		{"\xef\xbb\xbf" + head, head, []string{"a byte order mark before the header left out"}},
		{" x\r\n" + head, "X-Mended: x\r\n" + head, []string{"1 header line without a field name put behind X-Mended:"}},
		{" \r\n\t \r\n  Subject: s\r\n\r\n", head, []string{"white space before the header left out"}},
		{"A: b\r\nno field\r\n more\r\n:\r\nDate: d\r\n\r\n", "A: b\r\nX-Mended: no field\r\n more\r\nX-Mended: :\r\nDate: d\r\n\r\n",
			[]string{"2 header lines without a field name put behind X-Mended:"}},
		{"A: b\r\nbroken fold\r\n\r\nbody\r\n", "A: b\r\nX-Mended: broken fold\r\n\r\nbody\r\n", []string{"1 header line without a field name put behind X-Mended:"}},
		{"ö: b\r\nDate: d\r\n\r\n", "X-Mended: ö: b\r\nDate: d\r\n\r\n", []string{"1 header line without a field name put behind X-Mended:"}},
		{"A: b\r\nFrom x\r\nTo: t\r\n\r\n", "A: b\r\nX-Mended: From x\r\nTo: t\r\n\r\n", []string{"1 header line without a field name put behind X-Mended:"}},
		{"Subject \t: s\r\n\r\n", head, []string{"white space before the colon of 1 field left out"}},

		{"A: b\r\nDear you,\r\nnote: this\r\n\r\nYours\r\n", "A: b\r\n\r\nDear you,\r\nnote: this\r\n\r\nYours\r\n", []string{"an empty line put between header and body"}},
		{"A: b\r\n \r\nDear you,\r\n\r\nYours\r\n", "A: b\r\n \r\n\r\nDear you,\r\n\r\nYours\r\n", []string{"an empty line put between header and body"}},
		{"Content-Type: multipart/mixed; boundary=\"b:\"\r\n--b:\r\nSubject: of a part\r\n\r\n", "Content-Type: multipart/mixed; boundary=\"b:\"\r\n\r\n--b:\r\nSubject: of a part\r\n\r\n",
			[]string{"an empty line put between header and body"}},
		{"A: b\r\nthe end", "A: b\r\n\r\nthe end", []string{"an empty line put between header and body"}},
		{"Content-Type: multipart/mixed; boundary=\"=b\"\r\n--=b\r\nContent-Type: text/plain\r\n\r\nx\r\n--=b--\r\n",
			"Content-Type: multipart/mixed; boundary=\"=b\"\r\n\r\n--=b\r\nContent-Type: text/plain\r\n\r\nx\r\n--=b--\r\n",
			[]string{"an empty line put between header and body"}},
		{"Subject: s", "Subject: s\r\n", []string{"a line end put at the end of the header"}},
		{"Subject: s\r\n x\r", "Subject: s\r\n x\r\n", []string{"1 lone CR made a line end"}},

		{"A: " + long[:900] + " " + long[:900] + "\r\n\r\n", "A: " + long[:900] + "\r\n " + long[:900] + "\r\n\r\n",
			[]string{"1 header line of more than 998 octets folded"}},
		{"A: x" + spaces + "y" + spaces + "\r\n\r\n", "A: x" + spaces[:993] + "\r\n" + spaces[:10] + "y" + spaces[:986] + "\r\n\r\n",
			[]string{"1 header line of more than 998 octets folded"}},
		{"A:" + long + "\r\n\r\n", "A:" + long[:996] + "\r\n xx\r\n\r\n", []string{"1 header line of more than 998 octets folded where it has no white space"}},
		{"A:" + long[:994] + "öö\r\n\r\n", "A:" + long[:994] + "ö\r\n ö\r\n\r\n", []string{"1 header line of more than 998 octets folded where it has no white space"}},
		{"A:" + long[:995] + "öö\r\n\r\n", "A:" + long[:995] + "\r\n öö\r\n\r\n", []string{"1 header line of more than 998 octets folded where it has no white space"}},

		{head + long[:990] + " " + long + " y\r\n", head + long[:990] + " \r\n" + long + "\r\n y\r\n", []string{"1 line of more than 998 octets broken where it has no white space"}},
		{head + long[:990] + " " + long[:20] + "\r\n", head + long[:990] + " \r\n" + long[:20] + "\r\n", []string{"1 line of more than 998 octets broken at white space"}},
		{"Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + long + "=\r\n--b--\r\n",
			"Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + long + "\r\n=\r\n--b--\r\n",
			[]string{"1 line of more than 998 octets broken where it has no white space"}},
		{head + long + "y", head + long + "\r\ny", []string{"1 line of more than 998 octets broken where it has no white space"}},
		{head + long + "x\r\n" + long + "\r\n" + long + "z\r\n", head + long + "\r\nx\r\n" + long + "\r\n" + long + "\r\nz\r\n",
			[]string{"2 lines of more than 998 octets broken where they have no white space"}},
	} {
		got, what := mend(t, tc.in)
		if got != tc.want || !slices.Equal(what, tc.what) {
			t.Errorf("Mend(%.200q)\n = %.3000q, %q\nwant %.3000q, %q", tc.in, got, what, tc.want, tc.what)
		}
	}
}

// TestMendParts guards that a long line is broken as its part's encoding allows, wherever the part stands.
func TestMendParts(t *testing.T) {
	octets := bytes.Repeat([]byte("=\xc3\xb6 "), 1000)
	var quoted strings.Builder
	w := quotedprintable.NewWriter(&quoted)
	w.Write(octets)
	w.Close()
	oneLine := strings.ReplaceAll(quoted.String(), "=\r\n", "")
	inBase64 := base64.StdEncoding.EncodeToString(octets)
	message := "Content-Type: multipart/mixed;\r\n\tboundary=a\r\n\r\npreamble\r\n" +
		"--a\r\nContent-Type: message/rfc822\r\n\r\nContent-Type: multipart/alternative; boundary=\"b b\"\r\n\r\n" +
		"--b b\r\nContent-Transfer-Encoding: Quoted-Printable\r\n\r\n" + oneLine +
		"\r\n--b b\r\nContent-Transfer-Encoding:\r\n base64\r\nX-Long: " + strings.Repeat("y ", 600) + "\r\n\r\n" + inBase64 + "\r\n--b b--\r\n" +
		"--a--  \r\n" + strings.Repeat("epilogue ", 200)
	got, what := mend(t, message)
	want := []string{"1 header line of more than 998 octets folded", "1 line of more than 998 octets of base64 broken",
		"1 line of more than 998 octets broken softly", "1 line of more than 998 octets broken at white space"}
	if !slices.Equal(what, want) {
		t.Errorf("mended %q, want %q", what, want)
	}
	_, rest, _ := strings.Cut(got, "Quoted-Printable\r\n\r\n")
	text, rest, _ := strings.Cut(rest, "\r\n--b b")
	if decoded, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(text))); err != nil || !bytes.Equal(decoded, octets) {
		t.Errorf("the quoted-printable part has %d octets of %d: %v", len(decoded), len(octets), err)
	}
	_, rest, _ = strings.Cut(rest, "\r\n\r\n")
	text, _, _ = strings.Cut(rest, "\r\n--b b--")
	if strings.ReplaceAll(text, "\r\n", "") != inBase64 {
		t.Error("the base64 part is another one")
	}
	for line := range strings.SplitSeq(text+got[strings.Index(got, "Quoted"):strings.Index(got, "X-Long")], "\r\n") {
		if len(line) > 76 {
			t.Errorf("an encoded line has %d octets", len(line))
		}
	}
}

// TestMendAcrossBuffers guards that a line end is one wherever it falls in what is read at once.
func TestMendAcrossBuffers(t *testing.T) {
	for n := 2*lookHead - 4; n <= 2*lookHead+4; n++ {
		for _, head := range []string{"", "A: b\r\n\r\n"} {
			message := head + strings.Repeat("x", n-len(head)) + "\r\nend\r\n"
			got, _ := mend(t, message)
			if why := malformed(got); why != "" || letters(got, nil) != letters(message, nil) || !strings.HasSuffix(got, "x\r\nend\r\n") {
				t.Errorf("a line end at octet %d: %s: %.20q … %q", n, why, got, got[len(got)-40:])
			}
		}
	}
}

// TestMendLarge guards that memory does not grow with the message, even if it is one line.
func TestMendLarge(t *testing.T) {
	const size = 10 << 20
	for _, c := range []string{"x", "x ", "\r", "\x00", "x\r\r\n", " ", "A:\r\n", " \r\n", "ö"} {
		for _, head := range []string{"", "Subject: s\r\n\r\n"} {
			chunk := strings.Repeat(c, (64<<10)/len(c))
			m := &Mending{header: true, first: true}
			level := newLevelLines(io.MultiReader(strings.NewReader(head), io.LimitReader(&endless{chunk: chunk}, size)), &m.counts)
			m.src = bufio.NewReaderSize(level, 2*lookHead)
			peak := 0
			buf := make([]byte, 32<<10)
			for {
				_, err := m.Read(buf)
				peak = max(peak, cap(m.out)+cap(m.line)+cap(level.out))
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if peak > 256<<10 {
				t.Errorf("of a message of %q %d octets were kept at once", c, peak)
			}
		}
	}
}

// An endless reader reads its chunk again and again.
type endless struct {
	chunk string
	at    int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.chunk[e.at:])
	e.at = (e.at + n) % len(e.chunk)
	return n, nil
}

// TestMendMail mends real mail: what needs nothing is as it was, and what was mended needs nothing more.
func TestMendMail(t *testing.T) {
	needs := map[string]int{}
	mended := 0
	for _, m := range testdata.Messages() {
		if checkMend(t, m.Octets, needs) {
			mended++
		}
	}
	t.Logf("%d of %d messages mended", mended, len(testdata.Messages()))
	if mended == 0 {
		t.Error("no message needs mending")
	}
}

func FuzzMend(f *testing.F) {
	for _, m := range testdata.Messages() {
		f.Add(m.Octets)
	}
	for _, s := range []string{"", "\r", "From x\n\xef\xbb\xbf>From y\n x\n:\n\n", "A : b\r\rc\rd\n\r\re\n", "A: b\nc\nd\n\ne", "A: b"} {
		f.Add([]byte(s))
	}
	f.Add([]byte("A: " + strings.Repeat("x ö", 1000) + "\n\n" + strings.Repeat(" ", 3000) + "y"))
	f.Add([]byte("Content-Type: multipart/x; boundary=b\n--b\nContent-Transfer-Encoding: quoted-printable\n\n" + strings.Repeat("=3D", 1000)))
	f.Fuzz(func(t *testing.T, message []byte) {
		checkMend(t, message, map[string]int{})
	})
}

// checkMend holds a message against what Mend promises, and reports whether it was changed.
func checkMend(t *testing.T, message []byte, needs map[string]int) bool {
	t.Helper()
	got, what := mend(t, string(message))
	again, more := mend(t, got)
	if again != got || more != nil {
		t.Errorf("mended twice %.300q is\n%.300q, not\n%.300q: %q", message, again, got, more)
	}
	slow := Mend(iotest.OneByteReader(bytes.NewReader(message)))
	if in, err := io.ReadAll(iotest.HalfReader(slow)); err != nil || string(in) != got || !slices.Equal(slow.Mended(), what) {
		t.Errorf("read octet by octet %.300q is %.300q: %v", message, in, err)
	}
	canonical, _ := io.ReadAll(Canonical(bytes.NewReader(message)))
	if changed := string(canonical) != got; changed != (what != nil) {
		t.Errorf("%.300q was changed: %v; told: %q", message, changed, what)
	}
	if why := malformed(got); why != "" {
		t.Errorf("mended %.300q has %s: %.300q", message, why, got)
	}
	if kept, had := letters(got, what), letters(string(message), what); kept != had {
		t.Errorf("mended %.300q has the text %.300q, want %.300q", message, kept, had)
	}
	for _, w := range what {
		needs[w]++
	}
	return what != nil
}

// malformed says what a strict server does not like of a message, "" if nothing.
func malformed(message string) string {
	if strings.Contains(message, "\x00") {
		return "NUL"
	}
	if strings.ContainsAny(strings.ReplaceAll(message, "\r\n", ""), "\r\n") {
		return "a bare CR or LF"
	}
	header := true
	for i, line := range strings.Split(message, "\r\n") {
		name, _, colon := strings.Cut(line, ":")
		switch {
		case len(line) > 998:
			return fmt.Sprintf("a line of %d octets", len(line))
		case line == "":
			header = false
		case !header, i > 0 && (line[0] == ' ' || line[0] == '\t'):
		case !colon || name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }):
			return fmt.Sprintf("the header line %q", line)
		}
	}
	return ""
}

// letters is what of a message no mending may touch.
func letters(message string, what []string) string {
	told := strings.Join(what, ", ")
	if strings.Contains(told, "mbox From") || strings.Contains(told, "byte order mark") {
		return "" // some of it is left out
	}
	drop := []string{"\x00", "", "\r", "", "\n", "", " ", "", "\t", "", MendedField + ":", ""}
	if strings.Contains(told, "softly") {
		drop = append(drop, "=", "")
	}
	return strings.NewReplacer(drop...).Replace(message)
}
