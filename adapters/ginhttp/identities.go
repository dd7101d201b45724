package ginhttp

import (
	"net/http"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

func (a *api) linkIdentity(x *exchange) error {
	var in struct {
		User    text `json:"user_id"`
		Subject text `json:"subject"`
	}
	if err := x.decode(&in); err != nil {
		return err
	}
	u, err := a.service.LinkIdentity(x.ctx(), x.call, string(in.User), string(in.Subject))
	if err != nil {
		return err
	}
	return x.user("the user can log in with the identity provider", u)
}

func (a *api) unlinkIdentity(x *exchange) error {
	var in struct {
		User text `json:"user_id"`
	}
	if err := x.decode(&in); err != nil {
		return err
	}
	u, err := a.service.UnlinkIdentity(x.ctx(), x.call, string(in.User))
	if err != nil {
		return err
	}
	return x.user("the user is linked to no identity, and their sessions were ended", u)
}

func (a *api) setGroupRule(x *exchange) error {
	var in struct {
		Group        text    `json:"group"`
		Role         text    `json:"role"`
		Project      text    `json:"project_id"`
		Scopes       *[]text `json:"scopes"`
		Environments *[]text `json:"environments"`
	}
	if err := x.decode(&in); err != nil {
		return err
	}
	r, err := a.service.SetGroupRule(x.ctx(), x.call, app.SetGroupRule{
		Group: string(in.Group), Role: string(in.Role), Project: string(in.Project),
		Scopes: textsIfAny(in.Scopes), Environments: textsIfAny(in.Environments),
	})
	if err != nil {
		return err
	}
	x.send(http.StatusOK, say("the rule is set; members of the group get what it gives with their next login").member("rule").groupRule(r))
	return nil
}

// getGroupRules answers with all rules, which are domain.MaxGroupRules at most.
func (a *api) getGroupRules(x *exchange) error {
	rules, err := a.service.GetGroupRules(x.ctx(), x.call)
	if err != nil {
		return err
	}
	b := array(say("these are the rules of groups").member("rules"), rules, answer.groupRule)
	if err := x.held.Add(cap(b)); err != nil {
		return err
	}
	x.send(http.StatusOK, b)
	return nil
}

func (a *api) deleteGroupRule(x *exchange) error {
	var in struct {
		ID text `json:"rule_id"`
	}
	if err := x.decode(&in); err != nil {
		return err
	}
	if err := a.service.DeleteGroupRule(x.ctx(), x.call, string(in.ID)); err != nil {
		return err
	}
	return x.ok("the rule was deleted, and what users had by it was taken back")
}

// providerLogout ends the logins that a logout token of the identity provider names. There is no limit on
// how often strangers try: a token that is not signed by the provider costs about as much as a cookie that
// is not sealed here, reaches no database but for its row of the audit, and can't be guessed. A limit by
// address would let whoever shares the address of the provider's proxy keep logouts from arriving.
func (a *api) providerLogout(x *exchange) error {
	if _, ok := a.service.SignsOn(); !ok {
		return &domain.Error{Kind: domain.NotFound, Public: "there is no identity provider"}
	}
	form, err := x.readForm()
	if err != nil {
		return err
	}
	tokens := form["logout_token"]
	if len(tokens) != 1 || tokens[0] == "" {
		return invalid("the form must have one logout_token")
	}
	if err := a.service.ProviderLogout(x.ctx(), x.call, domain.NewSecret(tokens[0])); err != nil {
		return err
	}
	return x.ok("the sessions were ended")
}
