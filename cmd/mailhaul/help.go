package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// helpTemplate is the help of every command.
const helpTemplate = `{{or .Long .Short | trimTrailingWhitespaces}}

USAGE
  {{.UseLine}}
{{- if .HasAvailableSubCommands}}

COMMANDS
{{- range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}}  {{.Short}}{{end}}{{end}}

  mailhaul COMMAND --help says more of each.
{{- end}}
{{- if .HasExample}}

EXAMPLE
{{.Example}}
{{- end}}
{{- if .HasAvailableLocalFlags}}

FLAGS
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}
{{- end}}
{{- if .HasAvailableInheritedFlags}}

FLAGS OF EVERY COMMAND
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}
{{- end}}
` + exitHelp

const exitHelp = `
EXIT STATUS
  0    done
  1    failed
  2    wrong usage or configuration
  3    done, but some messages could not be carried (they are listed)
  4    login refused
  5    temporary network or server trouble, run again
  6    a quota or limit was reached, run again later
  7    the archive, or what is at the destination, differs from what it was
  8    the source shows only a part of its mail
  9    disk full or archive not writable
  10   no archive there
  11   archive in use by another run
  130  interrupted, run again to go on
  Of several the first in this order counts: 130 11 10 2 1 9 4 6 5 8 7 3 0.
`

func newHelpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "say more of a command",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(cmd, args[0])
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

func newCompletionCommand(t *terminal) *cobra.Command {
	shells := []cobra.Completion{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:       "completion bash|zsh|fish|powershell",
		Short:     "print completions for your shell",
		Long:      "Completion prints what your shell needs to complete commands and flags of mailhaul.\n",
		Example:   "  source <(mailhaul completion bash)",
		ValidArgs: shells,
		Args:      exactArgs("bash, zsh, fish or powershell"),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch root := cmd.Root(); args[0] {
			case "bash":
				return root.GenBashCompletionV2(t.out, true)
			case "zsh":
				return root.GenZshCompletion(t.out)
			case "fish":
				return root.GenFishCompletion(t.out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(t.out)
			}
			return usageError{errors.New("there are no completions for that shell"), "usage: " + cmd.UseLine()}
		},
		DisableFlagsInUseLine: true,
	}
}

// A usageError is the user's: exit status 2.
type usageError struct {
	error
	hint string
}

func (e usageError) Unwrap() error { return e.error }

func noUnknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return unknownCommand(cmd, args[0])
}

func unknownCommand(cmd *cobra.Command, name string) error {
	hint := "mailhaul --help lists the commands"
	if near := cmd.Root().SuggestionsFor(name); len(near) > 0 {
		hint = "perhaps " + strings.Join(near, " or ") + "; " + hint
	}
	return usageError{fmt.Errorf("there is no command %q", name), hint}
}

// exactArgs is cobra.ExactArgs with the names in the message.
func exactArgs(names ...string) cobra.PositionalArgs {
	takes := "no arguments"
	if len(names) > 0 {
		takes = strings.Join(names, " and ")
	}
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		return usageError{fmt.Errorf("%s takes %s", cmd.Name(), takes), "usage: " + cmd.UseLine()}
	}
}

// completes says what the shell completes each argument with: an archive is a directory, an account is no file.
func completes(names ...string) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) < len(names) && names[len(args)] == "ARCHIVE" {
			return nil, cobra.ShellCompDirectiveFilterDirs
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

// flagError does not repeat what was written behind the flag: people write passwords there.
func flagError(cmd *cobra.Command, err error) error {
	hint := cmd.CommandPath() + " --help lists the flags"
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return usageError{err, hint}
	}
	name := "--" + unknown.GetSpecifiedName()
	if unknown.GetSpecifiedShortnames() != "" {
		name = "-" + unknown.GetSpecifiedName()
	}
	if name == "-p" || strings.HasPrefix(name, "--pass") {
		hint += "; passwords are not given on the command line, where others can read them"
	}
	return usageError{fmt.Errorf("there is no flag %s", name), hint}
}
