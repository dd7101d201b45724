package app

import (
	"context"

	"golang.org/x/text/unicode/norm"

	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
)

// SearchProjects is the input of Service.SearchProjects, as the caller gave it.
type SearchProjects struct {
	// Search is a part of the name in any Unicode form and case, or a whole Id, Voiceflow project id or
	// version. "" is every project.
	Search string
	// Trouble is for the projects that an admin has to look after (domain.Project.InTrouble).
	Trouble bool
}

// SearchProjects returns at most limit (1 to paging.Max, otherwise Invalid) of the projects that the
// caller may use, that the input picks and that come after the cursor, in the order of GetProjects. An
// empty page is no error. Returns Invalid if the search is longer than domain.MaxProjectName bytes or
// can be no text. Returns NotAllowed for Trouble unless the caller is an admin.
func (s *Service) SearchProjects(ctx context.Context, call domain.Call, in SearchProjects, after domain.Cursor, limit int) (paging.Page[domain.Project], error) {
	if in.Trouble {
		if err := call.Caller.MayManage(domain.ScopeManageProjects); err != nil {
			return paging.Page[domain.Project]{}, err
		}
	}
	filter, err := domain.ParseProjectFilter(norm.NFC.String(in.Search), in.Trouble)
	if err != nil {
		return paging.Page[domain.Project]{}, err
	}
	return s.projects(ctx, call.Caller.Sees(), filter, after, limit)
}
