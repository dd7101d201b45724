package console

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// assistantPage is what an admin sees of an assistant. No key is among it.
type assistantPage struct {
	ID        domain.ProjectID
	Name      string
	Voiceflow domain.VoiceflowID
	Version   string
	Created   time.Time
	Wrong     []string // what is wrong with it, a sentence each
	Credits   status
	Keys      []keyPart

	Pinned       bool
	Environments environmentsForm
	Origins      string // one in a line
	Grants       grantsPart
	Usage        month
	Recipe       string
	Typed        string // what was typed as the name of the assistant to delete
}

// keyPart is the key in a slot of an assistant.
type keyPart struct {
	Slot    domain.Slot
	About   string
	Status  status
	Empty   bool
	Set     time.Time
	Checked time.Time
	Accepts bool // Voiceflow accepted it at Checked; otherwise it rejected it
	Deletes bool // the slot can be emptied
}

// grantsPart lists who may use an assistant, and has the form to grant it.
type grantsPart struct {
	Problem string // why they can't be read, "" if they can
	Rows    []grantRow
	Next    string // the address of the next page, "" if there is none
	Later   bool   // it is not the first page

	User   string // what was typed
	Scopes []scopeChoice
	Names  []string // what the field for the user suggests
}

// grantRow is a grant of an assistant.
type grantRow struct {
	User   domain.UserID
	Name   string // its id if the user has no name here
	Named  bool   // the user has a page
	Scopes string
	Since  time.Time

	Sources []grantSource
	Manual  bool // an admin granted it, so an admin can revoke it
}

// grantNames is how many user names the form for a grant suggests.
const grantNames = 100

// slotAbout says what the key in a slot is for.
var slotAbout = map[domain.Slot]string{
	domain.SlotPrimary:   "A key of the project. Calls use it first.",
	domain.SlotSecondary: "Another key of the project. Calls use it if Voiceflow rejects the primary key.",
	domain.SlotPersonal:  "A personal access token, which Voiceflow wants for /v1/stable. It begins with vfp_.",
}

// assistant returns the assistant that the path names, if the caller may use it. Whatever is wrong
// with the id, and whether the assistant is only not granted, is one error: NotFound.
func (x *request) assistant() (domain.Project, error) {
	ref, err := domain.ParseProjectRef(x.Param("id"))
	if err != nil || ref.ID == "" { // a path has our Id only
		return domain.Project{}, domain.NoSuch("assistant")
	}
	return x.console.service.FindProject(x.Context(), x.Call(), string(ref.ID))
}

func (x *request) showAssistant() error {
	p, err := x.assistant()
	if err != nil {
		return err
	}
	if !x.Call().Caller.Admin {
		return x.showGranted(p)
	}
	after, err := x.cursor(domain.GrantList)
	if err != nil {
		return err
	}
	return x.show("assistant", p.Name, x.assistantPage(p, after))
}

// grantedPage is what a member sees of an assistant.
type grantedPage struct {
	ID         domain.ProjectID
	Name       string
	Scopes     []scopeChoice
	Talks      bool
	Default    string
	Allowed    []string
	All        bool
	AllowDraft []string
	Recipe     string
}

func (x *request) showGranted(p domain.Project) error {
	scopes, err := x.console.service.OwnScopes(x.Context(), x.Call(), p.ID)
	if err != nil {
		return err
	}
	e := p.InEffect()
	return x.show("assistant_granted", p.Name, grantedPage{
		ID: p.ID, Name: p.Name, Scopes: scopeChoices(scopes, nil), Talks: scopes.Has(domain.ScopeConverse),
		Default: e.Default, Allowed: e.Allowed, All: e.All, AllowDraft: e.AllowDraft, Recipe: x.recipe(),
	})
}

// assistantPage returns the page of an assistant, with its grants after the cursor.
func (x *request) assistantPage(p domain.Project, after domain.Cursor) *assistantPage {
	e := p.InEffect()
	allowed := strings.Join(e.Allowed, ", ")
	if e.All {
		allowed = domain.AllEnvironments
	}
	page := &assistantPage{
		ID: p.ID, Name: p.Name, Voiceflow: p.Voiceflow, Version: p.Version, Created: p.Created,
		Wrong: wrongWith(p), Credits: creditsState(p.Credits), Pinned: p.Environments.Pinned(),
		Environments: environmentsForm{Default: e.Default, Allowed: allowed, AllowDraft: strings.Join(e.AllowDraft, ", ")},
		Grants:       x.grantsPart(p, after), Usage: x.month(p.ID), Recipe: x.recipe(),
	}
	for _, origin := range p.PictureOrigins {
		page.Origins += string(origin) + "\n"
	}
	for _, slot := range domain.Slots() {
		key := p.Key(slot)
		page.Keys = append(page.Keys, keyPart{
			Slot: slot, About: slotAbout[slot], Status: keyState(key), Empty: key.Empty(), Set: key.Set, Checked: key.Checked,
			Accepts: key.Status != domain.KeyRejected, Deletes: slot != domain.SlotPrimary && !key.Empty(),
		})
	}
	return page
}

// grantsPart returns the grants of an assistant after the cursor.
func (x *request) grantsPart(p domain.Project, after domain.Cursor) grantsPart {
	part := grantsPart{Later: after != (domain.Cursor{}), Scopes: scopeChoices(domain.AllScopes(), scopeNames(domain.DefaultScopes()))}
	page, err := x.console.service.GetGrants(x.Context(), x.Call(), "", string(p.ID), after, pageSize)
	var users map[domain.UserID]domain.Username
	if err == nil {
		users, err = x.grantees(page.Items)
	}
	if err != nil {
		part.Problem = x.Failure(err).Message
		return part
	}
	for _, g := range page.Items {
		name := string(users[g.User])
		part.Rows = append(part.Rows, grantRow{
			User: g.User, Name: cmp.Or(name, string(g.User)), Named: name != "", Since: g.Created,
			Scopes: scopeList(g.Scopes), Sources: sourcesOf(g), Manual: g.Manual != 0,
		})
	}
	if page.Next != nil {
		query := url.Values{"cursor": {page.Next.Text(domain.GrantList)}}
		part.Next = x.console.url(assistantPath(p.ID)) + "?" + query.Encode() + "#grants"
	}
	part.Names = x.suggestedUsers()
	return part
}

// grantees returns the names of the users of the grants. Users of a host program have none here.
func (x *request) grantees(grants []domain.Grant) (map[domain.UserID]domain.Username, error) {
	if !x.console.service.OwnUsers() {
		return nil, nil
	}
	ids := make([]domain.UserID, len(grants))
	for i, g := range grants {
		ids[i] = g.User
	}
	names, err := x.names(nil, ids, nil)
	return names.Users, err
}

// suggestedUsers returns names of users who can be granted an assistant. They are a help only, so an
// error leaves them out.
func (x *request) suggestedUsers() []string {
	if !x.console.service.OwnUsers() {
		return nil
	}
	page, err := x.console.service.GetAllUsers(x.Context(), x.Call(), domain.Cursor{}, grantNames)
	if err != nil {
		return nil
	}
	var names []string
	for _, u := range page.Items {
		if u.Role != domain.RoleAdmin && !u.Disabled {
			names = append(names, string(u.Name))
		}
	}
	return names
}

// change carries out a form of the page of an assistant. do returns the notice. If it fails, keep puts
// what was typed into the page, which is shown again.
func (x *request) change(do func(p domain.Project, in fields) (notice string, err error), keep func(page *assistantPage, in fields)) error {
	p, err := x.assistant()
	if err != nil {
		return err
	}
	in, err := x.fields()
	if err == nil {
		var notice string
		if notice, err = do(p, in); err == nil {
			return x.done(assistantPath(p.ID), notice)
		}
	}
	if now, gone := x.assistant(); gone == nil {
		page := x.assistantPage(now, domain.Cursor{})
		if keep != nil {
			keep(page, in)
		}
		return x.again(err, "assistant", now.Name, page)
	}
	return err
}

func (x *request) setToken() error {
	return x.change(func(p domain.Project, in fields) (string, error) {
		slot, err := domain.ParseSlot(in.text("slot"))
		if err != nil {
			return "", err
		}
		_, err = x.console.service.SetToken(x.Context(), x.Call(), app.SetToken{Project: string(p.ID), Key: in.secret("token"), Slot: string(slot)})
		return "Voiceflow accepted the " + string(slot) + " key. It is stored.", err
	}, nil)
}

func (x *request) checkProject() error {
	return x.change(func(p domain.Project, _ fields) (string, error) {
		checked, err := x.console.service.CheckProject(x.Context(), x.Call(), string(p.ID))
		if err != nil {
			return "", err
		}
		return checkedNotice(checked), nil
	}, nil)
}

// checkedNotice says what a check of the keys has shown.
func checkedNotice(checked app.ProjectChecked) string {
	var said []string
	for _, slot := range domain.Slots() {
		key := checked.Project.Key(slot)
		switch {
		case key.Empty():
		case slices.Contains(checked.Unanswered, slot):
			said = append(said, "Voiceflow gave no usable answer about the "+string(slot)+" key. Check it again later.")
		case key.Status == domain.KeyRejected:
			said = append(said, "Voiceflow rejected the "+string(slot)+" key. Set a new one.")
		case key.Status == domain.KeyNeedsReentry:
			said = append(said, "The "+string(slot)+" key can't be decrypted. Set it again.")
		default:
			said = append(said, "Voiceflow accepted the "+string(slot)+" key.")
		}
	}
	return strings.Join(said, " ")
}

func (x *request) setEnvironments() error {
	return x.change(func(p domain.Project, in fields) (string, error) {
		spec := environments(in)
		if spec.AllowDraft == nil { // the field shows what is in effect, so an empty one means none
			spec.AllowDraft = []string{}
		}
		_, err := x.console.service.SetEnvironments(x.Context(), x.Call(), string(p.ID), spec)
		return "Calls can use these environments from now on.", err
	}, func(page *assistantPage, in fields) { page.Environments = environmentsShown(in) })
}

func (x *request) setPictureOrigins() error {
	return x.change(func(p domain.Project, in fields) (string, error) {
		origins := append([]string{}, in.words("origins")...)
		_, err := x.console.service.SetPictureOrigins(x.Context(), x.Call(), string(p.ID), origins)
		if len(origins) == 0 {
			return "The chat page shows no pictures and plays no audio from now on.", err
		}
		return "The chat page shows pictures and plays audio from these origins from now on.", err
	}, func(page *assistantPage, in fields) { page.Origins = in.shown("origins") })
}

func (x *request) grantAssistant() error {
	return x.change(func(p domain.Project, in fields) (string, error) {
		user, err := x.userID(in.text("user_id"))
		if err != nil {
			return "", err
		}
		err = x.console.service.GrantProject(x.Context(), x.Call(), user, string(p.ID), in.scopes())
		return p.Name + " is granted to " + in.shown("user_id") + ".", err
	}, func(page *assistantPage, in fields) {
		page.Grants.User, page.Grants.Scopes = in.shown("user_id"), scopeChoices(domain.AllScopes(), in.texts("scopes"))
	})
}

// userID returns the id of the user that a form names by name or by id. A text that is no name of a
// user counts as an id.
func (x *request) userID(text string) (string, error) {
	if !x.console.service.OwnUsers() {
		return text, nil
	}
	u, err := x.console.service.FindUser(x.Context(), x.Call(), text)
	switch domain.KindOf(err) {
	case domain.Invalid, domain.NotFound:
		return text, nil
	}
	return string(u.ID), err
}

func (x *request) revokeAssistant() error {
	return x.change(func(p domain.Project, in fields) (string, error) {
		user := in.text("user_id")
		if err := x.console.service.RevokeProject(x.Context(), x.Call(), user, string(p.ID)); err != nil {
			return "", err
		}
		return x.revoked(user, string(p.ID), "The grant is revoked. Its sessions have ended."), nil
	}, nil)
}

// deleteTokenPage asks whether to delete a key.
type deleteTokenPage struct {
	ID   domain.ProjectID
	Name string
	Slot domain.Slot
}

func (x *request) confirmDeleteToken() error {
	p, err := x.assistant()
	if err != nil {
		return err
	}
	slot, err := domain.ParseSlotToEmpty(x.Request().URL.Query().Get("slot"))
	if err != nil {
		return err
	}
	if p.Key(slot).Empty() {
		return &domain.Error{Kind: domain.NotFound, Public: p.Name + " has no " + string(slot) + " key"}
	}
	return x.show("assistant_delete_token", "Delete the "+string(slot)+" key?", deleteTokenPage{ID: p.ID, Name: p.Name, Slot: slot})
}

func (x *request) deleteToken() error {
	return x.change(func(p domain.Project, in fields) (string, error) {
		slot := in.text("slot")
		_, err := x.console.service.DeleteToken(x.Context(), x.Call(), app.DeleteToken{Project: string(p.ID), Slot: slot})
		return "The " + slot + " key is deleted here. It stays valid at Voiceflow: delete it there too if nobody else uses it.", err
	}, nil)
}

func (x *request) deleteAssistant() error {
	p, err := x.assistant()
	if err != nil {
		return err
	}
	in, err := x.fields()
	if err == nil {
		if err = sameName(p, in.text("project_name")); err == nil {
			err = x.console.service.DeleteProject(x.Context(), x.Call(), app.DeleteProject{ID: string(p.ID)})
		}
		if err == nil {
			return x.done("/console/assistants", p.Name+" is deleted here. Voiceflow still has it.")
		}
	}
	page := x.assistantPage(p, domain.Cursor{})
	page.Typed = in.shown("project_name")
	return x.again(err, "assistant", p.Name, page)
}

// sameName returns Invalid unless the name that was typed is that of the assistant. White space does
// not count, since a field of one line can't contain all of it.
func sameName(p domain.Project, typed string) error {
	bare := func(text string) string { return strings.Join(strings.Fields(norm.NFC.String(text)), "") }
	switch bare(typed) {
	case "":
		return &domain.Error{Kind: domain.Invalid, Public: "nothing is deleted; type the name of the assistant to delete it"}
	case bare(p.Name):
		return nil
	}
	return &domain.Error{Kind: domain.Invalid, Public: "nothing is deleted, because you typed another name; type the name as the page shows it"}
}
