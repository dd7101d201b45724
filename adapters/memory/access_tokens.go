package memory

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.AccessTokens = (*AccessTokens)(nil)

// AccessTokens is a ports.AccessTokens, a view on a Store.
type AccessTokens struct{ store *Store }

// Create stores a token under its hash. It is NotFound when its user or its project is not
// there.
func (v *AccessTokens) Create(ctx context.Context, t domain.AccessToken, hash domain.TokenHash, rec domain.Record) error {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if _, found := s.users[t.User]; !found {
		return notFound("user")
	}
	if _, found := s.projects[t.Project]; !found && t.Project != "" {
		return notFound("assistant")
	}
	s.tokens[t.ID] = token{t, hash}
	s.records = append(s.records, rec)
	return nil
}

// Page returns at most limit tokens, of the user or of everybody, that come after the
// cursor.
func (v *AccessTokens) Page(ctx context.Context, of domain.UserID, after domain.Cursor, limit int) ([]domain.AccessToken, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
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

// Remove forgets a token and the conversations that it made. It is NotFound for an unknown
// id, and with a user for a token of somebody else.
func (v *AccessTokens) Remove(ctx context.Context, id domain.TokenID, of domain.UserID, rec domain.Record) error {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	t, found := s.tokens[id]
	if !found || of != "" && of != t.User {
		return notFound("access token")
	}
	s.removeTokens(func(t token) bool { return t.ID == id })
	s.records = append(s.records, rec)
	return nil
}

// Used records when tokens were last used, forward only.
func (v *AccessTokens) Used(ctx context.Context, last map[domain.TokenID]time.Time) error {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	for id, at := range last {
		if t, found := s.tokens[id]; found {
			t.LastUsed = later(t.LastUsed, domain.Instant(at))
			s.tokens[id] = t
		}
	}
	return nil
}
