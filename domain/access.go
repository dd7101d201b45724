package domain

import "time"

// Access is all that is known about the use of an assistant, from one look-up.
type Access struct {
	// Caller is who calls, with the rights that they have now. For a handle it is who
	// opened the conversation.
	Caller Caller
	// Session is the assistant session that is used. It is zero if there is none, or if it
	// is over or another user's.
	Session Session
	// Token is the access token that is used; zero without one.
	Token AccessToken
	// SecretEnds is when the text ends by which Token was found; zero for a conversation of it.
	SecretEnds time.Time
	// Conversation is the one that the handle names; zero without a handle.
	Conversation Conversation
	// Project is what Session or Token is for, with its sealed keys; zero without them.
	Project Project
	// Granted are the scopes of the caller's grant on the project, empty without a grant.
	Granted Scopes
}

// Scopes returns the scopes that the use has now. An admin may do everything with every
// assistant, a member what is granted. An access token or a session never allows more than its
// maker may do.
func (a Access) Scopes() Scopes {
	rights := a.Granted
	switch {
	case a.Caller.Admin:
		rights = AllScopes()
	case a.Session.ByRole || a.Token.OwnUsers:
		return 0 // only an admin can have these
	}
	if a.Token.ID != "" {
		return rights.And(a.Token.Scopes)
	}
	return rights
}

// May returns NotAllowed unless the use is good for scope. The message says who lacks it.
func (a Access) May(scope Scope) error {
	if a.Scopes().Has(scope) {
		return nil
	}
	lacks := "which you do not have for this assistant; an admin can grant it"
	switch {
	case a.Token.ID != "" && !a.Token.Scopes.Has(scope):
		lacks = "which the access token does not have; create one that has it"
	case a.Token.OwnUsers:
		lacks = "and the owner of this access token is no longer an admin; an admin has to create a new one"
	case a.Token.ID != "":
		lacks = "which the owner of the access token does not have for this assistant; an admin can grant it"
	}
	return &Error{Kind: NotAllowed, Public: "this call needs the scope " + string(scope) + ", " + lacks + SeeScopes}
}

// Actor is who uses the assistant, as audit, usage and user ids tell them apart. An access
// token is an actor of its own.
func (a Access) Actor() Actor { return a.Caller.Actor() }

// OpenUse names the right that an open call stands on: an assistant session or an access
// token.
type OpenUse struct {
	Session SessionID
	Token   TokenID
	Secret  TokenHash // of the text by which Token was found; zero for a conversation of it
}

// OpenUse names the right that the use stands on.
func (a Access) OpenUse() OpenUse {
	return OpenUse{Session: a.Session.ID, Token: a.Token.ID, Secret: a.Caller.Secret}
}
