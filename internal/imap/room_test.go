package imap

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
)

func TestNamespace(t *testing.T) {
	for _, tc := range []struct {
		why, caps, says string
		want            mail.Namespace
	}{
		{"Courier", "NAMESPACE", `* NAMESPACE (("INBOX." ".")) NIL (("#shared." ".")("shared." "."))`, mail.Namespace{Prefix: "INBOX.", Delim: '.'}},
		{"Gmail", "NAMESPACE", `* NAMESPACE (("" "/")) NIL NIL`, mail.Namespace{Delim: '/'}},
		{"Domino", "NAMESPACE", `* NAMESPACE (("" "\\")) (("Other\\" "\\")) (("Shared\\" "\\"))`, mail.Namespace{Delim: '\\'}},
		{"raw UTF-8, and an extension", "NAMESPACE", `* NAMESPACE (("Büro/" "/" "X-PARAM" ("a" "b"))) NIL NIL`, mail.Namespace{Prefix: "Büro/", Delim: '/'}},
		{"no levels", "NAMESPACE", `* NAMESPACE (("" NIL)) NIL NIL`, mail.Namespace{}},
		{"none of the owner's", "NAMESPACE", `* NAMESPACE NIL NIL (("a" "/"))`, mail.Namespace{}},
		{"nonsense", "NAMESPACE", `* NAMESPACE (("a") "/") (`, mail.Namespace{}},
		{"a prefix that cannot be said", "NAMESPACE", "* NAMESPACE ((\"a\x00\" \"/\")) NIL NIL", mail.Namespace{}},
		{"not asked", "IDLE", `* NAMESPACE (("INBOX." ".")) NIL NIL`, mail.Namespace{}},
	} {
		s := &script{caps: "IMAP4rev1 " + tc.caps, answer: on("NAMESPACE", saying(tc.says, "TAG OK done"))}
		if got, err := s.client(t).Namespace(t.Context()); got != tc.want || err != nil {
			t.Errorf("%s: Namespace = %+v, %v, want %+v", tc.why, got, err, tc.want)
		}
	}
	s := &script{caps: "IMAP4rev1 NAMESPACE", answer: on("NAMESPACE", saying("TAG NO not now"))}
	if got, err := s.client(t).Namespace(t.Context()); got != (mail.Namespace{}) || err != nil {
		t.Errorf("refused: Namespace = %+v, %v", got, err)
	}
}

func TestRoom(t *testing.T) {
	for _, tc := range []struct {
		why, caps, quota string
		want             string
	}{
		{"says nothing", "IDLE", "", "{-1 -1 -1 map[]}"},
		{"a quota of octets and messages", "QUOTA", `* QUOTA "" (STORAGE 10 512 MESSAGE 1 9)`, "{8 514048 -1 map[]}"},
		{"over it already", "QUOTA", `* QUOTA "" (STORAGE 600 512)`, "{-1 0 -1 map[]}"},
		{"one limit for all", "APPENDLIMIT=35651584", "", "{-1 -1 35651584 map[]}"},
		{"one of the mailbox's own", "APPENDLIMIT", "", "{-1 -1 -1 map[INBOX:99]}"},
	} {
		s := &script{caps: "IMAP4rev1 " + tc.caps, answer: func(s *talk, cmd string) bool {
			return on("GETQUOTAROOT", saying(`* QUOTAROOT INBOX ""`, tc.quota, "TAG OK done"))(s, cmd) ||
				on("STATUS", saying("* STATUS INBOX (MESSAGES 1 APPENDLIMIT 99)", "TAG OK done"))(s, cmd)
		}}
		room, err := s.client(t).Room(t.Context())
		if got := fmt.Sprint(room); got != tc.want || err != nil {
			t.Errorf("%s: Room = %s, %v, want %s", tc.why, got, err, tc.want)
		}
		for _, cmd := range s.log() {
			for _, verb := range []string{"SELECT", "EXAMINE", "APPEND", "CREATE"} {
				if strings.HasPrefix(cmd, verb) {
					t.Errorf("%s: Room says %s", tc.why, cmd)
				}
			}
		}
	}
}
