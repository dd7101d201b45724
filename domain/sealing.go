package domain

import (
	"encoding/binary"
	"strings"
)

// Installation is what a database knows about the installation that it belongs to.
type Installation struct {
	Known      Sealed // a known value, by which the keyset is recognised
	Origin     Origin // the Voiceflow that the keys in the database are for
	Pseudonyms Sealed // the key of the pseudonyms, which stays the same for good
	// Head is the end of the audit's chain. Only a start-up check is told, and may put one
	// there where there is none.
	Head AuditHead
}

// KeyID names a key of the service's keyset.
type KeyID string

// Sealed is a secret as it is stored: encrypted, authenticated, and bound to what it
// was sealed for.
type Sealed struct {
	Key   KeyID  // which key sealed it
	Bytes []byte // not to be changed by whoever holds it
}

// IsZero says whether there is nothing in it.
func (s Sealed) IsZero() bool { return len(s.Bytes) == 0 }

// Slot is one of the places that a project has for a key.
type Slot string

// The slots. Voiceflow has a primary and a secondary key of a project live at the same
// time (Voiceflow's API reference, 'Authentication'), so that keys can be rotated without
// a gap.
const (
	SlotPrimary   Slot = "primary" // holds the key that a project was added with
	SlotSecondary Slot = "secondary"
)

// Slots returns all slots, the primary one first.
func Slots() []Slot { return []Slot{SlotPrimary, SlotSecondary} }

// ParseSlot reads the parameter slot: primary, which "" stands for too, or secondary. It
// is Invalid otherwise.
func ParseSlot(text string) (Slot, error) {
	switch slot := Slot(strings.TrimSpace(text)); slot {
	case "":
		return SlotPrimary, nil
	case SlotPrimary, SlotSecondary:
		return slot, nil
	}
	return "", invalid("slot must be primary or secondary")
}

// Binding is what sealed bytes are bound to: they open only for an equal one. Only
// this package makes them, so what may be sealed to what is decided here. The zero
// Binding is refused by ports.Cipher.
type Binding struct{ ad string }

// BindKey binds a Voiceflow key to its project, its slot and the Voiceflow that it is
// for, so that a ciphertext copied to another row does not open, and a service that
// is pointed at another Voiceflow can't send it there.
func BindKey(p ProjectID, s Slot, at Origin) Binding {
	return bind("flowlatch/project-key/v1", string(p), string(s), string(at))
}

// BindCookie binds the cookie of a session to the session's kind.
func BindCookie(kind SessionKind) Binding { return bind("flowlatch/cookie/v1", string(kind)) }

// BindKnownValue binds the value by which a keyset is recognised to the Voiceflow
// that the installation belongs to.
func BindKnownValue(at Origin) Binding { return bind("flowlatch/known-value/v1", string(at)) }

// BindConversation binds Voiceflow's session key to its conversation and to the
// Voiceflow that it is for.
func BindConversation(id ConversationID, at Origin) Binding {
	return bind("flowlatch/conversation/v1", string(id), string(at))
}

// BindPseudonymKey binds the key of an installation's pseudonyms.
func BindPseudonymKey() Binding { return bind("flowlatch/pseudonym-key/v1") }

// BindAuditHead binds the signed end of the audit's chain.
func BindAuditHead() Binding { return bind("flowlatch/audit-head/v1") }

// BindUserIDs binds the pseudonyms of the user ids that actor uses with a project: the
// same id of two actors gives two.
func BindUserIDs(p ProjectID, actor Actor) Binding {
	return bind("flowlatch/user-ids/v1", string(p), string(actor))
}

// BindBackup binds the digest of a backup file.
func BindBackup() Binding { return bind("flowlatch/backup/v1") }

// AssociatedData is the binding as a cipher needs it. It is "" for the zero Binding only.
func (b Binding) AssociatedData() string { return b.ad }

// bind puts each field behind its length, so that no two lists of fields give the
// same bytes.
func bind(fields ...string) Binding {
	var ad []byte
	for _, f := range fields {
		ad = binary.AppendUvarint(ad, uint64(len(f)))
		ad = append(ad, f...)
	}
	return Binding{ad: string(ad)}
}
