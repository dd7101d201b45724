package app

import (
	"context"

	"golang.org/x/text/unicode/norm"

	"github.com/flowlatch/flowlatch/domain"
)

// FindProject returns the only project that text names among those that the caller may use: by
// our Id, by a Voiceflow project id or by its exact name in any Unicode form. Returns Invalid if text can be
// none of these. Returns NotFound if there is no such project. Returns AmbiguousName with up to ten
// projects if there are several.
func (s *Service) FindProject(ctx context.Context, call domain.Call, text string) (domain.Project, error) {
	ref, err := domain.ParseProjectRef(text)
	if err != nil {
		if ref, err = (domain.ProjectRef{}).Named(norm.NFC.String(text)); err != nil {
			return domain.Project{}, err
		}
	}
	return s.one(ctx, call.Caller, ref)
}
