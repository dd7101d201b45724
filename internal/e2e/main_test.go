// Package e2e holds the tests that drive the built program from outside, as its users do.
//
// A test makes a machine, which is a folder and an environment for the program, with a
// stand-in for Voiceflow:
//
//	eachDatabase(t, func(t *testing.T, database string) {
//		a := newAssistant("Pizza Palace")
//		m := newMachine(t, startVoiceflow(t, a)).with("FLOWLATCH_DATABASE_URL", database)
//		s := serving(t, m) // the users ada, an admin, and ben, a member, exist
//		admin := s.admin() // ada is logged in
//		admin.want(admin.post("/add_project", adding(a)), "200")
//		m.must("", "project", "list")
//		s.stop()
//	})
//
// A second m.start("serve") is a second instance over the same database. The program is
// built once per run.
package e2e

import (
	"os"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
	"github.com/flowlatch/flowlatch/internal/testtools"
)

// patience is how long a test waits for something that should happen at once.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	code := postgrestest.Run(m)
	testtools.RemoveFlowlatch()
	os.Exit(code)
}

// eachDatabase runs the test on SQLite and on a new Postgres database. database is the value
// of FLOWLATCH_DATABASE_URL. It is "" for SQLite, whose file is in the data folder.
func eachDatabase(t *testing.T, test func(t *testing.T, database string)) {
	t.Run("SQLite", func(t *testing.T) { test(t, "") })
	t.Run("Postgres", func(t *testing.T) { test(t, postgrestest.DSN(t)) })
}

// eventually waits until yes returns true. It fails the test if that takes too long.
func eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !yes() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited too long until %s", what)
		}
	}
}

// repeat calls do now and then, until done.
func repeat(done <-chan struct{}, do func()) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			do()
		}
	}
}

// startVoiceflow starts a stand-in for Voiceflow that has the assistants.
func startVoiceflow(t *testing.T, assistants ...voiceflowtest.Assistant) *voiceflowtest.Server {
	t.Helper()
	v, err := voiceflowtest.Start(assistants...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// newAssistant returns an assistant that was not added yet.
func newAssistant(name string) voiceflowtest.Assistant {
	return voiceflowtest.NewAssistant(name, voiceflowtest.Shape2024)
}
