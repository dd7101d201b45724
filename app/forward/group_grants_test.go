package forward_test

import (
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/app/forward"
	"github.com/flowlatch/flowlatch/app/signon"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
	"github.com/flowlatch/flowlatch/ports"
)

const (
	issuer = "https://idp.example"
	// recheck is how often the identity provider is asked again.
	recheck = 15 * time.Minute
)

// rule sets what the group may do with p: the scopes, in the environments.
func (w *world) rule(t *testing.T, group string, p domain.Project, scopes []domain.Scope, environments ...string) domain.GroupRule {
	t.Helper()
	id, err := domain.NewRuleID(w.Now(), rand.Reader)
	must(t, err)
	r, err := domain.NewGroupRule(id, group, p.ID, domain.ScopesOf(scopes...), environments, w.Now())
	must(t, err)
	r, err = w.Store.Ports().GroupRules.Set(t.Context(), w.act(domain.ActionSetGroupRule), r, domain.SignOnPolicy{})
	must(t, err)
	return r
}

// signOn logs a person of the groups in by the identity provider.
func (w *world) signOn(t *testing.T, subject string, groups ...string) (domain.Call, forward.Input) {
	t.Helper()
	sent := domain.SentToProvider{State: domain.NewSecret("state"), Nonce: domain.NewSecret("nonce"), Verifier: domain.NewSecret("verifier")}
	address, err := w.provider.LoginURL(t.Context(), sent)
	must(t, err)
	person := domain.Person{Identity: domain.Identity{Subject: subject}, Name: subject, Groups: domain.ListedGroups(groups), Sid: "session of " + subject}
	back, err := w.provider.LogIn(address, person)
	must(t, err)
	answer, err := w.provider.Redeem(t.Context(), domain.NewSecret(back.Get("code")), sent)
	must(t, err)
	user := domain.UserRef{Identity: answer.Person.Identity}
	known, err := w.Store.Ports().Users.Find(t.Context(), user)
	if domain.KindOf(err) == domain.NotFound {
		known.ID, err = domain.NewUserID(w.Now(), rand.Reader)
	}
	must(t, err)
	id, err := domain.NewSessionID(w.Now(), rand.Reader)
	must(t, err)
	login := domain.NewProviderLogin(id, known.ID, w.Now(), lifetimes, w.signOns.Every(answer.Refresh), "", "")
	kept := domain.ProviderSession{Login: id, Identity: answer.Person.Identity, Sid: answer.Person.Sid}
	kept.Tokens, err = w.signOns.Seal(id, signon.Tokens{ID: answer.IDToken, Refresh: answer.Refresh})
	must(t, err)
	in := domain.SignOn{Person: answer.Person, Policy: domain.SignOnPolicy{CreateUsers: true}, User: known.ID, At: w.Now()}
	call := domain.Call{Caller: domain.CallerByLogin(login, domain.RoleMember)}
	change, err := w.Store.Ports().SignOns.Open(t.Context(), in, login, kept, domain.Once{}, call.Record(w.Now(), domain.ActionProviderLogin, domain.OnSession(id)))
	must(t, err)
	call.Caller = domain.CallerByLogin(login, change.User.Role)
	cookie, _, err := w.sessions.Seal(login, "")
	must(t, err)
	return call, forward.Input{UserCookie: cookie.Text}
}

// using sets p for who is logged in and returns their credentials.
func (w *world) using(t *testing.T, call domain.Call, by forward.Input, p domain.Project) forward.Input {
	t.Helper()
	by.AssistantCookie = w.set(t, call, p)
	return by
}

func TestAGroupGrantsWhereItsRuleSays(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	w.setEnvironments(t, p, allowing("production", "dev"))
	w.voiceflow.Answer(testworld.Fine)
	w.rule(t, "makers", p, []domain.Scope{domain.ScopeConverse}, "dev")
	call, by := w.signOn(t, "ben", "makers")
	ben := turn("x", w.using(t, call, by, p))
	_, token := w.token(t, call, p, "")
	_, both := w.tokenOf(t, call, domain.TokenSpec{Project: p.ID, Environments: []string{"production"}})

	for _, tc := range []struct {
		name string
		in   forward.Input
		asks []string
		kind domain.Kind
		says string
	}{
		{"the environment of the rule", ben, []string{"dev"}, "", ""},
		{"another one", ben, []string{"production"}, domain.EnvironmentNotAllowed, `"production" is not allowed for you by your groups`},
		{"none, and the default is another one", ben, nil, domain.EnvironmentNotAllowed, `allowed: dev`},
		{"an access token has no more than its owner", turn("x", token), []string{"production"}, domain.EnvironmentNotAllowed, "allowed: dev"},
		{"an access token in the environment of the rule", turn("x", token), []string{"dev"}, "", ""},
		{"an access token for another one is good for none", turn("x", both), []string{"production"}, domain.EnvironmentNotAllowed, "no environment is allowed"},
		{"nor for that of the rule", turn("x", both), []string{"dev"}, domain.EnvironmentNotAllowed, "no environment is allowed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, err := w.ask(t, tc.in, "POST", tc.asks...)
			testworld.WantKind(t, err, tc.kind)
			if err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want it to say %s", err, tc.says)
			}
			if err == nil && out.Environment.Name != tc.asks[0] {
				t.Errorf("used %+v", out.Environment)
			}
		})
	}

	// A grant of an admin, or a rule without environments, lifts the limit with the next call.
	w.grant(t, call.Caller.ID, p)
	_, err := w.ask(t, ben, "POST", "production")
	testworld.WantKind(t, err, "")
	w.revoke(t, call.Caller.ID, p)
	_, err = w.ask(t, ben, "POST", "production")
	testworld.WantKind(t, err, domain.EnvironmentNotAllowed)
	w.rule(t, "makers", p, []domain.Scope{domain.ScopeConverse})
	_, err = w.ask(t, ben, "POST", "production")
	testworld.WantKind(t, err, "")
}

func TestAScopeOfAGroupCountsWhereItsRuleSays(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	w.setEnvironments(t, p, allowing("production", "dev"))
	w.voiceflow.Answer(testworld.Fine)
	w.rule(t, "makers", p, []domain.Scope{domain.ScopeKnowledgeWrite}, "dev")
	call, by := w.signOn(t, "ben", "makers")
	w.grant(t, call.Caller.ID, p)
	ben := w.using(t, call, by, p)
	for _, name := range []string{"production", "dev"} {
		_, err := w.ask(t, turn("x", ben), "POST", name)
		testworld.WantKind(t, err, "")
	}
	document := func(environment string) error {
		in := ben
		in.Service, in.Path = "realtime-api", "/v1/stable/document/6371c9b4e1a5b2c3d4e5f6aa"
		r := testworld.Request("DELETE", in.Path, "")
		if environment != "" {
			r.URL.RawQuery = "environmentAlias=" + environment
		}
		out, err := w.Forward(t.Context(), domain.Call{}, in, r)
		if err == nil {
			must(t, out.Answer.Body.Close())
		}
		return err
	}
	testworld.WantKind(t, document("dev"), "")
	testworld.WantKind(t, document("production"), domain.EnvironmentNotAllowed)
	testworld.WantKind(t, document(""), domain.EnvironmentNotAllowed)

	// What can't be held to an environment is refused.
	in := ben
	in.Service, in.Path = "api", "/v1/knowledge-base/docs/6371c9b4e1a5b2c3d4e5f6aa"
	_, err := w.Forward(t.Context(), domain.Call{}, in, testworld.Request("DELETE", in.Path, ""))
	testworld.WantKind(t, err, domain.EnvironmentNotAllowed)
}

// A turn may have what is granted in its environment, which is known only once its body was read.
func TestATurnHasTheScopesOfItsEnvironment(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	w.setEnvironments(t, p, allowing("production", "dev", mainPublished))
	w.voiceflow.List(func(string) ([]domain.EnvironmentState, error) {
		return []domain.EnvironmentState{{Alias: "dev", Published: mainPublished}}, nil
	})
	var had domain.Scopes
	var body string
	w.voiceflow.Answer(func(f domain.Forward, s testworld.Sent) (ports.Answer, error) {
		had, body = f.Scopes, s.Body
		return testworld.Fine(f, s)
	})
	w.rule(t, "makers", p, []domain.Scope{domain.ScopeConverse, domain.ScopeDebug}, "dev")
	call, by := w.signOn(t, "ben", "makers")
	w.grant(t, call.Caller.ID, p)
	ben := turn("x", w.using(t, call, by, p))
	adaCall, ada := w.login(t, w.User(t, "eve", domain.RoleAdmin), domain.RoleAdmin)
	ada.AssistantCookie = w.set(t, adaCall, p)
	debug := domain.ScopesOf(domain.ScopeConverse, domain.ScopeDebug)
	for _, tc := range []struct {
		name string
		in   forward.Input
		asks string
		want domain.Scopes
	}{
		{"in the environment of the rule", ben, "dev", debug},
		{"in a version of it", ben, mainPublished, debug},
		{"in another one", ben, "production", domain.DefaultScopes()},
		{"of an admin", turn("x", ada), "production", domain.AllScopes()},
	} {
		_, err := w.ask(t, tc.in, "POST", tc.asks)
		testworld.WantKind(t, err, "")
		if had != tc.want || body != "{}" {
			t.Errorf("a turn %s: had %v and the body %q", tc.name, had.List(), body)
		}
	}
	// A body that is too long to be read twice goes on with what is granted everywhere.
	in := ben
	r := testworld.Request("POST", in.Path, `"`+strings.Repeat("x", 1<<20)+`"`)
	r.Header[http.CanonicalHeaderKey("versionID")] = []string{"dev"}
	out, err := w.Forward(t.Context(), domain.Call{}, in, r)
	testworld.WantKind(t, err, "")
	if err == nil {
		must(t, out.Answer.Body.Close())
	}
	if had != domain.DefaultScopes() || len(body) != 1<<20+2 {
		t.Errorf("had %v with a body of %d bytes", had.List(), len(body))
	}
}

func TestAConversationOfAGroupStaysWhereItsRuleSays(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	w.setEnvironments(t, p, allowing("production", "dev"))
	w.voiceflow.Answer(func(f domain.Forward, s testworld.Sent) (ports.Answer, error) {
		if f.Route.Endpoint.Starts {
			return testworld.Starts(f, "session-key"), nil
		}
		return testworld.Fine(f, s)
	})
	w.rule(t, "makers", p, []domain.Scope{domain.ScopeConverse}, "dev", "production")
	call, by := w.signOn(t, "ben", "makers")
	handle := w.openSession(t, p, w.using(t, call, by, p))
	_, err := w.ask(t, handle, "POST")
	testworld.WantKind(t, err, "")
	w.rule(t, "makers", p, []domain.Scope{domain.ScopeConverse}, "dev")
	_, err = w.ask(t, handle, "POST")
	testworld.WantKind(t, err, domain.EnvironmentNotAllowed)
}

// streamed is a turn whose answer does not end, and what it ended with.
func (w *world) streamed(t *testing.T, in forward.Input, environment string) (ended chan error) {
	t.Helper()
	r := testworld.Request("POST", in.Path, "{}")
	if environment != "" {
		r.Header[http.CanonicalHeaderKey("versionID")] = []string{environment}
	}
	out, err := w.Forward(t.Context(), domain.Call{}, in, r)
	must(t, err)
	ended = make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, out.Answer.Body)
		ended <- errors.Join(err, out.Answer.Body.Close())
	}()
	return ended
}

// check moves the clock and lets open calls end that have lost their right.
func (w *world) check(t *testing.T, after time.Duration) {
	t.Helper()
	w.After(after)
	must(t, w.EndLostUses(t.Context()))
}

func goesOn(t *testing.T, calls ...chan error) {
	t.Helper()
	for _, c := range calls {
		select {
		case err := <-c:
			t.Fatalf("an open call ended: %v", err)
		default:
		}
	}
}

func TestAnOpenCallEndsWithTheRightInItsEnvironment(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	w.setEnvironments(t, p, allowing("production", "dev"))
	w.voiceflow.Stream(true)
	w.rule(t, "makers", p, []domain.Scope{domain.ScopeConverse}, "dev", "production")
	call, by := w.signOn(t, "ben", "makers")
	ben := turn("x", w.using(t, call, by, p))
	named := turn("x", by)
	named.Project = p.ID
	_, token := w.token(t, call, p, "")
	dev, production, byName, byToken := w.streamed(t, ben, "dev"), w.streamed(t, ben, "production"), w.streamed(t, named, "production"), w.streamed(t, turn("x", token), "production")
	w.check(t, time.Second)
	goesOn(t, dev, production, byName, byToken)
	w.rule(t, "makers", p, []domain.Scope{domain.ScopeConverse}, "dev")
	w.check(t, time.Second)
	for _, lost := range []chan error{production, byName, byToken} {
		testworld.WantKind(t, <-lost, domain.NotAllowed)
	}
	goesOn(t, dev)
}

// A person who left the company is out with the recheck, whatever they use.
func TestALoginThatTheProviderRefusesEnds(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	w.voiceflow.Answer(func(f domain.Forward, s testworld.Sent) (ports.Answer, error) {
		if f.Route.Endpoint.Starts {
			return testworld.Starts(f, "session-key"), nil
		}
		return testworld.Fine(f, s)
	})
	w.rule(t, "makers", p, []domain.Scope{domain.ScopeConverse})
	for _, tc := range []struct {
		name string
		in   func(t *testing.T, call domain.Call, by forward.Input) forward.Input
	}{
		{"cookies", func(t *testing.T, call domain.Call, by forward.Input) forward.Input {
			return turn("x", w.using(t, call, by, p))
		}},
		{"a named assistant", func(_ *testing.T, _ domain.Call, by forward.Input) forward.Input {
			by.Project = p.ID
			return turn("x", by)
		}},
		{"a handle", func(t *testing.T, call domain.Call, by forward.Input) forward.Input {
			return w.openSession(t, p, w.using(t, call, by, p))
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			subject := strings.ReplaceAll(tc.name, " ", "-")
			call, by := w.signOn(t, subject, "makers")
			in := tc.in(t, call, by)
			login := func() domain.Session { return w.Session(t, call.Caller.ID, call.Caller.Login.ID) }
			_, err := w.ask(t, in, "POST")
			testworld.WantKind(t, err, "")

			w.After(recheck)
			_, err = w.ask(t, in, "POST")
			testworld.WantKind(t, err, "")
			if want := w.Now().Add(recheck); !login().Recheck.Equal(want) {
				t.Errorf("the next recheck is at %v, want %v", login().Recheck, want)
			}

			// A silent provider keeps nobody out, and is asked again soon.
			w.After(recheck)
			w.provider.Break()
			_, err = w.ask(t, in, "POST")
			testworld.WantKind(t, err, "")
			if want := w.Now().Add(time.Minute); !login().Recheck.Equal(want) {
				t.Errorf("the next try is at %v, want %v", login().Recheck, want)
			}
			w.provider.Mend()

			before := len(w.Store.Records())
			w.provider.RefuseRefresh(subject)
			_, err = w.ask(t, in, "POST")
			testworld.WantKind(t, err, "") // it is not asked yet
			w.After(time.Minute)
			_, err = w.ask(t, in, "POST")
			testworld.WantKind(t, err, domain.NotAuthenticated)
			if login().ID != "" {
				t.Error("the login goes on")
			}
			testworld.WantActions(t, w.Actions(before), "identity_provider oidc/recheck")
			if rec := w.Store.Records()[before]; rec.Outcome != "not_authenticated" || rec.Object != domain.OnSession(call.Caller.Login.ID) || rec.RequestID == "" {
				t.Errorf("the audit has %+v", rec)
			}
			_, err = w.ask(t, in, "POST")
			testworld.WantKind(t, err, domain.NotAuthenticated)
		})
	}
}

// The rights of the call itself are those after the recheck.
func TestARecheckTakesWhatAGroupGave(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	w.voiceflow.Answer(testworld.Fine)
	w.rule(t, "makers", p, []domain.Scope{domain.ScopeConverse})
	_, by := w.signOn(t, "ben", "makers")
	by.Project = p.ID
	_, err := w.ask(t, turn("x", by), "POST")
	testworld.WantKind(t, err, "")
	w.provider.SetGroups("ben", domain.ListedGroups(nil))
	_, err = w.ask(t, turn("x", by), "POST")
	testworld.WantKind(t, err, "")
	w.After(recheck)
	before := len(w.Store.Records())
	_, err = w.ask(t, turn("x", by), "POST")
	testworld.WantKind(t, err, domain.NotAllowed)
	testworld.WantActions(t, w.Actions(before), "identity_provider revoke_project")
	w.provider.SetGroups("ben", domain.ListedGroups([]string{"makers"}))
	w.After(recheck)
	_, err = w.ask(t, turn("x", by), "POST")
	testworld.WantKind(t, err, "")
}

func TestAnOpenCallEndsAfterTheRecheck(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	w.voiceflow.Stream(true)
	w.rule(t, "makers", p, []domain.Scope{domain.ScopeConverse})
	call, by := w.signOn(t, "ben", "makers")
	ben := turn("x", w.using(t, call, by, p))
	eveCall, by := w.signOn(t, "eve", "makers")
	eve := turn("x", w.using(t, eveCall, by, p))
	_, by = w.signOn(t, "fay", "makers")
	by.Project = p.ID
	fay := turn("x", by)
	w.provider.GiveNoRefresh()
	gusCall, by := w.signOn(t, "gus", "makers")
	gus := turn("x", w.using(t, gusCall, by, p))
	ofBen, ofEve, ofFay, ofGus := w.streamed(t, ben, ""), w.streamed(t, eve, ""), w.streamed(t, fay, ""), w.streamed(t, gus, "")
	w.provider.RefuseRefresh("ben")
	w.provider.SetGroups("fay", domain.ListedGroups(nil))
	w.check(t, recheck-time.Second)
	w.signOns.Wait()
	w.check(t, 0)
	goesOn(t, ofBen, ofEve, ofFay, ofGus)
	w.check(t, time.Second)
	w.signOns.Wait()
	w.check(t, 0)
	testworld.WantKind(t, <-ofBen, domain.NotAuthenticated)
	testworld.WantKind(t, <-ofFay, domain.NotAllowed)
	goesOn(t, ofEve, ofGus)
	w.provider.RefuseRefresh("eve") // no refresh token was given again
	w.check(t, recheck)
	w.signOns.Wait()
	w.check(t, 0)
	testworld.WantKind(t, <-ofEve, domain.NotAuthenticated)
	goesOn(t, ofGus)
}

// Of several callers who find a recheck due at the same instant, one asks.
func TestOneCallRechecks(t *testing.T) {
	w := newWorld(t)
	call, _ := w.signOn(t, "ben")
	w.After(recheck)
	asked := make(chan bool, 20)
	for range cap(asked) {
		go func() {
			done, err := w.signOns.Recheck(t.Context(), call.Caller.Login)
			if err != nil {
				t.Error(err)
			}
			asked <- done
		}()
	}
	times := 0
	for range cap(asked) {
		if <-asked {
			times++
		}
	}
	if times != 1 {
		t.Errorf("the provider was asked %d times", times)
	}
}
