package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// ProjectChecked is the outcome of Service.CheckProject.
type ProjectChecked struct {
	// Project is what is known now.
	Project domain.Project
	// Unanswered are the slots of the keys for which Voiceflow gave no usable answer. What is
	// known of these keys has not changed.
	Unanswered []domain.Slot
}

// CheckProject tries every key of a project at Voiceflow now. text is our Id or a Voiceflow
// project id. CheckProject stores what that shows of the keys, and the name that the project has
// there. A key that Voiceflow rejects, or that can't be opened, is no error. Only an admin may:
// NotAllowed. Returns Invalid if text can be no id. Returns NotFound if there is no such
// project. Returns AmbiguousName if there are several of that Voiceflow project.
//
// The caller is looked up again first, since they may have lost the right since the request
// began. What Voiceflow says is stored on nobody's right.
func (s *Service) CheckProject(ctx context.Context, call domain.Call, text string) (ProjectChecked, error) {
	now, err := s.lookUpAgain(ctx, call.Caller)
	if err != nil {
		return ProjectChecked{}, err
	}
	if err := now.MayManage(domain.ScopeManageProjects); err != nil {
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
	var out ProjectChecked
	var failed error
	for _, tried := range s.tryKeys(ctx, p) {
		switch {
		case tried.err != nil:
			failed = errors.Join(failed, tried.err)
		case tried.status == "":
			out.Unanswered = append(out.Unanswered, tried.slot)
		default:
			// What Voiceflow said of one key counts also if the caller has left or another
			// key failed.
			failed = errors.Join(failed, s.noteTried(context.WithoutCancel(ctx), call, p, tried))
		}
	}
	if failed != nil {
		return ProjectChecked{}, failed
	}
	out.Project, err = s.one(ctx, call.Caller, domain.ProjectRef{ID: p.ID})
	return out, err
}

// noteTried stores what a try of a key shows.
func (s *Service) noteTried(ctx context.Context, call domain.Call, p domain.Project, tried triedKey) error {
	if tried.status == domain.KeyNeedsReentry {
		return s.keyset.NoteUnopened(ctx, call, p, tried.slot)
	}
	if err := s.keyset.NoteVerdict(ctx, call, p, tried.slot, tried.status, tried.asked); err != nil {
		return err
	}
	if tried.status != domain.KeyOK {
		return nil
	}
	return s.ports.Store.Projects.Note(ctx, p.ID, func(p *domain.Project) bool {
		return tried.describe(p)
	}, s.record(call, domain.ActionRefreshProject, domain.OnProject(p.ID)))
}

// triedKey is the result of a try of a key.
type triedKey struct {
	slot     domain.Slot
	asked    time.Time                           // when Voiceflow was asked
	status   domain.KeyStatus                    // "" if Voiceflow did not say
	describe func(p *domain.Project) (news bool) // takes over what Voiceflow said of the project
	err      error                               // neither the key's fault nor Voiceflow's
}

// tryKeys tries the project's keys, all at the same time.
func (s *Service) tryKeys(ctx context.Context, p domain.Project) []triedKey {
	var tried []triedKey
	for _, slot := range domain.Slots() {
		if !p.Key(slot).Empty() {
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
			key, err := s.keyset.OpenKey(p, t.slot)
			if err == nil {
				t.asked = s.ports.Clock()
				t.describe, err = s.tryKey(ctx, p, t.slot, key)
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
