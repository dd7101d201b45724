package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type backupCommand struct {
	File string `arg:"" help:"The file to make, in a folder that is there, or - for standard output. What is there already is never overwritten."`
}

// Help is shown by --help.
func (backupCommand) Help() string {
	return `Writes all that is kept, as of one moment, while the service goes on: assistants with their sealed keys, users, grants, access tokens, counts of usage, the audit. The file is the same whatever the database, and has mode 0600. It is lines of JSON, of which a changed or missing byte is noticed.

The keyset is not in it, and without it the file can't be restored: keep a copy of the keyset of the time of each backup, apart from it. Whoever reads the file sees names, the audit and hashes of passwords and access tokens. Sessions and v4 conversations are not in it: after a restore everybody logs in anew.

    flowlatch backup /srv/backups/monday.jsonl
    flowlatch backup - | age -r age1... > monday.jsonl.age`
}

// Run writes the backup.
func (c backupCommand) Run(ctx context.Context) error {
	return operate(ctx, wantsFolder, func(service *app.Service, call app.Call) error {
		if c.File == "-" {
			info, err := service.Backup(ctx, call, os.Stdout)
			if err != nil {
				return err
			}
			reportBackup(sayOnStderr, "wrote a backup", info)
			return nil
		}
		path := absolute(c.File)
		var info app.BackupInfo
		err := writeNewFile(path, func(to io.Writer) (err error) {
			info, err = service.Backup(ctx, call, to)
			return err
		})
		if err != nil {
			return err
		}
		reportBackup(sayOnStdout, "wrote the backup "+terminal.Visible(path), info)
		return nil
	})
}

func reportBackup(tell say, what string, info app.BackupInfo) {
	tell(what + ": " + contentOfBackup(info))
	tell("to restore it takes the keyset with the keys " + info.KeyNames() + ", which is not in it")
}

// contentOfBackup says how much there is of what somebody cares about.
func contentOfBackup(info app.BackupInfo) string {
	names := map[string]string{
		"projects": "assistants", "project_keys": "keys", "users": "users", "grants": "grants", "access_tokens": "access tokens",
		"usage": "counts of usage", "audit": "audit rows",
	}
	var parts []string
	for _, table := range domain.ArchiveTables() {
		if name, ok := names[table.Name]; ok {
			parts = append(parts, fmt.Sprintf("%s %d", name, info.Rows[table.Name]))
		}
	}
	return strings.Join(parts, ", ")
}
