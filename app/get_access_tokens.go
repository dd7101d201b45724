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
	return s.tokensOf(ctx, ownTokens(call.Caller), after, limit)
}

// GetUsersTokens is GetAccessTokens for the tokens of one user. An admin may get those of any user,
// others only their own: NotAllowed otherwise. Returns Invalid if user can be no id. Returns NotFound if
// there is no such user.
func (s *Service) GetUsersTokens(ctx context.Context, call domain.Call, user string, after domain.Cursor, limit int) (paging.Page[domain.AccessToken], error) {
	if err := s.mayHaveTokens(call); err != nil {
		return paging.Page[domain.AccessToken]{}, err
	}
	u, err := s.GetUser(ctx, call, user)
	if err != nil {
		return paging.Page[domain.AccessToken]{}, err
	}
	return s.tokensOf(ctx, u.ID, after, limit)
}

// tokensOf returns a page of the access tokens of the user, or with "" of all users.
func (s *Service) tokensOf(ctx context.Context, of domain.UserID, after domain.Cursor, limit int) (paging.Page[domain.AccessToken], error) {
	return paging.Read(limit,
		func(limit int) ([]domain.AccessToken, error) {
			tokens, err := s.ports.Store.Tokens.Page(ctx, of, after, limit)
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
