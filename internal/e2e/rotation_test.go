package e2e

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
)

// TestKeysAreRotatedAtVoiceflowUnderLoad rotates a key as Voiceflow documents it, while the
// assistant is used by cookies, by an access token and in a v4 session. No call may fail.
func TestKeysAreRotatedAtVoiceflowUnderLoad(t *testing.T) {
	eachDatabase(t, rotateUnderLoad)
}

func rotateUnderLoad(t *testing.T, database string) {
	a := newAssistant("Pizza Palace")
	first, second := a.Key, voiceflowtest.NewKey()
	v := startVoiceflow(t, a)
	s := serving(t, newMachine(t, v).with("FLOWLATCH_DATABASE_URL", database, "FLOWLATCH_FORWARD_RATE", "0", "FLOWLATCH_FORWARD_READ_RATE", "0", "FLOWLATCH_FORWARD_OPEN", "0"))
	admin := s.admin()
	id := admin.want(admin.post("/add_project", adding(a)), "200").added(t).ID
	bo := s.user(admin, "bo", id)
	program := bo.program(bo.want(bo.post("/create_access_token", body{"name": "x", "project_id": id, "password": memberPassword}), "200").member(t, "token"))
	handle := bo.want(bo.post(runtimeAt+"/v4/project/"+a.ProjectID+"/session", body{"userID": "bo"}), "200").member(t, "sessionKey")
	alone := bo.program(handle)

	var load sync.WaitGroup
	stop := make(chan struct{})
	end := sync.OnceFunc(func() { close(stop); load.Wait() })
	defer end()
	users := []struct {
		by   *browser
		path string
		done atomic.Int64
	}{
		{by: bo, path: runtimeAt + "/state/user/a/interact"}, {by: s.user(admin, "eve", id), path: runtimeAt + "/state/user/a/interact"},
		{by: program, path: runtimeAt + "/state/user/b/interact"}, {by: alone, path: runtimeAt + "/v4/interact"},
	}
	for i := range users {
		u := &users[i]
		load.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				text := fmt.Sprintf("turn %d of %d", n, i)
				got, err := u.by.try("POST", u.path, says(text))
				if err != nil || got.status != 200 || !strings.Contains(got.text, text) {
					t.Errorf("%s: got %s and error %v: %s", text, got, err, got.text)
				}
				u.done.Add(1)
			}
		})
	}
	// used waits until each client has begun and finished new calls.
	used := func(when string) {
		t.Helper()
		for i := range users {
			before := users[i].done.Load()
			eventually(t, "everyone has made calls "+when, func() bool { return users[i].done.Load() >= before+10 })
		}
	}
	live := func(key, second string) {
		t.Helper()
		a.Key, a.SecondKey = key, second
		if err := v.Add(a); err != nil {
			t.Fatal(err)
		}
	}
	statuses := func(when, want string) {
		t.Helper()
		eventually(t, "an admin sees "+want+" "+when, func() bool {
			return strings.Contains(admin.want(admin.get("/get_projects"), "200").text, want)
		})
	}
	const bothGood, firstBad = `"key_status":"ok","secondary_status":"ok"`, `"key_status":"rejected","secondary_status":"ok"`

	used("with one key")
	live(first, second)
	admin.want(admin.post("/set_token", body{"project_id": id, "token": second, "slot": "secondary"}), "200")
	used("with two")
	statuses("while both are live", bothGood)
	live(second, "") // the second key was promoted and the first was revoked
	v.EndSessions()
	used("after the first was revoked")
	statuses("after the first was revoked", firstBad)
	admin.want(admin.post("/set_token", body{"project_id": id, "token": second}), "200")
	used("after the second took its place")
	statuses("at the end", bothGood)
	end()

	uses := 0
	for i := range users {
		uses += int(users[i].done.Load())
	}
	eventually(t, "every call is counted, and as none that failed", func() bool {
		return strings.Contains(admin.want(admin.get("/get_usage?group_by=project"), "200").text, fmt.Sprintf(`"Calls":%d,"Errors":0`, uses+1))
	})
	t.Logf("%d calls", uses)
}
