package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// MaxPage is the largest page of a list.
const MaxPage = 1000

// Page is a part of a list.
type Page[T any] struct {
	Items []T
	// Next is where the next page begins; nil when there is none.
	Next *domain.Cursor
}

// GetProjects returns at most limit (1 to MaxPage, otherwise Invalid) of the projects
// that the caller may use and that come after the cursor, ordered by the bytes of the
// name, then the id. Returns NotFound if there are none at all. An empty page after a cursor
// is no error.
func (s *Service) GetProjects(ctx context.Context, call Call, after domain.Cursor, limit int) (Page[domain.Project], error) {
	page, err := s.projects(ctx, call.Caller.Sees(), after, limit)
	if err == nil && len(page.Items) == 0 && after == (domain.Cursor{}) {
		return page, &domain.Error{Kind: domain.NotFound, Public: "there are no assistants"}
	}
	return page, err
}

// projects returns a page of the projects within in.
func (s *Service) projects(ctx context.Context, in domain.Visible, after domain.Cursor, limit int) (Page[domain.Project], error) {
	return pageOf(limit,
		func(limit int) ([]domain.Project, error) { return s.ports.Store.Projects.Page(ctx, in, after, limit) },
		func(p domain.Project) domain.Cursor { return domain.Cursor{Name: p.Name, ID: string(p.ID)} })
}

// everyPage calls do for every item, page by page. An error of do's ends it.
func everyPage[T any](read func(after domain.Cursor) (Page[T], error), do func(T) error) error {
	for after := new(domain.Cursor); after != nil; {
		page, err := read(*after)
		if err != nil {
			return err
		}
		for _, item := range page.Items {
			if err := do(item); err != nil {
				return err
			}
		}
		after = page.Next
	}
	return nil
}

// pageOf reads one item more than limit, to know whether a next page has any.
func pageOf[T any](limit int, read func(limit int) ([]T, error), at func(T) domain.Cursor) (Page[T], error) {
	if limit < 1 || limit > MaxPage {
		return Page[T]{}, &domain.Error{Kind: domain.Invalid, Public: "limit must be 1 to 1000"}
	}
	items, err := read(limit + 1)
	if err != nil || len(items) <= limit {
		return Page[T]{Items: items}, err
	}
	next := at(items[limit-1])
	return Page[T]{Items: items[:limit], Next: &next}, nil
}
