// Command flowlatch keeps the Voiceflow keys of assistants and lets people use the assistants
// without a key. It serves HTTP. Its other commands manage users, assistants, the keyset, the
// audit and the database.
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
	_ "golang.org/x/crypto/x509roots/fallback" // a FROM scratch image has no root certificates

	"github.com/flowlatch/flowlatch/internal/config"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

// The exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
	exitPipe    = 128 + 13 // nobody reads the output; a shell reports SIGPIPE so
)

// commandLine is what kong parses. Each command has a file of its name.
type commandLine struct {
	Serve serveCommand `cmd:"" help:"Serve HTTP."`
	Demo  demoCommand  `cmd:"" help:"Serve HTTP with made-up data, and print commands to try."`

	SetupLink setupLinkCommand `cmd:"" help:"Print a link that creates the first admin."`

	LoginLink loginLinkCommand `cmd:"" help:"Print a link that logs a user in once."`

	User struct {
		Create  userCreateCommand  `cmd:"" help:"Create a user."`
		List    userListCommand    `cmd:"" help:"List the users."`
		Disable userDisableCommand `cmd:"" help:"Disable a user and end their sessions."`
		Enable  userEnableCommand  `cmd:"" help:"Enable a disabled user."`
		Passwd  userPasswdCommand  `cmd:"" help:"Set a new password, end the sessions of the user and delete their access tokens."`
		Grant   userGrantCommand   `cmd:"" help:"Let a user use an assistant."`
		Revoke  userRevokeCommand  `cmd:"" help:"Remove a grant and end the sessions that it allowed."`
	} `cmd:"" help:"Manage users."`

	Project struct {
		Add             projectAddCommand             `cmd:"" help:"Add an assistant."`
		List            projectListCommand            `cmd:"" help:"List the assistants."`
		SetToken        projectSetTokenCommand        `cmd:"" help:"Set a Voiceflow key of an assistant."`
		SetEnvironments projectSetEnvironmentsCommand `cmd:"" help:"Set the environments that calls of an assistant can use."`
		DeleteToken     projectDeleteTokenCommand     `cmd:"" help:"Delete the secondary or the personal Voiceflow key of an assistant."`
		Check           projectCheckCommand           `cmd:"" help:"Try the Voiceflow keys of assistants."`
		Delete          projectDeleteCommand          `cmd:"" help:"Delete an assistant here, not at Voiceflow."`
		Import          projectImportCommand          `cmd:"" help:"Add every assistant of a file."`
		Export          projectExportCommand          `cmd:"" help:"Write assistants with their keys into an encrypted file, for another installation."`
	} `cmd:"" help:"Manage assistants."`

	Keys struct {
		New    keysNewCommand    `cmd:"" help:"Create a keyset in a new file."`
		Status keysStatusCommand `cmd:"" help:"Print what needs each key, and what can't be decrypted."`
		Rotate keysRotateCommand `cmd:"" help:"Add a key and make it the current key."`
		Rewrap keysRewrapCommand `cmd:"" help:"Re-encrypt everything with the current key."`
		Retire keysRetireCommand `cmd:"" help:"Remove keys that nothing needs from the keyset."`
	} `cmd:"" help:"Manage the keyset."`

	Voiceflow struct {
		Origins voiceflowOriginsCommand `cmd:"" help:"Print the addresses that keys are sent to, or confirm a change."`
	} `cmd:"" help:"Manage the addresses of Voiceflow."`

	Audit struct {
		Verify     auditVerifyCommand     `cmd:"" help:"Check whether the audit is whole."`
		Export     auditExportCommand     `cmd:"" help:"Write the audit as JSON lines, hashes included."`
		Unfinished auditUnfinishedCommand `cmd:"" help:"List forwarded calls whose end is unknown."`
	} `cmd:"" help:"Check and export the audit."`

	Migrate struct {
		Up     migrateUpCommand     `cmd:"" help:"Bring the schema of the database up to date."`
		Status migrateStatusCommand `cmd:"" help:"List the migrations of the database."`
	} `cmd:"" help:"Manage the schema of the database."`

	Backup  backupCommand  `cmd:"" help:"Write the content of the database to a file."`
	Restore restoreCommand `cmd:"" help:"Write a backup into an empty database."`

	Healthcheck healthcheckCommand `cmd:"" help:"Ask the service on this machine whether it is ready."`
	Version     versionCommand     `cmd:"" help:"Print the version of this program."`
}

const description = `Keeps the Voiceflow keys of assistants, and lets people use the assistants without a key.

'flowlatch demo' shows how it works within a minute. Settings are environment variables; 'flowlatch serve --help' lists them.`

func main() { os.Exit(run(os.Args[1:])) }

// run runs one command and returns the exit code.
func run(args []string) int {
	// A write to an output without a reader returns an error instead of ending the process
	// (os/signal, SIGPIPE).
	signal.Ignore(syscall.SIGPIPE)
	// SIGHUP never ends the process. Only a service does something about it.
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGHUP)
	signalled, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	context.AfterFunc(signalled, func() {
		stop() // a second signal kills from now on
		cancel()
	})

	cli := commandLine{
		Serve: serveCommand{Plugins: config.ServeFlags()},
		Demo:  demoCommand{Plugins: config.DemoFlags()},
	}
	parser := kong.Must(&cli, kong.Name("flowlatch"), kong.Description(description), kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(hangups(asked)), kong.Writers(stdout, os.Stderr),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}))
	command, err := parser.Parse(args)
	if stdout.ended(err) {
		return exitPipe // of --help
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "flowlatch: "+usage(err))
		return exitUsage
	}
	if err := command.Run(); stdout.ended(err) {
		return exitPipe
	} else if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "flowlatch: "+sentence(err))
		return exitFailure
	}
	return exitOK
}

// usage returns what is wrong with a command line. It does not repeat an extra argument,
// because that may be a key or a password.
func usage(err error) string {
	text, help := err.Error(), "flowlatch --help"
	if parse, ok := errors.AsType[*kong.ParseError](err); ok && parse.Context != nil && parse.Context.Selected() != nil {
		node := parse.Context.Selected()
		help = node.FullPath() + " --help"
		if strings.HasPrefix(text, "unexpected argument") && len(node.Children) == 0 {
			text = "there is an extra argument; the program asks for keys and passwords and never takes them from the command line"
		}
	}
	return terminal.OneLine(text) + "; see " + help
}
