package discover

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/directory"
)

func init() { webTimeout = time.Second }

// A town is a directory, and mail servers.
type town struct {
	*directory.Directory
	t *testing.T
}

func newTown(t *testing.T) *town { return &town{directory.New(t), t} }

func (w *town) finder() Finder {
	return Finder{Dialer: w.Dial, Roots: w.CA.Pool(), CAFile: w.caFile(), Resolver: w.Resolver()}
}

func (w *town) caFile() string {
	name := filepath.Join(w.t.TempDir(), "ca.pem")
	if err := os.WriteFile(name, w.CA.PEM(), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return name
}

// mailServer puts a mail server under a name and a port, with a certificate for another name if there is one. On the
// ports of STARTTLS it is with that.
func (w *town) mailServer(protocol, addr string, certificate ...string) {
	host, port, _ := strings.Cut(addr, ":")
	server := postoffice.New().POP3(postoffice.Trouble{})
	if protocol == "imap" {
		server = postoffice.New().IMAP(postoffice.Trouble{})
	}
	w.t.Cleanup(func() { server.Close() })
	listen := server.Listen
	if port == "143" || port == "110" {
		listen = server.ListenStartTLS
	}
	at, err := listen(w.CA.Server(append(certificate, host)[0]))
	if err != nil {
		w.t.Fatal(err)
	}
	w.Listening(addr, at)
}
