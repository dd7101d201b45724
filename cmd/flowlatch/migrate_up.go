package main

import (
	"context"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
)

type migrateUpCommand struct{}

// Help is shown by --help.
func (migrateUpCommand) Help() string {
	return `Applies the missing migrations: all or none. It needs no keyset. The command serve does the same when it starts, so this command is optional. Several may run at the same time, and a killed one leaves no lock. It creates the data folder if the database is in it.

    FLOWLATCH_DATABASE_URL_FILE=/run/secrets/database flowlatch migrate up`
}

// Run applies the migrations.
func (migrateUpCommand) Run(ctx context.Context) error {
	return withStore(ctx, makesFolder, func(store *bunstore.Store) error {
		before, err := store.Migrations(ctx)
		if err != nil {
			return err
		}
		if err := store.Migrate(ctx); err != nil {
			return err
		}
		for _, m := range before {
			if m.Applied.IsZero() {
				sayOnStdout("applied " + m.Name)
			}
		}
		sayOnStdout("the schema is up to date")
		return nil
	})
}

// withStore opens the database, whatever its schema, and calls work with it.
func withStore(ctx context.Context, use folderUse, work func(*bunstore.Store) error) error {
	cfg, err := commandConfig()
	if err != nil {
		return err
	}
	if err := checkFilesOfCommand(dataFiles(cfg, false)); err != nil {
		return err
	}
	if err := openFolder(cfg, use, cfg.OwnDatabase()); err != nil {
		return err
	}
	store, closeStore, err := openStore(ctx, cfg, newClock(), sayOnStderr, nil)
	if err != nil {
		return err
	}
	defer closeStore()
	return work(store)
}
