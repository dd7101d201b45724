package console

import (
	"slices"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// named is something with an id, as a page shows it.
type named struct {
	Name    string // its id if it was deleted
	Link    string // the address of its page, "" if the caller may not open one
	Deleted bool
}

// names are the names of assistants, users and access tokens that the caller may know.
type names struct {
	app.Names

	x *request
}

// names looks up names, at most domain.MaxNamed of each sort. Ids may be empty or repeated.
func (x *request) names(projects []domain.ProjectID, users []domain.UserID, tokens []domain.TokenID) (names, error) {
	known, err := x.console.service.Names(x.Context(), x.Call(), app.NamesAsked{
		Projects: distinct(projects), Users: distinct(users), Tokens: distinct(tokens),
	})
	return names{known, x}, err
}

// distinct returns each id once, without the empty one.
func distinct[ID ~string](ids []ID) []ID {
	all := slices.Compact(slices.Sorted(slices.Values(ids)))
	if len(all) > 0 && all[0] == "" {
		return all[1:]
	}
	return all
}

// project returns the assistant. Only admins get a link, and only they learn that it was deleted: for
// others it may be one that is no longer granted.
func (n names) project(id domain.ProjectID) named {
	out := n.of(string(id), n.Projects[id], "/console/assistants/")
	out.Deleted = out.Deleted && n.x.Call().Caller.Admin
	return out
}

// user returns the user. The users of a host program have no name here.
func (n names) user(id domain.UserID) named {
	if !n.x.console.service.OwnUsers() {
		return named{Name: string(id)}
	}
	return n.of(string(id), string(n.Users[id]), "/console/users/")
}

// token returns the access token.
func (n names) token(id domain.TokenID) named {
	out := n.of(string(id), n.Tokens[id], "")
	if !out.Deleted {
		out.Link = n.x.console.url("/console/tokens")
	}
	return out
}

func (n names) of(id, name, below string) named {
	switch {
	case name == "":
		return named{Name: id, Deleted: true}
	case below == "" || !n.x.Call().Caller.Admin:
		return named{Name: name}
	}
	return named{Name: name, Link: n.x.console.url(below + id)}
}
