package portstest

import (
	"fmt"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// otherKey returns what the suite stores as another sealed key of p.
func otherKey(p domain.Project) domain.Sealed {
	return domain.Sealed{Key: "4294967295", Bytes: []byte("\x00\x01\xff\xfe'\"\\\n sealed for " + p.ID + " later")}
}

// personalKey returns what the suite stores as the sealed personal key of p.
func personalKey(p domain.Project) domain.Sealed {
	return domain.Sealed{Key: "7", Bytes: []byte("\x00\xff personal of " + p.ID)}
}

// described returns the description of p.
func described(p domain.Project) domain.Description {
	return domain.Description{Name: p.Name, Platform: p.Platform}
}

// put puts a key into a slot at this moment and returns the project as it should be then.
func (f *fixture) put(t *testing.T, p domain.Project, slot domain.Slot, key domain.Sealed) domain.Project {
	t.Helper()
	at := f.clock.now()
	rec := f.record(domain.ActionSetToken, domain.OnSlot(p.ID, slot))
	stored, err := putKey(t.Context(), f.Ports.Projects, byOperator(rec), p.ID, slot, key, described(p), at)
	wantNil(t, "Update that puts a key", err)
	f.log = append(f.log, rec)
	p.PutKey(slot, key, at, at)
	wantSame(t, "what Update that puts a key returned", stored, p)
	return p
}

// wantProject fails the test unless p is found as it is, by whatever shows it.
func (f *fixture) wantProject(t *testing.T, what string, p domain.Project) {
	t.Helper()
	for _, ref := range []domain.ProjectRef{{ID: p.ID}, {Voiceflow: p.Voiceflow}, {Name: p.Name}} {
		got, err := f.Ports.Projects.Find(t.Context(), everything, ref)
		wantNil(t, what+": Find", err)
		wantSame(t, fmt.Sprintf("%s: Find of %+v", what, ref), got, []domain.Project{p})
	}
}

// wantProjectByID fails the test unless p is found by its id as it is.
func (f *fixture) wantProjectByID(t *testing.T, what string, p domain.Project) {
	t.Helper()
	got, err := f.Ports.Projects.Find(t.Context(), everything, domain.ProjectRef{ID: p.ID})
	wantNil(t, what+": Find", err)
	wantSame(t, what+": Find", got, []domain.Project{p})
}

func putKeyStores(t *testing.T, f *fixture) {
	p, beside := f.addNamed(t, "p"), f.addNamed(t, "q")
	const first, second, third = domain.SlotPrimary, domain.SlotSecondary, domain.SlotPersonal
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
		{"a personal key", third, personalKey(p), map[domain.Slot]domain.Sealed{first: another, second: key, third: personalKey(p)}},
		{"another personal key", third, key, map[domain.Slot]domain.Sealed{first: another, second: key, third: key}},
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

// putKeyRenames also marks what the new key makes untrue, and looks for the project in a list by
// its new name.
func putKeyRenames(t *testing.T, f *fixture) {
	p, q := f.addNamed(t, "a"), f.addNamed(t, "m")
	const user = domain.UserID("a host's user")
	f.grantScopes(t, user, p.ID, someScopes)
	f.grant(t, user, q.ID)
	p = f.put(t, p, domain.SlotSecondary, otherKey(p))
	p = f.put(t, p, domain.SlotPersonal, personalKey(p))
	for _, slot := range domain.Slots() {
		p = f.markSlot(t, p, slot, domain.KeyRejected, f.clock.now(), true)
	}
	f.clock.advance(time.Hour)
	for _, slot := range []domain.Slot{domain.SlotSecondary, domain.SlotPersonal, domain.SlotPrimary} {
		p.Name, p.Platform = "z'\"\\ ü in the "+string(slot), "platform of "+string(slot)
		p = f.put(t, p, slot, keyOf(p))
		f.wantProject(t, "after Update", p)
		f.wantSeen(t, "after another name", everything, q.ID, p.ID)
		f.wantSeen(t, "the user after another name", domain.GrantedTo(user), q.ID, p.ID)
		got, err := f.Ports.Projects.Find(t.Context(), domain.GrantedTo(user), domain.ProjectRef{Name: p.Name})
		wantNil(t, "Find by the new name within what is granted", err)
		wantSame(t, "Find by the new name within what is granted", got, []domain.Project{p})
	}
	f.wantGrants(t, "after another name", domain.GrantFilter{User: user, Project: p.ID},
		domain.NewGrant(user, p.ID, someScopes, q.Created))
	f.wantRecords(t, "after Update")
}

// deleteKeys empties slots. A key that is put there again later is not that of before, and what
// was found out about a deleted key is no news.
func deleteKeys(t *testing.T, f *fixture) {
	p, beside := f.addWithAll(t, "p"), f.addWithAll(t, "q")
	remove := func(slot domain.Slot) (domain.Project, error) {
		act := f.act(domain.ActionDeleteToken, domain.OnSlot(p.ID, slot))
		stored, err := f.Ports.Projects.Update(t.Context(), act, p.ID, func(p *domain.Project) error { return p.DeleteKey(slot) })
		if err == nil {
			f.log = append(f.log, act.Record)
		}
		return stored, err
	}
	left := map[domain.Slot]domain.Sealed{domain.SlotPrimary: keyOf(p), domain.SlotSecondary: otherKey(p), domain.SlotPersonal: personalKey(p)}
	for _, slot := range []domain.Slot{domain.SlotPersonal, domain.SlotSecondary} {
		what := "after Update that deletes the " + string(slot) + " key"
		was := p
		stored, err := remove(slot)
		wantNil(t, "Update that deletes the "+string(slot)+" key", err)
		wantNil(t, "DeleteKey", p.DeleteKey(slot))
		delete(left, slot)
		wantSame(t, "what it returned", stored, p)
		f.wantProject(t, what, p)
		f.wantKeys(t, what, p, left)
		f.wantSeen(t, what, everything, p.ID, beside.ID)
		f.wantRecords(t, what)
		_, err = remove(slot)
		wantKind(t, "Update that deletes the "+string(slot)+" key again", err, domain.NotFound)
		f.markSlot(t, was, slot, domain.KeyRejected, f.clock.now(), false)
		replaced, err := f.Ports.Sealings.Replace(t.Context(), []domain.Resealed{resealedBy(ofSlot(was, slot), "new")})
		wantNil(t, "Replace of a deleted key", err)
		wantSame(t, "Replace of a deleted key", replaced, 0)
		f.wantProject(t, "after Replace of a deleted key", p)
		f.wantKeys(t, "after Replace of a deleted key", p, left)
		f.wantRecords(t, what)
	}
	p = f.put(t, p, domain.SlotPersonal, otherKey(p))
	f.wantProject(t, "after another personal key", p)
	f.wantProject(t, "the project beside", beside)
	f.wantKeys(t, "of the project beside", beside, map[domain.Slot]domain.Sealed{
		domain.SlotPrimary: keyOf(beside), domain.SlotSecondary: otherKey(beside), domain.SlotPersonal: personalKey(beside),
	})
}

func putKeyUnknown(t *testing.T, f *fixture) {
	gone := f.addNamed(t, "gone")
	f.remove(t, gone.ID)
	for what, p := range map[string]domain.Project{"an id that never was": f.project("never"), "an id that was removed": gone} {
		_, err := putKey(t.Context(), f.Ports.Projects, f.act(domain.ActionSetToken, domain.OnProject(p.ID)), p.ID, domain.SlotPrimary, keyOf(p), described(p), f.clock.now())
		wantKind(t, "Update of "+what, err, domain.NotFound)
		_, err = keysIn(t.Context(), f.Ports.Projects, p.ID)
		wantKind(t, "the keys after Update of "+what, err, domain.NotFound)
	}
	f.wantSeen(t, "after Update of unknown ids", everything)
	f.wantRecords(t, "after Update of unknown ids")
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
		stored[i], errs[i] = putKey(t.Context(), at[i%len(at)].Ports.Projects, byOperator(recs[i]), p.ID, domain.SlotPrimary, key(i), as, now.Add(time.Duration(i)*time.Second))
	})
	for _, err := range errs {
		wantNil(t, "one of several Updates at the same instant", err)
	}
	f.wantRecordsInAnyOrder(t, "after Updates at the same instant", recs)
	got, err := f.Ports.Projects.Find(t.Context(), everything, domain.ProjectRef{ID: p.ID})
	wantNil(t, "Find after Updates at the same instant", err)
	for i := range stored {
		if len(got) == 1 && got[0].Equal(stored[i]) {
			f.wantProject(t, "after Updates at the same instant", stored[i])
			f.wantKey(t, "after Updates at the same instant", p, key(i))
			return
		}
	}
	t.Fatalf("after Updates at the same instant: got %+v, want what one of them stored", got)
}

func removeForgetsKeys(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	was := p
	p = f.put(t, p, domain.SlotSecondary, otherKey(p))
	f.put(t, p, domain.SlotPersonal, personalKey(p))
	f.remove(t, p.ID)
	_, err := keysIn(t.Context(), f.Ports.Projects, p.ID)
	wantKind(t, "the keys after Remove", err, domain.NotFound)
	f.add(t, was)
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
		wantNil(t, "Update", refresh(t.Context(), f.Ports.Projects, byOperator(rec), p.ID, as))
		f.log = append(f.log, rec)
		f.wantProject(t, "after Update", p)
		f.wantSeen(t, "after Update", everything, q.ID, p.ID)
		f.wantSeen(t, "the user after Update", domain.GrantedTo(user), q.ID, p.ID)
		f.wantRecords(t, "after Update")
	}
	f.wantKeys(t, "after Update", p, map[domain.Slot]domain.Sealed{domain.SlotPrimary: keyOf(p), domain.SlotSecondary: otherKey(p)})
}

func refreshNothing(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	nothing := func(*domain.Project) error { return nil }
	for what, change := range map[string]func(*domain.Project) error{
		"the description that it has": func(p *domain.Project) error {
			p.Describe(described(*p))
			return nil
		},
		"nothing": nothing,
		"what changed and was changed back": func(p *domain.Project) error {
			p.Name, p.Primary.Status = "other", domain.KeyRejected
			p.Name, p.Primary.Status = "p", domain.KeyOK
			return nil
		},
	} {
		stored, err := f.Ports.Projects.Update(t.Context(), f.act(domain.ActionRefreshProject, domain.OnProject(p.ID)), p.ID, change)
		wantNil(t, "Update with "+what, err)
		wantSame(t, "what Update with "+what+" returned", stored, p)
	}
	_, err := f.Ports.Projects.Update(t.Context(), f.act(domain.ActionRefreshProject, domain.OnProject(projectID(404))), projectID(404), nothing)
	wantKind(t, "Update of an unknown id", err, domain.NotFound)
	f.wantProject(t, "after Updates that alter nothing", p)
	f.wantRecords(t, "after Updates that alter nothing")
}

// updateOthers alters all that Update does not store, beside what it does.
func updateOthers(t *testing.T, f *fixture) {
	p, beside := f.addNamed(t, "p"), f.addNamed(t, "beside")
	act := f.act(domain.ActionSetToken, domain.OnProject(p.ID))
	f.clock.advance(time.Hour)
	stored, err := f.Ports.Projects.Update(t.Context(), act, p.ID, func(p *domain.Project) error {
		p.ID, p.Voiceflow, p.Version = beside.ID, beside.Voiceflow, beside.Version
		p.Created, p.VoiceflowCreated = f.clock.now(), f.clock.now()
		p.Credits = domain.CreditsUsedUp
		return nil
	})
	wantNil(t, "Update of everything", err)
	f.log = append(f.log, act.Record)
	p.Credits = domain.CreditsUsedUp
	wantSame(t, "what Update of everything returned", stored, p)
	f.wantProject(t, "after Update of everything", p)
	f.wantProject(t, "the project beside", beside)
	f.wantRecords(t, "after Update of everything")
}

// updateFails refuses after it has altered the project, with errors of every sort.
func updateFails(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	for _, refusal := range []error{errRefused, &domain.Error{Kind: domain.Conflict, Public: "no"}, &domain.Error{Kind: domain.NotFound, Public: "no"}} {
		var seen domain.Project
		_, err := f.Ports.Projects.Update(t.Context(), f.act(domain.ActionSetToken, "p"), p.ID, func(p *domain.Project) error {
			seen = *p
			p.PutKey(domain.SlotSecondary, otherKey(*p), f.clock.now(), f.clock.now())
			p.Name = "other"
			return refusal
		})
		if err != refusal { //nolint:errorlint // the very error
			t.Fatalf("Update whose change fails: got error %v, want %v", err, refusal)
		}
		wantSame(t, "the project that change is given", seen, p)
	}
	f.wantProject(t, "after Updates whose change failed", p)
	f.wantRecords(t, "after Updates whose change failed")
}

// updatesAddUp alters parts of one project at the same instant: an adapter that reads before
// it locks loses some.
func updatesAddUp(t *testing.T, f *fixture) {
	at := f.instances(t)
	for range rounds {
		p := f.addNamed(t, "p")
		later := domain.Instant(f.clock.now().Add(time.Minute))
		acts := []domain.Act{f.act(domain.ActionSetToken, "key"), f.act(domain.ActionRefreshProject, "name")}
		notes := []domain.Record{f.record(domain.ActionMarkKey, "primary"), f.record(domain.ActionMarkCredits, "credits")}
		errs := make([]error, 4)
		atOnce(len(errs), func(i int) {
			view := at[i%len(at)].Ports.Projects
			switch i {
			case 0:
				_, errs[i] = view.Update(t.Context(), acts[0], p.ID, func(p *domain.Project) error {
					linger()
					p.PutKey(domain.SlotSecondary, otherKey(*p), later, later)
					return nil
				})
			case 1:
				errs[i] = refresh(t.Context(), view, acts[1], p.ID, domain.Description{Name: "renamed", Platform: "alexa"})
			case 2:
				errs[i] = markKey(t.Context(), view, p.ID, keyOf(p), domain.KeyRejected, later, notes[0])
			default:
				errs[i] = markCredits(t.Context(), view, p.ID, domain.CreditsUsedUp, notes[1])
			}
		})
		for _, err := range errs {
			wantNil(t, "one of several changes of parts of a project at the same instant", err)
		}
		p.PutKey(domain.SlotSecondary, otherKey(p), later, later)
		p.Primary.Status, p.Primary.Checked = domain.KeyRejected, later
		p.Name, p.Platform, p.Credits = "renamed", "alexa", domain.CreditsUsedUp
		f.wantRecordsInAnyOrder(t, "after changes at the same instant", []domain.Record{acts[0].Record, acts[1].Record, notes[0], notes[1]})
		f.wantProjectByID(t, "after changes of parts of it at the same instant", p)
	}
}
