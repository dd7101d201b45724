package voiceflowtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
)

// StepCredential is in a step of every export, as credentials are in steps of real assistants. A
// place outside Voiceflow that contains it has kept an export.
const StepCredential = "Bearer credential-inside-a-step-0d41f6"

// export serves GET /v2/versions/{versionID}/export
// (https://docs.voiceflow.com/api-reference/project/fetch-project). Only its 200 is documented.
// Its refusals here are those of Voiceflow's other services for the same mistakes, documented or
// seen.
func (s *Server) export(w http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("Authorization")
	versionID := r.PathValue("versionID")
	projectID := r.Header.Get("projectid")
	alias := !objectID.MatchString(strings.ToLower(versionID))

	s.mu.Lock()
	keyKnown := len(s.byKey[key]) > 0
	var candidates []Assistant
	if alias {
		for _, id := range s.byProject[strings.ToLower(projectID)] {
			candidates = append(candidates, s.byVersion[id])
		}
	} else if id, known := s.versions[strings.ToLower(versionID)]; known {
		candidates = []Assistant{s.byVersion[id]}
	}
	at, none := s.named(r, candidates, way{door: legacyDoor, version: inPath("versionID")})
	s.mu.Unlock()
	found := none == nil

	switch {
	case key == "":
		refuse(w, http.StatusUnauthorized, FormLegacy, "Auth Key Required")
	case strings.HasPrefix(key, "Bearer "):
		// The key must be without a scheme. Voiceflow answers this mistake with a 500.
		refuse(w, http.StatusInternalServerError, FormBare, "Internal server error")
	case !keyKnown:
		refuse(w, http.StatusUnauthorized, FormLegacy, "Unauthorized")
	case alias && projectID == "":
		refuse(w, http.StatusBadRequest, FormLegacyValidation, "projectid is required")
	case !found && alias:
		refuse(w, http.StatusBadRequest, FormBare, "invalid environment tag")
	case !found:
		refuse(w, http.StatusNotFound, FormLegacy, "Model not found. Ensure project is properly rendered.")
	case !slices.Contains(at.assistant.keys(), key):
		refuse(w, http.StatusUnauthorized, FormLegacy, "Unauthorized")
	default:
		(&call{r: r, place: at}).answeredBy()
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		// An error means that the client left.
		_ = WriteExport(w, at.assistant)
	}
}

// exportEnvironment serves the exports of the newer services
// (https://docs.voiceflow.com/api-reference/environmentpublicapi/export-environment-json,
// https://docs.voiceflow.com/api-reference/environment/export-environment).
func (c *call) exportEnvironment() answer {
	stage := c.r.URL.Query().Get("version")
	if stage == "" && c.r.PathValue("projectID") != "" {
		stage = stageDraft // the documented default of export-json
	}
	switch {
	case stage != "" && !isStage(stage):
		return c.invalid("version is draft or published")
	case stage != "" && len(c.assistant.Environments) > 0 && !c.inStage(stage):
		return answer{refused: &nestDoor.unknown}
	}
	return answer{export: true}
}

// WriteExport writes the export of a to w, as the API sends it: in one line. It writes the
// export piece by piece, so the size costs no memory. The same assistant has the same export
// each time. Returns an error of w, and an error for an assistant that [Server.Add] rejects.
func WriteExport(w io.Writer, a Assistant) error {
	if err := a.check(); err != nil {
		return err
	}
	parts := slices.Clone(members[a.Shape])
	at := slices.IndexFunc(parts, func(m member) bool { return m.name == "project" })
	project := parts[at]
	switch a.Place {
	case First:
		parts = slices.Insert(slices.Delete(parts, at, at+1), 0, project)
	case Last:
		parts = append(slices.Delete(parts, at, at+1), project)
	}

	words := strings.NewReplacer(a.words()...)
	others := int64(len("{}"))
	for i := range parts {
		parts[i].value = words.Replace(parts[i].value)
		others += int64(len(parts[i].name) + len(parts[i].value) + len(`"":,`))
	}

	out := bufio.NewWriterSize(w, 32<<10)
	for i, m := range parts {
		opening := ","
		if i == 0 {
			opening = "{"
		}
		if _, err := fmt.Fprintf(out, "%s%q:%s", opening, m.name, m.value); err != nil {
			return err
		}
		if m.name == "diagrams" {
			if err := writeDiagrams(out, words, a.Size-others); err != nil {
				return err
			}
		}
	}
	if err := out.WriteByte('}'); err != nil {
		return err
	}
	return out.Flush()
}

// words returns the replacements of the words in the members.
func (a Assistant) words() []string {
	created := a.CreatedAt
	if created.IsZero() && a.Shape == Shape2022 {
		created = made(a.ProjectID)
	}
	createdAt := ""
	if !created.IsZero() {
		createdAt = created.UTC().Format(`,"createdAt":"2006-01-02T15:04:05.000Z"`)
	}
	name, platform := a.NameJSON, a.PlatformJSON
	if name == "" {
		name = quote(a.Name, a.EscapeName)
	}
	if platform == "" {
		platform = quote(a.Platform, false)
	}
	return []string{
		"$PROJECT", a.ProjectID,
		"$VERSION", a.VersionID,
		"$NAME", name,
		"$PLATFORM", platform,
		"$CREATED", createdAt,
		"$LIVE", neighbour(a.ProjectID, 1),
		"$ROOT", neighbour(a.ProjectID, 2),
	}
}

// made returns the time in an id.
func made(id string) time.Time {
	var seconds int64
	_, _ = fmt.Sscanf(id[:8], "%x", &seconds) // check has made sure that it is hexadecimal
	return time.Unix(seconds, 0).UTC()
}

// neighbour returns an id that was made together with id.
func neighbour(id string, n int) string { return fmt.Sprintf("%s%08x", id[:16], n) }

// quote returns text as JSON, in UTF-8 or in ASCII.
func quote(text string, ascii bool) string {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // text always encodes
	quoted := strings.TrimSuffix(out.String(), "\n")
	if !ascii {
		return quoted
	}
	var escaped strings.Builder
	for _, r := range quoted {
		if r < 0x80 {
			escaped.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&escaped, `\u%04x`, unit)
		}
	}
	return escaped.String()
}

// firstDiagram contains traps for a careless reader: a step whose body has a project, and a
// credential that must never be kept.
const firstDiagram = `"$ROOT":{"_id":"$ROOT","name":"ROOT","type":"TOPIC","zoom":100,"offsetX":272,"offsetY":104,` +
	`"modified":1665327100,"children":[],"variables":[],"menuNodeIDs":[],"creatorID":10042,"versionID":"$VERSION","nodes":{` +
	`"start":{"type":"start","nodeID":"start","coords":[360,120],"data":{"portsV2":{"byKey":{},"builtIn":{"next":null},"dynamic":[]}}},` +
	`"api":{"type":"api","nodeID":"api","data":{"url":"https://crm.example.com/hook","headers":[{"key":"Authorization","val":"` +
	StepCredential + `"}],"body":{"project":{"_id":"000000000000000000000000","name":"Not this project",` +
	`"createdAt":"2019-01-01T00:00:00.000Z"}}}}}}`

// moreDiagram is repeated until the export has its size.
var moreDiagram = `{"name":"Component","type":"COMPONENT","zoom":100,"variables":[],"creatorID":10042,"nodes":{` + strings.Repeat(
	`"672ae8f2671f984162a8aa37":{"type":"message","data":{"text":"Sorry, I didn’t get that. \"Please\" try again: שלום 🙂","delay":0.5,`+
		`"ports":[null,true,-1.25e3]},"nodeID":"672ae8f2671f984162a8aa37"},`, 17) + `"end":{"type":"exit"}}}`

// writeDiagrams writes diagrams of that size or a little more.
func writeDiagrams(out *bufio.Writer, words *strings.Replacer, size int64) error {
	first := words.Replace(firstDiagram)
	if _, err := fmt.Fprintf(out, "{%s", first); err != nil {
		return err
	}
	written := int64(len(first)) + int64(len("{}"))
	for i := 0; written < size; i++ {
		n, err := fmt.Fprintf(out, `,"%024x":%s`, i, moreDiagram)
		if err != nil {
			return err
		}
		written += int64(n)
	}
	return out.WriteByte('}')
}
