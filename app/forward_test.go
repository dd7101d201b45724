package app_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

const runtime = "general-runtime"

// sent is what came to Voiceflow.
type sent struct {
	endpoint string
	path     string
	userID   string // what Voiceflow was told, where the path says it
	body     string
	key      string
}

// forwardTo makes Voiceflow answer forwarded calls by answer, and returns what comes there.
func (v *voiceflow) forwardTo(answer func(f domain.Forward, s sent) (ports.Answer, error)) func() []sent {
	var all []sent
	v.mu.Lock()
	defer v.mu.Unlock()
	v.forward = func(f domain.Forward, r *http.Request, key domain.Secret) (ports.Answer, error) {
		s := sent{endpoint: f.Route.Endpoint.Method + " " + f.Route.Endpoint.Path, key: key.Reveal()}
		bind := f.UserIDs.Bind
		if bind == nil {
			bind = func(own string) (string, error) { return own, nil }
		}
		var err error
		if s.path, err = f.Route.Target(f.Project, bind); err != nil {
			return ports.Answer{}, err
		}
		if rest, found := strings.CutPrefix(s.path, "/state/user/"); found {
			s.userID, _, _ = strings.Cut(rest, "/")
		}
		if r.Body != nil {
			b, err := io.ReadAll(r.Body)
			if err != nil {
				return ports.Answer{}, err
			}
			s.body = string(b)
		}
		v.mu.Lock()
		all = append(all, s)
		v.mu.Unlock()
		a, err := answer(f, s)
		a.Sent = true
		return a, err
	}
	return func() []sent {
		v.mu.Lock()
		defer v.mu.Unlock()
		return slices.Clone(all)
	}
}

// says is an answer with that status and body.
func says(status int, text string) ports.Answer {
	return ports.Answer{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}},
		Body: body{ReadCloser: io.NopCloser(strings.NewReader(text))}, ContentLength: int64(len(text)),
	}
}

// body is the body of an answer.
type body struct {
	io.ReadCloser

	usedUp bool
}

func (b body) CreditsUsedUp() bool { return b.usedUp }

// starts is the answer to a call that starts a session.
func starts(f domain.Forward, key string) ports.Answer {
	a := says(200, f.Handle)
	a.Started = ports.Started{UserID: "bound", Key: domain.NewSecret(key)}
	return a
}

func fine(domain.Forward, sent) (ports.Answer, error) { return says(200, `[]`), nil }

func rejected(domain.Forward, sent) (ports.Answer, error) {
	return ports.Answer{}, &domain.Error{Kind: domain.CredentialsRejected}
}

func request(method, path, body string) *http.Request {
	return &http.Request{Method: method, URL: &url.URL{Path: path}, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

// use forwards a call and reads the answer to its end.
func (w *world) use(t interface{ Context() context.Context }, in app.Forward, method, body string) (int, error) {
	out, err := w.Forward(t.Context(), app.Call{RequestID: "request", Address: "192.0.2.1"}, in, request(method, in.Path, body))
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, out.Response.Body)
	return out.Response.StatusCode, errors.Join(err, out.Response.Body.Close())
}

// turn is a turn of the user id by these credentials.
func turn(userID string, by app.Forward) app.Forward {
	by.Service, by.Path = runtime, "/state/user/"+userID+"/interact"
	return by
}

// talker is a member who may use p within the scopes, with cookies.
func (w *world) talker(t *testing.T, name string, p domain.Project, scopes ...string) (app.Call, app.Forward) {
	t.Helper()
	id := w.user(t, w.admin, name, "member")
	if err := w.GrantProject(t.Context(), w.admin, string(id), string(p.ID), scopes); err != nil {
		t.Fatal(err)
	}
	call, cookie := w.login(t, name, false)
	return call, app.Forward{UserCookie: cookie, AssistantCookie: w.set(t, call, p)}
}

// token makes an access token.
func (w *world) token(t *testing.T, call app.Call, in app.CreateAccessToken) app.Forward {
	t.Helper()
	if in.Name == "" {
		in.Name = "a program"
	}
	made, err := w.CreateAccessToken(t.Context(), call, in)
	if err != nil {
		t.Fatal(err)
	}
	return app.Forward{Token: made.Text}
}

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
		take    func(t *testing.T, w *world, ben app.Call, p domain.Project, token string) error
		cookies domain.Kind
		token   domain.Kind
	}{
		{"the grant", func(t *testing.T, w *world, ben app.Call, p domain.Project, _ string) error {
			return w.RevokeProject(t.Context(), w.admin, string(ben.Caller.ID), string(p.ID))
		}, domain.NotAuthenticated, domain.NotAllowed},
		{"the scope", func(t *testing.T, w *world, ben app.Call, p domain.Project, _ string) error {
			return w.GrantProject(t.Context(), w.admin, string(ben.Caller.ID), string(p.ID), []string{"analytics"})
		}, domain.NotAllowed, domain.NotAllowed},
		{"the user, who is disabled", func(t *testing.T, w *world, ben app.Call, _ domain.Project, _ string) error {
			_, err := w.UpdateUser(t.Context(), w.admin, app.UpdateUser{ID: string(ben.Caller.ID), Disabled: new(true)})
			return err
		}, domain.NotAuthenticated, domain.NotAuthenticated},
		{"the user, who is deleted", func(t *testing.T, w *world, ben app.Call, _ domain.Project, _ string) error {
			return w.DeleteUser(t.Context(), w.admin, string(ben.Caller.ID))
		}, domain.NotAuthenticated, domain.NotAuthenticated},
		{"the project", func(t *testing.T, w *world, _ app.Call, p domain.Project, _ string) error {
			return w.DeleteProject(t.Context(), w.admin, app.DeleteProject{ID: string(p.ID)})
		}, domain.NotAuthenticated, domain.NotAuthenticated},
		{"the login", func(t *testing.T, w *world, ben app.Call, _ domain.Project, _ string) error {
			return w.Logout(t.Context(), ben)
		}, domain.NotAuthenticated, ""},
		{"the access token", func(t *testing.T, w *world, ben app.Call, _ domain.Project, token string) error {
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

// TestNobodyReachesTheConversationOfAnother says any user ids as two users of one project,
// with cookies and access tokens, and looks at what Voiceflow gets.
func TestNobodyReachesTheConversationOfAnother(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	came := w.voiceflow.forwardTo(fine)
	benCall, ben := w.talker(t, "ben", p)
	_, eve := w.talker(t, "eve", p)
	callers := []app.Forward{
		ben, eve,
		w.token(t, benCall, app.CreateAccessToken{Project: string(p.ID)}),
		w.token(t, benCall, app.CreateAccessToken{Project: string(p.ID)}),
	}
	owner := map[string]string{} // of each of Voiceflow's user ids: who sent what
	var learned []string
	rapid.Check(t, func(t *rapid.T) {
		who := rapid.IntRange(0, len(callers)-1).Draw(t, "who")
		own := rapid.OneOf(
			rapid.StringMatching(`[a-z0-9@._-]{1,100}`), rapid.SampledFrom([]string{"a", "b", "user", strings.Repeat("x", 200)}),
			rapid.SampledFrom(append(learned, "first")), // what one caller saw, another may send
		).Draw(t, "own")
		if own == "." || own == ".." {
			return
		}
		if _, err := w.use(t, turn(own, callers[who]), "POST", "{}"); err != nil {
			t.Fatal(err)
		}
		all := came()
		bound := all[len(all)-1].userID
		if len(bound) > 128 || bound == own {
			t.Fatalf("Voiceflow got the user id %q for %q", bound, own)
		}
		is := fmt.Sprint(who, " ", own)
		if was, there := owner[bound]; there && was != is {
			t.Fatalf("%s and %s are one user at Voiceflow", was, is)
		}
		owner[bound] = is
		if len(learned) < 50 {
			learned = append(learned, bound)
		}
	})
}

func TestUserIDsComeBackAsTheCallersOwn(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	_, ben := w.talker(t, "ben", p)
	_, eve := w.talker(t, "eve", p)
	long := strings.Repeat("long", 50)
	asked := "ben@example.com"
	var ofBen []string
	w.voiceflow.forwardTo(func(f domain.Forward, s sent) (ports.Answer, error) {
		// The own id behind a long one is known only to the client that has bound it.
		own, ours := f.UserIDs.Own(s.userID)
		if bound, err := f.UserIDs.Bind(asked); err != nil || bound != s.userID || own == s.userID || ours != (asked != long) || ours && own != asked {
			t.Errorf("the id that was just sent comes back as %q, %v, and %q is bound as %q (%v), want %q", own, ours, asked, bound, err, s.userID)
		}
		for _, bound := range ofBen {
			if own, ours := f.UserIDs.Own(bound); ours {
				t.Errorf("the id of another comes back as %q", own)
			}
		}
		if len(ofBen) < 2 {
			ofBen = append(ofBen, s.userID)
		}
		return fine(f, s)
	})
	for _, c := range []struct {
		own string
		by  app.Forward
	}{{"ben@example.com", ben}} {
		if _, err := w.use(t, turn(c.own, c.by), "POST", "{}"); err != nil {
			t.Fatal(err)
		}
	}
	first := ofBen
	ofBen = nil
	asked = long
	if _, err := w.use(t, turn(long, ben), "POST", "{}"); err != nil {
		t.Fatal(err)
	}
	asked = "ben@example.com"
	ofBen = append(first, ofBen...)
	if _, err := w.use(t, turn("ben@example.com", eve), "POST", "{}"); err != nil {
		t.Fatal(err)
	}
}

func TestOwnUserIDsGoAsTheyAre(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	came := w.voiceflow.forwardTo(fine)
	backEnd := w.token(t, w.admin, app.CreateAccessToken{Project: string(p.ID), UserIDs: "own"})
	if _, err := w.use(t, turn("customer-7", backEnd), "POST", "{}"); err != nil {
		t.Fatal(err)
	}
	if got := came(); got[0].userID != "customer-7" {
		t.Errorf("Voiceflow got %q, want the id as it is", got[0].userID)
	}
	_, ben := w.talker(t, "ben", p)
	if _, err := w.use(t, turn("ben", ben), "POST", "{}"); err != nil {
		t.Fatal(err)
	}
	all := came()
	_, err := w.use(t, turn(all[len(all)-1].userID, backEnd), "POST", "{}")
	wantKind(t, err, domain.NotFound) // Ben's conversation
	if got := came(); len(got) != len(all) {
		t.Error("a turn in another's conversation went to Voiceflow")
	}
	w.user(t, w.admin, "bob", "admin")
	if _, err := w.UpdateUser(t.Context(), w.admin, app.UpdateUser{ID: string(w.admin.Caller.ID), Role: new("member")}); err != nil {
		t.Fatal(err)
	}
	_, err = w.use(t, turn("customer-7", backEnd), "POST", "{}")
	wantKind(t, err, domain.NotAllowed) // whoever made it is no admin any more
}

func TestUserIDsStayTheSameOnAnotherInstance(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	came := w.voiceflow.forwardTo(fine)
	_, ben := w.talker(t, "ben", p)
	if _, err := w.use(t, turn("x", ben), "POST", "{}"); err != nil {
		t.Fatal(err)
	}
	w.Service = w.open(t, w.ports())
	if _, err := w.use(t, turn("x", ben), "POST", "{}"); err != nil {
		t.Fatal(err)
	}
	if got := came(); got[0].userID != got[1].userID {
		t.Errorf("Voiceflow got %q, and after a restart %q", got[0].userID, got[1].userID)
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
		return found.KeyStatus, found.Credits
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

type closing struct {
	io.ReadCloser
	closed *bool
}

func (c closing) Close() error {
	*c.closed = true
	return c.ReadCloser.Close()
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

// slow is an answer that goes on until the call is ended.
func slow(ctx context.Context) ports.Answer {
	r, w := io.Pipe()
	context.AfterFunc(ctx, func() { _ = w.CloseWithError(context.Cause(ctx)) })
	return ports.Answer{Sent: true, StatusCode: 200, Header: http.Header{}, Body: body{ReadCloser: r}, ContentLength: -1}
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
		out, err := w.Forward(t.Context(), app.Call{}, in, request("POST", in.Path, "{}"))
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

func TestASessionThatCanNotBeKeptIsNotAcknowledged(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	_, ben := w.talker(t, "ben", p)
	closed := false
	w.voiceflow.forwardTo(func(f domain.Forward, _ sent) (ports.Answer, error) {
		w.store.Break()
		a := starts(f, "session-key")
		a.Body = body{ReadCloser: closing{a.Body, &closed}}
		return a, nil
	})
	in := ben
	in.Service, in.Path = runtime, "/v4/project/"+string(voiceflowID)+"/session"
	_, err := w.use(t, in, "POST", `{"userID":"ben"}`)
	wantKind(t, err, domain.Unavailable)
	if !closed {
		t.Error("the answer that was not passed on was not closed")
	}
}

func TestV4Sessions(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	call, ben := w.talker(t, "ben", p)
	keys, good := 0, map[string]bool{}
	came := w.voiceflow.forwardTo(func(f domain.Forward, s sent) (ports.Answer, error) {
		if f.Route.Endpoint.Starts {
			keys++
			key := fmt.Sprint("session-key-", keys)
			good[key] = true
			return starts(f, key), nil
		}
		if !good[s.key] {
			return rejected(f, s)
		}
		return fine(f, s)
	})
	alone := w.openSession(t, ben)
	talk := func(s *app.Service, body string) error {
		out, err := s.Forward(t.Context(), app.Call{}, alone, request("POST", alone.Path, body))
		if err != nil {
			return err
		}
		return out.Response.Body.Close()
	}
	wantKind(t, talk(w.Service, "one"), "")
	wantKind(t, talk(w.open(t, w.ports()), "on another instance"), "")

	good = map[string]bool{}
	wantKind(t, talk(w.Service, "two"), "")
	all := came()
	last := all[len(all)-3:]
	if last[0].key != "session-key-1" || last[0].body != "two" || !strings.Contains(last[1].body, `"bound"`) || last[1].key != "VF.DM.key" ||
		last[2].key != "session-key-2" || last[2].body != "two" {
		t.Errorf("after the session key was stale Voiceflow got %+v, want the turn, a new session for the same user, and the turn again", last)
	}
	wantKind(t, talk(w.Service, "three"), "")
	if got := came(); len(got) != len(all)+1 {
		t.Errorf("the turn after that took %d calls, want 1", len(got)-len(all))
	}
	good = map[string]bool{}
	wantKind(t, talk(w.Service, strings.Repeat("x", 1<<20+1)), domain.VoiceflowUnavailable) // too long to be kept
	wantKind(t, talk(w.Service, strings.Repeat("x", 1<<20+1)), "")

	handle := alone.Handle
	alone.Handle = handle + "A"
	wantKind(t, talk(w.Service, ""), domain.NotAuthenticated)
	alone.Handle = ben.UserCookie
	wantKind(t, talk(w.Service, ""), domain.NotAuthenticated)
	alone.Handle = handle
	if err := w.ClearProject(t.Context(), call, ben.AssistantCookie); err != nil {
		t.Fatal(err)
	}
	wantKind(t, talk(w.Service, "after the end"), domain.NotAuthenticated)
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
	out, err := w.Forward(t.Context(), app.Call{}, in, request("POST", in.Path, "{}"))
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

func TestNobodyHasAccessTokensWithoutNumber(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	call, _ := w.talker(t, "ben", p)
	in := app.CreateAccessToken{Name: "x", Project: string(p.ID)}
	for range domain.MaxTokens {
		w.token(t, call, in)
	}
	_, err := w.CreateAccessToken(t.Context(), call, in)
	wantKind(t, err, domain.Conflict)
	w.token(t, w.admin, in)
}

func TestAccessTokensThatAreRefused(t *testing.T) {
	w := newWorld(t)
	p, other := w.project(t, "Bot", versionID), w.project(t, "Other", "6371c9b4e1a5b2c3d4e5f6ab")
	ben, _ := w.talker(t, "ben", p, "converse", "analytics")
	project := string(p.ID)
	for _, tc := range []struct {
		name string
		call app.Call
		in   app.CreateAccessToken
		kind domain.Kind
	}{
		{"a member may have what is granted", ben, app.CreateAccessToken{Name: "x", Project: project, Scopes: []string{"analytics", "converse"}}, ""},
		{"and not more", ben, app.CreateAccessToken{Name: "x", Project: project, Scopes: []string{"export"}}, domain.NotAllowed},
		{"a member may not manage", ben, app.CreateAccessToken{Name: "x", Scopes: []string{"manage"}}, domain.NotAllowed},
		{"nor have own user ids", ben, app.CreateAccessToken{Name: "x", Project: project, UserIDs: "own"}, domain.NotAllowed},
		{"nor a project that is not granted", ben, app.CreateAccessToken{Name: "x", Project: string(other.ID)}, domain.NotAllowed},
		{"nor one that is not there, which is the same", ben, app.CreateAccessToken{Name: "x", Project: "01890000-0000-7000-8000-000000000404"}, domain.NotAllowed},
		{"an admin is told that it is not there", w.admin, app.CreateAccessToken{Name: "x", Project: "01890000-0000-7000-8000-000000000404"}, domain.NotFound},
		{"an admin may manage", w.admin, app.CreateAccessToken{Name: "x", Scopes: []string{"manage"}}, ""},
		{"but not with a project", w.admin, app.CreateAccessToken{Name: "x", Project: project, Scopes: []string{"manage"}}, domain.Invalid},
		{"a token without a project manages", w.admin, app.CreateAccessToken{Name: "x"}, domain.Invalid},
		{"no days are none", w.admin, app.CreateAccessToken{Name: "x", Project: project, Days: new(0)}, domain.Invalid},
		{"366 days are too many", w.admin, app.CreateAccessToken{Name: "x", Project: project, Days: new(366)}, domain.Invalid},
		{"no scopes are none", w.admin, app.CreateAccessToken{Name: "x", Project: project, Scopes: []string{}}, domain.Invalid},
		{"a token has a name", w.admin, app.CreateAccessToken{Project: project}, domain.Invalid},
		{"a token makes no token", app.Call{Caller: domain.Caller{ID: w.admin.Caller.ID, Admin: true, Token: "t", Scopes: domain.ScopesOf(domain.ScopeManage)}},
			app.CreateAccessToken{Name: "x", Project: project}, domain.NotAuthenticated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			made, err := w.CreateAccessToken(t.Context(), tc.call, tc.in)
			wantKind(t, err, tc.kind)
			if (err == nil) == made.Text.IsZero() {
				t.Errorf("got a token: %v, with error %v", !made.Text.IsZero(), err)
			}
		})
	}
}

func TestAccessTokensEnd(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	w.voiceflow.forwardTo(fine)
	_, ben := w.talker(t, "ben", p)
	call := w.call(t, ben.UserCookie)
	token := w.token(t, call, app.CreateAccessToken{Project: string(p.ID), Days: new(1)})
	w.after(24*time.Hour - time.Second)
	_, err := w.use(t, turn("x", token), "POST", "{}")
	wantKind(t, err, "")
	c, err := w.IdentifyToken(t.Context(), token.Token)
	if err != nil || c.ID != call.Caller.ID || c.Only != p.ID || c.MayManage() == nil {
		t.Errorf("got the caller %+v and error %v", c, err)
	}
	w.after(time.Second)
	_, err = w.use(t, turn("x", token), "POST", "{}")
	wantKind(t, err, domain.NotAuthenticated)
	_, err = w.IdentifyToken(t.Context(), token.Token)
	wantKind(t, err, domain.NotAuthenticated)
}
