package forward_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/app/forward"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
	"github.com/flowlatch/flowlatch/ports"
)

// naming is by for a call that names p.
func naming(by forward.Input, p domain.Project) forward.Input {
	return forward.Input{UserCookie: by.UserCookie, Project: p.ID}
}

// member is a member with a login and no grant.
func (w *world) member(t *testing.T, name domain.Username) (domain.Call, forward.Input) {
	t.Helper()
	return w.login(t, w.User(t, name, domain.RoleMember), domain.RoleMember)
}

func TestTwoConversationsOnTwoAssistantsWithOneLogin(t *testing.T) {
	w := newWorld(t)
	p, q := w.Project(t, "Bot"), w.Project(t, "Other bot")
	q = w.setKey(t, q, domain.SlotPrimary, secondKey)
	call, ben := w.member(t, "ben")
	w.grant(t, call.Caller.ID, p)
	w.grant(t, call.Caller.ID, q)
	came := w.voiceflow.Answer(testworld.Fine)
	const turns = 100
	var tabs sync.WaitGroup
	for name, to := range map[string]domain.Project{"p": p, "q": q} {
		tabs.Go(func() {
			for n := range turns {
				if status, err := w.use(t, turn("tab", naming(ben, to)), "POST", fmt.Sprintf(`{"tab":"%s%d"}`, name, n)); status != 200 || err != nil {
					t.Errorf("got status %d and error %v", status, err)
				}
			}
		})
	}
	tabs.Wait()
	keys, users := map[string]string{"p": firstKey, "q": secondKey}, map[string]string{}
	got := came()
	if len(got) != 2*turns {
		t.Fatalf("%d turns came, want %d", len(got), 2*turns)
	}
	for _, s := range got {
		tab := strings.TrimPrefix(s.Body, `{"tab":"`)[:1]
		if s.Key != keys[tab] {
			t.Errorf("a turn for %s came with the key %s", tab, s.Key)
		}
		if users[tab] == "" {
			users[tab] = s.UserID
		}
		if s.UserID != users[tab] {
			t.Errorf("the conversation %s is of two users at Voiceflow", tab)
		}
	}
	if users["p"] == users["q"] {
		t.Error("two assistants have one conversation")
	}
}

func TestWhoMayNameAnAssistant(t *testing.T) {
	w := newWorld(t)
	p, q := w.Project(t, "Bot"), w.Project(t, "Other bot")
	call, ben := w.talker(t, "ben", p)
	_, exporter := w.talker(t, "eve", p, "export")
	_, token := w.token(t, call, p, "")
	_, ada := w.login(t, w.Admin.Caller.ID, domain.RoleAdmin)
	unknown := domain.Project{ID: "0190b2c4-0000-7000-8000-000000000404"}
	w.voiceflow.Answer(testworld.Fine)
	with := func(in forward.Input, change func(in *forward.Input)) forward.Input {
		change(&in)
		return in
	}
	mayNot := domain.MayNotUse().Error()
	for _, tc := range []struct {
		name   string
		caller domain.Caller
		in     forward.Input
		kind   domain.Kind
		says   string // the whole error; "" for any
	}{
		{"a member whose grant has converse", domain.Caller{}, naming(ben, p), "", ""},
		{"a member who is known by their login", call.Caller, forward.Input{Project: p.ID}, "", ""},
		{"an admin without a grant", domain.Caller{}, naming(ada, q), "", ""},
		{"a host's user without a grant", domain.Caller{ID: "hosted"}, forward.Input{Project: p.ID}, domain.NotAllowed, mayNot},
		{"a host's admin", domain.Caller{ID: "hosted", Admin: true}, forward.Input{Project: p.ID}, "", ""},
		{"a member without a grant", domain.Caller{}, naming(ben, q), domain.NotAllowed, mayNot},
		{"a member, of what does not exist", domain.Caller{}, naming(ben, unknown), domain.NotAllowed, mayNot},
		{"an admin, of what does not exist", domain.Caller{}, naming(ada, unknown), domain.NotFound, ""},
		{"a member whose grant lacks converse", domain.Caller{}, naming(exporter, p), domain.NotAllowed, ""},
		{"nobody", domain.Caller{}, forward.Input{Project: p.ID}, domain.NotAuthenticated, ""},
		{"a cookie that is none", domain.Caller{}, forward.Input{Project: p.ID, UserCookie: "x"}, domain.NotAuthenticated, ""},
		{"a login beside an access token", domain.Caller{}, with(naming(ben, p), func(in *forward.Input) { in.Token = token.Token }), domain.NotAuthenticated, ""},
		{"an access token", domain.Caller{}, forward.Input{Project: p.ID, Token: token.Token}, domain.NotAuthenticated, ""},
		{"a caller who is known by an access token", domain.Caller{ID: "u", Token: "t", Only: p.ID}, forward.Input{Project: p.ID}, domain.NotAuthenticated, ""},
		{"a login beside a handle", domain.Caller{}, with(naming(ben, p), func(in *forward.Input) { in.Handle = "x" }), domain.NotAuthenticated, ""},
		{"a login beside an assistant session", domain.Caller{}, with(naming(ben, p), func(in *forward.Input) { in.AssistantCookie = ben.AssistantCookie }), domain.NotAuthenticated, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := turn("x", tc.in)
			out, err := w.Forward(t.Context(), domain.Call{Caller: tc.caller}, in, testworld.Request("POST", in.Path, "{}"))
			testworld.WantKind(t, err, tc.kind)
			if tc.says != "" && err.Error() != tc.says {
				t.Errorf("got the error %q, want %q", err, tc.says)
			}
			if err == nil {
				_ = out.Answer.Body.Close()
			}
		})
	}
	for _, path := range []string{"/v4/project/" + string(p.Voiceflow) + "/session", "/v4/interact"} {
		in := naming(ben, p)
		in.Service, in.Path = runtime, path
		_, err := w.use(t, in, "POST", `{"userID":"x"}`)
		testworld.WantKind(t, err, domain.Invalid)
	}
	in := naming(ben, p)
	in.Service, in.Path = runtime, "/v2/project/000000000000000000000000/user/x/interact/stream"
	_, err := w.use(t, in, "POST", "{}")
	testworld.WantKind(t, err, domain.NotFound)
}

// A caller whose login is known must have it still.
func TestALoginThatIsKnownIsLookedUpAgain(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	call, ben := w.talker(t, "ben", p)
	w.voiceflow.Answer(testworld.Fine)
	in := turn("x", forward.Input{Project: p.ID})
	w.end(t, domain.OneSession(call.Caller.Login.ID))
	_, err := w.Forward(t.Context(), call, in, testworld.Request("POST", in.Path, "{}"))
	testworld.WantKind(t, err, domain.NotAuthenticated)
	_, err = w.use(t, turn("x", naming(ben, p)), "POST", "{}")
	testworld.WantKind(t, err, domain.NotAuthenticated)
}

// An ordinary forwarded call: it counts, it is in the audit, and its user ids are the caller's.
func TestACallThatNamesItsAssistantIsAForwardedCall(t *testing.T) {
	limits := &budgets{}
	w := budgeted(t, limits)
	p := w.Project(t, "Bot")
	call, ben := w.talker(t, "ben", p)
	other, eve := w.talker(t, "eve", p)
	came := w.voiceflow.Answer(testworld.Fine)
	before := len(w.Store.Records())
	for _, in := range []forward.Input{ben, naming(ben, p), naming(eve, p)} {
		in = turn("x", in)
		in.Path = strings.TrimSuffix(in.Path, "/interact")
		if status, err := w.use(t, in, "DELETE", ""); status != 200 || err != nil {
			t.Fatalf("got status %d and error %v", status, err)
		}
	}
	testworld.WantActions(t, w.Actions(before), "user forward", "user forward", "user forward", "user forward", "user forward", "user forward")
	got := came()
	if got[0].UserID != got[1].UserID {
		t.Error("a caller who names the assistant is another user at Voiceflow")
	}
	if got[1].UserID == got[2].UserID {
		t.Error("two callers are one user at Voiceflow")
	}
	limits.wantNoneOpen(t, "after the calls", 3)
	if want := (domain.Budget{Who: domain.ActorUser(call.Caller.ID)}); limits.rates[1] != want {
		t.Errorf("the call counts against %+v, want %+v", limits.rates[1], want)
	}
	must(t, w.FlushUsage(t.Context()))
	day := domain.DayOf(w.Now())
	sums, err := w.Store.Ports().Usage.Report(t.Context(), domain.UsageQuery{From: day, To: day, GroupBy: domain.UsageFields()}, nil, 10)
	must(t, err)
	calls := map[domain.UserID]int64{}
	for _, u := range sums {
		calls[u.User] += u.Calls
	}
	if calls[call.Caller.ID] != 2 || calls[other.Caller.ID] != 1 {
		t.Errorf("got the usage %+v", sums)
	}
}

func TestTheOtherKeyIsTriedForACallThatNamesItsAssistant(t *testing.T) {
	w := newWorld(t)
	p := w.setKey(t, w.Project(t, "Bot"), domain.SlotSecondary, secondKey)
	_, ben := w.talker(t, "ben", p)
	w.voiceflow.Answer(func(f domain.Forward, s testworld.Sent) (ports.Answer, error) {
		if s.Key == firstKey {
			return testworld.Rejected(f, s)
		}
		return testworld.Fine(f, s)
	})
	if status, err := w.use(t, turn("x", naming(ben, p)), "POST", "{}"); status != 200 || err != nil {
		t.Errorf("got status %d and error %v", status, err)
	}
	wantStatuses(t, w.Stored(t, p), domain.KeyRejected, domain.KeyOK)
}

func TestAStreamOfANamedAssistantEndsWhenItsRightGoes(t *testing.T) {
	for _, tc := range []struct {
		name string
		role domain.Role
		take func(t *testing.T, w *world, who domain.Call, p domain.Project)
		kind domain.Kind // "" if it goes on
		says string
	}{
		{"nothing happens", domain.RoleMember, func(*testing.T, *world, domain.Call, domain.Project) {}, "", ""},
		{"the login ends", domain.RoleMember, func(t *testing.T, w *world, who domain.Call, _ domain.Project) {
			w.end(t, domain.OneSession(who.Caller.Login.ID))
		}, domain.NotAuthenticated, "you are no longer logged in; log in again"},
		{"the login comes to its absolute end", domain.RoleMember, func(_ *testing.T, w *world, _ domain.Call, _ domain.Project) {
			w.After(lifetimes.Absolute)
		}, domain.NotAuthenticated, "you are no longer logged in; log in again"},
		{"the user is disabled", domain.RoleMember, func(t *testing.T, w *world, who domain.Call, _ domain.Project) {
			w.update(t, who.Caller.ID, func(u *domain.User, _ bool) error { u.Disabled = true; return nil })
		}, domain.NotAuthenticated, "you are no longer logged in; log in again"},
		{"the user is deleted", domain.RoleMember, func(t *testing.T, w *world, who domain.Call, _ domain.Project) {
			must(t, w.Store.Ports().Users.Remove(t.Context(), w.act(domain.ActionDeleteUser), who.Caller.ID, func(*domain.User, bool) error { return nil }))
		}, domain.NotAuthenticated, "you are no longer logged in; log in again"},
		{"the grant is revoked", domain.RoleMember, func(t *testing.T, w *world, who domain.Call, p domain.Project) {
			w.revoke(t, who.Caller.ID, p)
		}, domain.NotAllowed, "you are no longer allowed to use this assistant; an admin can grant it"},
		{"the scope is taken away", domain.RoleMember, func(t *testing.T, w *world, who domain.Call, p domain.Project) {
			w.grant(t, who.Caller.ID, p, "export")
		}, domain.NotAllowed, "the right that this call needs was removed"},
		{"the assistant is deleted under a member", domain.RoleMember, func(t *testing.T, w *world, _ domain.Call, p domain.Project) {
			must(t, w.Store.Ports().Projects.Remove(t.Context(), w.act(domain.ActionDeleteProject), p.ID))
		}, domain.NotAllowed, "you are no longer allowed to use this assistant; an admin can grant it"},
		{"the assistant is deleted under an admin", domain.RoleAdmin, func(t *testing.T, w *world, _ domain.Call, p domain.Project) {
			must(t, w.Store.Ports().Projects.Remove(t.Context(), w.act(domain.ActionDeleteProject), p.ID))
		}, domain.NotFound, "the assistant was deleted"},
		{"an admin without a grant is demoted", domain.RoleAdmin, func(t *testing.T, w *world, who domain.Call, _ domain.Project) {
			w.update(t, who.Caller.ID, func(u *domain.User, _ bool) error { u.Role = domain.RoleMember; return nil })
		}, domain.NotAllowed, "you are no longer allowed to use this assistant; an admin can grant it"},
		{"an admin who is granted it is demoted", domain.RoleAdmin, func(t *testing.T, w *world, who domain.Call, p domain.Project) {
			w.grant(t, who.Caller.ID, p, "converse", "state", "debug")
			w.update(t, who.Caller.ID, func(u *domain.User, _ bool) error { u.Role = domain.RoleMember; return nil })
		}, "", ""},
		{"another assistant session is opened", domain.RoleAdmin, func(t *testing.T, w *world, who domain.Call, p domain.Project) {
			w.set(t, who, p)
		}, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			p, q := w.Project(t, "Bot"), w.Project(t, "Other bot")
			id := w.User(t, "ben", tc.role)
			who, ben := w.login(t, id, tc.role)
			if tc.role == domain.RoleMember {
				w.grant(t, id, p)
			}
			beside := w.User(t, "eve", domain.RoleMember)
			w.grant(t, beside, q)
			w.voiceflow.Answer(testworld.Fine)
			w.voiceflow.Stream(true)
			ended := w.hold(t, turn("x", naming(ben, p)), "{}")
			tc.take(t, w, who, p)
			_, eve := w.login(t, beside, domain.RoleMember)
			stays := w.hold(t, turn("x", naming(eve, q)), "{}")
			w.After(300 * time.Millisecond)
			must(t, w.EndLostUses(t.Context()))
			if tc.kind == "" {
				wantOpen(t, "the stream", ended)
			} else {
				err := <-ended
				testworld.WantKind(t, err, tc.kind)
				if !strings.Contains(err.Error(), tc.says) {
					t.Errorf("got the error %q, want it to say %q", err, tc.says)
				}
			}
			wantOpen(t, "a stream beside", stays)
		})
	}
}

func TestAHostsUserWhoNamesAnAssistant(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	w.grant(t, "hosted", p)
	w.voiceflow.Answer(testworld.Fine)
	w.voiceflow.Stream(true)
	member := w.holdAs(t, domain.Caller{ID: "hosted"}, turn("x", forward.Input{Project: p.ID}), "{}")
	admin := w.holdAs(t, domain.Caller{ID: "boss", Admin: true}, turn("x", forward.Input{Project: p.ID}), "{}")
	check := func() {
		t.Helper()
		w.After(300 * time.Millisecond)
		must(t, w.EndLostUses(t.Context()))
	}
	check()
	wantOpen(t, "the member's stream", member)
	w.revoke(t, "hosted", p)
	check()
	testworld.WantKind(t, <-member, domain.NotAllowed)
	wantOpen(t, "the admin's stream", admin)
	must(t, w.Store.Ports().Projects.Remove(t.Context(), w.act(domain.ActionDeleteProject), p.ID))
	check()
	testworld.WantKind(t, <-admin, domain.NotFound)
}

// One login has two streams, and only the one that lost its right ends.
func TestOneOfTwoStreamsOfALoginEnds(t *testing.T) {
	w := newWorld(t)
	p, q := w.Project(t, "Bot"), w.Project(t, "Other bot")
	call, ben := w.member(t, "ben")
	w.grant(t, call.Caller.ID, p)
	w.grant(t, call.Caller.ID, q)
	w.voiceflow.Answer(testworld.Fine)
	w.voiceflow.Stream(true)
	ofP, ofQ := w.hold(t, turn("x", naming(ben, p)), "{}"), w.holdAs(t, call.Caller, turn("x", forward.Input{Project: q.ID}), "{}")
	w.revoke(t, call.Caller.ID, p)
	w.After(300 * time.Millisecond)
	must(t, w.EndLostUses(t.Context()))
	testworld.WantKind(t, <-ofP, domain.NotAllowed)
	wantOpen(t, "the other stream", ofQ)
	w.end(t, domain.OneSession(call.Caller.Login.ID))
	w.After(300 * time.Millisecond)
	must(t, w.EndLostUses(t.Context()))
	testworld.WantKind(t, <-ofQ, domain.NotAuthenticated)
}

func TestAStreamOfANamedAssistantKeepsTheLoginInUse(t *testing.T) {
	w := newWorld(t)
	p := w.Project(t, "Bot")
	call, ben := w.member(t, "ben")
	w.grant(t, call.Caller.ID, p)
	w.voiceflow.Answer(testworld.Fine)
	used := func() time.Time { return w.Session(t, call.Caller.ID, call.Caller.Login.ID).LastUsed }
	w.After(10 * time.Minute)
	_, err := w.use(t, turn("x", naming(ben, p)), "POST", "{}")
	testworld.WantKind(t, err, "")
	if !used().Equal(domain.Instant(w.Now())) {
		t.Errorf("a call was not recorded as a use of the login: it was used at %v", used())
	}
	w.voiceflow.Stream(true)
	stream := w.hold(t, turn("x", naming(ben, p)), "{}")
	for range 10 { // 100 minutes, of a login that lasts 30 without use
		w.After(10 * time.Minute)
		must(t, w.EndLostUses(t.Context()))
		if !used().Equal(domain.Instant(w.Now())) {
			t.Errorf("the login was last used at %v, want %v", used(), w.Now())
		}
	}
	wantOpen(t, "the stream", stream)
	w.voiceflow.Stream(false)
	_, err = w.use(t, turn("x", naming(ben, p)), "POST", "{}")
	testworld.WantKind(t, err, "")
}
