package domain

// Caller is who calls, with the rights they have at this moment: looked up for each
// request, never taken from what a cookie said.
type Caller struct {
	ID    UserID
	Admin bool
	// Login is the login that they call under. It is the zero Session under a host
	// program's own authentication and for the operator.
	Login Session
	// Token is the access token that they call with, "" for none. Only and Scopes are what
	// it is for: a project, or ScopeManage.
	Token  TokenID
	Only   ProjectID
	Scopes Scopes

	operator bool
}

// Operator is the caller of a command on the machine itself. It may manage everything
// and is no user.
func Operator() Caller { return Caller{Admin: true, operator: true} }

// MayManage is NotAllowed unless the caller is an admin or the operator, and with an
// access token has ScopeManage.
func (c Caller) MayManage() error {
	if c.Admin && (c.Token == "" || c.Scopes.Has(ScopeManage)) {
		return nil
	}
	return &Error{Kind: NotAllowed, Public: "only an admin may do this"}
}

// MayUse turns the outcome of looking a project up, within what the caller sees, into
// what the caller is told: for one who is no admin NotFound and NotAllowed are one and
// the same NotAllowed, so that existence is not told. Other errors, and nil, stay as
// they are.
func (c Caller) MayUse(err error) error {
	if k := KindOf(err); !c.Admin && (k == NotFound || k == NotAllowed) {
		return &Error{Kind: NotAllowed, Public: "you are not allowed to use this assistant"}
	}
	return err
}

// Sees is what the caller may use: everything for an admin, the granted for a member.
func (c Caller) Sees() Visible {
	if c.Admin {
		return Visible{all: true}
	}
	return GrantedTo(c.ID)
}

// Actor is how the audit names the caller: an access token is one of its own, whoever
// made it, and the zero Caller is ActorNobody.
func (c Caller) Actor() Actor {
	switch {
	case c.operator:
		return ActorOperator
	case c.Token != "":
		return ActorToken(c.Token)
	case c.ID == "":
		return ActorNobody
	}
	return ActorUser(c.ID)
}

// Visible is a set of projects: all, or those granted to a user. The zero Visible is
// empty. A store turns it into a condition of its look-up, so that 'not granted' and
// 'does not exist' are one outcome.
type Visible struct {
	all  bool
	user UserID
}

// GrantedTo is the set of the projects that are granted to user.
func GrantedTo(user UserID) Visible { return Visible{user: user} }

// All says whether every project is in the set.
func (v Visible) All() bool { return v.all }

// User is whose grants make the set, when it is not all.
func (v Visible) User() UserID { return v.user }
