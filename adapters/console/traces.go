package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/flowlatch/flowlatch/domain"
)

// What a page shows of an answer at most. The script of the chat has the same limits.
const (
	maxText     = 20_000 // bytes of a text
	maxLabel    = 300    // bytes of a button or a title
	maxButtons  = 30     // of a trace
	maxCards    = 20     // of a carousel
	maxMessages = 300    // of an answer
	maxChoices  = 300    // of an answer
	maxAddress  = 2000   // bytes of a link
)

// message is a part of an answer as a page shows it. Templates escape its texts. The zero value
// shows nothing.
type message struct {
	Title   string
	Text    []run
	Picture string // an address of an allowed origin
	Audio   string // the same
	Note    string // what the page says about it
}

// run is a piece of a text. It is a link if Link is not "".
type run struct{ Text, Link string }

// choice is a button that the assistant offers.
type choice struct {
	Label   string
	Request string // JSON for the next turn
	Link    string // a page that the button leads to, "" for none
}

// trace is what Voiceflow answers with
// (docs.voiceflow.com/api-reference/conversation/interact). Each member may be anything.
type trace struct {
	Type    loose[string]
	Payload loose[payload]
}

// payload has the members of all traces that are shown. Cards have no cards, so that the time to
// read an answer does not grow with its depth.
type payload struct {
	details

	Message loose[string]
	Src     loose[string]
	Image   loose[string]
	Cards   json.RawMessage // details; first reads them
}

// details are the members of a card.
type details struct {
	ImageURL    loose[string]
	Title       loose[string]
	Description loose[struct{ Text loose[string] }]
	Buttons     json.RawMessage // buttons; first reads them
}

type button struct {
	Name    loose[string]
	Request json.RawMessage
}

// loose is a value that stays zero if the JSON has another type.
type loose[T any] struct{ is T }

// UnmarshalJSON never fails.
func (l *loose[T]) UnmarshalJSON(b []byte) error {
	var is T
	if json.Unmarshal(b, &is) == nil {
		l.is = is
	}
	return nil
}

// first returns at most limit items of a JSON array, and how many it leaves out. ok is false if the
// JSON is no array. Whoever writes an assistant decides how many items there are, and an item takes
// far more memory than its JSON.
func first[T any](array []byte, limit int) (items []T, left int, ok bool) {
	in := json.NewDecoder(bytes.NewReader(array))
	if begin, err := in.Token(); err != nil || begin != json.Delim('[') {
		return nil, 0, false
	}
	var skipped json.RawMessage
	for in.More() {
		if len(items) == limit {
			if in.Decode(&skipped) != nil {
				return nil, 0, false
			}
			left++
			continue
		}
		var item loose[T]
		if in.Decode(&item) != nil {
			return nil, 0, false
		}
		items = append(items, item.is)
	}
	if _, err := in.Token(); err != nil {
		return nil, 0, false
	}
	_, err := in.Token()
	return items, left, errors.Is(err, io.EOF)
}

// shownTraces returns what a page shows of the answer of a turn: its messages, the choices that it
// offers, and whether the conversation has ended. origins are those whose pictures and audio are
// shown.
func shownTraces(body []byte, origins []domain.Origin) (messages []message, choices []choice, ended bool) {
	traces, left, ok := first[trace](withoutControls(body), maxMessages)
	if !ok {
		return []message{{Note: "The assistant sent an answer that can't be shown."}}, nil, false
	}
	for _, t := range traces {
		more, offered := shown(t, origins)
		messages = append(messages, slices.DeleteFunc(more, message.empty)...)
		choices = append(choices, offered...)
		ended = ended || t.Type.is == "end"
	}
	if over := len(messages) - maxMessages; over > 0 {
		messages, left = messages[:maxMessages], left+over
	}
	if left > 0 {
		messages = append(messages, message{Note: strconv.Itoa(left) + " more messages are not shown."})
	}
	if left := len(choices) - maxChoices; left > 0 {
		choices = choices[:maxChoices]
		messages = append(messages, moreChoices(left))
	}
	if len(messages) == 0 && len(choices) == 0 {
		messages = []message{{Note: "The assistant answered with nothing."}}
	}
	return messages, choices, ended
}

// withoutControls returns JSON with blanks in place of control characters. Voiceflow sends them raw
// in texts.
func withoutControls(body []byte) []byte {
	return bytes.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, body)
}

func (m message) empty() bool {
	return m.Title == "" && len(m.Text) == 0 && m.Picture == "" && m.Audio == "" && m.Note == ""
}

func moreChoices(left int) message {
	return message{Note: strconv.Itoa(left) + " more choices are not shown."}
}

// shown returns what a page shows of one trace.
func shown(t trace, origins []domain.Origin) ([]message, []choice) {
	p := t.Payload.is
	switch t.Type.is {
	case "text":
		return []message{{Text: runs(p.Message.is)}}, nil
	case "speak":
		m := message{Text: runs(p.Message.is)}
		if p.Src.is != "" {
			m.Audio, m.Note = media(p.Src.is, "recording", origins)
		}
		return []message{m}, nil
	case "visual":
		m := message{}
		if p.Image.is != "" {
			m.Picture, m.Note = media(p.Image.is, "picture", origins)
		}
		return []message{m}, nil
	case "choice":
		choices, left := offered(p.Buttons)
		return left, choices
	case "cardV2":
		return card(p.details, origins)
	case "carousel":
		return carousel(p.Cards, origins)
	case "path", "flow", "block", "goto", "log", "debug": // they tell the flow, not the user
		return nil, nil
	case "end":
		return []message{{Note: "The assistant has ended the conversation."}}, nil
	}
	kind := clipped(t.Type.is, 60)
	if kind == "" {
		kind = "a message without a type"
	}
	return []message{{Note: "Not shown: " + kind}}, nil
}

func carousel(cards json.RawMessage, origins []domain.Origin) (messages []message, choices []choice) {
	shown, left, _ := first[details](cards, maxCards)
	for _, c := range shown {
		more, offered := card(c, origins)
		messages, choices = append(messages, more...), append(choices, offered...)
	}
	if left > 0 {
		messages = append(messages, message{Note: strconv.Itoa(left) + " more cards are not shown."})
	}
	return messages, choices
}

func card(d details, origins []domain.Origin) ([]message, []choice) {
	m := message{Title: clipped(d.Title.is, maxLabel), Text: runs(d.Description.is.Text.is)}
	if d.ImageURL.is != "" {
		m.Picture, m.Note = media(d.ImageURL.is, "picture", origins)
	}
	choices, left := offered(d.Buttons)
	if m.Title != "" {
		for i := range choices {
			choices[i].Label += " (" + m.Title + ")"
		}
	}
	return append([]message{m}, left...), choices
}

// offered returns the choices of some buttons, and a message about those that are left out.
func offered(buttons json.RawMessage) (choices []choice, notes []message) {
	shown, left, _ := first[button](buttons, maxButtons)
	for _, b := range shown {
		if c, ok := b.choice(); ok {
			choices = append(choices, c)
		}
	}
	if left > 0 {
		notes = []message{moreChoices(left)}
	}
	return choices, notes
}

// choice returns the button as a choice. ok is false if it has no label or leads nowhere.
func (b button) choice() (c choice, ok bool) {
	var request struct {
		Type    loose[string]
		Payload loose[struct {
			Label   loose[string]
			Actions loose[[]loose[struct {
				Payload loose[struct{ URL loose[string] }]
			}]]
		}]
	}
	_ = json.Unmarshal(b.Request, &request) // a request that can't be read has no type
	c.Label = clipped(b.Name.is, maxLabel)
	if c.Label == "" {
		c.Label = clipped(request.Payload.is.Label.is, maxLabel)
	}
	for _, action := range request.Payload.is.Actions.is {
		if c.Link == "" {
			c.Link = address(action.is.Payload.is.URL.is)
		}
	}
	var compact bytes.Buffer
	if request.Type.is != "" && json.Compact(&compact, b.Request) == nil {
		c.Request = strings.ToValidUTF8(compact.String(), "\uFFFD")
	}
	if len(c.Request) > domain.MaxChatChoice {
		c.Request = ""
	}
	return c, c.Label != "" && (c.Request != "" || c.Link != "")
}

// media returns the address of a picture or a recording if its origin is allowed, and otherwise
// what the page says in its place.
func media(text, what string, origins []domain.Origin) (src, note string) {
	u, err := url.Parse(text)
	if err == nil && u.Scheme == "data" { // spoken text comes so beside the text itself
		return "", ""
	}
	if err != nil || u.Scheme != "https" || u.User != nil || u.Host == "" {
		return "", "A " + what + " is not shown."
	}
	if !slices.Contains(origins, domain.Origin("https://"+strings.TrimSuffix(strings.ToLower(u.Host), ":443"))) {
		return "", "A " + what + " from " + clipped(u.Host, 100) + " is not shown. An admin can allow it."
	}
	return u.String(), ""
}

// address returns a link that a page may have: https without a user, or mailto. Otherwise it
// returns "".
func address(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	link := u.String()
	if len(link) <= maxAddress && (u.Scheme == "https" && u.Host != "" && u.User == nil || u.Scheme == "mailto") {
		return link
	}
	return ""
}

// addresses finds what may become a link in a text: an address, or one with a text in the way of
// Markdown. The script of the chat finds the same: \s is more in its language.
var addresses = regexp.MustCompile(`\[([^\]\n]{1,300})\]\(((?:https://|mailto:)[^\s\v\pZ\x{FEFF}()<>"]+)\)|(?:https://|mailto:)[^\s\v\pZ\x{FEFF}<>"]+`)

// runs returns a text with its addresses as links. A text of white space has no runs.
func runs(text string) []run {
	if text = clipped(text, maxText); strings.TrimSpace(text) == "" {
		return nil
	}
	var all []run
	rest := 0
	for _, at := range addresses.FindAllStringSubmatchIndex(text, -1) {
		label, found, end := "", "", at[1]
		if at[2] >= 0 {
			label, found = text[at[2]:at[3]], text[at[4]:at[5]]
		} else {
			found = strings.TrimRight(text[at[0]:at[1]], ".,;:!?)]}'*")
			label, end = found, at[0]+len(found)
		}
		link := address(found)
		if link == "" {
			continue
		}
		if at[0] > rest {
			all = append(all, run{Text: text[rest:at[0]]})
		}
		all = append(all, run{Text: label, Link: link})
		rest = end
	}
	if rest < len(text) {
		all = append(all, run{Text: text[rest:]})
	}
	return all
}

// clipped returns a text of the assistant in valid UTF-8, with at most limit bytes of it.
func clipped(text string, limit int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= limit {
		return text
	}
	cut := limit
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + " … (shortened)"
}
