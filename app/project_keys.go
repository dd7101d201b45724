package app

import (
	"context"
	"errors"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

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
		key, err := f.keyset.OpenKey(f.access.Project, k.Slot)
		switch {
		case domain.KindOf(err) == domain.NeedsReentry:
			closed = errors.Join(closed, err)
			f.note(f.keyset.NoteUnopened(context.WithoutCancel(ctx), f.call, f.access.Project, k.Slot))
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
	return f.keyset.NoteVerdict(context.WithoutCancel(ctx), f.call, p, key.Slot, status, key.at)
}
