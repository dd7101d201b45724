package main

import (
	"context"

	"github.com/flowlatch/flowlatch/app/backup"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type restoreCommand struct {
	File string `arg:"" help:"A file that backup wrote, or - for standard input."`
}

// Help is shown by --help.
func (restoreCommand) Help() string {
	return `Writes a backup into a database that has no users and no assistants: all of it or nothing. It creates the data folder and the tables. The backup may come from the other kind of database, so this also moves from SQLite to Postgres and back. Run it before serve: a serve that runs on that database has to be restarted.

Put the keyset of the backup in place first: in the data folder, in FLOWLATCH_KEYSET or in FLOWLATCH_KEYSET_FILE. FLOWLATCH_VOICEFLOW_API_URL and the URLs of the other services must be the same as before. A file that was changed, cut or made with another keyset is rejected before anything is written. For this, standard input is first copied to a temporary file, in the data folder if it exists and else in TMPDIR. Only its owner may read it, and nothing is left of it. Users log in again, and v4 conversations start again.

    flowlatch restore /srv/backups/monday.jsonl
    FLOWLATCH_DATABASE_URL_FILE=/run/secrets/database flowlatch restore monday.jsonl
    age -d -i key.txt monday.jsonl.age | flowlatch restore -`
}

// Run restores the backup. It checks the whole file before it creates anything.
func (c restoreCommand) Run(ctx context.Context) error {
	cfg, err := commandConfig()
	if err != nil {
		return err
	}
	if err := checkFilesOfCommand(dataFiles(cfg, true)); err != nil {
		return err
	}
	file, done, err := openTwice(ctx, "the backup "+terminal.Visible(c.File), c.File, cfg.DataDir)
	if err != nil {
		return err
	}
	defer done()
	voiceflow, err := newVoiceflow(cfg, newClock())
	if err != nil {
		return err
	}
	cipher, err := newCipher(cfg, newClock())
	if err != nil {
		return err
	}
	opened, err := backup.Open(ctx, backup.Ports{
		Cipher: cipher, Keyring: cipher, Origins: voiceflow.Origins(), Clock: newClock(), Random: newRandom(),
	}, file)
	if err != nil {
		return err
	}
	if err := openFolder(cfg, makesFolder, cfg.OwnDatabase()); err != nil {
		return err
	}
	store, closeStore, err := openStore(ctx, cfg, newClock(), sayOnStderr, nil)
	if err != nil {
		return err
	}
	defer closeStore()
	if err := opened.Restore(ctx, store.Archive()); err != nil {
		return err
	}
	sayOnStdout("restored the backup of " + stamp(opened.Info.Created) + " into the " + store.Describe() + ": " + contentOfBackup(opened.Info))
	sayOnStdout("nobody is logged in; keep the keyset with the keys " + opened.Info.KeyNames())
	return nil
}
