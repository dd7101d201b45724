package portstest

import (
	"context"
	"fmt"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// another gives a user another password hash.
func another(u *domain.User) { u.PasswordHash = domain.NewSecret("$test$another") }

// updateTokens changes one thing at a time. Only another password hash ends access tokens.
func updateTokens(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u, other := f.admin(t, "ana"), f.member(t, "bob", p.ID)
	login := f.login(t, u)
	stays := f.issue(t, f.token(other.ID, p.ID, domain.DefaultScopes()))
	issue := func() []domain.AccessToken {
		return []domain.AccessToken{f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes())), f.issue(t, f.token(u.ID, "", domain.ScopesOf(domain.ScopeManage)))}
	}
	for _, tc := range []struct {
		what   string
		keep   domain.Kept
		change func(u *domain.User)
		ends   bool
	}{
		{"another role", domain.Kept{}, func(u *domain.User) { u.Role = domain.RoleMember }, false},
		{"the role again", domain.Kept{}, func(u *domain.User) { u.Role = domain.RoleAdmin }, false},
		{"disabled", domain.Kept{}, func(u *domain.User) { u.Disabled = true }, false},
		{"enabled", domain.Kept{}, func(u *domain.User) { u.Disabled = false }, false},
		{"assistants", domain.Kept{}, func(u *domain.User) { u.SetAssistants([]domain.ProjectID{p.ID}) }, false},
		{"another password hash, keeping tokens", domain.Kept{Tokens: true}, another, false},
		{"another password hash, keeping a login", domain.Kept{Login: login.ID}, func(u *domain.User) { u.PasswordHash = domain.NewSecret("$test$third") }, true},
		{"another password hash and role", domain.Kept{}, func(u *domain.User) { another(u); u.Role = domain.RoleMember }, true},
	} {
		tokens := issue()
		c := f.converse(t, f.conversation(domain.Session{}, tokens[0]))
		f.updateKeeping(t, u.ID, tc.keep, tc.change)
		if tc.ends {
			f.wantTokens(t, "after "+tc.what, u.ID)
			f.wantNoUse(t, "after "+tc.what, shown{Conversation: c.ID})
		} else {
			f.wantTokens(t, "after "+tc.what, u.ID, tokens...)
			f.withdraw(t, tokens[0].ID)
			f.withdraw(t, tokens[1].ID)
		}
		f.wantTokens(t, "of another user after "+tc.what, other.ID, stays)
	}
	f.wantRecords(t, "after each Update")
}

// changesByToken has an access token that manages users change users in each way that takes a
// login, and in ways that it may.
func changesByToken(t *testing.T, f *fixture) {
	f.admin(t, "beside")
	p := f.addNamed(t, "p")
	who := f.actorByToken(t, "", domain.ScopesOf(domain.ScopeManage))
	role := func(r domain.Role) func(u *domain.User) { return func(u *domain.User) { u.Role = r } }
	disabled := f.user("disabled", domain.RoleAdmin)
	disabled.Disabled = true
	for _, tc := range []struct {
		what   string
		of     domain.User
		change func(u *domain.User)
		kind   domain.Kind
	}{
		{"promotes a member", f.member(t, "m1"), role(domain.RoleAdmin), domain.NotAllowed},
		{"promotes and disables a member", f.member(t, "m2"), func(u *domain.User) { u.Role, u.Disabled = domain.RoleAdmin, true }, domain.NotAllowed},
		{"sets the password of a member", f.member(t, "m3"), another, ""},
		{"disables a member", f.member(t, "m4"), func(u *domain.User) { u.Disabled = true }, ""},
		{"sets the password of an admin", f.admin(t, "a1"), another, domain.NotAllowed},
		{"demotes an admin and sets the password", f.admin(t, "a2"), func(u *domain.User) { another(u); u.Role = domain.RoleMember }, domain.NotAllowed},
		{"enables a disabled admin", f.create(t, disabled), func(u *domain.User) { u.Disabled = false }, domain.NotAllowed},
		{"disables an admin", f.admin(t, "a3"), func(u *domain.User) { u.Disabled = true }, ""},
		{"demotes an admin", f.admin(t, "a4"), role(domain.RoleMember), ""},
		{"sets the password of its owner", who.user, another, domain.NotAllowed},
		{"changes the assistants of its owner", who.user, func(u *domain.User) { u.SetAssistants([]domain.ProjectID{p.ID}) }, ""},
	} {
		act := f.actBy(who, attempt{needs: domain.NeedsAdmin(domain.ScopeManageUsers)}, tc.what)
		got, err := f.Ports.Users.Update(t.Context(), act, tc.of.ID, changing(tc.change), domain.Kept{})
		if tc.kind != "" {
			wantKind(t, "a token that "+tc.what, err, tc.kind)
			f.wantUser(t, "after a token that "+tc.what, tc.of)
			continue
		}
		wantNil(t, "a token that "+tc.what, err)
		f.wantUser(t, "after a token that "+tc.what, got)
		f.log = append(f.log, act.Record)
	}
	for role, kind := range map[domain.Role]domain.Kind{domain.RoleAdmin: domain.NotAllowed, domain.RoleMember: ""} {
		u := f.user(domain.Username("new-"+role), role)
		act := f.actBy(who, attempt{needs: domain.NeedsAdmin(domain.ScopeManageUsers)}, string(role))
		err := f.Ports.Users.Create(t.Context(), act, u)
		if kind != "" {
			wantKind(t, "a token that creates an admin", err, kind)
			f.wantNoUser(t, "after a token that creates an admin", u.ID)
			continue
		}
		wantNil(t, "a token that creates a member", err)
		f.log = append(f.log, act.Record)
	}
	f.wantRecords(t, "after changes by a token")
}

// changesByTokenRace promotes a user on one instance while a token sets their password on
// another. The password of an admin is never what the token set after the promotion.
func changesByTokenRace(t *testing.T, f *fixture) {
	at := f.instances(t)
	for range rounds {
		who, u := f.actorByToken(t, "", domain.ScopesOf(domain.ScopeManageUsers)), f.member(t, f.username())
		setting := f.actBy(who, attempt{needs: domain.NeedsAdmin(domain.ScopeManageUsers)}, "set")
		promoting := f.act(domain.ActionUpdateUser, "promoted")
		var err, promotingErr error
		atOnce(2, func(i int) {
			if i == 0 {
				_, err = at[0].Ports.Users.Update(t.Context(), setting, u.ID, changing(another), domain.Kept{})
			} else {
				_, promotingErr = at[len(at)-1].Ports.Users.Update(t.Context(), promoting, u.ID, changing(func(u *domain.User) { u.Role = domain.RoleAdmin }), domain.Kept{})
			}
		})
		wantNil(t, "a promotion beside a token", promotingErr)
		want := written(promoting.Record, u, domain.User{ID: u.ID, Role: domain.RoleAdmin})
		if err == nil {
			want = append([]domain.Record{setting.Record}, want...)
		} else {
			wantKind(t, "a token that sets a password during a promotion", err, domain.NotAllowed)
		}
		f.log = append(f.log, want...)
		f.wantRecords(t, "after a promotion and a password at the same instant")
	}
}

// actsProven makes acts of a login that stays while the password of its user changes.
func actsProven(t *testing.T, f *fixture) {
	f.install(t)
	p := f.addNamed(t, "p")
	who := f.actorByLogin(t, domain.RoleAdmin)
	login := domain.Kept{Login: who.caller.Login.ID}
	for _, tc := range []struct {
		what string
		do   func(ctx context.Context, at ports.Store, act domain.Act) error
	}{
		{"Tokens.Create", func(ctx context.Context, at ports.Store, act domain.Act) error {
			token := f.token(who.user.ID, p.ID, domain.DefaultScopes())
			return at.Tokens.Create(ctx, act, token, tokenHash(token))
		}},
		{"Users.Update", func(ctx context.Context, at ports.Store, act domain.Act) error {
			_, err := at.Users.Update(ctx, act, who.user.ID, changing(func(u *domain.User) {
				u.PasswordHash = domain.NewSecret("$test$of " + act.Record.Object)
			}), login)
			return err
		}},
	} {
		act := func(proven domain.Secret) domain.Act {
			act := f.actBy(who, attempt{}, fmt.Sprint(tc.what, f.next()))
			act.Proven = proven
			return act
		}
		now := func() domain.Secret {
			u, err := f.Ports.Users.Find(t.Context(), domain.UserRef{ID: who.user.ID})
			wantNil(t, "Users.Find", err)
			return u.PasswordHash
		}
		was := now()
		good := act(was)
		wantNil(t, tc.what+" on the password", tc.do(t.Context(), f.Ports, good))
		f.log = append(f.log, good.Record)
		was = now()
		f.updateKeeping(t, who.user.ID, login, func(u *domain.User) { u.PasswordHash = domain.NewSecret("$test$reset " + tc.what) })
		before := f.state(t, f.Ports)
		wantKind(t, tc.what+" on a password that was changed", tc.do(t.Context(), f.Ports, act(was)), domain.Conflict)
		wantKind(t, tc.what+" on another password", tc.do(t.Context(), f.Ports, act(domain.NewSecret("$test$guessed"))), domain.Conflict)
		f.wantState(t, "after "+tc.what+" on a password that was changed", before)
	}
	f.wantRecords(t, "after acts on proven passwords")
}

// actsProvenRace changes a password on one instance, and keeps the login, while that login creates a
// token on another.
func actsProvenRace(t *testing.T, f *fixture) {
	at := f.instances(t)
	p := f.addNamed(t, "p")
	for range rounds {
		who := f.actorByLogin(t, domain.RoleAdmin)
		token := f.token(who.user.ID, p.ID, domain.DefaultScopes())
		creating, changingPassword := f.actBy(who, attempt{needs: token.Needs()}, "created"), f.actBy(who, attempt{}, "changed")
		creating.Proven = who.user.PasswordHash
		var err, changingErr error
		atOnce(2, func(i int) {
			if i == 0 {
				err = at[0].Ports.Tokens.Create(t.Context(), creating, token, tokenHash(token))
			} else {
				_, changingErr = at[len(at)-1].Ports.Users.Update(t.Context(), changingPassword, who.user.ID, changing(another), domain.Kept{Login: who.caller.Login.ID})
			}
		})
		wantNil(t, "a change of the password beside a Create", changingErr)
		want := []domain.Record{changingPassword.Record}
		if err == nil {
			want = []domain.Record{creating.Record, changingPassword.Record}
		} else {
			wantKind(t, "a Create during a change of the password", err, domain.Conflict)
		}
		f.log = append(f.log, want...)
		f.wantRecords(t, "after a Create and a change of the password at the same instant")
		f.wantTokens(t, "after a Create and a change of the password at the same instant", who.user.ID)
	}
}

// actsParts tries tokens with parts of managing on acts that need parts.
func actsParts(t *testing.T, f *fixture) {
	of := domain.ScopesOf
	const projects, users, grants, audit = domain.ScopeManageProjects, domain.ScopeManageUsers, domain.ScopeManageGrants, domain.ScopeManageAudit
	for _, tc := range []struct {
		what   string
		scopes domain.Scopes
		needs  []domain.Scope
		kind   domain.Kind
	}{
		{"the part", of(grants), []domain.Scope{grants}, ""},
		{"the part among others", of(projects, users, grants, audit), []domain.Scope{grants}, ""},
		{"all", of(domain.ScopeManage), []domain.Scope{users, grants}, ""},
		{"both parts", of(users, grants), []domain.Scope{users, grants}, ""},
		{"one of two parts", of(users), []domain.Scope{users, grants}, domain.NotAllowed},
		{"the other parts", of(projects, users, audit), []domain.Scope{grants}, domain.NotAllowed},
		{"all parts, for what takes all", of(projects, users, grants, audit), nil, domain.NotAllowed},
		{"all, for what takes all", of(domain.ScopeManage), nil, ""},
	} {
		who, p, u := f.actorByToken(t, "", tc.scopes), f.addNamed(t, "p"), f.member(t, f.username())
		act := f.actBy(who, attempt{needs: domain.NeedsAdmin(tc.needs...)}, tc.what)
		err := f.Ports.Grants.Put(t.Context(), act, u.ID, p.ID, domain.DefaultScopes(), act.Record.At)
		if tc.kind != "" {
			wantKind(t, "a token with "+tc.what, err, tc.kind)
		} else {
			wantNil(t, "a token with "+tc.what, err)
			f.log = append(f.log, act.Record)
		}
	}
	f.wantRecords(t, "after acts by tokens with parts of managing")
}
