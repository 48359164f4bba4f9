// Package archive keeps mail on disk so that it is still there tomorrow: a Maildir++ that any mail program reads,
// and beside it a ledger (SQLite) that knows where each message came from and what became of it at each
// destination.
//
// # Layout
//
// The archive's directory is itself the Maildir++ root: cur, new and tmp are the INBOX, and every other mailbox is
// a directory whose name begins with a dot. mailhaul/ holds ledger.db, lock and folders.json, and what
// is made from the messages and can be made again (Derived); nothing else in the directory is ours. Directories are 0700, files 0600.
//
// A message lies in cur/ as
//
//	<received>.<key>.mailhaul,S=<octets on disk>,W=<canonical octets>:2,<flags>
//
// where received is in Unix seconds and key is the first half of a SHA-256, in hex, of the account, mailbox,
// UIDVALIDITY and UID it came from, with a NUL between each. Other programs may change what follows the colon; the
// message is known by what stands before it. A copy fetched anew because the first was damaged gets "mailhaul-1" in
// the place of "mailhaul", so that the damaged file keeps its name and nothing is overwritten.
//
// Keywords are there as Dovecot has them: a letter from a to z behind the colon, and what it means in
// dovecot-keywords beside cur/, to which we only ever add. The ledger knows all keywords, also those there is no
// letter for.
//
// A message that the source says is the same as one in another mailbox has a name there too, and both names are one
// file where the file system allows it.
//
// On disk a message has LF line ends, as Maildir readers expect, unless it holds a bare LF or a CR directly before
// a CRLF: then the octets are there as received. mail.Canonical reads both.
//
// # What "archived" means
//
// A batch is archived when its files have been synced, renamed into cur/, the directories synced, and one
// transaction of the ledger committed with synchronous=FULL, in this order. So a kill at any moment leaves one of
// these, and Open settles each:
//
//   - a file in tmp/: removed; the source still has the message.
//   - a file in cur/ that the ledger does not know: adopted, if its octets agree with its name. Else it stays where
//     it is, the ledger notes it as damaged, and the source is asked again.
//   - a row whose file is gone or has another size: noted as missing or damaged, and the source is asked again. If
//     the octets that come are the same, the row gets its file back and keeps its outcomes; if they are others, the
//     old row stays as lost, and the message that came is a new one.
//   - a file that has its new flags, and a row that has the old ones: the row follows the file, whoever renamed it.
//   - a move to a new Ref that is written down: it is brought to its end.
//
// A ledger that is missing or damaged is made again from the Maildir: the names hold the keys, folders.json the
// names of the mailboxes and the account. What it knew of destinations is lost then, and found out there; what it knew
// of the source, the next look at it tells again.
//
// # What the source shows
//
// For each mailbox the ledger keeps how it stood when everything in it was last archived, and for each entry which
// flags the source last showed: only what changes there changes here. What the source shows no more is marked gone,
// and stays. A mailbox that is renamed, or numbered anew, does not make its mail new: Rekey gives the entries their
// new Refs, and the files the names of the new keys.
package archive
