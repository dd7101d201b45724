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
	// Named is the project that the call names; "" if it names none.
	Named ProjectID
	// Project is what Session, Token or Named is for, with its sealed keys. It is zero without
	// them. It is also zero if the caller may not use the project that the call names, and if
	// there is no such project: nobody learns which.
	Project Project
	// Granted are the scopes of the caller's grant on the project, empty without a grant.
	Granted Scopes
	// Manual and Groups are those of the grant: Granted are the scopes of both. Both are empty without one.
	Manual Scopes
	Groups []GroupGrant
}

// Scopes returns the scopes that the use has now. An admin may do everything with every
// assistant, a member what is granted. An access token or a session never allows more than its
// maker may do. A project that the call names, and that is not Project, allows nothing.
func (a Access) Scopes() Scopes {
	rights := a.Granted
	switch {
	case a.unseen():
		return 0
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

// unseen reports whether the call names a project that is not there for the caller.
func (a Access) unseen() bool { return a.Named != "" && a.Project.ID == "" }

// May returns NotAllowed unless the use is good for scope. The message says who lacks it. Returns
// NotFound to an admin who names a project that does not exist.
func (a Access) May(scope Scope) error {
	if a.Scopes().Has(scope) {
		return nil
	}
	if a.unseen() {
		return a.Caller.MayUse(NoSuch("assistant"))
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

// StillMay returns nil if the use is good for all of the scopes, which an open call began with.
// Returns NotAllowed if the caller has lost one of them. Returns NotFound to an admin whose call
// names a project that was deleted.
func (a Access) StillMay(scopes Scopes) error {
	switch {
	case a.unseen() && a.Caller.Admin:
		return &Error{Kind: NotFound, Public: "the assistant was deleted"}
	case a.unseen():
		return &Error{Kind: NotAllowed, Public: "you are no longer allowed to use this assistant; an admin can grant it"}
	case a.Scopes().And(scopes) != scopes:
		return &Error{Kind: NotAllowed, Public: "the right that this call needs was removed"}
	}
	return nil
}

// Use says which assistant a user uses: the one of an assistant session, or one that the call
// names. The zero Use is none.
type Use struct {
	session SessionID
	project ProjectID
}

// UseSession returns the use of the assistant that the session has set. It is the zero Use for "".
func UseSession(id SessionID) Use { return Use{session: id} }

// UseProject returns the use of the project that a call names. It is the zero Use for "".
func UseProject(id ProjectID) Use { return Use{project: id} }

// Session returns the assistant session, "" if it is not by session.
func (u Use) Session() SessionID { return u.session }

// Project returns the project that the call names, "" if it names none.
func (u Use) Project() ProjectID { return u.project }

// OpenUse names the right that an open call stands on: an assistant session, an access token, or a
// user who names a project. That user has a login, or comes from a host program.
type OpenUse struct {
	Session SessionID
	Token   TokenID
	Secret  TokenHash // of the text by which Token was found; zero for a conversation of it

	Project ProjectID // that the call names
	Login   SessionID // of the user who names Project
	User    UserID    // a host program's user who names Project; "" with a login
	Admin   bool      // User was an admin when the call began, as the host program said
}

// OpenUse names the right that the use stands on.
func (a Access) OpenUse() OpenUse {
	switch {
	case a.Named == "":
		return OpenUse{Session: a.Session.ID, Token: a.Token.ID, Secret: a.Caller.Secret}
	case a.Caller.Login.ID != "":
		return OpenUse{Project: a.Named, Login: a.Caller.Login.ID}
	}
	return OpenUse{Project: a.Named, User: a.Caller.ID, Admin: a.Caller.Admin}
}

// Names reports whether the right is that of a user who names a project.
func (u OpenUse) Names() bool { return u.Project != "" && (u.Login != "" || u.User != "") }
