package postoffice

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-sasl"
)

// Master has user, who needs no account, log in to all accounts: as the one who logs in for their owner by SASL PLAIN
// (RFC 4616), or under the name OWNER*user, as Dovecot and Cyrus have it.
func (o *Office) Master(user, password string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.masters[user] = password
}

// SetToken has the account take OAuth2 tokens that are good when they are shown; nil: none.
func (a *Account) SetToken(good func(token string) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.token = good
}

// enter returns the account of owner for user, or nil.
func (o *Office) enter(owner, user, password string) *Account {
	if owner == "" || owner == user {
		return o.login(user, password)
	}
	return o.login(owner+"*"+user, password)
}

// master returns the account that a name like OWNER*user is for, or nil. The caller holds mu.
func (o *Office) master(name, password string) *Account {
	owner, user, found := strings.Cut(name, "*")
	if known, ok := o.masters[user]; found && ok && known == password {
		return o.accounts[owner]
	}
	return nil
}

// bearer returns the account of user if the token is good for it, or nil.
func (o *Office) bearer(user, token string) *Account {
	o.mu.Lock()
	a := o.accounts[user]
	o.mu.Unlock()
	if a == nil {
		return nil
	}
	a.mu.Lock()
	good := a.token
	a.mu.Unlock()
	if good != nil && good(token) {
		return a
	}
	return nil
}

// mechanisms returns those of SASL that the connection has; usual are those it has unless they are taken away.
func (c *conn) mechanisms(usual ...string) (names []string) {
	for _, name := range []string{"PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER"} {
		if c.hasToo("AUTH="+name) || slices.Contains(usual, name) && c.has("AUTH="+name) {
			names = append(names, name)
		}
	}
	return names
}

var errAuth = imapserver.ErrAuthFailed

// sasl returns the server side of a mechanism, which hands over the account of who has got in.
func (o *Office) sasl(mechanism string, in func(*Account)) sasl.Server {
	admit := func(a *Account) error {
		if a == nil {
			return errAuth
		}
		in(a)
		return nil
	}
	switch mechanism {
	case "PLAIN":
		return sasl.NewPlainServer(func(owner, user, password string) error { return admit(o.enter(owner, user, password)) })
	case "LOGIN":
		return steps(func(said []string) (string, error) {
			if len(said) < 2 {
				return []string{"User Name\x00", "Password\x00"}[len(said)], nil
			}
			return "", admit(o.login(said[0], said[1]))
		})
	case "CRAM-MD5":
		return steps(func(said []string) (string, error) {
			const challenge = "<1896.697170952@postoffice.example>"
			if len(said) == 0 {
				return challenge, nil
			}
			return "", admit(o.cram(challenge, said[0]))
		})
	case "XOAUTH2":
		return &refusing{Server: steps(func(said []string) (string, error) { return "", admit(o.xoauth2(said)) })}
	}
	return sasl.NewOAuthBearerServer(func(b sasl.OAuthBearerOptions) *sasl.OAuthBearerError {
		if admit(o.bearer(b.Username, b.Token)) != nil {
			return &sasl.OAuthBearerError{Status: "invalid_token", Schemes: "bearer", Scope: "mail"}
		}
		return nil
	})
}

func (o *Office) cram(challenge, response string) *Account {
	o.mu.Lock()
	defer o.mu.Unlock()
	end := strings.LastIndexByte(response, ' ') // for there may be others in the name
	user, digest := response[:max(0, end)], response[end+1:]
	a := o.accounts[user]
	if a == nil {
		return nil
	}
	mac := hmac.New(md5.New, []byte(a.password))
	mac.Write([]byte(challenge))
	if hex.EncodeToString(mac.Sum(nil)) != digest {
		return nil
	}
	return a
}

// xoauth2 reads user=U^Aauth=Bearer T^A^A.
func (o *Office) xoauth2(said []string) *Account {
	if len(said) == 0 {
		return nil
	}
	user, rest, _ := strings.Cut(said[0], "\x01")
	token, end, _ := strings.Cut(rest, "\x01")
	user, ok := strings.CutPrefix(user, "user=")
	token, also := strings.CutPrefix(token, "auth=Bearer ")
	if !ok || !also || end != "\x01" {
		return nil
	}
	return o.bearer(user, token)
}

// A stepping is a mechanism that looks at what was said so far and asks on, or is done when it returns "".
type stepping struct {
	next func(said []string) (challenge string, err error)
	said []string
}

func steps(next func([]string) (string, error)) sasl.Server { return &stepping{next: next} }

func (s *stepping) Next(response []byte) (challenge []byte, done bool, err error) {
	if response != nil {
		s.said = append(s.said, string(response))
	}
	question, err := s.next(s.said)
	if question != "" {
		return []byte(question), false, nil
	}
	return nil, true, err
}

// refusing says what is wrong with a token in a challenge, and no when that is answered with nothing. Google does so.
type refusing struct {
	sasl.Server
	refused bool
}

func (r *refusing) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case r.refused && len(response) == 0:
		return nil, true, errAuth
	case r.refused:
		return nil, true, errors.New("the answer to a refusal is empty")
	case response == nil:
		return []byte{}, false, nil
	}
	if _, _, err = r.Server.Next(response); err == nil {
		return nil, true, nil
	}
	r.refused = true
	return []byte(`{"status":"400","schemes":"Bearer","scope":"https://mail.example/"}`), false, nil
}
