package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// DeleteAccessToken forgets an access token of the caller's, of an admin anybody's; it
// opens nothing from then on. It is NotFound for one that is not there or not theirs.
func (s *Service) DeleteAccessToken(ctx context.Context, call Call, token string) error {
	if err := s.mayHaveTokens(call); err != nil {
		return err
	}
	id, err := domain.ParseTokenID(token)
	if err != nil {
		return err
	}
	return s.ports.AccessTokens.Remove(ctx, id, ownTokens(call.Caller), s.record(call, domain.ActionDeleteAccessToken, domain.OnToken(id)))
}
