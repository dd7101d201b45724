package main

import (
	"context"
	"fmt"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type migrateStatusCommand struct{}

// Help is shown by --help.
func (migrateStatusCommand) Help() string {
	return `Lists the migrations of this program, and those that a newer program has applied, with the time at which each was applied. Then it lists assistants of the same name, which only their Ids tell apart. Names that a missing migration makes equal are among them. It changes nothing.

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
		err = migrations.print(stdout, false, func(domain.Cursor) (paging.Page[bunstore.Migration], error) {
			return paging.Page[bunstore.Migration]{Items: all}, nil
		})
		if err != nil {
			return err
		}
		return printTwins(ctx, store)
	})
}

// maxTwins is how many assistants of the same name are printed at most.
const maxTwins = 100

var twins = listing[bunstore.Twin]{
	columns: []string{"NAME", "ID", "VOICEFLOW PROJECT"},
	cells: func(t bunstore.Twin) []string {
		return []string{terminal.Visible(t.Name), string(t.ID), string(t.Voiceflow)}
	},
}

// printTwins prints the assistants of the same name. It prints nothing if there are none.
func printTwins(ctx context.Context, store *bunstore.Store) error {
	all, err := store.Twins(ctx)
	if err != nil || len(all) == 0 {
		return err
	}
	sayOnStdout(fmt.Sprintf("\n%d assistants share their name with another one; use their Ids:", len(all)))
	return twins.print(stdout, false, func(domain.Cursor) (paging.Page[bunstore.Twin], error) {
		return paging.Page[bunstore.Twin]{Items: all[:min(len(all), maxTwins)]}, nil
	})
}
