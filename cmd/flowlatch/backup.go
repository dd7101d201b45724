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
	File string `arg:"" help:"The file to create, in an existing folder, or - for standard output. An existing file is never overwritten."`
}

// Help is shown by --help.
func (backupCommand) Help() string {
	return `Writes the content of the database as of one moment: assistants with their encrypted Voiceflow keys, users, grants, access tokens, usage and the audit. The service may run meanwhile. The file has mode 0600 and the same format for every database. It consists of lines of JSON; restore detects a changed or missing byte.

The file does not contain the keyset, and it can't be restored without it. With each backup, keep a copy of the keyset, in another place. A reader of the file sees names, the audit, and hashes of passwords and access tokens. Logins and v4 conversations are not in the file: after a restore, all users log in again.

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
	tell("to restore it, you need the keyset with the keys " + info.KeyNames() + "; the backup does not contain it")
}

// contentOfBackup returns how many rows of each kind the backup has.
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
