package ginhttp_test

import (
	"sync"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/ginhttp"
	"github.com/flowlatch/flowlatch/domain"
)

// userRates let each user do so much.
type userRates struct {
	mu               sync.Mutex
	changes, logins  int
	changed, entered map[domain.UserID]int
}

func newUserRates(changes, logins int) *userRates {
	return &userRates{changes: changes, logins: logins, changed: map[domain.UserID]int{}, entered: map[domain.UserID]int{}}
}

func (r *userRates) take(of map[domain.UserID]int, user domain.UserID, limit, n int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if of[user] >= limit {
		return &domain.Error{Kind: domain.TooManyRequests, Public: "too often; try again later", RetryAfter: 7 * time.Second}
	}
	of[user] += n
	return nil
}

func (r *userRates) Change(user domain.UserID) error { return r.take(r.changed, user, r.changes, 1) }

func (r *userRates) MayLogIn(user domain.UserID, _ string) error {
	return r.take(r.entered, user, r.logins, 0)
}

func (r *userRates) LogIn(user domain.UserID, _ string) error {
	return r.take(r.entered, user, r.logins, 1)
}

// limit sets how many changes each user may make from now on.
func (r *userRates) limit(changes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changes = changes
	clear(r.changed)
}

func rated(r *userRates) func(*world) { return func(w *world) { w.ports.UserRates = r } }

func wantRetryAfter(t *testing.T, r *reply) {
	t.Helper()
	if got := r.header.Get("Retry-After"); got != "7" {
		t.Errorf("%s: got Retry-After %q, want 7", r.what, got)
	}
}

func TestEveryRouteThatChangesSomethingHasARate(t *testing.T) {
	r := newUserRates(1000, 1000)
	w := newWorld(t, rated(r))
	token := w.token(t, w.admin, `{"name":"t","scopes":["manage"]}`)
	r.limit(0)
	for _, rt := range ginhttp.Routes() {
		refused := (rt.Who == "caller" || rt.Who == "admin") && rt.Method != "GET" && rt.Path != "/logout"
		for name, b := range map[string]*browser{"a login": w.admin.with("x", "y"), "an access token": token} {
			if name == "an access token" && rt.Tokens != "manage" || rt.Method == "" || rt.Path == "/logout" {
				continue
			}
			got := b.do(t, rt.Method, rt.Path, "")
			if (got.status == 429) != refused {
				t.Errorf("%s with %s: got %d, refused should be %v", got.what, name, got.status, refused)
			}
			if refused {
				got.want(t, 429, "too_many_requests")
				wantRetryAfter(t, got)
			}
		}
	}
	w.admin.do(t, "POST", "/logout", "").want(t, 200, "")
}

func TestTheChangesOfAUserCountTogether(t *testing.T) {
	r := newUserRates(1000, 1000)
	w := newWorld(t, rated(r))
	second := w.login(t, "admin")
	token := w.token(t, w.admin, `{"name":"t","scopes":["manage"]}`)
	r.limit(3)
	for _, b := range []*browser{w.admin, second, token} {
		b.do(t, "POST", "/delete_session", `{"session_id":"01890000-0000-7000-8000-000000000000"}`).want(t, 404, "not_found")
	}
	for _, b := range []*browser{w.admin, second, token} {
		b.do(t, "POST", "/delete_session", `{}`).want(t, 429, "too_many_requests")
	}
	w.member.do(t, "POST", "/clear_project", "").want(t, 200, "")
	w.admin.do(t, "GET", "/get_sessions", "").want(t, 200, "")
}

func TestRefusedChangesFillNoAudit(t *testing.T) {
	r := newUserRates(1000, 1000)
	w := newWorld(t, rated(r))
	r.limit(0)
	for range 100 {
		w.member.do(t, "POST", "/clear_project", "").want(t, 429, "too_many_requests")
	}
	got := w.admin.do(t, "GET", "/get_audit_events?action=clear_project", "").want(t, 200, "").events(t)
	if len(got) != 1 || got[0]["Outcome"] != "too_many_requests" {
		t.Errorf("got the rows %v, want one", got)
	}
}

func TestTheChangesOfAHostsUserHaveARate(t *testing.T) {
	r := newUserRates(1, 0)
	w := newWorld(t, rated(r), hosted(byHeader))
	as := func(user string) *reply {
		request := w.nobody.request(t, "POST", "/clear_project", "")
		request.Header.Set("X-User", user)
		return w.nobody.send(t, request)
	}
	as("ana").want(t, 200, "")
	as("ana").want(t, 429, "too_many_requests")
	as("bob").want(t, 200, "")
}

func TestAUserLogsInSoOften(t *testing.T) {
	r := newUserRates(1000, 1000)
	w := newWorld(t, rated(r))
	r.mu.Lock()
	r.logins = 3
	clear(r.entered)
	r.mu.Unlock()
	const right, wrong = `{"username":"member","password":"` + password + `"}`, `{"username":"member","password":"nonsense"}`
	for range 3 {
		w.nobody.do(t, "POST", "/login", wrong).want(t, 401, "not_authenticated") // it does not count
		w.nobody.do(t, "POST", "/login", right).want(t, 200, "")
	}
	refused := w.nobody.do(t, "POST", "/login", right).want(t, 429, "too_many_requests")
	wantRetryAfter(t, refused)
	if len(refused.header.Values("Set-Cookie")) > 0 {
		t.Error("a refused login sets a cookie")
	}
	w.nobody.do(t, "POST", "/login", `{"username":"admin","password":"`+password+`"}`).want(t, 200, "")
	w.member.do(t, "GET", "/check_session", "").want(t, 200, "")
}
