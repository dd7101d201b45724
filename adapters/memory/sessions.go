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
	if err := s.enterToWrite(ctx, append(append(textsOfSession(session), hash.Reveal()), textsOfRecord(rec)...)...); err != nil {
		return err
	}
	defer s.leave()
	if err := s.users[session.User].MayOpenLogin(hash); err != nil {
		return err
	}
	if _, found := s.sessions[session.ID]; found {
		return domain.IDTaken()
	}
	s.sessions[session.ID] = session
	s.displace(session)
	s.record(rec)
	return nil
}

// OpenLoginByLink stores a login. Returns NotAllowed unless its user exists and is enabled, and
// Conflict if the link was used before.
func (v sessions) OpenLoginByLink(ctx context.Context, session domain.Session, link domain.Once, rec domain.Record) error {
	s := v.store
	if err := s.enterToWrite(ctx, append(append(textsOfSession(session), string(link.Kind), link.ID), textsOfRecord(rec)...)...); err != nil {
		return err
	}
	defer s.leave()
	if err := s.users[session.User].MayUseLoginLink(); err != nil {
		return err
	}
	if s.usedBefore(link) {
		return domain.UsedOnce("this login link")
	}
	if _, found := s.sessions[session.ID]; found {
		return domain.IDTaken()
	}
	s.use(link)
	s.sessions[session.ID] = session
	s.displace(session)
	s.record(rec)
	return nil
}

// displace ends the sessions that the new session displaces.
func (s *Store) displace(session domain.Session) {
	var others []domain.Session
	for id := range s.sessions {
		if other, live := s.live(id); live && other.User == session.User && other.Kind == session.Kind {
			others = append(others, other)
		}
	}
	for _, id := range session.Displaces(others) {
		s.endSessions(func(other domain.Session) bool { return other.ID == id || other.Login == id })
	}
}

// OpenAssistant stores an assistant session and replaces the one of the same login. Returns the
// errors of Act.Opens and Session.Admit.
func (v sessions) OpenAssistant(ctx context.Context, act domain.Act, session domain.Session) (domain.Project, error) {
	s := v.store
	caller, err := s.begin(ctx, act, textsOfSession(session)...)
	if err != nil {
		return domain.Project{}, err
	}
	defer s.leave()
	if err := act.Opens(session); err != nil {
		return domain.Project{}, err
	}
	p := s.projects[session.Project]
	if err := session.Admit(caller, s.granted(caller, session.Project), p); err != nil {
		return domain.Project{}, err
	}
	if other, found := s.sessions[session.ID]; found && (session.Login == "" || other.Login != session.Login) {
		return domain.Project{}, domain.IDTaken()
	}
	if session.Login != "" {
		s.endSessions(func(other domain.Session) bool { return other.Login == session.Login })
	}
	s.sessions[session.ID] = session
	if session.Login == "" {
		s.displace(session)
	}
	s.record(act.Record)
	return withoutKeys(p), nil
}

// Page returns at most limit sessions of the user that are not over and come after the
// cursor.
func (v sessions) Page(ctx context.Context, of domain.UserID, after domain.Cursor, limit int) ([]domain.Session, error) {
	s := v.store
	if err := s.enter(ctx, string(of), after.ID); err != nil {
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
	if err := s.enterToWrite(ctx, string(id), string(use.SealedBy)); err != nil {
		return err
	}
	defer s.leave()
	session, live := s.live(id)
	if !live {
		return domain.NoSuch("session")
	}
	s.sessions[id] = session.UsedBy(use)
	return nil
}

// End ends the named sessions that are not over, with the assistant sessions of the logins
// among them, and the named conversations.
func (v sessions) End(ctx context.Context, act domain.Act, which domain.SessionsToEnd) (domain.SessionsEnded, error) {
	s := v.store
	key, _, _ := which.SealedBy()
	caller, err := s.begin(ctx, act, string(which.ID()), string(which.User()), string(key))
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
		return s.goesOn(c) && which.NamesHandle(c, caller)
	})
	ended.Handles -= len(s.conversations)
	if ended != (domain.SessionsEnded{}) {
		s.record(act.Record)
	}
	return ended, nil
}
