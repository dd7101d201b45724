package domain

import "strings"

// Scope is a part of what an assistant can do. Grants and access tokens have scopes.
type Scope string

// The scopes. Every forwarded Endpoint belongs to one of them, but not to ScopeDebug or to those
// that manage.
const (
	ScopeConverse          Scope = "converse"           // talk to the assistant, and read or delete the state of one's own conversations
	ScopeState             Scope = "state"              // set the state and the variables of one's own conversations
	ScopeDebug             Scope = "debug"              // debug output in turns, which may hold credentials that the assistant uses
	ScopeTranscripts       Scope = "transcripts"        // read, tag and annotate transcripts of all users
	ScopeTranscriptsDelete Scope = "transcripts:delete" // delete transcripts and what belongs to them
	ScopeAnalytics         Scope = "analytics"          // read usage and evaluations
	ScopeKnowledge         Scope = "knowledge"          // ask the knowledge base, list and read its documents
	ScopeKnowledgeWrite    Scope = "knowledge:write"    // add, change and delete documents and tags
	ScopeProjects          Scope = "projects"           // read about the project and its environments
	ScopeExport            Scope = "export"             // the export of the assistant, which may hold credentials of others

	// The scopes that manage are for access tokens only. They open the routes of admins, and no
	// assistant. ScopeManage is all of them.
	ScopeManage         Scope = "manage"
	ScopeManageProjects Scope = "manage:projects" // projects, their keys and checks
	ScopeManageUsers    Scope = "manage:users"    // users and sessions
	ScopeManageGrants   Scope = "manage:grants"   // grants
	ScopeManageAudit    Scope = "manage:audit"    // the audit and the usage
)

// allScopes are in the order in which they are listed, and those that manage come last. The place
// of a scope is its bit.
var allScopes = [...]Scope{
	ScopeConverse, ScopeState, ScopeDebug, ScopeTranscripts, ScopeTranscriptsDelete, ScopeAnalytics,
	ScopeKnowledge, ScopeKnowledgeWrite, ScopeProjects, ScopeExport,
	ScopeManage, ScopeManageProjects, ScopeManageUsers, ScopeManageGrants, ScopeManageAudit,
}

// managing is how many of allScopes manage.
const managing = 5

// Scopes is a set of scopes. The zero Scopes is empty. Sets may be compared with ==.
type Scopes uint16

// AllScopes returns what an admin may do with every assistant: all scopes except those that
// manage.
func AllScopes() Scopes { return 1<<(len(allScopes)-managing) - 1 }

// ManageScopes returns the scopes that manage.
func ManageScopes() Scopes { return (1<<len(allScopes) - 1) &^ AllScopes() }

// DefaultScopes returns the scopes of a grant or an access token that names none.
func DefaultScopes() Scopes { return ScopesOf(ScopeConverse) }

// ScopesOf returns the set of the scopes. Unknown scopes are left out.
func ScopesOf(list ...Scope) Scopes {
	var s Scopes
	for _, scope := range list {
		for bit, known := range allScopes {
			if scope == known {
				s |= 1 << bit
			}
		}
	}
	return s
}

// Has reports whether scope is in the set.
func (s Scopes) Has(scope Scope) bool {
	bit := ScopesOf(scope)
	return bit != 0 && s&bit != 0
}

// And returns the set of the scopes that are in both sets.
func (s Scopes) And(other Scopes) Scopes { return s & other }

// Manage reports whether a scope of the set manages.
func (s Scopes) Manage() bool { return s&ManageScopes() != 0 }

// coversManaging reports whether the set is good for all of the parts of managing. Without parts
// only ScopeManage is.
func (s Scopes) coversManaging(parts Scopes) bool {
	return s.Has(ScopeManage) || parts != 0 && s.And(parts) == parts
}

// List lists the scopes of the set, always in the same order.
func (s Scopes) List() []Scope {
	list := make([]Scope, 0, len(allScopes))
	for bit, scope := range allScopes {
		if s&(1<<bit) != 0 {
			list = append(list, scope)
		}
	}
	return list
}

// Text returns the set as it is stored: the List, separated by spaces.
func (s Scopes) Text() string {
	list := s.List()
	texts := make([]string, len(list))
	for i, scope := range list {
		texts[i] = string(scope)
	}
	return strings.Join(texts, " ")
}

// ScopesFromText reads what Text wrote. Unknown scopes, which a newer program may have stored,
// are left out, so that they open nothing.
func ScopesFromText(text string) Scopes {
	var s Scopes
	for word := range strings.FieldsSeq(text) {
		s |= ScopesOf(Scope(word))
	}
	return s
}

// ParseScopes reads the parameter scopes, in any order. Returns Invalid for an empty list, for
// an unknown scope, and for a scope that comes twice.
func ParseScopes(list []string) (Scopes, error) {
	if len(list) == 0 {
		return 0, invalid("scopes must name at least one scope")
	}
	var s Scopes
	for _, text := range list {
		scope := ScopesOf(Scope(strings.TrimSpace(text)))
		if scope == 0 {
			return 0, invalid("scopes can only contain " + strings.ReplaceAll((AllScopes()|ManageScopes()).Text(), " ", ", "))
		}
		if s&scope != 0 {
			return 0, invalid("scopes repeats a scope")
		}
		s |= scope
	}
	return s, nil
}

// ParseGrantScopes is ParseScopes for a grant. Returns Invalid for a scope that manages too.
func ParseGrantScopes(list []string) (Scopes, error) {
	s, err := ParseScopes(list)
	if err == nil && s.Manage() {
		return 0, invalid("a grant can't have a scope that manages; make the user an admin instead")
	}
	return s, err
}
