package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type projectCheckCommand struct {
	Project string `arg:"" optional:"" help:"The assistant: its Id, its Voiceflow project id, or its exact name."`
	All     bool   `help:"Check every assistant."`
}

// Help is shown by --help.
func (projectCheckCommand) Help() string {
	return `Tries the keys of the assistant at Voiceflow, stores the result, and prints a line with the status of each key: ok, rejected (by Voiceflow), needs_reentry (it can't be decrypted), unchecked or none. The exit code is 1 if a key is rejected or needs re-entry, or if Voiceflow gave no answer.

    flowlatch project check 'Pizza Palace'
    flowlatch project check --all`
}

// Run checks the assistants.
func (c projectCheckCommand) Run(ctx context.Context) error {
	if c.All == (c.Project != "") {
		return errors.New("name one assistant, or give --all")
	}
	return operate(ctx, wantsFolder, func(service *app.Service, call domain.Call) error {
		checks := projectChecks{service: service, call: call}
		if !c.All {
			p, err := service.FindProject(ctx, call, c.Project)
			if err == nil {
				err = checks.check(ctx, p)
			}
			return errors.Join(err, checks.verdict())
		}
		for next := new(domain.Cursor); next != nil; {
			page, err := service.GetProjects(ctx, call, *next, paging.Max)
			if domain.KindOf(err) == domain.NotFound {
				break // there are no assistants, so none fails
			}
			if err != nil {
				return err
			}
			for _, p := range page.Items {
				if err := checks.check(ctx, p); err != nil {
					return err
				}
			}
			next = page.Next
		}
		return checks.verdict()
	})
}

// projectChecks counts the results of checks.
type projectChecks struct {
	service            *app.Service
	call               domain.Call
	failed, unanswered int // how many assistants
}

// check checks one assistant and prints the result.
func (c *projectChecks) check(ctx context.Context, p domain.Project) error {
	checked, err := c.service.CheckProject(ctx, c.call, string(p.ID))
	if domain.KindOf(err) == domain.NotFound {
		return nil // it was deleted meanwhile
	}
	if err != nil {
		return err
	}
	p = checked.Project
	line := fmt.Sprintf("%s %s: primary %s, secondary %s, personal %s", p.ID, terminal.Visible(p.Name),
		p.Primary.Status, p.Secondary.Status, p.Personal.Status)
	if len(checked.Unanswered) > 0 {
		c.unanswered++
		line += "; Voiceflow gave no usable answer"
	}
	if slices.ContainsFunc(domain.Slots(), func(slot domain.Slot) bool { return p.Key(slot).Status.Fails() }) {
		c.failed++
	}
	sayOnStdout(line)
	return nil
}

// verdict returns an error unless every key was tried and works.
func (c *projectChecks) verdict() error {
	var all []error
	if c.failed > 0 {
		all = append(all, fmt.Errorf("assistants with a key that fails: %d", c.failed))
	}
	if c.unanswered > 0 {
		all = append(all, fmt.Errorf("assistants that could not be checked: %d", c.unanswered))
	}
	return errors.Join(all...)
}
