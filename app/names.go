package app

import (
	"context"
	"slices"

	"github.com/flowlatch/flowlatch/domain"
)

// NamesAsked are ids whose names are wanted, at most domain.MaxNamed of each sort.
type NamesAsked struct {
	Projects []domain.ProjectID
	Users    []domain.UserID
	Tokens   []domain.TokenID
}

// Names are the names of what was asked for. An id is absent if nothing has it, or if the caller may
// not know its name.
type Names struct {
	Projects map[domain.ProjectID]string
	Users    map[domain.UserID]domain.Username
	Tokens   map[domain.TokenID]string // access tokens
}

// Names returns names for ids: of the projects that the caller may use, of users, and of access
// tokens. An admin gets the names of all users and access tokens, others their own. Each sort takes at
// most one query. Returns Invalid for more than domain.MaxNamed ids of a sort, and for an id that can
// be none.
func (s *Service) Names(ctx context.Context, call domain.Call, asked NamesAsked) (Names, error) {
	var names Names
	var err error
	if len(asked.Projects) > 0 {
		if names.Projects, err = s.ports.Store.Projects.Names(ctx, call.Caller.Sees(), asked.Projects); err != nil {
			return Names{}, err
		}
	}
	of := call.Caller.ID
	if call.Caller.MayManage(domain.ScopeManageUsers) == nil {
		of = "" // all users
	} else {
		asked.Users = slices.DeleteFunc(slices.Clone(asked.Users), func(id domain.UserID) bool { return id != of })
		if of == "" { // nobody has access tokens
			asked.Tokens = nil
		}
	}
	if len(asked.Users) > 0 {
		if names.Users, err = s.ports.Store.Users.Names(ctx, asked.Users); err != nil {
			return Names{}, err
		}
	}
	if len(asked.Tokens) > 0 {
		if names.Tokens, err = s.ports.Store.Tokens.Names(ctx, of, asked.Tokens); err != nil {
			return Names{}, err
		}
	}
	return names, nil
}
