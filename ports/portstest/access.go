package portstest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// Access checks every sentence in the comments of ports.Access.
func Access(t *testing.T, open OpenStore) {
	check(t, open, append([]sentence{
		{"ByLogin returns the user whose login it is, and the login as stored", callerReturns},
		{"ByLogin returns the rights that the user has now", callerNow},
		{"ByLogin of no login is NotFound", callerUnknown},
		{"ByLogin of an assistant session is NotFound", callerAssistant},
		{"ByLogin of a login that is over is NotFound", callerOver},
		{"ByLogin is NotFound if the user is gone or disabled", callerGone},
		{"ByToken returns the user who made the token, and the token's id, project and scopes", tokenCallerReturns},
		{"ByToken returns the rights that the user has now", tokenCallerNow},
		{"ByToken of no token is NotFound", tokenCallerUnknown},
		{"ByToken of a token that is over or gone is NotFound", tokenCallerOver},
		{"ByToken is NotFound if the user is gone or disabled", tokenCallerGone},
		{"the first ByToken after a Remove has returned is NotFound, on every instance", tokenCallerRemoved},
		{"ByLogin returns the user with the rights that they have now, the assistant session, its project with the keys, and the scopes of the grant", useByLogin},
		{"ByLogin has the session, the rights and the project as they are now", useNow},
		{"ByLogin has no session, project and scopes if the assistant session is over or another's", useWithoutSession},
		{"an assistant session is over for ByLogin at either of its ends, which are exclusive", useSessionEnds},
		{"ByLogin is NotFound if the login is over, with and without an assistant session", useWithoutLogin},
		{"ByHostUser returns the caller as given, and an assistant session without a login", useByHost},
		{"ByHostUser has no session, project and scopes if the assistant session is over or another's", useByHostWithout},
		{"ByToken returns who made the token, with the token, its project with the keys, and the scopes of the grant", useByToken},
		{"ByToken has the rights that its user has now", useByTokenNow},
		{"ByToken is NotFound if the token does not exist or is over, or if its user is gone or disabled", useByNoToken},
		{"ByConversation returns the conversation with the Access of what opened it", useByConversation},
		{"the caller counts only for a conversation that a host's user opened", useByAnyCaller},
		{"ByConversation has the session key and the rights as they are now", useByConversationNow},
		{"ByConversation is NotFound if the conversation does not exist or is over", useByNoConversation},
		{"ByConversation is NotFound if the session that opened it is over or gone, or if its user is gone or disabled", useByOrphan},
		{"ByConversation is NotFound if the token that opened it is over or gone, or if its user is gone or disabled", useByTokensOrphan},
		{"ByConversation is NotFound if a host's user opened it who is not the caller", useByHostsConversation},
		{"the look-up of no credential is NotFound", useOfNothing},
		{"the first ByLogin after something was removed does not show it, on every instance", useTakenSession},
		{"the first ByLogin after the login was removed is NotFound, on every instance", useTakenLogin},
		{"the first ByHostUser after something was removed does not show it, on every instance", useTakenHost},
		{"the first ByToken after something was removed does not show it, on every instance", useTakenToken},
		{"the first ByConversation after what opened it was removed is NotFound, on every instance", useTakenConversation},
		{"StillAllowed returns the open uses whose session or token still exists, with rights as they are now", standingReturns},
		{"StillAllowed uses the role that a session without a login was opened with", standingHosted},
		{"StillAllowed leaves out sessions that are over or gone, or of a user who is gone or disabled", standingSessions},
		{"StillAllowed leaves out tokens that are over or gone, or of a user who is gone or disabled", standingTokens},
		{"StillAllowed of unknown uses is no error", standingNone},
		{"StillAllowed of very many uses returns each", standingMany},
		{"the first StillAllowed after something was removed leaves it out, on every instance", standingTaken},
		{"every look-up has what an admin and what groups grant, as it is now", useByGroups},
		{"every look-up has the keys of both slots as they are now", useOfBothKeys},
		{"every look-up has the environments of the project, the token and the conversation as they are now", useOfEnvironments},
		{"no look-up keeps a record or uses anything up", useChangesNothing},
		{"ByLogin of a named project returns the user, the project with its keys if they see it, and the scopes of the grant", namedByLogin},
		{"ByLogin of a named project has the rights and the project as they are now", namedNow},
		{"ByLogin of a named project is NotFound if the login is over or the user is gone or disabled", namedWithoutLogin},
		{"ByHostUser of a named project returns the caller as given, the project with its keys if they see it, and the scopes of the grant", namedByHost},
		{"StillAllowed returns the uses of named projects, with the rights as they are now, and the id of those that the user sees", standingNamed},
		{"StillAllowed leaves out logins that are over or gone, or of a user who is gone or disabled", standingNaming},
		{"the first look-up of a named project after something was removed does not show it, on every instance", namedTaken},
		{"no look-up of a named project keeps a record or uses anything up", namedChangesNothing},
	}, promises("Access")...))
}

// shown is the credential of a call. Exactly one of four is given: an access token, a
// conversation, a login, or a user whom a host program identified. A login and a host's user may
// come with an assistant session, or with a project that the call names.
type shown struct {
	Token        domain.TokenHash
	Conversation domain.ConversationID
	Login        domain.SessionID
	Assistant    domain.SessionID
	Project      domain.ProjectID // that the call names
	User         domain.UserID    // a host's user
	Admin        bool             // as the host says
}

// use returns what a login or a host's user uses.
func (c shown) use() domain.Use {
	if c.Project != "" {
		return domain.UseProject(c.Project)
	}
	return domain.UseSession(c.Assistant)
}

// useOf asks the method for the kind of credential.
func useOf(ctx context.Context, in ports.Access, c shown) (domain.Access, error) {
	hosts := domain.Caller{ID: c.User, Admin: c.Admin}
	switch {
	case c.Token != domain.TokenHash{}:
		return in.ByToken(ctx, c.Token)
	case c.Conversation != "":
		return in.ByConversation(ctx, c.Conversation, hosts)
	case c.User != "":
		return in.ByHostUser(ctx, hosts, c.use())
	}
	return in.ByLogin(ctx, c.Login, c.use())
}

// otherAccess says how got is something else than want.
func otherAccess(got, want domain.Access) error {
	want = withSources(want)
	var all []string
	for _, part := range []struct {
		name      string
		got, want any
	}{
		{"the login", got.Caller.Login, want.Caller.Login}, {"the session", got.Session, want.Session}, {"the token", got.Token, want.Token},
		{"the conversation", got.Conversation, want.Conversation}, {"the project", got.Project, want.Project},
		{"the named project", got.Named, want.Named},
		{"the scopes of the grant", got.Granted.Text(), want.Granted.Text()}, {"the end of the text", got.SecretEnds, want.SecretEnds},
		{"what an admin granted", got.Manual.Text(), want.Manual.Text()}, {"what groups grant", got.Groups, want.Groups},
	} {
		if d := difference(part.got, part.want); d != "" {
			all = append(all, part.name+": "+d)
		}
	}
	who, wanted := got.Caller, want.Caller
	who.Login, wanted.Login = domain.Session{}, domain.Session{}
	if who != wanted {
		all = append(all, fmt.Sprintf("got the caller %+v, want %+v", who, wanted))
	}
	if len(all) > 0 {
		return errors.New(strings.Join(all, "; "))
	}
	return nil
}

// wantUse fails the test unless the credential gives want.
func (f *fixture) wantUse(t *testing.T, what string, c shown, want domain.Access) {
	t.Helper()
	got, err := useOf(t.Context(), f.Ports.Access, c)
	wantNil(t, what+": the look-up", err)
	if d := otherAccess(got, want); d != nil {
		t.Fatalf("%s: the look-up: %v", what, d)
	}
}

// wantNoUse fails the test unless the credential is NotFound.
func (f *fixture) wantNoUse(t *testing.T, what string, c shown) {
	t.Helper()
	got, err := useOf(t.Context(), f.Ports.Access, c)
	wantKind(t, what+": the look-up", err, domain.NotFound)
	if d := otherAccess(got, domain.Access{}); d != nil {
		t.Fatalf("%s: the look-up: what came with the error: %v", what, d)
	}
}

// inSession returns the credential of an assistant session, with its login or its host's user.
func inSession(s domain.Session) shown {
	if s.Login == "" {
		return shown{User: s.User, Admin: s.ByRole, Assistant: s.ID}
	}
	return shown{Login: s.Login, Assistant: s.ID}
}

// ofSession returns the Access of an assistant session of login.
func ofSession(s, login domain.Session, admin bool, p domain.Project, granted domain.Scopes) domain.Access {
	return domain.Access{
		Caller: domain.Caller{ID: s.User, Admin: admin, Login: login}, Session: s, Project: p, Granted: granted,
	}
}

// withoutSession returns the Access of a caller who has set no assistant.
func withoutSession(user domain.UserID, login domain.Session, admin bool) domain.Access {
	return domain.Access{Caller: domain.Caller{ID: user, Admin: admin, Login: login}}
}

// ofToken returns the Access by the text of a token that was not rotated. p is its project, if it
// has one.
func ofToken(token domain.AccessToken, admin bool, p domain.Project, granted domain.Scopes) domain.Access {
	return domain.Access{
		Caller: domain.Caller{ID: token.User, Admin: admin, Token: token.ID, Only: token.Project, Scopes: token.Scopes, Secret: tokenHash(token)},
		Token:  token, Project: p, Granted: granted, SecretEnds: token.Expires,
	}
}

// withSources returns a with what an admin granted, which is all if no groups grant.
func withSources(a domain.Access) domain.Access {
	if len(a.Groups) == 0 {
		a.Manual = a.Granted
	}
	return a
}

// by returns a with the grant.
func by(g domain.Grant, a domain.Access) domain.Access {
	a.Granted, a.Manual, a.Groups = g.Scopes, g.Manual, g.Groups
	return a
}

// in returns the Access of a use in a conversation.
func in(c domain.Conversation, a domain.Access) domain.Access {
	a.Conversation = c
	a.Caller.Secret, a.SecretEnds = domain.TokenHash{}, time.Time{}
	return a
}

// someScopes are neither the default ones nor all.
var someScopes = domain.ScopesOf(domain.ScopeTranscripts, domain.ScopeKnowledgeWrite)

// useByLogin has users of every role and projects with every grant, and others beside.
func useByLogin(t *testing.T, f *fixture) {
	p, q := f.addNamed(t, "Äpfel & 'quotes'"), f.addNamed(t, "q")
	member, other := f.member(t, "ana", p.ID, q.ID), f.member(t, "bob", p.ID)
	admin, both := f.admin(t, "admin"), f.create(t, f.user("both", domain.RoleAdmin, p.ID))
	f.grantScopes(t, member.ID, p.ID, someScopes)
	f.grantScopes(t, other.ID, p.ID, domain.AllScopes())
	f.grantScopes(t, both.ID, p.ID, domain.ScopesOf(domain.ScopeExport))
	logins := []domain.Session{
		f.login(t, member), f.login(t, member), f.login(t, other), f.login(t, admin), f.login(t, both), f.login(t, both),
	}
	remembered := domain.NewLogin(sessionID(f.next()), member.ID, true, f.clock.now(), lives, "2001:db8::1", "agent ' \" \\ 句")
	rec := f.record(domain.ActionLogin, domain.OnSession(remembered.ID))
	wantNil(t, "preparing: Sessions.OpenLogin", f.Ports.Sessions.OpenLogin(t.Context(), remembered, member.PasswordHash, rec))
	for name, use := range map[string]struct {
		session, login domain.Session
		admin          bool
		project        domain.Project
		granted        domain.Scopes
	}{
		"a member by grant":                    {f.set(t, f.under(logins[0], p.ID)), logins[0], false, p, someScopes},
		"a member in another project":          {f.set(t, f.under(logins[1], q.ID)), logins[1], false, q, domain.DefaultScopes()},
		"another member in the first project":  {f.set(t, f.under(logins[2], p.ID)), logins[2], false, p, domain.AllScopes()},
		"an admin without a grant":             {f.set(t, f.byRole(logins[3], p.ID)), logins[3], true, p, 0},
		"an admin by role, with a grant":       {f.set(t, f.byRole(logins[4], p.ID)), logins[4], true, p, domain.ScopesOf(domain.ScopeExport)},
		"an admin by grant":                    {f.set(t, f.under(logins[5], p.ID)), logins[5], true, p, domain.ScopesOf(domain.ScopeExport)},
		"a member by grant, who is remembered": {f.set(t, f.under(remembered, p.ID)), remembered, false, p, someScopes},
	} {
		f.wantCaller(t, name, use.login, use.admin)
		f.wantUse(t, name, inSession(use.session), ofSession(use.session, use.login, use.admin, use.project, use.granted))
		without := inSession(use.session)
		without.Assistant = ""
		f.wantUse(t, name+", without the assistant session", without, withoutSession(use.login.User, use.login, use.admin))
	}
}

// useNow changes all that a use stands on.
func useNow(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	login := f.login(t, u)
	s := f.set(t, f.under(login, p.ID))
	granted, admin := domain.DefaultScopes(), false
	same := func(what string) {
		t.Helper()
		f.wantUse(t, what, inSession(s), ofSession(s, login, admin, p, granted))
	}
	for _, scopes := range scopeSets[1:] {
		granted = scopes
		f.grantScopes(t, u.ID, p.ID, scopes)
		same("after Put of other scopes")
	}
	for _, role := range []domain.Role{domain.RoleAdmin, domain.RoleMember} {
		f.update(t, u.ID, func(u *domain.User) { u.Role = role })
		admin = role == domain.RoleAdmin
		same("after another role")
	}
	for _, m := range marks {
		m.change(&p)
		wantNil(t, m.name, m.mark(t.Context(), f.Store, p, f.record(m.action, domain.OnProject(p.ID))))
		same("after " + m.name)
	}
	f.clock.advance(10 * time.Minute)
	for _, touched := range []*domain.Session{&login, &s} {
		touched.LastUsed, touched.Idle = domain.Instant(f.clock.now()), touched.Idle.Add(10*time.Minute)
		wantNil(t, "Touch", f.Ports.Sessions.Touch(t.Context(), touched.ID, domain.SessionUse{At: touched.LastUsed, Idle: touched.Idle}))
		same("after Touch")
	}
	f.updateKeeping(t, u.ID, domain.Kept{Login: login.ID}, func(u *domain.User) { u.PasswordHash = domain.NewSecret("$test$another") })
	same("after a change of the password that kept the login")
}

// useWithoutSession tries every assistant session of another login, and removes everything that
// allows a session.
func useWithoutSession(t *testing.T, f *fixture) {
	p, gone := f.addNamed(t, "p"), f.addNamed(t, "gone")
	u, other, admin := f.member(t, "ana", p.ID, gone.ID), f.member(t, "bob", p.ID), f.admin(t, "admin")
	login, second := f.login(t, u), f.login(t, u)
	ended, replaced := f.set(t, f.under(second, p.ID)), f.set(t, f.under(login, p.ID))
	f.end(t, ended.ID)
	good := f.set(t, f.under(login, p.ID))
	without := withoutSession(u.ID, login, false)
	for name, id := range map[string]domain.SessionID{
		"no assistant session":                           "",
		"one that never was":                             sessionID(404),
		"one that has ended":                             ended.ID,
		"one in whose place another came":                replaced.ID,
		"one under another login of the user":            f.set(t, f.under(second, p.ID)).ID,
		"one of another user":                            f.set(t, f.under(f.login(t, other), p.ID)).ID,
		"one of an admin":                                f.set(t, f.byRole(f.login(t, admin), p.ID)).ID,
		"one of the user without a login":                f.set(t, f.hosted(u.ID, p.ID)).ID,
		"one of the user without a login, by role":       f.set(t, f.hostedByRole(u.ID, p.ID)).ID,
		"the login itself":                               login.ID,
		"another login":                                  second.ID,
		"what SQL takes for everything":                  "' OR 1=1 --",
		"the id of the good one in capitals and a blank": domain.SessionID(strings.ToUpper(string(good.ID)) + " "),
	} {
		f.wantUse(t, "with "+name, shown{Login: login.ID, Assistant: id}, without)
	}
	f.wantUse(t, "with the good one", inSession(good), ofSession(good, login, false, p, domain.DefaultScopes()))

	f.revoke(t, u.ID, p.ID)
	f.wantUse(t, "whose grant was taken back", inSession(good), without)
	f.grant(t, u.ID, p.ID)
	f.wantUse(t, "whose grant was taken back and given again", inSession(good), without)
	inGone := f.set(t, f.under(login, gone.ID))
	f.wantUse(t, "in a project that is there", inSession(inGone), ofSession(inGone, login, false, gone, domain.DefaultScopes()))
	f.remove(t, gone.ID)
	f.wantUse(t, "in a project that was removed", inSession(inGone), without)
	f.add(t, gone)
	f.grant(t, u.ID, gone.ID)
	f.wantUse(t, "in a project that was removed and added again", inSession(inGone), without)
	last := f.set(t, f.under(login, p.ID))
	f.update(t, u.ID, func(u *domain.User) { u.SetAssistants(nil) })
	f.wantUse(t, "whose grant went with an Update", inSession(last), without)

	top := f.login(t, admin)
	ruled := f.set(t, f.byRole(top, p.ID))
	f.update(t, admin.ID, func(u *domain.User) { u.Role = domain.RoleMember })
	f.wantUse(t, "whose role was taken away", inSession(ruled), withoutSession(admin.ID, top, false))
	f.update(t, admin.ID, func(u *domain.User) { u.Role = domain.RoleAdmin })
	f.wantUse(t, "whose role was taken away and given again", inSession(ruled), withoutSession(admin.ID, top, true))
}

// useSessionEnds lets the assistant session end before the login does.
func useSessionEnds(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	login := domain.NewLogin(sessionID(f.next()), u.ID, true, f.clock.now(), lives, "", "")
	rec := f.record(domain.ActionLogin, domain.OnSession(login.ID))
	wantNil(t, "preparing: Sessions.OpenLogin", f.Ports.Sessions.OpenLogin(t.Context(), login, u.PasswordHash, rec))
	for name, end := range map[string]func(s *domain.Session) time.Time{
		"idle end":     func(s *domain.Session) time.Time { s.Idle = s.Created.Add(time.Minute); return s.Idle },
		"absolute end": func(s *domain.Session) time.Time { s.Expires = s.Created.Add(time.Minute); return s.Expires },
	} {
		s := f.under(login, p.ID)
		at := end(&s)
		f.set(t, s)
		f.clock.set(at.Add(-1))
		f.wantUse(t, "a nanosecond before the "+name, inSession(s), ofSession(s, login, false, p, domain.DefaultScopes()))
		for _, after := range []time.Duration{0, time.Nanosecond, time.Hour} {
			f.clock.set(at.Add(after))
			f.wantUse(t, fmt.Sprintf("%v after the %s", after, name), inSession(s), withoutSession(u.ID, login, false))
		}
	}
}

// useWithoutLogin asks ByLogin the same.
func useWithoutLogin(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u, gone, disabled := f.member(t, "ana", p.ID), f.member(t, "bob", p.ID), f.member(t, "cem", p.ID)
	without := func(what string, login, s domain.SessionID) {
		t.Helper()
		f.wantNoCaller(t, what, login)
		f.wantNoUse(t, what, shown{Login: login, Assistant: s})
		f.wantNoUse(t, what+", without an assistant session", shown{Login: login})
	}
	login := f.login(t, u)
	s := f.set(t, f.under(login, p.ID))
	without("a login that never was", sessionID(404), s.ID)
	without("what SQL takes for everything", "' OR 1=1 --", s.ID)
	without("an assistant session in place of its login", s.ID, s.ID)
	hosted := f.set(t, f.hosted(u.ID, p.ID))
	without("an assistant session without a login in place of one", hosted.ID, hosted.ID)

	goneLogin, disabledLogin := f.login(t, gone), f.login(t, disabled)
	ofGone, ofDisabled := f.set(t, f.under(goneLogin, p.ID)), f.set(t, f.under(disabledLogin, p.ID))
	f.removeUser(t, gone.ID)
	without("of a user who is gone", goneLogin.ID, ofGone.ID)
	f.updateKeeping(t, disabled.ID, domain.Kept{Login: disabledLogin.ID}, func(u *domain.User) { u.Disabled = true })
	without("of a user who is disabled", disabledLogin.ID, ofDisabled.ID)
	f.update(t, disabled.ID, func(u *domain.User) { u.Disabled = false })
	without("of a user who is enabled again", disabledLogin.ID, ofDisabled.ID)

	f.end(t, login.ID)
	without("a login that has ended", login.ID, s.ID)
	idle := f.login(t, u)
	under := f.set(t, f.under(idle, p.ID))
	f.clock.set(idle.Idle.Add(-1))
	f.wantUse(t, "a nanosecond before the login's idle end", inSession(under), ofSession(under, idle, false, p, domain.DefaultScopes()))
	f.clock.set(idle.Idle)
	without("a login at its idle end", idle.ID, under.ID)
	old := f.used(t, f.login(t, u))
	f.clock.set(old.Expires)
	without("a login at its absolute end", old.ID, under.ID)
}

// useByHost has users of whom nothing is known here.
func useByHost(t *testing.T, f *fixture) {
	const user, other, boss = domain.UserID("a host's user"), domain.UserID("A host's user"), domain.UserID("CN=Ana,OU='Support'")
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	f.grantScopes(t, user, p.ID, someScopes)
	f.grant(t, other, p.ID)
	f.grantScopes(t, boss, q.ID, domain.AllScopes())
	for name, use := range map[string]struct {
		session domain.Session
		project domain.Project
		granted domain.Scopes
	}{
		"a user by grant":            {f.set(t, f.hosted(user, p.ID)), p, someScopes},
		"another user by grant":      {f.set(t, f.hosted(other, p.ID)), p, domain.DefaultScopes()},
		"an admin by role":           {f.set(t, f.hostedByRole(boss, p.ID)), p, 0},
		"an admin by role and grant": {f.set(t, f.hostedByRole(boss, q.ID)), q, domain.AllScopes()},
		"a second session of a user": {f.set(t, f.hosted(user, p.ID)), p, someScopes},
	} {
		s := use.session
		for _, admin := range []bool{false, true} { // as the host says now
			c := shown{User: s.User, Admin: admin, Assistant: s.ID}
			f.wantUse(t, name, c, ofSession(s, domain.Session{}, admin, use.project, use.granted))
			c.Assistant = ""
			f.wantUse(t, name+", without the assistant session", c, withoutSession(s.User, domain.Session{}, admin))
		}
	}
	for _, admin := range []bool{false, true} {
		f.wantUse(t, "somebody unknown here", shown{User: "nobody", Admin: admin}, withoutSession("nobody", domain.Session{}, admin))
	}
}

// useByHostWithout has every assistant session that is not that user's, or not without a
// login.
func useByHostWithout(t *testing.T, f *fixture) {
	p, gone := f.addNamed(t, "p"), f.addNamed(t, "gone")
	u := f.member(t, "ana", p.ID, gone.ID)
	f.grant(t, "another", p.ID)
	login := f.login(t, u)
	ended, good := f.set(t, f.hosted(u.ID, p.ID)), f.set(t, f.hosted(u.ID, p.ID))
	f.end(t, ended.ID)
	with := func(what string, id domain.SessionID) {
		t.Helper()
		for _, admin := range []bool{false, true} {
			f.wantUse(t, "with "+what, shown{User: u.ID, Admin: admin, Assistant: id}, withoutSession(u.ID, domain.Session{}, admin))
		}
	}
	with("one that never was", sessionID(404))
	with("one that has ended", ended.ID)
	with("one of another user", f.set(t, f.hosted("another", p.ID)).ID)
	with("one of another user by role", f.set(t, f.hostedByRole("a host's admin", p.ID)).ID)
	with("one of the user in a login", f.set(t, f.under(login, p.ID)).ID)
	with("a login of the user", login.ID)
	with("what SQL takes for everything", "' OR 1=1 --")
	f.wantUse(t, "with the good one", inSession(good), ofSession(good, domain.Session{}, false, p, domain.DefaultScopes()))

	inGone, ruled := f.set(t, f.hosted(u.ID, gone.ID)), f.set(t, f.hostedByRole(u.ID, gone.ID))
	f.remove(t, gone.ID)
	with("one in a project that was removed", inGone.ID)
	with("one in a project that was removed, by role", ruled.ID)
	f.revoke(t, u.ID, p.ID)
	with("one whose grant was taken back", good.ID)
	f.grant(t, u.ID, p.ID)
	with("one whose grant was taken back and given again", good.ID)
	over := f.set(t, f.hosted(u.ID, p.ID))
	f.clock.set(over.Idle.Add(-1))
	f.wantUse(t, "a nanosecond before the idle end", inSession(over), ofSession(over, domain.Session{}, false, p, domain.DefaultScopes()))
	f.clock.set(over.Idle)
	with("one at its idle end", over.ID)
	old := f.used(t, f.set(t, f.hosted(u.ID, p.ID)))
	f.clock.set(old.Expires)
	with("one at its absolute end", old.ID)
}

// useByToken has tokens of every sort.
func useByToken(t *testing.T, f *fixture) {
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	member, other, admin := f.member(t, "ana", p.ID, q.ID), f.member(t, "bob", q.ID), f.admin(t, "admin")
	f.grantScopes(t, member.ID, p.ID, someScopes)
	own := f.token(admin.ID, p.ID, domain.ScopesOf(domain.ScopeConverse, domain.ScopeExport))
	own.OwnUsers, own.LastUsed = true, own.Created.Add(time.Minute)
	for name, use := range map[string]struct {
		token   domain.AccessToken
		admin   bool
		project domain.Project
		granted domain.Scopes
	}{
		"a member's token":                          {f.issue(t, f.token(member.ID, p.ID, domain.AllScopes())), false, p, someScopes},
		"a member's second token":                   {f.issue(t, f.token(member.ID, p.ID, domain.DefaultScopes())), false, p, someScopes},
		"a member's token for another project":      {f.issue(t, f.token(member.ID, q.ID, domain.DefaultScopes())), false, q, domain.DefaultScopes()},
		"a member's token for what is not granted":  {f.issue(t, f.token(other.ID, p.ID, domain.AllScopes())), false, p, 0},
		"an admin's token":                          {f.issue(t, f.token(admin.ID, q.ID, domain.DefaultScopes())), true, q, 0},
		"an admin's token with users of its own":    {f.issue(t, own), true, p, 0},
		"an admin's token to manage, of no project": {f.issue(t, f.token(admin.ID, "", domain.ScopesOf(domain.ScopeManage))), true, domain.Project{}, 0},
	} {
		f.wantUse(t, name, shown{Token: tokenHash(use.token)}, ofToken(use.token, use.admin, use.project, use.granted))
	}
}

// useByTokenNow finds an adapter that takes rights from the creation of the token.
func useByTokenNow(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	token := f.issue(t, f.token(u.ID, p.ID, domain.AllScopes()))
	granted, admin := domain.DefaultScopes(), false
	same := func(what string) {
		t.Helper()
		f.wantUse(t, what, shown{Token: tokenHash(token)}, ofToken(token, admin, p, granted))
	}
	same("as it was made")
	granted = someScopes
	f.grantScopes(t, u.ID, p.ID, someScopes)
	same("after Put of other scopes")
	granted = 0
	f.revoke(t, u.ID, p.ID)
	same("after Grants.Remove")
	granted = domain.DefaultScopes()
	f.grant(t, u.ID, p.ID)
	same("after Put again")
	for _, role := range []domain.Role{domain.RoleAdmin, domain.RoleMember} {
		f.update(t, u.ID, func(u *domain.User) { u.Role = role })
		admin = role == domain.RoleAdmin
		same("after another role")
	}
	for _, m := range marks {
		m.change(&p)
		wantNil(t, m.name, m.mark(t.Context(), f.Store, p, f.record(m.action, domain.OnProject(p.ID))))
		same("after " + m.name)
	}
	token.LastUsed = token.Created.Add(time.Minute)
	f.usedTokens(t, map[domain.TokenID]time.Time{token.ID: token.LastUsed})
	same("after Add of the last use")
	f.updateKeeping(t, u.ID, domain.Kept{Tokens: true}, func(u *domain.User) { u.PasswordHash = domain.NewSecret("$test$another") })
	same("after a change of the password that keeps tokens")
	f.update(t, u.ID, func(u *domain.User) { u.Disabled = true })
	f.wantNoUse(t, "while the user is disabled", shown{Token: tokenHash(token)})
	f.update(t, u.ID, func(u *domain.User) { u.Disabled = false })
	same("after the user is enabled again")
	f.update(t, u.ID, func(u *domain.User) { u.PasswordHash = domain.NewSecret("$test$third") })
	f.wantNoUse(t, "after a change of the password", shown{Token: tokenHash(token)})
}

func useByNoToken(t *testing.T, f *fixture) {
	p, gone := f.addNamed(t, "p"), f.addNamed(t, "gone")
	u, removed := f.member(t, "ana", p.ID, gone.ID), f.member(t, "bob", p.ID)
	issue := func(user domain.User, id domain.ProjectID) domain.AccessToken {
		return f.issue(t, f.token(user.ID, id, domain.DefaultScopes()))
	}
	by := func(token domain.AccessToken) shown { return shown{Token: tokenHash(token)} }
	good, withdrawn, ofGone, ofRemoved := issue(u, p.ID), issue(u, p.ID), issue(u, gone.ID), issue(removed, p.ID)
	f.wantNoUse(t, "of a token that never was", by(f.token(u.ID, p.ID, domain.DefaultScopes())))
	f.withdraw(t, withdrawn.ID)
	f.wantNoUse(t, "of a token that was removed", by(withdrawn))
	f.remove(t, gone.ID)
	f.wantNoUse(t, "of a token whose project was removed", by(ofGone))
	f.add(t, gone)
	f.wantNoUse(t, "of a token whose project was removed and added again", by(ofGone))
	f.removeUser(t, removed.ID)
	f.wantNoUse(t, "of a token whose user is gone", by(ofRemoved))
	f.create(t, removed)
	f.wantNoUse(t, "of a token whose user is gone and back under the same id", by(ofRemoved))
	almost := by(good)
	almost.Token[len(almost.Token)-1] ^= 1
	f.wantNoUse(t, "of a hash with another last bit", almost)

	f.clock.set(good.Expires.Add(-1))
	f.wantUse(t, "a nanosecond before the end", by(good), ofToken(good, false, p, domain.DefaultScopes()))
	for _, after := range []time.Duration{0, time.Nanosecond, time.Hour} {
		f.clock.set(good.Expires.Add(after))
		f.wantNoUse(t, fmt.Sprintf("of a token, %v after its end", after), by(good))
	}
}

func useOfNothing(t *testing.T, f *fixture) {
	for what, look := range map[string]func() (domain.Access, error){
		"ByLogin of no login": func() (domain.Access, error) { return f.Ports.Access.ByLogin(t.Context(), "", domain.Use{}) },
		"ByLogin of an assistant session": func() (domain.Access, error) {
			return f.Ports.Access.ByLogin(t.Context(), "", domain.UseSession(sessionID(404)))
		},
		"ByToken of no hash":                func() (domain.Access, error) { return f.Ports.Access.ByToken(t.Context(), domain.TokenHash{}) },
		"ByConversation of no conversation": func() (domain.Access, error) { return f.Ports.Access.ByConversation(t.Context(), "", domain.Caller{}) },
		"ByConversation of a role alone": func() (domain.Access, error) {
			return f.Ports.Access.ByConversation(t.Context(), "", domain.Caller{Admin: true})
		},
	} {
		got, err := look()
		wantKind(t, what, err, domain.NotFound)
		if d := otherAccess(got, domain.Access{}); d != nil {
			t.Fatalf("%s: what came with the error: %v", what, d)
		}
	}
}

// useChangesNothing uses everything a while after it was made.
func useChangesNothing(t *testing.T, f *fixture) {
	h := f.talk(t)
	f.clock.advance(10 * time.Minute)
	for range 2 {
		for name, use := range h.uses() {
			f.wantUse(t, name, use.shown, use.want)
		}
		f.wantUse(t, "a session", inSession(h.session), ofSession(h.session, h.login, false, h.p, h.granted))
		f.wantUse(t, "a token", shown{Token: tokenHash(h.token)}, ofToken(h.token, false, h.p, h.granted))
		a, b := ofSession(h.session, h.login, false, h.p, h.granted), ofToken(h.token, false, h.p, h.granted)
		f.wantStanding(t, "of a session and a token", usesOf(a, b), a, b)
	}
	f.wantLive(t, "after uses", h.login, h.session, h.ruled, h.host)
	f.wantTokens(t, "after uses", "", h.token)
	f.wantRecords(t, "after uses")
}

// useOfBothKeys puts keys into both slots under every kind of use.
func useOfBothKeys(t *testing.T, f *fixture) {
	h := f.talk(t)
	for _, put := range []struct {
		slot domain.Slot
		key  domain.Sealed
	}{
		{domain.SlotSecondary, otherKey(h.p)}, {domain.SlotSecondary, keyOf(h.p)}, {domain.SlotPrimary, otherKey(h.p)},
	} {
		f.clock.advance(time.Second)
		h.p = f.put(t, h.p, put.slot, put.key)
		for name, use := range h.uses() {
			f.wantUse(t, name+" after Update", use.shown, use.want)
		}
	}
}
