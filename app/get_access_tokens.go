package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// GetAccessTokens returns at most limit (1 to MaxPage, otherwise Invalid) of the caller's
// access tokens, of an admin everybody's, that come after the cursor, oldest first.
func (s *Service) GetAccessTokens(ctx context.Context, call Call, after domain.Cursor, limit int) (Page[domain.AccessToken], error) {
	if err := s.mayHaveTokens(call); err != nil {
		return Page[domain.AccessToken]{}, err
	}
	return pageOf(limit,
		func(limit int) ([]domain.AccessToken, error) {
			return s.ports.AccessTokens.Page(ctx, ownTokens(call.Caller), after, limit)
		},
		func(t domain.AccessToken) domain.Cursor { return domain.Cursor{ID: string(t.ID)} })
}

// ownTokens is whose access tokens c may see and delete: their own, "" for everybody's.
func ownTokens(c domain.Caller) domain.UserID {
	if c.Admin {
		return ""
	}
	return c.ID
}
