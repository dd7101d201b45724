package bunstore_test

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
)

// TestGrantsBehindEveryPlace looks at every page that there can be: each kind of filter
// and of place has a range of an index of its own.
func TestGrantsBehindEveryPlace(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		s := migrated(t, database(t), bunstore.Options{})
		names := []string{"", "a", "b", "B", "user", "ü", "zz"}
		var all []domain.Grant
		for n := range 4 {
			if err := s.Ports().Projects.Add(t.Context(), act("add"), project(n)); err != nil {
				t.Fatal(err)
			}
			for i, user := range names[1:] {
				if (n+i)%3 == 0 {
					continue
				}
				g := domain.NewGrant(domain.UserID(user), project(n).ID, domain.ScopesOf(domain.AllScopes().List()[i]), time.Unix(int64(i), 0))
				if err := s.Ports().Grants.Put(t.Context(), act("grant"), g.User, g.Project, g.Scopes, g.Created); err != nil {
					t.Fatal(err)
				}
				all = append(all, g)
			}
		}
		slices.SortFunc(all, func(a, b domain.Grant) int {
			return cmp.Or(cmp.Compare(a.User, b.User), cmp.Compare(a.Project, b.Project))
		})
		projects := []domain.ProjectID{"", "a project", project(0).ID, project(2).ID, "project-9"}
		for _, user := range names {
			for _, p := range projects {
				for _, afterUser := range names {
					for _, afterProject := range projects {
						filter := domain.GrantFilter{User: domain.UserID(user), Project: p}
						after := domain.Cursor{Name: afterUser, ID: string(afterProject)}
						var want []domain.Grant
						for _, g := range all {
							picked := (user == "" || g.User == filter.User) && (p == "" || g.Project == p)
							behind := cmp.Or(cmp.Compare(string(g.User), after.Name), cmp.Compare(string(g.Project), after.ID)) > 0
							if picked && behind && len(want) < 5 {
								want = append(want, g)
							}
						}
						got, err := s.Ports().Grants.Page(t.Context(), filter, after, 5)
						if err != nil || !slices.EqualFunc(got, want, domain.Grant.Equal) {
							t.Fatalf("Grants of %+v behind %+v: got %+v and error %v, want %+v", filter, after, got, err, want)
						}
					}
				}
			}
		}
	})
}
