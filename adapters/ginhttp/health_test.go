package ginhttp_test

import (
	"context"
	"errors"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// countless are Sealings that can't say how many keys do not open.
type countless struct{ ports.Sealings }

func (countless) ToReenter(context.Context) (int, error) { return 0, errors.New("boom") }

func TestReadyzTellsAnAdminHowManyKeysHaveToBeEnteredAgain(t *testing.T) {
	w := newWorld(t)
	w.addProject(t, "Support bot")
	bad := w.addProject(t, "Sales bot")
	manages := w.token(t, w.admin, `{"name":"x","scopes":["manage"]}`)
	opens := w.token(t, w.admin, `{"name":"x","project_id":"`+string(bad.ID)+`"}`)
	wantTold := func(want any) {
		t.Helper()
		for name, b := range map[string]*browser{"an admin": w.admin, "a token that manages": manages} {
			if got := b.do(t, "GET", "/readyz", "").want(t, 200, "").body["needs_reentry"]; got != want {
				t.Errorf("%s: got %v, want %v", name, got, want)
			}
		}
	}
	wantTold(0.0)
	ref := domain.SealedRef{Kind: domain.SealedProjectKey, ID: string(bad.ID), Slot: domain.SlotPrimary}
	rows, err := w.ports.Store.Sealings.Page(t.Context(), "", domain.BeforeProjectKeys, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.Ref != ref {
			continue
		}
		broken := domain.Resealed{Ref: ref, From: r.Sealed, To: domain.Sealed{Key: "gone", Bytes: []byte("garbage")}}
		if n, err := w.ports.Store.Sealings.Replace(t.Context(), []domain.Resealed{broken}); n != 1 || err != nil {
			t.Fatalf("got %d and error %v", n, err)
		}
	}
	if err := w.service.Keyset().MarkUnopened(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantTold(1.0)
	for name, b := range map[string]*browser{"nobody": w.nobody, "a member": w.member, "a token of an admin's that opens an assistant": opens} {
		got := b.do(t, "GET", "/readyz", "").want(t, 200, "")
		if _, told := got.body["needs_reentry"]; told || len(got.body) != 1 {
			t.Errorf("%s is told %s", name, got.raw)
		}
	}
	w.admin.do(t, "HEAD", "/readyz", "").want(t, 200, "")

	// What can't be counted is no failure of the probe.
	sick := newWorld(t, bare, func(s *world) { s.ports = w.ports; s.ports.Store.Sealings = countless{w.ports.Store.Sealings} })
	got := sick.login(t, "admin").do(t, "GET", "/readyz", "").want(t, 200, "")
	if _, told := got.body["needs_reentry"]; told {
		t.Errorf("got %s", got.raw)
	}
	unidentified := newWorld(t, hosted(byHeader))
	unidentified.nobody.do(t, "GET", "/readyz", "").want(t, 200, "")
}
