package app

import (
	"context"

	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
)

// GetOwnUsage is GetUsage for what the caller used, with a login or with access tokens. in.User does
// not count. Every caller with a login may. Returns NotAuthenticated for an access token, and for a
// caller who is no user.
func (s *Service) GetOwnUsage(ctx context.Context, call domain.Call, in GetUsage, after domain.Cursor, limit int) (paging.Page[domain.Usage], error) {
	in, err := ofOneself(call.Caller, in)
	if err != nil {
		return paging.Page[domain.Usage]{}, err
	}
	return s.usage(ctx, call, in, after, limit)
}

// GetTopOwnUsage is GetTopUsage for what the caller used, as in GetOwnUsage.
func (s *Service) GetTopOwnUsage(ctx context.Context, call domain.Call, in GetUsage, limit int) (domain.UsageTop, error) {
	in, err := ofOneself(call.Caller, in)
	if err != nil {
		return domain.UsageTop{}, err
	}
	return s.topUsage(ctx, call, in, limit)
}

// ofOneself returns the input for what the caller used. Its errors are those of GetOwnUsage.
func ofOneself(c domain.Caller, in GetUsage) (GetUsage, error) {
	switch {
	case c.Token != "":
		return in, domain.InvalidAccessToken(nil)
	case c.ID == "": // which would be all users
		return in, &domain.Error{Kind: domain.NotAuthenticated, Public: "log in first"}
	}
	in.User = string(c.ID)
	return in, nil
}
