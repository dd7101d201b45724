package app

import (
	"context"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/flowlatch/flowlatch/domain"
)

// AddProject is the input of Service.AddProject, as the caller gave it.
type AddProject struct {
	Version          string        // version id or environment alias
	Key              domain.Secret // the assistant's Voiceflow API key
	VoiceflowProject string        // Voiceflow project id, needed beside an alias
	Name             string        // what its name should be at Voiceflow, in any Unicode form; "" for any

	// Environments are those that calls can use. nil: the project is pinned to Version.
	Environments *domain.EnvironmentsSpec
	// PictureOrigins are those from which its chat page may show pictures.
	PictureOrigins []string
}

// AddProject fetches the version's export from Voiceflow with the key, seals the key for the new
// project and stores both. Only an admin may: NotAllowed.
//
// Returns Invalid, before anything is sent to Voiceflow, if the input breaks a rule. Returns
// VoiceflowRejected or VoiceflowUnavailable if Voiceflow's answer is not an export. Returns
// NameTooLong if the project's name is too long. Returns Invalid if the name is not in.Name.
// Returns AlreadyAdded if the pair of Voiceflow project and version exists. With an error
// nothing is stored.
func (s *Service) AddProject(ctx context.Context, call domain.Call, in AddProject) (domain.Project, error) {
	if err := call.Caller.MayManage(domain.ScopeManageProjects); err != nil {
		return domain.Project{}, err
	}
	version, err := domain.ParseVersionRef(in.Version, in.VoiceflowProject)
	if err != nil {
		return domain.Project{}, err
	}
	var environments domain.Environments
	if in.Environments != nil {
		if environments, err = domain.ParseEnvironments(*in.Environments, version.Version); err != nil {
			return domain.Project{}, err
		}
	}
	origins, err := domain.ParsePictureOrigins(in.PictureOrigins)
	if err != nil {
		return domain.Project{}, err
	}
	key, err := domain.ParseKey(domain.SlotPrimary, in.Key)
	if err != nil {
		return domain.Project{}, err
	}
	asked := s.ports.Clock()
	export, err := s.describe(ctx, version, key)
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
	if name := strings.TrimSpace(norm.NFC.String(in.Name)); name != "" && name != p.Name {
		return domain.Project{}, &domain.Error{Kind: domain.Invalid, Public: "the name at Voiceflow is different: " + strconv.Quote(p.Name)}
	}
	sealed, err := s.keyset.SealKey(ctx, p.ID, domain.SlotPrimary, key)
	if err != nil {
		return domain.Project{}, err
	}
	p.PutKey(domain.SlotPrimary, sealed, now, asked)
	p.Environments, p.PictureOrigins = environments, origins
	act := s.act(call, domain.NeedsAdmin(domain.ScopeManageProjects), domain.ActionAddProject, domain.OnProject(p.ID))
	if err := s.ports.Store.Projects.Add(ctx, act, p); err != nil {
		return domain.Project{}, err
	}
	return p, nil
}

// describe fetches the export of a version, with the name in NFC.
func (s *Service) describe(ctx context.Context, version domain.VersionRef, key domain.Secret) (domain.Export, error) {
	e, err := s.ports.Voiceflow.Export(ctx, version, key)
	e.Name = norm.NFC.String(e.Name)
	return e, err
}
