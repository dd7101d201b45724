package main

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

// The users that tests make, by their passwords.
const (
	adminPassword  = "correct horse 11 battery"
	memberPassword = "staple 22 correct horse"
)

// browser calls a server as one person, whose cookies it keeps.
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

// at is the same person, cookies included, at another address.
func (b *browser) at(url string) *browser {
	other := *b
	other.url = url
	return &other
}

// answer is what came back.
type answer struct {
	status int
	code   string // "" for what is no error
	text   string
}

// String is what a test shows of an answer: the status and the code.
func (a answer) String() string {
	if a.code == "" {
		return fmt.Sprint(a.status)
	}
	return fmt.Sprint(a.status, " ", a.code)
}

// try sends a request. It may be called by several goroutines at once.
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

// tryRaw sends a request with any body and head.
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
	a := answer{status: resp.StatusCode, text: string(said)}
	var failure struct {
		Code string `json:"code"`
	}
	if err := json.Unmarshal(said, &failure); err != nil && !strings.HasPrefix(path, "/voiceflow/") { // Voiceflow's answers may be anything
		return a, fmt.Errorf("the answer to %s is no JSON: %w", path, err)
	}
	a.code = failure.Code
	return a, nil
}

// send sends a request that must be answered.
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

// want fails the test unless the answer is that one, such as "200" or "401 not_allowed".
func (b *browser) want(got answer, want string) answer {
	b.t.Helper()
	if got.String() != want {
		b.t.Fatalf("got %s, want %s\n%s", got, want, got.text)
	}
	return got
}

// login logs in.
func (b *browser) login(name, password string) *browser {
	b.t.Helper()
	b.want(b.post("/login", body{"username": name, "password": password}), "200")
	return b
}

// adding is what adds an assistant.
func adding(a voiceflowtest.Assistant) body {
	return body{"version_id": a.VersionID, "token": a.Key}
}

// shown is an assistant as the routes show it.
type shown struct{ Name, ID, Created string }

// added is the assistant in the answer of add_project or set_project. It may be called
// by any goroutine.
func (a answer) added(t *testing.T) shown {
	t.Helper()
	var said struct{ Assistant shown }
	if err := json.Unmarshal([]byte(a.text), &said); err != nil || said.Assistant.ID == "" {
		t.Errorf("no assistant in %s (%v)", a.text, err)
	}
	return said.Assistant
}

// listed are the assistants in the answer of get_projects.
func (a answer) listed(t *testing.T) []shown {
	t.Helper()
	var said struct{ Assistants []shown }
	if err := json.Unmarshal([]byte(a.text), &said); err != nil {
		t.Fatalf("%v in %s", err, a.text)
	}
	return said.Assistants
}

// newAssistant is an assistant that nobody has added yet.
func newAssistant(name string) voiceflowtest.Assistant {
	return voiceflowtest.NewAssistant(name, voiceflowtest.Shape2024)
}

// serving is a machine with a server that is up, an admin "ada" and a member "ben".
func serving(t *testing.T, m *machine) *server {
	t.Helper()
	s := m.start("serve")
	m.must(adminPassword+"\n", "user", "create", "--admin", "ada")
	m.must(memberPassword+"\n", "user", "create", "ben")
	return s
}

// admin is ada, logged in.
func (s *server) admin() *browser { return newBrowser(s.t, s.url).login("ada", adminPassword) }

// member is ben, logged in.
func (s *server) member() *browser { return newBrowser(s.t, s.url).login("ben", memberPassword) }

// instantWithin says whether text is a time as the routes write it, near now.
func instantWithin(text string, near time.Duration) bool {
	at, err := time.Parse("2006-01-02T15:04:05.000000Z", text)
	return err == nil && time.Since(at).Abs() < near
}

// assistantOf is the Id of the assistant in the answer of check_session, "" for none.
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

// userID is the Id of the user with that name.
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
