package mbox

import (
	"strings"
	"testing"
	"time"
)

const plist = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>date-received</key>
	<integer>1420362001</integer>
	<key>flags</key>
	<integer>8590195729</integer>
	<key>extra</key>
	<dict><key>flags</key><integer>2</integer></dict>
	<key>remote-id</key>
	<string>7</string>
</dict>
</plist>
`

func TestReadEMLX(t *testing.T) {
	for _, tt := range []struct {
		file, flags    string
		start, octets  int64
		received, fail string
	}{
		{"9         \nA: 1\n\nhi\n" + plist, `\Flagged \Seen`, 11, 9, "2015-01-04T09:00:01Z", ""},
		{"4\nA: 1", "", 2, 4, "", ""},
		{"4\nA: 1<plist><dict><key>flags</key><integer>-5</integer></dict>", "", 2, 4, "", ""},
		{"4\nA: 1<plist><dict><key>flags", "", 2, 4, "", ""},
		{"0\n", "", 2, 0, "", ""},
		{"5\nA: 1", "", 0, 0, "", "only 4 are there"},
		{"-1\nA: 1", "", 0, 0, "", "does not begin with the number"},
		{"A: 1\n", "", 0, 0, "", "does not begin with the number"},
		{"", "", 0, 0, "", "does not begin with the number"},
		{strings.Repeat("1", 10_000), "", 0, 0, "", "does not begin with the number"},
	} {
		e, err := ReadEMLX(strings.NewReader(tt.file), int64(len(tt.file)))
		if tt.fail != "" {
			if err == nil || !strings.Contains(err.Error(), tt.fail) {
				t.Errorf("ReadEMLX(%.40q): %v, want %q", tt.file, err, tt.fail)
			}
			continue
		}
		received := ""
		if !e.Received.IsZero() {
			received = e.Received.Format(time.RFC3339)
		}
		if flags := flagsText(e.Flags); err != nil || e.Start != tt.start || e.Octets != tt.octets || flags != tt.flags || received != tt.received {
			t.Errorf("ReadEMLX(%.40q) = %+v, %v", tt.file, e, err)
		}
	}
}

func FuzzEMLX(f *testing.F) {
	f.Add("9         \nA: 1\n\nhi\n" + plist)
	f.Add("4\nA: 1<plist><dict><key>flags</key><integer>1</integer>")
	f.Add("99999999999999999999\n")
	f.Fuzz(func(t *testing.T, file string) {
		e, err := ReadEMLX(strings.NewReader(file), int64(len(file)))
		if err == nil && (e.Start < 0 || e.Octets < 0 || e.Start+e.Octets > int64(len(file))) {
			t.Errorf("%q: %+v", file, e)
		}
	})
}
