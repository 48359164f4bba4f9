package parts

import (
	"bytes"
	"encoding/base64"
	"strings"
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
	"jis": japanese.ISO2022JP, "cp50220": japanese.ISO2022JP, "cp50221": japanese.ISO2022JP, "iso-2022-jp-2": japanese.ISO2022JP,
	"cp932": japanese.ShiftJIS, "ms932": japanese.ShiftJIS, "ms_kanji": japanese.ShiftJIS, "eucjp": japanese.EUCJP,
	"gb2312": simplifiedchinese.GB18030, "gb_2312-80": simplifiedchinese.GB18030, "gb2312-80": simplifiedchinese.GB18030,
	"gbk": simplifiedchinese.GB18030, "x-gbk": simplifiedchinese.GB18030, "cp936": simplifiedchinese.GB18030, "ms936": simplifiedchinese.GB18030,
	"hz-gb-2312": simplifiedchinese.HZGB2312, "hz": simplifiedchinese.HZGB2312,
	"big5hkscs": traditionalchinese.Big5, "cp950": traditionalchinese.Big5, "ms950": traditionalchinese.Big5,
	"ks_c_5601": korean.EUCKR, "cp949": korean.EUCKR, "ms949": korean.EUCKR, "uhc": korean.EUCKR,
	"koi8": charmap.KOI8R, "win-1251": charmap.Windows1251, "cp874": charmap.Windows874,
	"cp437": charmap.CodePage437, "cp850": charmap.CodePage850, "cp852": charmap.CodePage852, "cp866": charmap.CodePage866,
	"macintosh": charmap.Macintosh, "x-mac-roman": charmap.Macintosh,
	"utf8": utf.UTF8, "utf8mb4": utf.UTF8, "utf-8n": utf.UTF8,
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
