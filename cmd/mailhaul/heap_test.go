package main

import (
	"bytes"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// What the program needs it gets: the limit rises with what is live, and falls when that is gone.
func TestKeepSmall(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	keepSmall()
	await := func(what string, reached func(limit int64) bool) {
		for range 100 {
			runtime.GC()
			if reached(debug.SetMemoryLimit(-1)) {
				return
			}
			time.Sleep(10 * time.Millisecond) // the finalizer has a goroutine of its own
		}
		t.Errorf("%s: the limit is %d", what, debug.SetMemoryLimit(-1))
	}
	big := bytes.Repeat([]byte("x"), 2*smallHeap)
	await("much is live", func(limit int64) bool { return limit >= 3*smallHeap })
	runtime.KeepAlive(big)
	big = nil
	await("it is gone", func(limit int64) bool { return limit < 3*smallHeap })
}
