package app

import (
	"context"

	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
)

// GetUsage is the input of Service.GetUsage, as the caller gave it. domain.NewUsageQuery replaces
// "" by a default.
type GetUsage struct {
	From, To, GroupBy string
}

// GetUsage tells how often assistants were used. It returns at most limit (1 to paging.Max,
// otherwise Invalid) sums that come after the cursor, ordered by the fields that they are
// grouped by. The counts of other instances in the last second may be missing. Only an admin
// may: NotAllowed. Returns Invalid if the input or the cursor
// breaks a rule.
func (s *Service) GetUsage(ctx context.Context, call domain.Call, in GetUsage, after domain.Cursor, limit int) (paging.Page[domain.Usage], error) {
	if err := call.Caller.MayManage(domain.ScopeManageAudit); err != nil {
		return paging.Page[domain.Usage]{}, err
	}
	q, err := domain.NewUsageQuery(in.From, in.To, in.GroupBy, s.ports.Clock())
	if err != nil {
		return paging.Page[domain.Usage]{}, err
	}
	place, err := domain.UsageKeyAt(after)
	if err != nil {
		return paging.Page[domain.Usage]{}, err
	}
	// Counts that can't be stored now are stored later, and the report is right without them.
	_ = s.forwarder.FlushUsage(ctx)
	return paging.Read(limit,
		func(limit int) ([]domain.Usage, error) {
			return s.ports.Store.Usage.Report(ctx, q, place, limit)
		},
		func(u domain.Usage) domain.Cursor { return u.Cursor() })
}
