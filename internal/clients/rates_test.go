package clients

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/throttle"
	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/internal/config"
)

// program sends forwarded calls with an access token.
type program struct{ url, token string }

// call returns the status of the answer to a call, and what its header says of the rate.
func (p program) call(t testing.TB, method, path, body string) (status int, limit, left, retry string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", p.token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := transport(t).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("RateLimit-Limit"), resp.Header.Get("RateLimit-Remaining"), resp.Header.Get("Retry-After")
}

// TestReadsAndTurnsTakeNothingFromEachOther uses up both of the default rates at an instant. A program
// that reads all transcripts does so first.
func TestReadsAndTurnsTakeNothingFromEachOther(t *testing.T) {
	defaults, _, err := config.Read(config.Source{})
	if err != nil {
		t.Fatal(err)
	}
	a := voiceflowtest.NewAssistant("Pizza Palace", voiceflowtest.Shape2024)
	still := time.Now()
	in := install(t, startVoiceflow(t, a), func(p *app.Ports) {
		p.Rates = throttle.NewCalls(func() time.Time { return still }, throttle.PerMinute{Turns: defaults.ForwardRate, Reads: defaults.ForwardReadRate})
	})
	project := in.add(t, a, a.VersionID, "")
	p := program{in.url, in.token(t, project, []string{"converse", "transcripts"}, nil)}
	const turn, read = "/voiceflow/general-runtime/state/user/x/interact", "/voiceflow/general-runtime/state/user/x"
	search := "/voiceflow/analytics-api/v1/transcript/project/" + a.ProjectID
	turns, reads := 0, 0
	want := func(method, path string, status, of int, left int) {
		t.Helper()
		got, limit, remaining, retry := p.call(t, method, path, "{}")
		if got != status || limit != fmt.Sprint(of) || remaining != fmt.Sprint(left) || (retry != "") != (status == http.StatusTooManyRequests) {
			t.Fatalf("%s %s after %d turns and %d reads: got %d with %s of %s left and Retry-After %q, want %d with %d of %d",
				method, path, turns, reads, got, remaining, limit, retry, status, left, of)
		}
	}
	takeTurn := func() { t.Helper(); turns++; want("POST", turn, 200, 500, 500-turns) }
	takeRead := func(method, path string, status int) { t.Helper(); reads++; want(method, path, status, 600, 600-reads) }

	takeRead("POST", search+"?take=99", 200)
	for range 120 {
		takeRead("GET", "/voiceflow/analytics-api/v1/transcript/65f1c0ffee0123456789abcd", 404)
		takeTurn()
	}
	for reads < 600 {
		takeRead("GET", read, 200)
		if turns < 500 {
			takeTurn()
		}
	}
	for turns < 500 {
		takeTurn()
	}
	want("GET", read, http.StatusTooManyRequests, 600, 0)
	want("POST", search, http.StatusTooManyRequests, 600, 0)
	want("POST", turn, http.StatusTooManyRequests, 500, 0)
	want("DELETE", read, http.StatusTooManyRequests, 500, 0)

	// A rate of an access token is as many turns and as many reads.
	p.token = in.token(t, project, []string{"converse"}, map[string]any{"rate": 2})
	for _, call := range [][2]string{{"POST", turn}, {"GET", read}} {
		want(call[0], call[1], 200, 2, 1)
		want(call[0], call[1], 200, 2, 0)
		want(call[0], call[1], http.StatusTooManyRequests, 2, 0)
	}
}
