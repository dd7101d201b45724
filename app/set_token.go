package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// SetToken is the input of Service.SetToken, as the caller gave it.
type SetToken struct {
	Project string        // our Id or a Voiceflow project id
	Key     domain.Secret // a Voiceflow key of the assistant
	Slot    string        // primary, which "" stands for too, secondary or personal
}

// SetToken puts a Voiceflow key into a slot of a project. It returns the project as stored. With a
// project's key, that has the name that the project has at Voiceflow now. The same key may be in
// the primary and the secondary slot, as after a promotion at Voiceflow. Only an admin may:
// NotAllowed.
//
// The key is tried at Voiceflow first. A project's key has to open the project's own version, and a
// personal access token the project itself. If it does not, nothing changes. Returns
// VoiceflowRejected then, or VoiceflowUnavailable if Voiceflow gave no usable answer. Returns
// Invalid, before anything is sent, if the input can be no id or slot, or no key for the slot.
// Returns NotFound if there is no such project. Returns AmbiguousName if there are several of
// that Voiceflow project.
func (s *Service) SetToken(ctx context.Context, call domain.Call, in SetToken) (domain.Project, error) {
	if err := call.Caller.MayManage(domain.ScopeManageProjects); err != nil {
		return domain.Project{}, err
	}
	ref, err := domain.ParseProjectRef(in.Project)
	if err != nil {
		return domain.Project{}, err
	}
	slot, err := domain.ParseSlot(in.Slot)
	if err != nil {
		return domain.Project{}, err
	}
	key, err := domain.ParseKey(slot, in.Key)
	if err != nil {
		return domain.Project{}, err
	}
	p, err := s.one(ctx, call.Caller, ref)
	if err != nil {
		return domain.Project{}, err
	}
	asked := s.ports.Clock()
	describe, err := s.tryKey(ctx, p, slot, key)
	if err != nil {
		return domain.Project{}, err
	}
	sealed, err := s.keyset.SealKey(ctx, p.ID, slot, key)
	if err != nil {
		return domain.Project{}, err
	}
	act := s.act(call, domain.NeedsAdmin(domain.ScopeManageProjects), domain.ActionSetToken, domain.OnSlot(p.ID, slot))
	return s.ports.Store.Projects.Update(ctx, act, p.ID, func(p *domain.Project) error {
		p.PutKey(slot, sealed, act.Record.At, asked)
		describe(p)
		return nil
	})
}

// tryKey tries a key for the slot of the project. describe takes over what Voiceflow said of the
// project. Returns VoiceflowRejected if the key does not open what the slot is for.
func (s *Service) tryKey(ctx context.Context, p domain.Project, slot domain.Slot, key domain.Secret) (describe func(p *domain.Project) (news bool), err error) {
	if slot == domain.SlotPersonal {
		return func(*domain.Project) bool { return false }, s.tryPersonalKey(ctx, p, key)
	}
	export, err := s.tryProjectKey(ctx, p, key)
	return func(p *domain.Project) bool { return p.Describe(p.DescribedBy(export)) }, err
}

// tryPersonalKey asks for the project with a personal access token. Returns VoiceflowRejected if
// Voiceflow does not show it.
func (s *Service) tryPersonalKey(ctx context.Context, p domain.Project, key domain.Secret) error {
	err := s.ports.Voiceflow.CheckPersonal(ctx, p.Voiceflow, key)
	if domain.KindOf(err) == domain.VoiceflowRejected {
		return &domain.Error{
			Kind: domain.VoiceflowRejected, Cause: err,
			Public: "Voiceflow rejected the personal access token for " + p.Name + "; create one at Voiceflow that reaches its workspace",
		}
	}
	return err
}

// tryProjectKey fetches the project's own version with the key. Returns VoiceflowRejected if the
// key does not open that version, or opens another Voiceflow project.
func (s *Service) tryProjectKey(ctx context.Context, p domain.Project, key domain.Secret) (domain.Export, error) {
	export, err := s.describe(ctx, p.Ref(), key)
	switch {
	case domain.KindOf(err) == domain.VoiceflowRejected:
		return domain.Export{}, &domain.Error{
			Kind: domain.VoiceflowRejected, Cause: err,
			Public: "Voiceflow rejected the key for " + p.Name + ", or no longer knows its environment; check both at Voiceflow",
		}
	case err != nil:
		return domain.Export{}, err
	case export.Project != p.Voiceflow:
		return domain.Export{}, &domain.Error{Kind: domain.VoiceflowRejected, Public: "the key is not for " + p.Name + "; send a key of its project"}
	}
	return export, nil
}
