package discover

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/mailhaul/mailhaul/internal/postoffice"
)

func init() { webTimeout = time.Second }

// A town is a small Internet: a name server, web servers by https, and mail servers, all on loopback.
type town struct {
	t     *testing.T
	ca    *postoffice.CA
	names string // where the name server is

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

func newTown(t *testing.T) *town {
	w := &town{t: t, ca: postoffice.NewCA(), srv: map[string][]dnsmessage.SRVResource{}, mx: map[string][]string{},
		hosts: map[string]bool{}, pages: map[string]http.HandlerFunc{}, ports: map[string]string{}}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.names = conn.LocalAddr().String()
	var serving sync.WaitGroup
	serving.Go(func() { w.serveNames(conn) })
	t.Cleanup(func() { conn.Close(); serving.Wait() })
	w.serveWeb()
	return w
}

func (w *town) finder() Finder {
	return Finder{Dialer: w.dial, Roots: w.ca.Pool(), CAFile: w.caFile(), Resolver: w.resolver()}
}

func (w *town) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", w.names)
	}}
}

// dial looks a name up and connects to where its port is in truth.
func (w *town) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, port, _ := net.SplitHostPort(addr)
	if _, err := w.resolver().LookupHost(ctx, host); err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	name := strings.TrimSuffix(host, ".") + ":" + port
	w.mu.Lock()
	to := w.ports[name]
	if to == "" && port == "443" {
		to = w.ports["web"]
	}
	w.dialed = append(w.dialed, name)
	w.mu.Unlock()
	if to == "" {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("connection refused")}
	}
	return new(net.Dialer).DialContext(ctx, network, to)
}

// serveNames answers questions for A, MX and SRV.
func (w *town) serveNames(conn net.PacketConn) {
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
		if answer := w.answer(question); answer != nil {
			conn.WriteTo(answer, from)
		}
	}
}

func (w *town) answer(m dnsmessage.Message) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.silent {
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
	known := w.hosts[name]
	switch q.Type {
	case dnsmessage.TypeA:
		if known {
			add(&dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}})
		}
	case dnsmessage.TypeMX:
		for i, host := range w.mx[name] {
			add(&dnsmessage.MXResource{Pref: uint16(i), MX: dnsmessage.MustNewName(host)})
		}
	case dnsmessage.TypeSRV:
		for _, r := range w.srv[name] {
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
func (w *town) serveWeb() {
	config := &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		return w.ca.Server(hello.ServerName), nil
	}}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		w.t.Fatal(err)
	}
	w.ports["web"] = ln.Addr().String()
	server := &http.Server{Handler: http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		page := w.pages[r.Host]
		w.asked = append(w.asked, r.Host+r.URL.String())
		w.from = append(w.from, r.Referer())
		w.mu.Unlock()
		if page == nil {
			http.NotFound(out, r)
			return
		}
		page(out, r)
	})}
	go server.Serve(ln)
	w.t.Cleanup(func() { server.Close() })
}

// page has a host show what it is given.
func (w *town) page(host, body string) {
	w.handle(host, func(out http.ResponseWriter, _ *http.Request) { out.Write([]byte(body)) })
}

func (w *town) handle(host string, f http.HandlerFunc) {
	w.host(host)
	w.pages[host] = f
}

func (w *town) host(names ...string) {
	for _, name := range names {
		w.hosts[name+"."] = true
	}
}

func (w *town) service(service, domain, target string, port uint16, order ...uint16) {
	r := dnsmessage.SRVResource{Target: dnsmessage.MustNewName(target + "."), Port: port}
	if target == "." {
		r.Target = dnsmessage.MustNewName(".")
	}
	if len(order) == 2 {
		r.Priority, r.Weight = order[0], order[1]
	}
	name := "_" + service + "._tcp." + domain + "."
	w.srv[name] = append(w.srv[name], r)
}

func (w *town) exchanger(domain string, hosts ...string) {
	for _, host := range hosts {
		w.mx[domain+"."] = append(w.mx[domain+"."], host+".")
	}
}

// mailServer puts a mail server under a name and a port, with a certificate for another name if there is one.
func (w *town) mailServer(protocol, addr string, certificate ...string) *postoffice.Server {
	host, _, _ := strings.Cut(addr, ":")
	w.host(host)
	office := postoffice.New()
	server := office.POP3(postoffice.Trouble{})
	if protocol == "imap" {
		server = office.IMAP(postoffice.Trouble{})
	}
	w.t.Cleanup(func() { server.Close() })
	at, err := server.Listen(w.ca.Server(append(certificate, host)[0]))
	if err != nil {
		w.t.Fatal(err)
	}
	w.ports[addr] = at
	return server
}

func (w *town) sawQuery(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.asked, func(s string) bool { return strings.Contains(s, text) })
}
