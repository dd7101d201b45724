package console_test

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// at returns the path of the page of an assistant.
func at(p domain.Project) string { return "/console/assistants/" + string(p.ID) }

func TestTheListOfAssistants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.admin.get(t, "/console/assistants").want(t, http.StatusOK, "There are no assistants yet. Add the first one.", `href="/console/assistants/new"`).wantNo(t, `type="search"`)
	w.member.get(t, "/console/assistants").want(t, http.StatusOK, "No assistant is granted to you yet. Ask an admin for one.").wantNo(t, "/console/assistants/new")

	pizza, trains := w.add(t, 0), w.add(t, 1)
	w.reject(t, 0, pizza)
	w.grant(t, "member", pizza)
	w.admin.get(t, "/console/assistants").want(t, http.StatusOK,
		"Pizza", "Trains", `href="`+at(pizza)+`"`, `href="`+at(trains)+`"`, `<span class="badge bad">Needs attention</span>`, `<span class="badge good">OK</span>`,
		"primary: Rejected", "primary: OK", "main, pinned",
	)
	w.member.get(t, "/console/assistants").want(t, http.StatusOK, "Pizza", "main, pinned").wantNo(t, "Trains", "badge", "Rejected", "Credits", `name="trouble"`)
	w.member.get(t, "/console/assistants?trouble=yes").want(t, http.StatusOK, "Pizza")

	for _, tc := range []struct {
		name, query string
		shows, not  []string
	}{
		{"a part of the name in another case", "?q=IZZ", []string{"Pizza", `value="IZZ"`}, []string{"Trains"}},
		{"what needs attention", "?trouble=yes", []string{"Pizza", `value="yes" checked`}, []string{"Trains"}},
		{"nothing that matches", "?q=nothing", []string{"No assistant matches.", "Show all assistants"}, []string{"Pizza", "Trains"}},
		{"a text that may be a key", "?q=" + url.QueryEscape(otherKey), []string{"No assistant matches."}, nil},
		{"markup", "?q=" + url.QueryEscape(`"><script>alert(1)</script>`), []string{"&lt;script&gt;", "No assistant matches."}, []string{"<script>alert"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w.admin.get(t, "/console/assistants"+tc.query).want(t, http.StatusOK, tc.shows...).wantNo(t, tc.not...)
		})
	}
	w.admin.get(t, "/console/assistants?cursor=x").want(t, http.StatusBadRequest, "Cursor is invalid")
	w.admin.get(t, "/console/assistants?q="+strings.Repeat("a", domain.MaxProjectName+1)).want(t, http.StatusBadRequest)
	w.nobody.get(t, "/console/assistants?q=a").wantTo(t, "/console/login?return=%2Fconsole%2Fassistants%3Fq%3Da")
}

func TestTheListWhenNothingNeedsAttention(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(t, 0)
	w.admin.get(t, "/console/assistants?trouble=yes").want(t, http.StatusOK, "No assistant needs attention.").wantNo(t, "Pizza")
}

var nextPage = regexp.MustCompile(`href="([^"]+)" rel="next"`)

// next returns the address of the next page.
func (p *page) next(t *testing.T) string {
	t.Helper()
	found := nextPage.FindStringSubmatch(p.text)
	if found == nil {
		t.Fatalf("%s: there is no link to the next page:\n%s", p.of, p.text)
	}
	return html.UnescapeString(found[1])
}

// manyProjects lists n assistants, "Bot 00000" and so on. To store as many takes longer than the test.
type manyProjects struct {
	ports.ProjectRepository

	all []domain.Project
}

func newManyProjects(r ports.ProjectRepository, n int) manyProjects {
	many := manyProjects{r, make([]domain.Project, n)}
	for i := range many.all {
		many.all[i] = domain.Project{ID: domain.ProjectID(fmt.Sprintf("01890000-0000-7000-8000-%012d", i)), Name: fmt.Sprintf("Bot %05d", i)}
	}
	return many
}

// Page returns those that the filter picks and that come after the cursor.
func (m manyProjects) Page(_ context.Context, _ domain.Visible, filter domain.ProjectFilter, after domain.Cursor, limit int) ([]domain.Project, error) {
	var page []domain.Project
	for _, p := range m.all {
		if p.Name > after.Name && filter.Picks(p) && len(page) < limit {
			page = append(page, p)
		}
	}
	return page, nil
}

func TestTheListShowsFiftyOfTenThousandAssistants(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) { w.ports.Store.Projects = newManyProjects(w.ports.Store.Projects, 10_000) })
	first := w.admin.get(t, "/console/assistants").want(t, http.StatusOK, "Bot 00000", "Bot 00049").wantNo(t, "Bot 00050", "Back to the first page")
	if n := strings.Count(first.text, "<tr>"); n != 51 {
		t.Errorf("got %d rows, want the head and 50", n)
	}
	w.admin.get(t, first.next(t)).want(t, http.StatusOK, "Bot 00050", "Bot 00099", "Back to the first page").wantNo(t, "Bot 00049", "Bot 00100")

	found := w.admin.get(t, "/console/assistants?q=bot+01").want(t, http.StatusOK, "Bot 01000", "Bot 01049").wantNo(t, "Bot 01050")
	if next := found.next(t); !strings.Contains(next, "q=bot+01") {
		t.Errorf("the next page is %q, which does not keep the search", next)
	}
	w.admin.get(t, found.next(t)).want(t, http.StatusOK, "Bot 01050", "Bot 01099").wantNo(t, "Bot 01100")
}

func TestAddAnAssistant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pizza := w.assistants[0]
	w.admin.get(t, "/console/assistants/new").want(t, http.StatusOK, `name="token" type="password"`, `name="default"`, `name="allowed"`, `name="allow_draft"`)
	w.member.get(t, "/console/assistants/new").want(t, http.StatusForbidden, "Only an admin may do this.")
	w.member.post(t, "/console/assistants/new", "version_id", "main", "voiceflow_project_id", pizza.ProjectID, "token", pizza.Key).want(t, http.StatusForbidden)
	w.nobody.get(t, "/console/assistants/new").wantTo(t, "/console/login?return=%2Fconsole%2Fassistants%2Fnew")

	for _, tc := range []struct {
		name, version, project, key, environments string
		status                                    int
		says                                      string
	}{
		{"nothing typed", "", "", "", "", http.StatusBadRequest, "The version id or alias is missing."},
		{"an alias without its project", "main", "", pizza.Key, "", http.StatusBadRequest, "the Voiceflow project id is needed too"},
		{"no key", "main", pizza.ProjectID, "", "", http.StatusBadRequest, ""},
		{"a key that opens nothing", "main", pizza.ProjectID, otherKey, "", http.StatusConflict, "Voiceflow rejected the key or does not know the environment; check both"},
		{"a key in the field of the version", pizza.Key, pizza.ProjectID, pizza.Key, "", http.StatusBadRequest, ""},
		{"a key in the field of the project", "main", pizza.Key, pizza.Key, "", http.StatusBadRequest, ""},
		{"a key among the environments", "main", pizza.ProjectID, pizza.Key, "main, " + pizza.Key, http.StatusBadRequest, "A name in the allowed environments"},
		{"environments without the default", "main", pizza.ProjectID, pizza.Key, "development", http.StatusBadRequest, "must contain the default"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.admin.post(t, "/console/assistants/new", "version_id", tc.version, "voiceflow_project_id", tc.project, "token", tc.key, "allowed", tc.environments).
				want(t, tc.status, tc.says, `role="alert"`, `name="token" type="password" required`).wantNo(t, `type="password" value`)
		})
	}
	w.admin.post(t, "/console/assistants/new", "version_id", "main", "voiceflow_project_id", pizza.ProjectID, "token", otherKey, "default", "main", "allowed", "main, beta").
		want(t, http.StatusConflict, `value="main"`, `value="`+pizza.ProjectID+`"`, `value="main, beta"`)

	w.standIn.Fail(voiceflowtest.Status(http.StatusInternalServerError, voiceflowtest.FormLegacy))
	w.admin.post(t, "/console/assistants/new", "version_id", "main", "voiceflow_project_id", pizza.ProjectID, "token", pizza.Key).
		want(t, http.StatusServiceUnavailable, "Voiceflow", "Try again in")
	w.standIn.Fail(nil)

	added := w.admin.post(t, "/console/assistants/new", "version_id", "main", "voiceflow_project_id", pizza.ProjectID, "token", pizza.Key)
	p, err := w.service.FindProject(t.Context(), w.operator(t), pizza.ProjectID)
	if err != nil {
		t.Fatal(err)
	}
	added.wantTo(t, at(p))
	w.admin.get(t, at(p)).want(t, http.StatusOK, "Pizza was added.", "The assistant is pinned")
	w.admin.post(t, "/console/assistants/new", "version_id", "main", "voiceflow_project_id", pizza.ProjectID, "token", pizza.Key).
		want(t, http.StatusConflict, "This environment of the assistant is already added.", `href="`+at(p)+`"`)
}

func TestAddAnAssistantWithEnvironments(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, standard, allowed, drafts string
		want                            domain.Environments
	}{
		{"none", "", "", "", domain.Environments{}},
		{"only a default", "main", "", "", domain.Environments{Default: "main", Allowed: []string{"main"}}},
		{"all", "", "all", "", domain.Environments{Default: "main", All: true, AllowDraft: []string{"development"}}},
		{"a list with commas and spaces", "main", "main, beta development", "beta", domain.Environments{Default: "main", Allowed: []string{"main", "beta", "development"}, AllowDraft: []string{"beta"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.assistants[0]
			w.admin.post(t, "/console/assistants/new", "version_id", "main", "voiceflow_project_id", a.ProjectID, "token", a.Key,
				"default", tc.standard, "allowed", tc.allowed, "allow_draft", tc.drafts).want(t, http.StatusSeeOther)
			p, err := w.service.FindProject(t.Context(), w.operator(t), a.ProjectID)
			if err != nil || !p.Environments.Equal(tc.want) {
				t.Errorf("got %+v and %v, want %+v", p.Environments, err, tc.want)
			}
		})
	}
}
