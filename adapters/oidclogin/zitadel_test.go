package oidclogin_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"

	"github.com/flowlatch/flowlatch/adapters/oidclogin"
	"github.com/flowlatch/flowlatch/domain"
)

// startZitadel starts the example provider of zitadel/oidc, whose issuer ends as suffix says.
func startZitadel(t *testing.T, suffix string) (issuer string) {
	t.Helper()
	was := slog.Default()
	t.Cleanup(func() { slog.SetDefault(was) }) // the provider replaces it
	var provider http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { provider.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	issuer = server.URL + suffix
	storage.RegisterClients(storage.WebClient("web", "zitadels-secret", redirectURL), storage.NativeClient("native", redirectURL))
	provider = exampleop.SetupServer(issuer, storage.NewStorage(storage.NewUserStore(issuer)), slog.New(slog.DiscardHandler), false)
	return issuer
}

var authRequest = regexp.MustCompile(`name="id" value="([^"]+)"`)

// browse logs test-user2 in by the form of the provider, and returns the parameters of its answer.
func browse(t *testing.T, loginURL string) url.Values {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	var back *url.URL
	browser := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), redirectURL) {
			back = r.URL
			return http.ErrUseLastResponse
		}
		return nil
	}}
	page, err := browser.Get(loginURL)
	if err != nil {
		t.Fatal(err)
	}
	defer page.Body.Close()
	body, err := io.ReadAll(page.Body)
	if err != nil {
		t.Fatal(err)
	}
	id := authRequest.FindSubmatch(body)
	if id == nil {
		t.Fatalf("the page of the provider, %s, has no login form: %s", page.Status, body)
	}
	answer, err := browser.PostForm(page.Request.URL.String(), url.Values{"username": {"test-user2"}, "password": {"verysecure"}, "id": {string(id[1])}})
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if back == nil {
		t.Fatalf("the provider answered %s, want it to send the browser back", answer.Status)
	}
	return back.Query()
}

func TestZitadel(t *testing.T) {
	for name, row := range map[string]struct{ suffix, id, secret string }{
		"a client with a secret":            {"", "web", "zitadels-secret"},
		"a public client":                   {"", "native", ""},
		"an issuer with a slash at the end": {"/", "web", "zitadels-secret"},
	} {
		t.Run(name, func(t *testing.T) {
			issuer := startZitadel(t, row.suffix)
			p := newProvider(t, oidclogin.Options{
				Issuer: issuer, ClientID: row.id, ClientSecret: domain.NewSecret(row.secret), Scopes: []string{"openid", "profile", "email", "offline_access"},
			})
			verifier := sent
			verifier.Verifier = domain.NewSecret(strings.Repeat("v", 43))
			address, err := p.LoginURL(t.Context(), verifier)
			if err != nil {
				t.Fatal(err)
			}
			back := browse(t, address)
			if back.Get("state") != sent.State.Reveal() {
				t.Fatalf("the provider sent back %v", back)
			}
			code := domain.NewSecret(back.Get("code"))
			answer, err := p.Redeem(t.Context(), code, verifier)
			if err != nil {
				t.Fatal(err)
			}
			want := domain.Identity{Issuer: issuer, Subject: "id2"}
			if answer.Person.Identity != want || answer.Person.Name != "test-user2" || answer.Person.Groups.State != domain.GroupsAbsent {
				t.Errorf("Redeem: got %+v", answer.Person)
			}
			_, err = p.Redeem(t.Context(), code, verifier)
			wantRefused(t, "Redeem of a used code", err, code.Reveal())
			next, err := p.Refresh(t.Context(), answer.Refresh, want)
			if err != nil || next.Person.Identity != want || next.Refresh.Equal(answer.Refresh) {
				t.Errorf("Refresh: got %+v, %v", next.Person, err)
			}
			_, err = p.Refresh(t.Context(), answer.Refresh, want)
			wantRefused(t, "Refresh with a used token", err, answer.Refresh.Reveal())
			_, err = p.ReadLogout(t.Context(), answer.IDToken)
			wantKind(t, err, domain.NotAuthenticated)
			end, err := p.LogoutURL(t.Context(), answer.IDToken, "https://flowlatch.example/console/")
			if err != nil || !strings.HasPrefix(end.Reveal(), strings.TrimSuffix(issuer, "/")+"/end_session?") {
				t.Errorf("LogoutURL: got error %v, or an address that is not of the provider", err)
			}
		})
	}
}

// wantRefused fails the test unless err is NotAuthenticated and keeps the secret.
func wantRefused(t *testing.T, what string, err error, secret string) {
	t.Helper()
	checkError(t, err, secret)
	if kind := domain.KindOf(err); kind != domain.NotAuthenticated {
		t.Errorf("%s: got error %v, want one of kind %q", what, err, domain.NotAuthenticated)
	}
}

func TestZitadelTellsIssuersApartByTheSlash(t *testing.T) {
	issuer := startZitadel(t, "/")
	p := newProvider(t, oidclogin.Options{Issuer: strings.TrimSuffix(issuer, "/"), ClientID: "web", ClientSecret: domain.NewSecret("zitadels-secret")})
	_, err := p.LoginURL(t.Context(), sent)
	wantKind(t, err, domain.Unavailable)
	wantPublic(t, err, "differ by the slash at the end")
}
