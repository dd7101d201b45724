package ginhttp_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// Whoever starts a request may lose the right to it before the request ends. These tests send
// all but the last byte of a body, take the right away, and send the last byte.

// stage is a world with somebody, eve, who makes a request.
type stage struct {
	*world
	eve     *browser       // how eve calls
	eveID   string         // her user
	others  string         // the id of another user
	project domain.Project // granted to the other user, and to eve if she is a member
	theirs  string         // a login of the other user
	second  string         // a second login of eve
	tokenOf map[string]string
	reading chan struct{} // gets a value when a route begins to read a body
}

// callerKind is how eve calls.
type callerKind string

const (
	asAdmin   callerKind = "an admin"
	asMember  callerKind = "a member"
	asManager callerKind = "an access token that manages"
)

// takes is what a request takes of its caller, beside that they exist.
type takes int

const (
	nothingMore takes = iota
	theRole           // of an admin
	aGrant            // on the project, or the role
)

// change is a request that changes something, and what it takes.
type change struct {
	route string // method and path
	what  string
	by    []callerKind
	takes takes
	body  func(s *stage) string
	// demoted is the answer to an admin who was demoted. The zero outcome is not_allowed.
	demoted outcome
}

var (
	admins = []callerKind{asAdmin, asManager}
	logins = []callerKind{asAdmin, asMember}
)

// missing is the answer about what is another user's.
var missing = outcome{404, "not_found"}

// changes are all requests that read a body and change something.
var changes = []change{
	{"POST /add_project", "", admins, theRole, func(s *stage) string {
		return `{"version_id":"` + versionB + `","token":"` + canary + `"}`
	}, outcome{}},
	{"POST /delete_project", "", admins, theRole, (*stage).ofProject, outcome{}},
	{"POST /set_project", "", logins, aGrant, (*stage).ofProject, outcome{}},
	{"POST /grant_project", "", admins, theRole, func(s *stage) string {
		return `{"user_id":"` + s.others + `","project_id":"` + string(s.project.ID) + `","scopes":["export"]}`
	}, outcome{}},
	{"POST /revoke_project", "", admins, theRole, func(s *stage) string {
		return `{"user_id":"` + s.others + `","project_id":"` + string(s.project.ID) + `"}`
	}, outcome{}},
	{"POST /set_token", "", admins, theRole, func(s *stage) string {
		return `{"project_id":"` + string(s.project.ID) + `","token":"` + canary + `","slot":"secondary"}`
	}, outcome{}},
	{"POST /check_project", "", admins, theRole, (*stage).ofProject, outcome{}},

	{"POST /delete_session", "one's own", logins, nothingMore, func(s *stage) string { return `{"session_id":"` + s.second + `"}` }, outcome{}},
	{"POST /delete_session", "another's", []callerKind{asAdmin}, theRole, func(s *stage) string { return `{"session_id":"` + s.theirs + `"}` }, missing},
	{"POST /delete_session", "another's", []callerKind{asManager}, theRole, func(s *stage) string { return `{"session_id":"` + s.theirs + `"}` }, outcome{}},
	{"POST /delete_user_sessions", "one's own", logins, nothingMore, (*stage).ofEve, outcome{}},
	{"POST /delete_user_sessions", "another's", admins, theRole, (*stage).ofOther, outcome{}},

	{"POST /change_password", "", logins, nothingMore, func(*stage) string {
		return `{"password":"` + password + `","new_password":"another canary phrase"}`
	}, outcome{}},
	{"POST /create_user", "another admin", admins, theRole, func(*stage) string {
		return `{"username":"mallory","password":"` + password + `","role":"admin"}`
	}, outcome{}},
	{"PATCH /update_user", "oneself", admins, theRole, func(s *stage) string {
		return `{"user_id":"` + s.eveID + `","role":"admin","disabled":false,"assistants":["` + string(s.project.ID) + `"]}`
	}, outcome{}},
	{"PATCH /update_user", "another", admins, theRole, func(s *stage) string { return `{"user_id":"` + s.others + `","role":"admin"}` }, outcome{}},
	{"POST /delete_user", "", admins, theRole, (*stage).ofOther, outcome{}},

	{"POST /create_access_token", "for an assistant", logins, aGrant, func(s *stage) string {
		return `{"name":"x","project_id":"` + string(s.project.ID) + `","scopes":["converse","analytics"],"expires_in_days":365}`
	}, outcome{}},
	{"POST /create_access_token", "with user ids of its own", []callerKind{asAdmin}, theRole, func(s *stage) string {
		return `{"name":"x","project_id":"` + string(s.project.ID) + `","user_ids":"own"}`
	}, outcome{}},
	{"POST /create_access_token", "that manages", []callerKind{asAdmin}, theRole, func(*stage) string { return `{"name":"x","scopes":["manage"]}` }, outcome{}},
	{"POST /delete_access_token", "one's own", logins, nothingMore, func(s *stage) string { return `{"token_id":"` + s.tokenOf["eve"] + `"}` }, outcome{}},
	{"POST /delete_access_token", "another's", []callerKind{asAdmin}, theRole, func(s *stage) string { return `{"token_id":"` + s.tokenOf["other"] + `"}` }, missing},
}

// unheld are the routes by POST or PATCH that need no row in changes.
var unheld = map[string]string{
	"POST /login":         "nobody is logged in",
	"POST /logout":        "it reads no body",
	"POST /clear_project": "it reads no body",
}

func (s *stage) ofProject() string { return `{"project_id":"` + string(s.project.ID) + `"}` }
func (s *stage) ofEve() string     { return `{"user_id":"` + s.eveID + `"}` }
func (s *stage) ofOther() string   { return `{"user_id":"` + s.others + `"}` }

// loss is a way in which eve loses a right.
type loss struct {
	name    string
	applies func(c change, by callerKind) bool
	lose    func(t *testing.T, s *stage)
	want    func(c change) outcome
}

var losses = []loss{
	{"the user is deleted", always, func(t *testing.T, s *stage) {
		s.admin.do(t, "POST", "/delete_user", s.ofEve()).want(t, 200, "")
	}, gone},
	{"the user is disabled", always, func(t *testing.T, s *stage) {
		s.admin.do(t, "PATCH", "/update_user", `{"user_id":"`+s.eveID+`","disabled":true}`).want(t, 200, "")
	}, gone},
	{"the login is ended", func(_ change, by callerKind) bool { return by != asManager }, func(t *testing.T, s *stage) {
		s.admin.do(t, "POST", "/delete_user_sessions", s.ofEve()).want(t, 200, "")
	}, gone},
	// A wrong current password keeps its own error.
	{"the password is reset", func(c change, by callerKind) bool { return by != asManager && c.route != "POST /change_password" }, func(t *testing.T, s *stage) {
		s.admin.do(t, "PATCH", "/update_user", `{"user_id":"`+s.eveID+`","password":"another canary phrase"}`).want(t, 200, "")
	}, gone},
	{"the access token is deleted", func(_ change, by callerKind) bool { return by == asManager }, func(t *testing.T, s *stage) {
		s.admin.do(t, "POST", "/delete_access_token", `{"token_id":"`+s.tokenOf["manager"]+`"}`).want(t, 200, "")
	}, gone},
	{"the admin is demoted", func(c change, by callerKind) bool { return by != asMember && c.takes != nothingMore }, func(t *testing.T, s *stage) {
		s.admin.do(t, "PATCH", "/update_user", `{"user_id":"`+s.eveID+`","role":"member"}`).want(t, 200, "")
	}, notAllowed},
	{"the grant is revoked", func(c change, by callerKind) bool { return by == asMember && c.takes == aGrant }, func(t *testing.T, s *stage) {
		s.admin.do(t, "POST", "/revoke_project", `{"user_id":"`+s.eveID+`","project_id":"`+string(s.project.ID)+`"}`).want(t, 200, "")
	}, notAllowed},
	{"the grant loses a scope", func(c change, by callerKind) bool {
		return by == asMember && c.takes == aGrant && strings.HasSuffix(c.route, "_token")
	}, func(t *testing.T, s *stage) {
		s.admin.do(t, "POST", "/grant_project", `{"user_id":"`+s.eveID+`","project_id":"`+string(s.project.ID)+`","scopes":["converse"]}`).want(t, 200, "")
	}, notAllowed},
}

func always(change, callerKind) bool { return true }

func gone(change) outcome { return unauthenticated }

func notAllowed(c change) outcome {
	switch {
	case c.demoted != (outcome{}):
		return c.demoted
	case slices.Contains([]string{"POST /add_project", "POST /delete_project", "POST /set_project"}, c.route):
		return refusedOnFour
	}
	return refused
}

// setTheStage makes a world in which eve calls in that way.
func setTheStage(t *testing.T, by callerKind) *stage {
	t.Helper()
	s := &stage{tokenOf: map[string]string{}, reading: make(chan struct{}, 100)}
	s.world = newWorld(t, func(w *world) {
		w.configure = func(server *httptest.Server) {
			inner := server.Config.Handler
			server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				r.Body = &noticed{ReadCloser: r.Body, reading: s.reading}
				inner.ServeHTTP(rw, r)
			})
		}
	})
	s.project = s.addProject(t, "Support bot")
	s.others = s.userID(t, "member")
	s.admin.do(t, "POST", "/grant_project", `{"user_id":"`+s.others+`","project_id":"`+string(s.project.ID)+`","scopes":["converse"]}`).want(t, 200, "")
	s.theirs = s.onlySession(t, s.others)
	s.tokenOf["other"] = s.makeToken(t, s.member, `{"name":"x","project_id":"`+string(s.project.ID)+`"}`, nil)

	role := "admin"
	if by == asMember {
		role = "member"
	}
	s.eveID = s.createUser(t, "eve", role)
	if by == asMember {
		s.admin.do(t, "POST", "/grant_project",
			`{"user_id":"`+s.eveID+`","project_id":"`+string(s.project.ID)+`","scopes":["converse","analytics"]}`).want(t, 200, "")
	}
	s.login(t, "eve")
	s.second = s.onlySession(t, s.eveID)
	s.eve = s.login(t, "eve")
	s.tokenOf["eve"] = s.makeToken(t, s.eve, `{"name":"x","project_id":"`+string(s.project.ID)+`"}`, nil)
	if by == asManager {
		s.tokenOf["manager"] = s.makeToken(t, s.eve, `{"name":"x","scopes":["manage"]}`, &s.eve)
	}
	s.clock.move(time.Second) // so that a change of a time shows
	return s
}

// makeToken makes an access token and returns its id. program becomes who has it.
func (s *stage) makeToken(t *testing.T, b *browser, body string, program **browser) string {
	t.Helper()
	made := b.do(t, "POST", "/create_access_token", body).want(t, 200, "")
	if program != nil {
		*program = &browser{w: s.world, cookies: map[string]string{}, authorization: made.body["token"].(string)}
	}
	return made.body["Id"].(string)
}

// onlySession is the id of the only session of the user.
func (s *stage) onlySession(t *testing.T, user string) string {
	t.Helper()
	all, err := s.ports.Store.Sessions.Page(t.Context(), domain.UserID(user), domain.Cursor{}, 2)
	if err != nil || len(all) != 1 {
		t.Fatalf("got the sessions %v and error %v, want one", all, err)
	}
	return string(all[0].ID)
}

// noticed is a body that tells when it is read for the first time: who calls has been looked
// up by then.
type noticed struct {
	io.ReadCloser
	once    sync.Once
	reading chan<- struct{}
}

func (n *noticed) Read(p []byte) (int, error) {
	n.once.Do(func() { n.reading <- struct{}{} })
	return n.ReadCloser.Read(p)
}

// late sends all of the request but the last byte of its body, calls meanwhile when the route
// reads the body, and sends the last byte.
func (s *stage) late(t *testing.T, method, path, body string, meanwhile func()) *reply {
	t.Helper()
	for len(s.reading) > 0 {
		<-s.reading
	}
	var text bytes.Buffer
	if err := s.eve.request(t, method, path, body).Write(&text); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", s.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	last := text.Len() - 1
	if _, err := conn.Write(text.Bytes()[:last]); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.reading:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s %s does not read its body", method, path)
	}
	meanwhile()
	if _, err := conn.Write(text.Bytes()[last:]); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := &reply{what: method + " " + path, status: response.StatusCode, header: response.Header, raw: raw, set: response.Cookies()}
	a.check(t, s.world)
	return a
}

// everything is what is stored, as text. Of the audit it is what says that something was done.
func (s *stage) everything(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	store, first := s.ports.Store, domain.Cursor{}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	projects, err := store.Projects.Page(t.Context(), domain.Operator().Sees(), first, 100)
	must(err)
	for _, p := range projects {
		found, err := store.Projects.Find(t.Context(), domain.Operator().Sees(), domain.ProjectRef{ID: p.ID})
		must(err)
		fmt.Fprintf(&text, "project %+v\n", found)
	}
	users, err := store.Users.Page(t.Context(), first, 100)
	must(err)
	for _, u := range users {
		fmt.Fprintf(&text, "user %+v with the password %x\n", u, sha256.Sum256([]byte(u.PasswordHash.Reveal())))
		sessions, err := store.Sessions.Page(t.Context(), u.ID, first, 100)
		must(err)
		fmt.Fprintf(&text, "sessions %+v\n", sessions)
	}
	tokens, err := store.Tokens.Page(t.Context(), "", first, 1000)
	must(err)
	grants, err := store.Grants.Page(t.Context(), domain.GrantFilter{}, first, 100)
	must(err)
	done, err := store.Audit.Page(t.Context(), domain.AuditFilter{Outcome: domain.OutcomeOK}, nil, 1000)
	must(err)
	fmt.Fprintf(&text, "tokens %+v\ngrants %+v\naudit %+v\n", tokens, grants, done)
	return text.String()
}

// TestWhoeverLosesARightCantFinish takes away, for every route that reads a body and changes
// something, each right that it takes, before the last byte of the body.
func TestWhoeverLosesARightCantFinish(t *testing.T) {
	known := map[string]bool{}
	for _, c := range changes {
		known[c.route] = true
	}
	for _, route := range newWorld(t, bare).engine.Routes() {
		name := route.Method + " " + route.Path
		if route.Path == "/voiceflow/:service/*path" || route.Method == http.MethodGet || route.Method == http.MethodHead {
			continue // what is forwarded is ended by Start, and the others change nothing
		}
		if !known[name] && unheld[name] == "" {
			t.Errorf("%s has no row in changes", name)
		}
	}
	for _, c := range changes {
		for _, by := range c.by {
			method, path, _ := strings.Cut(c.route, " ")
			t.Run(fmt.Sprintf("%s %s by %s/in time", c.route, c.what, by), func(t *testing.T) {
				t.Parallel()
				s := setTheStage(t, by)
				before := s.everything(t)
				if got := s.late(t, method, path, c.body(s), func() {}); got.status != 200 {
					t.Errorf("got %d %s, want 200", got.status, got.raw)
				}
				if s.everything(t) == before {
					t.Error("it changed nothing")
				}
			})
			for _, l := range losses {
				if !l.applies(c, by) {
					continue
				}
				t.Run(fmt.Sprintf("%s %s by %s/%s", c.route, c.what, by, l.name), func(t *testing.T) {
					t.Parallel()
					s := setTheStage(t, by)
					var before string
					body, want := c.body(s), l.want(c)
					got := s.late(t, method, path, body, func() {
						l.lose(t, s)
						before = s.everything(t)
					})
					if got.status != want.status || got.code() != want.code {
						t.Errorf("got %d %s, want %v", got.status, got.raw, want)
					}
					if len(got.set) > 0 {
						t.Errorf("it set the cookies %v", got.set)
					}
					if after := s.everything(t); after != before {
						t.Errorf("it changed\n%s\nto\n%s", before, after)
					}
					if fresh := s.eve.do(t, method, path, body); fresh.status != want.status || fresh.code() != want.code {
						t.Errorf("a fresh request: got %d %s, want %v", fresh.status, fresh.raw, want)
					}
				})
			}
		}
	}
}

// TestWhoeverLosesARightWhileVoiceflowIsSlow takes the right away while Voiceflow holds its
// answer.
func TestWhoeverLosesARightWhileVoiceflowIsSlow(t *testing.T) {
	slow := func(c change) bool { return c.route == "POST /add_project" || c.route == "POST /set_token" }
	for _, c := range slices.DeleteFunc(slices.Clone(changes), func(c change) bool { return !slow(c) }) {
		for _, by := range c.by {
			for _, l := range losses {
				if !l.applies(c, by) {
					continue
				}
				t.Run(fmt.Sprintf("%s by %s/%s", c.route, by, l.name), func(t *testing.T) {
					t.Parallel()
					s := setTheStage(t, by)
					var before string
					s.voiceflow.change(func(v *voiceflow) {
						v.during = sync.OnceFunc(func() {
							l.lose(t, s)
							before = s.everything(t)
						})
					})
					method, path, _ := strings.Cut(c.route, " ")
					want := l.want(c)
					s.eve.do(t, method, path, c.body(s)).want(t, want.status, want.code)
					if after := s.everything(t); before == "" || after != before {
						t.Errorf("it changed\n%s\nto\n%s", before, after)
					}
				})
			}
		}
	}
}

// What Voiceflow said about a key is stored, also if the right of who asked is gone by then.
func TestWhatVoiceflowSaidIsStoredOnNobodysRight(t *testing.T) {
	for _, l := range losses {
		check := change{route: "POST /check_project", takes: theRole}
		if !l.applies(check, asAdmin) {
			continue
		}
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			s := setTheStage(t, asAdmin)
			s.voiceflow.change(func(v *voiceflow) {
				v.refused = []string{canary}
				v.during = func() { l.lose(t, s) }
			})
			s.eve.do(t, "POST", "/check_project", s.ofProject()).want(t, 200, "")
			found, err := s.ports.Store.Projects.Find(t.Context(), domain.Operator().Sees(), domain.ProjectRef{ID: s.project.ID})
			if err != nil || len(found) != 1 || found[0].Primary.Status != domain.KeyRejected || !found[0].Primary.Checked.Equal(domain.Instant(s.clock.Now())) {
				t.Errorf("got %+v and error %v, want the primary key rejected now", found, err)
			}
		})
	}
}
