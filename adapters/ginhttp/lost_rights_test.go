package ginhttp_test

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/adapters/ginhttp"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/lostright"
)

// Whoever starts a request may lose the right to it before the request ends. These tests send
// all but the last byte of a body, take the right away, and send the last byte.

// stage is a world with somebody, eve, who makes a request.
type stage struct {
	*world
	eve     *browser // how eve calls
	objects lostright.Objects
	project domain.Project // objects.Project
}

// lose takes the right away.
func (s *stage) lose(t *testing.T, l lostright.Loss) {
	t.Helper()
	by := s.admin
	if l.Own {
		by = &browser{w: s.world, cookies: maps.Clone(s.eve.cookies)} // eve keeps the cookies of the login that she ends
	}
	method, path, body := l.Request(s.objects)
	by.do(t, method, path, body).want(t, 200, "")
}

// setTheStage makes a world in which eve calls in that way.
func setTheStage(t *testing.T, by lostright.Caller) *stage {
	t.Helper()
	s := &stage{world: newWorld(t, signsOn)}
	s.project = s.addProject(t, "Support bot")
	o := lostright.Objects{
		Project: string(s.project.ID), SecondKey: canary, Version: versionB, Key: canary, Other: s.userID(t, "member"),
		Password: password, NewPassword: "another canary phrase", Planted: "mallory",
	}
	s.admin.do(t, "POST", "/grant_project", `{"user_id":"`+o.Other+`","project_id":"`+o.Project+`","scopes":["converse"]}`).want(t, 200, "")
	s.admin.do(t, "POST", "/set_token", `{"project_id":"`+o.Project+`","token":"vfp_canary","slot":"personal"}`).want(t, 200, "")
	o.OthersLogin = s.onlySession(t, o.Other)
	o.OthersToken = s.makeToken(t, s.member, `{"name":"x","project_id":"`+o.Project+`"}`, nil)

	role := "admin"
	if by == lostright.Member {
		role = "member"
	}
	o.Eve = s.createUser(t, "eve", role)
	if by == lostright.Member {
		s.admin.do(t, "POST", "/grant_project",
			`{"user_id":"`+o.Eve+`","project_id":"`+o.Project+`","scopes":["converse","analytics"]}`).want(t, 200, "")
	}
	s.eve = s.login(t, "eve")
	o.Login = s.onlySession(t, o.Eve)
	s.login(t, "eve")
	o.Second = s.onlySession(t, o.Eve, o.Login)
	o.Token = s.makeToken(t, s.eve, `{"name":"x","project_id":"`+o.Project+`"}`, nil)
	if by == lostright.Manager {
		o.Manager = s.makeToken(t, s.eve, `{"name":"x","scopes":["manage"]}`, &s.eve)
	}
	o.Linked = s.createUser(t, "linked", "member")
	s.admin.do(t, "POST", "/link_identity", `{"user_id":"`+o.Linked+`","subject":"linked"}`).want(t, 200, "")
	rule := s.admin.do(t, "POST", "/set_group_rule", `{"group":"sales","project_id":"`+o.Project+`"}`).want(t, 200, "")
	o.Rule = rule.body["rule"].(map[string]any)["Id"].(string)
	o.Webhook = "https://alerts.invalid/"
	s.admin.do(t, "POST", "/set_webhook", `{"url":"`+o.Webhook+`","events":["key.rejected"]}`).want(t, 200, "")
	s.objects = o
	s.clock.move(time.Second) // so that a change of a time shows
	return s
}

// makeToken makes an access token and returns its id. program becomes who has it.
func (s *stage) makeToken(t *testing.T, b *browser, body string, program **browser) string {
	t.Helper()
	made := b.do(t, "POST", "/create_access_token", withPassword(body)).want(t, 200, "")
	if program != nil {
		*program = &browser{w: s.world, cookies: map[string]string{}, authorization: made.body["token"].(string)}
	}
	return made.body["Id"].(string)
}

// onlySession is the id of the only session of the user besides those that are known.
func (s *stage) onlySession(t *testing.T, user string, known ...string) string {
	t.Helper()
	all, err := s.ports.Store.Sessions.Page(t.Context(), domain.UserID(user), domain.Cursor{}, 3)
	all = slices.DeleteFunc(all, func(session domain.Session) bool { return slices.Contains(known, string(session.ID)) })
	if err != nil || len(all) != 1 {
		t.Fatalf("got the sessions %v and error %v, want one", all, err)
	}
	return string(all[0].ID)
}

// late sends all of the request but the last byte of its body, calls meanwhile when the route
// reads the body, and sends the last byte.
func (s *stage) late(t *testing.T, c lostright.Change, meanwhile func()) *reply {
	t.Helper()
	held, err := lostright.Hold(s.eve.request(t, c.Method(), c.Path(), c.Text(s.objects)))
	if err != nil {
		t.Fatal(err)
	}
	meanwhile()
	response, raw, err := held.Finish()
	if err != nil {
		t.Fatal(err)
	}
	a := &reply{what: c.Route, status: response.StatusCode, header: response.Header, raw: raw, set: response.Cookies()}
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
	projects, err := store.Projects.Page(t.Context(), domain.Operator().Sees(), domain.ProjectFilter{}, first, 100)
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
	rules, err := store.GroupRules.List(t.Context())
	must(err)
	fmt.Fprintf(&text, "rules %+v\n", rules)
	fmt.Fprintf(&text, "tokens %+v\ngrants %+v\naudit %+v\n", tokens, grants, done)
	return text.String()
}

// TestTheRouteTableSaysWhichRoutesReadABody asks each route as an admin. A server that is told
// to expect a body says so when the route begins to read it.
func TestTheRouteTableSaysWhichRoutesReadABody(t *testing.T) {
	w := newWorld(t, signsOn)
	described := map[string]bool{}
	for _, route := range ginhttp.Routes() {
		described[route.Method+" "+route.Path] = true
		if route.Method == "" {
			continue // forwarded calls read what is sent to Voiceflow
		}
		r := w.login(t, "admin").request(t, route.Method, route.Path, `{"x":"y"}`)
		if route.Path == "/oidc/backchannel-logout" {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		held, err := lostright.Hold(r)
		if reads := err == nil; reads != route.ReadsBody {
			t.Errorf("%s %s reads a body: %t, want %t (%v)", route.Method, route.Path, reads, route.ReadsBody, err)
		}
		if err == nil {
			_, _, _ = held.Finish()
		}
	}
	for _, route := range w.engine.Routes() {
		if !described[route.Method+" "+route.Path] && !described[" "+route.Path] {
			t.Errorf("Routes lacks %s %s", route.Method, route.Path)
		}
	}
}

// TestWhoeverLosesARightCantFinish takes away, for every route that reads a body and changes
// something, each right that it takes, before the last byte of the body. The test of package
// lostright compares these requests with the route table.
func TestWhoeverLosesARightCantFinish(t *testing.T) {
	for _, c := range lostright.Changes() {
		for _, by := range c.By {
			t.Run(fmt.Sprintf("%s by %s/in time", c.Name(), by), func(t *testing.T) {
				t.Parallel()
				s := setTheStage(t, by)
				before := s.everything(t)
				if got := s.late(t, c, func() {}); got.status != 200 {
					t.Errorf("got %d %s, want 200", got.status, got.raw)
				}
				if s.everything(t) == before {
					t.Error("it changed nothing")
				}
			})
			for _, l := range lostright.Losses() {
				if l.Takes(c, by) {
					t.Run(fmt.Sprintf("%s by %s/%s", c.Name(), by, l.Name), func(t *testing.T) {
						t.Parallel()
						losesBeforeTheEnd(t, c, by, l)
					})
				}
			}
		}
	}
}

func losesBeforeTheEnd(t *testing.T, c lostright.Change, by lostright.Caller, l lostright.Loss) {
	s := setTheStage(t, by)
	var before string
	got := s.late(t, c, func() {
		s.lose(t, l)
		before = s.everything(t)
	})
	status, code := l.Answer(c)
	if got.status != status || got.code() != code {
		t.Errorf("got %d %s, want %d %s", got.status, got.raw, status, code)
	}
	if len(got.set) > 0 {
		t.Errorf("it set the cookies %v", got.set)
	}
	if after := s.everything(t); after != before {
		t.Errorf("it changed\n%s\nto\n%s", before, after)
	}
	if fresh := s.eve.do(t, c.Method(), c.Path(), c.Text(s.objects)); fresh.status != status || fresh.code() != code {
		t.Errorf("a fresh request: got %d %s, want %d %s", fresh.status, fresh.raw, status, code)
	}
}

// TestWhoeverLosesARightWhileVoiceflowIsSlow takes the right away while Voiceflow holds its
// answer.
func TestWhoeverLosesARightWhileVoiceflowIsSlow(t *testing.T) {
	for _, c := range lostright.Changes() {
		if c.Path() != "/add_project" && c.Path() != "/set_token" {
			continue
		}
		for _, by := range c.By {
			for _, l := range lostright.Losses() {
				if !l.Takes(c, by) {
					continue
				}
				t.Run(fmt.Sprintf("%s by %s/%s", c.Route, by, l.Name), func(t *testing.T) {
					t.Parallel()
					s := setTheStage(t, by)
					var before string
					s.voiceflow.change(func(v *voiceflow) {
						v.during = sync.OnceFunc(func() {
							s.lose(t, l)
							before = s.everything(t)
						})
					})
					status, code := l.Answer(c)
					s.eve.do(t, c.Method(), c.Path(), c.Text(s.objects)).want(t, status, code)
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
	check := lostright.Changes()[slices.IndexFunc(lostright.Changes(), func(c lostright.Change) bool { return c.Path() == "/check_project" })]
	for _, l := range lostright.Losses() {
		if !l.Takes(check, lostright.Admin) {
			continue
		}
		t.Run(l.Name, func(t *testing.T) {
			t.Parallel()
			s := setTheStage(t, lostright.Admin)
			s.voiceflow.change(func(v *voiceflow) {
				v.refused = []string{canary}
				v.during = func() { s.lose(t, l) }
			})
			s.eve.do(t, check.Method(), check.Path(), check.Text(s.objects)).want(t, 200, "")
			found, err := s.ports.Store.Projects.Find(t.Context(), domain.Operator().Sees(), domain.ProjectRef{ID: s.project.ID})
			if err != nil || len(found) != 1 || found[0].Primary.Status != domain.KeyRejected || !found[0].Primary.Checked.Equal(domain.Instant(s.clock.Now())) {
				t.Errorf("got %+v and error %v, want the primary key rejected now", found, err)
			}
		})
	}
}

// TestNoRouteTouchesAnAuditRow makes each change as an admin. The rows that were there stay as they
// were, and rows are added behind them only.
func TestNoRouteTouchesAnAuditRow(t *testing.T) {
	for _, c := range lostright.Changes() {
		if !slices.Contains(c.By, lostright.Admin) {
			continue
		}
		t.Run(c.Name(), func(t *testing.T) {
			t.Parallel()
			s := setTheStage(t, lostright.Admin)
			rows := func() []domain.AuditRow {
				t.Helper()
				all, err := s.ports.Store.Audit.Page(t.Context(), domain.AuditFilter{}, nil, 1000)
				if err != nil {
					t.Fatal(err)
				}
				slices.Reverse(all) // so that the oldest comes first
				return all
			}
			before := rows()
			if got := s.late(t, c, func() {}); got.status != http.StatusOK {
				t.Fatalf("got %d %s, want 200", got.status, got.raw)
			}
			after := rows()
			if len(before) == 0 || len(after) < len(before) {
				t.Fatalf("the audit had %d rows and has %d, want as many or more", len(before), len(after))
			}
			if d := cmp.Diff(before, after[:len(before)]); d != "" {
				t.Errorf("rows that were there, -want +got:\n%s", d)
			}
		})
	}
}
