package voiceflow_test

import (
	"compress/gzip"
	"compress/zlib"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// heldBytes is a ports.HeldMemory with a limit for all.
type heldBytes struct {
	mu               sync.Mutex
	limit, all, most int64
}

func (m *heldBytes) Take(_ domain.Holder, n int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all+n > m.limit {
		return &domain.Error{Kind: domain.Unavailable, Public: "too much"}
	}
	m.all += n
	m.most = max(m.most, m.all)
	return nil
}

func (m *heldBytes) GiveBack(_ domain.Holder, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all -= n
}

// holding returns a context of a request that holds what m counts.
func holding(t *testing.T, m *heldBytes) context.Context {
	held := ports.NewHeld(m, domain.Holder{})
	t.Cleanup(held.Release)
	return ports.WithHeld(t.Context(), held)
}

func TestBodiesAndAnswersInMemoryAreCounted(t *testing.T) {
	long := `{"question":"` + strings.Repeat("x", 500<<10) + `"}`
	for _, tc := range []struct {
		name        string
		call        domain.Forward
		body        string
		h           http.HandlerFunc
		least, most int64
	}{
		{"a JSON body, and the copy with our members", ask(t), long, answer(200, "application/json", `{}`), 1000 << 10, 1600 << 10},
		{"a small body that goes out in one piece", upload(t), strings.Repeat("x", 10<<10), answer(200, "application/json", `{}`), 10 << 10, 96 << 10},
		{"a long body that passes part by part", upload(t), strings.Repeat("x", 500<<10), answer(200, "application/json", `{}`), 1, 64 << 10},
		{"a long refusal", turn(t), `{}`, answer(400, "application/json", `{"message":"`+strings.Repeat("x", 500<<10)+`"}`), 500 << 10, 1100 << 10},
		{"a long answer that passes part by part", turn(t), `{}`, answer(200, "application/json", `["`+strings.Repeat("x", 500<<10)+`"]`), 1, 128 << 10},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := far(t, tc.h)
			m := &heldBytes{limit: 1 << 30}
			ctx := holding(t, m)
			r := sent("", tc.body)
			if tc.call.Route.Endpoint.Body == domain.FormBody {
				r = withFile(r, strings.NewReader(tc.body))
			}
			resp, err := f.client.Forward(ctx, tc.call, r.WithContext(ctx), key)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if m.most < tc.least || m.most > tc.most {
				t.Errorf("got %d bytes held at most, want from %d to %d", m.most, tc.least, tc.most)
			}
		})
	}
}

// A decoder is counted as long as there is room. A call that was carried out goes on without.
func TestADecoderIsCountedButRefusesNoAnswer(t *testing.T) {
	const call, decoder = 64 << 10, 45 << 10
	for _, tc := range []struct {
		name, encoding string
		limit, want    int64
	}{
		{"no encoding", "", 1 << 30, call},
		{"gzip", "gzip", 1 << 30, call + decoder},
		{"deflate", "deflate", 1 << 30, call + decoder},
		{"gzip without room for it", "gzip", call + decoder - 1, call},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := far(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				var to io.Writer = w
				switch tc.encoding {
				case "gzip":
					e := gzip.NewWriter(w)
					defer func() { _ = e.Close() }()
					to = e
				case "deflate":
					e := zlib.NewWriter(w)
					defer func() { _ = e.Close() }()
					to = e
				}
				if tc.encoding != "" {
					w.Header().Set("Content-Encoding", tc.encoding)
				}
				_, _ = io.WriteString(to, `{"a":1}`)
			})
			m := &heldBytes{limit: tc.limit}
			ctx := holding(t, m)
			got, err := f.client.Forward(ctx, state(t), sent("", "").WithContext(ctx), key)
			if err != nil || got.StatusCode != 200 {
				t.Fatalf("got %d and %v, want 200", got.StatusCode, err)
			}
			defer got.Body.Close()
			if body, err := io.ReadAll(got.Body); err != nil || string(body) != `{"a":1}` {
				t.Errorf("got %s and %v, want the whole answer", body, err)
			}
			if m.most != tc.want {
				t.Errorf("got %d bytes held at most, want %d", m.most, tc.want)
			}
		})
	}
}

// A call that was carried out must not end with an error that says to try it again.
func TestNothingIsSentIfItsAnswerCouldNotBeHeld(t *testing.T) {
	f := far(t, answer(200, "application/json", `{}`))
	for _, c := range []domain.Forward{turn(t), state(t), ask(t)} {
		ctx := holding(t, &heldBytes{limit: 10 << 10})
		got, err := f.client.Forward(ctx, c, sent("", `{}`).WithContext(ctx), key)
		if domain.KindOf(err) != domain.Unavailable || got.Sent {
			t.Errorf("got %v, said to be sent %v, want Unavailable and nothing sent", err, got.Sent)
		}
	}
	if n := len(f.seen()); n > 0 {
		t.Errorf("got %d requests, want none", n)
	}
}

func TestARefusalThatMayNotBeHeldKeepsItsStatus(t *testing.T) {
	f := far(t, answer(422, "application/json", `{"message":"`+strings.Repeat("x", 500<<10)+`"}`))
	ctx := holding(t, &heldBytes{limit: 200 << 10})
	got, err := f.client.Forward(ctx, turn(t), sent("", `{}`).WithContext(ctx), key)
	if err != nil || got.StatusCode != 422 || got.ContentLength != 0 {
		t.Errorf("got %d with %d bytes and %v, want the status alone", got.StatusCode, got.ContentLength, err)
	}
}

func TestAnExportHoldsItsLongestTokenOnly(t *testing.T) {
	const id = "64dbb6696a8fab0013dba194"
	export := func(text string) string {
		return `{"text":"` + text + `","project":{"_id":"` + id + `","name":"n"},"version":{"projectID":"` + id + `"}}`
	}
	f := far(t, answer(200, "application/json", export(strings.Repeat("x", 1<<20))))
	m := &heldBytes{limit: 1 << 30}
	if _, err := f.client.Export(holding(t, m), domain.VersionRef{Version: "v"}, key); err != nil || m.most < 1<<20 || m.most > 2<<20 {
		t.Errorf("got %v with %d bytes held at most, want from 1 to 2 MiB", err, m.most)
	}
	m = &heldBytes{limit: 100 << 10}
	if _, err := f.client.Export(holding(t, m), domain.VersionRef{Version: "v"}, key); domain.KindOf(err) != domain.Unavailable {
		t.Errorf("beyond the limit: got %v, want Unavailable", err)
	}
	if n := len(f.seen()); n != 2 {
		t.Errorf("got %d requests, want 2: a retry takes as much memory", n)
	}
}
