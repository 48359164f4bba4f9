package account

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// file returns the file of a secret. Its name says nothing of whose it is, and is never too long.
func (k Keyring) file(name string) string {
	sum := sha256.Sum256([]byte(name))
	return filepath.Join(k.Dir, hex.EncodeToString(sum[:16])+".secret")
}

func (k Keyring) read(name string) (string, error) {
	file := k.file(name)
	if _, err := os.Lstat(file); k.Dir == "" || errors.Is(err, fs.ErrNotExist) {
		return "", ErrNotKept
	}
	return readSecret(file, private)
}

// write writes the secret to its file, which is closed to others from its first octet on, and whole or not there
// whenever one looks. The second line tells the owner of the file what it is for.
func (k Keyring) write(name, secret string) (err error) {
	switch {
	case k.Dir == "":
		return errors.New("there is no home directory for it")
	case strings.ContainsAny(secret, "\r\n"):
		return errors.New("it has more than one line")
	}
	if err := os.MkdirAll(k.Dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(k.Dir, "*.new.secret") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.WriteString(secret + "\n" + name + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), k.file(name)); err != nil {
		return err
	}
	return syncDir(k.Dir)
}

// remove reports whether there was a file.
func (k Keyring) remove(name string) (bool, error) {
	if k.Dir == "" {
		return false, nil
	}
	err := os.Remove(k.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
