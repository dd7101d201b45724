package ginhttp

import (
	"net/http"
	"strconv"

	"github.com/flowlatch/flowlatch/domain"
)

// healthz answers that the process runs.
func (a *api) healthz(x *exchange) error { return x.ok("alive") }

// readyz answers whether the service is ready, or serves reads only. It tells strangers nothing
// about the cause. An admin is also told how many keys of assistants have to be set again.
func (a *api) readyz(x *exchange) error {
	if err := a.service.Keyset().Ready(x.ctx()); err != nil {
		public := "not ready"
		if domain.IsReadsOnly(err) {
			public = "reads only"
		}
		return &domain.Error{Kind: domain.Unavailable, Public: public, Cause: err}
	}
	b := say("ready")
	if n, told := a.toReenter(x); told {
		b = strconv.AppendInt(b.member("needs_reentry"), int64(n), 10)
	}
	x.send(http.StatusOK, b)
	return nil
}

// toReenter returns how many keys have to be set again. told is false if the caller is not an
// admin or the number can't be found now. Neither is a failure of the probe.
func (a *api) toReenter(x *exchange) (n int, told bool) {
	if x.c.Request.Method == http.MethodHead {
		return 0, false
	}
	if err := a.whoCalls(x); err != nil {
		return 0, false
	}
	n, err := a.service.Keyset().ToReenter(x.ctx(), x.call)
	return n, err == nil
}
