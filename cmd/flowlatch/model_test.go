package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/app/forward"
	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/config"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Run(m)) }

// modelPassword is the password of every user of the model.
const modelPassword = "correct horse 11 battery"

// TestItDoesWhatAModelDoes takes random steps on two instances over one database and one
// keyset, and on a model of a few maps beside them, and compares after each step.
func TestItDoesWhatAModelDoes(t *testing.T) {
	test := func(t *testing.T, database string) {
		const steps = 10_000
		seed := rand.Uint64()
		t.Logf("the seed is %d", seed)
		m := newModel(t, database, rand.New(rand.NewPCG(seed, 0)))
		for i := range steps {
			m.step()
			if i%100 == 0 {
				m.compareAll()
			}
			if t.Failed() {
				t.Fatalf("the last of %d steps: %s", i+1, strings.Join(m.did[max(0, len(m.did)-20):], "; "))
			}
		}
		m.compareAll()
		for what, least := range map[string]int{"add": 100, "delete": 100, "grant": 100, "revoke": 100, "set": 1000, "hold": 50, "rotate": 5, "rewrap": 5, "restart": 5} {
			if m.times[what] < least {
				t.Errorf("%s was done %d times, want at least %d: the test shows too little", what, m.times[what], least)
			}
		}
	}
	t.Run("SQLite", func(t *testing.T) { test(t, "") })
	t.Run("Postgres", func(t *testing.T) { test(t, postgrestest.DSN(t)) })
}

// model is what should be there, beside what is.
type model struct {
	t         *testing.T
	random    *rand.Rand
	cfg       config.Config
	instances [2]*instance
	pool      []voiceflowtest.Assistant
	keyUsed   func() string // what Voiceflow last got in Authorization

	users    []*modelUser
	projects map[domain.ProjectID]*modelProject
	gone     []domain.ProjectID

	did   []string
	times map[string]int
}

type instance struct {
	Site
	close func()
}

type modelUser struct {
	id     domain.UserID
	name   string
	admin  bool
	login  string // the cookie
	set    domain.ProjectID
	cookie string // of the assistant that is or was set
}

type modelProject struct {
	assistant voiceflowtest.Assistant
	granted   map[domain.UserID]bool
}

func newModel(t *testing.T, database string, random *rand.Rand) *model {
	t.Helper()
	m := &model{t: t, random: random, projects: map[domain.ProjectID]*modelProject{}, times: map[string]int{}}
	for i := range 40 {
		// Several bear one name.
		m.pool = append(m.pool, voiceflowtest.NewAssistant(fmt.Sprintf("Assistant %d", i/2), voiceflowtest.Shape2024))
	}
	v, err := voiceflowtest.Start(m.pool...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	v.Keep(1)
	var mu sync.Mutex
	var used string
	v.Watch(func(r voiceflowtest.Request) {
		mu.Lock()
		defer mu.Unlock()
		used = r.Header.Get("Authorization")
	})
	m.keyUsed = func() string {
		mu.Lock()
		defer mu.Unlock()
		return used
	}
	environ := []string{
		"FLOWLATCH_DATA_DIR=" + filepath.Join(t.TempDir(), "data"), "FLOWLATCH_FORWARD_RATE=0", "FLOWLATCH_FORWARD_READ_RATE=0",
		"FLOWLATCH_VOICEFLOW_API_URL=" + v.URL(), "FLOWLATCH_VOICEFLOW_RUNTIME_URL=" + v.URL(),
		"FLOWLATCH_VOICEFLOW_ANALYTICS_URL=" + v.URL(), "FLOWLATCH_VOICEFLOW_REALTIME_URL=" + v.URL(),
	}
	if database != "" {
		environ = append(environ, "FLOWLATCH_DATABASE_URL="+database)
	}
	if m.cfg, _, err = config.Read(config.Source{Environ: environ}); err != nil {
		t.Fatal(err)
	}
	if err := openFolder(m.cfg, makesFolder, true); err != nil {
		t.Fatal(err)
	}
	for i := range m.instances {
		m.instances[i] = m.open()
		t.Cleanup(func() { m.instances[i].close() })
	}
	operator, err := m.instances[0].Service.OperatorCall()
	if err != nil {
		t.Fatal(err)
	}
	for i, role := range []string{"admin", "member", "member", "member"} {
		u := &modelUser{name: fmt.Sprintf("user-%d", i), admin: role == "admin"}
		made, err := m.instances[0].Service.CreateUser(t.Context(), operator,
			app.CreateUser{Username: u.name, Password: domain.NewSecret(modelPassword), Role: role})
		if err != nil {
			t.Fatal(err)
		}
		u.id = made.ID
		m.login(m.instances[1].Service, u)
		m.users = append(m.users, u)
	}
	return m
}

func (m *model) open() *instance {
	m.t.Helper()
	site, closeAll, err := openSite(context.WithoutCancel(m.t.Context()), m.cfg, func(string) {}, slog.New(slog.DiscardHandler))
	if err != nil {
		m.t.Fatal(err)
	}
	return &instance{site, closeAll}
}

// login logs the user in.
func (m *model) login(s *app.Service, u *modelUser) {
	m.t.Helper()
	in, err := s.Login(m.t.Context(), domain.Call{Address: "192.0.2.1"},
		app.Login{Username: u.name, Password: domain.NewSecret(modelPassword), Remember: true})
	if err != nil {
		m.t.Fatal(err)
	}
	u.login = in.Cookie.Text
}

// any is one of the instances.
func (m *model) any() *app.Service { return m.instances[m.random.IntN(len(m.instances))].Service }

// member is one of the users who are no admins.
func (m *model) member() *modelUser { return m.users[1+m.random.IntN(len(m.users)-1)] }

// call is a call of the user's, by the cookie. Of the cookies that are sealed anew some
// never arrive.
func (m *model) call(s *app.Service, u *modelUser) domain.Call {
	m.t.Helper()
	in, err := s.Identify(m.t.Context(), u.login)
	if err != nil {
		m.t.Fatalf("%s is no longer logged in: %v", u.name, err)
	}
	if in.Cookie.Text != "" && m.random.IntN(2) == 0 {
		u.login = in.Cookie.Text
	}
	return domain.Call{Caller: in.Caller, RequestID: "request", Address: "192.0.2.1"}
}

// operator is a call of the operator's.
func (m *model) operator(s *app.Service) domain.Call {
	m.t.Helper()
	call, err := s.OperatorCall()
	if err != nil {
		m.t.Fatal(err)
	}
	return call
}

// want compares how a step ended.
func (m *model) want(err error, kind domain.Kind) {
	m.t.Helper()
	if domain.KindOf(err) != kind || (err == nil) != (kind == "") {
		m.t.Errorf("%s: got error %v, want kind %q", m.did[len(m.did)-1], err, kind)
	}
}

func (m *model) doing(what, with string) {
	m.did = append(m.did, what+" "+with)
	m.times[what]++
}

// someID is the id of a project that is there, most of the time.
func (m *model) someID() domain.ProjectID {
	if len(m.projects) == 0 || len(m.gone) > 0 && m.random.IntN(10) == 0 {
		if len(m.gone) == 0 {
			return "01890000-0000-7000-8000-000000000404"
		}
		return m.gone[m.random.IntN(len(m.gone))]
	}
	return m.ids()[m.random.IntN(len(m.projects))]
}

func (m *model) ids() []domain.ProjectID {
	ids := make([]domain.ProjectID, 0, len(m.projects))
	for id := range m.projects {
		ids = append(ids, id)
	}
	slices.Sort(ids) // a map has no order, and a seed should give the same steps
	return ids
}

// step takes one step.
func (m *model) step() {
	m.t.Helper()
	u := m.users[m.random.IntN(len(m.users))]
	s := m.any()
	switch n := m.random.IntN(1000); {
	case n < 80:
		m.add(s)
	case n < 120:
		m.delete(s)
	case n < 240:
		m.grant(s, m.member(), m.someID())
	case n < 320:
		m.revoke(s, m.member(), m.someID())
	case n < 640:
		m.set(s, u)
	case n < 680:
		m.clear(s, u)
	case n < 800:
		m.compareList(s, u)
	case n < 969:
		m.compareSet(s, u)
	case n < 984:
		m.holdLastByte(m.member())
	case n < 988:
		m.doing("rotate", "")
		_, err := s.Keyset().Rotate(m.t.Context(), m.operator(s))
		m.want(err, "")
	case n < 994:
		m.doing("rewrap", "")
		_, err := s.Keyset().Reencrypt(m.t.Context(), m.operator(s), false, func(int, int) {})
		m.want(err, "")
	default:
		i := m.random.IntN(len(m.instances))
		m.doing("restart", fmt.Sprint(i))
		m.instances[i].close()
		m.instances[i] = m.open()
	}
}

func (m *model) add(s *app.Service) {
	m.t.Helper()
	a := m.pool[m.random.IntN(len(m.pool))]
	m.doing("add", a.Name+" "+a.VersionID)
	p, err := s.AddProject(m.t.Context(), m.call(s, m.users[0]), app.AddProject{Version: a.VersionID, Key: domain.NewSecret(a.Key)})
	for _, there := range m.projects {
		if there.assistant.VersionID == a.VersionID {
			m.want(err, domain.AlreadyAdded)
			return
		}
	}
	m.want(err, "")
	m.projects[p.ID] = &modelProject{assistant: a, granted: map[domain.UserID]bool{}}
}

func (m *model) delete(s *app.Service) {
	m.t.Helper()
	id := m.someID()
	m.doing("delete", string(id))
	err := s.DeleteProject(m.t.Context(), m.call(s, m.users[0]), app.DeleteProject{ID: string(id)})
	if m.projects[id] == nil {
		m.want(err, domain.NotFound)
		return
	}
	m.want(err, "")
	delete(m.projects, id)
	m.gone = append(m.gone, id)
	for _, u := range m.users {
		if u.set == id {
			u.set = ""
		}
	}
}

func (m *model) grant(s *app.Service, to *modelUser, id domain.ProjectID) {
	m.t.Helper()
	m.doing("grant", to.name+" "+string(id))
	err := s.GrantProject(m.t.Context(), m.call(s, m.users[0]), string(to.id), string(id), nil)
	if m.projects[id] == nil {
		m.want(err, domain.NotFound)
		return
	}
	m.want(err, "")
	m.projects[id].granted[to.id] = true
}

func (m *model) revoke(s *app.Service, from *modelUser, id domain.ProjectID) {
	m.t.Helper()
	m.doing("revoke", from.name+" "+string(id))
	err := s.RevokeProject(m.t.Context(), m.call(s, m.users[0]), string(from.id), string(id))
	if m.projects[id] == nil {
		m.want(err, domain.NotFound)
		return
	}
	m.want(err, "")
	delete(m.projects[id].granted, from.id)
	if from.set == id {
		from.set = ""
	}
}

func (m *model) set(s *app.Service, u *modelUser) {
	m.t.Helper()
	id := m.someID()
	m.doing("set", u.name+" "+string(id))
	set, err := s.SetProject(m.t.Context(), m.call(s, u), string(id))
	switch p := m.projects[id]; {
	case p == nil && u.admin:
		m.want(err, domain.NotFound)
	case p == nil || !u.admin && !p.granted[u.id]:
		m.want(err, domain.NotAllowed)
	default:
		m.want(err, "")
		u.set, u.cookie = id, set.Cookie.Text
	}
	m.compareSet(s, u)
}

func (m *model) clear(s *app.Service, u *modelUser) {
	m.t.Helper()
	m.doing("clear", u.name)
	m.want(s.ClearProject(m.t.Context(), m.call(s, u), u.cookie), "")
	u.set = ""
	m.compareSet(s, u)
}

// compareList compares what the user sees.
func (m *model) compareList(s *app.Service, u *modelUser) {
	m.t.Helper()
	m.doing("list", u.name)
	var want []string
	for id, p := range m.projects {
		if u.admin || p.granted[u.id] {
			want = append(want, p.assistant.Name+" "+string(id))
		}
	}
	slices.Sort(want)
	page, err := s.GetProjects(m.t.Context(), m.call(s, u), domain.Cursor{}, paging.Max)
	if len(want) == 0 {
		m.want(err, domain.NotFound)
		return
	}
	m.want(err, "")
	var got []string
	for _, p := range page.Items {
		got = append(got, p.Name+" "+string(p.ID))
		if p.Primary.Status != domain.KeyOK {
			m.t.Errorf("the key of %s is %s", p.Name, p.Primary.Status)
		}
	}
	if !slices.Equal(got, want) {
		m.t.Errorf("%s sees %v, want %v", u.name, got, want)
	}
}

// compareSet compares which assistant is set, and uses it: Voiceflow gets its key.
func (m *model) compareSet(s *app.Service, u *modelUser) {
	m.t.Helper()
	m.doing("use", u.name)
	checked, err := s.CheckSession(m.t.Context(), m.call(s, u), u.cookie)
	m.want(err, "")
	var set domain.ProjectID
	if checked.Assistant != nil {
		set = checked.Assistant.ID
	}
	if set != u.set {
		m.t.Errorf("%s has set %q, want %q", u.name, set, u.set)
		return
	}
	r, err := http.NewRequestWithContext(m.t.Context(), http.MethodGet, "/", nil)
	if err != nil {
		m.t.Fatal(err)
	}
	out, err := s.Forwarder().Forward(m.t.Context(), domain.Call{}, forward.Input{
		Service: string(domain.ServiceRuntime), Path: "/state/user/x", UserCookie: u.login, AssistantCookie: u.cookie,
	}, r)
	if u.set == "" {
		if kind := domain.KindOf(err); kind != domain.NotAuthenticated && (kind != domain.NoAssistant || u.cookie != "") {
			m.t.Errorf("%s uses what is not set: got error %v", u.name, err)
		}
		return
	}
	m.want(err, "")
	if err != nil {
		return
	}
	_, err = io.Copy(io.Discard, out.Answer.Body)
	if err = errors.Join(err, out.Answer.Body.Close()); err != nil || out.Answer.StatusCode != http.StatusOK {
		m.t.Errorf("%s uses %s: status %d, error %v", u.name, u.set, out.Answer.StatusCode, err)
	}
	if got := m.keyUsed(); got != m.projects[u.set].assistant.Key {
		m.t.Errorf("%s uses %s: Voiceflow got another key than that of %s", u.name, u.set, m.projects[u.set].assistant.Name)
	}
}

// compareAll compares everything, on each instance.
func (m *model) compareAll() {
	m.t.Helper()
	for _, i := range m.instances {
		for _, u := range m.users {
			m.compareList(i.Service, u)
			m.compareSet(i.Service, u)
		}
	}
}
