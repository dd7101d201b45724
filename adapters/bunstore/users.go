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

type userRow struct {
	bun.BaseModel `bun:"table:users"`

	ID           domain.UserID `bun:",pk"`
	Name         domain.Username
	Role         domain.Role
	Disabled     bool
	PasswordHash string
	Created      int64
	Assistants   string `bun:",scanonly"` // ids with commas between

	IdentityIssuer  string // "" if the user is not linked, as the subject
	IdentitySubject string
	SignedOn        int64 // 0 if never
	AdminBy         string
	AdminKept       bool
}

func (r *userRow) user() domain.User {
	u := domain.User{
		ID: r.ID, Name: r.Name, Role: r.Role, Disabled: r.Disabled, PasswordHash: domain.NewSecret(r.PasswordHash), Created: instant(r.Created),
		Identity: domain.Identity{Issuer: r.IdentityIssuer, Subject: r.IdentitySubject}, SignedOn: instantOrNever(r.SignedOn),
		AdminBy: r.AdminBy, AdminKept: r.AdminKept,
	}
	if r.Assistants != "" {
		for id := range strings.SplitSeq(r.Assistants, ",") {
			u.Assistants = append(u.Assistants, domain.ProjectID(id))
		}
	}
	return u
}

// One statement reads users and their grants, so that they are of one moment.
const (
	userColumns = `u.id, u.name, u.role, u.disabled, u.password_hash, u.created, u.identity_issuer, u.identity_subject, u.signed_on, u.admin_by, u.admin_kept`
	selectUsers = `SELECT ` + userColumns + `,
	(SELECT string_agg(g.project_id, ',' ORDER BY g.project_id) FROM grants g WHERE g.user_id = u.id) AS assistants FROM users u `

	userByID       = selectUsers + `WHERE u.id = $1`
	userByName     = selectUsers + `WHERE u.name = $1`
	userByIdentity = selectUsers + `WHERE u.identity_issuer = $1 AND u.identity_subject = $2 AND u.identity_subject <> ''`
	pageOfUsers    = selectUsers + `WHERE (u.name, u.id) > ($1, $2) ORDER BY u.name, u.id LIMIT $3`

	keptAdmins       = `SELECT ` + userColumns + ` FROM users u WHERE u.admin_kept ORDER BY u.id LIMIT $1`
	anySignedOnAdmin = `SELECT u.id FROM users u WHERE u.role = 'admin' AND NOT u.disabled AND u.identity_subject <> '' AND u.signed_on <> 0 LIMIT 1`

	insertUser = `INSERT INTO users (id, name, role, disabled, password_hash, created, identity_issuer, identity_subject, signed_on, admin_by, admin_kept)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING`

	updateUser = `UPDATE users SET role = $2, disabled = $3, password_hash = $4,
	identity_issuer = $5, identity_subject = $6, signed_on = $7, admin_by = $8, admin_kept = $9 WHERE id = $1`
)

func noUser() error { return domain.NoSuch("user") }

// Create implements ports.UserRepository.
func (u *Users) Create(ctx context.Context, act domain.Act, user domain.User) error {
	s := u.store
	user.SetAssistants(user.Assistants)
	return s.act(ctx, "create a user", act, func(ctx context.Context, tx bun.Tx) (bool, error) {
		if err := act.Changes(domain.User{}, user); err != nil {
			return false, err
		}
		if err := s.insertUser(ctx, tx, user); err != nil {
			return false, err
		}
		if err := s.auditAdmin(ctx, tx, act.Record, domain.User{}, user); err != nil {
			return false, err
		}
		return true, s.grantAll(ctx, tx, user.ID, user.Assistants)
	})
}

// auditAdmin stores a record if the change of a user made them an admin.
func (s *Store) auditAdmin(ctx context.Context, tx bun.Tx, rec domain.Record, was, is domain.User) error {
	if made, ok := rec.MakesAdmin(was, is); ok {
		return s.audit(ctx, tx.Tx, made)
	}
	return nil
}

// insertUser stores a new user without their grants.
func (s *Store) insertUser(ctx context.Context, tx bun.Tx, u domain.User) error {
	created, err := s.exec(ctx, tx.Tx, insertUser, string(u.ID), string(u.Name), string(u.Role), u.Disabled, u.PasswordHash.Reveal(), micros(u.Created),
		u.Identity.Issuer, u.Identity.Subject, microsOrNever(u.SignedOn), u.AdminBy, u.AdminKept)
	if err == nil && created == 0 {
		return s.whyNotCreated(ctx, tx, u)
	}
	return err
}

// whyNotCreated is the error for a user who was not stored: the name is taken, or the identity, or the
// id.
func (s *Store) whyNotCreated(ctx context.Context, tx bun.Tx, user domain.User) error {
	for _, taken := range []struct {
		ref domain.UserRef
		err error
	}{
		{domain.UserRef{Name: user.Name}, domain.NameTaken()},
		{domain.UserRef{Identity: user.Identity}, domain.IdentityTaken()},
		{domain.UserRef{ID: user.ID}, domain.IDTaken()},
	} {
		_, err := s.findUser(ctx, tx, taken.ref)
		if err == nil {
			return taken.err
		}
		if domain.KindOf(err) != domain.NotFound {
			return err
		}
	}
	return errAgain // somebody removed the other user meanwhile
}

// toFindUser returns the statement that finds the user whom one field of ref names, with its values.
func toFindUser(ref domain.UserRef) (statement string, values []any) {
	switch {
	case ref.ID != "":
		return userByID, []any{string(ref.ID)}
	case ref.Identity != (domain.Identity{}):
		return userByIdentity, []any{ref.Identity.Issuer, ref.Identity.Subject}
	}
	return userByName, []any{string(ref.Name)}
}

// findUser finds the user in a transaction. Returns NotFound if there is none.
func (s *Store) findUser(ctx context.Context, tx bun.Tx, ref domain.UserRef) (domain.User, error) {
	statement, values := toFindUser(ref)
	var rows []userRow
	if err := s.query(ctx, tx.Tx, &rows, statement, values...); err != nil {
		return domain.User{}, err
	}
	if len(rows) == 0 {
		return domain.User{}, noUser()
	}
	return rows[0].user(), nil
}

// Find implements ports.UserRepository.
func (u *Users) Find(ctx context.Context, ref domain.UserRef) (domain.User, error) {
	if err := domain.Storable(string(ref.ID), string(ref.Name), ref.Identity.Issuer, ref.Identity.Subject); err != nil {
		return domain.User{}, err
	}
	statement, values := toFindUser(ref)
	users, err := u.list(ctx, statement, values...)
	if err != nil {
		return domain.User{}, err
	}
	if len(users) == 0 || !ref.Names(users[0]) {
		return domain.User{}, noUser()
	}
	return users[0], nil
}

// Page implements ports.UserRepository.
func (u *Users) Page(ctx context.Context, after domain.Cursor, limit int) ([]domain.User, error) {
	return u.list(ctx, pageOfUsers, after.Name, after.ID, max(limit, 0))
}

// list returns the users that the statement finds.
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
func (u *Users) Update(ctx context.Context, act domain.Act, id domain.UserID, change func(u *domain.User, otherAdmin bool) error,
	keep domain.Kept) (domain.User, error) {
	s := u.store
	var stored domain.User
	err := s.actOnUsers(ctx, "update a user", act, func(ctx context.Context, tx bun.Tx) (bool, error) {
		was, otherAdmin, err := s.findWithAdmins(ctx, tx, id)
		if err != nil {
			return false, err
		}
		is := was
		is.Assistants = slices.Clone(was.Assistants)
		if err := change(&is, otherAdmin); err != nil {
			return false, verdict{err}
		}
		stored = was.Changed(is)
		if stored.Equal(was) {
			return false, nil
		}
		if err := act.Changes(was, stored); err != nil {
			return false, err
		}
		if err := s.auditAdmin(ctx, tx, act.Record, was, stored); err != nil {
			return false, err
		}
		if stored, err = s.storeUser(ctx, tx, was, stored, keep); err != nil || stored.Identity != (domain.Identity{}) || was.Identity == stored.Identity {
			return true, err
		}
		stored, err = s.takeFromGroups(ctx, tx, stored, otherAdmin, act.Record)
		return true, err
	})
	if err != nil {
		return domain.User{}, err
	}
	return stored, nil
}

// takeFromGroups takes what groups gave the user, who is no longer linked to an identity, and returns the
// user as stored.
func (s *Store) takeFromGroups(ctx context.Context, tx bun.Tx, u domain.User, otherAdmin bool, rec domain.Record) (domain.User, error) {
	var groups []groupRow
	if err := s.query(ctx, tx.Tx, &groups, groupsOfUser, string(u.ID)); err != nil {
		return domain.User{}, err
	}
	m, err := s.findMember(ctx, tx, u, groups)
	if err != nil {
		return domain.User{}, err
	}
	change := m.Unlinked(otherAdmin, rec.At)
	return change.User, s.storeChange(ctx, tx, m, change, nil, rec.Actor, rec)
}

// storeUser stores the changes from was to is, and ends the sessions and the access tokens that are
// lost by them. It returns the user as stored.
func (s *Store) storeUser(ctx context.Context, tx bun.Tx, was, is domain.User, keep domain.Kept) (domain.User, error) {
	if is.Identity != was.Identity && is.Identity != (domain.Identity{}) {
		if other, err := s.findUser(ctx, tx, domain.UserRef{Identity: is.Identity}); err == nil && other.ID != is.ID {
			return domain.User{}, domain.IdentityTaken()
		} else if err != nil && domain.KindOf(err) != domain.NotFound {
			return domain.User{}, err
		}
	}
	if err := s.updateUser(ctx, tx, was, is); err != nil {
		return domain.User{}, err
	}
	// The row of the user is locked by now. So a token that was created before is there to be
	// removed, and one that is created later finds the new hash.
	if domain.TokensLostBy(was, is, keep) {
		if _, err := s.exec(ctx, tx.Tx, removeTokens, string(is.ID)); err != nil {
			return domain.User{}, err
		}
	}
	gone, added := is.Regranted(was)
	if err := s.grantAll(ctx, tx, is.ID, added); err != nil {
		return domain.User{}, err
	}
	stay, err := s.revokeAll(ctx, tx, is.ID, gone)
	if err != nil {
		return domain.User{}, err
	}
	is.SetAssistants(slices.Concat(is.Assistants, stay))
	return is, s.endLost(ctx, tx, is.ID, domain.SessionsLostBy(was, is, keep))
}

// updateUser stores the columns of the user in which is differs from was.
func (s *Store) updateUser(ctx context.Context, tx bun.Tx, was, is domain.User) error {
	is.Assistants = was.Assistants // they are grants
	if is.Equal(was) {
		return nil
	}
	_, err := s.exec(ctx, tx.Tx, updateUser, string(is.ID), string(is.Role), is.Disabled, is.PasswordHash.Reveal(),
		is.Identity.Issuer, is.Identity.Subject, microsOrNever(is.SignedOn), is.AdminBy, is.AdminKept)
	if taken(err) { // a new user has got the identity meanwhile
		return errAgain
	}
	return err
}

// revokeAll takes back what an admin granted the user on the projects. It returns the projects that
// stay granted, since groups grant them.
func (s *Store) revokeAll(ctx context.Context, tx bun.Tx, user domain.UserID, projects []domain.ProjectID) (stay []domain.ProjectID, err error) {
	for chunk := range slices.Chunk(projects, maxList) {
		if _, err := tx.NewDelete().Model((*grantRow)(nil)).Where("user_id = ? AND project_id IN (?) AND sources = ''", user, bun.List(chunk)).Exec(ctx); err != nil {
			return nil, err
		}
		var byGroups []grantRow
		find := tx.NewSelect().Model(&byGroups).Where("user_id = ? AND project_id IN (?) AND sources <> ''", user, bun.List(chunk)).Order("project_id")
		if err := s.lock(find, "UPDATE").Scan(ctx); err != nil {
			return nil, err
		}
		for i := range byGroups {
			is, _, err := byGroups[i].grant().Revoked()
			stay = append(stay, is.Project)
			if err != nil { // only groups grant it
				continue
			}
			if err := s.updateGrant(ctx, tx, is); err != nil {
				return nil, err
			}
		}
	}
	return stay, nil
}

// endLost ends the sessions of the user that are lost. It runs after the right is taken away,
// so that it sees a session that was opened before the locks were taken. It ends logins
// before assistant sessions, which is the order in which opening a session locks them.
func (s *Store) endLost(ctx context.Context, tx bun.Tx, user domain.UserID, lost domain.SessionsLost) error {
	if lost.All {
		if err := s.endAll(ctx, tx, user, lost.Keep); err != nil {
			return err
		}
	}
	for chunk := range slices.Chunk(lost.ByGrant, maxList) {
		_, err := tx.NewDelete().Model((*sessionRow)(nil)).
			Where("user_id = ? AND project_id IN (?) AND NOT by_role", user, bun.List(chunk)).Exec(ctx)
		if err != nil {
			return err
		}
	}
	if lost.ByRole {
		_, err := tx.NewDelete().Model((*sessionRow)(nil)).Where("user_id = ? AND by_role", user).Exec(ctx)
		return err
	}
	return nil
}

// Remove implements ports.UserRepository.
func (u *Users) Remove(ctx context.Context, act domain.Act, id domain.UserID, allow func(u *domain.User, otherAdmin bool) error) error {
	s := u.store
	return s.actOnUsers(ctx, "remove a user", act, func(ctx context.Context, tx bun.Tx) (bool, error) {
		user, otherAdmin, err := s.findWithAdmins(ctx, tx, id)
		if err != nil {
			return false, err
		}
		if err := allow(&user, otherAdmin); err != nil {
			return false, verdict{err}
		}
		// The foreign keys remove the access tokens and their conversations.
		if _, err := tx.NewDelete().Model((*userRow)(nil)).Where("id = ?", id).Exec(ctx); err != nil {
			return false, err
		}
		if _, err := tx.NewDelete().Model((*grantRow)(nil)).Where("user_id = ?", id).Exec(ctx); err != nil {
			return false, err
		}
		return true, s.endAll(ctx, tx, id, "")
	})
}

// actOnUsers is act for a change of users, which take turns.
func (s *Store) actOnUsers(ctx context.Context, what string, act domain.Act, do func(ctx context.Context, tx bun.Tx) (changed bool, err error)) error {
	return s.change(ctx, what, func(ctx context.Context, tx bun.Tx) error {
		if err := s.takeTurn(ctx, tx); err != nil {
			return err
		}
		return s.carryOut(ctx, tx, act, alone, do)
	})
}

// takeTurn makes transactions by which users act on other users come one after the other. Two
// admins who demote each other change different rows, so only a lock of its own orders them.
// It comes before the row of the user who acts. Otherwise two such transactions would each
// hold the row that the other one waits for.
func (s *Store) takeTurn(ctx context.Context, tx bun.Tx) error {
	return s.waitForLock(ctx, tx.Tx, adminsLock)
}

// findWithAdmins finds the user for a transaction that changes users. otherAdmin tells whether
// another user counts as admin, which stays so until the end of the transaction. Returns
// NotFound if there is no such user.
func (s *Store) findWithAdmins(ctx context.Context, tx bun.Tx, id domain.UserID) (user domain.User, otherAdmin bool, err error) {
	if user, err = s.findUser(ctx, tx, domain.UserRef{ID: id}); err != nil {
		return domain.User{}, false, err
	}
	otherAdmin, err = hasOtherAdmin(ctx, tx, id)
	return user, otherAdmin, err
}

// hasOtherAdmin reports whether another user counts as admin.
func hasOtherAdmin(ctx context.Context, on bun.IDB, than domain.UserID) (bool, error) {
	return on.NewSelect().Model((*userRow)(nil)).Where("role = 'admin' AND NOT disabled AND id <> ?", than).Exists(ctx)
}

// HasSignedOnAdmin implements ports.UserRepository.
func (u *Users) HasSignedOnAdmin(ctx context.Context) (bool, error) {
	users, err := u.list(ctx, anySignedOnAdmin)
	return len(users) > 0, err
}

// KeptAdmins implements ports.UserRepository.
func (u *Users) KeptAdmins(ctx context.Context, limit int) ([]domain.User, error) {
	return u.list(ctx, keptAdmins, max(limit, 0))
}

// OtherAdmin implements ports.UserRepository.
func (u *Users) OtherAdmin(ctx context.Context, than domain.UserID) (found bool, err error) {
	if err := domain.Storable(string(than)); err != nil {
		return false, err
	}
	s := u.store
	err = s.read(ctx, "find another admin", func(ctx context.Context) error {
		found, err = hasOtherAdmin(ctx, s.reads, than)
		return err
	})
	return found, err
}

// maxList is how many ids or rows a statement lists at most.
const maxList = 500

// grantAll grants the projects to the user, who has none of them yet. Returns NotFound if a
// project does not exist.
func (s *Store) grantAll(ctx context.Context, tx bun.Tx, user domain.UserID, projects []domain.ProjectID) error {
	if err := domain.Storable(projects...); err != nil {
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
			grants[i] = rowOfGrant(domain.NewGrant(user, p.ID, 0, s.options.Now()), p.Name)
		}
		if _, err := tx.NewInsert().Model(&grants).On("CONFLICT DO NOTHING").Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}
