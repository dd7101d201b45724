package browser

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/security"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/domain"
)

// turns sends a message so often that it has 500 answers, each as soon as the one before has come. It
// notes in the page which answers are wrong.
const turns = `(async () => {
	const form = document.getElementById("say"), log = document.getElementById("log"), wrong = [];
	const answered = seen => new Promise(done => {
		const look = () => {
			const last = log.lastElementChild;
			if (last === seen || last.matches(".mine") || !document.getElementById("stop").hidden) return;
			watch.disconnect();
			done(last);
		};
		const watch = new MutationObserver(look);
		watch.observe(document.getElementById("chat"), { childList: true, subtree: true, attributes: true });
		look();
	});
	let last = await answered(null);
	for (let turn = 2; turn < 502; turn++) {
		document.getElementById("message").value = "who am I";
		form.requestSubmit();
		last = await answered(last);
		const want = "This is " + document.querySelector("h1").textContent + ". This is your turn " + turn + ". Your order: nothing yet.";
		if (last.textContent !== want) wrong.push(want + " But: " + last.textContent);
	}
	document.body.dataset.wrong = wrong.length + " " + wrong.slice(0, 3).join("\n");
})().catch(error => { document.body.dataset.wrong = error })`

// TestTwoTabsTalkToTwoAssistants checks 1,000 turns in two tabs of a person at once. Each answer
// names its assistant and counts the turns of its conversation.
func TestTwoTabsTalkToTwoAssistants(t *testing.T) {
	t.Parallel()
	w, _ := newChat(t, []voiceflowtest.Assistant{dialog("Pizza"), dialog("Trains")}, "FLOWLATCH_FORWARD_RATE=100000")
	person := Start(t).Person(t, w.url)
	one, other := person.Tab(Settings{}), person.Tab(Settings{})
	one.logIn("ben", memberPassword)
	one.talkTo("Pizza")
	other.talkTo("Trains")
	for _, tab := range []*Tab{one, other} {
		must[any](tab, "void "+turns)
	}
	for _, tab := range []*Tab{one, other} {
		tab.patience = 10 * time.Minute
		tab.WaitFor("500 turns are answered", "document.body.dataset.wrong")
		if got := must[string](tab, "document.body.dataset.wrong"); got != "0 " {
			t.Errorf("the tab at %s has wrong answers: %s", tab.URL(), got)
		}
		tab.WaitText("This is your turn 501.")
		if n := must[int](tab, `document.getElementById("log").childElementCount`); n != 300 {
			t.Errorf("the page keeps %d messages, want 300", n)
		}
		if problems := tab.ScriptProblems(); len(problems) > 0 {
			t.Error(problems)
		}
	}
}

// batches returns the hostile traces in turns: the small ones together, and alone those that are
// large or break the JSON around them.
func batches() [][]voiceflowtest.NamedTrace {
	var small, alone [][]voiceflowtest.NamedTrace
	for _, trace := range voiceflowtest.HostileTraces() {
		switch {
		case len(trace.Trace) > 50_000 || strings.HasPrefix(trace.Name, "no JSON"):
			alone = append(alone, []voiceflowtest.NamedTrace{trace})
		case len(small) == 0 || len(small[len(small)-1]) == 150:
			small = append(small, []voiceflowtest.NamedTrace{trace})
		default:
			small[len(small)-1] = append(small[len(small)-1], trace)
		}
	}
	return append(small, alone...)
}

// TestHostileTraces shows every hostile trace, with scripts and without. No script may run, and the
// page must stay usable.
func TestHostileTraces(t *testing.T) {
	t.Parallel()
	all := batches()
	a := voiceflowtest.NewProject("Pizza", "main")
	a.Traces = func(_ string, action json.RawMessage) []json.RawMessage {
		var said struct{ Payload string }
		_ = json.Unmarshal(action, &said) // the launch has no text
		if number, ok := strings.CutPrefix(said.Payload, "batch "); ok {
			n, _ := strconv.Atoi(number)
			var traces []json.RawMessage
			for _, trace := range all[n] {
				traces = append(traces, trace.Trace)
			}
			return traces
		}
		return []json.RawMessage{json.RawMessage(fmt.Sprintf(`{"type":"text","payload":{"message":%q}}`, "Hi from Pizza. You said: "+said.Payload+"."))}
	}
	w, _ := newChat(t, []voiceflowtest.Assistant{a}, "FLOWLATCH_FORWARD_RATE=100000")
	for _, noScripts := range []bool{false, true} {
		t.Run(fmt.Sprintf("without scripts: %v", noScripts), func(t *testing.T) {
			tab := w.ben(Settings{NoScripts: noScripts, Width: 320})
			tab.t = t
			tab.talkTo("Pizza")
			for i, batch := range all {
				tab.say(fmt.Sprintf("batch %d", i))
				if !noScripts {
					tab.WaitFor("the answer has ended", `document.getElementById("stop").hidden`)
				}
				problems := slices.Concat(tab.OverflowProblems(0), tab.ScriptProblems(), tab.PolicyProblems(), tab.RequestProblems(0), must[[]string](tab, strays))
				if len(problems) > 0 {
					t.Errorf("the answer with %q to %q:\n%s", batch[0].Name, batch[len(batch)-1].Name, strings.Join(problems, "\n"))
				}
				if must[bool](tab, `!document.querySelector("#say:not([hidden])")`) { // the assistant has ended the conversation
					tab.startAgain()
					tab.WaitText("Hi from Pizza")
				}
				after := fmt.Sprintf("still here %d", i)
				tab.say(after)
				tab.WaitText("You said: " + after)
			}
		})
	}
}

// strays returns what a page of the chat must not have, whatever the assistant sends.
const strays = `[
	document.documentElement.matches("[` + voiceflowtest.HostileMark + `]") ? "A script of the assistant ran." : "",
	...[...document.querySelectorAll("#main a")].filter(a => !a.matches("[href^='/']") && (!/^(https|mailto):/.test(a.getAttribute("href")) || !a.relList.contains("noopener"))).map(a => "A link leads to " + a.getAttribute("href")),
	...[...document.querySelectorAll("#log :is(script, style, iframe, object, embed, form, input, base, link, meta, svg, img, audio, video)")].map(e => "The conversation has the element " + e.outerHTML.slice(0, 200)),
	document.querySelectorAll("#main button").length > 2000 ? "The page has very many buttons." : "",
	document.getElementById("main").innerText.length > 7000000 ? "The page has very much text." : "",
].filter(Boolean)`

// TestHostileNames shows assistants with hostile names. Without scripts the pages have the same
// source, so some names stand for all.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	var assistants []voiceflowtest.Assistant
	for _, name := range voiceflowtest.HostileNames() {
		if len(name) <= domain.MaxProjectName { // longer ones are refused
			assistants = append(assistants, dialog(name))
		}
	}
	w, ada := newChat(t, assistants, "FLOWLATCH_FORWARD_RATE=100000")
	ids := ada.assistants()
	if len(ids) != len(assistants) {
		t.Fatalf("%d assistants of %d are there", len(ids), len(assistants))
	}
	for _, noScripts := range []bool{false, true} {
		t.Run(fmt.Sprintf("without scripts: %v", noScripts), func(t *testing.T) {
			tab := w.ben(Settings{NoScripts: noScripts, Width: 320})
			tab.t = t
			check := func() {
				t.Helper()
				problems := slices.Concat(tab.OverflowProblems(0), tab.ScriptProblems(), tab.PolicyProblems(), tab.RequestProblems(0), must[[]string](tab, strays))
				if len(problems) > 0 {
					t.Errorf("%s: %s", tab.Text(), strings.Join(problems, "\n"))
				}
			}
			tab.Open("/chat")
			check()
			for i, id := range ids {
				if noScripts && i%5 != 0 {
					continue
				}
				tab.Open("/chat/" + id)
				if noScripts {
					tab.Submit("Start")
				}
				tab.WaitText("Hi from")
				check()
			}
		})
	}
}

// TestPicturesOfAllowedOrigins checks that pictures and audio are shown from the origins that an admin
// has allowed for the assistant, and for no other assistant.
func TestPicturesOfAllowedOrigins(t *testing.T) {
	t.Parallel()
	files, err := voiceflowtest.New()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(files)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of browsers that do not know the certificate
	server.StartTLS()
	t.Cleanup(server.Close)
	pizza, trains := dialog("Pizza"), dialog("Trains")
	pizza.Assets, trains.Assets = server.URL, server.URL
	w, ada := newChat(t, []voiceflowtest.Assistant{pizza, trains})
	ada.talkTo("Pizza")
	id := strings.TrimPrefix(ada.URL(), "/chat/")
	ada.send("POST", "/set_picture_origins", map[string]any{"project_id": id, "origins": []string{server.URL}})
	host := strings.TrimPrefix(server.URL, "https://")
	for _, s := range []Settings{{}, {NoScripts: true, Width: 320}} {
		t.Run(fmt.Sprintf("%+v", s), func(t *testing.T) {
			tab := w.ben(s)
			tab.t = t
			call(tab, security.SetIgnoreCertificateErrors, security.SetIgnoreCertificateErrorsParams{Ignore: true})
			tab.talkTo("Trains")
			tab.say("picture")
			tab.WaitText("A picture from " + host + " is not shown. An admin can allow it.")
			tab.Check("main", "navigation")
			must[any](tab, fmt.Sprintf(`new Promise(done => {
				const picture = new Image();
				picture.onload = picture.onerror = done;
				picture.src = %q;
			}).then(() => 0)`, server.URL+"/assets/kitchen.png"))
			tab.until("the page of another assistant loads no picture", func() (bool, error) {
				return strings.Contains(strings.Join(tab.PolicyProblems(), " "), "img-src"), nil
			})

			tab = w.ben(s)
			tab.t = t
			call(tab, security.SetIgnoreCertificateErrors, security.SetIgnoreCertificateErrorsParams{Ignore: true})
			tab.talkTo("Pizza")
			tab.say("picture")
			tab.WaitFor("the picture is shown", `[...document.querySelectorAll("#log img")].at(-1)?.naturalWidth === 320`)
			tab.say("say it")
			tab.WaitFor("the recording can be played", `document.querySelector("#log audio")?.getAttribute("src").endsWith("/assets/bell.wav")`)
			must[any](tab, `(() => { const audio = document.querySelector("#log audio"); audio.preload = "auto"; audio.load(); })()`)
			tab.WaitFor("the recording is loaded", `document.querySelector("#log audio").readyState > 0`)
			tab.say("menu")
			tab.WaitText("Here is our menu")
			problems := slices.Concat(tab.NameProblems(), tab.StructureProblems("main", "navigation"), tab.TargetProblems(), tab.ContrastProblems(), tab.OverflowProblems(320), tab.PolicyProblems(), tab.ScriptProblems())
			if len(problems) > 0 {
				t.Errorf("the page has problems:\n%s", strings.Join(problems, "\n"))
			}
		})
	}
	ada.send("POST", "/set_picture_origins", map[string]any{"project_id": id, "origins": []string{}})
	tab := w.ben(Settings{})
	tab.talkTo("Pizza")
	tab.say("picture")
	tab.WaitText("A picture from " + host + " is not shown.")
}
