package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/spf13/cobra"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/testdata"
)

const demoHelp = `Demo shows the main job without an account: it starts a POP3 and an IMAP server
on this machine, fills the first with real and awkward mail, and migrates it to
the second over TLS, by the same commands you would type. Half way it interrupts
itself, runs again, and then compares both ends octet by octet. Nothing leaves
the machine; the archive stays for you to look into.
`

func newDemoCommand(t *terminal, i *interrupt) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "show the main job on servers of its own, without an account",
		Long:  demoHelp,
		Args:  exactArgs(),
		RunE:  func(cmd *cobra.Command, _ []string) error { return runDemo(cmd.Context(), t, i) },
	}
}

const (
	demoUser     = "me@old.example"
	demoPassword = "correct horse battery staple"
	// demoSpeed makes the source slow enough to be interrupted half way, in octets per second.
	demoSpeed = 120_000
)

// A demo is two servers and the archive between them.
type demo struct {
	t        *terminal
	dir      string
	from, to *postoffice.Account
	pop3     *postoffice.Server
	imap     *postoffice.Server
	args     []string
}

func runDemo(ctx context.Context, t *terminal, i *interrupt) error {
	dir, err := os.MkdirTemp("", "mailhaul-demo-")
	if err != nil {
		return err
	}
	d := &demo{t: t, dir: dir}
	if err := d.open(); err != nil {
		return err
	}
	defer d.close()
	fmt.Fprintf(t.out, "a POP3 mailbox of %d messages, %s, is to move to an IMAP account\n", len(d.from.Messages(mail.Inbox)), size(d.octets()))
	fmt.Fprintf(t.out, "folders: INBOX → INBOX\n\n")
	if err := d.interrupted(ctx); err != nil {
		return err
	}
	if i.asked() {
		return errInterrupted
	}
	if err := d.resumed(ctx); err != nil {
		return err
	}
	if err := d.prove(); err != nil {
		return err
	}
	fmt.Fprintf(t.out, "archive: %s\n", d.archive())
	return nil
}

func (d *demo) archive() string { return filepath.Join(d.dir, "mail") }

func (d *demo) octets() (sum int64) {
	for _, m := range d.from.Messages(mail.Inbox) {
		sum += int64(len(m.Octets))
	}
	return sum
}

// open fills the source and starts both servers.
func (d *demo) open() error {
	office := postoffice.New()
	d.from = office.Account(demoUser, demoPassword)
	for _, m := range testdata.Messages() {
		d.from.Deliver(mail.Inbox, postoffice.Message{Octets: m.Octets})
	}
	there := postoffice.New()
	d.to = there.Account(demoUser, demoPassword)
	d.pop3 = office.POP3(postoffice.Trouble{Trickle: postoffice.Trickle{ToClient: demoSpeed}})
	d.imap = there.IMAP(postoffice.Trouble{})
	ca := postoffice.NewCA()
	caFile := filepath.Join(d.dir, "ca.pem")
	if err := os.WriteFile(caFile, ca.PEM(), 0o600); err != nil {
		return err
	}
	config := ca.Server("localhost", "127.0.0.1")
	pop3Addr, err := d.pop3.Listen(config)
	if err != nil {
		return err
	}
	imapAddr, err := d.imap.Listen(config)
	if err != nil {
		return err
	}
	d.args = []string{"migrate", demoURL("pop3s", pop3Addr, caFile), demoURL("imaps", imapAddr, caFile), "--archive", d.archive()}
	return nil
}

func demoURL(scheme, addr, ca string) string {
	return scheme + "://" + demoUser + "@" + addr + "?ca=" + ca
}

func (d *demo) close() {
	d.pop3.Close()
	d.imap.Close()
}

// interrupted runs the migration and interrupts it when a quarter of the mail is being brought: by then about half of it
// has been fetched.
func (d *demo) interrupted(ctx context.Context) error {
	quarter := len(d.from.Messages(mail.Inbox)) / 4
	reached := make(chan struct{})
	var once sync.Once
	d.imap.SetTrouble(postoffice.Trouble{OnCommand: func(int, string) {
		if d.imap.Count("APPEND") >= quarter {
			once.Do(func() { close(reached) })
		}
	}})
	cmd := d.command(ctx)
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		return fmt.Errorf("the migration ended before it was interrupted: %w", err)
	case <-reached:
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil { // Windows has no such signal
		cmd.Process.Kill()
	}
	<-ended
	fmt.Fprintf(d.t.out, "\ninterrupted: %d of %d messages are at the destination, the same command goes on\n\n",
		len(d.to.Messages(mail.Inbox)), len(d.from.Messages(mail.Inbox)))
	return nil
}

// resumed runs the same command again, to the end.
func (d *demo) resumed(ctx context.Context) error {
	before := len(d.to.Messages(mail.Inbox))
	err := d.command(ctx).Run()
	var exit *exec.ExitError
	// One message of the mail is of zero octets; a server may refuse that.
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == exitIncomplete) {
		return fmt.Errorf("the migration failed: %w", err)
	}
	fmt.Fprintf(d.t.out, "\nresumed: the other %d messages are at the destination too\n", len(d.to.Messages(mail.Inbox))-before)
	return nil
}

func (d *demo) command(ctx context.Context) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	cmd := exec.CommandContext(ctx, self, d.args...)
	cmd.Env = append(os.Environ(), "MAILHAUL_PASSWORD="+demoPassword)
	cmd.Stdout, cmd.Stderr = d.t.out, d.t.err
	fmt.Fprintf(d.t.out, "$ mailhaul")
	for _, arg := range d.args {
		fmt.Fprintf(d.t.out, " %s", arg)
	}
	fmt.Fprintln(d.t.out)
	return cmd
}

// prove compares what both ends hold, without mailhaul in between: every digest as often there as here.
func (d *demo) prove() error {
	count := map[mail.Digest]int{}
	sent, shown := d.from.Messages(mail.Inbox), d.to.Messages(mail.Inbox)
	for _, m := range sent {
		count[match(m.Octets)]++
	}
	doubled := 0
	for _, m := range shown {
		if count[match(m.Octets)]--; count[match(m.Octets)] < 0 {
			doubled++
		}
	}
	lost := 0
	for _, n := range count {
		lost += max(n, 0)
	}
	fmt.Fprintf(d.t.out, "proof: %d messages at the source, %d at the destination: %d lost, %d doubled or altered\n",
		len(sent), len(shown), lost, doubled)
	if lost+doubled > 0 {
		return errors.New("the demo lost or doubled mail: please report it")
	}
	return nil
}

// match levels what POP3 itself changes: line ends, and the last one.
func match(octets []byte) mail.Digest {
	s := mail.NewSummer()
	s.Write(octets)
	return s.Sum().Match
}
