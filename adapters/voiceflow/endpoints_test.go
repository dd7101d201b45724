package voiceflow_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/domain"
)

// TestTheStandInServesEveryEndpoint sends each call of the allow-list to the stand-in, whose paths come
// from Voiceflow's specifications. So a path that exists nowhere is found. It also guards which
// credential opens what.
func TestTheStandInServesEveryEndpoint(t *testing.T) {
	a := voiceflowtest.NewProject("Shop", "main", "staging")
	s, err := voiceflowtest.Start(a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	personal := voiceflowtest.NewPersonalToken()
	s.AddPersonalToken(personal, a.ProjectID)
	client := &http.Client{Timeout: 10 * time.Second}
	places := strings.NewReplacer("{projectID}", a.ProjectID, "{versionID}", a.VersionID, "{environmentAlias}", "main", "{projectEnvironmentIDOrAlias}", "main", "{userID}", "ben",
		"{metric}", "call-count", "{", "some-", "}", "")
	send := func(e domain.Endpoint, authorization string) (int, string) {
		t.Helper()
		body, query := io.Reader(nil), ""
		if e.Body != domain.NoBody {
			body = strings.NewReader(`{"userID":"ben","session":{"userID":"ben","sessionID":"s"},"version":"published","question":"x","action":{"type":"launch"}}`)
		}
		for _, field := range e.Ours {
			value := map[domain.Field]string{
				domain.FieldProject: a.ProjectID, domain.FieldEnvironment: "main", domain.FieldAlias: "main", domain.FieldStage: "published",
			}[field]
			query += "&" + string(field) + "=" + value
		}
		r, err := http.NewRequestWithContext(t.Context(), e.Method, s.URL()+places.Replace(e.Path)+"?"+strings.TrimPrefix(query, "&"), body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("versionID", "main")
		r.Header.Set("Authorization", authorization)
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}
	for _, e := range domain.Endpoints() {
		t.Run(e.Method+" "+string(e.Service)+strings.ReplaceAll(e.Path, "/", "."), func(t *testing.T) {
			for name, credential := range map[string]string{
				"the project's key": a.Key, "a personal token": "Bearer " + personal, "a personal token without Bearer": personal,
				"a key after Bearer": "Bearer " + a.Key, "another key": voiceflowtest.NewKey(), "nothing": "",
			} {
				stable := strings.HasPrefix(e.Path, "/v1/stable/")
				opens := !e.BySession && (credential == a.Key || stable && credential == "Bearer "+personal)
				status, text := send(e, credential)
				switch refused := status == 401 || status == 400 && strings.Contains(text, "API key is correct") || status == 500; {
				case strings.Contains(text, "Cannot "+e.Method):
					t.Fatalf("the stand-in serves no such path: %d %s", status, text)
				case opens == refused && !e.Retired:
					t.Errorf("%s: got %d %.200s, want it to open the call: %v", name, status, text, opens)
				}
			}
		})
	}
}

// TestWhatTheOlderTurnsReadPasses guards the parameter locale and the header platform, which the
// runtime reads with a turn of the older API, and which no other call gets.
func TestWhatTheOlderTurnsReadPasses(t *testing.T) {
	f := far(t, answer(200, "application/json", `{}`))
	stream := "/v2/project/" + string(pizza.Voiceflow) + "/user/ben/interact/stream"
	for _, tc := range []struct {
		path, query, platform string
	}{
		{"/state/user/ben/interact", "verbose=true&locale=de-DE", "whatsapp"},
		{"/state/production/user/ben/interact", "verbose=true&locale=de-DE", "whatsapp"},
		{"/interact/production", "verbose=true&locale=de-DE", "whatsapp"},
		{stream, "environment=production", ""},
	} {
		r := sent("verbose=true&locale=de-DE&else=x", `{}`)
		r.Header.Set("Platform", "whatsapp")
		r.Header.Set("Origin", "https://page.example")
		resp, err := f.forward(t.Context(), to(t, domain.ServiceRuntime, "POST", tc.path), r)
		if err != nil {
			t.Fatalf("%s: %v", tc.path, err)
		}
		_ = resp.Body.Close()
		all := f.seen()
		got := all[len(all)-1]
		_, query, _ := strings.Cut(got.URI, "?")
		if query != tc.query || got.Header.Get("Platform") != tc.platform || got.Header.Get("Origin") != "" {
			t.Errorf("%s: got the query %q and the header %v, want %q and the platform %q", tc.path, query, got.Header, tc.query, tc.platform)
		}
	}
}
