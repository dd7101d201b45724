package memory

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.SessionStore = (*Sessions)(nil)

// Sessions is a ports.SessionStore, a view on a Store.
type Sessions struct{ store *Store }

// OpenLogin stores a login. It is NotAllowed unless its user is there, is enabled and has
// that password hash.
func (v *Sessions) OpenLogin(ctx context.Context, session domain.Session, hash domain.Secret, rec domain.Record) error {
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
	s.records = append(s.records, rec)
	return nil
}

// OpenAssistant stores an assistant session in the place of the one that its login had.
// It is NotAllowed without the login or what is to let the user in, NotFound where only
// the project is missing, and NeedsReentry where none of its keys opens.
func (v *Sessions) OpenAssistant(ctx context.Context, session domain.Session, rec domain.Record) (domain.Project, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return domain.Project{}, err
	}
	defer s.leave()
	if !s.mayOpen(session) {
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
	s.records = append(s.records, rec)
	return p.Project, nil
}

// mayOpen says whether the login and what lets the user in are there.
func (s *Store) mayOpen(session domain.Session) bool {
	if session.Login != "" {
		login, live := s.live(session.Login)
		if !live || login.Kind != domain.LoginSession || login.User != session.User {
			return false
		}
		if u := s.users[session.User]; session.ByRole && !u.CountsAsAdmin() {
			return false
		}
	}
	return s.sees(session.Visible(), session.Project)
}

// Find returns a session. It is NotFound for one that never was or is over.
func (v *Sessions) Find(ctx context.Context, id domain.SessionID) (domain.Session, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return domain.Session{}, err
	}
	defer s.leave()
	session, live := s.live(id)
	if !live {
		return domain.Session{}, notFound("session")
	}
	return session, nil
}

// Page returns at most limit sessions of the user that are not over and come after the
// cursor.
func (v *Sessions) Page(ctx context.Context, of domain.UserID, after domain.Cursor, limit int) ([]domain.Session, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	now := domain.Instant(s.now())
	var found []domain.Session
	for _, session := range s.sessions {
		if session.User == of && string(session.ID) > after.ID && session.Live(now) {
			found = append(found, session)
		}
	}
	slices.SortFunc(found, func(a, b domain.Session) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return atMost(limit, found), nil
}

// Touch moves the last use and the idle end of a session, forward only. It is NotFound
// for one that never was or is over.
func (v *Sessions) Touch(ctx context.Context, id domain.SessionID, used, idle time.Time) error {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	session, live := s.live(id)
	if !live {
		return notFound("session")
	}
	session.LastUsed = later(session.LastUsed, domain.Instant(used))
	session.Idle = later(session.Idle, domain.Instant(idle))
	s.sessions[id] = session
	return nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// MarkSealed records by which key the cookie of a session is sealed.
func (v *Sessions) MarkSealed(ctx context.Context, id domain.SessionID, by domain.KeyID) error {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if session, live := s.live(id); live {
		session.SealedBy = by
		s.sessions[id] = session
	}
	return nil
}

// End ends a session and what is under it. It is NotFound for one that never was or is
// over, and with a user for one of somebody else.
func (v *Sessions) End(ctx context.Context, id domain.SessionID, of domain.UserID, rec domain.Record) error {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if session, live := s.live(id); !live || of != "" && of != session.User {
		return notFound("session")
	}
	s.endSessions(func(session domain.Session) bool { return session.ID == id || session.Login == id })
	s.records = append(s.records, rec)
	return nil
}

// EndAll ends all sessions of the user.
func (v *Sessions) EndAll(ctx context.Context, of domain.UserID, rec domain.Record) error {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	now, found := domain.Instant(s.now()), false
	for _, session := range s.sessions {
		found = found || session.User == of && session.Live(now)
	}
	if !found {
		return nil
	}
	s.endSessions(func(session domain.Session) bool { return session.User == of })
	s.records = append(s.records, rec)
	return nil
}

// Sweep forgets at most limit sessions that are over and returns how many.
func (v *Sessions) Sweep(ctx context.Context, limit int) (int, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	now, n := domain.Instant(s.now()), 0
	for id, session := range s.sessions {
		if n < limit && !session.Live(now) {
			delete(s.sessions, id)
			n++
		}
	}
	return n, nil
}
