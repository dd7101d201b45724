package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
)

// newChat starts the program with the assistants, which ben may talk to. It also returns a tab in
// which ada is logged in.
func newChat(t *testing.T, assistants []voiceflowtest.Assistant, settings ...string) (*world, *Tab) {
	t.Helper()
	w := newWorld(t, assistants, settings...).withUsers()
	ada := w.ada(Settings{})
	for _, a := range assistants {
		ada.send("POST", "/add_project", map[string]any{"version_id": "main", "voiceflow_project_id": a.ProjectID, "token": a.Key})
	}
	ids, ben := ada.assistants(), ada.idOf("ben")
	for _, id := range ids {
		ada.send("POST", "/grant_project", map[string]any{"user_id": ben, "project_id": id})
	}
	return w, ada
}

// send calls a JSON route with the cookies of the tab, and returns the answer.
func (tab *Tab) send(method, path string, body any) string {
	tab.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		tab.fail(err.Error())
	}
	return must[string](tab, fmt.Sprintf(`fetch(%q, { method: %q, headers: { "Content-Type": "application/json" }, body: %q }).then(async answer => {
		const text = await answer.text();
		if (!answer.ok) throw new Error(%[1]q + ": " + answer.status + " " + text);
		return text;
	})`, tab.base+path, method, text))
}

// idOf returns the id of a user.
func (tab *Tab) idOf(name string) string {
	tab.t.Helper()
	tab.Open("/console/users")
	return must[string](tab, fmt.Sprintf(`[...document.querySelectorAll("main a")].find(a => a.textContent.trim() === %q).pathname.split("/").at(-1)`, name))
}

// assistants returns the ids of the assistants that the user of the tab may talk to, of all pages.
func (tab *Tab) assistants() []string {
	tab.t.Helper()
	var all []string
	for next := "/chat"; next != ""; {
		tab.Open(next)
		page := must[struct {
			IDs  []string
			Next string
		}](tab, `({ IDs: [...document.querySelectorAll("a.tile")].map(a => a.pathname.split("/").at(-1)), Next: document.querySelector("a[rel=next]")?.getAttribute("href") ?? "" })`)
		all, next = append(all, page.IDs...), page.Next
	}
	return all
}

// talkTo opens the chat with the assistant of that name, and waits for its greeting.
func (tab *Tab) talkTo(name string) {
	tab.t.Helper()
	tab.Open("/chat")
	tab.Follow(name)
	if tab.settings.NoScripts {
		tab.Submit("Start")
	}
	tab.WaitText("Hi from " + name)
}

// say writes a message and sends it.
func (tab *Tab) say(message string) {
	tab.t.Helper()
	if tab.settings.NoScripts {
		tab.Fill("Your message", message)
		tab.Submit("Send")
		return
	}
	tab.WaitFor("the answer before has ended", `document.getElementById("stop").hidden`)
	tab.Fill("Your message", message)
	tab.Press("Enter")
}

// startAgain begins another conversation.
func (tab *Tab) startAgain() {
	tab.t.Helper()
	if tab.settings.NoScripts {
		tab.Follow("Start again")
		tab.Submit("Start")
		return
	}
	tab.Click("Start again")
}

// logIn logs a person in.
func (tab *Tab) logIn(name, password string) {
	tab.t.Helper()
	tab.Open("/console/login")
	tab.Fill("username", name)
	tab.Fill("password", password)
	tab.Submit("Log in")
}

// dialog returns an assistant with a dialog.
func dialog(name string) voiceflowtest.Assistant {
	a := voiceflowtest.NewProject(name, "main")
	a.Dialog = true
	return a
}

// gate holds the events of streams until the test releases them.
type gate chan struct{}

func (g gate) pace(ctx context.Context, _ int) {
	select {
	case <-g:
	case <-ctx.Done():
	}
}

// release lets one event pass.
func (g gate) release(t *testing.T) {
	t.Helper()
	select {
	case g <- struct{}{}:
	case <-time.After(patience):
		t.Fatal("no stream waits for the next event")
	}
}

func TestTalk(t *testing.T) {
	t.Parallel()
	w, _ := newChat(t, []voiceflowtest.Assistant{dialog("Pizza")})
	for _, s := range []Settings{{}, {NoScripts: true}} {
		t.Run(fmt.Sprintf("%+v", s), func(t *testing.T) {
			tab := w.ben(s)
			tab.t = t
			press := tab.Submit
			if !s.NoScripts {
				press = tab.Click
			}
			tab.Open("/chat")
			tab.Check("main", "navigation")
			tab.talkTo("Pizza")
			tab.WaitText("What would you like to eat?", "Margherita")
			tab.Check("main", "navigation")
			press("Marinara")
			tab.WaitText("You: Marinara", "You chose: Marinara", "A picture from assets.example is not shown. An admin can allow it.")
			if got := must[string](tab, `[...document.querySelectorAll("#main .choices a")].map(a => [a.protocol, a.target, a.rel].join(" ")).join(", ")`); got != "https: _blank noopener noreferrer, mailto: _blank noopener noreferrer" {
				t.Errorf("the links of the card are %s", got)
			}
			if s.NoScripts {
				press("Add to my order (Marinara)")
			} else {
				press("Add to my order", "Marinara")
			}
			tab.WaitText("Your order: Marinara.")
			tab.say("menu")
			tab.WaitText("Here is our menu", "Quattro Stagioni", "Tomato, garlic and oregano, without cheese.")
			tab.Check("main", "navigation")
			tab.say("picture")
			tab.WaitText("Here is a picture of our kitchen.", "A picture from assets.example is not shown.")
			tab.say("say it")
			tab.WaitText("Your pizza is in the oven.", "A recording from assets.example is not shown.")
			tab.say("two\n<b>lines</b> & https://a.example/x")
			tab.WaitText("<b>lines</b> & https://a.example/x")
			tab.say("who am I")
			tab.WaitText("This is Pizza. This is your turn 8. Your order: Marinara.")
			tab.say("bye")
			tab.WaitText("The assistant has ended the conversation.")
			tab.Check("main", "navigation")
			if n := must[int](tab, `document.querySelectorAll("#say:not([hidden])").length`); n != 0 {
				t.Error("one can write after the end")
			}
			tab.startAgain()
			tab.WaitText("Hi from Pizza")
			tab.say("who am I")
			tab.WaitText("This is your turn 2. Your order: nothing yet.")
			tab.WaitGone("This is your turn 8")
		})
	}
}

// TestAConversationIsKept checks what a reload shows, and what a copy of the transcript has.
func TestAConversationIsKept(t *testing.T) {
	t.Parallel()
	w, _ := newChat(t, []voiceflowtest.Assistant{dialog("Pizza · Palace")})
	person := Start(t).Person(t, w.url)
	tab := person.Tab(Settings{})
	tab.logIn("ben", memberPassword)
	tab.talkTo("Pizza · Palace")
	tab.say("who am I")
	tab.WaitText("This is your turn 2")
	tab.say("say it")
	tab.WaitText("A recording from")
	if got := must[[]string](tab, `[...document.querySelectorAll("#log .said, #log p")].filter(e => !e.textContent.trim()).map(e => e.outerHTML)`); len(got) > 0 {
		t.Errorf("the conversation has empty messages: %s", got)
	}
	before := must[string](tab, `document.getElementById("log").innerText`)
	tab.Open(tab.URL())
	tab.WaitText("Hi from", "This is your turn 2", "A recording from")
	if after := must[string](tab, `document.getElementById("log").innerText`); after != before {
		t.Errorf("after a reload the page shows\n%s\nbefore it showed\n%s", after, before)
	}
	tab.say("who am I")
	tab.WaitText("This is your turn 4")

	for _, name := range []string{"clipboard-read", "clipboard-write"} {
		allow := browser.SetPermissionParams{Permission: &browser.PermissionDescriptor{Name: name}, Setting: "granted", BrowserContextID: person.id}
		if _, err := chromedp.CallBrowser(tab.ctx, browser.SetPermission, allow); err != nil {
			t.Fatal(err)
		}
	}
	tab.Click("Copy the transcript")
	tab.WaitText("Copied")
	got := must[string](tab, `navigator.clipboard.readText()`)
	for _, want := range []string{"Pizza · Palace: Hi from Pizza · Palace\n", "Pizza · Palace: Margherita / Marinara / Quattro Stagioni\nYou: who am I\nPizza · Palace: This is Pizza · Palace. This is your turn 2.", "\nYou: say it\nPizza · Palace: Your pizza is in the oven.\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("the transcript has not %q:\n%s", want, got)
		}
	}

	other := person.Tab(Settings{}) // a conversation is that of its tab
	other.talkTo("Pizza · Palace")
	other.WaitGone("You: who am I")
	other.say("who am I")
	other.WaitText("This is your turn 2")
}

func TestTalkByKeyboard(t *testing.T) {
	t.Parallel()
	held := make(gate)
	a := dialog("Pizza")
	a.Pace = held.pace
	w, _ := newChat(t, []voiceflowtest.Assistant{a})
	for _, s := range []Settings{{}, {NoScripts: true}} {
		t.Run(fmt.Sprintf("%+v", s), func(t *testing.T) {
			tab := w.ben(s)
			tab.t = t
			tab.TabTo("Chat", 6)
			tab.PressAndLoad("Enter")
			tab.TabTo("Pizza", 16)
			tab.PressAndLoad("Enter")
			if s.NoScripts {
				tab.TabTo("Start", 20)
				tab.PressAndLoad("Enter")
				tab.WaitText("Hi from Pizza")
				tab.TabTo("Marinara", 20)
				tab.PressAndLoad("Enter")
				tab.WaitText("You chose: Marinara")
				tab.TabTo("Your message", 20)
				tab.Type("who am I")
				tab.Press("Tab")
				tab.PressAndLoad("Enter")
				tab.WaitText("This is your turn 3")
				return
			}
			tab.WaitText("Hi from Pizza", "Quattro Stagioni")
			tab.waitFocus("Your message")
			tab.Type("a")
			tab.Press("Shift+Enter")
			tab.Type("b")
			if got := tab.Value("Your message"); got != "a\nb" {
				t.Errorf("the field holds %q", got)
			}
			tab.Press("Enter")
			tab.WaitText("You said: a b")
			tab.waitFocus("Your message")
			tab.Press("Enter") // nothing is not sent
			tab.Type("menu")
			tab.Press("Enter")
			tab.WaitText("Here is our menu", "Add to my order")
			tab.waitFocus("Your message")
			tab.Press("Shift+Tab")
			tab.Press("Enter") // the last button of the menu
			tab.WaitText("Your order: Quattro Stagioni.")
			tab.waitFocus("Your message")

			tab.Type("slow")
			tab.Press("Enter")
			held.release(t)
			tab.WaitText("1 of 5", "The assistant is answering.")
			tab.Type("x")
			tab.Press("Enter") // one turn at a time
			tab.TabTo("Stop", 3)
			tab.Press("Escape")
			tab.WaitText("You stopped the answer.")
			tab.WaitGone("The assistant is answering.", "2 of 5")
			tab.waitFocus("Your message")
			if got := tab.Value("Your message"); got != "x" {
				t.Errorf("what was written during the answer is %q", got)
			}
			tab.Press("Backspace")
			tab.Type("slow")
			tab.Press("Enter")
			held.release(t)
			tab.TabTo("Stop", 3)
			tab.Press("Enter")
			tab.WaitFor("both answers are stopped", `document.querySelectorAll(".said.problem").length === 2`)

			tab.waitFocus("Your message")
			tab.Type("slow")
			tab.Press("Enter")
			held.release(t)
			tab.Press("Shift+Tab", "Shift+Tab") // the user moves on during the answer
			moved := tab.Focused()
			for range 5 { // the end is the last event
				held.release(t)
			}
			tab.WaitText("5 of 5")
			tab.WaitGone("The assistant is answering.")
			if got := tab.Focused(); got != moved || got == "Your message" {
				t.Errorf("the answer moves the focus from %q to %q", moved, got)
			}
		})
	}
}

// waitFocus waits until the control with the accessible name has the focus.
func (tab *Tab) waitFocus(name string) {
	tab.t.Helper()
	tab.until("the focus is on "+name, func() (bool, error) { return tab.Focused() == name, nil })
}

// TestAnAssistantThatCantStream checks that its answers come as a whole.
func TestAnAssistantThatCantStream(t *testing.T) {
	t.Parallel()
	a := dialog("Pizza")
	a.NoStream = true
	w, _ := newChat(t, []voiceflowtest.Assistant{a})
	tab := w.ben(Settings{})
	tab.talkTo("Pizza")
	tab.Click("Margherita")
	tab.WaitText("You chose: Margherita")
	tab.say("who am I")
	tab.WaitText("This is your turn 3")
	tab.say("bye")
	tab.WaitText("The assistant has ended the conversation.")
	if problems := tab.ScriptProblems(); len(problems) > 0 {
		t.Error(problems)
	}
}

// TestEventsArePaintedApart checks that the page shows each event before the next one is sent. No
// event may wait for another, however close they are.
func TestEventsArePaintedApart(t *testing.T) {
	t.Parallel()
	held := make(gate)
	a := dialog("Pizza")
	a.Pace = held.pace
	w, _ := newChat(t, []voiceflowtest.Assistant{a})
	tab := w.ben(Settings{})
	tab.talkTo("Pizza")
	tab.say("slow")
	for i := range 5 {
		if text := tab.Text(); strings.Contains(text, fmt.Sprintf("%d of 5", i+1)) {
			t.Fatalf("event %d is shown before it is sent:\n%s", i+1, text)
		}
		held.release(t)
		tab.WaitText(fmt.Sprintf("%d of 5", i+1), "The assistant is answering.")
	}
	held.release(t) // the end
	tab.WaitGone("The assistant is answering.")

	// A restart does not wait for the end of an answer, and nothing of the answer comes after it.
	tab.say("slow")
	held.release(t)
	tab.Click("Start again")
	tab.WaitText("Hi from Pizza")
	tab.say("who am I")
	tab.WaitText("This is your turn 2.")
	tab.WaitGone("of 5", "You stopped the answer.")
}

// TestARightThatIsLostDuringAnAnswer checks that the stream ends with a sentence although the
// assistant sends no further event.
func TestARightThatIsLostDuringAnAnswer(t *testing.T) {
	t.Parallel()
	held := make(gate)
	a := dialog("Pizza")
	a.Pace = held.pace
	w, ada := newChat(t, []voiceflowtest.Assistant{a})
	id, ben := ada.assistants()[0], ada.idOf("ben")
	for _, tc := range []struct {
		name            string
		lose, back      func()
		sentence, after string
	}{
		{
			"the grant is revoked",
			func() { ada.send("POST", "/revoke_project", map[string]any{"user_id": ben, "project_id": id}) },
			func() { ada.send("POST", "/grant_project", map[string]any{"user_id": ben, "project_id": id}) },
			"You are no longer allowed to use this assistant; an admin can grant it.", "There is no such assistant, or it is not granted to you.",
		},
		{
			"the user is disabled",
			func() { ada.send("PATCH", "/update_user", map[string]any{"user_id": ben, "disabled": true}) },
			func() { ada.send("PATCH", "/update_user", map[string]any{"user_id": ben, "disabled": false}) },
			"log in", "Log in",
		},
		{
			"the login is ended elsewhere",
			func() { ada.send("POST", "/delete_user_sessions", map[string]any{"user_id": ben}) },
			func() {},
			"You are no longer logged in; log in again.", "Log in",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tab := w.ben(Settings{})
			tab.t = t
			tab.talkTo("Pizza")
			tab.say("slow")
			held.release(t)
			tab.WaitText("1 of 5")
			tc.lose()
			tab.WaitFor("a sentence ends the answer", fmt.Sprintf(`document.querySelector(".said.problem")?.textContent.includes(%q)`, tc.sentence))
			tab.WaitGone("The assistant is answering.", "2 of 5", "connection was lost")
			tab.Check("main", "navigation")
			tab.say("who am I")
			tab.WaitText(tc.after)
			if tc.after == "Log in" {
				tab.WaitFor("the page leads to the login once more", `document.querySelectorAll(".said.problem a").length === 2`)
			}
			tab.WaitGone("This is your turn")
			tc.back()
		})
	}
}

// TestWhatGoesWrongIsTold checks the sentences about failures, with scripts and without.
func TestWhatGoesWrongIsTold(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		settings string
		fail     func(w *world)
		want     []string
	}{
		{"the key is refused", "", func(w *world) {
			a := w.assistants[0]
			a.Key = voiceflowtest.NewKey()
			if err := w.voiceflow.Add(a); err != nil {
				w.t.Error(err)
			}
		}, []string{"Voiceflow rejected the key of this assistant. Ask your admin to set a new one.", "Request id: "}},
		{"the rate is used up", "FLOWLATCH_FORWARD_RATE=2", func(*world) {}, []string{"Try again in ", "second", "Request id: "}},
		{"Voiceflow is down", "", func(w *world) { w.voiceflow.Close() }, []string{"Voiceflow ", "Request id: "}},
		{"Voiceflow fails", "", func(w *world) { w.voiceflow.Fail(voiceflowtest.Status(500, voiceflowtest.FormPage)) }, []string{"Voiceflow answered with status 500"}},
		{"the answer is no list", "", func(w *world) {
			w.voiceflow.Fail(voiceflowtest.Answer(200, "application/json", `{"message":"hi"}`))
		}, []string{"The assistant sent an answer that can't be shown."}},
		{"the answer is empty", "", func(w *world) { w.voiceflow.Fail(voiceflowtest.Answer(200, "application/json", `[]`)) }, []string{"The assistant answered with nothing."}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			settings := []string{"FLOWLATCH_FORWARD_RATE=500"}
			if tc.settings != "" {
				settings[0] = tc.settings
			}
			w, _ := newChat(t, []voiceflowtest.Assistant{dialog("Pizza")}, settings...)
			scripts, plain := w.ben(Settings{}), w.ben(Settings{NoScripts: true})
			scripts.talkTo("Pizza")
			plain.talkTo("Pizza")
			tc.fail(w)
			for _, tab := range []*Tab{scripts, plain} {
				tab.say("hello")
				tab.WaitText(tc.want...)
				if problems := slices.Concat(tab.NameProblems(), tab.StructureProblems("main", "navigation"), tab.ContrastProblems(), tab.PolicyProblems(), tab.OverflowProblems(320)); len(problems) > 0 {
					t.Errorf("%+v: %s", tab.settings, strings.Join(problems, "\n"))
				}
			}
		})
	}
}

// TestLogoutForgetsConversations checks that nobody finds the conversation of a user who has logged
// out on a shared computer, in any tab.
func TestLogoutForgetsConversations(t *testing.T) {
	t.Parallel()
	w, _ := newChat(t, []voiceflowtest.Assistant{dialog("Pizza"), dialog("Trains")})
	person := Start(t).Person(t, w.url)
	one, other := person.Tab(Settings{}), person.Tab(Settings{})
	one.logIn("ben", memberPassword)
	one.talkTo("Pizza")
	one.say("my secret order")
	one.WaitText("You said: my secret order")
	path := one.URL()
	other.talkTo("Trains")
	other.say("my secret trip")
	other.WaitText("You said: my secret trip")
	stored := func(tab *Tab) string { return must[string](tab, `JSON.stringify({ ...sessionStorage })`) }
	if !strings.Contains(stored(one), "my secret order") || !strings.Contains(stored(other), "my secret trip") {
		t.Fatal("the conversations are not in the storage")
	}
	// The page of the login in a third tab does not end a conversation while somebody is logged in.
	must[any](one, `new BroadcastChannel("login").postMessage("")`)
	other.say("still here")
	other.WaitText("You said: still here")

	one.Submit("Log out")
	one.WaitURL("/console/login")
	other.WaitText("User name")
	for _, tab := range []*Tab{one, other} {
		if got := stored(tab); got != "{}" {
			t.Errorf("after the logout the storage at %s has %s", tab.URL(), got)
		}
	}
	one.logIn("ada", adminPassword)
	one.Open(path)
	one.WaitText("Hi from Pizza")
	if text := one.Text(); strings.Contains(text, "secret") {
		t.Errorf("ada sees what ben wrote:\n%s", text)
	}
	one.leaving("the page that ben left is loaded again", func() { must[any](one, `void setTimeout(() => history.go(-3))`) })
	one.WaitText("Hi from Pizza")
	one.WaitGone("secret")
	// What another login has left behind is not shown either.
	one.Open(path)
	one.WaitText("Hi from Pizza")
	must[any](one, `(() => {
		const name = Object.keys(sessionStorage).find(name => name.startsWith("chat:"));
		const talk = JSON.parse(sessionStorage[name]);
		sessionStorage[name] = JSON.stringify({ ...talk, login: "0000000000000000", entries: [{ me: "a secret of another" }] });
	})()`)
	one.Open(path)
	one.WaitText("Hi from Pizza")
	one.WaitGone("secret")
}

// TestAssistantsToTalkTo checks the list of assistants when there is none.
func TestAssistantsToTalkTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil).withUsers()
	for _, s := range []Settings{{}, {NoScripts: true, Dark: true}} {
		for want, tab := range map[string]*Tab{"Add an assistant": w.ada(s), "Ask an admin to grant you one.": w.ben(s)} {
			tab.Open("/chat")
			tab.WaitText(want)
			tab.Check("main", "navigation")
		}
	}
}
