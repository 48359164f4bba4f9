package mail

import (
	"bufio"
	"io"
	"strings"
)

// ReadStatus reads a message's header and returns the flags that programs with mailboxes in one file keep in it, in the
// fields Status and X-Status, and whether there is one of them. \Deleted is not among the flags.
func ReadStatus(message io.Reader) (Flags, bool) {
	var names []string
	told := false
	in := bufio.NewReader(io.LimitReader(message, maxHead))
	for {
		line, err := in.ReadString('\n')
		name, value, _ := strings.Cut(line, ":")
		if letters := statusLetters[strings.ToLower(name)]; letters != nil {
			told = true
			for _, c := range strings.TrimSpace(value) {
				if f, ok := letters[c]; ok {
					names = append(names, string(f))
				}
			}
		}
		if err != nil || strings.Trim(line, "\r\n") == "" {
			return MakeFlags(names...), told
		}
	}
}

// statusLetters are what the letters in the fields mean; others mean nothing here.
var statusLetters = map[string]map[rune]Flag{
	"status":   {'R': Seen},
	"x-status": {'A': Answered, 'F': Flagged, 'T': Draft},
}
