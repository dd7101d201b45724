package ginhttp_test

import (
	"strings"
	"testing"
)

func TestAccessTokenRoutes(t *testing.T) {
	w, p := talking(t)
	made := w.member.do(t, "POST", "/create_access_token", `{"name":" nightly ","project_id":"`+string(p.ID)+`","scopes":["converse"],"expires_in_days":30}`).want(t, 200, "")
	token, _ := made.body["token"].(string)
	if !strings.HasPrefix(token, "flk_") || made.body["Expires"] != "2026-12-22T06:00:00.123456Z" || !uuid.MatchString(made.body["Id"].(string)) {
		t.Errorf("got %s", made.raw)
	}
	w.admin.do(t, "POST", "/create_access_token", `{"name":"deploy","scopes":["manage"]}`).want(t, 200, "")
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
