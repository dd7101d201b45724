package ginhttp_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/adapters/ginhttp"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// installation is one that answers at the start and never after.
type installation struct{ ports.Installation }

func (*installation) Get(context.Context) (domain.Installation, error) {
	return domain.Installation{}, errDown
}

// byHeader is a host's login: who calls stands in a header.
func byHeader(r *http.Request) (domain.Caller, error) {
	switch user := r.Header.Get("X-User"); user {
	case "":
		return domain.Caller{}, &domain.Error{Kind: domain.NotAuthenticated, Public: "who are you?"}
	case "outage":
		return domain.Caller{}, errDown
	case "foreign":
		return domain.Caller{}, context.DeadlineExceeded
	case "forger":
		return domain.Caller{ID: "forger", Admin: true, Login: domain.Session{ID: "l"}, Token: "t", Scopes: domain.AllScopes()}, nil
	case "empty":
		return domain.Caller{Admin: true}, nil
	default:
		return domain.Caller{ID: domain.UserID(user), Admin: user == "boss"}, nil
	}
}

// as sends a request as a user of the host's.
func (b *browser) as(t *testing.T, user, method, path, body string) *reply {
	t.Helper()
	r := b.request(t, method, path, body)
	r.Header.Set("X-User", user)
	return b.send(t, r)
}

// anyMethod are the methods by which gin routes a path that takes any.
var anyMethod = []string{"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"}

func routesOf(engine *gin.Engine) []string {
	var found []string
	for _, route := range engine.Routes() {
		found = append(found, route.Method+" "+route.Path)
	}
	slices.Sort(found)
	return found
}

func TestMountUnderAHostsLogin(t *testing.T) {
	w := newWorld(t, hosted(byHeader))
	host := gin.New()
	if err := ginhttp.Mount(host, w.service, ginhttp.Options{Identify: byHeader}); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"GET /check_session", "GET /get_audit_events", "GET /get_grants", "GET /get_projects", "GET /get_sessions", "GET /get_usage",
		"POST /add_project", "POST /check_project", "POST /clear_project", "POST /delete_project", "POST /delete_session",
		"POST /delete_user_sessions", "POST /delete_token", "POST /grant_project", "POST /revoke_project", "POST /set_environments", "POST /set_picture_origins", "POST /set_project", "POST /set_token",
		"GET /get_webhooks", "POST /set_webhook", "POST /test_webhook",
	}
	for _, method := range anyMethod {
		want = append(want, method+" /voiceflow/:service/*path")
	}
	slices.Sort(want)
	if d := cmp.Diff(want, routesOf(host)); d != "" {
		t.Errorf("routes, -want +got:\n%s", d)
	}

	b := w.nobody
	added := b.as(t, "boss", "POST", "/add_project", addA).want(t, 200, "").assistant(t)
	set := `{"project_id":"` + added["Id"].(string) + `"}`
	b.as(t, "erika", "POST", "/add_project", addA).want(t, 401, "not_allowed")
	b.as(t, "erika", "POST", "/set_project", set).want(t, 401, "not_allowed")
	b.as(t, "boss", "POST", "/grant_project", `{"user_id":"erika","project_id":"`+added["Id"].(string)+`"}`).want(t, 200, "")
	if got := b.as(t, " erika ", "GET", "/get_projects", "").want(t, 200, "").names(t); !slices.Equal(got, []string{"Support bot"}) {
		t.Errorf("got %q", got)
	}
	b.as(t, "erika", "POST", "/set_project", set).want(t, 200, "")
	got := b.as(t, "erika", "GET", "/check_session", "").want(t, 200, "")
	user := map[string]any{"Id": "erika", "Username": "erika", "Role": "member", "Disabled": false, "Assistants": []any{added["Id"]}, "Created": nil}
	if d := cmp.Diff(any(user), got.body["user"]); d != "" || got.assistant(t)["Id"] != added["Id"] {
		t.Errorf("got %s, want the user\n%s", got.raw, d)
	}
	if got := b.as(t, "max", "GET", "/check_session", "").want(t, 200, ""); got.body["assistant"] != nil {
		t.Errorf("another user got %s", got.raw)
	}
	b.as(t, "erika", "POST", "/clear_project", "").want(t, 200, "")

	for _, tc := range []struct {
		user   string
		status int
		code   string
	}{
		{"", 401, "not_authenticated"},
		{"empty", 401, "not_authenticated"},
		{"outage", 503, "unavailable"},
		{"foreign", 500, "internal"},
		{strings.Repeat("x", 129), 500, "internal"},
	} {
		b.as(t, tc.user, "GET", "/check_session", "").want(t, tc.status, tc.code)
	}
	b.as(t, "forger", "POST", "/set_project", set).want(t, 200, "") // by ID and Admin alone, whatever else it claims
	r := b.request(t, "GET", "/get_projects", "")
	r.Header.Set("X-User", "erika")
	r.Header.Set("Authorization", "Bearer the-host's-own")
	b.send(t, r).want(t, 200, "")
}

func TestMountLeavesTheRestToTheHost(t *testing.T) {
	w := newWorld(t)
	host := gin.New()
	host.NoRoute(func(c *gin.Context) { c.String(404, "the host's") })
	host.GET("/healthz", func(c *gin.Context) { c.String(200, "the host's") })
	if err := ginhttp.Mount(host.Group("/assistants"), w.service, ginhttp.Options{Log: w.options.Log}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/healthz", "/get_projects", "/assistants/nothing", "/assistants/healthz"} {
		out := httptest.NewRecorder()
		host.ServeHTTP(out, httptest.NewRequest("GET", path, nil))
		if out.Body.String() != "the host's" || out.Header().Get("X-Request-Id") != "" {
			t.Errorf("%s: got %s", path, out.Body)
		}
	}
	out := httptest.NewRecorder()
	host.ServeHTTP(out, httptest.NewRequest("GET", "/assistants/get_projects", nil))
	if out.Code != 401 || !strings.Contains(w.log.String(), `"route":"/assistants/get_projects"`) {
		t.Errorf("got %d and the log %s", out.Code, w.log)
	}
	if got := len(routesOf(host)); got != len(matrix)-4+len(anyMethod)+1 {
		t.Errorf("got %d routes, want all but the probes, and the host's", got)
	}
}

func TestMountRefusesOptionsThatWouldDoNothing(t *testing.T) {
	hosted := newWorld(t, hosted(byHeader))
	if err := ginhttp.Mount(gin.New(), hosted.service, ginhttp.Options{}); err == nil {
		t.Error("no login at all: got no error")
	}
}
