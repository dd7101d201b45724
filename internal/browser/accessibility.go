package browser

import (
	"fmt"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/runtime"
)

// Roles that need a name, whether they can have the focus or not.
var speaking = []string{
	"button", "link", "textbox", "searchbox", "combobox", "listbox", "checkbox", "radio", "switch", "slider", "spinbutton",
	"tab", "menuitem", "DisclosureTriangle", "Date", "DateTime", "InputTime", "ColorWell", "image", "img", "dialog", "alertdialog",
}

// resolve returns the element with an id of the browser's.
func (tab *Tab) resolve(id cdp.BackendNodeID, world runtime.ExecutionContextID) (element, error) {
	found, err := try(tab, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: id, ExecutionContextID: world})
	if err != nil {
		return element{}, err
	}
	return element{tab, found.Object.ObjectID}, nil
}

// tree returns the accessibility tree, which is what a screen reader knows about the page.
func (tab *Tab) tree() []*accessibility.Node {
	tab.t.Helper()
	return slices.DeleteFunc(call(tab, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}).Nodes, func(n *accessibility.Node) bool { return n.Ignored })
}

// has reports whether a node has a property.
func has(n *accessibility.Node, name accessibility.PropertyName, value string) bool {
	return slices.ContainsFunc(n.Properties, func(p *accessibility.Property) bool {
		return p.Name == name && p.Value != nil && string(p.Value.Value) == value
	})
}

// NameProblems returns the controls and pictures without an accessible name.
func (tab *Tab) NameProblems() []string {
	tab.t.Helper()
	var problems []string
	for _, n := range tab.tree() {
		role := text(n.Role)
		focusable := has(n, accessibility.PropertyNameFocusable, "true") && role != "RootWebArea" && role != "main"
		if (focusable || slices.Contains(speaking, role)) && strings.TrimSpace(text(n.Name)) == "" {
			problems = append(problems, fmt.Sprintf("A %s has no name: %s", role, tab.source(n)))
		}
	}
	return problems
}

// source returns the beginning of the source of a node.
func (tab *Tab) source(n *accessibility.Node) string {
	world, err := tab.world()
	if err != nil {
		return err.Error()
	}
	e, err := tab.resolve(n.BackendDOMNodeID, world)
	if err != nil {
		return err.Error()
	}
	source, err := on[string](e, "function() { return ("+library()+").source(this) }")
	if err != nil {
		return err.Error()
	}
	return source
}

// StructureProblems returns what is wrong with the frame of the page: it has a title, a language,
// one heading of level 1, and each of the landmarks, such as "main" and "navigation". There is one
// main. Several landmarks of another kind have different names.
func (tab *Tab) StructureProblems(landmarks ...string) []string {
	tab.t.Helper()
	var problems []string
	names := map[string][]string{}
	headings := 0
	for _, n := range tab.tree() {
		role := text(n.Role)
		names[role] = append(names[role], text(n.Name))
		if role == "heading" && has(n, accessibility.PropertyNameLevel, "1") {
			headings++
		}
	}
	if headings != 1 {
		problems = append(problems, fmt.Sprintf("The page has %d headings of level 1.", headings))
	}
	for _, role := range landmarks {
		// The navigation of a small window may be inside a menu that is closed.
		closed := fmt.Sprintf("!!document.querySelector('details:not([open]) :is(%s, [role=%s])')", or(map[string]string{"navigation": "nav"}[role], role), role)
		if len(names[role]) == 0 && !must[bool](tab, closed) {
			problems = append(problems, fmt.Sprintf("The page has no landmark %s.", role))
		}
	}
	if len(names["main"]) > 1 {
		problems = append(problems, fmt.Sprintf("The page has %d landmarks main.", len(names["main"])))
	}
	for _, role := range []string{"navigation", "region", "complementary", "form", "search"} {
		if role == "form" || role == "region" { // without a name it is no landmark
			names[role] = slices.DeleteFunc(names[role], func(name string) bool { return name == "" })
		}
		slices.Sort(names[role])
		if different := slices.Compact(slices.Clone(names[role])); len(different) < len(names[role]) {
			problems = append(problems, fmt.Sprintf("Several landmarks %s have the same name: %q.", role, names[role]))
		}
	}
	return append(problems, check[[]string](tab, "structure()")...)
}
