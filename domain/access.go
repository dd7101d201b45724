package domain

// Credential is what a call that uses an assistant shows of itself, opened and not yet
// looked up. One of three is given: an access token; a conversation, by its handle; or a
// login (under a host's authentication: a user) with the assistant session under it.
type Credential struct {
	Token        TokenHash // zero when none was shown
	Conversation ConversationID
	Login        SessionID
	Assistant    SessionID // "" when no assistant is set
	// User and Admin are who calls under a host's authentication, where there is no Login.
	User  UserID
	Admin bool
}

// Access is all that is known about a use of an assistant, looked up at once.
type Access struct {
	// Caller is who calls, with the rights they have now; for a handle, who made it.
	Caller Caller
	// Session is the assistant session that is used; zero where there is none that is good.
	Session Session
	// Token is the access token that is used; zero where none is.
	Token AccessToken
	// Conversation is the one whose handle was shown; zero where none was.
	Conversation Conversation
	// Project and Key, that in its primary slot, are zero where neither session nor token
	// names a project.
	Project Project
	Key     Sealed
	// Secondary is the key in the project's secondary slot; zero where there is none.
	Secondary Sealed
	// Granted are the scopes of the caller's grant on the project, empty without a grant.
	Granted Scopes
}

// Scopes are what the use is good for at this moment. An admin may do everything with
// every assistant, a member what is granted, and neither an access token nor a session
// more than who made it.
func (a Access) Scopes() Scopes {
	rights := a.Granted
	switch {
	case a.Caller.Admin:
		rights = AllScopes()
	case a.Session.ByRole || a.Token.OwnUsers:
		return 0 // only an admin has these
	}
	if a.Token.ID != "" {
		return rights.And(a.Token.Scopes)
	}
	return rights
}

// May is NotAllowed unless the use is good for scope.
func (a Access) May(scope Scope) error {
	if a.Scopes().Has(scope) {
		return nil
	}
	return &Error{Kind: NotAllowed, Public: "this takes the scope " + string(scope)}
}

// Actor is who uses the assistant, as audit, usage and user ids tell them apart: an
// access token is one of its own, whoever made it.
func (a Access) Actor() Actor { return a.Caller.Actor() }

// SlotKey is the sealed key that is in a slot.
type SlotKey struct {
	Slot Slot
	Key  Sealed
}

// Keys are the keys of the project in the order in which a use tries them: the primary
// first, unless that is expected to fail and the secondary is not.
func (a Access) Keys() []SlotKey {
	primary, secondary := SlotKey{SlotPrimary, a.Key}, SlotKey{SlotSecondary, a.Secondary}
	switch {
	case a.Secondary.IsZero():
		return []SlotKey{primary}
	case a.Project.KeyStatus.Fails() && !a.Project.SecondaryStatus.Fails():
		return []SlotKey{secondary, primary}
	}
	return []SlotKey{primary, secondary}
}

// OpenUse names what an open call stands on: an assistant session or an access token.
type OpenUse struct {
	Session SessionID
	Token   TokenID
}

// OpenUse is what the use stands on.
func (a Access) OpenUse() OpenUse { return OpenUse{Session: a.Session.ID, Token: a.Token.ID} }
