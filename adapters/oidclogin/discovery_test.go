package oidclogin_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"

	"github.com/flowlatch/flowlatch/adapters/oidclogin"
	"github.com/flowlatch/flowlatch/domain"
)

// tenMegabytes is valid JSON but for its size.
func tenMegabytes(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"keys":[],"issuer":"` + strings.Repeat("a", 10<<20) + `"}`))
}

func TestAProviderThatGivesNoUsableDiscovery(t *testing.T) {
	for name, row := range map[string]struct {
		prepare func(f *forger)
		says    string
	}{
		"the document has 10 MB":         {func(f *forger) { f.answer(discoveryPath, tenMegabytes) }, "more than 1 MiB"},
		"the document is another one":    {func(f *forger) { f.metadata["issuer"] = "https://evil.example" }, `"https://evil.example"`},
		"the issuer has a slash more":    {func(f *forger) { f.metadata["issuer"] = f.url + "/" }, "differ by the slash at the end"},
		"the issuer is missing":          {func(f *forger) { delete(f.metadata, "issuer"); f.metadata["issuer"] = "" }, "names no issuer"},
		"the authorization is missing":   {func(f *forger) { f.metadata["authorization_endpoint"] = nil }, "authorization_endpoint is missing"},
		"the keys are missing":           {func(f *forger) { f.metadata["jwks_uri"] = "" }, "jwks_uri is missing"},
		"the login is plain http":        {func(f *forger) { f.metadata["authorization_endpoint"] = "http://login.example/auth" }, "authorization_endpoint is plain http"},
		"the tokens are plain http":      {func(f *forger) { f.metadata["token_endpoint"] = "http://login.example/token" }, "token_endpoint is plain http"},
		"the keys are plain http":        {func(f *forger) { f.metadata["jwks_uri"] = "http://login.example/keys" }, "jwks_uri is plain http"},
		"userinfo is plain http":         {func(f *forger) { f.metadata["userinfo_endpoint"] = "http://login.example/me" }, "userinfo_endpoint is plain http"},
		"the logout is plain http":       {func(f *forger) { f.metadata["end_session_endpoint"] = "http://login.example/end" }, "end_session_endpoint is plain http"},
		"the login is a script":          {func(f *forger) { f.metadata["authorization_endpoint"] = "javascript:alert(1)" }, "no absolute http or https URL"},
		"the login is a path":            {func(f *forger) { f.metadata["authorization_endpoint"] = "/auth" }, "no absolute http or https URL"},
		"the login has a user":           {func(f *forger) { f.metadata["authorization_endpoint"] = "https://a:b@login.example/auth" }, "contains a user"},
		"the logout has a fragment":      {func(f *forger) { f.metadata["end_session_endpoint"] = "https://login.example/end#x" }, "fragment"},
		"the document is a page":         {func(f *forger) { f.answer(discoveryPath, text("<html>hello</html>")) }, "no discovery document"},
		"the document is a list":         {func(f *forger) { f.answer(discoveryPath, text("[]")) }, "no discovery document"},
		"there is no document":           {func(f *forger) { f.answer(discoveryPath, http.NotFound) }, "status 404; an admin has to check FLOWLATCH_OIDC_ISSUER if that goes on; try again later"},
		"the document is somewhere else": {func(f *forger) { f.answer(discoveryPath, redirect) }, "status 302"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newForger(t, httptest.NewServer)
			row.prepare(f)
			p := newProvider(t, f.options())
			_, err := p.LoginURL(t.Context(), sent)
			checkError(t, err)
			wantKind(t, err, domain.Unavailable)
			wantPublic(t, err, "identity provider", row.says)
			if len(err.Error()) > 2000 {
				t.Errorf("the error has %d bytes, want a line of a log", len(err.Error()))
			}
			if f.times("/elsewhere") > 0 {
				t.Error("a redirect was followed")
			}
		})
	}
}

func text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
}

func redirect(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "/elsewhere", http.StatusFound)
}

// An issuer with https names no endpoint with plain http, not even on this machine.
func TestAnIssuerWithHTTPSNamesNoPlainEndpoint(t *testing.T) {
	f := newForger(t, httptest.NewTLSServer)
	p := newProvider(t, f.options())
	if _, err := p.LoginURL(t.Context(), sent); err != nil {
		t.Fatalf("LoginURL: got error %v, want success", err)
	}
	f.metadata["token_endpoint"] = "http://127.0.0.1:1/token"
	_, err := newProvider(t, f.options()).LoginURL(t.Context(), sent)
	wantKind(t, err, domain.Unavailable)
	wantPublic(t, err, "token_endpoint is plain http, although the issuer uses https")
}

func TestAnUntrustedCertificateIsNamed(t *testing.T) {
	f := newForger(t, httptest.NewTLSServer)
	f.roots = nil
	_, err := newProvider(t, f.options()).LoginURL(t.Context(), sent)
	wantKind(t, err, domain.Unavailable)
	wantPublic(t, err, "certificate that is not trusted")
}

func TestAProviderThatIsNotThere(t *testing.T) {
	f := newForger(t, httptest.NewServer)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	o := f.options()
	o.Issuer = gone.URL
	_, err := newProvider(t, o).LoginURL(t.Context(), sent)
	wantKind(t, err, domain.Unavailable)
	wantPublic(t, err, "can't be reached")
	if len(newProvider(t, o).Origins()) != 1 {
		t.Error("Origins: want that of the issuer")
	}
}

// Failed discovery is tried again after a second, and many calls at once ask once.
func TestDiscoveryIsTriedAgainSoonAndByOneCall(t *testing.T) {
	f := newForger(t, httptest.NewServer)
	p := newProvider(t, f.options())
	f.answer(discoveryPath, http.NotFound)
	crowd := func() (failed int) {
		var wait sync.WaitGroup
		errs := make([]error, 16)
		for i := range errs {
			wait.Go(func() { _, errs[i] = p.LoginURL(t.Context(), sent) })
		}
		wait.Wait()
		for _, err := range errs {
			if err != nil {
				failed++
			}
		}
		return failed
	}
	if failed := crowd(); failed != 16 || f.times(discoveryPath) != 1 {
		t.Errorf("16 calls at once: %d failed and %d asked, want 16 and 1", failed, f.times(discoveryPath))
	}
	f.answer(discoveryPath, nil)
	f.advance(time.Second)
	if failed := crowd(); failed != 0 || f.times(discoveryPath) != 2 {
		t.Errorf("16 calls a second later: %d failed and %d asked in all, want 0 and 2", failed, f.times(discoveryPath))
	}
}

// A caller who leaves does not take the answer away from the others.
func TestACallerWhoLeavesDoesNotStopDiscovery(t *testing.T) {
	f := newForger(t, httptest.NewServer)
	asked, release := make(chan struct{}), make(chan struct{})
	f.answer(discoveryPath, func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		<-release
		f.answer(discoveryPath, nil)
		f.serve(w, r)
	})
	p := newProvider(t, f.options())
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() { _, err := p.LoginURL(ctx, sent); left <- err }()
	<-asked
	leave()
	wantKind(t, <-left, domain.Unavailable)
	close(release)
	if _, err := p.LoginURL(t.Context(), sent); err != nil {
		t.Errorf("LoginURL: got error %v, want success", err)
	}
}

// Endpoints are asked for again after an hour. The old ones stay if the provider does not answer then.
func TestDiscoveryIsRefreshed(t *testing.T) {
	f := newForger(t, httptest.NewServer)
	p := newProvider(t, f.options())
	want := func(prefix string, asked int) {
		t.Helper()
		address, err := p.LoginURL(t.Context(), sent)
		if err != nil || !strings.HasPrefix(address, prefix) || f.times(discoveryPath) != asked {
			t.Errorf("LoginURL: got %q, %v after %d questions, want %s… after %d", address, err, f.times(discoveryPath), prefix, asked)
		}
	}
	want(f.url+"/auth?", 1)
	f.metadata["authorization_endpoint"] = "https://new.example/auth?tenant=1"
	f.advance(59 * time.Minute)
	want(f.url+"/auth?", 1)
	f.answer(discoveryPath, http.NotFound)
	f.advance(time.Minute)
	want(f.url+"/auth?", 2)
	want(f.url+"/auth?", 2) // it does not ask with each call now
	f.answer(discoveryPath, nil)
	f.advance(time.Minute)
	want("https://new.example/auth?tenant=1&", 3)
	if got := p.Origins(); !slices.Equal(got, []domain.Origin{domain.Origin(f.url), "https://new.example"}) {
		t.Errorf("Origins: got %q", got)
	}
}

func TestNothingIsAskedBeforeTheFirstUse(t *testing.T) {
	f := newForger(t, httptest.NewServer)
	p := newProvider(t, f.options())
	_, _ = p.Issuer(), p.Origins()
	if f.times(discoveryPath) != 0 {
		t.Error("the provider was asked, want no I/O by New, Issuer and Origins")
	}
}

// A key that is new is fetched, and the keys stay in use while discovery is refreshed.
func TestKeyRotationInTheMiddle(t *testing.T) {
	f := newForger(t, httptest.NewServer)
	p := newProvider(t, f.options())
	if _, err := f.redeem(t, p, f.sign(f.claims())); err != nil {
		t.Fatal(err)
	}
	next := newKey(t)
	f.mu.Lock()
	f.known.PublicKeys = []oidctest.PublicKey{{PublicKey: next.Public(), KeyID: "key-2", Algorithm: oidc.ES256}}
	f.mu.Unlock()
	f.advance(11 * time.Second)
	if _, err := f.redeem(t, p, signBy(next, "key-2", oidc.ES256, f.claims())); err != nil {
		t.Errorf("Redeem after the rotation: got error %v, want success", err)
	}
	f.advance(11 * time.Second)
	_, err := f.redeem(t, p, f.sign(f.claims()))
	wantKind(t, err, domain.NotAuthenticated) // the old key is gone
	f.advance(2 * time.Hour)
	before := f.times("/keys")
	if _, err := f.redeem(t, p, signBy(next, "key-2", oidc.ES256, f.claims())); err != nil || f.times("/keys") != before {
		t.Errorf("Redeem after discovery was refreshed: got error %v and %d more questions for keys, want none", err, f.times("/keys")-before)
	}
}

func TestUnknownKeysCauseAtMostOneFetchInTenSeconds(t *testing.T) {
	f := newForger(t, httptest.NewServer)
	p := newProvider(t, f.options())
	storm := func() {
		var wait sync.WaitGroup
		for i := range 20 {
			wait.Go(func() {
				_, err := p.ReadLogout(t.Context(), domain.NewSecret(signBy(f.key, "unknown-"+string(rune('a'+i)), oidc.ES256, f.logoutClaims())))
				wantKind(t, err, domain.NotAuthenticated)
			})
		}
		wait.Wait()
	}
	storm()
	f.advance(9999 * time.Millisecond)
	storm()
	if got := f.times("/keys"); got != 1 {
		t.Errorf("the keys were fetched %d times within 10 seconds, want once", got)
	}
	f.advance(time.Millisecond)
	storm()
	if got := f.times("/keys"); got != 2 {
		t.Errorf("the keys were fetched %d times in all, want twice", got)
	}
	if _, err := f.redeem(t, p, f.sign(f.claims())); err != nil {
		t.Errorf("Redeem after the storm: got error %v, want success", err)
	}
}

// Without keys nobody is refused: the provider is unavailable.
func TestKeysThatCannotBeHad(t *testing.T) {
	for name, row := range map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"10 MB":        {tenMegabytes, "more than 1 MiB"},
		"an error":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, "status 502"},
		"a page":       {text("<html>" + strings.Repeat("x", 10_000)), "no usable answer"},
		"a broken key": {text(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA","kid":"key-1"}]}`), "no usable answer"},
		"a redirect":   {redirect, "status 302"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newForger(t, httptest.NewServer)
			f.answer("/keys", row.answer)
			p := newProvider(t, f.options())
			_, err := f.redeem(t, p, f.sign(f.claims()))
			wantKind(t, err, domain.Unavailable)
			wantPublic(t, err, "identity provider", row.says)
			if len(err.Error()) > 2000 {
				t.Errorf("the error has %d bytes, want a line of a log", len(err.Error()))
			}
			f.answer("/keys", nil)
			f.advance(10 * time.Second)
			if _, err := f.redeem(t, p, f.sign(f.claims())); err != nil {
				t.Errorf("Redeem when the keys are back: got error %v, want success", err)
			}
		})
	}
}

func TestAnswersOfTheTokenEndpoint(t *testing.T) {
	failure := func(status int, body map[string]any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, status, body) }
	}
	for name, row := range map[string]struct {
		answer http.HandlerFunc
		kind   domain.Kind
		says   string
	}{
		"the code is refused":   {failure(400, map[string]any{"error": "invalid_grant", "error_description": "the-code is used"}), domain.NotAuthenticated, "log in again"},
		"refused with 401":      {failure(401, map[string]any{"error": "invalid_grant"}), domain.NotAuthenticated, "log in again"},
		"refused with 200":      {failure(200, map[string]any{"error": "invalid_grant"}), domain.NotAuthenticated, "log in again"},
		"the client is unknown": {failure(401, map[string]any{"error": "invalid_client", "error_description": clientSecret}), domain.Unavailable, "FLOWLATCH_OIDC_CLIENT_SECRET"},
		"the request is wrong":  {failure(400, map[string]any{"error": "invalid_scope"}), domain.Unavailable, "an admin finds the reason in the log"},
		"an error that echoes":  {failure(400, map[string]any{"error": "the-code"}), domain.NotAuthenticated, "log in again"},
		"refused with 403":      {failure(403, map[string]any{"error": "invalid_code"}), domain.NotAuthenticated, "log in again"},
		"refused with no error": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }, domain.NotAuthenticated, "log in again"},
		"it is not there":       {http.NotFound, domain.Unavailable, "status 404"},
		"it is broken":          {failure(500, map[string]any{}), domain.Unavailable, "status 500"},
		"it is overloaded": {func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "the-code the-verifier", http.StatusServiceUnavailable)
		}, domain.Unavailable, "status 503"},
		"it answers with garbage": {text("\x00\xff garbage the-code"), domain.Unavailable, "no usable answer"},
		"it answers with a list":  {func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, []string{"the-code"}) }, domain.Unavailable, "no usable answer"},
		"it answers with 10 MB":   {tenMegabytes, domain.Unavailable, "no usable answer"},
		"it gives nothing":        {failure(200, map[string]any{}), domain.Unavailable, "no usable answer"},
		"it redirects":            {redirect, domain.Unavailable, "status 302"},
		"it hangs up":             {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, domain.Unavailable, "identity provider"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newForger(t, httptest.NewServer)
			f.answer("/token", row.answer)
			p := newProvider(t, f.options())
			_, err := f.redeem(t, p, "")
			wantKind(t, err, row.kind)
			wantPublic(t, err, row.says)
			_, err = p.Refresh(t.Context(), domain.NewSecret("refresh-1"), domain.Identity{Issuer: f.url, Subject: anaSubject})
			checkError(t, err)
			wantKind(t, err, row.kind)
			if f.times("/elsewhere") > 0 {
				t.Error("a redirect was followed")
			}
		})
	}
}

func TestUserinfoThatIsNotUsable(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"an error": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "the-access-token", http.StatusInternalServerError)
		}, "10 MB": tenMegabytes,
		"garbage": text("garbage"), "null": text("null"), "signed": text("e30.e30.e30"), "a redirect": redirect,
	} {
		t.Run(name, func(t *testing.T) {
			f := newForger(t, httptest.NewServer)
			f.answer("/userinfo", answer)
			claims := f.claims()
			delete(claims, "groups")
			_, err := f.redeem(t, newProvider(t, f.options()), f.sign(claims))
			wantKind(t, err, domain.Unavailable)
		})
	}
}

// Whatever hangs, a call ends by its limit.
func TestACallEndsByItsLimit(t *testing.T) {
	for _, path := range []string{discoveryPath, "/token", "/keys", "/userinfo"} {
		for what, answer := range map[string]func(release <-chan struct{}) http.HandlerFunc{
			"without an answer": func(release <-chan struct{}) http.HandlerFunc {
				return func(http.ResponseWriter, *http.Request) { <-release }
			},
			"in its body": func(release <-chan struct{}) http.HandlerFunc {
				return func(w http.ResponseWriter, _ *http.Request) {
					_, _ = w.Write([]byte("{"))
					_ = http.NewResponseController(w).Flush()
					<-release
				}
			},
		} {
			t.Run(path+" hangs "+what, func(t *testing.T) {
				f := newForger(t, httptest.NewServer)
				release := make(chan struct{})
				t.Cleanup(func() { close(release) }) // before the server is closed, which waits for it
				f.answer(path, answer(release))
				o := f.options()
				o.Timeout = 50 * time.Millisecond
				claims := f.claims()
				delete(claims, "groups")
				_, err := f.redeem(t, newProvider(t, o), f.sign(claims))
				wantKind(t, err, domain.Unavailable)
				wantPublic(t, err, "does not answer in time")
			})
		}
	}
}

func TestOptions(t *testing.T) {
	good := oidclogin.Options{Issuer: "https://login.example/realms/x", ClientID: clientID, RedirectURL: redirectURL}
	for name, row := range map[string]struct {
		edit func(*oidclogin.Options)
		kind domain.Kind
	}{
		"the four of every company are enough":  {func(o *oidclogin.Options) { o.ClientSecret = domain.NewSecret("s") }, ""},
		"a public client has no secret":         {func(*oidclogin.Options) {}, ""},
		"plain http to 127.0.0.1":               {func(o *oidclogin.Options) { o.Issuer = "http://127.0.0.1:9998/" }, ""},
		"plain http to localhost":               {func(o *oidclogin.Options) { o.Issuer, o.RedirectURL = "http://localhost:9998", "http://localhost/x" }, ""},
		"plain http to ::1":                     {func(o *oidclogin.Options) { o.Issuer = "http://[::1]:9998" }, ""},
		"a claim that is a URL":                 {func(o *oidclogin.Options) { o.GroupsClaim = "https://example.com/groups" }, ""},
		"a claim that is a pointer":             {func(o *oidclogin.Options) { o.GroupsClaim = "/realm_access/roles" }, ""},
		"a pointer with a wrong escape":         {func(o *oidclogin.Options) { o.GroupsClaim = "/a~2b" }, domain.Invalid},
		"a claim that is too long":              {func(o *oidclogin.Options) { o.GroupsClaim = strings.Repeat("g", 257) }, domain.Invalid},
		"no issuer":                             {func(o *oidclogin.Options) { o.Issuer = "" }, domain.Invalid},
		"an issuer without a scheme":            {func(o *oidclogin.Options) { o.Issuer = "login.example" }, domain.Invalid},
		"plain http to another host":            {func(o *oidclogin.Options) { o.Issuer = "http://login.example" }, domain.Invalid},
		"plain http to a host that looks local": {func(o *oidclogin.Options) { o.Issuer = "http://localhost.evil.example" }, domain.Invalid},
		"an issuer with a query":                {func(o *oidclogin.Options) { o.Issuer += "?a" }, domain.Invalid},
		"an issuer with a fragment":             {func(o *oidclogin.Options) { o.Issuer += "#a" }, domain.Invalid},
		"an issuer with a user":                 {func(o *oidclogin.Options) { o.Issuer = "https://a@login.example" }, domain.Invalid},
		"no client id":                          {func(o *oidclogin.Options) { o.ClientID = "" }, domain.Invalid},
		"no redirect URL":                       {func(o *oidclogin.Options) { o.RedirectURL = "" }, domain.Invalid},
		"a redirect URL with plain http":        {func(o *oidclogin.Options) { o.RedirectURL = "http://flowlatch.example/" }, domain.Invalid},
		"scopes without openid":                 {func(o *oidclogin.Options) { o.Scopes = []string{"profile"} }, domain.Invalid},
		"two scopes in one":                     {func(o *oidclogin.Options) { o.Scopes = []string{"openid", "a b"} }, domain.Invalid},
		"a limit of six seconds":                {func(o *oidclogin.Options) { o.Timeout = 6 * time.Second }, domain.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			o := good
			row.edit(&o)
			_, err := oidclogin.New(o)
			checkError(t, err)
			wantKind(t, err, row.kind)
		})
	}
}
