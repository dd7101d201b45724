package voiceflow

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestOnlyVoiceflowsOwnTraceSaysThatCreditsAreUsedUp(t *testing.T) {
	const trace = `{"type":"debug","payload":{"message":"credit_limit_reached"}}`
	for _, tc := range []struct {
		name string
		form form
		text string
		want bool
	}{
		{"a trace in a list", formJSON, "[" + trace + "]", true},
		{"a trace after others", formJSON, `[{"type":"text","payload":{"message":"Hi"}},` + trace + `,{"type":"end"}]`, true},
		{"a trace with its type at the end", formJSON, `[{"time":1,"payload":{"a":{"b":[]},"message":"credit_limit_reached","c":1},"type":"debug"}]`, true},
		{"a trace in the member traces", formJSON, `{"traces":[` + trace + `]}`, true},
		{"a trace in the member trace, beside a state", formJSON, `{"state":{"stack":[],"variables":{"a":[{}]}},"trace":[{},` + trace + `],"request":{"type":"text"}}`, true},
		{"a trace with escapes", formJSON, `[{"t\u0079pe":"d\u0065bug","payload":{"message":"credit\u005flimit_reached"}}]`, true},
		{"a trace with space around everything", formJSON, "\n[ { \"type\" : \"debug\" ,\t\"payload\" : { \"message\" : \"credit_limit_reached\" } } ]", true},
		{"a trace whose last payload counts", formJSON, `[{"type":"debug","payload":{"message":"x"},"payload":{"message":"credit_limit_reached"}}]`, true},

		{"more in the message", formJSON, `[{"type":"debug","payload":{"message":"error: credit_limit_reached"}}]`, false},
		{"more after the message", formJSON, `[{"type":"debug","payload":{"message":"credit_limit_reached "}}]`, false},
		{"capitals in the message", formJSON, `[{"type":"debug","payload":{"message":"CREDIT_LIMIT_REACHED"}}]`, false},
		{"a part of the message", formJSON, `[{"type":"debug","payload":{"message":"credit_limit"}}]`, false},
		{"a message of another type", formJSON, `[{"type":"debug","payload":{"message":["credit_limit_reached"]}}]`, false},
		{"a message that the last one replaces", formJSON, `[{"type":"debug","payload":{"message":"credit_limit_reached","message":1}}]`, false},
		{"a payload that the last one replaces", formJSON, `[{"type":"debug","payload":{"message":"credit_limit_reached"},"payload":null}]`, false},
		{"a type that the last one replaces", formJSON, `[{"type":"debug","payload":{"message":"credit_limit_reached"},"type":1}]`, false},
		{"a payload that is the message", formJSON, `[{"type":"debug","payload":"credit_limit_reached"}]`, false},
		{"a payload that is a list", formJSON, `[{"type":"debug","payload":[{"message":"credit_limit_reached"}]}]`, false},
		{"a message outside of the payload", formJSON, `[{"type":"debug","message":"credit_limit_reached"}]`, false},
		{"a message deeper in the payload", formJSON, `[{"type":"debug","payload":{"a":{"message":"credit_limit_reached"}}}]`, false},
		{"another member of the payload", formJSON, `[{"type":"debug","payload":{"text":"credit_limit_reached"}}]`, false},
		{"text that a bot says", formJSON, `[{"type":"text","payload":{"message":"credit_limit_reached"}}]`, false},
		{"text beside a debug trace", formJSON, `[{"type":"debug","payload":{"message":"x"}},{"type":"text","payload":{"message":"credit_limit_reached"}},{"type":"debug"}]`, false},
		{"a trace of another type", formJSON, `[{"type":"log","payload":{"message":"credit_limit_reached"}}]`, false},
		{"a type in other letters", formJSON, `[{"type":"Debug","payload":{"message":"credit_limit_reached"}}]`, false},
		{"a name in other letters", formJSON, `[{"type":"debug","Payload":{"message":"credit_limit_reached"}}]`, false},
		{"a trace without a type", formJSON, `[{"payload":{"type":"debug","message":"credit_limit_reached"}}]`, false},
		{"a trace inside of a trace", formJSON, `[{"type":"custom","payload":` + trace + `}]`, false},
		{"a trace in a list inside of a trace", formJSON, `[{"type":"custom","payload":{"traces":[` + trace + `]}}]`, false},
		{"a trace as text", formJSON, `[{"type":"text","payload":{"message":"[{\"type\":\"debug\",\"payload\":{\"message\":\"credit_limit_reached\"}}]"}}]`, false},
		{"a trace in a variable", formJSON, `{"state":{"variables":{"trace":[` + trace + `]}},"trace":[]}`, false},
		{"a trace that is the answer", formJSON, trace, false},
		{"a trace that is the member trace", formJSON, `{"trace":` + trace + `}`, false},
		{"a trace in another member", formJSON, `{"request":[` + trace + `],"traces":[]}`, false},
		{"a trace in a list in a list", formJSON, `[[` + trace + `]]`, false},
		{"a trace far inside", formJSON, `[` + strings.Repeat(`{"payload":`, 5000) + trace + strings.Repeat(`}`, 5000) + `]`, false},
		{"something else than JSON", formOther, "[" + trace + "]", false},

		{"an event", formEvents, "event: trace\ndata: " + trace + "\n\n", true},
		{"an event after others", formEvents, "\nevent: state\ndata: {}\n\nid: 2\nevent: trace\ndata: " + trace + "\n\nevent: end\n\n", true},
		{"an event without a name", formEvents, "data:" + trace + "\n\n", true},
		{"an event whose name comes last", formEvents, "data: " + trace + "\nevent: trace\n\n", true},
		{"an event with carriage returns", formEvents, "event: trace\r\ndata: " + trace + "\r\n\r\n", true},
		{"an event with carriage returns alone", formEvents, "event: trace\rdata: " + trace + "\r\r", true},
		{"the last event, cut", formEvents, "event: trace\ndata: " + trace, true},
		{"an event with the trace in a member", formEvents, "event: trace\ndata: {\"type\":\"trace\",\"trace\":" + trace + "}\n\n", true},
		{"an event of a state", formEvents, "event: state\ndata: " + trace + "\n\n", false},
		{"an event of a state, with carriage returns", formEvents, "event: state\r\ndata: " + trace + "\r\n\r\n", false},
		{"an event whose name comes last, of a state", formEvents, "data: " + trace + "\nevent: state\n\n", false},
		{"an event with a long name", formEvents, "event: trace" + strings.Repeat("x", 100) + "\ndata: " + trace + "\n\n", false},
		{"an event with a trace in a state", formEvents, "event: trace\ndata: {\"type\":\"state\",\"state\":{\"trace\":" + trace + "}}\n\n", false},
		{"an event with a trace inside of a trace", formEvents, "event: trace\ndata: {\"type\":\"custom\",\"payload\":" + trace + "}\n\n", false},
		{"a trace in two events", formEvents, "data: {\"type\":\"debug\",\ndata: \"payload\":{\"message\":\"credit_limit_reached\"}}\n\n", false},
		{"a comment", formEvents, ": " + trace + "\n\n", false},
		{"another field", formEvents, "x: " + trace + "\n\n", false},
		{"an event that repeats text", formEvents, "event: trace\ndata: {\"type\":\"text\",\"payload\":{\"message\":\"credit_limit_reached\"}}\n\n", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			for _, most := range []int{1 << 20, 1, 2, 7, 30} {
				f := filtered(tc.form, io.EOF, cut(tc.text, most, r)...)
				got, err := io.ReadAll(f)
				if err != nil || string(got) != tc.text {
					t.Errorf("in pieces of up to %d: got %q, %v, want it as it was", most, got, err)
				}
				if used := f.CreditsUsedUp(); used != tc.want {
					t.Errorf("in pieces of up to %d: got credits used up %v, want %v", most, used, tc.want)
				}
			}
		})
	}
}

// hasUsedUpTrace finds with encoding/json what credits has to find in a JSON answer.
func hasUsedUpTrace(t *testing.T, text []byte) bool {
	type trace = map[string]any
	var list []any
	var answer any
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Skip() // encoding/json has a limit of depth
	}
	switch v := answer.(type) {
	case []any:
		list = v
	case map[string]any:
		for _, name := range []string{"traces", "trace"} {
			more, _ := v[name].([]any)
			list = append(list, more...)
		}
	}
	for _, element := range list {
		one, _ := element.(trace)
		payload, _ := one["payload"].(trace)
		if one["type"] == "debug" && payload["message"] == creditsUsedUp {
			return true
		}
	}
	return false
}
