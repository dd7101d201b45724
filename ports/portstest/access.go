package portstest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// Access checks every sentence in the comments of ports.Access. It needs Access and
// Records of the Store, and, since a use stands on all that is stored, hardly says
// anything without Projects, Users, Sessions, AccessTokens and Conversations.
func Access(t *testing.T, open OpenStore) {
	const (
		hosting  = projects | sessions
		logins   = projects | users | sessions
		byToken  = projects | users | accessTokens
		talking  = logins | conversations
		byTokens = byToken | conversations
		all      = logins | accessTokens | conversations
	)
	check(t, open, access, []sentence{
		{"ForUse of a login is who BySession says, with the assistant session, its project and key, and the scopes of the grant", logins | callers, useByLogin},
		{"ForUse of a login has the session, the rights and the project as they are at this moment", logins, useNow},
		{"ForUse of a login has no session, project, key and scopes where the assistant session is not good", logins, useWithoutSession},
		{"an assistant session is over for ForUse at either of its ends, which are exclusive", logins, useSessionEnds},
		{"ForUse of a login is NotFound where BySession is", logins | callers, useWithoutLogin},
		{"ForUse of a user without a login is that user with that role, and an assistant session without a login", hosting, useByHost},
		{"ForUse of a user without a login has no session, project, key and scopes where the assistant session is not good", logins, useByHostWithout},
		{"ForUse of a token is who made it, with the token, its project and key, and the scopes of the grant", byToken, useByToken},
		{"ForUse of a token has the rights that its user has now", byToken, useByTokenNow},
		{"ForUse of a token is NotFound when there is none, it is over, or its user is gone or disabled", byToken, useByNoToken},
		{"with a token, login and assistant session are not looked at", logins | accessTokens, useByTokenAlone},
		{"ForUse of a conversation is the conversation with what made it", all, useByConversation},
		{"with a conversation, login and assistant session are not looked at", all, useByConversationAlone},
		{"ForUse of a conversation has the session key and the rights as they are at this moment", all, useByConversationNow},
		{"ForUse of a conversation is NotFound when there is none or it is over", all, useByNoConversation},
		{"ForUse of a conversation is NotFound when the session that made it is over or gone, or its user is gone or disabled", talking, useByOrphan},
		{"ForUse of a conversation is NotFound when the token that made it is over or gone, or its user is gone or disabled", byTokens, useByTokensOrphan},
		{"ForUse of a conversation that was made without a login wants the user who made it", hosting | conversations, useByHostsConversation},
		{"ForUse of no credential is NotFound", 0, useOfNothing},
		{"the first ForUse of a login after something was taken away does without it, on every instance", logins, useTakenSession},
		{"the first ForUse of a login after the login was taken away is NotFound, on every instance", logins, useTakenLogin},
		{"the first ForUse of a user without a login after something was taken away does without it, on every instance", hosting, useTakenHost},
		{"the first ForUse of a token after something was taken away does without it, on every instance", byToken, useTakenToken},
		{"the first ForUse of a conversation after what made it was taken away is NotFound, on every instance", all, useTakenConversation},
		{"Standing returns the open uses whose session or token is still there, with rights as they are now", logins | accessTokens, standingReturns},
		{"Standing of a session without a login is of an admin if it was let in by that role", hosting, standingHosted},
		{"Standing leaves out sessions that are over or gone, or of a user who is gone or disabled", logins, standingSessions},
		{"Standing leaves out tokens that are over or gone, or of a user who is gone or disabled", byToken, standingTokens},
		{"Standing of nothing that is there is no error", 0, standingNone},
		{"Standing of very many uses returns each", hosting, standingMany},
		{"the first Standing after something was taken away leaves it out, on every instance", logins | accessTokens, standingTaken},
		{"ForUse has the keys of both slots as they are at this moment", all, useOfBothKeys},
		{"ForUse and Standing keep no record and use up nothing", all, useChangesNothing},
		{"what one instance writes another sees at once", all, useElsewhere},
		{"arguments are neither kept nor modified, and results are the caller's own", all, useArguments},
		{"an outage and an ended context are Unavailable, never NotFound", all, useUnavailable},
		{"all methods are safe for concurrent use", all, useConcurrent},
	})
}

// otherAccess says how got is something else than want.
func otherAccess(got, want domain.Access) error {
	var all []string
	for _, part := range []struct {
		name      string
		got, want any
	}{
		{"the login", got.Caller.Login, want.Caller.Login}, {"the session", got.Session, want.Session}, {"the token", got.Token, want.Token},
		{"the conversation", got.Conversation, want.Conversation}, {"the project", got.Project, want.Project}, {"the key", got.Key, want.Key},
		{"the secondary key", got.Secondary, want.Secondary},
		{"the scopes of the grant", got.Granted.Text(), want.Granted.Text()},
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

// wantUse fails the test unless the credential is good for want.
func (f *fixture) wantUse(t *testing.T, what string, c domain.Credential, want domain.Access) {
	t.Helper()
	got, err := f.Access.ForUse(t.Context(), c)
	wantNil(t, what+": ForUse", err)
	if d := otherAccess(got, want); d != nil {
		t.Fatalf("%s: ForUse: %v", what, d)
	}
}

// wantNoUse fails the test unless the credential is good for nothing.
func (f *fixture) wantNoUse(t *testing.T, what string, c domain.Credential) {
	t.Helper()
	got, err := f.Access.ForUse(t.Context(), c)
	wantKind(t, what+": ForUse", err, domain.NotFound)
	if d := otherAccess(got, domain.Access{}); d != nil {
		t.Fatalf("%s: ForUse: what came with the error: %v", what, d)
	}
}

// inSession is the credential of an assistant session, under its login or of a host's
// user.
func inSession(s domain.Session) domain.Credential {
	if s.Login == "" {
		return domain.Credential{User: s.User, Admin: s.ByRole, Assistant: s.ID}
	}
	return domain.Credential{Login: s.Login, Assistant: s.ID}
}

// ofSession is what the session is good for. login is the one that it is under.
func ofSession(s, login domain.Session, admin bool, p domain.Project, granted domain.Scopes) domain.Access {
	return domain.Access{
		Caller: domain.Caller{ID: s.User, Admin: admin, Login: login}, Session: s, Project: p, Key: keyOf(p), Granted: granted,
	}
}

// withoutSession is what a caller is good for who has set no assistant.
func withoutSession(user domain.UserID, login domain.Session, admin bool) domain.Access {
	return domain.Access{Caller: domain.Caller{ID: user, Admin: admin, Login: login}}
}

// ofToken is what the token is good for. p is its project, if it has one.
func ofToken(token domain.AccessToken, admin bool, p domain.Project, granted domain.Scopes) domain.Access {
	a := domain.Access{
		Caller: domain.Caller{ID: token.User, Admin: admin, Token: token.ID, Only: token.Project, Scopes: token.Scopes},
		Token:  token, Project: p, Granted: granted,
	}
	if p.ID != "" {
		a.Key = keyOf(p)
	}
	return a
}

// in is what a use is good for in a conversation.
func in(c domain.Conversation, a domain.Access) domain.Access {
	a.Conversation = c
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
	wantNil(t, "preparing: Sessions.OpenLogin", f.Sessions.OpenLogin(t.Context(), remembered, member.PasswordHash, rec))
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
		same("after Grant of other scopes")
	}
	for _, role := range []domain.Role{domain.RoleAdmin, domain.RoleMember} {
		f.update(t, u.ID, func(u *domain.User) { u.Role = role })
		admin = role == domain.RoleAdmin
		same("after another role")
	}
	for _, m := range marks {
		m.change(&p)
		wantNil(t, m.name, m.mark(f, t.Context(), p, f.record(m.action, domain.OnProject(p.ID))))
		same("after " + m.name)
	}
	f.clock.advance(10 * time.Minute)
	for _, touched := range []*domain.Session{&login, &s} {
		touched.LastUsed, touched.Idle = domain.Instant(f.clock.now()), touched.Idle.Add(10*time.Minute)
		wantNil(t, "Touch", f.Sessions.Touch(t.Context(), touched.ID, touched.LastUsed, touched.Idle))
		same("after Touch")
	}
	f.updateKeeping(t, u.ID, login.ID, func(u *domain.User) { u.PasswordHash = domain.NewSecret("$test$another") })
	same("after a change of the password that kept the login")
}

// useWithoutSession has every assistant session that is not that login's, and takes away
// all that lets one in.
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
		f.wantUse(t, "with "+name, domain.Credential{Login: login.ID, Assistant: id}, without)
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
	wantNil(t, "preparing: Sessions.OpenLogin", f.Sessions.OpenLogin(t.Context(), login, u.PasswordHash, rec))
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

// useWithoutLogin asks BySession the same.
func useWithoutLogin(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u, gone, disabled := f.member(t, "ana", p.ID), f.member(t, "bob", p.ID), f.member(t, "cem", p.ID)
	without := func(what string, login, s domain.SessionID) {
		t.Helper()
		f.wantNoCaller(t, what, login)
		f.wantNoUse(t, what, domain.Credential{Login: login, Assistant: s})
		f.wantNoUse(t, what+", without an assistant session", domain.Credential{Login: login})
	}
	login := f.login(t, u)
	s := f.set(t, f.under(login, p.ID))
	without("a login that never was", sessionID(404), s.ID)
	without("what SQL takes for everything", "' OR 1=1 --", s.ID)
	without("an assistant session in the place of its login", s.ID, s.ID)
	hosted := f.set(t, f.hosted(u.ID, p.ID))
	without("an assistant session without a login in the place of one", hosted.ID, hosted.ID)

	goneLogin, disabledLogin := f.login(t, gone), f.login(t, disabled)
	ofGone, ofDisabled := f.set(t, f.under(goneLogin, p.ID)), f.set(t, f.under(disabledLogin, p.ID))
	f.removeUser(t, gone.ID)
	without("of a user who is gone", goneLogin.ID, ofGone.ID)
	f.updateKeeping(t, disabled.ID, disabledLogin.ID, func(u *domain.User) { u.Disabled = true })
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
			c := domain.Credential{User: s.User, Admin: admin, Assistant: s.ID}
			f.wantUse(t, name, c, ofSession(s, domain.Session{}, admin, use.project, use.granted))
			c.Assistant = ""
			f.wantUse(t, name+", without the assistant session", c, withoutSession(s.User, domain.Session{}, admin))
		}
	}
	for _, admin := range []bool{false, true} {
		f.wantUse(t, "somebody unknown here", domain.Credential{User: "nobody", Admin: admin}, withoutSession("nobody", domain.Session{}, admin))
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
			f.wantUse(t, "with "+what, domain.Credential{User: u.ID, Admin: admin, Assistant: id}, withoutSession(u.ID, domain.Session{}, admin))
		}
	}
	with("one that never was", sessionID(404))
	with("one that has ended", ended.ID)
	with("one of another user", f.set(t, f.hosted("another", p.ID)).ID)
	with("one of another user by role", f.set(t, f.hostedByRole("a host's admin", p.ID)).ID)
	with("one of the user under a login", f.set(t, f.under(login, p.ID)).ID)
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
		f.wantUse(t, name, domain.Credential{Token: tokenHash(use.token)}, ofToken(use.token, use.admin, use.project, use.granted))
	}
}

// useByTokenNow would show an adapter that takes rights from what the token was made with.
func useByTokenNow(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	token := f.issue(t, f.token(u.ID, p.ID, domain.AllScopes()))
	granted, admin := domain.DefaultScopes(), false
	same := func(what string) {
		t.Helper()
		f.wantUse(t, what, domain.Credential{Token: tokenHash(token)}, ofToken(token, admin, p, granted))
	}
	same("as it was made")
	granted = someScopes
	f.grantScopes(t, u.ID, p.ID, someScopes)
	same("after Grant of other scopes")
	granted = 0
	f.revoke(t, u.ID, p.ID)
	same("after Revoke")
	granted = domain.DefaultScopes()
	f.grant(t, u.ID, p.ID)
	same("after Grant again")
	for _, role := range []domain.Role{domain.RoleAdmin, domain.RoleMember} {
		f.update(t, u.ID, func(u *domain.User) { u.Role = role })
		admin = role == domain.RoleAdmin
		same("after another role")
	}
	for _, m := range marks {
		m.change(&p)
		wantNil(t, m.name, m.mark(f, t.Context(), p, f.record(m.action, domain.OnProject(p.ID))))
		same("after " + m.name)
	}
	token.LastUsed = token.Created.Add(time.Minute)
	f.usedTokens(t, map[domain.TokenID]time.Time{token.ID: token.LastUsed})
	same("after Used")
	f.update(t, u.ID, func(u *domain.User) { u.PasswordHash = domain.NewSecret("$test$another") })
	same("after a change of the password")
	f.update(t, u.ID, func(u *domain.User) { u.Disabled = true })
	f.wantNoUse(t, "while the user is disabled", domain.Credential{Token: tokenHash(token)})
	f.update(t, u.ID, func(u *domain.User) { u.Disabled = false })
	same("after the user is enabled again")
}

func useByNoToken(t *testing.T, f *fixture) {
	p, gone := f.addNamed(t, "p"), f.addNamed(t, "gone")
	u, removed := f.member(t, "ana", p.ID, gone.ID), f.member(t, "bob", p.ID)
	issue := func(user domain.User, id domain.ProjectID) domain.AccessToken {
		return f.issue(t, f.token(user.ID, id, domain.DefaultScopes()))
	}
	by := func(token domain.AccessToken) domain.Credential { return domain.Credential{Token: tokenHash(token)} }
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

// useByTokenAlone shows cookies beside, of somebody else and of nobody.
func useByTokenAlone(t *testing.T, f *fixture) {
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	u, other := f.member(t, "ana", p.ID, q.ID), f.member(t, "bob", p.ID)
	token := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
	mine, others := f.set(t, f.under(f.login(t, u), q.ID)), f.set(t, f.under(f.login(t, other), p.ID))
	for name, c := range map[string]domain.Credential{
		"a session of the same user": inSession(mine), "a session of somebody else": inSession(others),
		"a session that never was": {Login: sessionID(404), Assistant: sessionID(405)},
	} {
		c.Token = tokenHash(token)
		f.wantUse(t, "a token beside "+name, c, ofToken(token, false, p, domain.DefaultScopes()))
		c.Token[0] ^= 1
		f.wantNoUse(t, "no token beside "+name, c)
	}
}

// talk is a project, and users and conversations of every sort in it.
type talk struct {
	p                    domain.Project
	member, admin        domain.User
	login, adminLogin    domain.Session
	session, ruled, host domain.Session
	token                domain.AccessToken

	inSession, byRole, byToken, ofHost domain.Conversation

	granted, hostGranted domain.Scopes // to member and to the host's user
}

func (f *fixture) talk(t *testing.T) talk {
	t.Helper()
	h := talk{p: f.addNamed(t, "p"), granted: someScopes, hostGranted: domain.DefaultScopes()}
	h.member, h.admin = f.member(t, "member", h.p.ID), f.admin(t, "admin")
	f.grantScopes(t, h.member.ID, h.p.ID, h.granted)
	f.grant(t, "a host's user", h.p.ID)
	h.login, h.adminLogin = f.login(t, h.member), f.login(t, h.admin)
	h.session, h.ruled, h.host = f.set(t, f.under(h.login, h.p.ID)), f.set(t, f.byRole(h.adminLogin, h.p.ID)), f.set(t, f.hosted("a host's user", h.p.ID))
	h.token = f.issue(t, f.token(h.member.ID, h.p.ID, domain.DefaultScopes()))
	h.inSession, h.byRole = f.converse(t, f.conversing(h.session)), f.converse(t, f.conversing(h.ruled))
	h.byToken, h.ofHost = f.converse(t, f.conversation(domain.Session{}, h.token)), f.converse(t, f.conversing(h.host))
	return h
}

// uses are the credentials and what they are good for.
func (h talk) uses() map[string]struct {
	credential domain.Credential
	want       domain.Access
} {
	return map[string]struct {
		credential domain.Credential
		want       domain.Access
	}{
		"a conversation of a member's session": {domain.Credential{Conversation: h.inSession.ID}, in(h.inSession, ofSession(h.session, h.login, false, h.p, h.granted))},
		"a conversation of an admin's session": {domain.Credential{Conversation: h.byRole.ID}, in(h.byRole, ofSession(h.ruled, h.adminLogin, true, h.p, 0))},
		"a conversation of a token":            {domain.Credential{Conversation: h.byToken.ID}, in(h.byToken, ofToken(h.token, false, h.p, h.granted))},
		"a conversation of a host's user":      {domain.Credential{Conversation: h.ofHost.ID, User: h.host.User}, in(h.ofHost, ofSession(h.host, domain.Session{}, false, h.p, h.hostGranted))},
	}
}

func useByConversation(t *testing.T, f *fixture) {
	h := f.talk(t)
	for name, use := range h.uses() {
		f.wantUse(t, name, use.credential, use.want)
	}
	second := f.converse(t, f.conversing(h.session))
	f.wantUse(t, "a second conversation of the session", domain.Credential{Conversation: second.ID}, in(second, ofSession(h.session, h.login, false, h.p, h.granted)))
	f.wantUse(t, "the first conversation of the session", domain.Credential{Conversation: h.inSession.ID}, in(h.inSession, ofSession(h.session, h.login, false, h.p, h.granted)))
}

// useByConversationAlone shows cookies beside, of somebody else and of nobody.
func useByConversationAlone(t *testing.T, f *fixture) {
	h := f.talk(t)
	for name, use := range h.uses() {
		for beside, c := range map[string]domain.Credential{
			"a session of a member": inSession(h.session), "a session of an admin": inSession(h.ruled),
			"a session that never was": {Login: sessionID(404), Assistant: sessionID(405)},
			"an assistant session":     {Assistant: h.session.ID},
		} {
			c.Conversation, c.User = use.credential.Conversation, use.credential.User
			f.wantUse(t, name+" beside "+beside, c, use.want)
			c.Conversation = conversationID(404)
			f.wantNoUse(t, "no conversation beside "+beside, c)
		}
	}
}

// useByConversationNow changes all that the conversations stand on.
func useByConversationNow(t *testing.T, f *fixture) {
	h := f.talk(t)
	same := func(what string) {
		t.Helper()
		for name, use := range h.uses() {
			f.wantUse(t, name+" "+what, use.credential, use.want)
		}
	}
	h.granted = domain.ScopesOf(domain.ScopeExport)
	f.grantScopes(t, h.member.ID, h.p.ID, h.granted)
	h.hostGranted = domain.AllScopes()
	f.grantScopes(t, h.host.User, h.p.ID, h.hostGranted)
	same("after Grant of other scopes")
	for _, c := range []*domain.Conversation{&h.inSession, &h.byRole, &h.byToken, &h.ofHost} {
		to := sessionKey(f.next())
		f.renewed(t, "from what is there", *c, c.Key, to)
		c.Key = to
		same("after Renew")
	}
	for _, m := range marks[:2] {
		m.change(&h.p)
		wantNil(t, m.name, m.mark(f, t.Context(), h.p, f.record(m.action, domain.OnProject(h.p.ID))))
		same("after " + m.name)
	}
	for _, s := range []*domain.Session{&h.session, &h.login, &h.host} {
		s.LastUsed, s.Idle = s.LastUsed.Add(time.Minute), s.Idle.Add(time.Minute)
		wantNil(t, "Touch", f.Sessions.Touch(t.Context(), s.ID, s.LastUsed, s.Idle))
		same("after Touch")
	}
	f.update(t, h.member.ID, func(u *domain.User) { u.Role = domain.RoleAdmin })
	f.wantUse(t, "of a member who is an admin now", domain.Credential{Conversation: h.inSession.ID}, in(h.inSession, ofSession(h.session, h.login, true, h.p, h.granted)))
	f.wantUse(t, "of the token of a member who is an admin now", domain.Credential{Conversation: h.byToken.ID}, in(h.byToken, ofToken(h.token, true, h.p, h.granted)))
	f.update(t, h.member.ID, func(u *domain.User) { u.Role = domain.RoleMember })
	same("after the member is none any more")
}

// useByNoConversation has conversations that end before what made them does.
func useByNoConversation(t *testing.T, f *fixture) {
	h := f.talk(t)
	for _, id := range []domain.ConversationID{conversationID(404), "' OR 1=1 --", domain.ConversationID(h.session.ID), domain.ConversationID(h.token.ID)} {
		f.wantNoUse(t, fmt.Sprintf("of the unknown conversation %q", id), domain.Credential{Conversation: id, User: h.host.User})
	}
	next := f.conversing(h.session)
	next.UserID = h.inSession.UserID
	f.converse(t, next)
	f.wantNoUse(t, "in whose place another came", domain.Credential{Conversation: h.inSession.ID})
	f.wantUse(t, "in the place of another", domain.Credential{Conversation: next.ID}, in(next, ofSession(h.session, h.login, false, h.p, h.granted)))

	short := []domain.Conversation{f.conversing(h.session), f.conversation(domain.Session{}, h.token), f.conversing(h.host)}
	for i := range short {
		short[i].Expires = short[i].Created.Add(time.Minute)
		f.converse(t, short[i])
	}
	end := short[0].Expires
	f.clock.set(end.Add(-1))
	for _, c := range short {
		_, err := f.Access.ForUse(t.Context(), domain.Credential{Conversation: c.ID, User: h.host.User})
		wantNil(t, "ForUse of a conversation, a nanosecond before its end", err)
	}
	for _, after := range []time.Duration{0, time.Nanosecond, time.Minute} {
		f.clock.set(end.Add(after))
		for _, c := range short {
			f.wantNoUse(t, fmt.Sprintf("of a conversation, %v after its end", after), domain.Credential{Conversation: c.ID, User: h.host.User})
		}
	}
	wantSame(t, "Sweep of what is over", f.sweepConversations(t, 10), len(short))
	f.wantNoUse(t, "of a conversation that was swept", domain.Credential{Conversation: short[0].ID})
	f.wantUse(t, "of another conversation", domain.Credential{Conversation: next.ID}, in(next, ofSession(h.session, h.login, false, h.p, h.granted)))
}

// sessionLoss is one way in which the use of a session of somebody in that role loses what
// it stands on.
type sessionLoss struct {
	name string
	role domain.Role
	take func(u domain.User, login, s domain.Session)
}

// sessionLosses are the ways that end for good what a member's session with p is used for.
func (f *fixture) sessionLosses(t *testing.T, p domain.Project) []sessionLoss {
	return []sessionLoss{
		{"whose session has ended", domain.RoleMember, func(_ domain.User, _, s domain.Session) { f.end(t, s.ID) }},
		{"whose login has ended", domain.RoleMember, func(_ domain.User, login, _ domain.Session) { f.end(t, login.ID) }},
		{"in the place of whose session another came", domain.RoleMember, func(_ domain.User, login, _ domain.Session) { f.set(t, f.under(login, p.ID)) }},
		{"whose user is disabled", domain.RoleMember, func(u domain.User, _, _ domain.Session) {
			f.update(t, u.ID, func(u *domain.User) { u.Disabled = true })
		}},
		{"whose user is gone", domain.RoleMember, func(u domain.User, _, _ domain.Session) { f.removeUser(t, u.ID) }},
		{"whose grant was taken back and given again", domain.RoleMember, func(u domain.User, _, _ domain.Session) {
			f.revoke(t, u.ID, p.ID)
			f.grant(t, u.ID, p.ID)
		}},
	}
}

// useByOrphan takes away what the conversations of sessions stand on, each thing alone.
func useByOrphan(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	f.member(t, "beside", p.ID)
	for _, way := range append(f.sessionLosses(t, p), []sessionLoss{
		{"whose user was disabled and is enabled again", domain.RoleMember, func(u domain.User, _, _ domain.Session) {
			f.update(t, u.ID, func(u *domain.User) { u.Disabled = true })
			f.update(t, u.ID, func(u *domain.User) { u.Disabled = false })
		}},
		{"whose user has another password", domain.RoleMember, func(u domain.User, _, _ domain.Session) {
			f.update(t, u.ID, func(u *domain.User) { u.PasswordHash = domain.NewSecret("$test$another") })
		}},
		{"whose grant was taken back", domain.RoleMember, func(u domain.User, _, _ domain.Session) { f.revoke(t, u.ID, p.ID) }},
		{"whose role was taken away", domain.RoleAdmin, func(u domain.User, _, _ domain.Session) {
			f.update(t, u.ID, func(u *domain.User) { u.Role = domain.RoleMember })
		}},
		{"whose role was taken away and given again", domain.RoleAdmin, func(u domain.User, _, _ domain.Session) {
			f.update(t, u.ID, func(u *domain.User) { u.Role = domain.RoleMember })
			f.update(t, u.ID, func(u *domain.User) { u.Role = domain.RoleAdmin })
		}},
		{"whose project was removed", domain.RoleMember, func(u domain.User, _, _ domain.Session) {
			f.remove(t, p.ID)
			f.add(t, p)
			f.grant(t, u.ID, p.ID)
		}},
		{"whose session is over", domain.RoleMember, func(_ domain.User, login, s domain.Session) {
			wantNil(t, "preparing: Sessions.Touch", f.Sessions.Touch(t.Context(), login.ID, f.clock.now(), login.Expires))
			f.clock.set(s.Idle)
		}},
		{"whose login is over", domain.RoleMember, func(_ domain.User, login, s domain.Session) {
			wantNil(t, "preparing: Sessions.Touch", f.Sessions.Touch(t.Context(), s.ID, f.clock.now(), s.Expires))
			f.clock.set(login.Idle)
		}},
	}...) {
		u := f.user(domain.Username(fmt.Sprintf("user%d", f.next())), way.role)
		s := f.under
		if way.role == domain.RoleAdmin {
			s = f.byRole
		} else {
			u.SetAssistants([]domain.ProjectID{p.ID})
		}
		f.create(t, u)
		login := f.login(t, u)
		session := f.set(t, s(login, p.ID))
		c := f.converse(t, f.conversing(session))
		granted := domain.DefaultScopes()
		if way.role == domain.RoleAdmin {
			granted = 0
		}
		f.wantUse(t, "of a conversation", domain.Credential{Conversation: c.ID}, in(c, ofSession(session, login, way.role == domain.RoleAdmin, p, granted)))
		way.take(u, login, session)
		f.wantNoUse(t, "of a conversation "+way.name, domain.Credential{Conversation: c.ID})
		f.wantNoUse(t, "of a conversation "+way.name+", with its user", domain.Credential{Conversation: c.ID, User: u.ID, Admin: true})
	}
}

// tokenLoss is one way in which a token's use loses what it stands on.
type tokenLoss struct {
	name string
	take func(u domain.User, token domain.AccessToken)
}

// tokenLosses are the ways that end for good what a member's token for p is used for.
func (f *fixture) tokenLosses(t *testing.T, p domain.Project) []tokenLoss {
	return []tokenLoss{
		{"whose token was removed", func(_ domain.User, token domain.AccessToken) { f.withdraw(t, token.ID) }},
		{"whose user is disabled", func(u domain.User, _ domain.AccessToken) {
			f.update(t, u.ID, func(u *domain.User) { u.Disabled = true })
		}},
		{"whose user is gone", func(u domain.User, _ domain.AccessToken) { f.removeUser(t, u.ID) }},
		{"whose project was removed", func(domain.User, domain.AccessToken) {
			f.remove(t, p.ID)
			f.add(t, p)
		}},
		{"whose token is over", func(_ domain.User, token domain.AccessToken) { f.clock.set(token.Expires) }},
	}
}

// useByTokensOrphan takes away what the conversations of tokens stand on, each thing alone.
func useByTokensOrphan(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	for _, way := range append(f.tokenLosses(t, p), tokenLoss{
		"whose token was removed and is back under the same id", func(_ domain.User, token domain.AccessToken) {
			f.withdraw(t, token.ID)
			f.issue(t, token)
		},
	}) {
		u := f.member(t, domain.Username(fmt.Sprintf("user%d", f.next())), p.ID)
		token := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
		c := f.conversation(domain.Session{}, token)
		c.Expires = c.Expires.Add(time.Hour) // so that it is the token that ends
		f.converse(t, c)
		f.wantUse(t, "of a conversation", domain.Credential{Conversation: c.ID}, in(c, ofToken(token, false, p, domain.DefaultScopes())))
		way.take(u, token)
		f.wantNoUse(t, "of a conversation "+way.name, domain.Credential{Conversation: c.ID})
		f.wantNoUse(t, "of a conversation "+way.name+", with its user", domain.Credential{Conversation: c.ID, User: u.ID, Admin: true})
	}

	// A token is no session: it outlives the grant, and is good for nothing without one.
	u := f.member(t, "ana", p.ID)
	token := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
	c := f.converse(t, f.conversation(domain.Session{}, token))
	f.revoke(t, u.ID, p.ID)
	f.wantUse(t, "of a conversation of a token whose user has no grant any more", domain.Credential{Conversation: c.ID}, in(c, ofToken(token, false, p, 0)))
}

// useByHostsConversation asks for the user by ids that differ in the case of one letter.
func useByHostsConversation(t *testing.T, f *fixture) {
	const user, other, boss = domain.UserID("a host's user"), domain.UserID("A host's user"), domain.UserID("a host's admin")
	p := f.addNamed(t, "p")
	f.grant(t, user, p.ID)
	f.grant(t, other, p.ID)
	s, ruled := f.set(t, f.hosted(user, p.ID)), f.set(t, f.hostedByRole(boss, p.ID))
	c, byRole := f.converse(t, f.conversing(s)), f.converse(t, f.conversing(ruled))
	for _, admin := range []bool{false, true} { // as the host says now
		f.wantUse(t, "with the user", domain.Credential{Conversation: c.ID, User: user, Admin: admin}, in(c, ofSession(s, domain.Session{}, admin, p, domain.DefaultScopes())))
		f.wantUse(t, "with the admin", domain.Credential{Conversation: byRole.ID, User: boss, Admin: admin}, in(byRole, ofSession(ruled, domain.Session{}, admin, p, 0)))
		for what, wrong := range map[string]domain.UserID{"nobody": "", "somebody else": boss, "somebody of almost that name": other, "a wildcard": "%"} {
			f.wantNoUse(t, "with "+what, domain.Credential{Conversation: c.ID, User: wrong, Admin: admin})
		}
		f.wantNoUse(t, "with nobody, of an admin", domain.Credential{Conversation: byRole.ID, Admin: admin})
		f.wantNoUse(t, "with another, of an admin", domain.Credential{Conversation: byRole.ID, User: user, Admin: admin})
	}
	f.end(t, ruled.ID)
	f.wantNoUse(t, "with the admin whose session has ended", domain.Credential{Conversation: byRole.ID, User: boss, Admin: true})
	f.revoke(t, user, p.ID)
	f.wantNoUse(t, "with the user whose grant was taken back", domain.Credential{Conversation: c.ID, User: user})
	f.grant(t, user, p.ID)
	f.wantNoUse(t, "with the user whose grant was given again", domain.Credential{Conversation: c.ID, User: user})
	f.set(t, f.hosted(user, p.ID))
	f.wantNoUse(t, "with the user, who has another session", domain.Credential{Conversation: c.ID, User: user})

	last := f.set(t, f.hosted(user, p.ID))
	over := f.converse(t, f.conversing(last))
	f.clock.set(last.Idle)
	f.wantNoUse(t, "with the user whose session is over", domain.Credential{Conversation: over.ID, User: user})
}

func useOfNothing(t *testing.T, f *fixture) {
	f.wantNoUse(t, "of no credential", domain.Credential{})
	f.wantNoUse(t, "of an assistant session alone", domain.Credential{Assistant: sessionID(404)})
	f.wantNoUse(t, "of a role alone", domain.Credential{Admin: true})
}

// whole is NotFound for a use without a session and for one without a scope, and an error
// of its own for one of which a part is missing: what is looked up at once is of one
// moment.
func whole(a domain.Access, err error) error {
	missing := &domain.Error{Kind: domain.NotFound}
	switch {
	case err != nil:
		return err
	case a.Session.ID == "" && a.Token.ID == "":
		if a.Project.ID != "" || !a.Key.IsZero() || !a.Secondary.IsZero() || a.Granted != 0 {
			return errors.New("got a project, a key or scopes without a session")
		}
		return missing
	case a.Project.ID == "" || a.Key.IsZero():
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

// eachTaken checks that a use that prepare makes is over with the first ForUse after each
// way, taken on each instance.
func (f *fixture) eachTaken(t *testing.T, prepare func() (domain.Credential, []taken)) {
	t.Helper()
	_, ways := prepare()
	for i := range ways {
		for _, instance := range f.instances(t) {
			c, ways := prepare()
			f.whileInUse(t, ways[i].name, func(ctx context.Context, at Store) error {
				return whole(at.Access.ForUse(ctx, c))
			}, func() error { return ways[i].take(instance) })
		}
	}
}

// lodger is a user with a project of their own, granted to a member and not to an admin.
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
	_, err := at.Users.Update(t.Context(), id, changing(change), "", f.record(domain.ActionUpdateUser, domain.OnUser(id)))
	return err
}

func useTakenSession(t *testing.T, f *fixture) {
	ctx := t.Context()
	f.eachTaken(t, func() (domain.Credential, []taken) {
		u, p := f.lodger(t, domain.RoleMember)
		login := f.login(t, u)
		s := f.set(t, f.under(login, p.ID))
		return inSession(s), []taken{
			{"Revoke", func(at Store) error {
				return at.Projects.Revoke(ctx, u.ID, p.ID, f.record(domain.ActionRevokeProject, "p"))
			}},
			{"an Update that takes the grant", func(at Store) error {
				return f.updateAt(t, at, u.ID, func(u *domain.User) { u.SetAssistants(nil) })
			}},
			{"Remove of the project", func(at Store) error { return at.Projects.Remove(ctx, p.ID, f.record(domain.ActionDeleteProject, "p")) }},
			{"End of the session", func(at Store) error { return at.Sessions.End(ctx, s.ID, "", f.record(domain.ActionClearProject, "s")) }},
			{"another session in its place", func(at Store) error {
				_, err := at.Sessions.OpenAssistant(ctx, f.under(login, p.ID), f.record(domain.ActionSetProject, "s"))
				return err
			}},
		}
	})
	f.eachTaken(t, func() (domain.Credential, []taken) {
		u, p := f.lodger(t, domain.RoleAdmin)
		s := f.set(t, f.byRole(f.login(t, u), p.ID))
		return inSession(s), []taken{
			{"an Update that takes the role", func(at Store) error {
				return f.updateAt(t, at, u.ID, func(u *domain.User) { u.Role = domain.RoleMember })
			}},
			{"Remove of the project", func(at Store) error { return at.Projects.Remove(ctx, p.ID, f.record(domain.ActionDeleteProject, "p")) }},
		}
	})
}

func useTakenLogin(t *testing.T, f *fixture) {
	ctx := t.Context()
	f.eachTaken(t, func() (domain.Credential, []taken) {
		u, p := f.lodger(t, domain.RoleMember)
		login := f.login(t, u)
		s := f.set(t, f.under(login, p.ID))
		return inSession(s), []taken{
			{"End of the login", func(at Store) error { return at.Sessions.End(ctx, login.ID, "", f.record(domain.ActionLogout, "l")) }},
			{"an Update that disables", func(at Store) error {
				return f.updateAt(t, at, u.ID, func(u *domain.User) { u.Disabled = true })
			}},
			{"an Update of the password", func(at Store) error {
				return f.updateAt(t, at, u.ID, func(u *domain.User) { u.PasswordHash = domain.NewSecret("$test$another") })
			}},
			{"Remove of the user", func(at Store) error { return at.Users.Remove(ctx, u.ID, agree, f.record(domain.ActionDeleteUser, "u")) }},
		}
	})
}

func useTakenHost(t *testing.T, f *fixture) {
	ctx := t.Context()
	f.eachTaken(t, func() (domain.Credential, []taken) {
		const user = domain.UserID("a host's user")
		p := f.addNamed(t, "p")
		f.grant(t, user, p.ID)
		s := f.set(t, f.hosted(user, p.ID))
		return inSession(s), []taken{
			{"Revoke", func(at Store) error {
				return at.Projects.Revoke(ctx, user, p.ID, f.record(domain.ActionRevokeProject, "p"))
			}},
			{"Remove of the project", func(at Store) error { return at.Projects.Remove(ctx, p.ID, f.record(domain.ActionDeleteProject, "p")) }},
			{"End of the session", func(at Store) error { return at.Sessions.End(ctx, s.ID, "", f.record(domain.ActionClearProject, "s")) }},
		}
	})
}

func useTakenToken(t *testing.T, f *fixture) {
	ctx := t.Context()
	f.eachTaken(t, func() (domain.Credential, []taken) {
		u, p := f.lodger(t, domain.RoleMember)
		token := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
		return domain.Credential{Token: tokenHash(token)}, []taken{
			{"Remove of the token", func(at Store) error {
				return at.AccessTokens.Remove(ctx, token.ID, "", f.record(domain.ActionDeleteAccessToken, "t"))
			}},
			{"Revoke", func(at Store) error {
				return at.Projects.Revoke(ctx, u.ID, p.ID, f.record(domain.ActionRevokeProject, "p"))
			}},
			{"Grant of other scopes", func(at Store) error {
				return at.Projects.Grant(ctx, u.ID, p.ID, domain.ScopesOf(domain.ScopeExport), f.clock.now(), f.record(domain.ActionGrantProject, "p"))
			}},
			{"an Update that disables", func(at Store) error {
				return f.updateAt(t, at, u.ID, func(u *domain.User) { u.Disabled = true })
			}},
			{"Remove of the user", func(at Store) error { return at.Users.Remove(ctx, u.ID, agree, f.record(domain.ActionDeleteUser, "u")) }},
			{"Remove of the project", func(at Store) error { return at.Projects.Remove(ctx, p.ID, f.record(domain.ActionDeleteProject, "p")) }},
		}
	})
}

func useTakenConversation(t *testing.T, f *fixture) {
	ctx := t.Context()
	f.eachTaken(t, func() (domain.Credential, []taken) {
		u, p := f.lodger(t, domain.RoleMember)
		login := f.login(t, u)
		s := f.set(t, f.under(login, p.ID))
		c := f.converse(t, f.conversing(s))
		return domain.Credential{Conversation: c.ID}, []taken{
			{"Revoke", func(at Store) error {
				return at.Projects.Revoke(ctx, u.ID, p.ID, f.record(domain.ActionRevokeProject, "p"))
			}},
			{"End of the session", func(at Store) error { return at.Sessions.End(ctx, s.ID, "", f.record(domain.ActionClearProject, "s")) }},
			{"End of the login", func(at Store) error { return at.Sessions.End(ctx, login.ID, "", f.record(domain.ActionLogout, "l")) }},
			{"another session in its place", func(at Store) error {
				_, err := at.Sessions.OpenAssistant(ctx, f.under(login, p.ID), f.record(domain.ActionSetProject, "s"))
				return err
			}},
			{"another conversation in its place", func(at Store) error {
				next := f.conversing(s)
				next.UserID = c.UserID
				return at.Conversations.Open(ctx, next)
			}},
			{"an Update that disables", func(at Store) error {
				return f.updateAt(t, at, u.ID, func(u *domain.User) { u.Disabled = true })
			}},
			{"Remove of the project", func(at Store) error { return at.Projects.Remove(ctx, p.ID, f.record(domain.ActionDeleteProject, "p")) }},
		}
	})
	f.eachTaken(t, func() (domain.Credential, []taken) {
		u, p := f.lodger(t, domain.RoleMember)
		token := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
		c := f.converse(t, f.conversation(domain.Session{}, token))
		return domain.Credential{Conversation: c.ID}, []taken{
			{"Remove of the token", func(at Store) error {
				return at.AccessTokens.Remove(ctx, token.ID, u.ID, f.record(domain.ActionDeleteAccessToken, "t"))
			}},
			{"Revoke", func(at Store) error {
				return at.Projects.Revoke(ctx, u.ID, p.ID, f.record(domain.ActionRevokeProject, "p"))
			}},
			{"Remove of the user", func(at Store) error { return at.Users.Remove(ctx, u.ID, agree, f.record(domain.ActionDeleteUser, "u")) }},
		}
	})
}

// wantStanding fails the test unless those of the uses stand that want has, each as it
// says. Of an Access only what Standing fills in is compared.
func (f *fixture) wantStanding(t *testing.T, what string, uses []domain.OpenUse, want ...domain.Access) {
	t.Helper()
	got, err := f.Access.Standing(t.Context(), uses)
	wantNil(t, what+": Standing", err)
	if d := otherStanding(got, want); d != nil {
		t.Fatalf("%s: Standing: %v", what, d)
	}
}

// otherStanding says how got is something else than want.
func otherStanding(got, want []domain.Access) error {
	standing := map[domain.OpenUse]domain.Access{}
	for _, a := range got {
		standing[a.OpenUse()] = a
	}
	for _, w := range want {
		g, found := standing[w.OpenUse()]
		if !found {
			return fmt.Errorf("got %d uses without %+v, want it", len(got), w.OpenUse())
		}
		delete(standing, w.OpenUse())
		if g.Caller.ID != w.Caller.ID || g.Caller.Admin != w.Caller.Admin {
			return fmt.Errorf("%+v: got the user %q, an admin: %v; want %q, an admin: %v", w.OpenUse(), g.Caller.ID, g.Caller.Admin, w.Caller.ID, w.Caller.Admin)
		}
		for _, d := range []string{difference(g.Session, w.Session), difference(g.Token, w.Token), difference(g.Granted.Text(), w.Granted.Text())} {
			if d != "" {
				return fmt.Errorf("%+v: %s", w.OpenUse(), d)
			}
		}
		if g.Scopes() != w.Scopes() {
			return fmt.Errorf("%+v: got the scopes %q, want %q", w.OpenUse(), g.Scopes().Text(), w.Scopes().Text())
		}
	}
	for use := range standing {
		return fmt.Errorf("got %+v among the uses, want it left out", use)
	}
	return nil
}

// usesOf are the open uses, which were good for these.
func usesOf(all ...domain.Access) []domain.OpenUse {
	uses := make([]domain.OpenUse, len(all))
	for i, a := range all {
		uses[i] = a.OpenUse()
	}
	return uses
}

// standingReturns asks about some of what is there, in any order, twice, and beside what is
// not there.
func standingReturns(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u, admin := f.member(t, "ana", p.ID), f.admin(t, "admin")
	login, adminLogin := f.login(t, u), f.login(t, admin)
	s, ruled := f.set(t, f.under(login, p.ID)), f.set(t, f.byRole(adminLogin, p.ID))
	token := f.issue(t, f.token(u.ID, p.ID, domain.AllScopes()))
	own := f.token(admin.ID, p.ID, domain.DefaultScopes())
	own.OwnUsers = true
	f.issue(t, own)
	f.set(t, f.under(f.login(t, u), p.ID)) // and a token: nobody asks about them
	f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
	now := func() []domain.Access {
		granted := domain.Scopes(0)
		got, err := f.Projects.Grants(t.Context(), domain.GrantFilter{User: u.ID}, domain.Cursor{}, 1)
		wantNil(t, "Grants", err)
		if len(got) == 1 {
			granted = got[0].Scopes
		}
		return []domain.Access{
			ofSession(s, login, false, p, granted), ofSession(ruled, adminLogin, true, p, 0), ofToken(token, false, p, granted), ofToken(own, true, p, 0),
		}
	}
	all := usesOf(now()...)
	f.wantStanding(t, "of all", all, now()...)
	for i, use := range all {
		f.wantStanding(t, "of one", []domain.OpenUse{use}, now()[i])
	}
	mixed := append(append(slices.Clone(all), domain.OpenUse{Session: sessionID(404)}, domain.OpenUse{Token: tokenID(404)}, domain.OpenUse{}), all...)
	slices.Reverse(mixed)
	f.wantStanding(t, "of all twice, beside what is not there", mixed, now()...)
	for _, scopes := range scopeSets[1:] {
		f.grantScopes(t, u.ID, p.ID, scopes)
		f.wantStanding(t, "after Grant of other scopes", all, now()...)
	}
	f.update(t, u.ID, func(u *domain.User) { u.Role = domain.RoleAdmin })
	promoted := now()
	promoted[0].Caller.Admin, promoted[2].Caller.Admin = true, true
	f.wantStanding(t, "after the user became an admin", all, promoted...)
	f.update(t, u.ID, func(u *domain.User) { u.Role = domain.RoleMember })
	f.wantStanding(t, "after the user was demoted", all, now()...)
	f.revoke(t, u.ID, p.ID)
	f.wantStanding(t, "after Revoke", all, now()[1:]...)
	f.update(t, admin.ID, func(u *domain.User) { u.Role = domain.RoleMember })
	f.wantStanding(t, "after the role was taken away", all, now()[2], ofToken(own, false, p, 0))
	f.update(t, u.ID, func(u *domain.User) { u.Role = domain.RoleAdmin })
	f.wantStanding(t, "after the role was given to another", all, ofToken(token, true, p, 0), ofToken(own, false, p, 0))
}

func standingHosted(t *testing.T, f *fixture) {
	const user, boss = domain.UserID("a host's user"), domain.UserID("a host's admin")
	p := f.addNamed(t, "p")
	f.grantScopes(t, user, p.ID, someScopes)
	s, ruled := f.set(t, f.hosted(user, p.ID)), f.set(t, f.hostedByRole(boss, p.ID))
	ofUser, ofBoss := ofSession(s, domain.Session{}, false, p, someScopes), ofSession(ruled, domain.Session{}, true, p, 0)
	uses := usesOf(ofUser, ofBoss)
	f.wantStanding(t, "of sessions without a login", uses, ofUser, ofBoss)
	f.grant(t, boss, p.ID)
	ofBoss.Granted = domain.DefaultScopes()
	f.wantStanding(t, "of an admin who has a grant too", uses, ofUser, ofBoss)
	f.revoke(t, user, p.ID)
	f.wantStanding(t, "after Revoke", uses, ofBoss)
	f.remove(t, p.ID)
	f.wantStanding(t, "after Remove of the project", uses)
}

// standingSessions takes away what one session stands on, each thing alone, and keeps
// another.
func standingSessions(t *testing.T, f *fixture) {
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	beside := f.admin(t, "beside")
	besideLogin := domain.NewLogin(sessionID(f.next()), beside.ID, true, f.clock.now(), lives, "", "")
	rec := f.record(domain.ActionLogin, domain.OnSession(besideLogin.ID))
	wantNil(t, "preparing: Sessions.OpenLogin", f.Sessions.OpenLogin(t.Context(), besideLogin, beside.PasswordHash, rec))
	stays := f.set(t, f.byRole(besideLogin, q.ID))
	for _, way := range append(f.sessionLosses(t, p), []sessionLoss{
		{"whose project was removed", domain.RoleMember, func(domain.User, domain.Session, domain.Session) {
			f.remove(t, p.ID)
			f.add(t, p)
		}},
		{"whose session is over", domain.RoleMember, func(_ domain.User, _, s domain.Session) { f.clock.set(s.Idle) }},
		{"whose session is over, for all that it was used", domain.RoleMember, func(_ domain.User, _, s domain.Session) {
			f.used(t, s)
			f.clock.set(s.Expires)
		}},
	}...) {
		u := f.member(t, domain.Username(fmt.Sprintf("user%d", f.next())), p.ID)
		login := f.login(t, u)
		s := f.set(t, f.under(login, p.ID))
		a, kept := ofSession(s, login, false, p, domain.DefaultScopes()), ofSession(stays, besideLogin, true, q, 0)
		f.wantStanding(t, "before", usesOf(a, kept), a, kept)
		way.take(u, login, s)
		f.wantStanding(t, way.name, usesOf(a, kept), kept)
	}
}

// standingTokens takes away what one token stands on, each thing alone, and keeps another.
func standingTokens(t *testing.T, f *fixture) {
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	beside := f.token(f.admin(t, "beside").ID, q.ID, domain.DefaultScopes())
	beside.Expires = beside.Created.Add(1000 * time.Hour)
	kept := ofToken(f.issue(t, beside), true, q, 0)
	for _, way := range f.tokenLosses(t, p) {
		u := f.member(t, domain.Username(fmt.Sprintf("user%d", f.next())), p.ID)
		token := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
		a := ofToken(token, false, p, domain.DefaultScopes())
		f.wantStanding(t, "before", usesOf(a, kept), a, kept)
		way.take(u, token)
		f.wantStanding(t, way.name, usesOf(a, kept), kept)
	}
}

func standingNone(t *testing.T, f *fixture) {
	f.wantStanding(t, "of nothing", nil)
	f.wantStanding(t, "of the zero use", []domain.OpenUse{{}})
	f.wantStanding(t, "of what never was", []domain.OpenUse{
		{Session: sessionID(404)}, {Token: tokenID(404)}, {Session: `"`, Token: `\`}, {Session: "' OR 1=1 --", Token: "%"}, {},
	})
}

// standingMany has more uses than a statement may have parameters.
func standingMany(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	var want []domain.Access
	for range 50 {
		s := f.set(t, f.hostedByRole("a host's admin", p.ID))
		want = append(want, ofSession(s, domain.Session{}, true, p, 0))
	}
	uses := usesOf(want...)
	for n := range 70_000 {
		uses = append(uses, domain.OpenUse{Session: sessionID(1_000_000 + n)}, domain.OpenUse{Token: tokenID(1_000_000 + n)})
	}
	f.wantStanding(t, "of very many uses", uses, want...)
}

// standingTaken looks on all instances while something is taken away on one of them.
func standingTaken(t *testing.T, f *fixture) {
	ctx := t.Context()
	for _, instance := range f.instances(t) {
		for _, way := range []struct {
			name string
			take func(u domain.User, p domain.Project) error
		}{
			{"Remove of the project", func(_ domain.User, p domain.Project) error {
				return instance.Projects.Remove(ctx, p.ID, f.record(domain.ActionDeleteProject, "p"))
			}},
			{"Remove of the user", func(u domain.User, _ domain.Project) error {
				return instance.Users.Remove(ctx, u.ID, agree, f.record(domain.ActionDeleteUser, "u"))
			}},
			{"an Update that disables", func(u domain.User, _ domain.Project) error {
				return f.updateAt(t, instance, u.ID, func(u *domain.User) { u.Disabled = true })
			}},
			{"Revoke", func(u domain.User, p domain.Project) error {
				return instance.Projects.Revoke(ctx, u.ID, p.ID, f.record(domain.ActionRevokeProject, "p"))
			}},
		} {
			u, p := f.lodger(t, domain.RoleMember)
			s := f.set(t, f.under(f.login(t, u), p.ID))
			token := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
			for _, use := range []domain.OpenUse{{Session: s.ID}, {Token: token.ID}} {
				wantNil(t, "a use before "+way.name, standsAt(ctx, f.Store, use))
			}
			f.whileInUse(t, way.name, func(ctx context.Context, at Store) error {
				return standsAt(ctx, at, domain.OpenUse{Session: s.ID})
			}, func() error { return way.take(u, p) })
			for _, at := range f.instances(t) {
				wantKind(t, "a token after "+way.name, standsAt(ctx, at, domain.OpenUse{Token: token.ID}), domain.NotFound)
			}
		}
	}
}

// standsAt is NotFound for a use that is good for nothing any more.
func standsAt(ctx context.Context, at Store, use domain.OpenUse) error {
	got, err := at.Access.Standing(ctx, []domain.OpenUse{use})
	switch {
	case err != nil:
		return err
	case len(got) == 0 || got[0].Scopes() == 0:
		return &domain.Error{Kind: domain.NotFound}
	}
	return nil
}

// useChangesNothing uses everything a while after it was made.
func useChangesNothing(t *testing.T, f *fixture) {
	h := f.talk(t)
	f.clock.advance(10 * time.Minute)
	for range 2 {
		for name, use := range h.uses() {
			f.wantUse(t, name, use.credential, use.want)
		}
		f.wantUse(t, "a session", inSession(h.session), ofSession(h.session, h.login, false, h.p, h.granted))
		f.wantUse(t, "a token", domain.Credential{Token: tokenHash(h.token)}, ofToken(h.token, false, h.p, h.granted))
		a, b := ofSession(h.session, h.login, false, h.p, h.granted), ofToken(h.token, false, h.p, h.granted)
		f.wantStanding(t, "of a session and a token", usesOf(a, b), a, b)
	}
	f.wantLive(t, "after uses", h.login, h.session, h.ruled, h.host)
	f.wantTokens(t, "after uses", "", h.token)
	f.wantRecords(t, "after uses")
}

// useElsewhere goes to and fro between two instances, so that a cache in one of them would
// show.
func useElsewhere(t *testing.T, f *fixture) {
	at := f.instances(t)
	here := f.Store
	there := &fixture{Store: at[len(at)-1], clock: f.clock}
	h := f.talk(t)
	for range 3 {
		for name, use := range h.uses() {
			there.wantUse(t, name+" on the other instance", use.credential, use.want)
		}
		h.granted = domain.AllScopes()
		wantNil(t, "Grant on the other instance", there.Projects.Grant(t.Context(), h.member.ID, h.p.ID, h.granted, f.clock.now(), f.record(domain.ActionGrantProject, "p")))
		for name, use := range h.uses() {
			f.wantUse(t, name+" after Grant on the other instance", use.credential, use.want)
		}
		h.granted = someScopes
		wantNil(t, "Grant", here.Projects.Grant(t.Context(), h.member.ID, h.p.ID, h.granted, f.clock.now(), f.record(domain.ActionGrantProject, "p")))
		to := sessionKey(f.next())
		_, err := there.Conversations.Renew(t.Context(), h.byToken.ID, h.byToken.Key, to)
		wantNil(t, "Renew on the other instance", err)
		h.byToken.Key = to
		a, b := ofSession(h.session, h.login, false, h.p, h.granted), ofToken(h.token, false, h.p, h.granted)
		there.wantStanding(t, "on the other instance", usesOf(a, b), a, b)
		f.wantStanding(t, "on this instance", usesOf(a, b), a, b)
	}
	wantNil(t, "End on the other instance", there.Sessions.End(t.Context(), h.session.ID, "", f.record(domain.ActionClearProject, "s")))
	f.wantUse(t, "a session that has ended on the other instance", inSession(h.session), withoutSession(h.member.ID, h.login, false))
	f.wantNoUse(t, "of a conversation of a session that has ended on the other instance", domain.Credential{Conversation: h.inSession.ID})
	f.withdraw(t, h.token.ID)
	there.wantNoUse(t, "of a token that was removed, on the other instance", domain.Credential{Token: tokenHash(h.token)})
	there.wantNoUse(t, "of a conversation of a token that was removed, on the other instance", domain.Credential{Conversation: h.byToken.ID})
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
		keys, err := f.Projects.Keys(t.Context(), h.p.ID)
		wantNil(t, "Keys", err)
		for name, use := range h.uses() {
			want := use.want
			want.Key, want.Secondary = keys[domain.SlotPrimary], keys[domain.SlotSecondary]
			f.wantUse(t, name+" after PutKey", use.credential, want)
		}
	}
}

// useArguments alters what it handed in and what it was given.
func useArguments(t *testing.T, f *fixture) {
	h := f.talk(t)
	for name, use := range h.uses() {
		for range 2 {
			got, err := f.Access.ForUse(t.Context(), use.credential)
			wantNil(t, "ForUse of "+name, err)
			if d := otherAccess(got, use.want); d != nil {
				t.Fatalf("ForUse of %s after the caller cleared what an earlier one had returned: %v", name, d)
			}
			clear(got.Key.Bytes)
			clear(got.Conversation.Key.Bytes)
		}
	}
	f.wantKey(t, "after the caller cleared what ForUse had returned", h.p, keyOf(h.p))
	f.wantConversation(t, "after the caller cleared what ForUse had returned", h.inSession, h.byToken)
	a, b := ofSession(h.session, h.login, false, h.p, h.granted), ofToken(h.token, false, h.p, h.granted)
	uses := append(usesOf(b, a, b), domain.OpenUse{})
	handed := slices.Clone(uses)
	f.wantStanding(t, "of uses", handed, a, b)
	wantSame(t, "the uses that were handed to Standing, afterwards", handed, uses)
}

func useUnavailable(t *testing.T, f *fixture) {
	h := f.talk(t)
	calls := []call{
		{"Standing", func(ctx context.Context) error {
			_, err := f.Access.Standing(ctx, []domain.OpenUse{{Session: h.session.ID}, {Token: h.token.ID}})
			return err
		}},
		{"Standing of what is not there", func(ctx context.Context) error {
			_, err := f.Access.Standing(ctx, []domain.OpenUse{{Session: sessionID(404)}, {Token: tokenID(404)}})
			return err
		}},
	}
	for name, c := range map[string]domain.Credential{
		"a login": inSession(h.session), "a login without an assistant session": {Login: h.login.ID}, "no login": {Login: sessionID(404)},
		"a host's user": inSession(h.host), "a host's user without an assistant session": {User: h.host.User, Assistant: sessionID(404)},
		"a token": {Token: tokenHash(h.token)}, "no token": {Token: domain.TokenHash{4, 0, 4}},
		"a conversation": {Conversation: h.inSession.ID}, "no conversation": {Conversation: conversationID(404)},
	} {
		calls = append(calls, call{"ForUse of " + name, func(ctx context.Context) error {
			_, err := f.Access.ForUse(ctx, c)
			return err
		}})
	}
	f.wantUnavailable(t, func(t *testing.T) {
		for name, use := range h.uses() {
			f.wantUse(t, name+" after calls under ended contexts", use.credential, use.want)
		}
		f.wantRecords(t, "after calls under ended contexts")
	}, calls...)
}

// useConcurrent lets every caller find exactly what is theirs, whatever others do.
func useConcurrent(t *testing.T, f *fixture) {
	at := f.instances(t)
	p := f.addNamed(t, "p")
	type own struct {
		credential domain.Credential
		want       domain.Access
	}
	const callers = 16
	all, problems := make([][]own, callers), make([]error, callers)
	for i := range all {
		admin := i%2 == 1
		u := f.create(t, f.user(domain.Username(fmt.Sprintf("user%d", i)), []domain.Role{domain.RoleMember, domain.RoleAdmin}[i%2], p.ID))
		f.grantScopes(t, u.ID, p.ID, scopeSets[1+i%(len(scopeSets)-1)])
		granted := scopeSets[1+i%(len(scopeSets)-1)]
		login := f.login(t, u)
		s := f.set(t, f.under(login, p.ID))
		token := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
		c := f.converse(t, f.conversing(s))
		inS, byT := ofSession(s, login, admin, p, granted), ofToken(token, admin, p, granted)
		all[i] = []own{{inSession(s), inS}, {domain.Credential{Token: tokenHash(token)}, byT}, {domain.Credential{Conversation: c.ID}, in(c, inS)}}
	}
	atOnce(callers, func(i int) {
		view := at[i%len(at)].Access
		for range 8 {
			for _, o := range all[i] {
				got, err := view.ForUse(t.Context(), o.credential)
				err = cmp.Or(err, otherAccess(got, o.want))
				if err == nil {
					var standing []domain.Access
					standing, err = view.Standing(t.Context(), usesOf(o.want))
					err = cmp.Or(err, otherStanding(standing, []domain.Access{o.want}))
				}
				if err != nil && problems[i] == nil {
					problems[i] = err
				}
			}
		}
	})
	for _, err := range problems {
		wantNil(t, "a caller beside others", err)
	}
}
