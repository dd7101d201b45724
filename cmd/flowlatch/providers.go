package main

//go:generate go tool wire

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/flowlatch/flowlatch/adapters/argon2"
	"github.com/flowlatch/flowlatch/adapters/auditfolder"
	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/adapters/console"
	"github.com/flowlatch/flowlatch/adapters/ginhttp"
	"github.com/flowlatch/flowlatch/adapters/oidclogin"
	"github.com/flowlatch/flowlatch/adapters/throttle"
	"github.com/flowlatch/flowlatch/adapters/tinkcipher"
	"github.com/flowlatch/flowlatch/adapters/vaulttransit"
	"github.com/flowlatch/flowlatch/adapters/voiceflow"
	"github.com/flowlatch/flowlatch/adapters/webhook"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/app/pages"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/config"
	"github.com/flowlatch/flowlatch/ports"
)

func newClock() ports.Clock { return time.Now }

func newRandom() io.Reader { return rand.Reader }

// openStore opens the database. If the database can't be reached, it prints a line and tries
// again, until DatabaseWait is over.
func openStore(ctx context.Context, cfg config.Config, clock ports.Clock, tell say, log *slog.Logger) (*bunstore.Store, func(), error) {
	waiting, cancel := context.WithTimeout(ctx, cfg.DatabaseWait)
	defer cancel()
	options := bunstore.Options{Now: clock, MaxConns: cfg.DatabaseMaxConns, Timeout: cfg.DatabaseTimeout, Log: log}
	if cfg.DatabasePooled {
		options.Pooler = bunstore.PoolerTransaction
	}
	if file, ok := cfg.SecretFiles["DATABASE_URL"]; ok { // a rotation of the password rewrites it
		options.Renew = func(context.Context) (domain.Secret, error) { return config.ReadSecret(file) }
	}
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		store, err := bunstore.Open(ctx, cfg.Database(), options)
		if err == nil {
			return store, func() { _ = store.Close() }, nil
		}
		if domain.KindOf(err) != domain.Unavailable || waiting.Err() != nil {
			return nil, nil, ofDatabase(cfg, err)
		}
		tell("the database can't be reached yet: " + sentence(err))
		select {
		case <-waiting.Done():
			return nil, nil, ofDatabase(cfg, err)
		case <-again.C:
		}
	}
}

func storePorts(store *bunstore.Store) ports.Store { return store.Ports() }

// ofDatabase adds the name of the setting to err.
func ofDatabase(cfg config.Config, err error) error {
	if cfg.OwnDatabase() {
		return err
	}
	return &domain.Error{Kind: domain.KindOf(err), Public: config.Prefix + "DATABASE_URL", Cause: err}
}

func newCipher(cfg config.Config, clock ports.Clock) (*tinkcipher.Cipher, error) {
	wrap, err := newWrap(cfg)
	if err != nil {
		return nil, err
	}
	if !cfg.Keyset.IsZero() {
		return tinkcipher.NewText(cfg.Keyset, "the variable "+config.Prefix+"KEYSET", wrap), nil
	}
	return tinkcipher.NewFile(cfg.KeysetPath(), tinkcipher.FileOptions{Named: !cfg.OwnKeyset(), Wrap: wrap, Clock: clock}), nil
}

// newWrap returns the key that wraps the keyset. It returns nil if the keyset is not wrapped.
func newWrap(cfg config.Config) (tink.AEAD, error) {
	if cfg.KeysetKMS == "" {
		return nil, nil
	}
	o := vaulttransit.Options{URL: cfg.KeysetKMS, Token: cfg.KeysetKMSToken}
	if file, ok := cfg.SecretFiles["KEYSET_KMS_TOKEN"]; ok { // tokens of Vault expire, and an agent writes new ones
		o.ReadToken = func() (domain.Secret, error) { return config.ReadSecret(file) }
	}
	wrap, err := vaulttransit.New(o)
	if err != nil {
		return nil, err
	}
	return wrap, nil
}

func newVoiceflow(cfg config.Config, clock ports.Clock) (*voiceflow.Client, error) {
	return voiceflow.New(voiceflow.Options{
		BaseURL: cfg.VoiceflowAPIURL, RuntimeURL: cfg.VoiceflowRuntimeURL,
		AnalyticsURL: cfg.VoiceflowAnalyticsURL, RealtimeURL: cfg.VoiceflowRealtimeURL,
		AllowHTTP: cfg.VoiceflowAllowHTTP, Timeout: cfg.VoiceflowTimeout, Clock: clock,
		ForwardTimeout: cfg.ForwardTimeout, ForwardIdle: cfg.ForwardIdle, MaxAnswer: cfg.ForwardMaxAnswer,
	})
}

func newPasswords() *argon2.Hasher { return argon2.New(argon2.Options{}) }

func newAttempts(cfg config.Config, clock ports.Clock) *throttle.Attempts {
	return throttle.New(clock, throttle.Options{PerName: cfg.LoginFailures, PerAddress: cfg.LoginFailuresAddress})
}

// callbackPath is where the identity provider sends browsers back, below the base URL.
const callbackPath = "/oidc/callback"

// newAuditFiles returns where rows of the audit are stored before they are removed, nil if they are not.
func newAuditFiles(cfg config.Config) ports.AuditFiles {
	if cfg.AuditArchive == "" {
		return nil
	}
	return auditfolder.New(cfg.AuditArchive)
}

// newProvider returns the company's identity provider, nil if none is set. It asks the provider nothing,
// so a provider that is down keeps nobody from serving.
func newProvider(cfg config.Config, clock ports.Clock) (ports.IdentityProvider, error) {
	o := cfg.OIDC
	if o.Issuer == "" {
		return nil, nil //nolint:nilnil // app.Logins takes nil for none
	}
	p, err := oidclogin.New(oidclogin.Options{
		Issuer: o.Issuer, ClientID: o.ClientID, ClientSecret: o.ClientSecret, RedirectURL: cfg.BaseURL.String() + callbackPath,
		Scopes: o.Scopes, GroupsClaim: o.GroupsClaim, Now: clock,
	})
	if err != nil {
		return nil, err // not as p: an interface with a nil pointer is not nil
	}
	return p, nil
}

func newWebhooks(cfg config.Config) *webhook.Sender {
	return webhook.New(webhook.Options{AllowPrivate: cfg.WebhookAllowPrivate})
}

func newRates(cfg config.Config, clock ports.Clock) *throttle.Calls {
	return throttle.NewCalls(clock, throttle.PerMinute{Turns: cfg.ForwardRate, Reads: cfg.ForwardReadRate})
}

func newOpenCalls(cfg config.Config) *throttle.OpenCalls {
	return throttle.NewOpenCalls(cfg.ForwardOpen)
}

func newUserRates(cfg config.Config, clock ports.Clock) *throttle.Users {
	return throttle.NewUsers(clock, cfg.WriteRate, cfg.LoginRate)
}

func newHeldMemory(cfg config.Config) *throttle.HeldMemory {
	return throttle.NewHeldMemory(cfg.MemoryBodies)
}

func newOptions(cfg config.Config) app.Options {
	return app.Options{
		Lifetimes: cfg.Lifetimes, AuditReads: cfg.AuditReads, AuditKeepDays: cfg.AuditKeepDays, UsageKeepDays: cfg.UsageKeepDays, PasswordLogin: cfg.PasswordLogin,
		SignOn: app.SignOnOptions{
			Label: cfg.OIDC.Label, BaseURL: cfg.BaseURL.String(), LogoutAtProvider: cfg.OIDC.LogoutAtProvider, Recheck: cfg.OIDC.Recheck,
			Policy: domain.SignOnPolicy{CreateUsers: cfg.OIDC.CreateUsers, Required: cfg.OIDC.RequiredGroups, Admins: cfg.OIDC.AdminGroups},
		},
	}
}

// newPages returns the pages of the console and the chat, nil if they are off.
func newPages(cfg config.Config, service *app.Service) (*pages.Pages, error) {
	if !cfg.Console {
		return nil, nil
	}
	return console.New(service, console.Options{BaseURL: cfg.BaseURL.String()})
}

func newEngine(cfg config.Config, service *app.Service, log *slog.Logger) (*gin.Engine, error) {
	gin.SetMode(gin.ReleaseMode)
	shown, err := newPages(cfg, service)
	if err != nil {
		return nil, err
	}
	return ginhttp.New(service, ginhttp.Options{
		BaseURL:         cfg.BaseURL.String(),
		CookiePrefix:    cfg.CookiePrefix,
		ServesTLS:       cfg.TLS(),
		InsecureCookies: !cfg.CookieSecure,
		SameSite:        cfg.CookieSameSite,
		TrustedOrigins:  cfg.TrustedOrigins,
		TrustedProxies:  cfg.TrustedProxies,
		ForwardTimeout:  cfg.ForwardTimeout,
		ForwardIdle:     cfg.ForwardIdle,
		ForwardMaxBody:  cfg.ForwardMaxBody,
		Pages:           shown,
		Log:             log,
	})
}
