package ginhttp

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// forward passes a call on to Voiceflow and the answer back. The client of Voiceflow, behind
// the use case, makes what goes there and what comes back.
func (a *api) forward(x *exchange) error {
	// A writer that knows no deadlines has none to move. A turn whose session has to be
	// started again takes twice the time at most.
	now := time.Now()
	_ = http.NewResponseController(x.c.Writer).SetWriteDeadline(now.Add(a.timeout + a.patience))
	in, ok := a.forwardedCall(x)
	if !ok {
		return errNotForwarded
	}
	r := a.callersRequest(x)
	// A transport may still read in the body when the answer has come. It reads no further
	// than this.
	defer func(body io.Closer) { _ = body.Close() }(r.Body)
	out, err := a.service.Forward(x.ctx(), x.call, in, r)
	x.forwarded, x.call.Caller = out, out.Caller
	a.cookies.renew(x, userCookie, out.UserCookie)
	a.cookies.renew(x, assistantCookie, out.AssistantCookie)
	if err != nil {
		if _, over := errors.AsType[*http.MaxBytesError](err); over {
			return &domain.Error{Kind: tooLarge, Cause: err}
		}
		return err
	}
	defer func() { _ = out.Response.Body.Close() }()
	x.beginForwarded(out)
	w := &renewingWriter{ResponseWriter: x.c.Writer, patience: a.patience, renewed: now}
	x.copyForwarded(w, out.Response)
	return nil
}

// forwardedCall is the call that the request asks for. It says no for a path that can be
// read in two ways.
func (a *api) forwardedCall(x *exchange) (in app.Forward, ok bool) {
	r := x.c.Request
	service := x.c.Param("service")
	path, plain := behindService(x.c.FullPath(), r.URL.EscapedPath(), service)
	if !plain {
		return app.Forward{}, false
	}
	in = app.Forward{
		Service: service, Path: path,
		UserCookie: onlyCookie(r, userCookie), AssistantCookie: onlyCookie(r, assistantCookie),
	}
	if values := r.Header["Authorization"]; len(values) == 1 {
		in.Handle = withoutBearer(values[0])
	}
	if a.own {
		var shown bool
		if in.Token, shown = accessToken(r); shown && in.Token.IsZero() {
			in.Token = domain.NewSecret("several")
		}
	}
	return in, true
}

// callersRequest is the request with a body that has its limits of size and time. It is
// not the server's own request: by the body of that the server sees what it has to do with
// the rest of it.
func (a *api) callersRequest(x *exchange) *http.Request {
	r := x.c.Request.WithContext(x.ctx())
	switch {
	case r.ContentLength == 0:
		r.Body = http.NoBody
		return r
	case r.ContentLength > a.maxBody:
		// It is refused where it would be read, which is after who calls.
		r.Body = struct {
			io.Reader
			io.Closer
		}{tooLargeBody(a.maxBody), r.Body}
	default:
		r.Body = http.MaxBytesReader(x.c.Writer, r.Body, a.maxBody)
	}
	control := http.NewResponseController(x.c.Writer)
	r.Body = &patientBody{ReadCloser: r.Body, begin: func() { _ = control.SetReadDeadline(time.Now().Add(a.timeout)) }}
	return r
}

// patientBody gives a body the time of a forwarded call when it is first read, which is
// once it is known who calls: a stranger has no more time than on any other route.
// Without a body nothing is read, and the server reads on already, to see when the caller
// leaves: a deadline would look to it as if they had.
type patientBody struct {
	io.ReadCloser

	begin func() // nil when it was called
}

// Read reads on.
func (b *patientBody) Read(p []byte) (int, error) {
	if b.begin != nil {
		b.begin()
		b.begin = nil
	}
	return b.ReadCloser.Read(p)
}

// forwardSlack is how long the caller has to take what came at the last moment.
const forwardSlack = 30 * time.Second

// tooLargeBody is a body that was announced as larger than the limit.
type tooLargeBody int64

func (limit tooLargeBody) Read([]byte) (int, error) {
	return 0, &http.MaxBytesError{Limit: int64(limit)}
}

// behindService is the part of an escaped path that stands for *path in full, the path of
// the route: what comes behind the service. It says no for a path that has other segments
// as it was sent than it has decoded, by which the router went.
func behindService(full, escaped, service string) (path string, plain bool) {
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
	return strings.CutPrefix(escaped, "/"+service)
}

// beginForwarded begins the answer with Voiceflow's header, and with what is left of the
// caller's rate. An error whose own body is nothing for a program gets one of ours.
func (x *exchange) beginForwarded(out app.Forwarded) {
	response, h := out.Response, x.c.Writer.Header()
	if response.StatusCode >= http.StatusBadRequest && response.ContentLength == 0 {
		b := say("Voiceflow answered with status " + strconv.Itoa(response.StatusCode) + " and nothing that can be passed on")
		b = append(b.member("code").text(codeOf(response.StatusCode)).member("request_id").text(x.call.RequestID), '}')
		_ = response.Body.Close()
		response.Body, response.ContentLength = io.NopCloser(strings.NewReader(string(b))), int64(len(b))
		response.Header.Set("Content-Type", "application/json")
	}
	for name, values := range response.Header {
		// What is set by now is ours, and nothing else is.
		if name != "Set-Cookie" {
			h[name] = append(h[name], values...)
		}
	}
	setRate(h, out.Rate)
	// Whatever Voiceflow answers is no page of ours: a browser that is led there runs no
	// script of it with our cookies, and does not guess what it might be.
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'; frame-ancestors 'none'")
	if h.Get("Content-Type") == "" {
		h["Content-Type"] = nil
	}
	x.c.Writer.WriteHeader(response.StatusCode)
}

// copyForwarded writes the body. What has no known length goes on as it comes. A body that
// breaks, or that the caller does not take, cuts the answer.
func (x *exchange) copyForwarded(w *renewingWriter, response *http.Response) {
	flush := func() {}
	if response.ContentLength < 0 || strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		control := http.NewResponseController(w)
		flush = func() { _ = control.Flush() }
		flush() // the first part may take its time
	}
	buffer := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buffer)
	for {
		n, err := response.Body.Read(buffer[:])
		if n > 0 {
			if _, err := w.Write(buffer[:n]); err != nil {
				x.cut = true
				return
			}
			flush()
		}
		switch {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			x.giveUp(err)
			return
		}
	}
}

// buffers are the buffers that answers are copied through.
var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// codeOf is the stable word for an error of Voiceflow's.
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
