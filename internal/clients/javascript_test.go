package clients

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/flowlatch/flowlatch/internal/browser"
	"github.com/flowlatch/flowlatch/internal/testtools"
)

// site serves pages to a browser on an origin of its own, and takes what they report.
type site struct {
	mux     *http.ServeMux
	url     string
	reports chan report
}

// report is what a page says about a step.
type report struct {
	Step  string
	Value any
}

// newSite returns a site whose page / runs a module. The module can call report(step, value).
func newSite(t testing.TB, module string) *site {
	t.Helper()
	s := &site{mux: http.NewServeMux(), reports: make(chan report, 100)}
	s.mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, `<!doctype html><title>a page</title><script type="module">
			const report = (step, value) => fetch("/report", { method: "POST", body: JSON.stringify({ step, value }) });
			try {`+module+`} catch (error) { await report("error", String(error)); }
			await report("end");
		</script>`)
	})
	s.mux.HandleFunc("POST /report", func(_ http.ResponseWriter, r *http.Request) {
		var said report
		if err := json.NewDecoder(r.Body).Decode(&said); err != nil {
			said = report{"error", err.Error()}
		}
		s.reports <- said
	})
	server := httptest.NewServer(s.mux)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// script serves a module at a path.
func (s *site) script(path, text string) {
	s.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = io.WriteString(w, text)
	})
}

// open opens the page in Chromium, and returns what it reports.
func (s *site) open(t testing.TB) map[string]any {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tab := browser.Start(t).Person(t, s.url).Tab(browser.Settings{})
	tab.Open("/")
	got := map[string]any{}
	for {
		select {
		case r := <-s.reports:
			if r.Step == "end" {
				return got
			}
			if r.Step == "error" {
				t.Errorf("the page reports %v", r.Value)
			}
			got[r.Step] = r.Value
		case <-ctx.Done():
			t.Fatalf("the page reports no end, but %v", got)
		}
	}
}

// TestTheRecipeForAPageWithCookies opens the page in Chromium, on another origin than Flowlatch.
// The browser keeps the cookies, and asks before each call with headers that a form can't send.
func TestTheRecipeForAPageWithCookies(t *testing.T) {
	browser.Start(t)
	s := newSite(t, `
		const page = await import("/recipe.js");
		await page.enter("ben", "`+password+`");
		await report("turn", await page.say({ type: "launch" }));
		let text = "";
		await page.stream(await (await fetch("/project")).text(), { type: "text", payload: "one Margherita" }, (part) => { text += part; });
		await report("stream", text);
		await report("cookies", document.cookie);
	`)
	k := newKitchen(t, nil, nil, trusting(s.url))
	k.member(t, "ben")
	s.script("/recipe.js", strings.ReplaceAll(recipes(t, "A browser page with cookies", "js", 1)[0], "https://flowlatch.example.com", k.url))
	s.mux.HandleFunc("GET /project", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, k.assistant.ProjectID) })
	got := s.open(t)
	wantAll(t, encoded(got["turn"]), `"message":"Hi from Pizza Palace"`, `{"environment":"main","traces"`)
	stream, _ := got["stream"].(string)
	wantAll(t, stream, `"content":"Margherita"`, "event: end")
	if got["cookies"] != "" {
		t.Errorf("a script can read the cookies %v", got["cookies"])
	}
}

// member creates a member with a grant of the assistant.
func (k *kitchen) member(t testing.TB, name string) {
	t.Helper()
	k.admin.want(t, "POST", "/create_user", encoded(map[string]any{"username": name, "password": password, "assistants": []string{k.project}}))
}

// TestAPageOfAnotherOriginGetsNothing opens a page that nobody trusts, in the browser of somebody who
// is logged in.
func TestAPageOfAnotherOriginGetsNothing(t *testing.T) {
	browser.Start(t)
	const evil = `
		const page = await import("/recipe.js");
		const tried = async (step, f) => report(step, await f().then(() => "done", (error) => String(error)));
		await tried("login", () => page.enter("ben", "` + password + `"));
		await tried("turn", () => page.say({ type: "launch" }));
	`
	s := newSite(t, evil)
	k := newKitchen(t, nil, nil)
	k.member(t, "ben")
	s.script("/recipe.js", strings.ReplaceAll(recipes(t, "A browser page with cookies", "js", 1)[0], "https://flowlatch.example.com", k.url))
	got := s.open(t)
	for _, step := range []string{"login", "turn"} {
		if said, _ := got[step].(string); !strings.Contains(said, "Failed to fetch") {
			t.Errorf("%s: got %v", step, got[step])
		}
	}
	for _, r := range k.voiceflow.Requests() {
		if r.Method == http.MethodPost {
			t.Errorf("Voiceflow received %s %s", r.Method, r.URI)
		}
	}
}

// TestTheRecipeForAPageWithABackEnd runs the back end in Node.js, and two visitors in Chromium.
func TestTheRecipeForAPageWithABackEnd(t *testing.T) {
	node := testtools.Program(t, "node")
	browser.Start(t)
	k := newKitchen(t, []string{"converse"}, map[string]any{"user_ids": "own", "rate": 600})
	addr := testtools.FreeAddr(t)
	_, port, _ := strings.Cut(addr, ":")
	cmd := exec.Command(node, k.write(t, "server.mjs", recipes(t, "A browser page with a back end", "js", 1)[0], 0o600))
	cmd.Env = append(k.env, "PORT="+port)
	testtools.Start(t, cmd, addr, syscall.SIGTERM)

	for _, name := range []string{"ben", "eve"} {
		s := newSite(t, `
			const say = async (text) => (await fetch("/chat", { method: "POST", body: text })).json();
			await report("launch", await say(""));
			await report("text", await say("`+name+` wants a Margherita"));
		`)
		s.mux.Handle("POST /chat", httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: addr}))
		got := s.open(t)
		wantAll(t, encoded(got["launch"]), `"message":"Hi from Pizza Palace"`)
		wantAll(t, encoded(got["text"]), `"message":"You said: `+name+` wants a Margherita"`)
	}
	visitors := map[string]int{}
	for _, r := range k.voiceflow.Requests() {
		if visitor, isTurn := strings.CutPrefix(r.Path, "/state/user/"); isTurn {
			visitors[strings.TrimSuffix(visitor, "/interact")]++
		}
	}
	if len(visitors) != 2 {
		t.Errorf("Voiceflow saw the visitors %v, want two with two turns each", visitors)
	}
	for visitor, turns := range visitors {
		if len(visitor) != 36 || turns != 2 {
			t.Errorf("the visitor %s had %d turns, want an id of the server and 2", visitor, turns)
		}
	}
}

// TestTheRecipeForABot runs the bot in Node.js.
func TestTheRecipeForABot(t *testing.T) {
	node := testtools.Program(t, "node")
	k := newKitchen(t, []string{"converse"}, nil)
	k.write(t, "recipe.mjs", recipes(t, "A Discord or Twilio bot", "js", 1)[0], 0o600)
	script := k.write(t, "bot.mjs", `
		import { interact, saveTranscript } from "./recipe.mjs";
		console.log(JSON.stringify(await interact("whatsapp:+390612345678", "channel 7", { type: "launch" })));
		console.log(JSON.stringify(await interact("whatsapp:+390612345678", "channel 7", { type: "text", payload: "one Margherita" })));
		console.log("saved", await saveTranscript("channel 7", "Ben"));
	`, 0o600)
	said := k.run(t, nil, node, script)
	wantAll(t, said, "Hi from Pizza Palace", "You said: one Margherita", "saved ")
	var sessions []string
	for _, r := range k.voiceflow.Requests() {
		if strings.HasSuffix(r.Path, "/interact") {
			sessions = append(sessions, r.Header.Get("sessionID"))
		}
		if r.Path == "/v2/transcripts" {
			id, err := at(string(r.Body), "sessionID")
			if err != nil {
				t.Error(err)
			}
			sessions = append(sessions, id)
		}
	}
	if len(sessions) != 3 || sessions[0] == "" || sessions[0] != sessions[1] || sessions[0] != sessions[2] {
		t.Errorf("Voiceflow was told the sessions %q, want three times the same", sessions)
	}
}
