package console

import (
	"strings"

	"github.com/flowlatch/flowlatch/domain"
)

// grantSource is who grants an assistant, and what. A grant has one for an admin, and one for each group.
type grantSource struct {
	Group        string // "" for an admin
	Scopes       string
	Environments string // with commas between them, "" for no limit
}

// sourcesOf returns who grants. It is empty if only an admin does, since the scopes of the grant then say
// everything.
func sourcesOf(g domain.Grant) []grantSource {
	var all []grantSource
	if len(g.Groups) > 0 && g.Manual != 0 {
		all = append(all, grantSource{Scopes: scopeList(g.Manual)})
	}
	for _, by := range g.Groups {
		all = append(all, grantSource{Group: by.Group, Scopes: scopeList(by.Scopes), Environments: strings.Join(by.Environments, ", ")})
	}
	return all
}

// scopeList returns scopes with commas between them.
func scopeList(of domain.Scopes) string { return strings.ReplaceAll(of.Text(), " ", ", ") }

// revoked says what the end of the grant of an admin leaves: nothing, or what groups grant.
func (x *request) revoked(user, project, notice string) string {
	grants, err := x.console.service.GetGrants(x.Context(), x.Call(), user, project, domain.Cursor{}, 1)
	if err != nil || len(grants.Items) == 0 || len(grants.Items[0].Groups) == 0 {
		return notice
	}
	return "What an admin granted was revoked. The group " + grants.Items[0].Groups[0].Group + " still grants the assistant."
}
