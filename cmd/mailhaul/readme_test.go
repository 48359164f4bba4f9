package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	typedCommand = regexp.MustCompile("(?m)(?:^    |`)mailhaul +([a-z]+)")
	typedFlag    = regexp.MustCompile(`--[a-z][a-z-]*`)
)

// TestReadme guards that the README has people type commands and flags that there are, and no command is without it.
func TestReadme(t *testing.T) {
	commands, flags := map[string]bool{}, map[string]bool{"--help": true}
	note := func(f *pflag.Flag) { flags["--"+f.Name] = true }
	root := newRootCommand(new(terminal), nil)
	root.PersistentFlags().VisitAll(note)
	for _, c := range root.Commands() {
		commands[c.Name()] = true
		c.LocalFlags().VisitAll(note)
	}
	text := readme(t)
	named := map[string]bool{}
	for _, found := range typedCommand.FindAllStringSubmatch(text, -1) {
		named[found[1]] = true
		if !commands[found[1]] {
			t.Errorf("there is no command %s", found[1])
		}
	}
	for name := range commands {
		if !named[name] {
			t.Errorf("%s is not in the README", name)
		}
	}
	for line := range strings.Lines(text) {
		for _, name := range typedFlag.FindAllString(line, -1) {
			if !strings.Contains(line, "systemctl") && !flags[name] && !beginsOne(flags, name) {
				t.Errorf("there is no flag %s: %s", name, line)
			}
		}
	}
}

// beginsOne reports whether what ends with a - is the beginning of a flag.
func beginsOne(flags map[string]bool, name string) bool {
	for f := range flags {
		if strings.HasSuffix(name, "-") && strings.HasPrefix(f, name) {
			return true
		}
	}
	return false
}

// TestExitStatusesAreTold guards that README and help have the same statuses, and of several the same first.
func TestExitStatusesAreTold(t *testing.T) {
	text, told := readme(t), 0
	for line := range strings.Lines(exitHelp) {
		status, means, _ := strings.Cut(strings.TrimSpace(line), " ")
		if regexp.MustCompile(`^\d+$`).MatchString(status) {
			told++
			if row := "| " + status + " | " + strings.TrimSpace(means); !strings.Contains(text, "\n"+row) {
				t.Errorf("the README has no %q", row)
			}
		}
	}
	if told != len(weight) {
		t.Errorf("help has %d statuses, there are %d", told, len(weight))
	}
	order := strings.Trim(fmt.Sprint(weight), "[]")
	if want := "counts: " + order + "."; !strings.Contains(exitHelp, want) || !strings.Contains(text, strings.ReplaceAll(order, " ", ", ")+".") {
		t.Errorf("of several the first counts: %s", order)
	}
}

// TestReadmeConfiguration guards that the configuration that the README shows is one.
func TestReadmeConfiguration(t *testing.T) {
	var b strings.Builder
	_, rest, _ := strings.Cut(readme(t), "\n    [accounts.old]")
	for line := range strings.Lines("    [accounts.old]" + rest) {
		code, ok := strings.CutPrefix(line, "    ")
		if !ok && strings.TrimSpace(line) != "" {
			break
		}
		b.WriteString(code)
	}
	file := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	term := &terminal{configFile: file}
	f, err := term.configuration()
	if err != nil || strings.Join(f.AccountNames(), " ") != "old new" || strings.Join(f.JobNames(), " ") != "move" {
		t.Fatalf("%v in\n%s", err, &b)
	}
	var cmd *cobra.Command
	if cmd, err = term.commandOf(nil, f, f.Job("move")); err != nil || cmd.Name() != "migrate" {
		t.Errorf("the job is %v, %v", cmd, err)
	}
}
