package clients

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestEveryClientInEveryMode runs all clients with an assistant that is pinned, and with one that
// allows a list of environments. All clients name the environment that is the default.
func TestEveryClientInEveryMode(t *testing.T) {
	all := slices.Concat(documented(), readers(), bots(), pages("https://flowlatch.example.com", "same-origin"), []client{vf(), voiceflowCLI()})
	for _, c := range all {
		for mode, environments := range map[string]string{
			"pinned": "",
			"list":   fmt.Sprintf(`{"default": %q, "allowed": [%q], "allow_draft": [%q]}`, c.version, c.version, c.version),
		} {
			t.Run(strings.ReplaceAll(c.name, " ", "_")+"/"+mode, func(t *testing.T) {
				c := c
				c.environments = environments
				if mode == "pinned" { // an id is replaced by the alias that the assistant is pinned to
					c.requests = slices.DeleteFunc(slices.Clone(c.requests), func(r request) bool { return strings.Contains(r.path, "$version") })
				}
				newPair(t, c).run(t, c)
			})
		}
	}
}
