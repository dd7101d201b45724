package e2e

import (
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
)

// TestKeysRetireWaitsForWhatNeedsTheKey rotates a keyset and retires the old key while a service
// runs. One user is active, and one is not.
func TestKeysRetireWaitsForWhatNeedsTheKey(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		a := newAssistant("Pizza Palace")
		m := newMachine(t, startVoiceflow(t, a)).with("FLOWLATCH_DATABASE_URL", database)
		s := serving(t, m)
		admin, away := s.admin(), s.member()
		id := admin.want(admin.post("/add_project", adding(a)), "200").added(t).ID

		m.must("", "keys", "rotate")
		m.fails(exitFailure, " is needed by ", "", "keys", "retire")
		m.fails(exitFailure, "row", "", "keys", "retire", "--end-sessions")
		for _, row := range m.keyRows() {
			if row[0] == "opens" && row[2] != "2" {
				t.Errorf("the old key is needed by %s sessions, want 2: none is ended in vain", row[2])
			}
		}

		eventually(t, "the new key has sealed the cookie that is in use", func() bool {
			admin.want(admin.get("/get_projects"), "200")
			for _, row := range m.keyRows() {
				if row[0] == "seals" && row[2] != "0" {
					return true
				}
			}
			return false
		})
		if got := m.must("", "keys", "rewrap"); !strings.HasSuffix(got, "; left: 0\n") {
			t.Errorf("keys rewrap says %q", got)
		}
		m.fails(exitFailure, "session", "", "keys", "retire")
		if got := m.must("", "keys", "retire", "--end-sessions"); !strings.Contains(got, "retired key ") {
			t.Errorf("keys retire says %q", got)
		}
		if rows := m.keyRows(); len(rows) != 2 { // the header and the current key
			t.Errorf("keys status prints %v", rows)
		}
		admin.want(admin.get("/get_projects"), "200")
		away.want(away.get("/get_projects"), "401 not_authenticated")
		everyKeyOpens(t, m, map[string]voiceflowtest.Assistant{id: a})
		if got := m.must("", "keys", "retire"); got != "there is no key to retire\n" {
			t.Errorf("keys retire says %q", got)
		}
		m.must("", "audit", "verify")
		s.stop()
	})
}
