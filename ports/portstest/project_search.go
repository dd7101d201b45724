package portstest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

// searched are the filters of the suite: parts of its names in other letters, and texts that a pattern
// of SQL would read otherwise.
func searched(all []domain.Project) []domain.ProjectFilter {
	var filters []domain.ProjectFilter
	texts := []string{
		"", "\u200b", "zz-none", "ALPH", "PFEL", "Ä", "a", "%", "_", "a%", "_u", `\`, `\\`, `\_`, "'", `"`, "[", "*", "?", "$1", "--", "null",
		"СИС", "Помощ", "\u212a", "i", "SS", "ﬁ", "１", "客服", "👍", "\U0010FFFF", strings.Repeat("X", 200), "production-2_A", "Production-2_a",
	}
	for _, p := range all[:2] {
		texts = append(texts, string(p.ID), strings.ToUpper(string(p.ID)), string(p.ID[:20]), string(p.Voiceflow), strings.ToUpper(string(p.Voiceflow)), p.Version, p.Version[:10])
	}
	for _, text := range texts {
		filters = append(filters, domain.ProjectFilter{Search: text})
	}
	for _, text := range []string{"", "a", "PFEL", "zz-none", "%"} {
		filters = append(filters, domain.ProjectFilter{Search: text, Trouble: true})
	}
	return filters
}

// projectsSearched compares Page with ProjectFilter.Picks on each project. Every third is granted, and
// some are in trouble, each for another reason.
func projectsSearched(t *testing.T, f *fixture) {
	const user = domain.UserID("a host's user")
	reasons := []func(p *domain.Project){
		func(*domain.Project) {},
		func(p *domain.Project) { p.Primary.Status = domain.KeyRejected },
		func(p *domain.Project) {
			p.Secondary = domain.Key{Sealed: otherKey(*p), Status: domain.KeyNeedsReentry}
		},
		func(*domain.Project) {},
		func(p *domain.Project) { p.Personal = domain.Key{Sealed: personalKey(*p), Status: domain.KeyRejected} },
		func(p *domain.Project) { p.Credits = domain.CreditsUsedUp },
		func(p *domain.Project) { p.Primary.Status = domain.KeyUnchecked },
	}
	var all, granted []domain.Project
	for i, name := range names() {
		p := f.project(name)
		reasons[i%len(reasons)](&p)
		if i == 1 {
			p.Version = "production-2_A"
		}
		all = append(all, f.add(t, p))
		if i%3 == 0 {
			f.grant(t, user, p.ID)
			granted = append(granted, p)
		}
	}
	inOrder := func(a, b domain.Project) int {
		return strings.Compare(a.Name+"\x00"+string(a.ID), b.Name+"\x00"+string(b.ID))
	}
	filters := searched(all)
	slices.SortFunc(all, inOrder)
	slices.SortFunc(granted, inOrder)
	for _, filter := range filters {
		for _, from := range []struct {
			in  domain.Visible
			all []domain.Project
		}{{everything, all}, {domain.GrantedTo(user), granted}} {
			what := fmt.Sprintf("Page of %+v within %+v", filter, from.in)
			want := slices.DeleteFunc(slices.Clone(from.all), func(p domain.Project) bool { return !filter.Picks(p) })
			got, err := f.Ports.Projects.Page(t.Context(), from.in, filter, domain.Cursor{}, 1000)
			wantNil(t, what, err)
			wantSame(t, what, got, allUnsealed(want))
			if len(want) < 2 {
				continue
			}
			rest, err := f.Ports.Projects.Page(t.Context(), from.in, filter, cursorAt(want[0]), 1)
			wantNil(t, what+" behind the first", err)
			wantSame(t, what+" behind the first", ids(rest), ids(want[1:2]))
		}
	}
	for _, limit := range []int{0, -1} {
		got, err := f.Ports.Projects.Page(t.Context(), everything, domain.ProjectFilter{Search: "a"}, domain.Cursor{}, limit)
		wantNil(t, "Page with that limit", err)
		wantSame(t, fmt.Sprintf("Page with the limit %d", limit), ids(got), []domain.ProjectID{})
	}
}

// searchFollows changes what a filter looks at, and looks on another instance.
func searchFollows(t *testing.T, f *fixture) {
	p := f.addNamed(t, "Große Pizza")
	f.grant(t, "a host's user", p.ID)
	at := f.instances(t)
	found := func(what string, filter domain.ProjectFilter, want bool) {
		t.Helper()
		for _, in := range []domain.Visible{everything, domain.GrantedTo("a host's user")} {
			got, err := at[len(at)-1].Ports.Projects.Page(t.Context(), in, filter, domain.Cursor{}, 10)
			wantNil(t, what, err)
			if (len(got) == 1) != want {
				t.Fatalf("%s: got %d projects for %+v, want it found: %v", what, len(got), filter, want)
			}
		}
	}
	search := func(text string) domain.ProjectFilter { return domain.ProjectFilter{Search: text} }
	trouble := domain.ProjectFilter{Trouble: true}
	found("after Add", search("GROSSE"), true)
	found("after Add", trouble, false)

	rec := f.record(domain.ActionRefreshProject, domain.OnProject(p.ID))
	_, err := f.Ports.Projects.Update(t.Context(), byOperator(rec), p.ID, func(p *domain.Project) error {
		p.Describe(domain.Description{Name: "Kleine Pasta"})
		return nil
	})
	wantNil(t, "Update of the name", err)
	found("after Update", search("grosse"), false)
	found("after Update", search("PASTA"), true)

	note := func(change func(p *domain.Project) bool) {
		t.Helper()
		wantNil(t, "Note", f.Ports.Projects.Note(t.Context(), p.ID, change, f.record(domain.ActionMarkKey, domain.OnProject(p.ID))))
	}
	note(func(p *domain.Project) bool { return p.Describe(domain.Description{Name: "Ölsardinen"}) })
	found("after Note of a name", search("pasta"), false)
	found("after Note of a name", search("öLSARD"), true)
	note(func(p *domain.Project) bool { return p.MarkOpens(p.Primary.Sealed, false) })
	found("after Note of a key that does not open", trouble, true)
	note(func(p *domain.Project) bool { return p.MarkOpens(p.Primary.Sealed, true) })
	found("after Note of a key that opens again", trouble, false)
	note(func(p *domain.Project) bool { return p.MarkCredits(domain.CreditsUsedUp) })
	found("after Note of used-up credits", domain.ProjectFilter{Search: "sardinen", Trouble: true}, true)
	note(func(p *domain.Project) bool { return p.MarkCredits(domain.CreditsOK) })
	found("after Note of credits", trouble, false)
}
