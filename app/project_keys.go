package app

import (
	"context"
	"errors"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// openKey opens a key of the project. It is NeedsReentry, in a sentence that names the
// project, where it does not open.
func (s *Service) openKey(p domain.Project, slot domain.Slot, sealed domain.Sealed) (domain.Secret, error) {
	key, err := s.ports.Cipher.Open(sealed, domain.BindKey(p.ID, slot, s.ports.Voiceflow.Origin()))
	if domain.KindOf(err) == domain.Corrupt {
		err = &domain.Error{
			Kind: domain.NeedsReentry, Cause: err,
			Public: "the " + string(slot) + " key of " + p.Name + " does not open; an admin has to set it again",
		}
	}
	return key, err
}

// keyedCall is a call at Voiceflow whose credential is a key of the project.
type keyedCall struct {
	route domain.Route
	// send sends the call. good says that the answer is one that only a good key brings.
	send func(key domain.Secret) (good bool, err error)
	// again makes the call ready to be sent once more; nil where that can't be.
	again func()
}

// withKey sends the call with the key that is the first to be tried, and where Voiceflow
// refuses that, or where it does not open, with the other one: a call that was refused
// was not carried out. It returns the slot of the key that Voiceflow took, and notes what
// all that tells of the keys.
func (f *forwarding) withKey(ctx context.Context, call keyedCall) (domain.Slot, error) {
	var refused []domain.Slot
	var sent domain.Secret
	var closed, failed error // of a key that does not open, and of the last that was sent
	for _, k := range f.access.Keys() {
		key, err := f.openKey(f.access.Project, k.Slot, k.Key)
		switch {
		case domain.KindOf(err) == domain.NeedsReentry:
			closed = errors.Join(closed, err)
			f.note(f.markClosed(context.WithoutCancel(ctx), f.call, f.access.Project, k.Slot, k.Key))
			continue
		case err != nil:
			return "", err
		case len(refused) > 0 && key.Equal(sent): // as it is after one was promoted
			refused = append(refused, k.Slot)
			continue
		case len(refused) > 0 && call.again == nil:
			return "", f.tooLong(ctx, call, refused, failed)
		case len(refused) > 0:
			call.again()
		}
		sent = key
		good, err := call.send(key)
		if f.refused = domain.KindOf(err) == domain.CredentialsRejected; f.refused {
			refused, failed = append(refused, k.Slot), err
			continue
		}
		f.noteRefused(ctx, refused, good || call.route.TellsOfKey())
		return k.Slot, err
	}
	f.noteRefused(ctx, refused, call.route.TellsOfKey())
	if failed == nil {
		failed = closed
	}
	return "", failed
}

// tooLong ends a call that was refused with one key and is too long to have been kept for
// the other. Where the refusal was marked, the next call takes the other key first.
func (f *forwarding) tooLong(ctx context.Context, call keyedCall, refused []domain.Slot, err error) error {
	if !call.route.TellsOfKey() {
		return err
	}
	f.noteRefused(ctx, refused, true)
	return &domain.Error{
		Kind: domain.VoiceflowUnavailable, Cause: err,
		Public: "Voiceflow takes one key of the assistant no more; send the call again",
	}
}

// noteRefused marks the keys that Voiceflow refused, if it is certain that this was for
// the keys: since the call could be refused for nothing else, or since it was then
// accepted with another key.
func (f *forwarding) noteRefused(ctx context.Context, refused []domain.Slot, certain bool) {
	if !certain {
		return
	}
	for _, slot := range refused {
		f.note(f.markKey(ctx, slot, domain.KeyRejected))
	}
}

// note keeps for the log why something could not be noted.
func (f *forwarding) note(err error) { f.noted = errors.Join(f.noted, err) }

// markKey notes what is known of a key of the project, where that is news. That the
// caller leaves does not end it.
func (f *forwarding) markKey(ctx context.Context, slot domain.Slot, status domain.KeyStatus) error {
	p := f.access.Project
	if p.Status(slot) == status {
		return nil
	}
	return f.Service.markKey(context.WithoutCancel(ctx), f.call, p.ID, slot, status, f.looked)
}

// markKey notes what is known of a key that was looked up at that time.
func (s *Service) markKey(ctx context.Context, call Call, id domain.ProjectID, slot domain.Slot, status domain.KeyStatus,
	looked time.Time,
) error {
	rec := s.record(call, domain.ActionMarkKey, domain.OnSlot(id, slot))
	rec.Outcome = string(status)
	return s.ports.Projects.MarkKey(ctx, id, slot, status, looked, rec)
}

// markClosed notes that a key of the project does not open, where that is news and the key
// is the one that is stored still. It is an error where the keyset here is the one that is
// wrong: that says nothing of the key.
func (s *Service) markClosed(ctx context.Context, call Call, p domain.Project, slot domain.Slot, key domain.Sealed) error {
	if p.Status(slot) == domain.KeyNeedsReentry {
		return nil
	}
	if err := s.checkReady(ctx); err != nil {
		return err
	}
	return s.mark(ctx, s.record(call, domain.ActionMarkKey, ""), unsealed{SealedRow: domain.SealedRow{
		Ref:    domain.SealedRef{Kind: domain.SealedProjectKey, ID: string(p.ID), Slot: slot},
		Sealed: key, Name: p.Name, Status: p.Status(slot),
	}})
}

// sealKey seals a key of the project, where the keyset here is the one of the database:
// what another one seals would be lost. It is Unavailable otherwise.
func (s *Service) sealKey(ctx context.Context, id domain.ProjectID, slot domain.Slot, key domain.Secret) (domain.Sealed, error) {
	if err := s.checkReady(ctx); err != nil {
		return domain.Sealed{}, &domain.Error{Kind: domain.Unavailable, Cause: err, Public: "keys can't be kept at present; try again later"}
	}
	return s.ports.Cipher.Seal(key, domain.BindKey(id, slot, s.ports.Voiceflow.Origin()))
}
