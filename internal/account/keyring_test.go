package account

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zalando/go-keyring"
)

// ring is a keyring of the system in memory.
type ring struct {
	mu     sync.Mutex
	kept   map[string]string
	failed error
	locked chan struct{} // not nil: it waits until somebody unlocks it
}

func (r *ring) do(work func() error) error {
	if r.locked != nil {
		<-r.locked
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed != nil {
		return r.failed
	}
	return work()
}

func (r *ring) Set(service, user, secret string) error {
	return r.do(func() error { r.kept[service+" "+user] = secret; return nil })
}

func (r *ring) Get(service, user string) (secret string, err error) {
	err = r.do(func() error {
		var ok bool
		if secret, ok = r.kept[service+" "+user]; !ok {
			return keyring.ErrNotFound
		}
		return nil
	})
	return secret, err
}

func (r *ring) Delete(service, user string) error {
	return r.do(func() error {
		if _, ok := r.kept[service+" "+user]; !ok {
			return keyring.ErrNotFound
		}
		delete(r.kept, service+" "+user)
		return nil
	})
}

func (r *ring) DeleteAll(string) error { return errors.New("everything of everybody?") }

const kept = "imap://me@example.org@imap.example.org"

func TestKeyring(t *testing.T) {
	r := &ring{kept: map[string]string{}}
	k := Keyring{Dir: filepath.Join(t.TempDir(), "state", "secrets"), system: r}
	if _, err := k.Get(t.Context(), kept); err != ErrNotKept {
		t.Errorf("Get of nothing = %v", err)
	}
	place, why, err := k.Keep(t.Context(), kept, secret)
	if err != nil || why != nil || place != "the system's keyring" || r.kept["mailhaul "+kept] != secret {
		t.Errorf("Keep = %q, %v, %v; it holds %q", place, why, err, r.kept)
	}
	if got, err := k.Get(t.Context(), kept); got != secret || err != nil {
		t.Errorf("Get = %q, %v", got, err)
	}
	if files, err := os.ReadDir(k.Dir); len(files) > 0 {
		t.Errorf("there are files as well: %v, %v", files, err)
	}
	if had, err := k.Forget(t.Context(), kept); !had || err != nil || len(r.kept) > 0 {
		t.Errorf("Forget = %v, %v", had, err)
	}
	if had, err := k.Forget(t.Context(), kept); had || err != nil {
		t.Errorf("Forget of nothing = %v, %v", had, err)
	}
}

// TestKeyringInFile guards that a keyring that cannot be had is no loss: the file holds it, closed to others, and what is
// kept last counts.
func TestKeyringInFile(t *testing.T) {
	r := &ring{kept: map[string]string{}, failed: errors.New("Cannot autolaunch D-Bus\nwithout X11")}
	k := Keyring{Dir: filepath.Join(t.TempDir(), "state", "secrets"), system: r}
	place, why, err := k.Keep(t.Context(), kept, "old")
	if err != nil || why == nil || why.Error() != `says: Cannot autolaunch D-Bus\x0awithout X11` || place != "the file "+k.file(kept) {
		t.Errorf("Keep = %q, %v, %v", place, why, err)
	}
	if _, _, err := k.Keep(t.Context(), kept, secret); err != nil {
		t.Error(err)
	}
	if got, err := k.Get(t.Context(), kept); got != secret || err != nil {
		t.Errorf("Get = %q, %v", got, err)
	}
	if files, err := os.ReadDir(k.Dir); len(files) != 1 {
		t.Errorf("left behind: %v, %v", files, err)
	}
	for name, want := range map[string]os.FileMode{k.Dir: 0o700, k.file(kept): 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want && runtime.GOOS != "windows" {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	r.failed = nil // somebody has come and unlocked it
	if _, _, err := k.Keep(t.Context(), kept, "new"); err != nil {
		t.Error(err)
	}
	if got, err := k.Get(t.Context(), kept); got != "new" || err != nil {
		t.Errorf("Get = %q, %v; the old file counts still", got, err)
	}
}

// TestKeyringFileOpen guards that a secret that others could have read or written is not used.
func TestKeyringFileOpen(t *testing.T) {
	k := Keyring{Dir: t.TempDir(), FileOnly: true}
	if _, _, err := k.Keep(t.Context(), kept, secret); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(k.file(kept), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := k.Get(t.Context(), kept); runtime.GOOS != "windows" && (got != "" || err == nil || !strings.Contains(err.Error(), "is open to others")) {
		t.Errorf("Get = %q, %v", got, err)
	}
}

// TestKeyringNowhere guards the words where nothing can be kept.
func TestKeyringNowhere(t *testing.T) {
	k := Keyring{FileOnly: true}
	if _, err := k.Get(t.Context(), kept); err != ErrNotKept {
		t.Errorf("Get = %v", err)
	}
	if _, _, err := k.Keep(t.Context(), kept, secret); err == nil || !strings.Contains(err.Error(), "no home directory") {
		t.Errorf("Keep = %v", err)
	}
	if had, err := k.Forget(t.Context(), kept); had || err != nil {
		t.Errorf("Forget = %v, %v", had, err)
	}
}

// TestKeyringLocked guards that nobody waits for good for a keyring that nobody unlocks.
func TestKeyringLocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &ring{kept: map[string]string{}, locked: make(chan struct{})}
		defer close(r.locked)
		k := Keyring{Dir: t.TempDir(), system: r}
		began := time.Now()
		_, err := k.Get(t.Context(), kept)
		if !errors.Is(err, ErrNotKept) || !strings.Contains(err.Error(), "the system's keyring did not answer within 1m0s") || time.Since(began) != keyringTimeout {
			t.Errorf("Get = %v after %v", err, time.Since(began))
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		interrupted := errors.New("interrupted")
		time.AfterFunc(time.Second, func() { cancel(interrupted) })
		if _, err := k.Get(ctx, kept); err != interrupted {
			t.Errorf("Get = %v when it was interrupted", err)
		}
		if _, _, err := k.Keep(ctx, kept, secret); err != interrupted {
			t.Errorf("Keep = %v when it was interrupted", err)
		}
		if _, why, err := k.Keep(t.Context(), kept, secret); why == nil || err != nil {
			t.Errorf("Keep = %v, %v", why, err)
		}
	})
}

// TestKeyringTooSmall guards that a secret for which the system's keyring is too small goes to the file.
func TestKeyringTooSmall(t *testing.T) {
	r := &ring{kept: map[string]string{}, failed: keyring.ErrSetDataTooBig}
	k := Keyring{Dir: t.TempDir(), system: r}
	if place, why, err := k.Keep(t.Context(), kept, secret); err != nil || why == nil || !strings.Contains(why.Error(), "no room") {
		t.Errorf("Keep = %q, %v, %v", place, why, err)
	}
}

// TestKeyringKilled guards that a crash while a secret is written leaves the old one.
func TestKeyringKilled(t *testing.T) {
	k := Keyring{Dir: t.TempDir(), FileOnly: true}
	if _, _, err := k.Keep(t.Context(), kept, secret); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(k.Dir, "123.new.secret"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := k.Get(t.Context(), kept); got != secret || err != nil {
		t.Errorf("Get = %q, %v", got, err)
	}
}
