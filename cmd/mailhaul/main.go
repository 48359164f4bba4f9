// Command mailhaul carries mail from POP3 and IMAP accounts into a local archive, and from the archive into an
// IMAP account. It can be stopped at any moment and run again: nothing is lost, nothing is doubled, nothing
// already done is done again.
package main

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program; it returns the exit status.
func run(args []string, stdin *os.File, stdout, stderr io.Writer) int {
	t := &terminal{in: stdin, out: stdout, err: stderr}
	ctx, interrupt := t.interrupts(context.Background())
	defer interrupt.end()
	root := newRootCommand(t, interrupt)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	return t.farewell(err)
}

const rootHelp = `mailhaul carries mail from POP3 and IMAP accounts into a local archive, a plain
Maildir with a ledger beside it, and from the archive into an IMAP account.
Stop it at any moment and run it again: nothing is lost, nothing is doubled.

An account is a URL:
  pop3s://user@host[:995]   imaps://user@host[:993]
with, after a "?", ca=FILE to trust a certificate authority of your own, or
tls=none for a server on this very machine.

Passwords are never given on the command line. They are taken from
  --source-password-file, --source-password-command (and --destination-...),
  MAILHAUL_SOURCE_PASSWORD, MAILHAUL_DESTINATION_PASSWORD, MAILHAUL_PASSWORD,
or asked for on the terminal.
`

const exitHelp = `
EXIT STATUS
  0    done
  1    failed
  2    wrong usage or configuration
  3    done, but some messages could not be carried (they are listed)
  4    login refused
  5    temporary network or server trouble, run again
  6    a quota or limit was reached, run again later
  7    what is at the destination differs from what was sent
  8    the source shows only a part of its mail
  9    disk full or archive not writable
  10   no archive there
  11   archive in use by another run
  130  interrupted, run again to go on
  Of several the first in this order counts: 130 1 9 4 6 5 8 7 3 0.
`

func newRootCommand(t *terminal, i *interrupt) *cobra.Command {
	root := &cobra.Command{
		Use:           "mailhaul",
		Short:         "carry mail from POP3 and IMAP into an archive, and from it into IMAP",
		Long:          rootHelp + exitHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version(),
		Args:          noUnknownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.SetVersionTemplate("mailhaul {{.Version}}\n")
	t.addFlags(root.PersistentFlags())
	root.AddCommand(
		newBackupCommand(t, i),
		newRestoreCommand(t, i),
		newMigrateCommand(t, i),
		newStatusCommand(t),
		newCheckCommand(t),
		newDemoCommand(t, i),
		newVersionCommand(t),
	)
	return root
}

// A usageError is the user's: exit status 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func noUnknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usageError{errors.New("there is no command \"" + args[0] + "\"; mailhaul --help lists them")}
}

// exactArgs is cobra.ExactArgs with the names in the message.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		return usageError{errors.New("usage: " + cmd.UseLine())}
	}
}
