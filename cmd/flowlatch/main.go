// Command flowlatch keeps the API keys of Voiceflow assistants and lets people use the
// assistants without holding a key. It serves HTTP, and has the commands by which an
// operator looks after users, assistants, keyset and database.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	_ "golang.org/x/crypto/x509roots/fallback" // an image from scratch has no roots of its own

	"github.com/flowlatch/flowlatch/internal/config"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

// The exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// commandLine is what kong parses. Each command is in the file of its name.
type commandLine struct {
	Serve serveCommand `cmd:"" help:"Serve HTTP."`
	Demo  demoCommand  `cmd:"" help:"Serve HTTP with everything made up, and print commands to try it with."`

	User struct {
		Create  userCreateCommand  `cmd:"" help:"Make a user."`
		List    userListCommand    `cmd:"" help:"List the users."`
		Disable userDisableCommand `cmd:"" help:"Disable a user, and end their sessions."`
		Enable  userEnableCommand  `cmd:"" help:"Enable a user who was disabled."`
		Passwd  userPasswdCommand  `cmd:"" help:"Give a user another password, and end their sessions."`
		Grant   userGrantCommand   `cmd:"" help:"Let a user use an assistant."`
		Revoke  userRevokeCommand  `cmd:"" help:"Take a grant back, and end the sessions that it let in."`
	} `cmd:"" help:"Look after users."`

	Project struct {
		Add      projectAddCommand      `cmd:"" help:"Add an assistant."`
		List     projectListCommand     `cmd:"" help:"List the assistants."`
		SetToken projectSetTokenCommand `cmd:"" help:"Give an assistant another Voiceflow key."`
		Check    projectCheckCommand    `cmd:"" help:"Try the Voiceflow keys of assistants."`
		Delete   projectDeleteCommand   `cmd:"" help:"Delete an assistant here. Voiceflow is not told."`
		Import   projectImportCommand   `cmd:"" help:"Add every assistant of a file."`
		Export   projectExportCommand   `cmd:"" help:"Write assistants with their keys into a sealed file, for another installation."`
	} `cmd:"" help:"Look after assistants."`

	Keys struct {
		New    keysNewCommand    `cmd:"" help:"Make a keyset in a new file."`
		Status keysStatusCommand `cmd:"" help:"Say what needs each key, and what does not open."`
		Rotate keysRotateCommand `cmd:"" help:"Add a key that seals from then on."`
		Rewrap keysRewrapCommand `cmd:"" help:"Seal everything anew with the key that seals."`
		Retire keysRetireCommand `cmd:"" help:"Take keys that nothing needs out of the keyset."`
	} `cmd:"" help:"Look after the keyset."`

	Audit struct {
		Verify auditVerifyCommand `cmd:"" help:"Say whether the audit is whole."`
		Export auditExportCommand `cmd:"" help:"Write the audit as JSON lines, hashes included."`
	} `cmd:"" help:"Look after the audit."`

	Migrate struct {
		Up     migrateUpCommand     `cmd:"" help:"Bring the database's schema up to date."`
		Status migrateStatusCommand `cmd:"" help:"Say how the database's schema compares with this program's."`
	} `cmd:"" help:"Look after the database's schema."`

	Backup  backupCommand  `cmd:"" help:"Write all that is kept to a file, while the service goes on."`
	Restore restoreCommand `cmd:"" help:"Fill an empty database with a backup."`

	Healthcheck healthcheckCommand `cmd:"" help:"Ask the service on this machine whether it is ready."`
	Version     versionCommand     `cmd:"" help:"Print the version of this program."`
}

const description = `Keeps the API keys of Voiceflow assistants, and lets people use the assistants without a key.

'flowlatch demo' shows it at work within a minute. Settings are environment variables; 'flowlatch serve --help' lists them.`

func main() { os.Exit(run(os.Args[1:])) }

// run carries out one command and returns the exit code.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // so that a second signal kills

	cli := commandLine{
		Serve: serveCommand{Plugins: config.ServeFlags()},
		Demo:  demoCommand{Plugins: config.DemoFlags()},
	}
	parser := kong.Must(&cli, kong.Name("flowlatch"), kong.Description(description), kong.BindTo(ctx, (*context.Context)(nil)),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}))
	command, err := parser.Parse(args)
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "flowlatch: "+usage(err))
		return exitUsage
	}
	if err := command.Run(); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "flowlatch: "+sentence(err))
		return exitFailure
	}
	return exitOK
}

// usage is what is wrong with a command line. It does not repeat a word too many: that
// may be a key or a password.
func usage(err error) string {
	text, help := err.Error(), "flowlatch --help"
	if parse, ok := errors.AsType[*kong.ParseError](err); ok && parse.Context != nil && parse.Context.Selected() != nil {
		node := parse.Context.Selected()
		help = node.FullPath() + " --help"
		if strings.HasPrefix(text, "unexpected argument") && len(node.Children) == 0 {
			text = "there is a word too many; keys and passwords are asked for, and never on the command line"
		}
	}
	return terminal.OneLine(text) + "; see " + help
}
