//go:build unix

package archive

import (
	"syscall"
	"time"
)

func umask(mask int) int { return syscall.Umask(mask) }

// cpu returns how much of the processor this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
