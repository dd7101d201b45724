package voiceflowtest

import (
	"encoding/json"
	"fmt"
	"strings"
)

// NamedTrace is a trace with the name of what it tries.
type NamedTrace struct {
	Name  string
	Trace json.RawMessage
}

// HostileMark is the attribute that a script of the hostile corpus sets at the root element of the page
// if it runs. It then also opens a dialog. A page that shows the corpus has neither.
const HostileMark = "data-hostile"

// hostileScript marks the page. It has no quotes, so it fits into every attribute.
const hostileScript = "document.documentElement.setAttribute(`" + HostileMark + "`,1);alert(1)"

// hostileHost is the host of the addresses that nobody should ask for. It can't exist (RFC 2606).
const hostileHost = "hostile.invalid"

// named is a hostile value.
type named struct{ name, value string }

// hostileTexts returns values for texts and addresses alike.
func hostileTexts() []named {
	return []named{
		{"a script element", "<script>" + hostileScript + "</script>"},
		{"an event handler", "<img src=x onerror=\"" + hostileScript + "\">"},
		{"an SVG with a handler", "<svg/onload=\"" + hostileScript + "\"><animate onbegin=\"" + hostileScript + "\">"},
		{"a frame with a script", "<iframe srcdoc=\"<script>parent." + hostileScript + "</script>\"></iframe>"},
		{"a form and a base", "<base href=\"https://" + hostileHost + "/\"><form action=\"https://" + hostileHost + "/\"><input autofocus onfocus=\"" + hostileScript + "\">"},
		{"an end of a double-quoted attribute", "\" autofocus onfocus=\"" + hostileScript + "\" x=\""},
		{"an end of a single-quoted attribute", "' autofocus onfocus='" + hostileScript + "' x='"},
		{"an end of every element", "--></textarea></title></style></script></noscript></template><script>" + hostileScript + "</script>"},
		{"an end of a JSON string", "\\\"}]}</script><script>" + hostileScript + "//"},
		{"entities", "&lt;script&gt;" + hostileScript + "&lt;/script&gt; &#x3c;b&#x3e; &amp;amp; &copy"},
		{"templates", "{{.}} {{constructor.constructor('" + hostileScript + "')()}} ${" + hostileScript + "} <%= 7*7 %> #{7*7}"},
		{"Markdown", "[a link](javascript:" + hostileScript + ") ![a picture](https://" + hostileHost + "/p.png) `code` # title"},
		{"a style", "<style>*{display:none}</style><link rel=stylesheet href=//" + hostileHost + "/s.css>"},
		{"right-to-left overrides", "\u202eexe.gpj\u202d \u2066\u2067\u2068 \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 \u202b\u202a"},
		{"invisible characters", "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u115f\u3164"},
		{"NUL and other controls", "a\x00b\x01\x07\x08\x0b\x0c\x1b[31m\x7f\u0085\u009b\u2028\u2029"},
		{"line breaks", strings.Repeat("line\r\n", 200) + "\revent: end\rdata: {}\n\n"},
		{"one long word", strings.Repeat("W", 5000)},
		{"piles of marks", strings.Repeat("Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324\u031e\u0349\u035a\u032f", 100)},
		{"families of emoji", strings.Repeat("👩\u200d👩\u200d👧\u200d👦🏳️\u200d🌈", 200)},
		{"only spaces", " \t\u00a0\u2003 "},
		{"nothing", ""},
		{"a name of JavaScript", "__proto__"},
		{"characters outside Unicode's planes of today", "\U000e0001\U0010ffff\ufffe\uffff\ue000"},
	}
}

// hostileAddresses returns values for links, pictures and audio.
func hostileAddresses() []named {
	all := []named{
		{"javascript", "javascript:" + hostileScript},
		{"javascript in mixed case", "JaVaScRiPt:" + hostileScript},
		{"javascript with a tab", "java\tscript:" + hostileScript},
		{"javascript with a line break", "java\r\nscript:" + hostileScript},
		{"javascript after a control", "\x01 javascript:" + hostileScript},
		{"javascript with entities", "javascript&colon;" + hostileScript},
		{"javascript with slashes", "javascript://" + hostileHost + "/%0a" + hostileScript},
		{"vbscript", "vbscript:msgbox(1)"},
		{"a data page", "data:text/html,<script>" + hostileScript + "</script>"},
		{"a data page in base64", "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg=="},
		{"a data picture", "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload='" + hostileScript + "'/>"},
		{"another host without a scheme", "//" + hostileHost + "/"},
		{"another host with backslashes", "\\\\" + hostileHost + "\\"},
		{"another host with one slash", "https:/" + hostileHost + "/"},
		{"plain http", "http://" + hostileHost + "/"},
		{"a user in the address", "https://flowlatch.example:secret@" + hostileHost + "/"},
		{"a host that looks like another", "https://\u0435\u0445ample.com/\u202egnp.a"},
		{"a host after a NUL", "https://flowlatch.example\x00." + hostileHost + "/"},
		{"a page of this host", "/logout"},
		{"a relative page", "../console/users?delete=1"},
		{"a fragment", "#top"},
		{"a file", "file:///etc/passwd"},
		{"a blob", "blob:https://" + hostileHost + "/1"},
		{"a source view", "view-source:https://" + hostileHost + "/"},
		{"a scheme of a program", "ms-msdt:/id PCWDiagnostic"},
		{"a phone", "tel:+15550100"},
		{"mail with headers", "mailto:a@b.example?subject=x%0d%0aBcc:c@d.example&body=" + strings.Repeat("x", 3000)},
		{"a long address", "https://" + hostileHost + "/" + strings.Repeat("a/", 8000)},
		{"a port out of range", "https://" + hostileHost + ":99999999/"},
		{"an open bracket", "https://[" + hostileHost},
		{"an origin of a policy", "https://" + hostileHost + "; script-src *"},
	}
	return append(all, hostileTexts()...)
}

// spot is a text in a trace. make returns the trace with a value there.
type spot struct {
	name    string
	address bool // the text is an address
	make    func(value string) any
}

// object is an object in JSON.
type object = map[string]any

// traceOf returns a trace with a payload.
func traceOf(kind string, payload any) any {
	return object{"type": kind, "time": 1720552033, "payload": payload}
}

// pressed returns the payload of a request with an action.
func pressed(label, kind, address string) object {
	return object{"label": label, "actions": []any{object{"type": kind, "payload": object{"url": address}}}}
}

// asButton returns a button.
func asButton(name, kind string, payload any) object {
	return object{"name": name, "request": object{"type": kind, "payload": payload}}
}

// hostileCards are the texts of a card.
var hostileCards = []struct {
	name    string
	address bool
	make    func(value string) object
}{
	{"title", false, func(v string) object { return object{"title": v} }},
	{"description", false, func(v string) object { return object{"title": "a", "description": object{"text": v}} }},
	{"slate of the description", false, func(v string) object {
		return object{"title": "a", "description": object{"text": "b", "slate": paragraphs(v)}}
	}},
	{"id", false, func(v string) object { return object{"id": v, "title": "a"} }},
	{"picture", true, func(v string) object { return object{"title": "a", "imageUrl": v} }},
	{"name of a button", false, func(v string) object {
		return object{"title": "a", "buttons": []any{asButton(v, "path-1", pressed("a", "", ""))}}
	}},
	{"label of a button", false, func(v string) object {
		return object{"title": "a", "buttons": []any{asButton("a", "path-1", pressed(v, "", ""))}}
	}},
	{"address of a button", true, func(v string) object {
		return object{"title": "a", "buttons": []any{asButton("a", "path-1", pressed("a", "open_url", v))}}
	}},
	{"address of a button of other platforms", true, func(v string) object {
		return object{"title": "a", "buttons": []any{object{"name": "a", "type": "web_url", "url": v, "request": object{
			"type": "web_url", "url": v, "payload": pressed("a", "web_url", v),
		}}}}
	}},
}

// spots returns each text of each type of traces.
func spots() []spot {
	all := []spot{
		{"the message of a text", false, func(v string) any { return traceOf("text", object{"message": v}) }},
		{"the slate of a text", false, func(v string) any {
			return traceOf("text", object{"message": "a", "slate": object{"id": v, "content": paragraphs(v)}})
		}},
		{"the address of a link in a slate", true, func(v string) any {
			return traceOf("text", object{"message": "a", "slate": object{"content": []any{object{
				"children": []any{object{"type": "link", "url": v, "children": []any{object{"text": "a"}}}},
			}}}})
		}},
		{"the message of a speak", false, func(v string) any { return traceOf("speak", object{"type": "message", "message": v, "voice": v}) }},
		{"the audio of a speak", true, func(v string) any { return traceOf("speak", object{"type": "audio", "message": "", "src": v}) }},
		{"the name of a choice", false, func(v string) any {
			return traceOf("choice", object{"buttons": []any{asButton(v, "path-1", object{"label": "a"})}})
		}},
		{"the label of a choice", false, func(v string) any {
			return traceOf("choice", object{"buttons": []any{asButton("a", "path-1", object{"label": v})}})
		}},
		{"the text of a choice", false, func(v string) any { return traceOf("choice", object{"buttons": []any{asButton("a", "text", v)}}) }},
		{"the path of a choice", false, func(v string) any {
			return traceOf("choice", object{"buttons": []any{asButton("a", v, object{"label": "a"})}})
		}},
		{"the address of a choice", true, func(v string) any {
			return traceOf("choice", object{"buttons": []any{asButton("a", "path-1", pressed("a", "open_url", v))}})
		}},
		{"the picture of a visual", true, func(v string) any {
			return traceOf("visual", object{"visualType": "image", "image": v, "dimensions": object{"width": 8, "height": 8}})
		}},
		{"the texts of a visual", false, func(v string) any {
			return traceOf("visual", object{
				"visualType": v, "image": "https://" + hostileHost + "/a.png", "device": v, "frameType": v, "canvasVisibility": v,
				"dimensions": object{"width": v, "height": v},
			})
		}},
		{"the layout of a carousel", false, func(v string) any {
			return traceOf("carousel", object{"layout": v, "cards": []any{object{"title": "a"}}})
		}},
		{"the content of a completion", false, func(v string) any { return traceOf("completion", object{"state": "content", "content": v}) }},
		{"the state of a completion", false, func(v string) any { return traceOf("completion", object{"state": v, "content": "a"}) }},
		{"the message of a debug", false, func(v string) any { return traceOf("debug", object{"type": v, "message": v}) }},
		{"the path of a path", false, func(v string) any { return traceOf("path", object{"path": v}) }},
		{"the payload of an end", false, func(v string) any { return traceOf("end", v) }},
		{"the type of a trace", false, func(v string) any { return traceOf(v, object{"message": v}) }},
		{"a member of a custom action", false, func(v string) any {
			return object{"type": "calendar", v: v, "payload": object{v: v}, "paths": []any{object{"event": object{"type": v}}}}
		}},
	}
	for _, card := range hostileCards {
		all = append(all,
			spot{"the " + card.name + " of a card", card.address, func(v string) any { return traceOf("cardV2", card.make(v)) }},
			spot{"the " + card.name + " in a carousel", card.address, func(v string) any {
				return traceOf("carousel", object{"layout": "Carousel", "cards": []any{card.make(v)}})
			}})
	}
	return all
}

// HostileTraces returns traces that try to run a script, to lead away, to break a layout or to stop a
// page. It has every text of every type of traces with each hostile value, and traces of wrong shapes
// and sizes. Its names are unique. Most traces are small, and a few have a megabyte or more. Those
// whose name begins with "no JSON" break the JSON array around them, so a test should send them alone.
func HostileTraces() []NamedTrace {
	var all []NamedTrace
	add := func(name string, v any) { all = append(all, NamedTrace{name, encode(v)}) }
	for _, p := range spots() {
		values := hostileTexts()
		if p.address {
			values = hostileAddresses()
		}
		for _, v := range values {
			add(p.name+" is "+v.name, p.make(v.value))
		}
	}
	for _, large := range largeTraces() {
		add(large.name, large.trace)
	}
	return append(append(all, misshapenTraces()...), rawTraces()...)
}

// largeTraces returns traces that are valid, but too large.
func largeTraces() []struct {
	name  string
	trace any
} {
	buttons, cards, options := make([]any, 10000), make([]any, 1000), make([]any, 10000)
	for i := range buttons {
		buttons[i] = asButton(fmt.Sprintf("Button %d", i+1), fmt.Sprintf("path-%d", i+1), object{"label": fmt.Sprintf("Button %d", i+1)})
		options[i] = object{"children": []any{object{"text": "line"}}}
	}
	for i := range cards {
		cards[i] = object{"id": fmt.Sprint(i), "title": fmt.Sprintf("Card %d", i+1), "buttons": buttons[:10]}
	}
	nested := object{"title": "the innermost card"}
	for range 100 {
		nested = object{"title": "a", "cards": []any{traceOf("carousel", object{"layout": "Carousel", "cards": []any{nested}})}}
	}
	return []struct {
		name  string
		trace any
	}{
		{"a text of 1 MB", traceOf("text", object{"message": strings.Repeat("All work and no play. ", 1<<20/22)})},
		{"a text of 1 MB without a space", traceOf("text", object{"message": strings.Repeat("W", 1<<20)})},
		{"a text of 10,000 paragraphs", traceOf("text", object{"message": strings.Repeat("line\n", 10000), "slate": object{"content": options}})},
		{"a choice of 10,000 buttons", traceOf("choice", object{"buttons": buttons})},
		{"a card of 10,000 buttons", traceOf("cardV2", object{"title": "a", "buttons": buttons})},
		{"a carousel of 1,000 cards", traceOf("carousel", object{"layout": "Carousel", "cards": cards})},
		{"carousels in carousels", traceOf("carousel", object{"layout": "Carousel", "cards": []any{nested}})},
		{"a card with a title of 1 MB", traceOf("cardV2", object{"title": strings.Repeat("title ", 1<<20/6)})},
		{"a button with a name of 1 MB", traceOf("choice", object{"buttons": []any{asButton(strings.Repeat("name ", 1<<20/5), "path-1", nil)}})},
		{"a picture of 1 MB in its address", traceOf("visual", object{"image": "data:image/png;base64," + strings.Repeat("AAAA", 1<<18)})},
		{"a picture of huge dimensions", traceOf("visual", object{"image": "https://" + hostileHost + "/a.png", "dimensions": object{"width": 1 << 40, "height": -1}})},
		{"a delay of years", traceOf("text", object{"message": "a", "delay": 1 << 40, "slate": object{"messageDelayMilliseconds": 1 << 40}})},
		{"a timeout of no time", traceOf("no-reply", object{"timeout": 0})},
	}
}

// misshapenTraces returns JSON that is no trace, or has a wrong type in the place of a right one.
func misshapenTraces() []NamedTrace {
	var all []NamedTrace
	wrong := []named{
		{"null", `null`}, {"a number", `1e308`}, {"false", `false`}, {"a text", `"a"`}, {"an array", `[]`}, {"an array of nulls", `[null,null]`},
		{"an object", `{}`}, {"an object with a length", `{"length":4294967295,"0":{"name":"a"}}`}, {"an object with a toString", `{"toString":"a","valueOf":null}`},
	}
	for _, w := range wrong {
		add := func(name, format string) {
			all = append(all, NamedTrace{name + " is " + w.name, json.RawMessage(strings.ReplaceAll(format, "?", w.value))})
		}
		add("a trace", `?`)
		add("a type", `{"type":?,"payload":{"message":"a"}}`)
		for _, kind := range []string{"text", "speak", "choice", "visual", "cardV2", "carousel", "end", "completion"} {
			add("the payload of a "+kind, `{"type":"`+kind+`","payload":?}`)
		}
		add("each member of a text", `{"type":"text","payload":{"message":?,"slate":?,"delay":?}}`)
		add("each member of a speak", `{"type":"speak","payload":{"type":?,"message":?,"src":?,"voice":?}}`)
		add("each member of a visual", `{"type":"visual","payload":{"visualType":?,"image":?,"dimensions":?}}`)
		add("the buttons of a choice", `{"type":"choice","payload":{"buttons":?}}`)
		add("a button of a choice", `{"type":"choice","payload":{"buttons":[?]}}`)
		add("each member of a button", `{"type":"choice","payload":{"buttons":[{"name":?,"request":?}]}}`)
		add("each member of a request", `{"type":"choice","payload":{"buttons":[{"name":"a","request":{"type":?,"payload":?}}]}}`)
		add("the actions of a request", `{"type":"choice","payload":{"buttons":[{"name":"a","request":{"type":"path-1","payload":{"label":?,"actions":?}}}]}}`)
		add("an action of a request", `{"type":"choice","payload":{"buttons":[{"name":"a","request":{"type":"path-1","payload":{"label":"a","actions":[?]}}}]}}`)
		add("the address of an action", `{"type":"choice","payload":{"buttons":[{"name":"a","request":{"type":"path-1","payload":{"label":"a","actions":[{"type":"open_url","payload":{"url":?}}]}}}]}}`)
		add("each member of a card", `{"type":"cardV2","payload":{"title":?,"description":?,"imageUrl":?,"buttons":?}}`)
		add("the cards of a carousel", `{"type":"carousel","payload":{"layout":?,"cards":?}}`)
		add("a card of a carousel", `{"type":"carousel","payload":{"cards":[?]}}`)
		add("each member of a completion", `{"type":"completion","payload":{"state":"content","content":?}}`)
	}
	return append(all,
		NamedTrace{"a trace without a payload", json.RawMessage(`{"type":"text"}`)},
		NamedTrace{"a trace with a type twice", json.RawMessage(`{"type":"end","type":"text","payload":{"message":"a"},"payload":{"message":"b"}}`)},
		NamedTrace{"a trace that changes prototypes", json.RawMessage(`{"type":"text","__proto__":{"hostile":1},"payload":{"__proto__":{"hostile":1},"constructor":{"prototype":{"hostile":1}},"message":"a"}}`)},
		NamedTrace{"a number that no number holds", json.RawMessage(`{"type":"text","time":1e9999,"payload":{"message":"a","delay":-1e9999}}`)},
		NamedTrace{"half a pair of surrogates", json.RawMessage(`{"type":"text","payload":{"message":"\ud83d and \udc00"}}`)},
		NamedTrace{"arrays 2,000 deep", json.RawMessage(`{"type":"text","payload":{"message":"a","slate":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + `}}`)},
		NamedTrace{"a slate 500 deep", json.RawMessage(`{"type":"text","payload":{"message":"a","slate":{"content":[` + strings.Repeat(`{"children":[`, 500) + `{"text":"a"}` + strings.Repeat(`]}`, 500) + `]}}}`)})
}

// rawTraces returns bytes that are no JSON, or no UTF-8.
func rawTraces() []NamedTrace {
	return []NamedTrace{
		{"no UTF-8 in a message", json.RawMessage("{\"type\":\"text\",\"payload\":{\"message\":\"a\xff\xfe\xc3(\xed\xa0\x80\xf0\x9f\x8d\"}}")},
		{"no UTF-8 in the name of a button", json.RawMessage("{\"type\":\"choice\",\"payload\":{\"buttons\":[{\"name\":\"\xc0\xafa\",\"request\":{\"type\":\"path-\xff\",\"payload\":{\"label\":\"\xff\"}}}]}}")},
		{"no UTF-8 in a type", json.RawMessage("{\"type\":\"te\xffxt\",\"payload\":{\"message\":\"a\"}}")},
		{"a line break between members", json.RawMessage("{\"type\":\"text\",\n\n\"payload\":{\"message\":\"a\"}}")},
		// Seen at Voiceflow: texts with control characters that are not escaped.
		{"no JSON: controls that are not escaped", json.RawMessage("{\"type\":\"text\",\"payload\":{\"message\":\"a\tb\x01c\x00d\"}}")},
		{"no JSON: a line break in a text", json.RawMessage("{\"type\":\"text\",\"payload\":{\"message\":\"a\nevent: end\ndata: {}\n\nb\"}}")},
		{"no JSON: half a trace", json.RawMessage(`{"type":"text","payload":{"message":"a`)},
		{"no JSON: nothing", json.RawMessage{}},
		{"no JSON: a page", json.RawMessage("<!DOCTYPE html><script>" + hostileScript + "</script>")},
		{"no JSON: too many ends", json.RawMessage(`{"type":"text","payload":{"message":"a"}}]}}]`)},
		{"no JSON: a comment", json.RawMessage(`{"type":"text",/* a */"payload":{"message":"a"},}`)},
		{"no JSON: a constant", json.RawMessage(`{"type":"text","time":NaN,"payload":{"message":undefined}}`)},
	}
}

// HostileNames returns names of assistants, users and access tokens that try to run a script, to break a
// layout, a path, a header, a CSV file or a query. A service may reject some of them, such as those with
// controls. None is longer than 5,000 characters.
func HostileNames() []string {
	var all []string
	for _, v := range hostileTexts() {
		if v.value != "" && len([]rune(v.value)) <= 5000 {
			all = append(all, v.value)
		}
	}
	return append(all,
		"=1+1", "+1", "-1", "@SUM(A1:A9)", "\t=1+1", "\r=1+1", "=HYPERLINK(\"https://"+hostileHost+"/\",\"a\")", "=cmd|' /C calc'!A1",
		"a,b;\"c\"\r\nd", "a\r\nSet-Cookie: hostile=1", "a\n\n<script>"+hostileScript+"</script>",
		"../../etc/passwd", "..%2f..%2f", "%00", "%", "%zz", "a/b?c=d#e", "//"+hostileHost, "javascript:"+hostileScript, "\\", ".", "..",
		"'; DROP TABLE users; --", "%' OR '1'='1", "_%", "null", "undefined", "NaN", "true", "0", "[object Object]", "constructor", "toString",
		strings.Repeat("W", 200), strings.Repeat("long name ", 20), strings.Repeat("長", 200), strings.Repeat("👟", 100),
		"Größe & Farbe 👟", "مرحبا بالعالم", "שלום", "e\u0301 and \u00e9", "İstanbul ısı ß ẞ ﬁ", "\ufeffPizza Palace", "Pizza\u00a0Palace", "\u0420izza Palace", "pizza palace ",
	)
}
