package sasl

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// An Exchange is one run of a mechanism, from the client's side. It speaks in lines as they are sent, without their
// ends: base64, or "*".
type Exchange struct {
	Mechanism string

	as        mechanism
	who       Credential
	step      int // messages sent
	complaint string
	err       error
}

// Exchange begins one; the mechanism is one that Choose has named.
func (c Credential) Exchange(mechanism string) *Exchange {
	return &Exchange{Mechanism: mechanism, as: mechanisms[mechanism], who: c}
}

// First returns the initial response, if in this mechanism the client speaks first, and it is of so many octets at
// most. It is for servers that take it with the command (RFC 4959, RFC 5034 §4); otherwise it answers a challenge.
func (x *Exchange) First(atMost int) (line string, ok bool) {
	if !x.as.first || x.step > 0 {
		return "", false
	}
	message, err := x.as.answer(x.who, 0, nil)
	if err != nil || base64.StdEncoding.EncodedLen(len(message)) > atMost {
		return "", false
	}
	return x.Answer(""), true
}

// Answer returns the line that answers a challenge, which is given as it stood behind "+ ". "*" gives up (RFC 3501
// §6.2.2, RFC 5034 §4), and Err says why.
func (x *Exchange) Answer(challenge string) string {
	octets, err := x.decode(challenge)
	if err == nil {
		octets, err = x.as.answer(x.who, x.step, octets)
	}
	if x.err == nil {
		x.err = err
	}
	if x.err != nil {
		return "*"
	}
	if x.step++; x.as.token && x.step > 1 {
		x.complaint = complaint(challenge)
	}
	return base64.StdEncoding.EncodeToString(octets)
}

// decode returns the octets of a challenge. Where what it says does not matter, it may be anything: some servers write
// "+ go ahead", or the prompts of LOGIN in clear.
func (x *Exchange) decode(challenge string) ([]byte, error) {
	octets, err := base64.StdEncoding.DecodeString(strings.TrimSpace(challenge))
	if err != nil && x.as.reads {
		return nil, fmt.Errorf("the server's challenge for %s is not base64", x.Mechanism)
	}
	return octets, nil
}

// Complaint returns what the server finds wrong with a token, fit for a person, "" if it has not said.
func (x *Exchange) Complaint() string { return x.complaint }

// Err returns why the exchange was given up, nil if it was not: the server asked for more than the mechanism has to
// say, or for what makes no sense.
func (x *Exchange) Err() error { return x.err }
