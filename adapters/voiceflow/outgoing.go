package voiceflow

import (
	"bytes"
	"context"
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
	small   bool         // the body is short enough to go out in one piece with the header
	userID  string       // the user id in the body, in Voiceflow's form
}

// newOutgoing builds the request. It contains nothing of r except what the endpoint allows. The
// environment is chosen once everything that may name one was read.
func newOutgoing(ctx context.Context, s *service, f domain.Forward, r *http.Request, credential domain.Secret) (outgoing, error) {
	endpoint := f.Route.Endpoint
	if f.Personal && !endpoint.TakesPersonal() {
		return outgoing{}, errors.New("voiceflow: the call takes no personal access token")
	}
	ids := newBinder(f)
	if err := f.Route.CheckProject(f.Project); err != nil {
		return outgoing{}, err
	}
	query, body, asked, err := readCall(f, r, ids)
	if err != nil {
		return outgoing{}, err
	}
	used, err := f.Environment(ctx, asked)
	if err != nil {
		return outgoing{}, err
	}
	target, err := f.Route.Target(f.Project, used, ids.user)
	if err != nil {
		return outgoing{}, err
	}
	for _, field := range endpoint.Ours {
		if value := f.Project.Value(field, used); value != "" {
			query.add(string(field), value)
		}
	}
	header := newHeader(f, used, r.Header, credential)
	if err := ids.header(header, r.Header); err != nil {
		return outgoing{}, err
	}
	var out outgoing
	out.request = &http.Request{
		Method: endpoint.Method, URL: s.at(target, query.String()), Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	out.request.Host = s.base.Host
	switch {
	case body.form != nil:
		out.pass(r, body.form.rest(used))
		header["Content-Type"] = []string{body.form.contentType()}
	case body.json != nil:
		out.userID = body.json.userID
		out.sendAgain(body.json.rest(used))
	}
	return out, ids.check()
}

// checkedBody is a body that was checked. Both are nil for a call without a body.
type checkedBody struct {
	json *bodyRewriter
	form *formReader
}

// readCall reads the caller's query and, if it is to be checked, the body. asked is what they and the
// header say about the environment.
func readCall(f domain.Forward, r *http.Request, ids *binder) (q *query, body checkedBody, asked domain.AskedEnvironment, err error) {
	endpoint := f.Route.Endpoint
	if endpoint.TakesEnvironment() {
		asked.Names = named(r.Header["Versionid"])
	}
	if q, err = readQuery(f, r.URL.RawQuery, ids, &asked); err != nil {
		return nil, checkedBody{}, asked, err
	}
	takesForm, err := sendsForm(endpoint, r)
	switch {
	case err != nil:
	case takesForm:
		if body.form, err = readForm(f, r, ids); err == nil {
			asked.Add(body.form.asked)
		}
	case endpoint.Body != domain.NoBody:
		if body.json, err = readJSON(f, r, ids); err == nil {
			asked.Add(body.json.asked)
		}
	}
	return q, body, asked, err
}

// named returns the values that are not empty.
func named(values []string) []string {
	return slices.DeleteFunc(slices.Clone(values), func(value string) bool { return value == "" })
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

// query is a query to send.
type query struct{ strings.Builder }

func (q *query) add(name, value string) {
	if q.Len() > 0 {
		q.WriteByte('&')
	}
	q.WriteString(url.QueryEscape(name))
	q.WriteByte('=')
	q.WriteString(url.QueryEscape(value))
}

// readQuery returns the caller's parameters that the endpoint lets pass, in their order. It adds the
// environment that the query asks for to asked.
func readQuery(f domain.Forward, raw string, ids *binder, asked *domain.AskedEnvironment) (*query, error) {
	endpoint := f.Route.Endpoint
	var kept query
	logs := false // came before
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, err := parameter(pair)
		if err != nil {
			return nil, err
		}
		if name == string(domain.FieldProject) && !f.Project.IsVoiceflow(value) {
			return nil, domain.OtherProject("the projectID in the query")
		}
		if is := domain.Field(name); endpoint.TakesID(is) {
			bound, err := ids.parameter(is, value)
			if err != nil {
				return nil, err
			}
			kept.add(name, bound)
			continue
		}
		isLogs := name == string(domain.FieldLogs)
		if slices.Contains(endpoint.Query, name) && (!isLogs || mayAskForLogs(f, value, logs)) {
			kept.add(name, value)
		}
		logs = logs || isLogs
		asks(endpoint, name, value, asked)
	}
	return &kept, nil
}

// parameter returns the name and the value of a parameter of a query.
func parameter(pair string) (name, value string, err error) {
	// Some servers also separate by semicolons, so the text after a semicolon can be read in
	// two ways.
	if strings.Contains(pair, ";") {
		return "", "", &domain.Error{Kind: domain.Invalid, Public: "the query contains a semicolon; write %3B instead"}
	}
	name, value, _ = strings.Cut(pair, "=")
	name, badName := url.QueryUnescape(name)
	value, badValue := url.QueryUnescape(value)
	if badName != nil || badValue != nil {
		return "", "", &domain.Error{Kind: domain.Invalid, Public: "the query contains an invalid percent-encoding"}
	}
	return name, value, nil
}

// asks adds the environment or stage that a parameter of a query asks for to asked. Servers read a name
// with brackets as a list or an object, which is no name of an environment.
func asks(endpoint *domain.Endpoint, name, value string, asked *domain.AskedEnvironment) {
	plain, _, inBrackets := strings.Cut(name, "[")
	field := domain.Field(plain)
	to := &asked.Names
	switch {
	case value == "":
		return
	case field.NamesEnvironment() && endpoint.TakesEnvironment():
	case field == domain.FieldStage && endpoint.TakesStage(),
		field == domain.FieldVariant && slices.Contains(endpoint.Ours, domain.FieldVariant):
		to = &asked.Stages
	default:
		return
	}
	if inBrackets {
		to, value = &asked.NoText, name+"="+value
	}
	*to = append(*to, value)
}

// mayAskForLogs reports whether the caller may send the value of domain.FieldLogs. Express reads a
// parameter that comes again as a list.
func mayAskForLogs(f domain.Forward, value string, again bool) bool {
	return f.Scopes.Has(domain.ScopeDebug) || value == domain.LogsOff && !again
}

// newHeader returns the header to send. The names are as http.Header has them.
func newHeader(f domain.Forward, used domain.UsedEnvironment, callers http.Header, credential domain.Secret) http.Header {
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
	for _, name := range endpoint.Headers {
		pass(name)
	}
	// The filter reads the answer. Without this header any encoding would be allowed (RFC 9110,
	// section 12.5.3).
	header["Accept-Encoding"] = []string{"identity"}
	if endpoint.Body != domain.NoBody {
		// The body was checked as JSON, so nobody must read it as a form.
		header["Content-Type"] = []string{"application/json"}
	}
	header["User-Agent"] = []string{"flowlatch"}
	header["Authorization"] = []string{credential.Reveal()}
	if f.Personal {
		header["Authorization"] = []string{bearer(credential)}
	}
	if version := used.Value(domain.FieldVersion); version != "" && endpoint.VersionHeader {
		header["Versionid"] = []string{version}
	}
	if !endpoint.BySession {
		header["Projectid"] = []string{f.Project.Value(domain.FieldProject, used)}
	}
	return header
}

// bearer returns the header Authorization with a personal access token. Voiceflow documents the
// scheme for it (github.com/voiceflow/cli, .speakeasy/out.openapi.yaml). A project's key goes
// without one.
func bearer(token domain.Secret) string { return "Bearer " + token.Reveal() }

// pass lets the form that was made from the body of r pass part by part.
func (out *outgoing) pass(r *http.Request, form io.Reader) {
	out.body = &callersBody{from: form, close: r.Body}
	out.small = 0 < r.ContentLength && r.ContentLength <= maxWhole
	out.request.Body, out.request.ContentLength = out.body, -1
}

// plainBody returns Invalid for a body that is compressed.
func plainBody(r *http.Request) error {
	for _, encoding := range r.Header["Content-Encoding"] {
		if encoding != "" && !strings.EqualFold(encoding, "identity") {
			return &domain.Error{Kind: domain.Invalid, Public: "the body of this call must not be compressed"}
		}
	}
	return nil
}

// readJSON reads the caller's JSON body, and checks and binds its members.
func readJSON(f domain.Forward, r *http.Request, ids *binder) (*bodyRewriter, error) {
	if err := plainBody(r); err != nil {
		return nil, err
	}
	body, err := readBody(r, f.Route.Endpoint.MaxJSON())
	if err != nil {
		return nil, err
	}
	// A changed body is a copy.
	if err := ports.HeldIn(r.Context()).Add(len(body)); err != nil {
		return nil, err
	}
	return rewriteBody(body, f, ids)
}

// readAhead reads the caller's body before anything is sent, up to a limit. It reports whether
// that was the whole body.
func (out *outgoing) readAhead(held *ports.Held) (whole bool, err error) {
	if out.body == nil {
		return true, nil
	}
	body, err := held.ReadAll(out.body, maxReadAhead)
	if err != nil {
		return false, unreadable(err)
	}
	if len(body) > maxReadAhead {
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

// unreadable returns the error for a body that could not be read, was refused, or may not be held in
// memory.
func unreadable(err error) error {
	if refused, is := errors.AsType[*domain.Error](err); is {
		return refused
	}
	return &domain.Error{Kind: domain.Invalid, Public: "the body could not be read to its end; send the request again", Cause: err}
}

// callersBody is the body of a caller on its way to Voiceflow. It remembers how it ended. A
// transport may read from it after the answer has come.
type callersBody struct {
	from  io.Reader
	close io.Closer
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

func (b *callersBody) Close() error { return b.close.Close() }
