package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// DeleteToken is the input of Service.DeleteToken, as the caller gave it.
type DeleteToken struct {
	Project string // our Id or a Voiceflow project id
	Slot    string // secondary or personal
}

// DeleteToken forgets the Voiceflow key in a slot of a project. The key stays valid at Voiceflow,
// and a forwarded call that was sent with it ends by itself. It returns the project as stored. Only
// an admin may: NotAllowed.
//
// Returns Invalid if the input can be no id or slot, or if the slot is missing or the primary one.
// Returns NotFound if there is no such project, or if the slot is empty. Returns AmbiguousName if
// there are several of that Voiceflow project.
func (s *Service) DeleteToken(ctx context.Context, call domain.Call, in DeleteToken) (domain.Project, error) {
	if err := call.Caller.MayManage(domain.ScopeManageProjects); err != nil {
		return domain.Project{}, err
	}
	ref, err := domain.ParseProjectRef(in.Project)
	if err != nil {
		return domain.Project{}, err
	}
	slot, err := domain.ParseSlotToEmpty(in.Slot)
	if err != nil {
		return domain.Project{}, err
	}
	p, err := s.one(ctx, call.Caller, ref)
	if err != nil {
		return domain.Project{}, err
	}
	act := s.act(call, domain.NeedsAdmin(domain.ScopeManageProjects), domain.ActionDeleteToken, domain.OnSlot(p.ID, slot))
	return s.ports.Store.Projects.Update(ctx, act, p.ID, func(p *domain.Project) error { return p.DeleteKey(slot) })
}
