package app

import (
	"context"

	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
)

// GetGrants returns at most limit (1 to paging.Max, otherwise Invalid) grants that come after
// the cursor, ordered by user, then project. It returns those of the user on the project; ""
// stands for all users or all projects. Only an admin may: NotAllowed. Returns NotFound if
// there is no such project.
func (s *Service) GetGrants(ctx context.Context, call domain.Call, user, project string, after domain.Cursor, limit int) (paging.Page[domain.Grant], error) {
	if err := call.Caller.MayManage(domain.ScopeManageGrants); err != nil {
		return paging.Page[domain.Grant]{}, err
	}
	var filter domain.GrantFilter
	var err error
	if user != "" {
		if filter.User, err = domain.ParseUserID(user); err != nil {
			return paging.Page[domain.Grant]{}, err
		}
	}
	if project != "" {
		ids, err := s.projectIDs(ctx, call.Caller, []string{project})
		if err != nil {
			return paging.Page[domain.Grant]{}, err
		}
		filter.Project = ids[0]
	}
	return paging.Read(limit,
		func(limit int) ([]domain.Grant, error) { return s.ports.Store.Grants.Page(ctx, filter, after, limit) },
		func(g domain.Grant) domain.Cursor {
			return domain.Cursor{Name: string(g.User), ID: string(g.Project)}
		})
}
