package app

import (
	"context"

	"golang.org/x/text/unicode/norm"

	"github.com/flowlatch/flowlatch/domain"
)

// CreateAccessToken is the input of Service.CreateAccessToken, as the caller gave it.
type CreateAccessToken struct {
	Name    string
	Project string   // our Id or a Voiceflow project id; "" for a token that manages
	Scopes  []string // nil: the default ones
	Days    *int     // nil: domain.DefaultTokenDays
	UserIDs string   // "", bound or own
	Rate    *int     // calls a minute of its own; nil: those of its owner
	Open    *int     // open calls of its own; nil: those of its owner
	// Environments are the only ones that it can use, of those that the assistant allows. nil: no
	// limit of its own.
	Environments []string
	// Password is the caller's current password.
	Password domain.Secret
}

// AccessTokenMade is the outcome of Service.CreateAccessToken and Service.RotateAccessToken.
type AccessTokenMade struct {
	Text        domain.Secret // to be shown this once
	AccessToken domain.AccessToken
}

// CreateAccessToken makes an access token of the caller. Returns Invalid if the input breaks
// a rule. Returns the errors of checkPassword for the password, and Conflict if it was changed in
// the meantime. Returns Conflict if the user has domain.MaxTokens already. Returns NotAllowed if the
// caller does not have the token's rights at this moment. If they may not use the project,
// it returns NotFound to an admin and NotAllowed to others, whether the project exists or
// not. Returns NotAuthenticated if the caller uses an access token.
func (s *Service) CreateAccessToken(ctx context.Context, call domain.Call, in CreateAccessToken) (AccessTokenMade, error) {
	if err := s.mayHaveTokens(call); err != nil {
		return AccessTokenMade{}, err
	}
	t, err := s.newToken(ctx, call, in)
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
	t.Prefix = prefix
	act := s.act(call, t.Needs(), domain.ActionCreateAccessToken, domain.OnToken(t.ID))
	act.Proven = user.PasswordHash
	err = s.ports.Store.Tokens.Create(ctx, act, t, hash)
	if domain.KindOf(err) == domain.NotFound {
		err = call.Caller.MayUse(err)
	}
	if err != nil {
		return AccessTokenMade{}, err
	}
	return AccessTokenMade{Text: text, AccessToken: t}, nil
}

// newToken returns the access token that in describes, without the prefix of its text.
func (s *Service) newToken(ctx context.Context, call domain.Call, in CreateAccessToken) (domain.AccessToken, error) {
	spec := domain.TokenSpec{Name: norm.NFC.String(in.Name), Days: domain.DefaultTokenDays, Rate: in.Rate, Open: in.Open, Environments: in.Environments}
	var err error
	var p domain.Project
	if in.Scopes != nil {
		if spec.Scopes, err = domain.ParseScopes(in.Scopes); err != nil {
			return domain.AccessToken{}, err
		}
	}
	if in.Days != nil {
		spec.Days = *in.Days
	}
	if spec.OwnUsers, err = domain.ParseUserIDs(in.UserIDs); err != nil {
		return domain.AccessToken{}, err
	}
	if in.Project != "" {
		ref, err := domain.ParseProjectRef(in.Project)
		if err != nil {
			return domain.AccessToken{}, err
		}
		if p, err = s.one(ctx, call.Caller, ref); err != nil {
			return domain.AccessToken{}, call.Caller.MayUse(err)
		}
		spec.Project = p.ID
	}
	now := s.ports.Clock()
	id, err := domain.NewTokenID(now, s.ports.Random)
	if err != nil {
		return domain.AccessToken{}, err
	}
	t, err := domain.NewAccessToken(id, call.Caller, spec, now)
	if err != nil {
		return domain.AccessToken{}, err
	}
	return t, p.MayLimitTo(t.Environments)
}

// mayHaveTokens returns NotAuthenticated if the caller uses an access token. It returns
// NotFound if a host program keeps the users, since only the host knows whether the owner of
// a token is an admin when it is used.
func (s *Service) mayHaveTokens(call domain.Call) error {
	if call.Caller.Token != "" {
		return domain.InvalidAccessToken(nil)
	}
	return s.ownUsers()
}
