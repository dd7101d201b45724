package portstest

import (
	"fmt"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// SignOns checks every sentence in the comments of ports.SignOns.
func SignOns(t *testing.T, open OpenStore) {
	check(t, open, append([]sentence{
		{"Open stores a new user, their groups and grants, the login with what is kept of it, and the records together", openCreates},
		{"Open changes a user who is known: what groups give comes and goes, and what an admin granted stays", openRegroups},
		{"Open ends the sessions that the change costs, and opens the login", openEndsSessions},
		{"Open returns the error of Decide and then stores nothing, nor the use", openRefused},
		{"Open is Conflict if once was used before, and then stores nothing; the zero Once is never used", openOnce},
		{"Open is refused if a Logout has ended the session at the provider, until that is forgotten, and then stores nothing", openEnded},
		{"Open displaces the oldest login of a user who has as many as a user may have", openDisplaces},
		{"of two Opens of the same new person at the same instant one creates the user", signOnAtOnce},
		{"of several Opens with the same Once at the same instant one opens a login", openOnceAtOnce},
		{"a grant that an admin changes during Open is by the admin and by the group", openBesidePut},
		{"of the last two admins, whom groups no longer make admins, one stays an admin if both log in at the same instant", lastAdminsAtOnce},
		{"Find returns what is kept of a login, and is NotFound if there is nothing or the login is over", findKept},
		{"Claim moves the recheck of a login that is due, and keeps no record", claimMoves},
		{"of several Claims at the same instant one gets true", claimAtOnce},
		{"Renew applies the groups, replaces what is kept, sets the recheck, and keeps the records of the change only", renewApplies},
		{"Renew returns the error of Decide, and is NotFound if the login is over, and then stores nothing", renewRefused},
		{"Refuse ends the login with what is under it, and keeps no record if it is over", refuseEnds},
		{"Logout ends the logins that it names, with what is under them, and returns how many", logoutEnds},
		{"Logout is Conflict if its id was used before at its issuer, and changes nothing", logoutOnce},
		{"of several Logouts with the same id at the same instant one succeeds", logoutAtOnce},
		{"tokens and groups go with the user", signOnsOfRemoved},
	}, promises("SignOns")...))
}

func openCreates(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	r := f.setRule(t, f.rule("Staff of 'Ångström'", p.ID, someScopes, "main", "dev"))
	boss := f.setRule(t, f.rule("leads", "", 0))
	f.member(t, "ana") // the name is taken
	u := f.somebody("ana")
	change := f.signOn(u, r.Group, boss.Group, "other")
	o := f.opening(change)
	got := f.open(t, o)
	want := domain.NewUser(u.ID, "ana-2", domain.RoleAdmin, domain.Secret{}, []domain.ProjectID{p.ID}, o.in.At)
	want.Identity, want.SignedOn, want.AdminBy = u.Identity, domain.Instant(o.in.At), boss.Group
	wantSame(t, "what Open returns: whether the user is new", got.Created, true)
	wantSame(t, "what Open returns: the user", got.User, want)
	f.wantUser(t, "after Open", want)
	g := byGroups(u.ID, p.ID, o.in.At, group(r))
	f.wantGrants(t, "after Open", domain.GrantFilter{User: u.ID}, g)
	f.wantLive(t, "after Open", o.login)
	f.wantKept(t, "after Open", o.kept)
	for _, name := range []string{r.Group, boss.Group, "other"} {
		f.wantMembers(t, "after Open", name, domain.GroupMember{User: want, Groups: o.in.Person.Groups.Names, Grants: []domain.Grant{g}})
	}
	f.wantMembers(t, "after Open", "none")
	f.wantRecords(t, "after Open")
	found, err := f.Ports.Users.Find(t.Context(), domain.UserRef{Identity: u.Identity})
	wantNil(t, "Users.Find by identity", err)
	wantSame(t, "Users.Find by identity", found, want)
	if has, err := f.Ports.Users.HasSignedOnAdmin(t.Context()); err != nil || !has {
		t.Fatalf("HasSignedOnAdmin after an admin logged in by the identity provider: got %v and error %v, want true", has, err)
	}
}

// openRegroups has grants of every source, and grants that change their source.
func openRegroups(t *testing.T, f *fixture) {
	p, q, r, s := f.addNamed(t, "p"), f.addNamed(t, "q"), f.addNamed(t, "r"), f.addNamed(t, "s")
	began := domain.Instant(f.clock.now())
	u := f.linked(t, "ana", domain.RoleMember, p.ID, q.ID)
	inQ := f.setRule(t, f.rule("staff", q.ID, someScopes, "main"))
	inR := f.setRule(t, f.rule("staff", r.ID, domain.ScopesOf(domain.ScopeExport)))
	moreR := f.setRule(t, f.rule("agents", r.ID, domain.DefaultScopes()))
	f.setRule(t, f.rule("nobody's", s.ID, domain.AllScopes()))
	f.clock.advance(time.Hour)
	f.wantGrants(t, "before the login", domain.GrantFilter{User: u.ID},
		domain.NewGrant(u.ID, p.ID, 0, began), domain.NewGrant(u.ID, q.ID, 0, began))
	at := f.signedOn(t, u, "staff", "agents").in.At
	both, _ := domain.NewGrant(u.ID, q.ID, 0, began).ByGroups([]domain.GroupGrant{group(inQ)})
	f.wantGrants(t, "in both groups", domain.GrantFilter{User: u.ID},
		domain.NewGrant(u.ID, p.ID, 0, began), both, byGroups(u.ID, r.ID, at, group(inR), group(moreR)))
	f.clock.advance(time.Hour)
	f.signedOn(t, u, "agents")
	f.wantGrants(t, "in one group", domain.GrantFilter{User: u.ID},
		domain.NewGrant(u.ID, p.ID, 0, began), domain.NewGrant(u.ID, q.ID, 0, began), byGroups(u.ID, r.ID, at, group(moreR)))
	f.signedOn(t, u)
	f.wantGrants(t, "in no group", domain.GrantFilter{User: u.ID}, domain.NewGrant(u.ID, p.ID, 0, began), domain.NewGrant(u.ID, q.ID, 0, began))
	f.wantMembers(t, "in no group", "agents")
	f.wantMembers(t, "in no group", "staff")
	f.wantRecords(t, "after each login")
}

func openEndsSessions(t *testing.T, f *fixture) {
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	f.admin(t, "admin")
	u := f.linked(t, "ana", domain.RoleMember, q.ID)
	f.setRule(t, f.rule("staff", p.ID, domain.AllScopes()))
	first := f.signedOn(t, u, "staff", "bosses")
	inP := f.set(t, f.under(first.login, p.ID))
	other := f.signedOn(t, u, "staff", "bosses")
	inQ := f.set(t, f.under(other.login, q.ID))
	third := f.signedOn(t, u, "staff", "bosses")
	ruled := f.set(t, f.byRole(third.login, q.ID))
	last := f.signedOn(t, u)
	f.wantOver(t, "allowed by the group or by the role", inP, ruled)
	f.wantLive(t, "logins, and what an admin granted", first.login, other.login, inQ, third.login, last.login)
	f.wantRecords(t, "after each login")
}

func openRefused(t *testing.T, f *fixture) {
	f.install(t)
	p := f.addNamed(t, "p")
	f.setRule(t, f.rule("staff", p.ID, domain.AllScopes()))
	disabled, known := f.user("off", domain.RoleMember), f.linked(t, "ana", domain.RoleMember)
	disabled.Disabled, disabled.Identity = true, f.identity()
	f.create(t, disabled)
	before := f.state(t, f.Ports)
	for _, tc := range []struct {
		what string
		user domain.User
		kind domain.Kind
		with func(in *domain.SignOn)
	}{
		{"a person without a user, while none is to be created", f.somebody("eve"), domain.NotAuthenticated, func(in *domain.SignOn) { in.Policy.CreateUsers = false }},
		{"a person without a user, in a renewal", f.somebody("eve"), domain.NotAuthenticated, func(in *domain.SignOn) { in.Renews = true }},
		{"a user who is disabled", disabled, domain.NotAllowed, func(*domain.SignOn) {}},
		{"a person in none of the required groups", known, domain.NotAllowed, func(in *domain.SignOn) { in.Policy.Required = []string{"board"} }},
		{"a person whose groups are absent", known, domain.NotAuthenticated, func(in *domain.SignOn) { in.Person.Groups = domain.Groups{} }},
		{"a person with another user", known, domain.Conflict, func(in *domain.SignOn) { in.User = userID(404) }},
	} {
		in := f.signOn(tc.user, "staff")
		tc.with(&in)
		o := f.opening(in)
		_, err := o.on(t.Context(), f.Ports)
		wantKind(t, "Open of "+tc.what, err, tc.kind)
		f.wantOver(t, tc.what, o.login)
		f.wantNotKept(t, tc.what, o.login.ID)
		wantSame(t, "what is stored after Open of "+tc.what, f.state(t, f.Ports), before)
		f.wantRecords(t, "after Open of "+tc.what)
		again := f.opening(f.signOn(known))
		again.once = o.once
		f.open(t, again)
		f.end(t, again.login.ID)
		before = f.state(t, f.Ports) // the user has logged in
	}
}

func openOnce(t *testing.T, f *fixture) {
	u := f.linked(t, "ana", domain.RoleMember)
	first := f.signedOn(t, u, "staff")
	second := f.opening(f.signOn(u, "others"))
	second.once = first.once
	for range 2 {
		_, err := second.on(t.Context(), f.Ports)
		wantKind(t, "Open with a state that was used", err, domain.Conflict)
	}
	f.wantNotKept(t, "refused", second.login.ID)
	f.wantMembers(t, "after a refused login", "others")
	f.wantRecords(t, "after a refused login")
	second.once.Kind = domain.OnceLoginLink // of another kind
	f.open(t, second)
	for range 2 {
		o := f.opening(f.signOn(u))
		o.once = domain.Once{}
		f.open(t, o)
	}
	f.wantRecords(t, "after logins with nothing that is used once")
}

func openDisplaces(t *testing.T, f *fixture) {
	u := f.linked(t, "ana", domain.RoleMember)
	var all []domain.Session
	for range domain.MaxSessions + 1 {
		f.clock.advance(time.Millisecond)
		all = append(all, f.signedOn(t, u).login)
	}
	f.wantOver(t, "the oldest", all[0])
	f.wantNotKept(t, "the oldest", all[0].ID)
	f.wantLive(t, "the others", all[1:]...)
}

// tried is an Open beside others.
type tried struct {
	opening
	change domain.SignOnChange
	err    error
}

// openAll opens all at the same instant, on all instances, and returns those that succeeded. The others
// must be Conflict.
func (f *fixture) openAll(t *testing.T, all []opening, beside ...func()) []tried {
	t.Helper()
	at := f.instances(t)
	made := make([]tried, len(all))
	atOnce(len(all)+len(beside), func(i int) {
		if i >= len(all) {
			beside[i-len(all)]()
			return
		}
		made[i].opening = all[i]
		made[i].change, made[i].err = all[i].on(t.Context(), at[i%len(at)].Ports)
	})
	var done []tried
	for _, m := range made {
		if m.err == nil {
			done = append(done, m)
		} else {
			wantKind(t, "Open beside others", m.err, domain.Conflict)
		}
	}
	return done
}

// writtenBy are the records of the logins.
func writtenBy(all []tried) []domain.Record {
	var recs []domain.Record
	for _, m := range all {
		for _, made := range m.change.Changes {
			recs = append(recs, recordOf(made, domain.ActorProvider, m.rec))
		}
		recs = append(recs, m.rec)
	}
	return recs
}

func signOnAtOnce(t *testing.T, f *fixture) {
	f.admin(t, "admin")
	for n := range rounds {
		u := f.somebody(domain.Username(fmt.Sprintf("new%d", n)))
		again := u
		again.ID = userID(f.next())
		done := f.openAll(t, []opening{f.opening(f.signOn(u)), f.opening(f.signOn(again))})
		if len(done) != 1 || !done[0].change.Created {
			t.Fatalf("Opens of the same new person: got %d that succeeded, want 1 that created a user", len(done))
		}
		f.wantUser(t, "after both", done[0].change.User)
		f.wantRecordsInAnyOrder(t, "after Opens of the same new person", writtenBy(done))
	}
}

func openOnceAtOnce(t *testing.T, f *fixture) {
	u := f.linked(t, "ana", domain.RoleMember)
	for range rounds {
		first, second := f.opening(f.signOn(u)), f.opening(f.signOn(u))
		second.once = first.once
		done := f.openAll(t, []opening{first, second})
		wantSame(t, "how many Opens with the same Once succeeded", len(done), 1)
		f.wantRecordsInAnyOrder(t, "after Opens with the same Once", writtenBy(done))
	}
}

func openBesidePut(t *testing.T, f *fixture) {
	at := f.instances(t)
	p := f.addNamed(t, "p")
	r := f.setRule(t, f.rule("staff", p.ID, domain.ScopesOf(domain.ScopeExport)))
	for n := range rounds {
		u := f.linked(t, domain.Username(fmt.Sprintf("ana%d", n)), domain.RoleMember)
		act := f.act(domain.ActionGrantProject, domain.OnGrant(u.ID, p.ID))
		var err error
		done := f.openAll(t, []opening{f.opening(f.signOn(u, "staff"))}, func() {
			err = at[len(at)-1].Ports.Grants.Put(t.Context(), act, u.ID, p.ID, domain.ScopesOf(domain.ScopeTranscripts), f.clock.now())
		})
		wantNil(t, "Put during Open", err)
		wantSame(t, "how many Opens succeeded", len(done), 1)
		both, _ := domain.NewGrant(u.ID, p.ID, domain.ScopesOf(domain.ScopeTranscripts), f.clock.now()).ByGroups([]domain.GroupGrant{group(r)})
		f.wantGrants(t, "after Put during Open", domain.GrantFilter{User: u.ID}, both)
		f.wantRecordsInAnyOrder(t, "after Put during Open", append(writtenBy(done), act.Record))
	}
}

func lastAdminsAtOnce(t *testing.T, f *fixture) {
	for n := range rounds {
		one, two := f.somebody(domain.Username(fmt.Sprintf("one%d", n))), f.somebody(domain.Username(fmt.Sprintf("two%d", n)))
		f.signedOn(t, one, "bosses")
		f.signedOn(t, two, "bosses")
		done := f.openAll(t, []opening{f.opening(f.signOn(one)), f.opening(f.signOn(two))})
		wantSame(t, "how many logins succeeded", len(done), 2)
		f.wantRecordsInAnyOrder(t, "after both logins", writtenBy(done))
		kept, err := f.Ports.Users.KeptAdmins(t.Context(), 10)
		wantNil(t, "KeptAdmins", err)
		if len(kept) != 1 || kept[0].Role != domain.RoleAdmin || kept[0].ID != one.ID && kept[0].ID != two.ID {
			t.Fatalf("KeptAdmins: got %v, want one of the two", kept)
		}
		f.removeUser(t, one.ID)
		f.removeUser(t, two.ID)
	}
}

func findKept(t *testing.T, f *fixture) {
	u := f.linked(t, "ana", domain.RoleMember)
	o := f.signedOn(t, u)
	bare := f.opening(f.signOn(u))
	bare.kept.Tokens, bare.kept.Sid, bare.login.Recheck = domain.Sealed{}, "", time.Time{}
	f.open(t, bare)
	f.wantKept(t, "with tokens", o.kept)
	f.wantKept(t, "without tokens", bare.kept)
	f.wantLive(t, "without a recheck", bare.login)
	f.wantNotKept(t, "of a login with a password, and of none", f.login(t, u).ID, sessionID(404), "")
	f.end(t, bare.login.ID)
	f.wantNotKept(t, "of a login that was ended", bare.login.ID)
	f.clock.set(o.login.Idle.Add(-1))
	f.wantKept(t, "a nanosecond before the end", o.kept)
	f.clock.set(o.login.Idle)
	f.wantNotKept(t, "at the end", o.login.ID)
}

func claimMoves(t *testing.T, f *fixture) {
	u := f.linked(t, "ana", domain.RoleMember)
	o := f.signedOn(t, u)
	never := f.opening(f.signOn(u))
	never.login.Recheck = time.Time{}
	f.open(t, never)
	claim := func(what string, s domain.Session, now, next time.Time, want bool) {
		t.Helper()
		got, err := f.Ports.SignOns.Claim(t.Context(), s.ID, now, next)
		wantNil(t, "Claim "+what, err)
		wantSame(t, "Claim "+what, got, want)
	}
	due := o.login.Recheck
	claim("before it is due", o.login, due.Add(-time.Microsecond), due.Add(time.Hour), false)
	claim("of a login without a recheck", never.login, due.Add(time.Hour), due.Add(2*time.Hour), false)
	claim("of a login with a password", f.login(t, u), due, due.Add(time.Hour), false)
	claim("of an unknown login", domain.Session{ID: sessionID(404)}, due, due.Add(time.Hour), false)
	claim("when it is due", o.login, due, due.Add(time.Minute), true)
	o.login.Recheck = due.Add(time.Minute)
	claim("again", o.login, due, due.Add(time.Hour), false)
	f.wantLive(t, "after Claim", o.login, never.login)
	f.clock.set(o.login.Idle)
	claim("of a login that is over", o.login, o.login.Idle, due.Add(9*time.Hour), false)
	f.wantRecords(t, "after Claims")
}

func claimAtOnce(t *testing.T, f *fixture) {
	at := f.instances(t)
	o := f.signedOn(t, f.linked(t, "ana", domain.RoleMember))
	due := o.login.Recheck
	for range rounds {
		var got [8]bool
		var errs [8]error
		next := due.Add(time.Second)
		atOnce(len(got), func(i int) {
			got[i], errs[i] = at[i%len(at)].Ports.SignOns.Claim(t.Context(), o.login.ID, due, next)
		})
		claimed := 0
		for i := range got {
			wantNil(t, "Claim beside others", errs[i])
			if got[i] {
				claimed++
			}
		}
		wantSame(t, "how many Claims got true", claimed, 1)
		due = next
	}
}

func renewApplies(t *testing.T, f *fixture) {
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	inP := f.setRule(t, f.rule("staff", p.ID, someScopes))
	f.setRule(t, f.rule("former", q.ID, someScopes))
	u := f.linked(t, "ana", domain.RoleMember)
	o, other := f.signedOn(t, u, "former"), f.signedOn(t, u, "former")
	lost := f.set(t, f.under(o.login, q.ID))
	f.clock.advance(time.Minute)
	in := f.signOn(u, "staff")
	in.Renews = true
	kept := domain.ProviderSession{Login: o.login.ID, Identity: u.Identity, Sid: "another", Tokens: providerTokens(1)}
	rec, next := f.record(domain.ActionProviderLogin, "x"), o.login.Recheck.Add(time.Hour)
	change, err := f.Ports.SignOns.Renew(t.Context(), in, kept, next, rec)
	wantNil(t, "Renew", err)
	f.changed(change, domain.ActorProvider, rec)
	wantSame(t, "how many records Renew keeps", len(change.Changes), 2)
	f.wantRecords(t, "after Renew")
	f.wantGrants(t, "after Renew", domain.GrantFilter{User: u.ID}, byGroups(u.ID, p.ID, in.At, group(inP)))
	f.wantKept(t, "after Renew", kept)
	f.wantKept(t, "of another login", other.kept)
	o.login.Recheck = next
	f.wantLive(t, "after Renew", o.login, other.login)
	f.wantOver(t, "allowed by the former group", lost)
	_, err = f.Ports.SignOns.Renew(t.Context(), in, kept, time.Time{}, rec)
	wantNil(t, "Renew without a next time", err)
	o.login.Recheck = time.Time{}
	f.wantLive(t, "after Renew without a next time", o.login)
	f.wantRecords(t, "after Renew that changes nothing")
}

func renewRefused(t *testing.T, f *fixture) {
	f.install(t)
	u := f.linked(t, "ana", domain.RoleMember)
	o, over := f.signedOn(t, u, "staff"), f.signedOn(t, u, "staff")
	f.end(t, over.login.ID)
	withPassword := f.login(t, u)
	before := f.state(t, f.Ports)
	renew := func(what string, login domain.SessionID, in domain.SignOn, kind domain.Kind) {
		t.Helper()
		kept := domain.ProviderSession{Login: login, Identity: u.Identity, Tokens: providerTokens(1)}
		_, err := f.Ports.SignOns.Renew(t.Context(), in, kept, f.clock.now().Add(time.Hour), f.record(domain.ActionProviderLogin, "x"))
		wantKind(t, "Renew "+what, err, kind)
		wantSame(t, "what is stored after Renew "+what, f.state(t, f.Ports), before)
	}
	in := f.signOn(u, "others")
	in.Renews = true
	renew("of a login that is over", over.login.ID, in, domain.NotFound)
	renew("of an unknown login", sessionID(404), in, domain.NotFound)
	renew("of a login with a password", withPassword.ID, in, domain.NotFound)
	in.Policy.Required = []string{"board"}
	renew("that is refused", o.login.ID, in, domain.NotAllowed)
	f.wantKept(t, "after what was refused", o.kept)
	f.wantMembers(t, "after what was refused", "others")
	f.wantRecords(t, "after what was refused")
}

func refuseEnds(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.linked(t, "ana", domain.RoleMember, p.ID)
	o, other := f.signedOn(t, u), f.signedOn(t, u)
	under, withPassword := f.set(t, f.under(o.login, p.ID)), f.login(t, u)
	refuse := func(login domain.SessionID) domain.Record {
		t.Helper()
		rec := f.record(domain.ActionProviderLogin, domain.OnSession(login))
		wantNil(t, "Refuse", f.Ports.SignOns.Refuse(t.Context(), login, rec))
		return rec
	}
	f.log = append(f.log, refuse(o.login.ID))
	f.wantOver(t, "refused", o.login, under)
	f.wantNotKept(t, "refused", o.login.ID)
	f.wantRecords(t, "after Refuse")
	for _, login := range []domain.SessionID{o.login.ID, sessionID(404), withPassword.ID} {
		refuse(login)
	}
	f.wantLive(t, "not refused", other.login, withPassword)
	f.clock.set(other.login.Idle)
	refuse(other.login.ID)
	f.wantRecords(t, "after Refuse of what is over, or of no such login")
}

func logoutEnds(t *testing.T, f *fixture) {
	f.admin(t, "admin")
	p := f.addNamed(t, "p")
	ana, bob := f.linked(t, "ana", domain.RoleMember, p.ID), f.linked(t, "bob", domain.RoleMember)
	foreign := f.somebody("cem")
	foreign.Identity = domain.Identity{Issuer: "https://other.example", Subject: ana.Identity.Subject}
	open := func(u domain.User, sid string) opening {
		o := f.opening(f.signOn(u))
		o.kept.Sid = sid
		f.open(t, o)
		return o
	}
	a1, a2, a3 := open(ana, "one"), open(ana, "one"), open(ana, "two")
	b1, none, other := open(bob, "one"), open(bob, ""), open(foreign, "one")
	under, withPassword := f.set(t, f.under(a1.login, p.ID)), f.login(t, ana)
	logout := func(what string, of domain.Identity, sid string, want int) {
		t.Helper()
		out, rec := f.logout(domain.ProviderLogout{Identity: of, Sid: sid}), f.record(domain.ActionProviderLogin, "x")
		n, err := f.Ports.SignOns.Logout(t.Context(), out, rec)
		wantNil(t, "Logout "+what, err)
		wantSame(t, "Logout "+what, n, want)
		f.log = append(f.log, rec)
	}
	logout("of an unknown session", ana.Identity, "three", 0)
	logout("of another's session", ana.Identity, b1.kept.Sid+"x", 0)
	logout("of nobody", domain.Identity{Issuer: issuer}, "", 0)
	logout("of an unknown issuer", domain.Identity{Issuer: "https://id.example.net", Subject: ana.Identity.Subject}, "", 0)
	f.wantLive(t, "after Logouts of nothing", a1.login, a2.login, a3.login, b1.login, none.login, other.login, under, withPassword)
	logout("of a session of a subject", ana.Identity, "one", 2)
	f.wantOver(t, "named by the session and the subject", a1.login, a2.login, under)
	f.wantNotKept(t, "named by the session and the subject", a1.login.ID, a2.login.ID)
	logout("of a session", domain.Identity{Issuer: issuer}, "one", 1)
	f.wantOver(t, "named by the session", b1.login)
	f.wantLive(t, "not named", a3.login, none.login, other.login)
	logout("of a subject", ana.Identity, "", 1)
	f.wantOver(t, "named by the subject", a3.login)
	f.wantLive(t, "not named", none.login, other.login, withPassword)
	f.clock.set(none.login.Idle)
	logout("of logins that are over", bob.Identity, "", 0)
	f.wantRecords(t, "after each Logout")
}

func logoutOnce(t *testing.T, f *fixture) {
	u := f.linked(t, "ana", domain.RoleMember)
	out := f.logout(domain.ProviderLogout{Identity: u.Identity})
	logout := func() error {
		_, err := f.Ports.SignOns.Logout(t.Context(), out, f.record(domain.ActionProviderLogin, "x"))
		return err
	}
	f.signedOn(t, u)
	wantNil(t, "Logout", logout())
	f.log = f.Records(t)
	o := f.signedOn(t, u)
	f.clock.set(out.Ends.Add(-time.Microsecond))
	wantKind(t, "Logout with the same id", logout(), domain.Conflict)
	f.wantLive(t, "after Logout with the same id", o.login)
	f.wantRecords(t, "after Logout with the same id")
	foreign := out
	foreign.Identity.Issuer = "https://other.example"
	_, err := f.Ports.SignOns.Logout(t.Context(), foreign, f.record(domain.ActionProviderLogin, "x"))
	wantNil(t, "Logout with the same id of another issuer", err)
	f.clock.set(out.Ends)
	wantNil(t, "Logout with an id that is forgotten", logout())
	f.wantOver(t, "after Logout with an id that is forgotten", o.login)
}

func logoutAtOnce(t *testing.T, f *fixture) {
	at := f.instances(t)
	for range rounds {
		out := f.logout(domain.ProviderLogout{Identity: f.identity()})
		var errs [4]error
		atOnce(len(errs), func(i int) {
			_, errs[i] = at[i%len(at)].Ports.SignOns.Logout(t.Context(), out, f.record(domain.ActionProviderLogin, "x"))
		})
		done := 0
		for _, err := range errs {
			if err == nil {
				done++
			} else {
				wantKind(t, "Logout beside others", err, domain.Conflict)
			}
		}
		wantSame(t, "how many Logouts with the same id succeeded", done, 1)
	}
}

func signOnsOfRemoved(t *testing.T, f *fixture) {
	f.admin(t, "admin")
	u := f.linked(t, "ana", domain.RoleMember)
	o := f.signedOn(t, u, "staff")
	f.removeUser(t, u.ID)
	f.wantNotKept(t, "of a user who is gone", o.login.ID)
	f.wantMembers(t, "of a user who is gone", "staff")
	_, err := f.Ports.Users.Find(t.Context(), domain.UserRef{Identity: u.Identity})
	wantKind(t, "Users.Find of an identity whose user is gone", err, domain.NotFound)
	again := f.somebody("ana")
	again.Identity = u.Identity
	f.signedOn(t, again)
	f.wantMembers(t, "of a new user with the identity", "staff")
}
