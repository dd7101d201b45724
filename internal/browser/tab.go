package browser

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Settings are those of a tab. The zero value is a desktop in UTC that prefers light colors.
type Settings struct {
	NoScripts     bool
	Width, Height int64  // of the viewport in CSS pixels; 0 means 1440 × 900
	Dark          bool   // the system prefers dark colors
	Locale        string // such as de_DE; "" means en_US
	TimeZone      string // such as Europe/Rome; "" means UTC
}

// Tab is an open tab. One goroutine at a time may use it.
type Tab struct {
	t        testing.TB
	ctx      context.Context
	base     string
	settings Settings
	seen     *record
	followed int           // links and forms
	patience time.Duration // how long the tab waits for something that should happen at once
}

// Tab opens a tab. It is closed at the end of the test.
func (p *Person) Tab(s Settings) *Tab {
	p.t.Helper()
	tab := &Tab{t: p.t, base: p.base, settings: s, seen: newRecord(), patience: patience}
	ctx, cancel := chromedp.NewContext(p.browser.ctx, chromedp.WithExistingBrowserContext(p.id), chromedp.WithListener(tab.hear))
	tab.ctx = ctx
	p.t.Cleanup(func() {
		_ = chromedp.Cancel(ctx)
		cancel()
	})
	if err := chromedp.Do(ctx); err != nil {
		p.t.Fatal(err)
	}
	tab.seen.mu.Lock()
	tab.seen.frame = cdp.FrameID(chromedp.FromContext(ctx).Target.TargetID)
	tab.seen.mu.Unlock()
	call(tab, audits.Enable, cdp.Empty{})
	call(tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: s.NoScripts})
	call(tab, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}) // a tab has the focus beside others
	call(tab, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: or(s.TimeZone, "UTC")})
	call(tab, emulation.SetLocaleOverride, emulation.SetLocaleOverrideParams{Locale: or(s.Locale, "en_US")})
	tab.size(or(s.Width, 1440), or(s.Height, 900))
	tab.scheme(s.Dark)
	return tab
}

// or returns value, or other if value is zero.
func or[T comparable](value, other T) T {
	var zero T
	if value == zero {
		return other
	}
	return value
}

// size sets the size of the viewport.
func (tab *Tab) size(width, height int64) {
	tab.t.Helper()
	call(tab, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1})
}

// scheme sets the colors that the system prefers. Nothing moves, so that a page has its final
// colors at once.
func (tab *Tab) scheme(dark bool) {
	tab.t.Helper()
	colors := "light"
	if dark {
		colors = "dark"
	}
	call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: colors}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// try sends a command to the tab.
func try[P, R any](tab *Tab, command cdp.Command[P, R], params P) (R, error) {
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	result, err := chromedp.Call(ctx, command, params)
	if err != nil {
		err = fmt.Errorf("%s: %w", command.Method, err)
	}
	return result, err
}

// call sends a command to the tab. It fails the test if the command fails.
func call[P, R any](tab *Tab, command cdp.Command[P, R], params P) R {
	tab.t.Helper()
	result, err := try(tab, command, params)
	if err != nil {
		tab.fail(err.Error())
	}
	return result
}

// world returns the place where the scripts of the test run. They see the page, but the page does
// not see them. They also run if the scripts of the page do not.
func (tab *Tab) world() (runtime.ExecutionContextID, error) {
	made, err := try(tab, page.CreateIsolatedWorld, page.CreateIsolatedWorldParams{FrameID: tab.seen.frame, WorldName: "test"})
	return made.ExecutionContextID, err
}

// evaluate returns the value of an expression.
func evaluate[T any](tab *Tab, expression string) (T, error) {
	var value T
	world, err := tab.world()
	if err != nil {
		return value, err
	}
	yes := true
	result, err := try(tab, runtime.Evaluate, runtime.EvaluateParams{Expression: expression, ContextID: world, ReturnByValue: &yes, AwaitPromise: &yes})
	if err != nil {
		return value, err
	}
	return decode[T](result.Result, result.ExceptionDetails)
}

// must returns the value of an expression. It fails the test if the expression throws.
func must[T any](tab *Tab, expression string) T {
	tab.t.Helper()
	value, err := evaluate[T](tab, expression)
	if err != nil {
		tab.fail(err.Error())
	}
	return value
}

// until waits until yes returns true. It fails the test if that takes too long. If yes fails, it
// is called again: a page may be replaced while a script looks at it. A look at a long page costs
// Chromium much, so the looks become rarer the longer the wait is.
func (tab *Tab) until(what string, yes func() (bool, error)) {
	tab.t.Helper()
	deadline := time.After(tab.patience)
	var last error
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		ok, err := yes()
		if ok && err == nil {
			return
		}
		last = err
		select {
		case <-time.After(pause):
		case <-tab.ctx.Done():
			tab.t.Fatalf("the browser ended while the test waited until %s", what)
		case <-deadline:
			tab.fail(fmt.Sprintf("waited %s until %s: %v", tab.patience, what, last))
		}
	}
}

// fail ends the test. It shows the page as text and as a picture.
func (tab *Tab) fail(why string) {
	tab.t.Helper()
	tab.t.Fatalf("%s\n%s", why, tab.describe())
}

// describe returns where the tab is and what it shows, and the path of a picture.
func (tab *Tab) describe() string {
	text, err := evaluate[string](tab, "document.body.innerText")
	if err != nil {
		text = err.Error()
	}
	name := regexp.MustCompile(`[^A-Za-z0-9]+`).ReplaceAllString(tab.t.Name(), "-") + ".png"
	picture := filepath.Join(os.TempDir(), "flowlatch-browser", name)
	if err := tab.screenshot(picture, true); err != nil {
		picture = "no picture: " + err.Error()
	}
	where, _ := evaluate[string](tab, "location.href")
	return fmt.Sprintf("%s, status %d, %s\n%s", where, tab.Status(), picture, text)
}

// Screenshot writes a picture of the tab as a PNG, of the viewport or of the full page.
func (tab *Tab) Screenshot(path string, full bool) {
	tab.t.Helper()
	if err := tab.screenshot(path, full); err != nil {
		tab.t.Fatal(err)
	}
}

func (tab *Tab) screenshot(path string, full bool) error {
	shot := page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatPng, CaptureBeyondViewport: &full}
	if full {
		metrics, err := try(tab, page.GetLayoutMetrics, cdp.Empty{})
		if err != nil {
			return err
		}
		shot.Clip = &page.Viewport{Width: metrics.CSSContentSize.Width, Height: metrics.CSSContentSize.Height, Scale: 1}
	}
	taken, err := try(tab, page.CaptureScreenshot, shot)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, taken.Data, 0o644)
}

// Open opens a path of the site, or a URL, and waits until it is loaded.
func (tab *Tab) Open(path string) {
	tab.t.Helper()
	address := path
	if !strings.Contains(path, "://") {
		address = tab.base + path
	}
	tab.seen.begin()
	opened := call(tab, page.Navigate, page.NavigateParams{URL: address})
	if opened.ErrorText != "" {
		tab.t.Fatalf("%s does not open: %s", address, opened.ErrorText)
	}
	tab.until(address+" is loaded", func() (bool, error) { return tab.seen.hasLoaded(opened.LoaderID), nil })
}

// URL returns where the tab is, without the base of the site: path, query and fragment.
func (tab *Tab) URL() string {
	tab.t.Helper()
	return strings.TrimPrefix(must[string](tab, "location.href"), tab.base)
}

// Status returns the HTTP status of the page, 0 if there was no response.
func (tab *Tab) Status() int { return tab.seen.lastStatus() }

// Text returns the visible text of the page.
func (tab *Tab) Text() string {
	tab.t.Helper()
	return must[string](tab, "document.body.innerText")
}

// WaitText waits until the page shows all the parts. Case and kind of white space do not count.
func (tab *Tab) WaitText(parts ...string) {
	tab.t.Helper()
	for _, part := range parts {
		tab.until(fmt.Sprintf("the page shows %q", part), func() (bool, error) { return tab.shows(part) })
	}
}

// WaitGone waits until the page shows none of the parts.
func (tab *Tab) WaitGone(parts ...string) {
	tab.t.Helper()
	for _, part := range parts {
		tab.until(fmt.Sprintf("the page shows %q no longer", part), func() (bool, error) {
			shown, err := tab.shows(part)
			return !shown, err
		})
	}
}

// WaitURL waits until the tab is at a path of the site.
func (tab *Tab) WaitURL(path string) {
	tab.t.Helper()
	tab.until("the tab is at "+path, func() (bool, error) {
		at, err := evaluate[string](tab, "location.href")
		return strings.TrimPrefix(at, tab.base) == path, err
	})
}

// WaitFor waits until an expression of JavaScript is true, such as document.title === "Usage". what
// says in words what is awaited. The expression sees the page, but not the variables of its scripts.
func (tab *Tab) WaitFor(what, expression string) {
	tab.t.Helper()
	tab.until(what, func() (bool, error) { return evaluate[bool](tab, "!!("+expression+")") })
}

func (tab *Tab) shows(part string) (bool, error) {
	text, err := evaluate[string](tab, "document.body.innerText")
	return strings.Contains(folded(text), folded(part)), err
}

// folded returns text in lower case, with one blank for each run of white space.
func folded(text string) string { return strings.ToLower(strings.Join(strings.Fields(text), " ")) }

// origin returns the origin of a URL, "" if it has none.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
