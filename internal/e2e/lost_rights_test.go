package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/internal/lostright"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
)

// place is where rights get lost: a database with one or two servers. Requests go to here.
// Removals go to there, and there is asked what is stored.
type place struct {
	here, there *server
	boss        *browser // ada, an admin, at there
	voiceflow   *voiceflowtest.Server
	gates       *gates
	stages      *atomic.Int64
}

// eachPlace runs the test on SQLite, on Postgres, and through two instances on one Postgres.
func eachPlace(t *testing.T, test func(t *testing.T, p *place)) {
	t.Run("SQLite", func(t *testing.T) {
		_, p := newPlace(t, "")
		test(t, p)
	})
	t.Run("Postgres", func(t *testing.T) {
		m, p := newPlace(t, postgrestest.DSN(t))
		two := p.spread(m)
		t.Run("one instance", func(t *testing.T) { test(t, p) })
		t.Run("two instances", func(t *testing.T) { test(t, two) })
	})
}

// newPlace returns a place with one server.
func newPlace(t *testing.T, database string) (*machine, *place) {
	t.Helper()
	v := startVoiceflow(t)
	p := &place{voiceflow: v, gates: newGates(), stages: new(atomic.Int64)}
	v.Fail(p.gates.pass)
	m := newMachine(t, v).with("FLOWLATCH_DATABASE_URL", database, "FLOWLATCH_LOGIN_FAILURES_ADDRESS", "10000",
		// Nobody logs in by this provider, so nothing is asked of it.
		"FLOWLATCH_BASE_URL", "http://127.0.0.1", "FLOWLATCH_OIDC_ISSUER", "https://login.example", "FLOWLATCH_OIDC_CLIENT_ID", "flowlatch")
	p.here = serving(t, m)
	p.there, p.boss = p.here, p.here.admin()
	return m, p
}

// spread returns the same place with a second server as there.
func (p *place) spread(m *machine) *place {
	two := *p
	two.there = m.start("serve")
	two.boss = p.boss.at(two.there.url)
	return &two
}

// of returns the place for a test that runs beside others.
func (p *place) of(t *testing.T) *place {
	other := *p
	other.boss = p.boss.at(p.boss.url)
	other.boss.t = t
	return &other
}

// stage is a place with eve, who makes requests, and with what she makes them about.
type stage struct {
	*place
	t          *testing.T
	objects    lostright.Objects
	credential http.Header // how eve calls
	actor      string      // how the audit names who calls like that
	names      []string    // of the users of this stage
	slow       slowly
}

// newStage sets a stage on which eve calls in that way.
func (p *place) newStage(t *testing.T, by lostright.Caller) *stage {
	t.Helper()
	n := p.stages.Add(1)
	p = p.of(t)
	s := &stage{place: p, t: t}
	named := func(name string) string { return fmt.Sprintf("%s-%03d", name, n) }
	invent := func(name string) voiceflowtest.Assistant {
		a := newAssistant(named(name))
		a.SecondKey = voiceflowtest.NewKey()
		if err := p.voiceflow.Add(a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	granted, toAdd := invent("Granted"), invent("To add")
	s.slow.there, s.slow.toAdd = invent("Slow"), invent("Slow to add")
	s.slow.thereID = p.boss.want(p.boss.post("/add_project", adding(s.slow.there)), "200").added(t).ID

	o := lostright.Objects{
		Project:   p.boss.want(p.boss.post("/add_project", adding(granted)), "200").added(t).ID,
		SecondKey: granted.SecondKey, Version: toAdd.VersionID, Key: toAdd.Key,
		Password: memberPassword, NewPassword: adminPassword, Planted: named("mallory"),
	}
	personal := voiceflowtest.NewPersonalToken()
	p.voiceflow.AddPersonalToken(personal, granted.ProjectID)
	p.boss.want(p.boss.post("/set_token", body{"project_id": o.Project, "token": personal, "slot": "personal"}), "200")
	s.names = []string{named("eve"), named("other"), o.Planted}
	o.Other = p.newUser(s.names[1], "member")
	p.grant(o.Other, o.Project, "converse")
	other := p.login(s.names[1])
	o.OthersLogin = s.newSession(o.Other)
	o.OthersToken, _ = newToken(other, body{"name": "x", "project_id": o.Project})

	role := "admin"
	if by == lostright.Member {
		role = "member"
	}
	o.Eve = p.newUser(s.names[0], role)
	if by == lostright.Member {
		p.grant(o.Eve, o.Project, "converse", "analytics")
	}
	eve := p.login(s.names[0])
	o.Login = s.newSession(o.Eve)
	p.login(s.names[0])
	o.Second = s.newSession(o.Eve, o.Login)
	o.Token, _ = newToken(eve, body{"name": "x", "project_id": o.Project})
	s.credential, s.actor = eve.cookies(), "user:"+o.Eve
	if by == lostright.Manager {
		var text string
		o.Manager, text = newToken(eve, body{"name": "x", "scopes": []string{"manage"}})
		s.credential, s.actor = http.Header{"Authorization": {text}}, "token:"+o.Manager
	}
	s.names = append(s.names, named("linked"))
	o.Linked = p.newUser(named("linked"), "member")
	p.boss.want(p.boss.post("/link_identity", body{"user_id": o.Linked, "subject": named("linked")}), "200")
	made := p.boss.want(p.boss.post("/set_group_rule", body{"group": named("sales"), "project_id": o.Project}), "200")
	var said struct{ Rule struct{ ID string } }
	if err := json.Unmarshal([]byte(made.text), &said); err != nil {
		t.Fatal(err)
	}
	o.Rule = said.Rule.ID
	o.Webhook = "https://alerts.invalid/" // all stages share it, because there can be only a few
	s.setWebhook(o.Webhook)
	s.objects = o
	return s
}

func (s *stage) setWebhook(url string) {
	s.t.Helper()
	s.boss.want(s.boss.post("/set_webhook", body{"url": url, "events": []string{"key.rejected"}}), "200")
}

func (p *place) newUser(name, role string) (id string) {
	p.boss.t.Helper()
	made := p.boss.want(p.boss.post("/create_user", body{"username": name, "password": memberPassword, "role": role}), "200")
	var said struct{ User struct{ ID string } }
	if err := json.Unmarshal([]byte(made.text), &said); err != nil {
		p.boss.t.Error(err)
	}
	return said.User.ID
}

func (p *place) grant(user, project string, scopes ...string) {
	p.boss.t.Helper()
	p.boss.want(p.boss.post("/grant_project", body{"user_id": user, "project_id": project, "scopes": scopes}), "200")
}

// login returns a browser at here in which the user is logged in.
func (p *place) login(name string) *browser {
	p.boss.t.Helper()
	return newBrowser(p.boss.t, p.here.url).login(name, memberPassword)
}

// newSession returns the id of the user's only session besides those that are known.
func (s *stage) newSession(user string, known ...string) string {
	s.t.Helper()
	all := s.boss.want(s.boss.get("/get_sessions?user_id="+user), "200").sessions(s.t)
	all = slices.DeleteFunc(all, func(session seen) bool { return slices.Contains(known, session.ID) })
	if len(all) != 1 {
		s.t.Fatalf("got the sessions %+v, want one", all)
	}
	return all[0].ID
}

// withPassword returns the parameters with the password of members besides.
func withPassword(params body) body {
	params = maps.Clone(params)
	params["password"] = memberPassword
	return params
}

// newToken creates an access token and returns its id and its text.
func newToken(b *browser, params body) (id, text string) {
	b.t.Helper()
	made := b.want(b.post("/create_access_token", withPassword(params)), "200")
	return made.member(b.t, "Id"), made.member(b.t, "token")
}

// cookies returns the header with the browser's cookies.
func (b *browser) cookies() http.Header {
	b.t.Helper()
	at, err := url.Parse(b.url)
	if err != nil {
		b.t.Fatal(err)
	}
	r := &http.Request{Header: http.Header{}}
	for _, c := range b.client.Jar.Cookies(at) {
		r.AddCookie(c)
	}
	return r.Header
}

// request builds a request of eve's to the server.
func (s *stage) request(at *server, method, path, text string) *http.Request {
	s.t.Helper()
	r, err := http.NewRequest(method, at.url+path, strings.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header = s.credential.Clone()
	if text != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

// ask sends a whole request of eve's.
func (s *stage) ask(at *server, method, path, text string) (answer, error) {
	s.t.Helper()
	client := &http.Client{Transport: s.boss.client.Transport, Timeout: patience} // with no cookies but eve's
	resp, err := client.Do(s.request(at, method, path, text))
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	said, err := io.ReadAll(resp.Body)
	return answerOf(resp, said), err
}

func answerOf(resp *http.Response, said []byte) answer {
	var failure struct{ Code string }
	_ = json.Unmarshal(said, &failure)
	return answer{status: resp.StatusCode, code: failure.Code, text: string(said)}
}

// hold sends the request of the change except for its last byte.
func (s *stage) hold(c lostright.Change) *lostright.Held {
	s.t.Helper()
	held, err := lostright.Hold(s.request(s.here, c.Method(), c.Path(), c.Text(s.objects)))
	if err != nil {
		s.t.Fatal(err)
	}
	return held
}

// lose takes the right away.
func (s *stage) lose(l lostright.Loss) {
	s.t.Helper()
	method, path, text := l.Request(s.objects)
	if l.Own {
		got, err := s.ask(s.there, method, path, text)
		if err != nil || got.String() != "200" {
			s.t.Fatalf("%s: %s (%v)", path, got.text, err)
		}
		return
	}
	got, err := s.boss.tryRaw(method, path, text, http.Header{"Content-Type": {"application/json"}})
	if err != nil || got.String() != "200" {
		s.t.Fatalf("%s: %s (%v)", path, got.text, err)
	}
}

// everything returns what is stored about the users and assistants of this stage, as another
// admin sees it, and the audit of what eve has done. When something was last used does not
// count.
func (s *stage) everything() string {
	s.t.Helper()
	o := s.objects
	users := []string{o.Eve, o.Other}
	suffix := o.Planted[strings.LastIndex(o.Planted, "-"):]
	text := func(item map[string]any, name string) string { it, _ := item[name].(string); return it }
	var all strings.Builder
	for _, list := range []struct {
		path, member string
		ours         func(item map[string]any) bool
	}{
		{"/get_all_users", "users", func(item map[string]any) bool { return slices.Contains(s.names, text(item, "Username")) }},
		{"/get_projects", "assistants", func(item map[string]any) bool { return strings.HasSuffix(text(item, "Name"), suffix) }},
		{"/get_grants", "grants", func(item map[string]any) bool { return slices.Contains(users, text(item, "User")) }},
		{"/get_access_tokens", "access_tokens", func(item map[string]any) bool { return slices.Contains(users, text(item, "User")) }},
		{"/get_group_rules", "rules", func(item map[string]any) bool { return strings.HasSuffix(text(item, "Group"), suffix) }},
		{"/get_sessions?user_id=" + o.Eve, "sessions", nil},
		{"/get_sessions?user_id=" + o.Other, "sessions", nil},
		{"/get_audit_events?outcome=ok&actor=" + s.actor, "events", nil},
	} {
		got := s.boss.get(list.path)
		var said map[string]json.RawMessage
		var items []map[string]any
		if err := json.Unmarshal([]byte(got.text), &said); err != nil {
			s.t.Fatal(err)
		}
		if got.status == 200 {
			if err := json.Unmarshal(said[list.member], &items); err != nil {
				s.t.Fatalf("%s: %v in %s", list.path, err, got.text)
			}
		}
		fmt.Fprintln(&all, list.path, got)
		for _, item := range items {
			if list.ours == nil || list.ours(item) {
				delete(item, "LastUsed")
				line, err := json.Marshal(item)
				if err != nil {
					s.t.Fatal(err)
				}
				fmt.Fprintf(&all, "\t%s\n", line)
			}
		}
	}
	return all.String()
}

// TestWhoeverLosesARightCantFinish holds requests by every route that reads a body and changes
// something. Eve loses the right to all of them, and then their last bytes are sent. The test
// of package lostright compares these requests with the route table.
//
// Meanwhile Voiceflow holds its answers to other requests of eve's.
func TestWhoeverLosesARightCantFinish(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		for _, by := range []lostright.Caller{lostright.Admin, lostright.Member, lostright.Manager} {
			t.Run(string(by)+"/nothing is lost", func(t *testing.T) {
				t.Parallel()
				p.newStage(t, by).finishAll(by)
			})
			for _, l := range lostright.Losses() {
				changes := slices.DeleteFunc(lostright.Changes(), func(c lostright.Change) bool { return !l.Takes(c, by) })
				if len(changes) > 0 {
					t.Run(string(by)+"/"+l.Name, func(t *testing.T) {
						t.Parallel()
						s := p.newStage(t, by)
						var slow []*slowRequest
						if by != lostright.Member {
							slow = s.askSlowly(l)
						}
						s.loseTheRight(changes, l)
						s.finishSlowly(slow)
						s.wantPasswords(l)
					})
				}
			}
		}
	})
}

// finishAll holds one request after the other and finishes it. So the refusals of the same
// requests have no other reason than the loss.
func (s *stage) finishAll(by lostright.Caller) {
	s.login(s.names[1])                                       // so that the other user has a login more than OthersLogin
	s.objects.Webhook = "https://" + s.names[0] + ".invalid/" // it is deleted
	s.setWebhook(s.objects.Webhook)
	for _, c := range lostright.Changes() {
		if !slices.Contains(c.By, by) {
			continue
		}
		before := s.everything()
		resp, said, err := s.hold(c).Finish()
		if err != nil || resp.StatusCode != 200 {
			s.t.Fatalf("%s: got %s (%v), want 200", c.Name(), said, err)
		}
		if s.everything() == before {
			s.t.Errorf("%s changed nothing", c.Name())
		}
	}
}

// loseTheRight holds the requests of all the changes, takes the right away, and finishes them.
func (s *stage) loseTheRight(changes []lostright.Change, l lostright.Loss) {
	held := make([]*lostright.Held, len(changes))
	for i, c := range changes {
		held[i] = s.hold(c)
	}
	s.lose(l)
	before := s.everything()
	wants := make([]string, len(changes))
	for i, c := range changes {
		status, code := l.Answer(c)
		wants[i] = answer{status: status, code: code}.String()
		resp, said, err := held[i].Finish()
		if err != nil {
			s.t.Fatalf("%s: %v", c.Name(), err)
		}
		if got := answerOf(resp, said); got.String() != wants[i] {
			s.t.Errorf("%s: got %s, want %s", c.Name(), got.text, wants[i])
		}
		if set := resp.Header["Set-Cookie"]; len(set) > 0 {
			s.t.Errorf("%s set the cookies %q", c.Name(), set)
		}
	}
	// No change hides another: each has a row in the audit.
	if after := s.everything(); after != before {
		s.t.Errorf("the requests changed\n%s\nto\n%s", before, after)
		before = after
	}
	for i, c := range changes {
		if fresh, err := s.ask(s.here, c.Method(), c.Path(), c.Text(s.objects)); err != nil || fresh.String() != wants[i] {
			s.t.Errorf("%s: a fresh request got %s (%v), want %s", c.Name(), fresh.text, err, wants[i])
		}
	}
	if after := s.everything(); after != before {
		s.t.Errorf("fresh requests changed\n%s\nto\n%s", before, after)
	}
}

// wantPasswords fails the test if eve has planted an admin, or if her password is another.
func (s *stage) wantPasswords(l lostright.Loss) {
	s.t.Helper()
	b := newBrowser(s.t, s.there.url)
	b.want(b.post("/login", body{"username": s.objects.Planted, "password": s.objects.Password}), "401 not_authenticated")
	if l.KeepsPassword {
		b.login(s.names[0], s.objects.Password)
	}
}
