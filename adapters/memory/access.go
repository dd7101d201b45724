package memory

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// access is a ports.Access.
type access struct{ store *Store }

// ByLogin returns who calls with the login, and what they may use with the assistant
// session or of the project. Returns NotFound if the login is over or its user may not use it.
func (v access) ByLogin(ctx context.Context, login domain.SessionID, use domain.Use) (domain.Access, error) {
	s := v.store
	if err := s.enter(ctx, string(login), string(use.Session()), string(use.Project())); err != nil {
		return domain.Access{}, err
	}
	defer s.leave()
	return s.byLogin(login, use)
}

// ByHostUser returns what the caller may use with the assistant session or of the project.
func (v access) ByHostUser(ctx context.Context, caller domain.Caller, use domain.Use) (domain.Access, error) {
	s := v.store
	if err := s.enter(ctx, string(caller.ID), string(use.Session()), string(use.Project())); err != nil {
		return domain.Access{}, err
	}
	defer s.leave()
	return s.by(caller, use), nil
}

// ByToken returns who calls with the access token and what they may use. Returns NotFound if
// the token is over or its user may not use it.
func (v access) ByToken(ctx context.Context, hash domain.TokenHash) (domain.Access, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return domain.Access{}, err
	}
	defer s.leave()
	for _, t := range s.tokens {
		if t.secrets.Has(hash) {
			a, err := s.byToken(t, hash)
			if err == nil {
				a.SecretEnds = t.SecretEnds(t.secrets, hash)
			}
			return a, err
		}
	}
	return domain.Access{}, domain.NoSuch("access token")
}

// ByConversation returns a conversation with the Access of what opened it. Returns NotFound
// if either is over or gone.
func (v access) ByConversation(ctx context.Context, id domain.ConversationID, caller domain.Caller) (domain.Access, error) {
	s := v.store
	if err := s.enter(ctx, string(id), string(caller.ID)); err != nil {
		return domain.Access{}, err
	}
	defer s.leave()
	none := domain.NoSuch("conversation")
	c, found := s.conversations[id]
	if !found || !s.goesOn(c) {
		return domain.Access{}, none
	}
	a, err := s.byOpener(c, caller)
	if err != nil || a.OpenUse() == (domain.OpenUse{}) {
		return domain.Access{}, none
	}
	a.Conversation = c
	a.Conversation.Key = clone(c.Key)
	return a, nil
}

// byOpener returns what the session or token that opened the conversation may use.
func (s *Store) byOpener(c domain.Conversation, caller domain.Caller) (domain.Access, error) {
	if c.Token != "" {
		return s.byToken(s.tokens[c.Token], domain.TokenHash{})
	}
	if session, live := s.live(c.Session); live && session.Login != "" {
		return s.byLogin(session.Login, domain.UseSession(c.Session))
	}
	return s.inSession(caller, c.Session), nil
}

// byLogin returns who calls with the login, and what they may use.
func (s *Store) byLogin(id domain.SessionID, use domain.Use) (domain.Access, error) {
	login, live := s.live(id)
	u, enabled := s.enabled(login.User)
	if !live || login.Kind != domain.LoginSession || !enabled {
		return domain.Access{}, domain.NoSuch("login")
	}
	return s.by(domain.CallerByLogin(login, u.Role), use), nil
}

// by returns what the caller may use with the assistant session or of the project.
func (s *Store) by(c domain.Caller, use domain.Use) domain.Access {
	if use.Project() == "" {
		return s.inSession(c, use.Session())
	}
	a := domain.Access{Caller: c, Named: use.Project()}
	if !s.sees(c.Sees(), a.Named) {
		return a
	}
	return s.using(a, a.Named)
}

// byToken returns who calls with the text of the token and what they may use.
func (s *Store) byToken(t token, secret domain.TokenHash) (domain.Access, error) {
	u, enabled := s.enabled(t.User)
	if !enabled || !t.Opens(t.secrets, secret, domain.Instant(s.now())) {
		return domain.Access{}, domain.NoSuch("access token")
	}
	caller := domain.CallerByToken(t.AccessToken, u.Role).Showing(secret)
	return s.using(domain.Access{Caller: caller, Token: t.AccessToken}, t.Project), nil
}

// inSession returns what the caller may use with the assistant session. It is only the caller if
// the session is over or not theirs.
func (s *Store) inSession(c domain.Caller, id domain.SessionID) domain.Access {
	a := domain.Access{Caller: c}
	session, live := s.live(id)
	if !live || session.Kind != domain.AssistantSession || session.Login != c.Login.ID || session.User != c.ID {
		return a
	}
	a.Session = session
	return s.using(a, session.Project)
}

// using returns a with the project and the caller's grant on it.
func (s *Store) using(a domain.Access, id domain.ProjectID) domain.Access {
	if p, found := s.projects[id]; found {
		a.Project = cloneProject(p)
		a = s.withGrant(a, id)
	}
	return a
}

// withGrant returns a with the caller's grant on the project.
func (s *Store) withGrant(a domain.Access, id domain.ProjectID) domain.Access {
	g := cloneGrant(s.grants[grant{a.Caller.ID, id}])
	a.Granted, a.Manual, a.Groups = g.Scopes, g.Manual, g.Groups
	return a
}

// granted returns the scopes of the caller's grant on the project.
func (s *Store) granted(c domain.Caller, id domain.ProjectID) domain.Scopes {
	return s.grants[grant{c.ID, id}].Scopes
}

// enabled returns a user who is not disabled.
func (s *Store) enabled(id domain.UserID) (domain.User, bool) {
	u, found := s.users[id]
	return u, found && !u.Disabled
}

// StillAllowed returns the Access of the open uses whose session, login or token is not over and
// whose user is not gone or disabled. It does not check the login of an assistant session.
func (v access) StillAllowed(ctx context.Context, uses []domain.OpenUse) ([]domain.Access, error) {
	s := v.store
	var ids []string
	for _, use := range uses {
		ids = append(ids, string(use.Session), string(use.Token), string(use.Project), string(use.Login), string(use.User))
	}
	if err := s.enter(ctx, ids...); err != nil {
		return nil, err
	}
	defer s.leave()
	var allowed []domain.Access
	for _, use := range uses {
		if session, live := s.live(use.Session); live && session.Kind == domain.AssistantSession {
			u, enabled := s.enabled(session.User)
			caller := domain.CallerBySession(session, u.Role)
			if enabled || session.Login == "" { // a host program's user is not known here
				allowed = append(allowed, s.withGrant(domain.Access{Caller: caller, Session: session}, session.Project))
			}
		}
		if t, found := s.tokens[use.Token]; found {
			if a, err := s.byToken(t, use.Secret); err == nil {
				a.Project = domain.Project{}
				allowed = append(allowed, a)
			}
		}
		if a, err := s.naming(use); use.Names() && err == nil {
			a.Project = domain.Project{ID: a.Project.ID}
			allowed = append(allowed, a)
		}
	}
	return allowed, nil
}

// naming returns the Access of an open use of who names a project.
func (s *Store) naming(use domain.OpenUse) (domain.Access, error) {
	if use.Login != "" {
		return s.byLogin(use.Login, domain.UseProject(use.Project))
	}
	return s.by(domain.Caller{ID: use.User, Admin: use.Admin}, domain.UseProject(use.Project)), nil
}
