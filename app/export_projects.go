package app

import (
	"context"
	"slices"

	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
)

// exportPage is how many projects are looked up at a time.
const exportPage = 100

// ExportedProject is a project on its way to another installation.
type ExportedProject struct {
	Project domain.Project
	// Keys are its Voiceflow API keys, opened. There are none if the primary key can't be
	// opened, since another installation could not add the project without it.
	Keys map[domain.Slot]domain.Secret
	// Unopened are the slots whose key can't be opened.
	Unopened []domain.Slot
}

// VoiceflowOrigin returns the Voiceflow that the keys of this installation are for.
func (s *Service) VoiceflowOrigin() domain.Origin { return s.keyset.Origin() }

// ExportProjects calls take with each of the named projects, or with all projects if none is
// named. A name is a text that FindProject accepts. take gets one project at a time, once, with
// its keys opened, after an audit record was stored. take must encrypt a project before it
// keeps it or sends it anywhere. Only an admin may: NotAllowed.
//
// Returns NotFound or AmbiguousName, before take is called, if a name does not name one
// project. Returns NotFound if there are no projects. A key that can't be opened does not end
// the export. An error of take does, and is returned as it is.
func (s *Service) ExportProjects(ctx context.Context, call domain.Call, named []string, take func(ExportedProject) error) error {
	if err := call.Caller.MayManage(); err != nil {
		return err
	}
	if len(named) > 0 {
		return s.exportNamed(ctx, call, named, take)
	}
	return paging.Each(func(after domain.Cursor) (paging.Page[domain.Project], error) {
		return s.GetProjects(ctx, call, after, exportPage)
	}, func(p domain.Project) error {
		p, err := s.one(ctx, call.Caller, domain.ProjectRef{ID: p.ID})
		if domain.KindOf(err) == domain.NotFound {
			return nil // deleted since the page was read
		}
		if err != nil {
			return err
		}
		return s.export(ctx, call, p, take)
	})
}

func (s *Service) exportNamed(ctx context.Context, call domain.Call, named []string, take func(ExportedProject) error) error {
	var picked []domain.Project
	for _, text := range named {
		p, err := s.FindProject(ctx, call, text)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(picked, func(other domain.Project) bool { return other.ID == p.ID }) {
			picked = append(picked, p)
		}
	}
	for _, p := range picked {
		p, err := s.one(ctx, call.Caller, domain.ProjectRef{ID: p.ID})
		if err == nil {
			err = s.export(ctx, call, p, take)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// export opens the keys of one project and calls take with it.
func (s *Service) export(ctx context.Context, call domain.Call, p domain.Project, take func(ExportedProject) error) error {
	out := ExportedProject{Project: p, Keys: map[domain.Slot]domain.Secret{}}
	for _, slot := range domain.Slots() {
		kept := p.Key(slot)
		if kept.Empty() && slot != domain.SlotPrimary {
			continue
		}
		key, err := s.keyset.OpenKey(p, slot)
		switch {
		case err == nil:
			out.Keys[slot] = key
		case domain.KindOf(err) == domain.NeedsReentry:
			out.Unopened = append(out.Unopened, slot)
		default:
			return err
		}
	}
	if out.Keys[domain.SlotPrimary].IsZero() {
		out.Keys = nil
		return take(out)
	}
	if err := s.ports.Store.Audit.Append(ctx, s.record(call, domain.ActionExportProject, domain.OnProject(p.ID))); err != nil {
		return err
	}
	return take(out)
}
