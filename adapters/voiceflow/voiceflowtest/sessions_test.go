package voiceflowtest_test

import (
	"testing"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
)

func TestTheSessionOfATurnIsInTheHeader(t *testing.T) {
	a := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2024)
	s := start(t, a)
	plain, inSession := asking(t, s, a.Key), asking(t, s, a.Key, "sessionID", "s1")
	latin := asking(t, s, a.Key, "sessionID", "Zo\xeb")
	plain.want(200, "POST", "/state/user/ben/interact", says("without a session"))
	inSession.want(200, "POST", "/state/user/ben/interact", says("first"))
	inSession.want(200, "POST", "/state/user/ben/interact", says("second"))
	plain.want(200, "POST", "/state/user/ben/interact", says("without a session, again"))
	latin.want(200, "POST", "/state/user/eve/interact", says("third"))
	plain.want(200, "POST", "/state/user/zoe/interact", `{"sessionID":"in a body"}`)

	search := "/v1/transcript/project/" + a.ProjectID + "?order=ASC"
	for session, want := range map[string]string{"s1": "ben ", "ben": "ben ben ", "Zoë": "eve ", "in a body": "zoe ", "zoe": "", "s2": ""} {
		users := ""
		for _, r := range decode[found](t, plain.want(200, "POST", search, `{"sessionID":"`+session+`"}`)).Transcripts {
			users += r.UserID + " "
			if r.SessionID != session {
				t.Errorf("session %q: got a transcript of %q", session, r.SessionID)
			}
		}
		if users != want {
			t.Errorf("session %q: got transcripts of %q, want %q", session, users, want)
		}
	}
}

func TestTranscriptsAreSavedWhereThatIsNotRetired(t *testing.T) {
	a := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2024)
	s := start(t, a)
	ask := asking(t, s, a.Key)
	save := `{"projectID":"` + a.ProjectID + `","versionID":"` + a.VersionID + `","sessionID":"ben"}`
	ask.want(503, "PUT", "/v2/transcripts", save, "nginx")
	s.SaveTranscripts()
	ask.want(200, "POST", "/state/user/ben/interact", says("hi"))
	saved := decode[struct {
		ID        string `json:"_id"`
		SessionID string
	}](t, ask.want(200, "PUT", "/v2/transcripts", save))
	if saved.SessionID != "ben" {
		t.Errorf("got the session %q, want ben", saved.SessionID)
	}
	ask.want(200, "GET", "/v2/transcripts/"+a.ProjectID+"/"+saved.ID, "", "You said: hi")
	ask.want(200, "PUT", "/v2/transcripts", `{"versionID":"x","sessionID":"nobody's"}`, `"sessionID":"nobody's"`)
	for _, body := range []string{`{}`, `{"sessionID":"ben"}`, `{"versionID":"x"}`, `x`} {
		ask.want(400, "PUT", "/v2/transcripts", body)
	}
}

func TestTheBetaStreamKeepsItsStateUnderBothIds(t *testing.T) {
	a := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2024)
	ask := asking(t, start(t, a), a.Key)
	ask.want(200, "POST", "/v2beta1/interact/"+a.ProjectID+"/"+a.VersionID+"/stream", `{"action":{"type":"text","payload":"hi"},"session":{"userID":"be","sessionID":"n"}}`)
	if got := ask.want(200, "GET", "/state/user/be", "").text; got != "{}" {
		t.Errorf("under the user id: got %s, want none", got)
	}
	ask.want(200, "GET", "/state/user/ben", "", `"last_utterance":"hi"`, `"user_id":"be"`)
	ask.want(200, "POST", "/v1/transcript/project/"+a.ProjectID, `{"sessionID":"n"}`, `"userID":"be"`)
}
