package domain_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/domain"
)

func TestNewProject(t *testing.T) {
	created := time.Date(2022, 11, 14, 4, 53, 8, 0, time.UTC)
	for _, tc := range []struct {
		name     string
		ref      domain.VersionRef
		export   domain.Export
		wantName string
		wantMade time.Time
		kind     domain.Kind
	}{
		{"the export's name is trimmed", domain.VersionRef{Version: "main"}, domain.Export{Project: hex24, Name: " Bot \n", Created: start}, "Bot", start, ""},
		{"an empty name gives way to the Voiceflow id", domain.VersionRef{Version: "main"}, domain.Export{Project: hex24, Name: " "}, hex24, created, ""},
		{"NUL and invalid UTF-8 become U+FFFD", domain.VersionRef{}, domain.Export{Project: hex24, Name: "a\x00b\xffc"}, "a\uFFFDb\uFFFDc", created, ""},
		{"without a creation time the id tells it", domain.VersionRef{}, domain.Export{Project: hex24, Name: "x"}, "x", created, ""},
		{"512 bytes are a name", domain.VersionRef{}, domain.Export{Project: hex24, Name: strings.Repeat("ü", 256)}, strings.Repeat("ü", 256), created, ""},
		{"513 bytes are too long", domain.VersionRef{}, domain.Export{Project: hex24, Name: strings.Repeat("ü", 256) + "x"}, "", time.Time{}, domain.NameTooLong},
		{"the project that was asked for is good", domain.VersionRef{Project: hex24}, domain.Export{Project: hex24, Name: "x"}, "x", created, ""},
		{"another project than was asked for is refused", domain.VersionRef{Project: "0371c9b4e1a5b2c3d4e5f607"}, domain.Export{Project: hex24, Name: "x"}, "", time.Time{}, domain.Invalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := domain.NewProject(uuid, tc.ref, tc.export, start)
			wantKind(t, err, tc.kind)
			if p.Name != tc.wantName || !p.VoiceflowCreated.Equal(tc.wantMade) {
				t.Errorf("got name %q made %v, want %q made %v", p.Name, p.VoiceflowCreated, tc.wantName, tc.wantMade)
			}
			if err == nil && (p.ID != uuid || p.Voiceflow != hex24 || p.Version != tc.ref.Version || p.Created != start) {
				t.Errorf("got %+v", p)
			}
			if err == nil && (!p.Primary.Empty() || !p.Secondary.Empty() || p.Credits != domain.CreditsOK) {
				t.Errorf("got keys %q and %q and credits %q, want empty slots and credits that are ok at first", p.Primary.Status, p.Secondary.Status, p.Credits)
			}
			if p.PutKey(domain.SlotPrimary, sealed("key"), start, start); p.Primary.Status != domain.KeyOK {
				t.Errorf("got the key %q once it is put there, want it to be ok at first", p.Primary.Status)
			}
		})
	}
	p, err := domain.NewProject(uuid, domain.VersionRef{}, domain.Export{Project: hex24}, start.Add(999).In(time.FixedZone("", 3600)))
	if err != nil || p.Created != start {
		t.Errorf("created %v, want %v: UTC, truncated to microseconds", p.Created, start)
	}
}

func TestExactlyOne(t *testing.T) {
	found := make([]domain.Project, domain.MaxMatches)
	for i := range found {
		found[i].Version = strings.Repeat("v", i+1)
	}
	_, err := domain.ExactlyOne(nil)
	wantKind(t, err, domain.NotFound)
	if p, err := domain.ExactlyOne(found[:1]); err != nil || !p.Equal(found[0]) {
		t.Errorf("the only one is not taken: %v", err)
	}
	_, err = domain.ExactlyOne(found)
	if e, ok := errors.AsType[*domain.Error](err); !ok || e.Kind != domain.AmbiguousName || len(e.Projects) != 10 {
		t.Errorf("got %v, want AmbiguousName with the first ten", err)
	}
}

func TestLastAdmin(t *testing.T) {
	demote := func(u *domain.User, other bool) error { return u.SetRole(domain.RoleMember, other) }
	disable := func(u *domain.User, other bool) error { return u.SetDisabled(true, other) }
	remove := func(u *domain.User, other bool) error { return u.MayBeDeleted("somebody else", other) }
	for _, tc := range []struct {
		name       string
		user       domain.User
		otherAdmin bool
		change     func(*domain.User, bool) error
		kind       domain.Kind
	}{
		{"the last admin can't be demoted", domain.User{Role: domain.RoleAdmin}, false, demote, domain.Conflict},
		{"the last admin can't be disabled", domain.User{Role: domain.RoleAdmin}, false, disable, domain.Conflict},
		{"the last admin can't be deleted", domain.User{Role: domain.RoleAdmin}, false, remove, domain.Conflict},
		{"one of two can be demoted", domain.User{Role: domain.RoleAdmin}, true, demote, ""},
		{"one of two can be disabled", domain.User{Role: domain.RoleAdmin}, true, disable, ""},
		{"one of two can be deleted", domain.User{Role: domain.RoleAdmin}, true, remove, ""},
		{"a disabled admin does not count and can be demoted", domain.User{Role: domain.RoleAdmin, Disabled: true}, false, demote, ""},
		{"a disabled admin does not count and can be deleted", domain.User{Role: domain.RoleAdmin, Disabled: true}, false, remove, ""},
		{"a member can be disabled", domain.User{Role: domain.RoleMember}, false, disable, ""},
		{"an admin may stay one", domain.User{Role: domain.RoleAdmin}, false,
			func(u *domain.User, other bool) error { return u.SetRole(domain.RoleAdmin, other) }, ""},
		{"an admin may be enabled", domain.User{Role: domain.RoleAdmin, Disabled: true}, false,
			func(u *domain.User, other bool) error { return u.SetDisabled(false, other) }, ""},
		{"nobody deletes themselves", domain.User{ID: "me", Role: domain.RoleMember}, true,
			func(u *domain.User, other bool) error { return u.MayBeDeleted("me", other) }, domain.Conflict},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := tc.user
			err := tc.change(&tc.user, tc.otherAdmin)
			wantKind(t, err, tc.kind)
			if err != nil && (tc.user.Role != before.Role || tc.user.Disabled != before.Disabled) {
				t.Error("the user was changed all the same")
			}
		})
	}
}

func TestNewUserSortsWhatIsGranted(t *testing.T) {
	u := domain.NewUser("u", "ada", domain.RoleMember, domain.NewSecret("h"), []domain.ProjectID{"b", "a", "b"}, start)
	if !slices.Equal(u.Assistants, []domain.ProjectID{"a", "b"}) {
		t.Errorf("got %v, want a and b once each, in order", u.Assistants)
	}
}

func TestCallerRights(t *testing.T) {
	notFound := &domain.Error{Kind: domain.NotFound, Public: "no such"}
	notAllowed := &domain.Error{Kind: domain.NotAllowed, Public: "not granted"}
	outage := &domain.Error{Kind: domain.Unavailable}
	member, admin := domain.Caller{ID: "m"}, domain.Caller{ID: "a", Admin: true}

	wantKind(t, admin.MayManage(), "")
	wantKind(t, domain.Operator().MayManage(), "")
	wantKind(t, member.MayManage(), domain.NotAllowed)
	wantKind(t, domain.Caller{}.MayManage(), domain.NotAllowed)

	if a, b := member.MayUse(notFound), member.MayUse(notAllowed); a.Error() != b.Error() || domain.KindOf(a) != domain.NotAllowed {
		t.Errorf("a member is told %q of what does not exist and %q of what is not granted, want one NotAllowed", a, b)
	}
	wantKind(t, admin.MayUse(notFound), domain.NotFound)
	wantKind(t, member.MayUse(outage), domain.Unavailable)
	wantKind(t, member.MayUse(nil), "")

	if v := member.Sees(); v.All() || v.User() != "m" {
		t.Errorf("a member sees %+v, want what is granted to m", v)
	}
	if !admin.Sees().All() || !domain.Operator().Sees().All() {
		t.Error("an admin or the operator does not see all")
	}
	if v := member.Sees().Within("converse"); v.All() || v.User() != "m" || v.Scope() != "converse" || member.Sees().Scope() != "" {
		t.Errorf("within a scope, a member sees %+v", v)
	}
	if v := admin.Sees().Within("converse"); v != admin.Sees() {
		t.Errorf("within a scope, an admin sees %+v, want all", v)
	}
	if v := (domain.Visible{}); v.All() || v.User() != "" {
		t.Error("the zero Visible is not empty")
	}
	token := domain.Caller{ID: "a", Admin: true, Token: "t"}
	if got := []domain.Actor{admin.Actor(), domain.Operator().Actor(), token.Actor()}; !slices.Equal(got, []domain.Actor{"user:a", "operator", "token:t"}) {
		t.Errorf("actors %v", got)
	}
}

func TestAnAccessTokenManagesForAnAdminWithTheScopeOnly(t *testing.T) {
	manage := domain.ScopesOf(domain.ScopeManage)
	for _, tc := range []struct {
		name   string
		caller domain.Caller
		kind   domain.Kind
	}{
		{"an admin's with manage may", domain.Caller{Admin: true, Token: "t", Scopes: manage}, ""},
		{"that of an admin who was demoted may not", domain.Caller{Token: "t", Scopes: manage}, domain.NotAllowed},
		{"an admin's with all that an assistant has may not", domain.Caller{Admin: true, Token: "t", Only: uuid, Scopes: domain.AllScopes()}, domain.NotAllowed},
		{"an admin's without a scope may not", domain.Caller{Admin: true, Token: "t"}, domain.NotAllowed},
	} {
		t.Run(tc.name, func(t *testing.T) { wantKind(t, tc.caller.MayManage(), tc.kind) })
	}
}

func TestAnAccessTokenManagesItsPartsOnly(t *testing.T) {
	parts := []domain.Scope{domain.ScopeManageProjects, domain.ScopeManageUsers, domain.ScopeManageGrants, domain.ScopeManageAudit}
	with := func(scopes ...domain.Scope) domain.Caller {
		return domain.Caller{ID: "a", Admin: true, Token: "t", Scopes: domain.ScopesOf(scopes...)}
	}
	for _, part := range parts {
		wantKind(t, with(part).MayManage(part), "")
		wantKind(t, with(domain.ScopeManage).MayManage(part), "")
		wantKind(t, domain.Caller{ID: "a", Admin: true}.MayManage(part), "")
		wantKind(t, domain.Operator().MayManage(part), "")
		wantKind(t, domain.Caller{ID: "m"}.MayManage(part), domain.NotAllowed)
		wantKind(t, domain.Caller{ID: "a", Token: "t", Scopes: domain.ScopesOf(part)}.MayManage(part), domain.NotAllowed)
		wantKind(t, with(domain.AllScopes().List()...).MayManage(part), domain.NotAllowed)
		for _, other := range parts {
			if other != part {
				wantKind(t, with(other).MayManage(part), domain.NotAllowed)
				wantKind(t, with(part).MayManage(part, other), domain.NotAllowed)
				wantKind(t, with(part, other).MayManage(part, other), "")
			}
		}
	}
	wantKind(t, with(parts...).MayManage(), domain.NotAllowed)
	for part, ends := range map[domain.Scope]bool{domain.ScopeManage: true, domain.ScopeManageUsers: true, domain.ScopeManageProjects: false, domain.ScopeManageGrants: false, domain.ScopeManageAudit: false} {
		if with(part).MayEnd("m") != ends || with(part).MayEndByKey() != (part == domain.ScopeManage) {
			t.Errorf("%s: ends sessions of others %v and by key %v, want users and all", part, with(part).MayEnd("m"), with(part).MayEndByKey())
		}
	}
}

func TestSessionLife(t *testing.T) {
	l := domain.Lifetimes{Idle: 30 * time.Minute, Absolute: 12 * time.Hour, Remember: 720 * time.Hour}
	login := domain.NewLogin("l", "u", false, start, l, "192.0.2.1", strings.Repeat("ä", 200))
	remembered := domain.NewLogin("r", "u", true, start, l, "", "")
	if len(login.Agent) != 256 {
		t.Errorf("a long User-Agent is kept with %d bytes, want 256", len(login.Agent))
	}
	for _, tc := range []struct {
		name    string
		session domain.Session
		after   time.Duration
		live    bool
	}{
		{"a login lives at its start", login, 0, true},
		{"it lives until the last microsecond of its idle time", login, l.Idle - time.Microsecond, true},
		{"the idle end is exclusive", login, l.Idle, false},
		{"a remembered one has no idle end", remembered, l.Absolute * 2, true},
		{"and lives until its last microsecond", remembered, l.Remember - time.Microsecond, true},
		{"its absolute end is exclusive", remembered, l.Remember, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.session.Live(start.Add(tc.after)); got != tc.live {
				t.Errorf("live is %v, want %v", got, tc.live)
			}
		})
	}
	for _, tc := range []struct {
		name    string
		session domain.Session
		idle    time.Duration
		after   time.Duration
		want    time.Duration // the idle end, from the start
		write   bool
	}{
		{"a use within a minute is not written", login, l.Idle, time.Minute - time.Microsecond, 31*time.Minute - time.Microsecond, false},
		{"a use after a minute is written", login, l.Idle, time.Minute, 31 * time.Minute, true},
		{"with a short idle time a quarter of it is enough", login, 20 * time.Second, 31 * time.Minute, 31*time.Minute + 20*time.Second, true},
		{"a use never moves past the absolute end", login, l.Idle, l.Absolute - time.Minute, l.Absolute, true},
		{"a use of a remembered one moves no end and is written", remembered, l.Idle, time.Minute, l.Remember, true},
		{"and within a minute it is not", remembered, l.Idle, time.Minute - time.Microsecond, l.Remember, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			idle, write := tc.session.Used(start.Add(tc.after), domain.Lifetimes{Idle: tc.idle, Absolute: l.Absolute, Remember: l.Remember})
			if got := idle.Sub(start); got != tc.want || write != tc.write {
				t.Errorf("got idle end %v, written %v; want %v, %v", got, write, tc.want, tc.write)
			}
		})
	}
	atEnd := login
	atEnd.Idle, atEnd.LastUsed = login.Expires, start.Add(11*time.Hour)
	if idle, write := atEnd.Used(login.Expires.Add(-time.Second), l); !write || !idle.Equal(login.Expires) {
		t.Errorf("a use whose idle end can't move: got the end %v, written %v; want it written", idle, write)
	}
}

func TestAssistantSessionBelongsToItsLogin(t *testing.T) {
	l := domain.Lifetimes{Idle: time.Hour, Absolute: 12 * time.Hour, Remember: 720 * time.Hour}
	login := domain.NewLogin("l", "u", false, start, l, "", "")
	remembered := domain.NewLogin("r", "u", true, start, l, "", "")
	late := start.Add(6 * time.Hour)
	for _, tc := range []struct {
		name   string
		caller domain.Caller
		ends   time.Time
		idle   time.Time
		byRole bool
	}{
		{"it never outlives the login", domain.Caller{ID: "u", Login: login}, login.Expires, late.Add(time.Hour), false},
		{"it is remembered with the login", domain.Caller{ID: "u", Login: remembered}, remembered.Expires, remembered.Expires, false},
		{"under a host's login it has a life of its own", domain.Caller{ID: "u"}, late.Add(12 * time.Hour), late.Add(time.Hour), false},
		{"an admin is let in by the role", domain.Caller{ID: "u", Admin: true, Login: login}, login.Expires, late.Add(time.Hour), true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := domain.NewAssistantSession("s", tc.caller, uuid, late, l, "", "")
			if !s.Expires.Equal(tc.ends) || !s.Idle.Equal(tc.idle) || s.ByRole != tc.byRole || s.Login != tc.caller.Login.ID || s.User != "u" || s.Project != uuid {
				t.Errorf("got %+v", s)
			}
		})
	}
}

func TestClaimsMustEqualTheSession(t *testing.T) {
	s := domain.NewAssistantSession("s", domain.Caller{ID: "u"}, uuid, start, domain.Lifetimes{Idle: time.Hour, Absolute: time.Hour, Remember: time.Hour}, "", "")
	c := s.Claims("main")
	same := c
	same.Expires = c.Expires.In(time.FixedZone("", 3600))
	if !c.Equal(same) {
		t.Error("the same instant in another zone is another claim")
	}
	for name, alter := range map[string]func(*domain.Claims){
		"kind":    func(c *domain.Claims) { c.Kind = domain.LoginSession },
		"session": func(c *domain.Claims) { c.Session = "other" },
		"user":    func(c *domain.Claims) { c.User = "other" },
		"project": func(c *domain.Claims) { c.Project = "other" },
		"version": func(c *domain.Claims) { c.Version = "other" },
		"expires": func(c *domain.Claims) { c.Expires = c.Expires.Add(time.Microsecond) },
	} {
		other := c
		alter(&other)
		if c.Equal(other) {
			t.Errorf("claims with another %s are equal", name)
		}
	}
}

// No two things that may be sealed have one binding, however their fields are cut.
func TestBindingsDiffer(t *testing.T) {
	seen := map[string]string{}
	for name, b := range map[string]domain.Binding{
		"key":                     domain.BindKey("a", domain.SlotPrimary, "https://x"),
		"key of another project":  domain.BindKey("b", domain.SlotPrimary, "https://x"),
		"key in another slot":     domain.BindKey("a", "secondary", "https://x"),
		"key for another origin":  domain.BindKey("a", domain.SlotPrimary, "https://y"),
		"fields cut elsewhere":    domain.BindKey("aprimary", "", "https://x"),
		"fields cut elsewhere, 2": domain.BindKey("", "aprimary", "https://x"),
		"login cookie":            domain.BindCookie(domain.LoginSession),
		"assistant cookie":        domain.BindCookie(domain.AssistantSession),
		"set-up link":             domain.BindSetupLink(),
		"notice of nobody":        domain.BindNotice(""),
		"notice":                  domain.BindNotice("u"),
		"another user's notice":   domain.BindNotice("v"),
		"known value":             domain.BindKnownValue("https://x"),
		"known value elsewhere":   domain.BindKnownValue("https://y"),
		"conversation":            domain.BindConversation("c", "https://x"),
		"another conversation":    domain.BindConversation("d", "https://x"),
		"conversation elsewhere":  domain.BindConversation("c", "https://y"),
		"conversation's handle":   domain.BindCookie(domain.ConversationHandle),
		"pseudonym key":           domain.BindPseudonymKey(),
		"user ids":                domain.BindUserIDs("a", "user:b"),
		"user ids of a token":     domain.BindUserIDs("a", "token:b"),
		"user ids elsewhere":      domain.BindUserIDs("b", "user:b"),
		"user ids cut elsewhere":  domain.BindUserIDs("auser", ":b"),
		"zero":                    {},
	} {
		if other, twice := seen[b.AssociatedData()]; twice {
			t.Errorf("%s and %s are bound to the same", name, other)
		}
		seen[b.AssociatedData()] = name
	}
	if got := (domain.Binding{}).AssociatedData(); got != "" {
		t.Errorf("the zero binding is %q, want nothing", got)
	}
	// Sealed rows outlive releases: the bytes of a binding never change.
	got := []string{
		domain.BindKey("a", domain.SlotPrimary, "https://x").AssociatedData(),
		domain.BindConversation("c", "https://x").AssociatedData(),
		domain.BindPseudonymKey().AssociatedData(),
		domain.BindUserIDs("a", "user:b").AssociatedData(),
	}
	want := []string{
		"\x18flowlatch/project-key/v1\x01a\x07primary\x09https://x",
		"\x19flowlatch/conversation/v1\x01c\x09https://x",
		"\x1aflowlatch/pseudonym-key/v1",
		"\x15flowlatch/user-ids/v1\x01a\x06user:b",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("bindings have changed (-want +got):\n%s", diff)
	}
}

func TestErrorTellsItsKind(t *testing.T) {
	cause := errors.New("the cause")
	err := &domain.Error{Kind: domain.Conflict, Public: "public", Cause: cause}
	wrapped := errors.Join(errors.New("outer"), err)
	if !errors.Is(wrapped, domain.Conflict) || !errors.Is(wrapped, cause) || errors.Is(wrapped, domain.NotFound) {
		t.Error("errors.Is does not see kind and cause, and only these")
	}
	if domain.KindOf(wrapped) != domain.Conflict || domain.KindOf(cause) != "" || domain.KindOf(nil) != "" {
		t.Error("KindOf does not tell the kind")
	}
	if got := err.Error(); got != "conflict: public: the cause" {
		t.Errorf("got %q", got)
	}
	if kinds := domain.Kinds(); len(slices.Compact(slices.Sorted(slices.Values(kinds)))) != len(kinds) {
		t.Error("a kind is listed twice")
	}
}

func TestRecordNames(t *testing.T) {
	got := []string{domain.OnProject("p"), domain.OnUser("u"), domain.OnGrant("u", "p"), domain.OnSession("s"), domain.OnToken("t")}
	want := []string{"project:p", "user:u", "user:u project:p", "session:s", "token:t"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

func TestOutcomeTellsTheStatusOfAFailure(t *testing.T) {
	for status, want := range map[int]string{200: "ok", 204: "ok", 299: "ok", 199: "status_199", 301: "status_301", 404: "status_404", 500: "status_500"} {
		if got := domain.OutcomeOf(status); got != want {
			t.Errorf("outcome of %d: got %q, want %q", status, got, want)
		}
	}
}
