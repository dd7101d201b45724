package browser

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// What the identity provider knows Flowlatch by, and the password of everybody there.
const (
	clientID         = "flowlatch"
	clientSecret     = "browser-client-secret"
	providerPassword = "verysecure"
)

// provider is zitadel's example of an OpenID provider, in the process, with its own form. It is at
// localhost and Flowlatch at 127.0.0.1, so it is another site to browsers.
type provider struct {
	*storage.Storage

	url    string
	back   string // the base URL of Flowlatch
	broken atomic.Bool
	ended  atomic.Int32 // how many sessions were to be ended

	mu     sync.Mutex
	groups []string // of everybody
}

// registered makes Flowlatch known to all providers of the process.
var registered = sync.OnceFunc(func() { storage.RegisterClients(storage.WebClient(clientID, clientSecret)) })

// client is Flowlatch as its provider knows it.
type client struct {
	op.Client
	back string
}

// RedirectURIs returns where answers go to.
func (c client) RedirectURIs() []string { return []string{c.back + "/oidc/callback"} }

// PostLogoutRedirectURIs returns where browsers go to after a logout.
func (c client) PostLogoutRedirectURIs() []string { return []string{c.back + "/console/"} }

// GetClientByClientID returns Flowlatch.
func (p *provider) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	found, err := p.Storage.GetClientByClientID(ctx, id)
	return client{found, p.back}, err
}

// SetUserinfoFromToken adds the groups.
func (p *provider) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, tokenID, subject, origin string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	info.AppendClaims("groups", p.groups)
	return p.Storage.SetUserinfoFromToken(ctx, info, tokenID, subject, origin)
}

// setGroups sets the groups that everybody has from the next login on.
func (p *provider) setGroups(groups ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.groups = groups
}

// startProvider starts a provider for Flowlatch at the base URL.
func startProvider(t *testing.T, back string) *provider {
	t.Helper()
	registered()
	p := &provider{back: back, groups: []string{}}
	var routes http.Handler
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.broken.Load() {
			http.Error(w, "broken", http.StatusServiceUnavailable)
			return
		}
		if r.URL.Path == "/end_session" {
			p.ended.Add(1)
		}
		routes.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	p.url = strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	p.Storage = storage.NewStorage(storage.NewUserStore(p.url))
	routes = exampleop.SetupServer(p.url, p, slog.New(slog.DiscardHandler), false)
	return p
}

// signOnWorld is a world with an identity provider, Contoso.
type signOnWorld struct {
	*world

	provider *provider
	strict   *atomic.Bool // forms may lead to the own origin only, whatever the pages say
}

// newSignOn starts the program with the users ada and ben and an identity provider.
func newSignOn(t *testing.T, settings ...string) *signOnWorld {
	t.Helper()
	w := &signOnWorld{strict: new(atomic.Bool)}
	var behind *httputil.ReverseProxy
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { behind.ServeHTTP(rw, r) }))
	t.Cleanup(proxy.Close)
	w.provider = startProvider(t, proxy.URL)
	w.world = newWorld(t, nil, append(append([]string{
		"FLOWLATCH_BASE_URL=" + proxy.URL, "FLOWLATCH_OIDC_ISSUER=" + w.provider.url, "FLOWLATCH_OIDC_LABEL=Contoso",
		"FLOWLATCH_OIDC_CLIENT_ID=" + clientID, "FLOWLATCH_OIDC_CLIENT_SECRET=" + clientSecret,
	}, unhurried...), settings...)...)
	to, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	behind = httputil.NewSingleHostReverseProxy(to)
	behind.ModifyResponse = func(r *http.Response) error {
		if w.strict.Load() {
			policy := r.Header.Get("Content-Security-Policy")
			r.Header.Set("Content-Security-Policy", strings.Replace(policy, " "+w.provider.url+";", ";", 1))
		}
		return nil
	}
	w.url, w.logIn = proxy.URL, "Log in with a password"
	w.withUsers()
	return w
}

// bothWays is world.bothWays.
func (w *signOnWorld) bothWays(flow func(w *signOnWorld, s Settings, tag string)) {
	w.world.bothWays(func(part *world, s Settings, tag string) {
		flow(&signOnWorld{world: part, provider: w.provider, strict: w.strict}, s, tag)
	})
}

// pressLogin presses the button on the page of the login, and fills the form of the provider.
func pressLogin(tab *Tab, user string) {
	tab.t.Helper()
	tab.Follow("Log in with Contoso")
	fillProvider(tab, user)
}

// fillProvider fills the form of the provider, and forgets what the tab has seen there.
func fillProvider(tab *Tab, user string) {
	tab.t.Helper()
	tab.Fill("username", user)
	tab.Fill("password", providerPassword)
	tab.Submit("Login")
	tab.back()
}

// back forgets what the tab has seen on the way to and from the provider.
func (tab *Tab) back() {
	tab.forget()
	tab.seen.begin()
}
