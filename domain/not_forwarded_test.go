package domain_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/flowlatch/flowlatch/domain"
)

func TestWhatIsNotForwardedSaysWhatIsNear(t *testing.T) {
	const see = "; see docs/endpoints.md#forwarded-calls"
	const (
		severalWays = "this path can be read in several ways; send it without empty parts, without . and .., and without encoded slashes outside of a user id" + see
		noService   = "the path names no service of Voiceflow; after /voiceflow/ comes general-runtime, api, analytics-api or realtime-api" + see
		noID        = "an id in this path can't be one; an id has only letters, digits, _ and -, so fill in what is in braces and check the rest" + see
	)
	for _, tc := range []struct{ name, service, method, path, want string }{
		{"another method", "general-runtime", "GET", "/state/user/ben/interact",
			"Flowlatch does not forward GET at this path of general-runtime, only POST" + see},
		{"a method among several", "general-runtime", "POST", "/state/user/ben",
			"Flowlatch does not forward POST at this path of general-runtime, only GET, PUT, DELETE" + see},
		{"a method that somebody made up", "general-runtime", "CANARY", "/v4/interact",
			"Flowlatch does not forward this method at this path of general-runtime, only POST" + see},
		{"the base URL of another service", "api", "POST", "/state/user/ben/interact",
			"this call is not one of api but of general-runtime; put /voiceflow/general-runtime before its path" + see},
		{"another service with another call at the path", "realtime-api", "GET", "/v2/transcripts/p",
			"this call is not one of realtime-api but of api; put /voiceflow/api before its path" + see},
		{"no service", "state", "POST", "/user/ben/interact",
			"this call is one of general-runtime; put the service before its path, as in /voiceflow/general-runtime" + see},
		{"an unknown service", "runtime-api", "POST", "/v1/phone-number/x/outbound", noService},
		{"a service in capitals", "API", "GET", "/v2/transcripts/p", noService},
		{"a secret as the service", "flk_canary", "GET", "/x", noService},
		{"nothing", "api", "GET", "", "the path ends after the service; the path of a call has to come after /voiceflow/api" + see},
		{"a slash", "api", "GET", "/", "the path ends after the service; the path of a call has to come after /voiceflow/api" + see},
		{"a slash at the end", "api", "GET", "/v2/transcripts/p/", severalWays},
		{"two slashes", "api", "GET", "/v2//transcripts/p", severalWays},
		{"dots", "api", "GET", "/v2/transcripts/../versions", severalWays},
		{"an encoding that is none", "api", "GET", "/v2/transcripts/%zz", severalWays},
		{"a backslash", "api", "GET", `/v2\transcripts/p`, severalWays},
		{"a place that was not filled in", "api", "GET", "/v2/transcripts/%7BprojectID%7D", noID},
		{"an id with other characters", "api", "GET", "/v2/transcripts/p/a@b", noID},
		{"the service twice", "general-runtime", "POST", "/general-runtime/state/user/ben/interact",
			"Flowlatch does not forward this call of general-runtime; the nearest one is POST /state/user/{userID}/interact" + see},
		{"a word too few", "general-runtime", "POST", "/v2/project/p/user/ben/interact",
			"Flowlatch does not forward this call of general-runtime; the nearest one is POST /v2/project/{projectID}/user/{userID}/interact/stream" + see},
		{"a word that is wrong", "analytics-api", "POST", "/v1/transcripts/project/p",
			"Flowlatch does not forward this call of analytics-api; the nearest one is POST /v1/transcript/project/{projectID}" + see},
		{"a near call of another method", "realtime-api", "GET", "/v1/stable/knowledge-bases/query",
			"Flowlatch does not forward this call of realtime-api; the nearest one is POST /v1/stable/knowledge-base/query" + see},
		{"a path of which a word is too much", "realtime-api", "GET", "/v1/stable/knowledge-base/document",
			"Flowlatch does not forward this call of realtime-api; the nearest one is GET /v1/stable/document" + see},
		{"a call of which only the version is the same", "api", "GET", "/v2/projects",
			"Flowlatch does not forward this call of api" + see},
		{"a call of which only the generation is the same", "realtime-api", "GET", "/v1/stable/workspace",
			"Flowlatch does not forward this call of realtime-api" + see},
		{"something else", "general-runtime", "GET", "/canary",
			"Flowlatch does not forward this call of general-runtime" + see},
		{"a path that is longer than any", "api", "GET", strings.Repeat("/x", 5000),
			"Flowlatch does not forward this call of api" + see},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := domain.MatchEndpoint(tc.service, tc.method, tc.path)
			if want := string(domain.NotFound) + ": " + tc.want; err == nil || err.Error() != want {
				t.Errorf("got %v\nwant %s", err, want)
			}
		})
	}
}

// FuzzAMessageRepeatsNothingOfThePath puts a mark into each place of a call.
func FuzzAMessageRepeatsNothingOfThePath(f *testing.F) {
	const mark = "qXmArKx"
	for _, e := range domain.Endpoints() {
		f.Add(string(e.Service), e.Method, e.Path, 3)
		f.Add(string(e.Service), e.Method, e.Path+"/", len(e.Path))
	}
	f.Add("a\npi", "GE\x00T", "/\u2028%0a%00/\xff", 2)
	f.Fuzz(func(t *testing.T, service, method, path string, at int) {
		at = max(0, min(at, len(path)))
		path = path[:at] + mark + path[at:]
		for _, call := range [][3]string{{service, method, path}, {mark + service, method, path}, {service, mark + method, path}, {service, method + mark, path}} {
			_, err := domain.MatchEndpoint(call[0], call[1], call[2])
			if err == nil {
				continue
			}
			text := err.Error()
			if strings.Contains(strings.ToLower(text), strings.ToLower(mark)) {
				t.Errorf("%q: the message repeats it: %q", call, text)
			}
			if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || len(text) > 300 {
				t.Errorf("%q: got the message %q", call, text)
			}
		}
	})
}
