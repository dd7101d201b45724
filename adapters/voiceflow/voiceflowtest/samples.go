package voiceflowtest

import "encoding/json"

// SampleTrace is a trace of a type that Voiceflow documents.
type SampleTrace struct {
	Type  string
	Trace json.RawMessage
	// Source is the page or file that has the shape.
	Source string
}

// The sources of the shapes of traces.
const (
	// tracesNow describes the traces of 2026. It has samples of the common ones, and tables of fields of
	// all others.
	tracesNow = "https://docs.voiceflow.com/trace-types"
	// tracesBefore has samples of a speak trace and a visual trace, with `delay` and all.
	tracesBefore = "https://docs.voiceflow.com/reference/trace-types"
	// completions says how a text is sent while it is written.
	completions = "https://docs.voiceflow.com/api-reference/conversations-api/completion-events"
	// actions says how a button opens an address.
	actions = "https://github.com/voiceflow/libs/blob/master/packages/base-types/src/request/action.ts"
)

// SampleTraces returns at least one harmless trace of each type that Voiceflow documents. The members
// are the documented ones, the optional ones included. The values are made up.
func SampleTraces() []SampleTrace {
	const time = `"time":1720552033,`
	sample := func(kind, source, payload string) SampleTrace {
		return SampleTrace{kind, json.RawMessage(`{"type":"` + kind + `",` + time + `"payload":` + payload + `}`), source}
	}
	const (
		slate   = `[{"children":[{"text":"Tomato and cheese"}]}]`
		buttons = `[{"name":"Order","request":{"type":"path-cmd906pp400433b7ujbsbiotm","payload":{"label":"Order","actions":[]}}}]`
		card    = `"title":"Margherita","description":{"text":"Tomato and cheese","slate":` + slate + `},"imageUrl":"https://assets.example/a.png","buttons":` + buttons
	)
	return []SampleTrace{
		sample("text", tracesNow, `{"slate":{"id":"s1","content":[{"children":[{"text":"Hello"}]},{"children":[{"text":"What now?"}]}],"messageDelayMilliseconds":1000},"message":"Hello\n\nWhat now?","delay":1000}`),
		sample("cardV2", tracesNow, `{`+card+`}`),
		sample("cardV2", actions, `{"title":"A link","buttons":[{"name":"Open","request":{"type":"path-1","payload":{"label":"Open","actions":[{"type":"open_url","payload":{"url":"https://example.com/"}}]}}}]}`),
		sample("carousel", tracesNow, `{"layout":"Carousel","cards":[{"id":"c1",`+card+`}]}`),
		sample("choice", tracesNow, `{"buttons":[{"name":"Order coffee","request":{"type":"path-cmd906pp400433b7ujbsbiotm","payload":{"label":"Order coffee"}}}]}`),
		// Buttons that an agent makes stand for text.
		sample("choice", tracesNow, `{"buttons":[{"name":"Check the balance","request":{"type":"text","payload":"Check the balance"}}]}`),
		// Older buttons stand for an intent.
		sample("choice", tracesBefore, `{"buttons":[{"name":"Yes","request":{"type":"intent","payload":{"label":"Yes","query":"Yes","entities":[],"intent":{"name":"yes"}}}}]}`),
		sample("no-reply", tracesNow, `{"timeout":10}`),
		sample("speak", tracesBefore, `{"type":"message","message":"Hello","src":"data:audio/mp3;base64,SUQz","voice":"Ivy"}`),
		sample("speak", tracesBefore, `{"type":"audio","message":"","src":"https://assets.example/a.mp3"}`),
		sample("speak", tracesNow, `{"type":"message","message":"Hello","ai":true,"isPrompt":false}`),
		sample("visual", tracesBefore, `{"visualType":"image","image":"https://assets.example/a.png","dimensions":{"width":800,"height":800},"canvasVisibility":"full"}`),
		sample("visual", tracesNow, `{"visualType":"image","image":"https://assets.example/a.png","device":null,"dimensions":{"width":800,"height":800},"canvasVisibility":"cropped","frameType":"AUTO","options":{}}`),
		sample("completion", completions, `{"state":"start"}`),
		sample("completion", completions, `{"state":"content","content":"Welcome to our serv"}`),
		sample("completion", completions, `{"state":"end"}`),
		sample("audio", tracesNow, `{"state":"start","messageID":"m1","delay":0}`),
		sample("audio", tracesNow, `{"state":"content","content":"SUQz","encoding":"audio/mp3","duration":1}`),
		sample("block", tracesNow, `{"blockID":"64dbb6696a8fab0013dba194"}`),
		sample("call-forward", tracesNow, `{"address":"+15550100","addressType":"phone","extension":"1","callerIDPassthrough":false}`),
		sample("channel-action", tracesNow, `{"name":"open","payload":{"a":1}}`),
		sample("debug", tracesNow, `{"type":"api","message":"API call made","level":"info","context":"step","metadata":{}}`),
		sample("dtmf", tracesNow, `{"enabled":true,"timeoutInSeconds":5,"delimiter":["#"],"maxDigits":4}`),
		sample("entity-filling", tracesNow, `{"entityToFill":"size","intent":{"type":"intent","payload":{"query":"","intent":{"name":"order"},"entities":[]}}}`),
		sample("flow", tracesNow, `{"diagramID":"64dbb6696a8fab0013dba194","name":"Home"}`),
		sample("goto", tracesNow, `{"request":{"type":"text","payload":"Hello"}}`),
		sample("knowledgeBase", tracesNow, `{"chunks":[{"score":0.8,"documentID":"64dbb6696a8fab0013dba194"}],"query":{"question":"When?"}}`),
		sample("live-agent-handoff", tracesNow, `{"conversationID":"1","message":"An agent joins","event":"chat_started","provider":"ujet"}`),
		sample("log", tracesNow, `{"kind":"step.text","level":"info","message":{}}`),
		sample("path", tracesNow, `{"path":"choice:1"}`),
		sample("realtime-agent", tracesNow, `{"action":"END"}`),
		sample("reasoning", tracesNow, `{"state":"final","message":"The caller wants a pizza"}`),
		sample("stream", tracesNow, `{"src":"https://assets.example/a.mp3","token":"t1","action":"PLAY","loop":false,"title":"A song","description":"","iconImage":"https://assets.example/a.png","backgroundImage":"https://assets.example/b.png"}`),
		sample("tool-call", tracesNow, `{"callID":"1","state":"start","sound":{}}`),
		sample("end", tracesNow, `null`),
		// The type of a custom action is any name.
		{"calendar", json.RawMessage(`{"type":"calendar",` + time + `"payload":{"today":1700096585398},"defaultPath":0,"paths":[{"event":{"type":"done"}},{"event":{"type":"cancel"}}]}`), tracesNow},
	}
}
