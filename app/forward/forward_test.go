package forward_test

import (
	"slices"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/app/forward"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
	"github.com/flowlatch/flowlatch/ports"
)

func TestAForwardedCallHasTheKey(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	came := w.voiceflow.Answer(testworld.Fine)
	_, by := w.talker(t, "ben", p)
	if status, err := w.use(t, turn("ben", by), "POST", `{"action":{"type":"launch"}}`); err != nil || status != 200 {
		t.Fatalf("got status %d and error %v, want 200", status, err)
	}
	got := came()
	if len(got) != 1 || got[0].Key != "VF.DM.key" || got[0].Body != `{"action":{"type":"launch"}}` || got[0].UserID == "ben" || got[0].UserID == "" {
		t.Errorf("Voiceflow got %+v, want the turn with the key and an opaque user id", got)
	}
}

func TestWhoMayForwardWhat(t *testing.T) {
	w := newWorld(t)
	p, other := w.Project(t, "Bot"), w.Project(t, "Other")
	w.voiceflow.Answer(testworld.Fine)
	benCall, ben := w.talker(t, "ben", p)
	_, reader := w.talker(t, "rea", p, "transcripts")
	_, eve := w.talker(t, "eve", other)
	_, admin := w.login(t, w.Admin.Caller.ID, domain.RoleAdmin)
	admin.AssistantCookie = w.set(t, w.Admin, p) // by another login
	_, benToken := w.token(t, benCall, p, "")
	_, manage := w.token(t, w.Admin, domain.Project{}, "")
	ada := w.adas(t, p)

	get := func(service, path string, by forward.Input) forward.Input {
		by.Service, by.Path = service, path
		return by
	}
	export := "/v2/versions/" + p.Version + "/export"
	transcripts := "/v2/transcripts/" + string(p.Voiceflow)
	for _, tc := range []struct {
		name   string
		in     forward.Input
		method string
		kind   domain.Kind
	}{
		{"a member talks with what is granted", turn("x", ben), "POST", ""},
		{"an access token talks", turn("x", benToken), "POST", ""},
		{"an admin talks", turn("x", ada), "POST", ""},
		{"an admin exports", get("api", export, ada), "GET", ""},
		{"a grant without the scope does not talk", turn("x", reader), "POST", domain.NotAllowed},
		{"a grant with the scope reads transcripts", get("api", transcripts, reader), "GET", ""},
		{"a grant without the scope does not read transcripts", get("api", transcripts, ben), "GET", domain.NotAllowed},
		{"a member does not export", get("api", export, ben), "GET", domain.NotAllowed},
		{"nobody is told to log in", turn("x", forward.Input{}), "POST", domain.NotAuthenticated},
		{"a login without an assistant is told so", turn("x", forward.Input{UserCookie: ben.UserCookie}), "POST", domain.NoAssistant},
		{"another's assistant cookie is no assistant", turn("x", forward.Input{UserCookie: ben.UserCookie, AssistantCookie: eve.AssistantCookie}), "POST", domain.NotAuthenticated},
		{"the assistant cookie of another login does not count", turn("x", admin), "POST", domain.NotAuthenticated},
		{"an altered assistant cookie does not count", turn("x", forward.Input{UserCookie: ben.UserCookie, AssistantCookie: ben.AssistantCookie + "A"}), "POST", domain.NotAuthenticated},
		{"an assistant cookie alone is nobody", turn("x", forward.Input{AssistantCookie: ben.AssistantCookie}), "POST", domain.NotAuthenticated},
		{"the login in place of the assistant does not count", turn("x", forward.Input{UserCookie: ben.UserCookie, AssistantCookie: ben.UserCookie}), "POST", domain.NotAuthenticated},
		{"a token that manages opens no assistant", turn("x", manage), "POST", domain.NotAuthenticated},
		{"a token counts even beside good cookies", turn("x", forward.Input{Token: domain.NewSecret("flk_x"), UserCookie: ben.UserCookie, AssistantCookie: ben.AssistantCookie}), "POST", domain.NotAuthenticated},
		{"what is not in the list is not there", get(runtime, "/v1/phone-number/1/outbound", ada), "POST", domain.NotFound},
		{"nor by another method", get(runtime, "/state/user/x/interact", ada), "PATCH", domain.NotFound},
		{"nor for nobody", get("api", "/v2/projects", forward.Input{}), "GET", domain.NotFound},
		{"another project is not there", get("api", "/v2/transcripts/aaaaaaaaaaaaaaaaaaaaaaaa", ada), "GET", domain.NotFound},
		{"another version is not allowed", get("api", "/v2/versions/aaaaaaaaaaaaaaaaaaaaaaaa/export", ada), "GET", domain.EnvironmentNotAllowed},
		{"a turn of a v4 session takes a session", get(runtime, "/v4/interact", ada), "POST", domain.NotAuthenticated},
		{"and no access token", get(runtime, "/v4/interact", benToken), "POST", domain.NotAuthenticated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := w.use(t, tc.in, tc.method, "{}")
			testworld.WantKind(t, err, tc.kind)
		})
	}
}

// Rights are looked up for each call, so what is taken away is gone with the next one.
func TestWhatIsTakenAwayIsGoneWithTheNextCall(t *testing.T) {
	for _, tc := range []struct {
		name    string
		take    func(t *testing.T, w *world, ben domain.Call, p domain.Project, token domain.TokenID)
		cookies domain.Kind
		token   domain.Kind
	}{
		{"the grant", func(t *testing.T, w *world, ben domain.Call, p domain.Project, _ domain.TokenID) {
			w.revoke(t, ben.Caller.ID, p)
		}, domain.NotAuthenticated, domain.NotAllowed},
		{"the scope", func(t *testing.T, w *world, ben domain.Call, p domain.Project, _ domain.TokenID) {
			w.grant(t, ben.Caller.ID, p, "analytics")
		}, domain.NotAllowed, domain.NotAllowed},
		{"the user, who is disabled", func(t *testing.T, w *world, ben domain.Call, _ domain.Project, _ domain.TokenID) {
			w.update(t, ben.Caller.ID, func(u *domain.User, otherAdmin bool) error { return u.SetDisabled(true, otherAdmin) })
		}, domain.NotAuthenticated, domain.NotAuthenticated},
		{"the user, who is deleted", func(t *testing.T, w *world, ben domain.Call, _ domain.Project, _ domain.TokenID) {
			allow := func(*domain.User, bool) error { return nil }
			must(t, w.Store.Ports().Users.Remove(t.Context(), w.act(domain.ActionDeleteUser), ben.Caller.ID, allow))
		}, domain.NotAuthenticated, domain.NotAuthenticated},
		{"the project", func(t *testing.T, w *world, _ domain.Call, p domain.Project, _ domain.TokenID) {
			must(t, w.Store.Ports().Projects.Remove(t.Context(), w.act(domain.ActionDeleteProject), p.ID))
		}, domain.NotAuthenticated, domain.NotAuthenticated},
		{"the login", func(t *testing.T, w *world, ben domain.Call, _ domain.Project, _ domain.TokenID) {
			w.end(t, domain.OneSession(ben.Caller.Login.ID))
		}, domain.NotAuthenticated, ""},
		{"the access token", func(t *testing.T, w *world, _ domain.Call, _ domain.Project, token domain.TokenID) {
			must(t, w.Store.Ports().Tokens.Remove(t.Context(), w.act(domain.ActionDeleteAccessToken), token))
		}, "", domain.NotAuthenticated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.Project(t, "Bot")
			w.voiceflow.Answer(testworld.Fine)
			call, cookies := w.talker(t, "ben", p)
			id, token := w.token(t, call, p, "")
			tc.take(t, w, call, p, id)
			_, err := w.use(t, turn("x", cookies), "POST", "{}")
			testworld.WantKind(t, err, tc.cookies)
			_, err = w.use(t, turn("x", token), "POST", "{}")
			testworld.WantKind(t, err, tc.token)
		})
	}
}

func TestARejectedKeyIsMarked(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	call, ben := w.talker(t, "ben", p)
	status := func() (domain.KeyStatus, domain.Credits) {
		t.Helper()
		is := w.Stored(t, p)
		return is.Primary.Status, is.Credits
	}
	before := len(w.Store.Records())
	w.voiceflow.Answer(testworld.Rejected)
	for range 3 {
		_, err := w.use(t, turn("x", ben), "POST", "{}")
		testworld.WantKind(t, err, domain.CredentialsRejected)
	}
	if key, _ := status(); key != domain.KeyRejected {
		t.Errorf("the key is marked %q, want rejected", key)
	}
	testworld.WantActions(t, w.Actions(before), "user mark_key")
	w.voiceflow.Answer(testworld.Fine)
	if _, err := w.use(t, turn("x", ben), "POST", "{}"); err != nil {
		t.Fatal(err)
	}
	if key, _ := status(); key != domain.KeyOK {
		t.Errorf("the key is marked %q after it was good, want ok", key)
	}

	w.voiceflow.Answer(func(f domain.Forward, s testworld.Sent) (ports.Answer, error) {
		a, err := testworld.Fine(f, s)
		a.Body = testworld.Body{ReadCloser: a.Body, UsedUp: true}
		return a, err
	})
	if code, err := w.use(t, turn("x", ben), "POST", "{}"); code != 200 || err != nil {
		t.Errorf("used-up credits: got %d and error %v, want them passed on", code, err)
	}
	if _, credits := status(); credits != domain.CreditsUsedUp {
		t.Errorf("the credits are marked %q, want used_up", credits)
	}
	w.voiceflow.Answer(testworld.Fine)
	read := ben
	read.Service, read.Path = runtime, "/state/user/x"
	if _, err := w.use(t, read, "GET", ""); err != nil {
		t.Fatal(err)
	}
	if _, credits := status(); credits != domain.CreditsUsedUp {
		t.Errorf("the credits are marked %q after a state was read, which costs none; want used_up", credits)
	}
	if _, err := w.use(t, turn("x", ben), "POST", "{}"); err != nil {
		t.Fatal(err)
	}
	if _, credits := status(); credits != domain.CreditsOK {
		t.Errorf("the credits are marked %q after a good turn, want ok", credits)
	}
	testworld.WantActions(t, w.Actions(before), "user mark_key", "user mark_key", "user mark_credits", "user mark_credits")
	if call.Caller.ID == "" {
		t.Error("nobody called")
	}
}

// adas are the cookies of the admin, who has set p.
func (w *world) adas(t *testing.T, p domain.Project) forward.Input {
	t.Helper()
	call, by := w.login(t, w.Admin.Caller.ID, domain.RoleAdmin)
	by.AssistantCookie = w.set(t, call, p)
	return by
}

func TestCallsAreCounted(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	call, ben := w.talker(t, "ben", p)
	id, token := w.token(t, call, p, "")
	w.voiceflow.Answer(func(f domain.Forward, s testworld.Sent) (ports.Answer, error) {
		w.After(20 * time.Millisecond)
		switch s.Body {
		case "bad":
			return testworld.Says(400, `{}`), nil
		case "none":
			return ports.Answer{}, &domain.Error{Kind: domain.VoiceflowUnavailable}
		}
		return testworld.Fine(f, s)
	})
	for _, body := range []string{"good", "bad", "none", "good"} {
		_, _ = w.use(t, turn("x", ben), "POST", body)
	}
	if _, err := w.use(t, turn("x", token), "POST", "good"); err != nil {
		t.Fatal(err)
	}
	_, _ = w.use(t, turn("x", forward.Input{}), "POST", "refused here, so not a call")

	w.Store.Break()
	if err := w.FlushUsage(t.Context()); err == nil {
		t.Error("counts were stored in a broken store")
	}
	w.Store.Mend()
	for range 2 {
		if err := w.FlushUsage(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	query, err := domain.NewUsageQuery("", "", "", w.Now())
	must(t, err)
	got, err := w.Store.Ports().Usage.Report(t.Context(), query, nil, 10)
	must(t, err)
	tokens, err := w.Store.Ports().Tokens.Page(t.Context(), call.Caller.ID, domain.Cursor{}, 10)
	must(t, err)
	key := domain.UsageKey{Day: "2030-01-02", Project: p.ID, User: call.Caller.ID, Scope: domain.ScopeConverse}
	ofToken := key
	ofToken.Token = id
	want := []domain.Usage{{UsageKey: key, Calls: 4, Errors: 2, Milliseconds: 80}, {UsageKey: ofToken, Calls: 1, Milliseconds: 20}}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if len(tokens) != 1 || tokens[0].LastUsed.IsZero() {
		t.Errorf("got %+v, want one access token that says when it was used", tokens)
	}
}

// A member must not be able to make a good key look bad.
func TestARefusalThatMayBeOfTheCallMarksNothing(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	w.voiceflow.Answer(testworld.Rejected)
	w.publish(p)
	_, ben := w.talker(t, "ben", p, "converse", "transcripts", "analytics")
	before := len(w.Store.Records())
	for _, c := range []struct{ service, method, path string }{
		{"realtime-api", "GET", "/v1/stable/conversation-state/x"}, // that a key opens this is not confirmed
		{"analytics-api", "GET", "/v1/transcript/aaaaaaaaaaaaaaaaaaaaaaaa"},
		{"analytics-api", "POST", "/v1/query/usage"},
	} {
		in := ben
		in.Service, in.Path = c.service, c.path
		_, err := w.use(t, in, c.method, "{}")
		testworld.WantKind(t, err, domain.CredentialsRejected)
	}
	testworld.WantActions(t, w.Actions(before))
}

// What a turn may have in its body depends on what its caller may do at that moment.
func TestACallCarriesTheScopesOfItsCaller(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	call, ben := w.talker(t, "ben", p, "converse", "state", "debug", "export")
	_, eve := w.talker(t, "eve", p)
	_, program := w.token(t, call, p, "") // it has the default scopes
	admin, adas := w.login(t, w.User(t, "ada2", domain.RoleAdmin), domain.RoleAdmin)
	adas.AssistantCookie = w.set(t, admin, p)
	var got domain.Scopes
	w.voiceflow.Answer(func(f domain.Forward, s testworld.Sent) (ports.Answer, error) {
		got = f.Scopes
		if f.Route.Endpoint.Starts {
			return testworld.Starts(f, "session-key"), nil
		}
		return testworld.Fine(f, s)
	})
	for _, tc := range []struct {
		who  string
		in   forward.Input
		want domain.Scopes
	}{
		{"a member with scopes", turn("x", ben), domain.ScopesOf("converse", "state", "debug", "export")},
		{"a member with the default scopes", turn("x", eve), domain.DefaultScopes()},
		{"an access token", turn("x", program), domain.DefaultScopes()},
		{"an admin", turn("x", adas), domain.AllScopes()},
		{"a v4 session", w.openSession(t, p, ben), domain.ScopesOf("converse", "state", "debug", "export")},
	} {
		if _, err := w.use(t, tc.in, "POST", "{}"); err != nil || got != tc.want {
			t.Errorf("%s: got %v, %v, want %v", tc.who, got.List(), err, tc.want.List())
		}
	}
	session := w.openSession(t, p, ben)
	w.grant(t, call.Caller.ID, p, "converse")
	if _, err := w.use(t, session, "POST", "{}"); err != nil || got != domain.DefaultScopes() {
		t.Errorf("a v4 session whose grant was changed: got %v, %v, want converse", got.List(), err)
	}
}
