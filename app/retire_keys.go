package app

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/flowlatch/flowlatch/domain"
)

// Retired is what came of Service.RetireKeys.
type Retired struct {
	Keys []domain.KeyID
	// Ended are the sessions and conversations that were ended for it.
	Ended domain.KeyUse
}

// RetireKeys takes keys out of the keyset: those that are named, or all but the current
// one. It is Conflict while a stored row that opens, a live session that may have a cookie
// of one of them, or the handle of a conversation still needs one, and says how many of
// each; sessions and handles of which it is not known which key they need count for every
// key. With endSessions those sessions and conversations are ended first. It is Conflict too for the current key and
// for a keyset that can't be changed from here, and NotFound for a key that the keyset has
// not. Only an admin may: NotAllowed.
func (s *Service) RetireKeys(ctx context.Context, call Call, keys []domain.KeyID, endSessions bool) (Retired, error) {
	if err := call.Caller.MayManage(); err != nil {
		return Retired{}, err
	}
	var out Retired
	var recorded []domain.KeyID
	retired, err := s.ports.Keyring.Retire(ctx, keys, func(keys []domain.KeyID) error {
		if err := s.mayRetire(ctx, call, keys, endSessions, &out); err != nil {
			return err
		}
		// First the record, then the deed: nothing is done without one.
		recorded = keys
		return s.recordRetired(ctx, call, keys, domain.OutcomeOK)
	})
	out.Keys = retired
	if err != nil && recorded != nil {
		err = errors.Join(err, s.recordRetired(context.WithoutCancel(ctx), call, recorded, domain.OutcomeFailed))
	}
	return out, err
}

func (s *Service) recordRetired(ctx context.Context, call Call, keys []domain.KeyID, outcome string) error {
	for _, key := range keys {
		rec := s.record(call, domain.ActionRetireKeys, domain.OnKey(key))
		rec.Outcome = outcome
		if err := s.ports.Store.Audit.Append(ctx, rec); err != nil {
			return err
		}
	}
	return nil
}

// mayRetire is Conflict while something needs one of the keys, with which nothing is
// sealed any more. Sessions are ended only when no row needs them.
func (s *Service) mayRetire(ctx context.Context, call Call, keys []domain.KeyID, endSessions bool, out *Retired) error {
	rows := map[domain.KeyID]int{}
	err := s.scan(ctx, s.record(call, domain.ActionMarkKey, ""), "", domain.SealedRef{}, sealedPage, func(row unsealed) {
		if row.opens && slices.Contains(keys, row.Sealed.Key) {
			rows[row.Sealed.Key]++
		}
	})
	if err != nil {
		return err
	}
	uses, err := s.ports.Store.Sealings.Uses(ctx)
	if err != nil {
		return err
	}
	if err := s.ports.Keyring.Refresh(ctx); err != nil {
		return err
	}
	all := s.ports.Keyring.Keys()
	if endSessions && len(rows) == 0 {
		out.Ended, err = s.endSealedBy(ctx, call, all, keys, uses)
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
		needs = append(needs, "any key may be needed by "+inWords(unknown)+" from before it was kept which one that is")
	}
	if len(needs) == 0 {
		return nil
	}
	return &domain.Error{Kind: domain.Conflict, Public: strings.Join(needs, "; ") +
		". Rows need it until a rewrap, and sessions until they have been used again or are over. Conversations are never sealed anew: " +
		"they need it until their login or access token ends. Sessions and conversations can be ended with --end-sessions"}
}

// neededBy is how much needs each of the keys, which are all of the keyset's: what the key
// has sealed, and the sessions that were last seen with a cookie of an older one. Those may
// have been sent a cookie of it that has not come back yet. A key that is gone is older
// than all, and the current one is the newest, for which it makes no difference.
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
// the conversations that do. all are the keys of the keyset. It returns what was ended, also
// beside an error.
func (s *Service) endSealedBy(ctx context.Context, call Call, all, keys []domain.KeyID, uses map[domain.KeyID]domain.KeyUse) (
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
		act := s.act(call, domain.NeedsAdmin(), domain.ActionEndSessions, domain.OnKey(key))
		ended, err := s.ports.Store.Sessions.End(ctx, act, domain.SessionsSealedBy(key, key == "" || slices.Contains(keys, key)))
		if err != nil {
			return sum, err
		}
		sum.Logins += ended.Sessions
		sum.Handles += ended.Handles
	}
	return sum, nil
}

// inWords says how much a use is.
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
