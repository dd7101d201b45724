package forward_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/flowlatch/flowlatch/app/forward"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
	"github.com/flowlatch/flowlatch/ports"
)

// budgets keeps what calls were counted against, and refuses as a test says.
type budgets struct {
	mu        sync.Mutex
	rates     []domain.Budget
	open      map[domain.Budget]int
	everBegun int

	fullRate bool
	limit    int // of open calls; 0 is none
}

// Take counts a call against the rate.
func (b *budgets) Take(of domain.Budget) (domain.Rate, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fullRate {
		return domain.Rate{}, &domain.Error{Kind: domain.TooManyRequests}
	}
	b.rates = append(b.rates, of)
	return domain.Rate{Limit: 1}, nil
}

// Begin counts an open call.
func (b *budgets) Begin(of domain.Budget) (func(), error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open == nil {
		b.open = map[domain.Budget]int{}
	}
	if b.limit > 0 && b.open[of] >= b.limit {
		return nil, &domain.Error{Kind: domain.TooManyRequests}
	}
	b.open[of]++
	b.everBegun++
	return sync.OnceFunc(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.open[of]--; b.open[of] == 0 {
			delete(b.open, of)
		}
	}), nil
}

func (b *budgets) wantNoneOpen(t *testing.T, what string, begun int) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.open) != 0 || b.everBegun != begun {
		t.Errorf("%s: %v are open and %d were begun, want none and %d", what, b.open, b.everBegun, begun)
	}
}

// budgeted is a world whose calls count against b.
func budgeted(t *testing.T, b *budgets) *world {
	t.Helper()
	w := newWorld(t)
	w.limits = b
	w.Forwarder = w.instance(t)
	w.voiceflow.Answer(fineOrStarted)
	return w
}

// fineOrStarted answers every call with 200, and starts v4 sessions.
func fineOrStarted(f domain.Forward, s testworld.Sent) (ports.Answer, error) {
	if f.Handle != "" {
		a := testworld.Starts(f, "session-key")
		a.Started.UserID = f.Handle // so that no session replaces another
		return a, nil
	}
	return testworld.Fine(f, s)
}

func TestTheTokensOfAUserShareTheBudgetOfTheUser(t *testing.T) {
	b := &budgets{}
	w := budgeted(t, b)
	p := w.Project(t, "Bot")
	benCall, ben := w.talker(t, "ben", p)
	adminCall, admin := w.login(t, w.User(t, "ann", domain.RoleAdmin), domain.RoleAdmin)
	admin.AssistantCookie = w.set(t, adminCall, p)
	_, first := w.token(t, benCall, p, "")
	_, second := w.token(t, benCall, p, "")
	own, ofOwn := w.limitedToken(t, adminCall, p, 600, 8)
	rateOnly, ofRate := w.limitedToken(t, adminCall, p, 600, 0)
	openOnly, ofOpen := w.limitedToken(t, adminCall, p, 0, 8)
	user := func(c domain.Call) domain.Budget { return domain.Budget{Who: domain.ActorUser(c.Caller.ID)} }
	token := func(id domain.TokenID, limit int) domain.Budget {
		return domain.Budget{Who: domain.ActorToken(id), Limit: limit}
	}
	for _, tc := range []struct {
		name       string
		by         forward.Input
		rate, open domain.Budget
	}{
		{"cookies", ben, user(benCall), user(benCall)},
		{"a token", first, user(benCall), user(benCall)},
		{"another token", second, user(benCall), user(benCall)},
		{"the handle of a token", w.openSession(t, p, first), user(benCall), user(benCall)},
		{"an admin's cookies", admin, user(adminCall), user(adminCall)},
		{"a token with limits", ofOwn, token(own, 600), token(own, 8)},
		{"the handle of a token with limits", w.openSession(t, p, ofOwn), token(own, 600), token(own, 8)},
		{"a token with a rate", ofRate, token(rateOnly, 600), user(adminCall)},
		{"a token with a limit of open calls", ofOpen, user(adminCall), token(openOnly, 8)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := tc.by
			if in.Handle == "" {
				in = turn("x", in)
			}
			b.rates = nil
			came := w.voiceflow.Answer(func(f domain.Forward, s testworld.Sent) (ports.Answer, error) {
				b.mu.Lock()
				defer b.mu.Unlock()
				if b.open[tc.open] != 1 || len(b.open) != 1 {
					t.Errorf("during the call %v are open, want one of %v", b.open, tc.open)
				}
				return testworld.Fine(f, s)
			})
			_, err := w.use(t, in, "POST", "{}")
			testworld.WantKind(t, err, "")
			if len(came()) != 1 {
				t.Errorf("got %d calls, want one", len(came()))
			}
			if !slices.Equal(b.rates, []domain.Budget{tc.rate}) {
				t.Errorf("the rate of %v was charged, want that of %v", b.rates, tc.rate)
			}
		})
	}
	// An admin gave the limits, so they are gone with the role.
	w.update(t, adminCall.Caller.ID, func(u *domain.User, _ bool) error { u.Role = domain.RoleMember; return nil })
	w.grant(t, adminCall.Caller.ID, p)
	b.rates = nil
	w.voiceflow.Answer(testworld.Fine)
	_, err := w.use(t, turn("x", ofOwn), "POST", "{}")
	testworld.WantKind(t, err, "")
	if !slices.Equal(b.rates, []domain.Budget{user(adminCall)}) {
		t.Errorf("after the owner was demoted the rate of %v was charged, want that of the owner", b.rates)
	}
}

// Each way in which a call can go ends it among the open calls.
func TestNoOpenCallIsCountedForEver(t *testing.T) {
	failing := errors.New("gone")
	for _, tc := range []struct {
		name  string
		run   func(t *testing.T, w *world, b *budgets, by forward.Input, p domain.Project)
		begun int
	}{
		{"an answer that is read and closed twice", func(t *testing.T, w *world, _ *budgets, by forward.Input, _ domain.Project) {
			in := turn("x", by)
			out, err := w.Forward(t.Context(), domain.Call{}, in, testworld.Request("POST", in.Path, "{}"))
			must(t, err)
			_, _ = io.Copy(io.Discard, out.Answer.Body)
			_, _ = out.Answer.Body.Close(), out.Answer.Body.Close()
		}, 1},
		{"an answer that is closed unread", func(t *testing.T, w *world, _ *budgets, by forward.Input, _ domain.Project) {
			in := turn("x", by)
			out, err := w.Forward(t.Context(), domain.Call{}, in, testworld.Request("POST", in.Path, "{}"))
			must(t, err)
			_ = out.Answer.Body.Close()
		}, 1},
		{"a caller who left", func(t *testing.T, w *world, _ *budgets, by forward.Input, _ domain.Project) {
			ctx, cancel := context.WithCancel(t.Context())
			w.voiceflow.Answer(func(domain.Forward, testworld.Sent) (ports.Answer, error) {
				cancel()
				return ports.Answer{}, &domain.Error{Kind: domain.VoiceflowUnavailable, Cause: ctx.Err()}
			})
			in := turn("x", by)
			_, err := w.Forward(ctx, domain.Call{}, in, testworld.Request("POST", in.Path, "{}"))
			if err == nil {
				t.Error("got success")
			}
		}, 1},
		{"a panic of Voiceflow's client", func(t *testing.T, w *world, _ *budgets, by forward.Input, _ domain.Project) {
			w.voiceflow.Answer(func(domain.Forward, testworld.Sent) (ports.Answer, error) { panic("x") })
			defer func() {
				if recover() == nil {
					t.Error("got no panic")
				}
			}()
			_, _ = w.use(t, turn("x", by), "POST", "{}")
		}, 1},
		{"a body that can't be read", func(t *testing.T, w *world, _ *budgets, by forward.Input, p domain.Project) {
			w.setKey(t, p, domain.SlotSecondary, secondKey) // then the body is read at once
			in := turn("x", by)
			r := testworld.Request("POST", in.Path, "{}")
			r.Body = io.NopCloser(failingReader{failing})
			_, err := w.Forward(t.Context(), domain.Call{}, in, r)
			testworld.WantKind(t, err, domain.Invalid)
		}, 1},
		{"a key that can't be opened", func(t *testing.T, w *world, _ *budgets, by forward.Input, p domain.Project) {
			w.spoil(t, p, domain.SlotPrimary)
			_, err := w.use(t, turn("x", by), "POST", "{}")
			testworld.WantKind(t, err, domain.NeedsReentry)
		}, 1},
		{"a refusal of the rate", func(t *testing.T, w *world, b *budgets, by forward.Input, _ domain.Project) {
			b.fullRate = true
			_, err := w.use(t, turn("x", by), "POST", "{}")
			testworld.WantKind(t, err, domain.TooManyRequests)
		}, 1},
		{"a call without the right", func(t *testing.T, w *world, _ *budgets, by forward.Input, _ domain.Project) {
			by.Service, by.Path = "api", "/v3alpha/knowledge-base/docs"
			_, err := w.use(t, by, "GET", "")
			testworld.WantKind(t, err, domain.NotAllowed)
		}, 0},
		{"a caller who is nobody", func(t *testing.T, w *world, _ *budgets, _ forward.Input, _ domain.Project) {
			_, err := w.use(t, turn("x", forward.Input{Token: domain.NewSecret("flk_x")}), "POST", "{}")
			testworld.WantKind(t, err, domain.NotAuthenticated)
		}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := &budgets{}
			w := budgeted(t, b)
			p := w.Project(t, "Bot")
			_, by := w.talker(t, "ben", p)
			tc.run(t, w, b, by, p)
			b.wantNoneOpen(t, tc.name, tc.begun)
		})
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

// A call counts from before its body is read until its answer has ended, and a call that is refused
// reads no body, sends nothing and costs no rate.
func TestACallIsOpenFromItsHeaderToTheEndOfItsAnswer(t *testing.T) {
	b := &budgets{limit: 1}
	w := budgeted(t, b)
	p := w.Project(t, "Bot")
	call, by := w.talker(t, "ben", p)
	_, token := w.token(t, call, p, "")
	came := w.voiceflow.Answer(testworld.Fine)
	refused := func(what string) {
		t.Helper()
		charged, sent := len(b.rates), len(came())
		in := turn("x", token)
		r := testworld.Request("POST", in.Path, "{}")
		r.Body = io.NopCloser(readerFunc(func([]byte) (int, error) {
			t.Errorf("%s: the body of a call that is refused was read", what)
			return 0, io.EOF
		}))
		_, err := w.Forward(t.Context(), domain.Call{}, in, r)
		testworld.WantKind(t, err, domain.TooManyRequests)
		if len(b.rates) != charged || len(came()) != sent {
			t.Errorf("%s: a call that is refused was charged or sent", what)
		}
	}
	w.setKey(t, p, domain.SlotSecondary, secondKey)
	in := turn("x", by)
	r := testworld.Request("POST", in.Path, "{}")
	r.Body = io.NopCloser(readerFunc(func([]byte) (int, error) {
		refused("while a body is read")
		return 0, io.EOF
	}))
	out, err := w.Forward(t.Context(), domain.Call{}, in, r)
	must(t, err)
	refused("while an answer is open")
	_, _ = io.Copy(io.Discard, out.Answer.Body)
	refused("when an answer was read, and not closed")
	must(t, out.Answer.Body.Close())
	_, err = w.use(t, turn("x", token), "POST", "{}")
	testworld.WantKind(t, err, "")
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
