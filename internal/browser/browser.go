// Package browser drives Chromium in tests, as a person does: with a mouse or with a keyboard
// alone, with scripts or without.
//
//	func TestMain(m *testing.M) { os.Exit(browser.Run(m)) }
//
//	func TestLogin(t *testing.T) {
//		ada := browser.Start(t).Person(t, "http://127.0.0.1:8080")
//		tab := ada.Tab(browser.Settings{NoScripts: true})
//		tab.Open("/console/login")
//		tab.Fill("Name", "ada")
//		tab.Fill("Password", "correct horse 11 battery")
//		tab.Submit("Log in")
//		tab.WaitText("Overview")
//		tab.Check("main", "navigation")
//	}
//
// Controls are found by their accessible name, which is what a screen reader says. Each method
// that ends in Problems checks the page and returns one sentence for each problem. Check calls
// them all and fails the test.
package browser

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"github.com/flowlatch/flowlatch/internal/testtools"
)

// patience is how long a test waits for something that should happen at once.
const patience = 30 * time.Second

// Browser is a running Chromium. Goroutines may use it at the same time.
type Browser struct {
	ctx context.Context
}

// running is the Chromium of this run of the tests.
var running struct {
	sync.Mutex

	inTestMain bool
	browser    *Browser
	err        error
	stop       func()
}

// Run runs the tests of a package. At the end it stops the Chromium that Start started. It returns
// the exit code. TestMain calls it.
func Run(m interface{ Run() int }) int {
	running.Lock()
	running.inTestMain = true
	running.Unlock()
	code := m.Run()
	if running.stop != nil {
		running.stop()
	}
	return code
}

// Start returns Chromium. The first test that calls it starts the process; all tests of the package
// share it. If Chromium is missing, testtools.LeaveOut ends the test.
func Start(t testing.TB) *Browser {
	t.Helper()
	program := testtools.Program(t, "chromium-headless-shell")
	running.Lock()
	defer running.Unlock()
	if !running.inTestMain {
		t.Fatal("TestMain does not call browser.Run")
	}
	if running.browser == nil && running.err == nil {
		running.browser, running.stop, running.err = start(program)
	}
	if running.err != nil {
		t.Fatal(running.err)
	}
	return running.browser
}

// start starts Chromium.
func start(program string) (*Browser, func(), error) {
	folder, err := os.MkdirTemp("", "flowlatch-chromium-")
	if err != nil {
		return nil, nil, err
	}
	said := new(testtools.Transcript)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.UserDataDir(folder), chromedp.CombinedOutput(said),
		chromedp.NoSandbox, // root has none; the browser opens pages of tests only
		chromedp.Flag("no-proxy-server", true),
	)
	allocated, free := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocated)
	stop := func() {
		_ = chromedp.Cancel(ctx) // waits until the process has ended
		cancel()
		free()
		_ = os.RemoveAll(folder)
	}
	if err := chromedp.Do(ctx); err != nil {
		stop()
		return nil, nil, fmt.Errorf("%s does not start: %w\n%s", program, err, said)
	}
	return &Browser{ctx: ctx}, stop, nil
}

// Person has cookies and storage that nobody else sees. All tabs of a person share them.
type Person struct {
	t       testing.TB
	browser *Browser
	id      cdp.BrowserContextID
	base    string
}

// Person returns a new person without cookies, who visits the site at base, such as
// http://127.0.0.1:8080. At the end of the test all traces of the person are deleted.
func (b *Browser) Person(t testing.TB, base string) *Person {
	t.Helper()
	made, err := chromedp.CallBrowser(b.ctx, target.CreateBrowserContext, target.CreateBrowserContextParams{})
	if err != nil {
		t.Fatal(err)
	}
	id := made.BrowserContextID
	t.Cleanup(func() {
		_, err := chromedp.CallBrowser(b.ctx, target.DisposeBrowserContext, target.DisposeBrowserContextParams{BrowserContextID: id})
		if err != nil {
			t.Errorf("the cookies of a person are not deleted: %v", err)
		}
	})
	return &Person{t: t, browser: b, id: id, base: strings.TrimSuffix(base, "/")}
}
