package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
)

const runtimeAt = "/voiceflow/general-runtime"

// says returns the body of a turn.
func says(text string) body {
	return body{"action": body{"type": "text", "payload": text}}
}

// program returns a client without cookies, with an access token or the handle of a v4 session.
func (b *browser) program(authorization string) *browser {
	b.t.Helper()
	p := newBrowser(b.t, b.url)
	p.seen = b.seen
	p.client.Transport = withAuthorization{p.client.Transport, authorization}
	return p
}

type withAuthorization struct {
	http.RoundTripper
	value string
}

func (w withAuthorization) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("Authorization", w.value)
	return w.RoundTripper.RoundTrip(r)
}

// member returns a text in an answer.
func (a answer) member(t *testing.T, name string) string {
	t.Helper()
	var said map[string]any
	_ = json.Unmarshal([]byte(a.text), &said)
	text, _ := said[name].(string)
	if text == "" {
		t.Fatalf("there is no %s in %s", name, a.text)
	}
	return text
}

// user creates a member with a grant, logs the member in and sets the assistant.
func (s *server) user(admin *browser, name, project string, scopes ...string) *browser {
	s.t.Helper()
	admin.want(admin.post("/create_user", body{"username": name, "password": memberPassword}), "200")
	grant := body{"user_id": userID(s.t, admin, name), "project_id": project}
	if len(scopes) > 0 {
		grant["scopes"] = scopes
	}
	admin.want(admin.post("/grant_project", grant), "200")
	b := newBrowser(s.t, s.url).login(name, memberPassword)
	b.want(b.post("/set_project", body{"project_id": project}), "200")
	return b
}

// A log of an API step has credentials of third parties.
func TestDebugOutputComesWithItsScopeOnly(t *testing.T) {
	a := newAssistant("Pizza Palace")
	v := startVoiceflow(t, a)
	s := serving(t, newMachine(t, v))
	admin := s.admin()
	id := admin.want(admin.post("/add_project", adding(a)), "200").added(t).ID
	turn := runtimeAt + "/state/user/ben/interact?logs=verbose"
	asking := says("hi")
	asking["config"] = body{"excludeTypes": []string{}}
	shown := func(b *browser, with body) bool {
		t.Helper()
		return strings.Contains(b.want(b.post(turn, with), "200").text, voiceflowtest.ThirdPartyCredential)
	}
	talker, tester := s.user(admin, "talker", id), s.user(admin, "tester", id, "converse", "debug")
	token := admin.want(admin.post("/create_access_token", body{"name": "x", "project_id": id, "scopes": []string{"converse"}, "password": adminPassword}), "200").member(t, "token")
	for _, with := range []body{says("hi"), asking} {
		if shown(talker, with) || shown(admin.program(token), with) {
			t.Errorf("%v: the log is shown to a caller without the scope", with)
		}
		if !shown(tester, with) {
			t.Errorf("%v: the log is not shown to a caller with the scope", with)
		}
	}
}

func TestConversationsThroughTheService(t *testing.T) {
	a := newAssistant("Pizza Palace")
	v := startVoiceflow(t, a)
	s := serving(t, newMachine(t, v))
	admin := s.admin()
	id := admin.want(admin.post("/add_project", adding(a)), "200").added(t).ID
	ben, eve := s.user(admin, "bo", id, "converse", "state"), s.user(admin, "eve", id)
	state := runtimeAt + "/state/user/same"

	got := ben.want(ben.post(state+"/interact", says("my secret order")), "200")
	if !strings.HasPrefix(got.text, "[") || !strings.Contains(got.text, "my secret order") {
		t.Errorf("a turn brought %s, want Voiceflow's traces", got.text)
	}
	ben.want(ben.send("PATCH", state+"/variables", body{"order": "my secret order"}), "200")
	if got := ben.want(ben.get(state), "200"); !strings.Contains(got.text, "my secret order") {
		t.Errorf("the state is %s, want what was said in it", got.text)
	}
	if got := eve.want(eve.get(state), "200"); strings.Contains(got.text, "secret") {
		t.Errorf("another user with the same user id gets %s", got.text)
	}
	eve.want(eve.send("PATCH", state+"/variables", body{"order": "x"}), "403 not_allowed")
	eve.want(eve.send("PUT", state, body{"variables": body{}}), "403 not_allowed")
	eve.want(eve.post(state+"/interact", body{"state": body{"variables": body{"order": "x"}}}), "403 not_allowed")
	eve.want(eve.send("DELETE", state, nil), "200")
	if got := ben.want(ben.get(state), "200"); !strings.Contains(got.text, "my secret order") {
		t.Errorf("another user has deleted the state: %s", got.text)
	}

	stream := ben.want(ben.post(runtimeAt+"/v2/project/"+a.ProjectID+"/user/same/interact/stream", says("streamed")), "200")
	if !strings.Contains(stream.text, "event: trace") || !strings.Contains(stream.text, "event: end") {
		t.Errorf("a streamed turn brought %q", stream.text)
	}

	made := ben.want(ben.post("/create_access_token", body{"name": "a program", "project_id": id, "password": memberPassword}), "200")
	token := made.member(t, "token")
	program := ben.program("Bearer " + token)
	program.want(program.post(state+"/interact", says("from a program")), "200")
	opened := program.want(program.post(runtimeAt+"/v4/project/"+a.ProjectID+"/session", body{"userID": "same"}), "200")
	handle := opened.member(t, "sessionKey")
	alone := ben.program(handle)
	if got := alone.want(alone.post(runtimeAt+"/v4/interact", says("in a session")), "200"); !strings.Contains(got.text, "traces") {
		t.Errorf("a turn of a v4 session brought %s", got.text)
	}
	v.EndSessions()
	alone.want(alone.post(runtimeAt+"/v4/interact/stream", says("after the key was stale")), "200")

	reader := s.user(admin, "rea", id, "transcripts")
	found := reader.want(reader.post("/voiceflow/analytics-api/v1/transcript/project/"+a.ProjectID, body{}), "200")
	if !strings.Contains(found.text, `"userID":`) || strings.Contains(found.text, `"userID":"same"`) {
		t.Errorf("the transcripts of others are %s, want their user ids opaque", found.text)
	}
	reader.want(reader.post(state+"/interact", says("hi")), "403 not_allowed")
	ben.want(ben.post("/voiceflow/analytics-api/v1/transcript/project/"+a.ProjectID, body{}), "403 not_allowed")

	eventually(t, "usage is counted", func() bool {
		return strings.Contains(admin.want(admin.get("/get_usage?group_by=token,scope"), "200").text, `"Token":"`+made.member(t, "Id"))
	})
	admin.want(admin.post("/delete_access_token", body{"token_id": made.member(t, "Id")}), "200")
	program.want(program.post(state+"/interact", says("anybody")), "401 not_authenticated")
	alone.want(alone.post(runtimeAt+"/v4/interact", says("anybody")), "401 not_authenticated")
	wantNothingOfCallers(t, v, a.Key, token, handle)
}

// wantNothingOfCallers fails the test if Voiceflow got a secret of a caller, or the key anywhere
// but in Authorization.
func wantNothingOfCallers(t *testing.T, v *voiceflowtest.Server, key string, secrets ...string) {
	t.Helper()
	all := v.Requests()
	if len(all) == 0 {
		t.Fatal("nothing came to Voiceflow: the search is blind")
	}
	for _, r := range all {
		for name, values := range r.Header {
			switch name {
			case "Accept", "Accept-Encoding", "Accept-Language", "Content-Type", "Content-Length", "User-Agent", "Authorization", "Connection", "Projectid", "Versionid":
			default:
				t.Errorf("%s %s came with the header %s", r.Method, r.URL, name)
			}
			for _, value := range values {
				if name != "Authorization" && strings.Contains(value, key) {
					t.Errorf("%s %s came with the key in %s", r.Method, r.URL, name)
				}
				for _, secret := range secrets {
					if strings.Contains(value, secret) {
						t.Errorf("%s %s came with a secret of the caller's in %s", r.Method, r.URL, name)
					}
				}
			}
		}
		if r.Header.Get("User-Agent") != "flowlatch" {
			t.Errorf("%s %s came as %q", r.Method, r.URL, r.Header.Get("User-Agent"))
		}
	}
}

// endless answers a stream with an event every 20 ms until the caller leaves. It answers
// everything else as Voiceflow does.
func endless(w http.ResponseWriter, r *http.Request, answer http.Handler) {
	if !strings.HasSuffix(r.URL.Path, "/stream") {
		answer.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		if _, err := fmt.Fprintf(w, "id: %d\nevent: trace\ndata: {}\n\n", n); err != nil || http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}

// TestWhatIsRevokedUnderLoad revokes rights on one of two instances, under calls on both and with
// 50 open streams. After the answer, both instances must refuse the next call, and the streams
// must end.
func TestWhatIsRevokedUnderLoad(t *testing.T) {
	a := newAssistant("Pizza Palace")
	v := startVoiceflow(t, a)
	m := newMachine(t, v).with("FLOWLATCH_DATABASE_URL", postgrestest.DSN(t), "FLOWLATCH_FORWARD_RATE", "0", "FLOWLATCH_FORWARD_READ_RATE", "0", "FLOWLATCH_FORWARD_OPEN", "0", "FLOWLATCH_LOG_LEVEL", "error",
		"FLOWLATCH_DATABASE_TIMEOUT", patience.String()) // a busy machine is not an outage
	here := serving(t, m)
	there := m.start("serve")
	v.Fail(endless)
	stream, turn := runtimeAt+"/v2/project/"+a.ProjectID+"/user/x/interact/stream", runtimeAt+"/state/user/x/interact"

	for _, tc := range []struct {
		name    string
		byToken bool
		revoke  func(admin *browser, user, project, token string) answer
		want    map[string]bool
	}{
		{"a grant", false, func(admin *browser, user, project, _ string) answer {
			return admin.post("/revoke_project", body{"user_id": user, "project_id": project})
		}, map[string]bool{"401 not_authenticated": true}},
		{"a user", false, func(admin *browser, user, _, _ string) answer {
			return admin.send("PATCH", "/update_user", body{"user_id": user, "disabled": true})
		}, map[string]bool{"401 not_authenticated": true}},
		{"all sessions of a user", false, func(admin *browser, user, _, _ string) answer {
			return admin.post("/delete_user_sessions", body{"user_id": user})
		}, map[string]bool{"401 not_authenticated": true}},
		{"an access token", true, func(admin *browser, _, _, token string) answer {
			return admin.post("/delete_access_token", body{"token_id": token})
		}, map[string]bool{"401 not_authenticated": true}},
		{"a text of an access token", true, func(admin *browser, _, _, token string) answer {
			return admin.post("/rotate_access_token", body{"token_id": token, "overlap_hours": 0, "password": adminPassword})
		}, map[string]bool{"401 not_authenticated": true}},
		{"a project", false, func(admin *browser, _, project, _ string) answer {
			return admin.post("/delete_project", body{"project_id": project})
		}, map[string]bool{"401 not_authenticated": true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			admin := here.admin()
			added := admin.post("/add_project", adding(a))
			id := added.added(t).ID
			name := strings.ReplaceAll(tc.name, " ", "-")
			b := here.user(admin, name, id)
			token := ""
			if tc.byToken {
				made := b.want(b.post("/create_access_token", body{"name": "x", "project_id": id, "password": memberPassword}), "200")
				token = made.member(t, "Id")
				b = b.program(made.member(t, "token"))
			}
			b.seen = new(transcript)
			clients := []*browser{b.at(here.url), b.at(there.url)}
			for _, c := range clients {
				c.want(c.post(turn, says("hi")), "200")
			}

			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var streams, load sync.WaitGroup
			var open, calls atomic.Int64
			var lastEnd atomic.Int64
			for i := range 50 {
				c := clients[i%2]
				streams.Go(func() {
					r, err := http.NewRequestWithContext(ctx, "POST", c.url+stream, strings.NewReader("{}"))
					if err != nil {
						t.Error(err)
						return
					}
					r.Header.Set("Content-Type", "application/json")
					streaming := *c.client
					streaming.Timeout = 0
					resp, err := streaming.Do(r)
					if err != nil {
						t.Error(err)
						return
					}
					defer func() { _ = resp.Body.Close() }()
					lines := bufio.NewReader(resp.Body)
					if _, err := lines.ReadString('\n'); err != nil || resp.StatusCode != 200 {
						t.Errorf("a stream begins with status %d and error %v", resp.StatusCode, err)
						return
					}
					open.Add(1)
					_, err = io.Copy(io.Discard, lines)
					if ctx.Err() == nil && err == nil {
						t.Error("a stream came to a good end")
					}
					lastEnd.Store(time.Now().UnixNano())
				})
			}
			eventually(t, "the streams are open", func() bool { return open.Load() == 50 || t.Failed() })
			for i := range 8 {
				c := clients[i%2]
				load.Go(func() {
					tick := time.NewTicker(40 * time.Millisecond) // 200 a second in all
					defer tick.Stop()
					for {
						select {
						case <-ctx.Done():
							return
						case <-tick.C:
						}
						if got, err := c.try("POST", turn, says("load")); err == nil && got.status == 200 {
							calls.Add(1)
						}
					}
				})
			}
			eventually(t, "there is load", func() bool { return calls.Load() > 50 })

			admin.want(tc.revoke(admin, userID(t, admin, name), id, token), "200")
			revoked := time.Now()
			for i, c := range clients {
				if got := c.post(turn, says("after")); !tc.want[got.String()] {
					t.Errorf("instance %d answers the first call after that with %s", i, got)
				}
			}
			ended := make(chan struct{})
			go func() { streams.Wait(); close(ended) }()
			select {
			case <-ended:
				t.Logf("the last of 50 streams ended %v after the answer", time.Unix(0, lastEnd.Load()).Sub(revoked))
			case <-time.After(patience):
				t.Error("streams are still open")
			}
			stop()
			load.Wait()
		})
	}
}

// TestEventsArriveOneByOne streams a thousand events. Voiceflow sends each of them after the one
// before has arrived, so the service may hold none back.
func TestEventsArriveOneByOne(t *testing.T) {
	const events = 1_000
	a := newAssistant("Pizza Palace")
	v := startVoiceflow(t, a)
	s := serving(t, newMachine(t, v))
	admin := s.admin()
	id := admin.want(admin.post("/add_project", adding(a)), "200").added(t).ID
	token := admin.want(admin.post("/create_access_token", body{"name": "x", "project_id": id, "password": adminPassword}), "200").member(t, "token")
	arrived := make(chan struct{}, 1)
	v.Fail(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", "text/event-stream")
		for n := range events {
			if _, err := fmt.Fprintf(w, "data: {\"n\":%d}\n\n", n); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			select {
			case <-arrived:
			case <-r.Context().Done():
				return
			}
		}
	})
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprintf(conn, "POST %s/v2/project/%s/user/x/interact/stream HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
		runtimeAt, a.ProjectID, token); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	for { // the header of the answer
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "\r\n" {
			break
		}
	}
	for n := 0; ; n++ {
		_ = conn.SetReadDeadline(time.Now().Add(patience)) // an event that is held back never comes
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatalf("the stream stops before event %d: %v", n, err)
		}
		size, err := strconv.ParseInt(strings.TrimSpace(line), 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		chunk := make([]byte, size+2)
		if _, err := io.ReadFull(in, chunk); err != nil {
			t.Fatal(err)
		}
		if size == 0 {
			if n != events {
				t.Errorf("%d events came, want %d", n, events)
			}
			return
		}
		if got, want := strings.TrimSpace(string(chunk)), fmt.Sprintf(`data: {"n":%d}`, n); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
		arrived <- struct{}{}
	}
}

// TestCountsAreStoredWhileTheServiceRuns kills a server once its counts are stored, and stops it
// while others are in its memory.
func TestCountsAreStoredWhileTheServiceRuns(t *testing.T) {
	a := newAssistant("Pizza Palace")
	m := newMachine(t, startVoiceflow(t, a))
	s := serving(t, m)
	admin := s.admin()
	id := admin.want(admin.post("/add_project", adding(a)), "200").added(t).ID
	b := s.user(admin, "bo", id)
	for range 20 {
		b.want(b.post(runtimeAt+"/state/user/x/interact", says("hi")), "200")
	}
	driver, dsn := m.database()
	eventually(t, "the counts are stored", func() bool { return count(t, driver, dsn, "SELECT coalesce(sum(calls), 0) FROM usage") == 20 })
	s.kill()
	s = m.start("serve")
	admin = admin.at(s.url)
	if got := admin.want(admin.get("/get_usage?group_by=project"), "200"); !strings.Contains(got.text, `"Calls":20,"Errors":0`) {
		t.Errorf("after a crash the counts are %s, want all 20 calls", got.text)
	}
	b.at(s.url).want(b.at(s.url).post(runtimeAt+"/state/user/x/interact", says("hi")), "200")
	s.stop()
	s = m.start("serve")
	if got := admin.at(s.url).want(admin.at(s.url).get("/get_usage?group_by=project"), "200"); !strings.Contains(got.text, `"Calls":21,"Errors":0`) {
		t.Errorf("after a stop the counts are %s, want all 21 calls", got.text)
	}
}

// TestVoiceflowAnswersGarbage sends calls while Voiceflow fails in every way. The answer is never
// 401 or 500 and never shows the key, and the service continues.
func TestVoiceflowAnswersGarbage(t *testing.T) {
	a := newAssistant("Pizza Palace")
	v := startVoiceflow(t, a)
	m := newMachine(t, v).with("FLOWLATCH_FORWARD_TIMEOUT", "500ms", "FLOWLATCH_FORWARD_IDLE", "500ms", "FLOWLATCH_FORWARD_MAX_ANSWER", "1MiB", "FLOWLATCH_FORWARD_RATE", "0", "FLOWLATCH_FORWARD_READ_RATE", "0", "FLOWLATCH_FORWARD_OPEN", "0")
	s := serving(t, m)
	admin := s.admin()
	id := admin.want(admin.post("/add_project", adding(a)), "200").added(t).ID
	b := s.user(admin, "bo", id)
	for i, fault := range faults(a.Key) {
		v.Fail(fault)
		resp, err := b.client.Post(b.url+runtimeAt+"/state/user/x/interact", "application/json", strings.NewReader("{}"))
		if err != nil {
			if strings.Contains(err.Error(), "EOF") {
				continue // the service cuts an answer that broke before its first byte
			}
			t.Errorf("fault %d: %v", i, err)
			continue
		}
		said, _ := io.ReadAll(resp.Body) // a cut answer is an error, as it should be
		_ = resp.Body.Close()
		head, _ := httputil.DumpResponse(resp, false)
		if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusInternalServerError && !strings.Contains(string(said), "code") {
			t.Errorf("fault %d: got status %d: %s", i, resp.StatusCode, said)
		}
		if strings.Contains(string(head)+string(said), a.Key) {
			t.Errorf("fault %d: the answer shows the key: %s%s", i, head, said)
		}
	}
	v.Fail(nil)
	eventually(t, "Voiceflow is asked again", func() bool {
		got, err := b.try("POST", runtimeAt+"/state/user/x/interact", says("hi"))
		return err == nil && got.status == http.StatusOK
	})
}
