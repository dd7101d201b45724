package app

import (
	"context"
	"errors"
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
// one. It is Conflict while a stored row that opens, a live cookie or the handle of a
// conversation still needs one of them, and says how many of each; cookies and handles of
// which it is not known which key they need count for every key. With endSessions those
// sessions and conversations are ended first. It is Conflict too for the current key and
// for a keyset that can't be changed from here, and NotFound for a key that the keyset has
// not. Only an admin may: NotAllowed.
func (s *Service) RetireKeys(ctx context.Context, call Call, keys []domain.KeyID, endSessions bool) (Retired, error) {
	if err := call.Caller.MayManage(); err != nil {
		return Retired{}, err
	}
	var out Retired
	var recorded []domain.KeyID
	retired, err := s.ports.Cipher.Retire(ctx, keys, func(keys []domain.KeyID) error {
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
		if err := s.ports.AuditLog.Append(ctx, rec); err != nil {
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
	uses, err := s.ports.Sealings.Uses(ctx)
	if err != nil {
		return err
	}
	if endSessions && len(rows) == 0 {
		for _, key := range append(slices.Clone(keys), "") {
			ended, err := s.ports.Sealings.EndSealedBy(ctx, key, true, s.record(call, domain.ActionEndSessions, domain.OnKey(key)))
			if err != nil {
				return err
			}
			out.Ended.Logins += ended.Logins
			out.Ended.Handles += ended.Handles
		}
		return nil
	}
	var needs []string
	for _, key := range keys {
		use := uses[key]
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
		". Rows need a rewrap; sessions and conversations need none once they have been used or are over, and can be ended"}
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
