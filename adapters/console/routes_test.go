package console_test

import (
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/ginhttp"
)

const (
	turn  = "each turn of the chat names its assistant"
	probe = "programs watch the service with it"
)

// noneOnPurpose are the JSON routes that no page stands for, with the reason.
var noneOnPurpose = map[string]string{
	"POST /set_project":             turn,
	"POST /clear_project":           turn,
	"/voiceflow/:service/*path":     "a turn of the chat is such a call; programs make the others",
	"POST /oidc/backchannel-logout": "the identity provider calls it",
	"GET /healthz":                  probe,
	"HEAD /healthz":                 probe,
	"GET /readyz":                   probe,
	"HEAD /readyz":                  probe,
}

// TestEveryJSONRouteHasAPage checks that a person can do on a page what a program can do on a route.
// It fails for a route without a page and without a reason, and for a reason without need.
func TestEveryJSONRouteHasAPage(t *testing.T) {
	t.Parallel()
	onPages := map[string]bool{}
	for _, r := range newWorld(t).options.Pages.Routes {
		onPages[string(r.Action)] = true
	}
	listed := map[string]bool{}
	for _, r := range ginhttp.Routes() {
		name := strings.TrimSpace(r.Method + " " + r.Path)
		listed[name] = true
		reason, none := noneOnPurpose[name]
		has := onPages[strings.TrimPrefix(r.Path, "/")]
		switch {
		case has && none:
			t.Errorf("%s has a page, and stands among the routes that have none on purpose", name)
		case !has && !none:
			t.Errorf("%s has no page, and no reason why", name)
		case none && reason == "":
			t.Errorf("%s has no reason why it has no page", name)
		}
	}
	for name := range noneOnPurpose {
		if !listed[name] {
			t.Errorf("%s is no JSON route, but has a reason why it has no page", name)
		}
	}
}
