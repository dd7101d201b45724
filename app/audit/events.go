package audit

import (
	"context"

	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
)

// EventQuery says which rows Events looks for, as the caller gave it. "" matches anything.
// Since is inclusive, Until is not; both are times in the format of RFC 3339.
type EventQuery struct {
	Actor, Action, Object, Outcome, RequestID string
	Since, Until                              string
}

// Event returns the row with that id. Its Link is zero if the row is not in the chain yet. Only an
// admin may: NotAllowed. Returns NotFound if there is no such row.
func (a *Audit) Event(ctx context.Context, call domain.Call, id int64) (domain.ChainedRow, error) {
	if err := call.Caller.MayManage(domain.ScopeManageAudit); err != nil {
		return domain.ChainedRow{}, err
	}
	return a.ports.Log.Find(ctx, id)
}

// Events returns at most limit (1 to paging.Max, otherwise Invalid) rows of the audit that
// come after the cursor, newest first. Only an admin may: NotAllowed. Returns Invalid if the
// query breaks a rule, or if the cursor is of another list. Returns Unavailable if the
// search takes too long, as it can if few of very many rows match; a shorter time helps.
func (a *Audit) Events(ctx context.Context, call domain.Call, q EventQuery, after domain.Cursor, limit int) (paging.Page[domain.AuditRow], error) {
	if err := call.Caller.MayManage(domain.ScopeManageAudit); err != nil {
		return paging.Page[domain.AuditRow]{}, err
	}
	filter, err := domain.NewAuditFilter(q.Actor, q.Action, q.Object, q.Outcome, q.RequestID, q.Since, q.Until)
	if err != nil {
		return paging.Page[domain.AuditRow]{}, err
	}
	before, err := domain.AuditPlaceAt(after)
	if err != nil {
		return paging.Page[domain.AuditRow]{}, err
	}
	return paging.Read(limit,
		func(limit int) ([]domain.AuditRow, error) {
			return a.ports.Log.Page(ctx, filter, before, limit)
		},
		func(r domain.AuditRow) domain.Cursor { return r.Place().Cursor() })
}
