package app

import (
	"context"

	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
)

// GetSessions returns at most limit (1 to paging.Max, otherwise Invalid) of the sessions of
// the user that are not over and come after the cursor, oldest first. "" is the caller.
// Returns NotAllowed for another user unless the caller is an admin. Returns Invalid if user
// can be no id. Returns NotFound if there is no such user, unless a host program keeps the
// users.
func (s *Service) GetSessions(ctx context.Context, call domain.Call, user string, after domain.Cursor, limit int) (paging.Page[domain.Session], error) {
	of, err := s.whoseSessions(ctx, call.Caller, user)
	if err != nil {
		return paging.Page[domain.Session]{}, err
	}
	return paging.Read(limit,
		func(limit int) ([]domain.Session, error) { return s.ports.Store.Sessions.Page(ctx, of, after, limit) },
		func(session domain.Session) domain.Cursor { return domain.Cursor{ID: string(session.ID)} })
}

// whoseSessions returns the user whose sessions c means by text, if c may see and end them. ""
// is c. Its errors are those of GetSessions.
func (s *Service) whoseSessions(ctx context.Context, c domain.Caller, text string) (domain.UserID, error) {
	of := c.ID
	if text != "" {
		var err error
		if of, err = domain.ParseUserID(text); err != nil {
			return "", err
		}
	}
	if ownSessions(c, of) {
		return of, nil
	}
	if err := c.MayManage(domain.ScopeManageUsers); err != nil || !s.OwnUsers() {
		return of, err
	}
	_, err := s.ports.Store.Users.Find(ctx, domain.UserRef{ID: of})
	return of, err
}

// ownSessions reports whether the sessions of the user are those of c. An access token has
// no sessions of its own.
func ownSessions(c domain.Caller, of domain.UserID) bool { return of == c.ID && c.Token == "" }
