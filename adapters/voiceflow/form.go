package voiceflow

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
	"github.com/go-json-experiment/json/jsontext"
)

// The limits of a form.
const (
	maxParts      = 1000
	maxPartHeader = 16 << 10 // with what stands before the first part, in bytes
	// maxFormTexts bounds the texts that are read before the file, in bytes. A longer text that need
	// not be checked passes like a file.
	maxFormTexts = 1 << 20
)

// sendsForm reports whether the body of r is a form. Returns Invalid if the endpoint takes JSON or a
// form, and r has neither.
func sendsForm(endpoint *domain.Endpoint, r *http.Request) (bool, error) {
	types := named(r.Header["Content-Type"])
	if endpoint.Body != domain.FormBody || len(types) == 0 {
		return false, nil
	}
	if is, _, err := mime.ParseMediaType(types[0]); err == nil && len(types) == 1 {
		switch is {
		case "application/json":
			return false, nil
		case "multipart/form-data":
			return true, nil
		}
	}
	return false, &domain.Error{Kind: domain.Invalid, Public: "the body of this call must have the Content-Type application/json or multipart/form-data"}
}

// formReader reads a form part by part and writes it again, with a boundary that the caller can't
// know. So Voiceflow reads the same parts. The texts before the file are read first, because they
// may name the environment. The content of files is not changed.
type formReader struct {
	endpoint *domain.Endpoint
	project  domain.Project
	source   *formSource
	parts    *multipart.Reader
	boundary string
	count    int
	texts    []formText
	asked    domain.AskedEnvironment
	part     *formPart // is being passed
	pending  []byte    // is written before the rest of part
	err      error     // how the form ended
}

// formPart is a part of a form.
type formPart struct {
	io.Reader
	domain.FormPart

	name   string
	header []byte // as it is written
	file   bool
}

// formText is a text that was read before the file.
type formText struct {
	*formPart

	text []byte
	json *bodyRewriter // of a part with Data
}

// readForm reads the texts of a form before the first file, and checks them.
func readForm(f domain.Forward, r *http.Request, ids *binder) (*formReader, error) {
	if err := plainBody(r); err != nil {
		return nil, err
	}
	_, parameters, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	boundary := parameters["boundary"]
	if boundary == "" || len(boundary) > 70 || r.Body == nil {
		return nil, badForm()
	}
	w := &formReader{endpoint: f.Route.Endpoint, project: f.Project, source: &formSource{from: r.Body}, boundary: rand.Text()}
	w.parts = multipart.NewReader(w.source, boundary)
	held := ports.HeldIn(r.Context())
	for left := int64(maxFormTexts); ; {
		part, err := w.next()
		if errors.Is(err, io.EOF) {
			w.err = io.EOF
			return w, nil
		}
		if err != nil {
			return nil, err
		}
		if part.file {
			w.part, w.pending = part, part.header
			return w, nil
		}
		text, err := held.ReadAll(part, left)
		switch {
		case err != nil:
			return nil, w.broken(err)
		case int64(len(text)) <= left:
			left -= int64(len(text))
		case part.Checked():
			return nil, badPart(part.name, "is too long")
		default:
			w.part, w.pending = part, slices.Concat(part.header, text)
			return w, nil
		}
		if err := w.keep(formText{formPart: part, text: text}, f, ids); err != nil {
			return nil, err
		}
	}
}

// next returns the next part, io.EOF after the last one.
func (w *formReader) next() (*formPart, error) {
	w.source.limit(maxPartHeader)
	raw, err := w.parts.NextRawPart()
	w.source.limit(-1)
	switch {
	case err == io.EOF: //nolint:errorlint // an unexpected end wraps it
		return nil, err
	case err != nil:
		return nil, w.broken(err)
	}
	if w.count++; w.count > maxParts {
		return nil, &domain.Error{Kind: domain.Invalid, Public: "the form has more than 1000 parts"}
	}
	d, ok := readDisposition(raw.Header["Content-Disposition"])
	if !ok {
		return nil, badForm()
	}
	part := &formPart{Reader: raw, name: d.name, file: d.file()}
	if part.FormPart, err = w.endpoint.FormPart(d.name); err != nil {
		return nil, err
	}
	if part.Checked() && part.file {
		return nil, badPart(d.name, "must be a text and no file")
	}
	header := []string{"Content-Disposition: " + d.String()}
	for _, name := range []string{"Content-Type", "Content-Transfer-Encoding"} {
		values := raw.Header[name]
		switch {
		case len(values) > 1 || len(values) == 1 && !isPrintable(values[0]):
			return nil, badForm()
		case len(values) == 0:
		case !part.Checked():
			header = append(header, name+": "+values[0])
		case !plainText(name, values[0]):
			return nil, badPart(d.name, "must be a text in UTF-8 without an encoding")
		}
	}
	part.header = []byte("--" + w.boundary + "\r\n" + strings.Join(header, "\r\n") + "\r\n\r\n")
	return part, nil
}

// plainText reports whether a header of a part leaves its content as it is.
func plainText(name, value string) bool {
	if name == "Content-Transfer-Encoding" {
		return slices.Contains([]string{"7bit", "8bit", "binary"}, strings.ToLower(value))
	}
	is, parameters, err := mime.ParseMediaType(value)
	charset := parameters["charset"]
	return err == nil && (is == "text/plain" || is == "application/json") &&
		(charset == "" || strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "us-ascii"))
}

// keep checks a text, and keeps it until the environment is chosen.
func (w *formReader) keep(t formText, f domain.Forward, ids *binder) error {
	switch {
	case t.Data:
		if value := jsontext.Value(t.text); !value.IsValid() || value.Kind() != '{' {
			return badPart(t.name, "must be one JSON object in UTF-8 without repeated names")
		}
		body, err := rewriteBody(slices.Concat(dataStart, t.text, dataEnd), f, ids)
		if err != nil {
			return err
		}
		t.json = body
		w.asked.Add(body.asked)
	case t.Field == domain.FieldProject:
		if !w.project.IsVoiceflow(string(t.text)) {
			return domain.OtherProject("in the form, " + t.name)
		}
	case t.Field != "" && len(t.text) > 0:
		w.asked.Names = append(w.asked.Names, string(t.text))
	}
	w.texts = append(w.texts, t)
	return nil
}

// A part with Data is read as the member of a JSON body.
var (
	dataStart = []byte(`{"data":`)
	dataEnd   = []byte(`}`)
)

// rest returns the form to send, for a call that uses the environment.
func (w *formReader) rest(used domain.UsedEnvironment) io.Reader {
	var b bytes.Buffer
	put := func(header, content []byte) {
		b.Write(header)
		b.Write(content)
		b.WriteString("\r\n")
	}
	added := w.endpoint.AddedToForm()
	for _, t := range w.texts {
		switch {
		case t.Data:
			whole := t.json.rest(used)
			put(t.header, whole[len(dataStart):len(whole)-len(dataEnd)])
		case t.Field == "":
			put(t.header, t.text)
		default:
			if value := w.project.Value(t.Field, used); value != "" {
				put(t.header, []byte(value))
				delete(added, t.name)
			}
		}
	}
	for name, field := range added {
		if value := w.project.Value(field, used); value != "" {
			put([]byte("--"+w.boundary+"\r\nContent-Disposition: form-data; name=\""+name+"\"\r\n\r\n"), []byte(value))
		}
	}
	w.texts = nil
	if w.err != nil {
		b.WriteString(w.end())
	}
	w.pending = append(b.Bytes(), w.pending...)
	return w
}

// end returns what ends the form.
func (w *formReader) end() string { return "--" + w.boundary + "--\r\n" }

// contentType returns the header for the form that is sent.
func (w *formReader) contentType() string { return "multipart/form-data; boundary=" + w.boundary }

// Read reads the form as it is sent. Every error but io.EOF is a *domain.Error.
func (w *formReader) Read(p []byte) (int, error) {
	for {
		switch {
		case len(w.pending) > 0:
			n := copy(p, w.pending)
			w.pending = w.pending[n:]
			return n, nil
		case w.part != nil:
			n, err := w.part.Read(p)
			switch {
			case err == io.EOF: //nolint:errorlint // it is the end of the part only if it is not wrapped
				w.part, w.pending = nil, []byte("\r\n")
			case err != nil:
				w.part, w.err = nil, w.broken(err)
			}
			if n > 0 {
				return n, nil
			}
		case w.err != nil:
			return 0, w.err
		default:
			w.pass()
		}
	}
}

// pass goes on to the next part, after the file.
func (w *formReader) pass() {
	part, err := w.next()
	switch {
	case errors.Is(err, io.EOF):
		w.pending, w.err = []byte(w.end()), io.EOF
	case err != nil:
		w.err = err
	case part.Checked():
		w.err = badPart(part.name, "must come before the file; send it first")
	default:
		w.part, w.pending = part, part.header
	}
}

// broken returns the error for a form that can't be read.
func (w *formReader) broken(err error) error {
	if w.source.failed != nil {
		return unreadable(w.source.failed)
	}
	if refused, is := errors.AsType[*domain.Error](err); is {
		return refused
	}
	return badForm()
}

func badForm() error {
	return &domain.Error{Kind: domain.Invalid, Public: "the body must be a form as RFC 7578 has it, with a name for each part"}
}

func badPart(name, what string) error {
	return &domain.Error{Kind: domain.Invalid, Public: "in the form, the part " + name + " " + what}
}

// formSource is the body of a caller. It bounds what is read for the header of a part.
type formSource struct {
	from   io.Reader
	left   int   // for a header; -1 for no bound
	failed error // how from failed
}

var errLongHeader = errors.New("voiceflow: the header of a part is too long")

func (s *formSource) limit(n int) { s.left = n }

func (s *formSource) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, errLongHeader
	}
	if s.left > 0 && len(p) > s.left {
		p = p[:s.left]
	}
	n, err := s.from.Read(p)
	if s.left > 0 {
		s.left -= n
	}
	if err != nil && !errors.Is(err, io.EOF) {
		s.failed = err
	}
	return n, err
}

// disposition is the header Content-Disposition of a part, in a form that can be read in one way.
type disposition struct {
	name string
	// filename and extended are the parameters filename and filename*, as they are written.
	filename, extended string
}

func (d disposition) file() bool { return d.filename != "" || d.extended != "" }

func (d disposition) String() string {
	text := `form-data; name="` + d.name + `"`
	if d.filename != "" {
		text += "; filename=" + d.filename
	}
	if d.extended != "" {
		text += "; filename*=" + d.extended
	}
	return text
}

// readDisposition reads the header Content-Disposition of a part. A quote in the name of a file is
// written as %22, as browsers and curl do: a backslash before it has several meanings.
func readDisposition(values []string) (d disposition, ok bool) {
	if len(values) != 1 {
		return d, false
	}
	is, rest, _ := strings.Cut(values[0], ";")
	if !strings.EqualFold(strings.TrimSpace(is), "form-data") {
		return d, false
	}
	named := false
	for more := true; more; {
		var key, value string
		var quoted bool
		if key, rest, ok = strings.Cut(rest, "="); !ok {
			return d, false
		}
		if value, quoted, rest, ok = parameterValue(rest); !ok {
			return d, false
		}
		if key = strings.ToLower(strings.TrimSpace(key)); key == "name" {
			ok, named = !named, true
		}
		if !ok || !d.take(key, value, quoted) {
			return d, false
		}
		rest = strings.TrimSpace(rest)
		if rest, more = strings.CutPrefix(rest, ";"); !more && rest != "" {
			return d, false
		}
	}
	return d, named
}

// take takes a parameter of the header over. It reports whether the header may have it, here and in
// this form.
func (d *disposition) take(key, value string, quoted bool) bool {
	switch key {
	case "name":
		d.name = value
		return true
	case "filename":
		ok := d.filename == ""
		d.filename = `"` + value + `"`
		return ok
	case "filename*":
		ok := d.extended == "" && !quoted && value != ""
		d.extended = value
		return ok
	}
	return false
}

// parameterValue returns the value at the start of text, and what comes after it.
func parameterValue(text string) (value string, quoted bool, rest string, ok bool) {
	text, quoted = strings.CutPrefix(strings.TrimLeft(text, " \t"), `"`)
	if !quoted {
		end := strings.IndexFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`;"\,`, r) })
		if end < 0 {
			end = len(text)
		}
		return text[:end], false, text[end:], true
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text) && text[i+1] == '"':
			b.WriteString("%22")
			i++
		case c == '"':
			return b.String(), true, text[i+1:], true
		case c < ' ' || c == 0x7f:
			return "", true, "", false
		default:
			b.WriteByte(c)
		}
	}
	return "", true, "", false
}

// isPrintable reports whether text has visible characters of ASCII and spaces only.
func isPrintable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}
