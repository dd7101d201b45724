package voiceflow

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxReadAhead bounds what is read of a body that passes part by part before anything is sent, in
// bytes.
const maxReadAhead = 1 << 20

// readBody reads the whole body of r, which may have limit bytes.
func readBody(r *http.Request, limit int64) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	if r.ContentLength > limit {
		return nil, tooLong(limit)
	}
	var body []byte
	var err error
	if whole, is := r.Body.(*ports.WholeBody); is {
		body = whole.All
	} else {
		body, err = ports.HeldIn(r.Context()).ReadAll(r.Body, limit)
	}
	switch {
	case err != nil:
		return nil, unreadable(err)
	case int64(len(body)) > limit:
		return nil, tooLong(limit)
	}
	return body, nil
}

func tooLong(limit int64) error {
	return &domain.Error{
		Kind: domain.Invalid, Public: "the body of this call is longer than " + strconv.FormatInt(limit>>20, 10) + " MiB", Cause: &http.MaxBytesError{Limit: limit},
	}
}

// rewriteBody checks and binds the members of a body. The body must be one JSON object without
// repeated names; an empty body counts as an empty object. rest of the rewriter returns the body to
// send. Every byte that is no part of a member stays the same.
func rewriteBody(body []byte, f domain.Forward, ids *binder) (*bodyRewriter, error) {
	if len(body) == 0 {
		body = []byte("{}")
	}
	w := &bodyRewriter{
		// The decoder is strict by default. Repeated names and invalid UTF-8 could be read in
		// one way here and in another way at Voiceflow.
		json: jsontext.NewDecoder(bytes.NewBuffer(body)), body: body,
		project: f.Project, scopes: f.Scopes, ids: ids,
	}
	all := f.Route.Endpoint.AllMembers()
	members := make([]member, len(all))
	for i, m := range all {
		members[i] = member{at: m.At, Member: m}
	}
	if w.json.PeekKind() != '{' {
		return nil, noObject()
	}
	if err := w.object(members); err != nil {
		return nil, err
	}
	if _, err := w.json.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, noObject()
	}
	return w, nil
}

// noObject leaves the decoder's error out, because it quotes the body.
func noObject() error {
	return &domain.Error{Kind: domain.Invalid, Public: "the body must be one JSON object in UTF-8 without repeated names"}
}

func invalidBody(at []string, what string) error {
	return &domain.Error{Kind: domain.Invalid, Public: "in the body, " + strings.Join(at, ".") + " " + what}
}

// member is a member to look for below the rewriter's position.
type member struct {
	domain.Member

	at []string // the rest of At
}

// below returns the member to look for one level deeper.
func (m member) below() member { return member{Member: m.Member, at: m.at[1:]} }

// bodyRewriter goes through a body once and keeps the changes. They are made by rest, once the
// environment is chosen. Without a change it copies nothing.
type bodyRewriter struct {
	json    *jsontext.Decoder
	body    []byte
	changes []change
	asked   domain.AskedEnvironment
	project domain.Project
	scopes  domain.Scopes
	ids     *binder
	userID  string
}

// change replaces a part of the body with what put appends.
type change struct {
	start, end int
	put        func(b []byte, used domain.UsedEnvironment) []byte
}

// object goes through the next object.
func (w *bodyRewriter) object(members []member) error {
	if _, err := w.json.ReadToken(); err != nil {
		return noObject()
	}
	empty := true
	here := make([]bool, len(members))
	for w.json.PeekKind() == '"' {
		name, err := w.json.ReadToken()
		if err != nil {
			return noObject()
		}
		empty = false
		if err := w.value(name.String(), members, here); err != nil {
			return err
		}
	}
	if t, err := w.json.ReadToken(); err != nil || t.Kind() != '}' {
		return noObject()
	}
	return w.missing(members, here, empty)
}

// missing notes which members are to be added to the object that has just ended.
func (w *bodyRewriter) missing(members []member, here []bool, empty bool) error {
	var missing []member
	for i, m := range members {
		switch {
		case here[i]:
		case len(m.at) == 1 && m.Is.OfProject():
			if !m.IfThere {
				missing = append(missing, m)
			}
		case m.Must:
			return invalidBody(m.At, "is missing")
		case m.Is.OfProject() && !m.IfThere:
			missing = append(missing, m)
		}
	}
	if len(missing) > 0 {
		end := int(w.json.InputOffset()) - 1
		w.changes = append(w.changes, change{end, end, func(b []byte, used domain.UsedEnvironment) []byte {
			return w.putIn(b, missing, empty, used)
		}})
	}
	return nil
}

// putIn appends the members that have a value to an object, which is empty or not.
func (w *bodyRewriter) putIn(b []byte, members []member, empty bool, used domain.UsedEnvironment) []byte {
	for _, m := range members {
		value := w.project.Value(m.Is, used)
		if value == "" {
			continue
		}
		if !empty {
			b = append(b, ',')
		}
		b = append(quoted(b, m.at[0]), ':')
		for _, name := range m.at[1:] {
			b = append(quoted(append(b, '{'), name), ':')
		}
		b = quoted(b, value)
		b = append(b, strings.Repeat("}", len(m.at)-1)...)
		empty = false
	}
	return b
}

// value goes through the value of the member name, and notes which of members it is.
func (w *bodyRewriter) value(name string, members []member, here []bool) error {
	var deeper []member
	for i, m := range members {
		switch {
		case m.at[0] != name:
		case len(m.at) > 1:
			here[i] = true
			deeper = append(deeper, m.below())
		default:
			here[i] = true
			return w.leaf(m)
		}
	}
	if deeper == nil {
		return w.skip()
	}
	return w.descend(deeper)
}

// descend goes into the next value, to look for members in it.
func (w *bodyRewriter) descend(members []member) error {
	switch w.json.PeekKind() {
	case 'n':
		for _, m := range members {
			if m.Must {
				return invalidBody(m.At, "is missing")
			}
		}
		return w.skip()
	case '{':
		if members[0].at[0] != "[]" {
			return w.object(members)
		}
	case '[':
		if members[0].at[0] == "[]" {
			return w.array(members)
		}
	}
	// Voiceflow might read an undocumented form in its own way.
	return &domain.Error{Kind: domain.Invalid, Public: "the body does not have the form that Voiceflow documents for this call"}
}

func (w *bodyRewriter) array(members []member) error {
	if _, err := w.json.ReadToken(); err != nil {
		return noObject()
	}
	inner := make([]member, len(members))
	for i, m := range members {
		inner[i] = m.below()
	}
	for {
		switch w.json.PeekKind() {
		case ']':
			_, err := w.json.ReadToken()
			return err
		case 0:
			return noObject()
		}
		if err := w.descend(inner); err != nil {
			return err
		}
	}
}

func (w *bodyRewriter) skip() error {
	if w.json.SkipValue() != nil {
		return noObject()
	}
	return nil
}

// leaf checks, sets or binds the value of m.
func (w *bodyRewriter) leaf(m member) error {
	raw, err := w.json.ReadValue()
	if err != nil {
		return noObject()
	}
	end := int(w.json.InputOffset())
	start := end - len(raw)
	put := func(value string) {
		w.write(start, end, func(b []byte) []byte { return quoted(b, value) })
	}
	switch m.Is {
	case domain.FieldProject:
		id, isText := textOf(raw)
		switch {
		case !isText:
			return invalidBody(m.At, "must be a string")
		case !w.project.IsVoiceflow(id):
			return domain.OtherProject("in the body, " + strings.Join(m.At, "."))
		}
	case domain.FieldUser, domain.FieldSession:
		return w.bind(m, raw, put)
	case domain.FieldState:
		if !w.scopes.Has(domain.ScopeState) {
			return &domain.Error{Kind: domain.NotAllowed, Public: "in the body of a turn, " + strings.Join(m.At, ".") + " needs the scope state; an admin can grant it, and an access token has to be created with it" + domain.SeeScopes}
		}
	case domain.FieldNone:
		return invalidBody(m.At, "is not allowed; leave it out")
	case domain.FieldLogs:
		if text, isText := textOf(raw); !w.scopes.Has(domain.ScopeDebug) && (!isText || text != domain.LogsOff) {
			put(domain.LogsOff)
		}
	case domain.FieldExcludeTypes:
		if !w.scopes.Has(domain.ScopeDebug) {
			return w.exclude(m, raw, end)
		}
	default:
		w.environment(m, raw, start)
	}
	return nil
}

// environment notes which environment or stage raw asks for, and puts the one that is used in its
// place. null and an empty text ask for none.
func (w *bodyRewriter) environment(m member, raw jsontext.Value, start int) {
	text, isText := textOf(raw)
	asks := raw.Kind() != 'n' && (!isText || text != "")
	switch {
	case !asks:
	case !isText:
		w.asked.NoText = append(w.asked.NoText, string(raw))
	case m.Is.NamesStage():
		w.asked.Stages = append(w.asked.Stages, text)
	default:
		w.asked.Names = append(w.asked.Names, text)
	}
	end := start + len(raw)
	w.changes = append(w.changes, change{start, end, func(b []byte, used domain.UsedEnvironment) []byte {
		switch value := w.project.Value(m.Is, used); {
		case value != "":
			return quoted(b, value)
		case asks:
			return append(b, "null"...)
		}
		return append(b, w.body[start:end]...)
	}})
}

// bind binds the user id or session id raw to the caller.
func (w *bodyRewriter) bind(m member, raw []byte, put func(string)) error {
	own, isText := textOf(raw)
	if !isText {
		if raw[0] == 'n' && w.ids.endpoint.Searches() {
			return nil
		}
		return invalidBody(m.At, "must be a string")
	}
	id, err := w.ids.id(m.Is, own, "in the body, "+strings.Join(m.At, "."))
	if err != nil {
		return err
	}
	if m.Is == domain.FieldUser {
		w.userID = id
	}
	if id != own {
		put(id)
	}
	return nil
}

// exclude adds the types of debug output to the list raw, which ends at end. Voiceflow has a list
// of its own for null, so null becomes a list too.
func (w *bodyRewriter) exclude(m member, raw jsontext.Value, end int) error {
	missing := domain.DebugTypes()
	if raw.Kind() == 'n' {
		list, err := json.Marshal(missing)
		w.write(end-len(raw), end, func(b []byte) []byte { return append(b, list...) })
		return err
	}
	var listed []string
	if raw.Kind() != '[' || json.Unmarshal(raw, &listed) != nil {
		return invalidBody(m.At, "must be a list of strings")
	}
	missing = slices.DeleteFunc(missing, func(kind string) bool { return slices.Contains(listed, kind) })
	if len(missing) == 0 {
		return nil
	}
	w.write(end-1, end-1, func(b []byte) []byte {
		for i, kind := range missing {
			if i > 0 || len(listed) > 0 {
				b = append(b, ',')
			}
			b = quoted(b, kind)
		}
		return b
	})
	return nil
}

// write replaces body[start:end] with what add appends.
func (w *bodyRewriter) write(start, end int, add func([]byte) []byte) {
	w.changes = append(w.changes, change{start, end, func(b []byte, _ domain.UsedEnvironment) []byte { return add(b) }})
}

// rest returns the whole body with its changes, for a call that uses the environment.
func (w *bodyRewriter) rest(used domain.UsedEnvironment) []byte {
	if len(w.changes) == 0 {
		return w.body
	}
	var written []byte
	done := 0 // how much of body is in written
	for _, c := range w.changes {
		written = c.put(append(written, w.body[done:c.start]...), used)
		done = c.end
	}
	return append(written, w.body[done:]...)
}

// textOf returns the text of a JSON string.
func textOf(raw []byte) (text string, is bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	unquoted, err := jsontext.AppendUnquote(nil, raw)
	return string(unquoted), err == nil
}

// quoted appends text as a JSON string. Invalid UTF-8 becomes U+FFFD.
func quoted(b []byte, text string) []byte {
	b, _ = jsontext.AppendQuote(b, text)
	return b
}
