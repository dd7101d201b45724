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
	// is nil if every version will do. aliasOnly means that the id of a version is no name there.
	// optional means that a call without one is answered as usual.
	version             func(*http.Request) string
	aliasOnly, optional bool
	// stage returns the stage that a call names, "" for the one that is usual for the environment.
	// It is nil if calls can't name one.
	stage func(*http.Request) string
	// personal means that personal access tokens open the endpoint.
	personal bool
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

// place is where a call is answered: the assistant with the version that answers, its environment
// and its stage. project has all environments of the project.
type place struct {
	assistant   Assistant
	environment Environment
	stage       string
	project     []Environment
}

// enter finds the place of a call.
func (s *Server) enter(r *http.Request, by way) (place, *refusal) {
	project := ""
	if by.project != nil {
		project = by.project(r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	opened, refused := s.opened(r.Header.Get("Authorization"), project, by)
	if refused != nil {
		return place{}, refused
	}
	at, refused := s.named(r, opened, by)
	if refused != nil {
		return place{}, refused
	}
	for _, id := range s.byProject[at.assistant.ProjectID] {
		at.project = append(at.project, s.byVersion[id].environments()...)
	}
	return at, nil
}

// opened returns the assistants that a credential opens: those of the project, or all of a key if
// projectID is "". The caller holds the lock.
func (s *Server) opened(credential, projectID string, by way) ([]Assistant, *refusal) {
	var ids []string
	token, bearer := strings.CutPrefix(credential, "Bearer ")
	switch {
	case credential == "":
		return nil, &by.none
	case bearer:
		projects, known := s.personal[token]
		if !known || !by.personal {
			return nil, &by.bearer
		}
		// What Voiceflow answers for a project of another workspace is not documented. This is its
		// answer for other things that do not exist.
		if projectID != "" && !slices.Contains(projects, strings.ToLower(projectID)) {
			return nil, &refusal{http.StatusNotFound, FormNest, "Project not found"}
		}
		ids = s.byProject[strings.ToLower(projectID)]
	case by.personal && s.noKeys:
		return nil, &by.wrong
	default:
		ids = s.byKey[credential]
	}
	all := s.ofProject(ids, projectID)
	switch {
	case by.mustName && projectID == "" && (bearer || len(all) > 0):
		return nil, &refusal{http.StatusBadRequest, by.invalid, "projectID is required"}
	case len(all) == 0:
		return nil, &by.wrong
	}
	return all, nil
}

// ofProject returns the assistants of the project, or all if projectID is "". The caller holds the
// lock.
func (s *Server) ofProject(ids []string, projectID string) []Assistant {
	var all []Assistant
	for _, id := range ids {
		if a := s.byVersion[id]; projectID == "" || strings.EqualFold(a.ProjectID, projectID) {
			all = append(all, a)
		}
	}
	return all
}

// named returns the place that a call names among the assistants. The caller holds the lock.
func (s *Server) named(r *http.Request, opened []Assistant, by way) (place, *refusal) {
	if by.version == nil || by.optional && by.version(r) == "" {
		return usual(opened[0]), nil
	}
	name, stage := by.version(r), ""
	if by.stage != nil {
		stage = by.stage(r)
		if stage != "" && !isStage(stage) {
			return place{}, &refusal{http.StatusBadRequest, by.invalid, "version is draft or published"}
		}
	}
	if name == "" {
		name = legacyDraft
	}
	if id := strings.ToLower(name); objectID.MatchString(id) {
		return s.byID(id, stage, opened, by)
	}
	for _, a := range slices.Backward(opened) {
		for _, e := range a.environments() {
			if e.Alias != name {
				continue
			}
			if stage == "" {
				stage = e.stage()
			}
			a.VersionID = e.version(stage)
			if a.VersionID == "" {
				return place{}, &by.unknown
			}
			return place{assistant: a, environment: e, stage: stage}, nil
		}
	}
	return place{}, &invalidTag
}

// byID returns the place of a version by its id among the assistants. The caller holds the lock.
func (s *Server) byID(id, stage string, opened []Assistant, by way) (place, *refusal) {
	if by.aliasOnly {
		return place{}, &invalidTag
	}
	for _, a := range opened {
		if at, there := a.atVersion(id); there {
			if stage != "" && stage != at.stage && len(a.Environments) > 0 {
				return place{}, &by.unknown // what Voiceflow does is not documented
			}
			return at, nil
		}
	}
	if _, there := s.versions[id]; there {
		return place{}, &by.wrong
	}
	return place{}, &by.unknown
}

// usual returns the place of a call that names no version: the environment that takes most of the
// traffic, or else the first one.
func usual(a Assistant) place {
	all := a.environments()
	if len(a.Environments) == 0 {
		at, _ := a.atVersion(a.VersionID)
		return at
	}
	e := slices.MaxFunc(all, func(x, y Environment) int { return x.Traffic - y.Traffic })
	stage := stagePublished
	if e.Published == "" {
		stage = stageDraft
	}
	a.VersionID = e.version(stage)
	return place{assistant: a, environment: e, stage: stage}
}

// atVersion returns the place of a version of a by its id.
func (a Assistant) atVersion(id string) (place, bool) {
	all := a.environments()
	stage := stagePublished
	i := slices.IndexFunc(all, func(e Environment) bool {
		return id == e.Published || slices.ContainsFunc(e.Releases, func(r Release) bool { return r.VersionID == id })
	})
	if i < 0 {
		stage = stageDraft
		i = slices.IndexFunc(all, func(e Environment) bool { return id == e.Draft })
	}
	if i < 0 {
		return place{assistant: a, stage: stagePublished}, a.VersionID == id
	}
	a.VersionID = id
	return place{assistant: a, environment: all[i], stage: stage}, true
}
