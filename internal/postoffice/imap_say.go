package postoffice

import (
	"bytes"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Write takes what imapserver says.
func (r *relay) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		if r.literal > 0 {
			n := min(int64(len(rest)), r.literal)
			if r.withheld == nil && r.begun == "" {
				r.out.Write(rest[:n])
			}
			r.literal -= n
			rest = rest[n:]
			continue
		}
		end := bytes.IndexByte(rest, '\n') + 1
		if end == 0 {
			r.line = append(r.line, rest...)
			break
		}
		line := string(append(r.line, rest[:end]...))
		r.line, rest = r.line[:0], rest[end:]
		if err := r.fromServer(line); err != nil {
			return 0, err
		}
	}
	return len(p), r.out.Flush()
}

// fromServer takes one whole line.
func (r *relay) fromServer(line string) error {
	if found := marker.FindStringSubmatch(line); found != nil {
		r.literal, _ = strconv.ParseInt(found[1], 10, 64)
	}
	line = r.begun + strings.TrimRight(line, "\r\n")
	r.begun = ""
	if r.hollow && r.literal > 0 {
		r.hollow, r.begun = false, marker.ReplaceAllString(line+"\r\n", "NIL")
		return nil
	}
	last := strings.HasPrefix(line, r.tag+" ")
	if last {
		r.answered = true
		r.looked()
	}
	if f := r.withheld; f != nil {
		if !last {
			return nil
		}
		r.withheld = nil
		return r.answer(f)
	}
	r.say(line)
	return nil
}

// answer says what a fault has to say and ends the line if it does.
func (r *relay) answer(f *Fault) error {
	switch {
	case strings.HasPrefix(f.Say, "*"):
		r.say(f.Say)
	case f.Say != "":
		r.say(r.tag + " " + f.Say)
	}
	r.answered = true
	err := r.out.Flush()
	r.end(f.End)
	return err
}

func (r *relay) endless() error {
	r.out.WriteString("* OK ")
	for {
		if _, err := r.out.WriteString("and so on "); err != nil || r.ending() {
			return io.EOF
		}
	}
}

func (r *relay) say(line string) {
	for _, line := range r.besides(line) {
		r.sayLine(line)
	}
}

func (r *relay) sayLine(line string) {
	for _, prefix := range []string{"* LIST ", "* LSUB ", "* XLIST ", "* STATUS "} {
		if strings.HasPrefix(line, prefix) {
			line = sayNames(line)
		}
	}
	for _, line := range r.rewritten(r.command, r.announced(line)) {
		r.out.WriteString(line + "\r\n")
	}
}

var capabilityList = regexp.MustCompile(`CAPABILITY [^\]]*`)

// announced takes out of a line the capabilities that the server does not have.
func (r *relay) announced(line string) string {
	if !strings.HasPrefix(line, "* CAPABILITY") && !strings.Contains(line, " [CAPABILITY ") {
		return line
	}
	return capabilityList.ReplaceAllStringFunc(line, func(list string) string {
		names := slices.DeleteFunc(strings.Split(list, " "), r.hides)
		return strings.Join(append(names, r.at.With...), " ")
	})
}

func (r *relay) hides(capability string) bool {
	switch {
	case !r.has(capability):
		return true
	case capability == "LITERAL-":
		return r.has("LITERAL+")
	}
	// Names are the octets on the wire here, whatever was enabled; the limit on APPEND is imapserver's largest.
	return capability == "UTF8=ACCEPT" || strings.HasPrefix(capability, "APPENDLIMIT")
}
