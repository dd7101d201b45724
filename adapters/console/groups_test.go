package console_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// ruleForm are the fields of the form for a rule that grants an assistant.
func ruleForm(group string, p domain.Project, more ...string) []string {
	return append([]string{"group", group, "role", "", "project_id", string(p.ID), "scopes", "converse"}, more...)
}

// TestGroups takes a rule from the form to its end.
func TestGroups(t *testing.T) {
	t.Parallel()
	w := newWorld(t, signsOn)
	pizza, trains := w.add(t, 0), w.add(t, 1)
	w.signOn(t, person("gus", "staff"))
	w.signOn(t, person("eva", "guests"))
	gus := "/console/users/" + w.id(t, "gus")
	w.admin.get(t, "/console/groups").want(t, http.StatusOK, "There are no rules.", `aria-current="page">Groups`)
	w.admin.get(t, "/console/groups/new").want(t, http.StatusOK, `value="converse" checked`, ">Pizza</option>")
	for _, tc := range []struct {
		name   string
		fields []string
		status int
		text   string
	}{
		{"no group", ruleForm("", pizza), http.StatusBadRequest, "Group is missing."},
		{"no assistant", []string{"group", "staff", "scopes", "converse"}, http.StatusBadRequest, "A rule has either"},
		{"an unknown assistant", []string{"group", "staff", "scopes", "converse", "project_id", "Cars"}, http.StatusNotFound, "There is no such assistant."},
		{"no scope", []string{"group", "staff", "project_id", string(pizza.ID)}, http.StatusBadRequest, "Scopes must name"},
		{"another role", []string{"group", "staff", "role", "owner"}, http.StatusBadRequest, "must be admin"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, path := range []string{"/console/groups/preview", "/console/groups"} {
				w.admin.post(t, path, tc.fields...).want(t, tc.status, tc.text, `action="/console/groups/preview"`)
			}
		})
	}

	preview := w.admin.post(t, "/console/groups/preview", ruleForm("staff", pizza)...).
		want(t, http.StatusOK, "Set this rule?", ">gus</a>", "Has Pizza with converse.", "at the next login", `name="group" value="staff"`).wantNo(t, ">eva</a>")
	if len(w.rules(t)) > 0 {
		t.Error("a preview sets a rule")
	}
	if got := preview.header.Get("Content-Security-Policy"); got != policy {
		t.Errorf("the preview has the policy %s", got)
	}
	w.admin.post(t, "/console/groups", ruleForm("staff", pizza)...).wantTo(t, "/console/groups")
	w.admin.get(t, "/console/groups").want(t, http.StatusOK, "The rule for staff is set.", "<bdi>staff</bdi>", "<bdi>Pizza</bdi>", "no limit")
	w.admin.get(t, gus).want(t, http.StatusOK, "No assistant is granted to gus.")
	w.signOn(t, person("gus", "staff"))
	w.admin.get(t, gus).want(t, http.StatusOK, "Pizza", "group staff: converse").wantNo(t, "Revoke Pizza")
	w.admin.get(t, at(pizza)).want(t, http.StatusOK, ">gus</a>", "group staff: converse").wantNo(t, `id="revoke-`)
	w.admin.post(t, gus+"/revoke", "project_id", string(pizza.ID)).want(t, http.StatusConflict, "The group")
	w.admin.get(t, gus+"/grant?project_id="+string(pizza.ID)).want(t, http.StatusOK, "The group staff grants Pizza already.", "Grant the assistant")

	w.admin.post(t, gus+"/grant", "project_id", string(pizza.ID), "scopes", "debug").wantTo(t, gus)
	w.admin.get(t, gus).want(t, http.StatusOK, "converse, debug", "an admin: debug", "group staff: converse", "Revoke Pizza")
	w.admin.get(t, gus+"/grant?project_id="+string(pizza.ID)).want(t, http.StatusOK, "Pizza is granted already.", `value="debug" checked`).wantNo(t, `value="converse" checked`)
	w.admin.post(t, gus+"/revoke", "project_id", string(pizza.ID)).wantTo(t, gus)
	w.admin.get(t, gus).want(t, http.StatusOK, "The group staff still grants the assistant.", "group staff: converse").wantNo(t, "an admin: debug")

	id := w.rules(t)[0].ID
	w.admin.get(t, "/console/groups/new?rule_id="+string(id)).want(t, http.StatusOK, `value="staff"`, `value="`+string(pizza.ID)+`" selected`)
	w.admin.post(t, "/console/groups/preview", ruleForm("staff", pizza, "scopes", "state")...).
		want(t, http.StatusOK, "Has Pizza with converse, state.", "at once").wantNo(t, "at the next login")
	w.admin.post(t, "/console/groups", ruleForm("staff", trains, "environments", "main")...).wantTo(t, "/console/groups")
	w.admin.get(t, "/console/groups").want(t, http.StatusOK, "<bdi>Trains</bdi>", ">main</td>")

	remove := "/console/groups/" + string(id) + "/delete"
	w.admin.get(t, remove).want(t, http.StatusOK, "Delete this rule?", ">gus</a>", "Loses Pizza.", "at once")
	w.admin.get(t, gus).want(t, http.StatusOK, "group staff: converse")
	w.admin.post(t, remove).wantTo(t, "/console/groups")
	w.admin.get(t, "/console/groups").want(t, http.StatusOK, "The rule was deleted.").wantNo(t, "<bdi>Pizza</bdi>")
	w.admin.get(t, gus).want(t, http.StatusOK).wantNo(t, "Pizza</a>")
	w.admin.get(t, remove).want(t, http.StatusNotFound)
	w.admin.post(t, remove).want(t, http.StatusNotFound, "no such rule", "<bdi>Trains</bdi>")
}

// rules returns all rules.
func (w *world) rules(t testing.TB) []domain.GroupRule {
	t.Helper()
	rules, err := w.service.GetGroupRules(t.Context(), w.operator(t))
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// TestGroupsThatMakeAdmins also checks who is told that the last admin is kept.
func TestGroupsThatMakeAdmins(t *testing.T) {
	t.Parallel()
	w := newWorld(t, signsOn)
	w.signOn(t, person("gus", "chiefs"))
	w.admin.post(t, "/console/groups/preview", "group", "chiefs", "role", "admin", "scopes", "converse").
		want(t, http.StatusOK, "the role admin", "Becomes an admin.", `name="role" value="admin"`).wantNo(t, `name="scopes"`)
	w.admin.post(t, "/console/groups", "group", "chiefs", "role", "admin", "scopes", "converse").wantTo(t, "/console/groups")
	gus := w.signOn(t, person("gus", "chiefs"))
	at := "/console/users/" + w.id(t, "gus")
	gus.get(t, at).want(t, http.StatusOK, "admin by the group chiefs", "made an admin again with the next login")
	remove := "/console/groups/" + string(w.rules(t)[0].ID) + "/delete"
	gus.get(t, remove).want(t, http.StatusOK, "Becomes a member.", "at once")

	if _, err := w.service.UpdateUser(t.Context(), w.operator(t), app.UpdateUser{ID: w.id(t, "admin"), Role: new("member")}); err != nil {
		t.Fatal(err)
	}
	gus.get(t, "/console/").want(t, http.StatusOK).wantNo(t, "has left the group")
	gus.get(t, remove).want(t, http.StatusOK, "Stays an admin, since there is no other.")
	w.signOn(t, person("gus", "nobodies"))
	gus.get(t, "/console/").want(t, http.StatusOK, "has left the group chiefs, and is still an admin", "Make somebody else an admin.").wantNo(t, "All is well")
	gus.get(t, at).want(t, http.StatusOK, `<span class="badge warn">kept</span>`)
	second := w.createUser(t, "second", "admin")
	w.signOn(t, person("gus", "nobodies"))
	gus.get(t, "/console/").want(t, http.StatusOK).wantNo(t, "has left the group", "Administration")
	if got := w.user(t, second).Role; got != domain.RoleAdmin {
		t.Errorf("second is a %s", got)
	}
}

// TestWhoTakesTheirOwnRole checks where an admin lands who deletes the rule that made them one.
func TestWhoTakesTheirOwnRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, signsOn)
	id := w.rule(t, "chiefs")
	gus := w.signOn(t, person("gus", "chiefs"))
	gus.post(t, "/console/groups/"+id+"/delete").wantTo(t, "/console/")
	gus.get(t, "/console/").want(t, http.StatusOK, "The rule was deleted.").wantNo(t, "Administration")
}

// TestAPreviewShowsSomeOfMany checks the limit of a preview.
func TestAPreviewShowsSomeOfMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t, signsOn)
	pizza := w.add(t, 0)
	for i := range app.MaxRuleEffects {
		w.signOn(t, person("p"+strconv.Itoa(i), "staff"))
	}
	preview := func() *page {
		return w.admin.post(t, "/console/groups/preview", ruleForm("staff", pizza)...).want(t, http.StatusOK)
	}
	if got := strings.Count(preview().wantNo(t, "There are more").text, "Has Pizza"); got != app.MaxRuleEffects {
		t.Errorf("the preview shows %d users, want %d", got, app.MaxRuleEffects)
	}
	w.signOn(t, person("another", "staff"))
	if got := strings.Count(preview().want(t, http.StatusOK, "There are more users who change.").text, "Has Pizza"); got != app.MaxRuleEffects {
		t.Errorf("the preview shows %d users, want %d", got, app.MaxRuleEffects)
	}
}

// TestGroupsWithoutAProvider checks that nothing leads to the page, which says what is missing.
func TestGroupsWithoutAProvider(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.admin.get(t, "/console/").want(t, http.StatusOK).wantNo(t, "/console/groups", "has left the group")
	w.admin.get(t, "/console/groups").want(t, http.StatusOK, "There is no identity provider")
	at := "/console/users/" + w.id(t, "member")
	w.admin.get(t, at).want(t, http.StatusOK).wantNo(t, "Identity", "/link")
	w.admin.get(t, "/console/users/new").want(t, http.StatusOK, `type="password" required`)
	w.member.get(t, "/console/account").want(t, http.StatusOK).wantNo(t, "linked", "/link")
}

// TestIdentities links a user and unlinks them.
func TestIdentities(t *testing.T) {
	t.Parallel()
	w := newWorld(t, signsOn)
	w.admin.get(t, "/console/users/new").want(t, http.StatusOK, "Leave it empty").wantNo(t, `type="password" required`)
	w.admin.post(t, "/console/users/new", "username", "gus").wantTo(t, "/console/users/"+w.id(t, "gus"))
	at := "/console/users/" + w.id(t, "gus")
	w.admin.get(t, at).want(t, http.StatusOK, "gus is not linked", "Subject at Contoso").wantNo(t, "Unlink")
	w.admin.get(t, at+"/unlink").wantTo(t, at)
	w.admin.post(t, at+"/link", "subject", "").want(t, http.StatusBadRequest, "Subject is missing.")
	w.admin.post(t, at+"/link", "subject", "  sub-gus ").wantTo(t, at)
	w.admin.get(t, at).want(t, http.StatusOK, "gus can log in with Contoso from now on.", "<code>sub-gus</code>", "<code>"+issuer+"</code>", "never", "Unlink gus…")
	w.admin.post(t, at+"/link", "subject", "other").want(t, http.StatusConflict, "linked to another identity")
	w.admin.post(t, "/console/users/"+w.id(t, "member")+"/link", "subject", "sub-gus").
		want(t, http.StatusConflict, "Another user is linked", `value="sub-gus"`)

	gus := w.signOn(t, person("gus"))
	w.admin.get(t, at).want(t, http.StatusOK, "Login with the identity provider").wantNo(t, ">never<")
	w.admin.get(t, at+"/unlink").want(t, http.StatusOK, "Unlink gus?", "has no password")
	gus.get(t, "/console/").want(t, http.StatusOK)
	w.admin.post(t, at+"/unlink").wantTo(t, at)
	w.admin.get(t, at).want(t, http.StatusOK, "All sessions of gus were ended.", "gus is not linked")
	gus.get(t, "/console/").wantTo(t, "/console/login?return=%2Fconsole%2F")
	w.admin.post(t, at+"/unlink").wantTo(t, at)

	self := "/console/users/" + w.id(t, "admin")
	w.admin.post(t, self+"/link", "subject", "sub-admin").wantTo(t, self)
	w.admin.get(t, self+"/unlink").want(t, http.StatusOK, "you are logged out").wantNo(t, "has no password")
	w.admin.post(t, self+"/unlink").wantTo(t, "/console/login")
	w.admin.get(t, "/console/login").want(t, http.StatusOK, "So you are logged out.")
}
