package ginhttp

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flowlatch/flowlatch/app/forward"
	"github.com/flowlatch/flowlatch/domain"
)

// forward passes a call on to Voiceflow and the answer back. The client of Voiceflow builds the
// request that goes there, and filters the answer.
func (a *api) forward(x *exchange) error {
	in, err := a.forwardedCall(x)
	if err != nil {
		return err
	}
	r := a.callersRequest(x)
	// A transport may still read the body after the answer has come. Close ends that.
	defer func(body io.Closer) { _ = body.Close() }(r.Body)
	out, err := a.callVoiceflow(x, func() (forward.Result, error) {
		return a.service.Forwarder().Forward(x.ctx(), x.call, in, r)
	})
	if err != nil {
		return err
	}
	a.passOn(x, out)
	return nil
}

// callVoiceflow lets send forward the call, and writes the headers of the service's own for the
// answer.
func (a *api) callVoiceflow(x *exchange, send func() (forward.Result, error)) (forward.Result, error) {
	// A writer without deadlines returns an error, which changes nothing. A turn that renews
	// its v4 session takes up to twice the time.
	x.deadline = time.Now()
	_ = http.NewResponseController(x.c.Writer).SetWriteDeadline(x.deadline.Add(a.timeout + a.patience))
	out, err := send()
	x.forwarded, x.call.Caller = out, out.Caller
	if out.Unrecorded != nil {
		a.log.LogAttrs(x.ctx(), slog.LevelError, "the outcome of a forwarded call could not be written to the audit yet",
			slog.String("request_id", x.call.RequestID), slog.String("err", out.Unrecorded.Error()))
	}
	if !out.TokenEnds.IsZero() {
		x.c.Header("Flowlatch-Token-Expires", string(appendInstant(nil, out.TokenEnds)))
	}
	a.renew(x, domain.LoginSession, out.UserCookie)
	a.renew(x, domain.AssistantSession, out.AssistantCookie)
	setEnvironment(x.c.Writer.Header(), out.Environment)
	if err != nil {
		if _, over := errors.AsType[*http.MaxBytesError](err); over {
			return out, &domain.Error{Kind: tooLarge, Cause: err}
		}
	}
	return out, err
}

// passOn writes the answer of Voiceflow as it comes.
func (a *api) passOn(x *exchange, out forward.Result) {
	defer func() { _ = out.Answer.Body.Close() }()
	x.beginForwarded(&out)
	w := &renewingWriter{ResponseWriter: x.c.Writer, patience: a.patience, renewed: x.deadline}
	x.copyForwarded(w, out.Answer)
}

// forwardedCall returns the call that the request asks for. Returns NotFound if the path can be read
// in two ways.
func (a *api) forwardedCall(x *exchange) (in forward.Input, err error) {
	r := x.c.Request
	service := x.c.Param("service")
	path, plain := afterService(x.c.FullPath(), r.URL.EscapedPath(), service)
	if !plain {
		return forward.Input{}, domain.AmbiguousPath()
	}
	in = forward.Input{
		Service: service, Path: path,
		AssistantCookie: a.cookie(x, domain.AssistantSession).text,
	}
	if values := r.Header["Authorization"]; len(values) == 1 {
		in.Handle = withoutBearer(values[0])
	}
	if a.own {
		in.UserCookie = a.cookie(x, domain.LoginSession).text
		var shown bool
		if in.Token, shown = accessToken(r); shown && in.Token.IsZero() {
			in.Token = domain.NewSecret("several")
		}
	}
	return in, nil
}

// callersRequest returns a copy of the request whose body has limits of size and time. The
// server's own request keeps its body, from which the server learns how much of it was read.
func (a *api) callersRequest(x *exchange) *http.Request {
	r := x.c.Request.WithContext(x.ctx())
	switch {
	case r.ContentLength == 0:
		r.Body = http.NoBody
		return r
	case r.ContentLength > a.maxBody:
		// It fails when it is read, which is once the caller is known.
		r.Body = io.NopCloser(tooLargeBody(a.maxBody))
	default:
		r.Body = http.MaxBytesReader(x.c.Writer, r.Body, a.maxBody)
	}
	control := http.NewResponseController(x.c.Writer)
	r.Body = &patientBody{Reader: r.Body, begin: func() { _ = control.SetReadDeadline(time.Now().Add(a.timeout)) }}
	return r
}

// patientBody gives a body the time of a forwarded call when it is first read. The caller is
// known by then, so a stranger has no more time than on other routes. The body of a request
// without one is not read: the server already reads the connection, to see when the caller
// leaves, and would hit that deadline.
//
// Close keeps the transport from reading on. It leaves the server's own body open for drain.
type patientBody struct {
	io.Reader

	begin  func() // nil after it was called
	closed atomic.Bool
}

// Read reads the body.
func (b *patientBody) Read(p []byte) (int, error) {
	if b.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	if b.begin != nil {
		b.begin()
		b.begin = nil
	}
	return b.Reader.Read(p)
}

// Close ends the reading.
func (b *patientBody) Close() error {
	b.closed.Store(true)
	return nil
}

// forwardSlack is how long the caller has to read the part that came last.
const forwardSlack = 30 * time.Second

// tooLargeBody is a body whose announced length is larger than the limit.
type tooLargeBody int64

func (limit tooLargeBody) Read([]byte) (int, error) {
	return 0, &http.MaxBytesError{Limit: int64(limit)}
}

// afterService returns the part of the escaped path after the service. full is the path of the
// route. Two slashes there count as one: clients join a base URL that ends in a slash with a path.
// plain is false if the segments of the path differ between sent and decoded form, because the
// router has matched the decoded ones.
func afterService(full, escaped, service string) (path string, plain bool) {
	before, _, _ := strings.Cut(full, ":service")
	for range strings.Count(before, "/") - 1 {
		var segment string
		segment, escaped, _ = strings.Cut(strings.TrimPrefix(escaped, "/"), "/")
		escaped = "/" + escaped
		decoded, err := url.PathUnescape(segment)
		if err != nil || decoded == "." || decoded == ".." || strings.ContainsAny(decoded, `/\`) {
			return "", false
		}
	}
	path, plain = strings.CutPrefix(escaped, "/"+service)
	if strings.HasPrefix(path, "//") {
		path = path[1:]
	}
	return path, plain
}

// beginForwarded begins the answer with Voiceflow's header and what is left of the caller's
// rate. An error without a body that a program can read gets a body of the service.
func (x *exchange) beginForwarded(out *forward.Result) {
	answer, h := &out.Answer, x.c.Writer.Header()
	if answer.StatusCode >= http.StatusBadRequest && answer.ContentLength == 0 {
		message := "Voiceflow answered with status " + strconv.Itoa(answer.StatusCode) + " and nothing that can be passed on"
		if out.Endpoint.Writes && answer.StatusCode >= http.StatusInternalServerError {
			message += "; " + domain.LookFirst
		}
		b := say(message)
		b = append(b.member("code").text(codeOf(answer.StatusCode)).member("request_id").text(x.call.RequestID), '}')
		_ = answer.Body.Close()
		answer.Body, answer.ContentLength = io.NopCloser(strings.NewReader(string(b))), int64(len(b))
		answer.Header.Set("Content-Type", "application/json")
	}
	for name, values := range answer.Header {
		// The headers that are set so far are the service's own. Voiceflow's headers are added
		// to them.
		if name != "Set-Cookie" {
			h[name] = append(h[name], values...)
		}
	}
	setRate(h, out.Rate)
	// An answer of Voiceflow is not a page of this service. A browser that opens it must not run
	// its scripts with this service's cookies, and must not guess its type.
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'; frame-ancestors 'none'")
	if h.Get("Content-Type") == "" {
		h["Content-Type"] = nil
	}
	if isStream(h) {
		// nginx collects an answer before it passes it on, unless this header says no
		// (https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering).
		h.Set("X-Accel-Buffering", "no")
	}
	x.c.Writer.WriteHeader(answer.StatusCode)
}

// setEnvironment writes which environment the call used, and which version of it.
func setEnvironment(h http.Header, used domain.UsedEnvironment) {
	if used.Name != "" {
		h.Set("Flowlatch-Environment", used.Name)
	}
	if used.Stage != "" {
		h.Set("Flowlatch-Environment-Version", used.Stage)
	}
}

// isStream reports whether the header is that of server-sent events.
func isStream(h http.Header) bool {
	media, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(media), "text/event-stream")
}

// copyForwarded writes the body. It flushes each part of a body of unknown length. If the body
// breaks, or the caller does not read it, the answer is cut. Its header is sent even so: a browser
// may repeat a request that got no answer at all, and Voiceflow has carried this one out.
func (x *exchange) copyForwarded(w *renewingWriter, answer forward.Answer) {
	control := http.NewResponseController(w)
	flush := func() { _ = control.Flush() }
	inParts := answer.ContentLength < 0 || isStream(answer.Header)
	if inParts {
		flush() // the first part may take its time
	}
	buffer := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buffer)
	for {
		n, err := answer.Body.Read(buffer[:])
		if n > 0 {
			if _, err := w.Write(buffer[:n]); err != nil {
				x.cut = true
				return
			}
			if inParts {
				flush()
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			flush()
			x.giveUp(err)
			return
		}
	}
}

// buffers holds the buffers for copying answers.
var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// codeOf returns the stable word for an error of Voiceflow.
func codeOf(status int) string {
	if status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= http.StatusInternalServerError {
		return failures[domain.VoiceflowUnavailable].code
	}
	return failures[domain.VoiceflowRejected].code
}

// renewingWriter renews the deadline of an answer as its parts are written.
type renewingWriter struct {
	http.ResponseWriter

	patience time.Duration
	renewed  time.Time
}

// Write writes a part.
func (w *renewingWriter) Write(b []byte) (int, error) {
	if now := time.Now(); now.Sub(w.renewed) >= time.Second {
		_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(now.Add(w.patience))
		w.renewed = now
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap gives the writer to http.ResponseController.
func (w *renewingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
