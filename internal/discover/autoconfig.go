package discover

import (
	"bytes"
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/mailhaul/mailhaul/internal/account"
)

// publicList is the list of providers that Thunderbird's makers keep; the domain stands behind it.
const publicList = "https://autoconfig.thunderbird.net/v1.1/"

// ownPages are where a domain says itself which servers it has (draft-ietf-mailmaint-autoconfig §4.1). The form by
// http is not asked: anybody on the way could answer.
func (s *search) ownPages() []string { return pagesOf(s.address.Domain) }

func pagesOf(domain string) []string {
	return []string{
		"https://autoconfig." + domain + "/mail/config-v1.1.xml",
		"https://" + domain + "/.well-known/autoconfig/mail/config-v1.1.xml",
	}
}

func (s *search) autoconfig(_ context.Context, q *questions) []Server {
	for _, u := range s.ownPages() {
		if servers := s.read(u, q.pages[u](), s.address.Domain+" itself"); len(servers) > 0 {
			return servers
		}
	}
	return nil
}

// autoconfigOfMX asks whoever takes the mail in, but does not tell whose address it is. Of a known provider the table
// knows more.
func (s *search) autoconfigOfMX(ctx context.Context, q *questions) []Server {
	base := s.baseOfMX(q)
	if base == "" {
		return nil
	}
	for _, u := range pagesOf(base) {
		if servers := s.read(u, s.get(ctx, u), base+", which takes the mail in"); len(servers) > 0 {
			return servers
		}
	}
	return nil
}

// baseOfMX is the domain of who takes the mail in, "" if it is the address's own, or one that is known.
func (s *search) baseOfMX(q *questions) string {
	mx := q.mx()
	if len(mx.hosts) == 0 || providerByMX(mx.hosts) != nil || related(mx.hosts[0], s.address.Domain) {
		return ""
	}
	return registered(mx.hosts[0])
}

func (s *search) publicList(ctx context.Context, q *questions) []Server {
	if s.Offline {
		s.found(publicList+s.address.Domain, nil, "not asked (--offline)")
		return nil
	}
	for _, domain := range unique([]string{s.address.Domain, s.baseOfMX(q)}) {
		u := publicList + domain
		if servers := s.read(u, s.get(ctx, u), "the public list of providers"); len(servers) > 0 {
			return servers
		}
	}
	return nil
}

// read makes servers of a page, and tells what was strange about it.
func (s *search) read(asked string, p page, word string) []Server {
	s.answered = s.answered || p.answered
	if p.body == nil {
		s.found(asked, nil, p.trouble)
		return nil
	}
	all, notes, err := readConfig(p.body, s.address)
	servers := s.accept(all, word)
	why := "it names no server for " + cmp.Or(name(s.wish.Protocol), "reading mail")
	if err != nil {
		why = err.Error()
	} else if len(servers) == 0 && len(s.named) > 0 {
		why = "it names only servers without TLS"
	}
	if len(notes) > 0 && len(servers) == 0 {
		why = strings.Join(notes, "; ")
	}
	s.found(asked, servers, why)
	if len(servers) > 0 {
		for _, note := range notes {
			s.found("  its faults", nil, note)
		}
	}
	return servers
}

// maxDepth is how deep elements may be nested; the format needs five levels.
const maxDepth = 16

// A clientConfig is the part of the format that is about reading mail.
type clientConfig struct {
	XMLName  xml.Name         `xml:"clientConfig"`
	Incoming []incomingServer `xml:"emailProvider>incomingServer"`
}

type incomingServer struct {
	Type     string   `xml:"type,attr"`
	Hostname string   `xml:"hostname"`
	Port     string   `xml:"port"`
	Socket   string   `xml:"socketType"`
	Username string   `xml:"username"`
	Auth     []string `xml:"authentication"`
}

// readConfig reads a page of autoconfig for an address. An entry that cannot be right is corrected where there is one
// right way only, or passed over; notes say so.
func readConfig(body []byte, a Address) (servers []Server, notes []string, err error) {
	if err := checkDepth(body); err != nil {
		return nil, nil, err
	}
	var config clientConfig
	if err := newDecoder(body).Decode(&config); err != nil {
		return nil, nil, errNoConfig
	}
	for i, entry := range config.Incoming {
		if i == 20 {
			break // nobody has so many; somebody is playing
		}
		if kind := strings.ToLower(entry.Type); kind != account.IMAP && kind != account.POP3 {
			continue
		}
		server, fault, err := entry.server(a)
		if err != nil {
			notes = append(notes, fmt.Sprintf("the entry of %s is passed over: %v", shorten(entry.Hostname), err))
			continue
		}
		if fault != "" {
			notes = append(notes, fmt.Sprintf("the entry of %s is corrected: %s", server.Host, fault))
		}
		servers = append(servers, server)
	}
	return servers, notes, nil
}

var errNoConfig = errors.New("it is no description of mail servers")

func newDecoder(body []byte) *xml.Decoder {
	d := xml.NewDecoder(bytes.NewReader(body))
	d.CharsetReader = func(charset string, input io.Reader) (io.Reader, error) {
		if strings.EqualFold(charset, "us-ascii") {
			return input, nil
		}
		return nil, errNoConfig
	}
	return d
}

// checkDepth reads all tokens, so that what follows can go by recursion.
func checkDepth(body []byte) error {
	d, depth := newDecoder(body), 0
	for {
		token, err := d.RawToken()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return errNoConfig
		}
		switch token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		}
		if depth > maxDepth {
			return errNoConfig
		}
	}
}

// server makes a server of the entry. fault is what was wrong and has been put right.
func (e incomingServer) server(a Address) (s Server, fault string, err error) {
	s = Server{Protocol: strings.ToLower(e.Type)}
	host := strings.ToLower(strings.TrimSuffix(expand(strings.TrimSpace(e.Hostname), a), "."))
	if !isHost(host) || !strings.Contains(host, ".") {
		return s, "", fmt.Errorf("%s is no host", shorten(host))
	}
	s.Host = host
	if s.Security, err = security(e.Socket); err != nil {
		return s, "", err
	}
	if s.Port, fault, err = e.port(s); err != nil {
		return s, "", err
	}
	user, unclosed, err := e.user(a)
	if err != nil {
		return s, "", err
	}
	if unclosed != "" {
		fault = strings.TrimPrefix(fault+", "+unclosed, ", ")
	}
	s.User = user
	if s.Proofs = e.proofs(); len(s.Proofs) == 0 {
		return s, "", fmt.Errorf("it wants a login of the kind %s", shorten(strings.Join(e.Auth, ", ")))
	}
	return s, fault, nil
}

func security(socketType string) (Security, error) {
	switch strings.ToUpper(strings.TrimSpace(socketType)) {
	case "SSL", "TLS":
		return Implicit, nil
	case "STARTTLS":
		return Upgraded, nil
	case "PLAIN":
		return Clear, nil
	}
	return 0, fmt.Errorf("%s is no socketType", shorten(socketType))
}

// port returns the port of a server. That of the other protocol is a slip which the public list has: the one meant is
// the same kind of port.
func (e incomingServer) port(s Server) (port int, fault string, err error) {
	n, err := strconv.ParseUint(strings.TrimSpace(e.Port), 10, 16)
	if err != nil || n == 0 {
		return 0, "", fmt.Errorf("%s is no port", shorten(e.Port))
	}
	port = int(n)
	other := map[string]string{account.IMAP: account.POP3, account.POP3: account.IMAP}[s.Protocol]
	for kind, wrongPort := range usualPorts[other] {
		if port == wrongPort {
			meant := usualPorts[s.Protocol][kind]
			return meant, fmt.Sprintf("port %d is %s's, %d is meant", port, name(other), meant), nil
		}
	}
	if slices.Contains([]int{25, 465, 587, 80, 443, 22}, port) {
		return 0, "", fmt.Errorf("on port %d there is no mail to read", port)
	}
	return port, "", nil
}

var placeholders = []string{"%EMAILADDRESS%", "%EMAILLOCALPART%", "%EMAILDOMAIN%"}

// user returns the name to log in as. A placeholder whose last % was forgotten is taken for what it is.
func (e incomingServer) user(a Address) (user, fault string, err error) {
	pattern := strings.TrimSpace(e.Username)
	if pattern == "" {
		pattern = placeholders[0]
	}
	for _, p := range placeholders {
		if open := strings.TrimSuffix(p, "%"); strings.HasSuffix(pattern, open) {
			pattern += "%"
			fault = "its " + open + " wants a % at the end"
		}
	}
	rest := pattern
	for _, p := range placeholders {
		rest = strings.ReplaceAll(rest, p, "")
	}
	if strings.Contains(rest, "%") || strings.ContainsFunc(rest, func(r rune) bool { return r < ' ' || r == 0x7f }) || len(rest) > maxDomain {
		return "", "", fmt.Errorf("nobody can tell what user %s is", shorten(pattern))
	}
	return expand(pattern, a), fault, nil
}

// proofs returns those of the entry's ways to log in that there are here. What is called encrypted is a password all
// the same, and needs no more protection than TLS gives it.
func (e incomingServer) proofs() (proofs []Proof) {
	for _, auth := range e.Auth {
		var p Proof
		switch strings.ToLower(strings.TrimSpace(auth)) {
		case "password-cleartext", "plain", "password-encrypted", "secure":
			p = Password
		case "oauth2":
			p = OAuth2
		}
		if p != "" && !slices.Contains(proofs, p) {
			proofs = append(proofs, p)
		}
	}
	if len(e.Auth) == 0 {
		return []Proof{Password}
	}
	return proofs
}
