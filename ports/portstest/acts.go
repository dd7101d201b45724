package portstest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// Acts checks that a right belongs to the change. Every method with an Act fails and changes
// nothing if the right is gone when the change is made.
func Acts(t *testing.T, open OpenStore) {
	var sentences []sentence
	for _, c := range calls() {
		if c.act {
			sentences = append(sentences, sentence{c.String() + " is carried out on a right that is there at that moment only", func(t *testing.T, f *fixture) { actsOf(t, f, c) }})
		}
	}
	check(t, open, append(sentences,
		sentence{"of two who take each other's right at the same instant one is refused", actsMutual},
		sentence{"of two changes of one's own user at the same instant both succeed", actsOnOneself},
		sentence{"admins who end each other's sessions at the same instant do not wait for each other in vain", actsOfARing},
		sentence{"requests of one login at the same instant do not wait for each other in vain", actsOfOneLogin},
		sentence{"an act that stands on a proven password is Conflict once it is another one", actsProven},
		sentence{"no token that stands on a proven password outlives a change of it at the same instant", actsProvenRace},
		sentence{"an act by an access token takes the parts of managing that it needs", actsParts},
		sentence{"what is another's is for who may manage when it is changed, whatever the act says", actsOnOthers},
	))
}

// actsOf runs the parts of the sentence about the call, on one store.
func actsOf(t *testing.T, f *fixture, c call) {
	f.install(t)
	f.instances(t) // of the whole sentence, not of its first part
	for _, part := range []struct {
		name string
		of   bool
		run  func(t *testing.T, f *fixture, c call)
	}{
		{"after the right is gone the change is refused, before anything else is checked", true, actsAfter},
		{"a caller who never had the right is refused", true, actsWithout},
		{"the operator needs no right", c.fails == "", actsAlone},
		{"the call and a loss of the right at the same instant come one after the other", c.changes || c.record, actsDuring},
	} {
		if part.of && !t.Run(part.name, func(t *testing.T) { part.run(t, f, c) }) {
			return // what it left behind would make the next parts fail
		}
	}
}

// party is a kind of actor.
type party struct {
	name string
	make func(t *testing.T, f *fixture) actor
	may  func(needs domain.Need) bool // has what the act needs, until it is removed
}

var parties = []party{
	{"a member by login", func(t *testing.T, f *fixture) actor { return f.actorByLogin(t, domain.RoleMember) }, func(needs domain.Need) bool {
		return needs != domain.NeedsAdmin()
	}},
	{"an admin by login", func(t *testing.T, f *fixture) actor { return f.actorByLogin(t, domain.RoleAdmin) }, func(domain.Need) bool { return true }},
	{"an admin by token", func(t *testing.T, f *fixture) actor {
		return f.actorByToken(t, "", domain.ScopesOf(domain.ScopeManage))
	}, func(needs domain.Need) bool {
		return needs.Project() == ""
	}},
}

// actorByToken returns an admin with an access token of their own for the project.
func (f *fixture) actorByToken(t *testing.T, id domain.ProjectID, scopes domain.Scopes) actor {
	t.Helper()
	u := f.admin(t, f.username())
	return actor{u, domain.CallerByToken(f.issue(t, f.token(u.ID, id, scopes)), u.Role)}
}

// lost is one way in which an actor loses a right.
type lost struct {
	name string
	// take takes it away, as act.
	take func(ctx context.Context, at ports.Store, act domain.Act, who actor, a attempt) error
	// refusal is how an attempt fails then, "" if it does not.
	refusal func(c call, who actor, a attempt) domain.Kind
	// outlives says which of the user's sessions must not be there then.
	outlives func(s domain.Session, who actor, a attempt) bool
}

// losses are the ways to lose a right, each in a change by the operator.
var losses = []lost{
	{"the user is deleted", func(ctx context.Context, at ports.Store, act domain.Act, who actor, _ attempt) error {
		return at.Users.Remove(ctx, act, who.user.ID, agree)
	}, always(domain.NotAuthenticated), anySession},
	{"the user is disabled", changesUser(func(u *domain.User) { u.Disabled = true }), always(domain.NotAuthenticated), anySession},
	{"the password is another one", changesUser(func(u *domain.User) { u.PasswordHash = domain.NewSecret("$test$taken") }), always(domain.NotAuthenticated), anySession},
	{"the login has ended", func(ctx context.Context, at ports.Store, act domain.Act, who actor, _ attempt) error {
		_, err := at.Sessions.End(ctx, act, domain.OneSession(who.caller.Login.ID))
		return err
	}, ofLogins, func(s domain.Session, who actor, _ attempt) bool {
		return s.ID == who.caller.Login.ID || s.Login == who.caller.Login.ID
	}},
	{"all sessions have ended", func(ctx context.Context, at ports.Store, act domain.Act, who actor, _ attempt) error {
		_, err := at.Sessions.End(ctx, act, domain.SessionsOf(who.user.ID))
		return err
	}, ofLogins, anySession},
	{"the access token is deleted", func(ctx context.Context, at ports.Store, act domain.Act, who actor, _ attempt) error {
		return at.Tokens.Remove(ctx, act, who.caller.Token)
	}, func(_ call, who actor, _ attempt) domain.Kind {
		if who.caller.Token == "" {
			return ""
		}
		return domain.NotAuthenticated
	}, noSession},
	{"the user is demoted", changesUser(func(u *domain.User) { u.Role = domain.RoleMember }), func(_ call, who actor, a attempt) domain.Kind {
		if !who.caller.Admin || a.needs == domain.NeedsCaller() {
			return ""
		}
		return domain.NotAllowed
	}, func(s domain.Session, _ actor, _ attempt) bool { return s.ByRole }},
	{"the grant is revoked", func(ctx context.Context, at ports.Store, act domain.Act, who actor, a attempt) error {
		return at.Grants.Remove(ctx, act, who.user.ID, a.needs.Project())
	}, ofGrants, func(s domain.Session, _ actor, a attempt) bool { return s.Project == a.needs.Project() && !s.ByRole }},
	{"the grant has other scopes", func(ctx context.Context, at ports.Store, act domain.Act, who actor, a attempt) error {
		return at.Grants.Put(ctx, act, who.user.ID, a.needs.Project(), domain.ScopesOf(domain.ScopeAnalytics), act.Record.At)
	}, func(c call, who actor, a attempt) domain.Kind {
		if a.needs == domain.NeedsUse(a.needs.Project(), 0) {
			return ""
		}
		return ofGrants(c, who, a)
	}, noSession},
}

func changesUser(change func(u *domain.User)) func(context.Context, ports.Store, domain.Act, actor, attempt) error {
	return func(ctx context.Context, at ports.Store, act domain.Act, who actor, _ attempt) error {
		_, err := at.Users.Update(ctx, act, who.user.ID, changing(change), domain.Kept{})
		return err
	}
}

func always(kind domain.Kind) func(call, actor, attempt) domain.Kind {
	return func(call, actor, attempt) domain.Kind { return kind }
}

// ofLogins returns the refusal of a caller with a login.
func ofLogins(_ call, who actor, _ attempt) domain.Kind {
	if who.caller.Login.ID == "" {
		return ""
	}
	return domain.NotAuthenticated
}

// ofGrants returns the refusal of a caller whose right is a grant.
func ofGrants(c call, who actor, a attempt) domain.Kind {
	if who.caller.Admin || a.needs.Project() == "" || c.fails != "" {
		return ""
	}
	return domain.NotAllowed
}

func anySession(domain.Session, actor, attempt) bool { return true }

func noSession(domain.Session, actor, attempt) bool { return false }

// eachLoss prepares the call once for every kind of actor and every way in which that actor
// loses the right to it.
func (f *fixture) eachLoss(t *testing.T, c call, run func(what string, l lost, who actor, a attempt, refusal domain.Kind)) {
	t.Helper()
	for _, p := range parties {
		for _, l := range losses {
			who := p.make(t, f)
			a := c.ready(t, f, who)
			if a.do == nil || !p.may(a.needs) {
				break
			}
			if refusal := l.refusal(c, who, a); refusal != "" {
				run(fmt.Sprintf("%v by %s when %s", c, p.name, l.name), l, who, a, refusal)
			}
		}
	}
}

// refused is an attempt that is to be refused.
type refused struct {
	what string
	who  actor
	a    attempt
	kind domain.Kind
	at   time.Time // when it is made
}

// wantRefused makes the attempts and fails the test unless each is refused, and nothing is
// changed.
func (f *fixture) wantRefused(t *testing.T, all []refused) {
	t.Helper()
	before, now := f.state(t, f.Ports), f.clock.now()
	for _, r := range all {
		f.clock.set(r.at)
		_, err := r.a.do(t.Context(), f.Ports, f.actBy(r.who, r.a, r.what))
		wantKind(t, r.what, err, r.kind)
	}
	f.clock.set(now)
	f.wantState(t, "after what was refused", before)
	f.wantRecords(t, "after what was refused")
}

// actsAfter loses the right on one instance and makes the call on another.
func actsAfter(t *testing.T, f *fixture, c call) {
	at := f.instances(t)
	var all []refused
	f.eachLoss(t, c, func(what string, l lost, who actor, a attempt, refusal domain.Kind) {
		taking := f.act(domain.ActionUpdateUser, l.name)
		wantNil(t, "preparing: "+l.name, l.take(t.Context(), at[len(at)-1].Ports, taking, who, a))
		f.log = append(f.log, taking.Record)
		all = append(all, refused{what, who, a, refusal, f.clock.now()})
	})
	for _, p := range parties {
		who := p.make(t, f)
		a := c.ready(t, f, who)
		if a.do == nil || !p.may(a.needs) {
			continue
		}
		end := who.caller.Login.Idle
		if who.caller.Token != "" {
			end = f.clock.now().Add(24 * time.Hour)
		}
		all = append(all, refused{fmt.Sprintf("%v by %s whose login or token is over", c, p.name), who, a, domain.NotAuthenticated, end})
	}
	f.wantRefused(t, all)
}

// actsWithout has actors that exist and may do other things.
func actsWithout(t *testing.T, f *fixture, c call) {
	p := f.addNamed(t, "p")
	member, admin := f.actorByLogin(t, domain.RoleMember), f.actorByLogin(t, domain.RoleAdmin)
	byToken := f.actorByToken(t, p.ID, domain.AllScopes())
	byPart := f.actorByToken(t, "", domain.ScopesOf(domain.ScopeManageUsers, domain.ScopeManageAudit))
	forged := func(change func(c *domain.Caller)) actor {
		who := admin
		change(&who.caller)
		return who
	}
	var all []refused
	for _, tc := range []struct {
		name string
		who  actor
		kind domain.Kind // NotAllowed of what takes an admin alone
	}{
		{"a member", member, domain.NotAllowed},
		{"an admin by a token that does not manage", byToken, domain.NotAllowed},
		{"an admin by a token that manages other parts", byPart, domain.NotAllowed},
		{"an unknown login", forged(func(c *domain.Caller) { c.Login.ID = sessionID(404) }), domain.NotAuthenticated},
		{"another's login", forged(func(c *domain.Caller) { c.Login = member.caller.Login }), domain.NotAuthenticated},
		{"another user than the login's", forged(func(c *domain.Caller) { c.ID = member.user.ID }), domain.NotAuthenticated},
		{"an assistant session in place of a login", forged(func(c *domain.Caller) {
			c.Login = f.set(t, f.byRole(f.login(t, admin.user), p.ID))
		}), domain.NotAuthenticated},
		{"an unknown token", forged(func(c *domain.Caller) { c.Login, c.Token = domain.Session{}, tokenID(404) }), domain.NotAuthenticated},
		{"another's token", forged(func(c *domain.Caller) { c.Login, c.Token = domain.Session{}, byToken.caller.Token }), domain.NotAuthenticated},
	} {
		a := c.ready(t, f, tc.who)
		if a.do == nil || tc.kind == domain.NotAllowed && a.needs != domain.NeedsAdmin() {
			continue
		}
		all = append(all, refused{fmt.Sprintf("%v by %s", c, tc.name), tc.who, a, tc.kind, f.clock.now()})
	}
	f.wantRefused(t, all)
}

// actsAlone has the operator and a user whom a host program identified.
func actsAlone(t *testing.T, f *fixture, c call) {
	for name, caller := range map[string]domain.Caller{"the operator": domain.Operator(), "a host's admin": {ID: "a host's admin", Admin: true}} {
		who := f.actorByLogin(t, domain.RoleAdmin)
		a := c.ready(t, f, who)
		if a.needs != domain.NeedsAdmin() {
			continue
		}
		who.caller = caller
		act := f.actBy(who, a, name)
		_, err := a.do(t.Context(), f.Ports, act)
		wantNil(t, fmt.Sprintf("%v by %s", c, name), err)
		f.made(c, act)
		f.wantRecords(t, fmt.Sprintf("after %v by %s", c, name))
	}
}

// actsDuring makes the call on one instance and takes the right away on another, at the same
// instant. Of an adapter that looks the right up first and changes something then, a record
// of the change would stand after that of the loss, or what was changed would be left.
func actsDuring(t *testing.T, f *fixture, c call) {
	at := f.instances(t)
	for range 2 {
		f.eachLoss(t, c, func(what string, l lost, who actor, a attempt, refusal domain.Kind) {
			act, taking := f.actBy(who, a, what), f.act(domain.ActionUpdateUser, l.name)
			var err, takingErr error
			atOnce(2, func(i int) {
				if i == 0 {
					_, err = a.do(t.Context(), at[0].Ports, act)
				} else {
					takingErr = l.take(t.Context(), at[len(at)-1].Ports, taking, who, a)
				}
			})
			wantNil(t, l.name+" during "+what, takingErr)
			written := f.Records(t)[len(f.log):]
			want := []domain.Record{taking.Record}
			switch {
			case err == nil && len(written) == 1 && who.caller.Login.ID != "":
				want = []domain.Record{act.Record} // it ended the login itself, so there was nothing left to take
			case err == nil:
				want = []domain.Record{act.Record, taking.Record}
			default:
				wantKind(t, what+", at the same instant", err, refusal)
			}
			wantSame(t, what+", at the same instant: the records", written, want)
			f.log = append(f.log, written...)
			left, err := f.Ports.Sessions.Page(t.Context(), who.user.ID, domain.Cursor{}, 100)
			wantNil(t, "Sessions.Page", err)
			for _, s := range left {
				if l.outlives(s, who, a) {
					t.Fatalf("%s, at the same instant: got the session %+v, want it ended", what, s)
				}
			}
		})
	}
}

// actsMutual has admins who disable, delete, demote or log out each other. At least one of
// them comes too late.
func actsMutual(t *testing.T, f *fixture) {
	at := f.instances(t)
	f.admin(t, "beside")
	for _, l := range losses[:4] {
		for range rounds {
			two := []actor{f.actorByLogin(t, domain.RoleAdmin), f.actorByLogin(t, domain.RoleAdmin)}
			acts, errs := make([]domain.Act, 2), make([]error, 2)
			for i := range two {
				acts[i] = f.actBy(two[i], attempt{needs: domain.NeedsAdmin()}, l.name)
			}
			atOnce(2, func(i int) { errs[i] = l.take(t.Context(), at[i%len(at)].Ports, acts[i], two[1-i], attempt{}) })
			var written []domain.Record
			for i, err := range errs {
				if err == nil {
					written = append(written, acts[i].Record)
				} else {
					wantKind(t, "one of two of whom each sees to it that "+l.name, err, domain.NotAuthenticated)
				}
			}
			wantSame(t, "how many of two succeeded of whom each sees to it that "+l.name, len(written), 1)
			f.wantRecordsInAnyOrder(t, "after "+l.name, written)
		}
	}
}

// actsOnOneself has one user change themselves by two logins. Each keeps the sessions of
// both.
func actsOnOneself(t *testing.T, f *fixture) {
	at := f.instances(t)
	for range rounds {
		who := f.actorByLogin(t, domain.RoleAdmin)
		second := actor{who.user, domain.CallerByLogin(f.login(t, who.user), domain.RoleAdmin)}
		p := f.addNamed(t, "p")
		two := []actor{who, second}
		acts, errs := make([]domain.Act, 2), make([]error, 2)
		for i := range two {
			acts[i] = f.actBy(two[i], attempt{}, "oneself")
		}
		atOnce(2, func(i int) {
			if i == 0 {
				_, errs[i] = at[0].Ports.Users.Update(t.Context(), acts[i], who.user.ID, changing(func(u *domain.User) { u.SetAssistants([]domain.ProjectID{p.ID}) }), domain.Kept{})
				return
			}
			_, errs[i] = at[len(at)-1].Ports.Users.Update(t.Context(), acts[i], who.user.ID, changing(func(u *domain.User) { u.Role = domain.RoleMember }), domain.Kept{})
		})
		for _, err := range errs {
			wantNil(t, "one of two changes of one's own user at the same instant", err)
		}
		f.wantRecordsInAnyOrder(t, "after two changes of one's own user at the same instant", []domain.Record{acts[0].Record, acts[1].Record})
		got, err := f.Ports.Users.Find(t.Context(), domain.UserRef{ID: who.user.ID})
		wantNil(t, "Users.Find", err)
		want := who.user
		want.Role, want.Assistants = domain.RoleMember, []domain.ProjectID{p.ID}
		wantSame(t, "the user after two changes at the same instant", got, want)
	}
}

// actsOfARing has several admins who each end the sessions of all others at the same instant. At
// least one of them succeeds.
func actsOfARing(t *testing.T, f *fixture) {
	at := f.instances(t)
	const size = 5
	for range rounds / 4 {
		var ring []actor
		for range size {
			ring = append(ring, f.actorByLogin(t, domain.RoleAdmin))
		}
		var acts []domain.Act
		var of []actor
		for i, by := range ring {
			for j, other := range ring {
				if i != j {
					acts, of = append(acts, f.actBy(by, attempt{needs: domain.NeedsAdmin()}, string(other.user.ID))), append(of, other)
				}
			}
		}
		ended, errs := make([]domain.SessionsEnded, len(acts)), make([]error, len(acts))
		atOnce(len(acts), func(i int) {
			which := domain.SessionsOf(of[i].user.ID)
			if i%2 == 0 {
				which = domain.OneSession(of[i].caller.Login.ID)
			}
			ended[i], errs[i] = at[i%len(at)].Ports.Sessions.End(t.Context(), acts[i], which)
		})
		var written []domain.Record
		for i, err := range errs {
			switch {
			case err != nil:
				wantKind(t, "one of several admins who end each other's sessions", err, domain.NotAuthenticated)
			case ended[i].Sessions > 0:
				written = append(written, acts[i].Record)
			}
		}
		if len(written) == 0 {
			t.Error("none of several admins who end each other's sessions succeeded")
		}
		f.wantRecordsInAnyOrder(t, "after several admins ended each other's sessions", written)
	}
}

// actsOfOneLogin has several requests of one login that end its sessions or change its user at
// the same instant. All must end.
func actsOfOneLogin(t *testing.T, f *fixture) {
	at := f.instances(t)
	f.admin(t, "beside")
	const width = 6
	for n := range rounds / 2 {
		who := f.actorByLogin(t, domain.RoleAdmin)
		acts, errs := make([]domain.Act, width), make([]error, width)
		for i := range acts {
			acts[i] = f.actBy(who, attempt{}, fmt.Sprintf("request %d", i))
		}
		atOnce(width, func(i int) {
			store, ended := at[i%len(at)].Ports, domain.SessionsEnded{}
			switch (i + n) % 3 {
			case 0:
				ended, errs[i] = store.Sessions.End(t.Context(), acts[i], domain.OneSession(who.caller.Login.ID))
			case 1:
				ended, errs[i] = store.Sessions.End(t.Context(), acts[i], domain.SessionsOf(who.user.ID))
			default:
				ended.Sessions = 1
				_, errs[i] = store.Users.Update(t.Context(), acts[i], who.user.ID, changing(func(u *domain.User) {
					u.PasswordHash = domain.NewSecret(fmt.Sprintf("hash %d", i))
				}), domain.Kept{Login: who.caller.Login.ID})
			}
			if errs[i] == nil && ended.Sessions == 0 {
				t.Errorf("request %d ended nothing, want an error or an end", i)
			}
		})
		var written []domain.Record
		for i, err := range errs {
			if err == nil {
				written = append(written, acts[i].Record)
			} else {
				wantKind(t, "one of several requests of one login at the same instant", err, domain.NotAuthenticated)
			}
		}
		f.wantRecordsInAnyOrder(t, "after several requests of one login at the same instant", written)
	}
}

// actsOnOthers has acts that need a caller only, of an admin who is demoted before or at the
// same instant, on what an admin alone may end or delete.
func actsOnOthers(t *testing.T, f *fixture) {
	at := f.instances(t)
	p := f.addNamed(t, "p")
	for _, tc := range []struct {
		name  string
		ready func() func(at ports.Store, act domain.Act) (bool, error)
	}{
		{"End of another's session", func() func(at ports.Store, act domain.Act) (bool, error) {
			s := f.login(t, f.member(t, f.username()))
			return func(at ports.Store, act domain.Act) (bool, error) {
				ended, err := at.Sessions.End(t.Context(), act, domain.OneSession(s.ID))
				return ended.Sessions > 0, err
			}
		}},
		{"Remove of another's token", func() func(at ports.Store, act domain.Act) (bool, error) {
			token := f.issue(t, f.token(f.member(t, f.username()).ID, p.ID, domain.DefaultScopes()))
			return func(at ports.Store, act domain.Act) (bool, error) {
				err := at.Tokens.Remove(t.Context(), act, token.ID)
				if domain.KindOf(err) == domain.NotFound {
					return false, nil
				}
				return err == nil, err
			}
		}},
	} {
		for range rounds / 2 {
			for _, before := range []bool{true, false} {
				who, do := f.actorByLogin(t, domain.RoleAdmin), tc.ready()
				act, demoting := f.actBy(who, attempt{needs: domain.NeedsCaller()}, tc.name), f.act(domain.ActionUpdateUser, "demoted")
				demote := func() {
					_, err := at[len(at)-1].Ports.Users.Update(t.Context(), demoting, who.user.ID, changing(func(u *domain.User) { u.Role = domain.RoleMember }), domain.Kept{})
					if err != nil {
						t.Errorf("demoting beside %s: %v", tc.name, err)
					}
				}
				var done bool
				var err error
				if before {
					demote()
					done, err = do(f.Ports, act)
				} else {
					atOnce(2, func(i int) {
						if i == 0 {
							demote()
						} else {
							done, err = do(f.Ports, act)
						}
					})
				}
				wantNil(t, tc.name+" by a former admin", err)
				want := []domain.Record{demoting.Record}
				if done && !before {
					want = []domain.Record{act.Record, demoting.Record}
				}
				f.log = append(f.log, want...)
				f.wantRecords(t, "after "+tc.name+" by a former admin")
			}
		}
	}
}
