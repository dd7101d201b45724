package ginhttp_test

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAccessTokenRoutes(t *testing.T) {
	w, p := talking(t)
	made := w.member.do(t, "POST", "/create_access_token", withPassword(`{"name":" nightly ","project_id":"`+string(p.ID)+`","scopes":["converse"],"expires_in_days":30}`)).want(t, 200, "")
	token, _ := made.body["token"].(string)
	if !strings.HasPrefix(token, "flk_") || made.body["Expires"] != "2026-12-22T06:00:00.123456Z" || !uuid.MatchString(made.body["Id"].(string)) {
		t.Errorf("got %s", made.raw)
	}
	w.admin.do(t, "POST", "/create_access_token", withPassword(`{"name":"deploy","scopes":["manage"]}`)).want(t, 200, "")
	list := func(b *browser) []any {
		t.Helper()
		r := b.do(t, "GET", "/get_access_tokens", "").want(t, 200, "")
		if strings.Contains(string(r.raw), token) {
			t.Errorf("the list shows the token: %s", r.raw)
		}
		return r.body["access_tokens"].([]any)
	}
	var paged []any
	for path := "/get_access_tokens?limit=1"; path != ""; {
		r := w.admin.do(t, "GET", path, "").want(t, 200, "")
		paged = append(paged, r.body["access_tokens"].([]any)...)
		path = ""
		if next, more := r.body["next_cursor"].(string); more {
			path = "/get_access_tokens?limit=1&cursor=" + next
		}
	}
	if len(paged) != 2 {
		t.Errorf("page by page there are %d, want 2", len(paged))
	}
	own, all := list(w.member), list(w.admin)
	if len(own) != 1 || len(all) != 2 {
		t.Fatalf("a member sees %d and an admin %d, want 1 and 2", len(own), len(all))
	}
	first := own[0].(map[string]any)
	for member, want := range map[string]any{
		"Name": "nightly", "Prefix": token[:10], "User": w.userID(t, "member"), "Project": string(p.ID), "LastUsed": nil,
		"Created": "2026-11-22T06:00:00.123456Z", "Id": made.body["Id"],
	} {
		if first[member] != want {
			t.Errorf("%s: got %v, want %v", member, first[member], want)
		}
	}
	program := &browser{w: w, cookies: map[string]string{}, authorization: "Bearer " + token}
	program.do(t, "POST", turn, `{}`).want(t, 200, "")
	program.authorization = token
	program.do(t, "POST", turn, `{}`).want(t, 200, "")
	if got := program.do(t, "GET", "/check_session", "").want(t, 200, ""); got.assistant(t)["Id"] != string(p.ID) {
		t.Errorf("got %s, want the assistant that it opens", got.raw)
	}
	deletion := `{"token_id":"` + made.body["Id"].(string) + `"}`
	w.login(t, "admin").do(t, "POST", "/delete_access_token", deletion).want(t, 200, "")
	w.member.do(t, "POST", "/delete_access_token", deletion).want(t, 404, "not_found")
	program.do(t, "POST", turn, `{}`).want(t, 401, "not_authenticated")
	program.do(t, "GET", "/check_session", "").want(t, 401, "not_authenticated")
	ofAdmin := all[1].(map[string]any)["Id"].(string)
	w.member.do(t, "POST", "/delete_access_token", `{"token_id":"`+ofAdmin+`"}`).want(t, 404, "not_found")
}

func TestTheLimitsOfAccessTokensAreShown(t *testing.T) {
	w, p := talking(t)
	body := func(more string) string {
		return withPassword(`{"name":"x","project_id":"` + string(p.ID) + `"` + more + `}`)
	}
	for _, tc := range []struct {
		name   string
		b      *browser
		more   string
		status int
		code   string
	}{
		{"an admin", w.admin, `,"rate":600,"open":8`, 200, ""},
		{"without limits", w.admin, ``, 200, ""},
		{"null is none", w.admin, `,"rate":null,"open":null`, 200, ""},
		{"a member", w.member, `,"rate":600`, 403, "not_allowed"},
		{"a member who asks for less", w.member, `,"open":1`, 403, "not_allowed"},
		{"a rate of nothing", w.admin, `,"rate":0`, 400, "invalid_request"},
		{"a rate that is too high", w.admin, `,"rate":1000001`, 400, "invalid_request"},
		{"a rate that fits into no number", w.admin, `,"rate":1e30`, 400, "invalid_request"},
		{"a part of a call", w.admin, `,"rate":1.5`, 400, "invalid_request"},
		{"a text", w.admin, `,"open":"8"`, 400, "invalid_request"},
		{"less than no open call", w.admin, `,"open":-1`, 400, "invalid_request"},
	} {
		w.clock.move(time.Second) // lists are in the order of time
		tc.b.do(t, "POST", "/create_access_token", body(tc.more)).want(t, tc.status, tc.code)
	}
	var got [][2]any
	for _, token := range w.admin.do(t, "GET", "/get_access_tokens", "").want(t, 200, "").body["access_tokens"].([]any) {
		token := token.(map[string]any)
		got = append(got, [2]any{token["Rate"], token["Open"]})
	}
	if want := [][2]any{{float64(600), float64(8)}, {nil, nil}, {nil, nil}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAnotherPasswordEndsAccessTokens(t *testing.T) {
	for _, tc := range []struct {
		name string
		more string
		ends bool
	}{{"without a word", ``, true}, {"told to end them", `,"keep_access_tokens":false`, true}, {"told to keep them", `,"keep_access_tokens":true`, false}} {
		for _, by := range []string{"the user", "an admin"} {
			t.Run(by+" "+tc.name, func(t *testing.T) {
				w, p := talking(t)
				token := w.token(t, w.member, `{"name":"x","project_id":"`+string(p.ID)+`"}`)
				token.do(t, "GET", "/check_session", "").want(t, 200, "")
				if by == "the user" {
					w.member.do(t, "POST", "/change_password", `{"password":"`+password+`","new_password":"another canary"`+tc.more+`}`).want(t, 200, "")
				} else {
					w.admin.do(t, "PATCH", "/update_user", `{"user_id":"`+w.userID(t, "member")+`","password":"another canary"`+tc.more+`}`).want(t, 200, "")
				}
				if tc.ends {
					token.do(t, "GET", "/check_session", "").want(t, 401, "not_authenticated")
				} else {
					token.do(t, "GET", "/check_session", "").want(t, 200, "")
				}
			})
		}
	}
}

// TestATokenReachesNoAdmin has a token that may manage everything try each way to the rights of an
// admin, as a thief of it would.
func TestATokenReachesNoAdmin(t *testing.T) {
	w := newWorld(t)
	w.createUser(t, "boss", "admin")
	token := w.token(t, w.admin, `{"name":"x","scopes":["manage"]}`)
	member, boss, owner := w.userID(t, "member"), w.userID(t, "boss"), w.userID(t, "admin")
	for _, tc := range []struct {
		name, method, path, body string
		status                   int
		code                     string
	}{
		{"create an admin", "POST", "/create_user", `{"username":"eve","password":"another canary","role":"admin"}`, 403, "not_allowed"},
		{"create a member", "POST", "/create_user", `{"username":"eve","password":"another canary"}`, 200, ""},
		{"promote a member", "PATCH", "/update_user", `{"user_id":"` + member + `","role":"admin"}`, 403, "not_allowed"},
		{"promote a member and set the password", "PATCH", "/update_user", `{"user_id":"` + member + `","role":"admin","password":"another canary"}`, 403, "not_allowed"},
		{"set a member's password", "PATCH", "/update_user", `{"user_id":"` + member + `","password":"another canary"}`, 200, ""},
		{"set an admin's password", "PATCH", "/update_user", `{"user_id":"` + boss + `","password":"another canary"}`, 403, "not_allowed"},
		{"set an admin's password and keep tokens", "PATCH", "/update_user", `{"user_id":"` + boss + `","password":"another canary","keep_access_tokens":true}`, 403, "not_allowed"},
		{"set the password of who made it", "PATCH", "/update_user", `{"user_id":"` + owner + `","password":"another canary"}`, 403, "not_allowed"},
		{"demote an admin and set the password", "PATCH", "/update_user", `{"user_id":"` + boss + `","role":"member","password":"another canary"}`, 403, "not_allowed"},
		{"change the password of who made it", "POST", "/change_password", `{"password":"` + password + `","new_password":"another canary"}`, 401, "not_authenticated"},
		{"make a token", "POST", "/create_access_token", `{"name":"y","scopes":["manage"],"password":"` + password + `"}`, 401, "not_authenticated"},
		{"rotate a token", "POST", "/rotate_access_token", `{"token_id":"01890000-0000-7000-8000-000000000404","password":"` + password + `"}`, 401, "not_authenticated"},
		{"list tokens", "GET", "/get_access_tokens", ``, 401, "not_authenticated"},
		{"delete a token", "POST", "/delete_access_token", `{"token_id":"01890000-0000-7000-8000-000000000404"}`, 401, "not_authenticated"},
		{"disable an admin", "PATCH", "/update_user", `{"user_id":"` + boss + `","disabled":true}`, 200, ""},
		{"enable an admin", "PATCH", "/update_user", `{"user_id":"` + boss + `","disabled":false}`, 403, "not_allowed"},
		{"end the sessions of who made it", "POST", "/delete_user_sessions", `{"user_id":"` + owner + `"}`, 200, ""},
	} {
		if got := token.do(t, tc.method, tc.path, tc.body); got.status != tc.status || got.code() != tc.code {
			t.Errorf("%s: got %d %s, want %d %s", tc.name, got.status, got.raw, tc.status, tc.code)
		}
	}
	w.login(t, "admin")
}
