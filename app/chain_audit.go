package app

import (
	"context"
	"sync"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

const (
	// chainBatch is how many rows are chained in one change.
	chainBatch = 1000
	// chainPause is how often Run chains.
	chainPause = 500 * time.Millisecond
	// chainPatience is how long is waited for others who chain.
	chainPatience = 10 * time.Second
)

// chained stands behind the key of the pseudonyms, under its seal, once the audit's chain
// has a head. That key is a thing in the database that nobody can take away, or put back,
// without its being noticed; so nobody can make an audit look as one that has yet to begin.
const chained = "\x00the audit has a chain"

// seenHead is the head of the audit's chain as this instance signed it last.
type seenHead struct {
	mu sync.Mutex
	at domain.ChainPoint
}

// swap remembers at and returns what was remembered before.
func (h *seenHead) swap(at domain.ChainPoint) domain.ChainPoint {
	h.mu.Lock()
	defer h.mu.Unlock()
	was := h.at
	h.at = at
	return was
}

// ChainAudit puts the audit's rows that are not in the chain yet into it, in small
// batches, and signs the chain's end. It does nothing while another instance is at it.
//
// It is Corrupt where the end is not the one that was signed: a chain whose tail was cut
// off, or whose head was changed, is never signed over. When both are as they were at an
// earlier time it is Corrupt once, on an instance that has seen a later one, and goes on:
// a database that is restored, or fails over, goes back too. Run calls it twice a second.
func (s *Service) ChainAudit(ctx context.Context) error {
	_, err := s.chainAudit(ctx)
	return err
}

// chainAudit says besides whether nothing is left.
func (s *Service) chainAudit(ctx context.Context) (done bool, err error) {
	for {
		var end domain.ChainPoint
		extended := false
		done, err := s.ports.Store.Chain.Extend(ctx, chainBatch,
			func(last domain.ChainPoint, head domain.AuditHead, rows []domain.AuditRow, settled int64) ([]domain.ChainLink, domain.AuditHead, error) {
				links, head, err := s.extendChain(last, head, rows, settled)
				extended, end = true, head.ChainPoint
				return links, head, err
			})
		if err != nil {
			return false, err
		}
		if extended {
			s.chainSeen.swap(end)
		}
		if done || !extended {
			return done, nil
		}
	}
}

// extendChain is a ports.Extend.
func (s *Service) extendChain(last domain.ChainPoint, head domain.AuditHead, rows []domain.AuditRow, settled int64) (
	[]domain.ChainLink, domain.AuditHead, error,
) {
	if err := s.endsSigned(head, last); err != nil {
		return nil, domain.AuditHead{}, err
	}
	if seen := s.chainSeen.swap(head.ChainPoint); head.Seq < seen.Seq || head.Seq == seen.Seq && head.Hash != seen.Hash {
		return nil, domain.AuditHead{}, head.RolledBack(seen)
	}
	links := last.Extend(rows)
	if n := len(links); n > 0 {
		last = links[n-1].ChainPoint
	}
	next, err := s.signed(domain.AuditHead{ChainPoint: last, Settled: settled})
	return links, next, err
}

// signed is the head, sealed under the current key.
func (s *Service) signed(head domain.AuditHead) (domain.AuditHead, error) {
	var err error
	head.Sealed, err = s.ports.Cipher.Seal(domain.NewSecret(head.Text()), domain.BindAuditHead())
	return head, err
}

// endsSigned is Corrupt unless the chain, which ends at last, ends where the head says,
// and the head was signed by the keyset.
func (s *Service) endsSigned(head domain.AuditHead, last domain.ChainPoint) error {
	if err := head.Ends(last); err != nil {
		return err
	}
	if head.Sealed.IsZero() { // the start-up check has signed one, if there was none
		return domain.ChainGone()
	}
	text, err := s.ports.Cipher.Open(head.Sealed, domain.BindAuditHead())
	switch {
	case domain.KindOf(err) == domain.Corrupt || err == nil && text.Reveal() != head.Text():
		return head.Forged()
	case err != nil:
		return err
	}
	return nil
}

// drainChain chains until no row is left. It waits up to chainPatience for other instances
// that chain.
func (s *Service) drainChain(ctx context.Context) error {
	patience := time.NewTimer(chainPatience)
	defer patience.Stop()
	again := time.NewTicker(chainPause / 10)
	defer again.Stop()
	for {
		if done, err := s.chainAudit(ctx); err != nil || done {
			return err
		}
		select {
		case <-again.C:
		case <-patience.C:
			return nil // they have most of it by now
		case <-ctx.Done():
			return &domain.Error{Kind: domain.Unavailable, Public: "the audit is not chained to its end yet", Cause: context.Cause(ctx)}
		}
	}
}
