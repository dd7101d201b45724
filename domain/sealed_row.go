package domain

import (
	"cmp"
	"strings"
)

// SealedKind says what is stored sealed.
type SealedKind string

// All kinds. In the order of these words, conversations come before projects' keys.
const (
	SealedAuditCheck     SealedKind = "audit_check"     // what the verifications of the audit have found
	SealedAuditHead      SealedKind = "audit_head"      // the signed end of the audit's chain
	SealedConversation   SealedKind = "conversation"    // Voiceflow's session key of a conversation
	SealedKnownValue     SealedKind = "known_value"     // by which the keyset is recognized
	SealedProjectKey     SealedKind = "project_key"     // a Voiceflow key of a project
	SealedProviderTokens SealedKind = "provider_tokens" // the tokens of the identity provider of a login
	SealedPseudonymKey   SealedKind = "pseudonym_key"   // the key of the pseudonyms
	SealedWebhook        SealedKind = "webhook"         // the signing secret of a webhook
)

// Forgettable reports whether what is stored sealed goes once it can't be opened: a conversation, and a
// login with the tokens of the identity provider. Without the tokens nobody could ask the provider about
// the user of the login. Callers start new conversations, and users log in again.
func (k SealedKind) Forgettable() bool { return k == SealedConversation || k == SealedProviderTokens }

// SealedRef names a place where something is stored sealed. The zero SealedRef names none
// and comes before all others.
type SealedRef struct {
	Kind SealedKind
	ID   string // of the project, the conversation, the login or the webhook; "" for the other kinds
	Slot Slot   // of a project's key
}

// BeforeProjectKeys is the place before all projects' keys. A page after it begins with them.
var BeforeProjectKeys = SealedRef{Kind: SealedProjectKey}

// Compare orders places by the bytes of kind, id and slot.
func (r SealedRef) Compare(other SealedRef) int {
	return cmp.Or(strings.Compare(string(r.Kind), string(other.Kind)), strings.Compare(r.ID, other.ID),
		strings.Compare(string(r.Slot), string(other.Slot)))
}

// Binding returns the Binding of the sealed bytes in this place, in an installation that belongs
// to the Voiceflow at at. It is zero for the zero SealedRef.
func (r SealedRef) Binding(at Origin) Binding {
	switch r.Kind {
	case SealedAuditCheck:
		return BindAuditCheck()
	case SealedAuditHead:
		return BindAuditHead()
	case SealedConversation:
		return BindConversation(ConversationID(r.ID), at)
	case SealedKnownValue:
		return BindKnownValue(at)
	case SealedProjectKey:
		return BindKey(ProjectID(r.ID), r.Slot, at)
	case SealedProviderTokens:
		return BindProviderTokens(SessionID(r.ID))
	case SealedPseudonymKey:
		return BindPseudonymKey()
	case SealedWebhook:
		return BindWebhook(WebhookID(r.ID))
	}
	return Binding{}
}

// SealedRow is what is stored in a place.
type SealedRow struct {
	Ref    SealedRef
	Sealed Sealed
	Name   string    // of the project, for a project's key
	Status KeyStatus // of a project's key
}

// Resealed is what is stored in a place, and what replaces it: the same secret, re-encrypted. A
// zero To forgets the row, whose kind must be Forgettable.
type Resealed struct {
	Ref      SealedRef
	From, To Sealed
}

// KeyUse is how much a keyset key has sealed.
type KeyUse struct {
	Rows    int // stored rows
	Logins  int // cookies of live sessions, of both kinds
	Handles int // handles of conversations that can be used
}
