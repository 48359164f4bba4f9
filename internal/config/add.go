package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"
)

// Add puts more text at the end of the file, which is made, for its owner only, if it is not there. What stands there
// stays as it is. The file is replaced at once: whoever looks, or whatever breaks, it is the old one or the new one.
// What would not be a configuration any more is not written.
func Add(name, more string) error {
	name, err := filepath.Abs(name)
	if err != nil {
		return err
	}
	if real, err := filepath.EvalSymlinks(name); err == nil { // the file is to be replaced, not the link
		name = real
	}
	text, mode, err := before(name)
	if err != nil {
		return err
	}
	home, _ := os.UserHomeDir()
	text = append(text, more...)
	if _, err := Read(name, text, home); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return fmt.Errorf("the configuration cannot be written: %w", err)
	}
	if err := replace(name, text, mode); err != nil {
		return fmt.Errorf("the configuration cannot be written: %w", err)
	}
	return nil
}

// before returns what the file holds, up to the end of a line and an empty one.
func before(name string) ([]byte, fs.FileMode, error) {
	if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
		return nil, 0o600, nil
	}
	text, info, err := readAll(name)
	if err != nil {
		return nil, 0, err
	}
	if text = bytes.TrimRight(text, "\n"); len(text) > 0 {
		text = append(text, "\n\n"...)
	}
	return text, info.Mode().Perm(), trusted(info, name)
}

func replace(name string, text []byte, mode fs.FileMode) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), ".config-*.toml")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(text)
	err = errors.Join(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}

// Quote writes a string as TOML has it.
func Quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case unicode.IsControl(r):
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// Key writes a name as TOML has it before a = or in a header.
func Key(name string) string {
	bare := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
	}
	if name != "" && strings.IndexFunc(name, func(r rune) bool { return !bare(r) }) < 0 {
		return name
	}
	return Quote(name)
}
