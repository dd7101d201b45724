package console_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// outcome is what a route answers: a status, and where it sends the browser if that is 303.
type outcome struct {
	status int
	to     string // the path without its query, "" if it is not checked
}

var (
	shown   = outcome{200, ""}
	done    = outcome{303, ""} // a form that worked
	wrong   = outcome{400, ""} // a form that lacks what it needs
	noLogin = outcome{401, ""}
	refused = outcome{403, ""}
	noSuch  = outcome{404, ""}
	toLogin = outcome{303, "/console/login"}
	toHome  = outcome{303, "/console/"}
)

// row is what a route answers to a member and to an admin. Unless public has an outcome, nobody and
// disabled users are sent to the login, and an access token gets a 401.
type row struct {
	member, admin outcome
	public        outcome // to who is not logged in
}

// matrix says what each route answers to whom, for an empty form. The assistant in a path is granted
// to nobody, and the user is one that no other row has. Everything else that a path names does not exist.
var matrix = map[string]row{
	"GET /console/static/:file": {noSuch, noSuch, noSuch},

	"GET /console":         {toHome, toHome, toHome},
	"GET /console/login":   {toHome, toHome, shown},
	"POST /console/login":  {noLogin, noLogin, noLogin},
	"POST /console/logout": {member: toLogin, admin: toLogin},

	"GET /oidc/login":    {toHome, toHome, noSuch},
	"GET /oidc/callback": {noSuch, noSuch, noSuch},

	"GET /console/login-link/:token":  {noSuch, noSuch, noSuch},
	"POST /console/login-link/:token": {noSuch, noSuch, noSuch},

	"GET /console/setup/:token":  {noSuch, noSuch, noSuch},
	"POST /console/setup/:token": {noSuch, noSuch, noSuch},

	"GET /console/": {member: shown, admin: shown},

	"GET /chat":           {member: shown, admin: shown},
	"GET /chat/:id":       {member: noSuch, admin: shown},
	"POST /chat/:id/turn": {member: noSuch, admin: wrong},

	"GET /console/assistants":                          {member: shown, admin: shown},
	"GET /console/assistants/new":                      {member: refused, admin: shown},
	"POST /console/assistants/new":                     {member: refused, admin: wrong},
	"GET /console/assistants/:id":                      {member: noSuch, admin: shown},
	"POST /console/assistants/:id/set_token":           {member: refused, admin: wrong},
	"GET /console/assistants/:id/delete_token":         {member: refused, admin: wrong},
	"POST /console/assistants/:id/delete_token":        {member: refused, admin: wrong},
	"POST /console/assistants/:id/check_project":       {member: refused, admin: done},
	"POST /console/assistants/:id/set_environments":    {member: refused, admin: done},
	"POST /console/assistants/:id/set_picture_origins": {member: refused, admin: done},
	"POST /console/assistants/:id/grant_project":       {member: refused, admin: wrong},
	"POST /console/assistants/:id/revoke_project":      {member: refused, admin: wrong},
	"POST /console/assistants/:id/delete_project":      {member: refused, admin: wrong},

	"GET /console/users":                          {member: refused, admin: shown},
	"GET /console/users/new":                      {member: refused, admin: shown},
	"POST /console/users/new":                     {member: refused, admin: wrong},
	"GET /console/users/:id":                      {member: refused, admin: shown},
	"GET /console/users/:id/admin":                {member: refused, admin: shown},
	"POST /console/users/:id/role":                {member: refused, admin: wrong},
	"POST /console/users/:id/disabled":            {member: refused, admin: wrong},
	"POST /console/users/:id/password":            {member: refused, admin: wrong},
	"POST /console/users/:id/link":                {member: refused, admin: noSuch},
	"GET /console/users/:id/unlink":               {member: refused, admin: done},
	"POST /console/users/:id/unlink":              {member: refused, admin: done},
	"GET /console/users/:id/grant":                {member: refused, admin: shown},
	"POST /console/users/:id/grant":               {member: refused, admin: wrong},
	"POST /console/users/:id/revoke":              {member: refused, admin: wrong},
	"POST /console/users/:id/sessions/delete":     {member: refused, admin: wrong},
	"POST /console/users/:id/sessions/delete_all": {member: refused, admin: done},
	"POST /console/users/:id/tokens/delete":       {member: refused, admin: wrong},
	"GET /console/users/:id/delete":               {member: refused, admin: shown},
	"POST /console/users/:id/delete":              {member: refused, admin: done},

	"GET /console/tokens":         {member: shown, admin: shown},
	"GET /console/tokens/new":     {member: shown, admin: shown},
	"POST /console/tokens/new":    {member: wrong, admin: wrong},
	"GET /console/tokens/rotate":  {member: wrong, admin: wrong},
	"POST /console/tokens/rotate": {member: wrong, admin: wrong},
	"POST /console/tokens/delete": {member: wrong, admin: wrong},

	"GET /console/sessions":                {member: shown, admin: shown},
	"POST /console/sessions/delete":        {member: wrong, admin: wrong},
	"POST /console/sessions/delete_others": {member: done, admin: done},

	"GET /console/account":  {member: shown, admin: shown},
	"POST /console/account": {member: wrong, admin: wrong},

	"POST /console/account/link": {member: noSuch, admin: noSuch},

	"GET /console/groups":             {member: refused, admin: shown},
	"GET /console/groups/new":         {member: refused, admin: shown},
	"POST /console/groups/preview":    {member: refused, admin: wrong},
	"POST /console/groups":            {member: refused, admin: wrong},
	"GET /console/groups/:id/delete":  {member: refused, admin: shown},
	"POST /console/groups/:id/delete": {member: refused, admin: done},

	"GET /console/usage":                {member: shown, admin: shown},
	"GET /console/usage.csv":            {member: shown, admin: shown},
	"GET /console/audit":                {member: refused, admin: shown},
	"GET /console/audit.csv":            {member: refused, admin: shown},
	"GET /console/audit/:id":            {member: refused, admin: noSuch},
	"GET /console/webhooks":             {member: refused, admin: shown},
	"GET /console/webhooks/new":         {member: refused, admin: shown},
	"POST /console/webhooks":            {member: refused, admin: wrong},
	"GET /console/webhooks/:id/change":  {member: refused, admin: shown},
	"POST /console/webhooks/:id/test":   {member: refused, admin: done},
	"GET /console/webhooks/:id/delete":  {member: refused, admin: shown},
	"POST /console/webhooks/:id/delete": {member: refused, admin: done},

	"GET /console/keys":        {member: refused, admin: shown},
	"POST /console/keys/check": {member: refused, admin: done},
}

// TestEveryRouteLetsInWhomItShould fails for a route without a row, and for a row without a route.
func TestEveryRouteLetsInWhomItShould(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ungranted := w.add(t, 0)
	token := w.withToken(t)
	var named []string
	for _, route := range w.options.Pages.Routes {
		name := route.Method + " " + route.Path
		named = append(named, name)
		row, there := matrix[name]
		if !there {
			t.Errorf("%s is in no row of the matrix", name)
			continue
		}
		path := route.Path
		for _, about := range []struct{ below, id string }{
			{"/console/assistants/:", string(ungranted.ID)}, {"/chat/:", string(ungranted.ID)}, {"/console/users/:", w.createUser(t, "user"+strconv.Itoa(len(named)), "member")},
			{"/console/audit/:", "999999"}, {"/console/static/:", "none.css"}, {"/console/setup/:", "none"},
			{"/console/login-link/:", "none"}, {"/console/groups/:", w.rule(t, "group"+strconv.Itoa(len(named)))},
			{"/console/webhooks/:", w.hook(t, "https://alerts.example/", "admin.made")},
		} {
			path = withParameter(path, about.below, about.id)
		}
		if strings.Contains(path, ":") {
			t.Errorf("%s has a parameter that the test has no value for", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			outside, byToken := row.public, row.public
			if row.public == (outcome{}) {
				outside, byToken = toLogin, noLogin
			}
			for _, tc := range []struct {
				who  string
				b    *browser
				want outcome
			}{
				{"nobody", w.nobody, outside},
				{"a disabled user", w.disabled, outside},
				{"a member", w.login(t, "member"), row.member},
				{"an admin", w.login(t, "admin"), row.admin},
				{"an access token", token, byToken},
			} {
				got := tc.b.send(t, route.Method, path, nil)
				to, _, _ := strings.Cut(got.header.Get("Location"), "?")
				if got.status != tc.want.status || tc.want.to != "" && to != tc.want.to {
					t.Errorf("%s: got %d to %q, want %+v\n%s", tc.who, got.status, to, tc.want, got.text)
				}
			}
		})
	}
	for name := range matrix {
		if !slices.Contains(named, name) {
			t.Errorf("%s is in the matrix, and no route", name)
		}
	}
}

// TestAnAssistantThatIsNotGrantedLooksLikeNone opens every page of an assistant as a member, once
// for an assistant that is not granted and once for one that does not exist.
func TestAnAssistantThatIsNotGrantedLooksLikeNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ungranted := w.add(t, 0)
	const none = "01890000-0000-7000-8000-000000000009"
	opened := 0
	for _, route := range w.options.Pages.Routes {
		for _, below := range []string{"/console/assistants/:", "/chat/:"} {
			if !strings.HasPrefix(route.Path, below) {
				continue
			}
			opened++
			there := w.member.send(t, route.Method, withParameter(route.Path, below, string(ungranted.ID)), nil)
			missing := w.member.send(t, route.Method, withParameter(route.Path, below, none), nil)
			if there.status != missing.status || there.without(string(ungranted.ID)) != missing.without(none) {
				t.Errorf("%s %s: an assistant that is not granted is answered with %d, one that does not exist with %d:\n%s\n%s",
					route.Method, route.Path, there.status, missing.status, there.text, missing.text)
			}
		}
	}
	if opened < 3 {
		t.Errorf("only %d routes are of an assistant", opened)
	}
}

// withParameter returns the path of a route with id in place of the parameter after below, which
// ends with a colon.
func withParameter(path, below, id string) string {
	rest, is := strings.CutPrefix(path, below)
	if !is {
		return path
	}
	if _, more, found := strings.Cut(rest, "/"); found {
		id += "/" + more
	}
	return strings.TrimSuffix(below, ":") + id
}

// without returns the page without the id and the request id.
func (p *page) without(id string) string {
	return strings.NewReplacer(id, "ID", p.header.Get("X-Request-Id"), "REQUEST").Replace(p.text)
}

// withToken returns a browser that shows an access token of the admin, which manages.
func (w *world) withToken(t testing.TB) *browser {
	t.Helper()
	body := `{"name":"x","scopes":["manage"],"password":"` + password + `"}`
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.URL+"/create_access_token", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := w.admin.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var made struct {
		Token string `json:"token"`
	}
	if err := json.NewDecoder(response.Body).Decode(&made); err != nil || made.Token == "" {
		t.Fatalf("an access token: %s, %v", response.Status, err)
	}
	b := w.browser(t)
	b.header.Set("Authorization", "Bearer "+made.Token)
	return b
}
