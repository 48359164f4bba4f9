package find

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/testdata"
)

var corpus = flag.String("corpus", "", "a `directory` with more mail (*/*.eml) for TestScripts")

// TestScripts guards that mail of every script is found by words and phrases as people type them, among all the awkward mail
// there is, of which none stops the index.
func TestScripts(t *testing.T) {
	s := newShelf(t)
	names := map[int64]string{}
	add := func(name string, octets []byte) { names[s.put("INBOX", nil, march, string(octets))[0]] = name }
	for _, m := range testdata.Messages() {
		add(m.Name, m.Octets)
	}
	files, _ := filepath.Glob(filepath.Join("testdata", "*.eml"))
	if *corpus != "" {
		more, _ := filepath.Glob(filepath.Join(*corpus, "*", "*.eml"))
		files = append(files, more...)
	}
	for _, file := range files {
		octets, err := os.ReadFile(file)
		mustDo(t, err)
		add(filepath.Base(file), octets)
	}
	for query, want := range map[string]string{
		"الرسالة": "sisimai-lhost-googlegroups-03.eml",
		`"هذه الرسالة هو إعلامك"`: "sisimai-lhost-googlegroups-03.eml",
		"اعلامك":                 "sisimai-lhost-googlegroups-03.eml", // without hamza
		"می\u200cخواهید ارتباط":  "sisimai-lhost-googlegroups-08.eml",
		"ميخواهيد":               "sisimai-lhost-googlegroups-08.eml", // Arabic ya, no joiner
		`"نام گروه را به درستی"`: "sisimai-lhost-googlegroups-08.eml",
		"שהקבוצה":                "sisimai-lhost-googlegroups-10.eml",
		`"समूह के नाम"`:          "sisimai-lhost-googlegroups-11.eml",
		`subject:"свежий прайс-лист" from:паРтком`: "webklex-mixed_filename.eml",
		"прайсы file:price4vladdakar":              "webklex-mixed_filename.eml",
		"再送信":                                      "sisimai-make-test-06.eml",
		"再送信してください":                                "sisimai-make-test-06.eml",
		"增值税":                                      "spamscope-mail_test_12.eml",
		"发票 微信":                                    "spamscope-mail_test_12.eml",
		`"我公司可代开"`:                                 "spamscope-mail_test_12.eml",
		"税发":                                       "spamscope-mail_test_12.eml",
		"회원님께":                                     "webklex-ks_c_5601-1987_headers.eml",
		"메시지":                                      "webklex-ks_c_5601-1987_headers.eml", // of a longer word
		`"Lorem ipsum dolor sit amet" file:attachment.txt`: "phpmime-m0008.eml", // of an attached text
		`"adipiscing ELIT. Vestibulum"`:                    "phpmime-m0008.eml",
		"まみむめも from:lindsaar":                              "mikelmail-japanese_iso_2022.eml",
		"テスト用":                                             "mikelmail-japanese_shift_jis.eml",
	} {
		q, err := Parse(query)
		mustDo(t, err)
		var got []string
		x := New(s.Archive)
		for e, err := range x.Select(context.Background(), q) {
			mustDo(t, err)
			got = append(got, names[e.ID])
		}
		mustDo(t, x.Close())
		if !slices.Contains(got, want) || len(slices.Compact(slices.Sorted(slices.Values(got)))) > 3 {
			t.Errorf("%s: %s, want %s", query, strings.Join(got, ", "), want)
		}
	}
}
