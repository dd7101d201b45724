package app

import (
	"context"

	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
)

// GetProjects returns at most limit (1 to paging.Max, otherwise Invalid) of the projects
// that the caller may use and that come after the cursor, ordered by the bytes of the
// name, then the id. Returns NotFound if there are none at all. An empty page after a cursor
// is no error.
func (s *Service) GetProjects(ctx context.Context, call domain.Call, after domain.Cursor, limit int) (paging.Page[domain.Project], error) {
	page, err := s.projects(ctx, call.Caller.Sees(), domain.ProjectFilter{}, after, limit)
	if err == nil && len(page.Items) == 0 && after == (domain.Cursor{}) {
		return page, &domain.Error{Kind: domain.NotFound, Public: "there are no assistants"}
	}
	return page, err
}

// projects returns a page of the projects within in that the filter picks.
func (s *Service) projects(ctx context.Context, in domain.Visible, filter domain.ProjectFilter, after domain.Cursor, limit int) (paging.Page[domain.Project], error) {
	return paging.Read(limit,
		func(limit int) ([]domain.Project, error) {
			return s.ports.Store.Projects.Page(ctx, in, filter, after, limit)
		},
		func(p domain.Project) domain.Cursor { return domain.Cursor{Name: p.Name, ID: string(p.ID)} })
}
