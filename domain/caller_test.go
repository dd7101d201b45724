package domain_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/domain"
)

func TestWhoMayEndSessions(t *testing.T) {
	login := domain.Session{ID: "l"}
	manage, converse := domain.ScopesOf(domain.ScopeManage), domain.ScopesOf(domain.ScopeConverse)
	for _, tc := range []struct {
		name       string
		caller     domain.Caller
		own, other bool
	}{
		{"a member may end their own", domain.Caller{ID: "u", Login: login}, true, false},
		{"an admin may end everybody's", domain.Caller{ID: "u", Admin: true, Login: login}, true, true},
		{"the operator may end everybody's", domain.Operator(), true, true},
		{"a host's user may end their own", domain.Caller{ID: "u"}, true, false},
		{"a host's admin may end everybody's", domain.Caller{ID: "u", Admin: true}, true, true},
		{"a member's access token may end none", domain.Caller{ID: "u", Token: "t", Scopes: converse}, false, false},
		{"an admin's access token for a project may end none", domain.Caller{ID: "u", Admin: true, Token: "t", Only: uuid, Scopes: converse}, false, false},
		{"an admin's access token for managing may end everybody's", domain.Caller{ID: "u", Admin: true, Token: "t", Scopes: manage}, true, true},
		{"an access token for managing of a demoted admin may end none", domain.Caller{ID: "u", Token: "t", Scopes: manage}, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.caller.MayEnd("u"); got != tc.own {
				t.Errorf("sessions of u: got %v, want %v", got, tc.own)
			}
			if got := tc.caller.MayEnd("v"); got != tc.other {
				t.Errorf("sessions of another user: got %v, want %v", got, tc.other)
			}
		})
	}
}

func TestACallerHasTheRoleOfNow(t *testing.T) {
	login := domain.Session{ID: "l", Kind: domain.LoginSession, User: "u"}
	token := domain.AccessToken{ID: "t", User: "u", Project: uuid, Scopes: domain.ScopesOf("export")}
	under := domain.Session{ID: "s", Kind: domain.AssistantSession, User: "u", Login: "l", Project: uuid}
	byRole, hosts, hostsByRole := under, under, under
	byRole.ByRole, hosts.Login, hostsByRole.Login, hostsByRole.ByRole = true, "", "", true
	const admin, member = domain.RoleAdmin, domain.RoleMember
	for _, tc := range []struct {
		name      string
		got, want domain.Caller
	}{
		{"by the login of an admin", domain.CallerByLogin(login, admin), domain.Caller{ID: "u", Admin: true, Login: login}},
		{"by the login of a member", domain.CallerByLogin(login, member), domain.Caller{ID: "u", Login: login}},
		{"by an access token of an admin", domain.CallerByToken(token, admin), domain.Caller{ID: "u", Admin: true, Token: "t", Only: uuid, Scopes: token.Scopes}},
		{"by an access token of a member", domain.CallerByToken(token, member), domain.Caller{ID: "u", Token: "t", Only: uuid, Scopes: token.Scopes}},
		{"in the session of an admin", domain.CallerBySession(byRole, admin), domain.Caller{ID: "u", Admin: true}},
		{"in the session of an admin who was demoted", domain.CallerBySession(byRole, member), domain.Caller{ID: "u"}},
		{"in the session of a member", domain.CallerBySession(under, member), domain.Caller{ID: "u"}},
		{"in the session of a member who was promoted", domain.CallerBySession(under, admin), domain.Caller{ID: "u", Admin: true}},
		{"in the session of a host's admin, whose role is not stored", domain.CallerBySession(hostsByRole, ""), domain.Caller{ID: "u", Admin: true}},
		{"in the session of a host's user, though a user of that id is an admin", domain.CallerBySession(hosts, admin), domain.Caller{ID: "u"}},
		{"in the session of a host's admin, though a user of that id is a member", domain.CallerBySession(hostsByRole, member), domain.Caller{ID: "u", Admin: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.got, cmp.AllowUnexported(domain.Caller{})); diff != "" {
				t.Errorf("caller (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSameRights(t *testing.T) {
	c := domain.Caller{ID: "u", Admin: true, Login: domain.Session{ID: "l"}, Token: "t", Only: uuid, Scopes: domain.AllScopes()}
	used := c
	used.Login.LastUsed = start
	if !c.SameRights(c) || !c.SameRights(used) || !domain.Operator().SameRights(domain.Operator()) {
		t.Error("the same caller has other rights, or has them once the login was used")
	}
	for name, alter := range map[string]func(*domain.Caller){
		"user":    func(c *domain.Caller) { c.ID = "v" },
		"role":    func(c *domain.Caller) { c.Admin = false },
		"login":   func(c *domain.Caller) { c.Login.ID = "m" },
		"token":   func(c *domain.Caller) { c.Token = "s" },
		"project": func(c *domain.Caller) { c.Only = "" },
		"scopes":  func(c *domain.Caller) { c.Scopes = domain.ScopesOf("export") },
	} {
		other := c
		alter(&other)
		if c.SameRights(other) || other.SameRights(c) {
			t.Errorf("a caller with another %s has the same rights", name)
		}
	}
	if domain.Operator().SameRights(domain.Caller{Admin: true}) {
		t.Error("an admin without an id has the rights of the operator")
	}
}
