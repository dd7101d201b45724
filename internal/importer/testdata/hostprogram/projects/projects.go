// Package projects tells a host program which assistants are added.
package projects

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.ProjectRepository = (*Repository)(nil)

// Repository is the ports.ProjectRepository of a store. It tells the host of each project that
// is added.
type Repository struct {
	ports.ProjectRepository
	added func(domain.Project)
}

// Announce returns the store with a Repository in place of its own. added is called after each
// project that was added, with its sealed keys, by several goroutines at once.
func Announce(store ports.Store, added func(domain.Project)) ports.Store {
	store.Projects = &Repository{store.Projects, added}
	return store
}

// Add implements ports.ProjectRepository.
func (r *Repository) Add(ctx context.Context, act domain.Act, p domain.Project) error {
	err := r.ProjectRepository.Add(ctx, act, p)
	if err == nil {
		r.added(p)
	}
	return err
}
