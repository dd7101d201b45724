package clients

import (
	"slices"
	"strings"
	"testing"
)

// switching returns a client that names another environment with each call, in the place where the
// call has one. Its assistant has main, staging and an old development.
func switching() client {
	json := []string{"Content-Type: application/json"}
	in := func(environment string) []string { return append([]string{"versionID: " + environment}, json...) }
	launch, talk := `{"action":{"type":"launch"}}`, "/state/user/ben/interact"
	stable := func(alias, version string) request {
		return request{does: "the stable API in " + alias + ", " + version, service: realtimeService, method: "PUT",
			path: "/v1/stable/conversation/ben?environmentAlias=" + alias + "&projectID=$project", header: json,
			body: `{"action":{"type":"launch"},"version":"` + version + `"}`}
	}
	return client{
		name: "a client of several environments", library: axiosLibrary, version: "main", environments: `{"default": "main", "allowed": "all", "allow_draft": ["main", "development"]}`,
		aliases: []string{"main", "staging", "development"}, scopes: []string{"converse", "state", "transcripts", "analytics", "knowledge", "export"},
		requests: []request{
			{does: "the header names main", service: runtimeService, method: "POST", path: talk, header: in("main"), body: launch},
			{does: "the header names staging", service: runtimeService, method: "POST", path: talk, header: in("staging"), body: launch},
			{does: "the header names a draft", service: runtimeService, method: "POST", path: talk, header: in("development"), body: launch},
			{does: "the header names a version id", service: runtimeService, method: "POST", path: talk, header: in("$version"), body: launch},
			{does: "the query names staging", service: runtimeService, method: "POST", path: "/v2/project/$project/user/eve/interact/stream?environment=staging", header: json, body: launch},
			{does: "the path names staging", service: runtimeService, method: "POST", path: "/v4/project/$project/environment/staging/session", header: json, body: `{"userID":"ben"}`,
				keeps: map[string]string{"session": "sessionKey"}},
			{does: "the session stays in staging", service: runtimeService, method: "POST", path: "/v4/interact", header: json, body: launch, session: true},
			{does: "the path of a session names main", service: runtimeService, method: "POST", path: "/v4/project/$project/environment/main/session", header: json, body: `{"userID":"ben"}`,
				keeps: map[string]string{"session": "sessionKey"}},
			{does: "the session stays in main", service: runtimeService, method: "POST", path: "/v4/interact/stream", header: json, body: launch, session: true},
			stable("main", "published"), stable("staging", "published"), stable("main", "draft"),
			{does: "a filter names staging", service: realtimeService, method: "POST", path: "/v1/stable/transcript/search?projectID=$project", header: json, body: `{"environmentAlias":"staging"}`},
			{does: "a filter names nothing", service: realtimeService, method: "POST", path: "/v1/stable/transcript/search?projectID=$project", header: json, body: `{"take":50}`},
			{does: "numbers of staging", service: realtimeService, method: "POST", path: "/v1/stable/analytics/query/interaction-count/project/$project", header: json,
				body: `{"startDate":"2026-11-01","endDate":"2026-11-30","interval":"day","environmentAlias":"staging"}`},
			{does: "the export of staging", service: realtimeService, method: "GET", path: "/v1alpha1/project/$project/environment/staging/export-json?version=published"},
			{does: "the export by the alias of an older project", service: apiService, method: "GET", path: "/v2/versions/development/export", header: []string{"projectid: $project"}},
			{does: "the documents of staging", service: realtimeService, method: "GET", path: "/v1/stable/document?environmentAlias=staging&projectID=$project"},
		},
	}
}

func TestAClientOfSeveralEnvironments(t *testing.T) { runAll(t, []client{switching()}) }

// TestADraftThatIsNotAllowed sends the calls that name a draft, of an assistant that allows no draft.
// Nothing of them goes to Voiceflow.
func TestADraftThatIsNotAllowed(t *testing.T) {
	c := switching()
	c.environments = `{"default": "main", "allowed": "all", "allow_draft": []}`
	w := newPair(t, c)
	tried := 0
	for _, r := range c.requests {
		if !strings.Contains(r.body+r.path, "draft") && !slices.Contains(r.header, "versionID: development") {
			continue
		}
		tried++
		got, received := w.through.send(t, c, r)
		if got.status != 403 || !strings.Contains(got.body, `"code":"environment_not_allowed"`) || received != nil {
			t.Errorf("%s: got %d %s, and Voiceflow received %v", r.does, got.status, got.body, received)
		}
	}
	if tried < 2 {
		t.Errorf("%d calls name a draft, want 2", tried)
	}
}
