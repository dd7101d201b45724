package clients

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"

	"strings"
	"sync"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/ginhttp"
	"github.com/flowlatch/flowlatch/adapters/throttle"
	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/app"
)

// lines is a log that a test reads.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write keeps a line.
func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// logging writes the log of requests to l.
func logging(l *lines) func(*ginhttp.Options) {
	return func(o *ginhttp.Options) {
		o.Log = slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
}

// refused sends a request with headers, which are pairs, and returns its status, code and message.
// The path is sent as it is.
func (in *installation) refused(t testing.TB, method, path, body string, headers ...string) (status int, code, message, whole string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, in.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Opaque = path
	if path, query, has := strings.Cut(path, "?"); has {
		r.URL.Opaque, r.URL.RawQuery = path, query
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	resp, err := transport(t).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var members struct{ Code, Message string }
	if err := json.Unmarshal(said, &members); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, said)
	}
	var head bytes.Buffer
	_ = resp.Header.Write(&head)
	return resp.StatusCode, members.Code, members.Message, head.String() + string(said)
}

// member creates a member with a grant and logs them in.
func (in *installation) member(t testing.TB, name, project string, scopes ...string) *caller {
	t.Helper()
	in.admin.want(t, "POST", "/create_user", encoded(map[string]any{"username": name, "password": password}))
	in.grant(t, name, project, scopes...)
	return in.login(t, name)
}

// grant grants the assistant to the user of that name.
func (in *installation) grant(t testing.TB, name, project string, scopes ...string) {
	t.Helper()
	users, _ := in.admin.want(t, "GET", "/get_all_users", "")["users"].([]any)
	for _, u := range users {
		if user, _ := u.(map[string]any); user["Username"] == name {
			in.admin.want(t, "POST", "/grant_project", encoded(map[string]any{"user_id": user["Id"], "project_id": project, "scopes": scopes}))
		}
	}
}

// header returns the header of a browser with the cookies.
func (c *caller) header() []string { return []string{"Cookie", strings.Join(c.cookies, "; ")} }

func authorization(value string) []string { return []string{"Authorization", value} }

// TestEveryRefusalSaysWhatIsMissing lists the refusals of forwarded calls with their whole text.
func TestEveryRefusalSaysWhatIsMissing(t *testing.T) {
	a := voiceflowtest.NewAssistant("Pizza Palace", voiceflowtest.Shape2024)
	in := install(t, startVoiceflow(t, a), func(p *app.Ports) { p.Rates = throttle.NewCalls(nil, throttle.PerMinute{Turns: 500, Reads: 600}) })
	project := in.add(t, a, a.VersionID, "")
	setting := encoded(map[string]any{"project_id": project})
	ben, eve := in.member(t, "ben", project, "converse", "transcripts"), in.member(t, "eve", project, "converse")
	cleared, unset := in.login(t, "eve"), in.login(t, "eve")
	eve.want(t, "POST", "/set_project", setting)
	cleared.want(t, "POST", "/set_project", setting)
	cleared.want(t, "POST", "/clear_project", "")

	asking := func(c *caller, more map[string]any) string {
		t.Helper()
		more["name"], more["password"] = "x", password
		text, _ := c.want(t, "POST", "/create_access_token", encoded(more))["token"].(string)
		return text
	}
	talker := in.token(t, project, []string{"converse"}, nil)
	analyst := in.token(t, project, []string{"analytics"}, nil)
	managing := asking(in.admin, map[string]any{"scopes": []string{"manage"}})
	ofBen := asking(ben, map[string]any{"project_id": project, "scopes": []string{"converse", "transcripts"}})
	in.grant(t, "ben", project, "converse")
	slow := in.token(t, project, []string{"converse"}, map[string]any{"rate": 1})
	for _, call := range [][2]string{{"POST", "/voiceflow/general-runtime/state/user/x/interact"}, {"GET", "/voiceflow/general-runtime/state/user/x"}} {
		if status, _, _, _ := (program{in.url, slow}).call(t, call[0], call[1], "{}"); status != http.StatusOK {
			t.Fatalf("%s: got %d", call, status)
		}
	}

	const (
		key       = "VF.DM.65f1c0ffee0123456789abcd.AbCdEfGhIjKlMnOp"
		interact  = "/voiceflow/general-runtime/state/user/x/interact"
		calls     = "; see docs/endpoints.md#forwarded-calls"
		rules     = "; see docs/endpoints.md#if-a-call-is-refused"
		ofScopes  = "; see docs/endpoints.md#scopes"
		ofLimits  = "; see docs/endpoints.md#limits-of-calls"
		keySent   = "this service wants an access token (flk_…) in Authorization and not a Voiceflow key; the key has been sent where it does not belong, so replace it at Voiceflow" + rules
		other     = "65f1c0ffee0123456789abcd"
		notOther  = " is not that of the assistant that is set or that the access token is for; set the other assistant, or use an access token for it" + rules
		severally = "this path can be read in several ways; send it without empty parts, without . and .., and without encoded slashes outside of a user id" + calls
	)
	for _, tc := range []struct {
		name               string
		header             []string
		method, path, body string
		status             int
		code, message      string
	}{
		{"a Voiceflow key", authorization(key), "POST", interact, "{}", 401, "not_authenticated", keySent},
		{"no credential", nil, "POST", interact, "{}", 401, "not_authenticated",
			"the call has no credential; send an access token (flk_…) in Authorization, or log in and send the cookies" + rules},
		{"another key", authorization("sk-123"), "POST", interact, "{}", 401, "not_authenticated",
			"Authorization has no access token; send an access token (flk_…) in Authorization, or log in and send the cookies" + rules},
		{"an access token that is none", authorization("flk_x"), "POST", interact, "{}", 401, "not_authenticated",
			"the access token in Authorization is invalid or expired; create a new one"},
		{"an access token that manages", authorization("Bearer " + managing), "POST", interact, "{}", 401, "not_authenticated",
			"this access token manages and is for no assistant; create one with the project_id of an assistant" + ofScopes},
		{"a login that has ended", []string{"Cookie", "user_session=x"}, "POST", interact, "{}", 401, "not_authenticated", "you are not logged in"},
		{"no assistant", unset.header(), "POST", interact, "{}", 409, "no_assistant",
			"no assistant is set; set one with POST /set_project" + rules},
		{"an assistant that was cleared", cleared.header(), "POST", interact, "{}", 401, "not_authenticated",
			"the assistant is no longer set; set it again with POST /set_project" + rules},
		{"an access token for a turn of a v4 session", authorization(talker), "POST", "/voiceflow/general-runtime/v4/interact", "{}", 401, "not_authenticated",
			"Authorization must have the session key of a v4 session and nothing else; start one with POST /v4/project/{projectID}/session" + rules},
		{"no session key for a turn of a v4 session", eve.header(), "POST", "/voiceflow/general-runtime/v4/interact", "{}", 401, "not_authenticated",
			"Authorization must have the session key of a v4 session and nothing else; start one with POST /v4/project/{projectID}/session" + rules},
		{"a session key that is none", authorization("x"), "POST", "/voiceflow/general-runtime/v4/interact", "{}", 401, "not_authenticated",
			"the session key in Authorization is invalid or expired; start a new session with POST /v4/project/{projectID}/session" + rules},

		{"a scope that the grant lacks", eve.header(), "GET", "/voiceflow/api/v2/transcripts/" + a.ProjectID, "", 403, "not_allowed",
			"this call needs the scope transcripts, which you do not have for this assistant; an admin can grant it" + ofScopes},
		{"a scope that the access token lacks", authorization(talker), "GET", "/voiceflow/api/v2/transcripts/" + a.ProjectID, "", 403, "not_allowed",
			"this call needs the scope transcripts, which the access token does not have; create one that has it" + ofScopes},
		{"a scope that the owner of the access token lost", authorization(ofBen), "GET", "/voiceflow/api/v2/transcripts/" + a.ProjectID, "", 403, "not_allowed",
			"this call needs the scope transcripts, which the owner of the access token does not have for this assistant; an admin can grant it" + ofScopes},
		{"a state without its scope", authorization(talker), "POST", interact, `{"state":{}}`, 403, "not_allowed",
			"in the body of a turn, state needs the scope state; an admin can grant it, and an access token has to be created with it" + ofScopes},

		{"too many turns", authorization(slow), "POST", interact, "{}", 429, "too_many_requests",
			"too many turns; at most 1 a minute are forwarded, so wait for the seconds in Retry-After" + ofLimits},
		{"too many reads", authorization(slow), "GET", "/voiceflow/general-runtime/state/user/x", "", 429, "too_many_requests",
			"too many reads; at most 1 a minute are forwarded, so wait for the seconds in Retry-After" + ofLimits},

		{"a project in the path", authorization(talker), "POST", "/voiceflow/general-runtime/v2/project/" + other + "/user/x/interact/stream", "{}", 404, "not_found",
			"the projectID in the path" + notOther},
		{"a project in the query", authorization(talker), "GET", "/voiceflow/realtime-api/v1/stable/conversation-state/x?projectID=" + other, "", 404, "not_found",
			"the projectID in the query" + notOther},
		{"a project in the body", authorization(analyst), "POST", "/voiceflow/analytics-api/v2/query/usage", `{"data":{"name":"interactions","filter":{"projectID":"` + other + `"}}}`, 404, "not_found",
			"in the body, data.filter.projectID" + notOther},
		{"no project in the body", authorization(analyst), "POST", "/voiceflow/analytics-api/v1/query/usage", `{"query":[{"name":"interactions"}]}`, 400, "invalid_request",
			"in the body, query.[].filter.projectID is missing"},

		{"another method", authorization(talker), "GET", interact, "", 404, "not_found",
			"Flowlatch does not forward GET at this path of general-runtime, only POST" + calls},
		{"a method that somebody made up", authorization(talker), "BREW", interact, "", 404, "not_found",
			"Flowlatch does not forward this method" + calls},
		{"another service", authorization(talker), "POST", "/voiceflow/api/state/user/x/interact", "{}", 404, "not_found",
			"this call is not one of api but of general-runtime; put /voiceflow/general-runtime before its path" + calls},
		{"no service", authorization(talker), "POST", "/voiceflow/state/user/x/interact", "{}", 404, "not_found",
			"this call is one of general-runtime; put the service before its path, as in /voiceflow/general-runtime" + calls},
		{"an unknown service", authorization(talker), "POST", "/voiceflow/runtime-api/v1/phone-number/x/outbound", "{}", 404, "not_found",
			"the path names no service of Voiceflow; after /voiceflow/ comes general-runtime, api, analytics-api or realtime-api" + calls},
		{"nothing after /voiceflow", authorization(talker), "GET", "/voiceflow", "", 404, "not_found",
			"the path names no service of Voiceflow; after /voiceflow/ comes general-runtime, api, analytics-api or realtime-api" + calls},
		{"nothing after the service", authorization(talker), "GET", "/voiceflow/api", "", 404, "not_found",
			"the path ends after the service; the path of a call has to come after /voiceflow/api" + calls},
		{"no /voiceflow", authorization(talker), "POST", "/state/user/x/interact", "{}", 404, "not_found",
			"there is nothing at this path; put /voiceflow/general-runtime before it to call Voiceflow" + rules},
		{"a near call", authorization(talker), "POST", "/voiceflow/general-runtime/general-runtime/state/user/x/interact", "{}", 404, "not_found",
			"Flowlatch does not forward this call of general-runtime; the nearest one is POST /state/user/{userID}/interact" + calls},
		{"no call", authorization(talker), "GET", "/voiceflow/api/v2/projects", "", 404, "not_found",
			"Flowlatch does not forward this call of api" + calls},
		{"a place that was not filled in", authorization(talker), "GET", "/voiceflow/api/v2/transcripts/%7BprojectID%7D", "", 404, "not_found",
			"an id in this path can't be one; an id has only letters, digits, _ and -, so fill in what is in braces and check the rest" + calls},
		{"an id that is too long", authorization(talker), "GET", "/voiceflow/api/v2/transcripts/" + strings.Repeat("x", 200), "", 400, "invalid_request",
			"the projectID in the path is longer than 128 bytes; check it"},
		{"a user id that is encoded twice", authorization(talker), "POST", "/voiceflow/general-runtime/state/user/a%252Fb/interact", "{}", 400, "invalid_request",
			"the user id in the path contains an encoded percent-encoding; encode it once"},
		{"a slash at the end", authorization(talker), "GET", "/voiceflow/api/v2/transcripts/" + a.ProjectID + "/", "", 404, "not_found", severally},
		{"an encoded slash before the service", authorization(talker), "GET", "/voiceflow%2Fapi/v2/transcripts/" + a.ProjectID, "", 404, "not_found", severally},
		{"an invalid query", authorization(talker), "POST", interact + "?verbose=%zz", "{}", 400, "invalid_request",
			"the query contains an invalid percent-encoding"},
		{"a body that is not JSON", authorization(talker), "POST", interact, "action=launch", 400, "invalid_request",
			"the body must be one JSON object in UTF-8 without repeated names"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, code, message, _ := in.refused(t, tc.method, tc.path, tc.body, tc.header...)
			if status != tc.status || code != tc.code || message != tc.message {
				t.Errorf("got  %d %s %s\nwant %d %s %s", status, code, message, tc.status, tc.code, tc.message)
			}
		})
	}
}

// TestARefusedEnvironmentIsNamed asks for environments that are not allowed, or are none.
func TestARefusedEnvironmentIsNamed(t *testing.T) {
	a := voiceflowtest.NewProject("Pizza Palace", "main", "staging")
	in := newInstallation(t, startVoiceflow(t, a))
	project := in.add(t, a, "main", `{"default":"main","allowed":["main"],"allow_draft":[]}`)
	token := in.token(t, project, []string{"converse", "export"}, nil)
	const interact, see = "/voiceflow/general-runtime/state/user/x/interact", "; see docs/endpoints.md#environments"
	const key, none = "VF.DM.65f1c0ffee0123456789abcd.CaNaRy", " can't be one: a name has at most 64 letters, digits, _ and -" + see
	for _, tc := range []struct {
		name                string
		path, version, body string
		status              int
		code, message       string
	}{
		{"in the header", interact, "staging", "{}", 403, "environment_not_allowed", `the environment "staging" is not allowed; allowed: main` + see},
		{"in the query", "/voiceflow/general-runtime/v2/project/" + a.ProjectID + "/user/x/interact/stream?environment=staging", "", "{}", 403, "environment_not_allowed", `the environment "staging" is not allowed; allowed: main` + see},
		{"in the path", "/voiceflow/general-runtime/v4/project/" + a.ProjectID + "/environment/staging/session", "", `{"userID":"x"}`, 403, "environment_not_allowed", `the environment "staging" is not allowed; allowed: main` + see},
		{"no name", interact, "st aging", "{}", 400, "invalid_request", `the environment "st aging"` + none},
		{"a key as the name", interact, key, "{}", 400, "invalid_request", "the environment that was sent" + none},
		{"an access token as the name", interact, token, "{}", 400, "invalid_request", "the environment that was sent" + none},
	} {
		t.Run(tc.name, func(t *testing.T) {
			headers := authorization(token)
			if tc.version != "" {
				headers = append(headers, "versionID", tc.version)
			}
			status, code, message, whole := in.refused(t, "POST", tc.path, tc.body, headers...)
			if status != tc.status || code != tc.code || message != tc.message {
				t.Errorf("got  %d %s %s\nwant %d %s %s", status, code, message, tc.status, tc.code, tc.message)
			}
			if strings.Contains(whole, "CaNaRy") || strings.Contains(whole, token) {
				t.Errorf("a credential is repeated: %s", whole)
			}
		})
	}
}
