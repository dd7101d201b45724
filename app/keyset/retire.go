package keyset

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/flowlatch/flowlatch/domain"
)

// Retired is the outcome of Keyset.Retire.
type Retired struct {
	Keys []domain.KeyID
	// Ended counts the sessions and conversations that were ended for it.
	Ended domain.KeyUse
}

// Retire removes keys from the keyset: the named ones, or all but the current one. With
// endSessions it first ends the sessions and conversations that need them. Only an admin may:
// NotAllowed.
//
// Returns Conflict, with counts, while something needs one of the keys: a stored row that
// opens, a live session that may have a cookie of the key, or the handle of a conversation.
// Sessions and handles whose key is unknown count against every key. Returns Conflict for the
// current key, and for a keyset that can't be changed from here. Returns NotFound for a key
// that the keyset does not have.
func (k *Keyset) Retire(ctx context.Context, call domain.Call, keys []domain.KeyID, endSessions bool) (Retired, error) {
	if err := call.Caller.MayManage(); err != nil {
		return Retired{}, err
	}
	var out Retired
	var recorded []domain.KeyID
	retired, err := k.ports.Keyring.Retire(ctx, keys, func(keys []domain.KeyID) error {
		if err := k.mayRetire(ctx, call, keys, endSessions, &out); err != nil {
			return err
		}
		// The record comes before the removal, so nothing is removed without one.
		recorded = keys
		return k.recordRetired(ctx, call, keys, domain.OutcomeOK)
	})
	out.Keys = retired
	if err != nil && recorded != nil {
		err = errors.Join(err, k.recordRetired(context.WithoutCancel(ctx), call, recorded, domain.OutcomeFailed))
	}
	return out, err
}

func (k *Keyset) recordRetired(ctx context.Context, call domain.Call, keys []domain.KeyID, outcome string) error {
	for _, key := range keys {
		rec := call.Record(k.ports.Clock(), domain.ActionRetireKeys, domain.OnKey(key))
		rec.Outcome = outcome
		if err := k.ports.Audit.Append(ctx, rec); err != nil {
			return err
		}
	}
	return nil
}

// mayRetire returns Conflict while something needs one of the keys. No instance seals with
// them at that time. It ends sessions only if no row needs the keys.
func (k *Keyset) mayRetire(ctx context.Context, call domain.Call, keys []domain.KeyID, endSessions bool, out *Retired) error {
	rows := map[domain.KeyID]int{}
	rec := call.Record(k.ports.Clock(), domain.ActionMarkKey, "")
	err := k.scan(ctx, rec, domain.SealedRef{}, sealedPage, func(row unsealed) {
		if row.opens && slices.Contains(keys, row.Sealed.Key) {
			rows[row.Sealed.Key]++
		}
	})
	if err != nil {
		return err
	}
	uses, err := k.ports.Sealings.Uses(ctx)
	if err != nil {
		return err
	}
	if err := k.Refresh(ctx); err != nil {
		return err
	}
	all := k.Keys()
	if endSessions && len(rows) == 0 {
		out.Ended, err = k.endSealedBy(ctx, call, all, keys, uses)
		return err
	}
	needed := neededBy(all, uses)
	var needs []string
	for _, key := range keys {
		use := needed[key]
		use.Rows = rows[key]
		if use != (domain.KeyUse{}) {
			needs = append(needs, "key "+string(key)+" is needed by "+inWords(use))
		}
	}
	if unknown := uses[""]; unknown != (domain.KeyUse{}) {
		needs = append(needs, "any key may be needed by "+inWords(unknown)+" whose key is unknown")
	}
	if len(needs) == 0 {
		return nil
	}
	return &domain.Error{Kind: domain.Conflict, Public: strings.Join(needs, "; ") +
		". Rows need a key until keys rewrap re-encrypts them. Sessions need it until they are used again or end. " +
		"Conversations are never re-encrypted: they need it until their login or access token ends. --end-sessions ends these sessions and conversations"}
}

// neededBy returns how much needs each key of the keyset, whose keys are all: what the key has
// sealed, and the sessions that were last seen with a cookie of an older key. Such a session
// may have been sent a cookie of the key that has not come back yet. A key that is gone is
// older than all others. The current key is the newest, so only what it has sealed counts.
func neededBy(all []domain.KeyID, uses map[domain.KeyID]domain.KeyUse) map[domain.KeyID]domain.KeyUse {
	needed := map[domain.KeyID]domain.KeyUse{all[0]: uses[all[0]]}
	sessions := 0
	for key, use := range uses {
		if key != "" && !slices.Contains(all, key) {
			sessions += use.Logins
		}
	}
	for _, key := range all[1:] {
		use := uses[key]
		sessions += use.Logins
		use.Logins = sessions
		needed[key] = use
	}
	return needed
}

// endSealedBy ends the sessions that may need one of the keys, as neededBy counts them, and
// the conversations that need one. all are the keys of the keyset. It returns what was ended,
// also with an error.
func (k *Keyset) endSealedBy(ctx context.Context, call domain.Call, all, keys []domain.KeyID, uses map[domain.KeyID]domain.KeyUse) (
	sum domain.KeyUse, err error,
) {
	newest := 0
	for _, key := range keys {
		newest = max(newest, slices.Index(all, key))
	}
	newer := append(slices.Clone(all[newest+1:]), all[0])
	for _, key := range slices.Sorted(maps.Keys(uses)) {
		if slices.Contains(newer, key) {
			continue
		}
		act := call.Act(k.ports.Clock(), domain.NeedsAdmin(), domain.ActionEndSessions, domain.OnKey(key))
		ended, err := k.ports.Sessions.End(ctx, act, domain.SessionsSealedBy(key, key == "" || slices.Contains(keys, key)))
		if err != nil {
			return sum, err
		}
		sum.Logins += ended.Sessions
		sum.Handles += ended.Handles
	}
	return sum, nil
}

// inWords returns the use in words.
func inWords(u domain.KeyUse) string {
	var parts []string
	for _, part := range []struct {
		n    int
		noun string
	}{{u.Rows, "row"}, {u.Logins, "session"}, {u.Handles, "conversation"}} {
		switch {
		case part.n == 1:
			parts = append(parts, "1 "+part.noun)
		case part.n > 1:
			parts = append(parts, strconv.Itoa(part.n)+" "+part.noun+"s")
		}
	}
	return strings.Join(parts, ", ")
}
