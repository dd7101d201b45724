package domain

import (
	"strconv"
	"strings"
	"time"
)

// MaxProjectName is the longest name of a project, in bytes: a B-tree index of
// Postgres takes at most 2,704.
const MaxProjectName = 512

// Project is a Voiceflow assistant that was added here. Its key is not in it: keys
// are kept sealed, beside it.
type Project struct {
	ID               ProjectID
	Name             string      // as the export said, trimmed; 1 to MaxProjectName bytes
	Voiceflow        VoiceflowID // the export's project id
	Version          string      // as given when it was added: version id or alias
	Platform         string      // as the export said, "" where it did not
	Created          time.Time   // when it was added here
	VoiceflowCreated time.Time   // when Voiceflow says it was made
	KeyStatus        KeyStatus   // what is known of the key in the primary slot
	SecondaryStatus  KeyStatus   // what is known of the key in the secondary slot
	KeyChecked       time.Time   // when Voiceflow was last asked and what it thinks of one of the keys was noted; zero when it never was
	KeySet           time.Time   // when one of the keys was last put there; zero where that is not known
	Credits          Credits     // what the last use showed of its credits
}

// KeyStatus is what is known of a key.
type KeyStatus string

// What is known of a key.
const (
	KeyOK           KeyStatus = "ok"
	KeyRejected     KeyStatus = "rejected"      // Voiceflow refused it
	KeyNeedsReentry KeyStatus = "needs_reentry" // what is stored does not open; an admin has to set it again
	KeyUnchecked    KeyStatus = "unchecked"     // Voiceflow was not asked since it was stored
	KeyNone         KeyStatus = "none"          // there is none in the slot
)

// Fails says whether a key of which this is known is expected not to work.
func (s KeyStatus) Fails() bool { return s == KeyRejected || s == KeyNeedsReentry }

// Status is what is known of the key in the slot.
func (p Project) Status(slot Slot) KeyStatus {
	if slot == SlotSecondary {
		return p.SecondaryStatus
	}
	return p.KeyStatus
}

// MayBeSet is NeedsReentry where it is known that none of the project's keys opens.
func (p Project) MayBeSet() error {
	closed := p.KeyStatus == KeyNeedsReentry && (p.SecondaryStatus == KeyNone || p.SecondaryStatus == KeyNeedsReentry)
	if !closed {
		return nil
	}
	return &Error{Kind: NeedsReentry, Public: "the key of " + p.Name + " does not open; an admin has to set it again"}
}

// Marked is p with what is known of the key in the slot.
func (p Project) Marked(slot Slot, status KeyStatus) Project {
	if slot == SlotSecondary {
		p.SecondaryStatus = status
	} else {
		p.KeyStatus = status
	}
	return p
}

// Ref is how Voiceflow is asked for the version that p is.
func (p Project) Ref() VersionRef {
	v := VersionRef{Version: p.Version}
	if v.Alias() {
		v.Project = p.Voiceflow
	}
	return v
}

// Description is what a project is called at Voiceflow, where that may change.
type Description struct {
	Name     string // as in Project
	Platform string // as in Project
}

// DescribedBy is what e, a later export of the project, says of it. A name of more than
// MaxProjectName bytes is none that can be kept, so the one that p has stays: that an
// assistant was renamed must not be in the way of another key for it.
func (p Project) DescribedBy(e Export) Description {
	d := e.description()
	if len(d.Name) > MaxProjectName {
		d.Name = p.Name
	}
	return d
}

// description is what e says of its project, with a name that may be too long.
func (e Export) description() Description {
	d := Description{Name: foreignText(e.Name), Platform: clip(e.Platform, 64)}
	if d.Name == "" {
		d.Name = string(e.Project)
	}
	return d
}

// Credits is what is known of a project's credits at Voiceflow.
type Credits string

// What is known of credits.
const (
	CreditsOK     Credits = "ok"
	CreditsUsedUp Credits = "used_up"
)

// NewProject makes the project that e, the export of v, describes. A name that is
// empty gives way to the Voiceflow project id; where the export tells no creation
// time, the one in that id stands in. It is NameTooLong for a name of more than
// MaxProjectName bytes, and Invalid when v names another Voiceflow project.
func NewProject(id ProjectID, v VersionRef, e Export, now time.Time) (Project, error) {
	if v.Project != "" && v.Project != e.Project {
		return Project{}, invalid("voiceflow_project_id is not the project that Voiceflow answered for")
	}
	as := e.description()
	p := Project{
		ID: id, Name: as.Name, Voiceflow: e.Project, Version: v.Version,
		Platform: as.Platform, Created: Instant(now), VoiceflowCreated: Instant(e.Created),
		KeyStatus: KeyOK, SecondaryStatus: KeyNone, KeyChecked: Instant(now), KeySet: Instant(now), Credits: CreditsOK,
	}
	if len(p.Name) > MaxProjectName {
		return Project{}, &Error{Kind: NameTooLong, Public: "the assistant's name is longer than " + strconv.Itoa(MaxProjectName) + " bytes"}
	}
	if e.Created.IsZero() {
		p.VoiceflowCreated = e.Project.Created()
	}
	return p, nil
}

// ProjectRef names projects: every field that is not empty must match. The zero
// ProjectRef names none.
type ProjectRef struct {
	ID        ProjectID
	Voiceflow VoiceflowID
	Name      string // exact, to the byte
}

// ParseProjectRef reads the parameter project_id: our Id, or a Voiceflow project id.
// What can be neither is Invalid.
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

// Named narrows the ref to projects whose name is name, trimmed. It is Invalid for
// what can't be a project's name.
func (r ProjectRef) Named(name string) (ProjectRef, error) {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > MaxProjectName || foreignText(name) != name {
		return ProjectRef{}, invalid("project_name must be 1 to " + strconv.Itoa(MaxProjectName) + " bytes of UTF-8 without NUL")
	}
	r.Name = name
	return r, nil
}

// MaxMatches is how many projects a ref is looked up to: ten to show and one to know
// that there are more.
const MaxMatches = 11

// One picks the only project of found, which is what a look-up of a ref gave. It is
// NotFound for none and AmbiguousName, with the first ten, for several.
func One(found []Project) (Project, error) {
	switch len(found) {
	case 0:
		return Project{}, &Error{Kind: NotFound, Public: "there is no such assistant"}
	case 1:
		return found[0], nil
	}
	return Project{}, &Error{
		Kind: AmbiguousName, Public: "several assistants answer to that; send project_id with the Id of one",
		Projects: found[:min(len(found), MaxMatches-1)],
	}
}
