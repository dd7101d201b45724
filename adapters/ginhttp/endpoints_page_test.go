package ginhttp

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
)

const endpointsPage = "../../docs/endpoints.md"

// TestTheEndpointsPageShowsTheRoutes compares docs/endpoints.md with the route table: a
// row for each route, which says who may call it, which access tokens open it, and
// whether Mount has it under a host's own login.
func TestTheEndpointsPageShowsTheRoutes(t *testing.T) {
	var want []string
	for _, r := range Routes() {
		// The row of GET stands for HEAD as well, and the page has a table of forwarded calls.
		if r.Method != http.MethodHead && r.Who != "assistant" {
			want = append(want, rowOf(r))
		}
	}
	checkRows(t, "routes", want)
}

// TestTheEndpointsPageShowsTheErrors compares docs/endpoints.md with the table of failures.
func TestTheEndpointsPageShowsTheErrors(t *testing.T) {
	var want []string
	for kind, f := range failures {
		if kind == noAssistants { // the page says so beside the table
			continue
		}
		retry := ""
		if f.retry {
			retry = " yes"
		}
		row := fmt.Sprintf("| `%s` | %d | %d |%s |", f.code, f.documented, f.elsewhere, retry)
		if !slices.Contains(want, row) { // two kinds are internal
			want = append(want, row)
		}
	}
	checkRows(t, "failures", want)
}

// rowOf returns the beginning of a route's row.
func rowOf(r Route) string {
	tokens := ""
	if r.Tokens != "" {
		tokens = " " + r.Tokens
	}
	yesOrNo := map[bool]string{true: "yes", false: "no"}[r.Mounted]
	return fmt.Sprintf("| `%s %s` | %s |%s | %s |", r.Method, r.Path, r.Who, tokens, yesOrNo)
}

// checkRows fails unless the table of that name has one row for each beginning in want,
// and no other.
func checkRows(t *testing.T, name string, want []string) {
	t.Helper()
	content, err := os.ReadFile(endpointsPage)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, begins := strings.Cut(string(content), "<!-- "+name+" -->\n")
	table, _, ends := strings.Cut(rest, "<!-- /"+name+" -->\n")
	if !begins || !ends {
		t.Fatalf("%s has no table of %s", endpointsPage, name)
	}
	var rows []string
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, "| `") {
			rows = append(rows, line)
		}
	}
	for _, beginning := range want {
		isIt := func(row string) bool { return strings.HasPrefix(row, beginning) }
		if i := slices.IndexFunc(rows, isIt); i < 0 {
			t.Errorf("%s has no row that begins with %s", endpointsPage, beginning)
		} else {
			rows = slices.Delete(rows, i, i+1)
		}
	}
	for _, row := range rows {
		t.Errorf("%s has a row that is out of date: %s", endpointsPage, row)
	}
}
