package bunstore

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.Usage = (*Usage)(nil)

// Usage is a ports.Usage on a Store.
type Usage struct{ store *Store }

type usageRow struct {
	bun.BaseModel `bun:"table:usage"`

	Day          domain.Day       `bun:",pk"`
	ProjectID    domain.ProjectID `bun:",pk"`
	UserID       domain.UserID    `bun:",pk"`
	TokenID      domain.TokenID   `bun:",pk"`
	Scope        domain.Scope     `bun:",pk"`
	Calls        int64
	Errors       int64
	Milliseconds int64
}

func (r *usageRow) usage() domain.Usage {
	return domain.Usage{
		UsageKey: domain.UsageKey{Day: r.Day, Project: r.ProjectID, User: r.UserID, Token: r.TokenID, Scope: r.Scope},
		Calls:    r.Calls, Errors: r.Errors, Milliseconds: r.Milliseconds,
	}
}

// Add implements ports.Usage.
func (u *Usage) Add(ctx context.Context, counts []domain.Usage, lastUsed map[domain.TokenID]time.Time) error {
	if len(counts) == 0 && len(lastUsed) == 0 {
		return failure("add usage", ctx.Err())
	}
	rows, err := sums(counts)
	if err != nil {
		return err
	}
	s := u.store
	return s.change(ctx, "add usage", func(ctx context.Context, tx bun.Tx) error {
		// Tokens come first and in one order, so that two instances do not block each other.
		for _, id := range slices.Sorted(maps.Keys(lastUsed)) {
			if _, err := s.exec(ctx, tx.Tx, tokenUsed, string(id), micros(lastUsed[id])); err != nil {
				return err
			}
		}
		for chunk := range slices.Chunk(rows, maxList) {
			_, err := tx.NewInsert().Model(&chunk).On("CONFLICT (day, project_id, user_id, token_id, scope) DO UPDATE").
				Set("calls = usage_row.calls + EXCLUDED.calls").Set("errors = usage_row.errors + EXCLUDED.errors").
				Set("milliseconds = usage_row.milliseconds + EXCLUDED.milliseconds").Exec(ctx)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// sums returns the rows to add, one for each key, since a statement can't change a row twice.
// They are in the order in which they are locked, so that two instances do not block each other.
func sums(counts []domain.Usage) ([]usageRow, error) {
	byKey := make(map[domain.UsageKey]domain.Usage, len(counts))
	for _, c := range counts {
		if err := domain.Storable(string(c.Day), string(c.Project), string(c.User), string(c.Token), string(c.Scope)); err != nil {
			return nil, err
		}
		byKey[c.UsageKey] = c.Plus(byKey[c.UsageKey])
	}
	rows := make([]usageRow, 0, len(byKey))
	for _, key := range slices.SortedFunc(maps.Keys(byKey), domain.UsageKey.Compare) {
		sum := byKey[key]
		rows = append(rows, usageRow{
			Day: key.Day, ProjectID: key.Project, UserID: key.User, TokenID: key.Token, Scope: key.Scope,
			Calls: sum.Calls, Errors: sum.Errors, Milliseconds: sum.Milliseconds,
		})
	}
	return rows, nil
}

// Forget implements ports.Usage. A locked row is skipped: another instance forgets it.
func (u *Usage) Forget(ctx context.Context, before domain.Day, limit int) (int, error) {
	s := u.store
	if err := domain.Storable(string(before)); err != nil {
		return 0, err
	}
	if limit <= 0 { // bun takes such a limit for no limit
		return 0, failure("forget usage", ctx.Err())
	}
	var forgotten int64
	err := s.change(ctx, "forget usage", func(ctx context.Context, tx bun.Tx) (err error) {
		old := s.lock(tx.NewSelect().TableExpr("usage u").Column("u.day", "u.project_id", "u.user_id", "u.token_id", "u.scope").
			Where("u.day < ?", before).Order("u.day").Limit(int64(limit)), "UPDATE OF u SKIP LOCKED")
		forgotten, err = changed(tx.NewDelete().Model((*usageRow)(nil)).Where("(day, project_id, user_id, token_id, scope) IN (?)", old).Exec(ctx))
		return err
	})
	if err != nil {
		return 0, err
	}
	return int(forgotten), nil
}

// Report implements ports.Usage.
func (u *Usage) Report(ctx context.Context, q domain.UsageQuery, after *domain.UsageKey, limit int) ([]domain.Usage, error) {
	behind := after != nil
	if !behind {
		after = &domain.UsageKey{}
	}
	columns, place := groupColumns(q.GroupBy, *after)
	if len(columns) == 0 || limit <= 0 { // bun takes such a limit for no limit
		return nil, nil
	}
	if err := domain.Storable(string(q.From), string(q.To), string(q.Project), string(q.User), string(after.Day), string(after.Project), string(after.User), string(after.Token), string(after.Scope)); err != nil {
		return nil, err
	}
	s := u.store
	var rows []usageRow
	err := s.read(ctx, "report usage", func(ctx context.Context) error {
		rows = nil
		report := s.sumsOfUsage(q, columns, &rows).Order(columns...).Limit(int64(limit))
		if behind {
			report.Where("(?) > (?)", bun.Safe(strings.Join(columns, ", ")), bun.List(place))
		}
		return report.Scan(ctx)
	})
	if err != nil {
		return nil, err
	}
	list := make([]domain.Usage, len(rows))
	for i := range rows {
		list[i] = rows[i].usage()
	}
	return list, nil
}

// topRow is a sum of a report, with what all sums of the report come to.
type topRow struct {
	usageRow `bun:",extend"`

	Sums            int64
	AllCalls        int64
	AllErrors       int64
	AllMilliseconds int64
}

// Top implements ports.Usage.
func (u *Usage) Top(ctx context.Context, q domain.UsageQuery, limit int) (domain.UsageTop, error) {
	columns, _ := groupColumns(q.GroupBy, domain.UsageKey{})
	if len(columns) == 0 {
		return domain.UsageTop{}, nil
	}
	if err := domain.Storable(string(q.From), string(q.To), string(q.Project), string(q.User)); err != nil {
		return domain.UsageTop{}, err
	}
	s := u.store
	var rows []topRow
	err := s.read(ctx, "report the most usage", func(ctx context.Context) error {
		rows = nil
		return s.sumsOfUsage(q, columns, &rows).ColumnExpr("count(*) OVER () AS sums").ColumnExpr(sumsOf("sum(calls)", "all_calls")).
			ColumnExpr(sumsOf("sum(errors)", "all_errors")).ColumnExpr(sumsOf("sum(milliseconds)", "all_milliseconds")).
			OrderExpr("sum(calls) DESC").Order(columns...).Limit(int64(max(limit, 1))).Scan(ctx)
	})
	if err != nil || len(rows) == 0 {
		return domain.UsageTop{}, err
	}
	top := domain.UsageTop{
		Sums: rows[0].Sums, Total: domain.Usage{Calls: rows[0].AllCalls, Errors: rows[0].AllErrors, Milliseconds: rows[0].AllMilliseconds},
	}
	for i := range rows {
		top.Most = append(top.Most, rows[i].usage())
	}
	return top, nil
}

// sumsOf returns the column of the total of a sum over all rows of the answer.
func sumsOf(sum, name string) string { return "CAST(sum(" + sum + ") OVER () AS bigint) AS " + name }

// groupColumns returns the columns of the fields, and what the key has in them.
func groupColumns(by []domain.UsageField, key domain.UsageKey) (columns []string, place []any) {
	for _, field := range by {
		switch field {
		case domain.UsageDay:
			columns, place = append(columns, "day"), append(place, string(key.Day))
		case domain.UsageProject:
			columns, place = append(columns, "project_id"), append(place, string(key.Project))
		case domain.UsageUser:
			columns, place = append(columns, "user_id"), append(place, string(key.User))
		case domain.UsageToken:
			columns, place = append(columns, "token_id"), append(place, string(key.Token))
		case domain.UsageScope:
			columns, place = append(columns, "scope"), append(place, string(key.Scope))
		}
	}
	return columns, place
}

// sumsOfUsage returns the query for the sums that q asks for, into rows.
func (s *Store) sumsOfUsage(q domain.UsageQuery, columns []string, rows any) *bun.SelectQuery {
	sums := s.reads.NewSelect().Model(rows).Column(columns...).
		ColumnExpr("CAST(sum(calls) AS bigint) AS calls, CAST(sum(errors) AS bigint) AS errors, CAST(sum(milliseconds) AS bigint) AS milliseconds").
		Where("day >= ? AND day <= ?", q.From, q.To).Group(columns...)
	if q.Project != "" {
		sums.Where("project_id = ?", q.Project)
	}
	if q.User != "" {
		sums.Where("user_id = ?", q.User)
	}
	return sums
}
