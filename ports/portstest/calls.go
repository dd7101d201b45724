package portstest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// call is one call of a method of a view of ports.Store. What every method promises is checked
// for each call in the table.
type call struct {
	method string // "Projects.Add"
	way    string // in what way it is called, "" for the usual one

	act     bool        // the method takes an Act
	changes bool        // it changes what the views read
	record  bool        // it keeps the record that it is given
	fails   domain.Kind // how it fails, "" if it succeeds
	alone   bool        // calls of it at the same instant exclude each other

	// ready prepares the store so that the call can be made once, by who. What it returns
	// can't be done by everybody.
	ready func(t *testing.T, f *fixture, who actor) attempt
}

// attempt is a call that can be made.
type attempt struct {
	// do makes the call. It is nil if who can't make such a call at all. A method that takes
	// a record and no Act is given the record of the act.
	do    func(ctx context.Context, at ports.Store, act domain.Act) (any, error)
	needs domain.Need // of the act
	args  []any       // what do hands in: pointers, slices and maps
	// check returns an error if the result of do is wrong. It is nil if the result depends on
	// other calls.
	check func(result any) error
}

// writers are the methods without an Act that change something, at least at times.
var writers = []string{
	"Projects.Note", "Sessions.OpenLogin", "Sessions.Touch", "Conversations.Open", "Conversations.Renew", "Usage.Add", "Audit.Append", "Audit.AppendOnce", "Webhooks.Begin", "Webhooks.End",
	"Chain.Extend", "Chain.Cut", "Chain.Remove", "Usage.Forget", "Checks.Claim", "Checks.Put", "Sealings.Replace", "Sessions.OpenLoginByLink", "SignOns.Open", "SignOns.Claim", "SignOns.Renew", "SignOns.Refuse", "SignOns.Logout", "Installation.Prepare", "Installation.CheckWrites", "Sweeper.Sweep",
}

// reads reports whether the method changes nothing, whatever is stored.
func (c call) reads() bool { return !c.act && !slices.Contains(writers, c.method) }

func (c call) String() string { return strings.TrimSpace(c.method + " " + c.way) }

// actor is somebody who makes calls.
type actor struct {
	user   domain.User
	caller domain.Caller
}

// actBy returns the act of who for the attempt, with an audit record of its own.
func (f *fixture) actBy(who actor, a attempt, object string) domain.Act {
	rec := f.record(domain.ActionForward, object)
	rec.Actor = who.caller.Actor()
	return domain.Act{By: who.caller, Needs: a.needs, Record: rec}
}

// actorByLogin returns a user of that role with a login of their own.
func (f *fixture) actorByLogin(t *testing.T, role domain.Role) actor {
	t.Helper()
	u := f.create(t, f.user(domain.Username(fmt.Sprintf("actor%d", f.next())), role))
	return actor{u, domain.CallerByLogin(f.login(t, u), role)}
}

// projectFor stores a project that who may use.
func (f *fixture) projectFor(t *testing.T, who actor) domain.Project {
	t.Helper()
	p := f.addNamed(t, "p")
	if !who.caller.Admin {
		f.grantScopes(t, who.user.ID, p.ID, domain.AllScopes())
	}
	return p
}

// callsOf returns the calls of the view's methods.
func callsOf(view string) []call {
	var all []call
	for _, c := range calls() {
		if strings.HasPrefix(c.method, view+".") {
			all = append(all, c)
		}
	}
	return all
}

// promises returns the sentences that hold for every method of the view.
func promises(view string) []sentence {
	all := callsOf(view)
	each := func(run func(t *testing.T, f *fixture, all []call)) func(t *testing.T, f *fixture) {
		return func(t *testing.T, f *fixture) {
			f.install(t)
			run(t, f, all)
		}
	}
	return []sentence{
		{"every method does what it says on every instance, which all see it at once, and keeps one record or none", each(callsElsewhere)},
		{"no method keeps or modifies its arguments, and results are the caller's own", each(callsArguments)},
		{"an outage and an ended context are Unavailable, never NotFound, and change nothing", each(callsUnavailable)},
		{"a database that can only be read answers reads, and changes are the error of domain.ReadsOnly until it can be written", each(callsReadsOnly)},
		{"all methods are safe for concurrent use", each(callsConcurrent)},
	}
}

// state is what the views of a store read.
type state struct {
	Projects     []domain.Project
	Grants       []domain.Grant
	Users        []domain.User
	Sessions     []domain.Session
	Rules        []domain.GroupRule
	Tokens       []domain.AccessToken
	Webhooks     []domain.Webhook
	Deliveries   []domain.Delivery
	Sealed       []domain.SealedRow
	Uses         map[domain.KeyID]domain.KeyUse
	Usage        []domain.Usage
	Installation domain.Installation
	Head         domain.AuditHead
}

// state reads what the views of an instance read.
func (f *fixture) state(t *testing.T, at ports.Store) state {
	t.Helper()
	const all = 10_000
	ctx := t.Context()
	var s state
	read := func(what string, err error) {
		t.Helper()
		wantNil(t, "reading the state: "+what, err)
	}
	listed, err := at.Projects.Page(ctx, everything, domain.ProjectFilter{}, domain.Cursor{}, all)
	read("Projects.Page", err)
	for _, p := range listed {
		found, err := at.Projects.Find(ctx, everything, domain.ProjectRef{ID: p.ID})
		read("Projects.Find", err)
		s.Projects = append(s.Projects, found...)
	}
	s.Grants, err = at.Grants.Page(ctx, domain.GrantFilter{}, domain.Cursor{}, all)
	read("Grants.Page", err)
	s.Users, err = at.Users.Page(ctx, domain.Cursor{}, all)
	read("Users.Page", err)
	users := []domain.UserID{"a host's user", "a host's admin"}
	for _, u := range s.Users {
		users = append(users, u.ID)
	}
	for _, u := range users {
		sessions, err := at.Sessions.Page(ctx, u, domain.Cursor{}, all)
		read("Sessions.Page", err)
		s.Sessions = append(s.Sessions, sessions...)
	}
	s.Rules, err = at.GroupRules.List(ctx)
	read("GroupRules.List", err)
	s.Tokens, err = at.Tokens.Page(ctx, "", domain.Cursor{}, all)
	read("Tokens.Page", err)
	s.Webhooks, err = at.Webhooks.List(ctx)
	read("Webhooks.List", err)
	for _, w := range s.Webhooks {
		deliveries, err := at.Webhooks.Deliveries(ctx, w.ID, all)
		read("Webhooks.Deliveries", err)
		s.Deliveries = append(s.Deliveries, deliveries...)
	}
	s.Sealed, err = at.Sealings.Page(ctx, "", domain.SealedRef{}, all)
	read("Sealings.Page", err)
	s.Uses, err = at.Sealings.Uses(ctx)
	read("Sealings.Uses", err)
	s.Usage, err = at.Usage.Report(ctx, everyDay, nil, all)
	read("Usage.Report", err)
	s.Installation, err = at.Installation.Get(ctx)
	read("Installation.Get", err)
	s.Head, err = at.Chain.Head(ctx)
	read("Chain.Head", err)
	return s
}

// wantState fails the test unless every instance reads want.
func (f *fixture) wantState(t *testing.T, what string, want state) {
	t.Helper()
	for i, at := range f.instances(t) {
		wantSame(t, fmt.Sprintf("%s: what instance %d reads", what, i), f.state(t, at.Ports), want)
	}
}

// returns returns a check of what an attempt returns.
func returns(want any) func(result any) error {
	return func(result any) error { return mismatch(result, want) }
}

// outcome returns how the outcome of the attempt differs from the expected one.
func (c call) outcome(a attempt, result any, err error) string {
	switch {
	case c.fails != "":
		return otherThan(err, c.fails)
	case err != nil:
		return fmt.Sprintf("got error %q, want success", err)
	case a.check != nil:
		if problem := a.check(result); problem != nil {
			return "what it returned: " + problem.Error()
		}
	}
	return ""
}

// made notes what a call has done that has returned what it should.
func (f *fixture) made(c call, act domain.Act) {
	if c.record && c.fails == "" {
		f.log = append(f.log, act.Record)
	}
}

// callsElsewhere prepares each call on one instance and makes it on each.
func callsElsewhere(t *testing.T, f *fixture, all []call) {
	for _, c := range all {
		for _, at := range f.instances(t) {
			who := f.actorByLogin(t, domain.RoleAdmin)
			a := c.ready(t, f, who)
			before := f.state(t, f.Ports)
			act := f.actBy(who, a, c.String())
			result, err := a.do(t.Context(), at.Ports, act)
			if problem := c.outcome(a, result, err); problem != "" {
				t.Fatalf("%v: %s", c, problem)
			}
			f.made(c, act)
			f.wantRecords(t, "after "+c.String())
			after := f.state(t, f.Ports)
			if changed := difference(after, before) != ""; changed != c.changes {
				t.Fatalf("%v: got a change of what is stored: %v, want: %v", c, changed, c.changes)
			}
			f.wantState(t, "after "+c.String(), after)
		}
	}
}

// callsArguments changes the arguments and the results after each call.
func callsArguments(t *testing.T, f *fixture, all []call) {
	for _, c := range all {
		who := f.actorByLogin(t, domain.RoleAdmin)
		a := c.ready(t, f, who)
		handed := fmt.Sprintf("%+v", a.args)
		result, err := a.do(t.Context(), f.Ports, f.actBy(who, a, c.String()))
		if problem := c.outcome(a, result, err); problem != "" {
			t.Fatalf("%v: %s", c, problem)
		}
		if now := fmt.Sprintf("%+v", a.args); now != handed {
			t.Fatalf("%v: got its arguments afterwards as %s, want %s", c, now, handed)
		}
		want := fmt.Sprintf("%+v", f.state(t, f.Ports)) // as text, which shares no bytes with the store
		for _, arg := range a.args {
			scramble(reflect.ValueOf(arg))
		}
		scramble(reflect.ValueOf(result))
		if e, ours := errors.AsType[*domain.Error](err); ours {
			scramble(reflect.ValueOf(e.Projects))
		}
		if got := fmt.Sprintf("%+v", f.state(t, f.Ports)); got != want {
			t.Fatalf("after the caller altered what it had handed to %v, and what it had got: got another state than before", c)
		}
	}
}

// scramble alters all that can be reached by way of v.
func scramble(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			scramble(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				scramble(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			scramble(v.Index(i))
			v.Index(i).SetZero()
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			scramble(v.MapIndex(key))
		}
		v.Clear()
	}
}

// callsUnavailable makes each call under contexts that have ended and without a database.
func callsUnavailable(t *testing.T, f *fixture, all []call) {
	var steps []step
	for _, c := range all {
		who := f.actorByLogin(t, domain.RoleAdmin)
		a := c.ready(t, f, who)
		act := f.actBy(who, a, c.String())
		steps = append(steps, step{c.String(), func(ctx context.Context) error {
			_, err := a.do(ctx, f.Ports, act)
			return err
		}})
	}
	before := f.state(t, f.Ports)
	f.wantUnavailable(t, func(t *testing.T) {
		f.wantState(t, "after calls under ended contexts", before)
		f.wantRecords(t, "after calls under ended contexts")
	}, steps...)
}

// callsReadsOnly makes each call while the database can only be read. Then it makes the changes that
// were refused.
func callsReadsOnly(t *testing.T, f *fixture, all []call) {
	if f.StopWrites == nil {
		t.Skip("this store is never one that can only be read")
	}
	type prepared struct {
		call
		attempt
		domain.Act
	}
	var calls, refused []prepared
	for _, c := range all {
		who := f.actorByLogin(t, domain.RoleAdmin)
		a := c.ready(t, f, who)
		calls = append(calls, prepared{c, a, f.actBy(who, a, c.String())})
	}
	before := f.state(t, f.Ports)
	allow := f.StopWrites(t)
	for _, p := range calls {
		result, err := p.do(t.Context(), f.Ports, p.Act)
		changes := (p.changes || p.record) && p.fails == ""
		switch {
		case domain.IsReadsOnly(err) && domain.KindOf(err) == domain.Unavailable && !p.reads():
			refused = append(refused, p)
		case changes:
			t.Errorf("%v while the database can only be read: got %v, want the error of domain.ReadsOnly", p.call, err)
		default:
			if problem := p.outcome(p.attempt, result, err); problem != "" && p.reads() {
				t.Errorf("%v while the database can only be read: %s", p.call, problem)
			}
		}
	}
	if err := f.Ports.Installation.CheckWrites(t.Context()); !domain.IsReadsOnly(err) {
		t.Errorf("CheckWrites while the database can only be read: got %v, want the error of domain.ReadsOnly", err)
	}
	wantSame(t, "what is stored after the refused changes", f.state(t, f.Ports), before)
	f.wantRecords(t, "after the refused changes")

	allow()
	deadline := time.Now().Add(patience)
	for err := error(domain.Unavailable); err != nil; err = f.Ports.Installation.CheckWrites(t.Context()) {
		if time.Now().After(deadline) {
			t.Fatalf("CheckWrites long after the database can be written again: %v", err)
		}
		runtime.Gosched()
	}
	for _, p := range refused {
		if p.alone {
			continue // what is ready for one such call is not ready for the next
		}
		result, err := p.do(t.Context(), f.Ports, p.Act)
		if problem := p.outcome(p.attempt, result, err); problem != "" {
			t.Errorf("%v after the database could be written again: %s", p.call, problem)
		}
		f.made(p.call, p.Act)
	}
}

// callsConcurrent makes several of each call at the same instant, on all instances. Each must
// do what it does alone.
func callsConcurrent(t *testing.T, f *fixture, all []call) {
	type made struct {
		call    call
		attempt attempt
		act     domain.Act
		on      ports.Store
		result  any
		err     error
	}
	at := f.instances(t)
	var calls []*made
	for range 3 {
		for _, c := range all {
			if c.alone {
				continue
			}
			who := f.actorByLogin(t, domain.RoleAdmin)
			a := c.ready(t, f, who)
			calls = append(calls, &made{call: c, attempt: a, act: f.actBy(who, a, c.String()), on: at[len(calls)%len(at)].Ports})
		}
	}
	atOnce(len(calls), func(i int) {
		m := calls[i]
		m.result, m.err = m.attempt.do(t.Context(), m.on, m.act)
	})
	var written []domain.Record
	for _, m := range calls {
		if problem := m.call.outcome(m.attempt, m.result, m.err); problem != "" {
			t.Fatalf("%v beside other calls: %s", m.call, problem)
		}
		if m.call.record && m.call.fails == "" {
			written = append(written, m.act.Record)
		}
	}
	f.wantRecordsInAnyOrder(t, "after calls at the same instant", written)
	f.wantState(t, "after calls at the same instant", f.state(t, f.Ports))
}
