package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/console"
	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/app/pages"
)

// onPage is what a browser gets for a page or a form.
type onPage struct {
	status   int
	location string
	text     string // of the page
	all      string // head and page
}

// page opens a page, or sends a form if there is one. It follows no redirect.
func (b *browser) page(method, path string, form url.Values) onPage {
	b.t.Helper()
	r, err := http.NewRequest(method, b.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", b.url)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	client := *b.client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
	var head strings.Builder
	_ = answer.Header.Write(&head)
	_, _ = io.WriteString(b.seen, head.String()+string(text))
	return onPage{status: answer.StatusCode, location: answer.Header.Get("Location"), text: string(text), all: head.String() + "\n" + string(text)}
}

// worked fails the test unless the answer is the status.
func (p onPage) worked(t *testing.T, what string, status int) onPage {
	t.Helper()
	if p.status != status {
		t.Fatalf("%s: got %d, want %d\n%s", what, p.status, status, p.all)
	}
	return p
}

// onPages are the things that the pages are about.
type onPages struct{ assistant, user, token, webhook string }

// routesOfPages returns the routes of the console and the chat with paths that can be asked for.
func (o onPages) routes(t *testing.T) []pages.Route {
	t.Helper()
	all, err := console.New(nil, console.Options{})
	if err != nil {
		t.Fatal(err)
	}
	routes := make([]pages.Route, len(all.Routes))
	for i, r := range all.Routes {
		r.Path = strings.NewReplacer("/assistants/:id", "/assistants/"+o.assistant, "/chat/:id", "/chat/"+o.assistant, "/users/:id", "/users/"+o.user,
			"/audit/:id", "/audit/1", "/setup/:token", "/setup/none", "/login-link/:token", "/login-link/none", "/groups/:id", "/groups/none", "/webhooks/:id", "/webhooks/"+o.webhook, "/static/:file", "/static/none").Replace(r.Path)
		if strings.Contains(r.Path, ":") {
			t.Errorf("%s has a parameter that the test has no value for", r.Path)
		}
		routes[i] = r
	}
	return routes
}

// open opens every page as each of the browsers, and each page again with a secret in all parameters.
func (o onPages) open(t *testing.T, secret string, browsers ...*browser) {
	t.Helper()
	shown := 0
	for _, r := range o.routes(t) {
		if r.Method != http.MethodGet {
			continue
		}
		for _, b := range browsers {
			got := b.page(r.Method, r.Path+"?token_id="+o.token+"&slot=secondary", nil)
			if got.status == http.StatusOK {
				shown++
			}
			with := b.page(r.Method, r.Path+"?"+o.everywhere(secret, isField).Encode(), nil)
			if got.status >= 500 || with.status >= 500 {
				t.Errorf("%s: got %d, and %d with a secret in the query\n%s%s", r.Path, got.status, with.status, got.text, with.text)
			}
		}
	}
	if shown < 20 {
		t.Errorf("only %d pages were shown: the search is blind", shown)
	}
}

// send sends every form as each of the browsers, with a secret in the fields for which in reports true.
// Forms that would end the logins of the browsers are left out.
func (o onPages) send(t *testing.T, secret string, in func(field string) bool, browsers ...*browser) {
	t.Helper()
	again := 0
	for _, r := range o.routes(t) {
		if r.Method != http.MethodPost || strings.HasSuffix(r.Path, "/logout") || strings.HasSuffix(r.Path, "/delete_others") || r.Path == "/console/users/"+o.user+"/delete" {
			continue
		}
		for _, b := range browsers {
			got := b.page(r.Method, r.Path, o.everywhere(secret, in))
			if got.status >= 400 && got.status < 500 && strings.Contains(got.text, "</form>") {
				again++
			}
			if got.status >= 500 {
				t.Errorf("%s: got %d\n%s", r.Path, got.status, got.text)
			}
		}
	}
	if again < 15 {
		t.Errorf("only %d forms came again with an error: the search is blind", again)
	}
}

// everywhere returns a form with a secret in the fields for which in reports true. The message of a
// chat, and the label of a choice, are what a person says: the page of the chat shows them.
func (o onPages) everywhere(secret string, in func(field string) bool) url.Values {
	form := url.Values{}
	for _, name := range []string{
		"action", "actor", "allow_draft", "allowed", "assistants", "choice", "code", "conversation", "cursor", "default", "disabled", "environments",
		"error", "events", "expires_in_days", "from", "group", "group_by", "iss", "keep_access_tokens", "known", "launch", "name", "new_password", "object", "open", "origins", "outcome",
		"overlap_hours", "password", "project_id", "project_name", "q", "rate", "remember", "request_id", "return", "role", "scopes",
		"search", "session_id", "since", "slot", "state", "subject", "to", "token", "token_id", "trouble", "until", "url", "user_id", "user_ids", "username", "version_id",
		"viewport", "voiceflow_project_id",
	} {
		if in(name) {
			form.Set(name, secret)
		}
	}
	return form
}

// isField is every field, and isSecret those that a person types secrets into.
func isField(string) bool { return true }
func isSecret(field string) bool {
	return field == "password" || field == "new_password" || field == "token"
}

// TestNoSecretIsOnAPage creates the first admin by the link in the log, and uses every page and form
// of the console with secrets. No secret may be in a page, a head, an address or the log, except a new
// access token in the answer that made it, and the set-up link where it is told.
func TestNoSecretIsOnAPage(t *testing.T) {
	known := newAssistant("Pizza Palace")
	known.SecondKey = voiceflowtest.NewKey()
	v := startVoiceflow(t, known)
	personal := voiceflowtest.NewPersonalToken()
	v.AddPersonalToken(personal, known.ProjectID)
	m := newMachine(t, v).with("FLOWLATCH_LOG_LEVEL", "debug", "FLOWLATCH_LOGIN_FAILURES", "1000", "FLOWLATCH_WRITE_RATE", "0")
	s := m.start("serve")
	eventually(t, "the link is told", func() bool { return strings.Contains(s.stdout.String(), "/console/setup/") })
	link := regexp.MustCompile(`/console/setup/([\w-]+)`).FindStringSubmatch(s.stdout.String())
	nobody, ada, ben := newBrowser(t, s.url), newBrowser(t, s.url), newBrowser(t, s.url)

	nobody.page("GET", link[0], nil).worked(t, "the link", 200)
	ada.page("POST", link[0], url.Values{"username": {"ada"}, "password": {"short"}}).worked(t, "a short password", 400)
	setUp := ada.page("POST", link[0], url.Values{"username": {"ada"}, "password": {adminPassword}}).worked(t, "the set-up", 303)
	nobody.page("GET", link[0], nil)
	nobody.page("POST", "/console/login", url.Values{"username": {"ada"}, "password": {"wrong" + adminPassword}}).worked(t, "a wrong password", 401)

	form := url.Values{"version_id": {known.VersionID}, "token": {known.Key}}
	added := ada.page("POST", "/console/assistants/new", form).worked(t, "the assistant", 303)
	ada.page("POST", "/console/assistants/new", form).worked(t, "the assistant once more", 409)
	assistant := regexp.MustCompile(`/console/assistants/([\w-]+)`).FindStringSubmatch(added.location)
	if assistant == nil {
		t.Fatalf("an added assistant sends to %s", added.location)
	}
	for slot, key := range map[string]string{"secondary": known.SecondKey, "personal": personal} {
		ada.page("POST", "/console/assistants/"+assistant[1]+"/set_token", url.Values{"slot": {slot}, "token": {key}}).worked(t, "a key in the slot "+slot, 303)
	}
	ada.page("POST", "/console/users/new", url.Values{"username": {"ben"}, "password": {memberPassword}, "role": {"member"}, "assistants": {assistant[1]}}).worked(t, "a user", 303)
	ada.page("POST", "/console/users/new", url.Values{"username": {"eve"}, "password": {memberPassword}, "role": {"member"}}).worked(t, "another user", 303)
	ben.page("POST", "/console/login", url.Values{"username": {"ben"}, "password": {memberPassword}}).worked(t, "the login", 303)

	made := ben.page("POST", "/console/tokens/new", url.Values{"name": {"a program"}, "project_id": {assistant[1]}, "scopes": {"converse"},
		"expires_in_days": {"30"}, "password": {memberPassword}}).worked(t, "an access token", 200)
	text := regexp.MustCompile(`flk_[\w-]{20,}`).FindString(made.text)
	if text == "" {
		t.Fatalf("the answer shows no access token:\n%s", made.text)
	}
	if strings.Count(made.all, text) != strings.Count(made.text, text) || regexp.MustCompile(`(?:href|action|src)="[^"]*`+text).MatchString(made.text) {
		t.Errorf("the access token is in the head or in an address:\n%s", made.all)
	}
	set := ada.page("POST", "/console/webhooks", url.Values{"url": {"https://alerts.invalid/"}, "events": {"key.rejected"}}).worked(t, "a webhook", 200)
	webhook := regexp.MustCompile(`/console/webhooks/([\w-]+)/test`).FindStringSubmatch(set.text)
	if webhook == nil {
		t.Fatalf("the page of a new webhook does not test it:\n%s", set.text)
	}
	signing := regexp.MustCompile(`whsec_[\w+/]{20,}`).FindString(set.text)
	o := onPages{assistant: assistant[1], user: userID(t, ada, "eve"), token: tokenID(t, ben), webhook: webhook[1]}
	rotated := ben.page("POST", "/console/tokens/rotate", url.Values{"token_id": {o.token}, "overlap_hours": {"24"}, "password": {memberPassword}}).worked(t, "the rotation", 200)
	renewed := regexp.MustCompile(`flk_[\w-]{20,}`).FindString(rotated.text)
	ben.page("POST", "/chat/"+o.assistant+"/turn", url.Values{"message": {"hello"}, "conversation": {"0190b2c4-8d1e-4f60-9a3b-5c7d9e1f2a4b"}}).worked(t, "a turn", 200)

	secrets := map[string]string{
		"a Voiceflow key": known.Key, "a second Voiceflow key": known.SecondKey, "a personal access token of Voiceflow": personal,
		"the admin's password": adminPassword, "the member's password": memberPassword, "an access token": text, "a renewed access token": renewed,
		"the token of a set-up link": link[1], "the signing secret of a webhook": signing,
	}
	ada.seen, ben.seen, nobody.seen = new(transcript), new(transcript), new(transcript)
	for what, secret := range secrets {
		if secret == "" {
			t.Fatalf("%s was not found", what)
		}
	}
	// A key or an access token is known by its form, wherever it was pasted. A password is not.
	for _, secret := range []string{known.Key, text} {
		o.open(t, secret, ada, ben, nobody)
		o.send(t, secret, isField, ada, ben)
	}
	o.send(t, adminPassword, isSecret, ada, ben)
	seen := ada.seen.String() + ben.seen.String() + nobody.seen.String()
	if !strings.Contains(seen, known.Name) {
		t.Error("even the name of the assistant is on no page: the search is blind")
	}
	log := strings.ReplaceAll(s.stdout.String()+s.stderr.String(), s.url+link[0], "")
	if !strings.Contains(log, "/console/setup/") || !strings.Contains(log, "/console/assistants/") {
		t.Errorf("even the paths are not in the log: the search is blind\n%.2000s", log)
	}
	for what, secret := range secrets {
		for where, text := range map[string]string{"pages": seen, "log": log, "the answer to the set-up": setUp.all, "the answer to an added assistant": added.all} {
			if at := strings.Index(text, secret); at >= 0 {
				t.Errorf("%s is in %s: …%q…", what, where, text[max(0, at-300):min(len(text), at+len(secret)+40)])
			}
		}
	}
	s.stop()
}

// tokenID returns the id of the only access token.
func tokenID(t *testing.T, b *browser) string {
	t.Helper()
	found := regexp.MustCompile(`"Id":"([\w-]+)"`).FindStringSubmatch(b.want(b.get("/get_access_tokens"), "200").text)
	if found == nil {
		t.Fatal(fmt.Errorf("there is no access token"))
	}
	return found[1]
}
