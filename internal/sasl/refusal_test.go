package sasl

import (
	"regexp"
	"strings"
	"testing"
)

// TestRemedy: what servers have answered, as reported where the last column says, and what comes of it.
func TestRemedy(t *testing.T) {
	const imap, pop = "imap", "pop"
	for _, tt := range []struct {
		protocol, host, code, text string
		want                       string // of the remedy
		page                       string // the link in it
		source                     string
	}{
		{imap, "imap.gmail.com", "ALERT", "Application-specific password required: https://support.google.com/accounts/answer/185833 (Failure)",
			"wants an app password", pageGoogle, "LukeSmithxyz/mutt-wizard#831"},
		{pop, "pop.gmail.com", "AUTH", "[AUTH] Application-specific password required: http://support.google.com/accounts/bin/answer.py?answer=185833",
			"wants an app password", pageGoogle, "mailman/mailman#50"},
		{imap, "imap.gmail.com", "ALERT", "Please log in via your web browser: https://support.google.com/mail/accounts/answer/78754 (Failure)",
			"until the owner confirms it", "https://accounts.google.com", "pmengal/MailSystem.NET#17"},
		{imap, "imap.gmail.com", "WEBALERT", "Web login required.", "until the owner confirms it", "https://accounts.google.com", "jstedfast/MailKit authenticate+webalert.txt"},
		{imap, "imap.gmail.com", "AUTHENTICATIONFAILED", "Invalid credentials (Failure)", "leave out its blanks", pageGoogle, "andreiaugustin/gmail_extractor#4"},
		{pop, "pop.gmail.com", "AUTH", "[AUTH] Username and password not accepted.", "leave out its blanks", pageGoogle, "Peeker for CodeIgniter"},
		{imap, "imap.gmail.com", "ALERT", "Your account is not enabled for IMAP use. Please visit your Gmail settings page and enable your account for IMAP access. (Failure)",
			"IMAP is switched off", pageGmailIMAP, "MailCore/mailcore2"},
		{imap, "imap.gmail.com", "ALERT", "IMAP access is disabled for your domain. Please contact your domain administrator. (Failure)",
			"its administrator can allow it", pageGoogleOrg, "google/googleapps-message-recall"},
		{pop, "pop.gmail.com", "SYS/PERM", "[SYS/PERM] Your account is not enabled for POP access. Please visit your Gmail settings page and enable your account for POP access.",
			"enable POP for all mail", pageGmailPOP, "Peeker for CodeIgniter"},
		{"imap token", "imap.gmail.com", "", "Invalid SASL argument. qk7if1705226pac.117", "the scope https://mail.google.com/", "", "mscdex/node-imap#233"},
		{"imap token", "imap.gmail.com", "AUTHENTICATIONFAILED", "Invalid credentials (Failure)", "the scope https://mail.google.com/", "", "mscdex/node-imap#233"},

		{imap, "outlook.office365.com", "", "LOGIN failed.", "log in with OAuth2", pageMicrosoft, "emersion/go-imap#487, mjs/imapclient#602"},
		{imap, "outlook.office365.com", "", "Basic authentication is disabled.", "log in with OAuth2", pageMicrosoft, "holon-run/uxc#445"},
		{imap, "outlook.office365.com", "", "AUTHENTICATE failed. BasicAuthBlocked", "log in with OAuth2", pageMicrosoft, "a table of another program"},
		{pop, "outlook.office365.com", "", "Logon failure: unknown user name or bad password.", "log in with OAuth2", pageMicrosoft, "mattnenterprise/rust-pop3#17"},
		{"pop token", "outlook.office365.com", "", "Authentication failure: unknown user name or bad password.", "with the scope for the protocol", pageOutlook, "simonrob/email-oauth2-proxy#244"},
		{"imap token", "outlook.office365.com", "", "AUTHENTICATE failed.", "with the scope for the protocol", pageOutlook, "MicrosoftDocs/office-developer-exchange-docs#87"},
		{imap, "outlook.office365.com", "", "LOGIN failed. Account is blocked. Login to your account via a web browser to verify your identity.",
			"proves who they are", "https://account.microsoft.com", "mscdex/node-imap#799"},
		{imap, "outlook.office365.com", "", "User is authenticated but not connected.", "not good for this mailbox", pageMSToken, "jstedfast/MailKit#1494, getmail6/getmail6#214"},
		{pop, "pop.example.org", "", `Logon failure: unknown user name or bad password. [Error="ProxyNotAuthenticated"]`, "one Exchange server", "", "Exchange's SmtpProbe"},
		{imap, "mail.example.org", `ERROR="USERDISABLED" AUTHRESULT=27`, "LOGIN failed.", "switched off for this mailbox", "", "QQ Mail's client"},

		{imap, "imap.mail.yahoo.com", "AUTHENTICATIONFAILED", "LOGIN Invalid credentials", "Yahoo wants an app password", pageYahoo, "emersion/go-imap#436"},
		{imap, "imap.mail.yahoo.com", "AUTHENTICATIONFAILED", "AUTHENTICATE Invalid credentials", "Yahoo wants an app password", pageYahoo, "postalsys/imapflow#300"},
		{imap, "export.imap.mail.yahoo.com", "AUTHENTICATIONFAILED", "(#MBR1212) Incorrect username or password.", "Yahoo wants an app password", pageYahoo, "RainLoop/rainloop-webmail#1354"},
		{imap, "imap.mail.yahoo.com", "AUTHENTICATIONFAILED", "(#MBR1240) Please verify your account", "prove who they are", pageYahoo, "QQ Mail's client"},
		{imap, "imap.aol.com", "AUTHENTICATIONFAILED", "LOGIN Invalid credentials", "AOL wants an app password", pageAOL, "as Yahoo"},

		{pop, "pop.gmx.net", "", "authentication failed", "are not switched on", pageGMX, "jens-maus/yam#638"},
		{imap, "imap.gmx.com", "AUTHENTICATIONFAILED", "authentication failed", "are not switched on", pageGMXCom, "LogicLabs-OU/OpenArchiver#431"},
		{imap, "imap.web.de", "", "authentication failed", "are not switched on", pageWEBDE, "thunderbird/thunderbird-android#5780"},
		{imap, "imap.mail.com", "AUTHENTICATIONFAILED", "authentication failed", "premium plan", pageMailCom, "imapsync FAQ.Free_Email"},

		{imap, "imap.yandex.com", "AUTHENTICATIONFAILED", "LOGIN invalid credentials or IMAP is disabled sc=cYXlpv732Cg1_010534_2-1e59ad28a72c", "IMAP switch on", pageYandex, "Foundry376/Mailspring#2111"},
		{pop, "pop.yandex.ru", "AUTH", "[AUTH] login failure or POP3 disabled, try later. sc=x", "POP3 switched on", pageYandex, "a log of pop.yandex.ru"},
		{imap, "imap.mail.ru", "AUTHENTICATIONFAILED", "NEOBHODIM parol prilozheniya https://help.mail.ru/mail/security/protection/external / Aplication password is REQUIRED",
			"password for external applications", pageMailRu, "thunderbird/thunderbird-android#9069"},
		{imap, "imap.zoho.eu", "ALERT", "You are yet to enable IMAP for your account. Please contact your administrator (Failure)", "IMAP is switched off", pageZohoIMAP, "closeio/sync-engine"},
		{imap, "imap.163.com", "", "SELECT Unsafe Login. Please contact kefu@188.com for help", "authorization code", pageNetEase, "smiley22/S22.Imap#167"},
		{imap, "imap.163.com", "", "LOGIN Login error or password error", "authorization code in place of the password", pageNetEase, "tests of other programs, seen at imap.163.com"},
		{imap, "imap.qq.com", "", "Login fail. Account is abnormal, service is not open, password is incorrect, login frequency limited, or system is busy.",
			"authorization code in place of the password", pageQQ, "chengazhen/cursor-auto-free#294"},
		{imap, "imap.mail.me.com", "AUTHENTICATIONFAILED", "Authentication Failed", "app-specific password", pageApple, "mscdex/node-imap#839"},
		{imap, "imap.fastmail.com", "", "Incorrect username or password.", "Fastmail wants an app password", pageFastmail, "Foundry376/Mailspring#2217"},
		{imap, "secureimap.t-online.de", "AUTHENTICATIONFAILED", "no", "separate password", pageTOnline, "chatmail/provider-db"},
		{imap, "imap.ukr.net", "", "no", "IMAP access", pageUKRNet, "chatmail/provider-db"},

		{imap, "imap.example.org", "UNAVAILABLE", "Temporary authentication failure. [host:2020-06-11 13:56:19]", "run again later", "", "docker-mailserver/docker-mailserver#1534"},
		{imap, "imap.example.org", "PRIVACYREQUIRED", "Plaintext authentication disallowed on non-secure (SSL/TLS) connections.", "wants TLS", "", "docker-mailserver/docker-mailserver#1026"},
		{imap, "imap.example.org", "EXPIRED", "Password expired", "set a new one", "", "RFC 5530 §3"},
		{imap, "imap.example.org", "CONTACTADMIN", "", "its support must look", "", "RFC 5530 §3"},
		{imap, "imap.example.org", "AUTHORIZATIONFAILED", "", "may not read this account", "", "RFC 5530 §3"},
		{pop, "pop.example.org", "SYS/PERM", "[SYS/PERM] mailbox is damaged", "must repair the account", "", "RFC 3206 §4"},
		{imap, "imap.example.org", "", "Please use an app password", "make one in the security settings", "", "anybody"},
		{imap, "imap.example.org", "AUTHENTICATIONFAILED", "Authentication failed.", "check user name and password", "", "Dovecot"},
		{pop, "pop.example.org", "", "", "POP3 switched on", "", "anybody"},
		{"imap token", "imap.example.org", "", "no", "get a new token", "", "anybody"},
		{imap, "notgmail.com", "AUTHENTICATIONFAILED", "Invalid credentials (Failure)", "check user name and password", "", "not Google"},
		{imap, "IMAP.GMAIL.COM.", "", "no", "Google takes an app password", pageGoogle, "host names have no case"},
	} {
		r := Refusal{Host: tt.host, Code: tt.code, Text: tt.text, POP3: strings.HasPrefix(tt.protocol, pop), Token: strings.HasSuffix(tt.protocol, "token")}
		got := r.Remedy()
		if !strings.Contains(got, tt.want) || !strings.Contains(got, tt.page) {
			t.Errorf("%s: %s says [%s] %s: %q; want %q and %s", tt.source, tt.host, tt.code, tt.text, got, tt.want, tt.page)
		}
	}
}

var unwise = regexp.MustCompile(`(?i)less secure|disable|turn(ed)? off|without TLS|no encryption|lesssecureapps`)

// TestRemediesAreSound: one line each, in words that fit, with pages over TLS, and none that lowers the guard.
func TestRemediesAreSound(t *testing.T) {
	for _, row := range append(append([]remedy(nil), answers...), habits...) {
		switch {
		case strings.ContainsAny(row.hint, "\r\n") || len(row.hint) > 320 || strings.HasSuffix(row.hint, "."):
			t.Errorf("%q is no hint", row.hint)
		case unwise.MatchString(row.hint):
			t.Errorf("%q is bad advice", row.hint)
		case strings.Contains(row.hint, "http://"):
			t.Errorf("%q sends people somewhere without TLS", row.hint)
		case row.says != strings.ToLower(row.says):
			t.Errorf("%q is never found: it is not in lower case", row.says)
		case row.hosts == "" && row.says == "" && row.code == "":
			t.Errorf("%q hides all after it", row.hint)
		}
	}
}
