package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of settings into README.md")

const (
	readme     = "../../README.md"
	tableBegin = "<!-- settings -->\n"
	tableEnd   = "<!-- /settings -->\n"
)

// settingsTable is the table of settings in Markdown.
func settingsTable() string {
	var b strings.Builder
	b.WriteString("| variable | flag | default | meaning |\n|---|---|---|---|\n")
	for _, s := range settings {
		name, flag, fallback := "`"+prefix+s.name+"`", "`--"+s.flag()+"`", s.stated
		if s.use == orFromFile {
			name += ", `" + prefix + s.name + "_FILE`"
		}
		if s.secret() {
			flag = ""
		}
		if s.fallback != "" {
			fallback = "`" + s.fallback + "`"
		}
		_, _ = fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, flag, fallback, s.help)
	}
	return b.String()
}

// TestReadmeListsEverySetting compares the table in README.md, between the two comments,
// with the program's. With -update it writes the table there.
func TestReadmeListsEverySetting(t *testing.T) {
	content, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(content), tableBegin)
	if !begins {
		t.Fatalf("README.md has no line %s", tableBegin)
	}
	table, after, ends := strings.Cut(rest, tableEnd)
	if !ends {
		table, after = "", rest
	}
	if *update {
		if err := os.WriteFile(readme, []byte(before+tableBegin+settingsTable()+tableEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if table != settingsTable() {
		t.Errorf("the table in README.md is not the program's; go test ./cmd/flowlatch -run TestReadme -update mends it. It should be:\n%s", settingsTable())
	}
}
