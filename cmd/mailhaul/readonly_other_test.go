//go:build !linux

package main

// makeReadOnly lets nobody write into dir.
func makeReadOnly(dir string) (undo func(), err error) { return closeTree(dir) }
