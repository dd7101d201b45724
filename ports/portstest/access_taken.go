package portstest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

// whole returns NotFound for a use without a session and for a use without a scope. If only a
// part is missing, it returns another error, because one look-up shows one moment.
func whole(a domain.Access, err error) error {
	missing := &domain.Error{Kind: domain.NotFound}
	switch {
	case err != nil:
		return err
	case a.Session.ID == "" && a.Token.ID == "":
		if a.Project.ID != "" || a.Granted != 0 {
			return errors.New("got a project, a key or scopes without a session")
		}
		return missing
	case a.Project.ID == "" || a.Project.Primary.Sealed.IsZero():
		return errors.New("got a session or a token without its project or its key")
	case a.Scopes() == 0:
		if a.Session.ID != "" {
			return errors.New("got a session without the grant or the role that let it in")
		}
		return missing
	}
	return nil
}

// taken is one way in which something is taken away, on one of the instances.
type taken struct {
	name string
	take func(at Store) error
}

// eachTaken checks that a use that prepare makes is over with the first the look-up after each
// way, taken on each instance.
func (f *fixture) eachTaken(t *testing.T, prepare func() (shown, []taken)) {
	t.Helper()
	_, ways := prepare()
	for i := range ways {
		for _, instance := range f.instances(t) {
			c, ways := prepare()
			f.whileInUse(t, ways[i].name, func(ctx context.Context, at Store) error {
				return whole(useOf(ctx, at.Ports.Access, c))
			}, func() error { return ways[i].take(instance) })
		}
	}
}

// lodger returns a user with a project of their own, granted to a member and not to an admin.
func (f *fixture) lodger(t *testing.T, role domain.Role) (domain.User, domain.Project) {
	t.Helper()
	p := f.addNamed(t, "p")
	u := f.user(domain.Username(fmt.Sprintf("user%d", f.next())), role)
	if role == domain.RoleMember {
		u.SetAssistants([]domain.ProjectID{p.ID})
	}
	return f.create(t, u), p
}

// updateAt changes the user by way of one of the instances.
func (f *fixture) updateAt(t *testing.T, at Store, id domain.UserID, change func(u *domain.User)) error {
	_, err := at.Ports.Users.Update(t.Context(), f.act(domain.ActionUpdateUser, domain.OnUser(id)), id, changing(change), domain.Kept{})
	return err
}

func useTakenSession(t *testing.T, f *fixture) {
	ctx := t.Context()
	f.eachTaken(t, func() (shown, []taken) {
		u, p := f.lodger(t, domain.RoleMember)
		login := f.login(t, u)
		s := f.set(t, f.under(login, p.ID))
		return inSession(s), []taken{
			{"Grants.Remove", func(at Store) error {
				return at.Ports.Grants.Remove(ctx, f.act(domain.ActionRevokeProject, "p"), u.ID, p.ID)
			}},
			{"an Update that takes the grant", func(at Store) error {
				return f.updateAt(t, at, u.ID, func(u *domain.User) { u.SetAssistants(nil) })
			}},
			{"Remove of the project", func(at Store) error {
				return at.Ports.Projects.Remove(ctx, f.act(domain.ActionDeleteProject, "p"), p.ID)
			}},
			{"End of the session", func(at Store) error {
				return endSessions(ctx, at.Ports.Sessions, f.act(domain.ActionClearProject, "s"), domain.OneSession(s.ID))
			}},
			{"another session in its place", func(at Store) error {
				next := f.under(login, p.ID)
				_, err := at.Ports.Sessions.OpenAssistant(ctx, settingAct(next, f.record(domain.ActionSetProject, "s")), next)
				return err
			}},
		}
	})
	f.eachTaken(t, func() (shown, []taken) {
		u, p := f.lodger(t, domain.RoleAdmin)
		s := f.set(t, f.byRole(f.login(t, u), p.ID))
		return inSession(s), []taken{
			{"an Update that takes the role", func(at Store) error {
				return f.updateAt(t, at, u.ID, func(u *domain.User) { u.Role = domain.RoleMember })
			}},
			{"Remove of the project", func(at Store) error {
				return at.Ports.Projects.Remove(ctx, f.act(domain.ActionDeleteProject, "p"), p.ID)
			}},
		}
	})
}

func useTakenLogin(t *testing.T, f *fixture) {
	ctx := t.Context()
	f.eachTaken(t, func() (shown, []taken) {
		u, p := f.lodger(t, domain.RoleMember)
		login := f.login(t, u)
		s := f.set(t, f.under(login, p.ID))
		return inSession(s), []taken{
			{"End of the login", func(at Store) error {
				return endSessions(ctx, at.Ports.Sessions, f.act(domain.ActionLogout, "l"), domain.OneSession(login.ID))
			}},
			{"an Update that disables", func(at Store) error {
				return f.updateAt(t, at, u.ID, func(u *domain.User) { u.Disabled = true })
			}},
			{"an Update of the password", func(at Store) error {
				return f.updateAt(t, at, u.ID, func(u *domain.User) { u.PasswordHash = domain.NewSecret("$test$another") })
			}},
			{"Remove of the user", func(at Store) error {
				return at.Ports.Users.Remove(ctx, f.act(domain.ActionDeleteUser, "u"), u.ID, agree)
			}},
		}
	})
}

func useTakenHost(t *testing.T, f *fixture) {
	ctx := t.Context()
	f.eachTaken(t, func() (shown, []taken) {
		const user = domain.UserID("a host's user")
		p := f.addNamed(t, "p")
		f.grant(t, user, p.ID)
		s := f.set(t, f.hosted(user, p.ID))
		return inSession(s), []taken{
			{"Grants.Remove", func(at Store) error {
				return at.Ports.Grants.Remove(ctx, f.act(domain.ActionRevokeProject, "p"), user, p.ID)
			}},
			{"Remove of the project", func(at Store) error {
				return at.Ports.Projects.Remove(ctx, f.act(domain.ActionDeleteProject, "p"), p.ID)
			}},
			{"End of the session", func(at Store) error {
				return endSessions(ctx, at.Ports.Sessions, f.act(domain.ActionClearProject, "s"), domain.OneSession(s.ID))
			}},
		}
	})
}

func useTakenToken(t *testing.T, f *fixture) {
	ctx := t.Context()
	f.eachTaken(t, func() (shown, []taken) {
		u, p := f.lodger(t, domain.RoleMember)
		token := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
		return shown{Token: tokenHash(token)}, []taken{
			{"Remove of the token", func(at Store) error {
				return at.Ports.Tokens.Remove(ctx, f.act(domain.ActionDeleteAccessToken, "t"), token.ID)
			}},
			{"Grants.Remove", func(at Store) error {
				return at.Ports.Grants.Remove(ctx, f.act(domain.ActionRevokeProject, "p"), u.ID, p.ID)
			}},
			{"Put of other scopes", func(at Store) error {
				return at.Ports.Grants.Put(ctx, f.act(domain.ActionGrantProject, "p"), u.ID, p.ID, domain.ScopesOf(domain.ScopeExport), f.clock.now())
			}},
			{"an Update that disables", func(at Store) error {
				return f.updateAt(t, at, u.ID, func(u *domain.User) { u.Disabled = true })
			}},
			{"Remove of the user", func(at Store) error {
				return at.Ports.Users.Remove(ctx, f.act(domain.ActionDeleteUser, "u"), u.ID, agree)
			}},
			{"Remove of the project", func(at Store) error {
				return at.Ports.Projects.Remove(ctx, f.act(domain.ActionDeleteProject, "p"), p.ID)
			}},
		}
	})
}

func useTakenConversation(t *testing.T, f *fixture) {
	ctx := t.Context()
	f.eachTaken(t, func() (shown, []taken) {
		u, p := f.lodger(t, domain.RoleMember)
		login := f.login(t, u)
		s := f.set(t, f.under(login, p.ID))
		c := f.converse(t, f.conversing(s))
		return shown{Conversation: c.ID}, []taken{
			{"Grants.Remove", func(at Store) error {
				return at.Ports.Grants.Remove(ctx, f.act(domain.ActionRevokeProject, "p"), u.ID, p.ID)
			}},
			{"End of the session", func(at Store) error {
				return endSessions(ctx, at.Ports.Sessions, f.act(domain.ActionClearProject, "s"), domain.OneSession(s.ID))
			}},
			{"End of the login", func(at Store) error {
				return endSessions(ctx, at.Ports.Sessions, f.act(domain.ActionLogout, "l"), domain.OneSession(login.ID))
			}},
			{"another session in its place", func(at Store) error {
				next := f.under(login, p.ID)
				_, err := at.Ports.Sessions.OpenAssistant(ctx, settingAct(next, f.record(domain.ActionSetProject, "s")), next)
				return err
			}},
			{"another conversation in its place", func(at Store) error {
				next := f.conversing(s)
				next.UserID = c.UserID
				return at.Ports.Conversations.Open(ctx, next)
			}},
			{"an Update that disables", func(at Store) error {
				return f.updateAt(t, at, u.ID, func(u *domain.User) { u.Disabled = true })
			}},
			{"Remove of the project", func(at Store) error {
				return at.Ports.Projects.Remove(ctx, f.act(domain.ActionDeleteProject, "p"), p.ID)
			}},
		}
	})
	f.eachTaken(t, func() (shown, []taken) {
		u, p := f.lodger(t, domain.RoleMember)
		token := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
		c := f.converse(t, f.conversation(domain.Session{}, token))
		return shown{Conversation: c.ID}, []taken{
			{"Remove of the token", func(at Store) error {
				return at.Ports.Tokens.Remove(ctx, actOf(u.ID, f.record(domain.ActionDeleteAccessToken, "t")), token.ID)
			}},
			{"Grants.Remove", func(at Store) error {
				return at.Ports.Grants.Remove(ctx, f.act(domain.ActionRevokeProject, "p"), u.ID, p.ID)
			}},
			{"Remove of the user", func(at Store) error {
				return at.Ports.Users.Remove(ctx, f.act(domain.ActionDeleteUser, "u"), u.ID, agree)
			}},
		}
	})
}
