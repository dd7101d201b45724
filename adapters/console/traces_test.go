package console

import (
	"encoding/json"
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/domain"
)

// described writes what a page shows in one line for each message and choice.
func described(messages []message, choices []choice, ended bool) string {
	var b strings.Builder
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, text)
		}
	}
	for _, m := range messages {
		line("title", m.Title)
		text := ""
		for _, r := range m.Text {
			if text += r.Text; r.Link != "" {
				text += "<" + r.Link + ">"
			}
		}
		line("text", text)
		line("picture", m.Picture)
		line("audio", m.Audio)
		line("note", m.Note)
	}
	for _, c := range choices {
		line("choice", strings.TrimSpace(c.Label+" "+c.Request))
		line("link", c.Link)
	}
	if ended {
		line("ended", "yes")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func TestWhatAPageShowsOfTraces(t *testing.T) {
	t.Parallel()
	const (
		button  = `{"name":"One","request":{"type":"path-1","payload":{"label":"one"}}}`
		linking = `{"name":"Read","request":{"type":"path-2","payload":{"actions":[{"type":"open_url","payload":{"url":"https://b.example/"}}]}}}`
		nothing = "note: The assistant answered with nothing."
	)
	for _, tc := range []struct{ name, traces, want string }{
		{"a text is shown", `{"type":"text","payload":{"message":"Hello <b>"}}`, "text: Hello <b>"},
		{"a text keeps its lines", `{"type":"text","payload":{"message":"a\n\nb"}}`, "text: a\n\nb"},
		{"a raw control character is a blank", "{\"type\":\"text\",\"payload\":{\"message\":\"a\tb\nc\"}}", "text: a b c"},
		{"invalid UTF-8 is replaced", "{\"type\":\"text\",\"payload\":{\"message\":\"a\xffb\"}}", "text: a\uFFFDb"},
		{"half a pair of surrogates is replaced", `{"type":"text","payload":{"message":"a\ud83db"}}`, "text: a\uFFFDb"},
		{"an empty text is not shown", `{"type":"text","payload":{"message":" \n"}}`, nothing},
		{"a text without a payload is not shown", `{"type":"text"}`, nothing},
		{"no traces are nothing", ``, nothing},
		{"what is spoken is shown as text", `{"type":"speak","payload":{"type":"message","message":"Hi","src":"data:audio/wav;base64,AAAA"}}`, "text: Hi"},
		{"audio of an allowed origin is shown", `{"type":"speak","payload":{"message":"","src":"https://cdn.example/a.mp3?x=1"}}`, "audio: https://cdn.example/a.mp3?x=1"},
		{"audio of another origin is not", `{"type":"speak","payload":{"src":"https://other.example/a.mp3"}}`, "note: A recording from other.example is not shown. An admin can allow it."},
		{"a picture of an allowed origin is shown", `{"type":"visual","payload":{"image":"HTTPS://CDN.example:443/a.png"}}`, "picture: https://CDN.example:443/a.png"},
		{"a picture of an allowed port is shown", `{"type":"visual","payload":{"image":"https://files.example:8443/a.png"}}`, "picture: https://files.example:8443/a.png"},
		{"a picture of another port is not", `{"type":"visual","payload":{"image":"https://cdn.example:8443/a.png"}}`, "note: A picture from cdn.example:8443 is not shown. An admin can allow it."},
		{"a picture of a subdomain is not", `{"type":"visual","payload":{"image":"https://x.cdn.example/a.png"}}`, "note: A picture from x.cdn.example is not shown. An admin can allow it."},
		{"a picture without encryption is not", `{"type":"visual","payload":{"image":"http://cdn.example/a.png"}}`, "note: A picture is not shown."},
		{"a picture with a user is not", `{"type":"visual","payload":{"image":"https://u:p@cdn.example/a.png"}}`, "note: A picture is not shown."},
		{"a picture in its address is not", `{"type":"visual","payload":{"image":"data:image/png;base64,AAAA"}}`, nothing},
		{"a visual without a picture is not", `{"type":"visual","payload":{}}`, nothing},
		{"choices are offered", `{"type":"choice","payload":{"buttons":[` + button + `,` + linking + `]}}`,
			`choice: One {"type":"path-1","payload":{"label":"one"}}` + "\n" +
				`choice: Read {"type":"path-2","payload":{"actions":[{"type":"open_url","payload":{"url":"https://b.example/"}}]}}` + "\nlink: https://b.example/"},
		{"a button without a name has its label", `{"type":"choice","payload":{"buttons":[{"request":{"type":"path-1","payload":{"label":"one"}}}]}}`, `choice: one {"type":"path-1","payload":{"label":"one"}}`},
		{"a button that only leads to a page is a link", `{"type":"choice","payload":{"buttons":[{"name":"Read","request":{"payload":{"actions":[{"payload":{"url":"javascript:x"}},{"payload":{"url":"mailto:a@b.example"}}]}}}]}}`, "choice: Read\nlink: mailto:a@b.example"},
		{"a button that leads nowhere is not offered", `{"type":"choice","payload":{"buttons":[{"name":"Read","request":{"type":"","payload":{"actions":[{"payload":{"url":"javascript:x"}}]}}}]}}`, nothing},
		{"a button without a text is not offered", `{"type":"choice","payload":{"buttons":[{"request":{"type":"path-1"}}]}}`, nothing},
		{"a button that is too large to send is not offered", `{"type":"choice","payload":{"buttons":[{"name":"a","request":{"type":"` + strings.Repeat("x", domain.MaxChatChoice) + `"}}]}}`, nothing},
		{"a card is shown", `{"type":"cardV2","payload":{"title":"Pizza","description":{"text":"Good"},"imageUrl":"https://cdn.example/p.png","buttons":[` + button + `]}}`,
			"title: Pizza\ntext: Good\npicture: https://cdn.example/p.png\n" + `choice: One (Pizza) {"type":"path-1","payload":{"label":"one"}}`},
		{"the cards of a carousel are shown", `{"type":"carousel","payload":{"layout":"List","cards":[{"title":"A"},{"title":"B"},{}]}}`, "title: A\ntitle: B"},
		{"cards have no cards", `{"type":"carousel","payload":{"cards":[{"title":"A","cards":[{"title":"B"}]}]}}`, "title: A"},
		{"the end is told", `{"type":"end"}`, "note: The assistant has ended the conversation.\nended: yes"},
		{"what tells the flow is not shown", `{"type":"path"},{"type":"flow"},{"type":"block"},{"type":"goto"},{"type":"log"},{"type":"debug"},{"type":"text","payload":{"message":"a"}}`, "text: a"},
		{"what is unknown is a note", `{"type":"calendar","payload":{"message":"a"}}`, "note: Not shown: calendar"},
		{"what has no type is a note", `{},null,3,[],"text"`, strings.TrimSuffix(strings.Repeat("note: Not shown: a message without a type\n", 5), "\n")},

		{"an address is a link", `{"type":"text","payload":{"message":"see https://a.example/x?y=(1)."}}`, "text: see https://a.example/x?y=(1<https://a.example/x?y=(1>)."},
		{"a mail address is a link", `{"type":"text","payload":{"message":"mailto:a@b.example, now"}}`, "text: mailto:a@b.example<mailto:a@b.example>, now"},
		{"a link of Markdown is a link", `{"type":"text","payload":{"message":"[the menu](https://a.example/), [x](mailto:a@b.example)"}}`, "text: the menu<https://a.example/>, x<mailto:a@b.example>"},
		{"Markdown with another scheme is text", `{"type":"text","payload":{"message":"[x](javascript:alert) [y](http://a.example)"}}`, "text: [x](javascript:alert) [y](http://a.example)"},
		{"an address with a user is text", `{"type":"text","payload":{"message":"https://u:p@a.example/ https://a.example/"}}`, "text: https://u:p@a.example/ https://a.example/<https://a.example/>"},
		{"an address ends at any white space", `{"type":"text","payload":{"message":"https://a.example/\u00a0b\u3000c"}}`, "text: https://a.example/<https://a.example/>\u00a0b\u3000c"},
		{"a long address is text", `{"type":"text","payload":{"message":"https://a.example/` + strings.Repeat("x", 2000) + `"}}`, "text: https://a.example/" + strings.Repeat("x", 2000)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := described(shownTraces([]byte("["+tc.traces+"]"), []domain.Origin{"https://cdn.example", "https://files.example:8443"})); got != tc.want {
				t.Errorf("the page shows\n%.3000s\nwant\n%.3000s", got, tc.want)
			}
		})
	}
}

func TestWhatIsNoListOfTraces(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "{}", `"text"`, "<html>", `[{"type":"text"}`, `[{"type":"text",}]`, strings.Repeat("[", 20_000)} {
		if got, want := described(shownTraces([]byte(body), nil)), "note: The assistant sent an answer that can't be shown."; got != want {
			t.Errorf("%.20q: the page shows %q, want %q", body, got, want)
		}
	}
}

// TestMembersOfAnyType checks that a member of a wrong type spoils nothing beside it.
func TestMembersOfAnyType(t *testing.T) {
	t.Parallel()
	for _, wrong := range []string{"null", "1e308", "false", `""`, "[]", "[null]", "{}", `{"length":9}`, `[[[{"a":[]}]]]`} {
		for _, trace := range []string{
			`{"type":?}`, `{"type":"text","payload":?}`, `{"type":"text","payload":{"message":?}}`,
			`{"type":"speak","payload":{"message":?,"src":?}}`, `{"type":"visual","payload":{"image":?}}`,
			`{"type":"choice","payload":{"buttons":?}}`, `{"type":"choice","payload":{"buttons":[?]}}`,
			`{"type":"choice","payload":{"buttons":[{"name":?,"request":?}]}}`,
			`{"type":"choice","payload":{"buttons":[{"name":"a","request":{"type":?,"payload":?}}]}}`,
			`{"type":"choice","payload":{"buttons":[{"name":?,"request":{"type":?,"payload":{"label":?,"actions":?}}}]}}`,
			`{"type":"choice","payload":{"buttons":[{"name":"a","request":{"type":?,"payload":{"actions":[?,{"payload":?},{"payload":{"url":?}}]}}}]}}`,
			`{"type":"cardV2","payload":{"title":?,"description":?,"imageUrl":?,"buttons":?}}`,
			`{"type":"cardV2","payload":{"description":{"text":?}}}`,
			`{"type":"carousel","payload":{"cards":?}}`, `{"type":"carousel","payload":{"cards":[?]}}`,
		} {
			trace = strings.ReplaceAll(trace, "?", wrong)
			got := described(shownTraces([]byte(`[`+trace+`,{"type":"text","payload":{"message":"after"}}]`), nil))
			if !strings.HasSuffix("\n"+got, "\ntext: after") || strings.Contains(got, "choice:") || strings.Contains(got, "link:") {
				t.Errorf("%s: the page shows\n%s", trace, got)
			}
		}
	}
}

func TestLimitsOfAnAnswer(t *testing.T) {
	t.Parallel()
	repeated := func(n int, one, around string) string {
		return strings.ReplaceAll(around, "?", strings.TrimSuffix(strings.Repeat(one+",", n), ","))
	}
	const button = `{"name":"One","request":{"type":"path-1"}}`
	for _, tc := range []struct {
		name, body       string
		messages, choice int
		note             string
	}{
		{"30 buttons are offered", repeated(30, button, `[{"type":"choice","payload":{"buttons":[?]}}]`), 0, 30, ""},
		{"the buttons after them are counted", repeated(32, button, `[{"type":"choice","payload":{"buttons":[?]}}]`), 1, 30, "2 more choices are not shown."},
		{"20 cards are shown", repeated(20, `{"title":"a"}`, `[{"type":"carousel","payload":{"cards":[?]}}]`), 20, 0, ""},
		{"the cards after them are counted", repeated(23, `{"title":"a"}`, `[{"type":"carousel","payload":{"cards":[?]}}]`), 21, 0, "3 more cards are not shown."},
		{"300 messages are shown", repeated(300, `{"type":"text","payload":{"message":"a"}}`, "[?]"), 300, 0, ""},
		{"the messages after them are counted", repeated(304, `{"type":"text","payload":{"message":"a"}}`, "[?]"), 301, 0, "4 more messages are not shown."},
		{"300 choices are offered in all", repeated(11, repeated(30, button, `{"type":"choice","payload":{"buttons":[?]}}`), "[?]"), 1, 300, "30 more choices are not shown."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			messages, choices, _ := shownTraces([]byte(tc.body), nil)
			if len(messages) != tc.messages || len(choices) != tc.choice {
				t.Fatalf("got %d messages and %d choices, want %d and %d", len(messages), len(choices), tc.messages, tc.choice)
			}
			if tc.note != "" && messages[len(messages)-1].Note != tc.note {
				t.Errorf("the last note is %q, want %q", messages[len(messages)-1].Note, tc.note)
			}
		})
	}
	long, _ := json.Marshal(strings.Repeat("é", maxText))
	messages, _, _ := shownTraces([]byte(`[{"type":"text","payload":{"message":`+string(long)+`}}]`), nil)
	if got, want := messages[0].Text[0].Text, strings.Repeat("é", maxText/2)+" … (shortened)"; got != want {
		t.Errorf("a long text is cut to %d bytes, want %d", len(got), len(want))
	}
}

// FuzzTraces checks that whatever an assistant answers, a page keeps its limits, leads only where
// it may, and can be written.
func FuzzTraces(f *testing.F) {
	for i, trace := range voiceflowtest.HostileTraces() {
		if len(trace.Trace) < 10_000 && i%9 == 0 {
			f.Add([]byte("[" + string(trace.Trace) + "]"))
		}
	}
	f.Add([]byte(`[{"type":"text","payload":{"message":"[a](https://b.example/c) https://u@d.example, mailto:e@f.example"}}]`))
	f.Add([]byte(`[{"type":"carousel","payload":{"cards":[{"imageUrl":"https://cdn.example/a","buttons":[{"name":"a","request":{"type":"\ud800","payload":{"actions":[{"payload":{"url":"https://b.example"}}]}}}]}]}},{"type":"end"}]`))
	origins := []domain.Origin{"https://cdn.example", "https://files.example:8443"}
	page := template.Must(template.New("").Parse(`{{range .}}{{.Title}}{{range .Text}}<a href="{{.Link}}">{{.Text}}</a>{{end}}<img src="{{.Picture}}">{{.Note}}{{end}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		messages, choices, _ := shownTraces(body, origins)
		if len(messages) > maxMessages+2 || len(choices) > maxChoices || len(messages)+len(choices) == 0 {
			t.Fatalf("the page shows %d messages and %d choices", len(messages), len(choices))
		}
		for _, m := range messages {
			checkMessage(t, m, origins)
		}
		for _, c := range choices {
			checkText(t, c.Label, 2*maxLabel+100)
			checkText(t, c.Request, domain.MaxChatChoice)
			checkLink(t, c.Link)
			if c.Label == "" || c.Request == "" && c.Link == "" || c.Request != "" && !json.Valid([]byte(c.Request)) {
				t.Errorf("the choice %+v can't be chosen", c)
			}
		}
		var b strings.Builder
		if err := page.Execute(&b, messages); err != nil || strings.Contains(b.String(), "ZgotmplZ") {
			t.Errorf("the page is not written as it should be: %v\n%s", err, b.String())
		}
	})
}

func checkMessage(t *testing.T, m message, origins []domain.Origin) {
	t.Helper()
	checkText(t, m.Title, maxLabel+100)
	checkText(t, m.Note, 2*maxLabel)
	text := ""
	for _, r := range m.Text {
		checkLink(t, r.Link)
		text += r.Text
	}
	checkText(t, text, maxText+100)
	for _, src := range []string{m.Picture, m.Audio} {
		if src == "" {
			continue
		}
		u, err := url.Parse(src)
		if err != nil || u.User != nil || !slices.Contains(origins, domain.Origin(u.Scheme+"://"+strings.TrimSuffix(strings.ToLower(u.Host), ":443"))) {
			t.Errorf("%q is shown from an origin that is not allowed (%v)", src, err)
		}
	}
	if m.empty() {
		t.Error("a message shows nothing")
	}
}

func checkText(t *testing.T, text string, most int) {
	t.Helper()
	if !utf8.ValidString(text) || len(text) > most {
		t.Errorf("%.100q has %d bytes, at most %d of UTF-8 are allowed", text, len(text), most)
	}
}

func checkLink(t *testing.T, link string) {
	t.Helper()
	if link == "" {
		return
	}
	u, err := url.Parse(link)
	if err != nil || len(link) > maxAddress || u.Scheme != "mailto" && (u.Scheme != "https" || u.Host == "" || u.User != nil) {
		t.Errorf("the page has the link %q (%v)", link, err)
	}
}
