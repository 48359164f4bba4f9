package archive

import (
	"errors"
	"fmt"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// ErrOtherAccount says that the archive holds the mail of another account.
var ErrOtherAccount = errors.New("the archive holds another account")

// Account returns the account whose mail the archive holds, under its present name; false before the first Bind.
func (a *Archive) Account() (mail.Account, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.current, a.current != mail.Account{}
}

// Bind says which account the mail to be archived comes from. The first is written down; once there is mail of it,
// another one is refused with ErrOtherAccount, unless same says that it is the same account under another name,
// after a move to another host. Messages keep the keys of the first, so that Has still knows them.
func (a *Archive) Bind(account mail.Account, same bool) error {
	a.commits.Lock()
	defer a.commits.Unlock()
	original, current := a.original, a.current
	if account == current {
		return nil
	}
	if err := a.learnKeys(); err != nil {
		return err
	}
	switch {
	case original == mail.Account{}, a.empty(): // a host misspelt in the first run must not hold the directory for ever
		original, current = account, account
	case account == original || same && account.Protocol == original.Protocol:
		current = account
	default:
		return fmt.Errorf("%w: %s, not %s", ErrOtherAccount, current, account)
	}
	return a.bind(original, current)
}

// empty reports whether there is no message that is known by a key of the account's.
func (a *Archive) empty() bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return onlyImported(a.keys) && onlyImported(a.unsound) && onlyImported(a.underway)
}

func onlyImported[V any](keys map[key]V) bool {
	for k := range keys {
		if !k.imported() {
			return false
		}
	}
	return true
}

// bind writes the account into folders.json first: the ledger can be made again from it.
func (a *Archive) bind(original, current mail.Account) error {
	if a.lock == nil {
		return errReadOnly
	}
	wasOriginal, wasCurrent := a.original, a.current
	a.setAccount(original, current)
	a.folders.refresh()
	err := a.writeFolders()
	if err == nil {
		err = a.write("bind", func() error { return a.enterAccount(original, current) })
	}
	if err != nil {
		a.setAccount(wasOriginal, wasCurrent)
		a.folders.refresh()
	}
	return err
}

func (a *Archive) setAccount(original, current mail.Account) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.original, a.current = original, current
}

var accountNames = [...]string{"protocol", "host", "user", "moved_protocol", "moved_host", "moved_user"}

func (a *Archive) enterAccount(original, current mail.Account) error {
	values := [...]string{original.Protocol, original.Host, original.User, current.Protocol, current.Host, current.User}
	for i, name := range accountNames {
		if _, err := a.ledger.exec("insert or replace into meta (name, value) values (?, ?)", name, values[i]); err != nil {
			return err
		}
	}
	return nil
}

// loadAccount learns the account from the ledger.
func (a *Archive) loadAccount() error {
	values := map[string]string{}
	err := a.ledger.each("select name, value from meta where name <> 'clean'", func(scan func(...any) error) error {
		var name, value string
		err := scan(&name, &value)
		values[name] = value
		return err
	})
	of := func(prefix string) mail.Account {
		return mail.Account{Protocol: values[prefix+"protocol"], Host: values[prefix+"host"], User: values[prefix+"user"]}
	}
	a.setAccount(of(""), of("moved_"))
	return err
}

func toJSON(a mail.Account) *accountJSON {
	return &accountJSON{Protocol: a.Protocol, Host: a.Host, User: a.User}
}

func (j *accountJSON) account() mail.Account {
	return mail.Account{Protocol: j.Protocol, Host: j.Host, User: j.User}
}

func (a *Archive) accountJSON() *accountJSON {
	if a.original == (mail.Account{}) {
		return nil
	}
	j := toJSON(a.original)
	if a.current != a.original {
		j.Moved = toJSON(a.current)
	}
	return j
}

// accountFrom takes the account from folders.json, if the ledger does not know it.
func (a *Archive) accountFrom(j *accountJSON) error {
	if j == nil || a.original != (mail.Account{}) {
		return nil
	}
	original, current := j.account(), j.account()
	if j.Moved != nil {
		current = j.Moved.account()
	}
	a.setAccount(original, current)
	return a.write("bind", func() error { return a.enterAccount(original, current) })
}
