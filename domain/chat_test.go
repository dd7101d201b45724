package domain_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/flowlatch/flowlatch/domain"
)

// chatConversation has the form of the conversations that chat pages make.
const chatConversation = "0190b2c4-8d1e-4f60-9a3b-5c7d9e1f2a4b"

func TestATurnOfAChatPageKeepsItsRules(t *testing.T) {
	const conversation = chatConversation
	says := func(text string) domain.ChatTurn { return domain.ChatTurn{Conversation: conversation, Text: text} }
	in := func(conversation string) domain.ChatTurn {
		return domain.ChatTurn{Conversation: conversation, Launch: true}
	}
	for _, tc := range []struct {
		name string
		turn domain.ChatTurn
		kind domain.Kind
	}{
		{"a launch is a turn", in(conversation), ""},
		{"a text is a turn", says("Hello"), ""},
		{"a text may have several lines", says("one\n\ttwo"), ""},
		{"a text of one character is a turn", says("é"), ""},
		{"the longest text is a turn", says(strings.Repeat("x", 16<<10)), ""},
		{"a text of one byte more is refused", says(strings.Repeat("x", 16<<10+1)), domain.Invalid},
		{"a text with NUL is refused", says("a\x00b"), domain.Invalid},
		{"a text of invalid UTF-8 is refused", says("a\xffb"), domain.Invalid},
		{"a text of white space is refused", says(" \n\t\u00a0"), domain.Invalid},
		{"a choice is a turn", domain.ChatTurn{Conversation: conversation, Choice: `{"type":"path-1"}`}, ""},
		{"the longest choice is a turn", domain.ChatTurn{Conversation: conversation, Choice: strings.Repeat("x", 16<<10)}, ""},
		{"a choice of one byte more is refused", domain.ChatTurn{Conversation: conversation, Choice: strings.Repeat("x", 16<<10+1)}, domain.Invalid},
		{"a choice of invalid UTF-8 is refused", domain.ChatTurn{Conversation: conversation, Choice: "{\"type\":\"\xff\"}"}, domain.Invalid},
		{"nothing at all is refused", says(""), domain.Invalid},
		{"a launch that says something is refused", domain.ChatTurn{Conversation: conversation, Launch: true, Text: "Hello"}, domain.Invalid},
		{"a choice that says something is refused", domain.ChatTurn{Conversation: conversation, Choice: "{}", Text: "Hello"}, domain.Invalid},
		{"a launch with a choice is refused", domain.ChatTurn{Conversation: conversation, Launch: true, Choice: "{}"}, domain.Invalid},
		{"a turn without a conversation is refused", in(""), domain.Invalid},
		{"a conversation that is a word is refused", in("tab"), domain.Invalid},
		{"a conversation that is an access token is refused", in("flk_" + conversation[4:]), domain.Invalid},
		{"a conversation in upper case is refused", in(strings.ToUpper(conversation)), domain.Invalid},
		{"a conversation that is too long is refused", in(conversation + "0"), domain.Invalid},
		{"a conversation with a slash is refused", in(conversation[:35] + "/"), domain.Invalid},
		{"a conversation with a line break is refused", in(conversation + "\n"), domain.Invalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := tc.turn.Check()
			wantKind(t, err, tc.kind)
			if err != nil && tc.turn.Text != "" && strings.Contains(err.Error(), tc.turn.Text) {
				t.Errorf("the error repeats the text: %.200q", err)
			}
		})
	}
}

func TestWhereATurnOfAChatPageGoes(t *testing.T) {
	turn := domain.ChatTurn{Conversation: chatConversation, Launch: true}
	if got, want := turn.Target(), "/state/user/chat-"+chatConversation+"/interact"; got != want {
		t.Errorf("a plain turn goes to %s, want %s", got, want)
	}
	for _, tc := range []struct {
		name   string
		pieces bool
		query  string
	}{
		{"a streamed turn has no query", false, ""},
		{"a streamed turn in pieces asks for completion traces", true, "completion_events=true"},
	} {
		path, query := turn.StreamTarget(hex24, tc.pieces)
		if want := "/v2/project/" + hex24 + "/user/chat-" + chatConversation + "/interact/stream"; path != want || query.Encode() != tc.query {
			t.Errorf("%s: got %s and the query %q, want %s and %q", tc.name, path, query.Encode(), want, tc.query)
		}
	}
}

// Whatever a page sends, a turn that passes goes to the endpoint of turns, in the conversation that
// it names.
func FuzzChatTurn(f *testing.F) {
	f.Add(chatConversation, "Hello", "", false)
	f.Add("../..", "", `{"type":"path"}`, false)
	f.Add(chatConversation, "", "", true)
	f.Add("vfp_abc", "", "", true)
	f.Add(strings.Repeat("-", 64), "\x00", "\xff", true)
	f.Fuzz(func(t *testing.T, conversation, text, choice string, launch bool) {
		turn := domain.ChatTurn{Conversation: conversation, Text: text, Choice: choice, Launch: launch}
		if err := turn.Check(); err != nil {
			if !errors.Is(err, domain.Invalid) {
				t.Errorf("got %v, want Invalid", err)
			}
			return
		}
		if !utf8.ValidString(text+choice) || strings.ContainsRune(text, 0) || launch == (text+choice != "") {
			t.Errorf("%+v was taken", turn)
		}
		stream, query := turn.StreamTarget(hex24, true)
		for _, path := range []string{turn.Target(), stream} {
			route, err := domain.MatchEndpoint("general-runtime", http.MethodPost, path)
			if err != nil || !route.Endpoint.Turn || route.Endpoint.Scope != domain.ScopeConverse {
				t.Fatalf("%s: got the route %+v and error %v", path, route, err)
			}
			var user string
			_, err = route.Target(domain.Project{Voiceflow: hex24}, domain.UsedEnvironment{}, func(own string) (string, error) {
				user = own
				return "x", nil
			})
			if err != nil || user != "chat-"+conversation {
				t.Errorf("%s: got the user id %q and error %v", path, user, err)
			}
			for name := range query {
				if path == stream && !strings.Contains(strings.Join(route.Endpoint.Query, " "), name) {
					t.Errorf("the parameter %s does not pass", name)
				}
			}
		}
	})
}

func TestWhoMayChat(t *testing.T) {
	login := domain.Session{ID: "l", User: "u"}
	for _, tc := range []struct {
		name string
		who  domain.Caller
		kind domain.Kind
	}{
		{"a member with a login may", domain.CallerByLogin(login, domain.RoleMember), ""},
		{"an admin with a login may", domain.CallerByLogin(login, domain.RoleAdmin), ""},
		{"a host program's user may", domain.Caller{ID: "u"}, ""},
		{"an access token may not", domain.CallerByToken(domain.AccessToken{ID: "t", User: "u"}, domain.RoleAdmin), domain.NotAuthenticated},
		{"the operator may not", domain.Operator(), domain.NotAuthenticated},
		{"nobody may not", domain.Caller{}, domain.NotAuthenticated},
	} {
		t.Run(tc.name, func(t *testing.T) { wantKind(t, tc.who.MayChat(), tc.kind) })
	}
}
