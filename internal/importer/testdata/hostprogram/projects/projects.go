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
	keys   map[domain.Slot]domain.Sealed
	grants []domain.Grant
}

// grant is where the grants have that of the user, -1 where they don't.
func (e *entry) grant(user domain.UserID) int {
	return slices.IndexFunc(e.grants, func(g domain.Grant) bool { return g.User == user })
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
		r.projects = append(r.projects, entry{Project: p, keys: map[domain.Slot]domain.Sealed{domain.SlotPrimary: clone(key)}})
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
		keys = make(map[domain.Slot]domain.Sealed, len(e.keys))
		for slot, key := range e.keys {
			keys[slot] = clone(key)
		}
	})
	return keys, err
}

// Grant implements ports.ProjectRepository.
func (r *Repository) Grant(ctx context.Context, user domain.UserID, id domain.ProjectID, scopes domain.Scopes, at time.Time, rec domain.Record) error {
	return r.with(ctx, id, func(e *entry) {
		i := e.grant(user)
		switch {
		case i < 0:
			e.grants = append(e.grants, domain.Grant{
				User: user, Project: id, Scopes: cmp.Or(scopes, domain.DefaultScopes()), Created: domain.Instant(at),
			})
		case scopes == 0 || scopes == e.grants[i].Scopes:
			return
		default:
			e.grants[i].Scopes = scopes
		}
		r.records = append(r.records, rec)
	})
}

// Grants implements ports.ProjectRepository.
func (r *Repository) Grants(ctx context.Context, filter domain.GrantFilter, after domain.Cursor, limit int) ([]domain.Grant, error) {
	order := func(a, b domain.Grant) int {
		return cmp.Or(cmp.Compare(a.User, b.User), cmp.Compare(a.Project, b.Project))
	}
	place := domain.Grant{User: domain.UserID(after.Name), Project: domain.ProjectID(after.ID)}
	var found []domain.Grant
	err := r.alone(ctx, func() error {
		for _, e := range r.projects {
			for _, g := range e.grants {
				if (filter.User == "" || filter.User == g.User) && (filter.Project == "" || filter.Project == g.Project) && order(g, place) > 0 {
					found = append(found, g)
				}
			}
		}
		return nil
	})
	slices.SortFunc(found, order)
	return found[:min(len(found), limit)], err
}

// Revoke implements ports.ProjectRepository.
func (r *Repository) Revoke(ctx context.Context, user domain.UserID, id domain.ProjectID, rec domain.Record) error {
	return r.alone(ctx, func() error {
		e := r.entry(id)
		if e == nil {
			return nil
		}
		if i := e.grant(user); i >= 0 {
			e.grants = slices.Delete(e.grants, i, i+1)
			r.records = append(r.records, rec)
		}
		return nil
	})
}

// PutKey implements ports.ProjectRepository.
func (r *Repository) PutKey(ctx context.Context, id domain.ProjectID, slot domain.Slot, key domain.Sealed, as domain.Description,
	at time.Time, rec domain.Record,
) (domain.Project, error) {
	var put domain.Project
	err := r.with(ctx, id, func(e *entry) {
		e.Project = e.Marked(slot, domain.KeyOK)
		e.Name, e.Platform = as.Name, as.Platform
		e.KeyChecked, e.KeySet = domain.Instant(at), domain.Instant(at)
		e.keys[slot] = clone(key)
		put = e.Project
		r.records = append(r.records, rec)
	})
	return put, err
}

// Refresh implements ports.ProjectRepository.
func (r *Repository) Refresh(ctx context.Context, id domain.ProjectID, as domain.Description, rec domain.Record) error {
	return r.with(ctx, id, func(e *entry) {
		if e.Name != as.Name || e.Platform != as.Platform {
			e.Name, e.Platform = as.Name, as.Platform
			r.records = append(r.records, rec)
		}
	})
}

// MarkKey implements ports.ProjectRepository.
func (r *Repository) MarkKey(ctx context.Context, id domain.ProjectID, slot domain.Slot, status domain.KeyStatus,
	at time.Time, rec domain.Record,
) error {
	empty, at := false, domain.Instant(at)
	err := r.with(ctx, id, func(e *entry) {
		was := e.Status(slot)
		empty = was == domain.KeyNone
		if empty || !at.IsZero() && at.Before(e.KeySet) {
			return
		}
		if at.After(e.KeyChecked) {
			e.KeyChecked = at
		}
		if was != status {
			e.Project = e.Marked(slot, status)
			r.records = append(r.records, rec)
		}
	})
	if err == nil && empty {
		err = &domain.Error{Kind: domain.NotFound}
	}
	return err
}

// MarkCredits implements ports.ProjectRepository.
func (r *Repository) MarkCredits(ctx context.Context, id domain.ProjectID, credits domain.Credits, rec domain.Record) error {
	return r.with(ctx, id, func(e *entry) {
		if e.Credits != credits {
			e.Credits = credits
			r.records = append(r.records, rec)
		}
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

func clone(key domain.Sealed) domain.Sealed {
	key.Bytes = slices.Clone(key.Bytes)
	return key
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
			if (in.All() || e.grant(in.User()) >= 0) && wanted(e.Project) {
				found = append(found, e.Project)
			}
		}
		return nil
	})
	slices.SortFunc(found, order)
	return found[:min(len(found), limit)], err
}
