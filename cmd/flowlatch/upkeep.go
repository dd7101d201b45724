package main

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"
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

	telling sync.Mutex
	unheard bool // the last state could not be told
	stopped bool // nothing more is told
}

// run runs until ctx is done. A file or a Vault that hangs delays neither the pings of the watchdog
// nor the end of run.
func (u *upkeep) run(ctx context.Context, asked hangups) {
	u.tell(daemon.SdNotifyReady + "\nSTATUS=listening on " + u.at)
	go u.readAgain(ctx, asked) // the end of run does not wait for it
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
		case <-watchdog:
			u.tell(daemon.SdNotifyWatchdog)
		}
	}
}

// readAgain reads the certificate now and then, and everything when it is asked, until ctx is done.
func (u *upkeep) readAgain(ctx context.Context, asked hangups) {
	certificates := time.NewTicker(certificateEvery)
	defer certificates.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-asked:
			// The time lets systemd tell this reload from an earlier one (systemd.service(5),
			// Type=notify-reload).
			u.tell(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec() + "STATUS=reading files again")
			u.reload(ctx)
			u.tell(daemon.SdNotifyReady + "\nSTATUS=listening on " + u.at)
		case <-certificates.C:
			u.readCertificate()
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
			u.log.Warn("the file with the token of Vault can't be read", "err", err.Error())
		}
	}
	if err := u.service.Keyset().Refresh(ctx); err != nil {
		u.log.Warn("the keyset can't be read again; the previous one stays in use", "err", sentence(err))
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
		u.log.Warn("the new certificate can't be used; the previous one stays in use", "err", sentence(err))
	}
	if changed {
		u.log.Info("the certificate was replaced", "ends", stamp(u.certificate.current.Load().Leaf.NotAfter))
	}
}

// tell tells systemd, if it started this program with Type=notify (sd_notify(3)). It logs one warning
// when systemd can't be told, and no other until a state was told again. After STOPPING it tells nothing.
func (u *upkeep) tell(state string) {
	u.telling.Lock()
	defer u.telling.Unlock()
	if u.stopped {
		return
	}
	_, err := daemon.SdNotify(false, state)
	if err != nil && !u.unheard {
		u.log.Warn("systemd can't be told about the state of the service", "err", err.Error())
	}
	u.unheard, u.stopped = err != nil, strings.HasPrefix(state, daemon.SdNotifyStopping)
}
