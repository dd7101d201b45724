package voiceflow

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxExport bounds an export. The largest seen in public has 1 MB; those of
	// large agents are said to have tens.
	maxExport = 256 << 20
	// maxToken bounds what the decoder has to hold at once: a string, or white space.
	maxToken = 4 << 20
)

var errTooLarge = errors.New("voiceflow: the answer is too large, or a piece of it is")

// decodeExport reads an export to its end and keeps what domain.Export has. It holds
// one token at a time, so its memory does not grow with the export.
//
// An export is an object with one `project`, whose `_id` is an id, and one
// `version`, whose `projectID` is the same one; they may come in either order and
// stand anywhere. Members of these names deeper down mean other things. Errors say
// where, never what, the export is.
func decodeExport(body *cappedReader) (domain.Export, error) {
	d := exportDecoder{
		body: body,
		// Names that come twice are looked for among those that are kept: to look
		// among all, the decoder would have to remember all.
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
		return domain.Export{}, errors.New("voiceflow: the export's version is of another project than it says")
	}
	e := domain.Export{Project: project, Name: withoutNUL(name), Platform: withoutNUL(platform)}
	// Most exports have no createdAt, so one that can't be read is no reason to fail.
	if at, err := time.Parse(time.RFC3339, created); err == nil {
		e.Created = domain.Instant(at)
	}
	return e, nil
}

// withoutNUL puts U+FFFD where NUL was, as the JSON decoder does for bad UTF-8.
func withoutNUL(text string) string { return strings.ReplaceAll(text, "\x00", "\uFFFD") }

// exportDecoder reads JSON token by token.
type exportDecoder struct {
	json *jsontext.Decoder
	body *cappedReader
}

// object reads an object and calls the function of each member that has one, which
// reads its value. It skips the others. Members that are called for come once at most.
func (d *exportDecoder) object(members map[string]func() error) error {
	opening, err := d.token()
	if err != nil {
		return err
	}
	if opening.Kind() != '{' {
		return d.wrong("no object where one belongs")
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
			return d.wrong("a member comes twice")
		default:
			seen[name] = true
		}
		if err := read(); err != nil {
			return err
		}
	}
}

// text reads a string. A null is left out.
func (d *exportDecoder) text(into *string) error {
	t, err := d.token()
	switch {
	case err != nil:
		return err
	case t.Kind() == '"':
		*into = t.String()
	case t.Kind() != 'n':
		return d.wrong("no text where some belongs")
	}
	return nil
}

// textIfAny reads a string and skips what is none.
func (d *exportDecoder) textIfAny(into *string) error {
	if d.json.PeekKind() == '"' {
		return d.text(into)
	}
	return d.skip()
}

// skip reads over a value of any size.
func (d *exportDecoder) skip() error {
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

// end makes sure that nothing but white space follows. Only here does it show
// whether the transfer came to its proper end.
func (d *exportDecoder) end() error {
	d.body.token = maxToken
	if _, err := d.json.ReadToken(); !errors.Is(err, io.EOF) {
		return d.wrong("something follows the export")
	}
	return nil
}

// token is valid until the next one is read.
func (d *exportDecoder) token() (jsontext.Token, error) {
	d.body.token = maxToken
	t, err := d.json.ReadToken()
	if err != nil {
		// The decoder's own error quotes names and characters of the export.
		return t, d.wrong("no JSON, or cut")
	}
	return t, nil
}

func (d *exportDecoder) wrong(what string) error {
	if d.body.tooLarge {
		return errTooLarge
	}
	return fmt.Errorf("voiceflow: %s, near byte %d", what, d.json.InputOffset())
}

// cappedReader ends an answer that goes on for too long, and tells a transfer that
// failed from one that came to its end.
type cappedReader struct {
	from     io.Reader
	left     int64 // of the whole
	token    int64 // of the token that is being read
	tooLarge bool
	failed   error // what from failed with, io.EOF excepted
}

func (r *cappedReader) Read(p []byte) (int, error) {
	room := min(r.left, r.token)
	if room == 0 {
		r.tooLarge = true
		return 0, errTooLarge
	}
	// A large read would fetch much of the tokens that follow, uncounted for them.
	n, err := r.from.Read(p[:min(int64(len(p)), room, 32<<10)])
	r.left -= int64(n)
	r.token -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		r.failed = err
	}
	return n, err
}
