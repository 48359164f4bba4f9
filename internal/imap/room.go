package imap

import (
	"context"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// Namespace returns where the owner's mailboxes stand (RFC 2342), zero if the server does not say.
func (c *Client) Namespace(ctx context.Context) (ns mail.Namespace, err error) {
	err = c.with(ctx, "ask for the namespace", "", func(s *session) error {
		ns, err = s.namespace()
		return err
	})
	return ns, err
}

func (s *session) namespace() (mail.Namespace, error) {
	if s.askNamespace(); s.spaces == nil {
		return mail.Namespace{}, nil
	}
	data, err := s.spaces.Wait()
	s.spaces = nil
	if err != nil || len(data.Personal) == 0 {
		return mail.Namespace{}, sessionOnly(err)
	}
	return mail.Namespace{Prefix: unalias(data.Personal[0].Prefix), Delim: data.Personal[0].Delim}, nil
}

// askNamespace asks without waiting for the answer: whoever lists mailboxes asks next where the owner's stand, and makes the
// way there and back once for both.
func (s *session) askNamespace() {
	if s.spaces == nil && (s.caps.has("NAMESPACE") || s.caps.has("IMAP4REV2")) {
		s.spaces = s.imap.Namespace()
	}
}

// Room returns how much more the account takes, as far as the server tells without any mailbox being opened.
func (c *Client) Room(ctx context.Context) (room mail.Room, err error) {
	err = c.with(ctx, "ask for the limits", "", func(s *session) error {
		room, err = s.room()
		return err
	})
	return room, err
}

func (s *session) room() (mail.Room, error) {
	room := mail.Unlimited()
	if limit := s.caps.appendLimit(); limit > 0 {
		room.Largest = limit
	}
	quotas, err := s.quotas()
	if err != nil {
		return room, err
	}
	for _, q := range quotas {
		switch left := max(q.Limit-q.Used, 0); q.Resource {
		case "STORAGE":
			room.Octets = least(room.Octets, left<<10)
		case "MESSAGE":
			room.Messages = least(room.Messages, left)
		}
	}
	if !s.caps.has("APPENDLIMIT") { // with a number it holds for all mailboxes (RFC 7889 §2)
		return room, nil
	}
	reports, err := s.mailboxReports()
	room.LargestIn = make(map[string]int64)
	for _, r := range reports {
		if r.AppendLimit > 0 {
			room.LargestIn[r.Name] = r.AppendLimit
		}
	}
	return room, err
}

// least returns the smaller of two numbers of which a negative one says nothing.
func least(a, b int64) int64 {
	if a < 0 {
		return b
	}
	return min(a, b)
}
