package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// tokenID returns the id of the user's only access token of that name.
func (w *world) tokenID(t testing.TB, name string) string {
	t.Helper()
	tokens, err := w.ports.Store.Tokens.Page(t.Context(), "", domain.Cursor{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range tokens {
		if token.Name == name {
			return string(token.ID)
		}
	}
	t.Fatalf("there is no access token %q", name)
	return ""
}

func TestCreateAnAccessToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pizza, trains := w.add(t, 0), w.add(t, 1)
	w.grant(t, "member", pizza, "converse", "transcripts")
	w.member.get(t, "/console/tokens").want(t, http.StatusOK, "There are no access tokens of yours.")
	w.member.get(t, "/console/tokens/new?project_id="+string(pizza.ID)).
		want(t, http.StatusOK, `value="`+string(pizza.ID)+`" selected`, `value="converse" checked`, `value="90"`, "Read, tag and annotate").
		wantNo(t, "Trains", "Scopes that manage", `name="rate"`)
	w.admin.get(t, "/console/tokens/new").want(t, http.StatusOK, "Trains", "Scopes that manage", `name="rate"`, `name="open"`, `name="user_ids"`)

	full := []string{"name", "<i>reports", "project_id", "Pizza", "scopes", "converse", "scopes", "transcripts", "expires_in_days", "30", "environments", "main\r\n\r\n"}
	with := func(fields ...string) []string { return append(fields, "password", password) }
	for _, tc := range []struct {
		name   string
		fields []string
		status int
		text   string
	}{
		{"no name", with("project_id", "Pizza", "scopes", "converse"), http.StatusBadRequest, "Name is missing."},
		{"no assistant", with("name", "n", "scopes", "converse"), http.StatusBadRequest, "The assistant is missing"},
		{"no scope", with("name", "n", "project_id", "Pizza"), http.StatusBadRequest, "Scopes must name at least one scope."},
		{"a scope that is not granted", with("name", "n", "project_id", "Pizza", "scopes", "export"), http.StatusForbidden, "This needs scopes that are not granted to you."},
		{"a scope that manages", with("name", "n", "scopes", "manage"), http.StatusForbidden, "Only an admin may create an access token that manages."},
		{"an assistant that is not granted", with("name", "n", "project_id", "Trains", "scopes", "converse"), http.StatusNotFound, "There is no such assistant."},
		{"its Id", with("name", "n", "project_id", string(trains.ID), "scopes", "converse"), http.StatusForbidden, "You are not allowed to use this assistant."},
		{"a limit", with("name", "n", "project_id", "Pizza", "scopes", "converse", "rate", "5"), http.StatusForbidden, "Only an admin may create an access token with rate or open."},
		{"days in words", with("name", "n", "project_id", "Pizza", "scopes", "converse", "expires_in_days", "ten"), http.StatusBadRequest, "The number of days must be a whole number."},
		{"too many days", with("name", "n", "project_id", "Pizza", "scopes", "converse", "expires_in_days", "366"), http.StatusBadRequest, "The number of days must be 1 to 365."},
		{"an environment that is not allowed", with("name", "n", "project_id", "Pizza", "scopes", "converse", "environments", "beta"), http.StatusBadRequest, ">beta</textarea>"},
		{"no password", full, http.StatusBadRequest, "Password is missing; it must be your current password."},
		{"a wrong password", append([]string{"password", "canary wrong"}, full...), http.StatusBadRequest, "The current password is wrong."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.member.post(t, "/console/tokens/new", tc.fields...).want(t, tc.status, tc.text, "Create an access token</h1>").wantNo(t, "canary", domain.TokenPrefix+"a", "<i>")
		})
	}
	again := w.member.post(t, "/console/tokens/new", full...)
	again.want(t, http.StatusBadRequest, `value="&lt;i&gt;reports"`, `value="transcripts" checked`, `value="30"`, ">main</textarea>", `value="`+string(pizza.ID)+`"`)

	text := w.member.makeToken(t, full...)
	if _, err := w.service.IdentifyToken(t.Context(), domain.NewSecret(text)); err != nil {
		t.Fatalf("the text on the page is not an access token: %v", err)
	}
	w.member.get(t, "/console/tokens/new").want(t, http.StatusOK).wantNo(t, text)
	w.member.get(t, "/console/tokens").want(t, http.StatusOK, "&lt;i&gt;reports", text[:10]+"…", "Pizza", "converse, transcripts", "environments main", "never").wantNo(t, text)
	if strings.Contains(w.log.String(), text[4:]) || strings.Contains(w.log.String(), "canary") {
		t.Error("the log has the access token or a password")
	}
}

func TestAnAdminsAccessTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pizza := w.add(t, 0)
	w.grant(t, "member", pizza)
	w.member.makeToken(t, "name", "members", "project_id", string(pizza.ID), "scopes", "converse")
	w.admin.makeToken(t, "name", "limited", "project_id", string(pizza.ID), "scopes", "converse", "rate", "7", "open", "3", "user_ids", "own")
	w.admin.makeToken(t, "name", "manages", "scopes", "manage:users")
	w.admin.get(t, "/console/tokens").want(t, http.StatusOK, "members", ">member</a>", "7 calls a minute", "3 open calls", "user ids of its own", "managing", "manage:users",
		`aria-label="Rotate limited"`, `aria-label="End members"`).wantNo(t, `aria-label="Rotate members"`)
	w.member.get(t, "/console/tokens").want(t, http.StatusOK, "members").wantNo(t, "limited", "Owner")

	w.member.post(t, "/console/tokens/delete", "token_id", w.tokenID(t, "limited")).want(t, http.StatusNotFound, "There is no such access token.", "members")
	w.member.post(t, "/console/tokens/delete", "token_id", "x").want(t, http.StatusBadRequest, "Token_id is not the Id of an access token.")
	w.member.post(t, "/console/tokens/delete", "token_id", w.tokenID(t, "members")).wantTo(t, "/console/tokens")
	w.member.get(t, "/console/tokens").want(t, http.StatusOK, "The access token was ended.").wantNo(t, "members")
	w.member.makeToken(t, "name", "members", "project_id", string(pizza.ID), "scopes", "converse")
	w.admin.post(t, "/console/tokens/delete", "token_id", w.tokenID(t, "members")).wantTo(t, "/console/tokens")
}

func TestRotateAnAccessToken(t *testing.T) {
	t.Parallel()
	var clock shiftedClock
	w := newWorld(t, func(w *world) { clock.of(w) })
	pizza := w.add(t, 0)
	w.grant(t, "member", pizza)
	old := w.member.makeToken(t, "name", "members", "project_id", string(pizza.ID), "scopes", "converse", "expires_in_days", "1")
	w.admin.makeToken(t, "name", "admins", "scopes", "manage")
	id := w.tokenID(t, "members")
	w.member.get(t, "/console/tokens/rotate?token_id="+id).want(t, http.StatusOK, "members", `value="24"`, `max="168"`, old[:10]+"…")
	for _, b := range []*browser{w.admin, w.member} { // only the owner sees the new text
		other := w.tokenID(t, map[*browser]string{w.admin: "members", w.member: "admins"}[b])
		b.get(t, "/console/tokens/rotate?token_id="+other).want(t, http.StatusNotFound, "There is no such access token.")
		b.post(t, "/console/tokens/rotate", "token_id", other, "password", password).want(t, http.StatusNotFound)
	}
	w.member.get(t, "/console/tokens/rotate").want(t, http.StatusBadRequest)
	for _, tc := range []struct{ name, overlap, password, text string }{
		{"a wrong password", "2", "canary wrong", "The current password is wrong."},
		{"no password", "2", "", "Password is missing"},
		{"too long an overlap", "169", password, "The number of hours must be 0 to 168."},
		{"hours in words", "two", password, "The number of hours must be a whole number."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.member.post(t, "/console/tokens/rotate", "token_id", id, "overlap_hours", tc.overlap, "password", tc.password).
				want(t, http.StatusBadRequest, tc.text, `value="`+tc.overlap+`"`).wantNo(t, "canary")
		})
	}
	made := w.member.post(t, "/console/tokens/rotate", "token_id", id, "overlap_hours", "2", "password", password)
	made.want(t, http.StatusOK, "The new text of members", `class="token">flk_`, "Previous text").wantNo(t, old, "canary")
	w.member.get(t, "/console/tokens").want(t, http.StatusOK, "the previous text ends").wantNo(t, old)
	if _, err := w.service.IdentifyToken(t.Context(), domain.NewSecret(old)); err != nil {
		t.Errorf("the previous text within the overlap: %v", err)
	}
	w.member.post(t, "/console/tokens/rotate", "token_id", id, "overlap_hours", "0", "password", password).want(t, http.StatusOK, "ended now")

	clock.add(25 * time.Hour)
	member := w.login(t, "member")
	member.get(t, "/console/tokens").want(t, http.StatusOK, "expired").wantNo(t, "Rotate members")
	member.post(t, "/console/tokens/rotate", "token_id", id, "password", password).want(t, http.StatusConflict, "The access token has expired; create another one.")
}

// TestManyAssistantsInAMenu checks that the form for an access token takes a name if there are more
// assistants than a menu lists.
func TestManyAssistantsInAMenu(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addNamed(t, 100)
	w.admin.get(t, "/console/tokens/new").want(t, http.StatusOK, "<select id=\"project_id\"").wantNo(t, "<datalist")
	w.add(t, 0)
	w.admin.get(t, "/console/tokens/new").want(t, http.StatusOK, "<datalist").wantNo(t, "<select id=\"project_id\"")
	made := w.admin.post(t, "/console/tokens/new", "name", "n", "project_id", "Pizza", "scopes", "converse", "password", password)
	made.want(t, http.StatusOK, "<dd>Pizza</dd>")
	w.admin.post(t, "/console/tokens/new", "name", "n", "project_id", "Pizz", "scopes", "converse", "password", password).
		want(t, http.StatusNotFound, "There is no such assistant.", `value="Pizz"`)
}

func TestAnAdminEndsTheAccessTokensOfAUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pizza := w.add(t, 0)
	w.grant(t, "member", pizza)
	at := "/console/users/" + w.id(t, "member")
	w.admin.get(t, at).want(t, http.StatusOK, "member has no access tokens.")
	text := w.member.makeToken(t, "name", "members", "project_id", string(pizza.ID), "scopes", "converse")
	w.admin.makeToken(t, "name", "admins", "scopes", "manage")
	w.admin.get(t, at).want(t, http.StatusOK, `aria-label="End members"`).wantNo(t, "admins", "Owner", "Rotate members", text)
	w.admin.post(t, at+"/tokens/delete", "token_id", "x").want(t, http.StatusBadRequest, ">member</h1>")
	w.admin.post(t, at+"/tokens/delete", "token_id", w.tokenID(t, "members")).wantTo(t, at)
	w.admin.get(t, at).want(t, http.StatusOK, "The access token was ended.", "member has no access tokens.")
	if _, err := w.service.IdentifyToken(t.Context(), domain.NewSecret(text)); domain.KindOf(err) != domain.NotAuthenticated {
		t.Errorf("the access token was ended: got error %v, want NotAuthenticated", err)
	}
}

// TestAKeyInTheWrongFieldIsNotShown checks that a key that was pasted into a field of a form is not on
// the page that shows the form again.
func TestAKeyInTheWrongFieldIsNotShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.assistants[0].Key
	setup := newWorld(t, func(w *world) { w.bare = true })
	link, _ := setup.setupLink(t)
	setup.nobody.post(t, link, "username", key, "password", "short").want(t, http.StatusBadRequest).wantNo(t, key)
	for path, names := range map[string][]string{
		"/console/users/new":                             {"username", "assistants", "role"},
		"/console/users/" + w.id(t, "member") + "/grant": {"project_id", "scopes"},
		"/console/tokens/new":                            {"name", "project_id", "environments", "rate", "open", "expires_in_days", "user_ids", "scopes"},
	} {
		for _, name := range names {
			got := w.admin.post(t, path, name, key).wantNo(t, key)
			if got.status < 400 || got.status >= 500 {
				t.Errorf("%s with a key as %s: got status %d, want 4xx", path, name, got.status)
			}
		}
	}
}
