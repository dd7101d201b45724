package bunstore

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.ProjectRepository = (*Projects)(nil)

// Projects is a ports.ProjectRepository on a Store.
type Projects struct{ store *Store }

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
	SecondaryChecked int64
	SecondarySet     int64
	Credits          domain.Credits
	Environments     string // as domain.Environments.Text writes them
	PersonalStatus   domain.KeyStatus
	PersonalChecked  int64
	PersonalSet      int64
	PictureOrigins   string // as domain.PictureOriginsText writes them
	Search           string // the name, as domain.SearchText writes it
}

// project returns the project without its sealed keys.
func (r *projectRow) project() domain.Project {
	return domain.Project{
		ID: r.ID, Name: r.Name, Voiceflow: r.VoiceflowID, Version: r.Version, Platform: r.Platform,
		Created: instant(r.Created), VoiceflowCreated: instant(r.VoiceflowCreated), Credits: r.Credits,
		Primary:      domain.Key{Status: r.KeyStatus, Set: instantOrNever(r.KeySet), Checked: instantOrNever(r.KeyChecked)},
		Secondary:    domain.Key{Status: r.SecondaryStatus, Set: instantOrNever(r.SecondarySet), Checked: instantOrNever(r.SecondaryChecked)},
		Personal:     domain.Key{Status: r.PersonalStatus, Set: instantOrNever(r.PersonalSet), Checked: instantOrNever(r.PersonalChecked)},
		Environments: domain.EnvironmentsFromText(r.Environments), PictureOrigins: domain.PictureOriginsFromText(r.PictureOrigins),
	}
}

// rowOfProject returns the row of p, without its sealed keys.
func rowOfProject(p domain.Project) projectRow {
	return projectRow{
		ID: p.ID, Name: p.Name, VoiceflowID: p.Voiceflow, Version: p.Version, Platform: p.Platform,
		Created: micros(p.Created), VoiceflowCreated: micros(p.VoiceflowCreated), Credits: p.Credits,
		KeyStatus: p.Primary.Status, KeySet: microsOrNever(p.Primary.Set), KeyChecked: microsOrNever(p.Primary.Checked),
		SecondaryStatus: p.Secondary.Status, SecondarySet: microsOrNever(p.Secondary.Set), SecondaryChecked: microsOrNever(p.Secondary.Checked),
		Environments:   p.Environments.Text(),
		PersonalStatus: p.Personal.Status, PersonalSet: microsOrNever(p.Personal.Set), PersonalChecked: microsOrNever(p.Personal.Checked),
		PictureOrigins: domain.PictureOriginsText(p.PictureOrigins), Search: domain.SearchText(p.Name),
	}
}

// listRow is a project in a list. Secondary and Personal are the statuses of the keys in these
// slots. After the status, if there is such a key, stand the times at which it was checked and set.
type listRow struct {
	projectRow

	Secondary, Personal string
}

func (r *listRow) project() domain.Project {
	r.SecondaryStatus, r.SecondaryChecked, r.SecondarySet = listed(r.Secondary)
	r.PersonalStatus, r.PersonalChecked, r.PersonalSet = listed(r.Personal)
	return r.projectRow.project()
}

// listed reads what a list has of a key.
func listed(text string) (status domain.KeyStatus, checked, set int64) {
	word, times, has := strings.Cut(text, " ")
	if has {
		first, second, _ := strings.Cut(times, " ")
		checked, _ = strconv.ParseInt(first, 10, 64) // the statement wrote numbers
		set, _ = strconv.ParseInt(second, 10, 64)
	}
	return domain.KeyStatus(word), checked, set
}

// wholeProjectRow is a project with its sealed keys.
type wholeProjectRow struct {
	projectRow

	sealedKeys
}

func (r *wholeProjectRow) project() domain.Project { return r.in(r.projectRow.project()) }

// sealedKeys are the sealed keys of a project. Those of an empty slot are zero.
type sealedKeys struct {
	Primary   sealedRow `bun:"embed:k_"`
	Secondary sealedRow `bun:"embed:s_"`
	Personal  sealedRow `bun:"embed:v_"`
}

// in returns p with the keys.
func (k sealedKeys) in(p domain.Project) domain.Project {
	p.Primary.Sealed, p.Secondary.Sealed, p.Personal.Sealed = k.Primary.sealed(), k.Secondary.sealed(), k.Personal.sealed()
	return p
}

// listColumns are projectColumns in fewer cells: a list has many rows, and each cell costs.
// Most projects have no secondary and no personal key, so what is known of one is one text (listRow).
const listColumns = `p.id, p.name, p.voiceflow_id, p.version, p.platform, p.created, p.voiceflow_created, p.key_status, p.key_checked, p.key_set, p.credits, p.environments, p.picture_origins,
	CASE p.secondary_status WHEN 'none' THEN 'none' ELSE p.secondary_status || ' ' || p.secondary_checked || ' ' || p.secondary_set END AS secondary,
	CASE p.personal_status WHEN 'none' THEN 'none' ELSE p.personal_status || ' ' || p.personal_checked || ' ' || p.personal_set END AS personal`

const projectColumns = `p.id, p.name, p.voiceflow_id, p.version, p.platform, p.created, p.voiceflow_created, p.key_status, p.secondary_status, p.key_checked, p.key_set, p.secondary_checked, p.secondary_set, p.credits, p.environments,
	p.personal_status, p.personal_checked, p.personal_set, p.picture_origins`

// sealedColumns are the sealed keys that joinKeys finds, in the form of sealedKeys.
var sealedColumns = named("k.key_id, k.sealed", "k") + `, ` + named("s.key_id, s.sealed", "s") + `, ` + named("v.key_id, v.sealed", "v")

// joinKeys joins the sealed keys of the project whose id the expression id is.
func joinKeys(id string) string {
	return `
LEFT JOIN project_keys k ON k.project_id = ` + id + ` AND k.slot = 'primary'
LEFT JOIN project_keys s ON s.project_id = ` + id + ` AND s.slot = 'secondary'
LEFT JOIN project_keys v ON v.project_id = ` + id + ` AND v.slot = 'personal'`
}

var (
	wholeProject = `SELECT ` + projectColumns + `, ` + sealedColumns + ` FROM `
	itsKeys      = joinKeys(`p.id`)

	selectWhole  = wholeProject + `projects p` + itsKeys + ` WHERE p.id = $1`
	lockToUpdate = lockWhole("UPDATE")
	lockToNote   = lockWhole("NO KEY UPDATE")

	// An empty parameter of a look-up by id or name matches every project.
	findByID = wholeProject + `projects p` + itsKeys + `
WHERE p.id = $1 AND ($2 = '' OR p.name = $2) AND ($3 = '' OR p.voiceflow_id = $3) ORDER BY p.id LIMIT $4`

	findByName = wholeProject + `projects p` + itsKeys + `
WHERE p.name = $1 AND ($2 = '' OR p.voiceflow_id = $2) ORDER BY p.id LIMIT $3`

	findByVoiceflow = wholeProject + `projects p` + itsKeys + `
WHERE p.voiceflow_id = $1 ORDER BY p.id LIMIT $2`

	findGrantedByID = wholeProject + `grants g JOIN projects p ON ` + itsProject + itsKeys + `
WHERE g.project_id = $1 AND ($2 = '' OR p.name = $2) AND ($3 = '' OR p.voiceflow_id = $3) AND g.user_id = $5` + grantHas("$6") + ` ORDER BY g.project_id LIMIT $4`

	findGrantedByName = wholeProject + `grants g JOIN projects p ON p.id = g.project_id` + itsKeys + `
WHERE g.name = $1 AND ($2 = '' OR p.voiceflow_id = $2) AND g.user_id = $4` + grantHas("$5") + ` ORDER BY g.project_id LIMIT $3`

	// A Voiceflow project has few versions, and a user may have many grants.
	findGrantedByVoiceflow = wholeProject + `projects p` + itsKeys + `
WHERE p.voiceflow_id = $1 AND (SELECT count(*) FROM grants g WHERE g.project_id = p.id AND g.user_id = $3` + grantHas("$4") + `) = 1 ORDER BY p.id LIMIT $2`
)

// The grants of the page come first. They have a copy of the project's name.
var pageOfGranted = `SELECT ` + listColumns + ` FROM (
	SELECT g.name, g.project_id FROM grants g
	WHERE g.user_id = $1 AND (g.name, g.project_id) > ($2, $3)` + grantHas("$5") + ` ORDER BY g.name, g.project_id LIMIT $4
) g JOIN projects p ON p.id = g.project_id ORDER BY g.name, g.project_id`

// grantHas returns the condition that the grant has the scope in the parameter, unless that is
// empty. The scopes of a grant are words with spaces between them (domain.Scopes.Text).
func grantHas(scope string) string {
	const words = `' ' || g.scopes || ' '`
	return ` AND (` + scope + ` = '' OR replace(` + words + `, ' ' || ` + scope + ` || ' ', '') <> ` + words + `)`
}

const (
	// The name is indexed. A B-tree index of Postgres takes at most 2,704 bytes, and
	// domain.MaxProjectName is below that.
	pageOfAll = `SELECT ` + listColumns + ` FROM projects p
WHERE (p.name, p.id) > ($1, $2) ORDER BY p.name, p.id LIMIT $3`

	// The grants of the page come first. They have a copy of the project's name.
	// Appending nothing makes the planners look at the grant before the project. So the
	// look-up of a project without a grant takes as long as that of an unknown project.
	itsProject = `p.id = g.project_id || ''`

	insertProject = `INSERT INTO projects (id, name, voiceflow_id, version, platform, created, voiceflow_created, key_status, secondary_status,
	key_checked, key_set, secondary_checked, secondary_set, credits, environments, personal_status, personal_checked, personal_set, picture_origins, search)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) ON CONFLICT DO NOTHING`

	selectPair = `SELECT ` + projectColumns + ` FROM projects p WHERE p.voiceflow_id = $1 AND p.version = $2`

	replaceKey = `INSERT INTO project_keys (project_id, slot, key_id, sealed) VALUES ($1, $2, $3, $4) ON CONFLICT (project_id, slot) DO UPDATE SET key_id = EXCLUDED.key_id, sealed = EXCLUDED.sealed`

	deleteKey = `DELETE FROM project_keys WHERE project_id = $1 AND slot = $2`
)

// pickedPages are pageOfAll and pageOfGranted with a filter.
type pickedPages struct{ ofAll, ofGranted string }

var (
	pagesOnPostgres = newPickedPages("strpos")
	pagesOnSQLite   = newPickedPages("instr")
)

// newPickedPages returns the pages of a dialect. position is the function that says where in a text
// another one begins, byte by byte, and 0 if it is not there. It knows no pattern, as LIKE does.
func newPickedPages(position string) pickedPages {
	var statuses []string
	for _, status := range domain.TroubledStatuses() {
		statuses = append(statuses, "'"+string(status)+"'")
	}
	troubled := ` IN (` + strings.Join(statuses, ", ") + `)`
	picked := `
	($4 = 0 OR p.key_status` + troubled + ` OR p.secondary_status` + troubled + ` OR p.personal_status` + troubled + ` OR p.credits = '` + string(domain.CreditsUsedUp) + `')
	AND ($5 = '' OR ` + position + `(CASE p.search WHEN '' THEN lower(p.name) ELSE p.search END, $5) > 0 OR p.id = $6 OR p.voiceflow_id = $6 OR p.version = $6)`
	page := func(found string) string {
		return `SELECT ` + listColumns + ` FROM (` + found + ` LIMIT $3) g JOIN projects p ON p.id = g.id ORDER BY g.name, g.id`
	}
	// What is looked at to find the projects of the page is in an index on SQLite. The grants are
	// joined by the name too, so that Postgres can read both in one order if there are many.
	return pickedPages{
		ofAll: page(`SELECT p.name, p.id FROM projects p WHERE (p.name, p.id) > ($1, $2) AND` + picked + ` ORDER BY p.name, p.id`),
		ofGranted: page(`SELECT g.name, g.project_id AS id FROM grants g JOIN projects p ON p.name = g.name AND p.id = g.project_id
WHERE g.user_id = $7 AND (g.name, g.project_id) > ($1, $2)` + grantHas("$8") + ` AND` + picked + ` ORDER BY g.name, g.project_id`),
	}
}

// lockWhole is selectWhole for Postgres. It locks the project with that strength, and then its
// keys, since a row that is locked is read as it is then.
func lockWhole(strength string) string {
	key := func(slot domain.Slot) string {
		return `SELECT key_id, sealed FROM project_keys WHERE project_id = p.id AND slot = '` + string(slot) + `' FOR NO KEY UPDATE`
	}
	return wholeProject + `(SELECT * FROM projects WHERE id = $1 FOR ` + strength + `) p
LEFT JOIN LATERAL (` + key(domain.SlotPrimary) + `) k ON true
LEFT JOIN LATERAL (` + key(domain.SlotSecondary) + `) s ON true
LEFT JOIN LATERAL (` + key(domain.SlotPersonal) + `) v ON true`
}

func noProject() error { return domain.NoSuch("assistant") }

// Add implements ports.ProjectRepository.
func (p *Projects) Add(ctx context.Context, act domain.Act, project domain.Project) error {
	s := p.store
	return s.act(ctx, "add a project", act, func(ctx context.Context, tx bun.Tx) (bool, error) {
		if err := domain.Storable(project.Environments.Names()...); err != nil {
			return false, err
		}
		r := rowOfProject(project)
		added, err := s.exec(ctx, tx.Tx, insertProject, string(r.ID), r.Name, string(r.VoiceflowID), r.Version, r.Platform, r.Created, r.VoiceflowCreated,
			string(r.KeyStatus), string(r.SecondaryStatus), r.KeyChecked, r.KeySet, r.SecondaryChecked, r.SecondarySet, string(r.Credits), r.Environments,
			string(r.PersonalStatus), r.PersonalChecked, r.PersonalSet, r.PictureOrigins, r.Search)
		if err != nil {
			return false, err
		}
		if added == 0 {
			return false, s.whyNotAdded(ctx, tx, project)
		}
		return true, s.putKeys(ctx, tx, domain.Project{}, project)
	})
}

// putKeys stores the sealed keys in which is differs from was, and removes those of slots that
// became empty.
func (s *Store) putKeys(ctx context.Context, tx bun.Tx, was, is domain.Project) error {
	for _, slot := range domain.Slots() {
		key := is.Key(slot)
		if key.Empty() && !was.Key(slot).Empty() {
			if _, err := s.exec(ctx, tx.Tx, deleteKey, string(is.ID), string(slot)); err != nil {
				return err
			}
		}
		if key.Empty() || key.Sealed.Equal(was.Key(slot).Sealed) {
			continue
		}
		if _, err := s.exec(ctx, tx.Tx, replaceKey, string(is.ID), string(slot), string(key.Sealed.Key), key.Sealed.Bytes); err != nil {
			return err
		}
	}
	return nil
}

// whyNotAdded returns the error for a project that was not added, because its pair or its id is
// taken.
func (s *Store) whyNotAdded(ctx context.Context, tx bun.Tx, project domain.Project) error {
	var rows []projectRow
	if err := s.query(ctx, tx.Tx, &rows, selectPair, string(project.Voiceflow), project.Version); err != nil {
		return err
	}
	if len(rows) == 0 {
		_, err := s.lockProject(ctx, tx, project.ID, "KEY SHARE")
		switch {
		case err == nil:
			return domain.IDTaken()
		case domain.KindOf(err) == domain.NotFound: // somebody removed it meanwhile
			return errAgain
		}
		return err
	}
	return domain.AlreadyThere(rows[0].project())
}

// Remove implements ports.ProjectRepository.
func (p *Projects) Remove(ctx context.Context, act domain.Act, id domain.ProjectID) error {
	s := p.store
	return s.act(ctx, "remove a project", act, func(ctx context.Context, tx bun.Tx) (bool, error) {
		if _, err := s.lockProject(ctx, tx, id, "UPDATE"); err != nil {
			return false, err
		}
		// The foreign keys would remove all of it. But others lock these rows before the
		// sessions, so they are removed before the sessions here too.
		for _, first := range []any{(*tokenRow)(nil), (*conversationRow)(nil), (*grantRow)(nil)} {
			if _, err := tx.NewDelete().Model(first).Where("project_id = ?", id).Exec(ctx); err != nil {
				return false, err
			}
		}
		_, err := tx.NewDelete().Model((*projectRow)(nil)).Where("id = ?", id).Exec(ctx)
		return err == nil, err
	})
}

// lockProject finds the project and locks it for the transaction. Returns NotFound if there
// is none.
func (s *Store) lockProject(ctx context.Context, tx bun.Tx, id domain.ProjectID, strength string) (projectRow, error) {
	if err := domain.Storable(id); err != nil {
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
		return projects[wholeProjectRow](ctx, p.store, inAll, args...)
	}
	return projects[wholeProjectRow](ctx, p.store, inGranted, append(args, string(in.User()), string(in.Scope()))...)
}

// Page implements ports.ProjectRepository.
func (p *Projects) Page(ctx context.Context, in domain.Visible, filter domain.ProjectFilter, after domain.Cursor, limit int) ([]domain.Project, error) {
	if err := domain.Storable(filter.Search); err != nil {
		return nil, err
	}
	s := p.store
	limit = max(limit, 0) // SQLite takes a negative limit for no limit
	if !filter.All() {
		return s.pageOfPicked(ctx, in, filter, after, limit)
	}
	if in.All() {
		return projects[listRow](ctx, s, pageOfAll, after.Name, after.ID, limit)
	}
	return projects[listRow](ctx, s, pageOfGranted, string(in.User()), after.Name, after.ID, limit, string(in.Scope()))
}

// pageOfPicked is Page with a filter.
func (s *Store) pageOfPicked(ctx context.Context, in domain.Visible, filter domain.ProjectFilter, after domain.Cursor, limit int) ([]domain.Project, error) {
	pages := pagesOnSQLite
	if s.postgres {
		pages = pagesOnPostgres
	}
	trouble := 0
	if filter.Trouble {
		trouble = 1
	}
	args := []any{after.Name, after.ID, limit, trouble, filter.Part(), filter.Exact()}
	if in.All() {
		return projects[listRow](ctx, s, pages.ofAll, args...)
	}
	return projects[listRow](ctx, s, pages.ofGranted, append(args, string(in.User()), string(in.Scope()))...)
}

// projects returns the projects that the statement finds.
func projects[Row any, Pointer interface {
	*Row
	project() domain.Project
}](ctx context.Context, s *Store, statement string, args ...any) ([]domain.Project, error) {
	var rows []Row
	err := s.read(ctx, "find projects", func(ctx context.Context) error {
		return s.lookUp(ctx, &rows, statement, args...)
	})
	if err != nil {
		return nil, err
	}
	found := make([]domain.Project, len(rows))
	for i := range rows {
		found[i] = Pointer(&rows[i]).project()
	}
	return found, nil
}

// Update implements ports.ProjectRepository.
func (p *Projects) Update(ctx context.Context, act domain.Act, id domain.ProjectID, change func(p *domain.Project) error) (domain.Project, error) {
	var stored domain.Project
	s := p.store
	err := s.act(ctx, "update a project", act, func(ctx context.Context, tx bun.Tx) (bool, error) {
		// A new name changes the grants too.
		was, err := s.lockWithKeys(ctx, tx, id, lockToUpdate)
		if err != nil {
			return false, err
		}
		is := was
		if err := change(&is); err != nil {
			return false, verdict{err}
		}
		stored, err = s.storeProject(ctx, tx, was, is)
		return !stored.Equal(was), err
	})
	if err != nil {
		return domain.Project{}, err
	}
	return stored, nil
}

// Note implements ports.ProjectRepository.
func (p *Projects) Note(ctx context.Context, id domain.ProjectID, change func(p *domain.Project) (news bool), rec domain.Record) error {
	s := p.store
	return s.change(ctx, "note something of a project", func(ctx context.Context, tx bun.Tx) error {
		// Grants and sessions refer to the project's id and name. They need not wait for
		// other changes.
		was, err := s.lockWithKeys(ctx, tx, id, lockToNote)
		if err != nil {
			return err
		}
		is := was
		news := change(&is)
		if _, err := s.storeProject(ctx, tx, was, is); err != nil || !news {
			return err
		}
		return s.audit(ctx, tx.Tx, rec)
	})
}

// lockWithKeys is lockProject with the sealed keys. lock is the statement on Postgres. If it
// waits for the project, it does not see a key that came into an empty slot meanwhile, so it
// runs again.
func (s *Store) lockWithKeys(ctx context.Context, tx bun.Tx, id domain.ProjectID, lock string) (domain.Project, error) {
	if !s.postgres {
		lock = selectWhole
	}
	var p domain.Project
	for range 2 {
		var rows []wholeProjectRow
		if err := s.query(ctx, tx.Tx, &rows, lock, string(id)); err != nil {
			return domain.Project{}, err
		}
		if len(rows) == 0 {
			return domain.Project{}, noProject()
		}
		p = rows[0].project()
		if !slices.ContainsFunc(domain.Slots(), func(slot domain.Slot) bool {
			k := p.Key(slot)
			return !k.Empty() && k.Sealed.IsZero()
		}) {
			break
		}
	}
	return p, nil
}

// storeProject stores those fields of is that ports.ProjectRepository.Update keeps, and
// returns the project as stored. was is the stored project, which is locked.
func (s *Store) storeProject(ctx context.Context, tx bun.Tx, was, is domain.Project) (domain.Project, error) {
	stored := was.Changed(is)
	if stored.Equal(was) {
		return was, nil
	}
	row := rowOfProject(stored)
	if err := domain.Storable(row.Name, row.Platform, row.PictureOrigins, string(row.Credits), string(row.KeyStatus), string(row.SecondaryStatus), string(row.PersonalStatus)); err != nil {
		return domain.Project{}, err
	}
	if err := domain.Storable(stored.Environments.Names()...); err != nil {
		return domain.Project{}, err
	}
	if err := s.putKeys(ctx, tx, was, stored); err != nil {
		return domain.Project{}, err
	}
	columns := []string{"platform", "credits", "environments", "key_status", "key_set", "key_checked", "secondary_status", "secondary_set", "secondary_checked",
		"personal_status", "personal_set", "personal_checked", "picture_origins"}
	columns = append(columns, "search") // also that of a name which an older program has stored
	if row.Name != was.Name {
		columns = append(columns, "name")
	}
	_, err := tx.NewUpdate().Model(&row).Column(columns...).WherePK().Exec(ctx)
	return stored, err
}
