// Package testdata holds real and awkward mail for tests and for `mailhaul demo`; messages/README.md says where
// it comes from and under which licences.
package testdata

import "embed"

// A Message is one file of messages/.
type Message struct {
	Name   string // of the file
	Octets []byte // as published: any line ends, or none
}

//go:embed messages/*.eml
var files embed.FS

// Messages returns all of them, in the order of their names. The octets are the caller's to keep and to change.
func Messages() []Message {
	entries, err := files.ReadDir("messages")
	if err != nil {
		panic(err) // it is part of the program
	}
	messages := make([]Message, len(entries))
	for i, e := range entries {
		octets, err := files.ReadFile("messages/" + e.Name())
		if err != nil {
			panic(err)
		}
		messages[i] = Message{Name: e.Name(), Octets: octets}
	}
	return messages
}
