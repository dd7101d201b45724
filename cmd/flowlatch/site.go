package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/adapters/ginhttp"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/internal/config"
)

// Site is the service and its parts.
type Site struct {
	Store   *bunstore.Store
	Service *app.Service
	Engine  *gin.Engine
}

// The limits of the server. The time for an answer includes the time of what it waits for. A
// long answer renews its deadline with each part.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 15 * time.Second
	idleTimeout   = 2 * time.Minute
	proxyIdle     = 16 * time.Minute
	writeSlack    = 15 * time.Second
	maxHeader     = 32 << 10
	// http2Buffer is how much of the bodies on a connection of HTTP/2 net/http may hold before
	// they are read, in bytes. The default is 1 MiB, which any stranger's connection would get.
	http2Buffer = 256 << 10
)

// serve answers requests until ctx is done, then waits until open requests have ended.
func (s Site) serve(ctx context.Context, cfg config.Config, l listener, asked hangups, log *slog.Logger) error {
	setUpMemory(cfg, log)
	server := &http.Server{
		Handler:           s.Engine,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      readTimeout + cfg.VoiceflowTimeout + 3*cfg.DatabaseTimeout + writeSlack,
		IdleTimeout:       idleFor(cfg),
		MaxHeaderBytes:    maxHeader,
		HTTP2:             &http.HTTP2Config{MaxReceiveBufferPerConnection: http2Buffer, MaxReceiveBufferPerStream: http2Buffer},
		ErrorLog:          newServerLog(log),
	}
	defer s.Service.Start(func(what string, err error) {
		log.Warn("a background task failed and will be tried again", "what", what, "err", err.Error())
	})()

	defer context.AfterFunc(ctx, func() { log.Info("stopping", "within", cfg.ShutdownTimeout.String()) })()
	var kept sync.WaitGroup
	keeping, stop := context.WithCancel(ctx)
	keep := upkeep{service: s.Service, store: s.Store, tokenFile: cfg.SecretFiles["KEYSET_KMS_TOKEN"], certificate: l.certificate, log: log, at: l.url()}
	kept.Go(func() { keep.run(keeping, asked) })
	defer kept.Wait()
	defer stop()
	err := ginhttp.Serve(ctx, server, l, cfg.ShutdownTimeout)
	if errors.Is(err, context.DeadlineExceeded) {
		log.Warn("requests that did not end in time were aborted")
		return nil
	}
	return err
}

// idleFor returns how long a connection may be idle. A proxy that reuses a connection just when
// this service closes it answers 502. So the proxy has to close first. Cloudflare closes after 900
// s, Google Cloud after 600 s, and nginx after 60 s:
// https://developers.cloudflare.com/fundamentals/reference/connection-limits/
// https://cloud.google.com/load-balancing/docs/https/request-distribution
// https://nginx.org/en/docs/http/ngx_http_upstream_module.html#keepalive_timeout
func idleFor(cfg config.Config) time.Duration {
	if len(cfg.TrustedProxies) > 0 {
		return proxyIdle
	}
	return idleTimeout
}

// listener is where HTTP is served.
type listener struct {
	net.Listener
	certificate *certificate // nil without HTTPS
}

// url returns the URL at which a program on this machine reaches the listener.
func (l listener) url() string { return localURL(l.Addr().String(), l.certificate != nil) }

// listen listens at the address, over TLS if a certificate is set.
func listen(cfg config.Config) (l listener, err error) {
	if cfg.TLS() {
		if l.certificate, err = newCertificate(cfg); err != nil {
			return listener{}, err
		}
	}
	if l.Listener, err = net.Listen("tcp", cfg.Addr); err != nil {
		return listener{}, fmt.Errorf("%sADDR can't be listened on: %w", config.Prefix, err)
	}
	if cfg.TLS() {
		l.Listener = tls.NewListener(l.Listener, l.certificate.config())
	}
	return l, nil
}
