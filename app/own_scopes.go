package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// OwnScopes returns what the caller may do with the project of that Id: everything for an admin, and
// what is granted for others. They are empty without a grant, whether there is such a project or not.
func (s *Service) OwnScopes(ctx context.Context, call domain.Call, id domain.ProjectID) (domain.Scopes, error) {
	scopes := domain.AllScopes()
	if !call.Caller.Admin {
		if call.Caller.ID == "" || id == "" { // an empty filter picks the grants of all
			return 0, nil
		}
		granted, err := s.ports.Store.Grants.Page(ctx, domain.GrantFilter{User: call.Caller.ID, Project: id}, domain.Cursor{}, 1)
		if err != nil || len(granted) == 0 {
			return 0, err
		}
		scopes = granted[0].Scopes
	}
	if call.Caller.Token != "" {
		scopes = scopes.And(call.Caller.Scopes)
	}
	return scopes, nil
}
