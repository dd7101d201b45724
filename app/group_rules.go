package app

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// SetGroupRule is the input of Service.SetGroupRule, as the caller gave it. Either Role is admin, or
// Project is given.
type SetGroupRule struct {
	Group        string
	Role         string   // "" or admin
	Project      string   // an Id, or Voiceflow's id of a project
	Scopes       []string // nil is the default
	Environments []string // nil is no limit
}

// SetGroupRule sets what a group at the identity provider may do here. Only an admin may: NotAllowed. An
// access token can't set a rule that makes admins (domain.Act.SetsRule). Returns Invalid if the input breaks a rule, NotFound
// if there is no such assistant or a host program keeps the users, and Conflict if there are too many
// rules. Users who have something by an earlier rule for the same group and assistant change at once,
// others with their next login.
func (s *Service) SetGroupRule(ctx context.Context, call domain.Call, in SetGroupRule) (domain.GroupRule, error) {
	rule, err := s.groupRule(ctx, call, in)
	if err != nil {
		return domain.GroupRule{}, err
	}
	act := s.act(call, domain.NeedsAdmin(domain.ScopeManageGrants), domain.ActionSetGroupRule, domain.OnRule(rule.ID))
	return s.ports.Store.GroupRules.Set(ctx, act, rule, s.signOn.Policy)
}

// groupRule returns the rule that the input describes. If there is a rule for the same, it has the id of
// that one.
func (s *Service) groupRule(ctx context.Context, call domain.Call, in SetGroupRule) (domain.GroupRule, error) {
	if err := s.mayManageUsers(call, domain.ScopeManageGrants); err != nil {
		return domain.GroupRule{}, err
	}
	rule, err := s.newGroupRule(ctx, call, in)
	if err != nil {
		return domain.GroupRule{}, err
	}
	if err := (domain.Act{By: call.Caller}).SetsRule(rule); err != nil {
		return domain.GroupRule{}, err
	}
	rules, err := s.ports.Store.GroupRules.List(ctx)
	if err != nil {
		return domain.GroupRule{}, err
	}
	_, rule, err = rule.Set(rules)
	return rule, err
}

// newGroupRule reads the input.
func (s *Service) newGroupRule(ctx context.Context, call domain.Call, in SetGroupRule) (domain.GroupRule, error) {
	invalid := func(public string) error { return &domain.Error{Kind: domain.Invalid, Public: public} }
	switch {
	case in.Role != "" && in.Role != string(domain.RoleAdmin):
		return domain.GroupRule{}, invalid("role must be admin, or left out; a rule for an assistant has a project_id")
	case (in.Role == "") == (in.Project == ""):
		return domain.GroupRule{}, invalid("a rule has either the role admin or a project_id")
	}
	var scopes domain.Scopes
	var project domain.Project
	var err error
	if in.Scopes != nil {
		if scopes, err = domain.ParseGrantScopes(in.Scopes); err != nil {
			return domain.GroupRule{}, err
		}
	}
	if in.Project != "" {
		ref, err := domain.ParseProjectRef(in.Project)
		if err != nil {
			return domain.GroupRule{}, err
		}
		if project, err = s.one(ctx, call.Caller, ref); err != nil {
			return domain.GroupRule{}, err
		}
	}
	now := s.ports.Clock()
	id, err := domain.NewRuleID(now, s.ports.Random)
	if err != nil {
		return domain.GroupRule{}, err
	}
	rule, err := domain.NewGroupRule(id, in.Group, project.ID, scopes, in.Environments, now)
	if err != nil {
		return domain.GroupRule{}, err
	}
	return rule, project.MayLimitTo(rule.Environments)
}

// GetGroupRules returns all rules, in the order of domain.CompareRules. Only an admin may: NotAllowed.
// Returns NotFound if a host program keeps the users.
func (s *Service) GetGroupRules(ctx context.Context, call domain.Call) ([]domain.GroupRule, error) {
	if err := s.mayManageUsers(call, domain.ScopeManageGrants); err != nil {
		return nil, err
	}
	return s.ports.Store.GroupRules.List(ctx)
}

// DeleteGroupRule deletes a rule and takes at once what users have by it. Only an admin may: NotAllowed.
// With an access token it takes domain.ScopeManageUsers and domain.ScopeManageGrants, and the rule must not
// make admins. Returns NotFound if
// there is no such rule, and Invalid if ruleID can be no id.
func (s *Service) DeleteGroupRule(ctx context.Context, call domain.Call, ruleID string) error {
	id, err := s.ruleToDelete(call, ruleID)
	if err != nil {
		return err
	}
	act := s.act(call, domain.NeedsAdmin(partsOfUsers(true)...), domain.ActionDeleteGroupRule, domain.OnRule(id))
	_, err = s.ports.Store.GroupRules.Remove(ctx, act, id, s.signOn.Policy)
	return err
}

// ruleToDelete reads the id of a rule, if the caller may delete rules.
func (s *Service) ruleToDelete(call domain.Call, ruleID string) (domain.RuleID, error) {
	if err := s.mayManageUsers(call, domain.ScopeManageGrants); err != nil {
		return "", err
	}
	id, err := domain.ParseRuleID(ruleID)
	if err != nil {
		return "", err
	}
	return id, s.mayManageUsers(call, partsOfUsers(true)...)
}

// RuleEffect is what a rule changes for a user.
type RuleEffect struct {
	User    domain.User         // as they are
	Change  domain.SignOnChange // what their groups change then
	AtLogin bool                // it changes with their next login, not at once
}

// MaxRuleEffects is how many users a preview shows at most.
const MaxRuleEffects = 100

// PreviewGroupRule tells who would change if the rule were set (delete is "") or the rule of that id
// deleted, by the groups that the provider named last, in the order of the ids of users. more says that
// there are others. Its errors are those of SetGroupRule and DeleteGroupRule. It changes nothing.
func (s *Service) PreviewGroupRule(ctx context.Context, call domain.Call, in SetGroupRule, delete string) (effects []RuleEffect, more bool, err error) {
	rule, rules, err := s.rulesAfter(ctx, call, in, delete)
	if err != nil {
		return nil, false, err
	}
	for last := domain.UserID(""); ; {
		members, err := s.ports.Store.GroupRules.Members(ctx, rule.Group, last, MaxRuleEffects)
		if err != nil {
			return nil, false, err
		}
		for _, m := range members {
			last = m.User.ID
			effect, changes, err := s.ruleEffect(ctx, m, rule, rules)
			switch {
			case err != nil:
				return nil, false, err
			case changes && len(effects) == MaxRuleEffects:
				return effects, true, nil
			case changes:
				effects = append(effects, effect)
			}
		}
		if len(members) < MaxRuleEffects {
			return effects, false, nil
		}
	}
}

// rulesAfter returns the rule that would be set or deleted, and all rules as they would be.
func (s *Service) rulesAfter(ctx context.Context, call domain.Call, in SetGroupRule, delete string) (domain.GroupRule, []domain.GroupRule, error) {
	var rule domain.GroupRule
	var id domain.RuleID
	var err error
	if delete == "" {
		rule, err = s.groupRule(ctx, call, in)
	} else {
		id, err = s.ruleToDelete(call, delete)
	}
	if err != nil {
		return domain.GroupRule{}, nil, err
	}
	rules, err := s.ports.Store.GroupRules.List(ctx)
	if err != nil {
		return domain.GroupRule{}, nil, err
	}
	if delete != "" {
		rules, rule, err = domain.WithoutRule(rules, id)
	} else {
		rules, rule, err = rule.Set(rules)
	}
	return rule, rules, err
}

// ruleEffect returns what the rules change for the member, and whether that is by the rule.
func (s *Service) ruleEffect(ctx context.Context, m domain.GroupMember, rule domain.GroupRule, rules []domain.GroupRule) (effect RuleEffect, changes bool, err error) {
	otherAdmin := true
	if m.User.CountsAsAdmin() {
		if otherAdmin, err = s.ports.Store.Users.OtherAdmin(ctx, m.User.ID); err != nil {
			return RuleEffect{}, false, err
		}
	}
	change := s.signOn.Policy.Regroup(m, rules, otherAdmin, s.ports.Clock())
	return RuleEffect{User: m.User, Change: change, AtLogin: !m.HasBy(rule)}, change.Concerns(m.User, rule), nil
}

// maxKeptAdmins is how many users KeptAdmins returns. Of admins whom groups made, one can be the last.
const maxKeptAdmins = 100

// KeptAdmins returns the users who have left the group that made them admins and stay admins since there
// was no other. Only an admin may: NotAllowed. If a host program keeps the users, there are none.
func (s *Service) KeptAdmins(ctx context.Context, call domain.Call) ([]domain.User, error) {
	if err := call.Caller.MayManage(domain.ScopeManageUsers); err != nil {
		return nil, err
	}
	if !s.OwnUsers() {
		return nil, nil
	}
	return s.ports.Store.Users.KeptAdmins(ctx, maxKeptAdmins)
}
