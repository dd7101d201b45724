package bunstore

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.AuditChain = (*AuditChain)(nil)

// AuditChain is a ports.AuditChain on a Store.
type AuditChain struct{ store *Store }

// chaining is what this instance remembers about the rows that it has put into the chain.
//
// On Postgres, rows do not become visible in the order of their ids. A transaction takes an id
// when it writes its row, and others with higher ids may commit before it. So Extend looks
// for rows outside the chain above a bound. Usually the bound is the highest id of a second
// ago, so that few rows are read again. Now and then it is the settled id, below which no new
// row can become visible.
type chaining struct {
	mu      sync.Mutex
	marks   []mark    // the oldest first
	settled time.Time // when all rows above the settled id were last looked at
}

// mark says that the highest id in the chain was top at that time. A row with a lower id had
// its id by then.
type mark struct {
	at  time.Time
	top int64
}

const (
	// lately is how long a transaction may take from the id of its row to the commit, so that
	// the next call finds the row.
	lately = time.Second
	// seldom is the time between two searches through all rows above the settled id.
	seldom = 5 * time.Second
	// chainLock is the advisory lock of the call that extends the chain.
	chainLock = 3
)

const (
	tryLock = `SELECT pg_try_advisory_xact_lock($1, $2) AS got`

	selectHead = `SELECT seq, hash, settled, cut, key_id, sealed FROM audit_head WHERE id = 1`

	lastLink = `SELECT seq, hash FROM audit_chain WHERE seq = (SELECT max(seq) FROM audit_chain)`

	topLink = `SELECT COALESCE(max(audit_id), 0) AS top FROM audit_chain`

	auditColumns = `a.id, a.at, a.actor, a.action, a.object, a.outcome, a.request_id, a.address, a.count`

	unchained = `SELECT ` + auditColumns + ` FROM audit a WHERE a.id > $1
	AND NOT EXISTS (SELECT 1 FROM audit_chain c WHERE c.audit_id = a.id) ORDER BY a.id LIMIT $2`

	strays = `SELECT ` + auditColumns + ` FROM audit a WHERE a.id <= (SELECT h.settled FROM audit_head h WHERE h.id = 1)
	AND NOT EXISTS (SELECT 1 FROM audit_chain c WHERE c.audit_id = a.id) ORDER BY a.id LIMIT $1`

	waiting = `SELECT a.at FROM audit a WHERE a.id > COALESCE((SELECT h.settled FROM audit_head h WHERE h.id = 1), 0)
	AND NOT EXISTS (SELECT 1 FROM audit_chain c WHERE c.audit_id = a.id) ORDER BY a.id LIMIT 1`

	chained = `SELECT c.seq, c.hash, c.audit_id, a.id IS NULL AS gone, ` + auditColumns + ` FROM audit_chain c LEFT JOIN audit a ON a.id = c.audit_id
	WHERE c.seq > $1 ORDER BY c.seq LIMIT $2`

	// A link goes together with its row, so that no row is left outside the chain.
	removeRows = `DELETE FROM audit WHERE id IN (SELECT c.audit_id FROM audit_chain c WHERE c.seq <= $1 ORDER BY c.seq LIMIT $2)`

	removeLinks = `DELETE FROM audit_chain WHERE seq IN (SELECT c.seq FROM audit_chain c WHERE c.seq <= $1 ORDER BY c.seq LIMIT $2)`

	rowWithLink = `SELECT COALESCE(c.seq, 0) AS seq, c.hash, COALESCE(c.audit_id, 0) AS audit_id, false AS gone, ` + auditColumns + `
	FROM audit a LEFT JOIN audit_chain c ON c.audit_id = a.id WHERE a.id = $1`

	putHead = `INSERT INTO audit_head (id, seq, hash, settled, cut, key_id, sealed) VALUES (1, $1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, settled = excluded.settled, cut = excluded.cut,
	key_id = excluded.key_id, sealed = excluded.sealed`

	linkRowsPostgres = `INSERT INTO audit_chain (seq, audit_id, hash) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[])`

	linkRowsSQLite = `INSERT INTO audit_chain (seq, audit_id, hash)
SELECT value ->> 0, value ->> 1, unhex(value ->> 2) FROM json_each($1)`
)

// auditRow is a row of the audit.
type auditRow struct {
	bun.BaseModel `bun:"table:audit"`

	ID        int64
	At        int64
	Actor     domain.Actor
	Action    domain.Action
	Object    string
	Outcome   string
	RequestID string
	Address   string
	Count     int64
}

func (r *auditRow) row() domain.AuditRow {
	return domain.AuditRow{ID: r.ID, Record: domain.Record{
		At: instant(r.At), Actor: r.Actor, Action: r.Action, Object: r.Object, Outcome: r.Outcome,
		RequestID: r.RequestID, Address: r.Address, Count: r.Count,
	}}
}

func auditRows(rows []auditRow) []domain.AuditRow {
	out := make([]domain.AuditRow, len(rows))
	for i := range rows {
		out[i] = rows[i].row()
	}
	return out
}

// pointRow is a point of the chain.
type pointRow struct {
	Seq  int64
	Hash []byte
}

// point returns the point as a value. If somebody changed the length of the hash, it becomes
// zero and matches no link.
func (r *pointRow) point() domain.ChainPoint {
	p := domain.ChainPoint{Seq: r.Seq}
	if len(r.Hash) == len(p.Hash) {
		copy(p.Hash[:], r.Hash)
	}
	return p
}

// headRow is the head of the chain.
type headRow struct {
	Seq     int64
	Hash    []byte
	Settled int64
	Cut     string
	KeyID   domain.KeyID
	Sealed  []byte
}

func (r *headRow) head() domain.AuditHead {
	at := pointRow{r.Seq, r.Hash}
	return domain.AuditHead{
		ChainPoint: at.point(), Settled: r.Settled, Cut: domain.ParseAuditCut(r.Cut), Sealed: domain.Sealed{Key: r.KeyID, Bytes: r.Sealed},
	}
}

// chainedRow is a link with its row, which may be gone.
type chainedRow struct {
	auditRow
	Seq     int64
	Hash    []byte
	AuditID int64
	Gone    bool
}

func (r *chainedRow) chained() domain.ChainedRow {
	at := pointRow{r.Seq, r.Hash}
	return domain.ChainedRow{Link: domain.ChainLink{ChainPoint: at.point(), Row: r.AuditID}, Row: r.row(), Gone: r.Gone}
}

// Extend implements ports.AuditChain. It is one transaction. On Postgres it tries to get a lock
// and does not wait for it. Transaction and lock end with the connection, so nobody waits
// for an instance that is dead.
func (a *AuditChain) Extend(ctx context.Context, limit int, extend ports.Extend) (stored domain.ChainPoint, done bool, err error) {
	s := a.store
	c := &s.chaining
	if !c.mu.TryLock() {
		return domain.ChainPoint{}, false, nil
	}
	defer c.mu.Unlock()
	remember := func() {}
	err = s.change(ctx, "chain the audit", func(ctx context.Context, tx bun.Tx) error {
		stored, done, remember = domain.ChainPoint{}, false, func() {}
		if got, err := s.tryChainLock(ctx, tx.Tx); err != nil || !got {
			return err
		}
		last, head, err := s.chainEnd(ctx, tx.Tx)
		if err != nil {
			return err
		}
		now := s.options.Now()
		from, all := c.from(now, head.Settled)
		var found []auditRow
		if err := s.query(ctx, tx.Tx, &found, unchained, from, max(limit, 0)); err != nil {
			return err
		}
		rows := auditRows(found)
		top, err := s.chainTop(ctx, tx.Tx, rows)
		if err != nil {
			return err
		}
		c.rewind(top)
		full := len(rows) >= limit
		settled := head.Settled
		if all {
			settled = max(settled, s.settle(now, rows, full, top))
		}
		if len(rows) > 0 || settled != head.Settled || last != head.ChainPoint {
			if stored, err = s.putChain(ctx, tx.Tx, extend, last, head, rows, settled); err != nil {
				return err
			}
		}
		done, remember = !full, func() {
			if all && !full {
				c.settled = now
			}
			c.note(now, top, s.settles())
		}
		return nil
	})
	if err != nil {
		return domain.ChainPoint{}, false, err
	}
	remember()
	return stored, done, nil
}

// tryChainLock reports whether this transaction may extend the chain.
func (s *Store) tryChainLock(ctx context.Context, tx handle) (bool, error) {
	if !s.postgres { // this transaction has the whole database to itself
		return true, nil
	}
	var rows []struct{ Got bool }
	err := s.query(ctx, tx, &rows, tryLock, lockClass, chainLock)
	return err == nil && rows[0].Got, err
}

// chainEnd returns the last link and the head.
func (s *Store) chainEnd(ctx context.Context, tx handle) (domain.ChainPoint, domain.AuditHead, error) {
	var links []pointRow
	var heads []headRow
	err := s.query(ctx, tx, &links, lastLink)
	if err == nil {
		err = s.query(ctx, tx, &heads, selectHead)
	}
	var last domain.ChainPoint
	if len(links) == 1 {
		last = links[0].point()
	}
	var head domain.AuditHead
	if len(heads) == 1 {
		head = heads[0].head()
	}
	return last, head, err
}

// chainTop returns the highest id in the chain, once it has the rows.
func (s *Store) chainTop(ctx context.Context, tx handle, rows []domain.AuditRow) (int64, error) {
	var tops []struct{ Top int64 }
	if err := s.query(ctx, tx, &tops, topLink); err != nil {
		return 0, err
	}
	top := tops[0].Top
	if n := len(rows); n > 0 {
		top = max(top, rows[n-1].ID)
	}
	return top, nil
}

// rewind forgets the marks if the highest id in the chain is lower than they say. Then the
// database went back, by a failover or a restore, and gives the same ids again.
func (c *chaining) rewind(top int64) {
	if n := len(c.marks); n > 0 && top < c.marks[n-1].top {
		c.marks = nil
	}
}

// from returns the id above which Extend looks for rows. all reports whether these are all rows
// that are not settled.
func (c *chaining) from(now time.Time, settled int64) (from int64, all bool) {
	if c.settled.IsZero() || now.Sub(c.settled) >= seldom {
		return settled, true
	}
	for _, m := range slices.Backward(c.marks) {
		if now.Sub(m.at) >= lately {
			return max(m.top, settled), m.top <= settled
		}
	}
	return settled, true
}

// note remembers that the highest id in the chain is top. It forgets a mark if the next one is
// older than long.
func (c *chaining) note(now time.Time, top int64, long time.Duration) {
	const often = 100 * time.Millisecond // more marks would not help
	if n := len(c.marks); n == 0 || now.Sub(c.marks[n-1].at) >= often {
		c.marks = append(c.marks, mark{now, top})
	}
	for len(c.marks) > 1 && now.Sub(c.marks[1].at) >= long {
		c.marks = c.marks[1:]
	}
}

// settles returns the time after which a row with an id is visible or never will be. It is at
// least a minute, since other instances may have a longer Timeout.
func (s *Store) settles() time.Duration { return max(3*s.options.Timeout, time.Minute) }

// settle returns the id up to which all rows are in the chain, once it has the rows, and no new
// row can become visible. No call takes longer than its Timeout, and the server ends a
// transaction that is idle for longer. SQLite has one writer at a time, so ids are in the order
// of the commits.
func (s *Store) settle(now time.Time, rows []domain.AuditRow, full bool, top int64) int64 {
	settled := top
	if s.postgres {
		settled = 0
		for _, m := range s.chaining.marks {
			if now.Sub(m.at) >= s.settles() {
				settled = m.top
			}
		}
	}
	if full && len(rows) > 0 { // there may be more
		settled = min(settled, rows[len(rows)-1].ID)
	}
	return settled
}

// putChain stores the links and the head that extend makes, and returns the end of the chain.
func (s *Store) putChain(ctx context.Context, tx handle, extend ports.Extend, last domain.ChainPoint, head domain.AuditHead,
	rows []domain.AuditRow, settled int64,
) (domain.ChainPoint, error) {
	links, head, err := extend(last, head, rows, settled)
	if err != nil {
		return domain.ChainPoint{}, verdict{err}
	}
	if err := s.putLinks(ctx, tx, links); err != nil {
		return domain.ChainPoint{}, err
	}
	_, err = s.exec(ctx, tx, putHead, headValues(head)...)
	return head.ChainPoint, err
}

// headValues returns the values of putHead.
func headValues(h domain.AuditHead) []any {
	return []any{h.Seq, h.Hash[:], h.Settled, h.Cut.Text(), string(h.Sealed.Key), h.Sealed.Bytes}
}

// putLinks stores the links with one statement.
func (s *Store) putLinks(ctx context.Context, tx handle, links []domain.ChainLink) error {
	if len(links) == 0 {
		return nil
	}
	if !s.postgres {
		list := make([][3]any, len(links))
		for i, l := range links {
			list[i] = [3]any{l.Seq, l.Row, hex.EncodeToString(l.Hash[:])}
		}
		text, err := json.Marshal(list)
		if err != nil {
			return err
		}
		_, err = s.exec(ctx, tx, linkRowsSQLite, string(text))
		return err
	}
	seqs, rows, hashes := make([]int64, len(links)), make([]int64, len(links)), make([][]byte, len(links))
	for i, l := range links {
		seqs[i], rows[i], hashes[i] = l.Seq, l.Row, l.Hash[:]
	}
	_, err := s.exec(ctx, tx, linkRowsPostgres, seqs, rows, hashes)
	return err
}

// Cut implements ports.AuditChain.
func (a *AuditChain) Cut(ctx context.Context, cut ports.Cut) error {
	s := a.store
	return s.change(ctx, "cut the audit", func(ctx context.Context, tx bun.Tx) error {
		if err := s.waitForLock(ctx, tx.Tx, chainLock); err != nil {
			return err
		}
		last, head, err := s.chainEnd(ctx, tx.Tx)
		if err != nil {
			return err
		}
		head, recs, err := cut(last, head)
		if err != nil {
			return verdict{err}
		}
		if _, err := s.exec(ctx, tx.Tx, putHead, headValues(head)...); err != nil {
			return err
		}
		for _, rec := range recs {
			if err := s.audit(ctx, tx.Tx, rec); err != nil {
				return err
			}
		}
		return nil
	})
}

// Remove implements ports.AuditChain. Two calls at the same instant take turns, so that each removes the
// rows of the links that it removes.
func (a *AuditChain) Remove(ctx context.Context, upTo int64, limit int) (int, error) {
	s := a.store
	var removed int64
	err := s.change(ctx, "remove rows of the audit", func(ctx context.Context, tx bun.Tx) error {
		err := s.waitForLock(ctx, tx.Tx, chainLock)
		if err == nil {
			_, err = s.exec(ctx, tx.Tx, removeRows, upTo, max(limit, 0))
		}
		if err == nil {
			removed, err = s.exec(ctx, tx.Tx, removeLinks, upTo, max(limit, 0))
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	return int(removed), nil
}

// Links implements ports.AuditChain.
func (a *AuditChain) Links(ctx context.Context, after int64, limit int) ([]domain.ChainedRow, error) {
	s := a.store
	var rows []chainedRow
	err := s.read(ctx, "read the chain of the audit", func(ctx context.Context) error {
		rows = nil
		return s.lookUp(ctx, &rows, chained, after, max(limit, 0))
	})
	if err != nil {
		return nil, err
	}
	out := make([]domain.ChainedRow, len(rows))
	for i := range rows {
		out[i] = rows[i].chained()
	}
	return out, nil
}

// Head implements ports.AuditChain.
func (a *AuditChain) Head(ctx context.Context) (domain.AuditHead, error) {
	s := a.store
	var rows []headRow
	err := s.read(ctx, "read the head of the audit's chain", func(ctx context.Context) error {
		rows = nil
		return s.lookUp(ctx, &rows, selectHead)
	})
	if err != nil || len(rows) == 0 {
		return domain.AuditHead{}, err
	}
	return rows[0].head(), nil
}

// Waiting implements ports.AuditChain.
func (a *AuditChain) Waiting(ctx context.Context) (time.Time, error) {
	s := a.store
	var rows []struct{ At int64 }
	err := s.read(ctx, "look for rows of the audit that are not in the chain yet", func(ctx context.Context) error {
		rows = nil
		return s.lookUp(ctx, &rows, waiting)
	})
	if err != nil || len(rows) == 0 {
		return time.Time{}, err
	}
	return instant(rows[0].At), nil
}

// Strays implements ports.AuditChain.
func (a *AuditChain) Strays(ctx context.Context, limit int) ([]domain.AuditRow, error) {
	s := a.store
	var rows []auditRow
	err := s.read(ctx, "look for rows of the audit that are in no chain", func(ctx context.Context) error {
		rows = nil
		return s.lookUp(ctx, &rows, strays, max(limit, 0))
	})
	return auditRows(rows), err
}
