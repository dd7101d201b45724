package domain

import (
	"encoding/binary"
	"strings"
)

// Installation is what a database knows about the installation that it belongs to.
type Installation struct {
	Known      Sealed // a known value, by which the keyset is recognized
	Origin     Origin // the Voiceflow that the keys in the database are for
	Pseudonyms Sealed // the key of the pseudonyms, which never changes
	// Head is the end of the audit's chain. Only the check at the start gets it. The check
	// may set it if none is stored.
	Head AuditHead
}

// Changed returns i as the check at the start leaves it: to, with the head of i if one is stored.
func (i Installation) Changed(to Installation) Installation {
	if !i.Head.Sealed.IsZero() {
		to.Head = i.Head
	}
	return to
}

// KeyID names a key of the service's keyset.
type KeyID string

// Sealed is a secret as it is stored: encrypted, authenticated, and bound to what it was
// sealed for.
type Sealed struct {
	Key   KeyID  // the keyset key that sealed it
	Bytes []byte // never changed by whoever holds them
}

// IsZero reports whether s is empty.
func (s Sealed) IsZero() bool { return len(s.Bytes) == 0 }

// Slot is one of the places that a project has for a Voiceflow key.
type Slot string

// The slots. At Voiceflow the primary and the secondary key of a project are valid at the same
// time (Voiceflow's API reference, 'Authentication'), so that keys can be rotated without a
// gap.
const (
	SlotPrimary   Slot = "primary" // holds the key that a project was added with
	SlotSecondary Slot = "secondary"
	// SlotPersonal holds a personal access token of Voiceflow. Voiceflow documents it for its
	// stable API, in place of a project's key. It opens everything in its owner's workspaces.
	SlotPersonal Slot = "personal"
)

// Slots lists every Slot, the primary one first.
func Slots() []Slot { return []Slot{SlotPrimary, SlotSecondary, SlotPersonal} }

// ParseSlot reads the parameter slot: primary, secondary or personal. "" is primary. Returns
// Invalid for any other text.
func ParseSlot(text string) (Slot, error) {
	switch slot := Slot(strings.TrimSpace(text)); slot {
	case "":
		return SlotPrimary, nil
	case SlotPrimary, SlotSecondary, SlotPersonal:
		return slot, nil
	}
	return "", invalid("slot must be primary, secondary or personal")
}

// ParseSlotToEmpty reads the parameter slot of a key that is to be deleted: secondary or personal.
// Returns Invalid for any other text: a project always has a primary key.
func ParseSlotToEmpty(text string) (Slot, error) {
	switch slot := Slot(strings.TrimSpace(text)); slot {
	case SlotSecondary, SlotPersonal:
		return slot, nil
	case SlotPrimary:
		return "", invalid("the primary key can't be deleted; set another one in its place, or delete the assistant")
	}
	return "", invalid("slot must be secondary or personal")
}

// Binding is what sealed bytes are bound to. They open only with an equal Binding. Only this
// package makes Bindings, so this package decides what can be sealed. A ports.Cipher refuses
// the zero Binding.
type Binding struct{ ad string }

// BindKey binds a Voiceflow key to its project, its slot and the Voiceflow that it is for. A
// ciphertext that is copied to another row does not open. A service that is pointed at another
// Voiceflow can't send the key there.
func BindKey(p ProjectID, s Slot, at Origin) Binding {
	return bind("flowlatch/project-key/v1", string(p), string(s), string(at))
}

// BindCookie binds the cookie of a session to the session's kind.
func BindCookie(kind SessionKind) Binding { return bind("flowlatch/cookie/v1", string(kind)) }

// BindSetupLink binds the token of a set-up link.
func BindSetupLink() Binding { return bind("flowlatch/setup-link/v1") }

// BindNotice binds a notice to the user who gets it. "" is a caller who is not logged in.
func BindNotice(user UserID) Binding { return bind("flowlatch/notice/v1", string(user)) }

// BindLoginLink binds the token of a link that logs a user in.
func BindLoginLink() Binding { return bind("flowlatch/login-link/v1") }

// BindSignOn binds the cookie of a login by the identity provider that is under way.
func BindSignOn() Binding { return bind("flowlatch/sign-on/v1") }

// BindProviderTokens binds the tokens of the identity provider to the login that they belong to.
func BindProviderTokens(login SessionID) Binding {
	return bind("flowlatch/provider-tokens/v1", string(login))
}

// BindKnownValue binds the value by which a keyset is recognized to the Voiceflow that the
// installation belongs to.
func BindKnownValue(at Origin) Binding { return bind("flowlatch/known-value/v1", string(at)) }

// BindConversation binds Voiceflow's session key to its conversation and to the Voiceflow that
// it is for.
func BindConversation(id ConversationID, at Origin) Binding {
	return bind("flowlatch/conversation/v1", string(id), string(at))
}

// BindPseudonymKey binds the key of an installation's pseudonyms.
func BindPseudonymKey() Binding { return bind("flowlatch/pseudonym-key/v1") }

// BindAuditHead binds the signed end of the audit's chain.
func BindAuditHead() Binding { return bind("flowlatch/audit-head/v1") }

// BindAuditCheck binds what the verifications of the audit have found.
func BindAuditCheck() Binding { return bind("flowlatch/audit-check/v1") }

// BindUserIDs binds the pseudonyms of the user ids that actor uses with a project. The same id
// has different pseudonyms for different actors.
func BindUserIDs(p ProjectID, actor Actor) Binding {
	return bind("flowlatch/user-ids/v1", string(p), string(actor))
}

// BindWebhook binds the signing secret of a webhook to the webhook.
func BindWebhook(id WebhookID) Binding { return bind("flowlatch/webhook/v1", string(id)) }

// BindBackup binds the digest of a backup file.
func BindBackup() Binding { return bind("flowlatch/backup/v1") }

// AssociatedData returns the binding as a cipher needs it. It is "" only for the zero Binding.
func (b Binding) AssociatedData() string { return b.ad }

// bind writes each field after its length, so that no two lists of fields give the same bytes.
func bind(fields ...string) Binding {
	var ad []byte
	for _, f := range fields {
		ad = binary.AppendUvarint(ad, uint64(len(f)))
		ad = append(ad, f...)
	}
	return Binding{ad: string(ad)}
}
