package portstest

import (
	"context"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var signOnCalls = []call{
	{method: "Sessions.OpenLoginByLink", changes: true, record: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		return opensByLink(f, f.member(t, f.username()).ID)
	}},
	failing(domain.NotAllowed, call{method: "Sessions.OpenLoginByLink", way: "of an unknown user", ready: func(_ *testing.T, f *fixture, _ actor) attempt {
		return opensByLink(f, userID(404))
	}}),
	{method: "SignOns.Open", changes: true, record: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		return signsOn(f.opening(f.signOn(f.linked(t, f.username(), domain.RoleMember), "staff")))
	}},
	failing(domain.NotAuthenticated, call{method: "SignOns.Open", way: "of an unknown person", ready: func(_ *testing.T, f *fixture, _ actor) attempt {
		o := f.opening(f.signOn(f.somebody(f.username())))
		o.in.Policy.CreateUsers = false
		return signsOn(o)
	}}),
	failing(domain.Conflict, call{method: "SignOns.Open", way: "of an id that is taken", ready: func(t *testing.T, f *fixture, who actor) attempt {
		o := f.opening(f.signOn(f.linked(t, f.username(), domain.RoleMember)))
		o.login.ID = f.login(t, who.user).ID
		return signsOn(o)
	}}),
	{method: "SignOns.Find", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		o := f.signedOn(t, f.linked(t, f.username(), domain.RoleMember))
		return attempt{check: returns(o.kept), do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			return at.SignOns.Find(ctx, o.login.ID)
		}}
	}},
	failing(domain.NotFound, reads("SignOns.Find", "of an unknown login", func(ctx context.Context, at ports.Store) (any, error) {
		return at.SignOns.Find(ctx, sessionID(404))
	})),
	{method: "SignOns.Claim", changes: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		o := f.signedOn(t, f.linked(t, f.username(), domain.RoleMember))
		return claims(o.login.ID, o.login.Recheck, true)
	}},
	{method: "SignOns.Claim", way: "too early", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		o := f.signedOn(t, f.linked(t, f.username(), domain.RoleMember))
		return claims(o.login.ID, o.login.Recheck.Add(-time.Microsecond), false)
	}},
	{method: "SignOns.Renew", changes: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		return renewsSignOn(f, f.signedOn(t, f.linked(t, f.username(), domain.RoleMember)))
	}},
	failing(domain.NotFound, call{method: "SignOns.Renew", way: "of an unknown login", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		return renewsSignOn(f, f.opening(f.signOn(f.linked(t, f.username(), domain.RoleMember))))
	}}),
	{method: "SignOns.Refuse", changes: true, record: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		return refuses(f.signedOn(t, f.linked(t, f.username(), domain.RoleMember)).login.ID)
	}},
	{method: "SignOns.Refuse", way: "of a login with a password", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		return refuses(f.login(t, f.member(t, f.username())).ID)
	}},
	{method: "SignOns.Logout", changes: true, record: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		o := f.signedOn(t, f.linked(t, f.username(), domain.RoleMember))
		return logsOut(f.logout(domain.ProviderLogout{Identity: o.kept.Identity, Sid: o.kept.Sid}), 1)
	}},
	{method: "SignOns.Logout", way: "of nobody", record: true, ready: func(_ *testing.T, f *fixture, _ actor) attempt {
		return logsOut(f.logout(domain.ProviderLogout{Identity: f.identity()}), 0)
	}},
	{method: "GroupRules.Set", act: true, changes: true, record: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		return setsRule(f.rule(string(f.username()), f.addNamed(t, "p").ID, domain.DefaultScopes(), "main", "dev"))
	}},
	{method: "GroupRules.Set", way: "that makes admins", act: true, changes: true, record: true, ready: func(_ *testing.T, f *fixture, who actor) attempt {
		if who.caller.Token != "" { // an access token makes no admins
			return attempt{}
		}
		return setsRule(f.rule(string(f.username()), "", 0))
	}},
	{method: "GroupRules.Set", way: "of what is set", act: true, ready: func(t *testing.T, f *fixture, who actor) attempt {
		if who.caller.Token != "" {
			return attempt{}
		}
		return setsRule(f.setRule(t, f.rule(string(f.username()), "", 0)))
	}},
	failing(domain.NotFound, call{method: "GroupRules.Set", way: "for an unknown project", act: true, ready: func(_ *testing.T, f *fixture, _ actor) attempt {
		return setsRule(f.rule("staff", projectID(404), domain.DefaultScopes()))
	}}),
	{method: "GroupRules.Remove", act: true, changes: true, record: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		r := f.setRule(t, f.rule(string(f.username()), f.addNamed(t, "p").ID, domain.DefaultScopes(), "main"))
		return removesRule(r.ID, returns(r))
	}},
	failing(domain.NotFound, call{method: "GroupRules.Remove", way: "of an unknown id", act: true, ready: func(*testing.T, *fixture, actor) attempt {
		return removesRule(ruleID(404), nil)
	}}),
	{method: "GroupRules.List", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		f.setRule(t, f.rule(string(f.username()), f.addNamed(t, "p").ID, domain.DefaultScopes(), "main"))
		return attempt{do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) { return at.GroupRules.List(ctx) }}
	}},
	{method: "GroupRules.Members", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		name := string(f.username())
		u, p := f.linked(t, f.username(), domain.RoleMember), f.addNamed(t, "p")
		r := f.setRule(t, f.rule(name, p.ID, domain.DefaultScopes(), "main"))
		o := f.signedOn(t, u, name)
		u.SignedOn = domain.Instant(o.in.At)
		u.SetAssistants([]domain.ProjectID{p.ID})
		want := []domain.GroupMember{{User: u, Groups: []string{name}, Grants: []domain.Grant{byGroups(u.ID, p.ID, o.in.At, group(r))}}}
		return attempt{check: returns(want), do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			return at.GroupRules.Members(ctx, name, "", 10)
		}}
	}},
	reads("GroupRules.Members", "of nobody", func(ctx context.Context, at ports.Store) (any, error) {
		return at.GroupRules.Members(ctx, "nobody", "", 10)
	}),
	reads("Users.HasSignedOnAdmin", "", func(ctx context.Context, at ports.Store) (any, error) { return at.Users.HasSignedOnAdmin(ctx) }),
	reads("Users.KeptAdmins", "", func(ctx context.Context, at ports.Store) (any, error) { return at.Users.KeptAdmins(ctx, 10) }),
}

// link returns a new link that logs in once.
func (f *fixture) link() domain.Once {
	return domain.Once{Kind: domain.OnceLoginLink, ID: string(f.username()), Ends: domain.Instant(f.clock.now().Add(10 * time.Minute))}
}

func opensByLink(f *fixture, user domain.UserID) attempt {
	s, link := f.newLogin(user), f.link()
	return doing(domain.Need{}, func(ctx context.Context, at ports.Store, act domain.Act) error {
		return at.Sessions.OpenLoginByLink(ctx, s, link, act.Record)
	})
}

func signsOn(o opening) attempt {
	return attempt{args: []any{&o.in.Person.Groups, &o.kept.Tokens}, do: func(ctx context.Context, at ports.Store, act domain.Act) (any, error) {
		return at.SignOns.Open(ctx, o.in, o.login, o.kept, o.once, act.Record)
	}}
}

func claims(login domain.SessionID, now time.Time, want bool) attempt {
	return attempt{check: returns(want), do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
		return at.SignOns.Claim(ctx, login, now, now.Add(time.Hour))
	}}
}

func renewsSignOn(f *fixture, o opening) attempt {
	kept, next := o.kept, o.login.Recheck.Add(time.Hour)
	kept.Tokens = providerTokens(f.next())
	o.in.Renews = true
	return attempt{args: []any{&kept.Tokens}, do: func(ctx context.Context, at ports.Store, act domain.Act) (any, error) {
		return at.SignOns.Renew(ctx, o.in, kept, next, act.Record)
	}}
}

func refuses(login domain.SessionID) attempt {
	return doing(domain.Need{}, func(ctx context.Context, at ports.Store, act domain.Act) error {
		return at.SignOns.Refuse(ctx, login, act.Record)
	})
}

// logout returns the logout with an id of its own.
func (f *fixture) logout(out domain.ProviderLogout) domain.ProviderLogout {
	out.ID, out.Ends = string(f.username()), domain.Instant(f.clock.now().Add(5*time.Minute))
	return out
}

func logsOut(out domain.ProviderLogout, want int) attempt {
	return attempt{check: returns(want), do: func(ctx context.Context, at ports.Store, act domain.Act) (any, error) {
		return at.SignOns.Logout(ctx, out, act.Record)
	}}
}

func setsRule(r domain.GroupRule) attempt {
	want := r
	want.Environments = append([]string(nil), r.Environments...)
	return attempt{needs: domain.NeedsAdmin(), check: returns(want), args: []any{r.Environments}, do: func(ctx context.Context, at ports.Store, act domain.Act) (any, error) {
		return at.GroupRules.Set(ctx, act, r, signOnPolicy)
	}}
}

func removesRule(id domain.RuleID, check func(any) error) attempt {
	return attempt{needs: domain.NeedsAdmin(), check: check, do: func(ctx context.Context, at ports.Store, act domain.Act) (any, error) {
		return at.GroupRules.Remove(ctx, act, id, signOnPolicy)
	}}
}
