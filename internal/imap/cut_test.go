package imap

import (
	"errors"
	"slices"
	"testing"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
)

// The line is cut at every octet of a session that appends, in both directions, with and without messages in
// flight. What was said to be stored is there once, what was refused or not reported is not, and of the rest it is
// said that it is unsure.
func TestAppendCut(t *testing.T) {
	cuts, unsure := 0, 0
	for _, without := range [][]string{nil, {"LITERAL+", "LITERAL-"}} {
		all := appendOver(t, without, postoffice.Cut{})
		for way, octets := range map[postoffice.Way]int64{postoffice.FromClient: all.FromClient, postoffice.ToClient: all.ToClient} {
			for at := int64(1); at < octets; at++ {
				cuts++
				unsure += appendOver(t, without, postoffice.Cut{Way: way, At: at, How: postoffice.FIN}).unsure
			}
		}
	}
	t.Logf("%d cuts, %d messages unsure, none lost or doubled", cuts, unsure)
}

type cutSession struct {
	postoffice.Traffic
	unsure int
}

func appendOver(t *testing.T, without []string, cut postoffice.Cut) cutSession {
	office := postoffice.New()
	me := office.Account("me", canary)
	server := office.IMAP(postoffice.Trouble{On: postoffice.Only(1), Without: without, Cut: cut, Faults: []postoffice.Fault{refusingEmpty}})
	defer server.Close()
	c := New(dial.Server{Host: "imap.example.org", Plain: true, Dialer: server.Dial}, mail.Login{User: "me", Password: password})
	defer c.Close()
	said := make(map[int]error)
	texts := []string{"Message-ID: <0>\r\n\r\n0", "", "Message-ID: <2>\r\n\r\n2", "Message-ID: <3>\r\n\r\n3"}
	var batch []mail.Outgoing
	for _, text := range texts {
		batch = append(batch, message(text))
	}
	uids := make([]uint32, len(batch))
	if _, err := c.Select(t.Context(), mail.Inbox); err == nil {
		c.Append(t.Context(), mail.Inbox, batch, func(i int, got mail.Stored, err error) { said[i], uids[i] = err, got.UID })
	}
	stored := make(map[string][]uint32)
	for _, m := range me.Messages(mail.Inbox) {
		stored[string(m.Octets)] = append(stored[string(m.Octets)], m.UID)
	}
	unsure := 0
	for i := range batch {
		err, told := said[i]
		var e *mail.Error
		there := stored[texts[i]]
		switch {
		case told && err == nil && (len(there) != 1 || uids[i] != 0 && uids[i] != there[0]):
			t.Errorf("%v: message %d was said to be stored as UID %d, and is there as %v", cut, i, uids[i], there)
		case told && errors.As(err, &e) && e.Unsure:
			unsure++
		case (!told || err != nil) && len(there) > 0:
			t.Errorf("%v: message %d is there, and it was said: told %v, %v", cut, i, told, err)
		}
		if len(there) > 1 {
			t.Errorf("%v: message %d is there %d times", cut, i, len(there))
		}
	}
	for octets := range stored {
		if !slices.Contains(texts, octets) {
			t.Errorf("%v: the server holds %q", cut, octets)
		}
	}
	return cutSession{server.Traffic()[0], unsure}
}
