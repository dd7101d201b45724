package ginhttp

import (
	"bytes"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flowlatch/flowlatch/domain"
)

// maxBody is the largest body that is read, in bytes.
const maxBody = 64 << 10

// maxStrangersBody is maxBody for callers who are not known yet. A user name and a password fit
// several times.
const maxStrangersBody = 4 << 10

// text is a parameter. Surrounding white space is removed, because pasted keys and names carry
// it. A password, which must stay as it is, is a domain.Secret.
type text string

// UnmarshalText takes the parameter from the decoder.
func (t *text) UnmarshalText(b []byte) error {
	*t = text(bytes.TrimSpace(b))
	return nil
}

// decode reads the request's body into the struct that into points to. The body is one JSON
// object and nothing after it. null is the same as a missing member, and unknown members are
// ignored. Errors name a parameter where possible and never repeat what was sent.
func (x *exchange) decode(into any) error {
	if x.c.Request.ContentLength > x.maxBody() {
		return &domain.Error{Kind: tooLarge}
	}
	if !isJSON(x.c.Request.Header) {
		return &domain.Error{Kind: unsupportedMediaType}
	}
	b, err := x.body()
	if err != nil {
		return err
	}
	return decode(b, into)
}

// maxBody returns the largest body that the route reads.
func (x *exchange) maxBody() int64 {
	if x.route.who == anyone {
		return maxStrangersBody
	}
	return maxBody
}

// body reads the request's body.
func (x *exchange) body() ([]byte, error) {
	r, limit := x.c.Request, x.maxBody()
	if r.ContentLength > limit {
		return nil, &domain.Error{Kind: tooLarge}
	}
	b, err := x.held.ReadAll(http.MaxBytesReader(x.c.Writer, r.Body, limit), limit)
	if err != nil {
		if _, over := errors.AsType[*http.MaxBytesError](err); over {
			return nil, &domain.Error{Kind: tooLarge}
		}
		if domain.KindOf(err) == domain.Unavailable {
			return nil, err
		}
		return nil, &domain.Error{Kind: domain.Invalid, Public: "the body ended early; send the request again", Cause: err}
	}
	return b, nil
}

// readForm reads the request's body, which is a form in UTF-8 without NUL.
func (x *exchange) readForm() (url.Values, error) {
	if !isMedia(x.c.Request.Header, "application/x-www-form-urlencoded") {
		return nil, &domain.Error{Kind: unsupportedMediaType, Public: "the body must be a form with Content-Type: application/x-www-form-urlencoded"}
	}
	b, err := x.body()
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(b))
	if err != nil {
		return nil, invalid("the form can't be read; send it again")
	}
	for name, values := range form {
		for _, text := range append(values, name) {
			if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
				return nil, invalid("the form must be UTF-8 without NUL")
			}
		}
	}
	return form, nil
}

// isJSON reports whether the headers announce plain JSON, once and not compressed.
func isJSON(h http.Header) bool { return isMedia(h, "application/json") }

// isMedia reports whether the headers announce that type, once and not compressed.
func isMedia(h http.Header, want string) bool {
	for _, coding := range h.Values("Content-Encoding") {
		if !strings.EqualFold(strings.TrimSpace(coding), "identity") {
			return false
		}
	}
	values := h.Values("Content-Type")
	if len(values) != 1 {
		return false
	}
	media, _, err := mime.ParseMediaType(values[0])
	return err == nil && media == want
}

// decode is the strict decoder. The library rejects what encoding/json accepts: a repeated name,
// a name in another case, invalid UTF-8, and text after the value.
func decode(b []byte, into any) error {
	if !bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("{")) {
		return invalid("the body must be one JSON object")
	}
	if err := json.Unmarshal(b, into); err != nil {
		return invalid(bodyError(err))
	}
	if holdsNUL(b) {
		return invalid("the body must not contain NUL")
	}
	return nil
}

func invalid(public string) error { return &domain.Error{Kind: domain.Invalid, Public: public} }

// bodyError describes what is wrong with a body. It repeats only names of parameters, because
// anything else can be a secret.
func bodyError(err error) string {
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return "the body names a member twice"
	}
	if e, ok := errors.AsType[*domain.Error](err); ok { // a rule of the domain, whose text repeats nothing
		return e.Public
	}
	if e, ok := errors.AsType[*json.SemanticError](err); ok {
		for parameter := range e.JSONPointer.Tokens() {
			return parameter + " has the wrong type"
		}
	}
	where := ""
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		where = " at byte " + strconv.FormatInt(e.ByteOffset, 10)
	}
	return "the body is not valid JSON" + where
}

// holdsNUL reports whether valid JSON contains NUL in any name or text at any depth. The escape
// \u0000 is the only way to write it.
func holdsNUL(b []byte) bool {
	for {
		i := bytes.IndexByte(b, '\\')
		if i < 0 {
			return false
		}
		if bytes.HasPrefix(b[i:], []byte(`\u0000`)) {
			return true
		}
		b = b[i+2:] // an escaped backslash begins no escape of its own
	}
}
