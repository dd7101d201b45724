package ginhttp

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// forward passes a call on to Voiceflow and the answer back. What goes there and what
// comes back is made by the client of Voiceflow, behind the use case.
func (a *api) forward(x *exchange) error {
	p := &passage{exchange: x, api: a}
	own := x.c.Request
	// A request of its own: by the body of the server's the server sees what it has to do
	// with the rest of it.
	r := own.WithContext(context.WithValue(own.Context(), passageKey{}, p))
	if r.ContentLength > a.maxBody {
		// It is refused where it would be read, which is after who calls.
		r.Body = struct {
			io.Reader
			io.Closer
		}{tooLargeBody(a.maxBody), r.Body}
	} else {
		r.Body = http.MaxBytesReader(x.c.Writer, r.Body, a.maxBody)
	}
	control := http.NewResponseController(x.c.Writer)
	r.Body = &patientBody{ReadCloser: r.Body, begin: func() { _ = control.SetReadDeadline(time.Now().Add(a.timeout)) }}
	now := time.Now()
	// A turn whose session has to be opened anew takes twice the time at most. A writer
	// that knows no deadlines has none to move.
	_ = control.SetWriteDeadline(now.Add(a.timeout + a.patience))
	// The proxy would look after it before anybody is asked who calls. None is forwarded.
	r.Header.Del("Upgrade")
	a.proxy.ServeHTTP(&renewingWriter{ResponseWriter: x.c.Writer, patience: a.patience, renewed: now}, r)
	if _, over := errors.AsType[*http.MaxBytesError](p.err); over {
		return &domain.Error{Kind: tooLarge, Cause: p.err}
	}
	return p.err
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

// passage is a call on its way through the proxy.
type passage struct {
	*exchange

	api *api
	err error // why there is no answer
}

type passageKey struct{}

// newProxy is the proxy of all forwarded calls.
func newProxy(s *app.Service) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		// The client of Voiceflow makes the whole request anew.
		Rewrite:        func(*httputil.ProxyRequest) {},
		Transport:      through{s},
		ModifyResponse: answerOf,
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			r.Context().Value(passageKey{}).(*passage).err = err
		},
		BufferPool: &buffers{},
		// It would write lines of its own about callers who leave in the middle.
		ErrorLog: log.New(io.Discard, "", 0),
	}
}

// through is the transport of the proxy: the use case.
type through struct{ service *app.Service }

func (t through) RoundTrip(r *http.Request) (*http.Response, error) {
	p := r.Context().Value(passageKey{}).(*passage)
	own := p.c.Request
	// The query as it was sent: the proxy has left out what it could not read.
	r.URL.RawQuery = own.URL.RawQuery
	path, plain := behindService(p.c.FullPath(), own.URL.EscapedPath(), p.c.Param("service"))
	if !plain {
		return nil, errNotForwarded
	}
	in := app.Forward{
		Service: p.c.Param("service"), Path: path,
		UserCookie: onlyCookie(own, userCookie), AssistantCookie: onlyCookie(own, assistantCookie),
	}
	if values := own.Header["Authorization"]; len(values) == 1 {
		in.Handle = withoutBearer(values[0])
	}
	if p.api.own {
		var shown bool
		if in.Token, shown = accessToken(own); shown && in.Token.IsZero() {
			in.Token = domain.NewSecret("several")
		}
	}
	// Not the proxy's context: in it hang hooks that would pass on what Voiceflow says
	// before its answer.
	out, err := t.service.Forward(own.Context(), p.call, in, r)
	p.forwarded, p.call.Caller = out, out.Caller
	p.api.cookies.renew(p.exchange, userCookie, out.UserCookie)
	p.api.cookies.renew(p.exchange, assistantCookie, out.AssistantCookie)
	if err != nil {
		return nil, err
	}
	out.Response.Request = r // by which the proxy finds the passage again
	return out.Response, nil
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

// answerOf finishes an answer of Voiceflow's: with what is left of the caller's rate, and
// with a body of ours for an error whose own is nothing for a program.
func answerOf(response *http.Response) error {
	p := response.Request.Context().Value(passageKey{}).(*passage)
	setRate(response.Header, p.forwarded.Rate)
	// What is set by now is ours, and nothing else is.
	response.Header.Del("Set-Cookie")
	// Whatever Voiceflow answers is no page of ours: a browser that is led there runs no
	// script of it with our cookies, and does not guess what it might be.
	response.Header.Set("Content-Security-Policy", "sandbox; default-src 'none'; frame-ancestors 'none'")
	if response.Header.Get("Content-Type") == "" {
		p.c.Writer.Header()["Content-Type"] = nil
	}
	if response.StatusCode >= http.StatusBadRequest && response.ContentLength == 0 {
		b := say("Voiceflow answered with status " + strconv.Itoa(response.StatusCode) + " and nothing that can be passed on")
		b = append(b.member("code").text(codeOf(response.StatusCode)).member("request_id").text(p.call.RequestID), '}')
		_ = response.Body.Close()
		response.Body, response.ContentLength = io.NopCloser(strings.NewReader(string(b))), int64(len(b))
		response.Header.Set("Content-Type", "application/json")
	}
	response.Body = notedBody{response.Body, p.exchange}
	return nil
}

// notedBody notes for the log why an answer could not be read to its end.
type notedBody struct {
	io.ReadCloser

	x *exchange
}

// Read reads on.
func (b notedBody) Read(into []byte) (int, error) {
	n, err := b.ReadCloser.Read(into)
	if err != nil && !errors.Is(err, io.EOF) {
		b.x.err = err
	}
	return n, err
}

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

// buffers are the buffers that answers are copied through, of the size that the proxy
// would make for each.
type buffers struct{ pool sync.Pool }

// Get returns a buffer.
func (b *buffers) Get() []byte {
	if pooled, ok := b.pool.Get().(*[32 << 10]byte); ok {
		return pooled[:]
	}
	return make([]byte, 32<<10)
}

// Put takes a buffer back.
func (b *buffers) Put(buffer []byte) { b.pool.Put((*[32 << 10]byte)(buffer)) }
