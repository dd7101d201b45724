package bunstore

import (
	"context"
	"encoding/json"

	"github.com/flowlatch/flowlatch/domain"
)

// In each of them, $1 is a JSON object whose keys are the ids, as in openSessions.
const (
	namesOfAll = `SELECT p.id, p.name FROM json_each($1) i LEFT JOIN projects p ON p.id = i.key WHERE COALESCE(p.id, '') <> ''`

	namesOfGranted = `SELECT g.project_id AS id, g.name FROM json_each($1) i LEFT JOIN grants g ON g.user_id = $2 AND g.project_id = i.key
WHERE COALESCE(g.project_id, '') <> ''`

	namesOfUsers = `SELECT u.id, u.name FROM json_each($1) i LEFT JOIN users u ON u.id = i.key WHERE COALESCE(u.id, '') <> ''`

	namesOfTokens = `SELECT t.id, t.name FROM json_each($1) i LEFT JOIN access_tokens t ON t.id = i.key
WHERE COALESCE(t.id, '') <> '' AND ($2 = '' OR t.user_id = $2)`
)

// Names implements ports.ProjectRepository.
func (p *Projects) Names(ctx context.Context, in domain.Visible, of []domain.ProjectID) (map[domain.ProjectID]string, error) {
	if in.All() {
		return names[domain.ProjectID, string](ctx, p.store, namesOfAll, of)
	}
	return names[domain.ProjectID, string](ctx, p.store, namesOfGranted, of, string(in.User()))
}

// Names implements ports.UserRepository.
func (u *Users) Names(ctx context.Context, of []domain.UserID) (map[domain.UserID]domain.Username, error) {
	return names[domain.UserID, domain.Username](ctx, u.store, namesOfUsers, of)
}

// Names implements ports.AccessTokens.
func (a *AccessTokens) Names(ctx context.Context, user domain.UserID, of []domain.TokenID) (map[domain.TokenID]string, error) {
	return names[domain.TokenID, string](ctx, a.store, namesOfTokens, of, string(user))
}

// names returns the names that the statement finds for the ids.
func names[ID, Name ~string](ctx context.Context, s *Store, statement string, of []ID, more ...any) (map[ID]Name, error) {
	if err := domain.MayName(of); err != nil {
		return nil, err
	}
	asked := make(map[ID]bool, len(of))
	for _, id := range of {
		asked[id] = true
	}
	list, err := json.Marshal(asked)
	if err != nil {
		return nil, failure("list ids", err)
	}
	var rows []namedRow
	err = s.read(ctx, "find names", func(ctx context.Context) error {
		return s.lookUp(ctx, &rows, statement, append([]any{string(list)}, more...)...)
	})
	if err != nil {
		return nil, err
	}
	found := make(map[ID]Name, len(rows))
	for _, row := range rows {
		found[ID(row.ID)] = Name(row.Name)
	}
	return found, nil
}
