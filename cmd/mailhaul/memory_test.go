package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
)

// maxMemory is what the program may hold at its peak, whatever it carries.
const maxMemory = 100_000 // kB, VmHWM

// TestMemory guards that a message of 100 MiB goes through a program that is smaller.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("moves 100 MiB twice")
	}
	line := []byte("0123456789 abcdefghijklmnopqrstuvwxyz 0123456789 abcdefghijklmnopqrstuvwxyz\r\n")
	big := append([]byte("Message-ID: <big@trial.example>\r\n\r\n"), bytes.Repeat(line, 100<<20/len(line)+1)...)
	r := newRig(t, [][]byte{big})
	peak := r.peakOf(t, newProcess(program(t), r.migrate()...))
	if v, err := r.judge(); err != nil || v != (trial.Verdict{}) {
		t.Errorf("%v, %v", v, err)
	}
	t.Logf("%d octets in one message: VmHWM %d kB", len(big), peak)
	if peak > maxMemory {
		t.Errorf("VmHWM %d kB, want %d at most", peak, maxMemory)
	}
}

// peakOf runs p to its end and returns the most memory it has held, in kB. It asks when the program says farewell:
// the peak that the system reports of the dead includes what this process held when it made it.
func (r *rig) peakOf(t *testing.T, p *process) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	var peak atomic.Int64
	r.dst.SetTrouble(postoffice.Trouble{OnCommand: func(_ int, command string) {
		if command != "LOGOUT" {
			return
		}
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
		var kB int64
		if _, after, ok := bytes.Cut(status, []byte("VmHWM:")); ok {
			fmt.Sscan(string(after), &kB)
		}
		peak.Store(kB)
	}})
	if status, err := p.finish(); err != nil || status != exitDone {
		t.Fatalf("it ended with %d, %v:\n%s%s", status, err, &p.out, &p.err)
	}
	if peak.Load() == 0 {
		t.Fatal("it did not say farewell")
	}
	return int(peak.Load())
}
