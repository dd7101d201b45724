package ginhttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
	"github.com/flowlatch/flowlatch/ports"
)

var errDown = &domain.Error{Kind: domain.Unavailable, Cause: errors.New("connection refused")}

// down is a store of projects that can't be reached.
type down struct{ ports.ProjectRepository }

func (down) Add(context.Context, domain.Act, domain.Project) error { return errDown }

func (down) Page(context.Context, domain.Visible, domain.ProjectFilter, domain.Cursor, int) ([]domain.Project, error) {
	return nil, errDown
}

// grantsDown is a store of grants that can't be reached.
type grantsDown struct{ ports.Grants }

func (grantsDown) Page(context.Context, domain.GrantFilter, domain.Cursor, int) ([]domain.Grant, error) {
	return nil, errDown
}

func (grantsDown) Put(context.Context, domain.Act, domain.UserID, domain.ProjectID, domain.Scopes, time.Time) error {
	return errDown
}

func (grantsDown) Remove(context.Context, domain.Act, domain.UserID, domain.ProjectID) error {
	return errDown
}

// accessDown can't say who calls and what they may use.
type accessDown struct{ ports.Access }

func (accessDown) ByLogin(context.Context, domain.SessionID, domain.Use) (domain.Access, error) {
	return domain.Access{}, errDown
}

func (accessDown) ByToken(context.Context, domain.TokenHash) (domain.Access, error) {
	return domain.Access{}, errDown
}

// usersDown is a store of users that can't be reached.
type usersDown struct{ ports.UserRepository }

func (usersDown) Find(context.Context, domain.UserRef) (domain.User, error) {
	return domain.User{}, errDown
}

// sessionsStay is a store of sessions that can't end them.
type sessionsStay struct{ ports.SessionStore }

func (sessionsStay) End(context.Context, domain.Act, domain.SessionsToEnd) (domain.SessionsEnded, error) {
	return domain.SessionsEnded{}, errDown
}

func TestAnOutageIsNoLogout(t *testing.T) {
	w := newWorld(t, func(w *world) { w.ports.Store.Projects = down{w.ports.Store.Projects} })
	got := w.member.do(t, "GET", "/get_projects", "").want(t, 400, "unavailable")
	if got.header.Get("Retry-After") != "1" {
		t.Errorf("got Retry-After %q, want 1", got.header.Get("Retry-After"))
	}
}

func TestAnOutageOfTheLookUpOfWhoCallsIsNoLogout(t *testing.T) {
	w := newWorld(t)
	out := newWorld(t, bare, func(o *world) {
		o.ports = w.ports
		o.ports.Store.Access = accessDown{w.ports.Store.Access}
	})
	b := &browser{w: out, cookies: w.member.cookies}
	b.do(t, "GET", "/get_projects", "").want(t, 400, "unavailable")
	b.do(t, "GET", "/check_session", "").want(t, 503, "unavailable")
	token := w.token(t, w.admin, `{"name":"x","scopes":["manage"]}`)
	(&browser{w: out, authorization: token.authorization}).do(t, "GET", "/get_all_users", "").want(t, 503, "unavailable")
}

func TestAnOutageOfTheLookUpOfWhatMayBeUsedIsNoLogout(t *testing.T) {
	w, p := talking(t)
	out := newWorld(t, bare, func(o *world) {
		o.ports = w.ports
		o.ports.Store.Access = accessDown{w.ports.Store.Access}
	})
	(&browser{w: out, cookies: w.member.cookies}).do(t, "POST", turn, `{}`).want(t, 503, "unavailable")
	token := w.token(t, w.member, `{"name":"x","project_id":"`+string(p.ID)+`"}`)
	(&browser{w: out, authorization: token.authorization}).do(t, "POST", turn, `{}`).want(t, 503, "unavailable")
}

// What could not be ended keeps its cookie, so that it can be tried again.
func TestAnOutageEndsNoSession(t *testing.T) {
	w := newWorld(t, func(w *world) { w.ports.Store.Sessions = sessionsStay{w.ports.Store.Sessions} })
	p := w.addProject(t, "Support bot")
	w.admin.do(t, "POST", "/set_project", `{"project_id":"`+string(p.ID)+`"}`).want(t, 200, "")
	for path, body := range map[string]string{
		"/logout": "", "/clear_project": "", "/delete_user_sessions": `{"user_id":"` + w.userID(t, "admin") + `"}`,
		"/delete_session": `{"session_id":"01890000-0000-7000-8000-000000000001"}`,
	} {
		if got := w.admin.do(t, "POST", path, body).want(t, 503, "unavailable"); len(got.set) != 0 {
			t.Errorf("%s: a cookie came with the failure", path)
		}
	}
	if w.admin.do(t, "GET", "/check_session", "").want(t, 200, "").assistant(t)["Id"] != string(p.ID) {
		t.Error("the assistant is no longer set")
	}
}

func TestOutagesOfOtherStores(t *testing.T) {
	w := newWorld(t)
	p := w.addProject(t, "Support bot")
	id := w.userID(t, "member")
	out := newWorld(t, bare, func(o *world) {
		o.ports = w.ports
		o.ports.Store.Users, o.ports.Store.Grants = usersDown{w.ports.Store.Users}, grantsDown{w.ports.Store.Grants}
	})
	b := &browser{w: out, cookies: w.admin.cookies}
	b.do(t, "GET", "/check_session", "").want(t, 503, "unavailable")
	b.do(t, "POST", "/grant_project", `{"user_id":"`+id+`","project_id":"`+string(p.ID)+`"}`).want(t, 503, "unavailable")
	b.do(t, "POST", "/revoke_project", `{"user_id":"`+id+`","project_id":"`+string(p.ID)+`"}`).want(t, 503, "unavailable")
	b.do(t, "POST", "/change_password", `{"password":"`+password+`","new_password":"another canary"}`).want(t, 503, "unavailable")
}

// rulesDown is a store of rules that can't be reached.
type rulesDown struct{ ports.GroupRules }

func (rulesDown) List(context.Context) ([]domain.GroupRule, error) { return nil, errDown }

func (rulesDown) Remove(context.Context, domain.Act, domain.RuleID, domain.SignOnPolicy) (domain.GroupRule, error) {
	return domain.GroupRule{}, errDown
}

// signOnsDown is a store of logins by the provider that can't be reached.
type signOnsDown struct{ ports.SignOns }

func (signOnsDown) Find(context.Context, domain.SessionID) (domain.ProviderSession, error) {
	return domain.ProviderSession{}, errDown
}

func (signOnsDown) Claim(context.Context, domain.SessionID, time.Time, time.Time) (bool, error) {
	return false, errDown
}

func (signOnsDown) Logout(context.Context, domain.ProviderLogout, domain.Record) (int, error) {
	return 0, errDown
}

func TestOutagesOfWhatKeepsLoginsByTheProvider(t *testing.T) {
	w := newWorld(t, signsOn)
	cleo := w.signOn(t, testworld.Person("cleo"))
	out := newWorld(t, bare, func(o *world) {
		o.ports, o.app, o.provider, o.clock = w.ports, w.app, w.provider, w.clock
		o.ports.Store.GroupRules, o.ports.Store.SignOns = rulesDown{w.ports.Store.GroupRules}, signOnsDown{w.ports.Store.SignOns}
	})
	b := &browser{w: out, cookies: w.admin.cookies}
	b.do(t, "GET", "/get_group_rules", "").want(t, 503, "unavailable")
	b.do(t, "POST", "/set_group_rule", `{"group":"g","role":"admin"}`).want(t, 503, "unavailable")
	b.do(t, "POST", "/delete_group_rule", `{"rule_id":"0190c5a4-0000-7000-8000-000000000000"}`).want(t, 503, "unavailable")
	token := w.provider.LogoutToken(testworld.Person("cleo").Identity, "")
	out.nobody.sendForm(t, "/oidc/backchannel-logout", url.Values{"logout_token": {token.Reveal()}}).want(t, 503, "unavailable")

	// Cleo is due to be looked up at the provider again, which can't be noted.
	w.clock.move(20 * time.Minute)
	if got := (&browser{w: out, cookies: cleo.cookies}).do(t, "GET", "/check_session", ""); got.status == 401 {
		t.Errorf("an outage is told as a logout: %s", got.raw)
	}
	cleo.do(t, "GET", "/check_session", "").want(t, 200, "")
}

// While the provider is silent, whoever is logged in stays so.
func TestASilentProviderIsNoLogout(t *testing.T) {
	w := newWorld(t, signsOn)
	cleo := w.signOn(t, testworld.Person("cleo"))
	w.provider.Break()
	w.clock.move(20 * time.Minute)
	cleo.do(t, "GET", "/check_session", "").want(t, 200, "")
	w.provider.Mend()
	w.provider.RefuseRefresh("cleo")
	w.clock.move(20 * time.Minute)
	cleo.do(t, "GET", "/check_session", "").want(t, 401, "not_authenticated")
}

func TestAClientThatLeavesIsNoOutage(t *testing.T) {
	w := newWorld(t)
	ctx, leave := context.WithCancel(t.Context())
	leave()
	_, lines := w.logged(t, w.member.request(t, "GET", "/get_projects", "").WithContext(ctx))
	if len(lines) != 1 || lines[0]["level"] != "INFO" || lines[0]["code"] != "unavailable" {
		t.Errorf("got %v, want one line of level INFO", lines)
	}
}

func TestABodyThatBreaksOffIsTheClientsFault(t *testing.T) {
	w := newWorld(t)
	r := w.member.request(t, "POST", "/set_project", "")
	r.Header.Set("Content-Type", "application/json")
	r.Body, r.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader(`{"project_id":"`), broken{})), -1
	out, _ := w.logged(t, r)
	if out.Code != 400 || !strings.Contains(out.Body.String(), `"code":"invalid_request"`) {
		t.Errorf("got %d %s", out.Code, out.Body)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// lateSurprise panics on the second page.
type lateSurprise struct{ *endless }

func (l lateSurprise) Page(ctx context.Context, in domain.Visible, filter domain.ProjectFilter, after domain.Cursor, limit int) ([]domain.Project, error) {
	if after != (domain.Cursor{}) {
		panic("page two")
	}
	return l.endless.Page(ctx, in, filter, after, limit)
}

func TestAPanicAfterTheAnswerHasBegunCutsIt(t *testing.T) {
	w := newWorld(t, func(w *world) {
		w.ports.Store.Projects = lateSurprise{&endless{ProjectRepository: w.ports.Store.Projects, n: 1000}}
	})
	wantCut(t, w.admin, w.server.URL)

	defer func() {
		if v := recover(); v != http.ErrAbortHandler { //nolint:errorlint // net/http compares a panic in this way too
			t.Errorf("got the panic %v, want http.ErrAbortHandler", v)
		}
		if log := w.log.String(); !strings.Contains(log, `"cut":true`) || !strings.Contains(log, "page two") {
			t.Errorf("got the log %s", log)
		}
	}()
	w.engine.ServeHTTP(httptest.NewRecorder(), w.admin.request(t, "GET", "/get_projects", ""))
}
