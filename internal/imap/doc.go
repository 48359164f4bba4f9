// Package imap carries mail over IMAP4rev1 (RFC 3501; what it needs of RFC 9051 is the same). It is the only user of
// go-imap's client, which it does not let near a server unguarded.
//
// Client is a migrate.Destination: it lists, appends and reads back. Source is a backup.Source that remembers: it
// tells what has changed in a mailbox, and reads. Remover is a Source that takes single messages away: a backup.Remover.
// Under all three lie two things that know nothing of what they are used for. A session is one connection, logged in.
// A guard is the net.Conn under go-imap: it reads every response of the server itself, within limits, and hands go-imap
// only what is sound and asked for, in one plain form and in the order it was asked for; it sends the commands of
// go-imap, as far as the session has the licence for them, with mailbox names as the server spells them, with the words
// go-imap does not know, and puts the messages into them. So a server's odd dialect, its lies about lengths and its
// last words are dealt with in one place.
//
// What go-imap does that the guard is for is told where it is dealt with, by the effect it would have.
package imap
