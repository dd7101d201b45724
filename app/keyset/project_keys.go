package keyset

import (
	"context"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// SealKey seals a Voiceflow key for the slot of the project. Returns Unavailable if the keyset
// here is not that of the database, since what another keyset seals would be lost.
func (k *Keyset) SealKey(ctx context.Context, id domain.ProjectID, slot domain.Slot, key domain.Secret) (domain.Sealed, error) {
	if err := k.check(ctx); err != nil {
		return domain.Sealed{}, &domain.Error{Kind: domain.Unavailable, Cause: err, Public: "keys can't be stored now; try again later"}
	}
	return k.Seal(key, domain.BindKey(id, slot, k.Origin()))
}

// OpenKey opens the Voiceflow key that the project has in the slot. Returns NeedsReentry, in a
// sentence that names the project, if the key can't be opened.
func (k *Keyset) OpenKey(p domain.Project, slot domain.Slot) (domain.Secret, error) {
	key, err := k.ports.Cipher.Open(p.Key(slot).Sealed, domain.BindKey(p.ID, slot, k.Origin()))
	if domain.KindOf(err) == domain.Corrupt {
		err = &domain.Error{
			Kind: domain.NeedsReentry, Cause: err,
			Public: "the " + string(slot) + " key of " + p.Name + " can't be decrypted; an admin has to set it again",
		}
	}
	return key, err
}

// NoteVerdict stores what Voiceflow said about the key that p has in the slot, when it was
// asked at the given time. It stores nothing if that is no news, or if the key was replaced.
func (k *Keyset) NoteVerdict(ctx context.Context, call domain.Call, p domain.Project, slot domain.Slot, status domain.KeyStatus,
	asked time.Time,
) error {
	rec := call.Record(k.ports.Clock(), domain.ActionMarkKey, domain.OnSlot(p.ID, slot))
	rec.Outcome = string(status)
	sealed := p.Key(slot).Sealed
	return k.ports.Projects.Note(ctx, p.ID, func(p *domain.Project) bool { return p.Mark(sealed, status, asked) }, rec)
}

// NoteUnopened stores that the key that p has in the slot can't be opened. It stores nothing if
// that is no news, or if the key was replaced. Returns Corrupt if the keyset here is not that
// of the database, which says nothing about the key.
func (k *Keyset) NoteUnopened(ctx context.Context, call domain.Call, p domain.Project, slot domain.Slot) error {
	key := p.Key(slot)
	if key.Status == domain.KeyNeedsReentry {
		return nil
	}
	if err := k.check(ctx); err != nil {
		return err
	}
	return k.mark(ctx, call.Record(k.ports.Clock(), domain.ActionMarkKey, ""), unsealed{SealedRow: domain.SealedRow{
		Ref:    domain.SealedRef{Kind: domain.SealedProjectKey, ID: string(p.ID), Slot: slot},
		Sealed: key.Sealed, Name: p.Name, Status: key.Status,
	}})
}
