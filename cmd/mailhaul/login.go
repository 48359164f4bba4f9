package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mailhaul/mailhaul/internal/account"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/oauth"
)

const loginHelp = `Login tries the login of ACCOUNT and keeps what it takes, for all other commands:
the password, or with a client id the sign-in at Google, Microsoft or another
provider (OAuth2), for which it opens a browser. It is kept in the keyring of the
system, or where there is none, in a file that only you can read.

A client id is your own registration with the provider. The README says how to
get one, under "Signing in with Google and Microsoft". It is kept too, so that to
sign in again takes no flags.
`

type loginOptions struct {
	party
	id, secretFile, issuer, tenant, scope string
	appOnly, device, noBrowser, forget    bool
}

func (o *loginOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.file, "password-file", "", "read the password from the first line of `FILE`")
	f.StringVar(&o.command, "password-command", "", "run `CMD` and take the first line it prints as the password")
	f.StringVar(&o.id, "client-id", "", "sign in with the client `ID` (else $MAILHAUL_CLIENT_ID)")
	f.StringVar(&o.secretFile, "client-secret-file", "", "read the client's secret from the first line of `FILE` (else $MAILHAUL_CLIENT_SECRET)")
	f.StringVar(&o.issuer, "issuer", "", "sign in at a provider that is not built in, which describes itself at `URL`")
	f.StringVar(&o.tenant, "tenant", "", "Microsoft: the organisation, by its domain or number `ID`")
	f.StringVar(&o.scope, "scope", "", "ask for `SCOPE` instead of what is known to mean mail")
	f.BoolVar(&o.device, "device", false, "sign in by a code that is typed on another device")
	f.BoolVar(&o.noBrowser, "no-browser", false, "open no browser: show the page's address, and take the one at which it ends")
	f.BoolVar(&o.appOnly, "app-only", false, "Microsoft, for administrators: log in as the application, to any mailbox it may open")
	f.BoolVar(&o.forget, "forget", false, "forget what is kept of the account")
	o.reach.addFlags(f)
}

func newLoginCommand(t *terminal) *cobra.Command {
	var o loginOptions
	cmd := &cobra.Command{
		Use:   "login ACCOUNT",
		Short: "try the login of an account, and keep the password or the sign-in",
		Long:  loginHelp,
		Example: "  mailhaul login imaps://me@example.org@imap.example.org\n" +
			"  mailhaul login imaps://me@gmail.com@imap.gmail.com --client-id ID --client-secret-file FILE",
		Args:              exactArgs("ACCOUNT"),
		ValidArgsFunction: completes("ACCOUNT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runLogin(cmd.Context(), t, &o, args[0])
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}

func runLogin(ctx context.Context, t *terminal, o *loginOptions, typed string) error {
	if err := o.parse(ctx, t, typed); err != nil {
		return err
	}
	if o.forget {
		return t.forget(ctx, o.account)
	}
	if o.tokenCommand != "" {
		return usageError{errors.New("the account has a token command, which is asked at every login: there is nothing to keep"), "mailhaul check tries it"}
	}
	client, err := o.clientOf(ctx, t)
	if err != nil {
		return err
	}
	login, result, err := o.signIn(ctx, t, client)
	if err != nil {
		return err
	}
	if _, err := look(ctx, o.account, login); err != nil {
		return o.explain(err)
	}
	place, why, err := t.keep(ctx, o.account, result())
	if err != nil {
		return err
	}
	return t.loggedIn(o.account, place, why)
}

func (t *terminal) loggedIn(acct account.Account, place string, why error) error {
	if t.json {
		return writeJSON(t.out, map[string]any{"event": "login", "account": acct.LoginKey().String(), "kept": place})
	}
	if why != nil {
		t.sayf("the system's keyring %v", why)
	}
	_, err := fmt.Fprintf(t.out, "%s is logged in; what it takes is kept in %s\n", mail.Printable(acct.LoginKey().String()), mail.Printable(place))
	return err
}

func (t *terminal) forget(ctx context.Context, acct account.Account) error {
	k, _ := t.kept(ctx, acct)
	had, err := keyring().Forget(ctx, acct.LoginKey().String())
	if err != nil {
		return err
	}
	name := mail.Printable(acct.LoginKey().String())
	switch {
	case t.json:
		return writeJSON(t.out, map[string]any{"event": "login", "account": acct.LoginKey().String(), "forgotten": had})
	case !had:
		_, err = fmt.Fprintf(t.out, "nothing was kept of %s\n", name)
	default:
		_, err = fmt.Fprintf(t.out, "%s is forgotten\n", name)
		if p, known := oauth.ProviderOf(acct.Host); known && k.Grant != nil {
			t.sayf("the access itself is withdrawn at %s", p.Withdraw)
		}
	}
	return err
}

// clientOf returns the client to sign in with; without an ID there is none, and the account has a password.
func (o *loginOptions) clientOf(ctx context.Context, t *terminal) (oauth.Client, error) {
	c := o.client
	if k, err := t.kept(ctx, o.account); err == nil && k.Grant != nil && c.ID == "" && o.id == "" {
		c = k.Grant.Client
	}
	if o.issuer != "" {
		c.Provider, c.Issuer = "", o.issuer
	}
	c = c.For(o.account.Host, o.account.Protocol)
	if c.Provider != "" || c.Issuer != "" { // else the variable is for another account
		o.id = cmp.Or(o.id, os.Getenv("MAILHAUL_CLIENT_ID"))
	}
	if o.id != "" && o.id != c.ID {
		c.ID, c.Secret = o.id, ""
	}
	secret, err := o.clientSecret(ctx)
	if err != nil {
		return c, err
	}
	c.Secret, c.Tenant, c.Scope = cmp.Or(secret, c.Secret), cmp.Or(o.tenant, c.Tenant), cmp.Or(o.scope, c.Scope)
	c.AppOnly = c.AppOnly || o.appOnly
	switch {
	case c.ID != "" || c.Issuer != "" || o.device || o.noBrowser || o.appOnly:
		return c, cmp.Or(o.unlikely(c), c.Check())
	case c.Provider == "microsoft" && o.file == "" && o.command == "":
		return c, usageError{errors.New("no password opens a mailbox at Microsoft, only a sign-in"),
			`register a client id and add --client-id: the README says how, under "Signing in with Google and Microsoft"`}
	}
	return oauth.Client{}, nil
}

// unlikely returns why a client id makes no sense here, if it does not.
func (o *loginOptions) unlikely(c oauth.Client) error {
	if c.Provider == "" && c.Issuer == "" {
		return usageError{fmt.Errorf("nobody knows where %s has people sign in", o.account.Host), "name it with --issuer URL, or leave out the client id for an account with a password"}
	}
	return nil
}

func (o *loginOptions) clientSecret(ctx context.Context) (string, error) {
	s := account.Secrets{File: o.secretFile, Env: []string{"MAILHAUL_CLIENT_SECRET"}, Credentials: []string{"mailhaul-client-secret"}}
	if !s.Named() {
		return "", nil
	}
	return s.Get(ctx)
}

// signIn returns how to log in, and what of it is to be kept after the login.
func (o *loginOptions) signIn(ctx context.Context, t *terminal, client oauth.Client) (mail.Login, func() kept, error) {
	secrets := t.secretsOf(ctx, &o.party)
	login := o.account.Login(secrets)
	if client.ID == "" {
		password, err := secrets.Get(ctx)
		login.Password = func(context.Context) (string, error) { return password, nil }
		return login, func() kept { return kept{Password: password} }, err
	}
	source, err := o.source(ctx, t, client)
	if err != nil {
		return login, nil, err
	}
	login.Token = source.Token
	return login, func() kept { // the login may have had it renewed
		g := source.Grant()
		return kept{Grant: &g}
	}, nil
}

// source has the person sign in.
func (o *loginOptions) source(ctx context.Context, t *terminal, client oauth.Client) (*oauth.Source, error) {
	switch {
	case client.AppOnly:
		return oauth.NewSource(oauth.Grant{Client: client}), nil
	case o.device:
		return t.signInByCode(ctx, client)
	}
	return t.signInByBrowser(ctx, client, o.account.User, !o.noBrowser)
}
