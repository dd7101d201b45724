// Package imports tests which package imports which.
package imports

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/flowlatch/flowlatch/"

// nfc normalizes text. It does no I/O and keeps no state, so layers may import it that import no
// other third party.
const nfc = "golang.org/x/text/unicode/norm"

// room says what the packages of a folder may import besides the standard library. "third
// parties" means every other module.
type room struct {
	folder string   // the folder itself; with /* at its end, each folder directly below
	code   []string // what code may import
	tests  []string // what tests may import in addition
}

// rooms is the drawing in ARCHITECTURE.md. The first row that matches a folder counts. Every
// folder needs a row.
var rooms = []room{
	{".", nil, []string{"domain", "app", "adapters/*", "third parties"}},
	{"domain", nil, []string{"domain", "third parties"}},
	{"ports", []string{"domain", "ports/archive"}, nil},
	{"ports/archive", []string{"domain", nfc}, []string{"ports/archive"}},
	{"ports/portstest", []string{"domain", "ports", "ports/archive"}, []string{"ports/portstest", "third parties"}},
	{"app", []string{"domain", "ports", "app/*", nfc},
		[]string{"app", "adapters/memory", "internal/testworld", "third parties"}},
	{"app/audit", []string{"domain", "ports", "app/paging"}, []string{"app/audit", "app/keyset", "adapters/memory", "internal/testworld"}},
	{"app/backup", []string{"domain", "ports", "ports/archive", "app/keyset"},
		[]string{"app/backup", "adapters/memory", "internal/testworld"}},
	{"app/forward", []string{"domain", "ports", "app/keyset", "app/session", "app/signon"}, []string{"app/forward", "adapters/memory", "adapters/voiceflow", "adapters/voiceflow/voiceflowtest", "internal/testworld", "third parties"}},
	{"app/keyset", []string{"domain", "ports", "app/audit"}, []string{"app/keyset", "adapters/memory", "internal/testworld", "third parties"}},
	{"app/session", []string{"domain", "ports", "app/cookie"}, nil},
	{"app/pages", []string{"domain", "app", "app/forward", "app/session"}, nil},
	{"app/*", []string{"domain", "ports"}, []string{"itself", "adapters/memory", "third parties"}},
	{"adapters/ginhttp", []string{"domain", "ports", "app", "app/*", "third parties"},
		[]string{"adapters/ginhttp", "adapters/memory", "adapters/oidclogin/oidclogintest", "adapters/voiceflow/voiceflowtest", "ports/portstest", "internal/*"}},
	{"adapters/console", []string{"domain", "ports", "app", "app/*", nfc},
		[]string{"adapters/console", "adapters/ginhttp", "adapters/memory", "adapters/voiceflow", "adapters/oidclogin/oidclogintest", "adapters/voiceflow/voiceflowtest", "internal/*", "third parties"}},
	{"adapters/voiceflow/voiceflowtest", nil, []string{"adapters/voiceflow/voiceflowtest", "third parties"}},
	{"adapters/voiceflow", []string{"domain", "ports", "third parties"},
		[]string{"adapters/voiceflow", "adapters/voiceflow/voiceflowtest", "ports/portstest", "internal/*"}},
	{"adapters/oidclogin/oidclogintest", []string{"domain", "ports", "third parties"}, []string{"itself", "third parties"}},
	{"adapters/oidclogin", []string{"domain", "ports", "third parties"},
		[]string{"adapters/oidclogin", "adapters/oidclogin/oidclogintest", "ports/portstest", "internal/*"}},
	{"adapters/*", []string{"domain", "ports", "ports/archive", "third parties"}, []string{"itself", "ports/portstest", "internal/*"}},
	{"cmd/*", []string{"domain", "ports", "ports/archive", "app", "app/*", "adapters/*", "adapters/voiceflow/voiceflowtest", "third parties",
		"internal/config", "internal/exportfile", "internal/importlist", "internal/ownership", "internal/terminal"},
		[]string{"ports/portstest", "internal/*"}},
	{"internal/config", []string{"domain", "internal/terminal", "third parties"}, nil},
	{"internal/terminal", []string{"domain", "third parties"}, nil},
	{"internal/jsonstream", []string{"third parties"}, nil},
	{"internal/importlist", []string{"domain", "internal/jsonstream", "third parties"}, nil},
	{"internal/exportfile", []string{"domain", "internal/importlist", "internal/jsonstream", "internal/terminal", "third parties"}, nil},
	{"internal/testworld", []string{"domain", "ports", "adapters/memory"}, nil},
	{"internal/postgrestest", []string{"internal/testtools", "third parties"}, []string{"itself"}},
	{"internal/browser", []string{"internal/testtools", "third parties"}, []string{"itself", "domain", "adapters/console", "adapters/oidclogin/oidclogintest", "adapters/voiceflow/voiceflowtest", "internal/*"}},
	{"internal/*", []string{"third parties"},
		[]string{"itself", "domain", "ports", "ports/archive", "ports/portstest", "app", "app/cookie", "app/pages", "adapters/*", "adapters/oidclogin/oidclogintest", "adapters/voiceflow/voiceflowtest", "internal/*"}},
}

// TestEveryArrowIsDrawn reads the imports of every Go file of the project.
func TestEveryArrowIsDrawn(t *testing.T) {
	root := os.DirFS("../..")
	seen := map[string]bool{}
	err := fs.WalkDir(root, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == "bin" || strings.HasPrefix(d.Name(), ".") && file != ".") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(file, ".go") {
			return nil
		}
		folder := path.Dir(file)
		i := slices.IndexFunc(rooms, func(r room) bool { return fits(r.folder, folder) })
		if i < 0 {
			t.Errorf("%s: %s is no room of this house", file, folder)
			return nil
		}
		seen[rooms[i].folder] = true
		allowed := rooms[i].code
		if strings.HasSuffix(file, "_test.go") {
			allowed = slices.Concat(allowed, rooms[i].tests)
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("../..", file), nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			target, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if !mayImport(allowed, folder, target) {
				t.Errorf("%s imports %s, which %s may not", file, target, rooms[i].folder)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rooms {
		if !seen[r.folder] {
			t.Errorf("the drawing has %s, and the house has not", r.folder)
		}
	}
}

// mayImport reports whether a file of folder may import target.
func mayImport(allowed []string, folder, target string) bool {
	ours, isOurs := strings.CutPrefix(target, module)
	switch {
	case !isOurs && !strings.Contains(strings.Split(target, "/")[0], "."):
		return true // the standard library
	case !isOurs:
		return slices.Contains(allowed, "third parties") || slices.Contains(allowed, target)
	case ours == folder:
		return slices.Contains(allowed, "itself") || slices.Contains(allowed, folder)
	}
	return slices.ContainsFunc(allowed, func(a string) bool { return fits(a, ours) })
}

// fits reports whether pattern names folder. A /* at its end matches one folder.
func fits(pattern, folder string) bool {
	ok, err := path.Match(pattern, folder)
	return ok && err == nil
}

func TestArrowsThatAreNotDrawn(t *testing.T) {
	for _, tc := range []struct {
		name, folder, target string
		tests, want          bool
	}{
		{"domain imports the standard library", "domain", "time", false, true},
		{"domain imports no third party", "domain", "github.com/uptrace/bun", false, false},
		{"ports does not import an adapter", "ports", module + "adapters/memory", false, false},
		{"ports describes an archive in a package of its own", "ports", module + "ports/archive", false, true},
		{"the package that describes an archive does not import ports", "ports/archive", module + "ports", false, false},
		{"domain knows no table", "domain", module + "ports/archive", false, false},
		{"app does not import an adapter", "app", module + "adapters/memory", false, false},
		{"tests of app import the in-memory adapters", "app", module + "adapters/memory", true, true},
		{"app uses the packages below it", "app", module + "app/cookie", false, true},
		{"a package below app does not import app", "app/cookie", module + "app", true, false},
		{"the keyset has the audit's head signed", "app/keyset", module + "app/audit", false, true},
		{"a backup is of the keyset", "app/backup", module + "app/keyset", false, true},
		{"a forwarded call opens keys", "app/forward", module + "app/keyset", false, true},
		{"a forwarded call records the use of sessions", "app/forward", module + "app/session", false, true},
		{"forwarding does not import app", "app/forward", module + "app", true, false},
		{"the keyset does not forward", "app/keyset", module + "app/forward", false, false},
		{"the keyset knows no backup", "app/keyset", module + "app/backup", false, false},
		{"the audit does not import the keyset", "app/audit", module + "app/keyset", false, false},
		{"a package below app does not import another", "app/paging", module + "app/audit", true, false},
		{"tests of app do not import the database", "app", module + "adapters/bunstore", true, false},
		{"an adapter does not import another", "adapters/bunstore", module + "adapters/tinkcipher", false, false},
		{"an adapter does not import another in tests", "adapters/bunstore", module + "adapters/memory", true, false},
		{"an adapter does not import app", "adapters/bunstore", module + "app", false, false},
		{"ginhttp drives app", "adapters/ginhttp", module + "app", false, true},
		{"nobody imports the command", "app", module + "cmd/flowlatch", true, false},
		{"the command sees every side", "cmd/flowlatch", module + "adapters/bunstore", false, true},
		{"the command does not ship test helpers", "cmd/flowlatch", module + "internal/postgrestest", false, false},
		{"the command reads its configuration", "cmd/flowlatch", module + "internal/config", false, true},
		{"configuration does not import an adapter", "internal/config", module + "adapters/voiceflow", false, false},
		{"configuration does not import an adapter in tests", "internal/config", module + "adapters/voiceflow", true, false},
		{"a list does not import app", "internal/importlist", module + "app", false, false},
		{"an export file holds the entries of a list", "internal/exportfile", module + "internal/importlist", false, true},
		{"app does not import configuration", "app", module + "internal/config", true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := rooms[slices.IndexFunc(rooms, func(r room) bool { return fits(r.folder, tc.folder) })]
			allowed := r.code
			if tc.tests {
				allowed = slices.Concat(allowed, r.tests)
			}
			if got := mayImport(allowed, tc.folder, tc.target); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}
