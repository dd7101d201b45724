package domain_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

// TestACallThatTakesAPersonalKeyNamesItsProject is about every row of the allow-list. A personal
// access token opens more than one project, so Voiceflow has to be told which one is meant.
func TestACallThatTakesAPersonalKeyNamesItsProject(t *testing.T) {
	stable := 0
	for _, e := range domain.Endpoints() {
		name := e.Method + " " + string(e.Service) + e.Path
		takes := e.Service == domain.ServiceRealtime && strings.HasPrefix(e.Path, "/v1/stable/")
		if e.TakesPersonal() != takes {
			t.Errorf("%s: TakesPersonal is %v", name, e.TakesPersonal())
		}
		bound := slices.Contains(e.Ours, domain.FieldProject) || slices.Contains(strings.Split(e.Path, "/"), "{projectID}")
		if takes && !bound {
			t.Errorf("%s does not bind projectID, in the query or in the path", name)
		}
		if !takes {
			continue
		}
		stable++
		if slices.Contains(e.Query, string(domain.FieldProject)) {
			t.Errorf("%s lets a projectID of the caller pass", name)
		}
		if e.BySession || e.Starts {
			t.Errorf("%s is about a v4 session", name)
		}
		// Members of a body that name a project are compared.
		if e.Body != domain.NoBody && !slices.ContainsFunc(e.AllMembers(), func(m domain.Member) bool {
			return m.Is == domain.FieldProject && slices.Equal(m.At, []string{"projectID"})
		}) {
			t.Errorf("%s does not compare projectID in its body", name)
		}
	}
	if stable < 10 {
		t.Errorf("got %d calls of the stable API", stable)
	}
}

func TestAPathOfAnotherProjectIsRefusedBeforeItIsSent(t *testing.T) {
	p := domain.Project{Voiceflow: hex24, Version: "main"}
	for _, e := range domain.Endpoints() {
		if !e.TakesPersonal() || !strings.Contains(e.Path, "{projectID}") {
			continue
		}
		for id, kind := range map[string]domain.Kind{hex24: "", "bbbbbbbbbbbbbbbbbbbbbbbb": domain.NotFound} {
			path := strings.ReplaceAll(e.Path, "{projectID}", id)
			path = strings.NewReplacer("{metric}", "call-count").Replace(path)
			route, err := domain.MatchEndpoint(string(e.Service), e.Method, path)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			err = route.CheckProject(p)
			wantKind(t, err, kind)
		}
	}
}

func TestParseKeyForItsSlot(t *testing.T) {
	for _, tc := range []struct {
		slot domain.Slot
		key  string
		says string // "" if the key is taken
	}{
		{domain.SlotPersonal, " vfp_a_b\n", ""},
		{domain.SlotPersonal, "pat_other_form", ""},
		{domain.SlotPersonal, "VF.DM.x", "its slot is primary or secondary"},
		{domain.SlotPersonal, "VF.WS.x", "its slot is primary or secondary"},
		{domain.SlotPersonal, "Bearer vfp_a_b", "a character that no key has"},
		{domain.SlotPrimary, "vfp_a_b", "its slot is personal"},
		{domain.SlotSecondary, "\tvfp_a_b", "its slot is personal"},
		{domain.SlotPrimary, "VF.DM.x", ""},
		{domain.SlotSecondary, "other", ""},
	} {
		got, err := domain.ParseKey(tc.slot, domain.NewSecret(tc.key))
		if tc.says == "" {
			if err != nil || got.Reveal() != strings.TrimSpace(tc.key) {
				t.Errorf("%s in the slot %s: got %q and error %v", tc.key, tc.slot, got.Reveal(), err)
			}
			continue
		}
		if domain.KindOf(err) != domain.Invalid || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), strings.TrimSpace(tc.key)) {
			t.Errorf("%s in the slot %s: got error %v", tc.key, tc.slot, err)
		}
	}
}

func TestARejectedPersonalKeyIsTheKeysFault(t *testing.T) {
	route, err := domain.MatchEndpoint("realtime-api", "GET", "/v1/stable/transcript/bbbbbbbbbbbbbbbbbbbbbbbb")
	if err != nil {
		t.Fatal(err)
	}
	p := aProject(domain.KeyOK, domain.KeyOK)
	if !route.RefusalMeansKey(p) || !route.NamesObject() {
		t.Error("a refusal of a personal key does not tell about the key")
	}
	p.Personal = domain.Key{Status: domain.KeyNone}
	if route.RefusalMeansKey(p) {
		t.Error("a refusal of a project's key for a transcript tells about the key")
	}
}
