package forward_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/app/forward"
	"github.com/flowlatch/flowlatch/app/keyset"
	"github.com/flowlatch/flowlatch/app/session"
	"github.com/flowlatch/flowlatch/app/signon"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
	"github.com/flowlatch/flowlatch/ports"
)

const (
	runtime   = "general-runtime"
	firstKey  = "VF.DM.key" // the primary key of each project
	secondKey = "VF.DM.second"
)

// lifetimes are those of all sessions.
var lifetimes = domain.Lifetimes{Idle: 30 * time.Minute, Absolute: 12 * time.Hour, Remember: 720 * time.Hour}

// world forwards calls between the in-memory adapters.
type world struct {
	*testworld.World
	*forward.Forwarder
	voiceflow *testworld.Voiceflow
	client    ports.Voiceflow // in place of voiceflow, if it is not nil
	sessions  *session.Sessions
	log       *auditLog
	reads     domain.AuditReads
	limits    *budgets // nil: no limits
	provider  *memory.IdentityProvider
	signOns   *signon.Logins
}

// auditLog is the audit of a world, which fails where a test says so.
type auditLog struct {
	ports.AuditLog
	begins  func() error // called first, if it is not nil
	appends func() error // called instead, if it is not nil
}

func (l *auditLog) Begin(ctx context.Context, act domain.Act) error {
	if l.begins != nil {
		if err := l.begins(); err != nil {
			return err
		}
	}
	return l.AuditLog.Begin(ctx, act)
}

func (l *auditLog) Append(ctx context.Context, recs ...domain.Record) error {
	if l.appends != nil {
		return l.appends()
	}
	return l.AuditLog.Append(ctx, recs...)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: testworld.New(t), voiceflow: &testworld.Voiceflow{}}
	w.provider = memory.NewIdentityProvider(issuer, w.Now)
	w.signOns = signon.New(signon.Ports{
		Store: w.Store.Ports().SignOns, Provider: w.provider, Cipher: w.Cipher, Clock: w.Now, Random: rand.Reader,
	}, signon.Options{Recheck: recheck})
	w.log = &auditLog{AuditLog: w.Store.Ports().Audit}
	w.Lifetimes = lifetimes
	w.Forwarder = w.instance(t)
	return w
}

// instance is another Forwarder of the installation.
func (w *world) instance(t *testing.T) *forward.Forwarder {
	t.Helper()
	store := w.Store.Ports()
	keys, err := keyset.Open(t.Context(), keyset.Ports{
		Installation: store.Installation, Sealings: store.Sealings, Projects: store.Projects, Sessions: store.Sessions, Audit: store.Audit,
		Cipher: w.Cipher, Keyring: w.Cipher, Pseudonyms: w.Pseudonyms, Origins: testworld.Origins(), Clock: w.Now, Random: rand.Reader,
	})
	must(t, err)
	w.sessions = session.New(session.Ports{
		Store: store.Sessions, Access: store.Access, Cipher: w.Cipher, Keyring: w.Cipher, Clock: w.Now,
	}, session.Options{Lifetimes: lifetimes})
	ports := forward.Ports{
		Access: store.Access, Projects: store.Projects, Conversations: store.Conversations, Usage: store.Usage, Audit: w.log, AuditReads: w.reads,
		Keyset: keys, Sessions: w.sessions, SignOns: w.signOns, Cipher: w.Cipher, Pseudonyms: w.Pseudonyms, Voiceflow: w.voiceflow, Clock: w.Now, Random: rand.Reader,
	}
	if w.client != nil {
		ports.Voiceflow = w.client
	}
	if w.limits != nil {
		ports.Rates, ports.OpenCalls = w.limits, w.limits
	}
	return forward.New(ports)
}

// use forwards a call and reads the answer to its end.
func (w *world) use(t interface{ Context() context.Context }, in forward.Input, method, body string) (int, error) {
	call := domain.Call{RequestID: "request", Address: "192.0.2.1"}
	out, err := w.Forward(t.Context(), call, in, testworld.Request(method, in.Path, body))
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, out.Answer.Body)
	return out.Answer.StatusCode, errors.Join(err, out.Answer.Body.Close())
}

// turn is a turn of the user id by these credentials.
func turn(userID string, by forward.Input) forward.Input {
	by.Service, by.Path = runtime, "/state/user/"+userID+"/interact"
	return by
}

// login is a user who is logged in, with a cookie.
func (w *world) login(t *testing.T, user domain.UserID, role domain.Role) (domain.Call, forward.Input) {
	t.Helper()
	call := w.Login(t, user, role)
	cookie, _, err := w.sessions.Seal(call.Caller.Login, "")
	must(t, err)
	return call, forward.Input{UserCookie: cookie.Text}
}

// set sets the project and returns the cookie.
func (w *world) set(t *testing.T, call domain.Call, p domain.Project) string {
	t.Helper()
	id, err := domain.NewSessionID(w.Now(), rand.Reader)
	must(t, err)
	s := domain.NewAssistantSession(id, call.Caller, p.ID, w.Now(), lifetimes, "", "")
	act := call.Act(w.Now(), domain.NeedsUse(p.ID, 0), domain.ActionSetProject, domain.OnProject(p.ID))
	_, err = w.Store.Ports().Sessions.OpenAssistant(t.Context(), act, s)
	must(t, err)
	cookie, _, err := w.sessions.Seal(s, p.Version)
	must(t, err)
	return cookie.Text
}

// talker is a member who may use p within the scopes, with cookies.
func (w *world) talker(t *testing.T, name string, p domain.Project, scopes ...string) (domain.Call, forward.Input) {
	t.Helper()
	id := w.User(t, domain.Username(name), domain.RoleMember)
	w.grant(t, id, p, scopes...)
	call, by := w.login(t, id, domain.RoleMember)
	by.AssistantCookie = w.set(t, call, p)
	return call, by
}

// grant lets the user use p within the scopes, which are the default ones if there are none.
func (w *world) grant(t *testing.T, user domain.UserID, p domain.Project, scopes ...string) {
	t.Helper()
	within := domain.DefaultScopes()
	if len(scopes) > 0 {
		var err error
		within, err = domain.ParseGrantScopes(scopes)
		must(t, err)
	}
	must(t, w.Store.Ports().Grants.Put(t.Context(), w.act(domain.ActionGrantProject), user, p.ID, within, w.Now()))
}

// token makes an access token for p, or without p one that manages. userIDs is that of
// domain.ParseUserIDs.
func (w *world) token(t *testing.T, call domain.Call, p domain.Project, userIDs string) (domain.TokenID, forward.Input) {
	t.Helper()
	var scopes domain.Scopes
	if p.ID == "" {
		scopes = domain.ScopesOf(domain.ScopeManage)
	}
	own, err := domain.ParseUserIDs(userIDs)
	must(t, err)
	return w.tokenOf(t, call, domain.TokenSpec{Project: p.ID, Scopes: scopes, OwnUsers: own})
}

// limitedToken makes an access token for p with limits of its own, except those that are 0.
func (w *world) limitedToken(t *testing.T, call domain.Call, p domain.Project, rate, open int) (domain.TokenID, forward.Input) {
	t.Helper()
	spec := domain.TokenSpec{Project: p.ID}
	if rate > 0 {
		spec.Rate = &rate
	}
	if open > 0 {
		spec.Open = &open
	}
	return w.tokenOf(t, call, spec)
}

// tokenOf makes an access token. It gives the spec a name and a life.
func (w *world) tokenOf(t *testing.T, call domain.Call, spec domain.TokenSpec) (domain.TokenID, forward.Input) {
	t.Helper()
	id, err := domain.NewTokenID(w.Now(), rand.Reader)
	must(t, err)
	spec.Name, spec.Days = "a program", 90
	made, err := domain.NewAccessToken(id, call.Caller, spec, w.Now())
	must(t, err)
	text, hash, prefix, err := domain.NewAccessTokenText(rand.Reader)
	must(t, err)
	made.Prefix = prefix
	act := call.Act(w.Now(), made.Needs(), domain.ActionCreateAccessToken, domain.OnToken(id))
	must(t, w.Store.Ports().Tokens.Create(t.Context(), act, made, hash))
	return id, forward.Input{Token: text}
}

// act is a change by the admin.
func (w *world) act(action domain.Action) domain.Act {
	return w.Admin.Act(w.Now(), domain.NeedsAdmin(), action, "")
}

// update changes the user.
func (w *world) update(t *testing.T, user domain.UserID, change func(u *domain.User, otherAdmin bool) error) {
	t.Helper()
	_, err := w.Store.Ports().Users.Update(t.Context(), w.act(domain.ActionUpdateUser), user, change, domain.Kept{})
	must(t, err)
}

// revoke takes the user's grant on p back.
func (w *world) revoke(t *testing.T, user domain.UserID, p domain.Project) {
	t.Helper()
	must(t, w.Store.Ports().Grants.Remove(t.Context(), w.act(domain.ActionRevokeProject), user, p.ID))
}

// end ends sessions.
func (w *world) end(t *testing.T, which domain.SessionsToEnd) {
	t.Helper()
	ended, err := w.Store.Ports().Sessions.End(t.Context(), w.act(domain.ActionDeleteSession), which)
	must(t, err)
	if ended.Sessions == 0 {
		t.Fatal("no session ended")
	}
}

// opened is what the text of a cookie says.
func (w *world) opened(t *testing.T, kind domain.SessionKind, text string) domain.Claims {
	t.Helper()
	claims, _, err := w.sessions.Open(kind, text, func(cause error) error { return cause })
	must(t, err)
	return claims
}

// setKey puts the key into the slot.
func (w *world) setKey(t *testing.T, p domain.Project, slot domain.Slot, key string) domain.Project {
	t.Helper()
	sealed, err := w.Cipher.Seal(domain.NewSecret(key), domain.BindKey(p.ID, slot, testworld.Origin))
	must(t, err)
	return w.put(t, p, slot, sealed)
}

// spoil puts sealed bytes into the slot that do not open.
func (w *world) spoil(t *testing.T, p domain.Project, slot domain.Slot) domain.Project {
	t.Helper()
	return w.put(t, p, slot, domain.Sealed{Key: "1", Bytes: []byte("garbage in " + string(slot))})
}

func (w *world) put(t *testing.T, p domain.Project, slot domain.Slot, sealed domain.Sealed) domain.Project {
	t.Helper()
	p, err := w.Store.Ports().Projects.Update(t.Context(), w.act(domain.ActionSetToken), p.ID, func(p *domain.Project) error {
		p.PutKey(slot, sealed, w.Now(), w.Now())
		return nil
	})
	must(t, err)
	return p
}

// openSession opens a v4 session and returns the turns in it, by its handle. The handle does
// not show Voiceflow's session key.
func (w *world) openSession(t *testing.T, p domain.Project, in forward.Input) forward.Input {
	t.Helper()
	in.Service, in.Path = runtime, "/v4/project/"+string(p.Voiceflow)+"/session"
	out, err := w.Forward(t.Context(), domain.Call{}, in, testworld.Request("POST", in.Path, `{"userID":"x"}`))
	must(t, err)
	handle, err := io.ReadAll(out.Answer.Body)
	if err != nil || bytes.Contains(handle, []byte("session-key")) {
		t.Fatalf("got the handle %s and error %v", handle, err)
	}
	_ = out.Answer.Body.Close()
	return forward.Input{Service: runtime, Path: "/v4/interact", Handle: string(handle)}
}

func wantStatuses(t *testing.T, p domain.Project, primary, secondary domain.KeyStatus) {
	t.Helper()
	if p.Primary.Status != primary || p.Secondary.Status != secondary {
		t.Errorf("the primary key is marked %q and the secondary %q, want %q and %q", p.Primary.Status, p.Secondary.Status, primary, secondary)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type closing struct {
	io.ReadCloser
	closed *bool
}

func (c closing) Close() error {
	*c.closed = true
	return c.ReadCloser.Close()
}
