package pop3

import "strings"

// What servers say where a response code is missing, and what providers want of people. All of it may be wrong one
// day without harm: it only chooses words and pauses.

// maildropLocked: RFC 1939 has no response code, and its own example says "-ERR maildrop already locked".
func maildropLocked(st status) bool {
	text := strings.ToLower(st.text)
	return st.code == "" && strings.Contains(text, "maildrop") && strings.Contains(text, "lock")
}

// overLimit: Gmail, as [SYS/TEMP], for up to a day: "Account exceeded command or bandwidth limits".
func overLimit(st status) bool {
	return !st.ok && strings.Contains(strings.ToLower(st.text), "bandwidth limit")
}

// noSuchMessage: RFC 1939 §5, "-ERR no such message"; Dovecot, of a message that another session expunged,
// "-ERR Message not found".
func noSuchMessage(st status) bool {
	text := strings.ToLower(st.text)
	return strings.Contains(text, "no such message") || strings.Contains(text, "message not found")
}

// of returns the entry for the host or the domain above it that is named.
func of(table map[string]string, host string) string {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	for host != "" {
		if text, ok := table[host]; ok {
			return text
		}
		_, host, _ = strings.Cut(host, ".")
	}
	return ""
}

var loginHints = map[string]string{
	"gmail.com":      "Gmail needs an app password (myaccount.google.com/apppasswords), and POP enabled in its settings",
	"googlemail.com": "Gmail needs an app password (myaccount.google.com/apppasswords), and POP enabled in its settings",
	"yahoo.com":      "Yahoo needs an app password, made under Account security",
	"aol.com":        "AOL needs an app password, made under Account security",
	"office365.com":  "Microsoft takes no passwords over POP3 any more, only OAuth2",
	"outlook.com":    "Microsoft takes no passwords over POP3 any more, only OAuth2",
	"gmx.net":        "GMX lets mail programs in only when POP3 is switched on in its settings; until then it says the password is wrong",
	"gmx.com":        "GMX lets mail programs in only when POP3 is switched on in its settings; until then it says the password is wrong",
	"web.de":         "WEB.DE wants the part before the @ as user name, and POP3 switched on in its settings",
	"t-online.de":    "T-Online needs its separate e-mail password",
	"yandex.com":     "Yandex needs an app password, and POP3 switched on in its settings",
	"yandex.ru":      "Yandex needs an app password, and POP3 switched on in its settings",
	"mail.ru":        "Mail.ru needs a password for external applications",
	"fastmail.com":   "Fastmail needs an app password that allows POP",
	"zoho.com":       "Zoho needs POP switched on in its settings, and an app password with two-factor login",
	"zoho.eu":        "Zoho needs POP switched on in its settings, and an app password with two-factor login",
	"163.com":        "163 needs an authorization code, made in its settings, in place of the password",
	"126.com":        "126 needs an authorization code, made in its settings, in place of the password",
	"qq.com":         "QQ needs an authorization code, made in its settings, in place of the password",
}

func loginHint(host string) string {
	if hint := of(loginHints, host); hint != "" {
		return hint
	}
	return "check user name and password; many providers want an app password, or POP3 switched on in their settings"
}

// traces are what reading leaves behind, though nothing is deleted (P4).
var traces = map[string]string{
	"gmail.com":      gmailTrace,
	"googlemail.com": gmailTrace,
}

const gmailTrace = "Gmail takes what was read for delivered: it shows it over POP3 no more, and archives or deletes it if its settings say so; IMAP leaves no trace"

func trace(host, greeting string) string {
	if text := of(traces, host); text != "" {
		return text
	}
	if strings.Contains(greeting, "Dovecot") {
		return `Dovecot marks what was read as \Seen, unless it was told not to (pop3_no_flag_updates)`
	}
	return "the server may mark what was read as seen"
}
