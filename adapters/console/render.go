package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/flowlatch/flowlatch/app/pages"
	"github.com/flowlatch/flowlatch/domain"
)

//go:embed templates
var templateFiles embed.FS

// views are the templates of the pages, by the name of their file without its suffix.
type views map[string]*template.Template

// newViews parses the templates. The files in templates/parts are part of every page.
func (c *console) newViews() (views, error) {
	shared, err := template.New("").Funcs(c.functions()).ParseFS(templateFiles, "templates/parts/*.html")
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	all := views{}
	for _, f := range files {
		if f.IsDir() {
			continue
		}
		page, err := shared.Clone()
		if err == nil {
			page, err = page.ParseFS(templateFiles, "templates/"+f.Name())
		}
		if err != nil {
			return nil, fmt.Errorf("console: %w", err)
		}
		all[strings.TrimSuffix(f.Name(), path.Ext(f.Name()))] = page
	}
	return all, nil
}

// request is a request for a page.
type request struct {
	pages.Exchange

	console    *console
	pictures   []domain.Origin // other origins whose pictures and audio the page may show
	forms      []domain.Origin // other origins to which the forms of the page may lead
	alone      bool            // the page has no frame, even if somebody is logged in
	noReferrer bool            // the address of the page has a secret
	ended      bool            // the caller's login has ended, so a notice is for nobody
}

// view is what a template gets.
type view struct {
	Title string
	Path  string // of the page, without that of the base URL
	User  string // who is logged in, "" for nobody
	Admin bool
	Own   bool // the service keeps its own users
	Sends bool // the program sends events to webhooks
	// Provider is the label of the identity provider, "" if there is none. By says that it opened the
	// caller's login, and Fresh that it has just done so: no password confirms a change then.
	Provider string
	By       bool
	Fresh    bool
	Notice   string         // what a form has done
	Problem  *pages.Failure // why a form could not be carried out; nil if nothing is wrong
	Data     any
}

// show answers with a page.
func (x *request) show(template, title string, data any) error {
	return x.write(http.StatusOK, template, view{Title: title, Data: data})
}

// again returns the error of a form that can't be carried out. The page of the form is shown once
// more, with what is wrong. A caller whose login has ended meanwhile is sent to the login instead.
// data must not have a secret.
func (x *request) again(err error, template, title string, data any) error {
	if domain.KindOf(err) == domain.NotAuthenticated && x.Call().Caller.ID != "" {
		return err
	}
	return &pages.Again{Err: err, Render: func(f pages.Failure) {
		x.writeFailure(f, template, view{Title: title, Data: data, Problem: &f})
	}}
}

// writeFailure writes a page about a failure. If its template fails too, the answer is the message
// alone.
func (x *request) writeFailure(f pages.Failure, template string, v view) {
	if err := x.write(f.Status, template, v); err != nil {
		http.Error(x.Writer(), f.Message, f.Status)
	}
}

// write writes a page. It returns an error only before the answer has begun.
func (x *request) write(status int, template string, v view) error {
	call := x.Call()
	v.Path, v.Admin, v.Own = x.Request().URL.Path, call.Caller.Admin, x.console.service.OwnUsers()
	v.Sends = x.console.service.SendsEvents()
	v.Provider, v.By, v.Fresh = x.provider(), call.Caller.Login.ByProvider, x.fresh()
	v.Notice = x.takeNotice()
	if call.Caller.ID != "" && !x.alone {
		v.User = x.name()
		if v.By && x.console.service.LogsOutAtProvider() { // the form that logs out leads on to the provider
			x.formsToProvider()
		}
	}
	var body bytes.Buffer
	if err := x.console.views[template].ExecuteTemplate(&body, "layout", v); err != nil {
		return fmt.Errorf("console: %w", err)
	}
	x.send(status, body.Bytes())
	return nil
}

// send sends the page, compressed if the browser takes that. Only the answers to GET are compressed:
// those of a form may show a new access token beside what was sent, and their length would tell of
// it.
func (x *request) send(status int, body []byte) {
	h := x.Writer().Header()
	x.secure(h)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Vary", "Accept-Encoding")
	if r := x.Request(); r.Method == http.MethodGet && takesGzip(r) {
		body = zip(body)
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	x.Writer().WriteHeader(status)
	_, _ = x.Writer().Write(body) // an error means that the client is gone
}

// formsToProvider lets the forms of the page lead to the identity provider. Browsers apply the policy of
// the page to redirects after a form too (Content Security Policy Level 3, section 6.4.1).
func (x *request) formsToProvider() { x.forms = x.console.service.ProviderOrigins() }

// secure sets the headers that keep other pages and foreign scripts out.
func (x *request) secure(h http.Header) {
	images := "'self'"
	media := ""
	forms := "'self'"
	for _, origin := range x.forms {
		forms += " " + string(origin)
	}
	for _, origin := range x.pictures {
		images += " " + string(origin)
		media += " " + string(origin)
	}
	policy := "default-src 'none'; script-src 'self'; style-src 'self'; img-src " + images + "; connect-src 'self'; " +
		"form-action " + forms + "; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
	if media != "" {
		policy += "; media-src" + media
	}
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	referrer := "same-origin"
	if x.noReferrer {
		referrer = "no-referrer"
	}
	h.Set("Referrer-Policy", referrer)
}

// name returns what the page calls the user who is logged in. It is the id for a user of a host
// program, and if the name can't be read: a page does not fail because of it.
func (x *request) name() string {
	id := x.Call().Caller.ID
	if x.console.service.OwnUsers() {
		if names, err := x.names(nil, []domain.UserID{id}, nil); err == nil && names.Users[id] != "" {
			return string(names.Users[id])
		}
	}
	return string(id)
}

// done sends the browser to a page after a form has worked, with a notice of what it did. The
// notice must not have a secret.
func (x *request) done(path, notice string) error {
	x.leaveNotice(notice)
	return x.redirect(path)
}

// redirect sends the browser to a local page.
func (x *request) redirect(path string) error {
	h := x.Writer().Header()
	x.secure(h)
	h.Set("Location", x.console.url(path))
	x.Writer().WriteHeader(http.StatusSeeOther)
	return nil
}
