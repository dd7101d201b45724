package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// RotateAccessToken is the input of Service.RotateAccessToken, as the caller gave it.
type RotateAccessToken struct {
	Token        string
	OverlapHours *int // how long the current text goes on; nil: domain.DefaultOverlapHours
	// Password is the caller's current password.
	Password domain.Secret
}

// RotateAccessToken gives an access token another text. The token stays the same, and so do its
// conversations, the user ids at Voiceflow, its usage and its limits. It lasts for as many days as
// it was created for, from now on. An admin may rotate the tokens of all users, others their own.
//
// Returns Invalid if the input breaks a rule. Returns the errors of checkPassword for the
// password, and Conflict if it was changed in the meantime. Returns NotFound if there is no such
// token or the caller may not rotate it. Returns Conflict if the token has expired or its owner is
// disabled. Returns NotAllowed if the caller could not create such a token now. Returns
// NotAuthenticated if the caller uses an access token.
func (s *Service) RotateAccessToken(ctx context.Context, call domain.Call, in RotateAccessToken) (AccessTokenMade, error) {
	if err := s.mayHaveTokens(call); err != nil {
		return AccessTokenMade{}, err
	}
	id, err := domain.ParseTokenID(in.Token)
	if err != nil {
		return AccessTokenMade{}, err
	}
	overlap, err := domain.ParseOverlap(in.OverlapHours)
	if err != nil {
		return AccessTokenMade{}, err
	}
	user, err := s.checkPassword(ctx, call, in.Password)
	if err != nil {
		return AccessTokenMade{}, err
	}
	text, hash, prefix, err := domain.NewAccessTokenText(s.ports.Random)
	if err != nil {
		return AccessTokenMade{}, err
	}
	act := s.act(call, domain.NeedsCaller(), domain.ActionRotateAccessToken, domain.OnToken(id))
	act.Proven = user.PasswordHash
	t, err := s.ports.Store.Tokens.Rotate(ctx, act, id, domain.Rotation{Hash: hash, Prefix: prefix, Overlap: overlap})
	if err != nil {
		return AccessTokenMade{}, err
	}
	return AccessTokenMade{Text: text, AccessToken: t}, nil
}
