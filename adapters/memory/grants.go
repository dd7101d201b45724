package memory

import (
	"context"
	"slices"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// grants is a ports.Grants.
type grants struct{ store *Store }

// Put lets a user use a project. Returns NotFound for an unknown project.
func (v grants) Put(ctx context.Context, act domain.Act, user domain.UserID, project domain.ProjectID, scopes domain.Scopes, at time.Time) error {
	s := v.store
	if _, err := s.begin(ctx, act, string(user), string(project)); err != nil {
		return err
	}
	defer s.leave()
	if _, found := s.projects[project]; !found {
		return domain.NoSuch("assistant")
	}
	was, found := s.grants[grant{user, project}]
	is := domain.NewGrant(user, project, scopes, at)
	if found {
		is = was.Regranted(scopes)
	}
	if is.Equal(was) {
		return nil
	}
	s.grants[grant{user, project}] = is
	s.record(act.Record)
	return nil
}

// Remove takes a grant back and ends the sessions that it allowed.
func (v grants) Remove(ctx context.Context, act domain.Act, user domain.UserID, project domain.ProjectID) error {
	s := v.store
	if _, err := s.begin(ctx, act, string(user), string(project)); err != nil {
		return err
	}
	defer s.leave()
	was, found := s.grants[grant{user, project}]
	if !found {
		return nil
	}
	is, left, err := was.Revoked()
	if err != nil {
		return err
	}
	s.putGrant(is, left)
	s.record(act.Record)
	return nil
}

// putGrant stores the grant. If nothing is left of it, it is removed, and the sessions that it allowed
// end.
func (s *Store) putGrant(g domain.Grant, left bool) {
	if left {
		s.grants[grant{g.User, g.Project}] = g
		return
	}
	delete(s.grants, grant{g.User, g.Project})
	s.endLost(g.User, domain.SessionsLostByRevoking(g.Project))
}

// Page returns at most limit grants that match the filter and come after the cursor.
func (v grants) Page(ctx context.Context, filter domain.GrantFilter, after domain.Cursor, limit int) ([]domain.Grant, error) {
	s := v.store
	if err := s.enter(ctx, string(filter.User), string(filter.Project), after.Name, after.ID); err != nil {
		return nil, err
	}
	defer s.leave()
	var found []domain.Grant
	for g, is := range s.grants {
		if (filter.User == "" || filter.User == g.user) && (filter.Project == "" || filter.Project == g.project) &&
			compare(string(g.user), string(g.project), after.Name, after.ID) > 0 {
			found = append(found, cloneGrant(is))
		}
	}
	slices.SortFunc(found, func(a, b domain.Grant) int {
		return compare(string(a.User), string(a.Project), string(b.User), string(b.Project))
	})
	return atMost(limit, found), nil
}
