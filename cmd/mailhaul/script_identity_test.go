package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mailhaul/mailhaul/internal/postoffice/identity"
)

// browse is a browser, and a person who agrees to everything.
func browse() {
	res, err := http.Get(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	io.Copy(io.Discard, res.Body)
	res.Body.Close()
}

// identities are how scripts can have the provider behave; all sign-ins and tokens stay as they are.
var identities = map[string]identity.Behaviour{
	"sound":   {},
	"rotates": {Rotate: true},
	"denies":  {Deny: "access_denied"},
	"astray":  {Astray: true},
	"device":  {Every: 1, Pending: 1},
	"refuses": {Every: 1, Device: "access_denied"},
	"brief":   {Life: time.Second},
	"stuck": {Token: func(w http.ResponseWriter, _ url.Values) bool {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(503)
		return true
	}},
}

// identify starts the provider, or has it behave otherwise. ISSUER is its URL, and a client of it is in the variables
// that mailhaul knows.
func (w *town) identify(ts *testscript.TestScript, args []string) {
	if w.identity == nil {
		ts.Check(w.openIdentity())
		for name, value := range w.identityEnv() {
			ts.Setenv(name, value)
		}
	}
	for _, what := range args {
		switch b, known := identities[what]; {
		case what == "revokes":
			w.identity.Revoke()
		case what == "expires":
			w.identity.Expire()
		case what == "token":
			ts.Check(os.WriteFile(filepath.Join(w.work, "token.secret"), []byte(w.identity.Access()+"\nmore\n"), 0o600))
		case what == "unknown": // the mail servers have never heard of it
			w.from.SetToken(nil)
			w.to.SetToken(nil)
		case known:
			w.identity.Behave(b)
		default:
			ts.Fatalf("there is no identity %s", what)
		}
	}
}

func (w *town) openIdentity() error {
	p := identity.New()
	p.Watch = func(*http.Request) { w.lookAtArgv() }
	if err := p.Listen(); err != nil {
		return err
	}
	w.identity = p
	w.from.SetToken(p.Good)
	w.to.SetToken(p.Good)
	for _, srv := range w.servers {
		srv.SetTrouble(w.trouble())
	}
	return nil
}

func (w *town) identityEnv() map[string]string {
	return map[string]string{"ISSUER": w.identity.Issuer, "MAILHAUL_CLIENT_ID": w.identity.ClientID,
		"MAILHAUL_CLIENT_SECRET": w.identity.ClientSecret, "BROWSER": "mailhaul-browser"}
}

func (w *town) granted(ts *testscript.TestScript, args []string) {
	if got := w.identity.Asked(args[0]); got != number(ts, args[1]) {
		ts.Fatalf("%d tokens were asked for by %s, want %s", got, args[0], args[1])
	}
}
