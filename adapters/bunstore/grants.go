package bunstore

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.Grants = (*Grants)(nil)

// Grants is a ports.Grants on a Store.
type Grants struct{ store *Store }

type grantRow struct {
	bun.BaseModel `bun:"table:grants"`

	UserID    domain.UserID    `bun:",pk"`
	ProjectID domain.ProjectID `bun:",pk"`
	Name      string
	Created   int64
	Scopes    string
	Sources   string // as domain.Grant.SourcesText writes them
}

func (r *grantRow) grant() domain.Grant {
	g := domain.Grant{User: r.UserID, Project: r.ProjectID, Scopes: domain.ScopesFromText(r.Scopes), Created: instant(r.Created)}
	return g.WithSources(r.Sources)
}

// rowOfGrant returns the row of g. name is the name of its project.
func rowOfGrant(g domain.Grant, name string) grantRow {
	return grantRow{UserID: g.User, ProjectID: g.Project, Name: name, Created: micros(g.Created), Scopes: g.Scopes.Text(), Sources: g.SourcesText()}
}

// granting is a project with the grant on it. Without a grant, Scopes is empty.
type granting struct {
	Name    string
	Scopes  string
	Sources string
	Created int64
}

const (
	grantOn = `SELECT p.name, COALESCE(g.scopes, '') AS scopes, COALESCE(g.sources, '') AS sources, COALESCE(g.created, 0) AS created FROM `

	selectGranting = grantOn + `projects p LEFT JOIN grants g ON g.project_id = p.id AND g.user_id = $2 WHERE p.id = $1`

	// The project is locked before the grant.
	lockGranting = grantOn + `(SELECT id, name FROM projects WHERE id = $1 FOR KEY SHARE) p
LEFT JOIN LATERAL (SELECT scopes, sources, created FROM grants WHERE user_id = $2 AND project_id = p.id FOR NO KEY UPDATE) g ON true`

	insertGrant = `INSERT INTO grants (user_id, project_id, name, created, scopes, sources) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`

	updateGrant = `UPDATE grants SET scopes = $3, sources = $4 WHERE user_id = $1 AND project_id = $2`
	deleteGrant = `DELETE FROM grants WHERE user_id = $1 AND project_id = $2`

	selectGrant = `SELECT user_id, project_id, created, scopes, sources FROM grants WHERE user_id = $1 AND project_id = $2`
)

// Put implements ports.Grants.
func (g *Grants) Put(ctx context.Context, act domain.Act, user domain.UserID, project domain.ProjectID, scopes domain.Scopes, at time.Time) error {
	s := g.store
	return s.act(ctx, "grant a project", act, func(ctx context.Context, tx bun.Tx) (bool, error) {
		statement := selectGranting
		if s.postgres {
			statement = lockGranting
		}
		var found []granting
		if err := s.query(ctx, tx.Tx, &found, statement, string(project), string(user)); err != nil {
			return false, err
		}
		if len(found) == 0 {
			return false, noProject()
		}
		row := grantRow{UserID: user, ProjectID: project, Name: found[0].Name, Scopes: found[0].Scopes, Sources: found[0].Sources, Created: found[0].Created}
		if row.Scopes == "" {
			return true, s.insertGrant(ctx, tx, rowOfGrant(domain.NewGrant(user, project, scopes, at), row.Name))
		}
		was := row.grant()
		is := was.Regranted(scopes)
		if is.Equal(was) {
			return false, nil
		}
		return true, s.updateGrant(ctx, tx, is)
	})
}

// insertGrant stores a grant that was not there when it was looked for.
func (s *Store) insertGrant(ctx context.Context, tx bun.Tx, row grantRow) error {
	n, err := s.exec(ctx, tx.Tx, insertGrant, string(row.UserID), string(row.ProjectID), row.Name, row.Created, row.Scopes, row.Sources)
	if err == nil && n == 0 { // another call has granted it meanwhile
		return errAgain
	}
	return err
}

// updateGrant stores who grants, and what. The grant is locked.
func (s *Store) updateGrant(ctx context.Context, tx bun.Tx, g domain.Grant) error {
	_, err := s.exec(ctx, tx.Tx, updateGrant, string(g.User), string(g.Project), g.Scopes.Text(), g.SourcesText())
	return err
}

// Remove implements ports.Grants.
func (g *Grants) Remove(ctx context.Context, act domain.Act, user domain.UserID, project domain.ProjectID) error {
	s := g.store
	return s.act(ctx, "revoke a project", act, func(ctx context.Context, tx bun.Tx) (bool, error) {
		statement := selectGrant
		if s.postgres {
			statement += ` FOR UPDATE`
		}
		var rows []grantRow
		if err := s.query(ctx, tx.Tx, &rows, statement, string(user), string(project)); err != nil || len(rows) == 0 {
			return false, err
		}
		is, left, err := rows[0].grant().Revoked()
		switch {
		case err != nil:
			return false, err
		case left:
			return true, s.updateGrant(ctx, tx, is)
		}
		if _, err := s.exec(ctx, tx.Tx, deleteGrant, string(user), string(project)); err != nil {
			return false, err
		}
		return true, s.endLost(ctx, tx, user, domain.SessionsLostByRevoking(project))
	})
}

// Page implements ports.Grants.
func (g *Grants) Page(ctx context.Context, filter domain.GrantFilter, after domain.Cursor, limit int) ([]domain.Grant, error) {
	if err := domain.Storable(string(filter.User), string(filter.Project), after.Name, after.ID); err != nil {
		return nil, err
	}
	if limit <= 0 { // bun takes such a limit for no limit
		return nil, nil
	}
	s := g.store
	var rows []grantRow
	err := s.read(ctx, "find grants", func(ctx context.Context) error {
		rows = nil
		page := s.reads.NewSelect().Model(&rows).Order("user_id", "project_id").Limit(int64(limit))
		// Wherever the cursor is, the page is a range of an index.
		switch {
		case filter.Project != "" && string(filter.Project) > after.ID:
			page.Where("project_id = ? AND user_id >= ?", filter.Project, after.Name)
		case filter.Project != "":
			page.Where("project_id = ? AND user_id > ?", filter.Project, after.Name)
		case string(filter.User) > after.Name:
			page.Where("user_id >= ?", filter.User)
		default:
			page.Where("(user_id, project_id) > (?, ?)", after.Name, after.ID)
		}
		switch {
		case filter.User != "" && filter.Project != "":
			page.Where("user_id = ?", filter.User)
		case filter.User != "":
			page.Where("user_id <= ?", filter.User)
		}
		return page.Scan(ctx)
	})
	if err != nil {
		return nil, err
	}
	found := make([]domain.Grant, len(rows))
	for i := range rows {
		found[i] = rows[i].grant()
	}
	return found, nil
}
