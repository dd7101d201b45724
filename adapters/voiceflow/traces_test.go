package voiceflow_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/domain"
)

// talk returns a call of a client to a stand-in that has the project pizza.
func talk(t *testing.T, change func(*voiceflowtest.Assistant)) func(path string) (int, []byte) {
	t.Helper()
	a := voiceflowtest.NewProject("Pizza Palace", pizza.Version)
	a.ProjectID, a.Key = string(pizza.Voiceflow), key.Reveal()
	change(&a)
	far := start(t)
	if err := far.Add(a); err != nil {
		t.Fatal(err)
	}
	client := clientOf(t, far.URL())
	return func(path string) (int, []byte) {
		t.Helper()
		resp, err := client.Forward(t.Context(), to(t, domain.ServiceRuntime, "POST", path), sent("", `{"action":{"type":"text","payload":"hi"}}`), key)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, text
	}
}

const (
	plainTurn  = "/state/user/ben/interact"
	streamTurn = "/v2/project/64dbb6696a8fab0013dba194/user/ben/interact/stream"
)

func TestTracesPassUnchanged(t *testing.T) {
	named := voiceflowtest.HostileTraces()
	for i, sample := range voiceflowtest.SampleTraces() {
		named = append(named, voiceflowtest.NamedTrace{Name: fmt.Sprintf("documented %s %d", sample.Type, i), Trace: sample.Trace})
	}
	var trace json.RawMessage
	send := talk(t, func(a *voiceflowtest.Assistant) {
		a.Traces = func(string, json.RawMessage) []json.RawMessage { return []json.RawMessage{trace} }
		a.Pace = func(context.Context, int) {}
	})
	for _, n := range named {
		trace = n.Trace
		status, got := send(plainTurn)
		if want := fmt.Appendf(nil, "[%s]", trace); status != http.StatusOK || !bytes.Equal(got, want) {
			t.Fatalf("%s: a plain turn got %d %.300q, want %.300q", n.Name, status, got, want)
		}
		status, got = send(streamTurn)
		data := bytes.ReplaceAll(trace, []byte("\n"), []byte("\ndata: "))
		if want := fmt.Appendf(nil, "id: 1\nevent: trace\ndata: %s\n\nid: 2\nevent: end\n\n", data); status != http.StatusOK || !bytes.Equal(got, want) {
			t.Fatalf("%s: a stream got %d %.300q, want %.300q", n.Name, status, got, want)
		}
	}
}

func TestTheRefusalOfAnAssistantThatCanNotStreamPasses(t *testing.T) {
	send := talk(t, func(a *voiceflowtest.Assistant) { a.NoStream = true })
	if status, got := send(streamTurn); status != http.StatusNotFound || !strings.Contains(string(got), `"statusCode":404`) {
		t.Errorf("a stream got %d %s", status, got)
	}
	if status, got := send(plainTurn); status != http.StatusOK || !strings.Contains(string(got), "You said: hi") {
		t.Errorf("a plain turn got %d %s", status, got)
	}
}
