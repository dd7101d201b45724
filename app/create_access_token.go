package app

import (
	"context"
	"strconv"

	"github.com/flowlatch/flowlatch/domain"
)

// CreateAccessToken is the input of Service.CreateAccessToken, as the caller gave it.
type CreateAccessToken struct {
	Name    string
	Project string   // our Id or a Voiceflow project id; "" for a token that manages
	Scopes  []string // nil: the default ones
	Days    *int     // nil: domain.DefaultTokenDays
	UserIDs string   // "", bound or own
}

// AccessTokenMade is the outcome of Service.CreateAccessToken.
type AccessTokenMade struct {
	Text        domain.Secret // to be shown this once
	AccessToken domain.AccessToken
}

// CreateAccessToken makes an access token of the caller's. It is Invalid for input that
// breaks a rule; NotAllowed for what the caller may not do themselves at this moment, and
// for a project that they may not use, whether it exists or not; NotFound for an admin
// where there is no such project; Conflict for more than domain.MaxTokens. With an access
// token nobody makes another: NotAuthenticated.
func (s *Service) CreateAccessToken(ctx context.Context, call Call, in CreateAccessToken) (AccessTokenMade, error) {
	if err := s.mayHaveTokens(call); err != nil {
		return AccessTokenMade{}, err
	}
	var scopes domain.Scopes
	var err error
	if in.Scopes != nil {
		if scopes, err = domain.ParseScopes(in.Scopes); err != nil {
			return AccessTokenMade{}, err
		}
	}
	days := domain.DefaultTokenDays
	if in.Days != nil {
		days = *in.Days
	}
	var project domain.ProjectID
	if in.Project != "" {
		ref, err := domain.ParseProjectRef(in.Project)
		if err != nil {
			return AccessTokenMade{}, err
		}
		p, err := s.one(ctx, call.Caller, ref)
		if err != nil {
			return AccessTokenMade{}, call.Caller.MayUse(err)
		}
		project = p.ID
	}
	now := s.ports.Clock()
	id, err := domain.NewTokenID(now, s.ports.Random)
	if err != nil {
		return AccessTokenMade{}, err
	}
	t, err := domain.NewAccessToken(id, call.Caller, in.Name, project, scopes, in.UserIDs, days, now)
	if err != nil {
		return AccessTokenMade{}, err
	}
	if err := s.mayGive(ctx, call.Caller, t); err != nil {
		return AccessTokenMade{}, err
	}
	if err := s.mayHaveMore(ctx, call.Caller.ID); err != nil {
		return AccessTokenMade{}, err
	}
	text, hash, prefix, err := domain.NewAccessTokenText(s.ports.Random)
	if err != nil {
		return AccessTokenMade{}, err
	}
	t.Prefix = prefix
	err = s.ports.AccessTokens.Create(ctx, t, hash, s.record(call, domain.ActionCreateAccessToken, domain.OnToken(id)))
	return AccessTokenMade{Text: text, AccessToken: t}, call.Caller.MayUse(err)
}

// mayHaveTokens is NotAuthenticated for who calls with an access token, and NotFound
// where a host program keeps the users: whether the maker of a token is an admin at the
// moment of its use is something that only the host knows.
func (s *Service) mayHaveTokens(call Call) error {
	if call.Caller.Token != "" {
		return wrongToken(nil)
	}
	if s.ports.Users == nil {
		return noUsers()
	}
	return nil
}

// mayHaveMore is a Conflict for a user who has as many access tokens as a user may have.
func (s *Service) mayHaveMore(ctx context.Context, user domain.UserID) error {
	page, err := s.ports.AccessTokens.Page(ctx, user, domain.Cursor{}, domain.MaxTokens)
	if err == nil && len(page) == domain.MaxTokens {
		return &domain.Error{Kind: domain.Conflict, Public: "nobody may have more access tokens than " + strconv.Itoa(domain.MaxTokens) + "; delete some first"}
	}
	return err
}

// mayGive is NotAllowed for a token with scopes that its maker does not have.
func (s *Service) mayGive(ctx context.Context, c domain.Caller, t domain.AccessToken) error {
	if c.Admin {
		return nil
	}
	grants, err := s.ports.Projects.Grants(ctx, domain.GrantFilter{User: c.ID, Project: t.Project}, domain.Cursor{}, 1)
	if err != nil {
		return err
	}
	if len(grants) == 0 || grants[0].Scopes.And(t.Scopes) != t.Scopes {
		return &domain.Error{Kind: domain.NotAllowed, Public: "an access token can't have scopes that are not granted to you"}
	}
	return nil
}
