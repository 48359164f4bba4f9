package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/identity"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
)

// How brief everything is: tokens and sessions end again and again in a run that takes long.
const (
	briefToken   = 5 * time.Second
	briefSession = 4 * time.Second
	briefRate    = "25/s"
	briefMail    = 200
)

// TestBrief guards that a migration outlives its tokens and its sessions, at both ends: each login has a token, refresh
// tokens that are good once are kept, and nothing is lost or doubled.
func TestBrief(t *testing.T) {
	t.Parallel()
	id := identity.New()
	if err := id.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(id.Close)
	r := newFolderRig(t, numbered("brief", briefMail))
	r.dest = strings.Replace(r.dest, "127.0.0.1", "localhost", 1) // or both would be one account, which has its tokens together
	ends := map[string]*briefEnd{r.source: newBriefEnd(r.src, r.from, id, "UID FETCH"), r.dest: newBriefEnd(r.dst, r.to, id, "APPEND")}
	env := append(os.Environ(), "MAILHAUL_KEYRING=file", "XDG_STATE_HOME="+filepath.Dir(r.archive), "MAILHAUL_PASSWORD=", "BROWSER=mailhaul-browser",
		"MAILHAUL_CLIENT_ID="+id.ClientID, "MAILHAUL_CLIENT_SECRET="+id.ClientSecret)
	for url := range ends {
		login := exec.Command("mailhaul", "login", url, "--issuer", id.Issuer)
		login.Env = env
		if out, err := login.CombinedOutput(); err != nil {
			t.Fatalf("login: %v\n%s", err, out)
		}
	}
	id.Behave(identity.Behaviour{Life: briefToken, Rotate: true})
	for _, end := range ends {
		end.begin()
	}
	run := exec.Command("mailhaul", append(r.migrate("--progress", "none"), "--max-rate", briefRate)...)
	run.Env = env
	began := time.Now()
	out, err := run.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if verdict, err := r.judge(); err != nil || verdict != (trial.Verdict{}) {
		t.Errorf("%v, %v", verdict, err)
	}
	for url, end := range ends {
		if end.ended < 1 || end.logins-end.refused <= end.ended || len(end.tokens) < 2 {
			t.Errorf("%s was not renewed", url)
		}
		t.Logf("%s: %d sessions ended, %d logins with %d tokens, %d refused", strings.Split(url, "?")[0], end.ended, end.logins, len(end.tokens), end.refused)
	}
	t.Logf("%d tokens in %v", id.Asked("refresh_token"), time.Since(began).Round(time.Second))
}

// A briefEnd is a server that ends each session after a while, at the next message.
type briefEnd struct {
	mu                     sync.Mutex
	since                  map[int]time.Time // the beginning of each session
	now                    int               // the connection that has spoken last
	logins, refused, ended int
	tokens                 map[string]bool // that were good
	trouble                postoffice.Trouble
	srv                    *postoffice.Server
}

func newBriefEnd(srv *postoffice.Server, acct *postoffice.Account, id *identity.Provider, verb string) *briefEnd {
	e := &briefEnd{since: map[int]time.Time{}, tokens: map[string]bool{}, srv: srv}
	acct.SetToken(func(token string) bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		good := id.Good(token)
		e.logins++
		if e.tokens[token] = true; !good {
			delete(e.tokens, token)
			e.refused++
		}
		return good
	})
	e.trouble = postoffice.Trouble{With: []string{"AUTH=XOAUTH2"}}
	srv.SetTrouble(e.trouble)
	e.trouble.OnCommand = e.heard
	e.trouble.Faults = []postoffice.Fault{{Verb: verb, Match: e.over, Say: "* BYE that was long enough, try again in 1 second", End: postoffice.FIN}}
	return e
}

func (e *briefEnd) begin() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.logins, e.refused = 0, 0
	clear(e.tokens)
	e.srv.SetTrouble(e.trouble)
}

func (e *briefEnd) heard(conn int, _ string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.since[conn].IsZero() {
		e.since[conn] = time.Now()
	}
	e.now = conn
}

func (e *briefEnd) over(postoffice.Message) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if began := e.since[e.now]; began.IsZero() || time.Since(began) < briefSession {
		return false
	}
	e.since[e.now] = time.Now() // whoever it is that speaks
	e.ended++
	return true
}
