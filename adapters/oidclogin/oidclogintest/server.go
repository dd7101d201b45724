// Package oidclogintest is an OpenID Connect provider that runs in the process, for tests. It does what
// providers of companies do: groups in the ID token or in userinfo, refresh tokens that are used once, the
// end of a session, and logout tokens. It has no passwords: whoever opens its login page chooses who they
// are.
package oidclogintest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"html/template"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"
	"golang.org/x/oauth2"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// ClientID and ClientSecret are what the provider knows its only client by.
const (
	ClientID     = "flowlatch"
	ClientSecret = "oidclogintest-client-secret"
)

const (
	codeLifetime  = 10 * time.Minute
	tokenLifetime = 5 * time.Minute
)

// Server is the provider. It is safe for concurrent use.
type Server struct {
	http *httptest.Server
	now  ports.Clock

	mu        sync.Mutex
	key       *ecdsa.PrivateKey
	keyID     string
	broken    bool
	noRefresh bool
	userinfo  bool // groups are in userinfo only
	changes   []func(claims map[string]any)
	people    map[string]domain.Person // by subject
	codes     map[string]code
	refreshes map[string]session
	accesses  map[string]string // the subject of an access token
	asked     map[string]int    // by path
	given     []domain.Secret   // ID tokens and refresh tokens
}

// session is a session at the provider.
type session struct{ subject, sid string }

type code struct {
	session
	nonce, challenge, redirect string
	ends                       time.Time
}

// New starts a provider on a free port of this machine. Its time is now. Close stops it.
func New(now ports.Clock) *Server {
	s := &Server{
		now: now, people: map[string]domain.Person{}, codes: map[string]code{}, refreshes: map[string]session{},
		accesses: map[string]string{}, asked: map[string]int{},
	}
	s.RotateKey()
	routes := http.NewServeMux()
	routes.HandleFunc("GET /.well-known/openid-configuration", s.discovery)
	routes.HandleFunc("GET /keys", s.keys)
	routes.HandleFunc("GET /authorize", s.authorize)
	routes.HandleFunc("POST /token", s.token)
	routes.HandleFunc("GET /userinfo", s.userInfo)
	routes.HandleFunc("GET /logout", s.logout)
	s.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked[r.URL.Path]++
		broken := s.broken
		s.mu.Unlock()
		if broken {
			http.Error(w, "broken", http.StatusServiceUnavailable)
			return
		}
		routes.ServeHTTP(w, r)
	}))
	return s
}

// Close stops the provider.
func (s *Server) Close() { s.http.Close() }

// Issuer is the issuer of the provider.
func (s *Server) Issuer() string { return s.http.URL }

// Asked returns how often a path was asked for.
func (s *Server) Asked(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[path]
}

// Given returns the ID tokens and the refresh tokens that were given so far.
func (s *Server) Given() []domain.Secret {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.given)
}

// RotateKey replaces the key that signs. The old one is forgotten.
func (s *Server) RotateKey() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // the source of randomness never fails
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key, s.keyID = key, rand.Text()
}

// Break lets every request fail with 503 until Mend.
func (s *Server) Break() { s.set(func() { s.broken = true }) }

// Mend ends Break.
func (s *Server) Mend() { s.set(func() { s.broken = false }) }

// GiveNoRefresh lets the provider give no refresh tokens from now on.
func (s *Server) GiveNoRefresh() { s.set(func() { s.noRefresh = true }) }

// GroupsInUserinfo moves the claim of the groups from ID tokens to userinfo.
func (s *Server) GroupsInUserinfo() { s.set(func() { s.userinfo = true }) }

// Change lets change edit the claims of each ID token from now on, before it is signed.
func (s *Server) Change(change func(claims map[string]any)) {
	s.set(func() { s.changes = append(s.changes, change) })
}

// SetGroups changes what the next answers about the subject say of their groups.
func (s *Server) SetGroups(subject string, groups domain.Groups) {
	s.set(func() {
		p := s.people[subject]
		p.Identity.Subject, p.Groups = subject, groups
		s.people[subject] = p
	})
}

// RefuseRefresh makes the refresh tokens of the subject invalid. A later login gets a new one.
func (s *Server) RefuseRefresh(subject string) {
	s.set(func() {
		maps.DeleteFunc(s.refreshes, func(_ string, held session) bool { return held.subject == subject })
	})
}

// Add adds people to the login page. The page has a button for each, with the name as text and the subject as
// value.
func (s *Server) Add(people ...domain.Person) {
	s.set(func() {
		for _, p := range people {
			s.people[p.Identity.Subject] = p
		}
	})
}

func (s *Server) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// Sign signs the claims as a token of the provider.
func (s *Server) Sign(claims map[string]any) domain.Secret {
	s.mu.Lock()
	defer s.mu.Unlock()
	return domain.NewSecret(s.sign(claims))
}

func (s *Server) sign(claims map[string]any) string {
	text, err := json.Marshal(claims)
	if err != nil {
		panic(err) // a test gives claims that are no JSON
	}
	return oidctest.SignIDToken(s.key, s.keyID, oidc.ES256, string(text))
}

// LogoutToken returns a logout token about the identity and the session; either may be empty. An issuer of
// another provider is put into it as it is.
func (s *Server) LogoutToken(of domain.Identity, sid string) domain.Secret {
	claims := map[string]any{
		"iss": s.Issuer(), "aud": ClientID, "jti": rand.Text(), "iat": s.now().Unix(), "exp": s.now().Add(2 * time.Minute).Unix(),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	if of.Issuer != "" {
		claims["iss"] = of.Issuer
	}
	if of.Subject != "" {
		claims["sub"] = of.Subject
	}
	if sid != "" {
		claims["sid"] = sid
	}
	return s.Sign(claims)
}

// LogIn does what a browser and a person do with the address of a login, and returns the parameters of the
// answer. Returns an error if the provider does not accept the address.
func (s *Server) LogIn(loginURL string, p domain.Person) (url.Values, error) {
	address, query, _ := strings.Cut(loginURL, "?")
	asked, err := url.ParseQuery(query)
	if err != nil || address != s.Issuer()+"/authorize" {
		return nil, errors.New("oidclogintest: this is no address of the authorization endpoint")
	}
	if problem := wrongRequest(asked); problem != "" {
		return nil, errors.New("oidclogintest: " + problem)
	}
	s.Add(p)
	return s.answer(asked, session{p.Identity.Subject, p.Sid}), nil
}

// answer makes a code for the session.
func (s *Server) answer(asked url.Values, of session) url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := rand.Text()
	s.codes[text] = code{of, asked.Get("nonce"), asked.Get("code_challenge"), asked.Get("redirect_uri"), s.now().Add(codeLifetime)}
	return url.Values{"code": {text}, "state": {asked.Get("state")}, "iss": {s.Issuer()}}
}

// wrongRequest says what is wrong with a request for a login, "" if nothing is.
func wrongRequest(asked url.Values) string {
	for name, want := range map[string]string{"client_id": ClientID, "response_type": "code", "code_challenge_method": "S256"} {
		if asked.Get(name) != want {
			return name + " is not " + want
		}
	}
	for _, name := range []string{"state", "nonce", "code_challenge", "redirect_uri"} {
		if asked.Get(name) == "" {
			return name + " is missing"
		}
	}
	if !slices.Contains(strings.Fields(asked.Get("scope")), "openid") {
		return "the scope openid is missing"
	}
	return ""
}

var page = template.Must(template.New("").Parse(`<!DOCTYPE html><html lang="en"><title>Who are you?</title><h1>Who are you?</h1>
<form action="/authorize">{{range $name, $values := .Asked}}{{range $values}}<input type="hidden" name="{{$name}}" value="{{.}}">{{end}}{{end}}
{{range .People}}<button name="subject" value="{{.Identity.Subject}}">{{or .Name .Identity.Subject}}</button>{{end}}</form></html>`))

// authorize shows the login page, and sends the browser back once somebody was chosen.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	asked := r.URL.Query()
	if problem := wrongRequest(asked); problem != "" {
		http.Error(w, problem, http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	people := slices.SortedFunc(maps.Values(s.people), func(a, b domain.Person) int {
		return strings.Compare(a.Identity.Subject, b.Identity.Subject)
	})
	s.mu.Unlock()
	for _, p := range people {
		if p.Identity.Subject == asked.Get("subject") {
			back := asked.Get("redirect_uri") + "?" + s.answer(asked, session{p.Identity.Subject, p.Sid}).Encode()
			http.Redirect(w, r, back, http.StatusFound)
			return
		}
	}
	_ = page.Execute(w, map[string]any{"Asked": asked, "People": people})
}

func (s *Server) discovery(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer": s.Issuer(), "authorization_endpoint": s.Issuer() + "/authorize", "token_endpoint": s.Issuer() + "/token",
		"userinfo_endpoint": s.Issuer() + "/userinfo", "end_session_endpoint": s.Issuer() + "/logout", "jwks_uri": s.Issuer() + "/keys",
		"backchannel_logout_supported": true, "backchannel_logout_session_supported": true, "authorization_response_iss_parameter_supported": true,
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "code_challenge_methods_supported": []string{"S256"},
		"id_token_signing_alg_values_supported": []string{oidc.ES256}, "token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post"},
	})
}

func (s *Server) keys(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	known := oidctest.Server{PublicKeys: []oidctest.PublicKey{{PublicKey: s.key.Public(), KeyID: s.keyID, Algorithm: oidc.ES256}}}
	s.mu.Unlock()
	known.ServeHTTP(w, r)
}

func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	id, secret, ok := r.BasicAuth()
	if !ok {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	if id != ClientID || secret != ClientSecret {
		writeJSON(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var of session
	var nonce string
	switch r.PostFormValue("grant_type") {
	case "authorization_code":
		text := r.PostFormValue("code")
		var c code
		c, ok = s.codes[text]
		delete(s.codes, text)
		ok = ok && s.now().Before(c.ends) && c.redirect == r.PostFormValue("redirect_uri") &&
			c.challenge == oauth2.S256ChallengeFromVerifier(r.PostFormValue("code_verifier"))
		of, nonce = c.session, c.nonce
	case "refresh_token":
		text := r.PostFormValue("refresh_token")
		of, ok = s.refreshes[text]
		delete(s.refreshes, text)
	}
	if !ok {
		// Real providers repeat what they were sent, which must not get into a log.
		writeJSON(w, http.StatusBadRequest, map[string]any{
			"error": "invalid_grant", "error_description": "invalid: " + r.PostFormValue("code") + r.PostFormValue("refresh_token"),
		})
		return
	}
	writeJSON(w, http.StatusOK, s.tokens(of, nonce))
}

// tokens makes the tokens of the session. s.mu is held.
func (s *Server) tokens(of session, nonce string) map[string]any {
	access := rand.Text()
	s.accesses[access] = of.subject
	p := s.people[of.subject]
	claims := map[string]any{
		"iss": s.http.URL, "aud": ClientID, "sub": of.subject, "iat": s.now().Unix(), "exp": s.now().Add(tokenLifetime).Unix(),
	}
	for name, text := range map[string]string{"nonce": nonce, "sid": of.sid, "preferred_username": p.Name} {
		if text != "" {
			claims[name] = text
		}
	}
	if !s.userinfo {
		addGroups(claims, p.Groups)
	}
	for _, change := range s.changes {
		change(claims)
	}
	all := map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": int(tokenLifetime.Seconds()), "id_token": s.sign(claims)}
	s.given = append(s.given, domain.NewSecret(all["id_token"].(string)))
	if !s.noRefresh {
		refresh := rand.Text()
		s.refreshes[refresh] = of
		all["refresh_token"] = refresh
		s.given = append(s.given, domain.NewSecret(refresh))
	}
	return all
}

// addGroups adds the claim groups as the state says.
func addGroups(claims map[string]any, groups domain.Groups) {
	switch groups.State {
	case domain.GroupsListed:
		claims["groups"] = append([]string{}, groups.Names...)
	case domain.GroupsUnreadable:
		claims["groups"] = map[string]any{"a": 1}
	case domain.GroupsElsewhere:
		claims["_claim_names"] = map[string]any{"groups": "src1"}
		claims["_claim_sources"] = map[string]any{"src1": map[string]any{"endpoint": "https://graph.example/getMemberObjects"}}
	}
}

func (s *Server) userInfo(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	subject, ok := s.accesses[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	if !ok {
		writeJSON(w, http.StatusUnauthorized, map[string]any{"error": "invalid_token"})
		return
	}
	claims := map[string]any{"sub": subject}
	addGroups(claims, s.people[subject].Groups)
	writeJSON(w, http.StatusOK, claims)
}

// logout ends the session of whoever the ID token names, and sends the browser back.
func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	if back := r.URL.Query().Get("post_logout_redirect_uri"); back != "" && r.URL.Query().Get("id_token_hint") != "" {
		http.Redirect(w, r, back, http.StatusFound)
		return
	}
	_, _ = w.Write([]byte("You are logged out."))
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
