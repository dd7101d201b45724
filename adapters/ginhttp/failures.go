package ginhttp

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// The kinds of failure that only HTTP has.
const (
	crossOrigin          domain.Kind = "cross_origin"
	tooLarge             domain.Kind = "too_large"
	methodNotAllowed     domain.Kind = "method_not_allowed"
	unsupportedMediaType domain.Kind = "unsupported_media_type"
	internal             domain.Kind = "internal"
	// noAssistants is the NotFound of /get_projects. The documentation says 404 for it.
	noAssistants domain.Kind = "no_assistants"
)

// failure describes the answer for one kind of error.
type failure struct {
	code       string // the stable word for programs
	documented int    // the status on the four documented routes
	elsewhere  int    // the status on all other routes
	retry      bool   // a retry helps, so Retry-After is sent
	message    string // used if the error has no sentence of its own
}

// failures is the only table of failures. A kind that is missing here is answered as internal.
var failures = map[domain.Kind]failure{
	domain.Invalid:               {code: "invalid_request", documented: 400, elsewhere: 400, message: "the request is invalid"},
	domain.NotAuthenticated:      {code: "not_authenticated", documented: 401, elsewhere: 401, message: "you are not logged in"},
	domain.NotAllowed:            {code: "not_allowed", documented: 401, elsewhere: 403, message: "you are not allowed to do this"},
	domain.EnvironmentNotAllowed: {code: "environment_not_allowed", documented: 401, elsewhere: 403, message: "this environment is not allowed"},
	domain.NotFound:              {code: "not_found", documented: 400, elsewhere: 404, message: "not found"},
	noAssistants:                 {code: "not_found", documented: 404, elsewhere: 404, message: "there are no assistants"},
	domain.AlreadyAdded:          {code: "already_added", documented: 400, elsewhere: 409, message: "this assistant is already added"},
	domain.AmbiguousName:         {code: "ambiguous_name", documented: 400, elsewhere: 400, message: "several assistants match; use project_id"},
	domain.NameTooLong:           {code: "name_too_long", documented: 400, elsewhere: 400, message: "the name of the assistant is too long; shorten it at Voiceflow"},
	domain.Conflict:              {code: "conflict", documented: 400, elsewhere: 409, message: "this contradicts what is stored"},
	domain.VoiceflowRejected:     {code: "voiceflow_rejected", documented: 400, elsewhere: 409, message: "Voiceflow rejected the key or does not know the environment; check both"},
	domain.VoiceflowUnavailable:  {code: "voiceflow_unavailable", documented: 400, elsewhere: 503, retry: true, message: "Voiceflow gave no usable answer; try again later"},
	domain.TooManyRequests:       {code: "too_many_requests", documented: 429, elsewhere: 429, retry: true, message: "too many requests; try again later"},
	domain.Unavailable:           {code: "unavailable", documented: 400, elsewhere: 503, retry: true, message: "the service can't answer now; try again later"},
	domain.NoAssistant:           {code: "no_assistant", documented: 400, elsewhere: 409, message: "no assistant is set; set one first"},
	domain.CredentialsRejected:   {code: "assistant_credentials_rejected", documented: 400, elsewhere: 502, message: "Voiceflow rejected the key of this assistant; an admin has to set a new one"},
	domain.NeedsReentry:          {code: "needs_reentry", documented: 400, elsewhere: 409, message: "the key of this assistant can't be decrypted; an admin has to set it again"},
	domain.Corrupt:               failed,
	internal:                     failed,
	crossOrigin:                  {code: "cross_origin", documented: 400, elsewhere: 403, message: "pages of another origin may not do this"},
	tooLarge:                     {code: "too_large", documented: 413, elsewhere: 413, message: "the body is too large"},
	methodNotAllowed:             {code: "method_not_allowed", documented: 405, elsewhere: 405, message: "this path does not accept this method"},
	unsupportedMediaType:         {code: "unsupported_media_type", documented: 400, elsewhere: 415, message: "the body must be JSON with Content-Type: application/json"},
}

// failed answers for every failure of the service. It does not tell what went wrong.
var failed = failure{code: "internal", documented: 400, elsewhere: 500, message: "the service failed; the operator finds the cause in the log under this request_id"}

// failureOf returns the entry of err in the table.
func failureOf(err error) failure {
	if f, known := failures[domain.KindOf(err)]; known {
		return f
	}
	return failed
}

// status returns the status of the failure on a route. An identity provider is told of each logout that
// is not accepted with 400 (OpenID Connect Back-Channel Logout 1.0, section 2.8).
func (f failure) status(rt *route) int {
	switch {
	case rt.documented:
		return f.documented
	case rt.byProvider && (f.elsewhere == http.StatusUnauthorized || f.elsewhere == http.StatusUnsupportedMediaType):
		return http.StatusBadRequest
	}
	return f.elsewhere
}

// fail answers with err. Only this method turns an error into an answer. A *domain.Error shows
// its public sentence; any other error shows nothing.
func (x *exchange) fail(err error) {
	x.err = err
	f := failureOf(err)
	e, ours := errors.AsType[*domain.Error](err)
	wait := x.setRetry(f, e)
	if x.page != nil {
		x.page.fail(err, wait)
		return
	}
	b := say(f.sentence(e)).member("code").text(f.code).member("request_id").text(x.call.RequestID)
	if ours && len(e.Projects) > 0 {
		switch e.Kind {
		case domain.AlreadyAdded:
			b = b.member("assistant").assistant(e.Projects[0])
		case domain.AmbiguousName:
			b = b.member("assistants").assistants(e.Projects)
		}
	}
	x.send(f.status(x.route), b)
}

// sentence returns what a person is told: the public sentence of e, or that of the failure. e may
// be nil.
func (f failure) sentence(e *domain.Error) string {
	if e != nil && e.Public != "" && f.code != failed.code {
		return e.Public
	}
	return f.message
}

// setRetry writes what is left of the caller's rate, and when a retry helps. It returns the latter,
// zero if no retry helps. e may be nil.
func (x *exchange) setRetry(f failure, e *domain.Error) time.Duration {
	var after time.Duration
	if e != nil {
		setRate(x.c.Writer.Header(), e.Rate)
		after = e.RetryAfter
	}
	if !f.retry || e != nil && e.MaybeDone {
		return 0
	}
	seconds := max(1, wholeSeconds(after))
	x.c.Header("Retry-After", strconv.FormatInt(seconds, 10))
	return time.Duration(seconds) * time.Second
}

// setRate writes what is left of the caller's rate, in the fields that most clients know
// (draft-ietf-httpapi-ratelimit-headers-03).
func setRate(h http.Header, r domain.Rate) {
	if r.Limit == 0 {
		return
	}
	h.Set("RateLimit-Limit", strconv.Itoa(r.Limit))
	h.Set("RateLimit-Remaining", strconv.Itoa(r.Remaining))
	h.Set("RateLimit-Reset", strconv.FormatInt(wholeSeconds(r.Reset), 10))
}

// wholeSeconds returns d in seconds, rounded up.
func wholeSeconds(d time.Duration) int64 {
	seconds := int64(d / time.Second)
	if d%time.Second > 0 {
		seconds++
	}
	return seconds
}
