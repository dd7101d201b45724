package memory

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/flowlatch/flowlatch/domain"
)

// sessions is a ports.SessionStore.
type sessions struct{ store *Store }

// OpenLogin stores a login. Returns NotAllowed unless its user exists, is enabled and has
// that password hash.
func (v sessions) OpenLogin(ctx context.Context, session domain.Session, hash domain.Secret, rec domain.Record) error {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	u, found := s.users[session.User]
	if !found || u.Disabled || !u.PasswordHash.Equal(hash) {
		return &domain.Error{Kind: domain.NotAllowed, Public: "the user may not log in"}
	}
	s.sessions[session.ID] = session
	s.record(rec)
	return nil
}

// OpenAssistant stores an assistant session and replaces the one of the same login. Returns
// NotAllowed if the role or grant that allows it is gone. Returns NotFound if only the project
// is missing. Returns the error of Project.MayBeSet.
func (v sessions) OpenAssistant(ctx context.Context, act domain.Act, session domain.Session) (domain.Project, error) {
	s := v.store
	caller, err := s.begin(ctx, act)
	if err != nil {
		return domain.Project{}, err
	}
	defer s.leave()
	demoted := session.ByRole && session.Login != "" && !caller.Admin
	if demoted || !s.sees(session.Visible(), session.Project) {
		return domain.Project{}, &domain.Error{Kind: domain.NotAllowed, Public: "you are not allowed to use this assistant"}
	}
	p, found := s.projects[session.Project]
	if !found {
		return domain.Project{}, notFound("assistant")
	}
	if err := p.MayBeSet(); err != nil {
		return domain.Project{}, err
	}
	if session.Login != "" {
		s.endSessions(func(other domain.Session) bool { return other.Login == session.Login })
	}
	s.sessions[session.ID] = session
	s.record(act.Record)
	return withoutKeys(p), nil
}

// Page returns at most limit sessions of the user that are not over and come after the
// cursor.
func (v sessions) Page(ctx context.Context, of domain.UserID, after domain.Cursor, limit int) ([]domain.Session, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	var found []domain.Session
	for id := range s.sessions {
		if session, live := s.live(id); live && session.User == of && string(id) > after.ID {
			found = append(found, session)
		}
	}
	slices.SortFunc(found, func(a, b domain.Session) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return atMost(limit, found), nil
}

// Touch records the use of a session. Returns NotFound for a session that never existed or is
// over.
func (v sessions) Touch(ctx context.Context, id domain.SessionID, use domain.SessionUse) error {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	session, live := s.live(id)
	if !live {
		return notFound("session")
	}
	s.sessions[id] = session.UsedBy(use)
	return nil
}

// End ends the named sessions that are not over, with the assistant sessions of the logins
// among them, and the named conversations.
func (v sessions) End(ctx context.Context, act domain.Act, which domain.SessionsToEnd) (domain.SessionsEnded, error) {
	s := v.store
	caller, err := s.begin(ctx, act)
	if err != nil {
		return domain.SessionsEnded{}, err
	}
	defer s.leave()
	named := map[domain.SessionID]bool{}
	for id := range s.sessions {
		if session, live := s.live(id); live && which.Names(session, caller) {
			named[id] = true
		}
	}
	ended := domain.SessionsEnded{Sessions: len(named), Handles: len(s.conversations)}
	s.endSessions(func(session domain.Session) bool { return named[session.ID] || named[session.Login] })
	maps.DeleteFunc(s.conversations, func(_ domain.ConversationID, c domain.Conversation) bool {
		return s.goesOn(c) && which.NamesHandle(c)
	})
	ended.Handles -= len(s.conversations)
	if ended != (domain.SessionsEnded{}) {
		s.record(act.Record)
	}
	return ended, nil
}
