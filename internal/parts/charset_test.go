package parts

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	utf "golang.org/x/text/encoding/unicode"
)

// samples are texts as people write them, with what they are written in.
var samples = []struct {
	text string
	as   map[string]encoding.Encoding
}{
	{"Здравствуйте! Завтра в десять часов собрание, отчёт прилагаю.", map[string]encoding.Encoding{"windows-1251": charmap.Windows1251, "koi8-r": charmap.KOI8R}},
	{"您好，会议改到明天上午十点，请看附件里的报告，谢谢。", map[string]encoding.Encoding{"gb2312": simplifiedchinese.GB18030, "gbk": simplifiedchinese.GBK}},
	{"您好，會議改到明天上午十點，請看附件裡的報告，謝謝。", map[string]encoding.Encoding{"big5": traditionalchinese.Big5}},
	{"会議は明日の午前十時に変更になりました。添付の報告書をご確認ください。", map[string]encoding.Encoding{"shift_jis": japanese.ShiftJIS, "euc-jp": japanese.EUCJP, "iso-2022-jp": japanese.ISO2022JP}},
	{"안녕하세요. 회의는 내일 오전 열 시로 바뀌었습니다. 첨부한 보고서를 봐 주세요.", map[string]encoding.Encoding{"euc-kr": korean.EUCKR, "ks_c_5601-1987": korean.EUCKR}},
	{"مرحبا، تم تأجيل الاجتماع إلى الغد في الساعة العاشرة", map[string]encoding.Encoding{"windows-1256": charmap.Windows1256}},
	{"Καλημέρα, η συνάντηση μεταφέρθηκε για αύριο στις δέκα.", map[string]encoding.Encoding{"iso-8859-7": charmap.ISO8859_7, "windows-1253": charmap.Windows1253}},
	{"שלום, הפגישה נדחתה למחר בשעה עשר בבוקר", map[string]encoding.Encoding{"windows-1255": charmap.Windows1255}},
	{"การประชุมเลื่อนเป็นพรุ่งนี้เวลาสิบโมงเช้า", map[string]encoding.Encoding{"windows-874": charmap.Windows874, "tis-620": charmap.Windows874}},
	{"Die Sitzung wurde verschoben: morgen früh um zehn, Grüße aus Köln", map[string]encoding.Encoding{"iso-8859-1": charmap.ISO8859_1, "windows-1252": charmap.Windows1252}},
	{"Formação Final Verão", map[string]encoding.Encoding{"iso-8859-1": charmap.ISO8859_1}},
}

// TestGuess guards that text is read although it does not say, or says wrongly, what it is written in.
func TestGuess(t *testing.T) {
	for _, s := range samples {
		for name, e := range s.as {
			octets, err := e.NewEncoder().Bytes([]byte(s.text))
			if err != nil {
				t.Fatal(name, err)
			}
			for _, said := range []string{name, strings.ToUpper(name), "", "unknown-8bit", "x-nonsense", "utf-8", "us-ascii-not"} {
				if got := Decode(said, octets); got != s.text {
					t.Errorf("%s, said to be %q: %q, want %q", name, said, got, s.text)
				}
			}
		}
		for _, said := range []string{"", "utf-8", "UTF8", "us-ascii", "iso-8859-1", "koi8-r", "gb2312", "nonsense"} {
			if got := Decode(said, []byte(s.text)); got != s.text {
				t.Errorf("UTF-8, said to be %q: %q, want %q", said, got, s.text)
			}
		}
	}
}

// TestDecode guards the names that mail uses for character sets.
func TestDecode(t *testing.T) {
	le, _ := utf.UTF16(utf.LittleEndian, utf.IgnoreBOM).NewEncoder().String("Grüße")
	be, _ := utf.UTF16(utf.BigEndian, utf.UseBOM).NewEncoder().String("Grüße")
	for _, tt := range []struct{ charset, octets, want string }{
		{"utf-7", "Hi Mom -+Jjo--!", "Hi Mom -☺-!"},
		{"unicode-1-1-utf-7", "1 +- 1", "1 + 1"},
		{"utf-16", le, "Grüße"},
		{"utf-16", be, "Grüße"},
		{"unicode", be, "Grüße"},
		{"cp1252", "\x80 100", "€ 100"},
		{"cp932", "\x82\xa0", "あ"},
		{"x-mac-cyrillic", "\x8f\xf0\xe8\xe2\xe5\xf2", "Привет"},
		{"hz-gb-2312", "~{<:Ky2;~}", "己所不"},
		{"'us-ascii'", "plain", "plain"},
		{"iso-2022-jp", "\x1b$B$\"\x1b(B", "あ"},
		{"", "\x1b$B$\"\x1b(B", "あ"},
		{"us-ascii", "\x1b[31mred", "\x1b[31mred"},
		{"utf-8", "cut \xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0", "cut прив\ufffd"},
		{"", "", ""},
		{"utf-16", "a", "a"},
	} {
		if got := Decode(tt.charset, []byte(tt.octets)); got != tt.want {
			t.Errorf("%s %q: %q, want %q", tt.charset, tt.octets, got, tt.want)
		}
	}
}

// TestDecodeField guards encoded words as they come: cut in the midst of a character, in quotes, glued to text, broken.
func TestDecodeField(t *testing.T) {
	for field, want := range map[string]string{
		"plain":                                                   "plain",
		"=?utf-8?B?0J/RgNC40LLQtdGC?=":                            "Привет",
		"=?UTF-8?Q?Gr=C3=BC=C3=9Fe_an_alle?=":                     "Grüße an alle",
		"=?utf-8?B?0J/RgNC40LLQ?= =?utf-8?B?tdGC?=":               "Привет",
		"=?utf-8?B?0J/RgNC40LLQ?=\r\n =?utf-8?B?tdGC?= !":         "Привет !",
		"=?iso-2022-jp?B?GyRCJEAbKEI=?= a =?us-ascii?Q?b?=":       "だ a b",
		`"=?utf-8?q?J=C3=B6rg?=" <j@example.org>`:                 `"Jörg" <j@example.org>`,
		"=?utf-8*de?q?=C3=A4?=":                                   "ä",
		"Re:=?gb2312?B?sai45g==?=.pdf":                            "Re:报告.pdf",
		"=?utf-8?B?0J/RgNC40LLQtdGC":                              "=?utf-8?B?0J/RgNC40LLQtdGC",
		"=?utf-8?X?abc?=":                                         "=?utf-8?X?abc?=",
		"=?utf-8?B?0J/RgNC40LLQtdGC0?=":                           "Привет",
		"a =?= b =??= c":                                          "a =?= b =??= c",
		"\xcf\xf0\xe8\xe2\xe5\xf2, \xea\xe0\xea \xe4\xe5\xeb\xe0": "Привет, как дела",
		"=?utf-8?q?a?==?utf-8?q?b?=":                              "ab",
		"=?nonsense?q?=C3=A4?=":                                   "ä",
		"=?utf-8?q?with space?=":                                  "with space",
	} {
		if got := DecodeField(field); got != want {
			t.Errorf("%q: %q, want %q", field, got, want)
		}
	}
}

// FuzzDecode guards that no octets under no name are anything but text afterwards.
func FuzzDecode(f *testing.F) {
	for _, s := range samples {
		for name, e := range s.as {
			octets, _ := e.NewEncoder().Bytes([]byte(s.text))
			f.Add(name, octets)
		}
	}
	f.Add("utf-7", []byte("+AAA-+-+"))
	f.Add("utf-16", []byte{0xff, 0xfe, 0})
	f.Fuzz(func(t *testing.T, charset string, octets []byte) {
		if !utf8.ValidString(Decode(charset, octets)) && !utf8.Valid(octets) {
			t.Errorf("%q %q: no UTF-8", charset, octets)
		}
		DecodeField("=?" + charset + "?Q?" + string(octets) + "?=")
		parseParams("text/plain; name*0*=" + charset + "''" + string(octets))
	})
}
