package postoffice

import (
	"crypto/tls"
	"net"
	"slices"
	"strings"
	"testing"
)

// visit connects in clear and reads the greeting.
func visit(t *testing.T, srv *Server, ca *CA) *raw {
	t.Helper()
	addr, err := srv.ListenStartTLS(ca.Server("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return by(t, conn)
}

func (r *raw) secure(ca *CA) *raw {
	return by(r.t, tls.Client(r.Conn, &tls.Config{ServerName: "127.0.0.1", RootCAs: ca.Pool()}))
}

func TestSTLS(t *testing.T) {
	office, ca := New(), NewCA()
	office.Account("me", "secret")
	srv := office.POP3(Trouble{})
	defer srv.Close()
	r := visit(t, srv, ca)
	got := []string{r.line(), r.ask("CAPA"), r.line(), r.line(), r.ask("USER me"), r.ask("PASS secret"), r.ask("STLS")}
	want := "+OK POP3 at your service|+OK capabilities follow|STLS|.|-ERR only with TLS|-ERR only with TLS|+OK begin TLS"
	if strings.Join(got, "|") != want {
		t.Errorf("in clear: %q, want %q", got, want)
	}
	r = r.secure(ca)
	if got := []string{r.ask("USER me"), r.ask("PASS secret")}; strings.Join(got, "|") != "+OK send PASS|+OK 0 messages" {
		t.Errorf("under TLS, without another greeting: %q", got)
	}
	if heard := srv.Commands(); !slices.Equal(heard, []string{"CAPA", "USER me", "PASS ***", "STLS", "USER me", "PASS ***"}) {
		t.Errorf("heard %q", heard)
	}
}

func TestSTARTTLS(t *testing.T) {
	office, ca := New(), NewCA()
	office.Account("me", "secret")
	srv := office.IMAP(Trouble{})
	defer srv.Close()
	r := visit(t, srv, ca)
	const caps = "IMAP4rev1 STARTTLS LOGINDISABLED"
	got := []string{r.line(), r.ask("a CAPABILITY"), r.line(), r.ask("b LOGIN me secret"), r.ask("c STARTTLS")}
	want := "* OK [CAPABILITY " + caps + "] IMAP at your service|* CAPABILITY " + caps + "|a OK done|b NO [PRIVACYREQUIRED] only with TLS|c OK begin TLS"
	if strings.Join(got, "|") != want {
		t.Errorf("in clear: %q, want %q", got, want)
	}
	r = r.secure(ca)
	if got := r.ask("d LOGIN me secret"); !strings.HasPrefix(got, "d OK") {
		t.Errorf("under TLS, without another greeting: %q", got)
	}
	if heard := srv.Commands(); !slices.Equal(heard, []string{"CAPABILITY", "LOGIN me ***", "STARTTLS", "LOGIN me ***"}) {
		t.Errorf("heard %q", heard)
	}
}

func TestPorchTrouble(t *testing.T) {
	ca := NewCA()
	for _, tc := range []struct {
		name    string
		trouble Trouble
		want    string
	}{
		{"taken away", Trouble{Without: []string{"STARTTLS"}}, "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] IMAP at your service|c NO [PRIVACYREQUIRED] only with TLS|"},
		{"refused once", Trouble{Faults: []Fault{{Verb: "STARTTLS", Times: 1, Say: "BAD no"}}}, "c BAD no|c OK begin TLS|"},
		{"PREAUTH", Trouble{Faults: []Fault{{Verb: "GREETING", Say: "* PREAUTH x"}}}, "* PREAUTH x|c OK begin TLS|"},
		{"hangs up", Trouble{Faults: []Fault{{Verb: "STARTTLS", End: FIN}}}, "<EOF>|"},
		{"injected", Trouble{Rewrite: Replace("STARTTLS", "$", "\r\n* BAD")}, "c OK begin TLS|* BAD|"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := New().IMAP(tc.trouble)
			defer srv.Close()
			r := visit(t, srv, ca)
			got := r.line() + "|"
			for range 2 {
				got += r.ask("c STARTTLS") + "|"
			}
			if !strings.Contains(got, tc.want) {
				t.Errorf("%q, want %q in it", got, tc.want)
			}
		})
	}
}

// TestCrowdedPorch: a server that has too many visitors says so in clear.
func TestCrowdedPorch(t *testing.T) {
	srv := New().POP3(Trouble{MaxConns: 1})
	defer srv.Close()
	visit(t, srv, NewCA()).line() // is in
	if got := visit(t, srv, NewCA()).line(); got != "-ERR [SYS/TEMP] too many connections" {
		t.Errorf("%q", got)
	}
}

// TestNothingAhead: what a client sends in clear behind the command is not taken for said under TLS.
func TestNothingAhead(t *testing.T) {
	srv := New().POP3(Trouble{})
	defer srv.Close()
	r := visit(t, srv, NewCA())
	r.line()
	r.send("STLS\r\nNOOP")
	if got := r.line() + r.line(); got != "+OK begin TLS<EOF>" {
		t.Errorf("%q, want the end", got)
	}
}
