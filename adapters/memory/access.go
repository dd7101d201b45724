package memory

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.Access = (*Access)(nil)

// Access is a ports.Access, a view on a Store.
type Access struct{ store *Store }

// ForUse returns all that is known about the use that the credential stands for. It is
// NotFound where that gives nothing to use.
func (v *Access) ForUse(ctx context.Context, c domain.Credential) (domain.Access, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return domain.Access{}, err
	}
	defer s.leave()
	switch {
	case c.Token != domain.TokenHash{}:
		return s.useByToken(s.hashed(c.Token))
	case c.Conversation != "":
		return s.useByConversation(c)
	case c.Login == "" && c.User != "":
		return s.useBySession(domain.Caller{ID: c.User, Admin: c.Admin}, c.Assistant), nil
	}
	caller, err := s.byLogin(c.Login)
	if err != nil {
		return domain.Access{}, err
	}
	return s.useBySession(caller, c.Assistant), nil
}

// useByToken is what may be used with the token.
func (s *Store) useByToken(t domain.AccessToken) (domain.Access, error) {
	caller, err := s.byToken(t)
	if err != nil {
		return domain.Access{}, err
	}
	return s.using(domain.Access{Caller: caller, Token: t}, t.Project), nil
}

// useBySession is what the caller may use in the assistant session, without one if it is
// not good for them.
func (s *Store) useBySession(c domain.Caller, id domain.SessionID) domain.Access {
	a := domain.Access{Caller: c}
	session, live := s.live(id)
	if !live || session.Kind != domain.AssistantSession || session.Login != c.Login.ID || session.User != c.ID {
		return a
	}
	a.Session = session
	return s.using(a, session.Project)
}

// useByConversation is what may be used in the conversation that c names, by what made it.
func (s *Store) useByConversation(c domain.Credential) (domain.Access, error) {
	none := notFound("conversation")
	conversation, found := s.conversations[c.Conversation]
	if !found || !domain.Instant(s.now()).Before(conversation.Expires) {
		return domain.Access{}, none
	}
	var a domain.Access
	if conversation.Token != "" {
		var err error
		if a, err = s.useByToken(s.tokens[conversation.Token].AccessToken); err != nil {
			return domain.Access{}, none
		}
	} else {
		caller := domain.Caller{ID: c.User, Admin: c.Admin}
		if session, live := s.live(conversation.Session); live && session.Login != "" {
			var err error
			if caller, err = s.byLogin(session.Login); err != nil {
				return domain.Access{}, none
			}
		}
		if a = s.useBySession(caller, conversation.Session); a.Session.ID == "" {
			return domain.Access{}, none
		}
	}
	a.Conversation = conversation
	a.Conversation.Key = clone(conversation.Key)
	return a, nil
}

// using is a with the project, its key and the caller's grant on it.
func (s *Store) using(a domain.Access, id domain.ProjectID) domain.Access {
	if p, found := s.projects[id]; found {
		a.Project, a.Key, a.Secondary = p.Project, clone(p.keys[domain.SlotPrimary]), clone(p.keys[domain.SlotSecondary])
		a.Granted = s.grants[grant{a.Caller.ID, id}].Scopes
	}
	return a
}

// Standing returns what is still there of the open uses. Whether the login that a session
// is under is over is not looked at: a session that is not over itself stands.
func (v *Access) Standing(ctx context.Context, uses []domain.OpenUse) ([]domain.Access, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	var standing []domain.Access
	for _, use := range uses {
		if session, live := s.live(use.Session); live && session.Kind == domain.AssistantSession {
			u, enabled := s.enabled(session.User)
			caller := domain.Caller{ID: session.User, Admin: u.CountsAsAdmin()}
			if session.Login == "" { // of a host's user, of whom nothing is known here
				enabled, caller.Admin = true, session.ByRole
			}
			if enabled {
				standing = append(standing, s.using(domain.Access{Caller: caller, Session: session}, session.Project))
			}
		}
		if t, found := s.tokens[use.Token]; found {
			if a, err := s.useByToken(t.AccessToken); err == nil {
				standing = append(standing, a)
			}
		}
	}
	return standing, nil
}
