package memory

import (
	"context"
	"maps"
	"slices"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.UserRepository = (*Users)(nil)

// Users is a ports.UserRepository, a view on a Store.
type Users struct{ store *Store }

// Create stores a user with their grants. A name that is taken is Conflict; an assistant
// that is not there is NotFound.
func (v *Users) Create(ctx context.Context, u domain.User, rec domain.Record) error {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	for _, there := range s.users {
		if there.Name == u.Name {
			return &domain.Error{Kind: domain.Conflict, Public: "the user name is taken"}
		}
	}
	if err := s.grantAll(u.ID, u.Assistants); err != nil {
		return err
	}
	u.Assistants = nil
	s.users[u.ID] = u
	s.records = append(s.records, rec)
	return nil
}

// grantAll replaces what is granted to the user: what stays keeps its scopes. It is
// NotFound, and changes nothing, when one of the projects is not there.
func (s *Store) grantAll(user domain.UserID, assistants []domain.ProjectID) error {
	for _, id := range assistants {
		if _, found := s.projects[id]; !found {
			return notFound("assistant")
		}
	}
	maps.DeleteFunc(s.grants, func(g grant, _ domain.Grant) bool {
		return g.user == user && !slices.Contains(assistants, g.project)
	})
	for _, id := range assistants {
		g := grant{user, id}
		if _, granted := s.grants[g]; !granted {
			s.grants[g] = domain.Grant{User: user, Project: id, Scopes: domain.DefaultScopes(), Created: domain.Instant(s.now())}
		}
	}
	return nil
}

// whole is the user with what is granted to them.
func (s *Store) whole(u domain.User) domain.User {
	var assistants []domain.ProjectID
	for g := range s.grants {
		if g.user == u.ID {
			assistants = append(assistants, g.project)
		}
	}
	u.SetAssistants(assistants)
	return u
}

// Find returns a user. An unknown id is NotFound.
func (v *Users) Find(ctx context.Context, id domain.UserID) (domain.User, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return domain.User{}, err
	}
	defer s.leave()
	u, found := s.users[id]
	if !found {
		return domain.User{}, notFound("user")
	}
	return s.whole(u), nil
}

// FindByName returns the user with exactly that name. An unknown one is NotFound.
func (v *Users) FindByName(ctx context.Context, name domain.Username) (domain.User, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return domain.User{}, err
	}
	defer s.leave()
	for _, u := range s.users {
		if u.Name == name {
			return s.whole(u), nil
		}
	}
	return domain.User{}, notFound("user")
}

// Page returns at most limit users that come after the cursor.
func (v *Users) Page(ctx context.Context, after domain.Cursor, limit int) ([]domain.User, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	var found []domain.User
	for _, u := range s.users {
		if compare(string(u.Name), string(u.ID), after.Name, after.ID) > 0 {
			found = append(found, s.whole(u))
		}
	}
	slices.SortFunc(found, func(a, b domain.User) int {
		return compare(string(a.Name), string(a.ID), string(b.Name), string(b.ID))
	})
	return atMost(limit, found), nil
}

// otherAdmin says whether another user counts as admin.
func (s *Store) otherAdmin(than domain.UserID) bool {
	for id, u := range s.users {
		if id != than && u.CountsAsAdmin() {
			return true
		}
	}
	return false
}

// Update lets change alter a user and stores what it left, ending the sessions that have
// lost what let them in. Nothing else happens in the store while change runs.
func (v *Users) Update(ctx context.Context, id domain.UserID, change func(u *domain.User, otherAdmin bool) error,
	keep domain.SessionID, rec domain.Record) (domain.User, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return domain.User{}, err
	}
	defer s.leave()
	stored, found := s.users[id]
	if !found {
		return domain.User{}, notFound("user")
	}
	before, changed := s.whole(stored), s.whole(stored)
	if err := change(&changed, s.otherAdmin(id)); err != nil {
		return domain.User{}, err
	}
	after := before
	after.Role, after.Disabled, after.PasswordHash = changed.Role, changed.Disabled, changed.PasswordHash
	after.SetAssistants(changed.Assistants)
	if same(before, after) {
		return after, nil
	}
	if err := s.grantAll(id, after.Assistants); err != nil {
		return domain.User{}, err
	}
	s.endSessions(func(session domain.Session) bool { return session.User == id && lost(session, before, after, keep) })
	stored = after
	stored.Assistants = nil
	s.users[id] = stored
	s.records = append(s.records, rec)
	return after, nil
}

func same(a, b domain.User) bool {
	return a.Role == b.Role && a.Disabled == b.Disabled && a.PasswordHash.Equal(b.PasswordHash) &&
		slices.Equal(a.Assistants, b.Assistants)
}

// lost says whether a session of a user ends when they change from before to after.
func lost(session domain.Session, before, after domain.User, keep domain.SessionID) bool {
	kept := keep != "" && (session.ID == keep || session.Login == keep)
	switch {
	case after.Disabled:
		return true
	case !after.PasswordHash.Equal(before.PasswordHash) && !kept:
		return true
	case session.Kind == domain.LoginSession:
		return false
	case session.ByRole:
		return before.Role == domain.RoleAdmin && after.Role != domain.RoleAdmin
	}
	return !slices.Contains(after.Assistants, session.Project)
}

// Remove forgets a user, their grants, their sessions and their access tokens, if allow
// agrees. Nothing else happens in the store while allow runs.
func (v *Users) Remove(ctx context.Context, id domain.UserID, allow func(u *domain.User, otherAdmin bool) error, rec domain.Record) error {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	stored, found := s.users[id]
	if !found {
		return notFound("user")
	}
	u := s.whole(stored)
	if err := allow(&u, s.otherAdmin(id)); err != nil {
		return err
	}
	delete(s.users, id)
	maps.DeleteFunc(s.grants, func(g grant, _ domain.Grant) bool { return g.user == id })
	s.removeTokens(func(t token) bool { return t.User == id })
	s.endSessions(func(session domain.Session) bool { return session.User == id })
	s.records = append(s.records, rec)
	return nil
}
