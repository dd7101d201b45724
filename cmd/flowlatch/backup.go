package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/flowlatch/flowlatch/app/backup"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/terminal"
	"github.com/flowlatch/flowlatch/ports/archive"
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
	return operateSite(ctx, wantsFolder, func(site Site, call domain.Call) error {
		from := backup.Source{Archive: site.Store.Archive(), Audit: site.Store.Ports().Audit, Keyset: site.Service.Keyset(), Clock: newClock()}
		if c.File == "-" {
			info, err := backup.Write(ctx, from, call, stdout)
			if err != nil {
				return err
			}
			reportBackup(sayOnStderr, "wrote a backup", info)
			return nil
		}
		path := absolute(c.File)
		var info backup.Info
		err := writeNewFile(path, func(to io.Writer) (err error) {
			info, err = backup.Write(ctx, from, call, to)
			return err
		})
		if err != nil {
			return err
		}
		reportBackup(sayOnStdout, "wrote the backup "+terminal.Visible(path), info)
		return nil
	})
}

func reportBackup(tell say, what string, info backup.Info) {
	tell(what + ": " + contentOfBackup(info))
	tell("to restore it, you need the keyset with the keys " + info.KeyNames() + "; the backup does not contain it")
}

// contentOfBackup returns how many rows of each kind the backup has.
func contentOfBackup(info backup.Info) string {
	names := map[string]string{
		"projects": "assistants", "project_keys": "keys", "users": "users", "grants": "grants", "access_tokens": "access tokens",
		"usage": "counts of usage", "audit": "audit rows",
	}
	var parts []string
	for _, table := range archive.Tables() {
		if name, ok := names[table.Name]; ok {
			parts = append(parts, fmt.Sprintf("%s %d", name, info.Rows[table.Name]))
		}
	}
	return strings.Join(parts, ", ")
}
