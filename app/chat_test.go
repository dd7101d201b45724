package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
	"github.com/flowlatch/flowlatch/ports"
)

// chatConversation has the form of the conversations that chat pages make.
const chatConversation = "0190b2c4-8d1e-4f60-9a3b-5c7d9e1f2a4b"

// asked is a Voiceflow that keeps what the calls ask for besides their bodies.
type asked struct {
	*voiceflow

	targets []string // path, query and Accept
}

func (a *asked) Forward(ctx context.Context, f domain.Forward, r *http.Request, key domain.Secret) (ports.Answer, error) {
	a.targets = append(a.targets, r.URL.Path+"?"+r.URL.RawQuery+" "+r.Header.Get("Accept"))
	return a.voiceflow.Forward(ctx, f, r, key)
}

// chatting is a world with a project, and a member whose grant on it has the scopes.
func chatting(t *testing.T, scopes ...string) (*world, domain.Call, domain.Project) {
	t.Helper()
	w := newWorld(t)
	p := w.project(t, "Support bot", versionID)
	w.user(t, w.admin, "ben", "member")
	call, _ := w.login(t, "ben", false)
	if len(scopes) > 0 {
		wantKind(t, w.GrantProject(t.Context(), w.admin, string(call.Caller.ID), string(p.ID), scopes), "")
	}
	return w, call, p
}

// chat takes a turn and reads the answer.
func chat(t testing.TB, s *app.Service, call domain.Call, in app.ChatTurn) (string, error) {
	t.Helper()
	out, err := s.Chat(t.Context(), call, in)
	if err != nil {
		if out.Answer.Body != nil {
			t.Error("an answer came with the error")
		}
		return "", err
	}
	answer, err := io.ReadAll(out.Answer.Body)
	if err != nil || out.Answer.Body.Close() != nil || out.Answer.StatusCode != 200 || out.Caller.ID != call.Caller.ID {
		t.Errorf("got the answer %+v and error %v", out, err)
	}
	return string(answer), nil
}

func TestATurnOfAChatPageIsSentToVoiceflow(t *testing.T) {
	w, call, p := chatting(t, "converse")
	came := w.voiceflow.Answer(func(domain.Forward, testworld.Sent) (ports.Answer, error) {
		return testworld.Says(200, `[{"type":"end"}]`), nil
	})
	client := &asked{voiceflow: w.voiceflow}
	with := w.ports()
	with.Voiceflow = client
	s := w.open(t, with)
	in := func(turn domain.ChatTurn) domain.ChatTurn { turn.Conversation = chatConversation; return turn }
	const plain = "/state/user/chat-" + chatConversation + "/interact? application/json"
	stream := "/v2/project/" + string(voiceflowID) + "/user/chat-" + chatConversation + "/interact/stream?"
	for i, tc := range []struct {
		name   string
		turn   app.ChatTurn
		target string
		body   string
	}{
		{"a launch", app.ChatTurn{ChatTurn: in(domain.ChatTurn{Launch: true})}, plain, `{"action":{"type":"launch"}}`},
		{"a text", app.ChatTurn{ChatTurn: in(domain.ChatTurn{Text: "say \"hi\"\n</script>"})}, plain, `{"action":{"type":"text","payload":"say \"hi\"\n</script>"}}`},
		{"a choice", app.ChatTurn{ChatTurn: in(domain.ChatTurn{Choice: ` {"type":"path-1", "payload":{"label":"Yes","n":1.50}} `})}, plain,
			`{"action":{"type":"path-1","payload":{"label":"Yes","n":1.50}}}`},
		{"pieces without a stream", app.ChatTurn{ChatTurn: in(domain.ChatTurn{Launch: true}), Pieces: true}, plain, `{"action":{"type":"launch"}}`},
		{"a streamed text", app.ChatTurn{ChatTurn: in(domain.ChatTurn{Text: "hi"}), Stream: true}, stream + " text/event-stream", `{"action":{"type":"text","payload":"hi"}}`},
		{"a streamed text in pieces", app.ChatTurn{ChatTurn: in(domain.ChatTurn{Text: "hi"}), Stream: true, Pieces: true},
			stream + "completion_events=true text/event-stream", `{"action":{"type":"text","payload":"hi"}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.turn.Project = string(p.ID)
			answer, err := chat(t, s, call, tc.turn)
			if err != nil || answer != `[{"type":"end"}]` {
				t.Fatalf("got the answer %q and error %v", answer, err)
			}
			if got := client.targets[i]; got != tc.target {
				t.Errorf("the turn went to %s, want %s", got, tc.target)
			}
			var got, want any
			wantKind(t, json.Unmarshal([]byte(came()[i].Body), &got), "")
			wantKind(t, json.Unmarshal([]byte(tc.body), &want), "")
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("the body is %s, want %s", came()[i].Body, tc.body)
			}
		})
	}
}

func TestTurnsOfAChatPageThatAreNotSent(t *testing.T) {
	w, call, p := chatting(t, "converse")
	exporter, _ := w.talker(t, "eve", p, "export")
	token := w.token(t, call, app.CreateAccessToken{Project: string(p.ID)})
	program, err := w.IdentifyToken(t.Context(), token.Token)
	wantKind(t, err, "")
	came := w.voiceflow.Answer(testworld.Fine)
	const missing = "0190b2c4-0000-7000-8000-000000000404"
	says := domain.ChatTurn{Conversation: chatConversation, Text: "hi"}
	chooses := func(choice string) domain.ChatTurn {
		return domain.ChatTurn{Conversation: chatConversation, Choice: choice}
	}
	for _, tc := range []struct {
		name    string
		call    domain.Call
		project string
		turn    domain.ChatTurn
		kind    domain.Kind
	}{
		{"nobody is logged in", domain.Call{}, string(p.ID), says, domain.NotAuthenticated},
		{"an access token calls", domain.Call{Caller: program}, string(p.ID), says, domain.NotAuthenticated},
		{"the operator calls", w.operator(t), string(p.ID), says, domain.NotAuthenticated},
		{"the grant lacks converse", exporter, string(p.ID), says, domain.NotAllowed},
		{"a member names what does not exist", call, missing, says, domain.NotAllowed},
		{"a member names nothing", call, "", says, domain.NotAllowed},
		{"a member names a Voiceflow project", call, string(voiceflowID), says, domain.NotAllowed},
		{"a member names what is no id", call, "a\x00b", says, domain.NotAllowed},
		{"an admin names what does not exist", w.admin, missing, says, domain.NotFound},
		{"an admin names nothing", w.admin, "", says, domain.NotFound},
		{"the turn is empty", call, string(p.ID), domain.ChatTurn{Conversation: chatConversation}, domain.Invalid},
		{"the conversation is a path", call, string(p.ID), domain.ChatTurn{Conversation: "../x", Launch: true}, domain.Invalid},
		{"the choice is no JSON", call, string(p.ID), chooses(`{"type":"x"`), domain.Invalid},
		{"the choice is a text", call, string(p.ID), chooses(`"type"`), domain.Invalid},
		{"the choice is null", call, string(p.ID), chooses(`null`), domain.Invalid},
		{"the choice is a list", call, string(p.ID), chooses(`[{"type":"x"}]`), domain.Invalid},
		{"the choice is two objects", call, string(p.ID), chooses(`{"type":"x"}{"type":"x"}`), domain.Invalid},
		{"the choice has no type", call, string(p.ID), chooses(`{"payload":{"type":"x"}}`), domain.Invalid},
		{"the choice has a type in capitals", call, string(p.ID), chooses(`{"Type":"x"}`), domain.Invalid},
		{"the choice has an empty type", call, string(p.ID), chooses(`{"type":""}`), domain.Invalid},
		{"the choice has a type that is null", call, string(p.ID), chooses(`{"type":null}`), domain.Invalid},
		{"the choice has a type that is no text", call, string(p.ID), chooses(`{"type":{"x":1}}`), domain.Invalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, stream := range []bool{false, true} {
				_, err := chat(t, w.Service, tc.call, app.ChatTurn{Project: tc.project, ChatTurn: tc.turn, Stream: stream})
				wantKind(t, err, tc.kind)
			}
		})
	}
	if got := came(); len(got) != 0 {
		t.Errorf("Voiceflow got %+v", got)
	}
}

// Whether an assistant exists is not told to those who may not use it, by no way to ask.
func TestAnAssistantThatIsNotGrantedLooksLikeOneThatDoesNotExist(t *testing.T) {
	w, call, _ := chatting(t)
	w.voiceflow.Answer(testworld.Fine)
	granted := w.project(t, "Granted", "6371c9b4e1a5b2c3d4e5f6ab")
	wantKind(t, w.GrantProject(t.Context(), w.admin, string(call.Caller.ID), string(granted.ID), []string{"transcripts"}), "")
	hidden := w.project(t, "Hidden", "6371c9b4e1a5b2c3d4e5f6ac")
	told := map[string]string{}
	for name, id := range map[string]string{"hidden": string(hidden.ID), "unknown": "0190b2c4-0000-7000-8000-000000000404"} {
		for _, stream := range []bool{false, true} {
			_, err := chat(t, w.Service, call, app.ChatTurn{Project: id, ChatTurn: domain.ChatTurn{Conversation: chatConversation, Launch: true}, Stream: stream})
			told[name] += fmt.Sprintln(err)
		}
		_, err := w.ChatAssistant(t.Context(), call, id)
		told[name] += fmt.Sprintln(err)
	}
	if told["hidden"] != told["unknown"] || !strings.Contains(told["hidden"], domain.MayNotUse().Error()) {
		t.Errorf("got %q of one that is not granted, and %q of one that does not exist", told["hidden"], told["unknown"])
	}
	_, err := w.ChatAssistant(t.Context(), call, string(granted.ID))
	if err == nil || err.Error() != domain.MayNotUse().Error() {
		t.Errorf("got the error %v for a grant without converse, want the same", err)
	}
}

func TestAssistantsToTalkTo(t *testing.T) {
	w, call, p := chatting(t, "converse")
	for i, scopes := range [][]string{{"converse", "export"}, {"export"}, {"transcripts", "converse"}, nil} {
		q := w.project(t, fmt.Sprintf("Bot %d", i), fmt.Sprintf("6371c9b4e1a5b2c3d4e5f60%d", i))
		if scopes != nil {
			wantKind(t, w.GrantProject(t.Context(), w.admin, string(call.Caller.ID), string(q.ID), scopes), "")
		}
	}
	list := func(call domain.Call, limit int) (names []string) {
		t.Helper()
		err := paging.Each(func(after domain.Cursor) (paging.Page[domain.Project], error) {
			return w.ChatAssistants(t.Context(), call, after, limit)
		}, func(p domain.Project) error {
			names = append(names, p.Name)
			if got, err := w.ChatAssistant(t.Context(), call, string(p.ID)); err != nil || got.ID != p.ID {
				t.Errorf("%s is in the list, but the page of it gets %+v and error %v", p.Name, got, err)
			}
			return nil
		})
		wantKind(t, err, "")
		return names
	}
	for _, limit := range []int{1, 2, 100} {
		if got := fmt.Sprint(list(call, limit)); got != "[Bot 0 Bot 2 Support bot]" {
			t.Errorf("a member gets %s", got)
		}
		if got := fmt.Sprint(list(w.admin, limit)); got != "[Bot 0 Bot 1 Bot 2 Bot 3 Support bot]" {
			t.Errorf("an admin gets %s", got)
		}
	}
	w.user(t, w.admin, "new", "member")
	nothing, _ := w.login(t, "new", false)
	if got := list(nothing, 10); got != nil {
		t.Errorf("somebody without a grant gets %v", got)
	}
	_, err := w.ChatAssistants(t.Context(), call, domain.Cursor{}, 0)
	wantKind(t, err, domain.Invalid)
	for _, c := range []domain.Call{{}, w.operator(t)} {
		_, err = w.ChatAssistants(t.Context(), c, domain.Cursor{}, 10)
		wantKind(t, err, domain.NotAuthenticated)
		_, err = w.ChatAssistant(t.Context(), c, string(p.ID))
		wantKind(t, err, domain.NotAuthenticated)
	}
	_, err = w.Logout(t.Context(), call)
	wantKind(t, err, "")
	_, err = w.ChatAssistant(t.Context(), call, "0190b2c4-0000-7000-8000-000000000404")
	wantKind(t, err, domain.NotAuthenticated) // not NotAllowed: what the caller knows of themselves is old
}

func TestAChatIsEndedWithItsRight(t *testing.T) {
	w, call, p := chatting(t, "converse")
	w.voiceflow.Answer(testworld.Fine)
	w.voiceflow.Stream(true)
	out, err := w.Chat(t.Context(), call, app.ChatTurn{Project: string(p.ID), ChatTurn: domain.ChatTurn{Conversation: chatConversation, Launch: true}, Stream: true})
	wantKind(t, err, "")
	wantKind(t, w.RevokeProject(t.Context(), w.admin, string(call.Caller.ID), string(p.ID)), "")
	w.after(300 * time.Millisecond)
	wantKind(t, w.Forwarder().EndLostUses(t.Context()), "")
	_, err = io.Copy(io.Discard, out.Answer.Body)
	wantKind(t, err, domain.NotAllowed)
	wantKind(t, out.Answer.Body.Close(), "")
}

// Whatever a page sends, Voiceflow gets one turn, which is what the page sent.
func FuzzChat(f *testing.F) {
	f.Add("Hello", "")
	f.Add("", `{"type":"path-1","payload":{"label":"Yes"}}`)
	f.Add("", `{"type":"a","type":"b","Type":""}`)
	f.Add("\xff\x00", `}{`)
	f.Add("", `{"type":"x","config":{"excludeTypes":[]}},"state":{"variables":{}}`)
	w := newWorld(f)
	p := w.project(f, "Support bot", versionID)
	f.Fuzz(func(t *testing.T, text, choice string) {
		came := w.voiceflow.Answer(testworld.Fine)
		_, err := chat(t, w.Service, w.admin, app.ChatTurn{Project: string(p.ID), ChatTurn: domain.ChatTurn{Conversation: chatConversation, Text: text, Choice: choice}})
		if err != nil {
			wantKind(t, err, domain.Invalid)
			if len(came()) > 0 {
				t.Error("a turn was refused and sent")
			}
			return
		}
		var body map[string]map[string]any
		if err := json.Unmarshal([]byte(came()[0].Body), &body); err != nil || len(body) != 1 {
			t.Fatalf("the body is %s: %v", came()[0].Body, err)
		}
		kind, is := body["action"]["type"].(string)
		if !is || kind == "" || choice == "" && body["action"]["payload"] != text {
			t.Errorf("the body is %s", came()[0].Body)
		}
	})
}
