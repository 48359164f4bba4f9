package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// maxFile is more than anybody writes.
const maxFile = 1 << 20

// ErrNone is that there is no configuration.
var ErrNone = errors.New("there is no configuration")

// Path returns where the configuration is if nobody says otherwise.
func Path() (string, error) {
	dir := os.Getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(dir) || runtime.GOOS == "windows" { // a relative one is to be ignored, says the XDG Base Directory Specification
		var err error
		if dir, err = os.UserConfigDir(); err != nil {
			return "", usage("name the file with --config FILE", fmt.Errorf("nobody says where the configuration is: %w", err))
		}
	}
	return filepath.Join(dir, "mailhaul", "config.toml"), nil
}

// Open reads the configuration in a file. It must not be writable by others, who could have any command run, and if it
// holds a secret it must be closed to them. Without the file the error is ErrNone.
func Open(name string) (*File, error) {
	name, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	text, info, err := readAll(name)
	if err != nil {
		return nil, err
	}
	if err := trusted(info, name); err != nil {
		return nil, err
	}
	home, _ := os.UserHomeDir()
	f, err := Read(name, text, home)
	if err != nil {
		return nil, err
	}
	for _, a := range f.Accounts {
		if a.OAuth != nil && a.OAuth.ClientSecret != "" && !private(info) {
			return nil, f.Wrong(a.OAuth.Line, "chmod 600 "+name, errors.New("there is a client_secret, and the file is open to others"))
		}
	}
	return f, nil
}

func readAll(name string) ([]byte, fs.FileInfo, error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, usage("mailhaul init makes one", fmt.Errorf("%w: %s", ErrNone, name))
	}
	if err == nil && !info.Mode().IsRegular() { // opening a FIFO would wait for a writer
		return nil, nil, usage("", fmt.Errorf("the configuration %s is no regular file", name))
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, usage("", fmt.Errorf("the configuration cannot be read: %w", err))
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, nil, fmt.Errorf("the configuration cannot be read: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, nil, fmt.Errorf("the configuration cannot be read: %w", err)
	}
	if len(text) > maxFile {
		return nil, nil, usage("", fmt.Errorf("the configuration %s is larger than %d octets", name, maxFile))
	}
	return text, info, nil
}

func usage(hint string, err error) error {
	return &mail.Error{Scope: mail.ScopeAccount, Cause: mail.CauseUsage, Hint: hint, Err: err}
}
