package domain

import (
	"strings"
	"time"
)

// SessionKind tells the two kinds of session apart. It is part of what a cookie is
// sealed to, so that one kind can't stand in for the other.
type SessionKind string

// The kinds of session.
const (
	LoginSession     SessionKind = "login"     // somebody is logged in
	AssistantSession SessionKind = "assistant" // an assistant is set
)

// ParseSessionID takes a UUID in its usual text and is Invalid otherwise.
func ParseSessionID(text string) (SessionID, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	if !isUUID(text) {
		return "", invalid("session_id is no Id of a session")
	}
	return SessionID(text), nil
}

// Lifetimes are the limits of sessions.
type Lifetimes struct {
	Idle     time.Duration // how long a session lasts without use
	Absolute time.Duration // how long it lasts at most
	Remember time.Duration // how long a remembered one lasts, used or not
}

// Session is a login, or the assistant that is set under one. It gives no rights: it
// says who and which project, and rights are looked up.
type Session struct {
	ID       SessionID
	Kind     SessionKind
	User     UserID
	Login    SessionID // of an assistant session: the login it is under; "" under a host's authentication
	Project  ProjectID // of an assistant session
	ByRole   bool      // of an assistant session: the role of an admin let the user in, not a grant
	Remember bool      // has no idle limit; its cookie outlives the browser
	Created  time.Time
	LastUsed time.Time // as of the last time that it was written
	Idle     time.Time // exclusive; when it ends unless it is used; equal to Expires where there is no idle limit
	Expires  time.Time // exclusive; when it ends in any case
	Address  string    // of the client that opened it
	Agent    string    // User-Agent of the client that opened it, at most 256 bytes
	SealedBy KeyID     // the key that sealed its cookie, as far as that was seen; "" where it is not known
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

// NewAssistantSession starts the session in which c uses project, at now. It is
// remembered when the login is, and never outlives it.
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

// Live says whether the session can be used at now: both ends are exclusive.
func (s Session) Live(now time.Time) bool { return now.Before(s.Idle) && now.Before(s.Expires) }

// Used tells where a use at now moves the idle end, and whether the use is to be
// written: at most once a minute, or once in a quarter of the idle time if that is
// shorter, so that a read stays a read. The end never moves past Expires; a use is
// written also where it stays, since it is shown when a session was last used.
func (s Session) Used(now time.Time, l Lifetimes) (idle time.Time, write bool) {
	idle = s.idleEnd(now, l)
	return idle, now.Sub(s.LastUsed) >= min(time.Minute, l.Idle/4)
}

// Visible is what the session's user must still see for the session to be good: what
// let them in, the role or the grant.
func (s Session) Visible() Visible {
	if s.ByRole {
		return Visible{all: true}
	}
	return GrantedTo(s.User)
}

// Claims are what a session's cookie says. The stored session is the truth: claims
// that do not equal it are worth nothing.
type Claims struct {
	Kind    SessionKind
	Session SessionID
	User    UserID
	Project ProjectID // of an assistant session
	Version string    // of an assistant session: the project's version
	Expires time.Time // the absolute end
}

// Claims are what a cookie of s must say. version is that of the project that is
// set, "" for a login.
func (s Session) Claims(version string) Claims {
	return Claims{Kind: s.Kind, Session: s.ID, User: s.User, Project: s.Project, Version: version, Expires: s.Expires}
}

// Equal compares claims, times as instants.
func (c Claims) Equal(other Claims) bool {
	sameEnd := c.Expires.Equal(other.Expires)
	c.Expires, other.Expires = time.Time{}, time.Time{}
	return sameEnd && c == other
}
