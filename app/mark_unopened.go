package app

import (
	"context"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// MarkUnopened tries to open the keys of all projects and marks those that do not open,
// and those that open again, so that an admin sees it before anybody uses the project. It
// is Corrupt, and marks nothing, where the keyset is not the one of the database. Run
// calls it.
func (s *Service) MarkUnopened(ctx context.Context) error {
	id, err := s.NewRequestID()
	if err != nil {
		return err
	}
	rec := s.record(Call{RequestID: id}, domain.ActionMarkKey, "")
	rec.Actor = domain.ActorService
	const page = 500
	return s.scan(ctx, rec, "", domain.BeforeProjectKeys, page, func(unsealed) {})
}

// markNowAndThen calls MarkUnopened at once, and then again each minute, or more seldom
// where it takes long: at most a hundredth of the time.
func (s *Service) markNowAndThen(ctx context.Context, failed func(error)) {
	for {
		began := time.Now()
		if err := s.MarkUnopened(ctx); err != nil && ctx.Err() == nil {
			failed(err)
		}
		again := time.NewTimer(max(time.Minute, 100*time.Since(began)))
		select {
		case <-ctx.Done():
			again.Stop()
			return
		case <-again.C:
		}
	}
}

// ToReenter returns how many keys of projects are marked as not opening. Only an admin is
// told: NotAllowed.
func (s *Service) ToReenter(ctx context.Context, call Call) (int, error) {
	if err := call.Caller.MayManage(); err != nil {
		return 0, err
	}
	return s.ports.Store.Sealings.ToReenter(ctx)
}
