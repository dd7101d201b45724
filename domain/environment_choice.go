package domain

import (
	"slices"
	"strconv"
	"strings"
)

// The stages of an environment, as Voiceflow calls them.
const (
	StageDraft     = "draft"
	StagePublished = "published"
)

// EnvironmentState is an environment of an assistant, as Voiceflow lists it. Ids are in lower case,
// and "" if Voiceflow does not tell them.
type EnvironmentState struct {
	Alias     string
	ID        string   // of the environment itself
	Draft     string   // the version that is edited
	Published string   // the version that is live
	Releases  []string // versions that were published, the live one included
	Drafts    []string // earlier drafts
}

// Plain returns s with its ids in lower case, and without ids and aliases that can't be one. An alias
// that could be an id is none.
func (s EnvironmentState) Plain() EnvironmentState {
	plain := EnvironmentState{Draft: plainID(s.Draft), Published: plainID(s.Published), ID: plainID(s.ID)}
	if isEnvironmentName(s.Alias) && plainID(s.Alias) == "" {
		plain.Alias = s.Alias
	}
	if plain.ID == "" && isEnvironmentName(s.ID) {
		plain.ID = s.ID
	}
	for _, id := range s.Releases {
		if id = plainID(id); id != "" {
			plain.Releases = append(plain.Releases, id)
		}
	}
	for _, id := range s.Drafts {
		if id = plainID(id); id != "" {
			plain.Drafts = append(plain.Drafts, id)
		}
	}
	return plain
}

// plainID returns an id in lower case, "" for any other text.
func plainID(text string) string {
	if id := strings.ToLower(text); isObjectID(id) {
		return id
	}
	return ""
}

// isEnvironmentName reports whether the text can be the name of an environment. A personal access
// token of Voiceflow and an access token have the characters of a name, and are none: they would go
// into headers, the audit and the database.
func isEnvironmentName(text string) bool {
	return text != "" && len(text) <= maxEnvironmentName && strings.Trim(text, idCharacters) == "" && !looksLikeCredential(text)
}

// EnvironmentList is what is known of the list of an assistant's environments. The zero value is
// that nothing is known. A list that is known may be empty.
type EnvironmentList struct {
	Known  bool
	States []EnvironmentState
}

// AskedEnvironment is what the header, the query and the body of a call say about its environment,
// as it came. Empty texts are left out, since they name none.
type AskedEnvironment struct {
	Names  []string
	Stages []string
	// NoText is what stands where a name or a stage belongs and is no text.
	NoText []string
}

// Add adds what another part of the call says.
func (a *AskedEnvironment) Add(more AskedEnvironment) {
	a.Names = append(a.Names, more.Names...)
	a.Stages = append(a.Stages, more.Stages...)
	a.NoText = append(a.NoText, more.NoText...)
}

// UsedEnvironment is the environment that a call uses.
type UsedEnvironment struct {
	// Name is what the caller is told: the name as they asked for it, or else the default or the
	// version that the assistant is pinned to. It is "" if the call has no environment of its own.
	Name string
	// Send is the name in the form that the Endpoint takes. It is "" if none is sent.
	Send string
	// Stage is StageDraft or StagePublished. It is "" if none is sent.
	Stage string
}

// Value returns what is sent as the field, "" for nothing. An id never goes out as an alias,
// and an alias never as an id.
func (u UsedEnvironment) Value(field Field) string {
	switch field {
	case FieldVersion, FieldEnvironment:
		return u.Send
	case FieldVersionID:
		if isObjectID(u.Send) {
			return u.Send
		}
	case FieldAlias, FieldEnvironmentRef:
		if !isObjectID(u.Send) {
			return u.Send
		}
	case FieldStage, FieldVariant:
		return u.Stage
	}
	return ""
}

// UsesByDefault reports whether the environment is the one that calls for p use without a name.
func (p Project) UsesByDefault(used UsedEnvironment) bool {
	return p.Environments.Pinned() || used.Name == "" || plainEnvironment(used.Name) == p.Environments.Default
}

// NamesEnvironment reports whether the field names an environment.
func (f Field) NamesEnvironment() bool {
	switch f {
	case FieldVersion, FieldEnvironment, FieldAlias, FieldVersionID, FieldEnvironmentRef:
		return true
	}
	return false
}

// NamesStage reports whether the field says draft or published.
func (f Field) NamesStage() bool { return f == FieldStage || f == FieldVariant }

// OfProject reports whether the field says which project or environment a call is for.
func (f Field) OfProject() bool {
	return f == FieldProject || f.NamesStage() || f.NamesEnvironment()
}

// environmentForm is the form in which an Endpoint takes its environment.
type environmentForm int

const (
	noEnvironment environmentForm = iota
	anyName                       // an alias or a version id
	aliasOnly
	aliasOrVersion // an alias in one field, and a version id in another
)

// environmentForm returns the form in which the Endpoint takes its environment.
func (e *Endpoint) environmentForm() environmentForm {
	form := noEnvironment
	if e.VersionHeader {
		form = anyName
	}
	if e.Starts {
		form = aliasOnly
	}
	for _, field := range e.fields() {
		switch field {
		case FieldVersion, FieldEnvironment:
			form = max(form, anyName)
		case FieldAlias, FieldEnvironmentRef:
			form = max(form, aliasOnly)
		case FieldVersionID:
			form = max(form, aliasOrVersion)
		}
	}
	return form
}

// fields returns the fields of the path, the query and the Members.
func (e *Endpoint) fields() []Field {
	fields := slices.Clone(e.Ours)
	for part := range strings.SplitSeq(e.Path, "/") {
		if name, isPlace := place(part); isPlace {
			fields = append(fields, Field(name))
		}
	}
	for _, m := range e.Members {
		fields = append(fields, m.Is)
	}
	return fields
}

// TakesEnvironment reports whether the call names an environment at Voiceflow. The header
// versionID, and the fields of environments in the query, count for such calls only.
func (e *Endpoint) TakesEnvironment() bool {
	return e.BySession || e.environmentForm() != noEnvironment
}

// TakesStage reports whether the call says draft or published to Voiceflow.
func (e *Endpoint) TakesStage() bool { return slices.Contains(e.fields(), FieldStage) }

// MayTakeStage reports whether the call may say draft or published to Voiceflow.
func (e *Endpoint) MayTakeStage() bool { return slices.ContainsFunc(e.fields(), Field.NamesStage) }

// NextList says what a choice still needs to know.
type NextList int

// What a choice needs.
const (
	// ListSuffices is that the choice stands.
	ListSuffices NextList = iota
	// ListMayBeOld is that the choice stands, unless a newer list has a name that was not found.
	ListMayBeOld
	// ListNeeded is that the choice is void, because it depends on a list that is not known.
	ListNeeded
)

// EnvironmentChoice is the question which environment a call uses.
type EnvironmentChoice struct {
	Route   Route
	Project Project
	// Limit is that of the access token: AccessToken.Environments. Empty is no limit.
	Limit []string
	// Grant are the limits of the caller's grant: Access.EnvironmentLimits.
	Grant [][]string
	// Session is the Environment of the Conversation, for a call BySession.
	Session string
	Asked   AskedEnvironment
}

// Decide returns the environment that the call uses. With an unknown list it tells whether the
// choice depends on the list.
//
// Returns EnvironmentNotAllowed if the call names an environment or a draft that is not allowed, or
// two environments, or if an access token or a grant with a limit can't be held to it. Returns Invalid for a
// name that can't be one, and for a stage that is neither draft nor published. Returns Conflict if
// the Endpoint takes a form of the name that is not known.
func (c EnvironmentChoice) Decide(list EnvironmentList) (UsedEnvironment, NextList, error) {
	d := decision{EnvironmentChoice: c, list: list, form: c.Route.Endpoint.environmentForm(), staged: c.Route.Endpoint.TakesStage()}
	d.staged = d.staged || len(c.Asked.Stages) > 0 && c.Route.Endpoint.MayTakeStage()
	if !d.staged {
		d.Asked.Stages = nil
	}
	used, err := d.decide()
	if d.next == ListNeeded {
		return UsedEnvironment{}, ListNeeded, nil
	}
	if err != nil {
		return UsedEnvironment{}, d.next, err
	}
	return used, d.next, nil
}

// Known returns what is known of the environment that Decide has chosen. next is ListNeeded if that depends
// on a list that is not known.
func (c EnvironmentChoice) Known(used UsedEnvironment, list EnvironmentList) (is KnownEnvironment, next NextList) {
	n := nameOf(used.Name)
	is.Name = n.name
	if n.name == "" || !n.id {
		return is, ListSuffices
	}
	d := decision{EnvironmentChoice: c, list: list, form: c.Route.Endpoint.environmentForm()}
	for _, s := range d.states(n.name) {
		is.Aliases = append(is.Aliases, s.Alias)
	}
	return is, d.next
}

// limits returns the lists in each of which an environment must be to be used.
func (c EnvironmentChoice) limits() [][]string {
	if len(c.Limit) == 0 {
		return c.Grant
	}
	return append([][]string{c.Limit}, c.Grant...)
}

// limited reports whether there is a limit.
func (c EnvironmentChoice) limited() bool { return len(c.Limit) > 0 || len(c.Grant) > 0 }

// whom says for whom there is a limit. It is the access token if that has one.
func (c EnvironmentChoice) whom() string {
	if len(c.Limit) > 0 {
		return "for this access token"
	}
	return "for you by your groups at the identity provider"
}

// decision is a choice that is being made.
type decision struct {
	EnvironmentChoice

	list   EnvironmentList
	form   environmentForm
	staged bool
	next   NextList
}

// environmentName is the name of an environment.
type environmentName struct {
	text string // as it came
	name string // as it is compared
	id   bool

	unnamed bool // the call names none, and this is the default
}

func nameOf(text string) environmentName {
	name := plainEnvironment(text)
	return environmentName{text: text, name: name, id: isObjectID(name)}
}

// state is an environment of the list that an id belongs to.
type state struct {
	*EnvironmentState

	stage string // "" for the id of the environment itself
	now   bool   // it is what the alias means at present
}

// states returns what the list knows of the id.
func (d *decision) states(id string) []state {
	if !d.list.Known {
		d.next = ListNeeded
		return nil
	}
	var found []state
	for i := range d.list.States {
		s := &d.list.States[i]
		switch {
		case id == s.ID && d.form != anyName: // where Voiceflow takes the id of a version
			found = append(found, state{s, "", true})
		case id == s.Draft:
			found = append(found, state{s, StageDraft, true})
		case slices.Contains(s.Drafts, id):
			found = append(found, state{s, StageDraft, false})
		case id == s.Published:
			found = append(found, state{s, StagePublished, true})
		case slices.Contains(s.Releases, id):
			found = append(found, state{s, StagePublished, false})
		}
	}
	if len(found) == 0 {
		d.next = max(d.next, ListMayBeOld)
	}
	return found
}

// ofAliases reports whether the id n is a state of aliases that are all in the list.
func (d *decision) ofAliases(n environmentName, list []string) bool {
	found := d.states(n.name)
	return len(found) > 0 && !slices.ContainsFunc(found, func(s state) bool { return !slices.Contains(list, s.Alias) })
}

func (d *decision) decide() (UsedEnvironment, error) {
	e := d.Route.Endpoint
	switch {
	case e.BySession:
		return d.inSession()
	case d.form == noEnvironment && len(d.Limit) > 0:
		return UsedEnvironment{}, d.refuse("this access token is limited to environments, and this call can't be limited to one")
	case d.form == noEnvironment && d.limited():
		return UsedEnvironment{}, d.refuse("your groups at the identity provider let you do this in some environments only, and this call can't be limited to one")
	case d.form == noEnvironment && len(d.Asked.Names) == 0 && len(d.Asked.NoText) == 0:
		return UsedEnvironment{}, nil
	case d.Project.Environments.Pinned():
		return d.pinned()
	}
	return d.perCall()
}

// perCall is the choice for an assistant with environments.
func (d *decision) perCall() (UsedEnvironment, error) {
	filters := d.Route.Endpoint.Filters
	n, stage, err := d.asked()
	switch {
	case err != nil:
		return UsedEnvironment{}, err
	case n.name == "" && filters && !d.limited():
		return d.unfiltered(stage)
	case n.name == "":
		n = nameOf(d.Project.Environments.Default)
		n.unnamed = true
	}
	is, err := d.allow(n, stage)
	if err != nil {
		return UsedEnvironment{}, err
	}
	if filters && stage == "" && !d.hasStage(n) {
		is = "" // both stages are searched
	}
	return d.send(n, is)
}

// unfiltered is the choice for a search or a count that names no environment.
func (d *decision) unfiltered(stage string) (UsedEnvironment, error) {
	all := d.Project.Environments
	if stage == StageDraft && (all.All || slices.ContainsFunc(all.Allowed, func(name string) bool { return !slices.Contains(all.AllowDraft, name) })) {
		return UsedEnvironment{}, d.refuseDraft("the drafts of all environments are not allowed; name an environment beside version draft")
	}
	return UsedEnvironment{Stage: stage}, nil
}

// asked returns the environment and the stage that the caller asked for, "" for none.
func (d *decision) asked() (n environmentName, stage string, err error) {
	for _, text := range d.Asked.NoText {
		return n, "", invalid("the environment or version " + shown(text) + " must be a string" + SeeEnvironments)
	}
	names := d.Asked.Names
	if path := d.Route.environment(); path != "" {
		names = append([]string{path}, names...)
	}
	for _, text := range names {
		switch other := nameOf(text); {
		case !isEnvironmentName(text):
			return n, "", notAnEnvironment(text)
		case n.name == "":
			n = other
		case n.name != other.name:
			return n, "", d.refuse("the call names two environments, " + shown(n.text) + " and " + shown(text))
		}
	}
	for _, text := range d.Asked.Stages {
		switch {
		case text != StageDraft && text != StagePublished:
			return n, "", invalid("the version " + shown(text) + " must be draft or published" + SeeEnvironments)
		case stage != "" && stage != text:
			return n, "", invalid("the call names two versions, draft and published; name one" + SeeEnvironments)
		}
		stage = text
	}
	return n, stage, nil
}

// allow checks that the call may use n in the stage, which may be "". It returns the stage that is
// used, "" if it is not known and need not be.
func (d *decision) allow(n environmentName, stage string) (string, error) {
	all := d.Project.Environments
	byName := slices.Contains(all.Allowed, n.name) || n.name == all.Default || slices.Contains(all.AllowDraft, n.name)
	switch {
	case byName, !n.id && all.All, n.id && !all.All && d.ofAliases(n, all.Allowed):
	case n.id && all.All:
		if len(d.states(n.name)) == 0 {
			return "", d.refuse("the version " + shown(n.text) + " is not allowed, because Voiceflow does not list it")
		}
	default:
		return "", d.refuse("the environment " + shown(n.text) + " is not allowed")
	}
	switch {
	case d.within(n):
		return d.stage(n, stage)
	case n.unnamed:
		return "", d.refuse("the call names no environment, and the default " + shown(n.text) + " is not allowed " + d.whom())
	}
	return "", d.refuse("the environment " + shown(n.text) + " is not allowed " + d.whom())
}

// within reports whether each limit lets n be used.
func (d *decision) within(n environmentName) bool {
	return !slices.ContainsFunc(d.limits(), func(limit []string) bool {
		return !slices.Contains(limit, n.name) && (!n.id || !d.ofAliases(n, limit))
	})
}

// stage returns the stage of n, if the caller asked for the stage, which may be "".
func (d *decision) stage(n environmentName, asked string) (string, error) {
	allowDraft := d.Project.Environments.AllowDraft
	draftByName := slices.Contains(allowDraft, n.name)
	if n.id && draftByName && !d.staged && d.form != aliasOnly {
		return "", nil
	}
	is, aliases := d.stageOf(n, asked)
	switch {
	case asked != "" && asked != is:
		return "", d.refuse("the version " + shown(n.text) + " is " + is + ", and the call names the version " + asked)
	case is == StageDraft && !draftByName && (len(aliases) == 0 || slices.ContainsFunc(aliases, func(alias string) bool { return !slices.Contains(allowDraft, alias) })):
		return "", d.refuseDraft("the draft of " + shown(n.text) + " is not allowed")
	}
	return is, nil
}

// stageOf returns the stage of n and, for an id, the aliases whose draft it is.
func (d *decision) stageOf(n environmentName, asked string) (stage string, aliases []string) {
	if !n.id {
		switch {
		case d.meansDraft(n.name):
			return StageDraft, nil // whatever FieldVariant says
		case asked != "":
			return asked, nil
		}
		return StagePublished, nil
	}
	stage = StagePublished
	for _, s := range d.states(n.name) {
		if s.stage == StageDraft || s.stage == "" && (asked == StageDraft || d.meansDraft(s.Alias)) {
			stage, aliases = StageDraft, append(aliases, s.Alias)
		}
	}
	return stage, aliases
}

// meansDraft reports whether the alias by itself means a draft at Voiceflow.
func (d *decision) meansDraft(alias string) bool {
	return !d.Route.Endpoint.TakesStage() && strings.EqualFold(alias, draftByDefault)
}

// hasStage reports whether n is the id of a version, which has one stage.
func (d *decision) hasStage(n environmentName) bool {
	return n.id && !slices.ContainsFunc(d.states(n.name), func(s state) bool { return s.stage == "" })
}

// send returns n in the form that the Endpoint takes.
func (d *decision) send(n environmentName, stage string) (UsedEnvironment, error) {
	used := UsedEnvironment{Name: n.text, Send: n.name}
	if d.staged {
		used.Stage = stage
	}
	if n.id && (d.form == aliasOnly || d.form == aliasOrVersion && !d.hasStage(n)) {
		alias, err := d.aliasOf(n)
		if err != nil {
			return UsedEnvironment{}, err
		}
		used.Send = alias
	}
	return used, nil
}

// aliasOf returns the alias that means the id n at present.
func (d *decision) aliasOf(n environmentName) (string, error) {
	found := d.states(n.name)
	if len(found) != 1 || !found[0].now || found[0].Alias == "" || !d.saysStage(found[0]) {
		return "", &Error{
			Kind: Conflict, Public: "this call needs an environment by its alias, and Voiceflow lists no alias that means the version " +
				shown(n.text) + " here; published ids change with each publish, so an admin should add the assistant by alias or set environments" + SeeEnvironments,
		}
	}
	return found[0].Alias, nil
}

// saysStage reports whether the alias of s means the stage of s in this call. A call that has a version
// says the stage itself.
func (d *decision) saysStage(s state) bool {
	return d.staged || s.stage == "" || (s.stage == StageDraft) == d.meansDraft(s.Alias)
}

// pinned is the choice for an assistant that is pinned to its version. What the header, the query
// and the body ask for is replaced.
func (d *decision) pinned() (UsedEnvironment, error) {
	n, err := d.pinnedName()
	if err != nil {
		return UsedEnvironment{}, err
	}
	if used, is := d.leftToVoiceflow(n); is {
		return used, nil
	}
	stage := ""
	if d.staged && (!d.Route.Endpoint.Filters || n.id || len(d.Asked.Stages) > 0) {
		stage = d.pinnedStage(n)
	}
	return d.send(n, stage)
}

// leftToVoiceflow returns what a call sends that names no environment and needs none. is is false
// for any other call, and for a caller with a limit, who must not get what is of other environments.
func (d *decision) leftToVoiceflow(n environmentName) (used UsedEnvironment, is bool) {
	e, staged := d.Route.Endpoint, len(d.Asked.Stages) > 0
	switch {
	case d.limited(), d.Route.environment() != "", len(d.Asked.Names) > 0, len(d.Asked.NoText) > 0:
		return UsedEnvironment{}, false
	case e.Starts:
		return UsedEnvironment{}, n.id // the traffic split chooses
	case e.Filters && staged:
		return UsedEnvironment{Stage: d.pinnedStage(n)}, true
	}
	return UsedEnvironment{}, (e.Optional || e.Filters) && !staged
}

// pinnedName returns the version that the assistant is pinned to, with the text of the path if that
// names the same.
func (d *decision) pinnedName() (environmentName, error) {
	n := nameOf(d.Project.Version)
	if path := d.Route.environment(); path != "" {
		if same := nameOf(path); same.name != n.name && !d.same(n, same) {
			return n, d.refuse("the environment " + shown(path) + " is not allowed, because the assistant is pinned to its version")
		}
		n.text = path
	}
	if !d.within(n) {
		return n, d.refuse("the environment " + shown(d.Project.Version) + " is not allowed " + d.whom())
	}
	return n, nil
}

// pinnedStage returns the stage of the version that the assistant is pinned to.
func (d *decision) pinnedStage(n environmentName) string {
	if !n.id && strings.EqualFold(n.name, draftByDefault) {
		return StageDraft
	}
	stage, _ := d.stageOf(n, "")
	return stage
}

// same reports whether other means the same at present as n, the version that the assistant is
// pinned to.
func (d *decision) same(n, other environmentName) bool {
	if n.id == other.id {
		return false
	}
	alias, id := n, other
	if n.id {
		alias, id = other, n
	}
	found := d.states(id.name)
	if len(found) != 1 || !found[0].now || found[0].Alias != alias.name {
		return false
	}
	// If the call has a stage, the alias does not say it.
	return n.id && d.staged || found[0].stage == d.pinnedStage(alias)
}

// inSession is the choice for a call in a v4 session. The session keeps its environment.
func (d *decision) inSession() (UsedEnvironment, error) {
	const again = "; start a new session"
	isPinned, n := d.Project.Environments.Pinned(), nameOf(d.Session)
	switch {
	case d.Session == "" && (!isPinned || d.limited()):
		return UsedEnvironment{}, d.refuse("the session was started in an environment that is not known" + again)
	case d.Session == "":
		if n = nameOf(d.Project.Version); n.id {
			return UsedEnvironment{}, nil // Voiceflow's traffic split has chosen
		}
	case isPinned && n.name != plainEnvironment(d.Project.Version) && !d.sameEnvironment(n, nameOf(d.Project.Version)),
		!d.within(n):
		return UsedEnvironment{}, d.refuse("the environment " + shown(n.text) + " of the session is not allowed any longer" + again)
	}
	if isPinned {
		return UsedEnvironment{Name: n.text, Send: n.name}, nil
	}
	asked, _, err := d.asked()
	if err != nil {
		return UsedEnvironment{}, err
	}
	if asked.name != "" && asked.name != n.name {
		return UsedEnvironment{}, d.refuse("the environment " + shown(asked.text) + " is not that of the session" + again + " in it")
	}
	if _, err := d.allow(n, ""); err != nil {
		return UsedEnvironment{}, err
	}
	return UsedEnvironment{Name: n.text, Send: n.name}, nil
}

// sameEnvironment reports whether one of the names is an id that belongs to the alias that the other
// one is.
func (d *decision) sameEnvironment(a, b environmentName) bool {
	if a.id == b.id {
		return false
	}
	if b.id {
		a, b = b, a
	}
	return d.ofAliases(a, []string{b.name})
}

// environment returns the name of an environment in the path, "" if it has none.
func (r Route) environment() string {
	for _, field := range []Field{FieldVersion, FieldAlias, FieldEnvironmentRef} {
		if value := r.values[string(field)]; value != "" {
			return value
		}
	}
	return ""
}

// maxEnvironmentName is the longest name of an environment, in bytes.
const maxEnvironmentName = 64

// notAnEnvironment returns the error for a name that can't be one.
func notAnEnvironment(text string) error {
	return invalid("the environment " + shown(text) + " can't be one: a name has at most " +
		strconv.Itoa(maxEnvironmentName) + " letters, digits, _ and -" + SeeEnvironments)
}

// maxNamesShown is how many names a refusal lists.
const maxNamesShown = 20

// shown returns a name that a caller sent, for a message. A credential in its place is not repeated.
func shown(text string) string {
	if HoldsCredential(text) {
		return "that was sent"
	}
	return strconv.Quote(strings.ToValidUTF8(text[:min(len(text), maxEnvironmentName)], "\uFFFD"))
}

// refuse returns the error for an environment that is not allowed. It lists those that are.
func (d *decision) refuse(why string) error {
	names, all := d.allowed()
	list := "allowed: " + listed(names)
	switch {
	case all:
		list = "every published environment is allowed"
	case len(names) == 0:
		list = "no environment is allowed"
	}
	return &Error{Kind: EnvironmentNotAllowed, Public: why + "; " + list + SeeEnvironments}
}

// refuseDraft returns the error for a draft that is not allowed. It lists the environments whose
// draft is.
func (d *decision) refuseDraft(why string) error {
	names := d.Project.Environments.AllowDraft
	for _, limit := range d.limits() {
		names = both(names, limit)
	}
	list := "drafts are allowed of: " + listed(names)
	if len(names) == 0 {
		list = "no draft is allowed"
	}
	return &Error{Kind: EnvironmentNotAllowed, Public: why + "; " + list + SeeEnvironments}
}

// allowed returns the names that the caller may use. all means that there are no others.
func (d *decision) allowed() (names []string, all bool) {
	limits := d.limits()
	switch known := d.Project.Environments; {
	case known.Pinned():
		names = []string{d.Project.Version}
	case !known.All:
		names = known.Allowed
	case len(limits) == 0:
		return nil, true
	default:
		names, limits = limits[0], limits[1:]
	}
	for _, limit := range limits {
		names = both(names, limit)
	}
	return names, false
}

// both returns what is in a and in b.
func both(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(name string) bool { return !slices.Contains(b, name) })
}

// listed returns the names as a list for a person.
func listed(names []string) string {
	text := strings.Join(names[:min(len(names), maxNamesShown)], ", ")
	if more := len(names) - maxNamesShown; more > 0 {
		text += " and " + strconv.Itoa(more) + " more"
	}
	return text
}
