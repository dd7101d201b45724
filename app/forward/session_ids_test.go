package forward_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/app/forward"
	"github.com/flowlatch/flowlatch/domain"
)

// say takes a turn of the user "discord-7" in the session.
func (i *isolation) say(t *testing.T, by forward.Input, session, text string) string {
	t.Helper()
	header := http.Header{}
	if session != "" {
		header.Set("sessionID", session)
	}
	body := `{"action":{"type":"text","payload":` + quote(text) + `}}`
	status, said, err := i.call(t, by, runtime, "POST", "/state/user/discord-7/interact?verbose=true", body, header)
	if err != nil || status != http.StatusOK {
		t.Fatalf("a turn: got %d, %s, %v", status, said, err)
	}
	return said
}

// search returns the answer to a search for the session.
func (i *isolation) search(t *testing.T, by forward.Input, session string) string {
	t.Helper()
	return i.want(t, by, "analytics-api", "POST", "/v1/transcript/project/"+i.project, `{"sessionID":`+quote(session)+`}`)
}

func TestABotFindsTheTranscriptThatItSaves(t *testing.T) {
	i := newIsolation(t)
	p := i.assistant(t, "main")
	for _, own := range []bool{false, true} {
		_, bot := i.tokenOf(t, i.Admin, domain.TokenSpec{Project: p.ID, OwnUsers: own}) // converse
		reader := i.parties[0].by
		i.say(t, bot, "sess-42", "the first order")
		i.say(t, bot, "sess-42", "the second order")
		i.say(t, bot, "", "an order without a session")
		i.say(t, bot, "sess-43", "another order")
		for session, want := range map[string]string{"sess-42": "the second order", "discord-7": "an order without a session", "sess-43": "another order"} {
			if said := i.save(t, bot, reader, session); !strings.Contains(said, want) {
				t.Errorf("ids of its own %v: the transcript of %s has %s, want %q in it", own, session, said, want)
			}
		}
	}
}

func TestASearchByOnesOwnSessionFindsIt(t *testing.T) {
	i := newIsolation(t)
	for _, p := range []party{i.parties[0], i.parties[2], i.parties[len(i.parties)-1]} { // a user, an access token and a back end
		i.say(t, p.by, "sess-42", p.name)
		var found transcripts
		if err := json.Unmarshal([]byte(i.search(t, p.by, "sess-42")), &found); err != nil || len(found.Transcripts) != 1 {
			t.Fatalf("%s finds %+v, %v, want the one conversation", p.name, found, err)
		}
		said := i.want(t, p.by, "analytics-api", "GET", "/v1/transcript/"+found.Transcripts[0].ID, "")
		if !strings.Contains(said, p.name) || !strings.Contains(said, `"sessionID":"sess-42"`) || !strings.Contains(said, `"userID":"discord-7"`) {
			t.Errorf("%s finds %s, want what it said, with its own ids", p.name, said)
		}
	}
}

func TestAReaderSearchesByThePseudonymThatItReads(t *testing.T) {
	i := newIsolation(t)
	ben, eve, backEnd := i.parties[0], i.parties[1], i.parties[len(i.parties)-1]
	i.say(t, ben.by, "sess-42", "ben's order")
	all := i.want(t, eve.by, "analytics-api", "POST", "/v1/transcript/project/"+i.project, `{}`)
	var found struct {
		Transcripts []struct{ UserID, SessionID string }
	}
	if err := json.Unmarshal([]byte(all), &found); err != nil || len(found.Transcripts) != 1 {
		t.Fatalf("eve reads %s, %v, want the one transcript", all, err)
	}
	user, session := found.Transcripts[0].UserID, found.Transcripts[0].SessionID
	if !domain.IsPseudonym(user) || !domain.IsPseudonym(session) || user == session {
		t.Fatalf("eve reads the ids %q and %q, want two pseudonyms", user, session)
	}
	for _, reader := range []party{eve, backEnd, ben} {
		if said := i.search(t, reader.by, session); !strings.Contains(said, `"userID"`) {
			t.Errorf("%s finds %s by the pseudonym, want the transcript", reader.name, said)
		}
	}
	// The pseudonym reaches nothing in a turn.
	i.say(t, eve.by, session, "eve's order")
	said := i.search(t, ben.by, "sess-42")
	if strings.Count(said, `"userID"`) != 1 || i.save(t, ben.by, ben.by, "sess-42") == "" || strings.Contains(i.save(t, ben.by, ben.by, "sess-42"), "eve's order") {
		t.Errorf("ben finds %s, want what ben said alone", said)
	}
	header := http.Header{"Sessionid": {session}}
	if _, _, err := i.call(t, backEnd.by, runtime, "POST", "/state/user/discord-7/interact", "{}", header); domain.KindOf(err) != domain.NotFound {
		t.Errorf("a back end in the session of ben: got %v, want NotFound", err)
	}
}

func TestASessionAndAUserOfOneTextAreOneAtVoiceflow(t *testing.T) {
	i := newIsolation(t)
	for _, p := range i.parties {
		i.say(t, p.by, "discord-7", "hi")
		requests := i.standIn.Requests()
		last := requests[len(requests)-1]
		if user := pathUser(t, last.URL.EscapedPath()); last.Header.Get("sessionID") != user || (user == "discord-7") != p.own {
			t.Errorf("%s: Voiceflow got the user %q and the session %q", p.name, user, last.Header.Get("sessionID"))
		}
	}
}

func TestOnesOwnIdsComeBackWhereverTheyStand(t *testing.T) {
	i := newIsolation(t)
	ben, eve := i.parties[0], i.parties[1]
	if said := i.say(t, ben.by, "", "hi"); !strings.Contains(said, `"user_id":"discord-7"`) || strings.Contains(said, domain.PseudonymPrefix) {
		t.Errorf("a turn brings %s, want the variable user_id with ben's own id", said)
	}
	if said := i.want(t, ben.by, runtime, "GET", "/state/user/discord-7", ""); !strings.Contains(said, `"user_id":"discord-7"`) {
		t.Errorf("the state is %s, want the variable user_id with ben's own id", said)
	}
	requests := i.standIn.Requests()
	bens := pathUser(t, requests[len(requests)-1].URL.EscapedPath())
	stream := i.want(t, ben.by, runtime, "POST", "/v2/project/"+i.project+"/user/discord-7/interact/stream?state=true", `{}`)
	if !strings.Contains(stream, `"user_id":"discord-7"`) || strings.Contains(stream, bens) {
		t.Errorf("a stream brings %s, want the variable user_id with ben's own id", stream)
	}

	traces := `{"traces":[{"type":"x","payload":{"who":"` + bens + `","` + bens + `":["say ` + bens + `"]}}]}`
	own := `{"traces":[{"type":"x","payload":{"who":"discord-7","discord-7":["say ` + bens + `"]}}]}`
	for _, each := range []struct {
		p    party
		want string
	}{{ben, own}, {eve, traces}} {
		started := i.want(t, each.p.by, runtime, "POST", "/v4/project/"+i.project+"/session", `{"userID":"anybody"}`)
		var session struct{ SessionKey string }
		if err := json.Unmarshal([]byte(started), &session); err != nil {
			t.Fatal(err)
		}
		i.standIn.FailNext(voiceflowtest.Answer(http.StatusOK, "application/json", traces))
		if said := i.want(t, forward.Input{Handle: session.SessionKey}, runtime, "POST", "/v4/interact", `{}`); said != each.want {
			t.Errorf("%s gets %s in a v4 session, want %s", each.p.name, said, each.want)
		}
	}
}
