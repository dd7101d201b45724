package main

import (
	"context"
	"net"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/config"
	"github.com/flowlatch/flowlatch/internal/ownership"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type serveCommand struct {
	kong.Plugins // the flags
}

// Help is shown by --help.
func (serveCommand) Help() string {
	return `Serves the routes until SIGTERM or SIGINT, then waits until open requests have ended. Without settings, the data are in a SQLite file in ./flowlatch-data. While there is no user, the command prints a link that creates the first admin.

Each flag names its environment variable. A flag wins over the variable. Secrets have no flag: set FLOWLATCH_DATABASE_URL, FLOWLATCH_KEYSET and FLOWLATCH_KEYSET_KMS_TOKEN, or name a file in the same variable with _FILE at its end. SIGHUP reads the certificate, the keyset and the files of secrets again. Under systemd, use Type=notify.

The command refuses a data folder, a database or a keyset that other users can change, and names the command that corrects it. The command prints messages for people on standard output, and logs JSON lines on standard error.

    flowlatch serve
    FLOWLATCH_DATABASE_URL_FILE=/run/secrets/database flowlatch serve --addr :8443 --tls-cert-file cert.pem --tls-key-file key.pem`
}

// Run serves until a signal ends it.
func (c serveCommand) Run(ctx context.Context, asked hangups) error {
	cfg, warnings, err := readConfig(config.Source{Flags: config.GivenFlags(c.Plugins)})
	if err != nil {
		return err
	}
	log, closeLog := newLog(cfg)
	defer closeLog()
	for _, w := range warnings {
		log.Warn("a setting is unknown", "warning", w)
	}
	if err := checkFiles(dataFiles(cfg, true)); err != nil {
		return err
	}
	_ = distrusted(givenFiles(cfg), ownership.Self(), func(err error) error {
		log.Warn("somebody else can change a file", "warning", err.Error())
		return nil
	})
	if err := openFolder(cfg, makesFolder, cfg.OwnDatabase() || cfg.OwnKeyset()); err != nil {
		return err
	}
	site, closeAll, err := openSite(ctx, cfg, sayOnStdout, log)
	if err != nil {
		return err
	}
	defer closeAll()
	l, err := listen(cfg)
	if err != nil {
		return err
	}
	first, err := noUsersYet(ctx, cfg, site.Service, l.url())
	if err != nil {
		_ = l.Close()
		return err
	}
	sayOnStdout("database: " + terminal.Visible(site.Store.Describe()))
	sayOnStdout("Voiceflow: " + strings.Join([]string{
		cfg.VoiceflowAPIURL, cfg.VoiceflowRuntimeURL, cfg.VoiceflowAnalyticsURL, cfg.VoiceflowRealtimeURL,
	}, " "))
	sayOnStdout("listening on " + l.url())
	if first != "" {
		sayOnStdout(first)
	}
	if secureCookiesGetLost(cfg) {
		log.Warn("cookies are Secure, but this service speaks plain HTTP: browsers keep the cookies only if a proxy in front speaks HTTPS")
	}
	return site.serve(ctx, cfg, l, asked, log)
}

// secureCookiesGetLost reports whether browsers may reach the service over plain HTTP from another
// machine. Then they do not keep Secure cookies. A base URL says how browsers reach it.
func secureCookiesGetLost(cfg config.Config) bool {
	if !cfg.CookieSecure || cfg.TLS() || cfg.BaseURL.HTTPS() {
		return false
	}
	if cfg.BaseURL != (domain.BaseURL{}) {
		return !config.IsLoopback(cfg.BaseURL.Host())
	}
	host, _, err := net.SplitHostPort(cfg.Addr)
	return err != nil || !config.IsLoopback(host)
}
