package portstest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

// findMatches would show an adapter that takes the fields of a ref for alternatives, or
// the zero ref for all.
func findMatches(t *testing.T, f *fixture) {
	a := f.addNamed(t, "twin")
	b := f.addNamed(t, "twin")
	c := f.project("single")
	c.Voiceflow = a.Voiceflow // another version of the assistant that a is of
	f.add(t, c)

	for _, tc := range []struct {
		name string
		ref  domain.ProjectRef
		want []domain.ProjectID
	}{
		{"an id", domain.ProjectRef{ID: b.ID}, []domain.ProjectID{b.ID}},
		{"a Voiceflow id of two versions", domain.ProjectRef{Voiceflow: a.Voiceflow}, []domain.ProjectID{a.ID, c.ID}},
		{"a name of two", domain.ProjectRef{Name: "twin"}, []domain.ProjectID{a.ID, b.ID}},
		{"an id and its name", domain.ProjectRef{ID: b.ID, Name: "twin"}, []domain.ProjectID{b.ID}},
		{"an id and another's name", domain.ProjectRef{ID: b.ID, Name: "single"}, nil},
		{"an id and its Voiceflow id", domain.ProjectRef{ID: c.ID, Voiceflow: c.Voiceflow}, []domain.ProjectID{c.ID}},
		{"an id and another's Voiceflow id", domain.ProjectRef{ID: b.ID, Voiceflow: a.Voiceflow}, nil},
		{"a Voiceflow id and a name of one version", domain.ProjectRef{Voiceflow: a.Voiceflow, Name: "single"}, []domain.ProjectID{c.ID}},
		{"a Voiceflow id and another's name", domain.ProjectRef{Voiceflow: b.Voiceflow, Name: "single"}, nil},
		{"all three", domain.ProjectRef{ID: a.ID, Voiceflow: a.Voiceflow, Name: "twin"}, []domain.ProjectID{a.ID}},
		{"all three, but the name is another's", domain.ProjectRef{ID: a.ID, Voiceflow: a.Voiceflow, Name: "single"}, nil},
		{"an unknown id", domain.ProjectRef{ID: projectID(404)}, nil},
		{"an unknown Voiceflow id", domain.ProjectRef{Voiceflow: voiceflowID(404)}, nil},
		{"an unknown name", domain.ProjectRef{Name: "nobody"}, nil},
		{"the zero ref", domain.ProjectRef{}, nil},
	} {
		got, err := f.Ports.Projects.Find(t.Context(), everything, tc.ref)
		wantNil(t, "Find by "+tc.name, err)
		wantSame(t, "Find by "+tc.name, ids(got), tc.want)
	}
}

// findNames looks for every name among all others, so that any two that a collation takes
// for one show.
func findNames(t *testing.T, f *fixture) {
	for _, name := range names() {
		f.addNamed(t, name)
	}
	for _, name := range names() {
		got, err := f.Ports.Projects.Find(t.Context(), everything, domain.ProjectRef{Name: name})
		wantNil(t, fmt.Sprintf("Find by the name %q", name), err)
		var found []string
		for _, p := range got {
			found = append(found, p.Name)
		}
		wantSame(t, fmt.Sprintf("the names found by %q", name), found, []string{name})
	}
}

// findOrder looks at both sides of the limit.
func findOrder(t *testing.T, f *fixture) {
	// They are added in the order 2, 1, 4, 3 …, so neither that order nor its reverse is the
	// order of the ids.
	var all []domain.ProjectID
	for n := 1; n <= domain.MaxMatches+1; n++ {
		p := f.project("same")
		p.ID = projectID(1000 + (n - 1) ^ 1)
		f.add(t, p)
		all = append(all, p.ID)
		slices.Sort(all)

		got, err := f.Ports.Projects.Find(t.Context(), everything, domain.ProjectRef{Name: "same"})
		wantNil(t, "Find", err)
		wantSame(t, fmt.Sprintf("Find of %d with one name", n), ids(got), all[:min(n, domain.MaxMatches)])
	}
}

// projectsVisible has more projects out of sight than any limit, and with lower ids, so
// that an adapter that limits before it looks at the grants finds nothing.
func projectsVisible(t *testing.T, f *fixture) {
	const user, other = domain.UserID("a host's user"), domain.UserID("another")
	var all []domain.ProjectID
	for range domain.MaxMatches + 3 {
		all = append(all, f.addNamed(t, "same").ID)
	}
	last := all[len(all)-1]
	f.grant(t, user, last)
	f.grant(t, other, all[0])
	f.grantScopes(t, "many", all[1], domain.ScopesOf(domain.ScopeConverse, domain.ScopeExport))
	f.grantScopes(t, "many", all[0], domain.ScopesOf(domain.ScopeTranscripts))
	f.grantScopes(t, "many", all[2], domain.ScopesOf(domain.ScopeTranscriptsDelete, domain.ScopeExport))
	f.grantScopes(t, "many", last, domain.AllScopes())

	for _, tc := range []struct {
		name string
		in   domain.Visible
		want []domain.ProjectID
	}{
		{"everything", everything, all},
		{"what is granted to a user", domain.GrantedTo(user), []domain.ProjectID{last}},
		{"what is granted to another", domain.GrantedTo(other), []domain.ProjectID{all[0]}},
		{"what is granted to somebody without a grant", domain.GrantedTo("nobody"), nil},
		{"the zero Visible", domain.Visible{}, nil},
		{"what is granted with a scope", domain.GrantedTo("many").Within(domain.ScopeConverse), []domain.ProjectID{all[1], last}},
		{"what is granted with a scope whose name begins with another", domain.GrantedTo("many").Within(domain.ScopeTranscriptsDelete), []domain.ProjectID{all[2], last}},
		{"what is granted with a scope with which another begins", domain.GrantedTo("many").Within(domain.ScopeTranscripts), []domain.ProjectID{all[0], last}},
		{"what is granted with a scope that no grant has", domain.GrantedTo(user).Within(domain.ScopeExport), nil},
		{"what is granted with what is no scope", domain.GrantedTo("many").Within("%"), nil},
		{"everything, with a scope", everything.Within(domain.ScopeConverse), all},
		{"the zero Visible with a scope", domain.Visible{}.Within(domain.ScopeConverse), nil},
	} {
		f.wantSeen(t, "within "+tc.name, tc.in, tc.want...)

		got, err := f.Ports.Projects.Find(t.Context(), tc.in, domain.ProjectRef{Name: "same"})
		wantNil(t, "Find within "+tc.name, err)
		wantSame(t, "Find by name within "+tc.name, ids(got), tc.want[:min(len(tc.want), domain.MaxMatches)])

		for _, id := range []domain.ProjectID{all[0], all[1], last} {
			got, err := f.Ports.Projects.Find(t.Context(), tc.in, domain.ProjectRef{ID: id})
			wantNil(t, "Find within "+tc.name, err)
			if found := len(got) == 1; found != slices.Contains(tc.want, id) {
				t.Fatalf("Find by id within %s: got %d projects, want it found: %v", tc.name, len(got), !found)
			}
		}
		got, err = f.Ports.Projects.Page(t.Context(), tc.in, domain.ProjectFilter{}, domain.Cursor{}, 1)
		wantNil(t, "Page within "+tc.name, err)
		wantSame(t, "the first page of one within "+tc.name, ids(got), tc.want[:min(len(tc.want), 1)])
	}
}

func pageLimit(t *testing.T, f *fixture) {
	got, err := f.Ports.Projects.Page(t.Context(), everything, domain.ProjectFilter{}, domain.Cursor{}, 10)
	wantNil(t, "Page of an empty list", err)
	wantSame(t, "Page of an empty list", ids(got), []domain.ProjectID{})

	var all []domain.Project
	for n := range 5 {
		all = append(all, f.addNamed(t, fmt.Sprintf("project %d", n)))
	}
	for limit := 1; limit <= 6; limit++ {
		got, err := f.Ports.Projects.Page(t.Context(), everything, domain.ProjectFilter{}, domain.Cursor{}, limit)
		wantNil(t, "Page", err)
		wantSame(t, fmt.Sprintf("Page of 5 projects with the limit %d", limit), got, allUnsealed(all[:min(limit, 5)]))
	}
	got, err = f.Ports.Projects.Page(t.Context(), everything, domain.ProjectFilter{}, cursorAt(all[4]), 10)
	wantNil(t, "Page behind the last project", err)
	wantSame(t, "Page behind the last project", ids(got), []domain.ProjectID{})
}

func cursorAt(p domain.Project) domain.Cursor { return domain.Cursor{Name: p.Name, ID: string(p.ID)} }

// walk reads all pages of limit each, and calls between after each page.
func (f *fixture) walk(t *testing.T, in domain.Visible, limit int, between func(page int)) []domain.Project {
	t.Helper()
	var all []domain.Project
	var at domain.Cursor
	for page := 1; ; page++ {
		got, err := f.Ports.Projects.Page(t.Context(), in, domain.ProjectFilter{}, at, limit)
		wantNil(t, fmt.Sprintf("page %d of %d each", page, limit), err)
		if len(got) > limit {
			t.Fatalf("page %d: got %d projects, want at most %d", page, len(got), limit)
		}
		if len(got) == 0 {
			return all
		}
		if page > 1000 {
			t.Fatalf("paging with the limit %d: still going on after 1,000 pages, want an end", limit)
		}
		all = append(all, got...)
		at = cursorAt(got[len(got)-1])
		between(page)
	}
}

func byNameAndID(a, b domain.Project) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(string(a.ID), string(b.ID)))
}

// pageOrder has names whose order is another one in every language than in bytes.
func pageOrder(t *testing.T, f *fixture) {
	var all []domain.Project
	for i, name := range names() {
		p := f.project(name)
		p.ID = projectID(5000 - i) // ids against the order of coming
		all = append(all, f.add(t, p))
	}
	slices.SortFunc(all, byNameAndID)
	for _, limit := range []int{1, 7, len(all)} {
		got := f.walk(t, everything, limit, func(int) {})
		wantSame(t, fmt.Sprintf("the names, paged by %d, in the order of their bytes", limit), projectNames(got), projectNames(all))
		wantSame(t, fmt.Sprintf("the projects, paged by %d", limit), got, allUnsealed(all))
	}
}

func projectNames(ps []domain.Project) []string {
	all := make([]string, len(ps))
	for i, p := range ps {
		all[i] = p.Name
	}
	return all
}

// pageCursor has more projects of one name than a page holds: a cursor that is a name
// alone, or a number of rows, passes over some or shows some twice.
func pageCursor(t *testing.T, f *fixture) {
	const user = domain.UserID("a host's user")
	var all, granted []domain.Project
	for _, name := range []string{"a", "same", "same", "same", "same", "same", "same", "same", "z"} {
		p := f.addNamed(t, name)
		all = append(all, p)
		if len(all)%2 == 1 {
			f.grant(t, user, p.ID)
			granted = append(granted, p)
		}
	}
	for limit := 1; limit <= len(all)+1; limit++ {
		wantSame(t, fmt.Sprintf("all projects, paged by %d through equal names", limit),
			ids(f.walk(t, everything, limit, func(int) {})), ids(all))
		wantSame(t, fmt.Sprintf("the granted projects, paged by %d through equal names", limit),
			ids(f.walk(t, domain.GrantedTo(user), limit, func(int) {})), ids(granted))
	}

	wantBehind := func(what string, at domain.Cursor, want []domain.Project) {
		t.Helper()
		got, err := f.Ports.Projects.Page(t.Context(), everything, domain.ProjectFilter{}, at, 100)
		wantNil(t, "Page behind "+what, err)
		wantSame(t, "Page behind "+what, ids(got), ids(want))
	}
	gone := all[4]
	f.remove(t, gone.ID)
	wantBehind("a project that is gone", cursorAt(gone), all[5:])
	wantBehind("a name that no project has", domain.Cursor{Name: "b", ID: string(projectID(0))}, slices.Delete(slices.Clone(all), 4, 5)[1:])
	wantBehind("the lowest id of a name", domain.Cursor{Name: "z", ID: string(projectID(0))}, all[8:])
	wantBehind("the highest id of a name", domain.Cursor{Name: "same", ID: "ffffffff-ffff-ffff-ffff-ffffffffffff"}, all[8:])
	wantBehind("a longer name", domain.Cursor{Name: "same ", ID: string(projectID(0))}, all[8:])
	wantBehind("a name behind all", domain.Cursor{Name: "\U0010FFFF", ID: string(projectID(0))}, nil)
	wantBehind("a name in capitals", domain.Cursor{Name: "Z", ID: string(projectID(0))}, slices.Delete(slices.Clone(all), 4, 5))
}

// pageMoves changes the list between any two pages.
func pageMoves(t *testing.T, f *fixture) {
	var stay, leave []domain.Project
	for n := range 20 {
		stay = append(stay, f.addNamed(t, fmt.Sprintf("%02d", n/3)))
		leave = append(leave, f.addNamed(t, fmt.Sprintf("%02d", n/3)))
	}
	for _, limit := range []int{1, 3, 7} {
		got := f.walk(t, everything, limit, func(page int) {
			f.addNamed(t, "!") // before every cursor
			f.addNamed(t, fmt.Sprintf("%02d", page%7))
			if len(leave) > 0 {
				f.remove(t, leave[0].ID)
				leave = leave[1:]
			}
		})
		seen := map[domain.ProjectID]int{}
		for _, p := range got {
			seen[p.ID]++
		}
		for _, p := range got {
			if seen[p.ID] > 1 {
				t.Fatalf("paging by %d while projects come and go: got %q %d times, want it once", limit, p.Name, seen[p.ID])
			}
		}
		for _, p := range stay {
			if seen[p.ID] != 1 {
				t.Fatalf("paging by %d while projects come and go: got %q, which was there all the time, %d times, want it once", limit, p.Name, seen[p.ID])
			}
		}
		if !slices.IsSortedFunc(got, byNameAndID) {
			t.Fatalf("paging by %d while projects come and go: got %q, want them in the order of (name, id)", limit, projectNames(got))
		}
	}
}

// pageConnections reads more pages than any pool has connections.
func pageConnections(t *testing.T, f *fixture) {
	for n := range 3 {
		f.addNamed(t, fmt.Sprintf("project %d", n))
	}
	// Many pages, each followed by nothing that would free what it held, and then a write.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for n := range 200 {
		_, err := f.Ports.Projects.Page(ctx, everything, domain.ProjectFilter{}, domain.Cursor{}, 1)
		wantNil(t, fmt.Sprintf("Page, the %dth time", n+1), err)
	}
	p := f.project("after")
	wantNil(t, "Add after 200 pages", f.Ports.Projects.Add(ctx, f.act(domain.ActionAddProject, domain.OnProject(p.ID)), p))
}
