package app_test

import (
	"slices"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
)

// sessions are the ids of the sessions in sight, read in pages of that size.
func sessions(t *testing.T, s *app.Service, call domain.Call, user string, limit int) []domain.SessionID {
	t.Helper()
	var ids []domain.SessionID
	for after := (domain.Cursor{}); ; {
		page, err := s.GetSessions(t.Context(), call, user, after, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, session := range page.Items {
			ids = append(ids, session.ID)
		}
		if page.Next == nil {
			return ids
		}
		after = *page.Next
	}
}

// idOf is the session of a cookie.
func (w *world) idOf(t *testing.T, kind domain.SessionKind, cookie string) domain.SessionID {
	t.Helper()
	claims, _ := w.opened(t, kind, cookie)
	return claims.Session
}

func TestWhoseSessionsAreInSight(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	ben := w.user(t, w.admin, "ben", "member", string(p.ID))
	eve := w.user(t, w.admin, "eve", "member")
	call, login := w.login(t, "ben", false)
	w.after(time.Second)
	set := w.set(t, call, p)
	w.after(time.Second)
	_, second := w.login(t, "ben", true)
	other, _ := w.login(t, "eve", false)
	want := []domain.SessionID{w.idOf(t, domain.LoginSession, login), w.idOf(t, domain.AssistantSession, set), w.idOf(t, domain.LoginSession, second)}

	for _, limit := range []int{1, 2, 3, 4, paging.Max} {
		for what, got := range map[string][]domain.SessionID{
			"one's own":               sessions(t, w.Service, call, "", limit),
			"one's own by their name": sessions(t, w.Service, call, string(ben), limit),
			"an admin's view":         sessions(t, w.Service, w.admin, string(ben), limit),
		} {
			if !slices.Equal(got, want) {
				t.Errorf("%s in pages of %d: got %v, want %v", what, limit, got, want)
			}
		}
	}
	if got := sessions(t, w.Service, other, string(eve), 10); len(got) != 1 {
		t.Errorf("another sees %v of their own, want one", got)
	}
	_, err := w.GetSessions(t.Context(), w.admin, "nobody", domain.Cursor{}, 10)
	wantKind(t, err, domain.NotFound)
	for _, user := range []domain.UserID{ben, w.admin.Caller.ID, "nobody"} {
		_, err := w.GetSessions(t.Context(), other, string(user), domain.Cursor{}, 10)
		wantKind(t, err, domain.NotAllowed)
	}
	for _, limit := range []int{0, -1, paging.Max + 1} {
		_, err := w.GetSessions(t.Context(), call, "", domain.Cursor{}, limit)
		wantKind(t, err, domain.Invalid)
	}
	_, err = w.GetSessions(t.Context(), w.admin, "a\x00b", domain.Cursor{}, 10)
	wantKind(t, err, domain.Invalid)
}

func TestWhoMayEndASession(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	w.user(t, w.admin, "ben", "member", string(p.ID))
	w.user(t, w.admin, "eve", "member")
	call, login := w.login(t, "ben", false)
	set := w.set(t, call, p)
	_, second := w.login(t, "ben", false)
	eve, _ := w.login(t, "eve", false)
	before := len(w.store.Records())

	first := string(w.idOf(t, domain.LoginSession, login))
	for what, try := range map[string]struct {
		by   domain.Call
		id   string
		want domain.Kind
	}{
		"another member's":       {eve, first, domain.NotFound},
		"another's assistant":    {eve, string(w.idOf(t, domain.AssistantSession, set)), domain.NotFound},
		"an admin's by a member": {eve, string(w.admin.Caller.Login.ID), domain.NotFound},
		"one that never was":     {w.admin, "01890000-0000-7000-8000-000000000404", domain.NotFound},
		"what can be none":       {w.admin, "x", domain.Invalid},
		"nothing":                {call, "", domain.Invalid},
	} {
		err := w.DeleteSession(t.Context(), try.by, try.id)
		if domain.KindOf(err) != try.want {
			t.Errorf("%s: got error %v, want kind %q", what, err, try.want)
		}
	}
	wantActions(t, w.actions(before))
	w.call(t, login)

	wantKind(t, w.DeleteSession(t.Context(), call, " "+string(w.idOf(t, domain.LoginSession, second))+" "), "")
	_, err := w.Identify(t.Context(), second)
	wantKind(t, err, domain.NotAuthenticated)
	if got := w.isSet(t, call, set); got != p.ID {
		t.Errorf("another login's end took the assistant: %q is set", got)
	}
	wantKind(t, w.DeleteSession(t.Context(), w.admin, first), "")
	_, err = w.Identify(t.Context(), login)
	wantKind(t, err, domain.NotAuthenticated)
	if got := w.isSet(t, call, set); got != "" {
		t.Errorf("%q is set under a login that has ended", got)
	}
	wantKind(t, w.DeleteSession(t.Context(), w.admin, first), domain.NotFound)
	wantActions(t, w.actions(before), "user delete_session", "user delete_session")
	if r := w.store.Records()[before+1]; r.Object != "session:"+first || r.Actor != domain.ActorUser(w.admin.Caller.ID) {
		t.Errorf("the audit says %+v", r)
	}
}

func TestEndingAllSessionsOfAUser(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	ben := w.user(t, w.admin, "ben", "member", string(p.ID))
	call, login := w.login(t, "ben", false)
	set := w.set(t, call, p)
	_, second := w.login(t, "ben", true)
	w.user(t, w.admin, "eve", "member")
	eve, evesCookie := w.login(t, "eve", false)
	program := w.token(t, call, app.CreateAccessToken{Project: string(p.ID)})
	before := len(w.store.Records())

	wantKind(t, w.DeleteUserSessions(t.Context(), eve, string(ben)), domain.NotAllowed)
	wantKind(t, w.DeleteUserSessions(t.Context(), call, ""), domain.Invalid)
	wantKind(t, w.DeleteUserSessions(t.Context(), w.admin, "a\x00b"), domain.Invalid)
	wantKind(t, w.DeleteUserSessions(t.Context(), w.admin, "nobody"), domain.NotFound)
	wantActions(t, w.actions(before))

	for _, by := range []domain.Call{call, w.admin} {
		wantKind(t, w.DeleteUserSessions(t.Context(), by, string(ben)), "")
		for _, cookie := range []string{login, second} {
			_, err := w.Identify(t.Context(), cookie)
			wantKind(t, err, domain.NotAuthenticated)
		}
		if got := w.isSet(t, call, set); got != "" {
			t.Errorf("%q is set after all sessions have ended", got)
		}
		call, login = w.login(t, "ben", false)
		set = w.set(t, call, p)
	}
	w.call(t, evesCookie)
	w.voiceflow.Answer(testworld.Fine)
	if _, err := w.use(t, turn("x", program), "POST", "{}"); err != nil {
		t.Errorf("an access token went with the sessions: %v", err)
	}
	all := w.actions(before)
	all = slices.DeleteFunc(all, func(action string) bool { return action == "user login" || action == "user set_project" })
	wantActions(t, all, "user delete_user_sessions", "user delete_user_sessions")
}

// A token that manages has no sessions of its own, and no rights when its maker has none.
func TestSessionsByAnAccessToken(t *testing.T) {
	w := newWorld(t)
	w.user(t, w.admin, "bea", "admin")
	call, login := w.login(t, "bea", false)
	made := w.token(t, call, app.CreateAccessToken{Scopes: []string{"manage"}})
	by := func() domain.Call {
		t.Helper()
		caller, err := w.IdentifyToken(t.Context(), made.Token)
		if err != nil {
			t.Fatal(err)
		}
		return domain.Call{Caller: caller}
	}
	bea := string(call.Caller.ID)
	id := string(w.idOf(t, domain.LoginSession, login))
	if got := sessions(t, w.Service, by(), bea, 10); len(got) != 1 || string(got[0]) != id {
		t.Errorf("a token that manages sees %v, want the login of its maker", got)
	}
	member := "member"
	if _, err := w.UpdateUser(t.Context(), w.admin, app.UpdateUser{ID: bea, Role: &member}); err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"", bea, string(w.admin.Caller.ID)} {
		_, err := w.GetSessions(t.Context(), by(), user, domain.Cursor{}, 10)
		wantKind(t, err, domain.NotAllowed)
		if user != "" {
			wantKind(t, w.DeleteUserSessions(t.Context(), by(), user), domain.NotAllowed)
		}
	}
	wantKind(t, w.DeleteSession(t.Context(), by(), id), domain.NotAllowed)
	w.call(t, login)
}

func TestSessionsUnderAHostsLogin(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	s := hosted(t, w)
	call := func(id domain.UserID, admin bool) domain.Call {
		return domain.Call{Caller: domain.Caller{ID: id, Admin: admin}}
	}
	admin, member, other := call("host|admin", true), call("host|member", false), call("host|other", false)
	wantKind(t, s.GrantProject(t.Context(), admin, "host|member", string(p.ID), nil), "")
	var cookies []string
	for range 3 {
		set, err := s.SetProject(t.Context(), member, string(p.ID))
		if err != nil {
			t.Fatal(err)
		}
		cookies = append(cookies, set.Cookie.Text)
		w.after(time.Second)
	}
	first := w.idOf(t, domain.AssistantSession, cookies[0])
	if got := sessions(t, s, member, "", 2); len(got) != 3 || got[0] != first {
		t.Errorf("got the sessions %v, want the three that were set", got)
	}
	if got := sessions(t, s, admin, "host|member", 2); len(got) != 3 {
		t.Errorf("an admin sees the sessions %v, want three", got)
	}
	wantKind(t, s.DeleteSession(t.Context(), other, string(first)), domain.NotFound)
	wantKind(t, s.DeleteSession(t.Context(), member, string(first)), "")
	_, err := s.Assistant(t.Context(), member.Caller, cookies[0])
	wantKind(t, err, domain.NotAuthenticated)
	wantKind(t, s.DeleteUserSessions(t.Context(), other, "host|member"), domain.NotAllowed)
	wantKind(t, s.DeleteUserSessions(t.Context(), admin, "host|member"), "")
	if got := sessions(t, s, member, "", 2); len(got) != 0 {
		t.Errorf("the sessions %v are left", got)
	}
}

func TestEndingOnesOtherSessions(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	w.user(t, w.admin, "ben", "member", string(p.ID))
	w.user(t, w.admin, "eve", "member")
	call, login := w.login(t, "ben", false)
	set := w.set(t, call, p)
	other, _ := w.login(t, "ben", true)
	w.set(t, other, p)
	w.login(t, "ben", false)
	stranger, _ := w.login(t, "eve", false)
	before := len(w.actions(0))
	wantKind(t, w.DeleteOtherSessions(t.Context(), call), "")
	want := []domain.SessionID{w.idOf(t, domain.LoginSession, login), w.idOf(t, domain.AssistantSession, set)}
	slices.Sort(want)
	got := sessions(t, w.Service, call, "", paging.Max)
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("got the sessions %v, want the login in use and its assistant session %v", got, want)
	}
	wantActions(t, w.actions(before), "user delete_session", "user delete_session")
	if got := sessions(t, w.Service, stranger, "", 2); len(got) != 1 {
		t.Errorf("the stranger has the sessions %v, want one", got)
	}
	wantKind(t, w.DeleteOtherSessions(t.Context(), call), "")
	wantKind(t, w.DeleteOtherSessions(t.Context(), other), domain.NotAuthenticated)
	wantKind(t, w.DeleteOtherSessions(t.Context(), domain.Call{Caller: domain.Caller{ID: call.Caller.ID, Token: "t"}}), domain.NotAllowed)

	s := hosted(t, w)
	host := domain.Call{Caller: domain.Caller{ID: "host|admin", Admin: true}}
	if _, err := s.SetProject(t.Context(), host, string(p.ID)); err != nil {
		t.Fatal(err)
	}
	wantKind(t, s.DeleteOtherSessions(t.Context(), host), "")
	if got := sessions(t, s, host, "", 2); len(got) != 0 {
		t.Errorf("the sessions %v of a user of a host are left, want none", got)
	}
}

// Whoever has the keyset can make cookies. Only the stored session lets somebody in.
func TestACookieCountsForItsStoredSessionOnly(t *testing.T) {
	w := newWorld(t)
	call, cookie := w.login(t, "ada", false)
	other := w.user(t, w.admin, "other", "admin")
	real, _ := w.opened(t, domain.LoginSession, cookie)
	for what, change := range map[string]func(*domain.Claims){
		"a session that is not stored": func(c *domain.Claims) { c.Session = "01900000-0000-7000-8000-000000000000" },
		"another user":                 func(c *domain.Claims) { c.User = other },
		"a later end":                  func(c *domain.Claims) { c.Expires = c.Expires.Add(time.Hour) },
	} {
		claims := real
		change(&claims)
		if in, err := w.Identify(t.Context(), w.cookieOf(t, claims)); domain.KindOf(err) != domain.NotAuthenticated {
			t.Errorf("a cookie of %s: got %v and error %v, want kind %q", what, in.Caller, err, domain.NotAuthenticated)
		}
	}
	if in, err := w.Identify(t.Context(), w.cookieOf(t, real)); err != nil || in.Caller.ID != call.Caller.ID {
		t.Errorf("a cookie of the stored session: got %v and error %v, want %s", in.Caller, err, call.Caller.ID)
	}
}
