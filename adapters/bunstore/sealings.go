package bunstore

import (
	"bytes"
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.Sealings = (*Sealings)(nil)

// Sealings is a ports.Sealings on a Store.
type Sealings struct{ store *Store }

// NewSealings returns the Sealings of s.
func NewSealings(s *Store) *Sealings { return &Sealings{s} }

// resealableRow is a row of any table that holds something sealed.
type resealableRow struct {
	ID     string
	Slot   domain.Slot
	KeyID  domain.KeyID
	Sealed []byte
	Name   string
	Status domain.KeyStatus
}

// keyUseRow is how many of what a key has sealed.
type keyUseRow struct {
	What  string
	KeyID domain.KeyID
	N     int
}

const (
	pageOfSealedConversations = `SELECT c.id, c.key_id, c.sealed FROM conversations c
WHERE c.id > $1 AND c.key_id <> $2 AND c.expires > $3 ORDER BY c.id LIMIT $4`

	pageOfSealedKeys = `SELECT k.project_id AS id, k.slot, k.key_id, k.sealed, p.name,
	CASE k.slot WHEN 'secondary' THEN p.secondary_status ELSE p.key_status END AS status
FROM project_keys k JOIN projects p ON p.id = k.project_id
WHERE (k.project_id, k.slot) > ($1, $2) AND k.key_id <> $3 ORDER BY k.project_id, k.slot LIMIT $4`

	// What there is one of.
	selectAuditHead    = `SELECT key_id, sealed FROM audit_head WHERE id = 1 AND key_id <> $1`
	selectKnownValue   = `SELECT key_id, known AS sealed FROM installation WHERE id = 1 AND key_id <> $1`
	selectPseudonymKey = `SELECT pseudonyms_key_id AS key_id, pseudonyms AS sealed FROM installation WHERE id = 1 AND pseudonyms_key_id <> $1`

	resealAuditHead    = `UPDATE audit_head SET key_id = $3, sealed = $4 WHERE id = 1 AND key_id = $1 AND sealed = $2`
	resealKnownValue   = `UPDATE installation SET key_id = $3, known = $4 WHERE id = 1 AND key_id = $1 AND known = $2`
	resealPseudonymKey = `UPDATE installation SET pseudonyms_key_id = $3, pseudonyms = $4
WHERE id = 1 AND pseudonyms_key_id = $1 AND pseudonyms = $2`

	// Of what there is much of, Postgres gets all rows at once, since it may be far away.
	resealConversation = `UPDATE conversations SET key_id = $5, sealed = $6
WHERE id = $1 AND $2 = '' AND key_id = $3 AND sealed = $4`
	resealConversations = `UPDATE conversations c SET key_id = n.key_id, sealed = n.sealed ` + newSealings + `
WHERE c.id = n.id AND n.slot = '' AND c.key_id = n.was_key_id AND c.sealed = n.was`

	resealKey = `UPDATE project_keys SET key_id = $5, sealed = $6
WHERE project_id = $1 AND slot = $2 AND key_id = $3 AND sealed = $4`
	resealKeys = `UPDATE project_keys k SET key_id = n.key_id, sealed = n.sealed ` + newSealings + `
WHERE k.project_id = n.id AND k.slot = n.slot AND k.key_id = n.was_key_id AND k.sealed = n.was`

	newSealings = `FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::bytea[])
	n (id, slot, was_key_id, was, key_id, sealed)`

	forgetConversation  = `DELETE FROM conversations WHERE id = $1 AND key_id = $2 AND sealed = $3`
	forgetConversations = `DELETE FROM conversations c USING unnest($1::text[], $2::text[], $3::bytea[]) n (id, key_id, sealed)
WHERE c.id = n.id AND c.key_id = n.key_id AND c.sealed = n.sealed`

	countToReenter = `SELECT CAST(COALESCE(sum(CASE key_status WHEN 'needs_reentry' THEN 1 ELSE 0 END +
	CASE secondary_status WHEN 'needs_reentry' THEN 1 ELSE 0 END), 0) AS bigint) AS n
FROM projects WHERE key_status = 'needs_reentry' OR secondary_status = 'needs_reentry'`

	// countUses goes through all that is stored: for that no index is worth its writes.
	countUses = `SELECT 'row' AS what, key_id, count(*) AS n FROM project_keys GROUP BY key_id
UNION ALL SELECT 'row', key_id, count(*) FROM conversations WHERE expires > $1 GROUP BY key_id
UNION ALL SELECT 'row', key_id, 1 FROM installation
UNION ALL SELECT 'row', pseudonyms_key_id, 1 FROM installation WHERE pseudonyms IS NOT NULL
UNION ALL SELECT 'row', key_id, 1 FROM audit_head
UNION ALL SELECT 'login', sealed_by, count(*) FROM sessions WHERE idle > $1 AND expires > $1 GROUP BY sealed_by
UNION ALL SELECT 'handle', c.handle_sealed_by, count(*) FROM conversations c
	LEFT JOIN sessions s ON s.id = c.session_id AND s.idle > $1 AND s.expires > $1
	WHERE c.expires > $1 AND (c.token_id IS NOT NULL OR s.id IS NOT NULL) GROUP BY c.handle_sealed_by`

	forgetHandles = `DELETE FROM conversations WHERE handle_sealed_by = $1 AND expires > $2`
	endSealedBy   = `DELETE FROM sessions WHERE kind = $3 AND sealed_by = $1 AND ends > $2`
	countSealedBy = `SELECT sealed_by AS key_id, count(*) AS n FROM sessions
WHERE kind = $3 AND sealed_by = $1 AND ends > $2 GROUP BY sealed_by`
)

// sealedOnce is something sealed of which there is one.
type sealedOnce struct{ find, replace string }

// sealedMany is something sealed of which there is much.
type sealedMany struct {
	page string
	// one and all replace one row, and all at once on Postgres. Their parameters are place
	// (id and slot), what was there (key and bytes) and what is to be there.
	one, all string
}

// All that is sealed, as it is stored.
var (
	sealedKinds = []domain.SealedKind{
		domain.SealedAuditHead, domain.SealedConversation, domain.SealedKnownValue, domain.SealedProjectKey, domain.SealedPseudonymKey,
	}
	heldOnce = map[domain.SealedKind]sealedOnce{
		domain.SealedAuditHead:    {selectAuditHead, resealAuditHead},
		domain.SealedKnownValue:   {selectKnownValue, resealKnownValue},
		domain.SealedPseudonymKey: {selectPseudonymKey, resealPseudonymKey},
	}
	heldMany = map[domain.SealedKind]sealedMany{
		domain.SealedConversation: {pageOfSealedConversations, resealConversation, resealConversations},
		domain.SealedProjectKey:   {pageOfSealedKeys, resealKey, resealKeys},
	}
)

// Page implements ports.Sealings.
func (v *Sealings) Page(ctx context.Context, except domain.KeyID, after domain.SealedRef, limit int) ([]domain.SealedRow, error) {
	s := v.store
	now := micros(s.options.Now())
	var found []domain.SealedRow
	for _, kind := range sealedKinds {
		if len(found) >= limit {
			break
		}
		at := after
		switch place := (domain.SealedRef{Kind: kind}); {
		case place.Compare(after) > 0:
			at = place
		case kind != after.Kind:
			continue
		}
		var statement string
		var args []any
		switch kind {
		case domain.SealedConversation:
			statement, args = heldMany[kind].page, []any{at.ID, string(except), now, limit - len(found)}
		case domain.SealedProjectKey:
			statement, args = heldMany[kind].page, []any{at.ID, string(at.Slot), string(except), limit - len(found)}
		default:
			if at == after {
				continue
			}
			statement, args = heldOnce[kind].find, []any{string(except)}
		}
		var rows []resealableRow
		err := s.read(ctx, "read what is sealed", func(ctx context.Context) error {
			return s.lookUp(ctx, &rows, statement, args...)
		})
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			found = append(found, domain.SealedRow{
				Ref: domain.SealedRef{Kind: kind, ID: r.ID, Slot: r.Slot}, Sealed: domain.Sealed{Key: r.KeyID, Bytes: r.Sealed},
				Name: r.Name, Status: r.Status,
			})
		}
	}
	return found, nil
}

// Replace implements ports.Sealings.
func (v *Sealings) Replace(ctx context.Context, rows []domain.Resealed) (int, error) {
	for _, r := range rows {
		if err := storable(r.Ref.ID, string(r.Ref.Slot), string(r.From.Key), string(r.To.Key)); err != nil {
			return 0, err
		}
	}
	// Kinds come in the order in which they are locked, and rows of a kind in one that two
	// Replaces share, as far as Postgres keeps to it in a statement: a deadlock is tried again.
	rows = slices.SortedFunc(slices.Values(rows), func(a, b domain.Resealed) int { return a.Ref.Compare(b.Ref) })
	s := v.store
	var replaced int64
	err := s.change(ctx, "replace what is sealed", func(ctx context.Context, tx bun.Tx) error {
		replaced = 0
		for _, kind := range sealedKinds {
			of := slices.DeleteFunc(slices.Clone(rows), func(r domain.Resealed) bool { return r.Ref.Kind != kind })
			if len(of) == 0 {
				continue
			}
			n, err := s.replace(ctx, tx, kind, of)
			if err != nil {
				return err
			}
			replaced += n
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return int(replaced), nil
}

// replace replaces rows of one kind.
func (s *Store) replace(ctx context.Context, tx bun.Tx, kind domain.SealedKind, rows []domain.Resealed) (int64, error) {
	var replaced int64
	if single, ok := heldOnce[kind]; ok {
		for _, r := range rows {
			n, err := s.exec(ctx, tx.Tx, single.replace, string(r.From.Key), r.From.Bytes, string(r.To.Key), r.To.Bytes)
			if err != nil {
				return 0, err
			}
			replaced += n
		}
		return replaced, nil
	}
	if s.postgres {
		return s.replaceAll(ctx, tx, heldMany[kind].all, rows)
	}
	statement, err := tx.PrepareContext(ctx, heldMany[kind].one)
	if err != nil {
		return 0, err
	}
	defer func() { _ = statement.Close() }()
	for _, r := range rows {
		n, err := changed(statement.ExecContext(ctx, r.Ref.ID, string(r.Ref.Slot), string(r.From.Key), r.From.Bytes, string(r.To.Key), r.To.Bytes))
		if err != nil {
			return 0, err
		}
		replaced += n
	}
	return replaced, nil
}

// replaceAll replaces rows by one statement.
func (s *Store) replaceAll(ctx context.Context, tx bun.Tx, statement string, rows []domain.Resealed) (int64, error) {
	ids, slots := make([]string, len(rows)), make([]string, len(rows))
	wereKeys, keys := make([]string, len(rows)), make([]string, len(rows))
	were, are := make([][]byte, len(rows)), make([][]byte, len(rows))
	for i, r := range rows {
		ids[i], slots[i] = r.Ref.ID, string(r.Ref.Slot)
		wereKeys[i], were[i] = string(r.From.Key), r.From.Bytes
		keys[i], are[i] = string(r.To.Key), r.To.Bytes
	}
	return s.exec(ctx, tx.Tx, statement, ids, slots, wereKeys, were, keys, are)
}

// Forget implements ports.Sealings.
func (v *Sealings) Forget(ctx context.Context, rows []domain.SealedRow) (int, error) {
	var ids, keys []string
	var sealed [][]byte
	for _, r := range rows {
		if r.Ref.Kind != domain.SealedConversation {
			continue
		}
		if err := storable(r.Ref.ID, string(r.Sealed.Key)); err != nil {
			return 0, err
		}
		ids, keys, sealed = append(ids, r.Ref.ID), append(keys, string(r.Sealed.Key)), append(sealed, r.Sealed.Bytes)
	}
	s := v.store
	var forgotten int64
	err := s.write(ctx, "forget conversations", func(ctx context.Context, on handle) (err error) {
		forgotten = 0
		if s.postgres {
			forgotten, err = s.exec(ctx, on, forgetConversations, ids, keys, sealed)
			return err
		}
		for i := range ids {
			n, err := s.exec(ctx, on, forgetConversation, ids[i], keys[i], sealed[i])
			if err != nil {
				return err
			}
			forgotten += n
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return int(forgotten), nil
}

// Mark implements ports.Sealings.
func (v *Sealings) Mark(ctx context.Context, row domain.SealedRow, opens bool, rec domain.Record) error {
	s := v.store
	return s.change(ctx, "mark whether a key opens", func(ctx context.Context, tx bun.Tx) error {
		if row.Ref.Kind != domain.SealedProjectKey {
			return nil
		}
		id := domain.ProjectID(row.Ref.ID)
		// Whoever puts another key there locks the project first.
		p, err := s.lockMarked(ctx, tx, id)
		if domain.KindOf(err) == domain.NotFound {
			return nil
		}
		if err != nil || opens != (p.project().Status(row.Ref.Slot) == domain.KeyNeedsReentry) {
			return err
		}
		var keys []keyRow
		if err := s.query(ctx, tx.Tx, &keys, selectKeys, string(id)); err != nil {
			return err
		}
		if !slices.ContainsFunc(keys, func(k keyRow) bool {
			return k.Slot == row.Ref.Slot && k.KeyID == row.Sealed.Key && bytes.Equal(k.Sealed, row.Sealed.Bytes)
		}) {
			return nil
		}
		p.mark(row.Ref.Slot, domain.KeyNeedsReentry)
		if opens {
			p.mark(row.Ref.Slot, domain.KeyUnchecked)
		}
		return s.update(ctx, tx, p, rec, "key_status", "secondary_status")
	})
}

// ToReenter implements ports.Sealings.
func (v *Sealings) ToReenter(ctx context.Context) (int, error) {
	s := v.store
	var rows []keyUseRow
	err := s.read(ctx, "count the keys that are to be entered again", func(ctx context.Context) error {
		return s.lookUp(ctx, &rows, countToReenter)
	})
	if err != nil {
		return 0, err
	}
	return rows[0].N, nil
}

// Uses implements ports.Sealings.
func (v *Sealings) Uses(ctx context.Context) (map[domain.KeyID]domain.KeyUse, error) {
	s := v.store
	var rows []keyUseRow
	err := s.read(ctx, "count what keys have sealed", func(ctx context.Context) error {
		return s.lookUp(ctx, &rows, countUses, micros(s.options.Now()))
	})
	if err != nil {
		return nil, err
	}
	uses := map[domain.KeyID]domain.KeyUse{}
	for _, r := range rows {
		use := uses[r.KeyID]
		switch r.What {
		case "row":
			use.Rows += r.N
		case "login":
			use.Logins += r.N
		case "handle":
			use.Handles += r.N
		}
		uses[r.KeyID] = use
	}
	return uses, nil
}

// EndSealedBy implements ports.Sealings.
func (v *Sealings) EndSealedBy(ctx context.Context, key domain.KeyID, handles bool, rec domain.Record) (domain.KeyUse, error) {
	s := v.store
	now := micros(s.options.Now())
	var ended domain.KeyUse
	err := s.change(ctx, "end the sessions of a key", func(ctx context.Context, tx bun.Tx) error {
		ended = domain.KeyUse{}
		if handles {
			n, err := s.exec(ctx, tx.Tx, forgetHandles, string(key), now)
			if err != nil {
				return err
			}
			ended.Handles = int(n)
		}
		// They are counted before, since a login takes those under it along.
		kinds := []domain.SessionKind{domain.LoginSession, domain.AssistantSession}
		for _, kind := range kinds {
			var rows []keyUseRow
			if err := s.query(ctx, tx.Tx, &rows, countSealedBy, string(key), now, string(kind)); err != nil {
				return err
			}
			for _, r := range rows {
				ended.Logins += r.N
			}
		}
		gone := 0
		for _, kind := range kinds {
			n, err := s.exec(ctx, tx.Tx, endSealedBy, string(key), now, string(kind))
			if err != nil {
				return err
			}
			gone += int(n)
		}
		ended.Logins = max(ended.Logins, gone) // some may have come meanwhile
		if ended == (domain.KeyUse{}) {
			return nil
		}
		return s.audit(ctx, tx.Tx, rec)
	})
	if err != nil {
		return domain.KeyUse{}, err
	}
	return ended, nil
}
