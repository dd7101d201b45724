package bunstore

import (
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
)

// groupRow is a group that the identity provider named last for a user.
type groupRow struct {
	bun.BaseModel `bun:"table:user_groups"`

	UserID domain.UserID `bun:",pk"`
	Name   string        `bun:",pk"`
}

const (
	groupsOfUser = `SELECT user_id, name FROM user_groups WHERE user_id = $1 ORDER BY name`
	grantsOfUser = `SELECT user_id, project_id, created, scopes, sources FROM grants WHERE user_id = $1 ORDER BY project_id`
)

// findMember returns the user, who is locked, with the groups and the grants. It locks the grants, since
// an admin changes grants without a lock of the user.
func (s *Store) findMember(ctx context.Context, tx bun.Tx, u domain.User, groups []groupRow) (domain.GroupMember, error) {
	statement := grantsOfUser
	if s.postgres {
		statement += ` FOR NO KEY UPDATE`
	}
	var grants []grantRow
	if err := s.query(ctx, tx.Tx, &grants, statement, string(u.ID)); err != nil {
		return domain.GroupMember{}, err
	}
	return memberOf(u, groups, grants), nil
}

// memberOf returns the user with those of the groups and the grants that are theirs. Both are in order.
func memberOf(u domain.User, groups []groupRow, grants []grantRow) domain.GroupMember {
	m := domain.GroupMember{User: u}
	for _, g := range groups {
		if g.UserID == u.ID {
			m.Groups = append(m.Groups, g.Name)
		}
	}
	var assistants []domain.ProjectID
	for i := range grants {
		if grants[i].UserID == u.ID {
			m.Grants = append(m.Grants, grants[i].grant())
			assistants = append(assistants, grants[i].ProjectID)
		}
	}
	m.User.SetAssistants(assistants)
	return m
}

// keepProjects locks the projects of the rules, so that they can be granted until the end of the
// transaction, and returns their names. It also returns the rules without those of projects that are
// gone meanwhile.
func (s *Store) keepProjects(ctx context.Context, tx bun.Tx, rules []domain.GroupRule) (map[domain.ProjectID]string, []domain.GroupRule, error) {
	var ids []domain.ProjectID
	for _, r := range rules {
		if !r.MakesAdmins() {
			ids = append(ids, r.Project)
		}
	}
	if err := domain.Storable(ids...); err != nil {
		return nil, nil, err
	}
	slices.Sort(ids)
	names := map[domain.ProjectID]string{}
	for chunk := range slices.Chunk(slices.Compact(ids), maxList) {
		var there []projectRow
		find := tx.NewSelect().Model(&there).Column("id", "name").Where("id IN (?)", bun.List(chunk)).Order("id")
		if err := s.lock(find, "KEY SHARE").Scan(ctx); err != nil {
			return nil, nil, err
		}
		for _, p := range there {
			names[p.ID] = p.Name
		}
	}
	rules = slices.DeleteFunc(slices.Clone(rules), func(r domain.GroupRule) bool {
		_, there := names[r.Project]
		return !r.MakesAdmins() && !there
	})
	return names, rules, nil
}

// storeChange stores the change of the member was, ends the sessions that are lost, and keeps a record of
// each part by the actor. names are those of the projects that are granted anew.
func (s *Store) storeChange(ctx context.Context, tx bun.Tx, was domain.GroupMember, change domain.SignOnChange, names map[domain.ProjectID]string,
	by domain.Actor, rec domain.Record) error {
	if change.Created {
		if err := s.insertUser(ctx, tx, change.User); err != nil {
			if domain.KindOf(err) == domain.Conflict { // somebody has taken the name meanwhile
				return errAgain
			}
			return err
		}
	} else if err := s.updateUser(ctx, tx, was.User, change.User); err != nil {
		return err
	}
	if err := s.storeGroups(ctx, tx, change.User.ID, was.Groups, change.Groups); err != nil {
		return err
	}
	if err := s.storeGrants(ctx, tx, was, change, names); err != nil {
		return err
	}
	if err := s.endLost(ctx, tx, change.User.ID, change.Lost); err != nil {
		return err
	}
	for _, made := range change.Changes {
		rec.Actor, rec.Action, rec.Object, rec.Outcome = by, made.Action, made.Object, domain.OutcomeOK
		if err := s.audit(ctx, tx.Tx, rec); err != nil {
			return err
		}
	}
	return nil
}

// storeGroups replaces the groups of the user. Both lists are in order.
func (s *Store) storeGroups(ctx context.Context, tx bun.Tx, user domain.UserID, were, are []string) error {
	if err := domain.Storable(are...); err != nil {
		return err
	}
	without := func(all, some []string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(name string) bool {
			_, found := slices.BinarySearch(some, name)
			return found
		})
	}
	for chunk := range slices.Chunk(without(were, are), maxList) {
		if _, err := tx.NewDelete().Model((*groupRow)(nil)).Where("user_id = ? AND name IN (?)", user, bun.List(chunk)).Exec(ctx); err != nil {
			return err
		}
	}
	for chunk := range slices.Chunk(without(are, were), maxList) {
		rows := make([]groupRow, len(chunk))
		for i, name := range chunk {
			rows[i] = groupRow{UserID: user, Name: name}
		}
		if _, err := tx.NewInsert().Model(&rows).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// storeGrants stores the grants of the change. Those that were there are locked.
func (s *Store) storeGrants(ctx context.Context, tx bun.Tx, was domain.GroupMember, change domain.SignOnChange, names map[domain.ProjectID]string) error {
	for chunk := range slices.Chunk(change.Removed, maxList) {
		if _, err := tx.NewDelete().Model((*grantRow)(nil)).Where("user_id = ? AND project_id IN (?)", change.User.ID, bun.List(chunk)).Exec(ctx); err != nil {
			return err
		}
	}
	for _, g := range change.Put {
		there := slices.ContainsFunc(was.Grants, func(old domain.Grant) bool { return old.Project == g.Project })
		err := error(nil)
		if there {
			err = s.updateGrant(ctx, tx, g)
		} else {
			err = s.insertGrant(ctx, tx, rowOfGrant(g, names[g.Project]))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
