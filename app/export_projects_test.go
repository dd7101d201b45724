package app_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// exported are the names and primary keys that ExportProjects gives, as "name key", and
// "name -" where the key does not open.
func (w *world) exported(t *testing.T, call domain.Call, named ...string) ([]string, error) {
	t.Helper()
	var out []string
	err := w.ExportProjects(t.Context(), call, named, func(e app.ExportedProject) error {
		key := "-"
		if !e.Keys[domain.SlotPrimary].IsZero() {
			key = e.Keys[domain.SlotPrimary].Reveal()
		}
		if opens := len(e.Unopened) == 0; opens != (key != "-") || opens != (len(e.Keys) == 1) {
			t.Errorf("%s: slots %v do not open, and %d keys do", e.Project.Name, e.Unopened, len(e.Keys))
		}
		out = append(out, e.Project.Name+" "+key)
		return nil
	})
	return out, err
}

func TestExportProjects(t *testing.T) {
	w := newWorld(t)
	_, err := w.exported(t, w.admin)
	wantKind(t, err, domain.NotFound) // none at all

	b := w.project(t, "B", "6371c9b4e1a5b2c3d4e5f6b0")
	a := w.project(t, "A", "6371c9b4e1a5b2c3d4e5f6a0")
	twin := w.project(t, "A", "6371c9b4e1a5b2c3d4e5f6a1")
	before := len(w.store.Records())
	for _, tc := range []struct {
		name  string
		named []string
		want  []string
		kind  domain.Kind
	}{
		{"all, in the order of their names", nil, []string{"A VF.DM.key", "A VF.DM.key", "B VF.DM.key"}, ""},
		{"the named, each once", []string{"B", string(a.ID), string(b.ID)}, []string{"B VF.DM.key", "A VF.DM.key"}, ""},
		{"a name that is nobody's", []string{"B", "C"}, nil, domain.NotFound},
		{"a name of two", []string{"B", "A"}, nil, domain.AmbiguousName},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := w.exported(t, w.admin, tc.named...)
			wantKind(t, err, tc.kind)
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
	wantActions(t, w.actions(before), slices.Repeat([]string{"user export_project"}, 5)...)
	if rec := w.store.Records()[before+2]; rec.Object != domain.OnProject(b.ID) {
		t.Errorf("the row is on %s, want %s", rec.Object, domain.OnProject(b.ID))
	}

	w.user(t, w.admin, "ben", "member", string(twin.ID))
	ben, _ := w.login(t, "ben", false)
	_, err = w.exported(t, ben, string(twin.ID))
	wantKind(t, err, domain.NotAllowed)
}

func TestExportProjectsGoesFromPageToPage(t *testing.T) {
	w := newWorld(t)
	const all = 250
	for i := range all {
		w.project(t, fmt.Sprintf("%03d", i), fmt.Sprintf("6371c9b4e1a5b2c3d4e5f%03d", i))
	}
	seen := 0
	err := w.ExportProjects(t.Context(), w.admin, nil, func(e app.ExportedProject) error {
		if want := fmt.Sprintf("%03d", seen); e.Project.Name != want {
			t.Errorf("got %s, want %s", e.Project.Name, want)
		}
		if seen++; seen == 99 { // the next one is in the page that was read already
			seen++
			return w.DeleteProject(t.Context(), w.admin, app.DeleteProject{Name: "099"})
		}
		return nil
	})
	if err != nil || seen != all {
		t.Errorf("%d were given or deleted meanwhile, %v; want %d", seen, err, all)
	}
}

func TestExportProjectsAuditsBeforeAKeyLeaves(t *testing.T) {
	w := newWorld(t)
	w.project(t, "A", versionID)
	before := len(w.store.Records())
	err := w.ExportProjects(t.Context(), w.admin, nil, func(app.ExportedProject) error {
		wantActions(t, w.actions(before), "user export_project")
		return errBoom
	})
	if !errors.Is(err, errBoom) {
		t.Errorf("got error %v, want the one of take", err)
	}
}

func TestExportProjectsPassesOverWhatDoesNotOpen(t *testing.T) {
	w := newWorld(t)
	w.project(t, "Open", versionID)
	shut := w.project(t, "Shut", "6371c9b4e1a5b2c3d4e5f6b0")
	// The same project as another program with another keyset would have stored it.
	if err := w.store.Ports().Projects.Remove(t.Context(), act(domain.ActionDeleteProject), shut.ID); err != nil {
		t.Fatal(err)
	}
	shut.PutKey(domain.SlotPrimary, domain.Sealed{Key: "other", Bytes: []byte("other")}, w.now(), w.now())
	if err := w.store.Ports().Projects.Add(t.Context(), act(domain.ActionAddProject), shut); err != nil {
		t.Fatal(err)
	}
	before := len(w.store.Records())
	got, err := w.exported(t, w.admin)
	if want := []string{"Open VF.DM.key", "Shut -"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	wantActions(t, w.actions(before), "user export_project") // of the one whose key left
}

func TestAddProjectChecksTheNameThatIsGiven(t *testing.T) {
	w := newWorld(t)
	w.voiceflow.put(versionID, domain.Export{Project: voiceflowID, Name: "Pizza Palace"})
	in := app.AddProject{Version: versionID, Key: domain.NewSecret("VF.DM.key"), Name: "Pizza"}
	_, err := w.AddProject(t.Context(), w.admin, in)
	wantKind(t, err, domain.Invalid)
	if _, err := w.GetProjects(t.Context(), w.admin, domain.Cursor{}, 1); domain.KindOf(err) != domain.NotFound {
		t.Errorf("got %v, want that nothing was stored", err)
	}
	in.Name = " Pizza Palace "
	if _, err := w.AddProject(t.Context(), w.admin, in); err != nil {
		t.Error(err)
	}
}
