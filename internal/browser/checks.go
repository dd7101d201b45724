package browser

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/runtime"
)

// What a page must have.
const (
	leastTarget   = 24  // CSS pixels
	leastContrast = 4.5 // of text and what is behind it
	narrow        = 320 // CSS pixels: the narrowest window
)

//go:embed checks.js
var checks string

// check calls a function of checks.js.
func check[T any](tab *Tab, function string) T {
	tab.t.Helper()
	return must[T](tab, "(globalThis.checks ??= "+library()+")."+function)
}

// library returns checks.js as an expression.
func library() string {
	return strings.TrimSuffix(strings.TrimSpace(checks[strings.Index(checks, "(() =>"):]), ";")
}

// PolicyProblems returns the violations of the Content-Security-Policy since the tab was opened. It
// finds them with scripts and without.
func (tab *Tab) PolicyProblems() []string {
	tab.t.Helper()
	tab.settle()
	tab.seen.mu.Lock()
	defer tab.seen.mu.Unlock()
	return slices.Clone(tab.seen.violations)
}

// ScriptProblems returns what scripts did wrong since the tab was opened: dialogs, errors on the
// console, exceptions. If the page has a variable __pwned, a script ran that is not ours.
func (tab *Tab) ScriptProblems() []string {
	tab.t.Helper()
	pwned := tab.settle()
	tab.seen.mu.Lock()
	defer tab.seen.mu.Unlock()
	problems := slices.Concat(tab.seen.dialogs, tab.seen.errors)
	if pwned {
		problems = append(problems, "A script ran that is not ours: __pwned is set.")
	}
	return problems
}

// RequestProblems returns the requests to other origins since the last Open. If most is not 0, it
// also says whether all responses together had more bytes over the wire, heads included.
func (tab *Tab) RequestProblems(most int) []string {
	tab.t.Helper()
	tab.settle()
	tab.seen.mu.Lock()
	defer tab.seen.mu.Unlock()
	var problems, sizes []string
	for _, r := range tab.seen.order {
		if origin(r.url) != origin(tab.base) && !r.blocked {
			problems = append(problems, "The page requests "+r.url+" from another origin.")
		}
		sizes = append(sizes, fmt.Sprintf("%d %s", int(r.bytes), strings.TrimPrefix(r.url, tab.base)))
	}
	if total := tab.seen.bytes(); most > 0 && total > most {
		problems = append(problems, fmt.Sprintf("The page takes %d bytes, more than %d: %s.", total, most, strings.Join(sizes, ", ")))
	}
	return problems
}

// Bytes returns how many bytes came over the wire since the last Open, heads included.
func (tab *Tab) Bytes() int {
	tab.t.Helper()
	tab.settle()
	tab.seen.mu.Lock()
	defer tab.seen.mu.Unlock()
	return tab.seen.bytes()
}

func (r *record) bytes() int {
	total := 0.0
	for _, sent := range r.order {
		total += sent.bytes
	}
	return int(total)
}

// TargetProblems returns the targets of clicks that are smaller than 24 × 24 CSS pixels. Links
// inside a sentence and disabled controls are excepted.
func (tab *Tab) TargetProblems() []string {
	tab.t.Helper()
	return check[[]string](tab, fmt.Sprintf("targets(%d)", leastTarget))
}

// ContrastProblems returns the visible text with a contrast below 4.5, in light and in dark colors:
// also placeholders and text of the stylesheet. Disabled controls are excepted. Text on a picture or
// a gradient is a problem, because styles don't tell its contrast.
func (tab *Tab) ContrastProblems() []string {
	tab.t.Helper()
	defer tab.scheme(tab.settings.Dark)
	var problems []string
	for _, dark := range []bool{false, true} {
		tab.scheme(dark)
		for _, p := range check[[]string](tab, fmt.Sprintf("contrast(%g)", leastContrast)) {
			problems = append(problems, map[bool]string{false: "Light: ", true: "Dark: "}[dark]+p)
		}
	}
	return problems
}

// OverflowProblems returns what is wider than a window of that many CSS pixels, 0 for the width of
// the tab. An element may scroll inside a frame of its own if a keyboard can scroll it.
func (tab *Tab) OverflowProblems(width int64) []string {
	tab.t.Helper()
	if width != 0 {
		defer tab.size(or(tab.settings.Width, 1440), or(tab.settings.Height, 900))
		tab.size(width, 800)
	}
	return check[[]string](tab, "overflow()")
}

// FocusProblems presses Tab through the whole page. It returns the controls that don't show that
// they have the focus, and those that Tab does not reach. Afterwards the page itself has the focus.
func (tab *Tab) FocusProblems() []string {
	tab.t.Helper()
	var problems []string
	stops := check[int](tab, "focusBegins()")
	for range 6*stops + 10 { // a date has six stops, and a page may show more while it has the focus
		tab.Press("Tab")
		stop := check[struct {
			Done    bool
			Problem string
		}](tab, "focusMoves()")
		if stop.Done {
			break
		}
		if stop.Problem != "" {
			problems = append(problems, stop.Problem)
		}
	}
	problems = append(problems, check[[]string](tab, "focusEnds()")...)
	must[any](tab, "document.activeElement?.blur()")
	return problems
}

// Problems returns the problems that all checks find on the page as it is, at 320 pixels and at the
// width of the tab. landmarks are those that the page must have, such as "main" and "navigation".
func (tab *Tab) Problems(landmarks ...string) []string {
	tab.t.Helper()
	return slices.Concat(tab.FocusProblems(), tab.StillProblems(landmarks...))
}

// StillProblems is Problems without FocusProblems, which takes longer than all others together. It is
// for a page on which another look has pressed Tab.
func (tab *Tab) StillProblems(landmarks ...string) []string {
	tab.t.Helper()
	problems := slices.Concat(tab.NameProblems(), tab.StructureProblems(landmarks...), tab.ContrastProblems())
	for _, width := range []int64{narrow, or(tab.settings.Width, 1440)} {
		tab.size(width, or(tab.settings.Height, 900))
		for _, p := range slices.Concat(tab.TargetProblems(), tab.OverflowProblems(0)) {
			problems = append(problems, fmt.Sprintf("At %d pixels: %s", width, p))
		}
	}
	return slices.Concat(problems, tab.PolicyProblems(), tab.ScriptProblems(), tab.RequestProblems(0))
}

// Check fails the test if the page has Problems.
func (tab *Tab) Check(landmarks ...string) {
	tab.t.Helper()
	tab.wantNone(tab.Problems(landmarks...))
}

// CheckStill fails the test if the page has StillProblems.
func (tab *Tab) CheckStill(landmarks ...string) {
	tab.t.Helper()
	tab.wantNone(tab.StillProblems(landmarks...))
}

func (tab *Tab) wantNone(problems []string) {
	tab.t.Helper()
	if len(problems) > 0 {
		tab.t.Errorf("the page has problems:\n%s\n%s", strings.Join(problems, "\n"), tab.describe())
	}
}

// settle waits until the browser has told all that the page did so far: the files of the page are
// loaded. It reports whether the page has a variable __pwned.
func (tab *Tab) settle() (pwned bool) {
	tab.t.Helper()
	tab.until("the files of the page are loaded", func() (bool, error) { return tab.seen.idle(), nil })
	yes := true
	result := call(tab, runtime.Evaluate, runtime.EvaluateParams{Expression: `typeof __pwned !== "undefined"`, ReturnByValue: &yes})
	pwned, err := decode[bool](result.Result, result.ExceptionDetails)
	if err != nil {
		tab.fail(err.Error())
	}
	return pwned
}
