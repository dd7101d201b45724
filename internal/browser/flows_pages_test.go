package browser

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"

	"github.com/flowlatch/flowlatch/adapters/console"
	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
)

// firstLoad is how many bytes a page may take over the wire with an empty cache.
const firstLoad = 40_000

// look is a look at a page: where it is, and the status that it has for an admin and for a member.
// With 0 the row is not for them.
type look struct {
	path          string
	admin, member int
}

// What stands for an id in the paths of looks.
const (
	hostileAssistant = "{hostile assistant}"
	longAssistant    = "{long assistant}"
	cleo             = "{cleo}"
	auditRow         = "{audit row}"
	ownToken         = "{own token}"
	rule             = "{rule}"
	hook             = "{webhook}"
)

// looks has a row for each route of a page that GET opens. A route without a page has no looks, and a
// reason.
var looks = map[string]struct {
	at     []look
	reason string
}{
	"/console/login":                       {reason: "who is logged in is sent on; TestPagesOfStrangers looks at it"},
	"/oidc/login":                          {reason: "it leads on; TestSignOn follows it"},
	"/oidc/callback":                       {reason: "it leads on; TestAnswersOfTheProviderThatAreRefused looks at its refusals"},
	"/console/login-link/:token":           {reason: "it needs a link; TestLoginLink looks at it"},
	"/console/groups":                      {at: []look{{"/console/groups", 200, 403}}},
	"/console/groups/new":                  {at: []look{{"/console/groups/new", 200, 403}, {"/console/groups/new?rule_id=" + rule, 200, 0}}},
	"/console/groups/:id/delete":           {at: []look{{"/console/groups/" + rule + "/delete", 200, 403}}},
	"/console/users/:id/unlink":            {reason: "it leads back for who is not linked; TestLinkFromTheAccount looks at it"},
	"/console/setup/:token":                {reason: "it is there before the first user only; TestSetUp looks at it"},
	"/console/static/:file":                {reason: "it is no page"},
	"/console":                             {reason: "it only leads to the overview"},
	"/console/usage.csv":                   {reason: "it is a file; TestUsage reads it"},
	"/console/audit.csv":                   {reason: "it is a file; TestAudit reads it"},
	"/console/":                            {at: []look{{"/console/", 200, 200}}},
	"/console/users":                       {at: []look{{"/console/users", 200, 403}, {"/console/users?username=nobody", 404, 0}}},
	"/console/users/new":                   {at: []look{{"/console/users/new", 200, 403}}},
	"/console/users/:id":                   {at: []look{{"/console/users/" + cleo, 200, 403}, {"/console/users/none", 404, 0}}},
	"/console/users/:id/admin":             {at: []look{{"/console/users/" + cleo + "/admin", 200, 403}}},
	"/console/users/:id/grant":             {at: []look{{"/console/users/" + cleo + "/grant", 200, 403}, {"/console/users/" + cleo + "/grant?project_id=" + hostileAssistant, 200, 0}}},
	"/console/users/:id/delete":            {at: []look{{"/console/users/" + cleo + "/delete", 200, 403}}},
	"/console/tokens":                      {at: []look{{"/console/tokens", 200, 200}}},
	"/console/tokens/new":                  {at: []look{{"/console/tokens/new", 200, 200}, {"/console/tokens/new?project_id=" + longAssistant, 200, 0}}},
	"/console/tokens/rotate":               {at: []look{{"/console/tokens/rotate?token_id=" + ownToken, 200, 404}, {"/console/tokens/rotate", 400, 0}}},
	"/console/sessions":                    {at: []look{{"/console/sessions", 200, 200}}},
	"/console/account":                     {at: []look{{"/console/account", 200, 200}}},
	"/chat":                                {at: []look{{"/chat", 200, 200}}},
	"/chat/:id":                            {at: []look{{"/chat/" + hostileAssistant, 200, 200}, {"/chat/" + longAssistant, 200, 404}}},
	"/console/assistants":                  {at: []look{{"/console/assistants", 200, 200}, {"/console/assistants?q=none+such", 200, 200}, {"/console/assistants?trouble=yes", 200, 0}}},
	"/console/assistants/new":              {at: []look{{"/console/assistants/new", 200, 403}}},
	"/console/assistants/:id":              {at: []look{{"/console/assistants/" + hostileAssistant, 200, 200}, {"/console/assistants/" + longAssistant, 200, 404}, {"/console/assistants/none", 404, 0}}},
	"/console/assistants/:id/delete_token": {at: []look{{"/console/assistants/" + longAssistant + "/delete_token?slot=secondary", 200, 403}}},
	"/console/usage": {at: []look{
		{"/console/usage", 200, 200}, {"/console/usage?group_by=project", 200, 200}, {"/console/usage?group_by=user", 200, 0},
		{"/console/usage?group_by=project&project_id=" + hostileAssistant, 200, 0}, {"/console/usage?from=never", 400, 400},
	}},
	"/console/audit":               {at: []look{{"/console/audit", 200, 403}, {"/console/audit?action=add_project", 200, 0}, {"/console/audit?since=never", 400, 0}}},
	"/console/audit/:id":           {at: []look{{"/console/audit/" + auditRow, 200, 403}, {"/console/audit/0", 404, 0}}},
	"/console/webhooks":            {at: []look{{"/console/webhooks", 200, 403}}},
	"/console/webhooks/new":        {at: []look{{"/console/webhooks/new", 200, 403}}},
	"/console/webhooks/:id/change": {at: []look{{"/console/webhooks/" + hook + "/change", 200, 403}, {"/console/webhooks/none/change", 404, 0}}},
	"/console/webhooks/:id/delete": {at: []look{{"/console/webhooks/" + hook + "/delete", 200, 403}}},
	"/console/keys":                {at: []look{{"/console/keys", 200, 403}}},
}

// TestEveryRouteHasALook fails for a route that GET opens without a row, and for a row without a route.
func TestEveryRouteHasALook(t *testing.T) {
	t.Parallel()
	all, err := console.New(nil, console.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, r := range all.Routes {
		if r.Method != http.MethodGet {
			continue
		}
		paths = append(paths, r.Path)
		row, there := looks[r.Path]
		switch {
		case !there:
			t.Errorf("no test looks at %s", r.Path)
		case (len(row.at) == 0) == (row.reason == ""):
			t.Errorf("%s must have either looks or a reason why it has none", r.Path)
		}
	}
	for path := range looks {
		if !slices.Contains(paths, path) {
			t.Errorf("%s is looked at, and is no route", path)
		}
	}
}

// withHostileNames fills the world with assistants, access tokens and a user whose names try to break
// pages, and returns what stands for the ids in the paths of looks.
func (w *world) withHostileNames() *strings.Replacer {
	w.t.Helper()
	p := w.program()
	var names, ids []string
	var hostile, long string
	for _, name := range voiceflowtest.HostileNames() {
		a := voiceflowtest.NewProject(name, "main")
		a.SecondKey = voiceflowtest.NewKey()
		if err := w.voiceflow.Add(a); err != nil {
			w.t.Fatal(err)
		}
		id, status := p.send("/add_project", adding(a))
		if status != http.StatusOK {
			continue // a service may reject some
		}
		names, ids = append(names, name), append(ids, id)
		if strings.HasPrefix(name, "<script>") {
			hostile = id
		}
		if strings.HasPrefix(name, "WWW") && long == "" {
			long = id
			p.must("/set_token", map[string]any{"project_id": id, "token": a.SecondKey, "slot": "secondary"})
		}
	}
	if len(ids) < 40 || hostile == "" || long == "" {
		w.t.Fatalf("only these hostile names are accepted: %.100q", names)
	}

	name := strings.Repeat("w", 64)
	user := p.create(name, ids[:12]...)
	p.must("/grant_project", map[string]any{"user_id": p.userID("ben"), "project_id": hostile})
	var token string
	for _, text := range names[:8] {
		id, status := p.send("/create_access_token", map[string]any{"name": upTo(text, 64), "project_id": long, "password": adminPassword})
		if status == http.StatusOK {
			token = id
		}
	}
	if token == "" {
		w.t.Fatal("no access token has a hostile name")
	}
	w.login(Settings{}, name, memberPassword)
	for _, id := range append(ids[:3:3], hostile, long) {
		p.turn(id)
	}
	byGroup := p.must("/set_group_rule", map[string]any{"group": strings.Repeat("w", 256), "project_id": hostile})
	told := p.must("/set_webhook", map[string]any{"url": "https://127.0.0.1:9/" + strings.Repeat("w", 1000), "events": []string{"admin.made"}})
	p.must("/create_user", map[string]any{"username": "told", "password": memberPassword, "role": "admin"}) // a delivery
	row := regexp.MustCompile(`/console/audit/(\d+)`).FindStringSubmatch(p.page("/console/audit"))
	if row == nil {
		w.t.Fatal("the page of the audit has no row")
	}
	return strings.NewReplacer(hostileAssistant, hostile, longAssistant, long, cleo, user, auditRow, row[1], ownToken, token, rule, byGroup, hook, told)
}

// TestPages looks at every page as an admin and as a member, with scripts and without. Each page has
// the same order without scripts, so Tab is pressed with scripts only; and a page that is refused is
// the same for every path, so it is looked at with scripts only.
func TestPages(t *testing.T) {
	t.Parallel()
	w := newFlows(t)
	ids := w.withHostileNames()
	for _, s := range []Settings{{}, {NoScripts: true, Dark: true, Width: 768}} {
		for _, who := range []struct {
			name, password string
			status         func(look) int
		}{
			{"ada", adminPassword, func(l look) int { return l.admin }},
			{"ben", memberPassword, func(l look) int { return l.member }},
		} {
			t.Run(fmt.Sprintf("%s without scripts %t", who.name, s.NoScripts), func(t *testing.T) {
				t.Parallel()
				tab := w.in(t).login(s, who.name, who.password)
				for _, row := range looks {
					for _, l := range row.at {
						status := who.status(l)
						if status == 0 || status == http.StatusForbidden && s.NoScripts {
							continue
						}
						t.Run(l.path, func(t *testing.T) {
							tab.t = t
							tab.lookAt(ids.Replace(l.path), status, "main", "navigation")
						})
					}
				}
			})
		}
	}
}

// lookAt opens a page with an empty cache, and checks all that a page must have. The tab forgets what
// the pages before did.
func (tab *Tab) lookAt(path string, status int, landmarks ...string) {
	tab.t.Helper()
	tab.forget()
	call(tab, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true})
	tab.Open(path)
	if tab.Status() != status {
		tab.t.Errorf("the status is %d, want %d", tab.Status(), status)
	}
	if problems := tab.RequestProblems(firstLoad); len(problems) > 0 {
		tab.t.Error(strings.Join(problems, "\n"))
	}
	tab.WaitFor("no script of a name has run", `!document.documentElement.hasAttribute("`+voiceflowtest.HostileMark+`")`)
	tab.WaitFor("no answer is under way", `document.getElementById("stop")?.hidden ?? true`) // a chat greets
	if tab.settings.NoScripts || status == http.StatusForbidden {
		tab.CheckStill(landmarks...)
	} else {
		tab.Check(landmarks...)
	}
}

// TestPagesOfStrangers looks at the pages of who is not logged in.
func TestPagesOfStrangers(t *testing.T) {
	t.Parallel()
	w := newFlows(t)
	for _, s := range []Settings{{}, {NoScripts: true, Dark: true, Width: 768}} {
		t.Run(fmt.Sprintf("without scripts %t", s.NoScripts), func(t *testing.T) {
			tab := w.in(t).someone(s)
			for path, status := range map[string]int{
				"/console/login": 200, "/console/login?return=%2Fconsole%2Faudit": 200, "/console/setup/none": 404, "/console/keys": 200, "/console/none": 404,
			} {
				t.Run(path, func(t *testing.T) {
					tab.t = t
					tab.lookAt(path, status, "main")
				})
			}
		})
	}
}
