package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// SetToken is the input of Service.SetToken, as the caller gave it.
type SetToken struct {
	Project string        // our Id or a Voiceflow project id
	Key     domain.Secret // the assistant's Voiceflow API key
	Slot    string        // primary, which "" stands for too, or secondary
}

// SetToken puts another Voiceflow key of a project into one of its slots and returns the
// project as it is then, with the name that it has at Voiceflow now. The key is tried
// first: it must open the project's own version, and that must be of the same Voiceflow
// project; otherwise it is VoiceflowRejected, or VoiceflowUnavailable where Voiceflow did
// not say, and nothing has changed. The same key may be in both slots, as it is after one
// was promoted at Voiceflow. Only an admin may: NotAllowed. It is Invalid, before anything
// is sent, for what can be no id, key or slot, NotFound where there is no such project, and
// AmbiguousName where several are of that Voiceflow project.
func (s *Service) SetToken(ctx context.Context, call Call, in SetToken) (domain.Project, error) {
	if err := call.Caller.MayManage(); err != nil {
		return domain.Project{}, err
	}
	ref, err := domain.ParseProjectRef(in.Project)
	if err != nil {
		return domain.Project{}, err
	}
	key, err := domain.ParseKey(in.Key)
	if err != nil {
		return domain.Project{}, err
	}
	slot, err := domain.ParseSlot(in.Slot)
	if err != nil {
		return domain.Project{}, err
	}
	p, err := s.one(ctx, call.Caller, ref)
	if err != nil {
		return domain.Project{}, err
	}
	export, err := s.tryKey(ctx, p, key)
	if err != nil {
		return domain.Project{}, err
	}
	sealed, err := s.sealKey(ctx, p.ID, slot, key)
	if err != nil {
		return domain.Project{}, err
	}
	rec := s.record(call, domain.ActionSetToken, domain.OnSlot(p.ID, slot))
	return s.ports.Projects.PutKey(ctx, p.ID, slot, sealed, p.DescribedBy(export), rec.At, rec)
}

// tryKey fetches the project's own version with the key. It is VoiceflowRejected where the
// key does not open that, or opens another Voiceflow project.
func (s *Service) tryKey(ctx context.Context, p domain.Project, key domain.Secret) (domain.Export, error) {
	export, err := s.ports.Voiceflow.Export(ctx, p.Ref(), key)
	switch {
	case domain.KindOf(err) == domain.VoiceflowRejected:
		return domain.Export{}, &domain.Error{
			Kind: domain.VoiceflowRejected, Cause: err,
			Public: "Voiceflow refused the key for " + p.Name + ", or does not know its version any more",
		}
	case err != nil:
		return domain.Export{}, err
	case export.Project != p.Voiceflow:
		return domain.Export{}, &domain.Error{Kind: domain.VoiceflowRejected, Public: "the key opens another assistant than " + p.Name}
	}
	return export, nil
}
