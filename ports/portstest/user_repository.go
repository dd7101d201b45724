package portstest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// UserRepository checks every sentence in the comments of ports.UserRepository that can
// be seen from outside. It needs Users and Records of the Store; what is about grants
// and sessions is checked where the Store has those views.
func UserRepository(t *testing.T, open OpenStore) {
	check(t, open, users, []sentence{
		{"Create stores the user and the record together", 0, createStores},
		{"Create stores the grants of the user's assistants, of the default scopes", projects, createGrants},
		{"Create under a name that is taken is Conflict and changes nothing", 0, createTaken},
		{"of several Creates of one name at the same instant exactly one succeeds", 0, createAtOnce},
		{"Create with an assistant that is not there is NotFound and changes nothing", projects, createUnknownAssistant},
		{"Find and FindByName return the user, with what is granted in the order of the ids", projects, findUser},
		{"Find of an unknown id and FindByName of an unknown name are NotFound", 0, findUnknownUser},
		{"FindByName finds exactly that name", 0, findExactName},
		{"Page returns at most limit users, and none is no error", 0, pageUsersLimit},
		{"Page is in the order of the bytes of the name, and goes on behind the cursor", 0, pageUsersOrder},
		{"Page returns each user with their grants", projects, pageUsersGrants},
		{"Page holds no connection once it has returned", 0, pageUsersConnections},
		{"Update stores role, disabled, password hash and assistants, and returns the user as stored", projects, updateStores},
		{"grants that stay keep their scopes, and new ones have the default scopes", projects, updateScopes},
		{"change may write into the assistants that it is given", projects, updateInPlace},
		{"what change does to other fields is lost", 0, updateOtherFields},
		{"Update that changes nothing keeps no record", 0, updateNothing},
		{"the error of change is returned as it is, and nothing is stored", 0, updateError},
		{"Update of an unknown id is NotFound", 0, updateUnknown},
		{"Update with an assistant that is not there is NotFound and changes nothing", projects, updateUnknownAssistant},
		{"otherAdmin says whether another user counts as admin", 0, updateOtherAdmin},
		{"of all admins that are demoted, disabled or removed at the same instant one is left", 0, updateLastAdmin},
		{"two changes of one user at the same instant are both stored", projects, updateBoth},
		{"a user who is now disabled loses all sessions", projects | sessions, updateDisabled},
		{"a user whose password hash is another loses all sessions but keep and what is under it", projects | sessions, updatePassword},
		{"a user who is no admin any more loses the assistant sessions that the role let in", projects | sessions, updateDemoted},
		{"with a grant that is gone go the assistant sessions that it let in", projects | sessions, updateRevoked},
		{"an Update that takes nothing away ends no session", projects | sessions, updateHarmless},
		{"no session outlives an Update that takes away what let it in, at the same instant", projects | sessions, updateRace},
		{"Remove forgets the user, together with the record", 0, removeUserForgets},
		{"Remove forgets the grants and the sessions", projects | sessions, removeUserGrants},
		{"Remove forgets the access tokens", projects | accessTokens, removeUserTokens},
		{"Remove asks allow, whose error is returned as it is, and then nothing is removed", projects | sessions, removeUserRefused},
		{"Remove of an unknown id is NotFound and keeps no record", 0, removeUnknownUser},
		{"no session outlives a Remove at the same instant", projects | sessions, removeUserRace},
		{"no grant outlives a Remove of its project at the same instant", projects, removeProjectRace},
		{"a call that waits for another's change returns promptly once its context is done", 0, updateWaits},
		{"what one instance writes another sees at once", 0, usersElsewhere},
		{"arguments are neither kept nor modified, and results are the caller's own", projects, usersArguments},
		{"an outage and an ended context are Unavailable, never NotFound, and change nothing", 0, usersUnavailable},
		{"all methods are safe for concurrent use", 0, usersConcurrent},
	})
}

// wantUser fails the test unless the user is stored as u.
func (f *fixture) wantUser(t *testing.T, what string, u domain.User) {
	t.Helper()
	got, err := f.Users.Find(t.Context(), u.ID)
	wantNil(t, what+": Users.Find", err)
	wantSame(t, what+": Users.Find", got, u)
}

// wantNoUser fails the test when there is a user with that id.
func (f *fixture) wantNoUser(t *testing.T, what string, id domain.UserID) {
	t.Helper()
	_, err := f.Users.Find(t.Context(), id)
	wantKind(t, what+": Users.Find", err, domain.NotFound)
}

// createStores has the shortest of what may be stored and the longest.
func createStores(t *testing.T, f *fixture) {
	member, admin, disabled := f.user("member", domain.RoleMember), f.user("admin", domain.RoleAdmin), f.user("disabled", domain.RoleMember)
	disabled.Disabled = true
	long := f.user(domain.Username(strings.Repeat("u", 64)), domain.RoleMember)
	odd := f.user("a.b_c@d+e-f", domain.RoleMember)
	odd.PasswordHash = domain.NewSecret("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaCB3aXRoICcgYW5kICI' \\ % 句")
	// A program that does not let people log in here has users without a hash.
	bare := f.user("bare", domain.RoleMember)
	bare.PasswordHash = domain.Secret{}
	for _, u := range []domain.User{member, admin, disabled, long, odd, bare} {
		f.create(t, u)
		f.wantUser(t, fmt.Sprintf("%s after Create", u.Name), u)
		got, err := f.Users.FindByName(t.Context(), u.Name)
		wantNil(t, "FindByName after Create", err)
		wantSame(t, "FindByName after Create", got, u)
	}
	f.wantRecords(t, "after each Create")
}

// createGrants sees the grants from the side of the projects too: they are the same ones.
func createGrants(t *testing.T, f *fixture) {
	p, q, r := f.addNamed(t, "p"), f.addNamed(t, "q"), f.addNamed(t, "r")
	u := f.create(t, f.user("ana", domain.RoleMember, r.ID, p.ID, r.ID))
	f.wantUser(t, "after Create with two assistants", u)
	f.wantSeen(t, "the user after Create with two assistants", domain.GrantedTo(u.ID), p.ID, r.ID)
	admin := f.create(t, f.user("admin", domain.RoleAdmin, q.ID))
	f.wantSeen(t, "an admin, by grants, after Create with one assistant", domain.GrantedTo(admin.ID), q.ID)
	f.wantScopes(t, "after Create with two assistants", u.ID, map[domain.ProjectID]domain.Scopes{p.ID: domain.DefaultScopes(), r.ID: domain.DefaultScopes()})
	f.wantScopes(t, "an admin after Create with one assistant", admin.ID, map[domain.ProjectID]domain.Scopes{q.ID: domain.DefaultScopes()})
	f.wantRecords(t, "after each Create")
}

// createTaken would show an adapter that replaces who is there.
func createTaken(t *testing.T, f *fixture) {
	first := f.admin(t, "ana")
	second := f.user("ana", domain.RoleMember)
	err := f.Users.Create(t.Context(), second, f.record(domain.ActionCreateUser, domain.OnUser(second.ID)))
	wantKind(t, "Create under a name that is taken", err, domain.Conflict)
	f.wantNoUser(t, "who was not created", second.ID)
	f.wantUser(t, "who has the name", first)
	f.wantRecords(t, "after Create under a name that is taken")
}

// createAtOnce fails for an adapter that looks first and inserts then.
func createAtOnce(t *testing.T, f *fixture) {
	at := f.instances(t)
	all, recs, errs := make([]domain.User, crowd), make([]domain.Record, crowd), make([]error, crowd)
	for i := range all {
		all[i] = f.user("ana", domain.RoleMember)
		recs[i] = f.record(domain.ActionCreateUser, domain.OnUser(all[i].ID))
	}
	atOnce(crowd, func(i int) { errs[i] = at[i%len(at)].Users.Create(t.Context(), all[i], recs[i]) })
	one := onlySuccess(t, "Create", errs)
	for i, err := range errs {
		if i != one {
			wantKind(t, fmt.Sprintf("one of the other %d Creates", crowd-1), err, domain.Conflict)
		}
	}
	got, err := f.Users.FindByName(t.Context(), "ana")
	wantNil(t, "FindByName after all", err)
	wantSame(t, "FindByName after all", got, all[one])
	f.wantRecordsInAnyOrder(t, "after all", []domain.Record{recs[one]})
}

// createUnknownAssistant creates the user afterwards, which fails if half of them was left.
func createUnknownAssistant(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.user("ana", domain.RoleMember, p.ID, projectID(404))
	err := f.Users.Create(t.Context(), u, f.record(domain.ActionCreateUser, domain.OnUser(u.ID)))
	wantKind(t, "Create with an assistant that is not there", err, domain.NotFound)
	f.wantNoUser(t, "who was not created", u.ID)
	f.wantSeen(t, "who was not created", domain.GrantedTo(u.ID))
	f.wantRecords(t, "after Create with an assistant that is not there")
	u.SetAssistants([]domain.ProjectID{p.ID})
	f.create(t, u)
	f.wantUser(t, "created after all", u)
}

// findUser changes the grants in each way in which they can change.
func findUser(t *testing.T, f *fixture) {
	p, q, r := f.addNamed(t, "p"), f.addNamed(t, "q"), f.addNamed(t, "r")
	u := f.member(t, "ana", q.ID)
	other := f.member(t, "bob", r.ID)
	for _, step := range []struct {
		what string
		do   func()
		want []domain.ProjectID
	}{
		{"after Create", func() {}, []domain.ProjectID{q.ID}},
		{"after Grants", func() { f.grant(t, u.ID, r.ID); f.grant(t, u.ID, p.ID) }, []domain.ProjectID{p.ID, q.ID, r.ID}},
		{"after Revoke", func() { f.revoke(t, u.ID, q.ID) }, []domain.ProjectID{p.ID, r.ID}},
		{"after Remove of a project", func() { f.remove(t, p.ID) }, []domain.ProjectID{r.ID}},
		{"after Revoke of the last", func() { f.revoke(t, u.ID, r.ID) }, nil},
	} {
		step.do()
		u.Assistants = step.want
		f.wantUser(t, step.what, u)
		got, err := f.Users.FindByName(t.Context(), u.Name)
		wantNil(t, step.what+": FindByName", err)
		wantSame(t, step.what+": FindByName", got, u)
		f.wantUser(t, "another user "+step.what, other)
	}
}

func findUnknownUser(t *testing.T, f *fixture) {
	_, err := f.Users.Find(t.Context(), userID(1))
	wantKind(t, "Find without any user", err, domain.NotFound)
	_, err = f.Users.FindByName(t.Context(), "ana")
	wantKind(t, "FindByName without any user", err, domain.NotFound)
	u := f.member(t, "ana")
	for _, id := range []domain.UserID{userID(404), "", "ana", domain.UserID(strings.ToUpper(string(u.ID)) + " "), "' OR 1=1 --"} {
		_, err := f.Users.Find(t.Context(), id)
		wantKind(t, fmt.Sprintf("Find of the unknown id %q", id), err, domain.NotFound)
	}
}

// usernames are names of users in the order of their bytes. In no order of a language,
// nor in one that ignores signs, would they stand so.
var usernames = []domain.Username{"+a", "-b", ".c", "0", "10", "2", "@", "_u", "a", "a-c", "a.b", "a_b", "aa", "ab", "ac", "axb", "z"}

// findExactName looks for names with the wildcards of SQL's LIKE in them, and for names in
// other letters.
func findExactName(t *testing.T, f *fixture) {
	for _, name := range usernames {
		f.member(t, name)
	}
	for _, name := range usernames {
		got, err := f.Users.FindByName(t.Context(), name)
		wantNil(t, fmt.Sprintf("FindByName(%q)", name), err)
		wantSame(t, "the name of who was found", got.Name, name)
	}
	for _, name := range []domain.Username{"", "A", "AB", "b", "a ", " a", "a%", "_", "__", "a__", "%", "axc", "' OR 1=1 --"} {
		_, err := f.Users.FindByName(t.Context(), name)
		wantKind(t, fmt.Sprintf("FindByName of the unknown name %q", name), err, domain.NotFound)
	}
}

func (f *fixture) pageUsers(t *testing.T, what string, after domain.Cursor, limit int) []domain.User {
	t.Helper()
	got, err := f.Users.Page(t.Context(), after, limit)
	wantNil(t, what+": Users.Page", err)
	return got
}

func behindUser(u domain.User) domain.Cursor {
	return domain.Cursor{Name: string(u.Name), ID: string(u.ID)}
}

func pageUsersLimit(t *testing.T, f *fixture) {
	wantSame(t, "Page of an empty list", f.pageUsers(t, "of an empty list", domain.Cursor{}, 10), []domain.User{})
	var all []domain.User
	for n := range 5 {
		all = append(all, f.member(t, domain.Username(fmt.Sprintf("user%d", n))))
	}
	for limit := 1; limit <= 6; limit++ {
		what := fmt.Sprintf("Page of 5 users with the limit %d", limit)
		wantSame(t, what, f.pageUsers(t, what, domain.Cursor{}, limit), all[:min(limit, 5)])
	}
	wantSame(t, "Page behind the last user", f.pageUsers(t, "behind the last user", behindUser(all[4]), 10), []domain.User{})
}

// pageUsersOrder has ids that stand against the order of the names.
func pageUsersOrder(t *testing.T, f *fixture) {
	all := map[domain.Username]domain.User{}
	for i, name := range usernames {
		u := f.user(name, domain.RoleMember)
		u.ID = userID(5000 - i) // ids against the order of names
		all[name] = u
	}
	for _, u := range all { // in any order
		f.create(t, u)
	}
	for limit := 1; limit <= len(usernames)+1; limit++ {
		var got []domain.Username
		var at domain.Cursor
		for {
			page := f.pageUsers(t, fmt.Sprintf("paging by %d", limit), at, limit)
			if len(page) == 0 || len(got) > len(usernames) {
				break
			}
			for _, u := range page {
				got = append(got, u.Name)
			}
			at = behindUser(page[len(page)-1])
		}
		wantSame(t, fmt.Sprintf("the names, paged by %d, in the order of their bytes", limit), got, usernames)
	}

	gone := all["a_b"]
	rec := f.record(domain.ActionDeleteUser, domain.OnUser(gone.ID))
	wantNil(t, "preparing: Users.Remove", f.Users.Remove(t.Context(), gone.ID, agree, rec))
	for what, at := range map[string]domain.Cursor{
		"a user who is gone":      behindUser(gone),
		"a name that nobody has":  {Name: "a_a", ID: string(userID(1))},
		"the highest id of a.b":   {Name: "a.b", ID: "ffffffff-ffff-ffff-ffff-ffffffffffff"},
		"the lowest id of aa":     {Name: "aa", ID: string(userID(0))},
		"a name before aa":        {Name: "a`", ID: string(userID(0))},
		"the beginning of a name": {Name: "a_", ID: ""},
	} {
		got := f.pageUsers(t, "behind "+what, at, 1)
		wantSame(t, "Page of one behind "+what, got, []domain.User{all["aa"]})
	}
}

// pageUsersGrants would show an adapter that counts grants against the limit of users.
func pageUsersGrants(t *testing.T, f *fixture) {
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	all := []domain.User{f.member(t, "a", q.ID, p.ID), f.member(t, "b"), f.admin(t, "c"), f.member(t, "d", q.ID)}
	f.grant(t, "a host's user", p.ID)
	wantSame(t, "one page", f.pageUsers(t, "all", domain.Cursor{}, 10), all)
	for i := range all {
		var at domain.Cursor
		if i > 0 {
			at = behindUser(all[i-1])
		}
		wantSame(t, "a page of one", f.pageUsers(t, "of one", at, 1), all[i:i+1])
		wantSame(t, "a page of two", f.pageUsers(t, "of two", at, 2), all[i:min(i+2, len(all))])
	}
}

// pageUsersConnections reads more pages than any pool has connections.
func pageUsersConnections(t *testing.T, f *fixture) {
	for _, name := range usernames[:3] {
		f.member(t, name)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for n := range 200 {
		_, err := f.Users.Page(ctx, domain.Cursor{}, 1)
		wantNil(t, fmt.Sprintf("Page, the %dth time", n+1), err)
	}
	u := f.user("after", domain.RoleMember)
	wantNil(t, "Create after 200 pages", f.Users.Create(ctx, u, f.record(domain.ActionCreateUser, domain.OnUser(u.ID))))
}

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
	got, err := f.Projects.Grants(t.Context(), domain.GrantFilter{User: user}, domain.Cursor{}, 1000)
	wantNil(t, what+": Grants", err)
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
		domain.Grant{User: u.ID, Project: p.ID, Scopes: wide, Created: began})
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
	_, err := f.Users.FindByName(t.Context(), "another")
	wantKind(t, "FindByName of the name that change wrote", err, domain.NotFound)
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
		got, err := f.Users.Update(t.Context(), u.ID, changing(change), "", f.record(domain.ActionUpdateUser, domain.OnUser(u.ID)))
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
		got, err := f.Users.Update(t.Context(), u.ID, func(u *domain.User, _ bool) error {
			u.Role, u.Disabled, u.PasswordHash = domain.RoleMember, true, domain.NewSecret("another")
			u.Assistants = append(u.Assistants, projectID(404))
			return refusal
		}, "", f.record(domain.ActionUpdateUser, domain.OnUser(u.ID)))
		if err != refusal { //nolint:errorlint // the very error is what is promised
			t.Fatalf("Update whose change fails: got error %v, want %v as it is", err, refusal)
		}
		wantSame(t, "what Update returned beside the error", got, domain.User{})
		f.wantUser(t, "after Update whose change failed", u)
	}
	f.wantRecords(t, "after Update whose change failed")
}

func updateUnknown(t *testing.T, f *fixture) {
	_, err := f.Users.Update(t.Context(), userID(404), changing(func(*domain.User) {}), "", f.record(domain.ActionUpdateUser, "unknown"))
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
		_, err := f.Users.Update(t.Context(), u.ID, changing(func(u *domain.User) {
			u.Role, u.PasswordHash = domain.RoleAdmin, domain.NewSecret("another")
			u.SetAssistants([]domain.ProjectID{id})
		}), "", f.record(domain.ActionUpdateUser, domain.OnUser(u.ID)))
		wantKind(t, "Update with an assistant that "+what, err, domain.NotFound)
		f.wantUser(t, "after Update with an assistant that "+what, u)
		f.wantSeen(t, "after Update with an assistant that "+what, domain.GrantedTo(u.ID), p.ID)
	}
	f.wantRecords(t, "after Updates with assistants that are not there")
}

// updateOtherAdmin asks without changing anything: what is asked about is refused.
func updateOtherAdmin(t *testing.T, f *fixture) {
	asked := func(what string, id domain.UserID, want bool) {
		t.Helper()
		for name, ask := range map[string]func(allow func(*domain.User, bool) error) error{
			"Update": func(allow func(*domain.User, bool) error) error {
				_, err := f.Users.Update(t.Context(), id, allow, "", f.record(domain.ActionUpdateUser, "asked"))
				return err
			},
			"Remove": func(allow func(*domain.User, bool) error) error {
				return f.Users.Remove(t.Context(), id, allow, f.record(domain.ActionDeleteUser, "asked"))
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

// updateLastAdmin lets every admin of a group be taken away by one who saw that there are
// others. Whoever comes last must see that there are none.
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
			view := at[i%len(at)].Users
			switch i % 3 {
			case 0:
				_, errs[i] = view.Update(t.Context(), all[i].ID, func(u *domain.User, otherAdmin bool) error {
					linger()
					return u.SetRole(domain.RoleMember, otherAdmin)
				}, "", recs[i])
			case 1:
				errs[i] = view.Remove(t.Context(), all[i].ID, func(u *domain.User, otherAdmin bool) error {
					linger()
					return u.MayBeDeleted("", otherAdmin)
				}, recs[i])
			default:
				_, errs[i] = view.Update(t.Context(), all[i].ID, func(u *domain.User, otherAdmin bool) error {
					linger()
					return u.SetDisabled(true, otherAdmin)
				}, "", recs[i])
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
		wantNil(t, "preparing: Users.Remove", f.Users.Remove(t.Context(), last, agree, rec))
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
			_, errs[i] = at[i%len(at)].Users.Update(t.Context(), u.ID, changing(func(u *domain.User) {
				linger()
				u.SetAssistants(append(slices.Clone(u.Assistants), want[i]))
			}), "", f.record(domain.ActionUpdateUser, domain.OnUser(u.ID)))
		})
		for _, err := range errs {
			wantNil(t, fmt.Sprintf("one of %d Updates of one user at the same instant", writers), err)
		}
		u.Assistants = want
		f.wantUser(t, fmt.Sprintf("after %d Updates at the same instant, each of which added an assistant", writers), u)
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
	f.updateKeeping(t, h.member.ID, h.login.ID, func(u *domain.User) { u.Disabled = true })
	f.wantOver(t, "of the user who is now disabled", h.ofMember()...)
	f.wantLive(t, "of others", append(h.ofAdmin(), h.others...)...)
	f.updateKeeping(t, h.admin.ID, h.adminLogin.ID, func(u *domain.User) { u.Disabled = true })
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
	f.updateKeeping(t, h.member.ID, h.login.ID, another)
	f.wantLive(t, "kept, and what is under it", h.login, h.under)
	f.wantOver(t, "not kept when the password changed", h.second, h.underSecond, h.host)
	f.wantLive(t, "of others", append(h.ofAdmin(), h.others...)...)

	// Another user's login is not kept alive, nor does it keep anything here.
	f.updateKeeping(t, h.member.ID, h.adminLogin.ID, another)
	f.wantOver(t, "when the password changed and another's session was to be kept", h.ofMember()...)
	f.update(t, h.admin.ID, another)
	f.wantOver(t, "when the password changed and none was to be kept", h.ofAdmin()...)
	f.wantLive(t, "of others", h.others...)
	f.wantRecords(t, "after each Update")
}

// updateDemoted keeps what the role had no part in.
func updateDemoted(t *testing.T, f *fixture) {
	h := f.household(t)
	f.updateKeeping(t, h.admin.ID, h.adminLogin.ID, func(u *domain.User) { u.Role = domain.RoleMember })
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
	f.updateKeeping(t, h.member.ID, h.login.ID, func(u *domain.User) { u.SetAssistants([]domain.ProjectID{h.q.ID}) })
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
	_, err := f.Users.Update(t.Context(), h.admin.ID, changing(func(*domain.User) {}), "", f.record(domain.ActionUpdateUser, "nothing"))
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
			logins := f.logins(t, u) // each time anew, since disabling ends them
			tries := f.eachUnder(logins, p.ID)
			if way.byRole {
				for i := range tries {
					tries[i] = f.byRole(logins[i], p.ID)
				}
			}
			f.openDuring(t, way.what, u, tries, domain.ActionUpdateUser, func(rec domain.Record) error {
				_, err := f.Users.Update(t.Context(), u.ID, changing(way.take), "", rec)
				return err
			}, domain.NotAllowed)
			f.update(t, u.ID, way.back)
			before = append(before, tries...)
			f.wantOver(t, "opened during "+way.what+", after what let it in came back", before...)
		}
	}
}

// removeUserForgets creates another user under the name, which must be free.
func removeUserForgets(t *testing.T, f *fixture) {
	u, other := f.member(t, "ana"), f.member(t, "bob")
	rec := f.record(domain.ActionDeleteUser, domain.OnUser(u.ID))
	wantNil(t, "Remove", f.Users.Remove(t.Context(), u.ID, agree, rec))
	f.log = append(f.log, rec)
	f.wantNoUser(t, "after Remove", u.ID)
	_, err := f.Users.FindByName(t.Context(), u.Name)
	wantKind(t, "FindByName after Remove", err, domain.NotFound)
	wantSame(t, "all users after Remove", f.pageUsers(t, "after Remove", domain.Cursor{}, 10), []domain.User{other})
	f.wantRecords(t, "after Remove")

	again := f.member(t, "ana") // the name is free
	f.wantUser(t, "another under the same name", again)
	f.wantNoUser(t, "the first of that name", u.ID)
}

// removeUserGrants creates the same id again, which brings to light what was left behind.
func removeUserGrants(t *testing.T, f *fixture) {
	h := f.household(t)
	for _, u := range []domain.User{h.member, h.admin} {
		rec := f.record(domain.ActionDeleteUser, domain.OnUser(u.ID))
		wantNil(t, "Remove", f.Users.Remove(t.Context(), u.ID, agree, rec))
		f.log = append(f.log, rec)
		f.wantSeen(t, "who is removed, by grants", domain.GrantedTo(u.ID))
	}
	f.wantOver(t, "of who is removed", append(h.ofMember(), h.ofAdmin()...)...)
	f.wantLive(t, "of others", h.others...)
	f.wantSeen(t, "another, by grants", domain.GrantedTo(h.other.ID), h.p.ID)
	f.wantSeen(t, "an admin", everything, h.p.ID, h.q.ID)
	f.wantRecords(t, "after each Remove")

	back := h.member
	back.SetAssistants(nil)
	f.create(t, back)
	f.wantOver(t, "of who was removed and is back under the same id", h.ofMember()...)
	f.wantUser(t, "who was removed and is back under the same id", back)
}

// removeUserTokens creates the same id again, which brings to light what was left behind.
func removeUserTokens(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u, other := f.member(t, "ana", p.ID), f.member(t, "bob", p.ID)
	f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
	f.issue(t, f.token(u.ID, "", domain.ScopesOf(domain.ScopeManage)))
	stays := f.issue(t, f.token(other.ID, p.ID, domain.DefaultScopes()))
	f.removeUser(t, u.ID)
	f.wantTokens(t, "after Remove of the user", "", stays)
	u.SetAssistants(nil)
	f.create(t, u)
	f.wantTokens(t, "after the same id was created again", "", stays)
	f.wantRecords(t, "after Remove of the user")
}

// removeUserRefused lets allow alter the user that it is asked about, which must do nothing.
func removeUserRefused(t *testing.T, f *fixture) {
	h := f.household(t)
	ours := &domain.Error{Kind: domain.Conflict, Public: "nobody can delete themselves"}
	for _, refusal := range []error{errRefused, ours} {
		var asked domain.User
		err := f.Users.Remove(t.Context(), h.member.ID, func(u *domain.User, _ bool) error {
			asked = *u
			asked.Assistants = slices.Clone(u.Assistants)
			u.Disabled, u.Role = true, domain.RoleAdmin
			clear(u.Assistants)
			return refusal
		}, f.record(domain.ActionDeleteUser, domain.OnUser(h.member.ID)))
		if err != refusal { //nolint:errorlint // the very error is what is promised
			t.Fatalf("Remove that is not allowed: got error %v, want %v as it is", err, refusal)
		}
		wantSame(t, "whom allow was asked about", asked, h.member)
		f.wantUser(t, "after Remove that was not allowed", h.member)
	}
	f.wantLive(t, "after Remove that was not allowed", h.ofMember()...)
	f.wantSeen(t, "after Remove that was not allowed", domain.GrantedTo(h.member.ID), h.p.ID, h.q.ID)
	f.wantRecords(t, "after Remove that was not allowed")
}

func removeUnknownUser(t *testing.T, f *fixture) {
	u := f.member(t, "ana")
	rec := f.record(domain.ActionDeleteUser, domain.OnUser(u.ID))
	wantNil(t, "Remove", f.Users.Remove(t.Context(), u.ID, agree, rec))
	f.log = append(f.log, rec)
	for _, id := range []domain.UserID{u.ID, userID(404)} {
		wantKind(t, "Remove of an unknown id", f.Users.Remove(t.Context(), id, agree, f.record(domain.ActionDeleteUser, "unknown")), domain.NotFound)
	}
	f.wantRecords(t, "after Removes of unknown ids")

	at := f.instances(t)
	v := f.member(t, "bob")
	recs, errs := make([]domain.Record, crowd), make([]error, crowd)
	for i := range recs {
		recs[i] = f.record(domain.ActionDeleteUser, domain.OnUser(v.ID))
	}
	atOnce(crowd, func(i int) { errs[i] = at[i%len(at)].Users.Remove(t.Context(), v.ID, agree, recs[i]) })
	one := onlySuccess(t, "Remove", errs)
	for i, err := range errs {
		if i != one {
			wantKind(t, fmt.Sprintf("one of the other %d Removes", crowd-1), err, domain.NotFound)
		}
	}
	f.wantRecordsInAnyOrder(t, "after many Removes at the same instant", []domain.Record{recs[one]})
}

// removeUserRace fails for an adapter that looks for the user first and stores the session
// then.
func removeUserRace(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	for range rounds {
		u := f.member(t, "ana", p.ID)
		tries := append(f.eachUnder(f.logins(t, u), p.ID), f.hosted(u.ID, p.ID), f.newLogin(u.ID), f.newLogin(u.ID))
		f.openDuring(t, "Remove of the user", u, tries, domain.ActionDeleteUser,
			func(rec domain.Record) error { return f.Users.Remove(t.Context(), u.ID, agree, rec) }, domain.NotAllowed)
		f.wantSeen(t, "after Remove of the user", domain.GrantedTo(u.ID))
	}
}

// removeProjectRace is the other side of grants: they come with a user while their project
// goes.
func removeProjectRace(t *testing.T, f *fixture) {
	at := f.instances(t)
	u := f.member(t, "ana")
	for range rounds {
		p := f.addNamed(t, "p")
		fresh := f.user(domain.Username(fmt.Sprintf("user%d", f.next())), domain.RoleMember, p.ID)
		recs := []domain.Record{
			f.record(domain.ActionDeleteProject, "p"), f.record(domain.ActionCreateUser, "fresh"), f.record(domain.ActionUpdateUser, "ana"),
		}
		errs := make([]error, 3)
		atOnce(3, func(i int) {
			switch i {
			case 0:
				errs[i] = f.Projects.Remove(t.Context(), p.ID, recs[i])
			case 1:
				errs[i] = at[len(at)-1].Users.Create(t.Context(), fresh, recs[i])
			default:
				_, errs[i] = at[len(at)-1].Users.Update(t.Context(), u.ID, changing(func(u *domain.User) {
					u.SetAssistants([]domain.ProjectID{p.ID})
				}), "", recs[i])
			}
		})
		wantNil(t, "Remove of a project while it is granted", errs[0])
		written := recs[:1]
		for i, err := range errs[1:] {
			if err == nil {
				written = append(written, recs[i+1])
			} else {
				wantKind(t, "Create or Update with an assistant that is being removed", err, domain.NotFound)
			}
		}
		f.wantRecordsInAnyOrder(t, "after Remove of a project while it was granted", written)
		f.add(t, p)
		f.wantSeen(t, "who was created while the project was removed", domain.GrantedTo(fresh.ID))
		f.wantSeen(t, "who was updated while the project was removed", domain.GrantedTo(u.ID))
		f.remove(t, p.ID)
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
		_, err := f.Users.Update(t.Context(), ana.ID, func(u *domain.User, otherAdmin bool) error {
			if !entered {
				entered = true
				close(inside)
				<-leave
			}
			return u.SetRole(domain.RoleMember, otherAdmin)
		}, "", f.record(domain.ActionUpdateUser, "ana"))
		first <- err
	}()
	<-inside

	waiting := []call{
		{"Update of another admin", func(ctx context.Context) error {
			_, err := f.Users.Update(ctx, bob.ID, func(*domain.User, bool) error { return errRefused }, "", f.record(domain.ActionUpdateUser, "bob"))
			return err
		}},
		{"Remove of another admin", func(ctx context.Context) error {
			return f.Users.Remove(ctx, bob.ID, func(*domain.User, bool) error { return errRefused }, f.record(domain.ActionDeleteUser, "bob"))
		}},
		{"Create", func(ctx context.Context) error {
			u := f.user("cem", domain.RoleMember)
			return f.Users.Create(ctx, u, f.record(domain.ActionCreateUser, "cem"))
		}},
		{"Find", func(ctx context.Context) error {
			_, err := f.Users.Find(ctx, bob.ID)
			return err
		}},
		{"Page", func(ctx context.Context) error {
			_, err := f.Users.Page(ctx, domain.Cursor{}, 10)
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

// usersElsewhere goes to and fro between two instances, so that a cache in one of them would
// show.
func usersElsewhere(t *testing.T, f *fixture) {
	at := f.instances(t)
	there := at[len(at)-1].Users
	u := f.member(t, "ana")
	got, err := there.Find(t.Context(), u.ID)
	wantNil(t, "Find on the other instance after Create", err)
	wantSame(t, "Find on the other instance after Create", got, u)
	for _, role := range []domain.Role{domain.RoleAdmin, domain.RoleMember, domain.RoleAdmin} {
		rec := f.record(domain.ActionUpdateUser, domain.OnUser(u.ID))
		_, err := there.Update(t.Context(), u.ID, changing(func(u *domain.User) { u.Role = role }), "", rec)
		wantNil(t, "Update on the other instance", err)
		f.log = append(f.log, rec)
		u.Role = role
		f.wantUser(t, "after Update on the other instance", u)
	}
	rec := f.record(domain.ActionDeleteUser, domain.OnUser(u.ID))
	wantNil(t, "Remove on the other instance", there.Remove(t.Context(), u.ID, agree, rec))
	f.log = append(f.log, rec)
	f.wantNoUser(t, "after Remove on the other instance", u.ID)
	f.wantRecords(t, "of both instances")
}

// usersArguments alters what it handed in and what it was given.
func usersArguments(t *testing.T, f *fixture) {
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	u := f.user("ana", domain.RoleMember, p.ID, q.ID)
	want := u
	want.Assistants = slices.Clone(u.Assistants)
	f.create(t, u)
	wantSame(t, "the user that was handed to Create, afterwards", u, want)
	clear(u.Assistants)
	f.wantUser(t, "after the caller cleared the assistants that it had handed to Create", want)

	for what, find := range map[string]func() (domain.User, error){
		"Find":       func() (domain.User, error) { return f.Users.Find(t.Context(), want.ID) },
		"FindByName": func() (domain.User, error) { return f.Users.FindByName(t.Context(), "ana") },
		"Page": func() (domain.User, error) {
			all, err := f.Users.Page(t.Context(), domain.Cursor{}, 1)
			if err != nil || len(all) != 1 {
				return domain.User{}, cmp.Or(err, errors.New("no user"))
			}
			return all[0], nil
		},
	} {
		got, err := find()
		wantNil(t, what, err)
		clear(got.Assistants)
		f.wantUser(t, "after the caller cleared the assistants that "+what+" had returned", want)
	}

	handed := []domain.ProjectID{q.ID}
	got := f.update(t, want.ID, func(u *domain.User) {
		clear(u.Assistants) // change may alter what it is given
		u.Assistants = handed
	})
	clear(handed)
	clear(got.Assistants)
	want.Assistants = []domain.ProjectID{q.ID}
	f.wantUser(t, "after the caller cleared what Update had been given and had returned", want)
}

// updateInPlace is about a change that writes into the assistants that it is given.
func updateInPlace(t *testing.T, f *fixture) {
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	u := f.member(t, "ana", p.ID)
	refused := func(u *domain.User, _ bool) error {
		u.Assistants[0] = q.ID
		return errRefused
	}
	_, err := f.Users.Update(t.Context(), u.ID, refused, "", f.record(domain.ActionUpdateUser, domain.OnUser(u.ID)))
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

func usersUnavailable(t *testing.T, f *fixture) {
	u := f.admin(t, "ana")
	created := f.user("bob", domain.RoleMember)
	change := func(u *domain.User, _ bool) error { u.Disabled = true; return nil }
	f.wantUnavailable(t, func(t *testing.T) {
		f.wantUser(t, "after calls under ended contexts", u)
		f.wantNoUser(t, "after calls under ended contexts", created.ID)
		f.wantRecords(t, "after calls under ended contexts")
	},
		call{"Create", func(ctx context.Context) error {
			return f.Users.Create(ctx, created, f.record(domain.ActionCreateUser, "created"))
		}},
		call{"Create under a name that is taken", func(ctx context.Context) error {
			return f.Users.Create(ctx, f.user("ana", domain.RoleMember), f.record(domain.ActionCreateUser, "taken"))
		}},
		call{"Find", func(ctx context.Context) error {
			_, err := f.Users.Find(ctx, u.ID)
			return err
		}},
		call{"Find of an unknown id", func(ctx context.Context) error {
			_, err := f.Users.Find(ctx, userID(404))
			return err
		}},
		call{"FindByName", func(ctx context.Context) error {
			_, err := f.Users.FindByName(ctx, "ana")
			return err
		}},
		call{"FindByName of an unknown name", func(ctx context.Context) error {
			_, err := f.Users.FindByName(ctx, "nobody")
			return err
		}},
		call{"Page", func(ctx context.Context) error {
			_, err := f.Users.Page(ctx, domain.Cursor{}, 10)
			return err
		}},
		call{"Update", func(ctx context.Context) error {
			_, err := f.Users.Update(ctx, u.ID, change, "", f.record(domain.ActionUpdateUser, "ana"))
			return err
		}},
		call{"Update of an unknown id", func(ctx context.Context) error {
			_, err := f.Users.Update(ctx, userID(404), change, "", f.record(domain.ActionUpdateUser, "unknown"))
			return err
		}},
		call{"Remove", func(ctx context.Context) error {
			return f.Users.Remove(ctx, u.ID, agree, f.record(domain.ActionDeleteUser, "ana"))
		}},
		call{"Remove of an unknown id", func(ctx context.Context) error {
			return f.Users.Remove(ctx, userID(404), agree, f.record(domain.ActionDeleteUser, "unknown"))
		}},
	)
}

// usersConcurrent lets every caller find exactly what they left, whatever others do.
func usersConcurrent(t *testing.T, f *fixture) {
	at := f.instances(t)
	problems := make([]error, 16)
	atOnce(len(problems), func(i int) {
		view := at[i%len(at)].Users
		u := f.user(domain.Username(fmt.Sprintf("user%d", i)), domain.RoleMember)
		steps := []call{
			{"Create", func(ctx context.Context) error { return view.Create(ctx, u, f.record(domain.ActionCreateUser, "u")) }},
			{"Find", func(ctx context.Context) error {
				got, err := view.Find(ctx, u.ID)
				return cmp.Or(err, mismatch(got, u))
			}},
			{"FindByName", func(ctx context.Context) error {
				got, err := view.FindByName(ctx, u.Name)
				return cmp.Or(err, mismatch(got, u))
			}},
			{"Page", func(ctx context.Context) error {
				got, err := view.Page(ctx, domain.Cursor{Name: string(u.Name)}, 1)
				return cmp.Or(err, mismatch(got, []domain.User{u}))
			}},
			{"Update", func(ctx context.Context) error {
				got, err := view.Update(ctx, u.ID, changing(func(u *domain.User) { u.Role = domain.RoleAdmin }), "", f.record(domain.ActionUpdateUser, "u"))
				want := u
				want.Role = domain.RoleAdmin
				return cmp.Or(err, mismatch(got, want))
			}},
			{"Remove", func(ctx context.Context) error {
				return view.Remove(ctx, u.ID, agree, f.record(domain.ActionDeleteUser, "u"))
			}},
		}
		for range 5 {
			for _, step := range steps {
				if err := step.do(t.Context()); err != nil && problems[i] == nil {
					problems[i] = fmt.Errorf("%s: %w", step.name, err)
				}
			}
		}
	})
	for _, err := range problems {
		wantNil(t, "a caller beside others", err)
	}
	wantSame(t, "the users after all callers have cleaned up", f.pageUsers(t, "all", domain.Cursor{}, 10), []domain.User{})
}
