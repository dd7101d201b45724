package clients

import (
	"strings"
	"testing"
)

// TestBaseURLs sends a request of each service to the base URL as people write it.
func TestBaseURLs(t *testing.T) {
	c := client{
		name: "a client", library: goLibrary, version: "main", environments: allOf("main"), aliases: []string{"main"},
		scopes: []string{"converse", "transcripts", "knowledge"},
	}
	json := []string{"Content-Type: application/json"}
	requests := []request{
		{does: "a turn", service: runtimeService, method: "POST", path: "/state/user/ben/interact", header: append(json, "versionID: main"), body: `{"action":{"type":"launch"}}`},
		{does: "a search", service: analyticsService, method: "POST", path: "/v1/transcript/project/$project?take=10", header: json, body: `{}`},
		{does: "a list", service: apiService, method: "GET", path: "/v1/knowledge-base/docs?limit=5"},
		{does: "a search of the stable API", service: realtimeService, method: "POST", path: "/v1/stable/transcript/search?projectID=$project", header: json, body: `{}`},
	}
	w := newPair(t, c)
	for name, base := range map[string]string{"as it is": "", "with a slash": "/"} {
		for _, r := range requests {
			got, received := w.through.sendTo(t, c, r, w.through.base(r.service)+base)
			if got.status != 200 {
				t.Errorf("%s, %s: got %d %s, want 200", name, r.does, got.status, got.body)
			}
			if received != nil && strings.Contains(received.URI, "//") {
				t.Errorf("%s, %s: Voiceflow received %s", name, r.does, received.URI)
			}
		}
	}
}

// TestCredentials sends the access token in the forms of clients.
func TestCredentials(t *testing.T) {
	c := client{
		name: "a client", library: goLibrary, version: "main", environments: allOf("main"), aliases: []string{"main"},
		scopes: []string{"converse"},
	}
	turn := request{does: "a turn", service: runtimeService, method: "POST", path: "/state/user/ben/interact",
		header: []string{"Content-Type: application/json", "versionID: main"}, body: `{"action":{"type":"launch"}}`}
	w := newPair(t, c)
	token := w.through.credential
	gone := w.in.token(t, w.project, c.scopes, map[string]any{"name": "gone"})
	for _, listed := range w.in.admin.want(t, "GET", "/get_access_tokens", "")["access_tokens"].([]any) {
		if listed := listed.(map[string]any); listed["Name"] == "gone" {
			w.in.admin.want(t, "POST", "/delete_access_token", encoded(map[string]any{"token_id": listed["Id"]}))
		}
	}
	for _, tc := range []struct {
		name, credential string
		cookies          bool
		status           int
	}{
		{"bare", token, false, 200},
		{"after Bearer", "Bearer " + token, false, 200},
		{"after bearer", "bearer " + token, false, 200},
		{"after BEARER and two spaces", "BEARER  " + token, false, 200},
		{"with cookies", token, true, 200},
		{"cookies alone", "", true, 200},
		{"cookies, and a token that is over", gone, true, 401},
		{"another scheme", "ApiKey " + token, false, 401},
		{"nothing", "", false, 401},
	} {
		s := *w.through
		s.credential = tc.credential
		r := turn
		if tc.cookies {
			r.header = append([]string{"Cookie: " + strings.Join(w.in.admin.cookies, "; ")}, r.header...)
		}
		got, received := s.send(t, c, r)
		if got.status != tc.status || (received != nil) != (tc.status == 200) {
			t.Errorf("%s: got %d %s, want %d", tc.name, got.status, got.body, tc.status)
		}
		if received == nil {
			continue
		}
		if received.Header.Get("Authorization") != w.assistant.Key || received.Header.Get("Cookie") != "" {
			t.Errorf("%s: Voiceflow received the credentials %q and cookies %q", tc.name, received.Header.Get("Authorization"), received.Header.Get("Cookie"))
		}
	}
}

// TestPagesAskFirst sends the preflights of pages that use the headers of Voiceflow.
func TestPagesAskFirst(t *testing.T) {
	const page = "https://pages.example.com"
	in := newInstallation(t, startVoiceflow(t), trusting(page))
	for _, tc := range []struct{ path, method, headers string }{
		{"/voiceflow/general-runtime/state/user/ben/interact", "POST", "authorization,content-type,versionid,sessionid,projectid"},
		{"/voiceflow/general-runtime/v4/interact/stream", "POST", "authorization,content-type"},
		{"/voiceflow/general-runtime/state/user/ben/variables", "PATCH", "authorization,content-type,versionid"},
		{"/voiceflow/general-runtime/state/user/ben", "PUT", "authorization,content-type,versionid"},
		{"/voiceflow/general-runtime/state/user/ben", "DELETE", "authorization,versionid"},
		{"/voiceflow/api/v2/transcripts", "PUT", "authorization,content-type"},
		{"/voiceflow/realtime-api//v1/stable/document", "GET", "authorization"},
	} {
		for origin, allowed := range map[string]bool{page: true, "https://evil.example": false} {
			s := side{name: "a page", voiceflow: in.voiceflow}
			got, _ := s.sendTo(t, client{}, request{does: "a preflight", method: "OPTIONS", path: tc.path, header: []string{
				"Origin: " + origin, "Access-Control-Request-Method: " + tc.method, "Access-Control-Request-Headers: " + tc.headers,
			}}, in.url)
			h := got.header
			if !allowed {
				if h.Get("Access-Control-Allow-Origin") != "" {
					t.Errorf("%s: another origin is allowed", tc.path)
				}
				continue
			}
			if got.status != 204 || h.Get("Access-Control-Allow-Origin") != page || h.Get("Access-Control-Allow-Credentials") != "true" ||
				!strings.Contains(h.Get("Access-Control-Allow-Methods"), tc.method) || strings.ReplaceAll(h.Get("Access-Control-Allow-Headers"), ", ", ",") != tc.headers {
				t.Errorf("%s %s: got %d %v", tc.method, tc.path, got.status, h)
			}
		}
	}
}
