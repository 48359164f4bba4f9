package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/mailhaul/mailhaul/internal/account"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/oauth"
)

// login returns how the party logs in. A password is fetched at once, so that a question for it comes before the work,
// and kept in memory only; a token is fetched when a login wants one.
func (t *terminal) login(ctx context.Context, p *party) (mail.Login, error) {
	secrets := t.secretsOf(ctx, p)
	login := p.account.Login(secrets)
	tokens, err := t.tokensOf(ctx, p, &secrets)
	if tokens != nil {
		login.Token = func(ctx context.Context, refused string) (string, error) {
			token, err := tokens(ctx, refused)
			return token, p.say(err)
		}
	}
	if tokens != nil || err != nil {
		return login, p.say(err)
	}
	password, err := secrets.Get(ctx)
	if err != nil {
		return mail.Login{}, p.say(err)
	}
	login.Password = func(context.Context) (string, error) { return password, nil }
	return login, nil
}

// secretsOf returns the places where the party's password may be.
func (t *terminal) secretsOf(ctx context.Context, p *party) account.Secrets {
	s := account.Secrets{File: p.file, Command: p.command, Stderr: t.err, Env: []string{"MAILHAUL_PASSWORD"},
		Credentials: []string{"mailhaul-password"}, Flags: "--password"}
	if p.role != "" {
		s.Env = append([]string{"MAILHAUL_" + strings.ToUpper(p.role) + "_PASSWORD"}, s.Env...)
		s.Credentials = append([]string{"mailhaul-" + p.role + "-password"}, s.Credentials...)
		s.Flags = "--" + p.role + "-password"
	}
	if t.canAsk() {
		s.Prompt = func() (string, error) {
			t.advise(p)
			return t.askPassword(ctx, fmt.Sprintf("password of %s at %s", mail.Printable(p.account.User), p.account.Host))
		}
	}
	return s
}

// tokensOf returns what makes tokens for the party; nil: it logs in with a password, which may be one that was kept.
func (t *terminal) tokensOf(ctx context.Context, p *party, secrets *account.Secrets) (func(context.Context, string) (string, error), error) {
	client := p.client.For(p.account.Host, p.account.Protocol)
	switch {
	case p.tokenCommand != "" && (p.file != "" || p.command != ""):
		return nil, usageError{errors.New("a token is used instead of a password, not beside it"), "leave out one of the two"}
	case p.tokenCommand != "":
		return (&account.TokenCommand{Command: p.tokenCommand, Stderr: t.err}).Token, nil
	case secrets.Named():
		return nil, nil
	case client.AppOnly:
		return t.source(p, oauth.Grant{Client: client}).Token, nil
	}
	k, err := t.kept(ctx, p.account)
	switch {
	case errors.Is(err, account.ErrNotKept):
		return nil, t.unkept(p, err)
	case err != nil:
		return nil, err
	case k.Grant == nil:
		secrets.Prompt = func() (string, error) { return k.Password, nil } // nobody needs to be asked
		return nil, nil
	case client.ID != "" && !client.SameAs(k.Grant.Client):
		return nil, usageError{errors.New("the sign-in was with another client id than the one that is configured"), "sign in again with mailhaul login " + quoteArg(p.typed)}
	}
	return t.source(p, *k.Grant).Token, nil
}

// unkept says why there is no sign-in where there must be one, or nobody to ask for a password; else nil.
func (t *terminal) unkept(p *party, why error) error {
	e := &mail.Error{Op: "log in", Scope: mail.ScopeAccount, Cause: mail.CauseLogin, Hint: "sign in with mailhaul login " + quoteArg(p.typed)}
	switch {
	case p.client.ID != "":
		e.Err = errors.New("nobody has signed in yet, or the sign-in is not kept")
	case why != account.ErrNotKept && !t.canAsk():
		e.Err = fmt.Errorf("the password is nowhere else, and perhaps kept: %w", why)
		e.Hint = "unlock the keyring, or name another place for the password"
	default:
		return nil
	}
	return e
}

// source returns what makes tokens of a grant. It is one for all sessions of an account, whichever half they are of.
func (t *terminal) source(p *party, g oauth.Grant) *oauth.Source {
	key := p.account.LoginKey().String()
	if s := t.sources[key]; s != nil {
		return s
	}
	s := oauth.NewSource(g)
	s.Account = quoteArg(p.typed)
	if !g.Client.AppOnly {
		s.Load = func(ctx context.Context) (oauth.Grant, error) { return t.grant(ctx, p) }
		s.Keep = func(ctx context.Context, g oauth.Grant) error {
			_, _, err := t.keep(ctx, p.account, kept{Grant: &g})
			return err
		}
		s.Tell = func(err error) {
			t.sayf("the renewed sign-in of %s could not be kept (%v); this run goes on, before the next sign in again", mail.Printable(key), err)
		}
	}
	if t.sources == nil {
		t.sources = map[string]*oauth.Source{}
	}
	t.sources[key] = s
	return s
}

// kept is what is kept of an account from one run to the next: a password or a grant.
type kept struct {
	Password string       `json:"password,omitempty"`
	Grant    *oauth.Grant `json:"oauth,omitempty"`
}

func (t *terminal) kept(ctx context.Context, acct account.Account) (k kept, err error) {
	text, err := keyring().Get(ctx, acct.LoginKey().String())
	if err != nil {
		return kept{}, err
	}
	if err := json.Unmarshal([]byte(text), &k); err != nil || k.Password == "" && k.Grant == nil { // the error may quote it
		return kept{}, &mail.Error{Op: "log in", Scope: mail.ScopeAccount, Cause: mail.CauseUsage,
			Err: errors.New("what is kept of this account is no secret of ours"), Hint: "keep it anew with mailhaul login " + acct.String()}
	}
	return k, nil
}

// grant returns the grant that is kept now. A client secret in the configuration is newer than the one that is kept.
func (t *terminal) grant(ctx context.Context, p *party) (oauth.Grant, error) {
	k, err := t.kept(ctx, p.account)
	if err == nil && k.Grant == nil {
		err = account.ErrNotKept
	}
	if errors.Is(err, account.ErrNotKept) {
		err = &mail.Error{Op: "log in", Scope: mail.ScopeAccount, Cause: mail.CauseLogin, Err: fmt.Errorf("the sign-in: %w", err),
			Hint: "sign in again with mailhaul login " + quoteArg(p.typed)}
	}
	if err != nil {
		return oauth.Grant{}, err
	}
	if p.client.Secret != "" {
		k.Grant.Client.Secret = p.client.Secret
	}
	return *k.Grant, nil
}

func (t *terminal) keep(ctx context.Context, acct account.Account, k kept) (place string, why, err error) {
	text, err := json.Marshal(k)
	if err != nil {
		return "", nil, err
	}
	return keyring().Keep(ctx, acct.LoginKey().String(), string(text))
}

// keyring returns where secrets are kept. MAILHAUL_KEYRING=file is for machines where nobody is to be asked to unlock
// anything.
func keyring() account.Keyring {
	k := account.Keyring{FileOnly: os.Getenv("MAILHAUL_KEYRING") == "file"}
	if dir := stateDir(); dir != "" {
		k.Dir = filepath.Join(dir, "mailhaul", "secrets")
	}
	return k
}

// stateDir returns where programs keep what they must remember; "" if nobody can say.
func stateDir() string {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return dir
	}
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		dir, _ := os.UserConfigDir()
		return dir
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".local", "state")
}
