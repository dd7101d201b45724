package bunstore

import (
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.Sealings = (*Sealings)(nil)

// Sealings is a ports.Sealings on a Store.
type Sealings struct{ store *Store }

// resealableRow is a row of any table with something sealed.
type resealableRow struct {
	ID     string
	Slot   domain.Slot
	KeyID  domain.KeyID
	Sealed []byte
	Name   string
	Status domain.KeyStatus
}

// keyUseRow counts what a keyset key has sealed.
type keyUseRow struct {
	What  string
	KeyID domain.KeyID
	N     int
}

var (
	pageOfSealedConversations = `SELECT c.id, c.key_id, c.sealed FROM conversations c
WHERE c.id > $1 AND c.key_id <> $2 AND ` + conversationLives("c", "$3") + ` ORDER BY c.id LIMIT $4`

	// countUses reads all rows. An index for it would not be worth its writes.
	countUses = `SELECT 'row' AS what, key_id, count(*) AS n FROM project_keys GROUP BY key_id
UNION ALL SELECT 'row', c.key_id, count(*) FROM conversations c WHERE ` + conversationLives("c", "$1") + ` GROUP BY c.key_id
UNION ALL SELECT 'row', k.key_id, count(*) FROM provider_sessions k JOIN sessions s ON s.id = k.login_id
	WHERE k.sealed IS NOT NULL AND s.idle > $1 AND s.expires > $1 GROUP BY k.key_id
UNION ALL SELECT 'row', key_id, count(*) FROM webhooks GROUP BY key_id
UNION ALL SELECT 'row', key_id, 1 FROM installation
UNION ALL SELECT 'row', pseudonyms_key_id, 1 FROM installation WHERE pseudonyms IS NOT NULL
UNION ALL SELECT 'row', key_id, 1 FROM audit_head
UNION ALL SELECT 'row', key_id, 1 FROM audit_check
UNION ALL SELECT 'login', sealed_by, count(*) FROM sessions WHERE idle > $1 AND expires > $1 GROUP BY sealed_by
UNION ALL SELECT 'handle', c.handle_sealed_by, count(*) FROM conversations c
	LEFT JOIN sessions s ON s.id = c.session_id AND s.idle > $1 AND s.expires > $1
	WHERE ` + conversationLives("c", "$1") + ` AND (c.token_id IS NOT NULL OR s.id IS NOT NULL) GROUP BY c.handle_sealed_by`
)

const (
	pageOfSealedKeys = `SELECT k.project_id AS id, k.slot, k.key_id, k.sealed, p.name,
	CASE k.slot WHEN 'secondary' THEN p.secondary_status WHEN 'personal' THEN p.personal_status ELSE p.key_status END AS status
FROM project_keys k JOIN projects p ON p.id = k.project_id
WHERE (k.project_id, k.slot) > ($1, $2) AND k.key_id <> $3 ORDER BY k.project_id, k.slot LIMIT $4`

	pageOfSealedTokens = `SELECT k.login_id AS id, k.key_id, k.sealed FROM provider_sessions k JOIN sessions s ON s.id = k.login_id
WHERE k.login_id > $1 AND k.key_id <> $2 AND k.sealed IS NOT NULL AND s.idle > $3 AND s.expires > $3 ORDER BY k.login_id LIMIT $4`

	pageOfSealedWebhooks = `SELECT id, key_id, sealed FROM webhooks WHERE id > $1 AND key_id <> $2 ORDER BY id LIMIT $3`

	// There is one row of each of these.
	selectAuditCheck   = `SELECT key_id, sealed FROM audit_check WHERE id = 1 AND key_id <> $1`
	selectAuditHead    = `SELECT key_id, sealed FROM audit_head WHERE id = 1 AND key_id <> $1`
	selectKnownValue   = `SELECT key_id, known AS sealed FROM installation WHERE id = 1 AND key_id <> $1`
	selectPseudonymKey = `SELECT pseudonyms_key_id AS key_id, pseudonyms AS sealed FROM installation WHERE id = 1 AND pseudonyms_key_id <> $1`

	resealAuditCheck   = `UPDATE audit_check SET key_id = $3, sealed = $4 WHERE id = 1 AND key_id = $1 AND sealed = $2`
	resealAuditHead    = `UPDATE audit_head SET key_id = $3, sealed = $4 WHERE id = 1 AND key_id = $1 AND sealed = $2`
	resealKnownValue   = `UPDATE installation SET key_id = $3, known = $4 WHERE id = 1 AND key_id = $1 AND known = $2`
	resealPseudonymKey = `UPDATE installation SET pseudonyms_key_id = $3, pseudonyms = $4
WHERE id = 1 AND pseudonyms_key_id = $1 AND pseudonyms = $2`

	// There are many rows of these. On Postgres, one statement takes all of them, since each
	// round trip may take long.
	resealConversation = `UPDATE conversations SET key_id = $5, sealed = $6
WHERE id = $1 AND $2 = '' AND key_id = $3 AND sealed = $4`
	resealConversations = `UPDATE conversations c SET key_id = n.key_id, sealed = n.sealed ` + newSealings + `
WHERE c.id = n.id AND n.slot = '' AND c.key_id = n.was_key_id AND c.sealed = n.was`

	resealKey = `UPDATE project_keys SET key_id = $5, sealed = $6
WHERE project_id = $1 AND slot = $2 AND key_id = $3 AND sealed = $4`
	resealKeys = `UPDATE project_keys k SET key_id = n.key_id, sealed = n.sealed ` + newSealings + `
WHERE k.project_id = n.id AND k.slot = n.slot AND k.key_id = n.was_key_id AND k.sealed = n.was`

	resealTokens = `UPDATE provider_sessions SET key_id = $5, sealed = $6
WHERE login_id = $1 AND $2 = '' AND key_id = $3 AND sealed = $4`
	resealAllTokens = `UPDATE provider_sessions k SET key_id = n.key_id, sealed = n.sealed ` + newSealings + `
WHERE k.login_id = n.id AND n.slot = '' AND k.key_id = n.was_key_id AND k.sealed = n.was`

	resealWebhook = `UPDATE webhooks SET key_id = $5, sealed = $6
WHERE id = $1 AND $2 = '' AND key_id = $3 AND sealed = $4`
	resealWebhooks = `UPDATE webhooks k SET key_id = n.key_id, sealed = n.sealed ` + newSealings + `
WHERE k.id = n.id AND n.slot = '' AND k.key_id = n.was_key_id AND k.sealed = n.was`

	newSealings = `FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::bytea[])
	n (id, slot, was_key_id, was, key_id, sealed)`

	forgetConversation  = `DELETE FROM conversations WHERE id = $1 AND key_id = $2 AND sealed = $3`
	forgetConversations = `DELETE FROM conversations c USING ` + toForget + `
WHERE c.id = n.id AND c.key_id = n.key_id AND c.sealed = n.sealed`

	// A login ends with its tokens: without them, nobody could ask the identity provider about its user.
	endLoginOfTokens  = `DELETE FROM sessions WHERE id = (SELECT k.login_id FROM provider_sessions k WHERE k.login_id = $1 AND k.key_id = $2 AND k.sealed = $3)`
	endLoginsOfTokens = `DELETE FROM sessions s USING provider_sessions k, ` + toForget + `
WHERE s.id = k.login_id AND k.login_id = n.id AND k.key_id = n.key_id AND k.sealed = n.sealed`

	toForget = `unnest($1::text[], $2::text[], $3::bytea[]) n (id, key_id, sealed)`

	countToReenter = `SELECT CAST(COALESCE(sum(CASE key_status WHEN 'needs_reentry' THEN 1 ELSE 0 END +
	CASE secondary_status WHEN 'needs_reentry' THEN 1 ELSE 0 END + CASE personal_status WHEN 'needs_reentry' THEN 1 ELSE 0 END), 0) AS bigint) AS n
FROM projects WHERE key_status = 'needs_reentry' OR secondary_status = 'needs_reentry' OR personal_status = 'needs_reentry'`
)

// sealedOnce has the statements for a kind with one row.
type sealedOnce struct{ find, replace string }

// sealedMany has the statements for a kind with many rows.
type sealedMany struct {
	page string
	// one replaces one row, and all replaces all rows at once on Postgres. Their parameters
	// are the place (id and slot), what is there (key and bytes), and what replaces it.
	one, all string
	// forgetOne and forgetAll forget one row, or all rows at once on Postgres. Their parameters are the
	// id and what is there. A kind that is not Forgettable has none.
	forgetOne, forgetAll string
}

// All kinds of what is stored sealed, in the order in which their rows are locked. That is also
// the order of domain.SealedRef.Compare.
var (
	sealedKinds = []domain.SealedKind{
		domain.SealedAuditCheck, domain.SealedAuditHead, domain.SealedConversation, domain.SealedKnownValue, domain.SealedProjectKey,
		domain.SealedProviderTokens, domain.SealedPseudonymKey, domain.SealedWebhook,
	}
	heldOnce = map[domain.SealedKind]sealedOnce{
		domain.SealedAuditCheck:   {selectAuditCheck, resealAuditCheck},
		domain.SealedAuditHead:    {selectAuditHead, resealAuditHead},
		domain.SealedKnownValue:   {selectKnownValue, resealKnownValue},
		domain.SealedPseudonymKey: {selectPseudonymKey, resealPseudonymKey},
	}
	heldMany = map[domain.SealedKind]sealedMany{
		domain.SealedConversation:   {pageOfSealedConversations, resealConversation, resealConversations, forgetConversation, forgetConversations},
		domain.SealedProjectKey:     {pageOfSealedKeys, resealKey, resealKeys, "", ""},
		domain.SealedProviderTokens: {pageOfSealedTokens, resealTokens, resealAllTokens, endLoginOfTokens, endLoginsOfTokens},
		domain.SealedWebhook:        {pageOfSealedWebhooks, resealWebhook, resealWebhooks, "", ""},
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
		case domain.SealedConversation, domain.SealedProviderTokens:
			statement, args = heldMany[kind].page, []any{at.ID, string(except), now, limit - len(found)}
		case domain.SealedWebhook:
			statement, args = heldMany[kind].page, []any{at.ID, string(except), limit - len(found)}
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
		if err := domain.Storable(r.Ref.ID, string(r.Ref.Slot), string(r.From.Key), string(r.To.Key)); err != nil {
			return 0, err
		}
	}
	// Kinds come in the order of locks. Rows of a kind come in one order for all calls. Postgres
	// may still lock rows of one statement in another order, and change retries a deadlock.
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
			n, err := s.replaceOrForget(ctx, tx, kind, of)
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

// replaceOrForget replaces rows of one kind. It forgets rows without a To, if the kind can be forgotten.
func (s *Store) replaceOrForget(ctx context.Context, tx bun.Tx, kind domain.SealedKind, rows []domain.Resealed) (int64, error) {
	var gone, stay []domain.Resealed
	for _, r := range rows {
		switch {
		case !r.To.IsZero():
			stay = append(stay, r)
		case kind.Forgettable():
			gone = append(gone, r)
		}
	}
	var forgotten, replaced int64
	var err error
	if len(gone) > 0 {
		if forgotten, err = s.forget(ctx, tx, heldMany[kind], gone); err != nil {
			return 0, err
		}
	}
	if len(stay) > 0 {
		replaced, err = s.replace(ctx, tx, kind, stay)
	}
	return forgotten + replaced, err
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

// replaceAll replaces rows with one statement.
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

// forget removes what is stored, if it is still sealed as the rows say.
func (s *Store) forget(ctx context.Context, tx bun.Tx, kind sealedMany, rows []domain.Resealed) (int64, error) {
	if !s.postgres {
		var forgotten int64
		for _, r := range rows {
			n, err := s.exec(ctx, tx.Tx, kind.forgetOne, r.Ref.ID, string(r.From.Key), r.From.Bytes)
			if err != nil {
				return 0, err
			}
			forgotten += n
		}
		return forgotten, nil
	}
	ids, keys, sealed := make([]string, len(rows)), make([]string, len(rows)), make([][]byte, len(rows))
	for i, r := range rows {
		ids[i], keys[i], sealed[i] = r.Ref.ID, string(r.From.Key), r.From.Bytes
	}
	return s.exec(ctx, tx.Tx, kind.forgetAll, ids, keys, sealed)
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
