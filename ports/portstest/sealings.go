package portstest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// Sealings checks every sentence in the comments of ports.Sealings.
func Sealings(t *testing.T, open OpenStore) {
	check(t, open, append([]sentence{
		{"Page returns everything that is stored sealed, in the order of the places", sealedPage},
		{"Page returns at most limit rows, and goes on after the place", sealedPages},
		{"Page leaves out the rows that the key except sealed", sealedExcept},
		{"Page leaves out conversations that are over", sealedOver},
		{"Page of nothing is no error", sealedNothing},
		{"Replace stores To in place of From, and returns in how many rows", replaceReplaces},
		{"Replace ignores rows that are gone or that have changed", replaceLate},
		{"of several Replaces of the same rows at the same instant one succeeds for each row", replaceAtOnce},
		{"no Replace overwrites what a Renew stores at the same instant", replaceRace},
		{"Replace with a zero To forgets conversations whose session key still exists, and nothing else", forgetForgets},
		{"ToReenter returns how many slots are marked", toReenter},
		{"Uses returns the rows that each key has sealed", usesRows},
		{"Uses returns the sessions and conversations that are not over, by the key that sealed them", usesSessions},
		{"Replace keeps no record", sealingsRecords},
		{"the tokens of the identity provider are among what is sealed while their login lasts, and the login goes with them", tokensSealed},
	}, promises("Sealings")...))
}

// theKey has sealed the projects' keys and the session keys of this suite.
const theKey = domain.KeyID("1886453126")

// sealedAgain returns s as another key seals it, or the same key again.
func sealedAgain(s domain.Sealed, key domain.KeyID) domain.Sealed {
	return domain.Sealed{Key: key, Bytes: append([]byte("\x00\xffagain "+key), s.Bytes...)}
}

func ofProject(p domain.Project) domain.SealedRow { return ofSlot(p, domain.SlotPrimary) }

// ofSlot has the key of that slot that the suite stores: otherKey in the secondary one, and
// personalKey in the personal one.
func ofSlot(p domain.Project, slot domain.Slot) domain.SealedRow {
	key := keyOf(p)
	switch slot {
	case domain.SlotSecondary:
		key = otherKey(p)
	case domain.SlotPersonal:
		key = personalKey(p)
	}
	return domain.SealedRow{
		Ref: domain.SealedRef{Kind: domain.SealedProjectKey, ID: string(p.ID), Slot: slot}, Sealed: key, Name: p.Name, Status: p.Key(slot).Status,
	}
}

// addWithAll stores a project with a key in each slot.
func (f *fixture) addWithAll(t *testing.T, name string) domain.Project {
	t.Helper()
	p := f.addNamed(t, name)
	p = f.put(t, p, domain.SlotSecondary, otherKey(p))
	return f.put(t, p, domain.SlotPersonal, personalKey(p))
}

func ofConversation(c domain.Conversation) domain.SealedRow {
	return domain.SealedRow{Ref: domain.SealedRef{Kind: domain.SealedConversation, ID: string(c.ID)}, Sealed: c.Key}
}

// install stores a new installation and returns its rows.
func (f *fixture) install(t *testing.T) []domain.SealedRow {
	t.Helper()
	is := installationOf(f.next())
	wantNil(t, "preparing: Installation.Prepare", f.Ports.Installation.Prepare(t.Context(),
		func(domain.Installation) (domain.Installation, error) { return is, nil }))
	return []domain.SealedRow{
		{Ref: domain.SealedRef{Kind: domain.SealedKnownValue}, Sealed: is.Known},
		{Ref: domain.SealedRef{Kind: domain.SealedPseudonymKey}, Sealed: is.Pseudonyms},
	}
}

// sealedEverything stores something of every kind and returns the rows in their order. The slots
// have keys with different statuses.
func (f *fixture) sealedEverything(t *testing.T) []domain.SealedRow {
	t.Helper()
	rows := f.install(t)
	for i, name := range []string{"Tico", "tico", "Ångström '; --", "four"} {
		p := f.addNamed(t, name)
		if i > 0 {
			p = f.put(t, p, domain.SlotSecondary, otherKey(p))
			p = f.put(t, p, domain.SlotPersonal, personalKey(p))
			failing := domain.Slots()[i-1]
			f.markSlot(t, p, failing, domain.KeyRejected, f.clock.now(), true)
			p = marked(p, failing, domain.KeyRejected)
			rows = append(rows, ofSlot(p, domain.SlotSecondary), ofSlot(p, domain.SlotPersonal))
		}
		s := f.session(t, p.ID)
		rows = append(rows, ofProject(p), ofConversation(f.converse(t, f.conversing(s))), ofConversation(f.converse(t, f.conversing(s))))
	}
	chainAll(t, f.Ports.Chain)
	head, err := f.Ports.Chain.Head(t.Context())
	wantNil(t, "preparing: Chain.Head", err)
	rows = append(rows, domain.SealedRow{Ref: domain.SealedRef{Kind: domain.SealedAuditHead}, Sealed: head.Sealed})
	check := f.checked()
	f.putCheck(t, check)
	rows = append(rows, domain.SealedRow{Ref: domain.SealedRef{Kind: domain.SealedAuditCheck}, Sealed: check})
	slices.SortFunc(rows, func(a, b domain.SealedRow) int { return a.Ref.Compare(b.Ref) })
	return rows
}

// wantSealed fails the test unless these rows are all that is sealed.
func (f *fixture) wantSealed(t *testing.T, what string, want []domain.SealedRow) {
	t.Helper()
	got, err := f.Ports.Sealings.Page(t.Context(), "", domain.SealedRef{}, 1000)
	wantNil(t, what+": Page", err)
	wantSame(t, what+": everything that is sealed", got, want)
}

// resealedBy returns the row sealed by another key.
func resealedBy(r domain.SealedRow, key domain.KeyID) domain.Resealed {
	return domain.Resealed{Ref: r.Ref, From: r.Sealed, To: sealedAgain(r.Sealed, key)}
}

func allResealedBy(rows []domain.SealedRow, key domain.KeyID) []domain.Resealed {
	all := make([]domain.Resealed, len(rows))
	for i, r := range rows {
		all[i] = resealedBy(r, key)
	}
	return all
}

func (f *fixture) replaced(t *testing.T, what string, rows []domain.Resealed, want int) {
	t.Helper()
	n, err := f.Ports.Sealings.Replace(t.Context(), rows)
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
			got, err := f.Ports.Sealings.Page(t.Context(), "", after, limit)
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
	got, err := f.Ports.Sealings.Page(t.Context(), "", domain.BeforeProjectKeys, 1000)
	wantNil(t, "Page behind BeforeProjectKeys", err)
	wantSame(t, "what comes behind BeforeProjectKeys", got, rows[behind:])
}

// sealedExcept reseals every second row.
func sealedExcept(t *testing.T, f *fixture) {
	rows := f.sealedEverything(t)
	var others []domain.SealedRow
	for i, r := range rows {
		if i%2 == 0 {
			f.replaced(t, "preparing", []domain.Resealed{resealedBy(r, "new")}, 1)
		} else {
			others = append(others, r)
		}
	}
	for _, limit := range []int{1, 2, 1000} {
		var all []domain.SealedRow
		for after := (domain.SealedRef{}); ; {
			got, err := f.Ports.Sealings.Page(t.Context(), "new", after, limit)
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
	n, err := f.Ports.Sealings.ToReenter(t.Context())
	wantNil(t, "ToReenter", err)
	wantSame(t, "ToReenter of nothing", n, 0)
}

func replaceReplaces(t *testing.T, f *fixture) {
	rows := f.sealedEverything(t)
	f.replaced(t, "of nothing", nil, 0)
	for _, part := range [][]domain.SealedRow{rows[:1], rows[2:5], rows} {
		again := allResealedBy(part, domain.KeyID(fmt.Sprintf("key %d", f.next())))
		slices.Reverse(again) // the order is the adapter's own affair
		f.replaced(t, "of what is there", again, len(part))
		for i := range part {
			part[i].Sealed = again[len(part)-1-i].To
		}
		f.wantSealed(t, "after Replace", rows)
	}
	for _, r := range rows {
		if r.Ref.Kind == domain.SealedProjectKey {
			keys, err := keysIn(t.Context(), f.Ports.Projects, domain.ProjectID(r.Ref.ID))
			wantNil(t, "Projects.Find", err)
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
	f.replaced(t, "of what does not exist", allResealedBy(late, "new"), 0)
	f.wantSealed(t, "after Replace of what does not exist", rows)
	for i := range rows { // one at a time, beside all the unknown ones
		f.replaced(t, "beside what does not exist", append(allResealedBy(late, "late"), resealedBy(rows[i], "new")), 1)
		rows[i].Sealed = sealedAgain(rows[i].Sealed, "new")
		f.wantSealed(t, "after Replace beside what does not exist", rows)
	}
}

func replaceAtOnce(t *testing.T, f *fixture) {
	at := f.instances(t)
	rows := f.sealedEverything(t)
	const n = 8
	for range rounds / 4 {
		won, errs := make([]int, n), make([]error, n)
		atOnce(n, func(i int) {
			mine := allResealedBy(rows, domain.KeyID(fmt.Sprintf("key-%d", i)))
			if i%2 == 0 {
				slices.Reverse(mine)
			}
			won[i], errs[i] = at[i%len(at)].Ports.Sealings.Replace(t.Context(), mine)
		})
		total := 0
		for i, err := range errs {
			wantNil(t, fmt.Sprintf("one of %d Replaces at the same instant", n), err)
			total += won[i]
		}
		wantSame(t, fmt.Sprintf("how many rows %d Replaces of the same have replaced", n), total, len(rows))
		got, err := f.Ports.Sealings.Page(t.Context(), "", domain.SealedRef{}, 1000)
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
				_, errs[0] = at[0].Ports.Sealings.Replace(t.Context(), []domain.Resealed{resealedBy(ofConversation(c), "new")})
				return
			}
			for renewed.Key != newer.Key || string(renewed.Bytes) != string(newer.Bytes) {
				from := cmpOr(renewed, c.Key)
				if renewed, errs[1] = at[len(at)-1].Ports.Conversations.Renew(t.Context(), c.ID, from, newer); errs[1] != nil {
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

// forgetting forgets the rows.
func forgetting(rows []domain.SealedRow) []domain.Resealed {
	all := make([]domain.Resealed, len(rows))
	for i, r := range rows {
		all[i] = domain.Resealed{Ref: r.Ref, From: r.Sealed}
	}
	return all
}

func forgetForgets(t *testing.T, f *fixture) {
	rows := f.sealedEverything(t)
	other := slices.Clone(rows)
	for i := range other {
		other[i].Sealed.Bytes = []byte("other")
	}
	f.replaced(t, "by nothing, of rows that hold something else", forgetting(other), 0)
	f.wantSealed(t, "after Replace by nothing of what does not exist", rows)

	left := slices.DeleteFunc(slices.Clone(rows), func(r domain.SealedRow) bool { return r.Ref.Kind == domain.SealedConversation })
	f.replaced(t, "by nothing, of everything", forgetting(rows), len(rows)-len(left))
	f.wantSealed(t, "after Replace by nothing", left)
	f.replaced(t, "by nothing, again", forgetting(rows), 0)
	f.wantSealed(t, "after Replace by nothing, again", left)
}

func toReenter(t *testing.T, f *fixture) {
	a, b, c := f.addNamed(t, "a"), f.addWithAll(t, "b"), f.addWithAll(t, "c")
	want := func(what string, n int) {
		t.Helper()
		got, err := f.Ports.Sealings.ToReenter(t.Context())
		wantNil(t, what+": ToReenter", err)
		wantSame(t, what+": ToReenter", got, n)
	}
	want("of keys that all open", 0)
	for i, row := range []domain.SealedRow{
		ofProject(a), ofSlot(b, domain.SlotSecondary), ofSlot(b, domain.SlotPrimary), ofSlot(c, domain.SlotSecondary),
		ofSlot(b, domain.SlotPersonal), ofSlot(c, domain.SlotPersonal),
	} {
		f.mark(t, "preparing", row, false, true)
		want("of keys, some of which do not open", i+1)
	}
	f.mark(t, "preparing", ofSlot(b, domain.SlotPrimary), true, true)
	want("when one opens again", 5)
	f.remove(t, b.ID)
	want("when a project is gone", 3)
}

// wantUses fails the test unless these are the uses.
func (f *fixture) wantUses(t *testing.T, what string, want map[domain.KeyID]domain.KeyUse) {
	t.Helper()
	got, err := f.Ports.Sealings.Uses(t.Context())
	wantNil(t, what+": Uses", err)
	wantSame(t, what+": the uses of keys", got, want)
}

func usesRows(t *testing.T, f *fixture) {
	rows := f.sealedEverything(t)
	want := map[domain.KeyID]domain.KeyUse{"": {Logins: 4, Handles: 8}}
	for _, r := range rows {
		use := want[r.Sealed.Key]
		use.Rows++
		want[r.Sealed.Key] = use
	}
	f.wantUses(t, "of everything", want)
	f.replaced(t, "preparing", allResealedBy(rows, "new"), len(rows))
	want = map[domain.KeyID]domain.KeyUse{"": want[""], "new": {Rows: len(rows)}}
	f.wantUses(t, "after all was resealed", want)
	c := rows[slices.IndexFunc(rows, func(r domain.SealedRow) bool { return r.Ref.Kind == domain.SealedConversation })]
	f.replaced(t, "preparing: by nothing", []domain.Resealed{{Ref: c.Ref, From: sealedAgain(c.Sealed, "new")}}, 1)
	want[""], want["new"] = domain.KeyUse{Logins: 4, Handles: 7}, domain.KeyUse{Rows: len(rows) - 1}
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
		wantNil(t, "preparing: Sessions.OpenLogin", f.Ports.Sessions.OpenLogin(t.Context(), login, u.PasswordHash, rec))
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

func sealingsRecords(t *testing.T, f *fixture) {
	rows := f.sealedEverything(t)
	f.replaced(t, "of everything", allResealedBy(rows, "new"), len(rows))
	for i := range rows {
		rows[i].Sealed = sealedAgain(rows[i].Sealed, "new")
	}
	forgotten := 0
	for _, r := range rows {
		if r.Ref.Kind == domain.SealedConversation {
			forgotten++
		}
	}
	f.replaced(t, "by nothing", forgetting(rows), forgotten)
	f.wantRecords(t, "after Replace")
}
