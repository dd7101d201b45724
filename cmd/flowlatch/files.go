package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/internal/config"
	"github.com/flowlatch/flowlatch/internal/ownership"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

// checkedFile is a path that somebody else must not be able to change.
type checkedFile struct {
	name  string // what it is, such as "the keyset"
	path  string
	links ownership.Links
	set   string // the start of a setting that can name what a link leads to, "" if there is none
}

func dataFolder(cfg config.Config) checkedFile {
	return checkedFile{"the data folder", cfg.DataDir, ownership.RootLinks, "DATA_DIR="}
}

// dataFiles returns the files that hold what the service stores. keyset says whether the keyset
// is used.
func dataFiles(cfg config.Config, keyset bool) []checkedFile {
	var files []checkedFile
	if cfg.OwnDatabase() || keyset && cfg.OwnKeyset() {
		files = append(files, dataFolder(cfg))
	}
	if file := bunstore.File(cfg.Database()); file != "" {
		files = append(files, checkedFile{"the database", file, ownership.NoLinks, "DATABASE_URL=sqlite://"})
		// SQLite reads these when it opens the database (sqlite.org/tempfiles.html).
		for _, end := range []string{"-wal", "-shm", "-journal"} {
			files = append(files, checkedFile{"a file of the database", file + end, ownership.NoLinks, ""})
		}
	}
	switch {
	case !keyset || !cfg.Keyset.IsZero():
	case cfg.OwnKeyset():
		files = append(files, checkedFile{"the keyset", cfg.KeysetPath(), ownership.NoLinks, "KEYSET_FILE="})
	default:
		files = append(files, checkedFile{"the keyset", cfg.KeysetPath(), ownership.LinksBelow, "KEYSET_FILE="})
	}
	return files
}

// givenFiles returns the files that an operator gives to serve, and that may be anywhere.
func givenFiles(cfg config.Config) []checkedFile {
	var files []checkedFile
	if cfg.TLS() {
		files = append(files,
			checkedFile{"the certificate", cfg.TLSCertFile, ownership.AllLinks, ""},
			checkedFile{"the key of the certificate", cfg.TLSKeyFile, ownership.AllLinks, ""})
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.SecretFiles)) {
		files = append(files, checkedFile{"the file of " + config.Prefix + name, cfg.SecretFiles[name], ownership.AllLinks, ""})
	}
	return files
}

// checkFiles returns an error if somebody other than root and this process can change one of the
// files.
func checkFiles(files []checkedFile) error {
	return distrusted(files, ownership.Self(), func(err error) error { return err })
}

// checkFilesOfCommand is checkFiles for every command but serve. It only warns root, who may have
// to repair what serve refuses. root works for the user of the service, who owns the first of the
// files that is there.
func checkFilesOfCommand(files []checkedFile) error {
	service := ownership.Self()
	if service.UID != 0 {
		return checkFiles(files)
	}
	for _, f := range files {
		if owner, ok := ownership.OwnerOf(f.path); ok {
			service = owner
			break
		}
	}
	return distrusted(files, service, func(err error) error {
		sayOnStderr("warning: " + err.Error())
		return nil
	})
}

// distrusted calls refuse once for each path that somebody else than the service can change, until
// refuse returns an error.
func distrusted(files []checkedFile, service ownership.Process, refuse func(error) error) error {
	var told []string
	for _, f := range files {
		problem, ok := errors.AsType[*ownership.Problem](service.Check(f.path, f.links))
		if !ok || slices.Contains(told, problem.Path) {
			continue
		}
		told = append(told, problem.Path)
		if err := refuse(f.distrusted(problem)); err != nil {
			return err
		}
	}
	return nil
}

// distrusted returns the sentence for a problem, with the command that solves it.
func (f checkedFile) distrusted(p *ownership.Problem) error {
	path := absolute(f.path)
	what := f.name + " " + terminal.Visible(path)
	if p.Path != path {
		what += " can't be trusted: " + terminal.Visible(p.Path)
	}
	what += " " + p.What
	if p.Link {
		_, err := os.Stat(p.Path)
		if dangling := errors.Is(err, fs.ErrNotExist); dangling || f.set == "" {
			p.Fix = []string{"rm", p.Path}
		} else {
			return fmt.Errorf(`%s; name what it leads to: %s%s"$(readlink -f %s)"`, what, config.Prefix, f.set, shellQuoted(p.Path))
		}
	}
	command := ""
	for _, word := range p.Fix {
		command += " " + shellQuoted(word)
	}
	return fmt.Errorf("%s; run:%s", what, command)
}
