package browser

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
)

// record is what the browser says about a tab while the test goes on.
type record struct {
	frame cdp.FrameID // the main frame

	mu         sync.Mutex
	status     int
	loads      int
	loaded     map[cdp.LoaderID]bool
	requests   map[network.RequestID]*request
	order      []*request // since the last Open
	violations []string
	dialogs    []string
	errors     []string
}

// request is one that the page sent.
type request struct {
	url      string
	document bool
	bytes    float64 // over the wire, head and body
	blocked  bool    // it was never sent
	ended    bool    // always for what a script requests, which may be a stream without an end
}

func newRecord() *record {
	return &record{loaded: map[cdp.LoaderID]bool{}, requests: map[network.RequestID]*request{}}
}

// begin forgets the requests of the pages before.
func (r *record) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.order = nil
}

func (r *record) hasLoaded(id cdp.LoaderID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.loaded[id]
}

func (r *record) lastStatus() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

func (r *record) countLoads() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.loads
}

// idle reports whether all requests have ended, but for those of scripts.
func (r *record) idle() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !slices.ContainsFunc(r.order, func(sent *request) bool { return !sent.ended })
}

// hear is called for each event of the tab, in order.
func (tab *Tab) hear(event any) {
	r := tab.seen
	r.mu.Lock()
	defer r.mu.Unlock()
	switch e := event.(type) {
	case *page.EventLifecycleEvent:
		if e.Name == "load" && e.FrameID == r.frame {
			r.loads++
			r.loaded[e.LoaderID] = true
		}
	case *page.EventJavascriptDialogOpening:
		r.dialogs = append(r.dialogs, fmt.Sprintf("The page opens a dialog (%s): %s", e.Type, e.Message))
		go func() { // no command may wait here
			_, _ = try(tab, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{})
		}()
	case *audits.EventIssueAdded:
		r.issue(e.Issue)
	case *log.EventEntryAdded:
		r.logged(e.Entry)
	case *runtime.EventExceptionThrown:
		r.errors = append(r.errors, "A script fails: "+thrown(e.ExceptionDetails).Error())
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "assert" {
			r.errors = append(r.errors, "A script writes an error to the console: "+words(e.Args))
		}
	default:
		r.transfer(event)
	}
}

// transfer keeps what the page requests.
func (r *record) transfer(event any) {
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		document := e.Type == network.ResourceTypeDocument && e.FrameID == r.frame
		if document {
			r.status = 0
		}
		stream := slices.Contains([]network.ResourceType{network.ResourceTypeFetch, network.ResourceTypeXHR, network.ResourceTypeEventSource}, e.Type)
		sent := &request{url: e.Request.URL, document: document, ended: stream}
		if e.RedirectResponse != nil {
			before := r.requests[e.RequestID]
			before.bytes, before.ended = e.RedirectResponse.EncodedDataLength, true
		}
		r.requests[e.RequestID] = sent
		if origin(sent.url) != "" { // no data: URL
			r.order = append(r.order, sent)
		}
	case *network.EventResponseReceived:
		if sent := r.requests[e.RequestID]; sent != nil && sent.document {
			r.status = int(e.Response.Status)
		}
	case *network.EventLoadingFinished:
		if sent := r.requests[e.RequestID]; sent != nil {
			sent.bytes, sent.ended = e.EncodedDataLength, true
		}
	case *network.EventLoadingFailed:
		if sent := r.requests[e.RequestID]; sent != nil {
			sent.blocked, sent.ended = e.BlockedReason != "", true
		}
	}
}

// issue keeps a violation of the policy of the page. The browser also reports those of a page
// whose scripts do not run.
func (r *record) issue(i *audits.InspectorIssue) {
	if i.Details == nil || i.Details.ContentSecurityPolicyIssueDetails == nil {
		return
	}
	d := i.Details.ContentSecurityPolicyIssueDetails
	text := "The page violates " + d.ViolatedDirective
	if d.BlockedURL != "" {
		text += " with " + d.BlockedURL
	}
	if at := d.SourceCodeLocation; at != nil {
		text += fmt.Sprintf(", in %s line %d", at.URL, at.LineNumber+1)
	}
	r.violations = append(r.violations, text+".")
}

// logged keeps an entry of the browser's log. A page may have an error status, so the entry about
// the page itself does not count.
func (r *record) logged(e *log.Entry) {
	sent := r.requests[e.NetworkRequestID]
	switch {
	case e.Source == log.EntrySourceSecurity && e.Level == log.EntryLevelError, strings.Contains(e.Text, "Content Security Policy"):
		r.violations = append(r.violations, e.Text)
	case e.Level == log.EntryLevelError && (sent == nil || !sent.document):
		r.errors = append(r.errors, strings.TrimSpace("The browser logs an error: "+e.Text+" "+e.URL))
	}
}

// words returns the arguments of a call of the console.
func words(args []*runtime.RemoteObject) string {
	var all []string
	for _, a := range args {
		if a.Description != "" {
			all = append(all, a.Description)
		} else {
			all = append(all, string(a.Value))
		}
	}
	return strings.Join(all, " ")
}

// thrown returns what a script threw.
func thrown(d *runtime.ExceptionDetails) error {
	if d.Exception != nil && d.Exception.Description != "" {
		return errors.New(d.Exception.Description)
	}
	return fmt.Errorf("%s in line %d of %s", d.Text, d.LineNumber+1, d.URL)
}

// decode returns the value that a script returned.
func decode[T any](object *runtime.RemoteObject, failed *runtime.ExceptionDetails) (T, error) {
	var value T
	if failed != nil {
		return value, thrown(failed)
	}
	if len(object.Value) == 0 {
		return value, nil // undefined
	}
	err := json.Unmarshal(object.Value, &value)
	return value, err
}
