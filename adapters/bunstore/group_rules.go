package bunstore

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.GroupRules = (*GroupRules)(nil)

// GroupRules is a ports.GroupRules on a Store.
type GroupRules struct{ store *Store }

type ruleRow struct {
	ID           domain.RuleID
	Name         string // of the group
	ProjectID    domain.ProjectID
	Scopes       string
	Environments string // as domain.EnvironmentNamesText writes them
	Created      int64
}

// idRow is the id of a user.
type idRow struct{ ID domain.UserID }

func (r *ruleRow) rule() domain.GroupRule {
	return domain.GroupRule{
		ID: r.ID, Group: r.Name, Project: r.ProjectID, Scopes: domain.ScopesFromText(r.Scopes),
		Environments: domain.EnvironmentNamesFromText(r.Environments), Created: instant(r.Created),
	}
}

const (
	selectRules = `SELECT id, name, project_id, scopes, environments, created FROM group_rules ORDER BY name, COALESCE(project_id, '')`

	putRule = `INSERT INTO group_rules (id, name, project_id, scopes, environments, created) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO UPDATE SET scopes = excluded.scopes, environments = excluded.environments`
	deleteRule = `DELETE FROM group_rules WHERE id = $1`

	// A user has something by a group only while the provider last named it, but for an admin who was
	// the last one (domain.SignOnPolicy.Regroup).
	idsInGroup = `SELECT user_id AS id FROM user_groups WHERE name = $1 AND user_id > $2
UNION SELECT id FROM users WHERE admin_by = $1 AND admin_by <> '' AND id > $2`
	pageOfMembers = idsInGroup + ` ORDER BY id LIMIT $3`

	// These find whoever may have something by a rule. $2 makes both take the same values.
	idsByAdminGroup = `SELECT id FROM users WHERE admin_by = $1 AND admin_by <> '' AND $2 = '' ORDER BY id`
	idsByProject    = `SELECT user_id AS id FROM grants WHERE project_id = $2 AND sources <> '' AND $1 <> '' ORDER BY user_id`
)

// $1 is a JSON object whose keys are the ids of users.
const (
	namedUsers  = ` IN (SELECT i.key FROM json_each($1) i)`
	usersNamed  = selectUsers + `WHERE u.id` + namedUsers + ` ORDER BY u.id`
	groupsNamed = `SELECT user_id, name FROM user_groups WHERE user_id` + namedUsers + ` ORDER BY user_id, name`
	grantsNamed = `SELECT user_id, project_id, created, scopes, sources FROM grants WHERE user_id` + namedUsers + ` ORDER BY user_id, project_id`
)

// Set implements ports.GroupRules.
func (g *GroupRules) Set(ctx context.Context, act domain.Act, r domain.GroupRule, policy domain.SignOnPolicy) (domain.GroupRule, error) {
	s := g.store
	var stored domain.GroupRule
	err := s.actOnUsers(ctx, "set a rule for a group", act, func(ctx context.Context, tx bun.Tx) (bool, error) {
		if err := domain.Storable(append(slices.Clone(r.Environments), r.Group, string(r.ID), string(r.Project))...); err != nil {
			return false, err
		}
		if err := act.SetsRule(r); err != nil {
			return false, err
		}
		were, err := s.findRules(ctx, tx)
		if err != nil {
			return false, err
		}
		rules, set, refused := r.Set(were)
		if refused != nil {
			rules = []domain.GroupRule{r} // a project that does not exist is told first
		}
		m, err := s.lockToRegroup(ctx, tx, r, rules)
		if err != nil {
			return false, err
		}
		if _, there := m.names[r.Project]; !r.MakesAdmins() && !there {
			return false, noProject()
		}
		if refused != nil {
			return false, refused
		}
		stored = set
		if slices.ContainsFunc(were, set.Equal) {
			return false, nil
		}
		_, err = s.exec(ctx, tx.Tx, putRule, string(set.ID), set.Group, nullable(string(set.Project)), set.Scopes.Text(),
			domain.EnvironmentNamesText(set.Environments), micros(set.Created))
		if err != nil {
			return false, err
		}
		return true, s.regroup(ctx, tx, act.Record, set, m, policy)
	})
	if err != nil {
		return domain.GroupRule{}, err
	}
	return stored, nil
}

// Remove implements ports.GroupRules.
func (g *GroupRules) Remove(ctx context.Context, act domain.Act, id domain.RuleID, policy domain.SignOnPolicy) (domain.GroupRule, error) {
	s := g.store
	var gone domain.GroupRule
	err := s.actOnUsers(ctx, "remove a rule for a group", act, func(ctx context.Context, tx bun.Tx) (bool, error) {
		if err := domain.Storable(id); err != nil {
			return false, err
		}
		were, err := s.findRules(ctx, tx)
		if err != nil {
			return false, err
		}
		var rules []domain.GroupRule
		if rules, gone, err = domain.WithoutRule(were, id); err != nil {
			return false, err
		}
		if err := act.SetsRule(gone); err != nil {
			return false, err
		}
		m, err := s.lockToRegroup(ctx, tx, gone, rules)
		if err != nil {
			return false, err
		}
		if _, err := s.exec(ctx, tx.Tx, deleteRule, string(id)); err != nil {
			return false, err
		}
		return true, s.regroup(ctx, tx, act.Record, gone, m, policy)
	})
	if err != nil {
		return domain.GroupRule{}, err
	}
	return gone, nil
}

// List implements ports.GroupRules.
func (g *GroupRules) List(ctx context.Context) ([]domain.GroupRule, error) {
	s := g.store
	var rows []ruleRow
	err := s.read(ctx, "find the rules for groups", func(ctx context.Context) error { return s.lookUp(ctx, &rows, selectRules) })
	if err != nil {
		return nil, err
	}
	return rulesOf(rows), nil
}

// findRules returns all rules. Rules change in turns, so they stay until the end of a transaction that
// took its turn, but for those of a project that is removed.
func (s *Store) findRules(ctx context.Context, tx bun.Tx) ([]domain.GroupRule, error) {
	var rows []ruleRow
	err := s.query(ctx, tx.Tx, &rows, selectRules)
	return rulesOf(rows), err
}

func rulesOf(rows []ruleRow) []domain.GroupRule {
	rules := make([]domain.GroupRule, len(rows))
	for i := range rows {
		rules[i] = rows[i].rule()
	}
	return rules
}

// toRegroup are the users whom a change of rules may reach, and the rules after it.
type toRegroup struct {
	members []domain.GroupMember // in the order of their ids
	rules   []domain.GroupRule
	names   map[domain.ProjectID]string // of the projects of the rules
}

// lockToRegroup locks the users who may have something by r, the projects of the rules, and the grants of
// the users, in this order.
func (s *Store) lockToRegroup(ctx context.Context, tx bun.Tx, r domain.GroupRule, rules []domain.GroupRule) (m toRegroup, err error) {
	statement := idsByProject
	if r.MakesAdmins() {
		statement = idsByAdminGroup
	}
	var ids []idRow
	if err := s.query(ctx, tx.Tx, &ids, statement, r.Group, string(r.Project)); err != nil {
		return m, err
	}
	if len(ids) == 0 { // nobody has anything by it, so only its own project matters
		m.names, m.rules, err = s.keepProjects(ctx, tx, []domain.GroupRule{r})
		return m, err
	}
	list, err := listOfIDs(ids)
	if err != nil {
		return m, err
	}
	ofUsers, ofGrants := usersNamed, grantsNamed
	if s.postgres {
		ofUsers, ofGrants = ofUsers+` FOR NO KEY UPDATE OF u`, ofGrants+` FOR NO KEY UPDATE`
	}
	var users []userRow
	if err := s.query(ctx, tx.Tx, &users, ofUsers, list); err != nil {
		return m, err
	}
	if m.names, m.rules, err = s.keepProjects(ctx, tx, rules); err != nil {
		return m, err
	}
	var groups []groupRow
	if err := s.query(ctx, tx.Tx, &groups, groupsNamed, list); err != nil {
		return m, err
	}
	var grants []grantRow
	if err := s.query(ctx, tx.Tx, &grants, ofGrants, list); err != nil {
		return m, err
	}
	m.members = membersOf(users, groups, grants)
	return m, nil
}

// membersOf returns the users with their groups and grants. All of them are in the order of the users.
func membersOf(users []userRow, groups []groupRow, grants []grantRow) []domain.GroupMember {
	members := make([]domain.GroupMember, len(users))
	for i := range users {
		id := users[i].ID
		endOfGroups, endOfGrants := 0, 0
		for endOfGroups < len(groups) && groups[endOfGroups].UserID <= id {
			endOfGroups++
		}
		for endOfGrants < len(grants) && grants[endOfGrants].UserID <= id {
			endOfGrants++
		}
		members[i] = memberOf(users[i].user(), groups[:endOfGroups], grants[:endOfGrants])
		groups, grants = groups[endOfGroups:], grants[endOfGrants:]
	}
	return members
}

// listOfIDs returns the ids as a JSON object, for a statement on named users.
func listOfIDs(ids []idRow) (string, error) {
	named := make(map[domain.UserID]bool, len(ids))
	for _, row := range ids {
		named[row.ID] = true
	}
	list, err := json.Marshal(named)
	return string(list), err
}

// regroup applies the rules to those members who have something by r.
func (s *Store) regroup(ctx context.Context, tx bun.Tx, rec domain.Record, r domain.GroupRule, m toRegroup, policy domain.SignOnPolicy) error {
	for _, member := range m.members {
		if !member.HasBy(r) {
			continue
		}
		otherAdmin := true // it matters for an admin only
		if member.User.CountsAsAdmin() {
			var err error
			if otherAdmin, err = hasOtherAdmin(ctx, tx, member.User.ID); err != nil {
				return err
			}
		}
		change := policy.Regroup(member, m.rules, otherAdmin, rec.At)
		if err := s.storeChange(ctx, tx, member, change, m.names, rec.Actor, rec); err != nil {
			return err
		}
	}
	return nil
}

// Members implements ports.GroupRules.
func (g *GroupRules) Members(ctx context.Context, group string, after domain.UserID, limit int) ([]domain.GroupMember, error) {
	s := g.store
	var members []domain.GroupMember
	err := s.read(ctx, "find the members of a group", func(ctx context.Context) error {
		var ids []idRow
		if err := s.lookUp(ctx, &ids, pageOfMembers, group, string(after), max(limit, 0)); err != nil {
			return err
		}
		list, err := listOfIDs(ids)
		if err != nil {
			return err
		}
		var users []userRow
		var groups []groupRow
		var grants []grantRow
		for _, look := range []struct {
			statement string
			into      any
		}{{usersNamed, &users}, {groupsNamed, &groups}, {grantsNamed, &grants}} {
			if err := s.lookUp(ctx, look.into, look.statement, list); err != nil {
				return err
			}
		}
		members = membersOf(users, groups, grants)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return members, nil
}
