package voiceflow

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxRefusal is the largest part of an answer of 400 and more that is passed on, in bytes.
	maxRefusal = 1 << 20
	// maxObject is the largest answer that is compared with its project before it is passed on, in
	// bytes.
	maxObject = 16 << 20
	// maxSession is the largest answer that can contain a session key, in bytes.
	maxSession = 64 << 10
	// maxWhole is the largest body, in either direction, that is read whole before it is passed
	// on, in bytes.
	maxWhole = 64 << 10
	// maxHeld is what an answer holds in memory at most, in bytes, unless it is a refusal. An
	// answer that passes in pieces holds a piece, and the filter may have a copy of it.
	maxHeld = max(maxWhole, maxSession, 2*(32<<10))
	// badKeyBegins and badKeyEnds are the beginning and the end of Voiceflow's message in a 400
	// for an unknown key (voiceflow-docs, reference/stateinteract-1: 'Cannot resolve project
	// version, please verify that your API key is correct.'). A message that repeats what a
	// caller sent does not begin in this way.
	badKeyBegins, badKeyEnds = "Cannot resolve ", ", please verify that your API key is correct."
)

// pass turns Voiceflow's answer into the answer that is passed on. If the call starts a session,
// userID is the session's. If pass fails, the caller of pass closes the exchange.
func (c *Client) pass(x *exchange, f domain.Forward, answer *http.Response, userID string, credential domain.Secret) (ports.Answer, error) {
	if err := c.usable(answer, f.Personal, x.held); err != nil {
		return ports.Answer{}, err
	}
	x.body = answer.Body
	passed := ports.Answer{
		Sent: true, StatusCode: answer.StatusCode,
		Header: passedHeader(answer.Header, credential.Reveal()), ContentLength: answer.ContentLength,
	}
	if f.Route.Endpoint.Starts {
		// Nobody searches the other headers for the session key.
		maps.DeleteFunc(passed.Header, func(name string, _ []string) bool { return name != "Content-Type" && name != "Retry-After" })
	}
	form := formOf(answer.Header.Get("Content-Type"))
	var err error
	switch {
	case answer.StatusCode >= http.StatusBadRequest:
		err = x.refusal(newFilter(x, f, formJSON, credential), &passed, f.Route.Endpoint)
	case f.Route.Endpoint.Starts:
		err = x.session(newFilter(x, f, formJSON, credential), &passed, f.Handle)
		passed.Started.UserID = userID
	case f.Personal && f.Route.Endpoint.Method == http.MethodGet && f.Route.NamesObject(): // whatever its label
		err = x.object(newFilter(x, f, formJSON, credential), &passed, f.Project)
	default:
		if form == formEvents {
			x.stream(c.forwardIdle)
		}
		err = x.plain(newFilter(x, f, form, credential), &passed, form, answer.Body == http.NoBody)
	}
	return passed, err
}

// usable returns an error if the answer can't be passed on. It decodes the body, and counts what that
// takes.
func (c *Client) usable(answer *http.Response, personal bool, held *ports.Held) error {
	switch status := answer.StatusCode; {
	case status == http.StatusUnauthorized:
		return rejected(status, personal)
	case status < 200 || status >= 300 && status < 400:
		return unusable(answer, fmt.Errorf("voiceflow: status %d", status), c.now())
	}
	if err := decode(answer, held); err != nil {
		return unusable(answer, err, c.now())
	}
	return nil
}

// plain passes on an answer that starts no session and is no error. It reads small JSON whole.
// Then the answer has a length, even if user ids in it change, and an answer that breaks is an
// error instead of half an answer.
func (x *exchange) plain(f *filter, passed *ports.Answer, form form, empty bool) error {
	_, decoded := x.body.(*decoder) // its length is unknown so far
	switch {
	case form != formEvents && passed.ContentLength > x.left:
		return unavailable("Voiceflow's answer is too large", errTooLong)
	case empty:
		_ = x.Close()
		passed.Body = f.whole(nil)
		return nil
	case form == formJSON && passed.ContentLength >= 0 && passed.ContentLength <= maxWhole:
		body := make([]byte, passed.ContentLength)
		if _, err := io.ReadFull(x, body); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = x.broken(err)
			}
			return err
		}
		x.passWhole(f, passed, body)
		return nil
	case form == formJSON && decoded:
		return x.passDecoded(f, passed)
	}
	passed.Body = f
	if f.ids != nil && passed.ContentLength >= 0 {
		passed.ContentLength = -1
		passed.Header.Del("Content-Length")
	}
	return nil
}

// passDecoded passes on JSON whose length is unknown because it was decoded. It reads small JSON
// whole.
func (x *exchange) passDecoded(f *filter, passed *ports.Answer) error {
	body, err := io.ReadAll(io.LimitReader(x, maxWhole+1))
	if err != nil {
		return err
	}
	if len(body) <= maxWhole {
		x.passWhole(f, passed, body)
		return nil
	}
	x.body, x.left = readCloser{io.MultiReader(bytes.NewReader(body), x.body), x.body}, x.left+int64(len(body))
	passed.Body = f
	return nil
}

// readCloser is a Reader and the Closer of what it reads.
type readCloser struct {
	io.Reader
	io.Closer
}

// passWhole passes on an answer with that body. It reads nothing more from the exchange.
func (x *exchange) passWhole(f *filter, passed *ports.Answer, body []byte) {
	_ = x.Close()
	passed.Header.Del("Content-Length")
	whole := f.whole(body)
	passed.Body, passed.ContentLength = whole, whole.Size()
}

func rejected(status int, personal bool) *domain.Error {
	what := "the assistant's key"
	if personal {
		what = "the assistant's personal key"
	}
	return &domain.Error{
		Kind: domain.CredentialsRejected, Public: "Voiceflow rejected " + what + "; an admin has to set a new one",
		Cause: fmt.Errorf("voiceflow: status %d", status),
	}
}

// unusable returns the error for an answer that can't be passed on.
func unusable(answer *http.Response, cause error, now time.Time) error {
	e := unavailable("Voiceflow gave no usable answer; try again later", cause)
	e.RetryAfter = retryAfter(answer.Header.Get("Retry-After"), now)
	return e
}

// form is the form of a body, by its content type.
type form int

const (
	formOther form = iota
	formJSON
	formEvents // server-sent events
)

func formOf(contentType string) form {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	switch {
	case media == "text/event-stream":
		return formEvents
	case media == "application/json", media == "text/json", strings.HasSuffix(media, "+json"):
		return formJSON
	}
	return formOther
}

// passedHeader returns the headers of an answer that are passed on. They are on a short list and
// do not contain the credential. The names are as http.Header has them.
func passedHeader(header http.Header, credential string) http.Header {
	passed := make(http.Header, len(header))
	for name, values := range header {
		if passes(name) && !holds(values, credential) {
			passed[name] = values
		}
	}
	return passed
}

func passes(name string) bool {
	switch name {
	case "Content-Type", "Content-Length", "Content-Disposition", "Content-Language", "Etag", "Last-Modified", "Retry-After":
		return true
	}
	rate, found := strings.CutPrefix(strings.TrimPrefix(name, "X-"), "Ratelimit-")
	return found && (rate == "Limit" || rate == "Remaining" || rate == "Reset" || rate == "Policy")
}

func holds(values []string, credential string) bool {
	for _, v := range values {
		if credential != "" && strings.Contains(v, credential) {
			return true
		}
	}
	return false
}

// refusal reads the body of an answer of 400 and more. It leaves the body out if it is not JSON,
// whatever its label, and if it may not be held in memory. Returns CredentialsRejected if the body says so.
func (x *exchange) refusal(f *filter, passed *ports.Answer, e *domain.Endpoint) error {
	body, err := x.held.ReadAll(x, maxRefusal)
	if err == nil && len(body) > maxRefusal {
		err = unavailable("Voiceflow's answer is too large", errTooLong)
	}
	if x.ctx.Err() != nil {
		return x.broken(err)
	}
	_, keyBegins, _ := topMember(body, "sessionKey", lenient)
	if err != nil || !jsontext.Value(body).IsValid(lenient) || e.Starts && keyBegins > 0 {
		passed.Header.Del("Content-Type")
		x.passWhole(f, passed, nil)
		return nil
	}
	if passed.StatusCode == http.StatusBadRequest {
		if message, _, _ := topMember(body, "message", lenient); strings.HasPrefix(message, badKeyBegins) && strings.HasSuffix(message, badKeyEnds) {
			keyOrVersion := rejected(passed.StatusCode, false)
			keyOrVersion.Cause = errors.Join(domain.ErrKeyOrVersion, keyOrVersion.Cause)
			return keyOrVersion
		}
	}
	passed.Header["Content-Type"] = []string{"application/json"}
	x.passWhole(f, passed, body)
	return nil
}

// lenient is how the decoder reads answers that are passed on unchanged.
var lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// session replaces the session key with the handle in the answer to a call that started a
// session. The key remains nowhere in the answer.
func (x *exchange) session(f *filter, passed *ports.Answer, handle string) error {
	body, err := x.readAll(maxSession)
	if err != nil {
		return err
	}
	key, start, end := topMember(body, "sessionKey")
	if key == "" {
		return unavailable("Voiceflow started no session", errors.New("voiceflow: the answer has no session key"))
	}
	// As text and in the form that it has in JSON.
	for _, form := range [][]byte{[]byte(key), bytes.Clone(body[start+1 : end-1])} {
		overwrite(body[:start], form)
		overwrite(body[end:], form)
	}
	changed := append(make([]byte, 0, len(body)+len(handle)), body[:start]...)
	changed = append(quoted(changed, handle), body[end:]...)
	passed.Started.Key = domain.NewSecret(key)
	x.passWhole(f, passed, changed)
	return nil
}

// object passes on the answer to a call that asks for an object by its id, with a personal access
// token. Such a token opens other projects too, and no document says that Voiceflow compares the
// object with the project of the call. Returns NotFound if the answer says that the object belongs
// to another project. Returns VoiceflowUnavailable if the answer can't be read whole.
func (x *exchange) object(f *filter, passed *ports.Answer, p domain.Project) error {
	body, err := x.held.ReadAll(x, maxObject)
	if err == nil && len(body) > maxObject {
		err = unavailable("Voiceflow's answer is too large", errTooLong)
	}
	if err != nil {
		return err
	}
	if err := checkOwner(body, p); err != nil {
		return err
	}
	x.passWhole(f, passed, body)
	return nil
}

// checkOwner looks at the members projectID of the JSON object body and of the objects that are its
// members. Deeper ones may be a caller's own data. Returns NotFound if one is another project than
// p's. Returns VoiceflowUnavailable if body is no JSON object.
func checkOwner(body []byte, p domain.Project) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(body), lenient)
	foreign := false
	err := eachOwner(d, 2, func(owner jsontext.Value) {
		id, isText := textOf(owner)
		foreign = foreign || owner.Kind() != 'n' && (!isText || !p.IsVoiceflow(id))
	})
	if _, after := d.ReadToken(); err == nil && !errors.Is(after, io.EOF) {
		err = errNoObject
	}
	switch {
	case foreign:
		return domain.OtherProject("what the path names")
	case err != nil:
		return unavailable("Voiceflow gave no usable answer; try again later", err)
	}
	return nil
}

var errNoObject = errors.New("voiceflow: the answer is no JSON object")

// eachOwner reads an object and calls each for its members projectID, and for those of objects in it,
// down to that depth.
func eachOwner(d *jsontext.Decoder, depth int, each func(jsontext.Value)) error {
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return errNoObject
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return errNoObject
		}
		isOwner := name.String() == string(domain.FieldProject) // the name is valid until the next token
		switch {
		case isOwner:
			var owner jsontext.Value
			if owner, err = d.ReadValue(); err == nil {
				each(owner)
			}
		case depth > 1 && d.PeekKind() == '{':
			err = eachOwner(d, depth-1, each)
		default:
			err = d.SkipValue()
		}
		if err != nil {
			return errNoObject
		}
	}
	if t, err := d.ReadToken(); err != nil || t.Kind() != '}' {
		return errNoObject
	}
	return nil
}

// readAll reads the answer. Returns VoiceflowUnavailable if it has more than limit bytes.
func (x *exchange) readAll(limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(x, limit+1))
	if err == nil && int64(len(body)) > limit {
		err = unavailable("Voiceflow's answer is too large", errTooLong)
	}
	return body, err
}

// topMember finds the member name of the JSON object body. It returns the member's text and the
// position of its value. The text is "" if there is none.
func topMember(body []byte, name string, o ...jsontext.Options) (text string, start, end int) {
	d := jsontext.NewDecoder(bytes.NewBuffer(body), o...)
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return "", 0, 0
	}
	for d.PeekKind() == '"' {
		t, err := d.ReadToken()
		if err != nil {
			return "", 0, 0
		}
		this := t.String() == name && text == ""
		raw, err := d.ReadValue()
		if err != nil {
			return "", 0, 0
		}
		if this {
			text, _ = textOf(raw)
			end = int(d.InputOffset())
			start = end - len(raw)
		}
	}
	if t, err := d.ReadToken(); err != nil || t.Kind() != '}' {
		return "", 0, 0
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return "", 0, 0
	}
	return text, start, end
}
