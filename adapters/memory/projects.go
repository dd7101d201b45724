package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.ProjectRepository = (*Projects)(nil)

// Projects is a ports.ProjectRepository, a view on a Store.
type Projects struct{ store *Store }

// Add stores a project with its key. It is AlreadyAdded where the pair of Voiceflow
// project and version is there.
func (v *Projects) Add(ctx context.Context, p domain.Project, key domain.Sealed, rec domain.Record) error {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	for _, there := range s.projects {
		if there.Voiceflow == p.Voiceflow && there.Version == p.Version {
			return &domain.Error{
				Kind: domain.AlreadyAdded, Public: "this version of the assistant is there already",
				Projects: []domain.Project{there.Project},
			}
		}
	}
	s.projects[p.ID] = project{p, map[domain.Slot]domain.Sealed{domain.SlotPrimary: clone(key)}}
	s.records = append(s.records, rec)
	return nil
}

// Remove forgets a project, and the grants, sessions, access tokens and conversations that
// are about it. An unknown id is NotFound.
func (v *Projects) Remove(ctx context.Context, id domain.ProjectID, rec domain.Record) error {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if _, found := s.projects[id]; !found {
		return notFound("assistant")
	}
	delete(s.projects, id)
	maps.DeleteFunc(s.grants, func(g grant, _ domain.Grant) bool { return g.project == id })
	s.endSessions(func(session domain.Session) bool { return session.Project == id })
	s.removeTokens(func(t token) bool { return t.Project == id })
	maps.DeleteFunc(s.conversations, func(_ domain.ConversationID, c domain.Conversation) bool { return c.Project == id })
	s.records = append(s.records, rec)
	return nil
}

// Find returns at most domain.MaxMatches projects within in that ref names.
func (v *Projects) Find(ctx context.Context, in domain.Visible, ref domain.ProjectRef) ([]domain.Project, error) {
	if ref == (domain.ProjectRef{}) {
		ref.ID = "none" // which no project has
	}
	found, err := v.within(ctx, in, func(p domain.Project) bool {
		return (ref.ID == "" || ref.ID == p.ID) && (ref.Voiceflow == "" || ref.Voiceflow == p.Voiceflow) &&
			(ref.Name == "" || ref.Name == p.Name)
	})
	slices.SortFunc(found, func(a, b domain.Project) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return atMost(domain.MaxMatches, found), err
}

// Page returns at most limit projects within in that come after the cursor.
func (v *Projects) Page(ctx context.Context, in domain.Visible, after domain.Cursor, limit int) ([]domain.Project, error) {
	found, err := v.within(ctx, in, func(p domain.Project) bool {
		return compare(p.Name, string(p.ID), after.Name, after.ID) > 0
	})
	slices.SortFunc(found, func(a, b domain.Project) int { return compare(a.Name, string(a.ID), b.Name, string(b.ID)) })
	return atMost(limit, found), err
}

// atMost is the beginning of a list.
func atMost[T any](limit int, list []T) []T { return list[:min(len(list), max(limit, 0))] }

// compare orders a list by name, then by id.
func compare(name, id, otherName, otherID string) int {
	return cmp.Or(strings.Compare(name, otherName), strings.Compare(id, otherID))
}

// within returns the projects within in that match, in any order.
func (v *Projects) within(ctx context.Context, in domain.Visible, match func(domain.Project) bool) ([]domain.Project, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	var found []domain.Project
	for id, p := range s.projects {
		if s.sees(in, id) && match(p.Project) {
			found = append(found, p.Project)
		}
	}
	return found, nil
}

// Keys returns the sealed keys of a project. An unknown id is NotFound.
func (v *Projects) Keys(ctx context.Context, id domain.ProjectID) (map[domain.Slot]domain.Sealed, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	p, found := s.projects[id]
	if !found {
		return nil, notFound("assistant")
	}
	keys := make(map[domain.Slot]domain.Sealed, len(p.keys))
	for slot, key := range p.keys {
		keys[slot] = clone(key)
	}
	return keys, nil
}

// Grant lets a user use a project within the scopes. An unknown project is NotFound.
func (v *Projects) Grant(ctx context.Context, user domain.UserID, id domain.ProjectID, scopes domain.Scopes, at time.Time, rec domain.Record) error {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if _, found := s.projects[id]; !found {
		return notFound("assistant")
	}
	g := grant{user, id}
	is, found := s.grants[g]
	was := is.Scopes
	switch {
	case scopes != 0:
		is.Scopes = scopes
	case !found:
		is.Scopes = domain.DefaultScopes()
	}
	if is.Scopes == was { // none has the empty set
		return nil
	}
	if !found {
		is.User, is.Project, is.Created = user, id, domain.Instant(at)
	}
	s.grants[g] = is
	s.records = append(s.records, rec)
	return nil
}

// Grants returns at most limit grants that the filter picks and that come after the
// cursor.
func (v *Projects) Grants(ctx context.Context, filter domain.GrantFilter, after domain.Cursor, limit int) ([]domain.Grant, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	var found []domain.Grant
	for g, is := range s.grants {
		if (filter.User == "" || filter.User == g.user) && (filter.Project == "" || filter.Project == g.project) &&
			compare(string(g.user), string(g.project), after.Name, after.ID) > 0 {
			found = append(found, is)
		}
	}
	slices.SortFunc(found, func(a, b domain.Grant) int {
		return compare(string(a.User), string(a.Project), string(b.User), string(b.Project))
	})
	return atMost(limit, found), nil
}

// Revoke takes a grant back and ends the sessions that it let in.
func (v *Projects) Revoke(ctx context.Context, user domain.UserID, id domain.ProjectID, rec domain.Record) error {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	g := grant{user, id}
	if _, granted := s.grants[g]; !granted {
		return nil
	}
	delete(s.grants, g)
	s.endSessions(func(session domain.Session) bool { return letIn(session, g) })
	s.records = append(s.records, rec)
	return nil
}

// PutKey puts a key into a slot of a project. An unknown id is NotFound.
func (v *Projects) PutKey(ctx context.Context, id domain.ProjectID, slot domain.Slot, key domain.Sealed, as domain.Description,
	at time.Time, rec domain.Record,
) (domain.Project, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return domain.Project{}, err
	}
	defer s.leave()
	p, found := s.projects[id]
	if !found {
		return domain.Project{}, notFound("assistant")
	}
	p.Project = p.Marked(slot, domain.KeyOK)
	p.Name, p.Platform = as.Name, as.Platform
	p.KeyChecked, p.KeySet = domain.Instant(at), domain.Instant(at)
	p.keys[slot] = clone(key)
	s.projects[id] = p
	s.records = append(s.records, rec)
	return p.Project, nil
}

// Refresh stores what a project is called now. An unknown id is NotFound.
func (v *Projects) Refresh(ctx context.Context, id domain.ProjectID, as domain.Description, rec domain.Record) error {
	return v.change(ctx, id, rec, func(p *domain.Project) error {
		p.Name, p.Platform = as.Name, as.Platform
		return nil
	})
}

// MarkKey records what is known of the key in a slot. An unknown id and an empty slot are
// NotFound.
func (v *Projects) MarkKey(ctx context.Context, id domain.ProjectID, slot domain.Slot, status domain.KeyStatus,
	at time.Time, rec domain.Record,
) error {
	at = domain.Instant(at)
	return v.change(ctx, id, rec, func(p *domain.Project) error {
		switch {
		case p.Status(slot) == domain.KeyNone:
			return notFound("key")
		case !at.IsZero() && at.Before(p.KeySet):
			return nil
		}
		*p = p.Marked(slot, status)
		if at.After(p.KeyChecked) {
			p.KeyChecked = at
		}
		return nil
	})
}

// MarkCredits records what is known of a project's credits. An unknown id is NotFound.
func (v *Projects) MarkCredits(ctx context.Context, id domain.ProjectID, credits domain.Credits, rec domain.Record) error {
	return v.change(ctx, id, rec, func(p *domain.Project) error {
		p.Credits = credits
		return nil
	})
}

// change changes a project, and keeps the record unless nothing changed, or only when its
// key was checked.
func (v *Projects) change(ctx context.Context, id domain.ProjectID, rec domain.Record, change func(*domain.Project) error) error {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	p, found := s.projects[id]
	if !found {
		return notFound("assistant")
	}
	was := p.Project
	if err := change(&p.Project); err != nil {
		return err
	}
	s.projects[id] = p
	was.KeyChecked = p.KeyChecked
	if p.Project != was {
		s.records = append(s.records, rec)
	}
	return nil
}
