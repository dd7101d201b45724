package voiceflowtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// The numbers of things of each kind that a Server remembers. It forgets the oldest first.
const (
	keptConversations = 4096
	keptTranscripts   = 2000
	keptDocuments     = 1000
	keptTags          = 1000
)

// world is the content of the assistants, and what was said to them. Its lock is held while a
// call is answered, but not while the answer is sent.
type world struct {
	mu            sync.Mutex
	conversations *shelf[*conversation]
	sessions      *shelf[session]
	transcripts   *shelf[*transcript]
	documents     *shelf[*document]
	tags          *shelf[*tag] // for documents
	reportTags    *shelf[*tag] // for transcripts
	saves         bool         // PUT /v2/transcripts saves
}

func newWorld() *world {
	return &world{
		conversations: newShelf[*conversation](keptConversations),
		sessions:      newShelf[session](keptConversations),
		transcripts:   newShelf[*transcript](keptTranscripts),
		documents:     newShelf[*document](keptDocuments),
		tags:          newShelf[*tag](keptTags),
		reportTags:    newShelf[*tag](keptTags),
	}
}

// shelf keeps the last things that were put on it, by their ids, up to a number.
type shelf[V any] struct {
	limit int
	byID  map[string]V
	ids   []string // oldest first
}

func newShelf[V any](limit int) *shelf[V] {
	return &shelf[V]{limit: limit, byID: map[string]V{}}
}

func (s *shelf[V]) put(id string, v V) {
	if _, there := s.byID[id]; !there {
		if len(s.ids) == s.limit {
			delete(s.byID, s.ids[0])
			s.ids = s.ids[1:]
		}
		s.ids = append(s.ids, id)
	}
	s.byID[id] = v
}

func (s *shelf[V]) remove(id string) {
	if _, there := s.byID[id]; !there {
		return
	}
	delete(s.byID, id)
	for i := range s.ids {
		if s.ids[i] == id {
			s.ids = append(s.ids[:i], s.ids[i+1:]...)
			return
		}
	}
}

// where returns the things that fit, oldest first. It is never nil, and so never null in JSON.
func (s *shelf[V]) where(fits func(V) bool) []V {
	found := []V{}
	for _, id := range s.ids {
		if v := s.byID[id]; fits(v) {
			found = append(found, v)
		}
	}
	return found
}

// call is a request with a valid key, or with the key of a session.
type call struct {
	r     *http.Request
	world *world
	place
	session session // of v4; zero elsewhere
	form    ErrorForm
}

// answer is the answer to a call: a refusal, an export, events that are flushed one by one after an
// opening, text, or body as JSON. Without a body nothing is sent.
type answer struct {
	status      int
	body        any
	text        string
	contentType string
	opening     string
	events      []event
	export      bool
	refused     *refusal
}

func ok(body any) answer      { return answer{status: http.StatusOK, body: body} }
func created(body any) answer { return answer{status: http.StatusCreated, body: body} }
func empty(status int) answer { return answer{status: status} }

// asWritten returns an answer whose parts are sent as they are, even if they are no JSON.
func asWritten(format string, parts ...[]byte) answer {
	args := make([]any, len(parts))
	for i, part := range parts {
		args[i] = part
	}
	return answer{contentType: "application/json; charset=utf-8", text: fmt.Sprintf(format, args...)}
}

// message returns the answer of /v1/stable to a change or deletion.
func message(text string) answer { return ok(map[string]any{"message": text}) }

func no(status int, form ErrorForm, text string) answer {
	return answer{refused: &refusal{status, form, text}}
}

func (c *call) invalid(text string) answer { return no(http.StatusBadRequest, c.form, text) }
func (c *call) notFound(what string) answer {
	return no(http.StatusNotFound, c.plainForm(), what+" not found")
}

// plainForm returns the form of errors that are not about validation.
func (c *call) plainForm() ErrorForm {
	if c.form == FormNestValidation {
		return FormNest
	}
	return c.form
}

// read decodes the body, a JSON object, into v. Without a body it leaves v as it is.
func (c *call) read(v any) error {
	err := json.NewDecoder(c.r.Body).Decode(v)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// number returns a parameter of the query, or otherwise if it is missing. ok is false if it is
// not a number from least to most.
func (c *call) number(name string, otherwise, least, most int) (n int, ok bool) {
	text := c.r.URL.Query().Get(name)
	if text == "" {
		return otherwise, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= least && n <= most
}

// handle serves the calls of a pattern with a method of [call].
func (s *Server) handle(pattern string, by way, serve func(*call) answer) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		at, refused := s.enter(r, by)
		if refused != nil {
			refuse(w, refused.status, refused.form, refused.message)
			return
		}
		s.serve(w, &call{r: r, world: s.world, place: at, form: by.invalid}, serve)
	})
}

// serve answers c. The answer is encoded before another call can change its content.
func (s *Server) serve(w http.ResponseWriter, c *call, serve func(*call) answer) {
	s.world.mu.Lock()
	a := serve(c)
	if a.refused == nil {
		c.answeredBy()
	}
	var encoded []byte
	if a.body != nil {
		encoded = encode(a.body)
	}
	s.world.mu.Unlock()

	switch {
	case a.refused != nil:
		refuse(w, a.refused.status, a.refused.form, a.refused.message)
	case a.export:
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		// An error means that the client left.
		_ = WriteExport(w, c.assistant)
	case a.events != nil:
		c.send(w, a.opening, a.events)
	case a.contentType != "":
		w.Header().Set("Content-Type", a.contentType)
		_, _ = io.WriteString(w, a.text)
	case encoded != nil:
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(a.status)
		_, _ = w.Write(encoded)
	default:
		w.WriteHeader(a.status)
	}
}

// encode writes JSON as JavaScript does: it leaves <, > and & as they are.
func encode(v any) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // what is answered always encodes
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// iso writes a time as JavaScript does.
func iso(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func isStage(text string) bool { return text == "draft" || text == "published" }
