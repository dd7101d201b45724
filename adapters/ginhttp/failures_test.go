package ginhttp

import (
	"slices"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

// codes are the words that programs may see: those of the contract.
var codes = strings.Fields(`invalid_request not_authenticated not_allowed not_found already_added ambiguous_name
	name_too_long voiceflow_rejected voiceflow_unavailable cross_origin too_large too_many_requests
	method_not_allowed unsupported_media_type conflict unavailable internal
	no_assistant environment_not_allowed assistant_credentials_rejected needs_reentry`)

func TestEveryKindHasAnAnswer(t *testing.T) {
	for _, kind := range domain.Kinds() {
		if _, there := failures[kind]; !there {
			t.Errorf("%q is not in the table", kind)
		}
	}
}

func TestTheTableSaysOnlyWhatTheContractKnows(t *testing.T) {
	said := map[string]bool{}
	for kind, f := range failures {
		said[f.code] = true
		if !slices.Contains(codes, f.code) {
			t.Errorf("%q: %q is no code of the contract", kind, f.code)
		}
		if f.message == "" {
			t.Errorf("%q has no sentence", kind)
		}
		if !slices.Contains([]int{400, 401, 403, 404, 405, 409, 413, 415, 429, 500, 502, 503}, f.elsewhere) {
			t.Errorf("%q: %d is no status that is used", kind, f.elsewhere)
		}
	}
	for _, code := range codes {
		if !said[code] {
			t.Errorf("nothing is answered with %q", code)
		}
	}
}

// The four documented routes against every kind: nothing but the statuses that are
// documented for them, and 405, 413 and 429, which belong to HTTP.
func TestTheDocumentedRoutesAnswerAsDocumented(t *testing.T) {
	four := 0
	for i := range routes {
		rt := &routes[i]
		if !rt.documented {
			continue
		}
		four++
		for kind, f := range failures {
			got := f.status(rt)
			want := []int{400, 401, 405, 413, 429}
			if kind == noAssistants {
				want = []int{404} // given by /get_projects alone
			}
			if !slices.Contains(want, got) {
				t.Errorf("%s: %q is answered with %d", rt.path, kind, got)
			}
		}
	}
	if four != 4 {
		t.Errorf("got %d documented routes, want 4", four)
	}
}
