package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/internal/config"
)

// certificateEvery is how often the files of the certificate are read.
const certificateEvery = 5 * time.Second

// hangups receives SIGHUP, which asks to read files again. It has room for one, so a signal that
// comes before the service is up is not lost.
type hangups <-chan os.Signal

// upkeep is what a service does beside serving: it reads files again, and tells systemd how it is.
type upkeep struct {
	service     *app.Service
	store       *bunstore.Store
	tokenFile   string       // with the token of Vault; "" if there is none
	certificate *certificate // nil without HTTPS
	log         *slog.Logger
	at          string // where it listens

	told string // the last problem of the certificate that was logged
}

// run runs until ctx is done.
func (u *upkeep) run(ctx context.Context, asked hangups) {
	u.tell(daemon.SdNotifyReady + "\nSTATUS=listening on " + u.at)
	certificates := time.NewTicker(certificateEvery)
	defer certificates.Stop()
	var watchdog <-chan time.Time
	if interval, err := daemon.SdWatchdogEnabled(false); err == nil && interval > 0 {
		t := time.NewTicker(interval / 2) // as sd_watchdog_enabled(3) recommends
		defer t.Stop()
		watchdog = t.C
	}
	for {
		select {
		case <-ctx.Done():
			u.tell(daemon.SdNotifyStopping + "\nSTATUS=waiting until open requests have ended")
			return
		case <-asked:
			// The time lets systemd tell this reload from an earlier one (systemd.service(5),
			// Type=notify-reload).
			u.tell(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec() + "STATUS=reading files again")
			u.reload(ctx)
			u.tell(daemon.SdNotifyReady + "\nSTATUS=listening on " + u.at)
		case <-certificates.C:
			u.readCertificate()
		case <-watchdog:
			u.tell(daemon.SdNotifyWatchdog)
		}
	}
}

// reload reads the certificate, the keyset and the files of secrets again. The token of Vault is
// read whenever it is used, so that the keyset is read with a new one.
func (u *upkeep) reload(ctx context.Context) {
	u.told = "" // who asks wants to know
	u.readCertificate()
	u.store.RenewURL(ctx)
	if u.tokenFile != "" {
		if _, err := config.ReadSecret(u.tokenFile); err != nil {
			u.log.Warn("the file of "+config.Prefix+"KEYSET_KMS_TOKEN can't be read", "err", err.Error())
		}
	}
	if err := u.service.Keyset().Refresh(ctx); err != nil {
		u.log.Warn("the keyset can't be read again; the one of before stays in use", "err", sentence(err))
	}
	u.log.Info("read files again, because of SIGHUP")
}

func (u *upkeep) readCertificate() {
	if u.certificate == nil {
		return
	}
	changed, err := u.certificate.read()
	switch {
	case err == nil:
		u.told = ""
	case err.Error() != u.told:
		u.told = err.Error()
		u.log.Warn("the new certificate can't be used; the one of before stays in use", "err", sentence(err))
	}
	if changed {
		u.log.Info("the certificate was replaced", "ends", stamp(u.certificate.current.Load().Leaf.NotAfter))
	}
}

// tell tells systemd, if it started this program with Type=notify (sd_notify(3)).
func (u *upkeep) tell(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		u.log.Warn("systemd can't be told about the state of the service", "err", err.Error())
	}
}
