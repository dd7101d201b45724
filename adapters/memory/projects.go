package memory

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/flowlatch/flowlatch/domain"
)

// projects is a ports.ProjectRepository.
type projects struct{ store *Store }

// Add stores a project. Returns AlreadyAdded if the pair of Voiceflow project and version
// exists.
func (v projects) Add(ctx context.Context, act domain.Act, p domain.Project) error {
	s := v.store
	if _, err := s.begin(ctx, act, textsOfProject(p)...); err != nil {
		return err
	}
	defer s.leave()
	for _, other := range s.projects {
		if other.Voiceflow == p.Voiceflow && other.Version == p.Version {
			return domain.AlreadyThere(withoutKeys(other))
		}
	}
	if _, found := s.projects[p.ID]; found {
		return domain.IDTaken()
	}
	s.projects[p.ID] = cloneProject(p)
	s.record(act.Record)
	return nil
}

// Remove forgets a project with its grants, sessions, access tokens and conversations.
// Returns NotFound for an unknown id.
func (v projects) Remove(ctx context.Context, act domain.Act, id domain.ProjectID) error {
	s := v.store
	if _, err := s.begin(ctx, act, string(id)); err != nil {
		return err
	}
	defer s.leave()
	if _, found := s.projects[id]; !found {
		return domain.NoSuch("assistant")
	}
	delete(s.projects, id)
	maps.DeleteFunc(s.grants, func(g grant, _ domain.Grant) bool { return g.project == id })
	maps.DeleteFunc(s.rules, func(_ domain.RuleID, r domain.GroupRule) bool { return r.Project == id })
	s.endSessions(func(session domain.Session) bool { return session.Project == id })
	s.removeTokens(func(t token) bool { return t.Project == id })
	maps.DeleteFunc(s.conversations, func(_ domain.ConversationID, c domain.Conversation) bool { return c.Project == id })
	s.record(act.Record)
	return nil
}

// Find returns at most domain.MaxMatches projects within in that ref names.
func (v projects) Find(ctx context.Context, in domain.Visible, ref domain.ProjectRef) ([]domain.Project, error) {
	texts := []string{string(ref.ID), string(ref.Voiceflow), ref.Name}
	found, err := v.within(ctx, in, texts, func(p domain.Project) bool {
		return ref != (domain.ProjectRef{}) && (ref.ID == "" || ref.ID == p.ID) &&
			(ref.Voiceflow == "" || ref.Voiceflow == p.Voiceflow) && (ref.Name == "" || ref.Name == p.Name)
	})
	slices.SortFunc(found, func(a, b domain.Project) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return atMost(domain.MaxMatches, found), err
}

// Page returns at most limit projects within in that the filter picks and that come after the cursor.
func (v projects) Page(ctx context.Context, in domain.Visible, filter domain.ProjectFilter, after domain.Cursor, limit int) ([]domain.Project, error) {
	found, err := v.within(ctx, in, []string{filter.Search, after.Name, after.ID}, func(p domain.Project) bool {
		return filter.Picks(p) && compare(p.Name, string(p.ID), after.Name, after.ID) > 0
	})
	slices.SortFunc(found, func(a, b domain.Project) int { return compare(a.Name, string(a.ID), b.Name, string(b.ID)) })
	found = atMost(limit, found)
	for i, p := range found {
		found[i] = withoutKeys(p)
	}
	return found, err
}

// within returns copies of the projects within in that match, in any order. texts are those that
// the method was given.
func (v projects) within(ctx context.Context, in domain.Visible, texts []string, match func(domain.Project) bool) ([]domain.Project, error) {
	s := v.store
	if err := s.enter(ctx, append(texts, string(in.User()))...); err != nil {
		return nil, err
	}
	defer s.leave()
	var found []domain.Project
	for id, p := range s.projects {
		if s.sees(in, id) && match(p) {
			found = append(found, cloneProject(p))
		}
	}
	return found, nil
}

// Update lets change alter a project and stores the result. Nothing else happens in the
// store while change runs. Returns NotFound for an unknown id.
func (v projects) Update(ctx context.Context, act domain.Act, id domain.ProjectID, change func(p *domain.Project) error) (domain.Project, error) {
	s := v.store
	if _, err := s.begin(ctx, act, string(id)); err != nil {
		return domain.Project{}, err
	}
	defer s.leave()
	changed, err := s.changeProject(id, change)
	if err != nil {
		return domain.Project{}, err
	}
	if changed {
		s.record(act.Record)
	}
	return cloneProject(s.projects[id]), nil
}

// Note lets change alter a project and stores the result, with the record only if that is
// news. Nothing else happens in the store while change runs. Returns NotFound for an unknown
// id.
func (v projects) Note(ctx context.Context, id domain.ProjectID, change func(p *domain.Project) (news bool), rec domain.Record) error {
	s := v.store
	if err := s.enterToWrite(ctx, append(textsOfRecord(rec), string(id))...); err != nil {
		return err
	}
	defer s.leave()
	news := false
	changed, err := s.changeProject(id, func(p *domain.Project) error {
		news = change(p)
		return nil
	})
	if changed && news {
		s.record(rec)
	}
	return err
}

// changeProject stores what Project.Changed keeps of a change of a project, and reports whether that is
// a change.
func (s *Store) changeProject(id domain.ProjectID, change func(p *domain.Project) error) (changed bool, err error) {
	was, found := s.projects[id]
	if !found {
		return false, domain.NoSuch("assistant")
	}
	to := cloneProject(was)
	if err := change(&to); err != nil {
		return false, err
	}
	is := was.Changed(to)
	if is.Equal(was) {
		return false, nil
	}
	if err := domain.Storable(textsOfProject(is)...); err != nil {
		return false, err
	}
	s.projects[id] = cloneProject(is)
	return true, nil
}
