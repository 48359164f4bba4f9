package parts

import (
	"bytes"
	"encoding/base64"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	utf "golang.org/x/text/encoding/unicode"
)

// Decode returns octets of a character set as UTF-8. Charset is what they are said to be, "" if nothing is said. Where they
// cannot be that, they are taken for what they most likely are. What stands for no character is U+FFFD.
func Decode(charset string, octets []byte) string {
	if len(octets) == 0 {
		return ""
	}
	if isASCII(octets) && !strings.Contains(strings.ToLower(charset), "utf") && !mayShift(octets) {
		return string(octets)
	}
	name := strings.ToLower(strings.Trim(charset, " \t'\"<>"))
	switch {
	case strings.HasSuffix(name, "utf-7"):
		return decodeUTF7(octets)
	case isUTF16(name):
		return decodeUTF16(octets)
	case shiftsToJapanese(octets) && !strings.Contains(name, "2022"):
		return guess(octets)
	}
	if text, ok := decodeAs(encodingOf(name), octets); ok {
		return text
	}
	return guess(octets)
}

func isASCII(octets []byte) bool {
	for _, c := range octets {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// mayShift reports whether ASCII may stand for other characters (ISO-2022, HZ).
func mayShift(octets []byte) bool {
	return bytes.IndexByte(octets, 0x1b) >= 0 || bytes.IndexByte(octets, 0x0e) >= 0 || bytes.Contains(octets, []byte("~{")) || bytes.IndexByte(octets, 0) >= 0
}

// shiftsToJapanese reports whether there is a sequence of ISO-2022-JP (RFC 1468) that says that what follows is Japanese.
func shiftsToJapanese(octets []byte) bool {
	return bytes.Contains(octets, []byte("\x1b$B")) || bytes.Contains(octets, []byte("\x1b$@"))
}

// others are names that neither of the registers knows as they are used in mail.
var others = map[string]encoding.Encoding{
	"cp932": japanese.ShiftJIS, "ms932": japanese.ShiftJIS, "ms_kanji": japanese.ShiftJIS, "cp50220": japanese.ISO2022JP, "cp50221": japanese.ISO2022JP, "iso-2022-jp-2": japanese.ISO2022JP,
	"jis": japanese.ISO2022JP, "eucjp": japanese.EUCJP, "cp936": simplifiedchinese.GB18030, "ms936": simplifiedchinese.GB18030, "gb2312": simplifiedchinese.GB18030, "gbk": simplifiedchinese.GB18030,
	"x-gbk": simplifiedchinese.GB18030, "gb_2312-80": simplifiedchinese.GB18030, "gb2312-80": simplifiedchinese.GB18030, "hz-gb-2312": simplifiedchinese.HZGB2312, "hz": simplifiedchinese.HZGB2312,
	"cp949": korean.EUCKR, "ms949": korean.EUCKR, "uhc": korean.EUCKR, "ks_c_5601": korean.EUCKR, "cp950": traditionalchinese.Big5, "ms950": traditionalchinese.Big5, "big5hkscs": traditionalchinese.Big5,
	"win-1251": charmap.Windows1251, "koi8": charmap.KOI8R, "cp437": charmap.CodePage437, "cp850": charmap.CodePage850, "cp852": charmap.CodePage852, "cp866": charmap.CodePage866,
	"cp874": charmap.Windows874, "utf8": utf.UTF8, "utf8mb4": utf.UTF8, "utf-8n": utf.UTF8, "macintosh": charmap.Macintosh, "x-mac-roman": charmap.Macintosh,
}

// encodingOf returns the encoding of that name, nil if there is none.
func encodingOf(name string) encoding.Encoding {
	if e := others[name]; e != nil {
		return e
	}
	for _, prefix := range []string{"cp125", "win125", "ansi125"} {
		if rest, is := strings.CutPrefix(name, prefix); is {
			name = "windows-125" + rest
		}
	}
	if e, err := htmlindex.Get(name); err == nil && e != encoding.Replacement {
		return e
	}
	if e, err := ianaindex.MIME.Encoding(name); err == nil {
		return e
	}
	return nil
}

// decodeAs reports also whether the octets can be what they were said to be.
func decodeAs(e encoding.Encoding, octets []byte) (string, bool) {
	switch {
	case e == nil:
		return "", false
	case e == utf.UTF8:
		return string(octets), utf8.Valid(octets)
	}
	// Nobody writes by accident what is UTF-8 beyond ASCII, and many programs write it under another name.
	if utf8.Valid(octets) && !isASCII(octets) {
		return "", false
	}
	text, err := e.NewDecoder().Bytes(octets)
	if err != nil {
		return "", false
	}
	bad := bytes.Count(text, []byte("\ufffd"))
	return string(text), bad*20 <= utf8.RuneCount(text)
}

// decodeUTF7 decodes UTF-7 (RFC 2152); what is none stays as it is.
func decodeUTF7(octets []byte) string {
	var b strings.Builder
	for len(octets) > 0 {
		plain, rest, found := bytes.Cut(octets, []byte{'+'})
		b.WriteString(Decode("", plain))
		if !found {
			break
		}
		n := 0
		for n < len(rest) && base64Value[rest[n]] {
			n++
		}
		run := rest[:n]
		if rest = rest[n:]; len(rest) > 0 && rest[0] == '-' {
			rest = rest[1:]
			if n == 0 {
				b.WriteByte('+')
			}
		}
		be, _ := base64.RawStdEncoding.DecodeString(string(run))
		var units []uint16
		for i := 0; i+1 < len(be); i += 2 {
			units = append(units, uint16(be[i])<<8|uint16(be[i+1]))
		}
		b.WriteString(string(utf16.Decode(units)))
		octets = rest
	}
	return b.String()
}

func isUTF16(name string) bool {
	return strings.HasPrefix(name, "utf-16") || name == "utf16" || name == "unicode" || name == "ucs-2"
}

// decodeUTF16 decodes UTF-16. Where no mark tells which octet comes first (RFC 2781 §4.3), the zeros of what is Latin or blank in
// any text do.
func decodeUTF16(octets []byte) string {
	zeros := [2]int{}
	for i, c := range octets {
		if c == 0 {
			zeros[i%2]++
		}
	}
	if zeros[0]+zeros[1] == 0 && (utf8.Valid(octets) || len(octets)%2 != 0) {
		return guess(octets) // it is something else
	}
	order := utf.BigEndian
	if zeros[1] > zeros[0] {
		order = utf.LittleEndian
	}
	text, _ := utf.UTF16(order, utf.UseBOM).NewDecoder().Bytes(octets)
	return string(text)
}

// candidates are what octets that say nothing of themselves may be, the likeliest first.
var candidates = []struct {
	encoding encoding.Encoding
	script   []*unicode.RangeTable // of what it is used for
}{
	{charmap.Windows1251, []*unicode.RangeTable{unicode.Cyrillic}},
	{charmap.KOI8R, []*unicode.RangeTable{unicode.Cyrillic}},
	{simplifiedchinese.GB18030, []*unicode.RangeTable{unicode.Han}},
	{japanese.ShiftJIS, []*unicode.RangeTable{unicode.Hiragana, unicode.Katakana, unicode.Han}},
	{japanese.EUCJP, []*unicode.RangeTable{unicode.Hiragana, unicode.Katakana, unicode.Han}},
	{korean.EUCKR, []*unicode.RangeTable{unicode.Hangul}},
	{traditionalchinese.Big5, []*unicode.RangeTable{unicode.Han}},
	{charmap.Windows1256, []*unicode.RangeTable{unicode.Arabic}},
	{charmap.Windows1255, []*unicode.RangeTable{unicode.Hebrew}},
	{charmap.Windows1253, []*unicode.RangeTable{unicode.Greek}},
	{charmap.Windows874, []*unicode.RangeTable{unicode.Thai}},
	{charmap.Windows1252, []*unicode.RangeTable{unicode.Latin}},
}

const maxLook = 8 << 10 // octets that are looked at to guess

// guess returns octets of an unknown character set as text.
func guess(octets []byte) string {
	switch {
	case bytes.HasPrefix(octets, []byte{0xff, 0xfe}), bytes.HasPrefix(octets, []byte{0xfe, 0xff}):
		return decodeUTF16(octets)
	case utf8.Valid(octets):
		if shiftsToJapanese(octets) {
			if text, err := japanese.ISO2022JP.NewDecoder().Bytes(octets); err == nil {
				return string(text)
			}
		}
		return string(octets)
	case mostlyUTF8(octets):
		return strings.ToValidUTF8(string(octets), "\ufffd")
	}
	look := octets[:min(len(octets), maxLook)]
	best, most := candidates[len(candidates)-1].encoding, -1.0
	for _, c := range candidates {
		text, err := c.encoding.NewDecoder().Bytes(look)
		if err != nil {
			continue
		}
		if n := likeness(string(text), c.script); n > most {
			best, most = c.encoding, n
		}
	}
	text, _ := best.NewDecoder().Bytes(octets)
	return string(text)
}

// mostlyUTF8 reports whether octets are UTF-8 that was cut or damaged.
func mostlyUTF8(octets []byte) bool {
	good, bad := 0, 0
	for len(octets) > 0 {
		r, size := utf8.DecodeRune(octets)
		if r == utf8.RuneError && size == 1 {
			bad++
		} else if size > 1 {
			good++
		}
		octets = octets[size:]
	}
	return good > 2*bad
}

// likeness says how much text looks like that of a script: how many of its characters beyond ASCII are letters of it, less
// what hardly stands in any text. Capitals in the midst of words are the sign of the wrong one of two alphabets.
func likeness(text string, script []*unicode.RangeTable) float64 {
	score, n := 0.0, 0
	var before rune
	for _, r := range text {
		switch {
		case r < utf8.RuneSelf:
		case r == utf8.RuneError:
			score -= 3
			n++
		case !unicode.In(r, script...):
			n++
			if !unicode.IsPrint(r) || unicode.IsLetter(r) {
				score--
			}
		default:
			n++
			score += weight(r, before)
		}
		before = r
	}
	if n == 0 {
		return 0
	}
	return score / float64(n)
}

// common are the characters that every text in a language has many of. What is read with the wrong table has few.
const common = "оеаинтсрвлкмдпуяыь" + "יוהלאםרבתשמנ" + "المينروتبدسعةفقكی" + "αοιετσνηρπκυλμςάίέό" + "านรอกเงมยลวดทสตะปบคหแจพชใไ่้ัิีึืุู็์" +
	"이다는에가을하고의로지은한기서를사도인리어나자시해부일대니습세요안" +
	"的一是不了人我在有他这中大来上个国到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可里后小么心多天而能好都然没日于起还发成事只作当想看文无开手十用主行方又如前所本见经面公同三已老从动两长样现比知分定西车口月" +
	"這來個國說們為時會過學對裡後麼沒於還發當開見經從動兩長樣現車您請電話信件謝请电话谢" + "送先確認再願申何名氏株式社記語私今情報東京"

// weight of a letter of the right script.
func weight(r, before rune) float64 {
	glued := before < utf8.RuneSelf && unicode.IsLetter(before)
	switch {
	case unicode.IsUpper(r) && unicode.IsLetter(before):
		return -0.3
	case unicode.Is(unicode.Latin, r) && glued:
		return 0.9
	case unicode.Is(unicode.Latin, r):
		return 0.1 // in Latin text, accents stand alone
	case glued:
		return -0.5 // hardly anybody writes a word in two scripts
	case unicode.In(r, unicode.Hiragana, unicode.Katakana) && r < 'ｦ', strings.ContainsRune(common, unicode.ToLower(r)):
		return 1
	case unicode.IsDigit(r) || unicode.IsPunct(r):
		return -0.5 // those of Thai
	case 'ｦ' <= r && r <= 'ﾟ':
		return 0.1 // half width: what other alphabets look like
	}
	return 0.4
}
