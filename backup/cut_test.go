package backup_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/pop3"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
)

// TestPullCutAnywhere cuts the line after every 7th octet, in both directions, by FIN and by RST, on real sockets.
func TestPullCutAnywhere(t *testing.T) {
	trial.CutAnywhere(t, session(t), func(t *testing.T, cut postoffice.Cut) trial.Verdict { return pullCut(t, cut, overTCP) })
}

// TestPullSilentAnywhere has the line fall silent after every 70th octet; the clock is the bubble's.
func TestPullSilentAnywhere(t *testing.T) {
	trial.SilentAnywhere(t, session(t), func(t *testing.T, cut postoffice.Cut) trial.Verdict { return pullCut(t, cut, inBubble) })
}

// session returns how many octets the first connection of an uncut pull has in that direction.
func session(t *testing.T) func(postoffice.Way) int64 {
	_, srv := office(t, postoffice.Trouble{})
	if _, err := pull(t.Context(), filepath.Join(inMemory(t), "uncut"), nil, source(srv), noWait); err != nil {
		t.Fatal(err)
	}
	traffic := srv.Traffic()[0]
	return func(way postoffice.Way) int64 {
		if way == postoffice.ToClient {
			return traffic.ToClient
		}
		return traffic.FromClient
	}
}

// pullCut pulls over a line whose first connection is cut, again and again until it is done.
func pullCut(t *testing.T, cut postoffice.Cut, connect connector) trial.Verdict {
	root := inMemory(t)
	defer os.RemoveAll(root)
	_, srv := office(t, postoffice.Trouble{On: postoffice.Only(1), Cut: cut})
	defer srv.Close()
	src, pause := connect(t, srv)
	var err error
	for range 4 {
		if _, err = pull(t.Context(), root, nil, src, pause); err == nil {
			break
		}
	}
	v := trial.Judge(trial.Mail(), held(t, root))
	if err != nil || v != (trial.Verdict{}) {
		t.Errorf("cut after %d octets %s: %v, %v", cut.At, trial.Ways[cut.Way], v, err)
	}
	return v
}

// A connector says how to reach the server, and how to wait.
type connector func(t *testing.T, srv *postoffice.Server) (*pop3.Source, func(context.Context, time.Duration) error)

func overTCP(t *testing.T, srv *postoffice.Server) (*pop3.Source, func(context.Context, time.Duration) error) {
	addr, err := srv.Listen(nil)
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(addr)
	n, _ := strconv.Atoi(port)
	return pop3.New(dial.Server{Host: host, Port: n, Plain: true}, login), noWait
}

func inBubble(_ *testing.T, srv *postoffice.Server) (*pop3.Source, func(context.Context, time.Duration) error) {
	return source(srv), nil
}
