package oauth

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

const (
	afterBreak = 5 * time.Second
	afterBusy  = 30 * time.Second
)

// again is what to do when a grant is no longer good. The caller knows the name of the account.
const again = "sign in again with mailhaul login"

// A row says what an error of a provider means. The first that fits counts.
type row struct {
	provider string // "" any
	code     string // "" any
	words    string // in the description
	means    string // "" what the provider says
	hint     string // %s: the provider's own Dead
	cause    mail.Cause
}

// rows are from RFC 6749 §5.2, RFC 8628 §3.5, and where a provider is named, from its own list of errors:
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes and
// https://developers.google.com/identity/protocols/oauth2/native-app#handlingresponse.
var rows = []row{
	{"microsoft", "", "AADSTS700082", "the sign-in was not used for too long", again, mail.CauseLogin},
	{"microsoft", "", "AADSTS50173", "the sign-in ended with a change of the password", again, mail.CauseLogin},
	{"microsoft", "", "AADSTS70043", "the organisation wants a fresh sign-in from time to time", again, mail.CauseLogin},
	{"microsoft", "", "AADSTS50076", "the organisation wants a second proof of who signs in", again, mail.CauseLogin},
	{"microsoft", "", "AADSTS50079", "the organisation wants a second proof of who signs in", again, mail.CauseLogin},
	{"microsoft", "", "AADSTS530035", "the organisation allows no sign-in by a code", "sign in with a browser: leave out --device", mail.CauseLogin},
	{"microsoft", "", "AADSTS53003", "a rule of the organisation (Conditional Access) forbids it", "ask its administrator", mail.CauseLogin},
	{"microsoft", "", "AADSTS65001", "nobody has allowed the app to read this mail", "sign in again and agree, or ask the administrator to", mail.CauseLogin},
	{"microsoft", "", "AADSTS90094", "only an administrator may allow the app to read mail", "ask the administrator to agree", mail.CauseLogin},
	{"microsoft", "", "AADSTS700016", "the organisation does not know the client id", "compare it with the page of the registration; the tenant may be another one", mail.CauseUsage},
	{"microsoft", "", "AADSTS7000215", "the client secret is wrong", "take the value of the secret, not its id", mail.CauseUsage},
	{"microsoft", "", "AADSTS7000222", "the client secret has expired", "make a new one on the page of the registration", mail.CauseUsage},
	{"microsoft", "", "AADSTS7000218", "the registration is not one of a desktop app", `under Authentication add the platform "Mobile and desktop applications" with http://localhost, and allow public client flows`, mail.CauseUsage},
	{"microsoft", "", "AADSTS50011", "the registration does not name http://localhost as a redirect URI", `under Authentication add the platform "Mobile and desktop applications" with http://localhost`, mail.CauseUsage},
	{"microsoft", "", "AADSTS50194", "the registration is for one organisation", "name it with --tenant", mail.CauseUsage},
	{"microsoft", "", "AADSTS90002", "there is no such tenant", "it is the organisation's domain or number", mail.CauseUsage},
	{"google", "invalid_client", "", "Google does not take the client id with this secret", "compare both with the page of the client; it must be one of the type Desktop app", mail.CauseUsage},
	{"google", "admin_policy_enforced", "", "the administrator does not allow this app", "ask the administrator to trust its client id", mail.CauseLogin},
	{"google", "org_internal", "", "the app is for one organisation only", "sign in with an account of it", mail.CauseLogin},
	{"", "access_denied", "", "the sign-in was declined", "sign in again and agree; an administrator may have to allow it first", mail.CauseLogin},
	{"", "expired_token", "", "the code was not used in time", "sign in again", mail.CauseLogin},
	{"", "invalid_client", "", "the client id or its secret is wrong", "compare both with the page of the registration", mail.CauseUsage},
	{"", "unauthorized_client", "", "the registration does not allow this way to sign in", "compare it with the README, or try another way", mail.CauseUsage},
	{"", "redirect_uri_mismatch", "", "the registration is not one of a desktop app", "make one of the type Desktop app", mail.CauseUsage},
	{"", "invalid_scope", "", "the registration may not ask for mail", "add the permission for IMAP or POP to it", mail.CauseUsage},
	{"", "interaction_required", "", "", again, mail.CauseLogin},
	{"", "login_required", "", "", again, mail.CauseLogin},
	{"", "consent_required", "", "", again, mail.CauseLogin},
}

// explain makes a *mail.Error of why there is no token. A context that has ended says so itself.
func (p Provider) explain(op string, err error) error {
	var known *mail.Error
	var no refusal
	switch {
	case err == nil, errors.As(err, &known), errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &no):
		return p.refused(op, no)
	case errors.As(err, new(oddAnswer)):
		return &mail.Error{Op: op, Scope: mail.ScopeAccount, Cause: mail.CauseProtocol, Err: err}
	}
	return unreachable(op, err)
}

func (p Provider) refused(op string, no refusal) error {
	e := &mail.Error{Op: op, Scope: mail.ScopeAccount, Cause: mail.CauseLogin, Err: no}
	switch no.code {
	case "temporarily_unavailable", "server_error":
		return busy(e, no)
	case "":
		if no.status == 429 || no.status >= 500 {
			return busy(e, no)
		}
	}
	for _, r := range rows {
		if r.fits(p.Name, no) {
			e.Hint, e.Cause = r.hint, r.cause
			if r.means != "" {
				e.Err = fmt.Errorf("%s (%w)", r.means, no)
			}
			break
		}
	}
	return e
}

func (r row) fits(provider string, no refusal) bool {
	return (r.provider == "" || r.provider == provider) && (r.code == "" || r.code == no.code) &&
		(r.words == "" || strings.Contains(no.said+":", r.words+":"))
}

func busy(e *mail.Error, no refusal) error {
	e.Scope, e.Cause, e.Later = mail.ScopeSession, mail.CauseNetwork, cmp.Or(no.later, afterBusy)
	return e
}

// dead is the error of a grant that was good once: the provider does not say why it is not any more.
func (p Provider) dead(op string, no refusal) error {
	var e *mail.Error
	errors.As(p.refused(op, no), &e)
	if e.Hint == "" {
		e.Err = fmt.Errorf("the sign-in is no longer good (%w)", no)
		e.Hint = again + ": " + p.Dead
	}
	return e
}

func (p Provider) odd(what string) error {
	return &mail.Error{Op: "ask " + p.Title + " where to sign in", Scope: mail.ScopeAccount, Cause: mail.CauseProtocol, Err: errors.New("it " + what)}
}

// unreachable is the error of a provider that could not be asked.
func unreachable(op string, err error) error {
	host := "the provider"
	var at *url.Error
	if errors.As(err, &at) {
		if u, bad := url.Parse(at.URL); bad == nil {
			host = u.Host
		}
	}
	e := &mail.Error{Op: op, Scope: mail.ScopeSession, Cause: mail.CauseNetwork, Later: afterBreak}
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &certificate), strings.Contains(err.Error(), "server gave HTTP response"): // net/http has no error for it
		e.Scope, e.Cause, e.Later = mail.ScopeAccount, mail.CauseCertificate, 0
		e.Err = fmt.Errorf("%s cannot prove that it is %s", host, host)
		e.Hint = "somebody may be reading along on this network, or its proxy is: try another one"
	case errors.As(err, &dns):
		e.Err = fmt.Errorf("%s cannot be found", host)
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Err = fmt.Errorf("%s takes no connection", host)
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		e.Err = fmt.Errorf("%s does not answer", host)
	default:
		e.Err = fmt.Errorf("the connection to %s broke", host)
	}
	return e
}
