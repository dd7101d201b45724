package memory

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// Names returns the names of the projects within in that the ids name.
func (v projects) Names(ctx context.Context, in domain.Visible, of []domain.ProjectID) (map[domain.ProjectID]string, error) {
	return namesAmong(ctx, v.store, of, func(id domain.ProjectID) (string, bool) {
		p, found := v.store.projects[id]
		return p.Name, found && v.store.sees(in, id)
	}, string(in.User()))
}

// Names returns the names of the users that the ids name.
func (v users) Names(ctx context.Context, of []domain.UserID) (map[domain.UserID]domain.Username, error) {
	return namesAmong(ctx, v.store, of, func(id domain.UserID) (domain.Username, bool) {
		u, found := v.store.users[id]
		return u.Name, found
	})
}

// Names returns the names of the tokens that the ids name, of the user or of all users.
func (v accessTokens) Names(ctx context.Context, user domain.UserID, of []domain.TokenID) (map[domain.TokenID]string, error) {
	return namesAmong(ctx, v.store, of, func(id domain.TokenID) (string, bool) {
		t, found := v.store.tokens[id]
		return t.Name, found && (user == "" || t.User == user)
	}, string(user))
}

// namesAmong returns the names that name finds for the ids. texts are the other texts that the method was
// given.
func namesAmong[ID, Name ~string](ctx context.Context, s *Store, of []ID, name func(ID) (Name, bool), texts ...string) (map[ID]Name, error) {
	if err := s.enter(ctx, texts...); err != nil {
		return nil, err
	}
	defer s.leave()
	if err := domain.MayName(of); err != nil {
		return nil, err
	}
	found := map[ID]Name{}
	for _, id := range of {
		if is, there := name(id); there {
			found[id] = is
		}
	}
	return found, nil
}
