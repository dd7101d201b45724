package main

import (
	"context"

	"github.com/flowlatch/flowlatch/domain"
)

type setupLinkCommand struct{}

// Help is shown by --help.
func (setupLinkCommand) Help() string {
	return `Prints a link to a page of the console. The page asks for a name and a password, creates the first admin and logs in. The link lasts 30 minutes. It works until there is a user, whichever link created the user. The command fails once there is a user.

The command reads the same environment as serve, which has to run for the page. The link begins with FLOWLATCH_BASE_URL. Without it, the link begins with the address of FLOWLATCH_ADDR on this machine. If serve got the address from a flag, set the variable for this command.

    flowlatch setup-link
    docker compose exec flowlatch /flowlatch setup-link`
}

// Run prints a link.
func (setupLinkCommand) Run(ctx context.Context) error {
	cfg, err := commandConfig()
	if err != nil {
		return err
	}
	base, err := pagesURL(cfg, "set-up link", "create the first admin with flowlatch user create --admin NAME")
	if err != nil {
		return err
	}
	return operateOn(ctx, cfg, wantsFolder, func(site Site, call domain.Call) error {
		link, err := site.Service.NewSetupLink(ctx, call)
		if err != nil {
			return err
		}
		sayOnStdout(setupURL(base, link))
		sayOnStderr("the link creates the first admin; it lasts " + setupMinutes() + ", and ends once there is a user")
		return nil
	})
}
