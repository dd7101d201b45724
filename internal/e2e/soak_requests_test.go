package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"

	"github.com/flowlatch/flowlatch/adapters/ginhttp"
	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/domain"
)

// soakPool holds what random requests are made of.
type soakPool struct {
	credentials             []string // lines of a header
	users                   []string
	project                 string
	voiceflow, version, key string
	second                  voiceflowtest.Assistant
}

// soakRequest is a request as it is sent.
type soakRequest struct {
	method  string
	text    []byte
	leaves  bool // the client leaves without the answer
	closes  bool // the connection can't be used again
	forward bool
	foreign bool // HTTP itself may not know the request, which net/http says by 501 or 505
}

// mayFail reports whether an answer of 500 and more is right: Voiceflow rejected a call that no
// key opens, or HTTP does not know it.
func (r soakRequest) mayFail(said []byte) bool {
	return r.foreign || r.forward && strings.Contains(string(said), `"assistant_credentials_rejected"`)
}

// soakRoute is where a request goes when nothing is changed about it.
type soakRoute struct{ method, path string }

// soakRoutes are all routes, and all forwarded calls that Voiceflow still serves.
var soakRoutes = func() []soakRoute {
	var all []soakRoute
	for _, r := range ginhttp.Routes() {
		if r.Method != "" {
			all = append(all, soakRoute{r.Method, r.Path})
		}
	}
	for _, e := range domain.Endpoints() {
		if !e.Retired {
			all = append(all, soakRoute{e.Method, "/voiceflow/" + string(e.Service) + e.Path})
		}
	}
	return all
}()

var (
	soakMethods   = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get", "X"}
	soakNames     = []string{"project_id", "project_name", "version_id", "token", "voiceflow_project_id", "user_id", "username", "password", "new_password", "role", "disabled", "assistants", "scopes", "name", "session_id", "token_id", "slot", "days", "user_ids", "remember", "userID", "sessionID", "session", "config", "action", "state", "variables", "question", "projectID", "environmentID", "tags", "environments", "default", "allowed", "allow_draft", "__proto__", ""}
	soakParams    = []string{"limit", "cursor", "user_id", "project_id", "from", "to", "group_by", "actor", "action", "object", "outcome", "request_id", "since", "until", "logs", "verbose", "projectID", "environmentAlias", "version", "take", "skip", "locale", "userID", ";", "%"}
	soakHostile   = []string{"", " ", "null", "0", "-1", "1", "true", "9999999999999999999", "1e400", "'; DROP TABLE users; --", "../../etc/passwd", "%00", "%2F", "%252e", "\\u0000", "\x00", "\r\n", "\xff\xfe", "ä", "a\u0308", "\ufeff", "𝕏", "<script>", "${7*7}", "2026-02-30", "published", "production", "converse", "manage", "admin", "member", "primary", "secondary", "all", "main", "development"}
	soakHeaders   = []string{"Origin: https://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-origin", "X-Forwarded-For: 6.6.6.6, 7.7.7.7", "X-Real-IP: 6.6.6.6", "Forwarded: for=6.6.6.6", "Accept: text/event-stream", "Accept-Encoding: gzip", "Content-Encoding: gzip", "Range: bytes=0-1", "If-None-Match: *", "Expect: 100-continue", "Cookie: user_session=x; assistant_session=y", "Authorization: Basic eDp5", "Authorization: Bearer", "Authorization: Bearer flk_x", "Authorization: VF.DM.x.y", "sessionID: s", "versionID: draft", "Last-Event-ID: 7", "Access-Control-Request-Method: POST", "X-HTTP-Method-Override: DELETE", "Connection: upgrade", "Upgrade: websocket", "Te: trailers", "X: " + "\xff", "User-Agent: " + strings.Repeat("a", 4000), "Cookie: " + strings.Repeat("a=b; ", 2000)}
	soakMediaType = []string{"application/json", "application/json", "application/json", "application/json; charset=utf-8", "text/plain", "multipart/form-data; boundary=x", "", "application/json, text/plain", "\x00"}
)

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// one reports true once in n times.
func one(r *rand.Rand, n int) bool { return r.IntN(n) == 0 }

// request makes a request.
func (p *soakPool) request(r *rand.Rand) soakRequest {
	route := pick(r, soakRoutes)
	method, path := route.method, p.path(r, route.path)
	if one(r, 15) {
		method = pick(r, soakMethods)
	}
	query := p.query(r, route.path)
	out := soakRequest{method: method, forward: strings.HasPrefix(route.path, "/voiceflow/")}
	version := "HTTP/1.1"
	if one(r, 500) {
		version, out.foreign, out.closes = pick(r, []string{"HTTP/1.0", "HTTP/2.0", "HTTP/9.9", "ICY"}), true, true
	}
	body := p.body(r)
	if (method == "GET" || method == "HEAD") && !one(r, 20) {
		body = ""
	}
	head := []string{"Host: " + pick(r, []string{"localhost", "localhost", "localhost", "evil.example", "[::1]:1"}), p.credential(r, route.path)}
	if body != "" || one(r, 10) {
		head = append(head, "Content-Type: "+pick(r, soakMediaType))
	}
	for one(r, 3) {
		head = append(head, pick(r, soakHeaders))
	}
	switch {
	case one(r, 300): // less than it said
		head = append(head, fmt.Sprintf("Content-Length: %d", len(body)+10))
		out.leaves = true
	case one(r, 300): // more than it said, which looks like another request
		head = append(head, fmt.Sprintf("Content-Length: %d", len(body)/2))
		out.closes = true
	case one(r, 200):
		head = append(head, pick(r, []string{"Content-Length: -1", "Content-Length: 1, 2", "Transfer-Encoding: foo", "Content-Length: 99999999999999999999"}))
		out.foreign, out.closes = true, true
	case one(r, 8) && version == "HTTP/1.1":
		head = append(head, "Transfer-Encoding: chunked")
		body = chunked(r, body)
	case body != "" || method != "GET":
		head = append(head, fmt.Sprintf("Content-Length: %d", len(body)))
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s %s\r\n", method, path+query, version)
	for _, line := range head {
		if line != "" {
			text.WriteString(line + "\r\n")
		}
	}
	text.WriteString("\r\n" + body)
	out.text = []byte(text.String())
	out.closes = out.closes || method == "HEAD" || strings.Contains(text.String(), "Expect:")
	return out
}

// credential returns a line of a header. Requests that end logins are mostly a stranger's, so that
// the logins last for a while.
func (p *soakPool) credential(r *rand.Rand, path string) string {
	switch path {
	case "/logout", "/delete_user", "/delete_user_sessions", "/delete_session", "/update_user", "/change_password", "/delete_project", "/set_token", "/set_environments", "/set_picture_origins", "/clear_project", "/unlink_identity":
		if !one(r, 50) {
			return ""
		}
	}
	return pick(r, p.credentials)
}

// path fills in the parts of a path that vary, and sometimes spoils the path.
func (p *soakPool) path(r *rand.Rand, path string) string {
	segments := strings.Split(path, "/")
	spoiled := len(segments) * 8 // one in eight requests
	for i, s := range segments {
		switch s {
		case "{projectID}":
			segments[i] = p.voiceflow
		case "{versionID}":
			segments[i] = p.version
		default:
			if strings.HasPrefix(s, "{") {
				segments[i] = url.PathEscape(p.value(r))
				if segments[i] == "" {
					segments[i] = "x"
				}
			}
		}
		if one(r, spoiled) && i > 0 {
			segments[i] = pick(r, []string{"", ".", "..", "%2e%2e", "a%2Fb", "%00", "%zz", "%ff", ";x=1", "~", strings.Repeat("x", 300), strings.ToUpper(s)})
		}
	}
	path = strings.Join(segments, "/")
	switch r.IntN(80) {
	case 0:
		return path + "/"
	case 1:
		return "/" + path
	case 2:
		return "http://evil.example" + path
	}
	return path
}

func (p *soakPool) query(r *rand.Rand, path string) string {
	var pairs []string
	if path == "/get_audit_events" {
		pairs = append(pairs, "limit=5") // the audit grows all the time, and all of it would take long
	}
	for one(r, 2) {
		pairs = append(pairs, url.QueryEscape(pick(r, soakParams))+"="+url.QueryEscape(p.value(r)))
	}
	if one(r, 50) {
		pairs = append(pairs, pick(r, []string{"%zz", "a;b", "&&", "=", "%", strings.Repeat("a=b&", 1000)}))
	}
	if len(pairs) == 0 {
		return ""
	}
	return "?" + strings.Join(pairs, "&")
}

// value returns a text that something knows, or a hostile one.
func (p *soakPool) value(r *rand.Rand) string {
	switch r.IntN(10) {
	case 0, 1:
		return p.project
	case 2:
		return pick(r, p.users)
	case 3:
		return pick(r, []string{p.voiceflow, p.version, p.second.VersionID, p.second.ProjectID, "Pizza Palace", "Burger Barn"})
	case 4:
		return pick(r, []string{p.key, p.second.Key, memberPassword, "flk_x", "VF.DM.x.y"})
	case 5:
		return "x" + strings.Repeat(pick(r, []string{"x", "ü", "\u0301"}), r.IntN(300))
	}
	return pick(r, soakHostile)
}

// body makes a body: mostly an object with the names of parameters, sometimes spoiled.
func (p *soakPool) body(r *rand.Rand) string {
	if one(r, 40) {
		return pick(r, []string{"", "null", "[]", "{", "\xff", "{}{}", strings.Repeat("[", 5000), `{"a":` + strings.Repeat(`{"a":`, 3000),
			strings.Repeat(" ", 70<<10), `{"question":"` + strings.Repeat("x", 300<<10) + `"}`, `{"a":"` + strings.Repeat("x", 1<<20) + `"}`})
	}
	b := p.object(r, 0)
	if one(r, 2) {
		b = p.useful(r)
	}
	if one(r, 30) {
		at := r.IntN(len(b))
		b = b[:at] + string(rune(r.IntN(256))) + b[at:]
	}
	return b
}

// useful makes a body that some route takes.
func (p *soakPool) useful(r *rand.Rand) string {
	user := pick(r, p.users)
	return pick(r, []string{
		`{"project_id":"` + p.project + `"}`,
		`{"project_id":"` + p.project + `","user_id":"` + user + `","scopes":["converse"]}`,
		`{"user_id":"` + user + `"}`,
		`{"project_id":"` + p.project + `","environments":{"default":"` + p.version + `","allowed":"all","allow_draft":[` + quoteJSON(p.value(r)) + `]}}`,
		`{"userID":"same","sessionID":"s"}`,
		`{"action":{"type":"launch"},"state":{"variables":{"a":1}}}`,
		`{"action":{"type":"text","payload":"hi"},"session":{"userID":"u"}}`,
		`{"question":"why?","synthesis":true}`,
		`{"data":{"type":"url","url":"https://example.com/","name":"x"},"name":"n","searchableFields":["a"],"items":[{"a":"b"}]}`,
		`{"version_id":"` + p.second.VersionID + `","token":"` + p.second.Key + `"}`,
		`{"name":` + quoteJSON(p.value(r)) + `,"project_id":"` + p.project + `","scopes":["converse"],"days":1}`,
		`{"username":"keeper","password":"wrong"}`,
		`{}`,
	})
}

func (p *soakPool) object(r *rand.Rand, depth int) string {
	var members []string
	for n := r.IntN(5); n >= 0; n-- {
		members = append(members, quoteJSON(pick(r, soakNames))+":"+p.json(r, depth+1))
	}
	return "{" + strings.Join(members, ",") + "}"
}

func (p *soakPool) json(r *rand.Rand, depth int) string {
	switch n := r.IntN(12); {
	case n < 8 || depth > 3:
		return quoteJSON(p.value(r))
	case n == 8:
		return p.object(r, depth)
	case n == 9:
		return "[" + p.json(r, depth+1) + "," + p.json(r, depth+1) + "]"
	}
	return pick(r, []string{"null", "true", "false", "0", "-1", "1e400", "12345678901234567890"})
}

// quoteJSON writes a text as JSON, mostly a valid one.
func quoteJSON(text string) string {
	return `"` + strings.NewReplacer(`"`, `\"`, "\r", `\r`, "\n", `\n`).Replace(text) + `"`
}

// chunked writes the body in chunks.
func chunked(r *rand.Rand, body string) string {
	var text strings.Builder
	for body != "" {
		n := 1 + r.IntN(len(body))
		fmt.Fprintf(&text, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	return text.String() + "0\r\n\r\n"
}
