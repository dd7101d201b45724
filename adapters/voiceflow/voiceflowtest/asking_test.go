package voiceflowtest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
)

// reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	text   string
}

// asker makes calls with what is in Authorization.
type asker struct {
	t             *testing.T
	server        *voiceflowtest.Server
	authorization string
	header        http.Header
}

func asking(t *testing.T, s *voiceflowtest.Server, authorization string, header ...string) asker {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return asker{t, s, authorization, h}
}

func (a asker) send(method, path, body string) reply {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.server.URL()+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header = a.header.Clone()
	if a.authorization != "" {
		req.Header.Set("Authorization", a.authorization)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}).Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(text)}
}

// want sends a call and fails unless the answer has the status and holds the texts.
func (a asker) want(status int, method, path, body string, texts ...string) reply {
	a.t.Helper()
	got := a.send(method, path, body)
	if got.status != status {
		a.t.Fatalf("%s %s: got %d %.300s, want %d", method, path, got.status, got.text, status)
	}
	for _, text := range texts {
		if !strings.Contains(got.text, text) {
			a.t.Errorf("%s %s: got %.800s, want %s in it", method, path, got.text, text)
		}
	}
	return got
}

// decode reads an answer in JSON.
func decode[T any](t *testing.T, r reply) T {
	t.Helper()
	var v T
	if got := r.header.Get("Content-Type"); got != "application/json; charset=utf-8" {
		t.Errorf("content type: got %q", got)
	}
	if err := json.Unmarshal([]byte(r.text), &v); err != nil {
		t.Fatalf("%v in %s", err, r.text)
	}
	return v
}

func says(text string) string {
	said, _ := json.Marshal(text) // text always encodes
	return `{"action":{"type":"text","payload":` + string(said) + `},"version":"published"}`
}
