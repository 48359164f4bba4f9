package oauth

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// describe asks an issuer what its endpoints are: by OpenID Connect Discovery 1.0 §4, which nearly all have, and else
// by RFC 8414 §3.
func describe(ctx context.Context, via *http.Client, issuer string) (Provider, error) {
	issuer = strings.TrimSuffix(issuer, "/")
	u, err := url.Parse(issuer)
	if err != nil {
		return Provider{}, usage("", "the issuer is no URL")
	}
	p := Provider{Title: u.Host, Issuer: issuer, Redirect: loopbackAddress,
		Dead: "it ends when it is withdrawn, with a new password perhaps, or after some time"}
	text, err := get(ctx, via, issuer+"/.well-known/openid-configuration")
	if lacks := new(refusal); asRefusal(err, lacks) && lacks.status == http.StatusNotFound {
		text, err = get(ctx, via, u.Scheme+"://"+u.Host+"/.well-known/oauth-authorization-server"+u.Path)
	}
	if err != nil {
		return Provider{}, p.explain("ask "+u.Host+" where to sign in", err)
	}
	return p, p.read(text)
}

// read reads the description, which must be the issuer's own (RFC 8414 §3.3), and whose endpoints must be safe.
func (p *Provider) read(text []byte) error {
	var d struct {
		Issuer    string `json:"issuer"`
		Authorize string `json:"authorization_endpoint"`
		Token     string `json:"token_endpoint"`
		Device    string `json:"device_authorization_endpoint"`
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return p.odd("describes itself with what is no JSON")
	}
	if strings.TrimSuffix(d.Issuer, "/") != p.Issuer {
		return p.odd("describes an issuer that is called otherwise")
	}
	if d.Token == "" {
		return p.odd("names no place for tokens")
	}
	for _, endpoint := range []string{d.Authorize, d.Token, d.Device} {
		if endpoint == "" {
			continue
		}
		if err := secure(endpoint, "an endpoint of "+p.Title); err != nil {
			return err
		}
	}
	p.Endpoints = Endpoints{d.Authorize, d.Token, d.Device}
	return nil
}
