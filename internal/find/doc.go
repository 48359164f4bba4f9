// Package find looks for mail in an archive: it reads queries, keeps an index of the words, and answers with entries.
//
// A query is words and terms such as from:alice or after:2024-03, all of which must be true of a message; Parse has
// the syntax. What the ledger knows (folders, dates, sizes, flags, Message-IDs) is asked there and is always as it is now.
// Only the words of messages are in the index.
//
// The index is one file in the archive's own directory, mailhaul/find.db, made from the messages and from nothing else:
// it can be deleted at any time, and is made again when it is missing, damaged, or of another version. Messages of the same
// octets are in it once. An entry's place in it is checked against the ledger before every search, so that a ledger that
// was made again is noticed. It holds words and no text: what was around them, the message tells. Of a message with more than
// 2 MiB of text the first 2 MiB are in it.
//
// # Words
//
// Text and queries go through the same mill (tokens.go). Words are runs of letters, marks and digits, without case, accents, vowel
// marks, and what fonts or keyboards make of one letter (Arabic and Persian ya, kaf and ha; full width forms; digits of all
// scripts). A zero width non-joiner stands for nothing. Chinese, Japanese, Korean, Thai, Lao, Khmer and Burmese text, which puts
// no blanks between words or hangs endings on them, is cut into pairs of characters, each of which is a word: so any part of
// it of two or more characters is found as it stands, and one character as the beginning of a pair.
package find
