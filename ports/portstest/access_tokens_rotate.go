package portstest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// rotating are the sentences about ports.AccessTokens.Rotate.
var rotating = []sentence{
	{"Rotate stores and returns the token with another text, together with the record", rotateStores},
	{"Rotate lets the text of before go on until the overlap ends, and no text of before that", rotateOverlap},
	{"Rotate is NotFound for an unknown id, and for another user's token unless the caller may manage", rotateForeign},
	{"Rotate is Conflict for a token that is over or whose owner is disabled, and changes nothing", rotateConflict},
	{"Rotate needs what creating the token needs", rotateNeeds},
	{"a hash is of one token and one text", rotateHashes},
	{"conversations of a token go on after a Rotate, to the new end of the token", rotateConversations},
	{"open uses stand on the text that they began with", rotateStanding},
	{"Rotates at the same instant are one after the other", rotateAtOnce},
	{"no text outlives a Remove of the token or a change of its owner's password at the same instant as Rotate", rotateRemoved},
	{"a Rotate is refused or first if the right to it is taken away at the same instant", rotateLost},
	{"the first ByToken by a text that Rotate ended is NotFound, on every instance", rotateTaken},
	{"Sweep forgets previous texts that are over, and returns how many", rotateSwept},
}

// rotation returns a Rotation with a new hash.
func (f *fixture) rotation(overlap time.Duration) domain.Rotation {
	n := f.next()
	return domain.Rotation{Hash: sha256.Sum256(fmt.Append(nil, "text ", n)), Prefix: fmt.Sprintf("flk_%06d", n), Overlap: overlap}
}

// rotatingAct returns what the user does to rotate the token, as an admin whom a host program
// identified.
func (f *fixture) rotatingAct(token domain.AccessToken) domain.Act {
	return makingAct(token, f.record(domain.ActionRotateAccessToken, domain.OnToken(token.ID)))
}

// rotate rotates a token, which must succeed.
func (f *fixture) rotate(t *testing.T, token domain.AccessToken, r domain.Rotation) domain.AccessToken {
	t.Helper()
	act := f.rotatingAct(token)
	got, err := f.Ports.Tokens.Rotate(t.Context(), act, token.ID, r)
	wantNil(t, "Tokens.Rotate", err)
	f.log = append(f.log, act.Record)
	return got
}

// wantText fails the test unless the hash opens the token, and stops to do so at the end.
func (f *fixture) wantText(t *testing.T, what string, hash domain.TokenHash, token domain.AccessToken, ends time.Time) {
	t.Helper()
	got, err := f.Ports.Access.ByToken(t.Context(), hash)
	wantNil(t, what+": ByToken", err)
	wantSame(t, what+": the token", got.Token, token)
	wantSame(t, what+": the end of the text", got.SecretEnds, ends)
	wantSame(t, what+": the hash of the text", got.Caller.Secret, hash)
}

func rotateStores(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u, other := f.member(t, "ana", p.ID), f.member(t, "bob", p.ID)
	token := f.token(u.ID, p.ID, domain.AllScopes())
	token.OwnUsers, token.Rate, token.Open = true, 600, 8
	f.issue(t, token)
	stays := f.issue(t, f.token(other.ID, p.ID, domain.DefaultScopes()))
	f.clock.advance(7*time.Hour + 123*time.Microsecond)
	now := domain.Instant(f.clock.now())
	used := now.Add(-time.Minute)
	wantNil(t, "Usage.Add", f.Ports.Usage.Add(t.Context(), nil, map[domain.TokenID]time.Time{token.ID: used}))
	r := f.rotation(time.Hour)
	got := f.rotate(t, token, r)
	want := token
	want.Prefix, want.Renewed, want.Expires, want.PreviousEnds, want.LastUsed = r.Prefix, now, now.Add(24*time.Hour), now.Add(time.Hour), used
	wantSame(t, "what Rotate returned", got, want)
	f.wantTokens(t, "after Rotate", u.ID, want)
	f.wantTokens(t, "of another user after Rotate", other.ID, stays)
	f.wantRecords(t, "after Rotate")

	// It began again, so a second one gives a day too.
	f.clock.advance(20 * time.Hour)
	now = domain.Instant(f.clock.now())
	r = f.rotation(0)
	want.Prefix, want.Renewed, want.Expires, want.PreviousEnds = r.Prefix, now, now.Add(24*time.Hour), time.Time{}
	wantSame(t, "what the second Rotate returned", f.rotate(t, token, r), want)
	f.wantTokens(t, "after the second Rotate", u.ID, want)
	f.wantRecords(t, "after the second Rotate")
}

// rotateOverlap looks a nanosecond before each end and at the end itself.
func rotateOverlap(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	token := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
	first, second, third := tokenHash(token), f.rotation(2*time.Hour), f.rotation(time.Hour)
	f.wantText(t, "before any Rotate", first, token, token.Expires)

	once := f.rotate(t, token, second)
	f.wantText(t, "the new text", second.Hash, once, once.Expires)
	f.wantText(t, "the text of before", first, once, once.PreviousEnds)

	twice := f.rotate(t, token, third)
	f.wantNoTokenCaller(t, "by the text of before the text of before", first)
	f.wantText(t, "the text of before, after a second Rotate", second.Hash, twice, twice.PreviousEnds)
	f.clock.set(twice.PreviousEnds.Add(-1))
	f.wantText(t, "a nanosecond before the overlap ends", second.Hash, twice, twice.PreviousEnds)
	f.clock.set(twice.PreviousEnds)
	f.wantNoTokenCaller(t, "when the overlap ends", second.Hash)
	f.wantText(t, "when the overlap ends", third.Hash, twice, twice.Expires)

	// An overlap can't outlive the end that the text had.
	f.clock.set(twice.Expires.Add(-time.Hour))
	fourth := f.rotation(7 * 24 * time.Hour)
	fourTimes := f.rotate(t, token, fourth)
	wantSame(t, "the end of a text whose token would have ended", fourTimes.PreviousEnds, twice.Expires)
	f.clock.set(twice.Expires)
	f.wantNoTokenCaller(t, "at the end that the text had", third.Hash)
	f.wantText(t, "at the end that the text of before had", fourth.Hash, fourTimes, fourTimes.Expires)

	fifth, sixth := f.rotation(time.Hour), f.rotation(0)
	f.rotate(t, token, fifth)
	last := f.rotate(t, token, sixth)
	f.wantNoTokenCaller(t, "by the text of before, without an overlap", fifth.Hash)
	f.wantNoTokenCaller(t, "by the text of before that, without an overlap", fourth.Hash)
	f.clock.set(last.Expires.Add(-1))
	f.wantText(t, "before the end of the token", sixth.Hash, last, last.Expires)
	f.clock.set(last.Expires)
	f.wantNoTokenCaller(t, "at the end of the token", sixth.Hash)
}

// wantNoRotation fails the test unless Rotate fails so and changes nothing.
func (f *fixture) wantNoRotation(t *testing.T, what string, act domain.Act, id domain.TokenID, kind domain.Kind) {
	t.Helper()
	before := f.state(t, f.Ports)
	r := f.rotation(time.Hour)
	got, err := f.Ports.Tokens.Rotate(t.Context(), act, id, r)
	wantKind(t, "Rotate "+what, err, kind)
	wantSame(t, "what came with the error of Rotate "+what, got, domain.AccessToken{})
	f.wantState(t, "after Rotate "+what, before)
	f.wantNoTokenCaller(t, "by the text of Rotate "+what, r.Hash)
}

func rotateForeign(t *testing.T, f *fixture) {
	f.install(t)
	p := f.addNamed(t, "p")
	u, other, admin := f.member(t, "ana", p.ID), f.member(t, "bob", p.ID), f.admin(t, "admin")
	token := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
	ofAdmin := f.issue(t, f.token(admin.ID, "", domain.ScopesOf(domain.ScopeManage)))
	act := func(by domain.Caller) domain.Act {
		return domain.Act{By: by, Record: f.record(domain.ActionRotateAccessToken, "t")}
	}
	login := func(u domain.User) domain.Caller { return domain.CallerByLogin(f.login(t, u), u.Role) }
	ofOther, ofBoss, ofUser := login(other), login(admin), login(u)
	f.wantNoRotation(t, "of an unknown id", act(ofBoss), tokenID(404), domain.NotFound)
	f.wantNoRotation(t, "of another member's token", act(ofOther), token.ID, domain.NotFound)
	f.wantNoRotation(t, "of an admin's token", act(ofOther), ofAdmin.ID, domain.NotFound)
	f.wantNoRotation(t, "by the token itself", act(domain.CallerByToken(token, domain.RoleMember)), token.ID, domain.NotAllowed)
	f.wantNoRotation(t, "by a token that manages", act(domain.CallerByToken(ofAdmin, domain.RoleAdmin)), token.ID, domain.NotAllowed)
	for what, by := range map[string]domain.Caller{"its user": ofUser, "an admin": ofBoss, "the operator": domain.Operator()} {
		rotating := act(by)
		_, err := f.Ports.Tokens.Rotate(t.Context(), rotating, token.ID, f.rotation(0))
		wantNil(t, "Rotate by "+what, err)
		f.log = append(f.log, rotating.Record)
	}
	f.wantRecords(t, "after Rotates by those who may")
}

func rotateConflict(t *testing.T, f *fixture) {
	f.install(t)
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	token := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
	f.update(t, u.ID, func(u *domain.User) { u.Disabled = true })
	f.wantNoRotation(t, "of a disabled user's token", f.act(domain.ActionRotateAccessToken, "t"), token.ID, domain.Conflict)
	f.update(t, u.ID, func(u *domain.User) { u.Disabled = false })
	f.clock.set(token.Expires.Add(-1))
	renewed := f.rotate(t, token, f.rotation(0))
	f.clock.set(renewed.Expires)
	f.wantNoRotation(t, "of a token at its end", f.rotatingAct(token), token.ID, domain.Conflict)
	f.clock.advance(100 * time.Hour)
	f.wantNoRotation(t, "of a token that is over", f.rotatingAct(token), token.ID, domain.Conflict)
}

// rotateNeeds has owners who could not create their token any longer. Another's rotation by an
// admin goes on.
func rotateNeeds(t *testing.T, f *fixture) {
	f.install(t)
	p := f.addNamed(t, "p")
	u, boss := f.member(t, "ana", p.ID), f.admin(t, "boss")
	f.admin(t, "beside")
	plain, wide := f.token(u.ID, p.ID, domain.ScopesOf(domain.ScopeConverse)), f.token(u.ID, p.ID, domain.AllScopes())
	own, limited := f.token(boss.ID, p.ID, domain.DefaultScopes()), f.token(boss.ID, p.ID, domain.DefaultScopes())
	own.OwnUsers, limited.Rate = true, 600
	manage := f.token(boss.ID, "", domain.ScopesOf(domain.ScopeManage))
	for _, token := range []domain.AccessToken{plain, wide, own, limited, manage} {
		f.issue(t, token)
	}
	f.grantScopes(t, boss.ID, p.ID, domain.AllScopes())
	act := func(u domain.User) domain.Act {
		return domain.Act{By: domain.CallerByLogin(f.login(t, u), u.Role), Record: f.record(domain.ActionRotateAccessToken, "t")}
	}
	byUser, byBoss, byOther := act(u), act(boss), act(f.admin(t, "other"))
	rotates := func(what string, act domain.Act, token domain.AccessToken) {
		t.Helper()
		act.Record = f.record(domain.ActionRotateAccessToken, "t")
		_, err := f.Ports.Tokens.Rotate(t.Context(), act, token.ID, f.rotation(0))
		wantNil(t, "Rotate "+what, err)
		f.log = append(f.log, act.Record)
	}
	rotates("within the grant", byUser, plain)
	f.wantNoRotation(t, "beyond the grant", byUser, wide.ID, domain.NotAllowed)
	for what, token := range map[string]domain.AccessToken{"with own user ids": own, "with limits": limited, "that manages": manage} {
		rotates("by an admin, of their token "+what, byBoss, token)
	}
	f.revoke(t, u.ID, p.ID)
	f.wantNoRotation(t, "after the grant is gone", byUser, plain.ID, domain.NotAllowed)
	f.update(t, boss.ID, func(u *domain.User) { u.Role = domain.RoleMember })
	for what, token := range map[string]domain.AccessToken{"with own user ids": own, "with limits": limited, "that manages": manage} {
		f.wantNoRotation(t, "by a demoted admin, of their token "+what, byBoss, token.ID, domain.NotAllowed)
		rotates("by another admin, of a token "+what, byOther, token)
	}
	rotates("by another admin, of a token whose grant is gone", byOther, plain)
	f.wantRecords(t, "after Rotates")
}

func rotateHashes(t *testing.T, f *fixture) {
	f.install(t)
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	token, other := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes())), f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
	r := f.rotation(time.Hour)
	f.rotate(t, token, r)
	for what, hash := range map[string]domain.TokenHash{"its own": r.Hash, "its own of before": tokenHash(token), "another's": tokenHash(other)} {
		before := f.state(t, f.Ports)
		_, err := f.Ports.Tokens.Rotate(t.Context(), f.rotatingAct(token), token.ID, domain.Rotation{Hash: hash, Prefix: "flk_aaaaaa", Overlap: time.Hour})
		wantKind(t, "Rotate to the hash that is "+what, err, domain.Conflict)
		next := f.token(u.ID, p.ID, domain.DefaultScopes())
		wantKind(t, "Create with the hash that is "+what, f.Ports.Tokens.Create(t.Context(), makingAct(next, f.record(domain.ActionCreateAccessToken, "t")), next, hash), domain.Conflict)
		f.wantState(t, "after the hash that is "+what, before)
	}
}

// rotateConversations opens one with the token of before a Rotate, as a call does that was under
// way.
func rotateConversations(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	token := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
	c := f.converse(t, f.conversation(domain.Session{}, token))
	f.clock.set(token.Expires.Add(-time.Hour))
	rotated := f.rotate(t, token, f.rotation(0))
	late := f.converse(t, f.conversation(domain.Session{}, token))
	goesOn := func(what string) {
		t.Helper()
		for _, c := range []domain.Conversation{c, late} {
			f.wantUse(t, what, shown{Conversation: c.ID}, in(c, ofToken(rotated, false, p, domain.DefaultScopes())))
			f.renewed(t, what, c, c.Key, c.Key)
		}
	}
	goesOn("after Rotate")
	for _, at := range []time.Time{token.Expires, rotated.Expires.Add(-1)} {
		f.clock.set(at)
		wantSame(t, "Sweep while the conversations go on", f.sweep(t, 10), 0)
		goesOn("after the end that the token had")
		uses, err := f.Ports.Sealings.Uses(t.Context())
		wantNil(t, "Sealings.Uses", err)
		wantSame(t, "how many handles need a key", uses[""].Handles, 2)
		rows, err := f.Ports.Sealings.Page(t.Context(), "", domain.SealedRef{Kind: domain.SealedConversation}, 10)
		wantNil(t, "Sealings.Page", err)
		found := 0
		for _, row := range rows {
			if row.Ref.Kind == domain.SealedConversation {
				found++
			}
		}
		wantSame(t, "how many session keys are sealed", found, 2)
	}
	sealed := late
	sealed.ID, sealed.UserID, sealed.HandleSealedBy = conversationID(f.next()), "sealed", "17"
	f.converse(t, sealed)
	ending := f.act(domain.ActionEndSessions, "17")
	ended, err := f.Ports.Sessions.End(t.Context(), ending, domain.SessionsSealedBy("17", true))
	wantNil(t, "Sessions.End of what a key sealed", err)
	wantSame(t, "the handles that ended", ended.Handles, 1)
	f.log = append(f.log, ending.Record)
	f.wantNoConversation(t, "whose handle was ended", sealed)

	f.clock.set(rotated.Expires)
	for _, c := range []domain.Conversation{c, late} {
		f.wantNoUse(t, "after the end of the token", shown{Conversation: c.ID})
		_, err := f.Ports.Conversations.Renew(t.Context(), c.ID, c.Key, c.Key)
		wantKind(t, "Renew after the end of the token", err, domain.NotFound)
	}
	wantSame(t, "Sweep after the end of the token", f.sweep(t, 10), 2)
	f.wantRecords(t, "after all")
}

func rotateStanding(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	token := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
	first, second, third := tokenHash(token), f.rotation(time.Hour), f.rotation(0)
	use := func(hash domain.TokenHash) domain.OpenUse {
		return domain.OpenUse{Token: token.ID, Secret: hash}
	}
	all := []domain.OpenUse{use(first), use(second.Hash), use(third.Hash), use(domain.TokenHash{})}
	stand := func(what string, token domain.AccessToken, hashes ...domain.TokenHash) {
		t.Helper()
		var want []domain.Access
		for _, hash := range hashes {
			a := ofToken(token, false, p, domain.DefaultScopes())
			a.Caller.Secret = hash
			want = append(want, a)
		}
		f.wantStanding(t, what, append(all, all...), want...)
	}
	stand("before Rotate", token, first, domain.TokenHash{})
	once := f.rotate(t, token, second)
	stand("in the overlap", once, first, second.Hash, domain.TokenHash{})
	f.clock.set(once.PreviousEnds.Add(-1))
	stand("before the overlap ends", once, first, second.Hash, domain.TokenHash{})
	f.clock.set(once.PreviousEnds)
	stand("when the overlap has ended", once, second.Hash, domain.TokenHash{})
	twice := f.rotate(t, token, third)
	stand("after a Rotate without an overlap", twice, third.Hash, domain.TokenHash{})
	f.clock.set(twice.Expires)
	stand("after the end of the token", twice)
}

// rotateAtOnce would show an adapter that reads the token first and stores it then.
func rotateAtOnce(t *testing.T, f *fixture) {
	at := f.instances(t)
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	const n = 8
	for range 4 {
		token := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
		f.clock.advance(time.Hour)
		rotations, acts := make([]domain.Rotation, n), make([]domain.Act, n)
		got, errs := make([]domain.AccessToken, n), make([]error, n)
		var written []domain.Record
		for i := range n {
			rotations[i], acts[i] = f.rotation(time.Hour), f.rotatingAct(token)
			written = append(written, acts[i].Record)
		}
		atOnce(n, func(i int) {
			got[i], errs[i] = at[i%len(at)].Ports.Tokens.Rotate(t.Context(), acts[i], token.ID, rotations[i])
		})
		live := map[bool]int{} // by whether it is the current text
		for i := range n {
			wantNil(t, fmt.Sprintf("one of %d Rotates at the same instant", n), errs[i])
			wantSame(t, "the end of the token", got[i].Expires, domain.Instant(f.clock.now()).Add(24*time.Hour))
			if a, err := f.Ports.Access.ByToken(t.Context(), rotations[i].Hash); err == nil {
				live[a.SecretEnds.Equal(a.Token.Expires)]++
			} else {
				wantKind(t, "by a text that another replaced", err, domain.NotFound)
			}
		}
		wantSame(t, "how many texts open the token", live, map[bool]int{true: 1, false: 1})
		f.wantNoTokenCaller(t, "by the first text", tokenHash(token))
		f.wantRecordsInAnyOrder(t, "after Rotates at the same instant", written)
		f.withdraw(t, token.ID)
	}
}

func rotateRemoved(t *testing.T, f *fixture) {
	at := f.instances(t)
	p := f.addNamed(t, "p")
	for n := range 2 * rounds {
		u := f.member(t, f.username(), p.ID)
		token := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
		r, act, removing := f.rotation(time.Hour), f.rotatingAct(token), f.act(domain.ActionDeleteAccessToken, "gone")
		var err, removed error
		atOnce(2, func(i int) {
			switch other := at[len(at)-1].Ports; {
			case i == 0:
				_, err = at[0].Ports.Tokens.Rotate(t.Context(), act, token.ID, r)
			case n%2 == 0:
				removed = other.Tokens.Remove(t.Context(), removing, token.ID)
			default:
				_, removed = other.Users.Update(t.Context(), removing, u.ID, changing(another), domain.Kept{})
			}
		})
		wantNil(t, "what takes the token beside Rotate", removed)
		want := []domain.Record{removing.Record}
		if err == nil {
			want = []domain.Record{act.Record, removing.Record}
		} else {
			wantKind(t, "Rotate beside what takes the token", err, domain.NotFound)
		}
		f.log = append(f.log, want...)
		f.wantRecords(t, "after Rotate beside what takes the token")
		f.wantNoTokenCaller(t, "by the first text", tokenHash(token))
		f.wantNoTokenCaller(t, "by the new text", r.Hash)
	}
}

// rotateLost has a login rotate a token while its user loses what that needs.
func rotateLost(t *testing.T, f *fixture) {
	at := f.instances(t)
	p := f.addNamed(t, "p")
	for _, tc := range []struct {
		what string
		kind domain.Kind
		take func(at ports.Store, act domain.Act, who actor) error
	}{
		{"demoted", domain.NotAllowed, func(at ports.Store, act domain.Act, who actor) error {
			return changesUser(func(u *domain.User) { u.Role = domain.RoleMember })(t.Context(), at, act, who, attempt{})
		}},
		{"disabled", domain.NotAuthenticated, func(at ports.Store, act domain.Act, who actor) error {
			return changesUser(func(u *domain.User) { u.Disabled = true })(t.Context(), at, act, who, attempt{})
		}},
		{"given another password", domain.Conflict, func(at ports.Store, act domain.Act, who actor) error {
			_, err := at.Users.Update(t.Context(), act, who.user.ID, changing(another), domain.Kept{Login: who.caller.Login.ID, Tokens: true})
			return err
		}},
	} {
		for range rounds / 2 {
			who := f.actorByLogin(t, domain.RoleAdmin)
			token := f.token(who.user.ID, p.ID, domain.DefaultScopes())
			token.OwnUsers = true
			f.issue(t, token)
			r, act, taking := f.rotation(0), f.actBy(who, attempt{}, tc.what), f.act(domain.ActionUpdateUser, tc.what)
			act.Proven = who.user.PasswordHash
			var err, taken error
			atOnce(2, func(i int) {
				if i == 0 {
					_, err = at[0].Ports.Tokens.Rotate(t.Context(), act, token.ID, r)
				} else {
					taken = tc.take(at[len(at)-1].Ports, taking, who)
				}
			})
			wantNil(t, "what takes the right beside Rotate", taken)
			want := []domain.Record{taking.Record}
			if err == nil {
				want = []domain.Record{act.Record, taking.Record}
			} else {
				wantKind(t, "Rotate by a user who is "+tc.what, err, tc.kind)
				f.wantNoTokenCaller(t, "by the text of a Rotate that was refused", r.Hash)
			}
			f.log = append(f.log, want...)
			f.wantRecords(t, "after Rotate by a user who is "+tc.what)
		}
	}
}

func rotateTaken(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	for _, at := range f.instances(t) {
		token := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
		f.whileInUse(t, "Tokens.Rotate", func(ctx context.Context, at Store) error {
			_, err := byToken(ctx, at.Ports.Access, tokenHash(token))
			return err
		}, func() error {
			_, err := at.Ports.Tokens.Rotate(t.Context(), f.rotatingAct(token), token.ID, f.rotation(0))
			return err
		})
	}
}

func rotateSwept(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	var short, long []domain.AccessToken
	for range 3 {
		token := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
		short = append(short, f.rotate(t, token, f.rotation(time.Hour)))
		token = f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
		long = append(long, f.rotate(t, token, f.rotation(2*time.Hour)))
	}
	f.clock.set(short[0].PreviousEnds.Add(-1))
	wantSame(t, "Sweep a nanosecond before any is over", f.sweep(t, 10), 0)
	f.clock.set(short[0].PreviousEnds)
	for _, step := range []struct{ limit, want int }{{0, 0}, {1, 1}, {2, 2}, {2, 0}} {
		wantSame(t, fmt.Sprintf("Sweep of at most %d", step.limit), f.sweep(t, step.limit), step.want)
	}
	var want []domain.AccessToken
	for i := range short {
		short[i].PreviousEnds = time.Time{}
		want = append(want, short[i], long[i])
		f.wantNoTokenCaller(t, "by a text that was swept", tokenHash(short[i]))
		f.wantText(t, "a text that is not over", tokenHash(long[i]), long[i], long[i].PreviousEnds)
	}
	f.wantTokens(t, "after Sweep", u.ID, want...)
	f.wantRecords(t, "after Sweeps, which keep none")
}
