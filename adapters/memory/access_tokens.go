package memory

import (
	"context"
	"slices"
	"strings"

	"github.com/flowlatch/flowlatch/domain"
)

// accessTokens is a ports.AccessTokens.
type accessTokens struct{ store *Store }

// Create stores a token under its hash. Returns NotFound if its user or project does not
// exist, and the error of domain.MayAddToken.
func (v accessTokens) Create(ctx context.Context, act domain.Act, t domain.AccessToken, hash domain.TokenHash) error {
	s := v.store
	if _, err := s.begin(ctx, act, textsOfToken(t)...); err != nil {
		return err
	}
	defer s.leave()
	if err := act.Makes(t); err != nil {
		return err
	}
	if _, found := s.users[t.User]; !found {
		return domain.NoSuch("user")
	}
	if _, found := s.projects[t.Project]; !found && t.Project != "" {
		return domain.NoSuch("assistant")
	}
	has := 0
	for _, other := range s.tokens {
		if other.User == t.User {
			has++
		}
	}
	if err := domain.MayAddToken(has); err != nil {
		return err
	}
	if _, found := s.tokens[t.ID]; found || s.hashIsTaken(hash) {
		return domain.IDTaken()
	}
	t.Environments = slices.Clone(t.Environments)
	s.tokens[t.ID] = token{t, domain.TokenSecrets{Current: hash}}
	s.record(act.Record)
	return nil
}

// hashIsTaken reports whether a token has the hash.
func (s *Store) hashIsTaken(hash domain.TokenHash) bool {
	for _, t := range s.tokens {
		if t.secrets.Has(hash) {
			return true
		}
	}
	return false
}

// Rotate gives a token another text and returns it. Returns NotFound for an unknown id, and the
// errors of Act.Rotates and AccessToken.Rotated.
func (v accessTokens) Rotate(ctx context.Context, act domain.Act, id domain.TokenID, r domain.Rotation) (domain.AccessToken, error) {
	s := v.store
	caller, err := s.begin(ctx, act, string(id), r.Prefix)
	if err != nil {
		return domain.AccessToken{}, err
	}
	defer s.leave()
	t, found := s.tokens[id]
	if !found {
		return domain.AccessToken{}, domain.NoSuch("access token")
	}
	if err := act.Rotates(caller, t.AccessToken); err != nil {
		return domain.AccessToken{}, err
	}
	act.Needs = t.Needs()
	if _, err := s.allowed(act); err != nil {
		return domain.AccessToken{}, err
	}
	var next token
	next.AccessToken, next.secrets, err = t.Rotated(t.secrets, r, s.users[t.User].Disabled, s.now())
	if err != nil {
		return domain.AccessToken{}, err
	}
	if s.hashIsTaken(r.Hash) {
		return domain.AccessToken{}, domain.IDTaken()
	}
	s.tokens[id] = next
	s.record(act.Record)
	return next.AccessToken, nil
}

// Page returns at most limit tokens, of the user or of all users, that come after the
// cursor.
func (v accessTokens) Page(ctx context.Context, of domain.UserID, after domain.Cursor, limit int) ([]domain.AccessToken, error) {
	s := v.store
	if err := s.enter(ctx, string(of), after.ID); err != nil {
		return nil, err
	}
	defer s.leave()
	var found []domain.AccessToken
	for _, t := range s.tokens {
		if (of == "" || of == t.User) && string(t.ID) > after.ID {
			found = append(found, t.AccessToken)
		}
	}
	slices.SortFunc(found, func(a, b domain.AccessToken) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return atMost(limit, found), nil
}

// Remove forgets a token and the conversations that it opened. Returns NotFound for an
// unknown id, and for another user's token unless the caller may manage.
func (v accessTokens) Remove(ctx context.Context, act domain.Act, id domain.TokenID) error {
	s := v.store
	caller, err := s.begin(ctx, act, string(id))
	if err != nil {
		return err
	}
	defer s.leave()
	if t, found := s.tokens[id]; !found || !caller.MayEnd(t.User) {
		return domain.NoSuch("access token")
	}
	s.removeTokens(func(t token) bool { return t.ID == id })
	s.record(act.Record)
	return nil
}
