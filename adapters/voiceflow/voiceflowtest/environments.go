package voiceflowtest

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Environment is an environment of a project: a draft, and what was published of it
// (https://docs.voiceflow.com/api-reference/environmentpublicapi/list-environments).
type Environment struct {
	// ID is the id of the environment itself. It is not the id of a version.
	ID    string
	Alias string
	Name  string
	// Main marks the main environment of the project.
	Main bool
	// Draft is the version id of the draft. Published is the version id of what was published
	// last, "" if nothing was published. It changes with each publish.
	Draft, Published string
	// Releases are what was published, oldest first. Their versions can still be used by their ids.
	Releases []Release
	// Traffic is the percentage of the v4 sessions that Voiceflow sends here, among those that
	// name no environment. The stand-in sends all of them to the environment that has the most.
	Traffic int
}

// Release is one publish of an environment.
type Release struct {
	Name, VersionID string
	CreatedAt       time.Time
}

// NewEnvironment returns an environment that was published once, with ids of its own.
func NewEnvironment(alias string) Environment {
	now := time.Now()
	e := Environment{ID: NewID(now), Alias: alias, Name: strings.ToUpper(alias[:1]) + alias[1:], Draft: NewID(now), Published: NewID(now)}
	e.Releases = []Release{{Name: "Release 1", VersionID: e.Published, CreatedAt: now}}
	return e
}

// NewProject returns an assistant of [Shape2026] with the environments. The first one is the main
// one and takes all traffic. The VersionID of the assistant is the published version of the first
// one.
func NewProject(name string, aliases ...string) Assistant {
	a := NewAssistant(name, Shape2026)
	a.Aliases = aliases
	for i, alias := range aliases {
		e := NewEnvironment(alias)
		if i == 0 {
			e.Main, e.Traffic, a.VersionID = true, 100, e.Published
		}
		a.Environments = append(a.Environments, e)
	}
	return a
}

// The stages of an environment, with Voiceflow's names.
const (
	stageDraft     = "draft"
	stagePublished = "published"
)

// legacyDraft is the older alias of the draft. Voiceflow uses it if a call names no version
// (https://docs.voiceflow.com/reference/stateinteract-1).
const legacyDraft = "development"

// environments returns the environments of a. If a only has Aliases, its version is the draft of
// development and the published version of every other alias.
func (a Assistant) environments() []Environment {
	if len(a.Environments) > 0 || len(a.Aliases) == 0 {
		return a.Environments
	}
	all := make([]Environment, len(a.Aliases))
	for i, alias := range a.Aliases {
		e := Environment{
			ID: neighbour(a.ProjectID, 0x100+i), Alias: alias, Name: alias, Main: i == 0,
			Draft: neighbour(a.VersionID, 0x200+i), Published: a.VersionID,
		}
		if alias == legacyDraft {
			e.Draft, e.Published = a.VersionID, ""
		}
		all[i] = e
	}
	return all
}

// versions returns the ids of all versions of a.
func (a Assistant) versions() []string {
	ids := []string{a.VersionID}
	for _, e := range a.environments() {
		ids = append(ids, e.Draft, e.Published)
		for _, r := range e.Releases {
			ids = append(ids, r.VersionID)
		}
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return id == "" })
	slices.Sort(ids)
	return slices.Compact(ids)
}

// version returns the version id of e at the stage, "" if nothing was published.
func (e Environment) version(stage string) string {
	if stage == stageDraft {
		return e.Draft
	}
	return e.Published
}

// stage returns the stage of a call that names no stage.
func (e Environment) stage() string {
	if e.Alias == legacyDraft {
		return stageDraft
	}
	return stagePublished
}

// Answered says which version of which environment answered a request.
type Answered struct {
	ProjectID, VersionID string
	// Alias and Stage are those of the environment. Stage is draft or published.
	Alias, Stage string
}

// AnsweredBy returns which version answered the request. The zero Answered means that none did:
// the request was refused, or it has no answer yet.
func (r Request) AnsweredBy() Answered {
	if r.answered == nil {
		return Answered{}
	}
	if by := r.answered.Load(); by != nil {
		return *by
	}
	return Answered{}
}

// answeredKey is the key of the *atomic.Pointer[Answered] in the context of a request.
type answeredKey struct{}

// answeredBy notes which version answers c.
func (c *call) answeredBy() {
	if note, there := c.r.Context().Value(answeredKey{}).(*atomic.Pointer[Answered]); there {
		note.Store(&Answered{ProjectID: c.assistant.ProjectID, VersionID: c.assistant.VersionID, Alias: c.environment.Alias, Stage: c.stage})
	}
}

// inStage makes c a call for that stage of its environment. Returns false if nothing was
// published.
func (c *call) inStage(stage string) bool {
	version := c.environment.version(stage)
	if version == "" {
		return false
	}
	c.assistant.VersionID, c.stage = version, stage
	return true
}

// inEnvironment makes c a call for the environment with the alias or the id, which is not that of a
// version. Returns false if there is none.
func (c *call) inEnvironment(name string) bool {
	i := slices.IndexFunc(c.project, func(e Environment) bool {
		return e.Alias == name || e.ID == name
	})
	if i >= 0 {
		c.environment = c.project[i]
	}
	return i >= 0
}

// about returns what an answer of c says about the version that gave it. Voiceflow has no such
// member.
func (c *call) about() map[string]any {
	return map[string]any{"versionID": c.assistant.VersionID, "environment": c.environment.Alias, "version": c.stage}
}

// Publish publishes the draft of an environment, as a person does in Voiceflow. The version id of
// what is published changes. Returns the new one. Returns an error if there is no such environment.
func (s *Server) Publish(projectID, alias string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range s.byProject[projectID] {
		a := s.byVersion[id]
		all := slices.Clone(a.environments())
		i := slices.IndexFunc(all, func(e Environment) bool { return e.Alias == alias })
		if i < 0 {
			continue
		}
		now := time.Now()
		release := Release{Name: fmt.Sprintf("Release %d", len(all[i].Releases)+1), VersionID: NewID(now), CreatedAt: now}
		all[i].Releases = append(slices.Clone(all[i].Releases), release)
		all[i].Published = release.VersionID
		a.Environments = all
		s.byVersion[id] = a
		s.versions[release.VersionID] = id
		return release.VersionID, nil
	}
	return "", fmt.Errorf("voiceflowtest: there is no environment %q", alias)
}

// object returns e as /v1alpha1 shows it. Members that are not set have values of
// their type.
func (e Environment) object() map[string]any {
	releases := []any{}
	for i, r := range e.Releases {
		releases = append(releases, map[string]any{
			"name": r.Name, "backupID": 1000 + i, "createdAt": iso(r.CreatedAt), "versionID": r.VersionID, "description": "",
			"autogenerated": false, "createdByUserID": 10042,
		})
	}
	var published any
	if e.Published != "" {
		published = e.Published
	}
	return map[string]any{
		"id": e.ID, "name": e.Name, "alias": e.Alias, "isMain": e.Main, "releases": releases, "createdAt": iso(made(e.ID)),
		"draftVersionID": e.Draft, "publishedVersionID": published, "createdByUserID": 10042, "trafficPercentage": e.Traffic,
		"nextReleaseNumber": len(e.Releases) + 1, "draftVersionIDsHistory": []any{},
	}
}

// listEnvironments serves GET /v1alpha1/project/{projectID}/environments
// (https://docs.voiceflow.com/api-reference/environmentpublicapi/list-environments).
func (c *call) listEnvironments() answer {
	all := []any{}
	for _, e := range c.project {
		all = append(all, e.object())
	}
	return ok(map[string]any{"data": all})
}
