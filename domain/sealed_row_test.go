package domain_test

import (
	"slices"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

func TestEachSealedPlaceHasTheBindingOfItsKind(t *testing.T) {
	const at = domain.Origin("https://api.voiceflow.test")
	places := map[domain.SealedRef]domain.Binding{
		{Kind: domain.SealedAuditCheck}:                                      domain.BindAuditCheck(),
		{Kind: domain.SealedAuditHead}:                                       domain.BindAuditHead(),
		{Kind: domain.SealedConversation, ID: "c"}:                           domain.BindConversation("c", at),
		{Kind: domain.SealedKnownValue}:                                      domain.BindKnownValue(at),
		{Kind: domain.SealedProjectKey, ID: "p", Slot: domain.SlotPrimary}:   domain.BindKey("p", domain.SlotPrimary, at),
		{Kind: domain.SealedProjectKey, ID: "p", Slot: domain.SlotSecondary}: domain.BindKey("p", domain.SlotSecondary, at),
		{Kind: domain.SealedPseudonymKey}:                                    domain.BindPseudonymKey(),
		{Kind: domain.SealedWebhook, ID: "w"}:                                domain.BindWebhook("w"),
		{}:                                                                   {}, {Kind: "no such kind", ID: "p"}: {},
	}
	for ref, want := range places {
		if got := ref.Binding(at); got != want {
			t.Errorf("%+v: got %q, want %q", ref, got.AssociatedData(), want.AssociatedData())
		}
	}
}

func TestSealedPlacesAreOrderedByKindIDAndSlot(t *testing.T) {
	ordered := []domain.SealedRef{
		{},
		{Kind: domain.SealedAuditCheck},
		{Kind: domain.SealedAuditHead},
		{Kind: domain.SealedConversation, ID: "z"},
		{Kind: domain.SealedKnownValue},
		domain.BeforeProjectKeys,
		{Kind: domain.SealedProjectKey, ID: "a", Slot: domain.SlotPrimary},
		{Kind: domain.SealedProjectKey, ID: "a", Slot: domain.SlotSecondary},
		{Kind: domain.SealedProjectKey, ID: "b", Slot: domain.SlotPrimary},
		{Kind: domain.SealedPseudonymKey},
		{Kind: domain.SealedWebhook, ID: "a"},
	}
	mixed := slices.Clone(ordered)
	slices.Reverse(mixed)
	slices.SortFunc(mixed, domain.SealedRef.Compare)
	if !slices.Equal(mixed, ordered) {
		t.Errorf("got %+v, want %+v", mixed, ordered)
	}
}
