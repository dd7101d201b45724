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
	// maxRefusal bounds what is passed on of an answer of 400 and more, in bytes.
	maxRefusal = 1 << 20
	// maxSession bounds the answer in which a session key is, in bytes.
	maxSession = 64 << 10
	// maxWhole bounds the bodies, of both directions, that are read whole before they are
	// passed on, in bytes.
	maxWhole = 64 << 10
	// badKeyBegins and badKeyEnds are how Voiceflow's message of a 400 to a key that it does
	// not know begins and ends (voiceflow-docs, reference/stateinteract-1: 'Cannot resolve
	// project version, please verify that your API key is correct.'). One that repeats what
	// a caller said does not begin in this way.
	badKeyBegins, badKeyEnds = "Cannot resolve ", ", please verify that your API key is correct."
)

// pass makes of Voiceflow's answer the one that is passed on. userID is that of the session
// that the call starts, if it starts one. When it fails, the exchange is the caller's to
// close.
func (c *Client) pass(x *exchange, f domain.Forward, answer *http.Response, userID string, credential domain.Secret) (ports.Answer, error) {
	if err := c.usable(answer); err != nil {
		return ports.Answer{}, err
	}
	passed := ports.Answer{
		Sent: true, StatusCode: answer.StatusCode,
		Header: passedHeader(answer.Header, credential.Reveal()), ContentLength: answer.ContentLength,
	}
	if f.Route.Endpoint.Starts {
		// What is in the others nobody looks through for the session's key.
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
	default:
		if form == formEvents {
			x.stream(c.forwardIdle)
		}
		err = x.plain(newFilter(x, f, form, credential), &passed, form, answer.Body == http.NoBody)
	}
	return passed, err
}

// usable returns why the answer can't be passed on, if it can't.
func (c *Client) usable(answer *http.Response) error {
	switch status := answer.StatusCode; {
	case status == http.StatusUnauthorized:
		return rejected(status)
	case status < 200 || status >= 300 && status < 400:
		return unusable(answer, fmt.Errorf("voiceflow: status %d", status), c.now())
	case encoded(answer.Header):
		return unusable(answer, errors.New("voiceflow: an encoding that was not asked for"), c.now())
	}
	return nil
}

// plain passes an answer on about which nothing is special. Small JSON it reads whole: that
// then has a length, whatever becomes of its user ids, and one that breaks is no answer
// instead of half of one.
func (x *exchange) plain(f *filter, passed *ports.Answer, form form, empty bool) error {
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
	}
	passed.Body = f
	if f.ids != nil && passed.ContentLength >= 0 {
		passed.ContentLength = -1
		passed.Header.Del("Content-Length")
	}
	return nil
}

// passWhole passes an answer on that is body. Nothing more is read of the exchange.
func (x *exchange) passWhole(f *filter, passed *ports.Answer, body []byte) {
	_ = x.Close()
	passed.Header.Del("Content-Length")
	whole := f.whole(body)
	passed.Body, passed.ContentLength = whole, whole.Size()
}

func rejected(status int) error {
	return &domain.Error{
		Kind: domain.CredentialsRejected, Public: "Voiceflow does not take the assistant's key any more",
		Cause: fmt.Errorf("voiceflow: status %d", status),
	}
}

// unusable is the error for an answer that can't be passed on.
func unusable(answer *http.Response, cause error, now time.Time) error {
	e := unavailable("Voiceflow gave no answer that can be used", cause)
	e.RetryAfter = retryAfter(answer.Header.Get("Retry-After"), now)
	return e
}

// encoded says whether the body is compressed, which nobody asked for.
func encoded(header http.Header) bool {
	for _, encoding := range header["Content-Encoding"] {
		if encoding != "" && !strings.EqualFold(encoding, "identity") {
			return true
		}
	}
	return false
}

// form is what is known of a body by its content type.
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

// passedHeader is what is passed on of an answer's header: the names of a short list, and
// of these none with the credential in it. The names are as http.Header has them.
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

// refusal reads the body of an answer of 400 and more, and leaves it out when it is no
// JSON, whatever it is labelled. It is CredentialsRejected where the body says so.
func (x *exchange) refusal(f *filter, passed *ports.Answer, e *domain.Endpoint) error {
	body, err := x.readAll(maxRefusal)
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
			return rejected(passed.StatusCode)
		}
	}
	passed.Header["Content-Type"] = []string{"application/json"}
	x.passWhole(f, passed, body)
	return nil
}

// lenient is how answers are read that are passed on as they are.
var lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// session takes the session key out of the answer to a call that started a session, and
// puts the handle in its place. Nothing of the key is left in the answer.
func (x *exchange) session(f *filter, passed *ports.Answer, handle string) error {
	body, err := x.readAll(maxSession)
	if err != nil {
		return err
	}
	key, start, end := topMember(body, "sessionKey")
	if key == "" {
		return unavailable("Voiceflow opened no session", errors.New("voiceflow: the answer has no session key"))
	}
	// As text and as it stands in JSON.
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

// readAll reads the answer, which is a *domain.Error when it has more than limit bytes.
func (x *exchange) readAll(limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(x, limit+1))
	if err == nil && int64(len(body)) > limit {
		err = unavailable("Voiceflow's answer is too large", errTooLong)
	}
	return body, err
}

// topMember finds the member name of the JSON object that body is: its text, and where
// its value stands. The text is "" where there is none.
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
