package memory

import (
	"context"
	"slices"

	"github.com/flowlatch/flowlatch/domain"
)

// sealings is a ports.Sealings.
type sealings struct{ store *Store }

// Page returns at most limit rows that another key than except sealed and that come after
// the place.
func (v sealings) Page(ctx context.Context, except domain.KeyID, after domain.SealedRef, limit int) ([]domain.SealedRow, error) {
	s := v.store
	if err := s.enter(ctx, string(except), after.ID, string(after.Slot)); err != nil {
		return nil, err
	}
	defer s.leave()
	rows := slices.DeleteFunc(s.sealed(), func(r domain.SealedRow) bool {
		return r.Sealed.Key == except || r.Ref.Compare(after) <= 0
	})
	slices.SortFunc(rows, func(a, b domain.SealedRow) int { return a.Ref.Compare(b.Ref) })
	return atMost(limit, rows), nil
}

// sealed returns everything that is stored sealed, in any order.
func (s *Store) sealed() []domain.SealedRow {
	var rows []domain.SealedRow
	for _, kind := range []domain.SealedKind{domain.SealedKnownValue, domain.SealedPseudonymKey, domain.SealedAuditHead, domain.SealedAuditCheck} {
		ref := domain.SealedRef{Kind: kind}
		if sealed := s.sealedAt(ref); !sealed.IsZero() {
			rows = append(rows, domain.SealedRow{Ref: ref, Sealed: clone(sealed)})
		}
	}
	for id, c := range s.conversations {
		if s.goesOn(c) {
			rows = append(rows, domain.SealedRow{Ref: domain.SealedRef{Kind: domain.SealedConversation, ID: string(id)}, Sealed: clone(c.Key)})
		}
	}
	for id := range s.providerLogins {
		if kept, found := s.providerLogin(id); found && !kept.Tokens.IsZero() {
			rows = append(rows, domain.SealedRow{Ref: domain.SealedRef{Kind: domain.SealedProviderTokens, ID: string(id)}, Sealed: clone(kept.Tokens)})
		}
	}
	for id, w := range s.webhooks {
		rows = append(rows, domain.SealedRow{Ref: domain.SealedRef{Kind: domain.SealedWebhook, ID: string(id)}, Sealed: clone(w.Secret)})
	}
	for id, p := range s.projects {
		for _, slot := range domain.Slots() {
			if k := p.Key(slot); !k.Empty() {
				ref := domain.SealedRef{Kind: domain.SealedProjectKey, ID: string(id), Slot: slot}
				rows = append(rows, domain.SealedRow{Ref: ref, Sealed: clone(k.Sealed), Name: p.Name, Status: k.Status})
			}
		}
	}
	return rows
}

// sealedAt returns the sealed value in the place, or zero.
func (s *Store) sealedAt(ref domain.SealedRef) domain.Sealed {
	switch ref.Kind {
	case domain.SealedConversation:
		return s.conversations[domain.ConversationID(ref.ID)].Key
	case domain.SealedProjectKey:
		return s.projects[domain.ProjectID(ref.ID)].Key(ref.Slot).Sealed
	case domain.SealedProviderTokens:
		return s.providerLogins[domain.SessionID(ref.ID)].Tokens
	case domain.SealedKnownValue:
		return s.installation.Known
	case domain.SealedPseudonymKey:
		return s.installation.Pseudonyms
	case domain.SealedAuditHead:
		return s.chain.head.Sealed
	case domain.SealedAuditCheck:
		return s.check
	case domain.SealedWebhook:
		return s.webhooks[domain.WebhookID(ref.ID)].Secret
	}
	return domain.Sealed{}
}

// Replace stores To in place of From, or forgets what is Forgettable if To is zero, and returns
// for how many rows.
func (v sealings) Replace(ctx context.Context, rows []domain.Resealed) (int, error) {
	s := v.store
	var texts []string
	for _, row := range rows {
		texts = append(texts, row.Ref.ID, string(row.Ref.Slot), string(row.From.Key), string(row.To.Key))
	}
	if err := s.enterToWrite(ctx, texts...); err != nil {
		return 0, err
	}
	defer s.leave()
	n := 0
	for _, row := range rows {
		forget := row.To.IsZero()
		stored := s.sealedAt(row.Ref)
		if stored.IsZero() || !stored.Equal(row.From) || forget && !row.Ref.Kind.Forgettable() {
			continue
		}
		n++
		if forget {
			s.forgetSealed(row.Ref)
		} else {
			s.replaceSealed(row.Ref, clone(row.To))
		}
	}
	return n, nil
}

// forgetSealed forgets a conversation, or a login with its tokens and what is under it.
func (s *Store) forgetSealed(ref domain.SealedRef) {
	if ref.Kind == domain.SealedConversation {
		delete(s.conversations, domain.ConversationID(ref.ID))
		return
	}
	id := domain.SessionID(ref.ID)
	s.endSessions(func(session domain.Session) bool { return session.ID == id || session.Login == id })
}

// replaceSealed stores to in a place that exists.
func (s *Store) replaceSealed(ref domain.SealedRef, to domain.Sealed) {
	switch ref.Kind {
	case domain.SealedConversation:
		c := s.conversations[domain.ConversationID(ref.ID)]
		c.Key = to
		s.conversations[c.ID] = c
	case domain.SealedProjectKey:
		id := domain.ProjectID(ref.ID)
		s.projects[id] = s.projects[id].Resealed(ref.Slot, to)
	case domain.SealedProviderTokens:
		kept := s.providerLogins[domain.SessionID(ref.ID)]
		kept.Tokens = to
		s.providerLogins[kept.Login] = kept
	case domain.SealedKnownValue:
		s.installation.Known = to
	case domain.SealedPseudonymKey:
		s.installation.Pseudonyms = to
	case domain.SealedAuditHead:
		s.chain.head.Sealed = to
	case domain.SealedAuditCheck:
		s.check = to
	case domain.SealedWebhook:
		w := s.webhooks[domain.WebhookID(ref.ID)]
		w.Secret = to
		s.webhooks[w.ID] = w
	}
}

// ToReenter returns how many keys of projects have the status KeyNeedsReentry.
func (v sealings) ToReenter(ctx context.Context) (int, error) {
	s := v.store
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	n := 0
	for _, p := range s.projects {
		for _, slot := range domain.Slots() {
			if p.Key(slot).Status == domain.KeyNeedsReentry {
				n++
			}
		}
	}
	return n, nil
}

// Uses returns how much each key of the keyset has sealed.
func (v sealings) Uses(ctx context.Context) (map[domain.KeyID]domain.KeyUse, error) {
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
