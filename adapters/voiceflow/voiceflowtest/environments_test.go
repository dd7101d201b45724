package voiceflowtest_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
)

// answered returns which version answered the last request.
func answered(s *voiceflowtest.Server) voiceflowtest.Answered {
	all := s.Requests()
	return all[len(all)-1].AnsweredBy()
}

func TestEveryNameOfAnEnvironmentLeadsToItsVersion(t *testing.T) {
	a := voiceflowtest.NewProject("Shop", "main", "staging", "development")
	s := start(t, a)
	in := "/v1/stable/conversation-state/x?projectID=" + a.ProjectID + "&environmentAlias="
	export := "/v1alpha1/project/" + a.ProjectID + "/environment/"
	main, staging, development := a.Environments[0], a.Environments[1], a.Environments[2]
	const tag = `{"statusCode":400,"message":"invalid environment tag"}`
	for _, tc := range []struct {
		name, header, method, path, body string
		status                           int
		text                             string
		version, alias, stage            string
	}{
		{name: "an alias is published", header: "staging", method: "POST", path: "/state/user/x/interact", version: staging.Published, alias: "staging", stage: "published"},
		{name: "development is a draft", header: "development", method: "POST", path: "/state/user/x/interact", version: development.Draft, alias: "development", stage: "draft"},
		{name: "no name is development", method: "POST", path: "/state/user/x/interact", version: development.Draft, alias: "development", stage: "draft"},
		{name: "the id of a draft", header: staging.Draft, method: "POST", path: "/state/user/x/interact", version: staging.Draft, alias: "staging", stage: "draft"},
		{name: "the id of what is published", header: main.Published, method: "GET", path: "/state/user/x", version: main.Published, alias: "main", stage: "published"},
		{name: "a stream by alias", method: "POST", path: "/v2/project/" + a.ProjectID + "/user/x/interact/stream?environment=main", version: main.Published, alias: "main", stage: "published"},
		{name: "a stream by id", method: "POST", path: "/v2/project/" + a.ProjectID + "/user/x/interact/stream?environment=" + main.Draft, version: main.Draft, alias: "main", stage: "draft"},
		{name: "a state by its stage", method: "GET", path: in + "main&version=draft", version: main.Draft, alias: "main", stage: "draft"},
		{name: "a state published", method: "GET", path: in + "main&version=published", version: main.Published, alias: "main", stage: "published"},
		{name: "a state by id", method: "GET", path: in + main.Published + "&version=published", status: 400, text: tag},
		{name: "a turn by its stage", method: "PUT", path: "/v1/stable/conversation/x?projectID=" + a.ProjectID + "&environmentAlias=staging",
			body: `{"action":{"type":"launch"},"version":"draft"}`, version: staging.Draft, alias: "staging", stage: "draft"},
		{name: "a session takes the traffic", method: "POST", path: "/v4/project/" + a.ProjectID + "/session", body: `{"userID":"x"}`,
			version: main.Published, alias: "main", stage: "published"},
		{name: "a session by alias", method: "POST", path: "/v4/project/" + a.ProjectID + "/environment/staging/session", body: `{"userID":"x"}`,
			version: staging.Published, alias: "staging", stage: "published"},
		{name: "a session by id", method: "POST", path: "/v4/project/" + a.ProjectID + "/environment/" + staging.Published + "/session", body: `{"userID":"x"}`,
			status: 400, text: tag},
		{name: "an export is the draft", method: "GET", path: export + "staging/export-json", version: staging.Draft, alias: "staging", stage: "draft"},
		{name: "an export of what is published", method: "GET", path: export + "staging/export-json?version=published", version: staging.Published, alias: "staging", stage: "published"},
		{name: "an export by id", method: "GET", path: export + staging.Published + "/export-json", status: 400, text: tag},
		{name: "the older export by id", method: "GET", path: "/v2/versions/" + main.Draft + "/export", version: main.Draft, alias: "main", stage: "draft"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ask := asking(t, s, a.Key)
			if tc.header != "" {
				ask = asking(t, s, a.Key, "versionID", tc.header)
			}
			if tc.status == 0 {
				tc.status = 200
			}
			ask.want(tc.status, tc.method, tc.path, tc.body, tc.text)
			want := voiceflowtest.Answered{}
			if tc.status == 200 {
				want = voiceflowtest.Answered{ProjectID: a.ProjectID, VersionID: tc.version, Alias: tc.alias, Stage: tc.stage}
			}
			if got := answered(s); got != want {
				t.Errorf("answered by %+v, want %+v", got, want)
			}
		})
	}
}

func TestTheListOfEnvironmentsHasWhatIsPublishedNow(t *testing.T) {
	a := voiceflowtest.NewProject("Shop", "main", "staging")
	a.Environments[1].Published, a.Environments[1].Releases = "", nil
	s := start(t, a, voiceflowtest.NewProject("Other", "main"))
	ask := asking(t, s, a.Key)
	type environment struct {
		ID, Name, Alias                    string
		IsMain                             bool
		DraftVersionID, PublishedVersionID string
		Releases                           []struct{ VersionID, Name string }
		TrafficPercentage                  int
	}
	list := func() []environment {
		t.Helper()
		var got struct{ Data []environment }
		if err := json.Unmarshal([]byte(ask.want(200, "GET", "/v1alpha1/project/"+a.ProjectID+"/environments", "").text), &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Data) != 2 {
			t.Fatalf("got %+v", got.Data)
		}
		return got.Data
	}
	before := list()
	if m := before[0]; m.Alias != "main" || !m.IsMain || m.PublishedVersionID != a.VersionID || m.DraftVersionID != a.Environments[0].Draft || m.TrafficPercentage != 100 {
		t.Errorf("got %+v", m)
	}
	if before[1].PublishedVersionID != "" || len(before[1].Releases) != 0 {
		t.Errorf("got %+v, want nothing published", before[1])
	}
	asking(t, s, a.Key, "versionID", "staging").want(400, "POST", "/state/user/x/interact", "{}", "verror")

	published, err := s.Publish(a.ProjectID, "main")
	if err != nil || published == a.VersionID {
		t.Fatalf("got %q, %v", published, err)
	}
	if after := list()[0]; after.PublishedVersionID != published || after.DraftVersionID != before[0].DraftVersionID || len(after.Releases) != 2 || after.Releases[1].VersionID != published {
		t.Errorf("got %+v after a publish", after)
	}
	for name, want := range map[string]string{"main": published, a.VersionID: a.VersionID, published: published} {
		asking(t, s, a.Key, "versionID", name).want(200, "POST", "/state/user/x/interact", "{}", `"answeredBy":{"environment":"main","version":"published","versionID":"`+want+`"}`)
	}
	ask.want(200, "GET", "/v1alpha1/project/"+a.ProjectID+"/environment/staging", "", `"alias":"staging"`, `"publishedVersionID":null`)
	ask.want(200, "GET", "/v1alpha1/project/"+a.ProjectID+"/environment/"+a.Environments[0].ID, "", `"alias":"main"`, published)
	ask.want(404, "GET", "/v1alpha1/project/"+a.ProjectID+"/environment/"+published, "")
	stable := ask.want(200, "GET", "/v1/stable/environment?projectID="+a.ProjectID, "", `"environments":[`, `"alias":"staging"`)
	if strings.Contains(stable.text, published) {
		t.Errorf("got %s, which has the id of a version", stable.text)
	}
	ask.want(200, "GET", "/v1/stable/environment/main?projectID="+a.ProjectID, "", `"environment":{`, `"alias":"main"`)
	ask.want(400, "GET", "/v1/stable/environment/"+published+"?projectID="+a.ProjectID, "")
	asking(t, s, "").want(401, "GET", "/v1alpha1/project/"+a.ProjectID+"/environments", "")
	if _, err := s.Publish(a.ProjectID, "nowhere"); err == nil {
		t.Error("an environment that is not there was published")
	}
}

func TestAPersonalTokenOpensItsProjects(t *testing.T) {
	a, b, c := voiceflowtest.NewProject("One", "main"), voiceflowtest.NewProject("Two", "main"), voiceflowtest.NewProject("Three", "main")
	s := start(t, a, b, c)
	token := voiceflowtest.NewPersonalToken()
	s.AddPersonalToken(token, a.ProjectID, b.ProjectID)
	search := func(project string) string { return "/v1/stable/transcript/search?projectID=" + project }
	for name, tc := range map[string]struct {
		credential, path string
		status           int
	}{
		"after Bearer":                       {"Bearer " + token, search(a.ProjectID), 200},
		"another project of its workspace":   {"Bearer " + token, search(b.ProjectID), 200},
		"a project that it does not see":     {"Bearer " + token, search(c.ProjectID), 404},
		"a project that is not there":        {"Bearer " + token, search(voiceflowtest.NewID(time.Unix(0, 0))), 404},
		"no project":                         {"Bearer " + token, "/v1/stable/transcript/search", 400},
		"bare":                               {token, search(a.ProjectID), 401},
		"another token":                      {"Bearer " + voiceflowtest.NewPersonalToken(), search(a.ProjectID), 401},
		"a project key after Bearer":         {"Bearer " + a.Key, search(a.ProjectID), 401},
		"a project key":                      {a.Key, search(a.ProjectID), 200},
		"where personal tokens open nothing": {"Bearer " + token, "/v1/transcript/project/" + a.ProjectID, 401},
	} {
		t.Run(name, func(t *testing.T) { asking(t, s, tc.credential).want(tc.status, "POST", tc.path, "{}") })
	}
	asking(t, s, "Bearer "+token).want(200, "GET", "/v1/stable/project/"+a.ProjectID, "", `"project":{`, `"id":"`+a.ProjectID+`"`)
	asking(t, s, "Bearer "+token).want(404, "GET", "/v1/stable/project/"+c.ProjectID, "")
	s.PersonalTokensOnly()
	asking(t, s, a.Key).want(401, "POST", search(a.ProjectID), "{}")
	asking(t, s, "Bearer "+token).want(200, "POST", search(a.ProjectID), "{}")
	s.ExpirePersonalToken(token)
	asking(t, s, "Bearer "+token).want(401, "POST", search(a.ProjectID), "{}")
}

func TestTheOlderCallsOfTheRuntime(t *testing.T) {
	a := voiceflowtest.NewProject("Shop", "main", "staging")
	s := start(t, a)
	ask := asking(t, s, a.Key)
	staging := a.Environments[1]

	// Stateless: the state is in the answer, and nothing is kept.
	first := ask.want(200, "GET", "/interact/main/state", "", `"programID":"`+a.VersionID+`"`, `"variables":{`).text
	turn := ask.want(200, "POST", "/interact/main", `{"request":{"type":"text","payload":"hi"},"state":`+first+`}`, `"trace":[`, `"last_utterance":"hi"`, "You said: hi")
	if strings.Contains(turn.text, `"type":"log"`) {
		t.Errorf("got logs that nobody asked for: %s", turn.text)
	}
	ask.want(200, "POST", "/interact/main?logs=verbose", `{"request":{"type":"launch"}}`, voiceflowtest.ThirdPartyCredential)
	ask.want(200, "POST", "/interact/"+staging.Draft, `{}`, `"answeredBy":{"environment":"staging","version":"draft","versionID":"`+staging.Draft+`"}`)
	ask.want(400, "POST", "/interact/nowhere", `{}`, "invalid environment tag")

	// The header counts before the path.
	ask.want(200, "POST", "/state/main/user/ben/interact", `{}`, `"environment":"main"`)
	asking(t, s, a.Key, "versionID", "staging").want(200, "POST", "/state/main/user/ben/interact", `{}`, `"environment":"staging"`)
	ask.want(200, "GET", "/state/main/user/ben", "", `"user_id":"ben"`)

	// The user id and the session id are one id of a conversation.
	body := `{"action":{"type":"launch"},"session":{"userID":"ben","sessionID":"1"}}`
	ask.want(200, "POST", "/v2beta1/interact/"+a.ProjectID+"/main/stream", body, "event: trace\n", `"user_id":"ben"`, "event: end\n")
	asking(t, s, a.Key, "versionID", "main").want(200, "GET", "/state/user/ben1", "", `"user_id":"ben"`)
	ask.want(400, "POST", "/v2beta1/interact/"+a.ProjectID+"/main/stream", `{"action":{"type":"launch"}}`)

	// A variant is a stage.
	stream := "/v2/project/" + a.ProjectID + "/user/ben/interact/stream?environment=main"
	ask.want(200, "POST", stream+"&versionVariant=draft", `{}`, `"version":"draft"`)
	ask.want(200, "POST", stream, `{}`, `"version":"published"`)
	ask.want(400, "POST", stream+"&versionVariant=other", `{}`)
}

func TestTagsOfTranscriptsAndPropertiesOfTheStableAPI(t *testing.T) {
	a, b := voiceflowtest.NewProject("One", "main"), voiceflowtest.NewProject("Two", "main")
	s := start(t, a, b)
	ask := asking(t, s, a.Key)
	tags := "/v2/projects/" + a.ProjectID + "/tags"
	ask.want(200, "PUT", tags, `{"label":"angry"}`, `"label":"angry"`)
	ask.want(200, "GET", tags, "", `"label":"angry"`)
	ask.want(400, "PUT", tags, `{}`)
	asking(t, s, b.Key).want(401, "GET", tags, "")
	if got := asking(t, s, b.Key).want(200, "GET", "/v2/projects/"+b.ProjectID+"/tags", "").text; got != "[]" {
		t.Errorf("another project has the tags %s", got)
	}

	asking(t, s, a.Key, "versionID", "main").want(200, "POST", "/state/user/ben/interact", `{}`)
	var found struct{ Transcripts []struct{ ID string } }
	if err := json.Unmarshal([]byte(ask.want(200, "POST", "/v1/stable/transcript/search?projectID="+a.ProjectID, `{}`).text), &found); err != nil || len(found.Transcripts) != 1 {
		t.Fatalf("got %+v, %v", found, err)
	}
	var listed struct{ Properties []struct{ ID string } }
	properties, of := "/v1/stable/transcript-property", "?projectID="+a.ProjectID
	if err := json.Unmarshal([]byte(ask.want(200, "GET", properties+of, "").text), &listed); err != nil || len(listed.Properties) != 1 {
		t.Fatalf("got %+v, %v", listed, err)
	}
	property := properties + "/" + listed.Properties[0].ID
	ask.want(200, "GET", property+of, "", `"name":"Language"`)
	ask.want(200, "PUT", property+"/value"+of, `{"transcriptID":"`+found.Transcripts[0].ID+`","value":"de"}`, `"message":`)
	ask.want(200, "GET", "/v1/stable/transcript/"+found.Transcripts[0].ID+of, "", `"value":"de"`)
	ask.want(404, "PUT", property+"/value"+of, `{"transcriptID":"x","value":"de"}`)
	ask.want(400, "PUT", property+"/value"+of, `{"transcriptID":"x"}`)
}
