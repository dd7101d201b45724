package forward

import (
	"context"
	"sync"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// maxCounts bounds what waits to be stored while the database is away. It counts keys, each of
// about 300 bytes.
const maxCounts = 50_000

// usageCounts are counts that have yet to be stored. Counting takes a lock and a look-up in a
// map, and never waits for the database. The zero value is ready.
type usageCounts struct {
	mu     sync.Mutex
	counts map[domain.UsageKey]domain.Usage
	tokens map[domain.TokenID]time.Time
}

// add counts a use.
func (c *usageCounts) add(u domain.Usage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.merge(u)
}

// merge adds u to the counts. The caller holds the lock.
func (c *usageCounts) merge(u domain.Usage) {
	sum, there := c.counts[u.UsageKey]
	if !there {
		if len(c.counts) >= maxCounts {
			return
		}
		if c.counts == nil {
			c.counts = map[domain.UsageKey]domain.Usage{}
		}
	}
	c.counts[u.UsageKey] = u.Plus(sum)
}

// tokenUsed notes that the token was used at now.
func (c *usageCounts) tokenUsed(id domain.TokenID, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(id, domain.Instant(now))
}

// note keeps the later use of a token. The caller holds the lock.
func (c *usageCounts) note(id domain.TokenID, at time.Time) {
	if c.tokens == nil {
		c.tokens = map[domain.TokenID]time.Time{}
	}
	if was, there := c.tokens[id]; at.After(was) && (there || len(c.tokens) < maxCounts) {
		c.tokens[id] = at
	}
}

// take returns the counts and removes them.
func (c *usageCounts) take() ([]domain.Usage, map[domain.TokenID]time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]domain.Usage, 0, len(c.counts))
	for _, u := range c.counts {
		list = append(list, u)
	}
	tokens := c.tokens
	c.counts, c.tokens = nil, nil
	return list, tokens
}

// giveBack adds counts that could not be stored.
func (c *usageCounts) giveBack(list []domain.Usage, tokens map[domain.TokenID]time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, u := range list {
		c.merge(u)
	}
	for id, at := range tokens {
		c.note(id, at)
	}
}

// NoteTokenUse notes that the access token was used now, in a call that is not forwarded.
// FlushUsage stores it.
func (f *Forwarder) NoteTokenUse(id domain.TokenID) { f.counts.tokenUsed(id, f.ports.Clock()) }

// FlushUsage stores what was counted since the last time. Counts that can't be stored are kept
// for the next time.
func (f *Forwarder) FlushUsage(ctx context.Context) error {
	list, tokens := f.counts.take()
	if len(list) == 0 && len(tokens) == 0 {
		return nil
	}
	err := f.ports.Usage.Add(ctx, list, tokens)
	if err != nil {
		f.counts.giveBack(list, tokens)
	}
	return err
}
