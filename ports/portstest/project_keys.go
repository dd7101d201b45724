package portstest

import (
	"fmt"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// otherKey is what the suite stores as another sealed key of p.
func otherKey(p domain.Project) domain.Sealed {
	return domain.Sealed{Key: "4294967295", Bytes: []byte("\x00\x01\xff\xfe'\"\\\n sealed for " + p.ID + " later")}
}

// described is what p is called.
func described(p domain.Project) domain.Description {
	return domain.Description{Name: p.Name, Platform: p.Platform}
}

// put puts a key into a slot at this moment and returns the project as it should be then.
func (f *fixture) put(t *testing.T, p domain.Project, slot domain.Slot, key domain.Sealed) domain.Project {
	t.Helper()
	at := f.clock.now()
	rec := f.record(domain.ActionSetToken, domain.OnSlot(p.ID, slot))
	stored, err := f.Projects.PutKey(t.Context(), p.ID, slot, key, described(p), at, rec)
	wantNil(t, "PutKey", err)
	f.log = append(f.log, rec)
	p = p.Marked(slot, domain.KeyOK)
	p.KeyChecked, p.KeySet = domain.Instant(at), domain.Instant(at)
	wantSame(t, "what PutKey returned", stored, p)
	return p
}

// wantProject fails the test unless p is found as it is, by whatever shows it.
func (f *fixture) wantProject(t *testing.T, what string, p domain.Project) {
	t.Helper()
	for _, ref := range []domain.ProjectRef{{ID: p.ID}, {Voiceflow: p.Voiceflow}, {Name: p.Name}} {
		got, err := f.Projects.Find(t.Context(), everything, ref)
		wantNil(t, what+": Find", err)
		wantSame(t, fmt.Sprintf("%s: Find of %+v", what, ref), got, []domain.Project{p})
	}
}

func putKeyStores(t *testing.T, f *fixture) {
	p, beside := f.addNamed(t, "p"), f.addNamed(t, "q")
	const first, second = domain.SlotPrimary, domain.SlotSecondary
	key, another := keyOf(p), otherKey(p)
	for _, step := range []struct {
		what string
		slot domain.Slot
		key  domain.Sealed
		want map[domain.Slot]domain.Sealed
	}{
		{"a second key", second, another, map[domain.Slot]domain.Sealed{first: key, second: another}},
		{"another second key", second, key, map[domain.Slot]domain.Sealed{first: key, second: key}},
		{"another first key", first, another, map[domain.Slot]domain.Sealed{first: another, second: key}},
		{"the same once more", first, another, map[domain.Slot]domain.Sealed{first: another, second: key}},
	} {
		f.clock.advance(time.Minute)
		p = f.put(t, p, step.slot, step.key)
		f.wantProject(t, "after "+step.what, p)
		f.wantKeys(t, "after "+step.what, p, step.want)
		f.wantRecords(t, "after "+step.what)
	}
	f.wantProject(t, "the project beside", beside)
	f.wantKey(t, "of the project beside", beside, keyOf(beside))
}

// putKeyRenames also marks what the put key makes untrue, and looks for the project where
// it stands in a list by its name.
func putKeyRenames(t *testing.T, f *fixture) {
	p, q := f.addNamed(t, "a"), f.addNamed(t, "m")
	const user = domain.UserID("a host's user")
	f.grantScopes(t, user, p.ID, someScopes)
	f.grant(t, user, q.ID)
	p = f.put(t, p, domain.SlotSecondary, otherKey(p))
	for _, slot := range domain.Slots() {
		rec := f.record(domain.ActionMarkKey, domain.OnSlot(p.ID, slot))
		wantNil(t, "MarkKey", f.Projects.MarkKey(t.Context(), p.ID, slot, domain.KeyRejected, f.clock.now(), rec))
		f.log = append(f.log, rec)
		p = p.Marked(slot, domain.KeyRejected)
	}
	f.clock.advance(time.Hour)
	for _, slot := range []domain.Slot{domain.SlotSecondary, domain.SlotPrimary} {
		p.Name, p.Platform = "z'\"\\ ü in the "+string(slot), "platform of "+string(slot)
		p = f.put(t, p, slot, keyOf(p))
		f.wantProject(t, "after PutKey", p)
		f.wantSeen(t, "after another name", everything, q.ID, p.ID)
		f.wantSeen(t, "the user after another name", domain.GrantedTo(user), q.ID, p.ID)
		got, err := f.Projects.Find(t.Context(), domain.GrantedTo(user), domain.ProjectRef{Name: p.Name})
		wantNil(t, "Find by the new name within what is granted", err)
		wantSame(t, "Find by the new name within what is granted", got, []domain.Project{p})
	}
	f.wantGrants(t, "after another name", domain.GrantFilter{User: user, Project: p.ID},
		domain.Grant{User: user, Project: p.ID, Scopes: someScopes, Created: q.Created})
	f.wantRecords(t, "after PutKey")
}

func putKeyUnknown(t *testing.T, f *fixture) {
	gone := f.addNamed(t, "gone")
	f.remove(t, gone.ID)
	for what, p := range map[string]domain.Project{"an id that never was": f.project("never"), "an id that was removed": gone} {
		_, err := f.Projects.PutKey(t.Context(), p.ID, domain.SlotPrimary, keyOf(p), described(p), f.clock.now(), f.record(domain.ActionSetToken, domain.OnProject(p.ID)))
		wantKind(t, "PutKey of "+what, err, domain.NotFound)
		_, err = f.Projects.Keys(t.Context(), p.ID)
		wantKind(t, "Keys after PutKey of "+what, err, domain.NotFound)
	}
	f.wantSeen(t, "after PutKey of unknown ids", everything)
	f.wantRecords(t, "after PutKey of unknown ids")
}

func putKeyAtOnce(t *testing.T, f *fixture) {
	at := f.instances(t)
	p := f.addNamed(t, "p")
	f.grant(t, "a host's user", p.ID)
	recs, errs, stored := make([]domain.Record, crowd), make([]error, crowd), make([]domain.Project, crowd)
	key := func(i int) domain.Sealed { return domain.Sealed{Key: "1", Bytes: []byte(fmt.Sprint("key ", i))} }
	for i := range recs {
		recs[i] = f.record(domain.ActionSetToken, domain.OnSlot(p.ID, domain.SlotPrimary))
	}
	now := f.clock.now()
	atOnce(crowd, func(i int) {
		as := domain.Description{Name: fmt.Sprint("name ", i), Platform: fmt.Sprint("platform ", i)}
		stored[i], errs[i] = at[i%len(at)].Projects.PutKey(t.Context(), p.ID, domain.SlotPrimary, key(i), as, now.Add(time.Duration(i)*time.Second), recs[i])
	})
	for _, err := range errs {
		wantNil(t, "one of several PutKeys at the same instant", err)
	}
	f.wantRecordsInAnyOrder(t, "after PutKeys at the same instant", recs)
	got, err := f.Projects.Find(t.Context(), everything, domain.ProjectRef{ID: p.ID})
	wantNil(t, "Find after PutKeys at the same instant", err)
	for i := range stored {
		if len(got) == 1 && got[0] == stored[i] {
			f.wantProject(t, "after PutKeys at the same instant", stored[i])
			f.wantKey(t, "after PutKeys at the same instant", p, key(i))
			return
		}
	}
	t.Fatalf("after PutKeys at the same instant: got %+v, want what one of them stored", got)
}

func removeForgetsKeys(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	f.put(t, p, domain.SlotSecondary, otherKey(p))
	f.remove(t, p.ID)
	_, err := f.Projects.Keys(t.Context(), p.ID)
	wantKind(t, "Keys after Remove", err, domain.NotFound)
	f.add(t, p)
	f.wantKey(t, "of a project that was removed and added again", p, keyOf(p))
}

func refreshStores(t *testing.T, f *fixture) {
	p, q := f.addNamed(t, "a"), f.addNamed(t, "m")
	const user = domain.UserID("a host's user")
	f.grant(t, user, p.ID)
	f.grant(t, user, q.ID)
	p = f.put(t, p, domain.SlotSecondary, otherKey(p))
	f.clock.advance(time.Minute)
	for _, as := range []domain.Description{{Name: "z", Platform: "webchat"}, {Name: "z", Platform: "alexa"}, {Name: "zz"}} {
		p.Name, p.Platform = as.Name, as.Platform
		rec := f.record(domain.ActionRefreshProject, domain.OnProject(p.ID))
		wantNil(t, "Refresh", f.Projects.Refresh(t.Context(), p.ID, as, rec))
		f.log = append(f.log, rec)
		f.wantProject(t, "after Refresh", p)
		f.wantSeen(t, "after Refresh", everything, q.ID, p.ID)
		f.wantSeen(t, "the user after Refresh", domain.GrantedTo(user), q.ID, p.ID)
		f.wantRecords(t, "after Refresh")
	}
	f.wantKeys(t, "after Refresh", p, map[domain.Slot]domain.Sealed{domain.SlotPrimary: keyOf(p), domain.SlotSecondary: otherKey(p)})
}

func refreshNothing(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	wantNil(t, "Refresh", f.Projects.Refresh(t.Context(), p.ID, described(p), f.record(domain.ActionRefreshProject, domain.OnProject(p.ID))))
	err := f.Projects.Refresh(t.Context(), projectID(404), described(p), f.record(domain.ActionRefreshProject, domain.OnProject(projectID(404))))
	wantKind(t, "Refresh of an unknown id", err, domain.NotFound)
	f.wantProject(t, "after Refresh", p)
	f.wantRecords(t, "after Refresh")
}

// markSlot marks a key as of at; news says whether the status is another one.
func (f *fixture) markSlot(t *testing.T, p domain.Project, slot domain.Slot, status domain.KeyStatus, at time.Time, news bool) {
	t.Helper()
	rec := f.record(domain.ActionMarkKey, domain.OnSlot(p.ID, slot))
	wantNil(t, "MarkKey", f.Projects.MarkKey(t.Context(), p.ID, slot, status, at, rec))
	if news {
		f.log = append(f.log, rec)
	}
}

func marksSlots(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	p = f.put(t, p, domain.SlotSecondary, otherKey(p))
	for _, status := range []domain.KeyStatus{domain.KeyRejected, domain.KeyNeedsReentry, domain.KeyUnchecked, domain.KeyOK} {
		for _, slot := range []domain.Slot{domain.SlotSecondary, domain.SlotPrimary} {
			f.clock.advance(time.Second)
			f.markSlot(t, p, slot, status, f.clock.now(), true)
			p = p.Marked(slot, status)
			p.KeyChecked = domain.Instant(f.clock.now())
			f.wantProject(t, fmt.Sprintf("after MarkKey of %s as %s", slot, status), p)
			f.wantRecords(t, fmt.Sprintf("after MarkKey of %s as %s", slot, status))
		}
	}
	f.wantKeys(t, "after MarkKey", p, map[domain.Slot]domain.Sealed{domain.SlotPrimary: keyOf(p), domain.SlotSecondary: otherKey(p)})
}

func marksChecked(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	f.clock.advance(time.Hour)
	checked := f.clock.now()
	for _, step := range []struct {
		what    string
		status  domain.KeyStatus
		at      time.Time
		checked time.Time
		news    bool
	}{
		{"what is known, asked later", domain.KeyOK, checked, checked, false},
		{"what is known, asked earlier", domain.KeyOK, checked.Add(-time.Minute), checked, false},
		{"news, asked earlier", domain.KeyRejected, checked.Add(-time.Minute), checked, true},
		{"news, not asked", domain.KeyNeedsReentry, time.Time{}, checked, true},
		{"what is known, not asked", domain.KeyNeedsReentry, time.Time{}, checked, false},
		{"news, asked a microsecond later", domain.KeyOK, checked.Add(time.Microsecond), checked.Add(time.Microsecond), true},
	} {
		f.markSlot(t, p, domain.SlotPrimary, step.status, step.at, step.news)
		p.KeyStatus, p.KeyChecked = step.status, domain.Instant(step.checked)
		f.wantProject(t, "after MarkKey of "+step.what, p)
		f.wantRecords(t, "after MarkKey of "+step.what)
	}
	never := f.project("never checked")
	never.KeyStatus, never.KeyChecked, never.KeySet = domain.KeyUnchecked, time.Time{}, time.Time{}
	f.add(t, never)
	f.wantProject(t, "never checked", never)
	f.markSlot(t, never, domain.SlotPrimary, domain.KeyNeedsReentry, time.Time{}, true)
	never.KeyStatus = domain.KeyNeedsReentry
	f.wantProject(t, "never checked, after MarkKey", never)
	f.wantRecords(t, "after MarkKey of a project that was never checked")
}

func marksBeforeSet(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	f.clock.advance(time.Hour)
	before := f.clock.now()
	f.clock.advance(time.Microsecond)
	p = f.put(t, p, domain.SlotPrimary, otherKey(p))
	f.markSlot(t, p, domain.SlotPrimary, domain.KeyRejected, before, false)
	f.wantProject(t, "after MarkKey of what was asked before", p)
	f.wantRecords(t, "after MarkKey of what was asked before")
	f.markSlot(t, p, domain.SlotPrimary, domain.KeyRejected, f.clock.now(), true)
	p.KeyStatus = domain.KeyRejected
	f.wantProject(t, "after MarkKey of what was asked at that instant", p)
	f.wantRecords(t, "after MarkKey of what was asked at that instant")
}

func marksEmptySlot(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	for _, status := range []domain.KeyStatus{domain.KeyOK, domain.KeyNone} {
		err := f.Projects.MarkKey(t.Context(), p.ID, domain.SlotSecondary, status, f.clock.now(), f.record(domain.ActionMarkKey, domain.OnSlot(p.ID, domain.SlotSecondary)))
		wantKind(t, "MarkKey of an empty slot", err, domain.NotFound)
	}
	f.wantProject(t, "after MarkKey of an empty slot", p)
	f.wantRecords(t, "after MarkKey of an empty slot")
}
