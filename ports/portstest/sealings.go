package portstest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// Sealings checks every sentence in the comments of ports.Sealings. It needs Sealings and
// Records of the Store, and, since something has to be sealed, says nothing without
// Projects, Sessions, Conversations, Installation and AuditLog. That logins and access tokens count
// is checked where it has Users and AccessTokens.
func Sealings(t *testing.T, open OpenStore) {
	const all = projects | sessions | conversations | installation | auditLog
	check(t, open, sealings, []sentence{
		{"Page returns everything that is sealed, in the order of the places", all, sealedPage},
		{"Page returns at most limit rows, and goes on behind the place", all, sealedPages},
		{"Page leaves out what except has sealed", all, sealedExcept},
		{"Page leaves out conversations that are over", all, sealedOver},
		{"Page of nothing is no error", 0, sealedNothing},
		{"Replace puts To in the place of From, and returns in how many rows", all, replaceReplaces},
		{"Replace passes over rows that are gone or in which something else is stored by now", all, replaceLate},
		{"of several Replaces of the same rows at the same instant one wins each row", all, replaceAtOnce},
		{"no Replace overwrites what a Renew stores at the same instant", all, replaceRace},
		{"Forget forgets conversations whose session key is still there, and returns how many", all, forgetForgets},
		{"Mark records that a key does not open, and that it opens again", all, markMarks},
		{"Mark changes nothing where that is known, where another key is stored or none, and for other kinds", all, markNothing},
		{"ToReenter returns how many slots are marked", all, toReenter},
		{"Uses returns the rows that each key has sealed", all, usesRows},
		{"Uses returns the sessions and conversations that go on, by who sealed them", all | users | accessTokens, usesSessions},
		{"EndSealedBy ends the sessions of the key with what is under them, and forgets its conversations", all | users | accessTokens, endSealedBy},
		{"EndSealedBy without handles forgets no conversation of the key", all | users | accessTokens, endSealedByLeavesHandles},
		{"EndSealedBy of a key without sessions succeeds and changes nothing", all | users, endSealedByNone},
		{"Replace and Forget keep no record", all, sealingsRecords},
		{"what one instance writes another sees at once", all, sealingsElsewhere},
		{"arguments are neither kept nor modified, and results are the caller's own", all, sealingsArguments},
		{"an outage and an ended context are Unavailable, and change nothing", all, sealingsUnavailable},
		{"all methods are safe for concurrent use", all, sealingsConcurrent},
	})
}

// theKey has sealed the projects' keys and the session keys of this suite.
const theKey = domain.KeyID("1886453126")

// sealedAgain is s as another key has sealed it, or the same key anew.
func sealedAgain(s domain.Sealed, key domain.KeyID) domain.Sealed {
	return domain.Sealed{Key: key, Bytes: append([]byte("\x00\xffagain "+key), s.Bytes...)}
}

func ofProject(p domain.Project) domain.SealedRow { return ofSlot(p, domain.SlotPrimary) }

// ofSlot has the key of that slot that the suite stores: otherKey in the secondary one.
func ofSlot(p domain.Project, slot domain.Slot) domain.SealedRow {
	key := keyOf(p)
	if slot == domain.SlotSecondary {
		key = otherKey(p)
	}
	return domain.SealedRow{
		Ref: domain.SealedRef{Kind: domain.SealedProjectKey, ID: string(p.ID), Slot: slot}, Sealed: key, Name: p.Name, Status: p.Status(slot),
	}
}

// addWithTwo stores a project with a key in each slot.
func (f *fixture) addWithTwo(t *testing.T, name string) domain.Project {
	t.Helper()
	p := f.addNamed(t, name)
	return f.put(t, p, domain.SlotSecondary, otherKey(p))
}

func ofConversation(c domain.Conversation) domain.SealedRow {
	return domain.SealedRow{Ref: domain.SealedRef{Kind: domain.SealedConversation, ID: string(c.ID)}, Sealed: c.Key}
}

// install stores an installation of its own and returns its rows.
func (f *fixture) install(t *testing.T) []domain.SealedRow {
	t.Helper()
	is := installationOf(f.next())
	wantNil(t, "preparing: Installation.Prepare", f.Installation.Prepare(t.Context(),
		func(domain.Installation) (domain.Installation, error) { return is, nil }))
	return []domain.SealedRow{
		{Ref: domain.SealedRef{Kind: domain.SealedKnownValue}, Sealed: is.Known},
		{Ref: domain.SealedRef{Kind: domain.SealedPseudonymKey}, Sealed: is.Pseudonyms},
	}
}

// sealedEverything stores something of every kind and returns the rows in their order.
// What is known of keys is not the same in both slots.
func (f *fixture) sealedEverything(t *testing.T) []domain.SealedRow {
	t.Helper()
	rows := f.install(t)
	for i, name := range []string{"Tico", "tico", "Ångström '; --"} {
		p := f.addNamed(t, name)
		if i > 0 {
			p = f.put(t, p, domain.SlotSecondary, otherKey(p))
			failing := domain.Slots()[i-1]
			f.markSlot(t, p, failing, domain.KeyRejected, f.clock.now(), true)
			p = p.Marked(failing, domain.KeyRejected)
			rows = append(rows, ofSlot(p, domain.SlotSecondary))
		}
		s := f.session(t, p.ID)
		rows = append(rows, ofProject(p), ofConversation(f.converse(t, f.conversing(s))), ofConversation(f.converse(t, f.conversing(s))))
	}
	chainAll(t, f.AuditLog)
	head, err := f.AuditLog.Head(t.Context())
	wantNil(t, "preparing: AuditLog.Head", err)
	rows = append(rows, domain.SealedRow{Ref: domain.SealedRef{Kind: domain.SealedAuditHead}, Sealed: head.Sealed})
	slices.SortFunc(rows, func(a, b domain.SealedRow) int { return a.Ref.Compare(b.Ref) })
	return rows
}

// wantSealed fails the test unless these rows are all that is sealed.
func (f *fixture) wantSealed(t *testing.T, what string, want []domain.SealedRow) {
	t.Helper()
	got, err := f.Sealings.Page(t.Context(), "", domain.SealedRef{}, 1000)
	wantNil(t, what+": Page", err)
	wantSame(t, what+": everything that is sealed", got, want)
}

// anew is the row sealed by another key.
func anew(r domain.SealedRow, key domain.KeyID) domain.Resealed {
	return domain.Resealed{Ref: r.Ref, From: r.Sealed, To: sealedAgain(r.Sealed, key)}
}

func allAnew(rows []domain.SealedRow, key domain.KeyID) []domain.Resealed {
	all := make([]domain.Resealed, len(rows))
	for i, r := range rows {
		all[i] = anew(r, key)
	}
	return all
}

func (f *fixture) replaced(t *testing.T, what string, rows []domain.Resealed, want int) {
	t.Helper()
	n, err := f.Sealings.Replace(t.Context(), rows)
	wantNil(t, what+": Replace", err)
	wantSame(t, what+": how many rows Replace replaced", n, want)
}

func sealedPage(t *testing.T, f *fixture) {
	f.wantSealed(t, "of everything", f.sealedEverything(t))
}

func sealedPages(t *testing.T, f *fixture) {
	rows := f.sealedEverything(t)
	for limit := 0; limit <= len(rows)+1; limit++ {
		after := domain.SealedRef{}
		for left := rows; ; {
			got, err := f.Sealings.Page(t.Context(), "", after, limit)
			wantNil(t, "Page", err)
			n := min(limit, len(left))
			wantSame(t, fmt.Sprintf("the rows behind %+v, at most %d", after, limit), got, left[:n])
			if n == 0 {
				break
			}
			after, left = got[n-1].Ref, left[n:]
		}
	}
	behind := slices.IndexFunc(rows, func(r domain.SealedRow) bool { return r.Ref.Kind == domain.SealedProjectKey })
	got, err := f.Sealings.Page(t.Context(), "", domain.BeforeProjectKeys, 1000)
	wantNil(t, "Page behind BeforeProjectKeys", err)
	wantSame(t, "what comes behind BeforeProjectKeys", got, rows[behind:])
}

// sealedExcept has every second row sealed anew.
func sealedExcept(t *testing.T, f *fixture) {
	rows := f.sealedEverything(t)
	var others []domain.SealedRow
	for i, r := range rows {
		if i%2 == 0 {
			f.replaced(t, "preparing", []domain.Resealed{anew(r, "new")}, 1)
		} else {
			others = append(others, r)
		}
	}
	for _, limit := range []int{1, 2, 1000} {
		var all []domain.SealedRow
		for after := (domain.SealedRef{}); ; {
			got, err := f.Sealings.Page(t.Context(), "new", after, limit)
			wantNil(t, "Page", err)
			if all = append(all, got...); len(got) == 0 {
				break
			}
			after = got[len(got)-1].Ref
		}
		wantSame(t, fmt.Sprintf("the rows that another key has sealed, %d at a time", limit), all, others)
	}
}

func sealedOver(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	s := f.session(t, p.ID)
	c, over := f.converse(t, f.conversing(s)), f.conversing(s)
	over.Expires = over.Created.Add(time.Minute)
	f.converse(t, over)
	f.clock.set(over.Expires.Add(-time.Microsecond))
	f.wantSealed(t, "just before a conversation is over", []domain.SealedRow{ofConversation(c), ofConversation(over), ofProject(p)})
	f.clock.set(over.Expires)
	f.wantSealed(t, "when a conversation is over", []domain.SealedRow{ofConversation(c), ofProject(p)})
}

func sealedNothing(t *testing.T, f *fixture) {
	f.wantSealed(t, "of nothing", nil)
	n, err := f.Sealings.ToReenter(t.Context())
	wantNil(t, "ToReenter", err)
	wantSame(t, "ToReenter of nothing", n, 0)
}

func replaceReplaces(t *testing.T, f *fixture) {
	rows := f.sealedEverything(t)
	f.replaced(t, "of nothing", nil, 0)
	for _, part := range [][]domain.SealedRow{rows[:1], rows[2:5], rows} {
		again := allAnew(part, domain.KeyID(fmt.Sprintf("key %d", f.next())))
		slices.Reverse(again) // the order is the adapter's own affair
		f.replaced(t, "of what is there", again, len(part))
		for i := range part {
			part[i].Sealed = again[len(part)-1-i].To
		}
		f.wantSealed(t, "after Replace", rows)
	}
	for _, r := range rows {
		if r.Ref.Kind == domain.SealedProjectKey {
			keys, err := f.Projects.Keys(t.Context(), domain.ProjectID(r.Ref.ID))
			wantNil(t, "Projects.Keys", err)
			wantSame(t, "the key as Projects has it", keys[r.Ref.Slot], r.Sealed)
		}
	}
}

func replaceLate(t *testing.T, f *fixture) {
	rows := f.sealedEverything(t)
	gone := f.addNamed(t, "gone")
	c := f.converse(t, f.conversing(f.session(t, gone.ID)))
	late := []domain.SealedRow{ofProject(gone), ofConversation(c), {Ref: domain.SealedRef{Kind: "no such kind"}, Sealed: none}}
	other := ofProject(gone)
	other.Ref.Slot = "other"
	late = append(late, other)
	f.remove(t, gone.ID)
	for _, r := range rows {
		sameBytes, sameKey := r, r
		sameBytes.Sealed.Key, sameKey.Sealed.Bytes = "other", []byte("other")
		late = append(late, sameBytes, sameKey)
	}
	f.replaced(t, "of what is not there", allAnew(late, "new"), 0)
	f.wantSealed(t, "after Replace of what is not there", rows)
	for i := range rows { // one at a time, beside all those that are not there
		f.replaced(t, "beside what is not there", append(allAnew(late, "late"), anew(rows[i], "new")), 1)
		rows[i].Sealed = sealedAgain(rows[i].Sealed, "new")
		f.wantSealed(t, "after Replace beside what is not there", rows)
	}
}

func replaceAtOnce(t *testing.T, f *fixture) {
	at := f.instances(t)
	rows := f.sealedEverything(t)
	const n = 8
	for range rounds / 4 {
		won, errs := make([]int, n), make([]error, n)
		atOnce(n, func(i int) {
			mine := allAnew(rows, domain.KeyID(fmt.Sprintf("key-%d", i)))
			if i%2 == 0 {
				slices.Reverse(mine)
			}
			won[i], errs[i] = at[i%len(at)].Sealings.Replace(t.Context(), mine)
		})
		total := 0
		for i, err := range errs {
			wantNil(t, fmt.Sprintf("one of %d Replaces at the same instant", n), err)
			total += won[i]
		}
		wantSame(t, fmt.Sprintf("how many rows %d Replaces of the same have replaced", n), total, len(rows))
		got, err := f.Sealings.Page(t.Context(), "", domain.SealedRef{}, 1000)
		wantNil(t, "Page", err)
		wantSame(t, "how many rows there are then", len(got), len(rows))
		for i := range got {
			wantSame(t, "a row that was replaced once", got[i].Sealed, sealedAgain(rows[i].Sealed, got[i].Sealed.Key))
		}
		rows = got
	}
}

func replaceRace(t *testing.T, f *fixture) {
	at := f.instances(t)
	p := f.addNamed(t, "p")
	s := f.session(t, p.ID)
	for range rounds {
		c := f.converse(t, f.conversing(s))
		newer := sessionKey(f.next())
		var renewed domain.Sealed
		errs := make([]error, 2)
		atOnce(2, func(i int) {
			if i == 0 {
				_, errs[0] = at[0].Sealings.Replace(t.Context(), []domain.Resealed{anew(ofConversation(c), "new")})
				return
			}
			for renewed.Key != newer.Key || string(renewed.Bytes) != string(newer.Bytes) {
				from := cmpOr(renewed, c.Key)
				if renewed, errs[1] = at[len(at)-1].Conversations.Renew(t.Context(), c.ID, from, newer); errs[1] != nil {
					return
				}
			}
		})
		wantNil(t, "Replace beside a Renew", errs[0])
		wantNil(t, "Renew beside a Replace", errs[1])
		c.Key = newer
		f.wantConversation(t, "after a Renew beside a Replace", c)
	}
}

// cmpOr is a, or b where a is zero.
func cmpOr(a, b domain.Sealed) domain.Sealed {
	if a.IsZero() {
		return b
	}
	return a
}

func forgetForgets(t *testing.T, f *fixture) {
	rows := f.sealedEverything(t)
	other := slices.Clone(rows)
	for i := range other {
		other[i].Sealed.Bytes = []byte("other")
	}
	n, err := f.Sealings.Forget(t.Context(), other)
	wantNil(t, "Forget", err)
	wantSame(t, "how many were forgotten of which another key is stored", n, 0)
	f.wantSealed(t, "after Forget of what is not there", rows)

	n, err = f.Sealings.Forget(t.Context(), rows)
	wantNil(t, "Forget", err)
	left := slices.DeleteFunc(slices.Clone(rows), func(r domain.SealedRow) bool { return r.Ref.Kind == domain.SealedConversation })
	wantSame(t, "how many conversations were forgotten", n, len(rows)-len(left))
	f.wantSealed(t, "after Forget", left)
	n, err = f.Sealings.Forget(t.Context(), rows)
	wantNil(t, "Forget again", err)
	wantSame(t, "how many conversations were forgotten again", n, 0)
}

// mark is a Mark that keeps its record if changes.
func (f *fixture) mark(t *testing.T, what string, row domain.SealedRow, opens, changes bool) {
	t.Helper()
	rec := f.record(domain.ActionMarkKey, row.Ref.ID)
	wantNil(t, what+": Mark", f.Sealings.Mark(t.Context(), row, opens, rec))
	if changes {
		f.log = append(f.log, rec)
	}
	f.wantRecords(t, what+": after Mark")
}

// markMarks marks the keys of one project after the other, and lets them open in another
// order.
func markMarks(t *testing.T, f *fixture) {
	p, other := f.addWithTwo(t, "p"), f.addWithTwo(t, "other")
	for range 2 {
		for _, slot := range domain.Slots() {
			what := "of the " + string(slot) + " key, which does not open"
			f.mark(t, what, ofSlot(p, slot), false, true)
			p = p.Marked(slot, domain.KeyNeedsReentry)
			f.wantProject(t, what, p)
		}
		for _, slot := range domain.Slots() {
			what := "of the " + string(slot) + " key, which opens again"
			f.mark(t, what, ofSlot(p, slot), true, true)
			p = p.Marked(slot, domain.KeyUnchecked)
			f.wantProject(t, what, p)
		}
		f.wantProject(t, "the project beside", other)
	}
}

func markNothing(t *testing.T, f *fixture) {
	one, two, gone := f.addNamed(t, "one"), f.addWithTwo(t, "two"), f.addNamed(t, "gone")
	c := f.converse(t, f.conversing(f.session(t, one.ID)))
	f.remove(t, gone.ID)
	empty := ofProject(one)
	empty.Ref.Slot = domain.SlotSecondary
	strange := map[string]domain.SealedRow{
		"of an empty slot": empty, "of a project that is gone": ofProject(gone), "of a conversation": ofConversation(c),
	}
	for i, slot := range domain.Slots() {
		bytes, key, swapped := ofSlot(two, slot), ofSlot(two, slot), ofSlot(two, slot)
		bytes.Sealed.Bytes, key.Sealed.Key = []byte("other"), "other"
		swapped.Ref.Slot = domain.Slots()[1-i]
		strange["of other bytes than are in the slot "+string(slot)] = bytes
		strange["of another key than sealed the slot "+string(slot)] = key
		strange["of what is in the slot "+string(slot)+" and not in the other"] = swapped
	}
	stored := []domain.SealedRow{ofProject(one), ofSlot(two, domain.SlotPrimary), ofSlot(two, domain.SlotSecondary)}
	want := func(what string) {
		t.Helper()
		f.wantProject(t, what, one)
		f.wantProject(t, what, two)
	}
	for _, marked := range []bool{false, true} {
		for what, row := range strange {
			for _, opens := range []bool{false, true} {
				f.mark(t, what, row, opens, false)
			}
		}
		for _, row := range stored {
			f.mark(t, "of what is known", row, !marked, false)
		}
		want("after Mark of what is not there, and of what is known")
		if marked {
			break
		}
		for _, row := range stored {
			f.mark(t, "of a key that does not open", row, false, true)
		}
		one = one.Marked(domain.SlotPrimary, domain.KeyNeedsReentry)
		two = two.Marked(domain.SlotPrimary, domain.KeyNeedsReentry).Marked(domain.SlotSecondary, domain.KeyNeedsReentry)
		want("after Mark of keys that do not open")
	}
}

func toReenter(t *testing.T, f *fixture) {
	a, b, c := f.addNamed(t, "a"), f.addWithTwo(t, "b"), f.addWithTwo(t, "c")
	want := func(what string, n int) {
		t.Helper()
		got, err := f.Sealings.ToReenter(t.Context())
		wantNil(t, what+": ToReenter", err)
		wantSame(t, what+": ToReenter", got, n)
	}
	want("of keys that all open", 0)
	for i, row := range []domain.SealedRow{
		ofProject(a), ofSlot(b, domain.SlotSecondary), ofSlot(b, domain.SlotPrimary), ofSlot(c, domain.SlotSecondary),
	} {
		f.mark(t, "preparing", row, false, true)
		want("of keys some of which do not open", i+1)
	}
	f.mark(t, "preparing", ofSlot(b, domain.SlotPrimary), true, true)
	want("when one opens again", 3)
	f.remove(t, b.ID)
	want("when a project is gone", 2)
}

// wantUses fails the test unless these are the uses.
func (f *fixture) wantUses(t *testing.T, what string, want map[domain.KeyID]domain.KeyUse) {
	t.Helper()
	got, err := f.Sealings.Uses(t.Context())
	wantNil(t, what+": Uses", err)
	wantSame(t, what+": the uses of keys", got, want)
}

func usesRows(t *testing.T, f *fixture) {
	rows := f.sealedEverything(t)
	want := map[domain.KeyID]domain.KeyUse{"": {Logins: 3, Handles: 6}}
	for _, r := range rows {
		use := want[r.Sealed.Key]
		use.Rows++
		want[r.Sealed.Key] = use
	}
	f.wantUses(t, "of everything", want)
	f.replaced(t, "preparing", allAnew(rows, "new"), len(rows))
	want = map[domain.KeyID]domain.KeyUse{"": want[""], "new": {Rows: len(rows)}}
	f.wantUses(t, "after all was sealed anew", want)
	c := rows[slices.IndexFunc(rows, func(r domain.SealedRow) bool { return r.Ref.Kind == domain.SealedConversation })]
	_, err := f.Sealings.Forget(t.Context(), []domain.SealedRow{{Ref: c.Ref, Sealed: sealedAgain(c.Sealed, "new")}})
	wantNil(t, "preparing: Forget", err)
	want[""], want["new"] = domain.KeyUse{Logins: 3, Handles: 5}, domain.KeyUse{Rows: len(rows) - 1}
	f.wantUses(t, "after a conversation was forgotten", want)
}

// signedIn is a world of sessions: of two keys each a login with an assistant session of
// the other key under it, a host's session, and conversations of those and of a token.
type signedIn struct {
	project   domain.Project
	logins    map[domain.KeyID]domain.Session
	under     map[domain.KeyID]domain.Session // of the login of that key
	hosted    map[domain.KeyID]domain.Session
	ofSession map[domain.KeyID]domain.Conversation // in the hosted session of that key, with a handle of it
	ofToken   map[domain.KeyID]domain.Conversation
}

func (f *fixture) signIn(t *testing.T, keys ...domain.KeyID) signedIn {
	t.Helper()
	w := signedIn{
		project: f.addNamed(t, "p"), logins: map[domain.KeyID]domain.Session{}, under: map[domain.KeyID]domain.Session{},
		hosted: map[domain.KeyID]domain.Session{}, ofSession: map[domain.KeyID]domain.Conversation{}, ofToken: map[domain.KeyID]domain.Conversation{},
	}
	u := f.member(t, "ana", w.project.ID)
	token := f.issue(t, f.token(u.ID, w.project.ID, domain.DefaultScopes()))
	for i, key := range keys {
		login := f.newLogin(u.ID)
		login.SealedBy = key
		rec := f.record(domain.ActionLogin, domain.OnSession(login.ID))
		wantNil(t, "preparing: Sessions.OpenLogin", f.Sessions.OpenLogin(t.Context(), login, u.PasswordHash, rec))
		f.log = append(f.log, rec)
		w.logins[key] = login

		under := f.under(login, w.project.ID)
		under.SealedBy = keys[(i+1)%len(keys)]
		w.under[key] = f.set(t, under)

		hosted := f.hosted(u.ID, w.project.ID)
		hosted.SealedBy = key
		w.hosted[key] = f.set(t, hosted)

		inSession, byToken := f.conversation(w.hosted[key], domain.AccessToken{}), f.conversation(domain.Session{}, token)
		inSession.HandleSealedBy, byToken.HandleSealedBy = key, key
		w.ofSession[key], w.ofToken[key] = f.converse(t, inSession), f.converse(t, byToken)
	}
	return w
}

func usesSessions(t *testing.T, f *fixture) {
	w := f.signIn(t, "one", "two", "")
	each := domain.KeyUse{Logins: 3, Handles: 2} // a login, the session under another, and a host's
	rows := domain.KeyUse{Rows: 7}
	f.wantUses(t, "of sessions that all go on", map[domain.KeyID]domain.KeyUse{"one": each, "two": each, "": each, theKey: rows})
	f.end(t, w.hosted["one"].ID)
	f.wantUses(t, "when a session with a conversation has ended", map[domain.KeyID]domain.KeyUse{
		"one": {Logins: 2, Handles: 1}, "two": each, "": each, theKey: rows,
	})
	f.clock.set(w.hosted["two"].Idle)
	f.wantUses(t, "when all sessions are over, and no conversation", map[domain.KeyID]domain.KeyUse{
		"one": {Handles: 1}, "two": {Handles: 1}, "": {Handles: 1}, theKey: rows,
	})
	f.clock.set(w.ofToken["two"].Expires)
	f.wantUses(t, "when all is over", map[domain.KeyID]domain.KeyUse{theKey: {Rows: 1}})
}

// endSealedBy has the session of the key two under the login of one, and so on: under the
// login of "" is a session of one.
func endSealedBy(t *testing.T, f *fixture) {
	w := f.signIn(t, "one", "two", "")
	end := func(key domain.KeyID, want domain.KeyUse) {
		t.Helper()
		rec := f.record(domain.ActionEndSessions, domain.OnKey(key))
		got, err := f.Sealings.EndSealedBy(t.Context(), key, true, rec)
		wantNil(t, "EndSealedBy", err)
		wantSame(t, "what EndSealedBy returned", got, want)
		f.log = append(f.log, rec)
		f.wantRecords(t, "after EndSealedBy")
	}
	end("one", domain.KeyUse{Logins: 3, Handles: 2})
	f.wantOver(t, "after EndSealedBy of one", w.logins["one"], w.under["one"], w.hosted["one"], w.under[""])
	f.wantLive(t, "after EndSealedBy of one", w.logins["two"], w.under["two"], w.hosted["two"], w.logins[""], w.hosted[""])
	f.wantNoConversation(t, "after EndSealedBy of one", w.ofSession["one"], w.ofToken["one"])
	f.wantConversation(t, "after EndSealedBy of one", w.ofSession["two"], w.ofToken["two"], w.ofSession[""], w.ofToken[""])
	end("", domain.KeyUse{Logins: 3, Handles: 2})
	f.wantOver(t, `after EndSealedBy of ""`, w.logins[""], w.under["two"], w.hosted[""])
	f.wantLive(t, `after EndSealedBy of ""`, w.logins["two"], w.hosted["two"])
	f.wantNoConversation(t, `after EndSealedBy of ""`, w.ofSession[""], w.ofToken[""])
	f.wantConversation(t, `after EndSealedBy of ""`, w.ofSession["two"], w.ofToken["two"])
	f.wantUses(t, "after two EndSealedBy", map[domain.KeyID]domain.KeyUse{"two": {Logins: 2, Handles: 2}, theKey: {Rows: 3}})

	// One that ends with its login is counted where the key is its own too.
	under := f.under(w.logins["two"], w.project.ID)
	under.SealedBy = "two"
	f.set(t, under)
	end("two", domain.KeyUse{Logins: 3, Handles: 2})
	f.wantUses(t, "after the last", map[domain.KeyID]domain.KeyUse{theKey: {Rows: 1}})
}

func endSealedByLeavesHandles(t *testing.T, f *fixture) {
	w := f.signIn(t, "one", "two")
	rec := f.record(domain.ActionEndSessions, domain.OnKey("one"))
	got, err := f.Sealings.EndSealedBy(t.Context(), "one", false, rec)
	wantNil(t, "EndSealedBy", err)
	wantSame(t, "what EndSealedBy returned", got, domain.KeyUse{Logins: 3})
	f.log = append(f.log, rec)
	f.wantRecords(t, "after EndSealedBy")
	f.wantOver(t, "after EndSealedBy", w.logins["one"], w.hosted["one"])
	f.wantLive(t, "after EndSealedBy", w.logins["two"], w.hosted["two"])
	f.wantConversation(t, "after EndSealedBy", w.ofToken["one"], w.ofToken["two"], w.ofSession["two"])
}

func endSealedByNone(t *testing.T, f *fixture) {
	u := f.member(t, "ana")
	s := f.login(t, u)
	none := func(key domain.KeyID) {
		t.Helper()
		got, err := f.Sealings.EndSealedBy(t.Context(), key, true, f.record(domain.ActionEndSessions, "k"))
		wantNil(t, "EndSealedBy", err)
		wantSame(t, "what EndSealedBy returned", got, domain.KeyUse{})
	}
	none("one")
	none(theKey)
	f.wantLive(t, "after EndSealedBy of keys that sealed nothing", s)
	f.clock.set(s.Idle)
	none("")
	f.wantRecords(t, "after EndSealedBy of nothing that goes on")
}

func sealingsRecords(t *testing.T, f *fixture) {
	rows := f.sealedEverything(t)
	f.replaced(t, "of everything", allAnew(rows, "new"), len(rows))
	for i := range rows {
		rows[i].Sealed = sealedAgain(rows[i].Sealed, "new")
	}
	_, err := f.Sealings.Forget(t.Context(), rows)
	wantNil(t, "Forget", err)
	f.wantRecords(t, "after Replace and Forget")
}

func sealingsElsewhere(t *testing.T, f *fixture) {
	at := f.instances(t)
	rows := f.sealedEverything(t)
	for i, key := range []domain.KeyID{"one", "two", "three"} {
		n, err := at[i%len(at)].Sealings.Replace(t.Context(), allAnew(rows, key))
		wantNil(t, "Replace", err)
		wantSame(t, "how many rows were replaced that another instance replaced before", n, len(rows))
		for i := range rows {
			rows[i].Sealed = sealedAgain(rows[i].Sealed, key)
		}
		got, err := at[(i+1)%len(at)].Sealings.Page(t.Context(), "", domain.SealedRef{}, 1000)
		wantNil(t, "Page", err)
		wantSame(t, "what another instance has replaced", got, rows)
	}
}

func sealingsArguments(t *testing.T, f *fixture) {
	rows := f.sealedEverything(t)
	slices.Reverse(rows)
	handed, kept := allAnew(rows, "new"), allAnew(rows, "new")
	f.replaced(t, "of everything", handed, len(rows))
	wantSame(t, "the rows that were handed to Replace, afterwards", handed, kept)
	for _, r := range handed {
		clear(r.To.Bytes)
	}
	for i := range rows {
		rows[i].Sealed = kept[i].To
	}
	slices.Reverse(rows)
	f.wantSealed(t, "after the caller cleared the bytes that it had handed to Replace", rows)
	got, err := f.Sealings.Page(t.Context(), "", domain.SealedRef{}, 1000)
	wantNil(t, "Page", err)
	for _, r := range got {
		clear(r.Sealed.Bytes)
	}
	f.wantSealed(t, "after the caller cleared the bytes that Page had returned", rows)
}

func sealingsUnavailable(t *testing.T, f *fixture) {
	rows := f.sealedEverything(t)
	p, err := f.Projects.Find(t.Context(), everything, domain.ProjectRef{Name: "Tico"})
	wantNil(t, "Find", err)
	f.wantUnavailable(t, func(t *testing.T) {
		f.wantSealed(t, "after calls under ended contexts", rows)
		f.wantRecords(t, "after calls under ended contexts")
	},
		call{"Page", func(ctx context.Context) error {
			_, err := f.Sealings.Page(ctx, "", domain.SealedRef{}, 10)
			return err
		}},
		call{"Replace", func(ctx context.Context) error {
			_, err := f.Sealings.Replace(ctx, allAnew(rows, "new"))
			return err
		}},
		call{"Forget", func(ctx context.Context) error {
			_, err := f.Sealings.Forget(ctx, rows)
			return err
		}},
		call{"Mark", func(ctx context.Context) error {
			return f.Sealings.Mark(ctx, ofProject(p[0]), false, f.record(domain.ActionMarkKey, "p"))
		}},
		call{"ToReenter", func(ctx context.Context) error {
			_, err := f.Sealings.ToReenter(ctx)
			return err
		}},
		call{"Uses", func(ctx context.Context) error {
			_, err := f.Sealings.Uses(ctx)
			return err
		}},
		call{"EndSealedBy", func(ctx context.Context) error {
			_, err := f.Sealings.EndSealedBy(ctx, "", true, f.record(domain.ActionEndSessions, "k"))
			return err
		}},
	)
}

// sealingsConcurrent lets every caller find exactly what they left, whatever others do.
func sealingsConcurrent(t *testing.T, f *fixture) {
	at := f.instances(t)
	p := f.addNamed(t, "p")
	s := f.session(t, p.ID)
	problems := make([]error, 16)
	atOnce(len(problems), func(i int) {
		view := at[i%len(at)]
		for range 5 {
			c := f.conversing(s)
			row := ofConversation(c)
			for _, step := range []call{
				{"Open", func(ctx context.Context) error { return view.Conversations.Open(ctx, c) }},
				{"Replace", func(ctx context.Context) error {
					n, err := view.Sealings.Replace(ctx, []domain.Resealed{anew(row, "new")})
					row.Sealed = sealedAgain(row.Sealed, "new")
					return cmp.Or(err, mismatch(n, 1))
				}},
				{"Page", func(ctx context.Context) error {
					_, err := view.Sealings.Page(ctx, "", domain.SealedRef{}, 10)
					return err
				}},
				{"Uses", func(ctx context.Context) error {
					_, err := view.Sealings.Uses(ctx)
					return err
				}},
				{"Mark", func(ctx context.Context) error { return view.Sealings.Mark(ctx, row, false, domain.Record{}) }},
				{"EndSealedBy", func(ctx context.Context) error {
					_, err := view.Sealings.EndSealedBy(ctx, "none", true, domain.Record{})
					return err
				}},
				{"Forget", func(ctx context.Context) error {
					n, err := view.Sealings.Forget(ctx, []domain.SealedRow{row})
					return cmp.Or(err, mismatch(n, 1))
				}},
			} {
				if err := step.do(t.Context()); err != nil && problems[i] == nil {
					problems[i] = fmt.Errorf("%s: %w", step.name, err)
				}
			}
		}
	})
	for _, err := range problems {
		wantNil(t, "a caller beside others", err)
	}
}
