package main

import (
	"context"
	"errors"
	"slices"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/find"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/retry"
)

// The exit statuses; they are documented and do not change.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitIncomplete  = 3
	exitLogin       = 4
	exitTemporary   = 5
	exitQuota       = 6
	exitDiffers     = 7
	exitPartial     = 8
	exitDisk        = 9
	exitNoArchive   = 10
	exitInUse       = 11
	exitInterrupted = 130
)

// weight is the order in which of several statuses the first counts.
var weight = []int{exitInterrupted, exitInUse, exitNoArchive, exitUsage, exitFailed, exitDisk, exitLogin, exitQuota,
	exitTemporary, exitPartial, exitDiffers, exitIncomplete, exitDone}

func worst(statuses ...int) int {
	for _, w := range weight {
		if slices.Contains(statuses, w) {
			return w
		}
	}
	return exitDone
}

// reported is the end of a job whose report has been printed: the status comes from what the report says and from
// the error, if there was one.
type reported struct {
	status int
	error
}

func (r reported) Unwrap() error { return r.error }

func (r reported) Error() string {
	if r.error == nil {
		return "some messages could not be carried"
	}
	return r.error.Error()
}

func exitStatus(err error) int {
	if err == nil {
		return exitDone
	}
	var r reported
	if errors.As(err, &r) {
		return r.status
	}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		var all []int
		for _, e := range joined.Unwrap() {
			all = append(all, exitStatus(e))
		}
		return worst(all...)
	}
	return statusOf(err)
}

func statusOf(err error) int {
	var (
		inUse *archive.InUseError
		disk  *archive.DiskError
		usage usageError
		query *find.QueryError
		hurt  *archive.DamagedError
		me    *mail.Error
	)
	switch {
	case errors.Is(err, retry.ErrStopped), errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &usage), errors.As(err, &query), errors.Is(err, archive.ErrOtherAccount), errors.Is(err, archive.ErrNotEmpty):
		return exitUsage
	case errors.Is(err, archive.ErrNone):
		return exitNoArchive
	case errors.As(err, &inUse):
		return exitInUse
	case errors.As(err, &disk):
		return exitDisk
	case errors.As(err, &hurt):
		return exitDiffers
	case errors.As(err, &me):
		return causeStatus[me.Cause]
	}
	return exitFailed
}

var causeStatus = map[mail.Cause]int{
	mail.CauseOther:       exitFailed,
	mail.CauseLogin:       exitLogin,
	mail.CauseNetwork:     exitTemporary,
	mail.CauseCertificate: exitFailed,
	mail.CauseQuota:       exitQuota,
	mail.CauseRefused:     exitIncomplete,
	mail.CauseVanished:    exitIncomplete,
	mail.CauseProtocol:    exitFailed,
	mail.CauseUsage:       exitUsage,
}

// hintFor returns what can be done about an error, or "".
func hintFor(err error) string {
	var (
		usage usageError
		query *find.QueryError
		hurt  *archive.DamagedError
		me    *mail.Error
		disk  *archive.DiskError
		inUse *archive.InUseError
	)
	switch {
	case errors.As(err, &usage):
		return usage.hint
	case errors.As(err, &query):
		return query.Remedy
	case errors.As(err, &hurt):
		return "mailhaul verify ARCHIVE --repair --source ACCOUNT fetches it again, if the account still has it"
	case errors.As(err, &me) && me.Hint != "":
		return me.Hint
	case errors.As(err, &disk):
		return disk.Hint
	case errors.As(err, &inUse):
		return "wait until the other run has ended, or use an archive of its own for this account"
	case errors.Is(err, archive.ErrNone):
		return "mailhaul backup makes an archive; check the path"
	case errors.Is(err, archive.ErrOtherAccount):
		return "give every account a directory of its own; if this account has moved to another host, add --same-account"
	case errors.Is(err, archive.ErrNotEmpty):
		return "name a directory that is empty or not there yet"
	case errors.As(err, &me) && me.Cause == mail.CauseNetwork:
		return "run the same command again; it goes on where it stopped"
	}
	return ""
}
