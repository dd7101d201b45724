package voiceflow

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"github.com/flowlatch/flowlatch/domain"
)

const (
	// maxFormBody bounds the body of a domain.FormBody, in bytes: a file, which has at most 10 MB
	// (https://docs.voiceflow.com/api-reference/kbpublicapidocument/create-document), and the rest.
	maxFormBody = 10<<20 + maxJSONBody
	// maxParts is the largest number of parts of a form. Voiceflow documents six.
	maxParts = 100
)

// formRewriter goes through a body of type multipart/form-data once. The form is written anew, so that nobody can read a part in
// it that was not read here.
type formRewriter struct {
	endpoint *domain.Endpoint
	project  domain.Project
	asked    domain.AskedEnvironment
	written  bytes.Buffer // the parts that pass
	to       *multipart.Writer
}

// boundaryOf returns the boundary of a form, "" if the content type is not that of a form.
func boundaryOf(contentType []string) string {
	if len(contentType) != 1 {
		return ""
	}
	media, parameters, err := mime.ParseMediaType(contentType[0])
	if err != nil || media != "multipart/form-data" {
		return ""
	}
	return parameters["boundary"]
}

// readForm reads a form. A part with the name of a member of the endpoint is that member.
func readForm(body []byte, boundary string, f domain.Forward) (*formRewriter, error) {
	w := &formRewriter{endpoint: f.Route.Endpoint, project: f.Project}
	w.written.Grow(len(body))
	w.to = multipart.NewWriter(&w.written)
	from := multipart.NewReader(bytes.NewReader(body), boundary)
	for n := 0; ; n++ {
		part, err := from.NextRawPart()
		switch {
		case errors.Is(err, io.EOF) && n > 0:
			return w, nil
		case err != nil:
			return nil, noForm()
		case n == maxParts:
			return nil, &domain.Error{Kind: domain.Invalid, Public: "the form has more than " + strconv.Itoa(maxParts) + " parts"}
		}
		if err := w.part(part); err != nil {
			return nil, err
		}
	}
}

// noForm leaves the error of the reader out, because it quotes the body.
func noForm() error {
	return &domain.Error{Kind: domain.Invalid, Public: "the body is not a form whose parts all have a name; send it as multipart/form-data"}
}

// part reads a part, and writes it unless it is a member.
func (w *formRewriter) part(part *multipart.Part) error {
	name := part.FormName()
	if name == "" {
		return noForm()
	}
	field, err := w.member(name)
	if err != nil {
		return err
	}
	if field == "" {
		return w.pass(name, part)
	}
	value, err := io.ReadAll(part)
	if err != nil {
		return noForm()
	}
	switch {
	case field == domain.FieldProject && !w.project.IsVoiceflow(string(value)):
		return domain.OtherProject("in the form, " + name)
	case field == domain.FieldProject || len(value) == 0:
	default:
		w.asked.Names = append(w.asked.Names, string(value))
	}
	return nil
}

// member returns the field that a part is, "" for none. A form can name a member below others, such
// as data[projectID]. Returns Invalid for such a name of a member.
func (w *formRewriter) member(name string) (domain.Field, error) {
	words := strings.FieldsFunc(name, func(c rune) bool { return strings.ContainsRune("[].\"' \t\x00", c) })
	for _, m := range w.endpoint.AllMembers() {
		last := m.At[len(m.At)-1]
		if name == last {
			return m.Is, nil
		}
		if slices.ContainsFunc(words, func(word string) bool { return strings.EqualFold(word, last) }) {
			return "", &domain.Error{Kind: domain.Invalid, Public: "the form has the member " + last + " under another name; name it " + last}
		}
	}
	return "", nil
}

var escapeName = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", "%0D", "\n", "%0A")

// pass writes a part with its name, its type and its content.
func (w *formRewriter) pass(name string, part *multipart.Part) error {
	header := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + escapeName.Replace(name) + `"`}}
	if file := part.FileName(); file != "" {
		header.Set("Content-Disposition", multipart.FileContentDisposition(name, file))
	}
	if media := part.Header.Get("Content-Type"); media != "" {
		header.Set("Content-Type", media)
	}
	to, err := w.to.CreatePart(header)
	if err != nil {
		return noForm()
	}
	if _, err := io.Copy(to, part); err != nil {
		return noForm()
	}
	return nil
}

// rest returns the form in two parts, for a call that uses the environment. It can be called once.
func (w *formRewriter) rest(used domain.UsedEnvironment) [][]byte {
	var first bytes.Buffer
	to := multipart.NewWriter(&first)
	_ = to.SetBoundary(w.to.Boundary()) // a boundary of the same package
	for _, m := range w.endpoint.Members {
		if value := used.Value(m.Is); value != "" && !m.IfThere {
			field, _ := to.CreateFormField(m.At[len(m.At)-1]) // a buffer takes everything
			_, _ = io.WriteString(field, value)
			if w.written.Len() > 0 { // a boundary begins a line
				_, _ = first.WriteString("\r\n")
			}
		}
	}
	_ = w.to.Close()
	return [][]byte{first.Bytes(), w.written.Bytes()}
}
