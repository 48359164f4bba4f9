package imap

import "strings"

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

// uidLast is the note on Exchange, which shows "* 1 FETCH (BODY[] {n} … UID 12)".
const uidLast = "shows messages before it says which"

// ceilings are how many messages Yahoo and AOL show of a folder at most, on their usual host and on the one for bulk:
// the newest. What is older cannot be seen, and is not counted either.
var ceilings = map[uint32]string{
	10_000:  "the server shows exactly 10000 messages of the folder, as many as some providers show at most: older ones may be hidden",
	100_000: "the server shows exactly 100000 messages of the folder, as many as some providers show at most: older ones may be hidden",
}

// ceiling says what a count means that is a ceiling, "" if it is none.
func ceiling(host string, count uint32) string {
	text := ceilings[count]
	if text != "" && count == 10_000 && isYahoo(host) && !strings.HasPrefix(host, "export.") {
		text += "; export." + host + " shows more"
	}
	return text
}

func isYahoo(host string) bool {
	return strings.HasSuffix(host, ".yahoo.com") || strings.HasSuffix(host, ".aol.com")
}

// yahooWindow is how many messages Yahoo deals with in one command, announced (RFC 9738) or not.
const yahooWindow = 1000
