package app_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

func TestPictureOriginsAreSet(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Support bot", versionID)
	w.project(t, "Sales bot", strings.Replace(versionID, "aa", "bb", 1))
	w.user(t, w.admin, "ben", "member", string(p.ID))
	member, _ := w.login(t, "ben", false)
	cdn, other := "https://cdn.example.com", "https://192.0.2.7:8443"
	for _, tc := range []struct {
		name, id string
		call     domain.Call
		origins  []string
		fails    domain.Kind
		want     []domain.Origin // what the project has afterwards
		records  []string
	}{
		{"an admin sets them", string(p.ID), w.admin, []string{cdn, " HTTPS://192.0.2.7:8443 "}, "", []domain.Origin{"https://cdn.example.com", "https://192.0.2.7:8443"}, []string{"user set_picture_origins"}},
		{"the same again keeps no record", string(p.ID), w.admin, []string{cdn, other}, "", []domain.Origin{"https://cdn.example.com", "https://192.0.2.7:8443"}, nil},
		{"others replace them", " " + strings.ToUpper(string(p.ID)), w.admin, []string{other}, "", []domain.Origin{"https://192.0.2.7:8443"}, []string{"user set_picture_origins"}},
		{"one that breaks a rule changes nothing", string(p.ID), w.admin, []string{cdn, "https://*"}, domain.Invalid, []domain.Origin{"https://192.0.2.7:8443"}, nil},
		{"no list changes nothing", string(p.ID), w.admin, nil, domain.Invalid, []domain.Origin{"https://192.0.2.7:8443"}, nil},
		{"a member may not", string(p.ID), member, []string{cdn}, domain.NotAllowed, []domain.Origin{"https://192.0.2.7:8443"}, nil},
		{"nobody may", string(p.ID), domain.Call{}, []string{cdn}, domain.NotAllowed, []domain.Origin{"https://192.0.2.7:8443"}, nil},
		{"an unknown assistant is not found", "01890000-0000-7000-8000-000000000404", w.admin, []string{cdn}, domain.NotFound, []domain.Origin{"https://192.0.2.7:8443"}, nil},
		{"a name is no id", "Support bot", w.admin, []string{cdn}, domain.Invalid, []domain.Origin{"https://192.0.2.7:8443"}, nil},
		{"a Voiceflow project of two assistants is ambiguous", string(voiceflowID), w.admin, []string{cdn}, domain.AmbiguousName, []domain.Origin{"https://192.0.2.7:8443"}, nil},
		{"an empty list clears them", string(p.ID), w.operator(t), []string{}, "", nil, []string{"operator set_picture_origins"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := len(w.store.Records())
			got, err := w.SetPictureOrigins(t.Context(), tc.call, tc.id, tc.origins)
			wantKind(t, err, tc.fails)
			stored, findErr := w.FindProject(t.Context(), w.admin, string(p.ID))
			if findErr != nil || !slices.Equal(stored.PictureOrigins, tc.want) || err == nil && !got.Equal(stored) {
				t.Errorf("got %q, stored %q, error %v; want %q", got.PictureOrigins, stored.PictureOrigins, findErr, tc.want)
			}
			wantActions(t, w.actions(before), tc.records...)
		})
	}
}

func TestAnAssistantIsAddedWithPictureOrigins(t *testing.T) {
	w := newWorld(t)
	w.voiceflow.put(versionID, domain.Export{Project: voiceflowID, Name: "Support bot"})
	in := app.AddProject{Version: versionID, Key: domain.NewSecret("VF.DM.key"), PictureOrigins: []string{"https://cdn.example.com/path"}}
	_, err := w.AddProject(t.Context(), w.admin, in)
	wantKind(t, err, domain.Invalid)
	if w.voiceflow.asked != 0 {
		t.Error("Voiceflow was asked")
	}
	in.PictureOrigins = []string{"https://CDN.example.com"}
	p, err := w.AddProject(t.Context(), w.admin, in)
	if err != nil || !slices.Equal(p.PictureOrigins, []domain.Origin{"https://cdn.example.com"}) {
		t.Errorf("got %q and error %v", p.PictureOrigins, err)
	}
}
