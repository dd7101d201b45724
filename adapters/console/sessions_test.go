package console_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/domain"
)

// shiftedClock is a clock that a test moves forward.
type shiftedClock struct{ by atomic.Int64 }

func (c *shiftedClock) now() time.Time      { return time.Now().Add(time.Duration(c.by.Load())) }
func (c *shiftedClock) add(d time.Duration) { c.by.Add(int64(d)) }

// of makes the clock that of a world that has not begun.
func (c *shiftedClock) of(w *world) {
	w.ports.Store, w.ports.Clock, w.clock = memory.New(c.now).Ports(), c.now, c.now
}

// sessionsOf returns the open sessions of a user.
func (w *world) sessionsOf(t testing.TB, user string) []domain.Session {
	t.Helper()
	page, err := w.service.GetSessions(t.Context(), w.operator(t), user, domain.Cursor{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return page.Items
}

func TestSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pizza := w.add(t, 0)
	w.grant(t, "member", pizza)
	w.member.get(t, "/console/sessions").want(t, http.StatusOK, "Login", "this one", "127.0.0.1", "Go-http-client").wantNo(t, "End all other sessions")
	other, third := w.browser(t), w.login(t, "member")
	other.header.Set("User-Agent", `<script>alert(1)</script>`)
	other.post(t, "/console/login", "username", "member", "password", password, "remember", "true").wantTo(t, "/console/")
	id := w.id(t, "member")
	login := func(agent string) domain.Session {
		for _, s := range w.sessionsOf(t, id) {
			if strings.HasPrefix(s.Agent, agent) && s.Kind == domain.LoginSession {
				return s
			}
		}
		t.Fatalf("there is no login of %s", agent)
		return domain.Session{}
	}
	s := login("<script>")
	call := domain.Call{Caller: domain.CallerByLogin(s, domain.RoleMember)}
	if _, err := w.service.SetProject(t.Context(), call, string(pizza.ID)); err != nil {
		t.Fatal(err)
	}
	w.member.get(t, "/console/sessions").want(t, http.StatusOK, "Login, remembered", "Assistant session with Pizza", "&lt;script&gt;", "End all other sessions").
		wantNo(t, "<script>alert", "of this login")
	other.get(t, "/console/sessions").want(t, http.StatusOK, "of this login")

	w.member.post(t, "/console/sessions/delete", "session_id", "x").want(t, http.StatusBadRequest, "Session_id is not the Id of a session.", "this one")
	admins := w.sessionsOf(t, w.id(t, "admin"))[0]
	w.member.post(t, "/console/sessions/delete", "session_id", string(admins.ID)).want(t, http.StatusNotFound, "There is no such session.")
	w.admin.get(t, "/console/").want(t, http.StatusOK)
	w.member.post(t, "/console/sessions/delete", "session_id", string(s.ID)).wantTo(t, "/console/sessions")
	w.member.get(t, "/console/sessions").want(t, http.StatusOK, "The session was ended.").wantNo(t, "Assistant session")
	other.get(t, "/console/").wantTo(t, "/console/login?return=%2Fconsole%2F")
	third.get(t, "/console/").want(t, http.StatusOK)

	fourth := w.login(t, "member")
	w.member.post(t, "/console/sessions/delete_others").wantTo(t, "/console/sessions")
	w.member.get(t, "/console/sessions").want(t, http.StatusOK, "All other sessions were ended.", "this one").wantNo(t, "End all other sessions")
	for _, b := range []*browser{third, fourth} {
		b.get(t, "/console/").wantTo(t, "/console/login?return=%2Fconsole%2F")
	}
	w.admin.get(t, "/console/").want(t, http.StatusOK)

	own := w.sessionsOf(t, id)[0]
	ended := w.member.post(t, "/console/sessions/delete", "session_id", string(own.ID))
	ended.wantTo(t, "/console/login")
	if got := ended.header.Get("Clear-Site-Data"); got != `"storage"` {
		t.Errorf("got Clear-Site-Data %q, want the storage", got)
	}
	w.member.get(t, "/console/login").want(t, http.StatusOK, "You have ended your session.")
}

func TestAnAdminEndsSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.id(t, "member")
	at := "/console/users/" + id
	first := w.sessionsOf(t, id)[0]
	second := w.login(t, "member")
	w.admin.get(t, at).want(t, http.StatusOK, "End all sessions of member", "127.0.0.1").wantNo(t, "this one")
	w.admin.post(t, at+"/sessions/delete", "session_id", string(first.ID)).wantTo(t, at)
	w.admin.get(t, at).want(t, http.StatusOK, "The session was ended.")
	w.admin.post(t, at+"/sessions/delete", "session_id", "x").want(t, http.StatusBadRequest, ">member</h1>")
	w.member.get(t, "/console/").wantTo(t, "/console/login?return=%2Fconsole%2F")
	w.admin.post(t, at+"/sessions/delete_all").wantTo(t, at)
	w.admin.get(t, at).want(t, http.StatusOK, "All sessions of member were ended.", "There are no open sessions.")
	second.get(t, "/console/").wantTo(t, "/console/login?return=%2Fconsole%2F")
}

func TestAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.member.get(t, "/console/account").want(t, http.StatusOK, "Your account", "<dd>member</dd>")
	other := w.login(t, "member")
	for _, tc := range []struct{ name, password, next, text string }{
		{"a wrong password", "canary wrong", "canary tulip", "The current password is wrong."},
		{"no password", "", "canary tulip", "Password is missing; it must be your current password."},
		{"a short new password", password, "canary", "shorter than 8"},
		{"a common new password", password, "12345678", "too easy to guess"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.member.post(t, "/console/account", "password", tc.password, "new_password", tc.next, "keep_access_tokens", "true").
				want(t, http.StatusBadRequest, tc.text, `value="true" checked`).wantNo(t, "canary", "12345678")
		})
	}
	other.get(t, "/console/").want(t, http.StatusOK)
	w.member.post(t, "/console/account", "password", password, "new_password", "canary tulip").wantTo(t, "/console/account")
	w.member.get(t, "/console/account").want(t, http.StatusOK, "Your other sessions and your access tokens were ended.").wantNo(t, "canary")
	other.get(t, "/console/").wantTo(t, "/console/login?return=%2Fconsole%2F")
	w.member.post(t, "/console/account", "password", "canary tulip", "new_password", password, "keep_access_tokens", "true").wantTo(t, "/console/account")
	w.member.get(t, "/console/account").want(t, http.StatusOK, "Your access tokens still work.")
}
