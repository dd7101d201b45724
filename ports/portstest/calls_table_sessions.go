package portstest

import (
	"context"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var sessionCalls = []call{
	{method: "Sessions.OpenLogin", changes: true, record: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		u := f.member(t, f.username())
		return opensLogin(f.newLogin(u.ID), u.PasswordHash)
	}},
	failing(domain.NotAllowed, call{method: "Sessions.OpenLogin", way: "of an unknown user", ready: func(_ *testing.T, f *fixture, _ actor) attempt {
		return opensLogin(f.newLogin(userID(404)), domain.NewSecret("$test$"))
	}}),
	failing(domain.Conflict, call{method: "Sessions.OpenLogin", way: "of an id that is taken", ready: func(t *testing.T, f *fixture, who actor) attempt {
		u := f.member(t, f.username())
		s := f.newLogin(u.ID)
		s.ID = f.login(t, who.user).ID
		return opensLogin(s, u.PasswordHash)
	}}),
	{method: "Sessions.OpenAssistant", act: true, changes: true, record: true, ready: func(t *testing.T, f *fixture, who actor) attempt {
		p := f.projectFor(t, who)
		a := opensAssistant(f, who, p.ID)
		a.check = returns(unsealed(p))
		return a
	}},
	failing(domain.NotFound, call{method: "Sessions.OpenAssistant", way: "of an unknown project", act: true, ready: func(_ *testing.T, f *fixture, who actor) attempt {
		return opensAssistant(f, who, projectID(404))
	}}),
	failing(domain.Conflict, call{method: "Sessions.OpenAssistant", way: "of an id that is taken", act: true, ready: func(t *testing.T, f *fixture, who actor) attempt {
		return opensAssistantAs(f.login(t, f.member(t, f.username())).ID, f, who, f.projectFor(t, who).ID)
	}}),
	failing(domain.Invalid, call{method: "Sessions.OpenAssistant", way: "of another user", act: true, ready: func(t *testing.T, f *fixture, who actor) attempt {
		other := f.actorByLogin(t, domain.RoleAdmin)
		a := opensAssistant(f, who, f.projectFor(t, who).ID)
		if a.do == nil {
			return a
		}
		s := f.assistant(other.caller, a.needs.Project())
		a.do = func(ctx context.Context, at ports.Store, act domain.Act) (any, error) {
			return at.Sessions.OpenAssistant(ctx, act, s)
		}
		return a
	}}),
	failing(domain.Invalid, call{method: "Sessions.OpenAssistant", way: "of another login", act: true, ready: func(t *testing.T, f *fixture, who actor) attempt {
		a := opensAssistant(f, who, f.projectFor(t, who).ID)
		if a.do == nil {
			return a
		}
		s := f.under(f.login(t, who.user), a.needs.Project())
		a.do = func(ctx context.Context, at ports.Store, act domain.Act) (any, error) {
			return at.Sessions.OpenAssistant(ctx, act, s)
		}
		return a
	}}),
	failing(domain.NeedsReentry, call{method: "Sessions.OpenAssistant", way: "of a project without a key that opens", act: true, ready: func(t *testing.T, f *fixture, who actor) attempt {
		p := f.project("closed")
		p.Primary.Status = domain.KeyNeedsReentry
		return opensAssistant(f, who, f.add(t, p).ID)
	}}),
	{method: "Sessions.Page", ready: func(t *testing.T, f *fixture, who actor) attempt {
		return attempt{check: returns([]domain.Session{who.caller.Login}), do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			return at.Sessions.Page(ctx, who.user.ID, domain.Cursor{}, 10)
		}}
	}},
	reads("Sessions.Page", "of nobody", func(ctx context.Context, at ports.Store) (any, error) {
		return at.Sessions.Page(ctx, userID(404), domain.Cursor{}, 10)
	}),
	{method: "Sessions.Touch", changes: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		s := f.login(t, f.member(t, f.username()))
		return touches(s.ID, domain.SessionUse{At: s.LastUsed.Add(time.Minute), Idle: s.Idle.Add(time.Minute), SealedBy: "42"})
	}},
	failing(domain.NotFound, call{method: "Sessions.Touch", way: "of an unknown id", ready: func(_ *testing.T, f *fixture, _ actor) attempt {
		return touches(sessionID(404), domain.SessionUse{At: f.clock.now(), Idle: f.clock.now().Add(time.Hour), SealedBy: "42"})
	}}),
	{method: "Sessions.End", way: "of one's own session", act: true, changes: true, record: true, ready: func(t *testing.T, f *fixture, who actor) attempt {
		if who.caller.Token != "" {
			return attempt{}
		}
		return ends(domain.NeedsCaller(), domain.OneSession(f.login(t, who.user).ID), domain.SessionsEnded{Sessions: 1})
	}},
	{method: "Sessions.End", way: "of one's own sessions", act: true, changes: true, record: true, ready: func(_ *testing.T, _ *fixture, who actor) attempt {
		if who.caller.Token != "" {
			return attempt{}
		}
		return ends(domain.NeedsCaller(), domain.SessionsOf(who.user.ID), domain.SessionsEnded{Sessions: 1})
	}},
	{method: "Sessions.End", way: "of another's session", act: true, changes: true, record: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		return ends(domain.NeedsAdmin(), domain.OneSession(f.login(t, f.member(t, f.username())).ID), domain.SessionsEnded{Sessions: 1})
	}},
	{method: "Sessions.End", way: "of another's sessions", act: true, changes: true, record: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		u := f.member(t, f.username())
		f.login(t, u)
		f.login(t, u)
		return ends(domain.NeedsAdmin(), domain.SessionsOf(u.ID), domain.SessionsEnded{Sessions: 2})
	}},
	{method: "Sessions.End", way: "by a keyset key", act: true, changes: true, record: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		key := domain.KeyID(f.username())
		s := f.hostedByRole("a host's admin", f.addNamed(t, "p").ID)
		s.SealedBy = key
		c := f.conversing(f.set(t, s))
		c.HandleSealedBy = key
		f.converse(t, c)
		return ends(domain.NeedsAdmin(), domain.SessionsSealedBy(key, true), domain.SessionsEnded{Sessions: 1, Handles: 1})
	}},
	{method: "Sessions.End", way: "of an unknown id", act: true, ready: func(*testing.T, *fixture, actor) attempt {
		return ends(domain.NeedsCaller(), domain.OneSession(sessionID(404)), domain.SessionsEnded{})
	}},
	{method: "Sessions.End", way: "of a user without sessions", act: true, ready: func(*testing.T, *fixture, actor) attempt {
		return ends(domain.NeedsAdmin(), domain.SessionsOf(userID(404)), domain.SessionsEnded{})
	}},
}

func opensLogin(s domain.Session, hash domain.Secret) attempt {
	return doing(domain.Need{}, func(ctx context.Context, at ports.Store, act domain.Act) error {
		return at.Sessions.OpenLogin(ctx, s, hash, act.Record)
	})
}

// opensAssistant is for a user with a login.
func opensAssistant(f *fixture, who actor, id domain.ProjectID) attempt {
	return opensAssistantAs(sessionID(f.next()), f, who, id)
}

// opensAssistantAs is opensAssistant for a session of that id.
func opensAssistantAs(as domain.SessionID, f *fixture, who actor, id domain.ProjectID) attempt {
	if who.caller.Login.ID == "" {
		return attempt{}
	}
	s := f.assistant(who.caller, id)
	s.ID = as
	return attempt{needs: domain.NeedsUse(id, 0), do: func(ctx context.Context, at ports.Store, act domain.Act) (any, error) {
		return at.Sessions.OpenAssistant(ctx, act, s)
	}}
}

func touches(id domain.SessionID, use domain.SessionUse) attempt {
	return doing(domain.Need{}, func(ctx context.Context, at ports.Store, _ domain.Act) error { return at.Sessions.Touch(ctx, id, use) })
}

func ends(needs domain.Need, which domain.SessionsToEnd, want domain.SessionsEnded) attempt {
	return attempt{needs: needs, check: returns(want), do: func(ctx context.Context, at ports.Store, act domain.Act) (any, error) {
		return at.Sessions.End(ctx, act, which)
	}}
}

var accessCalls = []call{
	{method: "Access.ByLogin", ready: func(t *testing.T, f *fixture, who actor) attempt {
		p := f.projectFor(t, who)
		s := f.set(t, f.assistant(who.caller, p.ID))
		return looksUp(inSession(s), ofSession(s, who.caller.Login, true, p, 0))
	}},
	{method: "Access.ByLogin", way: "without an assistant session", ready: func(_ *testing.T, _ *fixture, who actor) attempt {
		return looksUp(shown{Login: who.caller.Login.ID}, withoutSession(who.user.ID, who.caller.Login, true))
	}},
	failing(domain.NotFound, call{method: "Access.ByLogin", way: "of an unknown login", ready: func(*testing.T, *fixture, actor) attempt {
		return looksUp(shown{Login: sessionID(404)}, domain.Access{})
	}}),
	{method: "Access.ByHostUser", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		p := f.addNamed(t, "p")
		s := f.session(t, p.ID)
		return looksUp(inSession(s), ofSession(s, domain.Session{}, true, p, 0))
	}},
	{method: "Access.ByHostUser", way: "with an unknown assistant session", ready: func(*testing.T, *fixture, actor) attempt {
		return looksUp(shown{User: "a host's user", Assistant: sessionID(404)}, withoutSession("a host's user", domain.Session{}, false))
	}},
	{method: "Access.ByLogin", way: "of a named project", ready: func(t *testing.T, f *fixture, who actor) attempt {
		p := f.projectFor(t, who)
		return looksUp(naming(who.caller.Login, p.ID), ofNamed(who.user.ID, who.caller.Login, true, p, 0))
	}},
	{method: "Access.ByHostUser", way: "of a named project", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		p := f.addNamed(t, "p")
		return looksUp(hostNaming("a host's user", true, p.ID), ofNamed("a host's user", domain.Session{}, true, p, 0))
	}},
	{method: "Access.ByToken", ready: func(t *testing.T, f *fixture, who actor) attempt {
		p := f.projectFor(t, who)
		token := f.issue(t, f.token(who.user.ID, p.ID, domain.DefaultScopes()))
		return looksUp(shown{Token: tokenHash(token)}, ofToken(token, true, p, 0))
	}},
	failing(domain.NotFound, call{method: "Access.ByToken", way: "of an unknown token", ready: func(*testing.T, *fixture, actor) attempt {
		return looksUp(shown{Token: domain.TokenHash{4, 0, 4}}, domain.Access{})
	}}),
	{method: "Access.ByConversation", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		p := f.addNamed(t, "p")
		s := f.session(t, p.ID)
		c := f.converse(t, f.conversing(s))
		return looksUp(shown{Conversation: c.ID, User: s.User, Admin: true}, in(c, ofSession(s, domain.Session{}, true, p, 0)))
	}},
	failing(domain.NotFound, call{method: "Access.ByConversation", way: "of an unknown conversation", ready: func(*testing.T, *fixture, actor) attempt {
		return looksUp(shown{Conversation: conversationID(404)}, domain.Access{})
	}}),
	{method: "Access.StillAllowed", ready: func(t *testing.T, f *fixture, who actor) attempt {
		p := f.projectFor(t, who)
		s, token := f.session(t, p.ID), f.issue(t, f.token(who.user.ID, p.ID, domain.DefaultScopes()))
		want := []domain.Access{ofSession(s, domain.Session{}, true, p, 0), ofToken(token, true, p, 0)}
		uses := append(usesOf(want...), domain.OpenUse{Session: sessionID(404)}, domain.OpenUse{})
		check := func(result any) error { return otherStanding(result.([]domain.Access), want) }
		return attempt{check: check, args: []any{uses}, do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			return at.Access.StillAllowed(ctx, uses)
		}}
	}},
	{method: "Access.StillAllowed", way: "of named projects", ready: func(t *testing.T, f *fixture, who actor) attempt {
		p := f.projectFor(t, who)
		want := []domain.Access{ofNamed(who.user.ID, who.caller.Login, true, p, 0), unseen("a host's user", domain.Session{}, false, p.ID)}
		uses := append(usesOf(want...), domain.OpenUse{Project: p.ID, Login: sessionID(404)})
		check := func(result any) error { return otherStanding(result.([]domain.Access), want) }
		return attempt{check: check, args: []any{uses}, do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			return at.Access.StillAllowed(ctx, uses)
		}}
	}},
	reads("Access.StillAllowed", "of what does not exist", func(ctx context.Context, at ports.Store) (any, error) {
		return at.Access.StillAllowed(ctx, []domain.OpenUse{{Session: sessionID(404)}, {Token: tokenID(404)}})
	}),
}

func looksUp(c shown, want domain.Access) attempt {
	return attempt{
		check: func(result any) error { return otherAccess(result.(domain.Access), want) },
		do:    func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) { return useOf(ctx, at.Access, c) },
	}
}

var tokenCalls = []call{
	{method: "Tokens.Create", act: true, changes: true, record: true, ready: func(t *testing.T, f *fixture, who actor) attempt {
		return createsToken(who, f.token(who.user.ID, f.projectFor(t, who).ID, domain.ScopesOf(domain.ScopeConverse, domain.ScopeExport)))
	}},
	{method: "Tokens.Create", way: "to manage", act: true, changes: true, record: true, ready: func(_ *testing.T, f *fixture, who actor) attempt {
		return createsToken(who, f.token(who.user.ID, "", domain.ScopesOf(domain.ScopeManage)))
	}},
	{method: "Tokens.Create", way: "with user ids of its own", act: true, changes: true, record: true, ready: func(t *testing.T, f *fixture, who actor) attempt {
		token := f.token(who.user.ID, f.projectFor(t, who).ID, domain.DefaultScopes())
		token.OwnUsers, token.Rate, token.Open = true, 600, 8
		return createsToken(who, token)
	}},
	failing(domain.NotFound, call{method: "Tokens.Create", way: "for an unknown project", act: true, ready: func(_ *testing.T, f *fixture, who actor) attempt {
		return createsToken(who, f.token(who.user.ID, projectID(404), domain.DefaultScopes()))
	}}),
	failing(domain.Invalid, call{method: "Tokens.Create", way: "of another user", act: true, ready: func(t *testing.T, f *fixture, who actor) attempt {
		token := f.token(f.member(t, f.username()).ID, f.projectFor(t, who).ID, domain.DefaultScopes())
		return createsToken(who, token)
	}}),
	failing(domain.Conflict, call{method: "Tokens.Create", way: "of an id that is taken", act: true, ready: func(t *testing.T, f *fixture, who actor) attempt {
		there := f.issue(t, f.token(f.member(t, f.username()).ID, f.addNamed(t, "p").ID, domain.DefaultScopes()))
		token := f.token(who.user.ID, "", domain.ScopesOf(domain.ScopeManage))
		token.ID = there.ID
		return createsToken(who, token)
	}}),
	{method: "Tokens.Rotate", act: true, changes: true, record: true, ready: func(t *testing.T, f *fixture, who actor) attempt {
		return rotatesToken(who, f.issue(t, f.token(who.user.ID, f.projectFor(t, who).ID, domain.ScopesOf(domain.ScopeConverse, domain.ScopeExport))), f.rotation(time.Hour))
	}},
	{method: "Tokens.Rotate", way: "of one that manages", act: true, changes: true, record: true, ready: func(t *testing.T, f *fixture, who actor) attempt {
		return rotatesToken(who, f.issue(t, f.token(who.user.ID, "", domain.ScopesOf(domain.ScopeManage))), f.rotation(0))
	}},
	failing(domain.NotFound, call{method: "Tokens.Rotate", way: "of an unknown id", act: true, ready: func(_ *testing.T, f *fixture, who actor) attempt {
		token := f.token(who.user.ID, "", domain.ScopesOf(domain.ScopeManage))
		return rotatesToken(who, token, f.rotation(0))
	}}),
	failing(domain.Conflict, call{method: "Tokens.Rotate", way: "of one that is over", act: true, ready: func(t *testing.T, f *fixture, who actor) attempt {
		token := f.token(who.user.ID, "", domain.ScopesOf(domain.ScopeManage))
		token.Expires = token.Created
		return rotatesToken(who, f.issue(t, token), f.rotation(0))
	}}),
	{method: "Tokens.Page", ready: func(t *testing.T, f *fixture, who actor) attempt {
		token := f.issue(t, f.token(who.user.ID, f.addNamed(t, "p").ID, domain.DefaultScopes()))
		return attempt{check: returns([]domain.AccessToken{token}), do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			return at.Tokens.Page(ctx, who.user.ID, domain.Cursor{}, 10)
		}}
	}},
	{method: "Tokens.Names", ready: func(t *testing.T, f *fixture, who actor) attempt {
		token := f.issue(t, f.token(who.user.ID, f.addNamed(t, "p").ID, domain.DefaultScopes()))
		of := []domain.TokenID{token.ID, tokenID(404)}
		return attempt{check: returns(map[domain.TokenID]string{token.ID: token.Name}), args: []any{of}, do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			return at.Tokens.Names(ctx, who.user.ID, of)
		}}
	}},
	reads("Tokens.Page", "of nobody", func(ctx context.Context, at ports.Store) (any, error) {
		return at.Tokens.Page(ctx, userID(404), domain.Cursor{}, 10)
	}),
	{method: "Tokens.Remove", way: "of one's own", act: true, changes: true, record: true, ready: func(t *testing.T, f *fixture, who actor) attempt {
		return removesToken(domain.NeedsCaller(), f.issue(t, f.token(who.user.ID, f.addNamed(t, "p").ID, domain.DefaultScopes())).ID)
	}},
	{method: "Tokens.Remove", way: "of another's", act: true, changes: true, record: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		token := f.issue(t, f.token(f.member(t, f.username()).ID, f.addNamed(t, "p").ID, domain.DefaultScopes()))
		f.converse(t, f.conversation(domain.Session{}, token))
		return removesToken(domain.NeedsAdmin(), token.ID)
	}},
	failing(domain.NotFound, call{method: "Tokens.Remove", way: "of an unknown id", act: true, ready: func(*testing.T, *fixture, actor) attempt {
		return removesToken(domain.NeedsCaller(), tokenID(404))
	}}),
}

// createsToken returns no attempt for an actor with a token, since no token makes tokens.
func createsToken(who actor, token domain.AccessToken) attempt {
	if who.caller.Token != "" {
		return attempt{}
	}
	return doing(token.Needs(), func(ctx context.Context, at ports.Store, act domain.Act) error {
		return at.Tokens.Create(ctx, act, token, tokenHash(token))
	})
}

// rotatesToken returns no attempt for an actor with a token, since no token makes tokens.
func rotatesToken(who actor, token domain.AccessToken, r domain.Rotation) attempt {
	if who.caller.Token != "" {
		return attempt{}
	}
	return doing(token.Needs(), func(ctx context.Context, at ports.Store, act domain.Act) error {
		_, err := at.Tokens.Rotate(ctx, act, token.ID, r)
		return err
	})
}

func removesToken(needs domain.Need, id domain.TokenID) attempt {
	return doing(needs, func(ctx context.Context, at ports.Store, act domain.Act) error { return at.Tokens.Remove(ctx, act, id) })
}
