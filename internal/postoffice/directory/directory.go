// Package directory is the part of the Internet that is asked where mail servers are: a name server and web servers, on
// loopback, that say what a test has them say. Only tests use it.
package directory

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/mailhaul/mailhaul/internal/postoffice"
)

// A Directory is a name server, and web servers by https, on loopback. It may be filled while it is asked.
type Directory struct {
	CA    *postoffice.CA // of all certificates
	names string         // where the name server is

	mu     sync.Mutex
	srv    map[string][]dnsmessage.SRVResource // _imaps._tcp.example.org.
	mx     map[string][]string
	hosts  map[string]bool             // names with an address
	silent bool                        // the name server does not answer
	pages  map[string]http.HandlerFunc // by host
	ports  map[string]string           // "imap.example.org:993": where that is in truth
	asked  []string                    // of web servers, host and path and query
	from   []string                    // the Referer headers that came with it
	dialed []string
}

// New starts an empty directory that ends with the test.
func New(t testing.TB) *Directory {
	d := &Directory{CA: postoffice.NewCA(), srv: map[string][]dnsmessage.SRVResource{}, mx: map[string][]string{},
		hosts: map[string]bool{}, pages: map[string]http.HandlerFunc{}, ports: map[string]string{}}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.names = conn.LocalAddr().String()
	var serving sync.WaitGroup
	serving.Go(func() { d.serveNames(conn) })
	t.Cleanup(func() { conn.Close(); serving.Wait() })
	d.serveWeb(t)
	return d
}

// Resolver asks the directory and nobody else.
func (d *Directory) Resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", d.names)
	}}
}

// Dial looks a name up and connects to where its port is in truth.
func (d *Directory) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, port, _ := net.SplitHostPort(addr)
	if _, err := d.Resolver().LookupHost(ctx, host); err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	name := strings.TrimSuffix(host, ".") + ":" + port
	d.mu.Lock()
	to := d.ports[name]
	if to == "" && port == "443" {
		to = d.ports["web"]
	}
	d.dialed = append(d.dialed, name)
	d.mu.Unlock()
	if to == "" {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("connection refused")}
	}
	return new(net.Dialer).DialContext(ctx, network, to)
}

// serveNames answers questions for A, MX and SRV.
func (d *Directory) serveNames(conn net.PacketConn) {
	buf := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		var question dnsmessage.Message
		if question.Unpack(buf[:n]) != nil || len(question.Questions) != 1 {
			continue
		}
		if answer := d.answer(question); answer != nil {
			conn.WriteTo(answer, from)
		}
	}
}

func (d *Directory) answer(m dnsmessage.Message) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.silent {
		m.Header = dnsmessage.Header{ID: m.ID, Response: true, RCode: dnsmessage.RCodeServerFailure}
		packed, _ := m.Pack()
		return packed
	}
	q := m.Questions[0]
	name := strings.ToLower(q.Name.String())
	m.Header = dnsmessage.Header{ID: m.ID, Response: true, Authoritative: true, RecursionAvailable: true}
	m.Additionals = nil
	add := func(body dnsmessage.ResourceBody) {
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1}, Body: body})
	}
	known := d.hosts[name]
	switch q.Type {
	case dnsmessage.TypeA:
		if known {
			add(&dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}})
		}
	case dnsmessage.TypeMX:
		for i, host := range d.mx[name] {
			add(&dnsmessage.MXResource{Pref: uint16(i), MX: dnsmessage.MustNewName(host)})
		}
	case dnsmessage.TypeSRV:
		for _, r := range d.srv[name] {
			add(&r)
		}
	}
	if len(m.Answers) == 0 && !known {
		m.RCode = dnsmessage.RCodeNameError
	}
	packed, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return packed
}

// serveWeb starts a web server that is whoever it is called.
func (d *Directory) serveWeb(t testing.TB) {
	config := &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		return d.CA.Server(hello.ServerName), nil
	}}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	d.ports["web"] = ln.Addr().String()
	server := &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		page := d.pages[r.Host]
		d.asked = append(d.asked, r.Host+r.URL.String())
		d.from = append(d.from, r.Referer())
		d.mu.Unlock()
		if page == nil {
			http.NotFound(out, r)
			return
		}
		page(out, r)
	})}
	go server.Serve(ln)
	t.Cleanup(func() { server.Close() })
}

// Page has a host show what it is given, whatever is asked for.
func (d *Directory) Page(host, body string) {
	d.Handle(host, func(out http.ResponseWriter, _ *http.Request) { out.Write([]byte(body)) })
}

// Handle has a host answer.
func (d *Directory) Handle(host string, f http.HandlerFunc) {
	d.Host(host)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pages[host] = f
}

// Host gives names an address.
func (d *Directory) Host(names ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range names {
		d.hosts[name+"."] = true
	}
}

// Service publishes a service (RFC 6186), with priority and weight if there is an order; "." is none of it.
func (d *Directory) Service(service, domain, target string, port uint16, order ...uint16) {
	r := dnsmessage.SRVResource{Target: dnsmessage.MustNewName(target + "."), Port: port}
	if target == "." {
		r.Target = dnsmessage.MustNewName(".")
	}
	if len(order) == 2 {
		r.Priority, r.Weight = order[0], order[1]
	}
	name := "_" + service + "._tcp." + domain + "."
	d.mu.Lock()
	defer d.mu.Unlock()
	d.srv[name] = append(d.srv[name], r)
}

// Exchanger says who takes mail in, the preferred first.
func (d *Directory) Exchanger(domain string, hosts ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, host := range hosts {
		d.mx[domain+"."] = append(d.mx[domain+"."], host+".")
	}
}

// Listening says where a port of a name is in truth: "imap.example.org:993" is at "127.0.0.1:34567".
func (d *Directory) Listening(name, at string) {
	host, _, _ := strings.Cut(name, ":")
	d.Host(host)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ports[name] = at
}

// Silence has the name server fail at every question.
func (d *Directory) Silence() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.silent = true
}

// Asked returns what web servers were asked for, each as host, path and query.
func (d *Directory) Asked() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.asked)
}

// Referers returns where those who asked said they came from.
func (d *Directory) Referers() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.from)
}

// Dialed returns the names and ports that were connected to.
func (d *Directory) Dialed() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.dialed)
}
