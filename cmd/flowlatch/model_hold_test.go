package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// heldBody is the body of a request. Its last byte comes after meanwhile has returned.
type heldBody struct {
	left      []byte
	meanwhile func()
}

// Read implements io.Reader.
func (b *heldBody) Read(p []byte) (int, error) {
	switch len(b.left) {
	case 0:
		return 0, io.EOF
	case 1:
		b.meanwhile()
		n := copy(p, b.left)
		b.left = nil
		return n, nil
	}
	n := copy(p, b.left[:len(b.left)-1])
	b.left = b.left[n:]
	return n, nil
}

// change is a request and how it is answered once the right is gone.
type change struct {
	route  string // method and path
	params map[string]any
	want   string // status and code
}

// holdLastByte lets a member begin a change that they may make. The admin takes the right away
// on the other instance before the last byte of the request. The change is refused, and
// nothing but the right has changed.
func (m *model) holdLastByte(u *modelUser) {
	m.t.Helper()
	if len(m.projects) == 0 {
		return
	}
	i := m.random.IntN(len(m.instances))
	here, there := m.instances[i], m.instances[1-i].Service
	id := m.ids()[m.random.IntN(len(m.projects))]
	switch n := m.random.IntN(10); {
	case n < 4:
		m.grant(there, u, id)
		m.hold(here, u, change{"POST /set_project", map[string]any{"project_id": id}, "401 not_allowed"},
			func() { m.revoke(there, u, id) })
	case n < 8:
		changes := m.changesOfAdmin(u, id)
		m.update(there, u, app.UpdateUser{Role: new(string(domain.RoleAdmin))})
		m.hold(here, u, changes[m.random.IntN(len(changes))],
			func() { m.update(there, u, app.UpdateUser{Role: new(string(domain.RoleMember))}) })
	default:
		m.grant(there, u, id)
		m.hold(here, u, change{"POST /set_project", map[string]any{"project_id": id}, "401 not_authenticated"},
			func() { m.update(there, u, app.UpdateUser{Disabled: new(true)}) })
		m.update(there, u, app.UpdateUser{Disabled: new(false)})
		m.login(there, u)
		u.set, u.cookie = "", ""
	}
	for _, s := range []*app.Service{here.Service, there} {
		m.compareList(s, m.users[0])
		m.compareList(s, u)
		m.compareSet(s, u)
	}
}

// changesOfAdmin returns changes that only an admin may make.
func (m *model) changesOfAdmin(u *modelUser, id domain.ProjectID) []change {
	grant := map[string]any{"user_id": m.member().id, "project_id": id}
	changes := []change{
		{"POST /delete_project", map[string]any{"project_id": id}, "401 not_allowed"},
		{"POST /grant_project", grant, "403 not_allowed"},
		{"POST /revoke_project", grant, "403 not_allowed"},
		{"PATCH /update_user", map[string]any{"user_id": u.id, "role": "admin"}, "403 not_allowed"},
	}
	for _, a := range m.pool {
		added := func(there *modelProject) bool { return there.assistant.VersionID == a.VersionID }
		if !slices.ContainsFunc(slices.Collect(maps.Values(m.projects)), added) {
			return append(changes, change{"POST /add_project", map[string]any{"version_id": a.VersionID, "token": a.Key}, "401 not_allowed"})
		}
	}
	return changes
}

// hold sends the change and calls meanwhile before its last byte.
func (m *model) hold(here *instance, u *modelUser, c change, meanwhile func()) {
	m.t.Helper()
	m.doing("hold", u.name+" "+c.route)
	text, err := json.Marshal(c.params)
	if err != nil {
		m.t.Fatal(err)
	}
	method, path, _ := strings.Cut(c.route, " ")
	r := httptest.NewRequestWithContext(m.t.Context(), method, path, &heldBody{text, meanwhile})
	r.Header.Set("Content-Type", "application/json")
	r.AddCookie(&http.Cookie{Name: "user_session", Value: u.login})
	r.AddCookie(&http.Cookie{Name: "assistant_session", Value: u.cookie})
	w := httptest.NewRecorder()
	here.Engine.ServeHTTP(w, r)
	var said struct{ Code string }
	if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil {
		m.t.Fatal(err)
	}
	if got := fmt.Sprint(w.Code, " ", said.Code); got != c.want {
		m.t.Errorf("%s by %s: got %s, want %s", c.route, u.name, w.Body, c.want)
	}
}

// update lets the admin change the user.
func (m *model) update(s *app.Service, u *modelUser, in app.UpdateUser) {
	m.t.Helper()
	m.doing("update", u.name)
	in.ID = string(u.id)
	_, err := s.UpdateUser(m.t.Context(), m.call(s, m.users[0]), in)
	m.want(err, "")
}
