package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/flowlatch/flowlatch/app/pages"
	"github.com/flowlatch/flowlatch/domain"
)

// fail answers a request that was refused or has failed. Who is not logged in is sent to the login.
func (c *console) fail(e pages.Exchange, f pages.Failure) {
	x := c.request(e)
	if x.wantsData() {
		x.failAsData(f)
		return
	}
	if domain.KindOf(f.Err) == domain.NotAuthenticated && !x.ShowsToken() && c.service.OwnUsers() {
		to := "/console/login"
		if r := x.Request(); r.Method == http.MethodGet && !holdsKey(r.URL.RequestURI()) {
			to += "?return=" + url.QueryEscape(r.URL.RequestURI())
		}
		_ = x.redirect(to)
		return
	}
	title := "Something went wrong"
	switch f.Status {
	case http.StatusNotFound:
		title = "Not found"
	case http.StatusForbidden:
		title = "Not allowed"
	case http.StatusUnauthorized:
		title = "Not logged in"
	case http.StatusTooManyRequests:
		title = "Too many requests"
	case http.StatusServiceUnavailable:
		title = "Not available now"
	}
	x.writeFailure(f, "fail", view{Title: title, Data: f})
}

// failed is a failure for the script of a page, in the form of the JSON routes.
type failed struct {
	Message   string `json:"message"`
	Code      string `json:"code"`
	RequestID string `json:"request_id"`
}

// failAsData answers the script of a page.
func (x *request) failAsData(f pages.Failure) {
	body, _ := json.Marshal(failed{Message: sentence(f.Message), Code: f.Code, RequestID: f.RequestID}) // texts always marshal
	h := x.Writer().Header()
	x.secure(h)
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	x.Writer().WriteHeader(f.Status)
	_, _ = x.Writer().Write(body) // an error means that the client is gone
}
