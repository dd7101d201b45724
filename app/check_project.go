package app

import (
	"context"
	"fmt"
	"sync"

	"github.com/flowlatch/flowlatch/domain"
)

// ProjectChecked is the outcome of Service.CheckProject.
type ProjectChecked struct {
	// Project is what is known now.
	Project domain.Project
	// Unanswered are the slots of whose keys Voiceflow gave no answer that can be used: what
	// is known of them is as it was before.
	Unanswered []domain.Slot
}

// CheckProject tries every key of the project that text names, by our Id or a Voiceflow
// project id, at Voiceflow now, and stores what that shows of the keys and what the project
// is called there. A key that Voiceflow refuses, or that does not open, is no failure. Only
// an admin may: NotAllowed. It is Invalid for what can be no id, NotFound where there is no
// such project, and AmbiguousName where several are of that Voiceflow project.
func (s *Service) CheckProject(ctx context.Context, call Call, text string) (ProjectChecked, error) {
	if err := call.Caller.MayManage(); err != nil {
		return ProjectChecked{}, err
	}
	ref, err := domain.ParseProjectRef(text)
	if err != nil {
		return ProjectChecked{}, err
	}
	p, err := s.one(ctx, call.Caller, ref)
	if err != nil {
		return ProjectChecked{}, err
	}
	looked := s.ports.Clock()
	keys, err := s.ports.Projects.Keys(ctx, p.ID)
	if err != nil {
		return ProjectChecked{}, err
	}
	var out ProjectChecked
	for _, tried := range s.tryKeys(ctx, p, keys) {
		if tried.err != nil {
			return ProjectChecked{}, tried.err
		}
		if tried.status == "" {
			out.Unanswered = append(out.Unanswered, tried.slot)
			continue
		}
		if tried.status == domain.KeyNeedsReentry {
			err = s.markClosed(ctx, call, p, tried.slot, keys[tried.slot])
		} else {
			err = s.markKey(ctx, call, p.ID, tried.slot, tried.status, looked)
		}
		if err != nil {
			return ProjectChecked{}, err
		}
		if tried.status == domain.KeyOK {
			rec := s.record(call, domain.ActionRefreshProject, domain.OnProject(p.ID))
			if err := s.ports.Projects.Refresh(ctx, p.ID, p.DescribedBy(tried.export), rec); err != nil {
				return ProjectChecked{}, err
			}
		}
	}
	out.Project, err = s.one(ctx, call.Caller, domain.ProjectRef{ID: p.ID})
	return out, err
}

// triedKey is what came of a try of a key.
type triedKey struct {
	slot   domain.Slot
	status domain.KeyStatus // "" where Voiceflow did not say
	export domain.Export
	err    error // of what is neither the key's fault nor Voiceflow's
}

// tryKeys tries the keys, the primary and the secondary at once.
func (s *Service) tryKeys(ctx context.Context, p domain.Project, keys map[domain.Slot]domain.Sealed) []triedKey {
	var tried []triedKey
	for _, slot := range domain.Slots() {
		if _, there := keys[slot]; there {
			tried = append(tried, triedKey{slot: slot})
		}
	}
	var trying sync.WaitGroup
	for i := range tried {
		t := &tried[i]
		trying.Go(func() {
			defer func() {
				if v := recover(); v != nil { // which here nobody else would
					t.err = fmt.Errorf("panic: %v", v)
				}
			}()
			key, err := s.openKey(p, t.slot, keys[t.slot])
			if err == nil {
				t.export, err = s.tryKey(ctx, p, key)
			}
			switch domain.KindOf(err) {
			case domain.NeedsReentry:
				t.status = domain.KeyNeedsReentry
			case domain.VoiceflowRejected:
				t.status = domain.KeyRejected
			case domain.VoiceflowUnavailable:
			default:
				if t.err = err; err == nil {
					t.status = domain.KeyOK
				}
			}
		})
	}
	trying.Wait()
	return tried
}
