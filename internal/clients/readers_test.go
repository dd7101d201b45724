package clients

import "testing"

// readers returns scripts that read transcripts, numbers and documents.
func readers() []client {
	json := []string{"Content-Type: application/json"}
	both := append([]string{"accept: application/json"}, json...)
	launch := request{does: "a turn first", service: runtimeService, method: "POST", path: "/state/user/ben/interact",
		header: append([]string{"versionID: production"}, json...), body: `{"action": {"type": "launch"}}`}
	reader := client{
		version: "production", environments: allOf("production"), aliases: []string{"production", "development"},
		scopes: []string{"converse", "transcripts", "transcripts:delete", "analytics", "knowledge", "knowledge:write"},
	}
	requests, httpx := reader, reader
	requests.name, requests.library = "python requests", pythonRequests
	requests.requests = []request{
		launch,
		{does: "list transcripts", service: apiService, method: "GET", path: "/v2/transcripts/$project?tag=&range=&startDate=2026-01-01&endDate=2999-01-01", header: both,
			keeps: map[string]string{"transcript": "0._id"}},
		{does: "a transcript", service: apiService, method: "GET", path: "/v2/transcripts/$project/$transcript", header: []string{"Accept: application/json"}},
		{does: "a transcript, in parts", service: apiService, method: "GET", path: "/v2/transcripts/$project/$transcript?limit=1&offset=1", header: []string{"Accept: application/json"}},
		{does: "tag it", service: apiService, method: "PUT", path: "/v2/transcripts/$project/$transcript/report_tag/65f1c0ffee0123456789abcd", header: both, body: `{}`},
		{does: "mark it as read", service: apiService, method: "PATCH", path: "/v2/transcripts/$project/$transcript", header: both, body: `{"unread": false}`},
		{does: "are there unread ones", service: apiService, method: "GET", path: "/v2/transcripts/$project/hasUnreadTranscripts", header: both},
		{does: "delete it", service: apiService, method: "DELETE", path: "/v2/transcripts/$project/$transcript", header: both, status: 204},
		{does: "it is gone", service: apiService, method: "GET", path: "/v2/transcripts/$project/$transcript", header: both, status: 404,
			differs: map[string]string{"answer Content-Type": "Voiceflow says that this JSON is plain text, and Flowlatch that it is JSON"}},
		{does: "list documents", service: apiService, method: "GET", path: "/v1/knowledge-base/docs?page=1&limit=100&documentType=url", header: both},
		{does: "upload a file", service: apiService, method: "POST", path: "/v1/knowledge-base/docs/upload?maxChunkSize=1000&overwrite=true", keeps: map[string]string{"document": "data.0.documentID"}},
		{does: "upload a URL", service: apiService, method: "POST", path: "/v1/knowledge-base/docs/upload/url", header: both, body: `{"data": {"type": "url", "url": "https://pizza.example/caf\u00e9"}}`},
		{does: "upload a table", service: apiService, method: "POST", path: "/v1/knowledge-base/docs/upload/table?overwrite=true", header: both,
			body: `{"data": {"name": "Prices", "schema": {"searchableFields": ["pizza"]}, "items": [{"pizza": "Margherita", "price": 9}]}}`},
		{does: "a document", service: apiService, method: "GET", path: "/v1/knowledge-base/docs/$document", header: both},
		{does: "delete it", service: apiService, method: "DELETE", path: "/v1/knowledge-base/docs/$document", header: both},
	}
	file, typed := form(filePart("opening-hours.txt", "text/plain", "We open at nine."), "Content-Disposition: form-data; name=\"metadata\"\r\n\r\n{\"city\": \"Rome\"}")
	upload := &requests.requests[10]
	upload.body, upload.header = file, []string{typed}
	httpx.name, httpx.library = "python httpx", pythonHTTPX
	httpx.requests = []request{
		launch,
		{does: "search transcripts", service: analyticsService, method: "POST", path: "/v1/transcript/project/$project?take=50&skip=0&order=ASC", header: json,
			body: `{"startDate":"2026-01-01T00:00:00.000Z","filters":[]}`, keeps: map[string]string{"transcript": "transcripts.0.id"}},
		{does: "a transcript", service: analyticsService, method: "GET", path: "/v1/transcript/$transcript?filterConversation=true"},
		{does: "usage", service: analyticsService, method: "POST", path: "/v2/query/usage", header: json,
			body: `{"data":{"name":"interactions","filter":{"projectID":"$project","startTime":"2026-11-01T00:00:00.000Z","endTime":"2026-11-30T00:00:00.000Z","limit":100}}}`},
		{does: "properties", service: analyticsService, method: "GET", path: "/v1/transcript-property/project/$project", keeps: map[string]string{"property": "properties.0.id"}},
		{does: "give it a property", service: analyticsService, method: "POST", path: "/v1/transcript-property-value", header: json,
			body: `{"transcriptID":"$transcript","propertyID":"$property","value":"it"}`, status: 201},
		{does: "its properties", service: analyticsService, method: "GET", path: "/v1/transcript-property-value/transcript/$transcript"},
		{does: "evaluations", service: analyticsService, method: "GET", path: "/v1/transcript-evaluation/project/$project"},
		{does: "delete the transcript", service: analyticsService, method: "DELETE", path: "/v1/transcript/$transcript", status: 204},
	}
	return []client{requests, httpx}
}

func TestReaders(t *testing.T) { runAll(t, readers()) }
