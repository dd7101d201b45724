package console

import (
	"slices"

	"github.com/flowlatch/flowlatch/domain"
)

// assistantChoices are the assistants that a form offers.
type assistantChoices struct {
	Listed []assistantChoice
	// Many says that there are too many to list. Listed are those that were chosen then, and a text
	// field takes the exact name or the Id of another one.
	Many  bool
	Names []string // what the text field suggests
	Typed string   // what the text field contains
}

// assistantChoice is an assistant that a form offers.
type assistantChoice struct {
	ID     domain.ProjectID
	Name   string
	Chosen bool
}

// assistantChoices returns the assistants to choose from. It lists them if they are at most most.
// chosen are Ids and what was typed.
func (x *request) assistantChoices(most int, chosen ...string) (assistantChoices, error) {
	var c assistantChoices
	page, err := x.console.service.GetProjects(x.Context(), x.Call(), domain.Cursor{}, most)
	if err != nil && domain.KindOf(err) != domain.NotFound {
		return c, err
	}
	if page.Next == nil {
		for _, p := range page.Items {
			c.Listed = append(c.Listed, assistantChoice{ID: p.ID, Name: p.Name, Chosen: slices.Contains(chosen, string(p.ID))})
		}
		return c, nil
	}
	c.Many = true
	for _, p := range page.Items {
		c.Names = append(c.Names, p.Name)
	}
	for _, text := range chosen {
		p, err := x.console.service.FindProject(x.Context(), x.Call(), text)
		switch domain.KindOf(err) {
		case "":
			if err != nil {
				return c, err
			}
			c.Listed = append(c.Listed, assistantChoice{ID: p.ID, Name: p.Name, Chosen: true})
		case domain.Unavailable:
			return c, err
		default: // the form says what is wrong with it
			c.Typed = withoutKey(text)
		}
	}
	return c, nil
}

// assistantIDs returns the Ids of the assistants that a form names by Id or by exact name.
func (x *request) assistantIDs(texts []string) ([]string, error) {
	ids := make([]string, 0, len(texts))
	for _, text := range texts {
		if ref, err := domain.ParseProjectRef(text); err != nil || ref.ID == "" {
			p, err := x.console.service.FindProject(x.Context(), x.Call(), text)
			if err != nil {
				return nil, err
			}
			text = string(p.ID)
		}
		ids = append(ids, text)
	}
	return ids, nil
}

// scopeChoice is a scope that a form offers.
type scopeChoice struct {
	Scope   domain.Scope
	Explain string
	Chosen  bool
}

// scopeTexts explains each scope.
var scopeTexts = map[domain.Scope]string{
	domain.ScopeConverse:          "Talk to the assistant, and read or delete the state of one's own conversations.",
	domain.ScopeState:             "Set the state and the variables of one's own conversations.",
	domain.ScopeDebug:             "See debug output in turns. It may contain credentials that the assistant uses.",
	domain.ScopeTranscripts:       "Read, tag and annotate the transcripts of all users.",
	domain.ScopeTranscriptsDelete: "Delete transcripts and what belongs to them.",
	domain.ScopeAnalytics:         "Read usage and evaluations.",
	domain.ScopeKnowledge:         "Ask the knowledge base, and list and read its documents.",
	domain.ScopeKnowledgeWrite:    "Add, change and delete documents and tags.",
	domain.ScopeProjects:          "Read about the project and its environments.",
	domain.ScopeExport:            "Export the assistant. The export may contain credentials of others.",
	domain.ScopeManage:            "Everything that an admin may do on the routes of admins.",
	domain.ScopeManageProjects:    "Assistants, their keys and checks.",
	domain.ScopeManageUsers:       "Users and sessions.",
	domain.ScopeManageGrants:      "Grants.",
	domain.ScopeManageAudit:       "The audit and the usage.",
}

// scopeChoices returns the scopes to choose from.
func scopeChoices(of domain.Scopes, chosen []string) []scopeChoice {
	var all []scopeChoice
	for _, scope := range of.List() {
		all = append(all, scopeChoice{Scope: scope, Explain: scopeTexts[scope], Chosen: slices.Contains(chosen, string(scope))})
	}
	return all
}

// scopeNames returns the scopes as a form sends them.
func scopeNames(of domain.Scopes) []string {
	var names []string
	for _, scope := range of.List() {
		names = append(names, string(scope))
	}
	return names
}
