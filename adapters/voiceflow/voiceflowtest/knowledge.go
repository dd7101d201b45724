package voiceflowtest

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

const (
	// largestFile is Voiceflow's limit for a document, in bytes.
	largestFile = 10 << 20
	// Only the first chunks of a document are kept.
	keptChunks = 4
	chunkSize  = 1000
	// tagsOfOne is the largest number of tags of a document or a transcript.
	tagsOfOne = 50
)

// document is a document of a knowledge base.
type document struct {
	id, project     string
	kind, name, url string
	metadata        any
	rows            int
	tags            []string
	updated         time.Time
	chunks          []string
}

// tag is a tag for documents.
type tag struct{ id, project, label string }

func (t *tag) object() map[string]any { return map[string]any{"label": t.label, "tagID": t.id} }

// object returns the document as every generation shows it
// (https://github.com/voiceflow/voiceflow-docs, reference/knowledge-base-apis.json).
func (d *document) object() map[string]any {
	data := map[string]any{"type": d.kind, "name": d.name, "metadata": d.metadata}
	if d.url != "" {
		data["url"] = d.url
	}
	if d.kind == "table" {
		data["rowsCount"] = d.rows
	}
	return map[string]any{"documentID": d.id, "status": "SUCCESS", "tags": slices.Clone(d.tags), "updatedAt": iso(d.updated), "data": data}
}

func (d *document) chunkID(i int) string { return fmt.Sprintf("%s-%d", d.id, i) }

// fill makes the chunks of the document from content.
func (d *document) fill(content string) {
	content = strings.ToValidUTF8(content, "\uFFFD")
	d.chunks = nil
	for len(content) > 0 && len(d.chunks) < keptChunks {
		n := min(len(content), chunkSize)
		d.chunks = append(d.chunks, strings.ToValidUTF8(content[:n], ""))
		content = content[n:]
	}
}

// documents returns the documents of the call's project, oldest first.
func (c *call) documents() []*document {
	return c.world.documents.where(func(d *document) bool { return d.project == c.assistant.ProjectID })
}

// withDocument answers a call for the document that its path names.
func withDocument(serve func(*call, *document) answer) func(*call) answer {
	return func(c *call) answer {
		d, there := c.world.documents.byID[c.r.PathValue("documentID")]
		if !there || d.project != c.assistant.ProjectID {
			return c.notFound("document")
		}
		return serve(c, d)
	}
}

// written is what an upload says about a document, in the forms of all generations.
type written struct {
	documentData
	Data *documentData `json:"data"`
}

type documentData struct {
	Type     string           `json:"type"`
	Name     string           `json:"name"`
	URL      string           `json:"url"`
	Content  string           `json:"content"`
	Label    string           `json:"label"`
	Tags     []string         `json:"tags"`
	Metadata any              `json:"metadata"`
	Items    []map[string]any `json:"items"`
}

// data reads a JSON body whose members may be in `data`.
func (c *call) data() (documentData, error) {
	var in written
	err := c.read(&in)
	if in.Data != nil {
		return *in.Data, err
	}
	return in.documentData, err
}

// uploaded returns the document that a body uploads: a file in a form, a URL or a table. For
// anything else it returns nil and a refusal.
func (c *call) uploaded() (*document, answer) {
	d := &document{project: c.assistant.ProjectID, updated: time.Now(), tags: []string{}}
	query := c.r.URL.Query()
	for _, label := range append(query["tags"], query["tags[]"]...) {
		d.tags = append(d.tags, clip(label))
	}
	if strings.HasPrefix(c.r.Header.Get("Content-Type"), "multipart/form-data") {
		file, head, err := c.r.FormFile("file")
		if err != nil {
			return nil, c.invalid("file is required")
		}
		defer func() { _ = file.Close() }()
		if head.Size > largestFile {
			return nil, c.invalid("File size exceeds the limit of 10MB")
		}
		content, err := io.ReadAll(io.LimitReader(file, keptChunks*chunkSize))
		if err != nil {
			return nil, c.invalid("file is required")
		}
		d.kind, d.name = "text", clip(head.Filename)
		switch ending := path.Ext(head.Filename); ending {
		case ".pdf", ".docx":
			d.kind = ending[1:]
		}
		d.fill(string(content))
		return d, answer{}
	}
	in, err := c.data()
	switch {
	case err != nil || len(encode(in.Metadata)) > largestFile>>10:
		return nil, c.invalid("Bad Request")
	case in.URL != "":
		d.kind, d.name, d.url, d.metadata = "url", clip(in.URL), clip(in.URL), in.Metadata
		d.fill("The page at " + d.url)
	case len(in.Items) > 0:
		d.kind, d.name, d.rows = "table", clip(in.Name), len(in.Items)
		d.fill(string(encode(in.Items[0])))
	default:
		return nil, no(http.StatusUnprocessableEntity, c.form, "a file, a url or items are required")
	}
	return d, answer{}
}

// add keeps the document that a body uploads. answers makes the answer.
func add(answers func(map[string]any) answer) func(*call) answer {
	return func(c *call) answer {
		d, refused := c.uploaded()
		if d == nil {
			return refused
		}
		d.id = NewID(d.updated)
		c.world.documents.put(d.id, d)
		return answers(d.object())
	}
}

// replace replaces a document with the one that a body uploads.
func replace(answers func(map[string]any) answer) func(*call) answer {
	return withDocument(func(c *call, old *document) answer {
		d, refused := c.uploaded()
		if d == nil {
			return refused
		}
		d.id = old.id
		c.world.documents.put(d.id, d)
		return answers(d.object())
	})
}

// Documents from files and URLs are answered in an array, tables are not. /v1/stable answers an
// object with a name.
func inArray(d map[string]any) answer { return ok(map[string]any{"data": []any{d}}) }
func alone(d map[string]any) answer   { return ok(map[string]any{"data": d}) }
func stable(d map[string]any) answer  { return created(map[string]any{"document": d}) }

// page returns the documents of a page of the list, and the number of all. ok is false if the
// page is invalid.
func (c *call) page() (shown []any, total int, ok bool) {
	query := c.r.URL.Query()
	page, okPage := c.number("page", 1, 1, 1<<20)
	limit, okLimit := c.number("limit", 10, 1, 100)
	if !okPage || !okLimit {
		return nil, 0, false
	}
	include, exclude := append(query["includeTags"], query["includeTags[]"]...), append(query["excludeTags"], query["excludeTags[]"]...)
	has := func(d *document, tags []string) bool {
		return slices.ContainsFunc(d.tags, func(id string) bool { return slices.Contains(tags, id) })
	}
	all := []any{}
	for _, d := range c.documents() {
		if kind := query.Get("documentType"); kind != "" && kind != d.kind ||
			len(include) > 0 && !has(d, include) || has(d, exclude) {
			continue
		}
		all = append(all, d.object())
	}
	from := min((page-1)*limit, len(all))
	return all[from:min(from+limit, len(all))], len(all), true
}

// listDocuments serves GET /v1/knowledge-base/docs, and the same of /v3alpha and
// /v1alpha1.
func (c *call) listDocuments() answer {
	shown, total, good := c.page()
	if !good {
		return c.invalid("limit is 1 to 100")
	}
	return ok(map[string]any{"total": total, "data": shown})
}

// listStable serves GET /v1/stable/document.
func (c *call) listStable() answer {
	shown, total, good := c.page()
	if !good {
		return c.invalid("limit is 1 to 100")
	}
	return ok(map[string]any{"total": total, "documents": shown})
}

// withChunks returns the document with its content, under the name that a generation uses.
func (d *document) withChunks(name string) map[string]any {
	chunks := []any{}
	for i, content := range d.chunks {
		chunks = append(chunks, map[string]any{"chunkID": d.chunkID(i), "content": content})
	}
	return map[string]any{name: d.object(), "chunks": chunks}
}

// getDocument serves GET /v1/knowledge-base/docs/{documentID}, and the same of /v3alpha
// and /v1alpha1.
func (c *call) getDocument(d *document) answer { return ok(d.withChunks("data")) }

// getStableDocument serves GET /v1/stable/document/{documentID}.
func (c *call) getStableDocument(d *document) answer { return ok(d.withChunks("document")) }

// deleteDocument serves DELETE /v1/knowledge-base/docs/{documentID} and the same of /v1alpha1.
// The empty answer was chosen.
func (c *call) deleteDocument(d *document) answer {
	c.world.documents.remove(d.id)
	return empty(http.StatusOK)
}

// deleteStableDocument serves the same of /v1/stable.
func (c *call) deleteStableDocument(d *document) answer {
	c.world.documents.remove(d.id)
	return message("document deleted")
}

// change applies what a body says about a document.
func (c *call) change(d *document) bool {
	in, err := c.data()
	if err != nil || len(encode(in.Metadata)) > largestFile>>10 {
		return false
	}
	if in.Name != "" {
		d.name = clip(in.Name)
	}
	if in.Metadata != nil {
		d.metadata = in.Metadata
	}
	d.updated = time.Now()
	return true
}

// changeDocument serves PATCH /v1alpha1/public/knowledge-base/document/{documentID}.
func (c *call) changeDocument(d *document) answer {
	if !c.change(d) {
		return c.invalid("Bad Request")
	}
	return alone(d.object())
}

// changeStableDocument serves the same of /v1/stable.
func (c *call) changeStableDocument(d *document) answer {
	if !c.change(d) {
		return c.invalid("Bad Request")
	}
	return message("document updated")
}

// changeChunk serves PATCH
// /v1alpha1/public/knowledge-base/document/{documentID}/chunk/{chunkID}.
func (c *call) changeChunk(d *document) answer {
	in, err := c.data()
	if err != nil {
		return c.invalid("Bad Request")
	}
	for i := range d.chunks {
		if d.chunkID(i) == c.r.PathValue("chunkID") {
			d.chunks[i] = clip(in.Content)
			return alone(map[string]any{"chunkID": d.chunkID(i), "content": d.chunks[i]})
		}
	}
	return c.notFound("chunk")
}

// listTags serves GET /v3alpha/knowledge-base/tags
// (https://github.com/voiceflow/voiceflow-docs, reference/knowledge-base-tags.json).
func (c *call) listTags() answer {
	all := []any{}
	for _, t := range c.world.tags.where(func(t *tag) bool { return t.project == c.assistant.ProjectID }) {
		all = append(all, map[string]any{"data": t.object()})
	}
	return ok(map[string]any{"total": len(all), "data": all})
}

// addTag serves POST /v3alpha/knowledge-base/tags.
func (c *call) addTag() answer {
	in, err := c.data()
	if err != nil || in.Label == "" {
		return c.invalid("label is required")
	}
	t := &tag{NewID(time.Now()), c.assistant.ProjectID, clip(in.Label)}
	c.world.tags.put(t.id, t)
	return alone(t.object())
}

// withTag answers a call for the tag that its path names.
func withTag(serve func(*call, *tag) answer) func(*call) answer {
	return func(c *call) answer {
		t, there := c.world.tags.byID[c.r.PathValue("tagID")]
		if !there || t.project != c.assistant.ProjectID {
			return c.notFound("tag")
		}
		return serve(c, t)
	}
}

// getTag serves GET /v3alpha/knowledge-base/tags/{tagID}.
func (c *call) getTag(t *tag) answer { return alone(t.object()) }

// changeTag serves the PATCH of the same.
func (c *call) changeTag(t *tag) answer {
	in, err := c.data()
	if err != nil || in.Label == "" {
		return c.invalid("label is required")
	}
	t.label = clip(in.Label)
	return alone(t.object())
}

// deleteTag serves the DELETE of the same.
func (c *call) deleteTag(t *tag) answer {
	c.world.tags.remove(t.id)
	return empty(http.StatusOK)
}

// attach serves POST /v3alpha/knowledge-base/docs/{documentID}/tags/attach.
func (c *call) attach(d *document) answer {
	in, err := c.data()
	if err != nil || len(in.Tags) == 0 {
		return c.invalid("tags is required")
	}
	for _, id := range in.Tags {
		if id = clip(id); !slices.Contains(d.tags, id) && len(d.tags) < tagsOfOne {
			d.tags = append(d.tags, id)
		}
	}
	return empty(http.StatusOK)
}

// detach serves POST /v3alpha/knowledge-base/docs/{documentID}/tags/detach.
func (c *call) detach(d *document) answer {
	in, err := c.data()
	if err != nil || len(in.Tags) == 0 {
		return c.invalid("tags is required")
	}
	d.tags = slices.DeleteFunc(d.tags, func(id string) bool { return slices.Contains(in.Tags, id) })
	return empty(http.StatusOK)
}

// question is a question to the knowledge base.
type question struct {
	Question   string `json:"question"`
	ChunkLimit int    `json:"chunkLimit"`
	Synthesis  *bool  `json:"synthesis"`
	ProjectID  string `json:"projectID"`
	Version    string `json:"version"`
	// EnvironmentIDOrAlias and Variant are of the older question.
	EnvironmentIDOrAlias string `json:"projectEnvironmentIDOrAlias"`
	Variant              string `json:"versionVariant"`
}

// chunks returns the first chunks of the documents, as the answer to a question.
func (c *call) chunks(limit int) []any {
	chunks := []any{}
	for _, d := range c.documents() {
		for i, content := range d.chunks {
			if len(chunks) == limit {
				return chunks
			}
			chunks = append(chunks, map[string]any{
				"score": 0.9, "chunkID": d.chunkID(i), "documentID": d.id, "content": content,
				"source": map[string]any{"type": d.kind, "name": d.name, "url": d.url, "tags": slices.Clone(d.tags)},
			})
		}
	}
	return chunks
}

// ask serves POST /knowledge-base/query
// (https://docs.voiceflow.com/reference/knowledge-base-query). Another project's id is a 401,
// like a wrong key.
func (c *call) ask() answer {
	var in question
	if c.read(&in) != nil || in.Question == "" || in.ChunkLimit < 0 || in.ChunkLimit > 30 {
		return c.invalid("question is required")
	}
	if in.ProjectID != "" && in.ProjectID != c.assistant.ProjectID {
		return answer{refused: &knowledgeDoor.wrong}
	}
	if in.ChunkLimit == 0 {
		in.ChunkLimit = 2
	}
	if refused := c.askedIn(in); refused != nil {
		return *refused
	}
	var output any
	if in.Synthesis == nil || *in.Synthesis {
		output = c.answerTo(in.Question)
	}
	return ok(map[string]any{
		"output": output, "chunks": c.chunks(in.ChunkLimit), "queryTokens": 100, "answerTokens": 20, "totalTokens": 120,
	})
}

// askStable serves POST /v1/stable/knowledge-base/query.
func (c *call) askStable() answer {
	var in question
	if c.read(&in) != nil || in.Question == "" || !isStage(in.Version) {
		return c.invalid("question and version are required")
	}
	if len(c.assistant.Environments) > 0 && !c.inStage(in.Version) {
		return answer{refused: &nestDoor.unknown}
	}
	return ok(map[string]any{"answer": c.answerTo(in.Question), "chunks": c.chunks(2)})
}

// askedIn makes c a call for the environment and the stage that a question names. Returns the answer
// to one that it can't name.
func (c *call) askedIn(in question) *answer {
	var refused answer
	switch stage := cmp.Or(in.Variant, stagePublished); {
	case !isStage(stage):
		refused = c.invalid("versionVariant is draft or published")
	case in.EnvironmentIDOrAlias != "" && !c.inEnvironment(in.EnvironmentIDOrAlias):
		refused = answer{refused: &invalidTag}
	case len(c.assistant.Environments) > 0 && !c.inStage(stage):
		refused = c.notFound("environment")
	default:
		return nil
	}
	return &refused
}

func (c *call) answerTo(text string) string {
	return c.assistant.Name + " was asked: " + text
}
