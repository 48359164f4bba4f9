package main

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/mailhaul/mailhaul/internal/config"
)

const usualSchedule config.Schedule = "daily"

// A draft is what init is to add to the configuration.
type draft struct {
	file                *config.File // what is there
	accounts            strings.Builder
	names               []string // of the job's accounts
	job, archive        string
	source, destination string
}

// add takes the accounts in. One that the configuration has is not written again.
func (d *draft) add(source, destination *acquaintance) {
	d.source = d.account(source)
	d.job = d.source
	if destination != nil {
		d.destination = d.account(destination)
		d.job += "-to-" + d.destination
	}
	d.job = d.free(d.job, func(name string) bool { return d.file.Job(name) != nil })
}

// account returns the name of the account, and writes it down if it is new.
func (d *draft) account(who *acquaintance) string {
	if file, err := filepath.Abs(who.account.CAFile); err == nil && who.account.CAFile != "" {
		who.account.CAFile = file // wherever mailhaul is started the next time
	}
	name, known := d.known(who)
	if !known {
		name = d.free(nameOf(who.account.User, who.account.Host), func(name string) bool {
			return d.file.Account(name) != nil || len(d.names) > 0 && d.names[0] == name
		})
		fmt.Fprintf(&d.accounts, "[accounts.%s]\nurl = %s\n", config.Key(name), config.Quote(who.account.String()))
		d.accounts.WriteString("# Without one of these the password is the one that mailhaul login keeps, or is asked for.\n" +
			"# password_command = \"pass show mail/" + name + "\"\n# password_file = \"" + name + ".secret\"\n\n")
	}
	d.names = append(d.names, name)
	return name
}

// known returns the name that the configuration has for the account.
func (d *draft) known(who *acquaintance) (name string, known bool) {
	for _, a := range d.file.Accounts {
		if a.Name == who.typed || a.Typed == who.account.String() {
			return a.Name, true
		}
	}
	return "", false
}

// free returns the name, with a number if it is taken.
func (d *draft) free(name string, taken func(string) bool) string {
	for n, numbered := 2, name; ; n++ {
		if !taken(numbered) {
			return numbered
		}
		numbered = fmt.Sprintf("%s-%d", name, n)
	}
}

// nameOf makes a name of the domain of an address, or else of the host, without the labels that say what it is for.
func nameOf(user, host string) string {
	domain := host
	if at := strings.LastIndexByte(user, '@'); at >= 0 {
		domain = user[at+1:]
	}
	if _, err := netip.ParseAddr(domain); err == nil {
		return "mail"
	}
	labels := strings.Split(strings.ToLower(strings.TrimSuffix(domain, ".")), ".")
	for len(labels) > 2 && (labels[0] == "imap" || labels[0] == "pop" || labels[0] == "pop3" || labels[0] == "mail") {
		labels = labels[1:]
	}
	ascii := func(s string) bool { return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0 }
	if !config.IsName(labels[0]) || !ascii(labels[0]) || len(labels[0]) > 20 {
		return "mail"
	}
	return labels[0]
}

// text is what is to be added.
func (d *draft) text() string {
	var b strings.Builder
	b.WriteString(d.accounts.String())
	fmt.Fprintf(&b, "[jobs.%s]\nsource = %s\narchive = %s\n", config.Key(d.job), config.Quote(d.source), config.Quote(d.archive))
	if d.destination != "" {
		fmt.Fprintf(&b, "destination = %s\n", config.Quote(d.destination))
	}
	fmt.Fprintf(&b, "# For you and for cron: mailhaul does not run by itself.\nschedule = %s\n# exclude = [\"Spam\", \"Trash\"]\n", config.Quote(string(usualSchedule)))
	return b.String()
}
