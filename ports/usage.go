package ports

import (
	"context"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// Usage counts how often assistants are used, and keeps when access tokens were last used.
// Counts stay when a project, a user or a token goes.
type Usage interface {
	// Add adds the counts to those that are stored under the same keys, and moves the last
	// use of tokens forward, all or nothing. A key may come several times. Tokens that do
	// not exist are passed over. It keeps no record.
	Add(ctx context.Context, counts []domain.Usage, lastUsed map[domain.TokenID]time.Time) error

	// Forget removes at most limit counts of days before the day and returns how many. It keeps no record.
	Forget(ctx context.Context, before domain.Day, limit int) (int, error)

	// Report returns at most limit sums of what q.Counts picks, grouped by q.GroupBy, that come
	// after the key, or from the beginning if it is nil, in the order of the bytes of the fields
	// of the key. Fields that are not grouped by are empty. No match is no error.
	Report(ctx context.Context, q domain.UsageQuery, after *domain.UsageKey, limit int) ([]domain.Usage, error)

	// Top returns what domain.TopUsage makes of all sums that Report has for q. No match is no
	// error. It holds no connection after it has returned.
	Top(ctx context.Context, q domain.UsageQuery, limit int) (domain.UsageTop, error)
}
