package voiceflowtest

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// keptState is the largest state of a conversation, in bytes of JSON.
	keptState = 64 << 10
	// keptText is how much of a text in a turn is kept, in bytes.
	keptText = 2000
	// The longest user ids, in characters: in a path, and in a v4 session.
	longestUserID   = 128
	longestV4UserID = 256
)

// conversation is what is known about a user of a project. All generations of endpoints share
// it.
type conversation struct {
	state      map[string]any
	transcript *transcript // the current one; nil before the first turn
	sessionKey string      // of v4; "" for none
	turns      int         // of a Dialog
	order      []string    // of a Dialog
}

// session is a v4 session.
type session struct {
	place
	user string
}

// trace is a step of the assistant's answer. The shapes of all traces are those of [SampleTraces].
type trace struct {
	Time    int64  `json:"time"`
	Type    string `json:"type"`
	Payload any    `json:"payload,omitempty"`

	raw   []byte        // what is sent instead, from Assistant.Traces; nil for none
	slow  bool          // a stream asks Assistant.Pace before it
	pause time.Duration // before it in a stream, without Assistant.Pace
}

func newTrace(kind string, payload any) trace {
	return trace{Time: time.Now().UnixMilli(), Type: kind, Payload: payload}
}

// sent returns the bytes of t, which are JSON unless a test wants something else.
func (t trace) sent() []byte {
	if t.raw != nil {
		return t.raw
	}
	return encode(t)
}

// list returns an array of traces, as it is sent.
func list(traces []trace) []byte {
	all := make([][]byte, len(traces))
	for i, t := range traces {
		all[i] = t.sent()
	}
	return fmt.Appendf(nil, "[%s]", bytes.Join(all, []byte(",")))
}

func (c *call) textTrace(text string) trace {
	return newTrace("text", map[string]any{
		"slate":   map[string]any{"id": "slate", "content": paragraphs(text)},
		"message": text, "answeredBy": c.about(),
	})
}

// paragraphs returns the structured form of a text with one paragraph.
func paragraphs(text string) []any {
	return []any{map[string]any{"children": []any{map[string]any{"text": text}}}}
}

// endTrace has null as its payload, as in the documentation's sample.
func endTrace() trace { return newTrace("end", json.RawMessage("null")) }

// ThirdPartyCredential is in the log of each turn that asks for logs. At Voiceflow such a log has the
// headers of the requests that an API step has sent (github.com/voiceflow/general-runtime,
// runtime/lib/Handlers/api/index.ts, 2024).
const ThirdPartyCredential = "Bearer third-party-credential"

func logTrace() trace {
	return newTrace("log", map[string]any{
		"kind": "step.api", "level": "info",
		"message": map[string]any{"request": map[string]any{"headers": map[string]any{"Authorization": ThirdPartyCredential}}},
	})
}

// completion returns a piece of a text that is sent while it is written: start, content, end.
func completion(state, content string) trace {
	payload := map[string]any{"state": state}
	if content != "" {
		payload["content"] = content
	}
	return newTrace("completion", payload)
}

// action is what the user does.
type action struct {
	Type    string `json:"type"`
	Payload any    `json:"payload,omitempty"`
}

// turn is the body of a turn, in every generation.
type turn struct {
	Action    *action         `json:"action"`
	Request   *action         `json:"request"` // the older name of action
	Variables map[string]any  `json:"variables"`
	State     json.RawMessage `json:"state"`
	SessionID string          `json:"sessionID"`
	Session   struct {
		UserID    string `json:"userID"`
		SessionID string `json:"sessionID"`
	} `json:"session"` // of v2beta1
	Version string `json:"version"`
	Config  struct {
		CompletionEvents bool     `json:"completionEvents"`
		ExcludeTypes     []string `json:"excludeTypes"`
	} `json:"config"`
}

// does returns the action, or a launch if there is none.
func (t turn) does() action {
	switch {
	case t.Action != nil && t.Action.Type != "":
		return *t.Action
	case t.Request != nil && t.Request.Type != "":
		return *t.Request
	}
	return action{Type: "launch"}
}

// says returns the text in an action: what was typed, or the name of the button, the intent or
// the event.
func (a action) says() string {
	value := a.Payload
	for range 3 {
		switch v := value.(type) {
		case string:
			return v
		case map[string]any:
			value = nil
			for _, name := range []string{"message", "label", "query", "name", "intent", "event"} {
				if v[name] != nil && v[name] != "" {
					value = v[name]
					break
				}
			}
		}
	}
	return a.Type
}

// userID returns the user id in the path, or "" if it is too long.
func (c *call) userID() string {
	if id := c.r.PathValue("userID"); utf8.RuneCountInString(id) <= longestUserID {
		return id
	}
	return ""
}

// conversation returns what is known about the user. It begins a conversation if there is none.
func (c *call) conversation(user string) *conversation {
	id := c.assistant.ProjectID + "/" + user
	talk, there := c.world.conversations.byID[id]
	if !there {
		talk = &conversation{}
		c.world.conversations.put(id, talk)
	}
	return talk
}

// newState returns the state of a conversation in which nothing was said.
func (c *call) newState(user string) map[string]any {
	return map[string]any{
		"stack": []any{map[string]any{
			"programID": c.assistant.VersionID, "diagramID": c.assistant.VersionID, "nodeID": "start",
			"variables": map[string]any{}, "storage": map[string]any{}, "commands": []any{},
		}},
		"storage":   map[string]any{},
		"variables": map[string]any{"user_id": user, "last_utterance": 0, "sessions": 1},
	}
}

// lines returns what the assistant says to an action. begins means that the conversation begins
// with it.
func (c *call) lines(does action, begins bool) []string {
	var lines []string
	if begins || does.Type == "launch" {
		lines = append(lines, "Hi from "+c.assistant.Name)
	}
	switch does.Type {
	case "launch":
		return append(lines, "What can I do for you?")
	case "text":
		return append(lines, "You said: "+does.says(), "Anything else?")
	}
	return append(lines, "You chose: "+does.says(), "Anything else?")
}

// sessionHeader returns the header sessionID as Node.js reads it, in ISO 8859-1.
func (c *call) sessionHeader() string {
	value := c.r.Header.Get("sessionID")
	text := make([]rune, len(value))
	for i, b := range []byte(value) {
		text[i] = rune(b)
	}
	return string(text)
}

// take handles a turn: it changes the state and returns what the assistant answers. The
// transcript is a conversation that a person can read. The state is kept under the id stateID. A
// turn that names no session goes on with the session otherwise, or, if that is "", with the current
// one.
func (c *call) take(stateID, user string, in turn, otherwise string) ([]trace, *conversation) {
	talk := c.conversation(stateID)
	if talk.state == nil {
		talk.state = c.newState(user)
	}
	if storage, isObject := talk.state["storage"].(map[string]any); isObject {
		storage["answeredBy"] = c.about()
	}
	var sent struct {
		Variables map[string]any `json:"variables"`
	}
	_ = json.Unmarshal(in.State, &sent) // a state without variables changes none
	merge(talk.state, sent.Variables)
	merge(talk.state, in.Variables)

	does := in.does()
	session := clip(cmp.Or(c.sessionHeader(), in.SessionID, otherwise))
	named := c.sessionHeader()+in.SessionID != ""
	begins := talk.transcript == nil || session != "" && session != talk.transcript.session || does.Type == "launch" && !named
	if begins {
		talk.transcript = c.newTranscript(user, session)
	}
	text := does.says()
	if does.Type != "launch" {
		merge(talk.state, map[string]any{"last_utterance": clip(text)})
	}

	talk.transcript.note("action", action{does.Type, clip(text)})
	traces := c.answers(talk, user, does, begins)
	for _, t := range traces {
		c.keep(talk.transcript, t)
	}
	traces = slices.DeleteFunc(traces, func(t trace) bool { return slices.Contains(in.Config.ExcludeTypes, t.Type) })
	talk.transcript.turns++
	talk.transcript.updated = time.Now()
	return traces, talk
}

// answers returns what the assistant answers to an action. begins means that the conversation begins
// with it.
func (c *call) answers(talk *conversation, user string, does action, begins bool) []trace {
	var traces []trace
	switch {
	case c.assistant.Traces != nil:
		for _, raw := range c.assistant.Traces(user, encode(does)) {
			traces = append(traces, trace{raw: append([]byte{}, raw...), slow: true})
		}
	case c.assistant.Dialog:
		traces = c.dialogue(talk, does, begins)
	default:
		for _, line := range c.lines(does, begins) {
			traces = append(traces, c.textTrace(line))
		}
		if does.Type == "text" && strings.EqualFold(does.says(), "bye") {
			traces = append(traces, endTrace())
		}
	}
	return traces
}

// keep notes a trace in the transcript. A trace of [Assistant.Traces] is not noted, because it may be
// no JSON.
func (c *call) keep(in *transcript, t trace) {
	payload, _ := t.Payload.(map[string]any)
	text, _ := payload["message"].(string)
	switch {
	case t.raw != nil:
	case t.Type == "end":
		in.ended = time.Now()
	case t.Type == "text":
		in.note("trace", json.RawMessage(encode(c.textTrace(clip(text)))))
	default:
		in.note("trace", json.RawMessage(encode(t)))
	}
}

// merge puts variables into a state, unless it would become too large.
func merge(state, variables map[string]any) bool {
	into, isObject := state["variables"].(map[string]any)
	if !isObject {
		into = map[string]any{}
	}
	merged := map[string]any{}
	for _, from := range []map[string]any{into, variables} {
		for name, value := range from {
			merged[name] = value
		}
	}
	if len(encode(merged)) > keptState {
		return false
	}
	state["variables"] = merged
	return true
}

func clip(text string) string {
	if len(text) <= keptText {
		return text
	}
	return strings.ToValidUTF8(text[:keptText], "") + "…"
}

// pieceEvery is the pause between the pieces of a slow text.
const pieceEvery = 40 * time.Millisecond

// pieces returns the traces with each text in pieces, word by word.
func pieces(traces []trace) []trace {
	var all []trace
	for _, t := range traces {
		payload, _ := t.Payload.(map[string]any)
		text, _ := payload["message"].(string)
		if t.Type != "text" || text == "" {
			all = append(all, t)
			continue
		}
		parts := []trace{completion("start", "")}
		for word := range strings.SplitAfterSeq(text, " ") {
			parts = append(parts, completion("content", word))
		}
		parts = append(parts, completion("end", ""))
		for i := range parts {
			if parts[i].slow = t.slow; t.slow {
				parts[i].pause = pieceEvery
			}
		}
		parts[0].pause = t.pause
		all = append(all, parts...)
	}
	return all
}

// logged adds a log to the traces of a turn, if the query asks for logs.
func (c *call) logged(traces []trace, excluded []string) []trace {
	if logs := c.r.URL.Query().Get("logs"); logs != "" && logs != "off" && !slices.Contains(excluded, "log") {
		return append(traces, logTrace())
	}
	return traces
}

// interact serves POST /state/user/{userID}/interact
// (https://docs.voiceflow.com/reference/stateinteract-1). The session of a turn is that of the header
// sessionID, or else the user id (github.com/voiceflow/general-runtime,
// lib/clients/analytics-ingester.ts, 2024).
func (c *call) interact() answer {
	var in turn
	user := c.userID()
	if user == "" || c.read(&in) != nil {
		return c.invalid("Bad Request")
	}
	traces, talk := c.take(user, user, in, user)
	traces = c.logged(traces, in.Config.ExcludeTypes)
	if c.r.URL.Query().Get("verbose") == "true" {
		return asWritten(`{"request":%s,"state":%s,"trace":%s}`, encode(in.does()), encode(talk.state), list(traces))
	}
	return asWritten("%s", list(traces))
}

// firstState serves GET /interact/{versionID}/state
// (https://github.com/voiceflow/general-runtime, backend/docs/openapi.yaml).
func (c *call) firstState() answer {
	state := c.newState("")
	delete(state["variables"].(map[string]any), "user_id") // nobody is named
	return ok(state)
}

// interactStateless serves POST /interact/{versionID}. Nothing is kept: the next state is in the
// answer.
func (c *call) interactStateless() answer {
	var in struct {
		turn

		State map[string]any `json:"state"`
	}
	if c.read(&in) != nil {
		return c.invalid("Bad Request")
	}
	if in.State == nil {
		in.State, _ = c.firstState().body.(map[string]any)
	}
	does := in.does()
	traces := c.answers(&conversation{}, "", does, false)
	traces = slices.DeleteFunc(traces, func(t trace) bool { return slices.Contains(in.Config.ExcludeTypes, t.Type) })
	if does.Type != "launch" && !merge(in.State, map[string]any{"last_utterance": clip(does.says())}) {
		return no(http.StatusRequestEntityTooLarge, c.plainForm(), "Payload Too Large")
	}
	traces = c.logged(traces, in.Config.ExcludeTypes)
	return asWritten(`{"request":%s,"state":%s,"trace":%s}`, encode(does), encode(in.State), list(traces))
}

// state serves GET /state/user/{userID}. It answers {} for an unknown user.
func (c *call) state() answer {
	talk, there := c.world.conversations.byID[c.assistant.ProjectID+"/"+c.userID()]
	if !there || talk.state == nil {
		return ok(map[string]any{})
	}
	return ok(talk.state)
}

// setState serves PUT /state/user/{userID}, and the PATCH of /v1/stable.
func (c *call) setState() answer {
	var state map[string]any
	user := c.userID()
	if user == "" || c.read(&state) != nil || state == nil {
		return c.invalid("the body is a state")
	}
	if len(encode(state)) > keptState {
		return no(http.StatusRequestEntityTooLarge, c.plainForm(), "Payload Too Large")
	}
	c.conversation(user).state = state
	return ok(state)
}

// deleteState serves DELETE /state/user/{userID}.
func (c *call) deleteState() answer {
	c.world.forget(c.assistant.ProjectID, c.userID())
	return ok(map[string]any{})
}

// setVariables serves PATCH /state/user/{userID}/variables.
func (c *call) setVariables() answer {
	var variables map[string]any
	user := c.userID()
	if user == "" || c.read(&variables) != nil {
		return c.invalid("the body is an object")
	}
	talk := c.conversation(user)
	if talk.state == nil {
		talk.state = c.newState(user)
	}
	if !merge(talk.state, variables) {
		return no(http.StatusRequestEntityTooLarge, c.plainForm(), "Payload Too Large")
	}
	return ok(talk.state)
}

// forget empties a conversation. Transcripts and a v4 session stay.
func (w *world) forget(project, user string) {
	if talk, there := w.conversations.byID[project+"/"+user]; there {
		talk.state, talk.transcript, talk.turns, talk.order = nil, nil, 0, nil
	}
}

// event is a server-sent event.
type event struct {
	text  string
	slow  bool          // Assistant.Pace is asked before it
	pause time.Duration // before it, without Assistant.Pace
}

// eventOf returns an event with the fields, one per line, and with data if there are any. A line break
// in data begins a further line of data.
func eventOf(fields string, data []byte) event {
	if data != nil {
		fields += "data: " + strings.ReplaceAll(string(data), "\n", "\ndata: ") + "\n"
	}
	return event{text: fields + "\n"}
}

// after makes e wait like t.
func (e event) after(t trace) event {
	e.slow, e.pause = t.slow, t.pause
	return e
}

// endOf makes e the event at the end of the traces.
func (e event) endOf(traces []trace) event {
	e.slow = slices.ContainsFunc(traces, func(t trace) bool { return t.slow })
	return e
}

// send sends the events one by one, until the client leaves.
func (c *call) send(w http.ResponseWriter, opening string, events []event) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = io.WriteString(w, opening) // if the client left, the next write fails too
	flush(w)
	for n, e := range events {
		if e.slow {
			c.wait(n, e.pause)
		}
		if _, err := io.WriteString(w, e.text); err != nil || c.r.Context().Err() != nil {
			return
		}
		flush(w)
	}
}

// wait lets the assistant's Pace decide when the event after n others is sent. Without a Pace it
// waits for the pause, or until the client leaves.
func (c *call) wait(n int, pause time.Duration) {
	ctx := c.r.Context()
	if c.assistant.Pace != nil {
		c.assistant.Pace(ctx, n)
		return
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// stream serves POST /v2/project/{projectID}/user/{userID}/interact/stream
// (https://docs.voiceflow.com/api-reference/conversation/interact-stream).
func (c *call) stream() answer {
	var in turn
	user := c.userID()
	if user == "" || c.read(&in) != nil {
		return c.invalid("Bad Request")
	}
	if c.assistant.NoStream {
		return c.noStream()
	}
	traces, talk := c.take(user, user, in, "")
	query := c.r.URL.Query()
	if query.Get("completion_events") == "true" {
		traces = pieces(traces)
	}
	var events []event
	head := func(name string) string { return fmt.Sprintf("id: %d\nevent: %s\n", len(events)+1, name) }
	for _, t := range traces {
		events = append(events, eventOf(head("trace"), t.sent()).after(t))
	}
	if query.Get("state") == "true" {
		events = append(events, eventOf(head("state"), encode(talk.state)))
	}
	// The last event has no data in the documentation's sample.
	return answer{events: append(events, eventOf(head("end"), nil).endOf(traces))}
}

// noStream is the answer of an assistant that can't stream. No documentation has that case. A 404 was
// chosen, in the form of a NestJS service for a route that it does not have. An older runtime, such as
// that of a private cloud, has no route for streams
// (github.com/voiceflow/general-runtime, backend/docs/openapi.yaml, 2024).
func (c *call) noStream() answer {
	return no(http.StatusNotFound, FormNest, "Cannot "+c.r.Method+" "+c.r.URL.Path)
}

// streamBeta serves POST /v2beta1/interact/{projectID}/{versionID}/stream
// (https://github.com/voiceflow/voiceflow-docs, reference/streaming-runtime-api.json). The runtime
// joins the user id and the session id into the id of one conversation (github.com/voiceflow/general-runtime,
// lib/services/interact/index.ts, 2024).
func (c *call) streamBeta() answer {
	var in turn
	if c.read(&in) != nil || in.Session.UserID == "" || in.Session.SessionID == "" {
		return c.invalid("Bad Request")
	}
	joined := in.Session.UserID + in.Session.SessionID
	if utf8.RuneCountInString(joined) > 2*longestUserID {
		return c.invalid("Bad Request")
	}
	if c.assistant.NoStream {
		return c.noStream()
	}
	in.SessionID = in.Session.SessionID
	traces, talk := c.take(joined, in.Session.UserID, in, "")
	var events []event
	head := func(name string) string { return fmt.Sprintf("event: %s\nid: %d\n", name, len(events)+1) }
	for _, t := range traces {
		events = append(events, eventOf(head("trace"), fmt.Appendf(nil, `{"trace":%s,"type":"trace"}`, t.sent())).after(t))
	}
	events = append(events, eventOf(head("state"), encode(map[string]any{"type": "state", "state": talk.state})))
	return answer{events: append(events, eventOf(head("end"), []byte(`{"type":"end"}`)).endOf(traces))}
}

// openSession serves POST /v4/project/{projectID}/session and the route with an environment
// (https://docs.voiceflow.com/api-reference/conversations-api/overview). A session replaces the
// user's last one.
func (c *call) openSession() answer {
	var in struct {
		UserID string `json:"userID"`
	}
	if err := c.read(&in); err != nil || in.UserID == "" || utf8.RuneCountInString(in.UserID) > longestV4UserID {
		return c.invalid("userID has 1 to 256 characters")
	}
	talk := c.conversation(in.UserID)
	c.world.sessions.remove(talk.sessionKey)
	talk.sessionKey, talk.transcript = newSessionKey(), nil
	c.world.sessions.put(talk.sessionKey, session{c.place, in.UserID})
	return ok(map[string]any{"sessionKey": talk.sessionKey})
}

// newSessionKey returns an opaque key in the form of a JWT, like Voiceflow's.
func newSessionKey() string {
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + part([]byte(`{"jti":"`+rand.Text()+`"}`)) + "." + part([]byte(rand.Text()+rand.Text()))
}

func (w *world) endSessions() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sessions = newShelf[session](keptConversations)
}

// inSession serves the calls of a pattern that need the key of a session. A project's key is
// refused like a missing key.
func (s *Server) inSession(pattern string, serve func(*call) answer) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		key := r.Header.Get("Authorization")
		s.world.mu.Lock()
		in, there := s.world.sessions.byID[key]
		s.world.mu.Unlock()
		switch {
		case key == "":
			refuse(w, nestDoor.none.status, nestDoor.none.form, nestDoor.none.message)
		case !there:
			refuse(w, nestDoor.wrong.status, nestDoor.wrong.form, nestDoor.wrong.message)
		default:
			s.serve(w, &call{
				r: r, world: s.world, place: in.place, session: in, form: nestDoor.invalid,
			}, serve)
		}
	})
}

// interactV4 serves POST /v4/interact.
func (c *call) interactV4() answer {
	var in turn
	if c.read(&in) != nil {
		return c.invalid("Bad Request")
	}
	traces, _ := c.take(c.session.user, c.session.user, in, "")
	return asWritten(`{"traces":%s}`, list(traces))
}

// streamV4 serves POST /v4/interact/stream. At Voiceflow its body was seen to begin with a blank
// line and to end with an event that has data. The body of the request asks for completion
// events.
func (c *call) streamV4() answer {
	var in turn
	if c.read(&in) != nil {
		return c.invalid("Bad Request")
	}
	if c.assistant.NoStream {
		return c.noStream()
	}
	traces, _ := c.take(c.session.user, c.session.user, in, "")
	if in.Config.CompletionEvents {
		traces = pieces(traces)
	}
	var events []event
	for _, t := range traces {
		events = append(events, eventOf("event: trace\n", t.sent()).after(t))
	}
	return answer{opening: "\n", events: append(events, eventOf("event: end\n", []byte("{}")).endOf(traces))}
}

// converse serves PUT /v1/stable/conversation/{userID}
// (https://github.com/voiceflow/cli, .speakeasy/out.openapi.yaml, as for all of
// /v1/stable).
func (c *call) converse() answer {
	var in turn
	user := c.userID()
	if user == "" || c.read(&in) != nil || !isStage(in.Version) {
		return c.invalid("version is draft or published")
	}
	if len(c.assistant.Environments) > 0 && !c.inStage(in.Version) {
		return answer{refused: &nestDoor.unknown}
	}
	traces, _ := c.take(user, user, in, "")
	return asWritten(`{"traces":%s}`, list(traces))
}

// staged answers a call of /v1/stable whose query must have a version.
func staged(serve func(*call) answer) func(*call) answer {
	return func(c *call) answer {
		if !isStage(c.r.URL.Query().Get("version")) {
			return c.invalid("version is draft or published")
		}
		return serve(c)
	}
}

// stableState serves GET /v1/stable/conversation-state/{userID}.
func (c *call) stableState() answer { return ok(map[string]any{"state": c.state().body}) }

// setStableState serves PATCH /v1/stable/conversation-state/{userID}.
func (c *call) setStableState() answer {
	if a := c.setState(); a.refused != nil {
		return a
	}
	return message("conversation state updated")
}

// deleteStableState serves DELETE /v1/stable/conversation-state/{userID}.
func (c *call) deleteStableState() answer {
	c.world.forget(c.assistant.ProjectID, c.userID())
	return message("conversation state deleted")
}

// setStableVariables serves PATCH /v1/stable/conversation-state/{userID}/variables.
func (c *call) setStableVariables() answer {
	var in struct {
		Variables map[string]any `json:"variables"`
	}
	user := c.userID()
	if user == "" || c.read(&in) != nil || in.Variables == nil {
		return c.invalid("variables is an object")
	}
	talk := c.conversation(user)
	if talk.state == nil {
		talk.state = c.newState(user)
	}
	if !merge(talk.state, in.Variables) {
		return no(http.StatusRequestEntityTooLarge, FormNest, "Payload Too Large")
	}
	return message("variables updated")
}
