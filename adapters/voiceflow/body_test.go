package voiceflow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/google/go-cmp/cmp"
)

// Bodies are rewritten inside of the package here, since one HTTP exchange for each would
// be too slow.

var pizza = domain.Project{
	ID: "01890000-0000-7000-8000-000000000001", Name: "Pizza", Voiceflow: "64dbb6696a8fab0013dba194", Version: "production",
}

// places are what stands in the places of a path.
var places = strings.NewReplacer(
	"{projectID}", string(pizza.Voiceflow), "{versionID}", pizza.Version, "{environmentAlias}", pizza.Version, "{projectEnvironmentIDOrAlias}", pizza.Version, "{userID}", "ben",
	"{", "", "}", "",
)

// call is a call of the endpoint for pizza by somebody whose ids are bound.
func call(t testing.TB, service domain.Service, method, path string) domain.Forward {
	t.Helper()
	route, err := domain.MatchEndpoint(string(service), method, places.Replace(path))
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return domain.Forward{Route: route, Project: pizza, UserIDs: domain.UserIDs{
		Bind: func(own string) (string, error) { return "bound-" + own, nil },
	}, Environment: environmentOf(route, pizza)}
}

// environmentOf chooses environments for calls of p, whose list of environments is empty.
func environmentOf(route domain.Route, p domain.Project) func(context.Context, domain.AskedEnvironment) (domain.UsedEnvironment, error) {
	return func(_ context.Context, asked domain.AskedEnvironment) (domain.UsedEnvironment, error) {
		used, _, err := domain.EnvironmentChoice{Route: route, Project: p, Asked: asked}.Decide(domain.EnvironmentList{Known: true})
		return used, err
	}
}

// rewritten is a body as it is sent, and the user id in it.
func rewritten(body []byte, c domain.Forward, ids *binder) (got []byte, userID string, err error) {
	w, err := rewriteBody(body, c, ids)
	if err != nil {
		return nil, "", err
	}
	used, err := c.Environment(context.Background(), w.asked)
	if err != nil {
		return nil, "", err
	}
	return w.rest(used), w.userID, nil
}

func TestTheMembersOfABodyAreCheckedSetAndBound(t *testing.T) {
	session := call(t, domain.ServiceRuntime, "POST", "/v4/project/{projectID}/session")
	stream := call(t, domain.ServiceRuntime, "POST", "/v2/project/{projectID}/user/{userID}/interact/stream")
	save := call(t, domain.ServiceAPI, "PUT", "/v2/transcripts")
	usage1 := call(t, domain.ServiceAnalytics, "POST", "/v1/query/usage")
	usage2 := call(t, domain.ServiceAnalytics, "POST", "/v2/query/usage")
	ask := call(t, domain.ServiceRuntime, "POST", "/knowledge-base/query")
	turn := call(t, domain.ServiceRealtime, "PUT", "/v1/stable/conversation/{userID}")
	search := call(t, domain.ServiceAnalytics, "POST", "/v1/transcript/project/{projectID}")
	free := session
	free.UserIDs = domain.UserIDs{}
	const ours, others = "64dbb6696a8fab0013dba194", "64dbb6696a8fab0013dba195"
	for _, tc := range []struct {
		name     string
		call     domain.Forward
		body     string
		want     string
		wantUser string
		wantKind domain.Kind
	}{
		{"a user id is bound", session, `{"userID":"ben"}`, `{"userID":"bound-ben"}`, "bound-ben", ""},
		{"a name written with escapes is the same name", session, `{"user\u0049D":"b\u0065n"}`, `{"user\u0049D":"bound-ben"}`, "bound-ben", ""},
		{"everything else stays to the byte", session, " {\"a\" : 1.50, \"userID\"\t:\"ben\" ,\n\"b\":[\"\\u00e9\",{\"userID\":\"x\"}] } \n",
			" {\"a\" : 1.50, \"userID\"\t:\"bound-ben\" ,\n\"b\":[\"\\u00e9\",{\"userID\":\"x\"}] } \n", "bound-ben", ""},
		{"another's id where nothing is documented", ask, `{"userID":"ben","question":"?"}`, `{"userID":"bound-ben","question":"?","projectID":"` + ours + `"}`, "bound-ben", ""},
		{"another version where none is documented", session, `{"userID":"ben","versionID":7}`, `{"userID":"bound-ben","versionID":"production"}`, "bound-ben", ""},
		{"another project where none is documented", session, `{"userID":"ben","projectID":"` + others + `"}`, "", "", domain.NotFound},
		{"another name does not count", session, `{"userID":"ben","userid":"x"}`, `{"userID":"bound-ben","userid":"x"}`, "bound-ben", ""},
		{"who has users of their own", free, `{"userID":"b\u0065n"}`, `{"userID":"b\u0065n"}`, "ben", ""},
		{"a user id that is missing", session, `{}`, "", "", domain.Invalid},
		{"a body that is missing", session, ``, "", "", domain.Invalid},
		{"a user id twice", session, `{"userID":"ben","userID":"eve"}`, "", "", domain.Invalid},
		{"a user id twice, once with escapes", session, `{"userID":"ben","user\u0049D":"eve"}`, "", "", domain.Invalid},
		{"a user id that is empty", session, `{"userID":""}`, "", "", domain.Invalid},
		{"a user id that is null", session, `{"userID":null}`, "", "", domain.Invalid},
		{"a user id that is a number", session, `{"userID":1}`, "", "", domain.Invalid},
		{"a user id that is a list", session, `{"userID":["ben"]}`, "", "", domain.Invalid},
		{"a user id that is an object", session, `{"userID":{"$ne":""}}`, "", "", domain.Invalid},
		{"a user id with a control character", session, `{"userID":"a\u0000"}`, "", "", domain.Invalid},
		{"a user id of 256 bytes", session, `{"userID":"` + strings.Repeat("x", 256) + `"}`, `{"userID":"bound-` + strings.Repeat("x", 256) + `"}`, "bound-" + strings.Repeat("x", 256), ""},
		{"a user id of 257 bytes", session, `{"userID":"` + strings.Repeat("x", 257) + `"}`, "", "", domain.Invalid},
		{"no object", session, `["userID"]`, "", "", domain.Invalid},
		{"text", session, `"userID"`, "", "", domain.Invalid},
		{"null", session, `null`, "", "", domain.Invalid},
		{"space only", session, ` `, "", "", domain.Invalid},
		{"half an object", session, `{"userID":"ben"`, "", "", domain.Invalid},
		{"something behind it", session, `{"userID":"ben"}{}`, "", "", domain.Invalid},
		{"a NUL behind it", session, "{\"userID\":\"ben\"}\x00", "", "", domain.Invalid},
		{"a name that comes twice elsewhere", session, `{"userID":"ben","a":{"b":1,"b":2}}`, "", "", domain.Invalid},
		{"bad UTF-8", session, "{\"userID\":\"ben\",\"a\":\"\xff\"}", "", "", domain.Invalid},
		{"half a surrogate pair", session, `{"userID":"\ud800"}`, "", "", domain.Invalid},
		{"a comma too many", session, `{"userID":"ben",}`, "", "", domain.Invalid},
		{"a form", session, `userID=ben`, "", "", domain.Invalid},

		{"a session id is bound", stream, `{"action":{"type":"launch"},"sessionID":"s"}`, `{"action":{"type":"launch"},"sessionID":"bound-s"}`, "", ""},
		{"a session id may be missing", stream, `{"action":{"type":"launch"}}`, `{"action":{"type":"launch"}}`, "", ""},
		{"a session id that must be there", save, `{}`, "", "", domain.Invalid},
		{"a session id deeper down does not count", stream, `{"action":{"sessionID":"s"}}`, `{"action":{"sessionID":"s"}}`, "", ""},
		{"no body stands for an empty one", stream, ``, `{}`, "", ""},

		{"a project is put in", ask, `{"question":"why?"}`, `{"question":"why?","projectID":"` + ours + `"}`, "", ""},
		{"a project is put into an empty object", ask, `{}`, `{"projectID":"` + ours + `"}`, "", ""},
		{"a project is put into no body", ask, ``, `{"projectID":"` + ours + `"}`, "", ""},
		{"the project itself", ask, `{"projectID":"` + ours + `"}`, `{"projectID":"` + ours + `"}`, "", ""},
		{"the project itself in capitals", ask, `{"projectID":"` + strings.ToUpper(ours) + `"}`, `{"projectID":"` + strings.ToUpper(ours) + `"}`, "", ""},
		{"another project", ask, `{"projectID":"` + others + `"}`, "", "", domain.NotFound},
		{"an empty project", ask, `{"projectID":""}`, "", "", domain.NotFound},
		{"a project that is a number", ask, `{"projectID":1}`, "", "", domain.Invalid},
		{"a project that is a list", ask, `{"projectID":["` + others + `"]}`, "", "", domain.Invalid},
		{"a project that is null", ask, `{"projectID":null}`, "", "", domain.Invalid},
		{"version, project and session", save, `{"versionID":"x","sessionID":"s"}`, `{"versionID":"production","sessionID":"bound-s","projectID":"` + ours + `"}`, "", ""},
		{"both are put in", save, `{"sessionID":"s"}`, `{"sessionID":"bound-s","projectID":"` + ours + `","versionID":"production"}`, "", ""},
		{"a stage is overwritten, whatever it was", turn, `{"version":{"a":[]},"action":{}}`, `{"version":"published","action":{}}`, "", ""},
		{"a stage is put in", turn, `{"action":{} }`, `{"action":{} ,"version":"published"}`, "", ""},

		{"every name of an environment in a search is that of the call", search, `{"projectEnvironmentIDOrAlias":"a","versionID":"b","environmentID":"c","environmentAlias":"d"}`,
			`{"projectEnvironmentIDOrAlias":"production","versionID":null,"environmentID":null,"environmentAlias":"production"}`, "", ""},
		{"a search for a version that came under its older name", search, `{"environmentID":"64dbb6696a8fab0013dba199"}`, `{"environmentID":null,"projectEnvironmentIDOrAlias":"production"}`, "", ""},
		{"a search names no environment in a list", search, `{"environmentID":["a"]}`, `{"environmentID":null,"projectEnvironmentIDOrAlias":"production"}`, "", ""},
		{"a project that need not be there", search, `{"startDate":"x"}`, `{"startDate":"x"}`, "", ""},
		{"one that need not be there, and is", search, `{"projectID":"` + ours + `"}`, `{"projectID":"` + ours + `"}`, "", ""},
		{"another one where none need be", search, `{"projectID":"` + others + `"}`, "", "", domain.NotFound},

		{"a project deeper down is put in", usage2, `{"data":{"name":"interactions","filter":{"limit":1}}}`, `{"data":{"name":"interactions","filter":{"limit":1,"projectID":"` + ours + `"}}}`, "", ""},
		{"into an empty filter", usage2, `{"data":{"filter":{}}}`, `{"data":{"filter":{"projectID":"` + ours + `"}}}`, "", ""},
		{"no filter to put it into", usage2, `{"data":{"name":"interactions"}}`, "", "", domain.Invalid},
		{"a filter that is null", usage2, `{"data":{"filter":null}}`, "", "", domain.Invalid},
		{"nothing that leads to it", usage2, `{}`, "", "", domain.Invalid},
		{"another project deeper down", usage2, `{"data":{"filter":{"projectID":"` + others + `"}}}`, "", "", domain.NotFound},
		{"a filter that is a list", usage2, `{"data":{"filter":[{"projectID":"` + others + `"}]}}`, "", "", domain.Invalid},
		{"data that is text", usage2, `{"data":"x"}`, "", "", domain.Invalid},
		{"in each element of a list", usage1, `{"query":[{"filter":{}},{"filter":{"projectID":"` + ours + `"}},{"filter":{"a":1}}]}`,
			`{"query":[{"filter":{"projectID":"` + ours + `"}},{"filter":{"projectID":"` + ours + `"}},{"filter":{"a":1,"projectID":"` + ours + `"}}]}`, "", ""},
		{"an element without a filter", usage1, `{"query":[{"filter":{}},{"name":"x"}]}`, "", "", domain.Invalid},
		{"an element that is null", usage1, `{"query":[null]}`, "", "", domain.Invalid},
		{"an empty list", usage1, `{"query":[]}`, `{"query":[]}`, "", ""},
		{"another project in the last element", usage1, `{"query":[{"filter":{}},{"filter":{"projectID":"` + others + `"}}]}`, "", "", domain.NotFound},
		{"an object in place of a list", usage1, `{"query":{"filter":{"projectID":"` + others + `"}}}`, "", "", domain.Invalid},
		{"a list that is cut", usage1, `{"query":[{"filter":{}}`, "", "", domain.Invalid},
		{"a list in a list", usage1, `{"query":[[{"filter":{}}]]}`, "", "", domain.Invalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sent := []byte(tc.body)
			got, user, err := rewritten(sent, tc.call, newBinder(tc.call))
			if domain.KindOf(err) != tc.wantKind || tc.wantKind == "" && err != nil {
				t.Fatalf("got %q, %v, want kind %q", got, err, tc.wantKind)
			}
			if diff := cmp.Diff(tc.want, string(got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if user != tc.wantUser {
				t.Errorf("got the user id %q, want %q", user, tc.wantUser)
			}
			if string(sent) != tc.body {
				t.Errorf("the body itself was changed to %q", sent)
			}
		})
	}
}

func TestWhatBindFailsWithIsWhatTheBodyFailsWith(t *testing.T) {
	f := call(t, domain.ServiceRuntime, "POST", "/v4/project/{projectID}/session")
	want := &domain.Error{Kind: domain.Unavailable}
	f.UserIDs.Bind = func(string) (string, error) { return "", want }
	if _, _, err := rewritten([]byte(`{"userID":"ben"}`), f, newBinder(f)); !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

// FuzzRequestBody holds the rewriter against encoding/json: what goes out is JSON that
// says whose it is in one way only, and says the same as before otherwise.
func FuzzRequestBody(f *testing.F) {
	var calls []domain.Forward
	for _, e := range domain.Endpoints() {
		if e.Body != domain.NoBody {
			calls = append(calls, call(f, e.Service, e.Method, e.Path))
		}
	}
	for _, seed := range []string{
		``, `{}`, `{"userID":"ben","a":[1,{"userID":"x"}]}`, `{"sessionID":"s","projectID":"64dbb6696a8fab0013dba194","versionID":1}`,
		`{"query":[{"filter":{"projectID":"64dbb6696a8fab0013dba194"}},{"filter":{"a":1}},null]}`, `{"data":{"filter":{}}}`, `{"version":"draft"}`,
		`{"userID":"ben","userID":"x"}`, `{"projectID":"64dbb6696a8fab0013dba195"}`, `{"query":{}}`, "{\"userID\":\"\xff\"}",
		`{"config":{"excludeTypes":[],"logs":"verbose"},"logs":true,"session":{"userID":"ben","sessionID":"s"}}`,
		`{"config":{"excludeTypes":["log", "x" ]}}`, `{"state":{}}`, `{"variables":null}`, `{"config":{"excludeTypes":null}}`, `{"__proto__":{"state":{}}}`,
	} {
		for i := range calls {
			f.Add([]byte(seed), i)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, n int) {
		c := calls[uint(n)%uint(len(calls))]
		before := bytes.Clone(body)
		out, _, err := rewritten(body, c, newBinder(c))
		if !bytes.Equal(before, body) {
			t.Fatal("the body itself was changed")
		}
		if err != nil {
			if k := domain.KindOf(err); k != domain.Invalid && k != domain.NotFound && k != domain.NotAllowed {
				t.Fatalf("got %v", err)
			}
			return
		}
		got, want := decoded(t, out), map[string]any{}
		if len(body) > 0 {
			want = decoded(t, body)
		}
		for _, m := range c.Route.Endpoint.AllMembers() {
			checkMember(t, got, want, m.At, m)
		}
		// Without the members both are the same.
		for _, m := range c.Route.Endpoint.AllMembers() {
			without(got, m.At)
			without(want, m.At)
			// The object around a member is added with it.
			if object, is := got[m.At[0]].(map[string]any); is && len(object) == 0 && want[m.At[0]] == nil {
				delete(got, m.At[0])
				delete(want, m.At[0])
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q became %q (-want +got):\n%s", body, out, diff)
		}
	})
}

// decoded is a body as encoding/json reads it.
func decoded(t *testing.T, body []byte) map[string]any {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber() // numbers may be larger than any of Go's
	var object map[string]any
	if err := d.Decode(&object); err != nil {
		t.Fatalf("encoding/json does not take %q: %v", body, err)
	}
	return object
}

// checkMember holds what a member has become against what it was.
func checkMember(t *testing.T, got, want any, at []string, m domain.Member) {
	if at[0] == "[]" {
		list, _ := got.([]any)
		was, _ := want.([]any)
		for i := range list {
			checkMember(t, list[i], was[i], at[1:], m)
		}
		return
	}
	object, isObject := got.(map[string]any)
	was, _ := want.(map[string]any)
	if !isObject {
		return
	}
	if len(at) > 1 {
		checkMember(t, object[at[0]], was[at[0]], at[1:], m)
		return
	}
	value, there := object[at[0]]
	text, _ := value.(string)
	switch m.Is {
	case domain.FieldUser, domain.FieldSession:
		own, _ := was[at[0]].(string)
		if there && (text != "bound-"+own || own == "" || strings.ContainsFunc(own, unicode.IsControl)) {
			t.Errorf("%s: got %v, of %q", at[0], value, own)
		}
	case domain.FieldState, domain.FieldNone:
		if there {
			t.Errorf("%s: got %v from a caller without the scope", at[0], value)
		}
	case domain.FieldLogs:
		if there && text != domain.LogsOff {
			t.Errorf("%s: got %v, want it off", at[0], value)
		}
	case domain.FieldExcludeTypes:
		list, _ := value.([]any)
		for _, kind := range domain.DebugTypes() {
			if there && !slices.Contains(list, any(kind)) {
				t.Errorf("%s: got %v, want %s in it", at[0], value, kind)
			}
		}
	case domain.FieldProject:
		if there && !pizza.IsVoiceflow(text) || !there && !m.IfThere {
			t.Errorf("%s: got %v, want %s", at[0], value, pizza.Voiceflow)
		}
	default:
		// Nobody but the caller may have left it empty.
		if there && text != pizza.Version && text != "published" && value != nil && value != was[at[0]] || there && text != "" && text == was[at[0]] && text != pizza.Version && text != "published" {
			t.Errorf("%s: got %v, want that of the project", at[0], value)
		}
	}
}

// without takes the member out of what it is in.
func without(in any, at []string) {
	switch v := in.(type) {
	case []any:
		if at[0] == "[]" {
			for _, element := range v {
				without(element, at[1:])
			}
		}
	case map[string]any:
		if len(at) == 1 {
			delete(v, at[0])
		} else {
			without(v[at[0]], at[1:])
		}
	}
}

func TestABodyThatIsLookedAtIsAtMostAMebibyte(t *testing.T) {
	for _, tc := range []struct {
		name   string
		size   int
		length int64
		want   bool
	}{
		{"as long as it may be", (1 << 20), (1 << 20), true},
		{"as long as it may be, of unknown length", (1 << 20), -1, true},
		{"a byte longer", (1 << 20) + 1, (1 << 20) + 1, false},
		{"a byte longer, of unknown length", (1 << 20) + 1, -1, false},
	} {
		r := &http.Request{Body: io.NopCloser(strings.NewReader(strings.Repeat("x", tc.size))), ContentLength: tc.length}
		got, err := readBody(r, 1<<20)
		if tc.want {
			if err != nil || len(got) != tc.size {
				t.Errorf("%s: got %d bytes, %v, want %d", tc.name, len(got), err, tc.size)
			}
			continue
		}
		if tooLong, ok := errors.AsType[*http.MaxBytesError](err); !ok || tooLong.Limit != (1<<20) || domain.KindOf(err) != domain.Invalid {
			t.Errorf("%s: got %v, want Invalid by a *http.MaxBytesError", tc.name, err)
		}
	}
}
