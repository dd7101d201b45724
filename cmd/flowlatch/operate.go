package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/flowlatch/flowlatch/adapters/vaulttransit"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/config"
)

// folderUse is what a command does if there is no data folder.
type folderUse int

const (
	wantsFolder folderUse = iota // it returns an error
	makesFolder                  // it creates the folder and prints its path
)

// operate opens the service that the environment describes and calls work, which acts as the
// operator. Another instance may run meanwhile.
func operate(ctx context.Context, use folderUse, work func(*app.Service, domain.Call) error) error {
	return operateSite(ctx, use, func(site Site, call domain.Call) error { return work(site.Service, call) })
}

// operateSite is operate for work that needs other parts than the service.
func operateSite(ctx context.Context, use folderUse, work func(Site, domain.Call) error) error {
	cfg, err := commandConfig()
	if err != nil {
		return err
	}
	return operateOn(ctx, cfg, use, work)
}

// operateOn is operateSite for settings that were read already.
func operateOn(ctx context.Context, cfg config.Config, use folderUse, work func(Site, domain.Call) error) error {
	if err := checkFilesOfCommand(dataFiles(cfg, true)); err != nil {
		return err
	}
	if err := openFolder(cfg, use, cfg.OwnDatabase() || cfg.OwnKeyset()); err != nil {
		return err
	}
	// Commands are the way in when nobody can log in, so none is refused for want of a login.
	cfg.PasswordLogin = domain.PasswordLoginAll
	site, closeAll, err := openSite(ctx, cfg, sayOnStderr, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer closeAll()
	call, err := site.Service.OperatorCall()
	if err != nil {
		return err
	}
	return work(site, call)
}

// commandConfig reads the settings of a command, which has no flags for them.
func commandConfig() (config.Config, error) {
	cfg, warnings, err := readConfig(config.Source{})
	for _, w := range warnings {
		sayOnStderr("warning: " + w)
	}
	return cfg, err
}

// readConfig reads the settings from the environment and from the flags of the source.
func readConfig(from config.Source) (config.Config, []string, error) {
	from.Environ, from.CheckKMS = os.Environ(), checkKMS
	return config.Read(from)
}

// checkKMS says why the URL names no key that can wrap a keyset.
func checkKMS(url string) error {
	if err := vaulttransit.CheckURL(url); err != nil {
		return errors.New(sentence(err))
	}
	return nil
}

// say prints a line for the operator, not for a program.
type say func(line string)

func sayOnStderr(line string) { _, _ = fmt.Fprintln(os.Stderr, "flowlatch: "+line) }

func sayOnStdout(line string) { _, _ = fmt.Fprintln(stdout, line) }

// openFolder checks that the data folder exists, if it is needed, or creates it.
func openFolder(cfg config.Config, use folderUse, needed bool) error {
	if !needed {
		return nil
	}
	info, err := os.Stat(cfg.DataDir)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return fmt.Errorf("%sDATA_DIR names %s, which is not a folder", config.Prefix, cfg.DataDir)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the data folder can't be used: %w", err)
	case use == wantsFolder:
		return fmt.Errorf("there is no data folder %s; set %sDATA_DIR to name another, or create one with serve, migrate up, user create or restore", cfg.DataDir, config.Prefix)
	}
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("the data folder can't be created: %w", err)
	}
	if err := checkFiles([]checkedFile{dataFolder(cfg)}); err != nil { // somebody else created it meanwhile
		return err
	}
	sayOnStdout("created the data folder " + cfg.DataDir)
	return nil
}
