package app_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

const (
	nameNFC = "Caf\u00e9 Gr\u00f6\u00dfe"
	nameNFD = "Cafe\u0301 Gro\u0308\u00dfe"
)

func TestAnAssistantIsFoundByItsNameInEveryForm(t *testing.T) {
	for given, name := range map[string]string{"composed": nameNFC, "decomposed": nameNFD} {
		for typed, text := range map[string]string{"composed": nameNFC, "decomposed": " " + nameNFD + "\n"} {
			t.Run("named "+given+" at Voiceflow, typed "+typed, func(t *testing.T) {
				w := newWorld(t)
				p := w.project(t, name, versionID)
				if p.Name != nameNFC || w.stored(t, p).Name != nameNFC {
					t.Errorf("got the name %q, want it in NFC", p.Name)
				}
				if found, err := w.FindProject(t.Context(), w.admin, text); err != nil || found.ID != p.ID {
					t.Errorf("FindProject: got %q and error %v", found.ID, err)
				}
				_, err := w.AddProject(t.Context(), w.admin, app.AddProject{Version: versionID, Key: domain.NewSecret("VF.DM.key"), Name: text})
				wantKind(t, err, domain.AlreadyAdded) // the name is that of the list
				w.voiceflow.put(versionID, domain.Export{Project: voiceflowID, Name: name + " e\u0301"})
				set, err := w.SetToken(t.Context(), w.admin, app.SetToken{Project: string(p.ID), Key: domain.NewSecret("VF.DM.other")})
				if err != nil || set.Name != nameNFC+" \u00e9" {
					t.Errorf("SetToken: got the name %q and error %v, want it in NFC", set.Name, err)
				}
				wantKind(t, w.DeleteProject(t.Context(), w.admin, app.DeleteProject{Name: text}), domain.NotFound)
				if err := w.DeleteProject(t.Context(), w.admin, app.DeleteProject{Name: strings.TrimSpace(text) + " e\u0301"}); err != nil {
					t.Errorf("DeleteProject: %v", err)
				}
			})
		}
	}
}

func TestTwinsInTwoFormsAreAmbiguous(t *testing.T) {
	w := newWorld(t)
	one, two := w.project(t, nameNFC, versionID), w.project(t, nameNFD, "6371c9b4e1a5b2c3d4e5f6ab")
	for form, text := range map[string]string{"composed": nameNFC, "decomposed": nameNFD} {
		err := w.DeleteProject(t.Context(), w.admin, app.DeleteProject{Name: text})
		wantKind(t, err, domain.AmbiguousName)
		if e, ok := errors.AsType[*domain.Error](err); !ok || len(e.Projects) != 2 {
			t.Errorf("typed %s: got %v, want both assistants", form, err)
		}
	}
	for _, p := range []domain.Project{one, two} {
		if err := w.DeleteProject(t.Context(), w.admin, app.DeleteProject{Name: nameNFD, ID: string(p.ID)}); err != nil {
			t.Errorf("by name and id: %v", err)
		}
	}
}

func TestTheLengthOfANameIsCountedInNFC(t *testing.T) {
	w := newWorld(t)
	if p := w.project(t, strings.Repeat("e\u0301", 256), versionID); len(p.Name) != 512 {
		t.Errorf("256 letters of two code points each: got %d bytes, want 512", len(p.Name))
	}
	w.voiceflow.put("6371c9b4e1a5b2c3d4e5f6ab", domain.Export{Project: voiceflowID, Name: strings.Repeat("\U0001d160", 43)})
	_, err := w.AddProject(t.Context(), w.admin, app.AddProject{Version: "6371c9b4e1a5b2c3d4e5f6ab", Key: domain.NewSecret("VF.DM.key")})
	wantKind(t, err, domain.NameTooLong) // NFC writes each in 12 bytes
}

func TestTheNameOfAnAccessTokenIsInNFC(t *testing.T) {
	w := newWorld(t)
	made, err := w.CreateAccessToken(t.Context(), w.admin, app.CreateAccessToken{Name: "bu\u0308ro", Scopes: []string{"manage"}, Password: domain.NewSecret(password)})
	if err != nil || made.AccessToken.Name != "b\u00fcro" {
		t.Errorf("got the name %q and error %v, want it in NFC", made.AccessToken.Name, err)
	}
	made, err = w.CreateAccessToken(t.Context(), w.admin, app.CreateAccessToken{Name: strings.Repeat("u\u0308", 32), Scopes: []string{"manage"}, Password: domain.NewSecret(password)})
	if err != nil {
		t.Errorf("a name of 64 bytes in NFC: %v", err)
	}
}
