package voiceflow

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// outgoing is a forwarded call in the form in which it goes to Voiceflow.
type outgoing struct {
	request *http.Request
	body    *callersBody // nil unless the body passes part by part
	userID  string       // the user id in the body, in Voiceflow's form
}

// newOutgoing builds the request. It contains nothing of r except what the endpoint allows.
func newOutgoing(s *service, f domain.Forward, r *http.Request, credential domain.Secret) (outgoing, error) {
	endpoint := f.Route.Endpoint
	ids := newBinder(f)
	target, err := f.Route.Target(f.Project, ids.user)
	if err != nil {
		return outgoing{}, err
	}
	query, err := newQuery(f, r.URL.RawQuery)
	if err != nil {
		return outgoing{}, err
	}
	out := outgoing{request: &http.Request{
		Method: endpoint.Method, URL: s.at(target, query), Header: newHeader(f, r.Header, credential),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}}
	out.request.Host = s.base.Host
	switch endpoint.Body {
	case domain.AnyBody:
		out.pass(r)
	case domain.JSONBody:
		err = out.rewrite(f, r, ids)
	}
	if err != nil {
		return outgoing{}, err
	}
	return out, ids.check()
}

// binder turns the ids of one call into Voiceflow's, and keeps them.
type binder struct {
	ids             domain.UserIDs
	users, sessions []string // in Voiceflow's form
}

func newBinder(f domain.Forward) *binder { return &binder{ids: f.UserIDs} }

// user turns a user id of the caller into Voiceflow's.
func (b *binder) user(own string) (string, error) { return b.bind(own, &b.users) }

// session turns a session id of the caller into Voiceflow's.
func (b *binder) session(own string) (string, error) { return b.bind(own, &b.sessions) }

func (b *binder) bind(own string, kept *[]string) (string, error) {
	bound := own
	if b.ids.Bind != nil {
		var err error
		if bound, err = b.ids.Bind(own); err != nil {
			return "", err
		}
	}
	*kept = append(*kept, bound)
	return bound, nil
}

// check checks all ids of the call together.
func (b *binder) check() error {
	if b.ids.Check == nil {
		return nil
	}
	return b.ids.Check(b.users, b.sessions)
}

// remembered returns the ids of one call. They also know the ids that the call itself has bound.
// The pseudonym of a long id can't be turned back in another way.
func remembered(ids domain.UserIDs) domain.UserIDs {
	if ids.Bind == nil || ids.Own == nil {
		return ids
	}
	own := map[string]string{}
	return domain.UserIDs{
		Check: ids.Check,
		Bind: func(text string) (string, error) {
			bound, err := ids.Bind(text)
			if err == nil {
				own[bound] = text
			}
			return bound, err
		},
		Own: func(bound string) (string, bool) {
			if text, made := own[bound]; made {
				return text, true
			}
			return ids.Own(bound)
		},
	}
}

// at returns the URL of a path, with its percent-encoding, and a query at the service.
func (s *service) at(target, query string) *url.URL {
	u := &url.URL{Scheme: s.base.Scheme, Host: s.base.Host, Path: s.path + target, RawQuery: query}
	if strings.Contains(u.Path, "%") {
		u.RawPath = u.Path
		// Both parts were encoded by net/url.
		u.Path, _ = url.PathUnescape(u.RawPath)
	}
	return u
}

// newQuery returns the query to send: the caller's parameters that the endpoint lets pass, in
// their order, and then the fields of the project.
func newQuery(f domain.Forward, raw string) (string, error) {
	endpoint := f.Route.Endpoint
	var query strings.Builder
	add := func(name, value string) {
		if query.Len() > 0 {
			query.WriteByte('&')
		}
		query.WriteString(url.QueryEscape(name))
		query.WriteByte('=')
		query.WriteString(url.QueryEscape(value))
	}
	logs := false // came before
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		// Some servers also separate by semicolons, so the text after a semicolon can be read in
		// two ways.
		if strings.Contains(pair, ";") {
			return "", &domain.Error{Kind: domain.Invalid, Public: "the query contains a semicolon; write %3B instead"}
		}
		name, value, _ := strings.Cut(pair, "=")
		name, badName := url.QueryUnescape(name)
		value, badValue := url.QueryUnescape(value)
		if badName != nil || badValue != nil {
			return "", &domain.Error{Kind: domain.Invalid, Public: "the query contains an invalid percent-encoding"}
		}
		if name == string(domain.FieldProject) && !f.Project.Is(domain.FieldProject, value) {
			return "", notOfProject()
		}
		isLogs := name == string(domain.FieldLogs)
		if slices.Contains(endpoint.Query, name) && (!isLogs || mayAskForLogs(f, value, logs)) {
			add(name, value)
		}
		logs = logs || isLogs
	}
	for _, field := range endpoint.Ours {
		if value := f.Project.Value(field); value != "" {
			add(string(field), value)
		}
	}
	return query.String(), nil
}

// mayAskForLogs reports whether the caller may send the value of domain.FieldLogs. Express reads a
// parameter that comes again as a list.
func mayAskForLogs(f domain.Forward, value string, again bool) bool {
	return f.Scopes.Has(domain.ScopeDebug) || value == domain.LogsOff && !again
}

func notOfProject() error {
	return &domain.Error{Kind: domain.NotFound, Public: "this does not belong to the assistant that is set"}
}

// newHeader returns the header to send. The names are as http.Header has them.
func newHeader(f domain.Forward, callers http.Header, credential domain.Secret) http.Header {
	endpoint := f.Route.Endpoint
	header := make(http.Header, 8)
	pass := func(name string) {
		if values := callers[name]; len(values) > 0 {
			header[name] = values
		}
	}
	pass("Accept")
	pass("Accept-Language")
	pass("Last-Event-Id")
	// The filter reads the answer. Without this header any encoding would be allowed (RFC 9110,
	// section 12.5.3).
	header["Accept-Encoding"] = []string{"identity"}
	switch endpoint.Body {
	case domain.AnyBody:
		pass("Content-Type")
		pass("Content-Encoding")
	case domain.JSONBody:
		// The body was checked as JSON, so nobody must read it as a form.
		header["Content-Type"] = []string{"application/json"}
	}
	header["User-Agent"] = []string{"flowlatch"}
	header["Authorization"] = []string{credential.Reveal()}
	if !endpoint.BySession {
		header["Versionid"] = []string{f.Project.Value(domain.FieldVersion)}
		header["Projectid"] = []string{f.Project.Value(domain.FieldProject)}
	}
	return header
}

// pass lets the caller's body pass part by part.
func (out *outgoing) pass(r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	out.body = &callersBody{from: r.Body}
	out.request.Body, out.request.ContentLength = out.body, r.ContentLength
}

// rewrite reads the caller's JSON body. It sends it with its members checked, set and bound.
func (out *outgoing) rewrite(f domain.Forward, r *http.Request, ids *binder) error {
	for _, encoding := range r.Header["Content-Encoding"] {
		if encoding != "" && !strings.EqualFold(encoding, "identity") {
			return &domain.Error{Kind: domain.Invalid, Public: "the body of this call must not be compressed"}
		}
	}
	body, err := readBody(r)
	if err != nil {
		return err
	}
	// A changed body is a copy.
	held := ports.HeldIn(r.Context())
	if err := held.Add(len(body)); err != nil {
		return err
	}
	body, out.userID, err = rewriteBody(body, f, ids)
	if err != nil {
		return err
	}
	out.sendAgain(body)
	return nil
}

// small reports whether the caller's body is short enough to go out in one piece with the
// header, like a body that was read before.
func (out *outgoing) small() bool {
	return out.body != nil && out.request.ContentLength > 0 && out.request.ContentLength <= maxWhole
}

// readAhead reads the caller's body before anything is sent, up to a limit. It reports whether
// that was the whole body.
func (out *outgoing) readAhead(held *ports.Held) (whole bool, err error) {
	if out.body == nil {
		return true, nil
	}
	body, err := held.ReadAll(out.body, maxJSONBody)
	if err != nil {
		return false, unreadable(err)
	}
	if len(body) > maxJSONBody {
		return false, nil
	}
	out.body = nil
	out.sendAgain(body)
	return true, nil
}

// peek reads the beginning of a body that passes part by part. A body that can't be read at all,
// such as one that is too large, is then refused before the call begins.
func (out *outgoing) peek() error {
	if out.body == nil {
		return nil
	}
	first := make([]byte, 512)
	n, err := io.ReadAtLeast(out.body, first, 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return unreadable(err)
	}
	out.body.first = first[:n]
	return nil
}

// sendAgain makes body the body of the request. It can be sent more than once, because a
// connection may turn out to be closed before anything was written to it.
func (out *outgoing) sendAgain(body []byte) {
	again := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	out.request.Body, _ = again()
	out.request.GetBody, out.request.ContentLength = again, int64(len(body))
}

// failed returns the error of reading the caller's body, or nil.
func (out *outgoing) failed() error {
	if out.body == nil {
		return nil
	}
	if end := out.body.end.Load(); end != nil && !errors.Is(*end, io.EOF) {
		return *end
	}
	return nil
}

// sent reports whether the caller's body was read to its end.
func (out *outgoing) sent() bool {
	if out.body == nil {
		return true
	}
	end := out.body.end.Load()
	return end != nil && errors.Is(*end, io.EOF)
}

// unreadable returns the error for a body that could not be read, or may not be held in memory.
func unreadable(err error) error {
	if domain.KindOf(err) == domain.Unavailable {
		return err
	}
	return &domain.Error{Kind: domain.Invalid, Public: "the body could not be read to its end; send the request again", Cause: err}
}

// callersBody is the body of a caller on its way to Voiceflow. It remembers how it ended. A
// transport may read from it after the answer has come.
type callersBody struct {
	from  io.ReadCloser
	first []byte // was read before, and comes first
	end   atomic.Pointer[error]
}

func (b *callersBody) Read(p []byte) (int, error) {
	if len(b.first) > 0 {
		n := copy(p, b.first)
		b.first = b.first[n:]
		return n, nil
	}
	n, err := b.from.Read(p)
	if err != nil {
		b.end.CompareAndSwap(nil, &err)
	}
	return n, err
}

func (b *callersBody) Close() error { return b.from.Close() }
