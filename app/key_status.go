package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// KeyInUse is a key of the keyset and how much needs it: rows that open, live sessions that
// may have a cookie of it, and handles of conversations. A session may have a cookie of the
// key with which it was last seen, and of each that was added later.
type KeyInUse struct {
	ID    domain.KeyID
	Seals bool // the current one, which seals
	domain.KeyUse
}

// KeysInUse is what Service.KeyStatus returns.
type KeysInUse struct {
	Keys []KeyInUse // the current one first
	// Unknown are the cookies and handles of which it is not known which key they need.
	Unknown domain.KeyUse
	// Unopened are the rows that do not open, but for conversations, in the order of names.
	Unopened []Unopened
	// Conversations is how many conversations have a session key that does not open.
	Conversations int
}

// KeyStatus says what needs each key of the keyset. It tries to open everything that is
// stored sealed, and marks projects' keys by that. Only an admin may: NotAllowed.
func (s *Service) KeyStatus(ctx context.Context, call Call) (KeysInUse, error) {
	if err := call.Caller.MayManage(); err != nil {
		return KeysInUse{}, err
	}
	if err := s.ports.Keyring.Refresh(ctx); err != nil {
		return KeysInUse{}, err
	}
	var out KeysInUse
	rows := map[domain.KeyID]int{}
	err := s.scan(ctx, s.record(call, domain.ActionMarkKey, ""), "", domain.SealedRef{}, sealedPage, func(row unsealed) {
		switch {
		case row.opens:
			rows[row.Sealed.Key]++
		case row.Ref.Kind == domain.SealedConversation:
			out.Conversations++
		default:
			out.Unopened = append(out.Unopened, Unopened{row.Ref, row.Name})
		}
	})
	if err != nil {
		return KeysInUse{}, err
	}
	sortUnopened(out.Unopened)
	uses, err := s.ports.Store.Sealings.Uses(ctx)
	if err != nil {
		return KeysInUse{}, err
	}
	all := s.ports.Keyring.Keys()
	needed := neededBy(all, uses)
	for i, id := range all {
		use := needed[id]
		use.Rows = rows[id]
		out.Keys = append(out.Keys, KeyInUse{ID: id, Seals: i == 0, KeyUse: use})
	}
	out.Unknown = uses[""]
	return out, nil
}
