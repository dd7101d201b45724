package app_test

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/app/cookie"
	"github.com/flowlatch/flowlatch/app/forward"
	"github.com/flowlatch/flowlatch/app/session"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
	"github.com/flowlatch/flowlatch/ports"
)

// sealing is the key that seals now.
func (w *world) sealing() domain.KeyID { return w.cipher.Keys()[0] }

// retire takes all keys but the one that seals out of the keyset.
func (w *world) retire(t *testing.T) {
	t.Helper()
	if _, err := w.cipher.Retire(t.Context(), nil, func([]domain.KeyID) error { return nil }); err != nil {
		t.Fatal(err)
	}
}

// opened is what a cookie says, and the key that sealed it.
func (w *world) opened(t *testing.T, kind domain.SessionKind, text string) (domain.Claims, domain.KeyID) {
	t.Helper()
	claims, by, err := cookie.New(w.cipher).Open(kind, text)
	if err != nil {
		t.Fatal(err)
	}
	return claims, by
}

// cookieOf returns a cookie that says claims.
func (w *world) cookieOf(t *testing.T, claims domain.Claims) string {
	t.Helper()
	text, _, err := cookie.New(w.cipher).Seal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// wantSealedBy fails the test unless it is stored that the key sealed the cookie.
func (w *world) wantSealedBy(t *testing.T, what string, kind domain.SessionKind, cookie string, want domain.KeyID) {
	t.Helper()
	claims, _ := w.opened(t, kind, cookie)
	session := w.session(t, claims.User, claims.Session)
	if session.ID == "" || session.SealedBy != want {
		t.Errorf("%s: got a session whose cookie is sealed by %q, want %q", what, session.SealedBy, want)
	}
}

// identified is the outcome of Identify, which must succeed.
func identified(t *testing.T, s *app.Service, cookie string) app.Identified {
	t.Helper()
	in, err := s.Identify(t.Context(), cookie)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// wantResealed fails the test unless the cookie says what the old one says, sealed by the key.
func (w *world) wantResealed(t *testing.T, kind domain.SessionKind, old string, got session.Cookie, by domain.KeyID) {
	t.Helper()
	if got.Text == "" {
		t.Fatalf("the cookie of the kind %s was not resealed", kind)
	}
	want, _ := w.opened(t, kind, old)
	claims, key := w.opened(t, kind, got.Text)
	if !claims.Equal(want) || key != by {
		t.Errorf("the new cookie of the kind %s, sealed by %q, says %+v; want %+v, sealed by %q", kind, key, claims, want, by)
	}
}

func TestACookieIsStoredWithTheKeyThatSealedIt(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	for range 2 {
		in, err := w.Login(t.Context(), domain.Call{}, app.Login{Username: "ada", Password: domain.NewSecret(password)})
		if err != nil {
			t.Fatal(err)
		}
		login := in.Cookie.Text
		w.wantSealedBy(t, "a login", domain.LoginSession, login, w.sealing())
		cookie := w.set(t, w.call(t, login), p)
		w.wantSealedBy(t, "an assistant that is set", domain.AssistantSession, cookie, w.sealing())

		w.voiceflow.Answer(func(f domain.Forward, _ testworld.Sent) (ports.Answer, error) {
			return testworld.Starts(f, "session-key"), nil
		})
		start := forward.Input{UserCookie: login, AssistantCookie: cookie, Service: runtime, Path: "/v4/project/" + string(voiceflowID) + "/session"}
		out, err := w.Forwarder().Forward(t.Context(), domain.Call{}, start, testworld.Request("POST", start.Path, "{}"))
		if err != nil {
			t.Fatal(err)
		}
		handle, err := io.ReadAll(out.Answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		claims, by := w.opened(t, domain.ConversationHandle, string(handle))
		a, err := w.store.Ports().Access.ByConversation(t.Context(), domain.ConversationID(claims.Session), domain.Caller{})
		if err != nil || a.Conversation.HandleSealedBy != w.sealing() || by != w.sealing() {
			t.Errorf("got a conversation whose handle is sealed by %q, which was sealed by %q (%v), want %q", a.Conversation.HandleSealedBy, by, err, w.sealing())
		}
		w.rotate(t)
	}
}

func TestCookiesSurviveARotationAndThenTheEndOfTheOldKey(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	call, login := w.login(t, "ada", false)
	cookie := w.set(t, call, p)
	old := w.sealing()
	if in := identified(t, w.Service, login); in.Cookie != (session.Cookie{}) {
		t.Error("a cookie was resealed without a rotation")
	}
	if got := w.ResealAssistant(t.Context(), call.Caller, cookie); got != (session.Cookie{}) {
		t.Error("the cookie of the assistant was resealed without a rotation")
	}

	now := w.rotate(t)
	in := identified(t, w.Service, login)
	w.wantResealed(t, domain.LoginSession, login, in.Cookie, now)
	if in.Cookie.MaxAge != 0 {
		t.Errorf("the new cookie of a login that is not remembered lasts for %v", in.Cookie.MaxAge)
	}
	resealed := w.ResealAssistant(t.Context(), call.Caller, cookie)
	w.wantResealed(t, domain.AssistantSession, cookie, resealed, now)
	if got := w.isSet(t, call, cookie); got != p.ID {
		t.Errorf("after the rotation %q is set by the old cookie, want %q", got, p.ID)
	}
	w.wantSealedBy(t, "whose new cookie was not seen yet", domain.LoginSession, login, old)
	w.wantSealedBy(t, "whose new cookie was not seen yet", domain.AssistantSession, cookie, old)

	if again := identified(t, w.Service, in.Cookie.Text); again.Cookie != (session.Cookie{}) {
		t.Error("the new cookie was resealed")
	}
	if got := w.isSet(t, call, resealed.Text); got != p.ID {
		t.Errorf("%q is set by the new cookie, want %q", got, p.ID)
	}
	w.wantSealedBy(t, "whose new cookie was seen", domain.LoginSession, login, now)
	w.wantSealedBy(t, "whose new cookie was seen", domain.AssistantSession, cookie, now)

	// What comes late is answered and moves nothing back.
	w.wantResealed(t, domain.LoginSession, login, identified(t, w.Service, login).Cookie, now)
	if got := w.isSet(t, call, cookie); got != p.ID {
		t.Errorf("%q is set by the old cookie that comes late, want %q", got, p.ID)
	}
	w.wantSealedBy(t, "whose old cookie came late", domain.LoginSession, login, now)
	w.wantSealedBy(t, "whose old cookie came late", domain.AssistantSession, cookie, now)

	w.retire(t)
	if got := w.isSet(t, w.call(t, in.Cookie.Text), resealed.Text); got != p.ID {
		t.Errorf("without the old key %q is set by the new cookies, want %q", got, p.ID)
	}
	_, err := w.Identify(t.Context(), login)
	wantKind(t, err, domain.NotAuthenticated)
	if got := w.isSet(t, call, cookie); got != "" {
		t.Errorf("without the old key %q is set by the old cookie", got)
	}
}

// opening counts how many cookies of assistants are opened.
type opening struct {
	ports.Cipher
	opened atomic.Int64
}

func (o *opening) Open(s domain.Sealed, to domain.Binding) (domain.Secret, error) {
	if to == domain.BindCookie(domain.AssistantSession) {
		o.opened.Add(1)
	}
	return o.Cipher.Open(s, to)
}

func TestACookieIsNotOpenedToBeResealedWhereThereIsOneKey(t *testing.T) {
	w := newWorld(t)
	p := w.ports()
	cookies := &opening{Cipher: w.cipher}
	p.Cipher = cookies
	s := w.open(t, p)
	call, _ := w.login(t, "ada", false)
	cookie := w.set(t, call, w.project(t, "Bot", versionID))
	if got := s.ResealAssistant(t.Context(), call.Caller, cookie); got != (session.Cookie{}) || cookies.opened.Load() != 0 {
		t.Errorf("with one key: got %v, and %d cookies were opened, want none", got, cookies.opened.Load())
	}
	w.rotate(t)
	if got := s.ResealAssistant(t.Context(), call.Caller, cookie); got == (session.Cookie{}) || cookies.opened.Load() == 0 {
		t.Errorf("with two keys: got %v, and %d cookies were opened", got, cookies.opened.Load())
	}
}

func TestAReplyThatIsLostMovesNothing(t *testing.T) {
	w := newWorld(t)
	_, login := w.login(t, "ada", false)
	old := w.sealing()
	for range 3 {
		w.rotate(t)
		for range 3 {
			w.wantResealed(t, domain.LoginSession, login, identified(t, w.Service, login).Cookie, w.sealing())
			w.wantSealedBy(t, "whose new cookies were never seen", domain.LoginSession, login, old)
		}
	}
	// One that comes back after the next rotation is not of the key that seals now.
	late := identified(t, w.Service, login).Cookie.Text
	now := w.rotate(t)
	w.wantResealed(t, domain.LoginSession, login, identified(t, w.Service, late).Cookie, now)
	w.wantSealedBy(t, "whose new cookie came back too late", domain.LoginSession, login, old)
}

func TestARememberedLoginKeepsItsEnd(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	call, login := w.login(t, "ada", true)
	cookie := w.set(t, call, p)
	w.after(100 * time.Hour)
	now := w.rotate(t)
	in := identified(t, w.Service, login)
	w.wantResealed(t, domain.LoginSession, login, in.Cookie, now)
	resealed := w.ResealAssistant(t.Context(), call.Caller, cookie)
	w.wantResealed(t, domain.AssistantSession, cookie, resealed, now)
	for what, got := range map[string]session.Cookie{"user_session": in.Cookie, "assistant_session": resealed} {
		if got.MaxAge != 620*time.Hour {
			t.Errorf("%s lasts for %v, want the 620 hours that are left", what, got.MaxAge)
		}
	}
	w.after(620*time.Hour - time.Microsecond)
	identified(t, w.Service, in.Cookie.Text)
	w.after(time.Microsecond)
	_, err := w.Identify(t.Context(), in.Cookie.Text)
	wantKind(t, err, domain.NotAuthenticated)
}

// marking counts what is written about the keys of cookies.
type marking struct {
	ports.SessionStore
	marks atomic.Int64
	fails bool
}

func (m *marking) Touch(ctx context.Context, id domain.SessionID, use domain.SessionUse) error {
	if use.SealedBy == "" {
		return m.SessionStore.Touch(ctx, id, use)
	}
	m.marks.Add(1)
	if m.fails {
		return &domain.Error{Kind: domain.Unavailable}
	}
	return m.SessionStore.Touch(ctx, id, use)
}

func TestAKeyIsMarkedOncePerSessionAndRotation(t *testing.T) {
	w := newWorld(t)
	p := w.ports()
	m := &marking{SessionStore: p.Store.Sessions}
	p.Store.Sessions = m
	s := w.open(t, p)
	_, login := w.login(t, "ada", false)
	for rotation := range 3 {
		for range 5 {
			in := identified(t, s, login)
			if in.Cookie.Text != "" {
				login = in.Cookie.Text
			}
		}
		if got := m.marks.Load(); got != int64(rotation) {
			t.Errorf("after %d rotations the key was marked %d times", rotation, got)
		}
		w.rotate(t)
	}
	m.fails = true
	login = identified(t, s, login).Cookie.Text
	identified(t, s, login)
	m.fails = false
	keys := w.cipher.Keys()
	w.wantSealedBy(t, "that could not be marked", domain.LoginSession, login, keys[len(keys)-1])
	identified(t, s, login)
	w.wantSealedBy(t, "that could not be marked before", domain.LoginSession, login, w.sealing())
}

func TestParallelRequestsDuringARotation(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	call, login := w.login(t, "ada", false)
	cookie := w.set(t, call, p)
	var browser sync.Mutex // guards login and cookie
	var requests sync.WaitGroup
	problems := make(chan string, 100)
	for range 16 {
		requests.Go(func() {
			for range 20 {
				browser.Lock()
				user, assistant := login, cookie
				browser.Unlock()
				in, err := w.Identify(t.Context(), user)
				if err != nil {
					problems <- fmt.Sprint("Identify: ", err)
					return
				}
				resealed := w.ResealAssistant(t.Context(), in.Caller, assistant)
				if checked, err := w.CheckSession(t.Context(), domain.Call{Caller: in.Caller}, assistant); err != nil || checked.Assistant == nil {
					problems <- fmt.Sprintf("CheckSession: %v, %v", checked.Assistant, err)
					return
				}
				browser.Lock()
				if in.Cookie.Text != "" {
					login = in.Cookie.Text
				}
				if resealed.Text != "" {
					cookie = resealed.Text
				}
				browser.Unlock()
			}
		})
	}
	requests.Go(func() { w.rotate(t) })
	requests.Wait()
	close(problems)
	for problem := range problems {
		t.Error(problem)
	}
	for range 2 {
		in := identified(t, w.Service, login)
		resealed := w.ResealAssistant(t.Context(), in.Caller, cookie)
		if got := w.isSet(t, domain.Call{Caller: in.Caller}, cookie); got != p.ID {
			t.Errorf("%q is set, want %q", got, p.ID)
		}
		if in.Cookie.Text != "" {
			login = in.Cookie.Text
		}
		if resealed.Text != "" {
			cookie = resealed.Text
		}
	}
	w.wantSealedBy(t, "after parallel requests", domain.LoginSession, login, w.sealing())
	w.wantSealedBy(t, "after parallel requests", domain.AssistantSession, cookie, w.sealing())
}

// behind is the keyset of an instance that has yet to hear of rotations: its current key is
// the one of the last Refresh.
type behind struct {
	*memory.Cipher
	mu    sync.Mutex
	keys  []domain.KeyID
	fails error
}

func (b *behind) Keys() []domain.KeyID {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.keys
}

func (b *behind) Refresh(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fails == nil {
		b.keys = b.Cipher.Keys()
	}
	return b.fails
}

func TestAnInstanceThatIsBehindGoesBackToNoOlderKey(t *testing.T) {
	w := newWorld(t)
	p := w.ports()
	cipher := &behind{Cipher: w.cipher}
	p.Cipher, p.Keyring = cipher, cipher
	other := w.open(t, p)
	_, login := w.login(t, "ada", false)

	_ = cipher.Refresh(t.Context())
	now := w.rotate(t)
	resealed := identified(t, w.Service, login).Cookie.Text
	if got := identified(t, other, resealed).Cookie; got != (session.Cookie{}) {
		t.Error("an instance that is behind resealed a cookie of the newest key")
	}
	w.wantSealedBy(t, "whose new cookie an instance that was behind saw first", domain.LoginSession, login, now)

	cipher.keys = w.cipher.Keys()[1:]
	if got := identified(t, other, resealed).Cookie; got != (session.Cookie{}) {
		t.Error("an instance that is behind resealed a cookie that another has seen")
	}
	cipher.keys = w.cipher.Keys()[1:]
	w.wantResealed(t, domain.LoginSession, login, identified(t, other, login).Cookie, now)
	w.wantSealedBy(t, "whose old cookie came late to an instance that was behind", domain.LoginSession, login, now)

	// An instance that can't read the keyset again serves on and leaves the cookies as they are.
	w.rotate(t)
	cipher.fails = errBoom
	for _, cookie := range []string{login, resealed} {
		if got := identified(t, other, cookie).Cookie; got != (session.Cookie{}) {
			t.Error("a cookie was resealed by an instance that could not read the keyset")
		}
	}
	w.wantSealedBy(t, "that was used where the keyset could not be read", domain.LoginSession, login, now)
}

func TestForwardResealsBothCookies(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	w.voiceflow.Answer(testworld.Fine)
	call, by := w.talker(t, "ben", p)
	token := w.token(t, call, app.CreateAccessToken{Project: string(p.ID)})
	pass := func(s *app.Service, call domain.Call, by forward.Input, kind domain.Kind) forward.Result {
		t.Helper()
		in := turn("x", by)
		out, err := s.Forwarder().Forward(t.Context(), call, in, testworld.Request("POST", in.Path, "{}"))
		wantKind(t, err, kind)
		if err == nil {
			_ = out.Answer.Body.Close()
		}
		return out
	}
	wantNone := func(what string, out forward.Result) {
		t.Helper()
		if out.UserCookie != (session.Cookie{}) || out.AssistantCookie != (session.Cookie{}) {
			t.Errorf("%s: a cookie was resealed", what)
		}
	}
	wantNone("without a rotation", pass(w.Service, domain.Call{}, by, ""))

	old := w.sealing()
	now := w.rotate(t)
	out := pass(w.Service, domain.Call{}, by, "")
	w.wantResealed(t, domain.LoginSession, by.UserCookie, out.UserCookie, now)
	w.wantResealed(t, domain.AssistantSession, by.AssistantCookie, out.AssistantCookie, now)
	w.wantSealedBy(t, "whose new cookie was not seen yet", domain.AssistantSession, by.AssistantCookie, old)

	bare := pass(w.Service, domain.Call{}, forward.Input{UserCookie: by.UserCookie}, domain.NoAssistant)
	w.wantResealed(t, domain.LoginSession, by.UserCookie, bare.UserCookie, now)
	wantNone("an access token beside cookies", pass(w.Service, domain.Call{}, forward.Input{
		Token: token.Token, UserCookie: by.UserCookie, AssistantCookie: by.AssistantCookie}, ""))
	_, ada := w.login(t, "ada", false)
	wantNone("another's assistant", pass(w.Service, domain.Call{}, forward.Input{
		UserCookie: ada, AssistantCookie: by.AssistantCookie}, domain.NotAuthenticated))
	wantNone("nobody", pass(w.Service, domain.Call{}, forward.Input{AssistantCookie: by.AssistantCookie}, domain.NotAuthenticated))

	back := forward.Input{UserCookie: out.UserCookie.Text, AssistantCookie: out.AssistantCookie.Text}
	wantNone("the new cookies", pass(w.Service, domain.Call{}, back, ""))
	w.wantSealedBy(t, "whose new cookie was seen", domain.LoginSession, by.UserCookie, now)
	w.wantSealedBy(t, "whose new cookie was seen", domain.AssistantSession, by.AssistantCookie, now)

	// Under a host's login only the assistant's cookie is ours.
	s := hosted(t, w)
	host := domain.Call{Caller: domain.Caller{ID: "host|member"}}
	wantKind(t, s.GrantProject(t.Context(), domain.Call{Caller: domain.Caller{ID: "host|admin", Admin: true}}, "host|member", string(p.ID), nil), "")
	set, err := s.SetProject(t.Context(), host, string(p.ID))
	if err != nil {
		t.Fatal(err)
	}
	now = w.rotate(t)
	out = pass(s, host, forward.Input{UserCookie: back.UserCookie, AssistantCookie: set.Cookie.Text}, "")
	w.wantResealed(t, domain.AssistantSession, set.Cookie.Text, out.AssistantCookie, now)
	if out.UserCookie != (session.Cookie{}) {
		t.Error("user_session was resealed under a host's login")
	}
	w.wantResealed(t, domain.AssistantSession, set.Cookie.Text, s.ResealAssistant(t.Context(), host.Caller, set.Cookie.Text), now)
}

func TestAnInvalidCookieIsNotResealed(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	call, _ := w.login(t, "ada", false)
	another, _ := w.login(t, "ada", false)
	cookie := w.set(t, call, p)
	set := w.set(t, another, p)
	claims, _ := w.opened(t, domain.AssistantSession, set)
	claims.Expires = claims.Expires.Add(time.Hour)
	longer := w.cookieOf(t, claims)
	w.rotate(t)
	wantKind(t, w.ClearProject(t.Context(), call, cookie), "")
	for what, text := range map[string]string{
		"one whose session has ended": cookie, "one of another login": set, "none": "", "a made-up one": "abc",
		"one that says what is not stored": longer,
	} {
		by := call.Caller
		if text == longer {
			by = another.Caller
		}
		if got := w.ResealAssistant(t.Context(), by, text); got != (session.Cookie{}) {
			t.Errorf("%s was resealed", what)
		}
	}
}
