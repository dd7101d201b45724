package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// DeleteAccessToken forgets an access token. An admin may delete the tokens of all users, others
// their own. Returns NotFound if there is no such token or the caller may not delete it.
func (s *Service) DeleteAccessToken(ctx context.Context, call domain.Call, token string) error {
	if err := s.mayHaveTokens(call); err != nil {
		return err
	}
	id, err := domain.ParseTokenID(token)
	if err != nil {
		return err
	}
	return s.ports.Store.Tokens.Remove(ctx, s.act(call, domain.NeedsCaller(), domain.ActionDeleteAccessToken, domain.OnToken(id)), id)
}
