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

// sentKey is a key of the project that was sent to Voiceflow at that time.
type sentKey struct {
	domain.SlotKey
	at time.Time
}

// keyedCall is a call at Voiceflow whose credential is a key of the project.
type keyedCall struct {
	route domain.Route
	// send sends the call. good says that the answer is one that only a good key brings.
	send func(key domain.Secret) (good bool, err error)
	// again makes the call ready to be sent once more; nil where that can't be.
	again func()
}

// withKey sends the call with the key that is the first to be tried, and if Voiceflow
// rejects that, or it can't be opened, with the other one: a call that was rejected was not
// carried out. It returns the key that Voiceflow accepted, and notes what all that tells of
// the keys.
func (f *forwarding) withKey(ctx context.Context, call keyedCall) (sentKey, error) {
	var refused []sentKey
	var sent domain.Secret
	var closed, failed error // of a key that does not open, and of the last that was sent
	for _, k := range f.access.Project.KeysToTry() {
		key, err := f.openKey(f.access.Project, k.Slot, k.Key)
		switch {
		case domain.KindOf(err) == domain.NeedsReentry:
			closed = errors.Join(closed, err)
			f.note(f.markClosed(context.WithoutCancel(ctx), f.call, f.access.Project, k.Slot, k.Key))
			continue
		case err != nil:
			return sentKey{}, err
		case len(refused) > 0 && key.Equal(sent): // as it is after one was promoted
			refused = append(refused, sentKey{k, refused[0].at})
			continue
		case len(refused) > 0 && call.again == nil:
			return sentKey{}, f.tooLong(ctx, call, refused, failed)
		case len(refused) > 0:
			call.again()
		}
		sent = key
		now := sentKey{k, f.ports.Clock()}
		good, err := call.send(key)
		if f.refused = domain.KindOf(err) == domain.CredentialsRejected; f.refused {
			refused, failed = append(refused, now), err
			continue
		}
		f.noteRefused(ctx, refused, good || call.route.TellsOfKey())
		return now, err
	}
	f.noteRefused(ctx, refused, call.route.TellsOfKey())
	if failed == nil {
		failed = closed
	}
	return sentKey{}, failed
}

// tooLong ends a call that was rejected with one key and is too long to have been kept for
// the other. If the rejection was marked, the next call takes the other key first.
func (f *forwarding) tooLong(ctx context.Context, call keyedCall, refused []sentKey, err error) error {
	if !call.route.TellsOfKey() {
		return err
	}
	f.noteRefused(ctx, refused, true)
	return &domain.Error{
		Kind: domain.VoiceflowUnavailable, Cause: err,
		Public: "Voiceflow takes one key of the assistant no more; send the call again",
	}
}

// noteRefused marks the keys that Voiceflow rejected, if it is certain that the keys are the
// reason: the call could be rejected for nothing else, or it was then accepted with another
// key.
func (f *forwarding) noteRefused(ctx context.Context, refused []sentKey, certain bool) {
	if !certain {
		return
	}
	for _, key := range refused {
		f.note(f.markKey(ctx, key, domain.KeyRejected))
	}
}

// note keeps for the log why something could not be noted.
func (f *forwarding) note(err error) { f.noted = errors.Join(f.noted, err) }

// markKey notes what Voiceflow said about a key, if that is news. It goes on when the caller
// leaves.
func (f *forwarding) markKey(ctx context.Context, key sentKey, status domain.KeyStatus) error {
	p := f.access.Project
	if p.Key(key.Slot).Status == status {
		return nil
	}
	return f.Service.markKey(context.WithoutCancel(ctx), f.call, p, key.Slot, status, key.at)
}

// markKey notes what Voiceflow said about the key that p has in the slot, when it was asked
// at the given time.
func (s *Service) markKey(ctx context.Context, call Call, p domain.Project, slot domain.Slot, status domain.KeyStatus,
	at time.Time,
) error {
	rec := s.record(call, domain.ActionMarkKey, domain.OnSlot(p.ID, slot))
	rec.Outcome = string(status)
	sealed := p.Key(slot).Sealed
	return s.ports.Store.Projects.Note(ctx, p.ID, func(p *domain.Project) bool { return p.Mark(sealed, status, at) }, rec)
}

// markClosed notes that a key of the project can't be opened, if that is news and the key is
// still stored. Returns an error if the keyset here is the wrong one, which says nothing
// about the key.
func (s *Service) markClosed(ctx context.Context, call Call, p domain.Project, slot domain.Slot, key domain.Sealed) error {
	if p.Key(slot).Status == domain.KeyNeedsReentry {
		return nil
	}
	if err := s.checkReady(ctx); err != nil {
		return err
	}
	return s.mark(ctx, s.record(call, domain.ActionMarkKey, ""), unsealed{SealedRow: domain.SealedRow{
		Ref:    domain.SealedRef{Kind: domain.SealedProjectKey, ID: string(p.ID), Slot: slot},
		Sealed: key, Name: p.Name, Status: p.Key(slot).Status,
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
