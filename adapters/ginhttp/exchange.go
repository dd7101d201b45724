package ginhttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/flowlatch/flowlatch/app/forward"
	"github.com/flowlatch/flowlatch/domain"
)

// exchange is one request and its answer.
type exchange struct {
	c       *gin.Context
	route   *route
	call    domain.Call
	started time.Time // of the process's clock: how long an answer took is no business of the service's
	err     error     // what the request failed with, for the log
	asked   string    // what it is about, for the audit, should it be refused

	forwarded forward.Result // of a call that is forwarded
	cut       bool           // the answer was given up after it had begun
}

func (x *exchange) ctx() context.Context { return x.c.Request.Context() }

// serve takes a request through everything that the routes have in common.
func (a *api) serve(c *gin.Context, rt *route) {
	x := &exchange{c: c, route: rt, started: time.Now()}
	defer a.end(x)
	if err := a.run(x); err != nil {
		x.err = err
		a.recordRefusal(x)
		x.fail(err)
	}
}

// run is the order of a request: request id, (recovery, which is in end), origin, who
// calls, whether they are an admin, and the route, which begins with its body.
func (a *api) run(x *exchange) error {
	id, err := a.service.NewRequestID()
	x.call = domain.Call{RequestID: id, Address: addressOf(x.c), Agent: x.c.Request.UserAgent()}
	h := x.c.Writer.Header()
	h.Set("X-Request-Id", id)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if err != nil {
		return err
	}
	if a.origins.answer(x.c) {
		return nil
	}
	if !x.route.nowhere {
		if err := a.origins.check(x.c.Request); err != nil {
			return err
		}
	}
	if x.route.who != anyone && (x.route.who != usesAssistant || !a.own) {
		if err := a.whoCalls(x); err != nil {
			return err
		}
		if !x.route.opensFor(x.call.Caller) {
			return &domain.Error{Kind: domain.NotAuthenticated, Public: "this takes a login; an access token does not open it"}
		}
	}
	a.renewAssistant(x)
	if x.route.who == admin {
		if err := x.call.Caller.MayManage(); err != nil {
			return err
		}
	}
	return x.route.handle(a, x)
}

// addressOf is the client's IP address as the router knows it, "" where it knows none: a
// platform's header that a host trusts may hold any text, and a Unix socket has no address.
func addressOf(c *gin.Context) string {
	address := c.ClientIP()
	if _, err := netip.ParseAddr(address); err != nil {
		return ""
	}
	return address
}

// end recovers from a panic, logs the request and, if the answer was given up, cuts it
// so that the client sees an error.
func (a *api) end(x *exchange) {
	if v := recover(); v != nil {
		a.recovered(x, v)
	}
	a.logRequest(x)
	if x.cut {
		// A host's recovery may catch the panic: past its deadline the connection can't
		// bring the answer to a clean end all the same.
		_ = http.NewResponseController(x.c.Writer).SetWriteDeadline(time.Unix(1, 0))
		panic(http.ErrAbortHandler)
	}
}

// recovered turns a panic into the answer of an internal failure, or into a cut answer
// where one has begun.
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

// giveUp ends an answer that has begun and can't be brought to its end.
func (x *exchange) giveUp(err error) { x.err, x.cut = err, true }

// send writes a whole answer.
func (x *exchange) send(status int, b answer) {
	b = append(b, '}')
	x.c.Writer.Header().Set("Content-Length", strconv.Itoa(len(b)))
	x.begin(status)
	// An error means that the client has gone, and there is nobody left to tell.
	_, _ = x.c.Writer.Write(b)
}

// begin sets what comes before the body of an answer.
func (x *exchange) begin(status int) {
	x.c.Writer.Header().Set("Content-Type", "application/json")
	x.c.Writer.WriteHeader(status)
}

// ok sends an answer that says message and nothing else.
func (x *exchange) ok(message string) error {
	x.send(http.StatusOK, say(message))
	return nil
}
