package domain_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/domain"
)

// The sessions that a user has in the tests of what a change ends: two logins, the first with
// an assistant session that a grant on p allowed, the second with one that the role allowed;
// and one for a granted project q without a login.
var (
	loginOne = domain.Session{ID: "one", Kind: domain.LoginSession, User: "u"}
	loginTwo = domain.Session{ID: "two", Kind: domain.LoginSession, User: "u"}
	byGrantP = domain.Session{ID: "grant p", Kind: domain.AssistantSession, User: "u", Login: "one", Project: "p"}
	byRoleP  = domain.Session{ID: "role p", Kind: domain.AssistantSession, User: "u", Login: "two", Project: "p", ByRole: true}
	byGrantQ = domain.Session{ID: "grant q", Kind: domain.AssistantSession, User: "u", Project: "q"}

	everySession = []domain.Session{loginOne, loginTwo, byGrantP, byRoleP, byGrantQ}
)

func endedBy(lost domain.SessionsLost) []domain.SessionID {
	var ended []domain.SessionID
	for _, s := range everySession {
		if lost.Ends(s) {
			ended = append(ended, s.ID)
		}
	}
	return ended
}

func TestWhichSessionsAChangeOfAUserEnds(t *testing.T) {
	type user = *domain.User
	nothing := func(user) {}
	disable := func(u user) { u.Disabled = true }
	demote := func(u user) { u.Role = domain.RoleMember }
	promote := func(u user) { u.Role = domain.RoleAdmin }
	password := func(u user) { u.PasswordHash = domain.NewSecret("other") }
	assistants := func(ids ...domain.ProjectID) func(user) { return func(u user) { u.SetAssistants(ids) } }
	both := func(a, b func(user)) func(user) { return func(u user) { a(u); b(u) } }
	link := func(subject string) func(user) {
		return func(u user) { u.Identity = domain.Identity{Issuer: "https://a", Subject: subject} }
	}
	all := []domain.SessionID{"one", "two", "grant p", "role p", "grant q"}
	type ids = []domain.SessionID
	for _, tc := range []struct {
		name   string
		was    func(user) // of an enabled admin with grants on p and q
		change func(user)
		keep   domain.SessionID
		want   []domain.SessionID
	}{
		{"no change ends none", nothing, nothing, "", nil},
		{"disabling ends all", nothing, disable, "", all},
		{"disabling keeps none", nothing, disable, "one", all},
		{"enabling ends none", disable, func(u user) { u.Disabled = false }, "", nil},
		{"another password ends all", nothing, password, "", all},
		{"another password keeps a login and its assistant session", nothing, password, "one", ids{"two", "role p", "grant q"}},
		{"another password keeps the other login and its assistant session", nothing, password, "two", ids{"one", "grant p", "grant q"}},
		{"another password keeps no login that does not exist", nothing, password, "three", all},
		{"demoting an admin ends what the role allowed", nothing, demote, "", ids{"role p"}},
		{"demoting an admin ends that whatever login is kept", nothing, demote, "two", ids{"role p"}},
		{"promoting a member ends none", demote, promote, "", nil},
		{"a grant that is gone ends what it allowed", nothing, assistants("q"), "", ids{"grant p"}},
		{"a grant that is gone ends that whatever login is kept", nothing, assistants("q"), "one", ids{"grant p"}},
		{"a grant that is gone ends what it allowed without a login", nothing, assistants("p"), "", ids{"grant q"}},
		{"all grants that are gone end what they allowed", nothing, assistants(), "", ids{"grant p", "grant q"}},
		{"a grant that is new ends none", nothing, assistants("p", "q", "r"), "", nil},
		{"a member's grant that is gone ends what it allowed", demote, assistants("p"), "", ids{"grant q"}},
		{"demoting and a grant that is gone end both", nothing, both(demote, assistants("q")), "", ids{"grant p", "role p"}},
		{"promoting and a grant that is gone end what the grant allowed", demote, both(promote, assistants("q")), "", ids{"grant p"}},
		{"another password and demoting end what the role allowed in the login that is kept", nothing, both(password, demote), "two",
			ids{"one", "grant p", "role p", "grant q"}},
		{"another password and a grant that is gone end what it allowed in the login that is kept", nothing, both(password, assistants("q")), "one",
			ids{"two", "grant p", "role p", "grant q"}},
		{"another password and disabling keep none", nothing, both(password, disable), "one", all},
		{"disabling and demoting end all", nothing, both(disable, demote), "", all},
		{"unlinking ends all", link("ada"), user.Unlink, "", all},
		{"unlinking keeps none", link("ada"), user.Unlink, "one", all},
		{"another identity ends all", link("ada"), link("ben"), "", all},
		{"linking ends none", nothing, link("ada"), "", nil},
		{"a login by the identity provider ends none", link("ada"), func(u user) { u.SignedOn = start.Add(1) }, "", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			was := domain.NewUser("u", "ada", domain.RoleAdmin, domain.NewSecret("hash"), []domain.ProjectID{"p", "q"}, start)
			tc.was(&was)
			is := was
			tc.change(&is)
			if got := endedBy(domain.SessionsLostBy(was, is, domain.Kept{Login: tc.keep})); !slices.Equal(got, tc.want) {
				t.Errorf("ended: got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestOnlyAnotherPasswordEndsAccessTokens(t *testing.T) {
	was := domain.NewUser("u", "ada", domain.RoleAdmin, domain.NewSecret("hash"), []domain.ProjectID{"p"}, start)
	password := was
	password.PasswordHash = domain.NewSecret("another hash")
	rest := was
	rest.Role, rest.Disabled, rest.Assistants = domain.RoleMember, true, nil
	for _, tc := range []struct {
		name string
		is   domain.User
		keep domain.Kept
		want bool
	}{
		{"another password ends them", password, domain.Kept{}, true},
		{"another password ends them although a login is kept", password, domain.Kept{Login: "l"}, true},
		{"another password ends none if they are kept", password, domain.Kept{Tokens: true}, false},
		{"the same password ends none", was, domain.Kept{}, false},
		{"demoting, disabling and revoking end none", rest, domain.Kept{}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := domain.TokensLostBy(was, tc.is, tc.keep); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestRevokingEndsWhatTheGrantAllowed(t *testing.T) {
	if got := endedBy(domain.SessionsLostByRevoking("p")); !slices.Equal(got, []domain.SessionID{"grant p"}) {
		t.Errorf("the grant on p: ended %v, want what it allowed and not what the role allowed", got)
	}
	if got := endedBy(domain.SessionsLostByRevoking("r")); got != nil {
		t.Errorf("a grant on another project ended %v", got)
	}
	if got := endedBy(domain.SessionsLost{}); got != nil {
		t.Errorf("nothing lost ended %v", got)
	}
}

func TestAChangeOfAUserKeepsWhatMayNotChange(t *testing.T) {
	was := domain.NewUser("u", "ada", domain.RoleAdmin, domain.NewSecret("hash"), []domain.ProjectID{"p"}, start)
	to := domain.User{
		ID: "v", Name: "ben", Role: domain.RoleMember, Disabled: true, PasswordHash: domain.NewSecret("other"),
		Assistants: []domain.ProjectID{"q", "p", "q"}, Created: start.Add(time.Hour),
	}
	want := domain.User{
		ID: "u", Name: "ada", Role: domain.RoleMember, Disabled: true, PasswordHash: domain.NewSecret("other"),
		Assistants: []domain.ProjectID{"p", "q"}, Created: start,
	}
	got := was.Changed(to)
	if !got.Equal(want) || got.ID != want.ID || got.Name != want.Name || got.Created != want.Created {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if !was.Changed(was).Equal(was) || got.Equal(was) {
		t.Error("a change of nothing is one, or a change is none")
	}
	for name, alter := range map[string]func(*domain.User){
		"role":          func(u *domain.User) { u.Role = domain.RoleMember },
		"disabled":      func(u *domain.User) { u.Disabled = true },
		"password hash": func(u *domain.User) { u.PasswordHash = domain.NewSecret("other") },
		"assistants":    func(u *domain.User) { u.Assistants = nil },
	} {
		other := was
		if alter(&other); was.Equal(other) || other.Equal(was) {
			t.Errorf("a user with another %s is equal", name)
		}
	}
}

func TestGrantsThatAUserLosesAndGets(t *testing.T) {
	type ids = []domain.ProjectID
	for _, tc := range []struct {
		name                 string
		was, is, gone, added ids
	}{
		{"the same", ids{"a", "b"}, ids{"a", "b"}, nil, nil},
		{"the first", nil, ids{"a", "b"}, nil, ids{"a", "b"}},
		{"none are left", ids{"a", "b"}, nil, ids{"a", "b"}, nil},
		{"one for another", ids{"a", "b"}, ids{"b", "c"}, ids{"a"}, ids{"c"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			was, is := domain.User{Assistants: slices.Clone(tc.was)}, domain.User{Assistants: slices.Clone(tc.is)}
			gone, added := is.Regranted(was)
			if !slices.Equal(gone, tc.gone) || !slices.Equal(added, tc.added) {
				t.Errorf("got %v gone and %v added, want %v and %v", gone, added, tc.gone, tc.added)
			}
			if !slices.Equal(was.Assistants, tc.was) || !slices.Equal(is.Assistants, tc.is) {
				t.Errorf("the users were altered: %v, %v", was.Assistants, is.Assistants)
			}
		})
	}
}

func TestGrants(t *testing.T) {
	of := domain.ScopesOf
	at := start.Add(999).In(time.FixedZone("", 3600))
	for _, tc := range []struct {
		name   string
		scopes domain.Scopes
		want   domain.Scopes
	}{
		{"a grant within scopes has these", of("export", "analytics"), of("export", "analytics")},
		{"a grant without scopes has the default ones", 0, domain.DefaultScopes()},
	} {
		want := domain.Grant{User: "u", Project: "p", Scopes: tc.want, Manual: tc.want, Created: start}
		if diff := cmp.Diff(want, domain.NewGrant("u", "p", tc.scopes, at)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
	was := domain.NewGrant("u", "p", of("export", "analytics"), start)
	for _, tc := range []struct {
		name   string
		scopes domain.Scopes
		want   domain.Scopes
	}{
		{"granting again replaces the scopes", of("converse", "export"), of("converse", "export")},
		{"granting again without scopes replaces nothing", 0, was.Scopes},
		{"granting the same again changes nothing", was.Scopes, was.Scopes},
	} {
		want := was
		want.Scopes, want.Manual = tc.want, tc.want
		if diff := cmp.Diff(want, was.Regranted(tc.scopes)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

func TestWhoMayOpenALogin(t *testing.T) {
	hash := domain.NewSecret("hash")
	for _, tc := range []struct {
		name string
		user domain.User
		kind domain.Kind
	}{
		{"a user with the hash that was checked", domain.User{ID: "u", PasswordHash: hash}, ""},
		{"a user with another hash", domain.User{ID: "u", PasswordHash: domain.NewSecret("other")}, domain.NotAllowed},
		{"a disabled user", domain.User{ID: "u", PasswordHash: hash, Disabled: true}, domain.NotAllowed},
		{"nobody", domain.User{PasswordHash: hash}, domain.NotAllowed},
		{"a user without a password", domain.User{ID: "u"}, domain.NotAllowed},
	} {
		t.Run(tc.name, func(t *testing.T) { wantKind(t, tc.user.MayOpenLogin(hash), tc.kind) })
	}
	none := domain.User{ID: "u"}
	wantKind(t, none.MayOpenLogin(domain.Secret{}), domain.NotAllowed) // no password is no proof
}
