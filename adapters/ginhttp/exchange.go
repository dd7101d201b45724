package ginhttp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/flowlatch/flowlatch/app/forward"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// exchange is one request and its answer.
type exchange struct {
	c       *gin.Context
	route   *route
	call    domain.Call
	started time.Time // on the process's clock, because the time that an answer takes does not concern the service
	err     error     // the error of the request, for the log
	asked   string    // the object of the request, for the audit if the request is refused

	cookies   map[domain.SessionKind]heldCookie // the cookies that were looked at
	held      *ports.Held                       // the bodies and answers in memory; nil counts nothing
	forwarded forward.Result                    // the result of a forwarded call
	cut       bool                              // the answer was aborted after it had begun
	page      *pageExchange                     // what an adapter for pages sees; nil if the answer is JSON
	deadline  time.Time                         // when the deadline of a forwarded answer was set
}

// ctx returns the context of the request, which knows what the request holds in memory.
func (x *exchange) ctx() context.Context { return ports.WithHeld(x.c.Request.Context(), x.held) }

// serve runs the steps that all routes have in common.
func (a *api) serve(c *gin.Context, rt *route) {
	x := &exchange{c: c, route: rt, started: time.Now()}
	if a.answersPage(x) {
		x.page = &pageExchange{exchange: x, api: a}
	}
	defer a.end(x)
	defer func() { x.held.Release() }()
	if err := a.run(x); err != nil {
		x.err = err
		a.recordRefusal(x)
		x.fail(err)
	}
}

// run does the steps of a request in this order: request id, origin, no Voiceflow key, who calls, whether they are
// an admin, their rate of changes, and the route, which begins with its body. end does the recovery.
func (a *api) run(x *exchange) error {
	id, err := a.service.NewRequestID()
	x.call = domain.Call{RequestID: id, Address: a.addressOf(x.c), Agent: x.c.Request.UserAgent()}
	x.held = a.service.Hold(x.call)
	h := x.c.Writer.Header()
	h.Set("X-Request-Id", id)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if err != nil {
		return err
	}
	if x.route.page == nil && a.origins.answer(x.c) {
		return nil
	}
	if err := a.admit(x); err != nil {
		return err
	}
	return a.stillAllowed(x, x.route.handle(a, x))
}

// admit checks the origin and the credentials of a request, finds out who calls, and charges their
// rate of changes.
func (a *api) admit(x *exchange) error {
	if !x.route.noUseCase {
		if err := a.origins.check(x.c.Request); err != nil && !x.sentUnreferred() {
			return err
		}
	}
	if err := x.checkNoVoiceflowKey(); err != nil {
		return err
	}
	if err := a.identifyCaller(x); err != nil {
		return err
	}
	a.renewAssistant(x)
	if x.route.who == admin || x.route.who == caller {
		if err := x.route.admits(x.call.Caller); err != nil {
			return err
		}
	}
	if x.route.counts() {
		return a.service.CountChange(x.call.Caller)
	}
	return nil
}

// identifyCaller finds out who calls, unless the route is for anyone or the use case finds that out.
func (a *api) identifyCaller(x *exchange) error {
	if x.route.page != nil && x.route.who != anyone && x.page.ShowsToken() {
		return a.noTokens(x)
	}
	if x.route.who == anyone || x.route.who == usesAssistant && a.own {
		return nil
	}
	if err := a.whoCalls(x); err != nil {
		return err
	}
	x.held.For(domain.HolderOf(x.call.Caller, x.call.Address))
	return nil
}

// belowVoiceflow reports whether the path has no route but is one of those for forwarded calls.
func (x *exchange) belowVoiceflow() bool {
	path, below := strings.CutPrefix(x.c.Request.URL.Path, "/voiceflow")
	return x.route.path == "" && below && (path == "" || path[0] == '/')
}

// end recovers from a panic and logs the request. It cuts an answer that was aborted, so that
// the client sees an error.
func (a *api) end(x *exchange) {
	if v := recover(); v != nil {
		a.recovered(x, v)
	}
	a.logRequest(x)
	if (x.err != nil || x.route == &forwarded) && !x.cut {
		a.drain(x)
	}
	if x.cut {
		// A host's recovery may catch the panic. After its deadline, the connection can't end
		// the answer cleanly either.
		_ = http.NewResponseController(x.c.Writer).SetWriteDeadline(time.Unix(1, 0))
		x.reset()
		panic(http.ErrAbortHandler)
	}
}

// drainTime is how long the rest of a body is read. By then a proxy has read the answer.
const drainTime = 5 * time.Second

// drain reads the rest of a body that nobody needs, after the answer was sent. It reads no more
// than four times what a forwarded body may have. A server that closes a connection while the body
// still comes makes the system discard the answer on its way, and nginx says 502. net/http reads
// 256 KiB, and nothing if the client has asked for the connection to be closed.
func (a *api) drain(x *exchange) {
	r := x.c.Request
	if r.ContentLength == 0 || r.ProtoMajor > 1 {
		return
	}
	control := http.NewResponseController(x.c.Writer)
	if control.Flush() != nil {
		return
	}
	// The deadline of the server stays, if it is earlier.
	over := make(chan struct{})
	timer := time.AfterFunc(drainTime, func() {
		defer close(over)
		_ = control.SetReadDeadline(time.Unix(1, 0))
	})
	defer func() {
		if !timer.Stop() {
			<-over // the next request on this connection has a deadline of its own
		}
	}()
	var buffer [4 << 10]byte // small, because many strangers may be refused at once
	for left := 4 * a.maxBody; left > 0; {
		n, err := r.Body.Read(buffer[:])
		if err != nil {
			return
		}
		left -= int64(n)
	}
}

// reset resets the connection of a client that speaks HTTP/1.0, as nginx does by default. Such an
// answer has no length, and its end is that of the connection. So only a reset tells an answer that
// was cut from one that is complete.
func (x *exchange) reset() {
	if x.c.Request.ProtoAtLeast(1, 1) {
		return
	}
	// gin refuses this once an answer has begun. net/http does not.
	var server http.ResponseWriter = x.c.Writer
	for {
		wrapped, ok := server.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		server = wrapped.Unwrap()
	}
	conn, _, err := http.NewResponseController(server).Hijack()
	if err != nil {
		return
	}
	below := conn
	if encrypted, ok := conn.(interface{ NetConn() net.Conn }); ok {
		below = encrypted.NetConn()
	}
	if tcp, ok := below.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = below.Close()
}

// recovered turns a panic into an answer of an internal failure. If an answer has begun, it is
// aborted.
func (a *api) recovered(x *exchange, v any) {
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		x.cut = true
		return
	}
	a.logPanic(x, v, debug.Stack())
	err := fmt.Errorf("panic: %v", v)
	if x.c.Writer.Written() {
		x.giveUp(err)
		return
	}
	x.fail(err)
}

// giveUp aborts an answer that has begun and can't be completed.
func (x *exchange) giveUp(err error) { x.err, x.cut = err, true }

// send writes a whole answer.
func (x *exchange) send(status int, b answer) {
	b = append(b, '}')
	x.c.Writer.Header().Set("Content-Length", strconv.Itoa(len(b)))
	x.begin(status)
	// An error means that the client is gone, so nobody can be told.
	_, _ = x.c.Writer.Write(b)
}

// begin writes what comes before the body of an answer.
func (x *exchange) begin(status int) {
	x.c.Writer.Header().Set("Content-Type", "application/json")
	x.c.Writer.WriteHeader(status)
}

// ok sends an answer with only a message.
func (x *exchange) ok(message string) error {
	x.send(http.StatusOK, say(message))
	return nil
}
