package ginhttp_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// heldBytes is a ports.HeldMemory that tells when so much is held.
type heldBytes struct {
	budget int64

	mu      sync.Mutex
	changed *sync.Cond
	held    domain.HeldMemory
	own     map[domain.Holder]int64
	most    map[domain.Holder]int64
}

func newHeldBytes(budget int64) *heldBytes {
	m := &heldBytes{budget: budget, own: map[domain.Holder]int64{}, most: map[domain.Holder]int64{}}
	m.changed = sync.NewCond(&m.mu)
	return m
}

func (m *heldBytes) Take(who domain.Holder, n int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held.Own = m.own[who]
	if err := who.MayHold(m.held, n, m.budget); err != nil {
		return err
	}
	m.add(who, n)
	m.most[who] = max(m.most[who], m.own[who])
	return nil
}

func (m *heldBytes) GiveBack(who domain.Holder, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(who, -n)
}

func (m *heldBytes) add(who domain.Holder, n int64) {
	m.held.All += n
	m.own[who] += n
	if who.Stranger() {
		m.held.Strangers += n
	}
	m.changed.Broadcast()
}

// wait waits until what is held is as wanted.
func (m *heldBytes) wait(wanted func(domain.HeldMemory) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for !wanted(m.held) {
		m.changed.Wait()
	}
}

// waitForNothing waits until nothing is held. The end of a request comes after its answer.
func (m *heldBytes) waitForNothing() {
	m.wait(func(held domain.HeldMemory) bool { return held.All == 0 })
}

// mostOf returns the most that who has held.
func (m *heldBytes) mostOf(who domain.Holder) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.most[who]
}

func holding(m *heldBytes) func(*world) { return func(w *world) { w.ports.Held = m } }

// openLogin sends a login without the last bytes of its body.
func (w *world) openLogin(t *testing.T, announced, sent int) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", w.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := fmt.Fprintf(c, "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		announced, strings.Repeat(" ", sent)); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestALoginHasASmallBody(t *testing.T) {
	w := newWorld(t)
	login := func(size int) string {
		text := `{"username":"admin","password":"` + password + `"`
		return text + strings.Repeat(" ", size-len(text)-1) + `}`
	}
	w.nobody.do(t, "POST", "/login", login(4<<10)).want(t, 200, "")
	w.nobody.do(t, "POST", "/login", login(4<<10+1)).want(t, 413, "too_large")
	r := w.nobody.request(t, "POST", "/login", login(5000))
	r.ContentLength = -1 // it is sent in chunks
	w.nobody.send(t, r).want(t, 413, "too_large")
	w.admin.do(t, "POST", "/create_user", `{"username":"big","password":"`+password+`"`+strings.Repeat(" ", 60<<10)+`}`).want(t, 200, "")
}

func TestStrangersBodiesTakeNoMemoryOfOthers(t *testing.T) {
	m := newHeldBytes(1 << 20)
	w := newWorld(t, holding(m))
	p := w.addProject(t, "Bot")
	var open []net.Conn
	for len(open) < 16 { // 64 KiB, half of the eighth, which is as much as one address gets
		open = append(open, w.openLogin(t, 4000, 3999))
	}
	m.wait(func(held domain.HeldMemory) bool { return held.Strangers == 64<<10 })
	refused := w.nobody.do(t, "POST", "/login", `{"username":"admin","password":"`+password+`"}`).want(t, 503, "unavailable")
	if refused.header.Get("Retry-After") == "" {
		t.Error("the refusal has no Retry-After")
	}
	w.admin.do(t, "POST", "/set_project", `{"project_id":"`+string(p.ID)+`"}`).want(t, 200, "")
	w.member.do(t, "POST", "/change_password", `{"password":"`+password+`","new_password":"another `+password+`"}`).want(t, 200, "")
	for _, c := range open {
		_ = c.Close()
	}
	m.waitForNothing()
	w.nobody.do(t, "POST", "/login", `{"username":"admin","password":"`+password+`"}`).want(t, 200, "")
}

func TestABodyCostsWhatHasArrived(t *testing.T) {
	m := newHeldBytes(1 << 20)
	w := newWorld(t, holding(m))
	w.openLogin(t, 4096, 100)
	m.wait(func(held domain.HeldMemory) bool { return held.Strangers > 0 })
	if most := m.mostOf(domain.HolderOf(domain.Caller{}, "127.0.0.1")); most > 1<<10 {
		t.Errorf("100 bytes of an announced body of 4 KiB hold %d bytes", most)
	}
}

func TestOneMemberCantHoldAllMemory(t *testing.T) {
	m := newHeldBytes(1 << 20)
	w := newWorld(t, holding(m))
	greedy := domain.HolderOf(domain.Caller{ID: domain.UserID(w.userID(t, "member"))}, "")
	for m.Take(greedy, 1<<10) == nil {
	}
	body := `{"project_id":"` + string(w.addProject(t, "Bot").ID) + `"}`
	w.member.do(t, "POST", "/set_project", body).want(t, 400, "unavailable") // a documented route
	w.member.do(t, "POST", "/delete_access_token", `{}`).want(t, 503, "unavailable")
	w.admin.do(t, "POST", "/set_project", body).want(t, 200, "")
}

// Whatever way a request ends, nothing stays counted.
func TestNothingIsHeldAfterARequest(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(t *testing.T, w *world, member *browser)
	}{
		{"an answer", func(t *testing.T, _ *world, b *browser) {
			b.do(t, "POST", "/voiceflow/general-runtime/state/user/me/interact", `{}`).want(t, 200, "")
		}},
		{"a refusal", func(t *testing.T, w *world, _ *browser) {
			w.nobody.do(t, "POST", "/login", `{"username":"admin","password":"wrong"}`).want(t, 401, "not_authenticated")
		}},
		{"a body that is no JSON", func(t *testing.T, _ *world, b *browser) {
			b.do(t, "POST", "/set_project", `{`).want(t, 400, "invalid_request")
		}},
		{"a panic", func(t *testing.T, w *world, _ *browser) {
			w.voiceflow.change(func(v *voiceflow) { v.panics = true })
			w.admin.do(t, "POST", "/add_project", `{"version_id":"`+versionA+`","token":"VF.DM.x"}`).want(t, 400, "internal")
		}},
		{"a panic of a forwarded call", func(t *testing.T, w *world, b *browser) {
			w.voiceflow.answers(func(context.Context, domain.Forward, *http.Request, domain.Secret) (ports.Answer, error) {
				panic("no such luck")
			})
			b.do(t, "POST", "/voiceflow/general-runtime/state/user/me/interact", `{}`).want(t, 500, "internal")
		}},
		{"a caller who leaves", func(t *testing.T, w *world, _ *browser) { _ = w.openLogin(t, 4000, 3999).Close() }},
		{"a list", func(t *testing.T, w *world, _ *browser) { w.admin.do(t, "GET", "/get_all_users", "").want(t, 200, "") }},
		{"an answer that breaks", func(t *testing.T, w *world, b *browser) {
			w.voiceflow.answers(func(context.Context, domain.Forward, *http.Request, domain.Secret) (ports.Answer, error) {
				a := response(200, "text/event-stream", "")
				a.ContentLength, a.Body = -1, body{io.NopCloser(io.MultiReader(strings.NewReader("data: x\n\n"), iotest.ErrReader(&domain.Error{Kind: domain.VoiceflowUnavailable, Public: "it broke"})))}
				return a, nil
			})
			answer, err := noRedirects.Do(b.request(t, "POST", "/voiceflow/general-runtime/state/user/me/interact", `{}`))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newHeldBytes(64 << 20)
			w, _ := talking(t, holding(m))
			tc.do(t, w, w.member)
			m.waitForNothing()
		})
	}
}

func TestAForwardedBodyIsHeldForItsCaller(t *testing.T) {
	m := newHeldBytes(64 << 20)
	w, _ := talking(t, holding(m))
	w.voiceflow.answers(func(ctx context.Context, _ domain.Forward, _ *http.Request, _ domain.Secret) (ports.Answer, error) {
		return response(200, "application/json", `[]`), ports.HeldIn(ctx).Add(5 << 20)
	})
	w.member.do(t, "POST", "/voiceflow/general-runtime/state/user/me/interact", `{}`).want(t, 200, "")
	user := domain.UserID(w.userID(t, "member"))
	if most := m.mostOf(domain.HolderOf(domain.Caller{ID: user}, "")); most < 5<<20 {
		t.Errorf("got %d bytes held for the caller, want at least 5 MiB", most)
	}
	w.voiceflow.answers(func(ctx context.Context, _ domain.Forward, _ *http.Request, _ domain.Secret) (ports.Answer, error) {
		return ports.Answer{}, ports.HeldIn(ctx).Add(60 << 20)
	})
	w.member.do(t, "POST", "/voiceflow/general-runtime/state/user/me/interact", `{}`).want(t, 503, "unavailable")
	m.waitForNothing()
}
