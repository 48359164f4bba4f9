package discover

import (
	"cmp"
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/mailhaul/mailhaul/internal/account"
)

const (
	dnsTimeout = 8 * time.Second
	most       = 5 // exchangers, or servers of a service, that are looked at
)

func (f *Finder) resolver() *net.Resolver {
	if f.Resolver == nil {
		return net.DefaultResolver
	}
	return f.Resolver
}

// exchangers is the answer to an MX question.
type exchangers struct {
	hosts    []string // the preferred first, in lower case
	answered bool
	none     bool // the domain takes no mail in (RFC 7505)
	trouble  string
}

func (s *search) lookupMX(ctx context.Context) (mx exchangers) {
	ctx, cancel := context.WithTimeout(ctx, dnsTimeout)
	defer cancel()
	records, err := s.resolver().LookupMX(ctx, s.address.Domain+".") // the dot: nothing is looked up beneath one's own domain
	mx.trouble, mx.answered = lookupTrouble(err)
	for _, r := range records {
		host := strings.ToLower(strings.TrimSuffix(r.Host, "."))
		mx.none = mx.none || host == ""
		if isHost(host) && len(mx.hosts) < most {
			mx.hosts = append(mx.hosts, host)
		}
	}
	return mx
}

func (mx exchangers) text() string {
	switch {
	case len(mx.hosts) > 0:
		return mx.hosts[0] + " belongs to no known provider"
	case mx.none:
		return "nobody, it says itself"
	case mx.trouble != "":
		return mx.trouble
	}
	return "nobody"
}

// lookupTrouble returns why there is no answer, and whether there is one: that a name is not there is one.
func lookupTrouble(err error) (trouble string, answered bool) {
	var dns *net.DNSError
	switch {
	case err == nil:
		return "", true
	case errors.As(err, &dns) && dns.IsNotFound:
		return "", true
	case errors.As(err, &dns) && dns.IsTimeout, errors.Is(err, context.DeadlineExceeded):
		return "the DNS does not answer", false
	}
	return "the DNS cannot say now", false
}

// serviceNames are those of RFC 6186, in the order of RFC 8314 §3.3: with TLS from the start first.
var serviceNames = []string{"imaps", "imap", "pop3s", "pop3"}

// services is the answer to an SRV question.
type services struct {
	servers  []Server
	denied   bool // "." : the domain has none of these
	answered bool
	trouble  string
}

// lookupSRV asks for one service. The choice among equals is by weight and name, not by lot as RFC 2782 has it: an
// account that is another one at every run would be archived anew each time.
func (s *search) lookupSRV(ctx context.Context, service string) (found services) {
	ctx, cancel := context.WithTimeout(ctx, dnsTimeout)
	defer cancel()
	_, records, err := s.resolver().LookupSRV(ctx, service, "tcp", s.address.Domain+".")
	found.trouble, found.answered = lookupTrouble(err)
	slices.SortFunc(records, func(a, b *net.SRV) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.Target, b.Target))
	})
	protocol, implicit := strings.CutSuffix(service, "s")
	for _, r := range records {
		host := strings.ToLower(strings.TrimSuffix(r.Target, "."))
		found.denied = found.denied || r.Target == "."
		if !isHost(host) || r.Port == 0 || len(found.servers) == most {
			continue
		}
		server := Server{Protocol: protocol, Host: host, Port: int(r.Port), Security: Upgraded, User: s.address.String()}
		if implicit {
			server.Security = Implicit
		}
		found.servers = append(found.servers, server)
	}
	return found
}

// services goes by the domain's SRV records (RFC 6186).
func (s *search) services(_ context.Context, q *questions) []Server {
	var all []Server
	denied, trouble := map[string]int{}, ""
	for _, service := range serviceNames {
		got := q.srv[service]()
		s.answered = s.answered || got.answered
		all = append(all, got.servers...)
		trouble = cmp.Or(trouble, got.trouble)
		protocol := strings.TrimSuffix(service, "s")
		if got.denied && len(got.servers) == 0 {
			denied[protocol]++
		} else if len(got.servers) > 0 {
			denied[protocol] = -len(serviceNames)
		}
	}
	var no []string
	for _, protocol := range []string{account.IMAP, account.POP3} {
		if denied[protocol] > 0 {
			s.offersNo[protocol] = true
			no = append(no, name(protocol))
		}
	}
	servers := s.accept(all, "the DNS of "+s.address.Domain)
	why := cmp.Or(trouble, "none")
	if len(no) > 0 {
		why = "it says that it has no " + strings.Join(no, " and no ")
	} else if len(all) > 0 {
		why = "none for " + name(s.wish.Protocol)
	}
	s.found("the DNS for mail services of "+s.address.Domain, servers, why)
	return servers
}
