package app_test

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

func TestAForwardedCallHasTheKey(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	came := w.voiceflow.forwardTo(fine)
	_, by := w.talker(t, "ben", p)
	if status, err := w.use(t, turn("ben", by), "POST", `{"action":{"type":"launch"}}`); err != nil || status != 200 {
		t.Fatalf("got status %d and error %v, want 200", status, err)
	}
	got := came()
	if len(got) != 1 || got[0].key != "VF.DM.key" || got[0].body != `{"action":{"type":"launch"}}` || got[0].userID == "ben" || got[0].userID == "" {
		t.Errorf("Voiceflow got %+v, want the turn with the key and an opaque user id", got)
	}
}

func TestWhoMayForwardWhat(t *testing.T) {
	w := newWorld(t)
	p, other := w.project(t, "Bot", versionID), w.project(t, "Other", "6371c9b4e1a5b2c3d4e5f6ab")
	w.voiceflow.forwardTo(fine)
	benCall, ben := w.talker(t, "ben", p)
	_, reader := w.talker(t, "rea", p, "transcripts")
	_, eve := w.talker(t, "eve", other)
	admin := app.Forward{AssistantCookie: w.set(t, w.admin, p)}
	_, admin.UserCookie = w.login(t, "ada", false) // another login than the one that set it
	benToken := w.token(t, benCall, app.CreateAccessToken{Project: string(p.ID)})
	manage := w.token(t, w.admin, app.CreateAccessToken{Scopes: []string{"manage"}})
	adaCall, adaCookie := w.login(t, "ada", false)
	ada := app.Forward{UserCookie: adaCookie, AssistantCookie: w.set(t, adaCall, p)}

	get := func(service, path string, by app.Forward) app.Forward {
		by.Service, by.Path = service, path
		return by
	}
	export := "/v2/versions/" + versionID + "/export"
	transcripts := "/v2/transcripts/" + string(voiceflowID)
	for _, tc := range []struct {
		name   string
		in     app.Forward
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
		{"nobody is told to log in", turn("x", app.Forward{}), "POST", domain.NotAuthenticated},
		{"a login without an assistant is told so", turn("x", app.Forward{UserCookie: ben.UserCookie}), "POST", domain.NoAssistant},
		{"another's assistant cookie is no assistant", turn("x", app.Forward{UserCookie: ben.UserCookie, AssistantCookie: eve.AssistantCookie}), "POST", domain.NotAuthenticated},
		{"the assistant cookie of another login is none", turn("x", admin), "POST", domain.NotAuthenticated},
		{"an altered assistant cookie is none", turn("x", app.Forward{UserCookie: ben.UserCookie, AssistantCookie: ben.AssistantCookie + "A"}), "POST", domain.NotAuthenticated},
		{"an assistant cookie alone is nobody", turn("x", app.Forward{AssistantCookie: ben.AssistantCookie}), "POST", domain.NotAuthenticated},
		{"the login in the place of the assistant is none", turn("x", app.Forward{UserCookie: ben.UserCookie, AssistantCookie: ben.UserCookie}), "POST", domain.NotAuthenticated},
		{"a token that manages opens no assistant", turn("x", manage), "POST", domain.NotAuthenticated},
		{"a token counts even beside good cookies", turn("x", app.Forward{Token: domain.NewSecret("flk_x"), UserCookie: ben.UserCookie, AssistantCookie: ben.AssistantCookie}), "POST", domain.NotAuthenticated},
		{"what is not in the list is not there", get(runtime, "/v1/phone-number/1/outbound", ada), "POST", domain.NotFound},
		{"nor by another method", get(runtime, "/state/user/x/interact", ada), "PATCH", domain.NotFound},
		{"nor for nobody", get("api", "/v2/projects", app.Forward{}), "GET", domain.NotFound},
		{"another project is not there", get("api", "/v2/transcripts/aaaaaaaaaaaaaaaaaaaaaaaa", ada), "GET", domain.NotFound},
		{"nor is another version", get("api", "/v2/versions/aaaaaaaaaaaaaaaaaaaaaaaa/export", ada), "GET", domain.NotFound},
		{"a turn of a v4 session takes a session", get(runtime, "/v4/interact", ada), "POST", domain.NotAuthenticated},
		{"and no access token", get(runtime, "/v4/interact", benToken), "POST", domain.NotAuthenticated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := w.use(t, tc.in, tc.method, "{}")
			wantKind(t, err, tc.kind)
		})
	}
}

// Rights are looked up for each call, so what is taken away is gone with the next one.
func TestWhatIsTakenAwayIsGoneWithTheNextCall(t *testing.T) {
	for _, tc := range []struct {
		name    string
		take    func(t *testing.T, w *world, ben domain.Call, p domain.Project, token string) error
		cookies domain.Kind
		token   domain.Kind
	}{
		{"the grant", func(t *testing.T, w *world, ben domain.Call, p domain.Project, _ string) error {
			return w.RevokeProject(t.Context(), w.admin, string(ben.Caller.ID), string(p.ID))
		}, domain.NotAuthenticated, domain.NotAllowed},
		{"the scope", func(t *testing.T, w *world, ben domain.Call, p domain.Project, _ string) error {
			return w.GrantProject(t.Context(), w.admin, string(ben.Caller.ID), string(p.ID), []string{"analytics"})
		}, domain.NotAllowed, domain.NotAllowed},
		{"the user, who is disabled", func(t *testing.T, w *world, ben domain.Call, _ domain.Project, _ string) error {
			_, err := w.UpdateUser(t.Context(), w.admin, app.UpdateUser{ID: string(ben.Caller.ID), Disabled: new(true)})
			return err
		}, domain.NotAuthenticated, domain.NotAuthenticated},
		{"the user, who is deleted", func(t *testing.T, w *world, ben domain.Call, _ domain.Project, _ string) error {
			return w.DeleteUser(t.Context(), w.admin, string(ben.Caller.ID))
		}, domain.NotAuthenticated, domain.NotAuthenticated},
		{"the project", func(t *testing.T, w *world, _ domain.Call, p domain.Project, _ string) error {
			return w.DeleteProject(t.Context(), w.admin, app.DeleteProject{ID: string(p.ID)})
		}, domain.NotAuthenticated, domain.NotAuthenticated},
		{"the login", func(t *testing.T, w *world, ben domain.Call, _ domain.Project, _ string) error {
			return w.Logout(t.Context(), ben)
		}, domain.NotAuthenticated, ""},
		{"the access token", func(t *testing.T, w *world, ben domain.Call, _ domain.Project, token string) error {
			return w.DeleteAccessToken(t.Context(), ben, token)
		}, "", domain.NotAuthenticated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.project(t, "Bot", versionID)
			w.voiceflow.forwardTo(fine)
			call, cookies := w.talker(t, "ben", p)
			token := w.token(t, call, app.CreateAccessToken{Project: string(p.ID)})
			tokens, err := w.GetAccessTokens(t.Context(), call, domain.Cursor{}, 10)
			if err != nil || len(tokens.Items) != 1 {
				t.Fatalf("got %v and error %v, want one access token", tokens, err)
			}
			if err := tc.take(t, w, call, p, string(tokens.Items[0].ID)); err != nil {
				t.Fatal(err)
			}
			_, err = w.use(t, turn("x", cookies), "POST", "{}")
			wantKind(t, err, tc.cookies)
			_, err = w.use(t, turn("x", token), "POST", "{}")
			wantKind(t, err, tc.token)
		})
	}
}

func TestARejectedKeyIsMarked(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	call, ben := w.talker(t, "ben", p)
	status := func() (domain.KeyStatus, domain.Credits) {
		t.Helper()
		found, err := w.FindProject(t.Context(), w.admin, string(p.ID))
		if err != nil {
			t.Fatal(err)
		}
		return found.Primary.Status, found.Credits
	}
	before := len(w.store.Records())
	w.voiceflow.forwardTo(rejected)
	for range 3 {
		_, err := w.use(t, turn("x", ben), "POST", "{}")
		wantKind(t, err, domain.CredentialsRejected)
	}
	if key, _ := status(); key != domain.KeyRejected {
		t.Errorf("the key is marked %q, want rejected", key)
	}
	wantActions(t, w.actions(before), "user mark_key")
	w.voiceflow.forwardTo(fine)
	if _, err := w.use(t, turn("x", ben), "POST", "{}"); err != nil {
		t.Fatal(err)
	}
	if key, _ := status(); key != domain.KeyOK {
		t.Errorf("the key is marked %q after it was good, want ok", key)
	}

	w.voiceflow.forwardTo(func(f domain.Forward, s sent) (ports.Answer, error) {
		a, err := fine(f, s)
		a.Body = body{a.Body, true}
		return a, err
	})
	if code, err := w.use(t, turn("x", ben), "POST", "{}"); code != 200 || err != nil {
		t.Errorf("used-up credits: got %d and error %v, want them passed on", code, err)
	}
	if _, credits := status(); credits != domain.CreditsUsedUp {
		t.Errorf("the credits are marked %q, want used_up", credits)
	}
	w.voiceflow.forwardTo(fine)
	if _, err := w.use(t, turn("x", ben), "POST", "{}"); err != nil {
		t.Fatal(err)
	}
	if _, credits := status(); credits != domain.CreditsOK {
		t.Errorf("the credits are marked %q after a good turn, want ok", credits)
	}
	wantActions(t, w.actions(before), "user mark_key", "user mark_key", "user mark_credits", "user mark_credits")
	if call.Caller.ID == "" {
		t.Error("nobody called")
	}
}

func TestCallsThatWriteLeaveARow(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	adaCall, adaCookie := w.login(t, "ada", false)
	ada := app.Forward{UserCookie: adaCookie, AssistantCookie: w.set(t, adaCall, p)}
	unanswered := func(domain.Forward, sent) (ports.Answer, error) {
		return ports.Answer{}, &domain.Error{Kind: domain.VoiceflowUnavailable}
	}
	broken := func(domain.Forward, sent) (ports.Answer, error) {
		return ports.Answer{}, &domain.Error{Kind: domain.Invalid}
	}
	for _, tc := range []struct {
		name, method, path, service string
		answer                      func(domain.Forward, sent) (ports.Answer, error)
		outcome                     string
	}{
		{"a transcript that is deleted", "DELETE", "/v1/transcript/aaaaaaaaaaaaaaaaaaaaaaaa", "analytics-api", fine, "ok"},
		{"one that is not there", "DELETE", "/v1/transcript/aaaaaaaaaaaaaaaaaaaaaaaa", "analytics-api",
			func(domain.Forward, sent) (ports.Answer, error) { return says(404, `{}`), nil }, "status_404"},
		{"a state that is set", "PUT", "/state/user/ada/", "", nil, ""},
		{"a state that is deleted", "DELETE", "/state/user/ada", runtime, fine, "ok"},
		{"one whose deletion brought no answer", "DELETE", "/state/user/ada", runtime, unanswered, "unknown"},
		{"one that broke off on its way", "PUT", "/state/user/ada", runtime, broken, "unknown"},
		{"one whose deletion was refused", "DELETE", "/state/user/ada", runtime, rejected, "rejected"},
		{"a turn leaves none", "POST", "/state/user/ada/interact", runtime, fine, ""},
		{"nor does reading", "GET", "/state/user/ada", runtime, fine, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.answer == nil {
				tc.answer = fine
			}
			w.voiceflow.forwardTo(tc.answer)
			before := len(w.store.Records())
			in := ada
			in.Service, in.Path = tc.service, tc.path
			_, _ = w.use(t, in, tc.method, "{}")
			var got []string
			for _, r := range w.store.Records()[before:] {
				if r.Action == domain.ActionForward {
					got = append(got, r.Outcome)
					if !strings.HasPrefix(r.Object, domain.OnProject(p.ID)+" "+tc.method+" ") || strings.Contains(r.Object, "ada") {
						t.Errorf("the row is about %q", r.Object)
					}
				}
			}
			var want []string
			if tc.outcome != "" {
				want = []string{tc.outcome}
			}
			if !slices.Equal(got, want) {
				t.Errorf("got rows with outcomes %v, want %v", got, want)
			}
		})
	}
	w.voiceflow.forwardTo(fine)
	in := ada
	in.Service, in.Path = runtime, "/state/user/ada"
	closed := false
	w.voiceflow.forwardTo(func(domain.Forward, sent) (ports.Answer, error) {
		w.store.Break()
		r := says(200, "{}")
		r.Body = body{ReadCloser: closing{r.Body, &closed}}
		return r, nil
	})
	_, err := w.use(t, in, "DELETE", "")
	wantKind(t, err, domain.Unavailable) // what can't be recorded is not acknowledged
	if !closed {
		t.Error("the answer that was not passed on was not closed")
	}
}

func TestCallsAreCounted(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	call, ben := w.talker(t, "ben", p)
	token := w.token(t, call, app.CreateAccessToken{Project: string(p.ID)})
	w.voiceflow.forwardTo(func(f domain.Forward, s sent) (ports.Answer, error) {
		w.after(20 * time.Millisecond)
		switch s.body {
		case "bad":
			return says(400, `{}`), nil
		case "none":
			return ports.Answer{}, &domain.Error{Kind: domain.VoiceflowUnavailable}
		}
		return fine(f, s)
	})
	for _, body := range []string{"good", "bad", "none", "good"} {
		_, _ = w.use(t, turn("x", ben), "POST", body)
	}
	if _, err := w.use(t, turn("x", token), "POST", "good"); err != nil {
		t.Fatal(err)
	}
	_, _ = w.use(t, turn("x", app.Forward{}), "POST", "refused here, so not a call")

	w.store.Break()
	if err := w.FlushUsage(t.Context()); err == nil {
		t.Error("counts were stored in a broken store")
	}
	w.store.Mend()
	for range 2 {
		if err := w.FlushUsage(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	got, err := w.GetUsage(t.Context(), w.admin, app.GetUsage{}, domain.Cursor{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := w.GetAccessTokens(t.Context(), call, domain.Cursor{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	key := domain.UsageKey{Day: "2030-01-02", Project: p.ID, User: call.Caller.ID, Scope: domain.ScopeConverse}
	ofToken := key
	ofToken.Token = tokens.Items[0].ID
	want := []domain.Usage{{UsageKey: key, Calls: 4, Errors: 2, Milliseconds: 80}, {UsageKey: ofToken, Calls: 1, Milliseconds: 20}}
	if !slices.Equal(got.Items, want) {
		t.Errorf("got %+v, want %+v", got.Items, want)
	}
	if tokens.Items[0].LastUsed.IsZero() {
		t.Error("the access token was used, and does not say so")
	}
}

func TestOpenCallsEndWhenTheirRightGoes(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	call, ben := w.talker(t, "ben", p)
	token := w.token(t, call, app.CreateAccessToken{Project: string(p.ID)})
	_, eve := w.talker(t, "eve", p)
	_, fay := w.talker(t, "fay", p)
	gusCall, gus := w.talker(t, "gus", p)
	w.voiceflow.forwardTo(fine)
	w.voiceflow.slow = true
	open := func(by app.Forward) (ended chan error) {
		t.Helper()
		in := turn("x", by)
		out, err := w.Forward(t.Context(), domain.Call{}, in, request("POST", in.Path, "{}"))
		if err != nil {
			t.Fatal(err)
		}
		ended = make(chan error, 1)
		go func() {
			_, err := io.Copy(io.Discard, out.Response.Body)
			_ = out.Response.Body.Close()
			ended <- err
		}()
		return ended
	}
	byCookie, byToken, ofEve := open(ben), open(token), open(eve)
	ofFay, ofGus := open(fay), open(gus)
	check := func() {
		t.Helper()
		w.after(300 * time.Millisecond)
		if err := w.EndLostUses(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	check()
	for _, c := range []chan error{byCookie, byToken, ofEve, ofFay, ofGus} {
		select {
		case err := <-c:
			t.Fatalf("a call ended while it had its right: %v", err)
		default:
		}
	}
	if err := w.RevokeProject(t.Context(), w.admin, string(call.Caller.ID), string(p.ID)); err != nil {
		t.Fatal(err)
	}
	check()
	wantKind(t, <-byCookie, domain.NotAuthenticated) // its session has ended
	wantKind(t, <-byToken, domain.NotAllowed)        // it opens nothing at present

	claims, _ := w.opened(t, domain.AssistantSession, fay.AssistantCookie)
	wantKind(t, w.DeleteSession(t.Context(), w.admin, string(claims.Session)), "")
	wantKind(t, w.DeleteUserSessions(t.Context(), gusCall, string(gusCall.Caller.ID)), "")
	check()
	wantKind(t, <-ofFay, domain.NotAuthenticated)
	wantKind(t, <-ofGus, domain.NotAuthenticated)

	w.store.Break()
	for range 6 {
		select {
		case err := <-ofEve:
			t.Fatalf("a call ended as soon as the database was away: %v", err)
		default:
		}
		w.after(time.Second)
		_ = w.EndLostUses(t.Context())
	}
	wantKind(t, <-ofEve, domain.Unavailable)
}

// A member must not be able to make a good key look bad.
func TestARefusalThatMayBeOfTheCallMarksNothing(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	w.voiceflow.forwardTo(rejected)
	_, ben := w.talker(t, "ben", p, "converse", "transcripts", "analytics")
	before := len(w.store.Records())
	for _, c := range []struct{ service, method, path string }{
		{"realtime-api", "GET", "/v1/stable/conversation-state/x"}, // that a key opens this is not confirmed
		{"analytics-api", "GET", "/v1/transcript/aaaaaaaaaaaaaaaaaaaaaaaa"},
		{"analytics-api", "POST", "/v1/query/usage"},
	} {
		in := ben
		in.Service, in.Path = c.service, c.path
		_, err := w.use(t, in, c.method, "{}")
		wantKind(t, err, domain.CredentialsRejected)
	}
	wantActions(t, w.actions(before))
}

func TestAWriteThatWasUnderWayWhenItsRightWentLeavesARow(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	call, ben := w.talker(t, "ben", p)
	arrived := make(chan bool)
	w.voiceflow.forwardTo(fine)
	w.voiceflow.hangs = arrived
	before, done := len(w.store.Records()), make(chan error, 1)
	in := ben
	in.Service, in.Path = runtime, "/state/user/ben"
	go func() {
		_, err := w.use(t, in, "DELETE", "")
		done <- err
	}()
	<-arrived
	if err := w.RevokeProject(t.Context(), w.admin, string(call.Caller.ID), string(p.ID)); err != nil {
		t.Fatal(err)
	}
	w.after(time.Second)
	if err := w.EndLostUses(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantKind(t, <-done, domain.NotAuthenticated)
	wantActions(t, w.actions(before), "user revoke_project", "user forward")
}

func TestAnOpenCallKeepsItsSessionInUse(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	_, ben := w.talker(t, "ben", p)
	w.voiceflow.forwardTo(fine)
	w.voiceflow.slow = true
	in := turn("x", ben)
	out, err := w.Forward(t.Context(), domain.Call{}, in, request("POST", in.Path, "{}"))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, out.Response.Body)
		ended <- err
	}()
	for range 10 { // 100 minutes, of a session that lasts 30 without use
		w.after(10 * time.Minute)
		if err := w.EndLostUses(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case err := <-ended:
		t.Fatalf("the stream was ended: %v", err)
	default:
	}
	w.voiceflow.slow = false
	_, err = w.use(t, turn("x", ben), "POST", "{}") // nor is the login over
	wantKind(t, err, "")
	_ = out.Response.Body.Close()
	if err := <-ended; err == nil {
		t.Error("a stream that was closed came to a good end")
	}
}
