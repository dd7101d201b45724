package keyset

import (
	"context"
	"errors"

	"github.com/flowlatch/flowlatch/domain"
)

// Reencrypted is the outcome of Keyset.Reencrypt.
type Reencrypted struct {
	Key  domain.KeyID // the current one
	Done int          // rows that were re-encrypted
	Left int          // rows that open and that another key has sealed
	// Unopened are the rows of other keys that can't be opened, without those that are forgotten,
	// ordered by name.
	Unopened []Unopened
	// Forgotten is how many conversations were forgotten because their session key can't be
	// opened. In a dry run it is how many would be. Their callers start new ones.
	Forgotten int
	// Logins is how many logins by the identity provider ended because their tokens can't be opened. In
	// a dry run it is how many would. Their users log in again.
	Logins int
}

// Reencrypt seals with the current key everything that another key has sealed. It works in
// small changes while the service runs, and does not overwrite what is stored meanwhile.
// Rows that can't be opened stay, and projects' keys are marked. Conversations that can't be
// opened are forgotten, and logins whose tokens of the identity provider can't be opened end. With dryRun nothing is changed, and Left counts the rows that would
// be re-encrypted. progress may be nil; it is told how many of how many rows were looked at.
//
// Reencrypt may be stopped at any time, by ctx or by a kill, and continues when it is called
// again. Several calls may run at once. Returns Unavailable, with what was done, if ctx stops
// it. Only an admin may: NotAllowed.
func (k *Keyset) Reencrypt(ctx context.Context, call domain.Call, dryRun bool, progress func(done, total int)) (Reencrypted, error) {
	if err := call.Caller.MayManage(); err != nil {
		return Reencrypted{}, err
	}
	if progress == nil {
		progress = func(int, int) {}
	}
	var out Reencrypted
	current, err := k.refreshed(ctx)
	// If somebody adds a key meanwhile, that one is the current key.
	for err == nil && current != out.Key {
		out.Key, out.Unopened = current, nil
		if err = k.reencryptAll(ctx, call, dryRun, progress, &out); err == nil {
			current, err = k.refreshed(ctx)
		}
	}
	if out.Key == "" {
		return out, err
	}
	if err != nil && ctx.Err() != nil {
		err = &domain.Error{Kind: domain.Unavailable, Public: "stopped; the next run continues"}
	}
	return out, errors.Join(err, k.endReencrypt(context.WithoutCancel(ctx), call, dryRun, err, &out))
}

// reencryptAll re-encrypts everything that another key than out.Key has sealed.
func (k *Keyset) reencryptAll(ctx context.Context, call domain.Call, dryRun bool, progress func(done, total int), out *Reencrypted) error {
	total, err := k.sealedByOthers(ctx, out.Key)
	if err != nil {
		return err
	}
	seen, after := 0, domain.SealedRef{}
	progress(0, total)
	for {
		rows, err := k.ports.Sealings.Page(ctx, out.Key, after, sealedPage)
		if err != nil || len(rows) == 0 {
			return err
		}
		if err := k.reencrypt(ctx, call, rows, dryRun, out); err != nil {
			return err
		}
		after = rows[len(rows)-1].Ref
		seen += len(rows)
		progress(seen, max(total, seen))
	}
}

// sealedByOthers returns how many rows other keys have sealed.
func (k *Keyset) sealedByOthers(ctx context.Context, key domain.KeyID) (int, error) {
	uses, err := k.ports.Sealings.Uses(ctx)
	n := 0
	for other, use := range uses {
		if other != key {
			n += use.Rows
		}
	}
	return n, err
}

// reencrypt re-encrypts rows. With dryRun it only looks at them.
func (k *Keyset) reencrypt(ctx context.Context, call domain.Call, rows []domain.SealedRow, dryRun bool, out *Reencrypted) error {
	all, err := k.unseal(ctx, rows)
	if err != nil {
		return err
	}
	var again []domain.Resealed
	lost := map[domain.SealedKind][]domain.Resealed{}
	for _, row := range all {
		if !dryRun {
			if err := k.mark(ctx, call.Record(k.ports.Clock(), domain.ActionMarkKey, ""), row); err != nil {
				return err
			}
		}
		switch {
		case row.opens:
			to, err := k.Seal(row.secret, row.Ref.Binding(k.Origin()))
			if err != nil {
				return err
			}
			again = append(again, domain.Resealed{Ref: row.Ref, From: row.Sealed, To: to})
		case row.Ref.Kind.Forgettable():
			lost[row.Ref.Kind] = append(lost[row.Ref.Kind], domain.Resealed{Ref: row.Ref, From: row.Sealed})
		default:
			out.Unopened = append(out.Unopened, Unopened{row.Ref, row.Name})
		}
	}
	if dryRun {
		out.Forgotten += len(lost[domain.SealedConversation])
		out.Logins += len(lost[domain.SealedProviderTokens])
		return nil
	}
	done, err := k.ports.Sealings.Replace(ctx, again)
	out.Done += done
	if err != nil {
		return err
	}
	return errors.Join(k.forget(ctx, lost[domain.SealedConversation], &out.Forgotten),
		k.forget(ctx, lost[domain.SealedProviderTokens], &out.Logins))
}

// forget forgets the rows and adds to n how many went.
func (k *Keyset) forget(ctx context.Context, rows []domain.Resealed, n *int) error {
	if len(rows) == 0 {
		return nil
	}
	gone, err := k.ports.Sealings.Replace(ctx, rows)
	*n += gone
	return err
}

// endReencrypt counts the rows that are left and records what was done. ended is the error
// that ended the run.
func (k *Keyset) endReencrypt(ctx context.Context, call domain.Call, dryRun bool, ended error, out *Reencrypted) error {
	sortUnopened(out.Unopened)
	left, err := k.sealedByOthers(ctx, out.Key)
	out.Left = max(left-len(out.Unopened), 0)
	if dryRun {
		out.Left = max(out.Left-out.Forgotten-out.Logins, 0)
	}
	if out.Done == 0 {
		return err
	}
	rec := call.Record(k.ports.Clock(), domain.ActionRewrapKeys, domain.OnKey(out.Key))
	rec.Count = int64(out.Done)
	if ended != nil {
		rec.Outcome = domain.OutcomeStopped
	}
	return errors.Join(err, k.ports.Audit.Append(ctx, rec))
}
