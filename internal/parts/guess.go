package parts

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

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
