package ginhttp

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"

	"github.com/gin-gonic/gin"

	"github.com/flowlatch/flowlatch/domain"
)

// proxies finds out where a request comes from.
type proxies struct {
	trusted domain.Proxies
	router  bool // a host's router decides instead

	untrusted, unreadable sync.Once // the warnings, which are logged once
}

func newProxies(trusted []string, mounted bool) (*proxies, error) {
	networks, err := domain.ParseProxies(trusted)
	return &proxies{trusted: networks, router: mounted && !networks.Any()}, err
}

// addressOf returns the client's IP address, or "" if there is none. Only X-Forwarded-For counts,
// and only from trusted proxies. Anybody can write X-Real-IP, Forwarded or CF-Connecting-IP, and
// most proxies pass them on as they are.
func (a *api) addressOf(c *gin.Context) string {
	if a.proxies.router {
		return addressByRouter(c)
	}
	address, doubt := a.proxies.trusted.Client(c.Request.RemoteAddr, c.Request.Header["X-Forwarded-For"])
	a.doubt(c.Request.Context(), doubt, c.RemoteIP())
	return address
}

// doubt logs the first doubt of a kind. A wrong setting makes every request doubtful.
func (a *api) doubt(ctx context.Context, doubt domain.Doubt, peer string) {
	const untrusted = "X-Forwarded-For came from an address that is not a trusted proxy, and was ignored. " +
		"If a proxy of yours has this address, add it to FLOWLATCH_TRUSTED_PROXIES. This is said once."
	const unreadable = "A trusted proxy sent an X-Forwarded-For with an item that is no address, so the proxy's own address counts. " +
		"Let the proxy append the address of its client. This is said once."
	switch doubt {
	case domain.UntrustedSender:
		a.proxies.untrusted.Do(func() { a.log.LogAttrs(ctx, slog.LevelWarn, untrusted, slog.String("address", peer)) })
	case domain.UnreadableSender:
		a.proxies.unreadable.Do(func() { a.log.LogAttrs(ctx, slog.LevelWarn, unreadable, slog.String("address", peer)) })
	case domain.NoDoubt:
	}
}

// addressByRouter returns the client's IP address as a host's router finds it. A platform's header
// that a host trusts can hold any text, and a Unix socket has no address.
func addressByRouter(c *gin.Context) string {
	address := c.ClientIP()
	if _, err := netip.ParseAddr(address); err != nil {
		return ""
	}
	return address
}
