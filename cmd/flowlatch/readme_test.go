package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/config"
)

var update = flag.Bool("update", false, "write the tables into README.md")

const readme = "../../README.md"

// settingsTable is the table of settings in Markdown.
func settingsTable() string {
	var b strings.Builder
	b.WriteString("| variable | flag | default | meaning |\n|---|---|---|---|\n")
	for _, s := range config.Settings() {
		name, flag, fallback := "`"+s.Variable()+"`", "", s.Stated
		if s.FileVariable() != "" {
			name += ", `" + s.FileVariable() + "`"
		}
		if s.Flag() != "" {
			flag = "`--" + s.Flag() + "`"
		}
		if s.Default != "" {
			fallback = "`" + s.Default + "`"
		}
		_, _ = fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, flag, fallback, s.Help)
	}
	return b.String()
}

// endpointsTable is the allow-list in Markdown.
func endpointsTable() string {
	var b strings.Builder
	b.WriteString("| scope | service | call | what it is |\n|---|---|---|---|\n")
	for _, e := range domain.Endpoints() {
		does := e.Does
		if e.Unconfirmed {
			does += " *"
		}
		_, _ = fmt.Fprintf(&b, "| `%s` | `%s` | `%s %s` | %s |\n", e.Scope, e.Service, e.Method, e.Path, does)
	}
	b.WriteString("\n\\* No source tells for sure that a project key opens this at Voiceflow.\n")
	return b.String()
}

// TestReadmeShowsTheTables compares the tables in README.md, each between two comments,
// with the program's. With -update it writes them there.
func TestReadmeShowsTheTables(t *testing.T) {
	for name, table := range map[string]string{"settings": settingsTable(), "endpoints": endpointsTable()} {
		content, err := os.ReadFile(readme)
		if err != nil {
			t.Fatal(err)
		}
		begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->\n"
		before, rest, begins := strings.Cut(string(content), begin)
		if !begins {
			t.Fatalf("README.md has no line %s", begin)
		}
		there, after, ends := strings.Cut(rest, end)
		if !ends {
			there, after = "", rest
		}
		if *update {
			if err := os.WriteFile(readme, []byte(before+begin+table+end+after), 0o644); err != nil {
				t.Fatal(err)
			}
		} else if there != table {
			t.Errorf("the table of %s in README.md is not the program's; go test ./cmd/flowlatch -run TestReadme -update mends it. It should be:\n%s", name, table)
		}
	}
}

// TestThePagesNameCommandsThatAreThere parses every line of the pages that begins with the
// program, or with variables for it, as the program would.
func TestThePagesNameCommandsThatAreThere(t *testing.T) {
	command := regexp.MustCompile(`^(?:[A-Z_]+=\S* )*(?:bin/)?flowlatch (.*?)(?:\s+[#|>].*)?$`)
	word := regexp.MustCompile(`"[^"]*"|\S+`)
	for page, least := range map[string]int{readme: 3, "../../docs/operations.md": 30} {
		content, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		lines, code := 0, false
		for line := range strings.Lines(string(content)) {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "```") {
				code = line == "```sh"
			}
			found := command.FindStringSubmatch(line)
			if !code || found == nil {
				continue
			}
			lines++
			args := word.FindAllString(found[1], -1)
			for i := range args {
				args[i] = strings.Trim(args[i], `"`)
			}
			// What a line has set would still be set with the next one.
			cli := commandLine{Serve: serveCommand{Plugins: config.ServeFlags()}, Demo: demoCommand{Plugins: config.DemoFlags()}}
			parser, err := kong.New(&cli, kong.Name("flowlatch"), kong.Exit(func(int) {}), kong.Writers(io.Discard, io.Discard))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parser.Parse(args); err != nil {
				t.Errorf("%s: %s: %v", page, line, err)
			}
		}
		if lines < least {
			t.Errorf("%s has %d commands, want at least %d: the test is blind", page, lines, least)
		}
	}
}
