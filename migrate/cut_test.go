package migrate_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/imap"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
)

// TestPushCutAnywhere cuts the line after every 7th octet, in both directions, by FIN and by RST, on real sockets.
func TestPushCutAnywhere(t *testing.T) {
	for name, trouble := range cutServers {
		t.Run(name, func(t *testing.T) {
			trial.CutAnywhere(t, session(t, trouble), func(t *testing.T, cut postoffice.Cut) trial.Verdict { return pushCut(t, trouble, cut, overTCP) })
		})
	}
}

// TestPushSilentAnywhere has the line fall silent after every 70th octet; the clock is the bubble's.
func TestPushSilentAnywhere(t *testing.T) {
	for name, trouble := range cutServers {
		t.Run(name, func(t *testing.T) {
			trial.SilentAnywhere(t, session(t, trouble), func(t *testing.T, cut postoffice.Cut) trial.Verdict { return pushCut(t, trouble, cut, inBubble) })
		})
	}
}

// The servers the line to which is cut: one that is sent message by message, and one that is sent all with one command.
var cutServers = map[string]postoffice.Trouble{"": {}, "MULTIAPPEND": {With: []string{"MULTIAPPEND"}}}

// session returns how many octets an uncut push has in that direction.
func session(t *testing.T, trouble postoffice.Trouble) func(postoffice.Way) int64 {
	acct, srv := office(t, trouble)
	rep, err := push{dir: filled(t, trial.Mail()...), dst: client(srv), pause: noWait}.run(t.Context())
	checkOnce(t, "uncut", acct, rep, err)
	traffic := srv.Traffic()[0]
	return func(way postoffice.Way) int64 {
		if way == postoffice.ToClient {
			return traffic.ToClient
		}
		return traffic.FromClient
	}
}

// pushCut pushes over a line whose first connection is cut, again and again until it is done.
func pushCut(t *testing.T, trouble postoffice.Trouble, cut postoffice.Cut, connect connector) trial.Verdict {
	dir := filled(t, trial.Mail()...)
	defer os.RemoveAll(dir)
	trouble.On, trouble.Cut = postoffice.Only(1), cut
	acct, srv := office(t, trouble)
	defer srv.Close()
	dst, pause := connect(t, srv)
	p := push{dir: dir, dst: dst, pause: pause}
	rep, err := p.run(t.Context())
	for range 3 {
		if err == nil {
			break
		}
		rep, err = p.run(t.Context())
	}
	return checkOnce(t, fmt.Sprintf("cut after %d octets %s", cut.At, trial.Ways[cut.Way]), acct, rep, err)
}

// A connector says how to reach the server, and how to wait.
type connector func(t *testing.T, srv *postoffice.Server) (*imap.Client, func(context.Context, time.Duration) error)

func overTCP(t *testing.T, srv *postoffice.Server) (*imap.Client, func(context.Context, time.Duration) error) {
	addr, err := srv.Listen(nil)
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(addr)
	n, _ := strconv.Atoi(port)
	return imap.New(dial.Server{Host: host, Port: n, Plain: true}, login), noWait
}

func inBubble(_ *testing.T, srv *postoffice.Server) (*imap.Client, func(context.Context, time.Duration) error) {
	return client(srv), nil
}
