// Package mail holds the words the whole house speaks: what a mailbox, a message and its flags are, how a
// message is identified, and how far an error reaches. It does no I/O and needs the standard library only, so
// that every other package can agree on it.
//
// Octets come in three forms. The received form is what a server sent. The canonical form has a CR before every
// LF and is otherwise the same octets; its SHA-256 is the message's Digest, and it is what APPEND sends. The
// levelled form is for comparison only: in it a run of CRs before an LF counts as one, a missing last line end is
// added, and NUL is 0x80, because servers change those (IMAP allows no NUL; Dovecot shows it so).
package mail
