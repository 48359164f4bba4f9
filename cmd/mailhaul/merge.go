package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/migrate"
)

// mergeBy is by what messages are taken for one; "" is by what they hold.
type mergeBy string

const mergeByID mergeBy = "message-id"

func (m *mergeBy) addFlag(f *pflag.FlagSet) {
	f.Var(m, "merge", "bring one message of each Message-ID to a folder, whatever the others hold: `message-id`")
}

func (m *mergeBy) String() string { return string(*m) }
func (m *mergeBy) Type() string   { return string(mergeByID) }

// Set refuses anything else there might be to merge by.
func (m *mergeBy) Set(by string) error {
	if mergeBy(by) != mergeByID {
		return fmt.Errorf("mail can be merged by message-id, not by %q", by)
	}
	*m = mergeByID
	return nil
}

// A mergeReport is one message that one at the destination counts for too.
type mergeReport struct {
	Mailbox   string `json:"mailbox"`
	Ref       string `json:"ref"`
	MessageID string `json:"message_id,omitempty"`
	To        string `json:"to"`
	Kept      uint32 `json:"kept_uid"`
	By        string `json:"by"` // message-id or server
}

func newMergeReport(m migrate.Merge) mergeReport {
	return mergeReport{Mailbox: m.Ref.Mailbox, Ref: m.Ref.String(), MessageID: m.MessageID, To: m.Mailbox, Kept: m.UID, By: m.By}
}

// Reason says to a person what became of the message.
func (m mergeReport) Reason() string {
	kept := "UID " + strconv.FormatUint(uint64(m.Kept), 10) + " in " + mail.NameText(m.To)
	if m.By == migrate.ByID {
		return "it has the Message-ID of " + kept
	}
	return "the server keeps one of it: " + kept
}
