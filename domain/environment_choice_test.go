package domain_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/flowlatch/flowlatch/domain"
)

// The ids of versions in the tests. Each is 24 hex digits.
const (
	mainDraft     = "aaaaaaaaaaaaaaaaaaaaaa01"
	mainPublished = "aaaaaaaaaaaaaaaaaaaaaa02"
	mainRelease   = "aaaaaaaaaaaaaaaaaaaaaa03"
	mainOldDraft  = "aaaaaaaaaaaaaaaaaaaaaa04"
	mainID        = "aaaaaaaaaaaaaaaaaaaaaa05"
	stageDraft    = "bbbbbbbbbbbbbbbbbbbbbb01"
	stagePub      = "bbbbbbbbbbbbbbbbbbbbbb02"
	stageID       = "bbbbbbbbbbbbbbbbbbbbbb05"
	twice         = "cccccccccccccccccccccc01"
	unlisted      = "dddddddddddddddddddddd01"
)

// listed is what Voiceflow lists in the tests.
var listed = domain.EnvironmentList{Known: true, States: []domain.EnvironmentState{
	{Alias: "main", ID: mainID, Draft: mainDraft, Published: mainPublished, Releases: []string{mainRelease, mainPublished, twice}, Drafts: []string{mainOldDraft}},
	{Alias: "staging", ID: stageID, Draft: stageDraft, Published: stagePub, Releases: []string{stagePub, twice}},
	{Alias: "nameless", Published: "eeeeeeeeeeeeeeeeeeeeee01"},
}}

// The calls of each form, by what they take.
var takes = map[string][2]string{
	"header":   {"general-runtime", "POST /state/user/ben/interact"},
	"query":    {"general-runtime", "POST /v2/project/" + hex24 + "/user/ben/interact/stream"},
	"stable":   {"realtime-api", "PUT /v1/stable/conversation/ben"},
	"state":    {"realtime-api", "GET /v1/stable/conversation-state/ben"},
	"document": {"realtime-api", "POST /v1/stable/knowledge-base/query"},
	"session":  {"general-runtime", "POST /v4/project/" + hex24 + "/session"},
	"turn":     {"general-runtime", "POST /v4/interact"},
	"search":   {"realtime-api", "POST /v1/stable/transcript/search"},
	"searchID": {"analytics-api", "POST /v1/transcript/project/" + hex24},
	"none":     {"api", "GET /v2/transcripts/" + hex24},
	"question": {"general-runtime", "POST /knowledge-base/query"},
	"usage":    {"analytics-api", "POST /v2/query/usage"},
}

// at is a call of that form. Any other form is a path with the environment in it.
func at(t testing.TB, form string) domain.Route {
	t.Helper()
	call, known := takes[form]
	if name, is := strings.CutPrefix(form, "session "); is {
		call, known = [2]string{"general-runtime", "POST /v4/project/" + hex24 + "/environment/" + name + "/session"}, true
	}
	if name, is := strings.CutPrefix(form, "export "); is {
		call, known = [2]string{"api", "GET /v2/versions/" + name + "/export"}, true
	}
	if name, is := strings.CutPrefix(form, "export-json "); is {
		call, known = [2]string{"realtime-api", "GET /v1alpha1/project/" + hex24 + "/environment/" + name + "/export-json"}, true
	}
	method, path, _ := strings.Cut(call[1], " ")
	route, err := domain.MatchEndpoint(call[0], method, path)
	if !known || err != nil {
		t.Fatalf("%s: %v", form, err)
	}
	return route
}

func names(list ...string) domain.AskedEnvironment { return domain.AskedEnvironment{Names: list} }

func stage(s string, list ...string) domain.AskedEnvironment {
	return domain.AskedEnvironment{Names: list, Stages: []string{s}}
}

// withEnvironments is an assistant with environments: "main staging", or "all"; a default, and the
// drafts.
func withEnvironments(allowed, byDefault, drafts string) domain.Project {
	e := domain.Environments{Default: byDefault, AllowDraft: strings.Fields(drafts)}
	if e.All = allowed == "all"; !e.All {
		e.Allowed = strings.Fields(allowed)
	}
	return domain.Project{ID: uuid, Voiceflow: hex24, Version: otherHex24, Environments: e}
}

func pinnedTo(version string) domain.Project {
	return domain.Project{ID: uuid, Voiceflow: hex24, Version: version}
}

const (
	denied  = domain.EnvironmentNotAllowed
	invalid = domain.Invalid
)

func TestWhichEnvironmentACallUses(t *testing.T) {
	two, all := withEnvironments("main staging", "main", ""), withEnvironments("all", "main", "development")
	ids := withEnvironments(mainPublished+" main", mainPublished, "")
	drafts := withEnvironments("main staging development "+stageDraft, "main", "main development "+stageDraft)
	for _, tc := range []struct {
		name    string
		project domain.Project
		limit   string
		grant   [][]string
		form    string
		asked   domain.AskedEnvironment
		session string
		want    domain.UsedEnvironment
		kind    domain.Kind
		says    string // what the message names
		asks    bool   // Voiceflow's list is needed
	}{
		// Names.
		{name: "a call that names none uses the default", project: two, form: "header", want: domain.UsedEnvironment{Name: "main", Send: "main"}},
		{name: "an allowed one is used", project: two, form: "header", asked: names("staging"), want: domain.UsedEnvironment{Name: "staging", Send: "staging"}},
		{name: "the same name in two places is one", project: two, form: "header", asked: names("staging", "staging"), want: domain.UsedEnvironment{Name: "staging", Send: "staging"}},
		{name: "two names are refused", project: two, form: "header", asked: names("main", "staging"), kind: denied, says: `"staging"`},
		{name: "a name in the path and another one are two", project: two, form: "session main", asked: names("staging"), kind: denied, says: `"main"`},
		{name: "another one is refused", project: two, form: "header", asked: names("other"), kind: denied, says: `"other" is not allowed; allowed: main, staging;`},
		{name: "a name in other case is another one", project: two, form: "header", asked: names("Main"), kind: denied, says: `"Main"`},
		{name: "a name with spaces can't be one", project: two, form: "header", asked: names(" main"), kind: invalid, says: `" main"`},
		{name: "a name that is too long can't be one", project: all, form: "header", asked: names(strings.Repeat("x", 65)), kind: invalid, says: strings.Repeat("x", 64) + `" can't be one`},
		{name: "a name with a line break is quoted", project: all, form: "header", asked: names("a\nb\xff"), kind: invalid, says: `"a\nb` + "\uFFFD" + `"`},
		{name: "what is no text can't be a name", project: two, form: "header", asked: domain.AskedEnvironment{NoText: []string{`{"a":7}`}}, kind: invalid, says: `{\"a\":7}`},
		{name: "with all allowed every alias is", project: all, form: "header", asked: names("other"), want: domain.UsedEnvironment{Name: "other", Send: "other"}},
		{name: "a path names one", project: two, form: "session staging", want: domain.UsedEnvironment{Name: "staging", Send: "staging"}},
		{name: "a path can name one that is not allowed", project: two, form: "export other", kind: denied, says: `"other"`},
		{name: "a v4 session that names none uses the default", project: two, form: "session", want: domain.UsedEnvironment{Name: "main", Send: "main"}},
		{name: "a call without an environment uses none", project: two, form: "none"},
		{name: "a member that nobody documents is held to the rules", project: two, form: "none", asked: names("other"), kind: denied, says: `"other"`},
		{name: "a member that nobody documents can name an allowed one", project: two, form: "none", asked: names("staging"), want: domain.UsedEnvironment{Name: "staging", Send: "staging"}},

		{name: "a question that names none is for the default", project: two, form: "question", want: domain.UsedEnvironment{Name: "main", Send: "main", Stage: "published"}},

		// Ids.
		{name: "the published version of an allowed alias is allowed", project: two, form: "header", asked: names(mainPublished), want: domain.UsedEnvironment{Name: mainPublished, Send: mainPublished}, asks: true},
		{name: "an id in capitals is told as it came", project: two, form: "header", asked: names(strings.ToUpper(mainPublished)), want: domain.UsedEnvironment{Name: strings.ToUpper(mainPublished), Send: mainPublished}, asks: true},
		{name: "the same id in two cases is one", project: two, form: "header", asked: names(strings.ToUpper(mainPublished), mainPublished), want: domain.UsedEnvironment{Name: strings.ToUpper(mainPublished), Send: mainPublished}, asks: true},
		{name: "an id and its alias are two names", project: two, form: "header", asked: names("main", mainPublished), kind: denied, says: mainPublished},
		{name: "an older release of an allowed alias is allowed", project: two, form: "header", asked: names(mainRelease), want: domain.UsedEnvironment{Name: mainRelease, Send: mainRelease}, asks: true},
		{name: "an id of an alias that is not allowed is refused", project: withEnvironments("main", "main", ""), form: "header", asked: names(stagePub), kind: denied, says: stagePub, asks: true},
		{name: "an id of an allowed alias and of another one is refused", project: withEnvironments("main", "main", ""), form: "header", asked: names(twice), kind: denied, says: twice, asks: true},
		{name: "an id that Voiceflow does not list is refused", project: two, form: "header", asked: names(unlisted), kind: denied, says: unlisted, asks: true},
		{name: "with all allowed an id that Voiceflow does not list is refused", project: all, form: "header", asked: names(unlisted), kind: denied, says: "Voiceflow does not list it", asks: true},
		{name: "with all allowed an id that Voiceflow lists is used", project: all, form: "header", asked: names(stagePub), want: domain.UsedEnvironment{Name: stagePub, Send: stagePub}, asks: true},
		{name: "an id that an admin allows need not be listed", project: withEnvironments(unlisted, unlisted, ""), form: "header", want: domain.UsedEnvironment{Name: unlisted, Send: unlisted}, asks: true},
		{name: "an id does not allow its alias", project: withEnvironments(mainPublished, mainPublished, ""), form: "header", asked: names("main"), kind: denied, says: `"main"`},
		{name: "the id of an environment is not that of a version", project: two, form: "header", asked: names(mainID), kind: denied, says: mainID, asks: true},

		// Where only an alias can stand.
		{name: "an id becomes the alias that it is now", project: ids, form: "session", want: domain.UsedEnvironment{Name: mainPublished, Send: "main"}, asks: true},
		{name: "an id becomes alias and stage", project: drafts, form: "state", asked: names(mainDraft), want: domain.UsedEnvironment{Name: mainDraft, Send: "main", Stage: "draft"}, asks: true},
		{name: "a draft becomes no alias where no stage is sent", project: drafts, form: "session", asked: names(mainDraft), kind: domain.Conflict, says: mainDraft, asks: true},
		{name: "an older release becomes no alias", project: two, form: "session", asked: names(mainRelease), kind: domain.Conflict, says: "published ids change with each publish", asks: true},
		{name: "an older draft becomes no alias", project: drafts, form: "state", asked: names(mainOldDraft), kind: domain.Conflict, says: mainOldDraft, asks: true},
		{name: "an id that Voiceflow does not list becomes no alias", project: withEnvironments(unlisted, unlisted, ""), form: "session", kind: domain.Conflict, says: "add the assistant by alias", asks: true},
		{name: "an id where a path has an alias becomes the alias", project: two, form: "session " + mainPublished, want: domain.UsedEnvironment{Name: mainPublished, Send: "main"}, asks: true},
		{name: "an id that two environments have becomes no alias", project: two, form: "session", asked: names(twice), kind: domain.Conflict, says: twice, asks: true},

		// Stages.
		{name: "a call that names no version means published", project: two, form: "state", want: domain.UsedEnvironment{Name: "main", Send: "main", Stage: "published"}},
		{name: "an export that names no version means published", project: two, form: "export-json main", want: domain.UsedEnvironment{Name: "main", Send: "main", Stage: "published"}},
		{name: "a draft that is allowed is used", project: drafts, form: "state", asked: stage("draft"), want: domain.UsedEnvironment{Name: "main", Send: "main", Stage: "draft"}},
		{name: "a draft that is not allowed is refused", project: two, form: "state", asked: stage("draft"), kind: denied, says: `the draft of "main" is not allowed; no draft is allowed`},
		{name: "a draft of another is refused", project: drafts, form: "state", asked: stage("draft", "staging"), kind: denied, says: `drafts are allowed of: main, development`},
		{name: "with all allowed a draft is refused", project: all, form: "state", asked: stage("draft"), kind: denied, says: `drafts are allowed of: development`},
		{name: "the id of a draft is a draft", project: two, form: "header", asked: names(mainDraft), kind: denied, says: mainDraft, asks: true},
		{name: "an older draft is a draft", project: two, form: "header", asked: names(mainOldDraft), kind: denied, says: mainOldDraft, asks: true},
		{name: "with all allowed the id of a draft is a draft", project: all, form: "header", asked: names(stageDraft), kind: denied, says: stageDraft, asks: true},
		{name: "a draft by its id is allowed as the draft of its alias", project: drafts, form: "header", asked: names(mainDraft), want: domain.UsedEnvironment{Name: mainDraft, Send: mainDraft}, asks: true},
		{name: "a draft is allowed by its id", project: drafts, form: "header", asked: names(stageDraft), want: domain.UsedEnvironment{Name: stageDraft, Send: stageDraft}},
		{name: "an allowed id that is a draft needs the right to the draft", project: withEnvironments(mainDraft, mainDraft, ""), form: "header", kind: denied, says: mainDraft, asks: true},
		{name: "development is the draft where no version is named", project: withEnvironments("all", "main", ""), form: "header", asked: names("development"), kind: denied, says: "no draft is allowed"},
		{name: "development in other case may be the draft too", project: all, form: "header", asked: names("Development"), kind: denied, says: `"Development"`},
		{name: "development is used if its draft is allowed", project: all, form: "header", asked: names("development"), want: domain.UsedEnvironment{Name: "development", Send: "development"}},
		{name: "development is published where nothing else is said", project: withEnvironments("all", "main", ""), form: "state", asked: names("development"), want: domain.UsedEnvironment{Name: "development", Send: "development", Stage: "published"}},
		{name: "a stage that contradicts the id is refused", project: drafts, form: "state", asked: stage("draft", mainPublished), kind: denied, says: "is published", asks: true},
		{name: "a stage that agrees with the id is used", project: drafts, form: "state", asked: stage("published", mainPublished), want: domain.UsedEnvironment{Name: mainPublished, Send: "main", Stage: "published"}, asks: true},
		{name: "another stage can't be one", project: two, form: "state", asked: stage("latest"), kind: invalid, says: `"latest"`},
		{name: "two stages can't be one", project: drafts, form: "state", asked: domain.AskedEnvironment{Stages: []string{"draft", "published"}}, kind: invalid, says: "two versions"},

		// Searches.
		{name: "a search that names none searches all", project: two, form: "search"},
		{name: "a search that names one is filtered", project: two, form: "search", asked: names("staging"), want: domain.UsedEnvironment{Name: "staging", Send: "staging"}},
		{name: "a search can't name another one", project: two, form: "search", asked: names("other"), kind: denied, says: `"other"`},
		{name: "a search names a version of an environment", project: drafts, form: "search", asked: stage("draft", "main"), want: domain.UsedEnvironment{Name: "main", Send: "main", Stage: "draft"}},
		{name: "a search names a version of all environments", project: two, form: "search", asked: stage("published"), want: domain.UsedEnvironment{Stage: "published"}},
		{name: "a search for all drafts is refused", project: drafts, form: "search", asked: stage("draft"), kind: denied, says: "name an environment"},
		{name: "a search for all drafts passes where all are allowed", project: withEnvironments("main", "main", "main"), form: "search", asked: stage("draft"), want: domain.UsedEnvironment{Stage: "draft"}},
		{name: "a search by an id is for its alias and stage", project: two, form: "search", asked: names(stagePub), want: domain.UsedEnvironment{Name: stagePub, Send: "staging", Stage: "published"}, asks: true},
		{name: "a search by the id of an environment is for its alias", project: two, form: "search", asked: names(stageID), want: domain.UsedEnvironment{Name: stageID, Send: "staging"}, asks: true},
		{name: "the id of an environment becomes its alias", project: drafts, form: "state", asked: stage("draft", mainID), want: domain.UsedEnvironment{Name: mainID, Send: "main", Stage: "draft"}, asks: true},
		{name: "the draft of an environment by its id is a draft", project: two, form: "state", asked: stage("draft", mainID), kind: denied, says: mainID, asks: true},
		{name: "where a search has an alias and a version the id of an environment becomes its alias", project: two, form: "searchID", asked: names(stageID), want: domain.UsedEnvironment{Name: stageID, Send: "staging"}, asks: true},
		{name: "where a search has an alias and a version an alias stays", project: two, form: "searchID", asked: names("main"), want: domain.UsedEnvironment{Name: "main", Send: "main"}},
		{name: "where a search has an alias and a version a version stays", project: two, form: "searchID", asked: names(stagePub), want: domain.UsedEnvironment{Name: stagePub, Send: stagePub}, asks: true},
		{name: "where a search has an alias and a version an older version stays", project: two, form: "searchID", asked: names(mainRelease), want: domain.UsedEnvironment{Name: mainRelease, Send: mainRelease}, asks: true},
		{name: "where a search has an alias and a version another's is refused", project: withEnvironments("main", "main", ""), form: "searchID", asked: names(stageID), kind: denied, says: stageID, asks: true},

		{name: "usage by an alias is filtered", project: two, form: "usage", asked: names("staging"), want: domain.UsedEnvironment{Name: "staging", Send: "staging"}},

		// Limited access tokens.
		{name: "a limited token uses the default", project: two, limit: "main", form: "header", want: domain.UsedEnvironment{Name: "main", Send: "main"}},
		{name: "a limited token without the default must name one", project: two, limit: "staging", form: "header", kind: denied, says: `the call names no environment, and the default "main" is not allowed for this access token; allowed: staging`},
		{name: "a limited token uses one of its own", project: two, limit: "staging", form: "header", asked: names("staging"), want: domain.UsedEnvironment{Name: "staging", Send: "staging"}},
		{name: "a limited token does not use another one", project: two, limit: "staging", form: "header", asked: names("main"), kind: denied, says: `"main" is not allowed for this access token; allowed: staging`},
		{name: "a limit allows nothing that the assistant does not", project: two, limit: "other", form: "header", asked: names("other"), kind: denied, says: `"other"`},
		{name: "an id counts as its alias for a limited token", project: two, limit: "staging", form: "header", asked: names(stagePub), want: domain.UsedEnvironment{Name: stagePub, Send: stagePub}, asks: true},
		{name: "an id of another alias does not", project: two, limit: "staging", form: "header", asked: names(mainPublished), kind: denied, says: mainPublished, asks: true},
		{name: "with all allowed a limited token is told its limit", project: all, limit: "staging", form: "header", asked: names("main"), kind: denied, says: `allowed: staging`},
		{name: "a limited token makes no call that can't be limited", project: two, limit: "main", form: "none", kind: denied, says: "can't be limited"},
		{name: "nor one whose environment nobody documents", project: two, limit: "main", form: "none", asked: names("main"), kind: denied, says: "can't be limited"},
		{name: "a limited token asks the knowledge base of its environment", project: two, limit: "main", form: "question", want: domain.UsedEnvironment{Name: "main", Send: "main", Stage: "published"}},

		// Environments that Voiceflow may do without, and a stage that is sent only if it is named.
		{name: "the default is put in", project: two, form: "question", want: domain.UsedEnvironment{Name: "main", Send: "main", Stage: "published"}},
		{name: "a stage that is named is sent", project: drafts, form: "question", asked: stage("draft"), want: domain.UsedEnvironment{Name: "main", Send: "main", Stage: "draft"}},
		{name: "a draft that is not allowed is refused there too", project: two, form: "question", asked: stage("draft"), kind: denied, says: `the draft of "main" is not allowed`},
		{name: "the id of the environment itself is its alias", project: two, form: "question", asked: names(stageID), want: domain.UsedEnvironment{Name: stageID, Send: "staging", Stage: "published"}, asks: true},
		{name: "for a pinned one none is sent", project: pinnedTo(mainRelease), form: "question"},
		{name: "of a pinned one another is replaced", project: pinnedTo("main"), form: "question", asked: stage("draft", "staging"), want: domain.UsedEnvironment{Name: "main", Send: "main", Stage: "published"}},
		{name: "a variant of a stream needs the right to the draft", project: two, form: "query", asked: stage("draft"), kind: denied, says: `the draft of "main" is not allowed`},
		{name: "a variant of a stream is sent", project: drafts, form: "query", asked: stage("draft"), want: domain.UsedEnvironment{Name: "main", Send: "main", Stage: "draft"}},
		{name: "a stream that names none sends none", project: drafts, form: "query", want: domain.UsedEnvironment{Name: "main", Send: "main"}},
		{name: "a variant must agree with the id", project: drafts, form: "query", asked: stage("published", mainDraft), kind: denied, says: "is draft", asks: true},
		{name: "a search of a limited token is filtered", project: two, limit: "main", form: "search", want: domain.UsedEnvironment{Name: "main", Send: "main"}},
		{name: "a search of a limited token without the default is refused", project: two, limit: "staging", form: "search", kind: denied, says: `"main"`},
		{name: "a search by alias or version of a limited token is filtered", project: two, limit: "main", form: "searchID", want: domain.UsedEnvironment{Name: "main", Send: "main"}},
		{name: "a search of a limited token for drafts is for those of its environment", project: drafts, limit: "main", form: "search", asked: stage("draft"), want: domain.UsedEnvironment{Name: "main", Send: "main", Stage: "draft"}},

		// Pinned assistants.
		{name: "a pinned one uses its version", project: pinnedTo(otherHex24), form: "header", want: domain.UsedEnvironment{Name: otherHex24, Send: otherHex24}},
		{name: "what is asked of a pinned one is replaced", project: pinnedTo("production"), form: "header", asked: names("a", "b b"), want: domain.UsedEnvironment{Name: "production", Send: "production"}},
		{name: "what is no text is replaced for a pinned one", project: pinnedTo("production"), form: "header", asked: domain.AskedEnvironment{NoText: []string{"7"}}, want: domain.UsedEnvironment{Name: "production", Send: "production"}},
		{name: "a stage that is asked of a pinned one is replaced", project: pinnedTo("production"), form: "state", asked: stage("draft", "x"), want: domain.UsedEnvironment{Name: "production", Send: "production", Stage: "published"}},
		{name: "pinned to development is the draft", project: pinnedTo("development"), form: "state", want: domain.UsedEnvironment{Name: "development", Send: "development", Stage: "draft"}},
		{name: "pinned to a draft is the draft of its alias", project: pinnedTo(mainDraft), form: "state", want: domain.UsedEnvironment{Name: mainDraft, Send: "main", Stage: "draft"}, asks: true},
		{name: "pinned to a published version is the published version of its alias", project: pinnedTo(mainPublished), form: "document", want: domain.UsedEnvironment{Name: mainPublished, Send: "main", Stage: "published"}, asks: true},
		{name: "pinned to an older release has no alias", project: pinnedTo(mainRelease), form: "state", kind: domain.Conflict, says: "add the assistant by alias", asks: true},
		{name: "pinned to what Voiceflow does not list has no alias", project: pinnedTo(unlisted), form: "state", kind: domain.Conflict, says: unlisted, asks: true},
		{name: "a path that names the version is the version", project: pinnedTo(mainPublished), form: "export " + strings.ToUpper(mainPublished), want: domain.UsedEnvironment{Name: strings.ToUpper(mainPublished), Send: mainPublished}},
		{name: "a path that names another is refused", project: pinnedTo("production"), form: "export development", kind: denied, says: `"development" is not allowed, because the assistant is pinned to its version; allowed: production`},
		{name: "a path that names another id is refused", project: pinnedTo(mainPublished), form: "export " + stagePub, kind: denied, says: stagePub},
		{name: "a path that names the alias of the version is the version", project: pinnedTo(mainPublished), form: "export main", want: domain.UsedEnvironment{Name: "main", Send: mainPublished}, asks: true},
		{name: "a path that names the alias of the version stays an alias", project: pinnedTo(mainPublished), form: "session main", want: domain.UsedEnvironment{Name: "main", Send: "main"}, asks: true},
		{name: "a path that names another alias is refused", project: pinnedTo(mainPublished), form: "session staging", kind: denied, says: `"staging"`, asks: true},
		{name: "a path that names the alias of a draft is refused", project: pinnedTo(mainDraft), form: "session main", kind: denied, says: `"main"`, asks: true},
		{name: "a path that names the alias of a draft is the draft if it is sent", project: pinnedTo(mainDraft), form: "export-json main", want: domain.UsedEnvironment{Name: "main", Send: "main", Stage: "draft"}, asks: true},
		{name: "a path that names the id of the alias is the alias", project: pinnedTo("main"), form: "export " + mainPublished, want: domain.UsedEnvironment{Name: mainPublished, Send: "main"}, asks: true},
		{name: "a path that names the draft of the alias is refused", project: pinnedTo("main"), form: "export " + mainDraft, kind: denied, says: mainDraft, asks: true},
		{name: "pinned to an id the traffic split chooses", project: pinnedTo(mainPublished), form: "session"},
		{name: "pinned to an alias the session is in it", project: pinnedTo("main"), form: "session", want: domain.UsedEnvironment{Name: "main", Send: "main"}},
		{name: "pinned to an id a session that names one is in its alias", project: pinnedTo(mainPublished), form: "session", asked: names("x"), want: domain.UsedEnvironment{Name: mainPublished, Send: "main"}, asks: true},
		{name: "a search of a pinned one that names none searches all", project: pinnedTo("main"), form: "search"},
		{name: "a search of a pinned one that names one is filtered by its version", project: pinnedTo("main"), form: "search", asked: names("x"), want: domain.UsedEnvironment{Name: "main", Send: "main"}},
		{name: "a search of a pinned one that names a version gets its own", project: pinnedTo("main"), form: "search", asked: stage("draft"), want: domain.UsedEnvironment{Stage: "published"}},
		{name: "a search of one pinned to an id is filtered by alias and stage", project: pinnedTo(mainDraft), form: "search", asked: names("x"), want: domain.UsedEnvironment{Name: mainDraft, Send: "main", Stage: "draft"}, asks: true},
		{name: "a limited token of a pinned one gets no traffic split", project: pinnedTo(mainPublished), limit: "main", form: "session", want: domain.UsedEnvironment{Name: mainPublished, Send: "main"}, asks: true},
		{name: "a limited token of a pinned one must have the version", project: pinnedTo(mainPublished), limit: "staging", form: "header", kind: denied, says: mainPublished, asks: true},
		{name: "a search of a limited token of a pinned one is filtered", project: pinnedTo("main"), limit: "main", form: "search", want: domain.UsedEnvironment{Name: "main", Send: "main"}},

		{name: "a question of a pinned one that names none has none, as before", project: pinnedTo(unlisted), form: "question"},
		{name: "a question of a pinned one that names one is for its version", project: pinnedTo(mainPublished), form: "question", asked: names("x"), want: domain.UsedEnvironment{Name: mainPublished, Send: "main", Stage: "published"}, asks: true},

		// Turns of v4 sessions.
		{name: "a session keeps its environment", project: two, form: "turn", session: "staging", want: domain.UsedEnvironment{Name: "staging", Send: "staging"}},
		{name: "a turn can name it", project: two, form: "turn", session: "staging", asked: names("staging"), want: domain.UsedEnvironment{Name: "staging", Send: "staging"}},
		{name: "a turn can't name another one", project: two, form: "turn", session: "staging", asked: names("main"), kind: denied, says: "start a new session in it"},
		{name: "a session whose environment is no longer allowed ends", project: two, form: "turn", session: "other", kind: denied, says: `"other"`},
		{name: "a session whose draft is no longer allowed ends", project: withEnvironments("all", "main", ""), form: "turn", session: "development", kind: denied, says: "no draft is allowed"},
		{name: "a session of a release goes on after a publish", project: two, form: "turn", session: mainRelease, want: domain.UsedEnvironment{Name: mainRelease, Send: mainRelease}, asks: true},
		{name: "a session of a limited token stays within its limit", project: two, limit: "main", form: "turn", session: "staging", kind: denied, says: "start a new session"},
		{name: "a session of the traffic split ends when environments are set", project: two, form: "turn", kind: denied, says: "start a new session"},
		{name: "a session of the traffic split goes on for a pinned one", project: pinnedTo(mainPublished), form: "turn"},
		{name: "but not for a limited token", project: pinnedTo(mainPublished), limit: "main", form: "turn", kind: denied, says: "start a new session"},
		{name: "a session of a pinned one from before knows its alias", project: pinnedTo("main"), form: "turn", want: domain.UsedEnvironment{Name: "main", Send: "main"}},
		{name: "a session in the alias of the version goes on", project: pinnedTo(mainRelease), form: "turn", session: "main", want: domain.UsedEnvironment{Name: "main", Send: "main"}, asks: true},
		{name: "a session in another alias ends when the assistant is pinned", project: pinnedTo(mainPublished), form: "turn", session: "staging", kind: denied, says: `"staging"`, asks: true},
		// Grants that groups limit. Each list is of the environments in which a scope is granted.
		{name: "a limited grant lets its own environment be used", project: two, grant: [][]string{{"staging"}}, form: "header", asked: names("staging"), want: domain.UsedEnvironment{Name: "staging", Send: "staging"}},
		{name: "a limited grant without the default must name one", project: two, grant: [][]string{{"staging"}}, form: "header", kind: denied, says: `the call names no environment, and the default "main" is not allowed for you by your groups at the identity provider; allowed: staging`},
		{name: "a limited grant does not use another one", project: two, grant: [][]string{{"staging"}}, form: "header", asked: names("main"), kind: denied, says: `"main" is not allowed for you by your groups at the identity provider; allowed: staging`},
		{name: "each scope must be granted in it", project: two, grant: [][]string{{"main", "staging"}, {"staging"}}, form: "header", asked: names("main"), kind: denied, says: "allowed: staging"},
		{name: "grants that have no environment in common allow none", project: two, grant: [][]string{{"main"}, {"staging"}}, form: "header", asked: names("main"), kind: denied, says: "no environment is allowed"},
		{name: "an empty list allows none", project: two, grant: [][]string{{}}, form: "header", asked: names("main"), kind: denied, says: "no environment is allowed"},
		{name: "an empty list allows none of all", project: all, grant: [][]string{{}}, form: "header", asked: names("main"), kind: denied, says: "no environment is allowed"},
		{name: "a limited token of a limited grant uses what both allow", project: two, limit: "main staging", grant: [][]string{{"staging"}}, form: "header", asked: names("staging"), want: domain.UsedEnvironment{Name: "staging", Send: "staging"}},
		{name: "a limited token of a limited grant does not use what one allows", project: two, limit: "main", grant: [][]string{{"staging"}}, form: "header", asked: names("main"), kind: denied, says: "no environment is allowed"},
		{name: "a version of an alias that a grant is limited to", project: two, grant: [][]string{{"main"}}, form: "header", asked: names(mainPublished), want: domain.UsedEnvironment{Name: mainPublished, Send: mainPublished}, asks: true},
		{name: "a version of another alias", project: two, grant: [][]string{{"main"}}, form: "header", asked: names(stagePub), kind: denied, says: stagePub, asks: true},
		{name: "a limited grant can't be held to a call without an environment", project: two, grant: [][]string{{"main"}}, form: "none", kind: denied, says: "in some environments only"},
		{name: "a search of a limited grant is for the default", project: two, grant: [][]string{{"main"}}, form: "search", want: domain.UsedEnvironment{Name: "main", Send: "main"}},
		{name: "a session of a limited grant stays within its limit", project: two, grant: [][]string{{"main"}}, form: "turn", session: "staging", kind: denied, says: "start a new session"},
		{name: "a limited grant of a pinned one must have the version", project: pinnedTo("main"), grant: [][]string{{"staging"}}, form: "header", kind: denied, says: `"main" is not allowed for you`},
		{name: "a limited grant of a pinned one gets no traffic split", project: pinnedTo(mainPublished), grant: [][]string{{"main"}}, form: "session", want: domain.UsedEnvironment{Name: mainPublished, Send: "main"}, asks: true},
		{name: "a session of the traffic split ends for a limited grant", project: pinnedTo(mainPublished), grant: [][]string{{"main"}}, form: "turn", kind: denied, says: "start a new session"},

		{name: "what a turn of a pinned one names is replaced", project: pinnedTo("main"), form: "turn", session: "main", asked: names("x"), want: domain.UsedEnvironment{Name: "main", Send: "main"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			choice := domain.EnvironmentChoice{Route: at(t, tc.form), Project: tc.project, Limit: strings.Fields(tc.limit), Grant: tc.grant, Session: tc.session, Asked: tc.asked}
			got, next, err := choice.Decide(domain.EnvironmentList{})
			if asks := next == domain.ListNeeded; asks != tc.asks {
				t.Errorf("needs Voiceflow's list: got %v, want %v", asks, tc.asks)
			}
			if tc.asks {
				if got != (domain.UsedEnvironment{}) || err != nil {
					t.Errorf("got %+v and error %v of a choice that needs the list", got, err)
				}
				got, next, err = choice.Decide(listed)
			}
			wantKind(t, err, tc.kind)
			if got != tc.want || next == domain.ListNeeded {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
			if err != nil && (tc.says == "" || !strings.Contains(err.Error(), tc.says) || !strings.HasSuffix(err.Error(), "; see docs/endpoints.md#environments")) {
				t.Errorf("got %v, want it to name %s and where to read on", err, tc.says)
			}
		})
	}
}

func TestAnUnknownIdIsAReasonForANewerList(t *testing.T) {
	for _, tc := range []struct {
		name  string
		asked string
		form  string
		want  domain.NextList
	}{
		{"an alias", "main", "header", domain.ListSuffices},
		{"a listed id", mainPublished, "header", domain.ListSuffices},
		{"an id that is not listed", unlisted, "header", domain.ListMayBeOld},
	} {
		choice := domain.EnvironmentChoice{Route: at(t, tc.form), Project: withEnvironments("all", "main", ""), Asked: names(tc.asked)}
		if _, got, _ := choice.Decide(listed); got != tc.want {
			t.Errorf("%s: got %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestARefusalListsTwentyNames(t *testing.T) {
	var many []string
	for i := range 25 {
		many = append(many, "env"+strconv.Itoa(i))
	}
	choice := domain.EnvironmentChoice{Route: at(t, "header"), Project: withEnvironments(strings.Join(many, " "), "env0", ""), Asked: names("x")}
	_, _, err := choice.Decide(domain.EnvironmentList{})
	if err == nil || !strings.Contains(err.Error(), "env19 and 5 more;") || strings.Contains(err.Error(), "env20") {
		t.Errorf("got %v, want twenty names and how many more", err)
	}
}

func TestAStateInPlainForm(t *testing.T) {
	got := domain.EnvironmentState{
		Alias: strings.ToUpper(mainDraft), ID: "env_1", Draft: strings.ToUpper(mainDraft), Published: "latest",
		Releases: []string{"", strings.ToUpper(mainRelease), "x"}, Drafts: []string{mainOldDraft[1:]},
	}.Plain()
	if got.Alias != "" || got.ID != "env_1" || got.Draft != mainDraft || got.Published != "" || !slices.Equal(got.Releases, []string{mainRelease}) || len(got.Drafts) != 0 {
		t.Errorf("got %+v", got)
	}
}

// Whatever is asked of whatever assistant, what is used is allowed, and what is not used is
// refused.
func TestNothingIsUsedThatIsNotAllowed(t *testing.T) {
	some := []string{"main", "staging", "development", "other", "Main", mainDraft, mainPublished, mainRelease, mainOldDraft, mainID, stageDraft, stagePub, stageID, twice, unlisted}
	forms := []string{"header", "query", "stable", "state", "document", "session", "search", "searchID", "turn", "none", "question", "usage", "session main", "export " + mainPublished, "export-json staging"}
	aliasesOf := func(id string) (aliases []string, draft bool) {
		for _, s := range listed.States {
			switch {
			case id == s.Draft || slices.Contains(s.Drafts, id):
				aliases, draft = append(aliases, s.Alias), true
			case id == s.Published || id == s.ID || slices.Contains(s.Releases, id):
				aliases = append(aliases, s.Alias)
			}
		}
		return aliases, draft
	}
	isID := func(name string) bool { return len(name) == 24 }
	covers := func(list []string, name string) bool {
		if slices.Contains(list, name) {
			return true
		}
		aliases, _ := aliasesOf(name)
		return len(aliases) > 0 && !slices.ContainsFunc(aliases, func(alias string) bool { return !slices.Contains(list, alias) })
	}
	rapid.Check(t, func(t *rapid.T) {
		subset := rapid.SliceOfNDistinct(rapid.SampledFrom(some), 0, 4, rapid.ID)
		var limit []string
		if rapid.Bool().Draw(t, "limited") {
			limit = rapid.SliceOfNDistinct(rapid.SampledFrom(some), 1, 4, rapid.ID).Draw(t, "limit")
		}
		p := pinnedTo(rapid.SampledFrom(some).Draw(t, "version"))
		if rapid.IntRange(0, 3).Draw(t, "mode") > 0 {
			allowed := rapid.SliceOfNDistinct(rapid.SampledFrom(some), 1, 4, rapid.ID).Draw(t, "allowed")
			p.Environments = domain.Environments{Default: allowed[0], Allowed: allowed, All: rapid.Bool().Draw(t, "all")}
			p.Environments.AllowDraft = slices.DeleteFunc(subset.Draw(t, "drafts"), func(name string) bool {
				return !p.Environments.All && !slices.Contains(allowed, name)
			})
			if p.Environments.All {
				p.Environments.Allowed = nil
			}
		}
		form := rapid.SampledFrom(forms).Draw(t, "form")
		method, path, _ := strings.Cut(takes[form][1], " ")
		service := takes[form][0]
		switch form {
		case "session main":
			service, method, path = "general-runtime", "POST", "/v4/project/"+hex24+"/environment/main/session"
		case "export " + mainPublished:
			service, method, path = "api", "GET", "/v2/versions/"+mainPublished+"/export"
		case "export-json staging":
			service, method, path = "realtime-api", "GET", "/v1alpha1/project/"+hex24+"/environment/staging/export-json"
		}
		route, err := domain.MatchEndpoint(service, method, path)
		if err != nil {
			t.Fatal(err)
		}
		c := domain.EnvironmentChoice{
			Route: route, Project: p, Limit: limit, Session: rapid.SampledFrom(append([]string{""}, some...)).Draw(t, "session"),
			Asked: domain.AskedEnvironment{
				Names:  rapid.SliceOfN(rapid.SampledFrom(some), 0, 2).Draw(t, "names"),
				Stages: rapid.SliceOfN(rapid.SampledFrom([]string{"draft", "published"}), 0, 1).Draw(t, "stages"),
			},
		}
		used, next, err := c.Decide(listed)
		if unknown, asks, e := c.Decide(domain.EnvironmentList{}); asks == domain.ListSuffices && (unknown != used || domain.KindOf(e) != domain.KindOf(err)) {
			t.Fatalf("got %+v, %v without the list, and %+v, %v with it", unknown, e, used, err)
		}
		if err != nil {
			if kind := domain.KindOf(err); kind != domain.EnvironmentNotAllowed && kind != domain.Conflict && kind != domain.Invalid {
				t.Fatalf("got %v", err)
			}
			if used != (domain.UsedEnvironment{}) {
				t.Fatalf("got %+v beside the error %v", used, err)
			}
			return
		}
		if next == domain.ListNeeded {
			t.Fatal("a list that is known is needed")
		}
		e, pinned := route.Endpoint, p.Environments.Pinned()
		name := strings.ToLower(used.Name)
		if used.Name != "" && !isID(name) {
			name = used.Name
		}
		if isID(used.Send) && used.Value(domain.FieldAlias) != "" {
			t.Fatalf("the id %s goes out as an alias", used.Send)
		}
		if e.Starts && used.Send != "" && used.Value(domain.FieldAlias) == "" {
			t.Fatalf("a session is started in %s, which is no alias", used.Send)
		}
		if len(limit) > 0 {
			if used.Name == "" || e.Filters && used.Send == "" {
				t.Fatalf("a limited token makes a call without an environment: %+v", used)
			}
			if !covers(limit, name) && (!pinned || !covers(limit, p.Version)) {
				t.Fatalf("a token that is limited to %v uses %s", limit, name)
			}
		}
		if pinned || used.Name == "" {
			return
		}
		if len(c.Asked.Names) > 0 && used.Name != c.Asked.Names[0] && !strings.Contains(form, " ") {
			t.Fatalf("asked for %v, and got %s", c.Asked.Names, used.Name)
		}
		env := p.Environments
		if !env.All && !covers(env.Allowed, name) {
			t.Fatalf("%s is used, and %v is allowed", name, env.Allowed)
		}
		aliases, draft := aliasesOf(name)
		draft = draft || used.Stage == "draft" || used.Stage == "" && !e.TakesStage() && name == "development"
		if env.All && isID(name) && len(aliases) == 0 && name != env.Default && !slices.Contains(env.AllowDraft, name) {
			t.Fatalf("%s is used, which Voiceflow does not list", name)
		}
		if draft && !slices.Contains(env.AllowDraft, name) && !slices.ContainsFunc(aliases, func(a string) bool { return slices.Contains(env.AllowDraft, a) }) {
			t.Fatalf("the draft of %s is used, and drafts are allowed of %v", name, env.AllowDraft)
		}
	})
}

// Voiceflow reads the alias development as a draft where a call has no version. So an id must not
// become that alias without the right to the draft, and a published id never.
func TestNoIDBecomesTheAliasOfADraft(t *testing.T) {
	const devID, devDraft, devPublished = "ffffffffffffffffffffff05", "ffffffffffffffffffffff01", "ffffffffffffffffffffff02"
	list := domain.EnvironmentList{Known: true, States: []domain.EnvironmentState{{Alias: "development", ID: devID, Draft: devDraft, Published: devPublished}}}
	forms := []string{"session", "session main", "export-json main"}
	for _, tc := range []struct {
		project domain.Project
		id      string
		kind    domain.Kind
		stage   domain.Kind // where the call has a version
	}{
		{withEnvironments("all", "main", ""), devID, denied, ""},
		{withEnvironments("all", "main", ""), devPublished, domain.Conflict, ""},
		{withEnvironments("all", "main", ""), devDraft, denied, denied},
		{withEnvironments("main development", "main", ""), devID, denied, ""},
		{withEnvironments("main development", "main", "development"), devID, "", ""},
		{withEnvironments("main development", "main", "development"), devPublished, domain.Conflict, ""},
		{withEnvironments("main development", "main", "development"), devDraft, "", ""},
		{pinnedTo(devPublished), devPublished, domain.Conflict, ""},
	} {
		for _, form := range forms {
			want, form := tc.kind, strings.Replace(form, " main", " "+tc.id, 1)
			if strings.HasPrefix(form, "export-json") {
				want = tc.stage
			}
			if tc.project.Environments.Pinned() && tc.id != devPublished {
				continue
			}
			got, _, err := domain.EnvironmentChoice{Route: at(t, form), Project: tc.project, Asked: names(tc.id)}.Decide(list)
			if domain.KindOf(err) != want {
				t.Errorf("%s by %s of %+v: got %+v and %v, want %q", form, tc.id, tc.project.Environments, got, err, want)
			}
		}
	}
}

// People paste credentials where names belong. No message repeats one, wherever it begins, and
// none is taken for a name, which would go into headers and into the audit.
func TestACredentialIsNoNameAndIsNotRepeated(t *testing.T) {
	p := withEnvironments("all", "main", "")
	for _, secret := range []string{"VF.DM.0123456789abcdef01234567.ABCDEFGHIJKLMNOP", "vfp_ABCDEFGHIJKL_ABCDEFGHIJKLMNOPQRSTUVWX", "flk_w6g2s4ytamjpjthz3odwkb2sjqrp"} {
		for _, before := range []string{"", " ", "main ", "main,", "Bearer ", "x/", `["`} {
			for _, asked := range []domain.AskedEnvironment{names(before + secret), names("main", before+secret), stage(before+secret, "main"), {NoText: []string{before + secret}}} {
				_, _, err := domain.EnvironmentChoice{Route: at(t, "stable"), Project: p, Asked: asked}.Decide(domain.EnvironmentList{})
				if err == nil || strings.Contains(fmt.Sprint(err), secret) {
					t.Errorf("%q: got %v", asked, err)
				}
			}
		}
		if strings.Contains(secret, ".") {
			continue
		}
		for _, path := range []string{"/state/" + secret + "/user/u", "/v2/transcripts/" + hex24 + "/" + secret} {
			for _, service := range []string{"general-runtime", "api"} {
				if route, err := domain.MatchEndpoint(service, "GET", path); err == nil || strings.Contains(fmt.Sprint(err), secret) {
					t.Errorf("%s: got %v and %v", path, route.Endpoint, err)
				}
			}
		}
		if _, err := domain.ParseEnvironmentNames("environments", []string{secret}); domain.KindOf(err) != invalid || strings.Contains(fmt.Sprint(err), secret) {
			t.Errorf("as an environment: %v", err)
		}
		if _, err := domain.ParseVersionRef(secret, hex24); domain.KindOf(err) != invalid || strings.Contains(fmt.Sprint(err), secret) {
			t.Errorf("as a version: %v", err)
		}
	}
}
