package browser

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestLoginAndLogout(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "FLOWLATCH_LOGIN_FAILURES=3").withUsers()
	const wanted = "/console/account?from=a+mail"
	w.bothWays(func(w *world, s Settings, tag string) {
		tab := w.someone(s)
		tab.Open(wanted)
		tab.WaitURL("/console/login?return=" + url.QueryEscape(wanted))
		tab.Fill("username", "ada")
		tab.Fill("password", "wrong horse 11 battery")
		tab.Click("Remember me on this computer")
		tab.Submit("Log in")
		wantRefused(tab, http.StatusUnauthorized, "The user name or the password is wrong.")
		wantValue(tab, "username", "ada")
		wantValue(tab, "password", "")
		tab.Check("main")
		tab.Fill("password", adminPassword)
		tab.Submit("Log in")
		tab.WaitURL(wanted)
		tab.WaitText("Your account", "ada")

		tab.Open("/console/login") // who is logged in needs no login
		tab.WaitURL("/console/")
		tab.Submit("Log out")
		tab.WaitURL("/console/login")
		wantNotice(tab, "You are logged out.")
		tab.Open("/console/")
		tab.WaitURL("/console/login?return=%2Fconsole%2F")

		for range 4 {
			tab.Fill("username", "nobody-"+tag)
			tab.Fill("password", "wrong horse 11 battery")
			tab.Submit("Log in")
		}
		wantRefused(tab, http.StatusTooManyRequests, "Try again in ")
		tab.Check("main")
	})
}

func TestSetUp(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name      string
		noScripts bool
	}{{"with scripts", false}, {"without scripts", true}} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, nil)
			link := w.setupLink()
			s := Settings{NoScripts: tc.noScripts}
			tab := w.someone(s)
			tab.Open(link)
			tab.Check("main")
			reload(tab) // to open the page does not use the link up
			tab.Fill("username", "ada")
			tab.Fill("password", "12345678")
			tab.Submit("Create the admin")
			wantRefused(tab, http.StatusBadRequest, "password")
			wantValue(tab, "username", "ada")
			wantValue(tab, "password", "")
			tab.Fill("password", adminPassword)
			tab.Submit("Create the admin")
			tab.WaitURL("/console/")
			wantNotice(tab, "You are the first admin")

			late := w.someone(s)
			late.Open(link)
			wantRefused(late, http.StatusConflict, "A set-up link creates the first user only.")
			late.Check("main")
			late.Follow("Go to the login")
			late.WaitURL("/console/login")
		})
	}
}

func TestSetUpLinkThatIsIncomplete(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	link := w.setupLink()
	tab := w.someone(Settings{})
	tab.Open(link[:len(link)-3])
	wantRefused(tab, http.StatusNotFound, "A link can be used for 30 minutes")
	tab.Check("main")
	tab.Open(link)
	tab.WaitText("Create the admin")
}

// TestBelowAPath puts the service below a path, behind proxies that remove the path and that don't.
func TestBelowAPath(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		removes bool
	}{{"the proxy removes the path", true}, {"the proxy keeps the path", false}} {
		t.Run(tc.name, func(t *testing.T) {
			var behind http.Handler
			proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.HasPrefix(r.URL.Path, "/flowlatch/") {
					http.NotFound(w, r)
					return
				}
				behind.ServeHTTP(w, r)
			}))
			t.Cleanup(proxy.Close)
			w := newWorld(t, nil, "FLOWLATCH_BASE_URL="+proxy.URL+"/flowlatch")
			to, err := url.Parse(w.url)
			if err != nil {
				t.Fatal(err)
			}
			behind = httputil.NewSingleHostReverseProxy(to)
			if tc.removes {
				behind = http.StripPrefix("/flowlatch", behind)
			}
			link := w.setupLink()
			if !strings.HasPrefix(link, proxy.URL+"/flowlatch/console/setup/") {
				t.Fatalf("the set-up link is %s", link)
			}
			w.url = proxy.URL
			first := w.someone(Settings{})
			first.Open(link)
			first.Fill("username", "ada")
			first.Fill("password", adminPassword)
			first.Submit("Create the admin")
			first.WaitURL("/flowlatch/console/")

			w.bothWays(func(w *world, s Settings, _ string) {
				tab := w.someone(s)
				tab.Open("/flowlatch/console/usage?group_by=scope")
				tab.WaitText("Log in")
				tab.Fill("username", "ada")
				tab.Fill("password", adminPassword)
				tab.Submit("Log in")
				tab.WaitURL("/flowlatch/console/usage?group_by=scope")
				tab.WaitFor("the stylesheet and the wordmark are there", `document.styleSheets.length === 1 && document.styleSheets[0].href.includes("/flowlatch/console/static/")
					&& document.querySelector("header img").naturalWidth > 0`)
				tab.Check("main", "navigation")
				tab.Follow("Sessions")
				tab.WaitURL("/flowlatch/console/sessions")
				tab.Submit("Log out")
				tab.WaitURL("/flowlatch/console/login")
				tab.WaitText("You are logged out.")
				tab.Open("/flowlatch/console/")
				tab.WaitText("Log in")
			})
		})
	}
}

// TestTimes shows that times are those of the reader's zone, and that the exact time in UTC is there
// on hover. Without scripts all times are in UTC.
func TestTimes(t *testing.T) {
	t.Parallel()
	w := newFlows(t)
	const exact = "2006-01-02 15:04:05 UTC"
	for _, tc := range []struct {
		name     string
		settings Settings
		layout   string
	}{
		{"in Tokyo", Settings{TimeZone: "Asia/Tokyo"}, "Jan 2, 2006, 3:04 PM"},
		{"in Tokyo without scripts", Settings{TimeZone: "Asia/Tokyo", NoScripts: true}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tab := w.in(t).ada(tc.settings)
			tab.Open("/console/account")
			got := must[[]string](tab, `(() => { const e = document.querySelector("main time"); return [e.dateTime, e.title, e.textContent]; })()`)
			at, err := time.Parse(time.RFC3339, got[0])
			if err != nil {
				t.Fatal(err)
			}
			if want := at.UTC().Format(exact); got[1] != want {
				t.Errorf("on hover the time is %q, want %q", got[1], want)
			}
			want := at.UTC().Format(exact)
			if tc.layout != "" {
				want = at.In(time.FixedZone("Asia/Tokyo", 9*60*60)).Format(tc.layout)
			}
			if folded(got[2]) != folded(want) {
				t.Errorf("the time is %q, want %q", got[2], want)
			}
		})
	}
}
