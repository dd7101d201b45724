package voiceflowtest_test

import (
	"testing"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
)

type found struct {
	Transcripts []struct{ ID, UserID, SessionID, ProjectID, EnvironmentAlias string }
}

func TestTranscriptsAreOfTheConversationsThatWereHeld(t *testing.T) {
	a, b := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2024), voiceflowtest.NewAssistant("Two", voiceflowtest.Shape2024)
	s := start(t, a, b)
	ask, other := asking(t, s, a.Key), asking(t, s, b.Key)
	stream := "/v2/project/" + a.ProjectID + "/user/ben/interact/stream?environment=production"
	ask.want(200, "POST", stream, `{"action":{"type":"text","payload":"first"},"sessionID":"s1"}`)
	ask.want(200, "POST", stream, `{"action":{"type":"text","payload":"second"},"sessionID":"s2"}`)
	ask.want(200, "POST", "/state/user/eve/interact", says("third"))
	other.want(200, "POST", "/state/user/eve/interact", says("elsewhere"))

	search := "/v1/transcript/project/" + a.ProjectID
	got := decode[found](t, ask.want(200, "POST", search+"?order=ASC", "{}"))
	if len(got.Transcripts) != 3 {
		t.Fatalf("got %+v, want three transcripts", got)
	}
	one := got.Transcripts[0]
	if one.UserID != "ben" || one.SessionID != "s1" || one.ProjectID != a.ProjectID || one.EnvironmentAlias != "production" || got.Transcripts[2].UserID != "eve" {
		t.Errorf("got %+v", got)
	}
	for name, tc := range map[string]struct {
		path, body string
		want       string
	}{
		"the newest is first":          {search, "{}", "eve ben ben "},
		"some are taken":               {search + "?take=1&skip=1", "{}", "ben "},
		"a session is looked for":      {search, `{"sessionID":"s2"}`, "ben "},
		"nothing is that old":          {search, `{"endDate":"2020-01-01T00:00:00.000Z"}`, ""},
		"/v1/stable takes in the body": {"/v1/stable/transcript/search?projectID=" + a.ProjectID, `{"take":1,"skip":0}`, "eve "},
		"/v1/stable has environments":  {"/v1/stable/transcript/search?projectID=" + a.ProjectID, `{"environmentAlias":"production"}`, "ben ben "},
	} {
		users := ""
		for _, r := range decode[found](t, ask.want(200, "POST", tc.path, tc.body)).Transcripts {
			users += r.UserID + " "
		}
		if users != tc.want {
			t.Errorf("%s: got %q, want %q", name, users, tc.want)
		}
	}
	for _, take := range []string{"0", "100", "x"} {
		ask.want(400, "POST", search+"?take="+take, "{}")
	}

	whole := "/v1/transcript/" + one.ID
	ask.want(200, "GET", whole, "", `"userID":"ben"`, `"logs":[{"type":"action","data":{"type":"text","payload":"first"}`, `"message":"You said: first"`)
	ask.want(200, "GET", "/v1/stable/transcript/"+one.ID+"?projectID="+a.ProjectID, "", `"logs":[`)
	ask.want(200, "GET", "/v2/transcripts/"+a.ProjectID, "", `"_id":"`+one.ID+`"`, `"sessionID":"s1"`)
	ask.want(200, "GET", "/v2/transcripts/"+a.ProjectID+"/hasUnreadTranscripts", "", "true")
	legacy := "/v2/transcripts/" + a.ProjectID + "/" + one.ID
	turns := decode[[]struct{ Format, Type string }](t, ask.want(200, "GET", legacy+"?limit=2", ""))
	if len(turns) != 2 || turns[0].Format != "request" || turns[1].Format != "trace" {
		t.Errorf("got the turns %+v", turns)
	}
	if got := ask.want(200, "GET", legacy+"/export?format=csv", "", "You said: first"); got.header.Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Errorf("content type: got %q", got.header.Get("Content-Type"))
	}
	ask.want(200, "PATCH", legacy, `{"unread":false}`, `"unread":false`)
	ask.want(200, "PUT", legacy+"/report_tag/t1", "", `"reportTags":["t1"]`)
	ask.want(200, "DELETE", legacy+"/report_tag/t1", "", `"reportTags":[]`)
	ask.want(503, "PUT", "/v2/transcripts", `{}`, "nginx")

	properties := ask.want(200, "GET", "/v1/transcript-property/project/"+a.ProjectID, "")
	property := decode[struct{ Properties []struct{ ID string } }](t, properties).Properties[0].ID
	ask.want(200, "GET", "/v1/transcript-property/"+property, "", `"name":"Language"`)
	ask.want(201, "POST", "/v1/transcript-property-value", `{"transcriptID":"`+one.ID+`","propertyID":"`+property+`","value":"en"}`)
	ask.want(200, "GET", "/v1/transcript-property-value/transcript/"+one.ID, "", `"value":"en"`)
	if got := ask.want(204, "DELETE", "/v1/transcript-property-value/transcript/"+one.ID+"/property/"+property, ""); got.text != "" {
		t.Errorf("a 204 has the body %q", got.text)
	}
	if got := ask.want(200, "GET", "/v1/transcript-property-value/transcript/"+one.ID, "").text; got != `{"values":[]}` {
		t.Errorf("the value is still there: %s", got)
	}

	other.want(404, "GET", whole, "")
	other.want(404, "DELETE", whole, "")
	other.want(404, "GET", "/v1/transcript-property-value/transcript/"+one.ID, "")
	other.want(404, "POST", "/v1/transcript-property-value", `{"transcriptID":"`+one.ID+`","propertyID":"`+property+`","value":"en"}`)
	other.want(404, "DELETE", "/v2/transcripts/"+b.ProjectID+"/"+one.ID, "")
	ask.want(204, "DELETE", whole, "")
	ask.want(404, "GET", whole, "")
	ask.want(204, "DELETE", "/v2/transcripts/"+a.ProjectID+"/"+got.Transcripts[1].ID, "")
	ask.want(200, "POST", "/state/user/ben/interact", says("fourth"), "Hi from One") // another transcript begins
}

func TestUsageCountsWhatWasSaid(t *testing.T) {
	a, b := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2024), voiceflowtest.NewAssistant("Two", voiceflowtest.Shape2024)
	s := start(t, a, b)
	ask := asking(t, s, a.Key)
	for _, user := range []string{"ben", "ben", "eve"} {
		ask.want(200, "POST", "/state/user/"+user+"/interact", says("hi"))
	}
	v1 := func(name, projects string) string {
		return `{"query":[{"name":"` + name + `","filter":{"projectID":` + projects + `}}]}`
	}
	own, others := `"`+a.ProjectID+`"`, `"`+b.ProjectID+`"`
	ask.want(200, "POST", "/v1/query/usage", v1("interactions", own), `"count":3`)
	ask.want(200, "POST", "/v1/query/usage", v1("unique_users", "["+own+"]"), `"count":2`)
	ask.want(200, "POST", "/v1/query/usage", v1("top_intents", own), `"items":[]`)
	ask.want(401, "POST", "/v1/query/usage", v1("sessions", "["+own+","+others+"]"), "does not have permissions")
	ask.want(400, "POST", "/v1/query/usage", v1("sessions", "7"))
	ask.want(400, "POST", "/v1/query/usage", v1("anything", own))
	ask.want(200, "POST", "/v2/query/usage", `{"data":{"name":"interactions","filter":{"projectID":`+own+`}}}`, `"result":{"items":[`, `"count":3`)
	ask.want(200, "POST", "/v2/query/usage", `{"data":{"name":"top_intents","filter":{"projectID":`+own+`}}}`, `{"result":{"intents":[]}}`)
	ask.want(400, "POST", "/v2/query/usage", `{"data":{"name":"interactions","filter":{"projectID":`+own+`,"limit":501}}}`)
	ask.want(200, "POST", "/v1/stable/analytics/query/unique-user-count/project/"+a.ProjectID, "{}", `{"rows":[{"count":2,`)
	ask.want(404, "POST", "/v1/stable/analytics/query/anything/project/"+a.ProjectID, "{}")

	list := ask.want(200, "GET", "/v1/transcript-evaluation/project/"+a.ProjectID, "")
	id := decode[struct{ Evaluations []struct{ ID string } }](t, list).Evaluations[0].ID
	ask.want(200, "GET", "/v1/transcript-evaluation/"+id, "", `"evaluation":{`)
	ask.want(200, "GET", "/v1/stable/evaluation?projectID="+a.ProjectID, "", id)
	ask.want(200, "GET", "/v1/stable/evaluation/"+id+"?projectID="+a.ProjectID, "", id)
	asking(t, s, b.Key).want(404, "GET", "/v1/transcript-evaluation/"+id, "")
}
