// Package console serves the pages of Flowlatch: the console for admins and members, and the chat.
// It drives the use cases of app, as the JSON routes do. The pages work without JavaScript.
//
// New returns the routes. ginhttp serves them, with the checks that it has for its own routes.
//
// A page begins in routes.go, which names its function. The function is in the file of its subject,
// such as users.go, and its template in templates. render.go writes pages, and forms.go reads forms.
package console

import (
	"fmt"
	"strings"
	"time"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/app/pages"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// Options are the settings of the pages. The zero value works.
type Options struct {
	// BaseURL is where browsers find the service, such as https://example.com/flowlatch. Its path
	// is put before the addresses in the pages. If it is empty, the pages are at the root of the
	// host. Set it to the value of ginhttp.Options.
	BaseURL string
	// Clock tells the time that pages show; time.Now if it is nil.
	Clock ports.Clock
}

// home is the path of the overview.
const home = "/console/"

// console holds what the pages share. It never changes.
type console struct {
	service *app.Service
	base    domain.BaseURL
	clock   ports.Clock
	path    string // of the base URL, "" for none
	views   views
	assets  assets
}

// New returns the routes of the pages. It does no I/O. Returns an error if the BaseURL is invalid.
func New(s *app.Service, o Options) (*pages.Pages, error) {
	c := &console{service: s, clock: o.Clock}
	if c.clock == nil {
		c.clock = time.Now
	}
	var err error
	if o.BaseURL != "" {
		if c.base, err = domain.ParseBaseURL(o.BaseURL); err != nil {
			return nil, fmt.Errorf("console: %w", err)
		}
		c.path = strings.TrimSuffix(c.base.Path, "/")
	}
	if c.assets, err = newAssets(); err != nil {
		return nil, err
	}
	if c.views, err = c.newViews(); err != nil {
		return nil, err
	}
	return &pages.Pages{Home: home, Routes: c.routes(), Fail: c.fail}, nil
}

// request returns the request of the exchange as the console sees it.
func (c *console) request(e pages.Exchange) *request {
	path := e.Request().URL.Path
	secret := strings.HasPrefix(path, setupPath) || strings.HasPrefix(path, loginLinkPath) || path == answerPath
	return &request{Exchange: e, console: c, noReferrer: secret}
}

// url returns the address of a local path in a page.
func (c *console) url(path string) string { return c.path + path }
