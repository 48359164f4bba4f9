package main

import (
	"io"
	"strings"
)

// A wrapper breaks lines that are longer than a terminal has columns, behind a blank if there is one.
type wrapper struct {
	out     io.Writer
	columns int
}

// wrapped returns out with lines that fit so many columns; 0: as they are. What is written to it must end with a line end.
func wrapped(out io.Writer, columns int) io.Writer {
	if columns <= 0 {
		return out
	}
	return wrapper{out, columns}
}

func (w wrapper) Write(p []byte) (int, error) {
	var b strings.Builder
	for line := range strings.Lines(string(p)) {
		for {
			head := firstColumns(line, w.columns)
			if len(head) >= len(strings.TrimSuffix(line, "\n")) {
				break
			}
			if blank := strings.LastIndexByte(head, ' '); blank > len(head)/3 {
				head = head[:blank+1]
			}
			b.WriteString(strings.TrimRight(head, " ") + "\n")
			line = strings.TrimLeft(line[len(head):], " ")
		}
		b.WriteString(line)
	}
	_, err := io.WriteString(w.out, b.String())
	return len(p), err
}

// firstColumns returns the beginning of s that takes so many columns at most, at least one character.
func firstColumns(s string, columns int) string {
	taken := 0
	for i, r := range s {
		if r == '\n' {
			break
		}
		if taken += columnsOf(r); taken > columns && i > 0 {
			return s[:i]
		}
	}
	return s
}
