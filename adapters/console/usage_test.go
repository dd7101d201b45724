package console_test

import (
	"encoding/csv"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// day returns the day some days before today.
func day(before int) domain.Day { return domain.DayOf(time.Now().AddDate(0, 0, -before)) }

// use counts calls.
func (w *world) use(t testing.TB, all ...domain.Usage) {
	t.Helper()
	if err := w.ports.Store.Usage.Add(t.Context(), all, nil); err != nil {
		t.Fatal(err)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pizza, trains := w.add(t, 0), w.add(t, 1)
	w.grant(t, "member", pizza)
	admin, member := domain.UserID(w.id(t, "admin")), domain.UserID(w.id(t, "member"))
	w.use(t,
		domain.Usage{UsageKey: domain.UsageKey{Day: day(1), Project: pizza.ID, User: member, Scope: domain.ScopeConverse}, Calls: 1200, Errors: 12, Milliseconds: 1200 * 340},
		domain.Usage{UsageKey: domain.UsageKey{Day: day(3), Project: trains.ID, User: admin, Scope: domain.ScopeExport}, Calls: 7, Errors: 0, Milliseconds: 7 * 2500},
		domain.Usage{UsageKey: domain.UsageKey{Day: day(40), Project: "gone", User: admin, Scope: domain.ScopeConverse}, Calls: 5, Errors: 5},
	)
	for _, tc := range []struct {
		name, query string
		b           *browser
		says, hides []string
	}{
		{"an admin sees the days of all", "", w.admin,
			[]string{"Calls by day", string(day(1)), string(day(3)), "1,200", "12 (1.0 %)", "340 ms", "2.5 s", "1,207", "<title>", "<desc", `aria-current="true">30 days`},
			[]string{string(day(40))}},
		{"a member sees their own days", "", w.member, []string{"Your calls", string(day(1)), "1,200"}, []string{string(day(3)) + "</th>", "1,207"}},
		{"by assistant", "group_by=project", w.admin, []string{"Pizza</a>", "Trains</a>", `<ol class="bars">`, "/console/assistants/" + string(pizza.ID)}, []string{"Calls by day"}},
		{"by assistant for a member", "group_by=project", w.member, []string{"Pizza"}, []string{"Trains", "/console/assistants/" + string(pizza.ID)}},
		{"by user", "group_by=user", w.admin, []string{"member</a>", "admin</a>"}, nil},
		{"by access token", "group_by=token", w.admin, []string{"with a login"}, nil},
		{"by scope", "group_by=scope", w.admin, []string{"converse", "export"}, nil},
		{"a deleted assistant has its id", "group_by=project&from=" + string(day(60)), w.admin, []string{`gone <span class="deleted">(deleted)</span>`}, nil},
		{"of one assistant", "project_id=" + string(trains.ID), w.admin, []string{"Only the assistant", "Trains</a>", "project_id=" + string(trains.ID)}, []string{"1,200"}},
		{"of one user", "user_id=" + string(member), w.admin, []string{"Only the user", "member</a>", "1,200"}, []string{"1,207"}},
		{"a member can't name another", "user_id=" + string(admin), w.member, []string{"1,200"}, []string{"Only the user", "2.5 s"}},
		{"a long range by month", "from=" + string(day(400)), w.admin, []string{"Calls by month"}, nil},
		{"a range of centuries by year", "from=0001-01-01", w.admin, []string{"Calls by year"}, nil},
		{"nothing in the range", "from=2001-01-01&to=2001-01-02", w.admin, []string{"There were no calls in this time."}, []string{"<svg"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.b.get(t, "/console/usage?"+tc.query).want(t, http.StatusOK, tc.says...).wantNo(t, tc.hides...)
		})
	}
	for _, query := range []string{"from=x", "from=2026-02-02&to=2026-02-01", "group_by=day,user", "group_by=x"} {
		w.admin.get(t, "/console/usage?"+query).want(t, http.StatusBadRequest, `role="alert"`, `name="group_by"`)
		w.admin.get(t, "/console/usage.csv?"+query).want(t, http.StatusBadRequest)
	}

	got := w.admin.get(t, "/console/usage.csv?group_by=project").want(t, http.StatusOK)
	if want := `attachment; filename="usage-` + string(day(29)) + "-" + string(day(0)) + `.csv"`; got.header.Get("Content-Disposition") != want {
		t.Errorf("got Content-Disposition %q, want %q", got.header.Get("Content-Disposition"), want)
	}
	rows, err := csv.NewReader(strings.NewReader(got.text)).ReadAll()
	if err != nil || len(rows) != 3 || strings.Join(rows[0], " ") != "project project_name calls errors milliseconds" {
		t.Fatalf("got the rows %q, %v", rows, err)
	}
	if !strings.Contains(got.text, string(pizza.ID)+",Pizza,1200,12,408000\r\n") {
		t.Errorf("the file does not have the calls of Pizza: %s", got.text)
	}
	if own := w.member.get(t, "/console/usage.csv?group_by=day").want(t, http.StatusOK, string(day(1))+",1200,12,408000"); strings.Count(own.text, "\n") != 2 {
		t.Errorf("the file of a member is %q, want one row", own.text)
	}
}

// TestUsageOfMany has more assistants than the table and the chart show.
func TestUsageOfMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := domain.UserID(w.id(t, "admin"))
	var all []domain.Usage
	for i := range 1100 {
		all = append(all, domain.Usage{
			UsageKey: domain.UsageKey{Day: day(0), Project: domain.ProjectID("gone-" + strconv.Itoa(1000+i)), User: admin, Scope: domain.ScopeConverse},
			Calls:    int64(i + 1),
		})
	}
	w.use(t, all...)
	page := w.admin.get(t, "/console/usage?group_by=project").
		want(t, http.StatusOK, "gone-2099", "gone-2000", "1,000 more rows are in the file", "The 20 with the most calls", "605,550").wantNo(t, "gone-1999")
	if n := strings.Count(page.text, "<svg"); n != 20 {
		t.Errorf("got %d bars, want 20", n)
	}
	if n := strings.Count(w.admin.get(t, "/console/usage.csv?group_by=project").text, "\n"); n != 1101 {
		t.Errorf("the file has %d lines, want 1101", n)
	}
}
