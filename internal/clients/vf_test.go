package clients

import (
	"strings"
	"testing"
)

// vf returns Voiceflow's own command line: every command whose operation is forwarded, as its
// generated client sends it (github.com/voiceflow/cli, .speakeasy/out.openapi.yaml and
// internal/sdk): Go's HTTP client, Accept and User-Agent, parameters sorted by name, and the token
// after Bearer.
func vf() client {
	ofProject, ofEnvironment := "?projectID=$project", "?environmentAlias=main&projectID=$project"
	ofState := ofEnvironment + "&version=published"
	json := []string{"Content-Type: application/json"}
	call := func(does, method, path, body string) request {
		r := request{does: does, service: realtimeService, method: method, path: "/v1/stable" + path, body: body}
		if body != "" {
			r.header = json
		}
		return r
	}
	keeping := func(r request, name, where string) request {
		r.keeps = map[string]string{name: where}
		return r
	}
	created := func(r request) request {
		r.status = 201
		return r
	}
	file, typed := form(filePart("opening-hours.txt", "text/plain; charset=utf-8", "We open at nine."))
	text := request{does: "document create-text", service: realtimeService, method: "POST", path: "/v1/stable/document/text" + ofEnvironment,
		header: []string{typed}, body: file, status: 201}

	all := []request{
		call("conversation send", "PUT", "/conversation/ben"+ofEnvironment, `{"action":{"type":"launch"},"version":"published"}`),
		call("conversation send --session-id", "PUT", "/conversation/ben"+ofEnvironment, `{"action":{"type":"text","payload":"one Margherita"},"version":"published","sessionID":"order-7"}`),
		call("conversation-state get", "GET", "/conversation-state/ben"+ofState, ""),
		call("conversation-state update-variables", "PATCH", "/conversation-state/ben/variables"+ofState, `{"variables":{"name":"Ben","count":3}}`),
		call("conversation-state update", "PATCH", "/conversation-state/ben"+ofState, `{"stack":[],"storage":{},"variables":{"name":"Ben"}}`),
		call("conversation-state get", "GET", "/conversation-state/ben"+ofState, ""),
		call("conversation-state delete", "DELETE", "/conversation-state/ben"+ofState, ""),

		created(call("document create-url", "POST", "/document/url"+ofEnvironment+"&overwrite=true", `{"url":"https://pizza.example/menu"}`)),
		keeping(text, "document", "document.documentID"),
		created(call("document create-table", "POST", "/document/table"+ofEnvironment, `{"name":"Prices","items":[{"pizza":"Margherita","price":"9"}],"schema":{"searchableFields":["pizza"]}}`)),
		call("document list", "GET", "/document"+ofEnvironment, ""),
		call("document get", "GET", "/document/$document"+ofEnvironment, ""),
		call("document update", "PATCH", "/document/$document"+ofEnvironment, `{"metadata":[{"key":"city","values":["Rome"]}]}`),
		call("knowledge-base query", "POST", "/knowledge-base/query"+ofEnvironment, `{"question":"When do you open?","version":"published","chunkLimit":2,"synthesis":true}`),
		call("document delete", "DELETE", "/document/$document"+ofEnvironment, ""),

		keeping(call("transcript search", "POST", "/transcript/search"+ofProject, `{"take":20}`), "transcript", "transcripts.0.id"),
		call("transcript search --session-id", "POST", "/transcript/search"+ofProject, `{"take":20,"sessionID":"order-7"}`),
		call("transcript search --environment-alias", "POST", "/transcript/search"+ofProject, `{"take":20,"version":"published","environmentAlias":"main"}`),
		call("transcript get", "GET", "/transcript/$transcript"+ofProject, ""),
		keeping(call("transcript-property list", "GET", "/transcript-property"+ofProject, ""), "property", "properties.0.id"),
		call("transcript-property get", "GET", "/transcript-property/$property"+ofProject, ""),
		call("transcript-property set-value", "PUT", "/transcript-property/$property/value"+ofProject, `{"value":"it","transcriptID":"$transcript"}`),
		call("transcript get", "GET", "/transcript/$transcript"+ofProject, ""),

		keeping(call("evaluation list", "GET", "/evaluation"+ofProject, ""), "evaluation", "evaluations.0.id"),
		call("evaluation get", "GET", "/evaluation/$evaluation"+ofProject, ""),

		call("project get", "GET", "/project/$project", ""),
		call("environment list", "GET", "/environment"+ofProject, ""),
		call("environment get", "GET", "/environment/main"+ofProject, ""),
	}
	for _, metric := range vfMetrics {
		does := "analytics query-" + metric.command
		all = append(all, call(does, "POST", "/analytics/query/"+metric.path+"/project/$project", `{"endDate":"2026-11-30","startDate":"2026-11-01","interval":"day"}`))
	}
	all = append(all, call("analytics query-call-count --environment-alias", "POST", "/analytics/query/call-count/project/$project",
		`{"endDate":"2026-11-30","startDate":"2026-11-01","timezone":"Europe/Rome","interval":"hour","version":"published","environmentAlias":"main"}`))
	return client{
		name:    "vf",
		library: library{append(goLibrary.adds, "Accept: application/json", "User-Agent: speakeasy-sdk/cli 0.8.0 2.880.1 1.0 github.com/voiceflow/cli")},
		scheme:  "Bearer ", personal: true, version: "main", environments: allOf("main"), aliases: []string{"main"},
		scopes:   []string{"converse", "state", "transcripts", "analytics", "knowledge", "knowledge:write", "projects"},
		requests: all,
	}
}

// vfMetrics are the commands of analytics that ask about a project, and what stands in the path.
var vfMetrics = []struct{ command, path string }{
	{"call-count", "call-count"},
	{"call-duration", "call-duration"},
	{"project-transcript-count", "transcript-count"},
	{"project-transcript-cost", "transcript-cost"},
	{"project-interaction-count", "interaction-count"},
	{"project-token-usage", "token-usage"},
	{"hourly-project-token-usage", "hourly-token-usage"},
	{"category-token-usage", "category-token-usage"},
	{"playbook-usage", "playbook-usage"},
	{"workflow-usage", "workflow-usage"},
	{"prompt-usage", "prompt-usage"},
	{"intent-usage", "intent-usage"},
	{"function-usage", "function-usage"},
	{"api-tool-usage", "api-tool-usage"},
	{"mcp-tool-usage", "mcp-tool-usage"},
	{"knowledge-base-document-usage", "knowledge-base-document-usage"},
	{"integration-usage", "integration-usage"},
	{"unique-user-count", "unique-user-count"},
}

func TestVF(t *testing.T) {
	c := vf()
	t.Run("token", func(t *testing.T) { newPair(t, c).run(t, c) })
	// Without Bearer, as clients of project keys send theirs.
	t.Run("bare_token", func(t *testing.T) {
		c.scheme = ""
		newPair(t, c).run(t, c)
	})
}

// TestVFIsRefusedWhatIsNotForwarded sends commands that change what an assistant is, or that cost
// money. They stay out of the allow-list.
func TestVFIsRefusedWhatIsNotForwarded(t *testing.T) {
	c := vf()
	w := newPair(t, c)
	for _, r := range []request{
		{does: "workspace list", method: "GET", path: "/v1/stable/workspace"},
		{does: "project list", method: "GET", path: "/v1/stable/project?workspaceID=vrk1JG18j3"},
		{does: "project delete", method: "DELETE", path: "/v1/stable/project/$project"},
		{does: "environment delete", method: "DELETE", path: "/v1/stable/environment/main?projectID=$project"},
		{does: "environment publish", method: "POST", path: "/v1/stable/environment/main/publish?projectID=$project", body: `{"name":"x"}`},
		{does: "evaluation run", method: "POST", path: "/v1/stable/evaluation/65f1c0ffee0123456789abcd/run?projectID=$project", body: `{"transcriptID":"x"}`},
		{does: "transcript-property delete", method: "DELETE", path: "/v1/stable/transcript-property/65f1c0ffee0123456789abcd?projectID=$project"},
		{does: "agent get", method: "GET", path: "/v1/stable/agent?projectID=$project&environmentAlias=main"},
		{does: "analytics query-organization-token-usage", method: "POST", path: "/v1/stable/analytics/query/token-usage/organization/vrk1JG18j3", body: `{}`},
		{does: "analytics query-workspace-transcript-count", method: "POST", path: "/v1/stable/analytics/query/transcript-count/workspace/vrk1JG18j3", body: `{}`},
	} {
		r.service = realtimeService
		got, received := w.through.send(t, c, r)
		if got.status < 400 || got.status >= 500 || received != nil {
			t.Errorf("%s: got %d %s, and Voiceflow received %v", r.does, got.status, got.body, received)
		}
		if !strings.Contains(got.body, `"message":"`) {
			t.Errorf("%s: %s has no message", r.does, got.body)
		}
	}
}
