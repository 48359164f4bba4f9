package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
)

// TestKillVerify kills verify --deep with SIGKILL whenever it asks for more messages for the third time, until it is
// done: what was read and written down is not read again, and what is wrong is found, by whichever run it was read.
func TestKillVerify(t *testing.T) {
	bin := program(t)
	r := newRig(t, killMail())
	if status, err := newProcess(bin, r.migrate()...).finish(); status != exitDone || err != nil {
		t.Fatal(status, err)
	}
	tampered := r.to.Messages(mail.Inbox)[5]
	octets := bytes.Clone(tampered.Octets)
	octets[len(octets)-3] ^= 1
	r.to.Expunge(mail.Inbox, tampered.UID)
	r.to.Deliver(mail.Inbox, postoffice.Message{Octets: octets})

	kills := 0
	for {
		p := newProcess(bin, "verify", r.archive, "--against", r.dest, "--deep", "--json")
		var asked atomic.Int32
		r.dst.SetTrouble(postoffice.Trouble{OnCommand: func(_ int, command string) {
			if strings.Contains(command, "BODY.PEEK[]") && asked.Add(1) == 3 {
				p.kill()
			}
		}})
		status, err := p.finish()
		if err != nil || kills > 100 {
			t.Fatalf("after %d kills: %v", kills, err)
		}
		if p.killed() {
			kills++
			continue
		}
		lines := bytes.Split(bytes.TrimSpace(p.out.Bytes()), []byte("\n"))
		var rep report
		if err := json.Unmarshal(lines[len(lines)-1], &rep); err != nil {
			t.Fatal(err)
		}
		got := rep.Against
		t.Logf("killed %d times, then: %+v", kills, *got)
		if status != exitDiffers || kills == 0 || got.Present != killMessages-1 || got.Altered != 1 || got.Read != killMessages || len(rep.Findings) != 1 {
			t.Errorf("exit %d after %d kills: %+v, %+v", status, kills, *got, rep.Findings)
		}
		return
	}
}
