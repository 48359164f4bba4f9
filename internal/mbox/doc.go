// Package mbox reads mail that lies in files and writes such files: mbox in its dialects, EML, Maildir, Apple's emlx, the
// folders of Thunderbird, Google Takeout, and zip files of all that.
//
// # What a message is
//
// A message is its octets, and an mbox adds some: the From_ line before each, an empty line behind it, a ">" before
// lines that would look like a From_ line (RFC 4155, and the dialects that are older than it). Two programs also put
// lines of their own books on top of the header: Thunderbird its X-Mozilla-Status and what belongs to it, Takeout
// X-GM-THRID and X-Gmail-Labels. They belong to the file as the From_ line does: they change whenever somebody reads
// a message or files it, no server has ever sent them, and with them a message would be another one than the same
// from its account. So they are read for what they say, as flags and folders, and are not part of the message. They
// count as such only where these programs put them, which is before everything else. Everything that stands further
// down, as the Status field of mutt and others, is part of the message and stays in it.
//
// # What we write
//
// The mbox we write is mboxrd, and says so in its From_ lines, so that it can be read back to the octet: every message is
// followed by an empty line, every line of it that begins with ">"s and "From " has one ">" more, and nothing is on top. A
// message without a last line end gets one, and its From_ line says so.
// What an mbox has no place for, flags and the time of arrival with its zone, stands in a file of JSON lines beside it.
package mbox
