package imap

import (
	"fmt"
	"slices"
	"strings"
)

// loginHints say what the people of some providers do wrong most.
var loginHints = []struct{ domain, hint string }{
	{"gmail.com", "Gmail wants an app password for IMAP, not the password of the account: https://myaccount.google.com/apppasswords"},
	{"googlemail.com", "Gmail wants an app password for IMAP, not the password of the account: https://myaccount.google.com/apppasswords"},
	{"office365.com", "Microsoft takes no passwords for IMAP any more; the account needs OAuth2"},
	{"outlook.com", "Microsoft takes no passwords for IMAP any more; the account needs OAuth2"},
	{"mail.me.com", "iCloud wants an app-specific password: https://account.apple.com"},
	{"yahoo.com", "Yahoo wants an app password, made in the security settings of the account"},
	{"aol.com", "AOL wants an app password, made in the security settings of the account"},
	{"gmx.net", "IMAP must be switched on in the settings of the account at GMX first"},
	{"web.de", "IMAP must be switched on in the settings of the account at WEB.DE first"},
	{"163.com", "163.com wants an authorisation code, made in its settings, instead of the password"},
	{"qq.com", "QQ Mail wants an authorisation code, made in its settings, instead of the password"},
}

// loginHint says what to do about a refused login.
func loginHint(host, text string) string {
	for _, h := range loginHints {
		if host == h.domain || strings.HasSuffix(host, "."+h.domain) {
			return h.hint
		}
	}
	if strings.Contains(strings.ToLower(text), "app") && strings.Contains(strings.ToLower(text), "password") {
		return "the provider wants an app password, made in the security settings of the account"
	}
	return "check user name and password; the user name is often the whole e-mail address, and some providers want an app password or IMAP switched on"
}

// shutOuts are answers that say that an account is closed to whoever has the right name, by their codes (RFC 5530 §3) or
// by words.
var shutOuts = []struct{ code, words, hint string }{
	{"EXPIRED", "", "the password has expired: set a new one at the provider"},
	{"PRIVACYREQUIRED", "", "the server wants TLS: use imaps://"},
	{"AUTHORIZATIONFAILED", "", "the password is right, but this user may not read this account: check the user name, or ask whoever runs the server"},
	// Exchange lets everybody log in, and says so afterwards.
	{"", "user is authenticated but not connected", "Microsoft says so when the user has no such mailbox, when IMAP is switched off for it, or when the password was wrong after all"},
	// 163.com and 126.com, to clients they do not trust.
	{"", "unsafe login", "the provider must allow this mail program first: open the account's settings, or write to the address the server names"},
}

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
	return strings.HasSuffix(host, ".mail.me.com") || strings.HasSuffix(host, ".icloud.com")
}

// isYahoo: Yahoo and AOL. They deal with yahooWindow messages in one command, announced (RFC 9738) or not.
func isYahoo(host string) bool {
	return strings.HasSuffix(host, ".yahoo.com") || strings.HasSuffix(host, ".aol.com")
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
