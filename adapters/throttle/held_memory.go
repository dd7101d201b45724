package throttle

import (
	"sync"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.HeldMemory = (*HeldMemory)(nil)

// HeldMemory is a ports.HeldMemory. It is safe for concurrent use. It remembers only holders who
// hold something.
type HeldMemory struct {
	budget int64

	mu        sync.Mutex
	all       int64
	strangers int64
	own       map[domain.Holder]int64
}

// NewHeldMemory returns a HeldMemory. Nothing is held yet. budget is how many bytes may be held.
func NewHeldMemory(budget int64) *HeldMemory {
	return &HeldMemory{budget: budget, own: map[domain.Holder]int64{}}
}

// Take counts n more bytes. Returns the error of Holder.MayHold if they may not be held.
func (m *HeldMemory) Take(who domain.Holder, n int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	held := domain.HeldMemory{All: m.all, Strangers: m.strangers, Own: m.own[who]}
	if err := who.MayHold(held, n, m.budget); err != nil {
		return err
	}
	m.add(who, n)
	return nil
}

// GiveBack ends the count of n bytes.
func (m *HeldMemory) GiveBack(who domain.Holder, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(who, -n)
}

func (m *HeldMemory) add(who domain.Holder, n int64) {
	m.all += n
	if who.Stranger() {
		m.strangers += n
	}
	if m.own[who] += n; m.own[who] == 0 {
		delete(m.own, who)
	}
}
