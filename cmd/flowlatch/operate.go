package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/flowlatch/flowlatch/app"
)

// folderUse is what a command does about a data folder that is not there.
type folderUse int

const (
	wantsFolder folderUse = iota // it fails
	makesFolder                  // it makes the folder and says where
)

// operate opens the service that the environment describes and lets work act on it as
// the operator. It may run beside a service that is up.
func operate(ctx context.Context, use folderUse, work func(*app.Service, app.Call) error) error {
	cfg, err := commandConfig()
	if err != nil {
		return err
	}
	if err := cfg.openFolder(use, cfg.ownDatabase() || cfg.ownKeyset()); err != nil {
		return err
	}
	site, closeAll, err := openSite(ctx, cfg, sayOnStderr, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer closeAll()
	call, err := site.Service.OperatorCall()
	if err != nil {
		return err
	}
	return work(site.Service, call)
}

// commandConfig reads the settings of a command, which come from the environment alone.
func commandConfig() (Config, error) {
	cfg, warnings, err := readConfig(source{environ: os.Environ()})
	for _, w := range warnings {
		sayOnStderr("warning: " + w)
	}
	return cfg, err
}

// say prints a line for the operator. The lines are for people and not for programs.
type say func(line string)

func sayOnStderr(line string) { _, _ = fmt.Fprintln(os.Stderr, "flowlatch: "+line) }

func sayOnStdout(line string) { _, _ = fmt.Fprintln(os.Stdout, line) }

// openFolder sees to it that the data folder is there, if it is needed.
func (c Config) openFolder(use folderUse, needed bool) error {
	if !needed {
		return nil
	}
	info, err := os.Stat(c.DataDir)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return fmt.Errorf("%sDATA_DIR names %s, which is no folder", prefix, c.DataDir)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the data folder can't be used: %w", err)
	case use == wantsFolder:
		return fmt.Errorf("there is no data folder %s; %sDATA_DIR may name another, and serve, migrate up, user create and restore make one", c.DataDir, prefix)
	}
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return fmt.Errorf("the data folder can't be made: %w", err)
	}
	sayOnStdout("made the data folder " + c.DataDir)
	return nil
}
