package voiceflowtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/google/go-cmp/cmp"
)

func start(t *testing.T, assistants ...voiceflowtest.Assistant) *voiceflowtest.Server {
	t.Helper()
	s, err := voiceflowtest.Start(assistants...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// get asks for an export with a connection of its own, so that nothing is
// retried behind the test's back.
func get(ctx context.Context, base, version, key string, header ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/v2/versions/"+version+"/export", nil)
	if err != nil {
		return nil, err
	}
	if key != "" {
		req.Header.Set("Authorization", key)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return client.Do(req)
}

// fetch reads an answer to its end; err is that of the reading.
func fetch(t *testing.T, s *voiceflowtest.Server, a voiceflowtest.Assistant) (*http.Response, string, error) {
	t.Helper()
	resp, err := get(t.Context(), s.URL(), a.VersionID, a.Key)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

func export(t *testing.T, a voiceflowtest.Assistant) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := voiceflowtest.WriteExport(&out, a); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// order returns the names of an object's members as they come.
func order(t *testing.T, object []byte) []string {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	var names []string
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			t.Fatalf("got %v, %v, want a name", token, err)
		}
		names = append(names, name)
		var skipped json.RawMessage
		if err := d.Decode(&skipped); err != nil {
			t.Fatal(err)
		}
	}
	return names
}

func TestExportHasTheMembersOfItsTime(t *testing.T) {
	for _, tc := range []struct {
		name             string
		shape            voiceflowtest.Shape
		top              string
		created, dev     bool
		environments     bool
		platform, alias1 string
	}{
		{
			name: "2022: project is early and has createdAt", shape: voiceflowtest.Shape2022,
			top:     "_version project version diagrams variableStates",
			created: true, dev: true, platform: "chatbot", alias1: "development",
		},
		{
			name: "2024: project is late and has no createdAt", shape: voiceflowtest.Shape2024,
			top: "version diagrams flows entities entityVariants intents utterances requiredEntities folders responses " +
				"responseVariants responseMessages responseDiscriminators variables workflows attachments cardButtons functions " +
				"functionPaths functionVariables project _version variableStates",
			dev: true, platform: "webchat", alias1: "development",
		},
		{
			name: "2026: project has environments and no devVersion", shape: voiceflowtest.Shape2026,
			top: "version diagrams flows entities intents utterances requiredEntities folders responses responseMessages " +
				"responseDiscriminators variables workflows attachments prompts events functions functionPaths functionVariables " +
				"agents apiTools integrationTools mcpServers simulations personas kbDocumentVersions transcriptEvaluations project " +
				"assistant _version secrets variableStates",
			environments: true, platform: "webchat", alias1: "main",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := voiceflowtest.NewAssistant("Pizza", tc.shape)
			raw := export(t, a)
			if diff := cmp.Diff(strings.Fields(tc.top), order(t, raw)); diff != "" {
				t.Errorf("members of the export (-want +got):\n%s", diff)
			}
			var got struct {
				Project struct {
					ID           string `json:"_id"`
					Name         string
					Platform     string
					DevVersion   *string
					CreatedAt    *time.Time
					Environments map[string]any
				}
				Version struct {
					ID        string `json:"_id"`
					ProjectID string
				}
				Assistant map[string]any
				Diagrams  map[string]any
			}
			if err := json.Unmarshal(raw, &got); err != nil {
				t.Fatal(err)
			}
			if got.Project.ID != a.ProjectID || got.Version.ID != a.VersionID || got.Version.ProjectID != a.ProjectID {
				t.Errorf("got ids %s, %s, %s of %+v", got.Project.ID, got.Version.ID, got.Version.ProjectID, a)
			}
			if got.Project.Name != "Pizza" || got.Project.Platform != tc.platform || a.Aliases[0] != tc.alias1 {
				t.Errorf("got name %q, platform %q, aliases %q", got.Project.Name, got.Project.Platform, a.Aliases)
			}
			if (got.Project.CreatedAt != nil) != tc.created {
				t.Errorf("createdAt: got %v, want one: %v", got.Project.CreatedAt, tc.created)
			}
			if tc.created && fmt.Sprintf("%08x", got.Project.CreatedAt.Unix()) != a.ProjectID[:8] {
				t.Errorf("createdAt: got %v, want the time of id %s", got.Project.CreatedAt, a.ProjectID)
			}
			if (got.Project.DevVersion != nil) != tc.dev {
				t.Errorf("devVersion: got %v, want one: %v", got.Project.DevVersion, tc.dev)
			}
			if (got.Project.Environments != nil) != tc.environments || (got.Assistant != nil) != tc.environments {
				t.Errorf("got environments %v and assistant %v, want both: %v", got.Project.Environments, got.Assistant, tc.environments)
			}
			if len(got.Diagrams) != 1 || !bytes.Contains(raw, []byte(voiceflowtest.StepCredential)) {
				t.Errorf("got %d diagrams, want one that holds the credential", len(got.Diagrams))
			}
		})
	}
}

func TestProjectStandsWhereItIsPlaced(t *testing.T) {
	for _, shape := range voiceflowtest.Shapes() {
		t.Run(shape.String(), func(t *testing.T) {
			a := voiceflowtest.NewAssistant("Pizza", shape)
			inPlace := order(t, export(t, a))

			a.Place = voiceflowtest.First
			first := order(t, export(t, a))
			a.Place = voiceflowtest.Last
			last := order(t, export(t, a))
			if first[0] != "project" || last[len(last)-1] != "project" {
				t.Errorf("first: %v\nlast: %v", first, last)
			}
			if len(first) != len(inPlace) || len(last) != len(inPlace) {
				t.Errorf("got %d and %d members, want %d", len(first), len(last), len(inPlace))
			}
		})
	}
}

func TestNamesOfAnyScriptAndLengthArrive(t *testing.T) {
	for _, name := range []string{
		"", "Pizza", `quotes " and \ slashes /`, "line\nbreak\tand \x00 NUL", "<b>&amp;</b>", "Ελληνικά", "עִבְרִית\u200f", "日本語 🍕",
		"\u2028", "$PROJECT is a word of the generator", strings.Repeat("長", 100_000),
	} {
		for _, escaped := range []bool{false, true} {
			t.Run(fmt.Sprintf("%.20q, escaped %v", name, escaped), func(t *testing.T) {
				a := voiceflowtest.NewAssistant(name, voiceflowtest.Shape2024)
				a.EscapeName = escaped
				raw := export(t, a)
				var got struct{ Project struct{ Name string } }
				if err := json.Unmarshal(raw, &got); err != nil {
					t.Fatal(err)
				}
				if got.Project.Name != name {
					t.Errorf("got %.60q, want %.60q", got.Project.Name, name)
				}
				if escaped && !isASCII(between(raw, `"name":`, `,"image"`)) {
					t.Errorf("an escaped name has more than ASCII: %.60q", between(raw, `"name":`, `,"image"`))
				}
			})
		}
	}

	t.Run("NameJSON and PlatformJSON go out to the byte", func(t *testing.T) {
		a := voiceflowtest.NewAssistant("Pizza", voiceflowtest.Shape2022)
		a.NameJSON, a.PlatformJSON = "\"bad \xff\xfe, lone \\ud800, NUL \\u0000\"", `[7`
		raw := export(t, a)
		for _, want := range []string{`"name":` + a.NameJSON + `,"teamID"`, `"platform":[7,"platformData"`} {
			if !bytes.Contains(raw, []byte(want)) {
				t.Errorf("%q is not in the export", want)
			}
		}
	})
}

// between returns what stands between the last opening before the first closing.
func between(raw []byte, opening, closing string) string {
	before, _, _ := bytes.Cut(raw, []byte(closing))
	return string(before[bytes.LastIndex(before, []byte(opening))+len(opening):])
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r >= 0x80 })
}

func TestIdsAndKeysAreOfVoiceflowsForm(t *testing.T) {
	at := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	id, key := voiceflowtest.NewID(at), voiceflowtest.NewKey()
	if !regexp.MustCompile(`^[0-9a-f]{24}$`).MatchString(id) || !strings.HasPrefix(id, fmt.Sprintf("%08x", at.Unix())) {
		t.Errorf("got id %q", id)
	}
	if !regexp.MustCompile(`^VF\.DM\.[0-9a-f]{24}\.[a-zA-Z0-9]{16}$`).MatchString(key) {
		t.Errorf("got key %q", key)
	}
	if voiceflowtest.NewID(at) == id || voiceflowtest.NewKey() == key {
		t.Error("the second id or key is the first")
	}
}

// counter counts bytes and remembers the last one.
type counter struct {
	n    int64
	last byte
}

func (c *counter) Write(p []byte) (int, error) {
	if len(p) > 0 {
		c.n, c.last = c.n+int64(len(p)), p[len(p)-1]
	}
	return len(p), nil
}

// allocated returns how many bytes f allocates in all, freed or not.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestAnExportOf100MBIsNeverHeld(t *testing.T) {
	a := voiceflowtest.NewAssistant("Large", voiceflowtest.Shape2024)
	a.Size = 100 << 20
	s := start(t, a)
	var got counter
	n := allocated(func() {
		resp, err := get(t.Context(), s.URL(), a.VersionID, a.Key)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		if _, err := io.Copy(&got, resp.Body); err != nil {
			t.Fatal(err)
		}
	})
	if got.n < a.Size || got.n >= a.Size+4<<10 || got.last != '}' {
		t.Errorf("got %d bytes that end in %q, want %d and less than 4 KiB more", got.n, got.last, a.Size)
	}
	// All that was allocated, freed or not: whoever holds the export needs more.
	if n > uint64(a.Size)/2 {
		t.Errorf("sending and reading it allocated %d bytes", n)
	}
}

func TestALargerExportIsStillAnExport(t *testing.T) {
	for _, shape := range voiceflowtest.Shapes() {
		a := voiceflowtest.NewAssistant("Large", shape)
		a.Size = 1 << 20
		raw := export(t, a)
		var got struct {
			Diagrams map[string]struct{ Name string }
		}
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatalf("%v: %v", shape, err)
		}
		if len(raw) < 1<<20 || len(raw) >= 1<<20+4<<10 || len(got.Diagrams) < 100 {
			t.Errorf("%v: got %d bytes with %d diagrams", shape, len(raw), len(got.Diagrams))
		}
	}
}

func TestTheKeyDecidesLikeVoiceflow(t *testing.T) {
	a := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2024)
	b := voiceflowtest.NewAssistant("Two", voiceflowtest.Shape2026)
	s := start(t, a, b)
	for _, tc := range []struct {
		name, version, key, project string
		status                      int
		body                        string
	}{
		{"the right key opens", a.VersionID, a.Key, "", 200, `"name":"One"`},
		{"an id is as good in capitals", strings.ToUpper(a.VersionID), a.Key, "", 200, `"name":"One"`},
		{"an alias opens with the project's id", "production", a.Key, a.ProjectID, 200, `"name":"One"`},
		{"the alias of 2026 opens", "main", b.Key, b.ProjectID, 200, `"name":"Two"`},
		{"an alias needs the project's id", "production", a.Key, "", 400, `"data":{"errors":{"projectid"`},
		{"an alias that the project does not have", "staging", a.Key, a.ProjectID, 400, `"message":"invalid environment tag"`},
		{"no key", a.VersionID, "", "", 401, `"data":"Auth Key Required"`},
		{"an unknown key", a.VersionID, voiceflowtest.NewKey(), "", 401, `{"code":401,"status":"Unauthorized","dateTime":"`},
		{"the key of another project", a.VersionID, b.Key, "", 401, `"code":401`},
		{"the key of another project, for an alias", "main", a.Key, b.ProjectID, 401, `"code":401`},
		{"a key that is not bare", a.VersionID, "Bearer " + a.Key, "", 500, `{"statusCode":500,"message":"Internal server error"}`},
		{"an unknown version", voiceflowtest.NewID(time.Unix(0, 0)), a.Key, "", 404, `Model not found`},
		{"an unknown version under an unknown key", voiceflowtest.NewID(time.Unix(0, 0)), "VF.DM.x", "", 401, `"code":401`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var header []string
			if tc.project != "" {
				header = []string{"projectID", tc.project}
			}
			resp, err := get(t.Context(), s.URL(), tc.version, tc.key, header...)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tc.status || !strings.Contains(string(body), tc.body) {
				t.Errorf("got %d %.200s, want %d with %s", resp.StatusCode, body, tc.status, tc.body)
			}
			if tc.key != "" && strings.Contains(string(body), tc.key) {
				t.Error("the answer shows the key")
			}
		})
	}
}

func TestAddReplacesAnAssistant(t *testing.T) {
	old := voiceflowtest.NewAssistant("Old", voiceflowtest.Shape2024)
	s := start(t, old)
	renewed := old
	renewed.Name, renewed.Key, renewed.Aliases = "New", voiceflowtest.NewKey(), []string{"staging"}
	if err := s.Add(renewed); err != nil {
		t.Fatal(err)
	}
	if resp, body, _ := fetch(t, s, renewed); resp.StatusCode != 200 || !strings.Contains(body, `"name":"New"`) {
		t.Errorf("with the new key: got %d %.100s", resp.StatusCode, body)
	}
	if resp, _, _ := fetch(t, s, old); resp.StatusCode != 401 {
		t.Errorf("with the old key: got %d, want 401", resp.StatusCode)
	}
	resp, err := get(t.Context(), s.URL(), "production", renewed.Key, "projectid", old.ProjectID)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != 400 {
		t.Errorf("by the old alias: got %d, want 400", resp.StatusCode)
	}
}

func TestBothKeysOpenWhileTheyAreLive(t *testing.T) {
	a := voiceflowtest.NewAssistant("Rotated", voiceflowtest.Shape2026)
	first, second := a.Key, voiceflowtest.NewKey()
	s := start(t, a)
	wants := func(when string, status map[string]int) {
		t.Helper()
		for key, want := range status {
			with := a
			with.Key = key
			if resp, _, _ := fetch(t, s, with); resp.StatusCode != want {
				t.Errorf("%s: an export by %s is a %d, want %d", when, map[string]string{first: "the first key", second: "the second key"}[key], resp.StatusCode, want)
			}
			turn := asking(t, s, key, "versionID", "main")
			if want == 401 {
				turn.want(400, "POST", "/state/user/ben/interact", says("hi"))
			} else {
				turn.want(want, "POST", "/state/user/ben/interact", says("hi"))
			}
		}
	}
	live := func(key, second string) {
		t.Helper()
		a.Key, a.SecondKey = key, second
		if err := s.Add(a); err != nil {
			t.Fatal(err)
		}
	}
	wants("before", map[string]int{first: 200, second: 401})
	live(first, second)
	wants("while both are live", map[string]int{first: 200, second: 200})
	live(second, "")
	wants("after the first was revoked", map[string]int{first: 401, second: 200})
	live(second, second)
	wants("while both are one", map[string]int{first: 401, second: 200})
	live(first, "")
	wants("after both were replaced", map[string]int{first: 200, second: 401})
}

func TestAddRefusesWhatCannotBeAnAssistant(t *testing.T) {
	s := start(t)
	for name, change := range map[string]func(*voiceflowtest.Assistant){
		"no project id":            func(a *voiceflowtest.Assistant) { a.ProjectID = "" },
		"a version id in capitals": func(a *voiceflowtest.Assistant) { a.VersionID = strings.Repeat("A", 24) },
		"no key":                   func(a *voiceflowtest.Assistant) { a.Key = " " },
		"no shape":                 func(a *voiceflowtest.Assistant) { a.Shape = 0 },
	} {
		a := voiceflowtest.NewAssistant("Odd", voiceflowtest.Shape2024)
		change(&a)
		if err := s.Add(a); err == nil {
			t.Errorf("%s: added", name)
		}
		if err := voiceflowtest.WriteExport(io.Discard, a); err == nil {
			t.Errorf("%s: exported", name)
		}
	}
}

func TestRequestsShowWhatArrived(t *testing.T) {
	a := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2024)
	s := start(t, a)
	resp, err := get(t.Context(), s.URL(), a.VersionID, a.Key, "projectid", a.ProjectID)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	post, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/a%2Fb?c=d", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	posted, err := new(http.Client).Do(post)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = posted.Body.Close() }()
	if posted.StatusCode != 404 {
		t.Errorf("an unknown path: got %d, want 404", posted.StatusCode)
	}

	got, err := s.Await(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 {
		t.Fatalf("got %d requests, want 2", len(got))
	}
	export, other := got[0], got[1]
	if export.Method != "GET" || export.Path != "/v2/versions/"+a.VersionID+"/export" || "http://"+export.Host != s.URL() {
		t.Errorf("got %s %s at %s", export.Method, export.Path, export.Host)
	}
	if export.Header.Get("Authorization") != a.Key || export.Header.Get("ProjectID") != a.ProjectID {
		t.Errorf("got headers %v", export.Header)
	}
	if other.Method != "POST" || other.URI != "/a%2Fb?c=d" || other.Path != "/a/b" || string(other.Body) != "hello" {
		t.Errorf("got %+v", other)
	}
}

func TestTheRecorderIsBoundedAndSafe(t *testing.T) {
	s, err := voiceflowtest.New()
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for range 60 {
				s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/nothing", nil))
				s.Fail(nil)
			}
		})
	}
	all.Wait()
	got, err := s.Await(t.Context(), 1200)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1000 {
		t.Errorf("got %d requests, want the last 1000", len(got))
	}
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	s := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Await(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestAServerCanBeServedByItsOwner(t *testing.T) {
	a := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2024)
	s, err := voiceflowtest.New(a)
	if err != nil {
		t.Fatal(err)
	}
	secure := httptest.NewTLSServer(s)
	defer secure.Close()
	req, err := http.NewRequestWithContext(t.Context(), "GET", secure.URL+"/v2/versions/"+a.VersionID+"/export", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", a.Key)
	resp, err := secure.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != 200 || s.URL() != "" {
		t.Errorf("got %d, and URL %q", resp.StatusCode, s.URL())
	}
	s.Close()
}

func TestCloseCutsWhatIsOpen(t *testing.T) {
	a := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2024)
	s := start(t, a)
	s.Fail(voiceflowtest.Silent())
	failed := make(chan error, 1)
	go func() {
		resp, err := get(t.Context(), s.URL(), a.VersionID, a.Key)
		if err == nil {
			_ = resp.Body.Close()
		}
		failed <- err
	}()
	if _, err := s.Await(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := <-failed; err == nil {
		t.Error("the request was answered")
	}
	s.Close()
}
