package find

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// examples are of what stands behind each field.
var examples = map[string]string{
	"from": "alice@example.org", "to": "bob", "cc": "bob", "subject": `"annual report"`, "file": "*.pdf",
	"folder": `"Sent Items"`,
	"after":  "2024-03", "before": "2025", "date": "2024-03-15", "larger": "10M", "smaller": "100K", "has": "attachment",
	"is": "unread", "keyword": "$Junk", "id": "<x@example.org>", "number": "12",
}

// makeTerm makes the term for a field; "" is for words anywhere.
func makeTerm(field, value string, quoted bool, whole string) (term, error) {
	switch field {
	case "", "from", "to", "cc", "subject", "file":
		return makeText(field, value, quoted, whole)
	case "folder":
		return inFolder{value, whole}, nil
	case "after", "before", "date":
		return makeReceived(field, value, whole)
	case "larger", "smaller":
		return makeSize(field, value, whole)
	case "is", "has":
		return makeState(field, value, whole)
	case "keyword":
		return flagged{mail.Flag(value)}, nil
	case "id":
		return withID(value), nil
	case "number":
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n <= 0 {
			return nil, &QueryError{whole, "that is no number of a message", "take one from the first column of: mailhaul list"}
		}
		return numbered(n), nil
	}
	return nil, &QueryError{whole, "there is no " + field + ":",
		"there are from: to: cc: subject: file: folder: after: before: date: larger: smaller: has: is: keyword: id: number:;" +
			" to look for the word itself, put it in quotes"}
}

func makeText(field, value string, quoted bool, whole string) (term, error) {
	text, prefix := value, false
	if !quoted {
		text, prefix = strings.CutSuffix(value, "*")
	}
	if field == "file" && !quoted {
		text = strings.TrimLeft(text, "*.")
	}
	expression := phrase(text, prefix)
	if expression == "" {
		return nil, &QueryError{whole, "there is no letter or digit in it to look for", "only words and numbers are in the index"}
	}
	return words{field, expression}, nil
}

func makeReceived(field, value, whole string) (term, error) {
	for layout, next := range map[string][3]int{"2006": {1, 0, 0}, "2006-1": {0, 1, 0}, "2006-1-2": {0, 0, 1}} {
		from, err := time.ParseInLocation(layout, strings.ReplaceAll(value, "/", "-"), time.Local)
		if err != nil {
			continue
		}
		until := from.AddDate(next[0], next[1], next[2])
		switch field {
		case "after":
			return received{from: from}, nil
		case "before":
			return received{until: from}, nil
		}
		return received{from: from, until: until}, nil
	}
	return nil, &QueryError{whole, "that is no date", "write a year, a month or a day: 2024, 2024-03, 2024-03-15"}
}

var sizePattern = regexp.MustCompile(`(?i)^([0-9]{1,15})([kmg]?)(i?)b?$`)

// makeSize reads sizes as the rest of the program writes them: K, M and G are powers of ten, with an i of two.
func makeSize(field, value, whole string) (term, error) {
	m := sizePattern.FindStringSubmatch(value)
	if m == nil || m[2] == "" && m[3] != "" {
		return nil, &QueryError{whole, "that is no size", "write octets, or 500K, 10M, 1G"}
	}
	n, _ := strconv.ParseInt(m[1], 10, 64) // it has few enough digits
	unit := int64(1000)
	if m[3] != "" {
		unit = 1024
	}
	for range strings.Index(" kmg", strings.ToLower(m[2] + " ")[:1]) {
		n = min(n, math.MaxInt64/unit) * unit
	}
	return sized{n, field == "smaller"}, nil
}

// states are what can be asked for with is:.
var states = map[string]term{
	"unread": not{flagged{mail.Seen}}, "read": flagged{mail.Seen}, "seen": flagged{mail.Seen},
	"flagged": flagged{mail.Flagged}, "starred": flagged{mail.Flagged},
	"answered": flagged{mail.Answered}, "replied": flagged{mail.Answered}, "forwarded": flagged{mail.Forwarded},
	"draft": flagged{mail.Draft}, "deleted": flagged{mail.Deleted}, "gone": gone{},
}

func makeState(field, value, whole string) (term, error) {
	value = strings.ToLower(value)
	if field == "has" {
		if strings.HasPrefix("attachments", value) && len(value) >= len("attach") {
			return attached{}, nil
		}
		return nil, &QueryError{whole, "nothing else than attachments can be asked for", "write has:attachment"}
	}
	if t := states[value]; t != nil {
		return t, nil
	}
	return nil, &QueryError{whole, "that is no state of a message",
		"there are unread, read, flagged, answered, forwarded, draft, deleted and gone; keyword: is for all others"}
}
