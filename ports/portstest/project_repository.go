package portstest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// ProjectRepository checks every sentence in the comments of ports.ProjectRepository
// that can be seen from outside. It needs Projects and Records of the Store; what
// happens to sessions and users is checked where the Store has those views.
func ProjectRepository(t *testing.T, open OpenStore) {
	check(t, open, projects, []sentence{
		{"Add stores the project, its key in the primary slot and the record together", 0, addStores},
		{"Add keeps a name of any script to the byte", 0, addKeepsNames},
		{"Add of a pair that is there is AlreadyAdded, carries the project that is there and changes nothing", 0, addTwice},
		{"of several equal Adds at the same instant exactly one succeeds", 0, addAtOnce},
		{"Remove forgets the project, its keys and the grants on it, together with the record", 0, removeForgets},
		{"Remove ends the assistant sessions in the project", users | sessions, removeEndsSessions},
		{"Remove of an unknown id is NotFound and keeps no record", 0, removeUnknown},
		{"of several Removes at the same instant exactly one succeeds", 0, removeAtOnce},
		{"Find returns the projects that every field of the ref names, and none is no error", 0, findMatches},
		{"Find compares names to the byte", 0, findNames},
		{"Find returns in the order of the ids, and at most MaxMatches", 0, findOrder},
		{"Find and Page look within what is visible", 0, projectsVisible},
		{"Page returns at most limit projects, and none is no error", 0, pageLimit},
		{"Page is in the order of the bytes of the name, then the id", 0, pageOrder},
		{"Page goes on behind the cursor, within one name too, whether or not that project is still there", 0, pageCursor},
		{"Page shows each project that stays exactly once while others come and go", 0, pageMoves},
		{"Page holds no connection once it has returned", 0, pageConnections},
		{"Keys returns the keys by slot; an unknown id is NotFound", 0, projectKeys},
		{"Grant lets that user use that project", 0, grantLets},
		{"Grant takes any user, there or not", 0, grantAnybody},
		{"Grant of what is granted succeeds, changes nothing and keeps no record", 0, grantTwice},
		{"Grant replaces the scopes of what is granted and nothing else, together with the record", 0, grantReplaces},
		{"empty scopes are those that the grant has, and the default ones for a new grant", 0, grantDefaults},
		{"Grant of other scopes ends no session", users | sessions, grantEndsNothing},
		{"of several Grants of other scopes at the same instant one is left, whole", 0, grantScopesAtOnce},
		{"Grant of an unknown project is NotFound and keeps no record", 0, grantUnknown},
		{"a Grant during a Remove leaves no grant behind", 0, grantDuringRemove},
		{"Grants returns the grants that the filter picks, and none is no error", 0, grantsFilter},
		{"Grants is in the order of the bytes of the user, then the project, returns at most limit, and goes on behind the cursor", 0, grantsOrder},
		{"Grants shows what came with a user and what went with a project", users, grantsOfUsers},
		{"Grants holds no connection once it has returned", 0, grantsConnections},
		{"Revoke takes the grant back", 0, revokeTakes},
		{"Revoke ends the assistant sessions that the grant let in, and no other", users | sessions, revokeEndsSessions},
		{"Revoke of what is not granted succeeds, changes nothing and keeps no record", 0, revokeUnknown},
		{"no session outlives a Revoke at the same instant, and the grant given again revives none", users | sessions, revokeRace},
		{"no session outlives a Remove at the same instant", users | sessions, removeRace},
		{"PutKey puts the key into the slot and leaves the other, together with the record", 0, putKeyStores},
		{"PutKey stores name and platform, in the grants too, what is known of the slot and when, and returns the project as stored", 0, putKeyRenames},
		{"PutKey of an unknown id is NotFound and keeps no record", 0, putKeyUnknown},
		{"of several PutKeys at the same instant one is left, whole", 0, putKeyAtOnce},
		{"Remove forgets the keys of both slots", 0, removeForgetsKeys},
		{"Refresh stores name and platform, in the grants too, together with the record", 0, refreshStores},
		{"Refresh of what the project is called already changes nothing and keeps no record; an unknown id is NotFound", 0, refreshNothing},
		{"MarkKey records what is known of either slot and leaves the other", 0, marksSlots},
		{"MarkKey moves KeyChecked forward only, without a record where the status is known, and not at all where Voiceflow was not asked", 0, marksChecked},
		{"MarkKey of what was asked before KeySet changes nothing", 0, marksBeforeSet},
		{"MarkKey of a slot that has no key is NotFound and keeps no record", 0, marksEmptySlot},
		{"MarkKey and MarkCredits record what is known, each alone, together with the record", 0, marksStore},
		{"MarkKey and MarkCredits of what is known already change nothing and keep no record", 0, marksTwice},
		{"MarkKey and MarkCredits of an unknown id are NotFound and keep no record", 0, marksUnknown},
		{"what one instance writes another sees at once", 0, projectsElsewhere},
		{"arguments are neither kept nor modified, and results are the caller's own", 0, projectsArguments},
		{"an outage and an ended context are Unavailable, never NotFound, and change nothing", 0, projectsUnavailable},
		{"all methods are safe for concurrent use", 0, projectsConcurrent},
	})
}

// addStores finds each project by every field that may name it, so that a field that was
// not stored, or not as it was given, shows.
func addStores(t *testing.T, f *fixture) {
	plain := f.project("Tico's assistant")

	bare := f.project("bare")
	bare.Platform = ""

	aliased := f.project("aliased")
	aliased.Version = "production-2_A"

	// The edges of what a time may be: before 1970, and the last microsecond that an
	// answer can show.
	old := f.project("old")
	old.VoiceflowCreated = time.Date(1969, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
	far := f.project("far")
	far.VoiceflowCreated = time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)

	for _, p := range []domain.Project{plain, bare, aliased, old, far} {
		f.wantAdded(t, "Add of "+p.Name, p)
		for _, ref := range []domain.ProjectRef{{ID: p.ID}, {Voiceflow: p.Voiceflow}, {Name: p.Name}} {
			got, err := f.Projects.Find(t.Context(), everything, ref)
			wantNil(t, "Find of what was added", err)
			wantSame(t, fmt.Sprintf("Find of %+v", ref), got, []domain.Project{p})
		}
		f.wantKey(t, "after Add", p, keyOf(p))
	}
	f.wantRecords(t, "after each Add")
}

// wantKey fails the test unless the project has that key in the primary slot alone.
func (f *fixture) wantKey(t *testing.T, what string, p domain.Project, want domain.Sealed) {
	t.Helper()
	f.wantKeys(t, what, p, map[domain.Slot]domain.Sealed{domain.SlotPrimary: want})
}

// wantKeys fails the test unless the project has exactly those keys.
func (f *fixture) wantKeys(t *testing.T, what string, p domain.Project, want map[domain.Slot]domain.Sealed) {
	t.Helper()
	got, err := f.Projects.Keys(t.Context(), p.ID)
	wantNil(t, what+": Keys", err)
	wantSame(t, what+": Keys", got, want)
}

// names are names as a project may have them: trimmed, 1 to 512 bytes of UTF-8 without
// NUL. No two are equal, and no two may be taken for equal.
func names() []string {
	return []string{
		"a", "A", "Zeta", "_u", "a b", "ab", "a  b", "a\tb", "a\nb", "a\r\nb", "alpha", "\u00c4pfel", "\u00e4pfel", "A\u0308pfel",
		"straße", "strasse", "STRASSE", "İstanbul", "istanbul", "ı", "ﬁn", "fin", "０", "0", "00", "1e3", "1000", "0x10",
		"O'Brien", `O"Brien`, `O''Brien`, `back\slash`, `back\\slash`, "`tick`", "semi;colon", "--", "/* */", "'; DROP TABLE projects; --",
		"%", "_", "a%", "?", "$1", "{}", "[]", "null", "NULL", "true", "<script>alert(1)</script>", "&amp;", "&", "%s%d%n", "%00",
		"客服助手", "カスタマー", "ｶｽﾀﾏｰ", "\uace0\uac1d", "\u1100\u1169\u1100\u1162\u11a8", "मदद", "ช่วยเหลือ", "สวัสดี", "Помощник", "βοηθός", "አገልግሎት",
		"عميل", "\u202eresreveR", "\u200fעוזר\u200f", "שלום world", "👩‍👩‍👧‍👦", "👩👩👧👦", "🇩🇪", "👍🏽", "👍", "\U0010FFFF", "\uFFFD", "\uFFFE", "e\u0301", "\u00e9",
		"zero\u200bwidth", "zerowidth", "soft\u00adhyphen", "softhyphen", "bell\x07", "escape\x1b[31m", "del\x7f",
		strings.Repeat("x", domain.MaxProjectName), strings.Repeat("x", domain.MaxProjectName-1),
		strings.Repeat("語", domain.MaxProjectName/3) + "\u00e9", strings.Repeat("🙂", domain.MaxProjectName/4), strings.Repeat("'", domain.MaxProjectName),
	}
}

// addKeepsNames would show an adapter that trims, folds, composes or cuts text.
func addKeepsNames(t *testing.T, f *fixture) {
	for _, name := range names() {
		p := f.wantAdded(t, fmt.Sprintf("Add of a project named %q", name), f.project(name))
		got, err := f.Projects.Find(t.Context(), everything, domain.ProjectRef{ID: p.ID})
		wantNil(t, fmt.Sprintf("Find of the project named %q", name), err)
		wantSame(t, fmt.Sprintf("the project named %q", name), got, []domain.Project{p})
	}
}

// addTwice looks at what is there after the refusal too: an adapter that stores the key
// before it looks for the pair has destroyed the first one by then.
func addTwice(t *testing.T, f *fixture) {
	there := f.addNamed(t, "there")
	aliased := f.project("aliased")
	aliased.Version = "production"
	f.add(t, aliased)

	for _, first := range []domain.Project{there, aliased} {
		second := f.project("second")
		second.Voiceflow, second.Version = first.Voiceflow, first.Version
		err := f.Projects.Add(t.Context(), second, keyOf(second), f.record(domain.ActionAddProject, domain.OnProject(second.ID)))
		wantAlreadyAdded(t, "the second Add of a pair", err, first)

		got, err := f.Projects.Find(t.Context(), everything, domain.ProjectRef{Voiceflow: first.Voiceflow})
		wantNil(t, "Find after the second Add", err)
		wantSame(t, "the project after the second Add", got, []domain.Project{first})
		f.wantKey(t, "after the second Add", first, keyOf(first))
		_, err = f.Projects.Keys(t.Context(), second.ID)
		wantKind(t, "Keys of the project that was not added", err, domain.NotFound)
	}
	f.wantRecords(t, "after the second Adds")

	// It is the pair that counts: one half of it may be there, and an alias in other
	// letters is another one.
	version := f.project("another version")
	version.Voiceflow = there.Voiceflow
	f.wantAdded(t, "Add of another version of a Voiceflow project that is there", version)
	project := f.project("another project")
	project.Version = there.Version
	f.wantAdded(t, "Add of a version that is there, of another Voiceflow project", project)
	upper := f.project("alias in capitals")
	upper.Voiceflow, upper.Version = aliased.Voiceflow, "PRODUCTION"
	f.wantAdded(t, "Add of an alias that is there in other letters", upper)
	f.wantRecords(t, "after the Adds of pairs of which one half was there")
}

// wantAlreadyAdded fails the test unless err is AlreadyAdded and carries there.
func wantAlreadyAdded(t *testing.T, what string, err error, there domain.Project) {
	t.Helper()
	wantKind(t, what, err, domain.AlreadyAdded)
	e, _ := errors.AsType[*domain.Error](err)
	wantSame(t, what+": the projects that the error carries", e.Projects, []domain.Project{there})
}

// addAtOnce fails for an adapter that looks first and inserts then.
func addAtOnce(t *testing.T, f *fixture) {
	at := f.instances(t)
	ps, recs, errs := make([]domain.Project, crowd), make([]domain.Record, crowd), make([]error, crowd)
	first := f.project("at once")
	for i := range crowd {
		ps[i] = f.project("at once")
		ps[i].Voiceflow, ps[i].Version = first.Voiceflow, first.Version
		recs[i] = f.record(domain.ActionAddProject, domain.OnProject(ps[i].ID))
	}
	atOnce(crowd, func(i int) {
		errs[i] = at[i%len(at)].Projects.Add(t.Context(), ps[i], keyOf(ps[i]), recs[i])
	})
	one := onlySuccess(t, "Add", errs)
	for i, err := range errs {
		if i != one {
			wantAlreadyAdded(t, fmt.Sprintf("one of the other %d Adds", crowd-1), err, ps[one])
		}
	}
	got, err := f.Projects.Find(t.Context(), everything, domain.ProjectRef{Voiceflow: first.Voiceflow})
	wantNil(t, "Find after all", err)
	wantSame(t, "the project that is there after all", got, []domain.Project{ps[one]})
	f.wantKey(t, "after all", ps[one], keyOf(ps[one]))
	f.wantRecordsInAnyOrder(t, "after all", []domain.Record{recs[one]})
}

// onlySuccess is the index of the one nil among errs.
func onlySuccess(t *testing.T, what string, errs []error) int {
	t.Helper()
	one, n := -1, 0
	for i, err := range errs {
		if err == nil {
			one, n = i, n+1
		}
	}
	if n != 1 {
		t.Fatalf("%d times %s at once: got %d successes, want exactly 1; the outcomes: %v", len(errs), what, n, errs)
	}
	return one
}

// removeForgets adds the same id again, which brings to light what was left behind.
func removeForgets(t *testing.T, f *fixture) {
	stays, goes := f.addNamed(t, "stays"), f.addNamed(t, "goes")
	f.grant(t, "a host's user", stays.ID)
	f.grant(t, "a host's user", goes.ID)
	f.remove(t, goes.ID)

	got, err := f.Projects.Find(t.Context(), everything, domain.ProjectRef{ID: goes.ID})
	wantNil(t, "Find after Remove", err)
	wantSame(t, "Find after Remove", ids(got), []domain.ProjectID{})
	_, err = f.Projects.Keys(t.Context(), goes.ID)
	wantKind(t, "Keys after Remove", err, domain.NotFound)
	f.wantSeen(t, "an admin after Remove", everything, stays.ID)
	f.wantSeen(t, "the user after Remove", domain.GrantedTo("a host's user"), stays.ID)
	f.wantKey(t, "the other project after Remove", stays, keyOf(stays))
	f.wantRecords(t, "after Remove")

	// The pair is free again, and the project that takes it, were it under the same id,
	// finds no key and no grant of the one that went.
	again := goes
	again.Name = "again"
	key := domain.Sealed{Key: "2", Bytes: []byte("another key")}
	rec := f.record(domain.ActionAddProject, domain.OnProject(again.ID))
	wantNil(t, "Add of the pair that was removed", f.Projects.Add(t.Context(), again, key, rec))
	f.log = append(f.log, rec)
	f.wantKey(t, "after the Add of the pair that was removed", again, key)
	f.wantSeen(t, "the user after the same id was added again", domain.GrantedTo("a host's user"), stays.ID)
	f.wantRecords(t, "after the Add of the pair that was removed")
}

// removeEndsSessions has a session of each sort in the project that goes, and of each
// elsewhere.
func removeEndsSessions(t *testing.T, f *fixture) {
	stays, goes := f.addNamed(t, "stays"), f.addNamed(t, "goes")
	member, admin := f.member(t, "member", stays.ID, goes.ID), f.admin(t, "admin")
	f.grant(t, "a host's user", goes.ID)
	one, other, top := f.login(t, member), f.login(t, member), f.login(t, admin)

	ended := []domain.Session{
		f.set(t, f.under(one, goes.ID)),
		f.set(t, f.byRole(top, goes.ID)),
		f.set(t, f.hosted("a host's user", goes.ID)),
		f.set(t, f.hostedByRole("a host's admin", goes.ID)),
	}
	kept := []domain.Session{one, other, top, f.set(t, f.under(other, stays.ID))}
	f.remove(t, goes.ID)
	f.wantOver(t, "in the removed project", ended...)
	f.wantLive(t, "elsewhere after Remove", kept...)
	f.wantRecords(t, "after Remove")

	f.add(t, goes)
	f.grant(t, member.ID, goes.ID)
	f.grant(t, "a host's user", goes.ID)
	f.wantOver(t, "in the removed project, after the same id was added and granted again", ended...)
}

func removeUnknown(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	f.remove(t, p.ID)
	for what, id := range map[string]domain.ProjectID{"an id that never was": projectID(404), "an id that was removed": p.ID} {
		err := f.Projects.Remove(t.Context(), id, f.record(domain.ActionDeleteProject, domain.OnProject(id)))
		wantKind(t, "Remove of "+what, err, domain.NotFound)
	}
	f.wantRecords(t, "after Removes of unknown ids")
}

func removeAtOnce(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	at := f.instances(t)
	recs, errs := make([]domain.Record, crowd), make([]error, crowd)
	for i := range crowd {
		recs[i] = f.record(domain.ActionDeleteProject, domain.OnProject(p.ID))
	}
	atOnce(crowd, func(i int) { errs[i] = at[i%len(at)].Projects.Remove(t.Context(), p.ID, recs[i]) })
	one := onlySuccess(t, "Remove", errs)
	for i, err := range errs {
		if i != one {
			wantKind(t, fmt.Sprintf("one of the other %d Removes", crowd-1), err, domain.NotFound)
		}
	}
	f.wantRecordsInAnyOrder(t, "after all", []domain.Record{recs[one]})
}

// findMatches would show an adapter that takes the fields of a ref for alternatives, or
// the zero ref for all.
func findMatches(t *testing.T, f *fixture) {
	a := f.addNamed(t, "twin")
	b := f.addNamed(t, "twin")
	c := f.project("single")
	c.Voiceflow = a.Voiceflow // another version of the assistant that a is of
	f.add(t, c)

	for _, tc := range []struct {
		name string
		ref  domain.ProjectRef
		want []domain.ProjectID
	}{
		{"an id", domain.ProjectRef{ID: b.ID}, []domain.ProjectID{b.ID}},
		{"a Voiceflow id of two versions", domain.ProjectRef{Voiceflow: a.Voiceflow}, []domain.ProjectID{a.ID, c.ID}},
		{"a name of two", domain.ProjectRef{Name: "twin"}, []domain.ProjectID{a.ID, b.ID}},
		{"an id and its name", domain.ProjectRef{ID: b.ID, Name: "twin"}, []domain.ProjectID{b.ID}},
		{"an id and another's name", domain.ProjectRef{ID: b.ID, Name: "single"}, nil},
		{"an id and its Voiceflow id", domain.ProjectRef{ID: c.ID, Voiceflow: c.Voiceflow}, []domain.ProjectID{c.ID}},
		{"an id and another's Voiceflow id", domain.ProjectRef{ID: b.ID, Voiceflow: a.Voiceflow}, nil},
		{"a Voiceflow id and a name of one version", domain.ProjectRef{Voiceflow: a.Voiceflow, Name: "single"}, []domain.ProjectID{c.ID}},
		{"a Voiceflow id and another's name", domain.ProjectRef{Voiceflow: b.Voiceflow, Name: "single"}, nil},
		{"all three", domain.ProjectRef{ID: a.ID, Voiceflow: a.Voiceflow, Name: "twin"}, []domain.ProjectID{a.ID}},
		{"all three, of which the name is another's", domain.ProjectRef{ID: a.ID, Voiceflow: a.Voiceflow, Name: "single"}, nil},
		{"an unknown id", domain.ProjectRef{ID: projectID(404)}, nil},
		{"an unknown Voiceflow id", domain.ProjectRef{Voiceflow: voiceflowID(404)}, nil},
		{"an unknown name", domain.ProjectRef{Name: "nobody"}, nil},
		{"the zero ref", domain.ProjectRef{}, nil},
	} {
		got, err := f.Projects.Find(t.Context(), everything, tc.ref)
		wantNil(t, "Find by "+tc.name, err)
		wantSame(t, "Find by "+tc.name, ids(got), tc.want)
	}
}

// findNames looks for every name among all others, so that any two that a collation takes
// for one show.
func findNames(t *testing.T, f *fixture) {
	for _, name := range names() {
		f.addNamed(t, name)
	}
	for _, name := range names() {
		got, err := f.Projects.Find(t.Context(), everything, domain.ProjectRef{Name: name})
		wantNil(t, fmt.Sprintf("Find by the name %q", name), err)
		var found []string
		for _, p := range got {
			found = append(found, p.Name)
		}
		wantSame(t, fmt.Sprintf("the names found by %q", name), found, []string{name})
	}
}

// findOrder looks at both sides of the limit.
func findOrder(t *testing.T, f *fixture) {
	// They come in the order 2, 1, 4, 3 …, so that neither the order of coming nor its
	// reverse is that of the ids.
	var all []domain.ProjectID
	for n := 1; n <= domain.MaxMatches+1; n++ {
		p := f.project("same")
		p.ID = projectID(1000 + (n - 1) ^ 1)
		f.add(t, p)
		all = append(all, p.ID)
		slices.Sort(all)

		got, err := f.Projects.Find(t.Context(), everything, domain.ProjectRef{Name: "same"})
		wantNil(t, "Find", err)
		wantSame(t, fmt.Sprintf("Find of %d with one name", n), ids(got), all[:min(n, domain.MaxMatches)])
	}
}

// projectsVisible has more projects out of sight than any limit, and with lower ids, so
// that an adapter that limits before it looks at the grants finds nothing.
func projectsVisible(t *testing.T, f *fixture) {
	const user, other = domain.UserID("a host's user"), domain.UserID("another")
	var all []domain.ProjectID
	for range domain.MaxMatches + 3 {
		all = append(all, f.addNamed(t, "same").ID)
	}
	last := all[len(all)-1]
	f.grant(t, user, last)
	f.grant(t, other, all[0])

	for _, tc := range []struct {
		name string
		in   domain.Visible
		want []domain.ProjectID
	}{
		{"everything", everything, all},
		{"what is granted to a user", domain.GrantedTo(user), []domain.ProjectID{last}},
		{"what is granted to another", domain.GrantedTo(other), []domain.ProjectID{all[0]}},
		{"what is granted to somebody without a grant", domain.GrantedTo("nobody"), nil},
		{"the zero Visible", domain.Visible{}, nil},
	} {
		f.wantSeen(t, "within "+tc.name, tc.in, tc.want...)

		got, err := f.Projects.Find(t.Context(), tc.in, domain.ProjectRef{Name: "same"})
		wantNil(t, "Find within "+tc.name, err)
		wantSame(t, "Find by name within "+tc.name, ids(got), tc.want[:min(len(tc.want), domain.MaxMatches)])

		for _, id := range []domain.ProjectID{all[0], all[1], last} {
			got, err := f.Projects.Find(t.Context(), tc.in, domain.ProjectRef{ID: id})
			wantNil(t, "Find within "+tc.name, err)
			if found := len(got) == 1; found != slices.Contains(tc.want, id) {
				t.Fatalf("Find by id within %s: got %d projects, want it found: %v", tc.name, len(got), !found)
			}
		}
		got, err = f.Projects.Page(t.Context(), tc.in, domain.Cursor{}, 1)
		wantNil(t, "Page within "+tc.name, err)
		wantSame(t, "the first page of one within "+tc.name, ids(got), tc.want[:min(len(tc.want), 1)])
	}
}

func pageLimit(t *testing.T, f *fixture) {
	got, err := f.Projects.Page(t.Context(), everything, domain.Cursor{}, 10)
	wantNil(t, "Page of an empty list", err)
	wantSame(t, "Page of an empty list", ids(got), []domain.ProjectID{})

	var all []domain.Project
	for n := range 5 {
		all = append(all, f.addNamed(t, fmt.Sprintf("project %d", n)))
	}
	for limit := 1; limit <= 6; limit++ {
		got, err := f.Projects.Page(t.Context(), everything, domain.Cursor{}, limit)
		wantNil(t, "Page", err)
		wantSame(t, fmt.Sprintf("Page of 5 projects with the limit %d", limit), got, all[:min(limit, 5)])
	}
	got, err = f.Projects.Page(t.Context(), everything, cursorAt(all[4]), 10)
	wantNil(t, "Page behind the last project", err)
	wantSame(t, "Page behind the last project", ids(got), []domain.ProjectID{})
}

func cursorAt(p domain.Project) domain.Cursor { return domain.Cursor{Name: p.Name, ID: string(p.ID)} }

// walk reads all pages of limit each, and calls between after each page.
func (f *fixture) walk(t *testing.T, in domain.Visible, limit int, between func(page int)) []domain.Project {
	t.Helper()
	var all []domain.Project
	var at domain.Cursor
	for page := 1; ; page++ {
		got, err := f.Projects.Page(t.Context(), in, at, limit)
		wantNil(t, fmt.Sprintf("page %d of %d each", page, limit), err)
		if len(got) > limit {
			t.Fatalf("page %d: got %d projects, want at most %d", page, len(got), limit)
		}
		if len(got) == 0 {
			return all
		}
		if page > 1000 {
			t.Fatalf("paging with the limit %d: still going on after 1,000 pages, want an end", limit)
		}
		all = append(all, got...)
		at = cursorAt(got[len(got)-1])
		between(page)
	}
}

func byNameAndID(a, b domain.Project) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(string(a.ID), string(b.ID)))
}

// pageOrder has names whose order is another one in every language than in bytes.
func pageOrder(t *testing.T, f *fixture) {
	var all []domain.Project
	for i, name := range names() {
		p := f.project(name)
		p.ID = projectID(5000 - i) // ids against the order of coming
		all = append(all, f.add(t, p))
	}
	slices.SortFunc(all, byNameAndID)
	for _, limit := range []int{1, 7, len(all)} {
		got := f.walk(t, everything, limit, func(int) {})
		wantSame(t, fmt.Sprintf("the names, paged by %d, in the order of their bytes", limit), projectNames(got), projectNames(all))
		wantSame(t, fmt.Sprintf("the projects, paged by %d", limit), got, all)
	}
}

func projectNames(ps []domain.Project) []string {
	all := make([]string, len(ps))
	for i, p := range ps {
		all[i] = p.Name
	}
	return all
}

// pageCursor has more projects of one name than a page holds: a cursor that is a name
// alone, or a number of rows, passes over some or shows some twice.
func pageCursor(t *testing.T, f *fixture) {
	const user = domain.UserID("a host's user")
	var all, granted []domain.Project
	for _, name := range []string{"a", "same", "same", "same", "same", "same", "same", "same", "z"} {
		p := f.addNamed(t, name)
		all = append(all, p)
		if len(all)%2 == 1 {
			f.grant(t, user, p.ID)
			granted = append(granted, p)
		}
	}
	for limit := 1; limit <= len(all)+1; limit++ {
		wantSame(t, fmt.Sprintf("all projects, paged by %d through equal names", limit),
			ids(f.walk(t, everything, limit, func(int) {})), ids(all))
		wantSame(t, fmt.Sprintf("the granted projects, paged by %d through equal names", limit),
			ids(f.walk(t, domain.GrantedTo(user), limit, func(int) {})), ids(granted))
	}

	wantBehind := func(what string, at domain.Cursor, want []domain.Project) {
		t.Helper()
		got, err := f.Projects.Page(t.Context(), everything, at, 100)
		wantNil(t, "Page behind "+what, err)
		wantSame(t, "Page behind "+what, ids(got), ids(want))
	}
	gone := all[4]
	f.remove(t, gone.ID)
	wantBehind("a project that is gone", cursorAt(gone), all[5:])
	wantBehind("a name that no project has", domain.Cursor{Name: "b", ID: string(projectID(0))}, slices.Delete(slices.Clone(all), 4, 5)[1:])
	wantBehind("the lowest id of a name", domain.Cursor{Name: "z", ID: string(projectID(0))}, all[8:])
	wantBehind("the highest id of a name", domain.Cursor{Name: "same", ID: "ffffffff-ffff-ffff-ffff-ffffffffffff"}, all[8:])
	wantBehind("a longer name", domain.Cursor{Name: "same ", ID: string(projectID(0))}, all[8:])
	wantBehind("a name behind all", domain.Cursor{Name: "\U0010FFFF", ID: string(projectID(0))}, nil)
	wantBehind("a name in capitals", domain.Cursor{Name: "Z", ID: string(projectID(0))}, slices.Delete(slices.Clone(all), 4, 5))
}

// pageMoves changes the list between any two pages.
func pageMoves(t *testing.T, f *fixture) {
	var stay, leave []domain.Project
	for n := range 20 {
		stay = append(stay, f.addNamed(t, fmt.Sprintf("%02d", n/3)))
		leave = append(leave, f.addNamed(t, fmt.Sprintf("%02d", n/3)))
	}
	for _, limit := range []int{1, 3, 7} {
		got := f.walk(t, everything, limit, func(page int) {
			f.addNamed(t, "!") // before every cursor
			f.addNamed(t, fmt.Sprintf("%02d", page%7))
			if len(leave) > 0 {
				f.remove(t, leave[0].ID)
				leave = leave[1:]
			}
		})
		seen := map[domain.ProjectID]int{}
		for _, p := range got {
			seen[p.ID]++
		}
		for _, p := range got {
			if seen[p.ID] > 1 {
				t.Fatalf("paging by %d while projects come and go: got %q %d times, want it once", limit, p.Name, seen[p.ID])
			}
		}
		for _, p := range stay {
			if seen[p.ID] != 1 {
				t.Fatalf("paging by %d while projects come and go: got %q, which was there all the time, %d times, want it once", limit, p.Name, seen[p.ID])
			}
		}
		if !slices.IsSortedFunc(got, byNameAndID) {
			t.Fatalf("paging by %d while projects come and go: got %q, want them in the order of (name, id)", limit, projectNames(got))
		}
	}
}

// pageConnections reads more pages than any pool has connections.
func pageConnections(t *testing.T, f *fixture) {
	for n := range 3 {
		f.addNamed(t, fmt.Sprintf("project %d", n))
	}
	// Many pages, each followed by nothing that would free what it held, and then a write.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for n := range 200 {
		_, err := f.Projects.Page(ctx, everything, domain.Cursor{}, 1)
		wantNil(t, fmt.Sprintf("Page, the %dth time", n+1), err)
	}
	p := f.project("after")
	wantNil(t, "Add after 200 pages", f.Projects.Add(ctx, p, keyOf(p), f.record(domain.ActionAddProject, domain.OnProject(p.ID))))
}

// projectKeys has the shortest key and one with every byte there is.
func projectKeys(t *testing.T, f *fixture) {
	short, long := f.project("short"), f.project("long")
	all := make([]byte, 1024)
	for i := range all {
		all[i] = byte(i)
	}
	for p, key := range map[domain.Project]domain.Sealed{short: {Key: "k", Bytes: []byte{0}}, long: {Key: "4294967295", Bytes: all}} {
		rec := f.record(domain.ActionAddProject, domain.OnProject(p.ID))
		wantNil(t, "Add", f.Projects.Add(t.Context(), p, key, rec))
		f.wantKey(t, "of the project "+p.Name, p, key)
	}
	_, err := f.Projects.Keys(t.Context(), projectID(404))
	wantKind(t, "Keys of an unknown id", err, domain.NotFound)
}

// grantLets has two users whose ids differ in the case of one letter.
func grantLets(t *testing.T, f *fixture) {
	const user, other = domain.UserID("a host's user"), domain.UserID("A host's user")
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	f.wantSeen(t, "before Grant", domain.GrantedTo(user))
	f.grant(t, user, p.ID)
	f.wantSeen(t, "the user after Grant", domain.GrantedTo(user), p.ID)
	f.wantSeen(t, "another user after Grant", domain.GrantedTo(other))
	f.grant(t, user, q.ID)
	f.grant(t, other, q.ID)
	f.wantSeen(t, "the user after a second Grant", domain.GrantedTo(user), p.ID, q.ID)
	f.wantSeen(t, "another user after a Grant to them", domain.GrantedTo(other), q.ID)
	f.wantRecords(t, "after each Grant")
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
		f.wantSeen(t, fmt.Sprintf("the user %q before Grant", user), domain.GrantedTo(user))
		f.grant(t, user, p.ID)
		f.wantSeen(t, fmt.Sprintf("the user %q after Grant", user), domain.GrantedTo(user), p.ID)
	}
	f.wantRecords(t, "after each Grant")
}

// grantTwice grants once more, one after the other and at the same instant.
func grantTwice(t *testing.T, f *fixture) {
	const user = domain.UserID("a host's user")
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	f.grant(t, user, p.ID)
	f.clock.advance(time.Hour)
	for range 2 {
		err := f.Projects.Grant(t.Context(), user, p.ID, 0, f.clock.now(), f.record(domain.ActionGrantProject, domain.OnGrant(user, p.ID)))
		wantNil(t, "Grant of what is granted", err)
	}
	f.wantSeen(t, "after Grant of what is granted", domain.GrantedTo(user), p.ID)
	f.wantRecords(t, "after Grant of what is granted")

	at := f.instances(t)
	recs, errs := make([]domain.Record, crowd), make([]error, crowd)
	for i := range crowd {
		recs[i] = f.record(domain.ActionGrantProject, domain.OnGrant(user, q.ID))
	}
	atOnce(crowd, func(i int) {
		errs[i] = at[i%len(at)].Projects.Grant(t.Context(), user, q.ID, 0, f.clock.now(), recs[i])
	})
	for _, err := range errs {
		wantNil(t, fmt.Sprintf("one of %d Grants at the same instant", crowd), err)
	}
	f.wantSeen(t, "after many equal Grants at the same instant", domain.GrantedTo(user), p.ID, q.ID)
	f.wantOneOf(t, "after many equal Grants at the same instant", recs)
}

// wantOneOf fails the test unless exactly one of recs was written behind f.log.
func (f *fixture) wantOneOf(t *testing.T, what string, recs []domain.Record) {
	t.Helper()
	got := f.Records(t)
	if len(got) != len(f.log)+1 {
		t.Fatalf("%s: got %d more audit records, want exactly 1", what, len(got)-len(f.log))
	}
	last := got[len(got)-1]
	i := slices.IndexFunc(recs, func(r domain.Record) bool { return r.RequestID == last.RequestID })
	if i < 0 {
		t.Fatalf("%s: got the audit record %+v, want one of those handed in", what, last)
	}
	wantSame(t, what+": the audit record", last, recs[i])
	f.log = got
}

// scopeSets are sets of scopes as a grant may have them.
var scopeSets = []domain.Scopes{
	domain.ScopesOf(domain.ScopeConverse), domain.ScopesOf(domain.ScopeTranscripts), domain.ScopesOf(domain.ScopeTranscriptsDelete),
	domain.ScopesOf(domain.ScopeAnalytics), domain.ScopesOf(domain.ScopeKnowledge), domain.ScopesOf(domain.ScopeKnowledgeWrite),
	domain.ScopesOf(domain.ScopeExport), domain.ScopesOf(domain.ScopeConverse, domain.ScopeExport),
	domain.ScopesOf(domain.ScopeTranscripts, domain.ScopeTranscriptsDelete, domain.ScopeAnalytics), domain.AllScopes(),
}

// wantGrants fails the test unless the grants that the filter picks are these.
func (f *fixture) wantGrants(t *testing.T, what string, filter domain.GrantFilter, want ...domain.Grant) {
	t.Helper()
	got, err := f.Projects.Grants(t.Context(), filter, domain.Cursor{}, 1000)
	wantNil(t, what+": Grants", err)
	wantSame(t, what+": Grants", got, want)
}

// grantReplaces comes a while later with each set, so that another instant would show.
func grantReplaces(t *testing.T, f *fixture) {
	const user, other = domain.UserID("a host's user"), domain.UserID("another")
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	began := domain.Instant(f.clock.now())
	f.grantScopes(t, other, p.ID, domain.AllScopes())
	f.grantScopes(t, user, q.ID, domain.AllScopes())
	rest := []domain.Grant{{User: user, Project: q.ID, Scopes: domain.AllScopes(), Created: began}, {User: other, Project: p.ID, Scopes: domain.AllScopes(), Created: began}}
	f.clock.advance(time.Hour)
	created := domain.Instant(f.clock.now())
	for _, scopes := range scopeSets {
		f.grantScopes(t, user, p.ID, scopes)
		what := fmt.Sprintf("after Grant of %q", scopes.Text())
		want := domain.Grant{User: user, Project: p.ID, Scopes: scopes, Created: created}
		f.wantGrants(t, what, domain.GrantFilter{}, want, rest[0], rest[1])
		f.clock.advance(time.Hour)
		for range 2 {
			err := f.Projects.Grant(t.Context(), user, p.ID, scopes, f.clock.now(), f.record(domain.ActionGrantProject, domain.OnGrant(user, p.ID)))
			wantNil(t, "Grant of the same scopes", err)
		}
		f.wantGrants(t, what+", and of the same again", domain.GrantFilter{}, want, rest[0], rest[1])
	}
	f.wantSeen(t, "after each Grant", domain.GrantedTo(user), p.ID, q.ID)
	f.wantRecords(t, "after each Grant")
}

// grantDefaults gives a grant back that was taken, which is a new one.
func grantDefaults(t *testing.T, f *fixture) {
	const user = domain.UserID("a host's user")
	p := f.addNamed(t, "p")
	began := domain.Instant(f.clock.now())
	f.grantScopes(t, user, p.ID, 0)
	f.wantGrants(t, "a new grant without scopes", domain.GrantFilter{}, domain.Grant{User: user, Project: p.ID, Scopes: domain.DefaultScopes(), Created: began})

	wide := domain.ScopesOf(domain.ScopeTranscripts, domain.ScopeExport)
	f.grantScopes(t, user, p.ID, wide)
	f.clock.advance(time.Hour)
	err := f.Projects.Grant(t.Context(), user, p.ID, 0, f.clock.now(), f.record(domain.ActionGrantProject, domain.OnGrant(user, p.ID)))
	wantNil(t, "Grant without scopes of what is granted", err)
	f.wantGrants(t, "a grant with scopes, granted again without", domain.GrantFilter{}, domain.Grant{User: user, Project: p.ID, Scopes: wide, Created: began})
	f.wantRecords(t, "after Grant without scopes of what is granted")

	f.revoke(t, user, p.ID)
	f.wantGrants(t, "after Revoke", domain.GrantFilter{})
	at := f.clock.now()
	f.grantScopes(t, user, p.ID, 0)
	f.wantGrants(t, "a grant that was taken back, granted again without scopes", domain.GrantFilter{},
		domain.Grant{User: user, Project: p.ID, Scopes: domain.DefaultScopes(), Created: domain.Instant(at)})
	f.wantRecords(t, "after each Grant")
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
		f.wantLive(t, "after Grant of other scopes", all...)
	}
	f.wantUser(t, "after Grant of other scopes", u)
	f.wantRecords(t, "after Grants of other scopes")
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
			errs[i] = at[i%len(at)].Projects.Grant(t.Context(), user, p.ID, scopeSets[i], f.clock.now(), recs[i])
		})
		for _, err := range errs {
			wantNil(t, "one of several Grants at the same instant", err)
		}
		got, err := f.Projects.Grants(t.Context(), domain.GrantFilter{}, domain.Cursor{}, 10)
		wantNil(t, "Grants after several Grants at the same instant", err)
		if len(got) != 1 || !slices.Contains(scopeSets, got[0].Scopes) {
			t.Fatalf("Grants after several Grants at the same instant: got %v, want one of those that were given", got)
		}
		wantSame(t, "the grant after several at the same instant", got[0], domain.Grant{User: user, Project: p.ID, Scopes: got[0].Scopes, Created: created})
		written := f.Records(t)[len(f.log):]
		for _, rec := range written {
			if !slices.Contains(recs, rec) {
				t.Fatalf("after several Grants at the same instant: got the audit record %+v, want some of those handed in", rec)
			}
		}
		f.log = append(f.log, written...)
	}
}

// grantsFilter has users and projects of which each name begins another.
func grantsFilter(t *testing.T, f *fixture) {
	f.wantGrants(t, "without any grant", domain.GrantFilter{})
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	grant := func(user domain.UserID, p domain.Project, scopes domain.Scopes) domain.Grant {
		f.clock.advance(time.Second)
		f.grantScopes(t, user, p.ID, scopes)
		return domain.Grant{User: user, Project: p.ID, Scopes: scopes, Created: domain.Instant(f.clock.now())}
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
		{"a project that is not there", domain.GrantFilter{Project: projectID(404)}, nil},
	} {
		f.wantGrants(t, "Grants of "+tc.name, tc.filter, tc.want...)
	}
	f.remove(t, q.ID)
	f.wantGrants(t, "after Remove of a project", domain.GrantFilter{User: "ann"}, annInP)
	f.wantRecords(t, "after Grants, which keeps none")
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
			all = append(all, domain.Grant{User: user, Project: id, Scopes: domain.DefaultScopes(), Created: domain.Instant(f.clock.now())})
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
			what := fmt.Sprintf("Grants %s, paged by %d", name, limit)
			wantSame(t, what, f.walkGrants(t, what, filter, limit), want)
		}
		// A cursor may be at any place, also at one that the filter does not pick.
		for i, g := range all {
			if i%5 != 0 && g.User != middle.User {
				continue
			}
			got, err := f.Projects.Grants(t.Context(), filter, behindGrant(g), len(all))
			wantNil(t, "Grants "+name+" behind a grant", err)
			rest := want[len(want):]
			if n := slices.IndexFunc(want, func(w domain.Grant) bool { return order(w, g) > 0 }); n >= 0 {
				rest = want[n:]
			}
			wantSame(t, fmt.Sprintf("Grants %s behind %q in %q", name, g.User, g.Project), got, rest)
		}
	}
	f.revoke(t, middle.User, middle.Project)
	got, err := f.Projects.Grants(t.Context(), domain.GrantFilter{}, behindGrant(middle), 1)
	wantNil(t, "Grants behind a grant that is gone", err)
	wantSame(t, "Grants behind a grant that is gone", got, all[len(all)/2+1:][:1])
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
		got, err := f.Projects.Grants(t.Context(), filter, at, limit)
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
		got, err := f.Projects.Grants(t.Context(), domain.GrantFilter{User: u.ID}, domain.Cursor{}, 10)
		wantNil(t, what+": Grants", err)
		wantSame(t, what+": the scopes of the grants", scopesOf(got), want)
	}
	wantScopes("after Create", map[domain.ProjectID]domain.Scopes{p.ID: domain.DefaultScopes(), q.ID: domain.DefaultScopes()})
	f.grantScopes(t, u.ID, q.ID, domain.AllScopes())
	wantScopes("after Grant of other scopes", map[domain.ProjectID]domain.Scopes{p.ID: domain.DefaultScopes(), q.ID: domain.AllScopes()})
	f.update(t, u.ID, func(u *domain.User) { u.SetAssistants([]domain.ProjectID{q.ID}) })
	wantScopes("after an Update without one of them", map[domain.ProjectID]domain.Scopes{q.ID: domain.AllScopes()})
	f.remove(t, q.ID)
	wantScopes("after Remove of the project", map[domain.ProjectID]domain.Scopes{})
	f.grant(t, u.ID, p.ID)
	f.removeUser(t, u.ID)
	wantScopes("after Remove of the user", map[domain.ProjectID]domain.Scopes{})
}

// scopesOf are the scopes of one user's grants.
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
		_, err := f.Projects.Grants(ctx, domain.GrantFilter{}, domain.Cursor{}, 1)
		wantNil(t, fmt.Sprintf("Grants, the %dth time", n+1), err)
	}
	err := f.Projects.Grant(ctx, userID(4), p.ID, 0, f.clock.now(), f.record(domain.ActionGrantProject, "after"))
	wantNil(t, "Grant after 200 pages of grants", err)
}

// grantUnknown adds the id afterwards, so that a grant that was kept for it would show.
func grantUnknown(t *testing.T, f *fixture) {
	const user = domain.UserID("a host's user")
	p := f.addNamed(t, "p")
	f.remove(t, p.ID)
	for what, id := range map[string]domain.ProjectID{"a project that never was": projectID(404), "a project that was removed": p.ID} {
		err := f.Projects.Grant(t.Context(), user, id, 0, f.clock.now(), f.record(domain.ActionGrantProject, domain.OnGrant(user, id)))
		wantKind(t, "Grant of "+what, err, domain.NotFound)
	}
	f.wantRecords(t, "after Grants of unknown projects")
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
				errs[i] = f.Projects.Remove(t.Context(), p.ID, recs[i])
				return
			}
			errs[i] = at[i%len(at)].Projects.Grant(t.Context(), userID(i), p.ID, 0, f.clock.now(), recs[i])
		})
		wantNil(t, "Remove during Grants", errs[grants])
		var written []domain.Record
		for i, err := range errs {
			if err == nil {
				written = append(written, recs[i])
			} else {
				wantKind(t, "Grant during Remove", err, domain.NotFound)
			}
		}
		f.wantRecordsInAnyOrder(t, "after Grants during Remove", written)
		f.add(t, p)
		for i := range grants {
			f.wantSeen(t, "after Grant during Remove, and the same id added again", domain.GrantedTo(userID(i)))
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
	f.wantSeen(t, "the user after Revoke", domain.GrantedTo(user), q.ID)
	f.wantSeen(t, "another user after Revoke", domain.GrantedTo(other), p.ID, q.ID)
	f.wantSeen(t, "an admin after Revoke", everything, p.ID, q.ID)
	got, err := f.Projects.Find(t.Context(), domain.GrantedTo(user), domain.ProjectRef{ID: p.ID})
	wantNil(t, "Find after Revoke", err)
	wantSame(t, "Find after Revoke", ids(got), []domain.ProjectID{})
	f.wantRecords(t, "after Revoke")
	f.grant(t, user, p.ID)
	f.wantSeen(t, "the user after Grant again", domain.GrantedTo(user), p.ID, q.ID)
	f.wantRecords(t, "after Grant again")
}

// revokeEndsSessions has sessions of that user in that project which something else let
// in, and sessions of others which the like let in.
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
	f.wantRecords(t, "after Revoke")

	for _, u := range []domain.UserID{member.ID, host, admin.ID} {
		f.grant(t, u, p.ID)
	}
	f.wantOver(t, "let in by a grant that was taken back and given again", ended...)
}

func revokeUnknown(t *testing.T, f *fixture) {
	const user = domain.UserID("a host's user")
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	f.grant(t, user, q.ID)
	for what, id := range map[string]domain.ProjectID{"a project that is not granted": p.ID, "a project that is not there": projectID(404)} {
		err := f.Projects.Revoke(t.Context(), user, id, f.record(domain.ActionRevokeProject, domain.OnGrant(user, id)))
		wantNil(t, "Revoke of "+what, err)
	}
	f.wantRecords(t, "after Revoke of what is not granted")
	f.wantSeen(t, "after Revoke of what is not granted", domain.GrantedTo(user), q.ID)

	at := f.instances(t)
	recs, errs := make([]domain.Record, crowd), make([]error, crowd)
	for i := range crowd {
		recs[i] = f.record(domain.ActionRevokeProject, domain.OnGrant(user, q.ID))
	}
	atOnce(crowd, func(i int) { errs[i] = at[i%len(at)].Projects.Revoke(t.Context(), user, q.ID, recs[i]) })
	for _, err := range errs {
		wantNil(t, fmt.Sprintf("one of %d Revokes at the same instant", crowd), err)
	}
	f.wantSeen(t, "after many equal Revokes at the same instant", domain.GrantedTo(user))
	f.wantOneOf(t, "after many equal Revokes at the same instant", recs)
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
		f.openDuring(t, "Revoke", u, tries, domain.ActionRevokeProject,
			func(rec domain.Record) error { return f.Projects.Revoke(t.Context(), u.ID, p.ID, rec) }, domain.NotAllowed)
		f.grant(t, u.ID, p.ID)
		before = append(before, tries...)
		f.wantOver(t, "opened during Revoke, after the grant was given again", before...)
		f.wantLive(t, "logins, which Revoke does not end", logins...)
	}
}

// removeRace is revokeRace for all that is in a project.
func removeRace(t *testing.T, f *fixture) {
	p := f.project("p")
	u, admin := f.member(t, "member"), f.admin(t, "admin")
	granted, ruled := f.logins(t, u), f.logins(t, admin)
	for range rounds {
		f.add(t, p)
		f.grant(t, u.ID, p.ID)
		tries := append(f.eachUnder(granted, p.ID), f.byRole(ruled[0], p.ID), f.byRole(ruled[1], p.ID), f.hosted(u.ID, p.ID), f.hostedByRole("a host's admin", p.ID))
		f.openDuring(t, "Remove", u, tries, domain.ActionDeleteProject,
			func(rec domain.Record) error { return f.Projects.Remove(t.Context(), p.ID, rec) }, domain.NotAllowed, domain.NotFound)
	}
}

// marks are the ways in which a project is marked.
var marks = []struct {
	name   string
	action domain.Action
	change func(p *domain.Project)
	mark   func(f *fixture, ctx context.Context, p domain.Project, rec domain.Record) error
}{
	{"MarkKey", domain.ActionMarkKey, func(p *domain.Project) { p.KeyStatus = domain.KeyRejected }, (*fixture).markKey},
	{"MarkCredits", domain.ActionMarkCredits, func(p *domain.Project) { p.Credits = domain.CreditsUsedUp }, (*fixture).markCredits},
	{"MarkKey back", domain.ActionMarkKey, func(p *domain.Project) { p.KeyStatus = domain.KeyOK }, (*fixture).markKey},
	{"MarkCredits back", domain.ActionMarkCredits, func(p *domain.Project) { p.Credits = domain.CreditsOK }, (*fixture).markCredits},
}

// markKey records what p says of its key.
func (f *fixture) markKey(ctx context.Context, p domain.Project, rec domain.Record) error {
	return f.Projects.MarkKey(ctx, p.ID, domain.SlotPrimary, p.KeyStatus, p.KeyChecked, rec)
}

// markCredits records what p says of its credits.
func (f *fixture) markCredits(ctx context.Context, p domain.Project, rec domain.Record) error {
	return f.Projects.MarkCredits(ctx, p.ID, p.Credits, rec)
}

// marksStore looks at the project in every way in which a ProjectRepository shows it.
func marksStore(t *testing.T, f *fixture) {
	p, other := f.addNamed(t, "p"), f.addNamed(t, "z")
	f.grant(t, "a host's user", p.ID)
	for _, m := range marks {
		m.change(&p)
		rec := f.record(m.action, domain.OnProject(p.ID))
		wantNil(t, m.name, m.mark(f, t.Context(), p, rec))
		f.log = append(f.log, rec)
		for _, ref := range []domain.ProjectRef{{ID: p.ID}, {Voiceflow: p.Voiceflow}, {Name: p.Name}} {
			for _, in := range []domain.Visible{everything, domain.GrantedTo("a host's user")} {
				got, err := f.Projects.Find(t.Context(), in, ref)
				wantNil(t, "Find after "+m.name, err)
				wantSame(t, fmt.Sprintf("Find of %+v after %s", ref, m.name), got, []domain.Project{p})
			}
		}
		got, err := f.Projects.Page(t.Context(), everything, domain.Cursor{}, 10)
		wantNil(t, "Page after "+m.name, err)
		wantSame(t, "Page after "+m.name, got, []domain.Project{p, other})
		got, err = f.Projects.Page(t.Context(), domain.GrantedTo("a host's user"), domain.Cursor{}, 10)
		wantNil(t, "Page within what is granted after "+m.name, err)
		wantSame(t, "Page within what is granted after "+m.name, got, []domain.Project{p})
		second := f.project("second")
		second.Voiceflow, second.Version = p.Voiceflow, p.Version
		err = f.Projects.Add(t.Context(), second, keyOf(second), f.record(domain.ActionAddProject, domain.OnProject(second.ID)))
		wantAlreadyAdded(t, "Add of the pair after "+m.name, err, p)
		f.wantKey(t, "after "+m.name, p, keyOf(p))
		f.wantRecords(t, "after "+m.name)
	}

	marked := f.project("added with marks")
	marked.KeyStatus, marked.Credits = domain.KeyRejected, domain.CreditsUsedUp
	f.add(t, marked)
	got, err := f.Projects.Find(t.Context(), everything, domain.ProjectRef{ID: marked.ID})
	wantNil(t, "Find of a project that was added with marks", err)
	wantSame(t, "a project that was added with marks", got, []domain.Project{marked})
}

// marksTwice marks once more, one after the other and at the same instant: many calls see
// at once that a key is refused.
func marksTwice(t *testing.T, f *fixture) {
	at := f.instances(t)
	p := f.addNamed(t, "p")
	for _, m := range marks {
		m.change(&p)
		recs, errs := make([]domain.Record, crowd), make([]error, crowd)
		for i := range recs {
			recs[i] = f.record(m.action, domain.OnProject(p.ID))
		}
		atOnce(crowd, func(i int) { errs[i] = m.mark(&fixture{Store: at[i%len(at)]}, t.Context(), p, recs[i]) })
		for _, err := range errs {
			wantNil(t, fmt.Sprintf("one of %d times %s at the same instant", crowd, m.name), err)
		}
		f.wantOneOf(t, fmt.Sprintf("after %d times %s at the same instant", crowd, m.name), recs)
		wantNil(t, m.name+" of what is known", m.mark(f, t.Context(), p, f.record(m.action, domain.OnProject(p.ID))))
		f.wantRecords(t, "after "+m.name+" of what is known")
		got, err := f.Projects.Find(t.Context(), everything, domain.ProjectRef{ID: p.ID})
		wantNil(t, "Find after "+m.name, err)
		wantSame(t, "the project after "+m.name, got, []domain.Project{p})
	}
}

func marksUnknown(t *testing.T, f *fixture) {
	gone := f.addNamed(t, "gone")
	f.remove(t, gone.ID)
	never := f.project("never")
	for _, m := range marks {
		for what, p := range map[string]domain.Project{"an id that never was": never, "an id that was removed": gone} {
			m.change(&p)
			wantKind(t, m.name+" of "+what, m.mark(f, t.Context(), p, f.record(m.action, domain.OnProject(p.ID))), domain.NotFound)
		}
	}
	f.wantRecords(t, "after marks of unknown ids")
	f.wantSeen(t, "after marks of unknown ids", everything)
}

// projectsElsewhere goes to and fro between two instances, so that a cache in one of them
// would show.
func projectsElsewhere(t *testing.T, f *fixture) {
	at := f.instances(t)
	here, there := at[0].Projects, at[len(at)-1].Projects
	const user = domain.UserID("a host's user")
	p := f.addNamed(t, "p")

	got, err := there.Find(t.Context(), everything, domain.ProjectRef{ID: p.ID})
	wantNil(t, "Find on the other instance after Add", err)
	wantSame(t, "Find on the other instance after Add", got, []domain.Project{p})
	key, err := there.Keys(t.Context(), p.ID)
	wantNil(t, "Keys on the other instance after Add", err)
	wantSame(t, "Keys on the other instance after Add", key, map[domain.Slot]domain.Sealed{domain.SlotPrimary: keyOf(p)})

	for range 3 {
		f.grant(t, user, p.ID)
		got, err = there.Page(t.Context(), domain.GrantedTo(user), domain.Cursor{}, 10)
		wantNil(t, "Page on the other instance after Grant", err)
		wantSame(t, "Page on the other instance after Grant", ids(got), []domain.ProjectID{p.ID})
		rec := f.record(domain.ActionRevokeProject, domain.OnGrant(user, p.ID))
		wantNil(t, "Revoke on the other instance", there.Revoke(t.Context(), user, p.ID, rec))
		f.log = append(f.log, rec)
		got, err = here.Page(t.Context(), domain.GrantedTo(user), domain.Cursor{}, 10)
		wantNil(t, "Page after Revoke on the other instance", err)
		wantSame(t, "Page after Revoke on the other instance", ids(got), []domain.ProjectID{})
	}
	for _, scopes := range []domain.Scopes{domain.AllScopes(), domain.DefaultScopes()} {
		f.grantScopes(t, user, p.ID, scopes)
		grants, err := there.Grants(t.Context(), domain.GrantFilter{User: user}, domain.Cursor{}, 10)
		wantNil(t, "Grants on the other instance", err)
		wantSame(t, "the scopes on the other instance", scopesOf(grants), map[domain.ProjectID]domain.Scopes{p.ID: scopes})
	}
	p.KeyStatus, p.Credits = domain.KeyRejected, domain.CreditsUsedUp
	marked := []domain.Record{f.record(domain.ActionMarkKey, domain.OnProject(p.ID)), f.record(domain.ActionMarkCredits, domain.OnProject(p.ID))}
	wantNil(t, "MarkKey on the other instance", there.MarkKey(t.Context(), p.ID, domain.SlotPrimary, p.KeyStatus, p.KeyChecked, marked[0]))
	wantNil(t, "MarkCredits on the other instance", there.MarkCredits(t.Context(), p.ID, p.Credits, marked[1]))
	f.log = append(f.log, marked...)
	got, err = here.Find(t.Context(), everything, domain.ProjectRef{ID: p.ID})
	wantNil(t, "Find after marks on the other instance", err)
	wantSame(t, "the project after marks on the other instance", got, []domain.Project{p})

	put := f.record(domain.ActionSetToken, domain.OnSlot(p.ID, domain.SlotSecondary))
	p, err = there.PutKey(t.Context(), p.ID, domain.SlotSecondary, otherKey(p), domain.Description{Name: "renamed"}, f.clock.now(), put)
	wantNil(t, "PutKey on the other instance", err)
	f.log = append(f.log, put)
	got, err = here.Find(t.Context(), everything, domain.ProjectRef{ID: p.ID})
	wantNil(t, "Find after PutKey on the other instance", err)
	wantSame(t, "the project after PutKey on the other instance", got, []domain.Project{p})
	f.wantKeys(t, "after PutKey on the other instance", p, map[domain.Slot]domain.Sealed{domain.SlotPrimary: keyOf(p), domain.SlotSecondary: otherKey(p)})

	rec := f.record(domain.ActionDeleteProject, domain.OnProject(p.ID))
	wantNil(t, "Remove on the other instance", there.Remove(t.Context(), p.ID, rec))
	f.log = append(f.log, rec)
	f.wantSeen(t, "after Remove on the other instance", everything)
	f.wantRecords(t, "of both instances")
}

// projectsArguments alters what it handed in and what it was given.
func projectsArguments(t *testing.T, f *fixture) {
	p := f.project("p")
	key := keyOf(p)
	rec := f.record(domain.ActionAddProject, domain.OnProject(p.ID))
	wantNil(t, "Add", f.Projects.Add(t.Context(), p, key, rec))
	wantSame(t, "the key that was handed to Add, afterwards", key, keyOf(p))
	clear(key.Bytes)
	f.wantKey(t, "after the caller cleared the bytes that it had handed to Add", p, keyOf(p))

	got, err := f.Projects.Keys(t.Context(), p.ID)
	wantNil(t, "Keys", err)
	clear(got[domain.SlotPrimary].Bytes)
	delete(got, domain.SlotPrimary)
	f.wantKey(t, "after the caller cleared what Keys had returned", p, keyOf(p))

	put := otherKey(p)
	p, err = f.Projects.PutKey(t.Context(), p.ID, domain.SlotPrimary, put, domain.Description{Name: p.Name, Platform: p.Platform}, p.KeySet, f.record(domain.ActionSetToken, "p"))
	wantNil(t, "PutKey", err)
	wantSame(t, "the key that was handed to PutKey, afterwards", put, otherKey(p))
	clear(put.Bytes)
	f.wantKey(t, "after the caller cleared the bytes that it had handed to PutKey", p, otherKey(p))

	second := f.project("second")
	second.Voiceflow, second.Version = p.Voiceflow, p.Version
	for range 2 {
		err := f.Projects.Add(t.Context(), second, keyOf(second), f.record(domain.ActionAddProject, domain.OnProject(second.ID)))
		wantAlreadyAdded(t, "the second Add", err, p)
		e, _ := errors.AsType[*domain.Error](err)
		e.Projects[0].Name = "changed by the caller"
	}
	f.grant(t, "a host's user", p.ID)
	for range 2 {
		grants, err := f.Projects.Grants(t.Context(), domain.GrantFilter{}, domain.Cursor{}, 10)
		wantNil(t, "Grants", err)
		wantSame(t, "the scopes after the caller changed an earlier list", scopesOf(grants), map[domain.ProjectID]domain.Scopes{p.ID: domain.DefaultScopes()})
		grants[0].Scopes = domain.AllScopes()
	}
	for range 2 {
		page, err := f.Projects.Page(t.Context(), everything, domain.Cursor{}, 10)
		wantNil(t, "Page", err)
		wantSame(t, "Page after the caller changed an earlier one", page, []domain.Project{p})
		page[0].Name = "changed by the caller"
	}
}

func projectsUnavailable(t *testing.T, f *fixture) {
	const user, other = domain.UserID("a host's user"), domain.UserID("another")
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	f.grant(t, user, p.ID)
	added := f.project("added")
	f.wantUnavailable(t, func(t *testing.T) {
		f.wantSeen(t, "after calls under ended contexts", everything, p.ID, q.ID)
		f.wantSeen(t, "the user after calls under ended contexts", domain.GrantedTo(user), p.ID)
		f.wantSeen(t, "another user after calls under ended contexts", domain.GrantedTo(other))
		got, err := f.Projects.Find(t.Context(), everything, domain.ProjectRef{ID: p.ID})
		wantNil(t, "Find after calls under ended contexts", err)
		wantSame(t, "the project after calls under ended contexts", got, []domain.Project{p})
		f.wantGrants(t, "after calls under ended contexts", domain.GrantFilter{},
			domain.Grant{User: user, Project: p.ID, Scopes: domain.DefaultScopes(), Created: domain.Instant(f.clock.now())})
		f.wantRecords(t, "after calls under ended contexts")
	},
		call{"Add", func(ctx context.Context) error {
			return f.Projects.Add(ctx, added, keyOf(added), f.record(domain.ActionAddProject, "added"))
		}},
		call{"Add of a pair that is there", func(ctx context.Context) error {
			return f.Projects.Add(ctx, p, keyOf(p), f.record(domain.ActionAddProject, "p"))
		}},
		call{"Remove", func(ctx context.Context) error {
			return f.Projects.Remove(ctx, p.ID, f.record(domain.ActionDeleteProject, "p"))
		}},
		call{"Remove of an unknown id", func(ctx context.Context) error {
			return f.Projects.Remove(ctx, projectID(404), f.record(domain.ActionDeleteProject, "unknown"))
		}},
		call{"Find", func(ctx context.Context) error {
			_, err := f.Projects.Find(ctx, everything, domain.ProjectRef{ID: p.ID})
			return err
		}},
		call{"Find within what is granted", func(ctx context.Context) error {
			_, err := f.Projects.Find(ctx, domain.GrantedTo(user), domain.ProjectRef{Name: "p"})
			return err
		}},
		call{"Page", func(ctx context.Context) error {
			_, err := f.Projects.Page(ctx, everything, domain.Cursor{}, 10)
			return err
		}},
		call{"Page within what is granted", func(ctx context.Context) error {
			_, err := f.Projects.Page(ctx, domain.GrantedTo(user), domain.Cursor{}, 10)
			return err
		}},
		call{"Keys", func(ctx context.Context) error {
			_, err := f.Projects.Keys(ctx, p.ID)
			return err
		}},
		call{"Keys of an unknown id", func(ctx context.Context) error {
			_, err := f.Projects.Keys(ctx, projectID(404))
			return err
		}},
		call{"Grant", func(ctx context.Context) error {
			return f.Projects.Grant(ctx, other, p.ID, 0, f.clock.now(), f.record(domain.ActionGrantProject, "p"))
		}},
		call{"Grant of an unknown project", func(ctx context.Context) error {
			return f.Projects.Grant(ctx, other, projectID(404), 0, f.clock.now(), f.record(domain.ActionGrantProject, "unknown"))
		}},
		call{"Grant of other scopes", func(ctx context.Context) error {
			return f.Projects.Grant(ctx, user, p.ID, domain.AllScopes(), f.clock.now(), f.record(domain.ActionGrantProject, "p"))
		}},
		call{"Grants", func(ctx context.Context) error {
			_, err := f.Projects.Grants(ctx, domain.GrantFilter{}, domain.Cursor{}, 10)
			return err
		}},
		call{"Grants of an unknown user", func(ctx context.Context) error {
			_, err := f.Projects.Grants(ctx, domain.GrantFilter{User: "nobody"}, domain.Cursor{}, 10)
			return err
		}},
		call{"Revoke", func(ctx context.Context) error {
			return f.Projects.Revoke(ctx, user, p.ID, f.record(domain.ActionRevokeProject, "p"))
		}},
		call{"PutKey", func(ctx context.Context) error {
			_, err := f.Projects.PutKey(ctx, p.ID, domain.SlotSecondary, otherKey(p), domain.Description{Name: "other"}, f.clock.now(), f.record(domain.ActionSetToken, "p"))
			return err
		}},
		call{"PutKey of an unknown id", func(ctx context.Context) error {
			_, err := f.Projects.PutKey(ctx, projectID(404), domain.SlotPrimary, otherKey(p), domain.Description{Name: "other"}, f.clock.now(), f.record(domain.ActionSetToken, "unknown"))
			return err
		}},
		call{"Refresh", func(ctx context.Context) error {
			return f.Projects.Refresh(ctx, p.ID, domain.Description{Name: "other"}, f.record(domain.ActionRefreshProject, "p"))
		}},
		call{"Refresh of an unknown id", func(ctx context.Context) error {
			return f.Projects.Refresh(ctx, projectID(404), domain.Description{Name: "other"}, f.record(domain.ActionRefreshProject, "unknown"))
		}},
		call{"MarkKey", func(ctx context.Context) error {
			return f.Projects.MarkKey(ctx, p.ID, domain.SlotPrimary, domain.KeyRejected, f.clock.now(), f.record(domain.ActionMarkKey, "p"))
		}},
		call{"MarkKey of an unknown id", func(ctx context.Context) error {
			return f.Projects.MarkKey(ctx, projectID(404), domain.SlotPrimary, domain.KeyRejected, f.clock.now(), f.record(domain.ActionMarkKey, "unknown"))
		}},
		call{"MarkCredits", func(ctx context.Context) error {
			return f.Projects.MarkCredits(ctx, p.ID, domain.CreditsUsedUp, f.record(domain.ActionMarkCredits, "p"))
		}},
		call{"MarkCredits of an unknown id", func(ctx context.Context) error {
			return f.Projects.MarkCredits(ctx, projectID(404), domain.CreditsUsedUp, f.record(domain.ActionMarkCredits, "unknown"))
		}},
	)
}

// projectsConcurrent lets every caller find exactly what they left, whatever others do.
func projectsConcurrent(t *testing.T, f *fixture) {
	at := f.instances(t)
	shared := f.addNamed(t, "shared")
	problems := make([]error, 16)
	atOnce(len(problems), func(i int) {
		view, user := at[i%len(at)].Projects, userID(i)
		p := f.project("same")
		steps := []call{
			{"Add", func(ctx context.Context) error {
				return view.Add(ctx, p, keyOf(p), f.record(domain.ActionAddProject, "p"))
			}},
			{"Grant", func(ctx context.Context) error {
				return view.Grant(ctx, user, p.ID, 0, f.clock.now(), f.record(domain.ActionGrantProject, "p"))
			}},
			{"Grant", func(ctx context.Context) error {
				return view.Grant(ctx, user, shared.ID, 0, f.clock.now(), f.record(domain.ActionGrantProject, "shared"))
			}},
			{"Page", func(ctx context.Context) error {
				got, err := view.Page(ctx, domain.GrantedTo(user), domain.Cursor{}, 10)
				return cmp.Or(err, mismatch(ids(got), []domain.ProjectID{p.ID, shared.ID}))
			}},
			{"Find", func(ctx context.Context) error {
				got, err := view.Find(ctx, domain.GrantedTo(user), domain.ProjectRef{Name: "same"})
				return cmp.Or(err, mismatch(got, []domain.Project{p}))
			}},
			{"Grants", func(ctx context.Context) error {
				got, err := view.Grants(ctx, domain.GrantFilter{User: user}, domain.Cursor{}, 10)
				want := map[domain.ProjectID]domain.Scopes{p.ID: domain.DefaultScopes(), shared.ID: domain.DefaultScopes()}
				return cmp.Or(err, mismatch(scopesOf(got), want))
			}},
			{"MarkKey", func(ctx context.Context) error {
				return view.MarkKey(ctx, shared.ID, domain.SlotPrimary, []domain.KeyStatus{domain.KeyOK, domain.KeyRejected}[i%2], f.clock.now(), f.record(domain.ActionMarkKey, "shared"))
			}},
			{"Refresh", func(ctx context.Context) error {
				return view.Refresh(ctx, shared.ID, domain.Description{Name: "shared", Platform: []string{"webchat", "chatbot"}[i%2]}, f.record(domain.ActionRefreshProject, "shared"))
			}},
			{"PutKey", func(ctx context.Context) error {
				got, err := view.PutKey(ctx, p.ID, domain.SlotPrimary, keyOf(p), domain.Description{Name: "same", Platform: p.Platform}, p.KeySet, f.record(domain.ActionSetToken, "p"))
				return cmp.Or(err, mismatch(got, p))
			}},
			{"MarkCredits", func(ctx context.Context) error {
				return view.MarkCredits(ctx, shared.ID, []domain.Credits{domain.CreditsOK, domain.CreditsUsedUp}[i%2], f.record(domain.ActionMarkCredits, "shared"))
			}},
			{"Keys", func(ctx context.Context) error {
				got, err := view.Keys(ctx, p.ID)
				return cmp.Or(err, mismatch(got, map[domain.Slot]domain.Sealed{domain.SlotPrimary: keyOf(p)}))
			}},
			{"Revoke", func(ctx context.Context) error {
				return view.Revoke(ctx, user, shared.ID, f.record(domain.ActionRevokeProject, "shared"))
			}},
			{"Remove", func(ctx context.Context) error {
				return view.Remove(ctx, p.ID, f.record(domain.ActionDeleteProject, "p"))
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
	f.wantSeen(t, "after all callers have cleaned up", everything, shared.ID)
}

// mismatch is difference as an error.
func mismatch(got, want any) error {
	if d := difference(got, want); d != "" {
		return errors.New(d)
	}
	return nil
}
