package app

import (
	"context"
	"strconv"
	"strings"

	"github.com/flowlatch/flowlatch/domain"
)

// AddProject is the input of Service.AddProject, as the caller gave it.
type AddProject struct {
	Version          string        // version id or environment alias
	Key              domain.Secret // the assistant's Voiceflow API key
	VoiceflowProject string        // Voiceflow project id, needed beside an alias
	Name             string        // what its name should be at Voiceflow; "" for any
}

// AddProject fetches the version's export from Voiceflow with the key, seals the key
// for the new project and stores both. Only an admin may: NotAllowed. Nothing is sent
// to Voiceflow for input that is Invalid, and nothing is stored when Voiceflow's answer
// is VoiceflowRejected, VoiceflowUnavailable or describes a project that is NameTooLong
// or, as one with another name than in.Name is, Invalid. A pair of Voiceflow project and
// version that is there is AlreadyAdded.
func (s *Service) AddProject(ctx context.Context, call Call, in AddProject) (domain.Project, error) {
	if err := call.Caller.MayManage(); err != nil {
		return domain.Project{}, err
	}
	version, err := domain.ParseVersionRef(in.Version, in.VoiceflowProject)
	if err != nil {
		return domain.Project{}, err
	}
	key, err := domain.ParseKey(in.Key)
	if err != nil {
		return domain.Project{}, err
	}
	export, err := s.ports.Voiceflow.Export(ctx, version, key)
	if err != nil {
		return domain.Project{}, err
	}
	now := s.ports.Clock()
	id, err := domain.NewProjectID(now, s.ports.Random)
	if err != nil {
		return domain.Project{}, err
	}
	p, err := domain.NewProject(id, version, export, now)
	if err != nil {
		return domain.Project{}, err
	}
	if name := strings.TrimSpace(in.Name); name != "" && name != p.Name {
		return domain.Project{}, &domain.Error{Kind: domain.Invalid, Public: "the assistant has another name at Voiceflow, " + strconv.Quote(p.Name)}
	}
	sealed, err := s.sealKey(ctx, p.ID, domain.SlotPrimary, key)
	if err != nil {
		return domain.Project{}, err
	}
	return p, s.ports.Projects.Add(ctx, p, sealed, s.record(call, domain.ActionAddProject, domain.OnProject(p.ID)))
}
