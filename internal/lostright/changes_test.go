package lostright_test

import (
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/ginhttp"
	"github.com/flowlatch/flowlatch/internal/lostright"
)

// TestEveryRouteThatReadsABodyIsHeld compares the changes with the route table.
func TestEveryRouteThatReadsABodyIsHeld(t *testing.T) {
	known := map[string]bool{}
	for name := range lostright.NotHeld() {
		known[name] = false
	}
	for _, c := range lostright.Changes() {
		known[c.Route] = false
	}
	for _, route := range ginhttp.Routes() {
		name := strings.TrimSpace(route.Method + " " + route.Path)
		if _, is := known[name]; route.ReadsBody && !is {
			t.Errorf("%s has no row in Changes", name)
		}
		if route.ReadsBody {
			known[name] = true
		}
	}
	for name, reads := range known {
		if !reads {
			t.Errorf("no route %s reads a body", name)
		}
	}
}

// TestEveryRightIsTaken wants each caller of each change to lose the right to it in some ways.
func TestEveryRightIsTaken(t *testing.T) {
	for _, c := range lostright.Changes() {
		for _, by := range c.By {
			ways := 0
			for _, l := range lostright.Losses() {
				if l.Takes(c, by) {
					ways++
				}
			}
			if ways < 2 {
				t.Errorf("%s by %s can be lost in %d ways, want at least 2", c.Name(), by, ways)
			}
		}
	}
}
