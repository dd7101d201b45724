package browser

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/internal/testtools"
)

func TestMain(m *testing.M) {
	code := Run(m)
	testtools.RemoveFlowlatch()
	os.Exit(code)
}

// policy is the one that the console's pages have.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; " +
	"frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// site is a small web site: files by path.
type site map[string]string

// serve serves the files. The answer to /echo shows the form and the cookies that it received, and
// /cookie sets a cookie.
func (files site) serve(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	for path, text := range files {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			kind := map[string]string{".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}[filepath.Ext(path)]
			w.Header().Set("Content-Type", or(kind, "text/html; charset=utf-8"))
			w.Header().Set("Content-Security-Policy", policy)
			_, _ = io.WriteString(w, text)
		})
	}
	mux.HandleFunc("POST /send", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/echo?"+readForm(r), http.StatusSeeOther)
	})
	mux.HandleFunc("GET /echo", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = fmt.Fprintf(w, "<!doctype html><title>echo</title><p>received %s with %s", r.URL.RawQuery, r.Header.Get("Cookie"))
	})
	mux.HandleFunc("GET /cookie", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "who", Value: r.URL.RawQuery})
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}

func readForm(r *http.Request) string {
	if r.ParseForm() != nil {
		return "no form"
	}
	return r.PostForm.Encode()
}

// styles are those of the good page.
const styles = `
	:root { color-scheme: light dark; --ink: #1b1b1f; --paper: #fff; --quiet: #5c5c66; --accent: #1a4fd0; }
	@media (prefers-color-scheme: dark) { :root { --ink: #eee; --paper: #17171a; --quiet: #a5a5b0; --accent: #8fb0ff; } }
	body { margin: 16px; font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
	a { color: var(--accent); } nav a, .skip { display: inline-block; padding: 8px; }
	.skip { position: absolute; left: -9999px; } .skip:focus { left: 0; top: 0; background: var(--paper); }
	button, input, select { min-height: 32px; min-width: 32px; font: inherit; color: var(--ink); background: var(--paper); border: 1px solid var(--quiet); }
	input[type=checkbox] { min-height: 0; min-width: 0; } label { display: inline-block; min-height: 24px; padding: 4px; }
	button:disabled { color: #999; background: #ccc; } ::placeholder { color: var(--quiet); opacity: 1; }
	:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
	.frame { overflow-x: auto; } table { white-space: nowrap; } .quiet { opacity: .9; }
	.sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
	.long { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
`

// good is a page without problems.
const good = `<!doctype html><html lang="en"><head><title>Pizzas</title><link rel="stylesheet" href="styles.css"><script src="page.js" defer></script></head><body>
	<a class="skip" href="#content">Skip to content</a>
	<nav aria-label="Main"><a href="/">Home</a> <a href="/other">Other</a></nav>
	<main id="content" tabindex="-1"><h1>Pizzas</h1>
	<p>A sentence with <a href="/other">a link inside</a> it. <span class="quiet">Quiet words.</span> <span class="sr">for ears</span></p>
	<p class="long"><span>` + "a long name that does not end " + `a long name that does not end a long name that does not end a long name that does not end a long name that does not end</span></p>
	<img src="logo.svg" alt="The logo" width="24" height="24"> <svg aria-hidden="true" width="24" height="24"><circle r="9"/></svg>
	<form method="post" action="/send"><label for="name">Name</label> <input id="name" name="username" placeholder="such as ada">
	<label for="pw">Password</label> <input id="pw" name="password" type="password">
	<label for="size">Size</label> <select id="size" name="size"><option>small<option>large</select>
	<label for="day">Day</label> <input id="day" name="day" type="date">
	<label><input type="checkbox" name="olives"> Olives</label> <button>Send</button> <button disabled>Not now</button></form>
	<details><summary>More</summary><p>hidden until it is opened</p></details>
	<div class="frame" tabindex="0" role="region" aria-label="Orders"><table><tr><th>Name<th>What<th>When<th>Where it goes to in the end<th>Do</tr>
	<tr><td>Margherita<td>with a lot of cheese and more than that<td>today<td>to a place far away<td><button type="button">Delete</button></tr>
	<tr><td>Marinara<td>without<td>today<td>near<td><button type="button">Delete</button></tr></table></div>
	<form></form><form></form><p id="said" role="status"></p></main></body></html>`

const script = `document.querySelectorAll("table button").forEach((b) => b.addEventListener("click", () => {
	document.getElementById("said").textContent = "deleted " + b.closest("tr").cells[0].textContent; }));`

const logo = `<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24"><circle cx="12" cy="12" r="9"/></svg>`

// goodSite has the good page at its root.
func goodSite() site {
	return site{"/{$}": good, "/other": strings.ReplaceAll(good, "Pizzas", "Others"), "/styles.css": styles, "/page.js": script, "/logo.svg": logo}
}

// spoilt is a good page with one mistake.
type spoilt struct {
	name       string
	body       string // added to the main part
	styles     string // added
	script     string // added
	replace    [2]string
	find       func(tab *Tab) []string
	want       string // in one of the problems
	needScript bool   // without scripts nothing is wrong
}

func names(tab *Tab) []string     { return tab.NameProblems() }
func structure(tab *Tab) []string { return tab.StructureProblems("main", "navigation") }
func sent(tab *Tab) []string {
	tab.Click("Away")
	tab.until("the form is refused", func() (bool, error) { return len(tab.PolicyProblems()) > 0, nil })
	return tab.PolicyProblems()
}

func at320(tab *Tab) []string { return tab.OverflowProblems(320) }

// mistakes has at least one page for each thing that a check looks for.
var mistakes = []spoilt{
	{name: "a style attribute", body: `<p style="color: red">red</p>`, find: (*Tab).PolicyProblems, want: "style-src-attr"},
	{name: "a picture of another origin", body: `<img alt="x" src="https://pictures.example/x.png">`, find: (*Tab).PolicyProblems, want: "img-src with https://pictures.example/x.png"},
	{name: "an inline handler", body: `<button onclick="alert(1)">x</button>`, find: (*Tab).PolicyProblems, want: "script-src-attr", needScript: true},
	{name: "HTML from a string", script: `document.getElementById("said").innerHTML = "x"`, find: (*Tab).PolicyProblems, want: "trusted-types", needScript: true},
	{name: "a connection to another origin", script: `fetch("https://elsewhere.example/").catch(() => {})`, find: (*Tab).PolicyProblems, want: "connect-src", needScript: true}, {name: "a base", body: `<base href="https://elsewhere.example/">`, find: (*Tab).PolicyProblems, want: "base-uri"},
	{name: "a form that goes to another origin", body: `<form action="https://elsewhere.example/"><button>Away</button></form>`, find: sent, want: "form-action"},

	{name: "a button without a name", body: `<button><svg aria-hidden="true"></svg></button>`, find: names, want: "A button has no name: <button>"},
	{name: "a field with nothing but a placeholder of blanks", body: `<input placeholder=" ">`, find: names, want: "A textbox has no name"},
	{name: "a select without a label", body: `<select><option>a</select>`, find: names, want: "A combobox has no name"},
	{name: "a link that is a picture", body: `<a href="/"><img src="logo.svg"></a>`, find: names, want: "A link has no name"},
	{name: "a picture without a text", body: `<img src="logo.svg">`, find: names, want: "A image has no name"},
	{name: "something with the focus", body: `<div tabindex="0"></div>`, find: names, want: "has no name: <div"},

	{name: "two headings of level 1", body: `<h1>Again</h1>`, find: structure, want: "2 headings of level 1"},
	{name: "no heading", replace: [2]string{"h1>", "h2>"}, find: structure, want: "0 headings of level 1"},
	{name: "no main", replace: [2]string{"main", "div"}, find: structure, want: "no landmark main"},
	{name: "two mains", body: `</main><main>x`, find: structure, want: "2 landmarks main"},
	{name: "no navigation", replace: [2]string{"nav", "div"}, find: structure, want: "no landmark navigation"},
	{name: "two navigations of the same name", body: `<nav aria-label="Main"></nav>`, find: structure, want: "Several landmarks navigation have the same name"},
	{name: "two forms of the same name", body: `<form aria-label="x"></form><form aria-label="x"></form>`, find: structure, want: "Several landmarks form have the same name"},
	{name: "no title", replace: [2]string{"<title>Pizzas</title>", ""}, find: structure, want: "no title"},
	{name: "no language", replace: [2]string{` lang="en"`, ""}, find: structure, want: "no language"},
	{name: "an id twice", body: `<p id="said">x</p>`, find: structure, want: "2 elements have the id said"},

	{name: "a low button", body: `<button class="low">x</button>`, styles: `.low { min-height: 0; height: 23px; }`, find: (*Tab).TargetProblems, want: "32.0 × 23.0"},
	{name: "a link that stands alone", body: `<p><a href="/">alone</a></p>`, styles: `p { line-height: 1; }`, find: (*Tab).TargetProblems, want: `<a href="/">alone`},
	{name: "links beside each other", body: `<p><a href="/">one</a> · <a href="/">two</a></p>`, find: (*Tab).TargetProblems, want: `<a href="/">two`},
	{name: "a small checkbox without a label around it", body: `<input type="checkbox" aria-label="x">`, find: (*Tab).TargetProblems, want: "A target has 13.0 × 13.0"},
	{name: "a small link to skip", styles: `.skip { padding: 0; line-height: 1; }`, find: (*Tab).TargetProblems, want: "Skip to content"},

	{name: "gray text", body: `<p class="gray">gray</p>`, styles: `.gray { color: #777; }`, find: (*Tab).ContrastProblems, want: `Light: Text has a contrast of 4.48, rgb(119,119,119) on rgb(255,255,255): "gray"`},
	{name: "text that is gray in the dark", body: `<p class="gray">gray</p>`, styles: `.gray { color: #767676; }`, find: (*Tab).ContrastProblems, want: `Dark: Text has a contrast of 3.`},
	{name: "translucent text", body: `<p class="gray">gray</p>`, styles: `.gray { color: rgb(0 0 0 / 50%); background: white; }`, find: (*Tab).ContrastProblems, want: `Text has a contrast of 3.9`},
	{name: "a translucent block", body: `<div class="pale"><p>pale</p></div>`, styles: `.pale { opacity: .5; }`, find: (*Tab).ContrastProblems, want: `"pale"`},
	{name: "a translucent background", body: `<p class="tint">tint</p>`, styles: `.tint { background: rgb(0 0 0 / 70%); color: #333 }`, find: (*Tab).ContrastProblems, want: `"tint"`},
	{name: "a color in another notation", body: `<p class="gray">gray</p>`, styles: `.gray { color: oklch(0.6 0 0); }`, find: (*Tab).ContrastProblems, want: `Light: Text has a contrast of`},
	{name: "a pale placeholder", styles: `::placeholder { color: #bbb; }`, find: (*Tab).ContrastProblems, want: `"such as ada"`},
	{name: "pale words of the stylesheet", body: `<p class="note">x</p>`, styles: `.note::before { content: "Note: "; color: #aaa; }`, find: (*Tab).ContrastProblems, want: `"Note:"`},
	{name: "pale words in a drawing", body: `<svg width="80" height="20" role="img" aria-label="x"><text y="15" class="t">pale</text></svg>`, styles: `.t { fill: #aaa; }`, find: (*Tab).ContrastProblems, want: `"pale"`},
	{name: "text on a gradient", body: `<p class="sky">sky</p>`, styles: `.sky { background: linear-gradient(#fff, #eee); }`, find: (*Tab).ContrastProblems, want: "Behind text is the picture linear-gradient"},
	{name: "text below a filter", body: `<p class="odd">odd</p>`, styles: `.odd { filter: contrast(.2); }`, find: (*Tab).ContrastProblems, want: "Behind text is a filter"},
	{name: "a color that comes slowly", body: `<p class="slow">slow</p>`, styles: `.slow { animation: fade 900s forwards; } @keyframes fade { to { color: #ddd; background: #fff } }`, find: (*Tab).ContrastProblems, want: `"slow"`},

	{name: "a wide block", body: `<div class="wide">wide</div>`, styles: `.wide { width: 400px; }`, find: at320, want: "The page is 416 pixels wide in a window of 320"},
	{name: "a wide block that a hidden overflow cuts", body: `<div class="wide">wide</div>`, styles: `.wide { width: 400px; } html, body { overflow-x: hidden; }`, find: at320, want: `from 16 to 416 in a window of 320: <div class="wide">`},
	{name: "a block that begins outside", body: `<div class="left">left</div>`, styles: `.left { margin-left: -40px; }`, find: at320, want: "from -24 to"},
	{name: "a frame that a keyboard can't scroll", body: `<div class="frame"><p class="wide">wide</p></div>`, styles: `.wide { width: 400px; }`, find: at320, want: "A keyboard can't scroll to an element"},

	{name: "a dialog", script: `alert("hello")`, find: (*Tab).ScriptProblems, want: "The page opens a dialog (alert): hello", needScript: true},
	{name: "a script that is not ours", script: `window.__pwned = 1`, find: (*Tab).ScriptProblems, want: "__pwned", needScript: true},
	{name: "an error on the console", script: `console.error("oh", 3)`, find: (*Tab).ScriptProblems, want: `to the console: "oh" 3`, needScript: true},
	{name: "an exception", script: `null.x`, find: (*Tab).ScriptProblems, want: "A script fails: TypeError", needScript: true},
	{name: "a promise that nobody handles", script: `Promise.reject(new Error("lost"))`, find: (*Tab).ScriptProblems, want: "A script fails: Error: lost", needScript: true},
	{name: "a file that is missing", body: `<img alt="x" src="missing.png">`, find: (*Tab).ScriptProblems, want: "404"},

	{name: "a focus that can't be seen", body: `<button class="flat">flat</button>`, styles: `.flat:focus-visible { outline: none; }`, find: (*Tab).FocusProblems, want: `The focus can't be seen: <button class="flat">`},
	{name: "a button that Tab does not reach", body: `<span role="button">x</span>`, find: (*Tab).FocusProblems, want: `Tab does not reach <span role="button">`},
	{name: "a control that can't be seen with the focus", body: `<button class="sr">x</button>`, find: (*Tab).FocusProblems, want: `on something that can't be seen: <button class="sr">`},
}

func TestGoodPageHasNoProblems(t *testing.T) {
	t.Parallel()
	for _, s := range []Settings{{}, {NoScripts: true}, {Dark: true, Width: 768}, {NoScripts: true, Width: 320}} {
		t.Run(fmt.Sprintf("%+v", s), func(t *testing.T) {
			t.Parallel()
			tab := Start(t).Person(t, goodSite().serve(t)).Tab(s)
			tab.Open("/")
			tab.Check("main", "navigation")
			tab.Click("More") // the next Tab goes on from here
			tab.Check("main", "navigation")
		})
	}
}

// TestMistakesAreFound opens each mistake in a folder of one site.
func TestMistakesAreFound(t *testing.T) {
	t.Parallel()
	files := site{}
	for i, m := range mistakes {
		page := strings.Replace(good, "</main>", m.body+"</main>", 1)
		if m.replace[0] != "" {
			page = strings.ReplaceAll(page, m.replace[0], m.replace[1])
		}
		folder := fmt.Sprintf("/%d/", i)
		files[folder+"{$}"], files[folder+"styles.css"], files[folder+"page.js"], files[folder+"logo.svg"] = page, styles+m.styles, script+"\n"+m.script, logo
	}
	address := files.serve(t)
	for _, noScripts := range []bool{false, true} {
		t.Run(map[bool]string{false: "with scripts", true: "without"}[noScripts], func(t *testing.T) {
			t.Parallel()
			tab := Start(t).Person(t, address).Tab(Settings{NoScripts: noScripts})
			for i, m := range mistakes {
				if noScripts && m.needScript {
					continue
				}
				t.Run(m.name, func(t *testing.T) {
					tab.t = t
					tab.forget()
					tab.Open(fmt.Sprintf("/%d/", i))
					got := m.find(tab)
					if !slices.ContainsFunc(got, func(p string) bool { return strings.Contains(p, m.want) }) {
						t.Errorf("got these problems, want one with %q:\n%s", m.want, strings.Join(got, "\n"))
					}
				})
			}
		})
	}
}

// forget forgets what the pages before did.
func (tab *Tab) forget() {
	tab.seen.mu.Lock()
	defer tab.seen.mu.Unlock()
	tab.seen.violations, tab.seen.dialogs, tab.seen.errors = nil, nil, nil
}

// TestProblemsAreThoseOfAllChecks opens a page with a mistake for each check.
func TestProblemsAreThoseOfAllChecks(t *testing.T) {
	t.Parallel()
	s := goodSite()
	s["/{$}"] = strings.Replace(good, "</main>", `<h1>Again</h1><p style="color: red">red</p><button class="low"></button><p class="gray">gray</p><div class="wide">wide</div>
		<img alt="x" src="missing.png"></main>`, 1)
	s["/styles.css"] += ".low { min-height: 0; height: 9px; outline: none !important; } .gray { color: #777; } .wide { width: 400px; }"
	tab := Start(t).Person(t, s.serve(t)).Tab(Settings{})
	tab.Open("/")
	got := strings.Join(tab.Problems("main"), "\n")
	for _, want := range []string{
		"2 headings", "style-src-attr", "A button has no name", "At 320 pixels: A target has", "At 1440 pixels: A target has", "Light: Text has", "Dark: Text has",
		"At 320 pixels: The page is", "404", "The focus can't be seen",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got these problems, want %q:\n%s", want, got)
		}
	}
}
