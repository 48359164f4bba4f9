package mail

import (
	"strings"
	"testing"
)

func TestReadStatus(t *testing.T) {
	for _, tt := range []struct {
		message string
		want    Flags
		told    bool
	}{
		{"Subject: x\r\n\r\nStatus: RO\r\n", nil, false},
		{"Subject: x\r\nStatus: RO\r\n\r\n", MakeFlags(`\Seen`), true},
		{"STATUS: O\nx-status: FAT\n\n", MakeFlags(`\Answered`, `\Flagged`, `\Draft`), true},
		{"Status:\r\n\r\n", nil, true},
		{"X-Status: D\r\n\r\n", nil, true},
		{"X-Statuses: RO\r\n\r\n", nil, false},
		{"Status: R", MakeFlags(`\Seen`), true},
		{"", nil, false},
		{strings.Repeat("x", maxHead) + "\r\nStatus: R\r\n\r\n", nil, false},
	} {
		if got, told := ReadStatus(strings.NewReader(tt.message)); !got.Equal(tt.want) || told != tt.told {
			t.Errorf("ReadStatus(%.40q) = %v, %v, want %v, %v", tt.message, got, told, tt.want, tt.told)
		}
	}
}
