package bunstore

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.ProjectRepository = (*Projects)(nil)

// Projects is a ports.ProjectRepository on a Store.
type Projects struct{ store *Store }

// NewProjects returns the Projects of s.
func NewProjects(s *Store) *Projects { return &Projects{s} }

type projectRow struct {
	bun.BaseModel `bun:"table:projects"`

	ID               domain.ProjectID `bun:",pk"`
	Name             string
	VoiceflowID      domain.VoiceflowID
	Version          string
	Platform         string
	Created          int64
	VoiceflowCreated int64
	KeyStatus        domain.KeyStatus
	SecondaryStatus  domain.KeyStatus
	KeyChecked       int64
	KeySet           int64
	Credits          domain.Credits
}

func (r *projectRow) project() domain.Project {
	return domain.Project{
		ID: r.ID, Name: r.Name, Voiceflow: r.VoiceflowID, Version: r.Version, Platform: r.Platform,
		Created: instant(r.Created), VoiceflowCreated: instant(r.VoiceflowCreated), KeyStatus: r.KeyStatus, SecondaryStatus: r.SecondaryStatus,
		KeyChecked: instantOrNever(r.KeyChecked), KeySet: instantOrNever(r.KeySet), Credits: r.Credits,
	}
}

type keyRow struct {
	Slot domain.Slot
	sealedRow
}

type grantRow struct {
	bun.BaseModel `bun:"table:grants"`

	UserID    domain.UserID    `bun:",pk"`
	ProjectID domain.ProjectID `bun:",pk"`
	Name      string
	Created   int64
	Scopes    string
}

func (r *grantRow) grant() domain.Grant {
	return domain.Grant{User: r.UserID, Project: r.ProjectID, Scopes: domain.ScopesFromText(r.Scopes), Created: instant(r.Created)}
}

const projectColumns = `p.id, p.name, p.voiceflow_id, p.version, p.platform, p.created, p.voiceflow_created, p.key_status, p.secondary_status, p.key_checked, p.key_set, p.credits`

const (
	pageOfAll = `SELECT ` + projectColumns + ` FROM projects p
WHERE (p.name, p.id) > ($1, $2) ORDER BY p.name, p.id LIMIT $3`

	// The grants of the page are found first, by their copy of the name.
	pageOfGranted = `SELECT ` + projectColumns + ` FROM (
	SELECT g.name, g.project_id FROM grants g
	WHERE g.user_id = $1 AND (g.name, g.project_id) > ($2, $3) ORDER BY g.name, g.project_id LIMIT $4
) g JOIN projects p ON p.id = g.project_id ORDER BY g.name, g.project_id`

	// What a look-up by id or name leaves empty holds for every project.
	findByID = `SELECT ` + projectColumns + ` FROM projects p
WHERE p.id = $1 AND ($2 = '' OR p.name = $2) AND ($3 = '' OR p.voiceflow_id = $3) ORDER BY p.id LIMIT $4`

	findByName = `SELECT ` + projectColumns + ` FROM projects p
WHERE p.name = $1 AND ($2 = '' OR p.voiceflow_id = $2) ORDER BY p.id LIMIT $3`

	findByVoiceflow = `SELECT ` + projectColumns + ` FROM projects p
WHERE p.voiceflow_id = $1 ORDER BY p.id LIMIT $2`

	// Appending nothing keeps the planners from looking at the project before the grant:
	// what is not granted takes as long as what does not exist.
	itsProject = `p.id = g.project_id || ''`

	findGrantedByID = `SELECT ` + projectColumns + ` FROM grants g JOIN projects p ON ` + itsProject + `
WHERE g.project_id = $1 AND ($2 = '' OR p.name = $2) AND ($3 = '' OR p.voiceflow_id = $3) AND g.user_id = $5 ORDER BY g.project_id LIMIT $4`

	findGrantedByName = `SELECT ` + projectColumns + ` FROM grants g JOIN projects p ON p.id = g.project_id
WHERE g.name = $1 AND ($2 = '' OR p.voiceflow_id = $2) AND g.user_id = $4 ORDER BY g.project_id LIMIT $3`

	// There are few versions of a Voiceflow project, and there may be many grants.
	findGrantedByVoiceflow = `SELECT ` + projectColumns + ` FROM projects p
WHERE p.voiceflow_id = $1 AND (SELECT count(*) FROM grants g WHERE g.project_id = p.id AND g.user_id = $3) = 1 ORDER BY p.id LIMIT $2`

	insertProject = `INSERT INTO projects (id, name, voiceflow_id, version, platform, created, voiceflow_created, key_status, secondary_status, key_checked, key_set, credits)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING`

	selectPair = `SELECT ` + projectColumns + ` FROM projects p WHERE p.voiceflow_id = $1 AND p.version = $2`

	insertKey = `INSERT INTO project_keys (project_id, slot, key_id, sealed) VALUES ($1, $2, $3, $4)`

	replaceKey = insertKey + ` ON CONFLICT (project_id, slot) DO UPDATE SET key_id = EXCLUDED.key_id, sealed = EXCLUDED.sealed`

	selectKeys = `SELECT slot, key_id, sealed FROM project_keys WHERE project_id = $1`
)

func noProject() error {
	return &domain.Error{Kind: domain.NotFound, Public: "there is no such assistant"}
}

// Add implements ports.ProjectRepository.
func (p *Projects) Add(ctx context.Context, project domain.Project, key domain.Sealed, rec domain.Record) error {
	s := p.store
	return s.change(ctx, "add a project", func(ctx context.Context, tx bun.Tx) error {
		added, err := s.exec(ctx, tx.Tx, insertProject, string(project.ID), project.Name, string(project.Voiceflow), project.Version,
			project.Platform, micros(project.Created), micros(project.VoiceflowCreated), string(project.KeyStatus), string(project.SecondaryStatus),
			microsOrNever(project.KeyChecked), microsOrNever(project.KeySet), string(project.Credits))
		if err != nil {
			return err
		}
		if added == 0 {
			return s.alreadyAdded(ctx, tx, project)
		}
		if _, err := s.exec(ctx, tx.Tx, insertKey, string(project.ID), string(domain.SlotPrimary), string(key.Key), key.Bytes); err != nil {
			return err
		}
		return s.audit(ctx, tx.Tx, rec)
	})
}

// alreadyAdded finds what was in the way of project.
func (s *Store) alreadyAdded(ctx context.Context, tx bun.Tx, project domain.Project) error {
	var rows []projectRow
	if err := s.query(ctx, tx.Tx, &rows, selectPair, string(project.Voiceflow), project.Version); err != nil {
		return err
	}
	if len(rows) == 0 { // it has gone in the meantime
		return errAgain
	}
	return &domain.Error{
		Kind: domain.AlreadyAdded, Public: "this version of the assistant was added already",
		Projects: []domain.Project{rows[0].project()},
	}
}

// Remove implements ports.ProjectRepository.
func (p *Projects) Remove(ctx context.Context, id domain.ProjectID, rec domain.Record) error {
	s := p.store
	return s.change(ctx, "remove a project", func(ctx context.Context, tx bun.Tx) error {
		if _, err := s.lockProject(ctx, tx, id, "UPDATE"); err != nil {
			return err
		}
		// All of it would go with the project, by the foreign keys; but what others lock
		// before the sessions has to go before them here too.
		for _, first := range []any{(*tokenRow)(nil), (*conversationRow)(nil), (*grantRow)(nil)} {
			if _, err := tx.NewDelete().Model(first).Where("project_id = ?", id).Exec(ctx); err != nil {
				return err
			}
		}
		if _, err := tx.NewDelete().Model((*projectRow)(nil)).Where("id = ?", id).Exec(ctx); err != nil {
			return err
		}
		return s.audit(ctx, tx.Tx, rec)
	})
}

// lockProject finds the project for a transaction that relies on it. It is NotFound when
// there is none.
func (s *Store) lockProject(ctx context.Context, tx bun.Tx, id domain.ProjectID, strength string) (projectRow, error) {
	if err := storable(id); err != nil {
		return projectRow{}, err
	}
	var rows []projectRow
	if err := s.lock(tx.NewSelect().Model(&rows).Where("id = ?", id), strength).Scan(ctx); err != nil {
		return projectRow{}, err
	}
	if len(rows) == 0 {
		return projectRow{}, noProject()
	}
	return rows[0], nil
}

// Find implements ports.ProjectRepository.
func (p *Projects) Find(ctx context.Context, in domain.Visible, ref domain.ProjectRef) ([]domain.Project, error) {
	var inAll, inGranted string
	var args []any
	switch {
	case ref.ID != "":
		inAll, inGranted, args = findByID, findGrantedByID, []any{string(ref.ID), ref.Name, string(ref.Voiceflow), domain.MaxMatches}
	case ref.Name != "":
		inAll, inGranted, args = findByName, findGrantedByName, []any{ref.Name, string(ref.Voiceflow), domain.MaxMatches}
	case ref.Voiceflow != "":
		inAll, inGranted, args = findByVoiceflow, findGrantedByVoiceflow, []any{string(ref.Voiceflow), domain.MaxMatches}
	default:
		return nil, nil
	}
	if in.All() {
		return p.list(ctx, inAll, args...)
	}
	return p.list(ctx, inGranted, append(args, string(in.User()))...)
}

// Page implements ports.ProjectRepository.
func (p *Projects) Page(ctx context.Context, in domain.Visible, after domain.Cursor, limit int) ([]domain.Project, error) {
	limit = max(limit, 0) // SQLite takes a negative one for none
	if in.All() {
		return p.list(ctx, pageOfAll, after.Name, after.ID, limit)
	}
	return p.list(ctx, pageOfGranted, string(in.User()), after.Name, after.ID, limit)
}

// list runs a statement whose rows are projects.
func (p *Projects) list(ctx context.Context, statement string, args ...any) ([]domain.Project, error) {
	s := p.store
	var rows []projectRow
	err := s.read(ctx, "find projects", func(ctx context.Context) error {
		return s.lookUp(ctx, &rows, statement, args...)
	})
	if err != nil {
		return nil, err
	}
	found := make([]domain.Project, len(rows))
	for i := range rows {
		found[i] = rows[i].project()
	}
	return found, nil
}

// Keys implements ports.ProjectRepository.
func (p *Projects) Keys(ctx context.Context, id domain.ProjectID) (map[domain.Slot]domain.Sealed, error) {
	s := p.store
	var rows []keyRow
	err := s.read(ctx, "read the keys of a project", func(ctx context.Context) error {
		return s.lookUp(ctx, &rows, selectKeys, string(id))
	})
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 { // a project has a key from the beginning
		return nil, noProject()
	}
	keys := make(map[domain.Slot]domain.Sealed, len(rows))
	for _, row := range rows {
		keys[row.Slot] = row.sealed()
	}
	return keys, nil
}

// Grant implements ports.ProjectRepository.
func (p *Projects) Grant(ctx context.Context, user domain.UserID, id domain.ProjectID, scopes domain.Scopes, at time.Time, rec domain.Record) error {
	s := p.store
	return s.change(ctx, "grant a project", func(ctx context.Context, tx bun.Tx) error {
		project, err := s.lockProject(ctx, tx, id, "KEY SHARE")
		if err != nil {
			return err
		}
		if err := storable(user); err != nil {
			return err
		}
		row := grantRow{UserID: user, ProjectID: id, Name: project.Name, Created: micros(at), Scopes: scopes.Text()}
		insert := tx.NewInsert().Model(&row)
		if scopes == 0 {
			row.Scopes = domain.DefaultScopes().Text()
			insert.On("CONFLICT DO NOTHING")
		} else {
			insert.On("CONFLICT (user_id, project_id) DO UPDATE").Set("scopes = EXCLUDED.scopes").Where("grant_row.scopes <> EXCLUDED.scopes")
		}
		granted, err := changed(insert.Exec(ctx))
		if granted == 0 || err != nil {
			return err
		}
		return s.audit(ctx, tx.Tx, rec)
	})
}

// Grants implements ports.ProjectRepository.
func (p *Projects) Grants(ctx context.Context, filter domain.GrantFilter, after domain.Cursor, limit int) ([]domain.Grant, error) {
	if err := storable(string(filter.User), string(filter.Project), after.Name, after.ID); err != nil {
		return nil, err
	}
	if limit <= 0 { // bun takes it for none
		return nil, nil
	}
	s := p.store
	var rows []grantRow
	err := s.read(ctx, "find grants", func(ctx context.Context) error {
		rows = nil
		page := s.reads.NewSelect().Model(&rows).Order("user_id", "project_id").Limit(int64(limit))
		// What limits the page is a range of an index, wherever the cursor is.
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

// Revoke implements ports.ProjectRepository.
func (p *Projects) Revoke(ctx context.Context, user domain.UserID, id domain.ProjectID, rec domain.Record) error {
	s := p.store
	return s.change(ctx, "revoke a project", func(ctx context.Context, tx bun.Tx) error {
		if err := storable(string(user), string(id)); err != nil {
			return err
		}
		revoked, err := changed(tx.NewDelete().Model((*grantRow)(nil)).Where("user_id = ? AND project_id = ?", user, id).Exec(ctx))
		if revoked == 0 || err != nil {
			return err
		}
		if err := endGranted(ctx, tx, user, []domain.ProjectID{id}); err != nil {
			return err
		}
		return s.audit(ctx, tx.Tx, rec)
	})
}

// PutKey implements ports.ProjectRepository.
func (p *Projects) PutKey(ctx context.Context, id domain.ProjectID, slot domain.Slot, key domain.Sealed, as domain.Description,
	at time.Time, rec domain.Record,
) (domain.Project, error) {
	var put domain.Project
	s := p.store
	err := s.change(ctx, "put a key", func(ctx context.Context, tx bun.Tx) error {
		if err := storable(as.Name, as.Platform); err != nil {
			return err
		}
		row, err := s.lockProject(ctx, tx, id, "UPDATE") // another name changes the grants, too
		if err != nil {
			return err
		}
		row.mark(slot, domain.KeyOK)
		row.Name, row.Platform = as.Name, as.Platform
		row.KeyChecked, row.KeySet = micros(at), micros(at)
		put = row.project()
		if _, err := s.exec(ctx, tx.Tx, replaceKey, string(id), string(slot), string(key.Key), key.Bytes); err != nil {
			return err
		}
		return s.update(ctx, tx, row, rec, "name", "platform", "key_status", "secondary_status", "key_checked", "key_set")
	})
	return put, err
}

// Refresh implements ports.ProjectRepository.
func (p *Projects) Refresh(ctx context.Context, id domain.ProjectID, as domain.Description, rec domain.Record) error {
	s := p.store
	return s.change(ctx, "refresh a project", func(ctx context.Context, tx bun.Tx) error {
		if err := storable(as.Name, as.Platform); err != nil {
			return err
		}
		row, err := s.lockProject(ctx, tx, id, "UPDATE") // another name changes the grants, too
		if err != nil || row.Name == as.Name && row.Platform == as.Platform {
			return err
		}
		row.Name, row.Platform = as.Name, as.Platform
		return s.update(ctx, tx, row, rec, "name", "platform")
	})
}

// MarkKey implements ports.ProjectRepository.
func (p *Projects) MarkKey(ctx context.Context, id domain.ProjectID, slot domain.Slot, status domain.KeyStatus,
	at time.Time, rec domain.Record,
) error {
	s := p.store
	return s.change(ctx, "mark a key", func(ctx context.Context, tx bun.Tx) error {
		if err := storable(status); err != nil {
			return err
		}
		row, err := s.lockMarked(ctx, tx, id)
		if err != nil {
			return err
		}
		was, asked := row.project().Status(slot), microsOrNever(at)
		switch {
		case was == domain.KeyNone:
			return &domain.Error{Kind: domain.NotFound, Public: "there is no key in this slot"}
		case asked != 0 && asked < row.KeySet, was == status && asked <= row.KeyChecked:
			return nil
		}
		row.mark(slot, status)
		row.KeyChecked = max(row.KeyChecked, asked)
		if was == status {
			return s.setColumns(ctx, tx, row, "key_checked")
		}
		return s.update(ctx, tx, row, rec, "key_status", "secondary_status", "key_checked")
	})
}

// MarkCredits implements ports.ProjectRepository.
func (p *Projects) MarkCredits(ctx context.Context, id domain.ProjectID, credits domain.Credits, rec domain.Record) error {
	s := p.store
	return s.change(ctx, "mark a project", func(ctx context.Context, tx bun.Tx) error {
		if err := storable(credits); err != nil {
			return err
		}
		row, err := s.lockMarked(ctx, tx, id)
		if err != nil || row.Credits == credits {
			return err
		}
		row.Credits = credits
		return s.update(ctx, tx, row, rec, "credits")
	})
}

// lockMarked is lockProject for a change of what is known of the project: nothing refers
// to that, so grants and sessions need not wait.
func (s *Store) lockMarked(ctx context.Context, tx bun.Tx, id domain.ProjectID) (projectRow, error) {
	return s.lockProject(ctx, tx, id, "NO KEY UPDATE")
}

// mark notes what is known of the key in the slot.
func (r *projectRow) mark(slot domain.Slot, status domain.KeyStatus) {
	p := r.project().Marked(slot, status)
	r.KeyStatus, r.SecondaryStatus = p.KeyStatus, p.SecondaryStatus
}

// update stores the columns of a project that is locked, and the record of that.
func (s *Store) update(ctx context.Context, tx bun.Tx, row projectRow, rec domain.Record, columns ...string) error {
	if err := s.setColumns(ctx, tx, row, columns...); err != nil {
		return err
	}
	return s.audit(ctx, tx.Tx, rec)
}

func (s *Store) setColumns(ctx context.Context, tx bun.Tx, row projectRow, columns ...string) error {
	_, err := tx.NewUpdate().Model(&row).Column(columns...).WherePK().Exec(ctx)
	return err
}
