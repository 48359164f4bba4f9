package mail

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Modified UTF-7 (RFC 3501 §5.1.3) is what IMAP has in its mailbox names, and Maildir++ in its directory names.
var base64utf7 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding)

var errUTF7 = errors.New("not modified UTF-7")

// EncodeUTF7 returns s, which is UTF-8, in modified UTF-7.
func EncodeUTF7(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		plain := strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
		if plain < 0 {
			plain = len(s)
		}
		b.WriteString(strings.ReplaceAll(s[:plain], "&", "&-"))
		s = s[plain:]
		end := strings.IndexFunc(s, func(r rune) bool { return r < utf8.RuneSelf })
		if end < 0 {
			end = len(s)
		}
		if end > 0 {
			b.WriteString("&" + encodeRun(s[:end]) + "-")
		}
		s = s[end:]
	}
	return b.String()
}

func encodeRun(s string) string {
	var be []byte
	for _, u := range utf16.Encode([]rune(s)) {
		be = append(be, byte(u>>8), byte(u))
	}
	return base64utf7.EncodeToString(be)
}

// DecodeUTF7 returns the UTF-8 of s, which holds ASCII only. What no sound encoder has written is an error.
func DecodeUTF7(s string) (string, error) {
	var b strings.Builder
	for {
		plain, rest, found := strings.Cut(s, "&")
		b.WriteString(plain)
		if !found {
			return b.String(), nil
		}
		run, after, ended := strings.Cut(rest, "-")
		if !ended {
			return "", errUTF7
		}
		if s = after; run == "" {
			b.WriteByte('&')
			continue
		}
		text, err := decodeRun(run)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
}

func decodeRun(run string) (string, error) {
	be, err := base64utf7.Strict().DecodeString(run)
	if err != nil || len(be)%2 != 0 {
		return "", errUTF7
	}
	units := make([]uint16, len(be)/2)
	for i := range units {
		units[i] = uint16(be[2*i])<<8 | uint16(be[2*i+1])
	}
	text := string(utf16.Decode(units))
	if encodeRun(text) != run || strings.ContainsRune(text, utf8.RuneError) {
		return "", errUTF7
	}
	return text, nil
}

// NameText returns a mailbox name as people read it. On the wire it should be modified UTF-7; what cannot be that is
// UTF-8 (RFC 6855), else Latin-1, which old programs have written. It is not for terminals: see Printable.
func NameText(name string) string {
	ascii := !strings.ContainsFunc(name, func(r rune) bool { return r >= utf8.RuneSelf })
	switch {
	case ascii:
		if text, err := DecodeUTF7(name); err == nil {
			return text
		}
		return name
	case utf8.ValidString(name):
		return name
	}
	latin := make([]rune, len(name))
	for i := range len(name) {
		latin[i] = rune(name[i])
	}
	return string(latin)
}
