package domain

import "time"

// Act is a change that somebody wishes to make: who acts, what the change takes of them, and
// its audit record.
//
// Whoever starts a request may lose the right to it before the request ends. A store
// therefore looks the right up again, locks it, and lets Allow decide, all in the transaction
// of the change.
type Act struct {
	By     Caller // with the rights that were looked up when the request began
	Needs  Need
	Record Record
}

// Need is what a change takes of its caller. The zero Need is NeedsCaller.
type Need struct {
	admin   bool
	project ProjectID
	scopes  Scopes
}

// NeedsCaller takes a caller whose login or access token can still be used.
func NeedsCaller() Need { return Need{} }

// NeedsAdmin takes a caller who may manage: an admin, who with an access token has the
// scope manage.
func NeedsAdmin() Need { return Need{admin: true} }

// NeedsUse takes a caller who may use the project within the scopes: an admin, or a user
// whose grant covers the scopes. Empty scopes take any grant.
func NeedsUse(project ProjectID, scopes Scopes) Need { return Need{project: project, scopes: scopes} }

// Project returns the project on which the caller needs a grant, unless they are an admin. It is
// "" for a Need that is not about a project.
func (n Need) Project() ProjectID { return n.project }

// Right is what an Act stands on, as a store finds it in the transaction of the change. What
// is gone or was never there is zero.
type Right struct {
	User    User        // the user who acts; ID, Role and Disabled are enough
	Login   Session     // the login that By names
	Token   AccessToken // the access token that By names
	Granted Scopes      // the scopes of the user's grant on Needs.Project
}

// StandsAlone reports whether no user, login or access token has to be looked up for the act.
// That is so for the operator, and for a user of a host program, whose role the host decided.
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

// Makes returns Invalid unless the access token is one that the act can make: a user's own. The
// operator and a host's admin may make one for anybody.
func (a Act) Makes(t AccessToken) error {
	if t.User == a.By.ID || a.StandsAlone() && a.By.Admin {
		return nil
	}
	return invalid("the access token is not of who makes it")
}

// Allow decides at now whether the act may be carried out, and returns the caller with the
// rights that they have now. The errors are those of a fresh request: NotAuthenticated if
// the user is gone or disabled, the login or access token is over, or By names nobody;
// NotAllowed if the role, the scope or the grant is gone. An act that stands alone needs no Right
// but Granted.
func (a Act) Allow(r Right, now time.Time) (Caller, error) {
	c, err := a.caller(r, now)
	if err != nil {
		return Caller{}, err
	}
	switch {
	case a.Needs.admin:
		return c, c.MayManage()
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
	case !a.By.operator && a.By.ID == "":
		return Caller{}, NotLoggedIn(nil)
	case a.StandsAlone():
		return a.By, nil
	case a.By.Token != "":
		if !r.isOf(a.By.ID) || r.Token.ID != a.By.Token || r.Token.User != a.By.ID || !r.Token.Live(now) {
			return Caller{}, InvalidAccessToken(nil)
		}
		return CallerByToken(r.Token, r.User.Role), nil
	}
	login := r.Login.ID == a.By.Login.ID && r.Login.Kind == LoginSession && r.Login.User == a.By.ID && r.Login.Live(now)
	if !login || !r.isOf(a.By.ID) {
		return Caller{}, NotLoggedIn(nil)
	}
	return CallerByLogin(r.Login, r.User.Role), nil
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
