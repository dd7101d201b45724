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
)

// outgoing is a forwarded call as Voiceflow gets it.
type outgoing struct {
	request *http.Request
	body    *callersBody // nil unless it passes part by part
	userID  string       // that the body names, as Voiceflow has it
}

// newOutgoing makes the request anew: nothing of r is in it but what the endpoint lets
// pass.
func newOutgoing(s *service, f domain.Forward, r *http.Request, credential domain.Secret) (outgoing, error) {
	endpoint := f.Route.Endpoint
	target, err := f.Route.Target(f.Project, bound(f))
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
		err = out.rewrite(f, r)
	}
	return out, err
}

// bound is how a caller's user id becomes Voiceflow's.
func bound(f domain.Forward) func(string) (string, error) {
	if f.UserIDs.Bind != nil {
		return f.UserIDs.Bind
	}
	return func(own string) (string, error) { return own, nil }
}

// remembered are the ids of one call. They know also what the call has bound itself: the
// own id behind the pseudonym of a long one can't be found in another way.
func remembered(ids domain.UserIDs) domain.UserIDs {
	if ids.Bind == nil || ids.Own == nil {
		return ids
	}
	own := map[string]string{}
	return domain.UserIDs{
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

// at is the URL of a path, with its percent-encoding, and a query at the service.
func (s *service) at(target, query string) *url.URL {
	u := &url.URL{Scheme: s.base.Scheme, Host: s.base.Host, Path: s.path + target, RawQuery: query}
	if strings.Contains(u.Path, "%") {
		u.RawPath = u.Path
		// Both parts were encoded by net/url.
		u.Path, _ = url.PathUnescape(u.RawPath)
	}
	return u
}

// newQuery is the query that is sent: of the caller's what the endpoint lets pass, in its
// order, and then what says what the project is.
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
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		// Some servers separate by semicolons too, so what is behind one can be read in two
		// ways.
		if strings.Contains(pair, ";") {
			return "", &domain.Error{Kind: domain.Invalid, Public: "the query has a semicolon in it; write %3B"}
		}
		name, value, _ := strings.Cut(pair, "=")
		name, badName := url.QueryUnescape(name)
		value, badValue := url.QueryUnescape(value)
		if badName != nil || badValue != nil {
			return "", &domain.Error{Kind: domain.Invalid, Public: "the query has a percent-encoding that is none"}
		}
		if name == string(domain.FieldProject) && !f.Project.Is(domain.FieldProject, value) {
			return "", notOfProject()
		}
		if slices.Contains(endpoint.Query, name) {
			add(name, value)
		}
	}
	for _, field := range endpoint.Ours {
		if value := f.Project.Value(field); value != "" {
			add(string(field), value)
		}
	}
	return query.String(), nil
}

func notOfProject() error {
	return &domain.Error{Kind: domain.NotFound, Public: "this is not of the assistant that is set"}
}

// newHeader is the header that is sent. The names are as http.Header has them.
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
	switch endpoint.Body {
	case domain.AnyBody:
		pass("Content-Type")
		pass("Content-Encoding")
	case domain.JSONBody:
		// It was looked at as JSON, so nobody shall read it as a form.
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

// rewrite reads the caller's JSON body and sends it with its members checked, set and bound.
func (out *outgoing) rewrite(f domain.Forward, r *http.Request) error {
	for _, encoding := range r.Header["Content-Encoding"] {
		if encoding != "" && !strings.EqualFold(encoding, "identity") {
			return &domain.Error{Kind: domain.Invalid, Public: "the body of this call can't be compressed"}
		}
	}
	body, err := readBody(r)
	if err != nil {
		return err
	}
	body, out.userID, err = rewriteBody(body, f)
	if err != nil {
		return err
	}
	out.sendAgain(body)
	return nil
}

// small says whether the caller's body is short enough to go out in one piece with the
// header, as a body does that was read before.
func (out *outgoing) small() bool {
	return out.body != nil && out.request.ContentLength > 0 && out.request.ContentLength <= maxWhole
}

// readAhead reads the whole body of the caller before anything is sent, and says whether
// it is short enough for that.
func (out *outgoing) readAhead() (whole bool, err error) {
	if out.body == nil {
		return true, nil
	}
	body, err := io.ReadAll(io.LimitReader(out.body, maxJSONBody+1))
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

// sendAgain makes body the body of the request, which can be sent more than once: a
// connection may turn out to be closed before anything was written to it.
func (out *outgoing) sendAgain(body []byte) {
	again := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	out.request.Body, _ = again()
	out.request.GetBody, out.request.ContentLength = again, int64(len(body))
}

// failed is what reading the caller's body failed with, nil where it did not.
func (out *outgoing) failed() error {
	if out.body == nil {
		return nil
	}
	if end := out.body.end.Load(); end != nil && !errors.Is(*end, io.EOF) {
		return *end
	}
	return nil
}

// sent says whether the caller's body was read to its end.
func (out *outgoing) sent() bool {
	if out.body == nil {
		return true
	}
	end := out.body.end.Load()
	return end != nil && errors.Is(*end, io.EOF)
}

func unreadable(err error) error {
	return &domain.Error{Kind: domain.Invalid, Public: "the body could not be read to its end", Cause: err}
}

// callersBody is the body of a caller on its way to Voiceflow, which remembers how it
// ended. A transport may read on in it after the answer has come.
type callersBody struct {
	from io.ReadCloser
	end  atomic.Pointer[error]
}

func (b *callersBody) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	if err != nil {
		b.end.CompareAndSwap(nil, &err)
	}
	return n, err
}

func (b *callersBody) Close() error { return b.from.Close() }
