package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// whole uses every key there is.
const whole = `# Mail of the family.
[accounts.old]
url = "pop3s://me@old.example@pop.old.example"
password_command = "pass show mail/old"
daily_download = "1.25GB"

[accounts.new]
address = "me@new.example"
ca = "own ca.pem"
token_command = "oama access me@new.example"
daily_upload = "none"
daily_download = 'none'
bwlimit = "500k"
max_rate = 4
max_connections = 2

[accounts.plain]
url = "imap://me@mail.example?tls=none"
insecure_plaintext = true
password_file = "~/secrets/plain"

[accounts.work]
url = "imaps://me@outlook.office365.com"
oauth = { provider = "microsoft", tenant = "example.org", client_id = "0815", client_secret = "tell-nobody", scope = "x", app_only = true }

[accounts.own.oauth]
issuer = "https://id.example.org"
client_id = "4711"
[accounts.own]
url = "imaps://me@imap.example.org"

[jobs.move]
source = "old"
archive = "mail/old"
destination = "new"
schedule = "02:30"
include = "Work*"
exclude = ["Spam", "Trash"]
map = [
  'Work/*=Old/Work/*', # keep them apart
  "/^a=b/=c",
]
prefix = "Old"
plan = "plan.toml"
to = "Old/Mail"
sent_from = ["me@old.example"]
seen = "older-than 30d"
merge = "message-id"
repair = true
include_gone = false
retry_refused = true
accept_refused = true
max_connections = 5
daily_upload = "1GB"
daily_download = "1GB"
bwlimit = "1M:2M"
max_rate = "100/min"
report = "~/report.html"

[jobs.nightly]
source = "work"
archive = "/var/mail/work"

[jobs.back]
archive = "/var/mail/work"
destination = "imaps://me@imap.example.net"
`

func TestRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("paths of unix")
	}
	f, err := Read("/home/me/.config/mailhaul/config.toml", []byte(whole), "/home/me")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(f.AccountNames(), " ") + ", " + strings.Join(f.JobNames(), " "); got != "old new plain work own, move nightly back" {
		t.Errorf("the file has %s", got)
	}
	for _, tt := range []struct{ got, want any }{
		{f.Account("new").Typed, "me@new.example?ca=/home/me/.config/mailhaul/own ca.pem"},
		{f.Account("new").TokenCommand, "oama access me@new.example"},
		{f.Account("new").Settings[3], Setting{"max_rate", []string{"4"}, 14}},
		{f.Account("plain").Plaintext, true},
		{f.Account("plain").PasswordFile, "/home/me/secrets/plain"},
		{*f.Account("work").OAuth, OAuth{Provider: "microsoft", Tenant: "example.org", ClientID: "0815", ClientSecret: "tell-nobody", Scope: "x", AppOnly: true, Line: 24}},
		{*f.Account("own").OAuth, OAuth{Issuer: "https://id.example.org", ClientID: "4711", Line: 26}},
		{f.Job("move").Command(), "migrate"},
		{f.Job("move").Arguments(), []string{"old", "new"}},
		{f.Job("move").Archive, "/home/me/.config/mailhaul/mail/old"},
		{f.Job("move").Settings[2], Setting{"map", []string{"Work/*=Old/Work/*", "/^a=b/=c"}, 39}},
		{f.Job("move").Settings[3], Setting{"prefix", []string{"Old"}, 43}},
		{f.Job("move").Settings[3].Flag(), "prefix"},
		{f.Job("move").Schedule.Cron(), "30 2 * * *"},
		{f.Job("nightly").Arguments(), []string{"work", "/var/mail/work"}},
		{f.Job("back").Arguments(), []string{"/var/mail/work", "imaps://me@imap.example.net"}},
		{f.Job("back").Line, 64},
	} {
		if !reflect.DeepEqual(tt.got, tt.want) {
			t.Errorf("%#v, want %#v", tt.got, tt.want)
		}
	}
	for _, keys := range [][]key{accountKeys, oauthKeys, jobKeys} {
		for _, k := range keys {
			if k.name != "pin" && !strings.Contains(whole, "\n"+k.name+" = ") && !strings.Contains(whole, " "+k.name+" = ") {
				t.Errorf("%s is not tried", k.name)
			}
		}
	}
}

// slip is a password where none belongs; it must not be repeated.
const slip = "SLIP-9b1c"

// TestErrors is the table of what can be wrong: what is said, with the line, and what can be done.
func TestErrors(t *testing.T) {
	const a = "[accounts.a]\nurl = \"imaps://me@imap.example.org\"\n"
	for _, tt := range []struct{ text, want, hint string }{
		// No TOML.
		{"[accounts.a\n", "line 2: expected '.' or ']' to end table name", "strings stand in quotes"},
		{"[accounts.a]\nurl = imaps://me@imap.example.org\n", "line 2: this cannot be read", "strings stand in quotes, as in url ="},
		{"[accounts.a]\npassword = " + slip + "\n", "line 2: this cannot be read", "strings stand in quotes"},
		{a + "url = \"imaps://you@imap.example.org\"\n", "line 3: this cannot be read", ""},
		{a + "max_rate = 1\nmax_rate = 2\n", "line 4: Key 'accounts.a.max_rate' has already been defined", ""},
		{a + a, "line 3: Key 'accounts.a' has already been defined", ""},
		{"\xff", "line 1: invalid UTF-8 byte: 0xff", ""},

		// Tables.
		{"[account.a]\n", `line 1: there is no "account"`, "perhaps accounts"},
		{"[settings]\n", `line 1: there is no "settings"`, "the file has [accounts.NAME] and [jobs.NAME]"},
		{"# a\n\nurl = 1\n", `line 3: there is no "url"`, "the file has [accounts.NAME]"},
		{"accounts = 1\n", "line 1: accounts is no table of names: write [accounts.NAME]", ""},
		{"\n[[accounts]]\nurl = 'x'\n", "line 2: accounts is no table of names", ""},
		{"[[jobs.a]]\n", `line 1: "a" is no table: write [jobs.NAME]`, ""},
		{"[accounts]\nurl = 'x'\n", `line 2: "url" is no table: write [accounts.NAME], and the keys below it`, ""},
		{"[accounts.\"me@example.org\"]\n", `line 1: "me@example.org" is no name of an account or a job`, "letters, digits, - and _"},
		{"[jobs.-x]\n", `line 1: "-x" is no name`, "beginning with a letter or a digit"},

		// Keys of accounts.
		{a + "max_conections = 3\n", `line 3: there is no "max_conections"`, "perhaps max_connections"},
		{a + "colour = 3\n", `line 3: there is no "colour"`, "an account has url, address, password_file"},
		{a + "password = '" + slip + "'\n", "line 3: password: a password does not stand in the configuration", "take it out, change it if others may have seen it"},
		{a + "Token = '" + slip + "'\n", "line 3: Token: a password does not stand", "password_command"},
		{a + "max_connections = 'many'\n", "line 3: max_connections is a whole number", ""},
		{a + "max_connections = 1.5\n", "line 3: max_connections is a whole number", ""},
		{a + "insecure_plaintext = 'yes'\n", "line 3: insecure_plaintext is true or false", ""},
		{a + "daily_upload = true\n", "line 3: daily_upload is a string in quotes or a number", ""},
		{a + "password_command = ['pass', 'show']\n", "line 3: password_command is a string in quotes", ""},
		{a + "oauth = 'google'\n", "line 3: oauth is a table, as { provider =", ""},
		{a + "oauth = { provider = 'google', client_idd = 'x' }\n", `line 3: there is no "client_idd"`, "perhaps client_id"},
		{a + "[accounts.a.oauth]\nclient = 'x'\n", `line 4: there is no "client"`, "oauth has provider, issuer"},
		{a + "ca = 1979-05-27\n", "line 3: ca is a path in quotes", ""},
		{a + "password_file = ''\n", "line 3: password_file names nothing", ""},
		{a + "password_command = ''\n", "line 3: password_command names nothing", ""},
		{a + "password_file = '~you/secret'\n", `line 3: "~you/secret": of home directories only your own is known`, "write ~/ for your own"},
		{a + "password_file = 'x'\npassword_command = 'y'\n", "line 4: there are two ways to log in: password_file and password_command", "leave out one"},
		{a + "token_command = 'x'\n[accounts.a.oauth]\nclient_id = 'y'\n", "line 4: there are two ways to log in: token_command and oauth", ""},

		// Where an account is.
		{"[accounts.a]\n", `line 1: the account "a" has neither url nor address`, "write url ="},
		{a + "address = 'me@example.org'\n", "line 3: the account has a url and an address", ""},
		{"[accounts.a]\nurl = 'me@example.org'\n", "line 2: the url is an address", "write address ="},
		{"[accounts.a]\naddress = 'imaps://me@example.org'\n", "line 2: the address is a URL", "write url ="},
		{"[accounts.a]\naddress = 'me'\n", "line 2: the address is none", "write address ="},
		{"[accounts.a]\nurl = 'smtp://me@example.org'\n", "line 2: no account begins with smtp://", "pop3s://USER@HOST"},
		{"[accounts.a]\n\n\nurl = 'imaps://me:" + slip + "@example.org'\n", "line 4: a password does not belong in the account", "leave out the colon"},
		{"[accounts.a]\nurl = 'imap://me@example.org?tls=none'\n", "line 2: tls=none would send the password", ""},
		{a[:len(a)-2] + "?ca=x\"\nca = 'y'\n", "line 2: ca= stands there twice", ""},

		// Jobs.
		{"[jobs.a]\nsource = 'b'\narchive = 'x'\n", `line 2: the source "b" is no account of this file`, "add [accounts.b], or write a URL"},
		{"[jobs.a]\nsource = 'inbx'\narchive = 'x'\n[accounts.inbox]\naddress = 'me@x.example'\n", `line 2: the source "inbx" is no account of this file`, "perhaps inbox"},
		{"[jobs.a]\ndestination = 'new'\narchive = 'x'\n" + a, `line 2: the destination "new" is no account of this file`, "the accounts are a"},
		{"[jobs.a]\nsource = ''\narchive = 'x'\n", `line 1: the job "a" has neither source nor destination`, "name the account"},
		{"[jobs.a]\narchive = 'x'\n", `line 1: the job "a" has neither source nor destination`, "source to back it up"},
		{a + "\n[jobs.a]\nsource = 'a'\n", `line 4: the job "a" has no archive`, "write archive ="},
		{a + "\n[jobs.a]\nsource = 'a'\narchive = ''\n", "line 6: archive names nothing", ""},
		{a + "[jobs.a]\nsource = 'a'\narchive = 'x'\ndestination = 'a'\n", "line 6: the job would bring mail to where it comes from", ""},
		{a + "[jobs.a]\nsource = 'a'\narchive = 'x'\nprefix = 'Old'\n", "line 6: prefix is about what is brought to a destination, and the job has none", "add a destination"},
		{a + "[jobs.a]\nsource = 'a'\narchive = 'x'\nexclude = ['x', 1]\n", "line 6: exclude is a list of strings", ""},
		{a + "[jobs.a]\nsource = 'a'\narchive = 'x'\nexlude = 'x'\n", `line 6: there is no "exlude"`, "perhaps exclude"},
		{a + "[jobs.a]\nsource = 'a'\narchive = 'x'\nschedule = 'at night'\n", `line 6: "at night" is no schedule`, "write hourly, daily, weekly or a time as 02:30"},
		{a + "[jobs.a]\nsource = 'a'\narchive = 'x'\nschedule = '2:30'\n", `line 6: "2:30" is no schedule`, ""},

		// Lines are counted through whatever stands before.
		{"x = \"\"\"\n[accounts.a]\n\"\"\"\"\"\n# ]\ny = [ # [\n '[z]', ''''\n''',\n]\n", `line 5: there is no "y"`, ""},
		{"accounts.a = { url = 'imaps://me@x.example', max_rate = 4,\n max_connections = 'x' }\n", "line 2: max_connections is a whole number", ""},
		{"accounts.\"a\\u0062\".url = 'x'\n\n[accounts]\n", "line 1: this", ""},
	} {
		_, err := Read("/etc/c.toml", []byte(tt.text), "/home/me")
		text, hint := "", ""
		for _, e := range all(err) {
			text, hint = text+e.Error()+"\n", hint+e.Hint+"\n"
			if e.Cause != mail.CauseUsage {
				t.Errorf("%q: no error of usage: %v", tt.text, e)
			}
		}
		if !strings.Contains(text, "/etc/c.toml, "+tt.want) || !strings.Contains(hint, tt.hint) {
			t.Errorf("%q\n says %q\nwant %q\n  hint %q", tt.text, text, tt.want, hint)
		}
		if strings.Contains(text+hint, slip) {
			t.Errorf("%q: a password is repeated in %q", tt.text, text+hint)
		}
	}
}

func all(err error) (errs []*mail.Error) {
	var one *mail.Error
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			errs = append(errs, all(e)...)
		}
	} else if errors.As(err, &one) {
		errs = append(errs, one)
	}
	return errs
}

// TestAllErrors guards that a person hears of all that is wrong at once, in the order of the file.
func TestAllErrors(t *testing.T) {
	_, err := Read("c", []byte("[jobs.a]\nsource = 'x'\nx = 1\n[accounts.b]\ny = 1\n[z]\n"), "")
	var got []string
	for _, e := range all(err) {
		got = append(got, strings.SplitN(e.Error(), ":", 2)[0])
	}
	if want := []string{"c, line 5", "c, line 4", "c, line 6", "c, line 3", "c, line 1", "c, line 2"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestNear(t *testing.T) {
	for _, tt := range []struct{ name, want string }{
		{"exlude", "exclude"}, {"EXCLUDE", "exclude"}, {"improt", "import"}, {"im", ""}, {"", ""}, {"xy", ""}, {"incldue", "include"},
	} {
		if got := Near(tt.name, []string{"include", "exclude", "import"}); got != tt.want {
			t.Errorf("Near(%q) = %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestOpen(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes there")
	}
	const open = "[accounts.a]\nurl = 'imaps://me@x.example'\n"
	const secret = open + "\noauth = { provider = 'google', client_id = 'x', client_secret = '" + slip + "' }\n"
	for _, tt := range []struct {
		text string
		mode os.FileMode
		want string
	}{
		{open, 0o644, ""},
		{open, 0o664, "others can write to the configuration"},
		{open, 0o646, "others can write to the configuration"},
		{secret, 0o600, ""},
		{secret, 0o400, ""},
		{secret, 0o640, "line 4: there is a client_secret, and the file is open to others"},
		{secret, 0o604, "line 4: there is a client_secret"},
		{strings.Repeat("#", maxFile+1), 0o600, "is larger than"},
	} {
		name := filepath.Join(t.TempDir(), "config.toml")
		if err := errors.Join(os.WriteFile(name, []byte(tt.text), 0o600), os.Chmod(name, tt.mode)); err != nil {
			t.Fatal(err)
		}
		_, err := Open(name)
		if got := fmt.Sprint(err); tt.want == "" && err != nil || !strings.Contains(got, tt.want) || strings.Contains(got, slip) {
			t.Errorf("mode %o: %v, want %q", tt.mode, err, tt.want)
		}
	}
	if _, err := Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("a directory: %v", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "x")); !errors.Is(err, ErrNone) {
		t.Errorf("no file: %v", err)
	}
}

func TestPath(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere it is elsewhere")
	}
	t.Setenv("HOME", "/home/me")
	for xdg, want := range map[string]string{"": "/home/me/.config/mailhaul/config.toml", "/x": "/x/mailhaul/config.toml"} {
		t.Setenv("XDG_CONFIG_HOME", xdg)
		if got, err := Path(); got != want || err != nil {
			t.Errorf("%q: %q, %v, want %q", xdg, got, err, want)
		}
	}
}

// FuzzRead guards that no file makes Read panic, that an error names a line there is, and that of any TOML the line of
// every key is known.
func FuzzRead(f *testing.F) {
	f.Add(whole)
	f.Add("x = \"\"\"\n[a]\n\"\"\"\"\"\n# ]\ny = [ # [\n '[z]', ''''\n''',\n]\n[[q.'r s']]\n\"t\\\"\\u0062\".u = { v = {}, w = [{x=1}]}\n")
	f.Add("a = 1979-05-27 07:32:00 # b = 1\r\n[ a . b ]\r\n\r\nc=-inf\n")
	f.Fuzz(func(t *testing.T, text string) {
		read, err := Read("/etc/c.toml", []byte(text), "/home/me")
		if (read == nil) == (err == nil) {
			t.Fatalf("%v, %v", read, err)
		}
		for _, e := range all(err) {
			var line int
			if _, scan := fmt.Sscanf(e.Error(), "/etc/c.toml, line %d: ", &line); scan != nil || line < 1 || line > strings.Count(text, "\n")+1 {
				t.Errorf("%v, of %d lines", e, strings.Count(text, "\n")+1)
			}
		}
		var tree map[string]any
		md, err := toml.Decode(text, &tree)
		if err != nil {
			return
		}
		found := linesOf(text)
		for _, k := range md.Keys() {
			if found[joined(k)] == 0 {
				t.Errorf("no line of %q", k)
			}
		}
	})
}
