package clients

import "testing"

// documented returns the requests of Voiceflow's documentation, as curl sends them.
func documented() []client {
	json := []string{"Content-Type: application/json"}
	modern := client{
		name: "curl in main", library: curlLibrary, version: "main", environments: allOf("main"), aliases: []string{"main"},
		scopes: []string{"converse", "state", "knowledge", "knowledge:write", "export"},
		requests: []request{
			{does: "open a v4 session", service: runtimeService, method: "POST", path: "/v4/project/$project/environment/main/session", header: json,
				body: `{"userID": "ben"}`, keeps: map[string]string{"session": "sessionKey"}},
			{does: "a turn in it", service: runtimeService, method: "POST", path: "/v4/interact", header: json, session: true,
				body: `{"action": {"type": "launch"}, "config": {"userTimezone": "Europe/Rome"}}`},
			{does: "a turn with variables", service: runtimeService, method: "POST", path: "/v4/interact", header: json, session: true,
				body: `{"action": {"type": "text", "payload": "one Margherita"}, "variables": {"name": "Ben"}}`},
			{does: "a turn, streamed", service: runtimeService, method: "POST", path: "/v4/interact/stream", session: true,
				header: []string{"Content-Type: application/json", "Accept: text/event-stream"},
				body:   `{"action": {"type": "text", "payload": "and a salad"}, "config": {"completionEvents": true}}`},
			{does: "a streamed turn of before v4", service: runtimeService, method: "POST",
				path:   "/v2/project/$project/user/ben/interact/stream?environment=main&completion_events=true&state=true&userTimezone=Europe/Rome",
				header: []string{"Content-Type: application/json", "Accept: text/event-stream"}, body: `{"action": {"type": "launch"}, "sessionID": "order-7"}`},
			{does: "the export", service: realtimeService, method: "GET", path: "/v1alpha1/project/$project/environment/main/export-json?version=published"},
			{does: "add a document", service: realtimeService, method: "POST", path: "/v1alpha1/public/knowledge-base/document", header: json,
				body: `{"data": {"type": "url", "url": "https://pizza.example/menu"}}`, keeps: map[string]string{"document": "data.documentID"}},
			{does: "list documents", service: realtimeService, method: "GET", path: "/v1alpha1/public/knowledge-base/document?page=1&limit=10"},
			{does: "delete it", service: realtimeService, method: "DELETE", path: "/v1alpha1/public/knowledge-base/document/$document"},
		},
	}
	versioned := append([]string{"versionID: production"}, json...)
	legacy := client{
		name: "curl in production", library: curlLibrary, version: "production", environments: allOf("production"), aliases: []string{"production", "development"},
		scopes: []string{"converse", "state", "knowledge", "knowledge:write", "export"},
		requests: []request{
			{does: "a turn", service: runtimeService, method: "POST", path: "/state/user/ben%40example.com/interact?verbose=true", header: versioned,
				body: `{"action": {"type": "launch"}, "config": {"tts": false, "stripSSML": true, "stopAll": false, "excludeTypes": ["block", "debug", "flow"]}}`},
			{does: "a turn without a length", service: runtimeService, method: "POST", path: "/state/user/ben%40example.com/interact", header: versioned, chunked: true,
				body: `{"request": {"type": "text", "payload": "one Margherita"}}`},
			{does: "a large body", service: apiService, method: "POST", path: "/v1/knowledge-base/docs/upload"},
			{does: "set the state", service: runtimeService, method: "PUT", path: "/state/user/ben%40example.com", header: versioned, body: `{"stack": [], "storage": {}, "variables": {"name": "Ben"}}`},
			{does: "set variables", service: runtimeService, method: "PATCH", path: "/state/user/ben%40example.com/variables", header: versioned, body: `{"count": 3}`},
			{does: "the state", service: runtimeService, method: "GET", path: "/state/user/ben%40example.com", header: versioned[:1]},
			{does: "delete the state", service: runtimeService, method: "DELETE", path: "/state/user/ben%40example.com", header: versioned[:1]},
			{does: "the export", service: apiService, method: "GET", path: "/v2/versions/$version/export"},
			{does: "the export by alias", service: apiService, method: "GET", path: "/v2/versions/production/export?prototype=true", header: []string{"projectid: $project"}},
		},
	}
	large := &legacy.requests[2]
	file, typed := form(filePart("menu.txt", "text/plain", menu(3<<20)))
	large.body, large.header = file, []string{typed, "Expect: 100-continue"}
	return []client{modern, legacy}
}

func TestCurl(t *testing.T) { runAll(t, documented()) }

// menu returns a text of n bytes.
func menu(n int) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = "Margherita, Marinara, Napoli. "[i%30]
	}
	return string(text)
}
