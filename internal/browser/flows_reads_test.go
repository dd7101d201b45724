package browser

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestUsage looks at calls by day and by assistant, in a range, and as a file.
func TestUsage(t *testing.T) {
	t.Parallel()
	w := newFlows(t, dialog("Pizza"))
	p := w.program()
	id := p.add(w.assistants[0])
	p.turn(id)
	p.turn(id)
	today := time.Now().UTC().Format(time.DateOnly)
	w.bothWays(func(w *world, s Settings, _ string) {
		tab := w.ada(s)
		tab.Follow("Usage")
		tab.WaitText("Calls by day", "Total")
		tab.Fill("group_by", "project")
		tab.Submit("Show")
		tab.WaitText("Pizza")
		wantValue(tab, "group_by", "project")
		kind, text := download(tab, "Download all rows (CSV)")
		if want := "project,project_name,calls,errors,milliseconds\r\n" + id + ",Pizza,2,0,"; !strings.HasPrefix(kind, "text/csv") || !strings.HasPrefix(text, want) && !strings.HasPrefix(text, strings.ReplaceAll(want, "\r\n", "\n")) {
			w.t.Errorf("the file is %s:\n%s", kind, text)
		}
		tab.Check("main", "navigation")
		tab.Fill("from", "2020-01-01")
		tab.Fill("to", "2020-01-31")
		tab.Submit("Show")
		tab.WaitText("There were no calls in this time.")
		tab.Follow("7 days")
		tab.WaitText("Pizza")
		wantValue(tab, "to", today)
		tab.Fill("from", today)
		tab.Fill("to", "2020-01-31")
		tab.Submit("Show")
		if tab.Status() != 400 {
			w.t.Errorf("a range that ends before it begins is answered with %d", tab.Status())
		}
		tab.Check("main", "navigation")
		tab.Open("/console/usage?project_id=" + id)
		tab.WaitText("Only the assistant Pizza")
		tab.Follow("Show all")
		tab.WaitGone("Only the assistant")
	})
}

// TestAudit filters the rows, turns the page, and looks at one row.
func TestAudit(t *testing.T) {
	t.Parallel()
	w := newFlows(t, dialog("Pizza"))
	p := w.program()
	id := p.add(w.assistants[0])
	for i := range 60 {
		p.must("/set_picture_origins", map[string]any{"project_id": id, "origins": []string{fmt.Sprintf("https://cdn%d.example.com", i)}})
	}
	w.bothWays(func(w *world, s Settings, _ string) {
		tab := w.ada(s)
		tab.Follow("Audit")
		tab.WaitText("ada")
		tab.Follow("Next page")
		tab.WaitText("created a user") // the first rows of all
		tab.Open("/console/audit")
		tab.Click("Filter")
		tab.Fill("action", "add_project")
		tab.Submit("Show")
		tab.WaitText("added an assistant", "Pizza")
		tab.WaitGone("created a user")
		wantValue(tab, "action", "add_project")
		kind, text := download(tab, "Download these rows (CSV)")
		if lines := strings.Count(strings.TrimSpace(text), "\n") + 1; !strings.HasPrefix(kind, "text/csv") || lines != 2 || !strings.Contains(text, ",add_project,project:"+id) {
			w.t.Errorf("the file is %s:\n%s", kind, text)
		}
		tab.Follow(must[string](tab, `document.querySelector("main td a").textContent.replace(/\s+/g, " ").trim()`))
		tab.WaitText("Request id", "project:"+id)
		tab.Follow("All rows of this request")
		tab.WaitText("added an assistant")
		tab.Follow("Show all")
		tab.WaitURL("/console/audit")

		tab.Open("/console/audit?action=" + url.QueryEscape("no such action"))
		if tab.Status() != 200 {
			w.t.Errorf("an action that never happened is answered with %d", tab.Status())
		}
		tab.WaitText("No row matches the filter.")
		tab.Check("main", "navigation")
	})
}

// TestKeyset checks what is stored.
func TestKeyset(t *testing.T) {
	t.Parallel()
	w := newFlows(t, dialog("Pizza"))
	w.program().add(w.assistants[0])
	w.bothWays(func(w *world, s Settings, _ string) {
		tab := w.ada(s)
		tab.Follow("Keys")
		tab.WaitText("seals and opens (current key)", "flowlatch keys rotate")
		if !s.NoScripts {
			wantCopied(tab, func() { tab.Click("Copy", "flowlatch keys rotate") })
		}
		tab.Submit("Check every stored key now")
		tab.WaitURL("/console/keys")
		notice := must[string](tab, `document.querySelector("[role=status]").innerText`)
		wantNotice(tab, notice)
	})
}
