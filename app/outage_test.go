package app_test

import (
	"sync/atomic"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/app/cookie"
	"github.com/flowlatch/flowlatch/app/forward"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
)

// outage is the cipher of an instance that can't read the keyset while it is told so, and
// knows none of the keys.
type outage struct {
	*memory.Cipher
	on atomic.Bool
}

func (o *outage) Open(s domain.Sealed, to domain.Binding) (domain.Secret, error) {
	if o.on.Load() {
		return domain.Secret{}, &domain.Error{Kind: domain.Unavailable, Public: "the keyset can't be read"}
	}
	return o.Cipher.Open(s, to)
}

// While the keyset can't be read nobody is logged out, no key is marked, and the audit is
// not called forged.
func TestAnOutageOfTheKeysetSaysNothingOfWhatIsSealed(t *testing.T) {
	w := newWorld(t)
	cipher, p := &outage{Cipher: w.cipher}, w.ports()
	p.Cipher, p.Keyring = cipher, cipher
	w.Service = w.open(t, p)
	bot := w.project(t, "Bot", versionID)
	w.voiceflow.Answer(testworld.Fine)
	call, cookies := w.talker(t, "ben", bot)
	cookies = turn("x", cookies)
	token := turn("x", w.token(t, call, app.CreateAccessToken{Project: string(bot.ID)}))
	handle, _, err := cookie.New(cipher).Seal(domain.Claims{Kind: domain.ConversationHandle, Session: "01890000-0000-7000-8001-000000000001"})
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, w.Audit().Chain(t.Context()), "")
	w.login(t, "ben", false) // which is to be chained
	before := len(w.store.Records())

	cipher.on.Store(true)
	pass := func(by forward.Input) func() error {
		return func() error { _, err := w.use(t, by, "POST", "{}"); return err }
	}
	for what, do := range map[string]func() error{
		"Identify":           func() error { _, err := w.Identify(t.Context(), cookies.UserCookie); return err },
		"CheckSession":       func() error { _, err := w.CheckSession(t.Context(), call, cookies.AssistantCookie); return err },
		"ClearProject":       func() error { return w.ClearProject(t.Context(), call, cookies.AssistantCookie) },
		"by cookies":         pass(cookies),
		"by a handle":        pass(forward.Input{Handle: handle, Service: runtime, Path: "/v4/interact"}),
		"by a token":         pass(token),
		"under a host":       func() error { return hostedUse(t, w, p, cookies.AssistantCookie) },
		"Ready":              func() error { return w.Keyset().Ready(t.Context()) },
		"MarkUnopened":       func() error { return w.Keyset().MarkUnopened(t.Context()) },
		"ChainAudit":         func() error { return w.Audit().Chain(t.Context()) },
		"the start-up check": func() error { _, err := app.Open(t.Context(), p, app.Options{}); return err },
	} {
		t.Run(what, func(t *testing.T) { wantKind(t, do(), domain.Unavailable) })
	}
	wantActions(t, w.actions(before))
	if got := w.stored(t, bot).Primary.Status; got == domain.KeyNeedsReentry {
		t.Error("the key of the assistant is marked as one that has to be set again")
	}

	cipher.on.Store(false)
	wantKind(t, pass(cookies)(), "")
	wantKind(t, w.Audit().Chain(t.Context()), "")
}

// hostedUse forwards a call of ben, whom a host program has logged in.
func hostedUse(t *testing.T, w *world, p app.Ports, cookie string) error {
	t.Helper()
	in := turn("x", forward.Input{AssistantCookie: cookie})
	_, err := w.Forwarder().Forward(t.Context(), domain.Call{Caller: domain.Caller{ID: "host|ben"}}, in, testworld.Request("POST", in.Path, "{}"))
	return err
}
