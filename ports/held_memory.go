package ports

import (
	"bytes"
	"context"
	"io"
	"sync"

	"github.com/flowlatch/flowlatch/domain"
)

// HeldMemory bounds the bodies and answers that this process holds in memory at a time.
type HeldMemory interface {
	// Take counts n more bytes that are held for who. Returns the error of Holder.MayHold if
	// they may not be held. Such bytes are not counted.
	Take(who domain.Holder, n int64) error

	// GiveBack ends the count of n bytes that were taken for who.
	GiveBack(who domain.Holder, n int64)
}

// Held is what one request holds in memory. It is safe for concurrent use. The nil Held counts
// nothing and has no bound.
type Held struct {
	memory HeldMemory

	mu   sync.Mutex
	who  domain.Holder
	n    int64
	over bool
}

// NewHeld returns a Held for a request of who, which must be released. It is nil if memory is.
func NewHeld(memory HeldMemory, who domain.Holder) *Held {
	if memory == nil {
		return nil
	}
	return &Held{memory: memory, who: who}
}

// Add counts n more bytes, until Release. Returns the error of HeldMemory.Take. It counts nothing
// after Release.
func (h *Held) Add(n int) error {
	if h == nil || n <= 0 {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return nil
	}
	if err := h.memory.Take(h.who, int64(n)); err != nil {
		return err
	}
	h.n += int64(n)
	return nil
}

// For says who makes the request. It is called before the request holds anything.
func (h *Held) For(who domain.Holder) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.n == 0 {
		h.who = who
	}
}

// Release ends the count of all bytes. Further calls do nothing.
func (h *Held) Release() {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.over && h.n > 0 {
		h.memory.GiveBack(h.who, h.n)
	}
	h.over = true
}

// ReadAll reads r to its end, or until it has more than limit bytes. It counts the memory as it
// takes it, which is never more than twice what has arrived, and a little to begin with. So
// nobody can take memory by announcing a length. Returns the error of Add, or of r.
func (h *Held) ReadAll(r io.Reader, limit int64) (b []byte, err error) {
	for size := int64(firstRead); ; size = 2 * size {
		size = min(size, limit+1)
		if err := h.Add(int(size) - cap(b)); err != nil {
			return nil, err
		}
		grown := make([]byte, len(b), size)
		copy(grown, b)
		for b = grown; len(b) < cap(b); {
			n, err := r.Read(b[len(b):cap(b)])
			b = b[:len(b)+n]
			if err == io.EOF {
				return b, nil
			}
			if err != nil {
				return b, err
			}
		}
		if int64(len(b)) > limit {
			return b, nil
		}
	}
}

// firstRead is how many bytes ReadAll takes to begin with.
const firstRead = 1 << 10

// WholeBody is the body of a request that is in memory already. Closing it does nothing.
type WholeBody struct {
	*bytes.Reader

	All []byte
}

// NewWholeBody returns a body that reads all.
func NewWholeBody(all []byte) *WholeBody { return &WholeBody{bytes.NewReader(all), all} }

// Close does nothing.
func (*WholeBody) Close() error { return nil }

type heldKey struct{}

// WithHeld returns a context for the work of a request that holds h.
func WithHeld(ctx context.Context, h *Held) context.Context {
	if h == nil {
		return ctx
	}
	return context.WithValue(ctx, heldKey{}, h)
}

// HeldIn returns the Held of the request that ctx is for. It is nil if there is none.
func HeldIn(ctx context.Context) *Held {
	h, _ := ctx.Value(heldKey{}).(*Held)
	return h
}
