package domain_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

func TestWhatCanBeASubject(t *testing.T) {
	for _, tc := range []struct {
		name    string
		subject string
		kind    domain.Kind
	}{
		{"a subject is taken as it is", "Ada|7Ä", ""},
		{"255 bytes are one", strings.Repeat("x", 255), ""},
		{"256 bytes are too long", strings.Repeat("x", 256), domain.Invalid},
		{"the empty text is none", "", domain.Invalid},
		{"white space around it is refused", " ada", domain.Invalid},
		{"a control character is refused", "a\x00da", domain.Invalid},
		{"invalid UTF-8 is refused", "a\xffda", domain.Invalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := domain.NewIdentity(issuer, tc.subject)
			wantKind(t, err, tc.kind)
			if err == nil && got != (domain.Identity{Issuer: issuer, Subject: tc.subject}) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestTheNamesThatANewUserMayGet(t *testing.T) {
	long := strings.Repeat("a", 70)
	for _, tc := range []struct {
		name, given string
		want        string // the first
	}{
		{"the name is taken", "ada", "ada"},
		{"capitals become small", "Ada.L@Example.com", "ada.l@example.com"},
		{"what no name has is left out", "Ada Lovelace <ä>", "adalovelace"},
		{"without a name it is user", "", "user"},
		{"a name of other letters alone is user", "Ω", "user"},
		{"a long name is cut", long, long[:60]},
	} {
		t.Run(tc.name, func(t *testing.T) {
			names := domain.Person{Name: tc.given}.Usernames()
			if names[0] != domain.Username(tc.want) || names[1] != domain.Username(tc.want+"-2") {
				t.Errorf("got %v, want %s and then numbers", names[:2], tc.want)
			}
			for i, name := range names {
				if parsed, err := domain.ParseUsername(string(name)); err != nil || parsed != name {
					t.Errorf("%q is no user name: %v", name, err)
				}
				if slices.Contains(names[:i], name) {
					t.Errorf("%q comes twice", name)
				}
			}
		})
	}
}

func TestTheGroupsThatAClaimLists(t *testing.T) {
	got := domain.ListedGroups([]string{"b", "a", "", "b", "A", "\x00", strings.Repeat("x", domain.MaxGroupName+1)})
	if got.State != domain.GroupsListed || !slices.Equal(got.Names, []string{"A", "a", "b"}) {
		t.Errorf("got %+v, want each once and in order", got)
	}
	got = domain.ListedGroups([]string{"admins ", " admins", "admins\u00a0"})
	if len(got.Names) != 0 {
		t.Errorf("names with white space around them pass for another group: %q", got.Names)
	}
	if got := domain.ListedGroups(nil); got.State != domain.GroupsListed || len(got.Names) != 0 {
		t.Errorf("got %+v of an empty list", got)
	}
}

func TestWhichLoginsALogoutEnds(t *testing.T) {
	of := func(issuer, subject, sid string) domain.ProviderLogout {
		return domain.ProviderLogout{Identity: domain.Identity{Issuer: issuer, Subject: subject}, Sid: sid}
	}
	login := domain.ProviderSession{Identity: domain.Identity{Issuer: issuer, Subject: "ada"}, Sid: "1"}
	withoutSid := login
	withoutSid.Sid = ""
	for _, tc := range []struct {
		name   string
		logout domain.ProviderLogout
		login  domain.ProviderSession
		want   bool
	}{
		{"of the session", of(issuer, "", "1"), login, true},
		{"of the session and the subject", of(issuer, "ada", "1"), login, true},
		{"of the subject", of(issuer, "ada", ""), login, true},
		{"of another session", of(issuer, "", "2"), login, false},
		{"of another session of the subject", of(issuer, "ada", "2"), login, false},
		{"of another subject", of(issuer, "ben", ""), login, false},
		{"of the session and another subject", of(issuer, "ben", "1"), login, false},
		{"of another issuer", of("https://other", "ada", "1"), login, false},
		{"of nobody", of(issuer, "", ""), login, false},
		{"of a session, and the login has none", of(issuer, "", "1"), withoutSid, false},
		{"of nobody, and the login has no session", of(issuer, "", ""), withoutSid, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.logout.Names(tc.login); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
	a, b := domain.ProviderLogout{Identity: domain.Identity{Issuer: issuer}, ID: "x", Ends: start}, domain.ProviderLogout{Identity: domain.Identity{Issuer: "https://other"}, ID: "x", Ends: start}
	if a.Once() == b.Once() || a.Once().Kind != domain.OnceLogout || !a.Once().Ends.Equal(start) {
		t.Errorf("two issuers share what is used once: %+v and %+v", a.Once(), b.Once())
	}
}

func TestAUserIsLinkedToOneIdentity(t *testing.T) {
	ada, ben := domain.Identity{Issuer: issuer, Subject: "ada"}, domain.Identity{Issuer: issuer, Subject: "ben"}
	u := domain.NewUser("u", "ada", domain.RoleAdmin, domain.Secret{}, nil, start)
	wantKind(t, u.Link(ada), "")
	wantKind(t, u.Link(ada), "")
	wantKind(t, u.Link(ben), domain.Conflict)
	if u.Identity != ada {
		t.Errorf("linked to %+v", u.Identity)
	}
	u.SignedOn = start
	if u.Unlink(); u.Identity != (domain.Identity{}) || !u.SignedOn.IsZero() {
		t.Errorf("unlinked, and still %+v", u)
	}
	wantKind(t, u.Link(ben), "")
}

func TestWhoCanLogInWithoutPasswords(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(u *domain.User)
		want   bool
	}{
		{"an admin who has logged in by the provider", func(*domain.User) {}, true},
		{"a member", func(u *domain.User) { u.Role = domain.RoleMember }, false},
		{"a disabled admin", func(u *domain.User) { u.Disabled = true }, false},
		{"an admin who never has", func(u *domain.User) { u.SignedOn = time.Time{} }, false},
		{"an admin who is not linked any longer", (*domain.User).Unlink, false},
	} {
		u := linked("ada")
		u.Role, u.SignedOn = domain.RoleAdmin, start
		tc.change(&u)
		if got := u.SignedOnAdmin(); got != tc.want {
			t.Errorf("%s: got %v", tc.name, got)
		}
	}
	wantKind(t, domain.User{ID: "u"}.MayUseLoginLink(), "")
	wantKind(t, domain.User{ID: "u", Disabled: true}.MayUseLoginLink(), domain.NotAllowed)
	wantKind(t, domain.User{}.MayUseLoginLink(), domain.NotAllowed)
}

func TestALoginByTheIdentityProvider(t *testing.T) {
	lifetimes := domain.Lifetimes{Idle: time.Hour, Absolute: 12 * time.Hour, Remember: 720 * time.Hour}
	s := domain.NewProviderLogin("s", "u", start, lifetimes, 15*time.Minute, "192.0.2.1", "agent")
	if s.Kind != domain.LoginSession || !s.ByProvider || s.Remember || !s.Expires.Equal(start.Add(12*time.Hour)) || s.Address != "192.0.2.1" {
		t.Errorf("got %+v", s)
	}
	for _, tc := range []struct {
		after      time.Duration
		due, fresh bool
	}{
		{0, false, true},
		{domain.FreshSignOn - 1, false, true},
		{domain.FreshSignOn, false, false},
		{15*time.Minute - 1, false, false},
		{15 * time.Minute, true, false},
	} {
		now := start.Add(tc.after)
		if s.RecheckDue(now) != tc.due || s.FreshByProvider(now) != tc.fresh {
			t.Errorf("after %v it is due: %v, and fresh: %v", tc.after, s.RecheckDue(now), s.FreshByProvider(now))
		}
	}
	if never := domain.NewProviderLogin("s", "u", start, lifetimes, 0, "", ""); never.RecheckDue(start.Add(1000 * time.Hour)) {
		t.Error("a login without a refresh token is to be renewed")
	}
	if domain.NewLogin("s", "u", false, start, lifetimes, "", "").FreshByProvider(start) {
		t.Error("a login with a password stands in for the password")
	}
}
