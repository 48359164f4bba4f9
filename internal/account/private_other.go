//go:build !unix

package account

import "io/fs"

// private has no opinion where permissions are not in the mode of the file.
func private(fs.FileInfo, string) error { return nil }
