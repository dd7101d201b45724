package domain

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// SessionKind tells the two kinds of session apart. A cookie is bound to its kind, so the
// cookie of one kind is not accepted as the other.
type SessionKind string

// The kinds of session.
const (
	LoginSession     SessionKind = "login"     // somebody is logged in
	AssistantSession SessionKind = "assistant" // an assistant is set
)

// ParseSessionID reads a UUID in its usual text. Returns Invalid for any other text.
func ParseSessionID(text string) (SessionID, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	if !isUUID(text) {
		return "", invalid("session_id is not the Id of a session")
	}
	return SessionID(text), nil
}

// Lifetimes are the limits of sessions.
type Lifetimes struct {
	Idle     time.Duration // how long a session lasts without use
	Absolute time.Duration // how long a session lasts at most
	Remember time.Duration // how long a remembered session lasts, used or not
}

// Session is a login, or an assistant session. It says which user and which project. It gives
// no rights: rights are looked up.
type Session struct {
	ID         SessionID
	Kind       SessionKind
	User       UserID
	Login      SessionID // of an assistant session: its login; "" for a host program's user
	Project    ProjectID // of an assistant session
	ByRole     bool      // of an assistant session: the role of an admin allowed it, not a grant
	Remember   bool      // has no idle limit; its cookie outlives the browser
	Created    time.Time
	LastUsed   time.Time // the last use that was stored
	Idle       time.Time // exclusive; when it ends unless it is used; equal to Expires without an idle limit
	Expires    time.Time // exclusive; when it ends in any case
	Address    string    // of the client that opened it
	Agent      string    // User-Agent of the client that opened it, at most 256 bytes
	SealedBy   KeyID     // the keyset key that sealed the cookie last seen; "" if that is unknown
	ByProvider bool      // of a login: the identity provider opened it
	Recheck    time.Time // when to ask the identity provider again about the user of the login; zero if never
}

// NewLogin starts the login of user at now.
func NewLogin(id SessionID, user UserID, remember bool, now time.Time, l Lifetimes, address, agent string) Session {
	s := Session{
		ID: id, Kind: LoginSession, User: user, Remember: remember,
		Expires: Instant(now.Add(l.Absolute)), Address: clip(address, 64), Agent: clip(agent, 256),
	}
	if remember {
		s.Expires = Instant(now.Add(l.Remember))
	}
	return s.started(now, l)
}

// NewProviderLogin starts a login that the identity provider opened at now. It is never remembered.
// recheck is how long it lasts until the provider has to be asked again; zero is never.
func NewProviderLogin(id SessionID, user UserID, now time.Time, l Lifetimes, recheck time.Duration, address, agent string) Session {
	s := NewLogin(id, user, false, now, l, address, agent)
	s.ByProvider = true
	if recheck > 0 {
		s.Recheck = Instant(now.Add(recheck))
	}
	return s
}

// RecheckDue reports whether the identity provider has to be asked about the user of the login at now.
func (s Session) RecheckDue(now time.Time) bool { return !s.Recheck.IsZero() && !now.Before(s.Recheck) }

// FreshSignOn is how long a login by the identity provider stands in for the current password.
const FreshSignOn = 10 * time.Minute

// FreshByProvider reports whether the identity provider opened the login less than FreshSignOn before
// now, so that its user need not type a password to confirm a change.
func (s Session) FreshByProvider(now time.Time) bool {
	return s.ByProvider && now.Before(s.Created.Add(FreshSignOn))
}

// NewAssistantSession starts the session in which c uses project, at now. It is remembered
// if the login is, and never outlives the login.
func NewAssistantSession(id SessionID, c Caller, project ProjectID, now time.Time, l Lifetimes, address, agent string) Session {
	s := Session{
		ID: id, Kind: AssistantSession, User: c.ID, Login: c.Login.ID, Project: project, ByRole: c.Admin,
		Remember: c.Login.Remember, Expires: Instant(now.Add(l.Absolute)),
		Address: clip(address, 64), Agent: clip(agent, 256),
	}
	if c.Login.Remember || c.Login.ID != "" && c.Login.Expires.Before(s.Expires) {
		s.Expires = c.Login.Expires
	}
	return s.started(now, l)
}

func (s Session) started(now time.Time, l Lifetimes) Session {
	s.Created, s.LastUsed = Instant(now), Instant(now)
	s.Idle = s.idleEnd(now, l)
	return s
}

func (s Session) idleEnd(now time.Time, l Lifetimes) time.Time {
	end := Instant(now.Add(l.Idle))
	if s.Remember || end.After(s.Expires) {
		return s.Expires
	}
	return end
}

// Live reports whether the session can be used at now. Both ends are exclusive.
func (s Session) Live(now time.Time) bool { return now.Before(s.Idle) && now.Before(s.Expires) }

// Used tells to where a use at now moves the idle end, and whether to write the use. A use is
// written at most once a minute, or once in a quarter of the idle time if that is shorter, so
// that a read stays a read. The idle end never moves past Expires. A use is written even if
// the idle end stays, since lists show when a session was last used.
func (s Session) Used(now time.Time, l Lifetimes) (idle time.Time, write bool) {
	idle = s.idleEnd(now, l)
	return idle, now.Sub(s.LastUsed) >= min(time.Minute, l.Idle/4)
}

// Admit decides whether the assistant session may be opened. by is its user with the rights that
// they have now, granted are the scopes of their grant on the project, and p is the project, zero
// if there is none. Returns NotAllowed if the role or the grant that is to allow the session is
// not there. Returns NotFound if only the project is not, and the error of Project.MayBeSet.
func (s Session) Admit(by Caller, granted Scopes, p Project) error {
	switch {
	case s.ByRole && !by.Admin, !s.ByRole && granted == 0:
		return MayNotUse()
	case p.ID == "":
		return NoSuch("assistant")
	}
	return p.MayBeSet()
}

// MaxSessions is how many sessions of each kind a user has at most.
const MaxSessions = 100

// Displaces returns the sessions that end when s is opened, so that MaxSessions are left. live are
// the sessions of its user and kind that are not over. The oldest end first, and s never does.
func (s Session) Displaces(live []Session) []SessionID {
	others := slices.DeleteFunc(slices.Clone(live), func(other Session) bool { return other.ID == s.ID })
	if len(others) < MaxSessions {
		return nil
	}
	slices.SortFunc(others, func(a, b Session) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	ended := make([]SessionID, len(others)-MaxSessions+1)
	for i := range ended {
		ended[i] = others[i].ID
	}
	return ended
}

// SessionUse is what is recorded of the use of a session.
type SessionUse struct {
	At       time.Time // when it was used; zero records no time
	Idle     time.Time // where that moves the idle end
	SealedBy KeyID     // the keyset key that sealed the cookie that came with the use; "" records no key
}

// UsedBy is s after the use. Times move forward only, so that the later of two uses counts
// in whatever order they arrive.
func (s Session) UsedBy(use SessionUse) Session {
	if !use.At.IsZero() {
		s.LastUsed, s.Idle = later(s.LastUsed, Instant(use.At)), later(s.Idle, Instant(use.Idle))
	}
	if use.SealedBy != "" {
		s.SealedBy = use.SealedBy
	}
	return s
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// SessionsToEnd names sessions that end together. The zero SessionsToEnd names none.
type SessionsToEnd struct {
	id       SessionID
	user     UserID
	bySealed bool
	sealedBy KeyID
	handles  bool
}

// OneSession names the session of that id, if the caller may end it (Caller.MayEnd).
func OneSession(id SessionID) SessionsToEnd { return SessionsToEnd{id: id} }

// SessionsOf names all sessions of the user, of both kinds.
func SessionsOf(user UserID) SessionsToEnd { return SessionsToEnd{user: user} }

// SessionsSealedBy names the sessions whose cookie the keyset key sealed, and with handles
// the conversations whose handle it sealed, if the caller may end them (Caller.MayEndByKey).
// The key "" stands for those whose key is unknown.
func SessionsSealedBy(key KeyID, handles bool) SessionsToEnd {
	return SessionsToEnd{bySealed: true, sealedBy: key, handles: handles}
}

// ID returns the one session that is named, "" if it is not one.
func (e SessionsToEnd) ID() SessionID { return e.id }

// User returns the user whose sessions are named, "" if it is not by user.
func (e SessionsToEnd) User() UserID { return e.user }

// SealedBy returns the keyset key that sealed what is named. ok is false if it is not by key.
func (e SessionsToEnd) SealedBy() (key KeyID, handles, ok bool) {
	return e.sealedBy, e.handles, e.bySealed
}

// Names reports whether the session is named and the caller may end it.
func (e SessionsToEnd) Names(s Session, by Caller) bool {
	if e.bySealed {
		return e.sealedBy == s.SealedBy && by.MayEndByKey()
	}
	named := e.id != "" && e.id == s.ID || e.user != "" && e.user == s.User
	return named && by.MayEnd(s.User)
}

// NamesHandle reports whether the conversation is named by the key that sealed its handle, and
// the caller may end it.
func (e SessionsToEnd) NamesHandle(c Conversation, by Caller) bool {
	return e.handles && e.sealedBy == c.HandleSealedBy && by.MayEndByKey()
}

// SessionsEnded says what ended.
type SessionsEnded struct {
	Sessions int // of those that were named; what is under them is not counted
	Handles  int // conversations
}

// Claims are what the cookie of a session says. The stored session is the truth: claims that
// differ from it are worth nothing.
type Claims struct {
	Kind    SessionKind
	Session SessionID
	User    UserID
	Project ProjectID // of an assistant session
	Version string    // of an assistant session: the project's version
	Expires time.Time // the absolute end
}

// Claims returns what a cookie of s must say. version is the version of the session's project,
// "" for a login.
func (s Session) Claims(version string) Claims {
	return Claims{Kind: s.Kind, Session: s.ID, User: s.User, Project: s.Project, Version: version, Expires: s.Expires}
}

// Equal reports whether the claims are the same, times as instants.
func (c Claims) Equal(other Claims) bool {
	sameEnd := c.Expires.Equal(other.Expires)
	c.Expires, other.Expires = time.Time{}, time.Time{}
	return sameEnd && c == other
}
