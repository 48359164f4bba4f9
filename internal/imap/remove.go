package imap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Remover is an IMAP account to take messages out of: a backup.Remover and a backup.Marker. It looks around as a Source
// does; only Remove and Unmark open a mailbox with SELECT, and they leave it before they return by UNSELECT (RFC 3691), or
// by EXAMINE where the server has no UNSELECT: neither of them expunges, as CLOSE would.
//
// Messages are taken away by UID alone, with UID EXPUNGE (RFC 4315) or UID MOVE (RFC 6851): EXPUNGE takes with it whatever
// another mail program has marked \Deleted.
type Remover struct {
	Source
	marked  map[mail.Ref]bool // by us, and not known to be gone or unmarked
	in      *session          // in which is known what follows
	ways    map[string]wayOut // by mailbox
	watches map[string]*watch // by mailbox
}

// NewRemover returns a Remover without connecting. Close must be called in the end.
func NewRemover(server dial.Server, login mail.Login) *Remover {
	return &Remover{Source: *NewSource(server, login), marked: make(map[mail.Ref]bool)}
}

// End logs out, if there is a session.
func (r *Remover) End(context.Context) error { return r.Close() }

// Able returns how messages leave the mailbox, without opening it; see backup.Remover. Where the server tells the account's
// rights in the mailbox (RFC 4314), it is an error if they do not suffice.
func (r *Remover) Able(ctx context.Context, mailbox string) (how mail.Removal, err error) {
	err = r.with(ctx, removeFrom, mailbox, func(s *session) error {
		w, err := r.wayOut(s, mailbox)
		how = w.how
		return err
	})
	return how, err
}

// wayOut returns how messages leave the mailbox; in a session that is found out once.
func (r *Remover) wayOut(s *session, mailbox string) (w wayOut, err error) {
	if r.in != s {
		r.in, r.ways, r.watches = s, make(map[string]wayOut), make(map[string]*watch)
	}
	w, known := r.ways[mailbox]
	if !known {
		if w, err = s.wayOut(mailbox); err == nil {
			r.ways[mailbox] = w
		}
	}
	return w, err
}

// Unmark takes \Deleted off those of the messages that are there; see backup.Marker. They must be of the UIDVALIDITY that the
// mailbox has.
func (r *Remover) Unmark(ctx context.Context, mailbox string, items []mail.Item) error {
	if len(items) == 0 {
		return nil
	}
	return r.with(ctx, unmarkIn, mailbox, func(s *session) error {
		if err := s.openToRemove(mailbox); err != nil {
			return err
		}
		defer s.leave()
		if s.status.Validity != items[0].Ref.Validity {
			return renumbered()
		}
		for part := range slices.Chunk(uidsOf(items), s.together()) {
			if err := s.unmark(part); err != nil {
				return err
			}
		}
		for _, it := range items {
			delete(r.marked, it.Ref)
		}
		return nil
	})
}

const (
	removeFrom = "remove mail from"
	unmarkIn   = "take marks off mail in"
)

// A wayOut is how messages leave a mailbox.
type wayOut struct {
	how   mail.Removal
	trash string // where they are moved to
}

// wayOut finds the best way. Gmail, whose folders are labels, takes no more than the label away from what is expunged, and at
// once from what is marked \Deleted; only in the trash and among the spam mail goes for good.
func (s *session) wayOut(mailbox string) (w wayOut, err error) {
	w.how = mail.RemovalExpunge
	if s.labels() || !s.caps.has("UIDPLUS") {
		if w, err = s.wayByTrash(mailbox); err != nil {
			return w, err
		}
	}
	return w, s.suffices(w, mailbox)
}

func (s *session) labels() bool { return s.caps.has("X-GM-EXT-1") }

func (s *session) wayByTrash(mailbox string) (w wayOut, err error) {
	t, err := s.tree()
	if err != nil {
		return w, err
	}
	for _, mb := range t.own() {
		switch {
		case mb.Name == mailbox && s.labels() && s.caps.has("UIDPLUS") && (mb.Role == mail.RoleTrash || mb.Role == mail.RoleJunk):
			return wayOut{how: mail.RemovalExpunge}, nil
		case mb.Role == mail.RoleTrash && !mb.NoSelect:
			w.trash = mb.Name
		}
	}
	switch {
	case s.labels() && w.trash == "":
		return w, noWay("it shows no trash folder, and what is removed elsewhere only loses a label",
			"show the trash in IMAP: Settings, Labels, Trash")
	case !s.caps.has("MOVE") || w.trash == "" || w.trash == mailbox:
		return w, noWay("neither UIDPLUS, nor MOVE and a trash folder; EXPUNGE alone would also take what others have marked as deleted",
			"remove mail there with a mail program, or in the provider's web mail")
	}
	if w.how = mail.RemovalTrash; s.labels() {
		w.how = mail.RemovalEverywhere
	}
	return w, nil
}

func noWay(why, hint string) error {
	return &mail.Error{Scope: mail.ScopeMailbox, Cause: mail.CauseRefused, Hint: hint, Err: errors.New("the server gives no safe way: " + why)}
}

// suffices asks for the account's rights where it can: without the right to expunge there are servers that say OK to it all the
// same.
func (s *session) suffices(w wayOut, mailbox string) error {
	if !s.caps.has("ACL") {
		return nil
	}
	if err := s.needs(mailbox, "te"); err != nil || w.trash == "" {
		return err
	}
	return s.needs(w.trash, "i")
}

// needs returns an error if the account is known to lack one of the rights (RFC 4314 §2.1). A server of RFC 2086 tells d
// for t and e.
func (s *session) needs(mailbox, rights string) error {
	if err := checkName(mailbox); err != nil {
		return &mail.Error{Scope: mail.ScopeMailbox, Cause: mail.CauseUsage, Err: err}
	}
	data, err := s.imap.MyRights(alias(mailbox)).Wait()
	if err != nil {
		return sessionOnly(err)
	}
	has := string(data.Rights)
	if strings.Contains(has, "d") && !strings.ContainsAny(has, "kxte") {
		has += "te"
	}
	for _, right := range rights {
		if has != "" && !strings.ContainsRune(has, right) {
			return &mail.Error{Scope: mail.ScopeMailbox, Cause: mail.CauseRefused, Hint: hintRights,
				Err: fmt.Errorf("the account lacks the right %q in %s (RFC 4314): it has %q", right, mail.Printable(mailbox), has)}
		}
	}
	return nil
}

const hintRights = "the account may not do that in this folder; its owner or the provider can allow it"

// openToRemove selects the mailbox and makes sure that mail can be marked in it.
func (s *session) openToRemove(mailbox string) error {
	s.permit(toRemove)
	s.readOnly = false
	err := s.open(mailbox)
	switch {
	case err != nil:
	case s.guard.known().opening.readOnly:
		err = cannotRemove("the server opens the folder for reading only")
	case !s.permanent.Has(mail.Deleted):
		err = cannotRemove(`the server lets no mail be marked \Deleted in the folder`)
	default:
		return nil
	}
	s.leave()
	return err
}

func cannotRemove(why string) error {
	return &mail.Error{Scope: mail.ScopeMailbox, Cause: mail.CauseRefused, Hint: hintRights, Err: errors.New(why)}
}

// leave has the mailbox no longer selected, or selected for reading only, and the session say nothing that changes anything
// from now on. What it runs into, the next command will run into too.
func (s *session) leave() {
	mailbox := s.mailbox
	s.mailbox, s.readOnly = "", true
	defer s.permit(toRead)
	switch {
	case mailbox == "" || s.broken():
	case s.caps.has("UNSELECT"):
		s.imap.Unselect().Wait()
	default:
		s.open(mailbox)
	}
}

// together is how many messages are named in one command.
func (s *session) together() int { return int(min(maxNumbers, s.window())) }

// uidsOf returns the UIDs of the items, in order. What has none is left out.
func uidsOf(items []mail.Item) (uids []uint32) {
	for _, it := range items {
		if uid, _ := (token{text: it.Ref.UID}).number(); soundUID(uid) {
			uids = append(uids, uid)
		}
	}
	slices.Sort(uids)
	return slices.Compact(uids)
}

// mark marks messages \Deleted, or takes the mark off them.
func (s *session) mark(op imap.StoreFlagsOp, set imap.UIDSet) error {
	return s.imap.Store(set, &imap.StoreFlags{Op: op, Silent: true, Flags: []imap.Flag{imap.FlagDeleted}}, nil).Close()
}

func setOf(uids []uint32) (set imap.UIDSet) {
	for _, uid := range uids {
		set.AddNum(imap.UID(uid))
	}
	return set
}

// unmark takes \Deleted off those of the messages that are there and have it.
func (s *session) unmark(uids []uint32) error {
	there, err := s.items(s.mailbox, uids)
	if err != nil {
		return err
	}
	there = slices.DeleteFunc(there, func(it mail.Item) bool { return !it.Flags.Has(mail.Deleted) })
	if len(there) == 0 {
		return nil
	}
	return s.mark(imap.StoreFlagsDel, setOf(uidsOf(there)))
}
