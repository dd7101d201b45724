package memory

import (
	"context"
	"maps"
	"slices"

	"github.com/flowlatch/flowlatch/domain"
)

// users is a ports.UserRepository.
type users struct{ store *Store }

// Create stores a user with their grants. Returns Conflict if the name or the identity is taken. Returns
// NotFound if an assistant does not exist.
func (v users) Create(ctx context.Context, act domain.Act, u domain.User) error {
	s := v.store
	if _, err := s.begin(ctx, act, textsOfUser(u)...); err != nil {
		return err
	}
	defer s.leave()
	if err := act.Changes(domain.User{}, u); err != nil {
		return err
	}
	if _, taken := s.find(domain.UserRef{Name: u.Name}); taken {
		return domain.NameTaken()
	}
	if _, linked := s.find(domain.UserRef{Identity: u.Identity}); linked {
		return domain.IdentityTaken()
	}
	if _, found := s.users[u.ID]; found {
		return domain.IDTaken()
	}
	if err := s.regrant(domain.User{ID: u.ID}, u); err != nil {
		return err
	}
	s.putUser(u)
	s.recordAdmin(act.Record, domain.User{}, u)
	s.record(act.Record)
	return nil
}

// recordAdmin keeps a record if the change of a user made them an admin.
func (s *Store) recordAdmin(rec domain.Record, was, is domain.User) {
	if made, ok := rec.MakesAdmin(was, is); ok {
		s.record(made)
	}
}

// regrant changes the grants of the user from those of was to those of is. Returns NotFound,
// and changes nothing, if a new one is for an unknown project.
func (s *Store) regrant(was, is domain.User) error {
	gone, added := is.Regranted(was)
	for _, id := range added {
		if _, found := s.projects[id]; !found {
			return domain.NoSuch("assistant")
		}
	}
	for _, id := range gone {
		if g, left, err := s.grants[grant{is.ID, id}].Revoked(); err == nil { // what groups grant stays
			s.putGrant(g, left)
		}
	}
	for _, id := range added {
		s.grants[grant{is.ID, id}] = domain.NewGrant(is.ID, id, 0, s.now())
	}
	return nil
}

// putUser stores the user without the assistants, which are grants.
func (s *Store) putUser(u domain.User) {
	u.Assistants = nil
	s.users[u.ID] = u
}

// user returns the user of that id with their assistants.
func (s *Store) user(id domain.UserID) (domain.User, bool) {
	u, found := s.users[id]
	if !found {
		return u, false
	}
	return s.withAssistants(u), true
}

// withAssistants returns the user with their assistants, which are their grants.
func (s *Store) withAssistants(u domain.User) domain.User {
	var assistants []domain.ProjectID
	for g := range s.grants {
		if g.user == u.ID {
			assistants = append(assistants, g.project)
		}
	}
	u.SetAssistants(assistants)
	return u
}

// find returns the user that ref names, with their assistants.
func (s *Store) find(ref domain.UserRef) (domain.User, bool) {
	for id, u := range s.users {
		if ref.Names(u) {
			return s.user(id)
		}
	}
	return domain.User{}, false
}

// Find returns the user that ref names. Returns NotFound if there is none.
func (v users) Find(ctx context.Context, ref domain.UserRef) (domain.User, error) {
	s := v.store
	if err := s.enter(ctx, string(ref.ID), string(ref.Name), ref.Identity.Issuer, ref.Identity.Subject); err != nil {
		return domain.User{}, err
	}
	defer s.leave()
	u, found := s.find(ref)
	if !found {
		return domain.User{}, domain.NoSuch("user")
	}
	return u, nil
}

// Page returns at most limit users that come after the cursor.
func (v users) Page(ctx context.Context, after domain.Cursor, limit int) ([]domain.User, error) {
	s := v.store
	if err := s.enter(ctx, after.Name, after.ID); err != nil {
		return nil, err
	}
	defer s.leave()
	var found []domain.User
	for id, u := range s.users {
		if compare(string(u.Name), string(id), after.Name, after.ID) > 0 {
			u, _ = s.user(id)
			found = append(found, u)
		}
	}
	slices.SortFunc(found, func(a, b domain.User) int {
		return compare(string(a.Name), string(a.ID), string(b.Name), string(b.ID))
	})
	return atMost(limit, found), nil
}

// OtherAdmin reports whether another user counts as an admin.
func (v users) OtherAdmin(ctx context.Context, than domain.UserID) (bool, error) {
	s := v.store
	if err := s.enter(ctx, string(than)); err != nil {
		return false, err
	}
	defer s.leave()
	return s.otherAdmin(than), nil
}

// otherAdmin reports whether another user counts as admin.
func (s *Store) otherAdmin(than domain.UserID) bool {
	for id, u := range s.users {
		if id != than && u.CountsAsAdmin() {
			return true
		}
	}
	return false
}

// HasSignedOnAdmin reports whether an admin who is enabled has logged in by the identity provider.
func (v users) HasSignedOnAdmin(ctx context.Context) (bool, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return false, err
	}
	defer s.leave()
	for _, u := range s.users {
		if u.SignedOnAdmin() {
			return true, nil
		}
	}
	return false, nil
}

// KeptAdmins returns the users who are admins only since there was no other.
func (v users) KeptAdmins(ctx context.Context, limit int) ([]domain.User, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	var kept []domain.User
	for _, id := range slices.Sorted(maps.Keys(s.users)) {
		if u := s.users[id]; u.AdminKept {
			kept = append(kept, u)
		}
	}
	return atMost(limit, kept), nil
}

// Update lets change alter a user, stores the result and ends the sessions that are lost by
// it. Nothing else happens in the store while change runs. Returns NotFound for an unknown
// id or assistant.
func (v users) Update(ctx context.Context, act domain.Act, id domain.UserID, change func(u *domain.User, otherAdmin bool) error,
	keep domain.Kept) (domain.User, error) {
	s := v.store
	if _, err := s.begin(ctx, act, string(id), string(keep.Login)); err != nil {
		return domain.User{}, err
	}
	defer s.leave()
	was, found := s.user(id)
	if !found {
		return domain.User{}, domain.NoSuch("user")
	}
	to := was
	to.Assistants = slices.Clone(was.Assistants)
	if err := change(&to, s.otherAdmin(id)); err != nil {
		return domain.User{}, err
	}
	is := was.Changed(to)
	if is.Equal(was) {
		return is, nil
	}
	if err := act.Changes(was, is); err != nil {
		return domain.User{}, err
	}
	if err := domain.Storable(textsOfUser(is)...); err != nil {
		return domain.User{}, err
	}
	if other, linked := s.find(domain.UserRef{Identity: is.Identity}); is.Identity != (domain.Identity{}) && linked && other.ID != id {
		return domain.User{}, domain.IdentityTaken()
	}
	if err := s.regrant(was, is); err != nil {
		return domain.User{}, err
	}
	is = s.withAssistants(is)
	s.endLost(id, domain.SessionsLostBy(was, is, keep))
	if domain.TokensLostBy(was, is, keep) {
		s.removeTokens(func(t token) bool { return t.User == id })
	}
	s.putUser(is)
	s.recordAdmin(act.Record, was, is)
	if was.Identity != (domain.Identity{}) && is.Identity == (domain.Identity{}) {
		s.carryOut(s.member(is).Unlinked(s.otherAdmin(id), act.Record.At), act.Record.Actor, act.Record)
		is, _ = s.user(id)
	}
	s.record(act.Record)
	return is, nil
}

// Remove forgets a user, their grants, their sessions and their access tokens, if allow
// agrees. Nothing else happens in the store while allow runs. Returns NotFound for an
// unknown id.
func (v users) Remove(ctx context.Context, act domain.Act, id domain.UserID, allow func(u *domain.User, otherAdmin bool) error) error {
	s := v.store
	if _, err := s.begin(ctx, act, string(id)); err != nil {
		return err
	}
	defer s.leave()
	u, found := s.user(id)
	if !found {
		return domain.NoSuch("user")
	}
	if err := allow(&u, s.otherAdmin(id)); err != nil {
		return err
	}
	delete(s.users, id)
	delete(s.groups, id)
	maps.DeleteFunc(s.grants, func(g grant, _ domain.Grant) bool { return g.user == id })
	s.removeTokens(func(t token) bool { return t.User == id })
	s.endSessions(func(session domain.Session) bool { return session.User == id })
	s.record(act.Record)
	return nil
}
