package domain_test

import (
	"errors"
	"net/http"
	"net/url"
	pathpkg "path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

const otherHex24 = "7482d0c5f2b6c3d4e5f60718"

// Two ways in which one project of Voiceflow's may have been added: by a version id, and by
// an alias.
var (
	byVersion = domain.Project{ID: uuid, Voiceflow: hex24, Version: otherHex24}
	byAlias   = domain.Project{ID: uuid, Voiceflow: hex24, Version: "production"}
)

// methods are those that there are, and some in other spellings.
var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "", "get", "post", "Post"}

var place = regexp.MustCompile(`\{[A-Za-z]+\}`)

// sample is a path that e is for.
func sample(e domain.Endpoint) string {
	return place.ReplaceAllStringFunc(e.Path, func(name string) string {
		switch name {
		case "{projectID}":
			return hex24
		case "{versionID}":
			return otherHex24
		case "{environmentAlias}", "{projectEnvironmentIDOrAlias}":
			return "production"
		case "{userID}":
			return "ana@example.com"
		}
		return "Some_id-" + strings.Trim(name, "{}")
	})
}

// fits reports whether e is for the path, which holds nothing odd.
func fits(e domain.Endpoint, path string) bool {
	template, segments := strings.Split(e.Path, "/"), strings.Split(path, "/")
	if len(template) != len(segments) {
		return false
	}
	for i := range template {
		if !place.MatchString(template[i]) && template[i] != segments[i] {
			return false
		}
	}
	return true
}

func row(e domain.Endpoint) string { return e.Method + " " + string(e.Service) + e.Path }

// match matches what is in the allow-list.
func match(t *testing.T, service domain.Service, method, path string) domain.Route {
	t.Helper()
	route, err := domain.MatchEndpoint(string(service), method, path)
	if err != nil {
		t.Fatalf("MatchEndpoint(%s, %s, %q): got error %v, want an endpoint", service, method, path, err)
	}
	return route
}

func wantNoRoute(t *testing.T, service, method, path string) {
	t.Helper()
	route, err := domain.MatchEndpoint(service, method, path)
	if domain.KindOf(err) != domain.NotFound || route.Endpoint != nil {
		t.Errorf("MatchEndpoint(%s, %s, %.80q): got error %v, want kind %q and no endpoint", service, method, path, err, domain.NotFound)
	}
}

func TestEveryEndpointMatchesItselfAndOnlyItself(t *testing.T) {
	all := domain.Endpoints()
	for _, e := range all {
		route := match(t, e.Service, e.Method, sample(e))
		if got, want := row(*route.Endpoint), row(e); got != want {
			t.Errorf("%s: got %s, want %s", sample(e), got, want)
		}
		for _, service := range append(domain.Services(), "", "API", "creator", "runtime-api") {
			for _, method := range methods {
				i := slices.IndexFunc(all, func(other domain.Endpoint) bool {
					return other.Service == service && other.Method == method && fits(other, sample(e))
				})
				if i < 0 {
					wantNoRoute(t, string(service), method, sample(e))
				} else if got, want := row(*match(t, service, method, sample(e)).Endpoint), row(all[i]); got != want {
					t.Errorf("%s %s %s: got %s, want %s", method, service, sample(e), got, want)
				}
			}
		}
	}
}

// Where a path fits two rows, one of them has a word where the other takes any id. That one
// comes first, and the right that is needed is the same.
func TestNoTwoEndpointsAreAmbiguous(t *testing.T) {
	all := domain.Endpoints()
	for i, later := range all {
		for _, earlier := range all[:i] {
			a, b := strings.Split(earlier.Path, "/"), strings.Split(later.Path, "/")
			if earlier.Service != later.Service || earlier.Method != later.Method || len(a) != len(b) {
				continue
			}
			overlap, narrower, wider := true, false, false
			for n := range a {
				switch word, laterWord := !place.MatchString(a[n]), !place.MatchString(b[n]); {
				case word && laterWord:
					overlap = overlap && a[n] == b[n]
				case word:
					narrower = true
				case laterWord:
					wider = true
				}
			}
			if overlap && (!narrower || wider) {
				t.Errorf("%s can't be told from %s, which comes before it", row(later), row(earlier))
			}
			if overlap && (earlier.Scope != later.Scope || earlier.Writes != later.Writes) {
				t.Errorf("%s and %s fit one path and need different rights", row(earlier), row(later))
			}
		}
	}
}

func TestEveryEndpointIsWellFormed(t *testing.T) {
	all := domain.Endpoints()
	var scopes domain.Scopes
	for _, e := range all {
		scopes |= e.Scopes()
		if e.Also != "" && !domain.AllScopes().Has(e.Also) || e.Scope == e.Also {
			t.Errorf("%s: also needs the scope %q", row(e), e.Also)
		}
		if !source.MatchString(e.Source) {
			t.Errorf("%s: got the source %q, want Voiceflow's API reference or a public file of Voiceflow", row(e), e.Source)
		}
		for _, name := range e.Headers {
			if name != http.CanonicalHeaderKey(name) || slices.Contains(notTheCallers, name) {
				t.Errorf("%s: the header %s passes", row(e), name)
			}
		}
		if !domain.AllScopes().Has(e.Scope) {
			t.Errorf("%s: scope %q is not a scope of an assistant", row(e), e.Scope)
		}
		if !slices.Contains(domain.Services(), e.Service) || !slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}, e.Method) {
			t.Errorf("%s: service or method is not forwarded", row(e))
		}
		if !regexp.MustCompile(`^(/([A-Za-z0-9_-]+|\{[A-Za-z]+\}))+$`).MatchString(e.Path) || e.Does == "" {
			t.Errorf("%s: the path is invalid, or has no description", row(e))
		}
		if (e.Method == "GET" || e.Method == "DELETE") && e.Body != domain.NoBody {
			t.Errorf("%s: it has a body, want none", row(e))
		}
		if e.Method == "GET" && e.Writes || (e.Method == "DELETE" || e.Method == "PATCH") && !e.Writes {
			t.Errorf("%s: writes: got %v", row(e), e.Writes)
		}
		if (e.Scope == domain.ScopeTranscriptsDelete || e.Scope == domain.ScopeKnowledgeWrite) && !e.Writes {
			t.Errorf("%s: got no audit of what needs %s, want one", row(e), e.Scope)
		}
		if len(e.Members) > 0 && e.Body == domain.NoBody {
			t.Errorf("%s: members of a body that is not looked into", row(e))
		}
		for _, name := range e.Query {
			if field := domain.Field(name); field.OfProject() || field == domain.FieldUser || name == "unredacted" {
				t.Errorf("%s: the caller's %s passes as it is", row(e), name)
			}
			if slices.Contains(e.Ours, domain.Field(name)) {
				t.Errorf("%s: %s is the caller's and ours", row(e), name)
			}
		}
		for _, field := range e.Ours {
			if !field.OfProject() {
				t.Errorf("%s: %s is not a project's to say", row(e), field)
			}
		}
		user := slices.ContainsFunc(e.Members, func(m domain.Member) bool { return m.Is == domain.FieldUser && m.Must })
		if e.Starts != (user && strings.HasSuffix(e.Path, "/session")) {
			t.Errorf("%s: got Starts %v, want it where a session is opened for a user", row(e), e.Starts)
		}
		if e.Turn != regexp.MustCompile(`/interact(/stream)?$|^/interact/\{versionID\}$|^/v2beta1/interact/|^/v1/stable/conversation/`).MatchString(e.Path) {
			t.Errorf("%s: got Turn %v, want it where a turn is taken", row(e), e.Turn)
		}
		if e.Turn && (e.Body != domain.JSONBody || e.Scope != domain.ScopeConverse) {
			t.Errorf("%s: a turn whose body is not looked into, or that needs %s", row(e), e.Scope)
		}
		if sets := strings.Contains(e.Path, "/state") || strings.Contains(e.Path, "conversation-state"); sets && (e.Method == "PUT" || e.Method == "PATCH") != (e.Scope == domain.ScopeState) {
			t.Errorf("%s: got the scope %s, want state where it is set, and only there", row(e), e.Scope)
		}
		if e.BySession != strings.HasPrefix(e.Path, "/v4/interact") {
			t.Errorf("%s: got BySession %v, want it for turns of v4", row(e), e.BySession)
		}
		if e.TakesStage() && !e.TakesEnvironment() {
			t.Errorf("%s: a stage of no environment", row(e))
		}
	}
	if want := domain.AllScopes() &^ domain.ScopesOf(domain.ScopeDebug); scopes != want {
		t.Errorf("scopes that open something: got %v, want %v", scopes.List(), want.List())
	}
	all[0] = domain.Endpoint{}
	if domain.Endpoints()[0].Path == "" {
		t.Error("a caller who has the list can change the allow-list")
	}
}

// source is what a row may cite.
var source = regexp.MustCompile(`^(docs\.voiceflow\.com/api-reference/[a-z0-9/-]+|github\.com/voiceflow/[a-z-]+ .+)$`)

// notTheCallers are headers that say whose a call is, or how its body is to be read.
var notTheCallers = []string{
	"Authorization", "Cookie", "Projectid", "Versionid", "Sessionid", "Userid", "Environment", "Host", "Origin", "Content-Type",
	"Content-Length", "Content-Encoding", "Transfer-Encoding", "Accept-Encoding", "Connection", "X-Forwarded-For",
}

// Whatever Voiceflow asks to say whose the call is, is ours to say.
func TestNoConverseEndpointLetsTheCallerSayWhoseItIs(t *testing.T) {
	for _, e := range domain.Endpoints() {
		user := strings.Contains(e.Path, "{userID}") || e.BySession ||
			slices.ContainsFunc(e.Members, func(m domain.Member) bool {
				return (m.Is == domain.FieldUser || m.Is == domain.FieldSession) && m.Must
			})
		if e.Stateless && (user || e.Writes || e.Starts || e.Turn != (e.Also == domain.ScopeState)) {
			t.Errorf("%s: only a call about no user's conversation is stateless, and its turn needs state", row(e))
		}
		if (e.Scope == domain.ScopeConverse || e.Scope == domain.ScopeState) && !user && !e.Stateless {
			t.Errorf("%s: nothing binds it to the caller", row(e))
		}
	}
}

func TestWhatIsNotForwarded(t *testing.T) {
	const runtime, turn = "general-runtime", "/state/user/ben/interact"
	for _, tc := range []struct {
		name, service, method, path string
	}{
		{"no path", runtime, "POST", ""},
		{"a slash alone", runtime, "POST", "/"},
		{"a path without a slash in front", runtime, "POST", turn[1:]},
		{"another method", runtime, "DELETE", turn},
		{"a method in lower case", runtime, "post", turn},
		{"HEAD for a GET", runtime, "HEAD", "/state/user/ben"},
		{"OPTIONS", runtime, "OPTIONS", turn},
		{"another service", "api", "POST", turn},
		{"a service in capitals", "General-Runtime", "POST", turn},
		{"no service", "", "POST", turn},
		{"an invalid service", "creator", "POST", turn},
		{"a trailing slash", runtime, "POST", turn + "/"},
		{"an encoded trailing slash", runtime, "POST", turn + "%2F"},
		{"a doubled slash in front", runtime, "POST", "/" + turn},
		{"a doubled slash inside", runtime, "POST", "/state//user/ben/interact"},
		{"a dot", runtime, "POST", "/state/./user/ben/interact"},
		{"two dots", runtime, "POST", "/state/user/x/../ben/interact"},
		{"an encoded slash between words", runtime, "POST", "/state%2Fuser/ben/interact"},
		{"a broken encoding", runtime, "POST", "/state/user/a%zz/interact"},
		{"a percent sign alone", runtime, "POST", "/state/user/%/interact"},
		{"an encoding that is cut", runtime, "POST", turn + "%2"},
		{"a word in capitals", runtime, "POST", "/State/user/ben/interact"},
		{"a word with something behind it", runtime, "POST", turn + ";x=1"},
		{"a query in the path", runtime, "POST", turn + "?verbose=true"},
		{"an encoded query in the path", runtime, "POST", turn + "%3Fverbose=true"},
		{"an id with a dot", "api", "GET", "/v1/knowledge-base/docs/a.b"},
		{"an id with a space", "api", "GET", "/v1/knowledge-base/docs/a%20b"},
		{"an id with a letter of another script", "api", "GET", "/v1/knowledge-base/docs/%C3%BC"},
		{"an id with a colon", "api", "GET", "/v1/knowledge-base/docs/a:b"},
		{"very many segments", runtime, "POST", strings.Repeat("/x", 1<<20)},
		{"a template as it stands", runtime, "POST", "/state/user/{userID}/interact/more"},
		{"ids of a template", "api", "GET", "/v1/knowledge-base/docs/{documentID}"},
		{"an event to a session by its id", runtime, "POST", "/v2/project/" + hex24 + "/session/s/event"},
		{"the socket of v4", runtime, "GET", "/v4/interact/socket"},
		{"the routes of the widget", runtime, "POST", "/public/" + hex24 + "/state/user/ben/interact"},
		{"running an evaluation", "realtime-api", "POST", "/v1/stable/evaluation/e/run"},
		{"deleting the project", "realtime-api", "DELETE", "/v1/stable/project/" + hex24},
		{"publishing an environment", "realtime-api", "POST", "/v1/stable/environment/production/publish"},
		{"an outbound call", "runtime-api", "POST", "/v1alpha1/phone-number/p/outbound"},
	} {
		t.Run(tc.name, func(t *testing.T) { wantNoRoute(t, tc.service, tc.method, tc.path) })
	}
}

// A path that can be read in two ways is refused whatever it would have been for. Only a user id
// may have slashes and backslashes in it.
func TestNoSegmentOfAnyEndpointMayBeOdd(t *testing.T) {
	for _, e := range domain.Endpoints() {
		segments, template := strings.Split(sample(e), "/")[1:], strings.Split(e.Path, "/")[1:]
		for i, good := range segments {
			if template[i] == "{userID}" {
				continue
			}
			for _, odd := range []string{
				"", ".", "..", "%2e", "%2E%2e", good + "/", "/" + good, good + "/.", "./" + good, "../" + good, good + "/../" + good,
				good + "%2f", "%2F" + good, good + "%5C", good + `\`, good + "%00", good + "%0a", good + "%252f", good + "%25%32%65", "%25" + "2e" + good,
				good + "%ff", good + "%", good + "%0", good + "%gg",
			} {
				path := "/" + strings.Join(slices.Concat(segments[:i], []string{odd}, segments[i+1:]), "/")
				if route, err := domain.MatchEndpoint(string(e.Service), e.Method, path); err == nil || route.Endpoint != nil {
					t.Errorf("%s: %q is forwarded", row(e), path)
				}
			}
		}
	}
}

func TestTarget(t *testing.T) {
	runtime, api, analytics, realtime := domain.ServiceRuntime, domain.ServiceAPI, domain.ServiceAnalytics, domain.ServiceRealtime
	upper := strings.ToUpper(hex24)
	noVersion := domain.Project{ID: uuid, Voiceflow: hex24}
	for _, tc := range []struct {
		name    string
		project domain.Project
		service domain.Service
		method  string
		path    string
		want    string
		kind    domain.Kind
	}{
		{"the user is bound", byAlias, runtime, "POST", "/state/user/ben/interact", "/state/user/bound-ben/interact", ""},
		{"the user is bound beside the project", byAlias, runtime, "POST", "/v2/project/" + hex24 + "/user/ben/interact/stream", "/v2/project/" + hex24 + "/user/bound-ben/interact/stream", ""},
		{"an encoded user is bound decoded", byAlias, runtime, "GET", "/state/user/%61na%40example.com", "/state/user/bound-ana@example.com", ""},
		{"a user is encoded again", byAlias, runtime, "GET", "/state/user/a%20b%3F%23;+%C3%BC", "/state/user/bound-a%20b%3F%23%3B+%C3%BC", ""},
		{"a percent sign is a part of a user", byAlias, runtime, "GET", "/state/user/100%25", "/state/user/bound-100%25", ""},
		{"dots inside are a part of a user", byAlias, runtime, "GET", "/state/user/a..b", "/state/user/bound-a..b", ""},
		{"a user of 256 bytes is bound", byAlias, runtime, "GET", "/state/user/" + strings.Repeat("%C3%BC", 128), "/state/user/bound-" + strings.Repeat("%C3%BC", 128), ""},
		{"slashes are a part of a user", byAlias, runtime, "GET", "/state/user/a%2Fb%2f%2Fc", "/state/user/bound-a%2Fb%2F%2Fc", ""},
		{"backslashes are a part of a user", byAlias, runtime, "GET", `/state/user/ACME%5Cben\x`, "/state/user/bound-ACME%5Cben%5Cx", ""},
		{"a word may come encoded and goes plain", byAlias, runtime, "GET", "/%73tate/us%65r/ben", "/state/user/bound-ben", ""},
		{"ids pass as they are", byAlias, api, "DELETE", "/v2/transcripts/" + hex24 + "/T_1-x", "/v2/transcripts/" + hex24 + "/T_1-x", ""},
		{"an id of 128 characters passes", byAlias, analytics, "GET", "/v1/transcript/" + strings.Repeat("x", 128), "/v1/transcript/" + strings.Repeat("x", 128), ""},
		{"another project is not found", byAlias, api, "GET", "/v2/transcripts/" + otherHex24, "", domain.NotFound},
		{"another project is not found, whatever else", byAlias, runtime, "POST", "/v2/project/" + otherHex24 + "/user/ben/interact/stream", "", domain.NotFound},
		{"our own id is no project of Voiceflow's", byAlias, api, "GET", "/v2/transcripts/" + uuid, "", domain.NotFound},
		{"the project in capitals is the same", byAlias, api, "GET", "/v2/transcripts/" + upper, "/v2/transcripts/" + hex24, ""},
		{"a version is the one that is used", byVersion, api, "GET", "/v2/versions/production/export", "/v2/versions/" + otherHex24 + "/export", ""},
		{"an alias is the one that is used", byAlias, realtime, "GET", "/v1alpha1/project/" + hex24 + "/environment/main/export-json",
			"/v1alpha1/project/" + hex24 + "/environment/production/export-json", ""},
		{"an id does not go out as an alias", byVersion, realtime, "GET", "/v1alpha1/project/" + hex24 + "/environment/main/export-json", "", domain.Conflict},
		{"the environment of another project is not found", byAlias, realtime, "GET", "/v1alpha1/project/" + otherHex24 + "/environment/production/export-json", "", domain.NotFound},
		{"a v4 session goes to the environment that is used", byAlias, runtime, "POST",
			"/v4/project/" + hex24 + "/session", "/v4/project/" + hex24 + "/environment/production/session", ""},
		{"a v4 session in an environment goes there", byAlias, runtime, "POST", "/v4/project/" + hex24 + "/environment/main/session",
			"/v4/project/" + hex24 + "/environment/production/session", ""},
		{"a v4 session without an environment is left to the traffic split", noVersion, runtime, "POST",
			"/v4/project/" + hex24 + "/session", "/v4/project/" + hex24 + "/session", ""},
		{"a v4 session of another project is not found", byAlias, runtime, "POST", "/v4/project/" + otherHex24 + "/session", "", domain.NotFound},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bind := func(own string) (string, error) {
				if tc.kind != "" {
					t.Errorf("the user id %q was bound for a call that is refused", own)
				}
				return "bound-" + own, nil
			}
			got, err := match(t, tc.service, tc.method, tc.path).Target(tc.project, domain.UsedEnvironment{Send: tc.project.Version}, bind)
			wantKind(t, err, tc.kind)
			if got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestTargetFailsAsBindDoes(t *testing.T) {
	outage := &domain.Error{Kind: domain.Unavailable}
	got, err := match(t, domain.ServiceRuntime, "GET", "/state/user/ben").Target(byAlias, domain.UsedEnvironment{}, func(string) (string, error) { return "ben", outage })
	if !errors.Is(err, outage) || got != "" {
		t.Errorf("got %q and error %v, want the error %v alone", got, err, outage)
	}
}

func TestTheObjectOfACallNamesNoUser(t *testing.T) {
	for _, tc := range []struct{ name, service, method, path, want string }{
		{"a user's own affair", "general-runtime", "DELETE", "/state/user/ben", "project:p DELETE general-runtime/state/user/{userID}"},
		{"a document", "api", "DELETE", "/v1/knowledge-base/docs/d1", "project:p DELETE api/v1/knowledge-base/docs/d1"},
		{"several ids, and the project in its own words", "api", "PUT", "/v2/transcripts/" + hex24 + "/t1/report_tag/g1", "project:p PUT api/v2/transcripts/{projectID}/t1/report_tag/g1"},
		{"nothing in the path", "api", "POST", "/v3alpha/knowledge-base/tags", "project:p POST api/v3alpha/knowledge-base/tags"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := match(t, domain.Service(tc.service), tc.method, tc.path).Object("p"); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestWhatACallSaysOfItsProject(t *testing.T) {
	draft, version := domain.UsedEnvironment{Name: "the main one", Send: "main", Stage: "draft"}, domain.UsedEnvironment{Send: otherHex24}
	for _, tc := range []struct {
		name  string
		used  domain.UsedEnvironment
		field domain.Field
		want  string
	}{
		{"its id at Voiceflow", draft, domain.FieldProject, hex24},
		{"its version by alias", draft, domain.FieldVersion, "main"},
		{"its environment by alias", draft, domain.FieldEnvironment, "main"},
		{"its alias", draft, domain.FieldAlias, "main"},
		{"its version by id", version, domain.FieldVersion, otherHex24},
		{"its environment by version id", version, domain.FieldEnvironment, otherHex24},
		{"its version where only an id stands", version, domain.FieldVersionID, otherHex24},
		{"an alias is no id", draft, domain.FieldVersionID, ""},
		{"an id is no alias", version, domain.FieldAlias, ""},
		{"its stage", draft, domain.FieldStage, "draft"},
		{"no stage where none is sent", version, domain.FieldStage, ""},
		{"its users are not its own to say", draft, domain.FieldUser, ""},
		{"nor are their sessions", draft, domain.FieldSession, ""},
		{"nor is anything else", draft, "name", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := byVersion.Value(tc.field, tc.used); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestWhatNamesTheSameProject(t *testing.T) {
	for _, tc := range []struct {
		name  string
		value string
		want  bool
	}{
		{"its own id", hex24, true},
		{"its own id in capitals", strings.ToUpper(hex24), true},
		{"another id", otherHex24, false},
		{"no id", "", false},
		{"its id with white space", hex24 + " ", false},
		{"a part of its id", hex24[:23], false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := byAlias.IsVoiceflow(tc.value); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

// wordsOf returns the path as far as it is before the first place.
func wordsOf(path string) string {
	words, _, _ := strings.Cut(path, "{")
	return strings.TrimSuffix(words, "/")
}

// Whatever matches, goes to the same endpoint at Voiceflow, and nothing in its path can be
// read in two ways.
func FuzzMatchEndpoint(f *testing.F) {
	for _, e := range domain.Endpoints() {
		f.Add(string(e.Service), e.Method, sample(e))
	}
	f.Add("general-runtime", "POST", "/state/user/../interact")
	f.Add("general-runtime", "POST", "/state/user/a%2fb/interact")
	f.Add("general-runtime", "GET", "/state/user/%25%32%65..%C3%BC")
	f.Add("general-runtime", "GET", "/state/user/a%2F..%2F..%2Fb")
	f.Add("general-runtime", "GET", "/state/user/a%2F%2Fb%5C;x")
	f.Fuzz(func(t *testing.T, service, method, path string) {
		route, err := domain.MatchEndpoint(service, method, path)
		if err != nil {
			if kind := domain.KindOf(err); kind != domain.NotFound && kind != domain.Invalid || route.Endpoint != nil {
				t.Fatalf("MatchEndpoint: got error %v, want NotFound or Invalid and no endpoint", err)
			}
			return
		}
		e := route.Endpoint
		if string(e.Service) != service || e.Method != method {
			t.Fatalf("MatchEndpoint(%q, %q, %q): got %s", service, method, path, row(*e))
		}
		for _, p := range []domain.Project{byVersion, byAlias} {
			used := domain.UsedEnvironment{Send: p.Version}
			for _, own := range []bool{false, true} {
				target, err := route.Target(p, used, func(id string) (string, error) {
					if id == "" || len(id) > domain.MaxOwnUserID {
						t.Fatalf("a user id of %d bytes is bound", len(id))
					}
					if own {
						return id, nil
					}
					return "bound_Id-1", nil
				})
				if err != nil {
					if kind := domain.KindOf(err); kind != domain.NotFound && kind != domain.Conflict || target != "" {
						t.Fatalf("Target: got %q and error %v, want kind %q or %q alone", target, err, domain.NotFound, domain.Conflict)
					}
					continue
				}
				if clean := pathpkg.Clean(strings.ReplaceAll(target, "%2F", "/")); own && !strings.HasPrefix(clean, wordsOf(e.Path)) {
					t.Fatalf("Target of %q: got %q, which is %q to somebody who decodes and cleans it", path, target, clean)
				}
				if strings.Contains(target, "//") || !own && strings.Contains(target, "..") {
					t.Fatalf("Target of %q: got %q, which can be read in two ways", path, target)
				}
				for segment := range strings.SplitSeq(target[1:], "/") {
					plain, err := url.PathUnescape(segment)
					if err != nil || plain == "." || plain == ".." || strings.Contains(plain, "\x00") || !own && strings.ContainsAny(plain, `/\`) {
						t.Fatalf("Target of %q: got %q, whose segment %q can be read in two ways", path, target, segment)
					}
				}
				again, err := domain.MatchEndpoint(service, method, target)
				if err != nil {
					t.Fatalf("Target of %q: got %q, which is not in the allow-list: %v", path, target, err)
				}
				if again.Endpoint != e && (!e.Starts || !again.Endpoint.Starts) {
					t.Fatalf("Target of %q for %s: got %q, which is %s", path, row(*e), target, row(*again.Endpoint))
				}
				if same, err := again.Target(p, used, func(id string) (string, error) { return id, nil }); err != nil || same != target {
					t.Fatalf("Target of %q: got %q and error %v, want it to be its own", target, same, err)
				}
			}
		}
	})
}
