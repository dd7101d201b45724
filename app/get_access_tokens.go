package app

import (
	"context"

	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
)

// GetAccessTokens returns at most limit (1 to paging.Max, otherwise Invalid) access tokens that
// come after the cursor, oldest first. An admin gets those of all users, others their own.
func (s *Service) GetAccessTokens(ctx context.Context, call domain.Call, after domain.Cursor, limit int) (paging.Page[domain.AccessToken], error) {
	if err := s.mayHaveTokens(call); err != nil {
		return paging.Page[domain.AccessToken]{}, err
	}
	return paging.Read(limit,
		func(limit int) ([]domain.AccessToken, error) {
			tokens, err := s.ports.Store.Tokens.Page(ctx, ownTokens(call.Caller), after, limit)
			now := s.ports.Clock()
			for i, t := range tokens {
				tokens[i] = t.WithoutEnded(now)
			}
			return tokens, err
		},
		func(t domain.AccessToken) domain.Cursor { return domain.Cursor{ID: string(t.ID)} })
}

// ownTokens returns the user whose access tokens c may see; "" for the tokens of all users.
func ownTokens(c domain.Caller) domain.UserID {
	if c.Admin {
		return ""
	}
	return c.ID
}
