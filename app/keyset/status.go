package keyset

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// KeyInUse is a key of the keyset and how much needs it: rows that it opens, live sessions
// that may have a cookie of it, and handles of conversations. A session may have a cookie of
// the key that it was last seen with, and of each key that was added later.
type KeyInUse struct {
	ID    domain.KeyID
	Seals bool // the current key, which seals
	domain.KeyUse
}

// Status is what needs the keys of a keyset.
type Status struct {
	Keys []KeyInUse // the current one first
	// Unknown counts the cookies and handles whose key is unknown.
	Unknown domain.KeyUse
	// Unopened are the rows that can't be opened, without Conversations and Logins, ordered by name.
	Unopened []Unopened
	// Conversations is how many conversations have a session key that can't be opened.
	Conversations int
	// Logins is how many logins have tokens of the identity provider that can't be opened.
	Logins int
}

// Retirable returns the keys that nothing needs, so that Retire removes them. There are none while
// the key of a cookie or handle is unknown.
func (s Status) Retirable() []domain.KeyID {
	var all []domain.KeyID
	for _, k := range s.Keys {
		if !k.Seals && k.KeyUse == (domain.KeyUse{}) && s.Unknown == (domain.KeyUse{}) {
			all = append(all, k.ID)
		}
	}
	return all
}

// Status returns what needs each key of the keyset. It tries to open everything that is stored
// sealed, and marks projects' keys by whether they open. Only an admin may: NotAllowed.
func (k *Keyset) Status(ctx context.Context, call domain.Call) (Status, error) {
	if err := call.Caller.MayManage(); err != nil {
		return Status{}, err
	}
	if err := k.Refresh(ctx); err != nil {
		return Status{}, err
	}
	var out Status
	rows := map[domain.KeyID]int{}
	rec := call.Record(k.ports.Clock(), domain.ActionMarkKey, "")
	err := k.scan(ctx, rec, domain.SealedRef{}, sealedPage, func(row unsealed) {
		switch {
		case row.opens:
			rows[row.Sealed.Key]++
		case row.Ref.Kind == domain.SealedConversation:
			out.Conversations++
		case row.Ref.Kind == domain.SealedProviderTokens:
			out.Logins++
		default:
			out.Unopened = append(out.Unopened, Unopened{row.Ref, row.Name})
		}
	})
	if err != nil {
		return Status{}, err
	}
	sortUnopened(out.Unopened)
	uses, err := k.uses(ctx)
	if err != nil {
		return Status{}, err
	}
	for i := range uses.Keys {
		uses.Keys[i].Rows = rows[uses.Keys[i].ID]
	}
	out.Keys, out.Unknown = uses.Keys, uses.Unknown
	return out, nil
}

// Uses returns what needs each key of the keyset, without what can't be opened. Unlike Status
// it opens nothing and marks nothing, so it is fast: a row counts for the key that sealed it, whether
// it opens or not. Only an admin may: NotAllowed.
func (k *Keyset) Uses(ctx context.Context, call domain.Call) (Status, error) {
	if err := call.Caller.MayManage(); err != nil {
		return Status{}, err
	}
	if err := k.Refresh(ctx); err != nil {
		return Status{}, err
	}
	return k.uses(ctx)
}

func (k *Keyset) uses(ctx context.Context) (Status, error) {
	uses, err := k.ports.Sealings.Uses(ctx)
	if err != nil {
		return Status{}, err
	}
	out := Status{Unknown: uses[""]}
	all := k.Keys()
	needed := neededBy(all, uses)
	for i, id := range all {
		out.Keys = append(out.Keys, KeyInUse{ID: id, Seals: i == 0, KeyUse: needed[id]})
	}
	return out, nil
}
