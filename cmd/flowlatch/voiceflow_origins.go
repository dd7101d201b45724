package main

import (
	"context"
	"strings"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/app/keyset"
	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type voiceflowOriginsCommand struct {
	Confirm bool `help:"Record the addresses that are set. That of api can't be changed, because the stored keys are bound to it."`
}

// Help is shown by --help.
func (voiceflowOriginsCommand) Help() string {
	return `Prints for each service of Voiceflow the address that is recorded in the database, and the one that is set in the environment. Keys are sent to these addresses only. The first start records them. A start with another address is refused until you correct the setting or confirm the change.

An address is scheme, host and port. A path in a URL does not count. Instances that run keep their addresses until they are restarted.

    flowlatch voiceflow origins
    FLOWLATCH_VOICEFLOW_RUNTIME_URL=https://runtime.example.com flowlatch voiceflow origins --confirm`
}

// originRow is a line of the list.
type originRow struct {
	service       domain.Service
	recorded, set domain.Origin
}

var originRows = listing[originRow]{
	columns: []string{"SERVICE", "RECORDED", "SET", ""},
	cells: func(r originRow) []string {
		switch r.recorded {
		case "":
			return []string{string(r.service), "not yet", string(r.set), ""}
		case r.set:
			return []string{string(r.service), string(r.recorded), string(r.set), "same"}
		}
		return []string{string(r.service), terminal.Visible(string(r.recorded)), string(r.set), "differs"}
	},
}

// Run prints the origins, and records those that are set if --confirm is given.
func (c voiceflowOriginsCommand) Run(ctx context.Context) error {
	cfg, err := commandConfig()
	if err != nil {
		return err
	}
	if err := checkFilesOfCommand(dataFiles(cfg, true)); err != nil {
		return err
	}
	if err := openFolder(cfg, wantsFolder, cfg.OwnDatabase() || cfg.OwnKeyset()); err != nil {
		return err
	}
	client, err := newVoiceflow(cfg, newClock())
	if err != nil {
		return err
	}
	cipher, err := newCipher(cfg, newClock())
	if err != nil {
		return err
	}
	store, closeStore, err := openStore(ctx, cfg, newClock(), sayOnStderr, nil)
	if err != nil {
		return err
	}
	defer closeStore()
	if err := upToDate(ctx, store); err != nil {
		return err
	}
	p := keyset.OriginPorts{
		Installation: store.Ports().Installation, Cipher: cipher, Keyring: cipher, Set: client.Origins(), Clock: newClock(),
	}
	if c.Confirm {
		return confirmOrigins(ctx, p)
	}
	recorded, err := keyset.Origins(ctx, p)
	if err != nil {
		return err
	}
	var rows []originRow
	for _, s := range domain.Services() {
		rows = append(rows, originRow{s, recorded[s], p.Set[s]})
	}
	return originRows.print(stdout, false, func(domain.Cursor) (paging.Page[originRow], error) {
		return paging.Page[originRow]{Items: rows}, nil
	})
}

// upToDate returns Conflict if the database is new or of an older program. A list of the origins
// changes nothing, so it does not migrate.
func upToDate(ctx context.Context, store *bunstore.Store) error {
	all, err := store.Migrations(ctx)
	if err != nil {
		return err
	}
	for _, m := range all {
		if m.Applied.IsZero() {
			return &domain.Error{Kind: domain.Conflict, Public: "the schema of the database is not up to date; run 'flowlatch migrate up' or start the service"}
		}
	}
	return nil
}

// confirmOrigins records the origins that are set, as the operator.
func confirmOrigins(ctx context.Context, p keyset.OriginPorts) error {
	id, err := domain.NewRequestID(p.Clock(), newRandom())
	if err != nil {
		return err
	}
	changed, err := keyset.ConfirmOrigins(ctx, p, domain.Call{Caller: domain.Operator(), RequestID: id})
	if err != nil {
		return err
	}
	if len(changed) == 0 {
		sayOnStdout("the recorded addresses are those that are set; nothing was changed")
		return nil
	}
	var texts []string
	for _, s := range changed {
		texts = append(texts, string(s)+" at "+string(p.Set[s]))
	}
	sayOnStdout("keys may now be sent to " + strings.Join(texts, ", ") + "; restart all instances with this setting")
	return nil
}
