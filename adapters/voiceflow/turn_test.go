package voiceflow

import (
	"net/url"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

// turns are the calls of all endpoints that take a turn, by a caller within the scopes.
func turns(t testing.TB, scopes ...domain.Scope) map[string]domain.Forward {
	t.Helper()
	all := map[string]domain.Forward{}
	for _, e := range domain.Endpoints() {
		if e.Turn {
			c := call(t, e.Service, e.Method, e.Path)
			c.Scopes = domain.ScopesOf(scopes...)
			all[e.Method+" "+e.Path] = c
		}
	}
	if len(all) < 5 {
		t.Fatalf("got %d endpoints that take a turn, want at least 5", len(all))
	}
	return all
}

func TestDebugOutputInTheBodyOfATurnNeedsItsScope(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		want       string // without the scope; "" if it stays as it is
		kind       domain.Kind
	}{
		{"no config", `{"action":{"type":"launch"}}`, "", ""},
		{"a config that says nothing about types", `{"config":{"tts":true,"stopTypes":["debug"]}}`, "", ""},
		{"no types", `{"config":{"excludeTypes":[]}}`, `{"config":{"excludeTypes":["debug","log","flow","block"]}}`, ""},
		{"no types and space", `{"config":{"excludeTypes": [ ] ,"tts":true}}`, `{"config":{"excludeTypes": [ "debug","log","flow","block"] ,"tts":true}}`, ""},
		{"another type", `{"config":{"excludeTypes":["speak"]}}`, `{"config":{"excludeTypes":["speak","debug","log","flow","block"]}}`, ""},
		{"some of the types", `{"config":{"excludeTypes":["block","debug","flow"]}}`, `{"config":{"excludeTypes":["block","debug","flow","log"]}}`, ""},
		{"all of the types", `{"config":{"excludeTypes":["block","debug","flow","log"]}}`, "", ""},
		{"the types written with escapes", `{"c\u006fnfig":{"exclude\u0054ypes":["bl\u006fck","debug","flow","log"]}}`, "", ""},
		{"the types in capitals", `{"config":{"excludeTypes":["LOG","debug","flow","block"]}}`, `{"config":{"excludeTypes":["LOG","debug","flow","block","log"]}}`, ""},
		{"null, for which Voiceflow has a list of its own", `{"config":{"excludeTypes":null}}`, `{"config":{"excludeTypes":["debug","log","flow","block"]}}`, ""},
		{"a type that is null", `{"config":{"excludeTypes":[null]}}`, `{"config":{"excludeTypes":[null,"debug","log","flow","block"]}}`, ""},
		{"text", `{"config":{"excludeTypes":"log"}}`, "", domain.Invalid},
		{"empty text", `{"config":{"excludeTypes":""}}`, "", domain.Invalid},
		{"false", `{"config":{"excludeTypes":false}}`, "", domain.Invalid},
		{"a number", `{"config":{"excludeTypes":0}}`, "", domain.Invalid},
		{"an object", `{"config":{"excludeTypes":{"length":0}}}`, "", domain.Invalid},
		{"a list in a list", `{"config":{"excludeTypes":[["log"]]}}`, "", domain.Invalid},
		{"a number in the list", `{"config":{"excludeTypes":[1]}}`, "", domain.Invalid},
		{"logs in the body", `{"logs":"verbose"}`, `{"logs":"off"}`, ""},
		{"logs in the config", `{"config":{"logs":{"a":1}}}`, `{"config":{"logs":"off"}}`, ""},
		{"logs that are off", `{"logs":"off","config":{"logs":"off"}}`, "", ""},
	} {
		for name, c := range turns(t) {
			t.Run(tc.name+": "+name, func(t *testing.T) { wantRewritten(t, c, tc.body, tc.want, tc.kind) })
		}
		for name, c := range turns(t, domain.ScopeDebug) {
			t.Run(tc.name+", with the scope: "+name, func(t *testing.T) { wantRewritten(t, c, tc.body, "", "") })
		}
	}
}

func TestSettingTheStateInATurnNeedsItsScope(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		kind       domain.Kind // without the scope
	}{
		{"a state", `{"state":{"variables":{"vip":true}}}`, domain.NotAllowed},
		{"a state that is empty", `{"state":{}}`, domain.NotAllowed},
		{"a state that is null", `{"state":null}`, domain.NotAllowed},
		{"a state of another type", `{"state":"x"}`, domain.NotAllowed},
		{"a state written with escapes", `{"st\u0061te":{}}`, domain.NotAllowed},
		{"variables", `{"action":{},"variables":{"vip":true}}`, domain.NotAllowed},
		{"a state in the config", `{"config":{"state":{}}}`, domain.NotAllowed},
		{"variables in the config", `{"config":{"variables":{}}}`, domain.NotAllowed},
		{"variables in what the user does", `{"action":{"type":"event","payload":{"variables":{},"state":{}}}}`, ""},
		{"another name", `{"State":{},"Variables":{}}`, ""},
	} {
		for name, c := range turns(t, domain.ScopeConverse, domain.ScopeDebug) {
			t.Run(tc.name+": "+name, func(t *testing.T) { wantRewritten(t, c, tc.body, "", tc.kind) })
		}
		for name, c := range turns(t, domain.ScopeState) {
			t.Run(tc.name+", with the scope: "+name, func(t *testing.T) { wantRewritten(t, c, tc.body, "", "") })
		}
	}
}

func TestATurnThatCannotBeCheckedIsRefused(t *testing.T) {
	for _, tc := range []struct{ name, body string }{
		{"a config that is a list", `{"config":[{"excludeTypes":[]}]}`},
		{"a config that is text", `{"config":"x"}`},
		{"a config that comes twice", `{"config":{},"config":{"excludeTypes":[]}}`},
		{"types that come twice", `{"config":{"excludeTypes":["log","debug","flow","block"],"excludeTypes":[]}}`},
		{"a state that comes twice", `{"a":1,"a":2}`},
		{"a session that is text", `{"session":"x"}`},
		{"a prototype", `{"__proto__":{"state":{}}}`},
		{"a prototype by its constructor", `{"constructor":{"prototype":{"state":{}}}}`},
		{"one of the config by its constructor", `{"config":{"constructor":{"prototype":{"excludeTypes":[]}}}}`},
		{"one of the session by its constructor", `{"session":{"constructor":{"prototype":{"userID":"x"}}}}`},
		{"a prototype of the config", `{"config":{"__proto__":{"excludeTypes":[]}}}`},
		{"a prototype of the session", `{"session":{"__proto__":{"userID":"x"}}}`},
		{"a byte order mark", "\ufeff{}"},
		{"another charset", "\xfe\xff\x00{\x00}"},
		{"compressed data", "\x1f\x8b\x08\x00"},
		{"a list", `[]`},
		{"text", `"{}"`},
		{"null", `null`},
		{"a form", `state=1`},
		{"a comment", `{/**/}`},
	} {
		for name, c := range turns(t, domain.AllScopes().List()...) {
			t.Run(tc.name+": "+name, func(t *testing.T) { wantRewritten(t, c, tc.body, "", domain.Invalid) })
		}
	}
}

func TestIdsOfASessionInABodyAreBound(t *testing.T) {
	for name, c := range turns(t) {
		t.Run(name, func(t *testing.T) {
			wantRewritten(t, c, `{"session":{"userID":"ben","sessionID":"s","a":1}}`, `{"session":{"userID":"bound-ben","sessionID":"bound-s","a":1}}`, "")
			for _, body := range []string{`{"session":{"userID":1}}`, `{"session":{"sessionID":""}}`, `{"session":{"userID":null}}`, `{"session":{"userID":"a\u0000"}}`} {
				wantRewritten(t, c, body, "", domain.Invalid)
			}
		})
	}
}

func TestTheStartOfASessionAndATranscriptAreLikeTurns(t *testing.T) {
	start := call(t, domain.ServiceRuntime, "POST", "/v4/project/{projectID}/session")
	wantRewritten(t, start, `{"userID":"ben","variables":{"vip":true}}`, "", domain.NotAllowed)
	wantRewritten(t, start, `{"userID":"ben","config":{"excludeTypes":[]}}`, `{"userID":"bound-ben","config":{"excludeTypes":["debug","log","flow","block"]}}`, "")
	wantRewritten(t, start, `{"userID":"ben","session":{"userID":"eve"}}`, `{"userID":"bound-ben","session":{"userID":"bound-eve"}}`, "")
	save := call(t, domain.ServiceAPI, "PUT", "/v2/transcripts")
	wantRewritten(t, save, `{"sessionID":"s","projectID":"`+string(pizza.Voiceflow)+`","versionID":"x","session":{"sessionID":"s"}}`,
		`{"sessionID":"bound-s","projectID":"`+string(pizza.Voiceflow)+`","versionID":"production","session":{"sessionID":"bound-s"}}`, "")
}

// wantRewritten rewrites the body. It stays as it is if want is "".
func wantRewritten(t *testing.T, c domain.Forward, body, want string, kind domain.Kind) {
	t.Helper()
	if want == "" {
		want = body
	}
	if strings.HasPrefix(c.Route.Endpoint.Path, "/v2beta1/") && !strings.Contains(body, `"session"`) { // it must be there
		body = body[:len(body)-1] + `,"session":{"userID":"ben","sessionID":"s"}}`
		want = want[:len(want)-1] + `,"session":{"userID":"bound-ben","sessionID":"bound-s"}}`
	}
	got, _, err := rewritten([]byte(body), c, newBinder(c))
	if domain.KindOf(err) != kind || kind == "" && err != nil {
		t.Fatalf("got %q, %v, want kind %q", got, err, kind)
	}
	if c.Route.Endpoint.Service == domain.ServiceRealtime { // its stage is put in
		want = want[:len(want)-1] + `,"version":"published"}`
	}
	if kind == "" && string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// passed is what the endpoint lets pass of a query.
func passed(c domain.Forward, raw string, ids *binder) (string, error) {
	q, err := readQuery(c, raw, ids, &domain.AskedEnvironment{})
	if err != nil {
		return "", err
	}
	return q.String(), nil
}

func TestLogsInTheQueryOfATurnNeedTheirScope(t *testing.T) {
	c := call(t, domain.ServiceRuntime, "POST", "/state/user/{userID}/interact")
	debug := c
	debug.Scopes = domain.ScopesOf(domain.ScopeDebug)
	for _, tc := range []struct{ name, query, want, debug string }{
		{"verbose logs", "logs=verbose&verbose=true", "verbose=true", "logs=verbose&verbose=true"},
		{"logs that are off", "logs=off", "logs=off", "logs=off"},
		{"logs that are off twice", "logs=off&logs=off", "logs=off", "logs=off&logs=off"},
		{"logs that are off and on", "logs=off&logs=info", "logs=off", "logs=off&logs=info"},
		{"logs that are on and off", "logs=true&logs=off", "", "logs=true&logs=off"},
		{"logs without a value", "logs", "", "logs="},
		{"logs that are off in capitals", "logs=OFF", "", "logs=OFF"},
		{"logs that are off and more", "logs=off%00", "", "logs=off%00"},
		{"a name with escapes", "%6cogs=verbose", "", "logs=verbose"},
		{"a name in capitals", "LOGS=verbose&Logs=verbose", "", ""},
		{"a list", "logs[]=verbose&logs%5B0%5D=verbose&logs.0=verbose", "", ""},
		{"a name with space", "logs+=verbose&%20logs=verbose", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, each := range []struct {
				call domain.Forward
				want string
			}{{c, tc.want}, {debug, tc.debug}} {
				got, err := passed(each.call, tc.query, newBinder(each.call))
				if err != nil || got != each.want {
					t.Errorf("got %q, %v, want %q", got, err, each.want)
				}
			}
		})
	}
	for name, c := range turns(t) {
		got, err := passed(c, "logs=verbose", newBinder(c))
		if values, _ := url.ParseQuery(got); err != nil || values.Has("logs") {
			t.Errorf("%s: got %q, %v, want no logs", name, got, err)
		}
	}
}
