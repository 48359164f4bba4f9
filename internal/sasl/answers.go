package sasl

// The pages are the providers' own; most are named by chatmail/provider-db or thunderbird/autoconfig. November 2026.
const (
	pageGoogle     = "https://support.google.com/accounts/answer/185833"
	pageGmailIMAP  = "https://support.google.com/mail/answer/7126229"
	pageGmailPOP   = "https://support.google.com/mail/answer/7104828"
	pageGoogleOrg  = "https://support.google.com/a/answer/105694"
	pageOutlook    = "https://support.microsoft.com/office/d088b986-291d-42b8-9564-9c414e2aa040"
	pageMicrosoft  = "https://learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/deprecation-of-basic-authentication-exchange-online"
	pageMSToken    = "https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth"
	pageYahoo      = "https://login.yahoo.com/account/security"
	pageAOL        = "https://login.aol.com/account/security"
	pageApple      = "https://support.apple.com/HT202304"
	pageGMX        = "https://hilfe.gmx.net/pop-imap/einschalten.html"
	pageGMXCom     = "https://support.gmx.com/pop-imap/toggle.html"
	pageWEBDE      = "https://hilfe.web.de/pop-imap/einschalten.html"
	pageMailCom    = "https://support.mail.com/premium/imap/server.html"
	pageYandex     = "https://yandex.com/support/mail/mail-clients/others.html"
	pageMailRu     = "https://help.mail.ru/mail/security/protection/external"
	pageZohoIMAP   = "https://www.zoho.com/mail/help/imap-access.html"
	pageZohoPOP    = "https://www.zoho.com/mail/help/pop-access.html"
	pageFastmail   = "https://www.fastmail.help/hc/en-us/articles/360058752854"
	pageNetEase    = "https://mail.163.com"
	pageQQ         = "https://service.mail.qq.com/detail/0/1010"
	pageTOnline    = "https://email.t-online.de/pr?a=globalsettings.passwords"
	pageUKRNet     = "https://wiki.ukr.net/ManageIMAPAccess"
	pageRambler    = "https://help.rambler.ru/mail/mail-nastrojki-pochtovogo-yashika/2129/"
	pageNaver      = "https://help.naver.com/service/30029/contents/21342"
	hostsGoogle    = "gmail.com googlemail.com"
	hostsMicrosoft = "office365.com outlook.com hotmail.com live.com"
	hostsNetEase   = "163.com 126.com yeah.net 188.com"
	hostsQQ        = "qq.com"
	hostsYahoo     = "yahoo.com yahoodns.net yahoo.co.jp"
)

// answers are what servers say, from the particular to the general; the comment names where they were seen saying so.
var answers = []remedy{
	// LukeSmithxyz/mutt-wizard#831, mailman/mailman#50 (POP3)
	{hosts: hostsGoogle, says: "application-specific password required",
		hint: "Google wants an app password here, not the password of the account: make one, " + pageGoogle},
	// pmengal/MailSystem.NET#17, barbushin/php-imap#87, jstedfast/MailKit authenticate+webalert.txt
	{hosts: hostsGoogle, says: "web login required|log in via your web browser|webalert",
		hint: "Google has stopped this login until the owner confirms it: sign in at https://accounts.google.com with a browser, and use an app password, " + pageGoogle},
	// MailCore/mailcore2 MCIMAPSession.cpp: "Your account is not enabled for IMAP use. Please visit your Gmail settings page …"
	{hosts: hostsGoogle, says: "not enabled for imap",
		hint: "IMAP is switched off in this account: switch it on in Gmail's settings, Forwarding and POP/IMAP, " + pageGmailIMAP},
	// google/googleapps-message-recall: "IMAP access is disabled for your domain."
	{hosts: hostsGoogle, says: "disabled for your domain",
		hint: "the organisation has switched this off for its accounts: its administrator can allow it, " + pageGoogleOrg},
	// Peeker for CodeIgniter: "[SYS/PERM] Your account is not enabled for POP access." Gmail says it to STAT, after the login.
	{hosts: hostsGoogle, says: "not enabled for pop",
		hint: "POP is switched off in this account: choose to enable POP for all mail in Gmail's settings, Forwarding and POP/IMAP, " + pageGmailPOP},
	// mscdex/node-imap#233, LukeSmithxyz/mutt-wizard#339
	{hosts: hostsGoogle, only: "token", says: "invalid sasl argument|invalid credentials",
		hint: "Google does not take this token: it must be new, for this user, and for the scope https://mail.google.com/"},
	// andreiaugustin/gmail_extractor#4, gutmensch/docker-dmarc-report#18
	{hosts: hostsGoogle, says: "invalid credentials|not accepted",
		hint: "Google takes an app password or OAuth2 here, not the password of the account: make an app password, and leave out its blanks, " + pageGoogle},

	// holon-run/uxc#445: "Basic authentication is disabled."; "AUTHENTICATE failed. BasicAuthBlocked"
	{hosts: hostsMicrosoft, only: "password", says: "basic authentication is disabled|basicauthblocked",
		hint: "Microsoft takes no passwords here any more: log in with OAuth2, " + pageMicrosoft},
	// mscdex/node-imap#799: "LOGIN failed. Account is blocked. Login to your account via a web browser to verify your identity."
	{hosts: hostsMicrosoft, says: "account is blocked",
		hint: "Microsoft has blocked this account until its owner proves who they are: sign in at https://account.microsoft.com with a browser"},
	// jstedfast/MailKit#1494, getmail6/getmail6#214, imapsync/imapsync#411
	{says: "user is authenticated but not connected",
		hint: "Microsoft says so when the token or password is not good for this mailbox, when there is none, or when IMAP is switched off for it, " + pageMSToken},
	// Exchange, whose probe SmtpProbe looks for "Error=ProxyNotAuthenticated" and "Error=ProxyFailed" over POP3
	{says: "proxynotauthenticated|proxyfailed",
		hint: "one Exchange server did not get into another: the user may not open this mailbox, or IMAP and POP3 are not allowed for it; its administrator can see to it"},
	// QQ Mail's own client knows `Error="UserDisabled" AuthResult=27` and "custom IMAP off"
	{says: "userdisabled|protocol is disabled|custom imap off",
		hint: "the protocol is switched off for this mailbox: its owner or the administrator can switch it on"},
	// simonrob/email-oauth2-proxy#62 and #244 (POP3), MicrosoftDocs/office-developer-exchange-docs#87 (IMAP)
	{hosts: hostsMicrosoft, only: "token",
		hint: "Microsoft does not take this token: it must be new, for this user, and with the scope for the protocol; POP and IMAP may be switched off, " + pageOutlook},
	// emersion/go-imap#487, mjs/imapclient#602, jstedfast/MailKit#1072, rust-pop3#17
	{hosts: hostsMicrosoft, says: "login failed|authenticate failed|logon failure|authentication failure",
		hint: "Microsoft takes no passwords here any more, app passwords neither: log in with OAuth2, " + pageMicrosoft},

	// RainLoop/rainloop-webmail#1354 has #MBR1212; QQ Mail's own client knows "(#MBR1240) Please verify your account"
	{hosts: hostsYahoo, says: "mbr1240|verify your account",
		hint: "Yahoo wants the owner to prove who they are: sign in with a browser, then make an app password, " + pageYahoo},
	{hosts: "aol.com", says: "mbr1240|verify your account",
		hint: "AOL wants the owner to prove who they are: sign in with a browser, then make an app password, " + pageAOL},
	// emersion/go-imap#436, OfflineIMAP/offlineimap#688, postalsys/imapflow#300
	{hosts: hostsYahoo, says: "invalid credentials|incorrect username|mbr1212",
		hint: "Yahoo wants an app password, not the password of the account: make one, " + pageYahoo},
	{hosts: "aol.com", says: "invalid credentials|incorrect username|mbr1212",
		hint: "AOL wants an app password, not the password of the account: make one, " + pageAOL},

	// Foundry376/Mailspring#904 and #2111
	{says: "or imap is disabled",
		hint: "Yandex wants its IMAP switch on, and an app password: " + pageYandex},
	{hosts: "yandex.com yandex.ru ya.ru", says: "pop3 is disabled|pop3 disabled", // "login failure or POP3 disabled, try later. sc=…"
		hint: "Yandex wants POP3 switched on, and an app password: " + pageYandex},
	// thunderbird/thunderbird-android#9069
	{says: "parol prilozheniya|application password is required|aplication password is required",
		hint: "Mail.ru wants a password for external applications: make one, " + pageMailRu},
	// closeio/sync-engine: "[ALERT] You are yet to enable IMAP for your account. Please contact your administrator (Failure)"
	{says: "yet to enable imap", hint: "IMAP is switched off in this account: switch it on in Zoho Mail's settings, Mail Accounts; the free plan may not have it, " + pageZohoIMAP},
	{says: "yet to enable pop", hint: "POP is switched off in this account: switch it on in Zoho Mail's settings, Mail Accounts; the free plan may not have it, " + pageZohoPOP},

	// smiley22/S22.Imap#167, rustmailer/bichon#25, mjs/imapclient#544
	{says: "unsafe login",
		hint: "NetEase does not trust this login: allow IMAP in the settings of the mailbox and use a fresh authorization code, " + pageNetEase},
	// "NO LOGIN Login error or password error", seen at imap.163.com with the password of the account
	{hosts: hostsNetEase, says: "login error|password error|err.login|unable to log on",
		hint: "NetEase wants an authorization code in place of the password: allow IMAP or POP3 in the settings of the mailbox and make one, " + pageNetEase},
	// chengazhen/cursor-auto-free#294; YMFE/yapi#2219
	{hosts: hostsQQ, says: "login fail|authorization code|service is not open",
		hint: "QQ Mail wants an authorization code in place of the password, and IMAP or POP3 switched on: " + pageQQ},

	// whoever says so
	{says: "app password|app-specific password|application password|application-specific password|app specific password",
		hint: "the provider wants an app password: make one in the security settings of the account"},

	// RFC 5530 §3, RFC 2449 §8, RFC 3206
	// docker-mailserver/docker-mailserver#1534: "[UNAVAILABLE] Temporary authentication failure.", #1026: "[PRIVACYREQUIRED] Plaintext …"
	{code: "EXPIRED", hint: "the password has expired: set a new one at the provider"},
	{code: "PRIVACYREQUIRED", hint: "the server wants TLS: use imaps:// or pop3s://"},
	{code: "CONTACTADMIN", hint: "ask the provider: the server says that its support must look at the account"},
	{code: "AUTHORIZATIONFAILED", hint: "the password is right, but this user may not read this account: check the user name, or ask whoever runs the server"},
	{code: "SYS/PERM", hint: "the provider must repair the account, or allow this protocol for it, before it can be read"},
	{code: "UNAVAILABLE", hint: "the server cannot check passwords now: run again later"},
}

// habits are what people of a provider do wrong most, where its answer does not tell.
var habits = []remedy{
	{hosts: hostsGoogle, hint: "Google takes an app password or OAuth2 here, not the password of the account: " + pageGoogle},
	{hosts: hostsMicrosoft, hint: "Microsoft takes no passwords here any more: log in with OAuth2, " + pageMicrosoft},
	{hosts: "mail.me.com icloud.com", hint: "iCloud wants an app-specific password, and the part before the @ as user's name if the address does not do: " + pageApple},
	{hosts: hostsYahoo, hint: "Yahoo wants an app password, not the password of the account: " + pageYahoo},
	{hosts: "aol.com", hint: "AOL wants an app password, not the password of the account: " + pageAOL},
	// jens-maus/yam#638 ("-ERR authentication failed"), LogicLabs-OU/OpenArchiver#431
	{hosts: "gmx.net gmx.de gmx.at gmx.ch", hint: "as long as POP3 and IMAP are not switched on in the account, GMX says that the password is wrong: " + pageGMX},
	{hosts: "gmx.com", hint: "as long as POP3 and IMAP are not switched on in the account, GMX says that the password is wrong: " + pageGMXCom},
	{hosts: "mail.com", hint: "mail.com lets mail programs in with its premium plan only, and with POP3 and IMAP switched on: " + pageMailCom},
	// thunderbird/thunderbird-android#5780 ("NO authentication failed")
	{hosts: "web.de", hint: "as long as POP3 and IMAP are not switched on in the account, WEB.DE says that the password is wrong: " + pageWEBDE},
	{hosts: "t-online.de", hint: "T-Online wants its separate password for e-mail programs: " + pageTOnline},
	{hosts: "mail.ru", hint: "Mail.ru wants a password for external applications: " + pageMailRu},
	{hosts: "yandex.com yandex.ru ya.ru", hint: "Yandex wants IMAP or POP3 switched on, and an app password: " + pageYandex},
	{hosts: "fastmail.com messagingengine.com", hint: "Fastmail wants an app password with access to mail: " + pageFastmail},
	{hosts: "zoho.com zoho.eu zoho.in zoho.com.au zoho.jp", only: "POP3", hint: "Zoho wants POP switched on, and an app password with two-factor login: " + pageZohoPOP},
	{hosts: "zoho.com zoho.eu zoho.in zoho.com.au zoho.jp", hint: "Zoho wants IMAP switched on, and an app password with two-factor login: " + pageZohoIMAP},
	{hosts: hostsNetEase, hint: "NetEase wants an authorization code in place of the password: " + pageNetEase},
	{hosts: hostsQQ, hint: "QQ Mail wants an authorization code in place of the password: " + pageQQ},
	{hosts: "ukr.net", hint: "UKR.NET wants IMAP access switched on, and the password it makes for that: " + pageUKRNet},
	{hosts: "rambler.ru", hint: "Rambler wants access for mail programs switched on: " + pageRambler},
	{hosts: "naver.com", hint: "Naver wants IMAP or POP3 switched on in its settings: " + pageNaver},
}
