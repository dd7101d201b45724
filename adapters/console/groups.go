package console

import (
	"strings"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// groupsPage is what the list of rules for groups shows.
type groupsPage struct {
	Rules []ruleRow
}

// ruleRow is a rule as the pages show it.
type ruleRow struct {
	domain.GroupRule

	Assistant string // the name of its assistant, "" for a rule that makes admins
}

// Gives says what the rule gives.
func (r ruleRow) Gives() string {
	if r.MakesAdmins() {
		return "the role admin"
	}
	if r.Assistant == "" {
		return string(r.Project)
	}
	return r.Assistant
}

// ScopeList returns the scopes with commas between them.
func (r ruleRow) ScopeList() string { return scopeList(r.Scopes) }

// EnvironmentList returns the environments with commas between them, "" for no limit.
func (r ruleRow) EnvironmentList() string { return strings.Join(r.Environments, ", ") }

const (
	groupsTitle  = "Groups"
	groupsPath   = "/console/groups"
	newRuleTitle = "Add a rule for a group"
)

func (x *request) groups() error {
	rows, err := x.ruleRows()
	if err != nil {
		return err
	}
	return x.show("groups", groupsTitle, groupsPage{Rules: rows})
}

// ruleRows returns all rules with the names of their assistants.
func (x *request) ruleRows() ([]ruleRow, error) {
	rules, err := x.console.service.GetGroupRules(x.Context(), x.Call())
	if err != nil {
		return nil, err
	}
	var ids []domain.ProjectID
	for _, r := range rules {
		ids = append(ids, r.Project)
	}
	known, err := x.assistantNames(ids)
	rows := make([]ruleRow, len(rules))
	for i, r := range rules {
		rows[i] = ruleRow{GroupRule: r, Assistant: known[r.Project]}
	}
	return rows, err
}

// assistantNames returns the names of any number of assistants.
func (x *request) assistantNames(ids []domain.ProjectID) (map[domain.ProjectID]string, error) {
	known := map[domain.ProjectID]string{}
	ids = distinct(ids)
	for len(ids) > 0 {
		some := ids[:min(len(ids), domain.MaxNamed)]
		ids = ids[len(some):]
		names, err := x.names(some, nil, nil)
		if err != nil {
			return nil, err
		}
		for id, name := range names.Projects {
			known[id] = name
		}
	}
	return known, nil
}

// ruleForm is what the page for a rule shows.
type ruleForm struct {
	Group        string
	Role         string
	Assistants   assistantChoices
	Scopes       []scopeChoice
	Environments string
}

// newRule shows the form for a rule. With rule_id it is filled with that rule, which can be changed.
func (x *request) newRule() error {
	form, project, scopes := ruleForm{}, "", scopeNames(domain.DefaultScopes())
	if id := fields(x.Request().URL.Query()).text("rule_id"); id != "" {
		r, err := x.rule(id)
		if err != nil {
			return err
		}
		form.Group, form.Environments, project = r.Group, strings.Join(r.Environments, " "), string(r.Project)
		if r.MakesAdmins() {
			form.Role = string(domain.RoleAdmin)
		} else {
			scopes = scopeNames(r.Scopes)
		}
	}
	if err := x.fillRule(&form, project, scopes); err != nil {
		return err
	}
	return x.show("groups_new", newRuleTitle, form)
}

// rule returns the rule of that id.
func (x *request) rule(text string) (ruleRow, error) {
	id, err := domain.ParseRuleID(text)
	if err != nil {
		return ruleRow{}, err
	}
	rows, err := x.ruleRows()
	if err != nil {
		return ruleRow{}, err
	}
	for _, r := range rows {
		if r.ID == id {
			return r, nil
		}
	}
	return ruleRow{}, domain.NoSuch("rule")
}

// fillRule adds what the form offers.
func (x *request) fillRule(form *ruleForm, project string, scopes []string) error {
	form.Scopes = scopeChoices(domain.AllScopes(), scopes)
	var chosen []string
	if project != "" {
		chosen = []string{project}
	}
	var err error
	form.Assistants, err = x.assistantChoices(mostOptions, chosen...)
	return err
}

// ruleAgain is again for the form for a rule.
func (x *request) ruleAgain(err error, in fields) error {
	form := ruleForm{Group: in.shown("group"), Role: in.text("role"), Environments: withoutKey(strings.Join(in.words("environments"), " "))}
	if failed := x.fillRule(&form, in.text("project_id"), in.texts("scopes")); failed != nil {
		return failed
	}
	return x.again(err, "groups_new", newRuleTitle, form)
}

// ruleAsked reads the form for a rule. A rule that makes admins has no other field: the form offers the
// default scopes beside it.
func (x *request) ruleAsked(in fields) (app.SetGroupRule, error) {
	if group := in.text("group"); domain.HoldsCredential(group) {
		return app.SetGroupRule{}, &domain.Error{Kind: domain.Invalid, Public: "a Voiceflow key or an access token was pasted into the name of the group"}
	}
	asked := app.SetGroupRule{Group: in.text("group"), Role: in.text("role")}
	if asked.Role != "" {
		return asked, nil
	}
	asked.Scopes, asked.Environments = in.scopes(), in.words("environments")
	if project := in.text("project_id"); project != "" {
		ids, err := x.assistantIDs([]string{project})
		if err != nil {
			return asked, err
		}
		asked.Project = ids[0]
	}
	return asked, nil
}

// rulePreview is what the page shows that asks whether to set or to delete a rule.
type rulePreview struct {
	Rule    ruleRow
	Deletes bool
	Effects []ruleEffect
	More    bool // there are others
}

// ruleEffect is what a rule changes for a user.
type ruleEffect struct {
	ID      domain.UserID
	Name    domain.Username
	AtLogin bool
	Changes []string // a sentence each
}

// previewRule shows who would change if the rule of the form were set. It changes nothing.
func (x *request) previewRule() error {
	in, err := x.fields()
	if err != nil {
		return x.ruleAgain(err, in)
	}
	asked, err := x.ruleAsked(in)
	if err != nil {
		return x.ruleAgain(err, in)
	}
	page, err := x.rulePreview(asked, "")
	if err != nil {
		return x.ruleAgain(err, in)
	}
	scopes, _ := domain.ParseScopes(asked.Scopes) // the preview has read them
	group, _ := domain.ParseGroup(asked.Group)
	page.Rule = ruleRow{GroupRule: domain.GroupRule{
		Group: group, Project: domain.ProjectID(asked.Project), Scopes: scopes, Environments: asked.Environments,
	}}
	known, err := x.assistantNames([]domain.ProjectID{page.Rule.Project})
	if err != nil {
		return err
	}
	page.Rule.Assistant = known[page.Rule.Project]
	return x.show("groups_preview", "Set this rule?", page)
}

// rulePreview returns who would change.
func (x *request) rulePreview(in app.SetGroupRule, deletes string) (rulePreview, error) {
	effects, more, err := x.console.service.PreviewGroupRule(x.Context(), x.Call(), in, deletes)
	if err != nil {
		return rulePreview{}, err
	}
	var ids []domain.ProjectID
	for _, e := range effects {
		ids = append(ids, e.Change.Removed...)
		for _, g := range e.Change.Put {
			ids = append(ids, g.Project)
		}
	}
	known, err := x.assistantNames(ids)
	page := rulePreview{Deletes: deletes != "", More: more}
	for _, e := range effects {
		page.Effects = append(page.Effects, ruleEffect{ID: e.User.ID, Name: e.User.Name, AtLogin: e.AtLogin, Changes: changesOf(e, known)})
	}
	return page, err
}

// changesOf says what changes for a user, a sentence each.
func changesOf(e app.RuleEffect, known map[domain.ProjectID]string) []string {
	var all []string
	name := func(id domain.ProjectID) string {
		if known[id] == "" {
			return string(id)
		}
		return known[id]
	}
	switch was, is := e.User.Role, e.Change.User.Role; {
	case e.Change.KeptAdmin:
		all = append(all, "Stays an admin, since there is no other.")
	case was != is && is == domain.RoleAdmin:
		all = append(all, "Becomes an admin.")
	case was != is:
		all = append(all, "Becomes a member.")
	}
	for _, id := range e.Change.Removed {
		all = append(all, "Loses "+name(id)+".")
	}
	for _, g := range e.Change.Put {
		all = append(all, "Has "+name(g.Project)+" with "+scopeList(g.Scopes)+".")
	}
	if len(all) == 0 {
		all = append(all, "Keeps the same rights, by other groups.")
	}
	return all
}

func (x *request) setRule() error {
	in, err := x.fields()
	if err != nil {
		return x.ruleAgain(err, in)
	}
	asked, err := x.ruleAsked(in)
	var r domain.GroupRule
	if err == nil {
		r, err = x.console.service.SetGroupRule(x.Context(), x.Call(), asked)
	}
	if err != nil {
		return x.ruleAgain(err, in)
	}
	return x.ruled("The rule for " + r.Group + " is set.")
}

// confirmDeleteRule asks whether to delete the rule, and shows who would lose what.
func (x *request) confirmDeleteRule() error {
	r, err := x.rule(x.Param("id"))
	if err != nil {
		return err
	}
	page, err := x.rulePreview(app.SetGroupRule{}, string(r.ID))
	if err != nil {
		return err
	}
	page.Rule = r
	return x.show("groups_preview", "Delete this rule?", page)
}

func (x *request) deleteRule() error {
	if err := x.console.service.DeleteGroupRule(x.Context(), x.Call(), x.Param("id")); err != nil {
		rows, failed := x.ruleRows()
		if failed != nil {
			return failed
		}
		return x.again(err, "groups", groupsTitle, groupsPage{Rules: rows})
	}
	return x.ruled("The rule was deleted. What users had by it was taken.")
}

// ruled sends the browser to the rules after a change of them, or to the overview if the change took the
// role of the caller.
func (x *request) ruled(notice string) error {
	if x.console.service.SameRights(x.Context(), x.Call().Caller) != nil {
		return x.done(home, notice)
	}
	return x.done(groupsPath, notice)
}
