// Package parts takes messages apart to be read by people: their MIME parts (RFC 2045, 2046), header fields and texts as
// UTF-8, whatever the message says of itself.
//
// Nothing here fails because of what a message holds. What is broken is taken for what it most likely is: a multipart without
// a boundary has the one that its first lines show, or is text; octets of a character set that is unknown, or not the
// one that is named, are guessed at; a field that is none is passed over. All that a message can have too much of is bounded:
// depth, parts, fields, and the lengths of fields and names. Nothing of this is used for what is archived or brought
// anywhere.
package parts
