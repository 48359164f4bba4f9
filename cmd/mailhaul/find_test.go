package main

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mailhaul/mailhaul/internal/discover"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/directory"
)

// A province is a directory of where mail is, honest or not, and what listens there. While it is there, it is where
// this process looks names up.
type province struct {
	*directory.Directory
	t  *testing.T
	ca string // file

	mu    sync.Mutex
	heard bytes.Buffer // by those who should hear no secret
}

func newProvince(t *testing.T) *province {
	p := &province{Directory: directory.New(t), t: t, ca: filepath.Join(t.TempDir(), "ca.pem")}
	if err := os.WriteFile(p.ca, p.CA.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	usual := net.DefaultResolver
	net.DefaultResolver = p.Resolver()
	world = discover.Finder{Resolver: p.Resolver(), Dialer: p.Dial, Roots: p.CA.Pool()}
	t.Cleanup(func() { net.DefaultResolver, world = usual, discover.Finder{} })
	t.Setenv("MAILHAUL_PASSWORD", canary)
	return p
}

// office starts a sound server with an account, and returns its port.
func (p *province) office(host, user string) uint16 {
	office := postoffice.New()
	office.Account(user, canary)
	server := office.IMAP(postoffice.Trouble{})
	p.t.Cleanup(func() { server.Close() })
	at, err := server.Listen(p.CA.Server(host))
	if err != nil {
		p.t.Fatal(err)
	}
	p.Host(host)
	return port(p.t, at)
}

// listener starts somebody who takes every login, writes down what he hears, and has the certificate of host; in clear
// if there is none.
func (p *province) listener(host, greeting string, config *tls.Config) uint16 {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	at := port(p.t, ln.Addr().String())
	if config != nil {
		ln = tls.NewListener(ln, config)
	}
	p.Host(host)
	var serving sync.WaitGroup
	p.t.Cleanup(func() { ln.Close(); serving.Wait() })
	serving.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { p.listen(c, greeting) })
		}
	})
	return at
}

func (p *province) listen(c net.Conn, greeting string) {
	defer c.Close()
	io.WriteString(c, greeting+"\r\n")
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		p.mu.Lock()
		p.heard.Write(buf[:n])
		p.mu.Unlock()
		if err != nil {
			return
		}
		tag, _, _ := strings.Cut(string(buf[:n]), " ")
		if strings.HasPrefix(greeting, "+OK") {
			answer := "-ERR\r\n"
			if tag == "USER" || tag == "PASS" {
				answer = "+OK\r\n"
			}
			io.WriteString(c, answer)
			continue
		}
		fmt.Fprintf(c, "* CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=LOGIN SASL-IR\r\n+ \r\n%s OK\r\n", tag)
	}
}

// leaked reports whether the password was heard, in clear or in base64.
func (p *province) leaked() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if bytes.Contains(p.heard.Bytes(), []byte(canary)) {
		return true
	}
	return slices.ContainsFunc(strings.Fields(p.heard.String()), func(word string) bool {
		text, _ := base64.StdEncoding.DecodeString(word)
		return bytes.Contains(text, []byte(canary))
	})
}

func port(t *testing.T, addr string) uint16 {
	t.Helper()
	_, text, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	var n uint16
	fmt.Sscan(text, &n)
	return n
}

// published is a page of autoconfig with one server.
func published(kind, host string, port uint16, socket, user string) string {
	return fmt.Sprintf(`<clientConfig><emailProvider><incomingServer type=%q><hostname>%s</hostname><port>%d</port><socketType>%s</socketType>`+
		`<username>%s</username><authentication>password-cleartext</authentication></incomingServer></emailProvider></clientConfig>`,
		kind, host, port, socket, user)
}

// tell runs the program without a terminal.
func tell(args ...string) (status int, out, said string) {
	var stdout, stderr bytes.Buffer
	status = run(args, nil, &stdout, &stderr)
	return status, stdout.String(), stderr.String()
}

const (
	imapGreets = "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=LOGIN SASL-IR] ready"
	popGreets  = "+OK ready"
	whole      = "%EMAILADDRESS%"
)

// TestAddress guards that an address is enough, at a domain that says where its mail is, and that a check says so.
func TestAddress(t *testing.T) {
	p := newProvince(t)
	p.Service("imaps", "example.org", "imap.example.org", p.office("imap.example.org", "me@example.org"))
	typed := "Me <me@Example.ORG>?ca=" + p.ca
	status, out, said := tell("check", typed)
	if status != exitDone {
		t.Fatalf("check ended with %d and said:\n%s%s", status, out, said)
	}
	for _, want := range []string{"- the list of known providers: example.org is not in it\n", "- https://autoconfig.example.org/mail/config-v1.1.xml: there is no such host\n",
		"+ the DNS for mail services of example.org: imap at imap.example.org:", "\nserver         imaps://me@example.org@imap.example.org:", "\nfound by       the DNS of example.org\n",
		"\ncertificate    for imap.example.org, until ", "\nlogin          accepted\n", "\nnext           mailhaul backup '" + typed + "' ./mail\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("the check does not say %q:\n%s", want, out)
		}
	}
	status, out, _ = tell("check", typed, "--json")
	var object struct {
		Event, Account, Server, Next string
		Steps                        []discover.Step
	}
	if err := json.Unmarshal([]byte(out), &object); err != nil || status != exitDone || len(object.Steps) < 4 || object.Event != "check" ||
		object.Account != "imap://me@example.org@imap.example.org" || object.Next == "" {
		t.Errorf("check --json ended with %d, %v:\n%s", status, err, out)
	}
	archive := filepath.Join(t.TempDir(), "mail")
	if status, _, said := tell("backup", typed, archive); status != exitDone || !strings.Contains(said, "is imaps://me@example.org@imap.example.org:") {
		t.Errorf("backup ended with %d and said:\n%s", status, said)
	}
	if status, _, said := tell("restore", archive, typed); status != exitDone {
		t.Errorf("restore ended with %d and said:\n%s", status, said)
	}
	if status, _, said := tell("folders", typed); status != exitDone {
		t.Errorf("folders ended with %d and said:\n%s", status, said)
	}
}

// TestLies guards that whoever lies about where the mail of example.org is, in the DNS, on the web or on the line, gets
// no password: not in clear, not in his own house, and not by a guess.
func TestLies(t *testing.T) {
	thief := func(p *province) uint16 {
		return p.listener("imap.thief.example", imapGreets, p.CA.Server("imap.thief.example"))
	}
	leaks, cases := 0, map[string]func(p *province){
		"the DNS sends to a thief":              func(p *province) { p.Service("imaps", "example.org", "imap.thief.example", thief(p)) },
		"the DNS sends to a thief, by STARTTLS": func(p *province) { p.Service("imap", "example.org", "imap.thief.example", thief(p)) },
		"the DNS sends to a thief, by POP3": func(p *province) {
			p.Service("pop3s", "example.org", "pop.thief.example", p.listener("pop.thief.example", popGreets, p.CA.Server("pop.thief.example")))
		},
		"the DNS sends to a thief whose name begins with ours": func(p *province) {
			host := "imap.example.org.thief.example"
			p.Service("imaps", "example.org", host, p.listener(host, imapGreets, p.CA.Server(host)))
		},
		"the DNS sends to a thief whose name ends like ours": func(p *province) {
			p.Service("imaps", "example.org", "notexample.org", p.listener("notexample.org", imapGreets, p.CA.Server("notexample.org")))
		},
		"the DNS has a thief's address for our host": func(p *province) {
			p.Service("imaps", "example.org", "imap.example.org", p.listener("imap.example.org", imapGreets, p.CA.Server("imap.thief.example")))
		},
		"the DNS has a thief's address, with a certificate of his own making": func(p *province) {
			p.Service("imaps", "example.org", "imap.example.org", p.listener("imap.example.org", imapGreets, postoffice.NewCA().Server("imap.example.org")))
		},
		"no TLS where TLS is to be": func(p *province) {
			p.Service("imaps", "example.org", "imap.example.org", p.listener("imap.example.org", imapGreets, nil))
		},
		"STARTTLS is not offered": func(p *province) {
			p.Service("imap", "example.org", "imap.example.org", p.listener("imap.example.org", imapGreets, nil))
		},
		"STLS is not offered": func(p *province) {
			p.Service("pop3", "example.org", "pop.example.org", p.listener("pop.example.org", popGreets, nil))
		},
		"the domain sends to a thief": func(p *province) {
			p.Page("autoconfig.example.org", published("imap", "imap.thief.example", thief(p), "SSL", whole))
		},
		"the domain sends on to a thief's page": func(p *province) {
			p.Handle("autoconfig.example.org", func(out http.ResponseWriter, r *http.Request) {
				http.Redirect(out, r, "https://www.thief.example/", http.StatusFound)
			})
			p.Page("www.thief.example", published("imap", "imap.thief.example", thief(p), "SSL", whole))
		},
		"the domain sends on to a page without TLS": func(p *province) {
			p.Handle("autoconfig.example.org", func(out http.ResponseWriter, r *http.Request) {
				http.Redirect(out, r, "http://www.example.org/", http.StatusFound)
			})
		},
		"the domain has no TLS": func(p *province) {
			p.Page("autoconfig.example.org", published("imap", "imap.example.org", p.listener("imap.example.org", imapGreets, nil), "plain", whole))
		},
		"the domain has no TLS, by POP3": func(p *province) {
			p.Page("autoconfig.example.org", published("pop3", "pop.example.org", p.listener("pop.example.org", popGreets, nil), "plain", whole))
		},
		"the domain has STARTTLS that is not there": func(p *province) {
			p.Page("autoconfig.example.org", published("imap", "imap.example.org", p.listener("imap.example.org", imapGreets, nil), "STARTTLS", whole))
		},
		"the user is a command": func(p *province) {
			p.Page("autoconfig.example.org", published("imap", "imap.example.org", p.listener("imap.example.org", imapGreets, nil), "plain", "me&#13;&#10;A1 NOOP"))
		},
		"the host looks like ours": func(p *province) {
			p.Page("autoconfig.example.org", published("imap", "imap.ex\u0430mple.org", thief(p), "SSL", whole))
		},
		"the host is a number": func(p *province) {
			p.Page("autoconfig.example.org", published("imap", "127.0.0.1", thief(p), "SSL", whole))
		},
		"the public list sends to a thief": func(p *province) {
			p.Page("autoconfig.thunderbird.net", published("imap", "imap.thief.example", thief(p), "SSL", whole))
		},
		"who takes mail in sends to a thief": func(p *province) {
			p.Exchanger("example.org", "mx.thief.example")
			p.Page("autoconfig.thief.example", published("imap", "imap.thief.example", thief(p), "SSL", whole))
		},
		"who takes mail in has a mail server": func(p *province) {
			p.Exchanger("example.org", "imap.thief.example")
			p.Listening("imap.thief.example:993", fmt.Sprintf("127.0.0.1:%d", thief(p)))
		},
		"a guess": func(p *province) {
			at := p.listener("imap.example.org", imapGreets, p.CA.Server("imap.example.org"))
			p.Listening("imap.example.org:993", fmt.Sprintf("127.0.0.1:%d", at))
		},
	}
	for name, lie := range cases {
		t.Run(name, func(t *testing.T) {
			p := newProvince(t)
			lie(p)
			typed := "me@example.org?ca=" + p.ca
			archive := filepath.Join(t.TempDir(), "mail")
			for _, args := range [][]string{{"check", typed}, {"backup", typed, archive}, {"folders", archive, typed}, {"check", "pop3:" + typed}} {
				status, out, said := tell(args...)
				if status == exitDone {
					t.Errorf("%s went well:\n%s%s", args[0], out, said)
				}
			}
			if p.leaked() {
				leaks++
				t.Errorf("the password was heard:\n%q", &p.heard)
			}
		})
	}
	t.Logf("secrets leaked %d of %d cases", leaks, len(cases))
}

// TestListenersHear guards TestLies: who is sent to a listener by the person's own word, he hears.
func TestListenersHear(t *testing.T) {
	for _, scheme := range []string{"imaps", "pop3s"} {
		p := newProvince(t)
		greeting := map[string]string{"imaps": imapGreets, "pop3s": popGreets}[scheme]
		at := p.listener("mail.thief.example", greeting, p.CA.Server("mail.thief.example"))
		tell("check", fmt.Sprintf("%s://me@example.org@mail.thief.example:%d?ca=%s", scheme, at, p.ca))
		if !p.leaked() {
			t.Errorf("%s: the listener heard %q", scheme, &p.heard)
		}
	}
}
