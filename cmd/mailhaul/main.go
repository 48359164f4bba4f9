// Command mailhaul carries mail from POP3 and IMAP accounts into a local archive, and from the archive into an
// IMAP account. It can be stopped at any moment and run again: nothing is lost, nothing is doubled, nothing
// already done is done again.
package main

import (
	"context"
	"io"
	"os"

	"github.com/spf13/cobra"
)

func main() {
	keepSmall()
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
	cmd, err := root.ExecuteContextC(ctx)
	return t.farewell(cmd.Name(), err)
}

const rootHelp = `mailhaul carries mail from POP3 and IMAP accounts into a local archive, a plain
Maildir with a ledger beside it, and from the archive into an IMAP account.
Stop it at any moment and run it again: nothing is lost, nothing is doubled.

An account is an e-mail address, me@example.org, whose servers are looked up
(pop3:me@example.org if it is to be POP3), or a URL:
  pop3s://user@host[:995]   imaps://user@host[:993]   TLS from the start
  pop3://user@host[:110]    imap://user@host[:143]    TLS by STLS or STARTTLS
with, after a "?", ca=FILE to trust a certificate authority of your own,
pin=sha256/... to trust the server's key and nothing else (check shows it), or
tls=none for a server on this very machine; auth=MECHANISM to log in by that one
(PLAIN, LOGIN, XOAUTH2, OAUTHBEARER, CRAM-MD5, USER), and as=OWNER for who logs in
for another.

An account of the configuration (mailhaul init makes one) is called by its name.

Passwords are never given on the command line. They are taken from
  --source-password-file, --source-password-command (and --destination-...),
  MAILHAUL_SOURCE_PASSWORD, MAILHAUL_DESTINATION_PASSWORD, MAILHAUL_PASSWORD,
  credentials of systemd (mailhaul-source-password and so on),
  what mailhaul login has kept, a sign-in with a browser (OAuth2) as well,
or asked for on the terminal.
`

func newRootCommand(t *terminal, i *interrupt) *cobra.Command {
	root := &cobra.Command{
		Use:                   "mailhaul COMMAND",
		Short:                 "carry mail from POP3 and IMAP into an archive, and from it into IMAP",
		Long:                  rootHelp,
		SilenceErrors:         true,
		SilenceUsage:          true,
		DisableFlagsInUseLine: true,
		Version:               version(),
		Args:                  noUnknownCommand,
		RunE:                  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(flagError)
	root.SetVersionTemplate("mailhaul {{.Version}}\n")
	root.SetHelpTemplate(helpTemplate)
	root.SetHelpCommand(newHelpCommand())
	t.addFlags(root.PersistentFlags())
	root.AddCommand(
		newBackupCommand(t, i),
		newRestoreCommand(t, i),
		newMigrateCommand(t, i),
		newFoldersCommand(t),
		newPlanCommand(t),
		newStatusCommand(t),
		newVerifyCommand(t, i),
		newListCommand(t, i),
		newSearchCommand(t, i),
		newShowCommand(t),
		newFreeCommand(t, i),
		newExportCommand(t, i),
		newImportCommand(t, i),
		newCheckCommand(t),
		newLoginCommand(t),
		newInitCommand(t),
		newRunCommand(t, i),
		newDemoCommand(t, i),
		newCompletionCommand(t),
		newVersionCommand(t),
	)
	return root
}
