package voiceflow

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxExport is the largest export, in bytes. The largest public one has 1 MB; exports of
	// large agents are said to have tens.
	maxExport = 256 << 20
	// maxToken is the largest token that the decoder holds, in bytes: a string, or white space.
	maxToken = 4 << 20
	// maxProject is the largest answer about a project, in bytes. Voiceflow's has less than 1 KB,
	// unless a description is long.
	maxProject = 1 << 20
)

var errTooLarge = errors.New("voiceflow: the answer or a part of it is too large")

// decodeExport reads an export to its end and keeps the fields of domain.Export. It holds one
// token at a time, so its memory does not grow with the export.
//
// An export is an object with one `project`, whose `_id` is an id, and one `version`, whose
// `projectID` is the same id, in any order. Members of these names at deeper levels mean other
// things. Errors tell the position in the export, and never its content.
func decodeExport(body *cappedReader) (domain.Export, error) {
	d := answerDecoder{
		body: body,
		// Only the kept names are checked for repetition. To check all names, the decoder would
		// have to remember all.
		json: jsontext.NewDecoder(body, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)),
	}
	var id, name, platform, created, versionOf string
	if err := d.object(map[string]func() error{
		"project": func() error {
			return d.object(map[string]func() error{
				"_id":       func() error { return d.text(&id) },
				"name":      func() error { return d.text(&name) },
				"platform":  func() error { return d.text(&platform) },
				"createdAt": func() error { return d.textIfAny(&created) },
			})
		},
		"version": func() error {
			return d.object(map[string]func() error{
				"projectID": func() error { return d.text(&versionOf) },
			})
		},
	}); err != nil {
		return domain.Export{}, err
	}
	if err := d.end(); err != nil {
		return domain.Export{}, err
	}

	project, err := domain.ParseVoiceflowID(id)
	if err != nil {
		return domain.Export{}, errors.New("voiceflow: the export has no project with an id")
	}
	if !strings.EqualFold(versionOf, id) {
		return domain.Export{}, errors.New("voiceflow: the version in the export is of another project")
	}
	e := domain.Export{Project: project, Name: withoutNUL(name), Platform: withoutNUL(platform)}
	// Most exports have no createdAt, so an invalid one is no reason to fail.
	if at, err := time.Parse(time.RFC3339, created); err == nil {
		e.Created = domain.Instant(at)
	}
	return e, nil
}

// decodeProject reads the stable API's answer about a project to its end: an object with one
// `project`, whose `id` is that of the project.
func decodeProject(body *cappedReader, project domain.VoiceflowID) error {
	d := answerDecoder{
		body: body, json: jsontext.NewDecoder(body, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)),
	}
	var id string
	if err := d.object(map[string]func() error{
		"project": func() error {
			return d.object(map[string]func() error{"id": func() error { return d.text(&id) }})
		},
	}); err != nil {
		return err
	}
	if err := d.end(); err != nil {
		return err
	}
	if !strings.EqualFold(id, string(project)) {
		return errors.New("voiceflow: the answer is about another project")
	}
	return nil
}

// withoutNUL replaces NUL with U+FFFD, as the JSON decoder replaces invalid UTF-8.
func withoutNUL(text string) string { return strings.ReplaceAll(text, "\x00", "\uFFFD") }

// answerDecoder reads JSON token by token.
type answerDecoder struct {
	json *jsontext.Decoder
	body *cappedReader
}

// object reads an object. It calls the function of each member that has one, which reads the
// value, and skips the other members. Members with a function must not be repeated.
func (d *answerDecoder) object(members map[string]func() error) error {
	opening, err := d.token()
	if err != nil {
		return err
	}
	if opening.Kind() != '{' {
		return d.wrong("an object is missing")
	}
	seen := map[string]bool{}
	for {
		t, err := d.token()
		if err != nil {
			return err
		}
		if t.Kind() == '}' {
			return nil
		}
		name := t.String()
		read, known := members[name]
		switch {
		case !known:
			read = d.skip
		case seen[name]:
			return d.wrong("a member is repeated")
		default:
			seen[name] = true
		}
		if err := read(); err != nil {
			return err
		}
	}
}

// text reads a string. null is ignored.
func (d *answerDecoder) text(into *string) error {
	t, err := d.token()
	switch {
	case err != nil:
		return err
	case t.Kind() == '"':
		*into = t.String()
	case t.Kind() != 'n':
		return d.wrong("a string is missing")
	}
	return nil
}

// textIfAny reads a string and skips any other value.
func (d *answerDecoder) textIfAny(into *string) error {
	if d.json.PeekKind() == '"' {
		return d.text(into)
	}
	return d.skip()
}

// skip skips a value of any size.
func (d *answerDecoder) skip() error {
	depth := d.json.StackDepth()
	for {
		if _, err := d.token(); err != nil {
			return err
		}
		if d.json.StackDepth() <= depth {
			return nil
		}
	}
}

// end checks that only white space follows. Only here does it show whether the transfer ended
// properly.
func (d *answerDecoder) end() error {
	d.body.token = maxToken
	if _, err := d.json.ReadToken(); !errors.Is(err, io.EOF) {
		return d.wrong("the answer has trailing data")
	}
	return nil
}

// token returns the next token. It is valid until the next call.
func (d *answerDecoder) token() (jsontext.Token, error) {
	d.body.token = maxToken
	t, err := d.json.ReadToken()
	if err != nil {
		// The decoder's own error quotes names and characters of the answer.
		return t, d.wrong("the answer is not JSON, or is cut")
	}
	return t, nil
}

func (d *answerDecoder) wrong(what string) error {
	if d.body.tooLarge {
		return errTooLarge
	}
	return fmt.Errorf("voiceflow: %s, near byte %d", what, d.json.InputOffset())
}

// cappedReader ends an answer that is too long. It tells a failed transfer from a complete one.
type cappedReader struct {
	from     io.Reader
	left     int64 // bytes left of the whole answer
	token    int64 // bytes of the token that is being read
	tooLarge bool
	failed   error // the error of from, except io.EOF

	held    *ports.Held
	longest int64         // bytes of the longest token so far, which are held
	refused *domain.Error // the bytes of a token may not be held
}

func (r *cappedReader) Read(p []byte) (int, error) {
	room := min(r.left, r.token)
	if room == 0 {
		r.tooLarge = true
		return 0, errTooLarge
	}
	// A large read would fetch much of the next tokens without counting it for them.
	n, err := r.from.Read(p[:min(int64(len(p)), room, 32<<10)])
	r.left -= int64(n)
	r.token -= int64(n)
	if longer := maxToken - r.token - r.longest; longer > 0 {
		if e, ours := errors.AsType[*domain.Error](r.held.Add(int(longer))); ours {
			r.refused = e
			return 0, e
		}
		r.longest += longer
	}
	if err != nil && !errors.Is(err, io.EOF) {
		r.failed = err
	}
	return n, err
}
