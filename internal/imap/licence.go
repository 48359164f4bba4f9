package imap

import (
	"fmt"
	"strings"
)

// A licence is what a session may say. What is beyond it never leaves, whoever would say it: go-imap has commands that send
// others by themselves, EXPUNGE among them.
type licence int

const (
	toRead   licence = iota // nothing that could change anything
	toWrite                 // beside that, what puts mail, folders and flags there
	toRemove                // instead, what takes away single messages, named by their UIDs
)

// reading is what changes nothing; a FETCH does not as long as it peeks.
var reading = map[string]bool{
	"CAPABILITY": true, "LOGIN": true, "AUTHENTICATE": true, "ID": true, "NOOP": true, "LOGOUT": true,
	"LIST": true, "NAMESPACE": true, "STATUS": true, "MYRIGHTS": true, "GETQUOTAROOT": true, "EXAMINE": true, "UNSELECT": true,
}

var writing = map[string]bool{"SELECT": true, "APPEND": true, "CREATE": true, "SUBSCRIBE": true, "UNSUBSCRIBE": true}

// refuse returns why a command may not be sent, nil if it may.
func (l licence) refuse(c *command, line string) error {
	marks := strings.Contains(line, `\Deleted`)
	switch {
	case reading[c.name], c.name == "FETCH" && !strings.Contains(line, "BODY["):
		return nil
	case l == toWrite && (writing[c.name] || c.name == "STORE" && strings.Contains(line, " +FLAGS") && !marks):
		return nil
	case l == toRemove && (c.name == "SELECT" || c.byUID && (c.name == "EXPUNGE" || c.name == "MOVE" || c.name == "STORE" && marks)):
		return nil
	}
	return wireError(fmt.Sprintf("the command %s is not one that may be said here", c.name))
}

// permit gives a session its licence.
func (s *session) permit(l licence) { s.guard.speak(func(d *dialect) { d.licence = l }) }
