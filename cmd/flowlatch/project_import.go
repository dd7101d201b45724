package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"

	"filippo.io/age"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/exportfile"
	"github.com/flowlatch/flowlatch/internal/importlist"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type projectImportCommand struct {
	CSV      string `name:"csv" placeholder:"FILE" xor:"from" required:"" help:"Read a table as CSV; - is standard input."`
	JSON     string `name:"json" placeholder:"FILE" xor:"from" required:"" help:"Read an array of JSON objects; - is standard input."`
	Identity string `name:"identity" placeholder:"KEYFILE" xor:"from" required:"" help:"Read a file of project export, with the secret key of age in KEYFILE; - is standard input."`
	File     string `arg:"" optional:"" help:"The file of project export, or - for standard input; only with --identity."`
}

// Help is shown by --help.
func (projectImportCommand) Help() string {
	return `Adds every assistant of a file, as project add does: it fetches each from Voiceflow with its key. CSV begins with a line that names its columns, version_id,token,name. The separator is a comma, a semicolon or a tab, and rows without a value are skipped. JSON is an array of objects with the same members. name is optional and only checked. voiceflow_project_id is optional, unless version_id is an alias of an environment. environments is optional: in CSV it has the names of the environments that calls can use, separated by spaces, first the default, and all among them allows all; allow_draft has those whose draft can be used. In JSON, environments is an object with default, allowed and allow_draft. Without environments an assistant is pinned to version_id. The file is in UTF-8, or in UTF-16 with a byte order mark.

If an assistant is refused, the command prints its line and the reason, never its key. It continues with the rest, and the exit code is 1. An assistant that was added before keeps its key and its environments, so you may read the same file again. Delete a file with keys when all its assistants are added.

    flowlatch project import --csv assistants.csv
    vault kv get -field=assistants secret/bots | flowlatch project import --json -
    flowlatch project import --identity key.txt assistants.age
    ssh there cat assistants.age | flowlatch project import --identity key.txt -`
}

// Validate checks what kong can't check.
func (c projectImportCommand) Validate() error {
	switch {
	case c.Identity != "" && c.File == "":
		return errors.New(`expected "<file>", a file of project export, after --identity`)
	case c.Identity == "" && c.File != "":
		return errors.New("there is an extra argument; only --identity takes a file")
	case c.Identity == "-" && c.File == "-":
		return errors.New("the secret key and the file can't both come from standard input")
	}
	return nil
}

// Run adds the assistants.
func (c projectImportCommand) Run(ctx context.Context) error {
	path, read := c.CSV, importlist.Reader(importlist.ReadCSV)
	if c.JSON != "" {
		path, read = c.JSON, importlist.ReadJSON
	}
	if c.Identity != "" {
		path = c.File
	}
	from, done, err := c.open(ctx, path)
	if err != nil {
		return err
	}
	defer done()
	if c.Identity != "" && !twice(from) {
		return errors.New("the file for --identity must be a regular file, because all of it is checked before anything is added")
	}
	return operate(ctx, wantsFolder, func(service *app.Service, call domain.Call) error {
		if c.Identity != "" {
			identities, err := readIdentities(c.Identity)
			if err != nil {
				return err
			}
			read = exportfile.NewReader(identities, service.VoiceflowOrigin())
		}
		return importProjects(ctx, service, call, from, read)
	})
}

// open opens the file with the assistants.
func (c projectImportCommand) open(ctx context.Context, path string) (from *os.File, done func(), err error) {
	switch {
	case c.Identity != "": // the file is encrypted
		return openTwice(ctx, "the file", path, "")
	case path == "-":
		return os.Stdin, func() {}, nil
	}
	if from, err = openNamed("the file", path); err == nil {
		warnIfOpen(from)
	}
	return from, func() { _ = from.Close() }, err
}

// readIdentities reads a file with secret keys of age, or standard input.
func readIdentities(path string) ([]age.Identity, error) {
	if path == "-" {
		return exportfile.ParseIdentities(os.Stdin)
	}
	f, err := openNamed("the file with the identity", path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	warnIfOpen(f)
	return exportfile.ParseIdentities(f)
}

// openNamed opens a file that the operator named. The error does not repeat the name, because
// it may be a key that was pasted in the wrong place.
func openNamed(what, path string) (*os.File, error) {
	f, err := os.Open(path)
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = fmt.Errorf("%s can't be read: %w", what, e.Err)
	}
	return f, err
}

// warnIfOpen warns if every user of the machine may read a file that contains keys.
func warnIfOpen(f *os.File) {
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o004 != 0 {
		sayOnStderr(fmt.Sprintf("warning: every user of this machine may read %s (mode %04o), which contains keys", f.Name(), info.Mode().Perm()))
	}
}

// twice reports whether f can be read a second time.
func twice(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}

// importProjects adds the assistants that read finds in from. If from can be read twice, it is
// read to its end first. If that fails, nothing is added.
func importProjects(ctx context.Context, service *app.Service, call domain.Call, from *os.File, read importlist.Reader) error {
	total := 0
	if twice(from) {
		err := read(from, func(importlist.Entry) error {
			total++
			return ctx.Err()
		})
		if err == nil {
			_, err = from.Seek(0, io.SeekStart)
		}
		if ctx.Err() != nil {
			return errors.New("interrupted; nothing was added")
		}
		if err != nil {
			return fmt.Errorf("nothing was added: %w", err)
		}
	}
	return addAll(ctx, service, call, total, func(each func(importlist.Entry) error) error { return read(from, each) })
}

// addsAtOnce is how many assistants are added at the same time. More would exceed the rate
// limit of Voiceflow.
const addsAtOnce = 4

// added is an entry and the error of adding it.
type added struct {
	entry importlist.Entry
	err   error
}

// addAll adds the entries of give, several at the same time. It prints the results in the
// order of the entries.
func addAll(ctx context.Context, service *app.Service, call domain.Call, total int, give func(func(importlist.Entry) error) error) error {
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	underway := make(chan chan added, addsAtOnce-1) // inOrder waits for one more
	given := make(chan error, 1)
	go func() {
		defer close(underway)
		given <- give(func(e importlist.Entry) error {
			done := make(chan added, 1)
			select {
			case underway <- done:
			case <-working.Done():
				return working.Err()
			}
			go func() { done <- added{e, add(working, service, call, e)} }()
			return nil
		})
	}()

	var count struct{ added, there, refused, done int }
	shown := newProgress("adding", total)
	for a := range inOrder(working, underway) {
		switch kind := domain.KindOf(a.err); {
		case a.err == nil:
			count.added++
		case kind == domain.AlreadyAdded:
			count.there++
		case a.entry.Err != nil, working.Err() == nil && ofOne(kind):
			count.refused++
			shown.aside(terminal.OneLine(a.entry.Place + " was refused: " + sentence(a.err)))
		default: // every other entry would fail too
			stop(a.err)
			continue
		}
		count.done++
		shown.set(count.done)
	}
	shown.finish()
	sayOnStdout(fmt.Sprintf("added %d, there already %d, refused %d", count.added, count.there, count.refused))
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted; run the same command again to add the rest")
	case working.Err() != nil:
		return fmt.Errorf("the rest was not added: %w", context.Cause(working))
	}
	if err := <-given; err != nil {
		return fmt.Errorf("the rest was not added: %w", err)
	}
	if count.refused > 0 {
		return fmt.Errorf("%d of %d assistants were refused", count.refused, count.done)
	}
	return nil
}

// inOrder yields the results of everything that is underway. After ctx is done it does not wait
// for new entries, because their source may be waiting for standard input.
func inOrder(ctx context.Context, underway <-chan chan added) iter.Seq[added] {
	return func(yield func(added) bool) {
		for {
			var done chan added
			select {
			case done = <-underway:
			case <-ctx.Done():
				select {
				case done = <-underway:
				default:
				}
			}
			if done == nil || !yield(<-done) {
				return
			}
		}
	}
}

// ofOne reports whether an error of this kind concerns only one assistant.
func ofOne(kind domain.Kind) bool {
	switch kind {
	case domain.Invalid, domain.NameTooLong, domain.VoiceflowRejected, domain.VoiceflowUnavailable:
		return true
	}
	return false
}

// add adds the assistant of an entry. If the entry has a secondary or a personal key and the
// assistant has none, it sets that too, also if the assistant was added before: an interrupted run
// may have added only the primary key.
func add(ctx context.Context, service *app.Service, call domain.Call, entry importlist.Entry) error {
	if entry.Err != nil {
		return entry.Err
	}
	p, err := service.AddProject(ctx, call, app.AddProject{
		Version: entry.Version, Key: entry.Key, VoiceflowProject: entry.VoiceflowProject, Name: entry.Name,
		Environments: entry.Environments, PictureOrigins: entry.PictureOrigins,
	})
	if e, ok := errors.AsType[*domain.Error](err); ok && e.Kind == domain.AlreadyAdded && len(e.Projects) == 1 {
		p = e.Projects[0]
	} else if err != nil {
		return err
	}
	for _, more := range []struct {
		slot domain.Slot
		key  domain.Secret
	}{{domain.SlotSecondary, entry.Secondary}, {domain.SlotPersonal, entry.Personal}} {
		if more.key.IsZero() || !p.Key(more.slot).Empty() {
			continue
		}
		_, failed := service.SetToken(ctx, call, app.SetToken{Project: string(p.ID), Key: more.key, Slot: string(more.slot)})
		if failed != nil {
			return &domain.Error{
				Kind: domain.KindOf(failed), Cause: failed,
				Public: "the assistant has its primary key, but its " + string(more.slot) + " key could not be set",
			}
		}
	}
	return err
}
