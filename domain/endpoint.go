package domain

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Service is one of Voiceflow's services. Each has a host of its own.
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

// Endpoint is a call of Voiceflow's that is forwarded: a row of the allow-list.
type Endpoint struct {
	Service Service
	Method  string
	// Path is the path at Voiceflow, with names in braces for the parts that vary.
	// {projectID}, {versionID} and {environmentAlias} must be those of the project.
	// {userID} is bound to the caller. Any other part is an id or a word.
	Path  string
	Scope Scope
	// Does says in a few words what the call does.
	Does string
	// Query are the parameters of the query that pass unchanged.
	Query []string
	// Ours are the parameters of the query that name the project. They replace what the
	// caller sent. A projectID of another project is refused.
	Ours []Field
	// Body says what becomes of the body. Members are the members of a JSON body that are
	// checked, set or bound.
	Body    Body
	Members []Member
	// Writes tells that the call changes or deletes more than the turn of a conversation
	// does. Such a call leaves rows in the audit.
	Writes bool
	// Starts tells that the call opens a v4 session. BySession tells that the call needs the
	// key of such a session.
	Starts, BySession bool
	// ByAlias replaces Path for a project that was added by an alias. ByVersion replaces
	// Path for a project that was added by a version id.
	ByAlias, ByVersion string
	// Unconfirmed tells that no source confirms that a project's key opens this.
	Unconfirmed bool
	// Retired tells that Voiceflow has stopped serving this: it answers 503.
	Retired bool
}

// Body is what becomes of the body of a call.
type Body int

// What becomes of a body.
const (
	NoBody   Body = iota // no body is sent
	AnyBody              // the body passes unchanged, part by part
	JSONBody             // the body must be a JSON object; its Members are checked, set or bound
)

// Field is a field of a call that says which project or user the call is for.
type Field string

// The fields, with Voiceflow's names.
const (
	FieldProject     Field = "projectID"
	FieldUser        Field = "userID"
	FieldSession     Field = "sessionID" // groups the turns of a user; the caller chooses it, like a user id
	FieldVersion     Field = "versionID"
	FieldEnvironment Field = "environment"
	FieldAlias       Field = "environmentAlias"
	FieldStage       Field = "version" // draft or published
)

// Member is a member of a JSON body that says which project or user the call is for. A project
// is set or checked. A version or environment is set. A user or session is bound to the caller.
type Member struct {
	// At are the names that lead to the member. [] is each element of an array.
	At []string
	Is Field
	// Must tells that a body is refused if the member is missing and can't be set.
	Must bool
	// IfThere tells that the member is checked or bound if it is there, and never added.
	IfThere bool
}

// Implicit members are handled in every JSON body that has them, even if the Endpoint does not
// name them. No document says that Voiceflow reads them there.
var (
	implicitMembers             = []Member{{At: []string{"projectID"}, Is: FieldProject, IfThere: true}}
	implicitConversationMembers = []Member{
		implicitMembers[0],
		{At: []string{"userID"}, Is: FieldUser, IfThere: true},
		{At: []string{"sessionID"}, Is: FieldSession, IfThere: true},
		{At: []string{"versionID"}, Is: FieldVersion, IfThere: true},
		{At: []string{"environment"}, Is: FieldEnvironment, IfThere: true},
		{At: []string{"environmentAlias"}, Is: FieldAlias, IfThere: true},
	}
)

// AllMembers returns the members that are handled in a JSON body of the Endpoint: its Members
// and the implicit ones.
func (e *Endpoint) AllMembers() []Member {
	more := implicitMembers
	if e.Scope == ScopeConverse || e.Scope == ScopeKnowledge {
		more = implicitConversationMembers
	}
	all := append(make([]Member, 0, len(e.Members)+len(more)), e.Members...)
	for _, m := range more {
		if !slices.ContainsFunc(e.Members, func(named Member) bool { return slices.Equal(named.At, m.At) }) {
			all = append(all, m)
		}
	}
	return all
}

// Value returns the project's value of field, "" for a field that is not about the project. A
// version or environment is never empty, since Voiceflow would use development for an empty one.
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

// ByAlias reports whether the project was added by an environment alias and not by a version id.
func (p Project) ByAlias() bool { return VersionRef{Version: p.Version}.Alias() }

// Route is an Endpoint with the values that a call has in its path.
type Route struct {
	Endpoint *Endpoint
	values   map[string]string
}

// MatchEndpoint finds the Endpoint of a call by the service, the method, and the path after the
// service as it was sent, with its percent-encoding. Returns NotFound for a call that is not in
// the allow-list. Returns NotFound for a path that can be read in several ways: one with an empty
// segment, with . or .., or with an encoded slash, backslash, control character or
// percent-encoding.
func MatchEndpoint(service, method, escapedPath string) (Route, error) {
	nothing := &Error{Kind: NotFound, Public: "Flowlatch does not forward this call"}
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

// plainSegment reports whether a decoded segment of a path stays the same if somebody cleans or
// decodes it once more.
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

// match reports whether segments fit template, and returns the values of its places.
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

// idCharacters are the characters of Voiceflow's ids, aliases and words.
const idCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

// place returns the name of a place in a template.
func place(part string) (name string, is bool) {
	if name, is = strings.CutPrefix(part, "{"); is {
		name, is = strings.CutSuffix(name, "}")
	}
	return name, is
}

// Target returns the path at Voiceflow for p, with its percent-encoding. bind turns the caller's
// user id into Voiceflow's. Returns NotFound if the call names another project, version or
// environment than p's. Returns the error of bind.
func (r Route) Target(p Project, bind func(own string) (string, error)) (string, error) {
	for _, field := range []Field{FieldProject, FieldVersion, FieldAlias} {
		if value, there := r.values[string(field)]; there && !p.Is(field, value) {
			return "", &Error{Kind: NotFound, Public: "this does not belong to the assistant that is set"}
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

// instead returns the path that replaces e's own for p, "" if none does.
func (e *Endpoint) instead(p Project) string {
	if p.ByAlias() {
		return e.ByAlias
	}
	return e.ByVersion
}

// RefusalMeansKey reports whether a refusal of the call means that Voiceflow rejected the project's
// key. For other calls Voiceflow may use the same words for other refusals: an id of another
// project, a part of the usage, or a call that no project key opens.
func (r Route) RefusalMeansKey() bool {
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

// Is reports whether value means the same as the project's own value of field.
func (p Project) Is(field Field, value string) bool {
	own := p.Value(field)
	return value == own || isObjectID(own) && strings.EqualFold(value, own)
}

// Object returns the call as the object of a Record: the project, the endpoint, and the ids in
// its path. It has no ids of users, which are private.
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

// PseudonymPrefix begins every pseudonym. It tells pseudonyms from user ids that callers choose.
const PseudonymPrefix = "fl-"

// UserIDs turns the user ids of a caller into those that Voiceflow has, and back. Both functions
// return the same result for the same id, and have no side effects.
type UserIDs struct {
	// Bind turns a caller's own id into Voiceflow's. Returns NotFound if the id is another
	// caller's. Returns Unavailable if the key of the pseudonyms can't be used.
	Bind func(own string) (string, error)
	// Own reverses Bind. ours reports whether bound belongs to this caller. It can be false
	// for a long id of the caller's.
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
	// Begin is called just before something is sent, unless it is nil. If it fails, nothing is
	// sent, and its error is that of the call. ctx is that of the call.
	Begin func(ctx context.Context) error
}

// Endpoints returns the allow-list, in the order in which it is documented.
func Endpoints() []Endpoint { return append([]Endpoint(nil), endpoints...) }
