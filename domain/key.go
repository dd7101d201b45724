package domain

import (
	"bytes"
	"slices"
	"time"
)

// KeyStatus is what is known about a Voiceflow key.
type KeyStatus string

// What is known about a key.
const (
	KeyOK           KeyStatus = "ok"
	KeyRejected     KeyStatus = "rejected"      // Voiceflow rejected it
	KeyNeedsReentry KeyStatus = "needs_reentry" // it can't be opened; an admin has to set it again
	KeyUnchecked    KeyStatus = "unchecked"     // Voiceflow was not asked since it could be opened again
	KeyNone         KeyStatus = "none"          // the slot is empty
)

// Fails reports whether a key with this status is expected not to work.
func (s KeyStatus) Fails() bool { return s == KeyRejected || s == KeyNeedsReentry }

// Key is what a project keeps in one slot.
type Key struct {
	Sealed  Sealed    // zero in an empty slot, and where a list leaves it out
	Status  KeyStatus // KeyNone in an empty slot
	Set     time.Time // when it was put there; zero if that is not known
	Checked time.Time // when Voiceflow last accepted or rejected it; zero if it never did
}

// Empty reports whether the slot has no key.
func (k Key) Empty() bool { return k.Status == KeyNone || k.Status == "" }

// opens reports whether there is a key that is not known to need re-entry.
func (k Key) opens() bool { return !k.Empty() && k.Status != KeyNeedsReentry }

// Equal reports whether the keys are the same, times as instants.
func (k Key) Equal(other Key) bool {
	return k.Sealed.Equal(other.Sealed) && k.Status == other.Status && k.Set.Equal(other.Set) && k.Checked.Equal(other.Checked)
}

// Equal reports whether both are the same bytes, sealed by the same keyset key.
func (s Sealed) Equal(other Sealed) bool {
	return s.Key == other.Key && bytes.Equal(s.Bytes, other.Bytes)
}

// Key returns the key in the slot.
func (p Project) Key(slot Slot) Key { return *p.slot(slot) }

func (p *Project) slot(slot Slot) *Key {
	switch slot {
	case SlotSecondary:
		return &p.Secondary
	case SlotPersonal:
		return &p.Personal
	}
	return &p.Primary
}

// holding returns the slot with these sealed bytes, or nil if no slot has them.
func (p *Project) holding(sealed Sealed) *Key {
	for _, slot := range Slots() {
		if k := p.slot(slot); !k.Empty() && !sealed.IsZero() && k.Sealed.Equal(sealed) {
			return k
		}
	}
	return nil
}

// PutKey puts a key into the slot at the time set, and replaces the one that is there.
// Voiceflow accepted the key when it was asked at the time asked.
func (p *Project) PutKey(slot Slot, sealed Sealed, set, asked time.Time) {
	*p.slot(slot) = Key{Sealed: sealed, Status: KeyOK, Set: Instant(set), Checked: Instant(asked)}
}

// DeleteKey empties the slot, which ParseSlotToEmpty has read. Returns NotFound if it is empty.
func (p *Project) DeleteKey(slot Slot) error {
	if p.Key(slot).Empty() {
		return &Error{Kind: NotFound, Public: p.Name + " has no " + string(slot) + " key"}
	}
	*p.slot(slot) = Key{Status: KeyNone}
	return nil
}

// Mark records what Voiceflow said about the key that sealed is, when it was asked at the
// given time. It reports whether that is news. News about a key that is no longer there,
// and news older than what is known, change nothing.
func (p *Project) Mark(sealed Sealed, status KeyStatus, at time.Time) (news bool) {
	k := p.holding(sealed)
	at = Instant(at)
	if k == nil || at.Before(k.Checked) {
		return false
	}
	news = k.Status != status
	k.Status, k.Checked = status, at
	return news
}

// MarkOpens records whether the key that sealed is can be opened. A key that can't be opened
// needs re-entry; one that can be opened again is unchecked. It reports whether that is
// news. It changes nothing if the key is no longer there.
func (p *Project) MarkOpens(sealed Sealed, opens bool) (news bool) {
	k := p.holding(sealed)
	if k == nil || opens != (k.Status == KeyNeedsReentry) {
		return false
	}
	k.Status = KeyNeedsReentry
	if opens {
		k.Status = KeyUnchecked
	}
	return true
}

// MayBeSet returns NeedsReentry if it is known that neither the primary nor the secondary key can
// be opened. The personal key does not count, since few calls use it.
func (p Project) MayBeSet() error {
	if p.Primary.opens() || p.Secondary.opens() {
		return nil
	}
	return &Error{Kind: NeedsReentry, Public: "the key of " + p.Name + " can't be decrypted; an admin has to set it again"}
}

// SlotKey is a sealed key and the slot that it is in.
type SlotKey struct {
	Slot Slot
	Key  Sealed
}

// KeysToTry returns the keys that a call of e tries, in their order. For most calls it is the
// primary key and then the secondary key, or the other way around if the primary key is expected
// to fail and the secondary key is not. A call that UsesPersonal tries the personal key only: if
// it fails, a project key must not hide that.
func (p Project) KeysToTry(e *Endpoint) []SlotKey {
	if p.UsesPersonal(e) {
		return []SlotKey{{SlotPersonal, p.Personal.Sealed}}
	}
	keys := make([]SlotKey, 0, 2)
	for _, slot := range []Slot{SlotPrimary, SlotSecondary} {
		if k := p.Key(slot); !k.Empty() {
			keys = append(keys, SlotKey{slot, k.Sealed})
		}
	}
	if len(keys) == 2 && p.Primary.Status.Fails() && !p.Secondary.Status.Fails() {
		keys[0], keys[1] = keys[1], keys[0]
	}
	return keys
}

// UsesPersonal reports whether a call of e is sent with the personal key of p: the slot has one,
// and e TakesPersonal.
func (p Project) UsesPersonal(e *Endpoint) bool { return e.TakesPersonal() && !p.Personal.Empty() }

// Equal reports whether p and other are the same, times as instants and keys as stored.
func (p Project) Equal(other Project) bool {
	same := p.Created.Equal(other.Created) && p.VoiceflowCreated.Equal(other.VoiceflowCreated) &&
		p.Primary.Equal(other.Primary) && p.Secondary.Equal(other.Secondary) && p.Personal.Equal(other.Personal)
	return same && p.ID == other.ID && p.Name == other.Name && p.Voiceflow == other.Voiceflow && p.Version == other.Version &&
		p.Platform == other.Platform && p.Credits == other.Credits && p.Environments.Equal(other.Environments) &&
		slices.Equal(p.PictureOrigins, other.PictureOrigins)
}
