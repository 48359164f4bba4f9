package oauth

import (
	"context"
	"net/http"
)

// A Grant is what is kept of a sign-in: with whom, and the refresh token, which is as good as a password.
type Grant struct {
	Client  Client `json:"client"`
	Refresh string `json:"refresh_token,omitempty"` // "" where the client is AppOnly
}

// redeem makes a Source of what came of a sign-in.
func (w asked) redeem(a answer) (*Source, error) {
	if a.Refresh == "" {
		return nil, usage("the scope may have to hold offline_access, or the registration to allow it",
			"%s gave access for a while only: there is no refresh token", w.provider.Title)
	}
	s := NewSource(Grant{Client: w.client, Refresh: a.Refresh})
	if err := s.take(a); err != nil {
		return nil, w.explain(err)
	}
	return s, nil
}

// asked is what every sign-in begins with: who is asked, and by what.
type asked struct {
	client   Client
	provider Provider
	via      *http.Client
}

func (c Client) ask(ctx context.Context) (asked, error) {
	via := NewHTTP()
	p, err := c.provider(ctx, via)
	return asked{c, p, via}, err
}

func (w asked) explain(err error) error {
	return w.provider.explain("sign in at "+w.provider.Title, err)
}
