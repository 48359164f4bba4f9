package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/mailhaul/mailhaul/internal/mail"
)

const (
	askTimeout = 30 * time.Second // for one question and its answer
	maxAnswer  = 256 << 10        // octets
	maxToken   = 32 << 10         // octets; Microsoft's have three thousand
	maxSaid    = 300              // runes of what a provider says that are repeated
)

// NewHTTP returns a client that goes nowhere else than it was sent: what is posted to a provider is for it alone.
func NewHTTP() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	return &http.Client{
		Transport: transport, Timeout: askTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// An answer is what comes from a token endpoint (RFC 6749 §5.1 and §5.2) or a device endpoint (RFC 8628 §3.2).
type answer struct {
	Access  string  `json:"access_token"`
	Type    string  `json:"token_type"`
	Refresh string  `json:"refresh_token"`
	Expires seconds `json:"expires_in"`

	DeviceCode string  `json:"device_code"`
	UserCode   string  `json:"user_code"`
	Page       string  `json:"verification_uri"`
	PageToo    string  `json:"verification_url"` // as Google spells it
	Interval   seconds `json:"interval"`

	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// seconds is a number of them; some providers send it as a string, and what is no number is none.
type seconds int64

func (s *seconds) UnmarshalJSON(text []byte) error {
	n, err := strconv.ParseFloat(strings.Trim(string(text), `"`), 64)
	if err == nil && n > 0 {
		*s = seconds(min(n, 1<<31))
	}
	return nil
}

func (s seconds) duration() time.Duration { return time.Duration(s) * time.Second }

// A refusal is the answer of a server that gives not what it was asked for.
type refusal struct {
	code   string // RFC 6749 §5.2; "": it gave none
	said   string // printable, without what is secret
	status int    // of HTTP
	later  time.Duration
}

func (r refusal) Error() string {
	switch {
	case r.code == "":
		return "the answer was HTTP " + strconv.Itoa(r.status)
	case r.said == "":
		return r.code
	}
	return r.code + ": " + r.said
}

func asRefusal(err error, r *refusal) bool { return errors.As(err, r) }

// secrets are the fields of a form that no error may repeat.
var secrets = []string{"client_secret", "refresh_token", "code", "code_verifier", "device_code"}

// post sends the form and returns the answer. An error is a refusal, or says why there is no answer.
func post(ctx context.Context, via *http.Client, endpoint string, form url.Values) (answer, error) {
	text, err := ask(ctx, via, http.MethodPost, endpoint, form)
	var no refusal
	if err != nil && !asRefusal(err, &no) {
		return answer{}, err
	}
	var a answer
	if wrong := json.Unmarshal(text, &a); wrong != nil && err == nil {
		return answer{}, oddAnswer("what is no JSON")
	}
	if a.Error != "" || err != nil { // some answer 200 with an error in it
		no.code, no.said = printable(a.Error, form), printable(a.Description, form)
		return answer{}, no
	}
	return a, nil
}

func get(ctx context.Context, via *http.Client, address string) ([]byte, error) {
	return ask(ctx, via, http.MethodGet, address, nil)
}

// ask returns the body of the answer, with a refusal if it is none of 200.
func ask(ctx context.Context, via *http.Client, method, address string, form url.Values) ([]byte, error) {
	if err := secure(address, "the address of the provider"); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "mailhaul")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := via.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxAnswer:
		return nil, oddAnswer("more than anybody needs to say")
	case res.StatusCode/100 == 3:
		return nil, oddAnswer("the advice to ask elsewhere")
	case res.StatusCode != http.StatusOK:
		after, _ := strconv.Atoi(res.Header.Get("Retry-After"))
		return text, refusal{status: res.StatusCode, later: time.Duration(max(after, 0)) * time.Second}
	}
	return text, nil
}

// oddAnswer is an answer that no provider should give.
type oddAnswer string

func (o oddAnswer) Error() string { return "the answer is " + string(o) }

// printable returns what a provider says so that it can be shown: short, on one line, and without what it was sent.
func printable(said string, form url.Values) string {
	for _, field := range secrets {
		if sent := form.Get(field); sent != "" {
			said = strings.ReplaceAll(said, sent, "***")
		}
	}
	if runes := []rune(said); len(runes) > maxSaid {
		said = string(runes[:maxSaid]) + "…"
	}
	return mail.Printable(strings.Join(strings.Fields(said), " "))
}

// token returns the access token, if it is one that can be said in a login.
func (a answer) token() (string, error) {
	odd := func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsPrint(r) || r == ' ' }
	switch {
	case a.Access == "":
		return "", oddAnswer("without a token")
	case len(a.Access) > maxToken:
		return "", oddAnswer("a token longer than a login can be")
	case strings.ContainsFunc(a.Access, odd): // RFC 6750 §2.1
		return "", oddAnswer("a token that holds what none may")
	case a.Type != "" && !strings.EqualFold(a.Type, "bearer"):
		return "", oddAnswer("a token of another kind than is used for mail")
	}
	return a.Access, nil
}
