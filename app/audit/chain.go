package audit

import (
	"context"
	"sync"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

const (
	// chainBatch is how many rows are chained in one change.
	chainBatch = 1000
	// chainRetry is how long drainChain pauses while another instance chains.
	chainRetry = 50 * time.Millisecond
	// chainPatience is how long drainChain waits for other instances that chain.
	chainPatience = 10 * time.Second
)

// seenHead is the last head of the chain that this instance knows to be stored.
type seenHead struct {
	mu sync.Mutex
	at domain.ChainPoint
}

// point is the head.
func (h *seenHead) point() domain.ChainPoint {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

// advance notes that the head is at. It never goes back.
func (h *seenHead) advance(at domain.ChainPoint) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if at.Seq > h.at.Seq {
		h.at = at
	}
}

// rewind notes that the head was taken back to at.
func (h *seenHead) rewind(at domain.ChainPoint) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = at
}

// Chain puts the rows of the audit that are not in the chain yet into it, in small batches, and
// signs the end of the chain. While another instance does that, it does nothing.
//
// Returns Corrupt if the end of the chain is not the signed one. A chain whose tail was cut off,
// or whose head was changed, is never signed again. The chain and its head may be those of an
// earlier time, as after a restore of the database or a failover. An instance that has seen
// later ones then returns Corrupt once and goes on.
func (a *Audit) Chain(ctx context.Context) error {
	_, err := a.chain(ctx)
	return err
}

// chain is Chain. It also reports whether all rows are in the chain.
func (a *Audit) chain(ctx context.Context) (done bool, err error) {
	for {
		seen := a.seen.point()
		// The store may call this more than once and store what the last call returned, or
		// nothing. So only what Extend returns counts.
		var back *domain.ChainPoint
		stored, done, err := a.ports.Chain.Extend(ctx, chainBatch,
			func(last domain.ChainPoint, head domain.AuditHead, rows []domain.AuditRow, settled int64) ([]domain.ChainLink, domain.AuditHead, error) {
				back = nil
				if err := a.endsSigned(head, last); err != nil {
					return nil, domain.AuditHead{}, err
				}
				if head.Seq < seen.Seq || head.Seq == seen.Seq && head.Hash != seen.Hash {
					back = &head.ChainPoint
					return nil, domain.AuditHead{}, head.RolledBack(seen)
				}
				return a.extend(last, head.Cut, rows, settled)
			})
		if err != nil {
			if back != nil {
				a.seen.rewind(*back)
			}
			return false, err
		}
		a.seen.advance(stored)
		if done || stored == (domain.ChainPoint{}) {
			return done, nil
		}
	}
}

// extend makes the links of rows after last, and the signed head.
func (a *Audit) extend(last domain.ChainPoint, cut domain.AuditCut, rows []domain.AuditRow, settled int64) ([]domain.ChainLink, domain.AuditHead, error) {
	links := last.Extend(rows)
	if n := len(links); n > 0 {
		last = links[n-1].ChainPoint
	}
	next, err := Sign(a.ports.Cipher, domain.AuditHead{ChainPoint: last, Settled: settled, Cut: cut})
	return links, next, err
}

// endsSigned returns Corrupt unless the keyset signed the head and the chain, which ends at
// last, ends where the head says.
func (a *Audit) endsSigned(head domain.AuditHead, last domain.ChainPoint) error {
	if err := head.Ends(last); err != nil {
		return err
	}
	return a.signed(head)
}

// signed returns Corrupt unless the keyset signed the head.
func (a *Audit) signed(head domain.AuditHead) error {
	if head.Sealed.IsZero() { // the start-up check has signed the first one
		return domain.ChainGone()
	}
	text, err := a.ports.Cipher.Open(head.Sealed, domain.BindAuditHead())
	switch {
	case domain.KindOf(err) == domain.Corrupt || err == nil && text.Reveal() != head.Text():
		return head.Forged()
	case err != nil:
		return err
	}
	return nil
}

// drainChain chains until all rows are in the chain. It waits up to chainPatience for other
// instances that chain.
func (a *Audit) drainChain(ctx context.Context) error {
	patience := time.NewTimer(chainPatience)
	defer patience.Stop()
	again := time.NewTicker(chainRetry)
	defer again.Stop()
	for {
		if done, err := a.chain(ctx); err != nil || done {
			return err
		}
		select {
		case <-again.C:
		case <-patience.C:
			return nil // the others have chained most rows by now
		case <-ctx.Done():
			return &domain.Error{Kind: domain.Unavailable, Public: "the audit is not chained to its end yet; try again later; try again later", Cause: context.Cause(ctx)}
		}
	}
}
