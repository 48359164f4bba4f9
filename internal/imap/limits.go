package imap

import (
	"cmp"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/mailhaul/mailhaul/internal/mail"
)

const (
	afterBusy  = time.Minute
	afterBreak = 5 * time.Second
	// afterTurnedAway is for a server that hangs up on who logs in: its other sessions may be ours, not over yet.
	afterTurnedAway = 10 * time.Second
	afterBandwidth  = time.Hour // providers say a day, and mean less
	// maxPause is the longest that is believed of a server that names a time.
	maxPause = 24 * time.Hour
)

// What can be done about a limit.
const (
	hintQuota     = "make room in the account, or have its quota raised, and run again"
	hintBandwidth = "the provider allows so much a day"
	hintExpired   = "run again; if the server says so again, a limit of the day may be reached, and it goes on tomorrow"
	hintSupport   = "ask the provider: the server says that its support must look at the account"
)

// limitOf tells a limit and a busy server from other refusals: by words that servers are known to use, or else by the
// response code (RFC 5530 §3). It returns nil for other refusals. Words come first, for Gmail says [OVERQUOTA] of its
// bandwidth too.
func limitOf(code, text string) *mail.Error {
	words := strings.ToLower(text)
	switch {
	case says(words, bandwidthWords): // Gmail, for up to a day
		return &mail.Error{Scope: mail.ScopeAccount, Cause: mail.CauseQuota, Later: max(pauseIn(words), afterBandwidth), Hint: hintBandwidth}
	case code == "OVERQUOTA", code != "TOOBIG" && says(words, quotaWords):
		return &mail.Error{Scope: mail.ScopeAccount, Cause: mail.CauseQuota, Hint: hintQuota}
	case code == "CONTACTADMIN":
		return &mail.Error{Scope: mail.ScopeAccount, Cause: mail.CauseOther, Hint: hintSupport}
	case says(words, expiredWords):
		return &mail.Error{Scope: mail.ScopeSession, Cause: mail.CauseQuota, Later: afterBusy, Hint: hintExpired}
	case code == "EXPUNGEISSUED": // somebody else has; it is over soon
		return &mail.Error{Scope: mail.ScopeSession, Cause: mail.CauseNetwork, Later: afterBreak}
	case busyCodes[code], !isAboutMessage(code, words) && says(words, busyWords):
		return &mail.Error{Scope: mail.ScopeSession, Cause: mail.CauseNetwork, Later: cmp.Or(pauseIn(words), afterBusy)}
	}
	return nil
}

// limitIn does so with an answer.
func limitIn(no *imap.Error) *mail.Error { return limitOf(string(no.Code), no.Text) }

// isLimit reports whether an answer is about the server and not about what it was asked for, which [SERVERBUG] may be.
func isLimit(err error) bool {
	var no *imap.Error
	return errors.As(err, &no) && no.Code != imap.ResponseCodeServerBug && limitIn(no) != nil
}

// busyCodes say that trying later helps. INUSE is a mailbox that somebody has locked; LIMIT may also be about flags,
// which Append and Mark see to first.
var busyCodes = map[string]bool{"UNAVAILABLE": true, "INUSE": true, "SERVERBUG": true, "THROTTLED": true, "LIMIT": true}

var (
	bandwidthWords = []string{"bandwidth limit"}
	quotaWords     = []string{"over quota", "overquota", "quota exceeded", "exceeded quota", "exceeds quota", "quota exhausted", "mailbox is full", "mailbox full", "5.2.2"}
	// Gmail ends a session so, and one that has reached the limits of a day.
	expiredWords = []string{"session expired"}
	busyWords    = []string{"too many connections", "number of connections", "connection limit", "too many simultaneous", "too many sessions",
		"too many commands", "too many requests", "too many login", "too many failed", "try again", "try later", "retry later",
		"temporar", "throttl", "backoff", "rate limit", "server busy", "slow down", "server unavailable"}
	// What is wrong with a message stays wrong, whatever else the server says.
	messageWords = []string{"virus", "malware", "spam", "infected", "nul character", "contains nul", "null byte", "bare lf", "bare cr", "bare newline",
		"too large", "too big", "maximum size", "message size", "line too long", "invalid header", "invalid message", "5.7.", "5.6.", "5.3.4", "5.2.3"}
)

func says(words string, any []string) bool {
	for _, w := range any {
		if strings.Contains(words, w) {
			return true
		}
	}
	return false
}

func isAboutMessage(code, words string) bool { return code == "TOOBIG" || says(words, messageWords) }

var (
	inWords = regexp.MustCompile(`(\d{1,9}) ?(ms|msec|millisecond|s|sec|second|m|min|minute|h|hr|hour)s?\b`)
	units   = map[string]time.Duration{"ms": time.Millisecond, "msec": time.Millisecond, "millisecond": time.Millisecond,
		"s": time.Second, "sec": time.Second, "second": time.Second, "m": time.Minute, "min": time.Minute, "minute": time.Minute,
		"h": time.Hour, "hr": time.Hour, "hour": time.Hour}
)

// pauseIn returns how long a text asks to wait, 0 if it does not say. Microsoft says "Suggested Backoff Time: 299961
// milliseconds".
func pauseIn(words string) time.Duration {
	m := inWords.FindStringSubmatch(words)
	if m == nil {
		return 0
	}
	n, _ := strconv.ParseInt(m[1], 10, 64)
	return time.Duration(min(n, int64(maxPause/units[m[2]]))) * units[m[2]]
}
