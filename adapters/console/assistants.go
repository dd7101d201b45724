package console

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// assistantsPage is what the list of assistants shows.
type assistantsPage struct {
	Search     string // what was looked for, "" if that may be a key
	Trouble    bool   // only what needs attention is shown
	Filtered   bool   // some assistants may be left out
	Later      bool   // it is not the first page
	Assistants []assistantRow
	Next       string // the address of the next page, "" if there is none
}

// assistantRow is an assistant in a list.
type assistantRow struct {
	ID          domain.ProjectID
	Name        string
	Environment string
	Created     time.Time

	// Status, Keys and Credits are for admins.
	Status  status
	Keys    []slotStatus
	Credits status
}

// status is a state in a word, and the class of its color.
type status struct{ Word, Class string }

// slotStatus is the state of the key in a slot.
type slotStatus struct {
	Slot domain.Slot
	status
}

// keyStates are the states of keys for people.
var keyStates = map[domain.KeyStatus]status{
	domain.KeyOK:           {"OK", "good"},
	domain.KeyRejected:     {"Rejected", "bad"},
	domain.KeyNeedsReentry: {"Needs re-entry", "bad"},
	domain.KeyUnchecked:    {"Not checked", "warn"},
	domain.KeyNone:         {"No key", "none"},
}

func keyState(k domain.Key) status {
	if k.Empty() {
		return keyStates[domain.KeyNone]
	}
	return keyStates[k.Status]
}

func creditsState(c domain.Credits) status {
	if c == domain.CreditsUsedUp {
		return status{"Used up", "bad"}
	}
	return status{"OK", "good"}
}

// row returns the assistant for a list. A member does not see the states.
func row(p domain.Project, admin bool) assistantRow {
	r := assistantRow{ID: p.ID, Name: p.Name, Environment: environmentText(p), Created: p.Created}
	if !admin {
		return r
	}
	r.Status, r.Credits = status{"OK", "good"}, creditsState(p.Credits)
	for _, slot := range domain.Slots() {
		key := p.Key(slot)
		if key.Empty() {
			continue
		}
		r.Keys = append(r.Keys, slotStatus{slot, keyState(key)})
		if key.Status == domain.KeyUnchecked && r.Status.Class == "good" {
			r.Status = keyState(key)
		}
	}
	if p.InTrouble() {
		r.Status = status{"Needs attention", "bad"}
	}
	return r
}

// environmentText says which environments calls of the assistant can use.
func environmentText(p domain.Project) string {
	e := p.Environments
	switch {
	case e.Pinned():
		return p.Version + ", pinned"
	case e.All:
		return e.Default + ", all allowed"
	case len(e.Allowed) > 1:
		return e.Default + ", " + strconv.Itoa(len(e.Allowed)) + " allowed"
	}
	return e.Default
}

func (x *request) assistants() error {
	after, err := x.cursor(domain.ProjectList)
	if err != nil {
		return err
	}
	query, admin := x.Request().URL.Query(), x.Call().Caller.Admin
	in := app.SearchProjects{Search: query.Get("q"), Trouble: admin && query.Get("trouble") == "yes"}
	page, err := x.console.service.SearchProjects(x.Context(), x.Call(), in, after, pageSize)
	if err != nil {
		return err
	}
	out := assistantsPage{
		Search: withoutKey(strings.TrimSpace(in.Search)), Trouble: in.Trouble, Filtered: in != (app.SearchProjects{}),
		Later: after != (domain.Cursor{}), Next: x.next(page.Next, domain.ProjectList),
	}
	for _, p := range page.Items {
		out.Assistants = append(out.Assistants, row(p, admin))
	}
	return x.show("assistants", "Assistants", out)
}

// newAssistantForm is what the page for a new assistant shows. The key is never among it.
type newAssistantForm struct {
	Version, VoiceflowProject string
	Environments              environmentsForm
	There                     *domain.Project // the assistant that is there already; nil for none
}

// environmentsForm has the environments of an assistant as they are typed: names with spaces or
// commas between them.
type environmentsForm struct {
	Default, Allowed, AllowDraft string
}

// environmentsShown returns the form of the request to show it again.
func environmentsShown(in fields) environmentsForm {
	return environmentsForm{Default: in.shown("default"), Allowed: in.shown("allowed"), AllowDraft: in.shown("allow_draft")}
}

// environments reads the environments of a form. Without names of drafts, AllowDraft is nil.
func environments(in fields) *domain.EnvironmentsSpec {
	spec := domain.EnvironmentsSpec{Default: in.text("default"), AllowDraft: in.words("allow_draft")}
	if spec.Allowed.Names = in.words("allowed"); slices.Equal(spec.Allowed.Names, []string{domain.AllEnvironments}) {
		spec.Allowed = domain.AllowedSpec{All: true}
	}
	return &spec
}

const newAssistantTitle = "Add an assistant"

func (x *request) newAssistant() error {
	return x.show("assistants_new", newAssistantTitle, newAssistantForm{})
}

func (x *request) addAssistant() error {
	in, err := x.fields()
	if err != nil {
		return x.again(err, "assistants_new", newAssistantTitle, newAssistantForm{})
	}
	add := app.AddProject{Version: in.text("version_id"), Key: in.secret("token"), VoiceflowProject: in.text("voiceflow_project_id")}
	if in.text("default")+in.text("allowed")+in.text("allow_draft") != "" {
		add.Environments = environments(in)
	}
	p, err := x.console.service.AddProject(x.Context(), x.Call(), add)
	if err != nil {
		return x.again(err, "assistants_new", newAssistantTitle, newAssistantForm{
			Version: in.shown("version_id"), VoiceflowProject: in.shown("voiceflow_project_id"),
			Environments: environmentsShown(in), There: alreadyThere(err),
		})
	}
	return x.done(assistantPath(p.ID), p.Name+" was added. Grant it to the people who should talk to it.")
}

// alreadyThere returns the assistant because of which another one can't be added, nil for none.
func alreadyThere(err error) *domain.Project {
	if e, ok := errors.AsType[*domain.Error](err); ok && e.Kind == domain.AlreadyAdded && len(e.Projects) > 0 {
		return &e.Projects[0]
	}
	return nil
}

// assistantPath returns the path of the page of an assistant.
func assistantPath(id domain.ProjectID) string { return "/console/assistants/" + string(id) }
