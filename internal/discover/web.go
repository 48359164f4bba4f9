package discover

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// webTimeout is for a page as a whole, redirections and all; tests have less of it.
var webTimeout = 10 * time.Second

const (
	maxPage      = 256 << 10 // octets; the longest page in the public list has 11,000
	maxRedirects = 3
)

// A page is what came from the web, or why nothing did.
type page struct {
	body     []byte
	trouble  string
	answered bool // somebody was reached, or is known not to be there
}

func escape(s string) string { return url.QueryEscape(s) }

// get fetches a page by https. Nothing is remembered from one page to the next, and where a page has come from is not
// told to where it sends us: the address may be in it.
func (f *Finder) get(ctx context.Context, from string) (p page) {
	ctx, cancel := context.WithTimeout(ctx, webTimeout)
	defer cancel()
	transport := &http.Transport{
		DialContext:            f.dialFully,
		TLSClientConfig:        &tls.Config{RootCAs: f.Roots, MinVersion: tls.VersionTLS12},
		DisableKeepAlives:      true,
		DisableCompression:     true, // a small page can be a very large one in disguise
		MaxResponseHeaderBytes: 64 << 10,
	}
	client := &http.Client{Transport: transport, CheckRedirect: mayFollow}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return page{trouble: "it cannot be asked for"}
	}
	request.Header.Set("User-Agent", "mailhaul")
	response, err := client.Do(request)
	if err != nil {
		return unreachable(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return page{trouble: fmt.Sprintf("it is not there (%d)", response.StatusCode), answered: true}
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxPage+1))
	if ctx.Err() != nil { // whatever came by then has no end
		err = ctx.Err()
	}
	switch {
	case err != nil:
		return unreachable(err)
	case len(body) > maxPage:
		return page{trouble: fmt.Sprintf("it is longer than %d octets", maxPage), answered: true}
	}
	return page{body: body, answered: true}
}

// errRedirect is a redirection that is not followed.
type errRedirect string

func (e errRedirect) Error() string { return string(e) }

// mayFollow follows a few redirections, by https on the usual port to a host with a name.
func mayFollow(request *http.Request, before []*http.Request) error {
	request.Header.Del("Referer")
	u := request.URL
	switch {
	case len(before) > maxRedirects:
		return errRedirect("it sends one on and on")
	case u.Scheme != "https":
		return errRedirect("it sends one to a page without TLS")
	case u.Port() != "" && u.Port() != "443", !isHost(strings.ToLower(u.Hostname())), u.User != nil:
		return errRedirect("it sends one to a strange place")
	}
	return nil
}

// dialFully connects to a host by its full name: nothing is looked up beneath one's own domain.
func (f *Finder) dialFully(ctx context.Context, network, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	return f.dial(ctx, network, net.JoinHostPort(strings.TrimSuffix(host, ".")+".", port))
}

func (f *Finder) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if f.Dialer != nil {
		return f.Dialer(ctx, network, addr)
	}
	return (&net.Dialer{Resolver: f.resolver()}).DialContext(ctx, network, addr)
}

// unreachable says in few words why a page could not be had.
func unreachable(err error) page {
	var (
		redirect errRedirect
		dns      *net.DNSError
		cert     *tls.CertificateVerificationError
		op       *net.OpError
	)
	switch {
	case errors.As(err, &redirect):
		return page{trouble: string(redirect), answered: true}
	case errors.As(err, &dns) && dns.IsNotFound:
		return page{trouble: "there is no such host", answered: true}
	case errors.As(err, &dns):
		return page{trouble: "the host cannot be looked up now"}
	case errors.As(err, &cert):
		return page{trouble: "its certificate is not to be trusted", answered: true}
	case errors.Is(err, context.DeadlineExceeded):
		return page{trouble: fmt.Sprintf("it does not come within %g s", webTimeout.Seconds())}
	case errors.As(err, &op) && op.Op == "dial":
		return page{trouble: "the host cannot be reached"}
	}
	return page{trouble: "it does not come whole", answered: true}
}
