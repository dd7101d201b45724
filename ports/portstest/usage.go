package portstest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

// Usage checks every sentence in the comments of ports.Usage.
func Usage(t *testing.T, open OpenStore) {
	check(t, open, append([]sentence{
		{"Add stores counts under their keys, and Report returns them", usageStores},
		{"Add adds to what is stored under the same key", usageAdds},
		{"one Add may repeat a key", usageRepeats},
		{"several Adds at the same instant, of keys in any order, all add up", usageAtOnce},
		{"counts stay when a project, a user or a token is removed", usageStays},
		{"Report counts from the first day to the last, both included", usageDays},
		{"Report groups by every set of fields, and leaves the others empty", usageGroups},
		{"Report counts one project or one user alone, if it is asked to", usageOfOne},
		{"Report is in the order of the bytes of the fields", usageOrder},
		{"Report returns at most limit sums, and goes on after the key", usagePages},
		{"Report of nothing is no error, and Top of it neither", usageNothing},
		{"Top returns the sums with the most calls, those with the same number in the order of their keys, how many there are and their total", usageTop},
		{"Report gives the sums of any counts, paged by any limit", usageModel},
		{"Report of many counts with repeated keys returns all sums in pages", usageMany},
		{"Report holds no connection after it has returned", usageConnections},
		{"no method keeps a record", usageRecords},
		{"Forget removes at most limit counts of days before the day, and returns how many", usageForgotten},
	}, promises("Usage")...))
}

// everyDay are all uses, each by itself.
var everyDay = domain.UsageQuery{From: "0001-01-01", To: "9999-12-31", GroupBy: domain.UsageFields()}

// count returns a new count. Its numbers show whether a sum contains it.
func (f *fixture) count(day domain.Day, project domain.ProjectID, user domain.UserID, token domain.TokenID, scope domain.Scope) domain.Usage {
	n := int64(f.next())
	return domain.Usage{
		UsageKey: domain.UsageKey{Day: day, Project: project, User: user, Token: token, Scope: scope},
		Calls:    n, Errors: 1000 * n, Milliseconds: 1_000_000 * n,
	}
}

// added stores counts.
func (f *fixture) added(t *testing.T, counts ...domain.Usage) []domain.Usage {
	t.Helper()
	wantNil(t, "Add", f.Ports.Usage.Add(t.Context(), counts, nil))
	return counts
}

// report returns all sums of q.
func (f *fixture) report(t *testing.T, what string, q domain.UsageQuery) []domain.Usage {
	t.Helper()
	got, err := f.Ports.Usage.Report(t.Context(), q, nil, 1000)
	wantNil(t, what+": Report", err)
	return got
}

// wantUsage fails the test unless these are all counts.
func (f *fixture) wantUsage(t *testing.T, what string, want ...domain.Usage) {
	t.Helper()
	wantSame(t, what+": Report of everything", f.report(t, what, everyDay), totals(everyDay, want))
}

// totals returns what Report of q returns if counts are stored.
func totals(q domain.UsageQuery, counts []domain.Usage) []domain.Usage {
	sums := map[domain.UsageKey]domain.Usage{}
	for _, u := range counts {
		if !q.Counts(u.UsageKey) {
			continue
		}
		u.UsageKey = u.By(q.GroupBy)
		sums[u.UsageKey] = u.Plus(sums[u.UsageKey])
	}
	var list []domain.Usage
	for _, sum := range sums {
		list = append(list, sum)
	}
	slices.SortFunc(list, func(a, b domain.Usage) int { return a.Compare(b.UsageKey) })
	return list
}

// groupings returns all sets of fields that usage can be grouped by.
func groupings() [][]domain.UsageField {
	var all [][]domain.UsageField
	fields := domain.UsageFields()
	for set := 1; set < 1<<len(fields); set++ {
		var by []domain.UsageField
		for i, field := range fields {
			if set&(1<<i) != 0 {
				by = append(by, field)
			}
		}
		all = append(all, by)
	}
	return all
}

// usageStores has keys that differ in one field alone, and counts as large as they get.
func usageStores(t *testing.T, f *fixture) {
	p, u, k := projectID(1), userID(1), tokenID(1)
	all := f.added(t,
		f.count("2026-11-25", p, u, k, domain.ScopeConverse),
		f.count("2026-11-26", p, u, k, domain.ScopeConverse),
		f.count("2026-11-25", projectID(2), u, k, domain.ScopeConverse),
		f.count("2026-11-25", p, userID(2), k, domain.ScopeConverse),
		f.count("2026-11-25", p, u, tokenID(2), domain.ScopeConverse),
		f.count("2026-11-25", p, u, k, domain.ScopeKnowledge),
		f.count("2026-11-25", p, u, "", domain.ScopeConverse), // by cookie
		f.count("2026-11-25", p, `CN=Ana,OU='Support' "\ %`, "", domain.ScopeTranscriptsDelete),
		f.count("2026-11-25", p, "ユーザー 🙂", "", domain.ScopeKnowledgeWrite),
		f.count("2026-11-25", p, domain.UserID(strings.Repeat("u", 128)), "", domain.ScopeConverse),
		domain.Usage{UsageKey: domain.UsageKey{Day: "2026-11-25", Project: p, User: "many"}, Calls: 1 << 52, Errors: 1 << 51, Milliseconds: 1 << 53},
	)
	f.wantUsage(t, "after Add", all...)
}

func usageAdds(t *testing.T, f *fixture) {
	key := f.count("2026-11-25", projectID(1), userID(1), "", domain.ScopeConverse)
	all := f.added(t, key, f.count("2026-11-25", projectID(2), userID(1), "", domain.ScopeConverse))
	for range 3 {
		again := f.count(key.Day, key.Project, key.User, key.Token, key.Scope)
		fresh := f.count("2026-11-25", projectID(f.next()), userID(1), "", domain.ScopeConverse)
		all = append(all, f.added(t, again, fresh)...)
		f.wantUsage(t, "after Add of a key that is there and one that is not", all...)
	}
	failed := key
	failed.Calls, failed.Errors, failed.Milliseconds = 0, 1, 0
	all = append(all, f.added(t, failed)...)
	f.wantUsage(t, "after Add of an error alone", all...)
	f.added(t)
	f.wantUsage(t, "after Add of nothing", all...)
}

// usageRepeats fails for an adapter whose one statement can't touch a row twice.
func usageRepeats(t *testing.T, f *fixture) {
	var all []domain.Usage
	for range 2 { // with unknown keys, and with known ones
		var counts []domain.Usage
		for n := range 30 {
			counts = append(counts, f.count("2026-11-25", projectID(n/2%3), userID(1), "", domain.ScopeConverse))
		}
		all = append(all, f.added(t, counts...)...)
		f.wantUsage(t, "after Add of three keys ten times each", all...)
	}
	var many []domain.Usage
	for n := range 3000 {
		many = append(many, f.count("2026-11-24", projectID(1), userID(n%700), "", domain.ScopeConverse))
	}
	all = append(all, f.added(t, many...)...)
	f.wantUsage(t, "after Add of 3,000 counts", all...)
}

// usageAtOnce has the keys in another order in each Add: an adapter that locks them in that
// order blocks itself.
func usageAtOnce(t *testing.T, f *fixture) {
	at := f.instances(t)
	batches, errs := make([][]domain.Usage, crowd), make([]error, crowd)
	var all []domain.Usage
	for i := range batches {
		for n := range 12 {
			batches[i] = append(batches[i], f.count("2026-11-25", projectID((n*5+i)%12), userID(1), "", domain.ScopeConverse))
		}
		if i%2 == 1 {
			slices.Reverse(batches[i])
		}
		all = append(all, batches[i]...)
	}
	atOnce(crowd, func(i int) { errs[i] = at[i%len(at)].Ports.Usage.Add(t.Context(), batches[i], nil) })
	for _, err := range errs {
		wantNil(t, fmt.Sprintf("one of %d Adds at the same instant", crowd), err)
	}
	f.wantUsage(t, "after Adds at the same instant", all...)
}

func usageStays(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	token := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
	all := f.added(t, f.count("2026-11-25", p.ID, u.ID, "", domain.ScopeConverse), f.count("2026-11-25", p.ID, u.ID, token.ID, domain.ScopeConverse))
	f.withdraw(t, token.ID)
	f.wantUsage(t, "after the token went", all...)
	f.removeUser(t, u.ID)
	f.wantUsage(t, "after the user went", all...)
	f.remove(t, p.ID)
	f.wantUsage(t, "after the project went", all...)
	all = append(all, f.added(t, f.count("2026-11-25", p.ID, u.ID, token.ID, domain.ScopeConverse))...)
	f.wantUsage(t, "after Add of what has gone", all...)
}

func usageOfOne(t *testing.T, f *fixture) {
	var all []domain.Usage
	for _, day := range []domain.Day{"2026-11-24", "2026-11-25", "2026-11-26"} {
		for _, p := range []int{1, 2} {
			for _, u := range []int{1, 2} {
				all = append(all, f.added(t, f.count(day, projectID(p), userID(u), "", domain.ScopeConverse), f.count(day, projectID(p), userID(u), tokenID(u), domain.ScopeState))...)
			}
		}
	}
	for _, q := range []domain.UsageQuery{
		{Project: projectID(1)}, {User: userID(2)}, {Project: projectID(2), User: userID(1)}, {Project: projectID(404)}, {User: "a host's user"},
	} {
		for _, q.GroupBy = range [][]domain.UsageField{domain.UsageFields(), {domain.UsageDay}, {domain.UsageScope}, {domain.UsageProject, domain.UsageUser}} {
			for _, q.To = range []domain.Day{"2026-11-25", "2026-11-26"} {
				q.From = "2026-11-25"
				want := totals(q, all)
				wantSame(t, fmt.Sprintf("Report of %+v", q), f.report(t, "Report of one", q), want)
				if len(want) > 1 {
					got, err := f.Ports.Usage.Report(t.Context(), q, &want[0].UsageKey, 1)
					wantNil(t, "Report behind the first sum", err)
					wantSame(t, fmt.Sprintf("Report of %+v behind the first sum", q), got, want[1:2])
				}
			}
		}
	}
}

func usageDays(t *testing.T, f *fixture) {
	var all []domain.Usage
	for _, day := range []domain.Day{"0001-01-01", "2025-12-31", "2026-01-01", "2026-01-02", "2026-02-28", "2026-03-01", "2026-10-09", "9999-12-31"} {
		all = append(all, f.added(t, f.count(day, projectID(1), userID(1), "", domain.ScopeConverse), f.count(day, projectID(2), userID(1), "", domain.ScopeConverse))...)
	}
	for _, q := range []struct{ from, to domain.Day }{
		{"2026-01-01", "2026-01-01"}, {"2026-01-01", "2026-03-01"}, {"2025-12-31", "2026-01-02"}, {"2026-01-03", "2026-02-27"},
		{"0001-01-01", "9999-12-31"}, {"2026-03-02", "9999-12-31"}, {"2026-09-10", "2026-10-10"}, {"2026-03-01", "2026-01-01"},
	} {
		for _, by := range groupings() {
			query := domain.UsageQuery{From: q.from, To: q.to, GroupBy: by}
			what := fmt.Sprintf("from %s to %s by %q", q.from, q.to, by)
			wantSame(t, "Report "+what, f.report(t, what, query), totals(query, all))
		}
	}
}

// aFewCounts returns counts in which every set of fields has several counts under one key, and
// several keys.
func (f *fixture) aFewCounts() []domain.Usage {
	var all []domain.Usage
	for _, day := range []domain.Day{"2026-11-25", "2026-11-26"} {
		for p := range 2 {
			for u := range 2 {
				for _, token := range []domain.TokenID{"", tokenID(1)} {
					for _, scope := range []domain.Scope{domain.ScopeTranscripts, domain.ScopeConverse} {
						all = append(all, f.count(day, projectID(p), userID(u), token, scope))
					}
				}
			}
		}
	}
	return all
}

func usageGroups(t *testing.T, f *fixture) {
	all := f.added(t, f.aFewCounts()...)
	for _, by := range groupings() {
		q := domain.UsageQuery{From: "2026-11-25", To: "2026-11-26", GroupBy: by}
		wantSame(t, fmt.Sprintf("Report by %q", by), f.report(t, fmt.Sprintf("by %q", by), q), totals(q, all))
	}
}

// usageOrder has users whose order is another one in every language than in bytes.
func usageOrder(t *testing.T, f *fixture) {
	var all []domain.Usage
	for i, user := range hostsUserIDs() {
		all = append(all, f.count([]domain.Day{"2026-11-25", "2026-11-24"}[i%2], projectID(500-i%7), user, "", domain.ScopeConverse))
	}
	f.added(t, all...)
	for _, by := range groupings() {
		q := everyDay
		q.GroupBy = by
		wantSame(t, fmt.Sprintf("Report by %q", by), f.report(t, fmt.Sprintf("by %q", by), q), totals(q, all))
	}
}

// walkUsage reads all pages of limit each.
func walkUsage(report func(after *domain.UsageKey) ([]domain.Usage, error), limit int) ([]domain.Usage, error) {
	var all []domain.Usage
	var at *domain.UsageKey
	for range 1000 {
		got, err := report(at)
		if err != nil || len(got) == 0 {
			return all, err
		}
		if len(got) > limit {
			return nil, fmt.Errorf("got %d sums, want at most %d", len(got), limit)
		}
		all = append(all, got...)
		at = &got[len(got)-1].UsageKey
	}
	return nil, errors.New("still going on after 1,000 pages, want an end")
}

// usagePages goes on behind keys that are there and some that are not.
func usagePages(t *testing.T, f *fixture) {
	all := f.added(t, f.aFewCounts()...)
	for _, by := range groupings() {
		q := everyDay
		q.GroupBy = by
		want := totals(q, all)
		for limit := 1; limit <= len(want)+1; limit++ {
			what := fmt.Sprintf("Report by %q, paged by %d", by, limit)
			got, err := walkUsage(func(after *domain.UsageKey) ([]domain.Usage, error) {
				return f.Ports.Usage.Report(t.Context(), q, after, limit)
			}, limit)
			wantNil(t, what, err)
			wantSame(t, what, got, want)
		}
	}

	key := domain.UsageKey{Day: "2026-11-25", Project: projectID(1), User: userID(0), Token: tokenID(0), Scope: "converse"}
	for what, at := range map[string]domain.UsageKey{
		"a key that does not exist":        key,
		"a day before all":                 {Day: "2026-11-24", Project: projectID(9)},
		"a day behind all":                 {Day: "2026-11-27"},
		"a scope behind all of a key":      {Day: "2026-11-25", Project: projectID(0), User: userID(0), Token: "", Scope: "z"},
		"a user behind all of a project":   {Day: "2026-11-25", Project: projectID(1), User: "z"},
		"a key of which a field is longer": {Day: "2026-11-25", Project: projectID(0) + " "},
	} {
		var want []domain.Usage
		for _, u := range totals(everyDay, all) {
			if u.Compare(at) > 0 {
				want = append(want, u)
			}
		}
		got, err := f.Ports.Usage.Report(t.Context(), everyDay, &at, 1000)
		wantNil(t, "Report behind "+what, err)
		wantSame(t, "Report behind "+what, got, want)
	}
}

func usageNothing(t *testing.T, f *fixture) {
	wantSame(t, "Report of an empty store", f.report(t, "of an empty store", everyDay), []domain.Usage{})
	f.added(t, f.count("2026-11-25", projectID(1), userID(1), "", domain.ScopeConverse))
	for _, by := range groupings() {
		q := domain.UsageQuery{From: "2026-11-26", To: "2026-11-30", GroupBy: by}
		wantSame(t, "Report of days without any", f.report(t, "of days without any", q), []domain.Usage{})
		f.wantTop(t, q, nil, 5)
	}
}

// wantTop fails the test unless Top of q is that of the counts.
func (f *fixture) wantTop(t *testing.T, q domain.UsageQuery, counts []domain.Usage, limit int) {
	t.Helper()
	list := totals(q, counts)
	want := domain.UsageTop{Sums: int64(len(list))}
	for _, u := range list {
		want.Total.Calls += u.Calls
		want.Total.Errors += u.Errors
		want.Total.Milliseconds += u.Milliseconds
	}
	slices.SortStableFunc(list, func(a, b domain.Usage) int { return int(b.Calls - a.Calls) })
	got, err := f.Ports.Usage.Top(t.Context(), q, limit)
	what := fmt.Sprintf("Top %d of %+v", limit, q)
	wantNil(t, what, err)
	wantSame(t, what, got.Most, list[:min(len(list), limit)])
	if got.Most = nil; got.Sums != want.Sums || got.Total != want.Total {
		t.Errorf("%s: got %d sums with the total %+v, want %d with %+v", what, got.Sums, got.Total, want.Sums, want.Total)
	}
}

// usageTop has sums with the same number of calls, by users whose order is another one in every
// language than in bytes.
func usageTop(t *testing.T, f *fixture) {
	var all []domain.Usage
	for i, user := range hostsUserIDs() {
		u := f.count([]domain.Day{"2026-11-24", "2026-11-25", "2026-11-26"}[i%3], projectID(1+i%4), user, "", domain.ScopeConverse)
		u.Calls = int64(i % 3)
		all = append(all, u)
	}
	f.added(t, all...)
	for _, by := range groupings() {
		for _, q := range []domain.UsageQuery{{}, {Project: projectID(2)}, {User: all[0].User}} {
			q.From, q.To, q.GroupBy = "2026-11-24", "2026-11-25", by
			for _, limit := range []int{1, 3, 1000} {
				f.wantTop(t, q, all, limit)
			}
		}
	}
}

// usageModel adds any counts in any batches, and compares each report with what a map says.
func usageModel(t *testing.T, f *fixture) {
	seed := rand.Uint64()
	t.Logf("the seed is %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	days := []domain.Day{"2026-11-24", "2026-11-25", "2026-11-26"}
	users, scopes := []domain.UserID{"ana", "Ana", "bob", "éva"}, domain.AllScopes().List()
	var all []domain.Usage
	for range 50 {
		batch := make([]domain.Usage, random.IntN(5))
		for i := range batch {
			batch[i] = domain.Usage{
				UsageKey: domain.UsageKey{
					Day: days[random.IntN(len(days))], Project: projectID(random.IntN(2)), User: users[random.IntN(len(users))],
					Token: []domain.TokenID{"", tokenID(1), tokenID(2)}[random.IntN(3)], Scope: scopes[random.IntN(len(scopes))],
				},
				Calls: random.Int64N(1000), Errors: random.Int64N(1000), Milliseconds: random.Int64N(1_000_000),
			}
		}
		all = append(all, f.added(t, batch...)...)
		by := groupings()
		q := domain.UsageQuery{From: days[random.IntN(2)], To: days[1+random.IntN(2)], GroupBy: by[random.IntN(len(by))]}
		limit := 1 + random.IntN(50)
		what := fmt.Sprintf("Report of %+v, paged by %d", q, limit)
		got, err := walkUsage(func(after *domain.UsageKey) ([]domain.Usage, error) {
			return f.Ports.Usage.Report(t.Context(), q, after, limit)
		}, limit)
		wantNil(t, what, err)
		wantSame(t, what, got, totals(q, all))
	}
}

// usageMany adds hundreds of counts at once, more than fit into one page by far.
func usageMany(t *testing.T, f *fixture) {
	random := rand.New(rand.NewPCG(1, 2))
	var all []domain.Usage
	for range 4 {
		counts := make([]domain.Usage, 300) // so that keys come several times
		for i := range counts {
			counts[i] = domain.Usage{
				UsageKey: domain.UsageKey{
					Day: domain.Day(fmt.Sprintf("2026-11-%02d", 1+random.IntN(4))), Project: projectID(random.IntN(3)),
					User:  domain.UserID(fmt.Sprintf("Ü user %d", random.IntN(3))),
					Token: []domain.TokenID{"", tokenID(1), tokenID(2)}[random.IntN(3)], Scope: domain.AllScopes().List()[random.IntN(3)],
				},
				Calls: 1 + random.Int64N(3), Errors: random.Int64N(2), Milliseconds: random.Int64N(1000),
			}
		}
		all = append(all, f.added(t, counts...)...)
	}
	const limit = 7
	for _, by := range groupings() {
		q := domain.UsageQuery{From: "2026-11-02", To: "2026-11-03", GroupBy: by}
		what := fmt.Sprintf("Report by %q, paged by %d", by, limit)
		got, err := walkUsage(func(after *domain.UsageKey) ([]domain.Usage, error) {
			return f.Ports.Usage.Report(t.Context(), q, after, limit)
		}, limit)
		wantNil(t, what, err)
		wantSame(t, what, got, totals(q, all))
	}
}

// usageConnections reads more pages than any pool has connections.
func usageConnections(t *testing.T, f *fixture) {
	all := f.added(t, f.aFewCounts()...)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for n := range 200 {
		_, err := f.Ports.Usage.Report(ctx, everyDay, nil, 1)
		wantNil(t, fmt.Sprintf("Report, the %dth time", n+1), err)
	}
	wantNil(t, "Add after 200 reports", f.Ports.Usage.Add(ctx, all, nil))
}

func usageRecords(t *testing.T, f *fixture) {
	all := f.added(t, f.aFewCounts()...)
	f.wantUsage(t, "after Add", all...)
	f.wantRecords(t, "after Add and Report")
}

func usageForgotten(t *testing.T, f *fixture) {
	var kept []domain.Usage
	for _, day := range []domain.Day{"2026-01-01", "2026-01-02", "2026-01-03"} {
		for i := range 3 {
			counted := f.count(day, projectID(1), userID(i), "", domain.ScopeConverse)
			f.added(t, counted)
			if day >= "2026-01-03" {
				kept = append(kept, counted)
			}
		}
	}
	forget := func(before domain.Day, limit, want int) {
		t.Helper()
		n, err := f.Ports.Usage.Forget(t.Context(), before, limit)
		wantNil(t, "Forget", err)
		wantSame(t, fmt.Sprintf("how many Forget forgets of days before %s, at most %d", before, limit), n, want)
	}
	forget("", 10, 0)
	forget("2026-01-01", 10, 0)
	forget("2026-01-03", 0, 0)
	forget("2026-01-03", 4, 4)
	forget("2026-01-03", 4, 2)
	forget("2026-01-03", 4, 0)
	for _, at := range f.instances(t) {
		left, err := at.Ports.Usage.Report(t.Context(), everyDay, nil, 100)
		wantNil(t, "Report", err)
		wantSame(t, "what is left", len(left), len(kept))
	}
	f.wantRecords(t, "after Forget, which keeps none")
}
