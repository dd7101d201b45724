package voiceflowtest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/google/go-cmp/cmp"
)

// pizzaPalace is an assistant with a dialog.
func pizzaPalace() voiceflowtest.Assistant {
	a := voiceflowtest.NewProject("Pizza Palace", "main", "staging")
	a.Dialog = true
	return a
}

// press is what a client sends for a button: its request as the action.
func press(t *testing.T, button any) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"action": button.(map[string]any)["request"]})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// anyTraces are traces of all types.
type anyTraces []struct {
	Type    string
	Payload map[string]any
}

func (all anyTraces) types() []string {
	var types []string
	for _, t := range all {
		types = append(types, t.Type)
	}
	return types
}

// last returns the payload of the last trace of a type.
func (all anyTraces) last(t *testing.T, kind string) map[string]any {
	t.Helper()
	for _, trace := range slices.Backward(all) {
		if trace.Type == kind {
			return trace.Payload
		}
	}
	t.Fatalf("no %s in %v", kind, all)
	return nil
}

func TestADialogIsWorthTalkingTo(t *testing.T) {
	a := pizzaPalace()
	s := start(t, a)
	turn := func(t *testing.T, user, body string, types ...string) anyTraces {
		t.Helper()
		got := decode[anyTraces](t, asking(t, s, a.Key, "versionID", "main").want(200, "POST", "/state/user/"+user+"/interact", body))
		if diff := cmp.Diff(types, got.types()); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", body, diff)
		}
		return got
	}
	launched := turn(t, "ben", `{"action":{"type":"launch"}}`, "text", "text", "choice")
	buttons := launched.last(t, "choice")["buttons"].([]any)
	if len(buttons) != 3 {
		t.Fatalf("got %d buttons, want 3", len(buttons))
	}
	card := turn(t, "ben", press(t, buttons[0]), "path", "text", "cardV2").last(t, "cardV2")
	order := card["buttons"].([]any)[0]
	if got := turn(t, "ben", press(t, order), "path", "text").last(t, "text")["message"]; got != "I have added a Margherita. Your order: Margherita." {
		t.Errorf("got %q", got)
	}
	turn(t, "ben", press(t, card["buttons"].([]any)[1]), "path", "text")
	turn(t, "ben", `{"action":{"type":"path-order-sushi","payload":{"label":"Sushi"}}}`, "path", "text")
	turn(t, "ben", says("one marinara, please"), "text", "cardV2")
	turn(t, "ben", says("Menu"), "text", "carousel")
	turn(t, "ben", says("picture"), "text", "visual")
	turn(t, "ben", says("say it"), "speak", "speak")
	turn(t, "ben", says("slow"), "text", "text", "text", "text", "text")
	if got := turn(t, "ben", says("<b>what?</b>"), "text", "text")[0].Payload["message"]; got != "You said: <b>what?</b>" {
		t.Errorf("got %q", got)
	}
	turn(t, "eve", says("hello"), "text", "text", "text") // a conversation that begins without a launch greets
	for user, want := range map[string]string{
		"ben": "This is Pizza Palace. This is your turn 12. Your order: Margherita.",
		"eve": "This is Pizza Palace. This is your turn 2. Your order: nothing yet.",
	} {
		if got := turn(t, user, says("Who am I?"), "text").last(t, "text")["message"]; got != want {
			t.Errorf("%s: got %q, want %q", user, got, want)
		}
	}
	turn(t, "ben", says("bye"), "text", "end")
	turn(t, "ben", `{"action":{"type":"text","payload":"menu"},"config":{"excludeTypes":["carousel"]}}`, "text")
	asking(t, s, a.Key, "versionID", "main").want(200, "DELETE", "/state/user/ben", "")
	if got := turn(t, "ben", says("who am I"), "text", "text").last(t, "text")["message"]; !strings.Contains(fmt.Sprint(got), "your turn 1.") {
		t.Errorf("after its state was deleted: %q", got)
	}
	for _, word := range voiceflowtest.Words() {
		got := decode[anyTraces](t, asking(t, s, a.Key, "versionID", "main").want(200, "POST", "/state/user/eve/interact", says(word)))
		if text := fmt.Sprint(got.last(t, got[0].Type)["message"]); strings.HasPrefix(text, "You said") {
			t.Errorf("%q is none of its words", word)
		}
	}
}

func TestPicturesAndAudioOfADialogExist(t *testing.T) {
	a := pizzaPalace()
	s := start(t, a)
	a.Assets = s.URL()
	if err := s.Add(a); err != nil {
		t.Fatal(err)
	}
	ask := asking(t, s, a.Key, "versionID", "main")
	got := decode[anyTraces](t, ask.want(200, "POST", "/state/user/ben/interact", says("picture")))
	picture := ask.want(200, "GET", strings.TrimPrefix(got.last(t, "visual")["image"].(string), s.URL()), "")
	if kind := http.DetectContentType([]byte(picture.text)); kind != "image/png" || picture.header.Get("Content-Type") != kind {
		t.Errorf("the picture is %s, as %s", kind, picture.header.Get("Content-Type"))
	}
	got = decode[anyTraces](t, ask.want(200, "POST", "/state/user/ben/interact", says("say it")))
	audio := ask.want(200, "GET", strings.TrimPrefix(got.last(t, "speak")["src"].(string), s.URL()), "")
	if kind := http.DetectContentType([]byte(audio.text)); kind != "audio/wave" || audio.header.Get("Content-Type") != "audio/wav" {
		t.Errorf("the audio is %s, as %s", kind, audio.header.Get("Content-Type"))
	}
	ask.want(404, "GET", "/assets/a.html", "")
}

// members adds the names of all members of v to names, each with its path. The elements of an array
// count as one.
func members(names map[string]bool, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			names[path+"."+name] = true
			members(names, path+"."+name, value)
		}
	case []any:
		for _, value := range v {
			members(names, path, value)
		}
	}
}

func TestTheDialogHasTheDocumentedShapes(t *testing.T) {
	documented := map[string]map[string]bool{}
	for _, sample := range voiceflowtest.SampleTraces() {
		var trace map[string]any
		if err := json.Unmarshal(sample.Trace, &trace); err != nil || trace["type"] != sample.Type {
			t.Fatalf("%s: %v in %s", sample.Type, err, sample.Trace)
		}
		if !strings.HasPrefix(sample.Source, "https://docs.voiceflow.com/") && !strings.HasPrefix(sample.Source, "https://github.com/voiceflow/") {
			t.Errorf("%s has no source", sample.Type)
		}
		if documented[sample.Type] == nil {
			documented[sample.Type] = map[string]bool{}
		}
		members(documented[sample.Type], "", trace)
	}
	// A carousel's card has the buttons of a card, whose sample has a link.
	for name := range documented["cardV2"] {
		if rest, of := strings.CutPrefix(name, ".payload."); of {
			documented["carousel"][".payload.cards."+rest] = true
		}
	}

	a := pizzaPalace()
	s := start(t, a)
	checked := map[string]bool{}
	for _, body := range []string{
		`{}`, `{"action":{"type":"path-show-margherita","payload":{"label":"Margherita"}}}`,
		says("menu"), says("picture"), says("say it"), says("slow"), says("bye"), says("anything"),
	} {
		all := decode[[]map[string]any](t, asking(t, s, a.Key, "versionID", "main").want(200, "POST", "/state/user/ben/interact", body))
		for _, trace := range all {
			kind := trace["type"].(string)
			checked[kind] = true
			got := map[string]bool{}
			members(got, "", trace)
			for name := range got {
				// answeredBy is an addition of the stand-in, for tests of environments.
				if !documented[kind][name] && !strings.HasPrefix(name, ".payload.answeredBy") {
					t.Errorf("%s: %s is not documented", kind, name)
				}
			}
		}
	}
	for _, kind := range []string{"text", "choice", "path", "cardV2", "carousel", "visual", "speak", "end"} {
		if !checked[kind] {
			t.Errorf("no answer had a %s", kind)
		}
	}
}

// pacer lets a test release the events of streams one by one. It tells which event waits.
type pacer struct {
	waits   chan int
	release chan struct{}
}

func newPacer() pacer { return pacer{make(chan int), make(chan struct{})} }

func (p pacer) pace(ctx context.Context, n int) {
	select {
	case p.waits <- n:
	case <-ctx.Done():
		return
	}
	select {
	case <-p.release:
	case <-ctx.Done():
	}
}

// stream begins a turn that streams.
func stream(ctx context.Context, t *testing.T, s *voiceflowtest.Server, a voiceflowtest.Assistant, query, body string) (*http.Response, *bufio.Reader) {
	t.Helper()
	url := s.URL() + "/v2/project/" + a.ProjectID + "/user/ben/interact/stream?environment=main" + query
	req, err := http.NewRequestWithContext(ctx, "POST", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", a.Key)
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp, bufio.NewReader(resp.Body)
}

// next reads an event.
func next(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	var event strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("%v after %q", err, event.String())
		}
		if line == "\n" {
			return event.String()
		}
		event.WriteString(line)
	}
}

func TestATestPacesAStream(t *testing.T) {
	p := newPacer()
	a := pizzaPalace()
	a.Pace = p.pace
	s := start(t, a)
	_, r := stream(t.Context(), t, s, a, "", says("hi"))
	for next(t, r) != "id: 4\nevent: end\n" { // what is not slow comes at once
	}

	_, r = stream(t.Context(), t, s, a, "", says("slow"))
	for n := range 5 {
		if got := <-p.waits; got != n {
			t.Fatalf("the event after %d waits, want %d", got, n)
		}
		p.release <- struct{}{}
		if got := next(t, r); !strings.Contains(got, fmt.Sprintf("id: %d\nevent: trace\n", n+1)) || !strings.Contains(got, fmt.Sprintf("%d of 5", n+1)) {
			t.Fatalf("got %q", got)
		}
	}
	if got := <-p.waits; got != 5 {
		t.Fatalf("the event after %d waits, want the end", got)
	}
	p.release <- struct{}{}
	if got := next(t, r); got != "id: 6\nevent: end\n" {
		t.Fatalf("got %q", got)
	}

	// A client that leaves ends a stream that is held.
	ctx, leave := context.WithCancel(t.Context())
	stream(ctx, t, s, a, "", says("slow"))
	<-p.waits
	leave()
	<-s.Requests()[2].Done
}

func TestASlowAnswerEndsByItself(t *testing.T) {
	a := pizzaPalace()
	s := start(t, a)
	_, r := stream(t.Context(), t, s, a, "", says("slow"))
	for next(t, r) != "id: 7\nevent: end\n" { // the first turn greets
	}
}

func TestASlowAnswerCanComeInPieces(t *testing.T) {
	a := pizzaPalace()
	var asked []int
	a.Pace = func(_ context.Context, n int) { asked = append(asked, n) }
	s := start(t, a)
	_, r := stream(t.Context(), t, s, a, "&completion_events=true", says("slow"))
	events, starts := 0, 0
	for event := ""; !strings.HasSuffix(event, "event: end\n"); events++ {
		if event = next(t, r); strings.Contains(event, `"state":"start"`) {
			starts++
		}
	}
	// The first turn greets, which is one text that is not slow, in pieces of its own.
	const greeting = 2 + 4
	if starts != 6 || len(asked) != events-greeting || asked[0] != greeting {
		t.Errorf("%d texts began in %d events, and Pace was asked %v", starts, events, asked)
	}
}

func TestTracesOfATestAreSentUnchanged(t *testing.T) {
	a := pizzaPalace()
	var asked []string
	a.Traces = func(user string, action json.RawMessage) []json.RawMessage {
		asked = append(asked, user+" "+string(action))
		return []json.RawMessage{json.RawMessage("{\"type\":\"\xff\"}"), json.RawMessage("half {")}
	}
	a.Pace = func(context.Context, int) {}
	s := start(t, a)
	ask := asking(t, s, a.Key, "versionID", "main")
	const both = "{\"type\":\"\xff\"},half {"
	if got := ask.want(200, "POST", "/state/user/ben/interact", says("hi")).text; got != "["+both+"]" {
		t.Errorf("got %q", got)
	}
	in := "?projectID=" + a.ProjectID + "&environmentAlias=main"
	if got := ask.want(200, "PUT", "/v1/stable/conversation/ben"+in, says("hi")).text; got != `{"traces":[`+both+"]}" {
		t.Errorf("got %q", got)
	}
	_, r := stream(t.Context(), t, s, a, "", says("hi"))
	for _, want := range []string{"id: 1\nevent: trace\ndata: {\"type\":\"\xff\"}\n", "id: 2\nevent: trace\ndata: half {\n", "id: 3\nevent: end\n"} {
		if got := next(t, r); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if want := slices.Repeat([]string{`ben {"type":"text","payload":"hi"}`}, 3); !slices.Equal(asked, want) {
		t.Errorf("asked for %q", asked)
	}
	ask.want(200, "GET", "/v2/transcripts/"+a.ProjectID, "", `"sessionID":`)
}

func TestAnAssistantThatCanNotStreamTakesNoTurn(t *testing.T) {
	a := pizzaPalace()
	a.NoStream = true
	s := start(t, a)
	ask := asking(t, s, a.Key, "versionID", "main")
	of := "/v2/project/" + a.ProjectID + "/user/ben/interact/stream"
	ask.want(404, "POST", of+"?environment=main", says("menu"), `"statusCode":404`, "Cannot POST "+of)
	ask.want(404, "POST", "/v2beta1/interact/"+a.ProjectID+"/main/stream", `{"session":{"userID":"ben","sessionID":"1"}}`)
	session := decode[struct{ SessionKey string }](t, ask.want(200, "POST", "/v4/project/"+a.ProjectID+"/session", `{"userID":"ben"}`))
	asking(t, s, session.SessionKey).want(404, "POST", "/v4/interact/stream", says("menu"))
	ask.want(200, "POST", "/state/user/ben/interact", says("who am I"), "This is your turn 1.")
}
