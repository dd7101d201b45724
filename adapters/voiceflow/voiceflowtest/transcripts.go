package voiceflowtest

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	// keptLogs is the number of log entries that a transcript keeps.
	keptLogs = 20
	// retention is how long Voiceflow was seen to keep transcripts.
	retention = 182 * 24 * time.Hour
)

// transcript is what was said in a session of a user.
type transcript struct {
	id, project, user, session string
	environment                Environment
	version, stage             string
	created, updated, ended    time.Time
	turns                      int
	logs                       []logEntry
	properties                 map[string]any // by the property's id
	tags                       []string
	marks                      map[string]any // what a PATCH of the older API said
}

// logEntry is a step of a transcript: an action of the user, or a trace.
type logEntry struct {
	Type      string `json:"type"`
	Data      any    `json:"data"`
	CreatedAt string `json:"createdAt"`
	UpdatedAt string `json:"updatedAt"`
}

// newTranscript begins a transcript. If session is "", the transcript gets an id.
func (c *call) newTranscript(user, session string) *transcript {
	now := time.Now()
	if session == "" {
		session = NewID(now)
	}
	t := &transcript{
		id: NewID(now), project: c.assistant.ProjectID, user: user, session: clip(session),
		environment: c.environment, version: c.assistant.VersionID, stage: c.stage, created: now, updated: now,
		properties: map[string]any{}, tags: []string{}, marks: map[string]any{},
	}
	c.world.transcripts.put(t.id, t)
	return t
}

func (t *transcript) note(kind string, data any) {
	if len(t.logs) == keptLogs {
		t.logs = t.logs[1:]
	}
	now := iso(time.Now())
	t.logs = append(t.logs, logEntry{kind, data, now, now})
}

// object returns the transcript as the newer services show it
// (https://docs.voiceflow.com/api-reference/transcript/search-transcripts).
func (t *transcript) object() map[string]any {
	var ended any
	if !t.ended.IsZero() {
		ended = iso(t.ended)
	}
	return map[string]any{
		"id": t.id, "userID": t.user, "sessionID": t.session, "projectID": t.project,
		"createdAt": iso(t.created), "updatedAt": iso(t.updated), "endedAt": ended, "expiresAt": iso(t.created.Add(retention)),
		"properties": t.values(), "evaluations": []any{}, "recordingURL": nil,
		"version": t.stage, "environmentAlias": t.environment.Alias,
	}
}

// values returns the properties of the transcript.
func (t *transcript) values() []any {
	values := []any{}
	for id, value := range t.properties {
		values = append(values, map[string]any{"propertyID": id, "transcriptID": t.id, "value": value})
	}
	return values
}

// whole returns object with the turns.
func (t *transcript) whole() map[string]any {
	o := t.object()
	o["logs"] = slices.Clone(t.logs)
	return o
}

// legacy returns the transcript as the older API shows it, without a user id
// (https://github.com/voiceflow/voiceflow-docs, reference/project-api.json).
func (t *transcript) legacy() map[string]any {
	o := map[string]any{
		"_id": t.id, "projectID": t.project, "sessionID": t.session, "browser": "", "device": "desktop", "os": "",
		"reportTags": slices.Clone(t.tags), "unread": true, "annotations": map[string]any{}, "creatorID": 10042,
		"createdAt": iso(t.created), "updatedAt": iso(t.updated), "user": map[string]any{"name": "", "image": ""},
	}
	for name, value := range t.marks {
		o[name] = value
	}
	return o
}

// transcripts returns the transcripts of the call's project, oldest first.
func (c *call) transcripts() []*transcript {
	return c.world.transcripts.where(func(t *transcript) bool { return t.project == c.assistant.ProjectID })
}

// transcript finds the transcript in the path. A transcript of another project is not found;
// Voiceflow's answer to that is not documented.
func (c *call) transcript(id string) *transcript {
	if t, there := c.world.transcripts.byID[id]; there && t.project == c.assistant.ProjectID {
		return t
	}
	return nil
}

// withTranscript answers a call for the transcript that its path names.
func withTranscript(serve func(*call, *transcript) answer) func(*call) answer {
	return func(c *call) answer {
		t := c.transcript(c.r.PathValue("transcriptID"))
		if t == nil {
			return c.notFound("transcript")
		}
		return serve(c, t)
	}
}

// search is the body of a search.
type search struct {
	Take             *int   `json:"take"`
	Skip             int    `json:"skip"`
	SessionID        string `json:"sessionID"`
	EnvironmentAlias string `json:"environmentAlias"`
	Environment      string `json:"projectEnvironmentIDOrAlias"`
	VersionID        string `json:"versionID"`
	OlderVersionID   string `json:"environmentID"`
	Version          string `json:"version"`
	StartDate        string `json:"startDate"`
	EndDate          string `json:"endDate"`
}

// found returns the transcripts that match a search: at most take, after the first skip.
func (c *call) found(in search, take, skip int, ascending bool) []any {
	all := c.transcripts()
	if !ascending {
		slices.Reverse(all)
	}
	found := []any{}
	for _, t := range all {
		created := iso(t.created)
		switch {
		case in.SessionID != "" && in.SessionID != t.session,
			in.EnvironmentAlias != "" && in.EnvironmentAlias != t.environment.Alias,
			in.Environment != "" && in.Environment != t.environment.ID && in.Environment != t.environment.Alias,
			cmp.Or(in.VersionID, in.OlderVersionID, t.version) != t.version,
			in.Version != "" && in.Version != t.stage,
			in.StartDate != "" && created < in.StartDate,
			in.EndDate != "" && created > in.EndDate:
		case skip > 0:
			skip--
		case len(found) < take:
			found = append(found, t.object())
		}
	}
	return found
}

// searchTranscripts serves POST /v1/transcript/project/{projectID}, which accepts a take below
// 100.
func (c *call) searchTranscripts() answer {
	var in search
	take, okTake := c.number("take", 25, 1, 99)
	skip, okSkip := c.number("skip", 0, 0, 1<<30)
	if c.read(&in) != nil || !okTake || !okSkip {
		return c.invalid("Bad Request")
	}
	return ok(map[string]any{"transcripts": c.found(in, take, skip, c.r.URL.Query().Get("order") == "ASC")})
}

// searchStable serves POST /v1/stable/transcript/search.
func (c *call) searchStable() answer {
	var in search
	if c.read(&in) != nil {
		return c.invalid("Bad Request")
	}
	take := 20
	if in.Take != nil {
		take = *in.Take
	}
	return ok(map[string]any{"transcripts": c.found(in, take, in.Skip, false)})
}

// getTranscript serves GET /v1/transcript/{transcriptID}, there and in /v1/stable.
func (c *call) getTranscript(t *transcript) answer {
	return ok(map[string]any{"transcript": t.whole()})
}

// deleteTranscript serves DELETE /v1/transcript/{transcriptID}, and that of the older
// API.
func (c *call) deleteTranscript(t *transcript) answer {
	c.world.transcripts.remove(t.id)
	for _, talk := range c.world.conversations.where(func(talk *conversation) bool { return talk.transcript == t }) {
		talk.transcript = nil // the next turn begins another
	}
	return empty(http.StatusNoContent)
}

// listLegacy serves GET /v2/transcripts/{projectID}.
func (c *call) listLegacy() answer {
	all := []any{}
	for _, t := range c.transcripts() {
		if tag := c.r.URL.Query().Get("tag"); tag == "" || slices.Contains(t.tags, tag) {
			all = append(all, t.legacy())
		}
	}
	return ok(all)
}

// unread serves GET /v2/transcripts/{projectID}/hasUnreadTranscripts.
func (c *call) unread() answer { return ok(len(c.transcripts()) > 0) }

// saveTranscript serves PUT /v2/transcripts
// (https://github.com/voiceflow/voiceflow-docs, reference/project-api.json). Voiceflow was seen to
// answer 503 permanently. A server that saves finds the session by its id.
func (c *call) saveTranscript() answer {
	if !c.world.saves {
		return no(http.StatusServiceUnavailable, FormPage, "")
	}
	var in struct {
		SessionID string `json:"sessionID"`
		VersionID string `json:"versionID"`
	}
	if c.read(&in) != nil || in.SessionID == "" || in.VersionID == "" {
		return c.invalid("Bad Request")
	}
	for _, t := range slices.Backward(c.transcripts()) {
		if t.session == clip(in.SessionID) {
			return ok(t.legacy())
		}
	}
	return ok(c.newTranscript("", in.SessionID).legacy())
}

// turns serves GET /v2/transcripts/{projectID}/{transcriptID}.
func (c *call) turns(t *transcript) answer {
	limit, okLimit := c.number("limit", 100, 1, 1000)
	offset, okOffset := c.number("offset", 0, 0, 1<<30)
	if !okLimit || !okOffset {
		return c.invalid("Bad Request")
	}
	turns := []any{}
	for i, entry := range t.logs[min(offset, len(t.logs)):] {
		if i == limit {
			break
		}
		format, kind := "trace", "text"
		if does, isAction := entry.Data.(action); isAction {
			format, kind = "request", does.Type
			if does.Type == "launch" {
				format = "launch"
			}
		}
		turns = append(turns, map[string]any{
			"turnID": fmt.Sprintf("%s-%d", t.id, offset+i), "format": format, "type": kind, "payload": entry.Data, "startTime": entry.CreatedAt,
		})
	}
	return ok(turns)
}

// exportTranscript serves GET /v2/transcripts/{projectID}/{transcriptID}/export, as CSV
// or as JSON.
func (c *call) exportTranscript(t *transcript) answer {
	if c.r.URL.Query().Get("format") != "csv" {
		return c.turns(t)
	}
	var out strings.Builder
	w := csv.NewWriter(&out)
	_ = w.Write([]string{"time", "type", "data"}) // a strings.Builder takes everything
	for _, entry := range t.logs {
		_ = w.Write([]string{entry.CreatedAt, entry.Type, string(encode(entry.Data))})
	}
	w.Flush()
	return answer{text: out.String(), contentType: "text/csv; charset=utf-8"}
}

// mark serves PATCH /v2/transcripts/{projectID}/{transcriptID} and its annotations.
func (c *call) mark(t *transcript) answer {
	var marks map[string]any
	if c.read(&marks) != nil || len(encode(marks)) > keptState {
		return c.invalid("Bad Request")
	}
	t.marks = marks
	return ok(t.legacy())
}

// tagTranscript serves PUT /v2/transcripts/{projectID}/{transcriptID}/report_tag/{tagID}.
func (c *call) tagTranscript(t *transcript) answer {
	if id := c.r.PathValue("tagID"); !slices.Contains(t.tags, id) && len(t.tags) < tagsOfOne {
		t.tags = append(t.tags, id)
	}
	return ok(t.legacy())
}

// untagTranscript serves the DELETE of the same.
func (c *call) untagTranscript(t *transcript) answer {
	t.tags = slices.DeleteFunc(t.tags, func(id string) bool { return id == c.r.PathValue("tagID") })
	return ok(t.legacy())
}

// property returns the only property that the transcripts of a project can have.
func (c *call) property() map[string]any {
	return map[string]any{
		"id": neighbour(c.assistant.ProjectID, 3), "name": "Language", "type": "string", "projectID": c.assistant.ProjectID,
	}
}

// listProperties serves GET /v1/transcript-property/project/{projectID}
// (https://github.com/voiceflow/voiceflow-docs, reference/analytics-api.json, as for the
// rest of properties, evaluations and usage).
func (c *call) listProperties() answer {
	return ok(map[string]any{"properties": []any{c.property()}})
}

// getProperty serves GET /v1/transcript-property/{propertyID}.
func (c *call) getProperty() answer {
	if p := c.property(); p["id"] == c.r.PathValue("propertyID") {
		return ok(map[string]any{"property": p})
	}
	return c.notFound("property")
}

// listValues serves GET /v1/transcript-property-value/transcript/{transcriptID}.
func (c *call) listValues(t *transcript) answer {
	return ok(map[string]any{"values": t.values()})
}

// setValue serves POST /v1/transcript-property-value.
func (c *call) setValue() answer {
	var in struct {
		TranscriptID string `json:"transcriptID"`
		PropertyID   string `json:"propertyID"`
		Value        any    `json:"value"`
	}
	if c.read(&in) != nil || in.Value == nil || len(encode(in.Value)) > keptText {
		return c.invalid("value is required")
	}
	t := c.transcript(in.TranscriptID)
	if t == nil {
		return c.notFound("transcript")
	}
	if c.property()["id"] != in.PropertyID {
		return c.notFound("property")
	}
	t.properties[in.PropertyID] = in.Value
	return created(map[string]any{"value": map[string]any{"propertyID": in.PropertyID, "transcriptID": t.id, "value": in.Value}})
}

// setStableValue serves PUT /v1/stable/transcript-property/{propertyID}/value.
func (c *call) setStableValue() answer {
	var in struct {
		TranscriptID string `json:"transcriptID"`
		Value        string `json:"value"`
	}
	if c.read(&in) != nil || in.Value == "" || len(in.Value) > keptText {
		return c.invalid("value is required")
	}
	t := c.transcript(in.TranscriptID)
	if t == nil {
		return c.notFound("transcript")
	}
	id := c.r.PathValue("propertyID")
	if c.property()["id"] != id {
		return c.notFound("property")
	}
	t.properties[id] = in.Value
	return message("property value set")
}

// listReportTags serves GET /v2/projects/{projectID}/tags, and addReportTag its PUT. The forms of the
// answers were chosen: the page shows requests only.
func (c *call) listReportTags() answer {
	all := []any{}
	for _, t := range c.world.reportTags.where(func(t *tag) bool { return t.project == c.assistant.ProjectID }) {
		all = append(all, map[string]any{"_id": t.id, "label": t.label})
	}
	return ok(all)
}

func (c *call) addReportTag() answer {
	var in struct {
		Label string `json:"label"`
	}
	if c.read(&in) != nil || in.Label == "" {
		return c.invalid("label is required")
	}
	t := &tag{NewID(time.Now()), c.assistant.ProjectID, clip(in.Label)}
	c.world.reportTags.put(t.id, t)
	return ok(map[string]any{"_id": t.id, "label": t.label})
}

// deleteValue serves DELETE
// /v1/transcript-property-value/transcript/{transcriptID}/property/{propertyID}.
func (c *call) deleteValue(t *transcript) answer {
	delete(t.properties, c.r.PathValue("propertyID"))
	return empty(http.StatusNoContent)
}
