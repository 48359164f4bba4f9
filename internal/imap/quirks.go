package imap

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// Most oddities are dealt with for every server alike, where they would do harm:
//
//	163.com, 126.com  open no mailbox before ID (introduce); STATUS leaves UIDNEXT out (sound)
//	Courier           shows what arrived to whoever opens the mailbox again (changes always does)
//	Domino            INTERNALDATE "00-Jan-0000 00:00:00 +0000" (row.item)
//	Exchange          [Error="Microsoft.Exchange.…"] (parseRespText)
//	Gmail             no OBJECTID, but X-GM-MSGID (capabilities.identity)
//	iCloud            OK and BYE without a text; SEARCH shows what is not there (nothing is searched for)
//	Yandex            names with a raw "&" (alias)
//
// The others are these.

// uidLast is the note on Exchange ("* OK The Microsoft Exchange IMAP4 service is ready."), which shows
// "* 1 FETCH (BODY[] {n} … UID 12)". In an answer to many nobody knows whose octets those are before they are over, so
// that it is asked for one message at a time, from the beginning.
const uidLast = "shows messages before it says which"

func isExchange(greeting string) bool { return strings.Contains(greeting, "Microsoft Exchange") }

// isApple: iCloud's proxy announces capabilities with the login that the server behind it, when asked, does not have.
func isApple(host string) bool {
	return mail.InDomain(host, "mail.me.com") || mail.InDomain(host, "icloud.com")
}

// isYahoo: Yahoo and AOL. They deal with yahooWindow messages in one command, announced (RFC 9738) or not.
func isYahoo(host string) bool {
	return mail.InDomain(host, "yahoo.com") || mail.InDomain(host, "aol.com")
}

const yahooWindow = 1000

// ceilings are how many messages Yahoo and AOL show of a folder at most, on their usual host and on the one for bulk:
// the newest. What is older cannot be seen, and is not counted either.
var ceilings = []uint32{10_000, 100_000}

// ceiling says what a count means that is a ceiling, "" if it is none.
func ceiling(host string, count uint32) string {
	if !slices.Contains(ceilings, count) {
		return ""
	}
	text := fmt.Sprintf("the server shows exactly %d messages of the folder, as many as some providers show at most: older ones may be hidden", count)
	if isYahoo(host) && !strings.HasPrefix(host, "export.") {
		text += "; export." + host + " shows more"
	}
	return text
}
