package e2e

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"testing"
)

// seen is a session in an answer.
type seen struct{ ID, Kind, User, Project, Created, LastUsed, Expires, Address, Agent string }

// sessions returns the sessions in an answer of get_sessions.
func (a answer) sessions(t *testing.T) []seen {
	t.Helper()
	var said struct{ Sessions []seen }
	if err := json.Unmarshal([]byte(a.text), &said); err != nil {
		t.Fatalf("%v in %s", err, a.text)
	}
	return said.Sessions
}

// sealedBy returns the id of the key that sealed the cookie of that name.
func (b *browser) sealedBy(name string) string {
	b.t.Helper()
	at, err := url.Parse(b.url)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(at) {
		plain, err := base64.RawURLEncoding.DecodeString(c.Value)
		if c.Name == name && err == nil && len(plain) > int(plain[0]) {
			return string(plain[1 : 1+plain[0]])
		}
	}
	b.t.Fatalf("the browser has no cookie %s", name)
	return ""
}

// TestCookiesAndSessionsThroughARotation uses a browser before and after a rotation of the keyset.
// At the end it ends the session of another browser.
func TestCookiesAndSessionsThroughARotation(t *testing.T) {
	a := newAssistant("Pizza Palace")
	m := newMachine(t, startVoiceflow(t, a))
	s := serving(t, m)
	admin := s.admin()
	id := admin.want(admin.post("/add_project", adding(a)), "200").added(t).ID
	ben := s.user(admin, "bo", id)
	remembered := newBrowser(t, s.url)
	remembered.want(remembered.post("/login", body{"username": "bo", "password": memberPassword, "remember": true}), "200")
	remembered.want(remembered.post("/set_project", body{"project_id": id}), "200")
	old := ben.sealedBy("user_session")

	m.must("", "keys", "rotate")
	eventually(t, "the service seals with the new key", func() bool {
		ben.want(ben.get("/check_session"), "200")
		return ben.sealedBy("user_session") != old
	})
	ben.want(ben.post(runtimeAt+"/state/user/x/interact", says("hi")), "200")
	mine := remembered.want(remembered.get("/get_sessions"), "200").sessions(t)
	if len(mine) != 4 {
		t.Errorf("got the sessions %+v, want two logins with an assistant each", mine)
	}
	for _, b := range []*browser{ben, remembered} {
		for _, name := range []string{"user_session", "assistant_session"} {
			if by := b.sealedBy(name); by == old {
				t.Errorf("the browser's %s is still sealed by the old key", name)
			}
		}
		if got := b.want(b.get("/check_session"), "200"); assistantOf(t, got) != id {
			t.Errorf("with the new cookies the answer is %s, want the assistant that was set", got.text)
		}
	}

	for _, session := range mine {
		if !instantWithin(session.LastUsed, patience) || session.User != userID(t, admin, "bo") {
			t.Errorf("got the session %+v, want one of bo's that was used just now", session)
		}
	}
	stranger := s.member()
	stranger.want(stranger.post("/delete_session", body{"session_id": mine[0].ID}), "404 not_found")
	remembered.want(remembered.post("/delete_session", body{"session_id": mine[0].ID}), "200")
	ben.want(ben.get("/check_session"), "401 not_authenticated")
	remembered.want(remembered.get("/check_session"), "200")
}
