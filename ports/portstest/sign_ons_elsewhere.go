package portstest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// revokeOfGroups has a grant of a group alone, and one of an admin and a group.
func revokeOfGroups(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	r := f.setRule(t, f.rule("staff", p.ID, someScopes, "main"))
	u := f.linked(t, "ana", domain.RoleMember, p.ID)
	o := f.signedOn(t, u, "staff")
	s := f.set(t, f.under(o.login, p.ID))
	f.revoke(t, u.ID, p.ID)
	byGroup := byGroups(u.ID, p.ID, o.in.At, group(r))
	f.wantGrants(t, "after Remove of what a group grants too", domain.GrantFilter{}, byGroup)
	f.wantLive(t, "after Remove of what a group grants too", s)
	err := f.Ports.Grants.Remove(t.Context(), f.act(domain.ActionRevokeProject, "x"), u.ID, p.ID)
	wantKind(t, "Remove of what only a group grants", err, domain.Conflict)
	f.wantGrants(t, "after Remove of what only a group grants", domain.GrantFilter{}, byGroup)
	f.wantLive(t, "after Remove of what only a group grants", s)
	f.grantScopes(t, u.ID, p.ID, domain.ScopesOf(domain.ScopeExport))
	f.wantGrants(t, "after Put of what a group grants", domain.GrantFilter{}, byGroup.Regranted(domain.ScopesOf(domain.ScopeExport)))
	f.wantRecords(t, "after each")
}

// updateKeepsGroups takes assistants away from a user.
func updateKeepsGroups(t *testing.T, f *fixture) {
	p, q, r := f.addNamed(t, "p"), f.addNamed(t, "q"), f.addNamed(t, "r")
	inP, inQ := f.setRule(t, f.rule("staff", p.ID, someScopes)), f.setRule(t, f.rule("staff", q.ID, someScopes))
	u := f.linked(t, "ana", domain.RoleMember, q.ID, r.ID)
	o := f.signedOn(t, u, "staff")
	at := o.in.At
	s := f.set(t, f.under(o.login, q.ID))
	got := f.update(t, u.ID, func(u *domain.User) { u.SetAssistants(nil) })
	u.SignedOn = domain.Instant(at)
	u.SetAssistants([]domain.ProjectID{p.ID, q.ID})
	wantSame(t, "what Update returns", got, u)
	f.wantUser(t, "after Update", u)
	f.wantGrants(t, "after Update", domain.GrantFilter{}, byGroups(u.ID, p.ID, at, group(inP)), byGroups(u.ID, q.ID, at, group(inQ)))
	f.wantLive(t, "allowed by a group", s)
	f.wantRecords(t, "after Update")
}

// updateLinks links and unlinks users.
func updateLinks(t *testing.T, f *fixture) {
	ana, bob := f.member(t, "ana"), f.linked(t, "bob", domain.RoleMember)
	id := f.identity()
	link := func(to domain.Identity) func(u *domain.User) { return func(u *domain.User) { u.Identity = to } }
	ana.Identity = id
	wantSame(t, "what Update returns", f.update(t, ana.ID, link(id)), ana)
	for _, u := range []domain.User{ana, bob} {
		got, err := f.Ports.Users.Find(t.Context(), domain.UserRef{Identity: u.Identity})
		wantNil(t, "Find by identity", err)
		wantSame(t, "Find by identity", got, u)
	}
	for what, ref := range map[string]domain.UserRef{
		"another subject": {Identity: domain.Identity{Issuer: issuer, Subject: id.Subject + "x"}}, "another issuer": {Identity: domain.Identity{Issuer: "https://x", Subject: id.Subject}},
		"no subject": {Identity: domain.Identity{Issuer: issuer}}, "the identity of another": {ID: bob.ID, Identity: id}, "another name": {Name: "bob", Identity: id},
	} {
		_, err := f.Ports.Users.Find(t.Context(), ref)
		wantKind(t, "Find of "+what, err, domain.NotFound)
	}
	_, err := f.Ports.Users.Update(t.Context(), f.act(domain.ActionLinkIdentity, "x"), bob.ID, changing(link(id)), domain.Kept{})
	wantKind(t, "Update to another user's identity", err, domain.Conflict)
	wantSame(t, "what Update to another user's identity says", err.Error(), domain.IdentityTaken().Error())
	taken := f.user("cem", domain.RoleMember)
	taken.Identity = id
	wantKind(t, "Create with another user's identity", f.Ports.Users.Create(t.Context(), f.act(domain.ActionCreateUser, "x"), taken), domain.Conflict)
	f.wantUser(t, "after what was refused", bob)
	o := f.signedOn(t, ana)
	f.update(t, ana.ID, func(u *domain.User) { u.Unlink() })
	f.wantOver(t, "of a user who was unlinked", o.login)
	ana.Identity = domain.Identity{}
	f.wantUser(t, "after Unlink", ana)
	f.update(t, bob.ID, link(domain.Identity{}))
	f.update(t, bob.ID, link(id)) // nobody has it now
	f.wantRecords(t, "after each Update")
}

// unlinkTakes has what a group and an admin granted, together and alone, and the role by a group.
func unlinkTakes(t *testing.T, f *fixture) {
	p, q, r := f.addNamed(t, "p"), f.addNamed(t, "q"), f.addNamed(t, "r")
	began := domain.Instant(f.clock.now())
	f.setRule(t, f.rule("staff", p.ID, someScopes))
	f.setRule(t, f.rule("staff", q.ID, someScopes))
	f.setRule(t, f.rule("staff", "", 0))
	f.admin(t, "another")
	ana := f.linked(t, "ana", domain.RoleMember, q.ID, r.ID)
	f.signedOn(t, ana, "staff")
	rec := f.record(domain.ActionUnlinkIdentity, domain.OnUser(ana.ID))
	got, err := f.Ports.Users.Update(t.Context(), byOperator(rec), ana.ID, changing(func(u *domain.User) { u.Unlink() }), domain.Kept{})
	wantNil(t, "Users.Update", err)
	ana.Identity = domain.Identity{}
	wantSame(t, "what Update returns", got, ana)
	f.wantUser(t, "after Unlink", ana)
	f.wantGrants(t, "after Unlink", domain.GrantFilter{User: ana.ID}, domain.NewGrant(ana.ID, q.ID, 0, began), domain.NewGrant(ana.ID, r.ID, 0, began))
	f.changed(domain.SignOnChange{Changes: []domain.ChangeMade{
		{Action: domain.ActionRevokeProject, Object: domain.OnGrant(ana.ID, p.ID)}, {Action: domain.ActionGrantProject, Object: domain.OnGrant(ana.ID, q.ID)},
		{Action: domain.ActionUpdateUser, Object: domain.OnUser(ana.ID)},
	}}, rec.Actor, rec)
	f.log = append(f.log, rec)
	f.wantRecords(t, "after Unlink")
	f.wantMembers(t, "after Unlink", "staff")
}

// linkAtOnce links two users to one identity.
func linkAtOnce(t *testing.T, f *fixture) {
	at := f.instances(t)
	for n := range rounds {
		id := f.identity()
		users := []domain.User{f.member(t, domain.Username(fmt.Sprintf("a%d", n))), f.member(t, domain.Username(fmt.Sprintf("b%d", n)))}
		made := f.user(domain.Username(fmt.Sprintf("c%d", n)), domain.RoleMember)
		made.Identity = id
		var errs [3]error
		atOnce(len(errs), func(i int) {
			view, act := at[i%len(at)].Ports.Users, f.act(domain.ActionLinkIdentity, "x")
			if i == 2 {
				errs[i] = view.Create(t.Context(), act, made)
				return
			}
			_, errs[i] = view.Update(t.Context(), act, users[i].ID, changing(func(u *domain.User) { u.Identity = id }), domain.Kept{})
		})
		done := 0
		for _, err := range errs {
			if err == nil {
				done++
			} else {
				wantSame(t, "the error for an identity that is taken", err.Error(), domain.IdentityTaken().Error())
			}
		}
		wantSame(t, "how many users were linked to one identity", done, 1)
		f.log = f.Records(t)
	}
}

// signedOnAdmins has users who lack one thing each.
func signedOnAdmins(t *testing.T, f *fixture) {
	f.admin(t, "a")
	f.linked(t, "b", domain.RoleAdmin) // has never logged in
	member := f.linked(t, "c", domain.RoleMember)
	f.signedOn(t, member)
	off := f.linked(t, "d", domain.RoleAdmin)
	f.signedOn(t, off)
	has := func(what string, want bool) {
		t.Helper()
		got, err := f.Ports.Users.HasSignedOnAdmin(t.Context())
		wantNil(t, "HasSignedOnAdmin "+what, err)
		wantSame(t, "HasSignedOnAdmin "+what, got, want)
	}
	has("with one", true)
	f.update(t, off.ID, func(u *domain.User) { u.Disabled = true })
	has("with one who is disabled", false)
	f.update(t, member.ID, func(u *domain.User) { u.Role = domain.RoleAdmin })
	has("with one who became an admin", true)
	f.update(t, member.ID, func(u *domain.User) { u.Unlink() })
	has("with one who was unlinked", false)
	for _, id := range []domain.UserID{off.ID, member.ID} {
		f.update(t, id, func(u *domain.User) { u.AdminKept = true })
	}
	var want []domain.UserID
	kept, err := f.Ports.Users.KeptAdmins(t.Context(), 10)
	wantNil(t, "KeptAdmins", err)
	for _, u := range kept {
		want = append(want, u.ID)
	}
	wantSame(t, "KeptAdmins", want, []domain.UserID{member.ID, off.ID})
	kept, err = f.Ports.Users.KeptAdmins(t.Context(), 1)
	wantNil(t, "KeptAdmins of one", err)
	wantSame(t, "how many KeptAdmins of at most 1", len(kept), 1)
}

// linkOpens opens logins by links.
func linkOpens(t *testing.T, f *fixture) {
	u := f.user("ana", domain.RoleMember)
	u.PasswordHash = domain.Secret{}
	f.create(t, u)
	disabled := f.user("bob", domain.RoleAdmin)
	disabled.Disabled = true
	f.create(t, disabled)
	link := f.link()
	open := func(user domain.UserID) (domain.Session, error) {
		s := f.newLogin(user)
		rec := f.record(domain.ActionLoginByLink, domain.OnSession(s.ID))
		err := f.Ports.Sessions.OpenLoginByLink(t.Context(), s, link, rec)
		if err == nil {
			f.log = append(f.log, rec)
		}
		return s, err
	}
	for _, id := range []domain.UserID{userID(404), disabled.ID} {
		s, err := open(id)
		wantKind(t, "OpenLoginByLink of a user who is gone or disabled", err, domain.NotAllowed)
		f.wantOver(t, "not opened", s)
	}
	s, err := open(u.ID)
	wantNil(t, "OpenLoginByLink", err)
	f.wantLive(t, "after OpenLoginByLink", s)
	again, err := open(u.ID)
	wantKind(t, "OpenLoginByLink with a link that was used", err, domain.Conflict)
	f.wantOver(t, "not opened", again)
	f.wantRecords(t, "after OpenLoginByLink")
	byPassword := f.newLogin(u.ID)
	err = f.Ports.Sessions.OpenLogin(t.Context(), byPassword, domain.Secret{}, f.record(domain.ActionLogin, "x"))
	wantKind(t, "OpenLogin of a user without a password", err, domain.NotAllowed)
	f.wantOver(t, "not opened", byPassword)
	all := []domain.Session{s}
	for range domain.MaxSessions {
		f.clock.advance(time.Millisecond)
		link = f.link()
		s, err := open(u.ID)
		wantNil(t, "OpenLoginByLink", err)
		all = append(all, s)
	}
	f.wantOver(t, "displaced", all[0])
	f.wantLive(t, "the others", all[1:]...)
}

// linkAtOnceOpens uses a link at the same instant.
func linkAtOnceOpens(t *testing.T, f *fixture) {
	at := f.instances(t)
	u := f.member(t, "ana")
	for range rounds {
		link := f.link()
		var errs [4]error
		var all [4]domain.Session
		for i := range all {
			all[i] = f.newLogin(u.ID)
		}
		atOnce(len(errs), func(i int) {
			errs[i] = at[i%len(at)].Ports.Sessions.OpenLoginByLink(t.Context(), all[i], link, f.record(domain.ActionLoginByLink, "x"))
		})
		var opened []domain.Session
		for i, err := range errs {
			if err == nil {
				opened = append(opened, all[i])
			} else {
				wantKind(t, "OpenLoginByLink beside others", err, domain.Conflict)
			}
		}
		wantSame(t, "how many logins one link opened", len(opened), 1)
		f.wantLive(t, "after OpenLoginByLink beside others", opened...)
	}
}

// onceSwept looks a microsecond before the end and at the end itself.
func onceSwept(t *testing.T, f *fixture) {
	u := f.member(t, "ana")
	var last domain.Once
	for range 3 {
		last = f.link()
		wantNil(t, "OpenLoginByLink", f.Ports.Sessions.OpenLoginByLink(t.Context(), f.newLogin(u.ID), last, f.record(domain.ActionLoginByLink, "x")))
	}
	f.clock.set(last.Ends.Add(-time.Microsecond))
	wantSame(t, "Sweep a microsecond before any use is forgotten", f.sweep(t, 10), 0)
	err := f.Ports.Sessions.OpenLoginByLink(t.Context(), f.newLogin(u.ID), last, f.record(domain.ActionLoginByLink, "x"))
	wantKind(t, "a link that was used, after Sweep", err, domain.Conflict)
	f.clock.set(last.Ends)
	for _, step := range []struct{ limit, want int }{{2, 2}, {2, 1}, {2, 0}} {
		wantSame(t, fmt.Sprintf("Sweep of at most %d", step.limit), f.sweep(t, step.limit), step.want)
	}
}

func ofTokens(kept domain.ProviderSession) domain.SealedRow {
	return domain.SealedRow{Ref: domain.SealedRef{Kind: domain.SealedProviderTokens, ID: string(kept.Login)}, Sealed: kept.Tokens}
}

// tokensSealed has tokens of logins that go on, that are over, and none.
func tokensSealed(t *testing.T, f *fixture) {
	u, p := f.linked(t, "ana", domain.RoleMember), f.addNamed(t, "p")
	f.grant(t, u.ID, p.ID)
	rows := append(f.install(t), ofProject(p))
	var logins []opening
	for range 3 {
		o := f.signedOn(t, u)
		logins, rows = append(logins, o), append(rows, ofTokens(o.kept))
	}
	bare := f.opening(f.signOn(u))
	bare.kept.Tokens = domain.Sealed{}
	f.open(t, bare)
	slices.SortFunc(rows, func(a, b domain.SealedRow) int { return a.Ref.Compare(b.Ref) })
	f.wantSealed(t, "with tokens", rows)
	uses, err := f.Ports.Sealings.Uses(t.Context())
	wantNil(t, "Uses", err)
	wantSame(t, "how many rows the key has sealed", uses[theKey].Rows, 4)
	page, err := f.Ports.Sealings.Page(t.Context(), theKey, domain.SealedRef{}, 10)
	wantNil(t, "Page", err)
	wantSame(t, "how many rows other keys have sealed", len(page), len(rows)-4)
	page, err = f.Ports.Sealings.Page(t.Context(), "", ofTokens(logins[0].kept).Ref, 2)
	wantNil(t, "Page after a place", err)
	wantSame(t, "Page after a place", page, []domain.SealedRow{ofTokens(logins[1].kept), ofTokens(logins[2].kept)})

	again := resealedBy(ofTokens(logins[0].kept), "new")
	f.replaced(t, "of tokens", []domain.Resealed{again}, 1)
	f.replaced(t, "of tokens again", []domain.Resealed{again}, 0)
	logins[0].kept.Tokens = again.To
	f.wantKept(t, "after Replace", logins[0].kept)
	under := f.set(t, f.under(logins[1].login, p.ID))
	gone := forgetting([]domain.SealedRow{ofTokens(logins[1].kept)})
	changed := forgetting([]domain.SealedRow{{Ref: ofTokens(logins[2].kept).Ref, Sealed: providerTokens(404)}})
	f.replaced(t, "by nothing", append(gone, changed...), 1)
	f.wantOver(t, "whose tokens are forgotten", logins[1].login, under)
	f.wantNotKept(t, "whose tokens are forgotten", logins[1].login.ID)
	f.wantLive(t, "whose tokens are kept", logins[0].login, logins[2].login, bare.login)
	f.clock.set(logins[0].login.Idle)
	page, err = f.Ports.Sealings.Page(t.Context(), "", domain.SealedRef{Kind: domain.SealedProviderTokens}, 10)
	wantNil(t, "Page", err)
	for _, row := range page {
		if row.Ref.Kind == domain.SealedProviderTokens {
			t.Fatalf("got the tokens of %s, whose login is over", row.Ref.ID)
		}
	}
	f.wantRecords(t, "after Replaces, which keep none")
}

// useByGroups has every look-up of a member whom groups grant.
func useByGroups(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	one, two := f.setRule(t, f.rule("one", p.ID, someScopes, "main", "dev")), f.setRule(t, f.rule("two", p.ID, domain.DefaultScopes()))
	u := f.linked(t, "ana", domain.RoleMember, p.ID)
	token := f.issue(t, f.token(u.ID, p.ID, domain.AllScopes()))
	for what, groups := range map[string][]string{"two groups": {"one", "two"}, "one group": {"one"}, "none": nil} {
		o := f.signedOn(t, u, groups...)
		var grants []domain.GroupGrant
		for _, r := range []domain.GroupRule{one, two} {
			if slices.Contains(groups, r.Group) {
				grants = append(grants, group(r))
			}
		}
		g, _ := domain.NewGrant(u.ID, p.ID, 0, o.in.At).ByGroups(grants)
		s := f.set(t, f.under(o.login, p.ID))
		c := f.converse(t, f.conversing(s))
		f.wantUse(t, "by a login, by "+what, inSession(s), by(g, ofSession(s, o.login, false, p, 0)))
		f.wantUse(t, "of a named project, by "+what, naming(o.login, p.ID), by(g, ofNamed(u.ID, o.login, false, p, 0)))
		f.wantUse(t, "by a token, by "+what, shown{Token: tokenHash(token)}, by(g, ofToken(token, false, p, 0)))
		f.wantUse(t, "in a conversation, by "+what, shown{Conversation: c.ID, User: u.ID}, in(c, by(g, ofSession(s, o.login, false, p, 0))))
		standing := []domain.Access{by(g, ofSession(s, o.login, false, p, 0)), by(g, ofToken(token, false, p, 0)), by(g, ofNamed(u.ID, o.login, false, p, 0))}
		f.wantStanding(t, "by "+what, usesOf(standing...), standing...)
	}
}

// archiveSignOns looks at another database through the ports that filled the first.
func archiveSignOns(t *testing.T, f, other *fixture) {
	p := f.addNamed(t, "p")
	inP := f.setRule(t, f.rule("staff", p.ID, someScopes, "main", "dev"))
	admins := f.setRule(t, f.rule("leads", "", 0))
	u := f.linked(t, "ana", domain.RoleMember, p.ID)
	o := f.signedOn(t, u, "staff", "bosses")
	rows := f.snapshot(t, "with logins by the identity provider")
	wantNil(t, "Restore", other.Archive.Restore(t.Context(), listed(rows), byOperator(f.restoring())))
	want := u
	want.Role, want.AdminBy, want.SignedOn = domain.RoleAdmin, "bosses", domain.Instant(o.in.At)
	g, _ := domain.NewGrant(u.ID, p.ID, 0, o.in.At).ByGroups([]domain.GroupGrant{group(inP)})
	for what, in := range map[string]*fixture{"where the snapshot was taken": f, "after Restore": other} {
		in.wantUser(t, what, want)
		in.wantGrants(t, what, domain.GrantFilter{}, g)
		in.wantRules(t, what, admins, inP)
		in.wantMembers(t, what, "staff", domain.GroupMember{User: want, Groups: []string{"bosses", "staff"}, Grants: []domain.Grant{g}})
	}
	f.wantKept(t, "where the snapshot was taken", o.kept)
	other.wantNotKept(t, "after Restore", o.login.ID)
	again, err := o.on(t.Context(), other.Ports) // no use comes back
	wantNil(t, "Open after Restore", err)
	wantSame(t, "whether Open after Restore creates a user", again.Created, false)
}

func openEnded(t *testing.T, f *fixture) {
	f.admin(t, "admin")
	u := f.linked(t, "ana", domain.RoleMember)
	// None of these logins is there yet when the logouts come.
	late, bySubject, foreign := f.opening(f.signOn(u, "staff")), f.opening(f.signOn(u)), f.opening(f.signOn(f.somebody("cem")))
	foreign.in.Person.Identity.Issuer, foreign.kept.Identity.Issuer = "https://other.example", "https://other.example"
	foreign.kept.Sid = late.kept.Sid
	bySubject.kept.Sid = ""
	var out domain.ProviderLogout
	for _, of := range []domain.ProviderLogout{{Identity: u.Identity, Sid: late.kept.Sid}, {Identity: domain.Identity{Issuer: issuer}, Sid: late.kept.Sid}} {
		rec := f.record(domain.ActionProviderLogout, "x")
		out = f.logout(of)
		n, err := f.Ports.SignOns.Logout(t.Context(), out, rec)
		wantNil(t, "Logout of a session that no login has yet", err)
		wantSame(t, "how many logins it ended", n, 0)
		f.log = append(f.log, rec)
	}
	refused := func(what string) {
		t.Helper()
		_, err := late.on(t.Context(), f.Ports)
		wantKind(t, what, err, domain.NotAuthenticated)
		f.wantNotKept(t, what, late.login.ID)
		f.wantMembers(t, what, "staff")
		f.wantRecords(t, what)
	}
	refused("Open of a session that has ended")
	f.open(t, bySubject)
	f.open(t, foreign)
	f.open(t, f.opening(f.signOn(u)))
	f.clock.set(out.Ends.Add(-time.Microsecond))
	refused("Open while the end is remembered")
	f.clock.set(out.Ends)
	f.open(t, late)
}
