package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// Checked is the outcome of Service.CheckSession.
type Checked struct {
	// User is the caller. Under a host's own authentication it holds the host's id as
	// name, the role, and what is granted; Created is zero.
	User domain.User
	// Assistant is the project that is set; nil when none is.
	Assistant *domain.Project
}

// CheckSession tells who the caller is and which assistant is set by the text of the
// cookie assistant_session. Whatever is wrong with that cookie, there is no assistant. Of
// an access token the caller is who made it, and the assistant the one that it opens.
func (s *Service) CheckSession(ctx context.Context, call Call, cookie string) (Checked, error) {
	user, err := s.userOf(ctx, call)
	if err != nil {
		return Checked{}, err
	}
	if call.Caller.Token != "" {
		found, err := s.ports.Projects.Find(ctx, call.Caller.Sees(), domain.ProjectRef{ID: call.Caller.Only})
		if err != nil || len(found) == 0 {
			return Checked{User: user}, err
		}
		return Checked{User: user, Assistant: &found[0]}, nil
	}
	p, err := s.Assistant(ctx, call.Caller, cookie)
	switch domain.KindOf(err) {
	case "":
		return Checked{User: user, Assistant: &p}, err
	case domain.NotAuthenticated:
		return Checked{User: user}, nil
	}
	return Checked{}, err
}

// Assistant returns the project that is set, from the text of the cookie
// assistant_session, and records the use of that session. A cookie that is missing,
// altered or another login's, a session that is over, and a right that is gone are
// NotAuthenticated.
func (s *Service) Assistant(ctx context.Context, c domain.Caller, cookie string) (domain.Project, error) {
	session, claims, by, err := s.assistantSession(ctx, c, cookie)
	if err != nil {
		return domain.Project{}, err
	}
	if session.ByRole && !c.Admin {
		return domain.Project{}, notAuthenticated(nil)
	}
	found, err := s.ports.Projects.Find(ctx, session.Visible(), domain.ProjectRef{ID: session.Project})
	if err != nil {
		return domain.Project{}, err
	}
	p, err := domain.One(found)
	if err != nil {
		return domain.Project{}, notAuthenticated(err)
	}
	if !session.Claims(p.Version).Equal(claims) {
		return domain.Project{}, notAuthenticated(nil)
	}
	if err := s.use(ctx, session); err != nil {
		return domain.Project{}, err
	}
	s.markSealed(ctx, session, by)
	return p, nil
}

// assistantSession finds the session that the cookie names, if it is the caller's and
// under the login that they call under; otherwise it is NotAuthenticated. by is the key
// that sealed the cookie.
func (s *Service) assistantSession(ctx context.Context, c domain.Caller, cookie string) (
	session domain.Session, claims domain.Claims, by domain.KeyID, err error) {
	if cookie == "" {
		return session, claims, by, notAuthenticated(nil)
	}
	if claims, by, err = s.openCookie(domain.AssistantSession, cookie, notAuthenticated); err != nil {
		return session, claims, by, err
	}
	session, err = s.ports.Sessions.Find(ctx, claims.Session)
	if domain.KindOf(err) == domain.NotFound {
		return session, claims, by, notAuthenticated(err)
	}
	if err == nil && (session.Kind != domain.AssistantSession || session.User != c.ID || session.Login != c.Login.ID) {
		err = notAuthenticated(nil)
	}
	return session, claims, by, err
}

// userOf is the caller as a user.
func (s *Service) userOf(ctx context.Context, call Call) (domain.User, error) {
	if s.ports.Users != nil {
		return s.ports.Users.Find(ctx, call.Caller.ID)
	}
	u := domain.User{ID: call.Caller.ID, Name: domain.Username(call.Caller.ID), Role: domain.RoleMember}
	if call.Caller.Admin {
		u.Role = domain.RoleAdmin
	}
	var granted []domain.ProjectID
	err := everyPage(func(after domain.Cursor) (Page[domain.Project], error) {
		return s.projects(ctx, domain.GrantedTo(call.Caller.ID), after, MaxPage)
	}, func(p domain.Project) error {
		granted = append(granted, p.ID)
		return nil
	})
	u.SetAssistants(granted)
	return u, err
}
