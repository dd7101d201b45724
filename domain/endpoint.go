package domain

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"unicode"
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
	// {projectID} must be that of the project. {versionID} and {environmentAlias} become the
	// environment that the call uses.
	// {userID} is bound to the caller. Any other part is an id or a word.
	Path  string
	Scope Scope
	// Also is a second scope that the call needs, "" for none.
	Also Scope
	// Source is the public text that the call was taken from.
	Source string
	// Does says in a few words what the call does.
	Does string
	// Query are the parameters of the query that pass unchanged.
	Query []string
	// Ours are the parameters of the query that name the project and the environment. They
	// replace what the caller sent. A projectID of another project is refused.
	Ours []Field
	// Headers are the headers that pass unchanged, beside those that every call may have.
	Headers []string
	// VersionHeader tells that Voiceflow reads the environment from the header versionID.
	VersionHeader bool
	// Filters tells that the call searches or counts, and that its environment is a filter: if the
	// caller names none, none is put in.
	Filters bool
	// Optional tells that Voiceflow needs no environment in the query, which has a parameter for
	// one. For a pinned assistant none is sent if the caller names none.
	Optional bool
	// Body says what becomes of the body. Members are the members of a JSON body that are
	// checked, set or bound. Parts of a form that have the names of Members are handled like them.
	Body    Body
	Members []Member
	// Large tells that a JSON body may be as long as Voiceflow's largest file.
	Large bool
	// Writes tells that the call changes or deletes more than the turn of a conversation
	// does. Such a call leaves rows in the audit.
	Writes bool
	// Turn tells that the call takes a turn of a conversation. The body of a turn is a
	// JSONBody. Debug output in the answer needs ScopeDebug, and setting variables needs
	// ScopeState.
	Turn bool
	// Stateless tells that the call is about a conversation that only the caller keeps. So nothing
	// in it names a user.
	Stateless bool
	// Starts tells that the call opens a v4 session. It goes to v4InEnvironment, or to
	// v4BySplit if it uses no environment of its own. BySession tells that the call needs the key
	// of such a session.
	Starts, BySession bool
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
	JSONBody             // the body must be a JSON object; its Members are checked, set or bound
	FormBody             // a JSONBody, or a form (multipart/form-data) with a file, which passes part by part
)

// Field is a field of a call that says which project or user the call is for.
type Field string

// The fields, with Voiceflow's names.
const (
	FieldProject Field = "projectID"
	FieldUser    Field = "userID"
	FieldSession Field = "sessionID" // groups the turns of a user; the caller chooses it, like a user id
	// FieldVersion and FieldEnvironment take an alias or a version id. FieldAlias takes an alias
	// only. FieldVersionID takes a version id only.
	FieldVersion     Field = "versionID"
	FieldEnvironment Field = "environment"
	FieldAlias       Field = "environmentAlias"
	FieldVersionID   Field = "environmentID"
	FieldStage       Field = "version" // draft or published
	// FieldEnvironmentRef takes an alias or the id of the environment itself, and no id of a version.
	FieldEnvironmentRef Field = "projectEnvironmentIDOrAlias"
	// FieldVariant is draft or published. It is sent only if the call names one.
	FieldVariant Field = "versionVariant"
)

// The fields of turns, with Voiceflow's names, except FieldNone.
const (
	// FieldState is the state that a turn begins with, or some of its variables.
	FieldState Field = "state"
	// FieldLogs says which logs a turn has in its answer. LogsOff is for none. Logs of API steps
	// have the headers and the bodies of their requests
	// (github.com/voiceflow/general-runtime, runtime/lib/Handlers/api/index.ts, 2024).
	FieldLogs Field = "logs"
	// FieldExcludeTypes lists the types of traces that are left out of the answer to a turn
	// (github.com/voiceflow/general-runtime, lib/services/filter/index.ts, 2024).
	FieldExcludeTypes Field = "excludeTypes"
	// FieldNone is a member that no body may have. JavaScript may take what is inside of
	// __proto__, or of constructor.prototype, for members of the object around it.
	FieldNone Field = "none"
)

// LogsOff is the value of FieldLogs that needs no scope.
const LogsOff = "off"

// DebugTypes returns the types of traces that need ScopeDebug.
func DebugTypes() []string { return []string{"debug", "log", "flow", "block"} }

// Member is a member of a body that says which project or user the call is for. A project
// is set or checked. A version or environment is set. A user or session is bound to the caller.
// Members of turns need scopes, or are changed for callers without them.
type Member struct {
	// At are the names that lead to the member. [] is each element of an array.
	At []string
	Is Field
	// Must tells that a body is refused if the member is missing and can't be set. Of an
	// environment or a stage, a missing one is set only if the call uses one.
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
		{At: []string{"environmentID"}, Is: FieldVersionID, IfThere: true},
		{At: []string{"projectEnvironmentIDOrAlias"}, Is: FieldEnvironmentRef, IfThere: true},
		{At: []string{"session", "userID"}, Is: FieldUser, IfThere: true},
		{At: []string{"session", "sessionID"}, Is: FieldSession, IfThere: true},
	}
	// implicitTurnMembers are those of turns and of calls that start a session, beside
	// implicitConversationMembers.
	implicitTurnMembers = []Member{
		{At: []string{"state"}, Is: FieldState, IfThere: true},
		{At: []string{"variables"}, Is: FieldState, IfThere: true},
		{At: []string{"logs"}, Is: FieldLogs, IfThere: true},
		{At: []string{"config", "logs"}, Is: FieldLogs, IfThere: true},
		{At: []string{"config", "excludeTypes"}, Is: FieldExcludeTypes, IfThere: true},
		{At: []string{"config", "state"}, Is: FieldState, IfThere: true},
		{At: []string{"config", "variables"}, Is: FieldState, IfThere: true},
		{At: []string{"__proto__"}, Is: FieldNone, IfThere: true},
		{At: []string{"constructor"}, Is: FieldNone, IfThere: true},
		{At: []string{"config", "__proto__"}, Is: FieldNone, IfThere: true},
		{At: []string{"config", "constructor"}, Is: FieldNone, IfThere: true},
		{At: []string{"session", "__proto__"}, Is: FieldNone, IfThere: true},
		{At: []string{"session", "constructor"}, Is: FieldNone, IfThere: true},
	}
)

// implicitDocumentMembers are those of calls that change the knowledge base. Voiceflow documents some
// of them for some of these calls, and reads what it documents below data.
var implicitDocumentMembers = func() []Member {
	var all []Member
	for _, field := range []Field{FieldProject, FieldEnvironmentRef, FieldAlias, FieldEnvironment, FieldVersion, FieldVersionID} {
		all = append(all,
			Member{At: []string{string(field)}, Is: field, IfThere: true},
			Member{At: []string{dataMember, string(field)}, Is: field, IfThere: true})
	}
	return all
}()

// Scopes returns the scopes that the call needs.
func (e *Endpoint) Scopes() Scopes { return ScopesOf(e.Scope, e.Also) }

// implicitSearchMembers are those of searches and counts. Their environment is a filter.
var implicitSearchMembers = []Member{
	implicitMembers[0],
	{At: []string{"userID"}, Is: FieldUser, IfThere: true},
	{At: []string{"sessionID"}, Is: FieldSession, IfThere: true},
	{At: []string{"versionID"}, Is: FieldVersionID, IfThere: true},
	{At: []string{"environmentID"}, Is: FieldVersionID, IfThere: true},
	{At: []string{"environment"}, Is: FieldEnvironment, IfThere: true},
	{At: []string{"environmentAlias"}, Is: FieldAlias, IfThere: true},
	{At: []string{"projectEnvironmentIDOrAlias"}, Is: FieldEnvironmentRef, IfThere: true},
}

// Dialog reports whether the call is for the runtime of conversations. It reads the session id from
// the header sessionID (github.com/voiceflow/general-runtime, lib/services/interact/index.ts, 2024).
func (e *Endpoint) Dialog() bool {
	return e.Service == ServiceRuntime && (e.Scope == ScopeConverse || e.Scope == ScopeState)
}

// Searches reports whether the call finds or counts what everybody said.
func (e *Endpoint) Searches() bool {
	return e.Filters || e.Scope == ScopeTranscripts && !e.Writes
}

// TakesID reports whether the query may have the field, which is bound like one in a body: a user id
// that the Endpoint lets pass, or a session id where a call has one elsewhere too.
func (e *Endpoint) TakesID(field Field) bool {
	switch field {
	case FieldSession:
		return e.Scope == ScopeConverse || e.Scope == ScopeState || e.Searches() || slices.Contains(e.Query, string(field))
	case FieldUser:
		return slices.Contains(e.Query, string(field))
	}
	return false
}

// AllMembers returns the members that are handled in a JSON body of the Endpoint: its Members
// and the implicit ones.
func (e *Endpoint) AllMembers() []Member {
	more := implicitMembers
	switch {
	case e.Filters:
		more = implicitSearchMembers
	case e.Scope == ScopeKnowledgeWrite:
		more = implicitDocumentMembers
	}
	ofUser := func(m Member) bool { return m.Is == FieldUser || m.Is == FieldSession }
	if e.Scope == ScopeConverse || e.Scope == ScopeKnowledge || slices.ContainsFunc(e.Members, ofUser) {
		more = implicitConversationMembers
	}
	if e.Turn || e.Starts {
		more = slices.Concat(more, implicitTurnMembers)
	}
	all := append(make([]Member, 0, len(e.Members)+len(more)), e.Members...)
	for _, m := range more {
		if !slices.ContainsFunc(e.Members, func(named Member) bool { return slices.Equal(named.At, m.At) }) {
			all = append(all, m)
		}
	}
	return all
}

// Value returns what is sent as the field in a call for p that uses the environment, "" for a field
// that is about neither.
func (p Project) Value(field Field, used UsedEnvironment) string {
	if field == FieldProject {
		return string(p.Voiceflow)
	}
	return used.Value(field)
}

// Route is an Endpoint with the values that a call has in its path.
type Route struct {
	Endpoint *Endpoint
	values   map[string]string
}

// MatchEndpoint finds the Endpoint of a call by the service, the method, and the path after the
// service as it was sent, with its percent-encoding. A user id may contain encoded slashes.
// Returns Invalid if a user id, an environment or another id in the path of an Endpoint can't be one:
// the message says why. Returns NotFound for any other call that is not in the allow-list. Returns
// NotFound for a path that can be read in several ways: one with an empty segment, with . or ..,
// or with an encoded slash, backslash, control character or percent-encoding outside of a user
// id.
func MatchEndpoint(service, method, escapedPath string) (Route, error) {
	rest, absolute := strings.CutPrefix(escapedPath, "/")
	if !absolute {
		return Route{}, notForwarded(service, method, escapedPath)
	}
	segments := strings.SplitN(rest, "/", longestTemplate+1)
	if len(segments) > longestTemplate {
		return Route{}, notForwarded(service, method, escapedPath)
	}
	for i, raw := range segments {
		segment, err := url.PathUnescape(raw)
		if err != nil {
			return Route{}, notForwarded(service, method, escapedPath)
		}
		segments[i] = segment
	}
	var why error
	for i := range endpoints {
		e := &endpoints[i]
		if string(e.Service) != service || e.Method != method || !fits(templates[i], segments) {
			continue
		}
		values, err := valuesOf(templates[i], segments)
		if err == nil {
			return Route{Endpoint: e, values: values}, nil
		}
		// Another Endpoint may have a word where this one has an id.
		if KindOf(err) == Invalid {
			why = err
		}
	}
	if why == nil {
		why = notForwarded(service, method, escapedPath)
	}
	return Route{}, why
}

func isHex(c byte) bool { return isLowerHex(c | 0x20) }

// templates are the segments of the paths of endpoints. longestTemplate is the number of segments
// of the longest one.
var (
	templates = func() [][]string {
		all := make([][]string, len(endpoints))
		for i, e := range endpoints {
			all[i] = strings.Split(strings.TrimPrefix(e.Path, "/"), "/")
		}
		return all
	}()
	longestTemplate = len(slices.MaxFunc(templates, func(a, b []string) int { return len(a) - len(b) }))
)

// fits reports whether segments have the words of the template where it has words.
func fits(template, segments []string) bool {
	if len(template) != len(segments) {
		return false
	}
	for i, part := range template {
		if _, isPlace := place(part); !isPlace && part != segments[i] {
			return false
		}
	}
	return true
}

// valuesOf returns the values of the places of the template, which the segments fit. Returns
// Invalid for a value that is too long, and for a user id or an environment that can't be one. Returns
// NotFound for any other value that can't be an id.
func valuesOf(template, segments []string) (map[string]string, error) {
	values := make(map[string]string, 2)
	for i, part := range template {
		name, isPlace := place(part)
		if !isPlace {
			continue
		}
		value := segments[i]
		switch {
		case name == string(FieldUser):
			if err := checkPathUserID(value); err != nil {
				return nil, err
			}
		case Field(name).NamesEnvironment() && !isEnvironmentName(value) && readOneWay(value):
			return nil, notAnEnvironment(value)
		case value == "" || strings.Trim(value, idCharacters) != "" || looksLikeCredential(value):
			return nil, &Error{Kind: NotFound}
		case len(value) > maxID:
			return nil, invalid("the " + name + " in the path is longer than 128 bytes; check it")
		}
		values[name] = value
	}
	return values, nil
}

// readOneWay reports whether a segment of a path can be read in one way only.
func readOneWay(value string) bool {
	return value != "" && !strings.ContainsAny(value, `./\%`) && !strings.ContainsFunc(value, unicode.IsControl)
}

// maxID is the longest id in a path that is not a user's, in bytes. Voiceflow's own have 24.
const maxID = 128

// idCharacters are the characters of Voiceflow's ids, aliases and words.
const idCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

// place returns the name of a place in a template.
func place(part string) (name string, is bool) {
	if name, is = strings.CutPrefix(part, "{"); is {
		name, is = strings.CutSuffix(name, "}")
	}
	return name, is
}

// The paths of the calls that start a v4 session.
const (
	v4BySplit       = "/v4/project/{projectID}/session" // Voiceflow's traffic split chooses the environment
	v4InEnvironment = "/v4/project/{projectID}/environment/{environmentAlias}/session"
)

// CheckProject returns NotFound if the path names another project than p.
func (r Route) CheckProject(p Project) error {
	if value, there := r.values[string(FieldProject)]; there && !p.IsVoiceflow(value) {
		return OtherProject("the projectID in the path")
	}
	return nil
}

// Target returns the path at Voiceflow for p and the environment that the call uses, with its
// percent-encoding. bind turns the caller's user id into Voiceflow's. Returns NotFound if the call
// names another project than p. Returns the error of bind.
func (r Route) Target(p Project, used UsedEnvironment, bind func(own string) (string, error)) (string, error) {
	if err := r.CheckProject(p); err != nil {
		return "", err
	}
	path := r.Endpoint.Path
	switch {
	case r.Endpoint.Starts && used.Send == "":
		path = v4BySplit
	case r.Endpoint.Starts:
		path = v4InEnvironment
	}
	var b strings.Builder
	for part := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		b.WriteByte('/')
		name, isPlace := place(part)
		if !isPlace {
			b.WriteString(part)
			continue
		}
		value := p.Value(Field(name), used)
		switch {
		case Field(name) == FieldUser:
			bound, err := bind(r.values[name])
			if err != nil {
				return "", err
			}
			value = bound
		case value == "" && Field(name).NamesEnvironment():
			return "", &Error{Kind: Conflict, Public: "the environment that this call needs in its path is not known; name one" + SeeEnvironments}
		case value == "":
			value = r.values[name]
		}
		b.WriteString(url.PathEscape(value))
	}
	return b.String(), nil
}

// TakesPersonal reports whether e is a call of the stable API, which takes a personal access token
// of Voiceflow. Such a token opens more than one project, so each of these calls names the project
// to Voiceflow.
func (e *Endpoint) TakesPersonal() bool {
	return e.Service == ServiceRealtime && strings.HasPrefix(e.Path, "/v1/stable/")
}

// RefusalMeansKey reports whether a refusal of the call means that Voiceflow rejected the key of
// p that the call was sent with. A personal key is documented for every call that uses it. For
// some calls with a project's key Voiceflow may use the same words for other refusals: an id of
// another project, a part of the usage, or a call that no project key opens.
func (r Route) RefusalMeansKey(p Project) bool {
	if p.UsesPersonal(r.Endpoint) {
		return true
	}
	if r.Endpoint.Unconfirmed || r.Endpoint.BySession || r.Endpoint.Scope == ScopeAnalytics {
		return false
	}
	return !r.NamesObject()
}

// NamesObject reports whether the path names something that may belong to another project, such as
// a transcript or a document.
func (r Route) NamesObject() bool {
	for name := range r.values {
		switch Field(name) {
		case FieldProject, FieldVersion, FieldAlias, FieldEnvironmentRef, FieldUser:
		default:
			return true
		}
	}
	return false
}

// IsVoiceflow reports whether value is the project's id at Voiceflow.
func (p Project) IsVoiceflow(value string) bool {
	own := string(p.Voiceflow)
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

// Forward is a call to forward, and the project that it is for.
type Forward struct {
	Route   Route
	Project Project
	// UserIDs are those of the caller. If its functions are nil, the caller's ids are
	// Voiceflow's and pass unchanged.
	UserIDs UserIDs
	// Environment returns the environment that the call uses, from what its header, query and body
	// ask for. It is called once, before anything is sent. Its error is that of the call.
	Environment func(ctx context.Context, asked AskedEnvironment) (UsedEnvironment, error)
	// Scopes is what the caller may do with the project. It decides what a turn may have in its
	// query and body.
	Scopes Scopes
	// Handle is what the caller gets in place of the session key, if the Endpoint Starts a
	// session.
	Handle string
	// Personal tells that the credential is a personal access token of Voiceflow.
	Personal bool
	// Begin is called just before something is sent, unless it is nil. If it fails, nothing is
	// sent, and its error is that of the call. ctx is that of the call.
	Begin func(ctx context.Context) error
}

// Endpoints returns the allow-list, in the order in which it is documented.
func Endpoints() []Endpoint { return append([]Endpoint(nil), endpoints...) }
