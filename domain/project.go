package domain

import (
	"strconv"
	"strings"
	"time"
)

// MaxProjectName is the longest name of a project, in bytes of NFC. A store can index names of this
// length.
const MaxProjectName = 512

// Project is a Voiceflow assistant that was added here, with its sealed Voiceflow keys.
type Project struct {
	ID               ProjectID
	Name             string      // as the export said, trimmed and in NFC; 1 to MaxProjectName bytes
	Voiceflow        VoiceflowID // the export's project id
	Version          string      // as given when it was added: version id or alias
	Platform         string      // as the export said, "" if it did not
	Created          time.Time   // when it was added here
	VoiceflowCreated time.Time   // when it was created at Voiceflow
	Primary          Key         // the key in the primary slot
	Secondary        Key         // the key in the secondary slot
	Personal         Key         // the key in the personal slot
	Credits          Credits     // what the last call showed about its credits

	// Environments are those that calls can use. If it is zero, the project is pinned to Version.
	Environments Environments

	// PictureOrigins are those from which the assistant's chat page may show pictures and play audio,
	// as ParsePictureOrigins returns them. The list is never changed by whoever holds it.
	PictureOrigins []Origin
}

// Ref returns the reference to the version of p at Voiceflow.
func (p Project) Ref() VersionRef {
	v := VersionRef{Version: p.Version}
	if v.Alias() {
		v.Project = p.Voiceflow
	}
	return v
}

// Description is what may change about a project at Voiceflow.
type Description struct {
	Name     string // as in Project
	Platform string // as in Project
}

// DescribedBy returns the description of the project in e, a later export. A name of more than
// MaxProjectName bytes can't be kept, so the present name stays: a new name at Voiceflow must
// not keep an admin from setting a new key.
func (p Project) DescribedBy(e Export) Description {
	d := e.description()
	if len(d.Name) > MaxProjectName {
		d.Name = p.Name
	}
	return d
}

// Describe takes the description over. It reports whether that changed anything.
func (p *Project) Describe(as Description) (news bool) {
	was := Description{p.Name, p.Platform}
	p.Name, p.Platform = as.Name, as.Platform
	return as != was
}

// MarkCredits notes what a call at Voiceflow showed of the project's credits. It reports
// whether that is news.
func (p *Project) MarkCredits(credits Credits) (news bool) {
	news = p.Credits != credits
	p.Credits = credits
	return news
}

// Changed returns p as a change leaves it: with name, platform, credits, environments, picture origins
// and keys of to. What else to has is lost.
func (p Project) Changed(to Project) Project {
	p.Name, p.Platform, p.Credits, p.Primary, p.Secondary = to.Name, to.Platform, to.Credits, to.Primary, to.Secondary
	p.Personal, p.Environments, p.PictureOrigins = to.Personal, to.Environments, to.PictureOrigins
	return p
}

// Resealed returns p with other sealed bytes of the same key in the slot.
func (p Project) Resealed(slot Slot, to Sealed) Project {
	p.slot(slot).Sealed = to
	return p
}

// description returns the description of the project in e. The name may be too long.
func (e Export) description() Description {
	d := Description{Name: foreignText(e.Name), Platform: clip(e.Platform, 64)}
	if d.Name == "" {
		d.Name = string(e.Project)
	}
	return d
}

// Credits is what is known about a project's credits at Voiceflow.
type Credits string

// What is known about credits.
const (
	CreditsOK     Credits = "ok"
	CreditsUsedUp Credits = "used_up"
)

// NewProject makes the project that e, the export of v, describes. Its slots are empty: the
// key is sealed for the project's ID and put there with PutKey. The Voiceflow project id
// stands in for an empty name, and the time in that id for a missing creation time.
// Returns NameTooLong if the name has more than MaxProjectName bytes. Returns Invalid if v
// names another Voiceflow project.
func NewProject(id ProjectID, v VersionRef, e Export, now time.Time) (Project, error) {
	if v.Project != "" && v.Project != e.Project {
		return Project{}, invalid("voiceflow_project_id is not the project in Voiceflow's answer")
	}
	as := e.description()
	p := Project{
		ID: id, Name: as.Name, Voiceflow: e.Project, Version: v.Version,
		Platform: as.Platform, Created: Instant(now), VoiceflowCreated: Instant(e.Created),
		Primary: Key{Status: KeyNone}, Secondary: Key{Status: KeyNone}, Credits: CreditsOK,
		Personal: Key{Status: KeyNone},
	}
	if len(p.Name) > MaxProjectName {
		return Project{}, &Error{Kind: NameTooLong, Public: "the assistant's name is longer than " + strconv.Itoa(MaxProjectName) + " bytes"}
	}
	if e.Created.IsZero() {
		p.VoiceflowCreated = e.Project.Created()
	}
	return p, nil
}

// ProjectRef names projects. Every field that is not empty must match. The zero ProjectRef
// names none.
type ProjectRef struct {
	ID        ProjectID
	Voiceflow VoiceflowID
	Name      string // exact, to the byte; in NFC
}

// ParseProjectRef reads the parameter project_id: our Id, or a Voiceflow project id. Returns
// Invalid for any other text.
func ParseProjectRef(text string) (ProjectRef, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	switch {
	case text == "":
		return ProjectRef{}, invalid("project_id is missing")
	case isUUID(text):
		return ProjectRef{ID: ProjectID(text)}, nil
	case isObjectID(text):
		return ProjectRef{Voiceflow: VoiceflowID(text)}, nil
	}
	return ProjectRef{}, invalid("project_id is neither an Id nor a Voiceflow project id")
}

// Named narrows the ref to projects whose name is name, trimmed. name is in NFC. Returns Invalid if
// name can't be the name of a project.
func (r ProjectRef) Named(name string) (ProjectRef, error) {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > MaxProjectName || foreignText(name) != name {
		return ProjectRef{}, invalid("project_name must be 1 to " + strconv.Itoa(MaxProjectName) + " bytes of UTF-8 without NUL")
	}
	r.Name = name
	return r, nil
}

// MaxMatches is how many projects a look-up of a ref returns at most: ten to show, and one to
// know that there are more.
const MaxMatches = 11

// ExactlyOne returns the only project of found, the result of a look-up. Returns NotFound for
// none, and AmbiguousName with the first ten for several.
func ExactlyOne(found []Project) (Project, error) {
	switch len(found) {
	case 0:
		return Project{}, NoSuch("assistant")
	case 1:
		return found[0], nil
	}
	return Project{}, &Error{
		Kind: AmbiguousName, Public: "several assistants match; send project_id with the Id of one",
		Projects: found[:min(len(found), MaxMatches-1)],
	}
}
