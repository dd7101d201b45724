package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/oidclogin/oidclogintest"
	"github.com/flowlatch/flowlatch/domain"
)

// person is somebody at the provider, who is in the groups.
func person(name string, groups ...string) domain.Person {
	return domain.Person{
		Identity: domain.Identity{Subject: "subject-of-" + name}, Name: name, Sid: "session-of-" + name, Groups: domain.ListedGroups(groups),
	}
}

// startProvider starts an identity provider that knows the people.
func startProvider(t *testing.T, people ...domain.Person) *oidclogintest.Server {
	t.Helper()
	p := oidclogintest.New(time.Now)
	t.Cleanup(p.Close)
	p.Add(people...)
	return p
}

// signingOn returns the same machine with the settings of the identity provider of that issuer, and with a port
// for serve, since the provider has to know where browsers come back to.
func (m *machine) signingOn(issuer string) *machine {
	m.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		m.t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	at := l.Addr().String()
	return m.with("FLOWLATCH_ADDR", at, "FLOWLATCH_BASE_URL", "http://"+at,
		"FLOWLATCH_OIDC_ISSUER", issuer, "FLOWLATCH_OIDC_CLIENT_ID", oidclogintest.ClientID, "FLOWLATCH_OIDC_CLIENT_SECRET", oidclogintest.ClientSecret)
}

// atProvider follows a way to the login page of the provider, and returns the address of the button of the person.
func (b *browser) atProvider(name string) string {
	b.t.Helper()
	began := b.page("GET", "/oidc/login", nil).worked(b.t, "the login", http.StatusSeeOther)
	to, err := url.Parse(began.location)
	if err != nil {
		b.t.Fatal(err)
	}
	query := to.Query()
	query.Set("subject", "subject-of-"+name)
	to.RawQuery = query.Encode()
	return to.String()
}

// signOn logs a person in as a browser does, with all redirects.
func (b *browser) signOn(name string) *browser {
	b.t.Helper()
	answer, err := b.client.Get(b.atProvider(name))
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	said, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || answer.Request.URL.Path != "/console/" {
		b.t.Fatalf("%s lands on %s with %d, %v\n%s", name, answer.Request.URL.Path, answer.StatusCode, err, said)
	}
	return b
}

// logOutBy sends a logout token to the server, as the provider does.
func (s *server) logOutBy(token domain.Secret) answer {
	s.t.Helper()
	got, err := newBrowser(s.t, s.url).tryRaw("POST", "/oidc/backchannel-logout", url.Values{"logout_token": {token.Reveal()}}.Encode(),
		http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
	if err != nil {
		s.t.Fatal(err)
	}
	return got
}

// TestPeopleLogInByTheProvider has groups that grant an assistant and make an admin, a logout by the provider on
// one of two instances, and a backup with all of that.
func TestPeopleLogInByTheProvider(t *testing.T) { eachDatabase(t, logInByTheProvider) }

func logInByTheProvider(t *testing.T, database string) {
	a := newAssistant("Pizza Palace")
	v := startVoiceflow(t, a)
	p := startProvider(t, person("cleo", "support"), person("dan", "ops"))
	m := newMachine(t, v).with("FLOWLATCH_DATABASE_URL", database).signingOn(p.Issuer()).with("FLOWLATCH_OIDC_ADMIN_GROUPS", "ops")
	here := serving(t, m)
	there := m.with("FLOWLATCH_ADDR", "127.0.0.1:0").start("serve")
	admin := here.admin()
	id := admin.want(admin.post("/add_project", adding(a)), "200").added(t).ID
	admin.want(admin.post("/set_group_rule", body{"group": "support", "project_id": id}), "200")

	cleo := newBrowser(t, here.url).signOn("cleo")
	if got := cleo.want(cleo.get("/get_projects"), "200").listed(t); len(got) != 1 || got[0].ID != id {
		t.Errorf("cleo may use %+v, want the assistant of her group", got)
	}
	cleo.want(cleo.post("/set_project", body{"project_id": id}), "200")
	cleo.want(cleo.post("/add_project", adding(a)), "401 not_allowed")
	dan := newBrowser(t, here.url).signOn("dan")
	dan.want(dan.get("/get_all_users"), "200")
	if said := dan.want(dan.post("/logout", nil), "200").text; !strings.Contains(said, `"logout_url":"`+p.Issuer()+"/logout?") || !strings.Contains(said, "id_token_hint=ey") {
		t.Errorf("a logout says %s, want the address at the provider", said)
	}

	v.Fail(endless)
	stream := cleo.at(there.url).openStream(t, runtimeAt+"/v2/project/"+a.ProjectID+"/user/x/interact/stream")
	here.logOutBy(p.LogoutToken(domain.Identity{}, "session-of-nobody"))
	cleo.want(cleo.at(there.url).get("/check_session"), "200")
	token := p.LogoutToken(domain.Identity{}, "session-of-cleo")
	cleo.want(here.logOutBy(token), "200")
	over := time.Now()
	for _, at := range []*server{here, there} {
		cleo.want(cleo.at(at.url).get("/check_session"), "401 not_authenticated")
	}
	select {
	case <-stream:
		t.Logf("the stream ended %v after the answer", time.Since(over))
	case <-time.After(patience):
		t.Error("the stream is still open")
	}
	cleo.want(there.logOutBy(token), "400 not_authenticated") // each token counts once
	v.Fail(nil)

	file := m.backup("kept.jsonl")
	other := m.elsewhere("").with("FLOWLATCH_ADDR", "127.0.0.1:0")
	other.must("", "restore", file)
	var linked struct {
		Username string
		Identity domain.Identity
	}
	for line := range strings.Lines(other.must("", "user", "list", "--json")) {
		if strings.Contains(line, `"cleo"`) {
			if err := json.Unmarshal([]byte(line), &linked); err != nil {
				t.Fatal(err)
			}
		}
	}
	if want := (domain.Identity{Issuer: p.Issuer(), Subject: "subject-of-cleo"}); linked.Identity != want {
		t.Errorf("after a restore cleo is linked to %+v, want %+v", linked.Identity, want)
	}
	restored := other.start("serve").admin()
	if rules := restored.want(restored.get("/get_group_rules"), "200").text; !strings.Contains(rules, `"Group":"support"`) {
		t.Errorf("after a restore the rules are %s", rules)
	}
	if grants := restored.want(restored.get("/get_grants"), "200").text; !strings.Contains(grants, `"Source":"group:support"`) {
		t.Errorf("after a restore the grants are %s", grants)
	}
}

// openStream opens a stream and returns a channel that is closed when it ends.
func (b *browser) openStream(t *testing.T, path string) <-chan struct{} {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	r, err := http.NewRequestWithContext(ctx, "POST", b.url+path, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	client := *b.client
	client.Timeout = 0
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	lines := bufio.NewReader(answer.Body)
	if _, err := lines.ReadString('\n'); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("a stream begins with %d, %v", answer.StatusCode, err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, lines)
	}()
	return ended
}

// TestARecheckTakesWhatIsGone has a person who leaves a group, and then the company, while logged in.
func TestARecheckTakesWhatIsGone(t *testing.T) {
	a := newAssistant("Pizza Palace")
	p := startProvider(t, person("cleo", "support"))
	m := newMachine(t, startVoiceflow(t, a)).signingOn(p.Issuer()).with("FLOWLATCH_OIDC_RECHECK", "1s")
	s := serving(t, m)
	admin := s.admin()
	id := admin.want(admin.post("/add_project", adding(a)), "200").added(t).ID
	admin.want(admin.post("/set_group_rule", body{"group": "support", "project_id": id}), "200")
	cleo := newBrowser(t, s.url).signOn("cleo")
	cleo.want(cleo.post("/set_project", body{"project_id": id}), "200")
	p.SetGroups("subject-of-cleo", domain.ListedGroups(nil))
	eventually(t, "the grant is gone", func() bool {
		return cleo.get("/check_session").status == 200 && cleo.get("/get_projects").String() == "404 not_found"
	})
	p.RefuseRefresh("subject-of-cleo")
	eventually(t, "the login has ended", func() bool { return cleo.get("/check_session").String() == "401 not_authenticated" })
}

// TestASilentProviderKeepsNobodyOut has a provider that accepts connections and never answers.
func TestASilentProviderKeepsNobodyOut(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	issuer := "http://" + silent.Addr().String()
	m := newMachine(t, startVoiceflow(t)).signingOn(issuer)
	s := serving(t, m)
	b := newBrowser(t, s.url)
	began := time.Now()
	b.page("GET", "/console/login", nil).worked(t, "the login page", http.StatusOK)
	b.login("ada", adminPassword)
	b.want(b.get("/get_all_users"), "200")
	t.Logf("the page and a login by a password took %v", time.Since(began))
	failed := newBrowser(t, s.url).page("GET", "/oidc/login", nil).worked(t, "a login by the provider", http.StatusServiceUnavailable)
	if !strings.Contains(failed.text, "identity provider") || !strings.Contains(failed.text, "/console/login") {
		t.Errorf("the page does not say what is wrong and how to go on:\n%s", failed.text)
	}
	// Nobody knows the keys of the provider, so a logout may be one of its own.
	unknown := startProvider(t).Sign(map[string]any{
		"iss": issuer, "aud": oidclogintest.ClientID, "sub": "x", "jti": "1", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	})
	b.want(s.logOutBy(unknown), "503 unavailable")
}

func TestPasswordsAreTurnedOffOnceAnAdminSignedOn(t *testing.T) {
	p := startProvider(t, person("dan", "ops"), person("cleo"))
	m := newMachine(t, startVoiceflow(t)).signingOn(p.Issuer()).with("FLOWLATCH_OIDC_ADMIN_GROUPS", "ops")
	off := m.with("FLOWLATCH_PASSWORD_LOGIN", "off")
	off.fails(exitFailure, "no enabled admin has logged in with the identity provider", "", "serve") // the database is empty
	off.must(adminPassword, "user", "create", "--admin", "ada")
	off.fails(exitFailure, "no enabled admin has logged in with the identity provider", "", "serve")

	s := m.with("FLOWLATCH_PASSWORD_LOGIN", "admins").start("serve")
	m.must(memberPassword, "user", "create", "ben")
	ben := newBrowser(t, s.url)
	ben.want(ben.post("/login", body{"username": "ben", "password": memberPassword}), "403 not_allowed")
	ben.want(ben.post("/login", body{"username": "ben", "password": adminPassword}), "401 not_authenticated")
	s.admin()
	newBrowser(t, s.url).signOn("cleo")
	off.with("FLOWLATCH_ADDR", "127.0.0.1:0").fails(exitFailure, "no enabled admin has logged in with the identity provider", "", "serve")
	newBrowser(t, s.url).signOn("dan")
	s.stop()

	s = off.start("serve")
	ada := newBrowser(t, s.url)
	ada.want(ada.post("/login", body{"username": "ada", "password": adminPassword}), "403 not_allowed")
	newBrowser(t, s.url).signOn("dan")

	off.fails(exitFailure, "no such user", "", "login-link", "eve")
	printed := off.run("", "login-link", "ada")
	link := strings.TrimSuffix(printed.stdout, "\n")
	path, found := strings.CutPrefix(link, s.url)
	if printed.code != exitOK || !found || !strings.HasPrefix(path, "/console/login-link/") || !strings.Contains(printed.stderr, "works once, within 10 minutes") {
		t.Fatalf("login-link prints %q and %q with %d", printed.stdout, printed.stderr, printed.code)
	}
	for range 2 { // a program that shows a preview opens it too
		newBrowser(t, s.url).page("GET", path, nil).worked(t, "the page of the link", http.StatusOK)
	}
	ada.page("POST", path, url.Values{}).worked(t, "the button", http.StatusSeeOther)
	ada.want(ada.get("/get_all_users"), "200")
	newBrowser(t, s.url).page("POST", path, url.Values{}).worked(t, "the button once more", http.StatusConflict)
	if rows := ada.want(ada.get("/get_audit_events?actor=operator&action=login_link"), "200").text; !strings.Contains(rows, userID(t, ada, "ada")) {
		t.Errorf("the audit has no login link of the operator: %s", rows)
	}
	if text := s.stderr.String() + s.stdout.String(); strings.Contains(text, path[len("/console/login-link/"):]) {
		t.Error("the log has the token of the link")
	}
}

// TestTheSecretsOfTheProviderAreFoundNowhere logs in, renews and logs out with the lowest log level, with a provider
// that repeats what it is sent, and then looks for the tokens and the client secret.
func TestTheSecretsOfTheProviderAreFoundNowhere(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		const marker = "a-claim-of-the-id-token-0123456789"
		p := startProvider(t, person("cleo", "support"))
		p.Change(func(claims map[string]any) { claims["marker"] = marker })
		m := newMachine(t, startVoiceflow(t)).with("FLOWLATCH_DATABASE_URL", database, "FLOWLATCH_LOG_LEVEL", "debug").signingOn(p.Issuer()).with("FLOWLATCH_OIDC_RECHECK", "1s")
		s := serving(t, m)
		cleo, admin := newBrowser(t, s.url), s.admin()
		cleo.signOn("cleo")
		tokens := len(p.Given())
		eventually(t, "the login is renewed", func() bool { return cleo.get("/check_session").status == 200 && len(p.Given()) > tokens })
		for _, path := range []string{"/get_sessions", "/get_projects", "/get_access_tokens"} {
			cleo.send("GET", path, nil)
		}
		for _, path := range []string{"/get_all_users", "/get_grants", "/get_audit_events", "/get_group_rules", "/get_sessions?user_id=" + userID(t, admin, "cleo")} {
			admin.want(admin.get(path), "200")
		}
		cleo.page("GET", "/console/account", nil).worked(t, "the account", http.StatusOK)
		back := cleo.page("GET", "/oidc/callback?state=unknown&code="+p.Given()[0].Reveal(), nil)
		if back.status < 400 {
			t.Errorf("an answer out of nowhere is accepted: %s", back.all)
		}
		kept := func() string {
			if database != "" {
				return contentOf(t, m.data()) + tablesOf(t, database)
			}
			return contentOf(t, m.data())
		}
		stored := kept()
		m.must("", "backup", m.data()+"/kept.jsonl")
		for _, args := range [][]string{{"user", "list", "--json"}, {"audit", "export"}, {"keys", "rotate"}, {"keys", "rewrap"}, {"keys", "status"}} {
			m.must("", args...)
		}
		p.RefuseRefresh("subject-of-cleo")
		eventually(t, "the login has ended", func() bool { return cleo.get("/check_session").status == 401 })
		again := newBrowser(t, s.url).signOn("cleo")
		before := again.seen.String()
		out := again.want(again.post("/logout", nil), "200")
		s.kill()
		stored += kept()

		places := map[string]string{
			"what is stored": stored, "the answers": cleo.seen.String() + admin.seen.String() + before, "what was printed and logged": m.said.String(),
		}
		secrets := map[string]string{"client secret": oidclogintest.ClientSecret, "claim of an ID token": marker}
		for _, token := range p.Given() {
			secrets["token "+token.Reveal()[:6]+token.Reveal()[len(token.Reveal())-6:]] = token.Reveal()
		}
		if len(secrets) < 6 {
			t.Errorf("got %d secrets, want those of two logins and a renewal", len(secrets))
		}
		for where, text := range places {
			if !strings.Contains(text, "subject-of-cleo") && where == "what is stored" {
				t.Error("even the subject is not found in what is stored: the search is blind")
			}
			for which, secret := range secrets {
				for form, trace := range tracesOf(secret) {
					if at := strings.Index(text, trace); at >= 0 {
						t.Errorf("the %s is found in %s, %s: …%q…", which, where, form, text[max(0, at-80):min(len(text), at+20)])
					}
				}
			}
		}
		if !strings.Contains(out.text, "id_token_hint="+url.QueryEscape(p.Given()[len(p.Given())-2].Reveal())) {
			t.Errorf("the answer of the logout lacks the ID token: %s", out.text)
		}
	})
}
