package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// GetSessions returns at most limit (1 to MaxPage, otherwise Invalid) of the sessions of
// the user, the caller's own where user is "", that are not over and come after the
// cursor, oldest first. It is NotAllowed for another user's unless the caller is an admin,
// Invalid for what can be no user's id, and NotFound for a user that is not there, unless a
// host program keeps the users.
func (s *Service) GetSessions(ctx context.Context, call Call, user string, after domain.Cursor, limit int) (Page[domain.Session], error) {
	of, err := s.whoseSessions(ctx, call.Caller, user)
	if err != nil {
		return Page[domain.Session]{}, err
	}
	return pageOf(limit,
		func(limit int) ([]domain.Session, error) { return s.ports.Sessions.Page(ctx, of, after, limit) },
		func(session domain.Session) domain.Cursor { return domain.Cursor{ID: string(session.ID)} })
}

// whoseSessions is the user whose sessions c means by text, "" for their own, if c may see
// and end them. An access token has no sessions: it is for those of others, or of nobody.
func (s *Service) whoseSessions(ctx context.Context, c domain.Caller, text string) (domain.UserID, error) {
	of := c.ID
	if text != "" {
		var err error
		if of, err = domain.ParseUserID(text); err != nil {
			return "", err
		}
	}
	if of == c.ID && c.Token == "" {
		return of, nil
	}
	if err := c.MayManage(); err != nil || s.ports.Users == nil {
		return of, err
	}
	_, err := s.ports.Users.Find(ctx, of)
	return of, err
}
