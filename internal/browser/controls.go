package browser

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Selectors of elements that a person uses, and of those that take text or a choice.
const (
	controls = `:is(a[href], button, input, select, textarea, summary, [role=button], [role=link], [role=checkbox], [role=switch], ` +
		`[role=tab], [role=menuitem], [role=option], [contenteditable], [tabindex])`
	fields = `:is(input:not([type=hidden]), select, textarea, [contenteditable])`
)

// element is an element of a page.
type element struct {
	tab *Tab
	id  runtime.RemoteObjectID
}

// on calls a function with the element as this.
func on[T any](e element, function string, args ...any) (T, error) {
	yes := true
	params := runtime.CallFunctionOnParams{FunctionDeclaration: function, ObjectID: e.id, ReturnByValue: &yes}
	for _, a := range args {
		text, err := json.Marshal(a)
		if err != nil {
			var none T
			return none, err
		}
		params.Arguments = append(params.Arguments, &runtime.CallArgument{Value: text})
	}
	result, err := try(e.tab, runtime.CallFunctionOn, params)
	if err != nil {
		var none T
		return none, err
	}
	return decode[T](result.Result, result.ExceptionDetails)
}

// object returns the element that an expression returns. ok is false if it returns none.
func (tab *Tab) object(expression string) (e element, ok bool, err error) {
	world, err := tab.world()
	if err != nil {
		return element{}, false, err
	}
	result, err := try(tab, runtime.Evaluate, runtime.EvaluateParams{Expression: expression, ContextID: world})
	if err != nil {
		return element{}, false, err
	}
	if result.ExceptionDetails != nil {
		return element{}, false, thrown(result.ExceptionDetails)
	}
	return element{tab, result.Result.ObjectID}, result.Result.ObjectID != "", nil
}

// named returns the visible elements with an accessible name that a selector matches.
func (tab *Tab) named(name, selector string) ([]element, error) {
	world, err := tab.world()
	if err != nil {
		return nil, err
	}
	document, _, err := tab.object("document")
	if err != nil {
		return nil, err
	}
	found, err := try(tab, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{ObjectID: document.id, AccessibleName: name})
	if err != nil {
		return nil, err
	}
	var all []element
	for _, node := range found.Nodes {
		if node.Ignored || node.BackendDOMNodeID == 0 {
			continue
		}
		e, err := tab.resolve(node.BackendDOMNodeID, world)
		if err != nil {
			return nil, err
		}
		fits, err := on[bool](e, `function(selector) { return this.nodeType === Node.ELEMENT_NODE && this.matches(selector) && this.checkVisibility({ visibilityProperty: true }) }`, selector)
		if err != nil {
			return nil, err
		}
		if fits {
			all = append(all, e)
		}
	}
	return all, nil
}

// find waits until the page has exactly one control with the name. Of several, the one counts that
// stands nearest to the text within.
func (tab *Tab) find(name, selector string, within []string) element {
	tab.t.Helper()
	var one element
	tab.until(strings.TrimSpace(fmt.Sprintf("the page has one control %q %s", name, strings.Join(within, ", "))), func() (bool, error) {
		all, err := tab.named(name, selector)
		if err == nil && len(within) > 0 {
			all, err = nearest(all, within[0])
		}
		if err != nil {
			return false, err
		}
		if len(all) == 1 {
			one = all[0]
			return true, nil
		}
		return false, fmt.Errorf("there are %d", len(all))
	})
	return one
}

// nearest returns the elements that stand nearest to a text: those whose smallest ancestor with
// the text is the smallest.
func nearest(all []element, text string) ([]element, error) {
	var best []element
	size := 0
	for _, e := range all {
		n, err := on[int](e, `function(text) {
			for (let e = this.parentElement; e; e = e.parentElement) {
				if (e.innerText.replace(/\s+/g, " ").toLowerCase().includes(text)) return e.innerText.length + 1;
			}
			return 0;
		}`, folded(text))
		if err != nil {
			return nil, err
		}
		switch {
		case n == 0 || len(best) > 0 && n > size:
		case len(best) > 0 && n == size:
			best = append(best, e)
		default:
			best, size = []element{e}, n
		}
	}
	return best, nil
}

// Click clicks the control with the accessible name, such as "Add" or "Delete Pizza Palace". It
// waits for the control. It fails the test if something covers the control. If several controls
// have the name, within is a text that stands nearest to the right one, such as the name in a row.
func (tab *Tab) Click(name string, within ...string) {
	tab.t.Helper()
	tab.press(name, tab.find(name, controls, within))
}

// Follow clicks a link and waits until another page is loaded.
func (tab *Tab) Follow(name string, within ...string) {
	tab.t.Helper()
	tab.leaving("the link "+name+" leads to a page", func() {
		tab.press(name, tab.find(name, `:is(a[href], [role=link])`, within))
	})
}

// Submit clicks a button and waits until the page that answers the form is loaded. A form that a
// script sends has no such page: click its button, and wait for a text.
func (tab *Tab) Submit(name string, within ...string) {
	tab.t.Helper()
	tab.leaving("the button "+name+" sends the form", func() {
		tab.press(name, tab.find(name, `:is(button, input:is([type=submit], [type=image]), [role=button])`, within))
	})
}

// PressAndLoad presses keys and waits until another page is loaded.
func (tab *Tab) PressAndLoad(keys ...string) {
	tab.t.Helper()
	tab.leaving(strings.Join(keys, ", ")+" leads to a page", func() { tab.Press(keys...) })
}

// leaving does something that replaces the page, and waits until the new page is loaded.
func (tab *Tab) leaving(what string, do func()) {
	tab.t.Helper()
	before := tab.seen.countLoads()
	tab.followed++
	do()
	tab.until(what, func() (bool, error) { return tab.seen.countLoads() > before, nil })
}

// Interactions returns how many links were followed and forms sent, by Follow, Submit and PressAndLoad.
func (tab *Tab) Interactions() int { return tab.followed }

// press clicks the middle of an element.
func (tab *Tab) press(name string, e element) {
	tab.t.Helper()
	at, err := on[struct {
		X, Y  float64
		Cover string
	}](e, `function() {
		this.scrollIntoView({ block: "center", behavior: "instant" });
		const box = [...this.getClientRects()].find((r) => r.width && r.height);
		if (!box) return { Cover: "nothing: it has no size" };
		const x = box.x + box.width / 2, y = box.y + box.height / 2;
		const top = document.elementFromPoint(x, y);
		const ours = top && (this.contains(top) || [...(this.labels ?? [])].some((l) => l.contains(top)));
		return { X: x, Y: y, Cover: ours ? "" : (top?.outerHTML ?? "the edge of the window").slice(0, 200) };
	}`)
	if err != nil {
		tab.fail(fmt.Sprintf("%s: %v", name, err))
	}
	if at.Cover != "" {
		tab.fail(fmt.Sprintf("%q can't be clicked. Above it is %s", name, at.Cover))
	}
	for _, kind := range []input.DispatchMouseEventType{chromedp.MouseMoved, chromedp.MousePressed, chromedp.MouseReleased} {
		params := input.DispatchMouseEventParams{Type: kind, X: at.X, Y: at.Y}
		if kind != chromedp.MouseMoved {
			params.Button, params.ClickCount = input.MouseButtonLeft, 1
		}
		call(tab, input.DispatchMouseEvent, params)
	}
}

// Fill replaces what a field holds. The field is that with the label, or else with the name, such
// as "Password" or "token". In a select, text is the label or the value of the option. A date is
// written as 2006-01-02.
func (tab *Tab) Fill(field, text string) {
	tab.t.Helper()
	e := tab.field(field)
	typed, err := on[bool](e, `function(text) {
		this.scrollIntoView({ block: "center", behavior: "instant" });
		this.focus();
		const changed = () => { for (const type of ["input", "change"]) this.dispatchEvent(new Event(type, { bubbles: true })); };
		if (this.matches("select")) {
			const option = [...this.options].find((o) => o.label.trim() === text || o.value === text);
			if (!option) throw new Error("no option " + text);
			option.selected = true;
			changed();
			return false;
		}
		if (this.matches("[type=date], [type=datetime-local], [type=time], [type=month], [type=range], [type=color]")) {
			this.value = text;
			changed();
			return false;
		}
		this.select?.();
		return true;
	}`, text)
	if err != nil {
		tab.fail(fmt.Sprintf("%s: %v", field, err))
	}
	switch {
	case typed && text == "":
		tab.Press("Delete")
	case typed:
		call(tab, input.InsertText, input.InsertTextParams{Text: text})
	}
}

// Value returns what a field holds. The field is found as Fill finds it.
func (tab *Tab) Value(field string) string {
	tab.t.Helper()
	value, err := on[string](tab.field(field), `function() { return this.value }`)
	if err != nil {
		tab.fail(err.Error())
	}
	return value
}

// field waits for the field with the label or the name.
func (tab *Tab) field(field string) element {
	tab.t.Helper()
	var one element
	tab.until(fmt.Sprintf("the page has one field %q", field), func() (bool, error) {
		all, err := tab.named(field, fields)
		if err != nil {
			return false, err
		}
		if len(all) == 1 {
			one = all[0]
			return true, nil
		}
		if len(all) > 1 {
			return false, fmt.Errorf("there are %d", len(all))
		}
		var ok bool
		one, ok, err = tab.object(fmt.Sprintf(`document.querySelector('%s[name=' + CSS.escape(%q) + ']')`, fields, field))
		if err == nil && !ok {
			err = errors.New("there is none")
		}
		return ok, err
	})
	return one
}

// Type types text where the focus is.
func (tab *Tab) Type(text string) {
	tab.t.Helper()
	call(tab, input.InsertText, input.InsertTextParams{Text: text})
}

// pressable are the keys that Press knows.
var pressable = map[string]string{
	"Tab": kb.Tab, "Enter": kb.Enter, "Escape": kb.Escape, "Space": " ", "Delete": kb.Delete, "Backspace": kb.Backspace,
	"ArrowUp": kb.ArrowUp, "ArrowDown": kb.ArrowDown, "ArrowLeft": kb.ArrowLeft, "ArrowRight": kb.ArrowRight,
	"Home": kb.Home, "End": kb.End, "PageUp": kb.PageUp, "PageDown": kb.PageDown,
}

// Press presses keys, one after the other, such as "Tab", "Shift+Tab", "Enter", "Space" or
// "Control+a".
func (tab *Tab) Press(keys ...string) {
	tab.t.Helper()
	for _, key := range keys {
		var modifiers []chromedp.Modifier
		for {
			before, after, held := strings.Cut(key, "+")
			modifier, known := map[string]chromedp.Modifier{"Shift": chromedp.ModifierShift, "Control": chromedp.ModifierCtrl, "Alt": chromedp.ModifierAlt}[before]
			if !held || !known {
				break
			}
			modifiers, key = append(modifiers, modifier), after
		}
		code, known := pressable[key]
		if !known {
			code = key
		}
		for _, event := range kb.Encode([]rune(code)[0]) {
			if event.Type == input.DispatchKeyEventTypeKeyDown {
				event.Type = input.DispatchKeyEventTypeRawKeyDown // as a keyboard does: a page that takes the key types nothing
			}
			for _, m := range modifiers {
				event.Modifiers |= int64(m)
			}
			call(tab, input.DispatchKeyEvent, *event)
		}
	}
}

// Focused returns the accessible name of the element that has the focus, "" if the page itself has it.
func (tab *Tab) Focused() string {
	tab.t.Helper()
	e, ok, err := tab.object(`document.activeElement === document.body ? null : document.activeElement`)
	if err != nil {
		tab.fail(err.Error())
	}
	if !ok {
		return ""
	}
	no := false
	tree := call(tab, accessibility.GetPartialAXTree, accessibility.GetPartialAXTreeParams{ObjectID: e.id, FetchRelatives: &no})
	if len(tree.Nodes) == 0 {
		return ""
	}
	return text(tree.Nodes[0].Name)
}

// TabTo presses Tab until the control with the accessible name has the focus. It fails the test if
// most presses are not enough.
func (tab *Tab) TabTo(name string, most int) {
	tab.t.Helper()
	var passed []string
	for range most {
		if tab.Focused() == name {
			return
		}
		tab.Press("Tab")
		passed = append(passed, fmt.Sprintf("%q", tab.Focused()))
	}
	if tab.Focused() != name {
		tab.fail(fmt.Sprintf("%q does not have the focus after %d times Tab, but these had it: %s", name, most, strings.Join(passed, ", ")))
	}
}

// text returns the text of a value of the accessibility tree.
func text(v *accessibility.Value) string {
	if v == nil {
		return ""
	}
	var said string
	_ = json.Unmarshal(v.Value, &said) // "" for what is no text
	return said
}
