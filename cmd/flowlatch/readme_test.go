package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/config"
)

var update = flag.Bool("update", false, "write the tables into the pages in docs")

// The pages that tests read.
const (
	root              = "../.."
	readme            = root + "/README.md"
	architecture      = root + "/ARCHITECTURE.md"
	configurationPage = root + "/docs/configuration.md"
	endpointsPage     = root + "/docs/endpoints.md"
	operationsPage    = root + "/docs/operations.md"
	securityPage      = root + "/SECURITY.md"
)

// settingsTable returns the table of settings in Markdown.
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

// endpointsTable returns the allow-list in Markdown.
func endpointsTable() string {
	var b strings.Builder
	b.WriteString("| scope | service | call | what it is |\n|---|---|---|---|\n")
	for _, e := range domain.Endpoints() {
		does := e.Does
		if e.Unconfirmed {
			does += " *"
		}
		scopes := "`" + string(e.Scope) + "`"
		if e.Also != "" {
			scopes += " and `" + string(e.Also) + "`"
		}
		_, _ = fmt.Fprintf(&b, "| %s | `%s` | `%s %s` | %s |\n", scopes, e.Service, e.Method, e.Path, does)
	}
	b.WriteString("\n\\* No source says for certain that a project key opens this call at Voiceflow.\n")
	return b.String()
}

// TestThePagesShowTheTables compares the tables in docs, each between two comments, with
// the tables that the program makes. With -update it writes them into the pages.
func TestThePagesShowTheTables(t *testing.T) {
	for _, tc := range []struct{ page, name, table string }{
		{configurationPage, "settings", settingsTable()},
		{endpointsPage, "endpoints", endpointsTable()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			content := read(t, tc.page)
			begin, end := "<!-- "+tc.name+" -->\n", "<!-- /"+tc.name+" -->\n"
			before, rest, begins := strings.Cut(content, begin)
			if !begins {
				t.Fatalf("%s has no line %s", tc.page, begin)
			}
			there, after, ends := strings.Cut(rest, end)
			if !ends {
				t.Fatalf("%s has no line %s", tc.page, end)
			}
			if *update {
				if err := os.WriteFile(tc.page, []byte(before+begin+tc.table+end+after), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if there != tc.table {
				t.Errorf("the table of %s in %s is out of date. Run: go test ./cmd/flowlatch -run TestThePages -update. It should be:\n%s", tc.name, tc.page, tc.table)
			}
		})
	}
}

// TestThePagesStayShort holds the two pages that newcomers read first to 12 KiB.
func TestThePagesStayShort(t *testing.T) {
	for _, page := range []string{readme, architecture} {
		if got := len(read(t, page)); got > 12<<10 {
			t.Errorf("%s has %d bytes, want at most %d: move details to docs", page, got, 12<<10)
		}
	}
}

// TestThePagesNameWhatIsThere looks for the paths, the names in packages and the targets of
// make that the pages name in code. Decisions are excepted: they may name what is gone.
func TestThePagesNameWhatIsThere(t *testing.T) {
	code := regexp.MustCompile("(?s)```.*?```|`[^`\n]+`")
	file := regexp.MustCompile(`^(?:domain|ports|app|adapters|cmd|internal|docs|\.ci)(?:/[\w./-]*)?$`)
	name := regexp.MustCompile(`^(domain|ports|portstest|app|ginhttp)\.([A-Z]\w*)`)
	folders := map[string]string{"portstest": "ports/portstest", "ginhttp": "adapters/ginhttp"}
	makefile, found := read(t, filepath.Join(root, "Makefile")), 0
	for _, page := range pagesOfProject(t) {
		if strings.Contains(page, "decisions") {
			continue
		}
		for _, text := range code.FindAllString(read(t, page), -1) {
			for line := range strings.Lines(text) {
				line, _, _ = strings.Cut(strings.Trim(line, "`\n"), "#")
				targets, isMake := strings.CutPrefix(line, "make ")
				if !isMake {
					continue
				}
				for _, target := range strings.Fields(targets) {
					found++
					if !strings.Contains(makefile, "\n"+target+":") {
						t.Errorf("%s: make has no target %s", page, target)
					}
				}
			}
			text = strings.Trim(text, "`")
			if file.MatchString(text) {
				found++
				if _, err := os.Stat(filepath.Join(root, text)); err != nil {
					t.Errorf("%s names %s: %v", page, text, err)
				}
			}
			if in := name.FindStringSubmatch(text); in != nil {
				found++
				folder := cmp.Or(folders[in[1]], in[1])
				if !regexp.MustCompile(`(?m)^(?:func|type|var|const|\t)\s*` + in[2] + `\b`).MatchString(sources(t, folder)) {
					t.Errorf("%s names %s, which %s does not have", page, text, folder)
				}
			}
		}
	}
	if found < 50 {
		t.Errorf("the pages name %d things, want more: the test is blind", found)
	}
}

// TestThePagesNameTestsThatAreThere looks for each test that a page names as the one that holds a
// promise.
func TestThePagesNameTestsThatAreThere(t *testing.T) {
	defined := map[string]bool{}
	definition := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	if err := filepath.WalkDir(root, func(file string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(file, "_test.go") {
			for _, found := range definition.FindAllStringSubmatch(read(t, file), -1) {
				defined[found[1]] = true
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, page := range pagesOfProject(t) {
		if strings.Contains(page, "decisions") {
			continue
		}
		for _, found := range regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z]\\w*)`").FindAllStringSubmatch(read(t, page), -1) {
			named++
			if !defined[found[1]] {
				t.Errorf("%s names the test %s, which is nowhere", page, found[1])
			}
		}
	}
	if named < 30 {
		t.Errorf("the pages name %d tests, want more: the test is blind", named)
	}
}

// TestTheTestsOfThePromisesAreWhereThePageSays reads the lines of SECURITY.md that name tests, such as
// "Tests: `app`: `TestA`, `TestB`; `ports/portstest`: `Acts`." It looks for each name in the test
// files of its folder, or in a suite of ports.
func TestTheTestsOfThePromisesAreWhereThePageSays(t *testing.T) {
	const suites = "ports/portstest"
	form := regexp.MustCompile("^Tests: `[a-z0-9/]+`: `\\w+`(?:, `\\w+`)*(?:; `[a-z0-9/]+`: `\\w+`(?:, `\\w+`)*)*\\.$")
	code := regexp.MustCompile("`([^`]+)`(:?)")
	named := 0
	for line := range strings.Lines(read(t, securityPage)) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "Tests:") {
			if regexp.MustCompile("`(?:Test|Fuzz)[A-Z]").MatchString(line) {
				t.Errorf("a test is named outside of a line of tests: %s", line)
			}
			continue
		}
		if !form.MatchString(line) {
			t.Errorf("the line has another form than %v: %s", form, line)
			continue
		}
		folder := ""
		for _, found := range code.FindAllStringSubmatch(line, -1) {
			name, isFolder := found[1], found[2] == ":"
			if isFolder {
				folder = name
				continue
			}
			named++
			text, isTest := sources(t, folder), strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Fuzz")
			isThere := strings.Contains(text, "\nfunc "+name+"(t *testing.T") || strings.Contains(text, "\nfunc "+name+"(f *testing.F")
			if isTest == (folder == suites) || !isThere {
				t.Errorf("%s has no test or suite %s", folder, name)
			}
		}
	}
	if named < 100 {
		t.Errorf("the page names %d tests, want more: the test is blind", named)
	}
}

// TestTheMapShowsEveryFolder compares the map at the top of ARCHITECTURE.md with the folders
// that hold Go code.
func TestTheMapShowsEveryFolder(t *testing.T) {
	_, rest, _ := strings.Cut(read(t, architecture), "```\n")
	drawn, _, _ := strings.Cut(rest, "```\n")
	for line := range strings.Lines(drawn) {
		names, _, isRow := strings.Cut(line, "  ")
		if !isRow || strings.Contains(line, "──") {
			continue
		}
		in := path.Dir(strings.TrimSuffix(strings.Split(names, ",")[0], "/"))
		for i, name := range strings.Split(names, ", ") {
			if i > 0 {
				name = path.Join(in, name)
			}
			if _, err := os.Stat(filepath.Join(root, name)); err != nil {
				t.Errorf("the map shows %s: %v", name, err)
			}
		}
	}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == "bin" || strings.HasPrefix(d.Name(), ".") && file != root):
			return filepath.SkipDir
		case strings.HasSuffix(file, ".go") && filepath.Dir(file) != root && !strings.Contains(drawn, filepath.Base(filepath.Dir(file))+"/"):
			t.Errorf("the map does not show the folder of %s", file)
			return filepath.SkipDir
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// sources is the text of the Go files in a folder of the project.
func sources(t *testing.T, folder string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: got error %v and no Go files", folder, err)
	}
	var all strings.Builder
	for _, file := range files {
		all.WriteString(read(t, file))
	}
	return all.String()
}

// TestTheLinksOfThePagesLead follows every link of a page to a file or a heading.
func TestTheLinksOfThePagesLead(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^):]*)\)`)
	for _, page := range pagesOfProject(t) {
		for _, found := range link.FindAllStringSubmatch(read(t, page), -1) {
			file, heading, toHeading := strings.Cut(found[1], "#")
			target := page
			if file != "" {
				target = filepath.Join(filepath.Dir(page), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", page, found[1], err)
				continue
			}
			if !toHeading {
				continue
			}
			if !hasHeading(t, target, heading) {
				t.Errorf("%s links to %s, and %s has no such heading", page, found[1], target)
			}
		}
	}
}

// TestTheMessagesLead follows every place in the documentation that code names, as messages do.
func TestTheMessagesLead(t *testing.T) {
	place := regexp.MustCompile(`(docs/[\w-]+\.md)#([\w-]+)`)
	found := 0
	for _, folder := range []string{"domain", "app", "app/forward", "adapters/ginhttp", "adapters/voiceflow", "adapters/throttle"} {
		for _, named := range place.FindAllStringSubmatch(sources(t, folder), -1) {
			found++
			if !hasHeading(t, filepath.Join(root, named[1]), named[2]) {
				t.Errorf("%s names %s, and there is no such heading", folder, named[0])
			}
		}
	}
	if found < 4 {
		t.Errorf("code names %d places, want more: the test is blind", found)
	}
}

// hasHeading reports whether the page has a heading with that slug.
func hasHeading(t *testing.T, page, slug string) bool {
	t.Helper()
	punctuation := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	return slices.ContainsFunc(strings.Split(read(t, page), "\n"), func(line string) bool {
		title, is := strings.CutPrefix(strings.TrimLeft(line, "#"), " ")
		return is && strings.HasPrefix(line, "#") && slug == strings.ReplaceAll(punctuation.ReplaceAllString(strings.ToLower(title), ""), " ", "-")
	})
}

// pagesOfProject lists every page of the project.
func pagesOfProject(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{root + "/*.md", root + "/docs/*.md", root + "/docs/*/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	if len(all) < 5 {
		t.Fatalf("got the pages %q, want more: the test is blind", all)
	}
	return all
}

func read(t *testing.T, page string) string {
	t.Helper()
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestThePagesNameCommandsThatAreThere parses commands of the pages as the program does.
// A command is a line that begins with the program, or with variables for it.
func TestThePagesNameCommandsThatAreThere(t *testing.T) {
	command := regexp.MustCompile(`^(?:[A-Z_]+=\S* )*(?:bin/)?flowlatch (.*?)(?:\s+[#|>].*)?$`)
	word := regexp.MustCompile(`"[^"]*"|\S+`)
	for page, least := range map[string]int{readme: 3, operationsPage: 30} {
		lines, code := 0, false
		for line := range strings.Lines(read(t, page)) {
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
