package voiceflow

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

// FuzzHeader has a header that anybody may send, in a request and in an answer.
func FuzzHeader(f *testing.F) {
	for _, seed := range [][2]string{
		{"Authorization", "Bearer flk_x"}, {"Cookie", "user_session=x"}, {"X-Forwarded-For", "192.0.2.7"}, {"Connection", "close"},
		{"versionID", "development"}, {"PROJECTID", "x"}, {"accept", "*/*"}, {"Last-Event-ID", "7"}, {"Content-Type", "text/plain"},
		{"Set-Cookie", "a=b"}, {"X-RateLimit-Reset", secretKey}, {"RateLimit-Policy", "x"}, {"ETag", "a" + secretKey + "b"}, {"X-RateLimit", "x"},
	} {
		f.Add(seed[0], seed[1], "second")
	}
	calls := []domain.Forward{
		call(f, domain.ServiceRuntime, "POST", "/state/user/{userID}/interact"),
		call(f, domain.ServiceRuntime, "GET", "/state/user/{userID}"),
		call(f, domain.ServiceRuntime, "POST", "/v4/project/{projectID}/session"),
		call(f, domain.ServiceRuntime, "POST", "/v4/interact"),
	}
	key := domain.NewSecret(secretKey)
	f.Fuzz(func(t *testing.T, name, first, second string) {
		// net/http reads and writes names in this form, whatever they were.
		name = http.CanonicalHeaderKey(name)
		sent := http.Header{name: {first, second}}
		for _, c := range calls {
			got := newHeader(c, domain.UsedEnvironment{Name: "production", Send: "production"}, sent, key)
			ours := []string{"User-Agent", "Authorization", "Accept-Encoding"}
			if !c.Route.Endpoint.BySession {
				ours = append(ours, "Projectid")
			}
			if c.Route.Endpoint.VersionHeader {
				ours = append(ours, "Versionid")
			}
			theirs := []string{"Accept", "Accept-Language", "Last-Event-Id"}
			if c.Route.Endpoint.Body != domain.NoBody {
				ours = append(ours, "Content-Type")
			}
			for name, values := range got {
				switch {
				case slices.Contains(ours, name):
					if len(values) != 1 || values[0] == "" {
						t.Errorf("%s: got %q, want one value of ours", name, values)
					}
				case !slices.Contains(theirs, name) || !slices.Equal(values, sent[name]):
					t.Errorf("%s: got %q, which is not to pass", name, values)
				}
			}
			if got.Get("Authorization") != secretKey {
				t.Errorf("Authorization: got %q, want the key", got.Get("Authorization"))
			}
		}

		for passed, values := range passedHeader(sent, secretKey) {
			known := []string{"Content-Type", "Content-Length", "Content-Disposition", "Content-Language", "Etag", "Last-Modified", "Retry-After"}
			for _, rate := range []string{"Limit", "Remaining", "Reset", "Policy"} {
				known = append(known, "Ratelimit-"+rate, "X-Ratelimit-"+rate)
			}
			if !slices.Contains(known, passed) {
				t.Errorf("%s passes", passed)
			}
			if !slices.Equal(values, sent[name]) || strings.Contains(first, secretKey) || strings.Contains(second, secretKey) {
				t.Errorf("%s passes with %q", passed, values)
			}
		}
	})
}
