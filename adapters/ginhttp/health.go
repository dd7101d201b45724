package ginhttp

import "github.com/flowlatch/flowlatch/domain"

// healthz says that the process lives.
func (a *api) healthz(x *exchange) error { return x.ok("alive") }

// readyz says whether the service can serve. Strangers are not told what is wrong.
func (a *api) readyz(x *exchange) error {
	if err := a.service.Ready(x.ctx()); err != nil {
		return &domain.Error{Kind: domain.Unavailable, Public: "not ready", Cause: err}
	}
	return x.ok("ready")
}
