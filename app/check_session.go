package app

import (
	"context"

	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
)

// Checked is the outcome of Service.CheckSession.
type Checked struct {
	// User is the caller. If a host program keeps the users, its Name is the host's id and
	// its Created is zero.
	User domain.User
	// Assistant is the project that is set; nil if none is set.
	Assistant *domain.Project
}

// CheckSession returns the caller, and the assistant that is set, from the text of the cookie
// assistant_session. If anything is wrong with that cookie, no assistant is set. For an access
// token it returns the token's owner and the token's assistant.
func (s *Service) CheckSession(ctx context.Context, call domain.Call, cookie string) (Checked, error) {
	user, err := s.userOf(ctx, call)
	if err != nil {
		return Checked{}, err
	}
	if call.Caller.Token != "" {
		found, err := s.ports.Store.Projects.Find(ctx, call.Caller.Sees(), domain.ProjectRef{ID: call.Caller.Only})
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
// assistant_session, and records the use of that session. Returns NotAuthenticated if the
// cookie is missing, altered or of another login, if the session is over, or if the right
// that allowed it is gone.
func (s *Service) Assistant(ctx context.Context, c domain.Caller, cookie string) (domain.Project, error) {
	access, claims, by, err := s.assistantSession(ctx, c, cookie)
	if err != nil {
		return domain.Project{}, err
	}
	session := access.Session
	if access.Scopes() == 0 || !session.Claims(access.Project.Version).Equal(claims) {
		return domain.Project{}, domain.NotLoggedIn(nil)
	}
	if err := s.sessions.Use(ctx, session); err != nil {
		return domain.Project{}, err
	}
	s.sessions.MarkSealed(ctx, session, by)
	return access.Project, nil
}

// assistantSession looks up the session that the cookie names. Returns NotAuthenticated
// unless the session belongs to the caller and to the login that they use. by is the key that
// sealed the cookie.
func (s *Service) assistantSession(ctx context.Context, c domain.Caller, cookie string) (
	access domain.Access, claims domain.Claims, by domain.KeyID, err error) {
	if cookie == "" || c.Token != "" {
		return access, claims, by, domain.NotLoggedIn(nil)
	}
	if claims, by, err = s.sessions.Open(domain.AssistantSession, cookie, domain.NotLoggedIn); err != nil {
		return access, claims, by, err
	}
	if c.Login.ID == "" {
		access, err = s.ports.Store.Access.ByHostUser(ctx, c, domain.UseSession(claims.Session))
	} else {
		access, err = s.ports.Store.Access.ByLogin(ctx, c.Login.ID, domain.UseSession(claims.Session))
	}
	switch {
	case domain.KindOf(err) == domain.NotFound:
		err = domain.NotLoggedIn(err)
	case err == nil && access.Session.ID == "":
		err = domain.NotLoggedIn(nil)
	}
	return access, claims, by, err
}

// userOf returns the caller as a user.
func (s *Service) userOf(ctx context.Context, call domain.Call) (domain.User, error) {
	if s.OwnUsers() {
		u, err := s.ports.Store.Users.Find(ctx, domain.UserRef{ID: call.Caller.ID})
		if domain.KindOf(err) == domain.NotFound { // gone since the request began
			err = domain.NotLoggedIn(err)
		}
		return u, err
	}
	u := domain.User{ID: call.Caller.ID, Name: domain.Username(call.Caller.ID), Role: domain.RoleMember}
	if call.Caller.Admin {
		u.Role = domain.RoleAdmin
	}
	var granted []domain.ProjectID
	err := paging.Each(func(after domain.Cursor) (paging.Page[domain.Project], error) {
		return s.projects(ctx, domain.GrantedTo(call.Caller.ID), domain.ProjectFilter{}, after, paging.Max)
	}, func(p domain.Project) error {
		granted = append(granted, p.ID)
		return nil
	})
	u.SetAssistants(granted)
	return u, err
}
