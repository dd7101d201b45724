package console_test

import (
	"context"
	"encoding/csv"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

func TestAuditShowsWhoDidWhat(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pizza := w.add(t, 0)
	w.grant(t, "member", pizza)
	w.verifiedAudit(t).want(t, http.StatusOK,
		"granted an assistant", "<code>grant_project</code>", `href="/console/assistants/`+string(pizza.ID)+`">Pizza</a>`, ">member</a>",
		"Verified at", "nothing was changed", `<details class="filter">`)

	filtered := w.admin.get(t, "/console/audit?action=add_project").
		want(t, http.StatusOK, `<details class="filter" open>`, `value="add_project"`, "<code>add_project</code>", "action=add_project").
		wantNo(t, "<code>grant_project</code>")
	id := regexp.MustCompile(`/console/audit/(\d+)"`).FindStringSubmatch(filtered.text)
	if id == nil {
		t.Fatal("no link to a row")
	}
	one := w.admin.get(t, "/console/audit/"+id[1]).want(t, http.StatusOK, "project:"+string(pizza.ID), "added an assistant", "All rows of this request")
	ofRequest := regexp.MustCompile(`href="(/console/audit\?request_id=[^"]+)"`).FindStringSubmatch(one.text)
	if ofRequest == nil {
		t.Fatal("no link to the rows of the request")
	}
	w.admin.get(t, ofRequest[1]).want(t, http.StatusOK, "<code>add_project</code>").wantNo(t, "<code>grant_project</code>")
	for _, none := range []string{"999999", "0", "-1", "x", "01", "99999999999999999999"} {
		w.admin.get(t, "/console/audit/"+none).want(t, http.StatusNotFound)
	}
}

// verifiedAudit returns the page of the audit, once a verification has ended.
func (w *world) verifiedAudit(t testing.TB) *page {
	t.Helper()
	for {
		got := w.admin.get(t, "/console/audit")
		if t.Failed() || !strings.Contains(got.text, "A verification is running.") {
			return got
		}
	}
}

// TestEveryActionHasWords reads which actions there are.
func TestEveryActionHasWords(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../../domain/record.go")
	if err != nil {
		t.Fatal(err)
	}
	actions := regexp.MustCompile(`Action = "([a-z_]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(actions) < 30 {
		t.Fatalf("found only %d actions", len(actions))
	}
	shown := newWorld(t).admin.get(t, "/console/audit")
	for _, action := range actions {
		shown.want(t, http.StatusOK, `<option value="`+action[1]+`">`)
	}
}

func TestAuditFilters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tc := range []struct {
		name, query string
		status      int
		says        string
	}{
		{"a time without a zone is in UTC", "since=2001-02-03T04:05", 200, `value="2001-02-03T04:05:00"`},
		{"so is one with seconds", "since=2001-02-03T04:05:06", 200, `value="2001-02-03T04:05:06"`},
		{"a time as the JSON route has it", "since=2001-02-03T04:05:06%2B02:00", 200, `value="2001-02-03T02:05:06"`},
		{"a time in the future has no rows", "since=2999-01-01T00:00", 200, "No row matches the filter."},
		{"an invalid time is said beside the form", "since=yesterday&action=login", 400, `value="login"`},
		{"a cursor of another list", "cursor=x", 400, "ursor"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w.admin.get(t, "/console/audit?"+tc.query).want(t, tc.status, tc.says)
		})
	}
}

// TestAuditSaysThatItIsBroken changes a row behind the service's back.
func TestAuditSaysThatItIsBroken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.service.Audit().Chain(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.memory.Tamper(func(records *[]domain.Record, _ *[]domain.ChainLink, _ *domain.AuditHead) {
		(*records)[0].Outcome = "changed"
	})
	w.verifiedAudit(t).
		want(t, http.StatusOK, `role="alert"`, "The audit is broken: row 1", "flowlatch audit verify", "Found at").wantNo(t, "nothing was changed")
}

// TestReadingTheAuditLeavesNoRow opens all pages of the audit and of the keyset.
func TestReadingTheAuditLeavesNoRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(t, 0)
	before := len(w.memory.Records())
	for _, path := range []string{"/console/audit", "/console/audit/1", "/console/audit.csv", "/console/keys", "/console/usage", "/console/usage.csv"} {
		w.admin.get(t, path).want(t, http.StatusOK)
	}
	if after := w.memory.Records(); len(after) != before {
		t.Errorf("reading left the rows %+v", after[before:])
	}
}

// TestAuditFile has more rows than are read at a time.
func TestAuditFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const many = 1203
	records := make([]domain.Record, many)
	for i := range records {
		records[i] = domain.Record{At: w.memory.Records()[0].At, Actor: domain.ActorNobody, Action: "login", Object: "=1+1", Outcome: "x", Count: 1}
	}
	if err := w.ports.Store.Audit.Append(t.Context(), records...); err != nil {
		t.Fatal(err)
	}
	got := w.admin.get(t, "/console/audit.csv?outcome=x").want(t, http.StatusOK)
	for name, want := range map[string]string{
		"Content-Type": "text/csv; charset=utf-8", "Content-Disposition": `attachment; filename="audit.csv"`, "Content-Security-Policy": policy,
	} {
		if value := got.header.Get(name); value != want {
			t.Errorf("got %s %q, want %q", name, value, want)
		}
	}
	rows, err := csv.NewReader(strings.NewReader(got.text)).ReadAll()
	if err != nil || len(rows) != 1+many {
		t.Fatalf("got %d rows, %v, want %d", len(rows), err, 1+many)
	}
	columns := []string{"time", "actor", "actor_name", "action", "object", "outcome", "request_id", "address", "count", "id"}
	if !slices.Equal(rows[0], columns) {
		t.Errorf("got the columns %q, want %q", rows[0], columns)
	}
	seen := map[string]bool{}
	for _, row := range rows[1:] {
		seen[row[9]] = true
		if row[4] != "'=1+1" {
			t.Fatalf("got the object %q, want a cell that is no formula", row[4])
		}
	}
	if len(seen) != many {
		t.Errorf("got %d different rows, want %d", len(seen), many)
	}
	w.admin.get(t, "/console/audit.csv?since=yesterday").want(t, http.StatusBadRequest)
	none := w.admin.get(t, "/console/audit.csv?outcome=none").want(t, http.StatusOK)
	if none.text != strings.Join(columns, ",")+"\r\n" {
		t.Errorf("a file without rows is %q, want its columns", none.text)
	}
}

// hooked is an AuditLog that calls after once, after it has read a page.
type hooked struct {
	ports.AuditLog

	after func()
	once  sync.Once
}

func (h *hooked) Page(ctx context.Context, f domain.AuditFilter, before *domain.AuditPlace, limit int) ([]domain.AuditRow, error) {
	rows, err := h.AuditLog.Page(ctx, f, before, limit)
	h.once.Do(h.after)
	return rows, err
}

// TestAFileIsCutWithTheRightsOfItsReader demotes the admin while the file is sent.
func TestAFileIsCutWithTheRightsOfItsReader(t *testing.T) {
	t.Parallel()
	log := &hooked{}
	w := newWorld(t, func(w *world) { log.AuditLog, w.ports.Store.Audit = w.ports.Store.Audit, log })
	admin, err := w.service.FindUser(t.Context(), w.operator(t), "admin")
	if err != nil {
		t.Fatal(err)
	}
	w.createUser(t, "other", "admin")
	records := make([]domain.Record, 600)
	for i := range records {
		records[i] = domain.Record{At: w.memory.Records()[0].At, Actor: domain.ActorNobody, Action: "login", Outcome: "x", Count: 1}
	}
	if err := w.ports.Store.Audit.Append(t.Context(), records...); err != nil {
		t.Fatal(err)
	}
	log.after = func() {
		if _, err := w.service.UpdateUser(t.Context(), w.operator(t), app.UpdateUser{ID: string(admin.ID), Role: new("member")}); err != nil {
			t.Error(err)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.server.URL+"/console/audit.csv", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := w.admin.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if lines := strings.Count(string(body), "\n"); err == nil || lines > 501 {
		t.Errorf("got %d lines and error %v, want that the file is cut after its first part", lines, err)
	}
}
