package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// GetAuditEvents is the input of Service.GetAuditEvents, as the caller gave it: what is
// looked for, "" for anything. Since, which is inclusive, and Until, which is not, are
// times as RFC 3339 has them.
type GetAuditEvents struct {
	Actor, Action, Object, Outcome, RequestID string
	Since, Until                              string
}

// GetAuditEvents returns at most limit (1 to MaxPage, otherwise Invalid) rows of the audit
// that come behind the cursor, newest first. Only an admin may: NotAllowed. It is Invalid
// for input that breaks a rule and for a cursor of another list. Rows are looked for within
// the time that is asked for, and otherwise within all: where these are very many and few
// of them are meant, that may be Unavailable, and a shorter time helps.
func (s *Service) GetAuditEvents(ctx context.Context, call Call, in GetAuditEvents, after domain.Cursor, limit int) (Page[domain.AuditRow], error) {
	if err := call.Caller.MayManage(); err != nil {
		return Page[domain.AuditRow]{}, err
	}
	filter, err := domain.NewAuditFilter(in.Actor, in.Action, in.Object, in.Outcome, in.RequestID, in.Since, in.Until)
	if err != nil {
		return Page[domain.AuditRow]{}, err
	}
	before, err := domain.AuditPlaceAt(after)
	if err != nil {
		return Page[domain.AuditRow]{}, err
	}
	return pageOf(limit,
		func(limit int) ([]domain.AuditRow, error) {
			return s.ports.Store.Audit.Page(ctx, filter, before, limit)
		},
		func(r domain.AuditRow) domain.Cursor { return r.Place().Cursor() })
}
