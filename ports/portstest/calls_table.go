package portstest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// calls returns the table of calls: every method of every view, in its usual way and in those
// that change nothing or fail.
func calls() []call {
	return slices.Concat(projectCalls, grantCalls, userCalls, sessionCalls, signOnCalls, accessCalls, tokenCalls, conversationCalls, usageCalls, auditCalls, checkCalls, sealingCalls, installationCalls, webhookCalls)
}

// reads returns a call that changes nothing and needs no preparation.
func reads(method, way string, do func(ctx context.Context, at ports.Store) (any, error)) call {
	return call{method: method, way: way, ready: func(*testing.T, *fixture, actor) attempt {
		return attempt{do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) { return do(ctx, at) }}
	}}
}

// failing returns the call c, which fails.
func failing(kind domain.Kind, c call) call {
	c.fails, c.changes, c.record = kind, false, false
	return c
}

// doing returns an attempt to make a call that returns an error only.
func doing(needs domain.Need, do func(ctx context.Context, at ports.Store, act domain.Act) error, args ...any) attempt {
	return attempt{needs: needs, args: args, do: func(ctx context.Context, at ports.Store, act domain.Act) (any, error) {
		return nil, do(ctx, at, act)
	}}
}

var projectCalls = []call{
	{method: "Projects.Add", act: true, changes: true, record: true, ready: func(_ *testing.T, f *fixture, _ actor) attempt {
		p := f.project("added")
		return doing(domain.NeedsAdmin(), func(ctx context.Context, at ports.Store, act domain.Act) error { return at.Projects.Add(ctx, act, p) }, &p)
	}},
	failing(domain.AlreadyAdded, call{method: "Projects.Add", way: "of a pair that is there", act: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		there, p := f.addNamed(t, "there"), f.project("added")
		p.Voiceflow, p.Version = there.Voiceflow, there.Version
		return doing(domain.NeedsAdmin(), func(ctx context.Context, at ports.Store, act domain.Act) error { return at.Projects.Add(ctx, act, p) }, &p)
	}}),
	failing(domain.Conflict, call{method: "Projects.Add", way: "of an id that is taken", act: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		p := f.project("added")
		p.ID = f.addNamed(t, "there").ID
		return doing(domain.NeedsAdmin(), func(ctx context.Context, at ports.Store, act domain.Act) error { return at.Projects.Add(ctx, act, p) }, &p)
	}}),
	{method: "Projects.Remove", act: true, changes: true, record: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		return removesProject(f.addNamed(t, "removed").ID)
	}},
	failing(domain.NotFound, call{method: "Projects.Remove", way: "of an unknown id", act: true, ready: func(*testing.T, *fixture, actor) attempt {
		return removesProject(projectID(404))
	}}),
	{method: "Projects.Find", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		p := f.addNamed(t, "found")
		return attempt{check: returns([]domain.Project{p}), do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			return at.Projects.Find(ctx, everything, domain.ProjectRef{ID: p.ID})
		}}
	}},
	{method: "Projects.Find", way: "within what is granted", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		p, user := f.addNamed(t, "found"), userID(f.next())
		f.grant(t, user, p.ID)
		return attempt{check: returns([]domain.Project{p}), do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			return at.Projects.Find(ctx, domain.GrantedTo(user), domain.ProjectRef{Name: "found"})
		}}
	}},
	reads("Projects.Find", "of an unknown id", func(ctx context.Context, at ports.Store) (any, error) {
		return at.Projects.Find(ctx, everything, domain.ProjectRef{ID: projectID(404)})
	}),
	{method: "Projects.Page", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		f.addNamed(t, "listed")
		return attempt{do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			return at.Projects.Page(ctx, everything, domain.ProjectFilter{}, domain.Cursor{}, 10)
		}}
	}},
	{method: "Projects.Page", way: "within what is granted", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		p, q, user := f.addNamed(t, "p"), f.addNamed(t, "q"), userID(f.next())
		f.grant(t, user, q.ID)
		f.grant(t, user, p.ID)
		return attempt{check: returns(allUnsealed([]domain.Project{p, q})), do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			return at.Projects.Page(ctx, domain.GrantedTo(user), domain.ProjectFilter{}, domain.Cursor{}, 10)
		}}
	}},
	{method: "Projects.Page", way: "with a filter", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		p := f.addNamed(t, fmt.Sprintf("Searched %d", f.next()))
		return attempt{check: returns(allUnsealed([]domain.Project{p})), do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			return at.Projects.Page(ctx, everything, domain.ProjectFilter{Search: strings.ToUpper(p.Name)}, domain.Cursor{}, 10)
		}}
	}},
	{method: "Projects.Names", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		p := f.addNamed(t, "named")
		of := []domain.ProjectID{p.ID, projectID(404)}
		return attempt{check: returns(map[domain.ProjectID]string{p.ID: "named"}), args: []any{of}, do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			return at.Projects.Names(ctx, everything, of)
		}}
	}},
	{method: "Projects.Update", act: true, changes: true, record: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		p := f.addNamed(t, "p")
		key, at := otherKey(p), f.clock.now()
		a := updatesProject(p.ID, func(p *domain.Project) error {
			p.PutKey(domain.SlotSecondary, key, at, at)
			p.Name = "renamed"
			return nil
		}, &key)
		p.PutKey(domain.SlotSecondary, otherKey(p), at, at)
		p.Name = "renamed"
		a.check = returns(p)
		return a
	}},
	{method: "Projects.Update", way: "that alters nothing", act: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		return updatesProject(f.addNamed(t, "p").ID, func(*domain.Project) error { return nil })
	}},
	failing(domain.Conflict, call{method: "Projects.Update", way: "whose change fails", act: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		return updatesProject(f.addNamed(t, "p").ID, func(p *domain.Project) error {
			p.Name = "renamed"
			return &domain.Error{Kind: domain.Conflict}
		})
	}}),
	failing(domain.NotFound, call{method: "Projects.Update", way: "of an unknown id", act: true, ready: func(*testing.T, *fixture, actor) attempt {
		return updatesProject(projectID(404), func(p *domain.Project) error {
			p.Name = "renamed"
			return nil
		})
	}}),
	{method: "Projects.Note", changes: true, record: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		p := f.addNamed(t, "p")
		return notes(p.ID, func(p *domain.Project) bool { return p.MarkOpens(p.Primary.Sealed, false) })
	}},
	{method: "Projects.Note", way: "without news", changes: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		p := f.addNamed(t, "p")
		at := f.clock.now().Add(time.Minute)
		return notes(p.ID, func(p *domain.Project) bool { return p.Mark(p.Primary.Sealed, domain.KeyOK, at) })
	}},
	{method: "Projects.Note", way: "of what is known", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		return notes(f.addNamed(t, "p").ID, func(p *domain.Project) bool { return p.MarkCredits(domain.CreditsOK) })
	}},
	failing(domain.NotFound, call{method: "Projects.Note", way: "of an unknown id", ready: func(*testing.T, *fixture, actor) attempt {
		return notes(projectID(404), func(p *domain.Project) bool { return p.MarkCredits(domain.CreditsUsedUp) })
	}}),
}

func removesProject(id domain.ProjectID) attempt {
	return doing(domain.NeedsAdmin(), func(ctx context.Context, at ports.Store, act domain.Act) error {
		return at.Projects.Remove(ctx, act, id)
	})
}

func updatesProject(id domain.ProjectID, change func(p *domain.Project) error, args ...any) attempt {
	return attempt{needs: domain.NeedsAdmin(), args: args, do: func(ctx context.Context, at ports.Store, act domain.Act) (any, error) {
		return at.Projects.Update(ctx, act, id, change)
	}}
}

func notes(id domain.ProjectID, change func(p *domain.Project) bool) attempt {
	return doing(domain.Need{}, func(ctx context.Context, at ports.Store, act domain.Act) error {
		return at.Projects.Note(ctx, id, change, act.Record)
	})
}

var grantCalls = []call{
	{method: "Grants.Put", act: true, changes: true, record: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		return putsGrant(f, f.addNamed(t, "p").ID, 0)
	}},
	{method: "Grants.Put", way: "of other scopes", act: true, changes: true, record: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		p := f.addNamed(t, "p")
		f.grant(t, "a host's user", p.ID)
		return putsGrant(f, p.ID, domain.AllScopes())
	}},
	{method: "Grants.Put", way: "of what is granted", act: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		p := f.addNamed(t, "p")
		f.grant(t, "a host's user", p.ID)
		return putsGrant(f, p.ID, 0)
	}},
	failing(domain.NotFound, call{method: "Grants.Put", way: "of an unknown project", act: true, ready: func(_ *testing.T, f *fixture, _ actor) attempt {
		return putsGrant(f, projectID(404), 0)
	}}),
	{method: "Grants.Remove", act: true, changes: true, record: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		p := f.addNamed(t, "p")
		f.grant(t, "a host's user", p.ID)
		f.set(t, f.hosted("a host's user", p.ID))
		return removesGrant(p.ID)
	}},
	{method: "Grants.Remove", way: "of what is not granted", act: true, ready: func(*testing.T, *fixture, actor) attempt { return removesGrant(projectID(404)) }},
	{method: "Grants.Page", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		p, user := f.addNamed(t, "p"), userID(f.next())
		f.grantScopes(t, user, p.ID, someScopes)
		want := []domain.Grant{domain.NewGrant(user, p.ID, someScopes, f.clock.now())}
		return attempt{check: returns(want), do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			return at.Grants.Page(ctx, domain.GrantFilter{User: user}, domain.Cursor{}, 10)
		}}
	}},
	reads("Grants.Page", "of an unknown user", func(ctx context.Context, at ports.Store) (any, error) {
		return at.Grants.Page(ctx, domain.GrantFilter{User: "nobody"}, domain.Cursor{}, 10)
	}),
}

func putsGrant(f *fixture, id domain.ProjectID, scopes domain.Scopes) attempt {
	return doing(domain.NeedsAdmin(), func(ctx context.Context, at ports.Store, act domain.Act) error {
		return at.Grants.Put(ctx, act, "a host's user", id, scopes, f.clock.now())
	})
}

func removesGrant(id domain.ProjectID) attempt {
	return doing(domain.NeedsAdmin(), func(ctx context.Context, at ports.Store, act domain.Act) error {
		return at.Grants.Remove(ctx, act, "a host's user", id)
	})
}

var userCalls = []call{
	{method: "Users.Create", act: true, changes: true, record: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		return createsUser(f.user(f.username(), domain.RoleMember, f.addNamed(t, "p").ID))
	}},
	failing(domain.Conflict, call{method: "Users.Create", way: "of a name that is taken", act: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		return createsUser(f.user(f.member(t, f.username()).Name, domain.RoleMember))
	}}),
	failing(domain.Conflict, call{method: "Users.Create", way: "of an id that is taken", act: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		u := f.user(f.username(), domain.RoleAdmin)
		u.ID = f.member(t, f.username()).ID
		return createsUser(u)
	}}),
	failing(domain.NotFound, call{method: "Users.Create", way: "with an unknown assistant", act: true, ready: func(_ *testing.T, f *fixture, _ actor) attempt {
		return createsUser(f.user(f.username(), domain.RoleMember, projectID(404)))
	}}),
	{method: "Users.Find", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		u := f.member(t, f.username(), f.addNamed(t, "p").ID)
		return attempt{check: returns(u), do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			return at.Users.Find(ctx, domain.UserRef{ID: u.ID})
		}}
	}},
	{method: "Users.Find", way: "by name", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		u := f.member(t, f.username(), f.addNamed(t, "p").ID)
		return attempt{check: returns(u), do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			return at.Users.Find(ctx, domain.UserRef{Name: u.Name})
		}}
	}},
	failing(domain.NotFound, reads("Users.Find", "of an unknown id", func(ctx context.Context, at ports.Store) (any, error) {
		return at.Users.Find(ctx, domain.UserRef{ID: userID(404)})
	})),
	failing(domain.NotFound, reads("Users.Find", "of an unknown name", func(ctx context.Context, at ports.Store) (any, error) {
		return at.Users.Find(ctx, domain.UserRef{Name: "nobody"})
	})),
	{method: "Users.Names", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		u := f.member(t, f.username(), f.addNamed(t, "p").ID)
		of := []domain.UserID{u.ID, userID(404)}
		return attempt{check: returns(map[domain.UserID]domain.Username{u.ID: u.Name}), args: []any{of}, do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			return at.Users.Names(ctx, of)
		}}
	}},
	{method: "Users.OtherAdmin", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		f.admin(t, f.username())
		return attempt{check: returns(true), do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			return at.Users.OtherAdmin(ctx, userID(404))
		}}
	}},
	{method: "Users.Page", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		u := f.member(t, f.username(), f.addNamed(t, "p").ID)
		return attempt{check: returns([]domain.User{u}), do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			return at.Users.Page(ctx, domain.Cursor{Name: string(u.Name)}, 1)
		}}
	}},
	{method: "Users.Update", act: true, changes: true, record: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
		u := f.member(t, f.username(), p.ID, q.ID)
		f.login(t, u)
		f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
		assistants := []domain.ProjectID{q.ID}
		a := updatesUser(domain.NeedsAdmin(), u.ID, func(u *domain.User, _ bool) error {
			clear(u.Assistants) // change may alter its argument
			u.Assistants, u.PasswordHash = assistants, domain.NewSecret("$test$another")
			return nil
		}, "", assistants)
		u.Assistants, u.PasswordHash = []domain.ProjectID{q.ID}, domain.NewSecret("$test$another")
		a.check = returns(u)
		return a
	}},
	{method: "Users.Update", way: "of oneself", act: true, changes: true, record: true, ready: func(_ *testing.T, _ *fixture, who actor) attempt {
		if who.caller.Token != "" { // a token does not set the password of its owner
			return attempt{}
		}
		return updatesUser(domain.NeedsCaller(), who.user.ID, func(u *domain.User, _ bool) error {
			u.PasswordHash = domain.NewSecret("$test$another")
			return nil
		}, who.caller.Login.ID)
	}},
	{method: "Users.Update", way: "that alters nothing", act: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		return updatesUser(domain.NeedsAdmin(), f.member(t, f.username()).ID, agree, "")
	}},
	failing(domain.Conflict, call{method: "Users.Update", way: "whose change fails", act: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		return updatesUser(domain.NeedsAdmin(), f.member(t, f.username()).ID, func(u *domain.User, _ bool) error {
			u.Disabled = true
			return &domain.Error{Kind: domain.Conflict}
		}, "")
	}}),
	failing(domain.NotFound, call{method: "Users.Update", way: "of an unknown id", act: true, ready: func(*testing.T, *fixture, actor) attempt {
		return updatesUser(domain.NeedsAdmin(), userID(404), agree, "")
	}}),
	{method: "Users.Remove", act: true, changes: true, record: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		p := f.addNamed(t, "p")
		u := f.member(t, f.username(), p.ID)
		f.set(t, f.under(f.login(t, u), p.ID))
		f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
		return removesUser(u.ID, agree)
	}},
	failing(domain.Conflict, call{method: "Users.Remove", way: "that is not allowed", act: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		return removesUser(f.member(t, f.username()).ID, func(*domain.User, bool) error { return &domain.Error{Kind: domain.Conflict} })
	}}),
	failing(domain.NotFound, call{method: "Users.Remove", way: "of an unknown id", act: true, ready: func(*testing.T, *fixture, actor) attempt {
		return removesUser(userID(404), agree)
	}}),
}

// username returns a name that no user of the subtest has yet.
func (f *fixture) username() domain.Username {
	return domain.Username("user" + string(projectID(f.next())))
}

func createsUser(u domain.User) attempt {
	return doing(domain.NeedsAdmin(), func(ctx context.Context, at ports.Store, act domain.Act) error {
		return at.Users.Create(ctx, act, u)
	}, &u)
}

func updatesUser(needs domain.Need, id domain.UserID, change func(u *domain.User, otherAdmin bool) error, keep domain.SessionID, args ...any) attempt {
	return attempt{needs: needs, args: args, do: func(ctx context.Context, at ports.Store, act domain.Act) (any, error) {
		return at.Users.Update(ctx, act, id, change, domain.Kept{Login: keep})
	}}
}

func removesUser(id domain.UserID, allow func(u *domain.User, otherAdmin bool) error) attempt {
	return doing(domain.NeedsAdmin(), func(ctx context.Context, at ports.Store, act domain.Act) error {
		return at.Users.Remove(ctx, act, id, allow)
	})
}
