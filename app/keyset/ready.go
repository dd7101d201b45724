package keyset

import (
	"context"
	"time"
)

// Ready returns nil if the service can serve: the database answers and can be written, its schema
// is as new as this program needs, and the keyset opens the known value. Returns the error of
// domain.ReadsOnly if only writes are missing. It asks at most once a second, so frequent calls
// cost nothing.
func (k *Keyset) Ready(ctx context.Context) error {
	k.readyMu.Lock()
	defer k.readyMu.Unlock()
	now := k.ports.Clock()
	if age := now.Sub(k.readyAt); k.readyAt.IsZero() || age >= time.Second || age < 0 {
		// Everyone who asks within the second gets this answer, so a caller who leaves must
		// not spoil it. The store limits how long the answer takes.
		k.ready = k.checkAll(context.WithoutCancel(ctx))
		k.readyAt = k.ports.Clock() // callers who waited meanwhile get this answer too
	}
	return k.ready
}

// checkAll is check, and returns the error of domain.ReadsOnly if the database can't be written.
func (k *Keyset) checkAll(ctx context.Context) error {
	if err := k.check(ctx); err != nil {
		return err
	}
	return k.ports.Installation.CheckWrites(ctx)
}

// check returns Corrupt if the keyset here is not that of the database.
func (k *Keyset) check(ctx context.Context) error {
	is, err := k.ports.Installation.Get(ctx)
	if err != nil {
		return err
	}
	return Opens(k.ports.Cipher, is)
}
