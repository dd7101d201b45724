package portstest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// updateStores changes one thing at a time, and then all, and looks that nothing else moves.
func updateStores(t *testing.T, f *fixture) {
	p, q, r := f.addNamed(t, "p"), f.addNamed(t, "q"), f.addNamed(t, "r")
	u, other := f.member(t, "ana", p.ID, q.ID), f.member(t, "bob", p.ID)
	for _, step := range []struct {
		what   string
		change func(u *domain.User)
	}{
		{"another role", func(u *domain.User) { u.Role = domain.RoleAdmin }},
		{"disabled", func(u *domain.User) { u.Disabled = true }},
		{"enabled", func(u *domain.User) { u.Disabled = false }},
		{"another password hash", func(u *domain.User) { u.PasswordHash = domain.NewSecret("$test$another ' \" \\ 句") }},
		{"other assistants", func(u *domain.User) { u.SetAssistants([]domain.ProjectID{r.ID, q.ID}) }},
		{"no assistants", func(u *domain.User) { u.SetAssistants(nil) }},
		{"all assistants", func(u *domain.User) { u.SetAssistants([]domain.ProjectID{r.ID, q.ID, p.ID}) }},
		{"everything at once", func(u *domain.User) {
			u.Role, u.Disabled, u.PasswordHash = domain.RoleMember, true, domain.NewSecret("$test$third")
			u.SetAssistants([]domain.ProjectID{q.ID})
		}},
	} {
		var handed domain.User
		step.change(&u)
		got := f.update(t, u.ID, func(stored *domain.User) {
			step.change(stored)
			handed = *stored
		})
		wantSame(t, step.what+": what change had in hand", handed, u)
		wantSame(t, step.what+": what Update returned", got, u)
		f.wantUser(t, step.what, u)
		f.wantSeen(t, step.what, domain.GrantedTo(u.ID), u.Assistants...)
		f.wantUser(t, "another user after "+step.what, other)
		f.wantSeen(t, "another user after "+step.what, domain.GrantedTo(other.ID), p.ID)
	}
	f.wantRecords(t, "after each Update")
}

// wantScopes fails the test unless the user's grants have these scopes.
func (f *fixture) wantScopes(t *testing.T, what string, user domain.UserID, want map[domain.ProjectID]domain.Scopes) {
	t.Helper()
	got, err := f.Ports.Grants.Page(t.Context(), domain.GrantFilter{User: user}, domain.Cursor{}, 1000)
	wantNil(t, what+": Grants.Page", err)
	wantSame(t, what+": the scopes of the grants", scopesOf(got), want)
}

// updateScopes would show an adapter that takes all grants away and gives them again.
func updateScopes(t *testing.T, f *fixture) {
	p, q, r := f.addNamed(t, "p"), f.addNamed(t, "q"), f.addNamed(t, "r")
	u := f.member(t, "ana", p.ID, q.ID)
	began := domain.Instant(f.clock.now())
	wide := domain.ScopesOf(domain.ScopeTranscripts, domain.ScopeExport)
	f.grantScopes(t, u.ID, p.ID, wide)
	f.clock.advance(time.Hour)
	for _, step := range []struct {
		what   string
		change func(u *domain.User)
		want   map[domain.ProjectID]domain.Scopes
	}{
		{"one that stays and a new one", func(u *domain.User) { u.SetAssistants([]domain.ProjectID{p.ID, r.ID}) },
			map[domain.ProjectID]domain.Scopes{p.ID: wide, r.ID: domain.DefaultScopes()}},
		{"another role", func(u *domain.User) { u.Role = domain.RoleAdmin },
			map[domain.ProjectID]domain.Scopes{p.ID: wide, r.ID: domain.DefaultScopes()}},
		{"disabled", func(u *domain.User) { u.Disabled = true },
			map[domain.ProjectID]domain.Scopes{p.ID: wide, r.ID: domain.DefaultScopes()}},
		{"one that stays alone", func(u *domain.User) { u.SetAssistants([]domain.ProjectID{p.ID}) },
			map[domain.ProjectID]domain.Scopes{p.ID: wide}},
	} {
		f.update(t, u.ID, step.change)
		f.wantScopes(t, step.what, u.ID, step.want)
	}
	f.wantGrants(t, "that stayed all the time", domain.GrantFilter{User: u.ID},
		domain.NewGrant(u.ID, p.ID, wide, began))
	f.update(t, u.ID, func(u *domain.User) { u.SetAssistants(nil) })
	f.wantScopes(t, "none", u.ID, map[domain.ProjectID]domain.Scopes{})
	f.update(t, u.ID, func(u *domain.User) { u.SetAssistants([]domain.ProjectID{p.ID}) })
	f.wantScopes(t, "one that is back", u.ID, map[domain.ProjectID]domain.Scopes{p.ID: domain.DefaultScopes()})
	f.wantRecords(t, "after each Update")
}

func updateOtherFields(t *testing.T, f *fixture) {
	u := f.member(t, "ana")
	got := f.update(t, u.ID, func(u *domain.User) {
		u.ID, u.Name, u.Created = userID(404), "another", u.Created.Add(time.Hour)
		u.Role = domain.RoleAdmin
	})
	u.Role = domain.RoleAdmin
	wantSame(t, "what Update returned", got, u)
	f.wantUser(t, "after Update", u)
	f.wantNoUser(t, "under the id that change wrote", userID(404))
	_, err := f.Ports.Users.Find(t.Context(), domain.UserRef{Name: "another"})
	wantKind(t, "Find by name of the name that change wrote", err, domain.NotFound)
	f.wantRecords(t, "after Update")
}

// updateNothing would show an adapter that takes every success for a change.
func updateNothing(t *testing.T, f *fixture) {
	u := f.admin(t, "ana")
	for what, change := range map[string]func(*domain.User){
		"a change that does nothing":           func(*domain.User) {},
		"a change that writes what is there":   func(u *domain.User) { u.Role, u.Disabled = domain.RoleAdmin, false; u.SetAssistants(nil) },
		"a change that writes the same hash":   func(u *domain.User) { u.PasswordHash = domain.NewSecret(u.PasswordHash.Reveal()) },
		"a change of fields that are not kept": func(u *domain.User) { u.Name = "another" },
	} {
		got, err := f.Ports.Users.Update(t.Context(), f.act(domain.ActionUpdateUser, domain.OnUser(u.ID)), u.ID, changing(change), domain.Kept{})
		wantNil(t, "Update with "+what, err)
		wantSame(t, "what Update returned with "+what, got, u)
	}
	f.wantUser(t, "after Updates that change nothing", u)
	f.wantRecords(t, "after Updates that change nothing")
}

// errRefused is an error of a caller's own, which must come back as it is.
var errRefused = errors.New("refused by the caller")

// updateError lets change alter everything before it fails.
func updateError(t *testing.T, f *fixture) {
	u := f.admin(t, "ana")
	ours := &domain.Error{Kind: domain.Conflict, Public: "the last admin can't be demoted"}
	for _, refusal := range []error{errRefused, ours} {
		got, err := f.Ports.Users.Update(t.Context(), f.act(domain.ActionUpdateUser, domain.OnUser(u.ID)), u.ID, func(u *domain.User, _ bool) error {
			u.Role, u.Disabled, u.PasswordHash = domain.RoleMember, true, domain.NewSecret("another")
			u.Assistants = append(u.Assistants, projectID(404))
			return refusal
		}, domain.Kept{})
		if err != refusal { //nolint:errorlint // the very error is what is promised
			t.Fatalf("Update whose change fails: got error %v, want %v as it is", err, refusal)
		}
		wantSame(t, "what Update returned beside the error", got, domain.User{})
		f.wantUser(t, "after Update whose change failed", u)
	}
	f.wantRecords(t, "after Update whose change failed")
}

func updateUnknown(t *testing.T, f *fixture) {
	_, err := f.Ports.Users.Update(t.Context(), f.act(domain.ActionUpdateUser, "unknown"), userID(404), changing(func(*domain.User) {}), domain.Kept{})
	wantKind(t, "Update of an unknown id", err, domain.NotFound)
	f.wantNoUser(t, "after Update of an unknown id", userID(404))
	f.wantRecords(t, "after Update of an unknown id")
}

// updateUnknownAssistant changes the role beside, which must not be stored either.
func updateUnknownAssistant(t *testing.T, f *fixture) {
	p, gone := f.addNamed(t, "p"), f.addNamed(t, "gone")
	f.remove(t, gone.ID)
	u := f.member(t, "ana", p.ID)
	for what, id := range map[string]domain.ProjectID{"never was": projectID(404), "was removed": gone.ID} {
		_, err := f.Ports.Users.Update(t.Context(), f.act(domain.ActionUpdateUser, domain.OnUser(u.ID)), u.ID, changing(func(u *domain.User) {
			u.Role, u.PasswordHash = domain.RoleAdmin, domain.NewSecret("another")
			u.SetAssistants([]domain.ProjectID{id})
		}), domain.Kept{})
		wantKind(t, "Update with an assistant that "+what, err, domain.NotFound)
		f.wantUser(t, "after Update with an assistant that "+what, u)
		f.wantSeen(t, "after Update with an assistant that "+what, domain.GrantedTo(u.ID), p.ID)
	}
	f.wantRecords(t, "after Updates with assistants that do not exist")
}

// updateOtherAdmin asks without changing anything, because every change is refused.
func updateOtherAdmin(t *testing.T, f *fixture) {
	asked := func(what string, id domain.UserID, want bool) {
		t.Helper()
		for name, ask := range map[string]func(allow func(*domain.User, bool) error) error{
			"Update": func(allow func(*domain.User, bool) error) error {
				_, err := f.Ports.Users.Update(t.Context(), f.act(domain.ActionUpdateUser, "asked"), id, allow, domain.Kept{})
				return err
			},
			"Remove": func(allow func(*domain.User, bool) error) error {
				return f.Ports.Users.Remove(t.Context(), f.act(domain.ActionDeleteUser, "asked"), id, allow)
			},
		} {
			var got bool
			err := ask(func(u *domain.User, otherAdmin bool) error {
				got = otherAdmin
				if u.ID != id {
					t.Errorf("%s, %s: got the user %q in hand, want %q", what, name, u.ID, id)
				}
				return errRefused
			})
			if err != errRefused { //nolint:errorlint // the very error is what is promised
				t.Fatalf("%s, %s: got error %v, want that of the caller", what, name, err)
			}
			if got != want {
				t.Fatalf("%s, %s: got otherAdmin %v, want %v", what, name, got, want)
			}
		}
		got, err := f.Ports.Users.OtherAdmin(t.Context(), id)
		if wantNil(t, what+": OtherAdmin", err); got != want {
			t.Fatalf("%s: got OtherAdmin %v, want %v", what, got, want)
		}
	}
	ana, member := f.admin(t, "ana"), f.member(t, "member")
	asked("the only admin", ana.ID, false)
	asked("a member beside an admin", member.ID, true)
	disabled := f.user("disabled", domain.RoleAdmin)
	disabled.Disabled = true
	f.create(t, disabled)
	asked("an admin beside a disabled one", ana.ID, false)
	asked("a disabled admin beside another", disabled.ID, true)
	f.update(t, disabled.ID, func(u *domain.User) { u.Disabled = false })
	asked("an admin beside one who was enabled", ana.ID, true)
	f.update(t, disabled.ID, func(u *domain.User) { u.Role = domain.RoleMember })
	asked("an admin beside one who was demoted", ana.ID, false)
	f.update(t, ana.ID, func(u *domain.User) { u.Disabled = true })
	asked("a member where nobody counts as admin", member.ID, false)
	asked("a disabled admin where nobody counts as admin", ana.ID, false)
}

// updateLastAdmin lets admins of a group remove each other at the same time, after each has seen
// that there are others. The last call must see that there are none.
func updateLastAdmin(t *testing.T, f *fixture) {
	at := f.instances(t)
	for _, n := range []int{2, 2, 2, 2, 2, 2, 2, 2, 16} {
		all := make([]domain.User, n)
		recs, errs := make([]domain.Record, n), make([]error, n)
		for i := range all {
			all[i] = f.admin(t, domain.Username(fmt.Sprintf("admin%d", f.next())))
			recs[i] = f.record(domain.ActionUpdateUser, domain.OnUser(all[i].ID))
		}
		atOnce(n, func(i int) {
			view := at[i%len(at)].Ports.Users
			switch i % 3 {
			case 0:
				_, errs[i] = view.Update(t.Context(), byOperator(recs[i]), all[i].ID, func(u *domain.User, otherAdmin bool) error {
					linger()
					return u.SetRole(domain.RoleMember, otherAdmin)
				}, domain.Kept{})
			case 1:
				errs[i] = view.Remove(t.Context(), byOperator(recs[i]), all[i].ID, func(u *domain.User, otherAdmin bool) error {
					linger()
					return u.MayBeDeleted("", otherAdmin)
				})
			default:
				_, errs[i] = view.Update(t.Context(), byOperator(recs[i]), all[i].ID, func(u *domain.User, otherAdmin bool) error {
					linger()
					return u.SetDisabled(true, otherAdmin)
				}, domain.Kept{})
			}
		})
		var written []domain.Record
		var last domain.UserID
		for i, err := range errs {
			if err == nil {
				written = append(written, recs[i])
				continue
			}
			wantKind(t, "taking an admin away beside others", err, domain.Conflict)
			last = all[i].ID
		}
		if left := n - len(written); left != 1 {
			t.Fatalf("taking %d admins away at the same instant: got %d that were left, want exactly 1; the outcomes: %v", n, left, errs)
		}
		f.wantRecordsInAnyOrder(t, "after taking admins away at the same instant", written)
		count := 0
		for _, u := range f.pageUsers(t, "all", domain.Cursor{}, 1000) {
			if u.CountsAsAdmin() {
				count++
			}
		}
		if count != 1 {
			t.Fatalf("taking %d admins away at the same instant: got %d users who count as admin afterwards, want exactly 1", n, count)
		}
		// The next round starts without any.
		rec := f.record(domain.ActionDeleteUser, domain.OnUser(last))
		wantNil(t, "preparing: Users.Remove", f.Ports.Users.Remove(t.Context(), byOperator(rec), last, agree))
		f.log = append(f.log, rec)
	}
}

// updateBoth fails for an adapter in which the later of two changes starts from what was
// there before the earlier.
func updateBoth(t *testing.T, f *fixture) {
	at := f.instances(t)
	const writers = 8
	for range rounds / 4 {
		var want []domain.ProjectID
		for range writers {
			want = append(want, f.addNamed(t, "p").ID)
		}
		u := f.member(t, domain.Username(fmt.Sprintf("user%d", f.next())))
		errs := make([]error, writers)
		atOnce(writers, func(i int) {
			_, errs[i] = at[i%len(at)].Ports.Users.Update(t.Context(), f.act(domain.ActionUpdateUser, domain.OnUser(u.ID)), u.ID, changing(func(u *domain.User) {
				linger()
				u.SetAssistants(append(slices.Clone(u.Assistants), want[i]))
			}), domain.Kept{})
		})
		for _, err := range errs {
			wantNil(t, fmt.Sprintf("one of %d Updates of one user at the same instant", writers), err)
		}
		u.Assistants = want
		f.wantUser(t, fmt.Sprintf("after %d Updates at the same instant, which each added an assistant", writers), u)
	}
}

// household is users with sessions of every sort.
type household struct {
	p, q                     domain.Project
	member, admin, other     domain.User
	login, second            domain.Session // of member
	under, underSecond, host domain.Session // of member: in p, in q, in p
	adminLogin, adminSecond  domain.Session // of admin
	byRole, byGrant          domain.Session // of admin: in p, in q
	others                   []domain.Session
}

func (f *fixture) household(t *testing.T) household {
	t.Helper()
	h := household{p: f.addNamed(t, "p"), q: f.addNamed(t, "q")}
	h.member = f.member(t, "member", h.p.ID, h.q.ID)
	h.admin = f.create(t, f.user("admin", domain.RoleAdmin, h.q.ID))
	h.other = f.member(t, "other", h.p.ID)
	h.login, h.second = f.login(t, h.member), f.login(t, h.member)
	h.under, h.underSecond = f.set(t, f.under(h.login, h.p.ID)), f.set(t, f.under(h.second, h.q.ID))
	h.host = f.set(t, f.hosted(h.member.ID, h.p.ID))
	h.adminLogin, h.adminSecond = f.login(t, h.admin), f.login(t, h.admin)
	h.byRole, h.byGrant = f.set(t, f.byRole(h.adminLogin, h.p.ID)), f.set(t, f.under(h.adminSecond, h.q.ID))
	login := f.login(t, h.other)
	h.others = []domain.Session{login, f.set(t, f.under(login, h.p.ID)), f.set(t, f.hosted(h.other.ID, h.p.ID)), f.set(t, f.hostedByRole("a host's admin", h.p.ID))}
	return h
}

func (h household) ofMember() []domain.Session {
	return []domain.Session{h.login, h.second, h.under, h.underSecond, h.host}
}

func (h household) ofAdmin() []domain.Session {
	return []domain.Session{h.adminLogin, h.adminSecond, h.byRole, h.byGrant}
}

// updateDisabled asks to keep a session, in vain.
func updateDisabled(t *testing.T, f *fixture) {
	h := f.household(t)
	f.updateKeeping(t, h.member.ID, domain.Kept{Login: h.login.ID}, func(u *domain.User) { u.Disabled = true })
	f.wantOver(t, "of the user who is now disabled", h.ofMember()...)
	f.wantLive(t, "of others", append(h.ofAdmin(), h.others...)...)
	f.updateKeeping(t, h.admin.ID, domain.Kept{Login: h.adminLogin.ID}, func(u *domain.User) { u.Disabled = true })
	f.wantOver(t, "of the admin who is now disabled", h.ofAdmin()...)
	f.wantLive(t, "of others", h.others...)

	f.update(t, h.member.ID, func(u *domain.User) { u.Disabled = false })
	f.wantOver(t, "of the user who is enabled again", h.ofMember()...)
	f.wantRecords(t, "after each Update")
}

// updatePassword looks at both sides of keep.
func updatePassword(t *testing.T, f *fixture) {
	h := f.household(t)
	another := func(u *domain.User) { u.PasswordHash = domain.NewSecret(u.PasswordHash.Reveal() + "!") }
	f.updateKeeping(t, h.member.ID, domain.Kept{Login: h.login.ID}, another)
	f.wantLive(t, "kept, and what is under it", h.login, h.under)
	f.wantOver(t, "not kept when the password changed", h.second, h.underSecond, h.host)
	f.wantLive(t, "of others", append(h.ofAdmin(), h.others...)...)

	// Another user's login is not kept alive, nor does it keep anything here.
	f.updateKeeping(t, h.member.ID, domain.Kept{Login: h.adminLogin.ID}, another)
	f.wantOver(t, "when the password changed and another's session was to be kept", h.ofMember()...)
	f.update(t, h.admin.ID, another)
	f.wantOver(t, "when the password changed and none was to be kept", h.ofAdmin()...)
	f.wantLive(t, "of others", h.others...)
	f.wantRecords(t, "after each Update")
}

// updateDemoted keeps what the role had no part in.
func updateDemoted(t *testing.T, f *fixture) {
	h := f.household(t)
	f.updateKeeping(t, h.admin.ID, domain.Kept{Login: h.adminLogin.ID}, func(u *domain.User) { u.Role = domain.RoleMember })
	f.wantOver(t, "let in by the role that is gone", h.byRole)
	f.wantLive(t, "not let in by the role", h.adminLogin, h.adminSecond, h.byGrant)
	f.wantLive(t, "of others", append(h.ofMember(), h.others...)...)
	f.update(t, h.admin.ID, func(u *domain.User) { u.Role = domain.RoleAdmin })
	f.wantOver(t, "let in by a role that is back", h.byRole)
	f.wantRecords(t, "after each Update")
}

// updateRevoked keeps what the grant had no part in.
func updateRevoked(t *testing.T, f *fixture) {
	h := f.household(t)
	f.updateKeeping(t, h.member.ID, domain.Kept{Login: h.login.ID}, func(u *domain.User) { u.SetAssistants([]domain.ProjectID{h.q.ID}) })
	f.wantOver(t, "let in by a grant that is gone", h.under, h.host)
	f.wantLive(t, "not let in by that grant", h.login, h.second, h.underSecond)
	f.update(t, h.admin.ID, func(u *domain.User) { u.SetAssistants(nil) })
	f.wantOver(t, "of an admin, let in by a grant that is gone", h.byGrant)
	f.wantLive(t, "of an admin, not let in by that grant", h.adminLogin, h.adminSecond, h.byRole)
	f.wantLive(t, "of others", h.others...)
	f.update(t, h.member.ID, func(u *domain.User) { u.SetAssistants([]domain.ProjectID{h.p.ID, h.q.ID}) })
	f.wantOver(t, "let in by a grant that is back", h.under, h.host)
	f.wantRecords(t, "after each Update")
}

// updateHarmless would show an adapter that ends all sessions to be on the safe side.
func updateHarmless(t *testing.T, f *fixture) {
	h := f.household(t)
	r := f.addNamed(t, "r")
	hosts := f.set(t, f.hostedByRole(h.member.ID, h.p.ID)) // a role that the host gave
	f.update(t, h.member.ID, func(u *domain.User) { u.SetAssistants(append(slices.Clone(u.Assistants), r.ID)) })
	f.update(t, h.member.ID, func(u *domain.User) { u.Role = domain.RoleAdmin })
	f.update(t, h.admin.ID, func(u *domain.User) { u.SetAssistants([]domain.ProjectID{h.q.ID, r.ID}) })
	_, err := f.Ports.Users.Update(t.Context(), f.act(domain.ActionUpdateUser, "nothing"), h.admin.ID, changing(func(*domain.User) {}), domain.Kept{})
	wantNil(t, "Update that changes nothing", err)
	f.wantLive(t, "after Updates that take nothing away", append(append(append(h.ofMember(), h.ofAdmin()...), h.others...), hosts)...)
	f.wantRecords(t, "after Updates that take nothing away")
}

// updateRace fails for an adapter that looks for what lets the user in first and stores the
// session then, in each way in which an Update can take it away.
func updateRace(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	member := f.member(t, "member", p.ID)
	admin := f.admin(t, "admin")
	var before []domain.Session
	for _, way := range []struct {
		what   string
		byRole bool
		take   func(u *domain.User)
		back   func(u *domain.User)
	}{
		{"Update that takes the grant", false, func(u *domain.User) { u.SetAssistants(nil) }, func(u *domain.User) { u.SetAssistants([]domain.ProjectID{p.ID}) }},
		{"Update that demotes", true, func(u *domain.User) { u.Role = domain.RoleMember }, func(u *domain.User) { u.Role = domain.RoleAdmin }},
		{"Update that disables", false, func(u *domain.User) { u.Disabled = true }, func(u *domain.User) { u.Disabled = false }},
		{"Update that disables an admin", true, func(u *domain.User) { u.Disabled = true }, func(u *domain.User) { u.Disabled = false }},
	} {
		u := member
		if way.byRole {
			u = admin
		}
		for range rounds / 2 {
			logins := f.logins(t, u) // new ones each time, because disabling ends them
			tries := f.eachUnder(logins, p.ID)
			if way.byRole {
				for i := range tries {
					tries[i] = f.byRole(logins[i], p.ID)
				}
			}
			f.openDuring(t, way.what, u, tries, domain.ActionUpdateUser, func(rec domain.Record) error {
				_, err := f.Ports.Users.Update(t.Context(), byOperator(rec), u.ID, changing(way.take), domain.Kept{})
				return err
			}, domain.NotAllowed, domain.NotAuthenticated)
			f.update(t, u.ID, way.back)
			before = append(before, tries...)
			f.wantOver(t, "opened during "+way.what+", after what let it in came back", before...)
		}
	}
}

// updateWaits holds one Update in the middle of its change. Others may have to wait for it,
// but not longer than their contexts last.
func updateWaits(t *testing.T, f *fixture) {
	ana, bob := f.admin(t, "ana"), f.admin(t, "bob")
	inside, leave := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(leave) })
	defer release()
	first := make(chan error, 1)
	go func() {
		entered := false
		_, err := f.Ports.Users.Update(t.Context(), f.act(domain.ActionUpdateUser, "ana"), ana.ID, func(u *domain.User, otherAdmin bool) error {
			if !entered {
				entered = true
				close(inside)
				<-leave
			}
			return u.SetRole(domain.RoleMember, otherAdmin)
		}, domain.Kept{})
		first <- err
	}()
	<-inside

	waiting := []step{
		{"Update of another admin", func(ctx context.Context) error {
			_, err := f.Ports.Users.Update(ctx, f.act(domain.ActionUpdateUser, "bob"), bob.ID, func(*domain.User, bool) error { return errRefused }, domain.Kept{})
			return err
		}},
		{"Remove of another admin", func(ctx context.Context) error {
			return f.Ports.Users.Remove(ctx, f.act(domain.ActionDeleteUser, "bob"), bob.ID, func(*domain.User, bool) error { return errRefused })
		}},
		{"Create", func(ctx context.Context) error {
			u := f.user("cem", domain.RoleMember)
			return f.Ports.Users.Create(ctx, f.act(domain.ActionCreateUser, "cem"), u)
		}},
		{"Find", func(ctx context.Context) error {
			_, err := f.Ports.Users.Find(ctx, domain.UserRef{ID: bob.ID})
			return err
		}},
		{"Page", func(ctx context.Context) error {
			_, err := f.Ports.Users.Page(ctx, domain.Cursor{}, 10)
			return err
		}},
	}
	for _, c := range waiting {
		ctx, cancel := context.WithCancel(t.Context())
		returned := make(chan struct{})
		var err error
		go func() {
			defer close(returned)
			err = c.do(ctx)
		}()
		linger() // so that it most likely waits by then
		cancel()
		wantReturn(t, c.name+" while another's change goes on", returned)
		// It may have been done before its context ended, if it did not have to wait.
		if err != nil && !errors.Is(err, errRefused) {
			wantKind(t, c.name+" whose context ended while another's change went on", err, domain.Unavailable)
		}
	}
	release()
	wantNil(t, "the Update for which the others waited", <-first)
}

// updateInPlace is about a change that writes into the assistants that it is given.
func updateInPlace(t *testing.T, f *fixture) {
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	u := f.member(t, "ana", p.ID)
	refused := func(u *domain.User, _ bool) error {
		u.Assistants[0] = q.ID
		return errRefused
	}
	_, err := f.Ports.Users.Update(t.Context(), f.act(domain.ActionUpdateUser, domain.OnUser(u.ID)), u.ID, refused, domain.Kept{})
	if !errors.Is(err, errRefused) {
		t.Fatalf("Update whose change fails: got error %v, want %v as it is", err, errRefused)
	}
	f.wantUser(t, "after a change in place that failed", u)
	got := f.update(t, u.ID, func(u *domain.User) { u.Assistants[0] = q.ID })
	u.Assistants = []domain.ProjectID{q.ID}
	wantSame(t, "what Update returned after a change in place", got, u)
	f.wantUser(t, "after a change in place", u)
	f.wantSeen(t, "after a change in place", domain.GrantedTo(u.ID), q.ID)
	f.wantRecords(t, "after a change in place")
}
