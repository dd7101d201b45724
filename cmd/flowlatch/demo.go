package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/config"
)

type demoCommand struct {
	kong.Plugins // the flags
}

// Help is shown by --help.
func (demoCommand) Help() string {
	return `Needs no file, no account and no network. The data are in a temporary folder, which is deleted at the end. A stand-in for Voiceflow inside the program has three assistants. There are an admin and a member with random passwords.

The command first prints the address of the console, the two logins, and an assistant to add there. Then it prints numbered curl commands with the answer to expect. Paste them into a second terminal, one after the other.

With FLOWLATCH_CONSOLE=false, it prints the curl commands only. It ignores the settings of the data folder, the database, the keyset, the URLs of Voiceflow and the identity provider.

    flowlatch demo
    flowlatch demo --addr 127.0.0.1:0`
}

// Run serves the demo until a signal ends it.
func (c demoCommand) Run(ctx context.Context, asked hangups) (err error) {
	cfg, warnings, err := readConfig(config.Source{Flags: config.GivenFlags(c.Plugins), Demo: true})
	if err != nil {
		return err
	}
	logs, closeLog := newLog(cfg)
	defer closeLog()
	for _, w := range warnings {
		logs.Warn("a setting is unknown", "warning", w)
	}
	folder, err := os.MkdirTemp("", "flowlatch-demo-")
	if err != nil {
		return fmt.Errorf("a temporary folder can't be made: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()

	w := walk{folder: folder, assistants: []voiceflowtest.Assistant{
		voiceflowtest.NewProject("Pizza Palace", "main", "staging"),
		voiceflowtest.NewAssistant("Train times", voiceflowtest.Shape2024),
		voiceflowtest.NewAssistant("Größe & Farbe 👟", voiceflowtest.Shape2026),
	}}
	w.assistants[0].SecondKey = voiceflowtest.NewKey()
	w.assistants[0].Dialog = true
	standIn, err := voiceflowtest.Start(w.assistants...)
	if err != nil {
		return err
	}
	defer standIn.Close()

	cfg.DataDir = filepath.Join(folder, "data")
	if err := os.Mkdir(cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("a temporary folder can't be made: %w", err)
	}
	cfg.VoiceflowAPIURL, cfg.VoiceflowRuntimeURL = standIn.URL(), standIn.URL()
	cfg.VoiceflowAnalyticsURL, cfg.VoiceflowRealtimeURL = standIn.URL(), standIn.URL()
	site, closeAll, err := openSite(ctx, cfg, sayOnStdout, logs)
	if err != nil {
		return err
	}
	defer closeAll()
	if w.admin, err = makeDemoUser(ctx, site.Service, "ada", domain.RoleAdmin); err != nil {
		return err
	}
	if w.member, err = makeDemoUser(ctx, site.Service, "ben", domain.RoleMember); err != nil {
		return err
	}

	l, err := listen(cfg)
	if errors.Is(err, syscall.EADDRINUSE) && cfg.Addr == config.DefaultAddr {
		cfg.Addr = "127.0.0.1:0" // another program listens there, and any port will do
		l, err = listen(cfg)
	}
	if err != nil {
		return err
	}
	w.url = l.url()
	if cfg.Console {
		w.console = publicURL(cfg, w.url) + "/console/"
	}
	sayOnStdout(w.text())
	return site.serve(ctx, cfg, l, asked, logs)
}

// demoUser is a user of the demo. Its password is no secret.
type demoUser struct {
	id             domain.UserID
	name, password string
}

func makeDemoUser(ctx context.Context, service *app.Service, name string, role domain.Role) (demoUser, error) {
	call, err := service.OperatorCall()
	if err != nil {
		return demoUser{}, err
	}
	password := rand.Text()
	user, err := service.CreateUser(ctx, call, app.CreateUser{Username: name, Password: domain.NewSecret(password), Role: string(role)})
	return demoUser{id: user.ID, name: name, password: password}, err
}
