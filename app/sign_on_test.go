package app_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

const issuer = "https://idp.example"

// company is a world with an identity provider.
type company struct {
	*world
	provider *memory.IdentityProvider
	options  app.Options
}

// newCompany opens a service with an identity provider. settings changes its options, if it is not nil.
func newCompany(t *testing.T, settings func(o *app.Options)) *company {
	t.Helper()
	c := &company{world: newWorld(t)}
	c.provider = memory.NewIdentityProvider(issuer, c.now)
	c.options.SignOn = app.SignOnOptions{
		BaseURL: "https://flowlatch.example", LogoutAtProvider: true, Policy: domain.SignOnPolicy{CreateUsers: true},
	}
	if settings != nil {
		settings(&c.options)
	}
	c.reopen(t)
	return c
}

// reopen opens the service with the options, as a restart does.
func (c *company) reopen(t *testing.T) {
	t.Helper()
	p := c.ports()
	p.Logins.Provider = c.provider
	s, err := app.Open(t.Context(), p, c.options)
	if err != nil {
		t.Fatal(err)
	}
	c.Service = s
}

func of(subject string, groups ...string) domain.Person {
	return domain.Person{Identity: domain.Identity{Subject: subject}, Name: subject, Groups: domain.ListedGroups(groups), Sid: "sid of " + subject}
}

// browser is the answer of the provider as a browser brings it.
var browser = domain.Call{RequestID: "callback", Address: "192.0.2.1", Agent: "browser"}

// under begins a login and lets the person log in at the provider.
func (c *company) under(t *testing.T, p domain.Person, in app.StartSignOn, by domain.Call) app.FinishSignOn {
	t.Helper()
	started, err := c.StartSignOn(t.Context(), by, in)
	if err != nil {
		t.Fatal(err)
	}
	back, err := c.provider.LogIn(started.URL, p)
	if err != nil {
		t.Fatal(err)
	}
	return answered(started.Cookie, back)
}

func answered(cookie string, back url.Values) app.FinishSignOn {
	return app.FinishSignOn{
		Cookie: cookie, Code: domain.NewSecret(back.Get("code")), State: domain.NewSecret(back.Get("state")), Issuer: back.Get("iss"),
	}
}

// signOn logs the person in and returns the outcome.
func (c *company) signOn(t *testing.T, p domain.Person) (app.SignedOn, error) {
	t.Helper()
	return c.FinishSignOn(t.Context(), browser, c.under(t, p, app.StartSignOn{}, domain.Call{}))
}

// signedOn logs the person in, which must work, and returns their call.
func (c *company) signedOn(t *testing.T, p domain.Person) (domain.Call, app.SignedOn) {
	t.Helper()
	in, err := c.signOn(t, p)
	if err != nil {
		t.Fatal(err)
	}
	return c.call(t, in.Cookie.Text), in
}

func (c *company) rule(t *testing.T, in app.SetGroupRule) domain.GroupRule {
	t.Helper()
	r, err := c.SetGroupRule(t.Context(), c.admin, in)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestALoginByTheIdentityProvider(t *testing.T) {
	c := newCompany(t, nil)
	p := c.project(t, "Bot", versionID)
	c.rule(t, app.SetGroupRule{Group: "sales", Project: string(p.ID)})
	before := len(c.store.Records())
	in, err := c.FinishSignOn(t.Context(), browser, c.under(t, of("ben", "sales"), app.StartSignOn{Return: "/console/chat"}, domain.Call{}))
	wantKind(t, err, "")
	if in.User.Name != "ben" || in.Return != "/console/chat" || in.Linked || !slices.Equal(in.User.Assistants, []domain.ProjectID{p.ID}) {
		t.Errorf("got %+v", in)
	}
	wantActions(t, c.actions(before), "identity_provider create_user", "identity_provider grant_project", "user oidc/callback")
	if rec := c.store.Records()[before+2]; rec.Actor != domain.ActorUser(in.User.ID) || !strings.HasPrefix(rec.Object, "session:") || rec.RequestID != "callback" {
		t.Errorf("the login is recorded as %+v", rec)
	}
	call := c.call(t, in.Cookie.Text)
	if s := call.Caller.Login; !s.ByProvider || !s.Recheck.Equal(c.now().Add(15*time.Minute)) || in.Cookie.MaxAge != 0 {
		t.Errorf("the login is %+v", s)
	}
	_, again := c.signedOn(t, of("ben", "sales"))
	if again.User.ID != in.User.ID {
		t.Error("a second login made another user")
	}
	_, other := c.signedOn(t, domain.Person{Identity: domain.Identity{Subject: "someone else"}, Name: "ben", Groups: domain.ListedGroups(nil)})
	if other.User.ID == in.User.ID || other.User.Name != "ben-2" {
		t.Errorf("the same name with another subject is %+v", other.User)
	}
	wantKind(t, func() error {
		_, err := c.Login(t.Context(), browser, app.Login{Username: "ben", Password: domain.NewSecret(password)})
		return err
	}(), domain.NotAuthenticated)
}

func TestOnlyALocalPathIsReturnedTo(t *testing.T) {
	c := newCompany(t, nil)
	for _, path := range []string{"//evil.example", `/\evil.example`, "https://evil.example", "/a/../b", "", "/" + strings.Repeat("x", 2000)} {
		in, err := c.FinishSignOn(t.Context(), browser, c.under(t, of("ben"), app.StartSignOn{Return: path}, domain.Call{}))
		if wantKind(t, err, ""); in.Return != "" {
			t.Errorf("%q: returns to %q", path, in.Return)
		}
	}
}

func TestAnAnswerThatDoesNotBelongToTheLoginIsRefused(t *testing.T) {
	c := newCompany(t, nil)
	for _, tc := range []struct {
		name  string
		spoil func(in *app.FinishSignOn)
		says  string
		kind  domain.Kind
	}{
		{"no state", func(in *app.FinishSignOn) { in.State = domain.Secret{} }, "does not belong", domain.NotAuthenticated},
		{"another state", func(in *app.FinishSignOn) { in.State = domain.NewSecret("x") }, "does not belong", domain.NotAuthenticated},
		{"no cookie", func(in *app.FinishSignOn) { in.Cookie = "" }, "not started in this browser", domain.NotAuthenticated},
		{"a changed cookie", func(in *app.FinishSignOn) { in.Cookie = "A" + in.Cookie[1:] }, "not started in this browser", domain.NotAuthenticated},
		{"a cookie that has expired", func(*app.FinishSignOn) { c.after(app.SignOnLifetime) }, "10 minutes", domain.NotAuthenticated},
		{"the cookie of another browser", func(in *app.FinishSignOn) {
			in.Cookie = c.under(t, of("eve"), app.StartSignOn{}, domain.Call{}).Cookie
		}, "does not belong", domain.NotAuthenticated},
		{"the code of another browser", func(in *app.FinishSignOn) { in.Code = c.under(t, of("eve"), app.StartSignOn{}, domain.Call{}).Code }, "", domain.NotAuthenticated},
		{"the code and the state of another browser", func(in *app.FinishSignOn) {
			other := c.under(t, of("eve"), app.StartSignOn{}, domain.Call{})
			in.Code, in.State = other.Code, other.State
		}, "does not belong", domain.NotAuthenticated},
		{"the cookie of a login at another provider", func(in *app.FinishSignOn) {
			p := c.ports()
			p.Logins.Provider = memory.NewIdentityProvider("https://other.example", c.now)
			s, err := app.Open(t.Context(), p, app.Options{})
			wantKind(t, err, "")
			started, err := s.StartSignOn(t.Context(), domain.Call{}, app.StartSignOn{})
			wantKind(t, err, "")
			u, err := url.Parse(started.URL)
			if err != nil {
				t.Fatal(err)
			}
			in.Cookie, in.State = started.Cookie, domain.NewSecret(u.Query().Get("state"))
		}, "another identity provider", domain.NotAuthenticated},
		{"the issuer of another provider", func(in *app.FinishSignOn) { in.Issuer = "https://other.example" }, "another identity provider", domain.NotAuthenticated},
		{"no issuer, which old providers leave out", func(in *app.FinishSignOn) { in.Issuer = "" }, "", ""},
		{"no code", func(in *app.FinishSignOn) { in.Code = domain.Secret{} }, "no code", domain.NotAuthenticated},
		{"an error that is known", func(in *app.FinishSignOn) { in.Error = "access_denied" }, "did not let you in", domain.NotAuthenticated},
		{"an error that is not known", func(in *app.FinishSignOn) { in.Error = "<evil>" }, "refused the login", domain.NotAuthenticated},
		{"an error that belongs to no login", func(in *app.FinishSignOn) { in.Error, in.State = "access_denied", domain.NewSecret("x") }, "does not belong", domain.NotAuthenticated},
		{"a provider that is silent", func(*app.FinishSignOn) { c.provider.Break() }, "does not answer", domain.Unavailable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := c.under(t, of("ben"), app.StartSignOn{}, domain.Call{})
			tc.spoil(&in)
			out, err := c.FinishSignOn(t.Context(), browser, in)
			c.provider.Mend()
			wantKind(t, err, tc.kind)
			if err != nil && (!strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "evil") || out.Cookie.Text != "") {
				t.Errorf("got %+v and %v, want it to say %q", out, err, tc.says)
			}
		})
	}
}

func TestAnAnswerCountsOnce(t *testing.T) {
	c := newCompany(t, nil)
	in := c.under(t, of("ben"), app.StartSignOn{}, domain.Call{})
	_, err := c.FinishSignOn(t.Context(), browser, in)
	wantKind(t, err, "")
	_, err = c.FinishSignOn(t.Context(), browser, in)
	wantKind(t, err, domain.NotAuthenticated) // the provider knows the code no longer
	// Another code does not help: the state was used.
	started, err := c.StartSignOn(t.Context(), domain.Call{}, app.StartSignOn{})
	wantKind(t, err, "")
	for _, want := range []domain.Kind{"", domain.NotAuthenticated} {
		back, err := c.provider.LogIn(started.URL, of("ben"))
		wantKind(t, err, "")
		_, err = c.FinishSignOn(t.Context(), browser, answered(started.Cookie, back))
		wantKind(t, err, want)
	}
}

func TestRefusedCodesAreLimited(t *testing.T) {
	c := newCompany(t, nil)
	started, err := c.StartSignOn(t.Context(), domain.Call{}, app.StartSignOn{})
	wantKind(t, err, "")
	back, err := c.provider.LogIn(started.URL, of("ben"))
	wantKind(t, err, "")
	good, junk := answered(started.Cookie, back), answered(started.Cookie, back)
	junk.Code = domain.NewSecret("junk")
	for range c.attempts.limit {
		_, err := c.FinishSignOn(t.Context(), browser, junk)
		wantKind(t, err, domain.NotAuthenticated)
	}
	_, err = c.FinishSignOn(t.Context(), browser, good)
	wantKind(t, err, domain.TooManyRequests)
	c.attempts.booked = 0
	_, err = c.FinishSignOn(t.Context(), browser, good)
	wantKind(t, err, "")
	if c.attempts.booked != 0 {
		t.Error("a login that works counts as a failure")
	}
}

func TestWhomAnAnswerDoesNotLogIn(t *testing.T) {
	absent, elsewhere := of("ben"), of("ben")
	absent.Groups, elsewhere.Groups = domain.Groups{}, domain.Groups{State: domain.GroupsElsewhere}
	for _, tc := range []struct {
		name   string
		person domain.Person
		before func(t *testing.T, c *company)
		kind   domain.Kind
	}{
		{"an unknown person is created", of("ben"), nil, ""},
		{"unless nobody is", of("ben"), func(_ *testing.T, c *company) { c.options.SignOn.Policy.CreateUsers = false }, domain.NotAuthenticated},
		{"a person in a required group", of("ben", "staff"), func(_ *testing.T, c *company) { c.options.SignOn.Policy.Required = []string{"staff"} }, ""},
		{"a person in none", of("ben", "guests"), func(_ *testing.T, c *company) { c.options.SignOn.Policy.Required = []string{"staff"} }, domain.NotAllowed},
		{"groups are absent, without rules", absent, nil, ""},
		{"groups are absent, with rules", absent, func(t *testing.T, c *company) { c.rule(t, app.SetGroupRule{Group: "it", Role: "admin"}) }, domain.NotAuthenticated},
		{"too many groups", elsewhere, nil, domain.NotAuthenticated},
		{"a disabled user", of("ben"), func(t *testing.T, c *company) {
			_, in := c.signedOn(t, of("ben"))
			disabled := true
			_, err := c.UpdateUser(t.Context(), c.admin, app.UpdateUser{ID: string(in.User.ID), Disabled: &disabled})
			wantKind(t, err, "")
		}, domain.NotAllowed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newCompany(t, nil)
			if tc.before != nil {
				tc.before(t, c)
				c.reopen(t)
			}
			out, err := c.signOn(t, tc.person)
			wantKind(t, err, tc.kind)
			if (out.Cookie.Text != "") != (tc.kind == "") {
				t.Errorf("got the cookie %q", out.Cookie.Text)
			}
		})
	}
}

func TestGroupsMakeAdminsAndKeepTheLastOne(t *testing.T) {
	c := newCompany(t, nil)
	c.rule(t, app.SetGroupRule{Group: "it", Role: "admin"})
	call, in := c.signedOn(t, of("ben", "it"))
	if !call.Caller.Admin {
		t.Fatal("the group made no admin")
	}
	member := "member"
	_, err := c.UpdateUser(t.Context(), call, app.UpdateUser{ID: string(c.admin.Caller.ID), Role: &member})
	wantKind(t, err, "")
	call, out := c.signedOn(t, of("ben"))
	kept, err := c.KeptAdmins(t.Context(), call)
	if wantKind(t, err, ""); !call.Caller.Admin || !out.User.AdminKept || len(kept) != 1 || kept[0].ID != in.User.ID {
		t.Errorf("got %+v, and kept %+v", out.User, kept)
	}
	admin := "admin"
	_, err = c.UpdateUser(t.Context(), call, app.UpdateUser{ID: string(c.admin.Caller.ID), Role: &admin})
	wantKind(t, err, "")
	if call, _ = c.signedOn(t, of("ben")); call.Caller.Admin {
		t.Error("an admin who left the group stays one although there is another one")
	}
}

func TestRulesAreSetPreviewedAndDeleted(t *testing.T) {
	c := newCompany(t, nil)
	p := c.project(t, "Bot", versionID)
	call, in := c.signedOn(t, of("ben", "sales"))
	set := app.SetGroupRule{Group: "sales", Project: string(p.ID), Scopes: []string{"converse"}}
	effects, more, err := c.PreviewGroupRule(t.Context(), c.admin, set, "")
	if wantKind(t, err, ""); more || len(effects) != 1 || effects[0].User.ID != in.User.ID || !effects[0].AtLogin || len(effects[0].Change.Put) != 1 {
		t.Errorf("a preview shows %+v", effects)
	}
	if rules, err := c.GetGroupRules(t.Context(), c.admin); err != nil || len(rules) != 0 {
		t.Errorf("a preview set %v, %v", rules, err)
	}
	rule := c.rule(t, set)
	has := func() []domain.ProjectID {
		u, err := c.GetUser(t.Context(), c.admin, string(in.User.ID))
		wantKind(t, err, "")
		return u.Assistants
	}
	if len(has()) != 0 {
		t.Error("the rule reached somebody who had nothing by it before their login")
	}
	c.signedOn(t, of("ben", "sales"))
	if len(has()) != 1 {
		t.Error("the login brought nothing")
	}
	set.Scopes = []string{"converse", "export"}
	if effects, _, err = c.PreviewGroupRule(t.Context(), c.admin, set, ""); err != nil || len(effects) != 1 || effects[0].AtLogin {
		t.Errorf("a preview of other scopes shows %+v, %v", effects, err)
	}
	if again := c.rule(t, set); again.ID != rule.ID {
		t.Errorf("the rule %s became %s", rule.ID, again.ID)
	}
	if effects, _, err = c.PreviewGroupRule(t.Context(), c.admin, set, ""); err != nil || len(effects) != 0 {
		t.Errorf("a preview of the same shows %+v, %v", effects, err)
	}
	wantKind(t, c.RevokeProject(t.Context(), c.admin, string(in.User.ID), string(p.ID)), domain.Conflict)
	if effects, _, err = c.PreviewGroupRule(t.Context(), c.admin, app.SetGroupRule{}, string(rule.ID)); err != nil || len(effects) != 1 || effects[0].AtLogin || len(effects[0].Change.Removed) != 1 {
		t.Errorf("a preview of the deletion shows %+v, %v", effects, err)
	}
	wantKind(t, c.DeleteGroupRule(t.Context(), c.admin, string(rule.ID)), "")
	if len(has()) != 0 {
		t.Error("the rule left something")
	}
	wantKind(t, c.DeleteGroupRule(t.Context(), c.admin, string(rule.ID)), domain.NotFound)

	for _, tc := range []struct {
		name string
		by   domain.Call
		in   app.SetGroupRule
		kind domain.Kind
	}{
		{"a member", call, set, domain.NotAllowed},
		{"both kinds", c.admin, app.SetGroupRule{Group: "x", Role: "admin", Project: string(p.ID)}, domain.Invalid},
		{"neither", c.admin, app.SetGroupRule{Group: "x"}, domain.Invalid},
		{"another role", c.admin, app.SetGroupRule{Group: "x", Role: "member"}, domain.Invalid},
		{"no group", c.admin, app.SetGroupRule{Role: "admin"}, domain.Invalid},
		{"an assistant that is not there", c.admin, app.SetGroupRule{Group: "x", Project: "0190b5a0-0000-7000-8000-000000000000"}, domain.NotFound},
		{"scopes that no grant has", c.admin, app.SetGroupRule{Group: "x", Project: string(p.ID), Scopes: []string{"manage"}}, domain.Invalid},
		{"an environment that the assistant does not allow", c.admin, app.SetGroupRule{Group: "x", Project: string(p.ID), Environments: []string{"nowhere"}}, domain.Invalid},
	} {
		_, err := c.SetGroupRule(t.Context(), tc.by, tc.in)
		if domain.KindOf(err) != tc.kind {
			t.Errorf("%s: got %v", tc.name, err)
		}
		_, _, err = c.PreviewGroupRule(t.Context(), tc.by, tc.in, "")
		if domain.KindOf(err) != tc.kind {
			t.Errorf("%s: a preview got %v", tc.name, err)
		}
	}
}

func TestAUserIsLinked(t *testing.T) {
	c := newCompany(t, func(o *app.Options) { o.SignOn.Policy.CreateUsers = false })
	ben := c.user(t, c.admin, "ben", "member")
	u, err := c.LinkIdentity(t.Context(), c.admin, string(ben), "ben at work")
	if wantKind(t, err, ""); u.Identity != (domain.Identity{Issuer: issuer, Subject: "ben at work"}) {
		t.Errorf("got %+v", u)
	}
	call, in := c.signedOn(t, of("ben at work"))
	if in.User.ID != ben {
		t.Error("another user logged in")
	}
	eve := c.user(t, c.admin, "eve", "member")
	_, err = c.LinkIdentity(t.Context(), c.admin, string(eve), "ben at work")
	wantKind(t, err, domain.Conflict)
	_, err = c.LinkIdentity(t.Context(), c.admin, string(ben), "another")
	wantKind(t, err, domain.Conflict)
	_, err = c.LinkIdentity(t.Context(), call, string(eve), "x")
	wantKind(t, err, domain.NotAllowed)
	_, err = c.UnlinkIdentity(t.Context(), c.admin, string(ben))
	wantKind(t, err, "")
	_, err = c.Identify(t.Context(), in.Cookie.Text)
	wantKind(t, err, domain.NotAuthenticated)
	_, err = c.signOn(t, of("ben at work"))
	wantKind(t, err, domain.NotAuthenticated)
}

func TestAUserLinksThemselves(t *testing.T) {
	c := newCompany(t, nil)
	ben := c.user(t, c.admin, "ben", "member")
	call, _ := c.login(t, "ben", false)
	link := app.StartSignOn{Link: true, Password: domain.NewSecret(password), Return: "/console/account"}
	for _, tc := range []struct {
		name string
		by   domain.Call
		in   app.StartSignOn
		kind domain.Kind
	}{
		{"without a password", call, app.StartSignOn{Link: true}, domain.Invalid},
		{"with a wrong one", call, app.StartSignOn{Link: true, Password: domain.NewSecret("wrong")}, domain.Invalid},
		{"without a login", domain.Call{}, link, domain.NotAuthenticated},
	} {
		_, err := c.StartSignOn(t.Context(), tc.by, tc.in)
		if domain.KindOf(err) != tc.kind {
			t.Errorf("%s: got %v", tc.name, err)
		}
	}
	before := len(c.store.Records())
	_, err := c.FinishSignOn(t.Context(), browser, c.under(t, of("ben at work"), link, call))
	wantKind(t, err, domain.NotAuthenticated) // the browser is not logged in
	strict := c.under(t, of("ben at work"), link, call)
	strict.Strict = true // so it does not say that it is
	out, err := c.FinishSignOn(t.Context(), browser, strict)
	if wantKind(t, err, ""); !out.Linked || out.User.ID != ben || out.Cookie.Text != "" || out.Return != "/console/account" {
		t.Errorf("got %+v", out)
	}
	wantActions(t, c.actions(before), "user link_identity")
	_, in := c.signedOn(t, of("ben at work"))
	if in.User.ID != ben {
		t.Error("another user logged in")
	}
	c.user(t, c.admin, "eve", "member")
	eve, _ := c.login(t, "eve", false)
	_, err = c.FinishSignOn(t.Context(), eve, c.under(t, of("ben at work"), link, eve))
	wantKind(t, err, domain.Conflict)
	c.user(t, c.admin, "mallory", "member")
	mallory, _ := c.login(t, "mallory", false)
	_, err = c.FinishSignOn(t.Context(), call, c.under(t, of("ben's other account"), link, mallory)) // in the browser of somebody else
	wantKind(t, err, domain.NotAuthenticated)
	late := c.under(t, of("ben at work"), link, call)
	_, err = c.Logout(t.Context(), call)
	wantKind(t, err, "")
	_, err = c.FinishSignOn(t.Context(), browser, late)
	wantKind(t, err, domain.NotAuthenticated)
}

func TestTheProviderEndsLogins(t *testing.T) {
	c := newCompany(t, nil)
	ben := domain.Identity{Issuer: issuer, Subject: "ben"}
	for _, tc := range []struct {
		name  string
		token func() domain.Secret
		ends  bool
		kind  domain.Kind
	}{
		{"by the session", func() domain.Secret { return c.provider.LogoutToken(domain.Identity{Issuer: issuer}, "sid of ben") }, true, ""},
		{"by the subject", func() domain.Secret { return c.provider.LogoutToken(ben, "") }, true, ""},
		{"another session", func() domain.Secret { return c.provider.LogoutToken(ben, "another") }, false, ""},
		{"another subject", func() domain.Secret {
			return c.provider.LogoutToken(domain.Identity{Issuer: issuer, Subject: "eve"}, "")
		}, false, ""},
		{"a token that is none", func() domain.Secret { return domain.NewSecret("x") }, false, domain.NotAuthenticated},
		{"a token that is old", func() domain.Secret {
			token := c.provider.LogoutToken(ben, "")
			c.after(6 * time.Minute)
			return token
		}, false, domain.NotAuthenticated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, in := c.signedOn(t, of("ben"))
			wantKind(t, c.ProviderLogout(t.Context(), browser, tc.token()), tc.kind)
			want := domain.Kind("")
			if tc.ends {
				want = domain.NotAuthenticated
			}
			_, err := c.Identify(t.Context(), in.Cookie.Text)
			wantKind(t, err, want)
			c.after(7 * time.Minute) // until then a session that has ended opens no login
		})
	}
	before := len(c.store.Records())
	token := c.provider.LogoutToken(ben, "")
	wantKind(t, c.ProviderLogout(t.Context(), browser, token), "")
	_, in := c.signedOn(t, of("ben"))
	wantKind(t, c.ProviderLogout(t.Context(), browser, token), domain.NotAuthenticated)
	_, err := c.Identify(t.Context(), in.Cookie.Text)
	wantKind(t, err, "")
	wantActions(t, c.actions(before)[:1], "identity_provider oidc/backchannel-logout")
}

func TestALogoutEndsTheSessionAtTheProvider(t *testing.T) {
	c := newCompany(t, nil)
	call, in := c.signedOn(t, of("ben"))
	out, err := c.Logout(t.Context(), call)
	wantKind(t, err, "")
	u, _ := url.Parse(out.URL.Reveal())
	if !strings.HasPrefix(u.Query().Get("id_token_hint"), "id.") || u.Query().Get("post_logout_redirect_uri") != "https://flowlatch.example/console/" {
		t.Error("the address has no ID token, or does not lead back")
	}
	_, err = c.Identify(t.Context(), in.Cookie.Text)
	wantKind(t, err, domain.NotAuthenticated)
	if out, err = c.Logout(t.Context(), c.admin); err != nil || !out.URL.IsZero() {
		t.Errorf("a login with a password: %v, and there is an address: %v", err, !out.URL.IsZero())
	}
	call, in = c.signedOn(t, of("ben"))
	c.provider.Break()
	if out, err = c.Logout(t.Context(), call); err != nil || !out.URL.IsZero() {
		t.Errorf("a silent provider: %v, and there is an address: %v", err, !out.URL.IsZero())
	}
	c.provider.Mend()
	_, err = c.Identify(t.Context(), in.Cookie.Text)
	wantKind(t, err, domain.NotAuthenticated)
	c.options.SignOn.LogoutAtProvider = false
	c.reopen(t)
	call, _ = c.signedOn(t, of("ben"))
	if out, err = c.Logout(t.Context(), call); err != nil || !out.URL.IsZero() {
		t.Errorf("a logout here only: %v, and there is an address: %v", err, !out.URL.IsZero())
	}
}

func TestIdentifyAsksTheProviderAgain(t *testing.T) {
	c := newCompany(t, func(o *app.Options) { o.SignOn.Policy.Admins = []string{"it"} })
	call, in := c.signedOn(t, of("ben", "it"))
	again := func(after time.Duration) (domain.Caller, error) {
		c.after(after)
		out, err := c.Identify(t.Context(), in.Cookie.Text)
		return out.Caller, err
	}
	c.provider.SetGroups("ben", domain.ListedGroups(nil))
	if caller, err := again(14 * time.Minute); err != nil || !caller.Admin {
		t.Errorf("before the recheck: %+v, %v", caller, err)
	}
	if caller, err := again(time.Minute); err != nil || caller.Admin {
		t.Errorf("after the recheck: %+v, %v", caller, err)
	}
	c.provider.Break()
	_, err := again(15 * time.Minute)
	wantKind(t, err, "")
	c.provider.Mend()
	c.provider.RefuseRefresh("ben")
	_, err = again(time.Minute)
	wantKind(t, err, domain.NotAuthenticated)
	wantKind(t, c.SameRights(t.Context(), call.Caller), domain.NotAuthenticated)

	c.provider.GiveNoRefresh()
	_, in = c.signedOn(t, of("eve"))
	c.provider.RefuseRefresh("eve")
	_, err = again(20 * time.Minute)
	wantKind(t, err, "")
}

func TestAFreshLoginByTheProviderNeedsNoPassword(t *testing.T) {
	c := newCompany(t, nil)
	p := c.project(t, "Bot", versionID)
	c.rule(t, app.SetGroupRule{Group: "sales", Project: string(p.ID)})
	call, in := c.signedOn(t, of("ben", "sales"))
	create := func(by domain.Call, text string) error {
		_, err := c.CreateAccessToken(t.Context(), by, app.CreateAccessToken{Name: "x", Project: string(p.ID), Password: domain.NewSecret(text)})
		return err
	}
	wantKind(t, create(call, ""), "")
	c.after(domain.FreshSignOn)
	for _, text := range []string{"", password} {
		if err := create(call, text); domain.KindOf(err) != domain.Invalid || !strings.Contains(err.Error(), "you have no password here") {
			t.Errorf("an older login with the password %q: got %v", text, err)
		}
	}
	call, _ = c.signedOn(t, of("ben", "sales"))
	wantKind(t, c.ChangePassword(t.Context(), call, app.ChangePassword{Next: domain.NewSecret(password)}), "")
	c.after(domain.FreshSignOn)
	if err := create(call, ""); domain.KindOf(err) != domain.Invalid || !strings.Contains(err.Error(), "log in with the identity provider again") {
		t.Errorf("a user with both: got %v", err)
	}
	wantKind(t, create(call, password), "")
	_ = in
}

func TestPasswordLoginIsLimited(t *testing.T) {
	c := newCompany(t, func(o *app.Options) { o.PasswordLogin = domain.PasswordLoginAdmins })
	c.user(t, c.admin, "ben", "member")
	login := func(name, text string) error {
		_, err := c.Login(t.Context(), browser, app.Login{Username: name, Password: domain.NewSecret(text)})
		return err
	}
	wantKind(t, login("ada", password), "")
	wantKind(t, login("ben", password), domain.NotAllowed)
	wantKind(t, login("ben", "wrong"), domain.NotAuthenticated)
	wantKind(t, login("nobody", "wrong"), domain.NotAuthenticated)

	off := c.options
	off.PasswordLogin = domain.PasswordLoginOff
	p := c.ports()
	p.Logins.Provider = c.provider
	if _, err := app.Open(t.Context(), p, off); domain.KindOf(err) != domain.Conflict || !strings.Contains(err.Error(), "log in with the identity provider as an admin") {
		t.Errorf("off, and no admin has logged in by the provider: got %v", err)
	}
	_, err := c.LinkIdentity(t.Context(), c.admin, string(c.admin.Caller.ID), "ada")
	wantKind(t, err, "")
	if _, err := app.Open(t.Context(), p, off); domain.KindOf(err) != domain.Conflict {
		t.Errorf("off, and an admin is only linked: got %v", err)
	}
	c.signedOn(t, of("ada"))
	c.options = off
	c.reopen(t)
	c.attempts.booked = c.attempts.limit
	wantKind(t, login("ada", password), domain.NotAllowed) // at once, and no attempt is counted
	c.attempts.booked = 0
	c.signedOn(t, of("ada"))
}

func TestOptionsOfSignOnsAreChecked(t *testing.T) {
	w := newWorld(t)
	with := w.ports()
	with.Logins.Provider = memory.NewIdentityProvider(issuer, w.now)
	for _, tc := range []struct {
		name  string
		ports app.Ports
		set   app.Options
		says  string
	}{
		{"admins without a provider", w.ports(), app.Options{PasswordLogin: domain.PasswordLoginAdmins}, "without an identity provider"},
		{"off without a provider", w.ports(), app.Options{PasswordLogin: domain.PasswordLoginOff}, "without an identity provider"},
		{"another word", with, app.Options{PasswordLogin: "never"}, "PasswordLogin"},
		{"a recheck too often", with, app.Options{SignOn: app.SignOnOptions{Recheck: time.Second - 1}}, "Recheck"},
		{"a recheck each second", with, app.Options{SignOn: app.SignOnOptions{Recheck: time.Second}}, ""},
	} {
		_, err := app.Open(t.Context(), tc.ports, tc.set)
		if (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: got %v", tc.name, err)
		}
	}
	if label, is := w.SignsOn(); is || label != "" || w.ProviderOrigins() != nil {
		t.Errorf("without a provider it signs on with %q", label)
	}
	_, err := w.StartSignOn(t.Context(), domain.Call{}, app.StartSignOn{})
	wantKind(t, err, domain.NotFound)
	_, err = w.FinishSignOn(t.Context(), domain.Call{}, app.FinishSignOn{})
	wantKind(t, err, domain.NotFound)
	wantKind(t, w.ProviderLogout(t.Context(), domain.Call{}, domain.NewSecret("x")), domain.NotFound)
	_, err = w.CreateUser(t.Context(), w.admin, app.CreateUser{Username: "ben"})
	wantKind(t, err, domain.Invalid)

	c := newCompany(t, nil)
	if label, is := c.SignsOn(); !is || label != "idp.example" || len(c.ProviderOrigins()) != 1 {
		t.Errorf("signs on with %q", label)
	}
	_, err = c.CreateUser(t.Context(), c.admin, app.CreateUser{Username: "ben"})
	wantKind(t, err, "")
	_, err = c.CreateUser(t.Context(), c.admin, app.CreateUser{Username: "eve", Password: domain.NewSecret("short")})
	wantKind(t, err, domain.Invalid)
}

func TestALoginLinkLogsInOnce(t *testing.T) {
	c := newCompany(t, nil)
	before := len(c.store.Records())
	link, err := c.NewLoginLink(t.Context(), c.operator(t), "Ada")
	if wantKind(t, err, ""); link.User.Name != "ada" || !link.Expires.Equal(domain.Instant(c.now().Add(10*time.Minute))) {
		t.Errorf("got %+v", link)
	}
	for range 2 {
		u, err := c.CheckLoginLink(t.Context(), link.Token)
		if wantKind(t, err, ""); u.ID != c.admin.Caller.ID {
			t.Errorf("the link is for %+v", u)
		}
	}
	in, err := c.UseLoginLink(t.Context(), browser, link.Token)
	wantKind(t, err, "")
	if !c.call(t, in.Cookie.Text).Caller.Admin {
		t.Error("the link logged somebody else in")
	}
	wantActions(t, c.actions(before), "operator login_link", "operator login_by_link")
	_, err = c.UseLoginLink(t.Context(), browser, link.Token)
	wantKind(t, err, domain.Conflict)

	late, err := c.NewLoginLink(t.Context(), c.operator(t), "ada")
	wantKind(t, err, "")
	c.after(app.LoginLinkLifetime)
	for _, token := range []domain.Secret{late.Token, {}, domain.NewSecret("x")} {
		_, err = c.CheckLoginLink(t.Context(), token)
		wantKind(t, err, domain.NotFound)
		_, err = c.UseLoginLink(t.Context(), browser, token)
		wantKind(t, err, domain.NotFound)
	}
	ben := c.user(t, c.admin, "ben", "member")
	ofBen, err := c.NewLoginLink(t.Context(), c.operator(t), "ben")
	wantKind(t, err, "")
	disabled := true
	_, err = c.UpdateUser(t.Context(), c.admin, app.UpdateUser{ID: string(ben), Disabled: &disabled})
	wantKind(t, err, "")
	_, err = c.UseLoginLink(t.Context(), browser, ofBen.Token)
	wantKind(t, err, domain.NotAllowed)
	_, err = c.NewLoginLink(t.Context(), c.operator(t), "ben")
	wantKind(t, err, domain.Conflict)
	_, err = c.NewLoginLink(t.Context(), c.operator(t), "nobody")
	wantKind(t, err, domain.NotFound)
	_, err = c.NewLoginLink(t.Context(), c.admin, "ada")
	wantKind(t, err, domain.NotAllowed)
}
