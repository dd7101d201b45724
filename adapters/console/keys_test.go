package console_test

import (
	"net/http"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

func TestKeysShowsWhatNeedsEachKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(t, 0)
	old := string(w.cipher.Keys()[0])
	w.admin.get(t, "/console/keys").want(t, http.StatusOK,
		"<code>"+old+"</code>", "seals and opens", "4 stored values", "2 sessions", "flowlatch keys rotate", "flowlatch keys rewrap",
		"There is no such key now.", "stays on the host", "data-copy=").
		wantNo(t, `role="alert"`, "flowlatch keys retire "+old)

	current, err := w.service.Keyset().Rotate(t.Context(), w.operator(t))
	if err != nil {
		t.Fatal(err)
	}
	w.admin.get(t, "/console/keys").want(t, http.StatusOK, "<code>"+string(current)+"</code>", "<code>"+old+"</code>", "only opens").
		wantNo(t, "flowlatch keys retire "+old)
	if _, err := w.service.Keyset().Reencrypt(t.Context(), w.operator(t), false, nil); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the first request gets a cookie of the current key, and the second shows it
		w.member.get(t, "/console/").want(t, http.StatusOK)
		w.admin.get(t, "/console/").want(t, http.StatusOK)
	}
	w.admin.get(t, "/console/keys").want(t, http.StatusOK, ">nothing</td>", "flowlatch keys retire "+old)
}

// TestKeysLeadsToTheAssistantsToReenter stores a key that nobody can open.
func TestKeysLeadsToTheAssistantsToReenter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pizza, trains := w.add(t, 0), w.add(t, 1)
	ref := domain.SealedRef{Kind: domain.SealedProjectKey, ID: string(pizza.ID), Slot: domain.SlotPrimary}
	rows, err := w.ports.Store.Sealings.Page(t.Context(), "", domain.BeforeProjectKeys, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if row.Ref == ref {
			garbage := domain.Sealed{Key: "gone", Bytes: []byte("these bytes open for nobody")}
			if n, err := w.ports.Store.Sealings.Replace(t.Context(), []domain.Resealed{{Ref: ref, From: row.Sealed, To: garbage}}); err != nil || n != 1 {
				t.Fatalf("replaced %d, %v", n, err)
			}
		}
	}
	w.admin.get(t, "/console/keys").want(t, http.StatusOK).wantNo(t, `role="alert"`, "Pizza") // nobody has tried yet
	w.admin.post(t, "/console/keys/check").wantTo(t, "/console/keys")
	w.admin.get(t, "/console/keys").
		want(t, http.StatusOK, `role="alert"`, "1 Voiceflow key can&#39;t be opened", `href="/console/assistants/`+string(pizza.ID)+`">Pizza</a> (primary)`).
		wantNo(t, string(trains.ID))
	before := len(w.memory.Records())
	w.admin.post(t, "/console/keys/check").wantTo(t, "/console/keys")
	if after := w.memory.Records(); len(after) != before {
		t.Errorf("a check that finds no news left the rows %+v", after[before:])
	}
}
