package memory

import (
	"bytes"
	"context"
	"maps"
	"slices"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.Sealings = (*Sealings)(nil)

// Sealings is a ports.Sealings, a view on a Store.
type Sealings struct{ store *Store }

// Page returns at most limit rows that another key than except has sealed and that come
// after the place.
func (v *Sealings) Page(ctx context.Context, except domain.KeyID, after domain.SealedRef, limit int) ([]domain.SealedRow, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	rows := slices.DeleteFunc(s.sealed(), func(r domain.SealedRow) bool {
		return r.Sealed.Key == except || r.Ref.Compare(after) <= 0
	})
	slices.SortFunc(rows, func(a, b domain.SealedRow) int { return a.Ref.Compare(b.Ref) })
	return atMost(limit, rows), nil
}

// sealed is everything that is stored sealed, in any order.
func (s *Store) sealed() []domain.SealedRow {
	var rows []domain.SealedRow
	for kind, sealed := range map[domain.SealedKind]domain.Sealed{
		domain.SealedKnownValue: s.known.Known, domain.SealedPseudonymKey: s.known.Pseudonyms,
		domain.SealedAuditHead: s.chain.head.Sealed,
	} {
		if !sealed.IsZero() {
			rows = append(rows, domain.SealedRow{Ref: domain.SealedRef{Kind: kind}, Sealed: clone(sealed)})
		}
	}
	for id, c := range s.conversations {
		if s.goesOn(c) {
			rows = append(rows, domain.SealedRow{Ref: domain.SealedRef{Kind: domain.SealedConversation, ID: string(id)}, Sealed: clone(c.Key)})
		}
	}
	for id, p := range s.projects {
		for slot, key := range p.keys {
			ref := domain.SealedRef{Kind: domain.SealedProjectKey, ID: string(id), Slot: slot}
			rows = append(rows, domain.SealedRow{Ref: ref, Sealed: clone(key), Name: p.Name, Status: *p.status(slot)})
		}
	}
	return rows
}

// goesOn says whether a conversation is not over.
func (s *Store) goesOn(c domain.Conversation) bool { return domain.Instant(s.now()).Before(c.Expires) }

// status is where it is kept what is known of the key in the slot.
func (p *project) status(slot domain.Slot) *domain.KeyStatus {
	if slot == domain.SlotSecondary {
		return &p.SecondaryStatus
	}
	return &p.KeyStatus
}

// holds says whether sealed is what is stored in the place.
func (s *Store) holds(ref domain.SealedRef, sealed domain.Sealed) bool {
	var stored domain.Sealed
	switch ref.Kind {
	case domain.SealedConversation:
		stored = s.conversations[domain.ConversationID(ref.ID)].Key
	case domain.SealedProjectKey:
		stored = s.projects[domain.ProjectID(ref.ID)].keys[ref.Slot]
	case domain.SealedKnownValue:
		stored = s.known.Known
	case domain.SealedPseudonymKey:
		stored = s.known.Pseudonyms
	case domain.SealedAuditHead:
		stored = s.chain.head.Sealed
	}
	return !stored.IsZero() && stored.Key == sealed.Key && bytes.Equal(stored.Bytes, sealed.Bytes)
}

// Replace puts To in the place of From and returns in how many rows.
func (v *Sealings) Replace(ctx context.Context, rows []domain.Resealed) (int, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	n := 0
	for _, row := range rows {
		if !s.holds(row.Ref, row.From) {
			continue
		}
		n++
		to := clone(row.To)
		switch row.Ref.Kind {
		case domain.SealedConversation:
			c := s.conversations[domain.ConversationID(row.Ref.ID)]
			c.Key = to
			s.conversations[c.ID] = c
		case domain.SealedProjectKey:
			s.projects[domain.ProjectID(row.Ref.ID)].keys[row.Ref.Slot] = to
		case domain.SealedKnownValue:
			s.known.Known = to
		case domain.SealedPseudonymKey:
			s.known.Pseudonyms = to
		case domain.SealedAuditHead:
			s.chain.head.Sealed = to
		}
	}
	return n, nil
}

// Forget forgets the conversations whose session key is still the one that is given, and
// returns how many.
func (v *Sealings) Forget(ctx context.Context, rows []domain.SealedRow) (int, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	n := 0
	for _, row := range rows {
		if row.Ref.Kind == domain.SealedConversation && s.holds(row.Ref, row.Sealed) {
			delete(s.conversations, domain.ConversationID(row.Ref.ID))
			n++
		}
	}
	return n, nil
}

// Mark records whether the key of a project opens.
func (v *Sealings) Mark(ctx context.Context, row domain.SealedRow, opens bool, rec domain.Record) error {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if row.Ref.Kind != domain.SealedProjectKey || !s.holds(row.Ref, row.Sealed) {
		return nil
	}
	p := s.projects[domain.ProjectID(row.Ref.ID)]
	status := p.status(row.Ref.Slot)
	if opens != (*status == domain.KeyNeedsReentry) {
		return nil
	}
	*status = domain.KeyNeedsReentry
	if opens {
		*status = domain.KeyUnchecked
	}
	s.projects[p.ID] = p
	s.records = append(s.records, rec)
	return nil
}

// ToReenter returns how many slots are marked as domain.KeyNeedsReentry.
func (v *Sealings) ToReenter(ctx context.Context) (int, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	n := 0
	for _, p := range s.projects {
		for _, status := range []domain.KeyStatus{p.KeyStatus, p.SecondaryStatus} {
			if status == domain.KeyNeedsReentry {
				n++
			}
		}
	}
	return n, nil
}

// Uses returns how much each key has sealed.
func (v *Sealings) Uses(ctx context.Context) (map[domain.KeyID]domain.KeyUse, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	uses := map[domain.KeyID]domain.KeyUse{}
	count := func(key domain.KeyID, add func(*domain.KeyUse)) {
		use := uses[key]
		add(&use)
		uses[key] = use
	}
	for _, row := range s.sealed() {
		count(row.Sealed.Key, func(u *domain.KeyUse) { u.Rows++ })
	}
	for id, session := range s.sessions {
		if _, live := s.live(id); live {
			count(session.SealedBy, func(u *domain.KeyUse) { u.Logins++ })
		}
	}
	for _, c := range s.conversations {
		if _, live := s.live(c.Session); s.goesOn(c) && (live || c.Token != "") {
			count(c.HandleSealedBy, func(u *domain.KeyUse) { u.Handles++ })
		}
	}
	return uses, nil
}

// EndSealedBy ends the sessions whose cookie the key sealed, and what is under them, and if
// handles forgets the conversations whose handle it sealed.
func (v *Sealings) EndSealedBy(ctx context.Context, key domain.KeyID, handles bool, rec domain.Record) (domain.KeyUse, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return domain.KeyUse{}, err
	}
	defer s.leave()
	ended := map[domain.SessionID]bool{}
	for id, session := range s.sessions {
		if _, live := s.live(id); live && session.SealedBy == key {
			ended[id] = true
		}
	}
	use := domain.KeyUse{Logins: len(ended), Handles: len(s.conversations)}
	maps.DeleteFunc(s.conversations, func(_ domain.ConversationID, c domain.Conversation) bool {
		return handles && c.HandleSealedBy == key && s.goesOn(c)
	})
	use.Handles -= len(s.conversations)
	if use == (domain.KeyUse{}) {
		return use, nil
	}
	s.endSessions(func(session domain.Session) bool { return ended[session.ID] || ended[session.Login] })
	s.records = append(s.records, rec)
	return use, nil
}
