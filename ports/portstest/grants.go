package portstest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// Grants checks every sentence in the comments of ports.Grants that can be seen from outside.
func Grants(t *testing.T, open OpenStore) {
	check(t, open, append([]sentence{
		{"Put lets that user use that project", grantLets},
		{"Put takes any user, known or not", grantAnybody},
		{"Put of an existing grant succeeds, changes nothing and keeps no record", grantTwice},
		{"Put replaces the scopes of an existing grant and nothing else, together with the record", grantReplaces},
		{"empty scopes keep the scopes of an existing grant, and mean the default scopes for a new one", grantDefaults},
		{"Put of other scopes ends no session", grantEndsNothing},
		{"of several Puts of other scopes at the same instant one remains, complete", grantScopesAtOnce},
		{"Put of an unknown project is NotFound and keeps no record", grantUnknown},
		{"a Put during a Remove of the project leaves no grant behind", grantDuringRemove},
		{"Page returns the grants that match the filter, and no match is no error", grantsFilter},
		{"Page is in the order of the bytes of the user, then the project, returns at most limit, and goes on after the cursor", grantsOrder},
		{"Page shows grants that came with a user, and none that went with a project", grantsOfUsers},
		{"Page holds no connection after it has returned", grantsConnections},
		{"Remove takes the grant back", revokeTakes},
		{"Remove ends the assistant sessions that the grant allowed, and no other", revokeEndsSessions},
		{"Remove of what is not granted succeeds, changes nothing and keeps no record", revokeUnknown},
		{"no session outlives a Remove at the same instant, and the grant given again revives none", revokeRace},
		{"Remove takes what an admin granted and leaves what groups grant, and is Conflict if only they do", revokeOfGroups},
	}, promises("Grants")...))
}

// grantLets has two users whose ids differ in the case of one letter.
func grantLets(t *testing.T, f *fixture) {
	const user, other = domain.UserID("a host's user"), domain.UserID("A host's user")
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	f.wantSeen(t, "before Put", domain.GrantedTo(user))
	f.grant(t, user, p.ID)
	f.wantSeen(t, "the user after Put", domain.GrantedTo(user), p.ID)
	f.wantSeen(t, "another user after Put", domain.GrantedTo(other))
	f.grant(t, user, q.ID)
	f.grant(t, other, q.ID)
	f.wantSeen(t, "the user after a second Put", domain.GrantedTo(user), p.ID, q.ID)
	f.wantSeen(t, "another user after a Put to them", domain.GrantedTo(other), q.ID)
	f.wantRecords(t, "after each Put")
}

// hostsUserIDs are user ids as the authentication of a host program may have them, no two
// equal, and more after them.
func hostsUserIDs(more ...string) []domain.UserID {
	var all []domain.UserID
	for _, text := range append(names(), more...) {
		user, err := domain.ParseUserID(text)
		if err != nil || slices.Contains(all, user) {
			continue // what the domain takes for no user id gets as far as no port
		}
		all = append(all, user)
	}
	return all
}

// grantAnybody has ids as the authentication of a host program may have them.
func grantAnybody(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	for _, user := range hostsUserIDs("auth0|507f1f77bcf86cd799439011", "CN=Ana,OU=Support,O=Acme", strings.Repeat("u", 128)) {
		f.wantSeen(t, fmt.Sprintf("the user %q before Put", user), domain.GrantedTo(user))
		f.grant(t, user, p.ID)
		f.wantSeen(t, fmt.Sprintf("the user %q after Put", user), domain.GrantedTo(user), p.ID)
	}
	f.wantRecords(t, "after each Put")
}

// grantTwice grants once more, one after the other and at the same instant.
func grantTwice(t *testing.T, f *fixture) {
	const user = domain.UserID("a host's user")
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	f.grant(t, user, p.ID)
	f.clock.advance(time.Hour)
	for range 2 {
		err := f.Ports.Grants.Put(t.Context(), f.act(domain.ActionGrantProject, domain.OnGrant(user, p.ID)), user, p.ID, 0, f.clock.now())
		wantNil(t, "Put of what is granted", err)
	}
	f.wantSeen(t, "after Put of what is granted", domain.GrantedTo(user), p.ID)
	f.wantRecords(t, "after Put of what is granted")

	at := f.instances(t)
	recs, errs := make([]domain.Record, crowd), make([]error, crowd)
	for i := range crowd {
		recs[i] = f.record(domain.ActionGrantProject, domain.OnGrant(user, q.ID))
	}
	atOnce(crowd, func(i int) {
		errs[i] = at[i%len(at)].Ports.Grants.Put(t.Context(), byOperator(recs[i]), user, q.ID, 0, f.clock.now())
	})
	for _, err := range errs {
		wantNil(t, fmt.Sprintf("one of %d Puts at the same instant", crowd), err)
	}
	f.wantSeen(t, "after many equal Puts at the same instant", domain.GrantedTo(user), p.ID, q.ID)
	f.wantOneOf(t, "after many equal Puts at the same instant", recs)
}

// wantGrants fails the test unless the grants that the filter picks are these.
func (f *fixture) wantGrants(t *testing.T, what string, filter domain.GrantFilter, want ...domain.Grant) {
	t.Helper()
	got, err := f.Ports.Grants.Page(t.Context(), filter, domain.Cursor{}, 1000)
	wantNil(t, what+": Grants.Page", err)
	wantSame(t, what+": Grants.Page", got, want)
}

// grantReplaces comes a while later with each set, so that another instant would show.
func grantReplaces(t *testing.T, f *fixture) {
	const user, other = domain.UserID("a host's user"), domain.UserID("another")
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	began := domain.Instant(f.clock.now())
	f.grantScopes(t, other, p.ID, domain.AllScopes())
	f.grantScopes(t, user, q.ID, domain.AllScopes())
	rest := []domain.Grant{domain.NewGrant(user, q.ID, domain.AllScopes(), began), domain.NewGrant(other, p.ID, domain.AllScopes(), began)}
	f.clock.advance(time.Hour)
	created := domain.Instant(f.clock.now())
	for _, scopes := range scopeSets {
		f.grantScopes(t, user, p.ID, scopes)
		what := fmt.Sprintf("after Put of %q", scopes.Text())
		want := domain.NewGrant(user, p.ID, scopes, created)
		f.wantGrants(t, what, domain.GrantFilter{}, want, rest[0], rest[1])
		f.clock.advance(time.Hour)
		for range 2 {
			err := f.Ports.Grants.Put(t.Context(), f.act(domain.ActionGrantProject, domain.OnGrant(user, p.ID)), user, p.ID, scopes, f.clock.now())
			wantNil(t, "Put of the same scopes", err)
		}
		f.wantGrants(t, what+", and of the same again", domain.GrantFilter{}, want, rest[0], rest[1])
	}
	f.wantSeen(t, "after each Put", domain.GrantedTo(user), p.ID, q.ID)
	f.wantRecords(t, "after each Put")
}

// grantDefaults removes a grant and puts it again, as a new grant.
func grantDefaults(t *testing.T, f *fixture) {
	const user = domain.UserID("a host's user")
	p := f.addNamed(t, "p")
	began := domain.Instant(f.clock.now())
	f.grantScopes(t, user, p.ID, 0)
	f.wantGrants(t, "a new grant without scopes", domain.GrantFilter{}, domain.NewGrant(user, p.ID, domain.DefaultScopes(), began))

	wide := domain.ScopesOf(domain.ScopeTranscripts, domain.ScopeExport)
	f.grantScopes(t, user, p.ID, wide)
	f.clock.advance(time.Hour)
	err := f.Ports.Grants.Put(t.Context(), f.act(domain.ActionGrantProject, domain.OnGrant(user, p.ID)), user, p.ID, 0, f.clock.now())
	wantNil(t, "Put without scopes of what is granted", err)
	f.wantGrants(t, "a grant with scopes, granted again without", domain.GrantFilter{}, domain.NewGrant(user, p.ID, wide, began))
	f.wantRecords(t, "after Put without scopes of what is granted")

	f.revoke(t, user, p.ID)
	f.wantGrants(t, "after Grants.Remove", domain.GrantFilter{})
	at := f.clock.now()
	f.grantScopes(t, user, p.ID, 0)
	f.wantGrants(t, "a grant that was taken back, granted again without scopes", domain.GrantFilter{},
		domain.NewGrant(user, p.ID, domain.DefaultScopes(), domain.Instant(at)))
	f.wantRecords(t, "after each Put")
}

// grantEndsNothing narrows what a session may be used for, which the session says nothing
// about.
func grantEndsNothing(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	login := f.login(t, u)
	all := []domain.Session{login, f.set(t, f.under(login, p.ID)), f.set(t, f.hosted(u.ID, p.ID))}
	for _, scopes := range []domain.Scopes{domain.AllScopes(), domain.ScopesOf(domain.ScopeAnalytics)} {
		f.grantScopes(t, u.ID, p.ID, scopes)
		f.wantLive(t, "after Put of other scopes", all...)
	}
	f.wantUser(t, "after Put of other scopes", u)
	f.wantRecords(t, "after Puts of other scopes")
}

// grantScopesAtOnce grants what is not granted in the first round, and changes it in the
// others.
func grantScopesAtOnce(t *testing.T, f *fixture) {
	const user = domain.UserID("a host's user")
	at := f.instances(t)
	p := f.addNamed(t, "p")
	created := domain.Instant(f.clock.now())
	for range rounds / 4 {
		recs, errs := make([]domain.Record, len(scopeSets)), make([]error, len(scopeSets))
		for i := range recs {
			recs[i] = f.record(domain.ActionGrantProject, scopeSets[i].Text())
		}
		atOnce(len(scopeSets), func(i int) {
			errs[i] = at[i%len(at)].Ports.Grants.Put(t.Context(), byOperator(recs[i]), user, p.ID, scopeSets[i], f.clock.now())
		})
		for _, err := range errs {
			wantNil(t, "one of several Puts at the same instant", err)
		}
		got, err := f.Ports.Grants.Page(t.Context(), domain.GrantFilter{}, domain.Cursor{}, 10)
		wantNil(t, "Grants.Page after several Puts at the same instant", err)
		if len(got) != 1 || !slices.Contains(scopeSets, got[0].Scopes) {
			t.Fatalf("Grants.Page after several Puts at the same instant: got %v, want one of those that were given", got)
		}
		wantSame(t, "the grant after several at the same instant", got[0], domain.NewGrant(user, p.ID, got[0].Scopes, created))
		written := f.Records(t)[len(f.log):]
		for _, rec := range written {
			if !slices.Contains(recs, rec) {
				t.Fatalf("after several Puts at the same instant: got the audit record %+v, want some of those handed in", rec)
			}
		}
		f.log = append(f.log, written...)
	}
}

// grantsFilter has users and projects whose names are prefixes of one another.
func grantsFilter(t *testing.T, f *fixture) {
	f.wantGrants(t, "without any grant", domain.GrantFilter{})
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	grant := func(user domain.UserID, p domain.Project, scopes domain.Scopes) domain.Grant {
		f.clock.advance(time.Second)
		f.grantScopes(t, user, p.ID, scopes)
		return domain.NewGrant(user, p.ID, scopes, domain.Instant(f.clock.now()))
	}
	annInQ := grant("ann", q, domain.AllScopes())
	anInP := grant("an", p, domain.ScopesOf(domain.ScopeConverse))
	capInP := grant("Ann", p, domain.ScopesOf(domain.ScopeExport))
	annInP := grant("ann", p, domain.ScopesOf(domain.ScopeAnalytics))
	for _, tc := range []struct {
		name   string
		filter domain.GrantFilter
		want   []domain.Grant
	}{
		{"everything", domain.GrantFilter{}, []domain.Grant{capInP, anInP, annInP, annInQ}},
		{"a user", domain.GrantFilter{User: "ann"}, []domain.Grant{annInP, annInQ}},
		{"a user whose name begins another's", domain.GrantFilter{User: "an"}, []domain.Grant{anInP}},
		{"a project", domain.GrantFilter{Project: p.ID}, []domain.Grant{capInP, anInP, annInP}},
		{"another project", domain.GrantFilter{Project: q.ID}, []domain.Grant{annInQ}},
		{"a user and a project", domain.GrantFilter{User: "ann", Project: p.ID}, []domain.Grant{annInP}},
		{"a user and a project without a grant", domain.GrantFilter{User: "an", Project: q.ID}, nil},
		{"a user without a grant", domain.GrantFilter{User: "nobody"}, nil},
		{"a wildcard", domain.GrantFilter{User: "an%"}, nil},
		{"a project that does not exist", domain.GrantFilter{Project: projectID(404)}, nil},
	} {
		f.wantGrants(t, "Grants.Page of "+tc.name, tc.filter, tc.want...)
	}
	f.remove(t, q.ID)
	f.wantGrants(t, "after Remove of a project", domain.GrantFilter{User: "ann"}, annInP)
	f.wantRecords(t, "after Grants.Page, which keeps none")
}

// grantsOrder has users whose order is another one in every language than in bytes, each
// with several projects.
func grantsOrder(t *testing.T, f *fixture) {
	var all []domain.Grant
	var ps []domain.ProjectID
	for range 3 {
		ps = append(ps, f.addNamed(t, "p").ID)
	}
	for i, user := range hostsUserIDs() {
		for n := range ps {
			id := ps[(n+i)%len(ps)]
			f.grant(t, user, id)
			all = append(all, domain.NewGrant(user, id, domain.DefaultScopes(), domain.Instant(f.clock.now())))
		}
	}
	order := func(a, b domain.Grant) int {
		return cmp.Or(cmp.Compare(a.User, b.User), cmp.Compare(a.Project, b.Project))
	}
	slices.SortFunc(all, order)
	middle := all[len(all)/2]
	for name, filter := range map[string]domain.GrantFilter{
		"of all": {}, "of a user": {User: middle.User}, "of a project": {Project: middle.Project}, "of both": {User: middle.User, Project: middle.Project},
	} {
		var want []domain.Grant
		for _, g := range all {
			if (filter.User == "" || filter.User == g.User) && (filter.Project == "" || filter.Project == g.Project) {
				want = append(want, g)
			}
		}
		for _, limit := range []int{1, 2, 7, len(all)} {
			what := fmt.Sprintf("Grants.Page %s, paged by %d", name, limit)
			wantSame(t, what, f.walkGrants(t, what, filter, limit), want)
		}
		// A cursor may be at any place, also at one that the filter does not pick.
		for i, g := range all {
			if i%5 != 0 && g.User != middle.User {
				continue
			}
			got, err := f.Ports.Grants.Page(t.Context(), filter, behindGrant(g), len(all))
			wantNil(t, "Grants.Page "+name+" behind a grant", err)
			rest := want[len(want):]
			if n := slices.IndexFunc(want, func(w domain.Grant) bool { return order(w, g) > 0 }); n >= 0 {
				rest = want[n:]
			}
			wantSame(t, fmt.Sprintf("Grants.Page %s behind %q in %q", name, g.User, g.Project), got, rest)
		}
	}
	f.revoke(t, middle.User, middle.Project)
	got, err := f.Ports.Grants.Page(t.Context(), domain.GrantFilter{}, behindGrant(middle), 1)
	wantNil(t, "Grants.Page behind a grant that is gone", err)
	wantSame(t, "Grants.Page behind a grant that is gone", got, all[len(all)/2+1:][:1])
}

func behindGrant(g domain.Grant) domain.Cursor {
	return domain.Cursor{Name: string(g.User), ID: string(g.Project)}
}

// walkGrants reads all pages of limit each.
func (f *fixture) walkGrants(t *testing.T, what string, filter domain.GrantFilter, limit int) []domain.Grant {
	t.Helper()
	var all []domain.Grant
	var at domain.Cursor
	for page := 1; ; page++ {
		got, err := f.Ports.Grants.Page(t.Context(), filter, at, limit)
		wantNil(t, fmt.Sprintf("%s: page %d", what, page), err)
		if len(got) > limit {
			t.Fatalf("%s: page %d: got %d grants, want at most %d", what, page, len(got), limit)
		}
		if len(got) == 0 {
			return all
		}
		if page > 1000 {
			t.Fatalf("%s: still going on after 1,000 pages, want an end", what)
		}
		all = append(all, got...)
		at = behindGrant(got[len(got)-1])
	}
}

// grantsOfUsers looks from the side of the users, who bring grants along.
func grantsOfUsers(t *testing.T, f *fixture) {
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	u := f.member(t, "ana", p.ID, q.ID)
	wantScopes := func(what string, want map[domain.ProjectID]domain.Scopes) {
		t.Helper()
		got, err := f.Ports.Grants.Page(t.Context(), domain.GrantFilter{User: u.ID}, domain.Cursor{}, 10)
		wantNil(t, what+": Grants.Page", err)
		wantSame(t, what+": the scopes of the grants", scopesOf(got), want)
	}
	wantScopes("after Create", map[domain.ProjectID]domain.Scopes{p.ID: domain.DefaultScopes(), q.ID: domain.DefaultScopes()})
	f.grantScopes(t, u.ID, q.ID, domain.AllScopes())
	wantScopes("after Put of other scopes", map[domain.ProjectID]domain.Scopes{p.ID: domain.DefaultScopes(), q.ID: domain.AllScopes()})
	f.update(t, u.ID, func(u *domain.User) { u.SetAssistants([]domain.ProjectID{q.ID}) })
	wantScopes("after an Update without one of them", map[domain.ProjectID]domain.Scopes{q.ID: domain.AllScopes()})
	f.remove(t, q.ID)
	wantScopes("after Remove of the project", map[domain.ProjectID]domain.Scopes{})
	f.grant(t, u.ID, p.ID)
	f.removeUser(t, u.ID)
	wantScopes("after Remove of the user", map[domain.ProjectID]domain.Scopes{})
}

// scopesOf returns the scopes of one user's grants.
func scopesOf(grants []domain.Grant) map[domain.ProjectID]domain.Scopes {
	all := map[domain.ProjectID]domain.Scopes{}
	for _, g := range grants {
		all[g.Project] = g.Scopes
	}
	return all
}

// grantsConnections reads more pages than any pool has connections.
func grantsConnections(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	for n := range 3 {
		f.grant(t, userID(n), p.ID)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for n := range 200 {
		_, err := f.Ports.Grants.Page(ctx, domain.GrantFilter{}, domain.Cursor{}, 1)
		wantNil(t, fmt.Sprintf("Grants.Page, the %dth time", n+1), err)
	}
	err := f.Ports.Grants.Put(ctx, f.act(domain.ActionGrantProject, "after"), userID(4), p.ID, 0, f.clock.now())
	wantNil(t, "Put after 200 pages of grants", err)
}

// grantUnknown adds the id afterwards, so that a grant that was kept for it would show.
func grantUnknown(t *testing.T, f *fixture) {
	const user = domain.UserID("a host's user")
	p := f.addNamed(t, "p")
	f.remove(t, p.ID)
	for what, id := range map[string]domain.ProjectID{"a project that never was": projectID(404), "a project that was removed": p.ID} {
		err := f.Ports.Grants.Put(t.Context(), f.act(domain.ActionGrantProject, domain.OnGrant(user, id)), user, id, 0, f.clock.now())
		wantKind(t, "Put of "+what, err, domain.NotFound)
	}
	f.wantRecords(t, "after Puts of unknown projects")
	f.add(t, p)
	f.wantSeen(t, "after the id came to be there", domain.GrantedTo(user))
}

// grantDuringRemove fails for an adapter that looks for the project first and stores the
// grant then.
func grantDuringRemove(t *testing.T, f *fixture) {
	const grants = 4
	at := f.instances(t)
	for round := range rounds {
		p := f.addNamed(t, fmt.Sprintf("project %d", round))
		recs, errs := make([]domain.Record, grants+1), make([]error, grants+1)
		for i := range grants {
			recs[i] = f.record(domain.ActionGrantProject, domain.OnGrant(userID(i), p.ID))
		}
		recs[grants] = f.record(domain.ActionDeleteProject, domain.OnProject(p.ID))
		atOnce(grants+1, func(i int) {
			if i == grants {
				errs[i] = f.Ports.Projects.Remove(t.Context(), byOperator(recs[i]), p.ID)
				return
			}
			errs[i] = at[i%len(at)].Ports.Grants.Put(t.Context(), byOperator(recs[i]), userID(i), p.ID, 0, f.clock.now())
		})
		wantNil(t, "Remove during Puts", errs[grants])
		var written []domain.Record
		for i, err := range errs {
			if err == nil {
				written = append(written, recs[i])
			} else {
				wantKind(t, "Put during Remove", err, domain.NotFound)
			}
		}
		f.wantRecordsInAnyOrder(t, "after Puts during Remove", written)
		f.add(t, p)
		for i := range grants {
			f.wantSeen(t, "after Put during Remove, and the same id added again", domain.GrantedTo(userID(i)))
		}
		f.remove(t, p.ID)
	}
}

func revokeTakes(t *testing.T, f *fixture) {
	const user, other = domain.UserID("a host's user"), domain.UserID("another")
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	for _, u := range []domain.UserID{user, other} {
		f.grant(t, u, p.ID)
		f.grant(t, u, q.ID)
	}
	f.revoke(t, user, p.ID)
	f.wantSeen(t, "the user after Grants.Remove", domain.GrantedTo(user), q.ID)
	f.wantSeen(t, "another user after Grants.Remove", domain.GrantedTo(other), p.ID, q.ID)
	f.wantSeen(t, "an admin after Grants.Remove", everything, p.ID, q.ID)
	got, err := f.Ports.Projects.Find(t.Context(), domain.GrantedTo(user), domain.ProjectRef{ID: p.ID})
	wantNil(t, "Find after Grants.Remove", err)
	wantSame(t, "Find after Grants.Remove", ids(got), []domain.ProjectID{})
	f.wantRecords(t, "after Grants.Remove")
	f.grant(t, user, p.ID)
	f.wantSeen(t, "the user after Put again", domain.GrantedTo(user), p.ID, q.ID)
	f.wantRecords(t, "after Put again")
}

// revokeEndsSessions has sessions of that user in that project that something else allowed. It
// also has sessions of other users that a grant of theirs allowed.
func revokeEndsSessions(t *testing.T, f *fixture) {
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	member, other := f.member(t, "member", p.ID, q.ID), f.member(t, "other", p.ID)
	admin := f.create(t, f.user("admin", domain.RoleAdmin, p.ID))
	const host = domain.UserID("a host's user")
	f.grant(t, host, p.ID)

	logins := []domain.Session{f.login(t, member), f.login(t, member), f.login(t, member), f.login(t, other), f.login(t, admin), f.login(t, admin)}
	ended := []domain.Session{
		f.set(t, f.under(logins[0], p.ID)),
		f.set(t, f.under(logins[1], p.ID)),
		f.set(t, f.hosted(member.ID, p.ID)),
		f.set(t, f.hosted(host, p.ID)),
		f.set(t, f.under(logins[4], p.ID)), // of an admin, but let in by the grant
	}
	kept := append(slices.Clone(logins),
		f.set(t, f.under(logins[2], q.ID)),
		f.set(t, f.under(logins[3], p.ID)),
		f.set(t, f.byRole(logins[5], p.ID)),
		f.set(t, f.hostedByRole(host, p.ID)),
	)
	for _, u := range []domain.UserID{member.ID, host, admin.ID} {
		f.revoke(t, u, p.ID)
	}
	f.wantOver(t, "let in by the grant that was taken back", ended...)
	f.wantLive(t, "not let in by the grant that was taken back", kept...)
	f.wantRecords(t, "after Grants.Remove")

	for _, u := range []domain.UserID{member.ID, host, admin.ID} {
		f.grant(t, u, p.ID)
	}
	f.wantOver(t, "let in by a grant that was taken back and given again", ended...)
}

func revokeUnknown(t *testing.T, f *fixture) {
	const user = domain.UserID("a host's user")
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	f.grant(t, user, q.ID)
	for what, id := range map[string]domain.ProjectID{"a project that is not granted": p.ID, "a project that does not exist": projectID(404)} {
		err := f.Ports.Grants.Remove(t.Context(), f.act(domain.ActionRevokeProject, domain.OnGrant(user, id)), user, id)
		wantNil(t, "Grants.Remove of "+what, err)
	}
	f.wantRecords(t, "after Grants.Remove of what is not granted")
	f.wantSeen(t, "after Grants.Remove of what is not granted", domain.GrantedTo(user), q.ID)

	at := f.instances(t)
	recs, errs := make([]domain.Record, crowd), make([]error, crowd)
	for i := range crowd {
		recs[i] = f.record(domain.ActionRevokeProject, domain.OnGrant(user, q.ID))
	}
	atOnce(crowd, func(i int) { errs[i] = at[i%len(at)].Ports.Grants.Remove(t.Context(), byOperator(recs[i]), user, q.ID) })
	for _, err := range errs {
		wantNil(t, fmt.Sprintf("one of %d Removes at the same instant", crowd), err)
	}
	f.wantSeen(t, "after many equal Removes at the same instant", domain.GrantedTo(user))
	f.wantOneOf(t, "after many equal Removes at the same instant", recs)
}

// revokeRace fails for an adapter that looks for the grant first and stores the session
// then, or takes the grant first and ends the sessions in another change.
func revokeRace(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "member", p.ID)
	logins := f.logins(t, u)
	var before []domain.Session
	for range rounds {
		tries := append(f.eachUnder(logins, p.ID), f.hosted(u.ID, p.ID))
		f.openDuring(t, "Grants.Remove", u, tries, domain.ActionRevokeProject,
			func(rec domain.Record) error { return f.Ports.Grants.Remove(t.Context(), byOperator(rec), u.ID, p.ID) }, domain.NotAllowed)
		f.grant(t, u.ID, p.ID)
		before = append(before, tries...)
		f.wantOver(t, "opened during Grants.Remove, after the grant was given again", before...)
		f.wantLive(t, "logins, which Grants.Remove does not end", logins...)
	}
}

// scopeSets are sets of scopes as a grant may have them.
var scopeSets = []domain.Scopes{
	domain.ScopesOf(domain.ScopeConverse), domain.ScopesOf(domain.ScopeTranscripts), domain.ScopesOf(domain.ScopeTranscriptsDelete),
	domain.ScopesOf(domain.ScopeAnalytics), domain.ScopesOf(domain.ScopeKnowledge), domain.ScopesOf(domain.ScopeKnowledgeWrite),
	domain.ScopesOf(domain.ScopeExport), domain.ScopesOf(domain.ScopeConverse, domain.ScopeExport),
	domain.ScopesOf(domain.ScopeTranscripts, domain.ScopeTranscriptsDelete, domain.ScopeAnalytics), domain.AllScopes(),
}
