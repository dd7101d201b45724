package main

import (
	"context"
	"strings"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

type projectListCommand struct {
	JSON bool `name:"json" help:"Print one JSON object a line."`
}

// Help is shown by --help.
func (projectListCommand) Help() string {
	return `Prints the assistants, sorted by name. A name with characters that can't be printed is in quotes, with escapes. MODE is pinned if calls use the version, and per_call if a call can name one of the ENVIRONMENTS. The first of these is the default, and DRAFTS are those whose draft can be used. Keys are never shown.

    flowlatch project list
    flowlatch project list --json | jq -r .Id`
}

var projects = listing[domain.Project]{
	columns: []string{"NAME", "VOICEFLOW PROJECT", "VERSION", "MODE", "ENVIRONMENTS", "DRAFTS", "CREATED", "ID"},
	cells: func(p domain.Project) []string {
		e := p.InEffect()
		names, drafts := namedFirst(e), strings.Join(e.AllowDraft, " ")
		if drafts == "" {
			drafts = "-"
		}
		return []string{terminal.Visible(p.Name), string(p.Voiceflow), p.Version, p.Environments.Mode(), names, drafts, stamp(p.Created), string(p.ID)}
	},
	object: func(p domain.Project) any {
		return struct {
			Name             string
			ID               domain.ProjectID `json:"Id"`
			Created          string
			VoiceflowProject domain.VoiceflowID
			Version          string
			EnvironmentMode  string
			Environments     *domain.EnvironmentsSpec
		}{p.Name, p.ID, stamp(p.Created), p.Voiceflow, p.Version, p.Environments.Mode(), p.InEffect().Spec()}
	},
}

// namedFirst returns the names of environments as lists have them: first the default, then the
// others or all.
func namedFirst(e domain.Environments) string {
	names := []string{e.Default}
	for _, name := range e.Allowed {
		if name != e.Default {
			names = append(names, name)
		}
	}
	if e.All {
		names = append(names, domain.AllEnvironments)
	}
	return strings.Join(names, " ")
}

// Run prints the assistants.
func (c projectListCommand) Run(ctx context.Context) error {
	return operate(ctx, wantsFolder, func(service *app.Service, call domain.Call) error {
		return projects.print(stdout, c.JSON, func(after domain.Cursor) (paging.Page[domain.Project], error) {
			page, err := service.GetProjects(ctx, call, after, paging.Max)
			if domain.KindOf(err) == domain.NotFound {
				return paging.Page[domain.Project]{}, nil // an empty list is not an error here
			}
			return page, err
		})
	})
}
