package ports

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// Usage counts how often assistants are used. What was counted stays when a project, a
// user or a token goes.
type Usage interface {
	// Add adds the counts to those that are stored under the same keys, all of them or
	// none. A key may come several times.
	Add(ctx context.Context, counts []domain.Usage) error

	// Report returns at most limit sums of what was counted from q.From to q.To, grouped as
	// q.GroupBy says, that come after the key, or from the beginning where it is nil, in
	// the order of the bytes of the fields of the key. Fields that are not grouped by are
	// empty. None is no error.
	Report(ctx context.Context, q domain.UsageQuery, after *domain.UsageKey, limit int) ([]domain.Usage, error)
}
