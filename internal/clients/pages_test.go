package clients

import (
	"strings"
	"testing"
)

// chrome are the headers that Chrome adds to a fetch of a page.
func chrome(origin, site string) library {
	return library{[]string{
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
		"Accept: */*", "Accept-Encoding: gzip, deflate, br, zstd", "Accept-Language: en-US,en;q=0.9", "Connection: keep-alive",
		"Origin: " + origin, "Referer: " + origin + "/", "Sec-Fetch-Dest: empty", "Sec-Fetch-Mode: cors", "Sec-Fetch-Site: " + site,
		`sec-ch-ua: "Chromium";v="140"`, "sec-ch-ua-mobile: ?0", `sec-ch-ua-platform: "Linux"`,
	}}
}

// pages returns what pages send: a page with fetch, a page with axios, and Voiceflow's packages for
// pages with the option url (npm: @voiceflow/react-chat, @voiceflow/sdk-runtime).
func pages(origin, site string) []client {
	json := []string{"content-type: application/json"}
	turn := append([]string{"versionID: main"}, json...)
	page := client{
		library: chrome(origin, site), version: "main", environments: allOf("main"), aliases: []string{"main"}, scopes: []string{"converse", "state", "transcripts"},
	}
	fetch, axios, session := page, page, page
	fetch.name = "fetch"
	fetch.requests = []request{
		{does: "launch", service: runtimeService, method: "POST", path: "/state/user/user_1796041200000_k3f9x2a1b/interact?logs=off", header: turn,
			body: `{"action":{"type":"launch"},"config":{"tts":false,"stripSSML":true,"stopAll":true,"excludeTypes":["block","debug","flow"]},"state":{"variables":{}}}`},
		{does: "a text", service: runtimeService, method: "POST", path: "/state/user/user_1796041200000_k3f9x2a1b/interact?logs=off", header: turn,
			body: `{"request":{"type":"text","payload":"one Margherita 🍕"}}`},
		{does: "the transcript of the user", service: apiService, method: "PUT", path: "/v2/transcripts", header: json, status: 503,
			body:    `{"projectID":"$project","versionID":"main","sessionID":"user_1796041200000_k3f9x2a1b","device":"desktop","os":"Linux","browser":"Chrome"}`,
			differs: map[string]string{"answer Content-Type": retired, "answer body": retired}},
	}
	axios.name = "axios"
	axios.adds = append(axios.adds, "Accept: application/json, text/plain, */*")
	axios.requests = []request{
		{does: "launch", service: runtimeService, method: "POST", path: "/state/user/me/interact", header: turn, body: `{"action":{"type":"launch"}}`},
		{does: "variables", service: runtimeService, method: "PATCH", path: "/state/user/me/variables", header: turn, body: `{"name":"Ben","cart":[1,2,3]}`},
		{does: "a button", service: runtimeService, method: "POST", path: "/state/user/me/interact", header: turn, body: `{"action":{"type":"path-k3f","payload":{"label":"Yes"}}}`},
		{does: "reset", service: runtimeService, method: "POST", path: "/state/user/me/interact", header: turn, body: `{"request":{"type":"reset"}}`},
		{does: "forget the conversation", service: runtimeService, method: "DELETE", path: "/state/user/me", header: turn[:1]},
	}
	session.name = "sessions"
	session.requests = []request{
		{does: "open", service: runtimeService, method: "POST", path: "/v4/project/$project/environment/main/session", header: json, body: `{"userID":"me"}`,
			keeps: map[string]string{"session": "sessionKey"}},
		{does: "launch", service: runtimeService, method: "POST", path: "/v4/interact/stream", session: true, header: append([]string{"Accept: text/event-stream"}, json...),
			body: `{"action":{"type":"launch"},"config":{"completionEvents":true}}`},
		{does: "a text", service: runtimeService, method: "POST", path: "/v4/interact", session: true, header: json, body: `{"action":{"type":"text","payload":"one Margherita"}}`},
	}
	return []client{fetch, axios, session}
}

// TestPagesWithCookies sends what a page of Flowlatch's own origin sends. Its user is logged in.
func TestPagesWithCookies(t *testing.T) {
	for _, c := range pages("https://flowlatch.example.com", "same-origin") {
		t.Run(c.name, func(t *testing.T) { newPair(t, c).withCookies().run(t, c) })
	}
}

// TestPagesOfATrustedOrigin sends what a page of another origin sends, with cookies and with a token.
func TestPagesOfATrustedOrigin(t *testing.T) {
	const origin = "https://pages.example.com"
	for _, c := range pages(origin, "same-site") {
		t.Run(c.name, func(t *testing.T) {
			w := newPair(t, c, trusting(origin))
			w.run(t, c)
			newPair(t, c, trusting(origin)).withCookies().run(t, c)
			turn := c.requests[0]
			turn.keeps = nil
			got, _ := w.through.send(t, c, turn)
			if exposed := got.header.Get("Access-Control-Expose-Headers"); !strings.Contains(exposed, "Flowlatch-Environment") || got.header.Get("Access-Control-Allow-Origin") != origin {
				t.Errorf("the page may read %q", exposed)
			}
		})
	}
}

// TestPagesOfOthersAreRefused sends the same from an origin that nobody trusts.
func TestPagesOfOthersAreRefused(t *testing.T) {
	for _, c := range pages("https://evil.example", "cross-site") {
		w := newPair(t, c).withCookies()
		got, received := w.through.send(t, c, request{does: "a turn", service: c.requests[0].service, method: c.requests[0].method,
			path: c.requests[0].path, header: c.requests[0].header, body: c.requests[0].body})
		if got.status != 403 || !strings.Contains(got.body, `"code":"cross_origin"`) || received != nil {
			t.Errorf("%s: got %d %s", c.name, got.status, got.body)
		}
	}
}
