package e2e

import (
	"net/http"
	"testing"
)

// rateLimit returns RateLimit-Limit of the answer to a request.
func (b *browser) rateLimit(method, path string) string {
	b.t.Helper()
	r, err := http.NewRequest(method, b.url+path, http.NoBody)
	if err != nil {
		b.t.Fatal(err)
	}
	resp, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.Header.Get("RateLimit-Limit")
}

// TestTurnsAndReadsHaveARateEach reads the limits that nobody has set, and those that are set.
func TestTurnsAndReadsHaveARateEach(t *testing.T) {
	a := newAssistant("Pizza Palace")
	v := startVoiceflow(t, a)
	m := newMachine(t, v)
	s := serving(t, m)
	admin := s.admin()
	id := admin.want(admin.post("/add_project", adding(a)), "200").added(t).ID
	admin.want(admin.post("/set_project", body{"project_id": id}), "200")
	state := runtimeAt + "/state/user/x"
	for _, tc := range []struct{ turnsSet, readsSet, turns, reads string }{
		{"", "", "500", "600"}, {"7", "0", "7", ""}, {"0", "9", "", "9"},
	} {
		s.stop()
		s = m.with("FLOWLATCH_FORWARD_RATE", tc.turnsSet, "FLOWLATCH_FORWARD_READ_RATE", tc.readsSet).start("serve")
		admin = admin.at(s.url)
		if turns, reads := admin.rateLimit("POST", state+"/interact"), admin.rateLimit("GET", state); turns != tc.turns || reads != tc.reads {
			t.Errorf("with the rates %q and %q: got the limits %q and %q", tc.turnsSet, tc.readsSet, turns, reads)
		}
	}
}
