package voiceflowtest_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/google/go-cmp/cmp"
)

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
		{"GET", "/v1/stable/document" + query, "", nest},
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
			alias, aliasText := tc.stream, tc.streamText
			if len(tc.named) == len(unknown) { // an id, where only an alias is one
				alias, aliasText = 400, tag
			}
			ask.want(alias, "PUT", "/v1/stable/conversation/x?projectID="+project+"&environmentAlias="+tc.named,
				`{"action":{"type":"launch"},"version":"draft"}`, aliasText)
			if tc.named != "" && tc.stream != 200 {
				ask.want(alias, "POST", "/v4/project/"+project+"/environment/"+tc.named+"/session", `{"userID":"x"}`, aliasText)
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

func TestTheNewerExportsAreThatExport(t *testing.T) {
	a := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2026)
	s := start(t, a)
	ask := asking(t, s, a.Key)
	whole := string(export(t, a))
	for _, path := range []string{
		"/v1alpha1/project/" + a.ProjectID + "/environment/main/export-json?version=draft",
		"/v1/stable/environment/main/export?projectID=" + a.ProjectID,
	} {
		if got := ask.want(200, "GET", path, ""); got.text != whole || got.header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%s: got %d bytes of %q, want %d", path, len(got.text), got.header.Get("Content-Type"), len(whole))
		}
	}
	ask.want(400, "GET", "/v1alpha1/project/"+a.ProjectID+"/environment/main/export-json?version=other", "")
	ask.want(400, "GET", "/v1alpha1/project/"+a.ProjectID+"/environment/production/export-json", "", "invalid environment tag")
	ask.want(400, "GET", "/v1/stable/environment/"+a.VersionID+"/export?projectID="+a.ProjectID, "", "invalid environment tag")
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
