package portstest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// marks are the ways in which a project is marked.
var marks = []struct {
	name   string
	action domain.Action
	change func(p *domain.Project)
	mark   func(ctx context.Context, at Store, p domain.Project, rec domain.Record) error
}{
	{"a mark of the key", domain.ActionMarkKey, func(p *domain.Project) { p.Primary.Status = domain.KeyRejected }, noteKey},
	{"a mark of the credits", domain.ActionMarkCredits, func(p *domain.Project) { p.Credits = domain.CreditsUsedUp }, noteCredits},
	{"a mark of the key back", domain.ActionMarkKey, func(p *domain.Project) { p.Primary.Status = domain.KeyOK }, noteKey},
	{"a mark of the credits back", domain.ActionMarkCredits, func(p *domain.Project) { p.Credits = domain.CreditsOK }, noteCredits},
}

// noteKey notes what p says of its primary key.
func noteKey(ctx context.Context, at Store, p domain.Project, rec domain.Record) error {
	return markKey(ctx, at.Ports.Projects, p.ID, p.Primary.Sealed, p.Primary.Status, p.Primary.Checked, rec)
}

// noteCredits notes what p says of its credits.
func noteCredits(ctx context.Context, at Store, p domain.Project, rec domain.Record) error {
	return markCredits(ctx, at.Ports.Projects, p.ID, p.Credits, rec)
}

// marksStore looks at the project in every way in which a ProjectRepository shows it.
func marksStore(t *testing.T, f *fixture) {
	p, other := f.addNamed(t, "p"), f.addNamed(t, "z")
	f.grant(t, "a host's user", p.ID)
	for _, m := range marks {
		m.change(&p)
		rec := f.record(m.action, domain.OnProject(p.ID))
		wantNil(t, m.name, m.mark(t.Context(), f.Store, p, rec))
		f.log = append(f.log, rec)
		for _, ref := range []domain.ProjectRef{{ID: p.ID}, {Voiceflow: p.Voiceflow}, {Name: p.Name}} {
			for _, in := range []domain.Visible{everything, domain.GrantedTo("a host's user")} {
				got, err := f.Ports.Projects.Find(t.Context(), in, ref)
				wantNil(t, "Find after "+m.name, err)
				wantSame(t, fmt.Sprintf("Find of %+v after %s", ref, m.name), got, []domain.Project{p})
			}
		}
		got, err := f.Ports.Projects.Page(t.Context(), everything, domain.ProjectFilter{}, domain.Cursor{}, 10)
		wantNil(t, "Page after "+m.name, err)
		wantSame(t, "Page after "+m.name, got, allUnsealed([]domain.Project{p, other}))
		got, err = f.Ports.Projects.Page(t.Context(), domain.GrantedTo("a host's user"), domain.ProjectFilter{}, domain.Cursor{}, 10)
		wantNil(t, "Page within what is granted after "+m.name, err)
		wantSame(t, "Page within what is granted after "+m.name, got, []domain.Project{unsealed(p)})
		second := f.project("second")
		second.Voiceflow, second.Version = p.Voiceflow, p.Version
		err = f.Ports.Projects.Add(t.Context(), f.act(domain.ActionAddProject, domain.OnProject(second.ID)), second)
		wantAlreadyAdded(t, "Add of the pair after "+m.name, err, p)
		f.wantKey(t, "after "+m.name, p, keyOf(p))
		f.wantRecords(t, "after "+m.name)
	}

	marked := f.project("added with marks")
	marked.Primary.Status, marked.Credits = domain.KeyRejected, domain.CreditsUsedUp
	f.add(t, marked)
	got, err := f.Ports.Projects.Find(t.Context(), everything, domain.ProjectRef{ID: marked.ID})
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
		atOnce(crowd, func(i int) { errs[i] = m.mark(t.Context(), at[i%len(at)], p, recs[i]) })
		for _, err := range errs {
			wantNil(t, fmt.Sprintf("one of %d times %s at the same instant", crowd, m.name), err)
		}
		f.wantOneOf(t, fmt.Sprintf("after %d times %s at the same instant", crowd, m.name), recs)
		wantNil(t, m.name+" of what is known", m.mark(t.Context(), f.Store, p, f.record(m.action, domain.OnProject(p.ID))))
		f.wantRecords(t, "after "+m.name+" of what is known")
		got, err := f.Ports.Projects.Find(t.Context(), everything, domain.ProjectRef{ID: p.ID})
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
			wantKind(t, m.name+" of "+what, m.mark(t.Context(), f.Store, p, f.record(m.action, domain.OnProject(p.ID))), domain.NotFound)
		}
	}
	f.wantRecords(t, "after marks of unknown ids")
	f.wantSeen(t, "after marks of unknown ids", everything)
}

// markSlot marks the key in the slot at the time at. news is the expected result. It returns the
// project as expected after that.
func (f *fixture) markSlot(t *testing.T, p domain.Project, slot domain.Slot, status domain.KeyStatus, at time.Time, news bool) domain.Project {
	t.Helper()
	rec := f.record(domain.ActionMarkKey, domain.OnSlot(p.ID, slot))
	wantNil(t, "Note of a mark", markKey(t.Context(), f.Ports.Projects, p.ID, p.Key(slot).Sealed, status, at, rec))
	if news {
		f.log = append(f.log, rec)
	}
	p.Mark(p.Key(slot).Sealed, status, at)
	return p
}

func marksSlots(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	p = f.put(t, p, domain.SlotSecondary, otherKey(p))
	for _, status := range []domain.KeyStatus{domain.KeyRejected, domain.KeyNeedsReentry, domain.KeyUnchecked, domain.KeyOK} {
		for _, slot := range []domain.Slot{domain.SlotSecondary, domain.SlotPrimary} {
			f.clock.advance(time.Second)
			beside := p
			f.markSlot(t, p, slot, status, f.clock.now(), true)
			p = marked(p, slot, status)
			if slot == domain.SlotPrimary {
				p.Primary.Checked = domain.Instant(f.clock.now())
				wantSame(t, "the other key", p.Secondary, beside.Secondary)
			} else {
				p.Secondary.Checked = domain.Instant(f.clock.now())
				wantSame(t, "the other key", p.Primary, beside.Primary)
			}
			f.wantProject(t, fmt.Sprintf("after a mark of %s as %s", slot, status), p)
			f.wantRecords(t, fmt.Sprintf("after a mark of %s as %s", slot, status))
		}
	}
	f.wantKeys(t, "after marks", p, map[domain.Slot]domain.Sealed{domain.SlotPrimary: keyOf(p), domain.SlotSecondary: otherKey(p)})
}

func marksChecked(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	f.clock.advance(time.Hour)
	checked := f.clock.now()
	for _, step := range []struct {
		what    string
		status  domain.KeyStatus // "" if Voiceflow was not asked, and the key can't be opened
		at      time.Time
		want    domain.KeyStatus
		checked time.Time
		news    bool
	}{
		{"what is known, asked later", domain.KeyOK, checked, domain.KeyOK, checked, false},
		{"what is known, asked earlier", domain.KeyOK, checked.Add(-time.Minute), domain.KeyOK, checked, false},
		{"older news", domain.KeyRejected, checked.Add(-time.Minute), domain.KeyOK, checked, false},
		{"news of the same instant", domain.KeyRejected, checked, domain.KeyRejected, checked, true},
		{"older news of the status before", domain.KeyOK, checked.Add(-time.Microsecond), domain.KeyRejected, checked, false},
		{"news, not asked", "", time.Time{}, domain.KeyNeedsReentry, checked, true},
		{"what is known, not asked", "", time.Time{}, domain.KeyNeedsReentry, checked, false},
		{"news, asked a microsecond later", domain.KeyOK, checked.Add(time.Microsecond), domain.KeyOK, checked.Add(time.Microsecond), true},
	} {
		if step.status == "" {
			rec := f.record(domain.ActionMarkKey, domain.OnProject(p.ID))
			wantNil(t, "Note", markOpens(t.Context(), f.Ports.Projects, p.ID, keyOf(p), false, rec))
			if step.news {
				f.log = append(f.log, rec)
			}
		} else {
			f.markSlot(t, p, domain.SlotPrimary, step.status, step.at, step.news)
		}
		p.Primary.Status, p.Primary.Checked = step.want, domain.Instant(step.checked)
		f.wantProject(t, "after a mark of "+step.what, p)
		f.wantRecords(t, "after a mark of "+step.what)
	}
	never := f.project("never checked")
	never.Primary.Status, never.Primary.Checked, never.Primary.Set = domain.KeyUnchecked, time.Time{}, time.Time{}
	f.add(t, never)
	f.wantProject(t, "never checked", never)
	rec := f.record(domain.ActionMarkKey, domain.OnProject(never.ID))
	wantNil(t, "Note", markOpens(t.Context(), f.Ports.Projects, never.ID, keyOf(never), false, rec))
	f.log = append(f.log, rec)
	never.Primary.Status = domain.KeyNeedsReentry
	f.wantProject(t, "never checked, after Note", never)
	f.wantRecords(t, "after Note of a project that was never checked")
}

// marksReplaced brings news about a key when another one was put into its slot, and when one
// was just put into the other slot.
func marksReplaced(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	before := p
	f.clock.advance(time.Hour)
	asked := f.clock.now()
	f.clock.advance(time.Microsecond)
	p = f.put(t, p, domain.SlotPrimary, otherKey(p))
	for _, at := range []time.Time{asked, f.clock.now(), f.clock.now().Add(time.Hour)} {
		f.markSlot(t, before, domain.SlotPrimary, domain.KeyRejected, at, false)
		f.wantProject(t, "after news about a key that was replaced", p)
		f.wantRecords(t, "after news about a key that was replaced")
	}
	f.markSlot(t, p, domain.SlotPrimary, domain.KeyRejected, f.clock.now(), true)
	p.Primary.Status = domain.KeyRejected
	f.wantProject(t, "after news about the key that replaced it", p)
	f.wantRecords(t, "after news about the key that replaced it")

	q := f.addNamed(t, "q")
	f.clock.advance(time.Hour)
	asked = f.clock.now()
	f.clock.advance(time.Minute)
	q = f.put(t, q, domain.SlotSecondary, otherKey(q))
	f.markSlot(t, q, domain.SlotPrimary, domain.KeyRejected, asked, true)
	q.Primary.Status, q.Primary.Checked = domain.KeyRejected, domain.Instant(asked)
	f.wantProject(t, "after news about the primary key from before the secondary was set", q)
	f.wantRecords(t, "after news about the primary key from before the secondary was set")

	// The same key may come back: then news about it counts again.
	q = f.put(t, q, domain.SlotPrimary, keyFor(projectID(404)))
	q = f.put(t, q, domain.SlotPrimary, keyOf(q))
	f.clock.advance(time.Second)
	q = f.markSlot(t, q, domain.SlotPrimary, domain.KeyRejected, f.clock.now(), true)
	f.wantProject(t, "after news about a key that came back", q)
	f.wantRecords(t, "after news about a key that came back")
}

func marksEmptySlot(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	for _, sealed := range []domain.Sealed{{}, otherKey(p), {Key: theKey}, {Key: "another", Bytes: keyOf(p).Bytes}, {Bytes: keyOf(p).Bytes}} {
		for _, status := range []domain.KeyStatus{domain.KeyOK, domain.KeyRejected} {
			err := markKey(t.Context(), f.Ports.Projects, p.ID, sealed, status, f.clock.now().Add(time.Hour), f.record(domain.ActionMarkKey, domain.OnProject(p.ID)))
			wantNil(t, "Note of a mark of a key that is in no slot", err)
		}
		for _, opens := range []bool{false, true} {
			err := markOpens(t.Context(), f.Ports.Projects, p.ID, sealed, opens, f.record(domain.ActionMarkKey, domain.OnProject(p.ID)))
			wantNil(t, "Note of whether a key opens that is in no slot", err)
		}
	}
	f.wantProject(t, "after marks of keys that are in no slot", p)
	f.wantRecords(t, "after marks of keys that are in no slot")
}

// mark notes whether the key of a project in the row opens, and keeps its record if changes.
func (f *fixture) mark(t *testing.T, what string, row domain.SealedRow, opens, changes bool) {
	t.Helper()
	rec := f.record(domain.ActionMarkKey, row.Ref.ID)
	wantNil(t, what+": Note", markOpens(t.Context(), f.Ports.Projects, domain.ProjectID(row.Ref.ID), row.Sealed, opens, rec))
	if changes {
		f.log = append(f.log, rec)
	}
	f.wantRecords(t, what+": after Note")
}

// opensMarked marks the keys of one project after the other, and lets them open in another
// order.
func opensMarked(t *testing.T, f *fixture) {
	p, other := f.addWithAll(t, "p"), f.addWithAll(t, "other")
	for range 2 {
		for _, slot := range domain.Slots() {
			what := "of the " + string(slot) + " key, which does not open"
			f.mark(t, what, ofSlot(p, slot), false, true)
			p = marked(p, slot, domain.KeyNeedsReentry)
			f.wantProject(t, what, p)
		}
		for _, slot := range domain.Slots() {
			what := "of the " + string(slot) + " key, which opens again"
			f.mark(t, what, ofSlot(p, slot), true, true)
			p = marked(p, slot, domain.KeyUnchecked)
			f.wantProject(t, what, p)
		}
		f.wantProject(t, "the project beside", other)
	}
}

func opensKnown(t *testing.T, f *fixture) {
	one, two, gone := f.addNamed(t, "one"), f.addWithAll(t, "two"), f.addNamed(t, "gone")
	f.remove(t, gone.ID)
	for _, opens := range []bool{false, true} {
		err := markOpens(t.Context(), f.Ports.Projects, gone.ID, keyOf(gone), opens, f.record(domain.ActionMarkKey, "gone"))
		wantKind(t, "Note of a project that is gone", err, domain.NotFound)
	}
	empty := ofProject(one)
	empty.Sealed = domain.Sealed{}
	another := ofProject(one)
	another.Sealed = keyOf(two)
	strange := map[string]domain.SealedRow{"of an empty slot": empty, "of another project's key": another}
	for _, slot := range domain.Slots() {
		bytes, key := ofSlot(two, slot), ofSlot(two, slot)
		bytes.Sealed.Bytes, key.Sealed.Key = []byte("other"), "other"
		strange["of other bytes than are in the slot "+string(slot)] = bytes
		strange["of another key than sealed the slot "+string(slot)] = key
	}
	stored := []domain.SealedRow{ofProject(one), ofSlot(two, domain.SlotPrimary), ofSlot(two, domain.SlotSecondary), ofSlot(two, domain.SlotPersonal)}
	want := func(what string) {
		t.Helper()
		f.wantProject(t, what, one)
		f.wantProject(t, what, two)
	}
	for _, known := range []bool{false, true} {
		for what, row := range strange {
			for _, opens := range []bool{false, true} {
				f.mark(t, what, row, opens, false)
			}
		}
		for _, row := range stored {
			f.mark(t, "of what is known", row, !known, false)
		}
		want("after Note of what does not exist, and of what is known")
		if known {
			break
		}
		for _, row := range stored {
			f.mark(t, "of a key that does not open", row, false, true)
		}
		one = marked(one, domain.SlotPrimary, domain.KeyNeedsReentry)
		for _, slot := range domain.Slots() {
			two = marked(two, slot, domain.KeyNeedsReentry)
		}
		want("after Note of keys that do not open")
	}
}
