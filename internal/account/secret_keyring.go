package account

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// service is what our secrets are filed under in the system's keyring.
const service = "mailhaul"

// keyringTimeout is how long the system's keyring may take: somebody may have to unlock it. In a job of the night
// nobody comes.
const keyringTimeout = time.Minute

// ErrNotKept is the error of Keyring.Get for a secret that is not there.
var ErrNotKept = errors.New("it is not kept")

// A Keyring keeps secrets from one run to the next: in the keyring of the system (Secret Service, Keychain, Credential
// Manager), or where that cannot be had, in files that only their owner can read. It is safe for use by several runs.
type Keyring struct {
	Dir      string // of the files
	FileOnly bool   // leave the system's keyring alone

	system keyring.Keyring // nil: the system's; tests have others
}

// The places of a Keyring, as people know them.
const (
	placeSystem = "the system's keyring"
	placeFile   = "the file "
)

// Get returns the secret that is kept under a name. An error that is ErrNotKept may say beside why the system's keyring
// could not be asked. Others are *mail.Error.
func (k Keyring) Get(ctx context.Context, name string) (string, error) {
	secret, err := k.read(name) // it is there if the system's failed
	if err != ErrNotKept {
		return secret, err
	}
	err = k.ask(ctx, func(system keyring.Keyring) (err error) {
		secret, err = system.Get(service, name)
		return err
	})
	switch {
	case err == nil:
		return secret, nil
	case errors.Is(err, keyring.ErrNotFound), err == errNoSystem:
		return "", ErrNotKept
	case ctx.Err() != nil:
		return "", err
	}
	return "", fmt.Errorf("%w, as far as can be said: %s %w", ErrNotKept, placeSystem, err)
}

// Keep keeps a secret under a name, instead of what was there, and returns where. Where that is a file because the
// system's keyring could not be had, why says so.
func (k Keyring) Keep(ctx context.Context, name, secret string) (place string, why, err error) {
	why = k.ask(ctx, func(system keyring.Keyring) error { return system.Set(service, name, secret) })
	if ctx.Err() != nil {
		return "", nil, context.Cause(ctx)
	}
	if why == nil {
		_, err := k.remove(name) // or it would be found first
		return placeSystem, nil, err
	}
	if err := k.write(name, secret); err != nil {
		return "", nil, &mail.Error{Op: "keep the secret", Scope: mail.ScopeAccount, Err: err}
	}
	return placeFile + k.file(name), why, nil
}

// Forget removes what is kept under a name, wherever it is, and reports whether there was anything.
func (k Keyring) Forget(ctx context.Context, name string) (bool, error) {
	removed, err := k.remove(name)
	if err != nil {
		return false, err
	}
	why := k.ask(ctx, func(system keyring.Keyring) error { return system.Delete(service, name) })
	switch {
	case why == nil:
		return true, nil
	case errors.Is(why, keyring.ErrNotFound), why == errNoSystem:
		return removed, nil
	}
	return removed, &mail.Error{Op: "forget the secret", Scope: mail.ScopeAccount, Err: fmt.Errorf("%s %w", placeSystem, why)}
}

var errNoSystem = errors.New("is not there")

// ask asks the system's keyring, for which nobody waits for good.
func (k Keyring) ask(ctx context.Context, do func(keyring.Keyring) error) error {
	system := k.system
	if system == nil {
		if k.FileOnly || !haveSystem() {
			return errNoSystem
		}
		system = theSystem{}
	}
	done := make(chan error, 1)
	go func() { done <- do(system) }() // nothing can end it but its own end, or the program's
	limit := time.NewTimer(keyringTimeout)
	defer limit.Stop()
	select {
	case err := <-done:
		if errors.Is(err, keyring.ErrUnsupportedPlatform) {
			return errNoSystem
		}
		return said(err)
	case <-limit.C:
		return fmt.Errorf("did not answer within %s: it may be locked", keyringTimeout)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// said makes words of what the keyring says; they are to stand behind its name.
func said(err error) error {
	switch {
	case err == nil, errors.Is(err, keyring.ErrNotFound):
		return err
	case errors.Is(err, keyring.ErrSetDataTooBig):
		return errors.New("has no room for so long a secret")
	}
	return fmt.Errorf("says: %s", mail.Printable(err.Error()))
}

// haveSystem reports whether there may be a keyring to ask. Without a bus of the session, the library would start one.
func haveSystem() bool {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" || os.Getenv("DBUS_SESSION_BUS_ADDRESS") != "" {
		return true
	}
	_, err := os.Stat("/run/user/" + strconv.Itoa(os.Getuid()) + "/bus")
	return err == nil
}

// theSystem is the keyring of the system.
type theSystem struct{}

func (theSystem) Set(service, user, secret string) error   { return keyring.Set(service, user, secret) }
func (theSystem) Get(service, user string) (string, error) { return keyring.Get(service, user) }
func (theSystem) Delete(service, user string) error        { return keyring.Delete(service, user) }
func (theSystem) DeleteAll(service string) error           { return keyring.DeleteAll(service) }
