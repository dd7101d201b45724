package domain_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/domain"
)

// aRight is what a user has who may act in every way: a login, an access token for every scope
// of a project, and a grant with every scope.
func aRight(role domain.Role) domain.Right {
	ends := start.Add(time.Hour)
	return domain.Right{
		User:    domain.User{ID: "u", Role: role},
		Login:   domain.Session{ID: "l", Kind: domain.LoginSession, User: "u", Idle: ends, Expires: ends.Add(time.Hour)},
		Token:   domain.AccessToken{ID: "t", User: "u", Project: uuid, Scopes: domain.AllScopes(), Expires: ends},
		Granted: domain.AllScopes(),
	}
}

// manages makes the access token one for managing.
func manages(r *domain.Right) {
	r.Token.Project, r.Token.Scopes = "", domain.ScopesOf(domain.ScopeManage)
}

// What is gone when a change is made refuses the change, whatever was looked up when the
// request began.
func TestAnActIsAllowedByTheRightAsItIsNow(t *testing.T) {
	const gone, refused, allowed = domain.NotAuthenticated, domain.NotAllowed, domain.Kind("")
	const admin, member = domain.RoleAdmin, domain.RoleMember
	type right = domain.Right
	loginOf := func(r right) domain.Caller { return domain.CallerByLogin(r.Login, r.User.Role) }
	tokenOf := func(r right) domain.Caller { return domain.CallerByToken(r.Token, r.User.Role) }
	nothing := func(*right) {}
	for _, tc := range []struct {
		name    string
		by      func(right) domain.Caller
		role    domain.Role  // when the request began
		began   func(*right) // how the right was when the request began
		changed func(*right) // what happened since then

		caller, admin, use domain.Kind // what Allow says if the act needs a caller, an admin, the use of a project
	}{
		{"an admin's login allows everything", loginOf, admin, nothing, nothing, allowed, allowed, allowed},
		{"a member's login allows what is granted", loginOf, member, nothing, nothing, allowed, refused, allowed},
		{"with a login, a deleted user is not authenticated", loginOf, admin, nothing, func(r *right) { r.User = domain.User{} }, gone, gone, gone},
		{"with a login, a disabled user is not authenticated", loginOf, admin, nothing, func(r *right) { r.User.Disabled = true }, gone, gone, gone},
		{"with a login, another user in place of the caller is not authenticated", loginOf, admin, nothing, func(r *right) { r.User.ID = "v" }, gone, gone, gone},
		{"another user's login under the id of the caller's is not authenticated", loginOf, admin, nothing,
			func(r *right) { r.User.ID, r.Login.User = "v", "v" }, gone, gone, gone},
		{"a login that was ended is not authenticated", loginOf, admin, nothing, func(r *right) { r.Login = domain.Session{} }, gone, gone, gone},
		{"a login that was not used for too long is not authenticated", loginOf, admin, nothing, func(r *right) { r.Login.Idle = start }, gone, gone, gone},
		{"a login that expired is not authenticated", loginOf, admin, nothing, func(r *right) { r.Login.Expires = start }, gone, gone, gone},
		{"a login is good until its last microsecond", loginOf, admin, nothing, func(r *right) { r.Login.Idle = start.Add(time.Microsecond) }, allowed, allowed, allowed},
		{"another login of the user is not the one of the act", loginOf, admin, nothing, func(r *right) { r.Login.ID = "other" }, gone, gone, gone},
		{"a login of another user is not the one of the act", loginOf, admin, nothing, func(r *right) { r.Login.User = "v" }, gone, gone, gone},
		{"an assistant session is not a login", loginOf, admin, nothing, func(r *right) { r.Login.Kind = domain.AssistantSession }, gone, gone, gone},
		{"an access token does not stand in for a login that was ended", loginOf, admin, manages, func(r *right) { r.Login = domain.Session{} }, gone, gone, gone},
		{"a demoted admin is a member with grants", loginOf, admin, nothing, func(r *right) { r.User.Role = member }, allowed, refused, allowed},
		{"a demoted admin without a grant uses nothing", loginOf, admin, nothing, func(r *right) { r.User.Role, r.Granted = member, 0 }, allowed, refused, refused},
		{"a promoted member manages", loginOf, member, nothing, func(r *right) { r.User.Role = admin }, allowed, allowed, allowed},
		{"a member whose grant was revoked uses nothing", loginOf, member, nothing, func(r *right) { r.Granted = 0 }, allowed, refused, refused},
		{"a member whose grant lost the scope does not use it", loginOf, member, nothing, func(r *right) { r.Granted = domain.ScopesOf("export") }, allowed, refused, refused},
		{"an admin needs no grant", loginOf, admin, nothing, func(r *right) { r.Granted = 0 }, allowed, allowed, allowed},
		{"a member whose login goes on does not need a token", loginOf, member, nothing, func(r *right) { r.Token = domain.AccessToken{} }, allowed, refused, allowed},

		{"an admin's access token for a project uses it", tokenOf, admin, nothing, nothing, allowed, refused, allowed},
		{"an admin's access token for managing manages", tokenOf, admin, manages, nothing, allowed, allowed, refused},
		{"an admin's access token for another project does not use this one", tokenOf, admin, func(r *right) { r.Token.Project = "other" }, nothing, allowed, refused, refused},
		{"a member's access token uses what is granted", tokenOf, member, nothing, nothing, allowed, refused, allowed},
		{"with an access token, a deleted user is not authenticated", tokenOf, admin, manages, func(r *right) { r.User = domain.User{} }, gone, gone, gone},
		{"with an access token, a disabled user is not authenticated", tokenOf, admin, manages, func(r *right) { r.User.Disabled = true }, gone, gone, gone},
		{"with an access token, another user in place of the caller is not authenticated", tokenOf, admin, manages, func(r *right) { r.User.ID = "v" }, gone, gone, gone},
		{"another user's access token under the id of the caller's is not authenticated", tokenOf, admin, manages,
			func(r *right) { r.User.ID, r.Token.User = "v", "v" }, gone, gone, gone},
		{"an access token that was deleted is not authenticated", tokenOf, admin, manages, func(r *right) { r.Token = domain.AccessToken{} }, gone, gone, gone},
		{"an access token that expired is not authenticated", tokenOf, admin, manages, func(r *right) { r.Token.Expires = start }, gone, gone, gone},
		{"an access token is good until its last microsecond", tokenOf, admin, manages, func(r *right) { r.Token.Expires = start.Add(time.Microsecond) }, allowed, allowed, refused},
		{"another access token of the user is not the one of the act", tokenOf, admin, manages, func(r *right) { r.Token.ID = "other" }, gone, gone, gone},
		{"an access token of another user is not the one of the act", tokenOf, admin, manages, func(r *right) { r.Token.User = "v" }, gone, gone, gone},
		{"a login does not stand in for an access token that was deleted", tokenOf, admin, nothing, func(r *right) { r.Token = domain.AccessToken{} }, gone, gone, gone},
		{"an access token for managing stays one of a demoted admin and manages nothing", tokenOf, admin, manages, func(r *right) { r.User.Role = member }, allowed, refused, refused},
		{"an access token of a demoted admin uses what is granted to them", tokenOf, admin, nothing, func(r *right) { r.User.Role = member }, allowed, refused, allowed},
		{"an access token with user ids of its own uses nothing once its maker was demoted", tokenOf, admin, func(r *right) { r.Token.OwnUsers = true },
			func(r *right) { r.User.Role = member }, allowed, refused, refused},
		{"an access token of a member whose grant was revoked uses nothing", tokenOf, member, nothing, func(r *right) { r.Granted = 0 }, allowed, refused, refused},
		{"an access token whose maker's grant lost the scope does not use it", tokenOf, member, nothing, func(r *right) { r.Granted = domain.ScopesOf("export") }, allowed, refused, refused},
		{"an access token does not use a scope that it does not have", tokenOf, admin, func(r *right) { r.Token.Scopes = domain.ScopesOf("export") }, nothing, allowed, refused, refused},
		{"an access token does not need the login with which it was made", tokenOf, member, nothing, func(r *right) { r.Login = domain.Session{} }, allowed, refused, allowed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			now := aRight(tc.role)
			tc.began(&now)
			by := tc.by(now)
			tc.changed(&now)
			for _, need := range []struct {
				what  string
				needs domain.Need
				want  domain.Kind
			}{
				{"a caller", domain.NeedsCaller(), tc.caller},
				{"an admin", domain.NeedsAdmin(), tc.admin},
				{"the use of a project", domain.NeedsUse(uuid, domain.ScopesOf("converse")), tc.use},
			} {
				act := domain.Act{By: by, Needs: need.needs}
				caller, err := act.Allow(now, start)
				if domain.KindOf(err) != need.want {
					t.Errorf("an act that needs %s: got error %v, want kind %q", need.what, err, need.want)
				}
				if err == nil && (caller.ID != "u" || caller.Admin != (now.User.Role == domain.RoleAdmin) || caller.Actor() != by.Actor()) {
					t.Errorf("an act that needs %s: got the caller %+v, want the same one with the role of now", need.what, caller)
				}
			}
		})
	}
}

// The operator and a host program's users have no right that is stored here.
func TestAnActThatStandsAloneNeedsNoRight(t *testing.T) {
	const refused, allowed = domain.NotAllowed, domain.Kind("")
	for _, tc := range []struct {
		name               string
		by                 domain.Caller
		alone              bool
		caller, admin, use domain.Kind
	}{
		{"the operator may do everything", domain.Operator(), true, allowed, allowed, allowed},
		{"a host's admin may do everything", domain.Caller{ID: "h", Admin: true}, true, allowed, allowed, allowed},
		{"a host's user without a grant uses and manages nothing", domain.Caller{ID: "h"}, true, allowed, refused, refused},
		{"nobody may do nothing", domain.Caller{}, true, domain.NotAuthenticated, domain.NotAuthenticated, domain.NotAuthenticated},
		{"an admin without an id is nobody", domain.Caller{Admin: true}, true,
			domain.NotAuthenticated, domain.NotAuthenticated, domain.NotAuthenticated},
		{"a login does not stand alone", domain.Caller{ID: "u", Admin: true, Login: domain.Session{ID: "l"}}, false,
			domain.NotAuthenticated, domain.NotAuthenticated, domain.NotAuthenticated},
		{"an access token does not stand alone", domain.Caller{ID: "u", Admin: true, Token: "t"}, false,
			domain.NotAuthenticated, domain.NotAuthenticated, domain.NotAuthenticated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for needs, want := range map[domain.Need]domain.Kind{
				domain.NeedsCaller(): tc.caller, domain.NeedsAdmin(): tc.admin, domain.NeedsUse(uuid, domain.AllScopes()): tc.use,
			} {
				act := domain.Act{By: tc.by, Needs: needs}
				if got := act.StandsAlone(); got != tc.alone {
					t.Errorf("stands alone: got %v, want %v", got, tc.alone)
				}
				caller, err := act.Allow(domain.Right{}, start)
				wantKind(t, err, want)
				if diff := cmp.Diff(tc.by, caller, cmp.AllowUnexported(domain.Caller{})); err == nil && tc.alone && diff != "" {
					t.Errorf("caller (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestAnActNeedsScopesOnItsProject(t *testing.T) {
	of := domain.ScopesOf
	for _, tc := range []struct {
		name    string
		needs   domain.Scopes
		granted domain.Scopes
		kind    domain.Kind
	}{
		{"empty scopes take any grant", 0, of("export"), ""},
		{"empty scopes take a grant all the same", 0, 0, domain.NotAllowed},
		{"the scopes of the grant are enough", of("converse", "export"), of("converse", "export"), ""},
		{"a grant may have more", of("export"), of("converse", "export"), ""},
		{"a grant with one of two is not enough", of("converse", "export"), of("converse"), domain.NotAllowed},
		{"a grant with another is not enough", of("converse"), of("export"), domain.NotAllowed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			right := aRight(domain.RoleMember)
			right.Granted = tc.granted
			act := domain.Act{By: domain.CallerByLogin(right.Login, domain.RoleMember), Needs: domain.NeedsUse(uuid, tc.needs)}
			if act.Needs.Project() != uuid {
				t.Errorf("the project of the grant: got %q, want %q", act.Needs.Project(), uuid)
			}
			_, err := act.Allow(right, start)
			wantKind(t, err, tc.kind)
		})
	}
	if domain.NeedsAdmin().Project() != "" || domain.NeedsCaller().Project() != "" {
		t.Error("a need that is not about a project names one")
	}
	if (domain.Need{}) != domain.NeedsCaller() {
		t.Error("the zero Need is not NeedsCaller")
	}
}

// A refusal does not tell what is gone: it says what a fresh request would be told.
func TestARefusedActIsToldWhatAFreshRequestWouldBe(t *testing.T) {
	right := aRight(domain.RoleMember)
	byLogin, byToken := domain.CallerByLogin(right.Login, domain.RoleAdmin), domain.CallerByToken(right.Token, domain.RoleAdmin)
	for _, tc := range []struct {
		name string
		act  domain.Act
		now  domain.Right
		want error
	}{
		{"a login that is over", domain.Act{By: byLogin}, domain.Right{}, domain.NotLoggedIn(nil)},
		{"an access token that is over", domain.Act{By: byToken}, domain.Right{}, domain.InvalidAccessToken(nil)},
		{"a role that is gone", domain.Act{By: byLogin, Needs: domain.NeedsAdmin()}, right, domain.Caller{}.MayManage()},
		{"a grant that is gone", domain.Act{By: byLogin, Needs: domain.NeedsUse(uuid, 0)}, domain.Right{User: right.User, Login: right.Login},
			domain.Caller{}.MayUse(&domain.Error{Kind: domain.NotFound})},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := tc.act.Allow(tc.now, start); err == nil || err.Error() != tc.want.Error() {
				t.Errorf("got error %v, want %v", err, tc.want)
			}
		})
	}
}

// The rights that a request was begun with are not those with which it ends.
func TestAnAllowedCallerHasTheRightsOfNow(t *testing.T) {
	right := aRight(domain.RoleAdmin)
	was := right
	right.Login.LastUsed = start
	right.Token.Scopes = domain.ScopesOf("export")
	got, err := domain.Act{By: domain.CallerByLogin(was.Login, domain.RoleMember)}.Allow(right, start)
	if want := domain.CallerByLogin(right.Login, domain.RoleAdmin); err != nil || !got.SameRights(want) || got.Login != right.Login {
		t.Errorf("by login: got %+v and error %v, want %+v", got, err, want)
	}
	got, err = domain.Act{By: domain.CallerByToken(was.Token, domain.RoleMember)}.Allow(right, start)
	if want := domain.CallerByToken(right.Token, domain.RoleAdmin); err != nil || !got.SameRights(want) {
		t.Errorf("by access token: got %+v and error %v, want %+v", got, err, want)
	}
}

func TestAnActOpensASessionOfItsOwn(t *testing.T) {
	member := domain.Caller{ID: "u", Login: domain.Session{ID: "l"}}
	admin, host := member, domain.Caller{ID: "u"}
	admin.Admin = true
	opened := func(by domain.Caller, change func(*domain.Session)) domain.Session {
		s := domain.NewAssistantSession("s", by, uuid, start, domain.Lifetimes{Idle: time.Hour, Absolute: time.Hour}, "", "")
		change(&s)
		return s
	}
	use := domain.NeedsUse(uuid, 0)
	for _, tc := range []struct {
		name  string
		by    domain.Caller
		needs domain.Need
		s     domain.Session
		kind  domain.Kind
	}{
		{"a member's", member, use, opened(member, func(*domain.Session) {}), ""},
		{"an admin's", admin, use, opened(admin, func(*domain.Session) {}), ""},
		{"an admin's, by grant", admin, use, opened(member, func(*domain.Session) {}), ""},
		{"a host's user's", host, use, opened(host, func(*domain.Session) {}), ""},
		{"another user's", member, use, opened(member, func(s *domain.Session) { s.User = "v" }), domain.Invalid},
		{"of another login", member, use, opened(member, func(s *domain.Session) { s.Login = "m" }), domain.Invalid},
		{"of a login, by a host's user", host, use, opened(member, func(*domain.Session) {}), domain.Invalid},
		{"by a role that the caller does not have", member, use, opened(admin, func(*domain.Session) {}), domain.Invalid},
		{"in another project than the need's", member, use, opened(member, func(s *domain.Session) { s.Project = "other" }), domain.Invalid},
		{"by an act that needs a caller only", member, domain.NeedsCaller(), opened(member, func(*domain.Session) {}), domain.Invalid},
		{"a login", member, use, opened(member, func(s *domain.Session) { s.Kind = domain.LoginSession }), domain.Invalid},
		{"by an access token", domain.Caller{ID: "u", Token: "t"}, use, opened(host, func(*domain.Session) {}), domain.Invalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wantKind(t, domain.Act{By: tc.by, Needs: tc.needs}.Opens(tc.s), tc.kind)
		})
	}
}

func TestAnActMakesATokenOfItsOwn(t *testing.T) {
	login := domain.Session{ID: "l"}
	for _, tc := range []struct {
		name string
		by   domain.Caller
		user domain.UserID
		kind domain.Kind
	}{
		{"a user's own", domain.Caller{ID: "u", Login: login}, "u", ""},
		{"an admin's of somebody else", domain.Caller{ID: "u", Admin: true, Login: login}, "v", domain.Invalid},
		{"by a token, of somebody else", domain.Caller{ID: "u", Admin: true, Token: "t"}, "v", domain.NotAllowed},
		{"by a token, of its owner", domain.Caller{ID: "u", Admin: true, Token: "t"}, "u", domain.NotAllowed},
		{"a host's user's of somebody else", domain.Caller{ID: "u"}, "v", domain.Invalid},
		{"a host's admin's of somebody else", domain.Caller{ID: "u", Admin: true}, "v", ""},
		{"the operator's", domain.Operator(), "v", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wantKind(t, domain.Act{By: tc.by}.Makes(domain.AccessToken{User: tc.user}), tc.kind)
		})
	}
}

func TestAHostsUserUsesWhatIsGranted(t *testing.T) {
	converse := domain.ScopesOf("converse")
	for _, tc := range []struct {
		name    string
		by      domain.Caller
		granted domain.Scopes
		wants   bool
		kind    domain.Kind
	}{
		{"a host's user with a grant", domain.Caller{ID: "h"}, converse, true, ""},
		{"a host's user whose grant lost the scope", domain.Caller{ID: "h"}, domain.ScopesOf("export"), true, domain.NotAllowed},
		{"a host's user without a grant", domain.Caller{ID: "h"}, 0, true, domain.NotAllowed},
		{"a host's admin", domain.Caller{ID: "h", Admin: true}, 0, false, ""},
		{"the operator", domain.Operator(), 0, false, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			act := domain.Act{By: tc.by, Needs: domain.NeedsUse(uuid, converse)}
			if got := act.WantsGrant(""); got != tc.wants {
				t.Errorf("wants a grant: got %v, want %v", got, tc.wants)
			}
			_, err := act.Allow(domain.Right{Granted: tc.granted}, start)
			wantKind(t, err, tc.kind)
		})
	}
	member := domain.Caller{ID: "u", Admin: true, Login: domain.Session{ID: "l"}}
	for role, wants := range map[domain.Role]bool{domain.RoleMember: true, domain.RoleAdmin: false} {
		if (domain.Act{By: member, Needs: domain.NeedsUse(uuid, 0)}).WantsGrant(role) != wants || (domain.Act{By: member}).WantsGrant(role) {
			t.Errorf("the wrong acts of a %s want a grant", role)
		}
	}
}

func TestAnActOnAPasswordIsOffOnceItIsAnotherOne(t *testing.T) {
	hash, other := domain.NewSecret("$hash"), domain.NewSecret("$other")
	login := domain.Session{ID: "l", Kind: domain.LoginSession, User: "u", Idle: start.Add(1), Expires: start.Add(1)}
	by := domain.Caller{ID: "u", Login: login}
	for _, tc := range []struct {
		name           string
		by             domain.Caller
		proven, stored domain.Secret
		kind           domain.Kind
	}{
		{"the same password", by, hash, hash, ""},
		{"another password", by, hash, other, domain.Conflict},
		{"no password", by, hash, domain.Secret{}, domain.Conflict},
		{"none was asked for", by, domain.Secret{}, other, ""},
		{"the operator has none", domain.Operator(), hash, other, ""},
		{"a host's user has none", domain.Caller{ID: "u"}, hash, other, ""},
		{"a login that is over is told so first", domain.Caller{ID: "u", Login: domain.Session{ID: "x"}}, hash, other, domain.NotAuthenticated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := domain.Right{User: domain.User{ID: "u", Role: domain.RoleMember, PasswordHash: tc.stored}, Login: login}
			_, err := domain.Act{By: tc.by, Proven: tc.proven}.Allow(r, start)
			wantKind(t, err, tc.kind)
		})
	}
}

func TestWhatAnAccessTokenCanNotChangeOfUsers(t *testing.T) {
	user := func(id domain.UserID, role domain.Role, hash string, disabled bool) domain.User {
		return domain.User{ID: id, Role: role, PasswordHash: domain.NewSecret(hash), Disabled: disabled}
	}
	const admin, member = domain.RoleAdmin, domain.RoleMember
	linked := func(u domain.User, subject string) domain.User {
		u.Identity = domain.Identity{Issuer: "https://login.example", Subject: subject}
		return u
	}
	for _, tc := range []struct {
		name    string
		was, is domain.User
		kind    domain.Kind
	}{
		{"it creates a member", domain.User{}, user("v", member, "h", false), ""},
		{"it creates no admin", domain.User{}, user("v", admin, "h", false), domain.NotAllowed},
		{"it creates no disabled admin", domain.User{}, user("v", admin, "h", true), domain.NotAllowed},
		{"it promotes nobody", user("v", member, "h", false), user("v", admin, "h", false), domain.NotAllowed},
		{"it promotes nobody who is disabled", user("v", member, "h", true), user("v", admin, "h", true), domain.NotAllowed},
		{"it sets a member's password", user("v", member, "h", false), user("v", member, "i", false), ""},
		{"it sets no admin's password", user("v", admin, "h", false), user("v", admin, "i", false), domain.NotAllowed},
		{"nor a disabled admin's", user("v", admin, "h", true), user("v", admin, "i", true), domain.NotAllowed},
		{"nor while it demotes the admin", user("v", admin, "h", false), user("v", member, "i", false), domain.NotAllowed},
		{"nor that of its owner", user("u", admin, "h", false), user("u", admin, "i", false), domain.NotAllowed},
		{"nor that of an owner who is a member now", user("u", member, "h", false), user("u", member, "i", false), domain.NotAllowed},
		{"it enables a member", user("v", member, "h", true), user("v", member, "h", false), ""},
		{"it enables no admin", user("v", admin, "h", true), user("v", admin, "h", false), domain.NotAllowed},
		{"it disables an admin", user("v", admin, "h", false), user("v", admin, "h", true), ""},
		{"it demotes an admin", user("v", admin, "h", false), user("v", member, "h", false), ""},
		{"it links a member", user("v", member, "h", false), linked(user("v", member, "h", false), "s"), ""},
		{"it links no admin", user("v", admin, "h", false), linked(user("v", admin, "h", false), "s"), domain.NotAllowed},
		{"nor a disabled admin", user("v", admin, "h", true), linked(user("v", admin, "h", true), "s"), domain.NotAllowed},
		{"nor its owner", user("u", member, "h", false), linked(user("u", member, "h", false), "s"), domain.NotAllowed},
		{"nor an admin to another identity", linked(user("v", admin, "h", false), "s"), linked(user("v", admin, "h", false), "t"), domain.NotAllowed},
		{"it unlinks an admin", linked(user("v", admin, "h", false), "s"), user("v", admin, "h", false), ""},
		{"it disables an admin who is linked", linked(user("v", admin, "h", false), "s"), linked(user("v", admin, "h", true), "s"), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wantKind(t, domain.Act{By: domain.Caller{ID: "u", Admin: true, Token: "t"}}.Changes(tc.was, tc.is), tc.kind)
			for _, by := range []domain.Caller{{ID: "u", Admin: true, Login: domain.Session{ID: "l"}}, {ID: "u", Admin: true}, domain.Operator()} {
				wantKind(t, domain.Act{By: by}.Changes(tc.was, tc.is), "")
			}
		})
	}
}

func TestAnAccessTokenSetsNoRuleThatMakesAdmins(t *testing.T) {
	makesAdmins, grants := domain.GroupRule{Group: "g"}, domain.GroupRule{Group: "g", Project: "p"}
	byToken := domain.Caller{ID: "u", Admin: true, Token: "t", Scopes: domain.ScopesOf(domain.ScopeManageGrants)}
	wantKind(t, domain.Act{By: byToken}.SetsRule(makesAdmins), domain.NotAllowed)
	wantKind(t, domain.Act{By: byToken}.SetsRule(grants), "")
	for _, by := range []domain.Caller{{ID: "u", Admin: true, Login: domain.Session{ID: "l"}}, domain.Operator()} {
		wantKind(t, domain.Act{By: by}.SetsRule(makesAdmins), "")
	}
}

// The first user can be created by whoever has a set-up link, who can do nothing else.
func TestTheFirstUserIsCreatedByTheOperatorOrASetupLink(t *testing.T) {
	const allowed = domain.Kind("")
	link := domain.CallerBySetupLink()
	admin := domain.CallerByLogin(aRight(domain.RoleAdmin).Login, domain.RoleAdmin)
	for _, tc := range []struct {
		name    string
		by      domain.Caller
		needs   domain.Need
		anyUser bool
		want    domain.Kind
	}{
		{"a set-up link creates the first user", link, domain.NeedsNoUsers(), false, allowed},
		{"a set-up link creates no second user", link, domain.NeedsNoUsers(), true, domain.Conflict},
		{"the operator creates the first user", domain.Operator(), domain.NeedsNoUsers(), false, allowed},
		{"the operator does not create a second user as the first", domain.Operator(), domain.NeedsNoUsers(), true, domain.Conflict},
		{"an admin has no set-up link", admin, domain.NeedsNoUsers(), false, domain.NotAllowed},
		{"a host's admin has no set-up link", domain.Caller{ID: "h", Admin: true}, domain.NeedsNoUsers(), false, domain.NotAllowed},
		{"nobody has no set-up link", domain.Caller{}, domain.NeedsNoUsers(), false, domain.NotAuthenticated},
		{"a set-up link is no caller", link, domain.NeedsCaller(), false, domain.NotAuthenticated},
		{"a set-up link does not manage", link, domain.NeedsAdmin(), false, domain.NotAuthenticated},
		{"a set-up link uses no assistant", link, domain.NeedsUse(uuid, 0), false, domain.NotAuthenticated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			right := aRight(domain.RoleAdmin)
			right.AnyUser = tc.anyUser
			_, err := domain.Act{By: tc.by, Needs: tc.needs}.Allow(right, start)
			if domain.KindOf(err) != tc.want || (err == nil) != (tc.want == allowed) {
				t.Errorf("got error %v, want kind %q", err, tc.want)
			}
		})
	}
	if link.Actor() != domain.ActorSetupLink || link.MaySetUp() == nil || link.MayManage() == nil || link.SameRights(domain.Caller{}) {
		t.Errorf("a set-up link is %q, makes links (%v), manages (%v), or is nobody", link.Actor(), link.MaySetUp(), link.MayManage())
	}
}
