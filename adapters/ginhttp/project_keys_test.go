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

// secondCanary is another key that must never come out.
const secondCanary = "VF.DM.canary9876543210fedcba.canary"

func TestSetToken(t *testing.T) {
	w := newWorld(t)
	p := w.addProject(t, "Support bot")
	w.clock.move(10 * time.Minute)
	w.voiceflow.change(func(v *voiceflow) { v.exports[p.Version] = domain.Export{Project: p.Voiceflow, Name: "Renamed bot"} })
	const added, now = "2026-11-22T06:00:00.123456Z", "2026-11-22T06:10:00.123456Z"
	for _, tc := range []struct {
		name, body string
		want       map[string]any
	}{
		{"the secondary", `{"project_id":"` + string(p.ID) + `","token":" ` + secondCanary + `\n","slot":" secondary "}`,
			map[string]any{"key_set": added, "key_checked": added}},
		{"the primary, where no slot is named, by the Voiceflow id", `{"project_id":"` + string(p.Voiceflow) + `","token":"` + secondCanary + `"}`,
			map[string]any{"key_set": now, "key_checked": now}},
		{"the primary by name", `{"project_id":"` + string(p.ID) + `","token":"` + canary + `","slot":"primary"}`,
			map[string]any{"key_set": now, "key_checked": now}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := w.admin.do(t, "POST", "/set_token", tc.body).want(t, 200, "").assistant(t)
			tc.want["Id"], tc.want["Name"], tc.want["key_status"], tc.want["secondary_status"] = string(p.ID), "Renamed bot", "ok", "ok"
			tc.want["secondary_set"], tc.want["secondary_checked"] = now, now
			for name, want := range tc.want {
				if got[name] != want {
					t.Errorf("got %s %v, want %v", name, got[name], want)
				}
			}
		})
	}
}

func TestSetTokenThatIsRefused(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(v *voiceflow, p domain.Project)
		body   func(id string) string
		status int
		code   string
		retry  string
	}{
		{"a key that Voiceflow refuses", func(v *voiceflow, _ domain.Project) { v.refused = []string{secondCanary} }, nil, 409, "voiceflow_rejected", ""},
		{"a key of another assistant", func(v *voiceflow, p domain.Project) {
			v.exports[p.Version] = domain.Export{Project: projectB, Name: "Other bot"}
		}, nil, 409, "voiceflow_rejected", ""},
		{"an outage", func(v *voiceflow, _ domain.Project) {
			v.err = &domain.Error{Kind: domain.VoiceflowUnavailable, RetryAfter: 7 * time.Second}
		}, nil, 503, "voiceflow_unavailable", "7"},
		{"no such assistant", nil, func(string) string {
			return `{"project_id":"01890000-0000-7000-8000-000000000404","token":"` + secondCanary + `"}`
		}, 404, "not_found", ""},
		{"another slot", nil, func(id string) string {
			return `{"project_id":"` + id + `","token":"` + secondCanary + `","slot":"third"}`
		}, 400, "invalid_request", ""},
		{"no token", nil, func(id string) string { return `{"project_id":"` + id + `"}` }, 400, "invalid_request", ""},
		{"no id", nil, func(string) string { return `{"token":"` + secondCanary + `"}` }, 400, "invalid_request", ""},
		{"the name in place of the id", nil, func(string) string { return `{"project_id":"Support bot","token":"` + secondCanary + `"}` }, 400, "invalid_request", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.addProject(t, "Support bot")
			before := string(w.admin.do(t, "GET", "/get_projects", "").raw)
			w.clock.move(time.Minute)
			body, asked := `{"project_id":"`+string(p.ID)+`","token":"`+secondCanary+`","slot":"secondary"}`, w.voiceflow.requests()+1
			if tc.body != nil {
				body, asked = tc.body(string(p.ID)), asked-1
			}
			if tc.change != nil {
				w.voiceflow.change(func(v *voiceflow) { tc.change(v, p) })
			}
			got := w.admin.do(t, "POST", "/set_token", body).want(t, tc.status, tc.code)
			if retry := got.header.Get("Retry-After"); retry != tc.retry {
				t.Errorf("got Retry-After %q, want %q", retry, tc.retry)
			}
			if after := string(w.admin.do(t, "GET", "/get_projects", "").raw); after != before {
				t.Errorf("a refused key changed %s to %s", before, after)
			}
			if n := w.voiceflow.requests(); n != asked {
				t.Errorf("Voiceflow was asked %d times, want %d", n, asked)
			}
		})
	}
}

func TestCheckProject(t *testing.T) {
	w := newWorld(t)
	p := w.addProject(t, "Support bot")
	w.admin.do(t, "POST", "/set_token", `{"project_id":"`+string(p.ID)+`","token":"`+secondCanary+`","slot":"secondary"}`).want(t, 200, "")
	check := func() *reply {
		t.Helper()
		w.clock.move(10 * time.Minute)
		return w.admin.do(t, "POST", "/check_project", `{"project_id":"`+string(p.ID)+`"}`).want(t, 200, "")
	}
	for _, tc := range []struct {
		name                        string
		change                      func(v *voiceflow)
		primary, secondary, checked string
		says                        string
	}{
		{"both open", func(*voiceflow) {}, "ok", "ok", "2026-11-22T06:10:00.123456Z", "were tried"},
		{"the primary is refused", func(v *voiceflow) { v.refused = []string{canary} }, "rejected", "ok", "2026-11-22T06:20:00.123456Z", "were tried"},
		{"there is an outage", func(v *voiceflow) { v.err = &domain.Error{Kind: domain.VoiceflowUnavailable} }, "rejected", "ok", "2026-11-22T06:20:00.123456Z",
			"no usable answer about the primary and the secondary key"},
		{"both are refused", func(v *voiceflow) { v.err, v.refused = nil, []string{canary, secondCanary} }, "rejected", "rejected", "2026-11-22T06:40:00.123456Z", "were tried"},
		{"both open again, under another name", func(v *voiceflow) {
			v.refused, v.exports[p.Version] = nil, domain.Export{Project: p.Voiceflow, Name: "Renamed bot"}
		}, "ok", "ok", "2026-11-22T06:50:00.123456Z", "were tried"},
	} {
		w.voiceflow.change(tc.change)
		got := check()
		for name, want := range map[string]string{
			"key_status": tc.primary, "secondary_status": tc.secondary, "key_checked": tc.checked, "secondary_checked": tc.checked,
		} {
			if got.body[name] != want || got.assistant(t)[name] != want {
				t.Errorf("%s: got %s, want %s to be %s", tc.name, got.raw, name, want)
			}
		}
		if message := got.body["message"].(string); !strings.Contains(message, tc.says) {
			t.Errorf("%s: it says %q, want %q", tc.name, message, tc.says)
		}
		for _, name := range []string{"key_set", "secondary_set"} {
			if set := got.assistant(t)[name]; set != "2026-11-22T06:00:00.123456Z" {
				t.Errorf("%s: got %s %v", tc.name, name, set)
			}
		}
	}
	if got := w.admin.do(t, "GET", "/get_projects", ""); got.names(t)[0] != "Renamed bot" {
		t.Errorf("the list has %s, want the name that the check found", got.raw)
	}
	w.admin.do(t, "POST", "/check_project", `{"project_id":"01890000-0000-7000-8000-000000000404"}`).want(t, 404, "not_found")
	w.admin.do(t, "POST", "/check_project", `{"project_id":"Renamed bot"}`).want(t, 400, "invalid_request")
	w.voiceflow.change(func(v *voiceflow) { v.panics = true })
	w.admin.do(t, "POST", "/check_project", `{"project_id":"`+string(p.ID)+`"}`).want(t, 500, "internal")
}

// A key that Voiceflow refuses is no failure of a call while another is good.
func TestTheOtherKeyIsUsed(t *testing.T) {
	w, p := talking(t)
	w.admin.do(t, "POST", "/set_token", `{"project_id":"`+string(p.ID)+`","token":"`+secondCanary+`","slot":"secondary"}`).want(t, 200, "")
	w.voiceflow.answers(func(_ context.Context, _ domain.Forward, r *http.Request, key domain.Secret) (ports.Answer, error) {
		if key.Reveal() == canary {
			return ports.Answer{}, &domain.Error{Kind: domain.CredentialsRejected}
		}
		return response(200, "application/json", `[]`), nil
	})
	w.member.do(t, "POST", turn, `{}`).want(t, 200, "")
	first := w.admin.do(t, "GET", "/get_projects", "").want(t, 200, "").body["assistants"].([]any)[0].(map[string]any)
	if first["key_status"] != "rejected" || first["secondary_status"] != "ok" {
		t.Errorf("an admin gets %v, want the primary rejected", first)
	}
}
