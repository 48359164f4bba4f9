//go:build !unix

package account

import (
	"io/fs"
	"os"
)

// private has no opinion where permissions are not in the mode of the file.
func private(fs.FileInfo, string) error { return nil }

func notPublic(fs.FileInfo, string) error { return nil }

func openAtOnce(name string) (*os.File, error) { return os.Open(name) }

func syncDir(string) error { return nil }
