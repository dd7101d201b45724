package domain

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// MaxEnvironments is the largest number of names in a list of environments.
const MaxEnvironments = 100

// draftByDefault is the environment whose draft can be used if an admin does not say otherwise.
// It is Voiceflow's older alias for the draft (its API reference, 'Versions and Project IDs').
const draftByDefault = "development"

// Environments says which environments of an assistant calls can use. The zero value is that of an
// assistant that is pinned to its Version. Names are aliases and version ids. The lists are never
// changed by whoever holds them.
type Environments struct {
	Default    string   // what a call uses that names none
	All        bool     // every environment is allowed, and Allowed is empty
	Allowed    []string // holds Default; without repetitions
	AllowDraft []string // the environments whose draft can be used; without repetitions
}

// EnvironmentsSpec is what an admin says about the environments of an assistant, as it came. Its JSON
// form is that of routes, lists, exports and stores.
type EnvironmentsSpec struct {
	Default    string      `json:"default"`     // "" is the version that the assistant was added with
	Allowed    AllowedSpec `json:"allowed"`     // zero is Default only
	AllowDraft []string    `json:"allow_draft"` // nil is development, if it is allowed
}

// AllowedSpec is a list of names of environments, or all environments.
type AllowedSpec struct {
	All   bool     // Names is not used
	Names []string // nil if no list was given
}

// AllEnvironments stands in place of a list of names if every environment is allowed. No environment
// can be listed by this name.
const AllEnvironments = "all"

// MarshalJSON returns the list, or "all".
func (a AllowedSpec) MarshalJSON() ([]byte, error) {
	if a.All {
		return json.Marshal(AllEnvironments)
	}
	return json.Marshal(append([]string{}, a.Names...))
}

// UnmarshalJSON reads a list of texts, "all" or null. Returns Invalid for anything else.
func (a *AllowedSpec) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &a.Names) == nil {
		return nil
	}
	if json.Unmarshal(b, &text) == nil && strings.TrimSpace(text) == AllEnvironments {
		*a = AllowedSpec{All: true}
		return nil
	}
	return invalid("environments.allowed must be a list of names, or the text all")
}

// EnvironmentsNamed returns what an admin says in lists of names, on a command line or in a table.
// The first of names is the default, and the name all allows every environment. drafts are the
// environments whose draft can be used; nil as in EnvironmentsSpec. It returns nil if both lists are
// nil: the assistant is pinned.
func EnvironmentsNamed(names, drafts []string) *EnvironmentsSpec {
	if names == nil && drafts == nil {
		return nil
	}
	spec := EnvironmentsSpec{AllowDraft: drafts}
	listed := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == AllEnvironments })
	if len(listed) > 0 {
		spec.Default, spec.Allowed.Names = listed[0], listed
	}
	spec.Allowed.All = len(listed) < len(names)
	return &spec
}

// ParseEnvironments reads the parameter environments of an assistant that was added with the
// version. Names are trimmed, and version ids are kept in lower case. Returns Invalid for a name
// that can't be one, for a name that comes twice, for more than MaxEnvironments names, for a list
// of allowed names without the default, and for a draft of an environment that is not allowed. No
// error repeats a name, because a key may have been pasted in its place.
func ParseEnvironments(spec EnvironmentsSpec, version string) (Environments, error) {
	e := Environments{Default: version, All: spec.Allowed.All}
	var err error
	if strings.TrimSpace(spec.Default) != "" {
		if e.Default, err = parseEnvironment("environments.default", spec.Default); err != nil {
			return Environments{}, err
		}
	}
	switch {
	case e.All:
	case spec.Allowed.Names == nil:
		e.Allowed = []string{e.Default}
	default:
		if e.Allowed, err = ParseEnvironmentNames("environments.allowed", spec.Allowed.Names); err != nil {
			return Environments{}, err
		}
	}
	if !e.Lists(e.Default) {
		return Environments{}, invalid("environments.allowed must contain the default; without environments.default, that is the version_id of the assistant")
	}
	if spec.AllowDraft == nil {
		if e.Lists(draftByDefault) {
			e.AllowDraft = []string{draftByDefault}
		}
		return e, nil
	}
	if e.AllowDraft, err = ParseEnvironmentNames("environments.allow_draft", spec.AllowDraft); err != nil {
		return Environments{}, err
	}
	if slices.ContainsFunc(e.AllowDraft, e.lacks) {
		return Environments{}, invalid("environments.allow_draft names an environment that is not allowed; add it to environments.allowed")
	}
	return e, nil
}

// ParseEnvironmentNames reads a list of names of environments. what names the list in errors.
// Returns Invalid for a name that can't be one, for a name that comes twice, and for more than
// MaxEnvironments names.
func ParseEnvironmentNames(what string, list []string) ([]string, error) {
	if len(list) > MaxEnvironments {
		return nil, invalid(what + " has more than " + strconv.Itoa(MaxEnvironments) + " names")
	}
	names := make([]string, 0, len(list))
	for _, text := range list {
		name, err := parseEnvironment("a name in "+what, text)
		if err != nil {
			return nil, err
		}
		if slices.Contains(names, name) {
			return nil, invalid(what + " has a name twice")
		}
		names = append(names, name)
	}
	return names, nil
}

// parseEnvironment reads the name of an environment: an alias, or a version id, which is kept in
// lower case.
func parseEnvironment(what, text string) (string, error) {
	name, err := parseText(what, text, maxEnvironmentName)
	switch {
	case err != nil:
		return "", err
	case strings.Trim(name, idCharacters) != "":
		return "", invalid(what + " can only contain letters, digits, _ and -")
	case looksLikeCredential(name):
		return "", invalid(what + " looks like a key or an access token, which is no name; replace it where it came from, because it was sent here")
	case name == AllEnvironments:
		return "", invalid(what + " can't be all, which is not the name of an environment")
	}
	return plainEnvironment(name), nil
}

// plainEnvironment returns the name as it is compared: a version id in lower case.
func plainEnvironment(name string) string {
	if lower := strings.ToLower(name); isObjectID(lower) {
		return lower
	}
	return name
}

// Pinned reports whether the assistant is pinned to its version.
func (e Environments) Pinned() bool { return e.Default == "" }

// Lists reports whether name is allowed by its name. An id can also be allowed as a state of its
// alias.
func (e Environments) Lists(name string) bool { return e.All || slices.Contains(e.Allowed, name) }

func (e Environments) lacks(name string) bool { return !e.Lists(name) }

// Modes of an assistant, as admins see them.
const (
	ModePinned  = "pinned"   // calls use the version that the assistant was added with
	ModePerCall = "per_call" // each call says which environment it uses
)

// Mode returns how calls choose an environment.
func (e Environments) Mode() string {
	if e.Pinned() {
		return ModePinned
	}
	return ModePerCall
}

// InEffect returns the environments of the assistant as admins see them. Those of a pinned assistant
// are its version alone, with the same rule for its draft.
func (p Project) InEffect() Environments {
	if !p.Environments.Pinned() {
		return p.Environments
	}
	e := Environments{Default: p.Version, Allowed: []string{p.Version}}
	if e.Lists(draftByDefault) {
		e.AllowDraft = []string{draftByDefault}
	}
	return e
}

// Equal reports whether both say the same, in the same order.
func (e Environments) Equal(other Environments) bool {
	return e.Default == other.Default && e.All == other.All &&
		slices.Equal(e.Allowed, other.Allowed) && slices.Equal(e.AllowDraft, other.AllowDraft)
}

// Names returns all names in e, some more than once.
func (e Environments) Names() []string {
	return slices.Concat([]string{e.Default}, e.Allowed, e.AllowDraft)
}

// Spec returns what an admin has to say to get e, nil for a pinned assistant.
func (e Environments) Spec() *EnvironmentsSpec {
	if e.Pinned() {
		return nil
	}
	return &EnvironmentsSpec{
		Default: e.Default, Allowed: AllowedSpec{All: e.All, Names: e.Allowed}, AllowDraft: append([]string{}, e.AllowDraft...),
	}
}

// Text returns e as JSON, "" for a pinned assistant: {"default": NAME, "allowed": [NAME, …] or
// "all", "allow_draft": [NAME, …]}.
func (e Environments) Text() string {
	if e.Pinned() {
		return ""
	}
	text, _ := json.Marshal(e.Spec()) // texts always encode
	return string(text)
}

// EnvironmentsFromText reads what Text wrote. An assistant with any other text is pinned to its
// version, so a text that was changed by hand or by a newer program allows nothing.
func EnvironmentsFromText(text string) Environments {
	var stored EnvironmentsSpec
	if text == "" || json.Unmarshal([]byte(text), &stored) != nil {
		return Environments{}
	}
	e := Environments{Default: stored.Default, All: stored.Allowed.All, Allowed: stored.Allowed.Names}
	if len(stored.AllowDraft) > 0 {
		e.AllowDraft = stored.AllowDraft
	}
	if e.lacks(e.Default) || slices.ContainsFunc(e.AllowDraft, e.lacks) || e.Text() != text {
		return Environments{}
	}
	return e
}

// EnvironmentNamesText returns the names of the environments that an access token is limited to as
// one text, "" without a limit.
func EnvironmentNamesText(names []string) string { return strings.Join(names, " ") }

// EnvironmentNamesFromText reads what EnvironmentNamesText wrote. Any other text is a limit too.
func EnvironmentNamesFromText(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, " ")
}

// MayLimitTo returns Invalid unless an access token for the assistant can be limited to the names:
// the assistant has to allow each of them at this moment. A version id has to be allowed by itself,
// because only Voiceflow knows which alias has it.
func (p Project) MayLimitTo(names []string) error {
	e := p.InEffect()
	i := slices.IndexFunc(names, e.lacks)
	switch {
	case i < 0:
		return nil
	case isObjectID(names[i]):
		return invalid("environments contains a version id that the assistant does not list; name its alias")
	}
	return invalid("environments contains a name that the assistant does not allow; it allows " + strings.Join(e.Allowed, ", "))
}
