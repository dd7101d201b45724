package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// DeleteAccessToken forgets an access token of the caller, or if the caller is an admin of
// anybody. It opens nothing from then on. Returns NotFound if there is no such token or it
// is not theirs.
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
