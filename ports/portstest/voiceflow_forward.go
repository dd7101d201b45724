package portstest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// credential is what the suite forwards calls with.
var credential = domain.NewSecret("VF.DM.66c700000000000000000fff.AbCdEfGhIjKlMnOp")

// forwarded is what the far side got of forwarded calls. It answers them with answer.
type forwarded struct {
	answer http.HandlerFunc

	mu   sync.Mutex
	seen []seenRequest
}

// seenRequest is a request as the far side got it.
type seenRequest struct {
	method, path, query, body string
	header                    http.Header
}

func (f *forwarded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	f.seen = append(f.seen, seenRequest{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, string(body), r.Header.Clone()})
	f.mu.Unlock()
	f.answer(w, r)
}

func (f *forwarded) requests() []seenRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.seen)
}

// serve makes the far side answer with h, and records what comes.
func (far FarSide) serve(t *testing.T, h http.HandlerFunc) *forwarded {
	t.Helper()
	f := &forwarded{answer: h}
	far.Serve(t, f)
	return f
}

// says answers with a status, a content type and a body.
func says(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// neverAnswers waits for the client to leave.
func neverAnswers(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// breaksOff closes the connection without an answer.
func breaksOff(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// assistant returns the project that the suite's calls are for, added by a version id or by an
// alias.
func assistant(version string) domain.Project {
	return domain.Project{ID: projectID(1), Name: "assistant", Voiceflow: voiceflowID(1), Version: version}
}

const versionID = "66c600000000000000000001"

// callOf returns a call, as a caller sends it, by somebody whose user ids are bound.
func callOf(t *testing.T, service domain.Service, method, path string) domain.Forward {
	t.Helper()
	route, err := domain.MatchEndpoint(string(service), method, strings.ReplaceAll(path, "{projectID}", string(voiceflowID(1))))
	wantNil(t, "preparing: "+method+" "+path, err)
	return domain.Forward{
		Route: route, Project: assistant(versionID), Environment: environment(domain.UsedEnvironment{Name: "main", Send: "main", Stage: "published"}),
		UserIDs: domain.UserIDs{
			Bind: func(own string) (string, error) { return "fl-bound-" + own, nil },
			Own:  func(bound string) (string, bool) { return strings.CutPrefix(bound, "fl-bound-") },
		},
		Handle: "the handle",
	}
}

// environment chooses used for every call.
func environment(used domain.UsedEnvironment) func(context.Context, domain.AskedEnvironment) (domain.UsedEnvironment, error) {
	return func(context.Context, domain.AskedEnvironment) (domain.UsedEnvironment, error) { return used, nil }
}

func turnOf(t *testing.T) domain.Forward {
	t.Helper()
	return callOf(t, domain.ServiceRuntime, "POST", "/state/user/ben/interact")
}

func stateOf(t *testing.T) domain.Forward {
	t.Helper()
	return callOf(t, domain.ServiceRuntime, "GET", "/state/user/ben")
}

func sessionOf(t *testing.T) domain.Forward {
	t.Helper()
	return callOf(t, domain.ServiceRuntime, "POST", "/v4/project/{projectID}/session")
}

func streamOf(t *testing.T) domain.Forward {
	t.Helper()
	return callOf(t, domain.ServiceRuntime, "POST", "/v4/interact/stream")
}

func questionOf(t *testing.T) domain.Forward {
	t.Helper()
	question := callOf(t, domain.ServiceRuntime, "POST", "/knowledge-base/query")
	question.Environment = environment(domain.UsedEnvironment{})
	return question
}

// from returns a request as a caller sends it.
func from(query, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "https://flowlatch.example/voiceflow/?"+query, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

// wantForwarded makes a call that must succeed. It returns the answer and its whole body.
func wantForwarded(t *testing.T, what string, c ports.Voiceflow, f domain.Forward, r *http.Request) (ports.Answer, string) {
	t.Helper()
	answer, err := c.Forward(t.Context(), f, r, credential)
	wantNil(t, what, err)
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	wantNil(t, what+": reading the answer", err)
	return answer, string(body)
}

// outcome returns what a call ends with: the error of Forward, or that of reading the answer.
func outcome(ctx context.Context, c ports.Voiceflow, f domain.Forward, r *http.Request) error {
	answer, err := c.Forward(ctx, f, r, credential)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return errors.Join(err, answer.Body.Close())
}

func forwardBuilds(t *testing.T, far FarSide) {
	id := string(voiceflowID(1))
	for _, tc := range []struct {
		name        string
		call        domain.Forward
		query, body string
		want        seenRequest
	}{
		{"a turn", turnOf(t), "verbose=a%26b&x=1&logs=off", `{"action":{}}`,
			seenRequest{method: "POST", path: "/state/user/fl-bound-ben/interact", query: "verbose=a%26b&logs=off", body: `{"action":{}}`}},
		{"a call without a body", stateOf(t), "verbose=true", `{"action":{}}`,
			seenRequest{method: "GET", path: "/state/user/fl-bound-ben"}},
		{"fields of the project in the query", callOf(t, domain.ServiceRealtime, "GET", "/v1/stable/conversation-state/ben"), "environmentAlias=main&version=draft&projectID=" + id, "",
			seenRequest{method: "GET", path: "/v1/stable/conversation-state/fl-bound-ben", query: "projectID=" + id + "&environmentAlias=main&version=published"}},
		{"a list in the query", callOf(t, domain.ServiceAPI, "GET", "/v1/knowledge-base/docs"), "includeTags=b&page=2&includeTags=a", "",
			seenRequest{method: "GET", path: "/v1/knowledge-base/docs", query: "includeTags=b&page=2&includeTags=a"}},
	} {
		f := far.serve(t, says(200, "application/json", `{}`))
		wantForwarded(t, "Forward of "+tc.name, far.Client(t, patience), tc.call, from(tc.query, tc.body))
		got := f.requests()[0]
		got.header = nil
		if got.method != tc.want.method || got.path != tc.want.path || got.query != tc.want.query || got.body != tc.want.body {
			t.Fatalf("Forward of %s: got %+v at the far side, want %+v", tc.name, got, tc.want)
		}
	}
}

// forwardEnvironment has names in all places in which a call can have one.
func forwardEnvironment(t *testing.T, far FarSide) {
	c := far.Client(t, patience)
	id := string(voiceflowID(1))
	byAlias, byID := domain.UsedEnvironment{Send: "main", Stage: "draft"}, domain.UsedEnvironment{Send: versionID}
	for _, tc := range []struct {
		name        string
		call        domain.Forward
		used        domain.UsedEnvironment
		query, body string
		asked       domain.AskedEnvironment
		want        seenRequest
		version     []string // the header
	}{
		{"the header and the query", turnOf(t), byAlias, "environment=in-query&environmentAlias=&versionID=other", `{}`,
			domain.AskedEnvironment{Names: []string{"in-header", "in-query", "other"}}, seenRequest{path: "/state/user/fl-bound-ben/interact", body: `{}`}, []string{"main"}},
		{"an undocumented member, which becomes what is used", turnOf(t), byID, "", `{"environment":"in-body","versionID":null}`,
			domain.AskedEnvironment{Names: []string{"in-header", "in-body"}},
			seenRequest{path: "/state/user/fl-bound-ben/interact", body: `{"environment":"` + versionID + `","versionID":"` + versionID + `"}`}, []string{versionID}},
		{"an alias whose id is known only", turnOf(t), byID, "", `{"environmentAlias":"main"}`,
			domain.AskedEnvironment{Names: []string{"in-header", "main"}}, seenRequest{path: "/state/user/fl-bound-ben/interact", body: `{"environmentAlias":null}`}, []string{versionID}},
		{"what is no text", turnOf(t), byAlias, "", `{"versionID":{"a":7}}`,
			domain.AskedEnvironment{Names: []string{"in-header"}, NoText: []string{`{"a":7}`}},
			seenRequest{path: "/state/user/fl-bound-ben/interact", body: `{"versionID":"main"}`}, []string{"main"}},
		{"the stage in query and body", callOf(t, domain.ServiceRealtime, "PUT", "/v1/stable/conversation/ben"), byAlias, "version=published", `{"version":"draft"}`,
			domain.AskedEnvironment{Names: []string{"in-header"}, Stages: []string{"published", "draft"}},
			seenRequest{path: "/v1/stable/conversation/fl-bound-ben", query: "projectID=" + id + "&environmentAlias=main", body: `{"version":"draft"}`}, nil},
		{"a session in an environment", sessionOf(t), byAlias, "", `{"userID":"ben"}`,
			domain.AskedEnvironment{Names: []string{"in-header"}},
			seenRequest{path: "/v4/project/" + id + "/environment/main/session", body: `{"userID":"fl-bound-ben"}`}, nil},
		{"a session by the traffic split", sessionOf(t), domain.UsedEnvironment{}, "", `{"userID":"ben"}`,
			domain.AskedEnvironment{Names: []string{"in-header"}},
			seenRequest{path: "/v4/project/" + id + "/session", body: `{"userID":"fl-bound-ben"}`}, nil},
		{"a turn in a session", streamOf(t), byAlias, "", `{}`, domain.AskedEnvironment{Names: []string{"in-header"}}, seenRequest{path: "/v4/interact/stream", body: `{}`}, nil},
		{"a filter that is put in", callOf(t, domain.ServiceRealtime, "POST", "/v1/stable/transcript/search"), byAlias, "", `{}`,
			domain.AskedEnvironment{Names: []string{"in-header"}},
			seenRequest{path: "/v1/stable/transcript/search", query: "projectID=" + id, body: `{"environmentAlias":"main","version":"draft"}`}, nil},
		{"a filter that is not put in", callOf(t, domain.ServiceRealtime, "POST", "/v1/stable/transcript/search"), domain.UsedEnvironment{}, "", `{"environmentAlias":""}`,
			domain.AskedEnvironment{Names: []string{"in-header"}},
			seenRequest{path: "/v1/stable/transcript/search", query: "projectID=" + id, body: `{"environmentAlias":""}`}, nil},
		{"a call that has no environment", callOf(t, domain.ServiceAPI, "GET", "/v2/transcripts/{projectID}"), domain.UsedEnvironment{}, "environment=x", "",
			domain.AskedEnvironment{}, seenRequest{path: "/v2/transcripts/" + id}, nil},
	} {
		var asked []domain.AskedEnvironment
		tc.call.Environment = func(_ context.Context, a domain.AskedEnvironment) (domain.UsedEnvironment, error) {
			asked = append(asked, a)
			return tc.used, nil
		}
		f := far.serve(t, says(200, "application/json", `{"sessionKey":"k"}`))
		r := from(tc.query, tc.body)
		r.Header.Set("versionID", "in-header")
		r.Header.Set("projectid", string(voiceflowID(2)))
		wantForwarded(t, "Forward with "+tc.name, c, tc.call, r)
		wantSame(t, "what was asked with "+tc.name, asked, []domain.AskedEnvironment{tc.asked})
		got := f.requests()[0]
		wantSame(t, "versionID with "+tc.name, got.header.Values("versionID"), tc.version)
		project := []string{id}
		if tc.call.Route.Endpoint.BySession {
			project = nil
		}
		wantSame(t, "projectid with "+tc.name, got.header.Values("projectid"), project)
		got.header, got.method = nil, ""
		if got.path != tc.want.path || got.query != tc.want.query || got.body != tc.want.body {
			t.Fatalf("Forward with %s: got %+v at the far side, want %+v", tc.name, got, tc.want)
		}
	}

	refused := turnOf(t)
	refusal := &domain.Error{Kind: domain.EnvironmentNotAllowed}
	refused.Environment = func(context.Context, domain.AskedEnvironment) (domain.UsedEnvironment, error) {
		return domain.UsedEnvironment{}, refusal
	}
	before := far.Requests()
	if err := outcome(t.Context(), c, refused, from("", "{}")); !errors.Is(err, refusal) {
		t.Fatalf("Forward whose environment is refused: got %v, want the error of Environment", err)
	}
	wantSame(t, "requests at the far side", far.Requests(), before)
}

func forwardNothingOfTheCallers(t *testing.T, far FarSide) {
	c := far.Client(t, patience)
	f := far.serve(t, says(200, "application/json", `{"sessionKey":"k"}`))
	for _, call := range []domain.Forward{turnOf(t), stateOf(t), sessionOf(t), streamOf(t), questionOf(t)} {
		r := from("token="+marker+"&authorization="+marker, `{"userID":"ben"}`)
		for _, name := range []string{
			"Authorization", "Cookie", "X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "X-Real-Ip", "Via", "Referer", "Origin", "User-Agent",
			"Proxy-Authorization", "X-Api-Key", "Connection", "Te", "Trailer", "Upgrade", "Range", "If-None-Match", "X-Http-Method-Override", "Anything-Else",
			"Traceparent", "Tracestate", "Baggage", "Sentry-Trace", "Cache-Control", "X-Requested-With",
		} {
			r.Header.Set(name, marker)
		}
		r.RemoteAddr, r.Host = marker, marker
		wantForwarded(t, "Forward", c, call, r)
	}
	for _, got := range f.requests() {
		wantSame(t, "Authorization", got.header.Values("Authorization"), []string{credential.Reveal()})
		got.header.Del("Authorization")
		if all := fmt.Sprintf("%+v", got); strings.Contains(all, marker) || strings.Contains(all, credential.Reveal()) {
			t.Fatalf("Forward: got %s at the far side, want nothing of the caller's, and the credential in Authorization only", all)
		}
	}
}

func forwardMembers(t *testing.T, far FarSide) {
	c := far.Client(t, patience)
	id := string(voiceflowID(1))
	const used = `"projectEnvironmentIDOrAlias":"main","versionVariant":"published"`
	inMain := questionOf(t)
	inMain.Environment = environment(domain.UsedEnvironment{Name: "main", Send: "main", Stage: "published"})
	usage := callOf(t, domain.ServiceAnalytics, "POST", "/v2/query/usage")
	usage.Environment = environment(domain.UsedEnvironment{})
	for _, tc := range []struct {
		name       string
		call       domain.Forward
		body, want string
	}{
		{"a user id, which is bound", sessionOf(t), `{"a":1.0,"userID":"ben"}`, `{"a":1.0,"userID":"fl-bound-ben"}`},
		{"a project, which is put in", questionOf(t), `{"question":"why?"}`, `{"question":"why?","projectID":"` + id + `"}`},
		{"the project itself", questionOf(t), `{"projectID":"` + id + `"}`, `{"projectID":"` + id + `"}`},
		{"an environment, which is put in", inMain, `{"question":"why?"}`, `{"question":"why?","projectID":"` + id + `",` + used + `}`},
		{"another environment, which is replaced", inMain, `{"projectEnvironmentIDOrAlias":"other","versionVariant":"draft"}`, `{` + used + `,"projectID":"` + id + `"}`},
		{"a project deeper down", usage, `{"data":{"filter":{}}}`, `{"data":{"filter":{"projectID":"` + id + `"}}}`},
		{"a stage, which is replaced", callOf(t, domain.ServiceRealtime, "PUT", "/v1/stable/conversation/ben"), `{"version":"draft"}`, `{"version":"published"}`},
		{"no body at all", questionOf(t), ``, `{"projectID":"` + id + `"}`},
	} {
		f := far.serve(t, says(200, "application/json", `{"sessionKey":"k"}`))
		r := from("", tc.body)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		wantForwarded(t, "Forward of "+tc.name, c, tc.call, r)
		wantSame(t, "the body with "+tc.name, f.requests()[0].body, tc.want)
		wantSame(t, "Content-Type of a body that was read as JSON", f.requests()[0].header.Get("Content-Type"), "application/json")
	}
}

func forwardOthers(t *testing.T, far FarSide) {
	c := far.Client(t, patience)
	far.serve(t, says(200, "application/json", `{}`))
	other := string(voiceflowID(2))
	before := far.Requests()
	for _, tc := range []struct {
		name string
		call domain.Forward
		r    *http.Request
	}{
		{"project in its path", callOf(t, domain.ServiceAPI, "GET", "/v2/transcripts/"+other), from("", "")},
		{"project in its query", callOf(t, domain.ServiceRealtime, "GET", "/v1/stable/evaluation"), from("projectID="+other, "")},
		{"project in its body", questionOf(t), from("", `{"projectID":"`+other+`"}`)},
	} {
		wantKind(t, "Forward of a call that names another "+tc.name, outcome(t.Context(), c, tc.call, tc.r), domain.NotFound)
	}
	wantSame(t, "requests at the far side", far.Requests(), before)
}

func forwardUnreadable(t *testing.T, far FarSide) {
	c := far.Client(t, patience)
	far.serve(t, says(200, "application/json", `{}`))
	before := far.Requests()
	for _, tc := range []struct {
		name string
		call domain.Forward
		r    *http.Request
	}{
		{"a query with a semicolon", turnOf(t), from("verbose=1;logs=1", "{}")},
		{"a query with an invalid percent-encoding", turnOf(t), from("verbose=%", "{}")},
		{"a body that is no JSON", questionOf(t), from("", marker)},
		{"a body that is no object", questionOf(t), from("", "[]")},
		{"a body with a name that comes twice", sessionOf(t), from("", `{"userID":"ben","userID":"eve"}`)},
		{"a body with bad UTF-8", questionOf(t), from("", "{\"a\":\"\xff\"}")},
		{"a body that something follows", questionOf(t), from("", "{}{}")},
		{"a body without a user id", sessionOf(t), from("", "{}")},
		{"no body, where a user id must be in it", sessionOf(t), from("", "")},
		{"a user id that is no text", sessionOf(t), from("", `{"userID":{"$ne":1}}`)},
		{"a user id that is empty", sessionOf(t), from("", `{"userID":""}`)},
		{"a user id that is too long", sessionOf(t), from("", `{"userID":"`+strings.Repeat("x", domain.MaxOwnUserID+1)+`"}`)},
	} {
		wantKind(t, "Forward of "+tc.name, outcome(t.Context(), c, tc.call, tc.r), domain.Invalid)
	}
	wantSame(t, "requests at the far side", far.Requests(), before)
}

func forwardSent(t *testing.T, far FarSide) {
	c := far.Client(t, patience)
	far.serve(t, says(200, "application/json", `{}`))
	answer, err := c.Forward(t.Context(), questionOf(t), from("", "x"), credential)
	wantKind(t, "Forward of no JSON", err, domain.Invalid)
	wantSame(t, "Sent of what is refused", answer.Sent, false)
	answer, _ = wantForwarded(t, "Forward", c, questionOf(t), from("", "{}"))
	wantSame(t, "Sent", answer.Sent, true)
	for _, tc := range []struct {
		name string
		h    http.HandlerFunc
		want domain.Kind
	}{
		{"breaks off", breaksOff, domain.VoiceflowUnavailable},
		{"rejects the credential", says(401, "application/json", `{}`), domain.CredentialsRejected},
		{"starts no session", says(200, "application/json", `{}`), domain.VoiceflowUnavailable},
	} {
		far.serve(t, tc.h)
		answer, err := c.Forward(t.Context(), sessionOf(t), from("", `{"userID":"ben"}`), credential)
		wantKind(t, "Forward to a far side that "+tc.name, err, tc.want)
		wantSame(t, "Sent to a far side that "+tc.name, answer.Sent, true)
	}
}

// forwardUnconnected has a call to a far side that nobody serves.
func forwardUnconnected(t *testing.T, far FarSide) {
	far.Fail(t, Fault{Form: FaultClosed})
	answer, err := far.Client(t, patience).Forward(t.Context(), questionOf(t), from("", "{}"), credential)
	wantKind(t, "Forward to nobody", err, domain.VoiceflowUnavailable)
	wantSame(t, "Sent to nobody", answer.Sent, false)
}

// forwardBegins has calls with bodies of each sort, some of which can't be sent.
func forwardBegins(t *testing.T, far FarSide) {
	c := far.Client(t, patience)
	upload := callOf(t, domain.ServiceAPI, "POST", "/v1/knowledge-base/docs/upload")
	form := func(file string) string {
		return "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n" + file + "\r\n--x--\r\n"
	}
	file := strings.Repeat("long ", 1<<18)
	long := form(file)
	const broken = "broken"
	for _, tc := range []struct {
		name  string
		call  domain.Forward
		query string
		body  string
		fails domain.Kind // before the call begins
	}{
		{"a call whose body is JSON", questionOf(t), "", "{}", ""},
		{"a call whose body passes part by part", upload, "", long, ""},
		{"a call whose body is short", upload, "", form("x"), ""},
		{"a call without a body", upload, "", "", ""},
		{"a call whose body is no JSON", questionOf(t), "", "x", domain.Invalid},
		{"a call whose body can't be read", upload, "", broken, domain.Invalid},
		{"a call for another project", upload, "projectID=66c600000000000000000fff", "x", domain.NotFound},
	} {
		for _, refusal := range []error{&domain.Error{Kind: domain.Unavailable}, nil} {
			seen, begun := far.serve(t, says(200, "application/json", `{}`)), 0
			r := httptest.NewRequest(http.MethodPost, "https://flowlatch.example/voiceflow/?"+tc.query, strings.NewReader(tc.body))
			if strings.HasPrefix(tc.body, "--x") {
				r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
			}
			if tc.body == broken {
				r.Body = io.NopCloser(unreadable{})
			}
			tc.call.Begin = func(ctx context.Context) error {
				if begun++; ctx.Err() != nil || len(seen.requests()) > 0 {
					t.Errorf("%s: Begin: got %d requests at the far side and the context's error %v, want none", tc.name, len(seen.requests()), ctx.Err())
				}
				return refusal
			}
			answer, err := c.Forward(t.Context(), tc.call, r, credential)
			switch {
			case tc.fails != "":
				wantKind(t, tc.name, err, tc.fails)
				wantSame(t, tc.name+": calls of Begin", begun, 0)
				wantSame(t, tc.name+": requests", len(seen.requests()), 0)
				continue
			case refusal != nil:
				wantSame(t, tc.name+" whose Begin fails: its error is that of Forward", errors.Is(err, refusal), true)
				wantSame(t, tc.name+" whose Begin fails: Sent", answer.Sent, false)
				wantSame(t, tc.name+" whose Begin fails: requests", len(seen.requests()), 0)
			default:
				wantNil(t, tc.name, err)
				wantNil(t, tc.name+": closing", answer.Body.Close())
				wantSame(t, tc.name+": requests", len(seen.requests()), 1)
			}
			wantSame(t, tc.name+": calls of Begin", begun, 1)
		}
	}
	seen := far.serve(t, says(200, "application/json", `{}`))
	upload.Begin = func(context.Context) error { return nil }
	r := from("", long)
	r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	_, _ = wantForwarded(t, "a long body", c, upload, r)
	wantSame(t, "the file of a long body at the far side", strings.Contains(seen.requests()[0].body, "\r\n\r\n"+file+"\r\n--"), true)
	other := from("", strings.Replace(form("x"), "--x\r\n", "--x\r\nContent-Disposition: form-data; name=\"projectID\"\r\n\r\n66c600000000000000000fff\r\n--x\r\n", 1))
	other.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	wantKind(t, "a form for another project", outcome(t.Context(), c, upload, other), domain.NotFound)
	wantSame(t, "a form for another project: requests", len(seen.requests()), 1)
}

// unreadable is a body that fails at once.
type unreadable struct{}

func (unreadable) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

func forwardRejected(t *testing.T, far FarSide) {
	c := far.Client(t, patience)
	for _, tc := range []struct {
		status int
		body   string
	}{
		{401, `{"message":"Unauthorized"}`}, {401, "Unauthorized"}, {401, ""},
		{400, `{"name":"verror","message":"Cannot resolve project version, please verify that your API key is correct."}`},
	} {
		for _, call := range []domain.Forward{turnOf(t), stateOf(t), streamOf(t)} {
			far.serve(t, says(tc.status, "application/json", tc.body))
			err := outcome(t.Context(), c, call, from("", "{}"))
			wantKind(t, fmt.Sprintf("Forward answered with %d %s", tc.status, tc.body), err, domain.CredentialsRejected)
		}
	}
}

func forwardUnavailable(t *testing.T, far FarSide) {
	for _, status := range []int{300, 301, 302, 303, 304, 307, 308} {
		far.Fail(t, Fault{Form: FaultRedirect, Status: status})
		err := outcome(t.Context(), far.Client(t, patience), stateOf(t), from("", ""))
		wantKind(t, fmt.Sprintf("Forward redirected with %d", status), err, domain.VoiceflowUnavailable)
	}
	wantSame(t, "requests where redirects point to", far.Elsewhere(), 0)
	far.serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "br")
		w.Header().Set("Retry-After", "120")
		says(200, "application/json", marker)(w, r)
	})
	err := outcome(t.Context(), far.Client(t, patience), stateOf(t), from("", ""))
	wantKind(t, "Forward answered in an encoding that nobody asked for", err, domain.VoiceflowUnavailable)
	e, _ := errors.AsType[*domain.Error](err)
	wantSame(t, "RetryAfter", e.RetryAfter, 2*time.Minute)
	far.serve(t, breaksOff)
	err = outcome(t.Context(), far.Client(t, patience), turnOf(t), from("", "{}"))
	wantKind(t, "Forward whose connection breaks", err, domain.VoiceflowUnavailable)
	far.Fail(t, Fault{Form: FaultClosed})
	err = outcome(t.Context(), far.Client(t, patience), turnOf(t), from("", "{}"))
	wantKind(t, "Forward while nobody listens", err, domain.VoiceflowUnavailable)
}

func forwardDown(t *testing.T, far FarSide) {
	c := far.Client(t, patience)
	far.serve(t, breaksOff)
	// How many failures tell that a service is down is not said.
	for before := -1; before != far.Requests(); {
		before = far.Requests()
		wantKind(t, "Forward to a service that is down", outcome(t.Context(), c, turnOf(t), from("", "{}")), domain.VoiceflowUnavailable)
		if before > 1000 {
			t.Fatal("Forward to a service that is down: got 1,000 requests there, want it to be known by then")
		}
	}
	err := outcome(t.Context(), c, turnOf(t), from("", "{}"))
	wantKind(t, "Forward to a service that is known to be down", err, domain.VoiceflowUnavailable)
	if e, _ := errors.AsType[*domain.Error](err); e.RetryAfter <= 0 {
		t.Fatalf("Forward to a service that is known to be down: got RetryAfter %v, want when to come back", e.RetryAfter)
	}
	far.serve(t, says(200, "application/json", "{}"))
	wantForwarded(t, "Forward to another service", c, callOf(t, domain.ServiceAnalytics, "GET", "/v1/transcript/t1"), from("", ""))
}

func forwardAgain(t *testing.T, far FarSide) {
	for _, tc := range []struct {
		name string
		call domain.Forward
		want int
	}{
		{"a GET", stateOf(t), 2},
		{"a turn", turnOf(t), 1},
		{"a JSON body", questionOf(t), 1},
		{"a DELETE", callOf(t, domain.ServiceRuntime, "DELETE", "/state/user/ben"), 1},
	} {
		far.serve(t, breaksOff)
		before := far.Requests()
		wantKind(t, "Forward of "+tc.name+" without an answer", outcome(t.Context(), far.Client(t, patience), tc.call, from("", "{}")), domain.VoiceflowUnavailable)
		wantSame(t, "requests for "+tc.name+" without an answer", far.Requests()-before, tc.want)
	}
	far.serve(t, says(503, "text/html", marker))
	before := far.Requests()
	wantForwarded(t, "Forward of a GET that is answered with 503", far.Client(t, patience), stateOf(t), from("", ""))
	wantSame(t, "requests for a GET that was answered", far.Requests()-before, 1)
}

// forwardErrors lets the far side echo the credential and a marker wherever it can.
func forwardErrors(t *testing.T, far FarSide) {
	echo := credential.Reveal() + marker
	for what, h := range map[string]http.HandlerFunc{
		"refuses the credential": says(401, "application/json", `{"message":"`+echo+`"}`),
		"says that it is wrong":  says(400, "application/json", `{"message":"Cannot resolve `+echo+`, please verify that your API key is correct."}`),
		"redirects":              func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/"+echo, http.StatusFound) },
		"is encoded":             func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Encoding", echo) },
		"breaks off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, echo)
		},
	} {
		far.serve(t, h)
		err := outcome(t.Context(), far.Client(t, patience), turnOf(t), from("", "{}"))
		if err == nil {
			t.Fatalf("Forward whose answer %s: got success, want an error", what)
		}
		wantHarmless(t, "Forward whose answer "+what, err, credential)
	}
	far.serve(t, says(200, "application/json", `{"sessionKey":{"`+echo+`":1}}`))
	err := outcome(t.Context(), far.Client(t, patience), sessionOf(t), from("", `{"userID":"ben"}`))
	wantKind(t, "Forward answered without a session key", err, domain.VoiceflowUnavailable)
	wantHarmless(t, "Forward answered without a session key", err, credential)
	far.Fail(t, Fault{Form: FaultClosed})
	wantHarmless(t, "Forward while nobody listens", outcome(t.Context(), far.Client(t, patience), turnOf(t), from("", "{}")), credential)
}

func forwardBodyErrors(t *testing.T, far FarSide) {
	far.serve(t, says(200, "application/json", "{}"))
	c := far.Client(t, patience)
	for _, call := range []domain.Forward{turnOf(t), questionOf(t)} {
		r := from("", "")
		r.ContentLength = -1
		r.Body = http.MaxBytesReader(nil, io.NopCloser(strings.NewReader(strings.Repeat("x", 100))), 50)
		err := outcome(t.Context(), c, call, r)
		if tooLong, ok := errors.AsType[*http.MaxBytesError](err); !ok || tooLong.Limit != 50 {
			t.Fatalf("Forward of a body that is too long: got %v, want the *http.MaxBytesError in it", err)
		}
		wantKind(t, "Forward of a body that is too long", err, domain.Invalid)
	}
}

func forwardConcurrent(t *testing.T, far FarSide) {
	far.serve(t, func(w http.ResponseWriter, r *http.Request) {
		id, _ := url.PathUnescape(strings.Split(r.URL.EscapedPath(), "/")[3])
		says(200, "application/json", `{"userID":"`+id+`","key":"`+r.Header.Get("Authorization")+`"}`)(w, r)
	})
	c := far.Client(t, patience)
	problems := make([]error, crowd)
	atOnce(crowd, func(i int) {
		id := fmt.Sprintf("user %d", i)
		route, err := domain.MatchEndpoint(string(domain.ServiceRuntime), "POST", "/state/user/"+url.PathEscape(id)+"/interact")
		if err != nil {
			problems[i] = err
			return
		}
		call := turnOf(t)
		call.Route = route
		answer, err := c.Forward(t.Context(), call, from("", "{}"), credential)
		if err != nil {
			problems[i] = err
			return
		}
		body, err := io.ReadAll(answer.Body)
		want := `{"userID":"` + id + `","key":"` + strings.Repeat("*", len(credential.Reveal())) + `"}`
		if problems[i] = errors.Join(err, answer.Body.Close()); problems[i] == nil {
			problems[i] = mismatch(string(body), want)
		}
	})
	for _, err := range problems {
		wantNil(t, "Forward beside others", err)
	}
}
