package app

import (
	"context"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/flowlatch/flowlatch/domain"
)

// DeleteProject is the input of Service.DeleteProject: a name, an id, or both. If both are
// given, they must belong to one project.
type DeleteProject struct {
	Name string // in any Unicode form
	ID   string // our Id or a Voiceflow project id
}

// DeleteProject forgets a project with its keys, its grants and its open sessions.
// Voiceflow is not told. Only an admin may: NotAllowed. Returns NotFound if there is no such
// project, and AmbiguousName with up to ten projects if there are several.
func (s *Service) DeleteProject(ctx context.Context, call domain.Call, in DeleteProject) error {
	if err := call.Caller.MayManage(domain.ScopeManageProjects); err != nil {
		return err
	}
	var ref domain.ProjectRef
	var err error
	if in.ID != "" {
		if ref, err = domain.ParseProjectRef(in.ID); err != nil {
			return err
		}
	}
	if strings.TrimSpace(in.Name) != "" || in.ID == "" {
		if ref, err = ref.Named(norm.NFC.String(in.Name)); err != nil {
			return err
		}
	}
	p, err := s.one(ctx, call.Caller, ref)
	if err != nil {
		return err
	}
	return s.ports.Store.Projects.Remove(ctx, s.act(call, domain.NeedsAdmin(domain.ScopeManageProjects), domain.ActionDeleteProject, domain.OnProject(p.ID)), p.ID)
}

// one returns the only project that ref names among those that c may use, with its sealed keys.
// If there is no such project, and c has lost rights since the request began, it returns the
// error of SameRights.
func (s *Service) one(ctx context.Context, c domain.Caller, ref domain.ProjectRef) (domain.Project, error) {
	found, err := s.ports.Store.Projects.Find(ctx, c.Sees(), ref)
	if err != nil {
		return domain.Project{}, err
	}
	p, err := domain.ExactlyOne(found)
	if err != nil {
		if lost := s.SameRights(ctx, c); lost != nil {
			return domain.Project{}, lost
		}
	}
	return p, err
}
