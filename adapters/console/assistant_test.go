package console_test

import (
	"fmt"
	"html"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

func TestThePageOfAnAssistant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(t, 0)
	w.grant(t, "member", p, "converse", "export")
	w.calls(t, domain.UserID(w.id(t, "member")), p, 3, 11, 1)
	w.admin.get(t, at(p)).want(t, http.StatusOK,
		`<bdi id="name">Pizza</bdi>`, string(p.ID), string(p.Voiceflow), `id="version">main<`, "Copy the Id",
		`primary <span class="badge good">OK</span>`, `secondary <span class="badge none">No key</span>`, "Voiceflow last accepted it <time",
		`action="`+at(p)+`/set_token"`, `action="`+at(p)+`/check_project"`, `name="origins"`, `name="scopes"`, `<option value="member">`,
		"member</a>", "converse, export", "11 calls", `href="/console/tokens/new?project_id=`+string(p.ID)+`"`, `href="/chat/`+string(p.ID)+`"`,
		w.server.URL+"/voiceflow/general-runtime/state/user/ben/interact", "Authorization: flk_…", `name="project_name"`,
	).wantNo(t, "delete_token?slot=primary", "delete_token?slot=secondary")
	w.member.get(t, at(p)).want(t, http.StatusOK,
		"<bdi>Pizza</bdi>", "converse", "export", "<code>main</code>", w.server.URL+"/voiceflow/", `href="/chat/`+string(p.ID)+`"`,
		`href="/console/tokens/new?project_id=`+string(p.ID)+`"`,
	).wantNo(t, string(p.Voiceflow), "primary", "Who may use it", "project_name", "set_token", "11 calls", "badge")
	w.nobody.get(t, at(p)).wantTo(t, "/console/login?return=%2Fconsole%2Fassistants%2F"+string(p.ID))
	w.disabled.get(t, at(p)).want(t, http.StatusSeeOther)
}

func TestAMemberWhoMayNotTalkIsNotLedToTheChat(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(t, 0)
	w.grant(t, "member", p, "export")
	w.member.get(t, at(p)).want(t, http.StatusOK, "export").wantNo(t, "/chat/"+string(p.ID))
}

// TestAnAssistantThatIsNotGrantedLooksLikeOneThatDoesNotExist compares whole answers.
func TestAnAssistantThatIsNotGrantedLooksLikeOneThatDoesNotExist(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(t, 0)
	const unknown = "/console/assistants/01890000-0000-7000-8000-000000000404"
	for _, below := range []string{"", "/delete_token?slot=secondary"} {
		same(t, w.member.get(t, at(p)+below), w.member.get(t, unknown+below))
	}
	for _, form := range []string{"set_token", "delete_token", "check_project", "set_environments", "set_picture_origins", "grant_project", "revoke_project", "delete_project"} {
		same(t, w.member.post(t, at(p)+"/"+form), w.member.post(t, unknown+"/"+form))
	}
	w.member.get(t, at(p)).want(t, http.StatusNotFound, "There is no such assistant.")
	for _, path := range []string{unknown, "/console/assistants/Pizza", "/console/assistants/" + string(p.Voiceflow), "/console/assistants/%20", "/console/assistants/" + otherKey} {
		w.admin.get(t, path).want(t, http.StatusNotFound, "There is no such assistant.")
		w.member.get(t, path).want(t, http.StatusNotFound, "There is no such assistant.")
	}
	w.admin.post(t, unknown+"/check_project").want(t, http.StatusNotFound)
}

// same checks that two answers are the same but for what names the request.
func same(t *testing.T, one, other *page) {
	t.Helper()
	for _, p := range []*page{one, other} {
		for _, name := range []string{"X-Request-Id", "Date", "Ratelimit-Remaining", "Ratelimit-Reset"} {
			p.header.Del(name)
		}
	}
	if one.status != other.status || one.text != other.text || fmt.Sprint(one.header) != fmt.Sprint(other.header) {
		t.Errorf("%s and %s differ:\n%d %v\n%s\n%d %v\n%s", one.of, other.of, one.status, one.header, one.text, other.status, other.header, other.text)
	}
}

func TestTheKeysOfAnAssistant(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) { w.assistants[0].SecondKey = voiceflowtest.NewKey() })
	p, a := w.add(t, 0), w.assistants[0]
	personal := voiceflowtest.NewPersonalToken()
	w.standIn.AddPersonalToken(personal, a.ProjectID)
	for _, tc := range []struct {
		name, slot, key string
		status          int
		says            string
	}{
		{"an empty key", "primary", "", http.StatusBadRequest, ""},
		{"a key that opens nothing", "primary", otherKey, http.StatusConflict, "Voiceflow rejected the key for Pizza, or no longer knows its environment; check both at Voiceflow."},
		{"a key of another assistant", "secondary", w.assistants[1].Key, http.StatusConflict, ""},
		{"a slot that does not exist", "tertiary", a.Key, http.StatusBadRequest, "Slot must be primary, secondary or personal."},
		{"a project key in the personal slot", "personal", a.Key, http.StatusBadRequest, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.admin.post(t, at(p)+"/set_token", "slot", tc.slot, "token", tc.key).want(t, tc.status, tc.says, `role="alert"`, "Voiceflow keys")
		})
	}
	w.standIn.Fail(voiceflowtest.Status(http.StatusInternalServerError, voiceflowtest.FormLegacy))
	w.admin.post(t, at(p)+"/set_token", "slot", "primary", "token", a.Key).want(t, http.StatusServiceUnavailable, "Try again in", "Voiceflow keys")
	w.admin.post(t, at(p)+"/check_project").wantTo(t, at(p))
	w.admin.get(t, at(p)).want(t, http.StatusOK, "Voiceflow gave no usable answer about the primary key. Check it again later.")
	w.standIn.Fail(nil)

	for slot, key := range map[string]string{"primary": a.Key, "secondary": a.SecondKey, "personal": personal} {
		w.admin.post(t, at(p)+"/set_token", "slot", slot, "token", key).wantTo(t, at(p))
		w.admin.get(t, at(p)).want(t, http.StatusOK, "Voiceflow accepted the "+slot+" key. It is stored.", slot+` <span class="badge good">OK</span>`).wantNo(t, personal)
	}
	w.admin.post(t, at(p)+"/check_project").wantTo(t, at(p))
	w.admin.get(t, at(p)).want(t, http.StatusOK, "Voiceflow accepted the primary key.", "Voiceflow accepted the secondary key.")

	w.reject(t, 0, p)
	w.admin.get(t, at(p)).want(t, http.StatusOK, `primary <span class="badge bad">Rejected</span>`, "Voiceflow rejected the primary key. Set a new one.", "Voiceflow last rejected it")
	w.admin.post(t, at(p)+"/check_project").wantTo(t, at(p))

	w.admin.get(t, at(p)).want(t, http.StatusOK, `href="`+at(p)+`/delete_token?slot=secondary"`)
	w.admin.get(t, at(p)+"/delete_token?slot=secondary").want(t, http.StatusOK, "Delete the secondary key?", `action="`+at(p)+`/delete_token"`, "Keep it")
	w.member.get(t, at(p)+"/delete_token?slot=secondary").want(t, http.StatusForbidden)
	w.admin.post(t, at(p)+"/delete_token", "slot", "secondary").wantTo(t, at(p))
	w.admin.get(t, at(p)).want(t, http.StatusOK, "The secondary key is deleted here.", `secondary <span class="badge none">No key</span>`)
	for _, tc := range []struct {
		slot   string
		status int
	}{{"secondary", http.StatusNotFound}, {"primary", http.StatusBadRequest}, {"", http.StatusBadRequest}, {"<b>", http.StatusBadRequest}} {
		w.admin.get(t, at(p)+"/delete_token?slot="+tc.slot).want(t, tc.status).wantNo(t, "<b>")
		w.admin.post(t, at(p)+"/delete_token", "slot", tc.slot).want(t, tc.status, `role="alert"`).wantNo(t, "<b>")
	}
}

func TestTheEnvironmentsOfAnAssistant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(t, 0)
	set := at(p) + "/set_environments"
	w.admin.post(t, set, "default", "", "allowed", "main, development", "allow_draft", "").wantTo(t, at(p))
	w.admin.get(t, at(p)).want(t, http.StatusOK, "Calls can use these environments from now on.", `value="main, development"`, "Each call can choose").wantNo(t, `name="allow_draft" value="development"`)
	w.admin.get(t, "/console/assistants").want(t, http.StatusOK, "main, 2 allowed")
	w.admin.post(t, set, "default", "main", "allowed", "all", "allow_draft", "development").wantTo(t, at(p))
	w.admin.get(t, at(p)).want(t, http.StatusOK, `name="allowed" value="all"`, `name="allow_draft" value="development"`)
	for _, tc := range []struct{ name, standard, allowed, says string }{
		{"a name that can't be one", "ma in", "", "can only contain letters"},
		{"a list without the default", "main", "beta", "must contain the default"},
		{"a name twice", "main", "main main", "twice"},
		{"a key", "main", "main, " + w.assistants[0].Key, "A name in the allowed environments"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.admin.post(t, set, "default", tc.standard, "allowed", tc.allowed).want(t, http.StatusBadRequest, tc.says, `name="default" value="`+tc.standard+`"`)
		})
	}
	w.admin.get(t, at(p)).want(t, http.StatusOK, `name="allowed" value="all"`)
}

func TestThePictureOriginsOfAnAssistant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(t, 0)
	set := at(p) + "/set_picture_origins"
	w.admin.post(t, set, "origins", "https://cdn.example.com\r\nhttps://192.0.2.7:8443\r\n").wantTo(t, at(p))
	w.admin.get(t, at(p)).want(t, http.StatusOK, ">https://cdn.example.com\nhttps://192.0.2.7:8443\n</textarea>")
	w.admin.post(t, set, "origins", "https://cdn.example.com/a?b=<script>").want(t, http.StatusBadRequest, `role="alert"`, "&lt;script&gt;").wantNo(t, "<script>", "img-src https")
	w.admin.post(t, set, "origins", "https://"+otherKey).want(t, http.StatusBadRequest)
	w.admin.get(t, at(p)).want(t, http.StatusOK, "https://192.0.2.7:8443")
	w.admin.post(t, set).wantTo(t, at(p))
	w.admin.get(t, at(p)).want(t, http.StatusOK).wantNo(t, "https://192.0.2.7:8443")
}

func TestTheGrantsOfAnAssistant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(t, 0)
	member := w.id(t, "member")
	w.member.get(t, at(p)).want(t, http.StatusNotFound)
	w.admin.get(t, at(p)).want(t, http.StatusOK, "No member may use it yet.")
	for _, tc := range []struct {
		name, user string
		scopes     []string
		status     int
		says       string
	}{
		{"nobody named", "", []string{"converse"}, http.StatusBadRequest, "The user is missing."},
		{"an unknown user", "eve", []string{"converse"}, http.StatusNotFound, "There is no such user."},
		{"no scope", "member", nil, http.StatusBadRequest, "Scopes must name at least one scope."},
		{"a scope that manages", "member", []string{"manage"}, http.StatusBadRequest, "make the user an admin instead"},
		{"an unknown scope", "member", []string{"<script>"}, http.StatusBadRequest, "Scopes can only contain"},
		{"a key in place of the user", otherKey, []string{"converse"}, http.StatusNotFound, "There is no such user."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			form := []string{"user_id", tc.user}
			for _, scope := range tc.scopes {
				form = append(form, "scopes", scope)
			}
			shown := w.admin.post(t, at(p)+"/grant_project", form...).want(t, tc.status, tc.says, "Who may use it").wantNo(t, "<script>")
			if tc.user != otherKey {
				shown.want(t, tc.status, `name="user_id" value="`+tc.user+`"`)
			}
		})
	}
	w.admin.post(t, at(p)+"/grant_project", "user_id", "Member", "scopes", "converse", "scopes", "state").wantTo(t, at(p))
	w.admin.get(t, at(p)).want(t, http.StatusOK, "Pizza is granted to Member.", "converse, state", `name="user_id" value="`+member+`"`)
	w.member.get(t, at(p)).want(t, http.StatusOK, "state")
	w.admin.post(t, at(p)+"/grant_project", "user_id", member, "scopes", "export").wantTo(t, at(p))
	w.member.get(t, at(p)).want(t, http.StatusOK, "export").wantNo(t, "<dt>state")
	w.admin.post(t, at(p)+"/revoke_project", "user_id", member).wantTo(t, at(p))
	w.admin.get(t, at(p)).want(t, http.StatusOK, "The grant is revoked.", "No member may use it yet.")
	w.member.get(t, at(p)).want(t, http.StatusNotFound)
	w.admin.post(t, at(p)+"/revoke_project", "user_id", "").want(t, http.StatusBadRequest)
}

func TestTheGrantsOfAnAssistantHavePages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(t, 0)
	for i := range 51 {
		name := fmt.Sprintf("person%02d", i)
		w.createUser(t, name, "member", string(p.ID))
	}
	first := w.admin.get(t, at(p)).want(t, http.StatusOK)
	if n := strings.Count(first.text, `/revoke_project"`); n != 50 {
		t.Errorf("got %d grants, want 50", n)
	}
	second := w.admin.get(t, strings.TrimSuffix(first.next(t), "#grants")).want(t, http.StatusOK, "Back to the first grants")
	if n := strings.Count(second.text, `/revoke_project"`); n != 1 {
		t.Errorf("got %d grants on the second page, want 1", n)
	}
	w.admin.get(t, at(p)+"?cursor=x").want(t, http.StatusBadRequest)
}

func TestAPartOfTheAssistantsPageThatCantBeReadSaysSo(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		breaks func(*ports.Store)
		says   string
	}{
		{"the usage", func(s *ports.Store) { s.Usage = brokenUsage{s.Usage} }, "The usage can't be read now."},
		{"the grants", func(s *ports.Store) { s.Grants = brokenGrants{s.Grants} }, "The grants can't be read now."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(w *world) { tc.breaks(&w.ports.Store) })
			p := w.add(t, 0)
			w.admin.get(t, at(p)).want(t, http.StatusOK, tc.says, "Voiceflow keys", "project_name").wantNo(t, boom)
		})
	}
}

func TestDeleteAnAssistant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(t, 0)
	for name, typed := range map[string]string{"nothing typed": "", "another name": "Pizz", "the name in another case": "pizza", "the Id": string(p.ID)} {
		t.Run(name, func(t *testing.T) {
			w.admin.post(t, at(p)+"/delete_project", "project_name", typed).want(t, http.StatusBadRequest, "Nothing is deleted", `value="`+typed+`"`)
		})
	}
	w.admin.get(t, at(p)).want(t, http.StatusOK)
	w.member.post(t, at(p)+"/delete_project", "project_name", "Pizza").want(t, http.StatusForbidden)
	w.admin.post(t, at(p)+"/delete_project", "project_name", " Pizza ").wantTo(t, "/console/assistants")
	w.admin.get(t, "/console/assistants").want(t, http.StatusOK, "Pizza is deleted here. Voiceflow still has it.", "There are no assistants yet.")
	w.admin.get(t, at(p)).want(t, http.StatusNotFound)
	w.admin.post(t, at(p)+"/delete_project", "project_name", "Pizza").want(t, http.StatusNotFound)
}

// hostileNames are names that an assistant can have at Voiceflow.
var hostileNames = []string{
	`<script>alert(1)</script>`,
	`"><img src=x onerror=alert(1)>`,
	`javascript:alert(1)`,
	"\u202Egnp.exe\u202C \u2067right to left\u2069",
	"{{.Data}} ${x} %s",
	"line\nbreak\ttab",
	strings.Repeat("Donaudampfschiffahrt", domain.MaxProjectName/20),
	strings.Repeat("é", domain.MaxProjectName/2),
	"' or 1=1 --",
}

func TestHostileNamesAreEscaped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i, name := range hostileNames {
		p := w.storeNamed(t, name, i)
		w.markCredits(t, p, domain.CreditsUsedUp)
		w.grant(t, "member", p)
	}
	page, err := w.service.GetProjects(t.Context(), w.operator(t), domain.Cursor{}, 50)
	if err != nil || len(page.Items) != len(hostileNames) {
		t.Fatalf("got %d assistants and %v, want %d", len(page.Items), err, len(hostileNames))
	}
	never := []string{"<script>alert", "<img src=x", `href="javascript:`}
	for _, b := range []*browser{w.admin, w.member} {
		for _, path := range []string{"/console/", "/console/assistants"} {
			shown := b.get(t, path).want(t, http.StatusOK).wantNo(t, never...)
			for _, name := range hostileNames {
				if !strings.Contains(html.UnescapeString(shown.text), "<bdi>"+name+"</bdi>") {
					t.Errorf("%s does not show %q apart from the text around it", path, name)
				}
			}
		}
		for _, p := range page.Items {
			b.get(t, at(p)).want(t, http.StatusOK).wantNo(t, never...)
		}
	}
	for _, p := range page.Items {
		w.admin.post(t, at(p)+"/delete_project", "project_name", p.Name+"x").want(t, http.StatusBadRequest).wantNo(t, never...)
		// A browser sends no line breaks from a field of one line.
		w.admin.post(t, at(p)+"/delete_project", "project_name", strings.ReplaceAll(p.Name, "\n", "")).wantTo(t, "/console/assistants")
		w.admin.get(t, "/console/assistants").want(t, http.StatusOK).wantNo(t, never...)
	}
}

// TestAKeyThatIsPastedIntoAnyFieldIsOnNoPage relies on the search of each page for secrets.
func TestAKeyThatIsPastedIntoAnyFieldIsOnNoPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(t, 0)
	names := []string{"version_id", "voiceflow_project_id", "token", "slot", "default", "allowed", "allow_draft", "origins", "user_id", "scopes", "project_name", "unknown"}
	paths := []string{"/console/assistants/new"}
	for _, form := range []string{"set_token", "delete_token", "set_environments", "set_picture_origins", "grant_project", "revoke_project", "delete_project"} {
		paths = append(paths, at(p)+"/"+form)
	}
	for _, path := range paths {
		for _, key := range []string{otherKey, w.assistants[0].Key, "x " + otherKey + " y"} {
			var all []string
			for _, name := range names {
				all = append(all, name, key)
				w.admin.post(t, path, name, key)
				w.admin.get(t, path+"?"+name+"="+strings.ReplaceAll(key, " ", "+"))
			}
			shown := w.admin.post(t, path, all...)
			if !slices.Contains([]int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict}, shown.status) {
				t.Errorf("%s: got status %d for keys everywhere, want a refusal", path, shown.status)
			}
		}
	}
	w.admin.get(t, at(p)).want(t, http.StatusOK, "Pizza")
}
