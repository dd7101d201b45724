package portstest

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// everything is the set of all projects.
var everything = domain.Operator().Sees()

// lives are the lifetimes of the suite's sessions.
var lives = domain.Lifetimes{Idle: time.Hour, Absolute: 10 * time.Hour, Remember: 100 * time.Hour}

// next returns a number that the subtest has not used yet. Lower ones are those that sentences give
// themselves, as in projectID(404).
func (f *fixture) next() int { return 1000 + int(f.number.Add(1)) }

func projectID(n int) domain.ProjectID {
	return domain.ProjectID(fmt.Sprintf("01890000-0000-7000-8000-%012x", n))
}

func userID(n int) domain.UserID {
	return domain.UserID(fmt.Sprintf("01890000-0000-7000-9000-%012x", n))
}

func sessionID(n int) domain.SessionID {
	return domain.SessionID(fmt.Sprintf("01890000-0000-7000-a000-%012x", n))
}

func tokenID(n int) domain.TokenID {
	return domain.TokenID(fmt.Sprintf("01890000-0000-7000-b000-%012x", n))
}

func conversationID(n int) domain.ConversationID {
	return domain.ConversationID(fmt.Sprintf("01890000-0000-7000-8001-%012x", n))
}

// voiceflowID returns an id whose first half is a time in 2024, as Voiceflow's are.
func voiceflowID(n int) domain.VoiceflowID {
	return domain.VoiceflowID(fmt.Sprintf("66c5%020x", n))
}

// record returns a new audit record.
func (f *fixture) record(action domain.Action, object string) domain.Record {
	return domain.Record{
		At: domain.Instant(f.clock.now()), Actor: domain.ActorOperator, Action: action, Object: object,
		Outcome: domain.OutcomeOK, RequestID: fmt.Sprintf("request-%06d", f.next()), Address: "192.0.2.7", Count: 1,
	}
}

// act returns an act of the operator, with a new audit record.
func (f *fixture) act(action domain.Action, object string) domain.Act {
	return byOperator(f.record(action, object))
}

// byOperator returns what the operator does.
func byOperator(rec domain.Record) domain.Act {
	return domain.Act{By: domain.Operator(), Needs: domain.NeedsAdmin(), Record: rec}
}

// actOf returns what a member whom a host program identified does, or with "" the operator.
func actOf(user domain.UserID, rec domain.Record) domain.Act {
	if user == "" {
		return byOperator(rec)
	}
	return domain.Act{By: domain.Caller{ID: user}, Needs: domain.NeedsCaller(), Record: rec}
}

// settingAct returns what the user of the assistant session does to open it: under its login, or
// as a user whom a host program identified.
func settingAct(s domain.Session, rec domain.Record) domain.Act {
	by := domain.Caller{ID: s.User, Admin: s.ByRole}
	if s.Login != "" {
		by.Login = domain.Session{ID: s.Login, Kind: domain.LoginSession, User: s.User}
	}
	return domain.Act{By: by, Needs: domain.NeedsUse(s.Project, 0), Record: rec}
}

// makingAct returns what the user of the token does to make it, as an admin whom a host program
// identified.
func makingAct(token domain.AccessToken, rec domain.Record) domain.Act {
	return domain.Act{By: domain.Caller{ID: token.User, Admin: true}, Needs: token.Needs(), Record: rec}
}

// project returns a new project, not stored.
func (f *fixture) project(name string) domain.Project {
	n := f.next()
	return domain.Project{
		ID: projectID(n), Name: name, Voiceflow: voiceflowID(n), Version: fmt.Sprintf("66c6%020x", n),
		Platform: "webchat", Created: domain.Instant(f.clock.now()), VoiceflowCreated: voiceflowID(n).Created(),
		Primary: domain.Key{
			Sealed: keyFor(projectID(n)), Status: domain.KeyOK, Set: domain.Instant(f.clock.now()), Checked: domain.Instant(f.clock.now()),
		},
		Secondary: domain.Key{Status: domain.KeyNone}, Personal: domain.Key{Status: domain.KeyNone}, Credits: domain.CreditsOK,
	}
}

// inEnvironments returns a new project with several environments and picture origins, not stored.
func (f *fixture) inEnvironments(name string) domain.Project {
	p := f.project(name)
	p.Environments = domain.Environments{
		Default: "main", Allowed: []string{"main", "development", p.Version}, AllowDraft: []string{"development"},
	}
	p.PictureOrigins = []domain.Origin{"https://cdn.example.com", "https://192.0.2.7:8443"}
	return p
}

// keyOf returns what the suite stores as the sealed primary key of p.
func keyOf(p domain.Project) domain.Sealed { return keyFor(p.ID) }

func keyFor(id domain.ProjectID) domain.Sealed {
	return domain.Sealed{Key: "1886453126", Bytes: []byte("\x00\x01\xff\xfe'\"\\\n sealed for " + id)}
}

// add stores p.
func (f *fixture) add(t *testing.T, p domain.Project) domain.Project {
	t.Helper()
	return f.wantAdded(t, "preparing: Projects.Add", p)
}

// wantAdded stores p, which must succeed.
func (f *fixture) wantAdded(t *testing.T, what string, p domain.Project) domain.Project {
	t.Helper()
	rec := f.record(domain.ActionAddProject, domain.OnProject(p.ID))
	wantNil(t, what, f.Ports.Projects.Add(t.Context(), byOperator(rec), p))
	f.log = append(f.log, rec)
	return p
}

// addNamed stores a new project.
func (f *fixture) addNamed(t *testing.T, name string) domain.Project {
	t.Helper()
	return f.add(t, f.project(name))
}

func (f *fixture) remove(t *testing.T, id domain.ProjectID) {
	t.Helper()
	rec := f.record(domain.ActionDeleteProject, domain.OnProject(id))
	wantNil(t, "preparing: Projects.Remove", f.Ports.Projects.Remove(t.Context(), byOperator(rec), id))
	f.log = append(f.log, rec)
}

// grant grants what was not granted, within the default scopes.
func (f *fixture) grant(t *testing.T, user domain.UserID, id domain.ProjectID) {
	t.Helper()
	f.grantScopes(t, user, id, 0)
}

// grantScopes grants, which must change something.
func (f *fixture) grantScopes(t *testing.T, user domain.UserID, id domain.ProjectID, scopes domain.Scopes) {
	t.Helper()
	rec := f.record(domain.ActionGrantProject, domain.OnGrant(user, id))
	wantNil(t, "preparing: Grants.Put", f.Ports.Grants.Put(t.Context(), byOperator(rec), user, id, scopes, f.clock.now()))
	f.log = append(f.log, rec)
}

// revoke takes back what was granted.
func (f *fixture) revoke(t *testing.T, user domain.UserID, id domain.ProjectID) {
	t.Helper()
	rec := f.record(domain.ActionRevokeProject, domain.OnGrant(user, id))
	wantNil(t, "preparing: Grants.Remove", f.Ports.Grants.Remove(t.Context(), byOperator(rec), user, id))
	f.log = append(f.log, rec)
}

// wantSeen fails the test unless in holds exactly these projects.
func (f *fixture) wantSeen(t *testing.T, what string, in domain.Visible, want ...domain.ProjectID) {
	t.Helper()
	got, err := f.Ports.Projects.Page(t.Context(), in, domain.ProjectFilter{}, domain.Cursor{}, 1000)
	wantNil(t, what+": Projects.Page", err)
	wantSame(t, what+": the projects in sight", ids(got), want)
}

// user returns a new user, not stored.
func (f *fixture) user(name domain.Username, role domain.Role, assistants ...domain.ProjectID) domain.User {
	hash := domain.NewSecret("$test$hash of " + string(name))
	return domain.NewUser(userID(f.next()), name, role, hash, assistants, f.clock.now())
}

// create stores u.
func (f *fixture) create(t *testing.T, u domain.User) domain.User {
	t.Helper()
	rec := f.record(domain.ActionCreateUser, domain.OnUser(u.ID))
	wantNil(t, "preparing: Users.Create", f.Ports.Users.Create(t.Context(), byOperator(rec), u))
	f.wrote(rec, domain.User{}, u)
	return u
}

// wrote notes the records of a change of a user.
func (f *fixture) wrote(rec domain.Record, was, is domain.User) {
	f.log = append(f.log, written(rec, was, is)...)
}

// written returns the records of a change of a user.
func written(rec domain.Record, was, is domain.User) []domain.Record {
	if made, ok := rec.MakesAdmin(was, is); ok {
		return []domain.Record{made, rec}
	}
	return []domain.Record{rec}
}

// member stores a member with the grants.
func (f *fixture) member(t *testing.T, name domain.Username, assistants ...domain.ProjectID) domain.User {
	t.Helper()
	return f.create(t, f.user(name, domain.RoleMember, assistants...))
}

// admin stores an admin.
func (f *fixture) admin(t *testing.T, name domain.Username) domain.User {
	t.Helper()
	return f.create(t, f.user(name, domain.RoleAdmin))
}

// update changes the user, keeps no session, and returns the user as stored.
func (f *fixture) update(t *testing.T, id domain.UserID, change func(u *domain.User)) domain.User {
	t.Helper()
	return f.updateKeeping(t, id, domain.Kept{}, change)
}

// updateKeeping is update with something to keep.
func (f *fixture) updateKeeping(t *testing.T, id domain.UserID, keep domain.Kept, change func(u *domain.User)) domain.User {
	t.Helper()
	rec := f.record(domain.ActionUpdateUser, domain.OnUser(id))
	var was domain.User
	stored, err := f.Ports.Users.Update(t.Context(), byOperator(rec), id, changing(func(u *domain.User) {
		was = *u
		change(u)
	}), keep)
	wantNil(t, "preparing: Users.Update", err)
	f.wrote(rec, was, stored)
	return stored
}

// changing returns a change for Update that can't fail.
func changing(change func(u *domain.User)) func(*domain.User, bool) error {
	return func(u *domain.User, _ bool) error {
		change(u)
		return nil
	}
}

// agree is an allow for Remove that always agrees.
func agree(*domain.User, bool) error { return nil }

// newLogin returns a new login, not stored.
func (f *fixture) newLogin(user domain.UserID) domain.Session {
	return domain.NewLogin(sessionID(f.next()), user, false, f.clock.now(), lives, "192.0.2.7", "Mozilla/5.0 (suite)")
}

// login stores a login of u.
func (f *fixture) login(t *testing.T, u domain.User) domain.Session {
	t.Helper()
	s := f.newLogin(u.ID)
	rec := f.record(domain.ActionLogin, domain.OnSession(s.ID))
	wantNil(t, "preparing: Sessions.OpenLogin", f.Ports.Sessions.OpenLogin(t.Context(), s, u.PasswordHash, rec))
	f.log = append(f.log, rec)
	return s
}

// under returns a new assistant session of the login that the grant allows, not stored.
func (f *fixture) under(login domain.Session, id domain.ProjectID) domain.Session {
	return f.assistant(domain.Caller{ID: login.User, Login: login}, id)
}

// byRole returns a new assistant session of the login that the role of an admin allows, not
// stored.
func (f *fixture) byRole(login domain.Session, id domain.ProjectID) domain.Session {
	return f.assistant(domain.Caller{ID: login.User, Admin: true, Login: login}, id)
}

// hosted returns a new assistant session without a login that the grant allows, not stored.
func (f *fixture) hosted(user domain.UserID, id domain.ProjectID) domain.Session {
	return f.assistant(domain.Caller{ID: user}, id)
}

// hostedByRole returns a new assistant session without a login, not stored. The role that the
// host gives the user allows it.
func (f *fixture) hostedByRole(user domain.UserID, id domain.ProjectID) domain.Session {
	return f.assistant(domain.Caller{ID: user, Admin: true}, id)
}

func (f *fixture) assistant(c domain.Caller, id domain.ProjectID) domain.Session {
	return domain.NewAssistantSession(sessionID(f.next()), c, id, f.clock.now(), lives, "192.0.2.7", "Mozilla/5.0 (suite)")
}

// set stores an assistant session.
func (f *fixture) set(t *testing.T, s domain.Session) domain.Session {
	t.Helper()
	rec := f.record(domain.ActionSetProject, domain.OnProject(s.Project))
	_, err := f.Ports.Sessions.OpenAssistant(t.Context(), settingAct(s, rec), s)
	wantNil(t, "preparing: Sessions.OpenAssistant", err)
	f.log = append(f.log, rec)
	return s
}

// end ends a session that is not over.
func (f *fixture) end(t *testing.T, id domain.SessionID) {
	t.Helper()
	rec := f.record(domain.ActionLogout, domain.OnSession(id))
	wantNil(t, "preparing: Sessions.End", endSessions(t.Context(), f.Ports.Sessions, byOperator(rec), domain.OneSession(id)))
	f.log = append(f.log, rec)
}

// wantLive fails the test unless each session is found as it is given.
func (f *fixture) wantLive(t *testing.T, what string, all ...domain.Session) {
	t.Helper()
	for _, s := range all {
		got, err := findSession(t.Context(), f.Ports.Sessions, s)
		wantNil(t, what+": Sessions.Find of a session that goes on", err)
		wantSame(t, what+": Sessions.Find of a session that goes on", got, s)
	}
}

// wantOver fails the test unless each session is NotFound.
func (f *fixture) wantOver(t *testing.T, what string, all ...domain.Session) {
	t.Helper()
	for _, s := range all {
		_, err := findSession(t.Context(), f.Ports.Sessions, s)
		wantKind(t, what+": Sessions.Find of a session that is over", err, domain.NotFound)
	}
}

// removeUser removes a user.
func (f *fixture) removeUser(t *testing.T, id domain.UserID) {
	t.Helper()
	rec := f.record(domain.ActionDeleteUser, domain.OnUser(id))
	wantNil(t, "preparing: Users.Remove", f.Ports.Users.Remove(t.Context(), byOperator(rec), id, agree))
	f.log = append(f.log, rec)
}

// token returns a new access token that lasts for a day, not stored.
func (f *fixture) token(user domain.UserID, id domain.ProjectID, scopes domain.Scopes) domain.AccessToken {
	n, now := f.next(), domain.Instant(f.clock.now())
	return domain.AccessToken{
		ID: tokenID(n), Name: fmt.Sprintf("token %d", n), Prefix: fmt.Sprintf("flk_%06d", n), User: user, Project: id, Scopes: scopes,
		Created: now, Expires: now.Add(24 * time.Hour),
	}
}

// tokenHash returns the hash under which the suite stores t.
func tokenHash(t domain.AccessToken) domain.TokenHash { return sha256.Sum256([]byte(t.ID)) }

// issue stores an access token.
func (f *fixture) issue(t *testing.T, token domain.AccessToken) domain.AccessToken {
	t.Helper()
	rec := f.record(domain.ActionCreateAccessToken, domain.OnToken(token.ID))
	wantNil(t, "preparing: Tokens.Create", f.Ports.Tokens.Create(t.Context(), makingAct(token, rec), token, tokenHash(token)))
	f.log = append(f.log, rec)
	return token
}

// withdraw removes an access token.
func (f *fixture) withdraw(t *testing.T, id domain.TokenID) {
	t.Helper()
	rec := f.record(domain.ActionDeleteAccessToken, domain.OnToken(id))
	wantNil(t, "preparing: Tokens.Remove", f.Ports.Tokens.Remove(t.Context(), byOperator(rec), id))
	f.log = append(f.log, rec)
}

// conversation returns a new conversation of the session or the token, not stored.
func (f *fixture) conversation(s domain.Session, token domain.AccessToken) domain.Conversation {
	a := domain.Access{Session: s, Token: token, Project: domain.Project{ID: s.Project}}
	if token.ID != "" {
		a.Project.ID = token.Project
	}
	n := f.next()
	c := domain.NewConversation(conversationID(n), a, f.clock.now())
	c.UserID, c.Key = fmt.Sprintf("Pseudonym_%d", n), sessionKey(n)
	return c
}

// sessionKey returns a new sealed session key.
func sessionKey(n int) domain.Sealed {
	return domain.Sealed{Key: "1886453126", Bytes: []byte(fmt.Sprintf("\x00\x01\xff\xfe'\"\\\n sealed session key %d", n))}
}

// converse stores a conversation.
func (f *fixture) converse(t *testing.T, c domain.Conversation) domain.Conversation {
	t.Helper()
	wantNil(t, "preparing: Conversations.Open", f.Ports.Conversations.Open(t.Context(), c))
	return c
}
