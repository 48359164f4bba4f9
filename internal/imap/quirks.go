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
