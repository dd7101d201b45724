package domain

import "strings"

// Caller is who makes a request, with the rights that they have at this moment. The rights
// are looked up for each request and never taken from a cookie.
type Caller struct {
	ID    UserID
	Admin bool
	// Login is the login that the caller uses. It is the zero Session for a user of a host
	// program and for the operator.
	Login Session
	// Token is the access token that the caller uses, "" for none. Only and Scopes are what
	// the token is for: a project, or scopes that manage.
	Token  TokenID
	Only   ProjectID
	Scopes Scopes
	// Secret is the hash of the text by which Token was found. It is zero if the caller uses a
	// conversation of the token.
	Secret TokenHash

	operator bool
	setup    bool // by the set-up link
}

// Operator returns the caller of a command on the machine itself. It may manage everything and
// is not a user.
func Operator() Caller { return Caller{Admin: true, operator: true} }

// CallerBySetupLink returns the caller who shows a set-up link that was opened. It can create the
// first user (NeedsNoUsers) and nothing else.
func CallerBySetupLink() Caller { return Caller{setup: true} }

// CallerByLogin returns the user who uses the login. role is the role that the user has now.
func CallerByLogin(login Session, role Role) Caller {
	return Caller{ID: login.User, Admin: role == RoleAdmin, Login: login}
}

// CallerByToken returns the user who made the access token. role is the role that the user has
// now.
func CallerByToken(t AccessToken, role Role) Caller {
	return Caller{ID: t.User, Admin: role == RoleAdmin, Token: t.ID, Only: t.Project, Scopes: t.Scopes}
}

// Showing returns the caller by an access token whose text has that hash.
func (c Caller) Showing(secret TokenHash) Caller {
	c.Secret = secret
	return c
}

// CallerBySession returns the user of an open assistant session. role is the role that the user
// has now. It does not count for a session without a login: the host program decided the role of
// such a user when the session was opened.
func CallerBySession(s Session, role Role) Caller {
	if s.Login == "" {
		return Caller{ID: s.User, Admin: s.ByRole}
	}
	return Caller{ID: s.User, Admin: role == RoleAdmin}
}

// SameRights reports whether c and other are the same caller with the same role, scopes and
// project.
func (c Caller) SameRights(other Caller) bool {
	return c.ID == other.ID && c.Admin == other.Admin && c.Login.ID == other.Login.ID &&
		c.Token == other.Token && c.Only == other.Only && c.Scopes == other.Scopes && c.operator == other.operator && c.setup == other.setup
}

// MayEnd reports whether the caller may end sessions and delete access tokens of the user: their
// own with a login, and those of others if they may manage. To an access token, all are others'.
func (c Caller) MayEnd(of UserID) bool {
	return c.Token == "" && c.ID == of || c.MayManage(ScopeManageUsers) == nil
}

// MayEndByKey reports whether the caller may end all that a keyset key sealed. Nothing of it is
// the caller's own.
func (c Caller) MayEndByKey() bool { return c.MayManage() == nil }

// MayManage returns NotAllowed unless the caller is an admin or the operator. An access token also
// needs a scope for each of the parts. Without parts it needs ScopeManage.
func (c Caller) MayManage(parts ...Scope) error { return c.mayManage(ScopesOf(parts...)) }

func (c Caller) mayManage(parts Scopes) error {
	switch {
	case !c.Admin:
		return &Error{Kind: NotAllowed, Public: "only an admin may do this"}
	case c.Token == "" || c.Scopes.coversManaging(parts):
		return nil
	case parts == 0:
		parts = ScopesOf(ScopeManage)
	}
	return &Error{Kind: NotAllowed, Public: "this needs an access token with " + strings.ReplaceAll(parts.Text(), " ", " and ")}
}

// MaySetUp returns NotAllowed unless the caller is the operator, who alone makes set-up links.
func (c Caller) MaySetUp() error {
	if c.operator {
		return nil
	}
	return &Error{Kind: NotAllowed, Public: "only the operator may do this, with flowlatch setup-link on the machine of the service"}
}

// MayMakeLoginLink returns NotAllowed unless the caller is the operator, who alone makes login links.
func (c Caller) MayMakeLoginLink() error {
	if c.operator {
		return nil
	}
	return &Error{Kind: NotAllowed, Public: "only the operator may do this, with flowlatch login-link on the machine of the service"}
}

// maySetUp returns an error unless the caller may create the first user. anyUser says that there is
// a user.
func (c Caller) maySetUp(anyUser bool) error {
	switch {
	case !c.setup && !c.operator:
		return c.MaySetUp()
	case anyUser:
		return UserExists()
	}
	return nil
}

// MayUse turns the outcome of a look-up of a project into what the caller is told. Unless the
// caller is an admin, NotFound and NotAllowed become the same NotAllowed, so that existence
// is not told. Other errors, and nil, stay as they are.
func (c Caller) MayUse(err error) error {
	if k := KindOf(err); !c.Admin && (k == NotFound || k == NotAllowed) {
		return MayNotUse()
	}
	return err
}

// Sees returns the set of projects that the caller may use: all for an admin, the granted ones
// for a member.
func (c Caller) Sees() Visible {
	if c.Admin {
		return Visible{all: true}
	}
	return GrantedTo(c.ID)
}

// Actor returns the name of the caller in the audit. An access token is an actor of its own. The
// zero Caller is ActorNobody.
func (c Caller) Actor() Actor {
	switch {
	case c.operator:
		return ActorOperator
	case c.setup:
		return ActorSetupLink
	case c.Token != "":
		return ActorToken(c.Token)
	case c.ID == "":
		return ActorNobody
	}
	return ActorUser(c.ID)
}

// Visible is a set of projects: all, or those granted to a user. The zero Visible is
// empty. A store makes it a condition of its look-up, so that 'not granted' and
// 'does not exist' are one outcome.
type Visible struct {
	all   bool
	user  UserID
	scope Scope
}

// GrantedTo returns the set of the projects that are granted to user.
func GrantedTo(user UserID) Visible { return Visible{user: user} }

// All reports whether every project is in the set.
func (v Visible) All() bool { return v.all }

// User returns the user whose grants make the set, unless it is all.
func (v Visible) User() UserID { return v.user }

// Within returns the projects of the set whose grant has the scope. It changes nothing for all
// projects: an admin needs no grant.
func (v Visible) Within(scope Scope) Visible {
	if !v.all {
		v.scope = scope
	}
	return v
}

// Scope returns the scope that a grant must have to count. Every grant counts if it is "".
func (v Visible) Scope() Scope { return v.scope }
