package domain

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Service is one of Voiceflow's services, each of which has a host of its own.
type Service string

// The services that calls are forwarded to (Voiceflow's API reference).
const (
	ServiceAPI       Service = "api"             // export, older transcripts, older knowledge base
	ServiceRuntime   Service = "general-runtime" // conversations, questions to the knowledge base
	ServiceAnalytics Service = "analytics-api"   // transcripts, evaluations, usage
	ServiceRealtime  Service = "realtime-api"    // /v1/stable and /v1alpha1
)

// Services lists every Service.
func Services() []Service {
	return []Service{ServiceAPI, ServiceRuntime, ServiceAnalytics, ServiceRealtime}
}

// Endpoint is one call of Voiceflow's that is forwarded: a row of the allow-list.
type Endpoint struct {
	Service Service
	Method  string
	// Path is Voiceflow's own, with names in braces for what differs from call to call.
	// {projectID}, {versionID} and {environmentAlias} must be those of the project that is
	// set, {userID} is bound to the caller, and everything else is an id or a word.
	Path  string
	Scope Scope
	// Does says in a few words what the call does.
	Does string
	// Query are the parameters of the query that pass as they are.
	Query []string
	// Ours are the parameters of the query that say what the project is: they are put in
	// whatever the caller sent, but a projectID of another project is refused.
	Ours []Field
	// Body is what becomes of the body, and Members what is looked after in it.
	Body    Body
	Members []Member
	// Writes says that the call changes or deletes something beyond the turn of a
	// conversation: it leaves a row in the audit.
	Writes bool
	// Starts says that the call opens a v4 session, and BySession that it is one of those
	// that take such a session's key and no other.
	Starts, BySession bool
	// ByAlias is the path to call instead for a project that was added by an alias, and
	// ByVersion for one that was added by a version id.
	ByAlias, ByVersion string
	// Unconfirmed says that no source tells for sure that a project key opens this.
	Unconfirmed bool
	// Retired says that Voiceflow was seen to answer this with 503 for good.
	Retired bool
}

// Body is what becomes of the body of a call.
type Body int

// What becomes of a body.
const (
	NoBody   Body = iota // none is sent, whatever the caller sent
	AnyBody              // it passes as it is, part by part
	JSONBody             // it must be a JSON object, and its Members are looked after
)

// Field is something that says of a call whose it is.
type Field string

// The fields, by the names that Voiceflow has for them.
const (
	FieldProject     Field = "projectID"
	FieldUser        Field = "userID"
	FieldSession     Field = "sessionID" // groups the turns of a user; chosen by the caller, as a user id is
	FieldVersion     Field = "versionID"
	FieldEnvironment Field = "environment"
	FieldAlias       Field = "environmentAlias"
	FieldStage       Field = "version" // draft or published
)

// Member is a member of a JSON body that says whose the call is: its project is put in or
// checked, its version and environment are put in, and its user and session are bound to
// the caller.
type Member struct {
	// At are the names that lead to it; [] stands for each element of an array.
	At []string
	Is Field
	// Must says that a body without it, or without what leads to it, is refused where it
	// can't be put in.
	Must bool
	// IfThere says that it is looked after where it is there, and never put in.
	IfThere bool
}

// besides are members that are looked after in every JSON body where they are there and
// the Endpoint does not name them: nothing documents that Voiceflow reads them there.
var (
	besides     = []Member{{At: []string{"projectID"}, Is: FieldProject, IfThere: true}}
	besidesTalk = []Member{
		besides[0],
		{At: []string{"userID"}, Is: FieldUser, IfThere: true},
		{At: []string{"sessionID"}, Is: FieldSession, IfThere: true},
		{At: []string{"versionID"}, Is: FieldVersion, IfThere: true},
		{At: []string{"environment"}, Is: FieldEnvironment, IfThere: true},
		{At: []string{"environmentAlias"}, Is: FieldAlias, IfThere: true},
	}
)

// LookedAfter is all that is looked after in a JSON body of the Endpoint: its Members, and
// what might say whose the call is besides.
func (e *Endpoint) LookedAfter() []Member {
	more := besides
	if e.Scope == ScopeConverse || e.Scope == ScopeKnowledge {
		more = besidesTalk
	}
	all := append(make([]Member, 0, len(e.Members)+len(more)), e.Members...)
	for _, m := range more {
		if !slices.ContainsFunc(e.Members, func(named Member) bool { return slices.Equal(named.At, m.At) }) {
			all = append(all, m)
		}
	}
	return all
}

// Value is what field is for the project, "" for what is not the project's to say. It is
// never empty for a version or an environment: Voiceflow takes none for development.
func (p Project) Value(field Field) string {
	switch field {
	case FieldProject:
		return string(p.Voiceflow)
	case FieldVersion, FieldEnvironment, FieldAlias:
		return p.Version
	case FieldStage:
		if p.Version == "development" {
			return "draft"
		}
		return "published"
	}
	return ""
}

// ByAlias says whether the project was added by an environment alias and not by a
// version id.
func (p Project) ByAlias() bool { return VersionRef{Version: p.Version}.Alias() }

// Route is an Endpoint with what a call has in the places of its path.
type Route struct {
	Endpoint *Endpoint
	values   map[string]string
}

// MatchEndpoint finds the endpoint that a call is for: by the service, the method, and
// the path behind the service as it was sent, with its percent-encoding. It is NotFound
// for everything that is not in the allow-list, and for a path that can be read in more
// than one way: with an empty segment, with . or .., and with a slash, a backslash, a
// control character or a percent-encoding that is itself encoded.
func MatchEndpoint(service, method, escapedPath string) (Route, error) {
	nothing := &Error{Kind: NotFound, Public: "Flowlatch forwards no such call"}
	rest, absolute := strings.CutPrefix(escapedPath, "/")
	if !absolute || len(rest) > 2048 {
		return Route{}, nothing
	}
	segments := strings.Split(rest, "/")
	for i, raw := range segments {
		segment, err := url.PathUnescape(raw)
		if err != nil || !plainSegment(segment) {
			return Route{}, nothing
		}
		segments[i] = segment
	}
	for i := range endpoints {
		e := &endpoints[i]
		if string(e.Service) != service || e.Method != method {
			continue
		}
		if values, ok := match(templates[i], segments); ok {
			return Route{Endpoint: e, values: values}, nil
		}
	}
	return Route{}, nothing
}

// plainSegment says whether a decoded segment of a path means the same to whoever
// cleans or decodes it once more.
func plainSegment(s string) bool {
	if s == "" || s == "." || s == ".." || len(s) > 1024 || !utf8.ValidString(s) ||
		strings.ContainsAny(s, `/\`) || strings.ContainsFunc(s, unicode.IsControl) {
		return false
	}
	for i := strings.IndexByte(s, '%'); i >= 0; {
		if i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			return false
		}
		next := strings.IndexByte(s[i+1:], '%')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return true
}

func isHex(c byte) bool { return isLowerHex(c | 0x20) }

// templates are the segments of the paths of endpoints.
var templates = func() [][]string {
	all := make([][]string, len(endpoints))
	for i, e := range endpoints {
		all[i] = strings.Split(strings.TrimPrefix(e.Path, "/"), "/")
	}
	return all
}()

// match says whether segments fit template, and what stands in its places.
func match(template, segments []string) (map[string]string, bool) {
	if len(template) != len(segments) {
		return nil, false
	}
	var values map[string]string
	for i, part := range template {
		name, isPlace := place(part)
		if !isPlace {
			if part != segments[i] {
				return nil, false
			}
			continue
		}
		if name == string(FieldUser) {
			if len(segments[i]) > MaxOwnUserID {
				return nil, false
			}
		} else if len(segments[i]) > 128 || strings.Trim(segments[i], idCharacters) != "" {
			return nil, false
		}
		if values == nil {
			values = make(map[string]string, 2)
		}
		values[name] = segments[i]
	}
	return values, true
}

// idCharacters are those of Voiceflow's ids, aliases and words.
const idCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

// place is the name of a place in a template.
func place(part string) (name string, is bool) {
	if name, is = strings.CutPrefix(part, "{"); is {
		name, is = strings.CutSuffix(name, "}")
	}
	return name, is
}

// Target is the path at Voiceflow for p, with its percent-encoding; bind makes the
// caller's user id Voiceflow's. It is NotFound when the call names another project, or
// another version or environment than p's, and fails as bind does.
func (r Route) Target(p Project, bind func(own string) (string, error)) (string, error) {
	for _, field := range []Field{FieldProject, FieldVersion, FieldAlias} {
		if value, there := r.values[string(field)]; there && !p.Is(field, value) {
			return "", &Error{Kind: NotFound, Public: "this is not of the assistant that is set"}
		}
	}
	path := r.Endpoint.Path
	if instead := r.Endpoint.instead(p); instead != "" {
		path = instead
	}
	var b strings.Builder
	for part := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		b.WriteByte('/')
		name, isPlace := place(part)
		if !isPlace {
			b.WriteString(part)
			continue
		}
		value := p.Value(Field(name))
		switch {
		case Field(name) == FieldUser:
			bound, err := bind(r.values[name])
			if err != nil {
				return "", err
			}
			value = bound
		case value == "":
			value = r.values[name]
		}
		b.WriteString(url.PathEscape(value))
	}
	return b.String(), nil
}

// instead is the path that is called for p in the place of e's own, "" for that.
func (e *Endpoint) instead(p Project) string {
	if p.ByAlias() {
		return e.ByAlias
	}
	return e.ByVersion
}

// TellsOfKey says whether a refusal of the call is one of the project's key. Elsewhere
// Voiceflow may refuse what the caller asks for in the same words: an id that is another
// project's, a part of the usage, or a call that no project key opens.
func (r Route) TellsOfKey() bool {
	if r.Endpoint.Unconfirmed || r.Endpoint.BySession || r.Endpoint.Scope == ScopeAnalytics {
		return false
	}
	for name := range r.values {
		switch Field(name) {
		case FieldProject, FieldVersion, FieldAlias, FieldUser:
		default:
			return false
		}
	}
	return true
}

// Is says whether value names the same as the project's own field.
func (p Project) Is(field Field, value string) bool {
	own := p.Value(field)
	return value == own || isObjectID(own) && strings.EqualFold(value, own)
}

// Object is what the call is done to, as the audit names it: the project, the endpoint,
// and the ids in its path but those of users, which are their own affair.
func (r Route) Object(p ProjectID) string {
	path := r.Endpoint.Path
	for name, value := range r.values {
		if field := Field(name); field != FieldUser && field != FieldProject {
			path = strings.ReplaceAll(path, "{"+name+"}", value)
		}
	}
	return OnProject(p) + " " + r.Endpoint.Method + " " + string(r.Endpoint.Service) + path
}

// MaxOwnUserID is the longest user id that a caller may use, in bytes: Voiceflow takes
// 128 characters in paths and 256 in v4 sessions (its API reference, 'Start session').
const MaxOwnUserID = 256

// PseudonymPrefix begins every pseudonym, so that one is told from an id of a caller's own.
const PseudonymPrefix = "fl-"

// UserIDs turns the user ids of a caller into those that Voiceflow has, and back. Both
// functions return the same for the same id, and change nothing.
type UserIDs struct {
	// Bind makes a caller's own id Voiceflow's. Returns NotFound if the id is another
	// caller's, and Unavailable if the key of the pseudonyms can't be used.
	Bind func(own string) (string, error)
	// Own reverses Bind, and says whether bound is of this caller at all. It may say no for
	// a long id of the caller's.
	Own func(bound string) (own string, ours bool)
}

// Forward is a call to forward, and the project that it is for.
type Forward struct {
	Route   Route
	Project Project
	// UserIDs are those of the caller. If its functions are nil, the caller's ids are
	// Voiceflow's and pass unchanged.
	UserIDs UserIDs
	// Handle is what the caller gets in place of the session key, if the Endpoint Starts a
	// session.
	Handle string
}

// Endpoints is the allow-list, in the order in which it is documented.
func Endpoints() []Endpoint { return append([]Endpoint(nil), endpoints...) }
