package ginhttp_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

func TestGrantsAndUsageRoutes(t *testing.T) {
	w, p := talking(t)
	member, project := w.userID(t, "member"), string(p.ID)
	grants := func(query string) []any {
		t.Helper()
		return w.admin.do(t, "GET", "/get_grants"+query, "").want(t, 200, "").body["grants"].([]any)
	}
	w.admin.do(t, "POST", "/grant_project", `{"user_id":"`+member+`","project_id":"`+project+`","scopes":["export","converse"]}`).want(t, 200, "")
	w.admin.do(t, "POST", "/grant_project", `{"user_id":"`+member+`","project_id":"`+project+`"}`).want(t, 200, "")
	w.admin.do(t, "PATCH", "/update_user", `{"user_id":"`+member+`","assistants":["`+project+`"]}`).want(t, 200, "")
	got := grants("?user_id=" + member + "&project_id=" + string(p.Voiceflow))
	if len(got) != 1 {
		t.Fatalf("got %v, want one grant", got)
	}
	if g := got[0].(map[string]any); g["User"] != member || g["Project"] != project || fmt.Sprint(g["Scopes"]) != "[converse export]" || g["Created"] == nil {
		t.Errorf("got %v", g)
	}
	if got := grants("?user_id=" + w.userID(t, "admin")); len(got) != 0 {
		t.Errorf("got %v, want none", got)
	}
	for _, bad := range []string{`[]`, `["manage"]`, `["converse","converse"]`, `["everything"]`, `"converse"`} {
		w.admin.do(t, "POST", "/grant_project", `{"user_id":"`+member+`","project_id":"`+project+`","scopes":`+bad+`}`).want(t, 400, "invalid_request")
	}
	w.admin.do(t, "GET", "/get_grants?user_id=a&user_id=b", "").want(t, 400, "invalid_request")
	w.admin.do(t, "GET", "/get_grants?project_id=01890000-0000-7000-8000-000000000404", "").want(t, 200, "")

	w.member.do(t, "POST", turn, `{}`).want(t, 200, "")
	if err := w.service.Forwarder().FlushUsage(t.Context()); err != nil {
		t.Fatal(err)
	}
	usage := w.admin.do(t, "GET", "/get_usage?group_by=scope,user", "").want(t, 200, "").body["usage"].([]any)
	if len(usage) != 1 {
		t.Fatalf("got %v, want one sum", usage)
	}
	if u := usage[0].(map[string]any); u["User"] != member || u["Scope"] != "converse" || u["Day"] != nil || u["Calls"] != 1.0 || u["Errors"] != 0.0 {
		t.Errorf("got %v", u)
	}
	token := w.token(t, w.member, `{"name":"x","project_id":"`+project+`"}`)
	token.do(t, "POST", turn, `{}`).want(t, 200, "")
	if err := w.service.Forwarder().FlushUsage(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := w.admin.do(t, "GET", "/get_usage?group_by=token&limit=1", "").want(t, 200, "")
	second := w.admin.do(t, "GET", "/get_usage?group_by=token&limit=1&cursor="+first.body["next_cursor"].(string), "").want(t, 200, "")
	if u := first.body["usage"].([]any)[0].(map[string]any); u["Token"] != nil {
		t.Errorf("got %v first, want the calls without an access token", u)
	}
	if u := second.body["usage"].([]any)[0].(map[string]any); u["Token"] == nil || second.body["next_cursor"] != nil {
		t.Errorf("got %s on the second page, want the calls with one, and the end", second.raw)
	}
	foreign := domain.Cursor{ID: strings.Repeat("0", 8) + "-0000-0000-0000-000000000000", Name: "x"}.Text(domain.UsageList)
	for _, bad := range []string{"?cursor=" + foreign, "?from=yesterday", "?from=2026-12-01&to=2026-11-01", "?group_by=colour", "?group_by=day,day", "?from=2026-11-01&from=2026-11-02"} {
		w.admin.do(t, "GET", "/get_usage"+bad, "").want(t, 400, "invalid_request")
	}
}
