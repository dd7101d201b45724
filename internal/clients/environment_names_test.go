package clients

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/domain"
)

var versionID = regexp.MustCompile(`^[0-9a-fA-F]{24}$`)

// mode is an assistant in one of the ways in which it can have environments, and the access tokens
// that use it.
type mode struct {
	name    string
	version string // what it was added with
	path    string // what a path names that is allowed
	told    string // what an answer says if the call names none; "" for what the traffic split chose
	limited bool   // the tokens are limited to main

	all, none string // tokens with every scope, and with none that opens a call of conversations
}

// modes returns an assistant in each mode. Each has the environments main and staging.
func modes(t testing.TB) (*installation, map[string]voiceflowtest.Assistant, []mode) {
	t.Helper()
	assistants := map[string]voiceflowtest.Assistant{}
	var all []mode
	const list, every = `{"default":"main","allowed":["main","staging"],"allow_draft":[]}`, `{"default":"main","allowed":"all","allow_draft":[]}`
	var started []voiceflowtest.Assistant
	for _, m := range []struct {
		mode
		byID         bool
		environments string
	}{
		{mode{name: "pinned by id", path: "main"}, true, ""},
		{mode{name: "pinned by alias", path: "main", told: "main"}, false, ""},
		{mode{name: "a list", path: "staging", told: "main"}, false, list},
		{mode{name: "all", path: "staging", told: "main"}, true, every},
		{mode{name: "limited", path: "main", told: "main", limited: true}, false, list},
	} {
		a := voiceflowtest.NewProject(m.name, "main", "staging")
		m.version = "main"
		if m.byID {
			m.version = a.Environments[0].Published
		}
		if m.environments == "" {
			m.told = m.version
		}
		assistants[m.name] = a
		started = append(started, a)
		all = append(all, m.mode)
	}
	in := newInstallation(t, startVoiceflow(t, started...))
	for i := range all {
		m := &all[i]
		environments := map[string]string{"a list": list, "all": every, "limited": list}[m.name]
		project := in.add(t, assistants[m.name], m.version, environments)
		more := map[string]any{}
		if m.limited {
			more["environments"] = []string{"main"}
		}
		var scopes []string
		for _, scope := range domain.AllScopes().List() {
			scopes = append(scopes, string(scope))
		}
		m.all = in.token(t, project, scopes, more)
		m.none = in.token(t, project, []string{"analytics"}, more)
	}
	return in, assistants, all
}

// send sends a call and returns its answer and the body.
func send(t testing.TB, in *installation, token, method, target, body string, header map[string]string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, in.url+"/voiceflow/"+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", token)
	r.Header.Set("Content-Type", "application/json")
	for name, value := range header {
		r.Header.Set(name, value)
	}
	resp, err := (&http.Client{Timeout: time.Minute}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(said)
}

// code is the code of a refusal of Flowlatch, "" for any other answer.
func code(body string) string {
	var refusal struct {
		Code      string `json:"code"`
		RequestID string `json:"request_id"`
	}
	_ = json.Unmarshal([]byte(body), &refusal) // what is no JSON is no refusal
	if refusal.RequestID == "" {
		return ""
	}
	return refusal.Code
}

// bodies are bodies that have what a call must have.
var bodies = map[string]string{
	"/v1/query/usage": `{"query":[]}`,
	"/v2/query/usage": `{"data":{"name":"interactions","filter":{}}}`,
	"/v2beta1/interact/{projectID}/{versionID}/stream": `{"session":{"userID":"ben","sessionID":"s"},"action":{"type":"launch"}}`,
	"/v2/transcripts": `{"sessionID":"s"}`,
}

// sampleOf returns the target and the body of a call of the row.
func sampleOf(e domain.Endpoint, a voiceflowtest.Assistant, environment string) (target, body string) {
	target = string(e.Service) + e.Path
	for name, value := range map[string]string{"projectID": a.ProjectID, "versionID": environment, "environmentAlias": environment, "projectEnvironmentIDOrAlias": environment, "userID": "ben", "metric": "call-count"} {
		target = strings.ReplaceAll(target, "{"+name+"}", value)
	}
	target = regexp.MustCompile(`\{\w+\}`).ReplaceAllString(target, "65f1c0ffee0123456789abcd")
	if e.Body == domain.NoBody {
		return target, ""
	}
	if special, there := bodies[e.Path]; there {
		return target, special
	}
	return target, `{"userID":"ben","action":{"type":"launch"}}`
}

// noIDForAnAlias fails the test if a version id came to Voiceflow as an alias.
func noIDForAnAlias(t testing.TB, r voiceflowtest.Request) {
	t.Helper()
	_, inPath, _ := strings.Cut(r.Path, "/environment/")
	inPath, _, _ = strings.Cut(inPath, "/")
	var body map[string]any
	_ = json.Unmarshal(r.Body, &body) // other bodies have no aliases
	places := []any{inPath, r.URL.Query().Get("environmentAlias"), body["environmentAlias"], body["projectEnvironmentIDOrAlias"]}
	for _, value := range places {
		if text, _ := value.(string); versionID.MatchString(text) {
			t.Errorf("%s %s %s: the id %s came as an alias", r.Method, r.URI, r.Body, text)
		}
	}
}

// TestEachRowInEachEnvironmentMode calls every row of the allow-list with a token that opens it and
// with one that does not.
func TestEachRowInEachEnvironmentMode(t *testing.T) {
	in, assistants, all := modes(t)
	for _, m := range all {
		a := assistants[m.name]
		handle := func() string {
			_, said := send(t, in, m.all, "POST", "general-runtime/v4/project/"+a.ProjectID+"/session", `{"userID":"ben"}`, nil)
			var started struct{ SessionKey string }
			if json.Unmarshal([]byte(said), &started) != nil || started.SessionKey == "" {
				t.Fatalf("%s: no session was started: %s", m.name, said)
			}
			return started.SessionKey
		}
		for _, e := range domain.Endpoints() {
			t.Run(m.name+"/"+e.Method+" "+strings.ReplaceAll(e.Path, "/", "."), func(t *testing.T) {
				target, body := sampleOf(e, a, m.path)
				token := m.all
				if e.BySession {
					token = handle()
				} else if e.Scope != domain.ScopeAnalytics {
					if resp, said := send(t, in, m.none, e.Method, target, body, nil); resp.StatusCode != 403 || code(said) != "not_allowed" {
						t.Errorf("without the scope: got %d %s, want 403 not_allowed", resp.StatusCode, said)
					}
				}
				before := len(in.voiceflow.Requests())
				resp, said := send(t, in, token, e.Method, target, body, nil)
				came := in.voiceflow.Requests()[before:]
				for _, r := range came {
					noIDForAnAlias(t, r)
				}
				if m.limited && !e.TakesEnvironment() {
					if resp.StatusCode != 403 || code(said) != "environment_not_allowed" || len(came) > 0 {
						t.Errorf("a call that can't be limited: got %d %s and %d requests, want 403 environment_not_allowed", resp.StatusCode, said, len(came))
					}
					return
				}
				if refused := code(said); refused == "environment_not_allowed" || refused == "conflict" || refused == "invalid_request" {
					t.Fatalf("got %d %s, want the answer of Voiceflow", resp.StatusCode, said)
				}
				told, stage := m.told, ""
				switch {
				case !e.TakesEnvironment(), e.Filters && !m.limited, e.Optional && strings.HasPrefix(m.name, "pinned"):
					told = ""
				case (e.Starts || e.BySession) && m.name == "pinned by id" && !inPath(e):
					told = "" // the traffic split
				case inPath(e):
					told = m.path
				}
				if e.TakesStage() && told != "" && !e.Filters {
					stage = "published"
				}
				if got := resp.Header.Get("Flowlatch-Environment"); got != told {
					t.Errorf("got %d %s with Flowlatch-Environment %q, want %q", resp.StatusCode, said, got, told)
				}
				if got := resp.Header.Get("Flowlatch-Environment-Version"); got != stage {
					t.Errorf("got Flowlatch-Environment-Version %q, want %q", got, stage)
				}
				if len(came) == 0 {
					t.Error("nothing came to Voiceflow")
				}
				by := came[len(came)-1].AnsweredBy()
				if resp.StatusCode == 200 && told != "" && !e.Filters && e.Scope != domain.ScopeProjects && by.Alias != "" && by.Alias != aliasOf(a, told) {
					t.Errorf("%s was told and %+v answered", told, by)
				}
			})
		}
	}
}

// inPath reports whether the path of the row names an environment.
func inPath(e domain.Endpoint) bool {
	return slices.ContainsFunc([]string{"{versionID}", "{environmentAlias}", "{projectEnvironmentIDOrAlias}"}, func(place string) bool {
		return strings.Contains(e.Path, place)
	})
}

// aliasOf returns the alias that the name means.
func aliasOf(a voiceflowtest.Assistant, name string) string {
	for _, e := range a.Environments {
		if strings.EqualFold(name, e.Draft) || strings.EqualFold(name, e.Published) || strings.EqualFold(name, e.ID) {
			return e.Alias
		}
	}
	return name
}

// TestABodyNamesAnEnvironmentAsAQueryDoes names an environment in the body of each call that has
// conversations or asks the knowledge base, in every way that a query can name one.
func TestABodyNamesAnEnvironmentAsAQueryDoes(t *testing.T) {
	in, assistants, all := modes(t)
	var m mode
	for _, one := range all {
		if one.name == "a list" {
			m = one
		}
	}
	a := assistants[m.name]
	for _, e := range domain.Endpoints() {
		if e.Body != domain.JSONBody || e.BySession || e.Scope != domain.ScopeConverse && e.Scope != domain.ScopeKnowledge {
			continue
		}
		target, body := sampleOf(e, a, "staging")
		for _, name := range []string{"versionID", "environment", "environmentAlias", "environmentID", "projectEnvironmentIDOrAlias"} {
			for environment, want := range map[string]int{"staging": 200, "production": 403} {
				with := strings.TrimSuffix(body, "}") + `,"` + name + `":"` + environment + `"}`
				resp, said := send(t, in, m.all, e.Method, target, with, nil)
				told := resp.Header.Get("Flowlatch-Environment")
				if want == 403 && (resp.StatusCode != 403 || !strings.Contains(said, `\"production\"`)) || want == 200 && told != "staging" {
					t.Errorf("%s %s %s: got %d %s with Flowlatch-Environment %q", e.Method, target, with, resp.StatusCode, said, told)
				}
			}
		}
	}
}

// fuzzed is an installation for FuzzEnvironments.
type fuzzed struct {
	in    *installation
	modes []mode
	of    map[string]voiceflowtest.Assistant

	used int // calls that named an environment and got it
}

// check makes a call that names environments in several places. An answer tells the one that was
// asked for, or the call is refused and names it. Nobody gets a draft or what is not allowed.
func (f *fuzzed) check(t *testing.T, which, row, places uint8, first, second, stage string) {
	var unpinned []mode
	for _, m := range f.modes {
		if !strings.HasPrefix(m.name, "pinned") {
			unpinned = append(unpinned, m)
		}
	}
	m := unpinned[int(which)%len(unpinned)]
	a := f.of[m.name]
	var rows []domain.Endpoint
	for _, e := range domain.Endpoints() {
		if e.TakesEnvironment() && !e.BySession && !e.Retired {
			rows = append(rows, e)
		}
	}
	e := rows[int(row)%len(rows)]
	target, body := sampleOf(e, a, "main")
	var asked []string
	if inPath(e) {
		target, body = sampleOf(e, a, url.PathEscape(first))
		asked = append(asked, first)
		if first == "" || first == "." || first == ".." || strings.ContainsAny(first, "/\\%") {
			return // another path
		}
	}
	header := map[string]string{}
	clean := func(text string) bool { // net/http sends such a header as it is
		return text == strings.TrimSpace(text) && !strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' })
	}
	if places&1 != 0 && clean(first) {
		header["versionID"] = first
		asked = append(asked, first)
	}
	query := url.Values{}
	for i, name := range []string{"versionID", "environment", "environmentAlias", "environmentID"} {
		if places&(2<<i) != 0 {
			value := first
			if i%2 == 1 {
				value = second
			}
			query.Set(name, value)
			asked = append(asked, value)
		}
	}
	if e.Body == domain.JSONBody && places&32 != 0 {
		members := slices.DeleteFunc(e.AllMembers(), func(m domain.Member) bool { return !m.Is.NamesEnvironment() || len(m.At) != 1 })
		if len(members) > 0 {
			at := members[int(which/16)%len(members)].At[0]
			quoted, _ := json.Marshal(second)
			body = strings.TrimSuffix(body, "}") + `,"` + at + `":` + string(quoted) + `}`
			asked = append(asked, string(toUTF8(second)))
		}
	}
	if places&64 != 0 && e.TakesStage() {
		query.Set("version", stage)
	}
	asked = slices.DeleteFunc(asked, func(name string) bool { return name == "" })
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	before := len(f.in.voiceflow.Requests())
	resp, said := send(t, f.in, m.all, e.Method, target, body, header)
	came := f.in.voiceflow.Requests()[before:]
	for _, r := range came {
		noIDForAnAlias(t, r)
		if by := r.AnsweredBy(); by.Stage == "draft" && r.URL.Path != "" && !strings.Contains(r.Path, "/environments") {
			t.Fatalf("%s %s %v: the draft of %s answered", e.Method, target, header, by.Alias)
		}
	}
	told := resp.Header.Get("Flowlatch-Environment")
	switch refusal := code(said); refusal {
	case "environment_not_allowed", "invalid_request", "conflict", "not_found":
		if told != "" {
			t.Fatalf("%s %s: a refusal with Flowlatch-Environment %q: %s", e.Method, target, told, said)
		}
		if refusal == "environment_not_allowed" && len(asked) > 0 && !f.names(said, append(asked, stage)) {
			t.Fatalf("%s %s %v %s: refused without naming one of %q: %s", e.Method, target, header, body, asked, said)
		}
	default:
		want := m.told
		if len(asked) > 0 {
			want = asked[0]
		} else if e.Filters && !m.limited {
			want = ""
		}
		if told != want {
			t.Fatalf("%s %s %v %s: got %d with Flowlatch-Environment %q, want %q: %s", e.Method, target, header, body, resp.StatusCode, told, want, said)
		}
		if len(asked) > 0 {
			f.used++
		}
		for _, name := range asked {
			if !strings.EqualFold(name, want) {
				t.Fatalf("%s %s %v %s: asked for %q, and got %q", e.Method, target, header, body, asked, told)
			}
		}
		if alias := aliasOf(a, told); m.limited && told != "" && alias != "main" || m.name == "a list" && told != "" && alias != "main" && alias != "staging" {
			t.Fatalf("%s %s: %q was used, which is not allowed", e.Method, target, told)
		}
	}
}

func toUTF8(text string) []byte { return []byte(strings.ToValidUTF8(text, "\uFFFD")) }

// names reports whether a refusal names one of the texts, quoted as it quotes them.
func (f *fuzzed) names(said string, texts []string) bool {
	var refusal struct{ Message string }
	if json.Unmarshal([]byte(said), &refusal) != nil {
		return false
	}
	return slices.ContainsFunc(texts, func(text string) bool { return text != "" && strings.Contains(refusal.Message, text) })
}

// seeds are names of environments, and what is none.
func (f *fuzzed) seeds() []string {
	seeds := []string{"main", "staging", "development", "production", "Main", "", " ", "main ", "a b", "x\u00e9", strings.Repeat("x", 64), strings.Repeat("x", 65), "null", "{}", "draft",
		"65f1c0ffee0123456789abcd", "main\x00", "ma,in", "*", "undefined"}
	for _, a := range f.of {
		for _, e := range a.Environments {
			seeds = append(seeds, e.Draft, e.Published, strings.ToUpper(e.Published), e.ID)
		}
	}
	slices.Sort(seeds)
	return seeds
}

// FuzzEnvironments names environments in all places of a call.
func FuzzEnvironments(f *testing.F) {
	in, of, all := modes(f)
	world := &fuzzed{in: in, modes: all, of: of}
	for i, seed := range world.seeds() {
		f.Add(uint8(i), uint8(3*i), uint8(7*i), seed, "main", "draft")
	}
	f.Fuzz(world.check)
}

// TestEnvironmentsInAllPlaces is a run of FuzzEnvironments with names that are likely to matter.
func TestEnvironmentsInAllPlaces(t *testing.T) {
	in, of, all := modes(t)
	world := &fuzzed{in: in, modes: all, of: of}
	random, seeds := rand.New(rand.NewPCG(1, 2)), world.seeds()
	calls := 3000
	if testing.Short() {
		calls = 300
	}
	for range calls {
		first := seeds[random.IntN(len(seeds))]
		if random.IntN(2) == 0 {
			first = []string{"main", "staging"}[random.IntN(2)]
		}
		second := first
		if random.IntN(5) == 0 {
			second = seeds[random.IntN(len(seeds))]
		}
		world.check(t, uint8(random.UintN(256)), uint8(random.UintN(256)), uint8(random.UintN(256)), first, second,
			[]string{"draft", "published", "", "latest"}[random.IntN(4)])
	}
	if world.used < calls/20 {
		t.Errorf("%d of %d calls got the environment that they named, so little was tried", world.used, calls)
	}
}
