package ginhttp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// logRequest writes the line of a request. The line has no path, query, header or body as the
// client wrote it, except what origins.met returns.
func (a *api) logRequest(x *exchange) {
	level := x.level()
	if !a.log.Enabled(x.ctx(), level) {
		return
	}
	attrs := make([]slog.Attr, 0, 16)
	attrs = append(attrs,
		slog.String("request_id", x.call.RequestID),
		slog.String("method", knownMethod(x.c.Request.Method)),
		slog.String("route", x.c.FullPath()),
		slog.Int("status", x.c.Writer.Status()),
		slog.Float64("duration_ms", float64(time.Since(x.started).Microseconds())/1000),
		slog.Int("bytes", max(0, x.c.Writer.Size())),
		slog.String("address", x.call.Address),
	)
	if e := x.forwarded.Endpoint; e != nil {
		attrs = append(attrs, slog.String("endpoint", string(e.Service)+e.Path))
	}
	if x.call.Caller.ID != "" {
		attrs = append(attrs, slog.String("user", string(x.call.Caller.ID)))
	}
	if x.call.Caller.Token != "" {
		attrs = append(attrs, slog.String("token", string(x.call.Caller.Token)))
	}
	if x.err != nil {
		f := failureOf(x.err)
		attrs = append(attrs, slog.String("code", f.code))
		if f.elsewhere >= http.StatusInternalServerError || errors.Is(x.err, domain.ErrProviderAnswer) {
			attrs = append(attrs, slog.String("err", x.err.Error()))
		}
		if domain.KindOf(x.err) == crossOrigin {
			attrs = append(attrs, a.origins.met(x.c.Request)...)
		}
	}
	if x.cut {
		attrs = append(attrs, slog.Bool("cut", true))
	}
	a.log.LogAttrs(x.ctx(), level, "request", attrs...)
}

// level is error for a failure of the service and for an outage, and warning for a refusal.
func (x *exchange) level() slog.Level {
	if x.err == nil {
		if x.route.probe {
			return slog.LevelDebug
		}
		return slog.LevelInfo
	}
	switch status := failureOf(x.err).elsewhere; {
	case errors.Is(x.err, context.Canceled) && x.ctx().Err() != nil:
		return slog.LevelInfo // the client left, which ended the work
	case status >= http.StatusInternalServerError:
		return slog.LevelError
	case x.refused():
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// logPanic writes where a panic happened.
func (a *api) logPanic(x *exchange, v any, stack []byte) {
	a.log.LogAttrs(x.ctx(), slog.LevelError, "panic",
		slog.String("request_id", x.call.RequestID),
		slog.String("route", x.c.FullPath()),
		slog.String("err", fmt.Sprint(v)),
		slog.String("stack", string(stack)),
	)
}

// knownMethod keeps methods that a client made up out of the log.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	}
	return "other"
}
