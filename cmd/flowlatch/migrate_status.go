package main

import (
	"context"
	"os"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type migrateStatusCommand struct{}

// Help is shown by --help.
func (migrateStatusCommand) Help() string {
	return `Lists the migrations of this program, and those that a newer program has applied, with the time at which each was applied. It changes nothing.

    flowlatch migrate status`
}

var migrations = listing[bunstore.Migration]{
	columns: []string{"MIGRATION", "APPLIED"},
	cells: func(m bunstore.Migration) []string {
		if m.Applied.IsZero() {
			return []string{m.Name, "not yet"}
		}
		return []string{terminal.Visible(m.Name), stamp(m.Applied)}
	},
}

// Run prints the migrations.
func (migrateStatusCommand) Run(ctx context.Context) error {
	return withStore(ctx, wantsFolder, func(store *bunstore.Store) error {
		all, err := store.Migrations(ctx)
		if err != nil {
			return err
		}
		return migrations.print(os.Stdout, false, func(domain.Cursor) (paging.Page[bunstore.Migration], error) {
			return paging.Page[bunstore.Migration]{Items: all}, nil
		})
	})
}
