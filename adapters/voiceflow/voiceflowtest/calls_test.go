package voiceflowtest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/google/go-cmp/cmp"
)

// reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	text   string
}

// asker makes calls with what is in Authorization.
type asker struct {
	t             *testing.T
	server        *voiceflowtest.Server
	authorization string
	header        http.Header
}

func asking(t *testing.T, s *voiceflowtest.Server, authorization string, header ...string) asker {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return asker{t, s, authorization, h}
}

func (a asker) send(method, path, body string) reply {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.server.URL()+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header = a.header.Clone()
	if a.authorization != "" {
		req.Header.Set("Authorization", a.authorization)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}).Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(text)}
}

// want sends a call and fails unless the answer has the status and holds the texts.
func (a asker) want(status int, method, path, body string, texts ...string) reply {
	a.t.Helper()
	got := a.send(method, path, body)
	if got.status != status {
		a.t.Fatalf("%s %s: got %d %.300s, want %d", method, path, got.status, got.text, status)
	}
	for _, text := range texts {
		if !strings.Contains(got.text, text) {
			a.t.Errorf("%s %s: got %.800s, want %s in it", method, path, got.text, text)
		}
	}
	return got
}

// decode reads an answer in JSON.
func decode[T any](t *testing.T, r reply) T {
	t.Helper()
	var v T
	if got := r.header.Get("Content-Type"); got != "application/json; charset=utf-8" {
		t.Errorf("content type: got %q", got)
	}
	if err := json.Unmarshal([]byte(r.text), &v); err != nil {
		t.Fatalf("%v in %s", err, r.text)
	}
	return v
}

func says(text string) string {
	said, _ := json.Marshal(text) // text always encodes
	return `{"action":{"type":"text","payload":` + string(said) + `},"version":"published"}`
}

type traces []struct {
	Type    string
	Payload struct{ Message, State, Content string }
}

// messages are the texts that a person reads.
func (all traces) messages() []string {
	var texts []string
	for _, t := range all {
		if t.Type == "text" {
			texts = append(texts, t.Payload.Message)
		}
	}
	return texts
}

func TestAConversationReadsLikeOne(t *testing.T) {
	a := voiceflowtest.NewAssistant("Pizza Palace", voiceflowtest.Shape2024)
	s := start(t, a)
	ask := asking(t, s, a.Key)
	for _, tc := range []struct {
		name, body string
		want       []string
	}{
		{"no action is a launch", `{}`, []string{"Hi from Pizza Palace", "What can I do for you?"}},
		{"no body is a launch", ``, []string{"Hi from Pizza Palace", "What can I do for you?"}},
		{"text is told back", says("one <Margherita> & 🍕"), []string{"You said: one <Margherita> & 🍕", "Anything else?"}},
		{"request is the older name of action", `{"request":{"type":"text","payload":"old"}}`, []string{"You said: old", "Anything else?"}},
		{"a button is told by its label", `{"action":{"type":"path-1","payload":{"label":"Salad"}}}`, []string{"You chose: Salad", "Anything else?"}},
		{"an intent is told by its name", `{"action":{"type":"intent","payload":{"query":"","intent":{"name":"order"}}}}`, []string{"You chose: order", "Anything else?"}},
		{"an event is told by its name", `{"action":{"type":"event","payload":{"event":{"name":"paid"}}}}`, []string{"You chose: paid", "Anything else?"}},
		{"types that are excluded are left out", `{"action":{"type":"text","payload":"x"},"config":{"excludeTypes":["text"]}}`, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ask := asking(t, s, a.Key)
			got := decode[traces](t, ask.want(200, "POST", "/state/user/ben/interact", tc.body))
			if diff := cmp.Diff(tc.want, got.messages()); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("the first turn of a user greets", func(t *testing.T) {
		got := decode[traces](t, asking(t, s, a.Key).want(200, "POST", "/state/user/eve/interact", says("hi")))
		if diff := cmp.Diff([]string{"Hi from Pizza Palace", "You said: hi", "Anything else?"}, got.messages()); diff != "" {
			t.Errorf("messages (-want +got):\n%s", diff)
		}
	})
	t.Run("bye ends it", func(t *testing.T) {
		got := decode[traces](t, asking(t, s, a.Key).want(200, "POST", "/state/user/eve/interact", says("bye")))
		if last := got[len(got)-1].Type; last != "end" {
			t.Errorf("got %q at the end", last)
		}
	})
	t.Run("verbose has state, trace and request", func(t *testing.T) {
		type verbose struct {
			State   struct{ Variables map[string]any }
			Trace   traces
			Request struct{ Type, Payload string }
		}
		got := decode[verbose](t, asking(t, s, a.Key).want(200, "POST", "/state/user/ben/interact?verbose=true",
			`{"action":{"type":"text","payload":"loud"},"state":{"variables":{"size":12}}}`))
		if got.State.Variables["last_utterance"] != "loud" || got.State.Variables["size"] != 12.0 || got.Request.Payload != "loud" || len(got.Trace) != 2 {
			t.Errorf("got %+v", got)
		}
	})
	ask.want(400, "POST", "/state/user/ben/interact", `{"action":`, `"statusCode":400`)
	ask.want(400, "POST", "/state/user/"+strings.Repeat("b", 129)+"/interact", `{}`)
	ask.want(200, "POST", "/state/user/"+strings.Repeat("b", 128)+"/interact", `{}`)
}

func TestStateBelongsToAUserOfAProject(t *testing.T) {
	a, b := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2024), voiceflowtest.NewAssistant("Two", voiceflowtest.Shape2024)
	s := start(t, a, b)
	one, two := asking(t, s, a.Key), asking(t, s, b.Key)
	const ben = "/state/user/ben%20%2F%20x"
	if got := one.want(200, "GET", ben, "").text; got != "{}" {
		t.Errorf("nothing was said, and the state is %s", got)
	}
	one.want(200, "POST", ben+"/interact", says("secret"))
	one.want(200, "PATCH", ben+"/variables", `{"order":"pizza"}`, `"order":"pizza"`, `"last_utterance":"secret"`)
	one.want(200, "GET", ben, "", `"order":"pizza"`, `"user_id":"ben / x"`, `"stack":[`, `"storage":{}`)
	for who, got := range map[string]reply{
		"another project": two.send("GET", ben, ""), "another user": one.send("GET", "/state/user/eve", ""),
	} {
		if got.status != 200 || got.text != "{}" {
			t.Errorf("%s gets %d %s", who, got.status, got.text)
		}
	}
	two.want(200, "DELETE", ben, "")
	one.want(200, "PUT", ben, `{"stack":[],"storage":{},"variables":{"a":1}}`)
	if got := one.want(200, "GET", ben, "").text; got != `{"stack":[],"storage":{},"variables":{"a":1}}` {
		t.Errorf("after a PUT the state is %s", got)
	}
	// The same conversation, through /v1/stable.
	stable := "/v1/stable/conversation-state/ben%20%2F%20x"
	in := "?projectID=" + a.ProjectID + "&environmentAlias=production&version=published"
	one.want(200, "GET", stable+in, "", `{"state":{"stack":[],`)
	one.want(200, "PATCH", stable+"/variables"+in, `{"variables":{"b":2}}`, `"message":`)
	one.want(200, "GET", ben, "", `"variables":{"a":1,"b":2}`)
	one.want(200, "PATCH", stable+in, `{"variables":{"c":3}}`, `"message":`)
	if got := one.want(200, "GET", ben, "").text; got != `{"variables":{"c":3}}` {
		t.Errorf("after a PATCH of /v1/stable the state is %s", got)
	}
	one.want(200, "DELETE", stable+in, "", `"message":`)
	one.want(200, "POST", ben+"/interact", says("again"))
	one.want(200, "DELETE", ben, "")
	if got := one.want(200, "GET", ben, "").text; got != "{}" {
		t.Errorf("after a DELETE the state is %s", got)
	}
	large := `{"a":"` + strings.Repeat("x", 65<<10) + `"}`
	one.want(413, "PATCH", ben+"/variables", large)
	one.want(413, "PUT", ben, large)
	one.want(400, "PUT", ben, "null")
	one.want(400, "PATCH", ben+"/variables", "[]")
	one.want(400, "GET", stable+"?projectID="+a.ProjectID+"&environmentAlias=production", "")
}

func TestTheKeyDecidesInEveryService(t *testing.T) {
	a, b := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2024), voiceflowtest.NewAssistant("Two", voiceflowtest.Shape2024)
	s := start(t, a, b)
	const missing, unauthorized = `{"message":"Missing authorization header","statusCode":401`, `{"message":"Unauthorized","statusCode":401`
	const legacyMissing, legacy = `"data":"Auth Key Required"`, `{"code":401,"status":"Unauthorized"`
	const verror = `{"name":"verror","message":"Cannot resolve project version, please verify that your API key is correct."`
	type want struct {
		status int
		body   string
	}
	dialog := []want{{401, legacyMissing}, {400, verror}, {500, `"message":"Internal server error"`}, {400, verror}}
	nest := []want{{401, missing}, {401, unauthorized}, {401, unauthorized}, {401, unauthorized}}
	api := []want{{401, legacyMissing}, {401, legacy}, {401, legacy}, {401, legacy}}
	usage := []want{{401, missing}, {401, "does not have permissions"}, {401, unauthorized}, {401, "does not have permissions"}}
	query := "?projectID=" + a.ProjectID + "&environmentAlias=production&version=published"
	for _, tc := range []struct {
		method, path, body string
		// with no key, an unknown key, Bearer, and the key of another project
		want []want
	}{
		{"POST", "/state/user/ben/interact", says("hi"), dialog},
		{"GET", "/state/user/ben", "", dialog},
		{"POST", "/v2/project/" + a.ProjectID + "/user/ben/interact/stream", says("hi"), nest},
		{"POST", "/v4/project/" + a.ProjectID + "/session", `{"userID":"ben"}`, nest},
		{"POST", "/v4/project/" + a.ProjectID + "/environment/production/session", `{"userID":"ben"}`, nest},
		{"PUT", "/v1/stable/conversation/ben" + query, says("hi"), nest},
		{"GET", "/v2/transcripts/" + a.ProjectID, "", api},
		{"POST", "/v1/transcript/project/" + a.ProjectID, "{}", nest},
		{"POST", "/v1/stable/transcript/search" + query, "{}", nest},
		{"POST", "/v1/query/usage", `{"query":[{"name":"sessions","filter":{"projectID":"` + a.ProjectID + `"}}]}`, usage},
		{"POST", "/v2/query/usage", `{"data":{"name":"interactions","filter":{"projectID":"` + a.ProjectID + `"}}}`, usage},
		{"GET", "/v1/transcript-evaluation/project/" + a.ProjectID, "", nest},
		{"POST", "/v1/stable/analytics/query/interaction-count/project/" + a.ProjectID, "{}", nest},
		{"POST", "/knowledge-base/query", `{"question":"why?","projectID":"` + a.ProjectID + `"}`, api},
		{"GET", "/v1/stable/knowledge-base/document" + query, "", nest},
		{"GET", "/v1alpha1/project/" + a.ProjectID + "/environment/production/export-json", "", nest},
		{"GET", "/v1/stable/environment/production/export" + query, "", nest},
	} {
		t.Run(tc.method+" "+tc.path, func(t *testing.T) {
			asking(t, s, a.Key, "projectid", a.ProjectID, "versionID", "production").want(200, tc.method, tc.path, tc.body)
			for i, key := range []string{"", voiceflowtest.NewKey(), "Bearer " + a.Key, b.Key} {
				got := asking(t, s, key, "projectid", a.ProjectID, "versionID", "production").
					want(tc.want[i].status, tc.method, tc.path, tc.body, tc.want[i].body)
				if key != "" && strings.Contains(got.text, key) {
					t.Error("the answer shows the key")
				}
			}
		})
	}
}

func TestTheEnvironmentIsWhatWasNamed(t *testing.T) {
	a := voiceflowtest.NewAssistant("Old", voiceflowtest.Shape2024)
	m := voiceflowtest.NewAssistant("New", voiceflowtest.Shape2026)
	s := start(t, a, m)
	const tag = `{"statusCode":400,"message":"invalid environment tag"}`
	unknown := voiceflowtest.NewID(time.Unix(0, 0))
	for _, tc := range []struct {
		name       string
		assistant  voiceflowtest.Assistant
		named      string
		dialog     int
		dialogText string
		stream     int
		streamText string
	}{
		{"an alias", a, "production", 200, "Hi from Old", 200, "Hi from Old"},
		{"an id", a, a.VersionID, 200, "Hi from Old", 200, "Hi from Old"},
		{"an id in capitals", a, strings.ToUpper(a.VersionID), 200, "Hi from Old", 200, "Hi from Old"},
		{"nothing is development", a, "", 200, "Hi from Old", 200, "Hi from Old"},
		{"nothing is development, which a newer project does not have", m, "", 400, tag, 400, tag},
		{"the alias of a newer project", m, "main", 200, "Hi from New", 200, "Hi from New"},
		{"an alias of another project", m, "production", 400, tag, 400, tag},
		{"an id of another project", m, a.VersionID, 400, "verror", 401, "Unauthorized"},
		{"an unknown id", a, unknown, 400, "verror", 404, "Environment not found"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			asking(t, s, tc.assistant.Key, "versionID", tc.named).want(tc.dialog, "POST", "/state/user/x/interact", "{}", tc.dialogText)
			ask := asking(t, s, tc.assistant.Key)
			project := tc.assistant.ProjectID
			ask.want(tc.stream, "POST", "/v2/project/"+project+"/user/x/interact/stream?environment="+tc.named, "{}", tc.streamText)
			ask.want(tc.stream, "PUT", "/v1/stable/conversation/x?projectID="+project+"&environmentAlias="+tc.named,
				`{"action":{"type":"launch"},"version":"draft"}`, tc.streamText)
			if tc.named != "" && tc.stream != 200 {
				ask.want(tc.stream, "POST", "/v4/project/"+project+"/environment/"+tc.named+"/session", `{"userID":"x"}`, tc.streamText)
			}
		})
	}
	ask := asking(t, s, a.Key)
	ask.want(400, "PUT", "/v1/stable/conversation/x?environmentAlias=production", says("hi"), "projectID is required")
	ask.want(400, "PUT", "/v1/stable/conversation/x?environmentAlias=production&projectID="+a.ProjectID, `{}`, "version is draft or published")
}

// event is a server-sent event.
type event struct{ id, name, data string }

func events(text string) []event {
	var all []event
	for part := range strings.SplitSeq(strings.TrimSuffix(text, "\n\n"), "\n\n") {
		var e event
		for line := range strings.SplitSeq(part, "\n") {
			field, value, _ := strings.Cut(line, ": ")
			switch field {
			case "id":
				e.id = value
			case "event":
				e.name = value
			case "data":
				e.data = value
			}
		}
		all = append(all, e)
	}
	return all
}

func TestStreamsHaveVoiceflowsEvents(t *testing.T) {
	a := voiceflowtest.NewAssistant("Pizza", voiceflowtest.Shape2024)
	s := start(t, a)
	ask := asking(t, s, a.Key)
	path := "/v2/project/" + a.ProjectID + "/user/ben/interact/stream"

	got := ask.want(200, "POST", path, says("hi"))
	if got.header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("content type: got %q", got.header.Get("Content-Type"))
	}
	all := events(got.text)
	if len(all) != 4 {
		t.Fatalf("got %d events in %q, want 4", len(all), got.text)
	}
	for i, e := range all {
		if e.id != fmt.Sprint(i+1) || i < 3 && (e.name != "trace" || !json.Valid([]byte(e.data))) {
			t.Errorf("event %d is %+v", i, e)
		}
	}
	if !strings.HasSuffix(got.text, "\n\nid: 4\nevent: end\n\n") {
		t.Errorf("the stream ends with %q", got.text)
	}

	t.Run("a state that is asked for is an event", func(t *testing.T) {
		all := events(asking(t, s, a.Key).want(200, "POST", path+"?state=true", says("hi")).text)
		if e := all[len(all)-2]; e.name != "state" || !strings.Contains(e.data, `"last_utterance":"hi"`) {
			t.Errorf("got %+v", e)
		}
	})
	t.Run("completion events have a text piece by piece", func(t *testing.T) {
		var states, text string
		for _, e := range events(asking(t, s, a.Key).want(200, "POST", path+"?completion_events=true", says("a b")).text) {
			var piece traces
			if err := json.Unmarshal([]byte("["+e.data+"]"), &piece); err != nil {
				t.Fatal(err)
			}
			for _, p := range piece {
				if p.Type != "completion" {
					t.Errorf("got a trace of type %q", p.Type)
				}
				states, text = states+p.Payload.State+" ", text+p.Payload.Content
			}
		}
		if text != "You said: a bAnything else?" || states != "start content content content content end start content content end " {
			t.Errorf("got %q in %s", text, states)
		}
	})
}

func session(t *testing.T, r reply) string {
	t.Helper()
	return decode[struct{ SessionKey string }](t, r).SessionKey
}

func TestV4SessionsReplaceEachOtherAndGoStale(t *testing.T) {
	a := voiceflowtest.NewAssistant("Pizza", voiceflowtest.Shape2026)
	s := start(t, a)
	ask := asking(t, s, a.Key)
	open := "/v4/project/" + a.ProjectID + "/session"

	first := session(t, ask.want(200, "POST", open, `{"userID":"ben"}`))
	if !regexp.MustCompile(`^[\w-]+\.[\w-]+\.[\w-]+$`).MatchString(first) {
		t.Errorf("the session key %q is not of the form of a JWT", first)
	}
	type answer struct{ Traces traces }
	got := decode[answer](t, asking(t, s, first).want(200, "POST", "/v4/interact", says("hi")))
	if diff := cmp.Diff([]string{"Hi from Pizza", "You said: hi", "Anything else?"}, got.Traces.messages()); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	streamed := asking(t, s, first).want(200, "POST", "/v4/interact/stream?completionEvents=true", says("hi")).text
	if !strings.HasPrefix(streamed, "\nevent: trace\ndata: {") || !strings.HasSuffix(streamed, "}\n\nevent: end\ndata: {}\n\n") || strings.Contains(streamed, "completion") {
		t.Errorf("got the stream %q", streamed)
	}
	asking(t, s, first).want(200, "POST", "/v4/interact/stream", `{"action":{"type":"text","payload":"hi"},"config":{"completionEvents":true}}`,
		`"type":"completion","payload":{"content":"You ","state":"content"}`)
	ask.want(400, "GET", "/state/user/ben", "", "invalid environment tag") // without a version that is development

	for name, key := range map[string]string{"the project's key": a.Key, "no key": "", "a made-up key": "a.b.c", "Bearer": "Bearer " + first} {
		if got := asking(t, s, key).send("POST", "/v4/interact", says("hi")); got.status != 401 || !strings.Contains(got.text, `"statusCode":401`) {
			t.Errorf("%s: got %d %s, want 401", name, got.status, got.text)
		}
	}
	ask.want(401, "GET", "/v1/transcript-evaluation/project/"+strings.Repeat("0", 24), "")
	if got := asking(t, s, first).send("POST", open, `{"userID":"ben"}`); got.status != 401 {
		t.Errorf("a session key opens a session: %d", got.status)
	}

	other := session(t, ask.want(200, "POST", open, `{"userID":"eve"}`))
	second := session(t, ask.want(200, "POST", "/v4/project/"+a.ProjectID+"/environment/main/session", `{"userID":"ben"}`))
	asking(t, s, first).want(401, "POST", "/v4/interact", says("hi"))
	asking(t, s, second).want(200, "POST", "/v4/interact", says("hi"), "Hi from Pizza")
	asking(t, s, other).want(200, "POST", "/v4/interact", says("hi"))
	// A state that is deleted ends no session.
	asking(t, s, a.Key, "versionID", "main").want(200, "DELETE", "/state/user/ben", "")
	asking(t, s, second).want(200, "POST", "/v4/interact", says("hi"), "Hi from Pizza")

	s.EndSessions()
	asking(t, s, second).want(401, "POST", "/v4/interact", says("hi"))
	asking(t, s, other).want(401, "POST", "/v4/interact/stream", says("hi"))
	third := session(t, ask.want(200, "POST", open, `{"userID":"ben"}`))
	asking(t, s, third).want(200, "POST", "/v4/interact", says("hi"))

	ask.want(400, "POST", open, `{}`)
	ask.want(400, "POST", open, `{"userID":"`+strings.Repeat("b", 257)+`"}`)
	ask.want(200, "POST", open, `{"userID":"`+strings.Repeat("ü", 256)+`"}`)
}

type found struct {
	Transcripts []struct{ ID, UserID, SessionID, ProjectID, EnvironmentAlias string }
}

func TestTranscriptsAreOfTheConversationsThatWereHeld(t *testing.T) {
	a, b := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2024), voiceflowtest.NewAssistant("Two", voiceflowtest.Shape2024)
	s := start(t, a, b)
	ask, other := asking(t, s, a.Key), asking(t, s, b.Key)
	stream := "/v2/project/" + a.ProjectID + "/user/ben/interact/stream?environment=production"
	ask.want(200, "POST", stream, `{"action":{"type":"text","payload":"first"},"sessionID":"s1"}`)
	ask.want(200, "POST", stream, `{"action":{"type":"text","payload":"second"},"sessionID":"s2"}`)
	ask.want(200, "POST", "/state/user/eve/interact", says("third"))
	other.want(200, "POST", "/state/user/eve/interact", says("elsewhere"))

	search := "/v1/transcript/project/" + a.ProjectID
	got := decode[found](t, ask.want(200, "POST", search+"?order=ASC", "{}"))
	if len(got.Transcripts) != 3 {
		t.Fatalf("got %+v, want three transcripts", got)
	}
	one := got.Transcripts[0]
	if one.UserID != "ben" || one.SessionID != "s1" || one.ProjectID != a.ProjectID || one.EnvironmentAlias != "production" || got.Transcripts[2].UserID != "eve" {
		t.Errorf("got %+v", got)
	}
	for name, tc := range map[string]struct {
		path, body string
		want       string
	}{
		"the newest is first":          {search, "{}", "eve ben ben "},
		"some are taken":               {search + "?take=1&skip=1", "{}", "ben "},
		"a session is looked for":      {search, `{"sessionID":"s2"}`, "ben "},
		"nothing is that old":          {search, `{"endDate":"2020-01-01T00:00:00.000Z"}`, ""},
		"/v1/stable takes in the body": {"/v1/stable/transcript/search?projectID=" + a.ProjectID, `{"take":1,"skip":0}`, "eve "},
		"/v1/stable has environments":  {"/v1/stable/transcript/search?projectID=" + a.ProjectID, `{"environmentAlias":"production"}`, "ben ben "},
	} {
		users := ""
		for _, r := range decode[found](t, ask.want(200, "POST", tc.path, tc.body)).Transcripts {
			users += r.UserID + " "
		}
		if users != tc.want {
			t.Errorf("%s: got %q, want %q", name, users, tc.want)
		}
	}
	for _, take := range []string{"0", "100", "x"} {
		ask.want(400, "POST", search+"?take="+take, "{}")
	}

	whole := "/v1/transcript/" + one.ID
	ask.want(200, "GET", whole, "", `"userID":"ben"`, `"logs":[{"type":"action","data":{"type":"text","payload":"first"}`, `"message":"You said: first"`)
	ask.want(200, "GET", "/v1/stable/transcript/"+one.ID+"?projectID="+a.ProjectID, "", `"logs":[`)
	ask.want(200, "GET", "/v2/transcripts/"+a.ProjectID, "", `"_id":"`+one.ID+`"`, `"sessionID":"s1"`)
	ask.want(200, "GET", "/v2/transcripts/"+a.ProjectID+"/hasUnreadTranscripts", "", "true")
	legacy := "/v2/transcripts/" + a.ProjectID + "/" + one.ID
	turns := decode[[]struct{ Format, Type string }](t, ask.want(200, "GET", legacy+"?limit=2", ""))
	if len(turns) != 2 || turns[0].Format != "request" || turns[1].Format != "trace" {
		t.Errorf("got the turns %+v", turns)
	}
	if got := ask.want(200, "GET", legacy+"/export?format=csv", "", "You said: first"); got.header.Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Errorf("content type: got %q", got.header.Get("Content-Type"))
	}
	ask.want(200, "PATCH", legacy, `{"unread":false}`, `"unread":false`)
	ask.want(200, "PUT", legacy+"/report_tag/t1", "", `"reportTags":["t1"]`)
	ask.want(200, "DELETE", legacy+"/report_tag/t1", "", `"reportTags":[]`)
	ask.want(503, "PUT", "/v2/transcripts", `{}`, "nginx")

	properties := ask.want(200, "GET", "/v1/transcript-property/project/"+a.ProjectID, "")
	property := decode[struct{ Properties []struct{ ID string } }](t, properties).Properties[0].ID
	ask.want(200, "GET", "/v1/transcript-property/"+property, "", `"name":"Language"`)
	ask.want(201, "POST", "/v1/transcript-property-value", `{"transcriptID":"`+one.ID+`","propertyID":"`+property+`","value":"en"}`)
	ask.want(200, "GET", "/v1/transcript-property-value/transcript/"+one.ID, "", `"value":"en"`)
	if got := ask.want(204, "DELETE", "/v1/transcript-property-value/transcript/"+one.ID+"/property/"+property, ""); got.text != "" {
		t.Errorf("a 204 has the body %q", got.text)
	}
	if got := ask.want(200, "GET", "/v1/transcript-property-value/transcript/"+one.ID, "").text; got != `{"values":[]}` {
		t.Errorf("the value is still there: %s", got)
	}

	other.want(404, "GET", whole, "")
	other.want(404, "DELETE", whole, "")
	other.want(404, "GET", "/v1/transcript-property-value/transcript/"+one.ID, "")
	other.want(404, "POST", "/v1/transcript-property-value", `{"transcriptID":"`+one.ID+`","propertyID":"`+property+`","value":"en"}`)
	other.want(404, "DELETE", "/v2/transcripts/"+b.ProjectID+"/"+one.ID, "")
	ask.want(204, "DELETE", whole, "")
	ask.want(404, "GET", whole, "")
	ask.want(204, "DELETE", "/v2/transcripts/"+a.ProjectID+"/"+got.Transcripts[1].ID, "")
	ask.want(200, "POST", "/state/user/ben/interact", says("fourth"), "Hi from One") // another transcript begins
}

func TestUsageCountsWhatWasSaid(t *testing.T) {
	a, b := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2024), voiceflowtest.NewAssistant("Two", voiceflowtest.Shape2024)
	s := start(t, a, b)
	ask := asking(t, s, a.Key)
	for _, user := range []string{"ben", "ben", "eve"} {
		ask.want(200, "POST", "/state/user/"+user+"/interact", says("hi"))
	}
	v1 := func(name, projects string) string {
		return `{"query":[{"name":"` + name + `","filter":{"projectID":` + projects + `}}]}`
	}
	own, others := `"`+a.ProjectID+`"`, `"`+b.ProjectID+`"`
	ask.want(200, "POST", "/v1/query/usage", v1("interactions", own), `"count":3`)
	ask.want(200, "POST", "/v1/query/usage", v1("unique_users", "["+own+"]"), `"count":2`)
	ask.want(200, "POST", "/v1/query/usage", v1("top_intents", own), `"items":[]`)
	ask.want(401, "POST", "/v1/query/usage", v1("sessions", "["+own+","+others+"]"), "does not have permissions")
	ask.want(400, "POST", "/v1/query/usage", v1("sessions", "7"))
	ask.want(400, "POST", "/v1/query/usage", v1("anything", own))
	ask.want(200, "POST", "/v2/query/usage", `{"data":{"name":"interactions","filter":{"projectID":`+own+`}}}`, `"result":{"items":[`, `"count":3`)
	ask.want(200, "POST", "/v2/query/usage", `{"data":{"name":"top_intents","filter":{"projectID":`+own+`}}}`, `{"result":{"intents":[]}}`)
	ask.want(400, "POST", "/v2/query/usage", `{"data":{"name":"interactions","filter":{"projectID":`+own+`,"limit":501}}}`)
	ask.want(200, "POST", "/v1/stable/analytics/query/unique-user-count/project/"+a.ProjectID, "{}", `{"rows":[{"count":2,`)
	ask.want(404, "POST", "/v1/stable/analytics/query/anything/project/"+a.ProjectID, "{}")

	list := ask.want(200, "GET", "/v1/transcript-evaluation/project/"+a.ProjectID, "")
	id := decode[struct{ Evaluations []struct{ ID string } }](t, list).Evaluations[0].ID
	ask.want(200, "GET", "/v1/transcript-evaluation/"+id, "", `"evaluation":{`)
	ask.want(200, "GET", "/v1/stable/evaluation?projectID="+a.ProjectID, "", id)
	ask.want(200, "GET", "/v1/stable/evaluation/"+id+"?projectID="+a.ProjectID, "", id)
	asking(t, s, b.Key).want(404, "GET", "/v1/transcript-evaluation/"+id, "")
}

// form is an upload of a file, and the type of its content.
func form(t *testing.T, name, content string) (body, contentType string) {
	t.Helper()
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	part, err := w.CreateFormFile("file", name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(part, content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String(), w.FormDataContentType()
}

func TestTheKnowledgeBaseKnowsWhatItWasTold(t *testing.T) {
	a, b := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2024), voiceflowtest.NewAssistant("Two", voiceflowtest.Shape2024)
	s := start(t, a, b)
	ask, other := asking(t, s, a.Key), asking(t, s, b.Key)
	docs := "/v1/knowledge-base/docs"
	type documents struct {
		Total int
		Data  []struct {
			DocumentID, Status string
			Tags               []string
			Data               struct {
				Type, Name, URL string
				RowsCount       int
			}
		}
	}

	body, contentType := form(t, "menu.pdf", "Margherita is nine")
	uploading := asking(t, s, a.Key, "Content-Type", contentType)
	menu := decode[documents](t, uploading.want(200, "POST", docs+"/upload?tags=food", body)).Data[0]
	if menu.Status != "SUCCESS" || menu.Data.Type != "pdf" || menu.Data.Name != "menu.pdf" || cmp.Diff([]string{"food"}, menu.Tags) != "" {
		t.Errorf("got %+v", menu)
	}
	page := decode[documents](t, ask.want(200, "POST", docs+"/upload/url", `{"data":{"type":"url","url":"https://example.com/faq","metadata":{"a":1}}}`)).Data[0]
	table := decode[struct{ Data struct{ DocumentID string } }](t, ask.want(200, "POST", docs+"/upload/table",
		`{"data":{"name":"prices","schema":{"searchableFields":["name"]},"items":[{"name":"Salad"},{"name":"Soup"}]}}`, `"rowsCount":2`)).Data

	list := decode[documents](t, ask.want(200, "GET", docs+"?page=1&limit=2", ""))
	if list.Total != 3 || len(list.Data) != 2 || list.Data[1].Data.URL != "https://example.com/faq" {
		t.Errorf("got %+v", list)
	}
	for path, want := range map[string]int{
		docs + "?page=2&limit=2": 1, docs + "?documentType=table": 1, docs + "?includeTags[]=food": 1, docs + "?excludeTags=food": 2,
		"/v3alpha/knowledge-base/docs": 3, "/v1alpha1/public/knowledge-base/document": 3,
	} {
		if got := decode[documents](t, ask.want(200, "GET", path, "")); len(got.Data) != want {
			t.Errorf("%s: got %d documents, want %d", path, len(got.Data), want)
		}
	}
	for _, limit := range []string{"0", "101", "x"} {
		ask.want(400, "GET", docs+"?limit="+limit, "")
	}
	if got := decode[documents](t, other.want(200, "GET", docs, "")); got.Total != 0 || got.Data == nil {
		t.Errorf("another project has %+v, want an empty array", got)
	}
	other.want(404, "GET", docs+"/"+menu.DocumentID, "")
	other.want(404, "DELETE", docs+"/"+menu.DocumentID, "")

	ask.want(200, "GET", docs+"/"+menu.DocumentID, "", `"chunks":[{"chunkID":"`+menu.DocumentID+`-0","content":"Margherita is nine"}]`)
	uploading.want(200, "PUT", docs+"/"+menu.DocumentID+"/upload", strings.Replace(body, "nine", "ten!", 1))
	ask.want(200, "GET", "/v3alpha/knowledge-base/docs/"+menu.DocumentID, "", "Margherita is ten!")
	ask.want(200, "PUT", docs+"/"+page.DocumentID+"/upload/url", `{"data":{"type":"url","url":"https://example.com/new"}}`, "https://example.com/new")
	ask.want(422, "POST", docs+"/upload/url", `{}`, `"error":{"code":422`)
	uploading.want(400, "POST", docs+"/upload", strings.Replace(body, `name="file"`, `name="other"`, 1))
	large, largeType := form(t, "large.txt", strings.Repeat("x", 10<<20+1))
	asking(t, s, a.Key, "Content-Type", largeType).want(400, "POST", docs+"/upload", large, "10MB")

	answered := decode[struct {
		Output      string
		Chunks      []struct{ DocumentID, Content string }
		TotalTokens int
	}](t, ask.want(200, "POST", "/knowledge-base/query", `{"question":"how much?","chunkLimit":1}`))
	if !strings.Contains(answered.Output, "how much?") || len(answered.Chunks) != 1 || answered.Chunks[0].DocumentID != menu.DocumentID || answered.TotalTokens == 0 {
		t.Errorf("got %+v", answered)
	}
	ask.want(200, "POST", "/knowledge-base/query", `{"question":"how much?","synthesis":false}`, `"output":null`)
	ask.want(401, "POST", "/knowledge-base/query", `{"question":"how much?","projectID":"`+b.ProjectID+`"}`)
	ask.want(400, "POST", "/knowledge-base/query", `{"question":"how much?","chunkLimit":31}`)

	tags := "/v3alpha/knowledge-base/tags"
	label := decode[struct{ Data struct{ TagID, Label string } }](t, ask.want(200, "POST", tags, `{"data":{"label":"drinks"}}`)).Data
	ask.want(200, "GET", tags, "", `{"data":{"label":"drinks","tagID":"`+label.TagID+`"}}`)
	ask.want(200, "PATCH", tags+"/"+label.TagID, `{"data":{"label":"food"}}`)
	ask.want(200, "GET", tags+"/"+label.TagID, "", `"label":"food"`)
	other.want(404, "GET", tags+"/"+label.TagID, "")
	tagged := "/v3alpha/knowledge-base/docs/" + table.DocumentID + "/tags"
	if got := ask.want(200, "POST", tagged+"/attach", `{"data":{"tags":["`+label.TagID+`"]}}`); got.text != "" {
		t.Errorf("attach has the body %q", got.text)
	}
	ask.want(200, "GET", docs+"/"+table.DocumentID, "", `"tags":["`+label.TagID+`"]`)
	ask.want(200, "POST", tagged+"/detach", `{"data":{"tags":["`+label.TagID+`"]}}`)
	ask.want(200, "GET", docs+"/"+table.DocumentID, "", `"tags":[]`)
	ask.want(200, "DELETE", tags+"/"+label.TagID, "")
	ask.want(404, "GET", tags+"/"+label.TagID, "")
	ask.want(200, "DELETE", docs+"/"+table.DocumentID, "")
	ask.want(404, "GET", docs+"/"+table.DocumentID, "")

	newer := "/v1alpha1/public/knowledge-base/document"
	added := decode[struct{ Data struct{ DocumentID string } }](t, ask.want(200, "POST", newer, `{"data":{"type":"url","url":"https://example.com/a"}}`)).Data.DocumentID
	ask.want(200, "POST", newer+"/upload/table", `{"data":{"name":"t","items":[{"a":1}]}}`, `"type":"table"`)
	uploading.want(200, "PUT", newer+"/"+added, body, "menu.pdf")
	ask.want(200, "PATCH", newer+"/"+added, `{"data":{"name":"renamed"}}`, `"name":"renamed"`)
	ask.want(200, "PATCH", newer+"/"+added+"/chunk/"+added+"-0", `{"data":{"content":"corrected"}}`)
	ask.want(404, "PATCH", newer+"/"+added+"/chunk/none", `{"data":{"content":"corrected"}}`)
	ask.want(200, "GET", newer+"/"+added, "", "corrected")
	ask.want(200, "DELETE", newer+"/"+added, "")

	in := "?projectID=" + a.ProjectID + "&environmentAlias=production"
	stable := "/v1/stable/knowledge-base/document"
	added = decode[struct{ Document struct{ DocumentID string } }](t, ask.want(201, "POST", stable+"/url"+in, `{"url":"https://example.com/b"}`)).Document.DocumentID
	ask.want(201, "POST", stable+"/table"+in, `{"name":"t","items":[{"a":1}]}`)
	uploading.want(201, "POST", stable+"/text"+in, body)
	ask.want(200, "GET", stable+in, "", `"documents":[`)
	ask.want(200, "PATCH", stable+"/"+added+in, `{"name":"renamed"}`, `"message":`)
	ask.want(200, "GET", stable+"/"+added+in, "", `"document":{`, `"name":"renamed"`)
	ask.want(200, "DELETE", stable+"/"+added+in, "", `"message":`)
	ask.want(404, "GET", stable+"/"+added+in, "")
	ask.want(200, "POST", "/v1/stable/knowledge-base/query"+in, `{"question":"why?","version":"published"}`, `"answer":"One was asked: why?"`)
	ask.want(400, "POST", "/v1/stable/knowledge-base/query"+in, `{"question":"why?"}`)
}

func TestTheNewerExportsAreThatExport(t *testing.T) {
	a := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2026)
	s := start(t, a)
	ask := asking(t, s, a.Key)
	whole := string(export(t, a))
	for _, path := range []string{
		"/v1alpha1/project/" + a.ProjectID + "/environment/main/export-json?version=draft",
		"/v1/stable/environment/main/export?projectID=" + a.ProjectID,
		"/v1/stable/environment/" + a.VersionID + "/export?projectID=" + a.ProjectID,
	} {
		if got := ask.want(200, "GET", path, ""); got.text != whole || got.header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%s: got %d bytes of %q, want %d", path, len(got.text), got.header.Get("Content-Type"), len(whole))
		}
	}
	ask.want(400, "GET", "/v1alpha1/project/"+a.ProjectID+"/environment/main/export-json?version=other", "")
	ask.want(400, "GET", "/v1alpha1/project/"+a.ProjectID+"/environment/production/export-json", "", "invalid environment tag")
}

func TestWhatWasSaidIsBoundedAndSafe(t *testing.T) {
	a := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2024)
	s, err := voiceflowtest.New(a)
	if err != nil {
		t.Fatal(err)
	}
	send := func(method, path, body string) string {
		w, r := httptest.NewRecorder(), httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Authorization", a.Key)
		s.ServeHTTP(w, r)
		if w.Code != 200 {
			t.Errorf("%s %s: got %d %s", method, path, w.Code, w.Body)
		}
		return w.Body.String()
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 260 {
				send("POST", fmt.Sprintf("/state/user/%d-%d/interact", i, j), says("hi"))
				if j%5 == 0 {
					send("POST", "/state/user/all/interact", says(strings.Repeat("long ", 1000)))
					send("PATCH", "/state/user/all/variables", `{"a":1}`)
				}
			}
		})
	}
	all.Wait()
	var listed []json.RawMessage
	if err := json.Unmarshal([]byte(send("GET", "/v2/transcripts/"+a.ProjectID, "")), &listed); err != nil {
		t.Fatal(err)
	}
	if len(listed) != 2000 {
		t.Errorf("got %d transcripts, want the last 2000", len(listed))
	}
	// What was said there has 2 MB in all.
	if state := send("GET", "/state/user/all", ""); len(state) > 4<<10 {
		t.Errorf("its state has %d bytes", len(state))
	}
}

func TestRequestsAreKeptAsFarAsIsAsked(t *testing.T) {
	a := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2024)
	s := start(t, a)
	ask := asking(t, s, a.Key, "Content-Type", "application/json", "X-Of-Callers", "here")

	t.Run("a large body arrives whole and is kept in part", func(t *testing.T) {
		body, contentType := form(t, "large.txt", strings.Repeat("x", 3<<20))
		asking(t, s, a.Key, "Content-Type", contentType).want(200, "POST", "/v1/knowledge-base/docs/upload?tags[]=a&tags[]=b", body, "large.txt")
		got := s.Requests()[0]
		if len(got.Body) != 1<<20 || got.Size != int64(len(body)) || got.Header.Get("Content-Type") != contentType {
			t.Errorf("got %d of %d bytes of %s, want 1 MiB of %d", len(got.Body), got.Size, got.Header.Get("Content-Type"), len(body))
		}
		if got.URL.RawQuery != "tags[]=a&tags[]=b" || got.URL.EscapedPath() != "/v1/knowledge-base/docs/upload" {
			t.Errorf("got %v", got.URL)
		}
	})
	t.Run("the path is kept as it came", func(t *testing.T) {
		asking(t, s, a.Key).want(200, "GET", "/state/user/a%2Fb%20c", "")
		if got := s.Requests()[1].URL.EscapedPath(); got != "/state/user/a%2Fb%20c" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("somebody watches", func(t *testing.T) {
		var mu sync.Mutex
		var seen []string
		s.Watch(func(r voiceflowtest.Request) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, r.Method+" "+r.Path+" "+r.Header.Get("X-Of-Callers")+" "+string(r.Body))
		})
		s.Keep(0)
		ask.want(200, "POST", "/state/user/x/interact", "{}")
		s.Watch(nil)
		ask.want(200, "POST", "/state/user/y/interact", "{}")
		mu.Lock()
		defer mu.Unlock()
		if diff := cmp.Diff([]string{"POST /state/user/x/interact here {}"}, seen); diff != "" {
			t.Errorf("seen (-want +got):\n%s", diff)
		}
	})
	t.Run("none is kept, and all are counted", func(t *testing.T) {
		if got := s.Requests(); len(got) != 0 || s.Received() != 4 {
			t.Errorf("got %d requests and a count of %d, want none and 4", len(got), s.Received())
		}
		if _, err := s.Await(t.Context(), 4); err != nil {
			t.Error(err)
		}
	})
	t.Run("the last ones are kept", func(t *testing.T) {
		s.Keep(2)
		for _, user := range []string{"a", "b", "c"} {
			asking(t, s, a.Key).want(200, "GET", "/state/user/"+user, "")
		}
		got := s.Requests()
		if len(got) != 2 || got[0].Path != "/state/user/b" || got[1].Path != "/state/user/c" {
			t.Errorf("got %+v", got)
		}
		s.Keep(1)
		if got := s.Requests(); len(got) != 1 || got[0].Path != "/state/user/c" {
			t.Errorf("got %+v", got)
		}
	})
}
