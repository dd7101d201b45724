package voiceflowtest

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// noAssets is the origin of pictures and audio of an assistant without Assets. The name can't
	// exist (RFC 2606).
	noAssets = "https://assets.example"
	// slowEvery is the pause between the traces of a slow answer.
	slowEvery = 300 * time.Millisecond
	// keptOrder is the number of dishes that an order holds.
	keptOrder = 20
)

// dish is something to order.
type dish struct {
	id, name, about string
	recipe          string // a page about it
}

var dishes = []dish{
	{"margherita", "Margherita", "Tomato, mozzarella and basil. 9.00", "https://en.wikipedia.org/wiki/Pizza_Margherita"},
	{"marinara", "Marinara", "Tomato, garlic and oregano, without cheese. 8.00", "https://en.wikipedia.org/wiki/Pizza_marinara"},
	{"quattro-stagioni", "Quattro Stagioni", "Artichokes, mushrooms, ham and olives. 12.00", "https://en.wikipedia.org/wiki/Pizza_quattro_stagioni"},
}

// Words returns what a [Assistant.Dialog] knows, beside the names of its dishes. They may be
// written in capitals. To any other text it answers by repeating it.
func Words() []string {
	return []string{"menu", "picture", "say it", "slow", "who am I", "bye"}
}

// dialogue is the answer of a Dialog. begins means that the conversation begins with the action.
func (c *call) dialogue(talk *conversation, does action, begins bool) []trace {
	talk.turns++
	var traces []trace
	if begins || does.Type == "launch" {
		traces = append(traces, c.textTrace("Hi from "+c.assistant.Name))
	}
	if does.Type == "launch" {
		return append(traces, c.textTrace("What would you like to eat? You can also write: "+strings.Join(Words(), ", ")+"."), choices())
	}
	if path, isPath := strings.CutPrefix(does.Type, "path-"); isPath {
		return append(traces, c.followed(talk, path, does.says())...)
	}
	said := does.says()
	switch strings.ToLower(strings.Trim(said, " .!?")) {
	case "menu":
		return append(traces, c.textTrace("Here is our menu."), c.menu())
	case "picture":
		return append(traces, c.textTrace("Here is a picture of our kitchen."), c.visual())
	case "say it":
		return append(traces, c.spoken()...)
	case "slow":
		return append(traces, c.slow()...)
	case "who am i":
		return append(traces, c.textTrace(c.whoAmI(talk)))
	case "bye":
		return append(traces, c.textTrace("Bye. Come back soon."), endTrace())
	}
	traces = append(traces, c.textTrace("You said: "+said))
	for _, d := range dishes {
		if strings.Contains(strings.ToLower(said), strings.ToLower(d.name)) {
			return append(traces, c.card(d))
		}
	}
	return append(traces, c.textTrace("I do not know that yet. I know: "+strings.Join(Words(), ", ")+"."))
}

// followed is the answer to a button. path is what follows "path-" in the type of its request.
func (c *call) followed(talk *conversation, path, label string) []trace {
	does, id, _ := strings.Cut(path, "-")
	traces := []trace{newTrace("path", map[string]any{"path": path})}
	i := slices.IndexFunc(dishes, func(d dish) bool { return d.id == id })
	if i < 0 {
		return append(traces, c.textTrace("You chose: "+label))
	}
	d := dishes[i]
	switch does {
	case "show":
		return append(traces, c.textTrace("You chose: "+d.name), c.card(d))
	case "order":
		if len(talk.order) < keptOrder {
			talk.order = append(talk.order, d.name)
		}
		return append(traces, c.textTrace(fmt.Sprintf("I have added a %s. Your order: %s.", d.name, strings.Join(talk.order, ", "))))
	}
	return append(traces, c.textTrace("You chose: "+label))
}

// whoAmI is the answer that shows mix-ups of users and of assistants.
func (c *call) whoAmI(talk *conversation) string {
	return fmt.Sprintf("This is %s. This is your turn %d. Your order: %s.",
		c.assistant.Name, talk.turns, cmp.Or(strings.Join(talk.order, ", "), "nothing yet"))
}

// button returns a button that follows a path. The types of requests begin with path-, as those that
// Voiceflow generates do. The rest of them was chosen.
func button(name, path string, actions ...any) map[string]any {
	if actions == nil {
		actions = []any{}
	}
	return map[string]any{"name": name, "request": map[string]any{
		"type": "path-" + path, "payload": map[string]any{"label": name, "actions": actions},
	}}
}

// link returns the action of a button that opens an address
// (github.com/voiceflow/libs, packages/base-types/src/request/action.ts).
func link(address string) any {
	return map[string]any{"type": "open_url", "payload": map[string]any{"url": address}}
}

func choices() trace {
	buttons := make([]any, len(dishes))
	for i, d := range dishes {
		b := button(d.name, "show-"+d.id)
		// The documentation's sample of a choice has no actions.
		delete(b["request"].(map[string]any)["payload"].(map[string]any), "actions")
		buttons[i] = b
	}
	return newTrace("choice", map[string]any{"buttons": buttons})
}

// details returns the members that a card and a card of a carousel have in common.
func (c *call) details(d dish, buttons ...any) map[string]any {
	return map[string]any{
		"title":       d.name,
		"description": map[string]any{"text": d.about, "slate": paragraphs(d.about)},
		"imageUrl":    c.asset(d.id + ".png"),
		"buttons":     buttons,
	}
}

func (c *call) card(d dish) trace {
	return newTrace("cardV2", c.details(d,
		button("Add to my order", "order-"+d.id),
		button("Read about it", "read-"+d.id, link(d.recipe)),
		button("Write to the kitchen", "write-"+d.id, link("mailto:kitchen@pizza.example?subject="+d.id))))
}

func (c *call) menu() trace {
	cards := make([]any, len(dishes))
	for i, d := range dishes {
		card := c.details(d, button("Add to my order", "order-"+d.id))
		card["id"] = d.id
		cards[i] = card
	}
	return newTrace("carousel", map[string]any{"layout": "Carousel", "cards": cards})
}

func (c *call) visual() trace {
	return newTrace("visual", map[string]any{
		"visualType": "image", "image": c.asset("kitchen.png"), "canvasVisibility": "full",
		"dimensions": map[string]any{"width": pictureWidth, "height": pictureHeight},
	})
}

// spoken is what a Speak step and an Audio step return
// (https://docs.voiceflow.com/reference/trace-types).
func (c *call) spoken() []trace {
	return []trace{
		newTrace("speak", map[string]any{
			"type": "message", "message": "Your pizza is in the oven.", "voice": "Ivy",
			"src": "data:audio/wav;base64," + base64.StdEncoding.EncodeToString(tone()),
		}),
		newTrace("speak", map[string]any{"type": "audio", "message": "", "src": c.asset("bell.wav")}),
	}
}

func (c *call) slow() []trace {
	var traces []trace
	for i, does := range []string{
		"I roll out the dough", "I add the tomatoes", "I add the cheese", "The pizza is in the oven", "The pizza is ready",
	} {
		t := c.textTrace(fmt.Sprintf("%d of 5: %s.", i+1, does))
		t.slow = true
		if i > 0 {
			t.pause = slowEvery
		}
		traces = append(traces, t)
	}
	return traces
}

// asset returns the address of a picture or of audio.
func (c *call) asset(name string) string {
	return cmp.Or(c.assistant.Assets, noAssets) + "/assets/" + name
}
