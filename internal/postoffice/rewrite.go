package postoffice

import "regexp"

// A Rewrite is given every line a server says, without its line end, and the command it answers, "GREETING" for the
// first; what it returns is said instead. The password is replaced in the command. Over IMAP the command is without
// its tag, and a line that holds a literal comes in two: up to the "{n}" that announces it, which must stay, and from
// its end on. Mail itself is not given.
type Rewrite func(command, line string) []string

// Then returns a Rewrite that does the one and, with the lines it returned, the other.
func (rewrite Rewrite) Then(next Rewrite) Rewrite {
	return func(command, line string) []string {
		var all []string
		for _, line := range rewrite(command, line) {
			all = append(all, next(command, line)...)
		}
		return all
	}
}

// Replace returns a Rewrite that replaces what the regular expression matches in lines that answer the verb; "" is
// any. In the replacement $1 is the first submatch.
func Replace(verb, expr, with string) Rewrite {
	re := regexp.MustCompile(expr)
	return func(command, line string) []string {
		if verb == "" || verbOf(command) == verb {
			line = re.ReplaceAllString(line, with)
		}
		return []string{line}
	}
}

// Drop returns a Rewrite that does not say the lines that answer the verb and match the regular expression.
func Drop(verb, expr string) Rewrite {
	re := regexp.MustCompile(expr)
	return func(command, line string) []string {
		if (verb == "" || verbOf(command) == verb) && re.MatchString(line) {
			return nil
		}
		return []string{line}
	}
}

// Rewrites that servers are known for.
var (
	// SwappedAPPENDUID has UIDVALIDITY and UID change places. DavMail did it.
	SwappedAPPENDUID = Replace("APPEND", `APPENDUID (\d+) (\d+)`, "APPENDUID $2 $1")
	// NoUIDNEXT leaves UIDNEXT out of the answers to SELECT, EXAMINE and STATUS.
	NoUIDNEXT = Drop("", `\[UIDNEXT`).Then(Replace("", `^(\* STATUS .*)UIDNEXT \d+ ?`, "$1"))
	// NoKeywords has PERMANENTFLAGS without \*, so that clients know that keywords are not kept.
	NoKeywords = Replace("", `(PERMANENTFLAGS \(.*) \\\*\)`, "$1)")
)
