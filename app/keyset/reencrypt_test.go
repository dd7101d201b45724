package keyset_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/app/keyset"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
	"github.com/flowlatch/flowlatch/ports"
)

// conversation stores a conversation in a project.
func (w *world) conversation(t *testing.T, p domain.Project, id domain.ConversationID, key domain.Sealed) {
	t.Helper()
	c := domain.Conversation{ID: id, Project: p.ID, UserID: string(id), Key: key, Expires: w.Now().Add(time.Hour)}
	if err := w.Store.Ports().Conversations.Open(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// sealed is what is stored in the place.
func (w *world) sealed(t *testing.T, ref domain.SealedRef) domain.SealedRow {
	t.Helper()
	rows, err := w.Store.Ports().Sealings.Page(t.Context(), "", domain.SealedRef{}, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(rows, func(r domain.SealedRow) bool { return r.Ref == ref })
	if i < 0 {
		t.Fatalf("nothing is sealed at %+v", ref)
	}
	return rows[i]
}

func keyOf(p domain.Project) domain.SealedRef {
	return domain.SealedRef{Kind: domain.SealedProjectKey, ID: string(p.ID), Slot: domain.SlotPrimary}
}

// put puts other bytes there, and returns those that were there.
func (w *world) put(t *testing.T, ref domain.SealedRef, to domain.Sealed) domain.Sealed {
	t.Helper()
	was := w.sealed(t, ref).Sealed
	if n, err := w.Store.Ports().Sealings.Replace(t.Context(), []domain.Resealed{{Ref: ref, From: was, To: to}}); err != nil || n != 1 {
		t.Fatalf("Replace: got %d and error %v, want 1", n, err)
	}
	return was
}

// wantAllSealedBy fails the test unless everything opens, but for the places, and is sealed
// by the key.
func (w *world) wantAllSealedBy(t *testing.T, key domain.KeyID, but ...domain.SealedRef) {
	t.Helper()
	rows, err := w.Store.Ports().Sealings.Page(t.Context(), "", domain.SealedRef{}, 10_000)
	if err != nil || len(rows) < 3 {
		t.Fatalf("got %d rows and error %v", len(rows), err)
	}
	for _, r := range rows {
		if slices.Contains(but, r.Ref) {
			continue
		}
		secret, err := w.Cipher.Open(r.Sealed, r.Ref.Binding(testworld.Origin))
		if err != nil || r.Sealed.Key != key {
			t.Errorf("%+v is sealed by %s (%v), want %s", r.Ref, r.Sealed.Key, err, key)
		}
		if r.Ref.Kind == domain.SealedProjectKey && !strings.HasPrefix(secret.Reveal(), "VF.DM.") {
			t.Errorf("%+v holds something else than its key", r.Ref)
		}
	}
}

func TestReencryptSealsEverythingWithTheCurrentKey(t *testing.T) {
	w := newWorld(t)
	ps := w.Projects(t, 450)
	old := w.sealed(t, keyOf(ps[0])).Sealed.Key
	const id = domain.ConversationID("01890000-0000-7000-8001-000000000001")
	key, err := w.Cipher.Seal(domain.NewSecret("a session key"), domain.BindConversation(id, testworld.Origin))
	if err != nil {
		t.Fatal(err)
	}
	w.conversation(t, ps[0], id, key)
	current := w.Rotate(t)
	before := len(w.Store.Records())
	const rows = 450 + 1 + 3 // with the conversation, the known value, the key of the pseudonyms and the head of the audit

	dry, err := w.keys.Reencrypt(t.Context(), w.Operator(), true, nil)
	if err != nil || dry.Left != rows || dry.Done != 0 || w.sealed(t, keyOf(ps[0])).Sealed.Key != old {
		t.Errorf("a dry run: got %+v, %v, want %d rows that are left, and nothing changed", dry, err, rows)
	}
	testworld.WantActions(t, w.Actions(before))

	var seen []string
	got, err := w.keys.Reencrypt(t.Context(), w.Operator(), false, func(done, total int) { seen = append(seen, fmt.Sprint(done, "/", total)) })
	if err != nil || got.Key != current || got.Done != rows || got.Left != 0 || got.Unopened != nil || got.Forgotten != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
	if want := []string{"0/454", "200/454", "400/454", "454/454"}; !slices.Equal(seen, want) {
		t.Errorf("progress was %v, want %v", seen, want)
	}
	w.wantAllSealedBy(t, current)
	recs := w.Store.Records()[before:]
	if len(recs) != 1 || recs[0].Action != domain.ActionRewrapKeys || recs[0].Object != "key:"+string(current) || recs[0].Count != rows ||
		recs[0].Actor != domain.ActorOperator || recs[0].Outcome != domain.OutcomeOK {
		t.Errorf("audit has %+v", recs)
	}

	if again, err := w.keys.Reencrypt(t.Context(), w.Operator(), false, nil); err != nil || again.Done != 0 || len(w.Store.Records()) != before+1 {
		t.Errorf("a second one: got %+v, %v, and %d records", again, err, len(w.Store.Records())-before)
	}
	w.open(t, w.ports()) // the start-up check succeeds
}

func TestReencryptContinuesWithAKeyThatIsAddedMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.Projects(t, 450)
	w.Rotate(t)
	var newest domain.KeyID
	got, err := w.keys.Reencrypt(t.Context(), w.Operator(), false, func(done, _ int) {
		if done == 200 && newest == "" {
			newest = w.Rotate(t)
		}
	})
	if err != nil || got.Key != newest || got.Left != 0 {
		t.Errorf("got %+v, %v, want all of it sealed by %s", got, err, newest)
	}
	w.wantAllSealedBy(t, newest)
}

func TestReencryptContinuesAfterAStop(t *testing.T) {
	w := newWorld(t)
	w.Projects(t, 900)
	current := w.Rotate(t)
	total := 0
	for _, after := range []int{1, 2} {
		ctx, stop := context.WithCancel(t.Context())
		before, pages := len(w.Store.Records()), 0
		got, err := w.keys.Reencrypt(ctx, w.Operator(), false, func(done, _ int) {
			if done > 0 {
				pages++
			}
			if pages == after {
				stop()
			}
		})
		testworld.WantKind(t, err, domain.Unavailable)
		total += got.Done
		if got.Done != after*200 || got.Left != 903-total {
			t.Errorf("stopped after %d pages: got %+v", after, got)
		}
		recs := w.Store.Records()[before:]
		if len(recs) != 1 || recs[0].Outcome != domain.OutcomeStopped || recs[0].Count != int64(got.Done) {
			t.Errorf("audit has %+v", recs)
		}
	}
	got, err := w.keys.Reencrypt(t.Context(), w.Operator(), false, nil)
	if err != nil || got.Done != 903-total || got.Left != 0 {
		t.Errorf("the last one: got %+v, %v", got, err)
	}
	w.wantAllSealedBy(t, current)
}

func TestTwoCallsOfReencryptAtOnceDoEachRowOnce(t *testing.T) {
	w := newWorld(t)
	w.Projects(t, 700)
	other := w.open(t, w.ports())
	current := w.Rotate(t)
	call, done := w.Operator(), make(chan keyset.Reencrypted, 2)
	for _, s := range []*keyset.Keyset{w.keys, other} {
		go func() {
			got, err := s.Reencrypt(context.WithoutCancel(t.Context()), call, false, nil)
			if err != nil {
				t.Error(err)
			}
			done <- got
		}()
	}
	a, b := <-done, <-done
	if a.Done+b.Done != 703 {
		t.Errorf("they did %d and %d rows, want 703 together", a.Done, b.Done)
	}
	w.wantAllSealedBy(t, current)
}

// overtaken are Sealings on which somebody is faster than each Replace.
type overtaken struct {
	ports.Sealings
	first func(rows []domain.Resealed)
}

func (o overtaken) Replace(ctx context.Context, rows []domain.Resealed) (int, error) {
	o.first(rows)
	return o.Sealings.Replace(ctx, rows)
}

func TestAKeyThatIsReplacedMeanwhileIsNotOverwritten(t *testing.T) {
	w := newWorld(t)
	ps := w.Projects(t, 3)
	var newer domain.Sealed
	p := w.ports()
	p.Sealings = overtaken{p.Sealings, func(rows []domain.Resealed) {
		if slices.ContainsFunc(rows, func(r domain.Resealed) bool { return r.Ref == keyOf(ps[1]) }) {
			w.put(t, keyOf(ps[1]), newer)
		}
	}}
	s, current := w.open(t, p), w.Rotate(t)
	var err error
	if newer, err = w.Cipher.Seal(domain.NewSecret("VF.DM.newer"), keyOf(ps[1]).Binding(testworld.Origin)); err != nil {
		t.Fatal(err)
	}
	got, err := s.Reencrypt(t.Context(), w.Operator(), false, nil)
	if err != nil || got.Done != 2+3 || got.Left != 0 {
		t.Errorf("got %+v, %v, want all rows but the one that was overtaken", got, err)
	}
	if row := w.sealed(t, keyOf(ps[1])); string(row.Sealed.Bytes) != string(newer.Bytes) {
		t.Error("the newer key was overwritten")
	}
	w.wantAllSealedBy(t, current)
}

func TestWhatDoesNotOpenStopsNothingElse(t *testing.T) {
	w := newWorld(t)
	ps := w.Projects(t, 5)
	const id = domain.ConversationID("01890000-0000-7000-8001-000000000001")
	w.conversation(t, ps[0], id, testworld.Garbage)
	// One key is of a key that is gone, and one was copied from another project.
	w.put(t, keyOf(ps[1]), testworld.Garbage)
	w.put(t, keyOf(ps[3]), w.sealed(t, keyOf(ps[2])).Sealed)
	current := w.Rotate(t)
	want := []keyset.Unopened{{Ref: keyOf(ps[1]), Name: "Bot 001"}, {Ref: keyOf(ps[3]), Name: "Bot 003"}}

	dry, err := w.keys.Reencrypt(t.Context(), w.Operator(), true, nil)
	if err != nil || dry.Left != 3+3 || !slices.Equal(dry.Unopened, want) || dry.Forgotten != 1 {
		t.Errorf("a dry run: got %+v, %v", dry, err)
	}
	if status := w.Stored(t, ps[1]).Primary.Status; status != domain.KeyOK {
		t.Errorf("a dry run marked a key as %s", status)
	}

	got, err := w.keys.Reencrypt(t.Context(), w.Operator(), false, nil)
	if err != nil || got.Done != 3+3 || got.Left != 0 || !slices.Equal(got.Unopened, want) || got.Forgotten != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
	w.wantAllSealedBy(t, current, want[0].Ref, want[1].Ref)
	for i, p := range ps {
		wantStatus := domain.KeyOK
		if i == 1 || i == 3 {
			wantStatus = domain.KeyNeedsReentry
		}
		if status := w.Stored(t, p).Primary.Status; status != wantStatus {
			t.Errorf("%s is marked as %s, want %s", p.Name, status, wantStatus)
		}
	}
	if n, err := w.keys.ToReenter(t.Context(), w.Admin); err != nil || n != 2 {
		t.Errorf("ToReenter: got %d, %v, want 2", n, err)
	}

	// They do not keep a key from being retired, and are counted for none.
	status, err := w.keys.Status(t.Context(), w.Operator())
	if err != nil || len(status.Keys) != 2 || status.Keys[0].Rows != 3+3 || !status.Keys[0].Seals || status.Keys[1].Rows != 0 ||
		status.Keys[1].Seals || !slices.Equal(status.Unopened, want) || status.Conversations != 0 {
		t.Errorf("Status: got %+v, %v", status, err)
	}
	if _, err := w.keys.Retire(t.Context(), w.Operator(), nil, true); err != nil {
		t.Errorf("Retire: %v", err)
	}
}

func TestKeysThatDoNotOpenAreMarkedBeforeAnybodyUsesThem(t *testing.T) {
	w := newWorld(t)
	ps := w.Projects(t, 3)
	was := w.put(t, keyOf(ps[1]), testworld.Garbage)
	before := len(w.Store.Records())
	for range 2 { // the second time it is no news
		testworld.WantKind(t, w.keys.MarkUnopened(t.Context()), "")
		if got := w.Stored(t, ps[1]).Primary.Status; got != domain.KeyNeedsReentry {
			t.Errorf("a key that does not open is marked as %s", got)
		}
	}
	w.put(t, keyOf(ps[1]), was)
	testworld.WantKind(t, w.keys.MarkUnopened(t.Context()), "")
	if got := w.Stored(t, ps[1]).Primary.Status; got != domain.KeyUnchecked {
		t.Errorf("a key that opens again is marked as %s", got)
	}
	recs := w.Store.Records()[before:]
	if len(recs) != 2 {
		t.Fatalf("audit has %+v, want two rows", recs)
	}
	for i, outcome := range []domain.KeyStatus{domain.KeyNeedsReentry, domain.KeyUnchecked} {
		r := recs[i]
		if r.Action != domain.ActionMarkKey || r.Actor != domain.ActorService || r.Object != domain.OnProject(ps[1].ID)+" primary" || r.Outcome != string(outcome) || r.RequestID == "" {
			t.Errorf("audit has %+v, want %s", r, outcome)
		}
	}
	if n, err := w.keys.ToReenter(t.Context(), w.Admin); err != nil || n != 0 {
		t.Errorf("ToReenter: got %d, %v, want 0", n, err)
	}
}

// A key that does not open and is known as such needs no change, so a standby tells of it too.
func TestAStatusNeedsNoWriting(t *testing.T) {
	w := newWorld(t)
	ps := w.Projects(t, 2)
	w.put(t, keyOf(ps[1]), testworld.Garbage)
	testworld.WantKind(t, w.keys.MarkUnopened(t.Context()), "")
	w.Store.StopWrites()
	uses, err := w.keys.Uses(t.Context(), w.Admin)
	if err != nil || len(uses.Keys) != 1 || !uses.Keys[0].Seals || uses.Keys[0].Rows != 3+1 || uses.Unopened != nil {
		t.Errorf("Uses: got %+v, %v, want a key with the rows that it sealed", uses, err)
	}
	status, err := w.keys.Status(t.Context(), w.Operator())
	if err != nil || len(status.Unopened) != 1 {
		t.Errorf("got %+v and error %v, want the key that does not open", status, err)
	}
	testworld.WantKind(t, w.keys.MarkUnopened(t.Context()), "")
}

// A service whose keyset is older than the database must not take good rows for bad ones.
func TestAnOldKeysetMarksAndForgetsNothing(t *testing.T) {
	w := newWorld(t)
	ps := w.Projects(t, 2)
	const id = domain.ConversationID("01890000-0000-7000-8001-000000000001")
	w.conversation(t, ps[0], id, testworld.Garbage)
	w.put(t, keyOf(ps[1]), testworld.Garbage)
	w.put(t, domain.SealedRef{Kind: domain.SealedKnownValue}, testworld.Garbage)
	before := len(w.Store.Records())
	testworld.WantKind(t, w.keys.MarkUnopened(t.Context()), domain.Corrupt)
	_, err := w.keys.Status(t.Context(), w.Operator())
	testworld.WantKind(t, err, domain.Corrupt)
	w.Rotate(t)
	_, err = w.keys.Reencrypt(t.Context(), w.Operator(), false, nil)
	testworld.WantKind(t, err, domain.Corrupt)
	_, err = w.keys.Retire(t.Context(), w.Operator(), nil, true)
	testworld.WantKind(t, err, domain.Corrupt)
	if got := w.Stored(t, ps[1]).Primary.Status; got != domain.KeyOK {
		t.Errorf("a key is marked as %s", got)
	}
	w.sealed(t, domain.SealedRef{Kind: domain.SealedConversation, ID: string(id)})
	testworld.WantActions(t, w.Actions(before))
}

func TestTheKeysetIsForAdmins(t *testing.T) {
	w := newWorld(t)
	ben := w.Member()
	_, err := w.keys.Reencrypt(t.Context(), ben, false, nil)
	testworld.WantKind(t, err, domain.NotAllowed)
	_, err = w.keys.Retire(t.Context(), ben, nil, false)
	testworld.WantKind(t, err, domain.NotAllowed)
	_, err = w.keys.Uses(t.Context(), ben)
	testworld.WantKind(t, err, domain.NotAllowed)
	_, err = w.keys.Status(t.Context(), ben)
	testworld.WantKind(t, err, domain.NotAllowed)
	_, err = w.keys.ToReenter(t.Context(), ben)
	testworld.WantKind(t, err, domain.NotAllowed)
}

func TestALoginWhoseTokensDoNotOpenEnds(t *testing.T) {
	w := newWorld(t)
	store := w.Store.Ports()
	login := func(n byte, tokens func(domain.SealedRef) domain.Sealed) domain.SealedRef {
		t.Helper()
		id := domain.UserID("01890000-0000-7000-9000-00000000000" + string('0'+n))
		person := domain.Person{Identity: domain.Identity{Issuer: "https://id.example.com", Subject: string(id)}, Groups: domain.ListedGroups(nil)}
		in := domain.SignOn{Person: person, Policy: domain.SignOnPolicy{CreateUsers: true}, User: id, At: w.Now()}
		s := domain.NewProviderLogin(domain.SessionID(id), id, w.Now(), domain.Lifetimes{Idle: time.Hour, Absolute: time.Hour}, 0, "", "")
		ref := domain.SealedRef{Kind: domain.SealedProviderTokens, ID: string(s.ID)}
		kept := domain.ProviderSession{Login: s.ID, Identity: person.Identity, Tokens: tokens(ref)}
		if _, err := store.SignOns.Open(t.Context(), in, s, kept, domain.Once{}, domain.Record{At: w.Now()}); err != nil {
			t.Fatal(err)
		}
		return ref
	}
	good := login(1, func(ref domain.SealedRef) domain.Sealed {
		sealed, err := w.Cipher.Seal(domain.NewSecret("tokens"), ref.Binding(testworld.Origin))
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	})
	lost := login(2, func(domain.SealedRef) domain.Sealed { return testworld.Garbage })
	current := w.Rotate(t)
	status, err := w.keys.Status(t.Context(), w.Admin)
	if err != nil || status.Logins != 1 || status.Unopened != nil || status.Conversations != 0 {
		t.Errorf("Status: got %+v and error %v, want one login", status, err)
	}
	dry, err := w.keys.Reencrypt(t.Context(), w.Operator(), true, nil)
	if err != nil || dry.Logins != 1 || dry.Forgotten != 0 || dry.Left != 3+1 {
		t.Errorf("a dry run: got %+v and error %v", dry, err)
	}
	got, err := w.keys.Reencrypt(t.Context(), w.Operator(), false, nil)
	if err != nil || got.Logins != 1 || got.Done != 3+1 || got.Left != 0 || got.Unopened != nil {
		t.Errorf("got %+v and error %v", got, err)
	}
	if key := w.sealed(t, good).Sealed.Key; key != current {
		t.Errorf("the tokens are sealed by %s, want %s", key, current)
	}
	if _, err := store.SignOns.Find(t.Context(), domain.SessionID(lost.ID)); domain.KindOf(err) != domain.NotFound {
		t.Errorf("the login whose tokens do not open: got error %v, want NotFound", err)
	}
}
