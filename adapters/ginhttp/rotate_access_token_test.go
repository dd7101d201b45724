package ginhttp_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

const tokenExpires = "Flowlatch-Token-Expires"

// rotation returns the body of a rotation of the token that w.token made last.
func (w *world) rotation(t *testing.T, more string) string {
	t.Helper()
	all := w.admin.do(t, "GET", "/get_access_tokens", "").want(t, 200, "").body["access_tokens"].([]any)
	return withPassword(`{"token_id":"` + all[len(all)-1].(map[string]any)["Id"].(string) + `"` + more + `}`)
}

// listed returns how the list shows the token that was made last.
func (w *world) listed(t *testing.T) map[string]any {
	t.Helper()
	all := w.admin.do(t, "GET", "/get_access_tokens", "").want(t, 200, "").body["access_tokens"].([]any)
	return all[len(all)-1].(map[string]any)
}

func TestRotateAccessToken(t *testing.T) {
	w, p := talking(t)
	first := w.token(t, w.member, `{"name":"bot","project_id":"`+string(p.ID)+`","expires_in_days":30}`)
	before := w.listed(t)
	if before["Renewed"] != nil || before["PreviousEnds"] != nil {
		t.Errorf("a new token is listed as %v", before)
	}
	w.clock.move(time.Hour)
	w.member, w.admin = w.login(t, "member"), w.login(t, "admin")
	got := w.member.do(t, "POST", "/rotate_access_token", w.rotation(t, `,"overlap_hours":2`)).want(t, 200, "")
	text, _ := got.body["token"].(string)
	if !strings.HasPrefix(text, "flk_") || "Bearer "+text == first.authorization || got.body["Id"] != before["Id"] ||
		got.body["Expires"] != "2026-12-22T07:00:00.123456Z" || got.body["PreviousEnds"] != "2026-11-22T09:00:00.123456Z" {
		t.Errorf("got %s", got.raw)
	}
	second := &browser{w: w, cookies: map[string]string{}, authorization: text}
	after := w.listed(t)
	for member, want := range before {
		switch member {
		case "Prefix":
			want = text[:10]
		case "Expires":
			want = got.body["Expires"]
		case "Renewed":
			want = "2026-11-22T07:00:00.123456Z"
		case "PreviousEnds":
			want = got.body["PreviousEnds"]
		case "Scopes":
			continue
		}
		if after[member] != want {
			t.Errorf("%s: got %v, want %v", member, after[member], want)
		}
	}
	for _, b := range []*browser{first, second} {
		b.do(t, "POST", turn, `{}`).want(t, 200, "")
		b.do(t, "GET", "/check_session", "").want(t, 200, "")
	}
	w.clock.move(2 * time.Hour)
	w.member, w.admin = w.login(t, "member"), w.login(t, "admin")
	if ends := w.listed(t)["PreviousEnds"]; ends != nil {
		t.Errorf("a text that has ended is listed with the end %v", ends)
	}
	first.do(t, "POST", turn, `{}`).want(t, 401, "not_authenticated")
	first.do(t, "GET", "/check_session", "").want(t, 401, "not_authenticated")
	second.do(t, "POST", turn, `{}`).want(t, 200, "")
	if got := w.asked(t, "action=rotate_access_token"); len(got) != 1 || got[0]["Object"] != "token:"+before["Id"].(string) {
		t.Errorf("the audit has %v", got)
	}

	// At once, by an admin, who is shown the text.
	got = w.admin.do(t, "POST", "/rotate_access_token", w.rotation(t, `,"overlap_hours":0`)).want(t, 200, "")
	if got.body["PreviousEnds"] != nil {
		t.Errorf("got %s", got.raw)
	}
	second.do(t, "POST", turn, `{}`).want(t, 401, "not_authenticated")
	third := &browser{w: w, cookies: map[string]string{}, authorization: got.body["token"].(string)}
	third.do(t, "POST", turn, `{}`).want(t, 200, "")
	w.member.do(t, "POST", "/delete_access_token", `{"token_id":"`+before["Id"].(string)+`"}`).want(t, 200, "")
	third.do(t, "POST", turn, `{}`).want(t, 401, "not_authenticated")
}

func TestRotationsThatAreRefused(t *testing.T) {
	w, p := talking(t)
	program := w.token(t, w.member, `{"name":"bot","project_id":"`+string(p.ID)+`","expires_in_days":1}`)
	id := w.listed(t)["Id"].(string)
	own := `{"token_id":"` + id + `"`
	w.createUser(t, "other", "member")
	other := w.login(t, "other")
	for _, tc := range []struct {
		name   string
		b      *browser
		body   string
		status int
		code   string
	}{
		{"too long an overlap", w.member, withPassword(own + `,"overlap_hours":169}`), 400, "invalid_request"},
		{"a negative overlap", w.member, withPassword(own + `,"overlap_hours":-1}`), 400, "invalid_request"},
		{"a part of an hour", w.member, withPassword(own + `,"overlap_hours":1.5}`), 400, "invalid_request"},
		{"an overlap in words", w.member, withPassword(own + `,"overlap_hours":"24"}`), 400, "invalid_request"},
		{"an overlap that fits into no number", w.member, withPassword(own + `,"overlap_hours":1e30}`), 400, "invalid_request"},
		{"no token", w.member, withPassword(`{}`), 400, "invalid_request"},
		{"what is no id", w.member, withPassword(`{"token_id":"x"}`), 400, "invalid_request"},
		{"no password", w.member, own + `}`, 400, "invalid_request"},
		{"a wrong password", w.member, own + `,"password":"wrong wrong"}`, 400, "invalid_request"},
		{"an unknown token", w.admin, withPassword(`{"token_id":"01890000-0000-7000-8000-000000000404"}`), 404, "not_found"},
		{"another's token", other, withPassword(own + `}`), 404, "not_found"},
		{"the token itself", program, withPassword(own + `}`), 401, "not_authenticated"},
		{"nobody", w.nobody, withPassword(own + `}`), 401, "not_authenticated"},
	} {
		if got := tc.b.do(t, "POST", "/rotate_access_token", tc.body); got.status != tc.status || got.code() != tc.code {
			t.Errorf("%s: got %d %s, want %d %s", tc.name, got.status, got.raw, tc.status, tc.code)
		}
	}
	program.do(t, "POST", turn, `{}`).want(t, 200, "")
	w.admin.do(t, "PATCH", "/update_user", `{"user_id":"`+w.userID(t, "member")+`","disabled":true}`).want(t, 200, "")
	w.admin.do(t, "POST", "/rotate_access_token", withPassword(own+`}`)).want(t, 409, "conflict")
	w.admin.do(t, "PATCH", "/update_user", `{"user_id":"`+w.userID(t, "member")+`","disabled":false}`).want(t, 200, "")
	w.clock.move(24 * time.Hour)
	w.login(t, "member").do(t, "POST", "/rotate_access_token", withPassword(own+`}`)).want(t, 409, "conflict")
}

// Whatever Voiceflow answers, the caller is told, and by this service alone.
func TestForwardedAnswersTellTheEndOfTheToken(t *testing.T) {
	w, p := talking(t)
	program := w.token(t, w.member, `{"name":"bot","project_id":"`+string(p.ID)+`","expires_in_days":14}`)
	late := w.token(t, w.member, `{"name":"bot","project_id":"`+string(p.ID)+`","expires_in_days":15}`)
	const end = "2026-12-06T06:00:00.123456Z"
	for name, answer := range map[string]func() (ports.Answer, error){
		"an answer": func() (ports.Answer, error) { return response(200, "application/json", `{}`), nil },
		"a refusal": func() (ports.Answer, error) {
			return response(422, "application/json", `{"message":"no","code":"theirs","request_id":"theirs"}`), nil
		},
		"an empty error":     func() (ports.Answer, error) { return response(503, "", ""), nil },
		"a stream of events": func() (ports.Answer, error) { return response(200, "text/event-stream", "data: {}\n\n"), nil },
		"a rejected key":     func() (ports.Answer, error) { return ports.Answer{}, &domain.Error{Kind: domain.CredentialsRejected} },
	} {
		w.voiceflow.answers(func(context.Context, domain.Forward, *http.Request, domain.Secret) (ports.Answer, error) {
			return answer()
		})
		told := func(b *browser) []string {
			t.Helper()
			r, err := noRedirects.Do(b.request(t, "POST", turn, `{}`))
			if err != nil {
				t.Fatal(err)
			}
			_ = r.Body.Close()
			return r.Header.Values(tokenExpires)
		}
		if got := told(program); len(got) != 1 || got[0] != end {
			t.Errorf("%s: got %q, want %s", name, got, end)
		}
		for what, b := range map[string]*browser{"a token that goes on": late, "a cookie": w.member} {
			if got := told(b); len(got) != 0 {
				t.Errorf("%s for %s: got %q, want none", name, what, got)
			}
		}
	}
	w.voiceflow.answers(func(context.Context, domain.Forward, *http.Request, domain.Secret) (ports.Answer, error) {
		return response(200, "application/json", `{}`), nil
	})
	if got := program.do(t, "GET", "/check_session", "").want(t, 200, "").header.Values(tokenExpires); len(got) != 0 {
		t.Errorf("another route answers with %q", got)
	}
	w.clock.move(14*24*time.Hour - time.Second)
	if got := program.do(t, "POST", turn, `{}`).want(t, 200, "").header.Get(tokenExpires); got != end {
		t.Errorf("got %q at the last moment", got)
	}
	if _, err := time.Parse(time.RFC3339, end); err != nil {
		t.Error(err)
	}
	w.clock.move(time.Second)
	if got := program.do(t, "POST", turn, `{}`).want(t, http.StatusUnauthorized, "not_authenticated").header.Values(tokenExpires); len(got) != 0 {
		t.Errorf("a token that has ended is told %q", got)
	}
}
