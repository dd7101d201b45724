package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// FindProject returns the only project, of those that the caller may use, that text
// names: by our Id, by a Voiceflow project id or by its exact name. It is Invalid for
// what can be none of these, NotFound when there is none and AmbiguousName, with up to
// ten projects, when there are several.
func (s *Service) FindProject(ctx context.Context, call Call, text string) (domain.Project, error) {
	ref, err := domain.ParseProjectRef(text)
	if err != nil {
		if ref, err = (domain.ProjectRef{}).Named(text); err != nil {
			return domain.Project{}, err
		}
	}
	return s.one(ctx, call.Caller, ref)
}
