package bunstore

import (
	"context"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.UserRepository = (*Users)(nil)

// Users is a ports.UserRepository on a Store.
type Users struct{ store *Store }

// NewUsers returns the Users of s.
func NewUsers(s *Store) *Users { return &Users{s} }

type userRow struct {
	bun.BaseModel `bun:"table:users"`

	ID           domain.UserID `bun:",pk"`
	Name         domain.Username
	Role         domain.Role
	Disabled     bool
	PasswordHash string
	Created      int64
	Assistants   string `bun:",scanonly"` // ids behind commas
}

func (r *userRow) user() domain.User {
	u := domain.User{
		ID: r.ID, Name: r.Name, Role: r.Role, Disabled: r.Disabled, PasswordHash: domain.NewSecret(r.PasswordHash), Created: instant(r.Created),
	}
	if r.Assistants != "" {
		for id := range strings.SplitSeq(r.Assistants, ",") {
			u.Assistants = append(u.Assistants, domain.ProjectID(id))
		}
	}
	return u
}

// One statement reads users and their grants, so that the two belong together.
const (
	selectUsers = `SELECT u.id, u.name, u.role, u.disabled, u.password_hash, u.created,
	(SELECT string_agg(g.project_id, ',' ORDER BY g.project_id) FROM grants g WHERE g.user_id = u.id) AS assistants FROM users u `

	userByID    = selectUsers + `WHERE u.id = $1`
	userByName  = selectUsers + `WHERE u.name = $1`
	pageOfUsers = selectUsers + `WHERE (u.name, u.id) > ($1, $2) ORDER BY u.name, u.id LIMIT $3`

	// Conflicts are names that are taken: ids never are.
	insertUser = `INSERT INTO users (id, name, role, disabled, password_hash, created) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`

	updateUser = `UPDATE users SET role = $2, disabled = $3, password_hash = $4 WHERE id = $1`
)

func noUser() error {
	return &domain.Error{Kind: domain.NotFound, Public: "there is no such user"}
}

// Create implements ports.UserRepository.
func (u *Users) Create(ctx context.Context, user domain.User, rec domain.Record) error {
	s := u.store
	user.SetAssistants(user.Assistants)
	return s.change(ctx, "create a user", func(ctx context.Context, tx bun.Tx) error {
		created, err := s.exec(ctx, tx.Tx, insertUser, string(user.ID), string(user.Name), string(user.Role), user.Disabled,
			user.PasswordHash.Reveal(), micros(user.Created))
		if err != nil {
			return err
		}
		if created == 0 {
			return &domain.Error{Kind: domain.Conflict, Public: "that user name is taken"}
		}
		if err := s.grantAll(ctx, tx, user.ID, user.Assistants); err != nil {
			return err
		}
		return s.audit(ctx, tx.Tx, rec)
	})
}

// Find implements ports.UserRepository.
func (u *Users) Find(ctx context.Context, id domain.UserID) (domain.User, error) {
	return u.one(ctx, userByID, string(id))
}

// FindByName implements ports.UserRepository.
func (u *Users) FindByName(ctx context.Context, name domain.Username) (domain.User, error) {
	return u.one(ctx, userByName, string(name))
}

func (u *Users) one(ctx context.Context, statement, key string) (domain.User, error) {
	users, err := u.list(ctx, statement, key)
	if err != nil {
		return domain.User{}, err
	}
	if len(users) == 0 {
		return domain.User{}, noUser()
	}
	return users[0], nil
}

// Page implements ports.UserRepository.
func (u *Users) Page(ctx context.Context, after domain.Cursor, limit int) ([]domain.User, error) {
	return u.list(ctx, pageOfUsers, after.Name, after.ID, max(limit, 0))
}

// list runs a statement whose rows are users.
func (u *Users) list(ctx context.Context, statement string, args ...any) ([]domain.User, error) {
	s := u.store
	var rows []userRow
	err := s.read(ctx, "find users", func(ctx context.Context) error {
		return s.lookUp(ctx, &rows, statement, args...)
	})
	if err != nil {
		return nil, err
	}
	users := make([]domain.User, len(rows))
	for i := range rows {
		users[i] = rows[i].user()
	}
	return users, nil
}

// Update implements ports.UserRepository.
func (u *Users) Update(ctx context.Context, id domain.UserID, change func(u *domain.User, otherAdmin bool) error,
	keep domain.SessionID, rec domain.Record) (domain.User, error) {
	s := u.store
	var stored domain.User
	err := s.change(ctx, "update a user", func(ctx context.Context, tx bun.Tx) error {
		was, otherAdmin, err := s.lockUser(ctx, tx, id)
		if err != nil {
			return err
		}
		is := was
		is.Assistants = slices.Clone(was.Assistants)
		if err := change(&is, otherAdmin); err != nil {
			return verdict{err}
		}
		is.ID, is.Name, is.Created = was.ID, was.Name, was.Created
		is.SetAssistants(is.Assistants)
		stored = is
		changed, err := s.storeChanges(ctx, tx, was, is, keep)
		if !changed || err != nil {
			return err
		}
		return s.audit(ctx, tx.Tx, rec)
	})
	if err != nil {
		return domain.User{}, err
	}
	return stored, nil
}

// storeChanges makes the user was the user is, ends the sessions that lose by it, and
// says whether there was anything to change.
func (s *Store) storeChanges(ctx context.Context, tx bun.Tx, was, is domain.User, keep domain.SessionID) (bool, error) {
	otherHash := !is.PasswordHash.Equal(was.PasswordHash)
	otherRow := is.Role != was.Role || is.Disabled != was.Disabled || otherHash
	if otherRow {
		if _, err := s.exec(ctx, tx.Tx, updateUser, string(is.ID), string(is.Role), is.Disabled, is.PasswordHash.Reveal()); err != nil {
			return false, err
		}
	}
	gone, added := without(was.Assistants, is.Assistants), without(is.Assistants, was.Assistants)
	if err := s.grantAll(ctx, tx, is.ID, added); err != nil {
		return false, err
	}
	for chunk := range slices.Chunk(gone, maxList) {
		if _, err := tx.NewDelete().Model((*grantRow)(nil)).Where("user_id = ? AND project_id IN (?)", is.ID, bun.List(chunk)).Exec(ctx); err != nil {
			return false, err
		}
	}
	// Sessions last: one that was let in before the locks above were got is seen now.
	// Logins come before assistant sessions, as one who opens such a session locks them.
	if is.Disabled {
		keep = ""
	}
	if is.Disabled || otherHash {
		if err := s.endAll(ctx, tx, is.ID, keep); err != nil {
			return false, err
		}
	}
	for chunk := range slices.Chunk(gone, maxList) {
		if err := endGranted(ctx, tx, is.ID, chunk); err != nil {
			return false, err
		}
	}
	if was.Role == domain.RoleAdmin && is.Role != domain.RoleAdmin {
		if _, err := tx.NewDelete().Model((*sessionRow)(nil)).Where("user_id = ? AND by_role", is.ID).Exec(ctx); err != nil {
			return false, err
		}
	}
	return otherRow || len(gone)+len(added) > 0, nil
}

// Remove implements ports.UserRepository.
func (u *Users) Remove(ctx context.Context, id domain.UserID, allow func(u *domain.User, otherAdmin bool) error, rec domain.Record) error {
	s := u.store
	return s.change(ctx, "remove a user", func(ctx context.Context, tx bun.Tx) error {
		user, otherAdmin, err := s.lockUser(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := allow(&user, otherAdmin); err != nil {
			return verdict{err}
		}
		// Access tokens and their conversations go by the foreign keys.
		if _, err := tx.NewDelete().Model((*userRow)(nil)).Where("id = ?", id).Exec(ctx); err != nil {
			return err
		}
		if _, err := tx.NewDelete().Model((*grantRow)(nil)).Where("user_id = ?", id).Exec(ctx); err != nil {
			return err
		}
		if err := s.endAll(ctx, tx, id, ""); err != nil {
			return err
		}
		return s.audit(ctx, tx.Tx, rec)
	})
}

// lockUser finds the user for a transaction that changes it, and whether another one
// counts as admin, which stays so until the end of the transaction. It is NotFound when
// there is no such user.
func (s *Store) lockUser(ctx context.Context, tx bun.Tx, id domain.UserID) (user domain.User, otherAdmin bool, err error) {
	if s.postgres {
		// Two admins who take each other's role away would change different rows.
		if _, err := s.exec(ctx, tx.Tx, takeLock, lockClass, adminsLock); err != nil {
			return domain.User{}, false, err
		}
	}
	var rows []userRow
	if err := s.query(ctx, tx.Tx, &rows, userByID, string(id)); err != nil {
		return domain.User{}, false, err
	}
	if len(rows) == 0 {
		return domain.User{}, false, noUser()
	}
	otherAdmin, err = tx.NewSelect().Model((*userRow)(nil)).Where("role = 'admin' AND NOT disabled AND id <> ?", id).Exists(ctx)
	return rows[0].user(), otherAdmin, err
}

// maxList is how many ids a statement lists at most.
const maxList = 500

// grantAll grants the projects, none of which is granted yet, to the user, within the
// default scopes. It is NotFound when one is not there.
func (s *Store) grantAll(ctx context.Context, tx bun.Tx, user domain.UserID, projects []domain.ProjectID) error {
	if err := storable(projects...); err != nil {
		return err
	}
	for chunk := range slices.Chunk(projects, maxList) {
		var there []projectRow
		find := tx.NewSelect().Model(&there).Column("id", "name").Where("id IN (?)", bun.List(chunk))
		if err := s.lock(find, "KEY SHARE").Scan(ctx); err != nil {
			return err
		}
		if len(there) < len(chunk) {
			return noProject()
		}
		grants := make([]grantRow, len(there))
		for i, p := range there {
			grants[i] = grantRow{UserID: user, ProjectID: p.ID, Name: p.Name, Created: micros(s.options.Now()), Scopes: domain.DefaultScopes().Text()}
		}
		if _, err := tx.NewInsert().Model(&grants).On("CONFLICT DO NOTHING").Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// endAll ends all sessions of the user but keep and what is under it.
func (s *Store) endAll(ctx context.Context, tx bun.Tx, user domain.UserID, keep domain.SessionID) error {
	for _, statement := range []string{endLogins, endSessions} {
		if _, err := s.exec(ctx, tx.Tx, statement, string(user), string(keep)); err != nil {
			return err
		}
	}
	return nil
}

// without are the elements of all that are not in some, both sorted.
func without(all, some []domain.ProjectID) []domain.ProjectID {
	return slices.DeleteFunc(slices.Clone(all), func(id domain.ProjectID) bool {
		_, found := slices.BinarySearch(some, id)
		return found
	})
}
