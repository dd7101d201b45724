package app

import (
	"context"
	"errors"

	"github.com/flowlatch/flowlatch/domain"
)

// Rewrapped is what came of Service.RewrapKeys.
type Rewrapped struct {
	Key  domain.KeyID // the current one
	Done int          // rows that were sealed anew
	Left int          // rows that open and are still sealed by other keys
	// Unopened are the rows of other keys that do not open, but for conversations, in the
	// order of names.
	Unopened []Unopened
	// Forgotten is how many conversations were forgotten, or would be, since their session
	// key does not open: their callers open new ones.
	Forgotten int
}

// RewrapKeys seals with the current key whatever another key has sealed, in small changes
// and beside anything else that goes on: what somebody puts there meanwhile stays. What
// does not open stays too, but for conversations; projects' keys are marked. With dryRun
// nothing is changed, and Left is what would be sealed anew. progress is told how much of
// how much was looked at, and may be nil.
//
// It may be stopped by ctx or killed at any time, and goes on from there when it is called
// again; several at once do no harm. Stopped, it is Unavailable and says what was done.
// Only an admin may: NotAllowed.
func (s *Service) RewrapKeys(ctx context.Context, call Call, dryRun bool, progress func(done, total int)) (Rewrapped, error) {
	if err := call.Caller.MayManage(); err != nil {
		return Rewrapped{}, err
	}
	if progress == nil {
		progress = func(int, int) {}
	}
	var out Rewrapped
	err := s.ports.Keyring.Refresh(ctx)
	// Somebody may add a key meanwhile, and then it is that one that counts.
	for err == nil && s.ports.Keyring.Keys()[0] != out.Key {
		out.Key, out.Unopened = s.ports.Keyring.Keys()[0], nil
		if err = s.rewrapAll(ctx, call, dryRun, progress, &out); err == nil {
			err = s.ports.Keyring.Refresh(ctx)
		}
	}
	if out.Key == "" {
		return out, err
	}
	if err != nil && ctx.Err() != nil {
		err = &domain.Error{Kind: domain.Unavailable, Public: "stopped; what is left is done the next time"}
	}
	return out, errors.Join(err, s.endRewrap(context.WithoutCancel(ctx), call, dryRun, err, &out))
}

// rewrapAll seals everything anew that another key than out.Key has sealed.
func (s *Service) rewrapAll(ctx context.Context, call Call, dryRun bool, progress func(done, total int), out *Rewrapped) error {
	total, err := s.sealedByOthers(ctx, out.Key)
	if err != nil {
		return err
	}
	seen, after := 0, domain.SealedRef{}
	progress(0, total)
	for {
		rows, err := s.ports.Store.Sealings.Page(ctx, out.Key, after, sealedPage)
		if err != nil || len(rows) == 0 {
			return err
		}
		if err := s.rewrap(ctx, call, rows, dryRun, out); err != nil {
			return err
		}
		after = rows[len(rows)-1].Ref
		seen += len(rows)
		progress(seen, max(total, seen))
	}
}

// sealedByOthers is how many rows other keys have sealed.
func (s *Service) sealedByOthers(ctx context.Context, key domain.KeyID) (int, error) {
	uses, err := s.ports.Store.Sealings.Uses(ctx)
	n := 0
	for other, use := range uses {
		if other != key {
			n += use.Rows
		}
	}
	return n, err
}

// rewrap seals rows anew, or with dryRun only looks at them.
func (s *Service) rewrap(ctx context.Context, call Call, rows []domain.SealedRow, dryRun bool, out *Rewrapped) error {
	all, err := s.unseal(ctx, rows)
	if err != nil {
		return err
	}
	var again, lost []domain.Resealed
	for _, row := range all {
		if !dryRun {
			if err := s.mark(ctx, s.record(call, domain.ActionMarkKey, ""), row); err != nil {
				return err
			}
		}
		switch {
		case row.opens:
			to, err := s.ports.Cipher.Seal(row.secret, row.Ref.Binding(s.ports.Voiceflow.Origin()))
			if err != nil {
				return err
			}
			again = append(again, domain.Resealed{Ref: row.Ref, From: row.Sealed, To: to})
		case row.Ref.Kind == domain.SealedConversation:
			lost = append(lost, domain.Resealed{Ref: row.Ref, From: row.Sealed})
		default:
			out.Unopened = append(out.Unopened, Unopened{row.Ref, row.Name})
		}
	}
	if dryRun {
		out.Forgotten += len(lost)
		return nil
	}
	done, err := s.ports.Store.Sealings.Replace(ctx, again)
	out.Done += done
	if err != nil || len(lost) == 0 {
		return err
	}
	forgotten, err := s.ports.Store.Sealings.Replace(ctx, lost)
	out.Forgotten += forgotten
	return err
}

// endRewrap counts what is left, and records what was done, however it ended.
func (s *Service) endRewrap(ctx context.Context, call Call, dryRun bool, ended error, out *Rewrapped) error {
	sortUnopened(out.Unopened)
	left, err := s.sealedByOthers(ctx, out.Key)
	out.Left = max(left-len(out.Unopened), 0)
	if dryRun {
		out.Left = max(out.Left-out.Forgotten, 0)
	}
	if out.Done == 0 {
		return err
	}
	rec := s.record(call, domain.ActionRewrapKeys, domain.OnKey(out.Key))
	rec.Count = int64(out.Done)
	if ended != nil {
		rec.Outcome = domain.OutcomeStopped
	}
	return errors.Join(err, s.ports.Store.Audit.Append(ctx, rec))
}
