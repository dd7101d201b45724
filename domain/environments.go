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

// EnvironmentsSpec is what an admin says about the environments of an assistant, as it came.
type EnvironmentsSpec struct {
	Default    string   // "" is the version that the assistant was added with
	All        bool     // Allowed is not used
	Allowed    []string // nil is Default only
	AllowDraft []string // nil is development, if it is allowed
}

// ParseEnvironments reads the parameter environments of an assistant that was added with the
// version. Names are trimmed, and version ids are kept in lower case. Returns Invalid for a name
// that can't be one, for a name that comes twice, for more than MaxEnvironments names, for a list
// of allowed names without the default, and for a draft of an environment that is not allowed.
func ParseEnvironments(spec EnvironmentsSpec, version string) (Environments, error) {
	e := Environments{Default: version, All: spec.All}
	var err error
	if strings.TrimSpace(spec.Default) != "" {
		if e.Default, err = parseEnvironment("environments.default", spec.Default); err != nil {
			return Environments{}, err
		}
	}
	switch {
	case spec.All:
	case spec.Allowed == nil:
		e.Allowed = []string{e.Default}
	default:
		if e.Allowed, err = ParseEnvironmentNames("environments.allowed", spec.Allowed); err != nil {
			return Environments{}, err
		}
	}
	if !e.Lists(e.Default) {
		return Environments{}, invalid("environments.allowed must contain the default, " + strconv.Quote(e.Default))
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
	for _, name := range e.AllowDraft {
		if !e.Lists(name) {
			return Environments{}, invalid("environments.allow_draft contains " + strconv.Quote(name) + ", which is not allowed; add it to environments.allowed")
		}
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
		name, err := parseEnvironment(what, text)
		if err != nil {
			return nil, err
		}
		if slices.Contains(names, name) {
			return nil, invalid(what + " repeats " + strconv.Quote(name))
		}
		names = append(names, name)
	}
	return names, nil
}

// parseEnvironment reads the name of an environment: an alias, or a version id, which is kept in
// lower case.
func parseEnvironment(what, text string) (string, error) {
	name, err := parseText(what, text, 64)
	if err != nil {
		return "", err
	}
	if strings.Trim(name, idCharacters) != "" {
		return "", invalid(what + " can only contain letters, digits, _ and - in a name")
	}
	if name == AllEnvironments {
		return "", invalid(what + " can't contain " + strconv.Quote(AllEnvironments) + ", which is not the name of an environment")
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

// Equal reports whether both say the same, in the same order.
func (e Environments) Equal(other Environments) bool {
	return e.Default == other.Default && e.All == other.All &&
		slices.Equal(e.Allowed, other.Allowed) && slices.Equal(e.AllowDraft, other.AllowDraft)
}

// Names returns all names in e, some more than once.
func (e Environments) Names() []string {
	return slices.Concat([]string{e.Default}, e.Allowed, e.AllowDraft)
}

// storedEnvironments is the JSON form of Environments, in routes, lists, exports and stores.
type storedEnvironments struct {
	Default    string          `json:"default"`
	Allowed    json.RawMessage `json:"allowed"`
	AllowDraft []string        `json:"allow_draft"`
}

// AllEnvironments stands in place of the list of allowed names if every environment is allowed. No
// environment can be listed by this name.
const AllEnvironments = "all"

// Text returns e as JSON, "" for a pinned assistant: {"default": NAME, "allowed": [NAME, …] or
// "all", "allow_draft": [NAME, …]}.
func (e Environments) Text() string {
	if e.Pinned() {
		return ""
	}
	allowed, _ := json.Marshal(append([]string{}, e.Allowed...)) // strings always encode
	if e.All {
		allowed = []byte(strconv.Quote(AllEnvironments))
	}
	text, _ := json.Marshal(storedEnvironments{e.Default, allowed, append([]string{}, e.AllowDraft...)})
	return string(text)
}

// EnvironmentsFromText reads what Text wrote. An assistant with any other text is pinned to its
// version, so a text that was changed by hand or by a newer program allows nothing.
func EnvironmentsFromText(text string) Environments {
	if text == "" {
		return Environments{}
	}
	var stored storedEnvironments
	if json.Unmarshal([]byte(text), &stored) != nil {
		return Environments{}
	}
	e := Environments{Default: stored.Default, All: string(stored.Allowed) == strconv.Quote(AllEnvironments)}
	if !e.All && json.Unmarshal(stored.Allowed, &e.Allowed) != nil {
		return Environments{}
	}
	if len(stored.AllowDraft) > 0 {
		e.AllowDraft = stored.AllowDraft
	}
	beyond := slices.ContainsFunc(e.AllowDraft, func(name string) bool { return !e.Lists(name) })
	if beyond || !e.Lists(e.Default) || e.Text() != text {
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
