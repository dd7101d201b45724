package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/adapters/tinkcipher"
	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/config"
)

// TestNothingThatWasAnsweredIsLostByAKill adds 1,000 assistants, and kills the server with
// SIGKILL many times meanwhile.
func TestNothingThatWasAnsweredIsLostByAKill(t *testing.T) {
	eachDatabase(t, killWhileAdding)
}

func killWhileAdding(t *testing.T, database string) {
	const adds, kills, atOnce = 1000, 5, 8
	assistants := make([]voiceflowtest.Assistant, adds)
	for i := range assistants {
		assistants[i] = newAssistant(fmt.Sprintf("Assistant %04d", i))
	}
	m := newMachine(t, startVoiceflow(t, assistants...)).with("FLOWLATCH_DATABASE_URL", database, "FLOWLATCH_WRITE_RATE", "0")
	m.must(adminPassword, "user", "create", "--admin", "ada")

	var mu sync.Mutex
	answered := map[string]voiceflowtest.Assistant{} // by the Id in the answer
	for round := range kills {
		s := m.start("serve")
		admin := s.admin()
		enough := (round + 1) * adds / kills
		todo := make(chan voiceflowtest.Assistant)
		var adding sync.WaitGroup
		for range atOnce {
			adding.Go(func() {
				for a := range todo {
					got, err := admin.try("POST", "/add_project", body{"version_id": a.VersionID, "token": a.Key})
					if err != nil {
						continue // the server was killed
					}
					mu.Lock()
					switch got.String() {
					case "200", "400 already_added": // both say that the assistant was added
						answered[got.added(t).ID] = a
					default:
						t.Errorf("an add was answered %s: %s", got, got.text)
					}
					if len(answered) >= enough {
						_ = s.cmd.Process.Kill() // while the others add
					}
					mu.Unlock()
				}
			})
		}
		for _, a := range assistants {
			todo <- a
		}
		close(todo)
		adding.Wait()
		s.kill()
	}
	if len(answered) != adds {
		t.Fatalf("%d of %d adds were answered", len(answered), adds)
	}
	everyKeyOpens(t, m, answered)
}

// everyKeyOpens looks into the database itself. Each assistant must be there, and its key must
// open.
func everyKeyOpens(t *testing.T, m *machine, answered map[string]voiceflowtest.Assistant) {
	t.Helper()
	ctx := context.Background()
	cfg, _, err := config.Read(config.Source{Environ: m.command(ctx).Env, Flags: map[string]string{"DATA_DIR": m.data()}})
	if err != nil {
		t.Fatal(err)
	}
	store, err := bunstore.Open(ctx, cfg.Database(), bunstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	cipher := tinkcipher.NewFile(cfg.KeysetPath(), tinkcipher.FileOptions{})
	if err := cipher.Prepare(ctx, false); err != nil {
		t.Fatal(err)
	}
	origin, err := domain.ParseOrigin(cfg.VoiceflowAPIURL)
	if err != nil {
		t.Fatal(err)
	}
	for id, a := range answered {
		found, err := store.Ports().Projects.Find(ctx, domain.Operator().Sees(), domain.ProjectRef{ID: domain.ProjectID(id)})
		if err != nil || len(found) != 1 {
			t.Fatalf("%s was answered and is not there: %v", a.Name, err)
		}
		key, err := cipher.Open(found[0].Primary.Sealed, domain.BindKey(domain.ProjectID(id), domain.SlotPrimary, origin))
		if err != nil || key.Reveal() != a.Key {
			t.Fatalf("the key of %s does not open: %v", a.Name, err)
		}
	}
}
