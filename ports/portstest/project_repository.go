package portstest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// ProjectRepository checks every sentence in the comments of ports.ProjectRepository that
// can be seen from outside.
func ProjectRepository(t *testing.T, open OpenStore) {
	check(t, open, append([]sentence{
		{"Add stores the project, its keys and the record together", addStores},
		{"Add keeps a name of any script to the byte", addKeepsNames},
		{"Add of a pair that exists is AlreadyAdded, carries the stored project and changes nothing", addTwice},
		{"of several equal Adds at the same instant exactly one succeeds", addAtOnce},
		{"Remove forgets the project, its keys and the grants on it, together with the record", removeForgets},
		{"Remove ends the assistant sessions in the project", removeEndsSessions},
		{"Remove of an unknown id is NotFound and keeps no record", removeUnknown},
		{"of several Removes at the same instant exactly one succeeds", removeAtOnce},
		{"Find returns the projects that every field of the ref names, and no match is no error", findMatches},
		{"Find compares names to the byte", findNames},
		{"Find returns in the order of the ids, and at most MaxMatches", findOrder},
		{"Find and Page return only visible projects", projectsVisible},
		{"Page returns at most limit projects, and no match is no error", pageLimit},
		{"Page is in the order of the bytes of the name, then the id", pageOrder},
		{"Page goes on after the cursor, within one name too, whether or not that project still exists", pageCursor},
		{"Page shows each project that stays exactly once while others are added and removed", pageMoves},
		{"Page with a filter returns what the filter picks among the visible projects, in order and after the cursor", projectsSearched},
		{"Page with a filter follows each change of a name, of a key's status and of the credits", searchFollows},
		{"Names returns the names of the visible projects among the ids, and unknown ids are absent", namesOfProjects},
		{"Page holds no connection after it has returned", pageConnections},
		{"Find returns the sealed keys to the byte", projectKeys},
		{"no session outlives a Remove at the same instant", removeRace},
		{"Update stores a key in one slot together with the record, and leaves the other slot", putKeyStores},
		{"Update stores name and platform, in the grants too, the keys and when they were set, and returns the project as stored", putKeyRenames},
		{"Update of an unknown id is NotFound and keeps no record", putKeyUnknown},
		{"of several Updates at the same instant one remains, complete", putKeyAtOnce},
		{"changes of parts of a project at the same instant all count", updatesAddUp},
		{"Update stores environments together with the record, and every look-up has them then", environmentsStored},
		{"Update stores picture origins together with the record, and every look-up has them then", pictureOriginsStored},
		{"changes of other fields are ignored", updateOthers},
		{"the error of change is returned as it is, and nothing is stored", updateFails},
		{"Update forgets a key that change deletes, and nothing else", deleteKeys},
		{"Remove forgets the keys of all slots", removeForgetsKeys},
		{"Update of name and platform stores them, in the grants too, together with the record", refreshStores},
		{"Update that alters nothing keeps no record; an unknown id is NotFound", refreshNothing},
		{"Note of a mark changes the key whose sealed bytes it names, and not the other", marksSlots},
		{"older news never overwrites newer, and the record is kept only for news", marksChecked},
		{"news about a key that was replaced changes nothing, and news about the other key counts", marksReplaced},
		{"news about a key that is in no slot changes nothing and keeps no record", marksEmptySlot},
		{"Note records that a key does not open, and that it opens again", opensMarked},
		{"Note that a key opens or not changes nothing if that is known, or if the key is in no slot", opensKnown},
		{"Note records the status of keys and credits, each alone, together with the record", marksStore},
		{"Note of a known status changes nothing and keeps no record", marksTwice},
		{"Note of an unknown id is NotFound and keeps no record", marksUnknown},
	}, promises("Projects")...))
}

// addStores finds each project by every field that can name it. So a field shows that was not
// stored, or not as it was given.
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

	listed := f.inEnvironments("listed")
	anyOf := f.project("any")
	anyOf.Environments = domain.Environments{Default: anyOf.Version, All: true}

	for _, p := range []domain.Project{plain, bare, aliased, old, far, listed, anyOf} {
		f.wantAdded(t, "Add of "+p.Name, p)
		for _, ref := range []domain.ProjectRef{{ID: p.ID}, {Voiceflow: p.Voiceflow}, {Name: p.Name}} {
			got, err := f.Ports.Projects.Find(t.Context(), everything, ref)
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
	got, err := keysIn(t.Context(), f.Ports.Projects, p.ID)
	wantNil(t, what+": the keys", err)
	wantSame(t, what+": the keys", got, want)
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
		got, err := f.Ports.Projects.Find(t.Context(), everything, domain.ProjectRef{ID: p.ID})
		wantNil(t, fmt.Sprintf("Find of the project named %q", name), err)
		wantSame(t, fmt.Sprintf("the project named %q", name), got, []domain.Project{p})
	}
}

// addTwice also checks what is stored after the refusal. An adapter that stores the key before
// it looks for the pair has destroyed the first key by then.
func addTwice(t *testing.T, f *fixture) {
	there := f.addNamed(t, "there")
	aliased := f.project("aliased")
	aliased.Version = "production"
	f.add(t, aliased)

	for _, first := range []domain.Project{there, aliased} {
		second := f.project("second")
		second.Voiceflow, second.Version = first.Voiceflow, first.Version
		err := f.Ports.Projects.Add(t.Context(), f.act(domain.ActionAddProject, domain.OnProject(second.ID)), second)
		wantAlreadyAdded(t, "the second Add of a pair", err, first)

		got, err := f.Ports.Projects.Find(t.Context(), everything, domain.ProjectRef{Voiceflow: first.Voiceflow})
		wantNil(t, "Find after the second Add", err)
		wantSame(t, "the project after the second Add", got, []domain.Project{first})
		f.wantKey(t, "after the second Add", first, keyOf(first))
		_, err = keysIn(t.Context(), f.Ports.Projects, second.ID)
		wantKind(t, "the keys of the project that was not added", err, domain.NotFound)
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
	f.wantRecords(t, "after the Adds of pairs that share one half with a stored pair")
}

// wantAlreadyAdded fails the test unless err is AlreadyAdded and carries there, without the
// sealed bytes of its keys.
func wantAlreadyAdded(t *testing.T, what string, err error, there domain.Project) {
	t.Helper()
	wantKind(t, what, err, domain.AlreadyAdded)
	e, _ := errors.AsType[*domain.Error](err)
	wantSame(t, what+": the projects that the error carries", e.Projects, []domain.Project{unsealed(there)})
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
		errs[i] = at[i%len(at)].Ports.Projects.Add(t.Context(), byOperator(recs[i]), ps[i])
	})
	one := onlySuccess(t, "Add", errs)
	for i, err := range errs {
		if i != one {
			wantAlreadyAdded(t, fmt.Sprintf("one of the other %d Adds", crowd-1), err, ps[one])
		}
	}
	got, err := f.Ports.Projects.Find(t.Context(), everything, domain.ProjectRef{Voiceflow: first.Voiceflow})
	wantNil(t, "Find after all", err)
	wantSame(t, "the project that is there after all", got, []domain.Project{ps[one]})
	f.wantKey(t, "after all", ps[one], keyOf(ps[one]))
	f.wantRecordsInAnyOrder(t, "after all", []domain.Record{recs[one]})
}

// onlySuccess returns the index of the one nil among errs.
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

	got, err := f.Ports.Projects.Find(t.Context(), everything, domain.ProjectRef{ID: goes.ID})
	wantNil(t, "Find after Remove", err)
	wantSame(t, "Find after Remove", ids(got), []domain.ProjectID{})
	_, err = keysIn(t.Context(), f.Ports.Projects, goes.ID)
	wantKind(t, "the keys after Remove", err, domain.NotFound)
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
	wantNil(t, "Add of the pair that was removed", f.Ports.Projects.Add(t.Context(), byOperator(rec), keyed(again, key)))
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
		err := f.Ports.Projects.Remove(t.Context(), f.act(domain.ActionDeleteProject, domain.OnProject(id)), id)
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
	atOnce(crowd, func(i int) { errs[i] = at[i%len(at)].Ports.Projects.Remove(t.Context(), byOperator(recs[i]), p.ID) })
	one := onlySuccess(t, "Remove", errs)
	for i, err := range errs {
		if i != one {
			wantKind(t, fmt.Sprintf("one of the other %d Removes", crowd-1), err, domain.NotFound)
		}
	}
	f.wantRecordsInAnyOrder(t, "after all", []domain.Record{recs[one]})
}

// projectKeys has the shortest key and one with every byte there is.
func projectKeys(t *testing.T, f *fixture) {
	short, long := f.project("short"), f.project("long")
	all := make([]byte, 1024)
	for i := range all {
		all[i] = byte(i)
	}
	for _, p := range []domain.Project{
		keyed(short, domain.Sealed{Key: "k", Bytes: []byte{0}}), keyed(long, domain.Sealed{Key: "4294967295", Bytes: all}),
	} {
		f.wantAdded(t, "Add", p)
		f.wantKey(t, "of the project "+p.Name, p, p.Primary.Sealed)
	}
	_, err := keysIn(t.Context(), f.Ports.Projects, projectID(404))
	wantKind(t, "the keys of an unknown id", err, domain.NotFound)
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
			func(rec domain.Record) error { return f.Ports.Projects.Remove(t.Context(), byOperator(rec), p.ID) }, domain.NotAllowed, domain.NotFound)
	}
}

// mismatch is difference as an error.
func mismatch(got, want any) error {
	if d := difference(got, want); d != "" {
		return errors.New(d)
	}
	return nil
}
