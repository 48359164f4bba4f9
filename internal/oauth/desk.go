package oauth

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// listen opens the desk to which the browser comes back: on this machine only, at a port that is free, and where the
// browser asks for localhost, on IPv6 too if there is any.
func (s *SignIn) listen() error {
	first, err := net.Listen("tcp", net.JoinHostPort(loopbackAddress, "0"))
	if err != nil {
		return &mail.Error{Op: "sign in at " + s.provider.Title, Scope: mail.ScopeAccount, Hint: "try --device, if the provider has codes for devices",
			Err: fmt.Errorf("this machine cannot listen to itself: %w", err)}
	}
	s.Port = first.Addr().(*net.TCPAddr).Port
	s.redirect = "http://" + net.JoinHostPort(s.provider.Redirect, strconv.Itoa(s.Port))
	s.listeners = []net.Listener{first}
	if s.provider.Redirect == loopbackName {
		if second, err := net.Listen("tcp6", net.JoinHostPort("::1", strconv.Itoa(s.Port))); err == nil {
			s.listeners = append(s.listeners, second)
		}
	}
	s.desk = &http.Server{Handler: http.HandlerFunc(s.serve), ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
		MaxHeaderBytes: 64 << 10, ErrorLog: log.New(io.Discard, "", 0)}
	for _, l := range s.listeners {
		s.closed.Go(func() { s.desk.Serve(l) })
	}
	return nil
}

// serve answers the browser. Nothing of what it brings is in the page.
func (s *SignIn) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	switch q := r.URL.Query(); {
	case r.Method != http.MethodGet:
		h.Set("Allow", http.MethodGet)
		leaf(w, http.StatusMethodNotAllowed, "This is not how a browser comes back.")
	case r.URL.Path != "/": // favicon.ico
		leaf(w, http.StatusNotFound, "There is nothing here.")
	case !s.mine(q):
		leaf(w, http.StatusBadRequest, "This is not the sign-in that mailhaul waits for. Open the page that it shows in the terminal.")
	case q.Get("error") != "" || q.Get("code") == "":
		s.back(q)
		leaf(w, http.StatusOK, "mailhaul was not let in. You can close this page; the terminal says more.")
	default:
		s.back(q)
		leaf(w, http.StatusOK, "mailhaul is signed in. You can close this page.")
	}
}

func leaf(w http.ResponseWriter, status int, text string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `<!doctype html><html lang="en"><meta charset="utf-8"><title>mailhaul</title>
<body style="font:1.2em sans-serif;margin:4em auto;max-width:30em;color-scheme:light dark"><p>%s</p></body></html>
`, text)
}
