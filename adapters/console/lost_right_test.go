package console_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/app"
)

// heldBack is the body of a form whose end comes after do.
type heldBack struct {
	begin, end io.Reader
	do         func()
}

// Read reads the beginning, does what is to be done, and reads the end.
func (h *heldBack) Read(p []byte) (int, error) {
	if n, err := h.begin.Read(p); err == nil {
		return n, nil
	}
	if h.do != nil {
		h.do()
		h.do = nil
	}
	return h.end.Read(p)
}

// TestARightLostInTheMiddleOfAForm checks that who holds a form back until a right is gone sees no
// page of it. Each form is one that can't be carried out, because such a form is shown once more.
func TestARightLostInTheMiddleOfAForm(t *testing.T) {
	w := newWorld(t)
	pizza := w.add(t, 0)
	w.grant(t, "member", pizza)
	eve := w.createUser(t, "eve", "admin")
	user, at := "/console/users/"+w.id(t, "member"), "/console/assistants/"+string(pizza.ID)
	update := func(change app.UpdateUser) {
		change.ID = eve
		if _, err := w.service.UpdateUser(t.Context(), w.operator(t), change); err != nil {
			t.Error(err)
		}
	}
	for _, lost := range []struct {
		name       string
		lose, undo app.UpdateUser
		status     int
	}{
		{"a demoted admin", app.UpdateUser{Role: new("member")}, app.UpdateUser{Role: new("admin")}, http.StatusForbidden},
		{"a disabled admin", app.UpdateUser{Disabled: new(true)}, app.UpdateUser{Disabled: new(false)}, http.StatusSeeOther},
	} {
		for _, form := range []struct{ path, name, value string }{
			{user + "/role", "role", "x"},
			{user + "/disabled", "disabled", "x"},
			{user + "/password", "password", "x"},
			{user + "/link", "subject", "x"},
			{"/console/groups/preview", "group", "x"},
			{"/console/webhooks", "url", "x"},
			{"/console/groups", "group", "x"},
			{"/console/account/link", "password", "x"},
			{user + "/grant", "project_id", "x"},
			{user + "/revoke", "project_id", "x"},
			{user + "/sessions/delete", "session_id", "x"},
			{user + "/tokens/delete", "token_id", "x"},
			{"/console/users/new", "assistants", "x"},
			{"/console/tokens/new", "name", "x"},
			{"/console/tokens/delete", "token_id", "x"},
			{"/console/sessions/delete", "session_id", "x"},
			{"/console/account", "password", "x"},
			{"/console/assistants/new", "version_id", "x"},
			{at + "/set_token", "slot", "x"},
			{at + "/set_token", "token", "x"},
			{at + "/delete_token", "slot", "x"},
			{at + "/set_environments", "default", "!"},
			{at + "/set_picture_origins", "origins", "x"},
			{at + "/grant_project", "user_id", "x"},
			{at + "/revoke_project", "user_id", "x"},
			{at + "/delete_project", "project_name", "x"},
			{"/chat/" + string(pizza.ID) + "/turn", "choice", "x"},
		} {
			b := w.login(t, "eve")
			p := b.sendHeldBack(t, form.path, url.Values{form.name: {form.value}}, func() { update(lost.lose) })
			update(lost.undo)
			p.of = lost.name + ": " + p.of
			p.want(t, lost.status).wantNo(t, ">member<", "Pizza", "<form method=\"post\" action=\""+form.path)
		}
	}
}

// TestAGrantLostInTheMiddleOfATurn checks that an assistant whose grant is gone looks like one that
// does not exist, on the page without a script too. A user who was disabled is sent to the login.
func TestAGrantLostInTheMiddleOfATurn(t *testing.T) {
	w := newWorld(t)
	pizza := w.add(t, 0)
	w.grant(t, "member", pizza)
	b := w.login(t, "member")
	path, turn := "/chat/"+string(pizza.ID)+"/turn", url.Values{"conversation": {conversation}, "message": {"Hello"}}
	b.sendHeldBack(t, path, turn, func() {
		if err := w.service.RevokeProject(t.Context(), w.operator(t), w.id(t, "member"), string(pizza.ID)); err != nil {
			t.Error(err)
		}
	}).want(t, http.StatusNotFound, "Not found").wantNo(t, "Pizza")
	w.grant(t, "member", pizza)
	b.sendHeldBack(t, path, turn, func() {
		if _, err := w.service.UpdateUser(t.Context(), w.operator(t), app.UpdateUser{ID: w.id(t, "member"), Disabled: new(true)}); err != nil {
			t.Error(err)
		}
	}).wantTo(t, "/console/login").wantNo(t, "Pizza")
}

// sendHeldBack sends a form, and calls do before the end of its body is sent. By then the service
// has looked up who calls, because the client waits for 100 Continue, which net/http sends when a
// handler reads the body.
func (b *browser) sendHeldBack(t testing.TB, path string, form url.Values, do func()) *page {
	t.Helper()
	text := form.Encode()
	body := &heldBack{begin: strings.NewReader(text[:1]), end: strings.NewReader(text[1:]), do: do}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.w.server.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = int64(len(text))
	r.Header.Set("Expect", "100-continue")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "text/html")
	transport := &http.Transport{ExpectContinueTimeout: time.Minute} // without it, the body is sent at once
	defer transport.CloseIdleConnections()
	client := *b.client
	client.Transport = transport
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &page{of: "POST " + path, status: response.StatusCode, header: response.Header, text: string(answer)}
}
