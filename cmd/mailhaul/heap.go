package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// smallHeap is what the program keeps to as long as it can, in octets: a mailbox of 100,000 messages fits in it. Below it
// garbage is collected as ever, near it more often.
const smallHeap = 64 << 20

// keepSmall has the program collect garbage rather than grow, after each collection anew: what needs more than smallHeap
// gets half as much again, or it would do nothing else any more.
func keepSmall() {
	debug.SetMemoryLimit(memoryLimit())
	collection := &struct{ alone [64]byte }{} // of a size that is not put together with others
	runtime.AddCleanup(collection, func(int) { keepSmall() }, 0)
}

func memoryLimit() int64 {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	if live[0].Value.Kind() != metrics.KindUint64 {
		return smallHeap
	}
	return max(smallHeap, int64(live[0].Value.Uint64()/2*3))
}
