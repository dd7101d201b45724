package main

import (
	"context"
	"strconv"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

type loginLinkCommand struct {
	Name string `arg:"" help:"Whom the link logs in."`
}

// Help is shown by --help.
func (loginLinkCommand) Help() string {
	return `Prints a link to a page of the console with one button, which logs the user in. It needs no password and no identity provider, so it lets an admin in while the provider is down, whatever FLOWLATCH_PASSWORD_LOGIN says. The link works once, within 10 minutes. Whoever has it can use it: give it to nobody else.

The command reads the same environment as serve, which has to run for the page. The link begins with FLOWLATCH_BASE_URL. Without it, the link begins with the address of FLOWLATCH_ADDR on this machine. If serve got the address from a flag, set the variable for this command.

    flowlatch login-link ada
    docker compose exec flowlatch /flowlatch login-link ada`
}

// Run prints a link.
func (c loginLinkCommand) Run(ctx context.Context) error {
	cfg, err := commandConfig()
	if err != nil {
		return err
	}
	base, err := pagesURL(cfg, "login link", "log in with a password")
	if err != nil {
		return err
	}
	return operateOn(ctx, cfg, wantsFolder, func(site Site, call domain.Call) error {
		link, err := site.Service.NewLoginLink(ctx, call, c.Name)
		if err != nil {
			return err
		}
		sayOnStdout(base + "/console/login-link/" + link.Token.Reveal())
		sayOnStderr("the link logs " + string(link.User.Name) + " in; it works once, within " + strconv.Itoa(int(app.LoginLinkLifetime.Minutes())) + " minutes")
		return nil
	})
}
