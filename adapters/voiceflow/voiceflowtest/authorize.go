package voiceflowtest

import (
	"net/http"
	"slices"
	"strings"
)

// refusal is one of Voiceflow's refusals.
type refusal struct {
	status  int
	form    ErrorForm
	message string
}

// door is how a group of Voiceflow's endpoints refuses a call without a key, with a key after
// Bearer, with a key that does not open the project, or for an unknown version. It also has the
// form of all other errors of a call.
type door struct {
	none, bearer, wrong, unknown refusal
	invalid                      ErrorForm
}

var (
	// dialogDoor is for the older dialog manager. A wrong key is a 400 there
	// (https://docs.voiceflow.com/reference/stateinteract-1), and Bearer was seen to be a 500
	// (https://community.voiceflow.com/m/1421562536716665063).
	dialogDoor = door{
		none:    refusal{http.StatusUnauthorized, FormLegacy, "Auth Key Required"},
		bearer:  refusal{http.StatusInternalServerError, FormBare, "Internal server error"},
		wrong:   refusal{http.StatusBadRequest, FormVerror, "Cannot resolve project version, please verify that your API key is correct."},
		unknown: refusal{http.StatusBadRequest, FormVerror, "Cannot resolve project version, please verify that your API key is correct."},
		invalid: FormBare,
	}
	// legacyDoor is for the `api` service (https://github.com/voiceflow/voiceflow-docs,
	// reference/project-api.json).
	legacyDoor = door{
		none:    refusal{http.StatusUnauthorized, FormLegacy, "Auth Key Required"},
		bearer:  refusal{http.StatusUnauthorized, FormLegacy, "Unauthorized"},
		wrong:   refusal{http.StatusUnauthorized, FormLegacy, "Unauthorized"},
		invalid: FormLegacy,
	}
	// knowledgeDoor is for the older knowledge base
	// (https://github.com/voiceflow/voiceflow-docs, reference/knowledge-base-apis.json).
	knowledgeDoor = door{
		none: legacyDoor.none, bearer: legacyDoor.bearer, wrong: legacyDoor.wrong, invalid: FormNested,
	}
	// nestDoor is for everything newer: streams, v4, analytics and realtime
	// (https://docs.voiceflow.com/api-reference/conversation/interact-stream).
	nestDoor = door{
		none:    refusal{http.StatusUnauthorized, FormNest, "Missing authorization header"},
		bearer:  refusal{http.StatusUnauthorized, FormNest, "Unauthorized"},
		wrong:   refusal{http.StatusUnauthorized, FormNest, "Unauthorized"},
		unknown: refusal{http.StatusNotFound, FormNest, "Environment not found"},
		invalid: FormNestValidation,
	}
	// usageDoor is for the queries for usage, which name their projects in the body
	// (https://github.com/voiceflow/voiceflow-docs, reference/analytics-api.json).
	usageDoor = door{
		none: nestDoor.none, bearer: nestDoor.bearer, invalid: FormNestValidation,
		wrong: refusal{http.StatusUnauthorized, FormNest, "token does not have permissions for some of the requested resources"},
	}
)

// invalidTag is the answer to an environment that the project does not have
// (https://docs.voiceflow.com/api-reference/guides/environments.md).
var invalidTag = refusal{http.StatusBadRequest, FormBare, "invalid environment tag"}

// way is how the calls of an endpoint name their project and version.
type way struct {
	door
	// project returns the project that a call names, or "" for the project of the key. It is nil
	// if calls can't name one. mustName means that a call without a project is refused.
	project  func(*http.Request) string
	mustName bool
	// version returns the version or environment that a call names; "" means `development`. It
	// is nil if every version will do.
	version func(*http.Request) string
}

func inPath(name string) func(*http.Request) string {
	return func(r *http.Request) string { return r.PathValue(name) }
}

func inQuery(name string) func(*http.Request) string {
	return func(r *http.Request) string { return r.URL.Query().Get(name) }
}

func inHeader(name string) func(*http.Request) string {
	return func(r *http.Request) string { return r.Header.Get(name) }
}

// enter finds the assistant of a call, and the environment that the call named.
func (s *Server) enter(r *http.Request, by way) (Assistant, string, *refusal) {
	key := r.Header.Get("Authorization")
	switch {
	case key == "":
		return Assistant{}, "", &by.none
	case strings.HasPrefix(key, "Bearer "):
		return Assistant{}, "", &by.bearer
	}
	project := ""
	if by.project != nil {
		project = by.project(r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	opened := s.opened(key, project)
	switch {
	case len(opened) == 0:
		return Assistant{}, "", &by.wrong
	case by.mustName && project == "":
		return Assistant{}, "", &refusal{http.StatusBadRequest, by.invalid, "projectID is required"}
	case by.version == nil:
		return opened[0], environmentOf(opened[0]), nil
	}
	name := by.version(r)
	if name == "" {
		name = "development"
	}
	if id := strings.ToLower(name); objectID.MatchString(id) {
		i := slices.IndexFunc(opened, func(a Assistant) bool { return a.VersionID == id })
		if i >= 0 {
			return opened[i], environmentOf(opened[i]), nil
		}
		if _, there := s.byVersion[id]; there {
			return Assistant{}, "", &by.wrong
		}
		return Assistant{}, "", &by.unknown
	}
	i := slices.IndexFunc(opened, func(a Assistant) bool {
		return s.byAlias[environment{a.ProjectID, name}] == a.VersionID
	})
	if i < 0 {
		return Assistant{}, "", &invalidTag
	}
	return opened[i], name, nil
}

// opened returns the assistants that key opens: those of the project, or all if projectID is "".
// The caller holds the lock.
func (s *Server) opened(key, projectID string) []Assistant {
	var all []Assistant
	for _, version := range s.byKey[key] {
		if a := s.byVersion[version]; projectID == "" || strings.EqualFold(a.ProjectID, projectID) {
			all = append(all, a)
		}
	}
	return all
}

// environmentOf returns an alias of a, for a call that named none.
func environmentOf(a Assistant) string {
	if len(a.Aliases) == 0 {
		return ""
	}
	return a.Aliases[0]
}
