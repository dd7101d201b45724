package browser

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
)

// unhurried are settings under which a test may do more in a minute than a person does.
var unhurried = []string{"FLOWLATCH_WRITE_RATE=0", "FLOWLATCH_LOGIN_RATE=0"}

// newFlows starts the program with the users ada and ben, for tests that do much in a short time.
func newFlows(t *testing.T, assistants ...voiceflowtest.Assistant) *world {
	t.Helper()
	return newWorld(t, assistants, unhurried...).withUsers()
}

// in returns the world for a part of its test.
func (w *world) in(t *testing.T) *world {
	part := *w
	part.t = t
	return &part
}

// bothWays runs a flow with scripts and without. tag is for the names of what the flow makes, so that
// the second run does not meet what the first one has left.
func (w *world) bothWays(flow func(w *world, s Settings, tag string)) {
	w.t.Run("with scripts", func(t *testing.T) { flow(w.in(t), Settings{}, "with") })
	w.t.Run("without scripts", func(t *testing.T) { flow(w.in(t), Settings{NoScripts: true}, "without") })
}

// someone returns a tab of a person who is not logged in.
func (w *world) someone(s Settings) *Tab {
	w.t.Helper()
	return Start(w.t).Person(w.t, w.url).Tab(s)
}

// reload opens the page of the tab again.
func reload(tab *Tab) {
	tab.t.Helper()
	tab.Open(tab.URL())
}

// wantNotice checks that the page says what a form has done, and does not say it again.
func wantNotice(tab *Tab, text string) {
	tab.t.Helper()
	tab.WaitText(text)
	if tab.Status() != http.StatusOK {
		tab.fail("the page after a form that worked is not there")
	}
	reload(tab)
	tab.WaitGone(text)
}

// wantRefused checks that a form is shown again, with the status and the text.
func wantRefused(tab *Tab, status int, text string) {
	tab.t.Helper()
	tab.WaitText(text)
	if tab.Status() != status {
		tab.t.Errorf("a form that can't be carried out is answered with %d, want %d", tab.Status(), status)
	}
}

// wantValue checks what a field holds.
func wantValue(tab *Tab, field, want string) {
	tab.t.Helper()
	if got := tab.Value(field); got != want {
		tab.t.Errorf("the field %s holds %q, want %q", field, got, want)
	}
}

// download returns the file to which a link leads, and its kind.
func download(tab *Tab, link string) (kind, text string) {
	tab.t.Helper()
	href, err := on[string](tab.find(link, "a[href]", nil), `function() { return this.href }`)
	if err != nil {
		tab.fail(err.Error())
	}
	quoted, _ := json.Marshal(href)
	got := must[[]string](tab, `fetch(`+string(quoted)+`).then(async (r) => [r.headers.get("Content-Type"), await r.text()])`)
	return got[0], got[1]
}

// program is ada's, and prepares what a test needs. It calls the JSON routes.
type program struct {
	t      *testing.T
	base   string
	client *http.Client
}

// program logs in as ada.
func (w *world) program() *program {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	p := &program{t: w.t, base: w.url, client: &http.Client{Jar: jar, Timeout: patience}}
	p.must("/login", map[string]any{"username": "ada", "password": adminPassword})
	return p
}

// send calls a route, and returns the Id in the answer, if there is one.
func (p *program) send(route string, parameters map[string]any) (id string, status int) {
	p.t.Helper()
	body, err := json.Marshal(parameters)
	if err != nil {
		p.t.Fatal(err)
	}
	response, err := p.client.Post(p.base+route, "application/json", bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	text := p.read(response)
	if found := regexp.MustCompile(`"Id":"([^"]+)"`).FindStringSubmatch(text); found != nil {
		id = found[1]
	}
	return id, response.StatusCode
}

func (p *program) read(response *http.Response) string {
	p.t.Helper()
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

// must is send for a call that has to work.
func (p *program) must(route string, parameters map[string]any) (id string) {
	p.t.Helper()
	id, status := p.send(route, parameters)
	if status != http.StatusOK {
		p.t.Fatalf("%s is answered with %d", route, status)
	}
	return id
}

// add adds an assistant of the stand-in, and returns its Id.
func (p *program) add(a voiceflowtest.Assistant) string {
	p.t.Helper()
	return p.must("/add_project", adding(a))
}

// adding are the parameters that add an assistant.
func adding(a voiceflowtest.Assistant) map[string]any {
	return map[string]any{"version_id": "main", "voiceflow_project_id": a.ProjectID, "token": a.Key}
}

// create makes a member with ben's password, and grants the assistants.
func (p *program) create(name string, assistants ...string) (id string) {
	p.t.Helper()
	return p.must("/create_user", map[string]any{
		"username": name, "password": memberPassword, "assistants": append([]string{}, assistants...),
	})
}

// turn begins a conversation with an assistant, so that there is usage.
func (p *program) turn(id string) {
	p.t.Helper()
	response, err := p.client.PostForm(p.base+"/chat/"+id+"/turn", url.Values{"message": {"hello"}})
	if err != nil {
		p.t.Fatal(err)
	}
	if text := p.read(response); response.StatusCode != http.StatusOK {
		p.t.Fatalf("a turn is answered with %d\n%s", response.StatusCode, text)
	}
}

// page returns the source of a page.
func (p *program) page(at string) string {
	p.t.Helper()
	response, err := p.client.Get(p.base + at)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.read(response)
}

// userID returns the id of a user. The page that looks for a name leads to that of the user.
func (p *program) userID(name string) string {
	p.t.Helper()
	response, err := p.client.Get(p.base + "/console/users?username=" + name)
	if err != nil {
		p.t.Fatal(err)
	}
	_ = p.read(response)
	return path.Base(response.Request.URL.Path)
}

// setupLink returns the link that the program has printed.
func (w *world) setupLink() string {
	w.t.Helper()
	link := regexp.MustCompile(`https?://\S+/console/setup/\S+`)
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if found := link.FindString(w.service.Stdout.String() + w.service.Stderr.String()); found != "" {
			return found
		}
		select {
		case <-tick.C:
		case <-deadline:
			w.t.Fatal("the program prints no set-up link")
		}
	}
}

// fillAssistant fills the form that adds an assistant.
func fillAssistant(tab *Tab, a voiceflowtest.Assistant) {
	tab.t.Helper()
	tab.Fill("version_id", "main")
	tab.Fill("voiceflow_project_id", a.ProjectID)
	tab.Fill("token", a.Key)
}

// wantInteractions checks how many links were followed and forms sent.
func wantInteractions(t *testing.T, most int, counted ...int) {
	t.Helper()
	total := 0
	for _, n := range counted {
		total += n
	}
	if total > most {
		t.Errorf("it takes %d interactions, want at most %d", total, most)
	}
	t.Logf("it takes %d interactions", total)
}

// wantCopied presses a button that copies, and waits until it says what it did. It says so for two
// seconds only, so the page is watched meanwhile. A browser lets a page copy only while its window
// has the focus, which tests that run at once take from each other. Otherwise the page selects the
// text and says which keys copy it.
func wantCopied(tab *Tab, press func()) {
	tab.t.Helper()
	call(tab, page.BringToFront, cdp.Empty{})
	must[any](tab, `globalThis.told = "";
		new MutationObserver((changes) => { for (const c of changes) globalThis.told += c.target.textContent; })
			.observe(document.querySelector("main"), { childList: true, subtree: true, characterData: true })`)
	press()
	tab.WaitFor("the button has copied or selected the text", `globalThis.told.includes("Copied")
		|| globalThis.told.includes("Press Ctrl+C") && getSelection().toString().trim() !== ""`)
}

// upTo returns the beginning of a text.
func upTo(text string, runes int) string {
	if all := []rune(text); len(all) > runes {
		return string(all[:runes])
	}
	return strings.TrimSpace(text)
}
