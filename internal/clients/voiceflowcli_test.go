package clients

import "testing"

// voiceflowCLI returns voiceflow-cli (github.com/xavidop/voiceflow-cli, v1.37): every command, as
// its Go client sends it. VF_API_URL, VF_RUNTIME_URL and VF_ANALYTICS_URL are its base URLs, without
// the slash at the end, and VF_API_KEY goes into Authorization as it is. Most of its GETs have a
// Content-Type. The environment is development if no flag says otherwise.
func voiceflowCLI() client {
	json := []string{"accept: application/json", "content-type: application/json"}
	inEnvironment := append([]string{"versionID: development"}, json...)
	talk := "/state/user/f6c0bd3e-2d0a-4c1a-9d0a-3f1c8f0d7f3e"
	file, typed := form(filePart("opening-hours.txt", "text/plain; charset=utf-8", "We open at nine."))
	turn := func(does, action string) request {
		return request{does: does, service: runtimeService, method: "POST", path: talk + "/interact?logs=off", header: inEnvironment, body: action}
	}
	search := "/v1/transcript/project/$project?take=99&skip=0&order=DESC"
	return client{
		name: "voiceflow-cli", library: goLibrary, version: "development", environments: allOf("development"),
		aliases: []string{"development", "production"},
		scopes:  []string{"converse", "state", "transcripts", "analytics", "knowledge", "knowledge:write", "export"},
		requests: []request{
			turn("dialog start", `{"action":{"type":"launch","payload":null}}`),
			turn("dialog start, a text", `{"action":{"type":"text","payload":"one Margherita"}}`),
			turn("dialog replay, a button", `{"action":{"type":"path-k3f","payload":{"label":"Yes"}}}`),
			turn("test execute, an event", `{"action":{"type":"event","payload":{"event":{"name":"opened"}}}}`),
			turn("test execute, an intent", `{"action":{"type":"intent","payload":{"intent":{"name":"order"},"entities":[{"name":"pizza","value":"Margherita"}]}}}`),
			turn("test execute, variables", `{"action":{"type":"launch","payload":null},"state":{"variables":{"name":"Ben"}}}`),
			{does: "test execute, a variable is checked", service: runtimeService, method: "GET", path: talk, header: inEnvironment},

			{does: "document upload-url", service: apiService, method: "POST", path: "/v1/knowledge-base/docs/upload?overwrite=true&maxChunkSize=800",
				header: json, body: `{"data":{"type":"url","name":"menu","url":"https://pizza.example/menu"}}`},
			{does: "document upload-url without flags", service: apiService, method: "POST", path: "/v1/knowledge-base/docs/upload?",
				header: json, body: `{"data":{"type":"url","name":"menu","url":"https://pizza.example/menu"}}`},
			{does: "document upload-file", service: apiService, method: "POST",
				path:   "/v1/knowledge-base/docs/upload?&markdownConversion=true&llmGeneratedQ=true&llmPrependContext=true&llmBasedChunking=true&llmContentSummarization=true&tags=[hours,city]",
				header: []string{"accept: application/json", typed}, body: file},
			{does: "kb query", service: runtimeService, method: "POST", path: "/knowledge-base/query", header: json,
				body: `{"chunkLimit":2,"synthesis":true,"settings":{"model":"gpt-4","temperature":0.1,"system":"Be short."},"tags":{"include":{"operator":"and","items":["hours"]},"includeAllTagged":true},"question":"When do you open?"}`},

			{does: "transcript fetch-all", service: analyticsService, method: "POST", path: search, header: json, body: `{}`,
				keeps: map[string]string{"transcript": "transcripts.0.id"}},
			{does: "transcript fetch-all in a range", service: analyticsService, method: "POST", path: search, header: json,
				body: `{"startDate":"2026-01-01T00:00:00.000Z","endDate":"2999-01-01T00:00:00.000Z"}`},
			{does: "transcript fetch, transcript to-test", service: analyticsService, method: "GET", path: "/v1/transcript/$transcript",
				header: []string{"accept: application/json"}},
			{does: "transcript fetch-all, versions before 1.37", service: apiService, method: "GET", path: "/v2/transcripts/$project?&range=Last%207%20days", header: json},
			{does: "transcript fetch as CSV, versions before 1.37", service: apiService, method: "GET", path: "/v2/transcripts/$project/$transcript/export?format=csv",
				header: []string{"accept: text/csv"}},
			{does: "transcript to-test, versions before 1.37", service: apiService, method: "GET", path: "/v2/transcripts/$project/$transcript", header: json},

			{does: "analytics fetch", service: analyticsService, method: "POST", path: "/v1/query/usage", header: json,
				body: `{"query":[` + usageOf("interactions") + `,` + usageOf("sessions") + `,` + usageOf("top_intents") + `,` + usageOf("top_slots") + `,` +
					usageOf("understood_messages") + `,` + usageOf("unique_users") + `,` + usageOf("token_usage") + `]}`},
			{does: "agent export", service: apiService, method: "GET", path: "/v2/versions/development/export",
				header: append([]string{"projectid: $project"}, json...)},
		},
	}
}

// usageOf returns a query for a number.
func usageOf(name string) string {
	return `{"name":"` + name + `","filter":{"projectID":"$project","startTime":"2026-11-01T00:00:00.000Z","endTime":"2026-11-30T00:00:00.000Z","limit":100}}`
}

func TestVoiceflowCLI(t *testing.T) {
	c := voiceflowCLI()
	newPair(t, c).run(t, c)
}
