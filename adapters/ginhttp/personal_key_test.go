package ginhttp_test

import (
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

func TestThePersonalKeyOfAnAssistant(t *testing.T) {
	const token = "vfp_canary0123_canary4567"
	w := newWorld(t)
	p := w.addProject(t, "Support bot")
	w.clock.move(time.Minute)
	const now = "2026-11-22T06:01:00.123456Z"
	body := func(members string) string { return `{"project_id":"` + string(p.ID) + `"` + members + `}` }
	shows := func(what string, got map[string]any, status string, set, checked any) {
		t.Helper()
		if got["personal_status"] != status || got["personal_set"] != set || got["personal_checked"] != checked || got["key_status"] != "ok" {
			t.Errorf("%s shows %v", what, got)
		}
	}
	listed := func() map[string]any {
		t.Helper()
		all := w.admin.do(t, "GET", "/get_projects", "").want(t, 200, "")
		if strings.Contains(string(all.raw), "canary") {
			t.Errorf("get_projects shows the token: %s", all.raw)
		}
		return all.body["assistants"].([]any)[0].(map[string]any)
	}
	for _, wrong := range []struct{ route, members, says string }{
		{"/set_token", `,"token":"` + token + `"`, "its slot is personal"},
		{"/set_token", `,"token":"` + token + `","slot":"secondary"`, "its slot is personal"},
		{"/set_token", `,"token":"` + canary + `","slot":"personal"`, "its slot is primary or secondary"},
		{"/set_token", `,"token":"` + token + `","slot":"other"`, "slot must be primary, secondary or personal"},
		{"/delete_token", ``, "slot must be secondary or personal"},
		{"/delete_token", `,"slot":"primary"`, "the primary key can't be deleted"},
		{"/delete_token", `,"slot":7`, ""},
	} {
		got := w.admin.do(t, "POST", wrong.route, body(wrong.members)).want(t, 400, "invalid_request")
		if !strings.Contains(got.body["message"].(string), wrong.says) || strings.Contains(string(got.raw), "canary") {
			t.Errorf("%s %s: got %s", wrong.route, wrong.members, got.raw)
		}
	}
	w.admin.do(t, "POST", "/delete_token", body(`,"slot":"personal"`)).want(t, 404, "not_found")
	shows("get_projects", listed(), "none", nil, nil)

	set := w.admin.do(t, "POST", "/set_token", body(`,"token":"`+token+`","slot":"personal"`)).want(t, 200, "")
	shows("set_token", set.assistant(t), "ok", now, now)
	shows("get_projects", listed(), "ok", now, now)
	w.clock.move(time.Minute)
	w.voiceflow.change(func(v *voiceflow) { v.refused = []string{token} })
	checked := w.admin.do(t, "POST", "/check_project", body("")).want(t, 200, "")
	shows("check_project", checked.assistant(t), "rejected", now, "2026-11-22T06:02:00.123456Z")
	w.admin.do(t, "POST", "/set_token", body(`,"token":"`+token+`","slot":"personal"`)).want(t, 409, "voiceflow_rejected")
	w.voiceflow.change(func(v *voiceflow) { v.err = &domain.Error{Kind: domain.VoiceflowUnavailable} })
	w.admin.do(t, "POST", "/set_token", body(`,"token":"`+token+`","slot":"personal"`)).want(t, 503, "voiceflow_unavailable")
	shows("get_projects", listed(), "rejected", now, "2026-11-22T06:02:00.123456Z")

	w.member.do(t, "POST", "/delete_token", body(`,"slot":"personal"`)).want(t, 403, "not_allowed")
	deleted := w.admin.do(t, "POST", "/delete_token", body(`,"slot":"personal"`)).want(t, 200, "")
	shows("delete_token", deleted.assistant(t), "none", nil, nil)
	shows("get_projects", listed(), "none", nil, nil)
	w.admin.do(t, "POST", "/delete_token", body(`,"slot":"personal"`)).want(t, 404, "not_found")
	events := w.admin.do(t, "GET", "/get_audit_events?action=delete_token", "").want(t, 200, "")
	if n := strings.Count(string(events.raw), domain.OnSlot(p.ID, domain.SlotPersonal)); n != 1 {
		t.Errorf("the audit has %d rows of what was deleted: %s", n, events.raw)
	}
}
