package e2e

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestARotatedTokenKeepsItsConversations converses by the texts of one token, before and after
// rotations.
func TestARotatedTokenKeepsItsConversations(t *testing.T) {
	a := newAssistant("Pizza Palace")
	v := startVoiceflow(t, a)
	s := serving(t, newMachine(t, v))
	admin := s.admin()
	id := admin.want(admin.post("/add_project", adding(a)), "200").added(t).ID
	ben := s.user(admin, "bo", id, "converse", "state")
	tokenID, text := newToken(ben, body{"name": "bot", "project_id": id, "scopes": []string{"converse", "state"}})
	state := runtimeAt + "/state/user/same"
	first := ben.program(text)
	first.want(first.post(state+"/interact", says("hi")), "200")
	first.want(first.send("PATCH", state+"/variables", body{"order": "my secret order"}), "200")
	opened := first.want(first.post(runtimeAt+"/v4/project/"+a.ProjectID+"/session", body{"userID": "same"}), "200")
	alone := ben.program(opened.member(t, "sessionKey"))
	rotate := func(b *browser, password string, hours int) *browser {
		t.Helper()
		got := b.want(b.post("/rotate_access_token", body{"token_id": tokenID, "overlap_hours": hours, "password": password}), "200")
		if got.member(t, "Id") != tokenID {
			t.Errorf("got %s, want the same token", got.text)
		}
		return b.program(got.member(t, "token"))
	}
	second := rotate(ben, memberPassword, 1)
	for _, program := range []*browser{first, second} {
		if got := program.want(program.get(state), "200"); !strings.Contains(got.text, "my secret order") {
			t.Errorf("the conversation is %s", got.text)
		}
	}
	if end, err := time.Parse(time.RFC3339, toldEnd(t, first, state)); err != nil || time.Until(end) > time.Hour {
		t.Errorf("the overlap ends at %v, error %v", end, err)
	}
	if got := toldEnd(t, second, state); got != "" {
		t.Errorf("a text that goes on for 90 days is told to end at %s", got)
	}
	alone.want(alone.post(runtimeAt+"/v4/interact", says("in a session")), "200")

	// The admin ends every older text at once, with what is open by it.
	v.Fail(endless)
	stream := openStream(t, second, runtimeAt+"/v2/project/"+a.ProjectID+"/user/x/interact/stream")
	third := rotate(admin, adminPassword, 0)
	ended := make(chan bool)
	go func() {
		_, _ = io.Copy(io.Discard, stream) // it is cut
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("a stream that was opened with a text that has ended goes on")
	}
	v.Fail(nil)
	for _, program := range []*browser{first, second} {
		program.want(program.get(state), "401 not_authenticated")
		program.want(program.get("/check_session"), "401 not_authenticated")
	}
	if got := third.want(third.get(state), "200"); !strings.Contains(got.text, "my secret order") {
		t.Errorf("the conversation is %s", got.text)
	}
	alone.want(alone.post(runtimeAt+"/v4/interact", says("still in the session")), "200")
	if got := ben.want(ben.get("/get_access_tokens"), "200"); !strings.Contains(got.text, `"PreviousEnds":null`) || strings.Contains(got.text, `"Renewed":null`) {
		t.Errorf("the list is %s", got.text)
	}
	ben.want(ben.post("/delete_access_token", body{"token_id": tokenID}), "200")
	third.want(third.get(state), "401 not_authenticated")
	alone.want(alone.post(runtimeAt+"/v4/interact", says("anybody")), "401 not_authenticated")
}

// toldEnd returns what a forwarded answer tells of the end of the token.
func toldEnd(t *testing.T, b *browser, path string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", b.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.Header.Get("Flowlatch-Token-Expires")
}

// openStream opens a stream and reads its first line.
func openStream(t *testing.T, b *browser, path string) io.Reader {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", b.url+path, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := b.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	reader := bufio.NewReader(resp.Body)
	if _, err := reader.ReadString('\n'); err != nil || resp.StatusCode != 200 {
		t.Fatalf("a stream begins with status %d and error %v", resp.StatusCode, err)
	}
	return reader
}
