// Package projects keeps a host program's assistants in memory: a repository of the
// host's own in the place of Flowlatch's.
package projects

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.ProjectRepository = (*Repository)(nil)

// Repository is a ports.ProjectRepository. The zero Repository is empty and ready.
type Repository struct {
	mu       sync.Mutex
	projects []entry
	records  []domain.Record
}

// entry is a project with what hangs on it, and goes with it.
type entry struct {
	domain.Project
	key     domain.Sealed
	granted []domain.UserID
}

// Records returns the audit records, oldest first.
func (r *Repository) Records() []domain.Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.records)
}

// Add implements ports.ProjectRepository.
func (r *Repository) Add(ctx context.Context, p domain.Project, key domain.Sealed, rec domain.Record) error {
	return r.alone(ctx, func() error {
		for _, e := range r.projects {
			if e.Voiceflow == p.Voiceflow && e.Version == p.Version {
				return &domain.Error{Kind: domain.AlreadyAdded, Projects: []domain.Project{e.Project}}
			}
		}
		key.Bytes = slices.Clone(key.Bytes)
		r.projects = append(r.projects, entry{Project: p, key: key})
		r.records = append(r.records, rec)
		return nil
	})
}

// Remove implements ports.ProjectRepository.
func (r *Repository) Remove(ctx context.Context, id domain.ProjectID, rec domain.Record) error {
	return r.with(ctx, id, func(*entry) {
		r.projects = slices.DeleteFunc(r.projects, func(e entry) bool { return e.ID == id })
		r.records = append(r.records, rec)
	})
}

// Find implements ports.ProjectRepository.
func (r *Repository) Find(ctx context.Context, in domain.Visible, ref domain.ProjectRef) ([]domain.Project, error) {
	if ref == (domain.ProjectRef{}) {
		return nil, nil
	}
	return r.list(ctx, in, domain.MaxMatches, func(p domain.Project) bool {
		return (ref.ID == "" || ref.ID == p.ID) &&
			(ref.Voiceflow == "" || ref.Voiceflow == p.Voiceflow) &&
			(ref.Name == "" || ref.Name == p.Name)
	}, func(a, b domain.Project) int { return cmp.Compare(a.ID, b.ID) })
}

// Page implements ports.ProjectRepository.
func (r *Repository) Page(ctx context.Context, in domain.Visible, after domain.Cursor, limit int) ([]domain.Project, error) {
	order := func(a, b domain.Project) int { return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) }
	place := domain.Project{Name: after.Name, ID: domain.ProjectID(after.ID)}
	return r.list(ctx, in, limit, func(p domain.Project) bool { return order(p, place) > 0 }, order)
}

// Keys implements ports.ProjectRepository.
func (r *Repository) Keys(ctx context.Context, id domain.ProjectID) (map[domain.Slot]domain.Sealed, error) {
	var keys map[domain.Slot]domain.Sealed
	err := r.with(ctx, id, func(e *entry) {
		keys = map[domain.Slot]domain.Sealed{domain.SlotPrimary: {Key: e.key.Key, Bytes: slices.Clone(e.key.Bytes)}}
	})
	return keys, err
}

// Grant implements ports.ProjectRepository.
func (r *Repository) Grant(ctx context.Context, user domain.UserID, id domain.ProjectID, _ time.Time, rec domain.Record) error {
	return r.with(ctx, id, func(e *entry) {
		if !slices.Contains(e.granted, user) {
			e.granted = append(e.granted, user)
			r.records = append(r.records, rec)
		}
	})
}

// Revoke implements ports.ProjectRepository.
func (r *Repository) Revoke(ctx context.Context, user domain.UserID, id domain.ProjectID, rec domain.Record) error {
	return r.alone(ctx, func() error {
		if e := r.entry(id); e != nil && slices.Contains(e.granted, user) {
			e.granted = slices.DeleteFunc(e.granted, func(u domain.UserID) bool { return u == user })
			r.records = append(r.records, rec)
		}
		return nil
	})
}

// alone lets do work on what is kept, unless ctx is done.
func (r *Repository) alone(ctx context.Context, do func() error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return &domain.Error{Kind: domain.Unavailable, Cause: err}
	}
	return do()
}

// with is alone for what is about one project, which must be there.
func (r *Repository) with(ctx context.Context, id domain.ProjectID, do func(*entry)) error {
	return r.alone(ctx, func() error {
		e := r.entry(id)
		if e == nil {
			return &domain.Error{Kind: domain.NotFound}
		}
		do(e)
		return nil
	})
}

func (r *Repository) entry(id domain.ProjectID) *entry {
	if i := slices.IndexFunc(r.projects, func(e entry) bool { return e.ID == id }); i >= 0 {
		return &r.projects[i]
	}
	return nil
}

// list returns at most limit of the visible projects that are wanted, in order.
func (r *Repository) list(ctx context.Context, in domain.Visible, limit int, wanted func(domain.Project) bool,
	order func(a, b domain.Project) int) ([]domain.Project, error) {
	var found []domain.Project
	err := r.alone(ctx, func() error {
		for _, e := range r.projects {
			if (in.All() || slices.Contains(e.granted, in.User())) && wanted(e.Project) {
				found = append(found, e.Project)
			}
		}
		return nil
	})
	slices.SortFunc(found, order)
	return found[:min(len(found), limit)], err
}
