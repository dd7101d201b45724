package app_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

func TestProjectsAreSearched(t *testing.T) {
	w := newWorld(t)
	all := map[string]domain.Project{}
	for i, name := range []string{"Café Bot", "Pizza Palace", "Pizza Express"} {
		all[name] = w.project(t, name, fmt.Sprintf("%s%02d", versionID[:22], i))
	}
	used := all["Pizza Express"]
	err := w.store.Ports().Projects.Note(t.Context(), used.ID, func(p *domain.Project) bool { return p.MarkCredits(domain.CreditsUsedUp) }, domain.Record{})
	if err != nil {
		t.Fatal(err)
	}
	w.user(t, w.admin, "ben", "member", string(all["Café Bot"].ID), string(used.ID))
	w.user(t, w.admin, "eve", "member")
	ben, _ := w.login(t, "ben", false)
	eve, _ := w.login(t, "eve", false)
	for _, tc := range []struct {
		name  string
		call  domain.Call
		in    app.SearchProjects
		fails domain.Kind
		want  []string
	}{
		{"nothing finds all", w.admin, app.SearchProjects{}, "", []string{"Café Bot", "Pizza Express", "Pizza Palace"}},
		{"a part in other letters", w.admin, app.SearchProjects{Search: " PIZZA "}, "", []string{"Pizza Express", "Pizza Palace"}},
		{"another Unicode form", w.admin, app.SearchProjects{Search: "cafe\u0301"}, "", []string{"Café Bot"}},
		{"an Id", w.admin, app.SearchProjects{Search: strings.ToUpper(string(used.ID))}, "", []string{"Pizza Express"}},
		{"a Voiceflow project id", w.admin, app.SearchProjects{Search: string(voiceflowID)}, "", []string{"Café Bot", "Pizza Express", "Pizza Palace"}},
		{"a version", w.admin, app.SearchProjects{Search: used.Version}, "", []string{"Pizza Express"}},
		{"no match is no error", w.admin, app.SearchProjects{Search: "pasta"}, "", nil},
		{"those in trouble", w.admin, app.SearchProjects{Trouble: true}, "", []string{"Pizza Express"}},
		{"those in trouble by name", w.admin, app.SearchProjects{Search: "palace", Trouble: true}, "", nil},
		{"a member finds what is granted", ben, app.SearchProjects{Search: "p"}, "", []string{"Pizza Express"}},
		{"a member without grants finds nothing", eve, app.SearchProjects{}, "", nil},
		{"a member does not learn what is in trouble", ben, app.SearchProjects{Trouble: true}, domain.NotAllowed, nil},
		{"a search that is too long", w.admin, app.SearchProjects{Search: strings.Repeat("x", domain.MaxProjectName+1)}, domain.Invalid, nil},
		{"a search with NUL", w.admin, app.SearchProjects{Search: "a\x00"}, domain.Invalid, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			after := domain.Cursor{}
			for pages := 0; pages < 5; pages++ {
				page, err := w.SearchProjects(t.Context(), tc.call, tc.in, after, 1)
				wantKind(t, err, tc.fails)
				for _, p := range page.Items {
					got = append(got, p.Name)
				}
				if page.Next == nil {
					break
				}
				after = *page.Next
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
	_, err = w.SearchProjects(t.Context(), w.admin, app.SearchProjects{}, domain.Cursor{}, 0)
	wantKind(t, err, domain.Invalid)
}
