package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/mailhaul/mailhaul/internal/account"
	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/discover"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// world is who is asked for the servers of an address; tests have a smaller one.
var world discover.Finder

// A reach is how far mailhaul may go to get to an account.
type reach struct {
	insecure bool // without TLS
	offline  bool // asking nobody but the account's own domain
}

func (r *reach) addFlags(f *pflag.FlagSet) {
	f.BoolVar(&r.insecure, "insecure-plaintext", false, "allow accounts without TLS on another machine: passwords and mail can be read on the way")
	f.BoolVar(&r.offline, "offline", false, "do not ask the public list of providers for the servers of an address")
}

// parse makes an account of what was typed: a URL as it is, or an address whose servers are looked up. A destination
// must speak what mail can be given by. Asked once more for the same, it does nothing.
func (p *party) parse(ctx context.Context, t *terminal, typed string) error {
	typed, err := p.lookUp(t, typed)
	if err != nil {
		return err
	}
	if p.sessions < 0 || p.sessions > maxSessions {
		return usageError{fmt.Errorf("--max-connections %d: from 1 to %d make sense", p.sessions, maxSessions), "most providers allow 10 to 15 at once, your mail program's among them"}
	}
	if typed == p.typed {
		return nil
	}
	if protocol, address, ok := asAddress(typed); ok {
		err = p.find(ctx, t, protocol, address)
	} else {
		p.account, err = account.Parse(typed, p.insecure)
		p.provider = discover.ProviderByHost(p.account.Host)
	}
	if err == nil && p.role == "destination" && p.account.Protocol != account.IMAP {
		err = errOnlyOut
	}
	if err != nil {
		return p.say(err)
	}
	p.typed, p.pace = typed, &dial.Pace{Every: time.Second / 2, Burst: 4}
	return nil
}

var errOnlyOut = usageError{errors.New("POP3 can only hand mail out, not take it"), "the destination is an IMAP account"}

// asAddress tells an address, with the protocol if one stands before it: me@example.org, pop3:me@example.org. Any other
// colon, or a slash, is no part of one, and what follows may be a password.
func asAddress(typed string) (protocol, address string, ok bool) {
	if before, after, found := strings.Cut(typed, ":"); found {
		switch before = strings.ToLower(before); before {
		case account.IMAP, account.POP3:
			protocol, typed = before, after
		}
	}
	address, _, _ = strings.Cut(typed, "?")
	return protocol, typed, strings.LastIndexByte(address, '@') > 0 && !strings.ContainsAny(address, ":/")
}

// isAccount tells an account from the directory of an archive, where either may stand.
func isAccount(typed string) bool {
	_, _, address := asAddress(typed)
	if _, err := os.Stat(typed); err == nil {
		address = false
	}
	return address || strings.Contains(typed, "://")
}

// find looks up the servers of an address and takes the first, if the person agrees where that is needed. What stands
// behind a "?" holds for the server as it would in a URL.
func (p *party) find(ctx context.Context, t *terminal, protocol, typed string) error {
	text, parameters, _ := strings.Cut(typed, "?")
	given, err := account.Parse("imaps://me@host?"+parameters, p.insecure)
	if err != nil {
		return err
	}
	address, err := discover.ParseAddress(text)
	if err != nil {
		return err
	}
	wish := discover.Wish{Protocol: protocol, Reading: p.role != "destination"}
	if p.role == "destination" {
		if protocol == account.POP3 {
			return errOnlyOut
		}
		wish.Protocol = account.IMAP
	}
	finder := world
	finder.Offline, finder.Plaintext, finder.Watch = p.offline, p.insecure, p.watch
	finder.CAFile, finder.Pin = given.CAFile, given.Pin
	found, err := finder.Find(ctx, address, wish)
	if err != nil {
		return err
	}
	server := found.Servers[0]
	if p.account, err = account.Parse(server.URL(parameters), p.insecure); err != nil {
		return err
	}
	p.provider, p.named = found.Provider, server.Named
	if p.watch != nil && server.Doubt == "" { // it has been told of all that
		return nil
	}
	return t.agree(ctx, address, p.account, server)
}

// agree shows the server, and asks for a yes where nobody who may has named it.
func (t *terminal) agree(ctx context.Context, address discover.Address, a account.Account, server discover.Server) error {
	where := mail.Printable(a.String())
	if server.Doubt == "" {
		t.sayf("%s is %s (%s)", mail.Printable(address.String()), where, mail.Printable(server.Named))
		return nil
	}
	t.line(fmt.Sprintf("%s may be %s (%s)", mail.Printable(address.String()), where, mail.Printable(server.Named)))
	doubt := usageError{fmt.Errorf("%s: %s", address, server.Doubt), "if it is the right server, write the account as '" + where + "'"}
	if !t.canAsk() {
		return doubt
	}
	yes, err := t.askYes(ctx, "but "+mail.Printable(server.Doubt)+". Use it?")
	if err == nil && !yes {
		err = doubt
	}
	return err
}

// advise says how to log in at a provider that takes no usual password, before one is asked for.
func (t *terminal) advise(p *party) {
	if text := p.provider.HowToLogIn(); text != "" {
		t.sayf("%s", text)
	}
}
