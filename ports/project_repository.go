package ports

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// ProjectRepository keeps projects with their sealed keys.
type ProjectRepository interface {
	// Add stores p with its keys. A pair of Voiceflow project and version exists at most once.
	// Returns AlreadyAdded, with the stored project, if the pair exists. Returns Conflict if
	// another pair has the id. Of several equal calls at the same instant exactly one succeeds.
	Add(ctx context.Context, act domain.Act, p domain.Project) error

	// Remove forgets the project, its keys, the grants and access tokens for it, and its
	// assistant sessions and conversations. Returns NotFound for an unknown id.
	Remove(ctx context.Context, act domain.Act, id domain.ProjectID) error

	// Find returns the projects within in that ref names, with their sealed keys, in the
	// order of their ids, at most domain.MaxMatches. No match is no error, and the zero ref
	// names none.
	Find(ctx context.Context, in domain.Visible, ref domain.ProjectRef) ([]domain.Project, error)

	// Page returns at most limit projects within in that the filter picks and that come after the
	// cursor, in the order of the bytes of (name, id). Their keys are without the sealed bytes. No
	// match is no error. Without a filter it reads only the rows that it returns and their grants,
	// and grants without the scope of in. It holds no connection after it has returned.
	Page(ctx context.Context, in domain.Visible, filter domain.ProjectFilter, after domain.Cursor, limit int) ([]domain.Project, error)

	// Names returns the names of the projects within in that the ids name. An id that names none is
	// absent. Returns the error of domain.MayName.
	Names(ctx context.Context, in domain.Visible, of []domain.ProjectID) (map[domain.ProjectID]string, error)

	// Update lets change alter the project, which has its sealed keys. It stores
	// what Project.Changed keeps, forgets the keys of slots that became empty, and ignores changes
	// of other fields. A new name shows in the project's grants too. Update returns the project as stored. change may run more than once,
	// so it must not have effects outside. Its error is returned as it is, and nothing is
	// stored. If change alters nothing, nothing is stored. Returns NotFound for an unknown id.
	Update(ctx context.Context, act domain.Act, id domain.ProjectID, change func(p *domain.Project) error) (domain.Project, error)

	// Note is Update for what the service itself finds out, on nobody's right. It stores the
	// record only if change reports news.
	Note(ctx context.Context, id domain.ProjectID, change func(p *domain.Project) (news bool), rec domain.Record) error
}
