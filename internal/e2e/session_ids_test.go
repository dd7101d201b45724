package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// inSession returns a client that sends the header sessionID with each call.
func (b *browser) inSession(id string) *browser {
	b.t.Helper()
	client := *b.client
	client.Transport = withHeader{b.client.Transport, "sessionID", id}
	with := *b
	with.client = &client
	return &with
}

type withHeader struct {
	http.RoundTripper
	name, value string
}

func (w withHeader) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set(w.name, w.value)
	return w.RoundTripper.RoundTrip(r)
}

// A bot sends the header sessionID with its turns, and then saves the session as a transcript. A page
// saves it under the user id.
func TestABotAndAPageSaveTheirTranscripts(t *testing.T) {
	a := newAssistant("Pizza Palace")
	v := startVoiceflow(t, a)
	v.SaveTranscripts()
	s := serving(t, newMachine(t, v))
	admin := s.admin()
	id := admin.want(admin.post("/add_project", adding(a)), "200").added(t).ID
	bot := admin.program(admin.want(admin.post("/create_access_token", body{"name": "bot", "project_id": id, "scopes": []string{"converse"}, "password": adminPassword}), "200").member(t, "token"))
	reader := s.user(admin, "reader", id, "converse", "transcripts")
	const interact = runtimeAt + "/state/user/discord-7/interact"

	bot.inSession("sess-42").want(bot.inSession("sess-42").post(interact, says("the bot's order")), "200")
	bot.want(bot.post(interact, says("the page's order")), "200")
	reader.inSession("sess-42").want(reader.inSession("sess-42").post(interact, says("the reader's order")), "200")
	for session, want := range map[string]string{"sess-42": "the bot's order", "discord-7": "the page's order"} {
		saved := bot.want(bot.send("PUT", "/voiceflow/api/v2/transcripts", body{"versionID": a.VersionID, "sessionID": session}), "200")
		if got := saved.member(t, "sessionID"); got != session {
			t.Errorf("the transcript is of the session %q, want the bot's own id %q", got, session)
		}
		turns := reader.want(reader.get("/voiceflow/api/v2/transcripts/"+a.ProjectID+"/"+saved.member(t, "_id")), "200").text
		if !strings.Contains(turns, want) || strings.Count(turns, "'s order") != strings.Count(turns, want) {
			t.Errorf("the transcript of %s is %s, want %q alone in it", session, turns, want)
		}
	}
	found := reader.want(reader.post("/voiceflow/analytics-api/v1/transcript/project/"+a.ProjectID, body{"sessionID": "sess-42"}), "200").text
	if strings.Count(found, `"userID"`) != 1 || !strings.Contains(found, `"userID":"discord-7"`) || !strings.Contains(found, `"sessionID":"sess-42"`) {
		t.Errorf("the reader finds %s, want its own session alone, with its own ids", found)
	}
	if state := bot.want(bot.get(runtimeAt+"/state/user/discord-7"), "200").text; !strings.Contains(state, `"user_id":"discord-7"`) {
		t.Errorf("the state is %s, want the bot's own user id in its variables", state)
	}
	for _, r := range v.Requests() {
		if r.Header.Get("sessionID") == "sess-42" || strings.Contains(string(r.Body), "sess-42") {
			t.Errorf("%s %s: Voiceflow got the session id as it was sent", r.Method, r.Path)
		}
	}
}
