package portstest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

// UserRepository checks every sentence in the comments of ports.UserRepository that can be
// seen from outside.
func UserRepository(t *testing.T, open OpenStore) {
	check(t, open, append([]sentence{
		{"Create stores the user and the record together", createStores},
		{"Create stores the grants of the user's assistants, of the default scopes", createGrants},
		{"Create with a name that is taken is Conflict and changes nothing", createTaken},
		{"of several Creates of one name at the same instant exactly one succeeds", createAtOnce},
		{"Create with an assistant that does not exist is NotFound and changes nothing", createUnknownAssistant},
		{"Create of the first user is refused once there is a user, and for who is neither the operator nor a set-up link", createFirst},
		{"of several Creates of the first user at the same instant exactly one succeeds", createFirstAtOnce},
		{"Create of the first user comes before a Create of another at the same instant, or is Conflict", createFirstBeside},
		{"Find and Find by name return the user, with what is granted in the order of the ids", findUser},
		{"Find of an unknown id and Find by name of an unknown name are NotFound", findUnknownUser},
		{"Find by name finds exactly that name", findExactName},
		{"Page returns at most limit users, and no match is no error", pageUsersLimit},
		{"Page is in the order of the bytes of the name, and goes on after the cursor", pageUsersOrder},
		{"Page returns each user with their grants", pageUsersGrants},
		{"Names returns the names of the users among the ids, and unknown ids are absent", namesOfUsers},
		{"Page holds no connection after it has returned", pageUsersConnections},
		{"Update stores role, disabled, password hash and assistants, and returns the user as stored", updateStores},
		{"grants that stay keep their scopes, and new ones have the default scopes", updateScopes},
		{"change may write into the assistants that it is given", updateInPlace},
		{"changes of other fields are ignored", updateOtherFields},
		{"Update that changes nothing keeps no record", updateNothing},
		{"the error of change is returned as it is, and nothing is stored", updateError},
		{"Update of an unknown id is NotFound", updateUnknown},
		{"Update with an assistant that does not exist is NotFound and changes nothing", updateUnknownAssistant},
		{"otherAdmin and OtherAdmin report whether another user counts as admin", updateOtherAdmin},
		{"of all admins that are demoted, disabled or removed at the same instant one remains", updateLastAdmin},
		{"two changes of one user at the same instant are both stored", updateBoth},
		{"disabling a user ends all sessions", updateDisabled},
		{"another password hash ends all sessions except keep and its assistant session", updatePassword},
		{"another password hash ends the access tokens and their conversations, unless tokens are kept", updateTokens},
		{"an access token creates, promotes and enables no admin, and sets no password of an admin or of its owner", changesByToken},
		{"a promotion and a password by an access token at the same instant come one after the other", changesByTokenRace},
		{"demoting an admin ends the assistant sessions that the role allowed", updateDemoted},
		{"removing a grant ends the assistant sessions that it allowed", updateRevoked},
		{"an Update that takes nothing away ends no session", updateHarmless},
		{"no session outlives an Update that takes away what allows it, at the same instant", updateRace},
		{"Remove forgets the user, together with the record", removeUserForgets},
		{"Remove forgets the grants and the sessions", removeUserGrants},
		{"Remove forgets the access tokens", removeUserTokens},
		{"Remove asks allow, whose error is returned as it is, and then nothing is removed", removeUserRefused},
		{"Remove of an unknown id is NotFound and keeps no record", removeUnknownUser},
		{"no session outlives a Remove at the same instant", removeUserRace},
		{"no grant outlives a Remove of its project at the same instant", removeProjectRace},
		{"a call that waits for another's change returns promptly after its context is done", updateWaits},
		{"Update leaves what groups grant, whether change keeps it or not", updateKeepsGroups},
		{"Update links a user to an identity, by which Find finds them, and is Conflict if another user has it", updateLinks},
		{"Update that removes the identity takes what groups gave the user, and nothing that an admin gave", unlinkTakes},
		{"of several users who are linked to one identity at the same instant one is", linkAtOnce},
		{"HasSignedOnAdmin and KeptAdmins tell of the users as they are now", signedOnAdmins},
	}, promises("Users")...))
}

// wantUser fails the test unless the user is stored as u.
func (f *fixture) wantUser(t *testing.T, what string, u domain.User) {
	t.Helper()
	got, err := f.Ports.Users.Find(t.Context(), domain.UserRef{ID: u.ID})
	wantNil(t, what+": Users.Find", err)
	wantSame(t, what+": Users.Find", got, u)
}

// wantNoUser fails the test when there is a user with that id.
func (f *fixture) wantNoUser(t *testing.T, what string, id domain.UserID) {
	t.Helper()
	_, err := f.Ports.Users.Find(t.Context(), domain.UserRef{ID: id})
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
		got, err := f.Ports.Users.Find(t.Context(), domain.UserRef{Name: u.Name})
		wantNil(t, "Find by name after Create", err)
		wantSame(t, "Find by name after Create", got, u)
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
	err := f.Ports.Users.Create(t.Context(), f.act(domain.ActionCreateUser, domain.OnUser(second.ID)), second)
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
	atOnce(crowd, func(i int) { errs[i] = at[i%len(at)].Ports.Users.Create(t.Context(), byOperator(recs[i]), all[i]) })
	one := onlySuccess(t, "Create", errs)
	for i, err := range errs {
		if i != one {
			wantKind(t, fmt.Sprintf("one of the other %d Creates", crowd-1), err, domain.Conflict)
		}
	}
	got, err := f.Ports.Users.Find(t.Context(), domain.UserRef{Name: "ana"})
	wantNil(t, "Find by name after all", err)
	wantSame(t, "Find by name after all", got, all[one])
	f.wantRecordsInAnyOrder(t, "after all", []domain.Record{recs[one]})
}

// createUnknownAssistant creates the user afterwards, which fails if half of them was left.
func createUnknownAssistant(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.user("ana", domain.RoleMember, p.ID, projectID(404))
	err := f.Ports.Users.Create(t.Context(), f.act(domain.ActionCreateUser, domain.OnUser(u.ID)), u)
	wantKind(t, "Create with an assistant that does not exist", err, domain.NotFound)
	f.wantNoUser(t, "who was not created", u.ID)
	f.wantSeen(t, "who was not created", domain.GrantedTo(u.ID))
	f.wantRecords(t, "after Create with an assistant that does not exist")
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
		{"after Puts", func() { f.grant(t, u.ID, r.ID); f.grant(t, u.ID, p.ID) }, []domain.ProjectID{p.ID, q.ID, r.ID}},
		{"after Grants.Remove", func() { f.revoke(t, u.ID, q.ID) }, []domain.ProjectID{p.ID, r.ID}},
		{"after Remove of a project", func() { f.remove(t, p.ID) }, []domain.ProjectID{r.ID}},
		{"after Grants.Remove of the last", func() { f.revoke(t, u.ID, r.ID) }, nil},
	} {
		step.do()
		u.Assistants = step.want
		f.wantUser(t, step.what, u)
		got, err := f.Ports.Users.Find(t.Context(), domain.UserRef{Name: u.Name})
		wantNil(t, step.what+": Find by name", err)
		wantSame(t, step.what+": Find by name", got, u)
		f.wantUser(t, "another user "+step.what, other)
	}
}

func findUnknownUser(t *testing.T, f *fixture) {
	_, err := f.Ports.Users.Find(t.Context(), domain.UserRef{ID: userID(1)})
	wantKind(t, "Find without any user", err, domain.NotFound)
	_, err = f.Ports.Users.Find(t.Context(), domain.UserRef{Name: "ana"})
	wantKind(t, "Find by name without any user", err, domain.NotFound)
	u := f.member(t, "ana")
	for _, id := range []domain.UserID{userID(404), "", "ana", domain.UserID(strings.ToUpper(string(u.ID)) + " "), "' OR 1=1 --"} {
		_, err := f.Ports.Users.Find(t.Context(), domain.UserRef{ID: id})
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
		got, err := f.Ports.Users.Find(t.Context(), domain.UserRef{Name: name})
		wantNil(t, fmt.Sprintf("Find by name(%q)", name), err)
		wantSame(t, "the name of who was found", got.Name, name)
	}
	for _, name := range []domain.Username{"", "A", "AB", "b", "a ", " a", "a%", "_", "__", "a__", "%", "axc", "' OR 1=1 --"} {
		_, err := f.Ports.Users.Find(t.Context(), domain.UserRef{Name: name})
		wantKind(t, fmt.Sprintf("Find by name of the unknown name %q", name), err, domain.NotFound)
	}
}

func (f *fixture) pageUsers(t *testing.T, what string, after domain.Cursor, limit int) []domain.User {
	t.Helper()
	got, err := f.Ports.Users.Page(t.Context(), after, limit)
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
	wantNil(t, "preparing: Users.Remove", f.Ports.Users.Remove(t.Context(), byOperator(rec), gone.ID, agree))
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
		_, err := f.Ports.Users.Page(ctx, domain.Cursor{}, 1)
		wantNil(t, fmt.Sprintf("Page, the %dth time", n+1), err)
	}
	u := f.user("after", domain.RoleMember)
	wantNil(t, "Create after 200 pages", f.Ports.Users.Create(ctx, f.act(domain.ActionCreateUser, domain.OnUser(u.ID)), u))
}

// removeUserForgets creates another user under the name, which must be free.
func removeUserForgets(t *testing.T, f *fixture) {
	u, other := f.member(t, "ana"), f.member(t, "bob")
	rec := f.record(domain.ActionDeleteUser, domain.OnUser(u.ID))
	wantNil(t, "Remove", f.Ports.Users.Remove(t.Context(), byOperator(rec), u.ID, agree))
	f.log = append(f.log, rec)
	f.wantNoUser(t, "after Remove", u.ID)
	_, err := f.Ports.Users.Find(t.Context(), domain.UserRef{Name: u.Name})
	wantKind(t, "Find by name after Remove", err, domain.NotFound)
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
		wantNil(t, "Remove", f.Ports.Users.Remove(t.Context(), byOperator(rec), u.ID, agree))
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
		err := f.Ports.Users.Remove(t.Context(), f.act(domain.ActionDeleteUser, domain.OnUser(h.member.ID)), h.member.ID, func(u *domain.User, _ bool) error {
			asked = *u
			asked.Assistants = slices.Clone(u.Assistants)
			u.Disabled, u.Role = true, domain.RoleAdmin
			clear(u.Assistants)
			return refusal
		})
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
	wantNil(t, "Remove", f.Ports.Users.Remove(t.Context(), byOperator(rec), u.ID, agree))
	f.log = append(f.log, rec)
	for _, id := range []domain.UserID{u.ID, userID(404)} {
		wantKind(t, "Remove of an unknown id", f.Ports.Users.Remove(t.Context(), f.act(domain.ActionDeleteUser, "unknown"), id, agree), domain.NotFound)
	}
	f.wantRecords(t, "after Removes of unknown ids")

	at := f.instances(t)
	v := f.member(t, "bob")
	recs, errs := make([]domain.Record, crowd), make([]error, crowd)
	for i := range recs {
		recs[i] = f.record(domain.ActionDeleteUser, domain.OnUser(v.ID))
	}
	atOnce(crowd, func(i int) { errs[i] = at[i%len(at)].Ports.Users.Remove(t.Context(), byOperator(recs[i]), v.ID, agree) })
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
			func(rec domain.Record) error { return f.Ports.Users.Remove(t.Context(), byOperator(rec), u.ID, agree) }, domain.NotAllowed, domain.NotAuthenticated)
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
				errs[i] = f.Ports.Projects.Remove(t.Context(), byOperator(recs[i]), p.ID)
			case 1:
				errs[i] = at[len(at)-1].Ports.Users.Create(t.Context(), byOperator(recs[i]), fresh)
			default:
				_, errs[i] = at[len(at)-1].Ports.Users.Update(t.Context(), byOperator(recs[i]), u.ID, changing(func(u *domain.User) {
					u.SetAssistants([]domain.ProjectID{p.ID})
				}), domain.Kept{})
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
