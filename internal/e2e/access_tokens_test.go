package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestANewAccessTokenBringsNoNewBudget uses up the rate of a user with a token, deletes it, makes
// another one, and calls with the cookies too.
func TestANewAccessTokenBringsNoNewBudget(t *testing.T) {
	const rate = 5
	a := newAssistant("Pizza Palace")
	v := startVoiceflow(t, a)
	s := serving(t, newMachine(t, v).with("FLOWLATCH_FORWARD_RATE", fmt.Sprint(rate)))
	admin := s.admin()
	id := admin.want(admin.post("/add_project", adding(a)), "200").added(t).ID
	bo := s.user(admin, "bo", id)
	turn := runtimeAt + "/state/user/x/interact"
	through, began := 0, time.Now()
	for range 4 {
		tokenID, text := newToken(bo, body{"name": "x", "project_id": id})
		for _, b := range []*browser{bo.program(text), bo} {
			for range rate + 1 {
				if got := b.post(turn, says("hi")); got.status == 200 {
					through++
				} else {
					b.want(got, "429 too_many_requests")
				}
			}
		}
		bo.want(bo.post("/delete_access_token", body{"token_id": tokenID}), "200")
	}
	// Used calls come back evenly.
	if most := rate + 1 + int(time.Since(began)/(time.Minute/rate)); through < rate || through > most {
		t.Errorf("%d calls went through by four tokens and cookies, want the %d of one user, or %d with those that came back", through, rate, most)
	}

	own := admin.want(admin.post("/create_access_token", body{"name": "back end", "project_id": id, "rate": 1000, "password": adminPassword}), "200")
	program := admin.program(own.member(t, "token"))
	for range 3 * rate {
		program.want(program.post(turn, says("hi")), "200")
	}
}

// TestOpenCallsOfAUserAreBounded holds streams open by cookies and by tokens.
func TestOpenCallsOfAUserAreBounded(t *testing.T) {
	const limit = 3
	a := newAssistant("Pizza Palace")
	v := startVoiceflow(t, a)
	s := serving(t, newMachine(t, v).with("FLOWLATCH_FORWARD_OPEN", fmt.Sprint(limit)))
	admin := s.admin()
	id := admin.want(admin.post("/add_project", adding(a)), "200").added(t).ID
	bo, eve := s.user(admin, "bo", id), s.user(admin, "eve", id)
	_, text := newToken(bo, body{"name": "x", "project_id": id})
	program := bo.program(text)
	own := admin.want(admin.post("/create_access_token", body{"name": "x", "project_id": id, "open": 1, "password": adminPassword}), "200")
	backEnd := admin.program(own.member(t, "token"))
	v.Fail(endless)
	stream, state := runtimeAt+"/v2/project/"+a.ProjectID+"/user/x/interact/stream", runtimeAt+"/state/user/x"
	open := func(b *browser) (end func()) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, "POST", b.url+stream, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		resp, err := b.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil || resp.StatusCode != 200 {
			t.Fatalf("a stream begins with status %d and error %v", resp.StatusCode, err)
		}
		return func() {
			cancel()
			_ = resp.Body.Close()
		}
	}
	ends := []func(){open(bo), open(program), open(program)}
	for _, b := range []*browser{bo, program} {
		b.want(b.get(state), "429 too_many_requests")
	}
	other, ofBackEnd := open(eve), open(backEnd) // each has a budget of their own
	backEnd.want(backEnd.get(state), "429 too_many_requests")
	for _, end := range ends { // the callers leave
		end()
		eventually(t, "an open call has ended", func() bool { return bo.get(state).status != 429 })
	}
	for range 2 * limit { // nothing is left of what ended
		end := open(bo)
		end()
	}
	other()
	ofBackEnd()
}

// TestNineWrongPasswordsAreInTheAudit guesses the password of a login.
func TestNineWrongPasswordsAreInTheAudit(t *testing.T) {
	for _, tc := range []struct {
		path   string
		params body
	}{
		{"/change_password", body{"password": "wrong wrong", "new_password": "another phrase here"}},
		{"/create_access_token", body{"password": "wrong wrong", "name": "x", "scopes": []string{"manage"}}},
		{"/rotate_access_token", body{"password": "wrong wrong", "token_id": "01890000-0000-7000-8000-000000000404"}},
	} {
		t.Run(tc.path, func(t *testing.T) {
			s := serving(t, newMachine(t, startVoiceflow(t)))
			admin := s.admin()
			for range 9 {
				admin.want(admin.post(tc.path, tc.params), "400 invalid_request")
			}
			of := "/get_audit_events?outcome=invalid_request&action=" + tc.path[1:]
			if got := admin.want(admin.get(of), "200"); !strings.Contains(got.text, `"Object":"user:`+userID(t, admin, "ada")+`"`) {
				t.Errorf("the audit has %s, want a row about the user", got.text)
			}
			admin.want(admin.post(tc.path, tc.params), "400 invalid_request")
			admin.want(admin.post(tc.path, tc.params), "429 too_many_requests")
			newBrowser(t, s.url).want(newBrowser(t, s.url).post("/login", body{"username": "ada", "password": adminPassword}), "429 too_many_requests")
		})
	}
}
