// Package dovecot runs a real Dovecot for tests: POP3 and IMAP on loopback ports, with a certificate of its own,
// from a configuration in a temporary directory. It needs no systemd and nothing of /etc, and works as root and
// as a plain user. What it starts ends with the test, even when the test process is killed, and leaves nothing.
//
// Every user exists, logs in with Password and has an empty Maildir to begin with. Tests write mail into it with
// Deliver and read it back with Messages, both past the server: what they say is the truth that a client under
// test is measured by.
package dovecot

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Where a Server listens, and the password of every user. The certificate is good for localhost too.
const (
	Host     = "127.0.0.1"
	Password = "pass"
)

// Options are what a test may want otherwise. The zero value is a server without limits.
type Options struct {
	// Quota, if not 0, is how many octets each user's mail may have in all; what does not fit is refused with
	// OVERQUOTA (RFC 9208 §4.3.1).
	Quota int64
	// Prefix is what the names of all mailboxes but INBOX begin with, and its last character separates levels, as
	// "INBOX." has it at many providers. "" is no prefix, and "/".
	Prefix string
	// Store is how mail lies on disk: "sdbox" or "mdbox", or "", which is Maildir. Deliver, Messages and Adopt know
	// Maildir only.
	Store string
	// TLSRequired has nobody log in without TLS; where it does not begin at once, STARTTLS or STLS begins it. Dovecot
	// makes an exception for who comes from its own address; see FromElsewhere.
	TLSRequired bool
	// Tokens, if not "", is the URL of an OAuth2 introspection endpoint (RFC 7662) that knows tokens and says by "user" whose
	// they are. The server then takes CRAM-MD5, XOAUTH2 and OAUTHBEARER too, and any user with MasterPassword as a master user:
	// by the authorization identity of PLAIN, and as OWNER*MASTER. Dovecot 2.3 only: with others the test is skipped.
	Tokens string
	// Rights, if not "", says what owners may do in some of their mailboxes, others are all theirs: lines of a mailbox, "owner"
	// and rights (RFC 4314 §2.1). Dovecot 2.3 only, as above.
	Rights string
}

// MasterPassword is that of who logs in for others (see Options).
const MasterPassword = "master-pass"

var errNotThisOne = errors.New("mechanisms, master users and rights are set up for Dovecot 2.3 only")

// A Server is a running Dovecot. It may be used by several tests at once, each with users of its own.
type Server struct {
	POP3, POP3S, IMAP, IMAPS int    // ports; those ending in S speak TLS from the start
	CAFile                   string // PEM, the authority of the server's certificate

	dir   string
	owner owner
	run   *run
}

// Require skips the test where no Dovecot is installed, and says what to install; with dovecot among the words
// of MAILHAUL_REQUIRE it fails the test instead.
func Require(t testing.TB) {
	t.Helper()
	err := installed()
	if err == nil {
		return
	}
	if slices.Contains(strings.Split(os.Getenv("MAILHAUL_REQUIRE"), ","), "dovecot") {
		t.Fatal(err)
	}
	t.Skip(err)
}

// Start starts a Dovecot that lives as long as the test. It calls Require first.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	Require(t)
	s, err := start(o)
	if errors.Is(err, errNotThisOne) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of Dovecot's log:\n%s", s.log())
		}
		s.run.stop()
	})
	return s
}

var shared = sync.OnceValues(func() (*Server, error) { return start(Options{}) })

// Shared returns a Dovecot without limits that is started once and lives as long as the test process. It calls
// Require first.
func Shared(t testing.TB) *Server {
	t.Helper()
	Require(t)
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func installed() error {
	const install = "install it (Debian: dovecot-imapd dovecot-pop3d)"
	bin, err := binary()
	if err != nil {
		return fmt.Errorf("no Dovecot here: %s", install)
	}
	for _, lib := range []string{"lib", "libexec"} {
		dir := filepath.Join(filepath.Dir(bin), "..", lib, "dovecot")
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		for _, protocol := range []string{"imap", "pop3"} {
			if _, err := os.Stat(filepath.Join(dir, protocol)); err != nil {
				return fmt.Errorf("this Dovecot has no %s: %s", protocol, install)
			}
		}
	}
	return nil
}

// binary finds dovecot also where the PATH of a plain user does not look.
func binary() (string, error) {
	if bin, err := exec.LookPath("dovecot"); err == nil {
		return filepath.EvalSymlinks(bin)
	}
	return exec.LookPath(elsewhere)
}

var elsewhere = "/usr/sbin/dovecot"

// start tries again when somebody else took one of the free ports in the meantime.
func start(o Options) (s *Server, err error) {
	bin, err := binary()
	if err != nil {
		return nil, err
	}
	version, err := exec.Command(bin, "--version").Output()
	if err != nil {
		return nil, err
	}
	for range 3 {
		if s, err = startOnce(bin, string(version), o); err == nil || !strings.Contains(err.Error(), "Address already in use") {
			break
		}
	}
	return s, err
}

func startOnce(bin, version string, o Options) (*Server, error) {
	// Not under testing's TempDir: the server's processes run as other users and have to get there.
	dir, err := os.MkdirTemp("", "dovecot-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, CAFile: filepath.Join(dir, "ca.pem")}
	if err := s.prepare(version, o); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	if s.run, err = runDovecot(bin, s); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Server) prepare(version string, o Options) (err error) {
	if s.owner, err = mailOwner(); err != nil {
		return err
	}
	if err := os.Chmod(s.dir, 0o755); err != nil {
		return err
	}
	for _, dir := range []string{"run", "mail"} {
		if err := os.Mkdir(s.path(dir), 0o755); err != nil {
			return err
		}
	}
	if err := s.owner.own(s.path("mail")); err != nil {
		return err
	}
	if err := writeCertificates(s.CAFile, s.path("cert.pem"), s.path("key.pem")); err != nil {
		return err
	}
	if o.Rights != "" {
		if err := s.writeFor23(version, "acl", o.Rights+"\n"); err != nil {
			return err
		}
	}
	if o.Tokens != "" {
		if err := s.writeOAuth2(version, o.Tokens); err != nil {
			return err
		}
	}
	if err := freePorts(&s.POP3, &s.POP3S, &s.IMAP, &s.IMAPS); err != nil {
		return err
	}
	return os.WriteFile(s.path("dovecot.conf"), s.config(version, o), 0o644)
}

func (s *Server) path(name string) string { return filepath.Join(s.dir, name) }

// greeting tells this server from another one on the same port.
func (s *Server) greeting() string { return "Dovecot ready, " + filepath.Base(s.dir) }

func (s *Server) log() []byte {
	log, _ := os.ReadFile(s.path("dovecot.log"))
	const enough = 4 << 10
	return log[max(0, len(log)-enough):]
}

// FromElsewhere connects from another loopback address than the server's, if this machine has one; it fits where a
// net.Dialer's DialContext goes.
func FromElsewhere(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	c, err := d.DialContext(ctx, network, addr)
	if err != nil { // not on macOS
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	return c, nil
}

func freePorts(ports ...*int) error {
	for _, port := range ports {
		l, err := net.Listen("tcp", net.JoinHostPort(Host, "0"))
		if err != nil {
			return err
		}
		defer l.Close() // all at once at the end, so that none is given out twice
		*port = l.Addr().(*net.TCPAddr).Port
	}
	return nil
}
