package domain

import "time"

// Act is a change that somebody wishes to make: who acts, what the change takes of them, and
// its audit record.
//
// Whoever starts a request may lose the right to it before the request ends. A store
// therefore looks the right up again, locks it, and lets Allow decide, all in the transaction
// of the change.
type Act struct {
	By    Caller // with the rights that were looked up when the request began
	Needs Need
	// Proven is the password hash that By has just proven to know the password of. It is zero if
	// the change asks for no password.
	Proven Secret
	Record Record
}

// Need is what a change takes of its caller. The zero Need is NeedsCaller.
type Need struct {
	admin   bool
	noUsers bool
	project ProjectID
	scopes  Scopes
}

// NeedsCaller takes a caller whose login or access token can still be used.
func NeedsCaller() Need { return Need{} }

// NeedsAdmin takes a caller who may manage the parts (Caller.MayManage).
func NeedsAdmin(parts ...Scope) Need { return Need{admin: true, scopes: ScopesOf(parts...)} }

// NeedsNoUsers takes the operator or the set-up link (CallerBySetupLink), and a database without a
// user. A store keeps it so until the end of the change.
func NeedsNoUsers() Need { return Need{noUsers: true} }

// NeedsUse takes a caller who may use the project within the scopes: an admin, or a user
// whose grant covers the scopes. Empty scopes take any grant.
func NeedsUse(project ProjectID, scopes Scopes) Need { return Need{project: project, scopes: scopes} }

// Project returns the project on which the caller needs a grant, unless they are an admin. It is
// "" for a Need that is not about a project.
func (n Need) Project() ProjectID { return n.project }

// NoUsers reports whether there must be no user.
func (n Need) NoUsers() bool { return n.noUsers }

// Right is what an Act stands on, as a store finds it in the transaction of the change. What
// is gone or was never there is zero.
type Right struct {
	User    User         // the user who acts; ID, Role, Disabled and PasswordHash are enough
	Login   Session      // the login that By names
	Token   AccessToken  // the access token that By names
	Secrets TokenSecrets // those of Token
	Granted Scopes       // the scopes of the user's grant on Needs.Project
	AnyUser bool         // there is a user; known only if Needs.NoUsers
}

// StandsAlone reports whether no user, login or access token has to be looked up for the act.
// That is so for the operator, for the set-up link, and for a user of a host program, whose role the
// host decided.
func (a Act) StandsAlone() bool {
	return a.By.operator || a.By.Login.ID == "" && a.By.Token == ""
}

// WantsGrant reports whether the act needs a grant. role is the role that the user who acts has
// now; that of a host's user is in By. The operator and admins need no grant.
func (a Act) WantsGrant(role Role) bool {
	if a.StandsAlone() {
		return a.Needs.project != "" && !a.By.Admin
	}
	return a.Needs.project != "" && role != RoleAdmin
}

// Opens returns Invalid unless the assistant session is one that the act can open: of the user
// and the login of By, by a role that By has, in the project that Needs names.
func (a Act) Opens(s Session) error {
	if s.Kind == AssistantSession && s.User == a.By.ID && s.Login == a.By.Login.ID && a.By.Token == "" &&
		(a.By.Admin || !s.ByRole) && a.Needs == NeedsUse(s.Project, 0) {
		return nil
	}
	return invalid("the session is not of who opens it")
}

// Makes returns NotAllowed if the act stands on an access token, since no token makes tokens. It
// returns Invalid unless the access token is one that the act can make: a user's own. The operator
// and a host's admin may make one for anybody.
func (a Act) Makes(t AccessToken) error {
	if a.By.Token != "" {
		return &Error{Kind: NotAllowed, Public: "an access token can't create access tokens; log in to do this"}
	}
	if t.User == a.By.ID || a.StandsAlone() && a.By.Admin {
		return nil
	}
	return invalid("the access token is not of who makes it")
}

// Changes returns NotAllowed if the act stands on an access token and turns was into is in a way
// that needs a login. An access token can't make anybody an admin: neither by the role nor by
// enabling a user who has it. It can't set the password of an admin or of its own owner, nor link them
// to an identity, by which one logs in as with a password. The zero was is a user who does not exist yet.
func (a Act) Changes(was, is User) error {
	admin := was.Role == RoleAdmin || is.Role == RoleAdmin
	switch {
	case a.By.Token == "":
		return nil
	case is.Role == RoleAdmin && was.Role != RoleAdmin, is.CountsAsAdmin() && !was.CountsAsAdmin():
		return &Error{Kind: NotAllowed, Public: "an access token can't create, promote or enable an admin; log in to do this"}
	case !is.PasswordHash.Equal(was.PasswordHash) && (admin || is.ID == a.By.ID):
		return &Error{Kind: NotAllowed, Public: "an access token can't set the password of an admin or of its owner; log in to do this"}
	case is.Identity != (Identity{}) && is.Identity != was.Identity && (admin || is.ID == a.By.ID):
		return &Error{Kind: NotAllowed, Public: "an access token can't link an admin or its owner to an identity; log in to do this"}
	}
	return nil
}

// SetsRule returns NotAllowed if the act stands on an access token and the rule makes admins, since an
// access token can't make anybody an admin. It can't delete such a rule either.
func (a Act) SetsRule(r GroupRule) error {
	if a.By.Token != "" && r.MakesAdmins() {
		return &Error{Kind: NotAllowed, Public: "an access token can't set or delete a rule that makes admins; log in to do this"}
	}
	return nil
}

// Allow decides at now whether the act may be carried out, and returns the caller with the
// rights that they have now. The errors are those of a fresh request: NotAuthenticated if
// the user is gone or disabled, the login or access token is over, or By names nobody;
// NotAllowed if the role, the scope or the grant is gone. Returns Conflict if the password is no
// longer the one that By has proven to know, and if there is a user and must be none. An act that
// stands alone needs no Right but Granted and AnyUser.
func (a Act) Allow(r Right, now time.Time) (Caller, error) {
	c, err := a.caller(r, now)
	if err != nil {
		return Caller{}, err
	}
	switch {
	case !a.Proven.IsZero() && !a.StandsAlone() && !a.Proven.Equal(r.User.PasswordHash):
		return c, &Error{Kind: Conflict, Public: "somebody has just changed the password; log in again"}
	case a.Needs.noUsers:
		return c, c.maySetUp(r.AnyUser)
	case a.Needs.admin:
		return c, c.mayManage(a.Needs.scopes)
	case a.Needs.project != "" && c.Token != "" && c.Only != a.Needs.project:
		return c, &Error{Kind: NotAllowed, Public: "this access token is for another assistant"}
	case a.Needs.project != "":
		return c, Access{Caller: c, Token: r.Token, Granted: r.Granted}.covers(a.Needs.scopes)
	}
	return c, nil
}

// caller is who acts, with the rights that they have now.
func (a Act) caller(r Right, now time.Time) (Caller, error) {
	switch {
	case !a.hasCaller():
		return Caller{}, NotLoggedIn(nil)
	case a.StandsAlone():
		return a.By, nil
	case a.By.Token != "":
		if !r.isOf(a.By.ID) || r.Token.ID != a.By.Token || r.Token.User != a.By.ID || !r.Token.Opens(r.Secrets, a.By.Secret, now) {
			return Caller{}, InvalidAccessToken(nil)
		}
		return CallerByToken(r.Token, r.User.Role).Showing(a.By.Secret), nil
	}
	login := r.Login.ID == a.By.Login.ID && r.Login.Kind == LoginSession && r.Login.User == a.By.ID && r.Login.Live(now)
	if !login || !r.isOf(a.By.ID) {
		return Caller{}, NotLoggedIn(nil)
	}
	return CallerByLogin(r.Login, r.User.Role), nil
}

// hasCaller reports whether the act is of somebody. The set-up link is somebody only to create the first
// user.
func (a Act) hasCaller() bool {
	return a.By.operator || a.By.ID != "" || a.By.setup && a.Needs.noUsers
}

// isOf reports whether the right is that of the user, who is enabled.
func (r Right) isOf(id UserID) bool { return r.User.ID == id && !r.User.Disabled }

// covers is NotAllowed unless the use is good for all of the scopes. Empty scopes take any
// grant.
func (a Access) covers(scopes Scopes) error {
	rights := a.Scopes()
	switch {
	case rights == 0:
		return MayNotUse()
	case rights.And(scopes) != scopes:
		return &Error{Kind: NotAllowed, Public: "this needs scopes that are not granted to you"}
	}
	return nil
}
