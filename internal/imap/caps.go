package imap

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// capabilities are those a server announces (RFC 3501 §7.2.1), in upper case.
type capabilities map[string]bool

func parseCaps(list string) capabilities {
	caps := capabilities{}
	for _, name := range strings.Fields(list) {
		caps[strings.ToUpper(name)] = true
	}
	return caps
}

func (c capabilities) has(name string) bool { return c[name] }

func (c capabilities) list() []string { return slices.Sorted(maps.Keys(c)) }

// appendLimit returns the largest message the server takes (RFC 7889), 0 if it does not say.
func (c capabilities) appendLimit() int64 {
	for name := range c {
		if digits, ok := strings.CutPrefix(name, "APPENDLIMIT="); ok {
			if n, err := strconv.ParseInt(digits, 10, 64); err == nil && n > 0 {
				return n
			}
		}
	}
	return 0
}

// identity returns what names a message's content wherever it lies (see mail.Item), "" if the server has nothing.
func (c capabilities) identity() string {
	switch {
	case c.has("OBJECTID"):
		return emailID
	case c.has("X-GM-EXT-1"):
		return gmailID
	}
	return ""
}

// messageLimit returns how many messages one command may be about (RFC 9738), 0 if the server does not say.
func (c capabilities) messageLimit() uint64 {
	for name := range c {
		if digits, ok := strings.CutPrefix(name, "MESSAGELIMIT="); ok {
			if n, err := strconv.ParseUint(digits, 10, 32); err == nil {
				return n
			}
		}
	}
	return 0
}
