package browser

import (
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// openGood opens the good page in a tab of a new person.
func openGood(t *testing.T, s Settings) *Tab {
	t.Helper()
	tab := Start(t).Person(t, goodSite().serve(t)).Tab(s)
	tab.Open("/")
	return tab
}

func TestMouse(t *testing.T) {
	t.Parallel()
	for _, noScripts := range []bool{false, true} {
		tab := openGood(t, Settings{NoScripts: noScripts})
		tab.Follow("Other")
		tab.WaitText("others", "Quiet words.")
		if tab.URL() != "/other" || tab.Status() != 200 {
			t.Errorf("the tab is at %s with status %d", tab.URL(), tab.Status())
		}
		tab.Click("More")
		tab.WaitText("hidden until it is opened")
		tab.Click("More")
		tab.WaitGone("hidden until it is opened")
		tab.Fill("Name", "not this")
		tab.Fill("Name", "ada")
		tab.Fill("password", "p w")
		tab.Fill("Size", "large")
		tab.Fill("Day", "2026-11-30")
		tab.Click("Olives")
		if got := tab.Value("Name"); got != "ada" {
			t.Errorf("the field holds %q", got)
		}
		tab.Submit("Send")
		tab.WaitText("received day=2026-11-30&olives=on&password=p+w&size=large&username=ada")
		if tab.Interactions() != 2 {
			t.Errorf("a link and a form are %d interactions", tab.Interactions())
		}
		if tab.Status() != 422 || !strings.HasPrefix(tab.URL(), "/echo?") {
			t.Errorf("the tab is at %s with status %d", tab.URL(), tab.Status())
		}
	}
}

func TestOneOfSeveralButtons(t *testing.T) {
	t.Parallel()
	tab := openGood(t, Settings{})
	tab.Click("Delete", "Marinara")
	tab.WaitText("deleted Marinara")
	tab.Click("Delete", "with a lot of cheese")
	tab.WaitText("deleted Margherita")
	tab.WaitFor("the text is there", `document.getElementById("said").textContent === "deleted Margherita"`)
}

func TestKeyboard(t *testing.T) {
	t.Parallel()
	for _, noScripts := range []bool{false, true} {
		tab := openGood(t, Settings{NoScripts: noScripts})
		tab.TabTo("Skip to content", 1)
		tab.Press("Enter")
		tab.WaitURL("/#content")
		tab.TabTo("Name", 3)
		tab.Type("ada")
		tab.Press("Tab")
		if got := tab.Focused(); got != "Password" {
			t.Errorf("the focus is on %q", got)
		}
		tab.Press("Shift+Tab", "Control+a", "Backspace")
		tab.Type("ben")
		tab.TabTo("Olives", 12)
		tab.Press("Space")
		tab.TabTo("Send", 1)
		tab.PressAndLoad("Enter")
		tab.WaitText("olives=on&password=&size=small&username=ben")
	}
}

// TestPersons shows that tabs of a person share cookies, and two persons do not.
func TestPersons(t *testing.T) {
	t.Parallel()
	address := goodSite().serve(t)
	ada, ben := Start(t).Person(t, address), Start(t).Person(t, address)
	for _, p := range []struct {
		name   string
		person *Person
	}{{"ada", ada}, {"ben", ben}} {
		p.person.Tab(Settings{}).Open("/cookie?" + p.name)
	}
	for _, p := range []struct {
		name   string
		person *Person
	}{{"ada", ada}, {"ben", ben}} {
		tab := p.person.Tab(Settings{})
		tab.Open("/echo")
		tab.WaitText("with who=" + p.name)
	}
}

// TestSettings shows that a page sees the settings of its tab, beside another tab with others.
func TestSettings(t *testing.T) {
	t.Parallel()
	p := Start(t).Person(t, goodSite().serve(t))
	rome := Settings{TimeZone: "Europe/Rome", Locale: "de_DE", Dark: true, Width: 320, Height: 600}
	for _, tc := range []struct {
		settings Settings
		want     string
	}{
		{Settings{}, "UTC en-US false 1440 900"},
		{rome, "Europe/Rome de-DE true 320 600"},
		{Settings{TimeZone: "Asia/Tokyo"}, "Asia/Tokyo en-US false 1440 900"},
	} {
		tab := p.Tab(tc.settings)
		tab.Open("/")
		got := must[string](tab, `(() => { const o = Intl.DateTimeFormat().resolvedOptions();
			return [o.timeZone, o.locale, matchMedia("(prefers-color-scheme: dark)").matches, innerWidth, innerHeight].join(" "); })()`)
		if got != tc.want {
			t.Errorf("%+v: the page sees %s, want %s", tc.settings, got, tc.want)
		}
	}
}

func TestScreenshot(t *testing.T) {
	t.Parallel()
	tab := openGood(t, Settings{Width: 320, Height: 200})
	for name, taller := range map[string]bool{"window": false, "page": true} {
		path := filepath.Join(t.TempDir(), "pictures", name+".png")
		tab.Screenshot(path, name == "page")
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		picture, err := png.DecodeConfig(file)
		if err != nil || picture.Width != 320 || picture.Height > 200 != taller {
			t.Errorf("the picture of the %s is %d × %d (%v)", name, picture.Width, picture.Height, err)
		}
	}
}

// TestFirstLoad shows that bytes over the wire and requests to other origins are counted.
func TestFirstLoad(t *testing.T) {
	t.Parallel()
	s := goodSite()
	other := site{"/x.svg": logo}.serve(t)
	s["/large.svg"] = logo + strings.Repeat(" ", 50_000)
	address := s.serve(t)
	tab := Start(t).Person(t, address).Tab(Settings{})
	tab.Open("/")
	if bytes := tab.Bytes(); bytes < len(good)+len(styles) || len(tab.RequestProblems(40_000)) > 0 {
		t.Errorf("the good page takes %d bytes: %s", bytes, tab.RequestProblems(40_000))
	}
	tab.Open("/echo") // it has no policy
	must[any](tab, fmt.Sprintf(`Promise.all(["/large.svg", %q].map((src) => new Promise((done) => {
		const picture = new Image();
		picture.onload = picture.onerror = () => done(0);
		picture.src = src;
	})))`, other+"/x.svg"))
	got := strings.Join(tab.RequestProblems(40_000), "\n")
	for _, want := range []string{"requests " + other + "/x.svg from another origin", " bytes, more than 40000: "} {
		if !strings.Contains(got, want) {
			t.Errorf("got these problems, want %q:\n%s", want, got)
		}
	}
	tab.Open("/other")
	if got := tab.RequestProblems(40_000); len(got) > 0 {
		t.Errorf("the requests of the page before count: %s", got)
	}
}

// recorder notes how a test fails.
type recorder struct {
	testing.TB
	said string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) { r.said += fmt.Sprintf(format, args...) }

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	panic(r)
}

// TestFailures shows that a step that can't be done fails the test, and says why.
func TestFailures(t *testing.T) {
	t.Parallel()
	tab := openGood(t, Settings{})
	for _, tc := range []struct {
		name string
		do   func(tab *Tab)
		want string
	}{
		{"a text that does not come", func(tab *Tab) { tab.WaitText("nowhere") }, `until the page shows "nowhere"`},
		{"a text that does not go", func(tab *Tab) { tab.WaitGone("pizzas") }, `until the page shows "pizzas" no longer`},
		{"an address that does not come", func(tab *Tab) { tab.WaitURL("/nowhere") }, "until the tab is at /nowhere"},
		{"a condition that fails", func(tab *Tab) { tab.WaitFor("it is so", "null.x") }, "until it is so: TypeError"},
		{"no such control", func(tab *Tab) { tab.Click("Fly") }, `one control "Fly": there are 0`},
		{"two such controls", func(tab *Tab) { tab.Click("Delete") }, `one control "Delete": there are 2`},
		{"a control that is no link", func(tab *Tab) { tab.Follow("Send") }, "there are 0"},
		{"a button that sends nothing", func(tab *Tab) { tab.Submit("Delete", "Marinara") }, "until the button Delete sends the form"},
		{"no such field", func(tab *Tab) { tab.Fill("Color", "red") }, `one field "Color": there is none`},
		{"no such option", func(tab *Tab) { tab.Fill("Size", "huge") }, "no option huge"},
		{"a control that Tab does not reach soon", func(tab *Tab) { tab.TabTo("Send", 3) }, `does not have the focus after 3 times Tab, but these had it: "Skip to content", "Home", "Other"`},
		{"something above a button", func(tab *Tab) {
			must[any](tab, `document.querySelector("form").style.pointerEvents = "none"`)
			tab.Click("Send")
		}, `"Send" can't be clicked. Above it is <main`},
		{"a page with a problem", func(tab *Tab) { tab.Check("search") }, "The page has no landmark search."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tab.t, tab.patience = t, patience
			tab.Open("/")
			r := &recorder{TB: t}
			tab.t, tab.patience = r, 100*time.Millisecond
			func() {
				defer func() { _ = recover() }()
				tc.do(tab)
			}()
			for _, want := range []string{tc.want, tab.base, "status 200", ".png", "Quiet words."} {
				if !strings.Contains(r.said, want) {
					t.Errorf("the test fails with this, want %q:\n%s", want, r.said)
				}
			}
		})
	}
}
