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
	// Project is the only project that counts: our Id, also of one that was deleted, or a Voiceflow
	// project id. User is the id of the only user who counts. "" is all.
	Project, User string
}

// GetUsage tells how often assistants were used. It returns at most limit (1 to paging.Max,
// otherwise Invalid) sums that come after the cursor, ordered by the fields that they are
// grouped by. The counts of other instances in the last second may be missing. Only an admin
// may: NotAllowed. Returns Invalid if the input or the cursor
// breaks a rule. Returns NotFound or AmbiguousName if Project is a Voiceflow project id of no project or
// of several.
func (s *Service) GetUsage(ctx context.Context, call domain.Call, in GetUsage, after domain.Cursor, limit int) (paging.Page[domain.Usage], error) {
	if err := call.Caller.MayManage(domain.ScopeManageAudit); err != nil {
		return paging.Page[domain.Usage]{}, err
	}
	return s.usage(ctx, call, in, after, limit)
}

// GetTopUsage returns the limit (1 to paging.Max, otherwise Invalid) largest sums of GetUsage, and the
// total of all. Its errors are those of GetUsage.
func (s *Service) GetTopUsage(ctx context.Context, call domain.Call, in GetUsage, limit int) (domain.UsageTop, error) {
	if err := call.Caller.MayManage(domain.ScopeManageAudit); err != nil {
		return domain.UsageTop{}, err
	}
	return s.topUsage(ctx, call, in, limit)
}

// topUsage is GetTopUsage by whoever may see what the input asks for.
func (s *Service) topUsage(ctx context.Context, call domain.Call, in GetUsage, limit int) (domain.UsageTop, error) {
	q, err := s.usageQuery(ctx, call, in)
	if err != nil {
		return domain.UsageTop{}, err
	}
	if err := paging.CheckLimit(limit); err != nil {
		return domain.UsageTop{}, err
	}
	_ = s.forwarder.FlushUsage(ctx) // as in usage
	return s.ports.Store.Usage.Top(ctx, q, limit)
}

// usageQuery reads the input.
func (s *Service) usageQuery(ctx context.Context, call domain.Call, in GetUsage) (domain.UsageQuery, error) {
	q, err := domain.NewUsageQuery(in.From, in.To, in.GroupBy, s.ports.Clock())
	if err != nil {
		return domain.UsageQuery{}, err
	}
	if in.User != "" {
		if q.User, err = domain.ParseUserID(in.User); err != nil {
			return domain.UsageQuery{}, err
		}
	}
	if in.Project != "" {
		ids, err := s.projectIDs(ctx, call.Caller, []string{in.Project})
		if err != nil {
			return domain.UsageQuery{}, err
		}
		q.Project = ids[0]
	}
	return q, nil
}

// usage is GetUsage by whoever may see what the input asks for.
func (s *Service) usage(ctx context.Context, call domain.Call, in GetUsage, after domain.Cursor, limit int) (paging.Page[domain.Usage], error) {
	q, err := s.usageQuery(ctx, call, in)
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
