package portstest

import (
	"fmt"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

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

// uses returns the credentials and the Access that each gives.
func (h talk) uses() map[string]struct {
	shown shown
	want  domain.Access
} {
	return map[string]struct {
		shown shown
		want  domain.Access
	}{
		"a conversation of a member's session": {shown{Conversation: h.inSession.ID}, in(h.inSession, ofSession(h.session, h.login, false, h.p, h.granted))},
		"a conversation of an admin's session": {shown{Conversation: h.byRole.ID}, in(h.byRole, ofSession(h.ruled, h.adminLogin, true, h.p, 0))},
		"a conversation of a token":            {shown{Conversation: h.byToken.ID}, in(h.byToken, ofToken(h.token, false, h.p, h.granted))},
		"a conversation of a host's user":      {shown{Conversation: h.ofHost.ID, User: h.host.User}, in(h.ofHost, ofSession(h.host, domain.Session{}, false, h.p, h.hostGranted))},
	}
}

func useByConversation(t *testing.T, f *fixture) {
	h := f.talk(t)
	for name, use := range h.uses() {
		f.wantUse(t, name, use.shown, use.want)
	}
	second := f.converse(t, f.conversing(h.session))
	f.wantUse(t, "a second conversation of the session", shown{Conversation: second.ID}, in(second, ofSession(h.session, h.login, false, h.p, h.granted)))
	f.wantUse(t, "the first conversation of the session", shown{Conversation: h.inSession.ID}, in(h.inSession, ofSession(h.session, h.login, false, h.p, h.granted)))
}

// useByAnyCaller passes callers who are another user or nobody.
func useByAnyCaller(t *testing.T, f *fixture) {
	h := f.talk(t)
	for name, use := range h.uses() {
		if use.shown.User != "" {
			continue
		}
		for beside, user := range map[string]domain.UserID{
			"a member": h.member.ID, "an admin": h.admin.ID, "a host's user": h.host.User, "nobody known here": userID(404),
		} {
			for _, admin := range []bool{false, true} {
				c := shown{Conversation: use.shown.Conversation, User: user, Admin: admin}
				f.wantUse(t, name+" with "+beside, c, use.want)
				c.Conversation = conversationID(404)
				f.wantNoUse(t, "no conversation with "+beside, c)
			}
		}
	}
}

// useByConversationNow changes all that the conversations stand on.
func useByConversationNow(t *testing.T, f *fixture) {
	h := f.talk(t)
	same := func(what string) {
		t.Helper()
		for name, use := range h.uses() {
			f.wantUse(t, name+" "+what, use.shown, use.want)
		}
	}
	h.granted = domain.ScopesOf(domain.ScopeExport)
	f.grantScopes(t, h.member.ID, h.p.ID, h.granted)
	h.hostGranted = domain.AllScopes()
	f.grantScopes(t, h.host.User, h.p.ID, h.hostGranted)
	same("after Put of other scopes")
	for _, c := range []*domain.Conversation{&h.inSession, &h.byRole, &h.byToken, &h.ofHost} {
		to := sessionKey(f.next())
		f.renewed(t, "from what is there", *c, c.Key, to)
		c.Key = to
		same("after Renew")
	}
	for _, m := range marks[:2] {
		m.change(&h.p)
		wantNil(t, m.name, m.mark(t.Context(), f.Store, h.p, f.record(m.action, domain.OnProject(h.p.ID))))
		same("after " + m.name)
	}
	for _, s := range []*domain.Session{&h.session, &h.login, &h.host} {
		s.LastUsed, s.Idle = s.LastUsed.Add(time.Minute), s.Idle.Add(time.Minute)
		wantNil(t, "Touch", f.Ports.Sessions.Touch(t.Context(), s.ID, domain.SessionUse{At: s.LastUsed, Idle: s.Idle}))
		same("after Touch")
	}
	f.update(t, h.member.ID, func(u *domain.User) { u.Role = domain.RoleAdmin })
	f.wantUse(t, "of a member who is an admin now", shown{Conversation: h.inSession.ID}, in(h.inSession, ofSession(h.session, h.login, true, h.p, h.granted)))
	f.wantUse(t, "of the token of a member who is an admin now", shown{Conversation: h.byToken.ID}, in(h.byToken, ofToken(h.token, true, h.p, h.granted)))
	f.update(t, h.member.ID, func(u *domain.User) { u.Role = domain.RoleMember })
	same("after the member is gone")
}

// useByNoConversation has conversations that end before their session does.
func useByNoConversation(t *testing.T, f *fixture) {
	h := f.talk(t)
	for _, id := range []domain.ConversationID{conversationID(404), "' OR 1=1 --", domain.ConversationID(h.session.ID), domain.ConversationID(h.token.ID)} {
		f.wantNoUse(t, fmt.Sprintf("of the unknown conversation %q", id), shown{Conversation: id, User: h.host.User})
	}
	next := f.conversing(h.session)
	next.UserID = h.inSession.UserID
	f.converse(t, next)
	f.wantNoUse(t, "in whose place another came", shown{Conversation: h.inSession.ID})
	f.wantUse(t, "in place of another", shown{Conversation: next.ID}, in(next, ofSession(h.session, h.login, false, h.p, h.granted)))

	brief := f.token(h.member.ID, h.p.ID, domain.DefaultScopes())
	brief.Expires = brief.Created.Add(time.Minute)
	f.issue(t, brief)
	short := []domain.Conversation{f.conversing(h.session), f.conversation(domain.Session{}, brief), f.conversing(h.host)}
	for i := range short {
		short[i].Expires = short[i].Created.Add(time.Minute)
		f.converse(t, short[i])
	}
	end := short[0].Expires
	f.clock.set(end.Add(-1))
	for _, c := range short {
		_, err := useOf(t.Context(), f.Ports.Access, shown{Conversation: c.ID, User: h.host.User})
		wantNil(t, "the look-up of a conversation, a nanosecond before its end", err)
	}
	for _, after := range []time.Duration{0, time.Nanosecond, time.Minute} {
		f.clock.set(end.Add(after))
		for _, c := range short {
			f.wantNoUse(t, fmt.Sprintf("of a conversation, %v after its end", after), shown{Conversation: c.ID, User: h.host.User})
		}
	}
	wantSame(t, "Sweep of what is over", f.sweep(t, 10), len(short))
	f.wantNoUse(t, "of a conversation that was swept", shown{Conversation: short[0].ID})
	f.wantUse(t, "of another conversation", shown{Conversation: next.ID}, in(next, ofSession(h.session, h.login, false, h.p, h.granted)))
}

// sessionLoss is one way in which the use of a session of somebody in that role loses what
// it stands on.
type sessionLoss struct {
	name string
	role domain.Role
	take func(u domain.User, login, s domain.Session)
}

// sessionLosses returns the changes that end the uses of a member's session with p.
func (f *fixture) sessionLosses(t *testing.T, p domain.Project) []sessionLoss {
	return []sessionLoss{
		{"whose session has ended", domain.RoleMember, func(_ domain.User, _, s domain.Session) { f.end(t, s.ID) }},
		{"whose login has ended", domain.RoleMember, func(_ domain.User, login, _ domain.Session) { f.end(t, login.ID) }},
		{"in place of whose session another came", domain.RoleMember, func(_ domain.User, login, _ domain.Session) { f.set(t, f.under(login, p.ID)) }},
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
			wantNil(t, "preparing: Sessions.Touch", f.Ports.Sessions.Touch(t.Context(), login.ID, domain.SessionUse{At: f.clock.now(), Idle: login.Expires}))
			f.clock.set(s.Idle)
		}},
		{"whose login is over", domain.RoleMember, func(_ domain.User, login, s domain.Session) {
			wantNil(t, "preparing: Sessions.Touch", f.Ports.Sessions.Touch(t.Context(), s.ID, domain.SessionUse{At: f.clock.now(), Idle: s.Expires}))
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
		f.wantUse(t, "of a conversation", shown{Conversation: c.ID}, in(c, ofSession(session, login, way.role == domain.RoleAdmin, p, granted)))
		way.take(u, login, session)
		f.wantNoUse(t, "of a conversation "+way.name, shown{Conversation: c.ID})
		f.wantNoUse(t, "of a conversation "+way.name+", with its user", shown{Conversation: c.ID, User: u.ID, Admin: true})
	}
}

// tokenLoss is one way in which a token's use loses what it stands on.
type tokenLoss struct {
	name string
	take func(u domain.User, token domain.AccessToken)
}

// tokenLosses returns the changes that end the uses of a member's token for p.
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
		f.wantUse(t, "of a conversation", shown{Conversation: c.ID}, in(c, ofToken(token, false, p, domain.DefaultScopes())))
		way.take(u, token)
		f.wantNoUse(t, "of a conversation "+way.name, shown{Conversation: c.ID})
		f.wantNoUse(t, "of a conversation "+way.name+", with its user", shown{Conversation: c.ID, User: u.ID, Admin: true})
	}

	// A token is no session: it outlives the grant, and is good for nothing without one.
	u := f.member(t, "ana", p.ID)
	token := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
	c := f.converse(t, f.conversation(domain.Session{}, token))
	f.revoke(t, u.ID, p.ID)
	f.wantUse(t, "of a conversation of a token whose user has lost the grant", shown{Conversation: c.ID}, in(c, ofToken(token, false, p, 0)))
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
		f.wantUse(t, "with the user", shown{Conversation: c.ID, User: user, Admin: admin}, in(c, ofSession(s, domain.Session{}, admin, p, domain.DefaultScopes())))
		f.wantUse(t, "with the admin", shown{Conversation: byRole.ID, User: boss, Admin: admin}, in(byRole, ofSession(ruled, domain.Session{}, admin, p, 0)))
		for what, wrong := range map[string]domain.UserID{"nobody": "", "somebody else": boss, "somebody of almost that name": other, "a wildcard": "%"} {
			f.wantNoUse(t, "with "+what, shown{Conversation: c.ID, User: wrong, Admin: admin})
		}
		f.wantNoUse(t, "with nobody, of an admin", shown{Conversation: byRole.ID, Admin: admin})
		f.wantNoUse(t, "with another, of an admin", shown{Conversation: byRole.ID, User: user, Admin: admin})
	}
	f.end(t, ruled.ID)
	f.wantNoUse(t, "with the admin whose session has ended", shown{Conversation: byRole.ID, User: boss, Admin: true})
	f.revoke(t, user, p.ID)
	f.wantNoUse(t, "with the user whose grant was taken back", shown{Conversation: c.ID, User: user})
	f.grant(t, user, p.ID)
	f.wantNoUse(t, "with the user whose grant was given again", shown{Conversation: c.ID, User: user})
	f.set(t, f.hosted(user, p.ID))
	f.wantNoUse(t, "with the user, who has another session", shown{Conversation: c.ID, User: user})

	last := f.set(t, f.hosted(user, p.ID))
	over := f.converse(t, f.conversing(last))
	f.clock.set(last.Idle)
	f.wantNoUse(t, "with the user whose session is over", shown{Conversation: over.ID, User: user})
}
