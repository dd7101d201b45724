package voiceflow

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
)

// FuzzDecodeExport holds the decoder against encoding/json: what it takes, that
// takes too, and with the same ids. It is inside the package because one HTTP
// exchange for each input would be too slow.
func FuzzDecodeExport(f *testing.F) {
	for _, shape := range voiceflowtest.Shapes() {
		for _, place := range []voiceflowtest.Place{voiceflowtest.First, voiceflowtest.Last} {
			a := voiceflowtest.NewAssistant("Pizza 🍕", shape)
			a.Place = place
			var export bytes.Buffer
			if err := voiceflowtest.WriteExport(&export, a); err != nil {
				f.Fatal(err)
			}
			f.Add(export.Bytes())
		}
	}
	const project, version = `"project":{"_id":"64dbb6696a8fab0013dba194","name":"n"}`, `"version":{"projectID":"64dbb6696a8fab0013dba194"}`
	for _, seed := range []string{
		``, `null`, `[]`, `{}`, `{` + project + `}`, `{` + project + `,` + version + `}`, `{` + version + `,` + project + `}x`,
		`{"project":{"_id":"64DBB6696a8fab0013dba194","name":"\u0000\ud800","platform":null,"createdAt":"2024-01-02T03:04:05Z"},` + version + `}`,
		`{` + project + `,` + version + `,` + project + `}`,
		`{"project":{"_id":"64dbb6696a8fab0013dba194","_id":"64dbb6696a8fab0013dba195"},` + version + `}`,
		"{\"\xff\":\"\xff\"," + project + `,` + version + `}`,
		strings.Repeat(`[`, 10_001),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, export []byte) {
		body := &cappedReader{from: bytes.NewReader(export), left: maxExport}
		got, err := decodeExport(body)
		if body.failed != nil {
			t.Fatalf("reading failed: %v", body.failed)
		}
		if err != nil {
			return
		}
		if !utf8.ValidString(got.Name) || !utf8.ValidString(got.Platform) || strings.Contains(got.Name+got.Platform, "\x00") {
			t.Errorf("got name %q, platform %q", got.Name, got.Platform)
		}
		// Maps, since encoding/json takes a member of a struct in any case.
		var top, project, version map[string]json.RawMessage
		var id, versionOf string
		read := func(from []byte, into any) {
			if err := json.Unmarshal(from, into); err != nil {
				t.Fatalf("encoding/json does not take it: %v", err)
			}
		}
		read(export, &top)
		read(top["project"], &project)
		read(top["version"], &version)
		read(project["_id"], &id)
		read(version["projectID"], &versionOf)
		if want := strings.TrimSpace(strings.ToLower(id)); string(got.Project) != want || !strings.EqualFold(id, versionOf) {
			t.Errorf("got project %s, want %s, of version %s", got.Project, want, versionOf)
		}
	})
}
