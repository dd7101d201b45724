package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/flowlatch/flowlatch/internal/config"
)

type healthcheckCommand struct{}

// Help is shown by --help.
func (healthcheckCommand) Help() string {
	return `Asks /readyz at FLOWLATCH_ADDR, over HTTPS if a certificate is set. The exit code is 0 if the service is ready, and 1 if not. Use it as the health check of a container.

    flowlatch healthcheck`
}

// Run asks once.
func (healthcheckCommand) Run(ctx context.Context) error {
	cfg, _, err := readConfig(config.Source{}) // serve has printed the warnings
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	ready := localURL(cfg.Addr, cfg.TLS()) + "/readyz"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, ready, nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{
		// The certificate is for the public name, not for this address. The request and the
		// answer contain no secret.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("the service does not answer: %w", err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the service is not ready: %s answers %s", ready, resp.Status)
	}
	return nil
}

// localURL returns the URL at which a program on this machine reaches the listener at addr.
func localURL(addr string, overTLS bool) string {
	host, port, err := net.SplitHostPort(addr)
	if ip, ipErr := netip.ParseAddr(host); err == nil && (host == "" || ipErr == nil && ip.IsUnspecified()) {
		host = "127.0.0.1" // it listens on all addresses
	}
	u := url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)}
	if overTLS {
		u.Scheme = "https"
	}
	return u.String()
}
