package e2e

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
)

// The passwords of ada and ben.
const (
	adminPassword  = "correct horse 11 battery"
	memberPassword = "staple 22 correct horse"
)

// body is the JSON body of a request.
type body map[string]any

// browser calls a server and keeps the cookies of one user.
type browser struct {
	t      *testing.T
	client *http.Client
	url    string
	seen   *transcript // every answer, head and body, and what its cookies say
}

func newBrowser(t *testing.T, url string) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{t: t, url: url, seen: new(transcript), client: &http.Client{Jar: jar, Transport: transport, Timeout: patience}}
}

// at returns a browser with the same cookies that calls another server.
func (b *browser) at(url string) *browser {
	other := *b
	other.url = url
	return &other
}

// answer is the answer to a request.
type answer struct {
	status int
	code   string // "" if it is not an error
	text   string
	retry  string // Retry-After
}

// String returns the status and the code, such as "401 not_allowed".
func (a answer) String() string {
	if a.code == "" {
		return fmt.Sprint(a.status)
	}
	return fmt.Sprint(a.status, " ", a.code)
}

// try sends a request. Goroutines may call it at the same time.
func (b *browser) try(method, path string, params any) (answer, error) {
	if params == nil {
		return b.tryRaw(method, path, "", nil)
	}
	text, err := json.Marshal(params)
	if err != nil {
		return answer{}, err
	}
	return b.tryRaw(method, path, string(text), http.Header{"Content-Type": {"application/json"}})
}

// tryRaw sends a request with any body and header.
func (b *browser) tryRaw(method, path, text string, head http.Header) (answer, error) {
	req, err := http.NewRequest(method, b.url+path, strings.NewReader(text))
	if err != nil {
		return answer{}, err
	}
	maps.Copy(req.Header, head)
	resp, err := b.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	_ = resp.Header.Write(b.seen)
	_, _ = b.seen.Write(said)
	for _, c := range resp.Cookies() {
		plain, _ := base64.RawURLEncoding.DecodeString(c.Value) // as far as it goes
		_, _ = b.seen.Write(plain)
	}
	a := answer{status: resp.StatusCode, text: string(said), retry: resp.Header.Get("Retry-After")}
	var failure struct {
		Code string `json:"code"`
	}
	if err := json.Unmarshal(said, &failure); err != nil && !strings.HasPrefix(path, "/voiceflow/") { // Voiceflow's answers may be anything
		return a, fmt.Errorf("the answer to %s is no JSON: %w", path, err)
	}
	a.code = failure.Code
	return a, nil
}

// send sends a request. It fails the test if there is no answer.
func (b *browser) send(method, path string, params any) answer {
	b.t.Helper()
	a, err := b.try(method, path, params)
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

func (b *browser) get(path string) answer { b.t.Helper(); return b.send("GET", path, nil) }
func (b *browser) post(path string, params any) answer {
	b.t.Helper()
	return b.send("POST", path, params)
}

// want fails the test unless the answer is want, such as "200" or "401 not_allowed".
func (b *browser) want(got answer, want string) answer {
	b.t.Helper()
	if got.String() != want {
		b.t.Fatalf("got %s, want %s\n%s", got, want, got.text)
	}
	return got
}

// login logs a user in.
func (b *browser) login(name, password string) *browser {
	b.t.Helper()
	b.want(b.post("/login", body{"username": name, "password": password}), "200")
	return b
}

// adding returns the body that adds the assistant.
func adding(a voiceflowtest.Assistant) body {
	return body{"version_id": a.VersionID, "token": a.Key}
}

// shown is an assistant as the routes show it.
type shown struct{ Name, ID, Created string }

// added returns the assistant in an answer of add_project or set_project. Any goroutine may
// call it.
func (a answer) added(t *testing.T) shown {
	t.Helper()
	var said struct{ Assistant shown }
	if err := json.Unmarshal([]byte(a.text), &said); err != nil || said.Assistant.ID == "" {
		t.Errorf("no assistant in %s (%v)", a.text, err)
	}
	return said.Assistant
}

// listed returns the assistants in an answer of get_projects.
func (a answer) listed(t *testing.T) []shown {
	t.Helper()
	var said struct{ Assistants []shown }
	if err := json.Unmarshal([]byte(a.text), &said); err != nil {
		t.Fatalf("%v in %s", err, a.text)
	}
	return said.Assistants
}

// instantWithin reports whether text is a time near now, in the format of the routes.
func instantWithin(text string, near time.Duration) bool {
	at, err := time.Parse("2006-01-02T15:04:05.000000Z", text)
	return err == nil && time.Since(at).Abs() < near
}

// assistantOf returns the Id of the assistant in an answer of check_session, "" if none is
// set.
func assistantOf(t *testing.T, a answer) string {
	t.Helper()
	var said struct{ Assistant *shown }
	if err := json.Unmarshal([]byte(a.text), &said); err != nil {
		t.Fatalf("%v in %s", err, a.text)
	}
	if said.Assistant == nil {
		return ""
	}
	return said.Assistant.ID
}

// userID returns the Id of the user with that name.
func userID(t *testing.T, admin *browser, name string) string {
	t.Helper()
	var said struct {
		Users []struct{ ID, Username string }
	}
	if err := json.Unmarshal([]byte(admin.want(admin.get("/get_all_users"), "200").text), &said); err != nil {
		t.Fatal(err)
	}
	for _, u := range said.Users {
		if u.Username == name {
			return u.ID
		}
	}
	t.Fatalf("there is no user %s", name)
	return ""
}
