package oidclogin_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"

	"github.com/flowlatch/flowlatch/domain"
)

// Each forged ID token is refused for the reason that its row names.
func TestForgedIDTokens(t *testing.T) {
	f := newForger(t, httptest.NewServer)
	p := newProvider(t, f.options())
	with := func(name string, value any) string {
		claims := f.claims()
		claims[name] = value
		return f.sign(claims)
	}
	without := func(name string) string {
		claims := f.claims()
		delete(claims, name)
		return f.sign(claims)
	}
	public, err := x509.MarshalPKIXPublicKey(f.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	logout := f.logoutClaims()
	logoutWithNonce := f.logoutClaims()
	logoutWithNonce["nonce"] = sent.Nonce.Reveal()
	good := f.sign(f.claims())
	head, rest, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	for _, row := range []struct {
		name, token, cause string
	}{
		{"there is no ID token", "", "no ID token"},
		{"the nonce is missing", without("nonce"), "nonce"},
		{"the nonce is empty", with("nonce", ""), "nonce"},
		{"the nonce is of another login", with("nonce", "older"), "nonce"},
		{"the nonce is in capitals", with("nonce", "THE-NONCE"), "nonce"},
		{"the nonce is under another name", func() string { c := f.claims(); delete(c, "nonce"); c["Nonce"] = "the-nonce"; return f.sign(c) }(), "nonce"},
		{"the nonce is a list", with("nonce", []string{"the-nonce"}), "claims"},
		{"it is a logout token", f.sign(logout), "events"},
		{"it is a logout token with our nonce", f.sign(logoutWithNonce), "events"},
		{"it says that it is a logout token", f.withHeader(map[string]any{"alg": "ES256", "kid": "key-1", "typ": "logout+jwt"}, f.claims()), "logout+jwt"},
		{"it says that it is an access token", f.withHeader(map[string]any{"alg": "ES256", "kid": "key-1", "typ": "application/AT+JWT"}, f.claims()), "at+jwt"},
		{"the algorithm is none", segment(`{"alg":"none"}`) + "." + payload + ".", "algorithm"},
		{"the algorithm is None, with the signature of another token", segment(`{"alg":"None","kid":"key-1"}`) + "." + payload + "." + signature, "algorithm"},
		{"HS256 with the client secret", hs256([]byte(clientSecret), "key-1", f.claims()), "algorithm"},
		{"HS256 with the public key as the secret", hs256(public, "key-1", f.claims()), "algorithm"},
		{"HS256 with the public key as PEM", hs256(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), "", f.claims()), "algorithm"},
		{"the signature is by another key of the same name", signBy(newKey(t), "key-1", oidc.ES256, f.claims()), "signature"},
		{"the signature is by a key that the token brings", f.withHeader(map[string]any{"alg": "ES256", "kid": "key-2", "jku": f.url + "/other-keys"}, f.claims()), "signature"},
		{"the payload was changed", head + "." + segment(marshal(map[string]any{"sub": "admin"})) + "." + signature, "signature"},
		{"the signature is missing", head + "." + payload + ".", "signature"},
		{"it is in the JSON serialization", `{"protected":"` + head + `","payload":"` + payload + `","signature":"` + signature + `"}`, "compact"},
		{"it is no token", "garbage", "compact"},
		{"the audience is another client", with("aud", "another-client"), "audience"},
		{"there is no audience", without("aud"), "audience"},
		{"there are several audiences and no azp", with("aud", []string{clientID, "another-client"}), "several audiences"},
		{"azp is another client", with("azp", "another-client"), "azp"},
		{"azp is empty", with("azp", ""), "azp"},
		{"azp is no text", with("azp", []string{clientID}), "azp"},
		{"the issuer is another", with("iss", "https://evil.example"), "different provider"},
		{"the issuer has a slash more", with("iss", f.url+"/"), "different provider"},
		{"it expired 61 seconds ago", with("exp", f.now().Add(-61*time.Second).Unix()), "expired"},
		{"it never expires", without("exp"), "expired"},
		{"it was issued 61 seconds from now", with("iat", f.now().Add(61*time.Second).Unix()), "future"},
		{"it says not when it was issued", without("iat"), "iat"},
		{"the subject is missing", without("sub"), "subject"},
		{"the subject is too long", with("sub", strings.Repeat("s", 256)), "subject"},
		{"the subject holds a control character", with("sub", "a\x00b"), "subject"},
		{"the hash of the access token is of another one", with("at_hash", segment("0123456789abcdef")), "access token hash"},
		{"a claim is there twice", oidctest.SignIDToken(f.key, "key-1", oidc.ES256, strings.Replace(marshal(f.claims()), "{", `{"groups":["admins"],`, 1)), "once"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := f.redeem(t, p, row.token)
			wantKind(t, err, domain.NotAuthenticated)
			if err != nil && !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(row.cause)) {
				t.Errorf("got error %v, want a cause with %q", err, row.cause)
			}
		})
	}
}

// What is at the edge of the rules is accepted, so the table above refuses for its reasons.
func TestGoodIDTokens(t *testing.T) {
	f := newForger(t, httptest.NewServer)
	p := newProvider(t, f.options())
	sum := sha256.Sum256([]byte("the-access-token"))
	for name, edit := range map[string]func(map[string]any){
		"the usual one":                          func(map[string]any) {},
		"our azp":                                func(c map[string]any) { c["azp"] = clientID },
		"several audiences and our azp":          func(c map[string]any) { c["azp"], c["aud"] = clientID, []string{"another", clientID} },
		"one audience in a list":                 func(c map[string]any) { c["aud"] = []string{clientID} },
		"expired 59 seconds ago":                 func(c map[string]any) { c["exp"] = f.now().Add(-59 * time.Second).Unix() },
		"issued 59 seconds from now":             func(c map[string]any) { c["iat"] = f.now().Add(59 * time.Second).Unix() },
		"with the hash of its access token":      func(c map[string]any) { c["at_hash"] = segment(string(sum[:16])) },
		"with a fraction of a second":            func(c map[string]any) { c["iat"] = float64(f.now().Unix()) + 0.5 },
		"with a claim that nobody knows":         func(c map[string]any) { c["acr"] = map[string]any{"x": 1} },
		"with the longest subject":               func(c map[string]any) { c["sub"] = strings.Repeat("s", 255) },
		"with a sid that can't be stored, unset": func(c map[string]any) { c["sid"] = "a\x00b" },
	} {
		t.Run(name, func(t *testing.T) {
			claims := f.claims()
			edit(claims)
			answer, err := f.redeem(t, p, f.sign(claims))
			if err != nil {
				t.Fatalf("Redeem: got error %v, want success", err)
			}
			if answer.Person.Identity != (domain.Identity{Issuer: f.url, Subject: claims["sub"].(string)}) || !slices.Equal(answer.Person.Groups.Names, []string{"staff"}) {
				t.Errorf("Redeem: got %+v", answer.Person)
			}
			if strings.ContainsRune(answer.Person.Sid, 0) {
				t.Errorf("Redeem: got the sid %q", answer.Person.Sid)
			}
		})
	}
}

func TestEachAsymmetricAlgorithmIsAccepted(t *testing.T) {
	f := newForger(t, httptest.NewServer)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f.known.PublicKeys = append(f.known.PublicKeys, oidctest.PublicKey{PublicKey: edKey.Public(), KeyID: "ed", Algorithm: oidc.EdDSA})
	for _, alg := range []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512} {
		f.known.PublicKeys = append(f.known.PublicKeys, oidctest.PublicKey{PublicKey: rsaKey.Public(), KeyID: alg, Algorithm: alg})
	}
	p := newProvider(t, f.options())
	tokens := map[string]string{"EdDSA": signBy(edKey, "ed", oidc.EdDSA, f.claims()), "ES256": f.sign(f.claims())}
	for _, alg := range []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512} {
		tokens[alg] = signBy(rsaKey, alg, alg, f.claims())
	}
	for alg, token := range tokens {
		if _, err := f.redeem(t, p, token); err != nil {
			t.Errorf("%s: got error %v, want success", alg, err)
		}
	}
}

func TestUserinfo(t *testing.T) {
	for name, row := range map[string]struct {
		groups, userinfo any // nil leaves them out
		sub              string
		want             domain.Groups
		kind             domain.Kind
		asked            int
	}{
		"is not asked if the ID token has the groups": {groups: []string{"a"}, userinfo: []string{"b"}, sub: anaSubject, want: domain.ListedGroups([]string{"a"})},
		"is not asked if the ID token has no group":   {groups: []string{}, userinfo: []string{"b"}, sub: anaSubject, want: domain.Groups{State: domain.GroupsListed}},
		"is asked if the ID token lacks the claim":    {userinfo: []string{"b"}, sub: anaSubject, want: domain.ListedGroups([]string{"b"}), asked: 1},
		"may lack the claim too":                      {sub: anaSubject, want: domain.Groups{}, asked: 1},
		"is refused if it is about another subject":   {userinfo: []string{"b"}, sub: "subject-of-ben", kind: domain.NotAuthenticated, asked: 1},
		"is refused if it is about nobody":            {userinfo: []string{"b"}, kind: domain.NotAuthenticated, asked: 1},
		"is not asked if the claim can't be read":     {groups: 7, sub: anaSubject, want: domain.Groups{State: domain.GroupsUnreadable}},
		"may have a claim that can't be read":         {userinfo: []any{"a", 7}, sub: anaSubject, want: domain.Groups{State: domain.GroupsUnreadable}, asked: 1},
		"one text is one group":                       {userinfo: "b", sub: anaSubject, want: domain.ListedGroups([]string{"b"}), asked: 1},
		"may list no group":                           {userinfo: []string{}, sub: anaSubject, want: domain.Groups{State: domain.GroupsListed}, asked: 1},
	} {
		t.Run(name, func(t *testing.T) {
			f := newForger(t, httptest.NewServer)
			claims := f.claims()
			delete(claims, "groups")
			if row.groups != nil {
				claims["groups"] = row.groups
			}
			f.userinfo = map[string]any{"sub": row.sub}
			if row.userinfo != nil {
				f.userinfo["groups"] = row.userinfo
			}
			answer, err := f.redeem(t, newProvider(t, f.options()), f.sign(claims))
			wantKind(t, err, row.kind)
			if got := answer.Person.Groups; got.State != row.want.State || !slices.Equal(got.Names, row.want.Names) {
				t.Errorf("Redeem: got the groups %v, want %v", got, row.want)
			}
			if got := f.times("/userinfo"); got != row.asked {
				t.Errorf("userinfo was asked %d times, want %d", got, row.asked)
			}
		})
	}
}

func TestTheNameIsForNewUsersOnly(t *testing.T) {
	f := newForger(t, httptest.NewServer)
	p := newProvider(t, f.options())
	for want, said := range map[string]map[string]any{
		"Ana B":       {"preferred_username": "Ana B", "email": "x@example.com", "name": "y"},
		"ana":         {"email": "ana@example.com", "name": "y"},
		"Ana Example": {"name": "Ana Example", "preferred_username": 7},
		"":            {},
	} {
		claims := f.claims()
		delete(claims, "preferred_username")
		for name, value := range said {
			claims[name] = value
		}
		answer, err := f.redeem(t, p, f.sign(claims))
		if err != nil || answer.Person.Name != want {
			t.Errorf("Redeem of %v: got the name %q, %v, want %q", said, answer.Person.Name, err, want)
		}
	}
}

func TestRefresh(t *testing.T) {
	f := newForger(t, httptest.NewServer)
	p := newProvider(t, f.options())
	ana := domain.Identity{Issuer: f.url, Subject: anaSubject}
	other, events := f.claims(), f.logoutClaims()
	other["sub"] = "subject-of-ben"
	noNonce := f.claims()
	delete(noNonce, "nonce")
	for name, row := range map[string]struct {
		token string
		kind  domain.Kind
		want  string
	}{
		"with a new ID token":                     {token: f.sign(noNonce), want: "staff"},
		"without one, userinfo has the groups":    {token: "", want: "by userinfo"},
		"an ID token about somebody else":         {token: f.sign(other), kind: domain.NotAuthenticated},
		"a logout token in place of the ID token": {token: f.sign(events), kind: domain.NotAuthenticated},
		"a forged ID token":                       {token: hs256([]byte(clientSecret), "key-1", noNonce), kind: domain.NotAuthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			f.idToken = row.token
			answer, err := p.Refresh(t.Context(), domain.NewSecret("refresh-1"), ana)
			checkError(t, err, row.token)
			wantKind(t, err, row.kind)
			if err == nil && (answer.Person.Identity != ana || !slices.Equal(answer.Person.Groups.Names, []string{row.want}) || answer.Refresh.Reveal() != "refresh-2") {
				t.Errorf("Refresh: got %+v", answer.Person)
			}
			if answer.IDToken.Reveal() != row.token && err == nil {
				t.Error("Refresh: got another ID token")
			}
		})
	}
	f.idToken, f.userinfo = "", map[string]any{"sub": "subject-of-ben"}
	_, err := p.Refresh(t.Context(), domain.NewSecret("refresh-1"), ana)
	wantKind(t, err, domain.NotAuthenticated)
}

// The client shows its secret where the provider wants it, and none if it has none.
func TestClientAuthentication(t *testing.T) {
	for name, row := range map[string]struct {
		methods                any
		secret                 string
		user, bodyID, bodyPass string
	}{
		"in the header by default":                        {nil, clientSecret, clientID, "", ""},
		"in the header if the provider takes both":        {[]string{"client_secret_post", "client_secret_basic"}, clientSecret, clientID, "", ""},
		"in the body if the provider takes it there only": {[]string{"client_secret_post", "private_key_jwt"}, clientSecret, "", clientID, clientSecret},
		"a public client only says who it is":             {nil, "", "", clientID, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newForger(t, httptest.NewServer)
			if row.methods != nil {
				f.metadata["token_endpoint_auth_methods_supported"] = row.methods
			}
			o := f.options()
			o.ClientSecret = domain.NewSecret(row.secret)
			if _, err := f.redeem(t, newProvider(t, o), f.idToken); err != nil {
				t.Fatal(err)
			}
			if f.form["user"] != row.user || f.form["client_id"] != row.bodyID || f.form["client_secret"] != row.bodyPass {
				t.Errorf("the token endpoint got %v", f.form)
			}
		})
	}
}
