package app

import (
	"context"

	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
)

// DeleteOtherSessions ends the caller's logins except the one that they use, each with its assistant
// session. Access tokens stay. The logins end one after the other, each with an audit row of its own.
// After an error, some of them may have ended. A user of a host program has no login here, so all of
// their sessions end. Returns NotAllowed if the caller uses an access token, which has no sessions.
func (s *Service) DeleteOtherSessions(ctx context.Context, call domain.Call) error {
	if call.Caller.Token != "" {
		return &domain.Error{Kind: domain.NotAllowed, Public: "an access token has no sessions; log in to end yours"}
	}
	if call.Caller.Login.ID == "" {
		return s.DeleteUserSessions(ctx, call, string(call.Caller.ID))
	}
	return paging.Each(func(after domain.Cursor) (paging.Page[domain.Session], error) {
		return s.GetSessions(ctx, call, "", after, paging.Max)
	}, func(session domain.Session) error {
		if session.Kind != domain.LoginSession || session.ID == call.Caller.Login.ID {
			return nil
		}
		err := s.DeleteSession(ctx, call, string(session.ID))
		if domain.KindOf(err) == domain.NotFound { // it has ended meanwhile
			return nil
		}
		return err
	})
}
