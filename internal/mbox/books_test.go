package mbox

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
)

func TestReadBooks(t *testing.T) {
	for _, tt := range []struct{ books, flags, says string }{
		{"X-Account-Key: account1\nX-UIDL: x\nX-Mozilla-Status: 0001\nX-Mozilla-Status2: 00000000\nX-Mozilla-Keys:       \n", `\Seen`, ""},
		{"X-Mozilla-Status: 1007\r\nX-Mozilla-Keys: $label1 urgent (x) \\Deleted\r\n", `$Forwarded $label1 \Answered \Flagged \Seen urgent`, ""},
		{"X-Mozilla-Status: 0009\n", `\Seen`, "deleted"},
		{"X-Mozilla-Status: 0401\n", `\Seen`, "partial"},
		{"X-Mozilla-Status: nonsense\n", "", ""},
		{"X-GM-THRID: 12\nX-Gmail-Labels: Inbox,\n \"a, b\"\n", "", "labels Inbox|a, b"},
		{"x-gmail-labels: \n", "", "labels "},
	} {
		b, n := ReadBooks([]byte(tt.books + "Subject: x\nX-Mozilla-Status: 0008\n\n"))
		says := ""
		switch {
		case b.Deleted:
			says = "deleted"
		case b.Partial:
			says = "partial"
		case b.Labelled:
			says = "labels " + strings.Join(b.Labels, "|")
		}
		if flags := flagsText(b.Flags); n != len(tt.books) || !b.Told || flags != tt.flags || says != tt.says {
			t.Errorf("ReadBooks(%q) = %d octets, %q, %q, want %d, %q, %q", tt.books, n, flags, says, len(tt.books), tt.flags, tt.says)
		}
	}
	for _, own := range []string{"Subject: x\nX-Mozilla-Status: 0001\n\n", "X-UIDL: of the server\nSubject: x\n\n", "X-Account-Key: x\n\n", "", "\n", "X-Gm"} {
		if b, n := ReadBooks([]byte(own)); n != 0 || b.Told {
			t.Errorf("ReadBooks(%q) = %+v, %d octets, want none", own, b, n)
		}
	}
}

func flagsText(flags mail.Flags) string { return strings.Trim(fmt.Sprint(flags), "[]") }

func TestFieldFlags(t *testing.T) {
	for _, tt := range []struct{ head, flags string }{
		{"Status: RO\nX-Status: AF\nSubject: x\n", `\Answered \Flagged \Seen`},
		{"Status: O\n", ""},
		{"Subject: x\nX-Keywords: a $b,c            \n", "$b a c"},
		{"Subject: x\n", "nothing"},
	} {
		flags, told := fieldFlags([]byte(tt.head))
		if got := flagsText(flags); told != (tt.flags != "nothing") || told && got != tt.flags {
			t.Errorf("fieldFlags(%q) = %q, %t, want %q", tt.head, got, told, tt.flags)
		}
	}
}

// TestLabels: labels as Takeout has written them, and what people see of them.
func TestLabels(t *testing.T) {
	for _, tt := range []struct{ value, folders, flags string }{
		{"Inbox,Important,Opened,Category Personal", "INBOX(inbox)", `$Important \Seen`},
		{"Archived,Sent", "Sent(sent)", `\Seen`},
		{"Archived,Unread", "Archived(archive)", ""},
		{"", "Archive(archive)", `\Seen`},
		{"Inbox,Starred,Work/2019,Work", `INBOX(inbox) Work/2019() Work()`, `\Flagged \Seen`},
		{"Trash,Inbox,Work,Unread", "Trash(trash)", ""},
		{"Spam,Unread", "Spam(junk)", ""},
		{"Draft,Opened", "Draft(drafts)", `\Draft \Seen`},
		{`Inbox,"Culture, associations",IMAP_$Forwarded`, "INBOX(inbox) Culture, associations()", `$Forwarded \Seen`},
		{`=?UTF-8?Q?Posteingang,Wichtig,Ungelesen,Kategorie:_=22Neuigkeiten=22?=`, "INBOX(inbox)", "$Important"},
		{`=?UTF-8?Q?Archiv=C3=A9s,Envoy=C3=A9?=`, "Envoyé(sent)", `\Seen`},
		{`=?UTF-8?Q?Messages_archiv=C3=A9s,Ouvert,Cat=C3=A9gorie=C2=A0:_E-mails_?= =?UTF-8?Q?personnels,"Culture,_associations"?=`,
			"Culture, associations()", `\Seen`},
		{`=?UTF-8?Q?Archivov=C3=A1no,Kategorie:_Soci=C3=A1?= =?UTF-8?Q?ln=C3=AD_s=C3=ADt=C4=9B,Nep=C5=99e=C4=8Dten=C3=A9,Facebook?=`, "Facebook()", ""},
		{"=?UTF-8?B?67Cb7J2A7Y647KeA7ZWoLOykkeyalO2OuOyngO2VqA==?=", "INBOX(inbox)", `$Important \Seen`},
		{"=?UTF-8?B?6KuL5rGC5pu4?=,受信トレイ,未読", "請求書() INBOX(inbox)", ""},
		{"Kategorien,inbox", "Kategorien() INBOX(inbox)", `\Seen`},
		{"/,Inbox", "INBOX(inbox)", `\Seen`},
	} {
		f := File(SplitLabels(tt.value))
		var folders []string
		for _, folder := range f.Folders {
			folders = append(folders, fmt.Sprintf("%s(%s)", strings.Join(folder.Levels, "/"), folder.Role))
		}
		if got, flags := strings.Join(folders, " "), flagsText(f.Flags); got != tt.folders || flags != tt.flags {
			t.Errorf("File(%q) = %q %q, want %q %q", tt.value, got, flags, tt.folders, tt.flags)
		}
	}
}

// TestLabelWords guards that every language has a word for everything, and that no word means two things.
func TestLabelWords(t *testing.T) {
	if len(gmails) < 12 {
		t.Errorf("%d languages", len(gmails))
	}
	means := map[string]labelMeaning{}
	for _, g := range gmails {
		if g.taken == "" {
			t.Errorf("%s has no word for a category", g.language)
		}
		for meaning, list := range g.byMeaning() {
			for word := range strings.SplitSeq(list, "|") {
				key := labelKey(word)
				if key == "" || means[key] != meansFolder && means[key] != meaning {
					t.Errorf("%s: %q means %d and %d", g.language, word, meaning, means[key])
				}
				means[key] = meaning
			}
		}
	}
}

func FuzzBooks(f *testing.F) {
	f.Add("X-Mozilla-Status: 0001\nX-Mozilla-Keys: a b\nSubject: x\n")
	f.Add("X-Gmail-Labels: =?UTF-8?Q?a,\"b=2C_c\"?=,\n =?x?=\n\n")
	f.Fuzz(func(t *testing.T, head string) {
		b, n := ReadBooks([]byte(head))
		if n > len(head) || b.Told != (n > 0) || len(b.Labels) > 10*maxLabels {
			t.Errorf("ReadBooks(%q) = %+v, %d", head, b, n)
		}
		filed := File(SplitLabels(head))
		if len(filed.Folders) == 0 || slices.ContainsFunc(filed.Folders, func(f Folder) bool { return len(f.Levels) == 0 }) {
			t.Errorf("File(%q) = %+v", head, filed)
		}
	})
}
