package main

import (
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// A row is the row of the terminal on which the bar moves. Nothing that is written to it comes near the row's end: a
// line that did would be wrapped, by a terminal that has become narrower or by the ^C that it shows of a key, and
// nothing takes a wrapped line away again.
type row struct{ out io.Writer }

const (
	spare = 4 // columns for a ^C, and the last one, behind which terminals wrap
	usual = 80
)

// width returns how many columns there are to write to. A person may change it at any time.
func (r row) width() int {
	if f, ok := r.out.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
			return max(0, columns-spare)
		}
	}
	return usual - spare
}

// Write takes lines that begin with a CR and have a character a column. Each takes all of the row, so that nothing
// is left over of what stood there when the terminal was another size.
func (r row) Write(p []byte) (int, error) {
	lines, width := strings.Split(string(p), "\r"), r.width()
	for i, line := range lines {
		if line == "" {
			continue
		}
		chars := []rune(line)
		lines[i] = string(chars[:min(len(chars), width)]) + strings.Repeat(" ", max(0, width-len(chars)))
	}
	if _, err := io.WriteString(r.out, strings.Join(lines, "\r")); err != nil {
		return 0, err
	}
	return len(p), nil
}

// clear empties the row, a ^C on it included.
func (r row) clear() {
	io.WriteString(r.out, "\r"+strings.Repeat(" ", r.width()+spare-1)+"\r")
}
