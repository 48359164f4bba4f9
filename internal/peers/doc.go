// Package peers measures mailhaul beside what people use today, and beside a floor: clients without any mail logic,
// which show what server, link and disk allow. There is nothing here but tests; compare.sh runs the measurement, and
// prints where the tables lie.
//
// A scenario is one thing to be done with one corpus: pull it over POP3 or IMAP, restore it, migrate it, find nothing
// new. Each contender does it in a process of its own and with a fresh target, one after the other in turn, so that a
// machine that slows down slows them all. What has arrived is compared with the corpus before a time counts: a fast
// tool that brings the wrong thing is not listed. Only ratios within one run are worth anything; seconds differ
// from machine to machine and from hour to hour.
//
// The servers are Dovecots of internal/postoffice/dovecot, the one that is read from with Maildirs, the one that is
// written to with mdbox, for an APPEND to its Maildir rereads the folder and hides what clients do. Distance is a proxy
// that delays what goes through it and limits nothing: no slow start, no loss.
//
// The floors keep a window of 100 commands in flight, as a careful client does. At a distance it is what bounds them;
// "floor, 1,000 ahead" in the table is the same with a window of 1,000. The floor of restoring 100,000 messages, and the
// tenth of them, is MULTIAPPEND, for a Dovecot is slower at each of so many APPENDs.
package peers
