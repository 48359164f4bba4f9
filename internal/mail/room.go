package mail

// A Namespace is where the owner's mailboxes stand (RFC 2342): every name but INBOX begins with Prefix, and new ones
// must. The zero value means that the server does not say.
type Namespace struct {
	Prefix string // as it is on the wire, with its delimiter at the end; "" if there is none
	Delim  rune   // 0 where the server has no levels (NIL)
}

// Room is how much more an account takes. What the server does not say is negative.
type Room struct {
	Messages int64 // left under the quota (RFC 9208 §5)
	Octets   int64 // left under the quota, to the 1024 octets that servers count
	Largest  int64 // octets of the largest message (RFC 7889)
	// LargestIn is the same for mailboxes that have a limit of their own, by name.
	LargestIn map[string]int64
}

// Unlimited is the Room of a server that says nothing.
func Unlimited() Room { return Room{Messages: -1, Octets: -1, Largest: -1} }

// LargestFor returns the octets of the largest message that the mailbox takes, negative if the server does not say.
func (r Room) LargestFor(mailbox string) int64 {
	if own, ok := r.LargestIn[mailbox]; ok {
		return own
	}
	return r.Largest
}
