// Package discover finds the mail servers of an e-mail address: in a table of providers that it brings along, by what
// the domain itself publishes (autoconfig, RFC 6186), in the public list of providers, by the domain's mail exchangers,
// and at last by trying the usual names.
//
// Nobody who answers is trusted further than his word goes. A domain may name its own servers, and the table names
// its own; any other server, and any guess, comes with a Doubt, and the person has to say yes before a secret goes
// there. What is found is asked by TLS always: a server without it is never an answer unless the person allows that,
// and then only if there is no other.
//
// The address is told to its own domain only; the public list is asked for the domain.
package discover

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mailhaul/mailhaul/internal/account"
	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Finder finds servers. Its zero value asks everybody.
type Finder struct {
	Offline   bool       // the public list of providers is not asked
	Plaintext bool       // a server without TLS will do, if there is no other
	Watch     func(Step) // is told of each step; nil: nobody watches

	// Whom to trust of the mail servers that are tried, as dial.Server has it.
	CAFile string
	Pin    dial.Pin

	// Tests have a world of their own; nil: this one.
	Resolver *net.Resolver
	Dialer   func(ctx context.Context, network, addr string) (net.Conn, error)
	Roots    *x509.CertPool // of web servers
}

// A Wish is what the servers are for.
type Wish struct {
	Protocol string // account.IMAP or account.POP3; "": IMAP, or else POP3
	Reading  bool   // nothing is to be written
}

// A Found is what there is for an address.
type Found struct {
	Address  Address
	Servers  []Server  // at least one, the best first
	Provider *Provider // nil: it is not in the table
}

// Find returns the servers of an address that fulfil the wish. Errors are *mail.Error, but for a cancelled context.
func (f Finder) Find(ctx context.Context, a Address, w Wish) (Found, error) {
	s := &search{Finder: f, address: a, wish: w, offersNo: map[string]bool{}}
	found, err := s.run(ctx)
	if cause := context.Cause(ctx); cause != nil {
		return Found{}, cause
	}
	return found, err
}

// A search is one address being looked up.
type search struct {
	Finder
	address  Address
	wish     Wish
	answered bool            // somebody was reached
	offersNo map[string]bool // protocols that the domain says it has no servers for
	clear    []Server        // servers without TLS, for when there is nothing else
	named    []string        // their hosts, where TLS may be all the same
	over     error           // why it makes no sense to look further
	pending  sync.WaitGroup
}

func (s *search) run(ctx context.Context) (Found, error) {
	if p := providerOf(s.address.Domain); p != nil {
		return s.known(p)
	}
	s.found("the list of known providers", nil, s.address.Domain+" is not in it")
	ctx, cancel := context.WithCancel(ctx)
	defer s.pending.Wait()
	defer cancel()
	q := s.ask(ctx)
	for _, look := range []func(context.Context, *questions) []Server{
		s.autoconfig, s.autoconfigOfMX, s.publicList, s.services, s.exchangers, s.usualNames,
	} {
		servers := look(ctx, q)
		if s.over != nil || context.Cause(ctx) != nil {
			return Found{}, s.over
		}
		if len(servers) > 0 {
			return Found{s.address, servers, s.providerAt(servers[0].Host, q)}, nil
		}
	}
	if s.Plaintext && len(s.clear) > 0 {
		return Found{s.address, s.clear, nil}, nil
	}
	return Found{}, s.nothing()
}

// providerAt prefers the row that the exchangers tell: several have the same servers.
func (s *search) providerAt(host string, q *questions) *Provider {
	if p := providerByMX(q.mx().hosts); p != nil && (p.IMAP == host || p.IMAPReading == host || p.POP3 == host) {
		return p
	}
	return ProviderByHost(host)
}

// known answers from the table.
func (s *search) known(p *Provider) (Found, error) {
	if p.None != "" {
		s.found("the list of known providers", nil, p.None)
		return Found{}, p.nothing()
	}
	servers := s.accept(p.servers(s.address, s.wish.Reading), p.word())
	if len(servers) == 0 {
		offers := account.IMAP
		if p.IMAP == "" {
			offers = account.POP3
		}
		s.found("the list of known providers", nil, p.Name+" has no "+name(s.wish.Protocol))
		return Found{}, wrong("", "%s has no %s, only %s", p.Name, name(s.wish.Protocol), name(offers))
	}
	s.found("the list of known providers", servers, "")
	return Found{s.address, servers, p}, nil
}

func (p *Provider) nothing() error { return wrong(p.Instead, "%s", p.None) }

func (p *Provider) word() string {
	return fmt.Sprintf("known provider %s, %s", p.Name, p.Checked.Format(time.DateOnly))
}

// accept returns those of the servers that fulfil the wish, the best first, each with whose word it is, and with the
// doubt there may be about it.
func (s *search) accept(servers []Server, word string) (good []Server) {
	for _, server := range servers {
		server.Named = word
		if server.Doubt == "" {
			server.Doubt = s.doubt(server)
		}
		switch {
		case s.wish.Protocol != "" && s.wish.Protocol != server.Protocol:
		case server.Security == Clear:
			server.Doubt = "the password and all mail would go there in clear"
			s.clear = append(s.clear, server)
			s.named = append(s.named, server.Host)
		default:
			good = append(good, server)
		}
	}
	best(good)
	return good
}

// doubt is about where the server is: a domain may send its people to its own servers without being asked, and
// anybody to those of a known provider, who is no thief of passwords.
func (s *search) doubt(server Server) string {
	if related(server.Host, s.address.Domain) || ProviderByHost(server.Host) != nil {
		return ""
	}
	if p := providerOf(s.address.Domain); p != nil {
		return "" // it is the table that says so
	}
	return server.Host + " is not of " + s.address.Domain
}

// name is what people call a protocol; "" where none is wanted.
func name(protocol string) string { return strings.ToUpper(protocol) }

// nothing is the error when all has been tried.
func (s *search) nothing() error {
	protocol := s.wish.Protocol
	kinds := "mail server"
	if protocol != "" {
		kinds = name(protocol) + " server"
	} else {
		protocol = account.IMAP
	}
	write := fmt.Sprintf("ask the provider for the name of its server, and write the account as %ss://%s@HOST", protocol, s.address)
	switch {
	case !s.answered:
		return &mail.Error{Scope: mail.ScopeAccount, Cause: mail.CauseNetwork,
			Err: fmt.Errorf("the servers of %s cannot be looked up now: nobody answers", s.address), Hint: "check that this machine is online"}
	case len(s.clear) > 0:
		return wrong("ask the provider for a server with TLS; if there is no way around, --insecure-plaintext takes this one",
			"%s has a %s without TLS only: %s", s.address.Domain, kinds, s.clear[0].place())
	case s.offersNo[account.IMAP] && (s.offersNo[account.POP3] || s.wish.Protocol == account.IMAP),
		s.offersNo[account.POP3] && s.wish.Protocol == account.POP3:
		return wrong("ask the provider how mail is fetched there", "%s says that it has no %s", s.address.Domain, kinds)
	}
	return wrong(write+"; check the spelling of "+s.address.Domain+" first", "no %s was found for %s", kinds, s.address)
}

// ask begins to ask all that only the domain and the DNS hear of, at the same time.
func (s *search) ask(ctx context.Context) *questions {
	q := &questions{pages: map[string]func() page{}, srv: map[string]func() services{}}
	q.mx = begin(&s.pending, func() exchangers { return s.lookupMX(ctx) })
	for _, u := range s.ownPages() {
		q.pages[u] = begin(&s.pending, func() page { return s.get(ctx, u+"?emailaddress="+escape(s.address.String())) })
	}
	for _, service := range serviceNames {
		q.srv[service] = begin(&s.pending, func() services { return s.lookupSRV(ctx, service) })
	}
	return q
}

// questions are what has been asked; calling one waits for its answer.
type questions struct {
	mx    func() exchangers
	pages map[string]func() page
	srv   map[string]func() services
}

// begin runs f; what it returns waits for the result.
func begin[T any](group *sync.WaitGroup, f func() T) func() T {
	var result T
	done := make(chan struct{})
	group.Go(func() {
		defer close(done)
		result = f()
	})
	return func() T {
		<-done
		return result
	}
}

// exchangers goes by who takes the domain's mail in. Where that is only somebody who keeps spam away, the mail is
// elsewhere; the person sees whose server it is.
func (s *search) exchangers(ctx context.Context, q *questions) []Server {
	mx := q.mx()
	asked := "who takes mail in for " + s.address.Domain
	s.answered = s.answered || mx.answered
	p := providerByMX(mx.hosts)
	switch {
	case p == nil:
		s.found(asked, nil, mx.text())
		return nil
	case p.None != "":
		s.found(asked, nil, p.None)
		s.over = p.nothing()
		return nil
	}
	offered := p.servers(s.address, s.wish.Reading)
	for i := range offered {
		offered[i].Doubt = p.OwnDomain
	}
	servers := s.accept(offered, fmt.Sprintf("mail for %s goes to %s", s.address.Domain, p.Name))
	s.found(asked+": "+mx.hosts[0], servers, p.Name+" has no "+name(s.wish.Protocol))
	return servers
}

// unique returns list without its doubles, in order.
func unique(list []string) (all []string) {
	for _, s := range list {
		if s != "" && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}
