package config

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/BurntSushi/toml"

	"github.com/mailhaul/mailhaul/internal/account"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// maxName is how long a name of an account or a job may be.
const maxName = 64

// Read reads a configuration; name is its file's, an absolute path, and home the home directory, "" if nobody has one.
// Errors are *mail.Error, joined where there are several. Each names the line, and none holds a value of a key that may
// be a secret.
func Read(name string, text []byte, home string) (*File, error) {
	r := &reader{file: &File{Name: name}, home: home}
	var tree map[string]any
	md, err := toml.Decode(string(text), &tree)
	if err != nil {
		return nil, r.syntax(string(text), err)
	}
	r.lines, r.order = linesOf(string(text)), md.Keys()
	for _, name := range sorted(tree, r.order, 0) {
		switch name {
		case "accounts":
			r.each(tree, name, r.account)
		case "jobs":
		default:
			r.unknown([]string{name}, []string{"accounts", "jobs"}, "the file has [accounts.NAME] and [jobs.NAME]")
		}
	}
	if _, there := tree["jobs"]; there { // after the accounts, which they name
		r.each(tree, "jobs", r.job)
	}
	if len(r.errs) > 0 {
		return nil, errors.Join(r.errs...)
	}
	return r.file, nil
}

// A reader is at work on a file. It goes on after an error, so that a person hears all of them at once.
type reader struct {
	file  *File
	home  string
	lines lines
	order []toml.Key
	errs  []error
}

// wrong notes an error at the key, and what can be done.
func (r *reader) wrong(path []string, hint, format string, args ...any) {
	r.errs = append(r.errs, r.file.Wrong(r.lines.of(path...), hint, fmt.Errorf(format, args...)))
}

// Wrong returns an error about a line of the file.
func (f *File) Wrong(line int, hint string, err error) error {
	return &mail.Error{Scope: mail.ScopeAccount, Cause: mail.CauseUsage, Hint: hint, Err: fmt.Errorf("%s, line %d: %w", f.Name, line, err)}
}

// syntax is the error for what is no TOML. The library's words quote the file, which is no good where a password may
// stand.
func (r *reader) syntax(text string, err error) error {
	line, said := whereIn(err)
	all := strings.Split(text, "\n")
	hint := "strings stand in quotes, as in url = \"imaps://me@imap.example.org\""
	if line <= len(all) && mayBeSecret(all[line-1]) {
		said = "this cannot be read"
	}
	return r.file.Wrong(line, hint, errors.New(said))
}

// whereIn returns the line of an error of toml's, from 1 on, and its text. Some of them hold the line in the text only.
func whereIn(err error) (line int, text string) {
	var parse toml.ParseError
	if errors.As(err, &parse) {
		return max(parse.Position.Line, 1), parse.Message
	}
	if _, scanErr := fmt.Sscanf(err.Error(), "toml: line %d", &line); scanErr != nil {
		return 1, strings.TrimPrefix(err.Error(), "toml: ")
	}
	_, text, _ = strings.Cut(err.Error(), "): ")
	return max(line, 1), text
}

// mayBeSecret reports whether a line may hold what must not be repeated: a password where none belongs, too.
func mayBeSecret(line string) bool {
	line = strings.ToLower(line)
	return slices.ContainsFunc([]string{"pass", "secret", "token", "pwd", "://"}, func(w string) bool { return strings.Contains(line, w) })
}

// sorted returns the keys of a table in the order of the file; depth is that of the table.
func sorted(table map[string]any, order []toml.Key, depth int, path ...string) []string {
	first := make(map[string]int)
	for i, k := range order {
		if len(k) <= depth || !slices.Equal(k[:depth], path) {
			continue
		}
		if _, seen := first[k[depth]]; !seen {
			first[k[depth]] = i
		}
	}
	return slices.SortedFunc(maps.Keys(table), func(a, b string) int { return first[a] - first[b] })
}

// each reads the tables [KIND.NAME].
func (r *reader) each(tree map[string]any, kind string, read func(string, map[string]any)) {
	named, ok := tree[kind].(map[string]any)
	if !ok {
		r.wrong([]string{kind}, "", "%s is no table of names: write [%s.NAME]", kind, kind)
		return
	}
	for _, name := range sorted(named, r.order, 1, kind) {
		path := []string{kind, name}
		table, ok := named[name].(map[string]any)
		switch {
		case !IsName(name):
			r.wrong(path, "write letters, digits, - and _, beginning with a letter or a digit", "%s is no name of an account or a job", quote(name))
		case !ok:
			r.wrong(path, "", "%s is no table: write [%s.NAME], and the keys below it", quote(name), kind)
		default:
			read(name, table)
		}
	}
}

// IsName reports whether an account or a job may have the name. It is never taken for an address or a URL, nor for a
// path that is written with a separator or a dot in front.
func IsName(s string) bool {
	odd := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '_' }
	return s != "" && len(s) <= maxName && !strings.ContainsFunc(s, odd) && s[0] != '-' && s[0] != '_'
}

func quote(s string) string { return strconv.Quote(mail.Printable(s)) }

// settings reads the keys of a table: those that stand for flags, and the others.
func (r *reader) settings(path []string, table map[string]any, keys []key) (settings []Setting, own map[string]Setting) {
	own = make(map[string]Setting)
	for _, name := range sorted(table, r.order, len(path), path...) {
		at := append(slices.Clone(path), name)
		k, known := find(keys, name)
		if !known {
			r.unknownKey(at, keys)
			continue
		}
		values, ok := k.values(table[name])
		if !ok {
			r.wrong(at, "", "%s is %s", name, kindTexts[k.kind])
			continue
		}
		s := Setting{name, values, r.lines.of(at...)}
		if k.kind == file {
			s.Values[0] = r.path(at, s.Values[0])
		}
		if k.own {
			own[name] = s
		} else {
			settings = append(settings, s)
		}
	}
	return settings, own
}

func (r *reader) unknownKey(at []string, keys []key) {
	name := at[len(at)-1]
	switch strings.ToLower(name) {
	case "password", "pass", "passwd", "pwd", "token", "secret", "app_password":
		r.wrong(at, "take it out, change it if others may have seen it, and name where it is kept: password_command, or password_file of mode 0600",
			"%s: a password does not stand in the configuration", name)
		return
	}
	what := map[string]string{"accounts": "an account", "jobs": "a job"}[at[0]]
	if len(at) > 3 {
		what = "oauth"
	}
	r.unknown(at, names(keys), what+" has "+strings.Join(names(keys), ", "))
}

func (r *reader) unknown(at, known []string, all string) {
	name, hint := at[len(at)-1], all
	if near := Near(name, known); near != "" {
		hint = "perhaps " + near
	}
	r.wrong(at, hint, "there is no %s", quote(name))
}

// values returns what a value says as a flag would be given it.
func (k key) values(v any) ([]string, bool) {
	switch v := v.(type) {
	case string:
		return []string{v}, k.kind != number && k.kind != yes && k.kind != table && !strings.Contains(v, "\x00")
	case bool:
		return []string{strconv.FormatBool(v)}, k.kind == yes
	case int64:
		return []string{strconv.FormatInt(v, 10)}, k.kind == number || k.kind == amount
	case float64:
		return []string{strconv.FormatFloat(v, 'f', -1, 64)}, k.kind == amount
	case map[string]any:
		return nil, k.kind == table
	case []any:
		var all []string
		for _, one := range v {
			s, ok := one.(string)
			if !ok {
				return nil, false
			}
			all = append(all, s)
		}
		return all, k.kind == list
	}
	return nil, false
}

// path returns the absolute path of what a value names.
func (r *reader) path(at []string, s string) string {
	rest, home := strings.CutPrefix(filepath.ToSlash(s), "~")
	switch {
	case s == "":
		r.wrong(at, "", "%s names nothing", at[len(at)-1])
	case home && rest != "" && rest[0] != '/':
		r.wrong(at, "write ~/ for your own, and others in full", "%s: of home directories only your own is known", quote(s))
	case home && r.home == "":
		r.wrong(at, "set HOME, or write the path in full", "%s: nobody says where the home directory is", quote(s))
	case home:
		return filepath.Join(r.home, filepath.FromSlash(rest))
	case !filepath.IsAbs(s):
		return filepath.Join(filepath.Dir(r.file.Name), s)
	}
	return filepath.Clean(s)
}

// asTyped is whether a job names an account by a URL or an address.
func asTyped(s string) bool { return strings.ContainsAny(s, "@:") }

func (r *reader) account(name string, table map[string]any) {
	path := []string{"accounts", name}
	a := &Account{Name: name}
	var own map[string]Setting
	a.Settings, own = r.settings(path, table, accountKeys)
	a.Plaintext = first(own["insecure_plaintext"]) == "true"
	a.PasswordFile, a.PasswordCommand, a.TokenCommand = first(own["password_file"]), first(own["password_command"]), first(own["token_command"])
	if t, ok := table["oauth"].(map[string]any); ok {
		a.OAuth = r.oauth(append(path, "oauth"), t)
	}
	r.server(a, path, own)
	var ways []string
	for _, way := range []string{"password_file", "password_command", "token_command", "oauth"} {
		if _, there := own[way]; there {
			ways = append(ways, way)
		}
	}
	if len(ways) > 1 {
		r.wrong(append(path, ways[1]), "leave out one of them", "there are two ways to log in: %s and %s", ways[0], ways[1])
	}
	for _, way := range ways {
		if first(own[way]) == "" && way != "oauth" {
			r.wrong(append(path, way), "", "%s names nothing", way)
		}
	}
	r.file.Accounts = append(r.file.Accounts, a)
}

func first(s Setting) string {
	if len(s.Values) == 0 {
		return ""
	}
	return s.Values[0]
}

// server reads what says where the account is.
func (r *reader) server(a *Account, path []string, own map[string]Setting) {
	_, hasURL := own["url"]
	_, hasAddress := own["address"]
	switch {
	case hasURL && hasAddress:
		r.wrong(append(path, "address"), "leave out one of them", "the account has a url and an address")
		return
	case !hasURL && !hasAddress:
		r.wrong(path, `write url = "imaps://USER@HOST", or address = "me@example.org"`, "the account %s has neither url nor address", quote(a.Name))
		return
	}
	which := map[bool]string{true: "url", false: "address"}[hasURL]
	at := append(path, which)
	a.Typed = first(own[which])
	for _, parameter := range []string{"ca", "pin"} {
		if s, there := own[parameter]; there {
			a.Typed = withParameter(a.Typed, parameter, first(s))
		}
	}
	var err error
	switch isURL := strings.Contains(a.Typed, "://"); {
	case hasURL && !isURL && strings.Contains(a.Typed, "@") && !strings.ContainsAny(a.Typed, ":/"):
		r.wrong(at, `write address = "me@example.org"`, "the url is an address")
	case hasURL:
		_, err = account.Parse(a.Typed, a.Plaintext)
	case isURL:
		r.wrong(at, `write url = "imaps://USER@HOST"`, "the address is a URL")
	case !strings.Contains(a.Typed, "@"):
		r.wrong(at, `write address = "me@example.org"`, "the address is none")
	}
	var e *mail.Error
	if errors.As(err, &e) {
		r.wrong(at, e.Hint, "%w", e.Err)
	}
}

// withParameter adds a parameter to a URL; an address may have them too.
func withParameter(typed, name, value string) string {
	between := "?"
	if strings.Contains(typed, "?") {
		between = "&"
	}
	return typed + between + name + "=" + strings.NewReplacer("%", "%25", "&", "%26", "#", "%23").Replace(value)
}

func (r *reader) oauth(path []string, t map[string]any) *OAuth {
	settings, _ := r.settings(path, t, oauthKeys)
	o := &OAuth{Line: r.lines.of(path...)}
	into := map[string]*string{"provider": &o.Provider, "issuer": &o.Issuer, "tenant": &o.Tenant, "scope": &o.Scope,
		"client_id": &o.ClientID, "client_secret": &o.ClientSecret}
	for _, s := range settings {
		if s.Key == "app_only" {
			o.AppOnly = first(s) == "true"
		} else {
			*into[s.Key] = first(s)
		}
	}
	return o
}

func (r *reader) job(name string, table map[string]any) {
	path := []string{"jobs", name}
	j := &Job{Name: name, Line: r.lines.of(path...)}
	var own map[string]Setting
	j.Settings, own = r.settings(path, table, jobKeys)
	j.Source, j.Archive, j.Destination = first(own["source"]), first(own["archive"]), first(own["destination"])
	r.whom(j, path, own)
	if s, there := own["schedule"]; there {
		if j.Schedule = Schedule(first(s)); !j.Schedule.valid() {
			r.wrong(append(path, "schedule"), `write hourly, daily, weekly or a time as 02:30`, "%s is no schedule", quote(first(s)))
		}
	}
	for _, s := range j.Settings {
		if k, _ := find(jobKeys, s.Key); k.brings && j.Destination == "" {
			r.wrong(append(path, s.Key), "take it out, or add a destination", "%s is about what is brought to a destination, and the job has none", s.Key)
		}
	}
	r.file.Jobs = append(r.file.Jobs, j)
}

// whom checks from where to where the job carries mail.
func (r *reader) whom(j *Job, path []string, own map[string]Setting) {
	_, there := own["archive"]
	switch {
	case !there:
		r.wrong(path, `write archive = "~/mail/NAME"`, "the job %s has no archive", quote(j.Name))
	case j.Source == "" && j.Destination == "":
		r.wrong(path, "name the account: source to back it up, destination to restore to it, both to migrate", "the job %s has neither source nor destination", quote(j.Name))
	case j.Source == j.Destination:
		r.wrong(append(path, "destination"), "", "the job would bring mail to where it comes from")
	}
	for _, party := range []string{"source", "destination"} {
		name := first(own[party])
		if _, there := own[party]; !there || asTyped(name) || r.file.Account(name) != nil {
			continue
		}
		accounts := r.file.AccountNames()
		hint := fmt.Sprintf("add [accounts.%s], or write a URL", name)
		if near := Near(name, accounts); near != "" {
			hint = "perhaps " + near
		} else if len(accounts) > 0 {
			hint = "the accounts are " + strings.Join(accounts, ", ")
		}
		r.wrong(append(path, party), hint, "the %s %s is no account of this file", party, quote(name))
	}
}
