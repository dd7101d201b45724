package ports

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

// GroupRules keeps what groups at the company's identity provider may do here. A change of rules
// reaches the users who have something by them at once, with what SignOnPolicy.Regroup makes of the
// groups that the provider named last. Each of SignOnChange.Changes gets a record with the actor, the
// time, the request id and the address of act.Record. Users who have nothing by the rule get it with
// their next login.
type GroupRules interface {
	// Set stores what GroupRule.Set makes of the rules, and returns the rule as it is stored. If that is
	// what it was, nothing changes. Returns the errors of Act.SetsRule and GroupRule.Set. Returns NotFound
	// if the project of the rule does not exist.
	Set(ctx context.Context, act domain.Act, r domain.GroupRule, policy domain.SignOnPolicy) (domain.GroupRule, error)

	// List returns all rules, in the order of domain.CompareRules.
	List(ctx context.Context) ([]domain.GroupRule, error)

	// Remove removes the rule with that id and returns it. Returns NotFound if there is none, and the error
	// of Act.SetsRule. A rule also goes with its project.
	Remove(ctx context.Context, act domain.Act, id domain.RuleID, policy domain.SignOnPolicy) (domain.GroupRule, error)

	// Members returns at most limit users whom the identity provider last named as in the group, or who
	// have something by it, with an id after the given one, in the order of their ids.
	Members(ctx context.Context, group string, after domain.UserID, limit int) ([]domain.GroupMember, error)
}
