package portstest

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// ProviderControl is the other side of a ports.IdentityProvider: the provider, and who logs in at it.
type ProviderControl interface {
	// LogIn does what a browser and a person do with the address of LoginURL, and returns the parameters of
	// the answer: code, state and iss. The provider knows p from then on.
	LogIn(loginURL string, p domain.Person) (url.Values, error)
	// SetGroups changes the groups of the subject.
	SetGroups(subject string, groups domain.Groups)
	// RefuseRefresh makes the refresh tokens of the subject invalid.
	RefuseRefresh(subject string)
	// GiveNoRefresh lets the provider give no refresh tokens from now on.
	GiveNoRefresh()
	// Break lets the provider give no usable answer until Mend.
	Break()
	Mend()
	// LogoutToken returns a logout token that is issued now. The subject, the issuer and sid may be empty:
	// the issuer is then that of the provider.
	LogoutToken(of domain.Identity, sid string) domain.Secret
}

// OpenProvider returns a ports.IdentityProvider that was not used yet, and its other side. Both go by now.
type OpenProvider func(t *testing.T, now ports.Clock) (ports.IdentityProvider, ProviderControl)

// IdentityProvider checks the sentences in the comments of ports.IdentityProvider that can be seen from
// outside. What forged tokens do is for the adapter's own tests.
func IdentityProvider(t *testing.T, open OpenProvider) {
	for _, s := range []struct {
		name string
		run  func(t *testing.T, f *providerFixture)
	}{
		{"Issuer and Origins do not ask, and the origin of the issuer is among Origins", providerOrigins},
		{"LoginURL sends the state, the nonce and the S256 challenge of the verifier", providerLoginURL},
		{"Redeem returns who logged in, with groups and sid", providerRedeem},
		{"Redeem returns the state of the groups as it is", providerGroups},
		{"Redeem is NotAuthenticated for a code that is unknown, used or expired", providerCodes},
		{"Redeem is NotAuthenticated for another verifier", providerVerifier},
		{"Redeem is NotAuthenticated for another nonce and for none", providerNonce},
		{"of many calls with one code, one succeeds", providerCodeRace},
		{"Refresh brings the groups of now and the next refresh token", providerRefresh},
		{"a provider that gives no refresh tokens brings none", providerNoRefresh},
		{"Refresh is NotAuthenticated if the provider refuses", providerRefused},
		{"Refresh is NotAuthenticated if the answer is about somebody else", providerOther},
		{"ReadLogout returns the subject, the session, the id and its end", providerReadLogout},
		{"ReadLogout is NotAuthenticated for a token that is about nobody or no logout token", providerNoLogout},
		{"ReadLogout is NotAuthenticated more than five minutes after the token was issued", providerOldLogout},
		{"LogoutURL has the ID token as hint and says where to go afterwards", providerLogoutURL},
		{"without a provider that answers, every call is Unavailable with a sentence, and each tries again", providerSilent},
		{"a provider that falls silent is Unavailable, and nothing is refused by that", providerFallsSilent},
		{"all methods are safe for concurrent use", providerConcurrent},
	} {
		t.Run(s.name, func(t *testing.T) {
			c := newClock()
			provider, control := open(t, c.now)
			s.run(t, &providerFixture{IdentityProvider: provider, control: control, clock: c})
		})
	}
}

type providerFixture struct {
	ports.IdentityProvider
	control ProviderControl
	clock   *clock
}

func (f *providerFixture) ana() domain.Person {
	return domain.Person{
		Identity: domain.Identity{Issuer: f.Issuer(), Subject: "subject-of-ana"}, Name: "Ana",
		Groups: domain.ListedGroups([]string{"staff", "editors"}), Sid: "sid-1",
	}
}

func sentToProvider(suffix string) domain.SentToProvider {
	return domain.SentToProvider{
		State: domain.NewSecret("state-" + suffix), Nonce: domain.NewSecret("nonce-" + suffix),
		Verifier: domain.NewSecret("verifier-of-at-least-43-characters-of-base64url-" + suffix),
	}
}

// code logs p in at the provider and returns the code.
func (f *providerFixture) code(t *testing.T, p domain.Person, sent domain.SentToProvider) domain.Secret {
	t.Helper()
	address, err := f.LoginURL(t.Context(), sent)
	wantNil(t, "LoginURL", err)
	answer, err := f.control.LogIn(address, p)
	wantNil(t, "logging in at the provider", err)
	wantSame(t, "state of the answer", answer.Get("state"), sent.State.Reveal())
	return domain.NewSecret(answer.Get("code"))
}

func (f *providerFixture) redeem(t *testing.T, p domain.Person) domain.ProviderAnswer {
	t.Helper()
	sent := sentToProvider("1")
	answer, err := f.Redeem(t.Context(), f.code(t, p, sent), sent)
	wantNil(t, "Redeem", err)
	return answer
}

func providerOrigins(t *testing.T, f *providerFixture) {
	f.control.Break()
	want, err := domain.ParseOrigin(f.Issuer())
	wantNil(t, "the origin of Issuer", err)
	for _, origin := range f.Origins() {
		if origin == want {
			return
		}
	}
	t.Fatalf("Origins: got %q, want %q among them", f.Origins(), want)
}

func providerLoginURL(t *testing.T, f *providerFixture) {
	sent := sentToProvider("1")
	address, err := f.LoginURL(t.Context(), sent)
	wantNil(t, "LoginURL", err)
	u, err := url.Parse(address)
	wantNil(t, "reading the address", err)
	sum := sha256.Sum256([]byte(sent.Verifier.Reveal()))
	for name, want := range map[string]string{
		"state": sent.State.Reveal(), "nonce": sent.Nonce.Reveal(), "code_challenge_method": "S256",
		"code_challenge": base64.RawURLEncoding.EncodeToString(sum[:]), "response_type": "code",
	} {
		wantSame(t, "LoginURL: "+name, u.Query().Get(name), want)
	}
	for _, name := range []string{"client_id", "redirect_uri", "scope"} {
		if u.Query().Get(name) == "" {
			t.Errorf("LoginURL: %s is missing", name)
		}
	}
	if strings.Contains(address, sent.Verifier.Reveal()) {
		t.Error("LoginURL: the address has the verifier, want its challenge only")
	}
	origin, err := domain.ParseOrigin(address)
	wantNil(t, "the origin of LoginURL", err)
	for _, known := range f.Origins() {
		if known == origin {
			return
		}
	}
	t.Errorf("Origins after LoginURL: got %q, want %q among them", f.Origins(), origin)
}

func providerRedeem(t *testing.T, f *providerFixture) {
	answer := f.redeem(t, f.ana())
	wantSame(t, "Redeem: person", answer.Person, f.ana())
	if answer.IDToken.IsZero() || answer.Refresh.IsZero() {
		t.Error("Redeem: the ID token or the refresh token is missing")
	}
}

func providerGroups(t *testing.T, f *providerFixture) {
	for _, groups := range []domain.Groups{
		{State: domain.GroupsAbsent}, {State: domain.GroupsListed}, domain.ListedGroups([]string{"b", "a"}), {State: domain.GroupsElsewhere}, {State: domain.GroupsUnreadable},
	} {
		p := f.ana()
		p.Groups = groups
		wantSame(t, "Redeem: groups", f.redeem(t, p).Person.Groups, groups)
	}
}

func providerCodes(t *testing.T, f *providerFixture) {
	sent := sentToProvider("1")
	_, err := f.Redeem(t.Context(), domain.NewSecret("no-such-code"), sent)
	wantKind(t, "Redeem of an unknown code", err, domain.NotAuthenticated)
	_, err = f.Redeem(t.Context(), domain.Secret{}, sent)
	wantKind(t, "Redeem of no code", err, domain.NotAuthenticated)
	code := f.code(t, f.ana(), sent)
	_, err = f.Redeem(t.Context(), code, sent)
	wantNil(t, "Redeem", err)
	_, err = f.Redeem(t.Context(), code, sent)
	wantKind(t, "Redeem of a used code", err, domain.NotAuthenticated)
	if strings.Contains(err.Error(), code.Reveal()) {
		t.Error("Redeem of a used code: the error holds the code")
	}
	code = f.code(t, f.ana(), sent)
	f.clock.advance(time.Hour)
	_, err = f.Redeem(t.Context(), code, sent)
	wantKind(t, "Redeem of a code of an hour ago", err, domain.NotAuthenticated)
}

func providerVerifier(t *testing.T, f *providerFixture) {
	sent := sentToProvider("1")
	for what, verifier := range map[string]domain.Secret{"another": sentToProvider("2").Verifier, "none": {}} {
		other := sent
		other.Verifier = verifier
		_, err := f.Redeem(t.Context(), f.code(t, f.ana(), sent), other)
		wantKind(t, "Redeem with a wrong verifier, "+what, err, domain.NotAuthenticated)
	}
}

func providerNonce(t *testing.T, f *providerFixture) {
	sent := sentToProvider("1")
	for what, nonce := range map[string]domain.Secret{"another": sentToProvider("2").Nonce, "none": {}} {
		other := sent
		other.Nonce = nonce
		_, err := f.Redeem(t.Context(), f.code(t, f.ana(), sent), other)
		wantKind(t, "Redeem with a wrong nonce, "+what, err, domain.NotAuthenticated)
	}
}

func providerCodeRace(t *testing.T, f *providerFixture) {
	sent := sentToProvider("1")
	code := f.code(t, f.ana(), sent)
	problems := make([]error, 8)
	atOnce(len(problems), func(i int) { _, problems[i] = f.Redeem(t.Context(), code, sent) })
	var won int
	for _, err := range problems {
		if err == nil {
			won++
			continue
		}
		wantKind(t, "Redeem beside others with the same code", err, domain.NotAuthenticated)
	}
	if won != 1 {
		t.Errorf("Redeem of one code at once: %d succeeded, want 1", won)
	}
}

func providerRefresh(t *testing.T, f *providerFixture) {
	answer := f.redeem(t, f.ana())
	want := f.ana()
	for _, groups := range []domain.Groups{domain.ListedGroups([]string{"staff"}), {State: domain.GroupsListed}} {
		f.control.SetGroups(want.Identity.Subject, groups)
		want.Groups = groups
		f.clock.advance(15 * time.Minute)
		next, err := f.Refresh(t.Context(), answer.Refresh, want.Identity)
		wantNil(t, "Refresh", err)
		wantSame(t, "Refresh: identity", next.Person.Identity, want.Identity)
		wantSame(t, "Refresh: groups", next.Person.Groups, groups)
		if next.Refresh.IsZero() {
			t.Fatal("Refresh: there is no refresh token for the next time")
		}
		answer = next
	}
}

func providerNoRefresh(t *testing.T, f *providerFixture) {
	f.control.GiveNoRefresh()
	if answer := f.redeem(t, f.ana()); !answer.Refresh.IsZero() {
		t.Error("Redeem: got a refresh token, want none")
	}
}

func providerRefused(t *testing.T, f *providerFixture) {
	answer := f.redeem(t, f.ana())
	f.control.RefuseRefresh(f.ana().Identity.Subject)
	for what, refresh := range map[string]domain.Secret{"that is refused": answer.Refresh, "that nobody gave": domain.NewSecret("no-such-token"), "that is none": {}} {
		_, err := f.Refresh(t.Context(), refresh, f.ana().Identity)
		wantKind(t, "Refresh with a token "+what, err, domain.NotAuthenticated)
		if !refresh.IsZero() && strings.Contains(err.Error(), refresh.Reveal()) {
			t.Errorf("Refresh with a token %s: the error holds it", what)
		}
	}
}

func providerOther(t *testing.T, f *providerFixture) {
	for what, of := range map[string]domain.Identity{
		"another subject": {Issuer: f.Issuer(), Subject: "subject-of-ben"}, "another issuer": {Issuer: "https://other.example", Subject: f.ana().Identity.Subject},
	} {
		_, err := f.Refresh(t.Context(), f.redeem(t, f.ana()).Refresh, of)
		wantKind(t, "Refresh for "+what, err, domain.NotAuthenticated)
	}
}

func providerReadLogout(t *testing.T, f *providerFixture) {
	ids := map[string]bool{}
	for _, want := range []domain.ProviderLogout{
		{Identity: f.ana().Identity}, {Identity: f.ana().Identity, Sid: "sid-1"}, {Identity: domain.Identity{Issuer: f.Issuer()}, Sid: "sid-1"},
	} {
		token := f.control.LogoutToken(domain.Identity{Subject: want.Identity.Subject}, want.Sid)
		got, err := f.ReadLogout(t.Context(), token)
		wantNil(t, "ReadLogout", err)
		wantSame(t, "ReadLogout: identity", got.Identity, want.Identity)
		wantSame(t, "ReadLogout: sid", got.Sid, want.Sid)
		again, err := f.ReadLogout(t.Context(), token)
		wantNil(t, "ReadLogout again", err)
		wantSame(t, "ReadLogout again", again, got)
		if got.ID == "" || ids[got.ID] {
			t.Errorf("ReadLogout: got the id %q, want another one for each token", got.ID)
		}
		ids[got.ID] = true
		if left := got.Ends.Sub(f.clock.now()); left < 5*time.Minute || left > time.Hour {
			t.Errorf("ReadLogout: the id is remembered for %v, want at least as long as the token is accepted", left)
		}
	}
}

func providerNoLogout(t *testing.T, f *providerFixture) {
	for what, token := range map[string]domain.Secret{
		"without subject and session":    f.control.LogoutToken(domain.Identity{}, ""),
		"of another issuer":              f.control.LogoutToken(domain.Identity{Issuer: "https://other.example", Subject: "s"}, ""),
		"that is an ID token":            f.redeem(t, f.ana()).IDToken,
		"that is no token":               domain.NewSecret("no-token"),
		"that is empty":                  {},
		"that is a JWT of nothing":       domain.NewSecret("e30.e30."),
		"with a JSON serialization only": domain.NewSecret(`{"payload":"e30","signatures":[]}`),
	} {
		_, err := f.ReadLogout(t.Context(), token)
		wantKind(t, "ReadLogout of a token "+what, err, domain.NotAuthenticated)
	}
}

func providerOldLogout(t *testing.T, f *providerFixture) {
	token := f.control.LogoutToken(f.ana().Identity, "")
	f.clock.advance(time.Minute)
	_, err := f.ReadLogout(t.Context(), token)
	wantNil(t, "ReadLogout a minute later", err)
	f.clock.advance(4*time.Minute + time.Second)
	_, err = f.ReadLogout(t.Context(), token)
	wantKind(t, "ReadLogout more than five minutes later", err, domain.NotAuthenticated)
}

func providerLogoutURL(t *testing.T, f *providerFixture) {
	answer := f.redeem(t, f.ana())
	address, err := f.LogoutURL(t.Context(), answer.IDToken, "https://flowlatch.example/console/")
	wantNil(t, "LogoutURL", err)
	u, err := url.Parse(address.Reveal())
	wantNil(t, "reading the address", err)
	wantSame(t, "LogoutURL: id_token_hint", u.Query().Get("id_token_hint"), answer.IDToken.Reveal())
	wantSame(t, "LogoutURL: post_logout_redirect_uri", u.Query().Get("post_logout_redirect_uri"), "https://flowlatch.example/console/")
}

// wantSilent makes calls that have to ask, and wants Unavailable with a sentence.
func (f *providerFixture) wantSilent(t *testing.T, calls map[string]func() error) {
	t.Helper()
	for what, call := range calls {
		err := call()
		wantKind(t, what+" while the provider is silent", err, domain.Unavailable)
		if e, _ := errors.AsType[*domain.Error](err); !strings.Contains(e.Public, "identity provider") {
			t.Errorf("%s while the provider is silent: got the sentence %q, want one about the identity provider", what, e.Public)
		}
	}
}

func providerSilent(t *testing.T, f *providerFixture) {
	f.control.Break()
	sent := sentToProvider("1")
	f.wantSilent(t, map[string]func() error{
		"LoginURL": func() error { _, err := f.LoginURL(t.Context(), sent); return err },
		"Redeem":   func() error { _, err := f.Redeem(t.Context(), domain.NewSecret("code"), sent); return err },
		"Refresh": func() error {
			_, err := f.Refresh(t.Context(), domain.NewSecret("token"), f.ana().Identity)
			return err
		},
		"ReadLogout": func() error {
			_, err := f.ReadLogout(t.Context(), f.control.LogoutToken(f.ana().Identity, ""))
			return err
		},
		"LogoutURL": func() error {
			_, err := f.LogoutURL(t.Context(), domain.NewSecret("a.b.c"), "https://flowlatch.example/")
			return err
		},
	})
	f.control.Mend()
	f.clock.advance(2 * time.Second)
	f.redeem(t, f.ana())
}

func providerFallsSilent(t *testing.T, f *providerFixture) {
	answer := f.redeem(t, f.ana())
	sent := sentToProvider("2")
	code := f.code(t, f.ana(), sent)
	f.control.Break()
	f.wantSilent(t, map[string]func() error{
		"Redeem":  func() error { _, err := f.Redeem(t.Context(), code, sent); return err },
		"Refresh": func() error { _, err := f.Refresh(t.Context(), answer.Refresh, f.ana().Identity); return err },
	})
	f.control.Mend()
	f.clock.advance(2 * time.Second)
	_, err := f.Redeem(t.Context(), code, sent)
	wantNil(t, "Redeem after the provider was silent", err)
	_, err = f.Refresh(t.Context(), answer.Refresh, f.ana().Identity)
	wantNil(t, "Refresh after the provider was silent", err)
}

func providerConcurrent(t *testing.T, f *providerFixture) {
	problems := make([]string, crowd)
	atOnce(crowd, func(i int) {
		p, sent := f.ana(), sentToProvider(strconv.Itoa(i))
		p.Identity.Subject = "subject-" + strconv.Itoa(i)
		address, err := f.LoginURL(t.Context(), sent)
		if err != nil {
			problems[i] = err.Error()
			return
		}
		back, err := f.control.LogIn(address, p)
		if err != nil {
			problems[i] = err.Error()
			return
		}
		answer, err := f.Redeem(t.Context(), domain.NewSecret(back.Get("code")), sent)
		if err == nil {
			answer, err = f.Refresh(t.Context(), answer.Refresh, p.Identity)
		}
		if err != nil {
			problems[i] = err.Error()
			return
		}
		problems[i] = difference(answer.Person.Identity, p.Identity)
		_ = f.Origins()
	})
	for _, problem := range problems {
		wantSame(t, "logging in beside others", problem, "")
	}
}
