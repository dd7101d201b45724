package forward_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/flowlatch/flowlatch/adapters/voiceflow"
	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/app/forward"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
)

// isolation is an installation in front of the stand-in for Voiceflow, with the real client between
// them. All assistants are of one Voiceflow project with two environments, so that only the service keeps
// them apart.
type isolation struct {
	*world
	standIn *voiceflowtest.Server
	project string
	parties []party
	owner   map[string]string // of each state that Voiceflow may have kept: the party
	learned []string          // ids that came to Voiceflow, and parts of them
}

// tester is a *testing.T or a *rapid.T.
type tester interface {
	rapid.TB
	Context() context.Context
}

// party is a caller of an assistant. No two parties share a conversation. A party says its name in
// each turn.
type party struct {
	name string
	by   forward.Input
	own  bool // its ids are its own
}

func newIsolation(t *testing.T) *isolation {
	t.Helper()
	standIn, err := voiceflowtest.Start()
	must(t, err)
	t.Cleanup(standIn.Close)
	standIn.SaveTranscripts()
	i := &isolation{world: newWorld(t), standIn: standIn, project: "6371c9b4e1a5b2c3d4e5f607", owner: map[string]string{}, learned: []string{"first"}}
	i.client, err = voiceflow.New(voiceflow.Options{
		BaseURL: standIn.URL(), RuntimeURL: standIn.URL(), AnalyticsURL: standIn.URL(), RealtimeURL: standIn.URL(), Timeout: time.Minute,
	})
	must(t, err)
	i.Forwarder = i.instance(t)
	known := voiceflowtest.NewProject("Bot", environments...)
	known.ProjectID, known.Key = i.project, firstKey
	must(t, standIn.Add(known))
	for _, name := range environments {
		i.addParties(t, name)
	}
	// Access tokens with user ids of their own share them, so one party has them.
	_, backEnd := i.tokenOf(t, i.Admin, domain.TokenSpec{Project: i.assistant(t, environments[0]).ID, Scopes: readsAndTalks, OwnUsers: true})
	i.add("back end", backEnd, true)
	return i
}

// environments are those of the Voiceflow project.
var environments = []string{"main", "staging"}

var readsAndTalks = domain.ScopesOf(domain.ScopeConverse, domain.ScopeTranscripts)

// assistant adds an assistant with that default environment, for which every environment is allowed.
func (i *isolation) assistant(t *testing.T, environment string) domain.Project {
	t.Helper()
	added := i.Project(t, "Bot")
	p, err := i.Store.Ports().Projects.Update(t.Context(), i.act(domain.ActionSetToken), added.ID, func(p *domain.Project) error {
		p.Version, p.Environments = environment, domain.Environments{Default: environment, All: true}
		return nil
	})
	must(t, err)
	return p
}

// addParties adds an assistant with two users and with two access tokens of one of them.
func (i *isolation) addParties(t *testing.T, environment string) {
	t.Helper()
	p := i.assistant(t, environment)
	scopes := readsAndTalks.List()
	texts := make([]string, len(scopes))
	for n, s := range scopes {
		texts[n] = string(s)
	}
	call, ben := i.talker(t, "ben"+p.Version, p, texts...)
	_, eve := i.talker(t, "eve"+p.Version, p, texts...)
	i.add("ben at "+p.Version, ben, false)
	i.add("eve at "+p.Version, eve, false)
	for n := range 2 {
		_, token := i.tokenOf(t, call, domain.TokenSpec{Project: p.ID, Scopes: readsAndTalks})
		i.add(fmt.Sprint("token ", n, " at ", p.Version), token, false)
	}
}

func (i *isolation) add(name string, by forward.Input, own bool) {
	i.parties = append(i.parties, party{fmt.Sprintf("<%s>", name), by, own})
}

// call makes a call and returns its status and its answer.
func (i *isolation) call(t tester, by forward.Input, service, method, path, body string, header http.Header) (int, string, error) {
	t.Helper()
	by.Service, by.Path = service, path
	r := testworld.Request(method, path, body)
	r.ContentLength = int64(len(body))
	if at, query, found := strings.Cut(path, "?"); found {
		by.Path, r.URL = at, &url.URL{Path: at, RawQuery: query}
	}
	if header != nil {
		r.Header = header
	}
	out, err := i.Forward(t.Context(), domain.Call{RequestID: "request", Address: "192.0.2.1"}, by, r)
	if err != nil {
		return 0, "", err
	}
	said, err := io.ReadAll(out.Answer.Body)
	if err == nil {
		err = out.Answer.Body.Close()
	}
	return out.Answer.StatusCode, string(said), err
}

// want makes a call that brings 200, and returns its answer.
func (i *isolation) want(t tester, by forward.Input, service, method, path, body string) string {
	t.Helper()
	status, said, err := i.call(t, by, service, method, path, body, nil)
	if err != nil || status != http.StatusOK {
		t.Fatalf("%s %s: got %d, %s, %v", method, path, status, said, err)
	}
	return said
}

// idsOfATurn are the ids that a caller says in a turn. A session id that is "" is not said.
type idsOfATurn struct {
	kind                  string // of the turn
	environment           string // "" is not said
	user                  string
	header, query, member string // session ids
}

// drawIDs draws ids of a turn. What came to Voiceflow for one caller, another caller may say, whole
// or in parts.
func (i *isolation) drawIDs(t *rapid.T) idsOfATurn {
	id := rapid.OneOf(
		rapid.StringMatching(`[a-zé -]{1,20}`), rapid.SampledFrom([]string{"f", "fl", "fl-", "l-", "-", "FL-", "ﬂ-", "a", "ben", strings.Repeat("x", 100)}),
		rapid.SampledFrom(i.learned), rapid.Custom(func(t *rapid.T) string {
			whole := rapid.SampledFrom(i.learned).Draw(t, "whole")
			at := rapid.IntRange(0, len(whole)).Draw(t, "at")
			return rapid.SampledFrom([]string{whole[:at], whole[at:], whole + "-", strings.ToUpper(whole[at:])}).Draw(t, "part")
		}),
	).Filter(func(id string) bool { return strings.TrimSpace(id) == id && id != "" && len(id) <= domain.MaxPseudonym })
	session := rapid.OneOf(rapid.Just(""), id)
	return idsOfATurn{
		kind:        rapid.SampledFrom([]string{"legacy", "stream", "beta", "v4", "stable"}).Draw(t, "kind"),
		environment: rapid.SampledFrom(append(environments, "")).Draw(t, "environment"),
		user:        id.Draw(t, "user"), header: session.Draw(t, "header"), query: session.Draw(t, "query"), member: session.Draw(t, "member"),
	}
}

// turn takes a turn with the ids. The error is that of Forward.
func (i *isolation) turn(t *rapid.T, p party, ids idsOfATurn) error {
	body := map[string]any{"action": map[string]any{"type": "text", "payload": p.name}}
	if ids.member != "" {
		body["sessionID"] = ids.member
	}
	header, query := http.Header{}, url.Values{}
	say := func(to map[string][]string, name, value string) {
		if value != "" {
			to[name] = []string{value}
		}
	}
	say(header, "Sessionid", ids.header)
	say(query, "sessionID", ids.query)
	user := "/" + url.PathEscape(ids.user)
	by, service, method, path := p.by, runtime, "POST", "/state/user"+user+"/interact"
	switch ids.kind {
	case "legacy":
		say(header, "Versionid", ids.environment)
	case "stream":
		path = "/v2/project/" + i.project + "/user" + user + "/interact/stream"
		say(query, "environment", ids.environment)
	case "beta":
		path = "/v2beta1/interact/" + i.project + "/" + cmp.Or(ids.environment, environments[0]) + "/stream"
		body["session"] = map[string]string{"userID": ids.user, "sessionID": cmp.Or(ids.member, "s")}
		delete(body, "sessionID")
	case "stable":
		service, method, path = "realtime-api", "PUT", "/v1/stable/conversation"+user
		say(query, "environmentAlias", ids.environment)
	case "v4":
		at := "/v4/project/" + i.project + "/session"
		if ids.environment != "" {
			at = "/v4/project/" + i.project + "/environment/" + ids.environment + "/session"
		}
		status, said, err := i.call(t, p.by, runtime, "POST", at, `{"userID":`+quote(ids.user)+`}`, nil)
		if err != nil {
			return err
		}
		var started struct{ SessionKey string }
		if err := json.Unmarshal([]byte(said), &started); err != nil || status != http.StatusOK {
			t.Fatalf("a v4 session: got %d, %s", status, said)
		}
		by, path = forward.Input{Handle: started.SessionKey}, "/v4/interact"
	}
	path += "?" + query.Encode()
	text, _ := json.Marshal(body) // always encodes
	status, said, err := i.call(t, by, service, method, path, string(text), header)
	if err == nil && status != http.StatusOK {
		t.Fatalf("%+v: got %d, %s", ids, status, said)
	}
	return err
}

// wantAlone fails the test if the text has the name of another party than p.
func (i *isolation) wantAlone(t tester, p party, where, text string) {
	t.Helper()
	for _, other := range i.parties {
		if other.name != p.name && strings.Contains(text, other.name) {
			t.Fatalf("%s reads in %s what %s said: %s", p.name, where, other.name, text)
		}
	}
}

// wantOwnStates fails the test if Voiceflow may take a state or a session of the requests for one of
// another party. Lenient readers trim ids and ignore case.
func (i *isolation) wantOwnStates(t tester, p party, requests []voiceflowtest.Request) {
	t.Helper()
	var users, sessions []string
	for _, r := range requests {
		users = append(users, pathUser(t, r.URL.EscapedPath()))
		var body struct {
			UserID, SessionID string
			Session           struct{ UserID, SessionID string }
		}
		_ = json.Unmarshal(r.Body, &body) // a body without ids has none
		users = append(users, body.UserID, body.Session.UserID)
		sessions = append(sessions, body.Session.SessionID)
		header := r.Header.Get("sessionID")
		sessions = append(sessions, body.SessionID, r.URL.Query().Get("sessionID"), header, fromLatin1(header))
	}
	present := func(ids []string) []string {
		return slices.DeleteFunc(ids, func(id string) bool { return id == "" })
	}
	users, sessions = present(users), present(sessions)
	states := slices.Concat(users, sessions)
	for _, user := range users {
		for _, session := range sessions {
			states = append(states, user+session, session+user)
		}
	}
	for _, state := range states {
		state = strings.ToLower(strings.Trim(state, " \ufeff\u00a0"))
		if was, there := i.owner[state]; there && was != p.name {
			t.Fatalf("%s and %s share %q", was, p.name, state)
		}
		i.owner[state] = p.name
	}
	if !p.own && len(i.learned) < 100 {
		i.learned = append(i.learned, slices.Concat(users, sessions)...)
	}
}

// pathUser returns the user id in a path at Voiceflow, "" if there is none.
func pathUser(t tester, escaped string) string {
	t.Helper()
	for _, before := range []string{"/state/user/", "/user/", "/v1/stable/conversation/"} {
		if _, rest, found := strings.Cut(escaped, before); found {
			user, _, _ := strings.Cut(rest, "/")
			user, err := url.PathUnescape(user)
			if err != nil {
				t.Fatal(err)
			}
			return user
		}
	}
	return ""
}

// fromLatin1 returns the text of a header as Node.js reads it.
func fromLatin1(value string) string {
	text := make([]rune, len(value))
	for i, b := range []byte(value) {
		text[i] = rune(b)
	}
	return string(text)
}

func quote(text string) string {
	quoted, _ := json.Marshal(text) // a string always encodes
	return string(quoted)
}

type transcripts struct{ Transcripts []struct{ ID string } }

// wantOwnTranscripts fails the test if p finds by a session id what another party said.
func (i *isolation) wantOwnTranscripts(t tester, p party, session string) {
	t.Helper()
	for service, path := range map[string]string{
		"analytics-api": "/v1/transcript/project/" + i.project, "realtime-api": "/v1/stable/transcript/search",
	} {
		var found transcripts
		if err := json.Unmarshal([]byte(i.want(t, p.by, service, "POST", path, `{"sessionID":`+quote(session)+`}`)), &found); err != nil {
			t.Fatal(err)
		}
		for _, one := range found.Transcripts {
			i.wantAlone(t, p, "a transcript", i.want(t, p.by, "analytics-api", "GET", "/v1/transcript/"+one.ID, ""))
		}
	}
}

// save saves the session as a transcript and returns what was said in it.
func (i *isolation) save(t tester, by, reader forward.Input, session string) string {
	t.Helper()
	var saved struct {
		ID        string `json:"_id"`
		SessionID string `json:"sessionID"`
	}
	said := i.want(t, by, "api", "PUT", "/v2/transcripts", `{"versionID":"main","sessionID":`+quote(session)+`}`)
	if err := json.Unmarshal([]byte(said), &saved); err != nil {
		t.Fatal(err)
	}
	if saved.SessionID != session {
		t.Fatalf("the answer has the session id %q, want the caller's own, %q", saved.SessionID, session)
	}
	return i.want(t, reader, "api", "GET", "/v2/transcripts/"+i.project+"/"+saved.ID, "")
}

// TestPartiesNeverShareAConversation says any user ids and session ids, in header, query, body and
// path, in any environment, as users with cookies and access tokens of two assistants, and as a back
// end with ids of its own. Nobody reads what another party said: not in a state, not in a transcript that is found or
// saved by a session id. Nothing that Voiceflow got names the state of another party.
func TestPartiesNeverShareAConversation(t *testing.T) {
	i := newIsolation(t)
	i.standIn.Keep(4)
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom(i.parties).Draw(t, "party")
		ids := i.drawIDs(t)
		before := i.standIn.Received()
		err := i.turn(t, p, ids)
		came := i.standIn.Received() - before
		if p.own && domain.KindOf(err) == domain.NotFound {
			return
		}
		if err != nil {
			t.Fatalf("%s, %+v: %v", p.name, ids, err)
		}
		requests := i.standIn.Requests()
		i.wantOwnStates(t, p, requests[len(requests)-came:])

		for _, user := range []string{ids.user, ids.user + ids.member} {
			_, state, err := i.call(t, p.by, runtime, "GET", "/state/user/"+url.PathEscape(user), "", nil)
			if err != nil && (!p.own || domain.KindOf(err) != domain.NotFound) {
				t.Fatal(err)
			}
			i.wantAlone(t, p, "a state", state)
		}
		for _, session := range []string{ids.header, ids.query, ids.member, ids.user} {
			if session == "" || p.own && domain.CheckOwnID(session) != nil {
				continue
			}
			if !domain.IsPseudonym(session) {
				i.wantOwnTranscripts(t, p, session)
			}
			i.wantAlone(t, p, "a transcript that was saved", i.save(t, p.by, p.by, session))
		}
		if session := cmp.Or(ids.header, ids.member, ids.user); ids.kind == "legacy" && !strings.Contains(i.save(t, p.by, p.by, session), p.name) {
			t.Fatalf("%s does not find by the session id %q what it said in it", p.name, session)
		}
	})
}
